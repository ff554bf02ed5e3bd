/*-------------------------------------------------------------------------
 *
 * lead_trigger.c
 *		The BEFORE ROW trigger that scores what people and routes write in
 *		leads, and records who gave its values: a route or, with any other
 *		writer, a person.
 *
 * Leads are written by the ten thousand in a statement, so what is the same
 * for all of its rows is read once: the rules, whether the account is a local
 * one, and where the columns are.  It stays in fn_extra, which the server
 * keeps for a statement and a partition.
 *
 * IDENTIFICATION
 *		src/lead_trigger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "clock.h"
#include "compat.h"
#include "lead_score.h"
#include "local_account.h"
#include "row_columns.h"
#include "value_jsonb.h"

/*
 * Texts of more bytes than this might not fit into an index, and are cut to as
 * many characters.
 */
#define MAX_INDEXED	500

PG_FUNCTION_INFO_V1(zcsync_sql_score_lead);

/* The columns that the trigger knows by name. */
typedef enum LeadColumn
{
	/* those that indexes have, first */
	COMPANY,
	EMAIL,
	FIRST_NAME,
	LAST_NAME,
	SOURCE,
	ACCOUNT_ID,
	CREATED_AT,
	CUSTOM_FIELDS,
	ENGAGEMENT,
	FIT,
	PROVENANCE,
	QUALITY,
	STAGE,
	STATUS_ID,
	SYNC_CAUSE,
	UPDATED_AT,
	LEAD_COLUMNS
} LeadColumn;

static const char *const column_names[LEAD_COLUMNS] = {
	[COMPANY] = "company",
	[EMAIL] = "email",
	[FIRST_NAME] = "first_name",
	[LAST_NAME] = "last_name",
	[SOURCE] = "source",
	[ACCOUNT_ID] = "account_id",
	[CREATED_AT] = "created_at",
	[CUSTOM_FIELDS] = "custom_fields",
	[ENGAGEMENT] = "engagement",
	[FIT] = "fit",
	[PROVENANCE] = "provenance",
	[QUALITY] = "quality",
	[STAGE] = "stage",
	[STATUS_ID] = "status_id",
	[SYNC_CAUSE] = "sync_cause",
	[UPDATED_AT] = "updated_at"
};

/* What all rows of a statement share; columns count from 0. */
typedef struct LeadStatement
{
	ZcsyncLeadScoring *scoring;
	int		   *rule_column;	/* of each rule; -1: a custom field */
	int			column[LEAD_COLUMNS];
	int			nsourced;		/* columns whose values have a source */
	int		   *sourced;
	ZcsyncLocalAccount account;
} LeadStatement;

/* The row that is written. */
typedef struct LeadRow
{
	LeadStatement *statement;
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	bool	   *changed;
} LeadRow;

static LeadStatement *begin_statement(TupleDesc desc, MemoryContext context);
static int	column_of(TupleDesc desc, const char *name);
static void read_sourced(LeadStatement *statement, TupleDesc desc);
static void cut_texts(LeadRow *row);
static void set_column(LeadRow *row, LeadColumn column, Datum value);
static void set_missing(LeadRow *row, LeadColumn column, Datum value);
static void record_sources(LeadRow *row, const bool *given, const char *source);
static void push_source(JsonbParseState **state, const char *column,
						const char *source, const char *at);
static void push_text(JsonbParseState **state, const char *key,
					  const char *chars);
static bool *given_columns(LeadRow *row, HeapTuple old);
static void set_scores(LeadRow *row);
static char *field_of_row(void *lead, int rule);
static char *column_text(Datum value, Oid type);

/*
 * SQL: zcsync._score_lead(), BEFORE INSERT OR UPDATE trigger of leads.
 */
Datum
zcsync_sql_score_lead(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	LeadStatement *statement = fcinfo->flinfo->fn_extra;
	LeadRow		row;
	HeapTuple	tuple;
	HeapTuple	old = NULL;
	bool	   *given;
	char	   *cause;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		elog(ERROR, "_score_lead() was not called as a BEFORE ROW trigger");
	tuple = trigger->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		old = trigger->tg_trigtuple;
		tuple = trigger->tg_newtuple;
	}
	row.desc = RelationGetDescr(trigger->tg_relation);
	if (statement == NULL)
		statement = fcinfo->flinfo->fn_extra =
			begin_statement(row.desc, fcinfo->flinfo->fn_mcxt);
	row.statement = statement;
	row.values = palloc(row.desc->natts * sizeof(Datum));
	row.nulls = palloc(row.desc->natts * sizeof(bool));
	row.changed = palloc0(row.desc->natts * sizeof(bool));
	heap_deform_tuple(tuple, row.desc, row.values, row.nulls);

	cut_texts(&row);
	if (!row.nulls[statement->column[ACCOUNT_ID]] &&
		zcsync_is_local_account(&statement->account,
								DatumGetInt64(row.values[statement->column[ACCOUNT_ID]])))
	{
		given = given_columns(&row, old);
		/* a trigger of the user's may have emptied it */
		cause = row.nulls[statement->column[SYNC_CAUSE]] ? "local" :
			TextDatumGetCString(row.values[statement->column[SYNC_CAUSE]]);
		if (strcmp(cause, "local") == 0)
			cause = "manual";
		if (old == NULL)
		{
			set_missing(&row, STATUS_ID, Int32GetDatum(1));
			set_missing(&row, CREATED_AT, TimestampTzGetDatum(zcsync_began_at()));
			set_missing(&row, UPDATED_AT, TimestampTzGetDatum(zcsync_began_at()));
			set_missing(&row, SOURCE, CStringGetTextDatum(cause));
		}
		record_sources(&row, given, cause);
		set_scores(&row);
	}
	return PointerGetDatum(heap_modify_tuple(tuple, row.desc, row.values,
											 row.nulls, row.changed));
}

/*
 * Read what all rows of a statement share.
 */
static LeadStatement *
begin_statement(TupleDesc desc, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	LeadStatement *statement = palloc0(sizeof(LeadStatement));

	for (int i = 0; i < LEAD_COLUMNS; i++)
		statement->column[i] = column_of(desc, column_names[i]);
	statement->scoring = zcsync_lead_scoring(false);
	statement->rule_column = palloc(statement->scoring->nrules * sizeof(int));
	for (int i = 0; i < statement->scoring->nrules; i++)
	{
		const ZcsyncLeadRule *rule = &statement->scoring->rules[i];

		statement->rule_column[i] = rule->custom ? -1 : column_of(desc, rule->field);
	}
	read_sourced(statement, desc);
	MemoryContextSwitchTo(caller);
	return statement;
}

static int
column_of(TupleDesc desc, const char *name)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		elog(ERROR, "table \"leads\" has no column \"%s\"", name);
	return number - 1;
}

static void
read_sourced(LeadStatement *statement, TupleDesc desc)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		names;
	Datum	   *name;
	bool		isnull;

	SPI_connect();
	if (SPI_execute("SELECT zcsync._sourced_columns()", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not ask _sourced_columns()");
	names = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false,
					  TYPALIGN_INT, &name, NULL, &statement->nsourced);
	statement->sourced = MemoryContextAlloc(context,
											statement->nsourced * sizeof(int));
	for (int i = 0; i < statement->nsourced; i++)
		statement->sourced[i] = column_of(desc, TextDatumGetCString(name[i]));
	SPI_finish();
}

/*
 * If one of the texts is too long for an index, cut them, as those of sources
 * are.
 */
static void
cut_texts(LeadRow *row)
{
	for (int i = COMPANY; i <= SOURCE; i++)
	{
		int			column = row->statement->column[i];
		text	   *value;

		if (row->nulls[column] ||
			toast_raw_datum_size(row->values[column]) - VARHDRSZ <= MAX_INDEXED)
			continue;
		value = DatumGetTextPP(row->values[column]);
		set_column(row, i, PointerGetDatum(
			cstring_to_text_with_len(VARDATA_ANY(value),
									 pg_mbcharcliplen(VARDATA_ANY(value),
													  VARSIZE_ANY_EXHDR(value),
													  MAX_INDEXED))));
	}
}

static void
set_column(LeadRow *row, LeadColumn column, Datum value)
{
	int			i = row->statement->column[column];

	row->values[i] = value;
	row->nulls[i] = false;
	row->changed[i] = true;
}

static void
set_missing(LeadRow *row, LeadColumn column, Datum value)
{
	if (row->nulls[row->statement->column[column]])
		set_column(row, column, value);
}

/*
 * Which of the columns with a source did the writer give?  In a new lead those
 * with a value, since an empty one says nothing; else those that changed.
 */
static bool *
given_columns(LeadRow *row, HeapTuple old)
{
	LeadStatement *statement = row->statement;
	bool	   *given = palloc0(statement->nsourced * sizeof(bool));
	Datum	   *values = palloc(row->desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(row->desc->natts * sizeof(bool));

	if (old != NULL)
		heap_deform_tuple(old, row->desc, values, nulls);
	for (int i = 0; i < statement->nsourced; i++)
	{
		int			column = statement->sourced[i];

		if (old == NULL)
			given[i] = !row->nulls[column];
		else
			given[i] = !zcsync_column_same(TupleDescAttr(row->desc, column),
										   values[column], nulls[column],
										   row->values[column],
										   row->nulls[column]);
	}
	return given;
}

/*
 * Add to the row's provenance where the given columns come from.
 */
static void
record_sources(LeadRow *row, const bool *given, const char *source)
{
	LeadStatement *statement = row->statement;
	int			column = statement->column[PROVENANCE];
	JsonbParseState *state = NULL;
	char		at[MAXDATELEN + 1];
	int			utc = 0;
	Datum		sources;

	JsonEncodeDateTime(at, TimestampTzGetDatum(zcsync_began_at()),
					   TIMESTAMPTZOID, &utc);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < statement->nsourced; i++)
		if (given[i])
			push_source(&state, NameStr(TupleDescAttr(row->desc,
													  statement->sourced[i])->attname),
						source, at);
	sources = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
															  WJB_END_OBJECT, NULL)));
	if (!row->nulls[column])
		sources = DirectFunctionCall2(jsonb_concat, row->values[column], sources);
	set_column(row, PROVENANCE, sources);
}

static void
push_source(JsonbParseState **state, const char *column, const char *source,
			const char *at)
{
	zcsync_value_push_key(state, column, strlen(column));
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "at", at);
	push_text(state, "source", source);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_text(JsonbParseState **state, const char *key, const char *chars)
{
	ZcsyncValue value;

	value.type = ZCSYNC_VALUE_TEXT;
	value.len = strlen(chars);
	value.u.text = chars;
	zcsync_value_push_key(state, key, strlen(key));
	zcsync_value_push(state, WJB_VALUE, &value);
}

static void
set_scores(LeadRow *row)
{
	LeadStatement *statement = row->statement;
	int			status = statement->column[STATUS_ID];
	ZcsyncLeadScores scores;

	zcsync_lead_score(statement->scoring, field_of_row, row,
					  !row->nulls[status],
					  row->nulls[status] ? 0 : DatumGetInt32(row->values[status]),
					  &scores);
	set_column(row, FIT, Int32GetDatum(scores.score[0]));
	set_column(row, ENGAGEMENT, Int32GetDatum(scores.score[1]));
	set_column(row, QUALITY, Int32GetDatum(scores.score[2]));
	set_column(row, STAGE, CStringGetTextDatum(scores.stage));
}

static char *
field_of_row(void *lead, int rule)
{
	LeadRow    *row = lead;
	int			column = row->statement->rule_column[rule];
	int			custom = row->statement->column[CUSTOM_FIELDS];

	if (column >= 0)
		return row->nulls[column] ? NULL :
			column_text(row->values[column],
						TupleDescAttr(row->desc, column)->atttypid);
	if (row->nulls[custom])
		return NULL;
	return zcsync_lead_member(DatumGetJsonbP(row->values[custom]),
							  row->statement->scoring->rules[rule].field);
}

/* The value of a column as to_jsonb() and ->> give it, times in UTC. */
static char *
column_text(Datum value, Oid type)
{
	Oid			output;
	bool		is_varlena;

	if (type == TEXTOID)
		return TextDatumGetCString(value);
	if (type == BOOLOID)
		return DatumGetBool(value) ? "true" : "false";
	if (type == TIMESTAMPTZOID)
	{
		char	   *chars = palloc(MAXDATELEN + 1);
		int			utc = 0;

		return JsonEncodeDateTime(chars, value, type, &utc);
	}
	getTypeOutputInfo(type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}
