-- Numbers by hour and by day, goals and outages: taken by maintain() before it
-- trims what they are made of.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"client_id": "c", "client_secret": "s"}') > 0 AS acme;
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}', '{"token": "t"}') > 0 AS dev;
UPDATE zcsync.accounts SET created_at = now() - interval '100 days';

-- ---------------------------------------------------------------------
-- Classes of durations
-- ---------------------------------------------------------------------
SELECT ms, zcsync._wait_class(ms) FROM unnest('{-5,0,10,10.1,60000,60000.1,1e12}'::numeric[]) AS ms;
SELECT zcsync._wait_class(NULL) IS NULL AS unknown, zcsync._percentile('{}', 0.5) IS NULL AS none, zcsync._within('{}', 60000) AS nothing;
-- a thousand durations of all sizes: no percentile is further off than its class is wide
WITH d AS (SELECT exp(n / 70.0) AS ms FROM generate_series(1, 1000) AS n),
	w AS (SELECT jsonb_object_agg(c, n) AS waits FROM (SELECT zcsync._wait_class(ms::numeric) AS c, count(*) AS n FROM d GROUP BY 1) AS x)
SELECT p, zcsync._percentile(w.waits, p::numeric) BETWEEN 0.5 * (percentile_cont(p) WITHIN GROUP (ORDER BY d.ms)) AND 2 * (percentile_cont(p) WITHIN GROUP (ORDER BY d.ms)) + 10 AS near
FROM d, w, unnest('{0.01,0.1,0.5,0.9,0.95,0.99,1}'::float8[]) AS p GROUP BY w.waits, p ORDER BY p;
WITH d AS (SELECT exp(n / 70.0) AS ms FROM generate_series(1, 1000) AS n),
	w AS (SELECT jsonb_object_agg(c, n) AS waits FROM (SELECT zcsync._wait_class(ms::numeric) AS c, count(*) AS n FROM d GROUP BY 1) AS x)
SELECT zcsync._within(w.waits, 60000) = (SELECT count(*) FROM d WHERE ms <= 60000) AS exact FROM w;
SELECT zcsync._add_waits('{"{\"1\": 2, \"3\": 1}", "{\"3\": 4}", "{}"}');

-- ---------------------------------------------------------------------
-- What was sent and read
-- ---------------------------------------------------------------------
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, status, attempts, queued_at, duration_us, created_at)
SELECT n, zcsync.account('acme'), 'ticket-sync', 'push', 'tickets', CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'cancelled' ELSE 'updated' END, 1,
	t.at - CASE WHEN n % 10 = 0 THEN interval '90 seconds' ELSE interval '2 seconds' END, 150000, t.at
FROM generate_series(1, 200) AS n
CROSS JOIN LATERAL (SELECT date_trunc('hour', now()) - interval '3 hours' + n * interval '30 seconds' AS at) AS t;
INSERT INTO zcsync.streams (account_id, kind, created_at) VALUES (zcsync.account('dev'), 'tasks', now() - interval '50 days');
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO zcsync.tasks (account_id, local_id, remote_id, name, created_at, updated_at, sync_state)
SELECT zcsync.account('dev'), n, n, 'task', CASE WHEN n = 3 THEN now() - interval '60 days' ELSE now() - interval '2 hours' END,
	CASE WHEN n = 2 THEN now() ELSE date_trunc('hour', now()) - interval '2 hours' END, 'synced'
FROM generate_series(1, 5) AS n;
COMMIT;
-- 1: read 4 s after; 2: changed again since, at a time that is not read yet; 3: deleted; 4: by a person; 5: read twice
INSERT INTO zcsync.changes (account_id, kind, local_id, action, new, cause, role, created_at)
SELECT zcsync.account('dev'), 'tasks', x.id, x.action, '{"name": "x"}', x.cause, 'x', date_trunc('hour', now()) - interval '2 hours' + x.after
FROM (VALUES (1, 'update', 'pull', interval '4 seconds'), (2, 'update', 'pull', '5 seconds'), (3, 'delete', 'pull', '5 seconds'),
	(4, 'update', 'local', '5 seconds'), (5, 'update', 'pull', '1 second'), (5, 'update', 'pull', '2 minutes')) AS x (id, action, cause, after);
UPDATE zcsync.account_budgets SET calls_total = 70, throttled_total = 2 WHERE account_id = zcsync.account('acme') AND class = 'api';
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, calls_total, throttled_total)
VALUES (zcsync.account('acme'), 'api', 700, 60, 1, 70, 2) ON CONFLICT DO NOTHING;

CALL zcsync.maintain();
SELECT a.name, measure, kind, sum(done) AS done, sum(failed) AS failed, zcsync._add_waits(array_agg(waits)) AS waits
FROM zcsync.hourly_numbers JOIN zcsync.accounts a USING (account_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT a.name, measure, kind, sum(done) AS done, sum(failed) AS failed, zcsync._add_waits(array_agg(waits)) AS waits
FROM zcsync.daily_numbers JOIN zcsync.accounts a USING (account_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- taken again, nothing is counted twice
CALL zcsync.maintain();
SELECT a.name, measure, sum(done) AS done, sum(failed) AS failed FROM zcsync.daily_numbers JOIN zcsync.accounts a USING (account_id) GROUP BY 1, 2 ORDER BY 1, 2;
-- calls since
UPDATE zcsync.account_budgets SET calls_total = 75 WHERE account_id = zcsync.account('acme') AND class = 'api';
SELECT zcsync._take_numbers();
SELECT done, failed FROM zcsync.daily_numbers WHERE measure = 'calls' AND kind = 'api';

SELECT account, days, goal, value, target, unit, met, counted FROM zcsync.slo WHERE account = 'acme' AND days = 7 ORDER BY goal;
SELECT account, days, goal, value, met FROM zcsync.slo WHERE goal IN ('read p95', 'within 60 s') AND days = 30 ORDER BY 1, 3;
-- whoever runs it may set other goals
UPDATE zcsync.slo_targets SET at_least = 80 WHERE goal = 'within 60 s';
SELECT met FROM zcsync.slo WHERE account = 'acme' AND days = 7 AND goal = 'within 60 s';
INSERT INTO zcsync.slo_targets (goal, measure, figure, meaning) VALUES ('x', 'sent', 'p50_ms', 'x');

-- an hour in which everything failed
BEGIN;
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, status, attempts, queued_at, duration_us, created_at)
VALUES (1000, zcsync.account('dev'), 'ticket-sync', 'push', 'tasks', 'failed', 1, now() - interval '2 hours', 150000, now() - interval '2 hours');
UPDATE zcsync.installation SET numbers_at = now() - interval '3 hours';
SELECT zcsync._take_numbers();
SELECT a.name, measure, kind, done, failed, waits FROM zcsync.hourly_numbers JOIN zcsync.accounts a USING (account_id) WHERE a.name = 'dev' AND done = 0 ORDER BY 1, 2, 3;
ROLLBACK;

-- New records are no row of changes when they come; they count nevertheless, unless they were there before the stream.
BEGIN;
SELECT count(*) > 0 AS added FROM zcsync.add_stream('acme', 'tickets');
UPDATE zcsync.streams SET created_at = now() - interval '1 day' WHERE stream_id = zcsync.stream('acme/tickets');
SELECT to_char((now() - interval '8 seconds') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS just_now, to_char((now() - interval '40 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS before,
	to_char((now() - interval '6 seconds') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS then \gset
CREATE FUNCTION page(job bigint, tickets jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT (zcsync._apply_reply(zcsync.stream('acme/tickets'), zcsync._origin_of('pull', job), '{"op": "incremental"}', jsonb_build_object('tickets', tickets))).changed
$$;
CREATE VIEW read AS SELECT kind, sum(done) AS done, zcsync._add_waits(array_agg(waits)) AS waits FROM zcsync.hourly_numbers WHERE account_id = zcsync.account('acme') AND measure = 'read' GROUP BY 1;
SELECT page(1, jsonb_agg(jsonb_build_object('id', n, 'subject', 'new', 'generated_timestamp', 100, 'updated_at', CASE WHEN n = 4 THEN :'before' ELSE :'just_now' END,
	'created_at', CASE WHEN n <= 3 THEN :'just_now' WHEN n <= 5 THEN :'before' ELSE '2026-01-01T00:00:00Z' END))) FROM generate_series(1, 8) AS n;
SELECT zcsync._take_numbers();
SELECT * FROM read;
-- one of them changes, and comes again: a change more, and no arrival
SELECT page(2, jsonb_build_array(jsonb_build_object('id', 1, 'subject', 'changed', 'generated_timestamp', 101, 'created_at', :'just_now', 'updated_at', :'then')));
SELECT zcsync._take_numbers();
SELECT * FROM read;
SELECT count(*) AS pages FROM zcsync.arrivals;
SELECT measure, done FROM zcsync.service_levels WHERE account_id = zcsync.account('acme') AND measure = 'read' AND days = 1;
-- kept until they are counted for good
SET LOCAL zcsync.clock_offset = 7200;
UPDATE zcsync.installation SET numbers_at = zcsync._now();
SELECT zcsync._take_numbers();
SELECT * FROM read;
SELECT count(*) AS pages FROM zcsync.arrivals;
ROLLBACK;

-- maintain() did not run for long: what was counted before stays
BEGIN;
DELETE FROM zcsync.hourly_numbers;
DELETE FROM zcsync.daily_numbers;
UPDATE zcsync.installation SET numbers_at = date_trunc('day', now()) - interval '36 days' + interval '12 hours 30 minutes';
INSERT INTO zcsync.hourly_numbers (account_id, hour, measure, kind, done, failed, waits)
SELECT zcsync.account('acme'), date_trunc('day', now()) - interval '36 days' + h * interval '1 hour', 'read', 'tickets', 10, 0, '{"5": 10}' FROM generate_series(0, 11) AS h;
SELECT zcsync._take_numbers();
SELECT (now() AT TIME ZONE 'UTC')::date - day AS days_ago, sum(done) AS done FROM zcsync.daily_numbers WHERE measure = 'read' GROUP BY 1 ORDER BY 1 DESC LIMIT 1;
SELECT min(hour) >= now() - interval '35 days' AS trimmed FROM zcsync.hourly_numbers;
ROLLBACK;

-- one operation fails more often than jobs do on the whole
BEGIN;
DELETE FROM zcsync.daily_numbers;
INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits) VALUES
	(zcsync.account('dev'), (now() AT TIME ZONE 'UTC')::date, 'job', 'pull', 99999, 1, '{}'), (zcsync.account('dev'), (now() AT TIME ZONE 'UTC')::date, 'job', 'push', 97, 3, '{}'),
	(zcsync.account('dev'), (now() AT TIME ZONE 'UTC')::date, 'job', 'route', 200, 4, '{}');
SELECT zcsync._take_service_levels();
SELECT goal, value, target, met, counted FROM zcsync.slo WHERE account = 'dev' AND days = 7 AND goal LIKE 'error rate%' ORDER BY goal;
ROLLBACK;

-- what is not counted yet is not trimmed
UPDATE zcsync.queues SET keep_completed = 0, keep_failed = 0;
UPDATE zcsync.sync_records SET created_at = created_at - interval '3 days';
UPDATE zcsync.installation SET numbers_at = now() - interval '4 days';
SELECT zcsync._trim_records(zcsync._record_limits(), 1000);
UPDATE zcsync.installation SET numbers_at = now();
SELECT zcsync._trim_records(zcsync._record_limits(), 1000) > 100 AS trimmed;

-- ---------------------------------------------------------------------
-- Outages
-- ---------------------------------------------------------------------
SELECT account, available, downtime, outages FROM zcsync.availability;
UPDATE zcsync.accounts SET breaker_failures = 2, last_error = 'no answer' WHERE name = 'acme';
SELECT count(*) FROM zcsync.outages;
UPDATE zcsync.accounts SET breaker_failures = 3 WHERE name = 'acme';
UPDATE zcsync.accounts SET breaker_failures = 4 WHERE name = 'acme';
SELECT a.name, cause, message, ended_at IS NULL AS goes_on FROM zcsync.outages JOIN zcsync.accounts a USING (account_id);
-- blocked meanwhile, paused, and well again
UPDATE zcsync.accounts SET state = 'blocked', state_reason = 'refused' WHERE name = 'acme';
UPDATE zcsync.accounts SET state = 'paused' WHERE name = 'acme';
UPDATE zcsync.accounts SET state = 'active', breaker_failures = 0 WHERE name = 'acme';
SELECT cause, message, ended_at IS NULL AS goes_on FROM zcsync.outages ORDER BY outage_id;
-- three hours, two of them twice, and one before the period; a pause does not count
UPDATE zcsync.outages SET began_at = now() - interval '10 hours', ended_at = now() - interval '8 hours' WHERE cause = 'vendor';
UPDATE zcsync.outages SET began_at = now() - interval '9 hours', ended_at = now() - interval '7 hours' WHERE cause = 'blocked';
UPDATE zcsync.outages SET began_at = now() - interval '6 hours', ended_at = now() - interval '1 hour' WHERE cause = 'paused';
INSERT INTO zcsync.outages (account_id, cause, began_at, ended_at) VALUES (NULL, 'worker', now() - interval '31 days', now() - interval '30 days' + interval '72 minutes');
SELECT account, available, round(extract(epoch FROM downtime) / 60) AS minutes, outages, longest FROM zcsync.availability;
SELECT account, goal, value, met FROM zcsync.slo WHERE goal = 'availability';
-- nobody worked for a while
UPDATE zcsync.installation SET clock_at = now() - interval '20 minutes';
UPDATE zcsync.installation SET clock_at = now() - interval '16 minutes';
SELECT count(*) FROM zcsync.outages WHERE cause = 'worker';
UPDATE zcsync.installation SET clock_at = now();
SELECT message, ended_at - began_at >= interval '15 minutes' AS lasted FROM zcsync.outages WHERE cause = 'worker' ORDER BY outage_id DESC LIMIT 1;

-- and no worker runs now: it counts as soon as it is longer than five minutes, and once only
BEGIN;
DELETE FROM zcsync.outages;
UPDATE zcsync.installation SET clock_at = now();
UPDATE zcsync.installation SET clock_at = now() - interval '4 minutes', stopped = false;
SELECT account, available, outages, longest FROM zcsync.availability;
UPDATE zcsync.installation SET clock_at = now() - interval '72 minutes' - interval '1 minute';
SELECT account, available, downtime, outages, longest FROM zcsync.availability;
UPDATE zcsync.installation SET stopped = true;
SELECT account, longest FROM zcsync.availability;
SELECT account, value, met FROM zcsync.slo WHERE goal = 'availability';
SELECT zcsync.report_html('acme') ~ '<td>\(all\)</td><td>worker</td><td>[-0-9: ]*</td><td>72 min, goes on</td>' AS reported;
UPDATE zcsync.installation SET clock_at = now();
SELECT account, available, downtime, outages, longest FROM zcsync.availability;
ROLLBACK;

-- all of it costs nothing to read: no view looks at records of jobs or changes
SELECT viewname FROM pg_views WHERE schemaname = 'zcsync' AND viewname IN ('slo', 'availability') AND definition ~ 'sync_records|changes(?! )'
UNION ALL SELECT proname FROM pg_proc WHERE oid = 'zcsync._levels'::regproc AND prosrc ~ 'sync_records|changes(?! )';
-- and none seems to be so much work that a reader's settings have it compiled (jit), which takes far longer
CREATE FUNCTION plan_cost(p_query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	v_plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || p_query INTO v_plan;
	RETURN (v_plan #>> '{0,Plan,Total Cost}')::numeric;
END
$$;
WITH own AS MATERIALIZED (SELECT viewname FROM pg_views WHERE schemaname = 'zcsync')
SELECT viewname FROM own WHERE plan_cost(format('SELECT * FROM zcsync.%I', viewname)) > 100000;
DROP FUNCTION plan_cost;

DROP EXTENSION zcsync CASCADE;
