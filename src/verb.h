/*-------------------------------------------------------------------------
 *
 * verb.h
 *		How far verbs are that take long, in shared memory.
 *
 * IDENTIFICATION
 *		src/verb.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_VERB_H
#define ZCSYNC_VERB_H

/* The verb of this session, if there is one, did so many more; cannot throw. */
extern void zcsync_verb_did(int64 records);

/* called by zcsync.c while libraries are preloaded and the server starts */
extern Size zcsync_verb_shared_size(void);
extern void zcsync_verb_shared_init(void);

#endif							/* ZCSYNC_VERB_H */
