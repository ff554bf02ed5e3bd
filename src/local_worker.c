/*-------------------------------------------------------------------------
 *
 * local_worker.c
 *		The local worker, from the worker's side.
 *
 * The worker of a database looks for local work as it looks for other work,
 * and starts a local worker when there is some.  From then on, sessions that
 * queue such work wake the local worker directly (shared.c knows both), and
 * the worker wakes it only now and then, in case a wake-up was lost.
 *
 * If max_worker_processes leaves no room, the worker does the work itself,
 * logs that, and tries again from time to time.  A local worker that ended
 * with an error is replaced after a while; meanwhile the worker does not do
 * its work, since whatever ended the one might end the other.
 *
 * IDENTIFICATION
 *		src/local_worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "local_worker.h"
#include "shared.h"

#define REMIND_MS			1000
#define REFUSED_RETRY_MS	30000

static BackgroundWorkerHandle *handle = NULL;	/* of the last one started;
												 * NULL: none */

static bool has_stopped(void);
static bool start_local(const ZcsyncWorkerStart *start, TimestampTz now);
static void remind(TimestampTz now);

/* There is local work; can a local worker do it? */
bool
zcsync_local_worker_want(const ZcsyncWorkerStart *start)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz not_before;

	switch (zcsync_slot_local(&not_before))
	{
		case ZCSYNC_LOCAL_RUNNING:
			remind(now);
			return true;
		case ZCSYNC_LOCAL_STARTING:
			/* it may have ended before it took its place */
			if (has_stopped())
				zcsync_slot_set_local(ZCSYNC_LOCAL_NONE);
			return true;
		case ZCSYNC_LOCAL_NONE:
			if (now < not_before)
				return true;
			break;
		case ZCSYNC_LOCAL_REFUSED:
			break;
	}
	return start_local(start, now);
}

/* Is the process that was started last gone? */
static bool
has_stopped(void)
{
	pid_t		pid;

	return handle == NULL ||
		GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

/* Start one.  False: no background worker slot is free. */
static bool
start_local(const ZcsyncWorkerStart *start, TimestampTz now)
{
	static TimestampTz refused_at = 0;
	ZcsyncWorkerStart local = *start;

	if (refused_at != 0 &&
		!TimestampDifferenceExceeds(refused_at, now, REFUSED_RETRY_MS))
		return false;
	if (handle != NULL)
		pfree(handle);
	handle = NULL;

	local.local = true;
	zcsync_slot_set_local(ZCSYNC_LOCAL_STARTING);
	if (zcsync_worker_register(&local, &handle))
	{
		refused_at = 0;
		return true;
	}
	zcsync_slot_set_local(ZCSYNC_LOCAL_REFUSED);
	if (refused_at == 0)
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("zcsync cannot start a local worker for database \"%s\": no background worker slot is free",
						NameStr(start->database_name)),
				 errdetail("Its worker runs routes and requests in turn."),
				 errhint("Raise \"max_worker_processes\" and restart the server.")));
	refused_at = now;
	return false;
}

/* Wake the local worker, in case nothing else did. */
static void
remind(TimestampTz now)
{
	static TimestampTz reminded_at = 0;

	if (reminded_at != 0 &&
		!TimestampDifferenceExceeds(reminded_at, now, REMIND_MS))
		return;
	reminded_at = now;
	zcsync_signal_worker(MyDatabaseId, true);
}
