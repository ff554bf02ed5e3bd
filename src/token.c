/*-------------------------------------------------------------------------
 *
 * token.c
 *		Access tokens of accounts whose authorisation is OAuth.
 *
 * An account whose connector says needs_token() sends nothing but "token"
 * calls while zcsync_token_valid() is false: the engine queues one job for it
 * (operation and dedupe key "token") and claims nothing else of that account
 * until its reply is stored and committed.  So one exchange serves all calls
 * that wait, in this process; another process fetches a token of its own if it
 * does not find this one, which the vendors allow.
 *
 * A token ends early when it is revoked.  A call that is refused for want of
 * authorisation makes the engine reject the token and queue a probe of the
 * account: a new token is fetched first, and if that is refused as well, the
 * credentials are to blame and the account is blocked.
 *
 * Which token was rejected is kept per process, by its hash, and not per
 * ZcsyncAccount: accounts are read anew whenever their row changes, and the
 * stored token may still be the rejected one.
 *
 * IDENTIFICATION
 *		src/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "clock.h"
#include "secret.h"
#include "token.h"

#define TOKEN_CREDENTIAL	"access_token"

/* Longest part of a token's life that is left unused at its end. */
#define TOKEN_MARGIN_MAX_S	300

/* A version that no account's row has. */
#define ACCOUNT_OUT_OF_DATE	(-1)

/* The token of an account that was rejected last. */
typedef struct RejectedToken
{
	int64		account_id;		/* hash key */
	uint64		token;			/* its hash */
} RejectedToken;

static HTAB *rejected_tokens = NULL;

static void scope_store(int64 account_id, const char *scope);
static void token_replace(ZcsyncAccount *account, const char *access_token,
						  TimestampTz expires_at);
static ZcsyncCredential *token_find(const ZcsyncAccount *account);
static uint64 token_hash(const ZcsyncCredential *token);

/*
 * Keep a new access token: seal and store it.  lifetime_s 0: the vendor named
 * none, and it is used until it is refused.  The last tenth of its life, at
 * most five minutes, is not used.  What it may do (scope; NULL: not known) is
 * kept, to be compared with what is needed.  Needs a transaction and SPI.
 *
 * The account becomes out of date, as by any change of its row, and is to be
 * read again; calls that are under way keep the token they were sent with, so
 * that their refusal is not taken for one of the new token.
 *
 * The token is not stored, but used in this account at once, on a standby, and
 * when the row is being changed by another transaction or has changed since it
 * was read: the token may belong to credentials that no longer count.
 */
void
zcsync_token_store(ZcsyncAccount *account, const char *access_token,
				   int lifetime_s, const char *scope)
{
	TimestampTz expires_at = 0;

	if (lifetime_s > 0)
		expires_at = zcsync_now() + USECS_PER_SEC *
			(int64) (lifetime_s - Min(lifetime_s / 10, TOKEN_MARGIN_MAX_S));

	if (!RecoveryInProgress() &&
		zcsync_secret_store_for(account, TOKEN_CREDENTIAL, access_token,
								expires_at))
		account->version = ACCOUNT_OUT_OF_DATE;
	else
		token_replace(account, access_token, expires_at);
	if (!RecoveryInProgress())
		scope_store(account->account_id, scope);
}

/*
 * Keep what an account's token may do.
 */
static void
scope_store(int64 account_id, const char *scope)
{
	static SPIPlanPtr plan = NULL;
	Datum		values[] = {Int64GetDatum(account_id),
	scope != NULL ? CStringGetTextDatum(scope) : (Datum) 0};

	if (plan == NULL)
	{
		Oid			types[] = {INT8OID, TEXTOID};
		SPIPlanPtr	prepared = SPI_prepare("SELECT zcsync._note_scope($1, $2)",
										   2, types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare the query that keeps a scope");
		plan = prepared;
	}
	if (SPI_execute_plan(plan, values, scope != NULL ? "  " : " n", false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not keep the scope of account " INT64_FORMAT, account_id);
}

/*
 * Does the account have an access token that has neither expired nor been
 * rejected?
 */
bool
zcsync_token_valid(const ZcsyncAccount *account, TimestampTz now)
{
	ZcsyncCredential *token = token_find(account);
	RejectedToken *rejected = NULL;

	if (token == NULL ||
		(token->expires_at != 0 && token->expires_at <= now))
		return false;
	if (rejected_tokens != NULL)
		rejected = hash_search(rejected_tokens, &account->account_id,
							   HASH_FIND, NULL);
	return rejected == NULL || rejected->token != token_hash(token);
}

/*
 * A call of this account was refused for want of authorisation: do not use its
 * token again.  Does nothing for an account without one.
 */
void
zcsync_token_reject(const ZcsyncAccount *account)
{
	ZcsyncCredential *token = token_find(account);
	RejectedToken *rejected;

	if (token == NULL)
		return;
	if (rejected_tokens == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(RejectedToken);
		rejected_tokens = hash_create("zcsync rejected tokens", 16, &ctl,
									  HASH_ELEM | HASH_BLOBS);
	}
	rejected = hash_search(rejected_tokens, &account->account_id, HASH_ENTER,
						   NULL);
	rejected->token = token_hash(token);
}

/*
 * Use this token in this account.
 */
static void
token_replace(ZcsyncAccount *account, const char *access_token,
			  TimestampTz expires_at)
{
	ZcsyncCredential *token = token_find(account);
	MemoryContext old = MemoryContextSwitchTo(account->context);

	if (token == NULL)
	{
		token = palloc0(sizeof(ZcsyncCredential));
		token->name = pstrdup(TOKEN_CREDENTIAL);
		account->credentials = lappend(account->credentials, token);
	}
	zcsync_secret_wipe(token->value);
	token->value = pstrdup(access_token);
	token->expires_at = expires_at;
	MemoryContextSwitchTo(old);
}

/*
 * The access token among the account's credentials, or NULL.
 */
static ZcsyncCredential *
token_find(const ZcsyncAccount *account)
{
	ListCell   *lc;

	foreach(lc, account->credentials)
	{
		ZcsyncCredential *credential = lfirst(lc);

		if (strcmp(credential->name, TOKEN_CREDENTIAL) == 0)
			return credential;
	}
	return NULL;
}

/*
 * A number that tells one token from another.
 */
static uint64
token_hash(const ZcsyncCredential *token)
{
	return hash_bytes_extended((const unsigned char *) token->value,
							   strlen(token->value), 0);
}
