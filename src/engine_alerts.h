/*-------------------------------------------------------------------------
 *
 * engine_alerts.h
 *		Alerts, evaluated and sent by an engine.
 *
 * IDENTIFICATION
 *		src/engine_alerts.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ENGINE_ALERTS_H
#define ZCSYNC_ENGINE_ALERTS_H

#include "engine_state.h"

extern void zcsync_engine_alerts(ZcsyncEngine *engine, TimestampTz now);
extern void zcsync_engine_alerts_forget(ZcsyncEngine *engine);
extern void zcsync_engine_alert_over(ZcsyncEngine *engine,
									 ZcsyncHttpTransfer *transfer);

#endif							/* ZCSYNC_ENGINE_ALERTS_H */
