/*-------------------------------------------------------------------------
 *
 * cache_store.h
 *		The memory of the cache: entries, their values, and generations.
 *
 * IDENTIFICATION
 *		src/cache_store.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CACHE_STORE_H
#define ZCSYNC_CACHE_STORE_H

#include "datatype/timestamp.h"
#include "lib/ilist.h"
#include "utils/jsonb.h"

#define ZCSYNC_CACHE_NAME_MAX	250 /* bytes of a key */
/* of a pattern: a "*" and the zero besides */
#define ZCSYNC_CACHE_NAME_SIZE	(ZCSYNC_CACHE_NAME_MAX + 2)

/* A key, or a pattern, in a list of them. */
typedef struct ZcsyncCacheName
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];	/* must be first */
	slist_node	link;
} ZcsyncCacheName;

extern bool zcsync_cache_usable(void);

/* these need a cache that is usable */
extern Jsonb *zcsync_cache_read(const char *name, bool hidden,
								uint64 *sequence);
extern bool zcsync_cache_put(const char *name, const Jsonb *value,
							 TimestampTz expires_at, uint64 asked_at,
							 uint64 last_transaction);
extern void zcsync_cache_count_dropped(void);
extern void zcsync_cache_invalidate(slist_head *names, slist_head *prefixes,
									bool everything);

extern uint64 zcsync_cache_sequence(void);
extern bool zcsync_cache_matches(const char *name, slist_head *prefixes);

/* called by shared.c while libraries are preloaded and the server starts */
extern Size zcsync_cache_shared_size(void);
extern void zcsync_cache_shared_init(void);

#endif							/* ZCSYNC_CACHE_STORE_H */
