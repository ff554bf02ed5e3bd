/*-------------------------------------------------------------------------
 *
 * local_attempt.h
 *		Attempts at local jobs do not count if somebody else interrupts them.
 *
 * IDENTIFICATION
 *		src/local_attempt.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LOCAL_ATTEMPT_H
#define ZCSYNC_LOCAL_ATTEMPT_H

extern void zcsync_local_attempt_guard(void);

#endif							/* ZCSYNC_LOCAL_ATTEMPT_H */
