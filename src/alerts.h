/*-------------------------------------------------------------------------
 *
 * alerts.h
 *		Messages to alert targets.
 *
 * IDENTIFICATION
 *		src/alerts.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ALERTS_H
#define ZCSYNC_ALERTS_H

#include "http.h"

/* One message that is to be sent.  All of it is in "context". */
typedef struct ZcsyncDelivery
{
	MemoryContext context;
	int64		delivery_id;
	int64		target_id;
	ZcsyncHttpRequest http;		/* has the target's secrets in clear */
	char	   *error;			/* once it is over: why it was not taken, or
								 * NULL */
} ZcsyncDelivery;

/* These three need a transaction of xact.h. */

/* Evaluate the rules, unless another process did lately.  True: we did. */
extern bool zcsync_alerts_decide(int64 silent_for_ms);

/*
 * Take at most so many messages, with a context of their own each below
 * "parent"; the list is in the current one.
 */
extern List *zcsync_alerts_take(MemoryContext parent, int max);

/* Record what became of messages that are over. */
extern void zcsync_alerts_record(List *deliveries);

/* Start to send one.  False: it cannot be sent; it is over, with an error. */
extern bool zcsync_alerts_start(ZcsyncHttp *http, ZcsyncDelivery *delivery);

/* Its transfer is over: note the result.  Releases the transfer. */
extern void zcsync_alerts_over(ZcsyncHttpTransfer *transfer);

/* Free a message, and wipe the secrets in it. */
extern void zcsync_alerts_free(ZcsyncDelivery *delivery);

#endif							/* ZCSYNC_ALERTS_H */
