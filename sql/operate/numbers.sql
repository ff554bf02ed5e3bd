-- ---------------------------------------------------------------------
-- Numbers: how many changes arrived, how long they took, and what was not
-- available.
--
-- maintain() counts the rows of changes and of sync_records hour by hour, before it
-- deletes old ones, and adds up the hours of each day, so that no view has to.  The
-- measures are
--
--	sent	changes made here: from the first edit to the vendor's reply
--	read	changes made at the vendor: from its updated_at, of a new record its
--		created_at, to the row here.  Of a row that changed more than once
--		in an hour, the last change is measured.  Nothing that happened
--		before the stream was added counts
--	job	jobs by operation: how long their last call took
--	calls, throttled	(by day only) what account_budgets counted
--
-- A duration is counted in one of some forty classes, none of which ends at more
-- than twice the end of the one before, so that hours, kinds and accounts can be
-- added up.  A percentile is estimated between the bounds of its class; the share
-- within 60 s is exact, since 60 s is a bound.
--
-- Outages are written by triggers as they happen.
-- ---------------------------------------------------------------------

-- Milliseconds at which classes end; class 0 ends at the first.
CREATE FUNCTION zcsync._wait_bounds() RETURNS numeric[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{10,20,30,50,70,100,150,200,300,500,700,1000,1500,2000,3000,5000,7000,10000,15000,20000,30000,45000,60000,90000,120000,180000,
		300000,600000,900000,1800000,3600000,7200000,14400000,28800000,57600000,86400000,172800000,345600000}'::numeric[];
END;
COMMENT ON FUNCTION zcsync._wait_bounds() IS
'the bounds of classes of durations, in milliseconds';

-- A duration on a bound belongs to the class that ends there.
CREATE FUNCTION zcsync._wait_class(p_ms numeric) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_ms IS NOT NULL THEN width_bucket(greatest(p_ms, 0) - 0.0001, zcsync._wait_bounds()) END;
END;
COMMENT ON FUNCTION zcsync._wait_class(numeric) IS
'the class of a duration';

CREATE FUNCTION zcsync._add_waits(p_waits jsonb[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(s.class, s.n), '{}')
	FROM (SELECT e.key AS class, sum(e.value::bigint) AS n FROM unnest(p_waits) AS w CROSS JOIN LATERAL jsonb_each_text(w) AS e GROUP BY e.key) AS s;
END;
COMMENT ON FUNCTION zcsync._add_waits(jsonb[]) IS
'adds up durations by class';

-- The duration that this share of all did not exceed, between the bounds of its
-- class as if those in it were spread evenly.  The last class has no end.
CREATE FUNCTION zcsync._percentile(p_waits jsonb, p_share numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT round(l.low + (coalesce(l.high, l.low) - l.low) * least(greatest((p_share * c.whole - c.before) / c.n, 0), 1), 1)
	FROM (
		SELECT e.key::integer AS class, e.value::numeric AS n, sum(e.value::numeric) OVER (ORDER BY e.key::integer) - e.value::numeric AS before,
			sum(e.value::numeric) OVER () AS whole
		FROM jsonb_each_text(p_waits) AS e) AS c
	CROSS JOIN LATERAL (
		SELECT coalesce((zcsync._wait_bounds())[c.class], 0) AS low, (zcsync._wait_bounds())[c.class + 1] AS high) AS l
	WHERE c.before + c.n >= p_share * c.whole
	ORDER BY c.class
	LIMIT 1;
END;
COMMENT ON FUNCTION zcsync._percentile(jsonb, numeric) IS
'the duration in milliseconds that this share of all did not exceed; NULL: there are none';

CREATE FUNCTION zcsync._within(p_waits jsonb, p_ms numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(sum(e.value::bigint), 0)::bigint FROM jsonb_each_text(p_waits) AS e WHERE e.key::integer <= zcsync._wait_class(p_ms);
END;
COMMENT ON FUNCTION zcsync._within(jsonb, numeric) IS
'how many took no longer than so many milliseconds, which must be a bound of classes';

-- ---------------------------------------------------------------------
-- Taking them
-- ---------------------------------------------------------------------

-- Count jobs that ended since then.  A push that was cancelled, or found nothing left
-- to send, is no change that arrived.
CREATE FUNCTION zcsync._take_job_numbers(p_since timestamptz) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.hourly_numbers (account_id, hour, measure, kind, done, failed, waits)
	SELECT x.account_id, x.hour, x.measure, x.kind, coalesce(sum(x.n) FILTER (WHERE NOT x.failed), 0), coalesce(sum(x.n) FILTER (WHERE x.failed), 0),
		coalesce(jsonb_object_agg(x.class, x.n) FILTER (WHERE NOT x.failed AND x.class IS NOT NULL), '{}')
	FROM (
		SELECT r.account_id, date_trunc('hour', r.created_at, 'UTC') AS hour, m.measure, m.kind, r.status = 'failed' AS failed,
			zcsync._wait_class(m.ms) AS class, count(*) AS n
		FROM zcsync.sync_records AS r
		CROSS JOIN LATERAL (
			SELECT 'sent' AS measure, coalesce(r.kind, '') AS kind, extract(epoch FROM r.created_at - r.queued_at) * 1000 AS ms
			WHERE r.operation = 'push' AND r.status NOT IN ('cancelled', 'unchanged')
			UNION ALL
			SELECT 'job', r.operation, r.duration_us / 1000.0 WHERE r.status <> 'cancelled') AS m
		WHERE r.created_at >= p_since
		GROUP BY 1, 2, 3, 4, 5, 6) AS x
	JOIN zcsync.accounts AS a USING (account_id)
	GROUP BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION zcsync._take_job_numbers(timestamptz) IS
'the numbers of jobs that ended since, by hour';

-- Count the changes of a kind that were read since then and whose row did not change
-- afterwards, and the new records.
CREATE FUNCTION zcsync._take_read_numbers(p_kind text, p_since timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO zcsync.hourly_numbers (account_id, hour, measure, kind, done, failed, waits)
		SELECT x.account_id, x.hour, 'read', %1$L, sum(x.n), 0, jsonb_object_agg(x.class, x.n)
		FROM (
			SELECT r.account_id, date_trunc('hour', r.here, 'UTC') AS hour, zcsync._wait_class(extract(epoch FROM r.here - r.there) * 1000) AS class, count(*) AS n
			FROM (
				SELECT c.account_id, c.created_at AS here, t.updated_at AS there
				FROM (
					SELECT DISTINCT ON (c.local_id) c.account_id, c.local_id, c.created_at, c.action, c.cause
					FROM zcsync.changes AS c
					WHERE c.created_at >= $1 AND c.kind = %1$L
					ORDER BY c.local_id, c.created_at DESC) AS c
				JOIN zcsync.%1$I AS t ON t.account_id = c.account_id AND t.local_id = c.local_id
				JOIN zcsync.streams AS s ON s.account_id = c.account_id AND s.kind = %1$L
				WHERE c.cause = 'pull' AND c.action = 'update' AND t.updated_at <= c.created_at + interval '2 seconds' AND t.updated_at > s.created_at
				UNION ALL
				SELECT a.account_id, a.came_at, n.created_at
				FROM zcsync.arrivals AS a CROSS JOIN LATERAL unnest(a.created_at) AS n (created_at)
				WHERE a.came_at >= $1 AND a.kind = %1$L) AS r
			GROUP BY 1, 2, 3) AS x
		GROUP BY 1, 2$sql$, p_kind)
		USING p_since;
END
$$;
COMMENT ON FUNCTION zcsync._take_read_numbers(text, timestamptz) IS
'the numbers of changes of a kind that were read since, by hour';

-- Count the calls that were made since the last time.  A budget that was made anew
-- counts from 0.
CREATE FUNCTION zcsync._take_call_numbers() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH now AS (
		SELECT b.account_id, b.class, b.calls_total, b.throttled_total,
			CASE WHEN b.calls_total >= t.calls THEN b.calls_total - t.calls ELSE b.calls_total END AS calls,
			CASE WHEN b.throttled_total >= t.throttled THEN b.throttled_total - t.throttled ELSE b.throttled_total END AS throttled
		FROM zcsync.account_budgets AS b LEFT JOIN zcsync.call_totals AS t USING (account_id, class)
		WHERE b.calls_total IS DISTINCT FROM t.calls OR b.throttled_total IS DISTINCT FROM t.throttled
	), kept AS (
		INSERT INTO zcsync.call_totals (account_id, class, calls, throttled)
		SELECT n.account_id, n.class, n.calls_total, n.throttled_total FROM now AS n
		ON CONFLICT ON CONSTRAINT call_totals_pkey DO UPDATE SET calls = excluded.calls, throttled = excluded.throttled
	)
	INSERT INTO zcsync.daily_numbers AS d (account_id, day, measure, kind, done, failed, waits)
	SELECT n.account_id, (zcsync._now() AT TIME ZONE 'UTC')::date, 'calls', n.class, n.calls, n.throttled, '{}'
	FROM now AS n
	WHERE n.calls + n.throttled > 0
	ON CONFLICT ON CONSTRAINT daily_numbers_pkey DO UPDATE SET done = d.done + excluded.done, failed = d.failed + excluded.failed
$$;
COMMENT ON FUNCTION zcsync._take_call_numbers() IS
'adds calls that were made since the last time to those of today';

-- The hour that was not over last time is counted again, and what came since.
-- Transactions that committed late count, unless they took more than five minutes.
CREATE FUNCTION zcsync._take_numbers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_since timestamptz;
	v_day date;
BEGIN
	-- the clock may have been set back
	SELECT date_trunc('hour', coalesce(CASE WHEN i.numbers_at > v_now THEN v_now ELSE i.numbers_at END, v_now - interval '35 days') - interval '5 minutes', 'UTC') INTO v_since
	FROM zcsync.installation AS i;
	v_day := (v_since AT TIME ZONE 'UTC')::date;
	DELETE FROM zcsync.hourly_numbers AS h WHERE h.hour >= v_since;
	PERFORM zcsync._take_job_numbers(v_since);
	PERFORM zcsync._take_read_numbers(s.kind, v_since)
	FROM (SELECT DISTINCT x.kind FROM zcsync.streams AS x JOIN zcsync.accounts AS a USING (account_id) WHERE a.vendor <> 'local') AS s;
	DELETE FROM zcsync.arrivals AS n WHERE n.came_at < v_since;

	DELETE FROM zcsync.daily_numbers AS d
	WHERE d.day >= v_day AND d.measure IN ('sent', 'read', 'job') OR d.day < (v_now - interval '13 months')::date;
	INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits)
	SELECT h.account_id, (h.hour AT TIME ZONE 'UTC')::date, h.measure, h.kind, sum(h.done), sum(h.failed), zcsync._add_waits(array_agg(h.waits))
	FROM zcsync.hourly_numbers AS h
	WHERE h.hour >= v_day::timestamp AT TIME ZONE 'UTC'
	GROUP BY 1, 2, 3, 4;
	-- not before, since the first day needs all of its hours, however long ago it was
	DELETE FROM zcsync.hourly_numbers AS h WHERE h.hour < v_now - interval '35 days';
	PERFORM zcsync._take_call_numbers();
	PERFORM zcsync._take_service_levels();
	DELETE FROM zcsync.outages AS o WHERE o.ended_at < v_now - interval '13 months';
	UPDATE zcsync.installation SET numbers_at = v_now;
END
$$;
COMMENT ON FUNCTION zcsync._take_numbers() IS
'counts what was done since the last time, by hour and by day; a step of zcsync.maintain()';

-- The last day by the hour, longer periods by whole days.  Of the operations, that which
-- failed most often.
CREATE FUNCTION zcsync._take_service_levels() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM zcsync.service_levels;
	INSERT INTO zcsync.service_levels (account_id, days, measure, done, failed, p50_ms, p95_ms, p99_ms, within_60_s, taken_at)
	SELECT DISTINCT ON (s.account_id, s.days, s.measure) s.account_id, s.days, s.measure, s.done, s.failed, zcsync._percentile(s.waits, 0.5),
		zcsync._percentile(s.waits, 0.95), zcsync._percentile(s.waits, 0.99),
		round(100.0 * zcsync._within(s.waits, 60000) / nullif(s.timed + s.failed, 0), 2), zcsync._now()
	FROM (
		SELECT n.account_id, n.days, m.measure, m.operation, sum(n.done) AS done, sum(n.failed) AS failed, zcsync._add_waits(array_agg(n.waits)) AS waits,
			sum((SELECT coalesce(sum(e.value::bigint), 0) FROM jsonb_each_text(n.waits) AS e)) AS timed
		FROM (
			SELECT h.account_id, 1 AS days, h.measure, h.kind, h.done, h.failed, h.waits
			FROM zcsync.hourly_numbers AS h WHERE h.hour > zcsync._now() - interval '1 day'
			UNION ALL
			SELECT d.account_id, p.days, d.measure, d.kind, d.done, d.failed, d.waits
			FROM (VALUES (7), (30)) AS p (days)
			JOIN zcsync.daily_numbers AS d ON d.day > (zcsync._now() AT TIME ZONE 'UTC')::date - p.days) AS n
		CROSS JOIN LATERAL (
			SELECT n.measure, NULL UNION ALL
			SELECT 'changes', NULL WHERE n.measure IN ('sent', 'read') UNION ALL
			SELECT 'operation', n.kind WHERE n.measure = 'job') AS m (measure, operation)
		WHERE n.measure IN ('sent', 'read', 'job')
		GROUP BY n.account_id, n.days, m.measure, m.operation) AS s
	ORDER BY s.account_id, s.days, s.measure, s.failed / nullif(s.done + s.failed, 0) DESC NULLS LAST, s.operation
$$;
COMMENT ON FUNCTION zcsync._take_service_levels() IS
'what was reached in the last 1, 7 and 30 days';

-- ---------------------------------------------------------------------
-- Outages
-- ---------------------------------------------------------------------

-- What keeps an account from being reached; NULL: nothing.
CREATE FUNCTION zcsync._outage_of(p_state text, p_breaker_failures integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_state <> 'active' THEN p_state WHEN p_breaker_failures >= 3 THEN 'vendor' END;
END;
COMMENT ON FUNCTION zcsync._outage_of(text, integer) IS
'the cause of an outage of an account in this state';

CREATE FUNCTION zcsync._note_outage() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_cause text := zcsync._outage_of(NEW.state, NEW.breaker_failures);
BEGIN
	UPDATE zcsync.outages o SET ended_at = greatest(v_now, o.began_at) WHERE o.account_id = NEW.account_id AND o.ended_at IS NULL;
	IF v_cause IS NOT NULL THEN
		INSERT INTO zcsync.outages (account_id, cause, began_at, message)
		VALUES (NEW.account_id, v_cause, v_now, left(CASE v_cause WHEN 'vendor' THEN NEW.last_error ELSE NEW.state_reason END, 200));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._note_outage() IS
'trigger: an outage of an account begins or ends';

-- While a worker or a session in run() works, it notes the time each minute.  A clock
-- that is set forward looks like an outage.
CREATE FUNCTION zcsync._note_gap() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.outages (account_id, cause, began_at, ended_at, message)
	VALUES (NULL, 'worker', OLD.clock_at + interval '1 minute', NEW.clock_at,
		CASE WHEN OLD.stopped THEN 'zcsync.stop() was called' ELSE 'no worker ran' END);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._note_gap() IS
'trigger: no worker ran for more than five minutes';

CREATE FUNCTION zcsync._create_outage_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE OR REPLACE TRIGGER outages AFTER UPDATE OF state, breaker_failures ON zcsync.accounts
		FOR EACH ROW WHEN (zcsync._outage_of(OLD.state, OLD.breaker_failures) IS DISTINCT FROM zcsync._outage_of(NEW.state, NEW.breaker_failures))
		EXECUTE FUNCTION zcsync._note_outage();
	CREATE OR REPLACE TRIGGER outages AFTER UPDATE OF clock_at ON zcsync.installation
		FOR EACH ROW WHEN (NEW.clock_at > OLD.clock_at + interval '5 minutes')
		EXECUTE FUNCTION zcsync._note_gap();
END
$$;
COMMENT ON FUNCTION zcsync._create_outage_triggers() IS
'makes the triggers that note outages; part of setup()';

-- Outages that lasted beyond a time, and the one that _note_gap() will note as soon as a
-- worker runs again.
CREATE FUNCTION zcsync._outages_since(p_since timestamptz)
RETURNS TABLE (account_id bigint, cause text, began_at timestamptz, ended_at timestamptz, message text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.account_id, o.cause, o.began_at, o.ended_at, o.message
	FROM zcsync.outages AS o WHERE coalesce(o.ended_at, 'infinity') > p_since
	UNION ALL
	SELECT NULL, 'worker', i.clock_at + interval '1 minute', NULL, CASE WHEN i.stopped THEN 'zcsync.stop() was called' ELSE 'no worker runs' END
	FROM zcsync.installation AS i WHERE i.clock_at < zcsync._now() - interval '5 minutes'
$$;
COMMENT ON FUNCTION zcsync._outages_since(timestamptz) IS
'outages that ended after a time, or go on';

-- For how long an account was not available between two times; outages that overlap
-- count once.  A pause by an operator is no outage.
CREATE FUNCTION zcsync._downtime(p_account bigint, p_from timestamptz, p_to timestamptz, OUT downtime interval, OUT outages bigint, OUT longest text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(greatest(w.ended - greatest(w.began, w.known), '0')), '0'), count(*),
		(array_agg(w.cause || coalesce(': ' || w.message, '') ORDER BY w.ended - w.began DESC, w.began))[1]
	FROM (
		-- known: when the latest of the earlier ones ended
		SELECT t.*, max(t.ended) OVER (ORDER BY t.began, t.ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS known
		FROM (
			SELECT greatest(o.began_at, p_from) AS began, least(coalesce(o.ended_at, p_to), p_to) AS ended, o.cause, o.message
			FROM zcsync._outages_since(p_from) AS o
			WHERE (o.account_id = p_account OR o.account_id IS NULL) AND o.cause <> 'paused' AND o.began_at < p_to) AS t
		WHERE t.began < t.ended) AS w
$$;
COMMENT ON FUNCTION zcsync._downtime(bigint, timestamptz, timestamptz) IS
'how long an account was not available, how often, and the cause of the longest outage';

-- ---------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------

-- A function, since the planner takes these few rows for half a million, and a
-- reader's settings would have the view compiled (jit), which takes a hundred times
-- as long as to read it.
CREATE FUNCTION zcsync._levels()
RETURNS TABLE (account text, days integer, goal text, value numeric, target numeric, unit text, met boolean, counted bigint, meaning text,
	taken_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT a.name, p.days, t.goal, v.value, coalesce(t.at_most, t.at_least), CASE WHEN t.figure LIKE '%ms' THEN 'ms' ELSE '%' END,
		coalesce(v.value <= t.at_most, v.value >= t.at_least), v.done + v.failed, t.meaning, v.taken_at
	FROM zcsync.accounts AS a
	CROSS JOIN (VALUES (1), (7), (30)) AS p (days)
	CROSS JOIN zcsync.slo_targets AS t
	LEFT JOIN LATERAL (
		SELECT CASE t.figure WHEN 'p50_ms' THEN l.p50_ms WHEN 'p95_ms' THEN l.p95_ms WHEN 'p99_ms' THEN l.p99_ms WHEN 'within_60_s' THEN l.within_60_s
				WHEN 'error_rate' THEN round(100.0 * l.failed / nullif(l.done + l.failed, 0), 3) END AS value,
			l.done, l.failed, l.taken_at
		FROM zcsync.service_levels AS l
		WHERE l.account_id = a.account_id AND l.days = p.days AND l.measure = t.measure
		UNION ALL
		SELECT x.available, NULL, NULL, zcsync._now() FROM zcsync.availability AS x
		WHERE t.measure = 'availability' AND p.days = 30 AND x.account = a.name) AS v ON true
	WHERE a.vendor <> 'local' AND NOT (t.measure = 'availability' AND p.days < 30)
	ORDER BY a.name, p.days, t.goal;
END
$$;
COMMENT ON FUNCTION zcsync._levels() IS
'what was reached of each goal; for the view slo';

CREATE FUNCTION zcsync._create_level_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.availability AS
	SELECT a.name AS account, p.since, round((100 * (1 - extract(epoch FROM d.downtime) / nullif(extract(epoch FROM zcsync._now() - p.since), 0)))::numeric, 3) AS available,
		date_trunc('second', d.downtime) AS downtime, d.outages, d.longest
	FROM zcsync.accounts AS a
	CROSS JOIN LATERAL (SELECT greatest(a.created_at, zcsync._now() - interval '30 days') AS since) AS p
	CROSS JOIN LATERAL zcsync._downtime(a.account_id, p.since, zcsync._now()) AS d
	WHERE a.vendor <> 'local'
	ORDER BY a.name;
	COMMENT ON VIEW zcsync.availability IS
	'for which part of the last 30 days each account could be reached, was not blocked, and a worker ran';
	COMMENT ON COLUMN zcsync.availability.since IS '30 days ago, or when the account was added';
	COMMENT ON COLUMN zcsync.availability.available IS 'percent; pauses by an operator do not count against it';
	COMMENT ON COLUMN zcsync.availability.longest IS 'the cause of the longest outage';

	CREATE OR REPLACE VIEW zcsync.slo AS
	SELECT l.account, l.days, l.goal, l.value, l.target, l.unit, l.met, l.counted, l.meaning, l.taken_at
	FROM zcsync._levels() AS l;
	COMMENT ON VIEW zcsync.slo IS
	'per account and goal of slo_targets: what was reached in the last 1, 7 and 30 days; value is NULL where nothing was counted';
	COMMENT ON COLUMN zcsync.slo.met IS 'NULL: nothing was counted';
	COMMENT ON COLUMN zcsync.slo.counted IS 'number of jobs or changes that ended, failed ones included';
	COMMENT ON COLUMN zcsync.slo.taken_at IS 'when zcsync.maintain() counted them';
END
$body$;
COMMENT ON FUNCTION zcsync._create_level_views() IS
'creates or replaces availability and slo; part of zcsync._create_views()';
