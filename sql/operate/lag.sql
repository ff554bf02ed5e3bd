-- ---------------------------------------------------------------------
-- How far behind each stream and each route is, and what the workers do now.
-- ---------------------------------------------------------------------

-- The waiting jobs of each kind and route of an account, in each queue.  From each part
-- of the queue (see _backlog_parts()) a limited number of jobs is read, some 6,000 in
-- all.
CREATE FUNCTION zcsync._waiting()
RETURNS TABLE (account_id bigint, queue text, operation text, kind text, route_id bigint, later boolean, jobs bigint, due bigint, more boolean,
	oldest_at timestamptz)
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
	SELECT p.account_id, p.queue, r.operation, r.kind, r.route_id, p.later, count(*), count(*) FILTER (WHERE r.run_at <= v_now),
		sum(count(*)) OVER (PARTITION BY p.account_id, p.queue, p.class, p.later) >= p.most, min(r.created_at)
	FROM (SELECT t.*, greatest(20, least(3000, 6000 / count(*) OVER ())) AS most FROM zcsync._backlog_parts() AS t) AS p
	CROSS JOIN LATERAL (
		SELECT q.operation, q.kind, q.route_id, q.run_at, q.created_at
		FROM zcsync.sync_queue AS q
		WHERE q.account_id = p.account_id AND q.queue = p.queue AND q.budget_class = p.class AND q.state = 'ready'
			AND q.priority BETWEEN (CASE WHEN p.later THEN 60 ELSE -32768 END)::smallint
				AND (CASE WHEN p.later THEN 32767 ELSE 59 END)::smallint
		ORDER BY q.priority, q.run_at, q.job_id
		LIMIT p.most) AS r
	GROUP BY p.account_id, p.queue, p.class, p.later, p.most, r.operation, r.kind, r.route_id;
END
$$;
COMMENT ON FUNCTION zcsync._waiting() IS
'jobs that are ready, by account, queue, operation, kind and route, counted up to a limit; for views';

-- The lag of a route is that of the oldest record that it still has to look at; the lag
-- of a stream is that of the read that is overdue, or of the oldest edit that was not
-- sent.
CREATE FUNCTION zcsync._lags()
RETURNS TABLE (object text, what text, state text, lag interval, read_at timestamptz, waiting bigint, more boolean, oldest_at timestamptz,
	backfill bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN QUERY
	WITH waits AS MATERIALIZED (
		SELECT w.account_id, w.operation, w.kind, w.route_id, coalesce(sum(w.jobs) FILTER (WHERE NOT w.later), 0)::bigint AS jobs, bool_or(w.more) AS more,
			min(w.oldest_at) FILTER (WHERE NOT w.later) AS oldest_at, coalesce(sum(w.jobs) FILTER (WHERE w.later), 0)::bigint AS backfill
		FROM zcsync._waiting() AS w
		WHERE w.operation <> 'pull'	-- the stream says when its read was due
		GROUP BY w.account_id, w.operation, w.kind, w.route_id)
	SELECT a.name || '/' || s.kind, 'stream', CASE WHEN a.state = 'active' THEN s.state ELSE 'account ' || a.state END,
		greatest(v_now - w.oldest_at, CASE WHEN s.state = 'active' AND a.vendor <> 'local'
			THEN v_now - zcsync._turn_interval(s.stream_id, s.pull_interval) - coalesce(s.last_pull_at, s.created_at) END, interval '0'),
		s.last_pull_at, coalesce(w.jobs, 0), coalesce(w.more, false), w.oldest_at, coalesce(w.backfill, 0)
	FROM zcsync.streams AS s
	JOIN zcsync.accounts AS a USING (account_id)
	LEFT JOIN (
		SELECT x.account_id, x.kind, sum(x.jobs)::bigint AS jobs, bool_or(x.more) AS more, min(x.oldest_at) AS oldest_at,
			sum(x.backfill)::bigint AS backfill
		FROM waits AS x WHERE x.operation <> 'route'
		GROUP BY x.account_id, x.kind) AS w ON w.account_id = s.account_id AND w.kind = s.kind
	UNION ALL
	SELECT r.name, 'route', r.state, greatest(v_now - w.oldest_at, interval '0'), NULL, coalesce(w.jobs, 0), coalesce(w.more, false), w.oldest_at,
		coalesce(w.backfill, 0)
	FROM zcsync.routes AS r
	LEFT JOIN (
		SELECT x.route_id, sum(x.jobs)::bigint AS jobs, bool_or(x.more) AS more, min(x.oldest_at) AS oldest_at, sum(x.backfill)::bigint AS backfill
		FROM waits AS x WHERE x.operation = 'route' GROUP BY x.route_id) AS w ON w.route_id = r.route_id;
END
$$;
COMMENT ON FUNCTION zcsync._lags() IS
'how far behind each stream and route is; for views and metrics()';

-- How many jobs of each stream and route ended in each five minutes of the last hour, as
-- lines of bars.  Of many, the last 100 of each status in each five minutes are counted,
-- so that this takes no longer the more there are.  One status after the other, in the
-- order of the index.
CREATE FUNCTION zcsync._last_hour() RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_since timestamptz := zcsync._now() - interval '1 hour';
	v_bars jsonb;
BEGIN
	WITH RECURSIVE known AS (
		SELECT min(f.status) AS status FROM zcsync.sync_records AS f
		UNION ALL
		SELECT (SELECT min(n.status) FROM zcsync.sync_records AS n WHERE n.status > k.status) FROM known AS k WHERE k.status IS NOT NULL
	), ended AS MATERIALIZED (
		SELECT p.n, e.account_id, e.kind, e.route_id, count(*) AS jobs
		FROM known AS k
		CROSS JOIN generate_series(0, 11) AS p (n)
		CROSS JOIN LATERAL (
			SELECT s.account_id, s.kind, CASE WHEN s.operation = 'route' THEN s.route_id END AS route_id FROM zcsync.sync_records AS s
			WHERE s.status = k.status AND s.created_at > v_since + p.n * interval '5 minutes' AND s.created_at <= v_since + (p.n + 1) * interval '5 minutes'
			ORDER BY s.created_at DESC LIMIT 100) AS e
		GROUP BY p.n, e.account_id, e.kind, e.route_id
	)
	SELECT jsonb_object_agg(b.object, b.bars) INTO v_bars
	FROM (
		SELECT coalesce(r.name, a.name || '/' || o.kind) AS object,
			zcsync.sparkline(ARRAY(SELECT o.jobs[array_position(o.parts, p.n)] FROM generate_series(0, 11) AS p (n) ORDER BY p.n)) AS bars
		FROM (SELECT e.account_id, e.kind, e.route_id, array_agg(e.n) AS parts, array_agg(e.jobs) AS jobs FROM ended AS e GROUP BY e.account_id, e.kind, e.route_id) AS o
		JOIN zcsync.accounts AS a USING (account_id)
		LEFT JOIN zcsync.routes AS r ON r.route_id = o.route_id
		WHERE o.kind IS NOT NULL AND (o.route_id IS NULL OR r.name IS NOT NULL)) AS b;
	RETURN v_bars;
END
$$;
COMMENT ON FUNCTION zcsync._last_hour() IS
'{stream or route: a bar for each five minutes of the last hour, how many jobs ended}; for the view lag';

CREATE FUNCTION zcsync._create_lag_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.lag AS
	SELECT l.object, l.what, l.state, zcsync._span(l.lag) AS lag, zcsync._span(zcsync._now() - l.read_at) AS read,
		concat(l.waiting, CASE WHEN l.more THEN '+' END) AS waiting, zcsync._span(zcsync._now() - l.oldest_at) AS oldest, l.backfill,
		(SELECT zcsync._last_hour()) ->> l.object AS last_hour, round(extract(epoch FROM l.lag), 1) AS seconds
	FROM zcsync._lags() AS l
	ORDER BY l.lag DESC NULLS LAST, l.object;
	COMMENT ON VIEW zcsync.lag IS
	'how far behind each stream and each route is, the furthest first; it takes no longer for a million jobs, so it can be watched';
	COMMENT ON COLUMN zcsync.lag.object IS 'account/kind of a stream, or the name of a route';
	COMMENT ON COLUMN zcsync.lag.what IS 'stream or route';
	COMMENT ON COLUMN zcsync.lag.state IS 'active or paused; or the state of the account, where that keeps the stream from being read';
	COMMENT ON COLUMN zcsync.lag.lag IS
	'for how long the oldest thing that is due has waited: of a stream a read or an edit that was not sent, of a route a record';
	COMMENT ON COLUMN zcsync.lag.read IS 'how long ago the stream was last read';
	COMMENT ON COLUMN zcsync.lag.waiting IS 'fresh jobs that wait; with a + there are more than were counted';
	COMMENT ON COLUMN zcsync.lag.oldest IS 'for how long the oldest of these has waited';
	COMMENT ON COLUMN zcsync.lag.backfill IS 'jobs of history and backfills that wait; they do not count as lag';
	COMMENT ON COLUMN zcsync.lag.last_hour IS
	'a bar for each five minutes of the last hour, the present ones on the right: how many jobs ended, compared with the most; of more than some hundreds, some hundreds are counted';
	COMMENT ON COLUMN zcsync.lag.seconds IS 'lag as a number, for programs';

	CREATE OR REPLACE VIEW zcsync.activity AS
	SELECT CASE x.role WHEN 'local' THEN 'local worker' ELSE x.role END AS worker, x.pid, x.part,
		zcsync._span(clock_timestamp() - x.at) AS since, a.name AS account, x.what, x.job_id, x.jobs, x.outcome,
		round(1000 * x.seconds::numeric) AS ms
	FROM zcsync._activity() WITH ORDINALITY AS x (pid, role, part, at, what, account_id, job_id, jobs, outcome, seconds, place)
	LEFT JOIN zcsync.accounts AS a USING (account_id)
	ORDER BY x.role DESC, x.pid, x.place;
	COMMENT ON VIEW zcsync.activity IS
	'what each worker of this database, and each session in CALL zcsync.run(), does now, its calls in flight and its last ten outcomes; it reads shared memory only, so it can be watched';
	COMMENT ON COLUMN zcsync.activity.worker IS 'worker, local worker, or run for a session in CALL zcsync.run()';
	COMMENT ON COLUMN zcsync.activity.pid IS 'its process, as in pg_stat_activity';
	COMMENT ON COLUMN zcsync.activity.part IS 'now: what it does; in flight: a call that has no answer yet, at most 64 are shown; ended: what became of one';
	COMMENT ON COLUMN zcsync.activity.since IS 'since when it does this, or for how long the call has been on its way, or how long ago it ended';
	COMMENT ON COLUMN zcsync.activity.account IS 'the account that is called';
	COMMENT ON COLUMN zcsync.activity.what IS 'the step of the work, or what is asked of the vendor; an operation that needed no call';
	COMMENT ON COLUMN zcsync.activity.job_id IS 'the job; empty where several travel together';
	COMMENT ON COLUMN zcsync.activity.jobs IS 'how many jobs travel in the call, or ended; now: how many calls are in flight';
	COMMENT ON COLUMN zcsync.activity.outcome IS 'class of the outcome, and HTTP status where there was a reply';
	COMMENT ON COLUMN zcsync.activity.ms IS 'how long the call took';
END
$body$;
COMMENT ON FUNCTION zcsync._create_lag_views() IS
'makes the views lag and activity; part of zcsync._create_views()';
