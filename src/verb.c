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
 * The place is free again when the verb ends, and when the transaction ends or
 * the subtransaction fails in which it began.
 *
 * A verb may call another one, as a trigger does: the outer one stays what is
 * shown, and what an inner one says of its steps and records is left out, since
 * those are none of the outer one's.  Each has the level of the transaction in
 * which it began, so that an inner one that fails, its error being caught, is
 * over without the outer one.
 *
 * When all places are taken, and where the library was not preloaded, a verb is
 * not shown.
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
#include "nodes/pg_list.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
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

/*
 * The nesting level of the transaction in which that verb began, and of each
 * that it has called and that is not over.  Lives as long as the transaction.
 */
static List *levels = NIL;

PG_FUNCTION_INFO_V1(zcsync_sql_verb_begins);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_step);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_did);
PG_FUNCTION_INFO_V1(zcsync_sql_verb_ends);
PG_FUNCTION_INFO_V1(zcsync_sql_running_verbs);

static void watch_transactions(void);
static void note_level(void);
static void take_place(void);
static void drop_levels(int left);
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
	note_level();
	if (mine != NULL)
		PG_RETURN_VOID();
	LWLockAcquire(verbs->lock, LW_EXCLUSIVE);
	take_place();
	if (mine != NULL)
	{
		strlcpy(mine->name, name, sizeof(mine->name));
		set_step("", records);
	}
	LWLockRelease(verbs->lock);
	if (mine == NULL)
		levels = NIL;
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

	if (list_length(levels) != 1)
		PG_RETURN_VOID();
	step = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	LWLockAcquire(verbs->lock, LW_EXCLUSIVE);
	set_step(step, PG_ARGISNULL(1) ? RECORDS_UNKNOWN : PG_GETARG_INT64(1));
	LWLockRelease(verbs->lock);
	PG_RETURN_VOID();
}

/*
 * zcsync._verb_did(records): so many more are done.  Always true, so that it
 * can be the only condition of a query.
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
	drop_levels(list_length(levels) - 1);
	PG_RETURN_VOID();
}

void
zcsync_verb_did(int64 records)
{
	if (list_length(levels) == 1)
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

/* Another verb begins, in the transaction as it is nested now. */
static void
note_level(void)
{
	MemoryContext former = MemoryContextSwitchTo(TopTransactionContext);

	levels = lappend_int(levels, GetCurrentTransactionNestLevel());
	MemoryContextSwitchTo(former);
}

/*
 * The verbs after these are over; if none is left, so is what is shown.  Must
 * not throw or allocate.
 */
static void
drop_levels(int left)
{
	if (left > 0)
		levels = list_truncate(levels, left);
	else
		leave_place();
}

/* Leave the place.  Must not throw or allocate. */
static void
leave_place(void)
{
	levels = NIL;
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

/*
 * A verb that has failed is over, even if its error is caught.  One that began
 * in a subtransaction that succeeds is one of the parent.
 */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId mine_id,
					 SubTransactionId parent_id, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	int			left = list_length(levels);

	if (levels == NIL)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (left > 0 && list_nth_int(levels, left - 1) >= level)
			left--;
		if (left < list_length(levels))
			drop_levels(left);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		while (left > 0 && list_nth_int(levels, left - 1) >= level)
			lfirst_int(list_nth_cell(levels, --left)) = level - 1;
	}
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
