/*-------------------------------------------------------------------------
 *
 * search.c
 *		What search indexes are made of.
 *
 * _index_search() makes the weighted tsvector that an index of
 * sql/read/search_indexes.sql stores.  An index holds what the function once
 * returned, so after a release it must never return anything else.
 *
 * It is marked LEAKPROOF; else roles that are subject to row security could not
 * use the index.  That is true since no error of it can show a text: texts are
 * cut before they are too long for the server.
 *
 * IDENTIFICATION
 *		src/search.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"

#include "compat.h"

/*
 * How many bytes of a text are searched.  A tsvector holds a megabyte: words
 * with hyphens are in it as a whole and in parts, and each has its positions.
 */
#define LONG_TEXT 100000
#define SHORT_TEXT 20000

PG_FUNCTION_INFO_V1(zcsync_sql_index_search);

static Datum weighted(Datum language, text *source, int limit, char weight);

/*
 * zcsync._index_search(language, a, b, c, d): the words of four texts with the
 * weights A to D.  Any text may be NULL.
 */
Datum
zcsync_sql_index_search(PG_FUNCTION_ARGS)
{
	static const int limits[] = {SHORT_TEXT, SHORT_TEXT, LONG_TEXT, SHORT_TEXT};
	Datum		vector = (Datum) 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	for (int i = 0; i < 4; i++)
	{
		Datum		part;

		if (PG_ARGISNULL(i + 1))
			continue;
		part = weighted(PG_GETARG_DATUM(0), PG_GETARG_TEXT_PP(i + 1),
						limits[i], 'A' + i);
		vector = vector == (Datum) 0 ? part
			: DirectFunctionCall2(tsvector_concat, vector, part);
	}
	if (vector == (Datum) 0)
		vector = DirectFunctionCall1(tsvectorin, CStringGetDatum(""));
	PG_RETURN_DATUM(vector);
}

/* The words of the first bytes of a text, with a weight. */
static Datum
weighted(Datum language, text *source, int limit, char weight)
{
	char	   *data = VARDATA_ANY(source);
	int			length = VARSIZE_ANY_EXHDR(source);
	Datum		vector;

	if (length > limit)
	{
		length = pg_mbcliplen(data, length, limit);
		source = (text *) palloc(VARHDRSZ + length);
		memcpy(VARDATA(source), data, length);
		SET_VARSIZE(source, VARHDRSZ + length);
	}
	vector = DirectFunctionCall2(to_tsvector_byid, language,
								 PointerGetDatum(source));
	return DirectFunctionCall2(tsvector_setweight, vector,
							   CharGetDatum(weight));
}
