/*-------------------------------------------------------------------------
 *
 * lead_score.c
 *		Scores and stages of leads, by the rules in tables.
 *
 * A score is the sum of the points of its rules that hold, between 0 and 100;
 * the stage is that of the highest stage rule that holds.  The rules are read
 * once for many leads, since to read them takes longer than to apply them.
 * sql/leads/scores.sql says what the rules mean.
 *
 * IDENTIFICATION
 *		src/lead_score.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "lead_score.h"

PG_FUNCTION_INFO_V1(zcsync_sql_score_leads);

/* An object with the columns of a lead, and the rules for it. */
typedef struct LeadObject
{
	const ZcsyncLeadScoring *scoring;
	Jsonb	   *object;
} LeadObject;

const char *const zcsync_lead_score_names[ZCSYNC_LEAD_SCORES] =
{"fit", "engagement", "quality"};

static const char *const sql_rules =
"SELECT r.score, r.field, r.operator, r.value, r.points FROM zcsync.lead_score_rules AS r";
static const char *const sql_stages =
"SELECT r.stage, r.min_fit, r.min_engagement, r.min_quality, r.status_ids "
"FROM zcsync.lead_stage_rules AS r ORDER BY r.stage = 'opportunity' DESC";
static const char *const sql_closed =
"SELECT array_agg(s.status_id) FROM zcsync.lead_statuses AS s WHERE s.closed";

static void run_query(const char *sql, SPIPlanPtr *plan, bool read_only);
static void read_rules(ZcsyncLeadScoring *scoring, MemoryContext context);
static void read_stages(ZcsyncLeadScoring *scoring, MemoryContext context);
static int	read_statuses(Datum statuses, bool isnull, int **list,
						  MemoryContext context);
static bool is_in(int number, const int *list, int n);
static char *field_of_object(void *lead, int rule);
static Datum scores_object(const ZcsyncLeadScores *scores);

/*
 * SQL: scores and stage of leads that are given as objects of their columns,
 * in their order; NULL if there are none.
 *
 *		_score_leads(leads jsonb[])
 */
Datum
zcsync_sql_score_leads(PG_FUNCTION_ARGS)
{
	LeadObject	lead;
	ArrayBuildState *result = NULL;
	Datum	   *objects;
	int			n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), JSONBOID, -1, false,
					  TYPALIGN_INT, &objects, NULL, &n);
	if (n == 0)
		PG_RETURN_NULL();
	lead.scoring = zcsync_lead_scoring(true);
	for (int i = 0; i < n; i++)
	{
		ZcsyncLeadScores scores;
		char	   *status;

		CHECK_FOR_INTERRUPTS();
		lead.object = DatumGetJsonbP(objects[i]);
		status = zcsync_lead_member(lead.object, "status_id");
		zcsync_lead_score(lead.scoring, field_of_object, &lead, status != NULL,
						  status == NULL ? 0 : pg_strtoint32(status), &scores);
		result = accumArrayResult(result, scores_object(&scores), false,
								  JSONBOID, CurrentMemoryContext);
	}
	PG_RETURN_DATUM(makeArrayResult(result, CurrentMemoryContext));
}

/*
 * Read all rules, into the current memory context.
 */
ZcsyncLeadScoring *
zcsync_lead_scoring(bool read_only)
{
	static SPIPlanPtr plans[3] = {NULL};
	MemoryContext context = CurrentMemoryContext;
	ZcsyncLeadScoring *scoring = palloc0(sizeof(ZcsyncLeadScoring));
	Datum		closed;
	bool		isnull;

	SPI_connect();
	run_query(sql_rules, &plans[0], read_only);
	read_rules(scoring, context);
	run_query(sql_stages, &plans[1], read_only);
	read_stages(scoring, context);
	run_query(sql_closed, &plans[2], read_only);
	closed = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						   &isnull);
	scoring->nclosed = Max(read_statuses(closed, isnull, &scoring->closed,
										 context), 0);
	SPI_finish();
	return scoring;
}

/*
 * Scores and stage of a lead whose values "field" tells.
 */
void
zcsync_lead_score(const ZcsyncLeadScoring *scoring, ZcsyncLeadField field,
				  void *lead, bool has_status, int status,
				  ZcsyncLeadScores *scores)
{
	int64		sum[ZCSYNC_LEAD_SCORES] = {0};
	bool		closed = has_status &&
		is_in(status, scoring->closed, scoring->nclosed);

	for (int i = 0; i < scoring->nrules; i++)
	{
		const ZcsyncLeadRule *rule = &scoring->rules[i];

		if (zcsync_lead_condition_holds(&rule->condition, field(lead, i)))
			sum[rule->score] += rule->points;
	}
	for (int i = 0; i < ZCSYNC_LEAD_SCORES; i++)
		scores->score[i] = Max(0, Min(100, sum[i]));

	scores->stage = "lead";
	for (int i = 0; i < scoring->nstages; i++)
	{
		const ZcsyncLeadStage *stage = &scoring->stages[i];

		if (scores->score[0] >= stage->least[0] &&
			scores->score[1] >= stage->least[1] &&
			scores->score[2] >= stage->least[2] &&
			(stage->nstatuses < 0 ? !closed : has_status &&
			 is_in(status, stage->statuses, stage->nstatuses)))
		{
			scores->stage = stage->stage;
			break;
		}
	}
}

/*
 * The member of an object as a text, as the operator ->> gives it; NULL if it
 * is missing or null.
 */
char *
zcsync_lead_member(Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(object) ||
		getKeyJsonValueFromContainer(&object->root, key, strlen(key),
									 &value) == NULL)
		return NULL;
	switch (value.type)
	{
		case jbvNull:
			return NULL;
		case jbvBool:
			return value.val.boolean ? "true" : "false";
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value.val.numeric)));
		case jbvString:
			return pnstrdup(value.val.string.val, value.val.string.len);
		default:
			return JsonbToCString(NULL, value.val.binary.data,
								  value.val.binary.len);
	}
}

/*
 * Run a statement of this file; its plan is kept.
 */
static void
run_query(const char *sql, SPIPlanPtr *plan, bool read_only)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(sql, 0, NULL);

		if (prepared == NULL)
			elog(ERROR, "could not prepare \"%s\"", sql);
		SPI_keepplan(prepared);
		*plan = prepared;
	}
	if (SPI_execute_plan(*plan, NULL, NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", sql);
}

static void
read_rules(ZcsyncLeadScoring *scoring, MemoryContext context)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	MemoryContext caller = MemoryContextSwitchTo(context);

	scoring->rules = palloc0(SPI_processed * sizeof(ZcsyncLeadRule));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		ZcsyncLeadRule *rule = &scoring->rules[scoring->nrules];
		char	   *score = SPI_getvalue(row, desc, 1);
		bool		isnull;

		rule->score = -1;
		for (int k = 0; k < ZCSYNC_LEAD_SCORES; k++)
			if (strcmp(score, zcsync_lead_score_names[k]) == 0)
				rule->score = k;
		if (rule->score < 0)
			continue;
		rule->field = SPI_getvalue(row, desc, 2);
		rule->custom = strncmp(rule->field, "custom:", 7) == 0;
		if (rule->custom)
			rule->field += 7;
		zcsync_lead_condition(&rule->condition, SPI_getvalue(row, desc, 3),
							  SPI_getvalue(row, desc, 4));
		rule->points = DatumGetInt32(SPI_getbinval(row, desc, 5, &isnull));
		scoring->nrules++;
	}
	MemoryContextSwitchTo(caller);
}

static void
read_stages(ZcsyncLeadScoring *scoring, MemoryContext context)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	MemoryContext caller = MemoryContextSwitchTo(context);

	scoring->nstages = SPI_processed;
	scoring->stages = palloc0(SPI_processed * sizeof(ZcsyncLeadStage));
	for (int i = 0; i < scoring->nstages; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		ZcsyncLeadStage *stage = &scoring->stages[i];
		Datum		statuses;
		bool		isnull;

		stage->stage = SPI_getvalue(row, desc, 1);
		for (int k = 0; k < ZCSYNC_LEAD_SCORES; k++)
			stage->least[k] = DatumGetInt32(SPI_getbinval(row, desc, 2 + k,
														  &isnull));
		statuses = SPI_getbinval(row, desc, 5, &isnull);
		stage->nstatuses = read_statuses(statuses, isnull, &stage->statuses,
										 context);
	}
	MemoryContextSwitchTo(caller);
}

/* The numbers of an array, without its nulls; -1 if there is no array. */
static int
read_statuses(Datum statuses, bool isnull, int **list, MemoryContext context)
{
	Datum	   *element;
	bool	   *nulls;
	int			n;
	int			found = 0;

	if (isnull)
		return -1;
	deconstruct_array(DatumGetArrayTypeP(statuses), INT4OID, sizeof(int32),
					  true, TYPALIGN_INT, &element, &nulls, &n);
	*list = MemoryContextAlloc(context, Max(n, 1) * sizeof(int));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			(*list)[found++] = DatumGetInt32(element[i]);
	return found;
}

static bool
is_in(int number, const int *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i] == number)
			return true;
	return false;
}

static char *
field_of_object(void *lead, int rule)
{
	LeadObject *of = lead;
	const ZcsyncLeadRule *r = &of->scoring->rules[rule];
	JsonbValue	fields;
	Jsonb	   *object = of->object;

	if (r->custom)
	{
		if (!JB_ROOT_IS_OBJECT(object) ||
			getKeyJsonValueFromContainer(&object->root, "custom_fields", 13,
										 &fields) == NULL ||
			fields.type != jbvBinary)
			return NULL;
		object = JsonbValueToJsonb(&fields);
	}
	return zcsync_lead_member(object, r->field);
}

static Datum
scores_object(const ZcsyncLeadScores *scores)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < ZCSYNC_LEAD_SCORES; i++)
	{
		value.type = jbvString;
		value.val.string.val = unconstify(char *, zcsync_lead_score_names[i]);
		value.val.string.len = strlen(zcsync_lead_score_names[i]);
		pushJsonbValue(&state, WJB_KEY, &value);
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(scores->score[i]);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	value.type = jbvString;
	value.val.string.val = "stage";
	value.val.string.len = 5;
	pushJsonbValue(&state, WJB_KEY, &value);
	value.val.string.val = unconstify(char *, scores->stage);
	value.val.string.len = strlen(scores->stage);
	pushJsonbValue(&state, WJB_VALUE, &value);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
														   WJB_END_OBJECT, NULL)));
}
