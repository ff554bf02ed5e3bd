/*-------------------------------------------------------------------------
 *
 * shared.h
 *		Shared memory: what the launcher, the workers and sessions tell each
 *		other.
 *
 * IDENTIFICATION
 *		src/shared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SHARED_H
#define ZCSYNC_SHARED_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

/* Slots beyond zcsync.workers_max, for databases without a worker. */
#define ZCSYNC_EXTRA_SLOTS		64
#define ZCSYNC_SIGNALS_MAX		32
#define ZCSYNC_TEXT_MAX			256

/* The state of a database, as the launcher and its worker last set it. */
typedef enum ZcsyncSlotState
{
	ZCSYNC_SLOT_FREE,			/* names no database; then STARTING */
	ZCSYNC_SLOT_STARTING,		/* worker registered; then RUNNING, ENDED */
	ZCSYNC_SLOT_RUNNING,		/* worker attached; then ENDED */
	ZCSYNC_SLOT_ENDED,			/* worker gone, the launcher has not looked
								 * yet; then FREE, IDLE, BACKOFF, WAITING */
	ZCSYNC_SLOT_IDLE,			/* nothing may run here, see reason; then
								 * STARTING, FREE */
	ZCSYNC_SLOT_BACKOFF,		/* worker failed; then STARTING, FREE */
	ZCSYNC_SLOT_WAITING			/* no worker can be started; then STARTING,
								 * FREE */
} ZcsyncSlotState;

/* Why a worker ended. */
typedef enum ZcsyncVerdict
{
	ZCSYNC_VERDICT_NONE,		/* it did not say: terminated, or an error */
	ZCSYNC_VERDICT_ABSENT,		/* the extension is not in this database:
								 * exit code 0 and no report */
	ZCSYNC_VERDICT_PRESENT,		/* it is, but this was only a visit */
	ZCSYNC_VERDICT_REFUSED,		/* nothing may run here, see reason */
	ZCSYNC_VERDICT_AGAIN		/* start another one, since settings changed */
} ZcsyncVerdict;

/* Whether the worker of a database has a local worker beside it. */
typedef enum ZcsyncLocalState
{
	ZCSYNC_LOCAL_NONE,			/* nothing to do for it; then STARTING, REFUSED */
	ZCSYNC_LOCAL_STARTING,		/* registered; then RUNNING, NONE */
	ZCSYNC_LOCAL_RUNNING,		/* attached; then NONE */
	ZCSYNC_LOCAL_REFUSED		/* no background worker slot is free: the
								 * worker does both; then STARTING */
} ZcsyncLocalState;

/* One of the two processes of a database. */
typedef struct ZcsyncProcess
{
	int			pid;			/* 0: none */
	Latch	   *latch;			/* NULL: none */
	bool		recheck;		/* call _worker_guard() at once */
	TimestampTz started_at;		/* when it was registered; 0: never */
	TimestampTz ended_at;		/* when the last one ended; 0: never */
	int			restarts;		/* failures in a row */
	TimestampTz last_error_at;	/* 0: none */
	bool		failing;		/* the work that met the last error still
								 * fails */
	char		last_error[ZCSYNC_TEXT_MAX];
} ZcsyncProcess;

/*
 * One database.  ZcsyncShared.lock protects all fields except in_flight.  The
 * launcher owns the slot; the worker of the current generation may change it
 * while it is STARTING or RUNNING.  That worker owns the fields about its
 * local worker, which is of the same generation and ends with it.
 */
typedef struct ZcsyncSlot
{
	Oid			database;		/* InvalidOid: FREE */
	ZcsyncSlotState state;
	ZcsyncVerdict verdict;		/* valid in ENDED */
	uint32		generation;		/* counts the workers of this slot */
	bool		probe_only;		/* the worker only visits the database */
	TimestampTz start_after;	/* IDLE, BACKOFF, WAITING: not before this
								 * time; STARTING: the deadline for
								 * attaching */
	char		reason[ZCSYNC_TEXT_MAX];	/* IDLE, BACKOFF, WAITING */
	char		hint[ZCSYNC_TEXT_MAX];
	ZcsyncProcess worker;
	ZcsyncLocalState local_state;
	ZcsyncProcess local;
	pg_atomic_uint32 in_flight; /* requests on the wire */
} ZcsyncSlot;

typedef struct ZcsyncShared
{
	LWLock	   *lock;			/* protects everything below and the slots;
								 * set at start, never changed */
	int			launcher_pid;	/* 0: none */
	Latch	   *launcher_latch;	/* NULL: none */
	TimestampTz launcher_started_at;
	char		launcher_reason[ZCSYNC_TEXT_MAX];	/* "": all is well */
	char		launcher_hint[ZCSYNC_TEXT_MAX];
	int			nsignals;		/* more than ZCSYNC_SIGNALS_MAX: any
								 * database */
	Oid			signals[ZCSYNC_SIGNALS_MAX];	/* databases to look at now */
	int			nslots;			/* set at start, never changed */
	ZcsyncSlot	slots[FLEXIBLE_ARRAY_MEMBER];
} ZcsyncShared;

/* NULL when the library was not preloaded. */
extern ZcsyncShared *zcsync_shared;

extern Size zcsync_shared_size(void);
extern void zcsync_shared_init(void);

/* About the slot of the calling process; no effect outside of a worker. */
extern bool zcsync_slot_attach(int slotno, uint32 generation, Oid database,
							   bool local);
extern void zcsync_slot_report(ZcsyncVerdict verdict, const char *reason,
							   const char *hint);
extern bool zcsync_slot_take_recheck(void);
extern void zcsync_slot_set_error(const char *message);
extern void zcsync_slot_set_well(void);
extern bool zcsync_slot_failing(void);
extern void zcsync_slot_set_in_flight(int in_flight);
extern bool zcsync_slot_dismissed(void);

/* The worker's view of its local worker. */
extern ZcsyncLocalState zcsync_slot_local(TimestampTz *not_before);
extern void zcsync_slot_set_local(ZcsyncLocalState state);

/* A text that was copied into fewer than "size" bytes, cut between characters. */
extern Datum zcsync_clipped_text(const char *value, int size);

/* Signals from sessions; do not throw, so that commit callbacks can send. */
extern void zcsync_signal_worker(Oid database, bool local);
extern void zcsync_signal_launcher(Oid database);

#endif							/* ZCSYNC_SHARED_H */
