-- Streams: making and changing them, references, due pulls, pages and cursors.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') > 0 AS acme, zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') > 0 AS dev,
	zcsync.add_account('leads', 'local') > 0 AS leads;
CREATE VIEW jobs AS
SELECT a.name || '/' || q.kind AS stream, q.operation, q.payload, q.stale, q.queue, q.budget_class,
	q.priority, q.state, q.joins
FROM zcsync.sync_queue q JOIN zcsync.accounts a ON a.account_id = q.account_id ORDER BY q.job_id;

-- ---------------------------------------------------------------------
-- What is refused
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.add_stream('nobody', 'tickets');
SELECT * FROM zcsync.add_stream(NULL, 'tickets');
SELECT * FROM zcsync.add_stream('acme', NULL);
SELECT * FROM zcsync.add_stream('acme', 'tasks');
SELECT * FROM zcsync.add_stream('leads', 'tickets');
SELECT * FROM zcsync.add_stream('acme', 'tickets', since => '2999-01-01');
SELECT * FROM zcsync.add_stream('acme', 'tickets', since => '-infinity');
SELECT * FROM zcsync.add_stream('acme', 'fields', since => '2026-01-01');
SELECT * FROM zcsync.add_stream('acme', 'tickets', scope => '{"list_ids": ["1"]}');
SELECT * FROM zcsync.add_stream('acme', 'tickets', scope => '[]');
SELECT * FROM zcsync.add_stream('acme', 'tickets', scope => NULL);
SELECT * FROM zcsync.add_stream('acme', 'tickets', pull_interval => '1 ms');
SELECT * FROM zcsync.add_stream('acme', 'tickets', pull_interval => '1000 years');
SELECT count(*) FROM zcsync.streams;

-- ---------------------------------------------------------------------
-- Making and changing
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.add_stream('acme', 'tickets', since => '2026-01-01');
SELECT * FROM zcsync.add_stream('acme', 'tickets');
SELECT * FROM zcsync.add_stream('acme', 'statuses');
SELECT * FROM zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["901"]}', pull_interval => '5 minutes');
SELECT state, state_reason FROM zcsync.accounts WHERE name = 'acme';
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;
SELECT kind, scope, writes, state, pull_interval, since, history_state, records_estimate FROM zcsync.streams ORDER BY stream_id;
SELECT * FROM zcsync.alter_stream('acme/nothing', writes => true);
SELECT * FROM zcsync.alter_stream('acme', writes => true);
SELECT * FROM zcsync.alter_stream(NULL);
SELECT * FROM zcsync.alter_stream('dev/tasks', pull_interval => '0 s');
SELECT * FROM zcsync.alter_stream('dev/tasks', scope => '{"lists": 1}');
SELECT * FROM zcsync.alter_stream('dev/tasks', writes => true, pull_interval => '2 minutes');
SELECT zcsync.stream('acme/tickets') = stream_id AS found FROM zcsync.streams WHERE kind = 'tickets';
-- what an estimate makes of it
UPDATE zcsync.streams SET records_estimate = 102400 WHERE kind = 'tickets';
SELECT * FROM zcsync._describe_stream(zcsync.stream('acme/tickets'));

-- ---------------------------------------------------------------------
-- Due pulls
-- ---------------------------------------------------------------------
SELECT zcsync._next_due() <= now() + interval '1 second' AS due;
SELECT zcsync._enqueue_due_pulls();
SELECT * FROM jobs;
SELECT zcsync._enqueue_due_pulls() AS again;
SELECT zcsync._next_due() BETWEEN now() AND now() + interval '1 minute' AS next;
-- due again while the last ones wait or run: nothing is doubled
UPDATE zcsync.streams SET next_pull_at = now();
UPDATE zcsync.sync_queue SET state = 'running', claimed_by = 1 WHERE payload ->> 'lane' = 'history';
SELECT zcsync._enqueue_due_pulls();
-- a refresh that is not committed keeps nobody waiting
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET next_pull_at = now();
BEGIN;
SELECT zcsync.refresh('acme/tickets') > 0 AS queued;
PREPARE TRANSACTION 'regress_refresh';
SET lock_timeout = '1s';
SELECT zcsync._enqueue_due_pulls();
SELECT zcsync._enqueue_due() > now() AS later;
RESET lock_timeout;
COMMIT PREPARED 'regress_refresh';
SELECT zcsync._enqueue_due_pulls();
-- after an error that does not go by itself less often, and not after others
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET next_pull_at = now(), last_error_at = now(), last_error_lane = 'live',
	last_error_class = CASE kind WHEN 'statuses' THEN 'throttled' ELSE 'rejected' END
WHERE kind IN ('tickets', 'statuses');
SELECT zcsync._enqueue_due_pulls();
SELECT kind, round(extract(epoch FROM next_pull_at - last_error_at) / 60) AS minutes FROM zcsync.streams WHERE kind = 'tickets';
SELECT kind, next_pull_at - last_error_at < pull_interval + interval '1 minute' AS soon FROM zcsync.streams WHERE last_error_at IS NOT NULL ORDER BY kind;
-- streams that were added together are read at different times, and each once an interval
SELECT count(*), max(c.streams) AS at_once, bool_and(c.evenly) AS evenly
FROM (
	SELECT zcsync._next_turn(i, t.now, '1 minute') AS turn, count(*) AS streams,
		bool_and(zcsync._next_turn(i, zcsync._next_turn(i, t.now, '1 minute'), '1 minute') = zcsync._next_turn(i, t.now, '1 minute') + interval '1 minute'
			AND zcsync._next_turn(i, t.now, '1 minute') > t.now AND zcsync._next_turn(i, t.now, '1 minute') <= t.now + interval '1 minute') AS evenly
	FROM generate_series(1, 120) AS i, (VALUES (timestamptz '2026-01-01 00:00:12.3Z')) AS t (now)
	GROUP BY 1) AS c;
SELECT zcsync._next_turn(3, '2026-01-01 00:00:12.3Z', '1 second') - timestamptz '2026-01-01 00:00:12.3Z' AS next_second;
-- so are those of accounts that were added together, when the first read has come
SELECT count(zcsync.add_account('many' || i, 'zendesk', '{"subdomain": "many"}', '{"email": "a@example.com", "api_token": "t"}')) AS accounts FROM generate_series(1, 6) AS i;
SELECT count(*) > 0 AS added FROM generate_series(1, 6) AS i CROSS JOIN LATERAL zcsync.add_stream('many' || i, 'tickets');
UPDATE zcsync.accounts SET state = 'active' WHERE name LIKE 'many%';
UPDATE zcsync.streams s SET next_pull_at = now() FROM zcsync.accounts a WHERE a.account_id = s.account_id AND a.name LIKE 'many%';
SELECT zcsync._enqueue_due_pulls() >= 6 AS due;
SELECT count(DISTINCT s.next_pull_at) AS moments FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE a.name LIKE 'many%' AND s.next_pull_at > now();
SELECT FROM generate_series(1, 6) AS i CROSS JOIN LATERAL zcsync.remove_account('many' || i, force => true);
-- a history that waits for calls has its share of them, however often live reads are due
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day';
UPDATE zcsync.streams SET next_pull_at = now(), last_error_at = NULL, last_error_lane = NULL, last_error_class = NULL, history_state = 'running'
WHERE stream_id = zcsync.stream('acme/tickets');
SELECT class, round(extract(epoch FROM zcsync._live_gap(account_id, class))) AS gap_s
FROM zcsync.account_budgets WHERE account_id = zcsync.account('acme') ORDER BY 1;
SELECT zcsync._enqueue_due_pulls() AS both_lanes;
DELETE FROM zcsync.sync_queue WHERE payload ->> 'lane' = 'live';
UPDATE zcsync.sync_queue SET run_at = now() - interval '5 s';
UPDATE zcsync.streams SET next_pull_at = now(), last_pull_at = now() - interval '20 s' WHERE stream_id = zcsync.stream('acme/tickets');
SELECT zcsync._enqueue_due_pulls() AS none;
UPDATE zcsync.streams SET next_pull_at = now(), last_pull_at = now() - interval '1 h' WHERE stream_id = zcsync.stream('acme/tickets');
SELECT zcsync._enqueue_due_pulls() AS live;
UPDATE zcsync.streams SET last_pull_at = NULL;
-- not for paused streams and accounts
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET next_pull_at = now(), last_error_at = NULL, last_error_lane = NULL, last_error_class = NULL;
SELECT zcsync.pause_stream('acme/tickets');
SELECT zcsync.pause_account('dev');
SELECT zcsync._enqueue_due_pulls();
SELECT * FROM jobs;
SELECT zcsync._next_due() BETWEEN now() AND now() + interval '30 minutes' AS next;
SELECT zcsync.resume_stream('acme/tickets');
UPDATE zcsync.accounts SET state = 'active';
-- on demand, before the others
SELECT zcsync.refresh('acme/tickets') > 0 AS queued;
SELECT zcsync.refresh('acme/tickets') > 0 AS joined;
SELECT * FROM jobs WHERE stream = 'acme/tickets';
SELECT zcsync.refresh('acme/nothing');

-- ---------------------------------------------------------------------
-- Pages: rows and cursor together
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET next_pull_at = now();
SELECT zcsync._enqueue_due_pulls();
CREATE FUNCTION ticket(id integer, subject text, at bigint) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('id', id, 'subject', subject, 'status', 'open', 'generated_timestamp', at,
		'created_at', '2026-01-02T03:04:05Z', 'updated_at', to_char(to_timestamp(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
$$;
CREATE FUNCTION finish(lane text, request jsonb, reply jsonb) RETURNS TABLE (again boolean, run_after interval, changed integer) LANGUAGE sql AS
$$
	SELECT f.* FROM zcsync.sync_queue q, zcsync._finish_pull(q.job_id, q.stream_id, lane, request, reply) AS f
	WHERE q.kind = 'tickets' AND q.payload ->> 'lane' = lane
$$;
CREATE VIEW lanes AS
SELECT live_cursor, history_cursor, history_state, records_done, calls_done, last_pull_at IS NOT NULL AS pulled,
	last_change_at IS NOT NULL AS changed, oldest_record_at, newest_record_at FROM zcsync.streams WHERE kind = 'tickets';
SELECT * FROM finish('live', '{"op": "incremental", "start_time": 1767225600}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(1, 'one', 1767312000), ticket(2, 'two', 1767312001)),
		'users', '[{"id": 11, "name": "Ann", "email": "ann@example.com"}]'::jsonb, 'after_cursor', 'c1', 'end_of_stream', false));
SELECT * FROM lanes;
SELECT * FROM finish('live', '{"op": "incremental", "cursor": "c1"}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(2, 'two', 1767312001)), 'after_cursor', 'c2', 'end_of_stream', true));
SELECT * FROM lanes;
SELECT * FROM finish('history', '{"op": "incremental", "start_time": 1767225600}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(1, 'one', 1767312000), ticket(3, 'three', 1767311000)), 'after_cursor', 'h1', 'end_of_stream', true));
SELECT * FROM lanes;
SELECT remote_id, subject, url FROM zcsync.tickets ORDER BY local_id;
SELECT name FROM zcsync.contacts;
-- the cursors were reset while a page was on its way: it is asked for anew
SELECT zcsync._restart_stream(zcsync.stream('acme/tickets'), '{}');
SELECT * FROM jobs WHERE stream = 'acme/tickets';
SELECT * FROM finish('live', '{"op": "incremental", "cursor": "c2"}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(4, 'four', 1767312004)), 'after_cursor', 'c3', 'end_of_stream', true));
SELECT * FROM lanes;
SELECT * FROM finish('live', '{"op": "incremental", "start_time": 1767225600}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(4, 'four', 1767312004)), 'after_cursor', 'c9', 'end_of_stream', true));
SELECT live_cursor FROM lanes;
-- paused meanwhile: dropped; read again after resume_stream()
SELECT zcsync.pause_stream('acme/tickets');
SELECT * FROM finish('live', '{"op": "incremental", "cursor": "c9"}',
	jsonb_build_object('tickets', jsonb_build_array(ticket(5, 'five', 1767312005)), 'after_cursor', 'c10', 'end_of_stream', true));
SELECT live_cursor FROM lanes;
SELECT zcsync.refresh('acme/tickets');
SELECT zcsync.resume_stream('acme/tickets');
-- a stream that is gone
SELECT * FROM zcsync._finish_pull(0, -1, 'live', '{}', '{}');
SELECT zcsync._finish_fetch(0, -1, '{}', '{}');
SELECT zcsync._finish_fetch(0, zcsync.stream('acme/tickets'), '{"op": "show_many"}', jsonb_build_object('tickets', jsonb_build_array(ticket(6, 'six', 1767312006))));

-- ---------------------------------------------------------------------
-- References
-- ---------------------------------------------------------------------
SELECT r.kind, t.subject, zcsync.reference(r.kind, r.local_id)
FROM zcsync.record('acme/tickets/2') AS r JOIN zcsync.tickets t USING (account_id, local_id);
SELECT zcsync.record('acme/tickets/#' || local_id) = zcsync.record('acme/tickets/2') AS same FROM zcsync.tickets WHERE remote_id = '2';
SELECT * FROM zcsync.record('acme/tickets/404');
SELECT * FROM zcsync.record('acme/tickets/#404');
SELECT * FROM zcsync.record('acme/things/1');
SELECT * FROM zcsync.record('nobody/tickets/1');
SELECT * FROM zcsync.record('acme/tickets');
SELECT * FROM zcsync.record('acme/tickets/');
SELECT * FROM zcsync.record(NULL);
SELECT zcsync.reference('tickets', -1);
SELECT zcsync.reference('tickets', NULL);
SELECT zcsync.reference('pg_class', 1);

-- ---------------------------------------------------------------------
-- Records on demand
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
INSERT INTO zcsync.tasks (account_id, name) VALUES (zcsync.account('dev'), 'new');
SELECT f.reference, f.job_id IS NOT NULL AS job, f.error
FROM zcsync.sync_tickets('{acme/tickets/9,acme/tickets/1,nobody/tickets/1,acme/tasks/1,acme/tickets/9,nonsense,NULL,acme/tickets/#99999}') AS f;
SELECT * FROM jobs;
SELECT count(*) FROM zcsync.sync_tickets(ARRAY(SELECT 'acme/tickets/' || i FROM generate_series(1, 250) i));
SELECT operation, queue, jsonb_array_length(payload -> 'ids') AS ids, priority FROM jobs WHERE operation = 'fetch';
-- a vendor without a request for several
DELETE FROM zcsync.sync_queue;
SELECT error FROM zcsync.sync_tasks('{dev/tasks/x,dev/tasks/y}');
SELECT payload FROM jobs;
SELECT zcsync.sync_task(zcsync.reference('tasks', local_id)) FROM zcsync.tasks;
SELECT zcsync.sync_task('dev/tasks/x') > 0 AS joined, zcsync.sync_ticket('acme/tickets/1') > 0 AS queued;
SELECT zcsync.sync_ticket('nobody/tickets/1');
SELECT zcsync.sync_ticket(NULL);
SELECT * FROM zcsync.sync_tickets(NULL);
SELECT * FROM zcsync.sync_tickets('{}');

-- ---------------------------------------------------------------------
-- History
-- ---------------------------------------------------------------------
UPDATE zcsync.tasks SET name = 'newer', tags = '{a,b}';
SELECT action, field_name, old, new, cause FROM zcsync.history((SELECT zcsync.reference('tasks', local_id) FROM zcsync.tasks));
SELECT action, field_name, old, new FROM zcsync.history((SELECT zcsync.reference('tasks', local_id) FROM zcsync.tasks), 'tags');
SELECT * FROM zcsync.history('acme/tickets/404');

-- ---------------------------------------------------------------------
-- The end of a stream
-- ---------------------------------------------------------------------
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, create_in, defined_by)
VALUES ('r', zcsync.stream('acme/tickets'), zcsync.stream('dev/tasks'), '901', 'me');
SELECT zcsync.remove_stream('acme/tickets');
DELETE FROM zcsync.routes;
SELECT zcsync.remove_stream('acme/tickets');
SELECT count(*) FROM jobs WHERE stream = 'acme/tickets';
SELECT count(*) AS rows_stay FROM zcsync.tickets;
SELECT zcsync.remove_stream('acme/tickets');

DROP VIEW jobs;
DROP EXTENSION zcsync CASCADE;
DROP FUNCTION ticket(integer, text, bigint), finish(text, jsonb, jsonb);
