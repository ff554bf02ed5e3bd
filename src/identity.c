/*-------------------------------------------------------------------------
 *
 * identity.c
 *		What tells a database from a copy of it.
 *
 * The system identifier is made by initdb and shared by physical copies, the
 * oid is made by CREATE DATABASE, and the timeline changes with promotion and
 * point-in-time recovery.
 *
 * IDENTIFICATION
 *		src/identity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(zcsync_sql_identity);

/* zcsync._identity(): (system_identifier, database_oid, timeline) */
Datum
zcsync_sql_identity(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	TimeLineID	timeline;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	if (RecoveryInProgress())
		(void) GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	values[2] = Int32GetDatum((int32) timeline);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
