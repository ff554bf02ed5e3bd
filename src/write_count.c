/*-------------------------------------------------------------------------
 *
 * write_count.c
 *		How many remote records a transaction has written to so far.
 *
 * The write brake (sql/mirror/notice.sql) uses this number.  Writes of a
 * savepoint that is rolled back must not count.  So the count is a stack with
 * an element for each nested transaction that has written something, the
 * innermost on top.  It lives in TopTransactionContext; the callbacks only
 * change it, so they can neither fail nor allocate.
 *
 * IDENTIFICATION
 *		src/write_count.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(zcsync_sql_count_writes);

typedef struct WriteCount
{
	int			level;			/* of nesting; 1: the transaction itself */
	int64		writes;			/* of this level, without inner ones */
	struct WriteCount *outer;	/* NULL: no outer level has written */
} WriteCount;

static WriteCount *innermost = NULL;

static void watch_transactions(void);
static void transaction_ended(XactEvent event, void *arg);
static void subtransaction_ended(SubXactEvent event, SubTransactionId mine,
								 SubTransactionId parent, void *arg);

/*
 * zcsync._count_writes(n): add n to the remote records that this transaction
 * writes to and return their sum, without what was rolled back.
 */
Datum
zcsync_sql_count_writes(PG_FUNCTION_ARGS)
{
	int64		n = PG_GETARG_INT64(0);
	int			level = GetCurrentTransactionNestLevel();
	int64		sum = 0;

	watch_transactions();
	if (innermost == NULL || innermost->level < level)
	{
		WriteCount *count = MemoryContextAllocZero(TopTransactionContext,
												   sizeof(WriteCount));

		count->level = level;
		count->outer = innermost;
		innermost = count;
	}
	if (n < 0 || pg_add_s64_overflow(innermost->writes, n, &innermost->writes))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of writes is out of range: %lld",
						(long long) n)));
	for (WriteCount *count = innermost; count != NULL; count = count->outer)
		sum += count->writes;
	PG_RETURN_INT64(sum);
}

/* Registered callbacks cannot be listed: register ours only once. */
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
		innermost = NULL;
}

/*
 * The count of a nested transaction is added to the next outer one, or
 * forgotten.
 */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId mine,
					 SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (innermost == NULL || innermost->level < level)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		innermost = innermost->outer;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (innermost->outer != NULL && innermost->outer->level == level - 1)
		{
			innermost->outer->writes += innermost->writes;
			innermost = innermost->outer;
		}
		else
			innermost->level = level - 1;
	}
}
