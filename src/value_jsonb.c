/*-------------------------------------------------------------------------
 *
 * value_jsonb.c
 *		Values of jsonb and of columns of rows.
 *
 * A column has the value that to_jsonb() would give with UTC as the time
 * zone, so that it can be compared with a document's value.  Texts are not
 * copied: a value is valid as long as the row or jsonb from which it was
 * read.  Everything else is allocated in the current memory context and freed
 * with it.
 *
 * No table is read, and neither settings nor the time zone matter.
 *
 * IDENTIFICATION
 *		src/value_jsonb.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "compat.h"
#include "value_jsonb.h"

static void value_of_container(JsonbContainer *container, ZcsyncValue *value);
static void value_of_array(ArrayType *array, ZcsyncValue *value);
static void set_text(ZcsyncValue *value, ZcsyncValueType type,
					 const char *chars, int len);
static JsonbValue *push_scalar(JsonbParseState **state,
							   JsonbIteratorToken token,
							   const ZcsyncValue *value);
static Jsonb *jsonb_of(const ZcsyncValue *value);
static Datum array_of(const ZcsyncValue *value);
static char *cstring_of(const ZcsyncValue *value);

void
zcsync_value_of_jsonb(const Jsonb *jsonb, ZcsyncValue *value)
{
	Jsonb	   *json = unconstify(Jsonb *, jsonb);

	if (JB_ROOT_IS_SCALAR(json))
	{
		JsonbValue	scalar;

		(void) JsonbExtractScalar(&json->root, &scalar);
		zcsync_value_of_json(&scalar, value);
	}
	else
		value_of_container(&json->root, value);
}

void
zcsync_value_of_json(const JsonbValue *json, ZcsyncValue *value)
{
	switch (json->type)
	{
		case jbvNull:
			value->type = ZCSYNC_VALUE_NULL;
			value->len = 0;
			break;
		case jbvBool:
			value->type = ZCSYNC_VALUE_BOOL;
			value->len = json->val.boolean;
			break;
		case jbvNumeric:
			{
				char	   *digits = numeric_normalize(json->val.numeric);

				set_text(value, ZCSYNC_VALUE_NUMBER, digits, strlen(digits));
				break;
			}
		case jbvString:
			set_text(value, ZCSYNC_VALUE_TEXT, json->val.string.val,
					 json->val.string.len);
			break;
		case jbvBinary:
			value_of_container(json->val.binary.data, value);
			break;
		default:
			elog(ERROR, "unexpected type of jsonb value: %d",
				 (int) json->type);
	}
}

/*
 * The member of an object; false, and null, if there is no member of that
 * name, or if the object is NULL or no object.
 */
bool
zcsync_value_of_member(const Jsonb *object, const char *key, int keylen,
					   ZcsyncValue *value)
{
	JsonbValue	json;

	value->type = ZCSYNC_VALUE_NULL;
	value->len = 0;
	if (object == NULL || !JB_ROOT_IS_OBJECT(object) ||
		getKeyJsonValueFromContainer(&unconstify(Jsonb *, object)->root, key,
									 keylen, &json) == NULL)
		return false;
	zcsync_value_of_json(&json, value);
	return true;
}

void
zcsync_value_of_column(Datum datum, bool isnull, Oid type, ZcsyncValue *value)
{
	char	   *chars;

	value->type = ZCSYNC_VALUE_NULL;
	value->len = 0;
	if (isnull)
		return;
	switch (type)
	{
		case TEXTOID:
			{
				struct varlena *string = PG_DETOAST_DATUM_PACKED(datum);

				set_text(value, ZCSYNC_VALUE_TEXT, VARDATA_ANY(string),
						 VARSIZE_ANY_EXHDR(string));
				return;
			}
		case BOOLOID:
			value->type = ZCSYNC_VALUE_BOOL;
			value->len = DatumGetBool(datum);
			return;
		case INT4OID:
		case INT8OID:
			chars = palloc(MAXINT8LEN + 1);
			set_text(value, ZCSYNC_VALUE_NUMBER, chars,
					 pg_lltoa(type == INT8OID ? DatumGetInt64(datum) :
							  DatumGetInt32(datum), chars));
			return;
		case NUMERICOID:
			/* JSON has no infinite numbers and no NaN: they become texts */
			chars = numeric_normalize(DatumGetNumeric(datum));
			set_text(value,
					 numeric_is_nan(DatumGetNumeric(datum)) ||
					 numeric_is_inf(DatumGetNumeric(datum)) ?
					 ZCSYNC_VALUE_TEXT : ZCSYNC_VALUE_NUMBER,
					 chars, strlen(chars));
			return;
		case TEXTARRAYOID:
			value_of_array(DatumGetArrayTypeP(datum), value);
			return;
		case JSONBOID:
			zcsync_value_of_jsonb(DatumGetJsonbP(datum), value);
			return;
		case TIMESTAMPTZOID:
			{
				int			utc = 0;

				chars = palloc(MAXDATELEN + 1);
				JsonEncodeDateTime(chars, datum, type, &utc);
				break;
			}
		default:
			{
				Oid			output;
				bool		is_varlena;

				getTypeOutputInfo(type, &output, &is_varlena);
				chars = OidOutputFunctionCall(output, datum);
				break;
			}
	}
	set_text(value, ZCSYNC_VALUE_TEXT, chars, strlen(chars));
}

/*
 * A list or an object.
 */
static void
value_of_container(JsonbContainer *container, ZcsyncValue *value)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	json;
	bool		is_object = JsonContainerIsObject(container);
	int			n = 0;

	check_stack_depth();
	value->type = is_object ? ZCSYNC_VALUE_OBJECT : ZCSYNC_VALUE_LIST;
	value->len = JsonContainerSize(container);
	if (is_object)
		value->u.members = palloc(value->len * sizeof(ZcsyncMember));
	else
		value->u.elements = palloc(value->len * sizeof(ZcsyncValue));

	while ((token = JsonbIteratorNext(&iterator, &json, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			value->u.members[n].key = json.val.string.val;
			value->u.members[n].keylen = json.val.string.len;
		}
		else if (token == WJB_VALUE)
			zcsync_value_of_json(&json, &value->u.members[n++].value);
		else if (token == WJB_ELEM)
			zcsync_value_of_json(&json, &value->u.elements[n++]);
	}
}

/*
 * A list of texts.
 */
static void
value_of_array(ArrayType *array, ZcsyncValue *value)
{
	Datum	   *element;
	bool	   *isnull;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &element, &isnull, &value->len);
	value->type = ZCSYNC_VALUE_LIST;
	value->u.elements = palloc(value->len * sizeof(ZcsyncValue));
	for (int i = 0; i < value->len; i++)
		zcsync_value_of_column(element[i], isnull[i], TEXTOID,
							   &value->u.elements[i]);
}

static void
set_text(ZcsyncValue *value, ZcsyncValueType type, const char *chars, int len)
{
	value->type = type;
	value->len = len;
	value->u.text = chars;
}

/*
 * Push a value; the token says whether it belongs to an object or to a list.
 */
JsonbValue *
zcsync_value_push(JsonbParseState **state, JsonbIteratorToken token,
				  const ZcsyncValue *value)
{
	check_stack_depth();
	if (value->type == ZCSYNC_VALUE_LIST)
	{
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		for (int i = 0; i < value->len; i++)
			zcsync_value_push(state, WJB_ELEM, &value->u.elements[i]);
		return pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
	else if (value->type == ZCSYNC_VALUE_OBJECT)
	{
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		for (int i = 0; i < value->len; i++)
		{
			const ZcsyncMember *member = &value->u.members[i];

			zcsync_value_push_key(state, member->key, member->keylen);
			zcsync_value_push(state, WJB_VALUE, &member->value);
		}
		return pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	return push_scalar(state, token, value);
}

void
zcsync_value_push_key(JsonbParseState **state, const char *key, int keylen)
{
	JsonbValue	json;

	json.type = jbvString;
	json.val.string.val = unconstify(char *, key);
	json.val.string.len = keylen;
	pushJsonbValue(state, WJB_KEY, &json);
}

/*
 * Push a member of an object: a column as to_jsonb() would make it, times in
 * UTC.
 */
void
zcsync_value_push_column(JsonbParseState **state, const char *key, int keylen,
						 Oid type, Datum datum, bool isnull)
{
	ZcsyncValue value;

	zcsync_value_push_key(state, key, keylen);
	if (!isnull && type == JSONBOID)
	{
		Jsonb	   *object = DatumGetJsonbP(datum);

		if (!JB_ROOT_IS_SCALAR(object))
		{
			JsonbValue	json;

			json.type = jbvBinary;
			json.val.binary.data = &object->root;
			json.val.binary.len = VARSIZE_ANY_EXHDR(object);
			pushJsonbValue(state, WJB_VALUE, &json);
			return;
		}
	}
	zcsync_value_of_column(datum, isnull, type, &value);
	zcsync_value_push(state, WJB_VALUE, &value);
}

static JsonbValue *
push_scalar(JsonbParseState **state, JsonbIteratorToken token,
			const ZcsyncValue *value)
{
	JsonbValue	json;

	switch (value->type)
	{
		case ZCSYNC_VALUE_BOOL:
			json.type = jbvBool;
			json.val.boolean = value->len != 0;
			break;
		case ZCSYNC_VALUE_NUMBER:
			json.type = jbvNumeric;
			json.val.numeric =
				DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(cstring_of(value)),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
			break;
		case ZCSYNC_VALUE_TEXT:
			json.type = jbvString;
			json.val.string.val = unconstify(char *, value->u.text);
			json.val.string.len = value->len;
			break;
		default:
			json.type = jbvNull;
			break;
	}
	return pushJsonbValue(state, token, &json);
}

/*
 * A value in the form of a column of that type.  A value that is no text
 * becomes JSON in a text column.
 */
Datum
zcsync_value_to_column(const ZcsyncValue *value, Oid type, bool *isnull)
{
	Oid			input;
	Oid			param;

	*isnull = value->type == ZCSYNC_VALUE_NULL;
	if (*isnull)
		return (Datum) 0;
	if (type == JSONBOID)
		return JsonbPGetDatum(jsonb_of(value));
	if (type == TEXTARRAYOID && value->type == ZCSYNC_VALUE_LIST)
		return array_of(value);
	if (type == TEXTOID && value->type == ZCSYNC_VALUE_TEXT)
		return PointerGetDatum(cstring_to_text_with_len(value->u.text,
														value->len));
	if (type == BOOLOID && value->type == ZCSYNC_VALUE_BOOL)
		return BoolGetDatum(value->len != 0);
	getTypeInputInfo(type, &input, &param);
	return OidInputFunctionCall(input, cstring_of(value), param, -1);
}

static Jsonb *
jsonb_of(const ZcsyncValue *value)
{
	JsonbParseState *state = NULL;

	if (value->type >= ZCSYNC_VALUE_LIST)
		return JsonbValueToJsonb(zcsync_value_push(&state, WJB_ELEM, value));
	else
	{
		/* a scalar is the one element of a list made for it */
		JsonbValue *list;

		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		push_scalar(&state, WJB_ELEM, value);
		list = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
		return JsonbValueToJsonb(&list->val.array.elems[0]);
	}
}

static Datum
array_of(const ZcsyncValue *value)
{
	Datum	   *element = palloc(value->len * sizeof(Datum));
	bool	   *isnull = palloc(value->len * sizeof(bool));
	int			n = value->len;
	int			lower = 1;

	if (value->len == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	for (int i = 0; i < value->len; i++)
		element[i] = zcsync_value_to_column(&value->u.elements[i], TEXTOID,
											&isnull[i]);
	return PointerGetDatum(construct_md_array(element, isnull, 1, &n,
											  &lower, TEXTOID, -1, false,
											  TYPALIGN_INT));
}

static char *
cstring_of(const ZcsyncValue *value)
{
	if (value->type == ZCSYNC_VALUE_BOOL)
		return pstrdup(value->len ? "true" : "false");
	if (value->type >= ZCSYNC_VALUE_LIST)
	{
		Jsonb	   *json = jsonb_of(value);

		return JsonbToCString(NULL, &json->root, VARSIZE(json));
	}
	return pnstrdup(value->u.text, value->len);
}
