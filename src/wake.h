/*-------------------------------------------------------------------------
 *
 * wake.h
 *		What a session does for others when its transaction commits.
 *
 * IDENTIFICATION
 *		src/wake.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_WAKE_H
#define ZCSYNC_WAKE_H

/* at commit, have the launcher and the worker look at this database anew */
extern void zcsync_wake_launcher_at_commit(void);

#endif							/* ZCSYNC_WAKE_H */
