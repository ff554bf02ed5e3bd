/*-------------------------------------------------------------------------
 *
 * engine_finish.c
 *		The end of a call: its outcome is recorded.
 *
 * An outcome is never dropped once the vendor answered.  If it cannot be
 * recorded now (somebody holds a lock, the disk is full), it is kept and
 * recorded later.  If it cannot be recorded at all (a user's trigger raises
 * an error), the set of outcomes is halved until that one is alone; then the
 * error becomes a failure of its job.
 *
 * IDENTIFICATION
 *		src/engine_finish.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "call_conceal.h"
#include "clock.h"
#include "connector.h"
#include "engine_finish.h"
#include "queue.h"
#include "sqlstate.h"
#include "token.h"

#define TOKEN_SECOND_REFUSAL_MS	60000	/* of a fresh token */
#define LOCKED_RETRY_MIN_MS		20	/* record an outcome again after a lock */
#define LOCKED_RETRY_MAX_MS		1000
#define FINISH_MAX_CALLS		1000	/* outcomes in one transaction */
#define FINISH_MAX_BYTES		(8 * 1024 * 1024)	/* replies, likewise */
#define LARGE_REPLY_BYTES		(64 * 1024)

static bool engine_finish_calls(ZcsyncEngine *engine, EngineAccount *entry,
								List *calls);
static void engine_wait_for_lock(ZcsyncCall *call);
static void engine_fail_call(ZcsyncEngine *engine, ZcsyncCall *call,
							 ErrorData *error);
static void step_finish(ZcsyncEngine *engine);
static void engine_judge_token(EngineAccount *entry, ZcsyncCall *call);

/* Keep a call that is over until its outcome is recorded. */
void
zcsync_engine_done(ZcsyncEngine *engine, ZcsyncCall *call)
{
	EngineAccount *entry = zcsync_engine_account(engine, call->account->account_id);
	MemoryContext old = MemoryContextSwitchTo(engine->context);

	entry->done = lappend(entry->done, call);
	engine->done++;
	MemoryContextSwitchTo(old);
}

/*
 * Record outcomes, account by account, as many at a time as make a
 * transaction of reasonable size.  Returns whether there were any.
 */
bool
zcsync_engine_finish(ZcsyncEngine *engine)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		any = false;
	ListCell   *cell;

	if (engine->done == 0)
		return false;
	foreach(cell, engine->entries)
	{
		EngineAccount *entry = lfirst(cell);
		List	   *calls = entry->done;
		List	   *batch = NIL;
		Size		bytes = 0;
		ListCell   *lc;

		if (calls == NIL ||
			(entry->finish.backoff_ms > 0 && now < entry->finish.not_before))
			continue;
		entry->done = NIL;
		engine->done -= list_length(calls);
		foreach(lc, calls)
		{
			ZcsyncCall *call = lfirst(lc);

			if (now < call->finish_at)
			{
				zcsync_engine_done(engine, call);
				continue;
			}
			any = true;
			batch = lappend(batch, call);
			bytes += call->body_len;
			if (list_length(batch) >= FINISH_MAX_CALLS ||
				bytes >= FINISH_MAX_BYTES)
			{
				engine_finish_calls(engine, entry, batch);
				batch = NIL;
				bytes = 0;
			}
		}
		if (batch != NIL)
			engine_finish_calls(engine, entry, batch);
		list_free(calls);
	}
	return any;
}

/* When is the next outcome to be recorded?  DT_NOEND: none is left. */
TimestampTz
zcsync_engine_next_finish(ZcsyncEngine *engine)
{
	TimestampTz next = DT_NOEND;
	ListCell   *cell;

	if (engine->done == 0)
		return next;
	foreach(cell, engine->entries)
	{
		EngineAccount *entry = lfirst(cell);
		TimestampTz not_before = entry->finish.backoff_ms > 0 ?
			entry->finish.not_before : 0;
		ListCell   *lc;

		foreach(lc, entry->done)
		{
			ZcsyncCall *call = lfirst(lc);

			next = Min(next, Max(call->finish_at, not_before));
		}
	}
	return next;
}

/*
 * Record these outcomes in one transaction, or in halves if that fails.
 * Calls that are finished are freed, the others kept for a later round.
 */
static bool
engine_finish_calls(ZcsyncEngine *engine, EngineAccount *entry, List *calls)
{
	volatile bool ok = false;
	ErrorData  *volatile error = NULL;
	ListCell   *lc;

	PG_TRY();
	{
		engine->current = entry;
		engine->calls = calls;
		zcsync_xact_begin(engine->mode, "zcsync: record outcomes");
		step_finish(engine);
		zcsync_xact_commit(engine->mode);
		foreach(lc, calls)
		{
			Size		length = ((ZcsyncCall *) lfirst(lc))->body_len;

			engine->read_bytes += length;
			if (length >= LARGE_REPLY_BYTES)
				engine->page_at = GetCurrentTimestamp();
		}
		entry->finish.backoff_ms = 0;
		ok = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(engine->round);
		error = CopyErrorData();
		HOLD_INTERRUPTS();
		FlushErrorState();
		zcsync_xact_abort(engine->mode);
		MemoryContextSwitchTo(engine->round);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(engine->round);

	if (!ok && !zcsync_is_servers_error(error->sqlerrcode))
	{
		int			half = list_length(calls) / 2;

		if (half > 0)
		{
			engine_finish_calls(engine, entry, list_copy_head(calls, half));
			engine_finish_calls(engine, entry, list_copy_tail(calls, half));
			return true;
		}
		engine_fail_call(engine, linitial(calls), error);
		return true;
	}
	foreach(lc, calls)
	{
		ZcsyncCall *call = lfirst(lc);

		if (ok && call->finished)
		{
			zcsync_call_free(call);
			continue;
		}
		if (ok)
			engine_wait_for_lock(call);
		zcsync_engine_done(engine, call);
	}
	if (!ok)
		zcsync_engine_report(engine, &entry->finish, error);
	return ok;
}

/*
 * Somebody holds a lock that this outcome needs, perhaps for long, so try
 * less and less often.
 */
static void
engine_wait_for_lock(ZcsyncCall *call)
{
	call->finish_wait_ms = call->finish_wait_ms == 0 ? LOCKED_RETRY_MIN_MS :
		Min(call->finish_wait_ms * 2, LOCKED_RETRY_MAX_MS);
	call->finish_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  call->finish_wait_ms);
}

/*
 * This one outcome cannot be recorded: that becomes a failure of its job, to
 * be recorded in the next round.  A create that the vendor carried out stays
 * unclear, so that it is looked up and not made again.
 */
static void
engine_fail_call(ZcsyncEngine *engine, ZcsyncCall *call, ErrorData *error)
{
	EngineAccount *entry = zcsync_engine_account(engine, call->account->account_id);
	MemoryContext old = MemoryContextSwitchTo(call->context);

	call->maybe_applied = call->maybe_applied ||
		call->outcome == ZCSYNC_OUTCOME_DONE;
	call->message = psprintf("could not store the reply: %s", error->message);
	zcsync_call_conceal(call, call->message);
	call->hint = error->hint ? pstrdup(error->hint) : NULL;
	call->delay_ms = -1;
	MemoryContextSwitchTo(old);

	/* not even a failure can be stored: keep it, and try again later */
	if (call->outcome == ZCSYNC_OUTCOME_BROKEN)
	{
		zcsync_engine_done(engine, call);
		zcsync_engine_report(engine, &entry->finish, error);
		return;
	}
	call->outcome = ZCSYNC_OUTCOME_BROKEN;
	call->body = NULL;
	call->body_len = 0;
	zcsync_engine_done(engine, call);
}

/*
 * In a transaction: store tokens and limits, then the outcomes.
 */
static void
step_finish(ZcsyncEngine *engine)
{
	ListCell   *lc;

	foreach(lc, engine->calls)
	{
		ZcsyncCall *call = lfirst(lc);

		if (call->is_token && call->outcome == ZCSYNC_OUTCOME_DONE)
		{
			MemoryContext old = MemoryContextSwitchTo(call->context);
			char	   *token;
			int			lifetime_s;

			if (call->account->connector->token_reply(call, &token, &lifetime_s))
				zcsync_token_store(call->account, token, lifetime_s,
								   call->token_scope);
			MemoryContextSwitchTo(old);
		}
		else
			engine_judge_token(engine->current, call);
		zcsync_queue_note_limits(call);
	}
	zcsync_queue_finish(engine->incarnation, engine->current->account_id,
						engine->calls);
}

/*
 * A call was refused for lack of authorisation: its access token may have
 * become invalid.  The first time this is no failure, for all calls that were
 * sent with the same token: they go back to the queue and wait for the next
 * token.  If that one is refused soon after, the token is not the reason.
 * Then none of the calls that travelled together is put back, and neither is
 * the probe of the account that follows.
 */
static void
engine_judge_token(EngineAccount *entry, ZcsyncCall *call)
{
	TimestampTz now = GetCurrentTimestamp();

	if (call->is_token || call->outcome != ZCSYNC_OUTCOME_AUTH ||
		!call->account->connector->needs_token(call->account))
		return;
	if (zcsync_token_valid(call->account, zcsync_now()))
	{
		bool		again = !TimestampDifferenceExceeds(entry->token_refused_at,
														now, TOKEN_SECOND_REFUSAL_MS);

		zcsync_token_reject(call->account);
		entry->token_refused_at = now;
		entry->refused_call = again ? call->call_id : 0;
		if (again)
			return;
	}
	else if (call->call_id != 0 && call->call_id == entry->refused_call)
		return;
	else if (call->is_probe &&
			 !TimestampDifferenceExceeds(entry->token_refused_at, now,
										 TOKEN_SECOND_REFUSAL_MS))
		return;					/* a call that travelled with it was judged
								 * first */
	call->leftover = ZCSYNC_LEFTOVER_PUT_BACK;
	call->delay_ms = 0;
}
