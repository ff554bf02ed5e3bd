/*-------------------------------------------------------------------------
 *
 * differing.c
 *		In which columns does a row differ from another one, or from values
 *		agreed on?
 *
 * A push is due for the columns in which a row differs from its base, and the
 * history of a row has the columns that a write changed.  Converting whole
 * rows to jsonb, only to find that one column differs, would take longer than
 * all the rest.  So each column is compared in its stored form, and only
 * those that differ become jsonb.
 *
 * Pure: reads no table, and depends neither on settings nor on the time zone.
 *
 * IDENTIFICATION
 *		src/differing.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

#include "compat.h"
#include "row_columns.h"
#include "value_jsonb.h"

PG_FUNCTION_INFO_V1(zcsync_differing);
PG_FUNCTION_INFO_V1(zcsync_differing_keys);
PG_FUNCTION_INFO_V1(zcsync_changed_columns);

static ArrayBuildState *add_differing(ArrayBuildState *keys, Jsonb *of,
									  Jsonb *other, bool missing_only);

/*
 * SQL: the columns of a row whose values differ from the members of the same
 * names in an object, as an object; {} if there are none.  The names are
 * those of the row's columns, in their order.
 *
 * A missing member counts as null; value.c says which values are the same.
 */
Datum
zcsync_differing(PG_FUNCTION_ARGS)
{
	Jsonb	   *base = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(1);
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	Datum	   *name;
	int			nnames;
	JsonbParseState *state = NULL;

	desc = zcsync_record_deform(PG_GETARG_HEAPTUPLEHEADER(2), &values, &nulls);
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT,
					  &name, NULL, &nnames);
	if (nnames != desc->natts)
		elog(ERROR, "%d names for %d columns", nnames, desc->natts);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < nnames; i++)
	{
		text	   *key = DatumGetTextPP(name[i]);
		const char *column = VARDATA_ANY(key);
		int			len = VARSIZE_ANY_EXHDR(key);
		ZcsyncValue here;
		ZcsyncValue there;

		zcsync_value_of_column(values[i], nulls[i],
							   TupleDescAttr(desc, i)->atttypid, &here);
		zcsync_value_of_member(base, column, len, &there);
		if (zcsync_value_same(&here, &there, ZCSYNC_EQUAL))
			continue;
		zcsync_value_push_key(&state, column, len);
		zcsync_value_push(&state, WJB_VALUE, &here);
	}
	ReleaseTupleDesc(desc);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}

/*
 * SQL: the keys whose values differ in two objects; NULL if there are none.
 * A missing member counts as null, and so does a missing object.
 */
Datum
zcsync_differing_keys(PG_FUNCTION_ARGS)
{
	Jsonb	   *a = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	Jsonb	   *b = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	ArrayBuildState *keys = NULL;

	keys = add_differing(keys, a, b, false);
	keys = add_differing(keys, b, a, true);
	if (keys == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(makeArrayResult(keys, CurrentMemoryContext));
}

/*
 * Add the keys of an object whose values differ from those in another one;
 * with missing_only, only keys that the other one does not have.
 */
static ArrayBuildState *
add_differing(ArrayBuildState *keys, Jsonb *of, Jsonb *other, bool missing_only)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	if (of == NULL || !JB_ROOT_IS_OBJECT(of))
		return keys;
	iterator = JsonbIteratorInit(&of->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		ZcsyncValue here;
		ZcsyncValue there;
		bool		found;
		text	   *name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		zcsync_value_of_json(&value, &here);
		found = zcsync_value_of_member(other, key.val.string.val,
									   key.val.string.len, &there);
		if ((missing_only && found) ||
			zcsync_value_same(&here, &there, ZCSYNC_EQUAL))
			continue;
		name = cstring_to_text_with_len(key.val.string.val, key.val.string.len);
		keys = accumArrayResult(keys, PointerGetDatum(name), false, TEXTOID,
								CurrentMemoryContext);
	}
	return keys;
}

/*
 * SQL: the columns in which two states of a row differ, with the values
 * before and after as objects; both are NULL if there are none.  The names
 * are those of the columns, in their order.
 *
 *		_changed_columns(before record, after record, names text[],
 *						 OUT old jsonb, OUT new jsonb)
 */
Datum
zcsync_changed_columns(PG_FUNCTION_ARGS)
{
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(2);
	TupleDesc	result = fcinfo->flinfo->fn_extra;
	TupleDesc	desc;
	Datum	   *old_values;
	Datum	   *new_values;
	bool	   *old_nulls;
	bool	   *new_nulls;
	Datum	   *name = NULL;
	JsonbParseState *old_state = NULL;
	JsonbParseState *new_state = NULL;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (result == NULL)
	{
		MemoryContext caller;

		if (get_call_result_type(fcinfo, NULL, &result) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		result = BlessTupleDesc(CreateTupleDescCopy(result));
		MemoryContextSwitchTo(caller);
		fcinfo->flinfo->fn_extra = result;
	}
	desc = zcsync_record_deform(PG_GETARG_HEAPTUPLEHEADER(0), &old_values, &old_nulls);
	ReleaseTupleDesc(desc);
	desc = zcsync_record_deform(PG_GETARG_HEAPTUPLEHEADER(1), &new_values, &new_nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		text	   *key;

		if (zcsync_column_same(column, old_values[i], old_nulls[i],
							   new_values[i], new_nulls[i]))
			continue;
		if (name == NULL)
		{
			int			n;

			deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT,
							  &name, NULL, &n);
			if (n != desc->natts)
				elog(ERROR, "%d names for %d columns", n, desc->natts);
			pushJsonbValue(&old_state, WJB_BEGIN_OBJECT, NULL);
			pushJsonbValue(&new_state, WJB_BEGIN_OBJECT, NULL);
		}
		key = DatumGetTextPP(name[i]);
		zcsync_value_push_column(&old_state, VARDATA_ANY(key),
								 VARSIZE_ANY_EXHDR(key), column->atttypid,
								 old_values[i], old_nulls[i]);
		zcsync_value_push_column(&new_state, VARDATA_ANY(key),
								 VARSIZE_ANY_EXHDR(key), column->atttypid,
								 new_values[i], new_nulls[i]);
	}
	ReleaseTupleDesc(desc);
	if (name != NULL)
	{
		values[0] = JsonbPGetDatum(JsonbValueToJsonb(
			pushJsonbValue(&old_state, WJB_END_OBJECT, NULL)));
		values[1] = JsonbPGetDatum(JsonbValueToJsonb(
			pushJsonbValue(&new_state, WJB_END_OBJECT, NULL)));
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, values, nulls)));
}
