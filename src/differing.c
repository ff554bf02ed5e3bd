/*-------------------------------------------------------------------------
 *
 * differing.c
 *		Compare typed columns of a row with values agreed on as jsonb.
 *
 * A push is due for the columns in which a row differs from its base.  To make
 * the whole row jsonb first, only to find that one column differs, would take
 * longer than all the rest of a push; so each column is compared where it is,
 * and only those that differ become jsonb.
 *
 * Pure: no table is read, and neither settings nor the time zone matter.
 *
 * IDENTIFICATION
 *		src/differing.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

#include "compat.h"
#include "value_jsonb.h"

PG_FUNCTION_INFO_V1(zcsync_differing);
PG_FUNCTION_INFO_V1(zcsync_differing_keys);

static ArrayBuildState *add_differing(ArrayBuildState *keys, Jsonb *of,
									  Jsonb *other, bool missing_only);

/*
 * SQL: those columns of a row whose values differ from the members of an
 * object that have their names, as an object; {} when none does.  The names
 * are those of the row's columns, in their order.
 *
 * A member that is missing is null; see value.c for what is the same.
 */
Datum
zcsync_differing(PG_FUNCTION_ARGS)
{
	Jsonb	   *base = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(1);
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(2);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {0};
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	Datum	   *name;
	int			nnames;
	JsonbParseState *state = NULL;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT,
					  &name, NULL, &nnames);
	if (nnames != desc->natts)
		elog(ERROR, "%d names for %d columns", nnames, desc->natts);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, values, nulls);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < nnames; i++)
	{
		text	   *key = DatumGetTextPP(name[i]);
		const char *column = VARDATA_ANY(key);
		int			len = VARSIZE_ANY_EXHDR(key);
		ZcsyncValue here;
		ZcsyncValue there;

		zcsync_value_of_column(values[i], nulls[i],
							   TupleDescAttr(desc, i)->atttypid, &here);
		zcsync_value_of_member(base, column, len, &there);
		if (zcsync_value_same(&here, &there, ZCSYNC_EQUAL))
			continue;
		zcsync_value_push_key(&state, column, len);
		zcsync_value_push(&state, WJB_VALUE, &here);
	}
	ReleaseTupleDesc(desc);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}

/*
 * SQL: the keys whose values differ in two objects; NULL when there are none.
 * A member that is missing is null, and so is an object that is missing.
 */
Datum
zcsync_differing_keys(PG_FUNCTION_ARGS)
{
	Jsonb	   *a = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	Jsonb	   *b = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	ArrayBuildState *keys = NULL;

	keys = add_differing(keys, a, b, false);
	keys = add_differing(keys, b, a, true);
	if (keys == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(makeArrayResult(keys, CurrentMemoryContext));
}

/*
 * Add the keys of an object whose values differ from those of another one;
 * with missing_only those only that the other one has not got.
 */
static ArrayBuildState *
add_differing(ArrayBuildState *keys, Jsonb *of, Jsonb *other, bool missing_only)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	if (of == NULL || !JB_ROOT_IS_OBJECT(of))
		return keys;
	iterator = JsonbIteratorInit(&of->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		ZcsyncValue here;
		ZcsyncValue there;
		bool		found;
		text	   *name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		zcsync_value_of_json(&value, &here);
		found = zcsync_value_of_member(other, key.val.string.val,
									   key.val.string.len, &there);
		if ((missing_only && found) ||
			zcsync_value_same(&here, &there, ZCSYNC_EQUAL))
			continue;
		name = cstring_to_text_with_len(key.val.string.val, key.val.string.len);
		keys = accumArrayResult(keys, PointerGetDatum(name), false, TEXTOID,
								CurrentMemoryContext);
	}
	return keys;
}
