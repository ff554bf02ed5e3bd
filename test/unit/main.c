/*-------------------------------------------------------------------------
 *
 * main.c
 *		Run the unit tests of the parts that need no server.
 *
 * IDENTIFICATION
 *		test/unit/main.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

static int	tests = 0;
static int	failures = 0;

/*
 * Check a condition.  The name may quote anything, a line break included.
 */
void
ok(bool pass, const char *name)
{
	tests++;
	if (!pass)
		failures++;
	printf("%s %d - ", pass ? "ok" : "not ok", tests);
	for (; *name != '\0'; name++)
		putchar((unsigned char) *name < ' ' ? '.' : *name);
	putchar('\n');
}

/*
 * Check a number.
 */
void
is_int(int64 got, int64 expected, const char *name)
{
	ok(got == expected, name);
	if (got != expected)
		printf("#   got " INT64_FORMAT ", expected " INT64_FORMAT "\n",
			   got, expected);
}

/*
 * Check a text; either may be NULL.
 */
void
is_text(const char *got, const char *expected, const char *name)
{
	bool		pass = got == NULL || expected == NULL ? got == expected :
		strcmp(got, expected) == 0;

	ok(pass, name);
	if (!pass)
		printf("#   got \"%s\", expected \"%s\"\n",
			   got ? got : "(null)", expected ? expected : "(null)");
}

int
main(void)
{
	test_conceal();
	test_file_body();
	test_json();
	test_merge();
	test_merge_laws();
	test_retry();
	test_url();
	printf("1..%d\n", tests);
	return failures > 0 ? 1 : 0;
}
