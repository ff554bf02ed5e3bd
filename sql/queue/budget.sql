-- ---------------------------------------------------------------------
-- The queue: what an account may send at a moment.
--
-- Four things hold calls back: the state of the account and its breaker; a pause that
-- the vendor asked for; an empty token bucket; and as many calls under way as are
-- allowed.  _allowances() says what is left after all four.  The claim, the views and
-- the checks ask it and nothing else.  Only _spend_calls() and _note_limits() write the
-- rows of account_budgets.
-- ---------------------------------------------------------------------

-- A bucket holds at most a fifth of the usable limit (calls * share) and is refilled
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

-- What a bucket holds at a time.  If that time is before the one at which it was
-- filled, the clock was set back: then it holds what it held.
CREATE FUNCTION zcsync._tokens_at(p_at timestamptz, p_tokens double precision, p_refilled_at timestamptz, p_calls integer,
	p_share double precision, p_window_s double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT least(zcsync._bucket_size(p_calls, p_share), p_tokens
		+ greatest(0, date_part('epoch', p_at - p_refilled_at)) * zcsync._bucket_rate(p_calls, p_share, p_window_s));
END;
COMMENT ON FUNCTION zcsync._tokens_at(timestamptz, double precision, timestamptz, integer, double precision, double precision) IS
'calls that a bucket allows at a time';

-- When a bucket has a whole token.
CREATE FUNCTION zcsync._token_at(p_at timestamptz, p_tokens double precision, p_rate double precision) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_at + greatest(0, (1 - p_tokens) / p_rate) * interval '1 second';
END;
COMMENT ON FUNCTION zcsync._token_at(timestamptz, double precision, double precision) IS
'when a bucket allows the next call';

-- The limit of a window.  A limit that was lowered to the one that the vendor named
-- returns to its former height after a day without a refusal.
CREATE FUNCTION zcsync._calls_at(p_at timestamptz, p_calls integer, p_lowered_from integer, p_lowered_at timestamptz) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_lowered_at <= p_at - interval '1 day' THEN p_lowered_from ELSE p_calls END;
END;
COMMENT ON FUNCTION zcsync._calls_at(timestamptz, integer, integer, timestamptz) IS
'calls that a budget allows in one window at a time';

-- How many calls an account may begin at a moment, apart from its budgets.  An open
-- breaker lets one probe through when its time has come.  In the ten seconds after it
-- closed, the number doubles each second.
CREATE FUNCTION zcsync._calls_at_once(p_at timestamptz, p_state text, p_failures integer, p_until timestamptz,
	p_opened_at timestamptz, p_running integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_state <> 'active' OR p_until > p_at THEN 0
		WHEN p_failures >= 3 THEN greatest(0, 1 - p_running)
		WHEN p_opened_at IS NOT NULL AND p_at - p_until <= interval '10 seconds'
			THEN power(2, date_part('epoch', p_at - p_until))::integer
		ELSE 2147483647 END;
END;
COMMENT ON FUNCTION zcsync._calls_at_once(timestamptz, text, integer, timestamptz, timestamptz, integer) IS
'how many calls may begin at a moment, by the state and the breaker of an account';

CREATE TYPE zcsync._allowance AS (
	account_id bigint,
	class text,
	calls integer,				-- that may begin now
	at_once integer,			-- that may begin now in all classes of the account together
	tokens double precision,	-- what the bucket holds
	running integer,			-- calls under way
	concurrency integer,		-- how many of them there may be
	rate double precision,		-- calls a second that it can keep up
	paused_until timestamptz,	-- until then the vendor asked to wait; NULL: it did not ask
	pause_reason text,
	next_at timestamptz,		-- when the next call is allowed if nothing but time has to pass; infinity: time alone does not help
	limited_by text				-- what holds calls back: account, breaker, pause, tokens or concurrency; NULL: nothing
);
COMMENT ON TYPE zcsync._allowance IS
'what a budget of an account allows at a moment';

-- What the budgets of an account allow at a moment, a row for each class.
-- p_running has the class of each call under way, see _running_calls().
--
-- Writes that have a budget of their own also count in the budget of all calls: they may
-- use no more than is left in that one, and wait when it makes calls wait.
--
-- This function has no SET clause, so that the planner makes it part of the query that
-- calls it; therefore it names the schema of each operator.  OFFSET 0 has each value
-- computed once, and not at each place that uses it.
CREATE FUNCTION zcsync._allowances(p_account bigint, p_at timestamptz, p_running text[]) RETURNS SETOF zcsync._allowance
LANGUAGE sql STABLE PARALLEL SAFE ROWS 4
AS $$
	SELECT f.account_id, f.class,
		CASE WHEN f.paused THEN 0
			ELSE pg_catalog.floor(greatest(0, least(f.at_once, f.tokens, f.concurrency OPERATOR(pg_catalog.-) f.running)))::integer END,
		f.at_once, f.tokens, f.running, f.concurrency, f.rate, CASE WHEN f.paused THEN f.paused_until END, f.pause_reason,
		CASE WHEN f.active THEN greatest(f.breaker_until, f.paused_until, f.filled_at) ELSE 'infinity'::timestamptz END,
		CASE WHEN NOT f.active THEN 'account' WHEN f.at_once OPERATOR(pg_catalog.=) 0 THEN 'breaker' WHEN f.paused THEN 'pause'
			WHEN f.tokens OPERATOR(pg_catalog.<) 1.0::double precision THEN 'tokens'
			WHEN f.running OPERATOR(pg_catalog.>=) f.concurrency THEN 'concurrency' END
	FROM (
		SELECT b.account_id, b.class, b.concurrency, r.running, a.state OPERATOR(pg_catalog.=) 'active' AS active, a.breaker_until,
			zcsync._calls_at_once(p_at, a.state, a.breaker_failures, a.breaker_until, a.breaker_opened_at,
				pg_catalog.cardinality(p_running)) AS at_once,
			CASE WHEN o.class IS NULL THEN own.tokens ELSE least(own.tokens, others.tokens) END AS tokens,
			own.rate, p.until AS paused_until, p.until OPERATOR(pg_catalog.>) p_at IS TRUE AS paused,
			CASE WHEN b.paused_until OPERATOR(pg_catalog.>) p_at THEN b.pause_reason
				WHEN o.paused_until OPERATOR(pg_catalog.>) p_at THEN o.pause_reason END AS pause_reason,
			greatest(zcsync._token_at(p_at, own.tokens, own.rate), zcsync._token_at(p_at, others.tokens, others.rate)) AS filled_at
		FROM zcsync.accounts a
		JOIN zcsync.account_budgets b ON b.account_id OPERATOR(pg_catalog.=) a.account_id
		LEFT JOIN zcsync.account_budgets o ON o.account_id OPERATOR(pg_catalog.=) b.account_id
			AND b.class OPERATOR(pg_catalog.=) 'write' AND o.class OPERATOR(pg_catalog.=) 'api'
		CROSS JOIN LATERAL (SELECT greatest(b.paused_until, o.paused_until)) p (until)
		CROSS JOIN LATERAL (SELECT pg_catalog.cardinality(pg_catalog.array_positions(p_running, b.class))) r (running)
		CROSS JOIN LATERAL (SELECT zcsync._calls_at(p_at, b.calls, b.lowered_from, b.lowered_at),
			zcsync._calls_at(p_at, o.calls, o.lowered_from, o.lowered_at) OFFSET 0) c (own, others)
		CROSS JOIN LATERAL (SELECT zcsync._tokens_at(p_at, b.tokens, b.refilled_at, c.own, b.share, b.window_s),
			zcsync._bucket_rate(c.own, b.share, b.window_s) OFFSET 0) own (tokens, rate)
		CROSS JOIN LATERAL (SELECT zcsync._tokens_at(p_at, o.tokens, o.refilled_at, c.others, o.share, o.window_s),
			zcsync._bucket_rate(c.others, o.share, o.window_s) OFFSET 0) others (tokens, rate)
		WHERE a.account_id OPERATOR(pg_catalog.=) p_account) f
$$;
COMMENT ON FUNCTION zcsync._allowances(bigint, timestamptz, text[]) IS
'what the budgets of an account allow at a moment: calls, tokens, pauses, and why nothing may be sent';

-- How many calls of each queue and each budget class an account has running.  A call
-- that carries several jobs counts once, for the job after which it is named.  Jobs
-- that ended leave dead entries in the index; only a plain index scan marks them, so
-- that the next scan skips them.
CREATE FUNCTION zcsync._running_calls(p_account bigint, OUT records text[], OUT queues text[], OUT classes text[])
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
BEGIN
	SELECT coalesce(array_agg(r.record_key), '{}'),
		coalesce(array_agg(r.queue) FILTER (WHERE coalesce(r.call_id, r.job_id) = r.job_id), '{}'),
		coalesce(array_agg(r.budget_class) FILTER (WHERE coalesce(r.call_id, r.job_id) = r.job_id), '{}')
	INTO records, queues, classes
	FROM zcsync.sync_queue r WHERE r.account_id = p_account AND r.state = 'running';
END
$$;
COMMENT ON FUNCTION zcsync._running_calls(bigint) IS
'the records that running jobs of an account touch, and queue and budget class of each running call';

-- Subtract calls that begin now from their budgets.  p_classes has the class of each
-- call, p_budgets is what was allowed.  Writes are subtracted from the budget of other
-- calls, too.  Each row is refilled from its present values, since somebody may have
-- lowered them meanwhile.
CREATE FUNCTION zcsync._spend_calls(p_account bigint, p_at timestamptz, p_budgets zcsync._allowance[], p_classes text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.account_budgets b
	SET tokens = least(f.tokens, zcsync._tokens_at(p_at, b.tokens, b.refilled_at,
			zcsync._calls_at(p_at, b.calls, b.lowered_from, b.lowered_at), b.share, b.window_s)) - u.calls,
		refilled_at = p_at, calls = zcsync._calls_at(p_at, b.calls, b.lowered_from, b.lowered_at),
		lowered_from = CASE WHEN b.lowered_at > p_at - interval '1 day' THEN b.lowered_from END,
		lowered_at = CASE WHEN b.lowered_at > p_at - interval '1 day' THEN b.lowered_at END,
		calls_total = b.calls_total + u.calls, last_call_at = p_at
	FROM (
		SELECT w.class, count(*) AS calls
		FROM unnest(p_classes) AS c (class)
		CROSS JOIN LATERAL unnest(ARRAY[c.class, CASE c.class WHEN 'write' THEN 'api' END]) AS w (class)
		GROUP BY w.class) u
	JOIN unnest(p_budgets) f ON f.class = u.class
	WHERE b.account_id = p_account AND b.class = u.class;
END
$$;
COMMENT ON FUNCTION zcsync._spend_calls(bigint, timestamptz, zcsync._allowance[], text[]) IS
'takes calls that begin now from the budgets of an account';

-- For the views, whose readers may not read the tables: all accounts at once.
CREATE FUNCTION zcsync._allowances_now() RETURNS SETOF zcsync._allowance
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN QUERY
	SELECT b.*
	FROM zcsync.accounts a
	LEFT JOIN (
		SELECT q.account_id, array_agg(q.budget_class) AS classes
		FROM zcsync.sync_queue q
		WHERE q.state = 'running' AND coalesce(q.call_id, q.job_id) = q.job_id
		GROUP BY q.account_id) r ON r.account_id = a.account_id
	CROSS JOIN LATERAL zcsync._allowances(a.account_id, v_now, coalesce(r.classes, '{}')) b;
END
$$;
COMMENT ON FUNCTION zcsync._allowances_now() IS
'what the budgets of all accounts allow now';

-- How many calls a minute the budget of a class allows in the long run; NULL: the
-- account has no such budget.
CREATE FUNCTION zcsync._calls_a_minute(p_account bigint, p_class text) RETURNS double precision
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 60 * b.rate FROM zcsync._allowances(p_account, zcsync._now(), '{}') b WHERE b.class = p_class
$$;
COMMENT ON FUNCTION zcsync._calls_a_minute(bigint, text) IS
'calls a minute that a budget allows in the long run';

