/*-------------------------------------------------------------------------
 *
 * queue.c
 *		The engine's side of zcsync.sync_queue, through SPI.
 *
 * The rules of the queue live in SQL (sql/queue); this file calls them with
 * kept plans, set by set.  Every function here except
 * zcsync_queue_keep_registered() and zcsync_queue_unregister() needs a
 * transaction of xact.h, and copies what it returns into a context that its
 * caller names.
 *
 * A claimant is known by a random number, its incarnation, and holds a session
 * lock that goes with it for as long as the process lives.  The lock's tag is
 * (database, oid of zcsync.claimants, incarnation): no SQL function can take
 * it, and it is free the moment the process is gone, however it went.  So a
 * running job whose claimant's lock is free is an orphan, at once: there is no
 * lease to tune and no heartbeat to write.
 *
 * The lock is of the method of advisory locks.  Session locks of the default
 * method are given up when a transaction aborts, and are not given up when a
 * process ends outside of a transaction, which is where a worker waits.
 *
 * IDENTIFICATION
 *		src/queue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "queue.h"

/* A prepared statement of this file. */
typedef struct QueuePlan
{
	const char *sql;
	int			nargs;
	Oid			types[8];
	SPIPlanPtr	plan;			/* NULL: not prepared yet */
} QueuePlan;

#define INCARNATION_BITS	47	/* a lock tag has room for 48 */

/* The lock of the engine's incarnation; all zero: there was none yet. */
static LOCKTAG own_tag;

/*
 * What _start_jobs() returned for _run_jobs(), in TopMemoryContext; or NULL.
 */
static char *begun = NULL;

/*
 * _start_jobs() was called, and neither _run_jobs() nor _stop_jobs() ended
 * since.
 */
static bool local_open = false;

static QueuePlan plan_record = {
	.sql = "SELECT zcsync._claimant_insert($1, $2, $3)",
	.nargs = 3, .types = {INT8OID, INT4OID, TEXTOID}
};
static QueuePlan plan_due_accounts = {
	.sql = "SELECT account_id, version FROM zcsync._due_accounts()"
};
static QueuePlan plan_token = {
	.sql = "SELECT zcsync._enqueue_token($1)",
	.nargs = 1, .types = {INT8OID}
};
static QueuePlan plan_claim = {
	.sql = "SELECT job_id, attempts, failures, operation, budget_class, request, call_id "
	"FROM zcsync._claim_jobs($1, $2, $3, $4)",
	.nargs = 4, .types = {INT8OID, INT8OID, INT4OID, BOOLOID}
};
static QueuePlan plan_finish = {
	.sql = "SELECT job_id, how FROM zcsync._finish_jobs($1, $2, $3)",
	.nargs = 3, .types = {INT8OID, INT8OID, InvalidOid}	/* zcsync.outcome[] */
};
static QueuePlan plan_limits = {
	.sql = "SELECT zcsync._note_limits($1, $2, $3, $4, $5, $6, $7, $8)",
	.nargs = 8, .types = {INT8OID, TEXTOID, INT4OID, INT4OID, INT4OID, INT8OID,
	BOOLOID, INT4OID}
};
static QueuePlan plan_recover = {
	.sql = "SELECT zcsync._recover_jobs($1)",
	.nargs = 1, .types = {INT8OID}
};
static QueuePlan plan_resume = {.sql = "SELECT zcsync._resume_readable()"};
static QueuePlan plan_enqueue_due = {
	.sql = "SELECT (extract(epoch FROM zcsync._enqueue_due() - zcsync._now()) * 1000)::int8"
};
static QueuePlan plan_next_due = {
	.sql = "SELECT (extract(epoch FROM zcsync._next_due_at() - zcsync._now()) * 1000)::int8"
};
static QueuePlan plan_begin = {.sql = "SELECT zcsync._start_jobs()"};
static QueuePlan plan_stop = {
	.sql = "SELECT zcsync._stop_jobs($1)",
	.nargs = 1, .types = {TEXTOID}
};
static QueuePlan plan_local = {
	.sql = "SELECT zcsync._run_jobs($1)",
	.nargs = 1, .types = {TEXTOID}
};
static QueuePlan plan_partitions = {.sql = "SELECT zcsync.create_partitions()"};
static QueuePlan plan_due_jobs = {.sql = "SELECT zcsync._has_due_jobs()::int"};
static QueuePlan plan_next = {
	.sql = "SELECT (extract(epoch FROM zcsync._next_job_at() - zcsync._now()) * 1000)::int8"
};

PG_FUNCTION_INFO_V1(zcsync_claimant_alive);
PG_FUNCTION_INFO_V1(zcsync_claimant_register);

static uint64 queue_execute(QueuePlan *plan, Datum *values, const char *nulls);
static int64 queue_execute_int(QueuePlan *plan, Datum *values,
							   const char *nulls);
static long queue_execute_ms(QueuePlan *plan);
static int64 claimant_lock(LOCKTAG *tag);
static void claimant_tag(LOCKTAG *tag, int64 incarnation);
static int64 column_int64(int row, int column);
static char *column_text(int row, int column);
static Datum outcomes(List *calls);
static Datum outcome(const ZcsyncCall *call, TupleDesc desc);
static void finish_leftovers(List *calls);
static void note_limits(const ZcsyncCall *call, const ZcsyncLimits *limits,
						int64 pause_ms);

/*
 * Become a claimant: take an incarnation and its lock, which this process
 * keeps until zcsync_queue_unregister() or its end.  zcsync.claimants does
 * not have it yet.  A process has one incarnation at a time; one that could
 * not be recorded because of an error is given up.
 */
int64
zcsync_queue_register(void)
{
	zcsync_queue_unregister();
	return claimant_lock(&own_tag);
}

/*
 * Make sure that the incarnation's lock is still held: a user's trigger may
 * have called pg_advisory_unlock_all() in this process.
 */
void
zcsync_queue_keep_registered(void)
{
	if (!zcsync_lock_held_by_me(&own_tag, ExclusiveLock))
		(void) LockAcquire(&own_tag, ExclusiveLock, true, false);
}

/* Give up this process's incarnation: its running jobs become orphans. */
void
zcsync_queue_unregister(void)
{
	if (zcsync_lock_held_by_me(&own_tag, ExclusiveLock))
		LockRelease(&own_tag, ExclusiveLock, true);
}

/* Show a claimant in zcsync.claimants. */
void
zcsync_queue_record_claimant(int64 incarnation, const char *role)
{
	Datum		values[] = {
		Int64GetDatum(incarnation), Int32GetDatum(MyProcPid),
		CStringGetTextDatum(role)
	};

	queue_execute(&plan_record, values, NULL);
}

/* Accounts with something due to send: a list of ZcsyncDueAccount. */
List *
zcsync_queue_due_accounts(MemoryContext result_context)
{
	uint64		rows = queue_execute(&plan_due_accounts, NULL, NULL);
	MemoryContext old = MemoryContextSwitchTo(result_context);
	List	   *result = NIL;

	for (uint64 i = 0; i < rows; i++)
	{
		ZcsyncDueAccount *due = palloc(sizeof(ZcsyncDueAccount));

		due->account_id = column_int64(i, 1);
		due->version = column_int64(i, 2);
		result = lappend(result, due);
	}
	MemoryContextSwitchTo(old);
	return result;
}

/* Queue the fetch of an access token, once per account. */
void
zcsync_queue_enqueue_token(int64 account_id)
{
	Datum		value = Int64GetDatum(account_id);

	queue_execute(&plan_token, &value, NULL);
}

/*
 * Take due jobs of an account, as many as make "max_calls" exchanges:
 * ZcsyncCalls under "parent", in a list that is allocated in
 * "result_context".  Those that travel together have the same call_id and are
 * neighbours.  Sets *more if some jobs ended without a call and there may be
 * more of them: then claim again at once.
 */
List *
zcsync_queue_claim(int64 incarnation, ZcsyncAccount *account, int max_calls,
				   bool token_only, MemoryContext parent,
				   MemoryContext result_context, bool *more)
{
	Datum		values[] = {
		Int64GetDatum(incarnation), Int64GetDatum(account->account_id),
		Int32GetDatum(max_calls), BoolGetDatum(token_only)
	};
	uint64		rows = queue_execute(&plan_claim, values, NULL);
	List	   *calls = NIL;

	*more = false;
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		request = SPI_getbinval(row, desc, 6, &isnull);
		ZcsyncCall *call;
		MemoryContext old;

		if (isnull)
		{
			*more = true;
			continue;
		}
		call = zcsync_call_create(parent, account, DatumGetJsonbP(request));
		call->job_id = column_int64(i, 1);
		call->attempts = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));
		call->failures = DatumGetInt32(SPI_getbinval(row, desc, 3, &isnull));
		call->is_token = strcmp(column_text(i, 4), "token") == 0;
		call->is_probe = strcmp(column_text(i, 4), "probe") == 0;
		call->call_id = column_int64(i, 7);
		call->budget_class = MemoryContextStrdup(call->context,
												 column_text(i, 5));
		old = MemoryContextSwitchTo(result_context);
		calls = lappend(calls, call);
		MemoryContextSwitchTo(old);
	}
	return calls;
}

/*
 * Record the outcomes of calls of one account.  Sets call->finished, or
 * call->leftover for those that must be finished again later.
 */
void
zcsync_queue_finish(int64 incarnation, int64 account_id, List *calls)
{
	Datum		values[] = {
		Int64GetDatum(incarnation),
		Int64GetDatum(account_id),
		outcomes(calls)
	};

	queue_execute(&plan_finish, values, NULL);
	finish_leftovers(calls);
}

/*
 * The outcomes of calls as an array of zcsync.outcome.  After the extension
 * was dropped and created again, the type is another one, and the plan is
 * made again.
 */
static Datum
outcomes(List *calls)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum("outcome"),
									   ObjectIdGetDatum(get_namespace_oid("zcsync", false)));
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Datum	   *values = palloc(sizeof(Datum) * list_length(calls));
	int			n = 0;
	ListCell   *lc;

	if (plan_finish.types[2] != get_array_type(type))
	{
		if (plan_finish.plan != NULL)
			SPI_freeplan(plan_finish.plan);
		plan_finish.plan = NULL;
		plan_finish.types[2] = get_array_type(type);
	}
	foreach(lc, calls)
		values[n++] = outcome(lfirst(lc), desc);
	ReleaseTupleDesc(desc);
	return PointerGetDatum(construct_array(values, n, type, -1, false,
										   TYPALIGN_DOUBLE));
}

/* The outcome of a call as a zcsync.outcome. */
static Datum
outcome(const ZcsyncCall *call, TupleDesc desc)
{
	const char *class = call->leftover == ZCSYNC_LEFTOVER_PUT_BACK ? "put_back" :
		call->halved ? "halved" : zcsync_outcome_name(call->outcome);

	/* the reply of a token call holds a secret and is not stored */
	bool		has_reply = call->body != NULL && !call->is_token;
	Datum		values[] = {
		Int64GetDatum(call->job_id),
		Int32GetDatum(call->attempts),
		CStringGetTextDatum(class),
		Int32GetDatum(call->status),
		call->message != NULL ? CStringGetTextDatum(call->message) : (Datum) 0,
		call->hint != NULL ? CStringGetTextDatum(call->hint) : (Datum) 0,
		Int64GetDatum(call->delay_ms),
		BoolGetDatum(call->maybe_applied),
		JsonbPGetDatum(call->request),
		has_reply ? DirectFunctionCall1(jsonb_in, CStringGetDatum(call->body)) : (Datum) 0,
		Int64GetDatum(call->duration_us)
	};
	bool		nulls[lengthof(values)] = {
		[3] = call->status == 0,
		[4] = call->message == NULL,
		[5] = call->hint == NULL,
		[9] = !has_reply
	};

	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* Mark which of the calls are finished and which are not. */
static void
finish_leftovers(List *calls)
{
	ListCell   *lc;

	foreach(lc, calls)
	{
		ZcsyncCall *call = lfirst(lc);

		call->finished = true;
	}
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		job = column_int64(i, 1);

		foreach(lc, calls)
		{
			ZcsyncCall *call = lfirst(lc);

			if (call->job_id == job)
			{
				call->finished = false;
				call->leftover = strcmp(column_text(i, 2), "put_back") == 0 ?
					ZCSYNC_LEFTOVER_PUT_BACK : ZCSYNC_LEFTOVER_FINISH;
			}
		}
	}
}

/* Correct budgets by what the headers of a reply said. */
void
zcsync_queue_note_limits(const ZcsyncCall *call)
{
	ZcsyncLimits limits = {call->limits_class != NULL ? call->limits_class :
	call->budget_class, call->limit, call->remaining, call->reset_s};

	if (call->limit >= 0 || call->remaining >= 0 || call->pause_ms > 0)
		note_limits(call, &limits, call->pause_ms);
	if (call->other_limits.class != NULL)
		note_limits(call, &call->other_limits, 0);
}

/* Correct one budget. */
static void
note_limits(const ZcsyncCall *call, const ZcsyncLimits *limits, int64 pause_ms)
{
	Datum		values[] = {
		Int64GetDatum(call->account->account_id),
		CStringGetTextDatum(limits->class),
		Int32GetDatum(limits->limit), Int32GetDatum(limits->remaining),
		Int32GetDatum(limits->reset_s), Int64GetDatum(pause_ms),
		BoolGetDatum(call->pause_guessed), Int32GetDatum(call->limit_window_s)
	};
	char		nulls[9] = "        ";

	if (limits->limit < 0)
		nulls[2] = 'n';
	if (limits->remaining < 0)
		nulls[3] = 'n';
	if (limits->reset_s < 0)
		nulls[4] = 'n';
	if (call->limit_window_s <= 0)
		nulls[7] = 'n';
	queue_execute(&plan_limits, values, nulls);
}

/* Take back the jobs of claimants that are gone; returns how many. */
int
zcsync_queue_recover(int64 incarnation)
{
	Datum		value = Int64GetDatum(incarnation);

	return (int) queue_execute_int(&plan_recover, &value, NULL);
}

/*
 * Let accounts go on whose key file or secret was missing and is back; returns
 * how many.
 */
int
zcsync_queue_resume_readable(void)
{
	return (int) queue_execute_int(&plan_resume, NULL, NULL);
}

/*
 * Queue the reads of streams that are due; returns the milliseconds until the
 * next are, -1: none is planned.
 */
long
zcsync_queue_enqueue_due(void)
{
	return queue_execute_ms(&plan_enqueue_due);
}

/* The milliseconds until the next streams are due; -1: none is planned. */
long
zcsync_queue_next_due_ms(void)
{
	return queue_execute_ms(&plan_next_due);
}

/*
 * Note what zcsync_queue_run_local() is about to do.  The caller must commit
 * this first, since that may end the process.  If the last run did not end,
 * the reason was an error or a cancel, and its attempt is taken back.
 */
void
zcsync_queue_begin_local(void)
{
	char	   *told;

	if (local_open)
		zcsync_queue_stop_local();
	queue_execute(&plan_begin, NULL, NULL);
	told = column_text(0, 1);
	if (begun != NULL)
		pfree(begun);
	begun = NULL;
	if (told != NULL)
		begun = MemoryContextStrdup(TopMemoryContext, told);
	local_open = true;
}

/* Take the note back: somebody else interrupted the jobs. */
void
zcsync_queue_stop_local(void)
{
	Datum		value = begun != NULL ? CStringGetTextDatum(begun) : (Datum) 0;

	queue_execute(&plan_stop, &value, begun != NULL ? NULL : "n");
	local_open = false;
}

/* Is there a note to be taken back? */
bool
zcsync_queue_local_is_open(void)
{
	return local_open;
}

/* Run a batch of each kind of job that sends nothing; returns how many. */
int
zcsync_queue_run_local(void)
{
	Datum		value = begun != NULL ? CStringGetTextDatum(begun) : (Datum) 0;
	int			ended = (int) queue_execute_int(&plan_local, &value,
												begun != NULL ? NULL : "n");

	local_open = false;
	return ended;
}

/* Make the partitions of this month and the next ones. */
void
zcsync_queue_create_partitions(void)
{
	queue_execute(&plan_partitions, NULL, NULL);
}

/* Milliseconds until something becomes due; -1: nothing is planned. */
long
zcsync_queue_next_job_ms(void)
{
	return queue_execute_ms(&plan_next);
}

/* Is there a job that could be sent now, or as soon as a budget allows? */
bool
zcsync_queue_has_due_jobs(void)
{
	return queue_execute_int(&plan_due_jobs, NULL, NULL) != 0;
}

/* SQL: take an incarnation for this session, beside that of an engine. */
Datum
zcsync_claimant_register(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag;

	PG_RETURN_INT64(claimant_lock(&tag));
}

/*
 * SQL: does the process with this incarnation live?  Our own lock does not
 * conflict with itself, but then the process is this one.
 */
Datum
zcsync_claimant_alive(PG_FUNCTION_ARGS)
{
	int64		incarnation = PG_GETARG_INT64(0);
	LOCKTAG		tag;

	claimant_tag(&tag, incarnation);
	if (zcsync_lock_held_by_me(&tag, ExclusiveLock))
		PG_RETURN_BOOL(true);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		PG_RETURN_BOOL(true);
	LockRelease(&tag, ShareLock, false);
	PG_RETURN_BOOL(false);
}

/*
 * Take a new incarnation and its lock; *tag is valid once the lock is held.
 */
static int64
claimant_lock(LOCKTAG *tag)
{
	for (;;)
	{
		LOCKTAG		try;
		uint64		random;
		int64		incarnation;

		if (!pg_strong_random(&random, sizeof(random)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random number")));
		incarnation = (int64) (random >> (64 - INCARNATION_BITS));
		claimant_tag(&try, incarnation);
		if (LockAcquire(&try, ExclusiveLock, true, true) == LOCKACQUIRE_OK)
		{
			*tag = try;
			return incarnation;
		}
	}
}

/* The lock that goes with an incarnation. */
static void
claimant_tag(LOCKTAG *tag, int64 incarnation)
{
	Oid			table = get_relname_relid("claimants",
										  get_namespace_oid("zcsync", false));

	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("zcsync is not set up in this database"),
				 errhint("Run SELECT * FROM zcsync.setup().")));
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, table,
					   (uint32) incarnation,
					   (uint16) ((uint64) incarnation >> 32));
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}

/*
 * Run a statement, preparing it the first time.  Returns the number of rows;
 * they are in SPI_tuptable.
 */
static uint64
queue_execute(QueuePlan *plan, Datum *values, const char *nulls)
{
	if (plan->plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(plan->sql, plan->nargs, plan->types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", plan->sql,
				 SPI_result_code_string(SPI_result));
		plan->plan = prepared;
	}
	if (SPI_execute_plan(plan->plan, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute \"%s\"", plan->sql);
	return SPI_processed;
}

/* The same for a statement that returns one number; null is 0. */
static int64
queue_execute_int(QueuePlan *plan, Datum *values, const char *nulls)
{
	bool		isnull;
	Datum		value;

	if (queue_execute(plan, values, nulls) != 1)
		elog(ERROR, "\"%s\" did not return one row", plan->sql);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	if (isnull)
		return 0;
	return SPI_gettypeid(SPI_tuptable->tupdesc, 1) == INT8OID ?
		DatumGetInt64(value) : DatumGetInt32(value);
}

/* The same for milliseconds from now on: not below 0, and -1 for null. */
static long
queue_execute_ms(QueuePlan *plan)
{
	bool		isnull;
	Datum		ms;

	queue_execute(plan, NULL, NULL);
	ms = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
					   &isnull);
	return isnull ? -1 : (long) Max(DatumGetInt64(ms), 0);
}

/* A bigint of the last result; null is 0. */
static int64
column_int64(int row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* A text of the last result, in the SPI context. */
static char *
column_text(int row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}
