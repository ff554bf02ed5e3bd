/*-------------------------------------------------------------------------
 *
 * token.c
 *		Access tokens of accounts whose authorisation is OAuth.
 *
 * If an account's connector says needs_token(), the engine sends only "token"
 * calls for it while zcsync_token_valid() is false: it queues one such job
 * (operation and dedupe key "token"), and claims nothing else of that account
 * until the reply is stored and committed.  So one exchange serves all
 * waiting calls of this process.  Another process that does not find this
 * token fetches one of its own, which the vendors allow.
 *
 * A token ends early when it is revoked.  When a call is refused for lack of
 * authorisation, the engine rejects the token and queues a probe of the
 * account: first a new token is fetched, and if that is refused as well, the
 * credentials are to blame and the account is blocked.
 *
 * Which token was rejected is remembered per process, by its hash, and not in
 * ZcsyncAccount: accounts are read again whenever their row changes, and the
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

/* The last token of an account that was rejected. */
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
 * Seal and store a new access token.  lifetime_s 0: the vendor named no
 * lifetime, and the token is used until it is refused.  The last tenth of its
 * lifetime, at most five minutes, is not used.  Its scope (NULL: not known)
 * is stored, to be compared with what is needed.  Needs a transaction and
 * SPI.
 *
 * The account is then out of date, as after any change of its row, and will
 * be read again.  Calls under way keep the token with which they were sent,
 * so that their refusal is not taken for one of the new token.
 *
 * In three cases the token is not stored, and only used in this account at
 * once: on a standby, while another transaction changes the account's row,
 * and if the row has changed since it was read, since the token may belong to
 * credentials that are no longer valid.
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
 * Store what an account's token may do.
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
 * A call of this account was refused for lack of authorisation: do not use
 * its token again.  Does nothing for an account without one.
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
 * A number by which tokens are told apart.
 */
static uint64
token_hash(const ZcsyncCredential *token)
{
	return hash_bytes_extended((const unsigned char *) token->value,
							   strlen(token->value), 0);
}
