/*-------------------------------------------------------------------------
 *
 * metrics.h
 *		Counters in shared memory of what the workers did.
 *
 * IDENTIFICATION
 *		src/metrics.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_METRICS_H
#define ZCSYNC_METRICS_H

#include "call.h"

/* Count a call whose reply, or end without one, was judged. */
extern void zcsync_metrics_count_call(const ZcsyncCall *call);

/* called by shared.c while libraries are preloaded and the server starts */
extern Size zcsync_metrics_shared_size(void);
extern void zcsync_metrics_shared_init(void);

#endif							/* ZCSYNC_METRICS_H */
