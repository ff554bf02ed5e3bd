-- Writing to mirror rows: who may write what, and what follows from it.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}'), ('ops', 'clickup', '{"workspace_id": "2"}');
SELECT count(*) FROM zcsync.add_stream('acme', 'tickets');
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks');
CREATE FUNCTION pull(stream text, rows jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream(stream), split_part(stream, '/', 2),
		ARRAY(SELECT ROW(r ->> 'remote_id', NULL, r - 'remote_id', r, false)::zcsync.document FROM jsonb_array_elements(rows) AS r),
		zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
CREATE VIEW jobs AS
SELECT operation, regexp_replace(zcsync.reference(kind, local_id), '#.*', '#') AS record, state, joins, priority, queue, record_key LIKE kind || '/%' AS keyed
FROM zcsync.sync_queue WHERE operation <> 'pull' ORDER BY job_id;
CREATE VIEW history AS
SELECT zcsync.reference(kind, local_id) AS record, action, old, new, cause, role = current_user AS mine FROM zcsync.changes ORDER BY created_at, local_id;
SELECT pull('acme/tickets', '[{"remote_id": "1", "subject": "one", "status": "open"}]'),
	pull('dev/tasks', '[{"remote_id": "a", "name": "a", "status": "open", "list_id": "9", "due_at": "2026-01-01T00:00:00+00:00"}, {"remote_id": "b", "name": "b"}]');

-- ---------------------------------------------------------------------
-- Refusals
-- ---------------------------------------------------------------------
-- a kind that cannot be written; a stream that is read-only; no stream
INSERT INTO zcsync.contacts (account_id, name) VALUES (zcsync.account('acme'), 'new');
UPDATE zcsync.tickets SET subject = 'mine';
UPDATE zcsync.tasks SET name = 'mine';
INSERT INTO zcsync.tasks (account_id, name) VALUES (zcsync.account('dev'), 'new');
INSERT INTO zcsync.tasks (account_id, name) VALUES (zcsync.account('ops'), 'new');
SELECT count(*) FROM zcsync.add_stream('acme', 'contacts');
SELECT zcsync.alter_stream('acme/contacts', writes => true);
SELECT zcsync.remove_stream('acme/contacts');
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => true) WHERE item = 'writes';
-- a column that only the vendor sets
UPDATE zcsync.tasks SET creator_id = '1' WHERE remote_id = 'a';
INSERT INTO zcsync.tasks (account_id, name, url) VALUES (zcsync.account('dev'), 'new', 'https://example.com');
DELETE FROM zcsync.tasks;
TRUNCATE zcsync.tasks;
BEGIN;
SELECT zcsync._allow_delete();
DELETE FROM zcsync.tasks WHERE remote_id = 'b';
ROLLBACK;
DELETE FROM zcsync.tasks WHERE remote_id = 'b';
SELECT * FROM jobs;

-- columns that zcsync sets, for somebody who has every right on the table
CREATE ROLE regress_zcsync_editor;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_editor;
GRANT SELECT, INSERT, UPDATE, DELETE ON zcsync.tasks TO regress_zcsync_editor;
GRANT USAGE ON SEQUENCE zcsync.local_id_seq TO regress_zcsync_editor;
SET ROLE regress_zcsync_editor;
UPDATE zcsync.tasks SET base = '{}' WHERE remote_id = 'a';
UPDATE zcsync.tasks SET remote_id = 'z' WHERE remote_id = 'a';
UPDATE zcsync.tasks SET local_id = 99 WHERE remote_id = 'a';
UPDATE zcsync.tasks SET sync_state = 'failed' WHERE remote_id = 'a';
UPDATE zcsync.tasks SET name = 'mine', sync_cause = 'pull', sync_xid = '1' WHERE remote_id = 'a';
UPDATE zcsync.tasks SET deleted_at = now() WHERE remote_id = 'a';
INSERT INTO zcsync.tasks (account_id, name, remote_id) VALUES (2, 'fake', 'z');
INSERT INTO zcsync.tasks (account_id, name, sync_cause, sync_xid) VALUES (2, 'fake', 'pull', '1');
INSERT INTO zcsync.tasks (account_id, name, local_id) VALUES (2, 'fake', 1000000);
DELETE FROM zcsync.tasks;
-- and what such a role may do
BEGIN;
UPDATE zcsync.tasks SET name = 'edited' WHERE remote_id = 'a' RETURNING name, sync_state, sync_cause = 'local' AND sync_cause_id IS NULL AND sync_xid = pg_current_xact_id() AS local;
INSERT INTO zcsync.tasks (account_id, name, sync_key) VALUES (2, 'new', '00000000-0000-0000-0000-000000000000')
RETURNING name, sync_state, sync_key = '00000000-0000-0000-0000-000000000000' AS own_key;
-- not even by saying what the triggers would
SAVEPOINT said;
UPDATE zcsync.tasks SET name = 'said', sync_state = 'synced', sync_cause = 'local', sync_xid = pg_current_xact_id() WHERE remote_id = 'a'
RETURNING name, sync_state;
INSERT INTO zcsync.tasks (account_id, name, sync_key, sync_state, sync_cause, sync_xid)
VALUES (2, 'said', '00000000-0000-0000-0000-000000000000', 'pending', 'local', pg_current_xact_id())
RETURNING name, sync_state, sync_key = '00000000-0000-0000-0000-000000000000' AS own_key;
ROLLBACK TO said;
-- nor afterwards, in a row of its own
UPDATE zcsync.tasks SET sync_state = 'synced' WHERE remote_id = 'a';
ROLLBACK TO said;
UPDATE zcsync.tasks SET sync_state = 'failed', sync_cause = 'local', sync_cause_id = NULL, sync_xid = pg_current_xact_id() WHERE remote_id = 'b';
ROLLBACK TO said;
INSERT INTO zcsync.tasks AS t (account_id, local_id, name) SELECT account_id, local_id, 'upsert' FROM zcsync.tasks WHERE remote_id = 'a'
ON CONFLICT (account_id, local_id) DO UPDATE SET sync_state = 'synced';
ROLLBACK TO said;
UPDATE zcsync.tasks SET name = name, sync_state = 'pending' WHERE remote_id = 'a' RETURNING name, sync_state;
RESET ROLE;
SELECT * FROM jobs;
SELECT action, new, cause, role FROM zcsync.changes ORDER BY local_id;
ROLLBACK;
RESET ROLE;
SELECT * FROM jobs;

-- ---------------------------------------------------------------------
-- What a write queues
-- ---------------------------------------------------------------------
UPDATE zcsync.tasks SET name = 'mine' WHERE remote_id = 'a';
-- the same value, another column, the same record again, a record of its own
UPDATE zcsync.tasks SET name = name;
UPDATE zcsync.tasks SET status = 'done' WHERE remote_id = 'a';
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'new', '9');
SELECT * FROM jobs;
SELECT regexp_replace(record, '#.*', '#') AS record, action, old, new, cause, mine FROM history;
SELECT name, sync_state, remote_id FROM zcsync.tasks ORDER BY local_id;
-- back to what the vendor has: nothing more to send
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
UPDATE zcsync.tasks SET name = 'a', status = 'open', due_at = '2026-01-01 01:00+01' WHERE remote_id = 'a';
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'a';
SELECT * FROM jobs;
-- upsert: one statement, both ways
INSERT INTO zcsync.tasks AS t (account_id, local_id, name) SELECT account_id, local_id, 'upsert' FROM zcsync.tasks WHERE remote_id = 'b'
ON CONFLICT (account_id, local_id) DO UPDATE SET name = excluded.name;
SELECT * FROM jobs;
-- rolled back with its savepoint
BEGIN;
SAVEPOINT s;
UPDATE zcsync.tasks SET name = 'oops' WHERE remote_id = 'a';
ROLLBACK TO s;
COMMIT;
SELECT * FROM jobs;

-- ---------------------------------------------------------------------
-- Users' own columns: free, even where a stream is read-only
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
ALTER TABLE zcsync.tickets ADD COLUMN team text;
SELECT FROM zcsync.setup();
UPDATE zcsync.tickets SET team = 'blue';
SELECT team, sync_state, sync_cause = 'pull' AS untouched FROM zcsync.tickets;
SELECT * FROM jobs;
SELECT count(*) FROM history WHERE record LIKE 'acme/%';

-- ---------------------------------------------------------------------
-- A user's trigger, nested in a page: its writes are local
-- ---------------------------------------------------------------------
CREATE FUNCTION users_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE zcsync.tasks SET name = NEW.subject WHERE remote_id = 'a'; RETURN NULL; END $$;
CREATE TRIGGER users_trigger AFTER UPDATE OF subject ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION users_trigger();
SELECT pull('acme/tickets', '[{"remote_id": "1", "subject": "nested", "status": "open"}]');
SELECT name, sync_state, sync_cause, sync_cause_id FROM zcsync.tasks WHERE remote_id = 'a';
SELECT * FROM jobs;
DROP TRIGGER users_trigger ON zcsync.tickets;

-- ---------------------------------------------------------------------
-- Brake
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
SELECT pull('dev/tasks', (SELECT jsonb_agg(jsonb_build_object('remote_id', 'k' || i, 'name', 'k')) FROM generate_series(1, 300) i));
UPDATE zcsync.tasks SET name = '200' WHERE remote_id ~ '^k1?\d?\d$' AND substr(remote_id, 2)::int <= 200;
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
BEGIN;
UPDATE zcsync.tasks SET name = 'more' WHERE remote_id ~ '^k\d?\d$';
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
UPDATE zcsync.tasks SET name = 'more' WHERE remote_id LIKE 'k%';
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
COMMIT;
SELECT code, object, severity, hint, count FROM zcsync.alerts WHERE resolved_at IS NULL;
SELECT zcsync.release_held('dev');
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL;
-- lifted knowingly
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 1000;
UPDATE zcsync.tasks SET name = 'lifted' WHERE remote_id LIKE 'k%';
COMMIT;
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
-- a page is not counted
SELECT pull('dev/tasks', (SELECT jsonb_agg(jsonb_build_object('remote_id', 'k' || i, 'name', 'theirs')) FROM generate_series(1, 300) i));
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;
-- writing is forbidden while pushes wait
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => false) WHERE item IN ('writes', 'held writes');
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY state;

-- ---------------------------------------------------------------------
-- Rows that a restore brings are no news
-- ---------------------------------------------------------------------
SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => true) WHERE item = 'writes';
UPDATE zcsync.tasks SET name = 'restored' WHERE remote_id = 'b';
INSERT INTO zcsync.tasks (account_id, name) VALUES (zcsync.account('dev'), 'restored too');
CREATE TABLE dump AS SELECT * FROM zcsync.tasks;
DELETE FROM zcsync.sync_queue;
BEGIN;
SELECT zcsync._allow_delete();
DELETE FROM zcsync.tasks;
COMMIT;
SELECT count(*) AS before FROM zcsync.changes \gset
INSERT INTO zcsync.tasks SELECT * FROM dump;
SELECT count(*) AS jobs FROM zcsync.sync_queue;
SELECT count(*) - :before AS history FROM zcsync.changes;
SELECT count(*) AS differs FROM (SELECT * FROM dump EXCEPT SELECT * FROM zcsync.tasks) AS x;

DROP EXTENSION zcsync CASCADE;
DROP TABLE dump;
DROP FUNCTION pull(text, jsonb), users_trigger();
DROP ROLE regress_zcsync_editor;
