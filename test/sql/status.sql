-- What the views say of accounts and of the installation in each state that an
-- operator has to tell apart.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
-- a new session need not load PL/pgSQL
SELECT count(*) AS loaded FROM pg_settings WHERE name = 'plpgsql.variable_conflict';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- text that does not depend on the clock
SELECT zcsync._span(s::interval) AS span, s AS of
FROM unnest('{0,0.4 s,119 s,2 min,119 min,2 h,47 h,2 d,400 d,-5 s}'::text[]) AS s;
SELECT zcsync._bar(d, w) AS bar, d AS done, w AS whole
FROM (VALUES (0, 10), (3, 10), (99, 100), (100, 100), (150, 100), (-1, 10), (5, 0), (5, NULL), (NULL, 5)) AS v (d, w);
SELECT n AS numbers, t AS top, '"' || zcsync.sparkline(n, t) || '"' AS bars
FROM (VALUES (1, '{1,2,3,4,5,6,7,8}'::numeric[], NULL::numeric), (2, '{0,0.001,50,100}', NULL), (3, '{1,NULL,8}', NULL), (4, '{1,2,4}', 8), (5, '{9,4}', 8), (6, '{0,0}', NULL),
	(7, '{-5,5}', NULL), (8, '{1,2}', 0), (9, '{NULL}', NULL), (10, '{}', NULL), (11, NULL, NULL), (12, '{NaN,1}', NULL)) AS v (i, n, t) ORDER BY i;
SELECT zcsync._shorten('abcdef', 6) AS fits, zcsync._shorten('abcdefg', 6) AS cut, zcsync._shorten(NULL, 6) AS none;

-- the installation itself: it was stopped
SELECT state, why, to_do FROM zcsync.status WHERE account = '(all)';

-- One account per state.  Rows are written directly: how they come about is
-- for the tests of their parts.
INSERT INTO zcsync.accounts (name, vendor, state, state_reason, state_hint)
SELECT n, 'clickup', 'active', NULL, NULL
FROM unnest('{behind,dead,down,empty,fine,held,history,refused,retry,shaky,starting,throttled,unmapped,waiting}'::text[]) AS n;
INSERT INTO zcsync.accounts (name, vendor, state, state_reason, state_hint) VALUES
	('blocked', 'zendesk', 'blocked', 'the vendor refuses the credentials, and said so at length', 'SELECT zcsync.set_credentials(''blocked'', …);'),
	('leads', 'local', 'active', NULL, NULL),
	('paused', 'zendesk', 'paused', NULL, NULL);
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, refilled_at)
SELECT account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts WHERE vendor <> 'local';
INSERT INTO zcsync.streams (account_id, kind, last_pull_at)
SELECT account_id, 'tasks', zcsync._now() FROM zcsync.accounts WHERE vendor = 'clickup' AND name <> 'empty';

UPDATE zcsync.accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), breaker_until = zcsync._now() + interval '30 s',
	last_error = 'could not connect', last_error_at = zcsync._now() WHERE name = 'down';
UPDATE zcsync.streams SET last_pull_at = zcsync._now() - interval '10 min' WHERE account_id = zcsync.account('behind');
UPDATE zcsync.streams SET last_pull_at = zcsync._now() - interval '10 min' WHERE account_id = zcsync.account('throttled');
UPDATE zcsync.account_budgets SET paused_until = zcsync._now() + interval '50 s', pause_reason = 'the vendor asked to wait'
WHERE account_id = zcsync.account('throttled');
UPDATE zcsync.streams SET last_pull_at = NULL WHERE account_id = zcsync.account('starting');
-- asked to wait just now, out of order for two minutes, refused
UPDATE zcsync.streams SET last_error = 'HTTP 429', last_error_class = 'throttled', last_error_lane = 'live',
	last_error_at = zcsync._now(), failing_since = zcsync._now() WHERE account_id = zcsync.account('waiting');
UPDATE zcsync.streams SET last_error = 'HTTP 503', last_error_class = 'vendor', last_error_lane = 'live',
	last_error_at = zcsync._now(), failing_since = zcsync._now() - interval '2 min' WHERE account_id = zcsync.account('shaky');
UPDATE zcsync.streams SET last_error = 'HTTP 403', last_error_class = 'rejected', last_error_lane = 'live',
	last_error_at = zcsync._now(), failing_since = zcsync._now() WHERE account_id = zcsync.account('refused');
UPDATE zcsync.streams SET history_state = 'running', records_done = 500, records_estimate = 2000, calls_done = 5,
	history_started_at = zcsync._now() - interval '1 min' WHERE account_id = zcsync.account('history');

INSERT INTO zcsync.tasks (account_id, remote_id, name, sync_cause, sync_xid, sync_state)
SELECT zcsync.account(n), 'r-' || n, n, 'pull', '1', 'synced' FROM unnest('{dead,retry,unmapped}'::text[]) AS n;
CREATE FUNCTION task(name text) RETURNS bigint LANGUAGE sql AS
'SELECT local_id FROM zcsync.tasks WHERE account_id = zcsync.account($1)';
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key,
	payload, priority, attempts, class, status, message, created_at)
VALUES (1, zcsync.account('dead'), 'task-sync', 'push', 'api', 'tasks', task('dead'), 'k', 'k', '{}', 50, 3,
	'rejected', 400, 'Status does not exist', zcsync._now());
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, kind, local_id, state, priority, run_at,
	attempts, failures, last_class, last_status, last_error)
VALUES
	(zcsync.account('held'), 'task-sync', 'push', 'a', 'a', NULL, NULL, 'held', 50, zcsync._now(), 0, 0, NULL, NULL, NULL),
	(zcsync.account('retry'), 'task-sync', 'push', 'b', 'b', 'tasks', task('retry'), 'ready', 50, zcsync._now() + interval '4 s', 1, 1, 'conflict', 409, 'Database collision'),
	(zcsync.account('fine'), 'task-sync', 'push', 'c', 'c', NULL, NULL, 'ready', 70, zcsync._now() - interval '1 h', 0, 0, NULL, NULL, NULL);
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, create_in, defined_by)
SELECT 'r', s.stream_id, t.stream_id, '1', current_user
FROM zcsync.streams s, zcsync.streams t
WHERE s.account_id = zcsync.account('unmapped') AND t.account_id = zcsync.account('fine');
INSERT INTO zcsync.route_errors (route_id, source_id, field, code, value, message, hint, count)
SELECT route_id, task('unmapped'), f, 'unmapped_value', 'x', 'value "x" has no counterpart', 'SELECT zcsync.map_value(…);', 2
FROM zcsync.routes, unnest('{priority,status}'::text[]) AS f;

SELECT account, state, lag, waiting, errors, next IS NOT NULL AS has_next, why, to_do FROM zcsync.status;
-- since when is known of all that is not as it should be, but of accounts that were made so
SELECT account, state FROM zcsync.status WHERE state <> 'in step' AND since IS NULL ORDER BY 1;
-- who must act for a blocked account does not depend on words: new credentials are an operator's; the key, and what credentials refer to, is on the server
BEGIN;
CREATE FUNCTION who_acts(code text, hint text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE zcsync.accounts SET blocked_by = code, state_hint = hint WHERE name = 'blocked';
	RETURN (SELECT who FROM zcsync.status WHERE account = 'blocked');
END
$$;
SELECT who_acts('credentials_refused', 'Make a new file at the vendor, and zcsync.set_credentials() with it.') AS refused,
	who_acts('credentials_unreadable', 'Give them as a file or with zcsync.set_credentials().') AS unreadable, who_acts('key_missing', 'Run zcsync.set_credentials() again.') AS no_key;
INSERT INTO zcsync.credentials (account_id, name, reference) VALUES (zcsync.account('blocked'), 'token', 'env:ZCSYNC_TOKEN');
SELECT who_acts('credentials_unreadable', 'Set it, or run zcsync.set_credentials().') AS reference_unreadable;
ROLLBACK;
SELECT account, date_trunc('minute', lag) AS lag, ready, running, held, dead_letters, route_errors, reading_history AS history, backfill, started
FROM zcsync.stat_accounts ORDER BY account;
SELECT account, source, reference, message, hint, times, job_id IS NOT NULL AS job FROM zcsync.errors ORDER BY account, source;
SELECT object, lane, done, estimate, progress, round(calls_minute) AS calls_minute, eta, limited_by FROM zcsync.progress
WHERE object ~ '^(behind|down|fine|history|starting)/' ORDER BY 1, 2;
SELECT account, class, per_minute, tokens, concurrency, running, regexp_replace(limited_by, '[0-9]+ s', 'N s') AS limited_by FROM zcsync.stat_budgets
WHERE account IN ('blocked', 'down', 'fine', 'paused', 'throttled') ORDER BY 1;
SELECT queue, state, ready, due, running, held, retrying, ended_1m, failed_1m FROM zcsync.stat_queue WHERE queue = 'task-sync';
SELECT role, database, state FROM zcsync.stat_workers WHERE role = 'run';

-- why something is held: as the open alerts say, and the refused pushes; and what is to be looked at first
CREATE VIEW held AS SELECT why, who, to_do FROM zcsync.status WHERE account = 'held';
BEGIN;
SELECT zcsync._alert('write_brake', 'held', 'warning', 'too many', NULL), zcsync._alert('write_brake', 'fine', 'warning', 'too many', NULL);
SELECT * FROM held;
SELECT zcsync._alert('other_installation', 'held', 'critical', 'another one', NULL);
SELECT * FROM held;
SELECT zcsync._resolve_alert('write_brake', 'held');
SELECT * FROM held;
SELECT count(*) FROM zcsync.sync_queue WHERE state = 'held' AND account_id = zcsync.account('held');
UPDATE zcsync.sync_queue SET refused_at = zcsync._now() WHERE state = 'held' AND account_id = zcsync.account('held');
SELECT * FROM held;
SELECT value, to_do FROM zcsync._account_readings() WHERE measure = 'held' AND object = 'held';
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, state) VALUES (zcsync.account('held'), 'task-sync', 'push', 'held 2', 'held 2', 'held');
SELECT * FROM held;
ROLLBACK;
SELECT split_part(to_do, ';', 1) AS look FROM held \gset
SELECT kind, state FROM (:look) AS x;
DROP VIEW held;

-- what is paused is a line of its own, whatever its account is in: since when, by whom
SELECT zcsync.pause_queue('route');
SELECT zcsync.pause_stream('behind/tasks');
SELECT account, state, since <= zcsync._now() AS since, replace(why, session_user, 'me') AS why, to_do FROM zcsync.status WHERE state = 'paused';
UPDATE zcsync.queues SET paused_at = zcsync._now() - interval '1 hour' WHERE name = 'route';
SELECT zcsync.pause_queue('route');
SELECT since < zcsync._now() - interval '50 minutes' AS since_the_first_time FROM zcsync.status WHERE account = 'queue route';
SELECT zcsync.resume_queue('route');
SELECT zcsync.resume_stream('behind/tasks');
UPDATE zcsync.routes SET starts_at = zcsync._now();
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.routes SET state = 'active';
SELECT zcsync.pause_route('r');
SELECT account, state, replace(why, session_user, 'me') AS why, to_do FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.routes SET state = 'active';
SELECT account, state, why, to_do FROM zcsync.status WHERE state = 'paused';
SELECT name FROM zcsync.queues WHERE paused_at IS NOT NULL OR paused_by IS NOT NULL;
SELECT kind FROM zcsync.streams WHERE paused_at IS NOT NULL OR paused_by IS NOT NULL;

-- An active route whose target is read-only stands still, and says so; so does one that
-- writes back to a source which is.
UPDATE zcsync.streams SET writes = true;
SELECT account, state FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.streams SET writes = false WHERE account_id = zcsync.account('fine');
SELECT account, state, why, who, to_do FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.streams SET writes = false;
SELECT account, state, why FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.streams SET writes = account_id = zcsync.account('fine');
SELECT account, state FROM zcsync.status WHERE account = 'route r';
INSERT INTO zcsync.route_fields (route_id, direction, field, expression) SELECT route_id, 'back', 'name', 't.name' FROM zcsync.routes;
SELECT account, state, why, to_do FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.routes SET state = 'paused';
SELECT account, state FROM zcsync.status WHERE account = 'route r';
DELETE FROM zcsync.route_fields;
UPDATE zcsync.routes SET state = 'active';
UPDATE zcsync.streams SET writes = true;
-- Of a local account nothing is read, but its records wait for routes.
SELECT started FROM zcsync.stat_accounts WHERE account = 'leads';
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, record_key, dedupe_key, route_id, created_at, run_at)
SELECT zcsync.account('leads'), 'route', 'route', '', 'l', 'l', route_id, zcsync._now() - interval '10 minutes', zcsync._now() - interval '10 minutes' FROM zcsync.routes;
SELECT state, lag, why, to_do FROM zcsync.status WHERE account = 'leads';
-- A transaction that stays open holds the route: said as it is, and by whom.
BEGIN;
SELECT zcsync.pause_route('r');
PREPARE TRANSACTION 'regress_held_route';
SELECT account, state, since < zcsync._now() AS since, why, to_do FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE record_key = 'l';
SELECT account, state FROM zcsync.status WHERE account = 'route r';
UPDATE zcsync.sync_queue SET operation = 'conversation', run_at = zcsync._now() - interval '2 minutes' WHERE record_key = 'l';
SELECT object, state, accounts FROM zcsync._locked_routes();
ROLLBACK PREPARED 'regress_held_route';
SELECT account, state FROM zcsync.status WHERE account = 'route r';
DELETE FROM zcsync.sync_queue WHERE record_key = 'l';
SELECT state FROM zcsync.status WHERE account = 'leads';

-- a history that fails is seen although the live lane is read, until it is over
UPDATE zcsync.streams SET last_error = 'HTTP 400', last_error_class = 'rejected', last_error_lane = 'history',
	last_error_at = zcsync._now(), failing_since = zcsync._now() WHERE account_id = zcsync.account('history');
SELECT zcsync._forget_pull_error(stream_id, 'live') FROM zcsync.streams WHERE account_id = zcsync.account('history');
SELECT state, why FROM zcsync.status WHERE account = 'history';
UPDATE zcsync.streams SET history_state = 'done' WHERE account_id = zcsync.account('history');
SELECT state, why FROM zcsync.status WHERE account = 'history';
UPDATE zcsync.streams SET history_state = 'running', next_pull_at = zcsync._now() + interval '10 min' WHERE account_id = zcsync.account('history');
SELECT zcsync._forget_pull_error(stream_id, 'history') FROM zcsync.streams WHERE account_id = zcsync.account('history');
SELECT last_error, failing_since, next_pull_at - zcsync._now() < interval '2 min' AS soon FROM zcsync.streams WHERE account_id = zcsync.account('history');

-- an empty bucket says so, and so does a full pipe
UPDATE zcsync.account_budgets SET tokens = 0.5, refilled_at = zcsync._now() + interval '1 min' WHERE account_id = zcsync.account('fine');
SELECT tokens, limited_by FROM zcsync.stat_budgets WHERE account = 'fine';
UPDATE zcsync.account_budgets SET tokens = 40, concurrency = 1 WHERE account_id = zcsync.account('fine');
UPDATE zcsync.sync_queue SET state = 'running', claimed_by = 1, claimed_at = zcsync._now() WHERE record_key = 'c';
SELECT tokens, running, limited_by FROM zcsync.stat_budgets WHERE account = 'fine';

-- an open alert is a line of its own; a closed one is not
SELECT zcsync._alert('test', 'fine', 'warning', 'look at this', NULL);
SELECT state, why, to_do FROM zcsync.status WHERE account = '(all)';
SELECT zcsync._resolve_alert('test', 'fine');
SELECT count(*) FROM zcsync.status WHERE account = '(all)' AND state = 'alert';

-- triggers that notice edits: disabled by hand, or gone
CREATE VIEW trouble AS SELECT state, why, to_do FROM zcsync.status
WHERE account = '(all)' AND state IN ('no trigger', 'no partition', 'no rights', 'unknown', 'alert');
ALTER TABLE zcsync.tasks DISABLE TRIGGER zcsync_notice_update;
DROP TRIGGER zcsync_stamp_insert ON zcsync.tickets;
SELECT * FROM trouble;
SELECT message FROM zcsync.selfcheck() WHERE item = 'triggers';
SELECT FROM zcsync.setup();
SELECT * FROM trouble;

-- a month that cannot be made, since somebody holds a row of it
SELECT format('zcsync.changes_y%s', to_char(zcsync._now() AT TIME ZONE 'UTC', 'YYYY"m"MM')) AS month \gset
ALTER TABLE zcsync.changes DETACH PARTITION :month;
SELECT state, regexp_replace(why, '_y.*', '_yN') AS why, regexp_replace(to_do, '_y[0-9]+m[0-9]+', '_yN', 'g') AS to_do FROM trouble;
ALTER TABLE :month RENAME TO not_a_month;
SELECT state, regexp_replace(why, '_y.*', '_yN') AS why, regexp_replace(to_do, '_y[0-9]+m[0-9]+', '_yN', 'g') AS to_do FROM trouble;
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role) VALUES (1, 'tasks', 1, 'update', 'local', 'x');
ALTER TABLE zcsync.changes_default ADD CONSTRAINT regress_key UNIQUE (local_id, created_at);
CREATE TABLE referring (local_id bigint, created_at timestamptz, FOREIGN KEY (local_id, created_at) REFERENCES zcsync.changes_default (local_id, created_at));
INSERT INTO referring SELECT local_id, created_at FROM zcsync.changes_default;
SELECT zcsync.create_partitions();
SELECT state, regexp_replace(why, '_y.*', '_yN') AS why, regexp_replace(to_do, '_y[0-9]+m[0-9]+', '_yN', 'g') AS to_do FROM trouble;
SELECT regexp_replace(message, '[0-9]{4}-[0-9]{2}', 'MONTH') AS message, hint FROM zcsync.alerts WHERE code = 'partitions' AND resolved_at IS NULL;
DROP TABLE referring, zcsync.not_a_month;
ALTER TABLE zcsync.changes_default DROP CONSTRAINT regress_key;
SELECT zcsync.create_partitions();
SELECT * FROM trouble;

-- settings that keep edits from being noticed or made
ALTER DATABASE contrib_regression SET session_replication_role = replica;
CREATE ROLE regress_zcsync_reader;
ALTER ROLE regress_zcsync_reader IN DATABASE contrib_regression SET default_transaction_read_only = on;
ALTER ROLE regress_zcsync_reader SET session_replication_role = origin;
ALTER ROLE zcsync_worker SET default_transaction_read_only = on;
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'settings' ORDER BY message;
SELECT state, why, to_do FROM zcsync.status WHERE state = 'setting' ORDER BY why;
ALTER ROLE regress_zcsync_reader IN DATABASE contrib_regression RESET default_transaction_read_only;
ALTER DATABASE contrib_regression RESET session_replication_role;
ALTER DATABASE contrib_regression CONNECTION LIMIT 0;
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'settings';
ALTER DATABASE contrib_regression CONNECTION LIMIT -1;
ALTER ROLE zcsync_worker RESET ALL;
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'settings';
DROP ROLE regress_zcsync_reader;

-- a right that workers need
REVOKE EXECUTE ON FUNCTION zcsync._claim_jobs FROM zcsync_worker;
SELECT zcsync.start();
SELECT * FROM trouble;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- a check that fails is one itself, and hides none of the others
ALTER TABLE zcsync.credentials RENAME sealed TO opened;
SELECT item, message, hint FROM zcsync.selfcheck() WHERE NOT ok AND item IN ('check', 'installation', 'key');
SELECT * FROM trouble;
ALTER TABLE zcsync.credentials RENAME opened TO sealed;
DROP VIEW trouble;

-- nor does what cannot be read of accounts hide what is wrong with the installation
ALTER TABLE zcsync.sync_queue RENAME run_at TO ran_at;
SELECT account, state, why, who FROM zcsync.status WHERE account = '(all)' ORDER BY 1, 2, 3;
ALTER TABLE zcsync.sync_queue RENAME ran_at TO run_at;

-- Each account is counted through indexes: the queue is not read whole.
BEGIN;	-- what this session did before may be counted still
SELECT seq_scan AS before FROM pg_stat_xact_user_tables WHERE relid = 'zcsync.sync_queue'::regclass \gset
SELECT sum(c.n) > 0 AS read FROM (SELECT count(v.*) AS n FROM zcsync.status AS v UNION ALL SELECT count(v.*) FROM zcsync.progress AS v
	UNION ALL SELECT count(v.*) FROM zcsync.stat_accounts AS v) AS c;
SELECT seq_scan - :before AS whole_scans_of_the_queue FROM pg_stat_xact_user_tables WHERE relid = 'zcsync.sync_queue'::regclass;
COMMIT;

-- a job without a record can fail, too
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, state, attempts, last_class, last_status, last_error)
VALUES (zcsync.account('history'), 'account', 'token', 'token', 'token', 'ready', 2, 'vendor', 503, 'out of order');
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key,
	payload, priority, attempts, class, message, created_at)
VALUES (2, zcsync.account('history'), 'account', 'token', 'token', 'token', 'token', '{}', 50, 3, 'broken', 'no token in the reply', zcsync._now());
SELECT source, reference, message, times FROM zcsync.errors WHERE account = 'history' ORDER BY 1;

-- and of a long queue only the jobs that failed are read for what went wrong
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, state, attempts, last_class, last_error)
SELECT zcsync.account('fine'), 'task-sync', 'fetch', 'long/' || i, 'long/' || i, 'ready', (i <= 20)::integer,
	CASE WHEN i <= 20 THEN 'conflict' END, CASE WHEN i <= 20 THEN 'Database collision' END
FROM generate_series(1, 20000) AS i;
ANALYZE zcsync.sync_queue;
SELECT count(*) FROM zcsync.errors WHERE source = 'retrying' AND account = 'fine';

-- Of many errors no more is made than is asked for: nothing but a row shows what its
-- record is called.
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key, payload, priority, attempts, class, message,
	created_at)
SELECT 1000000 + i, zcsync.account('fine'), 'task-sync', 'push', 'api', 'tasks', i, 'many/' || i, 'many/' || i, '{}', 50, 3, 'rejected', 'no', now() FROM generate_series(1, 300) AS i;
SET track_functions = 'all';
BEGIN;
CREATE FUNCTION named() RETURNS bigint LANGUAGE sql AS
$$ SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_xact_user_functions WHERE schemaname = 'zcsync' AND funcname IN ('_record_id', 'reference') $$;
SELECT count(*) >= 320 AS many, named() FROM zcsync.errors WHERE account = 'fine';
SELECT FROM (SELECT * FROM zcsync.errors LIMIT 50) AS e HAVING count(reference) = 50;
SELECT named() <= 50 AS few;
SELECT count(*) FROM zcsync.errors WHERE account = 'history';
SELECT named() <= 50 AS few;
ROLLBACK;
RESET track_functions;
DELETE FROM zcsync.dead_letters WHERE job_id > 1000000;
-- records of each kind have an id
SELECT k FROM unnest(zcsync._kinds()) AS k WHERE zcsync._record_id(k, 0) IS NOT NULL;

-- Nor are all of them counted: what is shown comes from some thousands, whatever waits.
CREATE FUNCTION reads(query text) RETURNS numeric LANGUAGE plpgsql AS
$$
DECLARE
	v_before numeric := (SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'zcsync.sync_queue'::regclass);
BEGIN
	EXECUTE query;
	RETURN (SELECT seq_tup_read + idx_tup_fetch - v_before FROM pg_stat_xact_user_tables WHERE relid = 'zcsync.sync_queue'::regclass);
END
$$;
SELECT v AS view, reads('SELECT * FROM zcsync.' || v) < 10000 AS few_reads FROM unnest('{status,progress,stat_queue,stat_accounts,stat_backlog}'::text[]) AS v;
SELECT v AS view, reads('SELECT * FROM zcsync.' || v) < 100 AS few_reads FROM unnest('{errors,stat_budgets,stat_workers}'::text[]) AS v;
SELECT state, waiting ~ '^[0-9]{4}[+]$' AS many FROM zcsync.status WHERE account = 'fine';
SELECT ready BETWEEN 1000 AND 9999 AS counted, more_jobs FROM zcsync.stat_accounts WHERE account = 'fine';
SELECT ready BETWEEN 1000 AND 9999 AS counted, more_jobs FROM zcsync.stat_queue WHERE queue = 'task-sync';
SELECT queue, later, jobs > 1000 AS many, more FROM zcsync.stat_backlog WHERE account = 'fine' ORDER BY 1, 2;
-- a backfill: few that are left are counted, of many their numbers tell how many they are
INSERT INTO zcsync.route_backfills (route_id, records, began_at) SELECT route_id, 16000, zcsync._now() - interval '30 hours' FROM zcsync.routes;
UPDATE zcsync.sync_queue SET route_id = (SELECT route_id FROM zcsync.routes), operation = 'route', budget_class = '', priority = 70
WHERE job_id IN (SELECT job_id FROM zcsync.sync_queue WHERE operation = 'fetch' ORDER BY job_id LIMIT 12001);
SELECT object, done, estimate, progress, eta FROM zcsync.progress WHERE lane = 'backfill';
SELECT reads('SELECT * FROM zcsync.progress') < 15000 AS few_reads;
DELETE FROM zcsync.sync_queue WHERE operation = 'route' AND job_id NOT IN (SELECT job_id FROM zcsync.sync_queue WHERE operation = 'route' ORDER BY job_id LIMIT 4000);
SELECT object, done, estimate, progress, eta FROM zcsync.progress WHERE lane = 'backfill';
DELETE FROM zcsync.sync_queue WHERE operation = 'route';
SELECT count(*) FROM zcsync.progress WHERE lane = 'backfill';

DROP FUNCTION reads, task;
DROP EXTENSION zcsync CASCADE;
