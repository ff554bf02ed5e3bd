/*-------------------------------------------------------------------------
 *
 * value.h
 *		Values of records, and when two of them are the same.
 *
 * IDENTIFICATION
 *		src/value.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_VALUE_H
#define ZCSYNC_VALUE_H

typedef enum ZcsyncValueType
{
	ZCSYNC_VALUE_NULL = 0,
	ZCSYNC_VALUE_BOOL,
	ZCSYNC_VALUE_NUMBER,		/* its digits, without zeros at the end of a
								 * fraction */
	ZCSYNC_VALUE_TEXT,
	ZCSYNC_VALUE_LIST,
	ZCSYNC_VALUE_OBJECT
} ZcsyncValueType;

struct ZcsyncMember;

typedef struct ZcsyncValue
{
	ZcsyncValueType type;
	int			len;			/* bytes, elements, or members; a bool's value */
	union
	{
		const char *text;		/* of a text or number; not terminated */
		struct ZcsyncValue *elements;	/* of a list */
		struct ZcsyncMember *members;	/* of an object, in the order of
										 * zcsync_key_compare() */
	}			u;
} ZcsyncValue;

typedef struct ZcsyncMember
{
	const char *key;			/* not terminated */
	int			keylen;
	ZcsyncValue value;
} ZcsyncMember;

/* How much two values may differ and still be the same; see value.c. */
typedef enum ZcsyncSameness
{
	ZCSYNC_IDENTICAL,			/* the same in their stored form */
	ZCSYNC_EQUAL,				/* nobody changed anything */
	ZCSYNC_ALIKE				/* the same in a vendor's own form */
} ZcsyncSameness;

extern bool zcsync_value_same(const ZcsyncValue *a, const ZcsyncValue *b,
							  ZcsyncSameness sameness);
extern bool zcsync_value_empty(const ZcsyncValue *value);
extern const ZcsyncValue *zcsync_value_element(const ZcsyncValue *list,
											   const ZcsyncValue *element,
											   ZcsyncSameness sameness);
extern const ZcsyncValue *zcsync_value_member(const ZcsyncValue *object,
											  const char *key, int keylen);
extern int	zcsync_key_compare(const char *a, int alen,
							   const char *b, int blen);

#endif							/* ZCSYNC_VALUE_H */
