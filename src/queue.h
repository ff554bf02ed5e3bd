/*-------------------------------------------------------------------------
 *
 * queue.h
 *		The engine's side of zcsync.sync_queue, through SPI.
 *
 * IDENTIFICATION
 *		src/queue.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_QUEUE_H
#define ZCSYNC_QUEUE_H

#include "call.h"

/* An account with something due. */
typedef struct ZcsyncDueAccount
{
	int64		account_id;
	int64		version;
} ZcsyncDueAccount;

/* What must still be done, later, for a call that could not be finished. */
typedef enum ZcsyncLeftover
{
	ZCSYNC_LEFTOVER_NONE,		/* finished */
	ZCSYNC_LEFTOVER_FINISH,		/* the same outcome again */
	ZCSYNC_LEFTOVER_PUT_BACK	/* only put it back to the queue */
} ZcsyncLeftover;

extern int64 zcsync_queue_register(void);
extern void zcsync_queue_keep_registered(void);
extern void zcsync_queue_unregister(void);

/* All of these need a transaction of xact.h. */
extern void zcsync_queue_record_claimant(int64 incarnation, const char *role);
extern List *zcsync_queue_due_accounts(MemoryContext result_context);
extern void zcsync_queue_enqueue_token(int64 account_id);
extern List *zcsync_queue_claim(int64 incarnation, ZcsyncAccount *account,
								int max_calls, bool token_only,
								MemoryContext parent,
								MemoryContext result_context, bool *more);
extern void zcsync_queue_finish(int64 incarnation, int64 account_id,
								List *calls);
extern void zcsync_queue_note_limits(const ZcsyncCall *call);
extern int	zcsync_queue_recover(int64 incarnation);
extern int	zcsync_queue_resume_readable(void);
extern long zcsync_queue_enqueue_due(void);
extern long zcsync_queue_next_due_ms(void);
extern void zcsync_queue_begin_local(void);
extern int	zcsync_queue_run_local(void);
extern void zcsync_queue_stop_local(void);
extern bool zcsync_queue_local_is_open(void);
extern void zcsync_queue_create_partitions(void);
extern long zcsync_queue_next_job_ms(void);
extern bool zcsync_queue_has_due_jobs(void);

#endif							/* ZCSYNC_QUEUE_H */
