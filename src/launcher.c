/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		Finds the databases that use zcsync and gives each a worker.
 *
 * The launcher is a static background worker that is connected to no
 * database: it reads only the shared catalogs, so that it never blocks DROP
 * DATABASE.  Whether a database has the extension can only be seen from
 * inside.  So a worker visits each database that zcsync.databases names: it
 * ends at once where there is no extension, and stays where there is one.
 *
 * Workers always connect as the role zcsync.role, for visits as well.  If
 * that role does not exist, setup() has run nowhere on this server and there
 * is nothing to visit.  If it is a superuser, no worker is started at all.
 *
 * Databases without the extension are visited again at growing intervals, and
 * at once when CREATE EXTENSION or setup() commits there and sends a signal.
 * When zcsync.workers_max workers are busy, one more process at a time makes
 * these visits, so that a database that waits for a worker is known and
 * shown.
 *
 * What is known about databases in use is in the slots of shared memory; the
 * list of all databases (databases.c) and the handles of workers are in local
 * memory.  A launcher that is restarted finds the slots unchanged.
 *
 * IDENTIFICATION
 *		src/launcher.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "databases.h"
#include "launcher.h"
#include "settings.h"
#include "shared.h"
#include "worker_start.h"

#define ATTACH_TIMEOUT_MS		60000
#define BACKOFF_BASE_MS			1000
#define BACKOFF_MAX_MS			300000
#define HEALTHY_UPTIME_MS		60000
#define NO_SLOT_RETRY_MS		5000

#define NO_SLOT_REASON	"no background worker slot is free"
#define NO_SLOT_HINT	"Raise \"max_worker_processes\" and restart the server."
#define BUSY_REASON		"all database workers of zcsync are in use"
#define BUSY_HINT		"Raise \"zcsync.workers_max\" and restart the server."

/* What only the launcher needs to know of a slot. */
typedef struct LocalSlot
{
	BackgroundWorkerHandle *handle; /* NULL: none, or not started by us */
	char		logged[ZCSYNC_TEXT_MAX];	/* the reason that was logged
											 * last */
} LocalSlot;

static LocalSlot *local_slots = NULL;
static Oid	worker_role = InvalidOid;	/* InvalidOid: nothing can be started */
static bool no_slot_logged = false;
static bool busy_logged = false;

static void launcher_attach(void);
static void launcher_detach(int code, Datum arg);
static void launcher_cycle(bool refresh);
static bool somebody_waits(void);
static bool slot_is_due(TimestampTz now);
static bool slot_can_start(const ZcsyncSlot *slot, TimestampTz now);
static bool take_signals(void);
static void apply_signal(Oid database);
static void reap_slots(TimestampTz now);
static void reap_slot(int slotno, TimestampTz now);
static void settle_slot(int slotno, TimestampTz now);
static void log_refusal(int slotno);
static void free_slot(int slotno);
static void start_due(TimestampTz now);
static int	count_workers(bool probes);
static int	find_slotno(Oid database);
static void start_worker(int slotno, ZcsyncDatabase *known, TimestampTz now);
static bool register_worker(int slotno, ZcsyncDatabase *known, bool probe_only);
static void slot_wait(int slotno, int delay_ms, const char *reason,
					  const char *hint);
static long next_timeout(TimestampTz now, TimestampTz refreshed_at);

/* Register the launcher with the postmaster.  Called while preloading. */
void
zcsync_launcher_register(void)
{
	BackgroundWorker bgw;

	memset(&bgw, 0, sizeof(bgw));
	bgw.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	bgw.bgw_start_time = BgWorkerStart_RecoveryFinished;
	bgw.bgw_restart_time = 5;
	snprintf(bgw.bgw_library_name, BGW_MAXLEN, "zcsync");
	snprintf(bgw.bgw_function_name, BGW_MAXLEN, "zcsync_launcher_main");
	snprintf(bgw.bgw_name, BGW_MAXLEN, "zcsync launcher");
	snprintf(bgw.bgw_type, BGW_MAXLEN, "zcsync launcher");
	RegisterBackgroundWorker(&bgw);
}

/*
 * Main function of the launcher.  An error ends it; the postmaster starts
 * another one after bgw_restart_time.
 */
void
zcsync_launcher_main(Datum arg)
{
	MemoryContext cycle_context;
	TimestampTz refreshed_at = 0;
	bool		refresh = true;
	static uint32 wait_event = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	launcher_attach();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	local_slots = MemoryContextAllocZero(TopMemoryContext,
										 zcsync_shared->nslots *
										 sizeof(LocalSlot));
	cycle_context = AllocSetContextCreate(TopMemoryContext,
										  "zcsync launcher cycle",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cycle_context);

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (take_signals() ||
			TimestampDifferenceExceeds(refreshed_at, now,
									   zcsync_discover_interval * 1000))
			refresh = true;
		if (refresh)
			refreshed_at = now;
		launcher_cycle(refresh);
		refresh = false;

		MemoryContextSwitchTo(cycle_context);
		MemoryContextReset(cycle_context);

		Assert(!IsTransactionState());
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 next_timeout(now, refreshed_at),
						 zcsync_wait_event(&wait_event, "ZcsyncLauncherMain"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			refresh = true;
		}
	}
}

static void
launcher_attach(void)
{
	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	zcsync_shared->launcher_pid = MyProcPid;
	zcsync_shared->launcher_latch = MyLatch;
	zcsync_shared->launcher_started_at = GetCurrentTimestamp();
	LWLockRelease(zcsync_shared->lock);
	before_shmem_exit(launcher_detach, (Datum) 0);
}

static void
launcher_detach(int code, Datum arg)
{
	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	if (zcsync_shared->launcher_pid == MyProcPid)
	{
		zcsync_shared->launcher_pid = 0;
		zcsync_shared->launcher_latch = NULL;
	}
	LWLockRelease(zcsync_shared->lock);
}

/*
 * One round: see which workers ended, and start those that are due.
 */
static void
launcher_cycle(bool refresh)
{
	TimestampTz now = GetCurrentTimestamp();

	/*
	 * A database whose worker was terminated may have been dropped, so the
	 * list is read again before another worker is started.
	 */
	if (!refresh)
	{
		reap_slots(now);
		refresh = slot_is_due(now);
	}
	if (refresh)
		worker_role = zcsync_databases_refresh();
	reap_slots(now);

	if (OidIsValid(worker_role))
		start_due(now);

	/* Log it again only after it had ended in between. */
	if (!somebody_waits())
	{
		no_slot_logged = false;
		busy_logged = false;
	}
}

/* Is there a database that waits for a worker? */
static bool
somebody_waits(void)
{
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		if (zcsync_shared->slots[i].state == ZCSYNC_SLOT_WAITING)
			return true;
	}
	return false;
}

/* Is it time to start a worker where there was one before? */
static bool
slot_is_due(TimestampTz now)
{
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		if (slot_can_start(&zcsync_shared->slots[i], now))
			return true;
	}
	return false;
}

static bool
slot_can_start(const ZcsyncSlot *slot, TimestampTz now)
{
	return (slot->state == ZCSYNC_SLOT_IDLE ||
			slot->state == ZCSYNC_SLOT_BACKOFF ||
			slot->state == ZCSYNC_SLOT_WAITING) && slot->start_after <= now;
}

/*
 * Take the signals of sessions.  True if there were any: then the list of
 * databases is read again, since theirs may be too new to be on it.
 */
static bool
take_signals(void)
{
	Oid			signals[ZCSYNC_SIGNALS_MAX];
	int			nsignals;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	nsignals = zcsync_shared->nsignals;
	memcpy(signals, zcsync_shared->signals, sizeof(signals));
	zcsync_shared->nsignals = 0;
	LWLockRelease(zcsync_shared->lock);

	if (nsignals > ZCSYNC_SIGNALS_MAX)
		apply_signal(InvalidOid);
	else
	{
		for (int i = 0; i < nsignals; i++)
			apply_signal(signals[i]);
	}
	return nsignals > 0;
}

/* Visit a database now; InvalidOid: all of them. */
static void
apply_signal(Oid database)
{
	zcsync_databases_visit_now(database);

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		ZcsyncSlot *slot = &zcsync_shared->slots[i];

		if ((!OidIsValid(database) || slot->database == database) &&
			(slot->state == ZCSYNC_SLOT_IDLE ||
			 slot->state == ZCSYNC_SLOT_BACKOFF))
			slot->start_after = 0;
	}
	LWLockRelease(zcsync_shared->lock);
}

/* See which workers ended, and which databases are gone. */
static void
reap_slots(TimestampTz now)
{
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		if (zcsync_shared->slots[i].state != ZCSYNC_SLOT_FREE)
			reap_slot(i, now);
	}
}

/*
 * Only the launcher makes a slot FREE or ends a state in which it has no
 * worker, so it may look at the state without the lock first.
 */
static void
reap_slot(int slotno, TimestampTz now)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	LocalSlot  *local = &local_slots[slotno];
	bool		gone = false;
	pid_t		pid;

	/*
	 * A worker is gone when the postmaster says so; only then its background
	 * worker slot is free again.  For workers that an earlier launcher
	 * started there is no handle, only the process id.
	 */
	if (local->handle != NULL)
		gone = GetBackgroundWorkerPid(local->handle, &pid) == BGWH_STOPPED;
	else if (slot->state == ZCSYNC_SLOT_RUNNING)
		gone = BackendPidGetProc(slot->worker.pid) == NULL;
	else if (slot->state == ZCSYNC_SLOT_STARTING)
		gone = slot->start_after <= now;
	else
		gone = true;

	/* its local worker ends with it, and wakes us when it has */
	if (slot->local.pid != 0 && BackendPidGetProc(slot->local.pid) != NULL &&
		slot->state == ZCSYNC_SLOT_ENDED)
		gone = false;

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	if (gone && (slot->state == ZCSYNC_SLOT_STARTING ||
				 slot->state == ZCSYNC_SLOT_RUNNING))
	{
		/* It ended without giving back its slot, or before it took it. */
		slot->state = ZCSYNC_SLOT_ENDED;
		slot->verdict = ZCSYNC_VERDICT_NONE;
		slot->worker.pid = 0;
		slot->worker.latch = NULL;
	}
	LWLockRelease(zcsync_shared->lock);

	if (!gone)
		return;
	if (local->handle != NULL)
	{
		pfree(local->handle);
		local->handle = NULL;
	}
	if (slot->state == ZCSYNC_SLOT_ENDED)
		settle_slot(slotno, now);
	else if (zcsync_database_find(slot->database) == NULL)
		free_slot(slotno);
}

/*
 * Decide what is done about a database whose worker ended.
 */
static void
settle_slot(int slotno, TimestampTz now)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	ZcsyncDatabase *known = zcsync_database_find(slot->database);
	int			delay_ms;

	if (known == NULL || slot->verdict == ZCSYNC_VERDICT_ABSENT)
	{
		if (known != NULL)
			zcsync_database_note_miss(known, slot->worker.recheck, now);
		free_slot(slotno);
		return;
	}

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	switch (slot->verdict)
	{
		case ZCSYNC_VERDICT_REFUSED:
			slot->state = ZCSYNC_SLOT_IDLE;
			slot->worker.restarts = 0;
			slot->start_after = slot->worker.recheck ? 0 :
				TimestampTzPlusMilliseconds(now, (int64) 1000 *
											zcsync_discover_interval);
			break;
		case ZCSYNC_VERDICT_PRESENT:
			slot->state = ZCSYNC_SLOT_WAITING;
			slot->start_after = 0;
			break;
		case ZCSYNC_VERDICT_AGAIN:
			slot->state = ZCSYNC_SLOT_BACKOFF;
			slot->start_after = 0;
			break;
		default:
			if (TimestampDifferenceExceeds(slot->worker.started_at, now,
										   HEALTHY_UPTIME_MS))
				slot->worker.restarts = 0;
			delay_ms = BACKOFF_BASE_MS << Min(slot->worker.restarts, 9);
			slot->worker.restarts++;
			slot->state = ZCSYNC_SLOT_BACKOFF;
			slot->start_after =
				TimestampTzPlusMilliseconds(now, Min(delay_ms,
													 BACKOFF_MAX_MS));
			strlcpy(slot->reason, "the worker ended unexpectedly",
					ZCSYNC_TEXT_MAX);
			strlcpy(slot->hint, "See the server log for its last message.",
					ZCSYNC_TEXT_MAX);
			break;
	}
	LWLockRelease(zcsync_shared->lock);

	if (slot->state == ZCSYNC_SLOT_IDLE)
		log_refusal(slotno);
}

/* Log why nothing runs in a database, once until the reason changes. */
static void
log_refusal(int slotno)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	LocalSlot  *local = &local_slots[slotno];
	ZcsyncDatabase *known = zcsync_database_find(slot->database);

	if (known == NULL || strcmp(local->logged, slot->reason) == 0)
		return;
	strlcpy(local->logged, slot->reason, ZCSYNC_TEXT_MAX);
	ereport(LOG,
			(errmsg("zcsync does not run in database \"%s\": %s",
					NameStr(known->name), slot->reason),
			 slot->hint[0] != '\0' ? errhint("%s", slot->hint) : 0));
}

/* Forget a database.  The slot's generation keeps counting. */
static void
free_slot(int slotno)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	slot->database = InvalidOid;
	slot->state = ZCSYNC_SLOT_FREE;
	slot->verdict = ZCSYNC_VERDICT_NONE;
	slot->probe_only = false;
	slot->worker.recheck = false;
	slot->worker.pid = 0;
	slot->worker.latch = NULL;
	slot->worker.started_at = 0;
	slot->start_after = 0;
	slot->worker.restarts = 0;
	slot->worker.last_error_at = 0;
	slot->reason[0] = '\0';
	slot->hint[0] = '\0';
	slot->worker.last_error[0] = '\0';
	slot->local_state = ZCSYNC_LOCAL_NONE;
	memset(&slot->local, 0, sizeof(ZcsyncProcess));
	pg_atomic_write_u32(&slot->in_flight, 0);
	LWLockRelease(zcsync_shared->lock);

	local_slots[slotno].logged[0] = '\0';
}

/*
 * Start workers: first where the extension is known to be, then for visits.
 */
static void
start_due(TimestampTz now)
{
	ZcsyncDatabase *known;
	ListCell   *lc;

	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		ZcsyncSlot *slot = &zcsync_shared->slots[i];

		if (slot_can_start(slot, now))
		{
			known = zcsync_database_find(slot->database);
			if (known != NULL)
				start_worker(i, known, now);
		}
	}

	foreach(lc, zcsync_databases_to_visit(now))
	{
		int			slotno = find_slotno(InvalidOid);

		known = (ZcsyncDatabase *) lfirst(lc);
		if (find_slotno(known->database) >= 0)
			continue;

		/* a worker must end first, and that wakes us */
		if (slotno < 0 ||
			(count_workers(false) >= zcsync_workers_max &&
			 count_workers(true) > 0))
			break;
		start_worker(slotno, known, now);
	}
}

/* The number of all workers, or of those that only visit a database. */
static int
count_workers(bool probes)
{
	int			count = 0;

	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		ZcsyncSlot *slot = &zcsync_shared->slots[i];

		if ((slot->state == ZCSYNC_SLOT_STARTING ||
			 slot->state == ZCSYNC_SLOT_RUNNING ||
			 slot->state == ZCSYNC_SLOT_ENDED) && slot->probe_only == probes)
			count++;
	}
	return count;
}

/* The slot of a database, or with InvalidOid a free slot; -1: none. */
static int
find_slotno(Oid database)
{
	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		if (zcsync_shared->slots[i].database == database)
			return i;
	}
	return -1;
}

/*
 * Start a worker for a database in a slot that is free or already its own, or
 * note why none can be started now.
 */
static void
start_worker(int slotno, ZcsyncDatabase *known, TimestampTz now)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];
	bool		visit = slot->state == ZCSYNC_SLOT_FREE;
	bool		busy = count_workers(false) >= zcsync_workers_max;

	if (busy && !visit)
	{
		slot_wait(slotno, 0, BUSY_REASON, BUSY_HINT);
		if (!busy_logged)
			ereport(LOG,
					(errmsg("zcsync has no worker for database \"%s\": %s",
							NameStr(known->name), BUSY_REASON),
					 errhint(BUSY_HINT)));
		busy_logged = true;
		return;
	}

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	slot->database = known->database;
	slot->state = ZCSYNC_SLOT_STARTING;
	slot->verdict = ZCSYNC_VERDICT_NONE;
	slot->generation++;
	slot->probe_only = busy;
	slot->worker.recheck = false;
	slot->worker.started_at = now;
	slot->start_after = TimestampTzPlusMilliseconds(now, ATTACH_TIMEOUT_MS);
	slot->local_state = ZCSYNC_LOCAL_NONE;
	memset(&slot->local, 0, sizeof(ZcsyncProcess));
	LWLockRelease(zcsync_shared->lock);

	if (register_worker(slotno, known, busy))
		return;

	slot_wait(slotno, NO_SLOT_RETRY_MS, NO_SLOT_REASON, NO_SLOT_HINT);
	if (!no_slot_logged)
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("zcsync cannot start a worker for database \"%s\": %s",
						NameStr(known->name), NO_SLOT_REASON),
				 errhint(NO_SLOT_HINT)));
	no_slot_logged = true;
}

/* Register a worker.  False: max_worker_processes is reached. */
static bool
register_worker(int slotno, ZcsyncDatabase *known, bool probe_only)
{
	ZcsyncWorkerStart start;

	memset(&start, 0, sizeof(start));
	start.slotno = slotno;
	start.generation = zcsync_shared->slots[slotno].generation;
	start.database = known->database;
	start.role = worker_role;
	start.database_name = known->name;
	start.probe_only = probe_only;
	return zcsync_worker_register(&start, &local_slots[slotno].handle);
}

/* Note that no worker can be had for a database at present. */
static void
slot_wait(int slotno, int delay_ms, const char *reason, const char *hint)
{
	ZcsyncSlot *slot = &zcsync_shared->slots[slotno];

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	slot->state = ZCSYNC_SLOT_WAITING;
	slot->start_after = delay_ms == 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	strlcpy(slot->reason, reason, ZCSYNC_TEXT_MAX);
	strlcpy(slot->hint, hint, ZCSYNC_TEXT_MAX);
	LWLockRelease(zcsync_shared->lock);
}

/*
 * How long to wait at most, in ms.  The end of a worker wakes us, so nothing
 * that waits for one needs a time here.
 */
static long
next_timeout(TimestampTz now, TimestampTz refreshed_at)
{
	TimestampTz next = TimestampTzPlusMilliseconds(refreshed_at,
												   (int64) 1000 *
												   zcsync_discover_interval);

	for (int i = 0; i < zcsync_shared->nslots; i++)
	{
		ZcsyncSlot *slot = &zcsync_shared->slots[i];

		if (slot->state != ZCSYNC_SLOT_FREE && slot->start_after > now &&
			slot->start_after < next)
			next = slot->start_after;
	}
	return Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next),
			   10);
}
