/*-------------------------------------------------------------------------
 *
 * engine_state.c
 *		The steps of an engine, and what it remembers of those that failed and
 *		of its accounts.
 *
 * IDENTIFICATION
 *		src/engine_state.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine_state.h"
#include "shared.h"

static bool step_fails(const EngineStep *step, TimestampTz now);

/*
 * Run one step in a transaction of its own.  Returns whether it succeeded; an
 * error is reported and makes the step wait.  Cancellation and shutdown are
 * passed on.
 */
bool
zcsync_engine_step(ZcsyncEngine *engine, EngineStep *step, EngineStepBody body,
				   const char *activity)
{
	volatile bool ok = false;

	if (step->backoff_ms > 0 &&
		!zcsync_engine_is_due(step->not_before, step->backoff_ms,
							  GetCurrentTimestamp()))
		return false;

	PG_TRY();
	{
		zcsync_xact_begin(engine->mode, activity);
		body(engine);
		zcsync_xact_commit(engine->mode);
		step->backoff_ms = 0;
		ok = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(engine->round);
		error = CopyErrorData();
		HOLD_INTERRUPTS();
		FlushErrorState();
		zcsync_xact_abort(engine->mode);
		MemoryContextSwitchTo(engine->round);
		RESUME_INTERRUPTS();
		zcsync_engine_report(engine, step, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(engine->round);
	return ok;
}

/* What the engine knows of an account. */
EngineAccount *
zcsync_engine_account(ZcsyncEngine *engine, int64 account_id)
{
	bool		found;
	EngineAccount *entry = hash_search(engine->accounts, &account_id,
									   HASH_ENTER, &found);

	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(engine->context);

		engine->entries = lappend(engine->entries, entry);
		MemoryContextSwitchTo(old);
		entry->account = NULL;
		entry->done = NIL;
		entry->token_refused_at = 0;
		entry->refused_call = 0;
		memset(&entry->claim, 0, sizeof(EngineStep));
		memset(&entry->finish, 0, sizeof(EngineStep));
		entry->claim.what = "claim jobs";
		entry->finish.what = "record outcomes";
	}
	return entry;
}

/*
 * Report the error of a step, and make it wait, longer after each failure.
 * Cancellation and shutdown are thrown again.
 */
void
zcsync_engine_report(ZcsyncEngine *engine, EngineStep *step, ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);

	step->backoff_ms = step->backoff_ms == 0 ? STEP_BACKOFF_MIN_MS :
		Min(step->backoff_ms * 2, STEP_BACKOFF_MAX_MS);
	step->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   step->backoff_ms);
	ereport(engine->mode == ZCSYNC_XACT_CALL ? WARNING : LOG,
			(errcode(error->sqlerrcode),
			 errmsg("zcsync could not %s: %s", step->what, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 error->context ? errcontext("%s", error->context) : 0));
	zcsync_slot_set_error(psprintf("could not %s: %s", step->what, error->message));
}

/* Is there a step that fails? */
bool
zcsync_engine_failing(ZcsyncEngine *engine)
{
	TimestampTz now = GetCurrentTimestamp();
	const EngineStep *steps[] = {
		&engine->register_step, &engine->recover, &engine->partitions,
		&engine->due, &engine->begin_local, &engine->local,
		&engine->accounts_step
	};
	ListCell   *lc;

	for (int i = 0; i < lengthof(steps); i++)
	{
		if (step_fails(steps[i], now))
			return true;
	}
	foreach(lc, engine->entries)
	{
		EngineAccount *entry = lfirst(lc);

		if (step_fails(&entry->claim, now) || step_fails(&entry->finish, now))
			return true;
	}
	return false;
}

/*
 * Has a step failed and not succeeded since?  A step that is due and is no
 * longer tried, because its account is gone, stops counting after a while.
 */
static bool
step_fails(const EngineStep *step, TimestampTz now)
{
	return step->backoff_ms > 0 &&
		!TimestampDifferenceExceeds(step->not_before, now, STEP_BACKOFF_MAX_MS);
}
