-- ---------------------------------------------------------------------
-- Readings: what the measures of alert rules are now.
--
-- A room that has measures of its own makes a function that returns readings, and
-- lists them in zcsync.alert_measures().  What a reading says is made of our own
-- words, names and numbers: no text of a vendor and none of a customer, since it
-- leaves this database.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.alert_reading AS (
	measure text,				-- NULL: not all measures are known now (object "work"), or not all of the installation
	object text,				-- what of it: an account, a state; with measure it names an incident
	accounts text[],			-- that it is about; NULL: none, or all
	value numeric,				-- NULL: not known now, so open incidents stay open
	says text,
	to_do text);				-- a statement, where there is one
COMMENT ON TYPE zcsync.alert_reading IS
'the value of a measure now; zcsync.evaluate_alerts() calls each function of schema zcsync that has no arguments and returns these';

-- What the states of the view status that are about the whole installation mean for
-- alerts.  States with one cause belong to one incident, so that there is one alert: a
-- worker without its rights fails, and then there is no worker either.
CREATE FUNCTION zcsync._alert_object(p_state text, OUT object text, OUT stops boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_state IN ('no worker', 'no local worker', 'no rights', 'failing', 'stopped', 'unknown') THEN 'work' ELSE p_state END,
		p_state IN ('no worker', 'no rights', 'failing', 'stopped', 'unknown', 'no key', 'no partition', 'no trigger', 'wrong clock');
END;
COMMENT ON FUNCTION zcsync._alert_object(text) IS
'the incident that a state of the installation belongs to, and whether that state stops data';

-- The accounts of a row of zcsync.alerts: those of its route, or the one that its object
-- begins with.
CREATE FUNCTION zcsync._alert_accounts(p_code text, p_object text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN p_code = 'route_fault' THEN zcsync._route_accounts(p_object)
		ELSE (SELECT ARRAY[a.name] FROM zcsync.accounts AS a WHERE a.name = split_part(p_object, '/', 1)) END
$$;
COMMENT ON FUNCTION zcsync._alert_accounts(text, text) IS
'the accounts that a row of zcsync.alerts is about; NULL: none, or all';

-- Rows of zcsync.alerts that another measure reports already: a missing key and failing
-- maintenance (selfcheck() has them), blocked accounts and held writes (the view status
-- has them).  That another installation writes must be known before writes are held.
CREATE FUNCTION zcsync._is_told_otherwise(p_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_code IN ('key_missing', 'maintenance', 'write_brake', 'write_refused') OR starts_with(p_code, 'credentials_');
END;
COMMENT ON FUNCTION zcsync._is_told_otherwise(text) IS
'does another measure than "alert" report this code of zcsync.alerts?';

-- Does something stop the work for all accounts? Then their lags are not known.  A
-- missing worker stops nothing where sessions do the work with zcsync.run().
CREATE FUNCTION zcsync._is_stopped() RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync._failed_conditions() AS c WHERE (zcsync._alert_object(c.state)).stops)
		AND NOT EXISTS (SELECT FROM zcsync.account_budgets AS b WHERE b.last_call_at > zcsync._now() - interval '3 minutes')
$$;
COMMENT ON FUNCTION zcsync._is_stopped() IS
'does something of the installation stop the work for all accounts?';

-- The cause of what is late in these accounts has an alert of its own: all work is
-- stopped, or the vendor of one of them is out of order.
CREATE FUNCTION zcsync._has_known_cause(p_stopped boolean, p_accounts text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p_stopped OR EXISTS (SELECT FROM zcsync.accounts AS a WHERE a.name = ANY (p_accounts) AND a.state = 'active' AND a.breaker_failures >= 3)
$$;
COMMENT ON FUNCTION zcsync._has_known_cause(boolean, text[]) IS
'is all work stopped, or one of these accounts down, so that what is late there is no incident of its own?';

-- The whole installation: what the view status says of it.  What it says of an account
-- that is down is not known, except that somebody paused something.
CREATE FUNCTION zcsync._installation_readings() RETURNS SETOF zcsync.alert_reading
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH lines AS MATERIALIZED (SELECT t.* FROM zcsync._installation_trouble() AS t)
	SELECT 'installation', o.object, NULL::text[], max(CASE WHEN o.stops THEN 2 ELSE 1 END)::numeric,
		format('%s', string_agg(DISTINCT t.state, ', ')), (array_agg(t.to_do ORDER BY o.stops DESC))[1]
	FROM (
		SELECT l.state, l.to_do FROM lines AS l WHERE l.object = '(all)' AND l.state NOT IN ('alert', 'no account', 'standby')
		UNION ALL
		SELECT 'no maintenance', 'CALL zcsync.maintain(); -- shows why'
		WHERE EXISTS (SELECT FROM zcsync.alerts AS a WHERE a.code = 'maintenance' AND a.resolved_at IS NULL)) AS t
	CROSS JOIN LATERAL zcsync._alert_object(t.state) AS o
	GROUP BY o.object
	UNION ALL
	SELECT CASE l.state WHEN 'paused' THEN 'paused' ELSE 'installation' END, l.object || ' ' || l.state,
		l.accounts, CASE WHEN l.state = 'paused' OR l.accounts IS NULL OR NOT zcsync._has_known_cause(i.stopped, l.accounts) THEN 1 END,
		format('%s: %s', l.object, l.state), l.to_do
	FROM lines AS l
	CROSS JOIN (SELECT zcsync._is_stopped() OFFSET 0) AS i (stopped)
	WHERE l.object <> '(all)' AND l.state NOT IN ('unread', 'suspended')		-- spam is no incident
	UNION ALL
	SELECT 'alert', concat_ws(' ', a.code, nullif(a.object, '')), zcsync._alert_accounts(a.code, a.object),
		CASE a.severity WHEN 'critical' THEN 2 ELSE 1 END, format('alert %s', concat_ws(' of ', a.code, nullif(a.object, ''))),
		format('SELECT message, hint FROM zcsync.alerts WHERE alert_id = %s;', a.alert_id)
	FROM zcsync.alerts AS a
	WHERE a.resolved_at IS NULL AND NOT zcsync._is_told_otherwise(a.code)
	UNION ALL
	-- one condition could not be checked, or there are no lines at all
	SELECT NULL, CASE WHEN starts_with(l.why, 'the installation cannot be shown') THEN 'work' ELSE l.state END, NULL, NULL, l.why, l.to_do
	FROM lines AS l WHERE l.object = '(all)' AND l.state = 'unknown'
$$;
COMMENT ON FUNCTION zcsync._installation_readings() IS
'what the view status says of the whole installation, and open alerts, for alert rules';

-- Whole minutes, not below zero.
CREATE FUNCTION zcsync._minutes(p_span interval) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floor(greatest(extract(epoch FROM p_span), 0) / 60);
END;
COMMENT ON FUNCTION zcsync._minutes(interval) IS
'a span in whole minutes';

-- When a vendor answered last, and when the next answer was due: the stream that is read
-- most often is read again then.  While all reads fail, calls that are made are no answers.
CREATE FUNCTION zcsync._last_answer(p_account bigint, p_last_call_at timestamptz, p_failing_since timestamptz,
	OUT answered_at timestamptz, OUT answer_due timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.at, w.at + w.turn
	FROM (
		SELECT least(p_last_call_at, CASE WHEN bool_and(s.last_error_at IS NOT NULL) THEN p_failing_since END) AS at,
			min(zcsync._turn_interval(s.stream_id, s.pull_interval)) AS turn
		FROM zcsync.streams AS s WHERE s.account_id = p_account AND s.state = 'active') AS w
$$;
COMMENT ON FUNCTION zcsync._last_answer(bigint, timestamptz, timestamptz) IS
'when a vendor answered last, and when the next answer of it was due; answer_due is NULL where no stream is read';

-- The readings of each account.  What keeps an account from working has a measure of
-- its own, so its lag must not raise a second alert.
CREATE FUNCTION zcsync._account_readings() RETURNS SETOF zcsync.alert_reading
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.measure, s.account, ARRAY[s.account], m.value, format('account %s: %s', s.account, m.says), m.to_do
	FROM (SELECT zcsync._is_stopped() OFFSET 0) AS i (stopped)
	CROSS JOIN zcsync.stat_accounts AS s
	JOIN zcsync.accounts AS a ON a.name = s.account
	CROSS JOIN LATERAL (SELECT a.state <> 'active' OR s.breaker_failures IS NOT NULL, zcsync._now()) AS n (idle, now)
	CROSS JOIN LATERAL (
		SELECT coalesce(sum(w.jobs + w.kept), 0), min(zcsync._look_at_held(s.account, CASE WHEN w.jobs > 0 THEN w.reason END))
		FROM zcsync._held_of(s.account) AS w WHERE s.held > 0) AS h (writes, to_do)
	CROSS JOIN LATERAL zcsync._last_answer(a.account_id, coalesce(s.last_call_at, a.created_at), s.read_error_since) AS q
	CROSS JOIN LATERAL (VALUES
		('blocked', CASE WHEN a.state = 'blocked' AND a.blocked_by IS DISTINCT FROM 'key_missing' THEN 1 ELSE 0 END::numeric,
			'is blocked', format('SELECT * FROM zcsync.check_account(%L);', s.account)),
		('down', CASE WHEN i.stopped THEN NULL WHEN a.state <> 'active' OR s.breaker_failures IS NULL THEN 0 ELSE zcsync._minutes(n.now - a.breaker_opened_at) END,
			format('the vendor has been out of order for %s', zcsync._span(n.now - a.breaker_opened_at)),
			format('SELECT * FROM zcsync.status WHERE account = %L;', s.account)),
		('held', h.writes, format('held writes: %s', h.writes), h.to_do),
		('errors', s.dead_letters + s.route_errors + s.streams_failing,
			format('waiting for a person: %s', s.dead_letters + s.route_errors + s.streams_failing),
			format('SELECT * FROM zcsync.errors WHERE account = %L;', s.account)),
		('growing errors', (SELECT count(*) FROM zcsync.dead_letters AS d WHERE d.account_id = a.account_id AND d.died_at > n.now - interval '1 hour'),
			'more jobs fail than before', format('SELECT * FROM zcsync.errors WHERE account = %L;', s.account)),
		('lag', CASE WHEN i.stopped OR s.breaker_failures IS NOT NULL THEN NULL WHEN n.idle OR NOT coalesce(s.started, false) THEN 0 ELSE zcsync._minutes(s.lag) END,
			format('%s behind', zcsync._span(s.lag)),
			format(CASE a.vendor WHEN 'local' THEN 'SELECT * FROM zcsync.lag WHERE what = ''route'';' ELSE 'SELECT * FROM zcsync.stat_budgets WHERE account = %L;' END, s.account)),
		('silence', CASE WHEN i.stopped OR s.breaker_failures IS NOT NULL THEN NULL WHEN n.idle THEN 0 ELSE coalesce(zcsync._minutes(n.now - q.answer_due), 0) END,
			format('no answer for %s', zcsync._span(n.now - q.answered_at)), format('SELECT * FROM zcsync.check_account(%L);', s.account)),
		('credentials end', floor(extract(epoch FROM a.credentials_end_at - n.now) / 86400),
			format('its credentials end on %s', to_char(a.credentials_end_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
			format('SELECT zcsync.set_credentials(%L, …);', s.account))) AS m (measure, value, says, to_do)
	WHERE a.credentials_end_at IS NOT NULL OR m.measure <> 'credentials end'
$$;
COMMENT ON FUNCTION zcsync._account_readings() IS
'state, errors and lag of each account, for alert rules';

-- How long edits have waited for a read.
CREATE FUNCTION zcsync._unread_readings() RETURNS SETOF zcsync.alert_reading
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'unread', u.object, u.accounts, CASE WHEN NOT zcsync._has_known_cause(i.stopped, u.accounts) THEN zcsync._minutes(zcsync._now() - w.since) END,
		format('%s: edits wait for a read', u.object), u.to_do
	FROM (
		SELECT e.object, e.to_do, e.accounts FROM zcsync._unread_edits() AS e
		UNION ALL
		SELECT l.object, l.to_do, l.accounts FROM zcsync._locked_streams() AS l) AS u
	CROSS JOIN (SELECT zcsync._is_stopped() OFFSET 0) AS i (stopped)
	CROSS JOIN LATERAL (
		SELECT zcsync._edits_wait_since(s.stream_id) FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE a.name = ANY (u.accounts) AND s.kind = split_part(u.object, '/', 2)) AS w (since)
	WHERE w.since IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._unread_readings() IS
'for how long edits of each stream have waited for a read, for alert rules';

-- Jobs that ended in the last five minutes, read status by status, since the index
-- begins with the status.
CREATE FUNCTION zcsync._ended_in_five_minutes()
RETURNS TABLE (account_id bigint, ended bigint, failed bigint, p95 double precision)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_since timestamptz := zcsync._now() - interval '5 minutes';
BEGIN
	RETURN QUERY
	WITH RECURSIVE known AS (
		SELECT min(f.status) AS status FROM zcsync.sync_records AS f
		UNION ALL
		SELECT (SELECT min(n.status) FROM zcsync.sync_records AS n WHERE n.status > k.status) FROM known AS k WHERE k.status IS NOT NULL
	)
	SELECT e.account_id, count(*), count(*) FILTER (WHERE k.status = 'failed'),
		percentile_cont(0.95) WITHIN GROUP (ORDER BY e.duration_us) / 1000000
	FROM known AS k
	CROSS JOIN LATERAL (
		SELECT s.account_id, s.duration_us FROM zcsync.sync_records AS s
		WHERE s.status = k.status AND s.created_at > v_since ORDER BY s.created_at DESC LIMIT 10000) AS e
	GROUP BY e.account_id;
END
$$;
COMMENT ON FUNCTION zcsync._ended_in_five_minutes() IS
'jobs that ended in the last five minutes, by account, and how long their calls took; for alert rules';

-- While an account is down, or all work is stopped, jobs wait for that, so the backlog is
-- not known.
CREATE FUNCTION zcsync._rate_readings() RETURNS SETOF zcsync.alert_reading
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.measure, s.account, ARRAY[s.account], m.value, format('account %s: %s', s.account, m.says), format('SELECT * FROM zcsync.%s WHERE account = %L;', m.look_at, s.account)
	FROM (SELECT zcsync._is_stopped() OFFSET 0) AS i (stopped)
	CROSS JOIN zcsync.stat_accounts AS s
	JOIN zcsync.accounts AS a ON a.name = s.account AND a.state = 'active'
	LEFT JOIN zcsync._ended_in_five_minutes() AS e ON e.account_id = a.account_id
	CROSS JOIN LATERAL (SELECT round((5.0 * (s.ready - s.backfill) / greatest(e.ended, 1))::numeric), round(e.p95::numeric, 2), round(100.0 * e.failed / e.ended, 1)) AS v (eta, seconds, percent)
	CROSS JOIN LATERAL (VALUES
		('backlog', CASE WHEN i.stopped OR s.breaker_failures IS NOT NULL THEN NULL WHEN s.ready - s.backfill <= 100 THEN 0 ELSE v.eta END, format('fresh jobs that wait: %s', s.ready - s.backfill), 'stat_budgets'),
		('response time', coalesce(v.seconds, 0), format('calls take %s s', v.seconds), 'stat_budgets'),
		('error rate', CASE WHEN e.ended >= 20 THEN v.percent ELSE 0 END, format('%s %% of its jobs failed', v.percent), 'errors')) AS m (measure, value, says, look_at)
$$;
COMMENT ON FUNCTION zcsync._rate_readings() IS
'response time, share of errors and backlog of each account, for alert rules';

CREATE FUNCTION zcsync._machine_load(OUT cpu double precision, OUT memory double precision, OUT disk double precision,
	OUT io double precision)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_machine_load';
COMMENT ON FUNCTION zcsync._machine_load() IS
'CPU, memory, the fullest file system of the data directory, its WAL and the tablespaces, and waiting for disks in percent; NULL: this system does not say';

CREATE FUNCTION zcsync._machine_readings() RETURNS SETOF zcsync.alert_reading
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.measure, m.measure, NULL::text[], round(m.value::numeric), format('%s: %s %%', m.says, round(m.value::numeric)), m.to_do
	FROM zcsync._machine_load() AS l
	CROSS JOIN LATERAL (VALUES
		('cpu', l.cpu, 'processors in use', 'SELECT * FROM zcsync.slow_queries;'),
		('memory', l.memory, 'memory in use', NULL),
		('disk', l.disk, 'the fullest disk of the server', 'SELECT * FROM zcsync.table_bloat;'),
		('io', l.io, 'time in which processes wait for a disk', 'SELECT * FROM zcsync.slow_queries;')) AS m (measure, value, says, to_do)
	UNION ALL
	SELECT 'table size', 'table size', NULL::text[], round(s.bytes / 1073741824.0, 1), format('tables of zcsync: %s', pg_size_pretty(s.bytes)), 'SELECT * FROM zcsync.table_bloat;'
	FROM (
		SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class AS c
		WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'r'
			AND EXISTS (SELECT FROM zcsync.alert_rules AS r WHERE r.measure = 'table size' AND r.state = 'active')) AS s
$$;
COMMENT ON FUNCTION zcsync._machine_readings() IS
'load of this machine and size of the tables, for alert rules';

-- All readings.  If one of the functions fails, the others still count, the failure is a
-- reading itself, and another one says that not all measures are known.
CREATE FUNCTION zcsync._all_alert_readings() RETURNS zcsync.alert_reading[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_says regproc;
	v_said zcsync.alert_reading[];
	v_all zcsync.alert_reading[] := '{}';
BEGIN
	FOR v_says IN SELECT r FROM zcsync._registrations('zcsync.alert_reading') AS r LOOP
		BEGIN
			EXECUTE format('SELECT array_agg(c) FROM %s() AS c', v_says) INTO v_said;
		EXCEPTION WHEN OTHERS THEN
			SELECT array_agg(ROW(m.measure, 'work', NULL, 2, format('%s() failed', v_says), format('SELECT * FROM %s();', v_says))::zcsync.alert_reading)
			INTO v_said FROM unnest('{installation,NULL}'::text[]) AS m (measure);
		END;
		v_all := v_all || v_said;
	END LOOP;
	RETURN v_all;
END
$$;
COMMENT ON FUNCTION zcsync._all_alert_readings() IS
'all measures of alert rules as they are now';
