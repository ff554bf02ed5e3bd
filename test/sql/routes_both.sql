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

-- ---------------------------------------------------------------------
-- Of a field that changed on both sides the source's value counts, also where the
-- target's vendor was down and the route's value is not sent yet when a page comes
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
SELECT FROM zcsync.map_field('both', 'type', $$CASE WHEN t.points > 0 THEN 'task' END$$, back => true);
UPDATE zcsync.streams SET history_state = 'done';
CREATE FUNCTION pull(stream text, rows jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream(stream), split_part(stream, '/', 2),
		ARRAY(SELECT ROW(r ->> 'remote_id', NULL, r - 'remote_id', r, false)::zcsync.document FROM jsonb_array_elements(rows) AS r),
		zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
CREATE FUNCTION ticket(vals jsonb) RETURNS integer LANGUAGE sql AS
$$ SELECT pull('acme/tickets', jsonb_build_array(jsonb_build_object('remote_id', '2', 'created_at', '2036-01-01T00:00:00Z', 'updated_at', clock_timestamp()) || vals)) $$;
CREATE FUNCTION task(vals jsonb) RETURNS integer LANGUAGE sql AS
$$ SELECT pull('dev/tasks', jsonb_build_array(jsonb_build_object('remote_id', 'r2', 'updated_at', clock_timestamp()) || vals)) $$;
-- what is to be sent arrives
CREATE FUNCTION sent(kind text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	EXECUTE format('UPDATE zcsync.%I AS t SET base = coalesce(t.base, ''{}'') || (SELECT jsonb_object_agg(k, v) FROM jsonb_each(to_jsonb(t)) AS e (k, v)
		WHERE k IN (''subject'', ''name'', ''points'', ''tags'', ''type'', ''list_id'', ''custom_fields'')), remote_id = coalesce(remote_id, ''r2''),
		sync_state = ''synced'', sync_cause = ''push'', sync_cause_id = NULL, sync_xid = pg_current_xact_id() WHERE sync_state <> ''synced''', kind);
	DELETE FROM zcsync.sync_queue WHERE operation = 'push';
END $$;
CREATE FUNCTION route() RETURNS bigint LANGUAGE plpgsql AS
$$ DECLARE n bigint := 0; d integer; BEGIN LOOP d := zcsync._run_route_jobs(); EXIT WHEN d = 0; n := n + d; END LOOP; RETURN n; END $$;
CREATE VIEW sides2 AS
SELECT s.subject, s.sync_state AS ticket_state, s.type, t.name, t.sync_state AS task_state, t.points, t.custom_fields, l.agreed ->> 'name' AS agreed, l.agreed_back ->> 'subject' AS agreed_back
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id WHERE s.remote_id = '2';
CREATE VIEW lost AS SELECT zcsync.reference(kind, local_id) AS record, old, new, cause FROM zcsync.changes WHERE action = 'lost' ORDER BY created_at;
SELECT ticket('{"subject": "two"}');
SELECT route();
SELECT sent('tasks');
SELECT route();
SELECT * FROM sides2;

-- the source was read first
SELECT ticket('{"subject": "by the source"}');
SELECT route();
SELECT task('{"name": "by the target", "points": 3}');
SELECT * FROM sides2;
SELECT * FROM lost;
SELECT request -> 'sent' AS sent FROM zcsync._clickup_push_requests(ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'tasks'));
SELECT route();
SELECT * FROM sides2;
SELECT sent('tasks'), sent('tickets');
SELECT route();
SELECT * FROM sides2;
-- a second page, another value
SELECT ticket('{"subject": "by the source again"}');
SELECT route();
SELECT task('{"name": "one"}'), task('{"name": "another", "points": 0}'), task('{"name": "by the source again"}');
SELECT * FROM sides2;
SELECT * FROM lost;
SELECT route();
SELECT sent('tickets');
SELECT * FROM sides2;
SELECT operation, state FROM zcsync.sync_queue WHERE operation <> 'pull';
DELETE FROM zcsync.sync_queue;
-- the target was read first
SELECT task('{"name": "first by the target"}');
SELECT ticket('{"subject": "then by the source"}');
SELECT route();
SELECT task('{"name": "later by the target"}');
SELECT route();
SELECT * FROM sides2;
SELECT sent('tasks'), sent('tickets');
-- the source was down: what came back waits there, and the source's own value counts
SELECT task('{"name": "by the target alone"}');
SELECT route();
SELECT * FROM sides2;
SELECT ticket('{"subject": "at the source meanwhile"}');
SELECT route();
SELECT * FROM sides2;
SELECT record, old, new FROM lost WHERE record LIKE 'acme%';
SELECT sent('tasks'), sent('tickets');
SELECT route();
SELECT * FROM sides2;
-- both were: whichever is read first
SELECT ticket('{"subject": "s1"}'), task('{"name": "t1"}');
SELECT route();
SELECT ticket('{"subject": "s2"}');
SELECT task('{"name": "t2"}');
SELECT route();
SELECT ticket('{"subject": "s3"}');
SELECT route();
SELECT * FROM sides2;
SELECT sent('tasks'), sent('tickets');
-- what a person writes here loses to the vendor, as without a route; also over the route's value
UPDATE zcsync.tasks SET name = 'by a person' WHERE remote_id = 'r2';
SELECT task('{"name": "t4"}');
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'r2';
SELECT route();
SELECT sent('tickets');
SELECT ticket('{"subject": "s5"}');
SELECT route();
UPDATE zcsync.tasks SET name = 'by a person' WHERE remote_id = 'r2';
SELECT task('{"name": "t5"}');
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'r2';
SELECT route();
SELECT sent('tasks'), sent('tickets');
-- a policy that somebody set counts more
UPDATE zcsync.streams SET policies = '{"name": "remote"}' WHERE kind = 'tasks';
SELECT ticket('{"subject": "s6"}');
SELECT route();
SELECT task('{"name": "t6"}');
SELECT route();
SELECT * FROM sides2;
UPDATE zcsync.streams SET policies = '{}';
SELECT sent('tasks'), sent('tickets');
-- custom fields one by one
INSERT INTO zcsync.fields (account_id, remote_id, name, type, sync_cause, sync_xid)
SELECT zcsync.account('dev'), f, f, 'text', 'pull', pg_current_xact_id() FROM unnest('{f-1,f-2}'::text[]) AS f;
SELECT FROM zcsync.map_field('both', 'custom:f-1', 's.type');
SELECT task('{"custom_fields": {"f-1": "task", "f-2": "b"}}');
SELECT ticket('{"type": "incident"}');
SELECT route();
UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"f-2": "by a person"}' WHERE remote_id = 'r2';
SELECT task('{"custom_fields": {"f-1": "by the target", "f-2": "by the target"}}');
SELECT * FROM sides2;
SELECT record, old, new FROM lost WHERE old ? 'custom_fields' ORDER BY old::text;
-- of a pair that has ended the vendor's value counts again
SELECT ticket('{"type": "problem"}');
SELECT route();
UPDATE zcsync.links SET state = 'unlinked';
SELECT task('{"custom_fields": {"f-1": "by the target"}}');
SELECT custom_fields FROM zcsync.tasks WHERE remote_id = 'r2';

-- ---------------------------------------------------------------------
-- Sets keep what either side adds, and lose what either side removes
-- ---------------------------------------------------------------------
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.links SET state = 'linked';
SELECT FROM zcsync.unmap_field('both', 'custom:f-1');
CREATE VIEW sets AS
SELECT s.tags AS tags_here, t.tags, l.agreed -> 'tags' AS agreed, l.agreed_back -> 'tags' AS agreed_back
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id WHERE s.remote_id = '2';
CREATE FUNCTION edit_sets(here text[], there text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$
	SELECT ticket(jsonb_build_object('tags', here)), task(jsonb_build_object('tags', there));
	SELECT route();
	SELECT sent('tasks'), sent('tickets');
	SELECT format('%s jobs more', route());
$$;
-- one way: what the other side has besides is its own
SELECT edit_sets('{a}', '{a}');
SELECT edit_sets('{a}', '{a,x}');
SELECT * FROM sets;
SELECT edit_sets('{a,b}', '{a,x}');
SELECT * FROM sets;
SELECT edit_sets('{b}', '{a,b,x}');
SELECT * FROM sets;
-- both ways: to the same set on both sides, whoever began
SELECT FROM zcsync.map_field('both', 'tags', 't.tags', back => true);
SELECT FROM zcsync.apply_route('both');
SELECT route();
SELECT * FROM sets;
SELECT sent('tasks'), sent('tickets');
SELECT ticket('{"tags": ["b", "s"]}'), task('{"tags": ["b", "t"]}');
SELECT op, field, old, new FROM zcsync.plan('both');
SELECT edit_sets('{b,s}', '{b,t}');
SELECT * FROM sets;
-- removed on one side, added on the other
SELECT edit_sets('{s}', '{b,s,t,u}');
SELECT * FROM sets;
-- the same on both, and everything removed
SELECT edit_sets('{s,t,u,v}', '{s,t,u,v}');
SELECT * FROM sets;
SELECT edit_sets('{}', '{s,t,u,v,w}');
SELECT * FROM sets;
SELECT op, field, old, new FROM zcsync.plan('both');

DROP VIEW sides, sides2, lost, sets;
DROP FUNCTION edit_sets(text[], text[]);
DROP FUNCTION told, at_source, at_target, pull, ticket, task, sent, route;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
