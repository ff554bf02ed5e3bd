/*-------------------------------------------------------------------------
 *
 * timeout.c
 *		Bound the SQL of routes: in time, and in what it leaves behind.
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
 * The compiled functions run with the rights of their owner, but a session has
 * more than that: settings, temporary tables, and triggers deferred to the end
 * of the transaction, which then fire with the rights of the session.  So the
 * SQL runs as a security-restricted operation, as PostgreSQL itself runs
 * functions of indexes and materialized views, with settings put back.
 *
 * IDENTIFICATION
 *		src/timeout.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timeout.h"

static TimeoutId mapping_timeout = MAX_TIMEOUTS;	/* not registered yet */
static volatile sig_atomic_t mapping_timed_out = false;

static void mapping_timeout_handler(void);

PG_FUNCTION_INFO_V1(zcsync_sql_arm_timeout);
PG_FUNCTION_INFO_V1(zcsync_sql_disarm_timeout);
PG_FUNCTION_INFO_V1(zcsync_sql_restrict);
PG_FUNCTION_INFO_V1(zcsync_sql_unrestrict);

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

/*
 * Begin a security-restricted operation in which settings are put back at the
 * end.  Returns what zcsync_sql_unrestrict() needs to end it, which the caller
 * must do in the same function; an error ends it, too.
 */
Datum
zcsync_sql_restrict(PG_FUNCTION_ARGS)
{
	Oid			user;
	int			sec_context;
	int			nestlevel = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(user, sec_context | SECURITY_RESTRICTED_OPERATION);
	PG_RETURN_INT32(nestlevel * 2 +
					((sec_context & SECURITY_RESTRICTED_OPERATION) != 0));
}

Datum
zcsync_sql_unrestrict(PG_FUNCTION_ARGS)
{
	int32		state = PG_GETARG_INT32(0);
	Oid			user;
	int			sec_context;

	AtEOXact_GUC(false, state / 2);
	GetUserIdAndSecContext(&user, &sec_context);
	if (state % 2 == 0)
		SetUserIdAndSecContext(user, sec_context & ~SECURITY_RESTRICTED_OPERATION);
	PG_RETURN_VOID();
}

/* In a signal handler: set flags only; the caller sets the latch. */
static void
mapping_timeout_handler(void)
{
	mapping_timed_out = true;
	QueryCancelPending = true;
	InterruptPending = true;
}
