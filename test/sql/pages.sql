-- Pages of tickets, tasks and leads, short lists, the report.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('beta', 'zendesk'), ('dev', 'clickup'), ('crm', 'local'), ('none', 'zendesk');

-- Nothing there: an empty page, and envelopes that say so.
SELECT * FROM zcsync.tickets_page();
SELECT zcsync.tickets_page_json();
SELECT zcsync.leads_page_json();
SELECT count(*) FROM zcsync.tasks_page();

-- ---------------------------------------------------------------------
-- Rows with many equal keys, some NULL, some deleted.  The keys have what may
-- break a cursor: quotes, letters of more than a byte, infinities, NaN.
-- ---------------------------------------------------------------------
SET session_replication_role = replica;		-- no triggers, as when a backup is restored
CREATE FUNCTION time_of(i integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN i % 7 = 0 THEN NULL WHEN i = 3 THEN 'infinity' WHEN i = 4 THEN '-infinity' WHEN i = 5 THEN '0044-03-15 12:00:00+00 BC'
		ELSE '2026-01-01'::timestamptz + i / 9 * interval '1 day' + i % 3 * interval '1 microsecond' END
$$;
-- leads have no others
CREATE FUNCTION finite_of(i integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN isfinite(time_of(i)) THEN time_of(i) ELSE '9999-12-31' END $$;
CREATE FUNCTION text_of(i integer) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT ('{"O''Hara \"x\" \\ %s $1",Žižek,"",日本語,"printer, 2nd floor",NULL}'::text[])[1 + i % 6] $$;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, due_at, created_at, updated_at, deleted_at)
SELECT zcsync.account(CASE WHEN i % 3 = 0 THEN 'beta' ELSE 'acme' END), CASE WHEN i % 5 > 0 THEN i::text END, text_of(i), 'open',
	time_of(i / 2), time_of(i), time_of(200 - i), CASE WHEN i % 11 = 0 THEN now() END
FROM generate_series(1, 150) i;
INSERT INTO zcsync.tasks (account_id, remote_id, name, status, priority, due_at, created_at, updated_at, deleted_at)
SELECT zcsync.account('dev'), i::text, text_of(i), text_of(i / 20), nullif(i % 5, 0), time_of(i / 2), time_of(i), time_of(200 - i),
	CASE WHEN i % 11 = 0 THEN now() END
FROM generate_series(1, 60) i;
INSERT INTO zcsync.leads (account_id, last_name, company, quality, value, created_at, updated_at, inserted_at, deleted_at, merged_into)
SELECT zcsync.account('crm'), text_of(i), text_of(i / 20), nullif(i % 4, 0), ('{1.10,1.1,NaN,NULL,-3,12345678901234567890.0000000001}'::numeric[])[1 + i % 6],
	finite_of(i), finite_of(200 - i), now() - i % 4 * interval '1 month', CASE WHEN i % 11 = 0 THEN now() END, CASE WHEN i % 22 = 0 THEN 1 END
FROM generate_series(1, 60) i;
RESET session_replication_role;
SELECT zcsync.create_lead_partitions() > 0 AS made;
SELECT count(DISTINCT tableoid) > 3 AS several_months FROM zcsync.leads;

-- All pages, one after the other, as people ask for them.
CREATE FUNCTION walk(kind text, sort_by text, sort_order text, page_size integer, account text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	v_page record;
	v_next text;
	v_all bigint[] := '{}';
BEGIN
	LOOP
		EXECUTE format('SELECT coalesce(array_agg(p.local_id), ''{}'') AS ids, min(p.next_cursor) AS next, bool_or(p.has_more) AS more, '
			'count(DISTINCT p.next_cursor) AS cursors FROM zcsync.%I($1, $2, $3, $4, $5) AS p', kind || '_page')
			INTO v_page USING v_next, page_size, sort_by, sort_order, account;
		v_all := v_all || v_page.ids;
		-- a page that says that there are more is full, and the last is not empty
		IF v_page.more IS DISTINCT FROM (v_page.next IS NOT NULL) OR v_page.cursors > 1 OR cardinality(v_page.ids) > page_size
			OR (v_page.more AND cardinality(v_page.ids) < page_size) OR (v_next IS NOT NULL AND cardinality(v_page.ids) = 0) THEN
			RAISE 'page of % after % by % % of %', cardinality(v_page.ids), cardinality(v_all), sort_by, sort_order, page_size;
		END IF;
		v_next := v_page.next;
		EXIT WHEN v_next IS NULL;
	END LOOP;
	RETURN v_all;
END $$;
-- What they have to have: all live rows, sorted by one statement.
CREATE FUNCTION sorted(kind text, sort_by text, sort_order text, account text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	v_all bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(local_id ORDER BY %1$I IS NULL %2$s, %1$I %2$s, local_id %2$s) FROM zcsync.%3$I '
		'WHERE deleted_at IS NULL AND ($1 IS NULL OR account_id = zcsync.account($1))', sort_by, sort_order, kind) INTO v_all USING account;
	RETURN v_all;
END $$;
CREATE FUNCTION walks(page_sizes integer[]) RETURNS TABLE (kind text, name text, sort_order text, page_size integer, account text, walked bigint[], all_rows bigint[])
LANGUAGE sql AS $$
	SELECT k.kind, s.name, o.sort_order, n.page_size, a.account, walk(k.kind, s.name, o.sort_order, n.page_size, a.account),
		sorted(k.kind, s.name, o.sort_order, a.account)
	FROM unnest('{tickets,tasks,leads}'::text[]) AS k (kind)
	CROSS JOIN LATERAL zcsync._sort_keys(k.kind) AS s
	CROSS JOIN unnest('{asc,desc}'::text[]) AS o (sort_order)
	CROSS JOIN unnest(page_sizes) AS n (page_size)
	CROSS JOIN unnest(CASE k.kind WHEN 'tickets' THEN '{NULL,acme,beta}'::text[] WHEN 'tasks' THEN '{NULL,dev}' ELSE '{NULL,crm}' END) AS a (account)
$$;
CREATE TABLE walks AS SELECT * FROM walks('{7,55}');
SELECT kind, count(*), count(DISTINCT name) AS keys, min(cardinality(all_rows)) AS fewest, max(cardinality(all_rows)) AS most FROM walks GROUP BY kind ORDER BY kind;
SELECT * FROM walks WHERE walked IS DISTINCT FROM all_rows;
DROP TABLE walks;
-- By the smallest pages the first rows of each kind, which have all that may break a
-- cursor: of all rows that would be many thousand pages.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM zcsync.tickets WHERE local_id > (SELECT min(local_id) + 13 FROM zcsync.tickets);
DELETE FROM zcsync.tasks WHERE local_id > (SELECT min(local_id) + 13 FROM zcsync.tasks);
DELETE FROM zcsync.leads WHERE local_id > (SELECT min(local_id) + 13 FROM zcsync.leads);
CREATE TABLE walks AS SELECT * FROM walks('{1,2}');
SELECT kind, count(*), count(DISTINCT name) AS keys, min(cardinality(all_rows)) AS fewest, max(cardinality(all_rows)) AS most FROM walks GROUP BY kind ORDER BY kind;
SELECT * FROM walks WHERE walked IS DISTINCT FROM all_rows;
ROLLBACK;

-- ---------------------------------------------------------------------
-- What a page is asked for
-- ---------------------------------------------------------------------
SELECT count(*), bool_and(has_more) FROM zcsync.tickets_page();
SELECT count(*), bool_and(has_more) FROM zcsync.leads_page();
SELECT count(*), bool_and(has_more) FROM zcsync.tickets_page(page_size => 500);
SELECT count(*), bool_and(has_more) FROM zcsync.tickets_page(page_size => 2147483647);
SELECT count(*), bool_and(has_more) FROM zcsync.tickets_page(page_size => 500, account => 'acme');
SET zcsync.page_max = 137;
SELECT count(*), bool_or(has_more) FROM zcsync.tickets_page(page_size => 500);
SET zcsync.page_max = 136;
SELECT count(*), bool_or(has_more) FROM zcsync.tickets_page(page_size => 500);
SET zcsync.page_max = 0;
RESET zcsync.page_max;
SELECT local_id FROM zcsync.tickets_page(page_size => 2, sort_order => 'DESC');
SELECT local_id FROM zcsync.tickets_page(cursor => NULL, page_size => 2, sort_by => 'local_id', sort_order => 'Asc');

SELECT * FROM zcsync.tickets_page(page_size => 0);
SELECT * FROM zcsync.tickets_page(page_size => -1);
SELECT * FROM zcsync.tickets_page(page_size => NULL);
SELECT * FROM zcsync.tickets_page(page_size => 3000000000);
SELECT * FROM zcsync.tickets_page(sort_by => 'remote');
SELECT * FROM zcsync.tickets_page(sort_by => 'created_at, (SELECT 1)');
SELECT * FROM zcsync.tasks_page(sort_by => 'subject');
SELECT * FROM zcsync.leads_page(sort_by => NULL);
SELECT * FROM zcsync.tickets_page(sort_order => 'down');
SELECT * FROM zcsync.tickets_page(sort_order => NULL);
SELECT * FROM zcsync.tickets_page(account => 'nobody');
SELECT * FROM zcsync.tickets_page(account => '');
SELECT count(*) FROM zcsync.tickets_page(account => 'none');

-- ---------------------------------------------------------------------
-- Cursors
-- ---------------------------------------------------------------------
SELECT next_cursor AS c FROM zcsync.tickets_page(page_size => 30) LIMIT 1 \gset
SELECT :'c' ~ '^[A-Za-z0-9_-]+$' AS fit_for_a_url;
-- of another list
SELECT * FROM zcsync.tickets_page(:'c', sort_by => 'updated_at');
SELECT * FROM zcsync.tickets_page(:'c', sort_order => 'asc');
SELECT * FROM zcsync.tickets_page(:'c', account => 'acme');
SELECT * FROM zcsync.tasks_page(:'c');
-- the size of the page may change
SELECT count(*) FROM zcsync.tickets_page(:'c', page_size => 100);
-- None, garbled, cut, made up.
CREATE FUNCTION refused(cursor text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM zcsync.tickets_page(cursor);
	RETURN 'taken';
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN split_part(SQLERRM, ' "', 1);
END $$;
SELECT * FROM zcsync.tickets_page('');
SELECT * FROM zcsync.tickets_page(repeat('Zz', 100000));
SELECT * FROM zcsync.tickets_page('žluťoučký');
SELECT refused(x), count(*) FROM (
	SELECT overlay(:'c' PLACING CASE substr(:'c', i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i FOR 1) FROM generate_series(1, length(:'c') - 1) i
	UNION ALL SELECT left(:'c', i) FROM generate_series(0, length(:'c') - 1) i
	UNION ALL SELECT :'c' || 'A') AS x (x) GROUP BY 1;
CREATE FUNCTION forged(document text) RETURNS text LANGUAGE sql AS $$
	SELECT translate(encode(substr(sha256(convert_to(document, 'UTF8')), 1, 6) || convert_to(document, 'UTF8'), 'base64'), E'+/=\n', '-_') $$;
SELECT d, refused(forged(d)) FROM unnest(ARRAY[
	'["tickets", "created_at", "desc", null, "2026-01-05T00:00:00+00:00", 7]',
	'["tickets", "created_at", "desc", null, null, 7]',
	'["tickets", "created_at", "desc", null, "yesterday, or so", 7]',
	'["tickets", "created_at", "desc", null, "2026-01-05T00:00:00+00:00", "x"]',
	'["tickets", "created_at", "desc", null, "2026-01-05T00:00:00+00:00", null]',
	'["tickets", "created_at", "desc", null, "2026-01-05T00:00:00+00:00", 1e30]',
	'["tickets", "created_at", "desc", null, {"a": 1}, 7]',
	'["tickets", "created_at", "desc", null]', '["leads", 1, [], {}, 5, 6]', '{"created_at": 1, "id": 2}', '17', 'null', 'nonsense', '']) AS d;
SELECT * FROM zcsync.tickets_page(forged('["tickets", "status", "desc", null, "x''; DROP TABLE zcsync.tickets; --", 7]'), sort_by => 'status');
-- A cursor means the same whatever the settings of the session are.
SELECT ARRAY(SELECT local_id FROM zcsync.tickets_page(:'c')) AS here \gset
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
SELECT ARRAY(SELECT local_id FROM zcsync.tickets_page(:'c')) = :'here'::bigint[] AS same_elsewhere, min(next_cursor) AS c2
FROM zcsync.tickets_page(page_size => 30) \gset
SELECT data ->> 'created_at' AS in_utc FROM jsonb_array_elements(zcsync.tickets_page_json(:'c', page_size => 1) -> 'data') AS data;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT :'same_elsewhere' AS same_elsewhere, ARRAY(SELECT local_id FROM zcsync.tickets_page(:'c2')) = :'here'::bigint[] AS and_back;

-- ---------------------------------------------------------------------
-- Envelopes
-- ---------------------------------------------------------------------
SELECT jsonb_pretty(jsonb_set(e, '{pagination,nextCursor}', '"..."')) AS tickets FROM zcsync.tickets_page_json(page_size => 1, sort_by => 'local_id', sort_order => 'asc') AS e;
SELECT jsonb_pretty(jsonb_set(e, '{pagination,nextCursor}', '"..."') #- '{data,0,local_id}' #- '{data,0,reference}') AS leads
FROM zcsync.leads_page_json(page_size => 1, sort_by => 'local_id', sort_order => 'asc') AS e;
-- The same rows as the other form has, in its order, page after page.
WITH RECURSIVE pages AS (
	SELECT 1 AS n, zcsync.tickets_page_json(page_size => 60, sort_by => 'subject') AS e
	UNION ALL
	SELECT n + 1, zcsync.tickets_page_json(e #>> '{pagination,nextCursor}', 60, 'subject') FROM pages WHERE e #> '{pagination,hasMore}' = 'true')
SELECT array_agg(jsonb_array_length(e -> 'data') ORDER BY n) AS rows, bool_and(e -> 'success' = 'true') AS success,
	bool_and((e #> '{pagination,nextCursor}' = 'null') = (e #> '{pagination,hasMore}' = 'false')) AS agree,
	(SELECT array_agg((x.d ->> 'local_id')::bigint ORDER BY p.n, x.i) FROM pages p, jsonb_array_elements(p.e -> 'data') WITH ORDINALITY AS x (d, i))
		= sorted('tickets', 'subject', 'desc', NULL) AS all_rows
FROM pages;
SELECT jsonb_array_length(e -> 'data') AS rows, e -> 'pagination' ->> 'limit' AS "limit", e #> '{pagination,hasNextPage}' AS has_next
FROM zcsync.leads_page_json(page_size => 500) AS e;
SELECT e -> 'pagination' AS last_page FROM zcsync.leads_page_json(page_size => 100, account => 'crm') AS e;
SELECT zcsync.tickets_page_json('nonsense');
SELECT zcsync.leads_page_json(page_size => 0);

-- ---------------------------------------------------------------------
-- Rows that come, go and change between two pages
-- ---------------------------------------------------------------------
CREATE FUNCTION next_of(page_cursor text) RETURNS text LANGUAGE sql AS $$ SELECT min(next_cursor) FROM zcsync.tickets_page(page_cursor, 40) $$;
SELECT sorted('tickets', 'created_at', 'desc', NULL) AS before, next_of(NULL) AS c1 \gset
SELECT ARRAY(SELECT local_id FROM zcsync.tickets_page(page_size => 40)) AS seen \gset
BEGIN;
SET LOCAL session_replication_role = replica;
-- newer than all, among those seen, equal to one that comes
INSERT INTO zcsync.tickets (account_id, remote_id, created_at) SELECT zcsync.account('acme'), 'new' || i, NULL FROM generate_series(1, 5) i;
INSERT INTO zcsync.tickets (account_id, remote_id, created_at) SELECT account_id, 'x' || local_id, created_at FROM zcsync.tickets WHERE local_id = ANY (:'seen') LIMIT 5;
INSERT INTO zcsync.tickets (account_id, remote_id, created_at) SELECT zcsync.account('beta'), 'twin', created_at FROM zcsync.tickets WHERE local_id = (:'before'::bigint[])[100];
-- the row that the cursor points to goes
UPDATE zcsync.tickets SET deleted_at = now() WHERE local_id = (:'before'::bigint[])[40];
SELECT ARRAY(SELECT local_id FROM zcsync.tickets_page(:'c1', 100)) = (:'before'::bigint[])[41:99] || ARRAY[(SELECT local_id FROM zcsync.tickets WHERE remote_id = 'twin')]
	|| (:'before'::bigint[])[100:] AS as_before_and_the_twin;
ROLLBACK;

-- ---------------------------------------------------------------------
-- Plans.  A page reads its own rows, first or last, in the order of an index.
-- ---------------------------------------------------------------------
SET session_replication_role = replica;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, assignee_id, created_at)
SELECT CASE WHEN i > 12000 THEN (SELECT zcsync.account('beta')) ELSE (SELECT zcsync.account('acme')) END, 'p' || i, 'Printer', (ARRAY['open', 'pending', 'solved'])[1 + i % 3], (i % 200)::text,
	'2026-02-01'::timestamptz + i / 100 * interval '1 hour' FROM generate_series(1, 20000) i;
INSERT INTO zcsync.tasks (account_id, remote_id, name, created_at)
SELECT (SELECT zcsync.account('dev')), 'p' || i, 'Task', '2026-02-01'::timestamptz + i / 100 * interval '1 hour' FROM generate_series(1, 20000) i;
INSERT INTO zcsync.leads (account_id, last_name, created_at, inserted_at)
SELECT (SELECT zcsync.account('crm')), 'Lead', '2026-02-01'::timestamptz + i / 100 * interval '1 hour', now() - i % 4 * interval '1 month' FROM generate_series(1, 20000) i;
RESET session_replication_role;
VACUUM ANALYZE zcsync.tickets, zcsync.tasks, zcsync.leads;
-- The plan of the query of a page as the session keeps it.
CREATE FUNCTION plan_of(query text, key text, local_id bigint, account_id bigint, rows integer, list jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	v_plan jsonb;
BEGIN
	EXECUTE 'PREPARE page (text, bigint, bigint, integer, jsonb) AS ' || query;
	EXECUTE format('EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) EXECUTE page(%L, %L, %L, %L, %L)', key, local_id, account_id, rows, list) INTO v_plan;
	DEALLOCATE page;
	RETURN v_plan;
END $$;
CREATE FUNCTION plan_of(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	v_plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) ' || query INTO v_plan;
	RETURN v_plan;
END $$;
-- Its scans, without those that found nothing to read, and the sorts of more than a
-- page; months have one name here.
CREATE FUNCTION scans(plan jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT DISTINCT concat_ws(' ', n ->> 'Node Type', regexp_replace(coalesce(n ->> 'Index Name', n ->> 'Relation Name'), '_(y\d+m\d+|default)', '_<month>'))
	FROM jsonb_path_query(plan, 'strict $.**') AS n
	WHERE (n ->> 'Node Type' ~ 'Scan' AND (n ? 'Index Name' OR n ->> 'Node Type' = 'Seq Scan') AND coalesce(n ->> 'Relation Name', '') <> 'accounts'
			AND (n ->> 'Actual Rows')::numeric + coalesce((n ->> 'Rows Removed by Filter')::numeric, 0) > 0)
		OR (n ->> 'Node Type' ~ 'Sort' AND (n #>> '{Plans,0,Actual Rows}')::numeric > 102)
	ORDER BY 1;
$$;
CREATE FUNCTION pages_read(plan jsonb) RETURNS bigint LANGUAGE sql AS
$$ SELECT (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint $$;
CREATE FUNCTION cursor_at(kind text, sort_order text, account text, created_at timestamptz, local_id bigint) RETURNS text LANGUAGE sql AS
$$ SELECT zcsync._encode_cursor(jsonb_build_array(kind, 'created_at', sort_order, account), to_jsonb(created_at), local_id) $$;
-- first page, in the middle, near the ends, among NULL; the newest tickets are all
-- of one account
CREATE TABLE page_queries AS
SELECT k.kind, a.account, o.sort_order, p.n, q.*
FROM unnest('{tickets,tasks,leads}'::text[]) AS k (kind)
CROSS JOIN unnest(CASE k.kind WHEN 'tickets' THEN '{NULL,acme,beta}'::text[] WHEN 'tasks' THEN '{NULL,dev}' ELSE '{NULL,crm}' END) AS a (account)
CROSS JOIN unnest('{asc,desc}'::text[]) AS o (sort_order)
CROSS JOIN (VALUES (1, NULL), (2, '2026-02-05'), (3, '2026-02-01 12:00'), (4, '2026-02-09'), (5, NULL::timestamptz)) AS p (n, at)
CROSS JOIN LATERAL zcsync._page_query(k.kind, '{created_at}', CASE WHEN p.n > 1 THEN cursor_at(k.kind, o.sort_order, a.account, p.at, 10000) END, 20,
	'created_at', o.sort_order, a.account) AS q;
SET enable_sort = off;		-- as in the functions
SET enable_incremental_sort = off;
SET jit = off;
SET plan_cache_mode = force_generic_plan;
SELECT DISTINCT q.kind, q.account IS NOT NULL AS of_account, scans(plan_of(q.query, q.key, q.local_id, q.account_id, q.rows, q.list)) FROM page_queries q ORDER BY 1, 2, 3;
-- flat: none reads more than a few pages of table and index, here of each month
SELECT kind, max(pages_read(plan_of(query, key, local_id, account_id, rows, list))) <= CASE kind WHEN 'leads' THEN 150 ELSE 60 END AS flat, count(*) FROM page_queries GROUP BY kind ORDER BY kind;
-- whatever statistics say: these are of a time when there was nothing
DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relname ~ '^(tickets|tasks|leads)');
SELECT kind, max(pages_read(plan_of(query, key, local_id, account_id, rows, list))) <= CASE kind WHEN 'leads' THEN 150 ELSE 60 END AS flat FROM page_queries GROUP BY kind ORDER BY kind;
ANALYZE zcsync.tickets, zcsync.tasks, zcsync.leads;
-- what the last page by OFFSET reads
SELECT pages_read(plan_of('SELECT created_at FROM zcsync.tickets WHERE deleted_at IS NULL ORDER BY created_at DESC, local_id DESC LIMIT 20 OFFSET 19000'))
	> 5 * (SELECT max(pages_read(plan_of(query, key, local_id, account_id, rows, list))) FROM page_queries WHERE kind = 'tickets') AS offset_is_not;
SELECT scans(plan_of(query, key, local_id, account_id, rows, list)) FROM zcsync._page_query('tickets', '{created_at}', NULL, 20, 'local_id', 'asc', 'beta');
SELECT scans(plan_of(query, key, local_id, account_id, rows, list)) FROM zcsync._page_query('leads', '{created_at}', NULL, 20, 'local_id', 'desc', NULL);
RESET enable_sort;
RESET enable_incremental_sort;
RESET jit;
RESET plan_cache_mode;

-- A session keeps plans, as many as there is room for; what changes is seen, as in any other plan.
SELECT sum(p.n) FROM generate_series(1, 70) AS i CROSS JOIN LATERAL zcsync._read_kept('SELECT $1 + ' || i, 1) AS p (n integer);
SELECT sum(p.n) FROM generate_series(1, 70) AS i CROSS JOIN LATERAL zcsync._read_kept('SELECT $1 + ' || i, 2) AS p (n integer);
CREATE FUNCTION quality_of_page() RETURNS TABLE (quality integer) LANGUAGE sql AS $$ SELECT quality FROM zcsync.leads_page(page_size => 1, sort_by => 'quality') $$;
SELECT * FROM quality_of_page();
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE zcsync.leads SET quality = 99 WHERE local_id = (SELECT max(local_id) FROM zcsync.leads);
UPDATE zcsync.leads SET quality = 0 WHERE quality IS DISTINCT FROM 99;
DROP INDEX zcsync.idx_leads_created_at;
SELECT * FROM quality_of_page();
SELECT count(*) FROM zcsync.leads_page();
ROLLBACK;
SELECT * FROM quality_of_page();
-- a query with arguments of other types is another one
SELECT p.t FROM (VALUES (1), (2)) AS v (i) CROSS JOIN LATERAL zcsync._read_kept('SELECT pg_typeof($1)::text', i) AS p (t text)
UNION ALL SELECT p.t FROM zcsync._read_kept('SELECT pg_typeof($1)::text', 'a') AS p (t text);
-- the query must be one, and have the columns that are read
SELECT * FROM zcsync._read_kept(NULL, 1) AS p (n integer);
\set VERBOSITY terse
SELECT * FROM zcsync._read_kept('SELECT $1', NULL) AS p (n integer);
\set VERBOSITY default
SELECT * FROM zcsync._read_kept('DELETE FROM zcsync.leads RETURNING 1', 1) AS p (n integer);
SELECT * FROM zcsync._read_kept('SET jit = off', 1) AS p (n integer);
DROP FUNCTION quality_of_page;

-- ---------------------------------------------------------------------
-- Short lists
-- ---------------------------------------------------------------------
SET session_replication_role = replica;
UPDATE zcsync.tickets SET deleted_at = now() WHERE remote_id = 'p200';
RESET session_replication_role;
SELECT reference, status, created_at FROM zcsync.active_tickets_by_user('0', 3);
SELECT count(*) AS active, count(DISTINCT status) AS statuses, (SELECT count(*) FROM zcsync.active_tickets_by_user('0', 1000, 'beta')) AS beta,
	(SELECT count(*) FROM zcsync.active_tickets_by_user('0', 1000, 'acme')) AS acme
FROM zcsync.active_tickets_by_user('0');
SELECT count(*) FROM zcsync.tickets WHERE assignee_id = '0' AND status IN ('open', 'pending') AND deleted_at IS NULL;
SELECT count(*) FROM zcsync.active_tickets_by_user(NULL);
SELECT count(*) FROM zcsync.active_tickets_by_user('0', 0);
SELECT count(*) FROM zcsync.active_tickets_by_user('0', NULL);
SELECT count(*) FROM zcsync.active_tickets_by_user('0', account => 'nobody');
-- twice, as the first one reads the catalog as well
SELECT least(pages_read(plan_of(q)), pages_read(plan_of(q))) < 150 AS by_index,
	pages_read(plan_of('SELECT subject FROM zcsync.tickets WHERE description IS NULL')) > 300 AS not_as_the_table
FROM (VALUES ($$SELECT * FROM zcsync.active_tickets_by_user('0')$$)) AS v (q);

SELECT count(*), bool_and(local_id = a.id) AS newest_first FROM zcsync.recent_leads() WITH ORDINALITY AS r
JOIN LATERAL unnest((sorted('leads', 'created_at', 'desc', NULL))[1:100]) WITH ORDINALITY AS a (id, n) ON a.n = r.ordinality;
SELECT count(*) FROM zcsync.recent_leads(7);
SELECT count(*) FROM zcsync.recent_leads(-1);
SELECT least(pages_read(plan_of(q)), pages_read(plan_of(q))) < 150 AS by_index FROM (VALUES ('SELECT * FROM zcsync.recent_leads()')) AS v (q);

INSERT INTO zcsync.leads (account_id, last_name, company, email) VALUES (zcsync.account('crm'), 'A', 'ACME Ltd', 'a@acme.example'),
	(zcsync.account('crm'), 'B', 'Acme Ltd', 'b@acme.example'), (zcsync.account('crm'), 'C', 'Zeta', 'c@zeta.example');
SELECT company, leads, opportunities FROM zcsync.top_companies(4);
SELECT count(*) FROM zcsync.top_companies(NULL);

-- ---------------------------------------------------------------------
-- The report
-- ---------------------------------------------------------------------
SELECT count(*) AS live, (SELECT count(*) FROM zcsync.tickets_report()) AS reported, (SELECT count(*) FROM zcsync.tickets_report(account => 'acme')) AS acme
FROM zcsync.tickets WHERE deleted_at IS NULL;
SELECT array_agg(local_id) = sorted('tickets', 'created_at', 'asc', NULL) AS in_order FROM zcsync.tickets_report();
-- from and to which time: until is not part of it
SELECT count(*), min(created_at), max(created_at) FROM zcsync.tickets_report('2026-02-02', '2026-02-03');
SELECT count(*) FROM zcsync.tickets_report('2026-02-03', '2026-02-02');
SELECT count(*) FROM zcsync.tickets_report(account => 'nobody');
-- It is part of the statement around it: read in the order of the index, and
-- only what is asked for.
SELECT scans(plan_of('SELECT reference, subject FROM zcsync.tickets_report() LIMIT 1000'));
SELECT scans(plan_of($$SELECT * FROM zcsync.tickets_report('2026-02-02', '2026-02-03', 'acme') LIMIT 100$$));
SELECT pages_read(plan_of('SELECT reference FROM zcsync.tickets_report() LIMIT 100')) < 60 AS begins_at_once;
COPY (SELECT reference, subject, created_at FROM zcsync.tickets_report('2026-02-02', '2026-02-03') LIMIT 3) TO STDOUT (FORMAT csv, HEADER);
-- A thousand at a time, while rows are inserted before and behind.
CREATE TABLE read (local_id bigint, n serial);
BEGIN;
SET LOCAL session_replication_role = replica;
DECLARE report NO SCROLL CURSOR FOR SELECT local_id FROM zcsync.tickets_report('2026-02-01');
DO $$
DECLARE
	v_report refcursor := 'report';
	v_id bigint;
	v_count integer := 0;
BEGIN
	LOOP
		FETCH v_report INTO v_id;
		EXIT WHEN NOT FOUND;
		INSERT INTO read VALUES (v_id);
		v_count := v_count + 1;
		IF v_count % 1000 = 0 THEN
			INSERT INTO zcsync.tickets (account_id, remote_id, created_at)
			SELECT zcsync.account('acme'), 'w' || v_count || '-' || i, '2026-02-01'::timestamptz + i * interval '1 hour' FROM generate_series(0, 199) i;
		END IF;
	END LOOP;
END $$;
SELECT count(*) AS inserted FROM zcsync.tickets WHERE remote_id LIKE 'w%';
SELECT count(*) AS read, count(DISTINCT local_id) AS different, array_agg(local_id ORDER BY n) = (
	SELECT array_agg(local_id ORDER BY created_at, local_id) FROM zcsync.tickets
	WHERE created_at >= '2026-02-01' AND deleted_at IS NULL AND remote_id NOT LIKE 'w%') AS all_in_order FROM read;
ROLLBACK;

-- ---------------------------------------------------------------------
-- Rights: those of the caller.
-- ---------------------------------------------------------------------
CREATE ROLE regress_zcsync_reader;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT count(*) FROM zcsync.tickets_page();
SELECT zcsync.tickets_page_json();
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync.tickets_page, zcsync.tickets_page_json, zcsync.tickets_report, zcsync.active_tickets_by_user, zcsync.account,
	zcsync._page_query, zcsync._read_kept, zcsync._encode_cursor, zcsync._check_rows TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT count(*) FROM zcsync.tickets_page();
SELECT count(*) FROM zcsync.tickets_report();
RESET ROLE;
-- columns are enough, and row-level security holds
GRANT SELECT (account_id, local_id, remote_id, subject, status, priority, type, requester_id, assignee_id, group_id, organization_id, tags,
	due_at, url, created_at, updated_at, deleted_at) ON zcsync.tickets TO regress_zcsync_reader;
GRANT SELECT (account_id, name) ON zcsync.accounts TO regress_zcsync_reader;
CREATE POLICY beta ON zcsync.tickets FOR SELECT TO regress_zcsync_reader USING (account_id = zcsync.account('beta'));
ALTER TABLE zcsync.tickets ENABLE ROW LEVEL SECURITY;
SET ROLE regress_zcsync_reader;
SELECT count(*), min(split_part(reference, '/', 1)), max(split_part(reference, '/', 1)) FROM zcsync.tickets_page(page_size => 100);
SELECT count(*) FROM zcsync.tickets_page(page_size => 100, account => 'acme');
SELECT jsonb_array_length(zcsync.tickets_page_json() -> 'data') AS rows;
SELECT DISTINCT split_part(reference, '/', 1) FROM zcsync.tickets_report();
SELECT DISTINCT split_part(reference, '/', 1) FROM zcsync.active_tickets_by_user('0');
SELECT count(*) FROM zcsync.leads_page();
RESET ROLE;

DROP TABLE page_queries, read;
DROP FUNCTION walk, walks, sorted, refused, forged, next_of, plan_of(text), plan_of(text, text, bigint, bigint, integer, jsonb), scans, pages_read, cursor_at, finite_of, time_of, text_of;
DROP EXTENSION zcsync CASCADE;
DROP OWNED BY regress_zcsync_reader;
DROP ROLE regress_zcsync_reader;
