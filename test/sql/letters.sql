-- What went wrong with a record is shown until the record is in step again, and no
-- longer: whoever brings that about, its dead letter is closed at once.
-- The worker is stopped; replies are given by hand.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001"}') AS dev \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) > 0 AS writable FROM zcsync.alter_stream('dev/tasks', writes => true);
UPDATE zcsync.queues SET max_attempts = 1;

-- what a page says of tasks: '{a: name}'
CREATE FUNCTION page(tasks jsonb, is_deleted boolean DEFAULT false) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream('dev/tasks'), 'tasks', (
		SELECT array_agg(ROW(t.key, '1767225600000', jsonb_build_object('name', t.value, 'status', 'open', 'list_id', '11'), '{}', is_deleted)::zcsync.document)
		FROM jsonb_each_text(tasks) AS t), zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
CREATE FUNCTION task(id text) RETURNS bigint LANGUAGE sql AS $$ SELECT local_id FROM zcsync.tasks WHERE remote_id = id OR name = id $$;
-- claim what waits, and end its call
CREATE FUNCTION claim() RETURNS text LANGUAGE sql AS
$$
	INSERT INTO zcsync.claimants (incarnation, pid, role) VALUES (1, 1, 'run') ON CONFLICT DO NOTHING;
	UPDATE zcsync.account_budgets SET tokens = 1000, refilled_at = zcsync._now();
	UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
	UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now(), next_pull_at = 'infinity';	-- no read is waited for
	UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE state = 'ready' AND operation <> 'pull';
	SELECT string_agg(c.request ->> 'op', ',' ORDER BY c.job_id) FROM zcsync._claim_jobs(1, zcsync.account('dev'), 10) c
$$;
CREATE FUNCTION outcome(class text, reply jsonb DEFAULT NULL, unclear boolean DEFAULT false, request jsonb DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
$$
	SELECT count(*) FROM zcsync.sync_queue q CROSS JOIN LATERAL zcsync._finish_jobs(1, q.account_id,
		ARRAY[ROW(q.job_id, q.attempts, class, CASE class WHEN 'done' THEN 200 ELSE 400 END, class || ' by the vendor', NULL, 0, unclear,
			coalesce(request, jsonb_build_object('op', 'update_task', 'id', q.payload ->> 'id')), reply, 0)::zcsync.outcome])
	WHERE q.state = 'running'
$$;
CREATE FUNCTION fails(id text, class text DEFAULT 'rejected') RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	UPDATE zcsync.tasks SET name = 'ours of ' || id WHERE remote_id = id;
	PERFORM claim();
	PERFORM outcome(class);
	RETURN (SELECT sync_state FROM zcsync.tasks WHERE remote_id = id);
END
$$;
CREATE VIEW errors AS SELECT source, reference, message FROM zcsync.errors ORDER BY 1, 2, 3;
CREATE VIEW status AS SELECT state, errors, why FROM zcsync.status WHERE account = 'dev';
CREATE VIEW closed AS SELECT operation, status, message FROM zcsync.sync_records WHERE message LIKE 'a dead letter%' ORDER BY created_at, 1, 3;
DELETE FROM zcsync.sync_queue;
SELECT page('{"a": "a", "b": "b", "c": "c", "d": "d", "e": "e", "f": "f", "g": "g"}');

-- ---------------------------------------------------------------------
-- Pushes that failed for good
-- ---------------------------------------------------------------------
SELECT fails('a');
SELECT * FROM errors;
SELECT * FROM status;
-- another edit that fails, too: a row per record
UPDATE zcsync.tasks SET name = 'once more' WHERE remote_id = 'a';
SELECT * FROM errors;
SELECT claim(), outcome('rejected');
SELECT * FROM errors;
SELECT * FROM closed;
-- the edit is undone here
UPDATE zcsync.tasks SET name = 'a' WHERE remote_id = 'a';
SELECT * FROM errors;
SELECT * FROM status;
-- somebody makes the same change at the vendor
SELECT fails('b');
SELECT page('{"b": "ours of b"}');
SELECT sync_state, (SELECT count(*) FROM zcsync.errors) AS errors FROM zcsync.tasks WHERE remote_id = 'b';
-- the next edit is accepted
SELECT fails('c');
UPDATE zcsync.tasks SET name = 'accepted' WHERE remote_id = 'c';
SELECT claim(), count(*) AS errors FROM zcsync.errors;
SELECT outcome('done', '{"id": "c", "name": "accepted", "status": {"status": "open"}, "list": {"id": "11"}, "date_updated": "1767225700000", "tags": [], "assignees": [], "custom_fields": [], "archived": false, "date_created": "1767225600000"}');
SELECT sync_state, (SELECT count(*) FROM zcsync.errors) AS errors FROM zcsync.tasks WHERE remote_id = 'c';
-- a person takes the vendor's value
SELECT fails('d');
SELECT zcsync.take_remote('dev/tasks/d');
SELECT * FROM errors;
-- the row came into step while the push was on the wire: nothing is left to do
UPDATE zcsync.tasks SET name = 'ours of e' WHERE remote_id = 'e';
SELECT claim();
SELECT page('{"e": "ours of e"}');
SELECT outcome('rejected');
SELECT * FROM errors;
SELECT * FROM closed;

-- ---------------------------------------------------------------------
-- Pushes that are tried again
-- ---------------------------------------------------------------------
UPDATE zcsync.queues SET max_attempts = 3;
SELECT fails('f', 'conflict');
UPDATE zcsync.sync_queue SET run_at = zcsync._now() + interval '1 hour' WHERE operation = 'push';
SELECT * FROM errors;
SELECT page('{"f": "ours of f"}');
SELECT * FROM errors;
SELECT operation, state, failures, last_error, run_at <= zcsync._now() AS due FROM zcsync.sync_queue;
SELECT claim();
SELECT count(*) FROM zcsync.sync_queue;
UPDATE zcsync.queues SET max_attempts = 1;

-- ---------------------------------------------------------------------
-- What is not known of a create stays until it is known
-- ---------------------------------------------------------------------
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (:dev, 'new', '11');
SELECT sync_key AS key FROM zcsync.tasks WHERE name = 'new' \gset
SELECT claim(), outcome('broken', NULL, true, '{"op": "create_task", "create": true}');
UPDATE zcsync.tasks SET description = 'edited' WHERE name = 'new';
SELECT * FROM errors;
UPDATE zcsync.dead_letters SET died_at = died_at - interval '1 hour';
SELECT claim(), claim();
SELECT outcome('done', jsonb_build_object('last_page', true, 'tasks', jsonb_build_array(jsonb_build_object('id', 'n', 'name', 'new',
	'description', E'edited\n\nzcsync-' || :'key', 'markdown_description', E'edited\n\nzcsync-' || :'key', 'status', jsonb_build_object('status', 'open'), 'list', jsonb_build_object('id', '11'), 'date_updated', '1767225700000',
	'tags', '[]'::jsonb, 'assignees', '[]'::jsonb, 'custom_fields', '[]'::jsonb, 'archived', false, 'date_created', '1767225600000'))), false, '{"op": "find_task", "page": 0}');
SELECT remote_id, sync_state FROM zcsync.tasks WHERE name = 'new';
SELECT * FROM errors;
DELETE FROM zcsync.sync_queue;

-- ---------------------------------------------------------------------
-- Rows that could not be stored, and records that could not be fetched
-- ---------------------------------------------------------------------
ALTER TABLE zcsync.tasks ADD CONSTRAINT no_shouting CHECK (name <> 'SHOUTED');
SELECT page('{"s": "SHOUTED"}');
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT zcsync._run_apply_jobs();
SELECT * FROM errors;
SELECT page('{"s": "whispered"}');
SELECT * FROM errors;
SELECT count(*) AS jobs FROM zcsync.sync_tasks('{dev/tasks/x1,dev/tasks/x2,dev/tasks/a}');
SELECT claim() IS NOT NULL AS claimed, outcome('not_found');
SELECT * FROM errors;
-- the page that brings them may bring no news of them
SELECT page('{"a": "a"}');
SELECT * FROM errors;
SELECT page('{"x1": "x", "x2": "x"}');
SELECT * FROM errors;
-- one call for several, and not all of them come
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, stream_id, kind, record_key, dedupe_key, payload, priority, attempts, class, message, created_at)
VALUES (1, :dev, 'task-sync', 'fetch', 'api', zcsync.stream('dev/tasks'), 'tasks', 'k', 'k', '{"ids": ["y1", "y2"]}', 50, 1, 'rejected', 'no', zcsync._now());
SELECT page('{"y1": "y"}');
SELECT payload FROM zcsync.dead_letters;
SELECT page('{"y2": "y"}', is_deleted => true);
SELECT count(*) FROM zcsync.dead_letters;

-- ---------------------------------------------------------------------
-- Records that a route could not map
-- ---------------------------------------------------------------------
SELECT FROM zcsync.add_account('desk', 'zendesk', settings => '{"subdomain": "desk"}', credentials => '{"email": "a@example.com", "api_token": "t"}');
SELECT count(*) > 0 AS added FROM zcsync.add_stream('desk', 'tickets');
SELECT zcsync.add_route('r', source => 'desk/tickets', target => 'dev/tasks', create_in => '11') IS NOT NULL AS added;
SELECT zcsync.map_field('r', 'time_estimate', $$1000 / length(subject)$$);
SELECT zcsync.map_value('r', 'status', 'open', 'open');
UPDATE zcsync.routes SET state = 'active', starts_at = '2000-01-01';

UPDATE zcsync.streams SET reads_awaited = 0, jobs_awaited = NULL;
CREATE FUNCTION ticket(subject text) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream('desk/tickets'), 'tickets', ARRAY[ROW('1', NULL, jsonb_build_object('subject', subject, 'status', 'open',
		'created_at', zcsync._now() + interval '1 hour', 'updated_at', zcsync._now() + interval '1 hour'), '{}', false)::zcsync.document], zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
DELETE FROM zcsync.sync_queue;
SELECT ticket('');
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;
SELECT ticket('mended');
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;

DROP VIEW errors, status, closed;
DROP FUNCTION page, task, claim, outcome, fails, ticket;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
