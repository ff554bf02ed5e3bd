/*-------------------------------------------------------------------------
 *
 * worker_start.c
 *		Have the postmaster start a worker of one database.
 *
 * The launcher starts workers, a worker starts its local worker.
 *
 * IDENTIFICATION
 *		src/worker_start.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "worker_start.h"

/*
 * See worker_start.h.  The postmaster does not start it again when it has
 * ended; only the caller would start another one.
 */
bool
zcsync_worker_register(const ZcsyncWorkerStart *start,
					   BackgroundWorkerHandle **handle)
{
	BackgroundWorker bgw;
	MemoryContext caller;
	bool		registered;
	const char *type = start->local ? "zcsync local worker" : "zcsync worker";

	memset(&bgw, 0, sizeof(bgw));
	bgw.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION | ZCSYNC_BGWORKER_INTERRUPTIBLE;
	bgw.bgw_start_time = BgWorkerStart_RecoveryFinished;
	bgw.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(bgw.bgw_library_name, BGW_MAXLEN, "zcsync");
	snprintf(bgw.bgw_function_name, BGW_MAXLEN, "zcsync_worker_main");
	snprintf(bgw.bgw_name, BGW_MAXLEN, "%s for database %s", type,
			 NameStr(start->database_name));
	snprintf(bgw.bgw_type, BGW_MAXLEN, "%s", type);
	bgw.bgw_notify_pid = MyProcPid;
	memcpy(bgw.bgw_extra, start, sizeof(*start));

	/* the handle lives as long as the worker */
	caller = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&bgw, handle);
	MemoryContextSwitchTo(caller);
	if (!registered)
		*handle = NULL;
	return registered;
}
