/*-------------------------------------------------------------------------
 *
 * test_conceal.c
 *		Secrets that a text quotes, in all their forms.
 *
 * IDENTIFICATION
 *		test/unit/test_conceal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/conceal.h"
#include "unit.h"

static void becomes(const char *given, const char *secret, const char *expected);
static void test_forms(void);
static void test_base64(void);
static void test_parts(void);
static void test_whole(void);

void
test_conceal(void)
{
	test_forms();
	test_base64();
	test_parts();
	test_whole();
}

static void
becomes(const char *given, const char *secret, const char *expected)
{
	char	   *said = pstrdup(given);

	zcsync_conceal(said, secret);
	is_text(said, expected, psprintf("conceal: \"%s\" in \"%s\"", secret, given));
}

static void
test_forms(void)
{
	becomes("no secret here", "s3cr3t-value", "no secret here");
	becomes("Wrong s3cr3t-value.", "s3cr3t-value", "Wrong ************.");
	becomes("s3cr3t-value s3cr3t-value", "s3cr3t-value",
			"************ ************");
	becomes("a%26b%3Dc+d%20%2Be", "a&b=c d +e", "******************");
	becomes("a%26b%3dc%20d+%2be", "a&b=c d +e", "******************");
	becomes("a&b=c d +e", "a&b=c d +e", "**********");
	becomes("%73%33%63%72%33%74", "s3cr3t", "******************");
	becomes("a%2541bcdefg", "a%41bcdefg", "************");
	becomes("a%41bcdefg", "a%41bcdefg", "**********");
	becomes("\"q\\\"uo\\\\te\\/d\\u0026\"", "q\"uo\\te/d&", "\"******************\"");
	becomes("caf\\u00e9-noir", "caf\xC3\xA9-noir", "**************");
	becomes("x&amp;y&lt;z&#39;w&quot;v", "x&y<z'w\"v", "*************************");
	becomes("tab\tin it", "tab in it", "*********");
	becomes("short", "short", "short");
	becomes("", "s3cr3t-value", "");
}

/*
 * printf 'user@example.com/token:s3cr3t-value' | base64, and with one and two
 * bytes more before it.
 */
static void
test_base64(void)
{
	becomes("Basic dXNlckBleGFtcGxlLmNvbS90b2tlbjpzM2NyM3QtdmFsdWU=!",
			"s3cr3t-value", "Basic ************************************************!");
	becomes("Basic eHVzZXJAZXhhbXBsZS5jb20vdG9rZW46czNjcjN0LXZhbHVl",
			"s3cr3t-value", "Basic ************************************************");
	becomes("Basic eHl1c2VyQGV4YW1wbGUuY29tL3Rva2VuOnMzY3IzdC12YWx1ZQ==",
			"s3cr3t-value", "Basic ****************************************************");
	becomes("czNjcjN0LXZhbHVl", "s3cr3t-value", "****************");
	becomes("u: fn5-Pz8_fn5-, s: fn5+Pz8/fn5+", "~~~???~~~",
			"u: ************, s: ************");
	becomes("fn5%2BPz8%2Ffn5%2B", "~~~???~~~", "******************");
	becomes("{\"a\":\"\\nczNjcjN0LXZhbHVl\"}", "s3cr3t-value",
			"{\"a\":\"\\n****************\"}");
	becomes("value=czNjcjN0LXZhbHVl", "s3cr3t-value", "value=****************");
}

static void
test_parts(void)
{
	becomes("begins s3cr3t-v", "s3cr3t-value", "begins ********");
	becomes("ends r3t-value", "s3cr3t-value", "ends *********");
	becomes("too little: s3cr3t-", "s3cr3t-value", "too little: s3cr3t-");
	becomes("cut czNjcjN0LX", "s3cr3t-value", "cut **********");
	becomes("cut a%26b%3Dc+d%20", "a&b=c d +e", "cut **************");
	/*
	 * A part may begin or end within a character: e with another accent, or
	 * with the same end.
	 */
	becomes("n\xC3\xA9 pass", "caf\xC3\xA9-noir-s3cr3t", "n\xC3\xA9 pass");
	becomes("x\xC4\xA9-noir-s3cr3t y", "caf\xC3\xA9-noir-s3cr3t", "x************** y");
	becomes("s3cr3t-noir-\xC3\xA8 y", "s3cr3t-noir-\xC3\xA9", "************** y");
}

static void
test_whole(void)
{
	char	   *said = pstrdup("me%40example.com and me@example.co");

	zcsync_conceal_whole(said, "me@example.com");
	is_text(said, "**************** and me@example.co",
			"conceal: a name is overwritten as a whole only");
}
