/*-------------------------------------------------------------------------
 *
 * verb.c
 *		How far verbs are that take long, in shared memory.
 *
 * A verb is a function that an operator calls.  It is part of a transaction,
 * so nobody sees the rows that it writes before it is over.  One that may take
 * longer than a few seconds therefore says here what it is at: its name, the
 * step, how many records that step takes, and how many are done.
 *
 * Each process takes a place of its own.  How many records are done may
 * change a million times a second: that is atomic, and only the process
 * itself writes it.  The LWLock of this file protects everything else, and is
 * held while a few fields are copied.
 *
 * The place is free again when the verb ends, and when the transaction or the
 * subtransaction ends in which it began.  A verb that is called by another one
 * takes the place of that one.  When all places are taken, and where the
 * library was not preloaded, a verb is not shown.
 *
 * IDENTIFICATION
 *		src/verb.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "shared.h"
#include "verb.h"

#define VERBS_MAX		64
#define VERB_COLUMNS	6
#define RECORDS_UNKNOWN	(-1)

typedef struct Verb
{
	int			pid;			/* 0: free */
	Oid			database;
	char		name[128];
	char		step[64];		/* "": it has no steps */
	int64		records;		/* of the step */
	TimestampTz began_at;		/* of the step */
	pg_atomic_uint64 done;		/* records; not under the lock */
} Verb;

typedef struct Verbs
{
	LWLock	   *lock;			/* set at start */
	Verb		places[VERBS_MAX];
} Verbs;

/* NULL when the library was not preloaded. */
static Verbs *verbs = NULL;

/* NULL: this process runs no verb that is shown. */
static Verb *mine = NULL;

/* The nesting level of the transaction in which that verb began. */
static int	my_level = 0;

PG_FUNCTION_INFO_V1(zcsync_sql_verb_begins);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_step);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_did);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_ends);
PG_FUNCTION_INFO_V1(zcsync_sql_running_verbs);

static void watch_transactions(void);
static void take_place(void);
static void leave_place(void);
static void set_step(const char *step, int64 records);
static void transaction_ended(XactEvent event, void *arg);
static void subtransaction_ended(SubXactEvent event, SubTransactionId mine_id,
								 SubTransactionId parent_id, void *arg);

Size
zcsync_verb_shared_size(void)
{
	return sizeof(Verbs);
}

/* The caller holds AddinShmemInitLock. */
void
zcsync_verb_shared_init(void)
{
	bool		found;

	verbs = ShmemInitStruct("zcsync verbs", zcsync_verb_shared_size(), &found);
	if (found)
		return;
	memset(verbs, 0, zcsync_verb_shared_size());
	verbs->lock = &GetNamedLWLockTranche("zcsync_verbs")->lock;
	for (int i = 0; i < VERBS_MAX; i++)
		pg_atomic_init_u64(&verbs->places[i].done, 0);
}

/*
 * zcsync._verb_begins(verb, records): from now on this session runs a verb,
 * which takes so many records; NULL: not known, or a step will tell.
 */
Datum
zcsync_sql_verb_begins(PG_FUNCTION_ARGS)
{
	char	   *name;
	int64		records = PG_ARGISNULL(1) ? RECORDS_UNKNOWN : PG_GETARG_INT64(1);

	if (verbs == NULL || PG_ARGISNULL(0))
		PG_RETURN_VOID();
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	watch_transactions();
	LWLockAcquire(verbs->lock, LW_EXCLUSIVE);
	if (mine == NULL)
		take_place();
	if (mine != NULL)
	{
		strlcpy(mine->name, name, sizeof(mine->name));
		set_step("", records);
		my_level = GetCurrentTransactionNestLevel();
	}
	LWLockRelease(verbs->lock);
	PG_RETURN_VOID();
}

/*
 * zcsync._verb_step(step, records): the verb, if there is one, begins a step,
 * which takes so many records.
 */
Datum
zcsync_sql_verb_step(PG_FUNCTION_ARGS)
{
	char	   *step;

	if (mine == NULL)
		PG_RETURN_VOID();
	step = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	LWLockAcquire(verbs->lock, LW_EXCLUSIVE);
	set_step(step, PG_ARGISNULL(1) ? RECORDS_UNKNOWN : PG_GETARG_INT64(1));
	LWLockRelease(verbs->lock);
	PG_RETURN_VOID();
}

/*
 * zcsync._verb_did(records): so many more are done.  Always true, so that a
 * condition can count the rows of a statement.
 */
Datum
zcsync_sql_verb_did(PG_FUNCTION_ARGS)
{
	zcsync_verb_did(PG_GETARG_INT64(0));
	PG_RETURN_BOOL(true);
}

/* zcsync._verb_ends(): the verb is over. */
Datum
zcsync_sql_verb_ends(PG_FUNCTION_ARGS)
{
	leave_place();
	PG_RETURN_VOID();
}

void
zcsync_verb_did(int64 records)
{
	if (mine != NULL)
		pg_atomic_write_u64(&mine->done,
							pg_atomic_read_u64(&mine->done) + records);
}

/* Take a place if one is free; the caller holds the lock. */
static void
take_place(void)
{
	for (int i = 0; i < VERBS_MAX; i++)
	{
		if (verbs->places[i].pid != 0)
			continue;
		mine = &verbs->places[i];
		mine->database = MyDatabaseId;
		mine->pid = MyProcPid;
		return;
	}
}

/* Leave the place.  Must not throw or allocate. */
static void
leave_place(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(verbs->lock, LW_EXCLUSIVE);
	mine->pid = 0;
	LWLockRelease(verbs->lock);
	mine = NULL;
}

/* The caller holds the lock. */
static void
set_step(const char *step, int64 records)
{
	strlcpy(mine->step, step, sizeof(mine->step));
	mine->records = records;
	mine->began_at = zcsync_now();
	pg_atomic_write_u64(&mine->done, 0);
}

/* Have this file told of ends of transactions; registers only once. */
static void
watch_transactions(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(transaction_ended, NULL);
	RegisterSubXactCallback(subtransaction_ended, NULL);
	registered = true;
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		leave_place();
}

/* A verb that has failed is over, even if its error is caught. */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId mine_id,
					 SubTransactionId parent_id, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB &&
		GetCurrentTransactionNestLevel() <= my_level)
		leave_place();
}

/*
 * zcsync._running_verbs(): the verbs that sessions of this database run.
 */
Datum
zcsync_sql_running_verbs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Verb	   *copy;

	InitMaterializedSRF(fcinfo, 0);
	if (verbs == NULL)
		return (Datum) 0;
	copy = palloc(sizeof(verbs->places));
	LWLockAcquire(verbs->lock, LW_SHARED);
	memcpy(copy, verbs->places, sizeof(verbs->places));
	LWLockRelease(verbs->lock);
	for (int i = 0; i < VERBS_MAX; i++)
	{
		Datum		values[VERB_COLUMNS];
		bool		nulls[VERB_COLUMNS] = {false};

		if (copy[i].pid == 0 || copy[i].database != MyDatabaseId)
			continue;
		values[0] = zcsync_clipped_text(copy[i].name, sizeof(copy[i].name));
		values[1] = zcsync_clipped_text(copy[i].step, sizeof(copy[i].step));
		nulls[1] = copy[i].step[0] == '\0';
		values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&verbs->places[i].done));
		values[3] = Int64GetDatum(copy[i].records);
		nulls[3] = copy[i].records == RECORDS_UNKNOWN;
		values[4] = TimestampTzGetDatum(copy[i].began_at);
		values[5] = Int32GetDatum(copy[i].pid);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
