-- ---------------------------------------------------------------------
-- Analytics: what was synchronised each day, how long people took for tickets, how
-- many leads became opportunities, and how much space and how many calls that needs.
--
-- maintain() counts; views and functions here read what it counted.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Business hours
-- ---------------------------------------------------------------------

-- For more than two years business hours are not looked up day by day: the result is
-- the whole time between the two.  Days are timestamps without time zone, to which those
-- of the business hours give theirs; none is further from UTC than a day.
CREATE FUNCTION zcsync.business_time(since timestamptz, until timestamptz) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN NOT isfinite(business_time.since) OR NOT isfinite(business_time.until) THEN NULL
		WHEN business_time.until - business_time.since > interval '2 years' OR NOT EXISTS (SELECT FROM zcsync.business_hours)
		THEN business_time.until - business_time.since
		ELSE coalesce(sum(greatest(least(h.closes_at, business_time.until) - greatest(h.opens_at, business_time.since), '0')), '0') END
	FROM (
		SELECT (d.day + b.opens) AT TIME ZONE b.time_zone AS opens_at, (d.day + b.closes) AT TIME ZONE b.time_zone AS closes_at
		FROM generate_series(
			CASE WHEN isfinite(business_time.since) AND isfinite(business_time.until) THEN date_trunc('day', business_time.since AT TIME ZONE 'UTC') - interval '1 day' END,
			least(business_time.until, business_time.since + interval '2 years') AT TIME ZONE 'UTC' + interval '1 day', interval '1 day') AS d (day)
		JOIN zcsync.business_hours AS b ON b.weekday = extract(isodow FROM d.day)
		WHERE NOT EXISTS (SELECT FROM zcsync.holidays AS f WHERE f.day = d.day::date)) AS h
	WHERE business_time.since < business_time.until
$$;
COMMENT ON FUNCTION zcsync.business_time(timestamptz, timestamptz) IS
'how much time of business_hours, without holidays, lies between two times';

-- ---------------------------------------------------------------------
-- Counting
-- ---------------------------------------------------------------------

-- The statuses of an account in which nobody works on a ticket any more, by name and by
-- id.  The category that the vendor gives a status decides.
CREATE FUNCTION zcsync._resolved_statuses(p_account bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '{solved,closed}'::text[] || coalesce(array_agg(v.status), '{}')
	FROM zcsync.statuses AS s
	CROSS JOIN LATERAL (VALUES (s.name), (s.status_id)) AS v (status)
	WHERE s.account_id = p_account AND s.category IN ('solved', 'closed', 'done') AND v.status IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._resolved_statuses(bigint) IS
'the statuses of an account that a resolved ticket has';

-- Tickets that were resolved since then: their status became one of
-- _resolved_statuses(), and still is.
CREATE FUNCTION zcsync._resolved_since(p_since timestamptz)
RETURNS TABLE (account_id bigint, day date, assignee text, team text, took interval)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.account_id, (c.created_at AT TIME ZONE 'UTC')::date, coalesce(t.assignee_id, ''), coalesce(t.group_id, ''),
		zcsync.business_time(t.created_at, c.created_at)
	FROM (
		SELECT DISTINCT ON (x.local_id) x.account_id, x.local_id, x.created_at
		FROM zcsync.changes AS x
		CROSS JOIN LATERAL zcsync._resolved_statuses(x.account_id) AS r
		WHERE x.created_at >= p_since AND x.kind = 'tickets' AND x.action = 'update'
			AND x.new ->> 'status' = ANY (r) AND coalesce(x.old ->> 'status' <> ALL (r), true)
		ORDER BY x.local_id, x.created_at DESC) AS c
	JOIN zcsync.tickets AS t ON t.account_id = c.account_id AND t.local_id = c.local_id
	WHERE t.status = ANY (zcsync._resolved_statuses(t.account_id)) AND t.created_at IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._resolved_since(timestamptz) IS
'tickets that were resolved since, and after how much business time';

-- Tickets that got their first public reply since then, from anybody but the requester.
-- It is looked for where there is a comment of that time: history has no rows for
-- comments that were read.
CREATE FUNCTION zcsync._replied_since(p_since timestamptz)
RETURNS TABLE (account_id bigint, day date, assignee text, team text, took interval)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- comments by their time, whatever statistics say
AS $$
	SELECT t.account_id, (r.at AT TIME ZONE 'UTC')::date, coalesce(t.assignee_id, ''), coalesce(t.group_id, ''), zcsync.business_time(t.created_at, r.at)
	FROM (
		SELECT DISTINCT c.account_id, c.parent_id FROM zcsync.comments AS c
		WHERE c.created_at >= p_since AND c.parent_kind = 'tickets' AND c.is_private IS NOT TRUE AND c.deleted_at IS NULL) AS n
	CROSS JOIN LATERAL (	-- in the order of the index on remote ids, which no other index has
		SELECT x.account_id, x.remote_id, x.requester_id, x.assignee_id, x.group_id, x.created_at FROM zcsync.tickets AS x
		WHERE x.account_id = n.account_id AND x.remote_id BETWEEN n.parent_id AND n.parent_id
		ORDER BY x.remote_id LIMIT 1) AS t
	CROSS JOIN LATERAL (
		SELECT min(c.created_at) AS at FROM zcsync.comments AS c
		WHERE c.account_id = t.account_id AND c.parent_id = t.remote_id AND c.parent_kind = 'tickets' AND c.is_private IS NOT TRUE AND c.deleted_at IS NULL
			AND c.author_id IS DISTINCT FROM t.requester_id AND c.created_at > t.created_at) AS r
	WHERE r.at >= p_since
$$;
COMMENT ON FUNCTION zcsync._replied_since(timestamptz) IS
'tickets to which the first public reply came since, and after how much business time';

-- Count whole days, from this one on.
CREATE FUNCTION zcsync._take_work_numbers(p_day date) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM zcsync.work_numbers AS w WHERE w.day >= p_day OR w.day < (zcsync._now() - interval '13 months')::date;
	INSERT INTO zcsync.work_numbers (account_id, day, assignee, team, opened, resolved, resolutions, replies)
	SELECT u.account_id, u.day, u.assignee, u.team, coalesce(sum(u.n) FILTER (WHERE u.what = 'opened'), 0), coalesce(sum(u.n) FILTER (WHERE u.what = 'resolved'), 0),
		coalesce(jsonb_object_agg(u.class, u.n) FILTER (WHERE u.what = 'resolved'), '{}'),
		coalesce(jsonb_object_agg(u.class, u.n) FILTER (WHERE u.what = 'replied'), '{}')
	FROM (
		SELECT w.account_id, w.day, w.assignee, w.team, w.what, zcsync._wait_class(extract(epoch FROM w.took) * 1000) AS class, count(*) AS n
		FROM (
			SELECT t.account_id, (t.created_at AT TIME ZONE 'UTC')::date AS day, coalesce(t.assignee_id, '') AS assignee, coalesce(t.group_id, '') AS team,
				'opened' AS what, NULL::interval AS took
			FROM zcsync.tickets AS t WHERE t.created_at >= p_day::timestamp AT TIME ZONE 'UTC' AND t.deleted_at IS NULL
			UNION ALL
			SELECT x.account_id, x.day, x.assignee, x.team, 'resolved', x.took FROM zcsync._resolved_since(p_day::timestamp AT TIME ZONE 'UTC') AS x
			UNION ALL
			SELECT x.account_id, x.day, x.assignee, x.team, 'replied', x.took FROM zcsync._replied_since(p_day::timestamp AT TIME ZONE 'UTC') AS x) AS w
		GROUP BY 1, 2, 3, 4, 5, 6) AS u
	GROUP BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION zcsync._take_work_numbers(date) IS
'counts tickets opened, resolved and replied to since a day';

CREATE FUNCTION zcsync._take_lead_numbers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM zcsync.lead_numbers AS n WHERE n.taken_at > zcsync._now() - interval '6 hours') THEN
		RETURN;
	END IF;
	DELETE FROM zcsync.lead_numbers;
	INSERT INTO zcsync.lead_numbers (account_id, day, source, leads, prospects, opportunities, closed, value, taken_at)
	SELECT l.account_id, (coalesce(l.created_at, l.inserted_at) AT TIME ZONE 'UTC')::date, coalesce(l.source, ''), count(*),
		count(*) FILTER (WHERE l.stage IN ('prospect', 'opportunity')), count(*) FILTER (WHERE l.stage = 'opportunity'),
		count(*) FILTER (WHERE l.closed_at IS NOT NULL OR s.closed), coalesce(sum(l.value) FILTER (WHERE l.stage = 'opportunity'), 0), zcsync._now()
	FROM zcsync.leads AS l LEFT JOIN zcsync.lead_statuses AS s USING (status_id)
	WHERE l.deleted_at IS NULL AND l.merged_into IS NULL
	GROUP BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION zcsync._take_lead_numbers() IS
'counts leads by day, source and stage, unless that was done in the last six hours';

CREATE FUNCTION zcsync._take_sizes() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM zcsync.table_sizes AS s WHERE s.day < (zcsync._now() - interval '13 months')::date;
	INSERT INTO zcsync.table_sizes (day, table_name, row_count, bytes)
	SELECT (zcsync._now() AT TIME ZONE 'UTC')::date, p.relname, sum(greatest(c.reltuples, 0)), sum(pg_total_relation_size(c.oid))
	FROM pg_class AS p
	LEFT JOIN LATERAL pg_partition_tree(p.oid) AS t ON true
	-- of a table by month, ANALYZE estimates the rows of the whole as well
	JOIN pg_class AS c ON c.oid = coalesce(t.relid, p.oid) AND c.relkind = 'r'
	WHERE p.relnamespace = 'zcsync'::regnamespace AND p.relkind IN ('r', 'p') AND NOT p.relispartition
	GROUP BY p.relname
	ON CONFLICT ON CONSTRAINT table_sizes_pkey DO UPDATE SET row_count = excluded.row_count, bytes = excluded.bytes
$$;
COMMENT ON FUNCTION zcsync._take_sizes() IS
'keeps how large the tables are today';

CREATE FUNCTION zcsync._history_begins() RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT h.begins
	FROM zcsync.installation AS i
	CROSS JOIN (
		SELECT min(to_date(substring(c.relname FROM '_y([0-9]{4}m[0-9]{2})$'), 'YYYY"m"MM')) AS begins
		FROM pg_inherits AS p JOIN pg_class AS c ON c.oid = p.inhrelid WHERE p.inhparent = 'zcsync.changes'::regclass) AS h
	WHERE h.begins > i.created_at AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION zcsync._history_begins() IS
'the first day of the months of history that are still here; NULL: all are';

-- Yesterday is counted again, and once a day the last 35 days, for what came late.  By
-- the sizes of tables, which are taken last, one can tell that today was counted before.
CREATE FUNCTION zcsync._take_analytics() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_today date := (zcsync._now() AT TIME ZONE 'UTC')::date;
	v_first date := v_today - 35;
	v_last date := coalesce((SELECT max(w.day) FROM zcsync.work_numbers AS w), v_first);
	v_again boolean := EXISTS (SELECT FROM zcsync.table_sizes AS s WHERE s.table_name = 'work_numbers' AND s.day = v_today);
BEGIN
	PERFORM zcsync._take_work_numbers(greatest(CASE WHEN v_again THEN least(v_last, v_today) - 1 END, v_first, zcsync._history_begins()));
	PERFORM zcsync._take_lead_numbers();
	PERFORM zcsync._take_sizes();
END
$$;
COMMENT ON FUNCTION zcsync._take_analytics() IS
'counts tickets, leads and sizes of tables; a step of zcsync.maintain()';

-- ---------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------

-- A copy counts once it is at its vendor.  What is private is judged as the originals are
-- today: their word where their vendor has private comments, where not known private;
-- else what they are copies of.
CREATE FUNCTION zcsync._comments_carried(p_from date, p_to date)
RETURNS TABLE (day date, account text, copied_to text, public bigint, internal bigint, private_crossed bigint)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (k.created_at AT TIME ZONE 'UTC')::date, f.name, t.name, count(*) FILTER (WHERE k.was_public), count(*) FILTER (WHERE NOT k.was_public),
		count(*) FILTER (WHERE k.was_public AND CASE WHEN f.has_private THEN o.is_private IS DISTINCT FROM false
			ELSE EXISTS (SELECT FROM zcsync.comment_copies AS e WHERE e.copy_id = o.local_id AND NOT e.was_public) END)
	FROM zcsync.comment_copies AS k
	JOIN zcsync.comments AS c ON c.local_id = k.copy_id
	JOIN zcsync.comments AS o ON o.local_id = k.original_id
	JOIN (SELECT a.account_id, a.name, (zcsync._kind_of(a.vendor, 'comments')).has_private FROM zcsync.accounts AS a OFFSET 0) AS f ON f.account_id = o.account_id
	JOIN zcsync.accounts AS t ON t.account_id = c.account_id
	WHERE c.remote_id IS NOT NULL
		AND k.created_at >= p_from::timestamp AT TIME ZONE 'UTC' AND k.created_at < (p_to + 1)::timestamp AT TIME ZONE 'UTC'
	GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION zcsync._comments_carried(date, date) IS
'how many comments routes carried, by day, from one day to another; what the view comments_daily shows';

CREATE FUNCTION zcsync._create_analytics_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.sync_daily AS
	SELECT a.name AS account, d.day, d.measure, d.kind, d.done, d.failed, round(100.0 * d.done / nullif(d.done + d.failed, 0), 2) AS success_rate,
		zcsync._percentile(d.waits, 0.5) AS p50_ms, zcsync._percentile(d.waits, 0.95) AS p95_ms
	FROM zcsync.daily_numbers AS d JOIN zcsync.accounts AS a USING (account_id);
	COMMENT ON VIEW zcsync.sync_daily IS
	'each day: changes sent and read, jobs that ended, calls made and throttled (failed); days are those of UTC';
	COMMENT ON COLUMN zcsync.sync_daily.measure IS
	'sent: from an edit here to the vendor''s reply; read: from a change there to its row; job: of calls; calls: done were answered, failed were throttled';
	COMMENT ON COLUMN zcsync.sync_daily.kind IS 'kind of the records; of job the operation, of calls the class of the budget';

	CREATE OR REPLACE VIEW zcsync.stat_agents AS
	SELECT a.name AS account, nullif(w.assignee, '') AS agent_id, c.name AS agent, nullif(w.team, '') AS team_id,
		sum(w.opened)::bigint AS opened, sum(w.resolved)::bigint AS resolved,
		round(zcsync._percentile(zcsync._add_waits(array_agg(w.replies)), 0.5) / 3600000, 2) AS first_reply_hours,
		round(zcsync._percentile(zcsync._add_waits(array_agg(w.resolutions)), 0.5) / 3600000, 2) AS resolution_hours
	FROM zcsync.work_numbers AS w
	JOIN zcsync.accounts AS a USING (account_id)
	LEFT JOIN zcsync.contacts AS c ON c.account_id = w.account_id AND c.remote_id = w.assignee
	WHERE w.day > (zcsync._now() AT TIME ZONE 'UTC')::date - 30
	GROUP BY a.name, w.assignee, c.name, w.team;
	COMMENT ON VIEW zcsync.stat_agents IS
	'tickets of the last 30 days by agent and team: opened, resolved, and the medians of first reply and resolution in business hours; NULL where the mirror cannot tell';

	CREATE OR REPLACE VIEW zcsync.lead_funnel AS
	SELECT a.name AS account, date_trunc('month', n.day)::date AS month, nullif(n.source, '') AS source, sum(n.leads)::bigint AS leads,
		sum(n.prospects)::bigint AS prospects, sum(n.opportunities)::bigint AS opportunities, sum(n.closed)::bigint AS closed,
		round(100.0 * sum(n.opportunities) / nullif(sum(n.leads), 0), 1) AS conversion, sum(n.value) AS value
	FROM zcsync.lead_numbers AS n JOIN zcsync.accounts AS a USING (account_id)
	GROUP BY a.name, 2, n.source;
	COMMENT ON VIEW zcsync.lead_funnel IS
	'leads by month of creation and source: how many became prospects and opportunities; merged and deleted ones do not count';
	COMMENT ON COLUMN zcsync.lead_funnel.conversion IS 'opportunities in percent of leads';

	CREATE OR REPLACE VIEW zcsync.comments_daily AS
	SELECT n.day, n.account, n.copied_to, n.public, n.internal, n.private_crossed FROM zcsync._comments_carried('-infinity', 'infinity') AS n;
	COMMENT ON VIEW zcsync.comments_daily IS
	'each day: comments that routes copied, for all who read the record or for agents only; days are those of UTC';
	COMMENT ON COLUMN zcsync.comments_daily.day IS 'the day on which they were copied';
	COMMENT ON COLUMN zcsync.comments_daily.account IS 'name of the account of the originals';
	COMMENT ON COLUMN zcsync.comments_daily.copied_to IS 'name of the account of the copies';
	COMMENT ON COLUMN zcsync.comments_daily.public IS 'copies that others than agents could read';
	COMMENT ON COLUMN zcsync.comments_daily.internal IS 'copies that agents alone could read';
	COMMENT ON COLUMN zcsync.comments_daily.private_crossed IS 'of the public ones: those whose originals are private now, or not known to be public';
END
$body$;
COMMENT ON FUNCTION zcsync._create_analytics_views() IS
'creates or replaces sync_daily, stat_agents, lead_funnel and comments_daily; part of zcsync._create_views()';

-- source is the name of an account or a source of leads; for the latter only leads are
-- counted.
CREATE FUNCTION zcsync.analytics_sync(since date DEFAULT NULL, until date DEFAULT NULL, source text DEFAULT NULL)
RETURNS TABLE (day date, account text, sent bigint, read bigint, failed bigint, success_rate numeric, p50_ms numeric, p95_ms numeric, calls bigint, leads bigint)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT n.day, a.name, sum(n.done) FILTER (WHERE n.measure = 'sent'), sum(n.done) FILTER (WHERE n.measure = 'read'),
		sum(n.failed) FILTER (WHERE n.measure = 'sent'),
		round(100.0 * sum(n.done) FILTER (WHERE n.measure IN ('sent', 'read'))
			/ nullif(sum(n.done + n.failed) FILTER (WHERE n.measure IN ('sent', 'read')), 0), 2),
		zcsync._percentile(zcsync._add_waits(array_agg(n.waits) FILTER (WHERE n.measure IN ('sent', 'read'))), 0.5),
		zcsync._percentile(zcsync._add_waits(array_agg(n.waits) FILTER (WHERE n.measure IN ('sent', 'read'))), 0.95),
		sum(n.done) FILTER (WHERE n.measure = 'calls'), sum(n.done) FILTER (WHERE n.measure = 'leads')
	FROM (
		SELECT d.account_id, d.day, d.measure, d.done, d.failed, d.waits, NULL AS source FROM zcsync.daily_numbers AS d
		UNION ALL
		SELECT l.account_id, l.day, 'leads', l.leads, 0, '{}', l.source FROM zcsync.lead_numbers AS l) AS n
	JOIN zcsync.accounts AS a USING (account_id)
	WHERE n.day >= coalesce(analytics_sync.since, (zcsync._now() AT TIME ZONE 'UTC')::date - 30)
		AND n.day <= coalesce(analytics_sync.until, (zcsync._now() AT TIME ZONE 'UTC')::date)
		AND (analytics_sync.source IS NULL OR a.name = analytics_sync.source OR n.source = analytics_sync.source)
	GROUP BY n.day, a.name
	ORDER BY n.day, a.name COLLATE "C"
$$;
COMMENT ON FUNCTION zcsync.analytics_sync(date, date, text) IS
'what was synchronised on each day from since to until, by default of the last 30 days: changes, failures, durations, calls, leads; source is an account or a source of leads';

-- ---------------------------------------------------------------------
-- Capacity
-- ---------------------------------------------------------------------

-- A simple formula of capacity planning: growth in each period, one server for a
-- thousand users, two connections for each user.
CREATE FUNCTION zcsync.calculate_capacity(users numeric, growth numeric, periods integer,
	OUT projected_users numeric, OUT required_servers bigint, OUT required_connections numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT round(p.users, 2), ceil(p.users / 1000)::bigint, round(2 * p.users, 2)
	FROM (SELECT calculate_capacity.users * (1 + calculate_capacity.growth) ^ calculate_capacity.periods) AS p (users);
END;
COMMENT ON FUNCTION zcsync.calculate_capacity(numeric, numeric, integer) IS
'users after so many periods of growth, and the servers and connections that they need';

-- Draws a straight line through what was measured each day, for which it needs at least
-- two days.
CREATE FUNCTION zcsync.calculate_capacity()
RETURNS TABLE (item text, now numeric, a_month numeric, unit text, suffices_until date, note text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH sizes AS (
		SELECT s.table_name, v.unit, (array_agg(v.n ORDER BY s.day DESC))[1] AS now,
			round((30.44 * regr_slope(v.n::float8, extract(epoch FROM s.day)::float8 / 86400))::numeric) AS a_month, count(*) AS days
		FROM zcsync.table_sizes AS s
		CROSS JOIN LATERAL (VALUES ('rows', s.row_count), ('bytes', s.bytes)) AS v (unit, n)
		WHERE s.day > (zcsync._now() AT TIME ZONE 'UTC')::date - 90
		GROUP BY s.table_name, v.unit
	), calls AS (
		SELECT d.account_id, d.kind AS class, (array_agg(d.done ORDER BY d.day DESC) FILTER (WHERE d.day < (zcsync._now() AT TIME ZONE 'UTC')::date))[1] AS now,
			(30.44 * regr_slope(d.done::float8, extract(epoch FROM d.day)::float8 / 86400) FILTER (WHERE d.day < (zcsync._now() AT TIME ZONE 'UTC')::date))::numeric AS a_month,
			count(*) AS days
		FROM zcsync.daily_numbers AS d
		WHERE d.measure = 'calls' AND d.day > (zcsync._now() AT TIME ZONE 'UTC')::date - 90
		GROUP BY d.account_id, d.kind
	)
	SELECT 'table ' || s.table_name, s.now::numeric, s.a_month, s.unit, NULL::date, CASE WHEN s.days < 2 THEN 'measured for one day only' END
	FROM sizes AS s WHERE s.now > 0
	UNION ALL
	SELECT format('calls of %s, class %s', a.name, c.class), c.now, round(c.a_month), 'a day of ' || p.calls,
		CASE WHEN c.a_month > 0 AND c.now < p.calls THEN
			(zcsync._now() AT TIME ZONE 'UTC')::date + least(30.44 * (p.calls - c.now) / c.a_month, 36500)::integer END,
		CASE WHEN c.now >= p.calls THEN 'the plan of the vendor does not suffice: ask for a higher limit, or read and write less'
			WHEN c.a_month IS NULL THEN 'measured for less than two whole days' WHEN c.a_month <= 0 THEN 'does not grow' END
	FROM calls AS c
	JOIN zcsync.accounts AS a USING (account_id)
	JOIN zcsync.account_budgets AS b ON b.account_id = c.account_id AND b.class = c.class
	CROSS JOIN LATERAL (SELECT floor(b.calls * b.share * 86400 / b.window_s)::numeric AS calls) AS p
	ORDER BY 4 DESC, 2 DESC NULLS LAST, 1
$$;
COMMENT ON FUNCTION zcsync.calculate_capacity() IS
'from what was measured: rows and bytes of each table and how many are added a month, calls a day of each account, and until when the limits of its vendor suffice';
