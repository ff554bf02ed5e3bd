/*-------------------------------------------------------------------------
 *
 * engine.c
 *		The work itself: queue due reads -> claim -> send -> finish.
 *
 * The database worker (worker.c) and CALL zcsync.run() (run.c) drive an
 * engine in turns: a round of database work, in short transactions, then a
 * wait for the latch, the sockets and the next thing due.  Nothing is sent or
 * awaited within a transaction of a worker.
 *
 * A round finishes what came back (engine_finish.c).  Then, when it is time,
 * it queues the reads of due streams, runs local jobs (routes), and claims
 * jobs account by account for as many requests as may be in flight.  Its role
 * says which of these an engine does: the worker leaves local jobs to a local
 * worker, which does nothing else.  Each of these steps catches its own
 * errors, so that none prevents the others: the error is reported, and the
 * step waits a little longer each time it fails.
 *
 * Memory: the engine's context lives as long as the engine; "round" is reset
 * in each round.  Every call and every account has a context of its own under
 * "work", which is deleted when the engine is reset: so even if an error
 * loses track of them, their memory is not lost.
 *
 * IDENTIFICATION
 *		src/engine.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "activity.h"
#include "clock.h"
#include "compat.h"
#include "connector.h"
#include "engine.h"
#include "engine_alerts.h"
#include "engine_finish.h"
#include "engine_state.h"
#include "file_transfer.h"
#include "http.h"
#include "local_attempt.h"
#include "local_jobs.h"
#include "metrics.h"
#include "queue.h"
#include "settings.h"
#include "shared.h"
#include "token.h"

#define RECOVER_INTERVAL_MS		5000	/* look for orphans that often */
#define PARTITION_INTERVAL_MS	(3600 * 1000)	/* and for missing months */
#define BUSY_SCAN_INTERVAL_MS	20	/* look for jobs while others are in flight */
#define GIVE_BACK_BYTES			(8 * 1024 * 1024)	/* of replies */
#define GIVE_BACK_AFTER			20000	/* ms after the last large reply */

static const char *engine_role_name(ZcsyncEngine *engine);
static void step_register(ZcsyncEngine *engine);
static void step_recover(ZcsyncEngine *engine);
static void step_partitions(ZcsyncEngine *engine);
static void step_due(ZcsyncEngine *engine);
static void engine_upkeep(ZcsyncEngine *engine, TimestampTz now);
static void engine_scan(ZcsyncEngine *engine, TimestampTz now);
static void engine_give_back(ZcsyncEngine *engine, TimestampTz now);
static bool engine_local(ZcsyncEngine *engine);
static void step_begin_local(ZcsyncEngine *engine);
static void step_local(ZcsyncEngine *engine);
static void step_local_due(ZcsyncEngine *engine);
static void step_due_accounts(ZcsyncEngine *engine);
static void engine_note_due(ZcsyncEngine *engine, long due_ms);
static void step_claim(ZcsyncEngine *engine);
static void engine_collect(ZcsyncEngine *engine);
static bool engine_claim(ZcsyncEngine *engine);
static void engine_send(ZcsyncEngine *engine, ZcsyncCall *call);
static void engine_send_all(ZcsyncEngine *engine, List *calls);
static void engine_over(ZcsyncEngine *engine, ZcsyncCall *call);
static void engine_load_account(ZcsyncEngine *engine, EngineAccount *entry,
								int64 version);

/*
 * Make an engine under "parent".  It becomes a claimant in its first round.
 * Throws if there are not enough file descriptors for its connections.
 */
ZcsyncEngine *
zcsync_engine_create(MemoryContext parent, ZcsyncXactMode mode,
					 ZcsyncRole role)
{
	MemoryContext context = AllocSetContextCreate(parent, "zcsync engine",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ZcsyncEngine *engine = palloc0(sizeof(ZcsyncEngine));
	HASHCTL		ctl = {0};

	engine->context = context;
	engine->round = AllocSetContextCreate(context, "zcsync round",
										  ALLOCSET_DEFAULT_SIZES);
	engine->work = AllocSetContextCreate(context, "zcsync work",
										 ALLOCSET_DEFAULT_SIZES);
	engine->mode = mode;
	engine->role = role;
	engine->incarnation = -1;
	ctl.keysize = sizeof(int64);
	ctl.entrysize = sizeof(EngineAccount);
	ctl.hcxt = context;
	engine->accounts = hash_create("zcsync accounts", 64, &ctl,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (role != ZCSYNC_ROLE_LOCAL)
		engine->http = zcsync_http_create(context, zcsync_http_max_connections);
	engine->register_step.what = "become a claimant";
	engine->recover.what = "take back jobs of ended workers";
	engine->partitions.what = "create partitions";
	engine->alerts.what = "evaluate alerts";
	engine->record_alerts.what = "record what became of alerts";
	engine->due.what = "queue the reads of due streams";
	engine->begin_local.what = "count attempts of routes";
	engine->local.what = "run local jobs";
	engine->accounts_step.what = "look for due jobs";
	MemoryContextSwitchTo(old);
	zcsync_activity_begin(engine_role_name(engine));
	return engine;
}

/*
 * Give up everything: requests in flight are dropped, and their jobs are free
 * for the next claimant.  Must not be called within a transaction of xact.h.
 */
void
zcsync_engine_destroy(ZcsyncEngine *engine)
{
	zcsync_engine_reset(engine);
	zcsync_activity_end();
	if (engine->http != NULL)
		zcsync_http_destroy(engine->http);
	/* a round leaves its own context as the current one */
	MemoryContextSwitchTo(MemoryContextGetParent(engine->context));
	MemoryContextDelete(engine->context);
}

/*
 * Forget all that was in flight or not recorded.  The incarnation is given
 * up, so that its jobs are orphans, which the next round finds and takes
 * back.
 */
void
zcsync_engine_reset(ZcsyncEngine *engine)
{
	ListCell   *cell;

	if (engine->http != NULL)
		zcsync_http_abort_all(engine->http);
	/* what points into engine->work goes before it */
	zcsync_engine_alerts_forget(engine);
	engine->calls = NIL;
	engine->taken = NIL;
	foreach(cell, engine->entries)
	{
		EngineAccount *entry = lfirst(cell);

		list_free(entry->done);
		entry->done = NIL;
		entry->account = NULL;
	}
	MemoryContextReset(engine->work);
	engine->done = 0;
	zcsync_queue_unregister();
	engine->incarnation = -1;
	engine->recover.not_before = 0;
	engine->scan_at = 0;
	engine->due_at = 0;
	zcsync_slot_set_in_flight(0);
	zcsync_activity_no_calls();
}

/*
 * Is nothing in flight, and did the last round find nothing that could be done
 * now or as soon as a budget allows?
 */
bool
zcsync_engine_idle(ZcsyncEngine *engine)
{
	return engine->idle && !engine->due_jobs && zcsync_engine_drained(engine);
}

/* From now on only finish what is in flight. */
void
zcsync_engine_drain(ZcsyncEngine *engine)
{
	engine->draining = true;
}

/* Requests on the wire. */
int
zcsync_engine_in_flight(ZcsyncEngine *engine)
{
	return engine->http == NULL ? 0 : zcsync_http_in_flight(engine->http);
}

/*
 * What this engine does from now on; ZCSYNC_ROLE_LOCAL cannot be changed or
 * set.
 */
bool
zcsync_engine_set_role(ZcsyncEngine *engine, ZcsyncRole role)
{
	bool		changed = engine->role != role;

	Assert(role != ZCSYNC_ROLE_LOCAL && engine->role != ZCSYNC_ROLE_LOCAL);
	engine->role = role;
	return changed;
}

/* Did the last look for work find local jobs? */
bool
zcsync_engine_local_due(ZcsyncEngine *engine)
{
	return engine->local_due;
}

/* Is nothing in flight, and everything recorded? */
bool
zcsync_engine_drained(ZcsyncEngine *engine)
{
	return engine->done == 0 && engine->deliveries == NIL &&
		zcsync_engine_in_flight(engine) == 0;
}

/*
 * One round of database work.  Returns the milliseconds until there may be
 * more; 0: at once.
 */
long
zcsync_engine_round(ZcsyncEngine *engine)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next;
	bool		finished;

	MemoryContextReset(engine->round);
	MemoryContextSwitchTo(engine->round);
	if (engine->http != NULL)
		zcsync_http_set_limit(engine->http, zcsync_http_max_connections);

	if (engine->incarnation < 0 &&
		!zcsync_engine_step(engine, &engine->register_step, step_register,
					 "zcsync: become a claimant"))
		return STEP_BACKOFF_MIN_MS;
	zcsync_queue_keep_registered();

	engine_collect(engine);
	finished = zcsync_engine_finish(engine);
	if (engine->role != ZCSYNC_ROLE_LOCAL)
		engine_upkeep(engine, zcsync_now());

	/*
	 * Look for work when something ended, when it is time, and whenever we
	 * were woken.  Requests in flight wake us all the time through their
	 * sockets: then look no more often than every few milliseconds.
	 */
	if (engine->draining)
		engine->scan_at = TimestampTzPlusMilliseconds(now, BUSY_SCAN_INTERVAL_MS);
	else if (finished || engine->more_local || now >= engine->scan_at ||
		zcsync_engine_in_flight(engine) == 0 ||
		now >= TimestampTzPlusMilliseconds(engine->scanned_at, BUSY_SCAN_INTERVAL_MS))
	{
		engine_scan(engine, now);
		if (engine->more_local)
			return 0;
	}
	zcsync_slot_set_in_flight(zcsync_engine_in_flight(engine));
	next = Min(engine->scan_at, zcsync_engine_next_finish(engine));
	if (engine->more_alerts && !engine->draining)
		next = Min(next, GetCurrentTimestamp() +
				   (engine->alerts.not_before - zcsync_now()));
	return Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next), 0);
}

/* What is to be done from time to time, whether or not there is other work. */
static void
engine_upkeep(ZcsyncEngine *engine, TimestampTz now)
{
	if (zcsync_engine_is_due(engine->recover.not_before, RECOVER_INTERVAL_MS,
							 now) &&
		zcsync_engine_step(engine, &engine->recover, step_recover, "zcsync: recover jobs"))
		engine->recover.not_before =
			TimestampTzPlusMilliseconds(now, RECOVER_INTERVAL_MS);
	if (zcsync_engine_is_due(engine->partitions.not_before,
							 PARTITION_INTERVAL_MS, now) &&
		zcsync_engine_step(engine, &engine->partitions, step_partitions,
					"zcsync: create partitions"))
		engine->partitions.not_before =
			TimestampTzPlusMilliseconds(now, PARTITION_INTERVAL_MS);
	zcsync_engine_alerts(engine, now);
}

/* Look for work, and begin it. */
static void
engine_scan(ZcsyncEngine *engine, TimestampTz now)
{
	bool		local_waits;
	bool		found = false;
	long		wait;

	engine->scanned_at = now;
	engine->next_ms = -1;
	engine->asked_due = false;
	if (engine->role != ZCSYNC_ROLE_LOCAL && now >= engine->due_at &&
		!zcsync_engine_step(engine, &engine->due, step_due,
					 "zcsync: queue due streams"))
	{
		/* it failed, and waits for its next attempt */
		engine->asked_due = true;
		engine->due_at = engine->due.not_before;
	}
	local_waits = engine_local(engine);
	if (engine->role != ZCSYNC_ROLE_LOCAL && !local_waits)
		found = engine_claim(engine);
	engine->idle = !found && !engine->more_local && !local_waits &&
		engine->next_ms != 0;
	wait = engine->next_ms < 0 ? zcsync_poll_interval :
		Min(engine->next_ms, zcsync_poll_interval);
	engine->scan_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait);
	if (engine->role != ZCSYNC_ROLE_LOCAL && engine->due_at > now)
		engine->scan_at = Min(engine->scan_at, engine->due_at);
	if (engine->idle)
		engine_give_back(engine, now);
}

/*
 * A page takes ten times its size in memory while it is stored.  All of it is
 * freed then, but the C library keeps it for the next page.  After many
 * pages, give it back to the system: when nothing is on its way, or, where
 * something always is, when no large reply came for a while.
 */
static void
engine_give_back(ZcsyncEngine *engine, TimestampTz now)
{
	if (engine->read_bytes < GIVE_BACK_BYTES)
		return;
	if (!zcsync_engine_drained(engine) &&
		!TimestampDifferenceExceeds(engine->page_at, now, GIVE_BACK_AFTER))
		return;
	engine->read_bytes = 0;
#ifdef __GLIBC__
	(void) malloc_trim(0);
#endif
}

/*
 * Run local jobs, or only check whether there are any, as the role says.  In
 * a session that does both, a user's expression may take long, and nothing
 * reads the sockets meanwhile: so there local jobs wait until nothing is in
 * flight.  Returns whether they wait, so that nothing more is sent meanwhile.
 * Replies that cannot be recorded yet do not count: somebody may hold their
 * rows for hours.
 */
static bool
engine_local(ZcsyncEngine *engine)
{
	bool		waits = engine->mode == ZCSYNC_XACT_CALL &&
		zcsync_engine_in_flight(engine) > 0;

	engine->local_due = false;
	engine->more_local = false;
	if (engine->role == ZCSYNC_ROLE_NETWORK || waits)
	{
		zcsync_engine_step(engine, &engine->local, step_local_due,
					"zcsync: look for local jobs");
		return waits && engine->local_due;
	}
	if (zcsync_engine_step(engine, &engine->begin_local, step_begin_local,
					"zcsync: count attempts of routes"))
		zcsync_engine_step(engine, &engine->local, step_local,
					"zcsync: run local jobs");
	engine->local_due = engine->more_local;
	return false;
}

/*
 * Wait until something happens, at most "timeout_ms".  A worker is in no
 * transaction then; run() is in one that holds nothing.
 */
void
zcsync_engine_wait(ZcsyncEngine *engine, long timeout_ms)
{
	static uint32 wait_event = 0;

	zcsync_xact_assert_idle(engine->mode);
	zcsync_activity_wait(zcsync_engine_in_flight(engine));
	if (engine->http != NULL)
	{
		zcsync_http_wait(engine->http, timeout_ms,
						 zcsync_wait_event(&wait_event, "ZcsyncMain"));
		return;
	}
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 timeout_ms,
					 zcsync_wait_event(&wait_event, "ZcsyncMain"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* What others call this engine's process. */
static const char *
engine_role_name(ZcsyncEngine *engine)
{
	return engine->mode == ZCSYNC_XACT_CALL ? "run" :
		engine->role == ZCSYNC_ROLE_LOCAL ? "local" : "worker";
}

static void
step_register(ZcsyncEngine *engine)
{
	int64		incarnation = zcsync_queue_register();

	zcsync_queue_record_claimant(incarnation, engine_role_name(engine));
	engine->incarnation = incarnation;
}

static void
step_recover(ZcsyncEngine *engine)
{
	zcsync_queue_recover(engine->incarnation);
	zcsync_queue_resume_readable();
}

static void
step_partitions(ZcsyncEngine *engine)
{
	zcsync_queue_create_partitions();
}

static void
step_due(ZcsyncEngine *engine)
{
	long		next_ms = zcsync_queue_enqueue_due();

	engine->asked_due = true;
	engine->due_at = TimestampTzPlusMilliseconds(engine->scanned_at,
												 next_ms < 0 ? zcsync_poll_interval :
												 Min(next_ms, zcsync_poll_interval));
}

/*
 * The note is about SQL that may end the server process: it must be on disk
 * after that, whatever "synchronous_commit" is.
 */
static void
step_begin_local(ZcsyncEngine *engine)
{
	ForceSyncCommit();
	zcsync_local_attempt_guard();
	zcsync_queue_begin_local();
}

static void
step_local(ZcsyncEngine *engine)
{
	engine->more_local = zcsync_queue_run_local() > 0;
	if (!engine->more_local && engine->role == ZCSYNC_ROLE_LOCAL)
		engine->next_ms = zcsync_local_jobs_next_ms();
}

static void
step_local_due(ZcsyncEngine *engine)
{
	engine->local_due = zcsync_local_jobs_due();
}

static void
step_due_accounts(ZcsyncEngine *engine)
{
	engine->calls = zcsync_queue_due_accounts(engine->round);
	engine->due_jobs = false;
	if (engine->calls == NIL)
	{
		engine->next_ms = zcsync_queue_next_job_ms();
		engine_note_due(engine, zcsync_queue_next_due_ms());
		if (engine->mode == ZCSYNC_XACT_CALL)
			engine->due_jobs = zcsync_queue_has_due_jobs();
	}
}

/*
 * When the next streams are due, as of now: somebody may have added one, or
 * want one read earlier.  A stream that is still overdue after this scan
 * queued the due ones is locked by somebody, and step_due() said when to try
 * it again.
 */
static void
engine_note_due(ZcsyncEngine *engine, long due_ms)
{
	TimestampTz now = GetCurrentTimestamp();

	if (due_ms > 0)
		engine->due_at = Min(engine->due_at,
							 TimestampTzPlusMilliseconds(now, due_ms));
	else if (due_ms == 0 && !engine->asked_due)
	{
		engine->due_at = 0;
		engine->next_ms = 0;
	}
}

/*
 * Take the transfers that are over.
 */
static void
engine_collect(ZcsyncEngine *engine)
{
	ZcsyncHttpTransfer *transfer;

	if (engine->http == NULL)
		return;
	while ((transfer = zcsync_http_next_done(engine->http)) != NULL)
	{
		ZcsyncCall *call;

		if (transfer->is_alert)
		{
			zcsync_engine_alert_over(engine, transfer);
			continue;
		}
		call = zcsync_http_transfer_owner(transfer);
		if (zcsync_file_follow(call, transfer))
		{
			zcsync_http_follow(engine->http, &call->http, call);
			continue;
		}
		zcsync_call_complete(call, transfer);
		zcsync_file_conclude(call);
		zcsync_metrics_count_call(call);
		zcsync_activity_call_ends(call);
		engine_over(engine, call);
	}
}

/* A call is over, and so are those that travelled in it. */
static void
engine_over(ZcsyncEngine *engine, ZcsyncCall *call)
{
	ListCell   *lc;

	if (call->members == NIL)
	{
		zcsync_engine_done(engine, call);
		return;
	}
	zcsync_call_split(call);
	foreach(lc, call->members)
		zcsync_engine_done(engine, lfirst(lc));
	zcsync_call_free(call);
}

/*
 * Claim jobs for as many requests as may be sent, account by account,
 * starting with another account each time.  Returns whether there was
 * anything to do.
 */
static bool
engine_claim(ZcsyncEngine *engine)
{
	List	   *due;
	int			naccounts;
	bool		found = false;

	if (!zcsync_engine_step(engine, &engine->accounts_step, step_due_accounts,
					 "zcsync: look for due jobs"))
		return false;
	due = engine->calls;
	naccounts = list_length(due);
	for (int i = 0; i < naccounts; i++)
	{
		ZcsyncDueAccount *account = list_nth(due, (engine->first_account + i) % naccounts);
		ListCell   *lc;

		if (zcsync_http_free_slots(engine->http) <= 0)
			break;
		engine->current = zcsync_engine_account(engine, account->account_id);
		engine->current_version = account->version;
		engine->calls = NIL;
		engine->more_jobs = false;
		if (!zcsync_engine_step(engine, &engine->current->claim, step_claim,
						 "zcsync: claim jobs"))
		{
			/* claimed, but not committed yet */
			foreach(lc, engine->calls)
				zcsync_call_free(lfirst(lc));
			continue;
		}
		if (engine->calls != NIL)
			zcsync_xact_confirm();
		engine_send_all(engine, engine->calls);
		if (engine->more_jobs)
			engine->next_ms = 0;
		found = found || engine->calls != NIL || engine->more_jobs;
	}
	engine->first_account++;
	return found;
}

/*
 * In a transaction: claim jobs of one account.  If its secrets cannot be
 * opened, the account is blocked.  If it has no valid token, only the job
 * that fetches one is claimed, once for all jobs that wait for it.
 *
 * A claim is on disk before its requests are sent, even where
 * "synchronous_commit" is off.  If a crash loses an outcome, it can be found
 * out; but a request that nothing remembers would be sent a second time.
 */
static void
step_claim(ZcsyncEngine *engine)
{
	EngineAccount *entry = engine->current;
	ZcsyncAccount *account;
	bool		token_only = false;

	engine_load_account(engine, entry, engine->current_version);
	account = entry->account;
	if (account == NULL || account->connector == NULL)
		return;
	if (account->secret_error != NULL)
		return;					/* reading it has blocked the account */
	if (account->connector->needs_token(account) &&
		!zcsync_token_valid(account, zcsync_now()))
	{
		zcsync_queue_enqueue_token(account->account_id);
		token_only = true;
	}
	engine->calls = zcsync_queue_claim(engine->incarnation, account,
									   zcsync_http_free_slots(engine->http),
									   token_only, engine->work, engine->round,
									   &engine->more_jobs);
	if (engine->calls != NIL)
		ForceSyncCommit();
}

/*
 * Load the entry's account at this version, with its secrets.  Older versions
 * live on in the calls that use them.
 */
static void
engine_load_account(ZcsyncEngine *engine, EngineAccount *entry, int64 version)
{
	if (entry->account != NULL && entry->account->version == version &&
		entry->account->secret_error == NULL)
		return;
	if (entry->account != NULL)
		zcsync_account_release(entry->account);
	entry->account = NULL;
	entry->account = zcsync_account_load(engine->work, entry->account_id);
}

/*
 * Send claimed jobs; neighbours with the same call_id travel together.
 */
static void
engine_send_all(ZcsyncEngine *engine, List *calls)
{
	List	   *members = NIL;
	ListCell   *lc;

	foreach(lc, calls)
	{
		ZcsyncCall *call = lfirst(lc);
		ListCell   *next = lnext(calls, lc);

		if (call->call_id == 0)
		{
			engine_send(engine, call);
			continue;
		}
		members = lappend(members, call);
		if (next == NULL ||
			((ZcsyncCall *) lfirst(next))->call_id != call->call_id)
		{
			engine_send(engine, zcsync_call_carry(engine->work, members));
			list_free(members);
			members = NIL;
		}
	}
}

/*
 * Send a call; one that cannot be sent is over at once.
 */
static void
engine_send(ZcsyncEngine *engine, ZcsyncCall *call)
{
	if (!zcsync_call_prepare(call))
	{
		engine_over(engine, call);
		engine->scan_at = 0;
		return;
	}
	zcsync_activity_call_begins(call);
	zcsync_http_start(engine->http, &call->http, call);
}
