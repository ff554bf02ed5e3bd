/*-------------------------------------------------------------------------
 *
 * json.c
 *		Make vendors' JSON safe for jsonb, read jsonb, and write JSON.
 *
 * jsonb accepts less than JSON does: no \u0000, no lone surrogates, no number
 * beyond numeric's range, no container beyond 256 MB.  For these it raises an
 * ERROR, and an ERROR because of one customer's emoji would cost a whole
 * page.  So a reply goes through zcsync_json_clean() first, after which
 * jsonb_in() has nothing to object to.  What has a harmless substitute is
 * replaced (U+FFFD, the replacement character); anything else is refused with
 * a reason, which goes into the outcome of the call.
 *
 * A replacement is exactly as long as the escape that it replaces, so
 * scrubbing works in place and allocates nothing.  It also checks the
 * grammar: PostgreSQL's own parser would need a second pass over every page,
 * and its interface changes between versions.
 *
 * IDENTIFICATION
 *		src/json.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "json.h"

/* Longest key in a path for zcsync_json_path_text() and its kin. */
#define MAX_PATH_KEY	64

/* What is allowed next. */
typedef enum JsonExpect
{
	EXPECT_VALUE,				/* at the start, after ':' or ',' */
	EXPECT_FIRST_VALUE,			/* after '[': a value or ']' */
	EXPECT_KEY,					/* after ',' in an object */
	EXPECT_FIRST_KEY,			/* after '{': a key or '}' */
	EXPECT_COLON,				/* after a key */
	EXPECT_MORE					/* after a value: ',' or the end of the
								 * container */
} JsonExpect;

/* A document while it is scrubbed. */
typedef struct JsonScrub
{
	char	   *p;				/* next character */
	char	   *end;			/* after the last one */
	JsonExpect	expect;
	int			depth;			/* open containers */
	char		open[ZCSYNC_JSON_MAX_DEPTH];	/* '{' or '[' of each */
	int			values;			/* seen so far */
} JsonScrub;

static const char *const not_json = "document is not valid JSON";

static const char *scrub_token(JsonScrub *scrub);
static const char *scrub_open(JsonScrub *scrub, char bracket);
static const char *scrub_close(JsonScrub *scrub, char bracket);
static const char *scrub_string(JsonScrub *scrub);
static const char *scrub_escape(JsonScrub *scrub);
static const char *scrub_number(JsonScrub *scrub);
static int	skip_digits(JsonScrub *scrub);
static bool skip_word(JsonScrub *scrub, const char *word);
static int	hex_value(const char *p, const char *end);
static JsonbValue *get_value(const Jsonb *json, const char *key,
							 JsonbValue *value);
static Jsonb *get_container(const Jsonb *json, const char *key,
							uint32 flag);
static const char *path_step(const char *path, char *key);

/*
 * Check a document, which must be valid UTF-8, and replace in place what
 * jsonb cannot hold.  Returns NULL, or the reason (a constant) why it must be
 * refused; in that case it may be partly changed.
 */
const char *
zcsync_json_scrub(char *json, Size len)
{
	JsonScrub	scrub;

	if (len > ZCSYNC_JSON_MAX_SIZE)
		return "document is too large";

	scrub.p = json;
	scrub.end = json + len;
	scrub.expect = EXPECT_VALUE;
	scrub.depth = 0;
	scrub.values = 0;

	while (scrub.p < scrub.end)
	{
		const char *why;

		if (*scrub.p == ' ' || *scrub.p == '\n' || *scrub.p == '\r' ||
			*scrub.p == '\t')
		{
			scrub.p++;
			continue;
		}
		why = scrub_token(&scrub);
		if (why != NULL)
			return why;
	}
	return scrub.depth == 0 && scrub.expect == EXPECT_MORE ? NULL : not_json;
}

/*
 * A clean copy of a vendor's JSON text, NUL-terminated, in the current memory
 * context; its length goes to *outlen unless that is NULL.  Returns NULL if
 * the text must be refused, and the reason, which quotes nothing of the text,
 * in *why.  Throws only when out of memory.
 */
char *
zcsync_json_clean(const char *in, Size len, Size *outlen, const char **why)
{
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
 * that are read in C; whole pages go to SQL as text.
 */
Jsonb *
zcsync_json_parse(const char *in, Size len, const char **why)
{
	Size		size;
	char	   *clean = zcsync_json_clean(in, len, &size, why);
	Datum		json;

	if (clean == NULL)
		return NULL;
	json = DirectFunctionCall1(jsonb_in, CStringGetDatum(clean));
	explicit_bzero(clean, size);	/* there may be a secret in it */
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
	Datum		number;

	if (get_value(json, key, &value) == NULL)
		return NULL;
	switch (value.type)
	{
		case jbvString:
			return pnstrdup(value.val.string.val, value.val.string.len);
		case jbvNumeric:
			number = NumericGetDatum(value.val.numeric);
			return DatumGetCString(DirectFunctionCall1(numeric_out, number));
		case jbvBool:
			return pstrdup(value.val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/*
 * The value of a key as a whole number: from a number without a fraction, or
 * from a string of digits, as some vendors write their ids.
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
 * Like zcsync_json_get_text(), along a path of keys joined by dots.
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
 * Like zcsync_json_get_object(), along a path of keys joined by dots.
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
 * Scrub one token and advance past it.  Returns NULL or the reason.
 */
static const char *
scrub_token(JsonScrub *scrub)
{
	char		c = *scrub->p;
	const char *why;

	switch (c)
	{
		case '{':
		case '[':
			return scrub_open(scrub, c);
		case '}':
		case ']':
			return scrub_close(scrub, c);
		case ':':
			if (scrub->expect != EXPECT_COLON)
				return not_json;
			scrub->expect = EXPECT_VALUE;
			scrub->p++;
			return NULL;
		case ',':
			if (scrub->expect != EXPECT_MORE || scrub->depth == 0)
				return not_json;
			scrub->expect = scrub->open[scrub->depth - 1] == '{' ?
				EXPECT_KEY : EXPECT_VALUE;
			scrub->p++;
			return NULL;
		case '\0':
			return "document contains a NUL byte";
	}

	if (c == '"' && (scrub->expect == EXPECT_KEY ||
					 scrub->expect == EXPECT_FIRST_KEY))
	{
		scrub->expect = EXPECT_COLON;
		return scrub_string(scrub);
	}

	if (scrub->expect != EXPECT_VALUE && scrub->expect != EXPECT_FIRST_VALUE)
		return not_json;
	scrub->expect = EXPECT_MORE;
	if (++scrub->values > ZCSYNC_JSON_MAX_VALUES)
		return "document has too many values";

	if (c == '"')
		why = scrub_string(scrub);
	else if (c == '-' || (c >= '0' && c <= '9'))
		why = scrub_number(scrub);
	else
		why = skip_word(scrub, "true") || skip_word(scrub, "false") ||
			skip_word(scrub, "null") ? NULL : not_json;
	return why;
}

/*
 * Enter an object or an array.
 */
static const char *
scrub_open(JsonScrub *scrub, char bracket)
{
	if (scrub->expect != EXPECT_VALUE && scrub->expect != EXPECT_FIRST_VALUE)
		return not_json;
	if (scrub->depth == ZCSYNC_JSON_MAX_DEPTH)
		return "document is nested too deeply";
	if (++scrub->values > ZCSYNC_JSON_MAX_VALUES)
		return "document has too many values";

	scrub->open[scrub->depth++] = bracket;
	scrub->expect = bracket == '{' ? EXPECT_FIRST_KEY : EXPECT_FIRST_VALUE;
	scrub->p++;
	return NULL;
}

/*
 * Leave an object or an array.
 */
static const char *
scrub_close(JsonScrub *scrub, char bracket)
{
	char		opened = bracket == '}' ? '{' : '[';
	JsonExpect	empty = bracket == '}' ? EXPECT_FIRST_KEY : EXPECT_FIRST_VALUE;

	if (scrub->depth == 0 || scrub->open[scrub->depth - 1] != opened ||
		(scrub->expect != EXPECT_MORE && scrub->expect != empty))
		return not_json;

	scrub->depth--;
	scrub->expect = EXPECT_MORE;
	scrub->p++;
	return NULL;
}

/*
 * Scrub a string, whose opening quote is at p.
 */
static const char *
scrub_string(JsonScrub *scrub)
{
	scrub->p++;
	while (scrub->p < scrub->end)
	{
		unsigned char c = (unsigned char) *scrub->p;

		if (c == '\\')
		{
			const char *why = scrub_escape(scrub);

			if (why != NULL)
				return why;
			continue;
		}
		if (c < 0x20)
			return c == '\0' ? "document contains a NUL byte" :
				"string contains a raw control character";
		scrub->p++;
		if (c == '"')
			return NULL;
	}
	return not_json;
}

/*
 * Scrub an escape, whose backslash is at p.  A surrogate pair is skipped as a
 * whole; one half alone and U+0000 become U+FFFD.
 */
static const char *
scrub_escape(JsonScrub *scrub)
{
	char	   *p = scrub->p;
	int			code;

	if (scrub->end - p >= 2 && p[1] != '\0' &&
		strchr("\"\\/bfnrt", p[1]) != NULL)
	{
		scrub->p += 2;
		return NULL;
	}

	code = hex_value(p, scrub->end);
	if (code < 0)
		return "string contains an invalid escape";
	scrub->p += 6;

	if (code >= 0xD800 && code <= 0xDBFF)
	{
		int			low = hex_value(p + 6, scrub->end);

		if (low >= 0xDC00 && low <= 0xDFFF)
		{
			scrub->p += 6;
			return NULL;
		}
	}
	if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
		memcpy(p, "\\ufffd", 6);
	return NULL;
}

/*
 * Check a number: its grammar, and whether numeric can certainly hold it.
 * numeric's limits count digits, and an exponent counts as that many digits.
 */
static const char *
scrub_number(JsonScrub *scrub)
{
	int			digits;
	int			exponent = 0;
	char	   *start;

	if (*scrub->p == '-')
		scrub->p++;
	start = scrub->p;
	digits = skip_digits(scrub);
	if (digits == 0 || (*start == '0' && digits > 1))
		return not_json;

	if (scrub->p < scrub->end && *scrub->p == '.')
	{
		int			fraction;

		scrub->p++;
		fraction = skip_digits(scrub);
		if (fraction == 0)
			return not_json;
		digits += fraction;
	}

	if (scrub->p < scrub->end && (*scrub->p == 'e' || *scrub->p == 'E'))
	{
		scrub->p++;
		if (scrub->p < scrub->end && (*scrub->p == '+' || *scrub->p == '-'))
			scrub->p++;
		start = scrub->p;
		if (skip_digits(scrub) == 0)
			return not_json;
		for (; start < scrub->p && exponent <= ZCSYNC_JSON_MAX_DIGITS; start++)
			exponent = exponent * 10 + (*start - '0');
	}

	if (digits > ZCSYNC_JSON_MAX_DIGITS || exponent > ZCSYNC_JSON_MAX_DIGITS)
		return "number is out of range";
	return NULL;
}

/*
 * Advance past digits and count them.
 */
static int
skip_digits(JsonScrub *scrub)
{
	char	   *start = scrub->p;

	while (scrub->p < scrub->end && *scrub->p >= '0' && *scrub->p <= '9')
		scrub->p++;
	return (int) (scrub->p - start);
}

/*
 * Advance past a word if it is the next thing.
 */
static bool
skip_word(JsonScrub *scrub, const char *word)
{
	Size		len = strlen(word);

	if ((Size) (scrub->end - scrub->p) < len ||
		memcmp(scrub->p, word, len) != 0)
		return false;
	scrub->p += len;
	return true;
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
