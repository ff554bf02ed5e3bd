/*-------------------------------------------------------------------------
 *
 * secret.h
 *		The credentials of accounts: opened, stored, checked.
 *
 * IDENTIFICATION
 *		src/secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SECRET_H
#define ZCSYNC_SECRET_H

#include "utils/timestamp.h"

#include "account.h"

/*
 * Open all credentials of account->account_id into account->credentials
 * (allocated in account->context).  Needs a transaction.  A credential that
 * cannot be opened (key missing, other key, file missing) does not throw: it
 * sets account->secret_error and secret_hint, and blocks the account.
 */
extern void zcsync_secret_load(ZcsyncAccount *account);

/*
 * Seal and store one value, as the table's owner.  Needs a transaction.  Never
 * waits for a lock: false, and nothing is stored, if the account is gone or
 * its row is locked by another transaction.
 */
extern bool zcsync_secret_store(int64 account_id, const char *name,
								const char *value, TimestampTz expires_at);

/*
 * The same for an account that was read before: also false if its settings or
 * credentials have changed since.
 */
extern bool zcsync_secret_store_for(const ZcsyncAccount *account,
									const char *name, const char *value,
									TimestampTz expires_at);

/* Overwrite a string that held a secret. */
extern void zcsync_secret_wipe(char *value);

#endif							/* ZCSYNC_SECRET_H */
