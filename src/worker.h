/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The background worker of one database.
 *
 * IDENTIFICATION
 *		src/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_WORKER_H
#define ZCSYNC_WORKER_H

#include "fmgr.h"
#include "postmaster/bgworker.h"

/* What the launcher tells a worker, in bgw_extra. */
typedef struct ZcsyncWorkerStart
{
	int			slotno;
	uint32		generation;
	Oid			database;
	Oid			role;
	NameData	database_name;
	bool		probe_only;
} ZcsyncWorkerStart;

StaticAssertDecl(sizeof(ZcsyncWorkerStart) <= BGW_EXTRALEN,
				 "ZcsyncWorkerStart must fit into bgw_extra");

extern PGDLLEXPORT void zcsync_worker_main(Datum arg);

#endif							/* ZCSYNC_WORKER_H */
