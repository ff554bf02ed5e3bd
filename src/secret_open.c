/*-------------------------------------------------------------------------
 *
 * secret_open.c
 *		The key of this database, and what is opened with it.
 *
 * A credential is stored sealed (seal.c), or as a reference to a place outside
 * of the database (reference.c), which is read each time it is opened.
 *
 * A new key is made only while the database holds no sealed value except
 * access tokens, which can be fetched again.  (key_rotation.c makes one to
 * replace a key that is there.)  If the key is missing, or the file has another
 * one, an operator must act: the accounts that need it are blocked, with one
 * alert for all of them.
 *
 * IDENTIFICATION
 *		src/secret_open.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "reference.h"
#include "seal.h"
#include "secret_open.h"

static void key_hold(ZcsyncKeyHolder *holder, const bytea *sealed);

/*
 * Open stored credentials into account->credentials.  The first that cannot be
 * opened sets *failure; the others are opened all the same.
 */
void
zcsync_secret_open_all(ZcsyncAccount *account, List *rows,
					   ZcsyncOpenFailure *failure)
{
	ZcsyncKeyHolder holder = {0};
	ListCell   *lc;

	PG_TRY();
	{
		foreach(lc, rows)
		{
			ZcsyncSecretRow *row = lfirst(lc);
			ZcsyncCredential *credential;
			ZcsyncOpenFailure why = {0};
			MemoryContext old;
			char	   *value;

			value = zcsync_secret_open(account->account_id, row, &holder,
									   account->context, &why);
			if (value == NULL)
			{
				/*
				 * A token whose key is gone is no loss: a new one is fetched.
				 */
				if (why.key_is_gone && row->expires_at != 0)
					continue;
				if (failure->alert == NULL)
					*failure = why;
				continue;
			}
			old = MemoryContextSwitchTo(account->context);
			credential = palloc0(sizeof(ZcsyncCredential));
			credential->name = pstrdup(row->name);
			credential->value = value;
			credential->expires_at = row->expires_at;
			account->credentials = lappend(account->credentials, credential);
			MemoryContextSwitchTo(old);
		}
	}
	PG_FINALLY();
	{
		explicit_bzero(&holder.key, sizeof(holder.key));
	}
	PG_END_TRY();
}

/*
 * Open one credential: its value, allocated in "context", or NULL after
 * filling in *failure.
 */
char *
zcsync_secret_open(int64 account_id, const ZcsyncSecretRow *row,
				   ZcsyncKeyHolder *holder, MemoryContext context,
				   ZcsyncOpenFailure *failure)
{
	char	   *value;

	if (row->sealed == NULL)
	{
		value = zcsync_reference_read(row->name, row->reference, context,
									  &failure->message, &failure->hint);
		if (value == NULL)
			failure->alert = ZCSYNC_ALERT_UNREADABLE;
		return value;
	}

	key_hold(holder, row->sealed);
	if (holder->state != ZCSYNC_KEY_OK)
	{
		failure->alert = ZCSYNC_ALERT_KEY;
		failure->key_is_gone = holder->state == ZCSYNC_KEY_MISSING;
		failure->message = holder->message;
		failure->hint = holder->hint;
		return NULL;
	}

	switch (zcsync_unseal(&holder->key, account_id, row->name, row->sealed,
						  context, &value))
	{
		case ZCSYNC_UNSEAL_OK:
			break;
		case ZCSYNC_UNSEAL_OTHER_KEY:
			failure->alert = ZCSYNC_ALERT_KEY;
			failure->key_is_gone = true;
			failure->message = psprintf("key file \"%s\" holds another key than the one that sealed the credentials",
										zcsync_key_path());
			failure->hint = "Put the former key file back, or run zcsync.set_credentials() again for each account.";
			break;
		case ZCSYNC_UNSEAL_DAMAGED:
			failure->alert = ZCSYNC_ALERT_UNREADABLE;
			failure->message = psprintf("sealed credential \"%s\" is damaged",
										row->name);
			failure->hint = "Run zcsync.set_credentials() again for this account.";
			break;
	}
	return value;
}

/*
 * Get the key that sealed this value, unless it is the one that was read
 * last.
 */
static void
key_hold(ZcsyncKeyHolder *holder, const bytea *sealed)
{
	const unsigned char *fingerprint = zcsync_sealed_fingerprint(sealed);

	if (holder->tried &&
		(fingerprint == NULL ||
		 memcmp(holder->fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE) == 0))
		return;
	holder->state = zcsync_key_read(fingerprint, &holder->key,
									&holder->message, &holder->hint);
	if (fingerprint != NULL)
		memcpy(holder->fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE);
	holder->tried = true;
}

/*
 * The key to seal with: the one that sealed the last value here, if it still
 * exists.  Makes a key if there is none and nothing is lost by that; throws
 * if there should be one, or if it cannot be used.  Called with the rights of
 * the owner (secret_rows.h).
 */
void
zcsync_secret_key(ZcsyncKey *key)
{
	bool		is_token = false;
	const bytea *last = zcsync_secret_last_sealed(&is_token);
	const unsigned char *fingerprint = last ? zcsync_sealed_fingerprint(last) : NULL;
	char	   *message;
	char	   *hint;
	ZcsyncKeyState state = zcsync_key_read(fingerprint, key, &message, &hint);

	if (state == ZCSYNC_KEY_MISSING && (last == NULL || is_token))
	{
		zcsync_key_create();
		state = zcsync_key_read(NULL, key, &message, &hint);
	}
	if (state != ZCSYNC_KEY_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot seal a credential: %s", message),
				 errhint("%s", hint)));
}
