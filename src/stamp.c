/*-------------------------------------------------------------------------
 *
 * stamp.c
 *		The BEFORE INSERT trigger of mirror tables: marks a local row.
 *
 * The keys of a row are made here; those that the writer gave are ignored.
 * What depends on the account is read once for the rows of a statement, and
 * stays in fn_extra, which the server keeps for a statement and a partition.
 *
 * IDENTIFICATION
 *		src/stamp.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "local_account.h"

PG_FUNCTION_INFO_V1(zcsync_sql_stamp_insert);

typedef enum StampColumn
{
	SYNC_CAUSE,
	SYNC_CAUSE_ID,
	SYNC_XID,
	SYNC_STATE,
	SYNC_KEY,
	STAMP_COLUMNS
} StampColumn;

static const char *const column_names[STAMP_COLUMNS] = {
	[SYNC_CAUSE] = "sync_cause",
	[SYNC_CAUSE_ID] = "sync_cause_id",
	[SYNC_XID] = "sync_xid",
	[SYNC_STATE] = "sync_state",
	[SYNC_KEY] = "sync_key"
};

/* What all rows of a statement share. */
typedef struct StampStatement
{
	int			column[STAMP_COLUMNS];	/* their numbers, from 1 */
	int			account_column;
	bool		are_leads;
	ZcsyncLocalAccount account;
} StampStatement;

static StampStatement *begin_statement(TriggerData *trigger, TupleDesc desc,
									   MemoryContext context);
static int	column_of(TupleDesc desc, const char *name);
static bool is_local(StampStatement *statement, HeapTuple row, TupleDesc desc);

/*
 * SQL: zcsync._stamp_insert(), BEFORE INSERT trigger of mirror tables; its
 * argument is the kind.
 */
Datum
zcsync_sql_stamp_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	StampStatement *statement = fcinfo->flinfo->fn_extra;
	TupleDesc	desc;
	Datum		values[STAMP_COLUMNS];
	bool		nulls[STAMP_COLUMNS] = {false};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 1)
		elog(ERROR, "_stamp_insert() was not called as a BEFORE INSERT trigger");
	desc = RelationGetDescr(trigger->tg_relation);
	if (statement == NULL)
		statement = fcinfo->flinfo->fn_extra =
			begin_statement(trigger, desc, fcinfo->flinfo->fn_mcxt);
	values[SYNC_CAUSE] = CStringGetTextDatum("local");
	values[SYNC_CAUSE_ID] = (Datum) 0;
	nulls[SYNC_CAUSE_ID] = true;
	values[SYNC_XID] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	/* a value that no vendor has cannot be out of step */
	values[SYNC_STATE] = CStringGetTextDatum(
		statement->are_leads && is_local(statement, trigger->tg_trigtuple, desc) ?
		"synced" : "pending");
	values[SYNC_KEY] = DirectFunctionCall1(gen_random_uuid, (Datum) 0);
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_trigtuple, desc,
													 STAMP_COLUMNS,
													 statement->column,
													 values, nulls));
}

static StampStatement *
begin_statement(TriggerData *trigger, TupleDesc desc, MemoryContext context)
{
	StampStatement *statement = MemoryContextAllocZero(context,
													   sizeof(StampStatement));

	for (int i = 0; i < STAMP_COLUMNS; i++)
		statement->column[i] = column_of(desc, column_names[i]);
	statement->account_column = column_of(desc, "account_id");
	statement->are_leads = strcmp(trigger->tg_trigger->tgargs[0], "leads") == 0;
	return statement;
}

static int
column_of(TupleDesc desc, const char *name)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		elog(ERROR, "the mirror table has no column \"%s\"", name);
	return number;
}

/* An account that is NULL is refused later, by the table. */
static bool
is_local(StampStatement *statement, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	Datum		account = heap_getattr(row, statement->account_column, desc,
									   &isnull);

	return !isnull && zcsync_is_local_account(&statement->account,
											  DatumGetInt64(account));
}
