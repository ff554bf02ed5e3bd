-- Routes: write brake, match before create, lists by expression, rights,
-- plans of the queries.  The worker is stopped; jobs are run here by hand.
\set ON_ERROR_STOP off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
SELECT account_id, CASE vendor WHEN 'zendesk' THEN 'tickets' ELSE 'tasks' END, vendor = 'clickup', now() FROM zcsync.accounts;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.list || '/' || s.id, s.list, s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES
	('901', 'p1', 'to do', 'open', 0), ('901', 'p2', 'in progress', 'custom', 1), ('901', 'p4', 'complete', 'closed', 3),
	('902', 'q1', 'Open', 'open', 0), ('902', 'q2', 'working', 'custom', 1), ('902', 'q3', 'shipped', 'done', 2),
	('902', 'q4', 'Closed', 'closed', 3), ('903', 'r1', 'one', 'custom', 1), ('903', 'r2', 'two', 'custom', 2)) AS s (list, id, name, category, position)
JOIN zcsync.accounts a ON a.name = 'dev';

CREATE FUNCTION tickets(first integer, last integer, status text DEFAULT 'open', tag text DEFAULT 'bug') RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, tags, created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT a.account_id, i, 'Subject ' || i, status, ARRAY[tag], now(), clock_timestamp() + interval '1 second',
		'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts a CROSS JOIN generate_series(first, last) i WHERE a.name = 'acme'
$$;
CREATE FUNCTION tasks(list text, ids text[], descriptions text[]) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tasks (account_id, remote_id, name, description, status, list_id, sync_cause, sync_xid, sync_state)
	SELECT a.account_id, t.id, 'Task ' || t.id, t.description, 'to do', list, 'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts a CROSS JOIN unnest(ids, descriptions) AS t (id, description) WHERE a.name = 'dev'
$$;
CREATE VIEW pushes AS SELECT state, priority, count(*), count(route_id) AS of_route FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY 1, 2 ORDER BY 1, 2;
CREATE VIEW links AS
SELECT zcsync.reference('tickets', l.source_id) AS source, t.remote_id AS target, t.list_id, t.status, l.state
FROM zcsync.links l JOIN zcsync.tasks t ON t.local_id = l.target_id ORDER BY length(zcsync.reference('tickets', l.source_id)), 1;

-- the brake: 30 writes an hour here, in batches of at most as many
SET zcsync.bulk_write_limit = 30;
SELECT FROM zcsync.add_route('brake', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.resume_route('brake') LIKE '%is active%' AS active;
SELECT tickets(1, 20);
SELECT zcsync._run_route_jobs();
SELECT * FROM pushes;
SELECT hour_writes FROM zcsync.routes;
SELECT tickets(21, 70);
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT * FROM pushes;
SELECT hour_writes FROM zcsync.routes;
SELECT code, object, message, hint, count > 0 AS counted FROM zcsync.alerts WHERE resolved_at IS NULL;
-- nothing goes on by itself; a person decides
SELECT zcsync.remove_route('brake');
SELECT zcsync.release_held('brake');
SELECT * FROM pushes;
SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL;
-- a new hour
UPDATE zcsync.routes SET hour_started_at = now() - interval '61 minutes';
SELECT tickets(71, 72);
SELECT zcsync._run_route_jobs();
SELECT hour_writes FROM zcsync.routes;
SELECT state, count(*) FROM zcsync.sync_queue WHERE operation = 'push' GROUP BY 1;
-- a backfill was confirmed by a person: no brake
UPDATE zcsync.routes SET old_before = now() + interval '1 hour';
DELETE FROM zcsync.sync_queue;
SELECT tickets(100, 149);
SELECT value AS queued FROM zcsync.backfill_route('brake', confirm => true) WHERE item = 'queued';
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT * FROM pushes;
SELECT zcsync.remove_route('brake');
RESET zcsync.bulk_write_limit;
BEGIN; SELECT zcsync._allow_delete(); DELETE FROM zcsync.tasks; DELETE FROM zcsync.tickets; COMMIT;
DELETE FROM zcsync.sync_queue;

-- what exists is found, not made again: by the address of the ticket, wherever
-- it stands in the description, and only by the whole of it
SELECT tickets(1, 4);
SELECT tickets(11, 11);
SELECT tasks('901', '{a,b,c,d}', ARRAY[
	'Ticket #1' || E'\n\nhttps://acme.zendesk.com/agent/tickets/1', 'see (https://acme.zendesk.com/agent/tickets/2#zcsync-0b5e1c9e).',
	'https://other.zendesk.com/agent/tickets/3', NULL]);
SELECT FROM zcsync.add_route('first', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT op, source, target FROM zcsync.plan('first') WHERE op = 'link' OR field = 'name' ORDER BY 2, 1;
SELECT zcsync.resume_route('first') LIKE '%is active%' AS active;
SELECT count(*) FROM zcsync.backfill_route('first', confirm => true);
SELECT zcsync._run_route_jobs();
SELECT * FROM links;
SELECT status, count(*) FROM zcsync.sync_records GROUP BY 1 ORDER BY 1;
-- linking changes nothing on the other side
SELECT name, status FROM zcsync.tasks WHERE remote_id IN ('a', 'b') ORDER BY remote_id;
-- a second route between the same streams, and the same route made anew
SELECT FROM zcsync.add_route('second', 'acme/tickets', 'dev/tasks', create_in => '902');
SELECT op, count(*) FROM zcsync.plan('second') GROUP BY 1;
SELECT zcsync.remove_route('second'), zcsync.remove_route('first');
UPDATE zcsync.tasks SET remote_id = 'new' || local_id, sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE remote_id IS NULL;
SELECT FROM zcsync.add_route('third', 'acme/tickets', 'dev/tasks', create_in => '902');
SELECT op, count(*) FROM zcsync.plan('third') GROUP BY 1;
-- by a condition of one's own
SELECT zcsync.alter_route('third', match_on => $$t.name = 'Task d' AND s.remote_id = '4'$$);
SELECT op, source, target FROM zcsync.plan('third') WHERE op = 'link';
SELECT zcsync.alter_route('third', match_on => 'false');
SELECT op, count(DISTINCT source) FROM zcsync.plan('third') GROUP BY 1;
SELECT zcsync.remove_route('third');
DELETE FROM zcsync.sync_queue;

-- lists by an expression, with statuses of their own: by name or by meaning
SELECT tickets(31, 31, 'pending', 'bug'), tickets(32, 32, 'pending', 'chore'), tickets(33, 33, 'solved', 'chore'),
	tickets(34, 34, 'pending', 'other'), tickets(35, 35, 'open', 'nowhere'), tickets(36, 36, 'open', 'none');
SELECT FROM zcsync.add_route('lists', 'acme/tickets', 'dev/tasks', filter => $$remote_id::integer > 30 AND tags <> '{bulk}'$$,
	create_in => $$CASE tags[1] WHEN 'bug' THEN '901' WHEN 'chore' THEN '902' WHEN 'other' THEN '903' WHEN 'nowhere' THEN 'No/Such' END$$);
SELECT source_value, target_value FROM zcsync.route_values WHERE field = 'status' ORDER BY 1;
SELECT zcsync.map_value('lists', 'status', 'pending', 'in progress'), zcsync.map_value('lists', 'status', 'solved', 'complete');
SELECT op, source, field, new FROM zcsync.plan('lists') WHERE field IN ('list_id', 'status') OR op = 'error' ORDER BY 2, 1, 3;
SELECT item, ok, message FROM zcsync.check_route('lists') WHERE NOT ok;
SELECT item, ok, message, hint FROM zcsync.check_route('lists') WHERE item = 'members';
-- a status that is renamed at the vendor keeps working by its id
UPDATE zcsync.statuses SET name = 'doing', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE status_id = 'p2';
SELECT new FROM zcsync.plan('lists') WHERE source = 'acme/tickets/31' AND field = 'status';
-- the default assignee
SELECT zcsync.alter_route('lists', default_assignee => 'lead@example.com');
SELECT item, ok, message FROM zcsync.check_route('lists') WHERE item = 'default assignee';
INSERT INTO zcsync.contacts (account_id, remote_id, email, sync_cause, sync_xid) SELECT account_id, '77', 'LEAD@example.com', 'pull', '0' FROM zcsync.accounts WHERE name = 'dev';
SELECT item, ok, message FROM zcsync.check_route('lists') WHERE item = 'default assignee';
SELECT new FROM zcsync.plan('lists') WHERE source = 'acme/tickets/31' AND field = 'assignees';
-- a field that a list requires
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, required, active, remote, sync_cause, sync_xid)
SELECT account_id, '902/f7', '902', 'Severity', 'drop_down', true, true, '{"id": "f7"}', 'pull', '0' FROM zcsync.accounts WHERE name = 'dev';
SELECT item, ok, message, hint FROM zcsync.check_route('lists') WHERE item LIKE 'required%';
SELECT zcsync.remove_route('lists');

-- text of a ticket whose comments are all private stays out
UPDATE zcsync.tickets SET description = 'secret', remote = '{"is_public": false}', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '31';
SELECT FROM zcsync.add_route('private', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT new FROM zcsync.plan('private', (SELECT array_agg(local_id) FROM zcsync.tickets WHERE remote_id = '31')) WHERE field = 'description';
SELECT zcsync.remove_route('private');

-- rights: a route runs with those of the role that defines it
CREATE ROLE regress_router;
CREATE ROLE regress_other;
CREATE TABLE public.secrets AS SELECT 'top' AS secret;
SELECT zcsync.allow_routes('regress_nobody');
SET ROLE regress_router;
SELECT zcsync.add_route('mine', 'acme/tickets', 'dev/tasks', create_in => '901');
RESET ROLE;
SELECT zcsync.allow_routes('regress_router'), zcsync.allow_routes('regress_other');
SET ROLE regress_router;
SELECT zcsync.add_route('mine', 'acme/tickets', 'dev/tasks', create_in => '901');
RESET ROLE;
GRANT SELECT ON zcsync.contacts TO regress_router, regress_other;
SET ROLE regress_router;
SELECT zcsync.add_route('mine', 'acme/tickets', 'dev/tasks', filter => $$remote_id = '31'$$, create_in => '901') LIKE '%is made%' AS made;
SELECT zcsync.map_field('mine', 'name', '(SELECT secret FROM public.secrets)');
SELECT zcsync.map_field('mine', 'name', '(SELECT min(subject) FROM zcsync.tickets)');
SELECT zcsync.map_field('mine', 'name', '''mine ''|| current_user');
SELECT zcsync.map_value('mine', 'status', 'pending', 'to do');
SELECT message FROM zcsync.check_route('mine') WHERE item = 'functions';
SELECT new FROM zcsync.plan('mine') WHERE field = 'name';
SELECT count(*) FROM zcsync.routes;
-- another role can neither change it nor put SQL into it
SET ROLE regress_other;
SELECT zcsync.map_field('mine', 'name', '''theirs''');
SELECT zcsync._save_route((zcsync._route('mine') ->> 'route_id')::bigint, '{"fields": {"name": {"expression": "''theirs''", "mapped": false, "position": 1}}}');
RESET ROLE;
SELECT expression FROM zcsync.route_fields WHERE field = 'name';
-- not even a superuser, with whose rights it would run
SELECT zcsync.alter_route('mine', on_leave => 'close');
-- what the SQL of a route does to the session ends with it
CREATE SCHEMA regress_router AUTHORIZATION regress_router;
SET ROLE regress_router;
CREATE TABLE regress_router.trap (a integer);
CREATE FUNCTION regress_router.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'sprung as %', current_user; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON regress_router.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_router.spring();
CREATE FUNCTION regress_router.f(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO regress_router.trap VALUES (1); RETURN true; END $$;
SELECT zcsync.alter_route('mine', filter => 'regress_router.f(subject)');
RESET ROLE;
SELECT DISTINCT op, new FROM zcsync.plan('mine');
SELECT * FROM zcsync.backfill_route('mine');
CREATE OR REPLACE FUNCTION regress_router.f(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('zcsync.bulk_write_limit', '9999', false); RETURN true; END $$;
SELECT count(*) > 0 AS planned FROM zcsync.plan('mine');
SHOW zcsync.bulk_write_limit;
SET ROLE regress_router;
SELECT zcsync.alter_route('mine', filter => $$remote_id = '31'$$);
RESET ROLE;
DROP SCHEMA regress_router CASCADE;
-- functions of somebody else under our names are not run
SELECT route_id AS id FROM zcsync.routes WHERE name = 'mine' \gset
SELECT zcsync.resume_route('mine') LIKE '%is active%' AS active;
DROP FUNCTION zcsync_routes.forward_:id;
SET ROLE regress_other;
CREATE FUNCTION zcsync_routes.forward_:id(zcsync.tickets[], boolean) RETURNS zcsync.route_value[] LANGUAGE sql AS $$ SELECT ARRAY(SELECT ROW(true, '{"name": "theirs"}', NULL, NULL)::zcsync.route_value FROM unnest($1)) $$;
RESET ROLE;
UPDATE zcsync.tickets SET subject = 'changed', updated_at = now() + interval '1 minute', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '31';
SELECT zcsync._run_route_jobs();
SELECT state FROM zcsync.routes WHERE name = 'mine';
SELECT regexp_replace(message, '_\d+', '_N') AS message FROM zcsync.alerts WHERE resolved_at IS NULL;
SELECT op FROM zcsync.plan('mine');
SELECT item, ok, regexp_replace(message, '_\d+', '_N', 'g') AS message FROM zcsync.check_route('mine') WHERE NOT ok;
DROP FUNCTION zcsync_routes.forward_:id;
SET ROLE regress_router;
SELECT zcsync.alter_route('mine', on_leave => 'keep');
SELECT zcsync.resume_route('mine') LIKE '%is active%' AS active;
RESET ROLE;
SELECT zcsync._run_route_jobs() > 0 AS ran;
SELECT name FROM zcsync.tasks WHERE name LIKE 'mine%';
SELECT count(*) FROM zcsync.alerts WHERE code = 'route_fault' AND resolved_at IS NULL;
-- a column that a route reads cannot be dropped under it
ALTER TABLE zcsync.tickets ADD COLUMN severity text;
SET ROLE regress_router;
SELECT zcsync.alter_route('mine', filter => 'severity IS NULL');
RESET ROLE;
ALTER TABLE zcsync.tickets DROP COLUMN severity;
SELECT zcsync.remove_route('mine');

-- the queries of a batch read by index, however much there is
SELECT tickets(1001, 4000);
SELECT tasks('901', array_agg('x' || i), array_agg('https://acme.zendesk.com/agent/tickets/' || i)) FROM generate_series(1001, 4000) i;
SELECT FROM zcsync.add_route('plans', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.resume_route('plans') IS NOT NULL AS done;
SELECT count(*) FROM zcsync.backfill_route('plans', confirm => true);
SELECT zcsync._run_route_jobs();
SELECT status, count(*) FROM zcsync.sync_records WHERE created_at = (SELECT max(created_at) FROM zcsync.sync_records) GROUP BY 1 ORDER BY 1;
ANALYZE zcsync.tickets, zcsync.tasks, zcsync.links, zcsync.sync_queue;
CREATE FUNCTION scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Scan.* on (tickets|tasks|links|sync_queue)|Index Scan on idx_' THEN
			RETURN NEXT regexp_replace(btrim(line), '^-> +|_\d+$', '', 'g');
		END IF;
	END LOOP;
END
$$;
SELECT route_id AS id, source_stream_id AS source, target_stream_id AS target FROM zcsync.routes \gset
SELECT array_agg(local_id) AS ids FROM (SELECT local_id FROM zcsync.tickets WHERE remote_id::integer BETWEEN 2000 AND 2199) s \gset
SELECT DISTINCT scans(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(zcsync._route_query(:id, 'tickets', 'tasks'),
	'$16', 'NULL::zcsync.route_evaluation[]'), '$15', '''{}''::text[]'), '$14', 'NULL::zcsync.vendor_rules'), '$13', 'false'), '$12', 'NULL::zcsync.route_evaluation[]'), '$1', :'id'), '$2', '1'), '$3', quote_literal(:'ids') || '::bigint[]'), '$4', 'true'), '$5', 'NULL::zcsync.route_start'), '$6', '2'), '$7', 'NULL::text'), '$8', '''keep'''), '$9', '''{}''::jsonb')) ORDER BY 1;
SELECT DISTINCT scans(replace(replace(replace(replace(replace(replace(zcsync._route_match_query(:id, NULL, 'tickets', 'tasks'),
	'$1', :'id'), '$2', '1'), '$3', quote_literal(:'ids') || '::bigint[]'), '$4', '2'), '$5', :'source'), '$6', :'target')) ORDER BY 1;
SELECT DISTINCT scans(replace(replace(replace(replace(zcsync._route_origin_query('tickets', 'tasks'),
	'$8', quote_literal(:'ids') || '::bigint[]'), '$4', '2'), '$5', :'source'), '$6', :'target')) ORDER BY 1;
SELECT scans(format('SELECT q.job_id FROM zcsync.sync_queue q WHERE q.route_id = %s AND q.operation = ''route'' AND q.state = ''ready'' AND q.run_at <= now() ORDER BY q.priority, q.run_at, q.job_id LIMIT 200', :id));

DROP VIEW pushes, links;
DROP FUNCTION tickets, tasks, scans;
DROP TABLE public.secrets;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
DROP ROLE regress_router, regress_other;
