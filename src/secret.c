/*-------------------------------------------------------------------------
 *
 * secret.c
 *		The credentials of accounts: opened, stored, checked.
 *
 * A credential is stored sealed, or as a reference to a place outside of the
 * database.  secret_rows.c reads and writes the rows, secret_open.c opens what
 * is in them, seal.c and reference.c know the two forms.  The secrets of alert
 * targets are kept in the same way (alert_secret.c).
 *
 * IDENTIFICATION
 *		src/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "reference.h"
#include "seal.h"
#include "secret.h"
#include "secret_open.h"
#include "secret_rows.h"

PG_FUNCTION_INFO_V1(zcsync_seal_credential);
PG_FUNCTION_INFO_V1(zcsync_credential_status);
PG_FUNCTION_INFO_V1(zcsync_reference_status);

static bool value_store(int64 account_id, int64 version, const char *name,
						const char *value, TimestampTz expires_at);
static List *rows_named(int64 account_id, const char *name);

/*
 * See secret.h.
 */
void
zcsync_secret_load(ZcsyncAccount *account)
{
	ZcsyncOpenFailure failure = {0};
	ZcsyncOwnerScope scope;
	List	   *rows;

	zcsync_secret_owner_begin(&scope);
	rows = zcsync_secret_rows_of_account(account->account_id, false);
	if (rows == NIL)
	{
		failure.alert = ZCSYNC_ALERT_UNREADABLE;
		failure.message = "the account has no credentials";
		failure.hint = "Give them with zcsync.set_credentials().";
	}
	else
		zcsync_secret_open_all(account, rows, &failure);

	if (failure.alert != NULL)
	{
		account->secret_error = MemoryContextStrdup(account->context,
													failure.message);
		account->secret_hint = MemoryContextStrdup(account->context,
												   failure.hint);
		if (!XactReadOnly)
			zcsync_secret_block_account(account->account_id, failure.alert,
										failure.message, failure.hint);
	}
	zcsync_secret_owner_end(&scope);
}

/*
 * See secret.h.
 */
bool
zcsync_secret_store(int64 account_id, const char *name, const char *value,
					TimestampTz expires_at)
{
	return value_store(account_id, 0, name, value, expires_at);
}

/*
 * See secret.h.
 */
bool
zcsync_secret_store_for(const ZcsyncAccount *account, const char *name,
						const char *value, TimestampTz expires_at)
{
	return value_store(account->account_id, account->version, name, value,
					   expires_at);
}

/*
 * Check, seal and store one value.  version 0: any version of the account.
 */
static bool
value_store(int64 account_id, int64 version, const char *name,
			const char *value, TimestampTz expires_at)
{
	const char *problem = zcsync_secret_problem(value, strlen(value));
	ZcsyncOwnerScope scope;
	ZcsyncKey	key;
	bool		stored;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("credential \"%s\" %s", name, problem)));

	zcsync_secret_owner_begin(&scope);
	PG_TRY();
	{
		bytea	   *sealed;

		zcsync_secret_key(&key);
		sealed = zcsync_seal(&key, account_id, name, value);
		stored = zcsync_secret_row_store(account_id, version, name, sealed,
										 NULL,
										 zcsync_key_fingerprint_text(&key),
										 expires_at);
	}
	PG_FINALLY();
	{
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
	zcsync_secret_owner_end(&scope);
	return stored;
}

/*
 * See secret.h.  NULL is allowed.
 */
void
zcsync_secret_wipe(char *value)
{
	if (value != NULL)
		explicit_bzero(value, strlen(value));
}

/*
 * _seal_credential(account, name, value): store a value sealed, or a
 * reference as it is.  The caller holds a lock on the account's row, and has
 * checked that the vendor has such a credential.
 */
Datum
zcsync_seal_credential(PG_FUNCTION_ARGS)
{
	int64		account_id = PG_GETARG_INT64(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool		stored;

	if (zcsync_reference_is(value))
	{
		ZcsyncOwnerScope scope;

		zcsync_reference_check(name, value);
		zcsync_secret_owner_begin(&scope);
		stored = zcsync_secret_row_store(account_id, 0, name, NULL, value,
										 NULL, 0);
		zcsync_secret_owner_end(&scope);
	}
	else
	{
		stored = zcsync_secret_store(account_id, name, value, 0);
		zcsync_secret_wipe(value);
	}
	if (!stored)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not store credential \"%s\"", name),
				 errdetail("The account is gone or locked by another transaction.")));
	PG_RETURN_VOID();
}

/*
 * _credential_status(account, name): can this credential be opened?  Returns
 * (ok, message, hint), never a value.
 */
Datum
zcsync_credential_status(PG_FUNCTION_ARGS)
{
	int64		account_id = PG_GETARG_INT64(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ZcsyncAccount account = {0};
	ZcsyncOpenFailure failure = {0};
	List	   *rows;
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	rows = rows_named(account_id, name);
	if (rows == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("credential \"%s\" does not exist", name)));

	account.context = CurrentMemoryContext;
	account.account_id = account_id;
	zcsync_secret_open_all(&account, rows, &failure);
	foreach(lc, account.credentials)
		zcsync_secret_wipe(((ZcsyncCredential *) lfirst(lc))->value);

	values[0] = BoolGetDatum(failure.alert == NULL);
	if (failure.alert != NULL)
	{
		values[1] = CStringGetTextDatum(failure.message);
		values[2] = CStringGetTextDatum(failure.hint);
	}
	else
	{
		values[1] = CStringGetTextDatum(account.credentials != NIL ?
										"can be opened" :
										"cannot be opened any more and will be fetched again");
		nulls[2] = true;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * The row of a credential, as a list; NIL if there is none.
 */
static List *
rows_named(int64 account_id, const char *name)
{
	ZcsyncOwnerScope scope;
	List	   *rows;
	List	   *named = NIL;
	ListCell   *lc;

	zcsync_secret_owner_begin(&scope);
	rows = zcsync_secret_rows_of_account(account_id,
										 strncmp(name, ZCSYNC_WEBHOOK_PREFIX,
												 strlen(ZCSYNC_WEBHOOK_PREFIX)) == 0);
	zcsync_secret_owner_end(&scope);

	foreach(lc, rows)
	{
		ZcsyncSecretRow *row = lfirst(lc);

		if (strcmp(row->name, name) == 0)
			named = lappend(named, row);
	}
	return named;
}

/*
 * _reference_status(name, reference): why this reference gives no secret, as
 * (message, hint); NULLs if it gives one.  Never returns the value.
 */
Datum
zcsync_reference_status(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *reference = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *message = NULL;
	char	   *hint = NULL;
	char	   *value;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	value = zcsync_reference_read(name, reference, CurrentMemoryContext,
								  &message, &hint);
	zcsync_secret_wipe(value);
	if (value == NULL)
	{
		values[0] = CStringGetTextDatum(message);
		values[1] = CStringGetTextDatum(hint);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
