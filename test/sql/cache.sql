-- The cache: its functions, their errors, limits, and what a transaction that
-- invalidates or writes does to it.  test/specs/cache-generations.spec has the
-- races, test/t/095_cache.pl time, restarts and numbers.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
-- what was counted since the last time
CREATE TABLE seen AS SELECT * FROM zcsync.stat_cache;
CREATE FUNCTION since() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_now zcsync.stat_cache;
	v_then seen;
BEGIN
	SELECT * INTO v_now FROM zcsync.stat_cache;
	SELECT * INTO v_then FROM seen;
	UPDATE seen SET (hits, misses, puts, dropped, too_large, evictions)
		= (v_now.hits, v_now.misses, v_now.puts, v_now.dropped, v_now.too_large, v_now.evictions);
	RETURN format('hits %s, misses %s, puts %s, dropped %s, too large %s, evictions %s', v_now.hits - v_then.hits, v_now.misses - v_then.misses,
		v_now.puts - v_then.puts, v_now.dropped - v_then.dropped, v_now.too_large - v_then.too_large, v_now.evictions - v_then.evictions);
END $$;
-- ask for a key, then put it
CREATE FUNCTION put(k text, v jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM zcsync.cache_get(k);
	RETURN zcsync.cache_set(k, v);
END $$;

-- ---------------------------------------------------------------------
-- Get, put, delete
-- ---------------------------------------------------------------------
SELECT entries, bytes FROM zcsync.stat_cache;
SELECT zcsync.cache_get('a');
SELECT zcsync.cache_set('a', '{"n": 1, "list": [1, 2.50, null, "ä€😀"]}');
SELECT zcsync.cache_get('a');
SELECT entries, bytes FROM zcsync.stat_cache;
SELECT since();
-- in place of what is there
SELECT zcsync.cache_set('a', '"two"');
SELECT zcsync.cache_get('a');
SELECT entries, bytes FROM zcsync.stat_cache;
-- nobody asked for it: it may have been read long ago
SELECT zcsync.cache_set('b', '1');
-- no value is nothing to store, the null of JSON is a value
SELECT zcsync.cache_get('b') IS NULL AS miss;
SELECT zcsync.cache_set('b', NULL);
SELECT zcsync.cache_set('b', 'null');
SELECT zcsync.cache_get('b');
SELECT zcsync.cache_delete('a');
SELECT zcsync.cache_get('a') IS NULL AS a_gone, zcsync.cache_get('b') IS NOT NULL AS b_there;
SELECT entries, bytes FROM zcsync.stat_cache;
SELECT since();
-- values of any size come back as they were: compressed and stored elsewhere,
-- around the size of a block, and larger than the first copy
CREATE TABLE docs AS
SELECT n, (SELECT jsonb_object_agg(i, md5(i::text)) || jsonb_build_object('n', n) FROM generate_series(1, n) AS i) AS doc
FROM unnest('{1,9,10,11,90,100,2000,30000}'::integer[]) AS n;
INSERT INTO docs VALUES (-1, to_jsonb(repeat('x', 1000000)));
SELECT count(*) FILTER (WHERE put('doc:' || n, doc)) AS stored, count(*) FROM docs;
SELECT n, zcsync.cache_get('doc:' || n) = doc AS same FROM docs ORDER BY n;
DROP TABLE docs;

-- ---------------------------------------------------------------------
-- Errors
-- ---------------------------------------------------------------------
SELECT zcsync.cache_get(NULL);
SELECT zcsync.cache_get('');
SELECT zcsync.cache_get(repeat('x', 251));
SELECT zcsync.cache_get('tickets:*');
SELECT zcsync.cache_set(NULL, '1');
SELECT zcsync.cache_set('*', '1');
SELECT zcsync.cache_set('a', '1', '0');
SELECT zcsync.cache_set('a', '1', '-1 second');
SELECT zcsync.cache_set('a', '1', '1000000 years');
SELECT zcsync.cache_delete(NULL);
SELECT zcsync.cache_delete('tickets:*');
SELECT zcsync.cache_invalidate(NULL);
SELECT zcsync.cache_invalidate('');
SELECT zcsync.cache_invalidate('a*b');
SELECT zcsync.cache_invalidate('a**');
SELECT zcsync.cache_invalidate(repeat('x', 251));
SELECT zcsync.cache_invalidate(repeat('x', 251) || '*');
-- the longest, in bytes; the pattern has its star besides
SELECT put(repeat('ä', 125), '1');
SELECT zcsync.cache_get(repeat('ä', 125));
SELECT zcsync.cache_get(repeat('ä', 124) || 'a') IS NULL AS other_key;
SELECT zcsync.cache_invalidate(repeat('ä', 125) || '*');
SELECT zcsync.cache_get(repeat('ä', 125)) IS NULL AS gone;
-- in words that differ between releases of PostgreSQL
\set VERBOSITY sqlstate
SET zcsync.cache_ttl = 0;
SET zcsync.cache_size = '1MB';
\set VERBOSITY default

-- ---------------------------------------------------------------------
-- Patterns
-- ---------------------------------------------------------------------
SELECT zcsync.cache_clear();
SELECT entries FROM zcsync.stat_cache;
SELECT count(*) FILTER (WHERE put(k, to_jsonb(k))) FROM unnest('{tickets:1,tickets:2,ticket:1,tickets,Tickets:1,user:7:tickets}'::text[]) AS k;
SELECT zcsync.cache_invalidate('tickets:*');
SELECT k, zcsync.cache_get(k) FROM unnest('{tickets:1,tickets:2,ticket:1,tickets,Tickets:1,user:7:tickets}'::text[]) AS k;
-- without a star, one key
SELECT zcsync.cache_invalidate('ticket');
SELECT zcsync.cache_get('ticket:1'), zcsync.cache_get('tickets');
SELECT zcsync.cache_invalidate('ticket:1');
SELECT zcsync.cache_get('ticket:1'), zcsync.cache_get('tickets');
SELECT zcsync.cache_invalidate('*');
SELECT entries, bytes FROM zcsync.stat_cache;

-- ---------------------------------------------------------------------
-- Transactions.  What one invalidates is gone for others when it commits, and
-- for itself at once.
-- ---------------------------------------------------------------------
SELECT put('k', '"old"');
BEGIN;
SELECT zcsync.cache_delete('k');
SELECT zcsync.cache_get('k') IS NULL AS miss, put('k', '"new"');
ROLLBACK;
SELECT zcsync.cache_get('k');
BEGIN;
SELECT zcsync.cache_invalidate('k*');
SELECT zcsync.cache_get('k') IS NULL AS miss, put('k', '"new"'), put('other', '1');
ROLLBACK;
SELECT zcsync.cache_get('k');
BEGIN;
SELECT zcsync.cache_clear();
SELECT zcsync.cache_get('k') IS NULL AS miss, put('k', '"new"'), put('other', '2');
COMMIT;
SELECT zcsync.cache_get('k') IS NULL AS miss;

-- savepoints that are rolled back: their invalidations may stay, others must
SELECT put('k', '"old"'), put('l', '"old"');
BEGIN;
SAVEPOINT a;
SELECT zcsync.cache_delete('k');
ROLLBACK TO a;
SAVEPOINT b;
SELECT zcsync.cache_delete('l');
RELEASE b;
SELECT 1 / 0;
ROLLBACK TO a;
COMMIT;
SELECT zcsync.cache_get('l') IS NULL AS miss;
SELECT put('k', '"old"');
BEGIN;
SAVEPOINT a;
SELECT zcsync.cache_delete('k');
ROLLBACK;
SELECT zcsync.cache_get('k');
DO $$
BEGIN
	BEGIN
		PERFORM zcsync.cache_delete('l');
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		PERFORM zcsync.cache_delete('k');
	END;
END $$;
SELECT zcsync.cache_get('k') IS NULL AS miss;

-- a transaction that wrote may have read what it wrote: it puts nothing
CREATE TABLE facts (id integer PRIMARY KEY, v text);
INSERT INTO facts VALUES (1, 'old');
BEGIN;
UPDATE facts SET v = 'uncommitted';
SELECT put('fact', (SELECT to_jsonb(v) FROM facts));
ROLLBACK;
BEGIN;
SAVEPOINT a;
UPDATE facts SET v = 'uncommitted';
SELECT put('fact', (SELECT to_jsonb(v) FROM facts));
ROLLBACK TO a;
SELECT put('fact', (SELECT to_jsonb(v) FROM facts));
COMMIT;
SELECT zcsync.cache_get('fact') IS NULL AS miss;
-- one that only read does, at once, whatever becomes of it
BEGIN;
SELECT put('fact', (SELECT to_jsonb(v) FROM facts));
ROLLBACK;
SELECT zcsync.cache_get('fact');
-- a value that was read before the change, and put after it
UPDATE facts SET v = 'new';
SELECT zcsync.cache_delete('fact');
SELECT zcsync.cache_set('fact', '"old"');
SELECT zcsync.cache_get('fact') IS NULL AS miss;

-- a transaction cannot be prepared if it invalidates
BEGIN;
UPDATE facts SET v = 'prepared';
SELECT zcsync.cache_delete('fact');
PREPARE TRANSACTION 'regress_cache';
SELECT v, put('fact', to_jsonb(v)) FROM facts;
BEGIN;
UPDATE facts SET v = 'prepared';
SELECT zcsync.cache_get('fact');
PREPARE TRANSACTION 'regress_cache';
COMMIT PREPARED 'regress_cache';

-- procedures commit as they go
CREATE PROCEDURE step() LANGUAGE plpgsql AS $$
BEGIN
	UPDATE facts SET v = 'by procedure';
	PERFORM zcsync.cache_delete('fact');
	COMMIT;
	PERFORM put('fact', (SELECT to_jsonb(v) FROM facts));
	UPDATE facts SET v = 'undone';
	PERFORM zcsync.cache_delete('fact');
	ROLLBACK;
END $$;
CALL step();
SELECT zcsync.cache_get('fact');

-- more than a transaction remembers, by key and by pattern, becomes everything
SELECT zcsync.cache_clear();
SELECT put('k', '1'), put('l', '1');
SELECT count(*) FROM (SELECT zcsync.cache_delete('many:' || n) FROM generate_series(1, 1000) AS n) AS x;
SELECT zcsync.cache_get('k');
SELECT count(*) FROM (SELECT zcsync.cache_delete('many:' || n) FROM generate_series(1, 1001) AS n) AS x;
SELECT zcsync.cache_get('k') IS NULL AS miss;
SELECT put('k', '1'), put('l', '1');
SELECT count(*) FROM (SELECT zcsync.cache_invalidate('many:' || n % 32 || '*') FROM generate_series(1, 1000) AS n) AS x;
SELECT zcsync.cache_get('k');
SELECT count(*) FROM (SELECT zcsync.cache_invalidate('many:' || n || '*') FROM generate_series(1, 33) AS n) AS x;
SELECT zcsync.cache_get('k') IS NULL AS miss;

-- a session remembers only so many keys it asked for
SELECT zcsync.cache_get('first') IS NULL AS miss;
SELECT count(zcsync.cache_get('asked:' || n)) FROM generate_series(1, 2000) AS n;
SELECT zcsync.cache_set('first', '1'), zcsync.cache_set('asked:2000', '1');

-- ---------------------------------------------------------------------
-- Limits: a key that was just read is not the one that goes
-- ---------------------------------------------------------------------
SELECT zcsync.cache_clear();
SELECT since() IS NOT NULL AS counted;
SELECT setting::integer AS n FROM pg_settings WHERE name = 'zcsync.cache_max_entries' \gset
SELECT count(*) FILTER (WHERE put('lru:' || i, to_jsonb(i))) = :n AS all_stored FROM generate_series(1, :n) AS i;
SELECT since() = format('hits 0, misses %s, puts %s, dropped 0, too large 0, evictions 0', :n, :n) AS counted;
SELECT entries = max_entries AS full FROM zcsync.stat_cache;
SELECT zcsync.cache_get('lru:1'), zcsync.cache_get('lru:3');
SELECT put('one more', '1'), put('another', '1');
SELECT entries = max_entries AS full FROM zcsync.stat_cache;
SELECT i, zcsync.cache_get('lru:' || i) IS NOT NULL AS there FROM generate_series(1, 5) AS i;
SELECT since();
-- to put again is to use
SELECT put('lru:5', '5'), put('a third', '1');
SELECT zcsync.cache_get('lru:5'), zcsync.cache_get('lru:6') IS NULL AS next_gone;
-- bytes: a quarter each, so that four fill it
SELECT zcsync.cache_clear();
SELECT since() IS NOT NULL AS counted;
SELECT max_bytes / 4 - 100 AS quarter FROM zcsync.stat_cache \gset
SELECT i, put('big:' || i, to_jsonb(repeat('x', :quarter))) FROM generate_series(1, 4) AS i;
SELECT entries, bytes = max_bytes AS full FROM zcsync.stat_cache;
SELECT zcsync.cache_get('big:1') IS NOT NULL AS read;
SELECT put('big:5', to_jsonb(repeat('x', :quarter)));
SELECT i, zcsync.cache_get('big:' || i) = to_jsonb(repeat('x', :quarter)) AS there FROM generate_series(1, 5) AS i;
SELECT entries, bytes = max_bytes AS full FROM zcsync.stat_cache;
SELECT since();
-- one that is larger than that is not stored, and drives nothing out
SELECT put('too big', to_jsonb(repeat('x', :quarter + 200)));
SELECT entries, bytes = max_bytes AS full FROM zcsync.stat_cache;
SELECT since();
SELECT zcsync.cache_clear();
SELECT entries, bytes FROM zcsync.stat_cache;

-- ---------------------------------------------------------------------
-- A trigger that invalidates, as doc/cache.md has it
-- ---------------------------------------------------------------------
CREATE FUNCTION forget_ticket() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN
		PERFORM zcsync.cache_delete(format('ticket:%s', OLD.local_id));
		PERFORM zcsync.cache_delete(format('user:%s:tickets', OLD.assignee_id));
	END IF;
	IF TG_OP <> 'DELETE' THEN
		PERFORM zcsync.cache_delete(format('user:%s:tickets', NEW.assignee_id));
	END IF;
	PERFORM zcsync.cache_invalidate('tickets:*');
	RETURN NULL;
END
$$;
CREATE TRIGGER forget_ticket AFTER INSERT OR UPDATE OR DELETE ON zcsync.tickets
FOR EACH ROW EXECUTE FUNCTION forget_ticket();
CREATE FUNCTION tickets_of(p_assignee text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
	v_key text := format('user:%s:tickets', p_assignee);
	v_value jsonb := zcsync.cache_get(v_key);
BEGIN
	IF v_value IS NULL THEN
		SELECT coalesce(jsonb_agg(t.subject ORDER BY t.local_id), '[]') INTO v_value
		FROM zcsync.tickets AS t WHERE t.assignee_id = p_assignee;
		PERFORM zcsync.cache_set(v_key, v_value, '10 minutes');
	END IF;
	RETURN v_value;
END
$$;
SELECT zcsync.add_account('crm', 'zendesk', '{"subdomain": "crm"}') > 0 AS added;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, assignee_id, sync_cause, sync_xid, sync_state)
VALUES (zcsync.account('crm'), '1', 'Printer', '7', 'pull', pg_current_xact_id(), 'synced');
SELECT tickets_of('7'), tickets_of('8');
SELECT since() IS NOT NULL AS counted;
SELECT tickets_of('7'), tickets_of('8');
SELECT since();
UPDATE zcsync.tickets SET assignee_id = '8', sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id();
SELECT zcsync.cache_get('user:7:tickets') IS NULL AND zcsync.cache_get('user:8:tickets') IS NULL AS both_gone;
SELECT tickets_of('7'), tickets_of('8');
SELECT tickets_of('7'), tickets_of('8');
SELECT since();

-- ---------------------------------------------------------------------
-- Privileges: by name, and EXECUTE is all it takes
-- ---------------------------------------------------------------------
CREATE ROLE regress_zcsync_reader;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT zcsync.cache_get('a');
SELECT zcsync.cache_set('a', '1');
SELECT zcsync.cache_delete('a');
SELECT zcsync.cache_invalidate('*');
SELECT zcsync.cache_clear();
SELECT * FROM zcsync.stat_cache;
RESET ROLE;
-- what one role put, another reads: rows are not hidden by row-level security
GRANT EXECUTE ON FUNCTION zcsync.cache_get TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT zcsync.cache_get('user:8:tickets');
SELECT zcsync.cache_set('user:8:tickets', '1');
RESET ROLE;
SELECT has_function_privilege('zcsync_worker', 'zcsync.cache_get(text)', 'EXECUTE') AS worker_may;

-- another installation does not find what this one left
SELECT zcsync.cache_get('user:8:tickets') IS NOT NULL AS there;
DROP OWNED BY regress_zcsync_reader;
DROP ROLE regress_zcsync_reader;
DROP EXTENSION zcsync CASCADE;
SELECT zcsync.cache_get('user:8:tickets');
CREATE EXTENSION zcsync;
SELECT zcsync.cache_get('user:8:tickets') IS NULL AS gone;
DROP EXTENSION zcsync;
DROP FUNCTION since, put, tickets_of, forget_ticket;
DROP PROCEDURE step;
DROP TABLE seen, facts;
