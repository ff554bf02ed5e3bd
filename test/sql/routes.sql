-- Routes: definition, defaults, plan, run, maps, filter and on_leave.
-- The worker is stopped; route jobs are run here by hand.
\set ON_ERROR_STOP off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- two accounts whose data are in place
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens)
SELECT account_id, 'api', 100, 60, 45 FROM zcsync.accounts WHERE name = 'dev';
INSERT INTO zcsync.streams (account_id, kind, last_pull_at)
SELECT account_id, CASE vendor WHEN 'zendesk' THEN 'tickets' ELSE 'tasks' END, now() FROM zcsync.accounts;
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid)
SELECT a.account_id, c.id, c.name, c.email, 'pull', '0'
FROM (VALUES ('acme', '11', 'Ann Agent', 'ann@example.com'), ('acme', '12', 'Rob Requester', 'rob@example.org'),
	('acme', '13', 'Guy Gone', 'guy@example.com'), ('dev', '183', 'Ann', 'Ann@Example.com')) AS c (account, id, name, email)
JOIN zcsync.accounts a ON a.name = c.account;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.list || '/' || s.id, s.list, s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES
	('901', 'p1', 'to do', 'open', 0), ('901', 'p2', 'blocked', 'custom', 1), ('901', 'p3', 'in review', 'custom', 2),
	('901', 'p4', 'complete', 'closed', 3),
	('902', 'q1', 'Open', 'open', 0), ('902', 'q2', 'working', 'custom', 1), ('902', 'q3', 'shipped', 'done', 2),
	('902', 'q4', 'Closed', 'closed', 3)) AS s (list, id, name, category, position)
JOIN zcsync.accounts a ON a.name = 'dev';

-- a page of tickets as the mirror would store it
CREATE FUNCTION ticket(id text, subject text, status text, priority text, assignee text, tags text[], age interval DEFAULT '1 hour')
RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, priority, requester_id, assignee_id, tags,
		created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT a.account_id, id, subject, 'It smokes.', status, priority, '12', assignee, tags, now() - '2 days'::interval, now() - age,
		'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts a WHERE a.name = 'acme'
$$;
-- a change of tickets at the vendor
CREATE FUNCTION pull(ids text[], change text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('UPDATE zcsync.tickets SET %s, updated_at = clock_timestamp() + interval ''1 second'', sync_cause = ''pull'', sync_cause_id = 2, sync_xid = pg_current_xact_id() WHERE remote_id = ANY ($1)', change) USING ids;
END
$$;
-- pushes reach the vendor
CREATE FUNCTION push() RETURNS void LANGUAGE sql AS
$$
	DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready';
	UPDATE zcsync.tasks t SET remote_id = coalesce(remote_id, 't' || substr(name, 1, 20)), sync_state = 'synced',
		sync_cause = 'push', sync_xid = pg_current_xact_id(), base = to_jsonb(t)
	WHERE sync_state <> 'synced';
$$;
CREATE VIEW tasks AS
SELECT remote_id, name, status, priority, assignees, list_id, sync_cause FROM zcsync.tasks ORDER BY local_id;
CREATE VIEW jobs AS
SELECT q.operation, q.kind, q.state, q.priority, count(*) FROM zcsync.sync_queue q GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
CREATE VIEW links AS
SELECT zcsync.reference('tickets', l.source_id) AS source, zcsync.reference('tasks', l.target_id) AS target, l.state FROM zcsync.links l ORDER BY 1;
CREATE VIEW errors AS
SELECT zcsync.reference('tickets', e.source_id) AS source, e.field, e.code, e.value, e.message, e.hint, e.count FROM zcsync.route_errors e ORDER BY 1, 2;

SELECT ticket('1', 'Printer', 'new', 'urgent', '11', '{bug}');
SELECT ticket('2', '  ', 'pending', NULL, '13', '{bug}');
SELECT ticket('3', 'Plotter', 'solved', 'low', NULL, '{bug,ui}');
SELECT ticket('4', 'Question', 'open', 'normal', '11', '{question}');

-- errors of definition
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901');
UPDATE zcsync.streams SET writes = true WHERE kind = 'tasks';
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks');
SELECT zcsync.add_route('R 1', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.add_route(NULL, 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT zcsync.add_route('r', 'dev/tasks', 'acme/tickets', create_in => '901');
SELECT zcsync.add_route('r', 'dev/tasks', 'dev/tasks', create_in => '901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', direction => 'sideways', create_in => '901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', on_leave => 'delete', create_in => '901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', default_assignee => 'somebody', create_in => '901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', filter => 'tag = 1');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', filter => 'subject');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', filter => 'count(*) > 1');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => 'CASE WHEN true THEN 901');
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', match_on => 't.x = s.remote_id');

-- an expression is one expression
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', filter => 'true); DROP TABLE zcsync.links; --');
CREATE FUNCTION refused(f text) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE d text; BEGIN PERFORM zcsync._check_expression(f, 'it'); RETURN 'accepted'; EXCEPTION WHEN syntax_error THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN d; END $$;
SELECT f AS expression, refused(f) FROM unnest(ARRAY[
	'true); DROP TABLE zcsync.links; --', 'true) OR (true', 'true OR true; SELECT 1', 'true /* x */', 'true -- x', 'subject = ''x', 'subject = "x',
	'a = $1', 'a = $$b$$', '(true', '(tags[1)]', 'true, false', '', NULL, '   ',
	$q$subject = E'\') OR (true; --'$q$, $q$subject = 'a;''b--' AND tags @> '{bug,ui}'$q$, $q$date'\'); SELECT ('$q$,
	$q$coalesce("subject", s.remote_id) IN ('x', 'y')$q$, $q$E'\\' = $q$, $q$U&'\0041' = subject$q$]) f;

-- a list by its id, by an expression, by a path that is not known
INSERT INTO zcsync.lists (account_id, list_id, path)
SELECT account_id, '901', 'Team/Engineering/Bugs' FROM zcsync.accounts WHERE name = 'dev';
SELECT zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => 'Engineering/Chores');

-- defaults
SELECT zcsync.add_route('support', 'acme/tickets', 'dev/tasks', filter => $$tags @> '{bug}'$$, create_in => 'Engineering/Bugs');
SELECT zcsync.add_route('support', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT name, state, starts_at, direction, filter, create_in, on_leave, notify FROM zcsync.routes;
SELECT field, mapped, expression FROM zcsync.route_fields ORDER BY position;
SELECT field, source_value, target_value, target_id FROM zcsync.route_values ORDER BY field, source_value;
SELECT * FROM zcsync.check_route('support');
SELECT zcsync.resume_route('support');
SELECT zcsync.map_value('support', 'status', 'pending', 'reviewing');
SELECT zcsync.map_value('support', 'status', 'pending', 'In Review');

-- plan writes nothing and equals the run
SELECT op, source, target, field, old, new FROM zcsync.plan('support') WHERE field <> 'description' OR field IS NULL;
SELECT new AS description FROM zcsync.plan('support') WHERE field = 'description' AND source = 'acme/tickets/1';
SELECT count(*) FROM zcsync.tasks;
CREATE TABLE planned AS SELECT * FROM zcsync.plan('support') WHERE op = 'create';
SELECT zcsync.resume_route('support');
SELECT zcsync.resume_route('nowhere');

-- a route starts at "now"
SELECT pull('{4}', 'subject = ''Another question''');
SELECT ticket('5', 'Old', 'open', 'low', '11', '{bug}', '3 hours');
SELECT * FROM jobs;
SELECT zcsync._run_route_jobs();
SELECT * FROM tasks;
SELECT * FROM zcsync.backfill_route('support');
SELECT * FROM zcsync.backfill_route('support', confirm => true);
SELECT * FROM zcsync.backfill_route('support', confirm => true);
SELECT * FROM jobs;
SELECT zcsync._run_route_jobs();
SELECT * FROM tasks;
SELECT * FROM links;
SELECT * FROM errors;
SELECT * FROM jobs;
SELECT status, message, count(*) FROM zcsync.sync_records GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS planned, count(*) FILTER (WHERE p.new = CASE p.field WHEN 'assignees' THEN to_jsonb(t.assignees)::text ELSE to_jsonb(t) ->> p.field END) AS written
FROM planned p
JOIN zcsync.tickets k ON p.source = 'acme/tickets/' || k.remote_id
JOIN zcsync.links l ON l.source_id = k.local_id
JOIN zcsync.tasks t ON t.local_id = l.target_id;
SELECT push();

-- nothing is left to do; backfill twice makes nothing new
SELECT * FROM zcsync.plan('support') WHERE op <> 'error';
SELECT * FROM zcsync.backfill_route('support', confirm => true);
SELECT zcsync._run_route_jobs();
SELECT count(*) FROM zcsync.tasks;

-- a mapped value lets the records that waited for it through
SELECT zcsync.map_value('support', 'assignees', 'guy@example.com', 'ann@example.com');
SELECT zcsync._run_route_jobs();
SELECT name, assignees FROM tasks WHERE name LIKE 'Ticket%';
SELECT * FROM errors;
SELECT push();

-- only mapped changes are written, and edits of the target stay
SELECT pull('{1}', 'group_id = ''7''');
SELECT zcsync._run_route_jobs();
SELECT * FROM jobs;
UPDATE zcsync.tasks SET status = 'blocked', priority = 4 WHERE name = 'Printer';
SELECT push();
SELECT pull('{1}', 'priority = ''high''');
SELECT zcsync.plan('support', ARRAY[local_id]) FROM zcsync.tickets WHERE remote_id = '1';
SELECT zcsync._run_route_jobs();
SELECT * FROM tasks WHERE name = 'Printer';
SELECT c.action, c.old, c.new, c.cause FROM zcsync.changes c JOIN zcsync.tasks t USING (local_id)
WHERE t.name = 'Printer' AND c.cause = 'route';
SELECT push();

-- a new field, a custom field: only apply_route() writes them to what exists
SELECT zcsync.map_field('support', 'nosuch', 'subject');
SELECT zcsync.map_field('support', 'list_id', 'subject');
SELECT zcsync.map_field('support', 'due_at', 'tags');
SELECT zcsync.map_field('support', 'tags', 'tags');
SELECT zcsync.map_field('support', 'custom:f-1', $$'Ticket ' || remote_id$$);
SELECT zcsync.map_value('support', 'tags', 'bug', 'defect');
SELECT zcsync.map_value('support', 'tags', 'ui', NULL);
SELECT zcsync.map_value('support', 'priority', 'huge', 'very');
SELECT zcsync.map_value('support', 'nosuch', 'a', 'b');
SELECT pull('{3}', 'subject = ''Plotter 2''');
SELECT zcsync._run_route_jobs();
SELECT name, tags, custom_fields FROM zcsync.tasks WHERE name = 'Plotter 2';
SELECT * FROM zcsync.apply_route('support', confirm => true);
SELECT zcsync._run_route_jobs();
SELECT name, tags, custom_fields FROM zcsync.tasks WHERE name = 'Plotter 2';
SELECT zcsync.unmap_field('support', 'custom:f-1');
SELECT zcsync.unmap_field('support', 'custom:f-1');
SELECT zcsync.unmap_value('support', 'tags', 'bug');
SELECT zcsync.unmap_value('support', 'tags', 'bug');

-- an unmapped value holds back one field, not the record
SELECT pull('{3}', 'subject = ''Plotter 3'', due_at = ''2026-12-01 12:00+02''');
SELECT zcsync._run_route_jobs();
SELECT name, tags, due_at FROM zcsync.tasks WHERE name LIKE 'Plotter%';
SELECT * FROM errors;
SELECT zcsync.unmap_field('support', 'tags');
SELECT * FROM errors;

-- a record that fails is put aside, and only that
SELECT zcsync.map_field('support', 'time_estimate', $$1000 / length(nullif(subject, 'x'))$$);
SELECT pull('{1}', 'subject = '''''), pull('{2}', 'subject = ''Scanner'''), pull('{3}', 'subject = ''Plotter 4''');
SELECT source, field, new FROM zcsync.plan('support') WHERE op = 'error';
SELECT zcsync._run_route_jobs();
SELECT name, time_estimate FROM zcsync.tasks ORDER BY name;
SELECT * FROM errors;
SELECT operation, state, failures, last_class, last_error, run_at > now() AS later FROM zcsync.sync_queue WHERE operation = 'route';
UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route'; SELECT zcsync._run_route_jobs();
UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route'; SELECT zcsync._run_route_jobs();
SELECT operation, kind, class, message, attempts FROM zcsync.dead_letters;
SELECT zcsync.map_field('support', 'time_estimate', $$1000 / length(nullif(subject, ''))$$);
SELECT zcsync.retry(job_id) > 0 FROM zcsync.dead_letters;
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;
SELECT zcsync.unmap_field('support', 'time_estimate');
SELECT push();

-- on_leave: keep, unlink, close
SELECT pull('{1}', 'tags = ''{}''');
SELECT zcsync._run_route_jobs();
SELECT * FROM links;
SELECT pull('{1}', 'subject = ''Left''');
SELECT zcsync._run_route_jobs();
SELECT count(*) FROM zcsync.tasks WHERE name = 'Left';
SELECT pull('{1}', 'tags = ''{bug}''');
SELECT zcsync._run_route_jobs();
SELECT * FROM links;
SELECT count(*) FROM zcsync.tasks WHERE name = 'Left';

SELECT zcsync.alter_route('support', on_leave => 'close');
SELECT pull('{1}', 'deleted_at = now()');
SELECT * FROM zcsync.plan('support', (SELECT array_agg(local_id) FROM zcsync.tickets WHERE remote_id = '1'));
SELECT zcsync._run_route_jobs();
SELECT name, status FROM zcsync.tasks WHERE name = 'Left';
SELECT pull('{1}', 'deleted_at = NULL');
SELECT zcsync._run_route_jobs();
SELECT name, status FROM zcsync.tasks WHERE name = 'Left';

SELECT zcsync.alter_route('support', on_leave => 'unlink');
SELECT pull('{1}', 'tags = ''{}''');
SELECT zcsync._run_route_jobs();
SELECT * FROM links;
SELECT pull('{1}', 'tags = ''{bug}''');
SELECT zcsync._run_route_jobs();
SELECT * FROM links;
SELECT count(*) FROM zcsync.tasks;

-- a record that was deleted on the other side is not made again
UPDATE zcsync.tasks SET deleted_at = now(), sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE name = 'Left';
SELECT pull('{1}', 'subject = ''Right''');
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;
SELECT count(*) FROM zcsync.tasks WHERE deleted_at IS NULL;

-- pause and go on: what changed meanwhile is not lost
SELECT zcsync.pause_route('support');
SELECT pull('{2}', 'subject = ''Meanwhile''');
SELECT zcsync._run_route_jobs();
SELECT zcsync.resume_route('support');
SELECT zcsync._run_route_jobs() > 0 AS ran;
SELECT count(*) FROM zcsync.tasks WHERE name = 'Meanwhile';

-- settings
SELECT zcsync.alter_route('support');
SELECT zcsync.alter_route('support', create_in => '');
SELECT zcsync.alter_route('support', filter => 'nosuch');
SELECT zcsync.alter_route('support', filter => '', default_assignee => '183');
SELECT filter, default_assignee, on_leave FROM zcsync.routes;
SELECT zcsync.remove_route('support');
SELECT (SELECT count(*) FROM zcsync.links) AS links, (SELECT count(*) FROM zcsync.tasks) AS tasks,
	(SELECT count(*) FROM pg_proc WHERE pronamespace = 'zcsync_routes'::regnamespace) AS functions;

DROP TABLE planned;
DROP VIEW tasks, jobs, links, errors;
DROP FUNCTION ticket, pull, push, refused;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
