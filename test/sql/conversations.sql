-- Comments of mirrored records: which are read, when, and what becomes of them.
-- The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') AS acme \gset
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') AS dev \gset
SELECT zcsync.add_account('house', 'local') AS house \gset

-- the option of a stream
SELECT * FROM zcsync.add_stream('acme', 'tickets', comments => 'some');
SELECT * FROM zcsync.add_stream('acme', 'statuses', comments => 'all');
SELECT * FROM zcsync.add_stream('house', 'leads', comments => 'none');
SELECT count(*) FROM zcsync.add_stream('acme', 'tickets');
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) FROM zcsync.add_stream('acme', 'statuses');
SELECT kind, comments, comments_at IS NOT NULL AS looked_after FROM zcsync.streams WHERE account_id = :acme ORDER BY kind;
SELECT stream_id AS tickets FROM zcsync.streams WHERE account_id = :acme AND kind = 'tickets' \gset

-- Three tickets, of which one has a task.
SELECT zcsync._take_page(:tickets, 'tickets', ARRAY(
	SELECT ROW(i::text, '100', jsonb_build_object('subject', 'ticket ' || i, 'status', 'open'), NULL, false)::zcsync.document FROM generate_series(1, 3) AS i),
	zcsync._origin_of('pull', 1));
SELECT zcsync._take_page(zcsync.stream('dev/tasks'), 'tasks', ARRAY[ROW('t1', '1', '{"name": "task"}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1));
SELECT zcsync._enqueue_due_comments() AS nothing_is_linked;
SELECT zcsync.link_records('acme/tickets/1', 'dev/tasks/t1') IS NOT NULL AS linked;

-- What is to be done, one stream at a time.
CREATE FUNCTION due() RETURNS integer LANGUAGE sql AS $$
	UPDATE zcsync.streams SET comments_at = zcsync._now() - interval '1 second' WHERE comments_at IS NOT NULL;
	SELECT zcsync._enqueue_due_comments();
$$;
CREATE VIEW jobs AS
	SELECT q.operation, split_part(q.dedupe_key, '/', 3) AS key, q.payload - '{began,version}'::text[] AS payload, q.priority, q.budget_class
	FROM zcsync.sync_queue q WHERE q.operation IN ('comments', 'pull') AND q.account_id = zcsync.account('acme') ORDER BY 1, 2;
CREATE VIEW talks AS
	SELECT c.kind, c.remote_id, c.version, c.due_at IS NOT NULL AS due, c.due_at > zcsync._now() AS later, c.read_at IS NOT NULL AS read, c.partial_at IS NOT NULL AS partial
	FROM zcsync.conversations c WHERE c.account_id = zcsync.account('acme') ORDER BY c.kind, c.remote_id;
SELECT due() > 0 AS queued;
SELECT * FROM jobs;
SELECT * FROM talks;
SELECT due() AS queued_once FROM (SELECT) AS x WHERE EXISTS (SELECT FROM jobs);

-- Its comments: a page, and the last one.
CREATE FUNCTION reply(reply jsonb, request jsonb DEFAULT '{}') RETURNS TABLE (how text, status text, changed integer) LANGUAGE sql AS $$
	SELECT e.how, e.status, e.changed FROM zcsync.sync_queue q
	CROSS JOIN LATERAL unnest(zcsync._finish_comments(ARRAY[ROW(q.job_id, 1, 'done', 200, NULL, NULL, NULL, false,
		((zcsync._prepare_comments(q.account_id, ARRAY[q.job_id]))[1]).request || request, reply, 0)::zcsync.outcome])) AS e
	WHERE q.operation = 'comments' AND q.account_id = zcsync.account('acme')
$$;
CREATE FUNCTION end_jobs() RETURNS void LANGUAGE sql AS $$ DELETE FROM zcsync.sync_queue WHERE operation = 'comments' $$;
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() WHERE operation = 'comments';
SELECT partial FROM talks;
UPDATE zcsync.conversations SET partial_at = NULL;		-- as if it was no first reading
SELECT p.request - 'as_of' AS request FROM zcsync.sync_queue q, unnest(zcsync._prepare_comments(q.account_id, ARRAY[q.job_id])) AS p WHERE q.operation = 'comments' AND q.account_id = :acme;
SELECT * FROM reply('{"comments": [
	{"id": 11, "type": "Comment", "author_id": 5, "body": "Hello", "html_body": "<p>Hello</p>", "public": true, "via": {"channel": "email"}, "created_at": "2026-01-01T00:00:01Z"},
	{"id": 12, "type": "Comment", "author_id": 6, "body": "Our secret", "html_body": "<p>Our secret</p>", "public": false, "via": {"channel": "web"}, "created_at": "2026-01-01T00:00:02Z"},
	{"no": "id"}],
	"users": [{"id": 5, "name": "Ann", "updated_at": "2026-01-01T00:00:00Z"}], "meta": {"has_more": true, "after_cursor": "c1"}}', '{"as_of": 1770000000}');
SELECT * FROM jobs;
SELECT partial FROM talks;
SELECT p.request - 'as_of' AS request FROM zcsync.sync_queue q, unnest(zcsync._prepare_comments(q.account_id, ARRAY[q.job_id])) AS p WHERE q.operation = 'comments' AND q.account_id = :acme;
SELECT * FROM reply('{"comments": [
	{"id": 13, "type": "Comment", "author_id": 5, "body": "card ▇▇▇▇", "html_body": "<p>card ▇▇▇▇</p>", "public": true, "created_at": "2026-01-01T00:00:03Z"}], "meta": {"has_more": false}}', '{"as_of": 1770000000}');
SELECT end_jobs();
SELECT remote_id, parent_kind, parent_id, author_id, author_name, body, rich_body, is_private, is_redacted, channel, created_at, edited_at, sync_state, remote_version
FROM zcsync.comments ORDER BY remote_id;
SELECT * FROM talks;
SELECT read_to AS newest_after_the_first_page FROM zcsync.conversations WHERE account_id = :acme;
SELECT due() AS nothing_is_due_but_the_lane;

-- The lane: new comments of the ticket that is followed, and only of that; what was listed since is not changed by an older event.
SELECT zcsync._zendesk_pull_request(:tickets, 'comments') ->> 'op' AS op,
	extract(epoch FROM zcsync._now()) - (zcsync._zendesk_pull_request(:tickets, 'comments') ->> 'start_time')::numeric BETWEEN 300 AND 400 AS before_the_listing;
CREATE FUNCTION lane(reply jsonb) RETURNS TABLE (changed integer, cursor jsonb, more boolean) LANGUAGE sql AS $$
	SELECT (zcsync._apply_reply(zcsync.stream('acme/tickets'), zcsync._origin_of('pull', 2), '{"op": "ticket_events", "start_time": 1770000100}', reply)).changed, n.cursor, n.more
	FROM zcsync._zendesk_next(zcsync.stream('acme/tickets'), 'comments', '{"op": "ticket_events", "start_time": 1770000100}', reply) AS n
$$;
SELECT * FROM lane('{"ticket_events": [
	{"id": 1, "ticket_id": 1, "timestamp": 1770000200, "child_events": [
		{"id": 14, "event_type": "Comment", "author_id": 5, "body": "new", "html_body": "<p>new</p>", "public": true, "via": {"channel": "web"}, "created_at": "2026-02-02T02:43:20Z"},
		{"id": 15, "event_type": "Change", "status": "pending"}]},
	{"id": 2, "ticket_id": 2, "timestamp": 1770000201, "child_events": [
		{"id": 16, "event_type": "Comment", "author_id": 5, "body": "of another ticket", "public": true, "created_at": "2026-02-02T02:43:21Z"}]},
	{"id": 3, "ticket_id": 1, "timestamp": 1770000202, "child_events": [
		{"id": 13, "event_type": "Comment", "author_id": 5, "body": "card 4111", "html_body": "<p>card 4111</p>", "public": true, "created_at": "2026-01-01T00:00:03Z"},
		{"id": 17, "comment_present": true}]}, "nonsense", {"id": 4, "child_events": {}}],
	"end_time": 1770000202, "end_of_stream": true}');
SELECT remote_id, author_name, body, is_private, channel FROM zcsync.comments WHERE remote_id > '12' ORDER BY remote_id;
-- again: nothing changes
SELECT * FROM lane('{"ticket_events": [{"id": 1, "ticket_id": 1, "timestamp": 1770000200, "child_events": [
	{"id": 14, "event_type": "Comment", "author_id": 5, "body": "new", "html_body": "<p>new</p>", "public": true, "via": {"channel": "web"}, "created_at": "2026-02-02T02:43:20Z"}]}],
	"end_time": 1770000200, "end_of_stream": true}');
-- pages: full ones, one of a single second, the end without events, nonsense
SELECT n, x.* FROM (VALUES
	(1, '{"ticket_events": [{}], "end_time": 1770000300, "end_of_stream": false}'),
	(2, '{"ticket_events": [{}], "end_time": 1770000100, "end_of_stream": false}'),
	(3, '{"ticket_events": [], "end_time": 1770000100, "end_of_stream": true}'),
	(4, '{"ticket_events": [], "end_time": null, "end_of_stream": true}'),
	(5, '{"ticket_events": [], "end_time": 1770000300, "end_of_stream": false}'),
	(6, '{"ticket_events": 5}')) AS v (n, reply),
	zcsync._zendesk_next(:tickets, 'comments', '{"op": "ticket_events", "start_time": 1770000100}', reply::jsonb) AS x ORDER BY n;
-- a comment was made private: the ticket is listed again, and before all that is read for the first time
SELECT changed, more FROM lane(jsonb_build_object('end_of_stream', true, 'end_time', extract(epoch FROM zcsync._now())::bigint, 'ticket_events',
	'[{"id": 5, "ticket_id": 1, "child_events": [{"id": 18, "event_type": "CommentPrivacyChange", "comment_id": 11}]}]'::jsonb));
SELECT * FROM talks;
SELECT due() > 0 AS queued;
SELECT * FROM jobs;
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() + interval '1 second' WHERE operation = 'comments';
SELECT * FROM reply('{"comments": [
	{"id": 11, "type": "Comment", "author_id": 5, "body": "Hello", "html_body": "<p>Hello</p>", "public": false, "via": {"channel": "email"}, "created_at": "2026-01-01T00:00:01Z"}],
	"users": [], "meta": {"has_more": false}}');
SELECT end_jobs();
SELECT remote_id, author_name, is_private, deleted_at FROM zcsync.comments WHERE remote_id IN ('11', '12') ORDER BY remote_id;

-- A record that changes is listed again in an hour, in case the lane did not tell all.
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 3), '{"op": "incremental"}',
	'{"tickets": [{"id": 1, "subject": "changed", "generated_timestamp": 101}, {"id": 2, "subject": "changed", "generated_timestamp": 101}]}');
SELECT * FROM talks;

-- A comment that somebody holds, or that cannot be stored, is not parked with its text.
ALTER TABLE zcsync.comments ADD CONSTRAINT mine CHECK (body <> 'refused');
SELECT changed FROM lane('{"ticket_events": [{"id": 9, "ticket_id": 1, "child_events": [
	{"id": 19, "event_type": "Comment", "author_id": 5, "body": "refused", "public": false, "created_at": "2026-02-02T03:00:00Z"}]}], "end_time": 1770000200, "end_of_stream": true}');
SELECT count(*) AS parked FROM zcsync.sync_queue WHERE operation = 'apply';
SELECT code, object, message, hint FROM zcsync.alerts WHERE code = 'comment_not_stored';
SELECT due_at BETWEEN zcsync._now() + interval '9 minutes' AND zcsync._now() + interval '11 minutes' AS in_ten_minutes FROM zcsync.conversations WHERE account_id = :acme;
-- a reading that ends meanwhile does not count what is not here as read
SELECT zcsync._end_conversation(:acme, 'tickets', '1', '', zcsync._now(), '101', '2026-03-01');
SELECT read_to, due_at > zcsync._now() AS still_due FROM zcsync.conversations WHERE account_id = :acme;
ALTER TABLE zcsync.comments DROP CONSTRAINT mine;
UPDATE zcsync.conversations SET due_at = zcsync._now() - interval '1 minute';
SELECT due() > 0 AS queued;
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() + interval '1 second' WHERE operation = 'comments';
SELECT * FROM reply('{"comments": [{"id": 19, "author_id": 5, "body": "refused", "public": false, "created_at": "2026-02-02T03:00:00Z"}], "meta": {"has_more": false}}');
SELECT end_jobs();
SELECT count(*) AS open FROM zcsync.alerts WHERE code = 'comment_not_stored' AND resolved_at IS NULL;

-- History tells that a text changed, and how long it was, but not the text.
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "ticket_comments", "ticket_id": "1", "as_of": 1890000000}',
	'{"comments": [{"id": 12, "author_id": 6, "body": "Our other secret", "html_body": "<p>x</p>", "public": false, "via": {"channel": "web"}, "created_at": "2026-01-01T00:00:02Z"}]}');
SELECT action, old, new FROM zcsync.changes WHERE kind = 'comments' AND action = 'update' ORDER BY created_at DESC, old::text DESC LIMIT 1;
SELECT count(*) AS told FROM zcsync.changes WHERE kind = 'comments' AND concat(old, new) ~ 'secret|Hello|refused';

-- A record that changed while its comments were read has them read once more.
SELECT due_at IS NULL AS was_read FROM zcsync.conversations WHERE account_id = :acme;
UPDATE zcsync.conversations SET due_at = zcsync._now() - interval '1 minute';
SELECT due() > 0 AS queued;
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() + interval '1 second' WHERE operation = 'comments';
SELECT how FROM reply('{"comments": [{"id": 19, "author_id": 5, "body": "refused", "public": false, "created_at": "2026-02-02T03:00:00Z"}], "meta": {"has_more": false}}', '{"record_version": "100"}');
SELECT end_jobs();
SELECT due_at <= clock_timestamp() AS read_again FROM zcsync.conversations WHERE account_id = :acme;

-- The ticket is gone at the vendor; a job that failed for good is left alone for an hour.
UPDATE zcsync.conversations SET due_at = zcsync._now() - interval '1 minute';
SELECT due() > 0 AS queued;
UPDATE zcsync.sync_queue SET claimed_at = zcsync._now() + interval '1 second' WHERE operation = 'comments';
SELECT * FROM reply('{"zcsync_missing": true}');
SELECT end_jobs();
SELECT * FROM talks;
SELECT count(*) AS still_there FROM zcsync.comments WHERE deleted_at IS NULL;

-- All tickets, none.
SELECT * FROM zcsync.alter_stream('acme/tickets', comments => 'all') WHERE item = 'comments';
SELECT * FROM talks;
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 5), '{"op": "incremental"}',
	'{"tickets": [{"id": 4, "subject": "new", "generated_timestamp": 102}, {"id": 3, "status": "deleted", "generated_timestamp": 103}]}');
SELECT remote_id FROM talks;
SELECT due() > 0 AS queued;
SELECT key, priority FROM jobs;
UPDATE zcsync.streams SET last_error = 'no', last_error_at = now(), last_error_class = 'forbidden', last_error_lane = 'comments', failing_since = now()
WHERE stream_id = zcsync.stream('acme/tickets');
SELECT * FROM zcsync.alter_stream('acme/tickets', comments => 'none') WHERE item = 'comments';
-- what nobody reads any more cannot fail
SELECT last_error, failing_since FROM zcsync.streams WHERE stream_id = zcsync.stream('acme/tickets');
SELECT count(*) FROM talks;
SELECT count(*) FROM jobs;
SELECT due();
SELECT count(*) FROM zcsync.alter_stream('acme/tickets', comments => 'linked') WHERE item = 'comments';
SELECT due() > 0 AS queued;
SELECT remote_id FROM talks;
-- a record that has no counterpart any more is not followed
UPDATE zcsync.links SET state = 'unlinked';
SELECT zcsync._follow_linked(:acme, 'tickets', zcsync._now() - interval '1 minute');
SELECT remote_id AS only_new_pairs_were_looked_at FROM talks;
SELECT zcsync._follow_linked(:acme, 'tickets'), zcsync._follow_linked(:dev, 'tasks');
SELECT count(*) FROM talks;

-- ---------------------------------------------------------------------
-- ClickUp: pages of 25, newest first, and replies
-- ---------------------------------------------------------------------
UPDATE zcsync.links SET state = 'linked';
SELECT stream_id AS tasks FROM zcsync.streams WHERE kind = 'tasks' \gset
CREATE FUNCTION page(first integer, last integer, replies jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('comments', jsonb_agg(jsonb_build_object('id', i::text, 'comment_text', 'text ' || i, 'comment', jsonb_build_array(jsonb_build_object('text', 'text ' || i)),
		'user', '{"id": 183, "username": "Dana"}'::jsonb, 'date', (1770000000000 + i)::text, 'reply_count', coalesce(replies ->> i::text, '0')) ORDER BY i DESC))
	FROM generate_series(first, last) AS i
$$;
SELECT zcsync._clickup_comments_request(:tasks, '{"id": "t1", "whole": true}') - 'as_of' AS request;
-- a full page, then the rest, then the replies to two comments, one after the other
SELECT n, zcsync._clickup_comments_next(:tasks, request::jsonb, reply) AS next FROM (VALUES
	(1, '{"op": "task_comments", "task_id": "t1", "whole": true}', page(6, 30, '{"30": 2}')),
	(2, '{"op": "task_comments", "task_id": "t1", "whole": true, "start": "1770000000006", "start_id": "6", "threads": ["30"]}', page(1, 5, '{"5": "1"}')),
	(3, '{"op": "comment_replies", "task_id": "t1", "comment_id": "30", "threads": ["30", "5"]}', page(31, 32)),
	(4, '{"op": "comment_replies", "task_id": "t1", "comment_id": "5", "threads": ["5"]}', page(33, 33)),
	-- the same page for ever, nonsense
	(5, '{"op": "task_comments", "task_id": "t1", "whole": true, "start_id": "6"}', page(6, 30)),
	(6, '{"op": "task_comments", "task_id": "t1"}', '{"comments": [5, {"id": null}, {"reply_count": "x"}]}'),
	(7, '{"op": "task_comments", "task_id": "t1"}', '{}')) AS v (n, request, reply) ORDER BY n;
SELECT sum((zcsync._apply_reply(:tasks, zcsync._origin_of('pull', 6), request::jsonb, reply)).changed) AS changed FROM (VALUES
	('{"op": "task_comments", "task_id": "t1"}', page(6, 30, '{"30": 2}')),
	('{"op": "comment_replies", "task_id": "t1", "comment_id": "30"}', page(31, 32))) AS v (request, reply);
SELECT remote_id, parent_kind, parent_id, reply_to, author_id, author_name, body, rich_body, is_private, created_at FROM zcsync.comments
WHERE account_id = :dev AND remote_id IN ('6', '31') ORDER BY remote_id;
-- what was there when it was read is not asked for again: no older page, no replies but
-- where their number differs; that a page is known does not tell that what is older is
INSERT INTO zcsync.conversations (account_id, kind, remote_id, due_at, read_to) VALUES (:dev, 'tasks', 't1', zcsync._now(), to_timestamp(1770000000.030));
SELECT zcsync._clickup_comments_next(:tasks, '{"op": "task_comments", "task_id": "t1"}', page(6, 30, '{"30": 2}')) AS known,
	zcsync._clickup_comments_next(:tasks, '{"op": "task_comments", "task_id": "t1"}', page(6, 30, '{"30": 3, "7": 1}')) AS new_replies,
	zcsync._clickup_comments_next(:tasks, '{"op": "task_comments", "task_id": "t1"}', page(10, 34)) AS back_to_it, zcsync._clickup_comments_next(:tasks, '{"op": "task_comments", "task_id": "t1"}', page(30, 54)) -> 'start_id' AS older;
SELECT zcsync._clickup_comments_next(:tasks, '{"op": "task_comments", "task_id": "t2"}', page(6, 30)) -> 'start_id' AS never_read;
SELECT (zcsync._apply_reply(:tasks, zcsync._origin_of('pull', 7), '{"op": "task_comments", "task_id": "t1"}', page(6, 30, '{"30": 2}'))).changed AS nothing_changed;
-- a task that changed has its comments read again, at once
SELECT end_jobs();
SELECT due() > 0 AS queued;
UPDATE zcsync.conversations SET due_at = NULL, read_at = zcsync._now() WHERE account_id = :dev;
SELECT changed FROM zcsync._apply_reply(:tasks, zcsync._origin_of('pull', 8), '{"op": "team_tasks"}', '{"tasks": [{"id": "t1", "name": "task", "date_updated": "2"}, {"id": "t2", "name": "other", "date_updated": "2"}]}');
SELECT remote_id, version, due_at <= zcsync._now() AS due FROM zcsync.conversations WHERE account_id = :dev;
SELECT changed FROM zcsync._apply_reply(:tasks, zcsync._origin_of('pull', 9), '{"op": "team_tasks"}', '{"tasks": [{"id": "t1", "name": "late", "date_updated": "1"}]}');
SELECT remote_id, version FROM zcsync.conversations WHERE account_id = :dev;
-- Deleted comments: a page shows what is missing between its comments, not before and not behind them; the last page, also what is older.
CREATE FUNCTION shown(request jsonb, reply jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT zcsync._apply_reply(zcsync.stream('dev/tasks'), zcsync._origin_of('pull', 10), jsonb_build_object('op', 'task_comments', 'task_id', 't1',
		'as_of', extract(epoch FROM zcsync._now() + interval '1 minute')::bigint) || request, reply);
	SELECT concat_ws('; ', string_agg(c.remote_id, ' ' ORDER BY c.remote_id::integer) FILTER (WHERE c.deleted_at IS NOT NULL)) FROM zcsync.comments c WHERE c.account_id = zcsync.account('dev')
$$;
CREATE FUNCTION without(reply jsonb, ids text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('comments', (SELECT coalesce(jsonb_agg(d ORDER BY n), '[]') FROM jsonb_array_elements(reply -> 'comments') WITH ORDINALITY AS x (d, n) WHERE d ->> 'id' <> ALL (ids)))
$$;
SELECT shown('{}', page(6, 30, '{"30": 2}')) AS none;
SELECT shown('{"as_of": 1}', without(page(6, 30), '{8}')) AS stored_since;
SELECT shown('{}', without(page(5, 30, '{"30": 2}'), '{20}')) AS within_a_page;
SELECT shown('{}', page(6, 30)) AS listed_again;
SELECT shown('{"start": "1770000000012"}', page(6, 9)) AS behind_the_first_page;
SELECT shown('{}', '{"comments": null}') AS no_list;
SELECT shown('{"op": "comment_replies", "comment_id": "30"}', page(31, 31)) AS a_reply;
SELECT shown('{}', without(page(6, 30), '{30}')) AS with_its_replies;
SELECT shown('{}', '{"comments": []}') AS all_of_them;
SELECT action, new ->> 'deleted_at' IS NOT NULL AS gone, count(*) FROM zcsync.changes WHERE account_id = :dev AND kind = 'comments' AND action = 'delete' GROUP BY 1, 2;

-- ---------------------------------------------------------------------
-- HaloPSA: the actions of a ticket come all at once
-- ---------------------------------------------------------------------
SELECT zcsync.add_account('halo', 'halopsa', '{"host": "acme.halopsa.com"}', '{"client_id": "x", "client_secret": "y"}') AS halo \gset
SELECT count(*) FROM zcsync.add_stream('halo', 'tickets', comments => 'all');
CREATE FUNCTION listed(reply jsonb, request jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT zcsync._apply_reply(zcsync.stream('halo/tickets'), zcsync._origin_of('pull', 11), zcsync._halopsa_comments_request(zcsync.stream('halo/tickets'), '{"id": "18"}')
		|| jsonb_build_object('as_of', extract(epoch FROM zcsync._now() + interval '1 minute')::bigint) || request, reply);
	SELECT string_agg(c.remote_id || CASE WHEN c.deleted_at IS NOT NULL THEN ' gone' ELSE '' END, ', ' ORDER BY c.remote_id) FROM zcsync.comments c WHERE c.account_id = zcsync.account('halo')
$$;
SELECT zcsync._halopsa_comments_request(zcsync.stream('halo/tickets'), '{"id": "18"}') - 'as_of' AS request;
SELECT listed('{"record_count": 3, "actions": [{"id": 1.0, "ticket_id": 18.0, "note": "a"}, {"id": 2, "ticket_id": 18, "note": "b"}, {"id": 3, "ticket_id": 18, "note": "c"}]}') AS three;
SELECT listed('{"record_count": 3, "actions": [{"id": 1, "ticket_id": 18, "note": "a"}]}') AS cut_off;
SELECT listed('{"record_count": 0, "actions": []}') AS hidden;
SELECT listed('{"record_count": 2, "actions": [{"id": 1, "ticket_id": 18, "note": "a"}, {"id": 3, "ticket_id": 18, "note": "c"}]}', '{"as_of": 1}') AS stored_since;
SELECT listed('{"record_count": 2, "actions": [{"id": 1, "ticket_id": 18, "note": "a"}, {"id": 3, "ticket_id": 18, "note": "c"}]}') AS gone;
-- one that cannot be marked is read again, and an alert tells it
ALTER TABLE zcsync.comments ADD CONSTRAINT mine CHECK (remote_id <> '18-3' OR deleted_at IS NULL);
INSERT INTO zcsync.conversations (account_id, kind, remote_id) VALUES (:halo, 'tickets', '18');
SELECT listed('{"record_count": 1, "actions": [{"id": 1, "ticket_id": 18, "note": "a"}]}') AS refused;
SELECT object, message FROM zcsync.alerts WHERE code = 'comment_not_stored' AND resolved_at IS NULL;
SELECT due_at > zcsync._now() + interval '9 minutes' AS in_ten_minutes FROM zcsync.conversations WHERE account_id = :halo;

-- A ticket that began with a private comment: its description is private, also once
-- somebody has answered publicly.
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "incremental"}',
	'{"tickets": [{"id": 7, "subject": "internal", "description": "secret", "is_public": false, "generated_timestamp": 200},
		{"id": 8, "subject": "not known", "description": "hello", "is_public": true, "submitter_id": 5, "requester_id": 5, "generated_timestamp": 200}]}');
SELECT remote_id, opens_privately FROM zcsync.tickets WHERE remote_id IN ('7', '8') ORDER BY remote_id;
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "incremental"}',
	'{"tickets": [{"id": 7, "subject": "internal", "description": "secret", "is_public": true, "generated_timestamp": 201}]}');
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "ticket_comments", "ticket_id": "8", "as_of": 1770000000}',
	'{"comments": [{"id": 81, "type": "Comment", "author_id": 5, "body": "hello", "public": false, "created_at": "2026-01-01T00:00:01Z"},
		{"id": 82, "type": "Comment", "author_id": 5, "body": "Public", "public": true, "created_at": "2026-01-01T00:00:02Z"}], "meta": {"has_more": false}}');
-- a later page says nothing of the first comment, nor do those of a ticket that is not mirrored
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "ticket_comments", "ticket_id": "8", "as_of": 1770000000, "page[after]": "x"}',
	'{"comments": [{"id": 83, "type": "Comment", "author_id": 5, "body": "Public, too", "public": true, "created_at": "2026-01-01T00:00:03Z"}], "meta": {"has_more": false}}');
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "ticket_comments", "ticket_id": "9999", "as_of": 1770000000}',
	'{"comments": [{"id": 84, "type": "Comment", "author_id": 5, "body": "x", "public": false, "created_at": "2026-01-01T00:00:01Z"}], "meta": {"has_more": false}}');
SELECT remote_id, subject, remote ->> 'is_public' AS is_public, opens_privately, zcsync._private_texts('tickets', ARRAY[local_id]) <> '{}' AS hidden
FROM zcsync.tickets WHERE remote_id IN ('7', '8', '9999') ORDER BY remote_id;
UPDATE zcsync.streams SET writes = true WHERE account_id = :dev;
SELECT zcsync.add_route('secrets', 'acme/tickets', 'dev/tasks', create_in => '901') IS NOT NULL AS made;
SELECT field, new FROM zcsync.plan('secrets', ARRAY(SELECT local_id FROM zcsync.tickets WHERE remote_id IN ('7', '8'))) WHERE new LIKE '%secret%' OR new LIKE '%hello%';

-- Not known of a ticket that was made by an agent and has public comments by now; of one by an end user it is.
SELECT changed FROM zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), '{"op": "incremental"}',
	'{"tickets": [{"id": 30, "description": "by an agent", "is_public": true, "submitter_id": 70, "requester_id": 71, "generated_timestamp": 300},
		{"id": 31, "description": "by a customer", "is_public": true, "submitter_id": 71, "requester_id": 71, "generated_timestamp": 300},
		{"id": 32, "description": "by nobody known", "is_public": true, "submitter_id": 79, "requester_id": 71, "generated_timestamp": 300},
		{"id": 33, "description": "by an agent for himself", "is_public": true, "submitter_id": 70, "requester_id": 70, "generated_timestamp": 300}],
	"users": [{"id": 70, "name": "Alex", "role": "agent"}, {"id": 71, "name": "Ann", "role": "end-user"}]}');
SELECT remote_id, opens_privately, zcsync._private_texts('tickets', ARRAY[local_id]) <> '{}' AS hidden FROM zcsync.tickets WHERE remote_id IN ('30', '31', '32', '33') ORDER BY remote_id;
-- its comments tell; later documents, and later readings, do not change what they told
SELECT (zcsync._apply_reply(:tickets, zcsync._origin_of('pull', 4), request, reply)).changed FROM (VALUES
	('{"op": "ticket_comments", "ticket_id": "30", "as_of": 1770000000}'::jsonb, '{"comments": [{"id": 301, "type": "Comment", "author_id": 70, "body": "by an agent", "public": true, "created_at": "2026-01-01T00:00:01Z"}], "meta": {"has_more": false}}'::jsonb),
	('{"op": "ticket_comments", "ticket_id": "33", "as_of": 1770000000}', '{"comments": [{"id": 331, "type": "Comment", "author_id": 70, "body": "by an agent for himself", "public": false, "created_at": "2026-01-01T00:00:01Z"}], "meta": {"has_more": false}}'),
	('{"op": "incremental"}', '{"tickets": [{"id": 30, "description": "by an agent", "is_public": true, "submitter_id": 70, "requester_id": 71, "generated_timestamp": 301}], "users": [{"id": 70, "name": "Alex", "role": "agent"}]}')) AS v (request, reply);
SELECT remote_id, opens_privately FROM zcsync.tickets WHERE remote_id IN ('30', '31', '32', '33') ORDER BY remote_id;
SELECT s.remote_id, p.field FROM zcsync.plan('secrets', ARRAY(SELECT local_id FROM zcsync.tickets WHERE remote_id IN ('30', '31', '32', '33'))) AS p JOIN zcsync.tickets s ON p.new LIKE '%' || s.description || '%' ORDER BY 1, 2;

-- How far the first reading is: 400, and those of the tickets that are there, are to be
-- read, after 100 that were read before.
DELETE FROM zcsync.conversations;
INSERT INTO zcsync.conversations (account_id, kind, remote_id, due_at, read_at)
SELECT :acme, 'tickets', 'c' || i, CASE WHEN i > 100 THEN zcsync._now() END, CASE WHEN i <= 100 THEN zcsync._now() END FROM generate_series(1, 500) AS i;
CREATE FUNCTION far(p_seconds integer) RETURNS TABLE (done bigint, estimate bigint, progress text, eta text, limited_by text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('zcsync.clock_offset', p_seconds::text, false);
	UPDATE zcsync.streams SET comments_at = zcsync._now() - interval '1 second' WHERE kind = 'tickets' AND comments_at IS NOT NULL;
	PERFORM zcsync._enqueue_due_comments();
	RETURN QUERY SELECT x.done, x.estimate, x.progress, regexp_replace(x.eta, '^(29|3[0-3]) min$', 'half an hour'), x.limited_by FROM zcsync.progress AS x WHERE x.object = 'acme/tickets' AND x.lane = 'comments';
END
$$;
SELECT zcsync.alter_stream('acme/tickets', comments => 'all');
SELECT * FROM far(0);
-- a quarter of an hour later a third of them is read; one has changed and is read again,
-- and new ones came
UPDATE zcsync.conversations SET due_at = NULL, read_at = zcsync._now() WHERE remote_id IN (SELECT 'c' || i FROM generate_series(101, 250) AS i);
UPDATE zcsync.conversations SET due_at = zcsync._now() WHERE remote_id = 'c1';
INSERT INTO zcsync.conversations (account_id, kind, remote_id, due_at) SELECT :acme, 'tickets', 'd' || i, zcsync._now() FROM generate_series(1, 50) AS i;
SELECT * FROM far(900);
-- many are counted by the last turn of each ten minutes
INSERT INTO zcsync.conversations (account_id, kind, remote_id, due_at) SELECT :acme, 'tickets', 'e' || i, zcsync._now() FROM generate_series(1, 20000) AS i;
SELECT count(*) FROM far(1220);
SELECT comments_counted ->> 'all' AS of FROM zcsync.streams WHERE stream_id = :tickets;
DELETE FROM zcsync.conversations WHERE remote_id LIKE 'e%';
SELECT zcsync._count_conversations(:tickets, zcsync._now());
SELECT comments_counted ->> 'all' AS still_of FROM zcsync.streams WHERE stream_id = :tickets;
SELECT zcsync._count_conversations(:tickets, zcsync._now() + interval '11 minutes');
SELECT comments_counted ->> 'all' AS of FROM zcsync.streams WHERE stream_id = :tickets;
-- few are left: no line of their own
UPDATE zcsync.conversations SET due_at = NULL, read_at = zcsync._now() WHERE remote_id NOT IN (SELECT 'c' || i FROM generate_series(300, 340) AS i);
SELECT count(*) FROM far(1841);
SELECT comments_counted FROM zcsync.streams WHERE stream_id = :tickets;
RESET zcsync.clock_offset;
DROP FUNCTION far;

DROP FUNCTION page, shown, without, listed;
DROP VIEW jobs, talks;
DROP FUNCTION due, reply, end_jobs, lane;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
