/*-------------------------------------------------------------------------
 *
 * sandbox.c
 *		Run the SQL that users wrote into routes, isolated and without lasting
 *		effect.
 *
 * A route is compiled to functions that take an array of rows and return an
 * array of zcsync.route_value, one for each row.  zcsync._evaluate() calls
 * such a function by its oid, so that the user's SQL never shares a statement
 * with ours: whatever it does to itself or to other functions, none of it
 * runs with our rights.
 *
 * The call is made in a read-only subtransaction that is always rolled back,
 * as the route's owner, as a security-restricted operation.  PostgreSQL then
 * refuses SET ROLE, DDL, DML, GRANT, nextval(), temporary tables, cursors
 * WITH HOLD and transaction control, and forgets settings and deferred
 * triggers.  No transaction id is used, so a set in which a row fails may be
 * halved as often as it takes to find that row.
 *
 * What is left for this file to do:
 *
 * - The owner of the function and the type of its result are compared before
 *	 a datum is read: a function of the same oid may have been changed since
 *	 somebody looked.
 *
 * - statement_timeout is armed by a client's command loop only, never in a
 *	 background worker, and a function cannot arm it.  So we arm a time-out of
 *	 our own.  It cancels the query as a user's cancel request would.  SQL can
 *	 catch that; then it fires again, and the third time it ends the process.
 *	 Whoever runs routes has counted the attempt before, in a transaction that
 *	 is committed, so a route that does this is paused.
 *
 * - Session locks outlive the subtransaction.  Afterwards the session holds
 *	 those that it held before, as often as before, and no others.  While the
 *	 SQL runs we hold them for the transaction too, so that even then nobody
 *	 finds our claimant's lock free.
 *
 * - Messages below ERROR go nowhere: the log and the client are not the place
 *	 for a gigabyte of notices.
 *
 * An error in the SQL is the route's own, whatever its SQLSTATE, and becomes a
 * row of the result.  A cancel request and a shutdown are passed on.
 *
 * IDENTIFICATION
 *		src/sandbox.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "sandbox.h"
#include "xact.h"

/* A mode in which this process holds a lock of the method of advisory locks. */
typedef struct HeldLock
{
	LOCKTAG		tag;
	LOCKMODE	mode;
	int			session_count;	/* how often the session itself holds it */
} HeldLock;

/* All of them. */
typedef struct HeldLocks
{
	int			count;
	HeldLock   *locks;
} HeldLocks;

/* One call of zcsync._evaluate(). */
typedef struct Evaluation
{
	Oid			function;
	Oid			owner;			/* of the route */
	Oid			rows_type;		/* array of the kind's rows */
	Oid			value_type;		/* zcsync.route_value */
	int			nargs;			/* 2: the function also takes "place" */
	NullableDatum place;		/* is the place of new records wanted? */
	int			timeout_ms;
	TimestampTz deadline;		/* no call begins after it */
	Oid			row_type;
	int			nrows;
	Datum	   *rows;			/* elements of the array */
	bool	   *nulls;
	ReturnSetInfo *result;
} Evaluation;

/*
 * If the SQL catches the cancel, it is repeated; the next one ends the
 * process.
 */
#define CANCELS_BEFORE_END	2

/* All calls of one evaluation together may take this many time-outs. */
#define TIMEOUTS_IN_ALL		4

/*
 * Settings in addition to those of xact.h, so that values have one form
 * everywhere.
 */
static const char *const sandbox_settings[][2] = {
	{"bytea_output", "hex"},
	{"client_min_messages", "error"},
	{"extra_float_digits", "1"},
	{"quote_all_identifiers", "off"},
	{"timezone", "UTC"},
};

static TimeoutId sandbox_timeout = MAX_TIMEOUTS;	/* MAX_TIMEOUTS: not
													 * registered yet */
static volatile sig_atomic_t times_fired = 0;
static bool in_sandbox = false;
static emit_log_hook_type outer_log_hook = NULL;

PG_FUNCTION_INFO_V1(zcsync_sql_evaluate);
PG_FUNCTION_INFO_V1(zcsync_sql_refuse_restricted);

static void check_function(Evaluation *eval);
static void evaluate_range(Evaluation *eval, int first, int last);
static ErrorData *evaluate_set(Evaluation *eval, int first, int last,
							   ArrayType **values, bool *timed_out);
static ErrorData *call_in_subtransaction(Evaluation *eval, int first, int last,
										 ArrayType **values, bool *timed_out);
static ArrayType *call_restricted(Evaluation *eval, int first, int last,
								  MemoryContext result_context);
static ArrayType *rows_between(Evaluation *eval, int first, int last);
static ArrayType *check_result(Evaluation *eval, Datum result, int nrows);
static void put_values(Evaluation *eval, ArrayType *values, int first);
static void put_row(Evaluation *eval, int n, Datum value, bool has_value,
					const char *error);
static char *error_text(Evaluation *eval, const ErrorData *error,
						bool timed_out);
static void apply_settings(const char *const settings[][2], int count);
static void sandbox_context(void *arg);
static void arm_timeout(int timeout_ms);
static bool disarm_timeout(void);
static void timeout_handler(void);
static void drop_messages(ErrorData *error);
static HeldLocks held_locks(void);
static HeldLocks guard_locks(void);
static void restore_locks(const HeldLocks *before);
static int	release_session_lock(HeldLock *lock);

/*
 * SQL: _refuse_restricted(); raises an error where somebody else's SQL runs, such
 * as that of a route or of an index: the session's user did not ask for it.
 */
Datum
zcsync_sql_refuse_restricted(PG_FUNCTION_ARGS)
{
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot tell who calls a function within a security-restricted operation")));
	PG_RETURN_VOID();
}

/*
 * SQL: _evaluate(function, owner, rows, place, timeout in ms); "place" is passed on
 * and may be null.
 *
 * Returns for each row its number and the value of the function, or the error
 * that it raised, or neither if the time was not enough.  After an error the
 * set is halved, down to the row that fails; after a time-out it is taken row
 * by row.
 */
Datum
zcsync_sql_evaluate(PG_FUNCTION_ARGS)
{
	Evaluation	eval = {0};
	ArrayType  *rows;
	int16		length;
	bool		by_value;
	char		align;

	if (in_sandbox)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the SQL of a route cannot run the SQL of routes")));

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		return (Datum) 0;
	rows = PG_GETARG_ARRAYTYPE_P(2);
	eval.result = (ReturnSetInfo *) fcinfo->resultinfo;
	eval.function = PG_GETARG_OID(0);
	eval.owner = PG_GETARG_OID(1);
	eval.rows_type = get_fn_expr_argtype(fcinfo->flinfo, 2);
	eval.value_type = TupleDescAttr(eval.result->setDesc, 1)->atttypid;
	eval.place.value = PG_GETARG_DATUM(3);
	eval.place.isnull = PG_ARGISNULL(3);
	eval.timeout_ms = PG_GETARG_INT32(4);
	eval.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												(int64) eval.timeout_ms * TIMEOUTS_IN_ALL);
	check_function(&eval);

	eval.row_type = ARR_ELEMTYPE(rows);
	get_typlenbyvalalign(eval.row_type, &length, &by_value, &align);
	deconstruct_array(rows, eval.row_type, length, by_value, align,
					  &eval.rows, &eval.nulls, &eval.nrows);
	if (eval.nrows > 0)
		evaluate_range(&eval, 0, eval.nrows - 1);
	return (Datum) 0;
}

/*
 * Check that the function belongs to the owner of the route, and that its
 * result is of the type that we will read.  Sets eval->nargs.
 */
static void
check_function(Evaluation *eval)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(eval->function));
	Form_pg_proc proc;
	bool		fits;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist",
						eval->function)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (proc->proowner != eval->owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function \"%s\" does not belong to the role that defined the route",
						NameStr(proc->proname))));
	eval->nargs = proc->pronargs;
	fits = proc->prokind == PROKIND_FUNCTION && !proc->proretset &&
		proc->prorettype == get_array_type(eval->value_type) &&
		(proc->pronargs == 1 || proc->pronargs == 2) &&
		proc->proargtypes.values[0] == eval->rows_type &&
		(proc->pronargs == 1 || proc->proargtypes.values[1] == BOOLOID);
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function \"%s\" does not have the arguments or the result of a compiled route",
						NameStr(proc->proname))));
	ReleaseSysCache(tuple);
}

/*
 * Evaluate the rows from "first" to "last", and add a row to the result for
 * each.
 */
static void
evaluate_range(Evaluation *eval, int first, int last)
{
	ArrayType  *values = NULL;
	bool		timed_out;
	ErrorData  *error;
	int			middle = first + (last - first) / 2;

	CHECK_FOR_INTERRUPTS();
	if (GetCurrentTimestamp() >= eval->deadline)
	{
		for (int i = first; i <= last; i++)
			put_row(eval, i, (Datum) 0, false, NULL);
		return;
	}

	error = evaluate_set(eval, first, last, &values, &timed_out);
	if (error == NULL)
	{
		put_values(eval, values, first);
		pfree(values);
	}
	else if (first == last)
		put_row(eval, first, (Datum) 0, false,
				error_text(eval, error, timed_out));
	else if (timed_out)
	{
		/* halves of a slow set would be slow, too */
		for (int i = first; i <= last; i++)
			evaluate_range(eval, i, i);
	}
	else
	{
		evaluate_range(eval, first, middle);
		evaluate_range(eval, middle + 1, last);
	}
	if (error != NULL)
		FreeErrorData(error);
}

/*
 * Call the function for the rows from "first" to "last", and undo all its
 * effects.  Returns the error that the user's SQL raised; or NULL, and its
 * result in *values.
 */
static ErrorData *
evaluate_set(Evaluation *eval, int first, int last, ArrayType **values,
			 bool *timed_out)
{
	CommandDest dest = whereToSendOutput;
	ErrorData  *error;

	outer_log_hook = emit_log_hook;
	emit_log_hook = drop_messages;
	whereToSendOutput = DestNone;
	PG_TRY();
	{
		HeldLocks	locks = guard_locks();

		error = call_in_subtransaction(eval, first, last, values, timed_out);
		restore_locks(&locks);
	}
	PG_FINALLY();
	{
		whereToSendOutput = dest;
		emit_log_hook = outer_log_hook;
	}
	PG_END_TRY();

	/*
	 * A cancel request, another time-out, a conflict: not the route's fault.
	 */
	if (error != NULL && !*timed_out && error->funcname != NULL &&
		strcmp(error->funcname, "ProcessInterrupts") == 0)
		ReThrowError(error);
	return error;
}

/*
 * The same, without undoing what a subtransaction leaves: locks and messages.
 */
static ErrorData *
call_in_subtransaction(Evaluation *eval, int first, int last,
					   ArrayType **values, bool *timed_out)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext work = AllocSetContextCreate(caller, "zcsync sandbox",
											   ALLOCSET_DEFAULT_SIZES);
	ErrorData  *volatile error = NULL;

	*timed_out = false;
	BeginInternalSubTransaction("zcsync sandbox");
	MemoryContextSwitchTo(work);
	in_sandbox = true;
	PG_TRY();
	{
		*values = call_restricted(eval, first, last, caller);
		(void) disarm_timeout();
	}
	PG_CATCH();
	{
		*timed_out = disarm_timeout();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	in_sandbox = false;

	/* restores user, security context, settings and read-write mode */
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextDelete(work);
	return error;
}

/*
 * Call the function as the route's owner, in the subtransaction that the
 * caller began.  The values are allocated in "result_context".
 */
static ArrayType *
call_restricted(Evaluation *eval, int first, int last,
				MemoryContext result_context)
{
	LOCAL_FCINFO(fcinfo, 2);
	FmgrInfo	flinfo;
	Oid			user;
	int			sec_context;
	int			guc_nestlevel;
	ErrorContextCallback context;
	Datum		result;
	ArrayType  *values;

	context.callback = sandbox_context;
	context.arg = &eval->function;
	context.previous = error_context_stack;
	error_context_stack = &context;

	XactReadOnly = true;
	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(eval->owner, sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	guc_nestlevel = NewGUCNestLevel();
	apply_settings(zcsync_xact_settings, ZCSYNC_XACT_SETTINGS);
	apply_settings(sandbox_settings, lengthof(sandbox_settings));

	fmgr_info(eval->function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, eval->nargs, InvalidOid, NULL,
							 NULL);
	fcinfo->args[0].value = PointerGetDatum(rows_between(eval, first, last));
	fcinfo->args[0].isnull = false;
	fcinfo->args[1] = eval->place;

	arm_timeout(eval->timeout_ms);
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the compiled function gave no values")));
	MemoryContextSwitchTo(result_context);
	values = check_result(eval, result, last - first + 1);

	AtEOXact_GUC(false, guc_nestlevel);
	SetUserIdAndSecContext(user, sec_context);
	error_context_stack = context.previous;
	return values;
}

/* The rows from "first" to "last", as an array. */
static ArrayType *
rows_between(Evaluation *eval, int first, int last)
{
	int			nrows = last - first + 1;
	int			lower = 1;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(eval->row_type, &length, &by_value, &align);
	return construct_md_array(eval->rows + first, eval->nulls + first, 1,
							  &nrows, &lower, eval->row_type, length,
							  by_value, align);
}

/* The values as an array of our own, after checking their type and number. */
static ArrayType *
check_result(Evaluation *eval, Datum result, int nrows)
{
	ArrayType  *values = DatumGetArrayTypePCopy(result);

	if (ARR_ELEMTYPE(values) != eval->value_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the compiled function gave values of another type")));
	if (ARR_NDIM(values) != 1 || ARR_DIMS(values)[0] != nrows)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("the compiled function gave %d values for %d records",
						ArrayGetNItems(ARR_NDIM(values), ARR_DIMS(values)),
						nrows)));
	return values;
}

/* Add a row to the result for each value; the first is that of row "first". */
static void
put_values(Evaluation *eval, ArrayType *values, int first)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(values, eval->value_type, -1, false, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			put_row(eval, first + i, (Datum) 0, false,
					"the compiled function gave no value");
		else
			put_row(eval, first + i, elements[i], true, NULL);
	}
	pfree(elements);
	pfree(nulls);
}

/* Add a row to the result: (n, value, error). */
static void
put_row(Evaluation *eval, int n, Datum value, bool has_value,
		const char *error)
{
	Datum		values[3] = {Int32GetDatum(n + 1), value, (Datum) 0};
	bool		nulls[3] = {false, !has_value, error == NULL};

	if (error != NULL)
		values[2] = CStringGetTextDatum(error);
	tuplestore_putvalues(eval->result->setResult, eval->result->setDesc,
						 values, nulls);
}

/* The text of an error for the result. */
static char *
error_text(Evaluation *eval, const ErrorData *error, bool timed_out)
{
	if (timed_out)
		return psprintf("the SQL of the route took longer than zcsync.mapping_timeout (%s)",
						GetConfigOptionByName("zcsync.mapping_timeout", NULL, false));
	return psprintf("%s (%s)", error->message,
					unpack_sql_state(error->sqlerrcode));
}

/* Settings that hold until the nest level of settings ends. */
static void
apply_settings(const char *const settings[][2], int count)
{
	for (int i = 0; i < count; i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
}

/*
 * Adds to messages, also to the last one of a process, whose SQL was running.
 */
static void
sandbox_context(void *arg)
{
	char	   *name = get_func_name(*(Oid *) arg);

	errcontext("SQL of a route, compiled as function \"%s\"",
			   name != NULL ? name : "?");
}

/*
 * Cancel the running query after this number of milliseconds, and again after
 * as many more.
 */
static void
arm_timeout(int timeout_ms)
{
	if (sandbox_timeout == MAX_TIMEOUTS)
		sandbox_timeout = RegisterTimeout(USER_TIMEOUT, timeout_handler);

	times_fired = 0;
	enable_timeout_every(sandbox_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 timeout_ms),
						 timeout_ms);
}

/*
 * Disarm the time-out, and return whether it had fired.  A cancel of ours
 * that the query has not noticed yet is taken back: it came too late to
 * matter.
 */
static bool
disarm_timeout(void)
{
	if (sandbox_timeout == MAX_TIMEOUTS)
		return false;
	disable_timeout(sandbox_timeout, false);
	if (times_fired == 0)
		return false;
	QueryCancelPending = false;
	return true;
}

/* In a signal handler: set flags only; the caller sets the latch. */
static void
timeout_handler(void)
{
	if (times_fired++ < CANCELS_BEFORE_END)
		QueryCancelPending = true;
	else
		ProcDiePending = true;
	InterruptPending = true;
}

bool
zcsync_sandbox_ends_process(void)
{
	return times_fired > CANCELS_BEFORE_END;
}

/* Messages of the SQL below ERROR do not go into the log. */
static void
drop_messages(ErrorData *error)
{
	if (error->elevel < ERROR)
	{
		error->output_to_server = false;
		error->output_to_client = false;
	}
	else if (outer_log_hook != NULL)
		outer_log_hook(error);
}

/* The locks of the method of advisory locks that this process holds. */
static HeldLocks
held_locks(void)
{
	HeldLocks	held = {0};
	int			room = 8;

	held.locks = palloc(sizeof(HeldLock) * room);
	for (int i = 0; i < NUM_LOCK_PARTITIONS; i++)
	{
		PROCLOCK   *next = NULL;

		LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
		while ((next = zcsync_next_own_lock(i, next)) != NULL)
		{
			const LOCKTAG *tag = &next->tag.myLock->tag;

			if (tag->locktag_lockmethodid != USER_LOCKMETHOD)
				continue;
			for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
			{
				if ((next->holdMask & LOCKBIT_ON(mode)) == 0)
					continue;
				if (held.count == room)
				{
					room *= 2;
					held.locks = repalloc(held.locks, sizeof(HeldLock) * room);
				}
				held.locks[held.count].tag = *tag;
				held.locks[held.count++].mode = mode;
			}
		}
		LWLockRelease(LockHashPartitionLockByIndex(i));
	}
	return held;
}

/*
 * Hold each lock for the transaction as well, so that this process holds it
 * all the time, whatever the SQL does to the session's locks; and count how
 * often the session holds it.
 */
static HeldLocks
guard_locks(void)
{
	HeldLocks	held = held_locks();

	for (int i = 0; i < held.count; i++)
	{
		HeldLock   *lock = &held.locks[i];

		(void) LockAcquire(&lock->tag, lock->mode, false, false);
		lock->session_count = release_session_lock(lock);
		for (int n = 0; n < lock->session_count; n++)
			(void) LockAcquire(&lock->tag, lock->mode, true, false);
	}
	return held;
}

/*
 * Let the session hold exactly the locks that it held before, each as often
 * as before.
 */
static void
restore_locks(const HeldLocks *before)
{
	HeldLocks	after = held_locks();

	for (int i = 0; i < after.count; i++)
		(void) release_session_lock(&after.locks[i]);
	for (int i = 0; i < before->count; i++)
	{
		HeldLock   *lock = &before->locks[i];

		for (int n = 0; n < lock->session_count; n++)
			(void) LockAcquire(&lock->tag, lock->mode, true, false);
		(void) LockRelease(&lock->tag, lock->mode, false);
	}
}

/* Release a lock as often as the session holds it; returns how often. */
static int
release_session_lock(HeldLock *lock)
{
	int			count = 0;

	/* this warns if the session no longer has the lock: not shown */
	while (zcsync_lock_held_by_me(&lock->tag, lock->mode) &&
		   LockRelease(&lock->tag, lock->mode, true))
		count++;
	return count;
}
