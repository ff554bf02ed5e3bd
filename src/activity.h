/*-------------------------------------------------------------------------
 *
 * activity.h
 *		What each process that does work is doing now, in shared memory.
 *
 * IDENTIFICATION
 *		src/activity.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ACTIVITY_H
#define ZCSYNC_ACTIVITY_H

#include "call.h"

/* From now on this process works as "role", or has stopped working. */
extern void zcsync_activity_begin(const char *role);
extern void zcsync_activity_end(void);

/* What it does now; no effect in a process that did not begin. */
extern void zcsync_activity_step(const char *what);
extern void zcsync_activity_wait(int in_flight);

/* A call is on its way, and is over; "none is" after a reset. */
extern void zcsync_activity_call_begins(ZcsyncCall *call);
extern void zcsync_activity_call_ends(ZcsyncCall *call);
extern void zcsync_activity_no_calls(void);

/* Jobs that needed no call ended.  Does not throw. */
extern void zcsync_activity_jobs_ended(int64 account_id, const char *operation,
									   const char *outcome, int jobs);

/* called by shared.c while libraries are preloaded and the server starts */
extern Size zcsync_activity_shared_size(void);
extern void zcsync_activity_shared_init(void);

#endif							/* ZCSYNC_ACTIVITY_H */
