-- Routes that carry comments: which go, as what, and what becomes of the copies.
-- The worker is stopped; jobs are run and replies are given by hand.
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
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, role, sync_cause, sync_xid)
SELECT zcsync.account(c.account), c.id, c.name, c.email, c.role, 'pull', '0'
FROM (VALUES ('acme', '5', 'Ann', 'ann@customer.example', 'end-user'), ('acme', '6', 'Alex', 'alex@desk.example', 'agent'),
	('psa', '7', 'Alex', 'alex@desk.example', NULL)) AS c (account, id, name, email, role);
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('dev'), '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position);

-- what a vendor shows, and what is done about it
CREATE FUNCTION record(account text, kind text, id text, doc jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), kind, ARRAY[ROW(id, '1', doc || '{"created_at": "2026-01-01T00:00:00Z"}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1));
$$;
CREATE FUNCTION said(account text, kind text, record text, id text, body text, private boolean DEFAULT NULL, author text DEFAULT NULL, ago interval DEFAULT '0',
	more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), 'comments', ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text, jsonb_build_object('parent_kind', kind, 'parent_id', record, 'body', body,
		'is_private', private, 'author_id', author, 'author_name', (SELECT c.name FROM zcsync.contacts c WHERE c.account_id = zcsync.account(account) AND c.remote_id = author),
		'created_at', now() - ago) || more, NULL, false)::zcsync.document], zcsync._origin_of('pull', 2));
$$;
CREATE FUNCTION carry() RETURNS bigint LANGUAGE sql AS $$
	UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation' AND run_at < now() + interval '1 second';
	SELECT zcsync._run_conversation_jobs();
$$;
CREATE VIEW copies AS
	SELECT a.name AS account, c.parent_id AS record, replace(regexp_replace(c.body, '20\d\d-\d\d-\d\d \d\d:\d\d UTC', '(time)'), E'\n', ' / ') AS body, c.is_private AS private, c.author_id AS author, k.state, k.was_public
	FROM zcsync.comment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id JOIN zcsync.accounts a USING (account_id) ORDER BY c.local_id;
-- the copies arrive, in their order
CREATE FUNCTION arrive() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v_count bigint;
BEGIN
	UPDATE zcsync.comments c SET remote_id = 'c' || c.local_id, created_at = now(), base = '{}', sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id()
	WHERE c.remote_id IS NULL;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
	RETURN v_count;
END
$$;
SELECT record('acme', 'tickets', '1', '{"subject": "Printer", "status": "open"}'), record('dev', 'tasks', 't1', '{"name": "Printer", "status": "to do", "list_id": "901"}');

-- Who may say it, and what.
SELECT left(zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', create_in => '901'), 40);
SELECT zcsync.set_route_comments('nosuch', comments => 'all');
SELECT zcsync.set_route_comments('bugs', comments => 'some');
SELECT zcsync.set_route_comments('bugs', comments => 'public', marker => 'two words');
SELECT zcsync.set_route_comments('bugs', comments => 'public', hold => '2 days');
SELECT zcsync.set_route_comments('bugs', comments => 'all');
SELECT zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'all');
UPDATE zcsync.streams SET writes = false WHERE account_id = zcsync.account('acme');
SELECT zcsync.set_route_comments('bugs', comments_back => 'all');
UPDATE zcsync.streams SET writes = true WHERE account_id = zcsync.account('acme');
CREATE ROLE regress_author;
SELECT zcsync.allow_routes('regress_author');
SET ROLE regress_author;
SELECT zcsync.set_route_comments('bugs', comments => 'public');
SELECT zcsync.plan_comments('bugs');
RESET ROLE;
SELECT comments, comments_back, hold FROM zcsync.route_comments;
SELECT item, ok, message, hint FROM zcsync.check_route('bugs') WHERE item LIKE 'comments%';
UPDATE zcsync.streams SET comments = 'none' WHERE account_id = zcsync.account('acme');
SELECT item, ok, message, hint FROM zcsync.check_route('bugs') WHERE item LIKE 'comments%' OR item = 'description';
UPDATE zcsync.streams SET comments = 'linked' WHERE account_id = zcsync.account('acme');

-- A pair.  The description, private comments and old ones stay.
SELECT zcsync.link_records('acme/tickets/1', 'dev/tasks/t1') IS NOT NULL AS linked;
UPDATE zcsync.routes SET state = 'active', starts_at = now();
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes);
SELECT said('acme', 'tickets', '1', '10', 'It does not print', false, '5', ago => now() - '2026-01-01 00:00:01Z');
SELECT said('acme', 'tickets', '1', '11', 'It is old', false, '5', ago => '1 day');
SELECT said('acme', 'tickets', '1', '12', 'Still broken', false, '5', ago => '20 seconds', more => '{"rich_body": "<p>Still <b>broken</b></p><script>alert(1)</script>"}');
SELECT said('acme', 'tickets', '1', '13', 'He never pays', true, '6', ago => '15 seconds');
SELECT said('acme', 'tickets', '1', '14', 'Who can read this?', NULL, '6', ago => '14 seconds');
SELECT said('acme', 'tickets', '1', '15', '  ', false, '6', ago => '13 seconds');
SELECT op, original, record, is_private, replace(regexp_replace(text, '20\d\d-\d\d-\d\d \d\d:\d\d UTC', '(time)'), E'\n', ' / ') AS text FROM zcsync.plan_comments('bugs');
SELECT count(*) AS nothing_is_written FROM zcsync.comment_copies;
SELECT zcsync._has_local_jobs();
SELECT carry();
SELECT * FROM copies;
SELECT jsonb_path_query_array(c.rich_body, '$[1 to last]') AS blocks FROM zcsync.comments c JOIN zcsync.comment_copies k ON k.copy_id = c.local_id;
SELECT operation, kind, route_id IS NOT NULL AS of_route, state FROM zcsync.sync_queue WHERE kind = 'comments';
-- it is on its way: nothing comes back from there meanwhile, then it does, as internal
SELECT said('dev', 'tasks', 't1', 'x1', 'On it', author => '77');
SELECT carry();
SELECT count(*) FROM copies;
SELECT arrive();
SELECT carry();
SELECT * FROM copies;
-- the copy is no original
SELECT arrive();
SELECT carry();
SELECT count(*) FROM copies;

-- Edited, redacted, made private, deleted.
SELECT said('acme', 'tickets', '1', '12', 'Still broken, twice', false, '5', more => '{"rich_body": "<p>Still broken, twice</p>"}');
SELECT carry();
SELECT * FROM copies;
SELECT arrive();
SELECT said('acme', 'tickets', '1', '12', 'Still broken, twice', true, '5', more => '{"rich_body": "<p>Still broken, twice</p>"}');
SELECT carry();
SELECT * FROM copies;
SELECT code, object, regexp_replace(message, 'since .* UTC', 'since (time)') AS message, hint FROM zcsync.alerts WHERE code = 'comment_was_public' AND resolved_at IS NULL;
SELECT zcsync.close_alert('comment_was_public', 'dev/tasks/t1');
SELECT zcsync.close_alert('comment_was_public', 'dev/tasks/t1');
SELECT arrive();
-- at Zendesk the text of a comment cannot be changed: a person is told
SELECT said('dev', 'tasks', 't1', 'x1', 'On it now', author => '77');
SELECT carry();
SELECT field, code, message, hint FROM zcsync.route_errors;
SELECT zcsync._take(zcsync.account('dev'), 'comments', ARRAY[ROW('x1', '999', '{}', NULL, true)::zcsync.document], zcsync._origin_of('pull', 2)) IS NOT NULL AS deleted;
SELECT carry();
SELECT field, code, message, hint FROM zcsync.route_errors;
SELECT * FROM copies WHERE account = 'acme';

-- A marker, and time for second thoughts.
SELECT arrive();
SELECT left(zcsync.set_route_comments('bugs', marker => '/dev', marker_back => '', hold => '60 s'), 60);
SELECT said('acme', 'tickets', '1', '20', 'No marker', false, '6');
SELECT said('acme', 'tickets', '1', '21', '/devices are no marker', false, '6');
SELECT said('acme', 'tickets', '1', '22', E' /dev\nplease look', false, '6');
SELECT carry();
SELECT op, original FROM zcsync.plan_comments('bugs');
SELECT q.run_at = c.created_at + interval '60 seconds' AS later FROM zcsync.sync_queue q, zcsync.comments c WHERE q.operation = 'conversation' AND c.remote_id = '22';
SELECT said('acme', 'tickets', '1', '22', E' /dev\nplease look', true, '6');
SELECT carry();
SELECT count(*) AS none_was_public FROM copies WHERE body LIKE '%please look%';
SELECT said('acme', 'tickets', '1', '23', '/dev  and this', false, '6', ago => '50 seconds');
SELECT said('acme', 'tickets', '1', '23', '/dev  and this', false, '6', ago => '61 seconds');
UPDATE zcsync.route_comments SET since = now() - interval '1 hour';
SELECT carry();
SELECT * FROM copies WHERE body LIKE '%and this%';
SELECT arrive();
SELECT left(zcsync.set_route_comments('bugs', marker => '', hold => '0'), 60);

-- A comment that came before an earlier one waits for it, so that the copies keep the order.
INSERT INTO zcsync.conversations (account_id, kind, remote_id, partial_at) VALUES (zcsync.account('acme'), 'tickets', '1', now());
SELECT said('acme', 'tickets', '1', '25', 'The second', false, '6');
SELECT carry();
SELECT count(*) AS none FROM copies WHERE body LIKE '%The second%';
SELECT said('acme', 'tickets', '1', '24', 'The first', false, '6', ago => '1 second');
SELECT zcsync._end_conversation(zcsync.account('acme'), 'tickets', '1', '', now(), NULL, NULL);
SELECT carry();
SELECT body FROM copies WHERE body ~ 'The (first|second)';
UPDATE zcsync.conversations SET partial_at = now() - interval '61 minutes';
SELECT said('acme', 'tickets', '1', '26', 'Nothing came for an hour', false, '6');
SELECT carry();
SELECT body FROM copies WHERE body LIKE '%for an hour%';
DELETE FROM zcsync.conversations;
SELECT arrive();

-- The target is internal: private comments go, and old ones if that is wanted; not what
-- this account wrote before.
SELECT left(zcsync.set_route_comments('bugs', comments => 'all', target_is_internal => true), 60);
SELECT said('acme', 'tickets', '1', '9', 'Old, and our own', true, '900', ago => '2 days');
SELECT carry();
SELECT * FROM copies WHERE body LIKE '%never pays%' OR body LIKE '%old%';
SELECT left(zcsync.set_route_comments('bugs', old => true), 60);
-- ... once it is known as whom the account writes: it is asked
UPDATE zcsync.accounts SET login_id = NULL WHERE name = 'acme';
SELECT carry();
SELECT carry();
SELECT j.operation, r.request FROM zcsync.sync_queue j CROSS JOIN LATERAL unnest(zcsync._prepare_logins(j.account_id, ARRAY[j.job_id])) AS r WHERE j.operation = 'login';
SELECT (zcsync._finish_logins(ARRAY[ROW(job_id, 1, 'done', 200, NULL, NULL, -1, false, NULL, '{"user": {"id": 900}}', 1)::zcsync.outcome]))[1].how FROM zcsync.sync_queue WHERE operation = 'login';
DELETE FROM zcsync.sync_queue WHERE operation = 'login';
SELECT login_id FROM zcsync.accounts WHERE name = 'acme';
UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation';
SELECT carry();
SELECT * FROM copies WHERE body ILIKE '%old%';
SELECT arrive();

-- Between two vendors that have private comments; the author is known there.
SELECT record('psa', 'tickets', '500', '{"subject": "Printer", "status": "1"}'), record('acme', 'tickets', '2', '{"subject": "Printer", "status": "open"}');
SELECT left(zcsync.add_route('psa', 'psa/tickets', 'acme/tickets'), 40);
SELECT left(zcsync.set_route_comments('psa', comments => 'all', comments_back => 'all'), 60);
SELECT zcsync.link_records('psa/tickets/500', 'acme/tickets/2') IS NOT NULL AS linked;
UPDATE zcsync.routes SET state = 'active', starts_at = now() WHERE name = 'psa';
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'psa') WHERE route_id IS NULL;
SELECT said('psa', 'tickets', '500', '500-1', 'Public there', false, '7'), said('psa', 'tickets', '500', '500-2', 'Private there', true, '7');
SELECT said('acme', 'tickets', '2', '30', 'Public here', false, '5');
SELECT carry();
SELECT * FROM copies WHERE record IN ('2', '500');
SELECT arrive();
SELECT carry();
SELECT * FROM copies WHERE record = '500';
SELECT arrive();
SELECT left(zcsync.set_route_comments('psa', public_back => true), 60);
SELECT said('acme', 'tickets', '2', '31', 'Public here, too', false, '5'), said('acme', 'tickets', '2', '32', 'Private here', true, '6');
SELECT carry();
SELECT * FROM copies WHERE record = '500';
SELECT arrive();
SELECT carry();
-- copied public, then made private: so is the copy
SELECT said('acme', 'tickets', '2', '31', 'Public here, too', true, '5');
SELECT carry();
SELECT * FROM copies WHERE record = '500' AND body LIKE '%too%';
SELECT arrive();

-- What came over one route leaves by another only if that relays.
SELECT said('psa', 'tickets', '500', '500-9', 'Through two routes', false, '7');
SELECT record('dev', 'tasks', 't2', '{"name": "Printer 2", "status": "to do", "list_id": "901"}');
SELECT zcsync.link_records('acme/tickets/2', 'dev/tasks/t2') IS NOT NULL AS linked;
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'bugs') WHERE route_id IS NULL;
SELECT carry();
SELECT arrive();
SELECT carry();
SELECT count(*) AS none FROM copies WHERE record = 't2' AND body LIKE '%Through two%';
SELECT left(zcsync.set_route_comments('bugs', relay => true), 60);
SELECT carry();
SELECT count(*) AS one FROM copies WHERE record = 't2' AND body LIKE '%Through two%';
SELECT arrive();
SELECT carry();
SELECT count(*) AS one FROM copies WHERE body LIKE '%Through two%' AND record = 't2';

-- A paused route stops at once, and goes on.
SELECT said('acme', 'tickets', '1', '40', 'Before the pause', false, '6');
SELECT carry();
SELECT zcsync.pause_route('bugs');
SELECT q.state, q.last_error FROM zcsync.sync_queue q WHERE q.kind = 'comments' AND q.operation = 'push';
SELECT said('acme', 'tickets', '1', '41', 'During the pause', false, '6');
SELECT carry();
-- each is judged again before it goes on
SELECT zcsync._queue_conversations(route_id) FROM zcsync.routes WHERE name = 'bugs';
UPDATE zcsync.routes SET state = 'active';
SELECT carry();
SELECT q.state, q.last_error FROM zcsync.sync_queue q WHERE q.kind = 'comments' AND q.operation = 'push';
SELECT count(*) AS both FROM copies WHERE body LIKE '%the pause%';

SELECT arrive();

-- A comment that is discarded is not made again.
SELECT said('acme', 'tickets', '1', '50', 'To be discarded', false, '6');
SELECT carry();
SELECT zcsync.discard('dev/comments/#' || local_id) IS NOT NULL AS discarded FROM zcsync.comments WHERE body LIKE '%To be discarded' AND remote_id IS NULL;
SELECT zcsync._queue_conversations(route_id) FROM zcsync.routes WHERE name = 'bugs';
SELECT carry();
SELECT count(*) AS none FROM copies WHERE body LIKE '%To be discarded%';

-- A comment whose time is not known is old.
SELECT left(zcsync.set_route_comments('bugs', old => false), 60);
SELECT said('acme', 'tickets', '1', '51', 'At no time', false, '6', more => '{"created_at": null}');
SELECT carry();
SELECT count(*) AS none FROM copies WHERE body LIKE '%At no time%';

-- What agents alone may read in a place without private comments is private to other routes.
INSERT INTO zcsync.accounts (name, vendor, settings, login_id) VALUES ('guests', 'clickup', '{"workspace_id": "2"}', '903');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes, history_state) SELECT zcsync.account('guests'), 'tasks', now(), true, 'done';
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('guests'), '77:p1', '77', 'p1', 'to do', 'open', 0, true, 'pull', '0';
SELECT record('guests', 'tasks', 'g1', '{"name": "Printer", "status": "to do", "list_id": "77"}');
SELECT left(zcsync.add_route('guests', 'dev/tasks', 'guests/tasks', create_in => '77'), 40);
SELECT zcsync.set_route_comments('guests', comments => 'public', relay => true) IS NOT NULL AS said;
SELECT zcsync.link_records('dev/tasks/t1', 'guests/tasks/g1') IS NOT NULL AS linked;
UPDATE zcsync.routes SET state = 'active', starts_at = now();
UPDATE zcsync.links SET route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'guests') WHERE route_id IS NULL;
SELECT said('acme', 'tickets', '1', '52', 'For agents alone', true, '6'), said('acme', 'tickets', '1', '53', 'For everybody', false, '6');
SELECT carry();
SELECT arrive();
SELECT carry();
SELECT account, body FROM copies WHERE body LIKE '%For agents%' OR body LIKE '%For everybody%';

-- The pair is left, or the rule ends: what was carried is withdrawn all the same.
SELECT left(zcsync.set_route_comments('bugs', comments => 'none', comments_back => 'none'), 60);
SELECT said('acme', 'tickets', '1', '53', 'For everybody', true, '6');
SELECT carry();
SELECT account, body, state FROM copies WHERE body LIKE '%For everybody%' OR body LIKE '%withdrawn%' ORDER BY 1, 2, 3;

-- What was carried is counted by the originals as they are now.
SELECT account, copied_to, private_crossed FROM zcsync.comments_daily ORDER BY 1, 2;
SELECT sum(d.public) = (SELECT count(*) FROM zcsync.comment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id WHERE k.was_public AND c.remote_id IS NOT NULL) AS public,
	sum(d.internal) > 0 AS internal FROM zcsync.comments_daily d;
BEGIN;
DO $$ BEGIN
	PERFORM said('acme', 'tickets', '1', c.remote_id, c.body, false, c.author_id)
	FROM zcsync.comments c WHERE c.account_id = zcsync.account('acme') AND c.is_private IS DISTINCT FROM false
		AND c.local_id IN (SELECT k.original_id FROM zcsync.comment_copies k WHERE k.was_public);
END $$;
SELECT account, copied_to, private_crossed FROM zcsync.comments_daily ORDER BY 1, 2;
ROLLBACK;

-- Nobody asks in the name of another role from SQL that others run.
SELECT zcsync._caller() = current_user AS caller;
CREATE FUNCTION asks(x integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM zcsync._caller(); RETURN x; END $$;
CREATE TABLE asked (x integer);
INSERT INTO asked VALUES (1);
CREATE INDEX ON asked (asks(x));
DROP TABLE asked;
DROP FUNCTION asks;

-- A route whose comments nobody reads any more is shown.
UPDATE zcsync.streams SET comments = 'none' WHERE account_id = zcsync.account('dev');
SELECT account, state, why, to_do FROM zcsync.status WHERE state = 'no comments' ORDER BY account;
UPDATE zcsync.streams SET comments = 'linked' WHERE account_id = zcsync.account('dev');
SELECT count(*) AS none FROM zcsync.status WHERE state = 'no comments';

-- Placeholders are text.
SELECT s.body, s.rich_body FROM zcsync.links l JOIN zcsync.routes r USING (route_id) CROSS JOIN LATERAL zcsync._comment_sides(r.route_id, ARRAY[l.link_id]) AS e
CROSS JOIN LATERAL zcsync._copy_of(e, ROW(0, 0, '1', NULL, 'Mallory', 'x {{ticket.comments}} {% y %}', to_jsonb('<p>x {{ticket.comments}} {% y %}</p>'::text), NULL, false, false, NULL, NULL)::zcsync.original) AS s
WHERE r.name = 'psa' AND NOT e.back;

-- cancel_held() takes comments of routes back; they are nobody's rows, and are not made again.
SELECT zcsync.map_value('bugs', 'status', 'pending', 'to do');
SELECT left(zcsync.set_route_comments('bugs', comments => 'all'), 60);
SELECT carry() IS NOT NULL AS carried, arrive() IS NOT NULL AS arrived;
SELECT said('acme', 'tickets', '1', 'h1', 'held, then taken back', false, '5');
SELECT carry();
UPDATE zcsync.sync_queue SET state = 'held' WHERE operation = 'push' AND kind = 'comments' AND state = 'ready';
SET client_min_messages = notice;
SELECT zcsync.cancel_held('bugs');
SET client_min_messages = warning;
SELECT count(*) FROM zcsync.comments WHERE body LIKE '%held, then taken back' AND remote_id IS NULL;
SELECT state, cancelled, count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments' GROUP BY 1, 2;
SELECT said('acme', 'tickets', '1', 'h2', 'another one', false, '5');
SELECT carry();
SELECT count(*) FROM zcsync.comments WHERE body LIKE '%held, then taken back' AND remote_id IS NULL;
SELECT arrive();

-- A call that was under way when the route was paused, and failed, is not made again.
SELECT said('acme', 'tickets', '1', 'p1', 'under way', false, '5');
SELECT carry();
SELECT zcsync.pause_route('bugs');
UPDATE zcsync.sync_queue SET state = 'ready', last_class = 'vendor' WHERE operation = 'push' AND kind = 'comments' AND state = 'held';
SELECT zcsync._prepare_posts(zcsync.account('dev'), ARRAY(SELECT job_id FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments' AND state = 'ready'));
SELECT state, last_class, last_error FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
-- It waits for its route, of which status tells, and not for release_held().
SELECT account, state, why, to_do FROM zcsync.status WHERE account IN ('dev', 'route bugs');
SELECT x.value FROM unnest(zcsync._all_alert_readings()) AS x WHERE x.measure = 'held' AND x.object = 'dev';
SET client_min_messages = notice;
SELECT zcsync.release_held('dev');
SET client_min_messages = warning;
SELECT state, last_class, last_error FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
SELECT zcsync.resume_route('bugs');
SELECT carry() IS NOT NULL AS carried;
SELECT state, last_class, last_error FROM zcsync.sync_queue WHERE operation = 'push' AND kind = 'comments';
SELECT arrive();

-- Comments that end the process: the second time alone, and then the route is paused.
SELECT said('acme', 'tickets', '1', 'k1', 'deadly', false, '5');
UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation';
CREATE FUNCTION attempts() RETURNS smallint[] LANGUAGE sql AS $$ SELECT array_agg(DISTINCT attempts) FROM zcsync.sync_queue WHERE operation = 'conversation' $$;
SELECT zcsync._begin_conversations() IS NULL AS all_may_run, attempts();
SELECT zcsync._stop_conversations(NULL), attempts();
SELECT zcsync._begin_conversations() IS NULL AS all_may_run;
SELECT zcsync._begin_conversations() IS NOT NULL AS alone, attempts();
SELECT zcsync._begin_conversations() = 0 AS none, attempts();
SELECT r.name, r.state FROM zcsync.routes r WHERE r.name = 'bugs';
SELECT message, hint FROM zcsync.alerts WHERE code = 'route_fault' AND resolved_at IS NULL;
SELECT zcsync.resume_route('bugs');
-- what was done counts no more
SELECT zcsync._run_conversation_jobs(200, zcsync._begin_conversations()) > 0 AS carried;
SELECT count(zcsync._begin_conversations()) = 0 AS begun, carry() >= 0 AS carried, attempts();
SELECT arrive();
DROP FUNCTION attempts;

-- Files: a line for each at the end of the copy, and a link to the record; a row for each.
CREATE FUNCTION file(account text, record text, comment text, id text, name text, size bigint, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), 'attachments', ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text, jsonb_build_object('parent_kind',
		CASE account WHEN 'dev' THEN 'tasks' ELSE 'tickets' END, 'parent_id', record, 'comment_id', comment, 'name', name, 'size', size, 'created_at', now()) || more,
		jsonb_build_object('content_url', 'https://files.example/secret-' || id), false)::zcsync.document], zcsync._origin_of('pull', 2));
$$;
CREATE VIEW files AS
	SELECT c.parent_id AS record, a.name, k.state, k.reason FROM zcsync.attachment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id
	JOIN zcsync.attachments a ON a.local_id = k.attachment_id ORDER BY c.local_id, a.local_id;
UPDATE zcsync.routes SET state = 'active';
DELETE FROM zcsync.sync_queue WHERE operation = 'conversation';
SELECT zcsync.set_route_comments('bugs', attachments => 'copies');
SELECT left(zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'all', target_is_internal => false), 60);
SELECT left(zcsync.set_route_comments('guests', comments => 'none'), 60);
SELECT attachments FROM zcsync.route_comments ORDER BY route_id;
UPDATE zcsync.accounts SET settings = settings || '{"subdomain": "acme"}' WHERE name = 'acme';
SELECT file('acme', '1', '60', 'f1', E'a\nb{{x}}.log', 12345), file('acme', '1', '60', 'f2', 'bad.exe', NULL, '{"scan_result": "infected", "is_inline": true}'),
	file('acme', '1', NULL, 'f3', 'of-the-record.txt', 1), file('acme', '1', '61', 'f4', 'private.txt', 1);
SELECT said('acme', 'tickets', '1', '60', 'See the log', false, '6', more => '{"rich_body": "<p>See the log <img src=\"https://files.example/secret-f2\" alt=\"bad.exe\"></p>"}'),
	said('acme', 'tickets', '1', '61', 'Not for you', true, '6');
SELECT op, original, replace(regexp_replace(text, '20\d\d-\d\d-\d\d \d\d:\d\d UTC', '(time)'), E'\n', ' / ') AS text, files FROM zcsync.plan_comments('bugs') WHERE op = 'create';
SELECT carry();
SELECT body FROM copies WHERE body LIKE '%See the log%';
SELECT jsonb_path_query_array(c.rich_body, '$[last - 5 to last]') AS blocks FROM zcsync.comments c JOIN zcsync.comment_copies k ON k.copy_id = c.local_id WHERE c.body LIKE '%See the log%';
SELECT * FROM files;
SELECT count(*) AS addresses_of_files FROM zcsync.comments c JOIN zcsync.comment_copies k ON k.copy_id = c.local_id WHERE concat(c.body, c.rich_body) LIKE '%secret-f%';
SELECT arrive() > 0 AS arrived;
SELECT carry();
-- one that is seen later is named, where the text of the copy can be changed
SELECT file('acme', '1', '60', 'f5', 'later.txt', 5);
SELECT count(*) AS queued FROM zcsync.sync_queue WHERE operation = 'conversation' AND state = 'ready';
SELECT carry();
SELECT body LIKE '%File: later.txt (5 bytes)%' AS named FROM copies WHERE body LIKE '%See the log%';
SELECT arrive();
SELECT carry() AS nothing_more;
-- back, without a text, to a vendor where it cannot
SELECT said('dev', 'tasks', 't1', 'x60', '', author => '77', more => '{"rich_body": [{"type": "image", "image": {"name": "shot.png", "url": "https://files.example/secret-f6"}}]}');
SELECT file('dev', 't1', 'x60', 'f6', 'shot.png', 2048, '{"is_inline": true}');
SELECT carry();
SELECT body, private FROM copies WHERE body LIKE '%shot.png%';
SELECT arrive();
SELECT file('dev', 't1', 'x60', 'f7', 'late.png', 1);
SELECT carry();
SELECT * FROM files WHERE record = '1';
SELECT count(*) AS steps FROM zcsync.plan_comments('bugs');
-- a comment that has no text at all; and one that a route wrote itself, which no route carries, not even by relay
SELECT said('dev', 'tasks', 't1', 'x61', NULL, author => '77'), file('dev', 't1', 'x61', 'f8', 'only.txt', 3);
SELECT carry();
SELECT body FROM copies WHERE body LIKE '%only.txt%';
SELECT count(*) AS errors FROM zcsync.route_errors WHERE code = 'comment_failed';
SELECT arrive();
SELECT said('dev', 'tasks', 't1', 'n1', 'Made from ticket #51', author => '77');
INSERT INTO zcsync.comment_copies (copy_id, was_public, digest) SELECT c.local_id, false, '' FROM zcsync.comments c WHERE c.remote_id = 'n1';
UPDATE zcsync.route_comments SET relay = true;
SELECT count(*) FILTER (WHERE o.remote_id = 'x61') AS a_comment, count(*) FILTER (WHERE o.remote_id = 'n1') AS a_note
FROM zcsync.routes r CROSS JOIN LATERAL zcsync._comment_sides(r.route_id, ARRAY(SELECT l.link_id FROM zcsync.links l WHERE l.route_id = r.route_id)) AS s
CROSS JOIN LATERAL zcsync._originals_of(s) AS o WHERE r.name = 'bugs';
UPDATE zcsync.route_comments SET relay = false;
SELECT carry();
-- a page is still to be read: the comment waits for it
SELECT e.is_first AS queued FROM zcsync._conversation_key(zcsync.stream('acme/tickets'), '1') AS k
CROSS JOIN LATERAL zcsync._enqueue(ARRAY[zcsync._job(zcsync.account('acme'), 'ticket-sync', 'comments', 'api', k, k, '{"id": "1", "page": {"after": "x"}}', 50,
	p_stream => zcsync.stream('acme/tickets'), p_kind => 'comments')]) AS e;
SELECT said('acme', 'tickets', '1', '62', 'Files will follow', false, '6');
SELECT carry();
SELECT count(*) AS waits FROM copies WHERE body LIKE '%will follow%';
DELETE FROM zcsync.sync_queue WHERE operation = 'comments';
SELECT zcsync.set_route_comments('bugs', attachments => 'none') IS NOT NULL AS said;
SELECT file('acme', '1', '62', 'f8', 'hushed.txt', 1);
SELECT carry();
SELECT body LIKE '%hushed%' AS named FROM copies WHERE body LIKE '%will follow%';
-- withdrawn, with the names
SELECT arrive();
SELECT said('acme', 'tickets', '1', '60', 'See the log', true, '6');
SELECT carry();
SELECT * FROM files;
SELECT count(*) AS names_left FROM zcsync.comments c JOIN zcsync.comment_copies k ON k.copy_id = c.local_id WHERE concat(c.body, c.rich_body) LIKE '%later.txt%';
DROP VIEW files;
DROP FUNCTION file;

-- A route goes; its copies stay known.
SELECT zcsync.remove_route('bugs', force => true);
SELECT count(*) FROM zcsync.route_comments;
SELECT count(*) > 10 AS of_no_route FROM zcsync.comment_copies WHERE route_id IS NULL;
DROP OWNED BY regress_author;
DROP ROLE regress_author;
DROP VIEW copies;
DROP FUNCTION record, said, carry, arrive;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
