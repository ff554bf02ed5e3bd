-- Tickets that were merged into others, and tickets that were made from others: what
-- becomes of their pairs.  The worker is stopped; jobs are run by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings, login_id) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}', '900'),
	('dev', 'clickup', '{"workspace_id": "1"}', '901'), ('psa', 'halopsa', '{"host": "psa.halopsa.com"}', '902'), ('desk', 'zendesk', '{"subdomain": "desk"}', '903');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes, history_state, created_at)
SELECT a.account_id, s.kind, now(), true, 'done', '2026-01-01'
FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks'), ('psa', 'tickets'), ('desk', 'tickets')) AS s (name, kind) JOIN zcsync.accounts a ON a.name = s.name;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('dev'), '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p2', 'in progress', 'custom', 1), ('p3', 'done', 'done', 2), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position);

CREATE FUNCTION is_now(account text, kind text, id text, doc jsonb, gone boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), kind, ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text, doc || jsonb_build_object('updated_at', clock_timestamp() + interval '2 days'), NULL, gone)::zcsync.document], zcsync._origin_of('pull', 1));
$$;
CREATE FUNCTION ticket(id integer, tags text[] DEFAULT '{bug}', more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT is_now('acme', 'tickets', id::text, jsonb_build_object('subject', 'ticket ' || id, 'status', 'open', 'priority', 'normal', 'tags', tags) || more);
$$;
CREATE FUNCTION merged(loser integer, winner integer) RETURNS void LANGUAGE sql AS $$
	SELECT is_now('acme', 'tickets', loser::text, jsonb_build_object('merged_into_id', winner::text, 'status', 'closed'));
$$;
-- run the routes until nothing is left; returns the records that they wrote
CREATE FUNCTION run() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_done text := '';
	v_count integer;
BEGIN
	FOR i IN 1 .. 10 LOOP
		UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'route';
		v_count := zcsync._run_route_jobs();
		EXIT WHEN v_count = 0;
		v_done := v_done || v_count || ' ';
	END LOOP;
	RETURN v_done;
END
$$;
-- what was sent has arrived
CREATE FUNCTION sent() RETURNS void LANGUAGE sql AS $$
	UPDATE zcsync.tasks t SET remote_id = coalesce(t.remote_id, 'of-' || t.name), base = to_jsonb(t), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE t.sync_state = 'pending';
	UPDATE zcsync.tickets t SET remote_id = coalesce(t.remote_id, 'of-' || t.subject), base = to_jsonb(t), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE t.sync_state = 'pending';
	UPDATE zcsync.comments c SET remote_id = 'c' || c.local_id, created_at = now(), base = to_jsonb(c), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE c.remote_id IS NULL;
	DELETE FROM zcsync.sync_queue WHERE operation = 'push';
$$;
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM run();
	PERFORM sent();
	PERFORM run();
	PERFORM sent();
END
$$;
CREATE VIEW pairs AS
	SELECT zcsync.reference(l.source_kind, l.source_id) AS source, zcsync.reference(l.target_kind, l.target_id) AS target, l.state, l.shared,
		CASE WHEN m.link_id IS NOT NULL THEN zcsync.reference(m.source_kind, m.source_id) END AS moved_to, coalesce(t.status, k.status) AS status
	FROM zcsync.links l LEFT JOIN zcsync.links m ON m.link_id = l.moved_to LEFT JOIN zcsync.tasks t ON t.local_id = l.target_id LEFT JOIN zcsync.tickets k ON k.local_id = l.target_id
	ORDER BY l.link_id;
CREATE VIEW notes AS
	SELECT a.name || '/' || c.parent_id AS record, c.body, c.is_private AS private, k.original_id
	FROM zcsync.comments c JOIN zcsync.accounts a USING (account_id) LEFT JOIN zcsync.comment_copies k ON k.copy_id = c.local_id ORDER BY c.local_id;

SELECT zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901', filter => $$tags @> '{bug}'$$) IS NOT NULL AS made;
SELECT zcsync.map_value('bugs', 'status', s, t) FROM (VALUES ('open', 'in progress'), ('solved', 'complete'), ('closed', 'complete')) AS v (s, t);
SELECT zcsync.map_value('bugs', 'status', s, t, back => true) FROM (VALUES ('complete', 'solved'), ('in progress', 'open')) AS v (s, t);
SELECT zcsync.resume_route('bugs') IS NOT NULL AS resumed;

-- Both have a task: that of the loser gets a comment and is closed, and the pair ends.
SELECT ticket(n) FROM generate_series(1, 2) AS n;
CALL work();
SELECT merged(1, 2);
SELECT * FROM zcsync.plan('bugs');
SELECT rule, ok, message, hint FROM zcsync.explain_route('bugs', 'acme/tickets/1') WHERE rule IN ('pair', 'result');
CALL work();
SELECT * FROM pairs;
SELECT * FROM notes;
SELECT status, count(*) FROM zcsync.sync_records WHERE operation = 'route' GROUP BY 1 ORDER BY 1;
SELECT code, message FROM zcsync.route_errors;
-- once, whatever is read again, and also after a restart
SELECT merged(1, 2), ticket(2);
SELECT is_now('acme', 'tickets', '1', '{"subject": "ticket 1, again"}');
SELECT count(*) FROM zcsync.plan('bugs') WHERE op <> 'update';
CALL work();
SELECT zcsync.pause_route('bugs'), zcsync.resume_route('bugs');
CALL work();
SELECT count(*) FROM notes;
SELECT rule, ok, message, hint FROM zcsync.explain_route('bugs', 'acme/tickets/1') WHERE rule IN ('pair', 'result');
-- a ticket that was merged before it had a task gets none
SELECT ticket(3, '{bug}', '{"status": "closed", "merged_into_id": "2"}');
CALL work();
SELECT count(*) FROM pairs;

-- The winner has no task: it gets the loser's, with its own fields, and its status.
SELECT ticket(11), ticket(12, '{}', '{"status": "pending"}');
CALL work();
SELECT merged(11, 12);
SELECT * FROM zcsync.plan('bugs');
SELECT run(), sent();
SELECT * FROM pairs OFFSET 2;
SELECT * FROM notes OFFSET 1;
-- it does not pass the filter, so it left; when it passes, the task follows it
SELECT is_now('acme', 'tickets', '12', '{"tags": ["bug"], "status": "open"}');
CALL work();
SELECT name, status FROM zcsync.tasks WHERE remote_id = 'of-ticket 11';
SELECT * FROM pairs OFFSET 2;

-- The loser was read before the winner; what comes first, is paused or closed.
SELECT ticket(21);
CALL work();
SELECT merged(21, 22);
CALL work();
SELECT * FROM pairs OFFSET 4;
SELECT rule, ok, message FROM zcsync.explain_route('bugs', 'acme/tickets/21') WHERE rule = 'pair';
SELECT * FROM zcsync.check_route('bugs') WHERE item = 'merged';
SELECT ticket(22);
CALL work();
SELECT * FROM pairs OFFSET 4;
SELECT name, status FROM zcsync.tasks WHERE remote_id = 'of-ticket 21';
-- closed, and out of the route, before the merge is known
SELECT zcsync.pause_route('bugs');
SELECT zcsync.alter_route('bugs', filter => $$tags @> '{bug}' AND status <> 'closed'$$) IS NOT NULL AS altered;
SELECT zcsync.resume_route('bugs') IS NOT NULL AS resumed;
SELECT ticket(n) FROM generate_series(23, 24) AS n;
CALL work();
SELECT is_now('acme', 'tickets', '23', '{"status": "closed"}');
CALL work();
SELECT * FROM pairs OFFSET 6;
SELECT zcsync.pause_route('bugs');
SELECT merged(23, 24);
CALL work();
SELECT zcsync.resume_route('bugs') IS NOT NULL AS resumed;
CALL work();
SELECT * FROM pairs OFFSET 6;
SELECT body FROM notes OFFSET 3;
-- a loser that is not closed yet, and two that name each other
SELECT ticket(n) FROM generate_series(25, 26) AS n;
CALL work();
SELECT is_now('acme', 'tickets', '25', '{"merged_into_id": "26"}'), is_now('acme', 'tickets', '26', '{"merged_into_id": "25"}');
CALL work();
SELECT * FROM pairs OFFSET 8;
SELECT is_now('acme', 'tickets', '25', '{"status": "closed"}');
CALL work();
SELECT * FROM pairs OFFSET 8;
SELECT is_now('acme', 'tickets', '26', '{"status": "closed"}');
CALL work();
SELECT * FROM pairs OFFSET 8;

-- Chains: at once, and step by step.  Two losers of one winner that has no task.
SELECT ticket(31), ticket(32), ticket(33, '{}');
CALL work();
SELECT merged(31, 32), merged(32, 33);
SELECT run(), sent();
SELECT * FROM pairs OFFSET 10;
SELECT body FROM notes OFFSET 5;
SELECT ticket(34), ticket(35), ticket(36);
CALL work();
SELECT merged(34, 35);
CALL work();
SELECT merged(35, 36);
CALL work();
SELECT * FROM pairs OFFSET 13;

-- Loser and winner are new to the route, and the loser's task is not at its vendor yet.
SELECT ticket(41), ticket(42);
SELECT run();
SELECT merged(41, 42);
SELECT run();
SELECT source, state FROM pairs OFFSET 16;
SELECT sent(), run(), sent();
SELECT * FROM pairs OFFSET 16;
-- the winner comes in the same batch as the merge
SELECT ticket(43);
CALL work();
SELECT ticket(44), merged(43, 44);
SELECT run(), sent();
SELECT * FROM pairs OFFSET 18;

-- Comments are carried both ways, but not those of the route about its pairs.
SELECT zcsync.set_route_comments('bugs', comments => 'all', comments_back => 'all', target_is_internal => true) IS NOT NULL AS set;
UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation';
SELECT zcsync._run_conversation_jobs() > 0 AS ran;
SELECT count(*) FROM zcsync.comments WHERE parent_kind = 'tickets';

-- Tickets that were made from others.
SELECT ticket(51), ticket(52, '{bug}', '{"made_from_id": "51"}'), ticket(53, '{bug}', '{"made_from_id": "50"}'), ticket(54, '{}', '{"made_from_id": "51"}');
SELECT run(), sent();
SELECT op, source, target, new FROM zcsync.plan('bugs') WHERE op = 'note';
CALL work();
SELECT record, body, private FROM notes ORDER BY record DESC, body LIMIT 2;
SELECT ticket(52, '{bug}', '{"made_from_id": "51", "subject": "changed"}');
CALL work();
SELECT count(*) FROM notes WHERE body LIKE 'Made from%';

-- Several sources of one task.
SELECT ticket(n) FROM generate_series(61, 66) AS n;
CALL work();
SELECT is_now('dev', 'tasks', 't1', '{"name": "shared", "status": "in progress", "priority": 3, "list_id": "901"}'), is_now('dev', 'tasks', 't2', '{"name": "other", "status": "in progress", "priority": 3, "list_id": "901"}');
SELECT zcsync.link_records('acme/tickets/' || n, 'dev/tasks/t1', replace => true) FROM generate_series(61, 64) AS n;
CALL work();
CREATE FUNCTION shared() RETURNS TABLE (task text, sources text) LANGUAGE sql AS $$
	SELECT t.name || ': ' || t.status, (SELECT string_agg(k.remote_id || ' ' || l.state, ', ' ORDER BY l.link_id) FROM zcsync.links l JOIN zcsync.tickets k ON k.local_id = l.source_id WHERE l.target_id = t.local_id)
	FROM zcsync.tasks t WHERE t.remote_id = 't1';
$$;
-- one of them is merged into another one, and one into a ticket that has its own task
SELECT merged(61, 62), merged(63, 65);
CALL work();
SELECT * FROM shared();
SELECT record, body FROM notes WHERE record LIKE '%t1';
-- the last open one leaves: the others are closed
SELECT is_now('acme', 'tickets', '64', '{"status": "solved"}');
CALL work();
SELECT * FROM shared();
SELECT is_now('acme', 'tickets', '62', '{}', gone => true);
SELECT op, source, field, old, new FROM zcsync.plan('bugs', ARRAY(SELECT local_id FROM zcsync.tickets WHERE remote_id = '62')) WHERE op <> 'agree';
CALL work();
SELECT * FROM shared();
-- likewise when a person links it to another task, and when it leaves the filter
SELECT is_now('acme', 'tickets', '64', '{"status": "open"}'), zcsync.link_records('acme/tickets/66', 'dev/tasks/t1', replace => true);
CALL work();
SELECT is_now('acme', 'tickets', '64', '{"status": "solved"}');
CALL work();
SELECT * FROM shared();
SELECT zcsync.link_records('acme/tickets/66', 'dev/tasks/t2', replace => true);
SELECT * FROM shared();
SELECT is_now('acme', 'tickets', '64', '{"status": "open"}'), zcsync.link_records('acme/tickets/66', 'dev/tasks/t1', replace => true);
CALL work();
SELECT is_now('acme', 'tickets', '64', '{"status": "solved"}');
CALL work();
SELECT is_now('acme', 'tickets', '66', '{"tags": []}');
CALL work();
SELECT * FROM shared();

-- HaloPSA says into which ticket one was merged, whatever its status.  Zendesk as target: a
-- private comment, and solved.
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, position, active, sync_cause, sync_xid)
SELECT zcsync.account('psa'), 'tickets:' || s.id, 'tickets', s.id, s.name, s.id::integer, true, 'pull', '0' FROM (VALUES ('1', 'New'), ('2', 'In Progress'), ('9', 'Closed')) AS s (id, name);
SELECT zcsync.add_route('up', 'psa/tickets', 'desk/tickets') IS NOT NULL AS made;
SELECT zcsync.resume_route('up') IS NOT NULL AS resumed;
SELECT is_now('psa', 'tickets', n::text, jsonb_build_object('subject', 'case ' || n, 'status', '2', 'priority', '3')) FROM generate_series(1001, 1002) AS n;
CALL work();
SELECT r.remote_id, r.vals ->> 'merged_into_id' AS merged_into
FROM zcsync._halopsa_rows(zcsync.account('psa'), 'tickets', '{"op": "get"}', '[{"id": 1001.0, "merged_into_id": 1002.0}, {"id": 1002, "merged_into_id": 0}]') AS r;
SELECT is_now('psa', 'tickets', '1001', '{"merged_into_id": "1002"}');
CALL work();
SELECT * FROM pairs WHERE source LIKE 'psa/%';
SELECT body, private FROM notes WHERE record LIKE 'desk/%';
-- a target that is closed for ever takes no comment
SELECT is_now('psa', 'tickets', n::text, jsonb_build_object('subject', 'case ' || n, 'status', '2', 'priority', '3')) FROM generate_series(1003, 1004) AS n;
CALL work();
SELECT is_now('desk', 'tickets', 'of-case 1003', '{"status": "closed"}'), is_now('psa', 'tickets', '1003', '{"merged_into_id": "1004"}');
CALL work();
SELECT source, state, moved_to, status FROM pairs WHERE source IN ('psa/tickets/1003', 'psa/tickets/1004');
SELECT count(*) FROM notes WHERE record LIKE 'desk/%';
SELECT code, message FROM zcsync.route_errors ORDER BY 1;

-- What Zendesk says: a ticket its origin, and comments which tickets were merged.
CREATE PROCEDURE says(tags jsonb, events jsonb) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE zcsync.tickets k SET merged_into_id = NULL, base = k.base - 'merged_into_id', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE k.merged_into_id IS NOT NULL AND k.remote_id IN ('1', '2') AND k.account_id = zcsync.account('desk');
	COMMIT;
	PERFORM is_now('desk', 'tickets', t ->> 0, jsonb_build_object('tags', t -> 1, 'status', CASE WHEN t -> 1 = '[]' THEN 'open' ELSE 'closed' END)) FROM jsonb_array_elements(tags) AS t;
	COMMIT;
	PERFORM zcsync._take(zcsync.account('desk'), r.kind, ARRAY[ROW(r.remote_id, r.remote_version, r.vals, r.doc, r.is_deleted)::zcsync.document], zcsync._origin_of('pull', 1))
	FROM zcsync._zendesk_rows(zcsync.account('desk'), 'tickets', '{"op": "ticket_events"}', jsonb_build_object('ticket_events', events)) AS r WHERE r.kind = 'tickets';
END
$$;
CREATE VIEW said AS SELECT k.remote_id AS id, k.merged_into_id AS winner FROM zcsync.tickets k WHERE k.account_id = zcsync.account('desk') AND k.remote_id ~ '^[0-9]' ORDER BY 1;
-- the comment of the winner names the loser: after the tag, and before
CALL says('[["1", ["closed_by_merge"]], ["2", []]]', '[{"ticket_id": 2, "child_events": [{"id": 7, "event_type": "Comment", "via": {"channel": "system", "source": {"rel": "merge", "from": {"ticket_id": 1}}}}]}]');
SELECT * FROM said;
CALL says('[["1", []], ["2", []]]', '[{"ticket_id": 2, "child_events": [{"id": 7, "event_type": "Comment", "via": {"source": {"rel": "merge", "from": {"ticket_ids": [1, 3]}}}}]}]');
SELECT * FROM said;
-- the comment of the loser names the winner; both
CALL says('[["1", ["closed_by_merge"]], ["2", []]]', '[{"ticket_id": 1, "via": "Merge", "via_reference_id": 2, "child_events": [{"id": 8, "event_type": "Comment"}]}]');
SELECT * FROM said;
CALL says('[["1", ["closed_by_merge"]], ["2", []]]', '[{"ticket_id": 1, "child_events": [{"via": {"source": {"rel": "merge", "from": {"ticket_id": "2"}}}}]}, {"ticket_id": 2, "child_events": [{"via": {"source": {"rel": "merge", "from": {"ticket_id": 1}}}}]}]');
SELECT * FROM said;
-- a chain: both have the tag, and the one that changed first is the loser
CALL says('[["1", ["closed_by_merge"]], ["2", ["closed_by_merge", "x"]]]', '[{"ticket_id": 1, "child_events": [{"via": {"source": {"rel": "merge", "from": {"ticket_id": 2}}}}]}, {"ticket_id": 2, "child_events": [{"via": {"source": {"rel": "merge", "from": {"ticket_id": 1}}}}]}]');
SELECT * FROM said;
-- tickets that are not here, and what names no ticket
CALL says('[["1", ["closed_by_merge"]]]', '[{"ticket_id": 1, "child_events": [{"via": {"source": {"rel": "merge", "from": {"ticket_id": 77}}}}]}, {"ticket_id": 77, "child_events": [{"via": {"source": {"rel": "merge", "from": {}}}}, {"via": "Merge", "via_reference_id": null}, {"via": {"source": {"rel": "merge", "from": {"ticket_id": 77}}}}]}]');
SELECT * FROM said;
SELECT r.remote_id, r.vals -> 'made_from_id' AS made_from, r.vals ? 'merged_into_id' AS says_merged
FROM zcsync._zendesk_rows(zcsync.account('desk'), 'tickets', '{"op": "incremental"}', '{"tickets": [
	{"id": 1, "via": {"channel": "web", "source": {"rel": "follow_up", "from": {"ticket_id": 35436, "subject": "x"}}}}, {"id": 2, "via": {"channel": "web", "source": {"rel": null, "from": {}}}},
	{"id": 3, "via": {"channel": "system", "source": {"rel": "merge", "from": {"ticket_id": 9}}}}, {"id": 4}]}') AS r;

-- What came back from the task to the loser is not said again to the winner; the loser's
-- comments are still read, since copies of them may have to be withdrawn.
SELECT left(zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'all', public_back => true), 40);
SELECT ticket(113), ticket(114, '{}');
CALL work();
SELECT is_now('dev', 'comments', 'r1', jsonb_build_object('parent_kind', 'tasks', 'parent_id', t.remote_id, 'body', 'a reply', 'created_at', now())) FROM zcsync.tasks t WHERE t.name = 'ticket 113';
SELECT is_now('acme', 'comments', 'q1', jsonb_build_object('parent_kind', 'tickets', 'parent_id', '113', 'body', 'a question', 'is_private', false, 'author_id', '5', 'created_at', now()));
CREATE PROCEDURE carry() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 4 LOOP
		UPDATE zcsync.sync_queue SET run_at = now() - interval '1 second' WHERE operation = 'conversation';
		COMMIT;
		PERFORM zcsync._run_conversation_jobs(), sent();
		COMMIT;
	END LOOP;
END
$$;
CALL carry();
SELECT merged(113, 114);
CALL work();
SELECT is_now('acme', 'tickets', '114', '{"tags": ["bug"], "status": "open"}');
CALL work();
CALL carry();
SELECT record, regexp_replace(body, '^.*\n', '') AS body FROM notes WHERE body LIKE '%a reply%' OR body LIKE '%a question%' ORDER BY 1, 2;
SELECT zcsync.reference('tickets', i) AS still_read FROM unnest(zcsync._linked_rows(zcsync.account('acme'), 'tickets', '-infinity')) AS i WHERE zcsync.reference('tickets', i) ~ '/(113|114)$' ORDER BY 1;
DELETE FROM zcsync.route_comments;
DELETE FROM zcsync.sync_queue WHERE operation = 'conversation';
-- The winner's task is gone: that of the loser stays open.
SELECT ticket(115), ticket(116);
CALL work();
SELECT is_now('dev', 'tasks', t.remote_id, '{}', true) FROM zcsync.tasks t WHERE t.name = 'ticket 116';
SELECT merged(115, 116);
CALL work();
SELECT source, state, moved_to, status FROM pairs WHERE source IN ('acme/tickets/115', 'acme/tickets/116');
SELECT c.op, c.error_code, regexp_replace(c.message, 'dev/tasks/.*', '(task)') AS message FROM zcsync.tasks t CROSS JOIN LATERAL zcsync._closing_change(1, 1, 'clickup', 'tasks', t.local_id, 'to do', NULL) AS c WHERE t.name = 'ticket 115';

DROP VIEW pairs, notes, said;
DROP PROCEDURE work, says, carry;
DROP FUNCTION is_now, ticket, merged, run, sent, shared;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
