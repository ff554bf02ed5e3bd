-- A map that changes: what both sides agreed on is not known any more.  The side
-- that was edited since wins; only apply_route() writes what was not edited.
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
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p2', 'doing', 'custom', 1), ('p3', 'stuck', 'custom', 2), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position)
JOIN zcsync.accounts a ON a.name = 'dev';

SELECT FROM zcsync.add_route('r', 'acme/tickets', 'dev/tasks', create_in => '901', filter => $$type IS DISTINCT FROM 'question'$$);
SELECT zcsync.unmap_field('r', f) FROM unnest('{priority,assignees,description,due_at}'::text[]) AS f;
SELECT FROM zcsync.map_value('r', 'status', 'open', 'doing');
SELECT FROM zcsync.map_value('r', 'status', 'pending', 'stuck');
SELECT FROM zcsync.map_field('r', 'priority', $$CASE WHEN t.points > 3 THEN 'high' WHEN t.points > 0 THEN 'low' END$$, back => true);
SELECT FROM zcsync.resume_route('r');

CREATE FUNCTION run() RETURNS integer LANGUAGE plpgsql AS
$$
DECLARE
	v_done integer := 0;
BEGIN
	FOR i IN 1 .. 5 LOOP
		UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route';
		v_done := v_done + zcsync._run_route_jobs();
		UPDATE zcsync.tasks SET remote_id = 'r' || name, sync_cause = 'pull', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id IS NULL;
		DELETE FROM zcsync.sync_queue WHERE operation = 'push';
	END LOOP;
	RETURN v_done;
END
$$;
CREATE FUNCTION here(id text, change text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE format('UPDATE zcsync.tickets SET %s, updated_at = clock_timestamp() + interval ''1 second'', sync_cause = ''pull'', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE remote_id = $1', change) USING id; END $$;
CREATE FUNCTION there(id text, change text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE format('UPDATE zcsync.tasks SET %s, sync_cause = ''pull'', sync_cause_id = 1, sync_xid = pg_current_xact_id() WHERE local_id = (SELECT l.target_id FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id WHERE t.remote_id = $1)', change) USING id; END $$;
CREATE VIEW sides AS
SELECT s.remote_id AS id, s.subject, t.name, s.status, t.status AS there, s.priority, t.points, l.agreed, l.agreed_back, (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(l.dropped) AS k) AS dropped
FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id ORDER BY 1;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT a.account_id, i::text, 's' || i, CASE WHEN i < 4 THEN 'open' ELSE 'pending' END, now(), clock_timestamp() + interval '1 second', 'pull', pg_current_xact_id(), 'synced'
FROM zcsync.accounts a, generate_series(1, 4) AS i WHERE a.name = 'acme';
SELECT run();
SELECT * FROM sides;

-- ---------------------------------------------------------------------
-- Another expression
-- ---------------------------------------------------------------------

SELECT zcsync.map_field('r', 'name', $$upper(subject)$$);
SELECT id, name, agreed, dropped FROM sides;
-- another field is edited: that the map changed writes nothing, now or later
SELECT here('1', $$type = 'task'$$);
SELECT op, source, field, old, new FROM zcsync.plan('r');
SELECT run();
SELECT id, name, agreed, dropped FROM sides WHERE id = '1';
-- an edit is an edit
SELECT here('1', $$subject = 's1b'$$), here('2', $$subject = 's2b'$$);
SELECT op, source, field, old, new FROM zcsync.plan('r');
SELECT run();
-- what was edited there stays there, unless it was edited here, too
SELECT zcsync.map_field('r', 'name', $$'<' || subject || '>'$$);
SELECT there('1', $$name = 'n1'$$), there('2', $$name = 'n2'$$), here('1', $$type = 'incident'$$), here('2', $$subject = 'S2C'$$);
SELECT run();
SELECT id, name, agreed, dropped FROM sides;
-- apply_route() writes it to those that nobody edited
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true);
SELECT item, value FROM zcsync.apply_route('r') WHERE item NOT LIKE 'duration%';
SELECT * FROM zcsync.apply_route('r', confirm => true);
SELECT op, source, field, old, new FROM zcsync.plan('r');
SELECT run();
SELECT id, name, agreed, dropped FROM sides;
SELECT count(*) FROM zcsync.plan('r', apply => true);
-- a field that is mapped again is another map
SELECT zcsync.unmap_field('r', 'name');
SELECT id, agreed, dropped FROM sides WHERE id = '1';
SELECT there('1', $$name = 'n1'$$), here('3', $$subject = 's3b'$$);
SELECT run();
SELECT zcsync.map_field('r', 'name', 'subject');
SELECT here('1', $$type = 'problem'$$), here('2', $$type = 'problem'$$), here('3', $$subject = 's3c'$$);
SELECT run();
SELECT id, subject, name, agreed, dropped FROM sides;
-- and a new field a new one
SELECT zcsync.map_field('r', 'time_estimate', 'length(subject)');
SELECT here('1', $$type = 'task'$$), here('2', $$subject = 's2d'$$);
SELECT run();
SELECT s.remote_id, t.time_estimate FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id ORDER BY 1;
SELECT zcsync.unmap_field('r', 'time_estimate');

-- ---------------------------------------------------------------------
-- What the route has not seen yet is edited, too
-- ---------------------------------------------------------------------

SELECT here('1', $$subject = 's1d'$$), here('2', $$type = 'incident'$$);
SELECT zcsync.map_field('r', 'name', 'upper(subject)');
SELECT run();
SELECT id, subject, name FROM sides WHERE id < '3';
SELECT zcsync.pause_route('r');
SELECT here('1', $$type = 'incident'$$), here('2', $$subject = 's2e'$$);
SELECT zcsync.map_field('r', 'name', $$'#' || subject$$);
SELECT FROM zcsync.resume_route('r');
SELECT run();
SELECT id, subject, name, dropped FROM sides WHERE id < '3';
-- nor has it seen what happened while a record was away
SELECT here('3', $$type = 'question'$$);
SELECT run();
SELECT here('3', $$subject = 's3d'$$);
SELECT run();
SELECT zcsync.map_field('r', 'name', $$'*' || subject$$);
SELECT here('3', $$type = 'task'$$), here('4', $$type = 'task'$$);
SELECT run();
SELECT id, subject, name, dropped FROM sides WHERE id > '2';

-- ---------------------------------------------------------------------
-- Another translation
-- ---------------------------------------------------------------------

SELECT zcsync.map_value('r', 'status', 'open', 'to do');
SELECT id, status, there, agreed -> 'status' AS agreed, dropped FROM sides;
SELECT here('1', $$type = 'problem'$$), here('2', $$status = 'new'$$), there('3', $$status = 'complete'$$), here('3', $$type = 'problem'$$);
SELECT run();
SELECT id, status, there, agreed -> 'status' AS agreed, dropped FROM sides;
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true);
SELECT FROM zcsync.apply_route('r', confirm => true);
SELECT run();
SELECT id, status, there, agreed -> 'status' AS agreed, dropped FROM sides;
-- a value that waited for its counterpart is written once it has one, whatever else changes in the map
SELECT here('4', $$status = 'hold'$$);
SELECT run();
SELECT zcsync.map_value('r', 'status', 'pending', 'doing');
SELECT zcsync.map_value('r', 'status', 'hold', 'complete');
SELECT run();
SELECT id, status, there, agreed -> 'status' AS agreed, dropped FROM sides WHERE id = '4';
-- one that has none any more, and then another one
SELECT zcsync.unmap_value('r', 'status', 'hold');
SELECT zcsync.map_value('r', 'status', 'hold', 'stuck');
SELECT here('4', $$type = 'incident'$$);
SELECT run();
SELECT id, status, there, agreed -> 'status' AS agreed, dropped FROM sides WHERE id = '4';
SELECT here('4', $$status = 'solved'$$);
SELECT run();
SELECT here('4', $$status = 'hold'$$);
SELECT run();
SELECT id, status, there FROM sides WHERE id = '4';
-- statuses that get other ids, or another name, in the catalogue: nothing is written
UPDATE zcsync.statuses SET sync_cause = 'pull', sync_xid = '1', status_id = status_id || 'x', remote_id = remote_id || 'x', name = CASE name WHEN 'stuck' THEN 'waiting' ELSE name END;
SELECT here('1', $$type = 'task'$$), here('4', $$type = 'task'$$);
SELECT op, source, field, old, new FROM zcsync.plan('r') WHERE op <> 'error';
SELECT run();
SELECT id, status, there FROM sides;
-- who gets what nobody has
SELECT zcsync.map_field('r', 'assignees', $$ARRAY['nobody@example.com']$$);
SELECT here('1', $$type = 'incident'$$);
SELECT run();
SELECT zcsync.alter_route('r', default_assignee => '183');
SELECT id, agreed ? 'assignees' AS agreed, dropped FROM sides WHERE id < '3';
SELECT here('1', $$type = 'task'$$);
SELECT run();
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true) WHERE field = 'assignees';
SELECT zcsync.unmap_field('r', 'assignees');

-- ---------------------------------------------------------------------
-- What comes back
-- ---------------------------------------------------------------------

SELECT there('1', 'points = 1'), there('2', 'points = 5'), there('3', 'points = 5');
SELECT run();
SELECT id, priority, points, agreed_back, dropped FROM sides;
SELECT zcsync.map_field('r', 'priority', $$CASE WHEN t.points > 3 THEN 'urgent' WHEN t.points > 0 THEN 'normal' END$$, back => true);
SELECT id, priority, points, agreed_back, dropped FROM sides;
SELECT there('1', $$url = 'x'$$), there('2', 'points = 6'), here('3', $$type = 'task'$$);
SELECT op, source, field, old, new FROM zcsync.plan('r') WHERE field LIKE 'back:%';
SELECT run();
SELECT id, priority, points, agreed_back, dropped FROM sides;
SELECT there('1', 'points = 2');
SELECT run();
SELECT zcsync.map_field('r', 'priority', $$CASE WHEN t.points > 3 THEN 'high' WHEN t.points > 0 THEN 'low' END$$, back => true);
SELECT item, value FROM zcsync.apply_route('r') WHERE item LIKE '%back';
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true) WHERE field LIKE 'back:%';
SELECT FROM zcsync.apply_route('r', confirm => true);
SELECT run();
SELECT id, priority, points, agreed_back, dropped FROM sides;
-- a field that goes both ways: where the map there changed, too, the source wins; where
-- the target has what it should have of the source, nothing comes back
SELECT zcsync.map_field('r', 'priority', 't.name', back => true), zcsync.map_field('r', 'subject', 't.name', back => true);
SELECT zcsync.unmap_field('r', 'priority', back => true);
SELECT run();
SELECT here(i::text, format('subject = %L', 'both ' || i)) FROM generate_series(1, 4) AS i;
SELECT run();
SELECT id, subject, name FROM sides;
SELECT zcsync.map_field('r', 'subject', $$right(t.name, 1)$$, back => true);
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true);
SELECT there('1', $$name = '*both 5'$$);
SELECT run();
SELECT zcsync.map_field('r', 'name', $$'-' || subject$$), zcsync.map_field('r', 'subject', $$substr(t.name, 2)$$, back => true);
SELECT there('2', $$name = '*by the target'$$);
SELECT op, source, field, old, new FROM zcsync.plan('r', apply => true);
SELECT FROM zcsync.apply_route('r', confirm => true);
SELECT run();
SELECT id, subject, name, agreed -> 'name' AS agreed, agreed_back, dropped FROM sides;

DROP VIEW sides;
DROP FUNCTION run, here, there;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
