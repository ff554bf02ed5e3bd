/*-------------------------------------------------------------------------
 *
 * row_columns.c
 *		Columns of rows that SQL passes as records.
 *
 * Triggers that look at thousands of new rows need some of their columns as
 * an object.  to_jsonb() of the whole row, taken apart again, takes five times
 * as long.  Values are as to_jsonb() would make them, times in UTC.
 *
 * Pure: reads no table, and depends neither on settings nor on the time zone.
 *
 * IDENTIFICATION
 *		src/row_columns.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

#include "compat.h"
#include "row_columns.h"
#include "value_jsonb.h"

PG_FUNCTION_INFO_V1(zcsync_columns_of);
PG_FUNCTION_INFO_V1(zcsync_given_columns);
PG_FUNCTION_INFO_V1(zcsync_manual_values);

/* Which columns of a row type have these names, for the rows of a query. */
typedef struct NamedColumns
{
	Oid			type;
	int32		typmod;
	bool	   *named;
	ArrayType  *names;
} NamedColumns;

/* Names that were found in objects, each once. */
typedef struct FoundNames
{
	JsonbValue *name;			/* its bytes are those of the object */
	int			n;
	int			max;
} FoundNames;

static void find_names(FoundNames *found, Jsonb *object);
static int	place_of_name(const FoundNames *found, const JsonbValue *name,
						  int likely);
static const bool *named_columns(FmgrInfo *function, HeapTupleHeader row,
								 ArrayType *names, TupleDesc desc);
static bool has_name(const char *name, Datum *names, int n);
static bool is_empty_object(Oid type, Datum datum);
static bool is_manual(Jsonb *provenance, const char *column);
static void push_column_of(JsonbParseState **state, Form_pg_attribute column,
						   Datum datum, bool isnull);

/*
 * SQL: those of the named columns of a row that have a value, as an object; an
 * empty object is no value.  NULL: there are none.
 *
 *		_given_columns(row record, names text[])
 */
Datum
zcsync_given_columns(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	const bool *named;
	JsonbParseState *state = NULL;

	desc = zcsync_record_deform(row, &values, &nulls);
	named = named_columns(fcinfo->flinfo, row, PG_GETARG_ARRAYTYPE_P(1), desc);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!named[i] || nulls[i] || is_empty_object(column->atttypid, values[i]))
			continue;
		if (state == NULL)
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_column_of(&state, column, values[i], false);
	}
	ReleaseTupleDesc(desc);
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}

/*
 * SQL: the columns of a lead that people wrote, as its provenance says, as an
 * object with their values, null too.  NULL: there are none.
 *
 *		_manual_values(lead record, provenance jsonb)
 */
Datum
zcsync_manual_values(PG_FUNCTION_ARGS)
{
	Jsonb	   *provenance = PG_GETARG_JSONB_P(1);
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	JsonbParseState *state = NULL;

	desc = zcsync_record_deform(PG_GETARG_HEAPTUPLEHEADER(0), &values, &nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped ||
			!is_manual(provenance, NameStr(column->attname)))
			continue;
		if (state == NULL)
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_column_of(&state, column, values[i], nulls[i]);
	}
	ReleaseTupleDesc(desc);
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}

/*
 * SQL: the names of the columns that objects have, each once; NULL: there is
 * none.
 *
 *		_columns_of(objects jsonb[])
 */
Datum
zcsync_columns_of(PG_FUNCTION_ARGS)
{
	ArrayIterator objects = array_create_iterator(PG_GETARG_ARRAYTYPE_P(0), 0, NULL);
	FoundNames	found = {0};
	Datum		object;
	bool		isnull;
	Datum	   *names;

	while (array_iterate(objects, &object, &isnull))
		if (!isnull)
			find_names(&found, DatumGetJsonbP(object));
	if (found.n == 0)
		PG_RETURN_NULL();
	names = palloc(found.n * sizeof(Datum));
	for (int i = 0; i < found.n; i++)
		names[i] = PointerGetDatum(cstring_to_text_with_len(found.name[i].val.string.val,
															 found.name[i].val.string.len));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, found.n, TEXTOID, -1, false,
										  TYPALIGN_INT));
}

/*
 * Add those names of an object's members that were not found before.
 */
static void
find_names(FoundNames *found, Jsonb *object)
{
	JsonbIterator *members = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			place = -1;

	while ((token = JsonbIteratorNext(&members, &value, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		place = place_of_name(found, &value, place + 1);
		if (place < found->n)
			continue;
		if (found->n == found->max)
		{
			found->max = found->max == 0 ? 64 : found->max * 2;
			found->name = found->name == NULL ?
				palloc(found->max * sizeof(JsonbValue)) :
				repalloc(found->name, found->max * sizeof(JsonbValue));
		}
		found->name[found->n++] = value;
	}
}

/*
 * Where is this name among those that were found?  At their end: nowhere.
 * Objects mostly have the same members in the same order, so the place after
 * that of the name before is tried first.
 */
static int
place_of_name(const FoundNames *found, const JsonbValue *name, int likely)
{
	int			length = name->val.string.len;

	for (int i = -1; i < found->n; i++)
	{
		int			place = i < 0 ? likely : i;

		if (place < found->n && found->name[place].val.string.len == length &&
			memcmp(found->name[place].val.string.val, name->val.string.val,
				   length) == 0)
			return place;
	}
	return found->n;
}

/*
 * Which columns have one of the names?  The answer is kept for the next row of
 * the same query.
 */
static const bool *
named_columns(FmgrInfo *function, HeapTupleHeader row, ArrayType *names,
			  TupleDesc desc)
{
	NamedColumns *known = function->fn_extra;
	MemoryContext caller;
	Datum	   *name;
	int			n;

	if (known != NULL && known->type == HeapTupleHeaderGetTypeId(row) &&
		known->typmod == HeapTupleHeaderGetTypMod(row) &&
		datumIsEqual(PointerGetDatum(known->names), PointerGetDatum(names),
					 false, -1))
		return known->named;
	caller = MemoryContextSwitchTo(function->fn_mcxt);
	known = palloc(sizeof(NamedColumns));
	known->type = HeapTupleHeaderGetTypeId(row);
	known->typmod = HeapTupleHeaderGetTypMod(row);
	known->names = DatumGetArrayTypePCopy(PointerGetDatum(names));
	known->named = palloc(desc->natts * sizeof(bool));
	MemoryContextSwitchTo(caller);
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, NULL, &n);
	for (int i = 0; i < desc->natts; i++)
		known->named[i] = !TupleDescAttr(desc, i)->attisdropped &&
			has_name(NameStr(TupleDescAttr(desc, i)->attname), name, n);
	function->fn_extra = known;
	return known->named;
}

static bool
has_name(const char *name, Datum *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		text	   *key = DatumGetTextPP(names[i]);

		if (strlen(name) == VARSIZE_ANY_EXHDR(key) &&
			memcmp(name, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) == 0)
			return true;
	}
	return false;
}

static bool
is_empty_object(Oid type, Datum datum)
{
	Jsonb	   *object;

	if (type != JSONBOID)
		return false;
	object = DatumGetJsonbP(datum);
	return JB_ROOT_IS_OBJECT(object) && JB_ROOT_COUNT(object) == 0;
}

/*
 * Did people write this column of a lead?  A value of a row of lead_rows has
 * the number of that row.
 */
static bool
is_manual(Jsonb *provenance, const char *column)
{
	JsonbValue	entry;
	JsonbValue	source;
	JsonbValue	row;

	if (!JB_ROOT_IS_OBJECT(provenance) ||
		getKeyJsonValueFromContainer(&provenance->root, column, strlen(column),
									 &entry) == NULL ||
		entry.type != jbvBinary || !JsonContainerIsObject(entry.val.binary.data))
		return false;
	return getKeyJsonValueFromContainer(entry.val.binary.data, "source", 6,
										&source) != NULL &&
		source.type == jbvString && source.val.string.len == 6 &&
		memcmp(source.val.string.val, "manual", 6) == 0 &&
		getKeyJsonValueFromContainer(entry.val.binary.data, "row", 3, &row) == NULL;
}

static void
push_column_of(JsonbParseState **state, Form_pg_attribute column, Datum datum,
			   bool isnull)
{
	zcsync_value_push_column(state, NameStr(column->attname),
							 strlen(NameStr(column->attname)), column->atttypid,
							 datum, isnull);
}

/*
 * The columns of a record.  The caller releases the descriptor.
 */
TupleDesc
zcsync_record_deform(HeapTupleHeader header, Datum **values, bool **nulls)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {0};

	*values = palloc(desc->natts * sizeof(Datum));
	*nulls = palloc(desc->natts * sizeof(bool));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, *values, *nulls);
	return desc;
}

/*
 * Is the value of a column the same?  Mostly its stored bytes are the same:
 * then a long text need not even be uncompressed.
 */
bool
zcsync_column_same(Form_pg_attribute column, Datum a, bool a_null, Datum b,
				   bool b_null)
{
	ZcsyncValue before;
	ZcsyncValue after;

	if (a_null || b_null)
		return a_null && b_null;
	if (datumIsEqual(a, b, column->attbyval, column->attlen))
		return true;
	if (column->attbyval)
		return false;
	zcsync_value_of_column(a, false, column->atttypid, &before);
	zcsync_value_of_column(b, false, column->atttypid, &after);
	return zcsync_value_same(&before, &after, ZCSYNC_IDENTICAL);
}
