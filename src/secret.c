/*-------------------------------------------------------------------------
 *
 * secret.c
 *		Credentials: the only reader and writer of zcsync.credentials, and of
 *		zcsync.alert_secrets.
 *
 * A credential is stored sealed (seal.c), or as a reference to a place
 * outside of the database (reference.c), which is read each time.  The table
 * is granted to nobody.  The functions here read and write it as its owner,
 * for the duration of a query, so that neither the worker's role nor an
 * operator can see its contents.  After an error, the abort of the
 * (sub)transaction restores the user, as for SECURITY DEFINER functions.
 *
 * The secrets of alert targets are kept in the same way, in a table of their
 * own.  They are sealed for the negative number of their target, which no
 * account has.
 *
 * A value in clear is never part of a query, a query's parameter, a message
 * or a context line: SQL sees only the sealed value or the reference.
 *
 * A new key is made only while the database holds no sealed value except
 * access tokens, which can be fetched again, and by _rotate_key().  If the key
 * is missing, or the file has another one, an operator must act: the accounts
 * that need it are blocked, with one alert for all of them.
 *
 * IDENTIFICATION
 *		src/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "reference.h"
#include "seal.h"
#include "secret.h"

/*
 * the alerts about credentials, which are also the reasons to block an
 * account
 */
#define ALERT_KEY			"key_missing"
#define ALERT_UNREADABLE	"credentials_unreadable"

/* The user and security context before we became the owner of the table. */
typedef struct OwnerScope
{
	Oid			user;
	int			sec_context;
} OwnerScope;

/* One row of zcsync.credentials. */
typedef struct StoredCredential
{
	int64		account_id;		/* or minus that of an alert target; set by
								 * rows_read_sealed() alone */
	char	   *name;
	bytea	   *sealed;			/* NULL if it is a reference */
	char	   *reference;		/* NULL if it is sealed */
	TimestampTz expires_at;		/* 0: does not expire */
} StoredCredential;

/* The key that the last sealed value needed. */
typedef struct KeyHolder
{
	bool		tried;
	unsigned char fingerprint[ZCSYNC_FINGERPRINT_SIZE];	/* that was looked
														 * for */
	ZcsyncKeyState state;
	ZcsyncKey	key;
	char	   *message;
	char	   *hint;
} KeyHolder;

/* Why a credential cannot be opened. */
typedef struct OpenFailure
{
	const char *alert;			/* NULL: it could be opened */
	bool		key_is_gone;	/* sealed with a key that is in no key file */
	char	   *message;
	char	   *hint;
} OpenFailure;

PG_FUNCTION_INFO_V1(zcsync_seal_credential);
PG_FUNCTION_INFO_V1(zcsync_credential_status);
PG_FUNCTION_INFO_V1(zcsync_reference_status);
PG_FUNCTION_INFO_V1(zcsync_seal_alert_secret);
PG_FUNCTION_INFO_V1(zcsync_alert_secret_status);
PG_FUNCTION_INFO_V1(zcsync_rotate_key);

static void open_all(ZcsyncAccount *account, List *rows, OpenFailure *failure);
static void owner_begin(OwnerScope *scope);
static void owner_end(const OwnerScope *scope);
static SPIPlanPtr plan_keep(SPIPlanPtr *plan, const char *query, int nargs,
							Oid *types);
static List *rows_read(int64 account_id);
static List *target_rows_read(int64 target_id);
static List *rows_copy(void);
static List *rows_read_sealed(void);
static bool row_reseal(const StoredCredential *row, KeyHolder *holder,
					   const ZcsyncKey *key);
static void target_row_store(int64 target_id, const char *name,
							 const bytea *sealed, const char *reference,
							 const char *fingerprint);
static void target_value_store(int64 target_id, const char *name,
							   const char *value);
static bool row_store(int64 account_id, int64 version, const char *name,
					  const bytea *sealed, const char *reference,
					  const char *fingerprint, TimestampTz expires_at);
static bool value_store(int64 account_id, int64 version, const char *name,
						const char *value, TimestampTz expires_at);
static const bytea *sealed_last(bool *is_token);
static void key_for_sealing(ZcsyncKey *key);
static void account_block(int64 account_id, const OpenFailure *failure);
static void key_hold(KeyHolder *holder, const bytea *sealed);
static char *credential_open(int64 account_id, const StoredCredential *row,
							 KeyHolder *holder, MemoryContext context,
							 OpenFailure *failure);

/*
 * See secret.h.
 */
void
zcsync_secret_load(ZcsyncAccount *account)
{
	OpenFailure failure = {0};
	OwnerScope	scope;
	List	   *rows;

	owner_begin(&scope);
	rows = rows_read(account->account_id);
	if (rows == NIL)
	{
		failure.alert = ALERT_UNREADABLE;
		failure.message = "the account has no credentials";
		failure.hint = "Give them with zcsync.set_credentials().";
	}
	else
		open_all(account, rows, &failure);

	if (failure.alert != NULL)
	{
		account->secret_error = MemoryContextStrdup(account->context,
													failure.message);
		account->secret_hint = MemoryContextStrdup(account->context,
												   failure.hint);
		if (!XactReadOnly)
			account_block(account->account_id, &failure);
	}
	owner_end(&scope);
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
		OwnerScope	scope;

		zcsync_reference_check(name, value);
		owner_begin(&scope);
		stored = row_store(account_id, 0, name, NULL, value, NULL, 0);
		owner_end(&scope);
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
	OpenFailure failure = {0};
	OwnerScope	scope;
	List	   *rows = NIL;
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	owner_begin(&scope);
	foreach(lc, rows_read(account_id))
	{
		StoredCredential *row = lfirst(lc);

		if (strcmp(row->name, name) == 0)
			rows = lappend(rows, row);
	}
	owner_end(&scope);
	if (rows == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("credential \"%s\" does not exist", name)));

	account.context = CurrentMemoryContext;
	account.account_id = account_id;
	open_all(&account, rows, &failure);
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

/*
 * _seal_alert_secret(target, name, value): store a secret of an alert target
 * sealed, or a reference as it is.  The target's row is locked, or new.
 */
Datum
zcsync_seal_alert_secret(PG_FUNCTION_ARGS)
{
	int64		target_id = PG_GETARG_INT64(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (zcsync_reference_is(value))
	{
		OwnerScope	scope;

		zcsync_reference_check(name, value);
		owner_begin(&scope);
		target_row_store(target_id, name, NULL, value, NULL);
		owner_end(&scope);
	}
	else
	{
		target_value_store(target_id, name, value);
		zcsync_secret_wipe(value);
	}
	PG_RETURN_VOID();
}

/*
 * _alert_secret_status(target): why a secret of an alert target cannot be
 * opened, as (message, hint); NULLs if all can.  Never a value.
 */
Datum
zcsync_alert_secret_status(PG_FUNCTION_ARGS)
{
	char	   *message;
	char	   *hint;
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	foreach(lc, zcsync_secret_of_target(CurrentMemoryContext,
										PG_GETARG_INT64(0), &message, &hint))
		zcsync_secret_wipe(((ZcsyncCredential *) lfirst(lc))->value);
	if (message != NULL)
	{
		values[0] = CStringGetTextDatum(message);
		values[1] = CStringGetTextDatum(hint);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * See secret.h.
 */
List *
zcsync_secret_of_target(MemoryContext context, int64 target_id,
						char **message, char **hint)
{
	ZcsyncAccount holder = {0};
	OpenFailure failure = {0};
	OwnerScope	scope;
	List	   *rows;

	owner_begin(&scope);
	rows = target_rows_read(target_id);
	owner_end(&scope);

	holder.context = context;
	holder.account_id = -target_id;
	open_all(&holder, rows, &failure);
	*message = failure.alert == NULL ? NULL :
		MemoryContextStrdup(context, failure.message);
	*hint = failure.alert == NULL ? NULL :
		MemoryContextStrdup(context, failure.hint);
	return holder.credentials;
}

/*
 * _rotate_key(): seal all that is sealed under another key.  Returns (sealed,
 * fingerprint, path, former), without a fingerprint where nothing is sealed.  The
 * caller has locked the rows of all accounts.  Nothing is touched unless all
 * values can be opened; access tokens that cannot be are left as they are.
 */
Datum
zcsync_rotate_key(PG_FUNCTION_ARGS)
{
	KeyHolder	holder = {0};
	ZcsyncKey	key = {0};
	OwnerScope	scope;
	List	   *rows;
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, true, true, true};
	volatile int64 sealed = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	owner_begin(&scope);
	rows = rows_read_sealed();
	PG_TRY();
	{
		foreach(lc, rows)
		{
			if (row_reseal(lfirst(lc), &holder, NULL))
				sealed++;
		}
		if (sealed > 0)
		{
			char	   *path;
			char	   *former;

			key_for_sealing(&key);
			former = zcsync_key_fingerprint_text(&key);
			path = zcsync_key_replace(&key);
			foreach(lc, rows)
				row_reseal(lfirst(lc), &holder, &key);
			values[1] = CStringGetTextDatum(zcsync_key_fingerprint_text(&key));
			values[2] = CStringGetTextDatum(path);
			values[3] = CStringGetTextDatum(former);
			nulls[1] = nulls[2] = nulls[3] = false;
		}
	}
	PG_FINALLY();
	{
		explicit_bzero(&holder.key, sizeof(holder.key));
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
	owner_end(&scope);

	values[0] = Int64GetDatum(sealed);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * Seal the value of a row under this key, if it can be opened; without a key,
 * only see whether it can.  Throws if not, unless it is an access token.
 */
static bool
row_reseal(const StoredCredential *row, KeyHolder *holder, const ZcsyncKey *key)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, TEXTOID, BYTEAOID, TEXTOID};
	Datum		args[4];
	OpenFailure why = {0};
	char	   *value;

	value = credential_open(row->account_id, row, holder, CurrentMemoryContext,
							&why);
	if (value == NULL && row->expires_at == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot open credential \"%s\" of account " INT64_FORMAT ": %s",
						row->name, row->account_id, why.message),
				 errdetail("Nothing was sealed anew, and no key was made."),
				 errhint("%s", why.hint)));
	if (value != NULL && key != NULL)
	{
		args[0] = Int64GetDatum(row->account_id);
		args[1] = CStringGetTextDatum(row->name);
		args[2] = PointerGetDatum(zcsync_seal(key, row->account_id, row->name,
											  value));
		args[3] = CStringGetTextDatum(zcsync_key_fingerprint_text(key));
		zcsync_secret_wipe(value);
		plan_keep(&plan,
				  "WITH targets AS ( "
				  "	UPDATE zcsync.alert_secrets "
				  "	SET sealed = $3, key_fingerprint = $4 "
				  "	WHERE target_id OPERATOR(pg_catalog.=) "
				  "			(OPERATOR(pg_catalog.-) $1) "
				  "		AND name OPERATOR(pg_catalog.=) $2) "
				  "UPDATE zcsync.credentials SET sealed = $3, key_fingerprint = $4 "
				  "WHERE account_id OPERATOR(pg_catalog.=) $1 "
				  "	AND name OPERATOR(pg_catalog.=) $2", 4, types);
		if (SPI_execute_plan(plan, args, NULL, false, 0) != SPI_OK_UPDATE)
			elog(ERROR, "could not store a credential");
	}
	else
		zcsync_secret_wipe(value);
	return value != NULL;
}

/*
 * Open stored credentials into account->credentials.  The first that cannot be
 * opened sets *failure; the others are opened all the same.
 */
static void
open_all(ZcsyncAccount *account, List *rows, OpenFailure *failure)
{
	KeyHolder	holder = {0};
	ListCell   *lc;

	PG_TRY();
	{
		foreach(lc, rows)
		{
			StoredCredential *row = lfirst(lc);
			ZcsyncCredential *credential;
			OpenFailure why = {0};
			MemoryContext old;
			char	   *value;

			value = credential_open(account->account_id, row, &holder,
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
 * Become the owner of zcsync.credentials until owner_end() or the end of the
 * (sub)transaction.
 */
static void
owner_begin(OwnerScope *scope)
{
	Oid			schema = get_namespace_oid("zcsync", true);
	Oid			table = InvalidOid;
	HeapTuple	tuple;
	Oid			owner;

	if (OidIsValid(schema))
		table = get_relname_relid("credentials", schema);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables of zcsync do not exist in this database"),
				 errhint("Run SELECT * FROM zcsync.setup().")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	SetUserIdAndSecContext(owner, scope->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Become again the user we were before.
 */
static void
owner_end(const OwnerScope *scope)
{
	SPI_finish();
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

/*
 * Prepare a query once per process.
 */
static SPIPlanPtr
plan_keep(SPIPlanPtr *plan, const char *query, int nargs, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query, nargs, types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare a query of credentials: %s",
				 SPI_result_code_string(SPI_result));
		*plan = prepared;
	}
	return *plan;
}

/*
 * The rows of an account, as StoredCredential, in the order of their names.
 * They live until the end of the (sub)transaction.
 */
static List *
rows_read(int64 account_id)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID};
	Datum		arg = Int64GetDatum(account_id);

	plan_keep(&plan,
			  "SELECT name, sealed, reference, expires_at "
			  "FROM zcsync.credentials "
			  "WHERE account_id OPERATOR(pg_catalog.=) $1 "
			  "ORDER BY name COLLATE pg_catalog.\"C\"", 1, types);
	if (SPI_execute_plan(plan, &arg, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read credentials");
	return rows_copy();
}

/*
 * The same of an alert target.
 */
static List *
target_rows_read(int64 target_id)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID};
	Datum		arg = Int64GetDatum(target_id);

	plan_keep(&plan,
			  "SELECT name, sealed, reference, NULL::pg_catalog.timestamptz "
			  "FROM zcsync.alert_secrets "
			  "WHERE target_id OPERATOR(pg_catalog.=) $1 "
			  "ORDER BY name COLLATE pg_catalog.\"C\"", 1, types);
	if (SPI_execute_plan(plan, &arg, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the secrets of an alert target");
	return rows_copy();
}

/*
 * The rows of all accounts and alert targets that are sealed.
 */
static List *
rows_read_sealed(void)
{
	static SPIPlanPtr plan = NULL;

	plan_keep(&plan,
			  "SELECT name, sealed, reference, expires_at, account_id "
			  "FROM zcsync.credentials WHERE sealed IS NOT NULL "
			  "UNION ALL "
			  "SELECT name, sealed, reference, NULL, "
			  "	OPERATOR(pg_catalog.-) target_id "
			  "FROM zcsync.alert_secrets WHERE sealed IS NOT NULL", 0, NULL);
	if (SPI_execute_plan(plan, NULL, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read credentials");
	return rows_copy();
}

/*
 * The rows of the last query.
 */
static List *
rows_copy(void)
{
	MemoryContext old = MemoryContextSwitchTo(CurTransactionContext);
	List	   *rows = NIL;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		StoredCredential *row = palloc0(sizeof(StoredCredential));
		Datum		value;
		bool		isnull;

		row->name = SPI_getvalue(tuple, desc, 1);
		value = SPI_getbinval(tuple, desc, 2, &isnull);
		if (!isnull)
			row->sealed = DatumGetByteaPCopy(value);
		row->reference = SPI_getvalue(tuple, desc, 3);
		value = SPI_getbinval(tuple, desc, 4, &isnull);
		if (!isnull)
			row->expires_at = DatumGetTimestampTz(value);
		if (desc->natts > 4)
			row->account_id = DatumGetInt64(SPI_getbinval(tuple, desc, 5,
														  &isnull));
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	return rows;
}

/*
 * Insert or replace one row, unless somebody else has locked the account's
 * row or, if a version is given, the account has another version now.
 */
static bool
row_store(int64 account_id, int64 version, const char *name,
		  const bytea *sealed, const char *reference, const char *fingerprint,
		  TimestampTz expires_at)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, INT8OID, TEXTOID, BYTEAOID, TEXTOID,
	TEXTOID, TIMESTAMPTZOID};
	Datum		args[7] = {0};
	char		nulls[] = "   nnnn";

	args[0] = Int64GetDatum(account_id);
	args[1] = Int64GetDatum(version);
	args[2] = CStringGetTextDatum(name);
	if (sealed != NULL)
	{
		args[3] = PointerGetDatum(sealed);
		args[5] = CStringGetTextDatum(fingerprint);
		nulls[3] = nulls[5] = ' ';
	}
	else
	{
		args[4] = CStringGetTextDatum(reference);
		nulls[4] = ' ';
	}
	if (expires_at != 0)
	{
		args[6] = TimestampTzGetDatum(expires_at);
		nulls[6] = ' ';
	}

	plan_keep(&plan,
			  "INSERT INTO zcsync.credentials (account_id, name, sealed, "
			  "	reference, key_fingerprint, expires_at, updated_at) "
			  "SELECT a.account_id, $3, $4, $5, $6, $7, zcsync._now() "
			  "FROM (SELECT account_id FROM zcsync.accounts "
			  "	WHERE account_id OPERATOR(pg_catalog.=) $1 "
			  "		AND ($2 OPERATOR(pg_catalog.=) 0 "
			  "			OR version OPERATOR(pg_catalog.=) $2) "
			  "	FOR NO KEY UPDATE SKIP LOCKED) a "
			  "ON CONFLICT ON CONSTRAINT credentials_pkey DO UPDATE "
			  "SET sealed = excluded.sealed, reference = excluded.reference, "
			  "	key_fingerprint = excluded.key_fingerprint, "
			  "	expires_at = excluded.expires_at, "
			  "	updated_at = excluded.updated_at", 7, types);
	if (SPI_execute_plan(plan, args, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not store a credential");
	return SPI_processed == 1;
}

/*
 * Check, seal and store one value.  version 0: any version of the account.
 */
static bool
value_store(int64 account_id, int64 version, const char *name,
			const char *value, TimestampTz expires_at)
{
	const char *problem = zcsync_secret_problem(value, strlen(value));
	OwnerScope	scope;
	ZcsyncKey	key;
	bool		stored;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("credential \"%s\" %s", name, problem)));

	owner_begin(&scope);
	PG_TRY();
	{
		bytea	   *sealed;

		key_for_sealing(&key);
		sealed = zcsync_seal(&key, account_id, name, value);
		stored = row_store(account_id, version, name, sealed, NULL,
						   zcsync_key_fingerprint_text(&key), expires_at);
	}
	PG_FINALLY();
	{
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
	owner_end(&scope);
	return stored;
}

/*
 * Insert or replace one secret of an alert target.
 */
static void
target_row_store(int64 target_id, const char *name, const bytea *sealed,
				 const char *reference, const char *fingerprint)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, TEXTOID, BYTEAOID, TEXTOID, TEXTOID};
	Datum		args[5] = {0};
	char		nulls[] = "  nnn";

	args[0] = Int64GetDatum(target_id);
	args[1] = CStringGetTextDatum(name);
	if (sealed != NULL)
	{
		args[2] = PointerGetDatum(sealed);
		args[4] = CStringGetTextDatum(fingerprint);
		nulls[2] = nulls[4] = ' ';
	}
	else
	{
		args[3] = CStringGetTextDatum(reference);
		nulls[3] = ' ';
	}
	plan_keep(&plan,
			  "INSERT INTO zcsync.alert_secrets (target_id, name, sealed, "
			  "	reference, key_fingerprint, updated_at) "
			  "VALUES ($1, $2, $3, $4, $5, zcsync._now()) "
			  "ON CONFLICT ON CONSTRAINT alert_secrets_pkey DO UPDATE "
			  "SET sealed = excluded.sealed, reference = excluded.reference, "
			  "	key_fingerprint = excluded.key_fingerprint, "
			  "	updated_at = excluded.updated_at", 5, types);
	if (SPI_execute_plan(plan, args, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not store a secret of an alert target");
}

/*
 * Check, seal and store one secret of an alert target.
 */
static void
target_value_store(int64 target_id, const char *name, const char *value)
{
	const char *problem = zcsync_secret_problem(value, strlen(value));
	OwnerScope	scope;
	ZcsyncKey	key;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("secret \"%s\" %s", name, problem)));

	owner_begin(&scope);
	PG_TRY();
	{
		key_for_sealing(&key);
		target_row_store(target_id, name,
						 zcsync_seal(&key, -target_id, name, value), NULL,
						 zcsync_key_fingerprint_text(&key));
	}
	PG_FINALLY();
	{
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
	owner_end(&scope);
}

/*
 * The value of this database that was sealed last; NULL if there is none.
 * Access tokens, which can be fetched again, are taken only if there is
 * nothing else.  It lives until SPI_finish().
 */
static const bytea *
sealed_last(bool *is_token)
{
	static SPIPlanPtr plan = NULL;
	HeapTuple	row;
	TupleDesc	desc;
	bool		isnull;

	plan_keep(&plan,
			  "SELECT sealed, expires_at IS NOT NULL, updated_at "
			  "FROM zcsync.credentials WHERE sealed IS NOT NULL "
			  "UNION ALL "
			  "SELECT sealed, false, updated_at "
			  "FROM zcsync.alert_secrets WHERE sealed IS NOT NULL "
			  "ORDER BY 2, 3 DESC LIMIT 1", 0, NULL);
	if (SPI_execute_plan(plan, NULL, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read credentials");
	if (SPI_processed == 0)
		return NULL;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	*is_token = DatumGetBool(SPI_getbinval(row, desc, 2, &isnull));
	return DatumGetByteaPP(SPI_getbinval(row, desc, 1, &isnull));
}

/*
 * The key to seal with: the one that sealed the last value here, if it still
 * exists.  Makes a key if there is none and nothing is lost by that; throws
 * if there should be one, or if it cannot be used.
 */
static void
key_for_sealing(ZcsyncKey *key)
{
	bool		is_token = false;
	const bytea *last = sealed_last(&is_token);
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

/*
 * Block an account whose credentials cannot be opened.
 */
static void
account_block(int64 account_id, const OpenFailure *failure)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum		args[4];

	args[0] = Int64GetDatum(account_id);
	args[1] = CStringGetTextDatum(failure->alert);
	args[2] = CStringGetTextDatum(failure->message);
	args[3] = CStringGetTextDatum(failure->hint);
	plan_keep(&plan, "SELECT zcsync._block_account($1, $2, $3, $4)", 4, types);
	if (SPI_execute_plan(plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not block account " INT64_FORMAT, account_id);
}

/*
 * Get the key that sealed this value, unless it is the one that was read
 * last.
 */
static void
key_hold(KeyHolder *holder, const bytea *sealed)
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
 * Open one credential: its value, allocated in "context", or NULL after
 * filling in *failure.
 */
static char *
credential_open(int64 account_id, const StoredCredential *row,
				KeyHolder *holder, MemoryContext context, OpenFailure *failure)
{
	char	   *value;

	if (row->sealed == NULL)
	{
		value = zcsync_reference_read(row->name, row->reference, context,
									  &failure->message, &failure->hint);
		if (value == NULL)
			failure->alert = ALERT_UNREADABLE;
		return value;
	}

	key_hold(holder, row->sealed);
	if (holder->state != ZCSYNC_KEY_OK)
	{
		failure->alert = ALERT_KEY;
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
			failure->alert = ALERT_KEY;
			failure->key_is_gone = true;
			failure->message = psprintf("key file \"%s\" holds another key than the one that sealed the credentials",
										zcsync_key_path());
			failure->hint = "Put the former key file back, or run zcsync.set_credentials() again for each account.";
			break;
		case ZCSYNC_UNSEAL_DAMAGED:
			failure->alert = ALERT_UNREADABLE;
			failure->message = psprintf("sealed credential \"%s\" is damaged",
										row->name);
			failure->hint = "Run zcsync.set_credentials() again for this account.";
			break;
	}
	return value;
}
