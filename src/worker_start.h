/*-------------------------------------------------------------------------
 *
 * worker_start.h
 *		Have the postmaster start a worker of one database.
 *
 * IDENTIFICATION
 *		src/worker_start.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_WORKER_START_H
#define ZCSYNC_WORKER_START_H

#include "postmaster/bgworker.h"

/* What the starter tells a worker, in bgw_extra. */
typedef struct ZcsyncWorkerStart
{
	int			slotno;
	uint32		generation;
	Oid			database;
	Oid			role;
	NameData	database_name;
	bool		probe_only;
	bool		local;			/* a local worker, started by the worker */
} ZcsyncWorkerStart;

StaticAssertDecl(sizeof(ZcsyncWorkerStart) <= BGW_EXTRALEN,
				 "ZcsyncWorkerStart must fit into bgw_extra");

/*
 * Have the postmaster start a worker.  False: max_worker_processes is reached.
 * *handle lives until the caller frees it; it is NULL then.
 */
extern bool zcsync_worker_register(const ZcsyncWorkerStart *start,
								   BackgroundWorkerHandle **handle);

#endif							/* ZCSYNC_WORKER_START_H */
