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

/* at commit, make the launcher and the worker check this database again */
extern void zcsync_wake_launcher_at_commit(void);

#endif							/* ZCSYNC_WAKE_H */
