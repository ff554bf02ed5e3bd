/*-------------------------------------------------------------------------
 *
 * http_deadline.h
 *		When an HTTP transfer has taken too long.
 *
 * IDENTIFICATION
 *		src/http_deadline.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_HTTP_DEADLINE_H
#define ZCSYNC_HTTP_DEADLINE_H

#include "http_transfer.h"

/* All times are microseconds of the caller's monotonic clock. */
extern void zcsync_deadline_start(HttpTransfer *transfer, int timeout_ms,
								  int64 now_us);
extern void zcsync_deadline_extend(HttpTransfer *transfer, int64 now_us);
extern int64 zcsync_deadline_next(const HttpTransfer *transfer);
extern const char *zcsync_deadline_passed(HttpTransfer *transfer, int64 now_us);

#endif							/* ZCSYNC_HTTP_DEADLINE_H */
