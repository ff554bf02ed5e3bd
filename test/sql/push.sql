-- Pushes: what is sent for a row, and what the row learns from the reply.
-- The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001"}') AS dev \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) > 0 AS writable FROM zcsync.alter_stream('dev/tasks', writes => true);
SELECT stream_id AS tasks FROM zcsync.streams \gset
SET timezone = 'Asia/Kolkata';

-- the push of a row: its job, claimed or not, and its next request
CREATE FUNCTION job(id bigint) RETURNS bigint LANGUAGE sql AS
$$ SELECT max(job_id) FROM zcsync.sync_queue q WHERE q.local_id = id AND operation = 'push' $$;
CREATE FUNCTION request(id bigint) RETURNS jsonb LANGUAGE sql AS
$$ SELECT request FROM zcsync._clickup_push_requests(ARRAY[job(id)]) $$;
-- without the row's random key, for reading
CREATE FUNCTION shown(id bigint) RETURNS jsonb LANGUAGE sql AS
$$ SELECT replace((request(id) - 'sent' - 'base')::text, (SELECT sync_key::text FROM zcsync.tasks WHERE local_id = id), 'KEY')::jsonb $$;
-- what ClickUp makes of a request for a task that was "doc"
CREATE FUNCTION reply(request jsonb, doc jsonb, updated bigint) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT '{"id": "t1", "tags": [], "assignees": [], "custom_fields": [], "archived": false, "date_created": "1795165201000", "list": {"id": "11"}}'::jsonb
		|| doc || jsonb_build_object('date_updated', updated)
		|| (SELECT coalesce(jsonb_object_agg(e.key,
			CASE e.key WHEN 'status' THEN jsonb_build_object('status', lower(e.value #>> '{}'), 'type', 'open')
				WHEN 'description' THEN to_jsonb(rtrim(e.value #>> '{}', E' \n'))
				WHEN 'assignees' THEN (SELECT jsonb_agg(jsonb_build_object('id', a)) FROM jsonb_array_elements(CASE jsonb_typeof(e.value)
					WHEN 'array' THEN e.value ELSE e.value -> 'add' END) a)
				WHEN 'tags' THEN (SELECT jsonb_agg(jsonb_build_object('name', lower(a))) FROM jsonb_array_elements_text(e.value) a)
				ELSE e.value END), '{}')
			FROM jsonb_each(request -> 'body') AS e WHERE e.key !~ '_time$|^(notify_all|check_|custom_)')
$$;
-- answer the next request, and let the job go on
CREATE FUNCTION finish(id bigint, request jsonb, reply jsonb) RETURNS TABLE (again boolean, status text) LANGUAGE plpgsql AS
$$
BEGIN
	UPDATE zcsync.sync_queue q SET attempts = q.attempts + 1, sent = zcsync._add_sent(q.sent, request, q.attempts + 1) WHERE q.job_id = job(id);
	RETURN QUERY SELECT f.again, f.status FROM zcsync._finish_pushes(ARRAY[job(id)], ARRAY[request - 'sent' - 'base'], ARRAY[reply]) AS f;
	UPDATE zcsync.sync_queue q SET sent = NULL WHERE q.job_id = job(id);
END
$$;
CREATE FUNCTION same(id bigint) RETURNS boolean LANGUAGE sql SET timezone = 'UTC' AS
$$ SELECT to_jsonb(t) @> t.base FROM zcsync.tasks t WHERE local_id = id $$;

-- ---------------------------------------------------------------------
-- A create
-- ---------------------------------------------------------------------
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, options, sync_cause, sync_xid) VALUES
	(:dev, '11:f-1', '11', 'Ref', 'text', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-2', '11', 'Check', 'checkbox', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-date', '11', 'Date', 'date', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-drop', '11', 'Drop', 'drop_down', '{"options": [{"id": "o-a", "name": "A"}, {"id": "o-b", "name": "B"}]}', 'pull', pg_current_xact_id()),
	(:dev, '11:f-labels', '11', 'Labels', 'labels', '{"options": [{"id": "l-a", "label": "A"}, {"id": "l-b", "label": "B"}]}', 'pull', pg_current_xact_id()),
	(:dev, '11:f-users', '11', 'Users', 'users', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-number', '11', 'Number', 'number', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-9', '11', 'Nine', 'number', NULL, 'pull', pg_current_xact_id()),
	(:dev, '11:f-other', '11', 'Other', 'a new type', NULL, 'pull', pg_current_xact_id());
INSERT INTO zcsync.tasks (account_id, name, description, list_id, status, priority, assignees, tags, due_at, time_estimate, custom_fields)
VALUES (:dev, 'Fix "it" 🐞', E'Text\n', '11', 'To Do', 2, '{184,183}', '{Bug,zcsync}', '2026-11-22 12:00:00.123456+00', 3600000, '{"f-1": "x", "f-2": true}')
RETURNING local_id AS id \gset
SELECT jsonb_pretty(shown(:id));
SELECT request(:id) AS req \gset
SELECT jsonb_object_keys(:'req'::jsonb -> 'sent') AS sent;
SELECT * FROM finish(:id, :'req', reply(:'req', '{"custom_fields": [{"id": "f-1", "type": "text", "value": "x"}], "url": "https://app.clickup.com/t/t1"}', 1795165201000));
-- the vendor's form is taken: case, order, whole milliseconds, no white space
SELECT remote_id, name, description, status, assignees, tags, due_at, custom_fields, url, sync_state, remote_version, synced_at IS NOT NULL AS synced
FROM zcsync.tasks WHERE local_id = :id;
-- what it did not take in the create is sent by itself
SELECT shown(:id);
SELECT * FROM finish(:id, request(:id), '{}');
SELECT custom_fields, base -> 'custom_fields' AS base, sync_state, remote_version FROM zcsync.tasks WHERE local_id = :id;
SELECT request(:id), same(:id);
SELECT action, old - 'due_at' AS old, new - '{due_at,created_at,external_id}'::text[] AS new, cause FROM zcsync.changes ORDER BY created_at, action;
-- its echo brings nothing but the time of the last step
SELECT remote AS doc FROM zcsync.tasks WHERE local_id = :id \gset
SELECT zcsync._take_page(:tasks, 'tasks',
	ARRAY(SELECT zcsync._document_of(to_jsonb(r)) FROM zcsync._clickup_rows(:dev, 'tasks', '{}', jsonb_build_object('tasks', jsonb_build_array(:'doc'::jsonb
		|| '{"date_updated": "1795165201500", "custom_fields": [{"id": "f-1", "type": "text", "value": "x"}, {"id": "f-2", "type": "checkbox", "value": "true"}]}'))) AS r), zcsync._origin_of('pull', 1)) AS echo;
SELECT new, old FROM zcsync.changes WHERE cause = 'pull';
SELECT request(:id), same(:id);
-- a page that was read before the last field was set does not take it back
SELECT zcsync._take_page(:tasks, 'tasks',
	ARRAY(SELECT zcsync._document_of(to_jsonb(r)) FROM zcsync._clickup_rows(:dev, 'tasks', '{}', jsonb_build_object('tasks', jsonb_build_array(:'doc'::jsonb))) AS r), zcsync._origin_of('pull', 1)) AS stale;

-- ---------------------------------------------------------------------
-- Updates: only what differs
-- ---------------------------------------------------------------------
UPDATE zcsync.tasks SET name = 'Fixed' WHERE local_id = :id;
SELECT shown(:id);
UPDATE zcsync.tasks SET name = 'Fix "it" 🐞', description = NULL, due_at = NULL, start_at = '2026-12-01 00:00+00', priority = NULL,
	assignees = '{183,185}', status = 'in review', time_estimate = 60000, points = 2.5, archived = true WHERE local_id = :id;
SELECT jsonb_pretty(shown(:id));
SELECT * FROM finish(:id, request(:id), reply(request(:id), :'doc', 1795165202000) || '{"assignees": [{"id": 185}, {"id": 183}],
	"custom_fields": [{"id": "f-1", "type": "text", "value": "x"}, {"id": "f-2", "type": "checkbox", "value": "true"}]}');
SELECT description, due_at, start_at, priority, assignees, status, time_estimate, points, archived, sync_state FROM zcsync.tasks WHERE local_id = :id;
SELECT request(:id), same(:id);
-- a mark once removed by people is not put back, nor put into tasks of theirs
UPDATE zcsync.tasks SET description = 'https://acme.zendesk.com/agent/tickets/1' WHERE local_id = :id;
SELECT shown(:id) -> 'body' AS marked;
UPDATE zcsync.tasks SET remote = remote || '{"description": "none"}', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE local_id = :id;
SELECT shown(:id) -> 'body' AS unmarked;
UPDATE zcsync.tasks SET description = NULL WHERE local_id = :id;

-- fields and tags, one at a time
UPDATE zcsync.tasks SET tags = '{zcsync,"a b"}', custom_fields = custom_fields - 'f-1' || '{"f-2": false, "f-date": "2026-11-22T12:00:00+00:00",
	"f-drop": "b", "f-labels": ["A", "l-b"], "f-users": ["183", 184], "f-number": "1.50", "f-other": {"a": 1}}' WHERE local_id = :id;
CREATE FUNCTION steps(id bigint) RETURNS SETOF jsonb LANGUAGE plpgsql AS
$$
DECLARE
	r jsonb;
BEGIN
	FOR n IN 1..20 LOOP
		r := request(id);
		EXIT WHEN r IS NULL;
		RETURN NEXT r - '{sent,task_id}'::text[];
		PERFORM finish(id, r, '{}');
	END LOOP;
END
$$;
SELECT * FROM steps(:id);
SELECT sync_state, custom_fields, custom_fields = base -> 'custom_fields' AS fields, tags, base -> 'tags' AS base FROM zcsync.tasks WHERE local_id = :id;

-- another list: with a status that it has, as far as that is known
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, position, sync_cause, sync_xid) VALUES
	(:dev, '12:open', '12', 's-open', 'Open', 0, 'pull', pg_current_xact_id()), (:dev, '12:in review', '12', 's-review', 'In Review', 1, 'pull', pg_current_xact_id());
UPDATE zcsync.tasks SET remote = jsonb_set(remote, '{status}', '{"id": "s-old", "status": "in review"}'), sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE local_id = :id;
UPDATE zcsync.tasks SET list_id = '99' WHERE local_id = :id;
SELECT shown(:id);
UPDATE zcsync.tasks SET list_id = '12' WHERE local_id = :id;
SELECT shown(:id);
UPDATE zcsync.tasks SET status = 'complete' WHERE local_id = :id;
SELECT shown(:id);
UPDATE zcsync.tasks SET status = 'OPEN' WHERE local_id = :id;
SELECT shown(:id);
SELECT * FROM finish(:id, request(:id), '{"data": {"task_id": "t1", "new_list_id": "12"}}');
SELECT list_id, status, base ->> 'list_id' AS base, sync_state FROM zcsync.tasks WHERE local_id = :id;
-- another parent, but not none; nor are other values that ClickUp cannot take away
UPDATE zcsync.tasks SET parent_id = 't9' WHERE local_id = :id;
SELECT shown(:id);
SELECT * FROM finish(:id, request(:id), reply(request(:id), (SELECT remote FROM zcsync.tasks WHERE local_id = :id)
	|| '{"list": {"id": "12"}, "status": {"status": "Open"}, "parent": "t9", "tags": [{"name": "a b"}, {"name": "zcsync"}]}', 1795165202500) - 'custom_fields');
UPDATE zcsync.tasks SET parent_id = NULL WHERE local_id = :id;
UPDATE zcsync.tasks SET status = NULL WHERE local_id = :id;
SELECT parent_id, status, sync_state FROM zcsync.tasks WHERE local_id = :id;
-- a field that is not known: the list's fields are read, once
UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"nope": 1}' WHERE local_id = :id;
SELECT shown(:id);
UPDATE zcsync.sync_queue SET payload = '{"learned": {"12": true}}' WHERE job_id = job(:id);
SELECT shown(:id);
UPDATE zcsync.tasks SET custom_fields = custom_fields - 'nope', list_id = '11', status = 'in review' WHERE local_id = :id;
SELECT * FROM finish(:id, request(:id), '{"data": {}}');
SELECT * FROM finish(:id, request(:id), reply(request(:id), (SELECT remote FROM zcsync.tasks WHERE local_id = :id)
	|| '{"list": {"id": "11"}, "status": {"status": "in review"}}', 1795165202600) - 'custom_fields');
-- a value that does not fit
UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"f-drop": "C"}' WHERE local_id = :id;
UPDATE zcsync.sync_queue SET payload = '{"learned": {"11": true}}' WHERE job_id = job(:id);
SELECT shown(:id);
UPDATE zcsync.tasks SET custom_fields = base -> 'custom_fields' WHERE local_id = :id;
SELECT request(:id), same(:id);
-- nor do times and numbers that ClickUp cannot hold, in a task or in a new one
SELECT changes, r -> 'refuse' AS refuse, r -> 'hint' AS hint, r -> 'body' AS body
FROM unnest(ARRAY['{"due_at": "infinity"}', '{"due_at": "-infinity", "name": "x"}', '{"start_at": "5138-01-01T00:00:00+00:00"}', '{"start_at": "0044-03-15T00:00:00+00:00 BC"}',
	'{"points": "NaN"}', '{"points": "-Infinity", "due_at": "infinity"}', '{"points": 0, "due_at": null, "start_at": "5137-12-31T23:59:59.999+00:00"}']::jsonb[]) AS changes
CROSS JOIN (VALUES ('t1'), (NULL)) AS v (remote_id)
CROSS JOIN LATERAL zcsync._clickup_push_request(jsonb_build_object('remote_id', remote_id, 'sync_key', 'KEY', 'list_id', '11') || changes, '{"list_id": "11", "due_at": "2026-12-24T18:00:00+00:00"}', NULL, NULL, NULL) AS q (r);

-- what differs in form only is settled without a request
UPDATE zcsync.tasks SET tags = '{ZCSYNC,"a b"}', assignees = '{185,183}', status = 'IN REVIEW' WHERE local_id = :id;
SELECT sync_state FROM zcsync.tasks WHERE local_id = :id;
SELECT request(:id);
SELECT tags, assignees, status, list_id, sync_state FROM zcsync.tasks WHERE local_id = :id;
-- gone at the vendor, or here
SELECT * FROM zcsync._clickup_push_requests(ARRAY[-1]);
UPDATE zcsync.tasks SET deleted_at = zcsync._now(), sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE local_id = :id;
SELECT p.request FROM unnest(zcsync._prepare_pushes(:dev, ARRAY[job(:id)])) AS p;
UPDATE zcsync.tasks SET name = 'edited' WHERE local_id = :id;
SELECT p.request FROM unnest(zcsync._prepare_pushes(:dev, ARRAY[job(:id)])) AS p;
UPDATE zcsync.tasks SET name = base ->> 'name' WHERE local_id = :id;
UPDATE zcsync.tasks SET deleted_at = NULL, sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- Edits while a push is on its way
-- ---------------------------------------------------------------------
UPDATE zcsync.tasks SET name = 'one', points = 1 WHERE local_id = :id;
SELECT request(:id) AS req \gset
-- here: the column sent, and another one; there: a third, and the other one, too
UPDATE zcsync.tasks SET name = 'two', priority = 4, time_estimate = 5 WHERE local_id = :id;
SELECT * FROM finish(:id, :'req', reply(:'req', (SELECT remote FROM zcsync.tasks WHERE local_id = :id), 1795165203000)
	- 'custom_fields' || '{"status": {"status": "complete", "type": "closed"}, "time_estimate": 7}');
SELECT name, base ->> 'name' AS base, points, priority, base ->> 'priority' AS base, status, status_type, time_estimate, sync_state FROM zcsync.tasks WHERE local_id = :id;
SELECT action, old, new FROM zcsync.changes WHERE action = 'lost';
SELECT shown(:id);
SELECT * FROM finish(:id, request(:id), reply(request(:id), (SELECT remote FROM zcsync.tasks WHERE local_id = :id), 1795165204000) - 'custom_fields');
SELECT name, priority, sync_state, request(:id), same(:id) FROM zcsync.tasks WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- A create whose reply was lost
-- ---------------------------------------------------------------------
INSERT INTO zcsync.tasks (account_id, name, description, list_id) VALUES (:dev, 'Lost', 'x', '11') RETURNING local_id AS id, sync_key AS key \gset
SELECT request(:id) ->> 'op' AS first;
UPDATE zcsync.sync_queue SET unclear_since = '2026-11-22 12:00:00+00' WHERE job_id = job(:id);
SELECT shown(:id);
-- not on a full page: the next one
CREATE FUNCTION others(n integer) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('tasks', jsonb_agg(jsonb_build_object('id', 'o' || i, 'description', 'zcsync-' || gen_random_uuid()))) FROM generate_series(1, n) i $$;
SELECT * FROM finish(:id, request(:id), others(100));
SELECT shown(:id) -> 'page' AS page;
-- nowhere: it may be created now, and a later look-up starts from page 0
SELECT * FROM finish(:id, request(:id), others(99));
SELECT shown(:id) -> 'page' AS page, (SELECT lookup_page FROM zcsync.sync_queue WHERE job_id = job(:id)) AS lookup_page;
-- found; the row was edited meanwhile
UPDATE zcsync.tasks SET name = 'Lost and found' WHERE local_id = :id;
SELECT * FROM finish(:id, request(:id), jsonb_set(others(5), '{tasks,3}', jsonb_build_object('id', 't2', 'name', 'Lost', 'text_content', E'x\n\nzcsync-' || :'key',
	'description', E'x\n\nzcsync-' || :'key', 'status', '{"status": "to do"}'::jsonb, 'list', '{"id": "11"}'::jsonb, 'date_updated', '1795165205000', 'custom_fields', '[]'::jsonb)));
SELECT remote_id, name, description, status, base ->> 'name' AS base, sync_state FROM zcsync.tasks WHERE local_id = :id;
UPDATE zcsync.sync_queue SET unclear_since = NULL WHERE job_id = job(:id);
SELECT shown(:id);

-- ---------------------------------------------------------------------
-- A page brought the task before its create was finished
-- ---------------------------------------------------------------------
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (:dev, 'Twice', '11') RETURNING local_id AS id \gset
SELECT request(:id) AS req \gset
SELECT reply(:'req', '{"id": "t3"}', 1795165206000) AS doc \gset
SELECT zcsync._take_page(:tasks, 'tasks', ARRAY(SELECT zcsync._document_of(to_jsonb(r)) FROM zcsync._clickup_rows(:dev, 'tasks', '{}',
	jsonb_build_object('tasks', jsonb_build_array(:'doc'::jsonb || '{"date_updated": "1795165207000", "priority": {"id": "1"}}'))) AS r), zcsync._origin_of('pull', 1)) AS pulled;
SELECT count(*) FROM zcsync.tasks WHERE remote_id = 't3';
SELECT * FROM finish(:id, :'req', :'doc');
SELECT count(*) AS tasks, bool_and(local_id = :id) AS ours, max(priority) AS priority, max(remote_version) AS version FROM zcsync.tasks WHERE remote_id = 't3' OR local_id = :id;
SELECT request(:id), same(:id);
-- deleting stays refused
DELETE FROM zcsync.tasks WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- Many at once; a job whose row is gone; failures
-- ---------------------------------------------------------------------
SET zcsync.bulk_write_limit = 1000;
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT :dev, 'many ' || i, '11' FROM generate_series(1, 300) i;
CREATE TEMP TABLE sent AS SELECT r.*, row_number() OVER () AS n FROM zcsync._clickup_push_requests(
	ARRAY(SELECT job_id FROM zcsync.sync_queue q JOIN zcsync.tasks t USING (local_id) WHERE t.name LIKE 'many %')) AS r;
UPDATE zcsync.sync_queue q SET attempts = 1, sent = zcsync._add_sent(NULL, s.request, 1) FROM sent s WHERE q.job_id = s.job_id;
SELECT status, again, count(*) FROM zcsync._finish_pushes((SELECT array_agg(job_id ORDER BY n) FROM sent), (SELECT array_agg(request ORDER BY n) FROM sent),
	(SELECT array_agg(reply(request, jsonb_build_object('id', 'm' || n), 1795165208000) ORDER BY n) FROM sent)) GROUP BY 1, 2;
SELECT sync_state, count(*), count(DISTINCT remote_id), bool_and(same(local_id)) AS same FROM zcsync.tasks WHERE name LIKE 'many %' GROUP BY 1;
SELECT zcsync._enqueue(zcsync._job(:dev, 'task-sync', 'push', 'api', 'tasks/-5', 'push/tasks/-5', p_kind => 'tasks', p_local_id => -5)) AS gone \gset
SELECT again, status FROM zcsync._finish_pushes(ARRAY[:gone], ARRAY['{"op": "update_task"}'::jsonb], ARRAY['{"id": "x"}'::jsonb]);
SELECT request FROM zcsync._clickup_push_requests(ARRAY[:gone]);
UPDATE zcsync.tasks SET points = 9 WHERE local_id = :id;
SELECT zcsync._push_failed('tasks', :id, 'failed');
SELECT sync_state, points FROM zcsync.tasks WHERE local_id = :id;
UPDATE zcsync.tasks SET points = 10 WHERE local_id = :id;
SELECT sync_state, points FROM zcsync.tasks WHERE local_id = :id;
SELECT zcsync._push_failed('accounts', :id, 'failed');
SELECT zcsync._push_failed(NULL, :id, 'failed');
-- a row that needs no push is not marked
UPDATE zcsync.tasks SET points = NULL WHERE local_id = :id;
SELECT zcsync._push_failed('tasks', :id, 'failed');
SELECT sync_state FROM zcsync.tasks WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- What is not known of a create survives the job that made it
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
CREATE FUNCTION claim() RETURNS text LANGUAGE sql AS
$$
	UPDATE zcsync.account_budgets SET tokens = 10;
	UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
	UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now();	-- no read is waited for
	SELECT string_agg(c.request ->> 'op', ',') FROM zcsync._claim_jobs(1, zcsync.account('dev'), 10) c
$$;
CREATE FUNCTION outcome(id bigint, class text, unclear boolean, request jsonb, reply jsonb DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
$$
	SELECT count(*) FROM zcsync.sync_queue q CROSS JOIN LATERAL zcsync._finish_jobs(1, q.account_id,
		ARRAY[ROW(q.job_id, q.attempts, class, 500, 'said so', NULL, 0, unclear, request, reply, 0)::zcsync.outcome])
	WHERE q.local_id = id AND q.state = 'running'
$$;
CREATE FUNCTION later() RETURNS void LANGUAGE sql AS
$$
	UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready';
	UPDATE zcsync.dead_letters SET died_at = died_at - interval '1 hour'
$$;
CREATE VIEW unclear AS
SELECT state, unclear_since IS NOT NULL AS unclear, run_at > now() + interval '50 seconds' AS later FROM zcsync.sync_queue WHERE operation = 'push'
UNION ALL SELECT class, unclear_since IS NOT NULL, NULL FROM zcsync.dead_letters WHERE operation = 'push';
SELECT zcsync.alter_queue('task-sync', max_attempts => 1);
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (:dev, 'Once', '11') RETURNING local_id AS id \gset
SELECT claim();
SELECT outcome(:id, 'broken', true, '{"op": "create_task", "create": true}');
SELECT * FROM unclear;
-- the next edit does not create it anew: it is looked up, and not at once
UPDATE zcsync.tasks SET name = 'Once more' WHERE local_id = :id;
SELECT claim();
SELECT * FROM unclear;
SELECT later();
SELECT claim();
SELECT outcome(:id, 'done', false, '{"op": "find_task", "page": 0}', '{"tasks": [], "last_page": true}');
SELECT * FROM unclear;
SELECT later(), claim();
-- nor does it when the job was cancelled or held, or its stream removed
SELECT zcsync.alter_queue('task-sync', max_attempts => 3);
DELETE FROM zcsync.dead_letters;
SELECT outcome(:id, 'vendor', true, '{"op": "create_task", "create": true}');
SELECT zcsync.cancel(job(:id));
SELECT * FROM unclear;
UPDATE zcsync.tasks SET name = 'Once again' WHERE local_id = :id;
SELECT later(), claim();
SELECT outcome(:id, 'vendor', true, '{"op": "find_task", "page": 0}');
DELETE FROM zcsync.dead_letters;
SELECT FROM zcsync.alter_stream('dev/tasks', writes => false);
SELECT FROM zcsync.alter_stream('dev/tasks', writes => true);
UPDATE zcsync.tasks SET name = 'Once for all' WHERE local_id = :id;
SELECT claim();
SELECT * FROM unclear;
SELECT zcsync.release_held();
SELECT * FROM unclear;
SELECT zcsync.remove_stream('dev/tasks');
SELECT * FROM unclear;
SELECT zcsync.retry(job_id) > 0 AS retried FROM zcsync.dead_letters;
SELECT * FROM unclear;

-- ---------------------------------------------------------------------
-- A create whose reply cannot be read, and which then is not to be found,
-- comes to an end
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
DELETE FROM zcsync.dead_letters;
SELECT count(*) > 0 AS added FROM zcsync.add_stream('dev', 'tasks');
DELETE FROM zcsync.sync_queue;
SELECT count(*) > 0 AS writable FROM zcsync.alter_stream('dev/tasks', writes => true);
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (:dev, 'Vanishing', '11') RETURNING local_id AS id \gset
-- claim the job and end its call in this way; what was sent
CREATE FUNCTION attempt(class text, reply jsonb) RETURNS TABLE (op text, how text) LANGUAGE plpgsql AS $$
DECLARE
	v_account bigint := zcsync.account('dev');
	v_call record;
BEGIN
	UPDATE zcsync.sync_queue SET run_at = zcsync._now();
	SELECT * INTO STRICT v_call FROM zcsync._claim_jobs(1, v_account, 10);
	op := v_call.request ->> 'op';
	how := (SELECT f.how FROM zcsync._finish_jobs(1, v_account, ARRAY[ROW(v_call.job_id, v_call.attempts, class, 200,
		'reply is not valid JSON', NULL, -1, class <> 'done', v_call.request, reply, 0)::zcsync.outcome]) f);
	RETURN NEXT;
END
$$;
SELECT op FROM attempt('broken', NULL);
SELECT failures, unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue;
SELECT op FROM attempt('done', '{"tasks": [], "last_page": true}');
SELECT failures, unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue;
SELECT op FROM attempt('broken', NULL);
SELECT op FROM attempt('done', '{"tasks": [], "last_page": true}');
SELECT op FROM attempt('broken', NULL);
SELECT count(*) FROM zcsync.sync_queue;
SELECT d.class, d.message, d.unclear_since IS NOT NULL AS unclear, t.sync_state
FROM zcsync.dead_letters d JOIN zcsync.tasks t USING (local_id) WHERE d.local_id = :id;

-- ---------------------------------------------------------------------
-- An edit, a newer one while the first one's reply is on the way, and then a
-- page that shows the first: the newer one stays, and is sent
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
CREATE FUNCTION seen(version text, vals jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream('dev/tasks'), 'tasks',
		ARRAY[ROW('hole', version, vals, '{}', false)::zcsync.document], zcsync._origin_of('pull', version::bigint))
$$;
SELECT seen('1', '{"name": "n", "status": "open", "list_id": "11", "custom_fields": {"f-1": "a"}}');
SELECT local_id AS id FROM zcsync.tasks WHERE remote_id = 'hole' \gset
CREATE VIEW hole AS
SELECT t.name, t.custom_fields, t.sync_state, t.base ->> 'name' AS agreed, t.base #> '{custom_fields,f-1}' AS field,
	(SELECT count(*) FROM zcsync.changes c WHERE c.local_id = t.local_id AND c.action = 'lost') AS lost
FROM zcsync.tasks t WHERE t.remote_id = 'hole';
UPDATE zcsync.tasks SET name = 'first' WHERE local_id = :id;
SELECT claim();
UPDATE zcsync.tasks SET name = 'newer' WHERE local_id = :id;
SELECT seen('2', '{"name": "First ", "status": "open", "list_id": "11", "custom_fields": {"f-1": "a"}}');
SELECT * FROM hole;
-- the reply comes at last, which was made before the page
SELECT outcome(:id, 'done', false, '{"op": "update_task", "sent": {"name": "first"}}', '{"id": "hole", "name": "First ", "date_updated": "2"}');
SELECT * FROM hole;
DELETE FROM zcsync.sync_queue;
-- its reply was lost; somebody there has written something else
UPDATE zcsync.tasks SET name = 'third' WHERE local_id = :id;
SELECT claim();
SELECT outcome(:id, 'vendor', true, '{"op": "update_task", "sent": {"name": "third"}}');
UPDATE zcsync.tasks SET name = 'fourth' WHERE local_id = :id;
SELECT seen('3', '{"name": "theirs"}');
SELECT * FROM hole;
DELETE FROM zcsync.sync_queue;
-- the same with a custom field, which goes alone
UPDATE zcsync.tasks SET custom_fields = '{"f-1": "b"}' WHERE local_id = :id;
SELECT claim();
UPDATE zcsync.tasks SET custom_fields = '{"f-1": "c"}' WHERE local_id = :id;
SELECT seen('4', '{"custom_fields": {"f-1": "B", "f-9": 1}}');
SELECT * FROM hole;

-- a person is to decide: the column is not sent, all others are
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET policies = '{"name": "manual", "custom_fields": "manual"}' WHERE stream_id = zcsync.stream('dev/tasks');
UPDATE zcsync.tasks SET name = 'mine', custom_fields = '{"f-1": "mine", "f-9": 1}' WHERE local_id = :id;
SELECT seen('5', '{"name": "said otherwise", "custom_fields": {"f-1": "otherwise", "f-9": 1}}');
SELECT claim();
SELECT sync_state FROM zcsync.tasks WHERE local_id = :id;
UPDATE zcsync.tasks SET points = 7 WHERE local_id = :id;
SELECT request(:id) -> 'body' AS body;
SELECT claim();
SELECT outcome(:id, 'done', false, '{"op": "update_task", "sent": {"points": 7}}',
	'{"id": "hole", "name": "said otherwise", "points": 7, "date_updated": "6", "custom_fields": [{"id": "f-1", "type": "text", "value": "otherwise"}]}');
SELECT t.name, t.points, t.custom_fields -> 'f-1' AS field, t.sync_state, (SELECT array_agg(c.field ORDER BY c.field) FROM zcsync.conflicts c WHERE c.resolved_at IS NULL) AS open
FROM zcsync.tasks t WHERE local_id = :id;
SELECT claim();
-- back to what the vendor has, here
UPDATE zcsync.tasks SET name = base ->> 'name', custom_fields = base -> 'custom_fields' WHERE local_id = :id;
SELECT sync_state, (SELECT count(*) FROM zcsync.conflicts c WHERE c.resolved_at IS NULL) AS open FROM zcsync.tasks WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- One row does not keep the others of its account from being sent
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
DELETE FROM zcsync.dead_letters;
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL, breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
UPDATE zcsync.account_budgets SET tokens = 100;
UPDATE zcsync.streams SET read_began_at = zcsync._now(), last_pull_at = zcsync._now();
INSERT INTO zcsync.tasks (account_id, remote_id, name, list_id, base, sync_state, sync_cause, sync_cause_id, sync_xid)
SELECT :dev, 'many' || i, 'Many', '11', '{"name": "Many", "list_id": "11", "points": null, "due_at": null, "tags": []}', 'synced', 'pull', 1, '1' FROM generate_series(1, 6) AS i;
SELECT zcsync.alter_queue('task-sync', concurrency => 20);
-- a time that ClickUp cannot hold
UPDATE zcsync.tasks SET due_at = 'infinity' WHERE remote_id = 'many2';
UPDATE zcsync.tasks SET points = 3 WHERE name = 'Many' AND remote_id <> 'many2';
SELECT request ->> 'op' AS op, request ->> 'task_id' AS task, request ->> 'refuse' AS refuse FROM zcsync._claim_jobs(1, :dev, 20) ORDER BY 2, 3;
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.tasks SET due_at = NULL, points = 4 WHERE name = 'Many';
-- and one at which the making of the request fails, whatever the reason
CREATE OR REPLACE FUNCTION zcsync._clickup_tag_request(p_row jsonb, p_base jsonb) RETURNS jsonb LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = CASE p_row -> 'tags' ->> 0 WHEN 'server' THEN 'disk_full' WHEN 'upgrade' THEN 'undefined_function' ELSE 'data_exception' END, MESSAGE = 'this tag is odd'; END $$;
UPDATE zcsync.tasks SET points = NULL, tags = '{odd}' WHERE remote_id IN ('many2', 'many5');
SELECT operation, request ->> 'op' AS op, request ->> 'task_id' AS task FROM zcsync._claim_jobs(1, :dev, 20) WHERE job_id IS NOT NULL ORDER BY 3;
SELECT t.remote_id, t.sync_state, d.class, d.message, d.hint FROM zcsync.dead_letters d JOIN zcsync.tasks t ON t.local_id = d.local_id ORDER BY 1;
-- an error of the server is nobody's, nor is one of functions that do not fit together
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.tasks SET tags = '{server}' WHERE remote_id = 'many2';
SELECT FROM zcsync._claim_jobs(1, :dev, 20);
UPDATE zcsync.tasks SET tags = '{upgrade}' WHERE remote_id = 'many2';
SELECT FROM zcsync._claim_jobs(1, :dev, 20);
SELECT count(*) AS waiting FROM zcsync.sync_queue WHERE state = 'ready';

DROP VIEW unclear, hole;
DROP FUNCTION job, request, shown, reply, finish, same, steps, others, claim, outcome, later, attempt, seen;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
