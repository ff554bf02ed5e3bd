/*-------------------------------------------------------------------------
 *
 * kept_query.c
 *		Run queries that are made at run time by plans that the session keeps.
 *
 * To plan the query of a page of leads, or the one that tells what a route
 * would change, takes longer than to run it for a few records.  PL/pgSQL plans
 * a query that is made at run time anew each time.  So those who make such
 * queries make texts that differ as little as possible, with parameters for
 * all that is different from call to call, and _read_kept() keeps the plan of
 * each text for the session.
 *
 * The plans are generic: where a page begins, or how many records a route is
 * asked about, must not change how they are read.  The server makes a plan
 * anew when a table, an index or a policy changes, and checks the rights of
 * the caller each time, as for any kept plan.
 *
 * Anybody who may call _read_kept() may have it run any query that only reads,
 * with his own rights, so it gives nobody more than he has.
 *
 * IDENTIFICATION
 *		src/kept_query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"

/*
 * A session keeps this many plans; then the one that was used least recently
 * makes room.
 */
#define MAX_PLANS 64

typedef struct KeptQuery
{
	char	   *query;
	int			nargs;
	Oid		   *types;
	SPIPlanPtr	plan;
	uint64		used;			/* number of the call that used it last */
	int			running;		/* calls that are running it */
} KeptQuery;

static KeptQuery kept[MAX_PLANS];
static int	nkept = 0;
static uint64 calls = 0;

PG_FUNCTION_INFO_V1(zcsync_sql_read_kept);

static KeptQuery *kept_query(const char *query, int nargs, const Oid *types);
static KeptQuery *free_place(void);
static void run(KeptQuery *query, SPIExecuteOptions *options);

/*
 * zcsync._read_kept(query, VARIADIC args): the rows of a query, whose $1 and
 * so on are the other arguments.
 */
Datum
zcsync_sql_read_kept(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPIExecuteOptions options = {0};
	KeptQuery  *query;
	Datum	   *values;
	Oid		   *types;
	bool	   *nulls;
	int			nargs = extract_variadic_args(fcinfo, 1, true, &values, &types, &nulls);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0) || nargs < 0)
		return (Datum) 0;
	options.params = makeParamList(nargs);
	for (int i = 0; i < nargs; i++)
	{
		options.params->params[i].value = values[i];
		options.params->params[i].isnull = nulls[i];
		options.params->params[i].pflags = PARAM_FLAG_CONST;
		options.params->params[i].ptype = types[i];
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	query = kept_query(text_to_cstring(PG_GETARG_TEXT_PP(0)), nargs, types);
	options.read_only = true;
	options.must_return_tuples = true;
	options.dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(options.dest, result->setResult,
									result->econtext->ecxt_per_query_memory,
									false, result->setDesc,
									"the query does not have the columns that are read");
	run(query, &options);
	options.dest->rDestroy(options.dest);
	SPI_finish();
	return (Datum) 0;
}

/*
 * The place of a query with its plan, which is made if the session has none.
 * Needs a connection to SPI.
 */
static KeptQuery *
kept_query(const char *query, int nargs, const Oid *types)
{
	KeptQuery  *place;
	SPIPlanPtr	plan;
	char	   *copy;
	Oid		   *copied;

	calls++;
	for (int i = 0; i < nkept; i++)
	{
		place = &kept[i];
		if (place->nargs == nargs &&
			memcmp(place->types, types, nargs * sizeof(Oid)) == 0 &&
			strcmp(place->query, query) == 0)
		{
			place->used = calls;
			return place;
		}
	}
	plan = SPI_prepare_cursor(query, nargs, unconstify(Oid *, types),
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	copy = MemoryContextStrdup(TopMemoryContext, query);
	copied = MemoryContextAlloc(TopMemoryContext, Max(nargs, 1) * sizeof(Oid));
	memcpy(copied, types, nargs * sizeof(Oid));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of a query");
	place = free_place();
	place->query = copy;
	place->nargs = nargs;
	place->types = copied;
	place->plan = plan;
	place->used = calls;
	place->running = 0;
	return place;
}

/*
 * A place for one more plan.
 */
static KeptQuery *
free_place(void)
{
	KeptQuery  *oldest = NULL;

	if (nkept < MAX_PLANS)
		return &kept[nkept++];
	for (int i = 0; i < nkept; i++)
	{
		if (kept[i].running == 0 && (oldest == NULL || kept[i].used < oldest->used))
			oldest = &kept[i];
	}
	if (oldest == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("more than %d kept queries are running inside each other", MAX_PLANS)));
	SPI_freeplan(oldest->plan);
	pfree(oldest->query);
	pfree(oldest->types);
	return oldest;
}

/*
 * Run a query; its place is not taken from it meanwhile.  Not inlined, since
 * the compiler would have to keep the caller's variables out of registers.
 */
static pg_noinline void
run(KeptQuery *query, SPIExecuteOptions *options)
{
	query->running++;
	PG_TRY();
	{
		if (SPI_execute_plan_extended(query->plan, options) != SPI_OK_SELECT)
			elog(ERROR, "could not run a kept query");
	}
	PG_FINALLY();
	{
		query->running--;
	}
	PG_END_TRY();
}
