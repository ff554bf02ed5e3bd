-- The queue: enqueue and join, claim within limits, finish, retry, cancel.
-- The worker is stopped; what it does is done here by hand.
\set ON_ERROR_STOP off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('t', 'clickup', '{"workspace_id": "1"}') > 0 AS added;
-- how the queues are set up, as the requirements have it
SELECT name, concurrency, max_attempts, backoff_base, keep_completed, keep_failed FROM zcsync.queues ORDER BY name;

-- claim as somebody, and end what was claimed in one way
CREATE FUNCTION claim(inc bigint, n integer DEFAULT 100) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT format('%s attempt %s', c.request ->> 'op', c.attempts)
   FROM zcsync._claim_jobs(inc, zcsync.account('t'), n) c ORDER BY 1 $$;
CREATE FUNCTION finish(inc bigint, class text, status integer DEFAULT 400, delay bigint DEFAULT 0, unclear boolean DEFAULT false,
	request jsonb DEFAULT '{}')
RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT f.how FROM (
		SELECT array_agg(ROW(q.job_id, q.attempts, class, status, 'the vendor said no', NULL, delay, unclear, request, NULL, 0)::zcsync.outcome) AS outcomes
		FROM zcsync.sync_queue q WHERE q.state = 'running' AND q.claimed_by = inc) r,
	LATERAL zcsync._finish_jobs(inc, zcsync.account('t'), r.outcomes) f
$$;
CREATE FUNCTION job(record text, name text, priority integer DEFAULT 50, queue text DEFAULT 'task-sync') RETURNS void LANGUAGE sql AS
$$ SELECT zcsync._enqueue(zcsync._job(zcsync.account('t'), queue, 'test', 'api', record, name, format('{"op": "%s"}', name)::jsonb, priority)) $$;
CREATE VIEW jobs AS
SELECT dedupe_key AS job, state, attempts, failures, joins, last_class, run_at > zcsync._now() AS later
FROM zcsync.sync_queue ORDER BY job_id;

-- a ready job is joined, a running one is not
SELECT job('r1', 'a');
SELECT job('r1', 'a');
SELECT * FROM jobs;
SELECT * FROM claim(1);
SELECT job('r1', 'a');
SELECT * FROM jobs;
-- many at once: each is new or joins, and one that joins changes neither the time of the waiting one nor its later version
CREATE FUNCTION jobs(hurry boolean, versions text[]) RETURNS SETOF boolean LANGUAGE sql AS $$
	SELECT e.is_first FROM zcsync._enqueue(ARRAY(
		SELECT zcsync._job(zcsync.account('t'), 'task-sync', 'test', '', 's' || n, 's' || n, jsonb_build_object('op', 's' || n, v, true),
			p_priority => 90 - n::integer, p_run_at => CASE WHEN n = 1 THEN zcsync._now() + interval '1 hour' END, p_version => v)
		FROM unnest(versions) WITH ORDINALITY AS u (v, n)), hurry) AS e
$$;
CREATE VIEW many AS SELECT dedupe_key, joins, priority, version, payload, run_at > zcsync._now() AS later
FROM zcsync.sync_queue WHERE dedupe_key LIKE 's_' ORDER BY job_id;
SELECT * FROM jobs(false, '{7,7}');
SELECT * FROM many;
SELECT * FROM jobs(false, '{8,6,5}');
SELECT * FROM many;
UPDATE zcsync.sync_queue SET run_at = zcsync._now() + interval '2 hours', unclear_since = CASE dedupe_key WHEN 's2' THEN zcsync._now() END
WHERE dedupe_key LIKE 's_';
SELECT * FROM jobs(true, '{8,8,8}');
SELECT dedupe_key, later FROM many;
DELETE FROM zcsync.sync_queue WHERE dedupe_key LIKE 's_';
-- the second one waits for the first: one job per record
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT operation, status, attempts FROM zcsync.sync_records ORDER BY job_id;

-- priority first, then age; not more than asked for
SELECT job('r' || i, 'p' || i, 50 - i) FROM generate_series(1, 4) i;
SELECT * FROM claim(1, 2);
SELECT * FROM finish(1, 'done');

-- not more than the queue's concurrency, and none of a paused queue
SELECT zcsync.alter_queue('task-sync', concurrency => 1);
SELECT * FROM claim(1);
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT zcsync.pause_queue('task-sync');
SELECT * FROM claim(1);
SELECT zcsync.resume_queue('task-sync');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT zcsync.alter_queue('task-sync', concurrency => 5);

-- not more than the budget: a bucket holds a fifth of the usable limit
UPDATE zcsync.account_budgets SET calls = 25, share = 1, tokens = 5, window_s = 60, refilled_at = now() WHERE class = 'api';
SELECT zcsync.alter_queue('task-sync', concurrency => 100);
SELECT job('r' || i, 'b' || i) FROM generate_series(1, 8) i;
SELECT count(*) FROM claim(1);
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');
-- 20 a minute come back: 7 seconds later there are two more
UPDATE zcsync.account_budgets SET refilled_at = refilled_at - interval '7 seconds' WHERE class = 'api';
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');
-- a pause holds everything back
UPDATE zcsync.account_budgets SET tokens = 5 WHERE class = 'api';
SELECT zcsync._note_limits(zcsync.account('t'), 'api', 100, 0, 60, 30000);
SELECT count(*) FROM claim(1);
SELECT calls, remote_limit, remote_remaining, tokens < 1 AS empty, paused_until > now() AS paused, throttled_total FROM zcsync.account_budgets WHERE class = 'api';
UPDATE zcsync.account_budgets SET calls = 10000, tokens = 1000, paused_until = NULL WHERE class = 'api';
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');

-- What a budget allows at a moment, and why nothing: claim, views and checks ask one function.
BEGIN;
DELETE FROM zcsync.sync_queue;
CREATE FUNCTION allowed(change text, running integer DEFAULT 0, later interval DEFAULT '0')
RETURNS TABLE (calls integer, tokens integer, next_in interval, limited_by text) LANGUAGE plpgsql AS
$$
BEGIN
	UPDATE zcsync.accounts SET state = 'active', breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
	UPDATE zcsync.account_budgets
	SET calls = 300, share = 1, window_s = 60, concurrency = 50, tokens = 20, refilled_at = zcsync._now(), paused_until = NULL,
		lowered_from = NULL, lowered_at = NULL
	WHERE class = 'api';
	IF change IS NOT NULL THEN
		EXECUTE 'UPDATE zcsync.' || change;
	END IF;
	RETURN QUERY
	SELECT a.calls, floor(a.tokens)::integer, date_trunc('second', nullif(a.next_at, 'infinity') - zcsync._now()), a.limited_by
	FROM zcsync._allowances(zcsync.account('t'), zcsync._now() + later, array_fill('api'::text, ARRAY[running])) a WHERE a.class = 'api';
END
$$;
SELECT * FROM allowed(NULL);
SELECT * FROM allowed(NULL, later => '5 seconds');
SELECT * FROM allowed(NULL, later => '1 hour');
SELECT * FROM allowed(NULL, later => '-1 hour');
SELECT * FROM allowed(NULL, running => 45);
SELECT * FROM allowed(NULL, running => 60);
SELECT * FROM allowed('account_budgets SET tokens = -19');
SELECT * FROM allowed($$account_budgets SET paused_until = zcsync._now() + interval '7 seconds'$$);
SELECT * FROM allowed($$account_budgets SET calls = 30, lowered_from = 300, lowered_at = zcsync._now() - interval '23 hours'$$);
SELECT * FROM allowed($$account_budgets SET calls = 30, lowered_from = 300, lowered_at = zcsync._now() - interval '24 hours'$$);
SELECT * FROM allowed($$accounts SET state = 'paused'$$);
SELECT * FROM allowed($$accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), breaker_until = zcsync._now() + interval '30 seconds'$$);
SELECT * FROM allowed($$accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), breaker_until = zcsync._now()$$);
SELECT * FROM allowed($$accounts SET breaker_failures = 3, breaker_opened_at = zcsync._now(), breaker_until = zcsync._now()$$, running => 1);
SELECT * FROM allowed($$accounts SET breaker_opened_at = zcsync._now(), breaker_until = zcsync._now()$$, later => '2 seconds');
SELECT * FROM allowed($$accounts SET breaker_opened_at = zcsync._now(), breaker_until = zcsync._now()$$, later => '11 seconds');
SELECT calls, tokens, limited_by FROM zcsync._allowances_now() WHERE account_id = zcsync.account('t') AND class = 'api';
ROLLBACK;

-- rejected: counts, and is a dead letter after three attempts
SELECT job('r1', 'bad');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected', 422);
SELECT * FROM jobs;
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected', 422);
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected', 422);
SELECT * FROM jobs;
SELECT dedupe_key, class, status, message, attempts FROM zcsync.dead_letters;
SELECT zcsync.retry(job_id) > 0 AS retried FROM zcsync.dead_letters;
SELECT * FROM jobs;
SELECT count(*) FROM zcsync.dead_letters;

-- throttled and vendor: spend no attempt
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'throttled', 429, 5000);
SELECT * FROM jobs;
UPDATE zcsync.sync_queue SET run_at = now();
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'vendor', 503);
SELECT * FROM jobs;
SELECT breaker_failures, breaker_until FROM zcsync.accounts;
-- three failures of the vendor in a row open the breaker
SELECT job('r' || i, 'v' || i) FROM generate_series(2, 4) i;
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'vendor', 503);
SELECT breaker_failures >= 3 AS open, breaker_until > now() AS waits FROM zcsync.accounts;
SELECT count(*) FROM claim(1);
-- then one probe, and with its answer the breaker closes
UPDATE zcsync.accounts SET breaker_until = now();
SELECT count(*) FROM claim(1);
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT breaker_failures, breaker_opened_at IS NOT NULL AS ramp FROM zcsync.accounts;
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');
UPDATE zcsync.accounts SET breaker_until = now() - interval '11 seconds';
SELECT count(*) FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT breaker_failures, breaker_opened_at FROM zcsync.accounts;
-- but not for ever: what counts is for how long it has failed, and not how long it has waited for its turn
SELECT job('r1', 'old');
UPDATE zcsync.sync_queue SET created_at = now() - interval '4 days', run_at = now() - interval '4 days';
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'throttled', 429, 3600000);
SELECT dedupe_key, failing_for FROM zcsync.sync_queue;
UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = calls;
UPDATE zcsync.sync_queue SET run_at = now() - interval '4 days';
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'vendor', 503, 60000);
SELECT dedupe_key, failing_for FROM zcsync.sync_queue;
-- what goes on, or is tried again by hand, begins anew
BEGIN;
SELECT zcsync.retry(job_id) > 0 AS retried FROM zcsync.sync_queue;
SELECT failing_for FROM zcsync.sync_queue;
ROLLBACK;
BEGIN;
UPDATE zcsync.sync_queue SET run_at = now();
SELECT * FROM claim(1);
SELECT zcsync._record_endings(ARRAY[ROW(job_id, 'again', 'done', NULL, NULL, false)::zcsync.ending], '{}') FROM zcsync.sync_queue;
SELECT failing_for FROM zcsync.sync_queue;
ROLLBACK;
UPDATE zcsync.sync_queue SET run_at = now(), failing_for = '73 hours';
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'vendor', 503);
SELECT dedupe_key, class FROM zcsync.dead_letters;
DELETE FROM zcsync.dead_letters;
UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;

-- a create whose reply was lost waits for the request to have ended
SELECT job('r1', 'create');
UPDATE zcsync.sync_queue SET payload = '{"op": "create", "create": true}';
SELECT * FROM claim(1);
SELECT unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue;
SELECT * FROM finish(1, 'vendor', 504, unclear => true);
SELECT unclear_since IS NOT NULL AS unclear, run_at >= now() + interval '59 seconds' AS waits FROM zcsync.sync_queue;
-- a look-up that fails leaves it so
UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;
UPDATE zcsync.sync_queue SET run_at = now(), payload = '{"op": "find"}';
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'vendor', 503);
SELECT unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue;
-- a create that was refused is clear
UPDATE zcsync.sync_queue SET run_at = now(), payload = '{"op": "create", "create": true}';
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected', 400, request => '{"op": "create", "create": true}');
SELECT unclear_since IS NOT NULL AS unclear FROM zcsync.sync_queue;
SELECT zcsync.cancel(job_id) FROM zcsync.sync_queue;
UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL;

-- refused for want of rights: a probe decides; its refusal stops the account
SELECT job('r1', 'auth');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'auth', 401);
SELECT job, state, failures, last_class FROM jobs;
UPDATE zcsync.sync_queue SET payload = '{"op": "probe"}' WHERE operation = 'probe';
SELECT * FROM claim(1, 1);
SELECT * FROM finish(1, 'auth', 401);
SELECT job, state, failures, last_class FROM jobs;
SELECT state, state_reason FROM zcsync.accounts;
SELECT code, object, severity FROM zcsync.alerts WHERE resolved_at IS NULL;
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;

-- held jobs are released or dropped
UPDATE zcsync.sync_queue SET state = 'held';
SELECT count(*) FROM claim(1);
SELECT zcsync.release_held('t');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT job('r1', 'held');
UPDATE zcsync.sync_queue SET state = 'held';
SELECT zcsync.cancel_held();
SELECT * FROM jobs;
SELECT status, message ~ '^cancelled by ' AS by FROM zcsync.sync_records ORDER BY created_at DESC, job_id DESC LIMIT 1;

-- a worker that dies: its jobs go back; one that kills ten workers does not
SELECT job('r1', 'killer');
SELECT * FROM claim(7);
SELECT zcsync._recover_jobs(1);
SELECT job, state, attempts, failures, last_class FROM jobs;
UPDATE zcsync.sync_queue SET crashes = 9;
SELECT * FROM claim(7);
SELECT zcsync._recover_jobs(1);
SELECT dedupe_key, class FROM zcsync.dead_letters;
-- as often as it died, and not as often as somebody's lock kept the job
SELECT job('r1', 'blocked');
SELECT * FROM claim(7);
BEGIN;
SELECT job('r2', 'blocked');
PREPARE TRANSACTION 'regress_twin';
SELECT zcsync._recover_jobs(1), zcsync._recover_jobs(1);
SELECT state, crashes FROM zcsync.sync_queue WHERE dedupe_key = 'blocked';
ROLLBACK PREPARED 'regress_twin';
SELECT zcsync._recover_jobs(1);
SELECT state, crashes FROM zcsync.sync_queue WHERE dedupe_key = 'blocked';
DELETE FROM zcsync.sync_queue WHERE dedupe_key = 'blocked';
-- one that lives keeps them
SELECT zcsync._claimant_register('run') AS inc \gset
SELECT job('r1', 'mine');
SELECT * FROM claim(:inc);
SELECT zcsync._recover_jobs(1);
SELECT zcsync._claimant_alive(:inc), zcsync._claimant_alive(7);

-- errors
SELECT zcsync.retry(NULL);
SELECT zcsync.retry(-1);
SELECT zcsync.cancel(-1);
SELECT zcsync.cancel(job_id) FROM zcsync.sync_queue WHERE state = 'running';
SELECT zcsync.pause_queue('nope');
SELECT zcsync.pause_queue(NULL);
SELECT zcsync.alter_queue('task-sync', concurrency => 0);
SELECT zcsync.alter_queue('task-sync', backoff_base => '-1 s');
SELECT zcsync.release_held('nope');
SELECT zcsync.enqueue('task-sync', 'dance', 't/tasks');
SELECT zcsync.enqueue('task-sync', 'pull', NULL);
SELECT zcsync.enqueue('task-sync', 'pull', 't/tasks', run_at => 'infinity');
SELECT zcsync.enqueue('task-sync', 'pull', 't/tasks');
BEGIN;
CALL zcsync.run();
ROLLBACK;
CALL zcsync.run(NULL);
CALL zcsync.run('-1 s');
CALL zcsync.run('1000 hours');
CALL zcsync.run('30 days 1 s');
CALL zcsync.run('2000000000 days');
CALL zcsync.run('100 years');
CALL zcsync.run('1 s');

-- the claim reads by index, however many jobs wait
SELECT count(*) FROM (SELECT job('x' || i, 'x' || i) FROM generate_series(1, 3000) i) j;
ANALYZE zcsync.sync_queue;
EXPLAIN (COSTS OFF)
SELECT q.job_id FROM zcsync.sync_queue q
WHERE q.account_id = 1 AND q.queue = 'task-sync' AND q.budget_class = 'api' AND q.state = 'ready' AND q.run_at <= now()
ORDER BY q.priority, q.run_at, q.job_id LIMIT 10;

-- an operation is what a function returns: its hooks are called for its jobs, and those that are none are refused
SELECT name, prepare IS NOT NULL AS prepare, finish IS NOT NULL AS finish, run, writes, alone, recurs, authenticates FROM zcsync._operations();
CREATE FUNCTION greet(account bigint, ids bigint[]) RETURNS zcsync.prepared[] LANGUAGE sql AS
$$ SELECT array_agg(ROW(q.job_id, jsonb_build_object('op', 'hello ' || q.dedupe_key))::zcsync.prepared) FROM zcsync.sync_queue q WHERE q.job_id = ANY (ids) $$;
CREATE FUNCTION greeted(outcomes zcsync.outcome[]) RETURNS zcsync.ending[] LANGUAGE sql AS
$$ SELECT array_agg(ROW(o.job_id, CASE WHEN o.attempts < 2 THEN 'again' ELSE 'ended' END, 'greeted', 1, NULL, false)::zcsync.ending) FROM unnest(outcomes) o $$;
CREATE FUNCTION mourn(kind text, id bigint, state text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE WARNING '% % is %', kind, id, state; END $$;
CREATE FUNCTION by_hand(queue text, reference text, priority integer, run_at timestamptz) RETURNS zcsync.new_job LANGUAGE sql AS
$$ SELECT zcsync._job(zcsync.account('t'), queue, 'greet', 'api', reference, reference, p_priority => priority, p_run_at => run_at, p_kind => 'people', p_local_id => 7) $$;
CREATE FUNCTION operation_greet() RETURNS zcsync.operation LANGUAGE sql AS
$$ SELECT zcsync._describe_operation('greet', 'public.greet(bigint, bigint[])'::regprocedure, 'public.greeted(zcsync.outcome[])'::regprocedure,
	p_shelve => 'public.mourn(text, bigint, text)'::regprocedure, p_by_hand => 'public.by_hand(text, text, integer, timestamptz)'::regprocedure) $$;
DELETE FROM zcsync.sync_queue;
DELETE FROM zcsync.sync_records;
UPDATE zcsync.account_budgets SET tokens = 50;
-- jobs that ended are events: a trigger is told of them
CREATE TABLE told (operation text, status text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.told SELECT n.operation, n.status FROM new_rows AS n; RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON zcsync.sync_records REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell();
SELECT zcsync.enqueue('task-sync', 'greet', 'Ann') > 0 AS queued;
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'done');
SELECT operation, status, changed, attempts FROM zcsync.sync_records;
SELECT zcsync.enqueue('task-sync', 'greet', 'Bob') AS bob \gset
SELECT zcsync.cancel(:bob);
SELECT zcsync.alter_queue('task-sync', max_attempts => 1);
SELECT zcsync.enqueue('task-sync', 'greet', 'Cid') AS cid \gset
SELECT * FROM claim(1);
SELECT * FROM finish(1, 'rejected');
SELECT * FROM told;
DROP TRIGGER tell ON zcsync.sync_records;
DROP TABLE told;
DROP FUNCTION tell;
SELECT zcsync.retry(:cid) > 0 AS again;
SELECT zcsync.enqueue('task-sync', 'shout', 'Dan');
CREATE OR REPLACE FUNCTION operation_greet() RETURNS zcsync.operation LANGUAGE sql AS
$$ SELECT zcsync._describe_operation('greet', 'public.mourn(text, bigint, text)'::regprocedure) $$;
SELECT * FROM claim(1);
DROP FUNCTION operation_greet, mourn;
DELETE FROM zcsync.sync_queue;
SELECT count(*) FROM zcsync._operations() WHERE name = 'greet';

-- The clock is set back by two hours: nothing waits for it.  A budget holds what it
-- held, and what was to be done in a minute is done in a minute.
UPDATE zcsync.accounts SET breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL, state = 'active';
UPDATE zcsync.account_budgets SET tokens = 20, refilled_at = zcsync._now(), paused_until = NULL;
SELECT zcsync.alter_queue('task-sync', max_attempts => 3);
SELECT zcsync._note_clock() IS NULL AS steady;
SELECT FROM zcsync.add_stream('t', 'tasks', scope => '{"list_ids": ["1"]}', pull_interval => '10 minutes');
DELETE FROM zcsync.sync_queue;
SET zcsync.clock_offset = 7200;
SELECT zcsync._enqueue_due_pulls() > 0 AS due;
DELETE FROM zcsync.sync_queue;
SELECT job('soon', 'soon');
SELECT job('later', 'later');
SELECT * FROM claim(1, 1);
SELECT * FROM finish(1, 'rejected', delay => 60000);
UPDATE zcsync.account_budgets SET paused_until = zcsync._now() + interval '30 seconds' WHERE class = 'api';
RESET zcsync.clock_offset;
SELECT a.tokens = b.tokens AS held, a.calls, a.limited_by
FROM zcsync.account_budgets b JOIN zcsync._allowances(b.account_id, zcsync._now(), '{}') a USING (class) WHERE b.class = 'api';
SELECT zcsync._recover_jobs(1);
SELECT dedupe_key, run_at <= zcsync._now() AS due, run_at < zcsync._now() + interval '61 seconds' AS soon FROM zcsync.sync_queue ORDER BY 1;
SELECT bool_and(next_pull_at < zcsync._now() + interval '601 seconds') AS streams FROM zcsync.streams;
SELECT paused_until < zcsync._now() + interval '31 seconds' AS pause FROM zcsync.account_budgets WHERE class = 'api';
UPDATE zcsync.account_budgets SET paused_until = NULL;
SELECT count(*) AS due FROM zcsync._due_accounts();
SELECT * FROM claim(1);
DELETE FROM zcsync.sync_queue;

-- errors that are not the fault of a row
SELECT string_agg(s, ' ') FROM unnest('{22012,23505,25P02,40001,40P01,53200,55000,55006,55P03,57014,58030,P0001,XX000,XX001,XX002}'::text[]) AS s
WHERE zcsync._is_servers_error(s);
SELECT zcsync._is_servers_error('x');

DROP VIEW jobs;
DROP FUNCTION claim, finish, job;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
