/*-------------------------------------------------------------------------
 *
 * metrics.c
 *		Counters in shared memory of what the workers did.
 *
 * A series is a set of labels with a count and, for calls and connections, a
 * histogram of the time that they took.  There is a fixed number of series for
 * all databases of the server, and they stay until it restarts, as readers of
 * counters expect.  When there is no more room, counts go into one series
 * "other" of the database and family, and when there is no room for that
 * either, into one of all databases.
 *
 * Counting takes no lock: the counts are atomic, and a process remembers
 * where each of its series is.  It takes the LWLock once for each series, to
 * find or add it.  A series is never removed or changed, so readers need no
 * lock either: they read the first "used" series.
 *
 * Calls are counted when they are over.  SQL reports how jobs ended, within
 * the transaction that records it; they are counted when that commits, except
 * those that were rolled back to a savepoint.
 *
 * IDENTIFICATION
 *		src/metrics.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "activity.h"
#include "compat.h"
#include "connector.h"
#include "metrics.h"
#include "shared.h"

#define SERIES_MAX			2048
#define SERIES_OTHER		64	/* of these only for lines "other" */
#define SERIES_COLUMNS		11
#define PENDING_MAX			128
#define ENDING_HOW			2	/* columns of zcsync.ending */
#define ENDING_STATUS		3

/* Upper bounds of the buckets of a duration, in microseconds. */
static const int64 bounds_us[] = {
	50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000,
	30000000
};

#define BUCKETS				((int) lengthof(bounds_us))

typedef enum MetricFamily
{
	METRIC_CALLS,				/* requests: name is what was asked for, detail
								 * the class of the outcome */
	METRIC_OPERATIONS,			/* jobs that ended: name is the operation,
								 * detail the status */
	METRIC_SAVED,				/* calls that were not needed: name says why */
	METRIC_CONNECTIONS			/* new ones: name is "made" */
} MetricFamily;

static const char *const family_names[] = {
	"calls", "operations", "saved", "connections"
};

#define FAMILIES			((int) lengthof(family_names))

/* The labels of a series.  Compared byte by byte: unused bytes are zero. */
typedef struct MetricKey
{
	int64		account_id;		/* 0: not known */
	Oid			database;		/* InvalidOid: of all */
	int			family;			/* MetricFamily */
	int			status;			/* of HTTP; 0: there was no reply */
	char		method[12];
	char		vendor[24];
	char		name[40];
	char		detail[24];
} MetricKey;

typedef struct MetricSeries
{
	MetricKey	key;
	pg_atomic_uint64 count;
	pg_atomic_uint64 sum_us;	/* how long they took together, if measured */
	pg_atomic_uint64 buckets[lengthof(bounds_us)];	/* of those, how many
													 * ended within a bound, but
													 * not within the one before */
} MetricSeries;

/* The first FAMILIES series are those called "other", of all databases. */
typedef struct Metrics
{
	LWLock	   *lock;			/* set at start; for adding a series */
	pg_atomic_uint32 used;		/* series; grows under the lock */
	MetricSeries series[SERIES_MAX];
} Metrics;

/* Where a process has found a series. */
typedef struct KnownSeries
{
	MetricKey	key;			/* must be first */
	int			place;
} KnownSeries;

/* What is counted when the transaction commits. */
typedef struct PendingCount
{
	int			place;
	int			level;			/* of nesting; 1: the transaction itself */
	bool		needed_no_call; /* for activity.c, which knows the others */
	uint64		n;
} PendingCount;

/* NULL when the library was not preloaded. */
static Metrics *metrics = NULL;

static HTAB *known = NULL;
static PendingCount pending[PENDING_MAX];
static int	npending = 0;

PG_FUNCTION_INFO_V1(zcsync_sql_count_endings);
PG_FUNCTION_INFO_V1(zcsync_sql_count_operations);
PG_FUNCTION_INFO_V1(zcsync_sql_metric_series);
PG_FUNCTION_INFO_V1(zcsync_sql_reset_metrics);

static MetricKey make_key(MetricFamily family, int64 account_id,
						  const char *name);
static int	place_of(const MetricKey *key);
static int	find_or_add(const MetricKey *key);
static int	find(const MetricKey *key);
static int	add(const MetricKey *key, int limit);
static void count_duration(const MetricKey *key, int64 duration_us);
static void count_operation(int64 account_id, const char *operation,
							const char *status, bool needed_no_call);
static void watch_transactions(void);
static void transaction_ended(XactEvent event, void *arg);
static void subtransaction_ended(SubXactEvent event, SubTransactionId mine,
								 SubTransactionId parent, void *arg);
static void series_values(MetricSeries *series, Datum *values, bool *nulls);
static Datum bounds_array(void);
static Datum buckets_array(MetricSeries *series);

Size
zcsync_metrics_shared_size(void)
{
	return sizeof(Metrics);
}

/* Make the counters, or find them.  The caller holds AddinShmemInitLock. */
void
zcsync_metrics_shared_init(void)
{
	bool		found;

	metrics = ShmemInitStruct("zcsync metrics", sizeof(Metrics), &found);
	if (found)
		return;
	memset(metrics, 0, sizeof(Metrics));
	metrics->lock = &GetNamedLWLockTranche("zcsync_metrics")->lock;
	pg_atomic_init_u32(&metrics->used, 0);
	for (int i = 0; i < SERIES_MAX; i++)
	{
		pg_atomic_init_u64(&metrics->series[i].count, 0);
		pg_atomic_init_u64(&metrics->series[i].sum_us, 0);
		for (int j = 0; j < BUCKETS; j++)
			pg_atomic_init_u64(&metrics->series[i].buckets[j], 0);
	}
	for (int i = 0; i < FAMILIES; i++)
	{
		MetricKey	key = make_key(i, 0, "other");

		key.database = InvalidOid;
		(void) add(&key, SERIES_MAX);
	}
}

/* Labels of a series of this database, with only these set. */
static MetricKey
make_key(MetricFamily family, int64 account_id, const char *name)
{
	MetricKey	key;

	memset(&key, 0, sizeof(key));
	key.database = MyDatabaseId;
	key.family = family;
	key.account_id = account_id;
	strlcpy(key.name, name, sizeof(key.name));
	return key;
}

/* The place of the counts of these labels, which this process remembers. */
static int
place_of(const MetricKey *key)
{
	KnownSeries *entry;
	bool		found;

	if (known == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(MetricKey);
		ctl.entrysize = sizeof(KnownSeries);
		ctl.hcxt = TopMemoryContext;
		known = hash_create("zcsync metrics", 128, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(known, key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		int			place = find_or_add(key);

		entry = hash_search(known, key, HASH_ENTER, &found);
		entry->place = place;
	}
	return entry->place;
}

/* The series of these labels, or the series "other" if there is no room. */
static int
find_or_add(const MetricKey *key)
{
	MetricKey	other = make_key(key->family, 0, "other");
	int			place;

	LWLockAcquire(metrics->lock, LW_EXCLUSIVE);
	place = find(key);
	if (place < 0)
		place = add(key, SERIES_MAX - SERIES_OTHER);
	if (place < 0)
		place = find(&other);
	if (place < 0)
		place = add(&other, SERIES_MAX);
	if (place < 0)
		place = key->family;
	LWLockRelease(metrics->lock);
	return place;
}

/* The caller holds the lock. */
static int
find(const MetricKey *key)
{
	int			used = pg_atomic_read_u32(&metrics->used);

	for (int i = 0; i < used; i++)
	{
		if (memcmp(&metrics->series[i].key, key, sizeof(*key)) == 0)
			return i;
	}
	return -1;
}

/*
 * Add a series if there are fewer than "limit".  The caller holds the lock.
 * Other processes see it when its labels are complete.
 */
static int
add(const MetricKey *key, int limit)
{
	int			used = pg_atomic_read_u32(&metrics->used);

	if (used >= limit)
		return -1;
	metrics->series[used].key = *key;
	pg_write_barrier();
	pg_atomic_write_u32(&metrics->used, used + 1);
	return used;
}

/*
 * Count a call, the connection if one was made for it, and the calls that
 * were saved because others travelled with it.
 */
void
zcsync_metrics_count_call(const ZcsyncCall *call)
{
	MetricKey	key;
	int			jobs = list_length(call->members);

	if (metrics == NULL || call->http.method == NULL)
		return;
	key = make_key(METRIC_CALLS, call->account->account_id,
				   call->op != NULL ? call->op : "none");
	key.status = call->status;
	strlcpy(key.method, call->http.method, sizeof(key.method));
	strlcpy(key.vendor, call->account->connector->name, sizeof(key.vendor));
	strlcpy(key.detail, zcsync_outcome_name(call->outcome), sizeof(key.detail));
	count_duration(&key, Max(call->duration_us, 0));
	if (call->connect_us > 0)
	{
		key = make_key(METRIC_CONNECTIONS, call->account->account_id, "made");
		count_duration(&key, call->connect_us);
	}
	if (jobs > 1)
	{
		key = make_key(METRIC_SAVED, call->account->account_id, "batched");
		pg_atomic_fetch_add_u64(&metrics->series[place_of(&key)].count,
								jobs - 1);
	}
}

/* Count one more of these labels, which took so long. */
static void
count_duration(const MetricKey *key, int64 duration_us)
{
	MetricSeries *series = &metrics->series[place_of(key)];

	pg_atomic_fetch_add_u64(&series->count, 1);
	pg_atomic_fetch_add_u64(&series->sum_us, duration_us);
	for (int i = 0; i < BUCKETS; i++)
	{
		if (duration_us <= bounds_us[i])
		{
			pg_atomic_fetch_add_u64(&series->buckets[i], 1);
			break;
		}
	}
}

/*
 * zcsync._count_endings(account, operation, endings): count jobs of the
 * account that ended, at commit; returns the endings.  A page after which
 * there are more counts as one, too; a job that must be finished again does
 * not.
 */
Datum
zcsync_sql_count_endings(PG_FUNCTION_ARGS)
{
	int64		account_id = PG_GETARG_INT64(0);
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ArrayType  *endings = PG_GETARG_ARRAYTYPE_P(2);
	Datum	   *elements;
	bool	   *element_nulls;
	int			n;
	TupleDesc	desc;

	if (metrics == NULL)
		PG_RETURN_DATUM(PG_GETARG_DATUM(2));
	deconstruct_array(endings, ARR_ELEMTYPE(endings), -1, false,
					  TYPALIGN_DOUBLE, &elements, &element_nulls, &n);
	desc = lookup_rowtype_tupdesc(ARR_ELEMTYPE(endings), -1);
	for (int i = 0; i < n; i++)
	{
		HeapTupleHeader header = DatumGetHeapTupleHeader(elements[i]);
		HeapTupleData tuple;
		Datum		how;
		Datum		status;
		bool		isnull;
		bool		status_isnull;

		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuple.t_data = header;
		how = heap_getattr(&tuple, ENDING_HOW, desc, &isnull);
		status = heap_getattr(&tuple, ENDING_STATUS, desc, &status_isnull);
		if (!isnull && strcmp(TextDatumGetCString(how), "ended") == 0)
			count_operation(account_id, operation,
							status_isnull ? "done" : TextDatumGetCString(status),
							false);
		else if (!isnull && strcmp(TextDatumGetCString(how), "again") == 0)
			count_operation(account_id, operation, "continued", false);
	}
	ReleaseTupleDesc(desc);
	PG_RETURN_DATUM(PG_GETARG_DATUM(2));
}

/* zcsync._count_operations(account, operation, statuses): the same for others */
Datum
zcsync_sql_count_operations(PG_FUNCTION_ARGS)
{
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum	   *statuses;
	bool	   *nulls;
	int			n;

	if (metrics == NULL)
		PG_RETURN_VOID();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false,
					  TYPALIGN_INT, &statuses, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			count_operation(PG_GETARG_INT64(0), operation,
							TextDatumGetCString(statuses[i]), true);
	}
	PG_RETURN_VOID();
}

/*
 * Count a job when the transaction commits.  If there is no room to remember
 * one more kind of job, it is counted at once.
 */
static void
count_operation(int64 account_id, const char *operation, const char *status,
				bool needed_no_call)
{
	MetricKey	key = make_key(METRIC_OPERATIONS, account_id, operation);
	int			level = GetCurrentTransactionNestLevel();
	int			place;

	strlcpy(key.detail, status, sizeof(key.detail));
	place = place_of(&key);
	watch_transactions();
	for (int i = 0; i < npending; i++)
	{
		if (pending[i].place == place && pending[i].level == level &&
			pending[i].needed_no_call == needed_no_call)
		{
			pending[i].n++;
			return;
		}
	}
	if (npending == PENDING_MAX)
		pg_atomic_fetch_add_u64(&metrics->series[place].count, 1);
	else
		pending[npending++] = (PendingCount) {place, level, needed_no_call, 1};
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

/* Must not throw or allocate once the transaction has committed. */
static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
	{
		for (int i = 0; i < npending; i++)
		{
			MetricSeries *series = &metrics->series[pending[i].place];

			pg_atomic_fetch_add_u64(&series->count, pending[i].n);
			if (pending[i].needed_no_call)
				zcsync_activity_jobs_ended(series->key.account_id,
										   series->key.name, series->key.detail,
										   (int) pending[i].n);
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		npending = 0;
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
	int			kept = 0;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	for (int i = 0; i < npending; i++)
	{
		if (pending[i].level >= level)
		{
			if (event == SUBXACT_EVENT_ABORT_SUB)
				continue;
			pending[i].level = level - 1;
		}
		pending[kept++] = pending[i];
	}
	npending = kept;
}

/* zcsync._metric_series(): the series of this database, and those of all. */
Datum
zcsync_sql_metric_series(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[SERIES_COLUMNS];
	bool		nulls[SERIES_COLUMNS];
	int			used;

	InitMaterializedSRF(fcinfo, 0);
	if (metrics == NULL)
		return (Datum) 0;
	used = pg_atomic_read_u32(&metrics->used);
	pg_read_barrier();
	for (int i = 0; i < used; i++)
	{
		MetricSeries *series = &metrics->series[i];

		if (pg_atomic_read_u64(&series->count) == 0 ||
			(series->key.database != MyDatabaseId &&
			 series->key.database != InvalidOid))
			continue;
		series_values(series, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
series_values(MetricSeries *series, Datum *values, bool *nulls)
{
	const MetricKey *key = &series->key;
	bool		calls = key->family == METRIC_CALLS;

	memset(nulls, 0, sizeof(bool) * SERIES_COLUMNS);
	values[0] = CStringGetTextDatum(family_names[key->family]);
	values[1] = Int64GetDatum(key->account_id);
	nulls[1] = key->account_id == 0;
	values[2] = zcsync_clipped_text(key->vendor, sizeof(key->vendor));
	values[3] = zcsync_clipped_text(key->name, sizeof(key->name));
	values[4] = zcsync_clipped_text(key->method, sizeof(key->method));
	values[5] = Int32GetDatum(key->status);
	values[6] = zcsync_clipped_text(key->detail, sizeof(key->detail));
	nulls[2] = nulls[4] = nulls[5] = !calls;
	nulls[6] = key->detail[0] == '\0';

	/* the buckets first: then none is larger than the whole */
	values[9] = bounds_array();
	values[10] = buckets_array(series);
	pg_read_barrier();
	values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&series->count));
	values[8] = Float8GetDatum(pg_atomic_read_u64(&series->sum_us) / 1000000.0);
	nulls[8] = nulls[9] = nulls[10] = !calls &&
		key->family != METRIC_CONNECTIONS;
}

/* The bounds of the buckets, in seconds, as float8[]. */
static Datum
bounds_array(void)
{
	Datum		elements[lengthof(bounds_us)];

	for (int i = 0; i < BUCKETS; i++)
		elements[i] = Float8GetDatum(bounds_us[i] / 1000000.0);
	return PointerGetDatum(construct_array(elements, BUCKETS, FLOAT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* How many calls ended within each of the bounds, as int8[]. */
static Datum
buckets_array(MetricSeries *series)
{
	Datum		elements[lengthof(bounds_us)];
	int64		sum = 0;

	for (int i = 0; i < BUCKETS; i++)
	{
		sum += (int64) pg_atomic_read_u64(&series->buckets[i]);
		elements[i] = Int64GetDatum(sum);
	}
	return PointerGetDatum(construct_array(elements, BUCKETS, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * zcsync._reset_metrics(): start counting from 0 for this database, as after
 * a restart of the server.
 */
Datum
zcsync_sql_reset_metrics(PG_FUNCTION_ARGS)
{
	int			used;

	if (metrics == NULL)
		PG_RETURN_VOID();
	used = pg_atomic_read_u32(&metrics->used);
	pg_read_barrier();
	for (int i = 0; i < used; i++)
	{
		MetricSeries *series = &metrics->series[i];

		if (series->key.database != MyDatabaseId)
			continue;
		pg_atomic_write_u64(&series->count, 0);
		pg_atomic_write_u64(&series->sum_us, 0);
		for (int j = 0; j < BUCKETS; j++)
			pg_atomic_write_u64(&series->buckets[j], 0);
	}
	PG_RETURN_VOID();
}
