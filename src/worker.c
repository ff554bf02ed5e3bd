/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background workers of one database.
 *
 * A database has a worker, which holds the sockets and does everything except
 * local work.  While there is local work (routes, rows that had to wait), it
 * also has a local worker, so that a slow expression of a user delays no
 * reply.  Both run the loop in this file.  They differ in who starts them and
 * in the role of their engine; and a local worker ends when it had nothing to
 * do for a minute, or when its worker ends (local_worker.c).
 *
 * The launcher starts a worker for each database that may use zcsync.  It
 * connects as the role zcsync.role, never as a superuser, and ends at once if
 * there is no extension.  Otherwise it asks zcsync._worker_guard() whether
 * zcsync may work here (setup() has been run, the tables are of this version,
 * stop() was not called, the database is not a copy), and ends with the
 * reason if not.  The launcher shows the reason and tries again later, or as
 * soon as somebody signals a change.  The guard is asked again at most once a
 * second, and at once after a signal, so that stop() takes effect within a
 * second.
 *
 * The work itself is the engine's, see engine.h.  After an error in it, other
 * than those that jobs may cause, the error is reported, the transaction is
 * rolled back, requests in flight are forgotten (their jobs are found again),
 * and the next round waits.
 *
 * IDENTIFICATION
 *		src/worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "engine.h"
#include "local_worker.h"
#include "settings.h"
#include "shared.h"
#include "worker_start.h"
#include "xact.h"

#define GUARD_INTERVAL_MS		1000
#define ERROR_PAUSE_MS			1000
#define ERROR_PAUSE_MAX_MS		60000
#define LINGER_MS				60000	/* after so long without work a
										 * local worker ends */

/* the postmaster calls it by its name, see worker_start.c */
extern PGDLLEXPORT void zcsync_worker_main(Datum arg);

static void worker_connect(const ZcsyncWorkerStart *start);
static void worker_force_settings(void);
static void worker_loop(const ZcsyncWorkerStart *start);
static void worker_round(const ZcsyncWorkerStart *start, ZcsyncEngine *engine);
static void local_round(ZcsyncEngine *engine);
static void note_health(ZcsyncEngine *engine);
static void worker_check_guard(void);
static void worker_ask_guard(void);
static void worker_note_timeline(void);
static void worker_end(ZcsyncVerdict verdict, const char *reason,
					   const char *hint);
static void worker_reload(const ZcsyncWorkerStart *start, const char *role);
static void worker_recover(ZcsyncEngine *engine, MemoryContext context);
static void worker_pause(int errors);

/* When the guard was last asked; 0: never. */
static TimestampTz guard_asked_at = 0;

/* Main function of a worker; ZcsyncWorkerStart has its arguments. */
void
zcsync_worker_main(Datum arg)
{
	ZcsyncWorkerStart start;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (!zcsync_slot_attach(start.slotno, start.generation, start.database,
							start.local))
		proc_exit(0);

	worker_connect(&start);

	/* ends the process if there is no extension */
	zcsync_xact_begin(ZCSYNC_XACT_WORKER, "zcsync: look for the extension");
	zcsync_xact_commit(ZCSYNC_XACT_WORKER);

	if (start.probe_only)
		worker_end(ZCSYNC_VERDICT_PRESENT, NULL, NULL);

	worker_loop(&start);
}

/* Connect to the database, as a role that is no superuser. */
static void
worker_connect(const ZcsyncWorkerStart *start)
{
	bool		is_superuser;

	BackgroundWorkerInitializeConnectionByOid(start->database, start->role, 0);

	StartTransactionCommand();
	is_superuser = superuser();
	CommitTransactionCommand();
	if (is_superuser)
		worker_end(ZCSYNC_VERDICT_REFUSED,
				   "the role of \"zcsync.role\" is a superuser",
				   "Name another role, or run ALTER ROLE ... NOSUPERUSER.");

	worker_force_settings();
	pgstat_report_appname(start->local ? "zcsync local worker" :
						  "zcsync worker");
}

/*
 * Settings that must hold, whatever the server, the database or the role have
 * set.
 */
static void
worker_force_settings(void)
{
	static const char *const forced[][2] = {
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"role", "none"},
	};

	for (int i = 0; i < lengthof(forced); i++)
		SetConfigOption(forced[i][0], forced[i][1],
						PGC_SUSET, PGC_S_OVERRIDE);
	for (int i = 0; i < ZCSYNC_XACT_SETTINGS; i++)
		SetConfigOption(zcsync_xact_settings[i][0], zcsync_xact_settings[i][1],
						PGC_SUSET, PGC_S_OVERRIDE);
	for (int i = 0; i < ZCSYNC_XACT_SUPERUSER_SETTINGS; i++)
		SetConfigOption(zcsync_xact_superuser_settings[i][0],
						zcsync_xact_superuser_settings[i][1],
						PGC_SUSET, PGC_S_OVERRIDE);

	/* from PostgreSQL 17 on; this one is armed in workers, too */
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		SetConfigOption("transaction_timeout", "0",
						PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Work until told to end.
 */
static void
worker_loop(const ZcsyncWorkerStart *start)
{
	MemoryContext context;
	ZcsyncEngine *engine;
	char	   *role;
	volatile int errors = 0;

	context = AllocSetContextCreate(TopMemoryContext, "zcsync worker",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	role = pstrdup(zcsync_role);

	worker_check_guard();
	if (!start->local)
		worker_note_timeline();
	engine = zcsync_engine_create(context, ZCSYNC_XACT_WORKER,
								  start->local ? ZCSYNC_ROLE_LOCAL :
								  ZCSYNC_ROLE_NETWORK);

	for (;;)
	{
		volatile bool failed = false;

		PG_TRY();
		{
			CHECK_FOR_INTERRUPTS();
			worker_check_guard();
			if (start->local)
				local_round(engine);
			else
				worker_round(start, engine);
		}
		PG_CATCH();
		{
			worker_recover(engine, context);
			failed = true;
		}
		PG_END_TRY();

		MemoryContextSwitchTo(context);
		errors = failed ? errors + 1 : 0;
		if (failed)
			worker_pause(errors);
		if (ConfigReloadPending)
			worker_reload(start, role);
	}
}

/* One round of the worker: work, have local work done, wait. */
static void
worker_round(const ZcsyncWorkerStart *start, ZcsyncEngine *engine)
{
	long		timeout_ms = zcsync_engine_round(engine);

	note_health(engine);
	if (zcsync_engine_local_due(engine))
	{
		bool		there = zcsync_local_worker_want(start);

		/* at once, if local work has just become this process's */
		if (zcsync_engine_set_role(engine, there ? ZCSYNC_ROLE_NETWORK :
								   ZCSYNC_ROLE_ALL))
			timeout_ms = 0;
	}
	zcsync_engine_wait(engine, timeout_ms);
}

/* One round of a local worker, unless it is time to end. */
static void
local_round(ZcsyncEngine *engine)
{
	static TimestampTz busy_at = 0;
	long		timeout_ms;
	long		left_ms;

	if (zcsync_slot_dismissed())
		proc_exit(0);
	timeout_ms = zcsync_engine_round(engine);
	note_health(engine);
	if (busy_at == 0 || zcsync_engine_local_due(engine))
		busy_at = GetCurrentTimestamp();
	left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
											  TimestampTzPlusMilliseconds(busy_at,
																		  LINGER_MS));
	if (left_ms <= 0)
		proc_exit(0);
	zcsync_engine_wait(engine, Min(timeout_ms, left_ms));
}

/* A round succeeded: once no step fails any more, show no error. */
static void
note_health(ZcsyncEngine *engine)
{
	if (zcsync_slot_failing() && !zcsync_engine_failing(engine))
		zcsync_slot_set_well();
}

/* Ask the guard if it is time. */
static void
worker_check_guard(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!zcsync_slot_take_recheck() && guard_asked_at != 0 &&
		!TimestampDifferenceExceeds(guard_asked_at, now, GUARD_INTERVAL_MS))
		return;

	/* without an answer nothing is done, and the guard is asked again */
	guard_asked_at = 0;
	worker_ask_guard();
	guard_asked_at = now;
}

/*
 * Ask zcsync._worker_guard() whether zcsync may work in this database, and
 * end the process if not.  If we have no USAGE on the schema, setup() has not
 * been run here, since it grants that.
 */
static void
worker_ask_guard(void)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		may_run = false;
	char	   *reason = "zcsync.setup() has not been run";
	char	   *hint = "SELECT * FROM zcsync.setup();";

	zcsync_xact_begin(ZCSYNC_XACT_WORKER, "zcsync: ask _worker_guard()");
	if (zcsync_may_use_schema(get_namespace_oid("zcsync", false),
							  GetUserId()))
	{
		TupleDesc	desc;
		HeapTuple	row;
		bool		isnull;

		if (SPI_execute("SELECT may_run, reason, hint FROM zcsync._worker_guard()",
						true, 1) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "zcsync._worker_guard() returned no row");
		desc = SPI_tuptable->tupdesc;
		row = SPI_tuptable->vals[0];
		may_run = DatumGetBool(SPI_getbinval(row, desc, 1, &isnull));
		if (isnull)
			may_run = false;
		reason = SPI_getvalue(row, desc, 2);
		hint = SPI_getvalue(row, desc, 3);
	}

	/* survives the transaction, and is freed with the process */
	if (!may_run)
	{
		reason = reason ? MemoryContextStrdup(caller, reason) : NULL;
		hint = hint ? MemoryContextStrdup(caller, hint) : NULL;
	}
	zcsync_xact_commit(ZCSYNC_XACT_WORKER);

	if (!may_run)
		worker_end(ZCSYNC_VERDICT_REFUSED, reason, hint);
	zcsync_slot_report(ZCSYNC_VERDICT_NONE, NULL, NULL);
}

/* Notice a failover before any work is done. */
static void
worker_note_timeline(void)
{
	zcsync_xact_begin(ZCSYNC_XACT_WORKER, "zcsync: look for a failover");
	if (SPI_execute("SELECT zcsync._note_timeline()", false, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not call zcsync._note_timeline()");
	zcsync_xact_commit(ZCSYNC_XACT_WORKER);
}

/* End this process, telling the launcher why. */
static void
worker_end(ZcsyncVerdict verdict, const char *reason, const char *hint)
{
	zcsync_slot_report(verdict, reason, hint);
	proc_exit(0);
}

/*
 * Read the configuration again.  Another role needs another connection, and a
 * database that is no longer listed needs no worker.
 */
static void
worker_reload(const ZcsyncWorkerStart *start, const char *role)
{
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);

	if (!zcsync_settings_names_database(NameStr(start->database_name)))
		worker_end(ZCSYNC_VERDICT_ABSENT, NULL, NULL);
	if (strcmp(zcsync_role, role) != 0)
		worker_end(ZCSYNC_VERDICT_AGAIN, "the role of workers was changed",
				   NULL);
	worker_force_settings();
}

/*
 * After an error: report it, leave the transaction and forget what was in
 * flight.  Called in a PG_CATCH block.
 */
static void
worker_recover(ZcsyncEngine *engine, MemoryContext context)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	EmitErrorReport();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	MemoryContextSwitchTo(context);
	zcsync_slot_set_error(error->message ? error->message : "unnamed error");
	FreeErrorData(error);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();

	zcsync_engine_reset(engine);
}

/*
 * Wait after an error, twice as long after each one in a row.  New work must
 * not shorten the wait, so the latch is reset and the wait goes on.  Signals
 * of the launcher do shorten it, since they may be about the cause of the
 * error.
 */
static void
worker_pause(int errors)
{
	int			pause_ms = Min(ERROR_PAUSE_MS << Min(errors - 1, 6),
							   ERROR_PAUSE_MAX_MS);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													pause_ms);
	static uint32 wait_event = 0;

	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   until);

		if (left <= 0 || ConfigReloadPending)
			break;
		if (zcsync_slot_dismissed())
			proc_exit(0);
		zcsync_xact_assert_idle(ZCSYNC_XACT_WORKER);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left,
						 zcsync_wait_event(&wait_event, "ZcsyncWorkerPause"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (zcsync_slot_take_recheck())
		{
			guard_asked_at = 0;
			break;
		}
	}
}
