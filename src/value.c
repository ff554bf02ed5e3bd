/*-------------------------------------------------------------------------
 *
 * value.c
 *		When two values are the same.
 *
 * This file alone decides it, for rows, documents, pairs and requests.  There
 * are three questions; each accepts more than the one before:
 *
 * ZCSYNC_IDENTICAL: need a column be written at all?  Only numbers have more
 * than one form (1 and 1.0).
 *
 * ZCSYNC_EQUAL: did anybody change anything?  Lists are sets: neither order
 * nor repetition counts.  An empty list or object is the same as a missing
 * one, and so is an object whose members are all empty.
 *
 * ZCSYNC_ALIKE: does a vendor show the value that it was sent?  Vendors
 * change the case of tags and names of statuses, trim texts, and show numbers
 * as texts.  So case, white space at both ends, and whether a value is a
 * text, a number or a boolean do not count; and an empty text is the same as
 * a missing one.  Only ASCII letters are folded: the answer must not depend
 * on a locale.
 *
 * Nothing here allocates memory or needs the server, see test/unit.
 *
 * IDENTIFICATION
 *		src/value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "value.h"

static const ZcsyncValue null_value = {.type = ZCSYNC_VALUE_NULL};
static const ZcsyncValue no_members = {.type = ZCSYNC_VALUE_OBJECT};

static bool scalars_alike(const ZcsyncValue *a, const ZcsyncValue *b);
static void scalar_text(const ZcsyncValue *value, const char **chars, int *len);
static bool lists_identical(const ZcsyncValue *a, const ZcsyncValue *b);
static bool list_contains(const ZcsyncValue *list, const ZcsyncValue *other,
						  ZcsyncSameness sameness);
static bool objects_same(const ZcsyncValue *a, const ZcsyncValue *b,
						 ZcsyncSameness sameness);

bool
zcsync_value_same(const ZcsyncValue *a, const ZcsyncValue *b,
				  ZcsyncSameness sameness)
{
	if (sameness != ZCSYNC_IDENTICAL)
	{
		if (zcsync_value_empty(a) && zcsync_value_empty(b))
			return true;
		if (sameness == ZCSYNC_ALIKE && a->type < ZCSYNC_VALUE_LIST &&
			b->type < ZCSYNC_VALUE_LIST)
			return scalars_alike(a, b);
		if (a->type == ZCSYNC_VALUE_NULL && b->type == ZCSYNC_VALUE_OBJECT)
			a = &no_members;
		else if (b->type == ZCSYNC_VALUE_NULL && a->type == ZCSYNC_VALUE_OBJECT)
			b = &no_members;
	}
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case ZCSYNC_VALUE_NULL:
			return true;
		case ZCSYNC_VALUE_BOOL:
			return a->len == b->len;
		case ZCSYNC_VALUE_NUMBER:
		case ZCSYNC_VALUE_TEXT:
			return a->len == b->len &&
				memcmp(a->u.text, b->u.text, a->len) == 0;
		case ZCSYNC_VALUE_LIST:
			if (sameness == ZCSYNC_IDENTICAL)
				return lists_identical(a, b);
			return list_contains(a, b, sameness) &&
				list_contains(b, a, sameness);
		case ZCSYNC_VALUE_OBJECT:
			return objects_same(a, b, sameness);
	}
	return false;				/* keep compiler quiet */
}

/*
 * Is it empty?  An empty text is not: a person may have meant it; only for a
 * vendor it is the same as a missing one.
 */
bool
zcsync_value_empty(const ZcsyncValue *value)
{
	if (value->type == ZCSYNC_VALUE_OBJECT)
		for (int i = 0; i < value->len; i++)
			if (!zcsync_value_empty(&value->u.members[i].value))
				return false;
	return value->type == ZCSYNC_VALUE_NULL ||
		value->type == ZCSYNC_VALUE_OBJECT ||
		(value->type == ZCSYNC_VALUE_LIST && value->len == 0);
}

/*
 * The element of a list that is the same as this one; NULL if there is none,
 * or if it is no list.
 */
const ZcsyncValue *
zcsync_value_element(const ZcsyncValue *list, const ZcsyncValue *element,
					 ZcsyncSameness sameness)
{
	if (list->type != ZCSYNC_VALUE_LIST)
		return NULL;
	for (int i = 0; i < list->len; i++)
		if (zcsync_value_same(&list->u.elements[i], element, sameness))
			return &list->u.elements[i];
	return NULL;
}

/*
 * The member of that name; NULL if there is none, or if it is no object.
 */
const ZcsyncValue *
zcsync_value_member(const ZcsyncValue *object, const char *key, int keylen)
{
	int			low = 0;
	int			high;

	if (object->type != ZCSYNC_VALUE_OBJECT)
		return NULL;
	high = object->len;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const ZcsyncMember *member = &object->u.members[middle];
		int			order = zcsync_key_compare(member->key, member->keylen,
											   key, keylen);

		if (order == 0)
			return &member->value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/*
 * The order of keys in an object, which is that of jsonb: shorter keys first.
 */
int
zcsync_key_compare(const char *a, int alen, const char *b, int blen)
{
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

/*
 * Are two values that are neither lists nor objects the same text?
 */
static bool
scalars_alike(const ZcsyncValue *a, const ZcsyncValue *b)
{
	const char *atext;
	const char *btext;
	int			alen;
	int			blen;

	scalar_text(a, &atext, &alen);
	scalar_text(b, &btext, &blen);
	if (alen != blen)
		return false;
	for (int i = 0; i < alen; i++)
		if (atext[i] != btext[i] &&
			pg_ascii_tolower((unsigned char) atext[i]) !=
			pg_ascii_tolower((unsigned char) btext[i]))
			return false;
	return true;
}

/*
 * A value as a text without white space at its ends; a missing one is an
 * empty text.
 */
static void
scalar_text(const ZcsyncValue *value, const char **chars, int *len)
{
	*chars = "";
	*len = 0;
	if (value->type == ZCSYNC_VALUE_BOOL)
	{
		*chars = value->len ? "true" : "false";
		*len = strlen(*chars);
	}
	else if (value->type != ZCSYNC_VALUE_NULL)
	{
		*chars = value->u.text;
		*len = value->len;
	}
	while (*len > 0 && strchr(" \t\r\n", **chars) != NULL)
	{
		(*chars)++;
		(*len)--;
	}
	while (*len > 0 && strchr(" \t\r\n", (*chars)[*len - 1]) != NULL)
		(*len)--;
}

static bool
lists_identical(const ZcsyncValue *a, const ZcsyncValue *b)
{
	if (a->len != b->len)
		return false;
	for (int i = 0; i < a->len; i++)
		if (!zcsync_value_same(&a->u.elements[i], &b->u.elements[i],
							   ZCSYNC_IDENTICAL))
			return false;
	return true;
}

/*
 * Does a list have all elements of another one?
 */
static bool
list_contains(const ZcsyncValue *list, const ZcsyncValue *other,
			  ZcsyncSameness sameness)
{
	for (int i = 0; i < other->len; i++)
	{
		/* lists that are the same nearly always have the same order */
		if (i < list->len &&
			zcsync_value_same(&list->u.elements[i], &other->u.elements[i],
							  sameness))
			continue;
		if (zcsync_value_element(list, &other->u.elements[i],
								 sameness) == NULL)
			return false;
	}
	return true;
}

/*
 * Do two objects have the same members?  A missing member counts as null,
 * except where the stored form is compared.
 */
static bool
objects_same(const ZcsyncValue *a, const ZcsyncValue *b,
			 ZcsyncSameness sameness)
{
	int			i = 0;
	int			j = 0;

	if (sameness == ZCSYNC_IDENTICAL && a->len != b->len)
		return false;
	while (i < a->len || j < b->len)
	{
		const ZcsyncValue *avalue = &null_value;
		const ZcsyncValue *bvalue = &null_value;
		int			order = 0;

		if (i == a->len)
			order = 1;
		else if (j == b->len)
			order = -1;
		else
			order = zcsync_key_compare(a->u.members[i].key,
									   a->u.members[i].keylen,
									   b->u.members[j].key,
									   b->u.members[j].keylen);
		if (order != 0 && sameness == ZCSYNC_IDENTICAL)
			return false;
		if (order <= 0)
			avalue = &a->u.members[i++].value;
		if (order >= 0)
			bvalue = &b->u.members[j++].value;
		if (!zcsync_value_same(avalue, bvalue, sameness))
			return false;
	}
	return true;
}
