/*-------------------------------------------------------------------------
 *
 * unit_value.c
 *		Values for tests, written and shown as JSON.
 *
 * Knows as much of JSON as the tests use: no escapes, no exponents, and keys
 * in the order that jsonb has them in.  Nothing is freed.
 *
 * IDENTIFICATION
 *		test/unit/unit_value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "unit_value.h"

#define MAX_PARTS	16			/* elements or members of a value */

static const char *read_value(const char *json, ZcsyncValue *value);
static const char *read_list(const char *json, ZcsyncValue *value);
static const char *read_object(const char *json, ZcsyncValue *value);
static const char *skip_blanks(const char *json);
static void show(StringInfo out, const ZcsyncValue *value);

/*
 * The value of a text; NULL stands for none at all.
 */
ZcsyncValue *
value_read(const char *json)
{
	ZcsyncValue *value;

	if (json == NULL)
		return NULL;
	value = palloc0(sizeof(ZcsyncValue));
	(void) read_value(json, value);
	return value;
}

static const char *
read_value(const char *json, ZcsyncValue *value)
{
	size_t		len;

	json = skip_blanks(json);
	if (*json == '[')
		return read_list(json, value);
	if (*json == '{')
		return read_object(json, value);
	if (*json == '"')
	{
		value->type = ZCSYNC_VALUE_TEXT;
		value->u.text = json + 1;
		value->len = strcspn(json + 1, "\"");
		return json + value->len + 2;
	}
	len = strcspn(json, ",]} ");
	if (strncmp(json, "null", 4) == 0)
		value->type = ZCSYNC_VALUE_NULL;
	else if (*json == 't' || *json == 'f')
	{
		value->type = ZCSYNC_VALUE_BOOL;
		value->len = *json == 't';
	}
	else
	{
		value->type = ZCSYNC_VALUE_NUMBER;
		value->u.text = json;
		value->len = len;
	}
	return json + len;
}

static const char *
read_list(const char *json, ZcsyncValue *value)
{
	value->type = ZCSYNC_VALUE_LIST;
	value->u.elements = palloc0(MAX_PARTS * sizeof(ZcsyncValue));
	for (json = skip_blanks(json + 1); *json != ']'; json = skip_blanks(json))
	{
		if (*json == ',')
			json++;
		json = read_value(json, &value->u.elements[value->len++]);
	}
	return json + 1;
}

static const char *
read_object(const char *json, ZcsyncValue *value)
{
	value->type = ZCSYNC_VALUE_OBJECT;
	value->u.members = palloc0(MAX_PARTS * sizeof(ZcsyncMember));
	for (json = skip_blanks(json + 1); *json != '}'; json = skip_blanks(json))
	{
		ZcsyncMember *member = &value->u.members[value->len++];

		if (*json == ',')
			json = skip_blanks(json + 1);
		member->key = json + 1;
		member->keylen = strcspn(json + 1, "\"");
		json = skip_blanks(json + member->keylen + 2);
		json = read_value(json + 1, &member->value);
	}
	return json + 1;
}

static const char *
skip_blanks(const char *json)
{
	return json + strspn(json, " ");
}

char *
value_show(const ZcsyncValue *value)
{
	StringInfoData out;

	initStringInfo(&out);
	show(&out, value);
	return out.data;
}

static void
show(StringInfo out, const ZcsyncValue *value)
{
	switch (value->type)
	{
		case ZCSYNC_VALUE_NULL:
			appendStringInfoString(out, "null");
			break;
		case ZCSYNC_VALUE_BOOL:
			appendStringInfoString(out, value->len ? "true" : "false");
			break;
		case ZCSYNC_VALUE_NUMBER:
			appendStringInfo(out, "%.*s", value->len, value->u.text);
			break;
		case ZCSYNC_VALUE_TEXT:
			appendStringInfo(out, "\"%.*s\"", value->len, value->u.text);
			break;
		case ZCSYNC_VALUE_LIST:
			for (int i = 0; i < value->len; i++)
			{
				appendStringInfoString(out, i == 0 ? "[" : ",");
				show(out, &value->u.elements[i]);
			}
			appendStringInfoString(out, value->len == 0 ? "[]" : "]");
			break;
		case ZCSYNC_VALUE_OBJECT:
			for (int i = 0; i < value->len; i++)
			{
				appendStringInfo(out, "%s\"%.*s\":", i == 0 ? "{" : ",",
								 value->u.members[i].keylen,
								 value->u.members[i].key);
				show(out, &value->u.members[i].value);
			}
			appendStringInfoString(out, value->len == 0 ? "{}" : "}");
			break;
	}
}
