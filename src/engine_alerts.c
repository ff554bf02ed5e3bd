/*-------------------------------------------------------------------------
 *
 * engine_alerts.c
 *		Alerts, evaluated and sent by an engine.
 *
 * Once a minute an engine evaluates the alert rules (alerts.c) and takes the
 * messages that are due, in one transaction; if there are many, it takes more
 * of them each second.  It sends them beside its other transfers, so a target
 * that does not answer delays nothing.  Messages that an engine forgets when
 * it is reset are sent again, as after a crash.
 *
 * IDENTIFICATION
 *		src/engine_alerts.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "alerts.h"
#include "engine_alerts.h"

#ifdef ZCSYNC_TESTING
#define ALERTS_INTERVAL_MS	2000
#define ALERTS_APART_MS		1000
#else
#define ALERTS_INTERVAL_MS	60000
#define ALERTS_APART_MS		50000	/* not sooner than another process did */
#endif
#define ALERTS_AT_ONCE		10
#define ALERTS_MORE_MS		1000

static void step_decide(ZcsyncEngine *engine);
static void step_record(ZcsyncEngine *engine);
static void engine_keep(ZcsyncEngine *engine, ZcsyncDelivery *delivery);

/*
 * Record what became of messages, and now and then decide on new ones and send
 * them.
 */
void
zcsync_engine_alerts(ZcsyncEngine *engine, TimestampTz now)
{
	ListCell   *lc;

	if (engine->deliveries != NIL &&
		zcsync_engine_step(engine, &engine->record_alerts, step_record,
						   "zcsync: record alerts"))
		zcsync_engine_alerts_forget(engine);
	if (engine->draining ||
		!zcsync_engine_is_due(engine->alerts.not_before, ALERTS_INTERVAL_MS, now))
		return;

	engine->taken = NIL;
	if (!zcsync_engine_step(engine, &engine->alerts, step_decide,
							"zcsync: evaluate alerts"))
	{
		/* taken, but not committed: they are still waiting */
		foreach(lc, engine->taken)
			zcsync_alerts_free(lfirst(lc));
		return;
	}
	engine->alerts.not_before =
		TimestampTzPlusMilliseconds(now, engine->more_alerts ? ALERTS_MORE_MS :
									ALERTS_INTERVAL_MS);
	foreach(lc, engine->taken)
	{
		if (!zcsync_alerts_start(engine->http, lfirst(lc)))
			engine_keep(engine, lfirst(lc));
	}
}

/*
 * Free the messages that are over.  Those that were not recorded remain marked
 * as being sent, and are taken again when their next attempt is due.
 */
void
zcsync_engine_alerts_forget(ZcsyncEngine *engine)
{
	ListCell   *lc;

	foreach(lc, engine->deliveries)
		zcsync_alerts_free(lfirst(lc));
	list_free(engine->deliveries);
	engine->deliveries = NIL;
}

/* A message was sent, or could not be. */
void
zcsync_engine_alert_over(ZcsyncEngine *engine, ZcsyncHttpTransfer *transfer)
{
	ZcsyncDelivery *delivery = zcsync_http_transfer_owner(transfer);

	zcsync_alerts_over(transfer);
	engine_keep(engine, delivery);
}

/* Keep a message that is over until that is recorded. */
static void
engine_keep(ZcsyncEngine *engine, ZcsyncDelivery *delivery)
{
	MemoryContext old = MemoryContextSwitchTo(engine->context);

	engine->deliveries = lappend(engine->deliveries, delivery);
	MemoryContextSwitchTo(old);
}

/*
 * In a transaction: evaluate the rules, or go on with the messages that are
 * left, and take messages.  If this fails, they go back with the transaction.
 */
static void
step_decide(ZcsyncEngine *engine)
{
	int			max = Min(ALERTS_AT_ONCE, zcsync_http_free_slots(engine->http));
	MemoryContext old;
	List	   *taken;

	if (!zcsync_alerts_decide(ALERTS_APART_MS) && !engine->more_alerts)
		return;
	engine->more_alerts = true;
	if (max <= 0)
		return;
	taken = zcsync_alerts_take(engine->work, max);
	engine->more_alerts = list_length(taken) == max;
	old = MemoryContextSwitchTo(engine->round);
	engine->taken = list_copy(taken);
	MemoryContextSwitchTo(old);
}

static void
step_record(ZcsyncEngine *engine)
{
	zcsync_alerts_record(engine->deliveries);
}
