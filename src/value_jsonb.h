/*-------------------------------------------------------------------------
 *
 * value_jsonb.h
 *		Values of jsonb and of columns of rows.
 *
 * IDENTIFICATION
 *		src/value_jsonb.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_VALUE_JSONB_H
#define ZCSYNC_VALUE_JSONB_H

#include "utils/jsonb.h"

#include "value.h"

/* From jsonb and columns; texts stay where they are. */
extern void zcsync_value_of_jsonb(const Jsonb *jsonb, ZcsyncValue *value);
extern void zcsync_value_of_json(const JsonbValue *json, ZcsyncValue *value);
extern bool zcsync_value_of_member(const Jsonb *object, const char *key,
								   int keylen, ZcsyncValue *value);
extern void zcsync_value_of_column(Datum datum, bool isnull, Oid type,
								   ZcsyncValue *value);

/* And back. */
extern JsonbValue *zcsync_value_push(JsonbParseState **state,
									 JsonbIteratorToken token,
									 const ZcsyncValue *value);
extern void zcsync_value_push_key(JsonbParseState **state, const char *key,
								  int keylen);
extern void zcsync_value_push_column(JsonbParseState **state, const char *key,
									 int keylen, Oid type, Datum datum,
									 bool isnull);
extern Datum zcsync_value_to_column(const ZcsyncValue *value, Oid type,
									bool *isnull);

#endif							/* ZCSYNC_VALUE_JSONB_H */
