/*-------------------------------------------------------------------------
 *
 * engine_state.h
 *		An engine's state, for engine.c (the rounds) and engine_finish.c (the
 *		recording of outcomes).
 *
 * IDENTIFICATION
 *		src/engine_state.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ENGINE_STATE_H
#define ZCSYNC_ENGINE_STATE_H

#include "utils/hsearch.h"

#include "call.h"
#include "engine.h"
#include "http.h"

#define STEP_BACKOFF_MIN_MS		1000
#define STEP_BACKOFF_MAX_MS		60000

/* A step that failed waits before it is tried again. */
typedef struct EngineStep
{
	const char *what;			/* "could not %s" */
	TimestampTz not_before;
	long		backoff_ms;		/* 0: the last attempt succeeded */
} EngineStep;

typedef struct EngineAccount
{
	int64		account_id;		/* hash key */
	ZcsyncAccount *account;		/* NULL: not loaded */
	EngineStep	claim;
	EngineStep	finish;
	TimestampTz token_refused_at;	/* 0: never */
	int64		refused_call;	/* call_id of jobs that were refused together with
								 * a fresh token; 0: none */
	List	   *done;			/* calls that are over, not recorded yet */
} EngineAccount;

struct ZcsyncEngine
{
	MemoryContext context;
	MemoryContext round;
	MemoryContext work;
	ZcsyncXactMode mode;
	ZcsyncRole	role;
	ZcsyncHttp *http;			/* NULL: ZCSYNC_ROLE_LOCAL */
	int64		incarnation;	/* -1: none */
	HTAB	   *accounts;		/* of EngineAccount */
	List	   *entries;		/* all of them: a scan of the hash table would
								 * not outlive a commit */
	List	   *deliveries;		/* messages to alert targets that are over, not
								 * recorded yet */
	int			done;			/* calls in all the lists of done calls */
	unsigned int first_account; /* the account to begin with; may wrap
								 * around */
	bool		draining;		/* take nothing new */
	Size		read_bytes;		/* replies stored since memory was given back */
	TimestampTz page_at;		/* when the last large reply was stored */
	bool		idle;			/* the last scan found nothing to do */
	bool		due_jobs;		/* but there are jobs that wait for a budget */
	bool		more_local;		/* local jobs are left for this engine to
								 * run */
	bool		local_due;		/* there are local jobs, for whichever
								 * engine */
	TimestampTz scanned_at;
	TimestampTz scan_at;		/* look for work no later than this */
	TimestampTz due_at;			/* queue the reads of due streams then */
	EngineStep	register_step;
	EngineStep	recover;
	EngineStep	partitions;
	EngineStep	alerts;
	EngineStep	record_alerts;
	EngineStep	due;
	EngineStep	begin_local;
	EngineStep	local;
	EngineStep	accounts_step;

	/* arguments and results of the step that is running */
	EngineAccount *current;
	int64		current_version;
	List	   *calls;
	List	   *taken;			/* messages to alert targets */
	bool		more_alerts;	/* there may be more of them */
	bool		asked_due;		/* this scan has queued the reads of due streams */
	bool		more_jobs;		/* jobs ended in the claim; there may be more */
	long		next_ms;
};

typedef void (*EngineStepBody) (ZcsyncEngine *engine);

/*
 * Run one step in a transaction of its own; did it succeed?  "activity" is
 * what pg_stat_activity shows meanwhile.
 */
extern bool zcsync_engine_step(ZcsyncEngine *engine, EngineStep *step,
							   EngineStepBody body, const char *activity);

/*
 * Is it time to do what is done every "interval_ms"?  A time further ahead
 * was noted before the clock was set back.
 */
static inline bool
zcsync_engine_is_due(TimestampTz not_before, long interval_ms, TimestampTz now)
{
	return now >= not_before ||
		not_before > TimestampTzPlusMilliseconds(now, interval_ms);
}

/*
 * What the engine knows of an account; a new entry, if it knows nothing yet.
 */
extern EngineAccount *zcsync_engine_account(ZcsyncEngine *engine,
											int64 account_id);

/*
 * Report the error of a step, and make it wait.  Throws cancellation and
 * shutdown again.
 */
extern void zcsync_engine_report(ZcsyncEngine *engine, EngineStep *step,
								 ErrorData *error);

#endif							/* ZCSYNC_ENGINE_STATE_H */
