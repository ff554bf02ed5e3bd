/*-------------------------------------------------------------------------
 *
 * merge.c
 *		Compare typed columns of a row with values agreed on as jsonb.
 *
 * A push is due for the columns in which a row differs from its base.  To make
 * the whole row jsonb first, only to find that one column differs, would take
 * longer than all the rest of a push; so each column is compared where it is,
 * and only those that differ become jsonb.
 *
 * Pure: no table is read, and neither settings nor the time zone matter.
 *
 * IDENTIFICATION
 *		src/merge.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(zcsync_differing);
PG_FUNCTION_INFO_V1(zcsync_differing_keys);

static JsonbValue *base_value(Jsonb *base, Datum name, JsonbValue *value);
static JsonbValue *member_value(Jsonb *object, const char *key, int len,
								JsonbValue *value);
static ArrayBuildState *add_differing(ArrayBuildState *keys, Jsonb *of,
									  Jsonb *other, bool missing_only);
static JsonbValue *column_value(Datum datum, Oid type, JsonbValue *value);
static JsonbValue *array_value(ArrayType *array);
static bool values_equal(const JsonbValue *a, const JsonbValue *b);
static bool is_empty_object(const JsonbValue *value);

/*
 * SQL: those columns of a row whose values differ from the members of an
 * object that have their names, as an object; {} when none does.  The names
 * are those of the row's columns, in their order.
 *
 * A member that is missing is null.  An object is never null in a row, so an
 * empty one equals a null member.
 */
Datum
zcsync_differing(PG_FUNCTION_ARGS)
{
	Jsonb	   *base = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(1);
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(2);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {0};
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	Datum	   *name;
	int			nnames;
	JsonbParseState *state = NULL;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT,
					  &name, NULL, &nnames);
	if (nnames != desc->natts)
		elog(ERROR, "%d names for %d columns", nnames, desc->natts);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, values, nulls);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < nnames; i++)
	{
		JsonbValue	there_value;
		JsonbValue	here_value;
		JsonbValue *there = base_value(base, name[i], &there_value);
		JsonbValue *here;
		JsonbValue	key;

		if (nulls[i])
		{
			here_value.type = jbvNull;
			here = &here_value;
		}
		else
			here = column_value(values[i], TupleDescAttr(desc, i)->atttypid,
								&here_value);
		if (values_equal(here, there) ||
			(there->type == jbvNull && is_empty_object(here)))
			continue;

		key.type = jbvString;
		key.val.string.val = VARDATA_ANY(DatumGetPointer(name[i]));
		key.val.string.len = VARSIZE_ANY_EXHDR(DatumGetPointer(name[i]));
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, here);
	}
	ReleaseTupleDesc(desc);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}

/*
 * SQL: the keys whose values differ in two objects; NULL when there are none.
 * A member that is missing is null, and so is an object that is missing.
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
 * Add the keys of an object whose values differ from those of another one;
 * with missing_only those only that the other one has not got.
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
		JsonbValue	other_value;
		int			len;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		len = key.val.string.len;
		(void) member_value(other, key.val.string.val, len, &other_value);
		if (values_equal(&value, &other_value) ||
			(missing_only && other_value.type != jbvNull))
			continue;
		keys = accumArrayResult(keys,
								PointerGetDatum(cstring_to_text_with_len(key.val.string.val, len)),
								false, TEXTOID, CurrentMemoryContext);
	}
	return keys;
}

/*
 * The member of that name, null if there is none.
 */
static JsonbValue *
base_value(Jsonb *base, Datum name, JsonbValue *value)
{
	text	   *key = DatumGetTextPP(name);

	return member_value(base, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), value);
}

static JsonbValue *
member_value(Jsonb *object, const char *key, int len, JsonbValue *value)
{
	if (object == NULL || !JB_ROOT_IS_OBJECT(object) ||
		getKeyJsonValueFromContainer(&object->root, key, len, value) == NULL)
		value->type = jbvNull;
	return value;
}

/*
 * A value of a column as to_jsonb() would have it with UTC as the time zone.
 */
static JsonbValue *
column_value(Datum datum, Oid type, JsonbValue *value)
{
	switch (type)
	{
		case BOOLOID:
			value->type = jbvBool;
			value->val.boolean = DatumGetBool(datum);
			return value;
		case INT4OID:
			value->type = jbvNumeric;
			value->val.numeric = int64_to_numeric(DatumGetInt32(datum));
			return value;
		case INT8OID:
			value->type = jbvNumeric;
			value->val.numeric = int64_to_numeric(DatumGetInt64(datum));
			return value;
		case NUMERICOID:
			if (!numeric_is_nan(DatumGetNumeric(datum)) &&
				!numeric_is_inf(DatumGetNumeric(datum)))
			{
				value->type = jbvNumeric;
				value->val.numeric = DatumGetNumeric(datum);
				return value;
			}
			break;				/* JSON has no such number: as a text */
		case TEXTARRAYOID:
			return array_value(DatumGetArrayTypeP(datum));
		case JSONBOID:
			{
				Jsonb	   *json = DatumGetJsonbP(datum);

				if (JB_ROOT_IS_SCALAR(json))
					(void) JsonbExtractScalar(&json->root, value);
				else
				{
					value->type = jbvBinary;
					value->val.binary.data = &json->root;
					value->val.binary.len = VARSIZE_ANY_EXHDR(json);
				}
				return value;
			}
		default:
			break;
	}

	value->type = jbvString;
	if (type == TEXTOID)
	{
		text	   *string = DatumGetTextPP(datum);

		value->val.string.val = VARDATA_ANY(string);
		value->val.string.len = VARSIZE_ANY_EXHDR(string);
	}
	else if (type == TIMESTAMPTZOID)
	{
		int			utc = 0;

		value->val.string.val = palloc(MAXDATELEN + 1);
		JsonEncodeDateTime(value->val.string.val, datum, type, &utc);
		value->val.string.len = strlen(value->val.string.val);
	}
	else
	{
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(type, &output, &is_varlena);
		value->val.string.val = OidOutputFunctionCall(output, datum);
		value->val.string.len = strlen(value->val.string.val);
	}
	return value;
}

/*
 * A list of texts.
 */
static JsonbValue *
array_value(ArrayType *array)
{
	JsonbParseState *state = NULL;
	JsonbValue *binary = palloc(sizeof(JsonbValue));
	Datum	   *element;
	bool	   *isnull;
	int			n;
	Jsonb	   *json;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &element, &isnull, &n);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue	value;

		if (isnull[i])
			value.type = jbvNull;
		else
			(void) column_value(element[i], TEXTOID, &value);
		pushJsonbValue(&state, WJB_ELEM, &value);
	}
	json = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
	binary->type = jbvBinary;
	binary->val.binary.data = &json->root;
	binary->val.binary.len = VARSIZE(json) - VARHDRSZ;
	return binary;
}

static bool
values_equal(const JsonbValue *a, const JsonbValue *b)
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
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		case jbvBinary:
			return compareJsonbContainers(a->val.binary.data,
										  b->val.binary.data) == 0;
		default:
			elog(ERROR, "unexpected type of jsonb value: %d", (int) a->type);
			return false;		/* keep compiler quiet */
	}
}

static bool
is_empty_object(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data) &&
		JsonContainerSize(value->val.binary.data) == 0;
}
