/*-------------------------------------------------------------------------
 *
 * sandbox.h
 *		Run the SQL that users wrote into routes, alone and without trace.
 *
 * IDENTIFICATION
 *		src/sandbox.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SANDBOX_H
#define ZCSYNC_SANDBOX_H

/* Does this process end because SQL of a route swallowed each cancel? */
extern bool zcsync_sandbox_ends_process(void);

#endif							/* ZCSYNC_SANDBOX_H */
