/*-------------------------------------------------------------------------
 *
 * timeout.c
 *		Bound the SQL of routes.
 *
 * statement_timeout is armed by a client's command loop only, never in a
 * background worker, and a function cannot arm it.  So the route jobs arm a
 * timeout of their own around the SQL that users wrote.  When it fires, the
 * running query is cancelled the way a user's cancel request would do it;
 * disarming tells the two apart.
 *
 * Both functions are called by zcsync._timed_route_changes() and
 * zcsync._isolate_route_changes() in one transaction; the latter disarms in
 * its exception handlers, so that no timeout outlives the SQL it bounds.
 *
 * IDENTIFICATION
 *		src/timeout.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timeout.h"

static TimeoutId mapping_timeout = MAX_TIMEOUTS;	/* not registered yet */
static volatile sig_atomic_t mapping_timed_out = false;

static void mapping_timeout_handler(void);

PG_FUNCTION_INFO_V1(zcsync_sql_arm_timeout);
PG_FUNCTION_INFO_V1(zcsync_sql_disarm_timeout);

/*
 * Cancel the running query in so many milliseconds.  Replaces a timeout that
 * is armed already; 0 disarms.
 */
Datum
zcsync_sql_arm_timeout(PG_FUNCTION_ARGS)
{
	int32		delay_ms = PG_GETARG_INT32(0);

	if (mapping_timeout == MAX_TIMEOUTS)
		mapping_timeout = RegisterTimeout(USER_TIMEOUT, mapping_timeout_handler);

	disable_timeout(mapping_timeout, false);
	mapping_timed_out = false;
	if (delay_ms > 0)
		enable_timeout_after(mapping_timeout, delay_ms);
	PG_RETURN_VOID();
}

/*
 * Disarm, and say whether it had fired.  A cancel of ours that nobody has
 * noticed yet is taken back: it came too late to matter.
 */
Datum
zcsync_sql_disarm_timeout(PG_FUNCTION_ARGS)
{
	bool		fired;

	if (mapping_timeout == MAX_TIMEOUTS)
		PG_RETURN_BOOL(false);

	disable_timeout(mapping_timeout, false);
	fired = mapping_timed_out;
	if (fired)
		QueryCancelPending = false;
	mapping_timed_out = false;
	PG_RETURN_BOOL(fired);
}

/* In a signal handler: set flags only; the caller sets the latch. */
static void
mapping_timeout_handler(void)
{
	mapping_timed_out = true;
	QueryCancelPending = true;
	InterruptPending = true;
}
