/*-------------------------------------------------------------------------
 *
 * shown_secret.c
 *		Secrets that the reply to a call shows.
 *
 * Some vendors make the secret of a webhook themselves, and show it in a
 * reply.  A reply becomes an argument of SQL, which extensions may log, and
 * part of the records of its job.  So a request whose reply may show secrets
 * says which member they are in ("shows"), and each value of such a member is
 * taken out before anything else reads the reply: in its place is a number,
 * which means something to this process only, until the call ends.  With the
 * number, SQL has the secret sealed: _seal_shown_secret().
 *
 * A secret lives in the call's context, and is overwritten when that goes.  So
 * are the reply as it came and the copies of it that we make; what libcurl and
 * the parser of jsonb leave in memory that they freed is not.
 *
 * IDENTIFICATION
 *		src/shown_secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "json.h"
#include "reference.h"
#include "secret.h"
#include "shown_secret.h"

/* A shorter text is no secret. */
#define SHOWN_MIN_SIZE	8

PG_FUNCTION_INFO_V1(zcsync_sql_seal_shown_secret);

/* A secret that was taken out of a reply. */
typedef struct ShownSecret
{
	dlist_node	node;
	int64		number;			/* what the reply has in its place */
	int64		account_id;
	char	   *value;
	MemoryContextCallback forget;
} ShownSecret;

/* Those of calls whose outcome is not recorded yet, and the last number. */
static dlist_head shown_secrets = DLIST_STATIC_INIT(shown_secrets);
static int64 last_number = 0;

static char *number_of(ZcsyncCall *call, const JsonbValue *value);
static void forget(void *arg);

/*
 * The member of the reply that shows secrets, palloc'ed; NULL: none does.
 */
char *
zcsync_shown_secret_member(const ZcsyncCall *call)
{
	return zcsync_json_get_text(call->request, "shows");
}

/*
 * Put numbers in place of the secrets in call->body, which is clean JSON.
 * Whatever else than a text a member of that name has becomes null.  A
 * reply that is no object and no array is dropped.
 */
void
zcsync_shown_secret_take(ZcsyncCall *call, const char *member)
{
	const char *why;
	Jsonb	   *shown = zcsync_json_parse(call->body, call->body_len, &why);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	Jsonb	   *concealed;
	JsonbValue	value;
	JsonbIterator *it;
	JsonbIteratorToken token;
	bool		is_secret = false;

	explicit_bzero(call->body, call->body_len);
	call->body = NULL;
	call->body_len = 0;
	if (shown == NULL || JB_ROOT_IS_SCALAR(shown))
		return;

	it = JsonbIteratorInit(&shown->root);
	while ((token = JsonbIteratorNext(&it, &value, is_secret)) != WJB_DONE)
	{
		if (token == WJB_VALUE && is_secret)
		{
			char	   *number = number_of(call, &value);

			value.type = number != NULL ? jbvString : jbvNull;
			value.val.string.val = number;
			value.val.string.len = number != NULL ? strlen(number) : 0;
		}
		is_secret = token == WJB_KEY &&
			value.val.string.len == strlen(member) &&
			memcmp(value.val.string.val, member, strlen(member)) == 0;
		result = pushJsonbValue(&state, token,
								token < WJB_BEGIN_ARRAY ? &value : NULL);
	}

	concealed = JsonbValueToJsonb(result);
	call->body = JsonbToCString(NULL, &concealed->root, VARSIZE(concealed));
	call->body_len = strlen(call->body);
	explicit_bzero(shown, VARSIZE(shown));
}

/*
 * Keep the text of a secret with its call; returns the number that takes its
 * place, or NULL if it can be no secret.
 */
static char *
number_of(ZcsyncCall *call, const JsonbValue *value)
{
	ShownSecret *secret;
	char	   *copy;

	if (value->type != jbvString || value->val.string.len < SHOWN_MIN_SIZE)
		return NULL;
	copy = MemoryContextAllocZero(call->context, value->val.string.len + 1);
	memcpy(copy, value->val.string.val, value->val.string.len);
	if (zcsync_secret_problem(copy, value->val.string.len) != NULL)
		return NULL;
	secret = MemoryContextAllocZero(call->context, sizeof(ShownSecret));
	secret->number = ++last_number;
	secret->account_id = call->account->account_id;
	secret->value = copy;
	secret->forget.func = forget;
	secret->forget.arg = secret;
	dlist_push_head(&shown_secrets, &secret->node);
	MemoryContextRegisterResetCallback(call->context, &secret->forget);
	return psprintf(INT64_FORMAT, secret->number);
}

/*
 * The call's context goes.  Must not throw.
 */
static void
forget(void *arg)
{
	ShownSecret *secret = arg;

	dlist_delete(&secret->node);
	zcsync_secret_wipe(secret->value);
}

/*
 * _seal_shown_secret(account, name, number): store a secret of a reply sealed,
 * under this name.  Returns false, and stores nothing, if no reply of this
 * account that is being recorded has it.  The caller holds a lock on the
 * account's row.
 */
Datum
zcsync_sql_seal_shown_secret(PG_FUNCTION_ARGS)
{
	int64		account_id = PG_GETARG_INT64(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *number = text_to_cstring(PG_GETARG_TEXT_PP(2));
	dlist_iter	iter;

	dlist_foreach(iter, &shown_secrets)
	{
		ShownSecret *secret = dlist_container(ShownSecret, node, iter.cur);

		if (secret->account_id == account_id &&
			strcmp(number, psprintf(INT64_FORMAT, secret->number)) == 0)
			PG_RETURN_BOOL(zcsync_secret_store(account_id, name,
											   secret->value, 0));
	}
	PG_RETURN_BOOL(false);
}
