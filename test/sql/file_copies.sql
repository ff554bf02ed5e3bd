-- Files of comments that are copied: which, in which order, and what becomes of them.
-- The worker is stopped; jobs are run and replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings, login_id) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}', '900'),
	('dev', 'clickup', '{"workspace_id": "1"}', '901');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes, history_state)
SELECT zcsync.account(s.name), s.kind, now(), true, 'done' FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks')) AS s (name, kind);
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT zcsync.account('dev'), '901:' || s.id, '901', s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('p1', 'to do', 'open', 0), ('p4', 'complete', 'closed', 3)) AS s (id, name, category, position);

-- what a vendor shows
CREATE FUNCTION record(account text, kind text, id text, doc jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), kind, ARRAY[ROW(id, '1', doc || '{"created_at": "2026-01-01T00:00:00Z"}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1));
$$;
CREATE FUNCTION said(account text, record text, id text, body text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), 'comments', ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text,
		jsonb_build_object('parent_kind', CASE account WHEN 'dev' THEN 'tasks' ELSE 'tickets' END, 'parent_id', record, 'body', body,
			'is_private', CASE account WHEN 'acme' THEN false END, 'author_id', '5', 'author_name', 'Ann', 'created_at', now()) || more, NULL, false)::zcsync.document], zcsync._origin_of('pull', 2));
$$;
CREATE FUNCTION file(account text, record text, comment text, id text, name text, size bigint, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._take(zcsync.account(account), 'attachments', ARRAY[ROW(id, extract(epoch FROM clock_timestamp())::text, jsonb_build_object('parent_kind',
		CASE account WHEN 'dev' THEN 'tasks' ELSE 'tickets' END, 'parent_id', record, 'comment_id', comment, 'name', name, 'size', size, 'created_at', now()) || more,
		jsonb_build_object('content_url', 'https://acme.zendesk.com/' || id, 'url', 'https://files.example/' || id), false)::zcsync.document], zcsync._origin_of('pull', 2));
$$;
CREATE FUNCTION carry() RETURNS bigint LANGUAGE sql AS $$
	UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'conversation';
	SELECT zcsync._run_conversation_jobs();
$$;
-- the worker's way, without the call: what would be sent for the due jobs of an operation, and what comes of its reply
CREATE FUNCTION asks(operation text, account text) RETURNS TABLE (job bigint, request jsonb) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
	requests jsonb[];
BEGIN
	UPDATE zcsync.sync_queue q SET run_at = now() WHERE q.operation = asks.operation AND q.state = 'ready' AND coalesce(q.kind, '') IN ('comments', 'attachments');
	ids := ARRAY(SELECT q.job_id FROM zcsync.sync_queue q WHERE q.operation = asks.operation AND q.account_id = zcsync.account(account) AND q.state = 'ready' ORDER BY q.job_id);
	SELECT r.ids, r.requests INTO ids, requests FROM zcsync._requests(zcsync.account(account), ids, array_fill(operation, ARRAY[cardinality(ids)])) AS r;
	UPDATE zcsync.sync_queue q SET attempts = q.attempts + 1, claimed_at = clock_timestamp() WHERE q.job_id = ANY (ids);
	DELETE FROM zcsync.sync_queue q USING unnest(ids, requests) AS x (id, request) WHERE q.job_id = x.id AND x.request IS NULL;
	RETURN QUERY SELECT x.id, x.request FROM unnest(ids, requests) AS x (id, request) WHERE x.request IS NOT NULL ORDER BY 1;
END
$$;
-- how the jobs end, and whether they go on
CREATE FUNCTION hears(operation text, account text, reply jsonb) RETURNS TABLE (how text, status text) LANGUAGE plpgsql AS $$
DECLARE
	v record;
	e zcsync.ending;
BEGIN
	FOR v IN SELECT * FROM asks(operation, account) LOOP
		e := (zcsync._endings_of(operation, ARRAY[ROW(v.job, 1, 'done', 200, NULL, NULL, -1, false, v.request, reply, 1)::zcsync.outcome]))[1];
		IF e.how = 'ended' THEN
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v.job;
		END IF;
		how := e.how;
		status := e.status;
		RETURN NEXT;
	END LOOP;
END
$$;
CREATE FUNCTION fails(operation text, account text, class text, http integer, message text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v record;
BEGIN
	FOR v IN SELECT * FROM asks(operation, account) LOOP
		PERFORM zcsync._call_fail((zcsync._operation_of(operation)).fail, ARRAY[ROW(v.job, 1, class, http, message, NULL, -1, class = 'vendor', v.request, NULL, 1)::zcsync.outcome]);
	END LOOP;
END
$$;
-- copies are posted
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
CREATE VIEW files AS
	SELECT a.name, k.state, k.reason, k.remote_id, k.token, k.tries FROM zcsync.attachment_copies k
	JOIN zcsync.attachments a ON a.local_id = k.attachment_id ORDER BY k.copy_id, a.local_id;
CREATE VIEW copies AS
	SELECT replace(regexp_replace(c.body, '20\d\d-\d\d-\d\d \d\d:\d\d UTC', '(time)'), E'\n', ' / ') AS body FROM zcsync.comment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id ORDER BY c.local_id;
SELECT record('acme', 'tickets', '1', '{"subject": "Printer", "status": "open"}'), record('dev', 'tasks', 't1', '{"name": "Printer", "status": "to do", "list_id": "901"}');
SELECT left(zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', create_in => '901'), 40);
INSERT INTO zcsync.links (source_id, target_id, source_account, source_kind, target_account, target_kind, route_id)
SELECT s.local_id, t.local_id, s.account_id, 'tickets', t.account_id, 'tasks', r.route_id FROM zcsync.tickets s, zcsync.tasks t, zcsync.routes r;
UPDATE zcsync.streams SET comments = 'linked';
SELECT left(zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'public', attachments => 'copy'), 60);
UPDATE zcsync.routes SET state = 'active';
SELECT item, ok, message, hint FROM zcsync.check_route('bugs') WHERE item = 'files';

-- ---------------------------------------------------------------------
-- To a vendor where files follow their comment
-- ---------------------------------------------------------------------
SELECT file('acme', '1', '10', 'f1', 'error.log', 12, '{"scan_result": "clean", "media_type": "text/plain"}'), file('acme', '1', '10', 'f2', 'Setup.EXE', 12, '{"scan_result": "clean"}'),
	file('acme', '1', '10', 'f3', 'film.mov', 999999999, '{"scan_result": "clean"}'), file('acme', '1', '10', 'f4', 'bad.doc', 12, '{"scan_result": "infected"}'),
	file('acme', '1', '10', 'f5', 'new.txt', 12, '{"scan_result": "waiting"}');
SELECT said('acme', '1', '10', 'See the files');
SELECT op, replace(regexp_replace(text, '20\d\d-\d\d-\d\d \d\d:\d\d UTC', '(time)'), E'\n', ' / ') AS text, files FROM zcsync.plan_comments('bugs');
SELECT carry();
SELECT * FROM copies;
SELECT * FROM files;
-- not before the comment is there
SELECT count(*) AS early FROM zcsync.sync_queue WHERE operation IN ('download', 'upload');
SELECT arrive();
SELECT carry();
SELECT regexp_replace(request::text, '\d+/\d+', 'N') AS request FROM asks('download', 'acme');
-- carried again meanwhile, nothing is doubled
SELECT zcsync._queue_conversations(route_id) FROM zcsync.routes;
SELECT carry();
SELECT operation, count(*) FROM zcsync.sync_queue WHERE kind = 'attachments' GROUP BY 1;
-- one comes; the other is not searched for malware yet, then is
CREATE FUNCTION reply_for(p_op text, p_reply jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v record;
	e zcsync.ending;
BEGIN
	FOR v IN SELECT * FROM asks('download', 'acme') AS a WHERE a.request ->> 'op' = p_op LOOP
		e := (zcsync._endings_of('download', ARRAY[ROW(v.job, 1, 'done', 200, NULL, NULL, -1, false, v.request, p_reply, 1)::zcsync.outcome]))[1];
		IF e.how = 'ended' THEN
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v.job;
		END IF;
		RAISE WARNING '% % %', e.how, e.status, e.run_after;
	END LOOP;
END
$$;
SELECT reply_for('download', '{"zcsync_file": {"size": 12, "checksum": "c0ffee", "page": false}}');
SELECT reply_for('attachment', '{"attachment": {"malware_scan_result": "not_scanned"}}');
SELECT reply_for('attachment', '{"attachment": {"malware_scan_result": "malware_not_found", "content_url": "https://acme.zendesk.com/fresh"}}');
SELECT request - 'file' AS request FROM asks('download', 'acme');
-- nothing is sent to a stream that is read-only by now
UPDATE zcsync.streams SET writes = false WHERE stream_id = zcsync.stream('dev/tasks');
SELECT count(*) AS sent FROM asks('upload', 'dev');
SELECT count(*) AS later FROM zcsync.sync_queue WHERE operation = 'upload' AND state = 'ready' AND run_at > now() + interval '4 minutes';
UPDATE zcsync.streams SET writes = true WHERE stream_id = zcsync.stream('dev/tasks');
-- the upload does not find its file: it is fetched again
SELECT request - 'file' AS request FROM asks('upload', 'dev');
UPDATE zcsync.attachment_copies SET sent_at = NULL;
SELECT * FROM hears('upload', 'dev', '{"zcsync_no_file": true}');
SELECT * FROM files WHERE state = 'waiting';
SELECT * FROM hears('download', 'acme', '{"zcsync_no_room": true}');
SELECT * FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "c0ffee", "page": false}}');
-- a reply is lost: it is looked for, half a minute later, and one of both is there
SELECT fails('upload', 'dev', 'vendor', NULL, 'time-out');
SELECT count(*) AS at_once FROM asks('upload', 'dev');
UPDATE zcsync.attachment_copies SET sent_at = now() - interval '31 seconds' WHERE sent_at IS NOT NULL;
SELECT DISTINCT request FROM asks('upload', 'dev');
SELECT * FROM hears('upload', 'dev', jsonb_build_object('attachments', jsonb_build_array(
	jsonb_build_object('id', 'old', 'title', 'error.log', 'size', 12, 'date', '1700000000000'),
	jsonb_build_object('id', 'x1', 'title', 'error.log', 'size', 12, 'date', (extract(epoch FROM now()) * 1000)::bigint::text),
	jsonb_build_object('id', 'x2', 'title', 'new.txt', 'size', 13))));
SELECT * FROM files WHERE name IN ('error.log', 'new.txt');
-- the other one is sent again, and refused: the comment names it
SELECT request ->> 'op' AS op FROM asks('upload', 'dev');
UPDATE zcsync.attachment_copies SET sent_at = NULL;
SELECT * FROM hears('upload', 'dev', '{"zcsync_refused": {"status": 413, "message": "File too large"}}');
SELECT carry();
SELECT * FROM copies;
SELECT name, state, reason FROM files WHERE name = 'new.txt';
SELECT field, code, message FROM zcsync.route_errors;
SELECT count(*) AS jobs FROM zcsync.sync_queue WHERE kind = 'attachments';
SELECT arrive();
-- what came to the task with a read is known, also as part of a comment
SELECT file('dev', 't1', NULL, 'x1', 'error.log', 12), said('dev', 't1', 'n1', 'as in this file'), file('dev', 't1', 'n1', 'x1', 'error.log', 12);
SELECT carry();
SELECT body FROM copies WHERE body LIKE '%as in this file%';
SELECT count(*) AS of_it FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE a.remote_id = 'x1';
SELECT arrive();
-- failures for good, and the last of several
SELECT file('acme', '1', '11', 'g1', 'gone.txt', 12, '{"scan_result": "clean"}'), file('acme', '1', '11', 'g2', 'login.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '11', 'Two more');
SELECT carry();
SELECT arrive();
SELECT carry();
SELECT fails('download', 'acme', 'throttled', 429, 'slowly');
SELECT name, state, reason FROM files WHERE name IN ('gone.txt', 'login.txt');
UPDATE zcsync.sync_queue SET failures = 2 WHERE operation = 'download' AND payload ->> 'file' = (SELECT local_id::text FROM zcsync.attachments WHERE name = 'gone.txt');
SELECT fails('download', 'acme', 'broken', 200, 'half of it');
SELECT name, state, reason FROM files WHERE name IN ('gone.txt', 'login.txt');
SELECT * FROM hears('download', 'acme', '{"zcsync_file": {"size": 90, "checksum": "c0ffee", "page": true}}');
SELECT carry();
SELECT name, state, reason FROM files WHERE name IN ('gone.txt', 'login.txt');
SELECT arrive();
-- redacted before it was sent: it stays
SELECT file('acme', '1', '12', 'h1', 'secret.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '12', 'Oh no');
SELECT carry(), arrive(), carry();
SELECT said('acme', '1', '12', 'Oh no', '{"is_private": true}');
SELECT carry();
SELECT count(*) AS requests FROM asks('download', 'acme');
SELECT name, state, reason FROM files WHERE name = 'secret.txt';
SELECT arrive() IS NOT NULL AS arrived;
-- the original is private by now, and nobody has withdrawn the copy yet
SELECT file('acme', '1', '14', 'h2', 'hush.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '14', 'Psst');
SELECT carry(), arrive(), carry();
SELECT said('acme', '1', '14', 'Psst', '{"is_private": true}');
SELECT count(*) AS requests FROM asks('download', 'acme');
SELECT carry(), arrive() IS NOT NULL;
-- it was withdrawn while the file was sent: the row says that it is there
SELECT file('acme', '1', '15', 'h3', 'fast.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '15', 'Quickly');
SELECT carry(), arrive(), carry();
SELECT how FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "c0ffee", "page": false}}');
CREATE TABLE sent AS SELECT * FROM asks('upload', 'dev');
SELECT said('acme', '1', '15', 'Quickly', '{"is_private": true}');
SELECT carry(), arrive() IS NOT NULL;
SELECT name, state, reason FROM files WHERE name = 'fast.txt';
SELECT (zcsync._endings_of('upload', ARRAY[ROW(s.job, 1, 'done', 200, NULL, NULL, -1, false, s.request, '{"id": "x9"}', 1)::zcsync.outcome]))[1].how FROM sent AS s;
SELECT name, state, reason, remote_id FROM files WHERE name = 'fast.txt';
DROP TABLE sent;
DELETE FROM zcsync.sync_queue WHERE kind = 'attachments';

-- ---------------------------------------------------------------------
-- To a vendor where files come first
-- ---------------------------------------------------------------------
SELECT file('dev', 't1', 'n2', 'd1', 'shot.png', 20), said('dev', 't1', 'n2', 'With a file'), said('dev', 't1', 'n3', 'After it');
SELECT carry();
SELECT name, state FROM files WHERE name = 'shot.png';
-- the comment waits for its file, and the next one for the comment
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT operation, count(*) FROM zcsync.sync_queue WHERE kind IN ('attachments', 'comments') AND operation <> 'conversation' GROUP BY 1 ORDER BY 1;
SELECT * FROM hears('download', 'dev', '{"zcsync_file": {"size": 20, "checksum": "beef", "page": false}}');
SELECT request - 'file' AS request FROM asks('upload', 'acme');
SELECT * FROM hears('upload', 'acme', '{"upload": {"token": "tok1", "attachment": {"id": 77}}}');
SELECT * FROM files WHERE name = 'shot.png';
SELECT request #> '{body,ticket,comment,uploads}' AS uploads FROM asks('push', 'acme');
-- the vendor does not take the token: the file is sent again, then the comment goes without it
UPDATE zcsync.sync_queue SET last_class = 'rejected', last_status = 422, last_error = 'bad token' WHERE operation = 'push' AND sent IS NOT NULL OR operation = 'push' AND attempts > 0;
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT * FROM hears('download', 'dev', '{"zcsync_file": {"size": 20, "checksum": "beef", "page": false}}');
SELECT * FROM hears('upload', 'acme', '{"upload": {"token": "tok2", "attachment": {"id": 78}}}');
UPDATE zcsync.sync_queue SET last_class = NULL, last_status = NULL WHERE operation = 'push';
-- a token that is too old is not used
UPDATE zcsync.attachment_copies SET changed_at = now() - interval '46 minutes' WHERE token IS NOT NULL;
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT * FROM hears('download', 'dev', '{"zcsync_file": {"size": 20, "checksum": "beef", "page": false}}');
SELECT * FROM hears('upload', 'acme', '{"upload": {"token": "tok3", "attachment": {"id": 79}}}');
SELECT request #> '{body,ticket,comment,uploads}' AS uploads FROM asks('push', 'acme');
UPDATE zcsync.sync_queue SET last_class = 'rejected', last_status = 422, last_error = 'bad token' WHERE operation = 'push' AND attempts > 0;
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT count(*) AS requests FROM asks('download', 'dev');
SELECT name, state, reason, token, tries FROM files WHERE name = 'shot.png';
SELECT carry();
SELECT name, state, reason FROM files WHERE name = 'shot.png';
SELECT body FROM copies WHERE body LIKE '%With a file%';
SELECT request #>> '{body,ticket,comment,html_body}' LIKE '%shot.png%' AS named, request #> '{body,ticket,comment}' ? 'uploads' AS uploads FROM asks('push', 'acme');
SELECT arrive();
SELECT carry();
-- nobody waits for a file longer than an hour
SELECT file('dev', 't1', 'n4', 'd2', 'slow.png', 20), said('dev', 't1', 'n4', 'Slowly');
SELECT carry();
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT run_at - now() > '59 minutes' AS looks_again FROM zcsync.sync_queue WHERE operation = 'conversation';
UPDATE zcsync.attachment_copies SET started_at = now() - interval '61 minutes' WHERE state = 'waiting';
SELECT carry();
SELECT name, state, reason FROM files WHERE name = 'slow.png';
SELECT request #>> '{body,ticket,comment,html_body}' LIKE '%slow.png%' AS named, request #> '{body,ticket,comment}' ? 'uploads' AS uploads FROM asks('push', 'acme');
SELECT arrive();
-- not even if it cannot be named
SELECT file('dev', 't1', 'n6', 'd6', 'never.png', 20), said('dev', 't1', 'n6', 'Never');
SELECT carry();
SELECT count(*) AS posted FROM asks('push', 'acme');
UPDATE zcsync.attachment_copies SET started_at = now() - interval '71 minutes' WHERE state = 'waiting';
SELECT request #> '{body,ticket,comment}' ? 'uploads' AS uploads FROM asks('push', 'acme');
SELECT arrive(), carry();
SELECT name, state, reason FROM files WHERE name IN ('slow.png', 'never.png');
SELECT count(*) AS requests FROM asks('download', 'dev');
-- and it is copied when all is well
SELECT file('dev', 't1', 'n5', 'd3', 'good.png', 20), said('dev', 't1', 'n5', '');
SELECT carry();
SELECT count(*) AS posted FROM asks('push', 'acme');
SELECT how FROM hears('download', 'dev', '{"zcsync_file": {"size": 20, "checksum": "beef", "page": false}}');
SELECT how FROM hears('upload', 'acme', '{"upload": {"token": "tok4", "attachment": {"id": 80}}}');
SELECT request #> '{body,ticket,comment,uploads}' AS uploads FROM asks('push', 'acme');
SELECT arrive(), carry();
SELECT * FROM files WHERE name = 'good.png';
-- the row of a file says what was in it, and that of its copy of which file it is the copy
SELECT file('acme', '1', (SELECT c.remote_id FROM zcsync.comments c JOIN zcsync.attachment_copies k ON k.copy_id = c.local_id WHERE k.remote_id = '80'), '80', 'good.png', 20);
SELECT carry();
SELECT f.remote_id, f.name, f.checksum, o.remote_id AS source, f.sync_state, f.sync_cause FROM zcsync.attachments f LEFT JOIN zcsync.attachments o ON o.local_id = f.source_id
WHERE f.remote_id IN ('d3', '80', 'x1', 'f2') ORDER BY f.local_id;
SELECT body FROM copies WHERE body NOT LIKE '% / %';
-- names without what a form cannot have; of many files a few are on their way to one account at a time
UPDATE zcsync.attachment_copies SET moving_since = NULL;
SELECT file('acme', '1', '16', 'm' || n, format(E'a "\t%s\\.txt', n), 12, '{"scan_result": "clean"}') FROM generate_series(1, 8) AS n;
SELECT said('acme', '1', '16', 'Many');
SELECT carry(), arrive(), carry();
SELECT count(*) AS begun FROM asks('download', 'acme');
SELECT how, count(*) FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "c0ffee", "page": false}}') GROUP BY 1;
SELECT operation, count(*) FROM zcsync.sync_queue WHERE kind = 'attachments' GROUP BY 1 ORDER BY 1;
SELECT request ->> 'name' AS name FROM asks('upload', 'dev') ORDER BY 1 LIMIT 1;
UPDATE zcsync.attachment_copies SET sent_at = NULL;
SELECT how, count(*) FROM hears('upload', 'dev', '{"id": "y"}') GROUP BY 1;
SELECT count(*) AS begun FROM asks('download', 'acme');
DELETE FROM zcsync.sync_queue WHERE kind = 'attachments';
-- tried again when the cause is over: what cannot be is said, the rest goes on as if it were new
SET client_min_messages = notice;
SELECT a.name, zcsync.retry_file(a.local_id) FROM zcsync.attachments a WHERE a.name IN ('film.mov', 'Setup.EXE', 'never.png', 'new.txt') ORDER BY a.name;
SELECT zcsync.retry_file(-1);
SELECT zcsync.retry_file(a.local_id, 'bugs') FROM zcsync.attachments a WHERE a.remote_id = 'd3';
SELECT zcsync.retry_file(a.local_id, 'no such route') FROM zcsync.attachments a WHERE a.remote_id = 'f3';
SET client_min_messages = warning;
SELECT carry();
SELECT * FROM files WHERE name = 'new.txt';
SELECT count(*) FROM zcsync.route_errors WHERE message LIKE '%new.txt%';
SELECT reply_for('attachment', '{"attachment": {"malware_scan_result": "malware_not_found", "content_url": "https://acme.zendesk.com/fresh"}}');
SELECT how FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "cafe", "page": false}}');
SELECT how FROM hears('upload', 'dev', '{"id": "x9"}');
SELECT carry();
SELECT * FROM files WHERE name = 'new.txt';
SELECT body FROM copies WHERE body LIKE '%See the files%';
DELETE FROM zcsync.sync_queue WHERE kind = 'attachments';
-- the reply to an upload is lost, and the vendor fails for an hour: it is looked up when the file is tried again
SELECT file('acme', '1', '17', 'r1', 'lost.txt', 12, '{"scan_result": "clean"}'), file('acme', '1', '17', 'r2', 'never sent.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '17', 'Lost');
SELECT carry(), arrive(), carry();
SELECT how FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "cafe", "page": false}}');
SELECT fails('upload', 'dev', 'vendor', NULL, 'time-out');
UPDATE zcsync.attachment_copies SET sent_at = now() - interval '31 seconds' WHERE sent_at IS NOT NULL;
SELECT a.name, k.sent_at IS NOT NULL AS unknown FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE a.remote_id LIKE 'r_' ORDER BY 1;
DO $$
DECLARE
	v record;
BEGIN
	UPDATE zcsync.sync_queue SET failing_for = '61 minutes' WHERE operation = 'upload';
	FOR v IN SELECT * FROM asks('upload', 'dev') LOOP
		RAISE WARNING '%', v.request -> 'look';
		PERFORM zcsync._fail_files(ARRAY[ROW(v.job, 1, 'vendor', 503, 'down', NULL, -1, false, v.request, NULL, 1)::zcsync.outcome]);
	END LOOP;
END
$$;
DELETE FROM zcsync.sync_queue WHERE kind = 'attachments';
SELECT carry(), arrive() IS NOT NULL;
SELECT a.name, k.state, k.reason, k.sent_at IS NOT NULL AS unknown, zcsync.retry_file(a.local_id) AS tried FROM zcsync.attachment_copies k JOIN zcsync.attachments a ON a.local_id = k.attachment_id WHERE a.remote_id LIKE 'r_' ORDER BY 1;
SELECT carry();
SELECT how FROM hears('download', 'acme', '{"zcsync_file": {"size": 12, "checksum": "cafe", "page": false}}');
SELECT request ->> 'op' AS op, request -> 'look' AS look FROM asks('upload', 'dev');
SELECT * FROM hears('upload', 'dev', jsonb_build_object('attachments', jsonb_build_array(
	jsonb_build_object('id', 'x17', 'title', 'lost.txt', 'size', 12, 'date', (extract(epoch FROM now()) * 1000)::bigint::text))));
SELECT name, state, remote_id FROM files WHERE name IN ('lost.txt', 'never sent.txt');
DELETE FROM zcsync.sync_queue WHERE kind = 'attachments';
-- what is not tried again: its comment was redacted, made private or deleted; and nothing while the route is paused
SET client_min_messages = notice;
SELECT zcsync.retry_file(a.local_id) FROM zcsync.attachments a WHERE a.remote_id = 'r1';
SET client_min_messages = warning;
SELECT file('acme', '1', '18', 's1', 'mine.mov', 999999999, '{"scan_result": "clean"}'), said('acme', '1', '18', 'Mine');
SELECT carry(), arrive() IS NOT NULL;
CREATE FUNCTION tried_while(change text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	EXECUTE 'UPDATE zcsync.comments SET ' || change || $q$, sync_cause = 'pull', sync_cause_id = -1, sync_xid = pg_current_xact_id() WHERE remote_id = '18'$q$;
	v := zcsync.retry_file((SELECT local_id FROM zcsync.attachments WHERE remote_id = 's1'));
	RETURN v;
END
$$;
SET client_min_messages = notice;
BEGIN; SELECT tried_while('is_redacted = true'); ROLLBACK;
BEGIN; SELECT tried_while('is_private = true'); ROLLBACK;
BEGIN; SELECT tried_while('deleted_at = now()'); ROLLBACK;
BEGIN; UPDATE zcsync.routes SET state = 'paused'; SELECT zcsync.retry_file(local_id) FROM zcsync.attachments WHERE remote_id = 's1'; ROLLBACK;
SET client_min_messages = warning;
DROP FUNCTION tried_while;
-- a paused route fetches nothing
SELECT file('acme', '1', '13', 'k1', 'later.txt', 12, '{"scan_result": "clean"}'), said('acme', '1', '13', 'Stop');
SELECT carry(), arrive(), carry();
SELECT zcsync.pause_route('bugs');
SELECT count(*) AS requests FROM asks('download', 'acme');
SELECT name, state FROM files WHERE name = 'later.txt';

-- which files no route copies
SELECT name, zcsync._file_fault(name, type, size, NULL) FROM (VALUES ('a.txt', 'text/plain', 1), ('a.JS', NULL, 1), ('js', NULL, 1), ('a.exe ', NULL, 1), ('a.png', 'text/x-evil; charset=x', 1),
	('a.txt', NULL, 26214401), (NULL, NULL, NULL)) AS f (name, type, size);
SET zcsync.attachment_refused_types = 'js';	-- only the server's configuration says it
DROP VIEW files, copies;
DROP FUNCTION record, said, file, carry, asks, hears, fails, arrive, reply_for;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
