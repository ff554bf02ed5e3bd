/*-------------------------------------------------------------------------
 *
 * test_merge_laws.c
 *		What must hold of every merge, tried on a million random cases.
 *
 * A case is a column - a value, a set or a record - that both sides and pushes
 * under way may have changed since it was agreed on.  There are few different
 * values, so that they meet often, and each comes in the forms that vendors
 * give it.
 *
 * The laws:
 *
 *	idempotent		the same document again changes nothing
 *	echo			a document that shows what was sent, in whatever form,
 *					loses nothing that was edited since
 *	nothing lost	a value that both sides changed wins, or is noted
 *	sets			have what either side added, and nothing that either removed
 *	converge		after a push and its reply both sides are the same
 *	order			documents about different columns may come in any order
 *
 * The first case that breaks a law is shown.  ZCSYNC_LAW_SEED in the
 * environment tries other cases.
 *
 * IDENTIFICATION
 *		test/unit/test_merge_laws.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/merge.h"
#include "unit.h"
#include "unit_value.h"

#define CASES		1000000
#define MAX_SENT	2
#define MAX_PARTS	8			/* elements or members */
#define POOL		4096

typedef enum Shape
{
	SHAPE_VALUE,
	SHAPE_SET,
	SHAPE_RECORD
} Shape;

typedef struct Case
{
	ZcsyncMergeInput input;
	ZcsyncSent	sent[MAX_SENT];
	Shape		shape;
} Case;

/* The laws, in the order in which they are reported. */
enum
{
	LAW_IDEMPOTENT,
	LAW_ECHO,
	LAW_NOTHING_LOST,
	LAW_SETS,
	LAW_CONVERGE,
	LAW_ORDER,
	LAWS
};

static const char *const law_names[LAWS] = {
	"idempotent", "echo", "nothing lost", "sets", "converge", "order"
};

static uint64 random_state;
static int64 broken[LAWS];

/* Parts of the values of a case; all gone when the next one begins. */
static ZcsyncValue value_pool[POOL];
static int	values_used;
static ZcsyncMember member_pool[POOL];
static int	members_used;

static uint32 any(uint32 below);
static ZcsyncValue *new_values(int n);
static ZcsyncMember *new_members(int n);
static void random_scalar(ZcsyncValue *value);
static void random_value(Shape shape, ZcsyncValue *value);
static const ZcsyncValue *random_of(Shape shape);
static const ZcsyncValue *any_form(const ZcsyncValue *value);
static void scalar_form(const ZcsyncValue *value, ZcsyncValue *form);
static void make_case(Case *c);
static bool outranks(void *asker, const char *key, int keylen);
static const ZcsyncValue *overlay(const ZcsyncValue *base,
								  const ZcsyncValue *sent);
static void release(ZcsyncMergeResult *result);
static void law_idempotent(const Case *c);
static void law_echo(const Case *c);
static void law_nothing_lost(const Case *c);
static void law_sets(const Case *c);
static void law_converge(const Case *c);
static void law_order(const Case *c);
static bool noted(const ZcsyncMergeResult *result, const char *key, int keylen,
				  const ZcsyncValue *value, bool mine);
static void nothing_lost_of(const Case *c, const ZcsyncMergeResult *result,
							const char *key, int keylen);
static const ZcsyncValue *part(const ZcsyncValue *value, const char *key,
							   int keylen);
static void breaks(int law, const Case *c, const ZcsyncValue *result);

void
test_merge_laws(void)
{
	const char *seed = getenv("ZCSYNC_LAW_SEED");
	Case		c;

	random_state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
	for (int i = 0; i < CASES; i++)
	{
		make_case(&c);
		law_idempotent(&c);
		law_echo(&c);
		law_nothing_lost(&c);
		law_sets(&c);
		law_converge(&c);
		law_order(&c);
	}
	for (int law = 0; law < LAWS; law++)
		is_int(broken[law], 0, psprintf("merge law: %s", law_names[law]));
}

/* ----------------------------------------------------------------
 *		Cases
 * ----------------------------------------------------------------
 */

/*
 * A number below another one (splitmix64).
 */
static uint32
any(uint32 below)
{
	uint64		z = (random_state += UINT64CONST(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return (uint32) ((z ^ (z >> 31)) % below);
}

static ZcsyncValue *
new_values(int n)
{
	ZcsyncValue *values = &value_pool[values_used];

	values_used += n;
	Assert(values_used <= POOL);
	memset(values, 0, n * sizeof(ZcsyncValue));
	return values;
}

static ZcsyncMember *
new_members(int n)
{
	ZcsyncMember *members = &member_pool[members_used];

	members_used += n;
	Assert(members_used <= POOL);
	memset(members, 0, n * sizeof(ZcsyncMember));
	return members;
}

static void
set_chars(ZcsyncValue *value, ZcsyncValueType type, const char *chars)
{
	value->type = type;
	value->u.text = chars;
	value->len = strlen(chars);
}

/*
 * A value that is neither list nor object.
 */
static void
random_scalar(ZcsyncValue *value)
{
	static const char *const texts[] = {"a", "b", "B", "c", " a", "12", "true"};

	memset(value, 0, sizeof(*value));
	switch (any(8))
	{
		case 0:
			break;
		case 1:
			value->type = ZCSYNC_VALUE_BOOL;
			value->len = any(2);
			break;
		case 2:
			set_chars(value, ZCSYNC_VALUE_NUMBER, any(2) ? "12" : "0.5");
			break;
		case 3:
			set_chars(value, ZCSYNC_VALUE_TEXT, "");
			break;
		default:
			set_chars(value, ZCSYNC_VALUE_TEXT, texts[any(lengthof(texts))]);
	}
}

static void
random_value(Shape shape, ZcsyncValue *value)
{
	static const char *const keys[] = {"1", "2", "3", "10"};
	static const char *const elements[] = {"a", "b", "c", "d"};

	memset(value, 0, sizeof(*value));
	if (shape == SHAPE_VALUE)
		random_scalar(value);
	else if (shape == SHAPE_SET && any(8) > 0)
	{
		value->type = ZCSYNC_VALUE_LIST;
		value->u.elements = new_values(lengthof(elements));
		for (int i = 0; i < lengthof(elements); i++)
			if (any(2))
				set_chars(&value->u.elements[value->len++],
						  ZCSYNC_VALUE_TEXT, elements[i]);
	}
	else if (shape == SHAPE_RECORD && any(8) > 0)
	{
		value->type = ZCSYNC_VALUE_OBJECT;
		value->u.members = new_members(lengthof(keys));
		for (int i = 0; i < lengthof(keys); i++)
			if (any(2))
			{
				ZcsyncMember *member = &value->u.members[value->len++];

				member->key = keys[i];
				member->keylen = strlen(keys[i]);
				random_value(any(5) ? SHAPE_VALUE : SHAPE_SET, &member->value);
			}
	}
}

static const ZcsyncValue *
random_of(Shape shape)
{
	ZcsyncValue *value = new_values(1);

	random_value(shape, value);
	return value;
}

/*
 * The same value as a vendor may show it.
 */
static const ZcsyncValue *
any_form(const ZcsyncValue *value)
{
	ZcsyncValue *form = new_values(1);

	*form = *value;
	if (value->type == ZCSYNC_VALUE_LIST)
	{
		/* backwards, perhaps with an element twice */
		form->u.elements = new_values(value->len + 1);
		for (int i = 0; i < value->len; i++)
			scalar_form(&value->u.elements[value->len - 1 - i],
						&form->u.elements[i]);
		if (value->len > 0 && any(4) == 0)
			scalar_form(&value->u.elements[0], &form->u.elements[form->len++]);
		if (value->len == 0 && any(2))
			form->type = ZCSYNC_VALUE_NULL;
	}
	else if (value->type == ZCSYNC_VALUE_OBJECT)
	{
		form->u.members = new_members(value->len);
		for (int i = 0; i < value->len; i++)
		{
			form->u.members[i] = value->u.members[i];
			form->u.members[i].value = *any_form(&value->u.members[i].value);
		}
	}
	else
		scalar_form(value, form);
	return form;
}

static void
scalar_form(const ZcsyncValue *value, ZcsyncValue *form)
{
	static const char *const forms[][4] = {
		{"a", "A", " a", "A "}, {"b", "B", "b ", "b"}, {"c", "C", "\tc", "c"},
		{"d", "D", "d", "D"}
	};

	*form = *value;
	if (value->type == ZCSYNC_VALUE_NUMBER)
		form->type = any(2) ? ZCSYNC_VALUE_TEXT : ZCSYNC_VALUE_NUMBER;
	else if (value->type == ZCSYNC_VALUE_BOOL && any(2))
		set_chars(form, ZCSYNC_VALUE_TEXT, value->len ? "True" : "false");
	else if (value->type == ZCSYNC_VALUE_TEXT && value->len == 0)
		form->type = any(2) ? ZCSYNC_VALUE_TEXT : ZCSYNC_VALUE_NULL;
	else if (value->type == ZCSYNC_VALUE_TEXT)
		for (int i = 0; i < lengthof(forms); i++)
		{
			ZcsyncValue known = {0};

			set_chars(&known, ZCSYNC_VALUE_TEXT, forms[i][0]);
			if (zcsync_value_same(value, &known, ZCSYNC_ALIKE))
				set_chars(form, ZCSYNC_VALUE_TEXT, forms[i][any(4)]);
		}
}

/*
 * A case.  Values are often those of another part of it, in some form.
 */
static void
make_case(Case *c)
{
	const ZcsyncValue *known[5];
	int			n = 0;

	values_used = members_used = 0;
	memset(c, 0, sizeof(*c));
	c->shape = any(3);
	known[n++] = random_of(c->shape);
	c->input.base = any(6) ? known[0] : NULL;
	for (int i = 0; i < 4; i++)
	{
		known[n] = any(2) ? known[any(n)] : random_of(c->shape);
		if (any(2))
			known[n] = any_form(known[n]);
		n++;
	}
	c->input.mine = known[1 + any(4)];
	c->input.theirs = known[any(5)];
	c->input.nsent = any(MAX_SENT + 1);
	for (int i = 0; i < c->input.nsent; i++)
	{
		c->sent[i].value = any(5) ? known[any(5)] : NULL;
		c->sent[i].base = any(3) ? c->input.base : known[any(5)];
	}
	if (c->input.nsent > 0)
		c->sent[c->input.nsent - 1].answered = any(2);
	c->input.sent = c->sent;
	c->input.policy = any(ZCSYNC_POLICY_MANUAL + 1);
	c->input.is_set = c->shape == SHAPE_SET;
	c->input.is_record = c->shape == SHAPE_RECORD;
	c->input.pushable = any(10) > 0;
	c->input.mine_is_newer = any(2);
	c->input.mine_outranks = any(3) ? NULL : outranks;
}

/* Some keys do; single values always. */
static bool
outranks(void *asker, const char *key, int keylen)
{
	return keylen == 0 || key[keylen - 1] % 2 == 0;
}

/*
 * What a vendor has after it was sent some keys of a record.
 */
static const ZcsyncValue *
overlay(const ZcsyncValue *base, const ZcsyncValue *sent)
{
	ZcsyncValue *all = new_values(1);
	int			i = 0;
	int			j = 0;

	if (base == NULL || base->type != ZCSYNC_VALUE_OBJECT ||
		sent->type != ZCSYNC_VALUE_OBJECT)
		return sent->type == ZCSYNC_VALUE_NULL && base != NULL ? base : sent;
	all->type = ZCSYNC_VALUE_OBJECT;
	all->u.members = new_members(base->len + sent->len);
	while (i < base->len || j < sent->len)
	{
		const ZcsyncMember *b = &base->u.members[i];
		const ZcsyncMember *s = &sent->u.members[j];
		int			order = i == base->len ? 1 : j == sent->len ? -1 :
			zcsync_key_compare(b->key, b->keylen, s->key, s->keylen);

		all->u.members[all->len++] = order < 0 ? *b : *s;
		i += order <= 0;
		j += order >= 0;
	}
	return all;
}

static void
release(ZcsyncMergeResult *result)
{
	if (result->made != NULL)
		pfree(result->made);
	if (result->disputes != NULL)
		pfree(result->disputes);
}

/* ----------------------------------------------------------------
 *		Laws
 * ----------------------------------------------------------------
 */

/*
 * The same document again, as a page has it: a push is answered once.
 */
static void
law_idempotent(const Case *c)
{
	ZcsyncMergeInput again = c->input;
	ZcsyncSent	sent[MAX_SENT];
	ZcsyncMergeResult first;
	ZcsyncMergeResult second;

	zcsync_merge(&c->input, &first);
	memcpy(sent, c->sent, sizeof(sent));
	for (int i = 0; i < MAX_SENT; i++)
		sent[i].answered = false;
	again.mine = &first.value;
	again.base = c->input.theirs;
	again.sent = sent;
	zcsync_merge(&again, &second);
	if (!zcsync_value_same(&second.value, &first.value, ZCSYNC_ALIKE) ||
		second.ndisputes > 0)
		breaks(LAW_IDEMPOTENT, c, &second.value);
	release(&first);
	release(&second);
}

/*
 * The vendor shows what was sent; mine is what it is.
 */
static void
law_echo(const Case *c)
{
	ZcsyncMergeInput input = c->input;
	ZcsyncSent	sent = {random_of(c->shape), input.base, any(2)};
	ZcsyncMergeResult result;

	if (!input.pushable)
		return;
	if (any(2))
		sent.value = input.mine;
	input.sent = &sent;
	input.nsent = 1;
	input.theirs = any_form(sent.value);
	if (c->shape == SHAPE_RECORD)
		input.theirs = overlay(input.base, input.theirs);
	zcsync_merge(&input, &result);
	if (!zcsync_value_same(&result.value, input.mine, ZCSYNC_ALIKE) ||
		result.ndisputes > 0)
		breaks(LAW_ECHO, c, &result.value);
	release(&result);
}

static void
law_nothing_lost(const Case *c)
{
	ZcsyncMergeResult result;

	if (!c->input.pushable || c->shape == SHAPE_SET)
		return;
	zcsync_merge(&c->input, &result);
	if (c->shape == SHAPE_VALUE)
		nothing_lost_of(c, &result, NULL, 0);
	else
	{
		const ZcsyncValue *sides[] = {c->input.mine, c->input.theirs};

		for (int side = 0; side < 2; side++)
			if (sides[side]->type == ZCSYNC_VALUE_OBJECT)
				for (int i = 0; i < sides[side]->len; i++)
					nothing_lost_of(c, &result,
									sides[side]->u.members[i].key,
									sides[side]->u.members[i].keylen);
	}
	release(&result);
}

/*
 * A value of mine may go unnoted if nobody had edited it since it was agreed on
 * or sent; one of theirs if it is what was agreed on, or an answer to a push,
 * or if there is none.
 */
static void
nothing_lost_of(const Case *c, const ZcsyncMergeResult *result,
				const char *key, int keylen)
{
	const ZcsyncValue *mine = part(c->input.mine, key, keylen);
	const ZcsyncValue *base = part(c->input.base, key, keylen);
	const ZcsyncValue *theirs = part(c->input.theirs, key, keylen);
	const ZcsyncValue *became = part(&result->value, key, keylen);
	bool		mine_known = zcsync_value_empty(mine);
	bool		theirs_known = zcsync_value_empty(theirs);

	if (c->input.base != NULL)
	{
		mine_known = zcsync_value_same(mine, base, ZCSYNC_EQUAL);
		theirs_known = zcsync_value_same(theirs, base, ZCSYNC_ALIKE);
	}
	for (int i = 0; i < c->input.nsent; i++)
		if (c->sent[i].value != NULL &&
			(key == NULL || zcsync_value_member(c->sent[i].value, key, keylen)))
		{
			const ZcsyncValue *sent = part(c->sent[i].value, key, keylen);

			mine_known |= zcsync_value_same(mine, sent, ZCSYNC_EQUAL) &&
				(c->sent[i].answered ||
				 zcsync_value_same(theirs, sent, ZCSYNC_ALIKE));
			theirs_known |= c->sent[i].answered ||
				zcsync_value_same(theirs, sent, ZCSYNC_ALIKE);
		}

	if ((!zcsync_value_same(became, mine, ZCSYNC_ALIKE) && !mine_known &&
		 !noted(result, key, keylen, mine, true)) ||
		(!zcsync_value_same(became, theirs, ZCSYNC_ALIKE) && !theirs_known &&
		 !noted(result, key, keylen, theirs, false)))
		breaks(LAW_NOTHING_LOST, c, &result->value);
}

/*
 * Is a value among the disputes, as mine that lost, or as theirs that did or is
 * to be decided about?
 */
static bool
noted(const ZcsyncMergeResult *result, const char *key, int keylen,
	  const ZcsyncValue *value, bool mine)
{
	for (int i = 0; i < result->ndisputes; i++)
	{
		const ZcsyncDispute *dispute = &result->disputes[i];

		if ((dispute->end == ZCSYNC_LOST_MINE) == mine &&
			dispute->keylen == keylen &&
			(key == NULL || memcmp(dispute->key, key, keylen) == 0) &&
			zcsync_value_same(mine ? dispute->mine : dispute->theirs, value,
							  ZCSYNC_IDENTICAL))
			return true;
	}
	return false;
}

static void
law_sets(const Case *c)
{
	ZcsyncMergeInput input = c->input;
	ZcsyncMergeResult result;
	const ZcsyncValue *lists[] = {input.mine, input.base, input.theirs};

	if (c->shape != SHAPE_SET || !input.pushable || input.base == NULL)
		return;
	input.nsent = 0;
	zcsync_merge(&input, &result);
	for (int list = 0; list < 3; list++)
		for (int i = 0; i < lists[list]->len; i++)
		{
			const ZcsyncValue *e = &lists[list]->u.elements[i];
			bool		in_mine = zcsync_value_element(input.mine, e, ZCSYNC_ALIKE);
			bool		in_base = zcsync_value_element(input.base, e, ZCSYNC_ALIKE);
			bool		in_theirs = zcsync_value_element(input.theirs, e, ZCSYNC_ALIKE);
			bool		expected = in_base ? in_mine && in_theirs :
				in_mine || in_theirs;

			if ((zcsync_value_element(&result.value, e, ZCSYNC_ALIKE) != NULL) !=
				expected)
			{
				breaks(LAW_SETS, c, &result.value);
				list = 3;
				break;
			}
		}
	if (result.ndisputes > 0)
		breaks(LAW_SETS, c, &result.value);
	release(&result);
}

/*
 * What differs from the document is sent, and the reply shows it.
 */
static void
law_converge(const Case *c)
{
	ZcsyncMergeInput input = c->input;
	ZcsyncMergeResult first;
	ZcsyncMergeResult second;
	ZcsyncSent	sent;

	zcsync_merge(&input, &first);
	sent.value = &first.value;
	sent.base = input.theirs;
	sent.answered = any(2);
	input.mine = &first.value;
	input.base = input.theirs;
	input.theirs = any_form(&first.value);
	input.sent = &sent;
	input.nsent = 1;
	zcsync_merge(&input, &second);
	if (!zcsync_value_same(&second.value, input.theirs, ZCSYNC_ALIKE) ||
		second.ndisputes > 0)
		breaks(LAW_CONVERGE, c, &second.value);
	release(&first);
	release(&second);
}

/*
 * Two documents about different keys of a record, of which the vendor shows
 * the rest as it was: which of them is merged first does not matter.
 */
static void
law_order(const Case *c)
{
	const ZcsyncValue *record = c->input.mine;
	ZcsyncValue docs[2];
	ZcsyncMergeInput input = c->input;

	if (c->shape != SHAPE_RECORD || record->type != ZCSYNC_VALUE_OBJECT ||
		input.base == NULL || input.base->type != ZCSYNC_VALUE_OBJECT ||
		input.base->len < 2)
		return;
	input.nsent = 0;

	/* both change one key of base each */
	for (int i = 0; i < 2; i++)
	{
		docs[i] = *input.base;
		docs[i].u.members = new_members(input.base->len);
		memcpy(docs[i].u.members, input.base->u.members,
			   input.base->len * sizeof(ZcsyncMember));
		random_scalar(&docs[i].u.members[i].value);
	}
	for (int k = 0; k < 2; k++)
	{
		const char *key = input.base->u.members[k].key;
		int			keylen = input.base->u.members[k].keylen;
		ZcsyncMergeInput alone = input;
		ZcsyncMergeResult both;
		ZcsyncMergeResult one;
		ZcsyncValue all = *input.base;

		/* the key as if its document had come alone */
		alone.theirs = &docs[k];
		zcsync_merge(&alone, &one);
		/* and after the other document, which leaves it as it was */
		alone.theirs = &docs[1 - k];
		zcsync_merge(&alone, &both);
		all.u.members = new_members(input.base->len);
		memcpy(all.u.members, docs[1 - k].u.members,
			   input.base->len * sizeof(ZcsyncMember));
		all.u.members[k] = docs[k].u.members[k];
		{
			ZcsyncMergeInput then = alone;
			ZcsyncMergeResult last;

			then.mine = &both.value;
			then.base = &docs[1 - k];
			then.theirs = &all;
			zcsync_merge(&then, &last);
			if (!zcsync_value_same(part(&last.value, key, keylen),
								   part(&one.value, key, keylen),
								   ZCSYNC_EQUAL))
				breaks(LAW_ORDER, c, &last.value);
			release(&last);
		}
		release(&one);
		release(&both);
	}
}

/*
 * The value of a key; of a single value itself.
 */
static const ZcsyncValue *
part(const ZcsyncValue *value, const char *key, int keylen)
{
	static const ZcsyncValue null_value = {.type = ZCSYNC_VALUE_NULL};
	const ZcsyncValue *member;

	if (value == NULL)
		return &null_value;
	if (key == NULL)
		return value;
	member = zcsync_value_member(value, key, keylen);
	return member != NULL ? member : &null_value;
}

/*
 * Count a broken law, and show the first case.
 */
static void
breaks(int law, const Case *c, const ZcsyncValue *result)
{
	if (broken[law]++ > 0)
		return;
	printf("# %s: mine %s, base %s, theirs %s became %s; policy %d, %spushable, newer %d\n",
		   law_names[law], value_show(c->input.mine),
		   c->input.base ? value_show(c->input.base) : "none",
		   value_show(c->input.theirs), value_show(result), c->input.policy,
		   c->input.pushable ? "" : "not ", c->input.mine_is_newer);
	for (int i = 0; i < c->input.nsent; i++)
		printf("#   sent %s when base was %s%s\n",
			   c->sent[i].value ? value_show(c->sent[i].value) : "nothing",
			   c->sent[i].base ? value_show(c->sent[i].base) : "none",
			   c->sent[i].answered ? ", answered" : "");
}
