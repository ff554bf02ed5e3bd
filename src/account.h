/*-------------------------------------------------------------------------
 *
 * account.h
 *		An account as the worker and the connectors see it.
 *
 * IDENTIFICATION
 *		src/account.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ACCOUNT_H
#define ZCSYNC_ACCOUNT_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

struct ZcsyncConnector;

/* One credential of an account, in clear; lives in the account's context. */
typedef struct ZcsyncCredential
{
	char	   *name;			/* "client_id", "api_token", "access_token", ... */
	char	   *value;
	TimestampTz expires_at;		/* 0: does not expire */
} ZcsyncCredential;

/*
 * An account as the worker sees it: a snapshot of the row of zcsync.accounts
 * at one version, with its secrets opened.  Made by zcsync_account_load()
 * with one reference; each call holds another.  Everything is allocated in
 * "context", which the last zcsync_account_release() wipes and frees.
 */
typedef struct ZcsyncAccount
{
	MemoryContext context;
	int			refs;			/* references: the calls that use it, and
								 * the engine's cache */
	int64		account_id;
	int64		version;		/* accounts.version at which it was read */
	char	   *name;
	const struct ZcsyncConnector *connector;
	Jsonb	   *settings;		/* accounts.settings */
	bool		takes_gzip;		/* its vendor takes compressed bodies */
	List	   *credentials;	/* of ZcsyncCredential */
	char	   *secret_error;	/* why the secrets could not be opened, or NULL */
	char	   *secret_hint;
} ZcsyncAccount;

/* the account; loading it needs a transaction */
extern ZcsyncAccount *zcsync_account_load(MemoryContext parent,
										  int64 account_id);
extern void zcsync_account_release(ZcsyncAccount *account);
extern const char *zcsync_account_credential(const ZcsyncAccount *account,
											 const char *name);
extern char *zcsync_account_setting(const ZcsyncAccount *account,
									const char *name);

#endif							/* ZCSYNC_ACCOUNT_H */
