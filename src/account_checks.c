/*-------------------------------------------------------------------------
 *
 * account_checks.c
 *		What zcsync.add_account() and selfcheck() ask the C side: may this
 *		address be called, and what is wrong with the key file.
 *
 * IDENTIFICATION
 *		src/account_checks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "seal.h"
#include "settings.h"
#include "url.h"

PG_FUNCTION_INFO_V1(zcsync_check_url);
PG_FUNCTION_INFO_V1(zcsync_key_status);

/*
 * _check_url(url): why this address may not be called, or NULL if it may.
 */
Datum
zcsync_check_url(PG_FUNCTION_ARGS)
{
	char	   *url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *host = zcsync_url_host(url);
	char	   *scheme = zcsync_url_scheme(url);
	char	   *problem = NULL;

	if (host == NULL || scheme == NULL)
		problem = "it is not an absolute URL without a user name";
	else if (strcmp(scheme, "https") != 0 &&
			 !(strcmp(scheme, "http") == 0 && zcsync_allow_insecure_http))
		problem = "the URL scheme must be \"https\"";
	else if (!zcsync_url_host_allowed(host, zcsync_allowed_hosts))
		problem = psprintf("host \"%s\" is not in zcsync.allowed_hosts", host);

	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

/*
 * _key_status(fingerprint): (state, fingerprint, message, hint, path,
 * misplaced, former) of a key file: of the one whose key has this fingerprint, if
 * there is one, else of the one that is used first.
 */
Datum
zcsync_key_status(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	unsigned char wanted[ZCSYNC_FINGERPRINT_SIZE];
	ZcsyncKey	key;
	ZcsyncKeyState state;
	char	   *message = NULL;
	char	   *hint = NULL;
	Datum		values[7] = {0};
	bool		nulls[7] = {false, true, true, true, false, false, false};
	bool		any = PG_ARGISNULL(0);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!any)
	{
		char	   *digits = text_to_cstring(PG_GETARG_TEXT_PP(0));

		/* a text that is no fingerprint matches no key */
		any = strlen(digits) != 2 * ZCSYNC_FINGERPRINT_SIZE ||
			strspn(digits, "0123456789abcdefABCDEF") != strlen(digits);
		if (!any)
			hex_decode(digits, 2 * ZCSYNC_FINGERPRINT_SIZE, (char *) wanted);
	}

	state = zcsync_key_read(any ? NULL : wanted, &key, &message, &hint);
	if (state == ZCSYNC_KEY_OK)
	{
		values[0] = CStringGetTextDatum("ok");
		values[1] = CStringGetTextDatum(zcsync_key_fingerprint_text(&key));
		nulls[1] = false;
		values[6] = BoolGetDatum(key.former);
		explicit_bzero(&key, sizeof(key));
	}
	else
	{
		values[0] = CStringGetTextDatum(state == ZCSYNC_KEY_MISSING ?
										"missing" : "unusable");
		values[2] = CStringGetTextDatum(message);
		values[3] = CStringGetTextDatum(hint);
		nulls[2] = nulls[3] = false;
	}
	values[4] = CStringGetTextDatum(zcsync_key_path());
	values[5] = BoolGetDatum(zcsync_key_misplaced());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
