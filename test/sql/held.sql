-- Held rows: what is released, what is taken back, and what happens meanwhile.
-- The worker is stopped; jobs are claimed and finished here by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
SELECT zcsync._default_budgets(account_id) FROM zcsync.accounts;
SELECT count(*) FROM zcsync.add_stream('acme', 'tickets');
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks');
UPDATE zcsync.streams SET writes = true, last_pull_at = now(), history_state = 'done';
DELETE FROM zcsync.sync_queue;
CREATE FUNCTION pull(stream text, rows jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream(stream), split_part(stream, '/', 2),
		ARRAY(SELECT ROW(r ->> 'remote_id', NULL, r - 'remote_id', r, false)::zcsync.document FROM jsonb_array_elements(rows) AS r),
		zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
CREATE VIEW jobs AS
SELECT operation, CASE WHEN r LIKE '%#%' THEN split_part(r, '#', 1) || '#' ELSE r END AS record, state, cancelled, priority, unclear_since IS NOT NULL AS unclear
FROM (SELECT q.*, zcsync.reference(kind, local_id) AS r FROM zcsync.sync_queue q) AS q WHERE operation <> 'pull' ORDER BY job_id;
CREATE VIEW history AS
SELECT zcsync.reference(kind, local_id) AS record, action, old, new, cause
FROM zcsync.changes ORDER BY created_at, local_id, action;
CREATE VIEW alerts AS SELECT code, object, replace(message, session_user, 'USER') AS message, hint, count FROM zcsync.alerts WHERE resolved_at IS NULL ORDER BY 1, 2;
SELECT pull('dev/tasks', '[
	{"remote_id": "a", "name": "a", "status": "open", "list_id": "9", "tags": ["x"], "custom_fields": {"f": "1"}},
	{"remote_id": "b", "name": "b", "status": "open", "list_id": "9"}, {"remote_id": "c", "name": "c", "status": "open", "list_id": "9"}]');

-- ---------------------------------------------------------------------
-- The brake counts records that are written, and not jobs that are new
-- ---------------------------------------------------------------------
SELECT pull('dev/tasks', (SELECT jsonb_agg(jsonb_build_object('remote_id', 'k' || i, 'name', 'k', 'list_id', '9')) FROM generate_series(1, 8) i));
CREATE VIEW waiting AS SELECT state, priority, count(*), sum(joins) AS joins FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY 1, 2 ORDER BY 1, 2;
CREATE FUNCTION edit(text, first integer, last integer) RETURNS void LANGUAGE sql AS
$$ UPDATE zcsync.tasks SET name = $1 WHERE remote_id IN (SELECT 'k' || i FROM generate_series(first, last) AS i) $$;
SET zcsync.bulk_write_limit = 5;
-- those that wait already count, and are held as well
SELECT edit('one', 1, 4);
SELECT edit('two', 5, 8);
SELECT * FROM waiting;
SELECT edit('three', 1, 8);
SELECT * FROM waiting;
SELECT * FROM alerts;
-- a held row is held whole: what is written later joins its job, also in another column, and nothing of it is sent
SELECT edit('four', 1, 2);
UPDATE zcsync.tasks SET status = 'done' WHERE remote_id = 'k1';
SELECT * FROM waiting;
SELECT zcsync.release_held();
SELECT * FROM waiting;
SELECT request -> 'sent' AS sent FROM zcsync._clickup_push_requests(ARRAY(SELECT q.job_id FROM zcsync.sync_queue q JOIN zcsync.tasks t USING (local_id) WHERE t.remote_id = 'k1'));
DELETE FROM zcsync.sync_queue;
-- a record counts once
BEGIN;
SELECT edit('five', 1, 4), edit('six', 1, 4), edit('seven', 2, 5);
SELECT * FROM waiting;
SELECT edit('eight', 6, 6);
SELECT * FROM waiting;
COMMIT;
DELETE FROM zcsync.sync_queue;
-- what is rolled back does not count; what is kept does, however deep
BEGIN;
SAVEPOINT a;
SELECT edit('nine', 1, 4);
ROLLBACK TO a;
SELECT edit('nine', 5, 8);
SELECT * FROM waiting;
SAVEPOINT b;
SAVEPOINT c;
SELECT edit('ten', 1, 3);
SELECT * FROM waiting;
ROLLBACK TO c;
SELECT * FROM waiting;
SELECT edit('ten', 1, 1);
RELEASE b;
SELECT * FROM waiting;
SAVEPOINT d;
SELECT edit('ten', 2, 2);
RELEASE d;
SELECT * FROM waiting;
ROLLBACK;
BEGIN;
SELECT edit('eleven', 1, 5);
SELECT * FROM waiting;
COMMIT;
DELETE FROM zcsync.sync_queue;
-- an edit goes before the backfill whose push it joins, and 220 of them are held whether these wait or not
SELECT pull('dev/tasks', (SELECT jsonb_agg(jsonb_build_object('remote_id', 'm' || i, 'name', 'm', 'list_id', '9')) FROM generate_series(1, 220) i));
SET zcsync.bulk_write_limit = 50;
UPDATE zcsync.tasks SET name = 'backfilled', sync_cause = 'backfill', sync_cause_id = 4711, sync_xid = pg_current_xact_id() WHERE remote_id LIKE 'm%';
SELECT * FROM waiting;
UPDATE zcsync.tasks SET name = 'edited' WHERE remote_id IN ('m1', 'm2');
SELECT * FROM waiting;
UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id LIKE 'm%';
SELECT * FROM waiting;
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.alerts SET resolved_at = now() WHERE resolved_at IS NULL;
SET zcsync.bulk_write_limit = 2;

-- ---------------------------------------------------------------------
-- cancel_held: each column goes back to what was agreed on
-- ---------------------------------------------------------------------
UPDATE zcsync.tasks SET name = 'wrong', tags = '{y}', custom_fields = '{"f": "2", "g": "3"}' WHERE remote_id IN ('a', 'b', 'c');
SELECT * FROM jobs;
SELECT * FROM alerts;
SELECT state, why, to_do FROM zcsync.status WHERE account = 'dev';
-- what the vendor changed meanwhile is not taken back
SELECT pull('dev/tasks', '[{"remote_id": "b", "name": "b", "status": "done", "list_id": "9", "updated_at": "2026-01-02T00:00:00+00:00"}]');
SELECT zcsync.cancel_held('dev');
SELECT remote_id, name, status, tags, custom_fields, sync_state FROM zcsync.tasks WHERE remote_id IN ('a', 'b', 'c') ORDER BY remote_id;
SELECT * FROM jobs;
SELECT * FROM alerts;
SELECT status, count(*), bool_and(message = 'cancelled by ' || session_user) AS said FROM zcsync.sync_records WHERE operation = 'push' GROUP BY 1;
SELECT action, old, new, cause FROM history WHERE record = 'dev/tasks/a';
SELECT field_name, old, new, cause FROM zcsync.history('dev/tasks/a', 'name');
-- nothing is left to be sent with the next change
UPDATE zcsync.tasks SET status = 'done' WHERE remote_id = 'a';
SELECT request -> 'sent' AS sent FROM zcsync._clickup_push_requests(ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push'));
-- cancel() does the same for one job; what somebody has on the wire is taken back afterwards
SELECT zcsync.cancel(job_id) FROM zcsync.sync_queue WHERE operation = 'push';
SELECT status, sync_state FROM zcsync.tasks WHERE remote_id = 'a';
SELECT * FROM jobs;
UPDATE zcsync.tasks SET name = 'on the wire' WHERE remote_id = 'a';
UPDATE zcsync.sync_queue SET state = 'running', claimed_by = 1 WHERE operation = 'push';
UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id = 'a';
SET client_min_messages = notice;
SELECT zcsync.cancel(job_id) FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready';
SET client_min_messages = warning;
DELETE FROM zcsync.sync_queue WHERE state = 'running';
SELECT zcsync._end_cancelled();
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'a';
SELECT * FROM jobs;
-- a push that runs when writing is forbidden is held when it goes back
UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id = 'a';
UPDATE zcsync.sync_queue SET state = 'running', claimed_by = 1 WHERE operation = 'push';
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => false) WHERE item = 'held writes';
SELECT zcsync._put_back(ARRAY[job_id], ARRAY[now()]) FROM zcsync.sync_queue WHERE operation = 'push';
SELECT * FROM jobs;
SELECT zcsync.cancel_held();
SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => true);
-- also where the stream is read-only by now, and where a person was to decide
UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id = 'a';
INSERT INTO zcsync.conflicts (account_id, kind, local_id, field, mine, theirs) SELECT account_id, 'tasks', local_id, 'name', '"wrong"', to_jsonb('a'::text) FROM zcsync.tasks WHERE remote_id = 'a';
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => false) WHERE item = 'held writes';
SELECT zcsync.cancel_held();
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'a';
SELECT field, resolved_at IS NULL AS open FROM zcsync.conflicts;
SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => true);

-- ---------------------------------------------------------------------
-- Nothing is sent to a stream that is read-only by now
-- ---------------------------------------------------------------------
SELECT pull('acme/tickets', '[{"remote_id": "1", "subject": "s"}]');
UPDATE zcsync.tickets SET subject = 'edited';
UPDATE zcsync.sync_queue SET state = 'held';
UPDATE zcsync.tasks SET name = 'edited' WHERE remote_id IN ('a', 'b');
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => false) WHERE item = 'held writes';
SELECT state, why, who, to_do FROM zcsync.status WHERE account = 'dev';
-- the others are released
SET client_min_messages = notice;
SELECT zcsync.release_held();
SELECT * FROM jobs;
SELECT zcsync.release_held('dev');
SET client_min_messages = warning;
-- whoever made them ready
BEGIN;
UPDATE zcsync.sync_queue SET state = 'ready';
UPDATE zcsync.streams SET read_began_at = now(), last_pull_at = now();
SELECT count(*) AS sent FROM unnest(zcsync._prepare_pushes(zcsync.account('dev'), ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE kind = 'tasks')));
SELECT * FROM jobs;
ROLLBACK;
-- a dead letter stays one, also where the vendor has changed the record
SELECT zcsync._bury(job_id, 'rejected', 422, 'no', NULL, NULL) FROM zcsync.sync_queue WHERE kind = 'tasks' ORDER BY job_id LIMIT 1;
SELECT zcsync.retry(job_id) FROM zcsync.dead_letters;
UPDATE zcsync.dead_letters SET payload = '{"withheld": {}}';
SELECT zcsync._retry_withheld(ARRAY(SELECT local_id FROM zcsync.dead_letters));
SELECT zcsync.reference(kind, local_id) AS record FROM zcsync.dead_letters;
SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.release_held(), zcsync.retry(job_id) > 0 AS retried FROM zcsync.dead_letters;
SELECT * FROM jobs;
UPDATE zcsync.sync_queue SET state = 'held';
SELECT zcsync.cancel_held();
SELECT remote_id, name, sync_state FROM zcsync.tasks WHERE remote_id IN ('a', 'b') ORDER BY remote_id;
SELECT count(*) FROM zcsync.sync_queue;

-- ---------------------------------------------------------------------
-- New rows of people stay, unsent, until they are discarded or released
-- ---------------------------------------------------------------------
SET client_min_messages = notice;
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'new ' || i, '9' FROM generate_series(1, 3) AS i;
SELECT * FROM jobs;
SELECT regexp_replace(hint, '#[0-9]+', '#N') AS hint FROM alerts;
\set VERBOSITY terse
SELECT zcsync.cancel_held('dev');
\set VERBOSITY default
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id IS NULL ORDER BY local_id;
SELECT * FROM jobs;
SELECT * FROM alerts;
SELECT zcsync.cancel_held(), zcsync.release_held();
SELECT state, why, to_do FROM zcsync.status WHERE account = 'dev';
SELECT * FROM jobs;
SELECT zcsync.reference('tasks', min(local_id)) AS first, zcsync.reference('tasks', max(local_id)) AS last FROM zcsync.tasks WHERE remote_id IS NULL \gset
SELECT zcsync.discard(:'first');
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id IS NULL ORDER BY local_id;
SELECT * FROM jobs;
SELECT action, old, new, cause FROM zcsync.changes WHERE local_id = split_part(:'first', '#', 2)::bigint ORDER BY created_at;
SELECT zcsync.release_held('dev', cancelled => true);
SELECT * FROM jobs;
-- a row that waits can be discarded as well; one that the vendor has, or may have, cannot
SELECT zcsync.discard(:'last');
SELECT zcsync.discard('dev/tasks/a');
SELECT zcsync.discard('dev/tasks/zzz');
UPDATE zcsync.sync_queue SET unclear_since = now() WHERE operation = 'push';
SELECT 'dev/tasks/#' || local_id AS second FROM zcsync.tasks WHERE remote_id IS NULL \gset
\set VERBOSITY terse
SELECT zcsync.discard(:'second');
UPDATE zcsync.sync_queue SET unclear_since = NULL, state = 'running', claimed_by = 1 WHERE operation = 'push';
SELECT zcsync.discard(:'second');
UPDATE zcsync.sync_queue SET state = 'ready', claimed_by = NULL WHERE operation = 'push';
SELECT zcsync.discard(:'second');
\set VERBOSITY default
SELECT * FROM jobs;

-- ---------------------------------------------------------------------
-- Routes: what they created is deleted and not made again; what they changed
-- goes back, and does not come back as news
-- ---------------------------------------------------------------------
SET client_min_messages = warning;
RESET zcsync.bulk_write_limit;
SELECT FROM zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '9', filter => $$tags @> '{bug}'$$);
SELECT zcsync.unmap_field('bugs', f.field, f.direction = 'back') FROM zcsync.route_fields f WHERE f.field NOT IN ('name', 'description');
SELECT zcsync.map_field('bugs', 'description', 's.description'), zcsync.map_field('bugs', 'subject', 't.name', back => true);
SELECT zcsync.resume_route('bugs') LIKE '%is active%' AS active;
SELECT direction, field, expression FROM zcsync.route_fields ORDER BY 1, 2;
-- what ClickUp makes of the tasks whose pushes are ready
CREATE FUNCTION create_tasks() RETURNS void LANGUAGE sql AS
$$
	UPDATE zcsync.tasks t SET remote_id = 't' || substr(name, 8), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id(),
		base = jsonb_build_object('name', name, 'description', description, 'list_id', list_id), remote_version = '1'
	WHERE remote_id IS NULL AND EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.local_id = t.local_id AND q.state = 'ready');
	DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready';
$$;
-- until nothing is left to do
CREATE FUNCTION route() RETURNS bigint LANGUAGE plpgsql AS
$$ DECLARE n bigint := 0; d integer; BEGIN LOOP d := zcsync._run_route_jobs(); EXIT WHEN d = 0; n := n + d; END LOOP; RETURN n; END $$;
CREATE VIEW pairs AS
SELECT s.remote_id AS ticket, s.subject, s.sync_state AS ticket_state, t.remote_id AS task, t.name, t.description, t.sync_state AS task_state, l.state,
	l.agreed ->> 'name' AS agreed, l.agreed_back ->> 'subject' AS agreed_back
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id LEFT JOIN zcsync.tasks t ON t.local_id = l.target_id ORDER BY 1;
CREATE FUNCTION tickets(about text, first integer DEFAULT 1) RETURNS integer LANGUAGE sql AS
$$ SELECT pull('acme/tickets', (SELECT jsonb_agg(jsonb_build_object('remote_id', i::text, 'subject', about || ' ' || i, 'description', 'text', 'status', 'open',
	'tags', '["bug"]'::jsonb, 'created_at', '2036-01-01T00:00:00+00:00', 'updated_at', clock_timestamp())) FROM generate_series(first, 3) i)) $$;
SET zcsync.bulk_write_limit = 1;
SELECT tickets('ticket');
SELECT route();
SELECT * FROM jobs;
SELECT * FROM alerts;
-- the plan does not write what is held either
SELECT op, source, field, new FROM zcsync.plan('bugs') ORDER BY source;
SELECT zcsync.cancel_held('bugs');
SELECT create_tasks();
SELECT * FROM pairs;
SELECT name FROM zcsync.tasks WHERE name LIKE 'ticket%';
SELECT * FROM jobs;
-- which everybody can see
SELECT item, ok, message, hint FROM zcsync.check_route('bugs') WHERE item = 'cancelled';
UPDATE zcsync.streams SET last_pull_at = now(), history_state = 'none';
SELECT state, why, to_do FROM zcsync.status WHERE account = 'dev';
-- a change of the original makes nothing; another route leaves it alone, too
SELECT tickets('Ticket');
SELECT route();
SELECT * FROM zcsync.plan('bugs');
SELECT FROM zcsync.add_route('other', 'acme/tickets', 'dev/tasks', create_in => '9', filter => $$tags @> '{bug}'$$);
SELECT op, source FROM zcsync.plan('other');
SELECT zcsync.remove_route('other');
SELECT * FROM pairs;
SELECT count(*) FROM zcsync.route_errors;
-- until it is released
SELECT zcsync.release_held('bugs'), zcsync.release_held('bugs', cancelled => true);
UPDATE zcsync.routes SET hour_writes = 0;
SELECT route();
SELECT create_tasks();
SELECT route();
SELECT * FROM pairs;
-- what the route changed at its target; also where somebody's edit waits
UPDATE zcsync.tasks SET description = 'mine' WHERE remote_id = 't2';
SELECT tickets('wrong!');
SELECT route();
SELECT * FROM pairs;
SELECT * FROM jobs;
SELECT zcsync.cancel_held('bugs');
SELECT * FROM pairs;
SELECT route();
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
SELECT * FROM pairs;
-- and what it brought back to its source; what the vendor changed there meanwhile goes on
SELECT tickets('Ticket'), route();
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
UPDATE zcsync.tasks SET base = base || jsonb_build_object('name', name), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE remote_id LIKE 't%';
UPDATE zcsync.routes SET hour_writes = 0;
SELECT * FROM pairs;
SELECT pull('dev/tasks', (SELECT jsonb_agg(jsonb_build_object('remote_id', 't' || i, 'name', 'oops ' || i, 'description', 'text', 'list_id', '9')) FROM generate_series(1, 3) i));
SELECT route();
SELECT * FROM jobs;
SELECT pull('acme/tickets', '[{"remote_id": "3", "subject": "Ticket 3", "description": "news", "status": "open", "tags": ["bug"], "updated_at": "2036-02-01T00:00:00+00:00"}]');
-- not while it is held
SELECT route();
SELECT * FROM jobs;
SELECT zcsync.cancel_held('bugs');
SELECT route();
SELECT * FROM pairs;
SELECT status, count(*) FROM zcsync.sync_records WHERE operation = 'push' GROUP BY 1;
-- what a person wrote and the brake holds is not read either, before somebody releases it
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.routes SET hour_writes = -100;
SET zcsync.bulk_write_limit = 2;
UPDATE zcsync.tickets SET subject = 'of a person ' || remote_id WHERE remote_id IN ('1', '2', '3');
UPDATE zcsync.sync_queue SET run_at = now() - interval '1 minute' WHERE operation = 'route';
SELECT route() > 0 AS put_off;
SELECT ticket, name, description FROM pairs;
SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'route' AND run_at > now() + interval '4 minutes';
SELECT zcsync.release_held('acme');
SELECT route();
SELECT ticket, name, description FROM pairs;

-- an edit of a record whose route job is that of a backfill is an edit: it goes before the backfill, and the brake counts it
DELETE FROM zcsync.sync_queue;
SET zcsync.bulk_write_limit = 2;
UPDATE zcsync.routes SET hour_writes = 0;
CREATE FUNCTION old_tickets(about text, at timestamptz, first integer, last integer) RETURNS integer LANGUAGE sql AS
$$ SELECT pull('acme/tickets', (SELECT jsonb_agg(jsonb_build_object('remote_id', i::text, 'subject', about || ' ' || i, 'description', 'text', 'status', 'open',
	'tags', '["bug"]'::jsonb, 'created_at', '2020-01-01T00:00:00+00:00', 'updated_at', at)) FROM generate_series(first, last) i)) $$;
SELECT old_tickets('old', '2020-01-01Z', 11, 16);
SELECT item, value FROM zcsync.backfill_route('bugs', confirm => true) WHERE item = 'queued';
SELECT old_tickets('edited', clock_timestamp(), 11, 13);
UPDATE zcsync.tickets SET subject = 'of a person' WHERE remote_id = '14';
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
SELECT priority, backfill, count(*) FROM zcsync.sync_queue WHERE operation = 'route' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT route();
SELECT * FROM waiting;
SELECT name FROM zcsync.routes WHERE hour_writes = 2;

-- ---------------------------------------------------------------------
-- take_remote: the vendor's value of a record, or of one field of it
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.alerts SET resolved_at = now() WHERE resolved_at IS NULL;
RESET zcsync.bulk_write_limit;
SELECT pull('dev/tasks', '[
	{"remote_id": "p", "name": "p", "status": "open", "list_id": "9", "tags": ["x"], "custom_fields": {"f": "1", "g": "2"}},
	{"remote_id": "q", "name": "q", "status": "open", "list_id": "9"}, {"remote_id": "r", "name": "r", "status": "open", "list_id": "9"}]');
CREATE VIEW taken AS SELECT remote_id, name, status, tags, custom_fields, sync_state, sync_cause FROM zcsync.tasks WHERE remote_id IN ('p', 'q', 'r') ORDER BY 1;
UPDATE zcsync.tasks SET name = 'mine', tags = '{y}', custom_fields = '{"f": "3", "h": "4"}' WHERE remote_id = 'p';
-- one field, one custom field; what is left is still sent
SELECT zcsync.take_remote('dev/tasks/p', 'name'), zcsync.take_remote('dev/tasks/p', 'custom_fields/h'), zcsync.take_remote('dev/tasks/p', 'custom_fields/g');
SELECT * FROM taken WHERE remote_id = 'p';
SELECT * FROM jobs;
-- the rest
SELECT zcsync.take_remote('dev/tasks/p', field => 'tags');
SELECT zcsync.take_remote('dev/tasks/p');
SELECT * FROM taken WHERE remote_id = 'p';
SELECT * FROM jobs;
SELECT action, old, new, cause FROM history WHERE record = 'dev/tasks/p';
SELECT zcsync.take_remote('dev/tasks/p');
-- the vendor's value is the one that it was last known to have
UPDATE zcsync.streams SET policies = '{"name": "local"}' WHERE kind = 'tasks';
UPDATE zcsync.tasks SET name = 'mine' WHERE remote_id = 'p';
SELECT pull('dev/tasks', '[{"remote_id": "p", "name": "theirs", "status": "done"}]');
SELECT zcsync.take_remote('dev/tasks/p');
SELECT * FROM taken WHERE remote_id = 'p';
-- where a person was to decide, that is done
UPDATE zcsync.streams SET policies = '{"name": "manual", "status": "manual"}' WHERE kind = 'tasks';
UPDATE zcsync.tasks SET name = 'mine', status = 'mine', tags = '{z}' WHERE remote_id = 'p';
SELECT pull('dev/tasks', '[{"remote_id": "p", "name": "theirs again", "status": "blocked"}]');
CREATE VIEW open_conflicts AS SELECT field, mine, theirs FROM zcsync.conflicts WHERE resolved_at IS NULL ORDER BY 1;
SELECT * FROM open_conflicts;
SELECT zcsync.take_remote('dev/tasks/p', 'name');
SELECT * FROM open_conflicts;
SELECT * FROM taken WHERE remote_id = 'p';
SELECT zcsync.take_remote('dev/tasks/p', 'status');
SELECT * FROM open_conflicts;
SELECT * FROM taken WHERE remote_id = 'p';
SELECT zcsync.take_remote('dev/tasks/p');
SELECT * FROM taken WHERE remote_id = 'p';
SELECT * FROM jobs;
UPDATE zcsync.streams SET policies = '{}';
-- held jobs: with the last of them the alert goes
SET zcsync.bulk_write_limit = 1;
UPDATE zcsync.tasks SET name = 'mine', tags = '{t}' WHERE remote_id IN ('p', 'q');
SELECT * FROM jobs;
SELECT zcsync.take_remote('dev/tasks/p', 'name'), zcsync.take_remote('dev/tasks/q');
SELECT * FROM jobs;
SELECT code, object FROM alerts;
SELECT zcsync.take_remote('dev/tasks/p');
SELECT * FROM jobs;
SELECT code, object FROM alerts;
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'unwanted ' || i, '9' FROM generate_series(1, 2) AS i;
SELECT code, object FROM alerts;
SELECT zcsync.discard(zcsync.reference('tasks', local_id)) FROM zcsync.tasks WHERE name LIKE 'unwanted%' AND remote_id IS NULL;
SELECT code, object FROM alerts;
RESET zcsync.bulk_write_limit;
-- a push that failed for good
UPDATE zcsync.tasks SET name = 'mine' WHERE remote_id = 'r';
SELECT FROM zcsync._bury((SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push'), 'rejected', 400, 'no', NULL, NULL);
SELECT sync_state FROM taken WHERE remote_id = 'r';
SELECT zcsync.take_remote('dev/tasks/r');
SELECT sync_state, (SELECT count(*) FROM zcsync.dead_letters) AS dead FROM taken WHERE remote_id = 'r';
-- what cannot be
\set VERBOSITY default
SELECT zcsync.take_remote('dev/tasks/r', 'created_at');
SELECT zcsync.take_remote('dev/tasks/zzz');
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'unwanted', '9';
SET client_min_messages = notice;
SELECT zcsync.cancel(job_id) FROM zcsync.sync_queue WHERE operation = 'push';
SET client_min_messages = warning;
SELECT state, cancelled FROM zcsync.sync_queue WHERE operation = 'push';
\set VERBOSITY terse
SELECT zcsync.take_remote(zcsync.reference('tasks', local_id)) FROM zcsync.tasks WHERE name = 'unwanted' AND remote_id IS NULL;
\set VERBOSITY default
SELECT zcsync.discard(zcsync.reference('tasks', local_id)) FROM zcsync.tasks WHERE name = 'unwanted' AND remote_id IS NULL;
UPDATE zcsync.tasks SET name = 'mine' WHERE remote_id = 'r';
UPDATE zcsync.sync_queue SET state = 'running', claimed_by = 1 WHERE operation = 'push';
SELECT zcsync.take_remote('dev/tasks/r');
DELETE FROM zcsync.sync_queue;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('crm', 'local');
INSERT INTO zcsync.leads (account_id, company) SELECT zcsync.account('crm'), 'Rob';
\set VERBOSITY terse
SELECT zcsync.take_remote(zcsync.reference('leads', local_id)) FROM zcsync.leads;
\set VERBOSITY default
-- of a pair: the vendor's value is agreed on, and the other side keeps what it has
SELECT zcsync.take_remote('dev/tasks/r');
UPDATE zcsync.routes SET hour_writes = -100;
SELECT tickets('changed');
SELECT route();
SELECT * FROM pairs WHERE ticket = '1';
SELECT zcsync.take_remote('dev/tasks/t1', 'name');
SELECT route();
SELECT * FROM pairs WHERE ticket = '1';
SELECT old, new, cause FROM zcsync.changes WHERE zcsync.reference(kind, local_id) = 'dev/tasks/t1' ORDER BY created_at DESC LIMIT 2;

-- ---------------------------------------------------------------------
-- A route that is paused when the worker takes something back
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
SET zcsync.bulk_write_limit = 1;
UPDATE zcsync.routes SET hour_writes = 1;
SELECT tickets('once more');
SELECT route();
SELECT * FROM pairs WHERE ticket IN ('1', '2', '3');
SELECT zcsync.pause_route('bugs') IS NOT NULL AS paused;
-- calls are on the wire, so the worker has to do it
INSERT INTO zcsync.sync_queue (account_id, queue, operation, kind, local_id, record_key, dedupe_key, state, claimed_by)
SELECT account_id, queue, operation, kind, local_id, record_key, dedupe_key, 'running', 1 FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'held';
SELECT zcsync.cancel_held('bugs');
DELETE FROM zcsync.sync_queue WHERE state = 'running';
SELECT zcsync._end_cancelled(p_by_worker => true);
UPDATE zcsync.routes SET hour_writes = -100;
SELECT zcsync.resume_route('bugs') LIKE '%is active%' AS active;
SELECT route() > 0 AS routed;
SELECT * FROM pairs WHERE ticket IN ('1', '2', '3');
SELECT * FROM jobs;
-- the next edit goes over
SELECT tickets('at last');
SELECT route();
SELECT ticket, subject, name, agreed, agreed_back FROM pairs WHERE ticket IN ('1', '2', '3');

-- a route that is removed while a copy of it is still to be taken back keeps nobody from making one
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.routes SET hour_writes = 1;
SELECT old_tickets('new', clock_timestamp(), 21, 21);
SELECT route();
INSERT INTO zcsync.sync_queue (account_id, queue, operation, kind, local_id, record_key, dedupe_key, state, claimed_by)
SELECT account_id, queue, operation, kind, local_id, record_key, dedupe_key, 'running', 1 FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'held';
SELECT zcsync.remove_route('bugs', force => true);
DELETE FROM zcsync.sync_queue WHERE state = 'running';
SELECT zcsync._end_cancelled(p_by_worker => true);
SELECT state, count(*) FROM zcsync.links WHERE source_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '21') GROUP BY 1;
SELECT FROM zcsync.add_route('another', 'acme/tickets', 'dev/tasks', create_in => '9', filter => $$tags @> '{bug}'$$);
SELECT op, source, field, new FROM zcsync.plan('another', (SELECT array_agg(local_id) FROM zcsync.tickets WHERE remote_id = '21')) WHERE field = 'name' OR op <> 'create';

-- a stream that is removed leaves nothing in its rows that would be sent when it is back
SELECT zcsync.remove_route('another');
UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id IN ('a', 'b');
-- edits wait, were given up, or are on the wire; and a row is new
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, name, base, sync_cause, sync_xid, sync_state)
SELECT zcsync.account('dev'), r, '9', r, jsonb_build_object('list_id', '9', 'name', r), 'pull', pg_current_xact_id(), 'synced' FROM unnest('{dead,sent}'::text[]) AS r;
UPDATE zcsync.tasks SET name = 'wrong, too' WHERE remote_id IN ('dead', 'sent');
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '9', 'new one');
SELECT FROM zcsync._bury((SELECT q.job_id FROM zcsync.sync_queue q JOIN zcsync.tasks t USING (local_id) WHERE t.remote_id = 'dead' AND q.operation = 'push'), 'rejected', 400, 'no', NULL, NULL);
UPDATE zcsync.sync_queue q SET state = 'running', claimed_by = 1 FROM zcsync.tasks t WHERE t.local_id = q.local_id AND t.remote_id = 'sent' AND q.operation = 'push';
SET client_min_messages = notice;
SELECT zcsync.remove_stream('dev/tasks');
SET client_min_messages = warning;
SELECT remote_id, name, sync_state, sync_cause FROM zcsync.tasks WHERE remote_id IN ('a', 'b', 'dead', 'sent') OR name = 'new one' ORDER BY 1;
SELECT * FROM jobs;

DROP VIEW taken, open_conflicts;
DROP VIEW jobs, history, alerts, waiting, pairs;
DROP FUNCTION pull, edit, create_tasks, route, tickets, old_tickets;
DROP EXTENSION zcsync CASCADE;
