/*-------------------------------------------------------------------------
 *
 * cache.c
 *		The cache that all sessions of the server share: zcsync.cache_get()
 *		and similar functions.
 *
 * This file has the SQL functions, and what a session and a transaction
 * remember for them; cache_store.c has the entries.
 *
 * No value is served that an invalidation has overtaken.  What a transaction
 * invalidates is collected until it ends, in memory allocated before, and
 * takes effect right after its commit: the entries are removed, and the
 * generation of their keys moves, which is the sequence number of that
 * invalidation.  From then on there is nothing old in the cache, unless a
 * session that read a value before that commit puts it there.  So a put is
 * dropped unless
 *
 * - this session asked for the key before, and its generation did not move
 *   since.  This is enough for every value that was read after the question,
 *   even if it was kept in a variable or a table meanwhile.
 *
 * - and all snapshots of this transaction see what moved the generation.  For
 *   the value may have been read with a snapshot that is older than the
 *   question: that of the statement that both asks and puts, of a query that
 *   calls a function for its rows, or of a whole transaction.  All of them see
 *   it if the generation did not move since this session's last transaction
 *   ended, except in REPEATABLE READ, where a snapshot can be imported; or if
 *   all transaction ids given out when the generation moved have ended for
 *   the oldest snapshot in use.
 *
 * - and the transaction has written nothing, as the value might come from its
 *   own writes.
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

#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "cache_store.h"
#include "clock.h"
#include "compat.h"
#include "settings.h"

#define NOTES_MAX			1024
#define PENDING_NAMES_MAX	1000
#define PENDING_PREFIXES_MAX	32

PG_FUNCTION_INFO_V1(zcsync_sql_cache_get);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_set);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_delete);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_invalidate);
PG_FUNCTION_INFO_V1(zcsync_sql_cache_clear);

/* When this session last asked for a key. */
typedef struct CacheNote
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];	/* must be first */
	uint64		sequence;
} CacheNote;

/* Of this session. */
static HTAB *notes = NULL;
static uint64 last_transaction = 0; /* the sequence number when it ended */

/* Of the current transaction; in its memory. */
static HTAB *pending = NULL;
static slist_head pending_names = SLIST_STATIC_INIT(pending_names);
static slist_head pending_prefixes = SLIST_STATIC_INIT(pending_prefixes);
static int	pending_nnames = 0;
static int	pending_nprefixes = 0;
static bool pending_everything = false;

static void get_name(FunctionCallInfo fcinfo, char *name, bool pattern);
static void note_asked(const char *name, uint64 sequence);
static TimestampTz get_expiry(FunctionCallInfo fcinfo);
static bool may_put(const char *name, uint64 *asked_at);
static void add_pending(const char *name);
static bool have_pending(void);
static bool is_pending(const char *name);
static void watch_transactions(void);
static void transaction_ended(XactEvent event, void *arg);

/* ---------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------
 */

/*
 * Copy the first argument, a key or a pattern, into an array that has room
 * for either.  Only a pattern may end in "*".
 */
static void
get_name(FunctionCallInfo fcinfo, char *name, bool pattern)
{
	const char *what = pattern ? "pattern" : "key";
	text	   *arg;
	const char *data;
	int			length;
	int			limit = ZCSYNC_CACHE_NAME_MAX;
	const char *star;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cache %s cannot be null", what),
				 errhint("Make it with format(), for which null is empty.")));
	arg = PG_GETARG_TEXT_PP(0);
	data = VARDATA_ANY(arg);
	length = VARSIZE_ANY_EXHDR(arg);
	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cache %s cannot be empty", what)));
	if (pattern && data[length - 1] == '*')
		limit++;
	if (length > limit)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("cache %s is too long", what),
				 errdetail("It has %d bytes; a key has %d at most.",
						   length, ZCSYNC_CACHE_NAME_MAX),
				 errhint("Use a hash of it, as made by md5().")));
	memset(name, 0, ZCSYNC_CACHE_NAME_SIZE);
	memcpy(name, data, length);

	star = strchr(name, '*');
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

/* ---------------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------------
 */

/* zcsync.cache_get(key): the value, or NULL */
Datum
zcsync_sql_cache_get(PG_FUNCTION_ARGS)
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];
	Jsonb	   *value;
	uint64		sequence;
	bool		hidden;

	get_name(fcinfo, name, false);
	if (!zcsync_cache_usable())
		PG_RETURN_NULL();
	watch_transactions();

	/* a transaction no longer sees what it has invalidated itself */
	hidden = is_pending(name);
	value = zcsync_cache_read(name, hidden, &sequence);
	if (!hidden)
		note_asked(name, sequence);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(value);
}

/*
 * Note that this session asked for a key, and which invalidation was the last
 * one then.  The number of notes is limited: when it is reached, all are
 * forgotten, and puts of the forgotten keys are dropped.
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

		info.keysize = ZCSYNC_CACHE_NAME_SIZE;
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

/* zcsync.cache_set(key, value, ttl): was the value stored? */
Datum
zcsync_sql_cache_set(PG_FUNCTION_ARGS)
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];
	TimestampTz expires_at;
	uint64		asked_at;

	get_name(fcinfo, name, false);
	expires_at = get_expiry(fcinfo);
	if (PG_ARGISNULL(1) || !zcsync_cache_usable())
		PG_RETURN_BOOL(false);
	watch_transactions();

	if (!may_put(name, &asked_at))
	{
		zcsync_cache_count_dropped();
		PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(zcsync_cache_put(name, PG_GETARG_JSONB_P(1), expires_at,
									asked_at, last_transaction));
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

/* ---------------------------------------------------------------------
 * Invalidating
 * ---------------------------------------------------------------------
 */

/* zcsync.cache_delete(key) */
Datum
zcsync_sql_cache_delete(PG_FUNCTION_ARGS)
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];

	get_name(fcinfo, name, false);
	add_pending(name);
	PG_RETURN_VOID();
}

/* zcsync.cache_invalidate(pattern) */
Datum
zcsync_sql_cache_invalidate(PG_FUNCTION_ARGS)
{
	char		name[ZCSYNC_CACHE_NAME_SIZE];

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
 * Names that a subtransaction added stay when it is rolled back.  When there
 * are more names than can be kept, everything is invalidated.
 */
static void
add_pending(const char *name)
{
	bool		prefix = name[strlen(name) - 1] == '*';
	ZcsyncCacheName *item;

	if (!zcsync_cache_usable() || pending_everything)
		return;
	watch_transactions();

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

		info.keysize = ZCSYNC_CACHE_NAME_SIZE;
		info.entrysize = sizeof(ZcsyncCacheName);
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
		zcsync_cache_matches(name, &pending_prefixes);
}

/* ---------------------------------------------------------------------
 * The end of transactions
 * ---------------------------------------------------------------------
 */

/*
 * Have transaction_ended() called from now on.  Registered callbacks cannot
 * be listed, so remember that ours is, and register it only once.
 */
static void
watch_transactions(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(transaction_ended, NULL);
	registered = true;
}

/*
 * A prepared transaction may be committed by another session, or after a
 * restart.  What it invalidates would be lost, so such a transaction cannot
 * be prepared.  Once a transaction has committed, an error would bring the
 * server down: from there on nothing throws or allocates.
 */
static void
transaction_ended(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			if (have_pending())
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot prepare a transaction that has invalidated entries of the cache of zcsync"),
						 errhint("Commit it with COMMIT.")));
			return;
		case XACT_EVENT_COMMIT:
			if (have_pending())
				zcsync_cache_invalidate(&pending_names, &pending_prefixes,
										pending_everything);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	pending = NULL;				/* its memory goes with the transaction */
	slist_init(&pending_names);
	slist_init(&pending_prefixes);
	pending_nnames = 0;
	pending_nprefixes = 0;
	pending_everything = false;
	last_transaction = zcsync_cache_sequence();
}
