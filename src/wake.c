/*-------------------------------------------------------------------------
 *
 * wake.c
 *		What a session does for others when its transaction commits.
 *
 * A function that makes work sets a flag, and one transaction callback sends
 * the signal once the work can be seen.  The callback runs after the commit,
 * where an error would be fatal for the server: it only takes a lock and sets
 * latches.  A prepared transaction sends no signal, and neither does one on a
 * server without preloading: polling finds their work.
 *
 * The notice of CREATE EXTENSION is sent from here for the same reason: the
 * server would not show it while its script runs.  It is sent just before the
 * commit, unless setup() or a restore has made the tables by then.
 *
 * IDENTIFICATION
 *		src/wake.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "shared.h"
#include "wake.h"

PG_FUNCTION_INFO_V1(zcsync_sql_wake);
PG_FUNCTION_INFO_V1(zcsync_sql_wake_launcher);
PG_FUNCTION_INFO_V1(zcsync_sql_announce);

/* State of the current transaction. */
static bool wake_worker = false;
static bool wake_local = false;
static bool wake_launcher = false;
static bool announce = false;

static void watch_transactions(void);
static bool have_tables(void);
static void transaction_ended(XactEvent event, void *arg);

/*
 * At commit, make the launcher and the worker check again whether and how
 * this database uses zcsync.
 */
void
zcsync_wake_launcher_at_commit(void)
{
	watch_transactions();
	wake_launcher = true;
}

/*
 * zcsync._wake(local): for local work the local worker, otherwise the worker
 */
Datum
zcsync_sql_wake(PG_FUNCTION_ARGS)
{
	watch_transactions();
	if (PG_GETARG_BOOL(0))
		wake_local = true;
	else
		wake_worker = true;
	PG_RETURN_VOID();
}

/* zcsync._wake_launcher() */
Datum
zcsync_sql_wake_launcher(PG_FUNCTION_ARGS)
{
	zcsync_wake_launcher_at_commit();
	PG_RETURN_VOID();
}

/*
 * zcsync._announce(): say at commit what to do next, if it has not been done.
 */
Datum
zcsync_sql_announce(PG_FUNCTION_ARGS)
{
	watch_transactions();
	announce = true;
	PG_RETURN_VOID();
}

/*
 * Have transaction_ended() called from now on.  Registered callbacks cannot
 * be listed, so remember that ours is, and register it only once.
 */
static void
watch_transactions(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(transaction_ended, NULL);
	registered = true;
}

/* Are the tables of zcsync there? */
static bool
have_tables(void)
{
	Oid			schema = get_namespace_oid("zcsync", true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid("installation", schema));
}

/* Must not throw or allocate once the transaction has committed. */
static void
transaction_ended(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (announce && !have_tables())
				ereport(NOTICE,
						(errmsg("zcsync is installed, but has no tables yet"),
						 errhint("Run SELECT * FROM zcsync.setup(); and then SELECT * FROM zcsync.selfcheck();")));
			return;
		case XACT_EVENT_COMMIT:
			if (wake_worker)
				zcsync_signal_worker(MyDatabaseId, false);
			if (wake_local)
				zcsync_signal_worker(MyDatabaseId, true);
			if (wake_launcher)
				zcsync_signal_launcher(MyDatabaseId);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	wake_worker = false;
	wake_local = false;
	wake_launcher = false;
	announce = false;
}
