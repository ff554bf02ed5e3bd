-- ---------------------------------------------------------------------
-- Metrics: the numbers for Prometheus, as rows and in its text format.
--
-- Counts of requests and jobs are in shared memory (src/metrics.c).  Numbers from
-- tables are read when they are asked for, through an index and up to a limit, so that
-- this takes no longer with a million jobs in the queue.
--
-- A sample has labels as a flat list of names and values.  The parts of a histogram
-- have a suffix.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync._sample AS (
	name text,			-- of the metric, see _metrics_known()
	labels text[],		-- name, value, name, value, …
	suffix text,		-- '', or of a histogram _bucket, _sum, _count
	value double precision
);
COMMENT ON TYPE zcsync._sample IS
'one number for Prometheus';

CREATE FUNCTION zcsync._metrics_known() RETURNS TABLE (place integer, name text, type text, help text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (1, 'http_request_duration_seconds', 'histogram', 'Duration of calls to vendors, by method, vendor/operation and HTTP status (0: no reply).'),
		(2, 'sync_operations_total', 'counter', 'Jobs that ended, by direction and status.'),
		(3, 'active_database_connections', 'gauge', 'Connections to this database.'),
		(4, 'cache_operations_total', 'counter', 'Uses of the cache of this server, by type and result.'),
		(10, 'zcsync_calls_total', 'counter', 'Calls to vendors, by account, operation and class of the outcome.'),
		(11, 'zcsync_call_seconds_total', 'counter', 'Time that calls of an account took together.'),
		(12, 'zcsync_calls_saved_total', 'counter', 'Calls that were not needed, since jobs travelled together.'),
		(13, 'zcsync_operations_total', 'counter', 'Jobs that ended, by account, operation and status.'),
		(14, 'zcsync_connections_total', 'counter', 'Connections to vendors that were made; calls share them.'),
		(15, 'zcsync_connect_seconds_total', 'counter', 'Time that making connections took together, without names and TLS.'),
		(20, 'zcsync_account_active', 'gauge', 'Whether an account is neither paused nor blocked.'),
		(21, 'zcsync_breaker_open', 'gauge', 'Whether the vendor of an account is taken to be down.'),
		(22, 'zcsync_breaker_failures', 'gauge', 'Failures of the vendor in a row.'),
		(23, 'zcsync_dead_letters', 'gauge', 'Jobs that failed for good, counted up to 10,000.'),
		(30, 'zcsync_queue_jobs', 'gauge', 'Jobs by account, queue and state, counted up to a limit.'),
		(31, 'zcsync_queue_due_jobs', 'gauge', 'Ready jobs whose time has come, counted up to a limit.'),
		(32, 'zcsync_queue_age_seconds', 'gauge', 'Age of the oldest ready job of an account and queue, without history.'),
		(40, 'zcsync_lag_seconds', 'gauge', 'For how long the oldest thing that is due has waited, by stream or route.'),
		(41, 'zcsync_waiting_jobs', 'gauge', 'Fresh jobs that wait, by stream or route, counted up to a limit.'),
		(50, 'zcsync_budget_calls_per_minute', 'gauge', 'Calls a minute that an account may make in the long run, by class.'),
		(51, 'zcsync_budget_tokens', 'gauge', 'Calls that may be made at once now.'),
		(52, 'zcsync_budget_remaining', 'gauge', 'What the vendor last said was left.'),
		(53, 'zcsync_budget_paused', 'gauge', 'Whether the vendor asked to wait.'),
		(54, 'zcsync_budget_calls_total', 'counter', 'Calls made, by account and class.'),
		(55, 'zcsync_budget_throttled_total', 'counter', 'Calls that the vendor refused because there were too many.'),
		(60, 'zcsync_worker_up', 'gauge', 'Whether the launcher and the worker of this database run.'),
		(61, 'zcsync_worker_in_flight', 'gauge', 'Calls on the wire.'),
		(62, 'zcsync_worker_memory_bytes', 'gauge', 'Memory that a process shares with nobody.'),
		(63, 'zcsync_worker_resident_bytes', 'gauge', 'Resident memory of a process.'),
		(64, 'zcsync_worker_cpu_seconds_total', 'counter', 'Processor time of a process.'),
		(70, 'zcsync_cache_entries', 'gauge', 'Values in the cache of this server.'),
		(71, 'zcsync_cache_bytes', 'gauge', 'Bytes that they occupy.'),
		(72, 'zcsync_cache_max_bytes', 'gauge', 'Bytes that they may occupy.'),
		(80, 'zcsync_alerts_open', 'gauge', 'Open alerts, by severity.');
END;
COMMENT ON FUNCTION zcsync._metrics_known() IS
'names, types and explanations of all metrics';

-- The counted calls, a row for each account and operation.
CREATE FUNCTION zcsync._calls_counted()
RETURNS TABLE (account text, vendor text, operation text, method text, status_code integer, outcome text, calls bigint,
	seconds double precision, le double precision[], buckets bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT coalesce(a.name, CASE WHEN s.account_id IS NULL THEN 'other' ELSE 'removed' END), s.vendor, s.name, s.method, s.status, s.detail,
		s.total, s.seconds, s.le, s.buckets
	FROM zcsync._metric_series() AS s
	LEFT JOIN zcsync.accounts AS a USING (account_id)
	WHERE s.family = 'calls';
END
$$;
COMMENT ON FUNCTION zcsync._calls_counted() IS
'calls since the server started, by account, operation, status and outcome; for stat_calls and metrics()';

-- Connections that were made for calls: how far away the network is that vendors are
-- reached by, or their proxy.
CREATE FUNCTION zcsync._connections_counted()
RETURNS TABLE (account text, connections bigint, seconds double precision, le double precision[], buckets bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT coalesce(a.name, CASE WHEN s.account_id IS NULL THEN 'other' ELSE 'removed' END), s.total, s.seconds, s.le, s.buckets
	FROM zcsync._metric_series() AS s
	LEFT JOIN zcsync.accounts AS a USING (account_id)
	WHERE s.family = 'connections';
END
$$;
COMMENT ON FUNCTION zcsync._connections_counted() IS
'connections to vendors that were made since the server started, by account; for stat_connections and metrics()';

-- The direction of an operation: push sends what changed here, pull reads, local does
-- neither.
CREATE FUNCTION zcsync._direction_of(p_operation text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN (zcsync._operation_of(p_operation)).writes THEN 'push'
		WHEN (zcsync._operation_of(p_operation)).run IS NOT NULL THEN 'local'
		WHEN (zcsync._operation_of(p_operation)).name IS NOT NULL THEN 'pull' ELSE 'other' END
$$;
COMMENT ON FUNCTION zcsync._direction_of(text) IS
'push, pull or local: what an operation does, for metrics';

CREATE FUNCTION zcsync._operations_counted()
RETURNS TABLE (account text, operation text, direction text, status text, jobs bigint)
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT coalesce(a.name, CASE WHEN s.account_id IS NULL THEN 'other' ELSE 'removed' END), s.name, zcsync._direction_of(s.name),
		coalesce(s.detail, 'other'), sum(s.total)::bigint
	FROM zcsync._metric_series() AS s
	LEFT JOIN zcsync.accounts AS a USING (account_id)
	WHERE s.family = 'operations'
	GROUP BY 1, 2, 3, 4;
END
$$;
COMMENT ON FUNCTION zcsync._operations_counted() IS
'jobs that ended since the server started; for stat_operations and metrics()';

-- The last bucket is the count of all calls.
CREATE FUNCTION zcsync._duration_samples() RETURNS SETOF zcsync._sample
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH routes AS MATERIALIZED (
		SELECT ARRAY['method', c.method, 'route', concat_ws('/', nullif(c.vendor, ''), c.operation), 'status_code', c.status_code::text] AS labels,
			c.le, c.buckets, c.calls, c.seconds
		FROM zcsync._calls_counted() AS c
	), buckets AS (
		SELECT r.labels, b.le, sum(b.calls) AS calls, b.place
		FROM routes AS r CROSS JOIN LATERAL unnest(r.le, r.buckets) WITH ORDINALITY AS b (le, calls, place)
		GROUP BY r.labels, b.le, b.place
	), wholes AS (
		SELECT r.labels, sum(r.calls) AS calls, sum(r.seconds) AS seconds FROM routes AS r GROUP BY r.labels
	)
	SELECT 'http_request_duration_seconds', x.labels, x.suffix, x.value
	FROM (
		SELECT b.labels || ARRAY['le', b.le::text] AS labels, b.labels AS series, '_bucket' AS suffix, b.calls::double precision AS value, b.place FROM buckets AS b
		UNION ALL
		SELECT w.labels || ARRAY['le', '+Inf'], w.labels, '_bucket', w.calls, 100 FROM wholes AS w
		UNION ALL
		SELECT w.labels, w.labels, '_sum', w.seconds, 101 FROM wholes AS w
		UNION ALL
		SELECT w.labels, w.labels, '_count', w.calls, 102 FROM wholes AS w) AS x
	ORDER BY x.series, x.place;
END
$$;
COMMENT ON FUNCTION zcsync._duration_samples() IS
'the histogram of calls; part of zcsync._samples()';

CREATE FUNCTION zcsync._counter_samples() RETURNS SETOF zcsync._sample
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH calls AS MATERIALIZED (
		SELECT c.account, c.operation, coalesce(c.outcome, 'other') AS outcome, c.calls, c.seconds FROM zcsync._calls_counted() AS c
	), operations AS MATERIALIZED (
		SELECT o.* FROM zcsync._operations_counted() AS o
	)
	SELECT 'sync_operations_total', ARRAY['direction', o.direction, 'status', o.status], '', sum(o.jobs)::double precision
	FROM operations AS o GROUP BY o.direction, o.status
	UNION ALL
	SELECT 'zcsync_operations_total', ARRAY['account', o.account, 'operation', o.operation, 'status', o.status], '', o.jobs
	FROM operations AS o
	UNION ALL
	SELECT 'zcsync_calls_total', ARRAY['account', c.account, 'operation', c.operation, 'outcome', c.outcome], '', sum(c.calls)
	FROM calls AS c GROUP BY c.account, c.operation, c.outcome
	UNION ALL
	SELECT 'zcsync_call_seconds_total', ARRAY['account', c.account], '', sum(c.seconds) FROM calls AS c GROUP BY c.account
	UNION ALL
	SELECT v.name, ARRAY['account', n.account], '', sum(v.value)
	FROM zcsync._connections_counted() AS n
	CROSS JOIN LATERAL (VALUES ('zcsync_connections_total', n.connections::double precision), ('zcsync_connect_seconds_total', n.seconds)) AS v (name, value)
	GROUP BY v.name, n.account
	UNION ALL
	SELECT 'zcsync_calls_saved_total', ARRAY['account', coalesce(a.name, 'removed'), 'reason', s.name], '', sum(s.total)
	FROM zcsync._metric_series() AS s LEFT JOIN zcsync.accounts AS a USING (account_id)
	WHERE s.family = 'saved' GROUP BY 2
	UNION ALL
	SELECT 'cache_operations_total', ARRAY['type', v.type, 'result', v.result], '', v.value
	FROM zcsync._cache_statistics() AS c
	CROSS JOIN LATERAL (VALUES ('get', 'hit', c.hits), ('get', 'miss', c.misses), ('set', 'stored', c.puts), ('set', 'dropped', c.dropped),
		('set', 'too_large', c.too_large), ('evict', 'evicted', c.evictions)) AS v (type, result, value);
END
$$;
COMMENT ON FUNCTION zcsync._counter_samples() IS
'what is counted in shared memory; part of zcsync._samples()';

CREATE FUNCTION zcsync._queue_samples() RETURNS SETOF zcsync._sample
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN QUERY
	WITH ready AS MATERIALIZED (
		SELECT ARRAY['account', a.name, 'queue', w.queue] AS labels, sum(w.jobs) AS jobs, sum(w.due) AS due,
			min(w.oldest_at) FILTER (WHERE NOT w.later) AS oldest_at
		FROM zcsync._waiting() AS w JOIN zcsync.accounts AS a USING (account_id)
		GROUP BY a.name, w.queue
	), lags AS MATERIALIZED (
		SELECT ARRAY['what', l.what, 'object', l.object] AS labels, l.lag, l.waiting FROM zcsync._lags() AS l
	)
	SELECT 'zcsync_queue_jobs', r.labels || ARRAY['state', 'ready'], '', r.jobs::double precision FROM ready AS r
	UNION ALL
	SELECT 'zcsync_queue_due_jobs', r.labels, '', r.due FROM ready AS r
	UNION ALL
	SELECT 'zcsync_queue_age_seconds', r.labels, '', greatest(0, extract(epoch FROM v_now - r.oldest_at)) FROM ready AS r WHERE r.oldest_at IS NOT NULL
	UNION ALL
	SELECT 'zcsync_queue_jobs', ARRAY['account', a.name, 'queue', q.queue, 'state', 'running'], '', count(*)
	FROM zcsync.accounts AS a
	CROSS JOIN LATERAL (SELECT q.queue FROM zcsync.sync_queue AS q WHERE q.account_id = a.account_id AND q.state = 'running' LIMIT 2000) AS q
	GROUP BY a.name, q.queue
	UNION ALL
	SELECT 'zcsync_queue_jobs', ARRAY['account', a.name, 'queue', q.queue, 'state', 'held'], '', count(*)
	FROM (SELECT q.account_id, q.queue FROM zcsync.sync_queue AS q WHERE q.state = 'held' LIMIT 5000) AS q
	JOIN zcsync.accounts AS a USING (account_id)
	GROUP BY a.name, q.queue
	UNION ALL
	SELECT 'zcsync_lag_seconds', l.labels, '', extract(epoch FROM l.lag) FROM lags AS l WHERE l.lag IS NOT NULL
	UNION ALL
	SELECT 'zcsync_waiting_jobs', l.labels, '', l.waiting FROM lags AS l;
END
$$;
COMMENT ON FUNCTION zcsync._queue_samples() IS
'the queue and how far behind it is; part of zcsync._samples()';

CREATE FUNCTION zcsync._account_samples() RETURNS SETOF zcsync._sample
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT v.name, ARRAY['account', a.name], '', v.value::double precision
	FROM zcsync.accounts AS a
	CROSS JOIN LATERAL (VALUES ('zcsync_account_active', (a.state = 'active')::integer), ('zcsync_breaker_open', (a.breaker_failures >= 3)::integer),
		('zcsync_breaker_failures', a.breaker_failures)) AS v (name, value)
	UNION ALL
	SELECT 'zcsync_dead_letters', ARRAY['account', a.name], '', (
		SELECT count(*) FROM (SELECT FROM zcsync.dead_letters AS d WHERE d.account_id = a.account_id LIMIT 10000) AS d)
	FROM zcsync.accounts AS a
	UNION ALL
	SELECT v.name, ARRAY['account', a.name, 'class', b.class], '', v.value
	FROM zcsync._allowances_now() AS w
	JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	JOIN zcsync.account_budgets AS b ON b.account_id = w.account_id AND b.class = w.class
	CROSS JOIN LATERAL (VALUES ('zcsync_budget_calls_per_minute', 60 * w.rate), ('zcsync_budget_tokens', greatest(floor(w.tokens), 0)),
		('zcsync_budget_remaining', b.remote_remaining), ('zcsync_budget_paused', (w.paused_until IS NOT NULL)::integer),
		('zcsync_budget_calls_total', b.calls_total), ('zcsync_budget_throttled_total', b.throttled_total)) AS v (name, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT 'zcsync_alerts_open', ARRAY['severity', s], '', (SELECT count(*) FROM zcsync.alerts AS l WHERE l.severity = s AND l.resolved_at IS NULL)
	FROM unnest('{critical,warning}'::text[]) AS s;
END
$$;
COMMENT ON FUNCTION zcsync._account_samples() IS
'accounts, their breakers and budgets, and alerts; part of zcsync._samples()';

-- Sessions in run() come and go, so their processor time is no counter.
CREATE FUNCTION zcsync._process_samples() RETURNS SETOF zcsync._sample
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_database oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
	RETURN QUERY
	SELECT 'active_database_connections', '{}'::text[], '', s.numbackends::double precision FROM pg_stat_database AS s WHERE s.datid = v_database
	UNION ALL
	SELECT 'zcsync_worker_up', ARRAY['role', r.role], '', (EXISTS (
		SELECT FROM zcsync._worker_slots() AS w WHERE w.role = r.role AND w.state = 'running' AND coalesce(w.database, v_database) = v_database))::integer
	FROM unnest('{launcher,worker}'::text[]) AS r (role)
	UNION ALL
	SELECT 'zcsync_worker_in_flight', '{}'::text[], '', coalesce((SELECT sum(w.in_flight) FROM zcsync._worker_slots() AS w WHERE w.database = v_database), 0)
	UNION ALL
	SELECT v.name, ARRAY['role', u.role], '', sum(v.value)
	FROM zcsync._process_usage() AS u
	CROSS JOIN LATERAL (VALUES ('zcsync_worker_memory_bytes', u.own_bytes), ('zcsync_worker_resident_bytes', u.resident_bytes),
		('zcsync_worker_cpu_seconds_total', CASE WHEN u.role <> 'run' THEN u.cpu_seconds END)) AS v (name, value)
	WHERE v.value IS NOT NULL
	GROUP BY v.name, u.role
	UNION ALL
	SELECT v.name, '{}'::text[], '', v.value
	FROM zcsync._cache_statistics() AS c
	CROSS JOIN LATERAL (VALUES ('zcsync_cache_entries', c.entries), ('zcsync_cache_bytes', c.bytes), ('zcsync_cache_max_bytes', c.max_bytes)) AS v (name, value);
END
$$;
COMMENT ON FUNCTION zcsync._process_samples() IS
'connections, workers and cache; part of zcsync._samples()';

CREATE FUNCTION zcsync._samples() RETURNS TABLE (place bigint, name text, type text, help text, suffix text, labels text[], value double precision)
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT row_number() OVER (ORDER BY k.place, s.family, CASE WHEN s.family THEN s.turn END, s.labels COLLATE "C"), k.name, k.type, k.help,
		s.suffix, s.labels, s.value
	FROM (
		SELECT d.*, true AS family, row_number() OVER () AS turn FROM zcsync._duration_samples() AS d
		UNION ALL SELECT c.*, false, 0 FROM zcsync._counter_samples() AS c
		UNION ALL SELECT q.*, false, 0 FROM zcsync._queue_samples() AS q
		UNION ALL SELECT a.*, false, 0 FROM zcsync._account_samples() AS a
		UNION ALL SELECT p.*, false, 0 FROM zcsync._process_samples() AS p) AS s
	JOIN zcsync._metrics_known() AS k USING (name)
	ORDER BY 1;
END
$$;
COMMENT ON FUNCTION zcsync._samples() IS
'all numbers for Prometheus, in the order of its text; for stat_metrics and metrics()';

-- {name="value",name="value"}: backslashes, quotes and ends of lines are escaped.
CREATE FUNCTION zcsync._label_text(p_labels text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce('{' || string_agg(format('%s="%s"', p_labels[2 * n - 1],
		replace(replace(replace(coalesce(p_labels[2 * n], ''), chr(92), repeat(chr(92), 2)), '"', chr(92) || '"'), chr(10), chr(92) || 'n')),
		',' ORDER BY n) || '}', '')
	FROM generate_series(1, cardinality(p_labels) / 2) AS n
$$;
COMMENT ON FUNCTION zcsync._label_text(text[]) IS
'labels of a sample as Prometheus reads them';

CREATE FUNCTION zcsync.metrics() RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
AS $$
BEGIN
	RETURN (
		SELECT coalesce(string_agg(
			CASE WHEN s.name IS DISTINCT FROM s.before THEN format('# HELP %s %s%s# TYPE %1$s %4$s%3$s', s.name, s.help, chr(10), s.type) ELSE '' END
			|| s.name || s.suffix || zcsync._label_text(s.labels) || ' ' || s.value || chr(10), '' ORDER BY s.place), '')
		FROM (SELECT m.*, lag(m.name) OVER (ORDER BY m.place) AS before FROM zcsync._samples() AS m) AS s);
END
$$;
COMMENT ON FUNCTION zcsync.metrics() IS
'all metrics in the text format of Prometheus: calls and jobs since the server started, queue, lag, budgets, workers, cache, alerts';

CREATE FUNCTION zcsync._create_metric_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_metrics AS
	SELECT s.name || s.suffix AS name, s.name AS metric, s.type,
		(SELECT coalesce(jsonb_object_agg(s.labels[2 * n - 1], s.labels[2 * n]), '{}') FROM generate_series(1, cardinality(s.labels) / 2) AS n) AS labels, s.value
	FROM zcsync._samples() AS s ORDER BY s.place;
	COMMENT ON VIEW zcsync.stat_metrics IS 'what zcsync.metrics() says, as rows';
	COMMENT ON COLUMN zcsync.stat_metrics.name IS 'of the sample: the metric, of a histogram with _bucket, _sum or _count';
	COMMENT ON COLUMN zcsync.stat_metrics.metric IS 'of the metric';
	COMMENT ON COLUMN zcsync.stat_metrics.type IS 'counter, gauge or histogram';
	COMMENT ON COLUMN zcsync.stat_metrics.labels IS 'what it is about: an account, a queue, …';
	COMMENT ON COLUMN zcsync.stat_metrics.value IS 'the number; a counter begins anew when the server restarts';

	CREATE OR REPLACE VIEW zcsync.stat_calls AS
	SELECT c.account, c.vendor, c.operation, c.method, c.status_code, c.outcome, c.calls, c.seconds, c.le, c.buckets
	FROM zcsync._calls_counted() AS c ORDER BY c.account, c.operation, c.method, c.status_code, c.outcome;
	COMMENT ON VIEW zcsync.stat_calls IS 'calls to vendors since the server started, and how long they took';
	COMMENT ON COLUMN zcsync.stat_calls.account IS 'other: what had no room in shared memory; removed: accounts that are gone';
	COMMENT ON COLUMN zcsync.stat_calls.vendor IS 'of the account';
	COMMENT ON COLUMN zcsync.stat_calls.operation IS 'what was asked of the vendor';
	COMMENT ON COLUMN zcsync.stat_calls.method IS 'of HTTP';
	COMMENT ON COLUMN zcsync.stat_calls.status_code IS 'of HTTP; 0: there was no reply';
	COMMENT ON COLUMN zcsync.stat_calls.outcome IS 'done, or the class of the failure';
	COMMENT ON COLUMN zcsync.stat_calls.calls IS 'how many';
	COMMENT ON COLUMN zcsync.stat_calls.seconds IS 'how long they took together';
	COMMENT ON COLUMN zcsync.stat_calls.le IS 'bounds of the buckets, in seconds';
	COMMENT ON COLUMN zcsync.stat_calls.buckets IS 'for each bound, how many calls took no longer';

	CREATE OR REPLACE VIEW zcsync.stat_connections AS
	SELECT n.account, n.connections, n.seconds, n.le, n.buckets FROM zcsync._connections_counted() AS n ORDER BY n.account;
	COMMENT ON VIEW zcsync.stat_connections IS 'connections to vendors that were made since the server started, and how long that took: the latency of the network';
	COMMENT ON COLUMN zcsync.stat_connections.account IS 'other: what had no room in shared memory; removed: accounts that are gone';
	COMMENT ON COLUMN zcsync.stat_connections.connections IS 'how many; calls share them, and they are kept';
	COMMENT ON COLUMN zcsync.stat_connections.seconds IS 'how long making them took together: there and back once, without looking up names and without TLS';
	COMMENT ON COLUMN zcsync.stat_connections.le IS 'bounds of the buckets, in seconds';
	COMMENT ON COLUMN zcsync.stat_connections.buckets IS 'for each bound, how many took no longer';

	CREATE OR REPLACE VIEW zcsync.stat_operations AS
	SELECT o.account, o.operation, o.direction, o.status, o.jobs FROM zcsync._operations_counted() AS o
	ORDER BY o.account, o.operation, o.status;
	COMMENT ON VIEW zcsync.stat_operations IS 'jobs that ended since the server started';
	COMMENT ON COLUMN zcsync.stat_operations.account IS 'other: what had no room in shared memory; removed: accounts that are gone';
	COMMENT ON COLUMN zcsync.stat_operations.operation IS 'of the job';
	COMMENT ON COLUMN zcsync.stat_operations.direction IS 'push: sends what changed here; pull: reads; local: needs no call';
	COMMENT ON COLUMN zcsync.stat_operations.status IS 'as in sync_records; continued: a page after which there are more';
	COMMENT ON COLUMN zcsync.stat_operations.jobs IS 'how many';
END
$body$;
COMMENT ON FUNCTION zcsync._create_metric_views() IS
'makes the views stat_metrics, stat_calls, stat_connections and stat_operations; part of zcsync._create_views()';
