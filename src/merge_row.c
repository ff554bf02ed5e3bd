/*-------------------------------------------------------------------------
 *
 * merge_row.c
 *		Merge rows with documents, for SQL.
 *
 * zcsync._merge_row() merges a document into a row of a kind, given as
 * ROW(its own columns), and returns the merged row.  merge.c decides about each
 * value; this file only fetches and stores the values, and as few as possible:
 * in a page's thousand rows most columns are unchanged, which is seen without
 * looking at the row at all.
 *
 * Arguments of _merge_row():
 *
 *	base		what was last agreed on; NULL: nothing ever was
 *	theirs		what the document says; it says nothing of a column that is
 *				missing in it
 *	sent		pushes that base may not know yet, the oldest first:
 *				[{"sent": {...}, "base": {...}}, ...]; without "base" the
 *				present base is used
 *	answered	is the document the reply to the last of them?
 *	pushable	columns of which the vendor can be told; NULL: all
 *	policies	{column: policy}; see merge.h for those that are not there
 *	newer		columns that were changed here later than there
 *	open		columns in which a person is still to decide; a key of the
 *				custom fields is "custom_fields/key"
 *
 * To learn which columns of the row win a dispute by default, _merge_row()
 * calls a function such as zcsync._outranking_fields() in
 * sql/mirror/merge.sql; but only once there is such a dispute, since that is
 * rare and the answer takes longer than the merge.
 *
 * What the two sides disputed is returned as a list of {"column", "key" (of a
 * custom field), "end", "mine", "theirs"}, where end is "remote" or "local"
 * (who won), "undecided", or "settled": a person was to decide, and need not
 * any more.
 *
 * IDENTIFICATION
 *		src/merge_row.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "merge.h"
#include "value_jsonb.h"

PG_FUNCTION_INFO_V1(zcsync_merge_row);

/* The column whose keys are values of their own. */
#define RECORD_COLUMN	"custom_fields"

/* Columns of the result of _merge_row() after those of the row. */
#define EXTRA_COLUMNS	5

typedef struct MergeColumn
{
	const char *name;
	int			len;
	Oid			type;
	bool		pushable;
	bool		is_record;
	ZcsyncPolicy policy;
} MergeColumn;

/* What is the same for all calls of a statement. */
typedef struct MergePlan
{
	struct varlena *names;		/* copies of the arguments from which it was
								 * made */
	struct varlena *pushable;
	struct varlena *policies;
	MergeColumn *columns;
	int			ncolumns;
	TupleDesc	result;
} MergePlan;

/* What is the same for all columns of a row. */
typedef struct MergeContext
{
	Jsonb	   *base;			/* NULL: nothing was ever agreed on */
	Jsonb	   *theirs;
	Jsonb	  **sent;			/* values and base of each push */
	Jsonb	  **sent_base;
	int			nsent;
	bool		answered;
	ArrayType  *newer;
	ArrayType  *open;
	List	   *undecided;		/* the same, for disputes that came up now */
	bool		differs;		/* is there anything to be sent? */
	bool		waits;			/* is there a difference that a person must
								 * decide? */
	JsonbParseState *disputes;	/* NULL: none */
	Oid			rank_function;	/* says what is "outranking"; InvalidOid:
								 * there is none */
	Datum		account;		/* its arguments */
	Datum		local_id;
	ArrayType  *outranking;		/* like "open": columns that win by default;
								 * NULL: not asked for yet */
} MergeContext;

/* The row while it is merged. */
typedef struct MergeRow
{
	Datum	   *values;			/* of the columns, then those of the result */
	bool	   *nulls;
	bool		edited;			/* may it differ from base? */
	bool		base_changed;
	int64		written;		/* columns that became others, as bits */
	int			in_base;		/* columns that are members of base */
	int			kept;			/* those of them that theirs does not cover */
} MergeRow;

/* The argument of mine_outranks() while a column is merged. */
typedef struct RankAsker
{
	MergeContext *context;
	const MergeColumn *column;
} RankAsker;

static void init_context(MergeContext *context, FunctionCallInfo fcinfo);
static void init_ranks(MergeContext *context, FunctionCallInfo fcinfo,
					   int first);
static void read_sent(MergeContext *context, Jsonb *sent);
static Jsonb *jsonb_member(Jsonb *object, const char *key);
static MergePlan *get_plan(FunctionCallInfo fcinfo, TupleDesc row,
						   ArrayType *names, struct varlena *pushable,
						   struct varlena *policies);
static bool same_argument(struct varlena *known, struct varlena *now);
static struct varlena *copy_argument(struct varlena *argument);
static void init_column(MergeColumn *column, const char *name, int len,
						ArrayType *pushable, Jsonb *policies);
static void init_row(MergeRow *row, const MergeContext *context,
					 const MergePlan *plan, HeapTupleHeader header,
					 TupleDesc desc);
static void merge_member(MergeContext *context, MergeRow *row,
						 const MergeColumn *column, int i);
static void note_uncovered(MergeContext *context, const MergeRow *row,
						   const MergeColumn *column, int i);
static void merge_covered(MergeContext *context, MergeRow *row,
						  const MergeColumn *column, int i,
						  const JsonbValue *their_found);
static void store_value(MergeRow *row, const MergeColumn *column, int i,
						ZcsyncValue *value);
static void add_results(MergeContext *context, MergeRow *row, int n);
static void merge_column(MergeContext *context, const MergeColumn *column,
						 const ZcsyncValue *mine, const ZcsyncValue *theirs,
						 ZcsyncMergeResult *result);
static ZcsyncSent *sent_of_column(const MergeContext *context,
								  const MergeColumn *column,
								  const ZcsyncValue *base);
static void note_rest(MergeContext *context, const MergeColumn *column,
					  const ZcsyncValue *merged, const ZcsyncValue *agreed);
static void note_rest_of_key(MergeContext *context, const MergeColumn *column,
							 const ZcsyncMember *member,
							 const ZcsyncValue *other);
static bool is_open(MergeContext *context, const MergeColumn *column,
					const char *key, int keylen);
static bool mine_outranks(void *asker, const char *key, int keylen);
static char *dispute_name(const MergeColumn *column, const char *key,
						  int keylen);
static void push_dispute(MergeContext *context, const MergeColumn *column,
						 const char *key, int keylen, const char *end,
						 const ZcsyncValue *mine, const ZcsyncValue *theirs);
static void push_text(JsonbParseState **state, const char *key,
					  const char *text, int len);
static bool array_has(ArrayType *array, const char *name, int len);
static bool json_identical(const JsonbValue *a, const JsonbValue *b);
static bool json_same_time(const JsonbValue *a, const JsonbValue *b);
static Datum finish_disputes(MergeContext *context, bool *isnull);

/*
 * SQL: a row merged with a document.
 *
 *		_merge_row(mine record, names text[], edited boolean, base, theirs,
 *				   sent, answered, pushable, policies, newer, open,
 *				   rank_function regprocedure, account bigint, local_id bigint)
 *
 * rank_function(account, local_id) returns the columns that win a dispute by
 * default, named as in open; NULL: none.  names are those of the row's
 * columns, in their order.  edited is false if the row is known to equal its
 * base: then it is not looked at, and may have null for values that take long
 * to fetch.  The result has the columns of the row and then
 *
 *	base		the new base; NULL: it stays as it is
 *	written		the columns that become others, as bits; the first is the lowest
 *	differs		is anything still to be sent?
 *	undecided	does anything else differ, about which a person is to decide?
 *	disputes	NULL: there are none
 */
Datum
zcsync_merge_row(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	MergePlan  *plan;
	MergeContext context;
	MergeRow	row;

	plan = get_plan(fcinfo, desc, PG_GETARG_ARRAYTYPE_P(1),
					PG_ARGISNULL(7) ? NULL :
					(struct varlena *) PG_GETARG_ARRAYTYPE_P(7),
					PG_ARGISNULL(8) ? NULL :
					(struct varlena *) PG_GETARG_JSONB_P(8));
	init_context(&context, fcinfo);
	init_ranks(&context, fcinfo, 11);
	init_row(&row, &context, plan, header, desc);
	if (PG_GETARG_BOOL(2))
		row.edited = true;
	ReleaseTupleDesc(desc);

	for (int i = 0; i < plan->ncolumns; i++)
		merge_member(&context, &row, &plan->columns[i], i);
	add_results(&context, &row, plan->ncolumns);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(plan->result, row.values,
													  row.nulls)));
}

/*
 * The function that says which columns win a dispute by default: three
 * arguments, starting with this one.
 */
static void
init_ranks(MergeContext *context, FunctionCallInfo fcinfo, int first)
{
	if (PG_ARGISNULL(first) || PG_ARGISNULL(first + 1) ||
		PG_ARGISNULL(first + 2))
		return;
	context->rank_function = PG_GETARG_OID(first);
	context->account = PG_GETARG_DATUM(first + 1);
	context->local_id = PG_GETARG_DATUM(first + 2);
}

/* ----------------------------------------------------------------
 *		Arguments
 * ----------------------------------------------------------------
 */

/*
 * Read base, theirs, sent, answered, newer and open from the arguments.
 */
static void
init_context(MergeContext *context, FunctionCallInfo fcinfo)
{
	memset(context, 0, sizeof(*context));
	if (!PG_ARGISNULL(3))
		context->base = PG_GETARG_JSONB_P(3);
	if (context->base != NULL && !JB_ROOT_IS_OBJECT(context->base))
		context->base = NULL;
	if (!PG_ARGISNULL(4))
		context->theirs = PG_GETARG_JSONB_P(4);
	if (context->theirs == NULL || !JB_ROOT_IS_OBJECT(context->theirs))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a document's values must be an object")));
	if (!PG_ARGISNULL(5))
		read_sent(context, PG_GETARG_JSONB_P(5));
	context->answered = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
	if (!PG_ARGISNULL(9))
		context->newer = PG_GETARG_ARRAYTYPE_P(9);
	if (!PG_ARGISNULL(10))
		context->open = PG_GETARG_ARRAYTYPE_P(10);
}

/*
 * The pushes whose values base may not contain yet.
 */
static void
read_sent(MergeContext *context, Jsonb *sent)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	push;

	if (!JB_ROOT_IS_ARRAY(sent) || JB_ROOT_COUNT(sent) == 0)
		return;
	context->sent = palloc(JB_ROOT_COUNT(sent) * sizeof(Jsonb *));
	context->sent_base = palloc(JB_ROOT_COUNT(sent) * sizeof(Jsonb *));
	iterator = JsonbIteratorInit(&sent->root);
	while ((token = JsonbIteratorNext(&iterator, &push, true)) != WJB_DONE)
	{
		Jsonb	   *object;

		if (token != WJB_ELEM || push.type != jbvBinary)
			continue;
		object = JsonbValueToJsonb(&push);
		context->sent[context->nsent] = jsonb_member(object, "sent");
		context->sent_base[context->nsent] = jsonb_member(object, "base");
		context->nsent++;
	}
}

/*
 * A member of an object if it is an object itself, or NULL.
 */
static Jsonb *
jsonb_member(Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(object) ||
		getKeyJsonValueFromContainer(&object->root, key, strlen(key),
									 &value) == NULL ||
		value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return JsonbValueToJsonb(&value);
}

/*
 * What does not change from row to row.  It is made at the first call of a
 * statement, and again in the rare case that its arguments change.
 */
static MergePlan *
get_plan(FunctionCallInfo fcinfo, TupleDesc row, ArrayType *names,
		 struct varlena *pushable, struct varlena *policies)
{
	MergePlan  *plan = fcinfo->flinfo->fn_extra;
	MemoryContext old;
	TupleDesc	result;
	Datum	   *name;
	int			n;

	if (plan != NULL && plan->ncolumns == row->natts &&
		same_argument(plan->names, (struct varlena *) names) &&
		same_argument(plan->pushable, pushable) &&
		same_argument(plan->policies, policies))
		return plan;

	if (get_call_result_type(fcinfo, NULL, &result) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the columns of the merged row must be listed")));
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	plan = palloc(sizeof(MergePlan));
	plan->names = copy_argument((struct varlena *) names);
	plan->pushable = copy_argument(pushable);
	plan->policies = copy_argument(policies);
	deconstruct_array((ArrayType *) plan->names, TEXTOID, -1, false,
					  TYPALIGN_INT, &name, NULL, &n);
	if (n != row->natts || result->natts != n + EXTRA_COLUMNS)
		elog(ERROR, "%d names for %d columns, of which %d are to be returned",
			 n, row->natts, result->natts - EXTRA_COLUMNS);
	if (n > 63)
		elog(ERROR, "too many columns to merge: %d", n);
	plan->ncolumns = n;
	plan->columns = palloc(n * sizeof(MergeColumn));
	for (int i = 0; i < n; i++)
	{
		MergeColumn *column = &plan->columns[i];

		column->type = TupleDescAttr(row, i)->atttypid;
		if (column->type != TupleDescAttr(result, i)->atttypid)
			elog(ERROR, "column %d must be returned as it is given", i + 1);
		init_column(column, VARDATA_ANY(DatumGetPointer(name[i])),
					VARSIZE_ANY_EXHDR(DatumGetPointer(name[i])),
					(ArrayType *) plan->pushable, (Jsonb *) plan->policies);
	}
	plan->result = BlessTupleDesc(CreateTupleDescCopy(result));
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = plan;
	return plan;
}

static bool
same_argument(struct varlena *known, struct varlena *now)
{
	if (known == NULL || now == NULL)
		return known == now;
	return VARSIZE(known) == VARSIZE(now) &&
		memcmp(known, now, VARSIZE(known)) == 0;
}

static struct varlena *
copy_argument(struct varlena *argument)
{
	struct varlena *copy;

	if (argument == NULL)
		return NULL;
	copy = palloc(VARSIZE(argument));
	memcpy(copy, argument, VARSIZE(argument));
	return copy;
}

/*
 * What is known about a column apart from its type.
 */
static void
init_column(MergeColumn *column, const char *name, int len,
			ArrayType *pushable, Jsonb *policies)
{
	JsonbValue	policy;

	column->name = name;
	column->len = len;
	column->is_record = len == strlen(RECORD_COLUMN) &&
		memcmp(name, RECORD_COLUMN, len) == 0;
	column->pushable = pushable == NULL || array_has(pushable, name, len);
	column->policy = ZCSYNC_POLICY_DEFAULT;
	if (policies == NULL || !JB_ROOT_IS_OBJECT(policies) ||
		getKeyJsonValueFromContainer(&policies->root, name, len,
									 &policy) == NULL)
		return;
	if (policy.type != jbvString ||
		!zcsync_policy_parse(policy.val.string.val, policy.val.string.len,
							 &column->policy))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid policy for column \"%.*s\"", len, name),
				 errhint("The policies are \"default\", \"remote\", \"local\", \"newest\", \"union\" and \"manual\".")));
}

static bool
array_has(ArrayType *array, const char *name, int len)
{
	Datum	   *element;
	bool	   *isnull;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &element, &isnull, &n);
	for (int i = 0; i < n; i++)
	{
		struct varlena *e = (struct varlena *) DatumGetPointer(element[i]);

		if (!isnull[i] && VARSIZE_ANY_EXHDR(e) == len &&
			memcmp(VARDATA_ANY(e), name, len) == 0)
			return true;
	}
	return false;
}

/* ----------------------------------------------------------------
 *		Columns
 * ----------------------------------------------------------------
 */

/*
 * Fetch the values of the row.  A row for which nothing is agreed on, or of
 * which pushes are on their way, must be looked at as if it were edited.
 */
static void
init_row(MergeRow *row, const MergeContext *context, const MergePlan *plan,
		 HeapTupleHeader header, TupleDesc desc)
{
	HeapTupleData tuple = {0};

	memset(row, 0, sizeof(*row));
	row->edited = context->base == NULL || context->nsent > 0;
	row->base_changed = context->base == NULL;
	row->values = palloc((plan->ncolumns + EXTRA_COLUMNS) * sizeof(Datum));
	row->nulls = palloc((plan->ncolumns + EXTRA_COLUMNS) * sizeof(bool));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, row->values, row->nulls);
}

/*
 * Merge the i-th column with the member of the document of that name, if the
 * document has one.
 */
static void
merge_member(MergeContext *context, MergeRow *row, const MergeColumn *column,
			 int i)
{
	JsonbValue	their_json;
	JsonbValue	base_json;
	JsonbValue *their_found;
	JsonbValue *base_found = NULL;

	their_found = getKeyJsonValueFromContainer(&context->theirs->root,
											   column->name, column->len,
											   &their_json);
	if (context->base != NULL)
		base_found = getKeyJsonValueFromContainer(&context->base->root,
												  column->name, column->len,
												  &base_json);
	if (base_found != NULL)
		row->in_base++;
	if (their_found == NULL)
	{
		row->kept += base_found != NULL;
		if (row->edited && column->pushable)
			note_uncovered(context, row, column, i);
		return;
	}

	/* Not changed there: mine stays, whatever it is. */
	if (base_found != NULL &&
		(json_identical(base_found, their_found) ||
		 (column->type == TIMESTAMPTZOID &&
		  json_same_time(base_found, their_found))))
	{
		if (!row->edited || (!column->pushable && context->nsent == 0))
			return;
	}
	else
		row->base_changed = true;
	merge_covered(context, row, column, i, their_found);
}

/*
 * The document does not cover the column: what is to be sent of it is what
 * differs from base.
 */
static void
note_uncovered(MergeContext *context, const MergeRow *row,
			   const MergeColumn *column, int i)
{
	ZcsyncValue mine;
	ZcsyncValue agreed;

	zcsync_value_of_column(row->values[i], row->nulls[i], column->type, &mine);
	zcsync_value_of_member(context->base, column->name, column->len, &agreed);
	note_rest(context, column, &mine, &agreed);
}

/*
 * Merge the i-th column with what the document says of it.  In a row that was
 * not edited it is what becomes of the column.
 */
static void
merge_covered(MergeContext *context, MergeRow *row, const MergeColumn *column,
			  int i, const JsonbValue *their_found)
{
	ZcsyncValue mine;
	ZcsyncValue theirs;
	ZcsyncMergeResult result;

	zcsync_value_of_json(their_found, &theirs);
	if (!row->edited)
	{
		store_value(row, column, i, &theirs);
		return;
	}
	zcsync_value_of_column(row->values[i], row->nulls[i], column->type, &mine);
	merge_column(context, column, &mine, &theirs, &result);
	if (column->pushable)
		note_rest(context, column, &result.value, &theirs);
	if (result.winner != ZCSYNC_MINE &&
		!zcsync_value_same(&result.value, &mine, ZCSYNC_IDENTICAL))
		store_value(row, column, i, &result.value);
}

/*
 * Give the i-th column of the row another value.
 */
static void
store_value(MergeRow *row, const MergeColumn *column, int i,
			ZcsyncValue *value)
{
	if (column->is_record && value->type == ZCSYNC_VALUE_NULL)
		value->type = ZCSYNC_VALUE_OBJECT;	/* never null in a row */
	row->values[i] = zcsync_value_to_column(value, column->type,
											&row->nulls[i]);
	row->written |= INT64CONST(1) << i;
}

/*
 * Append what _merge_row() returns after the columns of the row; n is their
 * number.  The new base is theirs, and the old base for columns that theirs
 * does not cover.
 */
static void
add_results(MergeContext *context, MergeRow *row, int n)
{
	Datum	   *values = row->values + n;
	bool	   *nulls = row->nulls + n;

	memset(nulls, false, EXTRA_COLUMNS * sizeof(bool));
	nulls[0] = !row->base_changed;
	if (row->base_changed && context->base != NULL &&
		(row->kept > 0 ||
		 row->in_base < JsonContainerSize(&context->base->root)))
		values[0] = DirectFunctionCall2(jsonb_concat,
										JsonbPGetDatum(context->base),
										JsonbPGetDatum(context->theirs));
	else
		values[0] = JsonbPGetDatum(context->theirs);
	values[1] = Int64GetDatum(row->written);
	values[2] = BoolGetDatum(context->differs);
	values[3] = BoolGetDatum(context->waits);
	values[4] = finish_disputes(context, &nulls[4]);
}

/*
 * Merge a column that the document covers, and note its disputes.
 */
static void
merge_column(MergeContext *context, const MergeColumn *column,
			 const ZcsyncValue *mine, const ZcsyncValue *theirs,
			 ZcsyncMergeResult *result)
{
	static const char *const ends[] = {
		[ZCSYNC_LOST_MINE] = "remote",
		[ZCSYNC_LOST_THEIRS] = "local",
		[ZCSYNC_UNDECIDED] = "undecided"
	};
	ZcsyncMergeInput input = {0};
	RankAsker	asker = {.context = context,.column = column};
	ZcsyncValue base;
	bool		base_known = context->base != NULL &&
		zcsync_value_of_member(context->base, column->name, column->len, &base);

	if (base_known)
		input.base = &base;
	input.mine = mine;
	input.theirs = theirs;
	input.sent = sent_of_column(context, column, input.base);
	input.nsent = context->nsent;
	input.policy = column->policy;
	input.is_set = !column->is_record;
	input.is_record = column->is_record;
	input.pushable = column->pushable;
	input.mine_is_newer = context->newer != NULL &&
		array_has(context->newer, column->name, column->len);
	if (OidIsValid(context->rank_function))
	{
		input.mine_outranks = mine_outranks;
		input.asker = &asker;
	}
	zcsync_merge(&input, result);

	for (int i = 0; i < result->ndisputes; i++)
	{
		ZcsyncDispute *dispute = &result->disputes[i];

		push_dispute(context, column, dispute->key, dispute->keylen,
					 ends[dispute->end], dispute->mine, dispute->theirs);
		if (dispute->end == ZCSYNC_UNDECIDED)
			context->undecided = lappend(context->undecided,
										 dispute_name(column, dispute->key,
													  dispute->keylen));
	}
}

/*
 * What each push sent of a column, with what was agreed on then: "base" for a
 * push that does not tell.  NULL if there are no pushes.
 */
static ZcsyncSent *
sent_of_column(const MergeContext *context, const MergeColumn *column,
			   const ZcsyncValue *base)
{
	ZcsyncSent *sent;
	ZcsyncValue *pool;

	if (context->nsent == 0)
		return NULL;
	pool = palloc(2 * context->nsent * sizeof(ZcsyncValue));
	sent = palloc0(context->nsent * sizeof(ZcsyncSent));
	for (int i = 0; i < context->nsent; i++)
	{
		if (zcsync_value_of_member(context->sent[i], column->name,
								   column->len, &pool[2 * i]))
			sent[i].value = &pool[2 * i];
		if (context->sent_base[i] == NULL)
			sent[i].base = base;
		else if (zcsync_value_of_member(context->sent_base[i], column->name,
										column->len, &pool[2 * i + 1]))
			sent[i].base = &pool[2 * i + 1];
		sent[i].answered = context->answered && i == context->nsent - 1;
	}
	return sent;
}

/*
 * Does this column, or this key of it, win a dispute by default?  The first
 * time, this asks for all columns of the row that do.
 */
static bool
mine_outranks(void *asker, const char *key, int keylen)
{
	MergeContext *context = ((RankAsker *) asker)->context;
	char	   *name = dispute_name(((RankAsker *) asker)->column, key, keylen);

	if (context->outranking == NULL)
		context->outranking =
			DatumGetArrayTypeP(OidFunctionCall2(context->rank_function,
												context->account,
												context->local_id));
	return array_has(context->outranking, name, strlen(name));
}

/*
 * Note whether a column is still to be sent: that is so if it differs from
 * what is agreed on now, and no person must decide about it.  Also note which
 * of the open decisions are settled.
 */
static void
note_rest(MergeContext *context, const MergeColumn *column,
		  const ZcsyncValue *merged, const ZcsyncValue *agreed)
{
	bool		same = zcsync_value_same(merged, agreed, ZCSYNC_EQUAL);

	if (context->open == NULL && context->undecided == NIL)
	{
		context->differs |= !same;
		return;
	}
	if (column->is_record)
	{
		if (merged->type == ZCSYNC_VALUE_OBJECT)
			for (int i = 0; i < merged->len; i++)
				note_rest_of_key(context, column, &merged->u.members[i],
								 agreed);
		if (agreed->type == ZCSYNC_VALUE_OBJECT)
			for (int i = 0; i < agreed->len; i++)
				if (zcsync_value_member(merged, agreed->u.members[i].key,
										agreed->u.members[i].keylen) == NULL)
					note_rest_of_key(context, column, &agreed->u.members[i],
									 merged);
		return;
	}
	if (same)
	{
		if (is_open(context, column, NULL, 0))
			push_dispute(context, column, NULL, 0, "settled", merged, agreed);
	}
	else if (is_open(context, column, NULL, 0))
		context->waits = true;
	else
		context->differs = true;
}

/*
 * The same for a custom field: a member of one object, compared with the
 * other object.
 */
static void
note_rest_of_key(MergeContext *context, const MergeColumn *column,
				 const ZcsyncMember *member, const ZcsyncValue *other)
{
	static const ZcsyncValue null_value = {.type = ZCSYNC_VALUE_NULL};
	const ZcsyncValue *value = zcsync_value_member(other, member->key,
												   member->keylen);

	if (value == NULL)
		value = &null_value;
	if (zcsync_value_same(&member->value, value, ZCSYNC_EQUAL))
	{
		if (is_open(context, column, member->key, member->keylen))
			push_dispute(context, column, member->key, member->keylen,
						 "settled", &member->value, value);
	}
	else if (is_open(context, column, member->key, member->keylen))
		context->waits = true;
	else
		context->differs = true;
}

/*
 * Must a person decide about this column, or this key of it?
 */
static bool
is_open(MergeContext *context, const MergeColumn *column, const char *key,
		int keylen)
{
	char	   *name = dispute_name(column, key, keylen);
	ListCell   *cell;

	foreach(cell, context->undecided)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return context->open != NULL &&
		array_has(context->open, name, strlen(name));
}

/*
 * The name of a column, or of a key of it, in the form of the argument
 * "open".
 */
static char *
dispute_name(const MergeColumn *column, const char *key, int keylen)
{
	if (key == NULL)
		return pnstrdup(column->name, column->len);
	return psprintf("%.*s/%.*s", column->len, column->name, keylen, key);
}

static void
push_dispute(MergeContext *context, const MergeColumn *column,
			 const char *key, int keylen, const char *end,
			 const ZcsyncValue *mine, const ZcsyncValue *theirs)
{
	JsonbParseState **state = &context->disputes;

	if (*state == NULL)
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "column", column->name, column->len);
	if (key != NULL)
		push_text(state, "key", key, keylen);
	push_text(state, "end", end, strlen(end));
	zcsync_value_push_key(state, "mine", 4);
	zcsync_value_push(state, WJB_VALUE, mine);
	zcsync_value_push_key(state, "theirs", 6);
	zcsync_value_push(state, WJB_VALUE, theirs);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_text(JsonbParseState **state, const char *key, const char *string, int len)
{
	ZcsyncValue value = {.type = ZCSYNC_VALUE_TEXT,.len = len};

	value.u.text = string;
	zcsync_value_push_key(state, key, strlen(key));
	zcsync_value_push(state, WJB_VALUE, &value);
}

static Datum
finish_disputes(MergeContext *context, bool *isnull)
{
	*isnull = context->disputes == NULL;
	if (*isnull)
		return (Datum) 0;
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&context->disputes,
														   WJB_END_ARRAY,
														   NULL)));
}

/*
 * Are the stored bytes of two values of jsonb the same?  False where it would
 * take long to find out.
 */
static bool
json_identical(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val,
					   a->val.string.len) == 0;
		case jbvNumeric:
			return VARSIZE_ANY(a->val.numeric) == VARSIZE_ANY(b->val.numeric) &&
				memcmp(a->val.numeric, b->val.numeric,
					   VARSIZE_ANY(a->val.numeric)) == 0;
		case jbvBinary:
			return a->val.binary.len == b->val.binary.len &&
				memcmp(a->val.binary.data, b->val.binary.data,
					   a->val.binary.len) == 0;
		default:
			return false;
	}
}

/*
 * Are two texts the same time, written for different time zones?
 */
static bool
json_same_time(const JsonbValue *a, const JsonbValue *b)
{
	Oid			input;
	Oid			param;

	if (a->type != jbvString || b->type != jbvString)
		return false;
	getTypeInputInfo(TIMESTAMPTZOID, &input, &param);
	return OidInputFunctionCall(input,
								pnstrdup(a->val.string.val, a->val.string.len),
								param, -1) ==
		OidInputFunctionCall(input,
							 pnstrdup(b->val.string.val, b->val.string.len),
							 param, -1);
}
