/*-------------------------------------------------------------------------
 *
 * run.c
 *		CALL zcsync.run() and the probe: the worker's work in the caller's
 *		session.
 *
 * CALL zcsync.run() drives an engine (engine.c) in this session: for tests,
 * for debugging, and for servers where nothing can be preloaded.  It commits
 * several times, so it must be called outside of a transaction block.
 *
 * zcsync._call() makes one exchange for zcsync.check_account() and
 * zcsync.discover(), for which a person waits.  It takes nothing from the
 * queue, and nothing from a budget: the row lock on a budget, held during a
 * request, would block the worker.
 *
 * IDENTIFICATION
 *		src/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call.h"
#include "clock.h"
#include "compat.h"
#include "connector.h"
#include "engine.h"
#include "settings.h"
#include "token.h"
#include "verb.h"

#define RUN_MAX_DAYS	30

/* How long run() still tries to record outcomes after its time is over. */
#define RUN_GRACE_MS	2000

#define CALL_COLUMNS	6		/* of zcsync._call() */
#define GUARD_INTERVAL_MS	1000	/* may run() still work here? */

PG_FUNCTION_INFO_V1(zcsync_run);
PG_FUNCTION_INFO_V1(zcsync_call);

static void run_check_guard(bool first);
static void run_until(ZcsyncEngine *engine, TimestampTz deadline,
					  bool until_idle);
static bool call_have_token(ZcsyncHttp *http, ZcsyncAccount **account,
							ZcsyncCall **failed);
static ZcsyncCall *call_make(ZcsyncHttp *http, ZcsyncAccount *account,
							 Jsonb *request);
static Datum call_result(FunctionCallInfo fcinfo, ZcsyncAccount *account,
						 ZcsyncCall *call);

/*
 * CALL zcsync.run(max_time, until_idle): do the work of the worker here,
 * until nothing is due or max_time is over; requests in flight at that time
 * are finished.
 */
Datum
zcsync_run(PG_FUNCTION_ARGS)
{
	Interval   *max_time;
	bool		until_idle;
	TimestampTz deadline;
	ZcsyncEngine *engine;

	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("zcsync.run() cannot be called in a transaction block"),
				 errhint("Call it on its own: CALL zcsync.run().")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("this server is a standby, where zcsync changes nothing"),
				 errhint("Run it on the primary.")));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments of zcsync.run() cannot be null")));
	max_time = PG_GETARG_INTERVAL_P(0);
	until_idle = PG_GETARG_BOOL(1);
	if (max_time->month != 0 || max_time->day < 0 || max_time->time < 0 ||
		(max_time->day == 0 && max_time->time == 0) ||
		max_time->day > RUN_MAX_DAYS ||
		max_time->time > (RUN_MAX_DAYS - max_time->day) * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid time for zcsync.run()"),
				 errdetail("The time must be positive and at most %d days.",
						   RUN_MAX_DAYS)));
	deadline = GetCurrentTimestamp() + max_time->time +
		max_time->day * USECS_PER_DAY;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	/* give up the snapshot that this call came with */
	SPI_commit();
	run_check_guard(true);
	engine = zcsync_engine_create(PortalContext, ZCSYNC_XACT_CALL,
								  ZCSYNC_ROLE_ALL);
	PG_TRY();
	{
		run_until(engine, deadline, until_idle);
	}
	PG_FINALLY();
	{
		zcsync_engine_destroy(engine);
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_NULL();
}

/*
 * The rounds and waits of run().  Like a worker, it ends when the extension is
 * dropped or zcsync.stop() is called meanwhile.
 */
static void
run_until(ZcsyncEngine *engine, TimestampTz deadline, bool until_idle)
{
	TimestampTz guard_asked_at = GetCurrentTimestamp();

	for (;;)
	{
		TimestampTz now;
		long		wait;

		CHECK_FOR_INTERRUPTS();
		if (TimestampDifferenceExceeds(guard_asked_at, GetCurrentTimestamp(),
									   GUARD_INTERVAL_MS))
		{
			run_check_guard(false);
			guard_asked_at = GetCurrentTimestamp();
		}
		wait = zcsync_engine_round(engine);
		if (until_idle && zcsync_engine_idle(engine))
			break;
		now = GetCurrentTimestamp();
		if (now >= deadline)
		{
			zcsync_engine_drain(engine);

			/*
			 * An outcome that cannot be recorded because of somebody's lock
			 * is left to the next claimant, which looks a create up before it
			 * repeats it.
			 */
			if (zcsync_engine_drained(engine) ||
				(zcsync_engine_in_flight(engine) == 0 &&
				 TimestampDifferenceExceeds(deadline, now, RUN_GRACE_MS)))
				break;
		}
		else
			wait = Min(wait, TimestampDifferenceMilliseconds(now, deadline));
		if (wait > 0)
			zcsync_engine_wait(engine, wait);
	}
}

/*
 * May zcsync work in this database?  Throws if not, but only after the piece
 * of work was closed, since an error must not leave its subtransaction open.
 */
static void
run_check_guard(bool first)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool may_run = false;
	char	   *volatile reason = NULL;
	char	   *volatile hint = NULL;

	zcsync_xact_begin(ZCSYNC_XACT_CALL, "zcsync: check the database");
	PG_TRY();
	{
		HeapTuple	row;
		TupleDesc	desc;
		MemoryContext old;
		bool		isnull;

		if (SPI_execute("SELECT may_run, reason, hint FROM zcsync._worker_guard()",
						false, 1) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "zcsync._worker_guard() did not return one row");
		row = SPI_tuptable->vals[0];
		desc = SPI_tuptable->tupdesc;
		may_run = DatumGetBool(SPI_getbinval(row, desc, 1, &isnull));
		old = MemoryContextSwitchTo(caller);
		reason = SPI_getvalue(row, desc, 2);
		hint = SPI_getvalue(row, desc, 3);
		MemoryContextSwitchTo(old);

		/* after a failover it is not known what was in flight */
		if (first && may_run &&
			SPI_execute("SELECT zcsync._note_timeline()", false, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not note the timeline");
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		zcsync_xact_abort(ZCSYNC_XACT_CALL);
		ReThrowError(error);
	}
	PG_END_TRY();
	zcsync_xact_commit(ZCSYNC_XACT_CALL);

	if (!may_run)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("zcsync cannot work in this database: %s",
						reason ? reason : "no reason given"),
				 hint ? errhint("%s", hint) : 0));
}

/*
 * SQL: one exchange in this session; if a token is needed, it is fetched
 * first.  Whatever happens is data, in the row returned.
 */
Datum
zcsync_call(PG_FUNCTION_ARGS)
{
	int64		account_id = PG_GETARG_INT64(0);
	Jsonb	   *request = PG_GETARG_JSONB_P(1);
	MemoryContext caller = CurrentMemoryContext;
	ZcsyncAccount *account;
	ZcsyncHttp *http;
	ZcsyncCall *call = NULL;
	Datum		result;

	SPI_connect();
	account = zcsync_account_load(caller, account_id);
	if (account == NULL || account->connector == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("account " INT64_FORMAT " cannot be called", account_id)));
	if (account->secret_error != NULL)
	{
		SPI_finish();
		return call_result(fcinfo, account, NULL);
	}

	http = zcsync_http_create(caller, 1);
	PG_TRY();
	{
		if (call_have_token(http, &account, &call))
			call = call_make(http, account, request);
	}
	PG_FINALLY();
	{
		zcsync_http_destroy(http);
	}
	PG_END_TRY();
	SPI_finish();
	zcsync_verb_did(1);
	result = call_result(fcinfo, account, call);
	zcsync_call_free(call);
	zcsync_account_release(account);
	return result;
}

/*
 * Make sure that the account has a valid token if it needs one.  If none can
 * be had, returns false and the call that failed.
 */
static bool
call_have_token(ZcsyncHttp *http, ZcsyncAccount **account, ZcsyncCall **failed)
{
	MemoryContext parent = MemoryContextGetParent((*account)->context);
	int64		account_id = (*account)->account_id;
	ZcsyncCall *call;
	char	   *token;
	int			lifetime_s;

	if (!(*account)->connector->needs_token(*account) ||
		zcsync_token_valid(*account, zcsync_now()))
		return true;
	call = call_make(http, *account,
					 DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum("{\"op\": \"token\"}"))));
	if (call->outcome != ZCSYNC_OUTCOME_DONE ||
		!call->account->connector->token_reply(call, &token, &lifetime_s))
	{
		*failed = call;
		return false;
	}
	zcsync_token_store(*account, token, lifetime_s, call->token_scope);
	zcsync_call_free(call);
	if (!zcsync_token_valid(*account, zcsync_now()))
	{
		/*
		 * the token is stored; now read the account again, with all that
		 * belongs to it
		 */
		zcsync_account_release(*account);
		CommandCounterIncrement();
		*account = zcsync_account_load(parent, account_id);
	}
	return true;
}

/*
 * Make one exchange and wait for its end.
 */
static ZcsyncCall *
call_make(ZcsyncHttp *http, ZcsyncAccount *account, Jsonb *request)
{
	ZcsyncCall *call;
	ZcsyncHttpTransfer *transfer;
	static uint32 wait_event = 0;

	call = zcsync_call_create(MemoryContextGetParent(account->context),
							  account, request);
	call->attempts = 1;
	if (!zcsync_call_prepare(call))
		return call;
	zcsync_http_start(http, &call->http, call);
	while ((transfer = zcsync_http_next_done(http)) == NULL)
		zcsync_http_wait(http, -1,
						 zcsync_wait_event(&wait_event, "ZcsyncCall"));
	zcsync_call_complete(call, transfer);
	return call;
}

/*
 * The row of an exchange: class, status, message, hint, reply, duration_ms.
 * Without a call, the account's secrets could not be opened.
 */
static Datum
call_result(FunctionCallInfo fcinfo, ZcsyncAccount *account, ZcsyncCall *call)
{
	TupleDesc	desc;
	Datum		values[CALL_COLUMNS] = {0};
	bool		nulls[CALL_COLUMNS] = {false};
	const char *message = call ? call->message : account->secret_error;
	const char *hint = call ? call->hint : account->secret_hint;
	const char *body = call ? call->body : NULL;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	Assert(desc->natts == CALL_COLUMNS);

	values[0] = CStringGetTextDatum(zcsync_outcome_name(call ? call->outcome :
														ZCSYNC_OUTCOME_CONFIG));
	nulls[1] = call == NULL || call->status == 0;
	values[1] = Int32GetDatum(call ? call->status : 0);
	nulls[2] = message == NULL;
	values[2] = message ? CStringGetTextDatum(message) : (Datum) 0;
	nulls[3] = hint == NULL;
	values[3] = hint ? CStringGetTextDatum(hint) : (Datum) 0;
	nulls[4] = body == NULL || strcmp(call->op, "token") == 0;
	if (!nulls[4])
		values[4] = DirectFunctionCall1(jsonb_in, CStringGetDatum(body));
	nulls[5] = call == NULL;
	values[5] = Float8GetDatum(call ? call->duration_us / 1000.0 : 0);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}
