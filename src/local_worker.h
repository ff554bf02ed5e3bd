/*-------------------------------------------------------------------------
 *
 * local_worker.h
 *		The local worker, from the worker's side.
 *
 * IDENTIFICATION
 *		src/local_worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LOCAL_WORKER_H
#define ZCSYNC_LOCAL_WORKER_H

#include "worker_start.h"

/*
 * There is local work: make sure that a local worker does it.  False: none
 * can be started, so that the worker has to do it.
 */
extern bool zcsync_local_worker_want(const ZcsyncWorkerStart *start);

#endif							/* ZCSYNC_LOCAL_WORKER_H */
