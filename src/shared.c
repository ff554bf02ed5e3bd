/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Shared memory: what the launcher, the workers and sessions tell each
 *		other.
 *
 * There is one slot for each database that is known to use zcsync, or is
 * being looked at, and a few words about the launcher.  One LWLock protects
 * all of it: it is taken a few times a second at most, and held for copying a
 * few fields, never over SPI, I/O or an allocation.  Only the counter of
 * requests in flight is written often, and is atomic.
 *
 * Latches here point into PGPROC, which is shared memory too.  A latch whose
 * process ended belongs to the next user of that PGPROC, whom a spurious
 * wake-up does not harm.
 *
 * IDENTIFICATION
 *		src/shared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "cache_store.h"
#include "settings.h"
#include "shared.h"

#define WORKER_SLOT_COLUMNS		10

PG_FUNCTION_INFO_V1(zcsync_sql_preloaded);
PG_FUNCTION_INFO_V1(zcsync_sql_worker_slots);

ZcsyncShared *zcsync_shared = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* The slot of this process, if it is a worker that attached. */
static ZcsyncSlot *my_slot = NULL;
static uint32 my_generation = 0;

static Size shared_size(void);
static void shared_request_hook(void);
static void shared_startup_hook(void);
static void slot_detach(int code, Datum arg);
static ZcsyncSlot *find_slot(Oid database);
static void slot_values(const ZcsyncSlot *slot, Datum *values, bool *nulls);
static void launcher_values(const ZcsyncShared *shared, Datum *values,
							bool *nulls);
static void set_text(Datum *values, bool *nulls, int column, const char *value);
static void set_time(Datum *values, bool *nulls, int column, TimestampTz time);
static const char *slot_state_name(ZcsyncSlotState state);

/* Ask for shared memory.  Called while libraries are preloaded. */
void
zcsync_shared_request(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shared_request_hook;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_startup_hook;
}

static Size
shared_size(void)
{
	return add_size(offsetof(ZcsyncShared, slots),
					mul_size(add_size(zcsync_workers_max, ZCSYNC_EXTRA_SLOTS),
							 sizeof(ZcsyncSlot)));
}

static void
shared_request_hook(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche("zcsync", 1);
	RequestAddinShmemSpace(zcsync_cache_shared_size());
	RequestNamedLWLockTranche("zcsync_cache", 1);
}

static void
shared_startup_hook(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	zcsync_shared = ShmemInitStruct("zcsync", shared_size(), &found);
	if (!found)
	{
		memset(zcsync_shared, 0, shared_size());
		zcsync_shared->lock = &GetNamedLWLockTranche("zcsync")->lock;
		zcsync_shared->nslots = zcsync_workers_max + ZCSYNC_EXTRA_SLOTS;
		for (int i = 0; i < zcsync_shared->nslots; i++)
			pg_atomic_init_u32(&zcsync_shared->slots[i].in_flight, 0);
	}
	zcsync_cache_shared_init();
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Make this process the worker of a slot.  False when the launcher no longer
 * expects it: it gave up waiting and may have started another.
 */
bool
zcsync_slot_attach(int slotno, uint32 generation, Oid database)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	bool		expected;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	expected = slot->state == ZCSYNC_SLOT_STARTING &&
		slot->generation == generation && slot->database == database;
	if (expected)
	{
		slot->state = ZCSYNC_SLOT_RUNNING;
		slot->verdict = ZCSYNC_VERDICT_NONE;
		slot->pid = MyProcPid;
		slot->latch = MyLatch;
		slot->recheck = false;
		my_slot = slot;
		my_generation = generation;
	}
	LWLockRelease(zcsync_shared->lock);

	if (expected)
		before_shmem_exit(slot_detach, (Datum) 0);
	return expected;
}

/*
 * Leave the slot when the process ends, however it ends.  Does nothing if the
 * slot is no longer ours.
 */
static void
slot_detach(int code, Datum arg)
{
	Latch	   *launcher_latch = NULL;

	if (my_slot == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	if (my_slot->pid == MyProcPid && my_slot->generation == my_generation)
	{
		/* who ends quietly without a word found no extension */
		if (code == 0 && my_slot->verdict == ZCSYNC_VERDICT_NONE)
			my_slot->verdict = ZCSYNC_VERDICT_ABSENT;
		my_slot->state = ZCSYNC_SLOT_ENDED;
		my_slot->pid = 0;
		my_slot->latch = NULL;
		pg_atomic_write_u32(&my_slot->in_flight, 0);
		launcher_latch = zcsync_shared->launcher_latch;
	}
	LWLockRelease(zcsync_shared->lock);
	my_slot = NULL;

	if (launcher_latch)
		SetLatch(launcher_latch);
}

/*
 * Say why this worker is about to end; or, with ZCSYNC_VERDICT_NONE, that all
 * is well.  Reason and hint may be NULL.
 */
void
zcsync_slot_report(ZcsyncVerdict verdict, const char *reason, const char *hint)
{
	if (my_slot == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	my_slot->verdict = verdict;
	strlcpy(my_slot->reason, reason ? reason : "", ZCSYNC_TEXT_MAX);
	strlcpy(my_slot->hint, hint ? hint : "", ZCSYNC_TEXT_MAX);
	LWLockRelease(zcsync_shared->lock);
}

/* Was this worker told to ask _worker_guard() at once?  Clears the order. */
bool
zcsync_slot_take_recheck(void)
{
	bool		recheck;

	if (my_slot == NULL)
		return false;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	recheck = my_slot->recheck;
	my_slot->recheck = false;
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
	strlcpy(my_slot->last_error, message, ZCSYNC_TEXT_MAX);
	my_slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(zcsync_shared->lock);
}

/* Show how many requests this worker has on the wire. */
void
zcsync_slot_set_in_flight(int in_flight)
{
	if (my_slot != NULL)
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

/* Wake the worker of a database, if there is one. */
void
zcsync_signal_worker(Oid database)
{
	ZcsyncSlot *slot;
	Latch	   *latch = NULL;

	if (zcsync_shared == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	slot = find_slot(database);
	if (slot != NULL)
		latch = slot->latch;
	LWLockRelease(zcsync_shared->lock);

	if (latch != NULL)
		SetLatch(latch);
}

/*
 * Tell the launcher, and the worker if there is one, that what they know of
 * a database may have changed: the extension came or went, start() or stop().
 */
void
zcsync_signal_launcher(Oid database)
{
	ZcsyncSlot *slot;
	Latch	   *worker_latch = NULL;
	Latch	   *launcher_latch;

	if (zcsync_shared == NULL)
		return;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot != NULL)
	{
		slot->recheck = true;
		worker_latch = slot->latch;
	}
	if (zcsync_shared->nsignals < ZCSYNC_SIGNALS_MAX)
		zcsync_shared->signals[zcsync_shared->nsignals] = database;
	if (zcsync_shared->nsignals <= ZCSYNC_SIGNALS_MAX)
		zcsync_shared->nsignals++;
	launcher_latch = zcsync_shared->launcher_latch;
	LWLockRelease(zcsync_shared->lock);

	if (worker_latch != NULL)
		SetLatch(worker_latch);
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
 * zcsync._worker_slots(): the launcher (its database is null), then all slots
 * in use.  Empty without preloading.
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
	}
	return (Datum) 0;
}

static void
slot_values(const ZcsyncSlot *slot, Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * WORKER_SLOT_COLUMNS);
	values[0] = ObjectIdGetDatum(slot->database);
	values[1] = Int32GetDatum(slot->pid);
	nulls[1] = slot->pid == 0;
	values[2] = CStringGetTextDatum(slot_state_name(slot->state));
	set_text(values, nulls, 3, slot->reason);
	set_text(values, nulls, 4, slot->hint);
	set_time(values, nulls, 5, slot->started_at);
	set_text(values, nulls, 6, slot->last_error);
	set_time(values, nulls, 7, slot->last_error_at);
	values[8] = UInt32GetDatum(slot->in_flight.value);
	values[9] = Int32GetDatum(slot->restarts);
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
}

/* A text column; an empty one is null. */
static void
set_text(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value[0] == '\0';
	if (!nulls[column])
	{
		/* The text may have been cut within a character. */
		int			len = strlen(value);

		len = pg_mbcliplen(value, len, len);
		values[column] = PointerGetDatum(cstring_to_text_with_len(value, len));
	}
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
