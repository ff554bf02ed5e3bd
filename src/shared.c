/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Shared memory: what the launcher, the workers and sessions tell each
 *		other.
 *
 * There is one slot for each database that is known to use zcsync or is being
 * visited, for its worker and its local worker, and some fields about the
 * launcher.  One LWLock protects all of it: it is taken at most a few times a
 * second, and held only while a few fields are copied, never during SPI, I/O
 * or an allocation.  Only the counter of requests in flight is written often,
 * and is atomic.
 *
 * Latches here point into PGPROC, which is shared memory, too.  If the
 * process of a latch has ended, the latch belongs to the next user of that
 * PGPROC, to whom a superfluous wake-up does no harm.
 *
 * IDENTIFICATION
 *		src/shared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "settings.h"
#include "shared.h"

#define WORKER_SLOT_COLUMNS		12

/* How long a worker that ends waits for its local worker to end by itself. */
#define LOCAL_END_MS			500

PG_FUNCTION_INFO_V1(zcsync_sql_preloaded);
PG_FUNCTION_INFO_V1(zcsync_sql_worker_slots);

ZcsyncShared *zcsync_shared = NULL;

/*
 * If this process is a worker that attached: its slot, and its part of the
 * slot.
 */
static ZcsyncSlot *my_slot = NULL;
static ZcsyncProcess *my_process = NULL;
static uint32 my_generation = 0;

static bool is_local(void);
static void slot_detach(int code, Datum arg);
static void detach_worker(int code);
static void detach_local(int code);
static void end_local(ZcsyncSlot *slot);
static ZcsyncSlot *find_slot(Oid database);
static void slot_values(const ZcsyncSlot *slot, Datum *values, bool *nulls);
static void local_values(const ZcsyncSlot *slot, Datum *values, bool *nulls);
static void process_values(const ZcsyncProcess *process, Oid database,
						   Datum *values, bool *nulls);
static void launcher_values(const ZcsyncShared *shared, Datum *values,
							bool *nulls);
static void set_text(Datum *values, bool *nulls, int column, const char *value);
static void set_time(Datum *values, bool *nulls, int column, TimestampTz time);
static const char *slot_state_name(ZcsyncSlotState state);
static const char *local_state_name(ZcsyncLocalState state);

Size
zcsync_shared_size(void)
{
	return add_size(offsetof(ZcsyncShared, slots),
					mul_size(add_size(zcsync_workers_max, ZCSYNC_EXTRA_SLOTS),
							 sizeof(ZcsyncSlot)));
}

/* The caller holds AddinShmemInitLock. */
void
zcsync_shared_init(void)
{
	bool		found;

	zcsync_shared = ShmemInitStruct("zcsync", zcsync_shared_size(), &found);
	if (found)
		return;
	memset(zcsync_shared, 0, zcsync_shared_size());
	zcsync_shared->lock = &GetNamedLWLockTranche("zcsync")->lock;
	zcsync_shared->nslots = zcsync_workers_max + ZCSYNC_EXTRA_SLOTS;
	for (int i = 0; i < zcsync_shared->nslots; i++)
		pg_atomic_init_u32(&zcsync_shared->slots[i].in_flight, 0);
}

/*
 * Make this process the worker of a slot, or its local worker.  False if it
 * is no longer expected: the launcher gave up waiting and may have started
 * another one, or the worker that wanted a local worker has ended.
 */
bool
zcsync_slot_attach(int slotno, uint32 generation, Oid database, bool local)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	ZcsyncProcess *process = local ? &slot->local : &slot->worker;
	bool		expected;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	expected = slot->generation == generation && slot->database == database &&
		(local ? slot->state == ZCSYNC_SLOT_RUNNING &&
		 slot->local_state == ZCSYNC_LOCAL_STARTING :
		 slot->state == ZCSYNC_SLOT_STARTING);
	if (expected)
	{
		if (local)
			slot->local_state = ZCSYNC_LOCAL_RUNNING;
		else
		{
			slot->state = ZCSYNC_SLOT_RUNNING;
			slot->verdict = ZCSYNC_VERDICT_NONE;
		}
		process->pid = MyProcPid;
		process->latch = MyLatch;
		process->recheck = false;
		process->failing = false;
		my_slot = slot;
		my_process = process;
		my_generation = generation;
	}
	LWLockRelease(zcsync_shared->lock);

	if (expected)
		before_shmem_exit(slot_detach, (Datum) 0);
	return expected;
}

/* Is this process a local worker? */
static bool
is_local(void)
{
	return my_slot != NULL && my_process == &my_slot->local;
}

/*
 * Leave the slot when the process ends, for whatever reason.  Does nothing if
 * the slot is no longer ours.
 */
static void
slot_detach(int code, Datum arg)
{
	if (my_slot == NULL)
		return;
	if (is_local())
		detach_local(code);
	else
		detach_worker(code);
	my_slot = NULL;
	my_process = NULL;
}

/*
 * A worker leaves: its local worker must end, too, and the launcher is told.
 */
static void
detach_worker(int code)
{
	ZcsyncSlot *slot = my_slot;
	Latch	   *launcher_latch = NULL;	/* NULL: there is no launcher now */
	bool		ours;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	ours = slot->worker.pid == MyProcPid && slot->generation == my_generation;
	if (ours)
	{
		/* a worker that ends normally without a verdict found no extension */
		if (code == 0 && slot->verdict == ZCSYNC_VERDICT_NONE)
			slot->verdict = ZCSYNC_VERDICT_ABSENT;
		slot->state = ZCSYNC_SLOT_ENDED;
		slot->worker.pid = 0;
		slot->worker.latch = NULL;
		slot->worker.ended_at = GetCurrentTimestamp();
		pg_atomic_write_u32(&slot->in_flight, 0);
		launcher_latch = zcsync_shared->launcher_latch;
	}
	LWLockRelease(zcsync_shared->lock);

	if (ours)
		end_local(slot);
	if (launcher_latch != NULL)
		SetLatch(launcher_latch);
}

/*
 * Make the local worker of a slot that is ENDED end, too.  It does so when it
 * sees the state of the slot; if it is in the middle of a slow statement, it
 * is terminated.
 */
static void
end_local(ZcsyncSlot *slot)
{
	for (int waited_ms = 0; waited_ms <= LOCAL_END_MS; waited_ms += 10)
	{
		bool		there;
		Latch	   *latch;

		LWLockAcquire(zcsync_shared->lock, LW_SHARED);
		there = slot->generation == my_generation && slot->local.pid != 0;
		latch = slot->local.latch;

		/* under the lock, the number still belongs to that process */
		if (there && waited_ms == LOCAL_END_MS)
			(void) kill(slot->local.pid, SIGTERM);
		LWLockRelease(zcsync_shared->lock);
		if (!there)
			break;
		SetLatch(latch);
		pg_usleep(10000L);
	}
}

/*
 * A local worker leaves, and tells its worker, or the launcher if there is
 * none.
 */
static void
detach_local(int code)
{
	Latch	   *worker_latch = NULL;
	Latch	   *launcher_latch = NULL;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	if (my_process->pid == MyProcPid && my_slot->generation == my_generation)
	{
		my_slot->local_state = ZCSYNC_LOCAL_NONE;
		my_process->pid = 0;
		my_process->latch = NULL;
		my_process->ended_at = GetCurrentTimestamp();
		my_process->restarts = code == 0 ? 0 : my_process->restarts + 1;
		worker_latch = my_slot->worker.latch;
		if (my_slot->state == ZCSYNC_SLOT_ENDED)
			launcher_latch = zcsync_shared->launcher_latch;
	}
	LWLockRelease(zcsync_shared->lock);

	if (worker_latch != NULL)
		SetLatch(worker_latch);
	if (launcher_latch != NULL)
		SetLatch(launcher_latch);
}

/* Is this a local worker that is no longer wanted? */
bool
zcsync_slot_dismissed(void)
{
	bool		dismissed;

	if (!is_local())
		return false;
	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	dismissed = my_slot->generation != my_generation ||
		my_slot->state != ZCSYNC_SLOT_RUNNING;
	LWLockRelease(zcsync_shared->lock);
	return dismissed;
}

/*
 * The state of this worker's local worker, and when another one may be
 * started: after failures, not at once.
 */
ZcsyncLocalState
zcsync_slot_local(TimestampTz *not_before)
{
	ZcsyncLocalState state;

	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	state = my_slot->local_state;
	*not_before = my_slot->local.restarts == 0 ? 0 :
		TimestampTzPlusMilliseconds(my_slot->local.ended_at,
									Min(1000 << Min(my_slot->local.restarts, 6),
										60000));
	LWLockRelease(zcsync_shared->lock);
	return state;
}

/*
 * This worker starts a local worker, cannot start one, or sees that it ended.
 */
void
zcsync_slot_set_local(ZcsyncLocalState state)
{
	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	my_slot->local_state = state;
	if (state == ZCSYNC_LOCAL_STARTING)
		my_slot->local.started_at = GetCurrentTimestamp();
	LWLockRelease(zcsync_shared->lock);
}

/*
 * Record why this worker is about to end; or, with ZCSYNC_VERDICT_NONE, that
 * all is well.  Reason and hint may be NULL.  A local worker records nothing:
 * its worker finds out the same.
 */
void
zcsync_slot_report(ZcsyncVerdict verdict, const char *reason, const char *hint)
{
	if (my_slot == NULL || is_local())
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	my_slot->verdict = verdict;
	strlcpy(my_slot->reason, reason ? reason : "", ZCSYNC_TEXT_MAX);
	strlcpy(my_slot->hint, hint ? hint : "", ZCSYNC_TEXT_MAX);
	LWLockRelease(zcsync_shared->lock);
}

/*
 * Was this worker told to call _worker_guard() at once?  Clears the request.
 */
bool
zcsync_slot_take_recheck(void)
{
	bool		recheck;

	if (my_slot == NULL)
		return false;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	recheck = my_process->recheck;
	my_process->recheck = false;
	LWLockRelease(zcsync_shared->lock);
	return recheck;
}

/* Show an error of this worker in zcsync._worker_slots(). */
void
zcsync_slot_set_error(const char *message)
{
	if (my_slot == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	strlcpy(my_process->last_error, message, ZCSYNC_TEXT_MAX);
	my_process->last_error_at = GetCurrentTimestamp();
	my_process->failing = true;
	LWLockRelease(zcsync_shared->lock);
}

/*
 * The error of this worker is over.  Called in each round, so it takes the
 * lock only if there was one; no other process changes the field that it
 * checks before.
 */
void
zcsync_slot_set_well(void)
{
	if (!zcsync_slot_failing())
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	my_process->failing = false;
	LWLockRelease(zcsync_shared->lock);
}

/* Is this a worker with an error that is not over? */
bool
zcsync_slot_failing(void)
{
	return my_slot != NULL && my_process->failing;
}

/* Show how many requests this worker has on the wire. */
void
zcsync_slot_set_in_flight(int in_flight)
{
	if (my_slot != NULL && !is_local())
		pg_atomic_write_u32(&my_slot->in_flight, (uint32) in_flight);
}

/* The slot of a database, or NULL.  The caller holds the lock. */
static ZcsyncSlot *
find_slot(Oid database)
{
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		if (zcsync_shared->slots[i].database == database)
			return &zcsync_shared->slots[i];
	}
	return NULL;
}

/*
 * Wake the worker of a database, if there is one.  For local work, wake the
 * local worker; if there is none, the worker starts it.
 */
void
zcsync_signal_worker(Oid database, bool local)
{
	ZcsyncSlot *slot;
	Latch	   *latch = NULL;

	if (zcsync_shared == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	slot = find_slot(database);
	if (slot != NULL)
		latch = local && slot->local.latch != NULL ? slot->local.latch :
			slot->worker.latch;
	LWLockRelease(zcsync_shared->lock);

	if (latch != NULL)
		SetLatch(latch);
}

/*
 * Tell the launcher, and the workers if there are any, that something they
 * know about a database may have changed: the extension came or went, start()
 * or stop() was called.
 */
void
zcsync_signal_launcher(Oid database)
{
	ZcsyncSlot *slot;
	Latch	   *worker_latch = NULL;
	Latch	   *local_latch = NULL;
	Latch	   *launcher_latch;

	if (zcsync_shared == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot != NULL)
	{
		slot->worker.recheck = true;
		slot->local.recheck = true;
		worker_latch = slot->worker.latch;
		local_latch = slot->local.latch;
	}
	if (zcsync_shared->nsignals < ZCSYNC_SIGNALS_MAX)
		zcsync_shared->signals[zcsync_shared->nsignals] = database;
	if (zcsync_shared->nsignals <= ZCSYNC_SIGNALS_MAX)
		zcsync_shared->nsignals++;
	launcher_latch = zcsync_shared->launcher_latch;
	LWLockRelease(zcsync_shared->lock);

	if (worker_latch != NULL)
		SetLatch(worker_latch);
	if (local_latch != NULL)
		SetLatch(local_latch);
	if (launcher_latch != NULL)
		SetLatch(launcher_latch);
}

/* zcsync._preloaded(): is there shared memory, and so a launcher? */
Datum
zcsync_sql_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(zcsync_shared != NULL);
}

/*
 * zcsync._worker_slots(): the launcher (its database is null), then the
 * worker of each slot in use, and its local worker if it has or needs one.
 * Empty without preloading.
 */
Datum
zcsync_sql_worker_slots(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ZcsyncShared *copy;
	Size		size;
	Datum		values[WORKER_SLOT_COLUMNS];
	bool		nulls[WORKER_SLOT_COLUMNS];

	InitMaterializedSRF(fcinfo, 0);
	if (zcsync_shared == NULL)
		return (Datum) 0;

	/* Copy under the lock, format without it. */
	size = offsetof(ZcsyncShared, slots) +
		zcsync_shared->nslots * sizeof(ZcsyncSlot);
	copy = (ZcsyncShared *) palloc(size);
	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	memcpy(copy, zcsync_shared, size);
	LWLockRelease(zcsync_shared->lock);

	launcher_values(copy, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	for (int i = 0; i < copy->nslots; i++)
	{
		if (copy->slots[i].state == ZCSYNC_SLOT_FREE)
			continue;
		slot_values(&copy->slots[i], values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
		if (copy->slots[i].local_state == ZCSYNC_LOCAL_NONE &&
			copy->slots[i].local.last_error_at == 0)
			continue;
		local_values(&copy->slots[i], values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

static void
slot_values(const ZcsyncSlot *slot, Datum *values, bool *nulls)
{
	process_values(&slot->worker, slot->database, values, nulls);
	values[2] = CStringGetTextDatum(slot_state_name(slot->state));
	set_text(values, nulls, 3, slot->reason);
	set_text(values, nulls, 4, slot->hint);
	values[8] = UInt32GetDatum(slot->in_flight.value);
	values[10] = CStringGetTextDatum("worker");
}

/* The row of a local worker; there may be none just now. */
static void
local_values(const ZcsyncSlot *slot, Datum *values, bool *nulls)
{
	bool		refused = slot->local_state == ZCSYNC_LOCAL_REFUSED;

	process_values(&slot->local, slot->database, values, nulls);
	values[2] = CStringGetTextDatum(local_state_name(slot->local_state));
	set_text(values, nulls, 3, refused ?
			 "no background worker slot is free; routes and requests take turns" : "");
	set_text(values, nulls, 4, refused ?
			 "Raise \"max_worker_processes\" and restart the server." : "");
	values[8] = Int32GetDatum(0);
	values[10] = CStringGetTextDatum("local worker");
}

/*
 * The fields that both processes of a slot have.  An error is a message about
 * the records of its database, and is shown in that database only.
 */
static void
process_values(const ZcsyncProcess *process, Oid database, Datum *values,
			   bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * WORKER_SLOT_COLUMNS);
	values[0] = ObjectIdGetDatum(database);
	values[1] = Int32GetDatum(process->pid);
	nulls[1] = process->pid == 0;
	set_time(values, nulls, 5, process->started_at);
	set_text(values, nulls, 6,
			 database == MyDatabaseId ? process->last_error : "");
	set_time(values, nulls, 7,
			 database == MyDatabaseId ? process->last_error_at : 0);
	values[9] = Int32GetDatum(process->restarts);
	values[11] = BoolGetDatum(process->failing);
}

static void
launcher_values(const ZcsyncShared *shared, Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * WORKER_SLOT_COLUMNS);
	nulls[0] = true;
	values[1] = Int32GetDatum(shared->launcher_pid);
	nulls[1] = shared->launcher_pid == 0;
	values[2] = CStringGetTextDatum(shared->launcher_pid == 0 ? "stopped" :
									"running");
	set_text(values, nulls, 3, shared->launcher_reason);
	set_text(values, nulls, 4, shared->launcher_hint);
	set_time(values, nulls, 5, shared->launcher_started_at);
	nulls[6] = true;
	nulls[7] = true;
	values[8] = Int32GetDatum(0);
	values[9] = Int32GetDatum(0);
	values[10] = CStringGetTextDatum("launcher");
	values[11] = BoolGetDatum(false);
}

/* A text column; an empty one is null. */
static void
set_text(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value[0] == '\0';
	if (!nulls[column])
		values[column] = zcsync_clipped_text(value, ZCSYNC_TEXT_MAX);
}

/*
 * A text of shared memory as a text datum.  It has less than "size" bytes, and
 * may have been cut within a character.
 */
Datum
zcsync_clipped_text(const char *value, int size)
{
	int			len = strnlen(value, size - 1);

	len = pg_mbcliplen(value, len, len);
	return PointerGetDatum(cstring_to_text_with_len(value, len));
}

/* A time column; 0 is null. */
static void
set_time(Datum *values, bool *nulls, int column, TimestampTz time)
{
	values[column] = TimestampTzGetDatum(time);
	nulls[column] = time == 0;
}

static const char *
slot_state_name(ZcsyncSlotState state)
{
	switch (state)
	{
		case ZCSYNC_SLOT_FREE:
			return "free";
		case ZCSYNC_SLOT_STARTING:
			return "starting";
		case ZCSYNC_SLOT_RUNNING:
			return "running";
		case ZCSYNC_SLOT_ENDED:
			return "ended";
		case ZCSYNC_SLOT_IDLE:
			return "idle";
		case ZCSYNC_SLOT_BACKOFF:
			return "backoff";
		case ZCSYNC_SLOT_WAITING:
			return "waiting";
	}
	return "unknown";			/* keep compiler quiet */
}

static const char *
local_state_name(ZcsyncLocalState state)
{
	switch (state)
	{
		case ZCSYNC_LOCAL_NONE:
			return "ended";
		case ZCSYNC_LOCAL_STARTING:
			return "starting";
		case ZCSYNC_LOCAL_RUNNING:
			return "running";
		case ZCSYNC_LOCAL_REFUSED:
			return "waiting";
	}
	return "unknown";			/* keep compiler quiet */
}
