-- ---------------------------------------------------------------------
-- Calls that carry several jobs: which travel together, what that costs of the
-- limits, and what becomes of them when they are refused.  The worker is
-- stopped; what it does is done here by hand.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('t', 'clickup', '{"workspace_id": "1"}') > 0 AS added;
-- a vendor that takes four records in one call
CREATE FUNCTION zcsync._vendor_four() RETURNS zcsync.vendor LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT zcsync._describe_vendor('four', 'Four', 'clickup', ARRAY[zcsync._describe_kind('tasks')], write_batch => 4) $$;
UPDATE zcsync.accounts SET vendor = 'four';

-- the jobs of each call, in the order in which they are returned
CREATE FUNCTION claim(inc bigint, n integer DEFAULT 100) RETURNS TABLE (call text, jobs text) LANGUAGE sql AS $$
	WITH c AS MATERIALIZED (
		SELECT row_number() OVER () AS n, c.* FROM zcsync._claim_jobs(inc, zcsync.account('t'), n) AS c)
	SELECT CASE WHEN c.call_id IS NULL THEN 'alone' ELSE 'together' END, string_agg(c.request ->> 'op', ' ' ORDER BY c.n)
	FROM c GROUP BY c.call_id, CASE WHEN c.call_id IS NULL THEN c.job_id END
	ORDER BY min(c.n)
$$;
CREATE FUNCTION finish(inc bigint, class text, jobs text DEFAULT '%') RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT f.how FROM (
		SELECT array_agg(ROW(q.job_id, q.attempts, class, 400, 'the vendor said no', NULL, 0, false, q.payload, NULL, 0)::zcsync.outcome) AS outcomes
		FROM zcsync.sync_queue q WHERE q.state = 'running' AND q.claimed_by = inc AND q.dedupe_key LIKE jobs) r,
	LATERAL zcsync._finish_jobs(inc, zcsync.account('t'), r.outcomes) f
$$;
CREATE FUNCTION job(name text, batch text DEFAULT NULL, queue text DEFAULT 'task-sync') RETURNS void LANGUAGE sql AS $$
	SELECT zcsync._enqueue(zcsync._job(zcsync.account('t'), queue, 'test', 'api', name, name,
		jsonb_strip_nulls(jsonb_build_object('op', name, 'batch', batch, 'create', true))))
$$;
CREATE FUNCTION spent() RETURNS bigint LANGUAGE sql AS
$$ SELECT calls_total FROM zcsync.account_budgets WHERE account_id = zcsync.account('t') AND class = 'api' $$;
CREATE VIEW jobs AS
SELECT dedupe_key AS job, state, failures, batch_max, last_class, unclear_since IS NOT NULL AS unclear
FROM zcsync.sync_queue ORDER BY job_id;

-- equal keys travel together, as many as the vendor takes; others alone
SELECT job('a' || i, 'post') FROM generate_series(1, 6) AS i;
SELECT job('b1', 'other');
SELECT job('x');
SELECT * FROM claim(1);
-- a call each, not a job each
SELECT spent();
SELECT * FROM finish(1, 'done');
SELECT count(*) FROM zcsync.sync_queue;
SELECT status, count(*) FROM zcsync.sync_records GROUP BY 1;

-- limits count calls: of the claim, of the queue, of the budget
SELECT job('a' || i, 'post') FROM generate_series(1, 20) AS i;
SELECT * FROM claim(1, 2);
SELECT zcsync.alter_queue('task-sync', concurrency => 3);
SELECT * FROM claim(1);
SELECT * FROM claim(1);
SELECT zcsync.alter_queue('task-sync', concurrency => 10);
UPDATE zcsync.account_budgets SET tokens = 1.5, refilled_at = zcsync._now() WHERE account_id = zcsync.account('t') AND class = 'api';
SELECT * FROM claim(1);
UPDATE zcsync.account_budgets SET tokens = 100, concurrency = 5 WHERE account_id = zcsync.account('t') AND class = 'api';
SELECT * FROM claim(1);
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
UPDATE zcsync.account_budgets SET tokens = 100 WHERE account_id = zcsync.account('t') AND class = 'api';

-- queues do not mix
SELECT job('a1', 'post'), job('a2', 'post', 'ticket-sync');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');

-- one of four is bad: all go back, in halves, until it is alone; no attempt is
-- spent, and what may have been created stays unclear
SELECT job('a' || i, 'post') FROM generate_series(1, 4) AS i;
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'halved');
SELECT * FROM jobs;
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done', 'a1');
SELECT * FROM finish(1, 'done', 'a2');
SELECT * FROM finish(1, 'halved');
SELECT * FROM jobs;
-- a job that has been refused so keeps its own pace beside fresh ones
SELECT job('f' || i, 'post') FROM generate_series(1, 3) AS i;
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected', 'a3');
SELECT * FROM finish(1, 'done');
SELECT * FROM jobs;
DELETE FROM zcsync.sync_queue;

-- one that ends in a twin brings its limit along
SELECT job('a' || i, 'post') FROM generate_series(1, 4) AS i;
SELECT * FROM claim(1);
SELECT job('a1', 'post');
SELECT * FROM finish(1, 'halved');
SELECT * FROM jobs;
DELETE FROM zcsync.sync_queue;

-- Jobs with nothing to send end where they are found, however many there are, and
-- take no call of the one behind them.  A row without a job says that there may be more.
CREATE FUNCTION prepare(account bigint, ids bigint[]) RETURNS zcsync.prepared[] LANGUAGE sql AS
$$
	SELECT array_agg(ROW(q.job_id, CASE WHEN q.payload ->> 'op' NOT LIKE 'nothing%' THEN q.payload END)::zcsync.prepared)
	FROM zcsync.sync_queue q WHERE q.job_id = ANY (ids)
$$;
CREATE FUNCTION zcsync._operation_test() RETURNS zcsync.operation LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT zcsync._describe_operation('test', p_prepare => 'public.prepare(bigint, bigint[])'::regprocedure) $$;
SELECT zcsync.alter_queue('task-sync', concurrency => 1);
UPDATE zcsync.account_budgets SET tokens = 1.5, refilled_at = zcsync._now() WHERE account_id = zcsync.account('t') AND class = 'api';
SELECT count(*) FROM generate_series(1, 300) AS i, LATERAL job('nothing' || i);
SELECT job('edit');
SELECT spent() AS before \gset
SELECT * FROM claim(1);
SELECT spent() - :before AS calls;
SELECT * FROM jobs;
SELECT * FROM finish(1, 'done');
UPDATE zcsync.account_budgets SET tokens = 1.5, refilled_at = zcsync._now() WHERE account_id = zcsync.account('t') AND class = 'api';
SELECT count(*) FROM generate_series(1, 4000) AS i, LATERAL job('nothing' || i);
SELECT * FROM claim(1);
SELECT count(*) < 2000 AS most_ended, count(*) > 0 AS some_left FROM jobs;
SELECT count(*) FROM generate_series(1, 2) AS g CROSS JOIN LATERAL claim(g);
SELECT * FROM jobs;
DROP FUNCTION zcsync._operation_test, prepare;
SELECT zcsync.alter_queue('task-sync', concurrency => 10);

-- while the breaker is open one job goes alone as the probe
SELECT job('a' || i, 'post') FROM generate_series(1, 4) AS i;
UPDATE zcsync.accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), breaker_until = zcsync._now();
SELECT * FROM claim(1);

DROP VIEW jobs;
DROP FUNCTION claim, finish, job, spent;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
