/*-------------------------------------------------------------------------
 *
 * test_merge.c
 *		What is the same, and what a column becomes when it is merged.
 *
 * IDENTIFICATION
 *		test/unit/test_merge.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "../../src/merge.h"
#include "unit.h"
#include "unit_value.h"

/* What the next merges assume; see merges(). */
static ZcsyncPolicy policy = ZCSYNC_POLICY_DEFAULT;
static const char *outranking = NULL;	/* the key that does, or "": the value */
static bool mine_is_newer = false;
static bool pushable = true;

static void test_sameness(void);
static void test_untouched(void);
static void test_policies(void);
static void test_outranks(void);
static void test_no_base(void);
static void test_sent(void);
static void test_answered(void);
static void test_sets(void);
static void test_records(void);

static void compares(const char *a, const char *b, ZcsyncSameness most);
static void merges(const char *mine, const char *base, const char *theirs,
				   const char *expected);
static void merges_sent(const char *mine, const char *base, const char *theirs,
						const char *sent, const char *sent_base, bool answered,
						const char *expected);
static bool outranks(void *asker, const char *key, int keylen);
static char *show_result(const ZcsyncMergeResult *result);

void
test_merge(void)
{
	test_sameness();
	test_untouched();
	test_policies();
	test_outranks();
	test_no_base();
	test_sent();
	test_answered();
	test_sets();
	test_records();
}

/*
 * Check in which sense two values are the same: in this one and in the more
 * generous ones only.  ZCSYNC_ALIKE + 1 stands for none.
 */
static void
compares(const char *a, const char *b, ZcsyncSameness most)
{
	for (int sameness = ZCSYNC_IDENTICAL; sameness <= ZCSYNC_ALIKE; sameness++)
	{
		ok(zcsync_value_same(value_read(a), value_read(b), sameness) ==
		   (sameness >= most),
		   psprintf("sameness %d of %s and %s", sameness, a, b));
		ok(zcsync_value_same(value_read(b), value_read(a), sameness) ==
		   (sameness >= most),
		   psprintf("sameness %d of %s and %s", sameness, b, a));
	}
}

static void
test_sameness(void)
{
	ZcsyncSameness never = ZCSYNC_ALIKE + 1;

	compares("null", "null", ZCSYNC_IDENTICAL);
	compares("\"a\"", "\"a\"", ZCSYNC_IDENTICAL);
	compares("\"a\"", "\"b\"", never);
	compares("\"a\"", "\"A\"", ZCSYNC_ALIKE);
	compares("\"a\"", "\" a\t\"", ZCSYNC_ALIKE);
	compares("\"\"", "null", ZCSYNC_ALIKE);
	compares("\" \"", "null", ZCSYNC_ALIKE);
	compares("\"\xc3\xa4\"", "\"\xc3\x84\"", never);
	compares("12", "\"12\"", ZCSYNC_ALIKE);
	compares("true", "\"True\"", ZCSYNC_ALIKE);
	compares("true", "false", never);
	compares("0", "false", never);
	compares("[]", "null", ZCSYNC_EQUAL);
	compares("{}", "null", ZCSYNC_EQUAL);
	compares("{\"1\": null}", "null", ZCSYNC_EQUAL);
	compares("[]", "\"\"", never);
	compares("[\"a\", \"b\"]", "[\"a\", \"b\"]", ZCSYNC_IDENTICAL);
	compares("[\"a\", \"b\"]", "[\"b\", \"a\", \"b\"]", ZCSYNC_EQUAL);
	compares("[\"a\", \"b\"]", "[\"B\", \"A\"]", ZCSYNC_ALIKE);
	compares("[1, 2]", "[\"2\", \"1\"]", ZCSYNC_ALIKE);
	compares("[\"a\"]", "[\"a\", \"b\"]", never);
	compares("[\"a\"]", "\"a\"", never);
	compares("{\"1\": 1, \"2\": 2}", "{\"1\": 1, \"2\": 2}", ZCSYNC_IDENTICAL);
	compares("{\"1\": 1, \"2\": null}", "{\"1\": 1}", ZCSYNC_EQUAL);
	compares("{\"1\": \"a\", \"2\": []}", "{\"1\": \"A\"}", ZCSYNC_ALIKE);
	compares("{\"1\": 1}", "{\"2\": 1}", never);
	compares("{\"1\": 1}", "{\"01\": 1}", never);
}

/*
 * Check what a column becomes: its value, and then what was disputed.  A
 * list is a set, an object a record.
 */
static void
merges(const char *mine, const char *base, const char *theirs,
	   const char *expected)
{
	merges_sent(mine, base, theirs, NULL, NULL, false, expected);
}

/*
 * The same, after a push that sent a value when another one was agreed on.
 */
static void
merges_sent(const char *mine, const char *base, const char *theirs,
			const char *sent, const char *sent_base, bool answered,
			const char *expected)
{
	ZcsyncSent	push = {value_read(sent), value_read(sent_base), answered};
	ZcsyncMergeInput input = {
		.mine = value_read(mine),
		.base = value_read(base),
		.theirs = value_read(theirs),
		.sent = &push,
		.nsent = sent != NULL,
		.policy = policy,
		.is_set = true,
		.pushable = pushable,
		.mine_is_newer = mine_is_newer,
		.mine_outranks = outranking ? outranks : NULL
	};
	ZcsyncMergeResult result;

	if (input.mine->type == ZCSYNC_VALUE_OBJECT ||
		input.theirs->type == ZCSYNC_VALUE_OBJECT)
	{
		input.is_set = false;
		input.is_record = true;
	}
	zcsync_merge(&input, &result);
	is_text(show_result(&result), expected,
			psprintf("merge: mine %s, base %s, theirs %s%s%s%s%s", mine,
					 base ? base : "none", theirs, sent ? ", sent " : "",
					 sent ? sent : "", answered ? " (answered)" : "",
					 policy == ZCSYNC_POLICY_DEFAULT ? "" :
					 psprintf(", policy %d", policy)));
}

static bool
outranks(void *asker, const char *key, int keylen)
{
	return keylen == strlen(outranking) &&
		(keylen == 0 || memcmp(key, outranking, keylen) == 0);
}

static char *
show_result(const ZcsyncMergeResult *result)
{
	static const char *const ends[] = {"lost", "overruled", "undecided"};
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, value_show(&result->value));
	for (int i = 0; i < result->ndisputes; i++)
	{
		ZcsyncDispute *dispute = &result->disputes[i];

		appendStringInfo(&out, "; %.*s%s%s %s",
						 dispute->keylen, dispute->key ? dispute->key : "",
						 dispute->key ? " " : "", ends[dispute->end],
						 value_show(dispute->end == ZCSYNC_LOST_MINE ?
									dispute->mine : dispute->theirs));
	}
	return out.data;
}

static void
test_untouched(void)
{
	merges("\"a\"", "\"a\"", "\"a\"", "\"a\"");
	merges("\"a\"", "\"a\"", "\"b\"", "\"b\"");
	merges("\"a\"", "\"a\"", "null", "null");
	merges("\"a\"", "\"a\"", "\"A\"", "\"A\"");
	merges("\"b\"", "\"a\"", "\"a\"", "\"b\"");
	merges("\"b\"", "\"a\"", "\"A\"", "\"b\"");
	merges("null", "\"a\"", "\"a\"", "null");
	merges("\"A\"", "\"a\"", "\"a\"", "\"A\"");
	merges("\"b\"", "\"a\"", "\"B\"", "\"B\"");

	pushable = false;
	merges("\"b\"", "\"a\"", "\"a\"", "\"a\"");
	merges("[\"b\"]", "[\"a\"]", "[\"c\"]", "[\"c\"]");
	pushable = true;
}

static void
test_policies(void)
{
	merges("1", "2", "3", "3; lost 1");
	policy = ZCSYNC_POLICY_REMOTE;
	merges("1", "2", "3", "3; lost 1");
	policy = ZCSYNC_POLICY_LOCAL;
	merges("1", "2", "3", "1; overruled 3");
	merges("1", "1", "3", "3");
	policy = ZCSYNC_POLICY_NEWEST;
	merges("1", "2", "3", "3; lost 1");
	mine_is_newer = true;
	merges("1", "2", "3", "1; overruled 3");
	mine_is_newer = false;
	policy = ZCSYNC_POLICY_UNION;
	merges("1", "2", "3", "3; lost 1");
	policy = ZCSYNC_POLICY_MANUAL;
	merges("1", "2", "3", "1; undecided 3");
	merges("1", "3", "3", "1");
	merges("3", "2", "3", "3");
	policy = ZCSYNC_POLICY_DEFAULT;
}

/*
 * A value that comes from another record wins where no policy was chosen.
 */
static void
test_outranks(void)
{
	outranking = "";
	merges("1", "2", "3", "1; overruled 3");
	merges("1", "1", "3", "3");
	merges("1", "2", "2", "1");
	policy = ZCSYNC_POLICY_REMOTE;
	merges("1", "2", "3", "3; lost 1");
	policy = ZCSYNC_POLICY_MANUAL;
	merges("1", "2", "3", "1; undecided 3");
	policy = ZCSYNC_POLICY_DEFAULT;
	outranking = "b";
	merges("{\"a\": 1, \"b\": 1}", "{\"a\": 2, \"b\": 2}", "{\"a\": 3, \"b\": 3}",
		   "{\"a\":3,\"b\":1}; a lost 1; b overruled 3");
	outranking = NULL;
}

/*
 * Nothing was ever agreed on: a record was made here, or two records were
 * joined.
 */
static void
test_no_base(void)
{
	merges("\"a\"", NULL, "\"a\"", "\"a\"");
	merges("null", NULL, "\"a\"", "\"a\"");
	merges("\"a\"", NULL, "null", "\"a\"");
	merges("\"a\"", NULL, "\"b\"", "\"a\"; overruled \"b\"");
	merges("[\"a\"]", NULL, "[\"b\"]", "[\"a\"]; overruled [\"b\"]");
	policy = ZCSYNC_POLICY_REMOTE;
	merges("\"a\"", NULL, "\"b\"", "\"b\"; lost \"a\"");
	merges("[\"a\"]", NULL, "[\"b\"]", "[\"b\"]; lost [\"a\"]");
	policy = ZCSYNC_POLICY_UNION;
	merges("[\"a\"]", NULL, "[\"b\", \"A\"]", "[\"b\",\"A\"]");
	merges("[\"a\", \"c\"]", NULL, "[\"b\", \"A\"]", "[\"b\",\"A\",\"c\"]");
	merges("\"a\"", NULL, "\"b\"", "\"a\"; overruled \"b\"");
	policy = ZCSYNC_POLICY_DEFAULT;
}

/*
 * A page or the like shows what a push sent that is still under way, or whose
 * reply was lost.
 */
static void
test_sent(void)
{
	/* as it was sent, and in the vendor's form */
	merges_sent("\"Foo \"", "\"a\"", "\"foo\"", "\"Foo \"", "\"a\"", false, "\"foo\"");
	/* edited since: once lost to the page */
	merges_sent("\"c\"", "\"a\"", "\"B\"", "\"b\"", "\"a\"", false, "\"c\"");
	/* edited back since */
	merges_sent("\"a\"", "\"a\"", "\"b\"", "\"b\"", "\"a\"", false, "\"a\"");
	/* not what was sent: somebody else's */
	merges_sent("\"b\"", "\"a\"", "\"x\"", "\"b\"", "\"a\"", false, "\"x\"; lost \"b\"");
	/* not applied yet */
	merges_sent("\"b\"", "\"a\"", "\"a\"", "\"b\"", "\"a\"", false, "\"b\"");
	/* somebody changed it there before, and then again to the same */
	merges_sent("\"c\"", "\"x\"", "\"b\"", "\"b\"", "\"a\"", false, "\"b\"; lost \"c\"");
	/* this column was not sent, or already agreed on */
	merges_sent("\"c\"", "\"b\"", "\"b\"", "\"b\"", "\"a\"", false, "\"c\"");
	policy = ZCSYNC_POLICY_MANUAL;
	merges_sent("\"c\"", "\"a\"", "\"B\"", "\"b\"", "\"a\"", false, "\"c\"");
	policy = ZCSYNC_POLICY_DEFAULT;
}

/*
 * The reply to a push agrees on what was sent in whatever form it has it.
 */
static void
test_answered(void)
{
	merges_sent("\"b\"", "\"a\"", "\"x\"", "\"b\"", "\"a\"", true, "\"x\"");
	merges_sent("\"b\"", "\"a\"", "\"a\"", "\"b\"", "\"a\"", true, "\"a\"");
	merges_sent("\"c\"", "\"a\"", "\"x\"", "\"b\"", "\"a\"", true, "\"c\"");
	merges_sent("\"b\"", NULL, "\"x\"", "\"b\"", NULL, true, "\"x\"");
	merges_sent("\"c\"", NULL, "\"x\"", "\"b\"", NULL, true, "\"c\"");
	/* a page was faster with the same, and then it was edited again */
	merges_sent("\"c\"", "\"B\"", "\"B\"", "\"b\"", "\"a\"", true, "\"c\"");
	/* a page was faster with somebody else's value */
	merges_sent("\"x\"", "\"x\"", "\"b\"", "\"b\"", "\"a\"", true, "\"b\"");
}

static void
test_sets(void)
{
	merges("[\"a\", \"b\"]", "[\"a\"]", "[\"a\", \"c\"]", "[\"a\",\"c\",\"b\"]");
	merges("[]", "[\"a\"]", "[\"a\", \"c\"]", "[\"c\"]");
	merges("[\"a\", \"b\"]", "[\"a\"]", "[]", "[\"b\"]");
	merges("[\"a\", \"b\"]", "[\"a\"]", "null", "[\"b\"]");
	merges("[\"B\"]", "[]", "[\"b\"]", "[\"b\"]");
	merges("[\"b\", \"a\"]", "[\"a\", \"b\"]", "[\"a\", \"b\"]", "[\"a\",\"b\"]");
	merges("null", "null", "[\"a\"]", "[\"a\"]");
	/* no set: as a whole */
	merges("\"x\"", "[\"a\"]", "[\"b\"]", "[\"b\"]; lost \"x\"");
	policy = ZCSYNC_POLICY_MANUAL;
	merges("[\"a\", \"b\"]", "[\"a\"]", "[\"a\", \"c\"]", "[\"a\",\"c\",\"b\"]");
	policy = ZCSYNC_POLICY_DEFAULT;

	/* sent, and removed again before a page shows it, beside another's */
	merges_sent("[]", "[]", "[\"a\", \"x\"]", "[\"a\"]", "[]", false, "[\"x\"]");
	/* removed by what was sent, and added again since */
	merges_sent("[\"a\"]", "[\"a\"]", "[]", "[]", "[\"a\"]", false, "[\"a\"]");
	/* not accepted by the vendor */
	merges_sent("[\"a\", \"b\"]", "[]", "[\"a\"]", "[\"a\", \"b\"]", "[]", true, "[\"a\"]");
	merges_sent("[\"a\", \"b\"]", "[]", "[\"a\"]", "[\"a\"]", "[]", true, "[\"a\",\"b\"]");
}

static void
test_records(void)
{
	merges("{\"1\": \"a\", \"2\": \"b\"}", "{\"1\": \"a\"}", "{\"1\": \"c\"}",
		   "{\"1\":\"c\",\"2\":\"b\"}");
	merges("{\"1\": \"b\"}", "{\"1\": \"a\"}", "{\"1\": \"c\", \"2\": null}",
		   "{\"1\":\"c\",\"2\":null}; 1 lost \"b\"");
	merges("{}", "{\"1\": \"a\"}", "{\"1\": \"a\", \"2\": 2}", "{\"2\":2}");
	merges("{\"1\": \"b\"}", "{\"1\": \"a\"}", "{}", "{}; 1 lost \"b\"");
	merges("{\"1\": \"b\"}", NULL, "{\"2\": \"c\"}", "{\"1\":\"b\",\"2\":\"c\"}");
	merges("{\"1\": 1}", "null", "null", "{\"1\":1}");
	policy = ZCSYNC_POLICY_MANUAL;
	merges("{\"1\": \"b\", \"2\": 2}", "{\"1\": \"a\"}", "{\"1\": \"c\", \"2\": 2}",
		   "{\"1\":\"b\",\"2\":2}; 1 undecided \"c\"");
	policy = ZCSYNC_POLICY_DEFAULT;

	/* a list is a value; its order does not count */
	merges("{\"1\": [1, 2]}", "{\"1\": [2, 1]}", "{\"1\": [3]}", "{\"1\":[3]}");
	merges_sent("{\"1\": \"c\", \"2\": 5}", "{\"1\": \"a\"}", "{\"1\": \"B\", \"2\": 6}",
				"{\"1\": \"b\"}", "{\"1\": \"a\"}", false,
				"{\"1\":\"c\",\"2\":6}; 2 lost 5");
	/* sent, and the reply does not show it: to be sent again by itself */
	merges_sent("{\"1\": \"b\"}", "{}", "{\"2\": 1}", "{\"1\": \"b\"}", "{}", true,
				"{\"1\":\"b\",\"2\":1}");
}
