/*-------------------------------------------------------------------------
 *
 * merge.c
 *		Merge a column of a row with what a document says of it.
 *
 * "mine" is the row's value, "base" the one on which both sides last agreed,
 * "theirs" the document's.  The caller makes theirs the new base, whatever
 * the result is: so a column whose merged value differs from theirs is still
 * to be sent.
 *
 * In this order:
 *
 * 1. If the column cannot be written at the vendor, theirs is taken.
 * 2. A value that this database sent and now finds in the document is agreed
 *    on.  A reply to a push agrees on what was sent, in whatever form it
 *    shows it; any other document does so if it shows the same value in
 *    another form.  Mine takes the vendor's form if it is still what was
 *    sent, and stays if it was edited since.  All this only if nobody else
 *    moved base since the value was sent.
 * 3. If the row equals base, it was not changed here, and theirs is taken.
 *    If the document equals base, in whatever form, it was not changed there,
 *    and mine stays.
 * 4. If both changed it, to different values, there is a dispute, which the
 *    policy of the column ends.  By default theirs wins, unless the caller
 *    says that mine outranks it: that is for a value that a route wrote, and
 *    not a person.
 *
 * Sets go through these rules element by element, where the value is whether
 * the set has the element: so they have no disputes.  A record (the custom
 * fields) goes through them key by key.
 *
 * Pure: reads no table, clock or setting, except through the caller's
 * function mine_outranks.  Memory is allocated only for mixed values and
 * disputes, and belongs to the caller.
 *
 * IDENTIFICATION
 *		src/merge.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "merge.h"

static const ZcsyncValue null_value = {.type = ZCSYNC_VALUE_NULL};

static ZcsyncWinner merge_value(const ZcsyncMergeInput *input,
								ZcsyncDisputeEnd *end, bool *disputed);
static ZcsyncWinner end_dispute(const ZcsyncMergeInput *input,
								ZcsyncDisputeEnd *end);
static bool base_was_moved(const ZcsyncMergeInput *input,
						   const ZcsyncSent *sent);
static bool merges_as_set(const ZcsyncMergeInput *input);
static void merge_sets(const ZcsyncMergeInput *input,
					   ZcsyncMergeResult *result);
static bool keep_element(const ZcsyncMergeInput *input,
						 const ZcsyncValue *element, bool theirs);
static bool has_element(const ZcsyncValue *list, const ZcsyncValue *element);
static void merge_records(const ZcsyncMergeInput *input,
						  ZcsyncMergeResult *result);
static void merge_member(const ZcsyncMergeInput *input, const char *key,
						 int keylen, ZcsyncMergeResult *result);
static const ZcsyncValue *member_or_null(const ZcsyncValue *record,
										 const char *key, int keylen);
static void add_dispute(ZcsyncMergeResult *result, const char *key, int keylen,
						ZcsyncDisputeEnd end, const ZcsyncValue *mine,
						const ZcsyncValue *theirs);

/*
 * The policy of that name; false if there is none.
 */
bool
zcsync_policy_parse(const char *name, int len, ZcsyncPolicy *policy)
{
	static const char *const names[] = {
		[ZCSYNC_POLICY_DEFAULT] = "default",
		[ZCSYNC_POLICY_REMOTE] = "remote",
		[ZCSYNC_POLICY_LOCAL] = "local",
		[ZCSYNC_POLICY_NEWEST] = "newest",
		[ZCSYNC_POLICY_UNION] = "union",
		[ZCSYNC_POLICY_MANUAL] = "manual"
	};

	for (int i = 0; i < lengthof(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
		{
			*policy = (ZcsyncPolicy) i;
			return true;
		}
	return false;
}

/*
 * Merge a column.
 */
void
zcsync_merge(const ZcsyncMergeInput *input, ZcsyncMergeResult *result)
{
	ZcsyncDisputeEnd end;
	bool		disputed = false;

	memset(result, 0, sizeof(*result));
	if (!input->pushable)
		result->winner = ZCSYNC_THEIRS;
	else if (input->is_set && merges_as_set(input))
		merge_sets(input, result);
	else if (input->is_record)
		merge_records(input, result);
	else
	{
		result->winner = merge_value(input, &end, &disputed);
		if (disputed)
			add_dispute(result, NULL, 0, end, input->mine, input->theirs);
	}

	if (result->winner == ZCSYNC_MINE)
		result->value = *input->mine;
	else if (result->winner == ZCSYNC_THEIRS)
		result->value = *input->theirs;
}

/* ----------------------------------------------------------------
 *		Single values
 * ----------------------------------------------------------------
 */

/*
 * Steps 2 to 4 for a value as a whole.
 */
static ZcsyncWinner
merge_value(const ZcsyncMergeInput *input, ZcsyncDisputeEnd *end,
			bool *disputed)
{
	const ZcsyncValue *mine = input->mine;
	const ZcsyncValue *base = input->base;
	const ZcsyncValue *theirs = input->theirs;

	for (int i = input->nsent - 1; i >= 0; i--)
	{
		const ZcsyncSent *sent = &input->sent[i];

		if (sent->value == NULL || base_was_moved(input, sent) ||
			!(sent->answered ||
			  zcsync_value_same(theirs, sent->value, ZCSYNC_ALIKE)))
			continue;
		return zcsync_value_same(mine, sent->value, ZCSYNC_EQUAL) ?
			ZCSYNC_THEIRS : ZCSYNC_MINE;
	}

	if (base == NULL)
	{
		if (zcsync_value_empty(mine))
			return ZCSYNC_THEIRS;
		if (zcsync_value_empty(theirs))
			return ZCSYNC_MINE;
	}
	else if (zcsync_value_same(mine, base, ZCSYNC_EQUAL))
		return ZCSYNC_THEIRS;
	else if (zcsync_value_same(theirs, base, ZCSYNC_ALIKE))
		return ZCSYNC_MINE;

	if (zcsync_value_same(mine, theirs,
						  input->forms_count ? ZCSYNC_EQUAL : ZCSYNC_ALIKE))
		return ZCSYNC_THEIRS;
	*disputed = true;
	return end_dispute(input, end);
}

/*
 * Who wins a value that both changed.
 */
static ZcsyncWinner
end_dispute(const ZcsyncMergeInput *input, ZcsyncDisputeEnd *end)
{
	bool		mine_wins = false;

	*end = ZCSYNC_LOST_MINE;
	switch (input->policy)
	{
		case ZCSYNC_POLICY_DEFAULT:
		case ZCSYNC_POLICY_UNION:
			mine_wins = input->base == NULL ||
				(input->mine_outranks != NULL &&
				 input->mine_outranks(input->asker, input->key,
									  input->keylen));
			break;
		case ZCSYNC_POLICY_REMOTE:
			break;
		case ZCSYNC_POLICY_LOCAL:
			mine_wins = true;
			break;
		case ZCSYNC_POLICY_NEWEST:
			mine_wins = input->mine_is_newer;
			break;
		case ZCSYNC_POLICY_MANUAL:
			*end = ZCSYNC_UNDECIDED;
			return ZCSYNC_MINE;
	}
	if (!mine_wins)
		return ZCSYNC_THEIRS;
	*end = ZCSYNC_LOST_THEIRS;
	return ZCSYNC_MINE;
}

/*
 * Did somebody else change base since this was sent?  Not if base is what it
 * was then, or a value that this database itself sent.
 */
static bool
base_was_moved(const ZcsyncMergeInput *input, const ZcsyncSent *sent)
{
	const ZcsyncValue *now = input->base ? input->base : &null_value;
	const ZcsyncValue *then = sent->base ? sent->base : &null_value;

	if (zcsync_value_same(now, then, ZCSYNC_EQUAL))
		return false;
	for (int i = 0; i < input->nsent; i++)
		if (input->sent[i].value != NULL &&
			zcsync_value_same(now, input->sent[i].value, ZCSYNC_ALIKE))
			return false;
	return true;
}

/* ----------------------------------------------------------------
 *		Sets
 * ----------------------------------------------------------------
 */

/*
 * Can the elements of these sets be told to be old or new?  Yes with a base;
 * without one, if a push tells it, or if the policy "union" keeps both.
 */
static bool
merges_as_set(const ZcsyncMergeInput *input)
{
	if (input->mine->type > ZCSYNC_VALUE_NULL &&
		input->mine->type != ZCSYNC_VALUE_LIST)
		return false;
	if (input->theirs->type > ZCSYNC_VALUE_NULL &&
		input->theirs->type != ZCSYNC_VALUE_LIST)
		return false;
	if (input->base != NULL || input->policy == ZCSYNC_POLICY_UNION)
		return true;
	for (int i = 0; i < input->nsent; i++)
		if (input->sent[i].value != NULL)
			return true;
	return false;
}

/*
 * The elements of theirs, in their order and form, without those that were
 * removed here, and with those that were added here.
 */
static void
merge_sets(const ZcsyncMergeInput *input, ZcsyncMergeResult *result)
{
	const ZcsyncValue *mine = input->mine;
	const ZcsyncValue *theirs = input->theirs;
	ZcsyncValue set = {.type = ZCSYNC_VALUE_LIST};

	/* nearly always one side changed nothing */
	if (input->nsent == 0 && input->base != NULL)
	{
		if (zcsync_value_same(mine, input->base, ZCSYNC_EQUAL))
		{
			result->winner = ZCSYNC_THEIRS;
			return;
		}
		if (zcsync_value_same(theirs, input->base, ZCSYNC_EQUAL))
		{
			result->winner = ZCSYNC_MINE;
			return;
		}
	}

	set.u.elements = palloc((mine->len + theirs->len + 1) * sizeof(ZcsyncValue));
	for (int i = 0; i < theirs->len; i++)
	{
		const ZcsyncValue *element = &theirs->u.elements[i];

		if (has_element(mine, element) || keep_element(input, element, true))
			set.u.elements[set.len++] = *element;
	}
	for (int i = 0; i < mine->len; i++)
	{
		const ZcsyncValue *element = &mine->u.elements[i];

		if (!has_element(theirs, element) &&
			keep_element(input, element, false))
			set.u.elements[set.len++] = *element;
	}

	if (zcsync_value_same(&set, theirs, ZCSYNC_EQUAL))
		result->winner = ZCSYNC_THEIRS;
	else if (zcsync_value_same(&set, mine, ZCSYNC_EQUAL))
		result->winner = ZCSYNC_MINE;
	else
	{
		result->winner = ZCSYNC_MIXED;
		result->value = set;
		result->made = set.u.elements;
		return;
	}
	pfree(set.u.elements);
}

/*
 * Does an element stay that only one side has?  "theirs" says whether it is
 * the vendor's side that has it.
 */
static bool
keep_element(const ZcsyncMergeInput *input, const ZcsyncValue *element,
			 bool theirs)
{
	bool		base;

	/* without a base, each side has added the elements that it has */
	if (input->base == NULL && input->nsent == 0)
		return true;
	base = input->base != NULL && has_element(input->base, element);
	for (int i = input->nsent - 1; i >= 0; i--)
	{
		const ZcsyncSent *sent = &input->sent[i];
		bool		sent_it;

		if (sent->value == NULL ||
			base != (sent->base != NULL && has_element(sent->base, element)))
			continue;
		sent_it = has_element(sent->value, element);
		if (sent_it == theirs)
			return !theirs;		/* agreed on, and edited here since then */
		if (sent->answered)
			return theirs;		/* the vendor did not accept it */
	}
	if (input->base == NULL)
		return true;
	return theirs != base ? theirs : !theirs;
}

static bool
has_element(const ZcsyncValue *list, const ZcsyncValue *element)
{
	return zcsync_value_element(list, element, ZCSYNC_ALIKE) != NULL;
}

/* ----------------------------------------------------------------
 *		Records
 * ----------------------------------------------------------------
 */

/*
 * Merge two objects key by key.
 */
static void
merge_records(const ZcsyncMergeInput *input, ZcsyncMergeResult *result)
{
	static const ZcsyncValue no_members = {.type = ZCSYNC_VALUE_OBJECT};
	ZcsyncMergeInput record = *input;
	int			i = 0;
	int			j = 0;

	if (record.mine->type != ZCSYNC_VALUE_OBJECT)
		record.mine = &no_members;
	if (record.theirs->type != ZCSYNC_VALUE_OBJECT)
		record.theirs = &no_members;
	if (record.nsent == 0 && record.base != NULL &&
		zcsync_value_same(record.mine, record.base, ZCSYNC_EQUAL))
	{
		result->winner = ZCSYNC_THEIRS;
		return;
	}

	result->winner = ZCSYNC_MIXED;
	result->value.type = ZCSYNC_VALUE_OBJECT;
	result->value.u.members = palloc((record.mine->len + record.theirs->len + 1) *
									 sizeof(ZcsyncMember));
	result->made = result->value.u.members;
	while (i < record.mine->len || j < record.theirs->len)
	{
		const ZcsyncMember *m = &record.mine->u.members[i];
		const ZcsyncMember *t = &record.theirs->u.members[j];
		int			order;

		if (i == record.mine->len)
			order = 1;
		else if (j == record.theirs->len)
			order = -1;
		else
			order = zcsync_key_compare(m->key, m->keylen, t->key, t->keylen);
		if (order <= 0)
			i++;
		if (order >= 0)
			j++;
		if (order > 0)
			m = t;
		merge_member(&record, m->key, m->keylen, result);
	}
	if (zcsync_value_same(&result->value, record.mine, ZCSYNC_IDENTICAL))
		result->winner = ZCSYNC_MINE;
	else if (zcsync_value_same(&result->value, record.theirs, ZCSYNC_IDENTICAL))
		result->winner = ZCSYNC_THEIRS;
	else
		return;
	pfree(result->made);
	result->made = NULL;
}

/*
 * Merge the values of a key, and add the result to the record.
 */
static void
merge_member(const ZcsyncMergeInput *input, const char *key, int keylen,
			 ZcsyncMergeResult *result)
{
	const ZcsyncValue *mine = zcsync_value_member(input->mine, key, keylen);
	const ZcsyncValue *theirs = zcsync_value_member(input->theirs, key, keylen);
	const ZcsyncValue *value;
	ZcsyncMergeInput member = *input;
	ZcsyncSent	buffer[8];
	ZcsyncSent *sent = buffer;
	ZcsyncDisputeEnd end;
	bool		disputed = false;
	bool		answered = false;

	if (input->nsent > lengthof(buffer))
		sent = palloc(input->nsent * sizeof(ZcsyncSent));
	for (int i = 0; i < input->nsent; i++)
	{
		sent[i] = input->sent[i];
		if (sent[i].value != NULL)
			sent[i].value = zcsync_value_member(sent[i].value, key, keylen);
		if (sent[i].base != NULL)
			sent[i].base = member_or_null(sent[i].base, key, keylen);
		answered |= sent[i].answered && sent[i].value != NULL;
	}
	member.mine = mine != NULL ? mine : &null_value;
	member.theirs = theirs != NULL ? theirs : &null_value;
	if (input->base != NULL)
		member.base = member_or_null(input->base, key, keylen);
	member.sent = sent;
	member.key = key;
	member.keylen = keylen;

	if (merge_value(&member, &end, &disputed) == ZCSYNC_MINE)
		value = mine;
	else
		/* a value that was sent and is not shown stays, and is sent again */
		value = theirs == NULL && answered ? mine : theirs;
	if (value != NULL)
	{
		ZcsyncMember *merged = &result->value.u.members[result->value.len++];

		merged->key = key;
		merged->keylen = keylen;
		merged->value = *value;
	}
	if (disputed)
		add_dispute(result, key, keylen, end, mine, theirs);
	if (sent != buffer)
		pfree(sent);
}

static const ZcsyncValue *
member_or_null(const ZcsyncValue *record, const char *key, int keylen)
{
	const ZcsyncValue *value = zcsync_value_member(record, key, keylen);

	return value != NULL ? value : &null_value;
}

/*
 * Note a dispute; a missing value counts as null.
 */
static void
add_dispute(ZcsyncMergeResult *result, const char *key, int keylen,
			ZcsyncDisputeEnd end, const ZcsyncValue *mine,
			const ZcsyncValue *theirs)
{
	ZcsyncDispute *dispute;

	if (result->disputes == NULL)
		result->disputes = palloc(sizeof(ZcsyncDispute));
	else
		result->disputes = repalloc(result->disputes,
									(result->ndisputes + 1) * sizeof(ZcsyncDispute));
	dispute = &result->disputes[result->ndisputes++];
	dispute->key = key;
	dispute->keylen = keylen;
	dispute->end = end;
	dispute->mine = mine != NULL ? mine : &null_value;
	dispute->theirs = theirs != NULL ? theirs : &null_value;
}
