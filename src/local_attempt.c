/*-------------------------------------------------------------------------
 *
 * local_attempt.c
 *		Attempts at local jobs do not count if somebody else interrupts them.
 *
 * The SQL of a route may end the process that runs it.  So the attempt is
 * counted and committed first (see queue.c), and two attempts that did not
 * end pause the route.  But stop(), a shutdown, DROP DATABASE WITH (FORCE)
 * and pg_terminate_backend() also end the process, while a filter takes long.
 * Then the process takes the attempt back as the last thing it does, unless
 * the sandbox itself ended it.  After a crash or kill -9 nothing takes it
 * back, and it counts: the route may have caused it.
 *
 * After an error the process lives on: the next attempt takes back the one
 * before.
 *
 * IDENTIFICATION
 *		src/local_attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/pmsignal.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "local_attempt.h"
#include "queue.h"
#include "sandbox.h"
#include "settings.h"

static void take_back(int code, Datum arg);
static bool lock_notes(void);

/* From now on an attempt that is interrupted is taken back. */
void
zcsync_local_attempt_guard(void)
{
	static bool guarded = false;

	if (!guarded)
		before_shmem_exit(take_back, (Datum) 0);
	guarded = true;
}

/*
 * The process ends.  Transactions still work at this point, as they do for
 * dropping temporary tables at the end of a session; an error would only end
 * the process sooner.
 *
 * But nothing ends a wait any more: no signal, no time-out.  So this waits
 * for nobody: not for a standby, since a note that is lost in a failover only
 * counts one attempt too many; and not for the lock on a table.
 */
static void
take_back(int code, Datum arg)
{
	if (!zcsync_queue_local_is_open() || zcsync_sandbox_ends_process() ||
		!PostmasterIsAlive())
		return;

	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	XactReadOnly = false;		/* a session in CALL run() may have set it */
	SetConfigOption("synchronous_commit", "local", PGC_USERSET,
					PGC_S_OVERRIDE);
	if (OidIsValid(get_extension_oid("zcsync", true)) && lock_notes())
	{
		SetUserIdAndSecContext(get_role_oid(zcsync_role, false),
							   SECURITY_LOCAL_USERID_CHANGE);
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		zcsync_queue_stop_local();
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
}

/*
 * Lock the table that has the note, as an UPDATE of it does, unless somebody
 * holds a lock that conflicts.
 */
static bool
lock_notes(void)
{
	Oid			notes = get_relname_relid("route_attempts",
										  get_namespace_oid("zcsync", false));

	return OidIsValid(notes) &&
		ConditionalLockRelationOid(notes, RowExclusiveLock);
}
