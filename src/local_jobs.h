/*-------------------------------------------------------------------------
 *
 * local_jobs.h
 *		Are there jobs that send nothing: routes, rows that had to wait?
 *
 * IDENTIFICATION
 *		src/local_jobs.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LOCAL_JOBS_H
#define ZCSYNC_LOCAL_JOBS_H

/* All of these need a transaction of xact.h. */
extern bool zcsync_local_jobs_due(void);
extern long zcsync_local_jobs_next_ms(void);

#endif							/* ZCSYNC_LOCAL_JOBS_H */
