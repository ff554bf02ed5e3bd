-- A role without grants can read and call nothing, and neither can PUBLIC.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
CREATE ROLE regress_zcsync_nobody;

CREATE VIEW relations AS
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relacl, c.relowner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('zcsync', 'zcsync_routes') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f');
CREATE VIEW routines AS
SELECT p.oid, n.nspname, p.oid::regprocedure AS routine, p.proname, p.proacl, p.proowner
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('zcsync', 'zcsync_routes');
-- the loops below look at something
SELECT count(*) > 30 AS relations FROM relations;
SELECT count(*) > 150 AS routines FROM routines;

-- a role without grants
SELECT nspname AS schema_open FROM pg_namespace
WHERE nspname LIKE 'zcsync%' AND (has_schema_privilege('regress_zcsync_nobody', oid, 'USAGE')
	OR has_schema_privilege('regress_zcsync_nobody', oid, 'CREATE')) ORDER BY 1;
SELECT routine AS executable FROM routines WHERE has_function_privilege('regress_zcsync_nobody', oid, 'EXECUTE') ORDER BY 1;
SELECT relname AS accessible FROM relations
WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege('regress_zcsync_nobody', oid, 'USAGE, SELECT, UPDATE')
	ELSE has_table_privilege('regress_zcsync_nobody', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
		OR has_any_column_privilege('regress_zcsync_nobody', oid, 'SELECT, INSERT, UPDATE, REFERENCES') END
ORDER BY 1;

-- nothing is said to PUBLIC by name
SELECT routine AS public_routine FROM routines, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a
WHERE a.grantee = 0 ORDER BY 1;
SELECT relname AS public_relation
FROM relations, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS a
WHERE a.grantee = 0 ORDER BY 1;
SELECT nspname AS public_schema FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS a
WHERE nspname LIKE 'zcsync%' AND a.grantee = 0 ORDER BY 1;

-- as that role
SET ROLE regress_zcsync_nobody;
SELECT * FROM zcsync.status;
SELECT zcsync.stop();
SELECT * FROM zcsync.credentials;
RESET ROLE;

-- USAGE on the schema alone opens nothing
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
SELECT count(*) FROM zcsync.tickets;
SELECT count(*) FROM zcsync.status;
SELECT zcsync.account('acme');
CALL zcsync.maintain();
RESET ROLE;

-- The role of the workers: no superuser, no table at all, and of the
-- functions only those that the worker calls.
SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin FROM pg_roles
WHERE rolname = 'zcsync_worker';
SELECT relname AS worker_accesses FROM relations
WHERE relkind <> 'S' AND (has_table_privilege('zcsync_worker', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	OR has_any_column_privilege('zcsync_worker', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
ORDER BY 1;
SELECT proname AS worker_calls FROM routines
WHERE has_function_privilege('zcsync_worker', oid, 'EXECUTE') AND proname <> ALL (zcsync._worker_functions()) ORDER BY 1;

-- A role that may look: the grants of doc/security.md are enough, and give no
-- right to change anything.
GRANT SELECT ON zcsync.status, zcsync.progress, zcsync.errors, zcsync.stat_accounts, zcsync.stat_budgets,
	zcsync.stat_queue, zcsync.stat_workers TO regress_zcsync_nobody;
GRANT EXECUTE ON FUNCTION zcsync._now, zcsync._span, zcsync._shorten, zcsync._allowances_now, zcsync._backlog, zcsync._failing_jobs, zcsync._record_id, zcsync._account_numbers, zcsync._account_states, zcsync._progress_lines, zcsync._queue_numbers, zcsync._installation_trouble,
	zcsync._worker_slots TO regress_zcsync_nobody;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'local');
SET ROLE regress_zcsync_nobody;
SELECT account, state FROM zcsync.status ORDER BY 1;
SELECT count(*) FROM zcsync.progress;
SELECT count(*) FROM zcsync.errors;
SELECT count(*) FROM zcsync.stat_accounts;
SELECT count(*) FROM zcsync.stat_budgets;
SELECT count(*) > 0 AS queues FROM zcsync.stat_queue;
SELECT count(*) >= 0 AS workers FROM zcsync.stat_workers;
DELETE FROM zcsync.accounts;
RESET ROLE;

-- A role that works with records, as doc/security.md grants it: it edits and
-- creates, which is sent, and can do nothing else to the tables.
INSERT INTO zcsync.accounts (name, vendor) VALUES ('dev', 'clickup');
INSERT INTO zcsync.streams (account_id, kind, writes) VALUES (zcsync.account('dev'), 'tasks', true);
GRANT SELECT, INSERT, UPDATE ON zcsync.tasks TO regress_zcsync_nobody;
GRANT USAGE ON SEQUENCE zcsync.local_id_seq TO regress_zcsync_nobody;
GRANT EXECUTE ON FUNCTION zcsync.account, zcsync._index_links TO regress_zcsync_nobody;
GRANT SELECT ON zcsync.record_changes TO regress_zcsync_nobody;
GRANT EXECUTE ON FUNCTION zcsync.history, zcsync.record, zcsync._may_read_field TO regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'a task', '1');
UPDATE zcsync.tasks SET priority = 2, description = 'https://www.example.com/1' WHERE name = 'a task';
UPDATE zcsync.tasks SET remote_id = 'x' WHERE name = 'a task';
SELECT name, priority, sync_state FROM zcsync.tasks;
SELECT action, field_name, new, cause, role
FROM zcsync.history((SELECT 'dev/tasks/#' || local_id FROM zcsync.tasks)) ORDER BY action, field_name;
SELECT * FROM zcsync.sync_queue;
DELETE FROM zcsync.tasks;
TRUNCATE zcsync.tasks;
RESET ROLE;
SELECT operation, state, enqueued_by = session_user AS by_session FROM zcsync.sync_queue WHERE operation = 'push';

-- history() shows what the caller may read: columns, and rows by their policies;
-- and so does the view that it reads.
SELECT 'dev/tasks/#' || local_id AS task FROM zcsync.tasks \gset
REVOKE SELECT ON zcsync.tasks FROM regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
SELECT field_name FROM zcsync.history(:'task');
SELECT count(*) FROM zcsync.record_changes;
RESET ROLE;
GRANT SELECT (local_id, name, list_id) ON zcsync.tasks TO regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
SELECT action, field_name, new FROM zcsync.history(:'task') ORDER BY action, field_name;
SELECT DISTINCT field_name FROM zcsync.record_changes ORDER BY 1;
RESET ROLE;
GRANT SELECT ON zcsync.tasks TO regress_zcsync_nobody;
ALTER TABLE zcsync.tasks ENABLE ROW LEVEL SECURITY;
CREATE POLICY regress_mine ON zcsync.tasks TO regress_zcsync_nobody USING (list_id = '2');
SET ROLE regress_zcsync_nobody;
SELECT field_name FROM zcsync.history(:'task');
SELECT count(*) FROM zcsync.record_changes;
RESET ROLE;
UPDATE zcsync.tasks SET list_id = '2';
SET ROLE regress_zcsync_nobody;
SELECT count(*) > 3 AS seen FROM zcsync.history(:'task');
RESET ROLE;
DROP POLICY regress_mine ON zcsync.tasks;

DROP VIEW relations, routines;
DROP EXTENSION zcsync CASCADE;
DROP OWNED BY regress_zcsync_nobody;
DROP ROLE regress_zcsync_nobody;
