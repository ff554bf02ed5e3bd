-- Messages that a vendor holds back as suspected spam: counted once an hour, for the view
-- status.  The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') AS acme \gset
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') AS dev \gset
UPDATE zcsync.accounts SET state = 'active';
SELECT zcsync.watch_suspended('dev');
SELECT zcsync.watch_suspended('nobody');
SELECT zcsync._enqueue_suspended() AS nobody_asked;
SELECT zcsync.watch_suspended('acme');
SELECT zcsync._next_suspended() <= zcsync._now() AS due, zcsync._enqueue_suspended() AS jobs, zcsync._enqueue_suspended() AS again;
SELECT zcsync._next_suspended() > zcsync._now() + interval '59 minutes' AS in_an_hour;
SELECT job_id AS job, queue, operation, budget_class, dedupe_key FROM zcsync.sync_queue WHERE operation = 'suspended' \gset
SELECT :'queue' AS queue, :'budget_class' AS class, :'dedupe_key' AS key, p.request FROM unnest(zcsync._prepare_suspended(:acme, ARRAY[:job])) AS p;
-- not counted yet, none, some, more than a page; the same again is as old as it was
CREATE FUNCTION counted(reply jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT e.how FROM unnest(zcsync._finish_suspended((SELECT array_agg(r) FROM jsonb_populate_record(NULL::zcsync.outcome,
		jsonb_build_object('job_id', (SELECT job_id FROM zcsync.sync_queue WHERE operation = 'suspended'), 'class', 'done', 'reply', reply)) AS r))) AS e $$;
CREATE VIEW lines AS SELECT account, state, why, to_do, since = (SELECT c.since FROM zcsync.suspended_counts AS c) AS same_time FROM zcsync.status WHERE account LIKE '% suspended';
SELECT * FROM lines;
SELECT counted('{"suspended_tickets": [], "meta": {"has_more": false}}');
SELECT waiting, counted_at IS NOT NULL AS counted, error FROM zcsync.suspended_counts;
SELECT * FROM lines;
SELECT counted('{"suspended_tickets": [{"id": 1}, {"id": 2}], "meta": {"has_more": false}}');
UPDATE zcsync.suspended_counts SET since = '2026-01-01';
SELECT counted(jsonb_build_object('suspended_tickets', jsonb_agg(jsonb_build_object('id', i)), 'meta', '{"has_more": true}'::jsonb)) FROM generate_series(1, 100) AS i;
SELECT * FROM lines;
-- a refusal is shown; while the vendor is down, the last count is
SELECT zcsync._fail_suspended((SELECT array_agg(r) FROM jsonb_populate_record(NULL::zcsync.outcome, jsonb_build_object('job_id', :job, 'class', c, 'message', m)) AS r))
FROM (VALUES ('vendor', 'down'), ('rejected', 'You do not have access')) AS v (c, m);
SELECT account, state, why FROM lines;
SELECT waiting, since > '2026-01-01' AS newer FROM zcsync.suspended_counts;
SELECT counted('{"suspended_tickets": [{"id": 1}]}');
SELECT account, state, why FROM lines;
SELECT counted('{}');
SELECT count(*) FROM lines;
-- no more: no request, nothing is written, nothing is due
SELECT zcsync.watch_suspended('acme', false);
SELECT p.request IS NULL AS no_request FROM unnest(zcsync._prepare_suspended(:acme, ARRAY[:job])) AS p;
SELECT counted('{"suspended_tickets": [{"id": 1}]}');
SELECT count(*), zcsync._next_suspended() IS NULL AS nothing_due FROM zcsync.suspended_counts;

SET client_min_messages = error;
DROP VIEW lines;
DROP FUNCTION counted;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
