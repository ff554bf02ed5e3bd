/*-------------------------------------------------------------------------
 *
 * test_json.c
 *		What zcsync_json_clean() keeps, replaces and refuses.
 *
 * IDENTIFICATION
 *		test/unit/test_json.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/json.h"
#include "unit.h"

#define INVALID	"document is not valid JSON"

static void cleans(const char *in, const char *expected);
static void keeps(const char *in);
static void refuses_bytes(const char *in, Size len, const char *reason,
						  const char *name);
static void refuses(const char *in, const char *reason);
static void test_escapes(void);
static void test_grammar(void);
static void test_limits(void);

void
test_json(void)
{
	test_escapes();
	test_grammar();
	test_limits();
}

/*
 * Check that a text becomes another one.
 */
static void
cleans(const char *in, const char *expected)
{
	const char *why;
	Size		len = 0;
	char	   *out = zcsync_json_clean(in, strlen(in), &len, &why);

	is_text(out, expected, psprintf("json: %s", in));
	if (out != NULL)
		is_int(len, strlen(expected), psprintf("json: length of %s", in));
}

static void
keeps(const char *in)
{
	cleans(in, in);
}

/*
 * Check that bytes are refused, for this reason.  The input is copied to a
 * buffer of its very size, so that a sanitizer sees a read past its end.
 */
static void
refuses_bytes(const char *in, Size len, const char *reason, const char *name)
{
	const char *why = NULL;
	char	   *exact = malloc(Max(len, 1));
	char	   *out;

	memcpy(exact, in, len);
	out = zcsync_json_clean(exact, len, NULL, &why);
	ok(out == NULL, psprintf("json: refuses %s", name));
	is_text(why, reason, psprintf("json: reason for %s", name));
	free(exact);
}

static void
refuses(const char *in, const char *reason)
{
	refuses_bytes(in, strlen(in), reason, in);
}

static void
test_escapes(void)
{
	/* U+0000, by the parity of the backslashes before it */
	cleans("\"\\u0000\"", "\"\\ufffd\"");
	keeps("\"\\\\u0000\"");
	cleans("\"\\\\\\u0000\"", "\"\\\\\\ufffd\"");
	keeps("\"\\\\\\\\u0000\"");
	cleans("{\"\\u0000\":1}", "{\"\\ufffd\":1}");
	keeps("\"\\u0001\\u00e9\\uFFFF\"");

	/* surrogates */
	keeps("\"\\ud83d\\ude00\"");
	keeps("\"\\uDBFF\\uDFFF\"");
	cleans("\"\\ud83d\"", "\"\\ufffd\"");
	cleans("\"\\ude00\"", "\"\\ufffd\"");
	cleans("\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\"");
	cleans("\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\"");
	cleans("\"\\ud83dx\\ude00\"", "\"\\ufffdx\\ufffd\"");
	cleans("\"\\ud83d\\\\ude00\"", "\"\\ufffd\\\\ude00\"");
	cleans("\"\\ud83d\\u0000\"", "\"\\ufffd\\ufffd\"");

	keeps("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"");
	refuses("\"\\x\"", "string contains an invalid escape");
	refuses("\"\\u12\"", "string contains an invalid escape");
	refuses("\"\\u12g4\"", "string contains an invalid escape");
	refuses("\"\\ud83d\\u12\"", "string contains an invalid escape");
	refuses("\"\\", "string contains an invalid escape");
	refuses("\"\\u123", "string contains an invalid escape");

	/* bytes */
	keeps("\"\xC3\xA9 \xF0\x9F\x98\x80\"");
	cleans("\xEF\xBB\xBF{}", "{}");
	refuses("\"a\tb\"", "string contains a raw control character");
	refuses("\"a\nb\"", "string contains a raw control character");
	refuses_bytes("\"a\0b\"", 5, "document contains a NUL byte",
				  "NUL in a string");
	refuses_bytes("{}\0", 3, "document contains a NUL byte", "NUL at the end");
	refuses("\"\xC3\"", "document is not valid UTF-8");
	refuses("\"\xC0\x80\"", "document is not valid UTF-8");
	refuses("\"\xED\xA0\x80\"", "document is not valid UTF-8");
	refuses("\"\xF4\x90\x80\x80\"", "document is not valid UTF-8");
}

static void
test_grammar(void)
{
	keeps(" { \"a\" : [ 1 , -2.5e+3 , true , false , null , \"x\" , { } , [ ] ] } ");
	keeps("null");
	keeps("0");
	keeps("-0.0");
	keeps("1E5");
	keeps("\"\"");
	keeps("[[],[[]],{\"a\":{}}]");
	keeps("{\"a\":1,\"a\":2}");

	refuses("", INVALID);
	refuses("  ", INVALID);
	refuses("{", INVALID);
	refuses("{\"a\"", INVALID);
	refuses("{\"a\":", INVALID);
	refuses("{\"a\":1", INVALID);
	refuses("{\"a\":1,}", INVALID);
	refuses("{\"a\" 1}", INVALID);
	refuses("{1:2}", INVALID);
	refuses("{,}", INVALID);
	refuses("{\"a\"}", INVALID);
	refuses("[1,]", INVALID);
	refuses("[,1]", INVALID);
	refuses("[1 2]", INVALID);
	refuses("[1}", INVALID);
	refuses("{]", INVALID);
	refuses("[1:2]", INVALID);
	refuses("]", INVALID);
	refuses("{} {}", INVALID);
	refuses("1,2", INVALID);
	refuses("1:2", INVALID);
	refuses("\"abc", INVALID);
	refuses("'a'", INVALID);
	refuses("tru", INVALID);
	refuses("truer", INVALID);
	refuses("nulltrue", INVALID);
	refuses("NaN", INVALID);
	refuses("-", INVALID);
	refuses("01", INVALID);
	refuses("-01", INVALID);
	refuses("1.", INVALID);
	refuses(".5", INVALID);
	refuses("+1", INVALID);
	refuses("1e", INVALID);
	refuses("1e+", INVALID);
	refuses("1.5.2", INVALID);
	refuses("0x10", INVALID);
	refuses("<!DOCTYPE html>", INVALID);
	refuses("[1] // x", INVALID);
}

static void
test_limits(void)
{
	char		deep[2 * ZCSYNC_JSON_MAX_DEPTH + 3];
	char		digits[ZCSYNC_JSON_MAX_DIGITS + 2];
	Size		many = 2 * (Size) ZCSYNC_JSON_MAX_VALUES + 3;
	char	   *values = malloc(many);
	Size		len;

	len = ZCSYNC_JSON_MAX_DEPTH;
	memset(deep, '[', len);
	memset(deep + len, ']', len);
	deep[2 * len] = '\0';
	keeps(deep);
	memset(deep, '[', len + 1);
	memset(deep + len + 1, ']', len + 1);
	refuses_bytes(deep, 2 * len + 2, "document is nested too deeply",
				  "101 levels");

	len = ZCSYNC_JSON_MAX_DIGITS;
	memset(digits, '9', len + 1);
	digits[len] = '\0';
	keeps(digits);
	digits[len] = '9';
	refuses_bytes(digits, len + 1, "number is out of range", "1001 digits");
	keeps("[1e1000,1e-1000]");
	refuses("1e1001", "number is out of range");
	refuses("1e-1001", "number is out of range");
	refuses("1e99999999999999999999", "number is out of range");

	/* "[1,1,...,1]": the array is a value as well */
	for (Size i = 0; i < many; i += 2)
		memcpy(values + i, "1,", Min(2, many - i));
	values[0] = '[';
	values[1] = '1';
	for (Size i = 2; i < many; i++)
		values[i] = i % 2 == 0 ? ',' : '1';
	values[many - 1] = ']';
	refuses_bytes(values, many, "document has too many values",
				  "more values than allowed");
	values[many - 5] = ']';
	ok(zcsync_json_scrub(values, many - 4) == NULL,
	   "json: as many values as allowed");
	free(values);

	ok(zcsync_json_scrub(NULL, ZCSYNC_JSON_MAX_SIZE + 1) != NULL,
	   "json: refuses a document by its size alone");
}
