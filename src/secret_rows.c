/*-------------------------------------------------------------------------
 *
 * secret_rows.c
 *		The rows of zcsync.credentials and zcsync.alert_secrets.
 *
 * Nobody is granted anything on these tables.  The queries here run as their
 * owner, for the duration of a query, so that neither the worker's role nor an
 * operator can see what the tables hold.  After an error, the abort of the
 * (sub)transaction restores the user, as for SECURITY DEFINER functions.
 *
 * A value in clear is never part of a query, a query's parameter, a message
 * or a context line: SQL sees only the sealed value or the reference.
 *
 * All functions but zcsync_secret_owner_begin() are called between it and
 * zcsync_secret_owner_end().
 *
 * IDENTIFICATION
 *		src/secret_rows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "secret_rows.h"

static SPIPlanPtr plan_keep(SPIPlanPtr *plan, const char *query, int nargs,
							Oid *types);
static List *rows_copy(void);

/*
 * Become the owner of zcsync.credentials until zcsync_secret_owner_end() or the
 * end of the (sub)transaction.
 */
void
zcsync_secret_owner_begin(ZcsyncOwnerScope *scope)
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
void
zcsync_secret_owner_end(const ZcsyncOwnerScope *scope)
{
	SPI_finish();
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

/*
 * The credentials of an account, or the secrets of its webhooks, as
 * ZcsyncSecretRow, in the order of their names.  They live until the end of
 * the (sub)transaction.
 */
List *
zcsync_secret_rows_of_account(int64 account_id, bool of_webhooks)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, BOOLOID};
	Datum		args[2];

	args[0] = Int64GetDatum(account_id);
	args[1] = BoolGetDatum(of_webhooks);

	plan_keep(&plan,
			  "SELECT name, sealed, reference, expires_at "
			  "FROM zcsync.credentials "
			  "WHERE account_id OPERATOR(pg_catalog.=) $1 "
			  "	AND pg_catalog.starts_with(name, '" ZCSYNC_WEBHOOK_PREFIX "') "
			  "		OPERATOR(pg_catalog.=) $2 "
			  "ORDER BY name COLLATE pg_catalog.\"C\"", 2, types);
	if (SPI_execute_plan(plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read credentials");
	return rows_copy();
}

/*
 * The same of an alert target.
 */
List *
zcsync_secret_rows_of_target(int64 target_id)
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
List *
zcsync_secret_rows_sealed(void)
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
		ZcsyncSecretRow *row = palloc0(sizeof(ZcsyncSecretRow));
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
 * The value of this database that was sealed last; NULL if there is none.
 * Access tokens, which can be fetched again, are taken only if there is
 * nothing else.  It lives until SPI_finish().
 */
const bytea *
zcsync_secret_last_sealed(bool *is_token)
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
 * Insert or replace one row, unless somebody else has locked the account's
 * row or, if a version is given, the account has another version now.
 */
bool
zcsync_secret_row_store(int64 account_id, int64 version, const char *name,
						const bytea *sealed, const char *reference,
						const char *fingerprint, TimestampTz expires_at)
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
 * Insert or replace one secret of an alert target.
 */
void
zcsync_secret_row_store_target(int64 target_id, const char *name,
							   const bytea *sealed, const char *reference,
							   const char *fingerprint)
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
 * Replace the sealed value of a row that zcsync_secret_rows_sealed() gave.
 */
void
zcsync_secret_row_reseal(int64 account_id, const char *name,
						 const bytea *sealed, const char *fingerprint)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, TEXTOID, BYTEAOID, TEXTOID};
	Datum		args[4];

	args[0] = Int64GetDatum(account_id);
	args[1] = CStringGetTextDatum(name);
	args[2] = PointerGetDatum(sealed);
	args[3] = CStringGetTextDatum(fingerprint);
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

/*
 * Block an account whose credentials cannot be opened.
 */
void
zcsync_secret_block_account(int64 account_id, const char *alert,
							const char *message, const char *hint)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum		args[4];

	args[0] = Int64GetDatum(account_id);
	args[1] = CStringGetTextDatum(alert);
	args[2] = CStringGetTextDatum(message);
	args[3] = CStringGetTextDatum(hint);
	plan_keep(&plan, "SELECT zcsync._block_account($1, $2, $3, $4)", 4, types);
	if (SPI_execute_plan(plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not block account " INT64_FORMAT, account_id);
}
