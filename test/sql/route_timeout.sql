-- The SQL of routes is bounded by zcsync.mapping_timeout: a record whose mapping
-- takes too long fails alone, and its neighbours are written.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
SELECT account_id, CASE vendor WHEN 'zendesk' THEN 'tickets' ELSE 'tasks' END, vendor = 'clickup', now() FROM zcsync.accounts;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, '901/p1', '901', 'p1', 'to do', 'open', 0, true, 'pull', '0' FROM zcsync.accounts a WHERE a.name = 'dev';
SELECT FROM zcsync.add_route('slow', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.unmap_field('slow', 'status');
SELECT zcsync.map_field('slow', 'name', $$CASE WHEN remote_id = '7' THEN (SELECT 'x' FROM pg_sleep(60)) ELSE 'n' || remote_id END$$);
SELECT zcsync.resume_route('slow') LIKE '%is active%' AS active;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT a.account_id, i, 'Subject ' || i, 'open', now(), clock_timestamp() + interval '1 second',
	'pull', pg_current_xact_id(), 'synced'
FROM zcsync.accounts a CROSS JOIN generate_series(1, 20) i WHERE a.name = 'acme';
SELECT FROM zcsync.backfill_route('slow', confirm => true);
-- what the time left over is taken by the next runs
SELECT zcsync._run_route_jobs() + zcsync._run_route_jobs() + zcsync._run_route_jobs() AS done;
SELECT count(*) FROM zcsync.tasks;
SELECT zcsync.reference('tickets', source_id), field, code, message FROM zcsync.route_errors;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
