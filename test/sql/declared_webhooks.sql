-- Webhooks that zcsync declares: arguments, what is changed at the vendor and in which
-- order, and what status says.  The worker is stopped; test/t/113 has the whole of it.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SET log_statement = none;
SET log_min_duration_statement = -1;
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"email": "a@example.com", "api_token": "x"}') > 0 AS added;
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}', '{"token": "x"}') > 0 AS added;
SELECT zcsync.add_account('halo', 'halopsa', '{"host": "acme.halopsa.com"}', '{"client_id": "x", "client_secret": "y"}') > 0 AS added;
SELECT zcsync.add_account('leads', 'local') > 0 AS added;

-- ---------------------------------------------------------------------
-- Arguments
-- ---------------------------------------------------------------------
SELECT zcsync.ensure_webhooks('nobody', 'https://hooks.example.com');
SELECT zcsync.ensure_webhooks('halo', 'https://hooks.example.com');
SELECT zcsync.ensure_webhooks('leads', 'https://hooks.example.com');
SELECT zcsync.ensure_webhooks('acme');
SELECT zcsync.ensure_webhooks('acme', 'http://hooks.example.com');
SELECT zcsync.ensure_webhooks('acme', 'https://hooks.example.com/?a=b');
SELECT zcsync.ensure_webhooks('acme', 'https://user@hooks.example.com');
SELECT zcsync.ensure_webhooks('acme', 'https://hooks.example.com', events => '{"a b"}');
SELECT zcsync.ensure_webhooks('acme', 'https://hooks.example.com', keep => '1 year');
SELECT count(*) FROM zcsync.webhooks;
SELECT regexp_replace(zcsync.ensure_webhooks('acme', 'https://hooks.example.com/'), '[0-9a-f]{32}', 'PATH') AS address;
SELECT regexp_replace(zcsync.ensure_webhooks('acme', rotate => true), '[0-9a-f]{32}', 'PATH') AS address;
SELECT regexp_replace(zcsync.ensure_webhooks('dev', 'http://127.0.0.1:8471/hooks', '{taskUpdated}'), '[0-9a-f]{32}', 'PATH') AS address;
SELECT a.name, q.queue, q.operation, q.budget_class, q.payload, q.priority FROM zcsync.sync_queue AS q JOIN zcsync.accounts AS a USING (account_id) ORDER BY a.name;
DELETE FROM zcsync.sync_queue;
SELECT account, state, door, health, checked FROM zcsync.stat_webhooks;

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------
CREATE VIEW wanted AS
SELECT a.name, w.* FROM zcsync.accounts AS a CROSS JOIN LATERAL zcsync._wanted_webhook(a.account_id) AS w WHERE w.account_id IS NOT NULL;
UPDATE zcsync.webhooks SET path = CASE WHEN account_id = zcsync.account('acme') THEN 'acmeacmeacmeacmeacme' ELSE 'devdevdevdevdevdevdev' END;
UPDATE zcsync.webhooks SET events = '{zen:event-type:ticket.created}' WHERE account_id = zcsync.account('acme');
SELECT w.name, s.step, zcsync._webhook_request(ROW(w.account_id, w.path, w.round, w.address, w.events, w.keep, w.is_removed, w.ids, w.was_right)::zcsync.wanted_webhook,
	s.step, 'w1', CASE s.step WHEN 'list' THEN 'next' END) AS request
FROM wanted AS w CROSS JOIN unnest('{list,create,update,secret,delete}'::text[]) AS s (step) ORDER BY w.name, s.step;
-- what their replies mean
SELECT * FROM zcsync._zendesk_webhook_reply('list', '{"webhooks": [{"id": "w1", "endpoint": "https://a", "subscriptions": ["x"], "status": "active"}], "meta": {"has_more": true, "after_cursor": "c"}}');
SELECT * FROM zcsync._zendesk_webhook_reply('create', '{"webhook": {"id": "w1"}}');
SELECT * FROM zcsync._zendesk_webhook_reply('secret', '{"signing_secret": {"algorithm": "SHA256", "secret": "s"}}');
SELECT * FROM zcsync._zendesk_webhook_reply('list', '{"webhooks": "none"}');
SELECT * FROM zcsync._zendesk_webhook_reply('delete', NULL);
SELECT * FROM zcsync._clickup_webhook_reply('list', '{"webhooks": [{"id": "w1", "endpoint": "https://a", "events": ["*"], "health": {"status": "suspended", "fail_count": 100}}]}');
SELECT * FROM zcsync._clickup_webhook_reply('create', '{"id": "w1", "webhook": {"id": "w1", "secret": "s"}}');
SELECT * FROM zcsync._clickup_webhook_reply('update', '{}');

-- ---------------------------------------------------------------------
-- What is changed first
-- ---------------------------------------------------------------------
CREATE FUNCTION step(account text, seen jsonb, again boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', s.step, s.id) FROM zcsync._webhook_step(zcsync._wanted_webhook(zcsync.account(account)), seen, again) AS s
$$;
CREATE FUNCTION hook(id text, address text, health text DEFAULT 'active', events text DEFAULT 'taskUpdated') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'url', address, 'health', health, 'events', jsonb_build_array(events))
$$;
SELECT address AS dev FROM wanted WHERE name = 'dev' \gset
SELECT address AS acme FROM wanted WHERE name = 'acme' \gset
SELECT step('dev', '[]'), step('acme', '[]');
-- no secret: Zendesk shows it, ClickUp does not
SELECT step('dev', hook('a', :'dev') || '[]'), step('acme', hook('a', :'acme') || '[]');
SELECT zcsync.set_webhook('dev', 'long enough', webhook => 'a') IS NOT NULL, zcsync.set_webhook('acme', 'long enough', webhook => 'a') IS NOT NULL;
SELECT step('dev', hook('a', :'dev') || '[]') AS "all", step('dev', hook('a', :'dev') || '[]', true) AS again;
SELECT step('dev', hook('a', :'dev', 'failing') || '[]') AS failing, step('dev', hook('a', :'dev', 'suspended') || '[]') AS suspended,
	step('acme', hook('a', :'acme', 'inactive', 'zen:event-type:ticket.created') || '[]') AS inactive;
SELECT step('dev', hook('a', :'dev', events => '*') || '[]') AS more, step('dev', hook('a', :'dev', events => 'taskCreated') || '[]') AS others,
	step('dev', hook('a', replace(:'dev', '8471', '8472')) || '[]') AS door_moved;
-- the one whose secret is known is kept, others go
SELECT step('dev', jsonb_build_array(hook('0', :'dev'), hook('a', :'dev'))) AS second, step('dev', jsonb_build_array(hook('0', regexp_replace(:'dev', '/1$', '/7')), hook('a', :'dev'))) AS of_another_round;
SELECT step('dev', hook('0', regexp_replace(:'dev', '/1$', '/7')) || '[]') AS first_the_new_one;
SET client_min_messages = notice;
SELECT zcsync.remove_webhook('dev');
SET client_min_messages = warning;
SELECT step('dev', hook('a', :'dev') || '[]') AS removing, step('dev', '[]') AS "all";
SELECT account, state FROM zcsync.stat_webhooks;
SELECT zcsync.ensure_webhooks('dev') = :'dev' AS wanted_again;
SELECT step('dev', '[]');
DELETE FROM zcsync.sync_queue;

-- ---------------------------------------------------------------------
-- When it is looked at, and what status says
-- ---------------------------------------------------------------------
SELECT zcsync._enqueue_webhook_checks();
SELECT zcsync._next_webhook_check() > now() + interval '50 minutes' AS in_an_hour;
UPDATE zcsync.webhooks SET next_check_at = now() - interval '1 second';
SELECT zcsync.pause_account('dev');
SELECT zcsync._enqueue_webhook_checks();
SELECT zcsync._next_webhook_check() > now() + interval '50 minutes' AS in_an_hour;
SELECT zcsync.resume_account('dev');
SELECT zcsync._enqueue_webhook_checks();
SELECT zcsync._next_webhook_check() > now() + interval '50 minutes' AS in_an_hour;
SELECT a.name, q.payload, q.priority FROM zcsync.sync_queue AS q JOIN zcsync.accounts AS a USING (account_id) WHERE q.operation = 'webhooks' ORDER BY a.name;
CREATE VIEW said AS SELECT account, state, why, who, to_do FROM zcsync.status WHERE account LIKE '%webhook' ORDER BY account;
SELECT * FROM said;
UPDATE zcsync.webhooks SET checked_at = now(), health = 'active', ids = '{a}';
SELECT zcsync._note_webhook_error(zcsync.account('acme'), 'Forbidden', 'Give the user the right.');
UPDATE zcsync.webhooks SET health = 'failing', failures = 3 WHERE account_id = zcsync.account('dev');
SELECT * FROM said;
UPDATE zcsync.webhooks SET health = 'active', failures = 0, error = NULL, lost_at = now(), lost = 'it was gone at the vendor';
SELECT * FROM said;
UPDATE zcsync.webhooks SET lost_at = now() - interval '2 hours', checked_at = now() - interval '4 hours' WHERE account_id = zcsync.account('dev');
SELECT * FROM said WHERE account LIKE 'dev%';
-- while a webhook is heard, a read comes later and is late later; with a doubt, at once
BEGIN;
UPDATE zcsync.accounts SET state = 'active';
UPDATE zcsync.webhooks SET events = NULL, lost_at = NULL, checked_at = now();
INSERT INTO zcsync.streams (account_id, kind, pull_interval, last_pull_at, history_state)
SELECT account_id, CASE name WHEN 'acme' THEN 'tickets' ELSE 'tasks' END, '1 min', now() - interval '4 min 30 s', 'done' FROM zcsync.accounts WHERE name IN ('acme', 'dev');
INSERT INTO zcsync.heard_streams (stream_id, heard_at) SELECT stream_id, now() FROM zcsync.streams;
CREATE VIEW late AS
SELECT a.account, date_trunc('minute', a.lag) AS lag, p.progress, date_trunc('minute', make_interval(secs => l.seconds::double precision)) AS in_lag
FROM zcsync.stat_accounts AS a JOIN zcsync.progress AS p ON p.object LIKE a.account || '/%' AND p.lane = 'live' JOIN zcsync.lag AS l USING (object) ORDER BY a.account;
SELECT * FROM late;
UPDATE zcsync.webhooks SET health = 'failing' WHERE account_id = zcsync.account('dev');
SELECT * FROM late;
ROLLBACK;
-- nothing of a failed step is believed: the vendor is asked again
UPDATE zcsync.sync_queue SET payload = '{"step": "create", "id": "a", "steps": 1, "again": true}' WHERE operation = 'webhooks';
SELECT zcsync._fail_webhooks(array_agg(ROW(job_id, 1, 'vendor', NULL, 'down', NULL, -1, true, '{}', NULL, 1)::zcsync.outcome)) FROM zcsync.sync_queue WHERE operation = 'webhooks';
SELECT DISTINCT payload FROM zcsync.sync_queue WHERE operation = 'webhooks';
SELECT count(*) FROM zcsync.webhooks WHERE error IS NOT NULL;
-- a secret comes as a number, which nothing but the call of its reply has
SELECT zcsync._seal_shown_secret(zcsync.account('dev'), 'webhook/a/9', '1');
-- an account is not removed while a webhook would stay at the vendor
SELECT zcsync.remove_account('dev');
BEGIN;
SET client_min_messages = notice;
SELECT regexp_replace(zcsync.ensure_webhooks('dev'), '[0-9a-f]{32}', 'PATH') AS address;
SELECT zcsync.remove_account('dev', force => true);
ROLLBACK;
SELECT zcsync.remove_webhook('dev', at_vendor => false), zcsync.remove_webhook('acme', at_vendor => false);
SELECT count(*) FROM zcsync.webhooks;
-- the job of one that is no more sends nothing
SELECT p.request FROM zcsync.sync_queue AS q CROSS JOIN LATERAL unnest(zcsync._prepare_webhooks(q.account_id, ARRAY[q.job_id])) AS p WHERE q.operation = 'webhooks';

DROP VIEW said, wanted;
DROP FUNCTION step, hook;
DROP EXTENSION zcsync CASCADE;
