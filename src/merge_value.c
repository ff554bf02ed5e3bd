/*-------------------------------------------------------------------------
 *
 * merge_value.c
 *		Merge and compare single values, for SQL.
 *
 * zcsync._merge_value() gives the new value of a field at the other end of a
 * pair, zcsync._same_value() says whether two values are the same.  merge.c and
 * value.c decide; this file only reads and makes jsonb.
 *
 * IDENTIFICATION
 *		src/merge_value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

#include "merge.h"
#include "value_jsonb.h"

PG_FUNCTION_INFO_V1(zcsync_merge_value);
PG_FUNCTION_INFO_V1(zcsync_same_value);

/*
 * SQL: the new value of a field at the other end of a pair.
 *
 *		_merge_value(mine jsonb, base jsonb, theirs jsonb)
 *
 * mine is the value of one end, theirs that of the other.  If both changed
 * it, mine wins; sets are merged element by element.  SQL NULL counts as
 * null, and as base it means that nothing was agreed on.
 */
Datum
zcsync_merge_value(PG_FUNCTION_ARGS)
{
	ZcsyncMergeInput input = {0};
	ZcsyncMergeResult result;
	ZcsyncValue value[3];
	int			winner;

	for (int i = 0; i < 3; i++)
	{
		memset(&value[i], 0, sizeof(ZcsyncValue));
		value[i].type = ZCSYNC_VALUE_NULL;
		if (!PG_ARGISNULL(i))
			zcsync_value_of_jsonb(PG_GETARG_JSONB_P(i), &value[i]);
	}
	input.mine = &value[0];
	if (!PG_ARGISNULL(1))
		input.base = &value[1];
	input.theirs = &value[2];
	input.policy = ZCSYNC_POLICY_LOCAL;
	input.is_set = true;
	input.forms_count = true;	/* what the source has is written as it is */
	input.pushable = true;
	zcsync_merge(&input, &result);

	if (result.winner == ZCSYNC_MIXED)
	{
		JsonbParseState *state = NULL;

		PG_RETURN_JSONB_P(JsonbValueToJsonb(
			zcsync_value_push(&state, WJB_VALUE, &result.value)));
	}
	winner = result.winner == ZCSYNC_MINE ? 0 : 2;
	if (PG_ARGISNULL(winner))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(winner));
}

/*
 * SQL: are two values the same?  SQL NULL counts as null.
 *
 *		_same_value(a jsonb, b jsonb, alike boolean)
 */
Datum
zcsync_same_value(PG_FUNCTION_ARGS)
{
	ZcsyncValue a = {.type = ZCSYNC_VALUE_NULL};
	ZcsyncValue b = {.type = ZCSYNC_VALUE_NULL};

	if (!PG_ARGISNULL(0))
		zcsync_value_of_jsonb(PG_GETARG_JSONB_P(0), &a);
	if (!PG_ARGISNULL(1))
		zcsync_value_of_jsonb(PG_GETARG_JSONB_P(1), &b);
	PG_RETURN_BOOL(zcsync_value_same(&a, &b, PG_GETARG_BOOL(2) ?
									 ZCSYNC_ALIKE : ZCSYNC_EQUAL));
}
