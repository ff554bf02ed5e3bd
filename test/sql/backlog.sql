-- ---------------------------------------------------------------------
-- What people look at when much waits costs the same however much that is: status,
-- progress and the views of the queue count up to a limit.  So it is not the time that is
-- compared, but the number of buffers that each reads with many jobs and with twice as
-- many, both of them beyond the limits.  The planner knows nothing of them.
-- ---------------------------------------------------------------------
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT FROM zcsync.add_account('desk', 'zendesk', '{"subdomain": "desk"}', '{"email": "a@example.com", "api_token": "t"}');
SELECT FROM zcsync.add_stream('desk', 'tickets');
SELECT FROM zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001"}', '{"token": "pk_1_x"}');
SELECT FROM zcsync.add_stream('dev', 'tasks');
SELECT FROM zcsync.alter_stream('dev/tasks', writes => true);
SELECT FROM zcsync.add_route('r', source => 'desk/tickets', target => 'dev/tasks', create_in => '11');
UPDATE zcsync.routes SET state = 'active', starts_at = now();
INSERT INTO zcsync.route_backfills (route_id, records, began_at) SELECT route_id, 100000, now() - interval '1 hour' FROM zcsync.routes;
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;
UPDATE zcsync.streams SET last_pull_at = now(), history_state = 'done';
DELETE FROM zcsync.sync_queue;
ALTER TABLE zcsync.sync_queue SET (autovacuum_enabled = off);

-- So many edits that wait for a read, that are held, and of a backfill; fewer pushes that
-- failed before, and route jobs, of which fewer are counted.
CREATE PROCEDURE enqueue_many(first integer, n integer) LANGUAGE sql AS
$$
	INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, record_key, dedupe_key, priority, run_at, stream_id, kind,
		local_id, route_id, state, waits_since, last_error, failures)
	SELECT CASE k WHEN 'route' THEN zcsync.account('desk') ELSE zcsync.account('dev') END, CASE k WHEN 'route' THEN 'route' ELSE 'task-sync' END,
		CASE k WHEN 'route' THEN 'route' ELSE 'push' END, CASE k WHEN 'route' THEN '' ELSE 'api' END, k || i, k || i,
		CASE k WHEN 'backfill' THEN 70 ELSE 50 END, now() - interval '1 hour', CASE k WHEN 'waits' THEN zcsync.stream('dev/tasks') END,
		'tasks', i, CASE WHEN k IN ('backfill', 'route') THEN (SELECT route_id FROM zcsync.routes) END, CASE k WHEN 'held' THEN 'held' ELSE 'ready' END,
		CASE k WHEN 'waits' THEN now() - interval '10 minutes' END, CASE k WHEN 'failed' THEN 'x' END, CASE k WHEN 'failed' THEN 1 ELSE 0 END
	FROM unnest('{waits,held,backfill,failed,route}'::text[]) AS k, generate_series(first, first + n - 1) AS i
	WHERE k NOT IN ('failed', 'route') OR i % 4 = 0
$$;
-- the buffers that a statement reads, whether they are cached or not
CREATE FUNCTION buffers(query text) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	v_plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT json) ' || query INTO v_plan;
	RETURN (v_plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (v_plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;
CREATE TABLE costs (jobs integer, view text, buffers bigint);
CREATE PROCEDURE note(n integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_view text;
BEGIN
	FOREACH v_view IN ARRAY '{status,progress,stat_queue,stat_backlog,stat_accounts,stat_budgets,lag}'::text[] LOOP
		-- plans are made, and made anew when another session says that a table changed; so
		-- the least of some is what the view costs
		INSERT INTO costs SELECT n, v_view, min(buffers('SELECT * FROM zcsync.' || v_view)) FROM generate_series(1, 4);
	END LOOP;
END
$$;

CALL enqueue_many(1, 11000);
CALL note(11000);
CALL enqueue_many(11001, 11000);
CALL note(22000);
SELECT a.view, b.buffers <= a.buffers * 1.25 + 100 AS bounded, CASE WHEN b.buffers > a.buffers * 1.25 + 100 THEN format('%s, then %s', a.buffers, b.buffers) END AS buffers
FROM costs a JOIN costs b ON b.view = a.view AND a.jobs = 11000 AND b.jobs = 22000 ORDER BY 1;
-- after a failover, jobs that store what was read are found among all others
UPDATE zcsync.streams SET jobs_awaited = (SELECT max(job_id) FROM zcsync.sync_queue);
SELECT zcsync._is_awaited(zcsync.stream('dev/tasks')) AS awaited, zcsync._brings_history(zcsync.stream('dev/tasks')) AS history;
SELECT buffers(format('SELECT zcsync.%s(%s)', f, zcsync.stream('dev/tasks'))) < 300 AS bounded FROM unnest('{_is_awaited,_brings_history}'::text[]) AS f;
SELECT zcsync._enqueue(zcsync._job(zcsync.account('dev'), 'task-sync', 'apply', '', 'apply/tasks/x', 'apply/tasks/x', p_stream => zcsync.stream('dev/tasks'),
	p_kind => 'tasks')) > 0 AS enqueued;
SELECT zcsync._is_awaited(zcsync.stream('dev/tasks')) AS awaited, zcsync._brings_history(zcsync.stream('dev/tasks')) AS history;
UPDATE zcsync.streams SET jobs_awaited = (SELECT max(job_id) FROM zcsync.sync_queue);
SELECT zcsync._is_awaited(zcsync.stream('dev/tasks')) AS awaited;
DELETE FROM zcsync.sync_queue WHERE operation = 'apply';
UPDATE zcsync.streams SET jobs_awaited = NULL;
-- the numbers say that there is more
SELECT account, state, waiting, why FROM zcsync.status WHERE account LIKE 'dev%' ORDER BY 1, 2;
SELECT queue, more_jobs FROM zcsync.stat_queue WHERE ready > 0 ORDER BY 1;

-- nor does what was known of the jobs before count, when none of them is held any more
VACUUM ANALYZE zcsync.sync_queue;
-- nor is a query compiled (jit) because of that; a new session has planned nothing yet
\c -
SET client_min_messages = warning;
SET jit_above_cost = 1000;
SELECT sum(c.n) > 0 AS read FROM (SELECT count(v.*) AS n FROM zcsync.status AS v UNION ALL SELECT count(v.*) FROM zcsync.progress AS v
	UNION ALL SELECT count(v.*) FROM zcsync.stat_queue AS v UNION ALL SELECT count(v.*) FROM zcsync.stat_accounts AS v UNION ALL SELECT count(v.*) FROM zcsync.stat_backlog AS v) AS c;
SELECT pg_read_file('/proc/self/maps', 0, 10000000) ~ 'llvmjit' AS compiled;
DELETE FROM zcsync.sync_queue WHERE state = 'held' OR waits_since IS NOT NULL;
VACUUM (INDEX_CLEANUP on) zcsync.sync_queue;
CALL note(0);
SELECT a.view, b.buffers <= a.buffers + 700 AS bounded, CASE WHEN b.buffers > a.buffers + 700 THEN format('%s, then %s', a.buffers, b.buffers) END AS buffers
FROM costs a JOIN costs b ON b.view = a.view AND a.jobs = 11000 AND b.jobs = 0 ORDER BY 1;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP TABLE costs;
DROP PROCEDURE enqueue_many(integer, integer), note(integer);
DROP FUNCTION buffers(text);
