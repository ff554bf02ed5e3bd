/*-------------------------------------------------------------------------
 *
 * alert_secret.h
 *		The secrets of alert targets.
 *
 * IDENTIFICATION
 *		src/alert_secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ALERT_SECRET_H
#define ZCSYNC_ALERT_SECRET_H

#include "nodes/pg_list.h"

/*
 * The secrets of an alert target, of ZcsyncCredential, allocated in "context".
 * Needs a transaction.  Where one cannot be opened, *message and *hint say why;
 * else they are NULL.
 */
extern List *zcsync_alert_secrets_open(MemoryContext context, int64 target_id,
									   char **message, char **hint);

#endif							/* ZCSYNC_ALERT_SECRET_H */
