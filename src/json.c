/*-------------------------------------------------------------------------
 *
 * json.c
 *		Make vendors' JSON safe for jsonb, read jsonb, and write JSON.
 *
 * jsonb accepts less than JSON does: no \u0000, no lone surrogates, no number
 * beyond numeric's range, no container beyond 256 MB.  It answers with an
 * ERROR, and an ERROR because of one customer's emoji would cost a whole page.
 * So a reply goes through zcsync_json_clean() first, after which jsonb_in()
 * has nothing left to object to.  What has a harmless substitute is replaced
 * (U+FFFD, the replacement character); what has none is refused with a reason,
 * and becomes the outcome of a call.
 *
 * A replacement is exactly as long as the escape it replaces, which is why
 * scrubbing works in place and allocates nothing.
 *
 * IDENTIFICATION
 *		src/json.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "compat.h"
#include "json.h"

/* Longest path for zcsync_json_path_text() and its kin. */
#define MAX_PATH_KEY	64

static char *scrub_string(char *p, char *end, const char **why);
static char *scrub_escape(char *p, char *end, const char **why);
static char *check_number(char *p, char *end, const char **why);
static int	hex_value(const char *p, const char *end);
static JsonbValue *get_value(const Jsonb *json, const char *key,
							 JsonbValue *value);
static Jsonb *get_container(const Jsonb *json, const char *key,
							uint32 flag);
static const char *path_step(const char *path, char *key);

/*
 * Replace in place what jsonb cannot hold, and look for what it would raise an
 * error for.  Returns NULL, or the reason (a constant) why the text must be
 * refused; it may be changed in part then.
 *
 * Purely lexical: it knows strings, numbers and brackets, not the grammar,
 * and has no need of one to find the ends of strings.
 */
const char *
zcsync_json_scrub(char *json, Size len)
{
	char	   *p = json;
	char	   *end = json + len;
	const char *why = NULL;
	int64		values = 1;
	int			depth = 0;

	if (len > ZCSYNC_JSON_MAX_SIZE)
		return "document is too large";

	while (p < end)
	{
		char		c = *p;

		if (c == '"')
		{
			p = scrub_string(p + 1, end, &why);
			if (p == NULL)
				return why;
			continue;
		}
		if (c == '-' || (c >= '0' && c <= '9'))
		{
			p = check_number(p, end, &why);
			if (p == NULL)
				return why;
			continue;
		}

		if (c == '{' || c == '[')
		{
			if (++depth > ZCSYNC_JSON_MAX_DEPTH)
				return "document is nested too deeply";
		}
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ',')
		{
			if (++values > ZCSYNC_JSON_MAX_VALUES)
				return "document has too many values";
		}
		else if (c == '\0')
			return "document contains a NUL byte";
		p++;
	}
	return NULL;
}

/*
 * A clean copy of a vendor's JSON text, NUL-terminated, in the current memory
 * context; its length goes to *outlen unless that is NULL.  Returns NULL if
 * the text must be refused, with the reason, which may quote nothing of the
 * text, in *why.  Throws only when out of memory.
 */
char *
zcsync_json_clean(const char *in, Size len, Size *outlen, const char **why)
{
	JsonLexContext *lex;
	char	   *out;

	*why = NULL;

	/* RFC 8259 lets a parser ignore a byte order mark */
	if (len >= 3 && memcmp(in, "\xEF\xBB\xBF", 3) == 0)
	{
		in += 3;
		len -= 3;
	}

	/* before anything counts on int lengths */
	if (len > ZCSYNC_JSON_MAX_SIZE)
		*why = "document is too large";
	else if (pg_encoding_verifymbstr(PG_UTF8, in, (int) len) != (int) len)
		*why = memchr(in, '\0', len) != NULL ?
			"document contains a NUL byte" : "document is not valid UTF-8";
	if (*why != NULL)
		return NULL;

	out = palloc(len + 1);
	memcpy(out, in, len);
	out[len] = '\0';

	*why = zcsync_json_scrub(out, len);
	if (*why == NULL)
	{
		/* escapes were checked above; the rest of the grammar is this */
		lex = zcsync_make_json_lex(out, (int) len, PG_UTF8, false);
		if (pg_parse_json(lex, &nullSemAction) != JSON_SUCCESS)
			*why = "document is not valid JSON";
		pfree(lex);
	}
	if (*why != NULL)
	{
		pfree(out);
		return NULL;
	}

	if (outlen != NULL)
		*outlen = len;
	return out;
}

/*
 * A vendor's JSON text as jsonb, or NULL and the reason.  For small documents
 * that C reads itself; whole pages go to SQL as text.
 */
Jsonb *
zcsync_json_parse(const char *in, Size len, const char **why)
{
	char	   *clean = zcsync_json_clean(in, len, NULL, why);
	Datum		json;

	if (clean == NULL)
		return NULL;
	json = DirectFunctionCall1(jsonb_in, CStringGetDatum(clean));
	pfree(clean);
	return DatumGetJsonbP(json);
}

/*
 * The value of a key as text: strings as they are, numbers and booleans as
 * JSON writes them.  NULL for anything else.
 */
char *
zcsync_json_get_text(const Jsonb *json, const char *key)
{
	JsonbValue	value;

	if (get_value(json, key, &value) == NULL)
		return NULL;
	switch (value.type)
	{
		case jbvString:
			return pnstrdup(value.val.string.val, value.val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value.val.numeric)));
		case jbvBool:
			return pstrdup(value.val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/*
 * The value of a key as a whole number: a number without a fraction, or a
 * string of digits, as some vendors write their ids.
 */
int64
zcsync_json_get_int64(const Jsonb *json, const char *key, bool *found)
{
	char	   *digits = zcsync_json_get_text(json, key);
	char	   *end;
	int64		result;

	*found = false;
	if (digits == NULL ||
		!((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '-'))
		return 0;
	errno = 0;
	result = strtoll(digits, &end, 10);
	if (*end == '.')
		end += 1 + strspn(end + 1, "0");
	if (errno != 0 || end == digits || *end != '\0')
		return 0;
	*found = true;
	return result;
}

/*
 * The value of a key if it is true or false.
 */
bool
zcsync_json_get_bool(const Jsonb *json, const char *key, bool *found)
{
	JsonbValue	value;

	*found = get_value(json, key, &value) != NULL && value.type == jbvBool;
	return *found && value.val.boolean;
}

/*
 * The value of a key if it is an object, else NULL.
 */
Jsonb *
zcsync_json_get_object(const Jsonb *json, const char *key)
{
	return get_container(json, key, JB_FOBJECT);
}

/*
 * The value of a key if it is an array, else NULL.
 */
Jsonb *
zcsync_json_get_array(const Jsonb *json, const char *key)
{
	return get_container(json, key, JB_FARRAY);
}

/*
 * The number of elements of an array; 0 for anything else.
 */
int
zcsync_json_array_length(const Jsonb *json)
{
	if (json == NULL || !JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
		return 0;
	return JB_ROOT_COUNT(json);
}

/*
 * One element of an array as a document of its own (a scalar included), or
 * NULL if there is no such element.
 */
Jsonb *
zcsync_json_array_element(const Jsonb *json, int index)
{
	JsonbValue *value;

	if (index < 0 || index >= zcsync_json_array_length(json))
		return NULL;
	value = getIthJsonbValueFromContainer((JsonbContainer *) &json->root,
										  index);
	return value == NULL ? NULL : JsonbValueToJsonb(value);
}

/*
 * As zcsync_json_get_text(), along a path of keys joined by dots.
 */
char *
zcsync_json_path_text(const Jsonb *json, const char *path)
{
	char		key[MAX_PATH_KEY];

	while ((path = path_step(path, key)) != NULL && *path != '\0')
		json = get_container(json, key, JB_FOBJECT);
	return path == NULL ? NULL : zcsync_json_get_text(json, key);
}

/*
 * As zcsync_json_get_object(), along a path of keys joined by dots.
 */
Jsonb *
zcsync_json_path_object(const Jsonb *json, const char *path)
{
	char		key[MAX_PATH_KEY];

	while ((path = path_step(path, key)) != NULL && *path != '\0')
		json = get_container(json, key, JB_FOBJECT);
	return path == NULL ? NULL : get_container(json, key, JB_FOBJECT);
}

/*
 * Append a JSON string, quoted and escaped; null if value is NULL.
 */
void
zcsync_json_append_string(StringInfo out, const char *value)
{
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

/*
 * Append "key": of an object's member, with a comma unless it is the first.
 */
void
zcsync_json_append_key(StringInfo out, bool *first, const char *key)
{
	if (!*first)
		appendStringInfoString(out, ", ");
	*first = false;
	escape_json(out, key);
	appendStringInfoString(out, ": ");
}

/*
 * Append a document as text; null if it is NULL.
 */
void
zcsync_json_append_jsonb(StringInfo out, const Jsonb *json)
{
	if (json == NULL)
		appendStringInfoString(out, "null");
	else
		JsonbToCString(out, (JsonbContainer *) &json->root, VARSIZE(json));
}

/*
 * Scrub a string whose opening quote was just passed.  Returns the place after
 * its closing quote, or NULL and the reason.
 */
static char *
scrub_string(char *p, char *end, const char **why)
{
	while (p < end)
	{
		unsigned char c = (unsigned char) *p;

		if (c == '"')
			return p + 1;
		if (c == '\\')
		{
			p = scrub_escape(p, end, why);
			if (p == NULL)
				return NULL;
		}
		else if (c < 0x20)
		{
			*why = c == '\0' ? "document contains a NUL byte" :
				"string contains a raw control character";
			return NULL;
		}
		else
			p++;
	}
	*why = "string is not terminated";
	return NULL;
}

/*
 * Scrub the escape at p, a backslash.  Both halves of a surrogate pair are
 * passed at once; a half alone and U+0000 become U+FFFD.
 */
static char *
scrub_escape(char *p, char *end, const char **why)
{
	int			code;

	if (end - p >= 2 && p[1] != 'u' && strchr("\"\\/bfnrt", p[1]) != NULL &&
		p[1] != '\0')
		return p + 2;

	code = hex_value(p, end);
	if (code < 0)
	{
		*why = "string contains an invalid escape";
		return NULL;
	}
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		int			low = hex_value(p + 6, end);

		if (low >= 0xDC00 && low <= 0xDFFF)
			return p + 12;
	}
	if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
		memcpy(p, "\\ufffd", 6);
	return p + 6;
}

/*
 * Check the number at p against what numeric surely holds: its limits are in
 * digits, and an exponent stands for as many digits as it says.
 */
static char *
check_number(char *p, char *end, const char **why)
{
	int			digits = 0;
	int			exponent = 0;
	bool		in_exponent = false;

	for (; p < end; p++)
	{
		if (*p >= '0' && *p <= '9')
		{
			if (!in_exponent)
				digits++;
			else if (exponent <= ZCSYNC_JSON_MAX_DIGITS)
				exponent = exponent * 10 + (*p - '0');
		}
		else if (*p == 'e' || *p == 'E')
			in_exponent = true;
		else if (*p != '.' && *p != '-' && *p != '+')
			break;
		if (digits > ZCSYNC_JSON_MAX_DIGITS ||
			exponent > ZCSYNC_JSON_MAX_DIGITS)
		{
			*why = "number is out of range";
			return NULL;
		}
	}
	return p;
}

/*
 * The code of a \uXXXX escape at p, or -1 if there is none.
 */
static int
hex_value(const char *p, const char *end)
{
	int			code = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++)
	{
		char		c = p[i];

		if (c >= '0' && c <= '9')
			code = code * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			code = code * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			code = code * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return code;
}

/*
 * Look up a key; NULL if json is no object or does not have it.
 */
static JsonbValue *
get_value(const Jsonb *json, const char *key, JsonbValue *value)
{
	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
		return NULL;
	return getKeyJsonValueFromContainer((JsonbContainer *) &json->root,
										key, strlen(key), value);
}

/*
 * The value of a key as a document, if it is an object or an array as the
 * flag says.
 */
static Jsonb *
get_container(const Jsonb *json, const char *key, uint32 flag)
{
	JsonbValue	value;

	if (get_value(json, key, &value) == NULL || value.type != jbvBinary ||
		(value.val.binary.data->header & flag) == 0)
		return NULL;
	return JsonbValueToJsonb(&value);
}

/*
 * Copy the first key of a path to "key" and return what follows it, or NULL
 * when a key is empty or too long.
 */
static const char *
path_step(const char *path, char *key)
{
	Size		len = strcspn(path, ".");

	if (len == 0 || len >= MAX_PATH_KEY)
		return NULL;
	memcpy(key, path, len);
	key[len] = '\0';
	path += len;
	return *path == '.' ? path + 1 : path;
}
