-- ---------------------------------------------------------------------
-- The views that an operator looks at.
--
-- The views read tables with the rights of their owner, so SELECT on a view
-- is enough for its rows; the functions they call are called as the reader
-- (see doc/security.md for the grants of a monitoring role).
--
-- sync_queue may hold millions of jobs, and these views must not become slower for
-- that: jobs are counted up to a limit, through an index (stat_backlog).
-- ---------------------------------------------------------------------

-- '[#####.....]  50 %'; NULL if the whole is not known.
CREATE FUNCTION zcsync._bar(p_done numeric, p_whole numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '[' || rpad(repeat('#', share / 10), 10, '.') || ']' || lpad(share::text, 4) || ' %'
	FROM (SELECT floor(100 * least(greatest(p_done, 0) / p_whole, 1))::integer WHERE p_whole > 0) AS s (share);
END;
COMMENT ON FUNCTION zcsync._bar(numeric, numeric) IS
'a bar of text: how much of a whole is done';

CREATE FUNCTION zcsync._create_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._create_backlog_view();
	PERFORM zcsync._create_account_view();
	PERFORM zcsync._create_budget_view();
	PERFORM zcsync._create_status_view();
	PERFORM zcsync._create_progress_view();
	PERFORM zcsync._create_work_views();
	PERFORM zcsync._create_errors_view();
	PERFORM zcsync._create_company_view();
	PERFORM zcsync._create_advice_views();
	PERFORM zcsync._create_cache_view();
	PERFORM zcsync._create_lag_views();
	PERFORM zcsync._create_webhook_view();
	PERFORM zcsync._create_metric_views();
	PERFORM zcsync._create_level_views();
	PERFORM zcsync._create_analytics_views();
	PERFORM zcsync._describe_view_columns();
END
$$;
COMMENT ON FUNCTION zcsync._create_views() IS
'creates or replaces all views; called by setup()';

-- The parts of the queue that have jobs that are ready: the recursion jumps from each
-- to the next in the index of the claim, and reads one entry of it.
CREATE FUNCTION zcsync._backlog_parts() RETURNS TABLE (account_id bigint, queue text, class text, later boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
ROWS 20
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH RECURSIVE part AS (
		(SELECT q.account_id, q.queue, q.budget_class, q.priority >= 60 AS later
		FROM zcsync.sync_queue AS q WHERE q.state = 'ready'
		ORDER BY q.account_id, q.queue, q.budget_class, q.priority LIMIT 1)
		UNION ALL
		SELECT n.account_id, n.queue, n.budget_class, n.later
		FROM part AS p
		CROSS JOIN LATERAL (
			SELECT q.account_id, q.queue, q.budget_class, q.priority >= 60 AS later
			FROM zcsync.sync_queue AS q
			WHERE q.state = 'ready' AND ROW(q.account_id, q.queue, q.budget_class, q.priority)
				> ROW(p.account_id, p.queue, p.budget_class, (CASE WHEN p.later THEN 32767 ELSE 59 END)::smallint)
			ORDER BY q.account_id, q.queue, q.budget_class, q.priority LIMIT 1) AS n
	)
	SELECT p.account_id, p.queue, p.budget_class, p.later FROM part AS p;
END
$$;
COMMENT ON FUNCTION zcsync._backlog_parts() IS
'accounts, queues and budget classes that have jobs that are ready, fresh ones and those of history apart; for views';

-- The jobs of these parts.  At most so many of each are read that all of them
-- together are some 8,000.  A function, since the settings of a reader must not
-- turn to jit or to a scan of the whole table.
CREATE FUNCTION zcsync._backlog()
RETURNS TABLE (account text, queue text, class text, later boolean, jobs bigint, due bigint, retrying bigint, more boolean,
	next_run_at timestamptz, oldest_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN QUERY
	SELECT a.name, p.queue, p.class, p.later, w.jobs, w.due, w.retrying, w.jobs >= p.most, w.next_run_at, w.oldest_at
	FROM (SELECT t.*, greatest(20, least(5000, 8000 / count(*) OVER ())) AS most FROM zcsync._backlog_parts() AS t) AS p
	CROSS JOIN LATERAL (SELECT x.name FROM zcsync.accounts AS x WHERE x.account_id = p.account_id) AS a
	CROSS JOIN LATERAL (
		SELECT count(*) AS jobs, count(*) FILTER (WHERE r.run_at <= v_now) AS due, count(*) FILTER (WHERE r.failures > 0) AS retrying,
			min(r.run_at) AS next_run_at, min(r.created_at) AS oldest_at
		FROM (
			SELECT q.run_at, q.failures, q.created_at
			FROM zcsync.sync_queue AS q
			WHERE q.account_id = p.account_id AND q.queue = p.queue AND q.budget_class = p.class AND q.state = 'ready'
				AND q.priority BETWEEN (CASE WHEN p.later THEN 60 ELSE -32768 END)::smallint
					AND (CASE WHEN p.later THEN 32767 ELSE 59 END)::smallint
			ORDER BY q.priority, q.run_at, q.job_id
			LIMIT p.most) AS r) AS w;
END
$$;
COMMENT ON FUNCTION zcsync._backlog() IS
'jobs that are ready, by account, queue and budget class, counted up to a limit; for views';

CREATE FUNCTION zcsync._create_backlog_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_backlog AS
	SELECT b.account, b.queue, b.class, b.later, b.jobs, b.due, b.retrying, b.more, b.next_run_at, b.oldest_at
	FROM zcsync._backlog() AS b;
	COMMENT ON VIEW zcsync.stat_backlog IS
	'jobs that are ready, by account, queue and budget class, counted up to a limit: takes no longer for a million of them';
	COMMENT ON COLUMN zcsync.stat_backlog.later IS 'jobs of history and backfills, which come after all others';
	COMMENT ON COLUMN zcsync.stat_backlog.more IS
	'true: the limit was reached and there may be more jobs; the limit is 5,000, and lower if there are more than two rows. All columns are about the jobs counted, which are those that will be taken first';
	COMMENT ON COLUMN zcsync.stat_backlog.oldest_at IS 'when the oldest of these jobs was queued';
END
$body$;
COMMENT ON FUNCTION zcsync._create_backlog_view() IS
'makes view stat_backlog; part of zcsync._create_views()';

-- What the views show is made by functions, since to plan a large view takes longer than
-- to read it: a session keeps the plans of functions, and their texts are read faster
-- than the trees of views.  Their settings keep the planner from reading the whole
-- queue, and from compiling (jit), whatever it knows of it.

-- Hardly ever is any class of calls paused, and in most databases no route has errors:
-- then nothing more is planned.
CREATE FUNCTION zcsync._account_pauses() RETURNS TABLE (account_id bigint, paused_until timestamptz, pause_reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF EXISTS (SELECT FROM zcsync.account_budgets AS x WHERE x.paused_until > zcsync._now()) THEN
		RETURN QUERY
		SELECT w.account_id, max(w.paused_until), min(w.class || ': ' || w.pause_reason)
		FROM zcsync._allowances_now() AS w
		WHERE w.paused_until IS NOT NULL
		GROUP BY w.account_id;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._account_pauses() IS
'accounts of which a class of calls is paused, until when and why; for views';

CREATE FUNCTION zcsync._account_route_errors() RETURNS TABLE (account_id bigint, records bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	IF EXISTS (SELECT FROM zcsync.route_errors) THEN
		RETURN QUERY
		SELECT st.account_id, sum(re.records)::bigint
		FROM zcsync.routes AS r
		JOIN zcsync.streams AS st ON st.stream_id = r.source_stream_id
		CROSS JOIN LATERAL (
			SELECT count(DISTINCT e.source_id) AS records
			FROM (SELECT e.source_id FROM zcsync.route_errors AS e WHERE e.route_id = r.route_id ORDER BY e.source_id LIMIT 10000) AS e) AS re
		GROUP BY st.account_id;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._account_route_errors() IS
'how many records routes could not map fully, by account, counted up to 10,000 a route; for views';

-- Each partial index is read once for an account (LATERAL).  l is the number up to which
-- jobs are counted.
CREATE FUNCTION zcsync._account_numbers()
RETURNS TABLE (account text, vendor text, state text, streams bigint, ready bigint, running bigint, held bigint, dead_letters bigint,
	route_errors bigint, streams_failing bigint, reading_history bigint, backfill bigint, lag interval, started boolean, next_try_at timestamptz,
	breaker_failures integer, breaker_until timestamptz, paused_until timestamptz, pause_reason text, calls bigint, throttled bigint,
	last_call_at timestamptz, last_error text, last_error_at timestamptz, state_reason text, state_hint text, read_error text,
	read_error_since timestamptz, more_jobs boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT a.name AS account, a.vendor, a.state,
		coalesce(s.streams, 0) AS streams, coalesce(ready.jobs, 0) AS ready, running.jobs AS running, held.jobs AS held,
		dead.jobs AS dead_letters, coalesce(e.records, 0) AS route_errors, coalesce(s.failing, 0) AS streams_failing,
		coalesce(s.reading_history, 0) AS reading_history, coalesce(ready.later, 0) AS backfill,
		greatest(date_trunc('second', greatest(s.pull_lag, zcsync._now() - least(ready.oldest_at, running.oldest_at))), interval '0') AS lag,
		coalesce(s.started, CASE a.vendor WHEN 'local' THEN true END) AS started,	-- nothing of it is to be read
		CASE WHEN a.state = 'active' THEN
			greatest(least(s.next_pull_at, ready.run_at), a.breaker_until, p.paused_until) END AS next_try_at,
		CASE WHEN a.breaker_failures >= 3 THEN a.breaker_failures END AS breaker_failures,
		a.breaker_until, p.paused_until, p.pause_reason,
		coalesce(b.calls, 0) AS calls, coalesce(b.throttled, 0) AS throttled, b.last_call_at,
		a.last_error, a.last_error_at, a.state_reason, a.state_hint,
		s.read_error, s.read_error_since,
		coalesce(ready.more, false) OR held.jobs >= l.most AS more_jobs
	FROM zcsync.accounts AS a
	CROSS JOIN (SELECT greatest(20, least(5000, 8000 / greatest(count(*), 1))) AS most FROM zcsync.accounts) AS l
	LEFT JOIN LATERAL (
		SELECT count(*) AS streams,
			count(*) FILTER (WHERE f.failing AND NOT f.by_itself) AS failing,
			(array_agg(st.kind || ': ' || st.last_error ORDER BY st.failing_since) FILTER (WHERE f.failing AND f.by_itself))[1] AS read_error,
			min(st.failing_since) FILTER (WHERE f.failing AND f.by_itself) AS read_error_since,
			count(*) FILTER (WHERE st.history_state = 'running') AS reading_history,
			max(zcsync._now() - zcsync._turn_interval(st.stream_id, st.pull_interval) - coalesce(st.last_pull_at, st.created_at)) AS pull_lag,
			bool_and(st.last_pull_at IS NOT NULL) AS started,
			min(st.next_pull_at) AS next_pull_at
		FROM (SELECT * FROM zcsync.streams AS st WHERE st.account_id = a.account_id AND a.vendor <> 'local' OFFSET 0) AS st
		-- An error of a history that is no longer read does not count; trouble of the
		-- vendor ends by itself.
		CROSS JOIN LATERAL (
			SELECT st.last_error_at IS NOT NULL AND (st.last_error_lane IS DISTINCT FROM 'history' OR st.history_state = 'running') AS failing,
				coalesce(st.last_error_class IN ('vendor', 'throttled'), false) AS by_itself) AS f
		WHERE st.state = 'active') AS s ON true
	LEFT JOIN (
		SELECT b.account, sum(b.jobs)::bigint AS jobs, (sum(b.jobs) FILTER (WHERE b.later))::bigint AS later,
			min(b.next_run_at) AS run_at, min(b.oldest_at) FILTER (WHERE NOT b.later) AS oldest_at, bool_or(b.more) AS more
		FROM zcsync._backlog() AS b
		GROUP BY b.account) AS ready ON ready.account = a.name
	LEFT JOIN LATERAL (
		SELECT count(*) AS jobs, min(q.created_at) FILTER (WHERE q.priority < 60) AS oldest_at
		FROM zcsync.sync_queue AS q
		WHERE q.account_id = a.account_id AND q.state = 'running') AS running ON true
	LEFT JOIN LATERAL (
		SELECT count(*) AS jobs FROM (SELECT FROM zcsync.sync_queue AS q WHERE q.account_id = a.account_id AND q.state = 'held' LIMIT l.most) AS q) AS held ON true
	LEFT JOIN LATERAL (
		SELECT count(*) AS jobs FROM (SELECT FROM zcsync.dead_letters AS d WHERE d.account_id = a.account_id LIMIT l.most) AS d) AS dead ON true
	LEFT JOIN LATERAL (
		SELECT sum(x.calls_total)::bigint AS calls, sum(x.throttled_total)::bigint AS throttled,
			max(x.last_call_at) AS last_call_at
		FROM zcsync.account_budgets AS x WHERE x.account_id = a.account_id) AS b ON true
	LEFT JOIN zcsync._account_pauses() AS p ON p.account_id = a.account_id
	LEFT JOIN zcsync._account_route_errors() AS e ON e.account_id = a.account_id;
END
$$;
COMMENT ON FUNCTION zcsync._account_numbers() IS
'numbers of each account; the view stat_accounts';

CREATE FUNCTION zcsync._create_account_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_accounts AS
	SELECT x.account, x.vendor, x.state, x.streams, x.ready, x.running, x.held, x.dead_letters, x.route_errors, x.streams_failing,
		x.reading_history, x.backfill, x.lag, x.started, x.next_try_at, x.breaker_failures, x.breaker_until, x.paused_until, x.pause_reason,
		x.calls, x.throttled, x.last_call_at, x.last_error, x.last_error_at, x.state_reason, x.state_hint, x.read_error, x.read_error_since,
		x.more_jobs
	FROM zcsync._account_numbers() AS x;
	PERFORM zcsync._describe_account_view();
END
$body$;
COMMENT ON FUNCTION zcsync._create_account_view() IS
'makes view stat_accounts; part of zcsync._create_views()';

CREATE FUNCTION zcsync._describe_account_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	COMMENT ON VIEW zcsync.stat_accounts IS
	'per account: its jobs, errors, lag, breaker and calls, for programs; zcsync.status is for people';
	COMMENT ON COLUMN zcsync.stat_accounts.backfill IS 'ready jobs of history and backfills, part of ready';
	COMMENT ON COLUMN zcsync.stat_accounts.lag IS
	'for how long the oldest thing that is due has waited: a pull or a fresh change; history and backfills do not count';
	COMMENT ON COLUMN zcsync.stat_accounts.started IS 'each active stream was up to date at least once; a local account has nothing to read';
	COMMENT ON COLUMN zcsync.stat_accounts.next_try_at IS 'the earliest time at which something is sent or read next';
	COMMENT ON COLUMN zcsync.stat_accounts.breaker_failures IS
	'failures of the vendor in a row; NULL while the breaker is closed';
	COMMENT ON COLUMN zcsync.stat_accounts.route_errors IS 'records that a route of this account could not map fully';
	COMMENT ON COLUMN zcsync.stat_accounts.streams_failing IS 'streams that cannot be read until a person does something';
	COMMENT ON COLUMN zcsync.stat_accounts.read_error IS
	'why a stream was not read last time, if that ends by itself: the vendor is down or asks to wait';
	COMMENT ON COLUMN zcsync.stat_accounts.read_error_since IS 'since when there is a read_error';
	COMMENT ON COLUMN zcsync.stat_accounts.calls IS 'calls ever made, all endpoint classes';
	COMMENT ON COLUMN zcsync.stat_accounts.more_jobs IS
	'there are more jobs than were counted; see stat_backlog. Dead letters and route_errors are counted as well, up to 10,000';
END
$body$;
COMMENT ON FUNCTION zcsync._describe_account_view() IS
'says what the columns of view stat_accounts are; part of zcsync._create_views()';

CREATE FUNCTION zcsync._create_budget_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_budgets AS
	SELECT a.name AS account, b.class, m.per_minute, floor(w.tokens)::integer AS tokens, b.concurrency, w.running,
		CASE w.limited_by
			WHEN 'account' THEN 'account ' || a.state
			WHEN 'breaker' THEN CASE WHEN a.breaker_until > zcsync._now()
				THEN 'vendor down, next try in ' || zcsync._span(a.breaker_until - zcsync._now()) ELSE 'vendor down, tried by one call' END
			WHEN 'pause' THEN concat_ws(': ', 'paused for ' || zcsync._span(w.paused_until - zcsync._now()), w.pause_reason)
			WHEN 'tokens' THEN format('budget %s: %s a minute', b.class, trim_scale(m.per_minute))
			WHEN 'concurrency' THEN format('concurrency %s', b.concurrency)
		END AS limited_by,
		b.remote_limit, b.remote_remaining, b.calls_total, b.throttled_total, b.last_call_at
	FROM zcsync._allowances_now() AS w
	JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	JOIN zcsync.account_budgets AS b ON b.account_id = w.account_id AND b.class = w.class
	CROSS JOIN LATERAL (SELECT round((60 * w.rate)::numeric, 1)) AS m (per_minute);
	COMMENT ON VIEW zcsync.stat_budgets IS
	'per account and endpoint class: what may still be sent, what the vendor last said, what was sent';
	COMMENT ON COLUMN zcsync.stat_budgets.per_minute IS 'calls a minute in the long run; a burst may add a quarter of that';
	COMMENT ON COLUMN zcsync.stat_budgets.tokens IS 'calls that may be made at once now';
	COMMENT ON COLUMN zcsync.stat_budgets.limited_by IS 'why no call of this class can start now; empty: one can';
	COMMENT ON COLUMN zcsync.stat_budgets.running IS 'calls of this class that are on the wire';
	COMMENT ON COLUMN zcsync.stat_budgets.remote_remaining IS 'what the vendor''s headers last said was left';
END
$body$;
COMMENT ON FUNCTION zcsync._create_budget_view() IS
'makes view stat_budgets; part of zcsync._create_views()';

-- What is held of an account: pushes that wait for a decision, and not for their paused
-- route, which has a line of its own, with the reason; new rows that cancel_held() kept;
-- and copies that it prevents routes from making.  A refused push says itself why it is
-- held, and one of a read-only stream its stream.  Of the others the open alerts say it:
-- without one, or with several, the reason is not known.
CREATE FUNCTION zcsync._held_of(p_account text, OUT jobs bigint, OUT kept bigint, OUT reason text, OUT cancelled bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off		-- it would read the index to its end
SET jit = off
AS $$
DECLARE
	v_account bigint := (SELECT a.account_id FROM zcsync.accounts AS a WHERE a.name = p_account);
	v_alerts text[] := ARRAY(
		SELECT DISTINCT l.code FROM zcsync.alerts AS l
		WHERE l.resolved_at IS NULL AND (l.code = 'other_installation' AND l.object = p_account
			OR l.code = 'write_brake' AND (l.object = p_account OR EXISTS (
				SELECT FROM zcsync.routes AS r JOIN zcsync.streams AS s ON s.stream_id IN (r.source_stream_id, r.target_stream_id)
				WHERE r.name = l.object AND s.account_id = v_account))));
	v_known text := CASE v_alerts WHEN '{write_brake}' THEN 'by the write brake' WHEN '{other_installation}' THEN 'another installation writes'
		ELSE 'changes are held' END;
BEGIN
	SELECT count(*) FILTER (WHERE q.cancelled IS DISTINCT FROM 'kept'), count(*) FILTER (WHERE q.cancelled = 'kept'),
		CASE WHEN bool_and(q.read_only) THEN 'the stream is read-only' WHEN bool_and(q.refused) THEN 'a right is missing'
			WHEN bool_or(q.refused OR q.read_only) THEN 'changes are held' ELSE v_known END,
		(SELECT count(*) FROM (
			SELECT FROM zcsync.links AS l
			WHERE l.target_account = v_account AND l.state = 'cancelled' LIMIT 2000) AS l)
	INTO jobs, kept, reason, cancelled
	FROM (
		SELECT h.cancelled, CASE WHEN h.cancelled IS NULL THEN h.refused_at IS NOT NULL END AS refused,
			CASE WHEN h.cancelled IS NULL THEN EXISTS (SELECT FROM zcsync.streams AS s WHERE s.stream_id = h.stream_id AND NOT s.writes) END AS read_only
		FROM zcsync.sync_queue AS h
		WHERE h.account_id = v_account AND h.state = 'held'
			AND (h.last_class IS DISTINCT FROM 'paused' OR NOT EXISTS (
				SELECT FROM zcsync.comment_copies AS k JOIN zcsync.routes AS r ON r.route_id = k.route_id WHERE k.copy_id = h.local_id AND r.state = 'paused'))
		LIMIT 2000) AS q;
END
$$;
COMMENT ON FUNCTION zcsync._held_of(text) IS
'what is held of an account, and why: pushes, new rows that are not to be sent, and copies that are not to be made; counted up to 2,000';

-- What to run about what is held of an account, by the reason of _held_of(), NULL for new
-- rows that were not sent: a look at it comes before a decision.
CREATE FUNCTION zcsync._look_at_held(p_account text, p_reason text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE p_reason
		WHEN 'the stream is read-only' THEN format('SELECT zcsync.reference(kind, local_id), * FROM zcsync.sync_queue WHERE state = ''held'' AND account_id = zcsync.account(%L); '
			|| '-- then cancel_held(account), or alter_stream(stream, writes => true) and release_held(account)', p_account)
		WHEN 'a right is missing' THEN format('SELECT * FROM zcsync.check_account(%L); -- give the right at the vendor, then SELECT zcsync.release_held(%1$L);', p_account)
		WHEN 'another installation writes' THEN format('SELECT message, hint FROM zcsync.alerts WHERE code = ''other_installation'' AND object = %L AND resolved_at IS NULL;', p_account)
		ELSE format('SELECT zcsync.reference(kind, local_id), * FROM zcsync.sync_queue WHERE state = ''held'' AND account_id = zcsync.account(%L); -- then %s', p_account,
			CASE WHEN p_reason IS NULL THEN 'discard(reference) or release_held(account, cancelled => true)' ELSE 'release_held(account) or cancel_held(account)' END) END
$$;
COMMENT ON FUNCTION zcsync._look_at_held(text, text) IS
'the statement that shows what is held of an account, for to_do';

-- Since when an account is in a state; of many held jobs and errors of routes, a thousand
-- are looked at.
CREATE FUNCTION zcsync._account_since(p_account text, p_state text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off		-- it would read the index of held jobs to its end
SET jit = off
AS $$
BEGIN
	RETURN (
	SELECT CASE p_state
		WHEN 'held' THEN (
			SELECT min(q.created_at)
			FROM (SELECT h.created_at FROM zcsync.sync_queue AS h WHERE h.account_id = a.account_id AND h.state = 'held'
					AND (h.last_class IS DISTINCT FROM 'paused' OR NOT EXISTS (
						SELECT FROM zcsync.comment_copies AS k JOIN zcsync.routes AS r ON r.route_id = k.route_id WHERE k.copy_id = h.local_id AND r.state = 'paused'))
				LIMIT 1000) AS q)
		WHEN 'errors' THEN least(
			(SELECT min(d.died_at) FROM zcsync.dead_letters AS d WHERE d.account_id = a.account_id),
			(SELECT min(s.failing_since) FROM zcsync.streams AS s WHERE s.account_id = a.account_id AND s.state = 'active'),
			(SELECT min(f.first_at) FROM (
				SELECT e.first_at FROM zcsync.route_errors AS e
				JOIN zcsync.routes AS r USING (route_id) JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
				WHERE s.account_id = a.account_id LIMIT 1000) AS f))
		WHEN 'starting' THEN (SELECT min(s.created_at) FROM zcsync.streams AS s WHERE s.account_id = a.account_id AND s.state = 'active' AND s.last_pull_at IS NULL)
		WHEN 'no stream' THEN a.created_at
		ELSE (SELECT o.began_at FROM zcsync.outages AS o WHERE o.account_id = a.account_id AND o.ended_at IS NULL)
		END
	FROM zcsync.accounts AS a
	WHERE a.name = p_account);
END
$$;
COMMENT ON FUNCTION zcsync._account_since(text, text) IS
'since when an account is in a state of the view status; NULL: not known';

-- The state of each account: the first that holds.  A subtransaction catches errors, so
-- this runs in no parallel worker.
CREATE FUNCTION zcsync._account_states()
RETURNS TABLE (severity integer, account text, state text, since timestamptz, age interval, waiting text, errors bigint, next text, why text, to_do text, on_server boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	a record;
	v_held record;
	v_asks bigint;		-- what is held and waits for a decision
BEGIN
	FOR a IN SELECT n.* FROM zcsync._account_numbers() AS n LOOP
		account := a.account;
		age := a.lag;
		waiting := concat(a.ready + a.running + a.held, CASE WHEN a.more_jobs THEN '+' END);
		errors := a.dead_letters + a.route_errors + a.streams_failing;
		on_server := NULL;
		v_asks := 0;
		IF a.held > 0 THEN
			SELECT * INTO v_held FROM zcsync._held_of(a.account);
			v_asks := v_held.jobs + v_held.kept;
		END IF;
		next := CASE WHEN NOT isfinite(a.next_try_at) THEN NULL WHEN a.next_try_at > v_now THEN zcsync._span(a.next_try_at - v_now) WHEN a.next_try_at IS NOT NULL THEN 'now' END;
		IF a.state = 'blocked' THEN
			SELECT 1, 'blocked', a.state_reason, coalesce(a.state_hint, format('SELECT * FROM zcsync.check_account(%L);', a.account))
			INTO severity, state, why, to_do;
			-- an operator may give new credentials; the key, and what credentials refer to, is on the server
			on_server := EXISTS (
				SELECT FROM zcsync.accounts AS b WHERE b.name = a.account AND (b.blocked_by = 'key_missing' OR b.blocked_by = 'credentials_unreadable'
					AND EXISTS (SELECT FROM zcsync.credentials AS c WHERE c.account_id = b.account_id AND c.reference IS NOT NULL)));
		ELSIF a.state = 'paused' THEN
			SELECT 3, 'paused', coalesce(a.state_reason, 'by an operator'), format('SELECT zcsync.resume_account(%L);', a.account)
			INTO severity, state, why, to_do;
		ELSIF a.breaker_failures IS NOT NULL THEN
			SELECT 1, 'down', a.last_error, 'nothing: it is tried again by itself' INTO severity, state, why, to_do;
		ELSIF v_asks > 0 THEN
			SELECT 1, 'held', format('%s: %s%s', CASE WHEN v_held.jobs > 0 THEN v_held.reason ELSE 'new rows that were not sent' END,
					coalesce(nullif(v_held.jobs, 0), v_held.kept), CASE WHEN v_asks >= 2000 THEN '+' END),
				zcsync._look_at_held(a.account, CASE WHEN v_held.jobs > 0 THEN v_held.reason END)
			INTO severity, state, why, to_do;
		ELSIF errors > 0 THEN
			SELECT 2, 'errors', format('waiting for a person: %s', errors), format('SELECT * FROM zcsync.errors WHERE account = %L;', a.account)
			INTO severity, state, why, to_do;
		ELSIF a.paused_until IS NOT NULL AND (a.lag > interval '1 minute' OR a.read_error_since < v_now - interval '1 minute') THEN
			SELECT 2, 'throttled', a.pause_reason, 'nothing: it goes on by itself' INTO severity, state, why, to_do;
		ELSIF a.started AND a.lag > interval '1 minute' OR a.read_error_since < v_now - interval '1 minute' THEN
			SELECT 2, 'behind', coalesce('could not read ' || a.read_error, format('jobs waiting: %s%s', a.ready + a.running, CASE WHEN a.more_jobs THEN '+' END)),
				-- what waits in a local account are records that routes have to look at
				format(CASE WHEN a.vendor = 'local' THEN 'SELECT * FROM zcsync.lag WHERE what = ''route'';'
					WHEN a.read_error IS NULL THEN 'SELECT * FROM zcsync.stat_budgets WHERE account = %L;'
					ELSE 'SELECT * FROM zcsync.errors WHERE account = %L;' END, a.account)
			INTO severity, state, why, to_do;
		ELSIF NOT a.started THEN
			SELECT 3, 'starting', 'the first page of a stream has not come yet', 'SELECT * FROM zcsync.progress;' INTO severity, state, why, to_do;
		ELSIF a.streams = 0 AND a.vendor <> 'local' THEN
			SELECT 3, 'no stream', 'nothing is mirrored', format('SELECT * FROM zcsync.add_stream(%L, …);', a.account) INTO severity, state, why, to_do;
		ELSE
			SELECT 4, 'in step', NULL, NULL INTO severity, state, why, to_do;
			IF a.reading_history > 0 OR a.backfill > 0 THEN
				why := CASE WHEN a.reading_history > 0 THEN 'reads history' ELSE format('jobs of history or backfill: %s', a.backfill) END;
				to_do := 'SELECT * FROM zcsync.progress;';
			ELSIF EXISTS (SELECT FROM zcsync.links AS l WHERE l.state = 'cancelled') THEN	-- hardly ever is anything cancelled
				SELECT format('copies that were cancelled: %s', h.cancelled), format('SELECT zcsync.release_held(%L, cancelled => true);', a.account)
				INTO why, to_do FROM zcsync._held_of(a.account) AS h WHERE h.cancelled > 0;
			END IF;
		END IF;
		since := CASE WHEN state IN ('blocked', 'paused', 'down', 'held', 'errors', 'starting', 'no stream') THEN zcsync._account_since(a.account, state)
			WHEN state IN ('throttled', 'behind') THEN least(v_now - a.lag, a.read_error_since) END;
		RETURN NEXT;
	END LOOP;
EXCEPTION WHEN OTHERS THEN	-- what is wrong with the installation is still shown
	RETURN QUERY SELECT 0, '(all)', 'unknown', NULL::timestamptz, NULL::interval, NULL, NULL::bigint, NULL,
		format('accounts cannot be shown: %s', SQLERRM), 'SELECT * FROM zcsync.setup();', NULL::boolean;
END
$$;
COMMENT ON FUNCTION zcsync._account_states() IS
'the first state that holds of each account, and what to run then; lines of the view status';

CREATE FUNCTION zcsync._create_status_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.status AS
	SELECT x.account, x.state, date_trunc('second', x.since) AS since, zcsync._span(x.age) AS lag, x.waiting, x.errors, x.next,
		-- of the path of a file its name is enough here
		zcsync._shorten(regexp_replace(x.why, '"/[^"]*/', '"…/'), 38) AS why,
		-- statements that only a superuser may run do not begin so, nor does what is done outside of the database;
		-- jobs of pg_cron are their owners', and only a superuser may change those of others
		CASE WHEN x.state IN ('in step', 'starting') OR starts_with(x.to_do, 'nothing') THEN 'nobody'
			WHEN starts_with(x.to_do, 'SELECT cron.') OR starts_with(x.to_do, 'SELECT * FROM cron.') THEN 'superuser'
			WHEN x.to_do IS NULL OR starts_with(x.to_do, 'SELECT ') OR starts_with(x.to_do, 'CALL ') THEN 'operator'
			WHEN NOT x.on_server THEN 'operator'
			ELSE 'superuser' END AS who,
		x.to_do
	FROM (
		SELECT t.severity, t.object AS account, t.state, t.since, NULL::interval AS age, NULL::text AS waiting,
			NULL::bigint AS errors, NULL::text AS next, t.why, t.to_do, NULL::boolean AS on_server
		FROM zcsync._installation_trouble() AS t
		UNION ALL
		SELECT a.severity, a.account, a.state, a.since, a.age, a.waiting, a.errors, a.next, a.why, a.to_do, a.on_server
		FROM zcsync._account_states() AS a) AS x
	ORDER BY x.severity, x.age DESC NULLS LAST, x.account;
	PERFORM zcsync._describe_status_view();
END
$body$;
COMMENT ON FUNCTION zcsync._create_status_view() IS
'creates or replaces the view status';

CREATE FUNCTION zcsync._describe_status_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	COMMENT ON VIEW zcsync.status IS
	'one screen: what is wrong with the installation, then each account, worst first, and what is paused; since when, why, who must act, and what to run: to_do';
	COMMENT ON COLUMN zcsync.status.account IS
	'name of the account; (all): the whole installation, shown only when something is wrong with it; or a stream, route, queue, webhook, door, alert target or the suspended mail of an account, while something is wrong with it or it is paused';
	COMMENT ON COLUMN zcsync.status.state IS
	'of an account: in step, or the first that holds of: blocked, paused, down (the vendor), held, errors, throttled, behind, starting, no stream; doc/operations.md has all of them';
	COMMENT ON COLUMN zcsync.status.since IS 'since when it is so, as far as that is known';
	COMMENT ON COLUMN zcsync.status.lag IS
	'for how long the oldest thing that is due has waited: a pull or a fresh change; more than a minute is not in step';
	COMMENT ON COLUMN zcsync.status.why IS 'shortened; in full in zcsync.errors, zcsync.alerts and zcsync.selfcheck()';
	COMMENT ON COLUMN zcsync.status.who IS
	'who must act: nobody; an operator, see zcsync.grant_operator(); a superuser, or who has the server';
	COMMENT ON COLUMN zcsync.status.to_do IS 'what to run; empty: nothing';
	COMMENT ON COLUMN zcsync.status.waiting IS 'live jobs: ready, running and held; with a + there are more than were counted';
	COMMENT ON COLUMN zcsync.status.errors IS 'rows of zcsync.errors that wait for a person';
	COMMENT ON COLUMN zcsync.status.next IS 'when something is sent or read next';
END
$body$;
COMMENT ON FUNCTION zcsync._describe_status_view() IS
'says what the view status and its columns are; part of zcsync._create_views()';

-- What backfills still have to look at or to send.  Up to 10,000 jobs are counted.  If
-- there are more, the result is how many job numbers lie between the first and the last
-- of them, since numbers are given out in order.  The conditions are written so that only
-- one index can be used: with the primary key, all jobs would be read to find none.
CREATE FUNCTION zcsync._backfills_undone() RETURNS TABLE (route_id bigint, undone bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT r.route_id, sum(CASE WHEN c.jobs <= 10000 THEN c.jobs ELSE greatest(c.jobs, l.job_id - f.job_id) END)::bigint
	FROM zcsync.routes AS r
	CROSS JOIN unnest('{route,push}'::text[]) AS o (operation)
	CROSS JOIN LATERAL (
		SELECT count(*) AS jobs
		FROM (SELECT FROM zcsync.sync_queue AS q
			WHERE ROW(q.route_id, q.operation) BETWEEN ROW(r.route_id, o.operation) AND ROW(r.route_id, o.operation)
				AND q.route_id IS NOT NULL AND q.priority >= 60 LIMIT 10001) AS q) AS c
	CROSS JOIN LATERAL (
		SELECT q.job_id FROM zcsync.sync_queue AS q
		WHERE ROW(q.route_id, q.operation) BETWEEN ROW(r.route_id, o.operation) AND ROW(r.route_id, o.operation)
			AND q.route_id IS NOT NULL AND q.priority >= 60
		ORDER BY q.route_id, q.operation, q.job_id LIMIT 1) AS f
	CROSS JOIN LATERAL (
		SELECT q.job_id FROM zcsync.sync_queue AS q
		WHERE ROW(q.route_id, q.operation) BETWEEN ROW(r.route_id, o.operation) AND ROW(r.route_id, o.operation)
			AND q.route_id IS NOT NULL AND q.priority >= 60
		ORDER BY q.route_id DESC, q.operation DESC, q.job_id DESC LIMIT 1) AS l
	GROUP BY r.route_id;
END
$$;
COMMENT ON FUNCTION zcsync._backfills_undone() IS
'how many jobs backfills of routes still have, counted up to 10,000 and estimated above; for views';

CREATE FUNCTION zcsync._stream_progress()
RETURNS TABLE (object text, lane text, done bigint, estimate bigint, progress text, calls_minute numeric, eta text, oldest text, newest text, limited_by text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH lanes AS (
		SELECT a.name || '/' || s.kind AS object, 'live' AS lane, s.*, a.name AS account, NULL::double precision AS per_minute
		FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE a.vendor <> 'local'
		UNION ALL
		SELECT a.name || '/' || s.kind, 'history', s.*, a.name,
			s.records_done * 60 / nullif(extract(epoch FROM coalesce(s.history_done_at, zcsync._now()) - s.history_started_at), 0)
		FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE s.history_state <> 'none'
		UNION ALL
		SELECT a.name || '/' || s.kind, 'compare', s.*, a.name, NULL
		FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE s.compare_cursor IS NOT NULL OR (	-- not EXISTS, for which all jobs may be read
			SELECT true FROM zcsync.sync_queue AS q
			WHERE q.account_id = s.account_id AND q.state IN ('ready', 'held') AND q.dedupe_key = 'pull/' || s.stream_id || '/compare' LIMIT 1)
		UNION ALL
		SELECT a.name || '/' || s.kind, 'comments', s.*, a.name, NULL
		FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE s.comments_counted IS NOT NULL
	), counts AS (
		SELECT l.*, c.cursor IS NOT NULL AS is_compared, (c.cursor ->> 'began')::timestamptz AS compare_began_at,
			CASE l.lane WHEN 'history' THEN l.records_done WHEN 'compare' THEN (c.cursor #>> '{pass,listed}')::bigint
				WHEN 'comments' THEN (l.comments_counted ->> 'read')::bigint END AS done,
			CASE l.lane WHEN 'history' THEN l.records_estimate WHEN 'compare' THEN (c.cursor ->> 'expected')::bigint
				WHEN 'comments' THEN (l.comments_counted ->> 'read')::bigint + (l.comments_counted ->> 'unread')::bigint END AS estimate
		FROM lanes AS l
		-- a comparison of which no page came for a day begins again
		CROSS JOIN LATERAL (SELECT CASE WHEN l.lane = 'compare' AND (l.compare_cursor ->> 'at')::timestamptz > zcsync._now() - interval '1 day'
			THEN l.compare_cursor END) AS c (cursor)
	)
	SELECT l.object, l.lane, l.done, l.estimate,
		CASE
			WHEN l.lane = 'history' AND l.history_state = 'done' THEN zcsync._bar(1, 1)
			WHEN l.lane = 'compare' AND NOT l.is_compared THEN 'starting'
			-- an estimate may be too low: show 100 % only when it is done
			WHEN l.lane <> 'live' THEN zcsync._bar(least(l.done, 0.99 * l.estimate), l.estimate)
			WHEN l.last_pull_at IS NULL THEN 'starting'
			WHEN zcsync._now() - l.last_pull_at <= zcsync._turn_interval(l.stream_id, l.pull_interval) + interval '1 minute' THEN 'in step'
			ELSE zcsync._span(zcsync._now() - l.last_pull_at) || ' behind'
		END AS progress,
		round(CASE
			WHEN l.lane = 'live' THEN 60 / extract(epoch FROM l.pull_interval)
			WHEN l.lane = 'history' AND l.history_state = 'running' THEN l.calls_done * 60 / nullif(extract(epoch FROM zcsync._now() - l.history_started_at), 0)
		END, 2) AS calls_minute,
		CASE
			WHEN l.lane = 'history' AND l.history_state = 'running' THEN
				zcsync._span(make_interval(secs => greatest(l.estimate - l.done, 0) * 60 / nullif(l.per_minute, 0)))
			WHEN l.lane = 'compare' THEN
				zcsync._span((zcsync._now() - l.compare_began_at) * (greatest(l.estimate - l.done, 0) / nullif(l.done, 0)::double precision))
			WHEN l.lane = 'comments' THEN zcsync._span(zcsync._comments_left(l.comments_counted))
		END AS eta,
		to_char(l.oldest_record_at, 'YYYY-MM-DD HH24:MI') AS oldest, to_char(l.newest_record_at, 'YYYY-MM-DD HH24:MI') AS newest,
		CASE WHEN l.lane = 'history' AND l.history_state <> 'running' THEN NULL WHEN l.state = 'paused' THEN 'stream paused' ELSE b.limited_by END AS limited_by
	FROM counts AS l
	LEFT JOIN LATERAL (	-- "held" as well, so that only the index of keys can be used and not that of all ready jobs
		SELECT q.budget_class, q.state FROM zcsync.sync_queue AS q
		WHERE q.account_id = l.account_id AND q.state IN ('ready', 'held') AND q.dedupe_key = 'pull/' || l.stream_id || '/' || l.lane OFFSET 0) AS j
		ON j.state = 'ready'
	LEFT JOIN zcsync.stat_budgets AS b ON b.account = l.account AND b.class = CASE l.lane WHEN 'comments' THEN 'api' ELSE j.budget_class END;
END
$$;
COMMENT ON FUNCTION zcsync._stream_progress() IS
'the lines of the view progress about streams';

-- Indexes of tables of zcsync that are being made, as PostgreSQL tells: of the blocks and
-- rows of a step, whose names are PostgreSQL's.
CREATE FUNCTION zcsync._index_progress()
RETURNS TABLE (object text, lane text, done bigint, estimate bigint, progress text, calls_minute numeric, eta text, oldest text, newest text, limited_by text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT coalesce(nullif(p.index_relid, 0), p.relid)::regclass::text, 'index', w.done, w.whole, concat_ws(' ', zcsync._bar(w.done, w.whole), p.phase), NULL::numeric,
		CASE WHEN p.phase LIKE 'building index%' THEN
			zcsync._span((clock_timestamp() - a.query_start) * ((w.whole - w.done) / nullif(w.done, 0)::double precision)) END, NULL::text, NULL::text,
		CASE WHEN p.lockers_done < p.lockers_total THEN format('transactions of others: %s', p.lockers_total - p.lockers_done) END
	FROM pg_stat_progress_create_index AS p
	JOIN pg_class AS c ON c.oid = p.relid
	LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid
	CROSS JOIN LATERAL (
		SELECT CASE WHEN p.blocks_total > 0 THEN least(p.blocks_done, p.blocks_total) WHEN p.tuples_total > 0 THEN least(p.tuples_done, p.tuples_total) END AS done,
			CASE WHEN p.blocks_total > 0 THEN p.blocks_total WHEN p.tuples_total > 0 THEN p.tuples_total END AS whole) AS w
	WHERE p.datname = current_database() AND c.relnamespace = 'zcsync'::regnamespace;
END
$$;
COMMENT ON FUNCTION zcsync._index_progress() IS
'the lines of the view progress about indexes that are being made';

CREATE FUNCTION zcsync._progress_lines()
RETURNS TABLE (object text, lane text, done bigint, estimate bigint, progress text, calls_minute numeric, eta text, oldest text, newest text, limited_by text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH backfills AS (
		SELECT r.route_id, r.name, r.target_stream_id, coalesce(f.records, 0) AS whole, f.began_at, b.undone
		FROM zcsync._backfills_undone() AS b JOIN zcsync.routes AS r USING (route_id) LEFT JOIN zcsync.route_backfills AS f USING (route_id)
	)
	SELECT * FROM zcsync._stream_progress()
	UNION ALL
	-- a record is done when the route has looked at it and its counterpart was sent
	SELECT b.name, 'backfill', greatest(b.whole - b.undone, 0), greatest(b.whole, b.undone),
		zcsync._bar(b.whole - b.undone, b.whole), NULL, zcsync._span((zcsync._now() - b.began_at) * b.undone / nullif(greatest(b.whole - b.undone, 0), 0)), NULL, NULL, x.limited_by
	FROM backfills AS b JOIN zcsync.streams AS s ON s.stream_id = b.target_stream_id JOIN zcsync.accounts AS a USING (account_id)
	LEFT JOIN LATERAL (	-- see _push_class()
		SELECT y.limited_by FROM zcsync.stat_budgets AS y
		WHERE y.account = a.name AND y.class IN ('api', 'write') ORDER BY y.class = 'write' DESC LIMIT 1) AS x ON true
	UNION ALL
	SELECT i.name, 'import', i.done, i.estimate, zcsync._bar(i.done, i.estimate), NULL, zcsync._span(i.remaining), NULL, NULL, NULL
	FROM zcsync._running_imports() AS i
	UNION ALL
	SELECT * FROM zcsync._index_progress()
	UNION ALL
	SELECT * FROM zcsync._server_progress()
	UNION ALL
	SELECT * FROM zcsync._verb_progress()
	UNION ALL
	SELECT 'zcsync.maintain()', 'maintenance', m.done, m.steps, concat_ws(' ', zcsync._bar(m.done, m.steps), m.step), NULL, zcsync._span(m.remaining), NULL, NULL, NULL
	FROM zcsync._running_maintenance() AS m
	ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION zcsync._progress_lines() IS
'the lines of the view progress';

CREATE FUNCTION zcsync._create_progress_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.progress AS
	SELECT x.object, x.lane, x.done, x.estimate, x.progress, x.calls_minute, x.eta, x.oldest, x.newest, x.limited_by
	FROM zcsync._progress_lines() AS x;
	PERFORM zcsync._describe_progress_view();
END
$body$;
COMMENT ON FUNCTION zcsync._create_progress_view() IS
'creates or replaces the view progress';

CREATE FUNCTION zcsync._describe_progress_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	COMMENT ON VIEW zcsync.progress IS
	'how far each stream has read, live and history, how far its comparison with the vendor''s lists is and the first reading of comments, each backfill of a route, each import of leads, what else takes long (indexes, VACUUM, COPY, verbs, maintenance), and what holds it';
	COMMENT ON COLUMN zcsync.progress.object IS 'account/kind of a stream, the name of a route, intake, table or index, or a call of a function';
	COMMENT ON COLUMN zcsync.progress.lane IS 'live: what changes from now on; history: what was there before; compare: the rows with all that the vendor lists, once a day; comments: the first reading of comments; backfill of a route; import of an intake, or its plan; index; vacuum; copy; verb: a function that somebody called; maintenance';
	COMMENT ON COLUMN zcsync.progress.done IS 'records read, listed, looked at or taken so far; comments: records whose comments were read; index, vacuum: blocks or rows of the present step; copy: rows; verb: records of the present step, or calls to a vendor; maintenance: steps';
	COMMENT ON COLUMN zcsync.progress.progress IS 'how far it is, in words or as a bar';
	COMMENT ON COLUMN zcsync.progress.eta IS 'in how much time it is done, if it goes on as so far';
	COMMENT ON COLUMN zcsync.progress.newest IS 'creation of the newest record mirrored';
	COMMENT ON COLUMN zcsync.progress.estimate IS 'records expected; may be too low or too high';
	COMMENT ON COLUMN zcsync.progress.calls_minute IS 'history: calls made a minute since it began; live: pulls planned';
	COMMENT ON COLUMN zcsync.progress.oldest IS 'creation of the oldest record mirrored';
	COMMENT ON COLUMN zcsync.progress.limited_by IS 'what it waits for: the account, the vendor, a pause, a budget; empty: nothing';
END
$body$;
COMMENT ON FUNCTION zcsync._describe_progress_view() IS
'says what the columns of view progress are; part of zcsync._create_views()';

-- One status at a time, in the order of the index, since the months may hold millions
-- of rows.
CREATE FUNCTION zcsync._ended_lately() RETURNS TABLE (queue text, ended bigint, failed bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_since timestamptz := zcsync._now() - interval '1 minute';
BEGIN
	RETURN QUERY
	WITH RECURSIVE known AS (
		SELECT min(f.status) AS status FROM zcsync.sync_records AS f
		UNION ALL
		SELECT (SELECT min(n.status) FROM zcsync.sync_records AS n WHERE n.status > k.status) FROM known AS k WHERE k.status IS NOT NULL
	)
	SELECT e.queue, count(*), count(*) FILTER (WHERE k.status = 'failed')
	FROM known AS k
	CROSS JOIN LATERAL (
		SELECT s.queue FROM zcsync.sync_records AS s WHERE s.status = k.status AND s.created_at > v_since OFFSET 0) AS e
	GROUP BY e.queue;
END
$$;
COMMENT ON FUNCTION zcsync._ended_lately() IS
'jobs that ended in the last minute, by queue; for views';

CREATE FUNCTION zcsync._queue_numbers()
RETURNS TABLE (queue text, state text, ready bigint, due bigint, running bigint, held integer, retrying bigint, oldest interval, ended_1m bigint,
	failed_1m bigint, concurrency integer, max_attempts integer, more_jobs boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off		-- it would read the index of held jobs to its end
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT u.name AS queue, u.state,
		coalesce(q.ready, 0) AS ready, coalesce(q.due, 0) AS due, coalesce(r.running, 0) AS running,
		coalesce(d.held, 0) AS held, coalesce(q.retrying, 0) AS retrying,
		date_trunc('second', zcsync._now() - least(q.oldest_at, r.oldest_at)) AS oldest,
		coalesce(h.ended, 0) AS ended_1m, coalesce(h.failed, 0) AS failed_1m,
		u.concurrency, u.max_attempts, coalesce(q.more, false) OR d.more AS more_jobs
	FROM zcsync.queues AS u
	LEFT JOIN (
		SELECT b.queue, sum(b.jobs)::bigint AS ready, sum(b.due)::bigint AS due, sum(b.retrying)::bigint AS retrying,
			min(b.oldest_at) AS oldest_at, bool_or(b.more) AS more
		FROM zcsync._backlog() AS b
		GROUP BY b.queue) AS q ON q.queue = u.name
	LEFT JOIN (
		SELECT j.queue, count(*) AS running, min(j.created_at) AS oldest_at
		FROM zcsync.sync_queue AS j
		WHERE j.state = 'running'
		GROUP BY j.queue) AS r ON r.queue = u.name
	CROSS JOIN (
		SELECT array_agg(j.queue) AS queues, count(*) >= 10000 AS more
		FROM (SELECT j.queue FROM zcsync.sync_queue AS j WHERE j.state = 'held' ORDER BY j.account_id, j.route_id LIMIT 10000) AS j) AS x
	CROSS JOIN LATERAL (SELECT cardinality(array_positions(x.queues, u.name)) AS held, x.more) AS d
	LEFT JOIN zcsync._ended_lately() AS h ON h.queue = u.name
	ORDER BY u.name;
END
$$;
COMMENT ON FUNCTION zcsync._queue_numbers() IS
'numbers of each queue; the view stat_queue';

CREATE FUNCTION zcsync._create_work_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_queue AS
	SELECT x.queue, x.state, x.ready, x.due, x.running, x.held, x.retrying, x.oldest, x.ended_1m, x.failed_1m, x.concurrency, x.max_attempts,
		x.more_jobs
	FROM zcsync._queue_numbers() AS x;
	COMMENT ON VIEW zcsync.stat_queue IS 'the live jobs by queue, and what ended in the last minute';
	COMMENT ON COLUMN zcsync.stat_queue.due IS 'ready jobs whose time has come, part of ready';
	COMMENT ON COLUMN zcsync.stat_queue.retrying IS 'ready jobs that failed before, part of ready';
	COMMENT ON COLUMN zcsync.stat_queue.oldest IS 'age of the oldest job that is ready or running';
	COMMENT ON COLUMN zcsync.stat_queue.concurrency IS 'jobs of one account that may run at a time';
	COMMENT ON COLUMN zcsync.stat_queue.more_jobs IS 'there are more jobs than were counted; see stat_backlog';

	CREATE OR REPLACE VIEW zcsync.stat_workers AS
	SELECT w.pid, w.role, d.datname AS database, w.state, w.in_flight, w.started_at, w.restarts,
		w.reason,
		CASE WHEN d.datname = current_database() OR w.database IS NULL THEN w.last_error END AS last_error
	FROM zcsync._worker_slots() AS w
	LEFT JOIN pg_database AS d ON d.oid = w.database
	UNION ALL
	SELECT c.pid, c.role, current_database(), CASE WHEN p.pid IS NULL THEN 'gone' ELSE 'running' END,
		(SELECT count(*)::integer FROM zcsync.sync_queue AS q WHERE q.claimed_by = c.incarnation AND q.state = 'running'),
		c.started_at, NULL, NULL, NULL
	FROM zcsync.claimants AS c
	LEFT JOIN pg_stat_activity AS p ON p.pid = c.pid
	WHERE c.role = 'run' OR p.pid IS NULL
	ORDER BY database NULLS FIRST, role, started_at;
	COMMENT ON VIEW zcsync.stat_workers IS
	'the launcher and the workers of all databases of this server, and the sessions of this one that are in CALL zcsync.run()';
	COMMENT ON COLUMN zcsync.stat_workers.role IS 'launcher, worker, local worker (there while routes have something to do), or run for a session in CALL zcsync.run()';
	COMMENT ON COLUMN zcsync.stat_workers.in_flight IS 'requests on the wire';
	COMMENT ON COLUMN zcsync.stat_workers.restarts IS 'starts since the last healthy run';
	COMMENT ON COLUMN zcsync.stat_workers.reason IS 'why it does not work, where it does not';
	COMMENT ON COLUMN zcsync.stat_workers.last_error IS 'not shown for workers of other databases';
END
$body$;
COMMENT ON FUNCTION zcsync._create_work_views() IS
'creates or replaces stat_queue and stat_workers';

-- The jobs of an account that failed and are tried again.  A function, as _backlog() is:
-- where statistics do not know yet that nearly no job failed, a reader's settings may
-- have the view compiled (jit), which takes longer than to read it.  Errors of reading
-- are shown for the stream.
CREATE FUNCTION zcsync._failing_jobs(p_account bigint)
RETURNS TABLE (job_id bigint, operation text, kind text, local_id bigint, record_key text, attempts integer, run_at timestamptz,
	last_class text, last_status integer, last_error text, last_hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT q.job_id, q.operation, q.kind, q.local_id, q.record_key, q.attempts, q.run_at, q.last_class, q.last_status, q.last_error, q.last_hint
	FROM zcsync.sync_queue AS q
	WHERE q.account_id = p_account AND q.last_error IS NOT NULL AND q.operation <> 'pull';
END
$$;
COMMENT ON FUNCTION zcsync._failing_jobs(bigint) IS
'jobs of an account that failed and are tried again; for views';

CREATE FUNCTION zcsync._create_errors_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	-- The columns of all parts are of the same types, else each part would be made whole
	-- also for those who count its rows, or ask for one account.
	CREATE OR REPLACE VIEW zcsync.errors AS
	SELECT a.name AS account, 'dead letter' AS source,
		coalesce(CASE WHEN d.local_id IS NOT NULL THEN a.name || '/' || d.kind || '/' || zcsync._record_id(d.kind, d.local_id) END,
			CASE d.operation WHEN 'apply' THEN a.name || substr(d.record_key, 6) ELSE d.record_key END) AS reference,
		concat_ws(' ', d.status, d.class || ':', d.message) AS message,
		coalesce(d.hint, format('SELECT zcsync.retry(%s);', d.job_id)) AS hint,
		d.attempts::bigint AS times, d.died_at AS last_at, d.job_id
	FROM zcsync.dead_letters AS d JOIN zcsync.accounts AS a USING (account_id)
	UNION ALL
	SELECT a.name, 'route ' || r.name, a.name || '/' || s.kind || '/' || zcsync._record_id(s.kind, e.source_id),
		e.message, e.hint, e.times, e.last_at, NULL
	FROM (
		-- one row for each record, with all its fields
		SELECT x.route_id, x.source_id,
			string_agg(concat_ws(': ', nullif(x.field, ''), x.message), '; ' ORDER BY x.field) AS message,
			(array_agg(x.hint ORDER BY x.last_at DESC) FILTER (WHERE x.hint IS NOT NULL))[1] AS hint,
			sum(x.count)::bigint AS times, max(x.last_at) AS last_at
		FROM zcsync.route_errors AS x
		GROUP BY x.route_id, x.source_id) AS e
	JOIN zcsync.routes AS r USING (route_id)
	JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts AS a USING (account_id)
	UNION ALL
	SELECT a.name, 'stream', a.name || '/' || s.kind, s.last_error,
		CASE WHEN s.last_error_class IN ('vendor', 'throttled') THEN 'nothing: it is read again by itself'
			ELSE format('SELECT * FROM zcsync.check_account(%L);', a.name) END, 1::bigint, s.last_error_at, NULL
	FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
	WHERE s.last_error_at IS NOT NULL AND (s.last_error_lane IS DISTINCT FROM 'history' OR s.history_state = 'running') AND s.state = 'active'
	UNION ALL
	SELECT a.name, 'retrying', coalesce(CASE WHEN q.local_id IS NOT NULL THEN a.name || '/' || q.kind || '/' || zcsync._record_id(q.kind, q.local_id) END,
			CASE q.operation WHEN 'apply' THEN a.name || substr(q.record_key, 6) ELSE q.record_key END),
		concat_ws(' ', q.last_status, q.last_class || ':', q.last_error), q.last_hint, q.attempts::bigint, q.run_at, q.job_id
	FROM zcsync.accounts AS a CROSS JOIN LATERAL zcsync._failing_jobs(a.account_id) AS q
	UNION ALL
	SELECT a.name, 'account', a.name, coalesce(a.state_reason, a.last_error), a.state_hint,
		greatest(a.breaker_failures, 1)::bigint, a.last_error_at, NULL
	FROM zcsync.accounts AS a
	WHERE a.state = 'blocked' OR a.breaker_failures >= 3;
	COMMENT ON VIEW zcsync.errors IS
	'everything that went wrong and is not solved yet, a row per record with its reference';
	COMMENT ON COLUMN zcsync.errors.account IS 'account of the record; zcsync.status has a row for it';
	COMMENT ON COLUMN zcsync.errors.message IS 'what the vendor or the route said';
	COMMENT ON COLUMN zcsync.errors.hint IS 'what to run, or what to mend before zcsync.retry(job_id)';
	COMMENT ON COLUMN zcsync.errors.times IS 'how often it was tried, or happened';
	COMMENT ON COLUMN zcsync.errors.last_at IS 'when it happened last; retrying: when it is tried next';
	COMMENT ON COLUMN zcsync.errors.source IS
	'dead letter (waits for a person), route NAME (could not map), stream, retrying (tried again by itself at last_at), account';
	COMMENT ON COLUMN zcsync.errors.reference IS 'the record, for zcsync.history(); else the key of the job';
	COMMENT ON COLUMN zcsync.errors.job_id IS 'for zcsync.retry() and zcsync.cancel()';
END
$body$;
COMMENT ON FUNCTION zcsync._create_errors_view() IS
'creates or replaces the view errors';
