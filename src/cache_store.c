/*-------------------------------------------------------------------------
 *
 * cache_store.c
 *		The memory of the cache: entries, their values, and generations.
 *
 * Entries are found by a hash table in shared memory, and are in a list from
 * the most to the least recently used.  Their values are in chains of blocks
 * of equal size.  The numbers of entries and of blocks are fixed when the
 * server starts.
 *
 * One LWLock protects all of it.  Reading moves the entry in the list, so it
 * takes the lock exclusively, too.  The lock is held at most while a value is
 * copied, never during an allocation that can throw.  Static functions here
 * are called with it held.
 *
 * There is a fixed number of generations; the hash of a key selects one.
 * Each has the sequence number of the last invalidation of one of its keys.
 * A pattern moves a separate one that counts for all keys.  cache.c says what
 * they are for.
 *
 * IDENTIFICATION
 *		src/cache_store.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "cache_store.h"
#include "clock.h"
#include "compat.h"
#include "settings.h"

#define BLOCK_SIZE			512
#define GENERATIONS			1024
#define FIRST_ROOM			4096	/* first size of the memory for a copy */
#define STAT_COLUMNS		10

PG_FUNCTION_INFO_V1(zcsync_sql_cache_statistics);

/* Compared byte by byte: unused bytes are zero. */
typedef struct CacheKey
{
	Oid			database;
	char		name[ZCSYNC_CACHE_NAME_SIZE];
} CacheKey;

typedef struct CacheEntry
{
	CacheKey	key;			/* must be first */
	dlist_node	used;			/* in Cache.used */
	TimestampTz expires_at;
	uint32		size;			/* of the value, in bytes */
	int			first_block;
} CacheEntry;

/* The last invalidation of some keys. */
typedef struct CacheGeneration
{
	uint64		moved_at;		/* its sequence number; 0: never */
	TransactionId horizon;		/* the next transaction id at that time */
} CacheGeneration;

/*
 * All is protected by the lock; "sequence" is also read without it.  The last
 * block of the free list and of a value has -1 as its next block.
 */
typedef struct Cache
{
	LWLock	   *lock;			/* set at start, never changed */
	pg_atomic_uint64 sequence;	/* of the last invalidation */
	CacheGeneration everything; /* the last one by a pattern, of any
								 * database */
	CacheGeneration generations[GENERATIONS];	/* by hash of the key */
	dlist_head	used;			/* entries, the last one used first */
	int			nentries;
	int			nblocks;		/* set at start, never changed */
	int			nfree;			/* free blocks */
	int			first_free;
	uint64		hits;
	uint64		misses;
	uint64		puts;			/* stored */
	uint64		dropped;		/* puts that might have been overtaken */
	uint64		too_large;		/* puts of values that are too large */
	uint64		evictions;
	int			next[FLEXIBLE_ARRAY_MEMBER];	/* the block after a block */
} Cache;

/* NULL when the library was not preloaded. */
static Cache *cache = NULL;
static char *cache_blocks = NULL;
static HTAB *cache_entries = NULL;

static int	number_of_blocks(void);
static int	blocks_of(Size size);
static CacheKey make_key(const char *name);
static CacheGeneration *generation_of(const CacheKey *key);
static CacheEntry *find_entry(const CacheKey *key);
static void remove_entry(CacheEntry *entry);
static void copy_out(const CacheEntry *entry, char *value);
static bool overtaken(const CacheKey *key, uint64 asked_at,
					  uint64 last_transaction);
static bool put_entry(const CacheKey *key, const Jsonb *value,
					  TimestampTz expires_at);

static int
number_of_blocks(void)
{
	return (int) ((int64) zcsync_cache_size * 1024 / BLOCK_SIZE);
}

static int
blocks_of(Size size)
{
	return (int) ((size + BLOCK_SIZE - 1) / BLOCK_SIZE);
}

/* The shared memory that the cache takes. */
Size
zcsync_cache_shared_size(void)
{
	Size		size = offsetof(Cache, next);

	size = add_size(size, mul_size(number_of_blocks(),
								   sizeof(int) + BLOCK_SIZE));
	return add_size(size, hash_estimate_size(zcsync_cache_max_entries,
											 sizeof(CacheEntry)));
}

/* Make the cache, empty, or find it.  The caller holds AddinShmemInitLock. */
void
zcsync_cache_shared_init(void)
{
	int			nblocks = number_of_blocks();
	Size		size = offsetof(Cache, next);
	bool		found;
	HASHCTL		info = {0};

	size = add_size(size, mul_size(nblocks, sizeof(int) + BLOCK_SIZE));
	cache = ShmemInitStruct("zcsync cache", size, &found);
	cache_blocks = (char *) &cache->next[nblocks];
	info.keysize = sizeof(CacheKey);
	info.entrysize = sizeof(CacheEntry);
	cache_entries = ShmemInitHash("zcsync cache entries",
								  zcsync_cache_max_entries,
								  zcsync_cache_max_entries,
								  &info, HASH_ELEM | HASH_BLOBS);
	if (found)
		return;

	memset(cache, 0, offsetof(Cache, next));
	cache->lock = &GetNamedLWLockTranche("zcsync_cache")->lock;
	pg_atomic_init_u64(&cache->sequence, 0);
	dlist_init(&cache->used);
	cache->nblocks = nblocks;
	cache->nfree = nblocks;
	cache->first_free = nblocks > 0 ? 0 : -1;
	for (int i = 0; i < nblocks; i++)
		cache->next[i] = i + 1 < nblocks ? i + 1 : -1;
}

/*
 * Is there a cache to use?  Not on a standby: commits on the primary
 * invalidate nothing here.
 */
bool
zcsync_cache_usable(void)
{
	return cache != NULL && !RecoveryInProgress();
}

/*
 * The value of a key, allocated here, or NULL; and the sequence number of the
 * last invalidation at that time.  The value is copied into memory that was
 * allocated before the lock was taken; if it is larger than that, this is
 * done once more.  A key that the caller says is hidden counts as a miss.
 */
Jsonb *
zcsync_cache_read(const char *name, bool hidden, uint64 *sequence)
{
	CacheKey	key = make_key(name);
	Size		room = FIRST_ROOM;
	char	   *value = palloc(room);
	Size		size;

	for (;;)
	{
		CacheEntry *entry;

		LWLockAcquire(cache->lock, LW_EXCLUSIVE);
		*sequence = pg_atomic_read_u64(&cache->sequence);
		entry = hidden ? NULL : find_entry(&key);
		size = entry ? entry->size : 0;
		if (entry == NULL)
			cache->misses++;
		else if (size <= room)
		{
			cache->hits++;
			dlist_move_head(&cache->used, &entry->used);
			copy_out(entry, value);
		}
		LWLockRelease(cache->lock);

		if (size <= room)
			return size > 0 ? (Jsonb *) value : NULL;
		pfree(value);
		value = palloc(size);
		room = size;
	}
}

/*
 * Store a value under a key.  asked_at is the last invalidation at the time
 * when this session asked for the key, last_transaction the last one when its
 * previous transaction ended.  Returns false if the value may be overtaken or
 * is too large.
 */
bool
zcsync_cache_put(const char *name, const Jsonb *value, TimestampTz expires_at,
				 uint64 asked_at, uint64 last_transaction)
{
	CacheKey	key = make_key(name);
	bool		stored = false;

	LWLockAcquire(cache->lock, LW_EXCLUSIVE);
	if (overtaken(&key, asked_at, last_transaction))
		cache->dropped++;
	else
		stored = put_entry(&key, value, expires_at);
	LWLockRelease(cache->lock);
	return stored;
}

/* Count a value that cache.c dropped. */
void
zcsync_cache_count_dropped(void)
{
	LWLockAcquire(cache->lock, LW_EXCLUSIVE);
	cache->dropped++;
	LWLockRelease(cache->lock);
}

/* The sequence number of the last invalidation. */
uint64
zcsync_cache_sequence(void)
{
	return cache ? pg_atomic_read_u64(&cache->sequence) : 0;
}

/*
 * Remove these keys of this database, or all, and move their generations.
 * Called after a commit: does not throw or allocate.
 */
void
zcsync_cache_invalidate(slist_head *names, slist_head *prefixes,
						bool everything)
{
	slist_iter	iter;
	CacheGeneration generation;

	LWLockAcquire(cache->lock, LW_EXCLUSIVE);
	/*
	 * taken with the lock held, so that a later invalidation has a later
	 * horizon
	 */
	generation.moved_at = pg_atomic_read_u64(&cache->sequence) + 1;
	generation.horizon = ReadNextTransactionId();
	if (everything || !slist_is_empty(prefixes))
	{
		dlist_mutable_iter entries;

		cache->everything = generation;
		dlist_foreach_modify(entries, &cache->used)
		{
			CacheEntry *entry = dlist_container(CacheEntry, used, entries.cur);

			if (entry->key.database == MyDatabaseId &&
				(everything || zcsync_cache_matches(entry->key.name, prefixes)))
				remove_entry(entry);
		}
	}
	slist_foreach(iter, names)
	{
		ZcsyncCacheName *item = slist_container(ZcsyncCacheName, link, iter.cur);
		CacheKey	key = make_key(item->name);
		CacheEntry *entry = hash_search(cache_entries, &key, HASH_FIND, NULL);

		*generation_of(&key) = generation;
		if (entry != NULL)
			remove_entry(entry);
	}
	/* last, since it is read without the lock */
	pg_atomic_write_u64(&cache->sequence, generation.moved_at);
	LWLockRelease(cache->lock);
}

/* Does a key match one of these patterns, which end in "*"? */
bool
zcsync_cache_matches(const char *name, slist_head *prefixes)
{
	slist_iter	iter;

	slist_foreach(iter, prefixes)
	{
		ZcsyncCacheName *item = slist_container(ZcsyncCacheName, link, iter.cur);

		if (strncmp(name, item->name, strlen(item->name) - 1) == 0)
			return true;
	}
	return false;
}

/* zcsync._cache_statistics(): one row; none without preloading. */
Datum
zcsync_sql_cache_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[STAT_COLUMNS];
	bool		nulls[STAT_COLUMNS] = {false};

	InitMaterializedSRF(fcinfo, 0);
	if (cache == NULL)
		return (Datum) 0;

	LWLockAcquire(cache->lock, LW_SHARED);
	values[0] = Int64GetDatum(cache->nentries);
	values[1] = Int64GetDatum(zcsync_cache_max_entries);
	values[2] = Int64GetDatum((int64) (cache->nblocks - cache->nfree) * BLOCK_SIZE);
	values[3] = Int64GetDatum((int64) cache->nblocks * BLOCK_SIZE);
	values[4] = Int64GetDatum(cache->hits);
	values[5] = Int64GetDatum(cache->misses);
	values[6] = Int64GetDatum(cache->puts);
	values[7] = Int64GetDatum(cache->dropped);
	values[8] = Int64GetDatum(cache->too_large);
	values[9] = Int64GetDatum(cache->evictions);
	LWLockRelease(cache->lock);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}

/* The key of this database for a name. */
static CacheKey
make_key(const char *name)
{
	CacheKey	key;

	memset(&key, 0, sizeof(key));
	key.database = MyDatabaseId;
	strlcpy(key.name, name, sizeof(key.name));
	return key;
}

/* The generation of a key among those by hash. */
static CacheGeneration *
generation_of(const CacheKey *key)
{
	return &cache->generations[get_hash_value(cache_entries, key) % GENERATIONS];
}

/* The entry of a key, or NULL; one that has expired is removed. */
static CacheEntry *
find_entry(const CacheKey *key)
{
	CacheEntry *entry = hash_search(cache_entries, key, HASH_FIND, NULL);

	if (entry != NULL && entry->expires_at <= zcsync_now())
	{
		remove_entry(entry);
		return NULL;
	}
	return entry;
}

/* Copy the value of an entry. */
static void
copy_out(const CacheEntry *entry, char *value)
{
	Size		rest = entry->size;

	for (int block = entry->first_block; rest > 0; block = cache->next[block])
	{
		Size		part = Min(rest, BLOCK_SIZE);

		memcpy(value, cache_blocks + (Size) block * BLOCK_SIZE, part);
		value += part;
		rest -= part;
	}
}

/*
 * May a snapshot that does not see all that was invalidated under this key
 * have read the value?  See the head of cache.c.
 */
static bool
overtaken(const CacheKey *key, uint64 asked_at, uint64 last_transaction)
{
	const CacheGeneration *last = generation_of(key);

	if (cache->everything.moved_at > last->moved_at)
		last = &cache->everything;

	if (last->moved_at > asked_at)
		return true;
	if (last->moved_at == 0 ||
		(last->moved_at <= last_transaction && !IsolationUsesXactSnapshot()))
		return false;
	return TransactionIdPrecedes(TransactionXmin, last->horizon);
}

/*
 * Store a value, replacing the present one.  False if it is too large: a
 * value may take at most a quarter of the cache.
 */
static bool
put_entry(const CacheKey *key, const Jsonb *value, TimestampTz expires_at)
{
	const char *from = (const char *) value;
	Size		rest = VARSIZE(value);
	int			nblocks = blocks_of(rest);
	int		   *link;
	CacheEntry *entry;

	if (nblocks > cache->nblocks / 4)
	{
		cache->too_large++;
		return false;
	}
	entry = hash_search(cache_entries, key, HASH_FIND, NULL);
	if (entry != NULL)
		remove_entry(entry);
	while (cache->nentries >= zcsync_cache_max_entries || cache->nfree < nblocks)
	{
		remove_entry(dlist_tail_element(CacheEntry, used, &cache->used));
		cache->evictions++;
	}

	entry = hash_search(cache_entries, key, HASH_ENTER_NULL, NULL);
	if (entry == NULL)
		return false;
	entry->expires_at = expires_at;
	entry->size = rest;
	dlist_push_head(&cache->used, &entry->used);
	cache->nentries++;
	cache->puts++;

	link = &entry->first_block;
	cache->nfree -= nblocks;
	while (rest > 0)
	{
		int			block = cache->first_free;
		Size		part = Min(rest, BLOCK_SIZE);

		memcpy(cache_blocks + (Size) block * BLOCK_SIZE, from, part);
		from += part;
		rest -= part;
		cache->first_free = cache->next[block];
		*link = block;
		link = &cache->next[block];
	}
	*link = -1;
	return true;
}

/* Remove an entry and free its blocks. */
static void
remove_entry(CacheEntry *entry)
{
	int			last = entry->first_block;

	while (cache->next[last] >= 0)
		last = cache->next[last];
	cache->next[last] = cache->first_free;
	cache->first_free = entry->first_block;
	cache->nfree += blocks_of(entry->size);
	cache->nentries--;
	dlist_delete(&entry->used);
	hash_search(cache_entries, &entry->key, HASH_REMOVE, NULL);
}
