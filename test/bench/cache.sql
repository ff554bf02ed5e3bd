-- What the cache is worth, in µs: one field of a catalogue by its key, beside the same out of
-- the cached document; the list of a path, of 2,000, beside the same as a cached answer, and
-- beside a plan that asks for four of them; and the documents of cached(), made and from the
-- cache.
SET client_min_messages = warning;
SET session_replication_role = replica;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('catalogue', 'clickup'), ('many-leads', 'local');
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, position, options, active)
SELECT zcsync.account('catalogue'), 'f' || i, '1', 'Field ' || i, 'drop_down', i, (SELECT jsonb_agg(jsonb_build_object('id', o, 'name', 'Option ' || o)) FROM generate_series(1, 10) AS o), true
FROM generate_series(1, 300) AS i;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('desk', 'zendesk');
INSERT INTO zcsync.lists (account_id, list_id, path, seen_at)
SELECT zcsync.account('catalogue'), (1000 + i)::text, format('Space %s/Folder %s/List %s', i % 10, i % 200, i), now() FROM generate_series(1, 2000) AS i;
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
VALUES (zcsync.account('desk'), 'tickets', false, now()), (zcsync.account('catalogue'), 'tasks', true, now());
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid)
SELECT zcsync.account('desk'), i::text, 'Ticket ' || i, 'open', now(), now(), 'pull', '1' FROM generate_series(1, 200) AS i;
INSERT INTO zcsync.leads (account_id, email, company, created_at, inserted_at)
SELECT zcsync.account('many-leads'), i || '@example.com', 'Company ' || i % 5000, now() - make_interval(secs => i), now() FROM generate_series(1, 100000) AS i;
SET session_replication_role = origin;
VACUUM (ANALYZE) zcsync.fields, zcsync.lists, zcsync.tickets;
SELECT FROM zcsync.add_route('bench', source => 'desk/tickets', target => 'catalogue/tasks', create_in => $$'List ' || 1 + local_id % 4$$);
ANALYZE zcsync.leads;

-- plans are kept, as they are in a program that prepares its statements
CREATE FUNCTION pg_temp.repeat(p_what text, p_times integer) RETURNS numeric LANGUAGE plpgsql AS
$$
DECLARE
	v_account bigint := zcsync.account('catalogue');
	v_begin timestamptz := clock_timestamp();
BEGIN
	FOR i IN 1 .. p_times LOOP
		CASE p_what
			WHEN 'field, by its key' THEN
				PERFORM f.name, f.options FROM zcsync.fields AS f WHERE f.account_id = v_account AND f.remote_id = 'f' || i % 300;
			WHEN 'field, out of the cached document' THEN
				PERFORM e ->> 'name', e -> 'options' FROM jsonb_array_elements(zcsync.cached('custom_fields', 'catalogue')) AS e WHERE e ->> 'id' = 'f' || i % 300;
			WHEN 'list, by its path' THEN PERFORM zcsync._resolve_list(v_account, 'List ' || 1 + i % 4);
			WHEN 'list, as a cached answer' THEN PERFORM zcsync.cache_get('list:' || v_account || ':List ' || 1 + i % 4);
			WHEN 'plan of 200 records in four lists' THEN PERFORM zcsync.plan('bench');
			WHEN 'custom_fields, made' THEN PERFORM zcsync._make_document('custom_fields', v_account);
			WHEN 'custom_fields, cached' THEN PERFORM zcsync.cached('custom_fields', 'catalogue');
			WHEN 'recent_leads, made' THEN PERFORM zcsync._make_document('recent_leads', NULL);
			WHEN 'recent_leads, cached' THEN PERFORM zcsync.cached('recent_leads');
			WHEN 'top_companies, made' THEN PERFORM zcsync._make_document('top_companies', NULL);
			WHEN 'top_companies, cached' THEN PERFORM zcsync.cached('top_companies');
		END CASE;
	END LOOP;
	RETURN round(extract(epoch FROM clock_timestamp() - v_begin) * 1000000 / p_times, 1);
END
$$;
SELECT FROM zcsync.warm_cache();
SELECT FROM (SELECT zcsync.cache_get('list:' || zcsync.account('catalogue') || ':List ' || n) FROM generate_series(1, 4) AS n OFFSET 0) AS asked;
SELECT 1 / count(*) FILTER (WHERE zcsync.cache_set('list:' || zcsync.account('catalogue') || ':List ' || n, to_jsonb(1000 + n))) AS stored FROM generate_series(1, 4) AS n \gset
SELECT format('%s %s µs', what, min(pg_temp.repeat(what, times)))
FROM (VALUES (1, 'field, by its key', 2000), (2, 'field, out of the cached document', 200), (3, 'list, by its path', 200), (4, 'list, as a cached answer', 2000),
	(5, 'plan of 200 records in four lists', 10), (6, 'custom_fields, made', 50), (7, 'custom_fields, cached', 500),
	(8, 'recent_leads, made', 50), (9, 'recent_leads, cached', 500), (10, 'top_companies, made', 5), (11, 'top_companies, cached', 500)) AS v (n, what, times)
CROSS JOIN generate_series(1, 3) AS run
GROUP BY n, what ORDER BY n;
