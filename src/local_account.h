/*-------------------------------------------------------------------------
 *
 * local_account.h
 *		Is an account one without a vendor?
 *
 * IDENTIFICATION
 *		src/local_account.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LOCAL_ACCOUNT_H
#define ZCSYNC_LOCAL_ACCOUNT_H

/* What was found out for the last row of a statement; all zero at first. */
typedef struct ZcsyncLocalAccount
{
	bool		known;
	bool		is_local;
	int64		account;
} ZcsyncLocalAccount;

extern bool zcsync_is_local_account(ZcsyncLocalAccount *last, int64 account);

#endif							/* ZCSYNC_LOCAL_ACCOUNT_H */
