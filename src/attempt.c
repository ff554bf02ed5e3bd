/*-------------------------------------------------------------------------
 *
 * attempt.c
 *		Run a statement of our own, and keep what it did or undo it.
 *
 * A caller that wants to see what a change would do, or to give up row locks
 * that it took, must roll back a subtransaction.  PL/pgSQL does that only
 * after an error; here the statement says in its result whether its work is
 * to be kept.  An error of the statement is thrown again after the
 * subtransaction was rolled back.
 *
 * The statement is text of the install script, never of a user; the values
 * come as parameters.
 *
 * IDENTIFICATION
 *		src/attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(zcsync_sql_attempt);

static bool run_attempt(FunctionCallInfo fcinfo, const char *query,
						MemoryContext result_context, Jsonb **result);

/*
 * zcsync._attempt(query, values...): run a query that returns a row of
 * (boolean, jsonb), and return the jsonb.  Unless the boolean is true, all
 * that the query did is undone.  If the query returns no row, both count as
 * NULL.
 */
Datum
zcsync_sql_attempt(PG_FUNCTION_ARGS)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *volatile result = NULL;
	volatile bool keep = false;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		Jsonb	   *value = NULL;

		keep = run_attempt(fcinfo, query, caller_context, &value);
		result = value;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;
		ReThrowError(error);
	}
	PG_END_TRY();

	if (keep)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	SPI_finish();

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/*
 * Run the query with the values that follow it among the arguments.  Returns
 * whether its work is to be kept.  *result is allocated in result_context,
 * since memory of the subtransaction may be freed with it.
 */
static bool
run_attempt(FunctionCallInfo fcinfo, const char *query,
			MemoryContext result_context, Jsonb **result)
{
	Datum	   *values;
	Oid		   *types;
	bool	   *nulls;
	char	   *spi_nulls;
	int			nargs = extract_variadic_args(fcinfo, 1, false, &values, &types, &nulls);
	TupleDesc	desc;
	Datum		keep;
	Datum		value;
	bool		keep_is_null;
	bool		value_is_null;

	if (nargs < 0)
		elog(ERROR, "no values were given");
	spi_nulls = palloc(nargs + 1);
	for (int i = 0; i < nargs; i++)
		spi_nulls[i] = nulls[i] ? 'n' : ' ';
	spi_nulls[nargs] = '\0';

	if (SPI_execute_with_args(query, nargs, types, values, spi_nulls,
							  false, 2) != SPI_OK_SELECT)
		elog(ERROR, "a statement that is tried must be a SELECT");
	*result = NULL;
	if (SPI_processed == 0)
		return false;
	desc = SPI_tuptable->tupdesc;
	if (SPI_processed > 1 || desc->natts != 2 ||
		SPI_gettypeid(desc, 1) != BOOLOID || SPI_gettypeid(desc, 2) != JSONBOID)
		elog(ERROR, "a statement that is tried must return one row of boolean and jsonb");
	keep = SPI_getbinval(SPI_tuptable->vals[0], desc, 1, &keep_is_null);
	value = SPI_getbinval(SPI_tuptable->vals[0], desc, 2, &value_is_null);
	if (!value_is_null)
	{
		MemoryContext old_context = MemoryContextSwitchTo(result_context);

		*result = DatumGetJsonbPCopy(value);
		MemoryContextSwitchTo(old_context);
	}
	return !keep_is_null && DatumGetBool(keep);
}
