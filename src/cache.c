/*-------------------------------------------------------------------------
 *
 * cache.c
 *		The cache that all sessions of the server share: zcsync.cache_get() and
 *		its like.
 *
 * Entries are found by a hash table in shared memory, and are kept in a list
 * from the most to the least recently used.  Their values are in chains of
 * blocks of equal size.  Number of entries and of blocks are fixed when the
 * server starts.  One LWLock protects all of it: reading moves the entry in the
 * list, and so takes it exclusively.  It is held for copying a value at most,
 * never over an allocation that can throw.
 *
 * No value is served that was overtaken by an invalidation.  What a transaction
 * invalidates is collected until it ends, in memory that is there by then, and
 * takes effect right after its commit: entries go, and the generation of their
 * keys moves, the sequence number of that invalidation.  There is a fixed number
 * of generations, by hash of the key; a pattern moves one that holds for all
 * keys.  From then on there is nothing old in the cache, unless somebody puts it
 * there who read it before that commit.  So a put is dropped unless
 *
 * - this session asked for the key before, and its generation did not move
 *   since.  That holds for every value read after asking, wherever it went
 *   meanwhile.
 *
 * - and all snapshots of this transaction see what moved the generation, for
 *   the value may come from one that is older than the asking: that of the
 *   statement that asks and puts, of a query whose rows a function is called
 *   for, or of a whole transaction.  Either the generation did not move since
 *   this session's last transaction ended; in REPEATABLE READ that proves
 *   nothing, as a snapshot can be imported.  Or all transaction ids given out
 *   when it moved have ended in the eyes of the oldest snapshot in use.
 *
 * - and the transaction has written nothing, as the value might come from that.
 *
 * Snapshots themselves cannot be put in order: a copy does not tell when it
 * was taken.
 *
 * IDENTIFICATION
 *		src/cache.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "cache.h"
#include "clock.h"
#include "settings.h"
#include "wake.h"

#define NAME_MAX_BYTES		250 /* of a key */
#define NAME_SIZE			(NAME_MAX_BYTES + 2)	/* a "*" and the zero */
#define BLOCK_SIZE			512
#define GENERATIONS			1024
#define FIRST_ROOM			4096	/* of the copy of a value */
#define NOTES_MAX			1024
#define PENDING_NAMES_MAX	1000
#define PENDING_PREFIXES_MAX	32
#define STAT_COLUMNS		10

PG_FUNCTION_INFO_V1(zcsync_sql_cache_get);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_set);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_delete);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_invalidate);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_clear);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_statistics);

/* Compared byte by byte: unused bytes are zero. */
typedef struct CacheKey
{
	Oid			database;
	char		name[NAME_SIZE];
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
	TransactionId horizon;		/* the next transaction id then */
} CacheGeneration;

/*
 * All is protected by the lock; "sequence" is also read without it.  The last
 * free block has no next one, -1, and so has the last one of a value.
 */
typedef struct Cache
{
	LWLock	   *lock;			/* set at start, never changed */
	pg_atomic_uint64 sequence;	/* of the last invalidation */
	CacheGeneration everything; /* the last by a pattern, of any database */
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

/* When this session last asked for a key. */
typedef struct CacheNote
{
	char		name[NAME_SIZE];	/* must be first */
	uint64		sequence;
} CacheNote;

/* A key, or a pattern with a "*" at its end, that this transaction invalidates. */
typedef struct CachePending
{
	char		name[NAME_SIZE];	/* must be first */
	slist_node	link;
} CachePending;

/* NULL when the library was not preloaded. */
static Cache *cache = NULL;
static char *cache_blocks = NULL;
static HTAB *cache_entries = NULL;

/* Of this session. */
static HTAB *notes = NULL;
static uint64 last_transaction = 0; /* Cache.sequence when it ended */

/* Of the current transaction; in its memory. */
static HTAB *pending = NULL;
static slist_head pending_names = SLIST_STATIC_INIT(pending_names);
static slist_head pending_prefixes = SLIST_STATIC_INIT(pending_prefixes);
static int	pending_nnames = 0;
static int	pending_nprefixes = 0;
static bool pending_everything = false;

static int	number_of_blocks(void);
static int	blocks_of(Size size);
static bool cache_usable(void);
static void get_name(FunctionCallInfo fcinfo, char *name, bool pattern);
static CacheKey make_key(const char *name);
static CacheEntry *find_entry(const CacheKey *key);
static void remove_entry(CacheEntry *entry);
static void copy_out(const CacheEntry *entry, char *value);
static void note_asked(const char *name, uint64 sequence);
static TimestampTz get_expiry(FunctionCallInfo fcinfo);
static bool may_put(const char *name, uint64 *asked_at);
static bool overtaken(const CacheKey *key, uint64 asked_at);
static bool put_entry(const CacheKey *key, const Jsonb *value,
					  TimestampTz expires_at);
static CacheGeneration *generation_of(const CacheKey *key);
static bool have_pending(void);
static bool is_pending(const char *name);
static void add_pending(const char *name);
static void apply_pending(void);
static bool has_pending_prefix(const char *name);
static void move_generation(CacheGeneration *generation, uint64 sequence);

/* ---------------------------------------------------------------------
 * Shared memory
 * ---------------------------------------------------------------------
 */

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

	size = add_size(size, mul_size(number_of_blocks(), sizeof(int)));
	size = add_size(size, mul_size(number_of_blocks(), BLOCK_SIZE));
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
 * Is there a cache to use?  On a standby there is none: what is committed on
 * the primary invalidates nothing here.
 */
static bool
cache_usable(void)
{
	return cache != NULL && !RecoveryInProgress();
}

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/*
 * The key or pattern that is the first argument, into an array of NAME_SIZE
 * bytes.  A pattern may end in "*", a key has none.
 */
static void
get_name(FunctionCallInfo fcinfo, char *name, bool pattern)
{
	const char *what = pattern ? "pattern" : "key";
	text	   *arg;
	int			length;
	char	   *star;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cache %s cannot be null", what),
				 errhint("Make it with format(), for which null is empty.")));
	arg = PG_GETARG_TEXT_PP(0);
	length = VARSIZE_ANY_EXHDR(arg);
	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cache %s cannot be empty", what)));
	if (length > NAME_MAX_BYTES + (pattern ? 1 : 0))
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("cache %s is too long", what),
				 errdetail("It has %d bytes; a key has %d at most.",
						   length, NAME_MAX_BYTES),
				 errhint("Use a hash of it, as made by md5().")));
	memset(name, 0, NAME_SIZE);
	memcpy(name, VARDATA_ANY(arg), length);

	star = strchr(name, '*');
	if (star == NULL && length > NAME_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("cache key is too long"),
				 errdetail("It has %d bytes; a key has %d at most.",
						   length, NAME_MAX_BYTES)));
	if (star != NULL && !pattern)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cache key \"%s\" contains \"*\"", name),
				 errhint("Patterns are for zcsync.cache_invalidate().")));
	if (star != NULL && star[1] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cache pattern \"%s\" has a \"*\" before its end", name),
				 errdetail("A pattern is a key, or how keys begin, followed by \"*\".")));
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

/* The generation of a key among those by hash.  The caller holds the lock. */
static CacheGeneration *
generation_of(const CacheKey *key)
{
	return &cache->generations[get_hash_value(cache_entries, key) % GENERATIONS];
}

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/*
 * zcsync.cache_get(key): the value, or NULL.  The copy is made into memory
 * that was allocated before the lock was taken; if the value turns out to be
 * larger, once more.
 */
Datum
zcsync_sql_cache_get(PG_FUNCTION_ARGS)
{
	char		name[NAME_SIZE];
	CacheKey	key;
	char	   *value;
	Size		room = FIRST_ROOM;
	Size		size;
	uint64		sequence;
	bool		hidden;

	get_name(fcinfo, name, false);
	if (!cache_usable())
		PG_RETURN_NULL();
	zcsync_watch_transaction();

	/* what this transaction invalidated is gone for it at once */
	hidden = is_pending(name);
	key = make_key(name);
	value = palloc(room);
	for (;;)
	{
		CacheEntry *entry;

		LWLockAcquire(cache->lock, LW_EXCLUSIVE);
		sequence = pg_atomic_read_u64(&cache->sequence);
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
			break;
		pfree(value);
		value = palloc(size);
		room = size;
	}

	if (!hidden)
		note_asked(name, sequence);
	if (size == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(value);
}

/*
 * The entry of a key, or NULL; one that has expired is removed.  The caller
 * holds the lock.
 */
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

/* Copy the value of an entry.  The caller holds the lock. */
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
 * Note that this session asked for a key, when the last invalidation was this
 * one.  There is a limit to the notes: past it all are forgotten, and puts that
 * were to follow are dropped.
 */
static void
note_asked(const char *name, uint64 sequence)
{
	CacheNote  *note;

	if (notes != NULL && hash_get_num_entries(notes) >= NOTES_MAX)
	{
		hash_destroy(notes);
		notes = NULL;
	}
	if (notes == NULL)
	{
		HASHCTL		info = {0};

		info.keysize = NAME_SIZE;
		info.entrysize = sizeof(CacheNote);
		notes = hash_create("zcsync cache notes", 64, &info,
							HASH_ELEM | HASH_STRINGS);
	}
	note = hash_search(notes, name, HASH_ENTER, NULL);
	note->sequence = sequence;
}

/* ---------------------------------------------------------------------
 * Putting
 * ---------------------------------------------------------------------
 */

/*
 * zcsync.cache_set(key, value, ttl): was the value stored?
 */
Datum
zcsync_sql_cache_set(PG_FUNCTION_ARGS)
{
	char		name[NAME_SIZE];
	CacheKey	key;
	Jsonb	   *value;
	TimestampTz expires_at;
	uint64		asked_at = 0;
	bool		may;
	bool		stored = false;

	get_name(fcinfo, name, false);
	expires_at = get_expiry(fcinfo);
	if (PG_ARGISNULL(1) || !cache_usable())
		PG_RETURN_BOOL(false);
	zcsync_watch_transaction();
	value = PG_GETARG_JSONB_P(1);
	key = make_key(name);
	may = may_put(name, &asked_at);

	LWLockAcquire(cache->lock, LW_EXCLUSIVE);
	if (!may || overtaken(&key, asked_at))
		cache->dropped++;
	else
		stored = put_entry(&key, value, expires_at);
	LWLockRelease(cache->lock);
	PG_RETURN_BOOL(stored);
}

/* When a value that is put now expires. */
static TimestampTz
get_expiry(FunctionCallInfo fcinfo)
{
	TimestampTz now = zcsync_now();
	TimestampTz expires_at;

	if (PG_ARGISNULL(2))
		return now + (TimestampTz) zcsync_cache_ttl * USECS_PER_SEC;

	expires_at = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
														 TimestampTzGetDatum(now),
														 PG_GETARG_DATUM(2)));
	if (expires_at <= now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time to live of a cached value must be positive")));
	return expires_at;
}

/*
 * May this transaction put a value under this key, as far as the session can
 * tell?  Sets when it asked for it.
 */
static bool
may_put(const char *name, uint64 *asked_at)
{
	CacheNote  *note;

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) || is_pending(name))
		return false;
	note = notes ? hash_search(notes, name, HASH_FIND, NULL) : NULL;
	if (note == NULL)
		return false;
	*asked_at = note->sequence;
	return true;
}

/*
 * May a value have been read by a snapshot that does not see all that was
 * invalidated under this key?  See the head of this file.  The caller holds
 * the lock.
 */
static bool
overtaken(const CacheKey *key, uint64 asked_at)
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
 * Store a value, in place of one that is there.  False if it is too large:
 * one value may take a quarter of the cache.  The caller holds the lock.
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

/* Remove an entry and free its blocks.  The caller holds the lock. */
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

/* ---------------------------------------------------------------------
 * Invalidating
 * ---------------------------------------------------------------------
 */

/* zcsync.cache_delete(key) */
Datum
zcsync_sql_cache_delete(PG_FUNCTION_ARGS)
{
	char		name[NAME_SIZE];

	get_name(fcinfo, name, false);
	add_pending(name);
	PG_RETURN_VOID();
}

/* zcsync.cache_invalidate(pattern) */
Datum
zcsync_sql_cache_invalidate(PG_FUNCTION_ARGS)
{
	char		name[NAME_SIZE];

	get_name(fcinfo, name, true);
	add_pending(name);
	PG_RETURN_VOID();
}

/* zcsync.cache_clear() */
Datum
zcsync_sql_cache_clear(PG_FUNCTION_ARGS)
{
	add_pending("*");
	PG_RETURN_VOID();
}

/*
 * At commit, invalidate a key or, if it ends in "*", all keys that begin so.
 * What a subtransaction asked for stays when it is rolled back.  More than can
 * be kept becomes everything.
 */
static void
add_pending(const char *name)
{
	bool		prefix = name[strlen(name) - 1] == '*';
	CachePending *item;

	if (!cache_usable() || pending_everything)
		return;
	zcsync_watch_transaction();

	if (pending != NULL && hash_search(pending, name, HASH_FIND, NULL) != NULL)
		return;
	if (strcmp(name, "*") == 0 ||
		(prefix ? pending_nprefixes >= PENDING_PREFIXES_MAX :
		 pending_nnames >= PENDING_NAMES_MAX))
	{
		pending_everything = true;
		return;
	}
	if (pending == NULL)
	{
		HASHCTL		info = {0};

		info.keysize = NAME_SIZE;
		info.entrysize = sizeof(CachePending);
		info.hcxt = TopTransactionContext;
		pending = hash_create("zcsync cache invalidations", 16, &info,
							  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	item = hash_search(pending, name, HASH_ENTER, NULL);
	slist_push_head(prefix ? &pending_prefixes : &pending_names, &item->link);
	if (prefix)
		pending_nprefixes++;
	else
		pending_nnames++;
}

/* Does this transaction invalidate anything? */
static bool
have_pending(void)
{
	return pending != NULL || pending_everything;
}

/* Does this transaction invalidate this key? */
static bool
is_pending(const char *name)
{
	if (pending_everything)
		return true;
	if (pending == NULL)
		return false;
	return hash_search(pending, name, HASH_FIND, NULL) != NULL ||
		has_pending_prefix(name);
}

/* Does this transaction invalidate this key by a pattern? */
static bool
has_pending_prefix(const char *name)
{
	slist_iter	iter;

	slist_foreach(iter, &pending_prefixes)
	{
		const char *prefix = slist_container(CachePending, link, iter.cur)->name;

		if (strncmp(name, prefix, strlen(prefix) - 1) == 0)
			return true;
	}
	return false;
}

/*
 * A prepared transaction may be committed by another session, or after a
 * restart: what it invalidates would be lost.
 */
void
zcsync_cache_before_prepare(void)
{
	if (have_pending())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot prepare a transaction that has invalidated entries of the cache of zcsync"),
				 errhint("Commit it with COMMIT.")));
}

/*
 * The transaction has ended.  This runs after the commit, where an error would
 * be fatal for the server.
 */
void
zcsync_cache_transaction_ended(bool committed)
{
	if (cache == NULL)
		return;
	if (committed && have_pending())
		apply_pending();
	pending = NULL;				/* its memory goes with the transaction */
	slist_init(&pending_names);
	slist_init(&pending_prefixes);
	pending_nnames = 0;
	pending_nprefixes = 0;
	pending_everything = false;
	last_transaction = pg_atomic_read_u64(&cache->sequence);
}

/*
 * Remove what this transaction invalidates, and move the generations.  Does not
 * throw or allocate.
 */
static void
apply_pending(void)
{
	slist_iter	iter;
	uint64		sequence;

	LWLockAcquire(cache->lock, LW_EXCLUSIVE);
	sequence = pg_atomic_read_u64(&cache->sequence) + 1;
	if (pending_everything || pending_nprefixes > 0)
	{
		dlist_mutable_iter entries;

		move_generation(&cache->everything, sequence);
		dlist_foreach_modify(entries, &cache->used)
		{
			CacheEntry *entry = dlist_container(CacheEntry, used, entries.cur);

			if (entry->key.database == MyDatabaseId &&
				(pending_everything || has_pending_prefix(entry->key.name)))
				remove_entry(entry);
		}
	}
	slist_foreach(iter, &pending_names)
	{
		CacheKey	key = make_key(slist_container(CachePending, link, iter.cur)->name);
		CacheEntry *entry = hash_search(cache_entries, &key, HASH_FIND, NULL);

		move_generation(generation_of(&key), sequence);
		if (entry != NULL)
			remove_entry(entry);
	}
	/* last, as it is read without the lock */
	pg_atomic_write_u64(&cache->sequence, sequence);
	LWLockRelease(cache->lock);
}

/*
 * The caller holds the lock, so that of two invalidations the later one has
 * the later horizon.
 */
static void
move_generation(CacheGeneration *generation, uint64 sequence)
{
	generation->moved_at = sequence;
	generation->horizon = ReadNextTransactionId();
}

/* ---------------------------------------------------------------------
 * Statistics
 * ---------------------------------------------------------------------
 */

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
