-- What was sent is known as ours, whatever becomes of the replies.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": 9007}', '{"token": "pk_1"}') AS dev \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) > 0 AS writable FROM zcsync.alter_stream('dev/tasks', writes => true);
DELETE FROM zcsync.sync_queue;

CREATE FUNCTION seen(version text, vals jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream('dev/tasks'), 'tasks', ARRAY[ROW('t', version, vals, '{}', false)::zcsync.document],
		zcsync._origin_of('pull', version::bigint))
$$;
-- claim the push and say what it sends
CREATE FUNCTION send() RETURNS jsonb LANGUAGE sql AS
$$
	UPDATE zcsync.account_budgets SET tokens = 10;
	UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
	UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now();	-- no read is waited for
	UPDATE zcsync.sync_queue SET run_at = zcsync._now();
	SELECT c.request - 'task_id' FROM zcsync._claim_jobs(1, zcsync.account('dev'), 10) c
$$;
-- and how it ends
CREATE FUNCTION ends(class text, unclear boolean, request jsonb, reply jsonb DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
$$
	SELECT count(*) FROM zcsync.sync_queue q CROSS JOIN LATERAL zcsync._finish_jobs(1, q.account_id,
		ARRAY[ROW(q.job_id, q.attempts, class, 200, 'said so', NULL, 0, unclear, request, reply, 0)::zcsync.outcome])
	WHERE q.state = 'running'
$$;
CREATE VIEW now_is AS
SELECT t.name, t.tags, t.base ->> 'name' AS agreed, t.sync_state, t.remote_version AS version,
	(SELECT jsonb_agg(c.old -> 'name' ORDER BY c.created_at) FROM zcsync.changes c WHERE c.local_id = t.local_id AND c.action = 'lost') AS lost,
	(SELECT jsonb_path_query_array(q.sent, '$[*].sent.name') FROM zcsync.sync_queue q) AS sent
FROM zcsync.tasks t ORDER BY t.local_id;

SELECT seen('10', '{"name": "n", "status": "open", "list_id": "11", "tags": [], "custom_fields": {}}');

-- two replies are lost: both values are known
UPDATE zcsync.tasks SET name = 'one';
SELECT send();
SELECT ends('vendor', true, '{"op": "update_task"}');
UPDATE zcsync.tasks SET name = 'two';
SELECT send();
SELECT ends('vendor', true, '{"op": "update_task"}');
-- the same again is no third one
SELECT send();
SELECT * FROM now_is;
SELECT ends('vendor', true, '{"op": "update_task"}');
UPDATE zcsync.tasks SET name = 'three';
SELECT seen('11', '{"name": "One"}');
SELECT * FROM now_is;
SELECT seen('12', '{"name": "two"}');
SELECT * FROM now_is;
-- what surely was not applied is no secret of ours: somebody there wrote it
SELECT send();
SELECT ends('throttled', false, '{"op": "update_task"}');
SELECT * FROM now_is;
UPDATE zcsync.tasks SET name = 'four';
SELECT seen('13', '{"name": "three"}');
SELECT * FROM now_is;
DELETE FROM zcsync.sync_queue;

-- a page that was read after the write comes first: the reply, which is older,
-- brings nothing back
UPDATE zcsync.tasks SET name = 'five';
SELECT send();
SELECT seen('20', '{"name": "five, and more", "tags": ["new"]}');
SELECT ends('done', false, '{"op": "update_task"}', '{"id": "t", "name": "five", "tags": [], "date_updated": "19"}');
SELECT * FROM now_is;

-- a value that somebody there wrote before ours came is theirs, also if it is the
-- one that we sent
UPDATE zcsync.tasks SET name = 'six';
SELECT send();
SELECT ends('vendor', true, '{"op": "update_task"}');
SELECT seen('21', '{"name": "of somebody"}');
UPDATE zcsync.tasks SET name = 'seven';
SELECT seen('22', '{"name": "six"}');
SELECT * FROM now_is;
DELETE FROM zcsync.sync_queue;

-- tags go one by one
SELECT seen('23', '{"tags": ["a", "b"]}');
UPDATE zcsync.tasks SET tags = '{b,c,d}';
SELECT send();
SELECT ends('vendor', true, '{"op": "add_tag", "tag": "c"}');
UPDATE zcsync.tasks SET tags = '{b,d}';
SELECT seen('24', '{"tags": ["a", "b", "c"]}');
SELECT tags, base -> 'tags' AS agreed, sync_state FROM zcsync.tasks;
DELETE FROM zcsync.sync_queue;

-- a create that is found by its mark: what was edited since stays, and goes as
-- an update; what was not takes the vendor's form
INSERT INTO zcsync.tasks (account_id, name, list_id, status, priority) VALUES (:dev, 'Made', '11', 'Open', 2);
SELECT send() - 'body';
SELECT ends('vendor', true, '{"op": "create_task", "create": true}');
UPDATE zcsync.tasks SET priority = 3 WHERE name = 'Made';
SELECT send() - '{date_created_gt}'::text[];
SELECT ends('done', false, '{"op": "find_task"}', jsonb_build_object('tasks', jsonb_build_array(jsonb_build_object('id', 'm', 'name', 'Made',
	'description', 'zcsync-' || sync_key, 'priority', '{"id": "2"}'::jsonb, 'status', '{"status": "open"}'::jsonb, 'list', '{"id": "11"}'::jsonb,
	'date_updated', '30')), 'last_page', true)) FROM zcsync.tasks WHERE name = 'Made';
SELECT remote_id, name, status, priority, base -> 'priority' AS agreed, sync_state FROM zcsync.tasks WHERE name = 'Made';
SELECT send();

-- what a dead letter sent is known to the job that takes over
SELECT zcsync.alter_queue('task-sync', max_attempts => 1);
SELECT ends('broken', true, '{"op": "update_task"}');
BEGIN;
SELECT zcsync.retry(job_id) > 0 AS retried FROM zcsync.dead_letters;
SELECT sent FROM zcsync.sync_queue;
ROLLBACK;
-- also to one that waits already, which keeps what it sent itself
UPDATE zcsync.tasks SET priority = 4 WHERE name = 'Made';
SELECT send() -> 'body' AS body;
SELECT ends('vendor', true, '{"op": "update_task"}');
UPDATE zcsync.sync_queue SET lookup_floor = 'floor';
SELECT zcsync.retry(job_id) > 0 AS retried FROM zcsync.dead_letters;
SELECT e -> 'attempt' AS attempt, e -> 'sent' AS sent, q.lookup_floor FROM zcsync.sync_queue q CROSS JOIN jsonb_array_elements(q.sent) AS e;

-- which of two creates a look-up found is not known: what both sent is agreed on,
-- and said once, however often the outcome is tried
SELECT zcsync._add_common_sent(l), zcsync._add_common_sent(zcsync._add_common_sent(l)) = zcsync._add_common_sent(l) AS once
FROM (VALUES ('[{"attempt": 1, "sent": {"name": "a", "priority": 1}}, {"attempt": 2, "sent": {"name": "a", "priority": 2}}]'::jsonb),
	('[{"attempt": 1, "sent": {"name": "a"}}]')) AS v (l);

DROP VIEW now_is;
DROP FUNCTION seen, send, ends;
DROP EXTENSION zcsync CASCADE;
