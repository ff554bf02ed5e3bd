/*-------------------------------------------------------------------------
 *
 * kept_query.c
 *		Run queries of pages by plans that the session keeps.
 *
 * To plan a query over the months of leads takes several times as long as to
 * run it.  PL/pgSQL plans a query that is made at run time anew each time.
 * So _page_query() makes texts that differ only in what is read (kind,
 * columns, order, is there a cursor), with parameters for all else, and
 * _read_page() keeps the plan of each text for the session.
 *
 * The plans are generic: where a page begins must not change how it is read.
 * The server makes a plan anew when a table, an index or a policy changes,
 * and checks the rights of the caller each time, as for any kept plan.
 *
 * Anybody who may call _read_page() may have it run any query that only reads,
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
 * A session keeps this many plans.  Beyond that a query is planned for the
 * call only: nothing is thrown away, since a plan may be in use.
 */
#define MAX_PLANS 64

#define PAGE_ARGS 5

typedef struct KeptQuery
{
	char	   *query;
	SPIPlanPtr	plan;
} KeptQuery;

static KeptQuery kept[MAX_PLANS];
static int	nkept = 0;

PG_FUNCTION_INFO_V1(zcsync_sql_read_page);

static SPIPlanPtr plan_of(const char *query);

/*
 * zcsync._read_page(query, key, local_id, account_id, rows, list): the rows of
 * a query, whose $1 to $5 are the other arguments.
 */
Datum
zcsync_sql_read_page(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPIExecuteOptions options = {0};
	ParamListInfo params = makeParamList(PAGE_ARGS);
	SPIPlanPtr	plan;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	for (int i = 0; i < PAGE_ARGS; i++)
	{
		params->params[i].value = PG_GETARG_DATUM(i + 1);
		params->params[i].isnull = PG_ARGISNULL(i + 1);
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = get_fn_expr_argtype(fcinfo->flinfo, i + 1);
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = plan_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	options.params = params;
	options.read_only = true;
	options.must_return_tuples = true;
	options.dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(options.dest, result->setResult,
									result->econtext->ecxt_per_query_memory,
									false, result->setDesc,
									"the query of a page does not have the columns of the page");
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		elog(ERROR, "could not read a page");
	options.dest->rDestroy(options.dest);
	SPI_finish();
	return (Datum) 0;
}

/*
 * The plan of a query, which is kept if there is room for it.  Needs a
 * connection to SPI.
 */
static SPIPlanPtr
plan_of(const char *query)
{
	static Oid	types[PAGE_ARGS] = {TEXTOID, INT8OID, INT8OID, INT4OID, JSONBOID};
	SPIPlanPtr	plan;
	char	   *copy;

	for (int i = 0; i < nkept; i++)
	{
		if (strcmp(kept[i].query, query) == 0)
			return kept[i].plan;
	}
	plan = SPI_prepare_cursor(query, PAGE_ARGS, types,
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "could not prepare the query of a page");
	if (nkept == MAX_PLANS)
		return plan;
	copy = MemoryContextStrdup(TopMemoryContext, query);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of a page");
	kept[nkept].query = copy;
	kept[nkept].plan = plan;
	nkept++;
	return plan;
}
