-- The translation of values: the way back follows the way there unless somebody set
-- it, a value that stands for several needs one named, and what a field cannot be
-- given is refused wherever its choices are mirrored.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}'), ('halo', 'halopsa', '{"host": "acme.halopsa.com"}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
SELECT account_id, CASE vendor WHEN 'clickup' THEN 'tasks' ELSE 'tickets' END, true, now() FROM zcsync.accounts;
INSERT INTO zcsync.lists (account_id, list_id, path) SELECT account_id, l.id, l.path
FROM zcsync.accounts, (VALUES ('901', 'Engineering/Bugs'), ('902', 'Engineering/Chores')) AS l (id, path) WHERE name = 'dev';
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.scope || ':' || s.id, s.scope, s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('dev', '901', 'p1', 'to do', 'open', 0), ('dev', '901', 'p2', 'in progress', 'custom', 1), ('dev', '901', 'p3', 'in review', 'custom', 2),
	('dev', '901', 'p4', 'complete', 'closed', 3), ('dev', '902', 'q1', 'Open', 'open', 0), ('dev', '902', 'q2', 'shipped', 'done', 1),
	('halo', 'tickets', '1', 'New', NULL, 0), ('halo', 'tickets', '2', 'In Progress', NULL, 1), ('halo', 'tickets', '18', 'Resolved', NULL, 2),
	('halo', 'tickets', '31', 'Parts', NULL, 3), ('halo', 'tickets', '32', 'parts', NULL, 4)) AS s (account, scope, id, name, category, position)
JOIN zcsync.accounts a ON a.name = s.account;
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, options, remote, active, sync_cause, sync_xid)
SELECT a.account_id, f.id, f.scope, f.name, f.type, f.options::jsonb, f.remote::jsonb, true, 'pull', '0'
FROM (VALUES
	('dev', '901:0a52', '901', 'Severity', 'drop_down', '{"options": [{"id": "o1", "name": "Minor"}, {"id": "o2", "name": "Major"}]}', '{"id": "0a52"}'),
	('dev', '902:0b17', '902', 'severity', 'drop_down', '{"options": [{"id": "o7", "name": "Minor"}]}', '{"id": "0b17"}'),
	('dev', '901:0c01', '901', 'Area', 'labels', '{"options": [{"id": "l1", "label": "ui"}, {"id": "l2", "label": "UI"}, {"id": "l3", "label": "core"}]}', '{"id": "0c01"}'),
	('dev', '902:0c01', '902', 'Area', 'labels', '{"options": [{"id": "l1", "label": "ui"}, {"id": "l2", "label": "UI"}, {"id": "l3", "label": "core"}]}', '{"id": "0c01"}'),
	('dev', '901:0d01', '901', 'Note', 'text', '{}', '{"id": "0d01"}'),
	('halo', 'tickettype', 'system', 'Ticket type', 'select', '[{"id": "1", "name": "Incident", "use": "ticket"}]', NULL),
	('halo', 'priority', 'system', 'Priority', 'select', '[{"id": "1", "name": "Critical"}, {"id": "5", "name": "Whenever"}]', NULL),
	('halo', 'agent', 'system', 'Agent', 'select', '[{"id": "3", "name": "Alex", "email": "alex@halo.example"}]', NULL),
	('halo', '206', 'custom', 'Service', 'select', '[{"id": "33", "name": "E-mail"}]', '{"id": 206}')) AS f (account, id, scope, name, type, options, remote)
JOIN zcsync.accounts a ON a.name = f.account;
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid)
SELECT account_id, '183', 'Lena', 'lena@workspace.example', 'pull', '0' FROM zcsync.accounts WHERE name = 'dev';
CREATE VIEW way_back AS
SELECT source_value AS there, target_value AS here, suggested FROM zcsync.route_values WHERE direction = 'back' AND field = 'status' ORDER BY 1;

-- ---------------------------------------------------------------------
-- The way back
-- ---------------------------------------------------------------------

SELECT FROM zcsync.add_route('r', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901');
SELECT source_value, target_value, suggested FROM zcsync.route_values WHERE direction = 'forward' AND field = 'status' ORDER BY 1;
SELECT * FROM way_back;
-- what zcsync mapped goes where the map goes; nothing is left of where it was
SELECT zcsync.map_value('r', 'status', 'pending', 'in review');
SELECT * FROM way_back;
SELECT zcsync.map_value('r', 'status', 'pending', 'in progress');
SELECT * FROM way_back;
-- two become one: which of them comes back, only a person can tell
SELECT zcsync.map_value('r', 'status', 'hold', 'in progress');
SELECT * FROM way_back;
SELECT * FROM zcsync.check_route('r') WHERE item LIKE 'back:%';
SELECT zcsync.resume_route('r');
SELECT zcsync.map_value('r', 'status', 'in progress', 'hold', back => true);
SELECT * FROM way_back;
SELECT item, ok, message FROM zcsync.check_route('r') WHERE item LIKE 'back:%';
-- what a person set stays, wherever the map goes
SELECT zcsync.map_value('r', 'status', 'hold', 'in review');
SELECT zcsync.map_value('r', 'status', 'open', 'complete');
SELECT * FROM way_back;
SELECT item, ok, message, hint FROM zcsync.check_route('r') WHERE item LIKE 'back:%' AND NOT ok;
SELECT zcsync.map_value('r', 'status', 'open', 'to do');
SELECT * FROM way_back;
-- and what a person took away stays away
SELECT zcsync.unmap_value('r', 'status', 'in review', back => true), zcsync.unmap_value('r', 'status', 'solved');
SELECT * FROM way_back;
SELECT FROM zcsync.alter_route('r', on_leave => 'unlink');
SELECT * FROM way_back;
SELECT source_value, target_value, suggested FROM zcsync.route_values WHERE direction = 'forward' AND field = 'status' ORDER BY 1;
SELECT item, ok, message FROM zcsync.check_route('r') WHERE item LIKE '%status%';
SELECT zcsync.map_value('r', 'status', 'solved', 'complete'), zcsync.map_value('r', 'status', 'in review', 'pending', back => true);
SELECT * FROM way_back;
-- another map is not turned round: of what an expression makes nothing is known
SELECT FROM zcsync.map_field('r', 'status', $$CASE WHEN type = 'task' THEN 'asked' ELSE status END$$);
SELECT * FROM way_back;
SELECT FROM zcsync.map_field('r', 'status', 'status');
SELECT * FROM way_back;
SELECT FROM zcsync.unmap_field('r', 'status');
SELECT * FROM way_back;
SELECT zcsync.remove_route('r');

-- pairs: what was agreed on by the earlier way back tells nothing any more, and what
-- waited for its counterpart goes on
SELECT FROM zcsync.add_route('p', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901');
SELECT zcsync.unmap_field('p', f) FROM unnest('{description,assignees,due_at}'::text[]) AS f;
SELECT zcsync.map_value('p', 'status', 'pending', 'in progress'), zcsync.map_value('p', 'status', 'hold', 'in progress'),
	zcsync.map_value('p', 'status', 'in progress', 'pending', back => true);
SELECT zcsync.resume_route('p') LIKE '%is active%' AS active;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT account_id, i::text, 's' || i, 'open', now(), clock_timestamp() + interval '1 second', 'pull', pg_current_xact_id(), 'synced'
FROM zcsync.accounts, generate_series(1, 2) AS i WHERE name = 'acme';
CREATE FUNCTION run() RETURNS integer LANGUAGE plpgsql AS
$$
DECLARE
	v_done integer := 0;
BEGIN
	FOR i IN 1 .. 4 LOOP
		UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route';
		v_done := v_done + zcsync._run_route_jobs();
		UPDATE zcsync.tasks SET remote_id = 'r' || name, sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id IS NULL;
		DELETE FROM zcsync.sync_queue WHERE operation = 'push';
	END LOOP;
	RETURN v_done;
END
$$;
CREATE FUNCTION there(id text, change text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE format('UPDATE zcsync.tasks SET %s, sync_cause = ''pull'', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE name = $1', change) USING id; END $$;
CREATE VIEW sides AS
SELECT s.subject, s.status, t.status AS there, l.agreed_back -> 'status' AS agreed_back, l.dropped ? 'back:status' AS dropped, e.message
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id
LEFT JOIN zcsync.route_errors e ON e.source_id = l.source_id ORDER BY 1;
SELECT run() > 0 AS ran;
SELECT there('s1', $$status = 'in review'$$), there('s2', $$status = 'in progress'$$);
SELECT run() > 0 AS ran;
SELECT * FROM sides;
-- the way back that a map brings with it lets the one go on that waited
SELECT zcsync.map_value('p', 'status', 'hold', 'in review');
SELECT * FROM way_back;
SELECT run() > 0 AS ran;
SELECT * FROM sides;
-- where the way back changes, what is agreed on by the earlier one is not known any
-- more; nothing is written for that
SELECT zcsync.map_value('p', 'status', 'open', 'in progress'), zcsync.map_value('p', 'status', 'hold', 'in progress'),
	zcsync.map_value('p', 'status', 'new', 'in review'), zcsync.map_value('p', 'status', 'pending', 'in review');
SELECT * FROM way_back;
SELECT * FROM sides;
SELECT there('s1', $$url = 'x'$$), there('s2', $$url = 'x'$$);
SELECT run() > 0 AS ran;
SELECT * FROM sides;
SELECT zcsync.remove_route('p');
DELETE FROM zcsync.sync_queue;

-- of several that zcsync itself mapped, the one with that meaning comes back
SELECT FROM zcsync.add_route('up', 'halo/tickets', 'acme/tickets', direction => 'both');
SELECT source_value, target_value, suggested FROM zcsync.route_values WHERE direction = 'forward' AND field = 'status' ORDER BY length(source_value), 1;
SELECT * FROM way_back;
SELECT zcsync.map_value('up', 'status', '31', 'solved');
SELECT item, ok, message, hint FROM zcsync.check_route('up') WHERE item LIKE 'back:%' AND NOT ok;
SELECT zcsync.map_value('up', 'status', 'solved', 'Resolved', back => true);
SELECT item, ok, message, hint FROM zcsync.check_route('up') WHERE item LIKE 'back: status "solved"';
SELECT zcsync.remove_route('up');

-- a field that is taken away and copied again is translated as before
SELECT FROM zcsync.add_route('again', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901');
SELECT zcsync.unmap_field('again', 'status'), zcsync.unmap_field('again', 'priority'), zcsync.unmap_field('again', 'status', back => true);
SELECT zcsync.map_field('again', 'status', 's.status'), zcsync.map_field('again', 'priority', $$'2'$$), zcsync.map_field('again', 'status', 'status', back => true);
SELECT direction, field, mapped, (SELECT count(*) FROM zcsync.route_values v WHERE (v.direction, v.field) = (f.direction, f.field)) AS mapped_values
FROM zcsync.route_fields f WHERE field IN ('status', 'priority') ORDER BY 1 DESC, 2;
SELECT zcsync.remove_route('again');

-- a value that is read is known as its rows write it, however a person does; a slip shows
SELECT FROM zcsync.add_route('read', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901');
SELECT zcsync.map_value('read', 'status', 'PENDING', 'in review'), zcsync.map_value('read', 'status', ' In Progress', 'hold', back => true),
	zcsync.map_value('read', 'priority', 'High', '1'), zcsync.map_value('read', 'status', 'pendng', 'to do');
SELECT direction, field, source_value, target_value FROM zcsync.route_values WHERE NOT suggested ORDER BY 1 DESC, 2, 3;
SELECT item, ok, message, hint FROM zcsync.check_route('read') WHERE item LIKE 'map of%';
SELECT zcsync.unmap_value('read', 'status', 'pendng'), zcsync.unmap_value('read', 'status', 'IN PROGRESS', back => true);
SELECT direction, field, source_value, target_value FROM zcsync.route_values WHERE NOT suggested ORDER BY 1 DESC, 2, 3;
SELECT zcsync.remove_route('read');

-- what comes back on a route that leads one way is shown
SELECT FROM zcsync.add_route('one', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT * FROM zcsync.check_route('one') WHERE item = 'direction';
SELECT FROM zcsync.map_field('one', 'subject', 't.name', back => true);
SELECT * FROM zcsync.check_route('one') WHERE item = 'direction';
SELECT FROM zcsync.map_field('one', 'type', $$'task'$$, back => true);
SELECT * FROM zcsync.check_route('one') WHERE item = 'direction';
SELECT FROM zcsync.alter_route('one', direction => 'both');
SELECT * FROM zcsync.check_route('one') WHERE item = 'direction';
SELECT zcsync.remove_route('one');

-- ---------------------------------------------------------------------
-- What a field can be given
-- ---------------------------------------------------------------------

SELECT FROM zcsync.add_route('v', 'acme/tickets', 'dev/tasks', create_in => $$CASE WHEN type = 'task' THEN '901' ELSE '902' END$$);
-- a status of any list, where the list is an expression
SELECT zcsync.map_value('v', 'status', 'pending', 'reviewing');
SELECT zcsync.map_value('v', 'status', 'pending', 'IN REVIEW');
-- a priority, by what the vendor has
SELECT zcsync.map_value('v', 'priority', 'huge', '7');
SELECT zcsync.map_value('v', 'priority', 'huge', '1'), zcsync.map_value('v', 'priority', 'none', NULL);
-- a member, where the members are known
SELECT zcsync.map_value('v', 'assignees', 'guy@example.com', 'nobody@workspace.example');
SELECT zcsync.map_value('v', 'assignees', 'guy@example.com', '77');
SELECT zcsync.map_value('v', 'assignees', 'guy@example.com', 'Lena@workspace.example');
-- an option of a custom field, by name or id; a name that two fields, or two options, have
SELECT zcsync.map_field('v', 'custom:Severity', 'priority');
SELECT zcsync.map_field('v', 'custom:0a52', 'priority'), zcsync.map_field('v', 'custom:0b17', 'priority'), zcsync.map_field('v', 'custom:area', 'type'),
	zcsync.map_field('v', 'custom:Note', 'type');
SELECT zcsync.map_value('v', 'custom:Severity', 'high', 'Major');
SELECT zcsync.unmap_field('v', 'custom:severity');
SELECT zcsync.map_value('v', 'custom:0a52', 'high', 'Huge');
SELECT zcsync.map_value('v', 'custom:0a52', 'high', ' major'), zcsync.map_value('v', 'custom:0a52', 'low', 'o1'), zcsync.map_value('v', 'custom:0a52', 'normal', NULL);
SELECT zcsync.map_value('v', 'custom:area', 'task', 'Ui');
SELECT zcsync.map_value('v', 'custom:area', 'task', 'l2'), zcsync.map_value('v', 'custom:note', 'task', 'anything');
SELECT field, source_value, target_value FROM zcsync.route_values
WHERE field LIKE 'custom:%' OR field = 'assignees' OR source_value IN ('huge', 'none') OR (field = 'status' AND source_value = 'pending') ORDER BY 1, 2;
-- what the field had, and has no more
UPDATE zcsync.fields SET options = '{"options": [{"id": "o1", "name": "Minor"}]}', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '901:0a52';
UPDATE zcsync.contacts SET deleted_at = now(), sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '183';
INSERT INTO zcsync.contacts (account_id, remote_id, email, sync_cause, sync_xid) SELECT account_id, '184', 'new@workspace.example', 'pull', '0' FROM zcsync.accounts WHERE name = 'dev';
SELECT item, ok, message, hint FROM zcsync.check_route('v') WHERE item LIKE 'map of%';
SELECT zcsync.remove_route('v');

SELECT FROM zcsync.add_route('h', 'acme/tickets', 'halo/tickets', ticket_type => 'Incident', direction => 'both');
INSERT INTO zcsync.companies (account_id, remote_id, name, type, sync_cause, sync_xid)
SELECT account_id, i::text, 'Same', 'client', 'pull', '0' FROM zcsync.accounts, generate_series(12, 13) AS i WHERE name = 'halo';
SELECT zcsync.alter_route('h', default_client => 'same');
SELECT zcsync.map_value('h', 'priority', 'huge', 'Urgent');
SELECT zcsync.map_value('h', 'priority', 'huge', 'whenever');
SELECT zcsync.map_value('h', 'status', 'hold', 'Parts');
SELECT zcsync.map_value('h', 'status', 'hold', '31'), zcsync.map_value('h', 'status', 'PARTS', 'hold', back => true);
SELECT zcsync.map_value('h', 'status', '32', 'hold', back => true);
SELECT zcsync.map_field('h', 'assignee_id', 'assignee_id'), zcsync.map_field('h', 'custom:service', 'type');
SELECT zcsync.map_value('h', 'assignee_id', '11', '4');
SELECT zcsync.map_value('h', 'assignee_id', '11', 'ALEX@halo.example');
SELECT zcsync.map_value('h', 'custom:206', 'task', 'Fax');
SELECT zcsync.map_value('h', 'custom:206', 'task', 'e-mail');
SELECT direction, field, source_value, target_value, target_id FROM zcsync.route_values
WHERE field IN ('custom:206', 'assignee_id') OR source_value IN ('huge', 'hold', '32') ORDER BY 1, 2, 3;
SELECT zcsync.remove_route('h');

-- teams, groups and types: of each vendor, by id or name, as its rows hold them
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at) SELECT account_id, 'leads', true, now() FROM zcsync.accounts WHERE name = 'halo';
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, options, active, sync_cause, sync_xid)
SELECT a.account_id, f.id, f.scope, f.name, f.type, f.options::jsonb, true, 'pull', '0'
FROM (VALUES
	('acme', 'group', 'system', 'Group', 'select', '[{"id": "360", "name": "Support"}, {"id": "361", "name": "Sales"}]'), ('acme', '37', NULL, 'Group', 'group', NULL),
	('acme', '38', NULL, 'Type', 'tickettype', '[{"name": "Question", "value": "question"}, {"name": "Task", "value": "task"}]'),
	('dev', 'type', 'system', 'Task type', 'select', '[{"id": "1", "name": "Milestone"}, {"id": "1300", "name": "Bug"}]'),
	('halo', 'team', 'system', 'Team', 'select', '[{"id": "4", "name": "1st Line"}, {"id": "5", "name": "2nd Line"}]')) AS f (account, id, scope, name, type, options)
JOIN zcsync.accounts a ON a.name = f.account;
SELECT FROM zcsync.add_route('z', 'halo/tickets', 'acme/tickets');
SELECT FROM zcsync.add_route('c', 'acme/tickets', 'dev/tasks', create_in => '901');
SELECT FROM zcsync.add_route('t', 'acme/tickets', 'halo/tickets', ticket_type => 'Incident');
UPDATE zcsync.fields SET options = options || '[{"id": "40", "name": "Opportunity", "use": "opportunity"}]', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = 'tickettype';
SELECT FROM zcsync.add_route('l', 'acme/tickets', 'halo/leads', ticket_type => '40');
SELECT zcsync.map_field('z', 'group_id', 's.group_id'), zcsync.map_field('z', 'type', 's.form_id'), zcsync.map_field('c', 'type_id', 's.type'),
	zcsync.map_field('t', 'group_id', 's.group_id'), zcsync.map_field('l', 'team', 's.group_id');
SELECT zcsync.map_value('z', 'group_id', '1st Line', 'Suport');
SELECT zcsync.map_value('z', 'type', '1', 'bug');
SELECT zcsync.map_value('c', 'type_id', 'incident', 'Defect');
SELECT zcsync.map_value('t', 'group_id', '360', '3rd Line');
SELECT zcsync.map_value('l', 'team', '361', '4');
SELECT zcsync.map_value('z', 'group_id', '1st Line', 'support'), zcsync.map_value('z', 'group_id', '2nd Line', '361'), zcsync.map_value('z', 'type', '1', 'Task'),
	zcsync.map_value('c', 'type_id', 'incident', 'bug'), zcsync.map_value('c', 'type_id', 'task', NULL), zcsync.map_value('t', 'group_id', '360', '2ND line'), zcsync.map_value('l', 'team', '361', '1st Line');
SELECT r.name, v.field, v.source_value, v.target_value, v.target_id FROM zcsync.route_values v JOIN zcsync.routes r USING (route_id)
WHERE v.field IN ('group_id', 'type', 'type_id', 'team') ORDER BY 1, 2, 3;
SELECT zcsync.remove_route(r) FROM unnest('{z,c,t,l}'::text[]) AS r;

DROP VIEW way_back, sides;
DROP FUNCTION run, there;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
