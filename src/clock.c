/*-------------------------------------------------------------------------
 *
 * clock.c
 *		The time by which zcsync goes.
 *
 * All code that needs the time for a decision (when a job is due, how full a
 * budget is, which partition is needed) asks here, so that a test can move
 * the clock: builds with ZCSYNC_TESTING add the setting zcsync.clock_offset.
 *
 * IDENTIFICATION
 *		src/clock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(zcsync_sql_now);

static TimestampTz clock_offset(void);

/* The time now. */
TimestampTz
zcsync_now(void)
{
	return GetCurrentTimestamp() + clock_offset();
}

/* The time at which the transaction began. */
TimestampTz
zcsync_began_at(void)
{
	return GetCurrentTransactionStartTimestamp() + clock_offset();
}

/* zcsync._now(): the time at which the transaction began. */
Datum
zcsync_sql_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(zcsync_began_at());
}

/* How far the clock is moved, in microseconds. */
static TimestampTz
clock_offset(void)
{
#ifdef ZCSYNC_TESTING
	return (TimestampTz) (zcsync_clock_offset * USECS_PER_SEC);
#else
	return 0;
#endif
}
