-- A route in both directions, of which one job writes both sides: what both
-- changed, what the plan says of it, and what a job makes of its own doing.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
SELECT account_id, CASE vendor WHEN 'zendesk' THEN 'tickets' ELSE 'tasks' END, true, now() FROM zcsync.accounts;

-- one pair, of which both vendors have told
SELECT FROM zcsync.add_route('both', 'acme/tickets', 'dev/tasks', create_in => '901', filter => $$type IS DISTINCT FROM 'question'$$);
SELECT zcsync.unmap_field('both', f) FROM unnest('{status,priority,assignees,description,due_at}'::text[]) AS f;
SELECT FROM zcsync.map_field('both', 'tags', 'tags');
SELECT FROM zcsync.map_field('both', 'subject', 't.name', back => true);
SELECT FROM zcsync.map_field('both', 'type', $$CASE WHEN t.points = 5 THEN 'question' WHEN t.points > 0 THEN 'task' END$$, back => true);
SELECT FROM zcsync.resume_route('both');
INSERT INTO zcsync.tickets (account_id, remote_id, subject, tags, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT a.account_id, '1', 'one', '{a}', now(), clock_timestamp() + interval '1 second', 'pull', pg_current_xact_id(), 'synced'
FROM zcsync.accounts a WHERE a.name = 'acme';
SELECT zcsync._run_route_jobs();
CREATE FUNCTION told() RETURNS void LANGUAGE sql AS
$$ UPDATE zcsync.tasks SET remote_id = 'r1', sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id IS NULL; DELETE FROM zcsync.sync_queue WHERE operation = 'push' $$;
CREATE FUNCTION at_source(change text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE format('UPDATE zcsync.tickets SET %s, updated_at = clock_timestamp() + interval ''1 second'', sync_cause = ''pull'', sync_cause_id = 1, sync_xid = pg_current_xact_id()', change); END $$;
CREATE FUNCTION at_target(change text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE format('UPDATE zcsync.tasks SET %s, sync_cause = ''pull'', sync_cause_id = 1, sync_xid = pg_current_xact_id()', change); END $$;
CREATE VIEW sides AS
SELECT s.subject, s.type, s.tags AS tags_here, t.name, t.points, t.tags, l.state
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id;
SELECT told();
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;

-- each its own field: one job writes both, as the plan says
SELECT at_source($$tags = '{a,b}'$$), at_target('points = 3');
SELECT op, field, old, new FROM zcsync.plan('both');
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
SELECT zcsync._run_route_jobs();
-- both the same field: the source's value counts, and neither goes back or forth again
SELECT at_source($$subject = 'by the source'$$), at_target($$name = 'by the target'$$);
SELECT op, field, old, new FROM zcsync.plan('both');
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
SELECT zcsync._run_route_jobs(), count(*) AS left FROM zcsync.sync_queue WHERE operation = 'route';
SELECT * FROM zcsync.plan('both');
-- the same field and another one: the other one comes back at once
SELECT at_source($$subject = 'again by the source'$$), at_target($$name = 'again by the target', points = 0$$);
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
-- what comes back takes the record out of the route
SELECT at_target('points = 5');
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
-- what changed while it was away is written when it comes back to it
SELECT at_source($$tags = '{c}'$$);
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
SELECT at_target('points = 2');
SELECT zcsync._run_route_jobs() + zcsync._run_route_jobs() AS jobs;
SELECT * FROM sides;
SELECT zcsync._run_route_jobs(), count(*) AS left FROM zcsync.sync_queue WHERE operation = 'route';

-- SQL that fails on what the job itself has written undoes what it wrote, of that
-- record alone
SELECT FROM zcsync.map_field('both', 'type', $$CASE WHEN t.name = 'bad' THEN (1 / (length(t.name) - 3))::text WHEN t.points > 0 THEN 'task' END$$, back => true);
SELECT at_source($$subject = 'bad'$$);
SELECT zcsync._run_route_jobs();
SELECT * FROM sides;
SELECT field, code, message FROM zcsync.route_errors;

-- which fields an expression may read
SELECT e, f, zcsync._may_read(e, f) FROM (VALUES
	('t.name', 'name'), ('t.name', 'status'), ('NAME', 'name'), ('t.rename', 'name'), ('upper(name)', 'name'),
	('public.f(t)', 'name'), ('t.custom_fields ->> ''x''', 'custom:x'), ('t.custom_fields ->> ''x''', 'name')) AS v (e, f);

DROP VIEW sides;
DROP FUNCTION told, at_source, at_target;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
