-- Routes that note the time of one side at the other: what is noted, once, and what
-- becomes of it.  The worker is stopped; jobs are run and replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings, login_id) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}', '900'),
	('dev', 'clickup', '{"workspace_id": "1"}', '901'), ('psa', 'halopsa', '{"host": "psa.halopsa.com"}', '902');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes, history_state)
SELECT a.account_id, s.kind, now(), true, 'done'
FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks'), ('psa', 'tickets')) AS s (name, kind) JOIN zcsync.accounts a ON a.name = s.name;
INSERT INTO zcsync.fields (account_id, remote_id, name, options, sync_cause, sync_cause_id)
SELECT zcsync.account(f.account), f.id, f.id, f.options, 'pull', -1
FROM (VALUES ('psa', 'outcome', '[{"id": "50", "name": "Work"}, {"id": "51", "name": "Travel"}]'::jsonb),
	('psa', 'agent', '[{"id": "7", "email": "ann@msp.example"}, {"id": "8", "email": "bob@msp.example"}]')) AS f (account, id, options);
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid)
VALUES (zcsync.account('dev'), '183', 'Ann', 'ann@msp.example', 'pull', '0'), (zcsync.account('dev'), '184', 'Eve', 'eve@elsewhere.example', 'pull', '0');
CREATE FUNCTION record(account text, kind text, id text, doc jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), kind, ARRAY[ROW(id, '1', doc || '{"created_at": "2026-01-01T00:00:00Z"}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1));
$$;
CREATE FUNCTION spent(account text, kind text, record text, id text, seconds bigint, author text DEFAULT '183', ago interval DEFAULT '0', gone boolean DEFAULT false)
RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), 'time_entries', ARRAY[ROW(id, NULL, jsonb_build_object('parent_kind', kind, 'parent_id', record) || CASE WHEN gone THEN '{}' ELSE jsonb_build_object('author_id', author,
		'author_name', CASE author WHEN '183' THEN 'Ann {{secret}}' END, 'seconds', seconds, 'started_at', '2026-02-02T02:40:00Z', 'created_at', now() - ago) END, NULL, gone)::zcsync.document], zcsync._origin_of('pull', 2));
$$;
CREATE FUNCTION carry() RETURNS bigint LANGUAGE sql AS $$
	UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation' AND run_at < now() + interval '1 second';
	SELECT zcsync._run_conversation_jobs();
$$;
CREATE VIEW noted AS
	SELECT c.parent_kind || '/' || c.parent_id AS record, c.remote_id IS NOT NULL AS sent, c.body, c.is_private AS private, c.outcome, c.author_id AS author, c.seconds, k.seconds AS known, o.original_id IS NULL AS no_copy, o.was_public
	FROM zcsync.time_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id JOIN zcsync.comment_copies o ON o.copy_id = c.local_id ORDER BY c.local_id;
CREATE FUNCTION sent(id text) RETURNS void LANGUAGE sql AS $$
	UPDATE zcsync.comments c SET remote_id = id, created_at = now(), base = jsonb_build_object('seconds', c.seconds, 'body', c.body), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id()
	WHERE c.local_id = (SELECT min(o.local_id) FROM zcsync.comments o WHERE o.remote_id IS NULL);
	DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
$$;
SELECT record('psa', 'tickets', '50', '{"subject": "Printer", "status": "1"}'), record('psa', 'tickets', '51', '{"subject": "Scanner", "status": "1"}'),
	record('dev', 'tasks', 't1', '{"name": "Printer", "status": "to do", "list_id": "901"}'), record('acme', 'tickets', '1', '{"subject": "Printer", "status": "open"}');
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('dev'), '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position);
SELECT left(zcsync.add_route('work', 'psa/tickets', 'dev/tasks', create_in => '901'), 30), left(zcsync.add_route('desk', 'acme/tickets', 'dev/tasks', create_in => '901'), 30);

-- Who may say it, and what.
SELECT zcsync.set_route_time('nosuch', 'Work');
SELECT zcsync.set_route_time('desk', 'Work');
SELECT zcsync.set_route_time('work', 'Play');
SELECT zcsync.set_route_time('work', 'Work', agent => 'nobody@msp.example');
UPDATE zcsync.streams SET writes = false WHERE account_id = zcsync.account('psa');
SELECT zcsync.set_route_time('work', 'Work');
UPDATE zcsync.streams SET writes = true WHERE account_id = zcsync.account('psa');
CREATE ROLE regress_author;
SELECT zcsync.allow_routes('regress_author');
GRANT SELECT ON zcsync.comments TO regress_author;
SET ROLE regress_author;
SELECT zcsync.set_route_time('work', 'Work');
RESET ROLE;
SELECT zcsync.set_route_time('work', '');
SELECT count(*) FROM zcsync.route_comments;
SELECT zcsync.set_route_time('work', ' work ', agent => 'Bob@MSP.example');
SELECT comments, comments_back, since, time_outcome, time_agent, time_since <= now() AS since_now FROM zcsync.route_comments;
SELECT item, ok, message, hint FROM zcsync.check_route('work') WHERE item = 'time';
UPDATE zcsync.streams SET comments = 'none' WHERE account_id = zcsync.account('dev');
SELECT item, ok, message, hint FROM zcsync.check_route('work') WHERE item = 'time';
UPDATE zcsync.streams SET comments = 'linked' WHERE account_id = zcsync.account('dev');

-- What is noted: once, with the person's own agent or the default one; not what is older, and no empty entry.
SELECT zcsync.link_records('psa/tickets/50', 'dev/tasks/t1') IS NOT NULL AS linked;
UPDATE zcsync.routes SET state = 'active', starts_at = now() WHERE name = 'work';
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'work');
SELECT spent('dev', 'tasks', 't1', 'old', 600, ago => '1 hour'), spent('dev', 'tasks', 't1', 'none', 0);
SELECT spent('dev', 'tasks', 't1', '318', 5400), spent('dev', 'tasks', 't1', '319', 1200, author => '184');
SELECT * FROM zcsync.plan_comments('work');
SELECT count(*) AS nothing_is_written FROM zcsync.time_copies;
SELECT carry();
SELECT * FROM noted;
SELECT carry();
SELECT count(*) FROM noted;
-- the requests
SELECT r.request - '{sent,author,remember}'::text[] AS request
FROM unnest(zcsync._prepare_posts(zcsync.account('psa'), ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments'))) AS r;
SELECT sent('50-1'), sent('50-2');
-- HaloPSA shows the actions: nothing comes of them at the task
SELECT zcsync.set_route_comments('work', comments_back => 'all', comments => 'public', target_is_internal => true);
SELECT carry();
SELECT count(*) FROM zcsync.comments WHERE parent_kind = 'tasks';
-- ... and comments that were written before are old, although time was carried
SELECT since > now() - interval '2 minutes' AS since_now FROM zcsync.route_comments;

-- What becomes of the entries.
SELECT spent('dev', 'tasks', 't1', '318', 3600), spent('dev', 'tasks', 't1', '319', 0, gone => true);
SELECT op, original, record, text FROM zcsync.plan_comments('work');
SELECT carry();
SELECT record, seconds, known FROM noted;
SELECT r.request #> '{item}' AS item
FROM unnest(zcsync._prepare_posts(zcsync.account('psa'), ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments'))) AS r;
DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
SELECT carry();
SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
-- it was corrected at HaloPSA: that stays until the entry changes
UPDATE zcsync.comments SET seconds = 1800 WHERE remote_id = '50-1';
SELECT carry();
SELECT seconds FROM noted WHERE known > 0;
-- HaloPSA tells the time of an action with it
SELECT vals ->> 'seconds' AS seconds FROM zcsync._halopsa_comments('tickets', '[{"id": 3, "timetaken": 0.3333}, {"id": 4, "timetaken": 0}, {"id": 5}]', '50') ORDER BY remote_id;
SELECT zcsync._halopsa_comment_fault(jsonb_build_object('is_private', true, 'seconds', s), '{}', '{}') ->> 'message' AS fault FROM unnest('{-1,0,8640000,8640001}'::bigint[]) AS s;

-- Of several tickets that share a task the first has its time; a new pair does not have it once more.
UPDATE zcsync.links SET state = 'unlinked';
SELECT zcsync.link_records('psa/tickets/51', 'dev/tasks/t1') IS NOT NULL AS linked;
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'work') WHERE state = 'linked';
SELECT zcsync._queue_conversations((SELECT route_id FROM zcsync.routes WHERE name = 'work'));
SELECT carry();
SELECT count(*) FROM noted;
UPDATE zcsync.links SET state = 'linked', shared = true WHERE state = 'unlinked';
SELECT spent('dev', 'tasks', 't1', '321', 60);
SELECT carry();
SELECT record, seconds FROM noted WHERE seconds = 60;

-- An entry that is moved to another task goes to that task's ticket; if that has none, it is taken away.
SELECT record('psa', 'tickets', '52', '{"subject": "Mouse", "status": "1"}'), record('dev', 'tasks', 't2', '{"name": "Mouse", "status": "to do", "list_id": "901"}'),
	record('dev', 'tasks', 't3', '{"name": "Alone", "status": "to do", "list_id": "901"}');
SELECT zcsync.link_records('psa/tickets/52', 'dev/tasks/t2') IS NOT NULL AS linked;
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'work');
DELETE FROM zcsync.sync_queue WHERE operation = 'route';
SELECT sent('51-1');
SELECT spent('dev', 'tasks', 't2', '321', 60);
SELECT carry();
SELECT record, sent, seconds FROM noted WHERE known = 60;
SELECT parent_id, seconds FROM zcsync.comments WHERE remote_id = '51-1';
SELECT sent('52-1');
SELECT spent('dev', 'tasks', 't3', '321', 60);
SELECT carry();
SELECT record, seconds, known FROM noted WHERE record = 'tickets/52';
-- a pair that has ended still has its corrections
UPDATE zcsync.links SET state = 'left' WHERE source_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '50');
SELECT spent('dev', 'tasks', 't1', '318', 7200);
SELECT carry();
SELECT record, seconds, known FROM noted WHERE record = 'tickets/50' AND known > 0;
-- time that a route noted is no time that was spent
SELECT zcsync._take(zcsync.account('psa'), 'time_entries', ARRAY[ROW('52-1', NULL, jsonb_build_object('parent_kind', 'tickets', 'parent_id', '52', 'comment_id', '52-1', 'seconds', 60, 'created_at', now()), NULL, false)::zcsync.document], zcsync._origin_of('pull', 3));
SELECT count(*) FROM zcsync._time_notes((SELECT route_id FROM zcsync.routes WHERE name = 'work'), (SELECT link_id FROM zcsync.links WHERE source_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '52')),
	ROW(false, zcsync.stream('psa/tickets'), zcsync.account('psa'), 'tickets', zcsync.stream('dev/tasks'), zcsync.account('dev'), 'tasks')::zcsync.time_way);

-- An error is the pair's, and ends with it.
UPDATE zcsync.fields SET options = '[{"id": "51", "name": "Travel"}]', sync_cause = 'pull', sync_cause_id = 3, sync_xid = pg_current_xact_id() WHERE remote_id = 'outcome';
SELECT spent('dev', 'tasks', 't1', '322', 61);
SELECT carry();
SELECT field, code, message FROM zcsync.route_errors;
SELECT item, ok, message, hint FROM zcsync.check_route('work') WHERE item = 'time';
-- ... or when time is not noted any more
SELECT zcsync.set_route_time('work', NULL);
SELECT count(*) FROM zcsync.route_errors WHERE field = 'time';
SELECT zcsync.set_route_time('work', 'Travel');
UPDATE zcsync.route_comments SET time_since = now() - interval '1 hour';
SELECT carry();
SELECT seconds, outcome, author FROM noted WHERE seconds = 61;
SELECT count(*) FROM zcsync.route_errors;
-- a paused route holds what is not sent
SELECT zcsync.pause_route('work');
SELECT state, last_error FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
SELECT zcsync.resume_route('work');
SELECT carry();
SELECT state FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
-- time is not noted any more
SELECT zcsync.set_route_time('work', NULL);
SELECT spent('dev', 'tasks', 't1', '323', 62);
SELECT carry();
SELECT count(*) FROM noted WHERE seconds = 62;

-- an account whose notes were discarded can be removed
SET session_replication_role = replica;
DELETE FROM zcsync.comments WHERE local_id IN (SELECT copy_id FROM zcsync.time_copies);
RESET session_replication_role;
SELECT count(*) > 0 AS some FROM zcsync.time_copies;
SELECT count(*) FROM zcsync.remove_account('psa', force => true);
SELECT count(*) FROM zcsync.time_copies;

SET client_min_messages = error;
DROP VIEW noted;
DROP FUNCTION record, spent, carry, sent;
DROP OWNED BY regress_author;
DROP ROLE regress_author;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
