/*-------------------------------------------------------------------------
 *
 * record_url.c
 *		The address of a record in the web interface of its vendor.
 *
 * Maps of routes ask for it with each record, mostly for records of one
 * account, and what it takes to ask for the account's settings is ten times
 * what it takes to make the address.  So a call site keeps what it learned of
 * the account that it asked for last, as long as the snapshot shows the same:
 * SQL that changes the settings sees their effect in its next statement.
 *
 * The settings are read by zcsync._record_url_of(), as its owner; the caller
 * needs no right to the table of accounts, and gets nothing but the address.
 *
 * IDENTIFICATION
 *		src/record_url.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* What a call site knows of the account that it was asked for last. */
typedef struct Account
{
	MemoryContext context;		/* of settings */
	bool		known;			/* the rest has been read */
	int64		account;
	TransactionId xmin;			/* of the snapshot that it was read by */
	TransactionId xmax;
	uint32		running;		/* transactions that it knew to be running */
	CommandId	command;
	Oid			hook;			/* InvalidOid: no account, or it has none */
	Datum		settings;
	FmgrInfo	call;			/* of zcsync._call_record_url() */
} Account;

PG_FUNCTION_INFO_V1(zcsync_sql_record_url);

static Account *account_of(FmgrInfo *site);
static bool is_current(const Account *account, int64 id);
static void read_account(Account *account, int64 id);
static Oid	function_named(const char *name, int nargs, const Oid *types);

/* SQL: the address of a record by account, kind and remote id, or NULL */
Datum
zcsync_sql_record_url(PG_FUNCTION_ARGS)
{
	Account    *account = account_of(fcinfo->flinfo);
	int64		id;
	Datum		result;

	LOCAL_FCINFO(call, 4);

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	id = PG_GETARG_INT64(0);
	if (!is_current(account, id))
		read_account(account, id);
	if (!OidIsValid(account->hook))
		PG_RETURN_NULL();

	InitFunctionCallInfoData(*call, &account->call, 4, PG_GET_COLLATION(),
							 NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(account->hook);
	call->args[0].isnull = false;
	call->args[1].value = account->settings;
	call->args[1].isnull = false;
	call->args[2] = fcinfo->args[1];
	call->args[3] = fcinfo->args[2];
	result = FunctionCallInvoke(call);
	fcinfo->isnull = call->isnull;
	return result;
}

/*
 * What a call site knows; it lives as long as the call site does.
 */
static Account *
account_of(FmgrInfo *site)
{
	Account    *account = site->fn_extra;

	if (account == NULL)
	{
		Oid			types[] = {REGPROCEDUREOID, JSONBOID, TEXTOID, TEXTOID};

		account = MemoryContextAllocZero(site->fn_mcxt, sizeof(Account));
		fmgr_info_cxt(function_named("_call_record_url", 4, types),
					  &account->call, site->fn_mcxt);
		account->context = AllocSetContextCreate(site->fn_mcxt,
												 "zcsync record_url",
												 ALLOCSET_SMALL_SIZES);
		site->fn_extra = account;
	}
	return account;
}

/*
 * Is it this account, and does the snapshot show what it showed then?  A
 * transaction that ends or begins changes one of its numbers, and so does a
 * statement of this transaction that writes.
 */
static bool
is_current(const Account *account, int64 id)
{
	Snapshot	snapshot;

	if (!account->known || account->account != id || !ActiveSnapshotSet())
		return false;
	snapshot = GetActiveSnapshot();
	return account->xmin == snapshot->xmin &&
		account->xmax == snapshot->xmax &&
		account->running == snapshot->xcnt &&
		account->command == snapshot->curcid;
}

/*
 * Read hook and settings of an account, and keep them.
 */
static void
read_account(Account *account, int64 id)
{
	Oid			types[] = {INT8OID};
	HeapTupleHeader row;
	Datum		hook;
	Datum		settings;
	bool		no_hook;
	bool		no_settings;
	Snapshot	snapshot;
	MemoryContext old;

	account->known = false;
	row = DatumGetHeapTupleHeader(
								  OidFunctionCall1(function_named("_record_url_of", 1, types),
												   Int64GetDatum(id)));
	hook = GetAttributeByNum(row, 1, &no_hook);
	settings = GetAttributeByNum(row, 2, &no_settings);

	MemoryContextReset(account->context);
	account->hook = InvalidOid;
	if (!no_hook && !no_settings)
	{
		old = MemoryContextSwitchTo(account->context);
		account->settings = PointerGetDatum(PG_DETOAST_DATUM_COPY(settings));
		MemoryContextSwitchTo(old);
		account->hook = DatumGetObjectId(hook);
	}
	if (!ActiveSnapshotSet())
		return;
	snapshot = GetActiveSnapshot();
	account->account = id;
	account->xmin = snapshot->xmin;
	account->xmax = snapshot->xmax;
	account->running = snapshot->xcnt;
	account->command = snapshot->curcid;
	account->known = true;
}

/*
 * A function of ours; raises an error if it is not there.
 */
static Oid
function_named(const char *name, int nargs, const Oid *types)
{
	return LookupFuncName(list_make2(makeString("zcsync"),
									 makeString(pstrdup(name))),
						  nargs, types, false);
}
