/*-------------------------------------------------------------------------
 *
 * xact.h
 *		Short transactions of the engine, in a worker and inside CALL.
 *
 * IDENTIFICATION
 *		src/xact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_XACT_H
#define ZCSYNC_XACT_H

typedef enum ZcsyncXactMode
{
	ZCSYNC_XACT_WORKER,			/* our own transactions */
	ZCSYNC_XACT_CALL,			/* CALL zcsync.run(): SPI_commit() */
	ZCSYNC_XACT_OWNER			/* the same as the owner of zcsync: CALL
								 * zcsync.evaluate_alerts() */
} ZcsyncXactMode;

#define ZCSYNC_XACT_SETTINGS	9
#define ZCSYNC_XACT_SUPERUSER_SETTINGS	2

/* Names and values of the settings under which the work runs. */
extern const char *const zcsync_xact_settings[ZCSYNC_XACT_SETTINGS][2];
extern const char *const zcsync_xact_superuser_settings[ZCSYNC_XACT_SUPERUSER_SETTINGS][2];

/*
 * Begin a transaction with SPI connected and an active snapshot; "activity" is
 * what pg_stat_activity shows meanwhile (a constant, never data).
 */
extern void zcsync_xact_begin(ZcsyncXactMode mode, const char *activity);
extern void zcsync_xact_commit(ZcsyncXactMode mode);

/* After an ERROR between begin and commit was caught. */
extern void zcsync_xact_abort(ZcsyncXactMode mode);

/*
 * Is the last commit on all the servers on which it must be before anything
 * is sent?  Throws if not; ends the process if the server is gone.
 */
extern void zcsync_xact_confirm(void);

/*
 * Asserts, before the process waits, that it holds nothing for which others
 * wait.
 */
extern void zcsync_xact_assert_idle(ZcsyncXactMode mode);

#endif							/* ZCSYNC_XACT_H */
