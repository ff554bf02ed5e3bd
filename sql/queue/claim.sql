-- ---------------------------------------------------------------------
-- The queue: how jobs are claimed.  enqueue.sql says how a job gets into the queue,
-- budget.sql what an account may send, finish.sql what becomes of a job after its call
-- or when its worker is gone, verbs.sql what operators call.
--
-- Life of a job: ready -> running -> gone, with a row in sync_records; or back
-- to ready with a later run_at; or held; or to dead_letters.  Claiming, sending
-- and finishing are three steps, and a transaction each for the first and the
-- last: state, attempts and claimant are durable before anything is sent.
--
-- Statistics of a queue are always out of date: it is empty one moment and holds a
-- million rows the next.  So the functions that read it tell the planner what it cannot
-- know: that it must use the index (enable_seqscan = off).  The high cost that such a
-- plan seems to have would start JIT compilation for nothing, so that is off, too.
--
-- Only the engine (src/engine.c) calls _due_accounts(), _claim_jobs(),
-- _finish_jobs() and _recover_jobs(); isolation tests call them too.
-- ---------------------------------------------------------------------

-- Does the process that took this incarnation still live?  Yes, as long as a session
-- holds the lock that belongs to the incarnation.
CREATE FUNCTION zcsync._claimant_alive(p_incarnation bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_claimant_alive';
COMMENT ON FUNCTION zcsync._claimant_alive(bigint) IS
'does the process that claimed jobs under this number still live?';

-- Become a claimant: take a random incarnation number and its session lock.
CREATE FUNCTION zcsync._claimant_register(p_role text) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_claimant_register';
COMMENT ON FUNCTION zcsync._claimant_register(text) IS
'takes an incarnation number and its session lock, for the process that calls it';

CREATE FUNCTION zcsync._claimant_insert(p_incarnation bigint, p_pid integer, p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.claimants (incarnation, pid, role) VALUES (p_incarnation, p_pid, p_role);
END
$$;
COMMENT ON FUNCTION zcsync._claimant_insert(bigint, integer, text) IS
'records a claimant; its lock is already held';

-- The time a request may take, by the setting.
CREATE FUNCTION zcsync._request_timeout() RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(pg_catalog.current_setting('zcsync.request_timeout', true), ''), '30s')::interval;
END;
COMMENT ON FUNCTION zcsync._request_timeout() IS
'zcsync.request_timeout as an interval';

-- Exponential backoff with jitter: base * 2^failures, capped, times 0.5 to 1.5.
CREATE FUNCTION zcsync._backoff(p_base interval, p_cap interval, p_failures integer) RETURNS interval
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT least(p_base * power(2, least(greatest(p_failures, 0), 30)), p_cap) * (0.5 + random());
END;
COMMENT ON FUNCTION zcsync._backoff(interval, interval, integer) IS
'delay before the next attempt: exponential from the base up to the cap, with jitter';

-- Queue one job that fetches an access token, for all jobs that wait for it.
CREATE FUNCTION zcsync._enqueue_token(p_account bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.sync_queue q
	WHERE q.account_id = p_account AND q.record_key = 'token' AND q.state = 'running';
	IF NOT FOUND THEN
		PERFORM zcsync._enqueue(zcsync._job(p_account, 'account', 'token', 'token', 'token', 'token', '{}', 0));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_token(bigint) IS
'queues the fetch of an access token unless one is under way';

-- ---------------------------------------------------------------------
-- Claim
-- ---------------------------------------------------------------------

-- Accounts with a job that is due and a budget that allows a call.  Whether the queue
-- has as many jobs running as it may is left to the claim.
CREATE FUNCTION zcsync._due_accounts() RETURNS TABLE (account_id bigint, version bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	-- The sort order is that of the index sync_queue_claim.  Otherwise the planner
	-- would read all ready jobs in the order of their times, once for each queue that
	-- has none.
	RETURN QUERY
	SELECT a.account_id, a.version
	FROM zcsync.accounts a
	WHERE a.state = 'active'
		AND EXISTS (
			SELECT FROM zcsync.queues qs
			CROSS JOIN zcsync._allowances(a.account_id, v_now, '{}') b
			CROSS JOIN LATERAL (
				SELECT FROM zcsync.sync_queue q
				WHERE q.account_id = a.account_id AND q.queue = qs.name
					AND q.budget_class = b.class AND q.state = 'ready' AND q.run_at <= v_now
				ORDER BY q.priority, q.run_at, q.job_id
				LIMIT 1) due
			WHERE qs.state = 'active' AND b.calls > 0);
END
$$;
COMMENT ON FUNCTION zcsync._due_accounts() IS
'active accounts with a job that is due and a budget that allows a call';

-- Jobs of an account that may be sent now, locked: at most p_max calls of p_batch jobs
-- each, within the limits of their queues and budgets, on the assumption that the jobs
-- fill their calls.  The caller holds the account's lock, so nobody else claims jobs of
-- this account; the jobs that run (p_records and p_queues, a queue for each call) can
-- only become fewer.
--
-- The jobs come in the order of the index sync_queue_claim.  A plan that sorts would
-- read all that wait, hence enable_sort = off, for this function's statements only.
CREATE FUNCTION zcsync._claim_candidates(p_account bigint, p_max integer, p_batch integer, p_token_only boolean,
	p_records text[], p_queues text[], p_budgets zcsync._allowance[], OUT ids bigint[], OUT operations text[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_may_write boolean := zcsync._may_write();
	v_writing text[];			-- operations that write, where writing is not allowed
	v_alone text[];				-- operations whose jobs travel alone
BEGIN
	SELECT array_agg(o.name) FILTER (WHERE o.writes AND NOT v_may_write), array_agg(o.name) FILTER (WHERE o.alone)
	INTO v_writing, v_alone
	FROM zcsync._operations() o;
	-- The candidates of each queue and class are taken by themselves, so that neither a
	-- full queue nor an empty bucket hides the jobs of another; then the limits of each
	-- are applied.
	SELECT array_agg(c.job_id), array_agg(c.operation)
	INTO ids, operations
	FROM (
		SELECT d.*,
			row_number() OVER (PARTITION BY d.queue ORDER BY d.priority, d.run_at, d.job_id) AS in_queue,
			row_number() OVER (PARTITION BY d.budget_class ORDER BY d.priority, d.run_at, d.job_id) AS in_class,
			row_number() OVER (PARTITION BY d.record_key ORDER BY d.priority, d.run_at, d.job_id) AS in_record,
			row_number() OVER (PARTITION BY d.budget_class, d.operation = ANY (v_alone) ORDER BY d.priority, d.run_at, d.job_id) AS in_kind,
			row_number() OVER (ORDER BY d.priority, d.run_at, d.job_id) AS in_all
		FROM (
			SELECT q.*, free.in_queue AS free_in_queue, free.in_class AS free_in_class
			FROM zcsync.queues qs
			CROSS JOIN unnest(p_budgets) b
			CROSS JOIN LATERAL (
				SELECT p_batch * (qs.concurrency - cardinality(array_positions(p_queues, qs.name))) AS in_queue,
					p_batch::bigint * b.calls AS in_class
				OFFSET 0) free
			CROSS JOIN LATERAL (
				SELECT q.job_id, q.operation, q.queue, q.budget_class, q.record_key, q.priority, q.run_at
				FROM zcsync.sync_queue q
				WHERE q.account_id = p_account AND q.queue = qs.name AND q.budget_class = b.class
					AND q.state = 'ready' AND q.run_at <= v_now
					AND (v_writing IS NULL OR q.operation <> ALL (v_writing))
					AND (NOT p_token_only OR q.operation = 'token')
					AND q.record_key NOT IN (SELECT unnest(p_records))
				ORDER BY q.priority, q.run_at, q.job_id
				LIMIT greatest(0, least(p_max * p_batch, free.in_queue, free.in_class))
				FOR UPDATE SKIP LOCKED) q
			WHERE qs.state = 'active' AND b.calls > 0
		) d
	) c
	WHERE c.in_queue <= c.free_in_queue AND c.in_class <= c.free_in_class AND c.in_record = 1
		AND c.in_all <= p_max * p_batch
		AND (c.operation <> ALL (v_alone) OR c.in_kind <= c.free_in_class / p_batch);
END
$$;
COMMENT ON FUNCTION zcsync._claim_candidates(bigint, integer, integer, boolean, text[], text[], zcsync._allowance[]) IS
'jobs of an account that its budgets and the limits of its queues let through now, locked';

-- Which of these jobs travel together, and which may be sent now: at most p_max calls,
-- within the limits of queues and budgets.  Requests of one queue and class with the
-- same member "batch" share calls of p_batch jobs; a job that was refused in such a
-- call travels in a smaller one.  A call is named after its first job.  call_ids is
-- NULL for jobs that travel alone, and for those that are refused before they are sent.
CREATE FUNCTION zcsync._group_calls(p_max integer, p_batch integer, p_queues text[], p_budgets zcsync._allowance[],
	INOUT ids bigint[], INOUT requests jsonb[], OUT call_ids bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	WITH job AS (
		SELECT r.job_id, r.request, q.queue, q.budget_class,
			coalesce(r.request ->> 'batch', CASE WHEN r.request ? 'refuse' THEN 'refuse' ELSE r.job_id::text END) AS key,
			least(p_batch, q.batch_max) AS size, row_number() OVER (ORDER BY q.priority, q.run_at, q.job_id) AS position
		FROM unnest(ids, requests) AS r (job_id, request)
		JOIN zcsync.sync_queue q ON q.job_id = r.job_id
		WHERE r.request IS NOT NULL),
	sliced AS (
		SELECT j.*, (row_number() OVER (PARTITION BY j.queue, j.budget_class, j.key, j.size ORDER BY j.position) - 1) / j.size AS slice
		FROM job j),
	call AS (
		SELECT s.*, first_value(s.position) OVER w AS call, first_value(s.job_id) OVER w AS call_id
		FROM sliced s
		WINDOW w AS (PARTITION BY s.queue, s.budget_class, s.key, s.size, s.slice ORDER BY s.position)),
	ranked AS (
		SELECT c.*, dense_rank() OVER (PARTITION BY c.queue ORDER BY c.call) AS in_queue,
			dense_rank() OVER (PARTITION BY c.budget_class ORDER BY c.call) AS in_class,
			dense_rank() OVER (ORDER BY c.call) AS in_all
		FROM call c)
	SELECT array_agg(r.job_id ORDER BY r.call, r.position), array_agg(r.request ORDER BY r.call, r.position),
		array_agg(CASE WHEN r.request ? 'batch' THEN r.call_id END ORDER BY r.call, r.position)
	INTO ids, requests, call_ids
	FROM ranked r
	JOIN zcsync.queues qs ON qs.name = r.queue
	JOIN unnest(p_budgets) b ON b.class = r.budget_class
	WHERE r.in_all <= p_max AND r.in_class <= b.calls
		AND r.in_queue <= qs.concurrency - cardinality(array_positions(p_queues, qs.name));
END
$$;
COMMENT ON FUNCTION zcsync._group_calls(integer, integer, text[], zcsync._allowance[], bigint[], jsonb[]) IS
'puts jobs whose requests may travel together into calls, and leaves out what the limits do not allow now';

-- Jobs of an account that are to be sent now, with their requests and the calls in
-- which they travel.  A job ends here if it has nothing to send because its row is
-- equal to what the vendor has; its operation may also put it off.  Then the queue is
-- read again, for more jobs than before, so that jobs behind many of that kind do not
-- wait for them.  The result more says that this stopped before the queue was
-- exhausted: there may be more such jobs.
CREATE FUNCTION zcsync._sendable_jobs(p_account bigint, p_max integer, p_batch integer, p_token_only boolean,
	p_records text[], p_queues text[], p_budgets zcsync._allowance[],
	OUT ids bigint[], OUT requests jsonb[], OUT call_ids bigint[], OUT more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
	v_found bigint[];
	v_operations text[];
	v_batch integer := p_batch;	-- how many jobs to look for, for each call
	v_off bigint[];				-- jobs that were put off
	v_off_before bigint[] := '{}';
	v_ended integer;
	v_passed integer := 0;		-- jobs that ended or were put off
BEGIN
	more := false;
	LOOP
		SELECT c.ids, c.operations INTO v_found, v_operations
		FROM zcsync._claim_candidates(p_account, p_max, v_batch, p_token_only, p_records, p_queues, p_budgets) c;
		IF v_found IS NULL THEN
			ids := NULL;
			RETURN;
		END IF;
		SELECT r.ids, r.requests INTO ids, requests FROM zcsync._requests(p_account, v_found, v_operations) AS r;
		EXIT WHEN cardinality(ids) = cardinality(v_found) AND array_position(requests, NULL) IS NULL;
		v_off := ARRAY(SELECT unnest(v_found) EXCEPT SELECT unnest(ids));
		-- a job that is found again was not put off
		EXIT WHEN v_off && v_off_before;
		v_off_before := v_off;
		DELETE FROM zcsync.sync_queue q USING unnest(ids, requests) AS r (job_id, request)
		WHERE q.job_id = r.job_id AND r.request IS NULL;
		GET DIAGNOSTICS v_ended = ROW_COUNT;
		v_passed := v_passed + v_ended + cardinality(v_off);
		more := v_passed >= 2000;
		EXIT WHEN more;
		v_batch := least(8 * v_batch, greatest(p_batch, 1000 / p_max));
	END LOOP;
	IF ids IS NULL THEN
		RETURN;
	END IF;
	IF p_batch > 1 OR v_batch > p_batch OR requests[1] ? 'batch' THEN
		SELECT g.ids, g.requests, g.call_ids INTO ids, requests, call_ids
		FROM zcsync._group_calls(p_max, p_batch, p_queues, p_budgets, ids, requests) g;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._sendable_jobs(bigint, integer, integer, boolean, text[], text[], zcsync._allowance[]) IS
'jobs of an account that are to be sent now, with requests and calls; ends those that have nothing to send';

-- Take due jobs of one account for one claimant, as many as fill p_max calls.
--
-- Returns a row for each job that is to be sent, with its request; jobs that travel
-- together are neighbours with the same call_id.  A row without a job says that some
-- jobs ended without a call, and that there may be more of them: the caller should
-- claim again at once.
CREATE FUNCTION zcsync._claim_jobs(p_claimant bigint, p_account bigint, p_max integer,
	p_token_only boolean DEFAULT false)
RETURNS TABLE (job_id bigint, attempts integer, failures integer, operation text, budget_class text,
	request jsonb, call_id bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan	-- to plan anew for each small batch takes longer than to run it
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
	v_account record;
	v_running record;
	v_budgets zcsync._allowance[];
	v_max integer;
	v_batch integer;
	v_jobs record;
BEGIN
	-- Only one session claims for an account at a time, and its snapshot is younger
	-- than the lock: this function is VOLATILE, so each statement below takes a new
	-- one.
	IF NOT pg_try_advisory_xact_lock('zcsync.sync_queue'::regclass::oid::integer,
			(p_account % 2147483647)::integer) THEN
		RETURN;
	END IF;

	v_running := zcsync._running_calls(p_account);
	v_budgets := ARRAY(SELECT b FROM zcsync._allowances(p_account, v_now, v_running.classes) b);
	v_max := least(p_max, (v_budgets[1]).at_once);
	SELECT a.breaker_failures, a.breaker_opened_at, a.breaker_until, (zcsync._vendor_of(a.vendor)).write_batch AS batch
	INTO v_account
	FROM zcsync.accounts a WHERE a.account_id = p_account;
	-- batch is NULL if the vendor's descriptor was dropped: then nothing is sent for its
	-- accounts
	IF v_budgets = '{}' OR v_max <= 0 OR v_account.batch IS NULL THEN
		RETURN;
	END IF;
	-- a probe carries one job
	v_batch := CASE WHEN v_account.breaker_failures >= 3 THEN 1 ELSE v_account.batch END;
	IF v_account.breaker_failures < 3 AND v_account.breaker_opened_at IS NOT NULL
		AND v_now - v_account.breaker_until > interval '10 seconds' THEN
		UPDATE zcsync.accounts SET breaker_opened_at = NULL, breaker_until = NULL
		WHERE account_id = p_account;
	END IF;

	v_jobs := zcsync._sendable_jobs(p_account, v_max, v_batch, p_token_only, v_running.records, v_running.queues, v_budgets);
	IF v_jobs.ids IS NOT NULL THEN
		RETURN QUERY
		WITH taken AS (
			UPDATE zcsync.sync_queue q
			SET state = 'running', attempts = q.attempts + 1, claimed_by = p_claimant, claimed_at = v_now, call_id = r.call_id,
				waits_since = NULL,
				-- This is committed before the request is sent: should the reply to
				-- this create be lost, the record is looked up before it is sent again.
				unclear_since = CASE WHEN r.request ? 'create' THEN coalesce(q.unclear_since, v_now)
									ELSE q.unclear_since END,
				lookup_floor = coalesce(q.lookup_floor, r.request ->> 'remember'),
				-- What it sends is stored as well, whatever happens to the reply.
				sent = zcsync._add_sent(q.sent, r.request, q.attempts + 1)
			FROM unnest(v_jobs.ids, v_jobs.requests, v_jobs.call_ids) AS r (job_id, request, call_id)
			WHERE q.job_id = r.job_id AND r.request IS NOT NULL
			RETURNING q.job_id, q.attempts, q.failures, q.operation, q.budget_class,
				r.request - 'sent' - 'base' AS request, r.call_id),
		spent AS (
			-- a request may name the class it spends
			SELECT zcsync._spend_calls(p_account, v_now, v_budgets, array_agg(coalesce(t.request ->> 'class', t.budget_class)))
			FROM taken t WHERE NOT t.request ? 'refuse' AND coalesce(t.call_id, t.job_id) = t.job_id)
		SELECT t.* FROM taken t CROSS JOIN spent ORDER BY t.call_id, t.job_id;
	END IF;
	IF v_jobs.more THEN
		job_id := NULL;
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._claim_jobs(bigint, bigint, integer, boolean) IS
'takes due jobs of an account within its budgets and the limits of its queues; returns what to send';

-- What pushes of a job sent, without the values that are sent again now.  The same
-- values are kept once, so that the list stays short while a vendor is down for days.
CREATE FUNCTION zcsync._sent_otherwise(p_list jsonb, p_request jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_agg(e.push ORDER BY e.n), '[]')
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS e (push, n)
	WHERE (e.push -> 'sent' <> p_request -> 'sent' OR e.push -> 'base' IS DISTINCT FROM coalesce(p_request -> 'base', 'null'))
		AND e.n > jsonb_array_length(p_list) - 19;
END;
COMMENT ON FUNCTION zcsync._sent_otherwise(jsonb, jsonb) IS
'what pushes of a job sent, without what this request sends again; at most the last 19';

-- What pushes of a job sent and the vendor may have carried out without our seeing it,
-- the oldest first: [{"attempt": number, "sent": {column: value}, "base": {column: the
-- value that was agreed on at that time}}, ...]; mirror/push.sql explains the member
-- "common".  A document with these values may arrive while the reply is on its way, or
-- after the reply was lost; this list shows that the values are our own (see
-- mirror/take.sql).  The request of a push has "sent" and "base"; they are kept here.
-- STABLE, as jsonb_build_object() is: otherwise the planner would not inline the
-- function.
CREATE FUNCTION zcsync._add_sent(p_list jsonb, p_request jsonb, p_attempt integer) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN NOT p_request ? 'sent' THEN p_list
		ELSE CASE WHEN p_list IS NULL THEN '[]' ELSE zcsync._sent_otherwise(p_list, p_request) END
			|| jsonb_build_object('attempt', p_attempt, 'sent', p_request -> 'sent', 'base', p_request -> 'base') END;
END;
COMMENT ON FUNCTION zcsync._add_sent(jsonb, jsonb, integer) IS
'what pushes of a job sent, with what this request sends';

-- The list without the push of an attempt that the vendor certainly did not carry out.
CREATE FUNCTION zcsync._sent_without(p_list jsonb, p_attempt integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_agg(e.push ORDER BY e.n)
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS e (push, n)
	WHERE (e.push ->> 'attempt')::integer <> p_attempt;
END;
COMMENT ON FUNCTION zcsync._sent_without(jsonb, integer) IS
'what pushes of a job sent, without those of an attempt; NULL: nothing';

-- The list for a job that takes over from another one and counts its attempts from 0.
CREATE FUNCTION zcsync._sent_before(p_list jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_agg(e.push || '{"attempt": 0}' ORDER BY e.n) FROM jsonb_array_elements(p_list) WITH ORDINALITY AS e (push, n);
END;
COMMENT ON FUNCTION zcsync._sent_before(jsonb) IS
'what pushes of an earlier job sent, for one that takes over from it';

-- A create whose effect is not known may have left the queue as a dead letter.  When
-- its row is written again, another push is queued.  That push must not create the
-- record blindly: it looks it up first, and not before the earlier create can have
-- ended.  The caller has locked the jobs; returns those that must wait.
CREATE FUNCTION zcsync._inherit_unclear(p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_records bigint[];
	v_early bigint[];
BEGIN
	-- Nearly always there is no unclear create, which the index of unclear jobs tells
	-- at once.
	IF NOT EXISTS (SELECT FROM zcsync.dead_letters d WHERE d.unclear_since IS NOT NULL) THEN
		RETURN NULL;
	END IF;
	v_records := ARRAY(SELECT q.local_id FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (p_ids) AND q.unclear_since IS NULL);
	WITH u AS MATERIALIZED (
		SELECT d.local_id, min(d.unclear_since) AS since, zcsync._sent_before((array_agg(d.sent ORDER BY d.died_at DESC))[1]) AS sent,
			(array_agg(d.lookup_floor ORDER BY d.died_at DESC))[1] AS lookup_floor,
			max(d.died_at) + zcsync._request_timeout() + interval '30 seconds' AS not_before
		FROM zcsync.dead_letters d
		WHERE d.local_id = ANY (v_records) AND d.unclear_since IS NOT NULL
		GROUP BY d.local_id),
	marked AS (
		UPDATE zcsync.sync_queue q
		SET unclear_since = u.since, sent = coalesce(q.sent, u.sent), lookup_floor = coalesce(q.lookup_floor, u.lookup_floor), run_at = greatest(q.run_at, u.not_before)
		FROM u
		WHERE q.job_id = ANY (p_ids) AND q.local_id = u.local_id AND q.unclear_since IS NULL
		RETURNING q.job_id, q.run_at)
	SELECT array_agg(m.job_id) INTO v_early FROM marked m WHERE m.run_at > zcsync._now();
	RETURN v_early;
END
$$;
COMMENT ON FUNCTION zcsync._inherit_unclear(bigint[]) IS
'marks pushes of records that an earlier push may have created; returns those that are not to be sent yet';

-- These records were created, or found, or looked up and not found: so it is known now
-- what earlier pushes did.  Marks of jobs that somebody has locked stay; that costs one
-- more look-up.
CREATE FUNCTION zcsync._settle_unclear(p_records bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.dead_letters d SET unclear_since = NULL
	WHERE d.job_id IN (
		SELECT l.job_id FROM zcsync.dead_letters l
		WHERE l.local_id = ANY (p_records) AND l.unclear_since IS NOT NULL
		FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._settle_unclear(bigint[]) IS
'forgets that earlier pushes of these records ended unclear';

-- The requests of writes.  If an error shows that one cannot be made, because of a value
-- that its vendor's SQL does not expect, it becomes a dead letter, and the others are
-- sent.
CREATE FUNCTION zcsync._prepare_writes(p_prepare regprocedure, p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_half integer := cardinality(p_ids) / 2;
BEGIN
	BEGIN
		RETURN zcsync._call_prepare(p_prepare, p_account, p_ids);
	EXCEPTION WHEN OTHERS THEN
		IF left(SQLSTATE, 2) NOT IN ('22', '23', 'P0') THEN		-- no value can cause that
			RAISE;
		ELSIF v_half = 0 THEN
			PERFORM zcsync._bury(p_ids[1], 'rejected', NULL, 'the request could not be made: ' || SQLERRM,
				'Give its row another value, or take the vendor''s again with zcsync.take_remote().', NULL);
			RETURN '{}';
		END IF;
	END;
	RETURN zcsync._prepare_writes(p_prepare, p_account, p_ids[:v_half])
		|| zcsync._prepare_writes(p_prepare, p_account, p_ids[v_half + 1:]);
END
$$;
COMMENT ON FUNCTION zcsync._prepare_writes(regprocedure, bigint, bigint[]) IS
'what to send for each of these writes; one for which that cannot be said becomes a dead letter';

-- The requests of jobs that are about to be claimed, made by their operations; NULL
-- where nothing is left to send.  Writes that must wait are left out, see
-- _inherit_unclear().
CREATE FUNCTION zcsync._requests(p_account bigint, p_ids bigint[], p_operations text[], OUT ids bigint[], OUT requests jsonb[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_set record;
	v_early bigint[];
	v_prepared zcsync.prepared[] := '{}';
BEGIN
	FOR v_set IN
		SELECT o.prepare, coalesce(o.writes, false) AS writes, array_agg(j.job_id) AS ids
		FROM unnest(p_ids, p_operations) AS j (job_id, operation)
		LEFT JOIN zcsync._operations() o ON o.name = j.operation
		GROUP BY o.name, o.prepare, o.writes
	LOOP
		IF v_set.writes THEN
			v_early := zcsync._inherit_unclear(v_set.ids);
			IF v_early IS NOT NULL THEN
				v_set.ids := ARRAY(SELECT unnest(v_set.ids) EXCEPT SELECT unnest(v_early));
				CONTINUE WHEN v_set.ids = '{}';
			END IF;
		END IF;
		IF v_set.prepare IS NULL THEN
			v_prepared := v_prepared || ARRAY(
				SELECT ROW(q.job_id, q.payload)::zcsync.prepared FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_set.ids));
		ELSE
			v_prepared := v_prepared || CASE WHEN v_set.writes THEN zcsync._prepare_writes(v_set.prepare, p_account, v_set.ids)
				ELSE zcsync._call_prepare(v_set.prepare, p_account, v_set.ids) END;
		END IF;
	END LOOP;
	SELECT array_agg(p.job_id), array_agg(p.request) INTO ids, requests FROM unnest(v_prepared) AS p;
END
$$;
COMMENT ON FUNCTION zcsync._requests(bigint, bigint[], text[]) IS
'what to send for each of these jobs, made by their operations';

-- The next time at which a job becomes due or a budget allows a call; NULL: nothing is
-- planned.  When jobs will be queued by schedules, _next_due_at() says.
CREATE FUNCTION zcsync._next_job_at() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN least(
		(SELECT min(q.run_at) FROM zcsync.sync_queue q WHERE q.state = 'ready' AND NOT (q.budget_class = '') AND q.run_at > v_now),
		zcsync._next_local_at(),
		(SELECT min(b.next_at)
			FROM zcsync.accounts a CROSS JOIN LATERAL zcsync._allowances(a.account_id, v_now, '{}') b
			WHERE b.next_at > v_now AND b.next_at < 'infinity'));
END
$$;
COMMENT ON FUNCTION zcsync._next_job_at() IS
'when the next job becomes due, or a budget allows the next call';

-- Is there a job that could be sent now, or as soon as a budget allows?
CREATE FUNCTION zcsync._has_due_jobs() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off	-- as in _due_accounts()
SET jit = off
AS $$
DECLARE
	v_refused text[] := ARRAY(SELECT o.name FROM zcsync._operations() o WHERE o.writes AND NOT zcsync._may_write());
BEGIN
	RETURN EXISTS (
		SELECT FROM zcsync.accounts a
		CROSS JOIN zcsync.queues qs
		CROSS JOIN LATERAL (
			SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = a.account_id AND q.queue = qs.name AND q.state = 'ready'
				AND q.run_at <= zcsync._now() AND q.operation <> ALL (v_refused)
			ORDER BY q.budget_class, q.priority, q.run_at, q.job_id
			LIMIT 1) due
		WHERE qs.state = 'active'
			AND zcsync._calls_at_once(zcsync._now(), a.state, a.breaker_failures, a.breaker_until, a.breaker_opened_at, 0) > 0);
END
$$;
COMMENT ON FUNCTION zcsync._has_due_jobs() IS
'is there a job that could be sent now, or as soon as a budget allows?';
