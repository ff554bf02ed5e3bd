/*-------------------------------------------------------------------------
 *
 * engine.h
 *		The work itself: queue due reads -> claim -> send -> finish.
 *
 * One engine is one claimant.  The database worker and CALL zcsync.run() drive
 * the same engine; they differ only in how a transaction is made (xact.h).
 *
 * IDENTIFICATION
 *		src/engine.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ENGINE_H
#define ZCSYNC_ENGINE_H

#include "xact.h"

typedef struct ZcsyncEngine ZcsyncEngine;

/* What an engine does. */
typedef enum ZcsyncRole
{
	ZCSYNC_ROLE_ALL,			/* everything, in turn */
	ZCSYNC_ROLE_NETWORK,		/* all but local jobs, which it only looks
								 * for */
	ZCSYNC_ROLE_LOCAL			/* only local jobs; it has no sockets */
} ZcsyncRole;

extern ZcsyncEngine *zcsync_engine_create(MemoryContext parent,
										  ZcsyncXactMode mode,
										  ZcsyncRole role);

/* Change between ALL and NETWORK.  Returns whether that is a change. */
extern bool zcsync_engine_set_role(ZcsyncEngine *engine, ZcsyncRole role);

/*
 * One round of database work: finish what came back, claim and start what is
 * due, run local jobs.  May throw.  Returns how many milliseconds may pass
 * before there is something to do again, at most zcsync.poll_interval; 0: at
 * once.
 */
extern long zcsync_engine_round(ZcsyncEngine *engine);

/* Wait for the latch, the sockets or the timeout.  May throw (interrupts). */
extern void zcsync_engine_wait(ZcsyncEngine *engine, long timeout_ms);

/* After an error, outside of any transaction: forget what was in flight. */
extern void zcsync_engine_reset(ZcsyncEngine *engine);

/*
 * Did the last look for work find local jobs?  If the engine runs them
 * itself: did it run any?
 */
extern bool zcsync_engine_local_due(ZcsyncEngine *engine);

/* Is nothing in flight and nothing due now? */
extern bool zcsync_engine_idle(ZcsyncEngine *engine);

/* From now on only finish what is in flight; has that been done? */
extern void zcsync_engine_drain(ZcsyncEngine *engine);
extern bool zcsync_engine_drained(ZcsyncEngine *engine);

/* Has a step of the work failed and not succeeded since? */
extern bool zcsync_engine_failing(ZcsyncEngine *engine);

/* Requests on the wire. */
extern int	zcsync_engine_in_flight(ZcsyncEngine *engine);

extern void zcsync_engine_destroy(ZcsyncEngine *engine);

#endif							/* ZCSYNC_ENGINE_H */
