-- Alerts: which accounts an incident is about, each measure at its thresholds, and one
-- message for one cause.  The clock is moved.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
-- whether there is a worker is said here
CREATE OR REPLACE FUNCTION zcsync._failed_conditions() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.* FROM jsonb_populate_record(NULL::zcsync.trouble,
		'{"severity": 0, "object": "(all)", "state": "no worker", "to_do": "SELECT * FROM zcsync.selfcheck();"}') AS t
	WHERE current_setting('regress.no_worker', true) = 'on'
$$;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup'), ('psa', 'halopsa');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at, next_pull_at)
SELECT zcsync.account(a), k, true, zcsync._now(), zcsync._now() FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks'), ('psa', 'tickets')) AS v (a, k);

-- ------------------------------------------------------------ the accounts of an incident
INSERT INTO zcsync.webhooks (account_id, path, created_at)
SELECT zcsync.account(a), repeat(a, 8), zcsync._now() - interval '3 days' FROM unnest('{acme,psa}'::text[]) AS a;
UPDATE zcsync.streams SET last_change_at = zcsync._now() - interval '1 hour';
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, defined_by)
SELECT 'bugs', s.stream_id, t.stream_id, current_user FROM zcsync.streams AS s, zcsync.streams AS t
WHERE s.account_id = zcsync.account('psa') AND t.account_id = zcsync.account('dev');
SELECT zcsync._alert('route_fault', 'bugs', 'critical', 'route "bugs" was paused', NULL);
SELECT zcsync._alert('comment_not_stored', 'acme/tickets/7', 'warning', 'a comment cannot be stored', NULL);
SELECT zcsync._alert('partitions', 'changes', 'warning', 'a month could not be made', NULL);
SELECT zcsync.pause_queue('task-sync');
SELECT zcsync.pause_stream('dev/tasks');
SELECT to_jsonb(x) - '{says,to_do}'::text[] AS reading FROM unnest(zcsync._all_alert_readings()) AS x
WHERE x.measure IN ('installation', 'paused', 'alert') ORDER BY x.measure, x.object;
-- rules for some accounts: of a route, both are its accounts
SELECT zcsync.add_alert_rule('of acme', 'installation', 1, accounts => '{acme}');
SELECT zcsync.add_alert_rule('of dev', 'paused', 1, accounts => '{dev}');
SELECT zcsync.add_alert_rule('of dev too', 'alert', 1, accounts => '{dev}');
SELECT f.rule, f.object, f.severity FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f WHERE f.rule LIKE 'of %' ORDER BY 1, 2;
-- no ticket in psa about its own webhook, or about a route that reads it
SELECT zcsync.add_alert_target('desk', 'ticket', '{"account": "psa"}') > 0 AS added;
SELECT zcsync.add_alert_target('ops', 'notify', '{"channel": "ops"}') > 0 AS added;
UPDATE zcsync.alert_rules SET lasts = '0';
CALL zcsync.evaluate_alerts();
SELECT i.object, string_agg(t.name, ' ' ORDER BY t.name) AS told
FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id) JOIN zcsync.alert_targets AS t USING (target_id)
WHERE i.rule IN ('installation', 'alert') GROUP BY 1 ORDER BY 1;
-- messages name them
SELECT i.object, zcsync._alert_facts(to_jsonb(i), 'alert') ->> 'account' AS account FROM zcsync.alert_incidents AS i
WHERE i.rule IN ('installation', 'alert') ORDER BY 1;
SELECT zcsync.remove_alert_target('desk');
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.webhooks, zcsync.alerts;
-- A route whose target is read-only stands still, and what waits in a local account is late.
SELECT zcsync.add_account('crm', 'local') > 0 AS added;
UPDATE zcsync.routes SET state = 'active', source_stream_id = (SELECT s.stream_id FROM zcsync.streams AS s WHERE s.account_id = zcsync.account('crm') AND s.kind = 'leads');
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, record_key, dedupe_key, route_id, created_at)
SELECT zcsync.account('crm'), 'route', 'route', '', 'l', 'l', route_id, zcsync._now() - interval '11 minutes' FROM zcsync.routes;
SELECT measure, object, accounts, value, says, to_do FROM unnest(zcsync._all_alert_readings()) AS x
WHERE (measure = 'lag' AND object = 'crm') OR object LIKE 'route bugs %' ORDER BY 1;
UPDATE zcsync.streams SET writes = false WHERE account_id = zcsync.account('dev');
SELECT measure, object, accounts, value, says, to_do FROM unnest(zcsync._all_alert_readings()) AS x
WHERE (measure = 'lag' AND object = 'crm') OR object LIKE 'route bugs %' ORDER BY 1;
UPDATE zcsync.streams SET writes = true WHERE account_id = zcsync.account('dev');
DELETE FROM zcsync.sync_queue WHERE record_key = 'l';
DELETE FROM zcsync.routes;
SELECT FROM zcsync.remove_account('crm', force => true);
SELECT zcsync.resume_stream('dev/tasks'), zcsync.resume_queue('task-sync');

-- ------------------------------------------------------------ each measure just below its thresholds and at them
DELETE FROM zcsync.alert_rules;
SELECT zcsync._default_alert_rules();
SELECT zcsync.remove_alert_rule(r) FROM unnest('{cpu,memory,disk,io}'::text[]) AS r;
CREATE FUNCTION make_account(p_name text, OUT account bigint, OUT stream bigint) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO zcsync.accounts AS a (name, vendor) VALUES (p_name, 'clickup') RETURNING a.account_id INTO account;
	INSERT INTO zcsync.streams AS s (account_id, kind, last_pull_at, next_pull_at) VALUES (account, 'tasks', zcsync._now(), zcsync._now()) RETURNING s.stream_id INTO stream;
	INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, last_call_at) VALUES (account, 'api', 100, 60, 45, zcsync._now());
END
$$;
CREATE FUNCTION end_jobs(p_account bigint, p_count integer, p_status text, p_seconds numeric DEFAULT 0.1) RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, duration_us, created_at)
	SELECT -1, p_account, 'task-sync', 'push', p_status, 1, zcsync._now(), p_seconds * 1000000, zcsync._now() FROM generate_series(1, p_count)
$$;
CREATE FUNCTION let_wait(p_account bigint, p_count integer, p_stream bigint DEFAULT NULL, p_span interval DEFAULT '0', p_state text DEFAULT 'ready') RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, kind, stream_id, state, run_at, created_at, waits_since)
	SELECT p_account, 'task-sync', 'push', format('%s %s', p_state, n), format('%s %s', p_state, n), 'tasks', p_stream, p_state, zcsync._now() - p_span, zcsync._now() - p_span,
		CASE WHEN p_stream IS NOT NULL THEN zcsync._now() - p_span END
	FROM generate_series(1, p_count) AS n
$$;
CREATE FUNCTION fail(p_account bigint, p_count integer, p_ago interval DEFAULT '0') RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at, died_at)
	SELECT nextval('zcsync.job_id_seq'), p_account, 'task-sync', 'push', 'api', 'r' || n, 'd' || n, '{}', 50, 3, 'rejected', 'x', zcsync._now(), zcsync._now() - p_ago
	FROM generate_series(1, p_count) AS n
$$;
SELECT end_jobs((make_account('response-' || v.name)).account, 10, 'done', v.seconds) FROM (VALUES ('below', 0.99), ('at-1', 1), ('at-5', 5)) AS v (name, seconds);
SELECT end_jobs(m.account, v.ended - v.failed, 'done'), end_jobs(m.account, v.failed, 'failed')
FROM (VALUES ('below', 1000, 9), ('at-1', 1000, 10), ('at-5', 1000, 50), ('few', 19, 19)) AS v (name, ended, failed) CROSS JOIN LATERAL make_account('rate-' || v.name) AS m;
SELECT end_jobs(m.account, v.ended, 'done'), let_wait(m.account, v.waiting)
FROM (VALUES ('below', 9, 107), ('at-60', 9, 108), ('below-360', 2, 143), ('at-360', 2, 144), ('few', 0, 100), ('still', 0, 101)) AS v (name, ended, waiting) CROSS JOIN LATERAL make_account('backlog-' || v.name) AS m;
SELECT fail(m.account, v.lately), fail(m.account, v.before, '61 minutes')
FROM (VALUES ('below', 0, 0), ('at-1', 0, 1), ('below-100', 19, 80), ('at-100', 20, 80), ('below-200', 199, 0), ('at-200', 200, 0)) AS v (name, lately, before) CROSS JOIN LATERAL make_account('errors-' || v.name) AS m;
SELECT let_wait((make_account('lag-' || v.name)).account, 1, p_span => v.lag) FROM (VALUES ('below', interval '4.5 min'), ('at-5', '5.5 min'), ('below-30', '29.5 min'), ('at-30', '30.5 min')) AS v (name, lag);
-- a stream is read each minute, or each two hours; "nothing new" is an answer, too;
-- a read may fail while other calls succeed; where no stream is read, nothing is silent
SELECT count(make_account('silence-' || v)) AS made FROM unnest('{below,at-15,below-60,at-60,quiet,seldom,seldom-15,failing-below,failing-15,paused}'::text[]) AS v;
UPDATE zcsync.account_budgets AS b SET last_call_at = zcsync._now() - v.silent
FROM (VALUES ('below', interval '15.5 min'), ('at-15', '16.5 min'), ('below-60', '60.5 min'), ('at-60', '61.5 min'), ('seldom', '134.5 min'), ('seldom-15', '135.5 min'),
	('paused', '1 day')) AS v (name, silent) WHERE b.account_id = zcsync.account('silence-' || v.name);
UPDATE zcsync.streams SET last_change_at = zcsync._now() - interval '10 days' WHERE account_id = zcsync.account('silence-quiet');
UPDATE zcsync.streams SET pull_interval = '2 hours' WHERE account_id IN (zcsync.account('silence-seldom'), zcsync.account('silence-seldom-15'));
UPDATE zcsync.streams AS s SET last_error = 'HTTP 503', last_error_at = zcsync._now(), last_error_class = 'vendor', last_error_lane = 'live', failing_since = zcsync._now() - v.fails
FROM (VALUES ('below', interval '15.5 min'), ('15', '16.5 min')) AS v (name, fails) WHERE s.account_id = zcsync.account('silence-failing-' || v.name);
UPDATE zcsync.streams SET state = 'paused' WHERE account_id = zcsync.account('silence-paused');
SELECT let_wait((make_account('held-' || v.jobs)).account, v.jobs, p_state => 'held') FROM (VALUES (0), (1)) AS v (jobs);
SELECT make_account(v) IS NOT NULL AS made FROM unnest('{blocked-yes,blocked-by-key,down-below,down-at-5,ends-below,ends-at-14,ends-at-3}'::text[]) AS v;
UPDATE zcsync.accounts AS a SET state = 'blocked', blocked_by = v.code
FROM (VALUES ('yes', 'credentials_refused'), ('by-key', 'key_missing')) AS v (name, code) WHERE a.name = 'blocked-' || v.name;
UPDATE zcsync.accounts AS a SET breaker_failures = 3, breaker_opened_at = zcsync._now() - v.down
FROM (VALUES ('below', interval '4.5 min'), ('at-5', '5.5 min')) AS v (name, down) WHERE a.name = 'down-' || v.name;
SELECT let_wait(m.account, 1, m.stream, v.waits)
FROM (VALUES ('below', interval '14.5 min'), ('at-15', '15.5 min'), ('at-60', '60.5 min')) AS v (name, waits) CROSS JOIN LATERAL make_account('unread-' || v.name) AS m;
UPDATE zcsync.accounts AS a SET credentials_end_at = zcsync._now() + v.rest
FROM (VALUES ('below', interval '15 days 1 hour'), ('at-14', '14 days 1 hour'), ('at-3', '3 days 1 hour')) AS v (name, rest) WHERE a.name = 'ends-' || v.name;
-- a warning, or critical, or nothing; less than the first threshold in the first lines of each rule
SELECT f.rule, f.object, f.severity, f.value FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f
WHERE f.object ~ ('^(' || CASE f.rule WHEN 'response time' THEN 'response' WHEN 'error rate' THEN 'rate' WHEN 'growing errors' THEN 'errors' WHEN 'credentials end' THEN 'ends' ELSE f.rule END || ')-')
	AND NOT (f.rule = 'errors' AND f.object LIKE '%-200')	-- where there are so many accounts, so many errors are not counted
ORDER BY f.rule, f.value, f.object;
-- and of no other account, but that edits which wait for a read are late, too
SELECT f.rule, f.object, f.severity FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f
WHERE f.severity IS NOT NULL AND f.object !~ ('^(' || CASE f.rule WHEN 'response time' THEN 'response' WHEN 'error rate' THEN 'rate' WHEN 'growing errors' THEN 'errors' WHEN 'credentials end' THEN 'ends' ELSE f.rule END || ')-')
ORDER BY f.rule, f.object;
TRUNCATE zcsync.sync_records, zcsync.dead_letters;
DELETE FROM zcsync.sync_queue;
DELETE FROM zcsync.streams AS s USING zcsync.accounts AS a WHERE a.account_id = s.account_id AND a.name LIKE '%-%';
DELETE FROM zcsync.accounts WHERE name LIKE '%-%';

-- ------------------------------------------------------------ one cause, one message
DELETE FROM zcsync.alert_rules;
SELECT zcsync._default_alert_rules();
SELECT zcsync.remove_alert_rule(r) FROM unnest('{cpu,memory,disk,io}'::text[]) AS r;
CREATE VIEW told AS
SELECT d.event, i.rule, i.object, i.severity FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id) ORDER BY d.delivery_id;
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, last_call_at)
SELECT a.account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts AS a;
-- Look at it so many minutes later.  Streams of accounts that are not down are read, and
-- the worker calls, unless it is missing, or does not hear of an account.
CREATE FUNCTION look(VARIADIC p_minutes integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. cardinality(p_minutes) LOOP
		PERFORM set_config('zcsync.clock_offset', (60 * p_minutes[i])::text, false);
		IF current_setting('regress.no_worker', true) IS DISTINCT FROM 'on' THEN
			UPDATE zcsync.streams AS s SET last_pull_at = zcsync._now() FROM zcsync.accounts AS a
			WHERE a.account_id = s.account_id AND a.breaker_failures = 0 AND a.name IS DISTINCT FROM current_setting('regress.silent', true);
			UPDATE zcsync.account_budgets AS b SET last_call_at = zcsync._now() FROM zcsync.accounts AS a
			WHERE a.account_id = b.account_id AND a.breaker_failures = 0 AND a.name IS DISTINCT FROM current_setting('regress.silent', true);
		END IF;
		PERFORM zcsync._decide_alerts('0');
	END LOOP;
END
$$;
SELECT look(0);
SELECT count(*) FROM told;
-- an outage of six hours, with many edits, some of which wait for a read; and a webhook
-- that cannot be asked about
INSERT INTO zcsync.webhooks (account_id, path, url, next_check_at, checked_at) VALUES (zcsync.account('acme'), repeat('acme', 8), 'https://hooks.example.com', zcsync._now(), zcsync._now());
SELECT let_wait(zcsync.account('acme'), 150, (SELECT stream_id FROM zcsync.streams WHERE account_id = zcsync.account('acme')));
UPDATE zcsync.sync_queue SET waits_since = NULL WHERE job_id % 2 = 0;
SELECT look(1, 2);
UPDATE zcsync.accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), last_error = 'HTTP 503' WHERE name = 'acme';
SELECT look(VARIADIC ARRAY(SELECT generate_series(3, 40))), look(60, 120, 181, 240, 300, 360);
SELECT * FROM told;
-- it is over: the edits are sent, the last of them after minutes
UPDATE zcsync.accounts SET breaker_failures = 0, breaker_opened_at = NULL WHERE name = 'acme';
UPDATE zcsync.webhooks SET checked_at = zcsync._now();
UPDATE zcsync.sync_queue SET waits_since = NULL;
DELETE FROM zcsync.sync_queue WHERE job_id % 3 > 0;
SELECT end_jobs(zcsync.account('acme'), 100, 'updated');
SELECT look(361, 362, 363);
DELETE FROM zcsync.sync_queue;
SELECT look(364, 365, 370, 380);
SELECT * FROM told;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.sync_records;

-- no worker for six hours
SELECT let_wait(zcsync.account('acme'), 150, (SELECT stream_id FROM zcsync.streams WHERE account_id = zcsync.account('acme')));
UPDATE zcsync.sync_queue SET waits_since = NULL WHERE job_id % 2 = 0;
SET regress.no_worker = on;
SELECT look(VARIADIC ARRAY(SELECT generate_series(381, 420))), look(440, 500, 561, 620, 680, 740);
SELECT * FROM told;
SET regress.no_worker = off;
UPDATE zcsync.webhooks SET checked_at = zcsync._now();
UPDATE zcsync.sync_queue SET waits_since = NULL;
DELETE FROM zcsync.sync_queue WHERE job_id % 3 > 0;
SELECT end_jobs(zcsync.account('acme'), 100, 'updated');
SELECT look(741, 742, 743);
DELETE FROM zcsync.sync_queue;
SELECT look(744, 745, 750, 760);
SELECT * FROM told;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.sync_records, zcsync.webhooks;

-- twenty jobs of which each fails: errors tells of it until somebody has settled them
SELECT fail(zcsync.account('dev'), 20), end_jobs(zcsync.account('dev'), 20, 'failed');
SELECT look(VARIADIC ARRAY(SELECT generate_series(761, 790))), look(840, 900);
SELECT * FROM told;
DELETE FROM zcsync.dead_letters;
SELECT look(901, 902, 920);
SELECT * FROM told;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.sync_records;
-- that it becomes worse is told: here most jobs fail for longer than five minutes
SELECT fail(zcsync.account('dev'), 20), end_jobs(zcsync.account('dev'), 20, 'failed');
SELECT look(921, 922, 923);
SELECT end_jobs(zcsync.account('dev'), 20, 'failed');
SELECT look(924, 925, 926, 927);
SELECT * FROM told;
-- where no rule about errors tells it, another one does
DELETE FROM zcsync.dead_letters;
SELECT look(VARIADIC ARRAY(SELECT generate_series(930, 940)));
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.sync_records;
SELECT zcsync.pause_alert_rule('errors');
SELECT fail(zcsync.account('dev'), 20);
SELECT look(941, 942, 943, 944, 945, 946, 947);
SELECT * FROM told;

DELETE FROM zcsync.dead_letters;
SELECT zcsync.resume_alert_rule('errors');
SELECT look(VARIADIC ARRAY(SELECT generate_series(950, 960)));
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;

-- a vendor that answers no read for two hours, without being out of order: it is late, and
-- that is told
SET regress.silent = 'dev';
SELECT look(VARIADIC ARRAY(SELECT generate_series(961, 1080)));
SELECT * FROM told;
SET regress.silent = '';
SELECT look(1081, 1082, 1083);
SELECT * FROM told;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;
-- one whose first answer never came is not late, so that it is silent is told; it becomes
-- worse
UPDATE zcsync.streams SET last_pull_at = NULL WHERE account_id = zcsync.account('dev');
SET regress.silent = 'dev';
SELECT look(VARIADIC ARRAY(SELECT generate_series(1084, 1204)));
SELECT * FROM told;
SET regress.silent = '';
SELECT look(1205, 1206, 1207);
SELECT * FROM told;

RESET zcsync.clock_offset;
DROP VIEW told;
DROP FUNCTION make_account, end_jobs, let_wait, fail, look;
DROP EXTENSION zcsync CASCADE;
