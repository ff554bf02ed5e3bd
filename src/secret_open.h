/*-------------------------------------------------------------------------
 *
 * secret_open.h
 *		The key of this database, and what is opened with it.
 *
 * IDENTIFICATION
 *		src/secret_open.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SECRET_OPEN_H
#define ZCSYNC_SECRET_OPEN_H

#include "account.h"
#include "seal.h"
#include "secret_rows.h"

/*
 * the alerts about credentials, which are also the reasons to block an
 * account
 */
#define ZCSYNC_ALERT_KEY		"key_missing"
#define ZCSYNC_ALERT_UNREADABLE	"credentials_unreadable"

/*
 * The key that the last sealed value needed.  Starts as zeros; whoever has one
 * overwrites its key in the end, also after an error.
 */
typedef struct ZcsyncKeyHolder
{
	bool		tried;
	unsigned char fingerprint[ZCSYNC_FINGERPRINT_SIZE];	/* that was looked
														 * for */
	ZcsyncKeyState state;
	ZcsyncKey	key;
	char	   *message;
	char	   *hint;
} ZcsyncKeyHolder;

/* Why a credential cannot be opened. */
typedef struct ZcsyncOpenFailure
{
	const char *alert;			/* NULL: it could be opened */
	bool		key_is_gone;	/* sealed with a key that is in no key file */
	char	   *message;
	char	   *hint;
} ZcsyncOpenFailure;

extern void zcsync_secret_open_all(ZcsyncAccount *account, List *rows,
								   ZcsyncOpenFailure *failure);
extern char *zcsync_secret_open(int64 account_id, const ZcsyncSecretRow *row,
								ZcsyncKeyHolder *holder,
								MemoryContext context,
								ZcsyncOpenFailure *failure);
extern void zcsync_secret_key(ZcsyncKey *key);

#endif							/* ZCSYNC_SECRET_OPEN_H */
