-- What is counted in shared memory: at commit, without what was rolled back.
-- test/t/055_metrics.pl has the calls of a worker.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup');
CREATE VIEW counted AS
SELECT (SELECT a.name FROM zcsync.accounts AS a WHERE a.account_id = s.account_id) AS account, s.family, s.name, s.detail, s.total
FROM zcsync._metric_series() AS s ORDER BY 1, 2, 3, 4;
CREATE FUNCTION ended(account text, operation text, VARIADIC statuses text[]) RETURNS void LANGUAGE sql AS
$$ SELECT zcsync._count_operations(zcsync.account(account), operation, statuses) $$;

-- ---------------------------------------------------------------------
-- Jobs that ended
-- ---------------------------------------------------------------------
SELECT * FROM counted;
SELECT ended('acme', 'push', 'updated', 'updated', 'failed');
SELECT * FROM counted;
BEGIN;
SELECT ended('acme', 'push', 'updated');
SELECT ended('dev', 'route', 'created');
-- not yet
SELECT * FROM counted;
SAVEPOINT a;
SELECT ended('dev', 'route', 'created', 'merged');
ROLLBACK TO a;
SAVEPOINT b;
SELECT ended('dev', 'route', 'created');
RELEASE b;
COMMIT;
SELECT * FROM counted;
BEGIN;
SELECT ended('dev', 'route', 'created');
ROLLBACK;
DO $$
BEGIN
	PERFORM ended('dev', 'route', 'rolled back');
	PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
	PERFORM ended('dev', 'route', 'created');
END $$;
SELECT * FROM counted WHERE account = 'dev';
-- a call that ended well: the ending counts, the page that goes on, too, what is to be tried again does not
SELECT cardinality(zcsync._count_endings(zcsync.account('acme'), 'pull', ARRAY[(1, 'ended', 'done', 3, NULL, false), (2, 'ended', NULL, 0, NULL, false),
	(3, 'again', NULL, 3, NULL, false), (4, 'repeat', NULL, NULL, NULL, false), (5, 'locked', NULL, NULL, NULL, false)]::zcsync.ending[])) AS endings;
SELECT * FROM counted WHERE name = 'pull';
-- texts are cut, not refused
SELECT ended('acme', repeat('o', 100), repeat('s', 100));
SELECT * FROM counted WHERE name LIKE 'oo%';
SELECT ended('acme', 'e' || repeat('é', 40), 'cut between characters');
SELECT name, length(name) FROM counted WHERE name LIKE 'eé%';

-- ---------------------------------------------------------------------
-- The text of Prometheus, and the same as rows
-- ---------------------------------------------------------------------
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, refilled_at)
SELECT account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts;
INSERT INTO zcsync.streams (account_id, kind, last_pull_at) SELECT account_id, 'tasks', zcsync._now() FROM zcsync.accounts WHERE name = 'dev';
SELECT FROM zcsync._enqueue(ARRAY(SELECT zcsync._job(zcsync.account('dev'), 'task-sync', 'push', 'api', 'k' || n, 'k' || n, p_kind => 'tasks')
	FROM generate_series(1, 3) AS n));
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at)
VALUES (1, zcsync.account('acme'), 'task-sync', 'push', 'api', 'x', 'x', '{}', 50, 1, 'rejected', 'the text of a customer', now());
-- numbers that do not depend on the server and the clock
CREATE VIEW lines AS SELECT l FROM regexp_split_to_table(zcsync.metrics(), E'\n') WITH ORDINALITY AS t (l, n)
WHERE l !~ '^(zcsync_(worker_|cache_|queue_age|lag_|alerts)|cache_|active_)' ORDER BY n;
SELECT * FROM lines;
SELECT count(*) FROM regexp_split_to_table(zcsync.metrics(), E'\n') AS l WHERE l LIKE '%text of a customer%';
SELECT zcsync._label_text(ARRAY['a', E'back\\slash "quote"\nline', 'b', NULL]), zcsync._label_text('{}') = '' AS none;
-- each line is a row of stat_metrics
SELECT (SELECT count(*) FROM regexp_split_to_table(zcsync.metrics(), E'\n') AS l WHERE l !~ '^(#|$)') = (SELECT count(*) FROM zcsync.stat_metrics) AS same;
SELECT metric, type, labels, value FROM zcsync.stat_metrics WHERE metric IN ('sync_operations_total', 'zcsync_dead_letters', 'zcsync_queue_due_jobs');
SELECT account, operation, direction, status, jobs FROM zcsync.stat_operations;
SELECT * FROM zcsync.stat_calls;
SELECT * FROM zcsync.stat_connections;
-- every name is explained, and in one block
SELECT count(*) = count(DISTINCT l) AS once FROM regexp_split_to_table(zcsync.metrics(), E'\n') AS l WHERE l LIKE '# TYPE%';
SELECT s.name FROM zcsync._account_samples() AS s EXCEPT SELECT k.name FROM zcsync._metrics_known() AS k;
-- a monitoring role needs no right on a table
CREATE ROLE regress_monitor;
GRANT USAGE ON SCHEMA zcsync TO regress_monitor;
SET ROLE regress_monitor;
SELECT length(zcsync.metrics());
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync.metrics TO regress_monitor;
SET ROLE regress_monitor;
SELECT length(zcsync.metrics()) > 1000 AS may;
SELECT count(*) FROM zcsync.sync_queue;
RESET ROLE;
DROP OWNED BY regress_monitor;
DROP ROLE regress_monitor;

-- ---------------------------------------------------------------------
-- How far behind streams and routes are, and what is done now
-- ---------------------------------------------------------------------
UPDATE zcsync.sync_queue SET created_at = zcsync._now() - interval '10 minutes' WHERE record_key = 'k1';
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, pull_interval) SELECT account_id, 'tickets', zcsync._now() - interval '1 hour', '1 minute'
FROM zcsync.accounts WHERE name = 'acme';
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, defined_by)
SELECT 'bugs', s.stream_id, t.stream_id, current_user FROM zcsync.streams AS s, zcsync.streams AS t WHERE s.kind = 'tickets' AND t.kind = 'tasks';
SELECT FROM zcsync._enqueue(ARRAY(SELECT zcsync._job(zcsync.account('acme'), 'route', 'route', '', 'r' || n, 'r' || n, p_kind => 'tickets',
	p_route => (SELECT route_id FROM zcsync.routes), p_priority => CASE WHEN n > 2 THEN 70 ELSE 50 END) FROM generate_series(1, 5) AS n));
SELECT object, what, state, CASE WHEN seconds > 300 THEN lag END AS lag, waiting, backfill FROM zcsync.lag;
-- the last hour: the route has stopped, the stream has begun; what is older or of no stream does not count
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, route_id, status, attempts, queued_at, created_at)
SELECT n, zcsync.account('acme'), 'route', 'route', 'tickets', (SELECT route_id FROM zcsync.routes), 'done', 1, zcsync._now(), zcsync._now() - make_interval(mins => 63 - 5 * p)
FROM (VALUES (1, 8), (2, 4), (3, 8), (4, 1)) AS v (p, jobs), generate_series(1, jobs) AS n
UNION ALL SELECT n, zcsync.account('dev'), 'task-sync', 'push', 'tasks', NULL, CASE n WHEN 1 THEN 'failed' ELSE 'updated' END, 1, zcsync._now(), zcsync._now() - make_interval(secs => 300 * n - 150)
FROM generate_series(1, 2) AS n
UNION ALL SELECT 1, zcsync.account('dev'), 'account', 'token', NULL, NULL, 'done', 1, zcsync._now(), zcsync._now()
UNION ALL SELECT 1, zcsync.account('dev'), 'task-sync', 'push', 'tasks', NULL, 'done', 1, zcsync._now(), zcsync._now() - interval '2 hours';
SELECT object, '"' || last_hour || '"' AS last_hour FROM zcsync.lag ORDER BY 1;
SELECT count(*) FROM zcsync.activity;
-- any backlog: no more is read than so much
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, kind, record_key, dedupe_key)
SELECT zcsync.account('dev'), 'task-sync', 'push', 'api', 'tasks', 'm' || n, 'm' || n FROM generate_series(1, 8000) AS n;
SELECT object, waiting FROM zcsync.lag;
SELECT value BETWEEN 1000 AND 7000 AS bounded FROM zcsync.stat_metrics WHERE name = 'zcsync_queue_due_jobs' AND labels ->> 'account' = 'dev';

-- ---------------------------------------------------------------------
-- What does not fit is one line
-- ---------------------------------------------------------------------
BEGIN;
SELECT count(ended('dev', 'x', 'status ' || n)) FROM generate_series(1, 2500) AS n;
COMMIT;
SELECT count(*) BETWEEN 1500 AND 2000 AS lines, sum(total) AS total FROM counted WHERE name = 'x' OR name = 'other' AND family = 'operations';
SELECT account, family, detail, total > 500 AS many FROM counted WHERE name = 'other';
-- those that were there go on
SELECT ended('acme', 'push', 'failed');
SELECT total FROM counted WHERE name = 'push' AND detail = 'failed';

SELECT zcsync._reset_metrics();
SELECT * FROM counted;
DROP VIEW counted, lines;
DROP FUNCTION ended;
DROP EXTENSION zcsync CASCADE;
