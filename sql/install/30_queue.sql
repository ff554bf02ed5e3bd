-- ---------------------------------------------------------------------
-- The queue: enqueue, claim, finish, recover.
--
-- Life of a job: ready -> running -> gone, with a row in sync_records; or back
-- to ready with a later run_at; or held; or to dead_letters.  Claiming, sending
-- and finishing are three steps, and a transaction each for the first and the
-- last: state, attempts and claimant are durable before anything is sent.
--
-- Statistics of a queue are always out of date: it is empty one moment and holds
-- a million rows the next.  So the functions that read it say what the planner
-- cannot know: that the index is the way (enable_seqscan = off).  The costs that
-- come of it would start jit for nothing.
--
-- Only the engine (src/engine.c) calls _due_accounts(), _claim_jobs(),
-- _finish_jobs() and _recover_jobs(); isolation tests call them too.
-- ---------------------------------------------------------------------

-- Is the process that took this incarnation still there?  True while somebody
-- holds the session lock that goes with it.
CREATE FUNCTION zcsync._claimant_alive(p_incarnation bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_claimant_alive';
COMMENT ON FUNCTION zcsync._claimant_alive(bigint) IS
'does the process that claimed jobs under this number still live?';

-- Become a claimant: take a random incarnation and its session lock.
CREATE FUNCTION zcsync._claimant_register(p_role text) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_claimant_register';
COMMENT ON FUNCTION zcsync._claimant_register(text) IS
'takes an incarnation number and its session lock, for the process that calls it';

CREATE FUNCTION zcsync._claimant_insert(p_incarnation bigint, p_pid integer, p_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
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
	SELECT coalesce(pg_catalog.current_setting('zcsync.request_timeout', true), '30s')::interval;
END;
COMMENT ON FUNCTION zcsync._request_timeout() IS
'zcsync.request_timeout as an interval';

-- Exponential backoff with jitter: base * 2^failures, capped, times 0.5 to 1.5.
CREATE FUNCTION zcsync._backoff(p_base interval, p_cap interval, p_failures integer) RETURNS interval
LANGUAGE sql VOLATILE PARALLEL SAFE
BEGIN ATOMIC
	SELECT least(p_base * power(2, least(greatest(p_failures, 0), 30)), p_cap) * (0.5 + random());
END;
COMMENT ON FUNCTION zcsync._backoff(interval, interval, integer) IS
'delay before the next attempt: exponential from the base up to the cap, with jitter';

-- ---------------------------------------------------------------------
-- Enqueue
-- ---------------------------------------------------------------------

-- Queue one job in the caller's transaction.  A ready job with the same key is
-- joined, never doubled.  The join locks that job (an update of an unindexed
-- column), so that a claim passes over it until this transaction ends: what
-- the job will read is then what this transaction wrote.
CREATE FUNCTION zcsync._enqueue(p_account bigint, p_queue text, p_operation text, p_budget_class text,
	p_record_key text, p_dedupe_key text, p_payload jsonb DEFAULT '{}', p_priority integer DEFAULT 50,
	p_run_at timestamptz DEFAULT NULL, p_stream bigint DEFAULT NULL, p_route bigint DEFAULT NULL,
	p_kind text DEFAULT NULL, p_local_id bigint DEFAULT NULL, p_state text DEFAULT 'ready')
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job bigint;
BEGIN
	INSERT INTO zcsync.sync_queue AS q
		(account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority,
		 run_at, stream_id, route_id, kind, local_id, state, enqueued_by, created_at)
	VALUES
		(p_account, p_queue, p_operation, p_budget_class, p_record_key, p_dedupe_key, p_payload, p_priority,
		 coalesce(p_run_at, zcsync._now()), p_stream, p_route, p_kind, p_local_id, p_state, session_user, zcsync._now())
	ON CONFLICT (account_id, dedupe_key) WHERE state = 'ready' DO UPDATE
		SET joins = q.joins + 1,
			payload = excluded.payload,
			priority = least(q.priority, excluded.priority),
			run_at = least(q.run_at, excluded.run_at)
	RETURNING q.job_id INTO v_job;
	PERFORM zcsync._wake();
	RETURN v_job;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue(bigint, text, text, text, text, text, jsonb, integer, timestamptz, bigint, bigint, text, bigint, text) IS
'queues a job in this transaction or joins the ready one with the same key; returns its number';

-- Queue the fetch of an access token, once for all that waits for it.
CREATE FUNCTION zcsync._enqueue_token(p_account bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.sync_queue q
	WHERE q.account_id = p_account AND q.record_key = 'token' AND q.state = 'running';
	IF NOT FOUND THEN
		PERFORM zcsync._enqueue(p_account, 'account', 'token', 'token', 'token', 'token', '{}', 0);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_token(bigint) IS
'queues the fetch of an access token unless one is under way';

-- ---------------------------------------------------------------------
-- Claim
-- ---------------------------------------------------------------------

-- The token bucket of a budget class.
--
-- It holds at most a fifth of the usable limit (calls * share) and is refilled
-- with the rest over the window, so that no window of that length, wherever it
-- begins, sees more than the usable limit.
CREATE FUNCTION zcsync._bucket_size(p_calls integer, p_share double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest(1, floor(p_calls * p_share / 5));
END;
COMMENT ON FUNCTION zcsync._bucket_size(integer, double precision) IS
'calls that a full bucket allows at once';

CREATE FUNCTION zcsync._bucket_rate(p_calls integer, p_share double precision, p_window_s double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest(p_calls * p_share - greatest(1, floor(p_calls * p_share / 5)), p_calls * p_share / 2) / p_window_s;
END;
COMMENT ON FUNCTION zcsync._bucket_rate(integer, double precision, double precision) IS
'calls a second by which a bucket is refilled';

-- Accounts that have something due to send, and a call left to send it with.
CREATE FUNCTION zcsync._due_accounts() RETURNS TABLE (account_id bigint, version bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
	-- In the order of sync_queue_claim, or else the planner would go through all
	-- ready jobs by their time, once for each queue that has none.
	RETURN QUERY
	SELECT a.account_id, a.version
	FROM zcsync.accounts a
	WHERE a.state = 'active'
		AND (a.breaker_until IS NULL OR a.breaker_until <= zcsync._now())
		AND EXISTS (
			SELECT FROM zcsync.queues qs
			CROSS JOIN zcsync.account_budgets b
			CROSS JOIN LATERAL (
				SELECT FROM zcsync.sync_queue q
				WHERE q.account_id = a.account_id AND q.queue = qs.name
					AND q.budget_class = b.class AND q.state = 'ready' AND q.run_at <= zcsync._now()
				ORDER BY q.priority, q.run_at, q.job_id
				LIMIT 1) due
			WHERE qs.state = 'active' AND b.account_id = a.account_id
				AND (b.paused_until IS NULL OR b.paused_until <= zcsync._now())
				AND b.tokens + extract(epoch FROM zcsync._now() - b.refilled_at)
					* zcsync._bucket_rate(b.calls, b.share, b.window_s) >= 1);
END
$$;
COMMENT ON FUNCTION zcsync._due_accounts() IS
'active accounts with a job that is due and a budget that allows a call';

-- Refill the token buckets of an account.
CREATE FUNCTION zcsync._refill_budgets(p_account bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	UPDATE zcsync.account_budgets b
	SET tokens = least(zcsync._bucket_size(b.calls, b.share),
			b.tokens + greatest(0, extract(epoch FROM v_now - b.refilled_at))
				* zcsync._bucket_rate(b.calls, b.share, b.window_s)),
		refilled_at = v_now,
		paused_until = CASE WHEN b.paused_until > v_now THEN b.paused_until END,
		pause_reason = CASE WHEN b.paused_until > v_now THEN b.pause_reason END
	WHERE b.account_id = p_account;
END
$$;
COMMENT ON FUNCTION zcsync._refill_budgets(bigint) IS
'refills the token buckets of an account up to now';

-- Take due jobs of one account for one claimant.
--
-- Returns a row for each job that is to be sent, with its request; jobs that
-- turn out to need no call end here.
CREATE FUNCTION zcsync._claim_jobs(p_claimant bigint, p_account bigint, p_max integer,
	p_token_only boolean DEFAULT false)
RETURNS TABLE (job_id bigint, attempts integer, failures integer, operation text, budget_class text,
	request jsonb)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off	-- candidates come in the order of sync_queue_claim, not all of them sorted
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
	v_account zcsync.accounts;
	v_max integer := p_max;
	v_may_write boolean;
	v_records text[];			-- of the jobs that run
	v_queues text[];
	v_classes text[];
	v_ids bigint[];
	v_requests jsonb[];
	v_push_ids bigint[];
	v_early bigint[];
BEGIN
	-- One claim per account at a time, and a snapshot that is younger than the
	-- lock: this function is VOLATILE, so each statement below takes its own.
	IF NOT pg_try_advisory_xact_lock('zcsync.sync_queue'::regclass::oid::integer,
			(p_account % 2147483647)::integer) THEN
		RETURN;
	END IF;

	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	IF NOT FOUND OR v_account.state <> 'active' OR v_account.breaker_until > v_now THEN
		RETURN;
	END IF;

	-- An open breaker lets one probe through; after it closed, the number of
	-- calls doubles each second.
	IF v_account.breaker_failures >= 3 THEN
		v_max := 1 - least(1, (SELECT count(*) FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.state = 'running'))::integer;
	ELSIF v_account.breaker_opened_at IS NOT NULL THEN
		IF v_now - v_account.breaker_until > '10 seconds' THEN
			UPDATE zcsync.accounts SET breaker_opened_at = NULL, breaker_until = NULL
			WHERE account_id = p_account;
		ELSE
			v_max := least(v_max, power(2, extract(epoch FROM v_now - v_account.breaker_until))::integer);
		END IF;
	END IF;
	IF v_max <= 0 THEN
		RETURN;
	END IF;

	v_may_write := zcsync._may_write();
	PERFORM zcsync._refill_budgets(p_account);

	-- What runs already.  Nobody else claims jobs of this account now, so that
	-- can only become less.
	SELECT coalesce(array_agg(r.record_key), '{}'), coalesce(array_agg(r.queue), '{}'), coalesce(array_agg(r.budget_class), '{}')
	INTO v_records, v_queues, v_classes
	FROM zcsync.sync_queue r WHERE r.account_id = p_account AND r.state = 'running';

	-- The candidates, by queue and class, so that neither a full queue nor an
	-- empty bucket hides the jobs of another; then the limits of each.
	SELECT array_agg(c.job_id) FILTER (WHERE c.operation = 'push'),
		array_agg(c.job_id) FILTER (WHERE c.operation <> 'push')
	INTO v_push_ids, v_ids
	FROM (
		SELECT d.*,
			row_number() OVER (PARTITION BY d.queue ORDER BY d.priority, d.run_at, d.job_id) AS in_queue,
			row_number() OVER (PARTITION BY d.budget_class ORDER BY d.priority, d.run_at, d.job_id) AS in_class,
			row_number() OVER (PARTITION BY d.record_key ORDER BY d.priority, d.run_at, d.job_id) AS in_record,
			row_number() OVER (ORDER BY d.priority, d.run_at, d.job_id) AS in_all
		FROM (
			SELECT q.*, free.jobs AS free_jobs, free.calls AS free_calls
			FROM zcsync.queues qs
			CROSS JOIN zcsync.account_budgets b
			CROSS JOIN LATERAL (
				SELECT qs.concurrency - cardinality(array_positions(v_queues, qs.name)) AS jobs,
					least(floor(b.tokens), b.concurrency - cardinality(array_positions(v_classes, b.class))) AS calls
				OFFSET 0) free
			CROSS JOIN LATERAL (
				SELECT q.job_id, q.operation, q.queue, q.budget_class, q.record_key, q.priority, q.run_at
				FROM zcsync.sync_queue q
				WHERE q.account_id = p_account AND q.queue = qs.name AND q.budget_class = b.class
					AND q.state = 'ready' AND q.run_at <= v_now
					AND (v_may_write OR q.operation <> 'push')
					AND (NOT p_token_only OR q.operation = 'token')
					AND q.record_key NOT IN (SELECT unnest(v_records))
				ORDER BY q.priority, q.run_at, q.job_id
				LIMIT greatest(0, least(v_max, free.jobs, free.calls))::bigint
				FOR UPDATE SKIP LOCKED) q
			WHERE qs.state = 'active' AND b.account_id = p_account AND b.paused_until IS NULL
		) d
	) c
	WHERE c.in_queue <= c.free_jobs AND c.in_class <= c.free_calls AND c.in_record = 1 AND c.in_all <= v_max;

	IF v_push_ids IS NOT NULL THEN
		v_early := zcsync._inherit_unclear(v_push_ids);
		IF v_early IS NOT NULL THEN
			v_push_ids := nullif(ARRAY(SELECT unnest(v_push_ids) EXCEPT SELECT unnest(v_early)), '{}');
		END IF;
	END IF;
	IF v_ids IS NOT NULL OR v_push_ids IS NOT NULL THEN
		SELECT * INTO v_ids, v_requests FROM zcsync._requests(v_account.vendor, v_ids, v_push_ids);

		-- Nothing to send: the row already is what the vendor has.
		DELETE FROM zcsync.sync_queue q USING unnest(v_ids, v_requests) AS r (job_id, request)
		WHERE q.job_id = r.job_id AND r.request IS NULL;

		RETURN QUERY
		WITH taken AS (
			UPDATE zcsync.sync_queue q
			SET state = 'running', attempts = q.attempts + 1, claimed_by = p_claimant, claimed_at = v_now,
				-- Durable before it is sent: should this create's reply be lost, it
				-- is looked up before it is sent again.
				unclear_since = CASE WHEN r.request ? 'create' THEN coalesce(q.unclear_since, v_now)
									ELSE q.unclear_since END
			FROM unnest(v_ids, v_requests) AS r (job_id, request)
			WHERE q.job_id = r.job_id AND r.request IS NOT NULL
			RETURNING q.job_id, q.attempts, q.failures, q.operation, q.budget_class, r.request),
		spent AS (
			UPDATE zcsync.account_budgets b
			SET tokens = b.tokens - u.calls, calls_total = b.calls_total + u.calls, last_call_at = v_now
			FROM (SELECT t.budget_class, count(*) AS calls FROM taken t GROUP BY 1) u
			WHERE b.account_id = p_account AND b.class = u.budget_class)
		SELECT t.* FROM taken t;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._claim_jobs(bigint, bigint, integer, boolean) IS
'takes due jobs of an account within its budgets and the limits of its queues; returns what to send';

-- A create whose effect is not known may have left the queue as a dead letter,
-- or be held; the row was written again since, which queued another push.
-- That one must not create blindly: it looks the record up, and not before the
-- create can have ended.  The jobs are locked by the caller; returns those
-- that must wait.
CREATE FUNCTION zcsync._inherit_unclear(p_push_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_records bigint[] := ARRAY(SELECT q.local_id FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (p_push_ids) AND q.unclear_since IS NULL);
	v_early bigint[];
BEGIN
	WITH marked AS (
		UPDATE zcsync.sync_queue q
		SET unclear_since = u.since, run_at = greatest(q.run_at, u.not_before)
		FROM (
			SELECT x.local_id, min(x.since) AS since, max(x.not_before) AS not_before
			FROM (
				SELECT d.local_id, d.unclear_since, d.died_at + zcsync._request_timeout() + interval '30 seconds'
				FROM zcsync.dead_letters d
				WHERE d.local_id = ANY (v_records) AND d.operation = 'push' AND d.unclear_since IS NOT NULL
				UNION ALL
				SELECT h.local_id, h.unclear_since, h.run_at
				FROM zcsync.sync_queue h
				WHERE h.local_id = ANY (v_records) AND h.operation = 'push' AND h.state = 'held'
					AND h.unclear_since IS NOT NULL) AS x (local_id, since, not_before)
			GROUP BY x.local_id) AS u
		WHERE q.job_id = ANY (p_push_ids) AND q.local_id = u.local_id AND q.unclear_since IS NULL
		RETURNING q.job_id, q.run_at)
	SELECT array_agg(m.job_id) INTO v_early FROM marked m WHERE m.run_at > zcsync._now();
	RETURN v_early;
END
$$;
COMMENT ON FUNCTION zcsync._inherit_unclear(bigint[]) IS
'marks pushes of records that an earlier push may have created; returns those that are not to be sent yet';

-- These records were created, or found, or found missing: what earlier pushes
-- of them did is known now.  Markers that somebody holds stay, at the price of
-- another look-up.
CREATE FUNCTION zcsync._settle_unclear(p_records bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.dead_letters d SET unclear_since = NULL
	WHERE d.job_id IN (
		SELECT l.job_id FROM zcsync.dead_letters l
		WHERE l.local_id = ANY (p_records) AND l.operation = 'push' AND l.unclear_since IS NOT NULL
		FOR UPDATE SKIP LOCKED);
	UPDATE zcsync.sync_queue q SET unclear_since = NULL
	WHERE q.job_id IN (
		SELECT h.job_id FROM zcsync.sync_queue h
		WHERE h.local_id = ANY (p_records) AND h.operation = 'push' AND h.state = 'held' AND h.unclear_since IS NOT NULL
		FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._settle_unclear(bigint[]) IS
'forgets that earlier pushes of these records ended unclear';

-- The requests of claimed jobs, in the order of the ids returned; NULL where
-- nothing is left to send.
CREATE FUNCTION zcsync._requests(p_vendor text, p_other_ids bigint[], p_push_ids bigint[],
	OUT ids bigint[], OUT requests jsonb[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_request jsonb;
BEGIN
	-- A vendor's SQL makes those of all pushes at once.
	IF p_push_ids IS NOT NULL THEN
		EXECUTE format('SELECT array_agg(job_id), array_agg(request) FROM zcsync.%I($1)',
				'_' || p_vendor || '_push_requests')
			INTO ids, requests USING p_push_ids;
	END IF;
	FOR v_job IN
		SELECT q.* FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (p_other_ids)
	LOOP
		CASE v_job.operation
			WHEN 'pull' THEN
				EXECUTE format('SELECT zcsync.%I($1, $2)', '_' || p_vendor || '_pull_request')
					INTO v_request USING v_job.stream_id, v_job.payload ->> 'lane';
			WHEN 'fetch' THEN
				EXECUTE format('SELECT zcsync.%I($1, $2)', '_' || p_vendor || '_fetch_request')
					INTO v_request USING v_job.stream_id, v_job.payload;
			WHEN 'token' THEN
				v_request := '{"op": "token"}';
			WHEN 'probe' THEN
				EXECUTE format('SELECT zcsync.%I()', '_' || p_vendor || '_probe_request')
					INTO v_request;
			ELSE
				v_request := v_job.payload;
		END CASE;
		ids := ids || v_job.job_id;
		requests := requests || v_request;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._requests(text, bigint[], bigint[]) IS
'what to send for each of these jobs, made by the SQL of the vendor';

-- ---------------------------------------------------------------------
-- Finish
-- ---------------------------------------------------------------------

-- Record the outcomes of one account's calls that are ready together.
--
-- The arrays run in parallel, an element per job.  A job that this claimant no
-- longer owns is left alone: somebody else has it.  Returns the jobs that
-- could not be finished now, without waiting for anybody: 'finish' means call
-- again with the same outcome, 'put_back' means that the effects are stored
-- and only the way back to the queue is blocked (class 'put_back' next time).
CREATE FUNCTION zcsync._finish_jobs(p_claimant bigint, p_account bigint, p_ids bigint[], p_attempts integer[],
	p_classes text[], p_statuses integer[], p_messages text[], p_hints text[], p_delays_ms bigint[],
	p_unclear boolean[], p_requests jsonb[], p_replies jsonb[], p_durations_us bigint[])
RETURNS TABLE (job_id bigint, how text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
	v_ids bigint[];				-- jobs that are ours and locked
	v_job record;
	v_result record;
	v_pushes jsonb := '{}';		-- job -> {again, status}
	v_ended bigint[] := '{}';
	v_end_status text[] := '{}';
	v_end_changed integer[] := '{}';
	v_back bigint[] := '{}';
	v_back_at timestamptz[] := '{}';
	v_push_ids bigint[];
	v_push_requests jsonb[];
	v_push_replies jsonb[];
	v_unclear boolean;			-- is any of them a create whose effect was not known?
BEGIN
	SELECT array_agg(x.job_id), array_agg(x.job_id) FILTER (WHERE x.push), array_agg(x.request) FILTER (WHERE x.push),
		array_agg(x.reply) FILTER (WHERE x.push), bool_or(x.push AND x.unclear_since IS NOT NULL)
	INTO v_ids, v_push_ids, v_push_requests, v_push_replies, v_unclear
	FROM (
		SELECT q.job_id, q.unclear_since, o.request, o.reply, o.class = 'done' AND q.operation = 'push' AS push
		FROM unnest(p_ids, p_attempts, p_classes, p_requests, p_replies) AS o (job_id, attempts, class, request, reply)
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		WHERE q.state = 'running' AND q.claimed_by = p_claimant AND q.attempts = o.attempts
		ORDER BY q.job_id
		FOR UPDATE OF q SKIP LOCKED) x;
	-- Somebody holds a lock on a running job: not ours to wait for.
	IF cardinality(v_ids) IS DISTINCT FROM cardinality(p_ids) THEN
		RETURN QUERY
		SELECT o.job_id, 'finish'::text
		FROM unnest(p_ids, p_attempts) AS o (job_id, attempts)
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		WHERE q.state = 'running' AND q.claimed_by = p_claimant AND q.attempts = o.attempts
			AND q.job_id <> ALL (coalesce(v_ids, '{}'));
	END IF;
	IF v_ids IS NULL THEN
		RETURN;
	END IF;

	-- Pushes that were applied, all at once.
	IF v_push_ids IS NOT NULL THEN
		SELECT array_agg(f.job_id) FILTER (WHERE f.status <> 'locked' AND NOT f.again),
			array_agg(f.status) FILTER (WHERE f.status <> 'locked' AND NOT f.again),
			array_agg(NULL::integer) FILTER (WHERE f.status <> 'locked' AND NOT f.again),
			array_agg(f.job_id) FILTER (WHERE f.status <> 'locked' AND f.again),
			array_agg(v_now) FILTER (WHERE f.status <> 'locked' AND f.again),
			coalesce(jsonb_object_agg(f.job_id, f.status) FILTER (WHERE f.status = 'locked' OR f.again), '{}')
		INTO v_ended, v_end_status, v_end_changed, v_back, v_back_at, v_pushes
		FROM zcsync._finish_pushes(v_push_ids, v_push_requests, v_push_replies) f;
		v_ended := coalesce(v_ended, '{}');
		v_end_status := coalesce(v_end_status, '{}');
		v_end_changed := coalesce(v_end_changed, '{}');
		v_back := coalesce(v_back, '{}');
		v_back_at := coalesce(v_back_at, '{}');
		IF v_pushes <> '{}' THEN
			RETURN QUERY SELECT k::bigint, 'finish'::text FROM jsonb_each_text(v_pushes) AS e (k, v) WHERE v = 'locked';
		END IF;
		-- The effect of these creates is known now.
		IF v_unclear THEN
			UPDATE zcsync.sync_queue q SET unclear_since = NULL
			WHERE q.job_id = ANY (v_back) AND q.unclear_since IS NOT NULL
				AND coalesce(v_pushes ->> q.job_id::text, '') <> 'more';
			PERFORM zcsync._settle_unclear(array_agg(q.local_id)) FROM zcsync.sync_queue q
			WHERE q.job_id = ANY (v_push_ids) AND coalesce(v_pushes ->> q.job_id::text, '') NOT IN ('more', 'locked');
		END IF;
	END IF;

	-- Pages and the like, one by one: each is many rows.
	FOR v_job IN
		SELECT q.job_id, q.operation, q.stream_id, q.payload, o.request, o.reply
		FROM unnest(p_ids, p_classes, p_requests, p_replies) AS o (job_id, class, request, reply)
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		WHERE o.class = 'done' AND q.operation <> 'push' AND o.job_id = ANY (v_ids)
	LOOP
		IF v_job.operation = 'pull' THEN
			SELECT * INTO v_result FROM zcsync._finish_pull(v_job.job_id, v_job.stream_id,
				v_job.payload ->> 'lane', v_job.request, v_job.reply);
			IF v_result.again THEN
				v_back := v_back || v_job.job_id;
				v_back_at := v_back_at || (v_now + coalesce(v_result.run_after, '0'));
				CONTINUE;
			END IF;
			v_end_changed := v_end_changed || v_result.changed;
		ELSIF v_job.operation = 'fetch' THEN
			v_end_changed := v_end_changed || zcsync._finish_fetch(v_job.job_id, v_job.stream_id,
				v_job.request, v_job.reply);
		ELSE
			v_end_changed := v_end_changed || NULL::integer;
		END IF;
		v_ended := v_ended || v_job.job_id;
		v_end_status := v_end_status || 'done'::text;
	END LOOP;

	-- Jobs that end well.  A poll that brought nothing leaves no record.
	WITH gone AS (
		DELETE FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_ended) RETURNING q.*
	)
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		http_status, attempts, changed, queued_at, duration_us, created_at)
	SELECT g.job_id, g.account_id, g.queue, g.operation, g.kind, g.local_id, g.route_id, e.status,
		o.http_status, g.attempts, e.changed, g.created_at, o.duration_us, v_now
	FROM gone g
	JOIN unnest(v_ended, v_end_status, v_end_changed) AS e (job_id, status, changed) ON e.job_id = g.job_id
	JOIN unnest(p_ids, p_statuses, p_durations_us) AS o (job_id, http_status, duration_us) ON o.job_id = g.job_id
	WHERE NOT (g.operation IN ('pull', 'probe', 'token') AND coalesce(e.changed, 0) = 0);

	-- Everything that did not end well.
	IF EXISTS (SELECT FROM unnest(p_classes) AS c (class) WHERE class <> 'done') THEN
		SELECT v_back || coalesce(array_agg(f.job_id), '{}'), v_back_at || coalesce(array_agg(f.run_at), '{}')
		INTO v_back, v_back_at
		FROM zcsync._fail_jobs(v_ids, p_ids, p_classes, p_statuses, p_messages, p_hints, p_delays_ms, p_unclear, p_requests, p_replies) f;
	END IF;

	PERFORM zcsync._breaker(p_account, p_classes, p_messages);

	IF v_back <> '{}' THEN
		-- What went wrong before is over for jobs that go on after a success.
		UPDATE zcsync.sync_queue q
		SET failures = 0, last_class = NULL, last_status = NULL, last_error = NULL, last_hint = NULL
		FROM unnest(p_ids, p_classes) AS o (job_id, class)
		WHERE q.job_id = o.job_id AND o.class = 'done' AND q.job_id = ANY (v_back) AND q.last_class IS NOT NULL;

		RETURN QUERY SELECT b, 'put_back'::text FROM zcsync._put_back(v_back, v_back_at) AS b;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._finish_jobs(bigint, bigint, bigint[], integer[], text[], integer[], text[], text[], bigint[], boolean[], jsonb[], jsonb[], bigint[]) IS
'records the outcomes of calls; returns the jobs that must be finished again later, since somebody holds a lock';

-- What becomes of jobs whose call failed: which go back, and when.
--
--   vendor, throttled   spend no attempt; they end with the queue's max_age
--   auth                counts; the probe that it starts tells a wrong secret,
--                       which blocks the account, from a record out of reach
--   rejected, conflict, not_found, broken, config
--                       count; after the queue's max_attempts a dead letter
--
-- A pull never becomes a dead letter: its stream shows the error and is read
-- again when it is due.
CREATE FUNCTION zcsync._fail_jobs(p_ours bigint[], p_ids bigint[], p_classes text[], p_statuses integer[],
	p_messages text[], p_hints text[], p_delays_ms bigint[], p_unclear boolean[], p_requests jsonb[], p_replies jsonb[])
RETURNS TABLE (job_id bigint, run_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
	v_job record;
	v_failures integer;
	v_run_at timestamptz;
	v_dead boolean;
BEGIN
	FOR v_job IN
		SELECT q.*, o.class, o.status AS http_status, o.message, o.hint, o.delay_ms, o.reply,
			-- what is not known of a create stays so until that create is
			-- refused, or its look-up succeeds
			o.unclear OR NOT coalesce(o.request ? 'create', false) AS unclear,
			qs.max_attempts, qs.backoff_base, qs.backoff_cap, qs.max_age
		FROM unnest(p_ids, p_classes, p_statuses, p_messages, p_hints, p_delays_ms, p_unclear, p_requests, p_replies)
			AS o (job_id, class, status, message, hint, delay_ms, unclear, request, reply)
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		JOIN zcsync.queues qs ON qs.name = q.queue
		WHERE o.class <> 'done' AND o.job_id = ANY (p_ours)
	LOOP
		IF v_job.class = 'put_back' THEN
			RETURN QUERY SELECT v_job.job_id, v_now + v_job.delay_ms * interval '1 ms';
			CONTINUE;
		END IF;
		v_failures := v_job.failures
			+ (v_job.class NOT IN ('vendor', 'throttled'))::integer;
		v_run_at := v_now + greatest(v_job.delay_ms, 0) * interval '1 ms';
		IF v_job.delay_ms < 0 THEN
			-- While the vendor is down the breaker spaces the probes, at most
			-- 5 min apart; a job must be due by then to be one.
			v_run_at := v_now + zcsync._backoff(v_job.backoff_base,
				CASE v_job.class WHEN 'vendor' THEN least(v_job.backoff_cap, interval '3 minutes') ELSE v_job.backoff_cap END,
				CASE WHEN v_failures > 0 THEN v_failures ELSE v_job.attempts END - 1);
		END IF;
		-- The vendor may still be at work on a create whose reply was lost.
		IF v_job.unclear AND v_job.unclear_since IS NOT NULL THEN
			v_run_at := greatest(v_run_at, v_job.claimed_at + zcsync._request_timeout() + interval '30 seconds');
		END IF;
		v_dead := v_failures >= v_job.max_attempts
			OR (v_failures = v_job.failures AND v_now - v_job.created_at > v_job.max_age);

		IF v_job.operation = 'pull' THEN
			UPDATE zcsync.streams s SET last_error = v_job.message, last_error_at = v_now
			WHERE s.stream_id = v_job.stream_id;
		END IF;
		IF v_job.class = 'auth' THEN
			PERFORM zcsync._auth_failed(v_job.account_id, v_job.operation, v_job.message, v_job.hint);
			IF v_job.operation IN ('token', 'probe') THEN
				DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
				CONTINUE;
			END IF;
		END IF;

		IF NOT v_dead THEN
			UPDATE zcsync.sync_queue q
			SET failures = v_failures, last_class = v_job.class, last_status = v_job.http_status,
				last_error = v_job.message, last_hint = v_job.hint,
				unclear_since = CASE WHEN v_job.unclear THEN q.unclear_since END
			WHERE q.job_id = v_job.job_id;
			RETURN QUERY SELECT v_job.job_id, v_run_at;
		ELSIF v_job.operation IN ('pull', 'token', 'probe') THEN
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
			PERFORM zcsync._record_failure(v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.kind,
				v_job.local_id, v_job.route_id, v_job.class, v_job.http_status, v_job.attempts, v_job.message, v_job.created_at);
		ELSE
			UPDATE zcsync.sync_queue q SET unclear_since = NULL
			WHERE q.job_id = v_job.job_id AND q.unclear_since IS NOT NULL AND NOT v_job.unclear;
			PERFORM zcsync._bury(v_job.job_id, v_job.class, v_job.http_status, v_job.message, v_job.hint,
				left(v_job.reply::text, 2000));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._fail_jobs(bigint[], bigint[], text[], integer[], text[], text[], bigint[], boolean[], jsonb[], jsonb[]) IS
'decides what becomes of jobs whose call failed; returns those that go back to the queue';

CREATE FUNCTION zcsync._record_failure(p_job bigint, p_account bigint, p_queue text, p_operation text, p_kind text,
	p_local_id bigint, p_route bigint, p_class text, p_status integer, p_attempts integer, p_message text,
	p_queued_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status, class,
		http_status, attempts, message, queued_at, created_at)
	VALUES (p_job, p_account, p_queue, p_operation, p_kind, p_local_id, p_route, 'failed', p_class,
		p_status, p_attempts, p_message, p_queued_at, zcsync._now());
END
$$;
COMMENT ON FUNCTION zcsync._record_failure(bigint, bigint, text, text, text, bigint, bigint, text, integer, integer, text, timestamptz) IS
'writes the record of a job that failed';

-- Move a job to the dead letters.
CREATE FUNCTION zcsync._bury(p_job bigint, p_class text, p_status integer, p_message text, p_hint text, p_reply text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job zcsync.sync_queue;
BEGIN
	DELETE FROM zcsync.sync_queue WHERE job_id = p_job RETURNING * INTO v_job;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, stream_id, route_id, kind,
		local_id, record_key, dedupe_key, payload, priority, attempts, class, status, message, hint, reply,
		unclear_since, created_at, died_at)
	VALUES (v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.budget_class, v_job.stream_id,
		v_job.route_id, v_job.kind, v_job.local_id, v_job.record_key, v_job.dedupe_key, v_job.payload, v_job.priority,
		v_job.attempts, p_class, p_status, coalesce(p_message, 'no message'), p_hint, p_reply,
		v_job.unclear_since, v_job.created_at, zcsync._now())
	ON CONFLICT (job_id) DO NOTHING;
	PERFORM zcsync._record_failure(v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.kind,
		v_job.local_id, v_job.route_id, p_class, p_status, v_job.attempts, p_message, v_job.created_at);
	IF v_job.operation = 'push' THEN
		PERFORM zcsync._push_failed(v_job.kind, v_job.local_id, 'failed');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._bury(bigint, text, integer, text, text, text) IS
'moves a job to dead_letters';

-- Put running jobs back to ready, each at its time, without ever waiting.
--
-- Where a ready twin exists the job is folded into it.  Where the twin is
-- locked or not yet committed the job stays running; it is returned, to be
-- tried again.
CREATE FUNCTION zcsync._put_back(p_ids bigint[], p_run_at timestamptz[]) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_twin bigint;
	v_lock_timeout text := current_setting('lock_timeout');
BEGIN
	IF cardinality(p_ids) = 0 THEN
		RETURN;
	END IF;
	-- An uncommitted twin shows only as a wait on the unique index.
	PERFORM set_config('lock_timeout', '20ms', true);

	-- Most of the time nobody else is there.
	BEGIN
		UPDATE zcsync.sync_queue q
		SET state = 'ready', claimed_by = NULL, claimed_at = NULL, run_at = b.run_at
		FROM unnest(p_ids, p_run_at) AS b (job_id, run_at)
		WHERE q.job_id = b.job_id AND q.state = 'running';
		PERFORM set_config('lock_timeout', v_lock_timeout, true);
		RETURN;
	EXCEPTION WHEN lock_not_available OR unique_violation THEN
		NULL;
	END;

	FOR v_job IN
		SELECT q.*, b.run_at AS back_at
		FROM unnest(p_ids, p_run_at) AS b (job_id, run_at)
		JOIN zcsync.sync_queue q ON q.job_id = b.job_id
		WHERE q.state = 'running'
		ORDER BY q.job_id
	LOOP
		IF EXISTS (SELECT FROM zcsync.sync_queue t
				WHERE t.account_id = v_job.account_id AND t.dedupe_key = v_job.dedupe_key AND t.state = 'ready') THEN
			SELECT t.job_id INTO v_twin FROM zcsync.sync_queue t
			WHERE t.account_id = v_job.account_id AND t.dedupe_key = v_job.dedupe_key AND t.state = 'ready'
			FOR UPDATE SKIP LOCKED;
			IF NOT FOUND THEN
				RETURN NEXT v_job.job_id;
				CONTINUE;
			END IF;
			-- An unclear create keeps its marker, and its time if it has one to
			-- wait for; else the earlier of the two times.
			UPDATE zcsync.sync_queue t
			SET attempts = t.attempts + v_job.attempts,
				failures = greatest(t.failures, v_job.failures),
				crashes = greatest(t.crashes, v_job.crashes),
				unclear_since = coalesce(v_job.unclear_since, t.unclear_since),
				run_at = CASE WHEN v_job.unclear_since IS NOT NULL THEN greatest(t.run_at, v_job.back_at)
							ELSE least(t.run_at, v_job.back_at) END,
				priority = least(t.priority, v_job.priority),
				last_class = v_job.last_class, last_status = v_job.last_status,
				last_error = v_job.last_error, last_hint = v_job.last_hint,
				created_at = least(t.created_at, v_job.created_at)
			WHERE t.job_id = v_twin;
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
		ELSE
			BEGIN
				UPDATE zcsync.sync_queue q
				SET state = 'ready', claimed_by = NULL, claimed_at = NULL, run_at = v_job.back_at
				WHERE q.job_id = v_job.job_id;
			EXCEPTION WHEN lock_not_available OR unique_violation THEN
				RETURN NEXT v_job.job_id;
			END;
		END IF;
	END LOOP;
	PERFORM set_config('lock_timeout', v_lock_timeout, true);
END
$$;
COMMENT ON FUNCTION zcsync._put_back(bigint[], timestamptz[]) IS
'puts running jobs back to ready or folds them into their ready twins; returns those that are blocked by somebody''s lock';

-- Count failures of the vendor in a row; three open the account's breaker.
CREATE FUNCTION zcsync._breaker(p_account bigint, p_classes text[], p_messages text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_failed integer := cardinality(array_positions(p_classes, 'vendor'));
	v_answered boolean;
	v_failures integer;
BEGIN
	v_answered := EXISTS (SELECT FROM unnest(p_classes) AS c (class)
		WHERE class NOT IN ('vendor', 'config', 'put_back', 'crash'));
	IF v_answered THEN
		UPDATE zcsync.accounts a
		SET breaker_failures = 0, breaker_until = CASE WHEN a.breaker_opened_at IS NOT NULL THEN v_now END
		WHERE a.account_id = p_account AND a.breaker_failures > 0;
	ELSIF v_failed > 0 THEN
		SELECT a.breaker_failures + v_failed INTO v_failures FROM zcsync.accounts a WHERE a.account_id = p_account;
		UPDATE zcsync.accounts a
		SET breaker_failures = v_failures,
			breaker_opened_at = CASE WHEN v_failures >= 3 THEN coalesce(a.breaker_opened_at, v_now) END,
			-- one probe after 30 s, then after twice as long, at most 5 min
			breaker_until = CASE
				WHEN v_failures < 3 THEN NULL
				WHEN a.breaker_failures < 3 OR a.breaker_until IS NULL THEN v_now + interval '30 seconds'
				ELSE v_now + least(interval '5 minutes',
					greatest(interval '30 seconds', 2 * (a.breaker_until - coalesce(a.last_error_at, a.breaker_opened_at)))) END,
			last_error = p_messages[array_position(p_classes, 'vendor')],
			last_error_at = v_now
		WHERE a.account_id = p_account;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._breaker(bigint, text[], text[]) IS
'opens an account''s breaker after three failures of the vendor in a row, and closes it with the first answer';

-- A call was refused for want of rights: find out whether it is the account.
CREATE FUNCTION zcsync._auth_failed(p_account bigint, p_operation text, p_message text, p_hint text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_operation IN ('token', 'probe') THEN
		PERFORM zcsync._block_account(p_account, 'credentials_refused', coalesce(p_message, 'the vendor refused the credentials'),
			p_hint);
		-- What failed for this reason did not fail on its own account.
		UPDATE zcsync.sync_queue SET failures = 0
		WHERE account_id = p_account AND state = 'ready' AND last_class = 'auth';
	ELSE
		PERFORM zcsync._enqueue(p_account, 'account', 'probe', 'api', 'probe', 'probe', '{}', 1);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._auth_failed(bigint, text, text, text) IS
'after a refusal for want of rights: probes the account, or blocks it if that was the probe';

-- What the vendor's headers said of a budget.
CREATE FUNCTION zcsync._note_limits(p_account bigint, p_class text, p_limit integer, p_remaining integer,
	p_reset_s integer, p_pause_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	UPDATE zcsync.account_budgets b
	SET remote_limit = coalesce(p_limit, b.remote_limit),
		remote_remaining = coalesce(p_remaining, b.remote_remaining),
		remote_reset_at = coalesce(v_now + p_reset_s * interval '1 second', b.remote_reset_at),
		tokens = CASE WHEN p_pause_ms > 0 THEN least(b.tokens, 0)
					ELSE least(b.tokens, coalesce(p_remaining, b.tokens)) END,
		paused_until = CASE WHEN p_pause_ms > 0
			THEN greatest(b.paused_until, v_now + p_pause_ms * interval '1 ms') ELSE b.paused_until END,
		pause_reason = CASE WHEN p_pause_ms > 0 THEN 'the vendor asked to wait' ELSE b.pause_reason END,
		throttled_total = b.throttled_total + (p_pause_ms > 0)::integer
	WHERE b.account_id = p_account AND b.class = p_class;
END
$$;
COMMENT ON FUNCTION zcsync._note_limits(bigint, text, integer, integer, integer, bigint) IS
'corrects a budget by what the vendor said in its headers';

-- Take back what claimants that are gone left running.
CREATE FUNCTION zcsync._recover_jobs(p_self bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_dead bigint[];
	v_ids bigint[];
	v_at timestamptz[];
	v_job record;
	v_now timestamptz := zcsync._now();
BEGIN
	SELECT array_agg(c.claimed_by) INTO v_dead
	FROM (SELECT DISTINCT q.claimed_by FROM zcsync.sync_queue q WHERE q.state = 'running') c
	WHERE c.claimed_by <> p_self AND NOT zcsync._claimant_alive(c.claimed_by);

	DELETE FROM zcsync.claimants c
	WHERE c.incarnation <> p_self AND NOT zcsync._claimant_alive(c.incarnation);
	IF v_dead IS NULL THEN
		RETURN 0;
	END IF;

	-- A job that kills its worker must not do so for ever.
	FOR v_job IN
		SELECT q.job_id, q.account_id FROM zcsync.sync_queue q
		WHERE q.state = 'running' AND q.claimed_by = ANY (v_dead) AND q.crashes >= 9
			AND q.operation NOT IN ('pull', 'token', 'probe')
		FOR UPDATE SKIP LOCKED
	LOOP
		PERFORM zcsync._bury(v_job.job_id, 'crash', NULL, 'the worker ended while this job ran, ten times',
			'Look into the server log around these times; zcsync.retry() queues the job again.', NULL);
	END LOOP;

	WITH taken AS (
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.state = 'running' AND q.claimed_by = ANY (v_dead)
		FOR UPDATE SKIP LOCKED),
	marked AS (
		UPDATE zcsync.sync_queue q
		SET crashes = q.crashes + 1, last_class = 'crash', last_error = 'the worker ended while this job ran'
		FROM taken t WHERE q.job_id = t.job_id
		RETURNING q.job_id,
			CASE WHEN q.unclear_since IS NOT NULL
				THEN greatest(v_now, q.claimed_at + zcsync._request_timeout() + interval '30 seconds')
				ELSE v_now END AS run_at)
	SELECT array_agg(m.job_id), array_agg(m.run_at) INTO v_ids, v_at FROM marked m;
	IF v_ids IS NULL THEN
		RETURN 0;
	END IF;
	-- One that somebody's lock keeps from going back is taken again the next
	-- time; its worker died once.
	UPDATE zcsync.sync_queue q SET crashes = q.crashes - 1
	WHERE q.job_id IN (SELECT zcsync._put_back(v_ids, v_at));
	RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION zcsync._recover_jobs(bigint) IS
'puts jobs of claimants that are gone back to ready';

-- The next time at which something becomes due; NULL: nothing is planned.
CREATE FUNCTION zcsync._next_job_at() RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN least(
		(SELECT min(q.run_at) FROM zcsync.sync_queue q WHERE q.state = 'ready' AND q.run_at > zcsync._now()),
		(SELECT min(a.breaker_until) FROM zcsync.accounts a WHERE a.breaker_until > zcsync._now()),
		(SELECT min(b.paused_until) FROM zcsync.account_budgets b WHERE b.paused_until > zcsync._now()),
		(SELECT min(r.at)
			FROM (SELECT b.refilled_at + (1 - b.tokens) / zcsync._bucket_rate(b.calls, b.share, b.window_s)
					* interval '1 second' AS at
				FROM zcsync.account_budgets b WHERE b.tokens < 1) r
			WHERE r.at > zcsync._now()),
		zcsync._next_due());
END
$$;
COMMENT ON FUNCTION zcsync._next_job_at() IS
'when the next job becomes due or the next stream is to be read';

-- Is there a job that could be sent now, or as soon as a budget allows?
CREATE FUNCTION zcsync._has_due_jobs() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM zcsync.accounts a
		CROSS JOIN zcsync.queues qs
		CROSS JOIN LATERAL (
			SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = a.account_id AND q.queue = qs.name AND q.state = 'ready'
				AND q.run_at <= zcsync._now() AND (q.operation <> 'push' OR zcsync._may_write())
			LIMIT 1) due
		WHERE a.state = 'active' AND qs.state = 'active'
			AND (a.breaker_until IS NULL OR a.breaker_until <= zcsync._now()));
END
$$;
COMMENT ON FUNCTION zcsync._has_due_jobs() IS
'is there a job that could be sent now, or as soon as a budget allows?';

-- ---------------------------------------------------------------------
-- For operators
-- ---------------------------------------------------------------------

-- A named queue, or an error that lists them.
CREATE FUNCTION zcsync._check_queue(p_queue text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_queue IS NULL OR NOT EXISTS (SELECT FROM zcsync.queues q WHERE q.name = p_queue) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('queue %s does not exist', coalesce(quote_ident(p_queue), 'NULL')),
			HINT = format('The queues are: %s.', (SELECT string_agg(q.name, ', ' ORDER BY q.name) FROM zcsync.queues q));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_queue(text) IS
'raises an error unless the queue exists';

CREATE FUNCTION zcsync.enqueue(queue text, operation text, reference text, priority integer DEFAULT 50,
	run_at timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_stream zcsync.streams;
	v_record record;
BEGIN
	PERFORM zcsync._check_queue(queue);
	IF reference IS NULL OR priority IS NULL OR priority NOT BETWEEN 0 AND 100 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'enqueue needs a reference and a priority from 0 to 100';
	END IF;
	IF operation = 'pull' THEN
		-- as zcsync.refresh() does
		SELECT * INTO v_stream FROM zcsync.streams s WHERE s.stream_id = zcsync.stream(reference) FOR SHARE;
		RETURN zcsync._enqueue(v_stream.account_id, queue, 'pull', zcsync._pull_class(v_stream.stream_id),
			format('pull/%s/live', v_stream.stream_id), format('pull/%s/live', v_stream.stream_id),
			'{"lane": "live"}', priority, run_at, v_stream.stream_id, NULL, v_stream.kind);
	ELSIF operation = 'push' THEN
		SELECT * INTO STRICT v_record FROM zcsync.record(reference);
		SELECT * INTO v_stream FROM zcsync.streams s
		WHERE s.account_id = v_record.account_id AND s.kind = v_record.kind;
		IF v_stream.writes IS NOT TRUE THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('the stream of "%s" is read-only', reference),
				HINT = 'Allow writes with zcsync.alter_stream(''account/kind'', writes => true).';
		END IF;
		RETURN zcsync._enqueue(v_record.account_id, queue, 'push', 'api',
			format('%s/%s', v_record.kind, v_record.local_id), format('push/%s/%s', v_record.kind, v_record.local_id),
			'{}', priority, run_at, v_stream.stream_id, NULL, v_record.kind, v_record.local_id);
	ELSE
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('operation %s cannot be queued', coalesce(quote_literal(operation), 'NULL')),
			HINT = 'Use ''pull'' with a stream (account/kind) or ''push'' with a record (account/kind/id).';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.enqueue(text, text, text, integer, timestamptz) IS
'queues a job by hand: operation pull with a stream (acme/tickets) or push with a record (dev/tasks/9hx); returns its number';

CREATE FUNCTION zcsync.retry(job_id bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_dead zcsync.dead_letters;
	v_job bigint := job_id;
BEGIN
	DELETE FROM zcsync.dead_letters d WHERE d.job_id = v_job RETURNING * INTO v_dead;
	IF FOUND THEN
		v_job := zcsync._enqueue(v_dead.account_id, v_dead.queue, v_dead.operation, v_dead.budget_class,
			v_dead.record_key, v_dead.dedupe_key, v_dead.payload, v_dead.priority, NULL, v_dead.stream_id,
			v_dead.route_id, v_dead.kind, v_dead.local_id);
		UPDATE zcsync.sync_queue q
		SET unclear_since = least(q.unclear_since, v_dead.unclear_since),
			run_at = greatest(q.run_at, v_dead.died_at + zcsync._request_timeout() + interval '30 seconds')
		WHERE q.job_id = v_job AND v_dead.unclear_since IS NOT NULL;
		IF v_dead.operation = 'push' THEN
			PERFORM zcsync._push_failed(v_dead.kind, v_dead.local_id, 'pending');
		END IF;
		RETURN v_job;
	END IF;
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now(), failures = 0
	WHERE q.job_id = v_job AND q.state = 'ready' AND q.unclear_since IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job %s is neither a dead letter nor waiting', coalesce(v_job::text, 'NULL')),
			HINT = 'Look it up in zcsync.dead_letters, zcsync.sync_queue and zcsync.sync_records. A create whose effect is not known waits for its look-up.';
	END IF;
	PERFORM zcsync._wake();
	RETURN v_job;
END
$$;
COMMENT ON FUNCTION zcsync.retry(bigint) IS
'queues a dead letter again, or makes a waiting job due now; returns the job''s number';

CREATE FUNCTION zcsync.cancel(job_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_job zcsync.sync_queue;
	v_id bigint := job_id;
BEGIN
	-- What is not known of a create must not be forgotten: see _inherit_unclear().
	PERFORM FROM zcsync.sync_queue q
	WHERE q.job_id = v_id AND q.state IN ('ready', 'held') AND q.unclear_since IS NOT NULL FOR UPDATE;
	IF FOUND THEN
		PERFORM zcsync._bury(v_id, 'cancelled', NULL,
			format('cancelled by %s before it was known whether the vendor had created the record', session_user),
			'The next push of the record looks it up first, and so does zcsync.retry().', NULL);
		RETURN;
	END IF;
	DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_id AND q.state IN ('ready', 'held') RETURNING * INTO v_job;
	IF NOT FOUND THEN
		IF EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.job_id = v_id) THEN
			RAISE EXCEPTION USING ERRCODE = 'object_in_use',
				MESSAGE = format('job %s is running', v_id),
				HINT = 'Try again when its call has ended.';
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job %s is not in the queue', coalesce(v_id::text, 'NULL')),
			HINT = 'Look it up in zcsync.sync_records and zcsync.dead_letters.';
	END IF;
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		attempts, message, queued_at, created_at)
	VALUES (v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.kind, v_job.local_id, v_job.route_id,
		'cancelled', v_job.attempts, format('cancelled by %s', session_user), v_job.created_at, zcsync._now());
	IF v_job.operation = 'push' THEN
		PERFORM zcsync._push_failed(v_job.kind, v_job.local_id, 'held');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.cancel(bigint) IS
'takes a waiting or held job out of the queue; its record says who did; a create whose effect is not known becomes a dead letter';

CREATE FUNCTION zcsync.pause_queue(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	UPDATE zcsync.queues q SET state = 'paused' WHERE q.name = pause_queue.name;
END
$$;
COMMENT ON FUNCTION zcsync.pause_queue(text) IS
'stops taking jobs of a queue; jobs that run are finished, new ones wait';

CREATE FUNCTION zcsync.resume_queue(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	UPDATE zcsync.queues q SET state = 'active' WHERE q.name = resume_queue.name;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.resume_queue(text) IS
'takes jobs of a paused queue again';

CREATE FUNCTION zcsync.alter_queue(name text, concurrency integer DEFAULT NULL, max_attempts integer DEFAULT NULL,
	backoff_base interval DEFAULT NULL, backoff_cap interval DEFAULT NULL, max_age interval DEFAULT NULL,
	keep_completed integer DEFAULT NULL, keep_failed integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	IF concurrency NOT BETWEEN 1 AND 10000 OR max_attempts NOT BETWEEN 1 AND 1000
		OR backoff_base < '0' OR backoff_cap < '0' OR max_age <= '0' OR keep_completed < 0 OR keep_failed < 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid setting for queue "%s"', name),
			DETAIL = 'Concurrency is 1 to 10000, attempts 1 to 1000, and no interval or count is negative.';
	END IF;
	UPDATE zcsync.queues q
	SET concurrency = coalesce(alter_queue.concurrency, q.concurrency),
		max_attempts = coalesce(alter_queue.max_attempts, q.max_attempts),
		backoff_base = coalesce(alter_queue.backoff_base, q.backoff_base),
		backoff_cap = coalesce(alter_queue.backoff_cap, q.backoff_cap),
		max_age = coalesce(alter_queue.max_age, q.max_age),
		keep_completed = coalesce(alter_queue.keep_completed, q.keep_completed),
		keep_failed = coalesce(alter_queue.keep_failed, q.keep_failed)
	WHERE q.name = alter_queue.name;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.alter_queue(text, integer, integer, interval, interval, interval, integer, integer) IS
'changes the settings of a queue; what is not given stays';

-- Held jobs: those of a route by its name, those of an account by its name, or
-- all of them with NULL.
CREATE FUNCTION zcsync._held_jobs(p_name text) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_name IS NOT NULL
		AND NOT EXISTS (SELECT FROM zcsync.routes r WHERE r.name = p_name)
		AND NOT EXISTS (SELECT FROM zcsync.accounts a WHERE a.name = p_name) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no route or account "%s"', p_name);
	END IF;
	RETURN QUERY
	SELECT q.job_id FROM zcsync.sync_queue q
	WHERE q.state = 'held'
		AND (p_name IS NULL
			OR q.route_id IN (SELECT r.route_id FROM zcsync.routes r WHERE r.name = p_name)
			OR q.account_id IN (SELECT a.account_id FROM zcsync.accounts a WHERE a.name = p_name));
END
$$;
COMMENT ON FUNCTION zcsync._held_jobs(text) IS
'held jobs of a route or account, or all';

-- The alerts of the write brake: of a route or account, or all.
CREATE FUNCTION zcsync._resolve_brake(p_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._resolve_alert(a.code, a.object) FROM zcsync.alerts a
	WHERE a.code = 'write_brake' AND a.resolved_at IS NULL AND (p_name IS NULL OR a.object = p_name);
END
$$;
COMMENT ON FUNCTION zcsync._resolve_brake(text) IS
'closes the alerts of the write brake for a route or account, or all';

CREATE FUNCTION zcsync.release_held(name text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count bigint;
BEGIN
	-- A held job whose record has a ready twin has nothing of its own to do:
	-- the twin sends the row as it is then, and looks it up first where need be.
	UPDATE zcsync.sync_queue t SET unclear_since = q.unclear_since, run_at = greatest(t.run_at, q.run_at)
	FROM zcsync.sync_queue q
	WHERE q.job_id IN (SELECT zcsync._held_jobs(release_held.name)) AND q.unclear_since IS NOT NULL
		AND t.local_id = q.local_id AND t.dedupe_key = q.dedupe_key AND t.state IN ('ready', 'held')
		AND t.unclear_since IS NULL;
	DELETE FROM zcsync.sync_queue q
	WHERE q.job_id IN (SELECT zcsync._held_jobs(release_held.name))
		AND EXISTS (SELECT FROM zcsync.sync_queue t
			WHERE t.account_id = q.account_id AND t.dedupe_key = q.dedupe_key
				AND (t.state = 'ready' OR (t.state = 'held' AND t.job_id < q.job_id)));
	UPDATE zcsync.sync_queue q
	SET state = 'ready',
		run_at = CASE WHEN q.unclear_since IS NULL THEN zcsync._now() ELSE greatest(q.run_at, zcsync._now()) END
	WHERE q.job_id IN (SELECT zcsync._held_jobs(release_held.name));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	PERFORM zcsync._resolve_brake(release_held.name);
	PERFORM zcsync._wake();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.release_held(text) IS
'sends what the write brake held back: of a route, of an account, or all; returns how many jobs';

CREATE FUNCTION zcsync.cancel_held(name text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count bigint;
BEGIN
	SELECT count(*) INTO v_count
	FROM (SELECT zcsync.cancel(h) FROM zcsync._held_jobs(cancel_held.name) AS h) c;
	PERFORM zcsync._resolve_brake(cancel_held.name);
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.cancel_held(text) IS
'drops what the write brake held back: of a route, of an account, or all; returns how many jobs';
