-- ClickUp: requests of pulls, cursors, documents as rows, what a push sends.
-- The worker is stopped; documents are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001"}') AS dev \gset
INSERT INTO zcsync.streams (account_id, kind, since, created_at, scope) VALUES
	(:dev, 'tasks', '2026-01-01 00:00+00', '2026-02-01 00:00+00', '{"list_ids": ["11", "12"]}'),
	(:dev, 'fields', NULL, '2026-02-01 00:00+00', '{}'),
	(:dev, 'statuses', NULL, '2026-02-01 00:00+00', '{}');
SELECT stream_id AS tasks FROM zcsync.streams WHERE kind = 'tasks' \gset
SELECT stream_id AS fields FROM zcsync.streams WHERE kind = 'fields' \gset
SELECT stream_id AS statuses FROM zcsync.streams WHERE kind = 'statuses' \gset
SET timezone = 'Asia/Kolkata';

-- budgets, addresses, scopes
SELECT p.plan, b.* FROM unnest('{free,unlimited,business,business_plus,enterprise}'::text[]) WITH ORDINALITY AS p (plan, n),
	zcsync._clickup_budgets(jsonb_build_object('plan', p.plan)) AS b ORDER BY p.n;
SELECT zcsync._clickup_record_url('{}', k, '9hx') FROM unnest('{tasks,fields}'::text[]) AS k;
SELECT zcsync._clickup_scope_check('tasks', s) FROM unnest('{"{}","{\"list_ids\": [\"1\", 2]}"}'::jsonb[]) AS s;
SELECT zcsync._clickup_scope_check('tasks', '{"lists": ["1"]}');
SELECT zcsync._clickup_scope_check('tasks', '{"list_ids": "1"}');
SELECT zcsync._clickup_scope_check('tasks', '{"list_ids": []}');
SELECT zcsync._clickup_scope_check('tasks', '{"list_ids": ["1", "Bugs"]}');
SELECT zcsync._clickup_scope_check('tasks', '{"list_ids": [null]}');

-- ---------------------------------------------------------------------
-- Reading tasks
-- ---------------------------------------------------------------------
-- how many tasks a history will read, as far as its pages so far tell: first, seen, of this page, now
SELECT c AS cursor, zcsync._clickup_expected(:tasks, c, first, seen, tasks, 1000000) AS then
FROM (VALUES (1, '{}'::jsonb, 0, 250000, 100), (2, '{"first": 500000}', 700000, 750000, 100), (3, '{}', NULL, NULL, 0), (4, '{"first": 0, "expected": 7}', 10, 20, 100),
	(5, '{"first": 0}', 900000, 1000000, 50), (6, '{"first": 0}', 900000, 2000000, 50)) AS v (n, c, first, seen, tasks) ORDER BY n;
SELECT lane, zcsync._clickup_pull_request(:tasks, lane) FROM unnest('{live,history}'::text[]) AS lane;

-- n tasks, changed at first ms and then step ms apart; ids from "from"
CREATE FUNCTION page(from_id integer, n integer, first bigint, step bigint, last_page text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_strip_nulls(jsonb_build_object('last_page', last_page::jsonb, 'tasks', (SELECT coalesce(jsonb_agg(
		jsonb_build_object('id', 't' || i, 'date_updated', (first + (i - from_id) * step)::text) ORDER BY i), '[]')
		FROM generate_series(from_id, from_id + n - 1) i)))
$$;
-- one round of a lane: what was asked, and where it goes on
CREATE FUNCTION poll(lane text, reply jsonb) RETURNS TABLE (page integer, gt bigint, archived text, next jsonb, more boolean) LANGUAGE plpgsql AS
$$
DECLARE
	stream bigint := (SELECT stream_id FROM zcsync.streams WHERE kind = 'tasks');
	request jsonb := zcsync._clickup_pull_request(stream, lane);
BEGIN
	page := request ->> 'page';
	gt := request ->> 'date_updated_gt';
	archived := (request ->> 'archived') || ' of ' || (request ->> 'list_id');
	SELECT x.cursor - '{shared,first}'::text[], x.more INTO next, more FROM zcsync._clickup_next(stream, lane, request, reply) x;
	UPDATE zcsync.streams s SET live_cursor = CASE lane WHEN 'live' THEN x.cursor ELSE s.live_cursor END,
		history_cursor = CASE lane WHEN 'history' THEN x.cursor ELSE s.history_cursor END
	FROM zcsync._clickup_next(stream, lane, request, reply) x WHERE s.stream_id = stream;
	RETURN NEXT;
END
$$;
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('gt', 1000, 'page', 0, 'max', 1000, 'shared', '{"at": 9000000000000}'::jsonb) WHERE kind = 'tasks';
-- does a page go on? what ClickUp says of it counts more than how many tasks it has
SELECT p.page, p.reply ->> 'last_page' AS last_page, jsonb_array_length(p.reply -> 'tasks') AS tasks, zcsync._clickup_goes_on(p.page, p.reply)
FROM (VALUES ('0', page(1, 100, 0, 1)), ('0', page(1, 99, 0, 1)), ('0', page(1, 100, 0, 1, 'true')), ('0', page(1, 3, 0, 1, 'false')), ('20', page(1, 3, 0, 1, 'false')),
	('0', page(1, 0, 0, 1, 'false')), ('20', page(1, 0, 0, 1, 'false')), ('0', page(1, 0, 0, 1))) AS p (page, reply);
-- the view progress says from that when a history is done: a hundred tasks of the first of a hundred days took a minute
BEGIN;
UPDATE zcsync.streams SET since = zcsync._now() - interval '200 days', history_state = 'running', history_started_at = zcsync._now() - interval '1 minute' WHERE stream_id = :tasks;
SELECT more_to_come.again FROM zcsync._finish_pull(1, :tasks, 'history', zcsync._clickup_pull_request(:tasks, 'history'),
	page(1, 100, zcsync._clickup_ms(zcsync._now() - interval '100 days'), 864000, 'false')) AS more_to_come;
SELECT done, estimate BETWEEN 10000 AND 10200 AS estimated, progress, eta ~ '^(99|10[01]) min$' AS expected FROM zcsync.progress WHERE lane = 'history';
ROLLBACK;
-- full pages: onward by time, page 0 each time
SELECT * FROM poll('live', page(1, 100, 2000, 10, 'false'));
SELECT * FROM poll('live', page(100, 100, 2990, 10));
-- a page that ends: old changes are not read again
SELECT * FROM poll('live', page(200, 3, 4000, 10, 'true'));
SELECT * FROM poll('live', page(0, 0, 0, 0, 'true'));
-- 250 tasks of one millisecond: pages are turned, twice
SELECT * FROM poll('live', page(1000, 100, 5000, 0));
SELECT zcsync._clickup_pull_request(:tasks, 'live') ->> 'date_updated_gt' AS still;
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1000, 100, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1100, 100, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1200, 50, 5000, 0));
-- again from page 0; the second pass differs (one task moved away), the third is like the second
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1001, 100, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1101, 100, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1201, 49, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1001, 100, 5000, 0));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1101, 100, 5000, 0));
SELECT page, gt, next, more FROM poll('live', page(1201, 49, 5000, 0));
-- newest first, should the vendor not heed the order: pages are turned
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('gt', 1000, 'page', 0, 'max', 1000, 'shared', '{"at": 9000000000000}'::jsonb) WHERE kind = 'tasks';
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(1, 100, 9000, -10));
-- short pages that are not the last ones
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('gt', 1000, 'page', 0, 'max', 1000, 'shared', '{"at": 9000000000000}'::jsonb) WHERE kind = 'tasks';
SELECT * FROM poll('live', page(1, 3, 2000, 10, 'false'));
SELECT * FROM poll('live', page(3, 1, 2020, 10, 'false'));
SELECT page, gt, next - '{sum,before}'::text[] AS next, more FROM poll('live', page(4, 2, 2030, 10, 'true'));
-- fresh changes are looked at again by the next poll
SELECT zcsync._clickup_ms(zcsync._now()) AS now \gset
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('gt', 1000, 'page', 0, 'max', 1000, 'shared', '{"at": 9000000000000}'::jsonb) WHERE kind = 'tasks';
SELECT (next ->> 'gt')::bigint - :now AS gt, more FROM poll('live', page(1, 2, :now, 1));
-- what is no page moves nothing
SELECT next = (SELECT live_cursor - 'shared' FROM zcsync.streams WHERE kind = 'tasks') AS unmoved, more FROM poll('live', '{}');
SELECT more FROM poll('live', '{"tasks": [null, 1, {"date_updated": "x"}, {"id": 3, "date_updated": null}]}');

-- archived tasks, and tasks with their home in another list, list by list after the history
SELECT * FROM poll('history', page(1, 3, 1770000000000, 10, 'true'));
SELECT page, archived, jsonb_array_length(next #> '{lists,todo}') AS left_over, more FROM poll('history', page(1, 100, 1770000000000, 10));
SELECT page, archived, jsonb_array_length(next #> '{lists,todo}') AS left_over, more FROM poll('history', page(101, 5, 1770000000000, 10));
SELECT page, archived, jsonb_array_length(next #> '{lists,todo}') AS left_over, more FROM poll('history', page(1, 0, 0, 0));
SELECT page, archived, jsonb_array_length(next #> '{lists,todo}') AS left_over, more FROM poll('history', '{"zcsync_missing": true}');
SELECT page, archived, next, more FROM poll('history', page(1, 0, 0, 0));
-- the live lane reads one list a minute for tasks with another home
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('gt', 5, 'page', 0, 'max', 5) WHERE kind = 'tasks';
SELECT page, gt, next, more FROM poll('live', page(1, 0, 0, 0));
SELECT page, gt, next, more FROM poll('live', page(1, 2, 1770000000000, 1));
SELECT live_cursor -> 'shared' -> 'next' AS next, (live_cursor #>> '{shared,at}')::bigint - (live_cursor #>> '{shared,gt,11}')::bigint AS overlap FROM zcsync.streams WHERE kind = 'tasks';
SELECT page, gt, next, more FROM poll('live', page(1, 0, 0, 0));
UPDATE zcsync.streams SET live_cursor = jsonb_set(live_cursor, '{shared,at}', '5') WHERE kind = 'tasks';
SELECT page, next #> '{lists,todo}' AS todo, more FROM poll('live', page(1, 0, 0, 0));
-- a whole workspace: archived tasks of the lists of the tasks known
UPDATE zcsync.streams SET scope = '{}', live_cursor = NULL, history_cursor = NULL WHERE kind = 'tasks';
SELECT zcsync._clickup_pull_request(:tasks, 'live');
SELECT more, next ? 'lists' AS lists FROM poll('live', page(1, 0, 0, 0));
SELECT more, next ? 'lists' AS lists FROM poll('history', page(1, 0, 0, 0));

-- ---------------------------------------------------------------------
-- The comparison of all tasks
-- ---------------------------------------------------------------------
CREATE FUNCTION compare(reply jsonb) RETURNS TABLE (request jsonb, next jsonb, gone text[]) LANGUAGE plpgsql AS
$$
DECLARE
	stream bigint := (SELECT stream_id FROM zcsync.streams WHERE kind = 'tasks');
	at jsonb := coalesce((SELECT compare_cursor FROM zcsync.streams WHERE kind = 'tasks'), '{}');
BEGIN
	request := zcsync._clickup_compare_request(stream, at) - '{include_closed,subtasks,reverse,compare}'::text[];
	SELECT c.pass, ARRAY(SELECT unnest(c.gone) ORDER BY 1) INTO next, gone FROM zcsync._clickup_compare(stream, at, request, reply) c;
	UPDATE zcsync.streams SET compare_cursor = next WHERE kind = 'tasks';
	RETURN NEXT;
END
$$;
-- tasks created at ms, apart
CREATE FUNCTION created(from_id integer, n integer, first bigint, step bigint) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('tasks', coalesce(jsonb_agg(jsonb_build_object('id', 't' || i, 'date_created', (first + (i - from_id) * step)::text) ORDER BY i), '[]'))
	FROM generate_series(from_id, from_id + n - 1) i
$$;
SET session_replication_role = replica;
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, archived, created_at, deleted_at, remote)
SELECT :dev, 't' || i, CASE WHEN i <= 150 THEN '11' ELSE '12' END, i > 190, to_timestamp((1000 + i) / 1000.0), CASE WHEN i = 7 THEN now() END,
	CASE WHEN i = 3 THEN '{"locations": [{"id": "12"}]}'::jsonb END FROM generate_series(1, 200) i;
RESET session_replication_role;
-- t5 is missing on the first page; others may have been created when its last one was
SELECT request, next, gone FROM compare(jsonb_set(created(1, 101, 1001, 1), '{tasks}', (created(1, 101, 1001, 1) -> 'tasks') - 4));
-- t190 is missing on the last page; archived tasks are in lists of their own, one of which is gone
SELECT request, next, gone FROM compare(created(101, 89, 1101, 1));
SELECT request, next, gone FROM compare(created(1, 0, 0, 0));
SELECT request, next, gone FROM compare('{"zcsync_missing": true}');
-- pages that are not in order, or of one millisecond, are turned, and compared at the end
SELECT next - 'todo' - 'seen' AS next, jsonb_array_length(next -> 'seen') AS seen, gone FROM compare(created(1, 100, 1100, -1));
SELECT next - 'todo' - 'seen' AS next, jsonb_array_length(next -> 'seen') AS seen, gone FROM compare(created(101, 100, 1101, 0));
SELECT next - 'todo' - 'seen' AS next, jsonb_array_length(next -> 'seen') AS seen, gone FROM compare(created(101, 100, 1101, 0));
SELECT next - 'todo' AS next, gone FROM compare(created(201, 0, 0, 0));
-- nonsense
SELECT next - 'todo' AS next, gone FROM compare('{"tasks": [null, 1, {"date_created": "x"}, {"id": 3, "date_created": null}]}');
-- a stream of some lists: list by list, with t3, which has its home in another one
UPDATE zcsync.streams SET scope = '{"list_ids": ["12"]}', compare_cursor = NULL WHERE kind = 'tasks';
SELECT request, next, cardinality(gone) FROM compare(created(151, 35, 1151, 1));
-- tasks of a list are found by its index, those of a span of time by theirs
CREATE FUNCTION scans() RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_object_agg(relname, pg_stat_get_xact_numscans(oid)) FROM pg_class
	WHERE relnamespace = 'zcsync'::regnamespace AND relname IN ('idx_tasks_list', 'tasks')
$$;
CREATE FUNCTION unlisted(list jsonb, after bigint, before bigint, OUT unlisted integer, OUT by_index boolean) LANGUAGE plpgsql SET enable_seqscan = off AS
$$
DECLARE
	v_before jsonb := scans();
BEGIN
	unlisted := cardinality(zcsync._clickup_unlisted((SELECT stream_id FROM zcsync.streams WHERE kind = 'tasks'), list, after, before, '{}'));
	by_index := scans() -> 'tasks' = v_before -> 'tasks' AND (NOT list ? 'list_id' OR scans() -> 'idx_tasks_list' <> v_before -> 'idx_tasks_list');
END
$$;
SET session_replication_role = replica;
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, created_at) SELECT :dev, 'other' || i, 'other' || i % 100, to_timestamp(1) FROM generate_series(1, 2000) i;
RESET session_replication_role;
ANALYZE zcsync.tasks;
SELECT * FROM unlisted('{"list_id": "11"}', 0, NULL);
SELECT * FROM unlisted('{"list_id": "12", "include_timl": true}', 1000, 1160);
SELECT * FROM unlisted('{}', 1001, 1100);
SET session_replication_role = replica;
DELETE FROM zcsync.tasks WHERE remote_id LIKE 'other%';
RESET session_replication_role;

-- Where a comparison is: as long as pages come it goes on, however long ago it began.
UPDATE zcsync.streams SET compare_cursor = jsonb_build_object('began', zcsync._now() - interval '5 days', 'at', zcsync._now() - interval '23 hours', 'pass', '{"page": 7}'::jsonb, 'gone', '[]'::jsonb)
WHERE kind = 'tasks';
SELECT zcsync._comparison(:tasks) -> 'pass' AS pass;
UPDATE zcsync.streams SET compare_cursor = compare_cursor || jsonb_build_object('at', zcsync._now() - interval '25 hours') WHERE kind = 'tasks';
SELECT zcsync._comparison(:tasks) AS anew;
SELECT done, estimate, progress, eta FROM zcsync.progress WHERE lane = 'compare';
-- the view progress shows it: 200 rows should be listed, and the first hundred took a minute
BEGIN;
UPDATE zcsync.streams SET compare_cursor = NULL, scope = '{}', history_state = 'none' WHERE kind = 'tasks';
SELECT count(*) FROM zcsync.progress WHERE lane = 'compare';
SELECT zcsync.compare('dev/tasks') AS job \gset
SELECT done, estimate, progress, eta FROM zcsync.progress WHERE lane = 'compare';
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() - interval '1 minute' WHERE job_id = :job;
SELECT page.again FROM zcsync._finish_pull(:job, :tasks, 'compare', zcsync._comparison_request(:tasks), created(1, 100, 1001, 1)) AS page;
SELECT done, estimate, progress, eta ~ '^([67][0-9] s|1 min)$' AS expected FROM zcsync.progress WHERE lane = 'compare';
ROLLBACK;
-- what is missing is kept as long as it may be looked up: more is counted
CREATE FUNCTION keep(at jsonb, from_id integer, to_id integer) RETURNS jsonb LANGUAGE sql AS
$$ SELECT zcsync._keep_gone((SELECT stream_id FROM zcsync.streams WHERE kind = 'tasks'), at, ARRAY(SELECT 'm' || i FROM generate_series(from_id, to_id) i)) $$;
SET session_replication_role = replica;
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, synced_at) SELECT :dev, 'm' || i, '11', now() - interval '1 day' FROM generate_series(1, 6000) i;
RESET session_replication_role;
SELECT a - 'gone' = b - 'gone' AS same, jsonb_array_length(a -> 'gone') AS kept, b -> 'gone' AS gone, b -> 'more' AS more, c -> 'more' AS then
FROM (SELECT jsonb_build_object('began', now(), 'gone', '[]'::jsonb)) AS z (z), LATERAL keep(z, 1, 5000) AS a, LATERAL keep(a, 5001, 5002) AS b, LATERAL keep(b, 5003, 5010) AS c;
-- without those that were seen elsewhere meanwhile
UPDATE zcsync.tasks SET synced_at = now() + interval '1 hour', sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id IN ('m1', 'm2', 'm3');
SELECT jsonb_array_length(b -> 'gone') AS kept, b ? 'more' AS counted
FROM (SELECT jsonb_build_object('began', now(), 'gone', '[]'::jsonb)) AS z (z), LATERAL keep(z, 1, 5000) AS a, LATERAL keep(a, 5001, 5002) AS b;
-- and as many as are believed
UPDATE zcsync.accounts SET settings = settings || '{"reconcile_limit": 100000}' WHERE account_id = :dev;
SELECT jsonb_array_length(b -> 'gone') AS kept, b ? 'more' AS counted
FROM (SELECT jsonb_build_object('began', now(), 'gone', '[]'::jsonb)) AS z (z), LATERAL keep(z, 1, 5000) AS a, LATERAL keep(a, 5001, 6000) AS b;
UPDATE zcsync.accounts SET settings = settings - 'reconcile_limit' WHERE account_id = :dev;
-- counted ones are too many
SELECT zcsync._end_comparison(:tasks, zcsync._now(), '{}', 5010);
SELECT message FROM zcsync.alerts WHERE code = 'records_missing' AND resolved_at IS NULL;
SELECT count(*) FROM zcsync.sync_queue WHERE dedupe_key LIKE 'look up/%';
SELECT zcsync._end_comparison(:tasks, zcsync._now(), '{}', NULL);
SELECT count(*) FROM zcsync.alerts WHERE code = 'records_missing' AND resolved_at IS NULL;
-- three days without one are said, with what to run
SELECT object, why, to_do FROM zcsync._uncompared();
UPDATE zcsync.streams SET compared_at = '2026-01-02 12:00Z' WHERE kind = 'tasks';
SELECT object, state, why, to_do FROM zcsync._uncompared();
UPDATE zcsync.streams SET compare_cursor = NULL WHERE kind = 'tasks';
SELECT count(*) FROM zcsync.status WHERE state = 'not compared';
SELECT to_do FROM zcsync._uncompared();
UPDATE zcsync.streams SET last_error = 'HTTP 403', last_error_lane = 'compare' WHERE kind = 'tasks';
SELECT why, to_do FROM zcsync._uncompared();
UPDATE zcsync.streams SET last_error = NULL, last_error_lane = NULL, compared_at = NULL WHERE kind = 'tasks';
SET session_replication_role = replica;
DELETE FROM zcsync.tasks WHERE remote_id LIKE 'm%';
RESET session_replication_role;

-- of the tasks of a comparison those that belong here: known ones, and what was made or changed since the beginning
SELECT r.remote_id FROM zcsync._clickup_rows(:dev, 'tasks', '{"compare": true}', '{"tasks": [{"id": "t1", "date_created": "1001", "date_updated": "1001"}, {"id": "old", "date_created": "1001", "date_updated": "1001"},
	{"id": "changed", "date_created": "1001", "date_updated": "1800000000000"}, {"id": "new", "date_created": "1800000000000"}]}') AS r;
SET session_replication_role = replica;
DELETE FROM zcsync.tasks;
RESET session_replication_role;
UPDATE zcsync.streams SET compare_cursor = NULL, scope = '{}';

-- ---------------------------------------------------------------------
-- Reading fields and statuses
-- ---------------------------------------------------------------------
CREATE FUNCTION walk(stream bigint, reply jsonb) RETURNS TABLE (request jsonb, more boolean) LANGUAGE plpgsql AS
$$
BEGIN
	request := zcsync._clickup_pull_request(stream, 'live');
	SELECT x.more INTO more FROM zcsync._clickup_next(stream, 'live', request, reply) x;
	UPDATE zcsync.streams s SET live_cursor = x.cursor FROM zcsync._clickup_next(stream, 'live', request, reply) x WHERE s.stream_id = stream;
	RETURN NEXT;
END
$$;
SELECT * FROM walk(:statuses, '{"spaces": [{"id": "1"}, {"id": "2"}]}');
SELECT * FROM walk(:statuses, '{"folders": [{"id": "5"}]}');
SELECT * FROM walk(:statuses, '{"folders": []}');
SELECT * FROM walk(:statuses, '{"lists": [{"id": "11"}]}');
SELECT * FROM walk(:statuses, '{"lists": []}');
SELECT * FROM walk(:statuses, '{"lists": [{"id": "12"}]}');
SELECT * FROM walk(:statuses, '{"id": "11"}');
SELECT * FROM walk(:statuses, '{"id": "12"}');
SELECT request ->> 'op' AS op, more FROM walk(:statuses, '{"spaces": []}');
-- the lists of the stream of tasks, or of its own scope
UPDATE zcsync.streams SET scope = '{"list_ids": ["11", "12"]}' WHERE kind = 'tasks';
SELECT * FROM walk(:fields, '{"fields": []}');
SELECT * FROM walk(:fields, '{"fields": []}');
SELECT * FROM walk(:fields, '{"custom_items": []}');
SELECT r.remote_id, r.vals - '{custom_fields,created_at,updated_at,position,required}'::text[] AS vals FROM unnest(ARRAY[
	'{"custom_items": [{"id": 1, "name": "Milestone"}, {"id": "1300-900e", "name": 7}, {"name": "x"}, null]}', '{"custom_items": []}', '{"zcsync_missing": true}', '[]']::jsonb[]) AS x (reply),
	zcsync._clickup_rows(:dev, 'fields', '{"op": "custom_items"}', x.reply) AS r;
-- types and watchers of tasks
SELECT r.vals ->> 'type_id' AS type_id, r.vals -> 'watchers' AS watchers FROM zcsync._clickup_rows(:dev, 'tasks', '{}', '{"tasks": [
	{"id": "a", "custom_item_id": 1300, "watchers": [{"id": 184}, {"id": 183}]}, {"id": "b", "custom_item_id": 0}, {"id": "c", "custom_item_id": null, "watchers": "x"}]}') AS r;
SELECT zcsync._clickup_update_body(r, '{"name": "x", "type_id": "1", "watchers": ["183"]}', NULL) AS body
FROM unnest(ARRAY['{"type_id": "1300", "watchers": ["184", "183"]}', '{"type_id": null, "watchers": []}', '{"type_id": "1", "watchers": ["183"]}', '{"name": "y"}']::jsonb[]) AS r;
SELECT zcsync._clickup_create_body(r, NULL) -> 'custom_item_id' AS type FROM unnest(ARRAY['{"name": "x"}', '{"name": "x", "type_id": null}', '{"name": "x", "type_id": "1300"}', '{"name": "x", "type_id": "bug"}']::jsonb[]) AS r;
UPDATE zcsync.streams SET scope = '{"list_ids": [13]}' WHERE kind = 'fields';
SELECT * FROM walk(:fields, '{"fields": []}');
-- stuck for more than an hour: begins anew
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('started', :now - 3700000, 'todo', '[{"op": "list_fields", "list_id": "gone"}]'::jsonb) WHERE kind = 'fields';
SELECT zcsync._clickup_pull_request(:fields, 'live');
-- without a workspace the request is refused where it is made, not here
UPDATE zcsync.accounts SET settings = '{}';
UPDATE zcsync.streams SET live_cursor = NULL, scope = '{}';
SELECT zcsync._clickup_pull_request(:tasks, 'live') -> 'team_id' AS tasks, zcsync._clickup_pull_request(:fields, 'live') -> 'team_id' AS fields;
SELECT zcsync._clickup_fetch_request(:tasks, '{"ids": ["9hx"]}');
UPDATE zcsync.accounts SET settings = '{"workspace_id": "9001"}';
SELECT zcsync._clickup_fetch_request(:tasks, '{"ids": ["DEV-12"]}');

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------
SELECT r.kind, r.remote_id, r.remote_version, r.is_deleted, jsonb_pretty(r.vals) AS vals
FROM zcsync._clickup_rows(:dev, 'tasks', '{}', $${"tasks": [{"id": "9hx", "custom_id": "DEV-12", "custom_item_id": 0, "name": "Fix \ud83d\udc1e",
	"text_content": "Text", "description": "Text\r\n\r\nzcsync-12345678-9abc-4def-8123-456789abcdef\n",
	"status": {"id": "p1_x", "status": "to do", "color": "#d3d3d3", "orderindex": 0, "type": "open"}, "orderindex": "1.0000",
	"date_created": "1767780450202", "date_updated": "1795165201000", "date_closed": null, "date_done": null, "archived": false,
	"creator": {"id": 183, "username": "J"}, "assignees": [{"id": 184, "username": "K"}, {"id": 183, "username": "J"}],
	"tags": [{"name": "zcsync", "tag_fg": "#fff"}, {"name": "bug"}], "parent": null,
	"priority": {"id": "2", "priority": "high", "color": "#6fddff"}, "due_date": "1795348800123", "start_date": 1795340000000,
	"points": 2.5, "time_estimate": "3600000", "url": "https://app.clickup.com/t/9hx",
	"custom_fields": [
		{"id": "f-drop", "type": "drop_down", "type_config": {"options": [{"id": "o-a", "name": "A", "orderindex": 0}, {"id": "o-b", "name": "B", "orderindex": 1}]}, "value": 1},
		{"id": "f-drop-id", "type": "drop_down", "type_config": {"options": [{"id": "o-a", "name": "A", "orderindex": 0}]}, "value": "o-a"},
		{"id": "f-drop-gone", "type": "drop_down", "type_config": {"options": []}, "value": 7},
		{"id": "f-labels", "type": "labels", "value": ["l-2", "l-1"]},
		{"id": "f-date", "type": "date", "value": "1795348800123"}, {"id": "f-number", "type": "number", "value": "12.50"},
		{"id": "f-money", "type": "currency", "value": 8000}, {"id": "f-check", "type": "checkbox", "value": "true"},
		{"id": "f-users", "type": "users", "value": [{"id": 184}, {"id": 183}]}, {"id": "f-tasks", "type": "tasks", "value": [{"id": "abc"}]},
		{"id": "f-text", "type": "short_text", "value": "x"}, {"id": "f-unset", "type": "text"}, {"id": "f-null", "type": "text", "value": null},
		{"id": "f-empty", "type": "text", "value": ""}, {"id": "f-nobody", "type": "users", "value": []},
		{"id": "f-place", "type": "location", "value": {"location": {"lat": 1.5, "lng": 2}, "place_id": "ChIJ", "formatted_address": "x"}},
		{"id": "f-progress", "type": "manual_progress", "value": {"current": "20", "percent_complete": 50}}, {"id": "f-files", "type": "attachment", "value": [{"id": "a-1", "title": "x"}]}],
	"list": {"id": "123", "name": "L"}, "project": {"id": "456"}, "folder": {"id": "456"}, "space": {"id": "789"}}]}$$) AS r;

-- a mark is only what is one, at the very end
SELECT quote_nullable(zcsync._clickup_description(d)) FROM unnest(ARRAY[
	'zcsync-12345678-9abc-4def-8123-456789abcdef', E'a\n\nzcsync-12345678-9abc-4def-8123-456789abcdef',
	'https://x.com/y#zcsync-12345678-9abc-4def-8123-456789abcdef', 'zcsync-12345678-9abc-4def-8123-456789abcdef then',
	'zcsync-12345678', E'a \n\t', '', ' ', NULL]) AS d;

-- what vendors should not send, but do: no row of the page is lost for it
CREATE TEMP TABLE odd AS
SELECT n, d::jsonb FROM (VALUES
	(1, '{"id": 12, "name": {"a": 1}, "description": ["x"], "status": "open", "priority": 3, "assignees": [1, null, {"username": "x"}], "tags": ["b", {"name": null}, 1]}'),
	(2, '{"id": "a", "status": ["x"], "priority": "urgent", "assignees": {"id": 1}, "tags": "x", "due_date": "tomorrow", "start_date": "99999999999999999999", "time_estimate": "1.5", "points": "many", "archived": "yes"}'),
	(3, '{"id": "b", "date_updated": -5, "date_created": "-86400000", "due_date": 1.5, "list": "x", "folder": [], "creator": 1, "custom_fields": [null, 1, {}, {"id": 1, "value": 2}, {"id": "d", "type": "date", "value": "x"}, {"id": "n", "type": "number", "value": "many"}, {"id": "u", "type": "users", "value": "x"}, {"id": "o", "type": "drop_down", "type_config": {"options": {}}, "value": {"id": 1}}, {"id": "c", "type": "checkbox", "value": 1}]}'),
	(4, '{"id": "c", "priority": {"priority": "high"}, "custom_fields": {"a": 1}, "points": "2.50", "time_estimate": 99999999999999999999}'),
	(5, '{"id": null}'), (6, '{}'), (7, '[]'), (8, 'null'), (9, '7'), (10, '"x"')) AS v (n, d);
SELECT r.remote_id, r.remote_version, jsonb_strip_nulls(r.vals) AS vals
FROM zcsync._clickup_rows(:dev, 'tasks', '{}', (SELECT jsonb_build_object('tasks', jsonb_agg(d ORDER BY n)) FROM odd)) AS r;
SET timezone = 'UTC';
SELECT r.vals = (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(p)) AS e WHERE r.vals ? e.key) AS fits
FROM zcsync._clickup_rows(:dev, 'tasks', '{}', (SELECT jsonb_build_object('tasks', jsonb_agg(d ORDER BY n)) FROM odd)) AS r,
	jsonb_populate_record(NULL::zcsync.tasks, r.vals) AS p;
SET timezone = 'Asia/Kolkata';
SELECT x.reply, count(r.*)
FROM (VALUES ('{}'), ('{"tasks": null}'), ('{"tasks": {}}'), ('[]'), ('{"id": "single"}'), (NULL)) AS x (reply)
LEFT JOIN LATERAL zcsync._clickup_rows(:dev, 'tasks', '{}', x.reply::jsonb) AS r ON true GROUP BY 1 ORDER BY 1;

-- the catalogue
SELECT r.remote_id, jsonb_strip_nulls(r.vals) FROM zcsync._clickup_rows(:dev, 'statuses', '{"op": "list", "list_id": "124"}', '{"id": "124",
	"statuses": [{"id": "p1_x", "status": "To Do", "orderindex": 0, "color": "#d3d3d3", "type": "open"},
	{"status": "complete", "orderindex": 1, "color": "#6bc950", "type": "closed"}, {"status": null}, 5]}') AS r;
SELECT r.remote_id, jsonb_strip_nulls(r.vals) FROM zcsync._clickup_rows(:dev, 'fields', '{"op": "list_fields", "list_id": "124"}', '{
	"fields": [{"id": "f-1", "name": "Stage", "type": "drop_down", "type_config": {"options": [{"id": "o-a", "name": "A", "orderindex": 0}]}, "required": false, "date_created": "1767780450202"}]}') AS r;
-- the members of the account's workspace, as contacts
UPDATE zcsync.accounts SET settings = '{"workspace_id": "9001"}';
SELECT r.kind, r.remote_id, jsonb_strip_nulls(r.vals) AS vals FROM zcsync._clickup_rows(:dev, 'contacts', '{"op": "team"}', '{"teams": [
	{"id": "9001", "members": [{"user": {"id": 183, "username": "J", "email": "j@example.com", "role": 3}}, {"user": null}, 5]},
	{"id": "9002", "members": [{"user": {"id": 184}}]}, {"id": "9001", "members": "x"}, 7]}') AS r;
SELECT count(*) FROM zcsync._clickup_rows(:dev, 'fields', '{"op": "spaces"}', '{"spaces": [{"id": "1"}]}');
SELECT k.kind, ARRAY(SELECT unnest(zcsync._own_columns(k.kind)) EXCEPT SELECT jsonb_object_keys(r.vals)) AS missing,
	ARRAY(SELECT jsonb_object_keys(r.vals) EXCEPT SELECT unnest(zcsync._own_columns(k.kind))) AS unknown
FROM (VALUES ('tasks', '{}', '{"tasks": [{"id": 1}]}'), ('fields', '{"op": "list_fields", "list_id": 1}', '{"fields": [{"id": 1}]}'),
	('statuses', '{"op": "list", "list_id": 1}', '{"statuses": [{"status": 1}]}')) AS k (kind, request, reply),
	zcsync._clickup_rows(:dev, k.kind, k.request::jsonb, k.reply::jsonb) AS r;

-- ---------------------------------------------------------------------
-- Values of custom fields: as rows have them, as they are sent, and what is refused
-- ---------------------------------------------------------------------
SET timezone = 'UTC';
SELECT v.type, v.value, f.form, CASE WHEN f.form IS NOT NULL THEN zcsync._clickup_field_body(v.type, f.form, v.value, v.old) END AS body,
	zcsync._clickup_field_form(v.type, v.config, f.form) = f.form AS stays,
	CASE WHEN f.form IS NULL THEN zcsync._clickup_refused_field('11', 'f-1', 'Field', v.type, v.config, v.value) END AS refused
FROM (VALUES (1, 'text', NULL::jsonb, '"a"'::jsonb, NULL::jsonb), (2, 'url', NULL, '5', NULL), (3, 'email', NULL, '["a"]', NULL),
	(4, 'number', NULL, '"12.50"', NULL), (5, 'number', NULL, '"many"', NULL), (6, 'currency', NULL, '8000', NULL),
	(7, 'emoji', '{"count": 5}', '"5"', NULL), (8, 'emoji', '{"count": 5}', '6', NULL), (9, 'emoji', '{}', '1.5', NULL),
	(10, 'manual_progress', '{"start": 10, "end": 30}', '20', NULL), (11, 'manual_progress', '{"start": 10, "end": 30}', '{"current": "20"}', NULL),
	(12, 'manual_progress', '{"start": 10, "end": 30}', '31', NULL), (13, 'manual_progress', '{}', '"1e"', NULL),
	(14, 'checkbox', NULL, '"TRUE"', NULL), (15, 'checkbox', NULL, '"yes"', NULL),
	(16, 'date', NULL, '"2026-12-24"', NULL), (17, 'date', NULL, '"2026-12-24T18:00:00+01:00"', NULL), (18, 'date', NULL, '1798135200000', NULL),
	(19, 'date', NULL, '"2026-02-30"', NULL), (20, 'date', NULL, '"tomorrow"', NULL),
	(21, 'drop_down', '{"options": [{"id": "o-a", "name": "A", "orderindex": 0}, {"id": "o-b", "name": "B", "orderindex": 1}]}', '"b"', NULL),
	(22, 'drop_down', '{"options": [{"id": "o-a", "name": "A", "orderindex": 0}, {"id": "o-b", "name": "B", "orderindex": 1}]}', '1', NULL),
	(23, 'drop_down', '{"options": [{"id": "o-a", "name": "A", "orderindex": 0}]}', '"C"', NULL), (24, 'drop_down', NULL, '{"a": 1}', NULL),
	(25, 'labels', '{"options": [{"id": "l-b", "label": "B"}, {"id": "l-a", "label": "A"}]}', '["b", "l-a"]', NULL), (26, 'labels', '{"options": [{"id": "l-b", "label": "B"}]}', '["b", "c"]', NULL),
	(27, 'users', NULL, '[184, {"id": 183}]', '["185", "183"]'), (28, 'users', NULL, '["x"]', NULL), (29, 'tasks', NULL, '["b", "a"]', '["c"]'), (30, 'attachment', NULL, '"a-1"', NULL),
	(31, 'location', NULL, '{"location": {"lat": "47.3", "lng": -122.5}, "formatted_address": "Tacoma", "place_id": "x"}', NULL),
	(32, 'location', NULL, '{"location": {"lat": 91, "lng": 0}, "formatted_address": "x"}', NULL), (33, 'location', NULL, '"Tacoma"', NULL),
	(34, 'automatic_progress', NULL, '5', NULL), (35, 'a new type', NULL, '{"a": 1}', NULL)) AS v (n, type, config, value, old)
CROSS JOIN LATERAL (SELECT zcsync._clickup_field_form(v.type, v.config, v.value)) AS f (form) ORDER BY v.n;

DROP FUNCTION page, poll, walk, compare, created, scans, unlisted, keep;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
