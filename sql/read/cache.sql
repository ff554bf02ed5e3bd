-- ---------------------------------------------------------------------
-- The cache that all sessions of the server share (src/cache.c, doc/cache.md).
--
-- A role that may call these functions sees and fills the keys of all others in this
-- database, so they are granted by name and to few.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.cache_get(key text) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_get';
COMMENT ON FUNCTION zcsync.cache_get(text) IS
'the cached value of a key, or NULL; call it before the query whose result is then given to zcsync.cache_set()';

CREATE FUNCTION zcsync.cache_set(key text, value jsonb, ttl interval DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_set';
COMMENT ON FUNCTION zcsync.cache_set(text, jsonb, interval) IS
'caches a value that was read after zcsync.cache_get() of its key, for ttl or zcsync.cache_ttl; false: not stored, because it may be old already or is too large';

CREATE FUNCTION zcsync.cache_delete(key text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_delete';
COMMENT ON FUNCTION zcsync.cache_delete(text) IS
'forgets the cached value of a key when this transaction commits; to be called by the transaction that changes what it was made of';

CREATE FUNCTION zcsync.cache_invalidate(pattern text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_invalidate';
COMMENT ON FUNCTION zcsync.cache_invalidate(text) IS
'the same for all keys that match a pattern, which is the beginning of a key and *, as in tickets:*';

CREATE FUNCTION zcsync.cache_clear() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_clear';
COMMENT ON FUNCTION zcsync.cache_clear() IS
'the same for all keys of this database';

CREATE FUNCTION zcsync._cache_statistics()
RETURNS TABLE (entries bigint, max_entries bigint, bytes bigint, max_bytes bigint, hits bigint, misses bigint,
	puts bigint, dropped bigint, too_large bigint, evictions bigint)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_cache_statistics';
COMMENT ON FUNCTION zcsync._cache_statistics() IS
'what zcsync.stat_cache shows; empty without preloading';

CREATE FUNCTION zcsync._create_cache_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_cache AS
	SELECT c.entries, c.max_entries, c.bytes, c.max_bytes, c.hits, c.misses, c.puts, c.dropped, c.too_large, c.evictions
	FROM zcsync._cache_statistics() AS c;
	COMMENT ON VIEW zcsync.stat_cache IS
	'the cache of all databases of this server: how full it is, and what was done with it since the server started';
	COMMENT ON COLUMN zcsync.stat_cache.bytes IS 'what the values take, in blocks of 512 bytes';
	COMMENT ON COLUMN zcsync.stat_cache.puts IS 'values that were stored';
	COMMENT ON COLUMN zcsync.stat_cache.dropped IS 'values that were not stored, as what they were made of may have changed since';
	COMMENT ON COLUMN zcsync.stat_cache.too_large IS 'values that were not stored, as each would take more than a quarter of the cache';
	COMMENT ON COLUMN zcsync.stat_cache.evictions IS 'values that had to go to make room, those not used for longest first';
END
$body$;
COMMENT ON FUNCTION zcsync._create_cache_view() IS
'creates or replaces stat_cache';

-- The cache may hold values of an earlier installation, which nothing has invalidated
-- since.
DO $$
BEGIN
	PERFORM zcsync.cache_clear();
END
$$;
