/*-------------------------------------------------------------------------
 *
 * secret_rows.h
 *		The rows of zcsync.credentials and zcsync.alert_secrets.
 *
 * IDENTIFICATION
 *		src/secret_rows.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SECRET_ROWS_H
#define ZCSYNC_SECRET_ROWS_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

/*
 * What the names of secrets of webhooks begin with, and no credential's does.
 * They prove who sends to us, and are no part of the login: an account works
 * without them.  Where such a row has expires_at, another secret replaced it,
 * and it is valid until then.
 */
#define ZCSYNC_WEBHOOK_PREFIX	"webhook/"

/* The user and security context before we became the owner of the tables. */
typedef struct ZcsyncOwnerScope
{
	Oid			user;
	int			sec_context;
} ZcsyncOwnerScope;

/* One row of zcsync.credentials or zcsync.alert_secrets. */
typedef struct ZcsyncSecretRow
{
	int64		account_id;		/* or minus that of an alert target; set by
								 * zcsync_secret_rows_sealed() alone */
	char	   *name;
	bytea	   *sealed;			/* NULL if it is a reference */
	char	   *reference;		/* NULL if it is sealed */
	TimestampTz expires_at;		/* 0: does not expire */
} ZcsyncSecretRow;

/* whose rights the queries have */
extern void zcsync_secret_owner_begin(ZcsyncOwnerScope *scope);
extern void zcsync_secret_owner_end(const ZcsyncOwnerScope *scope);

/* lists of ZcsyncSecretRow, which live until the (sub)transaction ends */
extern List *zcsync_secret_rows_of_account(int64 account_id, bool of_webhooks);
extern List *zcsync_secret_rows_of_target(int64 target_id);
extern List *zcsync_secret_rows_sealed(void);

extern const bytea *zcsync_secret_last_sealed(bool *is_token);

extern bool zcsync_secret_row_store(int64 account_id, int64 version,
									const char *name, const bytea *sealed,
									const char *reference,
									const char *fingerprint,
									TimestampTz expires_at);
extern void zcsync_secret_row_store_target(int64 target_id, const char *name,
										   const bytea *sealed,
										   const char *reference,
										   const char *fingerprint);
extern void zcsync_secret_row_reseal(int64 account_id, const char *name,
									 const bytea *sealed,
									 const char *fingerprint);

extern void zcsync_secret_block_account(int64 account_id, const char *alert,
										const char *message,
										const char *hint);

#endif							/* ZCSYNC_SECRET_ROWS_H */
