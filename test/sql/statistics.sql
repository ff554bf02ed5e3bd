-- ---------------------------------------------------------------------
-- No statement of the worker depends on statistics.  Its plans are kept, and may
-- have been made when the tables were empty; and what is known of a table tells
-- nothing of an account that came since.  So rows are counted that are read for a
-- page of an account with many others, not the time that it takes.
-- ---------------------------------------------------------------------
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('one', 'zendesk', '{"subdomain": "one"}') > 0 AS one, zcsync.add_account('two', 'zendesk', '{"subdomain": "two"}') > 0 AS two;

-- documents of a kind; those of another version differ
CREATE FUNCTION documents(kind text, first integer, last integer, version integer) RETURNS zcsync.document[] LANGUAGE sql AS
$$
	SELECT array_agg(ROW(i, version, jsonb_build_object(
		CASE kind WHEN 'tickets' THEN 'subject' WHEN 'leads' THEN 'summary' WHEN 'comments' THEN 'body' WHEN 'time_entries' THEN 'author_name' ELSE 'name' END, 'v' || version,
		'custom_fields', '{}'::jsonb), '{}', false)::zcsync.document)
	FROM generate_series(first, last) AS i
$$;
CREATE FUNCTION take(account text, kind text, first integer, last integer, version integer) RETURNS integer LANGUAGE sql AS
$$ SELECT (zcsync._take(zcsync.account(account), kind, documents(kind, first, last, version), zcsync._origin_of('pull', 1))).changed $$;
-- rows of a table that this transaction has read so far, months included
CREATE FUNCTION reads(name text) RETURNS numeric LANGUAGE sql AS
$$ SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE schemaname = 'zcsync' AND relname ~ ('^' || name || '(_y|_default|$)') $$;
-- Rows read for a hundred documents that are as they were, and for as many that
-- changed: each is found, locked, merged and written, once.
CREATE FUNCTION page_reads(p_kind text, p_version integer, OUT same boolean, OUT changed boolean, OUT written integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_before numeric := reads(p_kind);
BEGIN
	PERFORM take('two', p_kind, 1001, 1100, p_version - 1);
	same := reads(p_kind) - v_before <= 200;
	v_before := reads(p_kind);
	written := take('two', p_kind, 1001, 1100, p_version);
	changed := reads(p_kind) - v_before <= 500;
END
$$;

-- many rows of the second account, as earlier pages have left them; nobody comes by to count them
CREATE PROCEDURE fill(kind text, n integer) LANGUAGE plpgsql AS
$$
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE format('INSERT INTO zcsync.%I (account_id, remote_id, remote_version, %s, base, remote, sync_state, sync_cause)'
		' SELECT zcsync.account(''two''), d.remote_id, d.version, %L, d.vals, d.doc, ''synced'', ''pull'' FROM unnest(documents(%L, 1, %s, 1)) AS d',
		kind, CASE kind WHEN 'tickets' THEN 'subject' WHEN 'leads' THEN 'summary' WHEN 'comments' THEN 'body' WHEN 'time_entries' THEN 'author_name' ELSE 'name' END, 'v1', kind, n);
END
$$;
CREATE VIEW fills AS
SELECT k AS kind, format('CALL fill(%L, %s)', k, CASE k WHEN 'contacts' THEN 20000 ELSE 3000 END) AS call FROM unnest(zcsync._kinds()) AS k;
DO $$
DECLARE
	v_table regclass;
BEGIN
	FOR v_table IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'r'
			AND c.relname ~ format('^(%s)(_y|_default|$)', array_to_string(zcsync._kinds(), '|')) LOOP
		EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', v_table);
	END LOOP;
END
$$;

-- of tables that were never analyzed, in a session that found them full
SELECT call FROM fills
\gexec
\c -
SET client_min_messages = warning;
SELECT count(*) AS contacts, (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'zcsync.contacts'::regclass) AS known FROM zcsync.contacts;
SELECT k AS kind, p.* FROM unnest(zcsync._kinds()) AS k, page_reads(k, 2) AS p ORDER BY k;

-- of tables that were analyzed while they were empty, by plans of that time
SET session_replication_role = replica;
SELECT format('DELETE FROM zcsync.%I', kind) FROM fills
\gexec
RESET session_replication_role;
SELECT format('VACUUM ANALYZE zcsync.%I', kind) FROM fills
\gexec
\c -
SET client_min_messages = warning;
SELECT count(take('one', k, 1, 5, 1)) FROM unnest(zcsync._kinds()) AS k;
SELECT count(take('one', k, 1, 5, 2)) FROM unnest(zcsync._kinds()) AS k;
SELECT call FROM fills
\gexec
SELECT count(*) AS contacts, (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'zcsync.contacts'::regclass) AS known FROM zcsync.contacts;
SELECT k AS kind, p.* FROM unnest(zcsync._kinds()) AS k, page_reads(k, 2) AS p ORDER BY k;

-- A delivery of a webhook reads no more of a full inbox than of an empty one, by plans that
-- were made while it was empty, and by those of a session that found it full.
ALTER TABLE zcsync.inbox SET (autovacuum_enabled = off);
SELECT FROM zcsync.add_stream('one', 'tickets');
CREATE FUNCTION deliver(n integer) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	v_before bigint := reads('inbox');
BEGIN
	PERFORM zcsync._store_events(zcsync.account('one'), ARRAY[ROW('w', 'e', 'k' || n, 'tickets', n::text, 'fetch', NULL)::zcsync.webhook_event],
		sha256(n::text::bytea), now());
	RETURN reads('inbox') - v_before;
END
$$;
-- the fetch that the first one queues is not sent, so the others wait
SELECT max(deliver(i)) < 10 AS bounded FROM generate_series(1, 10) AS i;
INSERT INTO zcsync.inbox (account_id, webhook, event, key, body_hash, kind, remote_id, stream_id, received_at, waits)
SELECT zcsync.account('one'), 'w', 'e', 'k' || i, sha256(i::text::bytea), 'tickets', i::text, zcsync.stream('one/tickets'), now(), false FROM generate_series(100, 20000) AS i;
SELECT deliver(20001) < 10 AS bounded;
\c -
SET client_min_messages = warning;
SELECT deliver(20002) < 10 AS bounded;
SELECT count(*) FILTER (WHERE waits) AS waits, count(*) FROM zcsync.inbox;
DROP FUNCTION deliver(integer);

DROP VIEW fills;
DROP FUNCTION page_reads, reads, take, documents;
DROP PROCEDURE fill;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
