-- Comments that are written here: what is refused, what is sent, in which order, and how a
-- post is found whose reply was lost.  The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') AS acme \gset
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') AS dev \gset
SELECT zcsync.add_account('halo', 'halopsa', '{"host": "acme.halopsa.com"}', '{"client_id": "x", "client_secret": "y"}') AS halo \gset
SELECT zcsync.add_account('house', 'local') AS house \gset
SELECT count(*) FROM zcsync.add_stream('acme', 'tickets');
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks');
SELECT count(*) FROM zcsync.add_stream('halo', 'tickets');
CREATE FUNCTION pull(stream text, kind text, ids text[], vals jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT zcsync._take_page(zcsync.stream(stream), kind, ARRAY(SELECT ROW(i, '1', vals, NULL, false)::zcsync.document FROM unnest(ids) AS i), zcsync._origin_of('pull', 1))
$$;
SELECT pull('acme/tickets', 'tickets', '{1,2}', '{"subject": "ticket", "status": "open"}'), pull('acme/tickets', 'tickets', '{3}', '{"subject": "closed", "status": "closed"}'),
	pull('dev/tasks', 'tasks', '{t1,t2}', '{"name": "task"}'), pull('halo/tickets', 'tickets', '{18}', '{"subject": "ticket"}'),
	pull('acme/tickets', 'comments', '{11}', '{"parent_kind": "tickets", "parent_id": "1", "author_id": "5", "body": "Hello", "rich_body": "<p>Hello</p>", "is_private": true, "created_at": "2026-01-01T00:00:00+00:00"}'),
	pull('dev/tasks', 'comments', '{c1}', '{"parent_kind": "tasks", "parent_id": "t1", "author_id": "183", "body": "Hello", "created_at": "2026-01-01T00:00:00+00:00"}'),
	pull('halo/tickets', 'comments', '{18-1}', '{"parent_kind": "tickets", "parent_id": "18", "author_id": "3", "body": "Hello", "rich_body": "<p>Hello</p>", "is_private": true, "created_at": "2026-01-01T00:00:00+00:00"}');

-- ---------------------------------------------------------------------
-- Refusals, before anything is queued
-- ---------------------------------------------------------------------
CREATE FUNCTION post(account bigint, kind text, record text, body text, is_private boolean DEFAULT NULL, rich_body jsonb DEFAULT NULL, reply_to text DEFAULT NULL, author_id text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, is_private, rich_body, reply_to, author_id)
	VALUES (account, kind, record, body, is_private, rich_body, reply_to, author_id) RETURNING local_id
$$;
SELECT post(:acme, 'tickets', '1', 'a text', false);	-- the stream is read-only
UPDATE zcsync.comments SET is_private = true WHERE remote_id = '18-1';
SELECT post(:halo, 'leads', '7', 'a text', false);		-- there is no stream of leads
SELECT post(:house, 'leads', '7', 'a text');
SELECT count(*) FROM (SELECT zcsync.alter_stream(s, writes => true) FROM unnest('{acme/tickets,dev/tasks,halo/tickets}'::text[]) AS s) AS x;
SELECT post(:acme, 'contacts', '1', 'a text', false);
SELECT post(:acme, NULL, '1', 'a text', false);
SELECT post(:acme, 'tickets', NULL, 'a text', false);
SELECT post(:acme, 'tickets', '9', 'a text', false);
SELECT post(:acme, 'tickets', '1', E' \n', false);
SELECT post(:acme, 'tickets', '1', 'a text');			-- private or not?
SELECT post(:halo, 'tickets', '18', 'a text');
SELECT post(:acme, 'tickets', '3', 'a text', true);		-- the ticket is closed
SELECT post(:acme, 'tickets', '1', 'a text', true, '["blocks"]');
SELECT post(:halo, 'tickets', '18', 'a text', true, '["blocks"]');
SELECT post(:dev, 'tasks', 't1', 'a text', NULL, '"<p>HTML</p>"');
SELECT post(:dev, 'tasks', 't1', 'a text', true);
SELECT post(:acme, 'tickets', '1', 'a text', true, NULL, '11');		-- no threads
SELECT post(:halo, 'tickets', '18', 'a text', true, NULL, '18-1');
SELECT post(:dev, 'tasks', 't2', 'a text', NULL, NULL, 'c1');		-- a comment of another task
SELECT post(:dev, 'tasks', 't1', 'a text', NULL, NULL, NULL, '183');
SELECT post(:halo, 'tickets', '18', 'a text', true, NULL, NULL, 'Ann');
SELECT post(:acme, 'tickets', '1', 'a text', true, NULL, NULL, 'Ann');
-- edits
UPDATE zcsync.comments SET body = 'other text' WHERE remote_id = '11';
UPDATE zcsync.comments SET is_private = false WHERE remote_id = '11';
UPDATE zcsync.comments SET parent_id = 't2' WHERE remote_id = 'c1';
UPDATE zcsync.comments SET body = NULL WHERE remote_id = 'c1';
UPDATE zcsync.comments SET is_redacted = true WHERE remote_id = 'c1';
DELETE FROM zcsync.comments WHERE remote_id = '11';
SELECT count(*) AS queued FROM zcsync.sync_queue WHERE operation = 'push';
SELECT count(*) AS rows FROM zcsync.comments;

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------
CREATE VIEW pushes AS
	SELECT a.name AS account, q.queue, split_part(q.record_key, '/', 3) AS record, q.budget_class AS class, q.state, q.priority, q.job_id, c.body, c.sync_state, c.remote_id
	FROM zcsync.sync_queue q JOIN zcsync.accounts a USING (account_id) JOIN zcsync.comments c ON c.local_id = q.local_id WHERE q.operation = 'push' ORDER BY q.local_id;
-- what is sent now; in the claim's own words, so that what it stores is stored
CREATE TABLE calls (job bigint, attempts integer, request jsonb, n integer GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION claim(account bigint) RETURNS SETOF jsonb LANGUAGE sql AS $$
	WITH c AS (INSERT INTO calls (job, attempts, request) SELECT c.job_id, c.attempts, c.request FROM zcsync._claim_jobs(1, account, 10) AS c
		WHERE c.operation = 'push' AND c.job_id IS NOT NULL ORDER BY c.job_id RETURNING *)
	SELECT c.request - '{since,as_of,include,include_inline_images,may_be_gone}'::text[] FROM c ORDER BY c.n
$$;
-- the reply to the oldest call that has none
CREATE FUNCTION reply(account bigint, reply jsonb, class text DEFAULT 'done', status integer DEFAULT 200, unclear boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_call calls;
BEGIN
	DELETE FROM calls WHERE n = (SELECT min(c.n) FROM calls c JOIN zcsync.sync_queue q ON q.job_id = c.job WHERE q.account_id = account) RETURNING * INTO v_call;
	PERFORM zcsync._finish_jobs(1, account, ARRAY[ROW(v_call.job, v_call.attempts, class, status, CASE WHEN class <> 'done' THEN 'no' END, NULL, -1, unclear, v_call.request, reply, 0)::zcsync.outcome]);
	RETURN coalesce((SELECT concat_ws(' ', q.state, CASE WHEN q.run_at > zcsync._now() THEN 'later' END, CASE WHEN q.unclear_since IS NOT NULL THEN 'unclear' END, q.payload - 'learned')
		FROM zcsync.sync_queue q WHERE q.job_id = v_call.job), (SELECT 'dead letter: ' || d.message FROM zcsync.dead_letters d WHERE d.job_id = v_call.job), 'ended');
END
$$;
CREATE FUNCTION due() RETURNS void LANGUAGE sql AS $$ UPDATE zcsync.sync_queue SET run_at = zcsync._now() - interval '1 second' WHERE operation = 'push' AND run_at > zcsync._now() $$;
SELECT post(:acme, 'tickets', '1', 'first', false) < post(:acme, 'tickets', '1', 'second', true, '"<b>second</b>"') AS two,
	post(:acme, 'tickets', '2', 'other', true, NULL, NULL, '77') > 0 AS three, post(:dev, 'tasks', 't1', 'a <b> text') > 0 AS four, post(:halo, 'tickets', '18', E'a <b>\n"text"', false) > 0 AS five;
SELECT account, queue, record, class, state, priority, body, sync_state FROM pushes;
-- as whom does the account write?  One call, and the others wait
SELECT claim(:acme);
SELECT claim(:acme);
SELECT reply(:acme, '{"user": {"id": 900}}');
SELECT login_id FROM zcsync.accounts WHERE name = 'acme';
SELECT due();
-- of one ticket one after the other
SELECT claim(:acme);
SELECT claim(:acme);
SELECT sent -> -1 -> 'sent' AS sent, lookup_floor, unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue WHERE sent IS NOT NULL ORDER BY local_id;
SELECT reply(:acme, '{"ticket": {"id": 1}, "audit": {"id": 500, "created_at": "2026-05-05T05:05:05Z", "via": {"channel": "api"}, "events": [{"id": 7, "type": "Change"},
	{"id": 12, "type": "Comment", "author_id": 900, "body": "first", "html_body": "<div>first</div>", "public": true, "audit_id": 500}]}}');
CREATE VIEW shown AS SELECT remote_id, author_id, author_name, body, rich_body, is_private, reply_to, channel, created_at, remote_version, sync_state FROM zcsync.comments;
SELECT * FROM shown WHERE remote_id = '12';
SELECT reply(:acme, '{"ticket": {"id": 2}, "audit": {"created_at": "2026-05-05T05:05:05Z", "events": [{"id": 13, "type": "Comment", "author_id": 77, "body": "other", "html_body": "<div>other</div>", "public": false}]}}');
-- that which waited is due at once
SELECT claim(:acme);
-- a reply that shows no comment: it is looked up, after the login was asked again
SELECT reply(:acme, '{"ticket": {"id": 1}, "audit": {"events": []}}');
SELECT claim(:acme);
SELECT reply(:acme, '{"user": {"id": 900}}');
SELECT claim(:acme);
SELECT reply(:acme, '{"comments": [], "meta": {"has_more": true, "after_cursor": "c1"}}');
SELECT claim(:acme);
SELECT reply(:acme, format('{"comments": [
	{"id": 14, "author_id": 900, "body": "second", "html_body": "<div><b>second</b></div>", "public": false, "created_at": "2020-01-01T00:00:00Z"},
	{"id": 15, "author_id": 5, "body": "second", "html_body": "<div><b>second</b></div>", "public": false, "created_at": "%1$s"},
	{"id": 16, "author_id": 900, "body": "third", "html_body": "<div>third</div>", "public": false, "created_at": "%1$s"},
	{"id": 17, "author_id": 900, "body": "**second**", "html_body": "<div>\n <b>second</b></div>", "public": false, "created_at": "%1$s"}]}', to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::jsonb);
SELECT remote_id, body, rich_body, sync_state FROM zcsync.comments WHERE body ~ 'second';
-- ClickUp, HaloPSA
SELECT claim(:dev);
SELECT reply(:dev, '{"user": {"id": 183}}');
SELECT claim(:dev);
SELECT reply(:dev, '{"id": 458, "hist_id": "26508", "date": 1568036964079}');
SELECT claim(:halo);
SELECT reply(:halo, '{"id": 3.0, "name": "API"}');
SELECT claim(:halo);
SELECT reply(:halo, '{"id": 2, "ticket_id": 18.0, "outcome": "Public Note", "who": "API", "who_agentid": 3, "note": "a <b>\n\"text\"", "note_html": "<p>a &lt;b&gt;<br>&quot;text&quot;</p>", "hiddenfromuser": false, "datetime": "2026-05-05T05:05:05.5"}', 'done', 201);
SELECT * FROM shown WHERE remote_id IN ('458', '18-2') ORDER BY remote_id;
SELECT count(*) AS left_over FROM zcsync.sync_queue WHERE operation = 'push';

-- replies in a thread: their id is read there
SELECT post(:dev, 'tasks', 't1', 'an answer', NULL, '[{"text": "an "}, {"text": "answer", "attributes": {"bold": true}}]', 'c1') > 0 AS posted;
SELECT claim(:dev);
SELECT reply(:dev, '{}');
SELECT claim(:dev);
SELECT reply(:dev, '{"user": {"id": 183}}');
SELECT claim(:dev);
SELECT reply(:dev, '{"comments": []}');		-- not there yet: it is not posted again
SELECT due();
SELECT claim(:dev);
SELECT reply(:dev, format('{"comments": [{"id": "c9", "comment_text": "an answer", "comment": [{"text": "an answer"}], "user": {"id": 183, "username": "Dana"}, "date": "%s"}]}',
	floor(extract(epoch FROM zcsync._now()) * 1000)::bigint)::jsonb);
SELECT remote_id, author_name, body, rich_body, reply_to, sync_state FROM shown WHERE reply_to = 'c1';
-- accepted, but never shown: a person must look
SELECT post(:dev, 'tasks', 't1', 'hidden answer', NULL, NULL, 'c1') > 0 AS posted;
SELECT claim(:dev);
SELECT reply(:dev, '{}');
SELECT count(*) FROM claim(:dev);
SELECT reply(:dev, '{"user": {"id": 183}}');
DO $$
BEGIN
	FOR i IN 1 .. 5 LOOP
		PERFORM due(), claim(account_id), reply(account_id, '{"comments": []}') FROM zcsync.accounts WHERE name = 'dev';
	END LOOP;
END
$$;
SELECT due();
SELECT count(*) FROM claim(:dev);
SELECT reply(:dev, '{"comments": []}');
SELECT hint FROM zcsync.dead_letters;
SELECT remote_id, sync_state FROM shown WHERE body = 'hidden answer';


-- ---------------------------------------------------------------------
-- Order, failures, lost replies
-- ---------------------------------------------------------------------
CREATE FUNCTION now_text(after interval DEFAULT '0') RETURNS text LANGUAGE sql AS $$ SELECT to_char(zcsync._now() + after, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
CREATE FUNCTION comment(id bigint, body text, created_at text DEFAULT now_text(), author bigint DEFAULT 900) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'type', 'Comment', 'author_id', author, 'body', body, 'html_body', '<div>' || body || '</div>', 'public', false, 'via', '{"channel": "api"}'::jsonb, 'created_at', created_at)
$$;
CREATE FUNCTION posted(id bigint, body text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('ticket', '{"id": 2}'::jsonb, 'audit', jsonb_build_object('created_at', now_text(), 'via', '{"channel": "api"}'::jsonb, 'events', jsonb_build_array(comment(id, body))))
$$;
CREATE FUNCTION listed(VARIADIC comments jsonb[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('comments', to_jsonb(comments), 'meta', '{"has_more": false}'::jsonb) $$;
INSERT INTO zcsync.conversations (account_id, kind, remote_id) VALUES (:acme, 'tickets', '2');
SELECT post(:acme, 'tickets', '2', 'same', true) < post(:acme, 'tickets', '2', 'same', true) AS two, post(:acme, 'tickets', '2', 'last', true) > 0 AS three;
SELECT request #> '{body,ticket,comment}' AS comment FROM claim(:acme) AS request;
-- the vendor is down: the others wait for this one, however long that takes
SELECT reply(:acme, NULL, 'vendor', 503);
SELECT count(*) FROM claim(:acme);
SELECT due();
SELECT request #> '{body,ticket,comment}' AS comment FROM claim(:acme) AS request;
SELECT reply(:acme, posted(21, 'same'));
-- the second one's reply is lost: it is looked up, half a minute after the time-out at the earliest
SELECT request #> '{body,ticket,comment}' AS comment FROM claim(:acme) AS request;
SELECT reply(:acme, NULL, 'vendor', NULL, true);
SELECT q.run_at > zcsync._now() + interval '55 seconds' AS in_a_minute FROM zcsync.sync_queue q WHERE q.unclear_since IS NOT NULL;
-- meanwhile a page brings it, and the comment of somebody else: neither is taken for news yet
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'comments', ARRAY(SELECT ROW(r.remote_id, r.remote_version, r.vals, r.doc, false)::zcsync.document
	FROM zcsync._zendesk_comments(:acme, '2', '1', jsonb_build_array(comment(22, 'same'), comment(23, 'from a customer', now_text(), 5), comment(24, 'an old one', '2026-01-01T00:00:00Z', 5)), '[]') AS r),
	zcsync._origin_of('pull', 2)) AS stored;
SELECT remote_id, body FROM zcsync.comments WHERE parent_id = '2' ORDER BY remote_id;
SELECT due_at IS NOT NULL AS read_again, partial_at IS NOT NULL AS partial FROM zcsync.conversations WHERE remote_id = '2';
SELECT due();
SELECT request ->> 'learn' AS learn FROM claim(:acme) AS request;
SELECT reply(:acme, '{"user": {"id": 900}}');
SELECT request ->> 'op' AS op FROM claim(:acme) AS request;
SELECT reply(:acme, listed(comment(20, 'same', now_text(), 5), comment(21, 'same'), comment(22, 'same')));
SELECT c.remote_id, c.body, c.sync_state, m.key IS NOT NULL AS written_here FROM zcsync.comments c LEFT JOIN zcsync.marks m ON m.key = c.sync_key WHERE c.parent_id = '2' ORDER BY c.local_id;
SELECT status, count(*) FROM zcsync.sync_records WHERE operation = 'push' GROUP BY status ORDER BY status;
-- the third one's reply is lost, too, but it was not posted: then it is posted again, as another login by now
SELECT request #> '{body,ticket,comment}' AS comment FROM claim(:acme) AS request;
SELECT reply(:acme, NULL, 'vendor', NULL, true);
UPDATE zcsync.accounts SET login_id = NULL WHERE name = 'acme';		-- as set_credentials() does
SELECT due();
SELECT request ->> 'learn' AS learn FROM claim(:acme) AS request;
SELECT reply(:acme, '{"user": {"id": 901}}');
SELECT request -> 'authors' AS authors FROM claim(:acme) AS request;
SELECT reply(:acme, listed(comment(21, 'same'), comment(22, 'same'), comment(25, 'last', now_text('-1 day'))));
SELECT request #> '{body,ticket,comment}' AS comment, request -> 'remember' AS remember FROM claim(:acme) AS request;
SELECT reply(:acme, posted(26, 'last'));
-- a page brought it as a row of its own before its create was finished: there is one row in the end
SELECT post(:acme, 'tickets', '2', 'twice?', true) > 0 AS posted;
SELECT count(*) FROM claim(:acme);
SELECT pull('acme/tickets', 'comments', '{27}', '{"parent_kind": "tickets", "parent_id": "2", "author_id": "901", "body": "twice?", "created_at": "2026-01-01T00:00:00+00:00"}') AS stored;
SELECT reply(:acme, posted(27, 'twice?'));
SELECT count(*), max(remote_id) FROM zcsync.comments WHERE body = 'twice?';
-- refused: a dead letter, which keeps neither the text nor what the vendor said; those behind it go on
SELECT post(:acme, 'tickets', '2', 'my secret text', true) < post(:acme, 'tickets', '2', 'behind it', true) AS two;
SELECT count(*) FROM claim(:acme);
UPDATE zcsync.queues SET max_attempts = 1 WHERE name = 'ticket-sync';
SELECT reply(:acme, '{"error": "RecordInvalid", "description": "my secret text"}', 'rejected', 422);
SELECT d.class, d.status, d.reply, d.sent, d.payload - 'learned' AS payload, e.reference ~ '^acme/comments/#' AS told, c.sync_state FROM zcsync.dead_letters d JOIN zcsync.errors e USING (job_id) JOIN zcsync.comments c USING (local_id);
-- a ticket that was closed meanwhile
SELECT pull('acme/tickets', 'tickets', '{2}', '{"subject": "ticket", "status": "closed"}');
SELECT request FROM claim(:acme) AS request;
UPDATE zcsync.comments SET body = 'my other secret' WHERE body = 'my secret text';

-- an empty list, though comments are known, proves nothing: it is not posted again
SELECT post(:halo, 'tickets', '18', 'hidden', true) > 0 AS posted;
SELECT count(*) FROM claim(:halo);
SELECT reply(:halo, NULL, 'vendor', 500, true);
SELECT due();
SELECT request ->> 'learn' AS learn FROM claim(:halo) AS request;
SELECT reply(:halo, '{"id": 3}');
SELECT request ->> 'entity' AS entity FROM claim(:halo) AS request;
SELECT reply(:halo, '{"record_count": 0, "actions": []}');
SELECT due();
SELECT request ->> 'entity' AS entity FROM claim(:halo) AS request;
SELECT reply(:halo, jsonb_build_object('record_count', 2, 'actions', jsonb_build_array('{"id": 1, "ticket_id": 18, "note": "Hello", "who_agentid": 3, "datetime": "2026-01-01T00:00:00"}'::jsonb,
	jsonb_build_object('id', 3, 'ticket_id', 18, 'note', E'hidden\r\n', 'note_html', '<p>hidden</p>', 'who_agentid', 3, 'hiddenfromuser', true, 'datetime', now_text()))));
SELECT remote_id, body, sync_state FROM shown WHERE remote_id = '18-3';
-- a push that a person asks for
SELECT zcsync.enqueue('ticket-sync', 'push', 'halo/comments/18-3') > 0 AS queued;
SELECT split_part(record_key, '/', 3) AS record, kind FROM zcsync.sync_queue WHERE account_id = :halo AND operation = 'push';
SELECT count(*) AS nothing_to_send FROM claim(:halo);
SELECT count(*) FROM zcsync.sync_queue WHERE account_id = :halo AND operation = 'push';

-- how far a look-up goes: as far as the time in question, newest first
SELECT n, zcsync._clickup_comments_next(zcsync.stream('dev/tasks'), '{"op": "task_comments", "task_id": "t1", "look": true, "since": "2026-02-02T02:40:00.010Z"}',
		jsonb_build_object('comments', jsonb_agg(jsonb_build_object('id', i::text, 'date', (1770000000000 + i)::text, 'reply_count', '3') ORDER BY i DESC))) AS next
FROM (VALUES (1, 20, 44), (2, 1, 25), (3, 40, 44)) AS v (n, first, last) CROSS JOIN LATERAL generate_series(first, last) AS i GROUP BY n ORDER BY n;
SELECT zcsync._zendesk_comments_next(1, '{"since": "2026-01-02T00:00:00Z"}', jsonb_build_object('comments', jsonb_build_array(comment(1, 'x', at)), 'meta', '{"has_more": true, "after_cursor": "c"}'::jsonb)) AS next
FROM unnest('{2026-01-03T00:00:00Z,2026-01-01T00:00:00Z}'::text[]) AS at;

-- ---------------------------------------------------------------------
-- Edits
-- ---------------------------------------------------------------------
UPDATE zcsync.comments SET is_private = true WHERE remote_id = '12';
UPDATE zcsync.comments SET body = 'corrected', remote = remote || '{"assignee": {"id": 184}, "resolved": true}' WHERE remote_id = '458';
UPDATE zcsync.comments SET rich_body = '[{"text": "richer"}]' WHERE remote_id = 'c9';
UPDATE zcsync.comments SET body = 'a & b' WHERE remote_id = '18-2';
UPDATE zcsync.comments SET is_private = false WHERE remote_id = '18-1';
DELETE FROM zcsync.sync_queue WHERE account_id = :acme AND local_id NOT IN (SELECT local_id FROM zcsync.comments WHERE remote_id = '12');
SELECT claim(:acme) - 'author' AS request;
SELECT reply(:acme, NULL);
SELECT claim(:dev) - 'author' AS request;
SELECT reply(:dev, '{}');
SELECT claim(:dev) - 'author' AS request;
SELECT reply(:dev, '{}');
SELECT claim(:halo) - 'author' AS request;
SELECT reply(:halo, '{"id": 2, "ticket_id": 18, "who_agentid": 3, "note": "a & b", "note_html": "<p>a &amp; b</p>", "hiddenfromuser": false, "datetime": "2026-05-05T05:05:05.5"}', 'done', 201);
SELECT claim(:halo) - 'author' AS request;
SELECT reply(:halo, '[{"id": 1, "ticket_id": 18, "who_agentid": 3, "note": "Hello", "note_html": "<p>Hello</p>", "hiddenfromuser": false, "datetime": "2026-01-01T00:00:00"}]', 'done', 201);
SELECT remote_id, body, rich_body, is_private, sync_state FROM shown WHERE remote_id IN ('12', '458', 'c9', '18-1', '18-2') ORDER BY remote_id;

-- ---------------------------------------------------------------------
-- The write brake, privileges, and where the text is
-- ---------------------------------------------------------------------
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 2;
SELECT count(post(:dev, 'tasks', 't2', 'one of many ' || i)) FROM generate_series(1, 3) AS i;
COMMIT;
SELECT state, count(*) FROM pushes WHERE account = 'dev' GROUP BY state;
SELECT count(*) FROM claim(:dev);
-- those that were cancelled hold up nothing
SELECT zcsync.cancel_held('dev');
SELECT post(:dev, 'tasks', 't2', 'not one of these') > 0 AS posted;
SELECT request -> 'body' AS body FROM claim(:dev) AS request;
SELECT reply(:dev, '{"id": "460", "date": 1568036964079}');
SELECT count(zcsync.discard(zcsync.reference('comments', local_id))) FROM zcsync.comments WHERE body ~ 'one of many';
SELECT count(*) FROM zcsync.comments WHERE body ~ 'one of many';
SELECT old FROM zcsync.changes WHERE kind = 'comments' AND action = 'delete' LIMIT 1;
CREATE ROLE regress_zcsync_poster;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_poster;
GRANT SELECT, INSERT, UPDATE ON zcsync.comments TO regress_zcsync_poster;
GRANT USAGE ON SEQUENCE zcsync.local_id_seq TO regress_zcsync_poster;
SET ROLE regress_zcsync_poster;
INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, remote_id) VALUES (:dev, 'tasks', 't2', 'a text', 'mine');
INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body) VALUES (:dev, 'tasks', 't2', 'a text') RETURNING sync_state, remote_id;
RESET ROLE;
SELECT state, body FROM pushes WHERE account = 'dev';
DROP OWNED BY regress_zcsync_poster;
DROP ROLE regress_zcsync_poster;
SELECT t.name, t.rows FROM (
	SELECT 'changes' AS name, count(*) AS rows FROM zcsync.changes AS x WHERE x::text ~ 'secret|one of many|same|corrected'
	UNION ALL SELECT 'sync_records', count(*) FROM zcsync.sync_records AS x WHERE x::text ~ 'secret|one of many|same|corrected'
	UNION ALL SELECT 'dead_letters', count(*) FROM zcsync.dead_letters AS x WHERE x::text ~ 'secret|one of many|same|corrected'
	UNION ALL SELECT 'alerts', count(*) FROM zcsync.alerts AS x WHERE x::text ~ 'secret|one of many|same|corrected'
	UNION ALL SELECT 'sync_queue', count(*) FROM zcsync.sync_queue AS x WHERE x::text ~ 'secret|one of many|same|corrected') AS t ORDER BY 1;
SELECT action, old ->> 'body' AS old, new ->> 'body' AS new FROM zcsync.changes WHERE kind = 'comments' AND cause = 'local' AND action = 'update' AND new ? 'body' ORDER BY created_at LIMIT 1;

DROP FUNCTION comment, posted, listed, now_text;
DROP VIEW pushes, shown;
DROP FUNCTION pull, post, claim, reply, due;
DROP TABLE calls;
DROP EXTENSION zcsync CASCADE;
