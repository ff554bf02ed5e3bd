-- Why a record has a counterpart or none: explain_route(), rule by rule; and what
-- check_route() counts on real records.
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
SELECT account_id, CASE vendor WHEN 'clickup' THEN 'tasks' ELSE 'tickets' END, true, now() FROM zcsync.accounts;
INSERT INTO zcsync.lists (account_id, list_id, path) SELECT account_id, '901', 'Engineering/Bugs' FROM zcsync.accounts WHERE name = 'dev';
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid)
SELECT a.account_id, c.id, c.email, c.email, 'pull', '0'
FROM (VALUES ('dev', '183', 'lena@workspace.example'), ('acme', '11', 'LENA@workspace.example'), ('acme', '12', 'guy@example.com')) AS c (account, id, email)
JOIN zcsync.accounts a ON a.name = c.account;
CREATE FUNCTION ticket(id text, change jsonb DEFAULT '{}', age interval DEFAULT '-1 second') RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, tags, assignee_id, custom_fields, created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT account_id, id, coalesce(change ->> 'subject', 's' || id), coalesce(change ->> 'status', 'open'), coalesce(string_to_array(change ->> 'tags', ','), '{bug}'),
		change ->> 'assignee', '{"7": "x", "8": "y"}', now() - '2 days'::interval, clock_timestamp() - age, 'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts WHERE name = 'acme'
$$;
CREATE FUNCTION run() RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route'; RETURN zcsync._run_route_jobs(); END $$;
-- times and numbers differ from run to run
CREATE FUNCTION why(route text, reference text) RETURNS TABLE (rule text, ok boolean, message text, hint text) LANGUAGE sql AS
$$
	SELECT e.rule, e.ok, regexp_replace(regexp_replace(e.message, '20\d\d-[0-9-]+[ T][0-9:.]+(\+00(:00)?)?', 'TIME', 'g'), '(job|local_id|#) ?\d+', '\1 N', 'g'),
		regexp_replace(e.hint, '(retry\(|WHERE )\d+', '\1N')
	FROM zcsync.explain_route(route, reference) AS e
$$;
CREATE FUNCTION because(route text, reference text) RETURNS TABLE (rule text, message text, hint text) LANGUAGE sql AS
$$ SELECT w.rule, w.message, w.hint FROM why(route, reference) AS w WHERE w.ok IS FALSE $$;

-- ---------------------------------------------------------------------
-- What check_route() counts
-- ---------------------------------------------------------------------

SELECT ticket('1', '{"assignee": "11"}', '2 days'), ticket('2', '{"assignee": "12"}', '2 days'), ticket('3', '{"subject": "far", "tags": "bug,far"}', '2 days'),
	ticket('4', '{"subject": "zero"}', '2 days'), ticket('5', '{"tags": "question"}', '2 days'), ticket('6', '{"status": "hold"}', '2 days');
SELECT FROM zcsync.add_route('r', 'acme/tickets', 'dev/tasks', filter => $$tags @> '{bug}' AND custom_fields ->> '7' = 'x' AND status <> 'new'$$,
	create_in => $$CASE WHEN tags @> '{far}' THEN 'Nowhere/At all' ELSE '901' END$$, default_assignee => 'Lena@workspace.example');
SELECT zcsync.unmap_field('r', f) FROM unnest('{description,due_at,priority}'::text[]) AS f;
SELECT zcsync.map_value('r', 'status', s, t) FROM (VALUES ('open', 'to do'), ('pending', 'stuck')) AS v (s, t);
SELECT zcsync.map_field('r', 'time_estimate', $$CASE WHEN subject = 'zero' THEN 1 / (length(subject) - 4) END$$);
SELECT item, ok, message, hint FROM zcsync.check_route('r') WHERE item NOT LIKE 'status%' AND item NOT IN ('functions', 'write brake');
SELECT zcsync.unmap_field('r', 'time_estimate');
SELECT zcsync.alter_route('r', default_assignee => '77');
SELECT item, ok, message, hint FROM zcsync.check_route('r') WHERE item IN ('mapping', 'default assignee');
SELECT zcsync.alter_route('r', default_assignee => '');
SELECT item, ok, message, hint FROM zcsync.check_route('r') WHERE item LIKE 'values%' OR item IN ('mapping', 'default assignee');
SELECT zcsync.alter_route('r', create_in => '901');
SELECT zcsync.map_value('r', 'status', s, 'to do') FROM unnest('{new,solved,closed}'::text[]) AS s;

-- ---------------------------------------------------------------------
-- Rule by rule
-- ---------------------------------------------------------------------

-- not mirrored, nothing to do with the route, no reference at all
SELECT * FROM why('r', 'acme/tickets/404');
SELECT * FROM why('r', 'dev/tasks/404');
SELECT * FROM why('r', 'dev/contacts/183');
SELECT * FROM why('r', 'nonsense');
SELECT * FROM why('nosuch', 'acme/tickets/1');
-- a route that never ran; then one that began later
SELECT * FROM because('r', 'acme/tickets/1');
SELECT zcsync.resume_route('r') LIKE '%is active%' AS active;
SELECT * FROM why('r', 'acme/tickets/1');
-- the filter, with what it reads
SELECT ticket('11', '{"tags": "question"}'), ticket('12', '{"status": "new"}'), ticket('13', '{"assignee": "11"}'), ticket('14', '{"assignee": "12"}');
SELECT * FROM because('r', 'acme/tickets/11');
SELECT message FROM why('r', 'acme/tickets/12') WHERE rule = 'filter';
-- waiting, then made: a value that has no counterpart keeps nothing from going
SELECT * FROM why('r', 'acme/tickets/13');
SELECT run();
SELECT * FROM why('r', 'acme/tickets/13');
SELECT * FROM why('r', 'acme/tickets/14') WHERE rule IN ('values', 'result');
-- by its counterpart
SELECT rule, ok, message FROM why('r', zcsync.reference('tasks', (SELECT local_id FROM zcsync.tasks WHERE name = 's13'))) WHERE rule = 'result';
-- held, and cancelled
UPDATE zcsync.sync_queue SET state = 'held' WHERE operation = 'push' AND local_id = (SELECT local_id FROM zcsync.tasks WHERE name = 's13');
SELECT * FROM because('r', 'acme/tickets/13');
SELECT zcsync.cancel_held('r') > 0 AS cancelled;
SELECT * FROM because('r', 'acme/tickets/13');
-- the task that the vendor told, and that was deleted; a push that was given up
UPDATE zcsync.tasks SET remote_id = 'r' || name, sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE name = 's14';
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
SELECT rule, ok, message FROM why('r', 'acme/tickets/14') WHERE rule IN ('pair', 'counterpart', 'result');
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key, payload, priority, attempts, class, message, hint, created_at, died_at)
SELECT 9, account_id, 'push', 'push', 'api', 'tasks', local_id, 'x', 'x', '{}', 50, 1, 'conflict', '"dev/tasks/zz" has the mark of this record', 'SELECT zcsync.retry(9);', now(), now() FROM zcsync.tasks WHERE name = 's14';
SELECT * FROM because('r', 'acme/tickets/14');
DELETE FROM zcsync.dead_letters;
UPDATE zcsync.tasks SET deleted_at = now(), sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE name = 's14';
SELECT * FROM because('r', 'acme/tickets/14');
-- out of the route again
UPDATE zcsync.tasks SET deleted_at = NULL, sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE name = 's14';
UPDATE zcsync.tickets SET tags = '{}', updated_at = clock_timestamp() + interval '1 second', sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = '14';
SELECT run();
SELECT rule, ok, message FROM why('r', 'acme/tickets/14') WHERE rule IN ('filter', 'pair', 'result');
-- deleted
UPDATE zcsync.tickets SET deleted_at = now(), sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = '12';
SELECT rule, message, hint FROM because('r', 'acme/tickets/12') LIMIT 1;

-- SQL that fails: now, and after its last attempt
SELECT zcsync.map_field('r', 'time_estimate', $$CASE WHEN subject = 'zero' THEN 1 / (length(subject) - 4) END$$);
SELECT ticket('21', '{"subject": "zero"}');
SELECT * FROM because('r', 'acme/tickets/21');
SELECT run();
SELECT * FROM because('r', 'acme/tickets/21');
DO $$ BEGIN FOR i IN 1 .. 4 LOOP PERFORM run(); END LOOP; END $$;
SELECT * FROM because('r', 'acme/tickets/21');
SELECT zcsync.unmap_field('r', 'time_estimate');
-- a record that passes, and that nothing has queued
SELECT ticket('22', '{"tags": "later"}');
SELECT run();
SELECT zcsync.alter_route('r', filter => $$tags && '{bug,later}'$$);
SELECT * FROM because('r', 'acme/tickets/22');
-- what match_on finds has another counterpart; another route's pair; a circle
SELECT zcsync.alter_route('r', match_on => $$t.name = 's14'$$);
SELECT ticket('23');
SELECT * FROM because('r', 'acme/tickets/23');
SELECT zcsync.alter_route('r', match_on => '');
SELECT run();
SELECT FROM zcsync.add_route('second', 'acme/tickets', 'dev/tasks', filter => $$subject LIKE 's2%'$$, create_in => '901');
SELECT rule, ok, message FROM why('second', 'acme/tickets/23') WHERE rule IN ('match', 'pair');
SELECT zcsync.remove_route('second');
-- made by another installation; a copy of something that began in the target stream
SELECT ticket('31'), ticket('32');
UPDATE zcsync.tickets SET external_id = 'zcsync-' || gen_random_uuid(), sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = '31';
SELECT * FROM because('r', 'acme/tickets/31');
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('halo', 'halopsa', '{"host": "acme.halopsa.com"}');
INSERT INTO zcsync.links (source_id, source_account, source_kind, target_id, target_account, target_kind, copy_id)
SELECT t.local_id, t.account_id, 'tasks', 900001, zcsync.account('halo'), 'tickets', 900001 FROM zcsync.tasks t WHERE t.name = 's14'
UNION ALL SELECT 900001, zcsync.account('halo'), 'tickets', s.local_id, s.account_id, 'tickets', s.local_id FROM zcsync.tickets s WHERE s.remote_id = '32';
SELECT rule, message FROM because('r', 'acme/tickets/32');
-- check_route() tries pairs, too, however many newer records without a counterpart there are
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('old', 'zendesk', '{"subdomain": "old"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at) VALUES (zcsync.account('old'), 'tickets', true, now());
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid)
VALUES (zcsync.account('old'), '11', 'Lena', 'lena@workspace.example', 'pull', '0'), (zcsync.account('old'), '12', 'Guy', 'guy@example.com', 'pull', '0');
CREATE FUNCTION old_tickets(first integer, last integer, subject text, assignee text DEFAULT '11') RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, assignee_id, created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT zcsync.account('old'), i, subject, 'open', assignee, now() - '2 days'::interval, clock_timestamp() + interval '1 second', 'pull', pg_current_xact_id(), 'synced'
	FROM generate_series(first, last) AS i
$$;
SELECT FROM zcsync.add_route('pairs', 'old/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.unmap_field('pairs', f) FROM unnest('{description,due_at,priority,status}'::text[]) AS f;
SELECT zcsync.resume_route('pairs') LIKE '%is active%' AS active;
SELECT old_tickets(1, 1, 'zero'), old_tickets(2, 3, 'far'), old_tickets(4, 6, 'his', '12');
SELECT run();
SELECT count(*) AS linked FROM zcsync.links l JOIN zcsync.routes r USING (route_id) WHERE r.name = 'pairs' AND l.state = 'linked';
SELECT zcsync.pause_route('pairs');
SELECT old_tickets(1001, 1150, 'as it should be');
SELECT count(*) AS newer FROM zcsync.tickets t WHERE t.account_id = zcsync.account('old') AND t.local_id > (SELECT max(l.source_id) FROM zcsync.links l WHERE l.source_account = t.account_id);
SELECT zcsync.alter_route('pairs', create_in => $$CASE WHEN subject = 'far' THEN 'Nowhere/At all' ELSE '901' END$$, default_assignee => '77');
SELECT zcsync.map_field('pairs', 'time_estimate', $$CASE WHEN subject = 'zero' THEN 1 / (length(subject) - 4) END$$);
SELECT item, ok, message FROM zcsync.check_route('pairs') WHERE item IN ('mapping', 'create_in', 'default assignee') OR item LIKE 'values%';
-- without the pairs there is nothing wrong but the default assignee, whom nobody would get
DELETE FROM zcsync.links l USING zcsync.routes r WHERE l.route_id = r.route_id AND r.name = 'pairs';
SELECT item, ok, message FROM zcsync.check_route('pairs') WHERE item IN ('mapping', 'create_in', 'default assignee') OR item LIKE 'values%';
SELECT zcsync.remove_route('pairs');

-- a column that it does not read by a key is shown as a whole, a document of the vendor only to those who may read it
CREATE ROLE regress_why;
SELECT zcsync.allow_routes('regress_why');
GRANT SELECT ON zcsync.tickets TO regress_why;
UPDATE zcsync.tickets SET remote = jsonb_build_object('via', '{"channel": "web"}'::jsonb, 'rest', repeat('x', 300)), sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = '11';
CREATE PROCEDURE filters() LANGUAGE plpgsql AS $$
DECLARE
	f text;
	m text;
BEGIN
	FOREACH f IN ARRAY ARRAY['custom_fields @> ''{"7": "z"}''', 'custom_fields ? ''9''', 'custom_fields ->> ''7'' = ''z''', 'remote #>> ''{via,channel}'' = ''api''', 'custom_fields -> ''8'' = ''1'' AND remote ? ''a'''] LOOP
		PERFORM zcsync.alter_route('r', filter => f);
		SET LOCAL ROLE regress_why;
		SELECT e.message INTO m FROM zcsync.explain_route('r', 'acme/tickets/11') AS e WHERE e.rule = 'filter';
		RESET ROLE;
		RAISE WARNING '% (%)', m, length(m);
	END LOOP;
END $$;
CALL filters();
REVOKE SELECT ON zcsync.tickets FROM regress_why;
CALL filters();
DROP PROCEDURE filters;

-- a paused route, one whose function is gone, a stream that is read-only
SELECT zcsync.pause_route('r');
SELECT rule, message, hint FROM because('r', 'acme/tickets/23') WHERE rule = 'route';
SELECT format('DROP FUNCTION zcsync_routes.forward_%s', route_id) FROM zcsync.routes \gexec
SELECT rule, ok, message FROM why('r', 'acme/tickets/23') WHERE rule IN ('route', 'filter', 'values', 'result');

-- a role that may define routes may ask; it writes nothing
SET ROLE regress_why;
SELECT count(*) FROM zcsync.explain_route('r', 'acme/tickets/23');
SELECT zcsync._route_subject(1, 1, true);
RESET ROLE;

DROP FUNCTION ticket, old_tickets, run, because, why;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
DROP ROLE regress_why;
