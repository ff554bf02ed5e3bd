/*-------------------------------------------------------------------------
 *
 * xact.c
 *		Short transactions of the engine, in a worker and inside CALL.
 *
 * The engine does its database work in many short transactions, so that no
 * snapshot, transaction id or lock is held during a request.  In a worker
 * these are transactions of its own.  Inside CALL zcsync.run() there always
 * is a transaction, begun by the session.  Each piece of work is then a
 * subtransaction, which an error can undo, followed by SPI_commit().  It has
 * an SPI connection of its own, since the memory of results is freed only
 * with the connection.
 *
 * In both cases the work runs as the role named by zcsync.role: a worker is
 * connected as that role, and run() assumes it for each piece of work.
 * Only evaluate_alerts() works as the owner of zcsync: it must also tell that
 * there is no such role.
 *
 * Both check at the beginning of each piece that the extension is still there,
 * and hold a lock on it until the end, so that DROP EXTENSION waits for a piece
 * of work and never sees half of one.
 *
 * IDENTIFICATION
 *		src/xact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/pmsignal.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "activity.h"
#include "compat.h"
#include "settings.h"
#include "shared.h"
#include "xact.h"

/*
 * Settings under which the SQL of zcsync runs, whatever the server, the
 * database, the role or the session that calls run() have set.
 */
const char *const zcsync_xact_settings[ZCSYNC_XACT_SETTINGS][2] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"datestyle", "ISO, YMD"},
	{"exit_on_error", "off"},	/* errors are caught */
	{"intervalstyle", "postgres"},
	{"jit", "off"},
	{"lock_timeout", "1s"},		/* for waits behind users; blocked work is
								 * tried again */
	{"plpgsql.extra_errors", "none"},
	{"row_security", "on"},
	{"standard_conforming_strings", "on"},
};

/* More such settings, which only a superuser may set; not for SQL of users. */
const char *const zcsync_xact_superuser_settings[ZCSYNC_XACT_SUPERUSER_SETTINGS][2] = {
	{"session_replication_role", "origin"}, /* triggers notice what is written */
	{"temp_file_limit", "-1"},
};

/* What zcsync_xact_begin() must undo inside CALL. */
static ResourceOwner call_owner = NULL;
static MemoryContext call_context = NULL;
static Oid	call_user = InvalidOid;
static int	call_sec_context = 0;
static int	call_guc_nestlevel = 0;
static int	call_xact_nestlevel = 0;

static bool commit_is_replicated(void);
static void xact_begin_worker(const char *activity);
static void xact_begin_call(ZcsyncXactMode mode);
static Oid	extension_owner(void);
static bool xact_lock_extension(void);

/*
 * Begin a piece of work: a transaction with SPI connected and an active
 * snapshot.  CurrentMemoryContext is short-lived afterwards; whatever must
 * outlive the commit is allocated elsewhere.  In a worker this does not return
 * if the extension is gone: the process ends quietly.
 */
void
zcsync_xact_begin(ZcsyncXactMode mode, const char *activity)
{
	zcsync_activity_step(activity);
	if (mode == ZCSYNC_XACT_WORKER)
		xact_begin_worker(activity);
	else
		xact_begin_call(mode);
}

/*
 * Commit a piece of work.  CurrentMemoryContext is the caller's again.
 */
void
zcsync_xact_commit(ZcsyncXactMode mode)
{
	if (mode == ZCSYNC_XACT_WORKER)
	{
		MemoryContext caller = call_context;

		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
		pgstat_report_stat(true);
		pgstat_report_activity(STATE_IDLE, NULL);
		MemoryContextSwitchTo(caller);
		return;
	}

	SPI_finish();
	AtEOXact_GUC(true, call_guc_nestlevel);
	SetUserIdAndSecContext(call_user, call_sec_context);
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(call_context);
	CurrentResourceOwner = call_owner;
	PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(call_context);
}

/*
 * Undo a piece of work after an error in it was caught.  In a worker, this
 * may be called without an open transaction.
 */
void
zcsync_xact_abort(ZcsyncXactMode mode)
{
	if (mode == ZCSYNC_XACT_WORKER)
	{
		MemoryContext caller = call_context;

		AbortOutOfAnyTransaction();
		pgstat_report_activity(STATE_IDLE, NULL);
		if (caller != NULL)
			MemoryContextSwitchTo(caller);
		return;
	}

	/*
	 * The error may have come before the subtransaction began, or from
	 * SPI_commit(), which has rolled back everything by itself.
	 */
	if (GetCurrentTransactionNestLevel() > call_xact_nestlevel)
	{
		/* also restores settings, user and SPI connections */
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = call_owner;
	}
	MemoryContextSwitchTo(call_context);
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(call_context);
}

/*
 * Called between a claim and its request.  The wait for a synchronous standby
 * ends early, and the commit returns as if all were well, when the process is
 * told to end, when its statement is cancelled, and when the postmaster is
 * gone.  A standby that takes over then would know nothing of the claim.  The
 * postmaster may also have ended at any other time, and somebody may have
 * promoted a standby since.
 */
void
zcsync_xact_confirm(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ProcDiePending || !PostmasterIsAlive())
		proc_exit(1);
	if (!commit_is_replicated())
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the wait for synchronous replication was canceled"),
				 errdetail("What was claimed is not sent, and is claimed anew."),
				 errhint("To work without a standby, change \"synchronous_standby_names\" and reload.")));
}

/*
 * Has the last commit reached the synchronous standbys, if there have to be
 * any?
 */
static bool
commit_is_replicated(void)
{
	int			mode;
	bool		reached;

	if (!SyncRepRequested() || SyncRepStandbyNames == NULL ||
		SyncRepStandbyNames[0] == '\0')
		return true;
	mode = synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_WRITE ?
		SYNC_REP_WAIT_WRITE :
		synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_APPLY ?
		SYNC_REP_WAIT_APPLY : SYNC_REP_WAIT_FLUSH;
	LWLockAcquire(SyncRepLock, LW_SHARED);
	reached = WalSndCtl->lsn[mode] >= XactLastCommitEnd;
	LWLockRelease(SyncRepLock);
	return reached;
}

static void
xact_begin_worker(const char *activity)
{
	call_context = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (!xact_lock_extension())
	{
		CommitTransactionCommand();
		zcsync_slot_report(ZCSYNC_VERDICT_ABSENT, NULL, NULL);
		proc_exit(0);
	}
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

/*
 * Assert that nothing is held for which others could wait.  Called before
 * waiting for the network or for time.  A worker is in no transaction then;
 * run() is in that of its CALL, which has neither a snapshot nor a
 * transaction id.
 */
void
zcsync_xact_assert_idle(ZcsyncXactMode mode)
{
	Assert(mode != ZCSYNC_XACT_WORKER || !IsTransactionState());
	Assert(!ActiveSnapshotSet());
	Assert(!TransactionIdIsValid(GetTopTransactionIdIfAny()));
}

#ifdef ZCSYNC_TESTING
PG_FUNCTION_INFO_V1(zcsync_test_idle);

/*
 * zcsync_test_idle(): what a worker asserts before it waits.  A session that
 * calls it is in a transaction, so it ends the session and with it the test.
 */
Datum
zcsync_test_idle(PG_FUNCTION_ARGS)
{
	zcsync_xact_assert_idle(ZCSYNC_XACT_WORKER);
	PG_RETURN_VOID();
}
#endif

/*
 * run() has connected SPI, and the session's transaction is open already.
 * The role as which the work runs, and its settings, hold until the piece of
 * work ends.
 *
 * The transaction has only just begun, with the session's defaults, and has
 * done nothing yet: so its isolation level can still be changed to the one
 * that the queue needs.
 *
 * Throws if the extension is gone; before the subtransaction, so that a caller
 * that does not catch it leaves none open.
 */
static void
xact_begin_call(ZcsyncXactMode mode)
{
	Oid			role;

	call_context = CurrentMemoryContext;
	call_owner = CurrentResourceOwner;
	call_xact_nestlevel = GetCurrentTransactionNestLevel();
	Assert(!FirstSnapshotSet);
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	if (!xact_lock_extension())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"zcsync\" was dropped"),
				 errhint("CREATE EXTENSION zcsync; SELECT * FROM zcsync.setup();")));
	role = mode == ZCSYNC_XACT_OWNER ? extension_owner() :
		get_role_oid(zcsync_role, true);
	/* setup() makes the role, and lets it in */
	if (!OidIsValid(role) ||
		!zcsync_may_use_schema(get_namespace_oid("zcsync", false), role))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("zcsync is not set up in this database"),
				 OidIsValid(role) ?
				 errdetail("Role \"%s\" may not use schema \"zcsync\".",
						   zcsync_role) :
				 errdetail("Role \"%s\" does not exist.", zcsync_role),
				 errhint("Run SELECT * FROM zcsync.setup();")));
	PushActiveSnapshot(GetTransactionSnapshot());
	BeginInternalSubTransaction("zcsync");
	GetUserIdAndSecContext(&call_user, &call_sec_context);
	SetUserIdAndSecContext(role,
						   call_sec_context | SECURITY_LOCAL_USERID_CHANGE);
	call_guc_nestlevel = NewGUCNestLevel();
	for (int i = 0; i < ZCSYNC_XACT_SETTINGS; i++)
		(void) set_config_option(zcsync_xact_settings[i][0],
								 zcsync_xact_settings[i][1],
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; i < ZCSYNC_XACT_SUPERUSER_SETTINGS; i++)
		(void) set_config_option(zcsync_xact_superuser_settings[i][0],
								 zcsync_xact_superuser_settings[i][1],
								 PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
}

/*
 * The owner of the schema of zcsync, which the extension made.  What it runs
 * as this role are functions of zcsync only, which run as it in any case.
 */
static Oid
extension_owner(void)
{
	Oid			schema = get_namespace_oid("zcsync", false);
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Keep the extension from being dropped until the end of this transaction;
 * false if it was dropped already.
 */
static bool
xact_lock_extension(void)
{
	Oid			extension;

	PushActiveSnapshot(GetTransactionSnapshot());
	extension = get_extension_oid("zcsync", true);
	if (OidIsValid(extension))
	{
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		/* it may have been dropped while we waited for the lock */
		if (get_extension_oid("zcsync", true) != extension)
			extension = InvalidOid;
	}
	PopActiveSnapshot();
	return OidIsValid(extension);
}
