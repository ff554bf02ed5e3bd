/*-------------------------------------------------------------------------
 *
 * local_worker.h
 *		The local worker, as its worker sees it.
 *
 * IDENTIFICATION
 *		src/local_worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LOCAL_WORKER_H
#define ZCSYNC_LOCAL_WORKER_H

#include "worker.h"

/*
 * There is local work: see to it that a local worker does it.  False: none can
 * be had, so that the worker has to do it.
 */
extern bool zcsync_local_worker_want(const ZcsyncWorkerStart *start);

#endif							/* ZCSYNC_LOCAL_WORKER_H */
