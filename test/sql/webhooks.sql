-- Webhooks: who may send what, what it has read, and that nothing of it is trusted
-- before its proof fits.  The worker is stopped.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SET log_statement = none;
SET log_min_duration_statement = -1;

-- RFC 2104, as the vendors compute it
CREATE FUNCTION mac(key bytea, data bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	k bytea := CASE WHEN length(key) > 64 THEN sha256(key) ELSE key END;
	i bytea := decode(repeat('36', 64), 'hex');
	o bytea := decode(repeat('5c', 64), 'hex');
BEGIN
	FOR n IN 0 .. length(k) - 1 LOOP
		i := set_byte(i, n, get_byte(i, n) # get_byte(k, n));
		o := set_byte(o, n, get_byte(o, n) # get_byte(k, n));
	END LOOP;
	RETURN sha256(o || sha256(i || data));
END
$$;
SELECT encode(mac('Jefe', 'what do ya want for nothing?'), 'hex') = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' AS rfc_4231;

SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"email": "a@example.com", "api_token": "x"}') > 0 AS added;
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}', '{"token": "x"}') > 0 AS added;
SELECT zcsync.add_account('halo', 'halopsa', '{"host": "acme.halopsa.com"}', '{"client_id": "x", "client_secret": "y"}') > 0 AS added;
SELECT zcsync.add_account('leads', 'local') > 0 AS added;
SELECT FROM zcsync.add_stream('acme', 'tickets');
SELECT FROM zcsync.add_stream('acme', 'contacts');
SELECT FROM unnest('{tasks,statuses,fields}'::text[]) AS k CROSS JOIN LATERAL zcsync.add_stream('dev', k);
SELECT FROM unnest('{tickets,leads}'::text[]) AS k CROSS JOIN LATERAL zcsync.add_stream('halo', k);

-- what the vendors send
CREATE FUNCTION zendesk(body text, secret text DEFAULT 'acme-secret', at timestamptz DEFAULT now(), id text DEFAULT 'd1', address text DEFAULT 'acme')
RETURNS text LANGUAGE sql AS $$
	SELECT r.status || ' ' || r.message
	FROM (SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS t (at)
	CROSS JOIN LATERAL zcsync.receive_webhook(address, jsonb_build_object('X-Zendesk-Webhook-Signature-Timestamp', t.at, 'X-Zendesk-Webhook-Id', 'w1',
		'X-Zendesk-Webhook-Invocation-Id', id, 'X-Zendesk-Webhook-Signature', encode(mac(convert_to(secret, 'UTF8'), convert_to(t.at || body, 'UTF8')), 'base64')),
		convert_to(body, 'UTF8')) AS r
$$;
CREATE FUNCTION clickup(body text, secret text DEFAULT 'dev-secret') RETURNS text LANGUAGE sql AS $$
	SELECT r.status || ' ' || r.message
	FROM zcsync.receive_webhook('dev', jsonb_build_object('X-Signature', encode(mac(convert_to(secret, 'UTF8'), convert_to(body, 'UTF8')), 'hex')),
		convert_to(body, 'UTF8')) AS r
$$;
CREATE FUNCTION halo(body text, headers jsonb DEFAULT '{"Authorization": "Bearer halo-secret"}', address text DEFAULT 'halo') RETURNS text LANGUAGE sql AS $$
	SELECT r.status || ' ' || r.message FROM zcsync.receive_webhook(address, headers, convert_to(body, 'UTF8')) AS r
$$;
CREATE VIEW jobs AS
SELECT a.name AS account, q.operation, q.kind, q.payload - 'lane' AS payload, q.priority, q.joins
FROM zcsync.sync_queue AS q JOIN zcsync.accounts AS a USING (account_id) ORDER BY q.account_id, q.operation, q.kind, q.payload::text;
CREATE VIEW refusals AS
SELECT a.name AS account, r.source, (array_agg(r.reason ORDER BY r.last_at DESC))[1] AS reason, sum(r.count) AS count
FROM zcsync.refused_deliveries AS r LEFT JOIN zcsync.accounts AS a USING (account_id) GROUP BY a.name, r.source ORDER BY a.name, r.source;

-- ---------------------------------------------------------------------
-- Secrets
-- ---------------------------------------------------------------------
SELECT zendesk('{}');
SELECT zcsync.set_webhook('nobody', 'long enough');
SELECT zcsync.set_webhook('leads', 'long enough');
SELECT zcsync.set_webhook('acme', 'short');
SELECT zcsync.set_webhook('acme', NULL);
SELECT zcsync.set_webhook('acme', 'long enough', webhook => 'a/b');
SELECT zcsync.set_webhook('acme', 'long enough', keep => '1 year');
SELECT zcsync.set_webhook('acme', 'long enough', replay_window => '1 year');
SELECT zcsync.set_webhook('acme', E'long\nenough');
SELECT count(*) FROM zcsync.webhooks;

SELECT zcsync.set_webhook('acme', 'acme-secret') ~ '^[0-9a-f]{32}$' AS path;
SELECT zcsync.set_webhook('dev', 'dev-secret') ~ '^[0-9a-f]{32}$' AS path;
SELECT zcsync.set_webhook('halo', 'halo-secret') ~ '^[0-9a-f]{32}$' AS path;
SELECT account, name, form, ok FROM zcsync.check_credentials();
SELECT position('acme-secret'::bytea IN sealed) AS found FROM zcsync.credentials WHERE name LIKE 'webhook/%' LIMIT 1;
-- they are no credentials: those are replaced without them
SELECT zcsync.set_credentials('acme', '{"email": "a@example.com", "api_token": "y"}');
SELECT account, name FROM zcsync.check_credentials() WHERE account = 'acme';

-- ---------------------------------------------------------------------
-- Forged, late, large
-- ---------------------------------------------------------------------
SELECT zendesk('{"ticket_id": "1"}', secret => 'another secret');
SELECT zendesk('{"ticket_id": "1"}', at => now() - interval '20 minutes');
SELECT zendesk('{"ticket_id": "1"}', at => now() + interval '20 minutes');
SELECT zendesk('{"ticket_id": "1"}', address => 'nobody');
SELECT zendesk('{"ticket_id": "1"}', address => 'leads');
SELECT zendesk('{"ticket_id": "1"}', address => NULL);
SELECT * FROM zcsync.receive_webhook('acme', '{}', '{"ticket_id": "1"}');
SELECT * FROM zcsync.receive_webhook('acme', NULL, NULL);
SELECT * FROM zcsync.receive_webhook('acme', '[]', '');
SELECT * FROM zcsync.receive_webhook('acme', '{"x-zendesk-webhook-signature": "x", "x-zendesk-webhook-signature-timestamp": "yesterday", "x-real-ip": "203.0.113.9"}', '');
SELECT * FROM zcsync.receive_webhook('acme', '{"x-real-ip": "<script>"}', '');
SELECT * FROM zcsync.receive_webhook('acme', '{}', convert_to(repeat('x', 262145), 'UTF8'));
SELECT clickup('{"event": "taskUpdated", "task_id": "a1"}', secret => 'acme-secret');
SELECT halo('{}', '{}');
SELECT halo('{}', '{"Authorization": "Bearer wrong"}');
SELECT halo('{}', '{"Authorization": "Basic ****"}');
SELECT halo('{}', '{}', 'halo/wrong');
SELECT * FROM refusals;
SELECT count(*) FROM zcsync.inbox;
SELECT count(*) FROM zcsync.sync_queue;
SELECT account, state, why, to_do FROM zcsync.status WHERE account LIKE '%webhook';
-- at most fifty sources a minute have rows of their own
SELECT count(r.status) FROM generate_series(1, 100) AS n CROSS JOIN LATERAL zcsync.receive_webhook('acme', jsonb_build_object('x-real-ip', '2001:db8::' || n), '') AS r;
SELECT count(*) <= 52 AS bounded, sum(count) >= 100 AS counted FROM zcsync.refused_deliveries WHERE account_id = zcsync.account('acme');

-- ---------------------------------------------------------------------
-- Events
-- ---------------------------------------------------------------------
-- the records whose comments are mirrored, whatever their streams say
UPDATE zcsync.streams SET comments_at = NULL;
INSERT INTO zcsync.conversations (account_id, kind, remote_id, read_at) VALUES
	(zcsync.account('acme'), 'tickets', '35437', now()), (zcsync.account('dev'), 'tasks', 'a1', now()), (zcsync.account('halo'), 'tickets', '18', NULL);
-- Zendesk: the first is fetched at once, those that follow wait for each other
SELECT zendesk('{"type": "zen:event-type:ticket.status_changed", "detail": {"id": "35436"}, "event": {"current": "OPEN"}}');
SELECT zendesk('{"type": "zen:event-type:ticket.status_changed", "detail": {"id": "35436"}, "event": {"current": "OPEN"}}') AS again;
SELECT zendesk('{"type": "zen:event-type:ticket.comment_added", "detail": {"id": "35437"}}', id => 'd2');
SELECT zendesk('{"type": "zen:event-type:ticket.comment_made_private", "detail": {"id": "35437"}}', id => 'd2a');
SELECT zendesk('{"type": "zen:event-type:ticket.comment_added", "detail": {"id": "35438"}}', id => 'd2b') AS not_mirrored;
SELECT zendesk('{"ticket_id": "35438"}', id => 'd3');
SELECT zendesk('{"ticket_id": 35438}', id => 'd4');
SELECT * FROM jobs;
SELECT event, key, kind, remote_id, waits FROM zcsync.inbox WHERE account_id = zcsync.account('acme') ORDER BY key;
SELECT zcsync._next_waiting() IS NULL AS first_is_not_sent_yet;
DELETE FROM zcsync.sync_queue;
SELECT zcsync._next_waiting() < now() + interval '1 second' AS due_soon;
UPDATE zcsync.webhooks SET taken_at = taken_at - interval '1 minute';
SELECT zcsync._enqueue_due() IS NOT NULL AS due;
SELECT * FROM jobs WHERE operation = 'fetch';
SELECT zcsync._next_waiting() IS NULL AS nothing_waits;
DELETE FROM zcsync.sync_queue;
-- a hundred in a call
UPDATE zcsync.webhooks SET taken_at = taken_at - interval '1 minute';
SELECT zendesk(format('{"ticket_id": %s}', n), id => 'm' || n) FROM generate_series(1, 251) AS n GROUP BY 1;
SELECT count(*), sum(jsonb_array_length(payload -> 'ids')) FROM zcsync.sync_queue WHERE operation = 'fetch';
DELETE FROM zcsync.sync_queue;
UPDATE zcsync.webhooks SET taken_at = taken_at - interval '1 minute';
SELECT zcsync._take_all_waiting();
SELECT count(*), max(jsonb_array_length(payload -> 'ids')), sum(jsonb_array_length(payload -> 'ids')) FROM zcsync.sync_queue WHERE operation = 'fetch';
DELETE FROM zcsync.sync_queue;
-- what names no ticket, or one that was deleted, has the stream read
SELECT zendesk('', id => 'd5');
SELECT zendesk('no JSON', id => 'd6');
SELECT zendesk('{"ticket_id": "1 OR 1=1"}', id => 'd7');
SELECT zendesk('["\u0000", 1e400]', id => 'd8');
SELECT zendesk('{"type": "zen:event-type:ticket.soft_deleted", "detail": {"id": "35436"}}', id => 'd9');
SELECT zendesk('{"type": "zen:event-type:user.created", "detail": {"id": "7"}}', id => 'd10');
SELECT zendesk('{"type": "zen:event-type:organization.created", "detail": {"id": "7"}}', id => 'd11');
SELECT * FROM jobs;
DELETE FROM zcsync.sync_queue;

-- ClickUp: a task a job, whatever happened to it and however often
SELECT clickup('{"event": "taskStatusUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h1", "date": "1642734631523"}]}');
SELECT clickup('{"event": "taskUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h1", "date": "1642734631523"}]}') AS twin;
SELECT clickup('{"event": "taskStatusUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h1", "date": "1642734631523"}]}') AS again;
SELECT clickup('{"event": "taskCommentUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h2", "comment": {"text_content": "a"}}]}');
SELECT clickup('{"event": "taskCommentUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h2", "comment": {"text_content": "b"}}]}') AS other_body;
SELECT clickup('{"event": "taskTimeTrackedUpdated", "task_id": "a1", "webhook_id": "w", "history_items": [{"id": "h4"}]}') AS time_spent;
SELECT clickup('{"event": "taskCreated", "task_id": "a2", "webhook_id": "w"}');
SELECT clickup('{"event": "taskDeleted", "task_id": "a3", "webhook_id": "w"}') AS not_here;
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, name, sync_cause, sync_cause_id) VALUES (zcsync.account('dev'), 'a4', '1', 'x', 'pull', -1);
SELECT clickup('{"event": "taskDeleted", "task_id": "a4", "webhook_id": "w"}');
SELECT clickup('{"event": "listUpdated", "list_id": "1", "webhook_id": "w"}');
SELECT clickup('{"event": "goalCreated", "goal_id": "1", "webhook_id": "w"}') AS nothing_to_read;
SELECT clickup('{"event": "taskUpdated", "task_id": "../1", "webhook_id": "w"}') AS odd_id;
-- what a field was before: history, if nobody here has seen it
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, name, status, priority, base, sync_cause, sync_cause_id)
VALUES (zcsync.account('dev'), 'a5', '1', 'Printer', 'to do', 2, '{"status": "open", "priority": 2}', 'pull', -1);
CREATE FUNCTION item(id text, field text, before jsonb, after jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT clickup(jsonb_build_object('event', 'taskUpdated', 'task_id', 'a5', 'webhook_id', 'w', 'history_items',
		jsonb_build_array(jsonb_build_object('id', id, 'field', field, 'before', before, 'after', after)))::text)::text
$$;
SELECT item('p1', 'status', '{"status": "to do"}', '{"status": "in review"}') AS the_row_has_it, item('p2', 'status', '{"status": "open"}', '{"status": "to do"}') AS was_agreed_on,
	item('p3', 'status', '{"status": "in review"}', '{"status": "complete"}') AS nobody_saw_it, item('p4', 'status', '{"status": "in review"}', '{"status": "closed"}') AS once,
	item('p5', 'priority', '{"id": "1", "priority": "urgent"}', NULL) AS priority, item('p6', 'name', '"Fax"', '"Printer"') AS name,
	item('p7', 'priority', NULL, '{"id": "1"}') AS there_was_none, item('p8', 'status', '"odd"', '[]') AS odd, item('p9', 'custom_field', '"x"', '"y"') AS not_known;
SELECT action, old, new, cause FROM zcsync.changes WHERE action = 'lost' ORDER BY created_at, old::text;
DROP FUNCTION item;
SELECT * FROM jobs;
DELETE FROM zcsync.sync_queue;
-- a stream with a scope reads only what belongs to it
SELECT FROM zcsync.alter_stream('dev/tasks', scope => '{"list_ids": ["1"]}');
SELECT clickup('{"event": "taskUpdated", "task_id": "a4", "webhook_id": "w", "history_items": [{"id": "h3"}]}');
SELECT clickup('{"event": "taskCreated", "task_id": "a5", "webhook_id": "w", "history_items": [{"id": "h4"}]}');
SELECT * FROM jobs;
DELETE FROM zcsync.sync_queue;
-- and so it is where one call fetches many: what has a row is fetched, for the rest the stream is read
UPDATE zcsync.streams SET scope = '{"a part": true}' WHERE stream_id = zcsync.stream('acme/tickets');
INSERT INTO zcsync.tickets (account_id, remote_id, subject, sync_cause, sync_cause_id) VALUES (zcsync.account('acme'), '77', 'x', 'pull', -1);
SELECT zcsync._store_events(zcsync.account('acme'), ARRAY[ROW('w1', 'e', 's1', 'tickets', '77', 'fetch', NULL), ROW('w1', 'e', 's2', 'tickets', '78', 'fetch', NULL)]::zcsync.webhook_event[],
	sha256('part'), now());
SELECT remote_id, waits FROM zcsync.inbox WHERE body_hash = sha256('part') ORDER BY remote_id;
SELECT * FROM jobs;
DELETE FROM zcsync.inbox WHERE body_hash = sha256('part');
UPDATE zcsync.streams SET scope = '{}' WHERE stream_id = zcsync.stream('acme/tickets');
DELETE FROM zcsync.sync_queue;
-- one that is paused reads nothing
SELECT zcsync.pause_stream('dev/tasks');
SELECT clickup('{"event": "taskUpdated", "task_id": "a4", "webhook_id": "w", "history_items": [{"id": "h5"}]}');
SELECT count(*) FROM zcsync.sync_queue;

-- HaloPSA: by Basic, Bearer, or the secret in the path; several events at once
SELECT zcsync.set_webhook('halo', 'user:password', webhook => 'basic') = path AS same_path FROM zcsync.webhooks WHERE account_id = zcsync.account('halo');
INSERT INTO zcsync.tickets (account_id, remote_id, subject, sync_cause, sync_cause_id) VALUES (zcsync.account('halo'), '18', 'x', 'pull', -1);
INSERT INTO zcsync.leads (account_id, remote_id, summary, sync_cause, sync_cause_id) VALUES (zcsync.account('halo'), '19', 'x', 'pull', -1);
DELETE FROM zcsync.sync_queue;
SELECT halo('{"id": "e1", "event": "Ticket Updated", "webhook_id": "w", "object_id": 18.0, "timestamp": "2026-11-28T10:00:00Z"}');
SELECT halo('[{"id": "e2", "event": "Ticket Updated", "object_id": "19"}, {"id": "e3", "event": "New Action", "ticket": {"id": 18}, "action": {"id": 4}}]',
	jsonb_build_object('authorization', 'basic ' || encode('user:password', 'base64')));
SELECT halo('{"id": "e4", "event": "New Ticket Logged", "object_id": 20}', '{}', 'halo/halo-secret');
SELECT halo('{"id": "e5", "event": "New Client"}', '{}', path || '/halo-secret') FROM zcsync.webhooks WHERE account_id = zcsync.account('halo');
SELECT halo('"text"');
SELECT halo('[]');
SELECT * FROM jobs;
SELECT event, key, kind, remote_id FROM zcsync.inbox WHERE account_id = zcsync.account('halo') ORDER BY event, key;
DELETE FROM zcsync.sync_queue;

-- ---------------------------------------------------------------------
-- Another secret: both are valid for a while
-- ---------------------------------------------------------------------
SELECT zcsync.set_webhook('acme', 'acme-secret-2', keep => '1 hour') = path AS same_path FROM zcsync.webhooks WHERE account_id = zcsync.account('acme');
SELECT zendesk('{"ticket_id": 1}', id => 'r1'), zendesk('{"ticket_id": 1}', secret => 'acme-secret-2', id => 'r2');
SELECT account, secrets FROM zcsync.stat_webhooks;
UPDATE zcsync.credentials SET expires_at = now() WHERE expires_at IS NOT NULL;
SELECT zendesk('{"ticket_id": 1}', id => 'r3') AS former, zendesk('{"ticket_id": 1}', secret => 'acme-secret-2', id => 'r4') AS present;
SELECT zcsync.set_webhook('acme', 'acme-secret-3', keep => '0') IS NOT NULL AS at_once;
SELECT zendesk('{"ticket_id": 1}', secret => 'acme-secret-2', id => 'r5') AS former, zendesk('{"ticket_id": 1}', secret => 'acme-secret-3', id => 'r6') AS present;
SELECT name FROM zcsync.credentials WHERE account_id = zcsync.account('acme') AND name LIKE 'webhook/%' ORDER BY 1;
-- a secret that cannot be opened: the vendor is asked to send it again
UPDATE zcsync.credentials SET sealed = substr(sealed, 1, 30) WHERE name LIKE 'webhook/%' AND account_id = zcsync.account('dev');
SELECT clickup('{"event": "taskUpdated", "task_id": "a4", "webhook_id": "w", "history_items": [{"id": "h6"}]}');
SELECT state FROM zcsync.accounts WHERE name = 'dev';
SELECT account, state, reason FROM zcsync.stat_webhooks WHERE account = 'dev';
-- a new delivery whose door was closed for an hour
SELECT r.* FROM (SELECT to_char((now() - interval '1 hour') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS t (at)
CROSS JOIN LATERAL zcsync.receive_webhook('acme', jsonb_build_object('X-Zendesk-Webhook-Signature-Timestamp', t.at,
	'X-Zendesk-Webhook-Signature', encode(mac('acme-secret-3', convert_to(t.at || '{}', 'UTF8')), 'base64')), '{}', now() - interval '1 hour') AS r;

-- ---------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------
CREATE ROLE regress_zcsync_door;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO regress_zcsync_door;
SET ROLE regress_zcsync_door;
SELECT * FROM zcsync.receive_webhook('acme', '{}', '');
SELECT zcsync.set_webhook('acme', 'acme-secret-4');
SELECT count(*) FROM zcsync.inbox;
SELECT count(*) FROM zcsync.credentials;
RESET ROLE;
SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'zcsync'::regnamespace AND has_function_privilege('regress_zcsync_door', p.oid, 'EXECUTE');
SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'v', 'p') AND has_table_privilege('regress_zcsync_door', c.oid, 'SELECT, INSERT, UPDATE, DELETE');

-- no text of a delivery is kept
SELECT zendesk('{"ticket_id": 4711, "text": "strictly private"}', secret => 'acme-secret-3', id => 'p1');
SELECT count(*) FROM zcsync.inbox AS i WHERE i::text LIKE '%strictly%';

-- ---------------------------------------------------------------------
-- Upkeep
-- ---------------------------------------------------------------------
UPDATE zcsync.inbox SET received_at = now() - interval '31 days' WHERE account_id = zcsync.account('halo');
UPDATE zcsync.refused_deliveries SET minute = minute - interval '31 days';
SELECT zcsync._trim_inbox(2), zcsync._trim_inbox(1000) > 0 AS others;
SELECT count(*) FROM zcsync.inbox WHERE account_id = zcsync.account('halo');
SELECT count(*) FROM zcsync.refused_deliveries;
-- silent: a stream had changes, and nothing came for a day
UPDATE zcsync.inbox SET received_at = now() - interval '25 hours' WHERE account_id = zcsync.account('acme');
UPDATE zcsync.streams SET last_change_at = now() - interval '1 hour';
SELECT account, state, why, to_do FROM zcsync.status WHERE account LIKE '%webhook';
-- that is told: it is about the account
SELECT clickup('{"webhook_id": "x", "event": "taskUpdated", "task_id": "t9"}', secret => 'wrong');
INSERT INTO zcsync.account_budgets AS b (account_id, class, calls, window_s, tokens, last_call_at)	-- a session works instead of the worker
SELECT account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts WHERE name IN ('acme', 'dev')
ON CONFLICT ON CONSTRAINT account_budgets_pkey DO UPDATE SET last_call_at = excluded.last_call_at;
SELECT x.measure, x.object, x.accounts, x.value, x.says, x.to_do FROM unnest(zcsync._all_alert_readings()) AS x WHERE x.object LIKE '%webhook%' ORDER BY x.object;
SELECT f.rule, f.object, f.accounts, f.severity FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f WHERE f.object LIKE '%webhook%' ORDER BY f.object;
SELECT zcsync.remove_webhook('halo', 'basic'), zcsync.remove_webhook('halo'), zcsync.remove_webhook('halo');
SELECT halo('{}', '{}', 'halo/halo-secret');
SELECT account FROM zcsync.stat_webhooks;
SELECT zcsync.remove_account('acme', force => true);
SELECT account FROM zcsync.stat_webhooks;

DROP VIEW jobs, refusals;
DROP FUNCTION zendesk, clickup, halo, mac;
DROP EXTENSION zcsync CASCADE;
DROP OWNED BY regress_zcsync_door;
DROP ROLE regress_zcsync_door;
