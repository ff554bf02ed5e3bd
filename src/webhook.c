/*-------------------------------------------------------------------------
 *
 * webhook.c
 *		Is a delivery of a webhook from the vendor that it claims to be from?
 *
 * A vendor proves it by a signature made with a secret that both sides know,
 * or by the secret itself.  Where that stands in a delivery, and over what it
 * is made, the vendor's hook says (webhook_proof, sql/vendor/contract.sql);
 * this file compares it with each secret of the account.
 *
 * A comparison takes as long for a wrong proof as for the right one, and all
 * secrets are tried, so that its duration tells nothing about them.  Their
 * lengths do not show either: secrets are compared by their digests.  Secrets
 * leave memory before the function returns, and are in no message.
 *
 * What arrives here was written by anybody: nothing of it raises an error.
 *
 * IDENTIFICATION
 *		src/webhook.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "clock.h"
#include "compat.h"
#include "json.h"
#include "secret.h"
#include "secret_open.h"
#include "secret_rows.h"

#define MAC_SIZE		SHA256_DIGEST_LENGTH

PG_FUNCTION_INFO_V1(zcsync_sql_check_webhook);
PG_FUNCTION_INFO_V1(zcsync_sql_webhook_json);

static List *secrets_open(int64 account_id, ZcsyncOpenFailure *failure);
static bool proof_fits(const char *method, const char *secret,
					   const bytea *signed_bytes, const char *given);
static bool mac_of(const char *secret, const bytea *signed_bytes,
				   unsigned char *mac);
static bool same_in_base64(const char *secret, const char *given);
static bool same_digest(const char *one, const char *other);

/*
 * _check_webhook(account, method, signed, given): does "given" prove that the
 * sender knows a secret of the account's webhooks?  Returns (fits, known,
 * message, hint): known is the number of secrets that could be opened, and
 * message says why another one could not be.
 */
Datum
zcsync_sql_check_webhook(PG_FUNCTION_ARGS)
{
	char	   *method = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bytea	   *signed_bytes = PG_GETARG_BYTEA_PP(2);
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(3));
	ZcsyncOpenFailure failure = {0};
	List	   *secrets;
	ListCell   *lc;
	bool		fits = false;
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, false, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	secrets = secrets_open(PG_GETARG_INT64(0), &failure);
	foreach(lc, secrets)
	{
		char	   *secret = ((ZcsyncCredential *) lfirst(lc))->value;

		if (proof_fits(method, secret, signed_bytes, given))
			fits = true;
		zcsync_secret_wipe(secret);
	}

	values[0] = BoolGetDatum(fits);
	values[1] = Int32GetDatum(list_length(secrets));
	if (failure.alert != NULL)
	{
		values[2] = CStringGetTextDatum(failure.message);
		values[3] = CStringGetTextDatum(failure.hint);
		nulls[2] = nulls[3] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * _webhook_json(body): the body of a delivery as jsonb, made safe as a reply
 * is; NULL if it is no JSON.
 */
Datum
zcsync_sql_webhook_json(PG_FUNCTION_ARGS)
{
	bytea	   *body = PG_GETARG_BYTEA_PP(0);
	const char *why = NULL;
	Jsonb	   *json = zcsync_json_parse(VARDATA_ANY(body),
										 VARSIZE_ANY_EXHDR(body), &why);

	if (json == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(json);
}

/*
 * The secrets of an account's webhooks that are valid now, as
 * ZcsyncCredential.  The first that cannot be opened sets *failure.
 */
static List *
secrets_open(int64 account_id, ZcsyncOpenFailure *failure)
{
	ZcsyncAccount holder = {0};
	ZcsyncOwnerScope scope;
	List	   *rows;
	ListCell   *lc;

	zcsync_secret_owner_begin(&scope);
	rows = zcsync_secret_rows_of_account(account_id, true);
	zcsync_secret_owner_end(&scope);
	foreach(lc, rows)
	{
		ZcsyncSecretRow *row = lfirst(lc);

		if (row->expires_at != 0 && row->expires_at <= zcsync_now())
			rows = foreach_delete_current(rows, lc);
	}

	holder.context = CurrentMemoryContext;
	holder.account_id = account_id;
	zcsync_secret_open_all(&holder, rows, failure);
	return holder.credentials;
}

/*
 * Is this the proof that the secret gives?
 */
static bool
proof_fits(const char *method, const char *secret, const bytea *signed_bytes,
		   const char *given)
{
	unsigned char mac[MAC_SIZE];
	char		expected[2 * MAC_SIZE + 1] = {0};

	if (strcmp(method, "secret") == 0)
		return same_digest(secret, given);
	if (strcmp(method, "secret/base64") == 0)
		return same_in_base64(secret, given);
	if (!mac_of(secret, signed_bytes, mac))
		return false;
	if (strcmp(method, "hmac-sha256/base64") == 0)
		EVP_EncodeBlock((unsigned char *) expected, mac, MAC_SIZE);
	else if (strcmp(method, "hmac-sha256/hex") == 0)
		hex_encode((char *) mac, MAC_SIZE, expected);
	else
		elog(ERROR, "unexpected proof of a webhook: %s", method);

	/* the length of a signature is no secret */
	return strlen(given) == strlen(expected) &&
		CRYPTO_memcmp(given, expected, strlen(expected)) == 0;
}

/*
 * The HMAC-SHA256 of the bytes under the secret; false if OpenSSL fails.
 */
static bool
mac_of(const char *secret, const bytea *signed_bytes, unsigned char *mac)
{
	unsigned int size = 0;

	return HMAC(EVP_sha256(), secret, (int) strlen(secret),
				(const unsigned char *) VARDATA_ANY(signed_bytes),
				VARSIZE_ANY_EXHDR(signed_bytes), mac, &size) != NULL &&
		size == MAC_SIZE;
}

/*
 * Is this the secret in base64?
 */
static bool
same_in_base64(const char *secret, const char *given)
{
	int			size = strlen(secret);
	char	   *expected = palloc(4 * (size / 3 + 1) + 1);
	bool		same;

	EVP_EncodeBlock((unsigned char *) expected,
					(const unsigned char *) secret, size);
	same = same_digest(expected, given);
	zcsync_secret_wipe(expected);
	pfree(expected);
	return same;
}

/*
 * Are these texts equal?  Compares digests, so that the duration depends on
 * the length of what was given only.
 */
static bool
same_digest(const char *one, const char *other)
{
	unsigned char a[MAC_SIZE];
	unsigned char b[MAC_SIZE];

	SHA256((const unsigned char *) one, strlen(one), a);
	SHA256((const unsigned char *) other, strlen(other), b);
	return CRYPTO_memcmp(a, b, MAC_SIZE) == 0;
}
