/*-------------------------------------------------------------------------
 *
 * json.h
 *		Make vendors' JSON safe for jsonb, read jsonb, and write JSON.
 *
 * IDENTIFICATION
 *		src/json.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_JSON_H
#define ZCSYNC_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Limits that keep jsonb_in() from raising an error, see json.c. */
#define ZCSYNC_JSON_MAX_SIZE	((Size) 128 * 1024 * 1024)
#define ZCSYNC_JSON_MAX_VALUES	8000000
#define ZCSYNC_JSON_MAX_DEPTH	100
#define ZCSYNC_JSON_MAX_DIGITS	1000

/* Cleaning; the first is pure and works in place. */
extern const char *zcsync_json_scrub(char *json, Size len);
extern char *zcsync_json_clean(const char *in, Size len, Size *outlen,
							   const char **why);
extern Jsonb *zcsync_json_parse(const char *in, Size len, const char **why);

/* Reading; a missing key, null, or a value of another type is "not there". */
extern char *zcsync_json_get_text(const Jsonb *json, const char *key);
extern int64 zcsync_json_get_int64(const Jsonb *json, const char *key,
								   bool *found);
extern bool zcsync_json_get_bool(const Jsonb *json, const char *key,
								 bool *found);
extern Jsonb *zcsync_json_get_object(const Jsonb *json, const char *key);
extern Jsonb *zcsync_json_get_array(const Jsonb *json, const char *key);
extern int	zcsync_json_array_length(const Jsonb *json);
extern Jsonb *zcsync_json_array_element(const Jsonb *json, int index);

/* The same, along a path of keys such as "meta.after_cursor". */
extern char *zcsync_json_path_text(const Jsonb *json, const char *path);
extern Jsonb *zcsync_json_path_object(const Jsonb *json, const char *path);

/* Writing. */
extern void zcsync_json_append_string(StringInfo out, const char *value);
extern void zcsync_json_append_key(StringInfo out, bool *first,
								   const char *key);
extern void zcsync_json_append_jsonb(StringInfo out, const Jsonb *json);

#endif							/* ZCSYNC_JSON_H */
