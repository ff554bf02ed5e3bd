-- Pushes that wait for a read: where a vendor's updates are not conditional, the
-- live read of the stream comes first.  The worker is stopped; calls are claimed
-- and answered by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1", "budgets": {"api": {"calls": 1000000, "concurrency": 300}}}') AS dev \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) > 0 AS writable FROM zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.alter_queue('task-sync', concurrency => 300);
SELECT stream_id AS tasks FROM zcsync.streams \gset
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;
CREATE SEQUENCE versions START 1795165201000;

CREATE FUNCTION task(n integer, name text, priority integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('id', 't' || n, 'name', name, 'description', '', 'status', '{"status": "open", "type": "open"}'::jsonb, 'tags', '[]'::jsonb,
		'assignees', '[]'::jsonb, 'custom_fields', '[]'::jsonb, 'archived', false, 'date_created', '1795165201000',
		'date_updated', nextval('versions')::text, 'list', '{"id": "11"}'::jsonb, 'priority', CASE WHEN priority IS NOT NULL THEN jsonb_build_object('id', priority::text) END)
$$;
-- what is sent now
CREATE TABLE calls (job_id bigint, request jsonb);
CREATE FUNCTION claim(n integer DEFAULT 100) RETURNS TABLE (operation text, what text) LANGUAGE sql AS
$$
	WITH c AS MATERIALIZED (SELECT * FROM zcsync._claim_jobs(1, zcsync.account('dev'), n)),
	kept AS (INSERT INTO calls SELECT c.job_id, c.request FROM c)
	SELECT c.operation, CASE c.operation WHEN 'push' THEN concat_ws(' ', c.request ->> 'op', c.request ->> 'task_id',
		CASE WHEN c.request ->> 'op' = 'update_task' THEN (c.request -> 'body')::text END) ELSE c.request ->> 'op' END
	FROM c ORDER BY 1, 2
$$;
-- a task as ClickUp has it after a request
CREATE FUNCTION pushed(request jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT CASE request ->> 'op' WHEN 'create_task' THEN task(4, request #>> '{body,name}')
		ELSE coalesce(t.remote, task(0, 'Many') || jsonb_build_object('id', t.remote_id)) || jsonb_build_object('date_updated', nextval('versions')::text)
			|| (request -> 'body') || CASE WHEN request #> '{body,priority}' IS NOT NULL THEN jsonb_build_object('priority', jsonb_build_object('id', request #>> '{body,priority}')) ELSE '{}' END END
	FROM (SELECT) AS x LEFT JOIN zcsync.tasks t ON t.remote_id = request ->> 'task_id'
$$;
-- the answer to all calls of an operation
CREATE FUNCTION answer(op text, reply jsonb DEFAULT NULL, class text DEFAULT 'done') RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT f.how FROM (
		SELECT array_agg(ROW(q.job_id, q.attempts, class, CASE class WHEN 'done' THEN 200 ELSE 403 END, CASE WHEN class <> 'done' THEN 'no access to this workspace' END,
			NULL, CASE class WHEN 'done' THEN 0 ELSE -1 END, false, c.request, CASE op WHEN 'push' THEN pushed(c.request) || coalesce(reply, '{}') ELSE reply END, 0)::zcsync.outcome) AS outcomes
		FROM zcsync.sync_queue q JOIN (SELECT DISTINCT ON (job_id) * FROM calls ORDER BY job_id, ctid DESC) c ON c.job_id = q.job_id
		WHERE q.state = 'running' AND q.operation = op) r,
	LATERAL zcsync._finish_jobs(1, zcsync.account('dev'), r.outcomes) f
$$;
CREATE FUNCTION page(VARIADIC tasks jsonb[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('tasks', to_jsonb(tasks), 'last_page', true) $$;
-- the last read was some time ago
CREATE FUNCTION older(by interval) RETURNS void LANGUAGE sql AS
$$ UPDATE zcsync.streams SET read_began_at = read_began_at - by, last_pull_at = last_pull_at - by $$;
CREATE VIEW waiting AS SELECT q.local_id - (SELECT min(local_id) FROM zcsync.tasks) + 1 AS task, q.state, q.waits_since IS NOT NULL AS waits,
	q.run_at <= zcsync._now() AS due FROM zcsync.sync_queue q WHERE q.operation = 'push' ORDER BY 1;

-- the first read, with which nothing waits
SELECT zcsync._enqueue_due_pulls();
SELECT * FROM claim();
SELECT * FROM answer('pull', page(task(1, 'One'), task(2, 'Two'), task(3, 'Three')));
SELECT read_began_at <= last_pull_at AS began, reading_since FROM zcsync.streams;

-- An edit a moment after a read is sent at once.
UPDATE zcsync.streams SET read_began_at = zcsync._now(), last_pull_at = zcsync._now();
UPDATE zcsync.tasks SET priority = 2 WHERE remote_id = 't1';
SELECT * FROM claim();
SELECT * FROM answer('push');

-- What somebody changed there since, in a field that was not sent, the reply shows.
UPDATE zcsync.streams SET read_began_at = zcsync._now(), last_pull_at = zcsync._now();
UPDATE zcsync.tasks SET points = 1 WHERE remote_id = 't1';
SELECT * FROM claim();
SELECT * FROM answer('push', '{"time_estimate": 60000}');
SELECT action, old, new, cause FROM zcsync.changes WHERE new ? 'time_estimate';

-- Later it waits: the same claim sends the read, and it is passed over meanwhile.
SELECT older('10 seconds');
UPDATE zcsync.tasks SET priority = 1, name = 'One here' WHERE remote_id = 't1';
SELECT * FROM claim();
SELECT * FROM waiting;
SELECT * FROM claim();
-- The read brings what was changed there: of another column, which stays, and of the
-- same, where the policy decides.  The push sends what still differs.
SELECT * FROM answer('pull', page(task(1, 'One there', 2)));
SELECT * FROM waiting;
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT name, priority, sync_state FROM zcsync.tasks WHERE remote_id = 't1';
SELECT action, old ->> 'name' AS old, new ->> 'name' AS new, cause FROM zcsync.changes WHERE old ? 'name' OR action = 'lost' ORDER BY created_at, action;
SELECT * FROM waiting;

-- One read serves all; a new record waits for nothing, nor does a row that is as the
-- vendor has it.
SELECT older('10 seconds');
UPDATE zcsync.tasks SET priority = 3;
UPDATE zcsync.tasks SET priority = (base ->> 'priority')::integer WHERE remote_id = 't3';
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (:dev, 'New', '11');
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT * FROM waiting;
SELECT next_pull_at > zcsync._now() + interval '50 seconds' AS counts_as_the_next FROM zcsync.streams;
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- A read of several pages counts from its first one, and when the last has come.
SELECT older('1 hour');
UPDATE zcsync.tasks SET points = 5 WHERE remote_id = 't2';
SELECT * FROM claim();
SELECT * FROM answer('pull', (SELECT jsonb_build_object('tasks', jsonb_agg(task(i + 100, 'Task ' || i))) FROM generate_series(1, 100) AS i));
SELECT reading_since IS NOT NULL AS reading, read_began_at < zcsync._now() - interval '30 minutes' AS old FROM zcsync.streams;
SELECT * FROM claim();
SELECT * FROM waiting;
UPDATE zcsync.streams SET reading_since = reading_since - interval '20 seconds';
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT reading_since IS NOT NULL AS reading FROM zcsync.streams;
-- that began too long before the edit: it is read again
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- A row that is edited all the time is sent all the same, after half a minute.
SELECT older('10 seconds');
UPDATE zcsync.tasks SET points = 6 WHERE remote_id = 't2';
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
UPDATE zcsync.sync_queue SET created_at = created_at - interval '1 minute' WHERE operation = 'push';
UPDATE zcsync.streams SET read_began_at = read_began_at - interval '20 seconds';
UPDATE zcsync.tasks SET points = 7 WHERE remote_id = 't2';
SELECT * FROM claim();
SELECT * FROM answer('push');

-- Where no read is on its way they are put off.  An edit that joins one looks again at once.
SELECT older('10 seconds');
UPDATE zcsync.streams SET last_error = 'HTTP status 500', last_error_at = zcsync._now(), last_error_lane = 'live', last_error_class = 'vendor';
UPDATE zcsync.tasks SET points = 8 WHERE remote_id = 't2';
SELECT * FROM claim();
SELECT * FROM waiting;
UPDATE zcsync.tasks SET points = 9 WHERE remote_id = 't2';
SELECT * FROM waiting;
UPDATE zcsync.streams SET last_error_at = last_error_at - interval '2 minutes';
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- What waits longer than a minute, as after a pause, needs another read.
UPDATE zcsync.tasks SET points = 1 WHERE remote_id = 't2';
SELECT zcsync.pause_account('dev');
SELECT * FROM claim();
SELECT older('61 seconds');
UPDATE zcsync.sync_queue SET enqueued_at = enqueued_at - interval '61 seconds';
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- A document that waits for a lock, or to be read singly, comes first; of this record.
UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now();
UPDATE zcsync.tasks SET points = 2 WHERE remote_id IN ('t1', 't2', 't3');
SELECT zcsync._park(:dev, :tasks, 'tasks', ARRAY[ROW('t1', '1', '{}', '{}', false)::zcsync.document]);
SELECT FROM zcsync._enqueue(zcsync._job(:dev, 'task-sync', 'fetch', 'api', zcsync._fetch_key(:tasks, 't2'), zcsync._fetch_key(:tasks, 't2'),
	'{"ids": ["t2"]}', 65, p_stream => :tasks, p_kind => 'tasks', p_run_at => zcsync._now() + interval '1 minute'));
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT * FROM waiting;
SELECT priority FROM zcsync.sync_queue WHERE operation = 'fetch';
UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE operation = 'fetch';
SELECT * FROM claim();
SELECT * FROM answer('fetch', task(2, 'Two there'));
SELECT * FROM waiting;
DELETE FROM zcsync.sync_queue WHERE operation = 'apply';
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT DISTINCT points, sync_state FROM zcsync.tasks WHERE remote_id IN ('t1', 't2', 't3');

-- What the live read does not show is read singly before: an archived task, and one whose home is in no list of the scope.
UPDATE zcsync.streams SET scope = '{"list_ids": ["11", 12]}', read_began_at = 'infinity', last_pull_at = zcsync._now();
CREATE FUNCTION there(id text, vals jsonb) RETURNS void LANGUAGE sql AS
$$ UPDATE zcsync.tasks SET base = base || vals, archived = coalesce((vals ->> 'archived')::boolean, archived), list_id = coalesce(vals ->> 'list_id', list_id),
	remote = remote || jsonb_build_object('archived', coalesce(vals -> 'archived', 'false'), 'list', jsonb_build_object('id', coalesce(vals ->> 'list_id', '11'))), sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = id $$;
CREATE FUNCTION theirs(n integer, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT remote || jsonb_build_object('date_updated', nextval('versions')::text) || more FROM zcsync.tasks WHERE remote_id = 't' || n $$;
SELECT there('t1', '{"archived": true}'), there('t2', '{"list_id": "13"}'), there('t3', '{"list_id": "12"}');
UPDATE zcsync.tasks SET points = 20, name = name || ' here' WHERE remote_id IN ('t1', 't3');
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT * FROM waiting;
SELECT * FROM claim();
SELECT * FROM answer('fetch', theirs(1, '{"name": "Theirs"}'));
SELECT payload ? 'read' AS read, priority, waits_since IS NOT NULL AS waits, run_at <= zcsync._now() AS due FROM zcsync.sync_queue WHERE operation = 'push';
SELECT * FROM claim();
SELECT * FROM answer('push');
UPDATE zcsync.tasks SET points = 20 WHERE remote_id = 't2';
SELECT * FROM claim();
SELECT * FROM answer('fetch', theirs(2));
SELECT * FROM claim();
SELECT * FROM answer('push');
SELECT remote_id, name, points, sync_state FROM zcsync.tasks WHERE remote_id IN ('t1', 't2', 't3') ORDER BY 1;
SELECT old -> 'name' AS old, new -> 'name' AS new FROM zcsync.changes WHERE action = 'lost' AND new ->> 'name' = 'Theirs';
-- it is read again for an edit after that, but not for each request of a push
UPDATE zcsync.tasks SET points = 21, tags = '{new}' WHERE remote_id = 't1';
SELECT * FROM claim();
SELECT * FROM answer('fetch', theirs(1));
SELECT * FROM claim();
UPDATE zcsync.sync_queue SET payload = payload || jsonb_build_object('read', jsonb_build_array(zcsync._now() - interval '3 seconds', zcsync._now())) WHERE operation = 'push';
SELECT * FROM answer('push');
SELECT * FROM claim();
SELECT * FROM answer('push');
-- while somebody queues the same read in a transaction that stays open, nothing waits for that
UPDATE zcsync.tasks SET points = 22 WHERE remote_id = 't1';
UPDATE zcsync.tasks SET points = 22 WHERE remote_id = 't3';
BEGIN;
SELECT zcsync.sync_task('dev/tasks/t1') > 0 AS queued;
PREPARE TRANSACTION 'regress_fetch';
SELECT * FROM claim();
SELECT * FROM answer('push');
COMMIT PREPARED 'regress_fetch';
UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE operation = 'push';
SELECT * FROM claim();
-- a record that cannot be read for good: nothing is sent over it, and it is said what to run
SELECT * FROM answer('fetch', NULL, 'rejected');
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT * FROM claim();
SELECT * FROM answer('fetch', NULL, 'rejected');
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT * FROM claim();
SELECT * FROM answer('fetch', NULL, 'rejected');
SELECT job_id AS letter FROM zcsync.dead_letters WHERE operation = 'fetch' \gset
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT replace(request ->> 'refuse', :'letter', 'LETTER') AS refuse, replace(replace(request ->> 'hint', :'letter', 'LETTER'), job_id::text, 'JOB') AS hint
FROM zcsync._claim_jobs(1, :dev, 10);
UPDATE zcsync.sync_queue SET state = 'ready', claimed_by = NULL, claimed_at = NULL WHERE operation = 'push';
SELECT zcsync.retry(:letter) > 0 AS again;
SELECT * FROM claim();
SELECT * FROM answer('fetch', theirs(1));
SELECT count(*) AS letters FROM zcsync.dead_letters;
UPDATE zcsync.sync_queue SET run_at = zcsync._now();
SELECT * FROM claim();
SELECT * FROM answer('push');
-- an old letter does not keep it from being read, and a backfill reads behind its pushes
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at, died_at)
SELECT nextval('zcsync.job_id_seq'), :dev, 'task-sync', 'fetch', 'api', k, k, '{}', 40, 3, 'rejected', 'no', zcsync._now() - interval '1 day', zcsync._now() - interval '1 day'
FROM zcsync._fetch_key(:tasks, 't1') AS k;
UPDATE zcsync.tasks SET points = 24 WHERE remote_id = 't1';
UPDATE zcsync.sync_queue SET priority = 70 WHERE operation = 'push';
SELECT * FROM claim();
SELECT operation, priority FROM zcsync.sync_queue ORDER BY 1;
SELECT * FROM answer('fetch', theirs(1));
SELECT operation, priority FROM zcsync.sync_queue;
SELECT * FROM claim();
SELECT * FROM answer('push');
-- the same of one that could not be stored, though the live read shows it
UPDATE zcsync.tasks SET points = 23 WHERE remote_id = 't3';
SELECT zcsync._park(:dev, :tasks, 'tasks', ARRAY[ROW('t3', '1', '{}', '{}', false)::zcsync.document]);
SELECT zcsync._bury(job_id, 'rejected', NULL, 'a trigger of ours is broken', NULL, NULL) FROM zcsync.sync_queue WHERE operation = 'apply';
SELECT request ->> 'refuse' AS refuse FROM zcsync._claim_jobs(1, :dev, 10);
DELETE FROM zcsync.dead_letters;
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.streams SET scope = '{}';
SELECT there('t1', '{"archived": false}');
UPDATE zcsync.tasks SET points = (base ->> 'points')::numeric;
DELETE FROM zcsync.sync_queue;

-- Three hundred edits whose read fails wait, and it is said.
SELECT older('1 hour');
INSERT INTO zcsync.tasks (account_id, remote_id, name, list_id, base, sync_state, sync_cause, sync_cause_id, sync_xid)
SELECT :dev, 'm' || i, 'Many', '11', '{"name": "Many", "list_id": "11", "points": null}', 'synced', 'pull', 1, '1' FROM generate_series(1, 300) AS i;
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 1000;
UPDATE zcsync.tasks SET points = 10 WHERE name = 'Many';
COMMIT;
SELECT * FROM claim();
SELECT count(*) FROM claim();
SELECT * FROM answer('pull', NULL, 'rejected');
SELECT * FROM claim();
SELECT state, waits, due, count(*) FROM waiting GROUP BY 1, 2, 3;
SELECT account, state, why, to_do FROM zcsync._unread_edits() AS u (severity, account, state, why, to_do);
UPDATE zcsync.sync_queue SET waits_since = waits_since - interval '2 minutes' WHERE waits_since IS NOT NULL;
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
-- the read has a time of its own for the next attempt, and pushes look again less and less often
UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE operation = 'push';
SELECT * FROM claim();
SELECT min(run_at) > zcsync._now() + interval '100 seconds' AS later FROM zcsync.sync_queue WHERE operation = 'push';
SELECT zcsync.pause_stream('dev/tasks');
SELECT account, state, replace(why, session_user, 'me') AS why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
SELECT zcsync.resume_stream('dev/tasks');
UPDATE zcsync.sync_queue SET run_at = zcsync._now() + interval '1 hour' WHERE operation = 'push';
SELECT zcsync._enqueue_due_pulls();
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT operation, count(*) FROM claim(1000) GROUP BY 1;
SELECT * FROM answer('push');
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
SELECT count(*) FROM waiting;

-- A clock that was set back stops nothing.
UPDATE zcsync.streams SET read_began_at = zcsync._now() + interval '1 hour', last_pull_at = zcsync._now() + interval '1 hour';
UPDATE zcsync.tasks SET points = 3 WHERE remote_id = 't1';
UPDATE zcsync.sync_queue SET enqueued_at = enqueued_at + interval '1 hour';
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- However urgent the pushes are, and however many, the read comes before them.
SELECT older('1 hour');
UPDATE zcsync.streams SET next_pull_at = zcsync._now() + interval '1 hour';
UPDATE zcsync.tasks SET points = 11 WHERE name = 'Many' AND substr(remote_id, 2)::integer <= 30;
UPDATE zcsync.sync_queue SET priority = 0 WHERE operation = 'push';
SELECT * FROM claim(2);
SELECT * FROM claim(2);
SELECT * FROM answer('pull', page());
SELECT operation, count(*) FROM claim() GROUP BY 1;
SELECT * FROM answer('push');
-- also one that was queued by hand, as the last of all
SELECT older('1 hour');
UPDATE zcsync.tasks SET points = 12 WHERE name = 'Many' AND substr(remote_id, 2)::integer <= 30;
SELECT count(zcsync.enqueue('task-sync', 'push', 'dev/tasks/m' || i, priority => 0)) AS queued FROM generate_series(1, 30) AS i;
SELECT zcsync.enqueue('lead-sync', 'pull', 'dev/tasks', priority => 100) > 0 AS queued;
SELECT * FROM claim(2);
SELECT * FROM answer('pull', page());
SELECT operation, count(*) FROM claim() GROUP BY 1;
SELECT * FROM answer('push');
-- A read whose queue is paused is not on its way, so what waits for it makes room.
SELECT older('1 hour');
UPDATE zcsync.tasks SET points = 13 WHERE name = 'Many' AND remote_id IN ('m1', 'm2');
SELECT zcsync.enqueue('lead-sync', 'pull', 'dev/tasks') > 0 AS queued;
SELECT zcsync.pause_queue('lead-sync');
SELECT * FROM claim(2);
SELECT waits, due, count(*) FROM waiting GROUP BY 1, 2;
SELECT zcsync.resume_queue('lead-sync');
SELECT * FROM claim(2);
SELECT * FROM answer('pull', page());
SELECT operation, count(*) FROM claim() GROUP BY 1;
SELECT * FROM answer('push');
-- A read that was planned for later takes the place of no other one.
SELECT zcsync.enqueue('task-sync', 'pull', 'dev/tasks', run_at => zcsync._now() + interval '1 day') > 0 AS queued;
UPDATE zcsync.streams SET next_pull_at = zcsync._now();
SELECT zcsync._enqueue_due_pulls();
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
DELETE FROM zcsync.sync_queue WHERE operation = 'pull';

-- A transaction that stays open holds the stream: said as it is.
SELECT older('1 hour');
UPDATE zcsync.tasks SET points = 14 WHERE remote_id = 'm1';
BEGIN;
SELECT zcsync.refresh('dev/tasks') > 0 AS queued;
PREPARE TRANSACTION 'regress_held_stream';
SELECT * FROM claim();
SELECT account, state FROM zcsync.status WHERE account = 'dev/tasks';
UPDATE zcsync.sync_queue SET waits_since = waits_since - interval '2 minutes' WHERE operation = 'push';
SELECT object, state, why, to_do FROM zcsync._locked_streams();
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
SELECT measure, object, value, to_do FROM zcsync._unread_readings();
-- together with another one
BEGIN;
SELECT FROM zcsync.streams FOR SHARE;
SELECT object, state, regexp_replace(why, '[0-9]+', 'N'), regexp_replace(to_do, '[0-9]+', 'N') FROM zcsync._locked_streams();
ROLLBACK;
SELECT why FROM zcsync._locked_streams();
ROLLBACK PREPARED 'regress_held_stream';
SELECT object, state FROM zcsync._locked_streams();
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE operation = 'push';
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');
-- also where no edit waits, when the stream has been due for a minute
UPDATE zcsync.streams SET next_pull_at = zcsync._now() - interval '2 minutes';
BEGIN;
SELECT count(*) FROM zcsync.alter_stream('dev/tasks', pull_interval => '2 minutes');
PREPARE TRANSACTION 'regress_held_stream';
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks';
ROLLBACK PREPARED 'regress_held_stream';
UPDATE zcsync.streams SET next_pull_at = zcsync._now() + interval '1 hour';

-- An adopted or promoted database knows of no read.
UPDATE zcsync.streams SET read_began_at = zcsync._now(), last_pull_at = zcsync._now();
SELECT zcsync._await_reads();
UPDATE zcsync.tasks SET points = 4 WHERE remote_id = 't1';
SELECT * FROM claim();
SELECT * FROM answer('pull', page());
SELECT * FROM claim();
SELECT * FROM answer('push');

-- A vendor that refuses an update of what was changed since waits for nothing.
SELECT v, (zcsync._vendor_of(v)).conditional FROM unnest('{zendesk,clickup,halopsa}'::text[]) AS v;

DROP VIEW waiting;
DROP FUNCTION task, claim, answer, page, older, pushed, there, theirs;
DROP TABLE calls;
DROP SEQUENCE versions;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
