/*-------------------------------------------------------------------------
 *
 * sqlstate.c
 *		Which errors are not the fault of the row that met them.
 *
 * Code that halves a set, down to the row that cannot be stored, asks here
 * first.  If the server, the session or another transaction caused the error,
 * every half would fail, or the wrong row would be blamed.  C and SQL
 * (zcsync._is_servers_error) use the same list.
 *
 * IDENTIFICATION
 *		src/sqlstate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "sqlstate.h"

PG_FUNCTION_INFO_V1(zcsync_sql_is_servers_error);

/* May the same succeed later, whatever rows are in the set? */
bool
zcsync_is_servers_error(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE):
		case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_IO_ERROR):
			return true;
		default:
			return sqlerrcode == ERRCODE_OBJECT_IN_USE ||
				sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
				sqlerrcode == ERRCODE_DATA_CORRUPTED ||
				sqlerrcode == ERRCODE_INDEX_CORRUPTED;
	}
}

/* SQL: the same for a SQLSTATE as text. */
Datum
zcsync_sql_is_servers_error(PG_FUNCTION_ARGS)
{
	char	   *state = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (strlen(state) != 5)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid SQLSTATE \"%s\"", state),
				 errhint("A SQLSTATE has five characters.")));
	PG_RETURN_BOOL(zcsync_is_servers_error(MAKE_SQLSTATE(state[0], state[1],
														 state[2], state[3],
														 state[4])));
}
