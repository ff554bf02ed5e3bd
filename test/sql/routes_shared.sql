-- Several tickets share one task: its fields are those of the first, and it is closed
-- once all tickets are.  The worker is stopped; jobs are run by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes, history_state, created_at)
SELECT a.account_id, s.kind, now(), true, 'done', '2026-01-01'
FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks')) AS s (name, kind) JOIN zcsync.accounts a ON a.name = s.name;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('dev'), '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p2', 'in progress', 'custom', 1), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position);
INSERT INTO zcsync.lists (account_id, list_id, name) SELECT zcsync.account('dev'), '901', 'Bugs';

CREATE FUNCTION is_now(account text, kind text, id text, doc jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), kind, ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text, doc || jsonb_build_object('updated_at', clock_timestamp() + interval '2 days'), NULL, false)::zcsync.document], zcsync._origin_of('pull', 1));
$$;
-- run the route until nothing is left, and take what was sent for done
CREATE FUNCTION work() RETURNS TABLE (task text, status text, priority integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 10 LOOP
		UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route';
		EXIT WHEN zcsync._run_route_jobs() = 0;
	END LOOP;
	UPDATE zcsync.tasks t SET base = to_jsonb(t), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE t.sync_state = 'pending';
	UPDATE zcsync.tickets t SET base = to_jsonb(t), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE t.sync_state = 'pending';
	DELETE FROM zcsync.sync_queue WHERE operation = 'push';
	RETURN QUERY SELECT t.name, t.status, t.priority FROM zcsync.tasks t ORDER BY 1;
END
$$;
SELECT is_now('acme', 'tickets', n::text, jsonb_build_object('subject', 'ticket ' || n, 'status', 'open', 'priority', 'normal')) FROM generate_series(1, 3) AS n;
SELECT is_now('dev', 'tasks', 't1', '{"name": "the task", "status": "in progress", "priority": 3, "list_id": "901"}');
SELECT zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901') IS NOT NULL AS made;
SELECT zcsync.map_value('bugs', 'status', s, t) FROM (VALUES ('open', 'in progress'), ('solved', 'complete')) AS v (s, t);
SELECT zcsync.map_value('bugs', 'status', s, t, back => true) FROM (VALUES ('complete', 'solved'), ('in progress', 'open')) AS v (s, t);
SELECT zcsync.resume_route('bugs') IS NOT NULL AS resumed;
SELECT zcsync.link_records('acme/tickets/' || n, 'dev/tasks/t1') FROM generate_series(1, 3) AS n;
SELECT * FROM work();
SELECT zcsync.reference('tickets', source_id) AS ticket, shared, agreed -> 'status' AS wants FROM zcsync.links ORDER BY link_id;

-- the first one's fields, and not those of the others
SELECT is_now('acme', 'tickets', '2', '{"subject": "of the second", "priority": "low"}');
SELECT * FROM work();
SELECT is_now('acme', 'tickets', '1', '{"subject": "of the first", "priority": "high"}');
SELECT * FROM work();

-- closed when all are, in whichever order, and also at once
SELECT is_now('acme', 'tickets', '1', '{"status": "solved"}');
SELECT * FROM work();
SELECT is_now('acme', 'tickets', '3', '{"status": "solved"}');
SELECT * FROM work();
SELECT op, source, field, new FROM zcsync.plan('bugs') WHERE op <> 'agree';
SELECT is_now('acme', 'tickets', '2', '{"status": "solved"}');
SELECT * FROM work();
-- one is opened again, and the others stay solved; then all are closed in one batch
SELECT is_now('acme', 'tickets', '3', '{"status": "open"}');
SELECT * FROM work();
SELECT is_now('acme', 'tickets', '1', '{"subject": "of the first, once more"}');
SELECT * FROM work();
SELECT remote_id, status, priority FROM zcsync.tickets ORDER BY 1;
SELECT is_now('acme', 'tickets', n::text, '{"status": "open"}') FROM generate_series(1, 2) AS n;
SELECT * FROM work();
SELECT is_now('acme', 'tickets', n::text, '{"status": "solved"}') FROM generate_series(1, 3) AS n;
SELECT * FROM work();
-- what comes back goes to all
SELECT is_now('acme', 'tickets', n::text, '{"status": "open"}') FROM generate_series(1, 3) AS n;
SELECT * FROM work();
SELECT is_now('dev', 'tasks', 't1', '{"status": "complete"}');
SELECT * FROM work();
SELECT remote_id, status FROM zcsync.tickets ORDER BY 1;

-- a pair of a record that is older than the route is driven as well, and writes nothing by that
SELECT zcsync._take(zcsync.account(v.account), v.kind, ARRAY[ROW(v.id, '1', v.doc || '{"updated_at": "2026-01-01T00:00:00Z"}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1))
FROM (VALUES ('acme', 'tickets', '9', '{"subject": "old", "status": "open"}'::jsonb), ('dev', 'tasks', 't9', '{"name": "the old task", "status": "to do", "list_id": "901"}')) AS v (account, kind, id, doc);
SELECT zcsync.link_records('acme/tickets/9', 'dev/tasks/t9');
SELECT * FROM work();
SELECT zcsync.reference('tickets', source_id) AS ticket, route_id IS NOT NULL AS is_driven FROM zcsync.links ORDER BY link_id DESC LIMIT 1;

DROP FUNCTION is_now, work;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
