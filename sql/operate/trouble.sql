-- ---------------------------------------------------------------------
-- Trouble: what stops data from flowing, or maintenance from running, and what to run
-- then.  The view status shows it beside the accounts.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.trouble AS (
	severity integer,			-- order in the view: 0 comes first
	object text,				-- (all), or the object that is paused
	state text,					-- in a word or two
	why text,
	to_do text,					-- a statement, where there is one
	since timestamptz,			-- NULL: not known
	accounts text[]);			-- that it is about; NULL: none, or all
COMMENT ON TYPE zcsync.trouble IS
'a line of the view status that is not about an account';

-- The accounts of a route: those of its two streams.
CREATE FUNCTION zcsync._route_accounts(p_name text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(DISTINCT a.name ORDER BY a.name)
	FROM zcsync.routes AS r
	JOIN zcsync.streams AS s ON s.stream_id IN (r.source_stream_id, r.target_stream_id)
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id
	WHERE r.name = p_name
$$;
COMMENT ON FUNCTION zcsync._route_accounts(text) IS
'the names of the accounts that a route reads and writes; NULL: there is no such route';

-- How many edits wait for a read of their stream.  Views show it, so it is counted up to
-- a limit only.
CREATE FUNCTION zcsync._waiting_edits(p_stream bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off		-- it would read the index to its end
SET jit = off
AS $$
BEGIN
	RETURN (
		SELECT CASE WHEN count(*) > 10000 THEN '10000+' WHEN count(*) > 0 THEN count(*)::text END
		FROM (
			SELECT FROM zcsync.sync_queue AS q
			WHERE q.stream_id = p_stream AND q.waits_since IS NOT NULL AND q.state = 'ready' LIMIT 10001) AS w);
END
$$;
COMMENT ON FUNCTION zcsync._waiting_edits(bigint) IS
'how many edits wait for a read of their stream, counted up to 10,000; NULL: none';

-- The first entry of an index, however many edits wait.
CREATE FUNCTION zcsync._edits_wait_since(p_stream bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
BEGIN
	RETURN (
		SELECT q.waits_since FROM zcsync.sync_queue AS q
		WHERE q.stream_id = p_stream AND q.waits_since IS NOT NULL AND q.state = 'ready'
		ORDER BY q.stream_id, q.waits_since LIMIT 1);
END
$$;
COMMENT ON FUNCTION zcsync._edits_wait_since(bigint) IS
'since when the edit has waited that has waited longest for a read of its stream; NULL: none waits';

-- Who holds the row with this xmax: a session, or a prepared transaction, that has locked
-- or changed it and is still open.  The workers are not meant: their transactions are
-- short.  If several share a lock, xmax is the number of a multixact.
CREATE FUNCTION zcsync._row_holder(p_xmax xid, OUT holder text, OUT to_do text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_xids xid[] := ARRAY[p_xmax];
BEGIN
	FOR i IN 1 .. 2 LOOP
		SELECT coalesce('session ' || l.pid, format('prepared transaction %s', p.gid)),
			CASE WHEN l.pid IS NULL THEN format('SELECT * FROM pg_prepared_xacts WHERE gid = %L;', p.gid)
				ELSE format('SELECT * FROM pg_stat_activity WHERE pid = %s;', l.pid) END
		INTO holder, to_do
		FROM pg_locks AS l
		LEFT JOIN pg_prepared_xacts AS p ON p.transaction = l.transactionid
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.transactionid = ANY (v_xids)
			AND NOT EXISTS (SELECT FROM zcsync.claimants AS c WHERE c.pid = l.pid)
		ORDER BY l.pid LIMIT 1;
		EXIT WHEN FOUND OR p_xmax = '0';
		BEGIN
			v_xids := ARRAY(SELECT m.xid FROM pg_get_multixact_members(p_xmax) AS m);
		EXCEPTION WHEN OTHERS THEN
			EXIT;	-- it is no multixact
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._row_holder(xid) IS
'which open transaction has locked or changed the row with this xmax, and the statement that shows it; NULL: none';

-- Streams that have been due for more than a minute, or for which edits wait as long,
-- and that are not read because somebody has locked them in a transaction that is still
-- open: an alter_stream() or refresh() that was not committed, for example.
CREATE FUNCTION zcsync._locked_streams() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, a.name || '/' || s.kind, 'locked',
		format('by %s, so it is not read', h.holder) || coalesce('; edits wait for that: ' || zcsync._waiting_edits(s.stream_id), ''),
		h.to_do || ' -- commit it or end it', s.next_pull_at, ARRAY[a.name]
	FROM zcsync.streams AS s
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id AND a.state = 'active' AND a.vendor <> 'local'
	CROSS JOIN LATERAL zcsync._row_holder(s.xmax) AS h
	WHERE s.state = 'active' AND s.xmax <> '0' AND h.holder IS NOT NULL
		AND least(s.next_pull_at, zcsync._edits_wait_since(s.stream_id)) < zcsync._now() - interval '1 minute'
	ORDER BY a.name, s.kind
$$;
COMMENT ON FUNCTION zcsync._locked_streams() IS
'streams that are not read because an open transaction has locked them, as lines of the view status';

-- Since when a route has had a job that is due: the most urgent one, and one of comments.
CREATE FUNCTION zcsync._route_due_since(p_route bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
BEGIN
	RETURN least(
		(SELECT q.run_at FROM zcsync.sync_queue AS q
		WHERE q.route_id = p_route AND q.operation = 'route' AND q.state = 'ready'
		ORDER BY q.route_id, q.priority, q.run_at, q.job_id LIMIT 1),
		(SELECT q.run_at FROM zcsync.sync_queue AS q
		WHERE q.route_id = p_route AND q.operation = 'conversation' AND q.state = 'ready'
		ORDER BY q.route_id, q.run_at, q.job_id LIMIT 1));
END
$$;
COMMENT ON FUNCTION zcsync._route_due_since(bigint) IS
'when the next job of a route is due or became due; NULL: it has none';

-- Active routes of which a job has been due for more than a minute, and that do not run
-- because somebody has locked them in a transaction that is still open.
CREATE FUNCTION zcsync._locked_routes() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, 'route ' || r.name, 'locked', format('by %s, so it does not run', h.holder), h.to_do || ' -- commit it or end it',
		w.since, zcsync._route_accounts(r.name)
	FROM zcsync.routes AS r
	CROSS JOIN LATERAL (SELECT zcsync._route_due_since(r.route_id) OFFSET 0) AS w (since)
	CROSS JOIN LATERAL zcsync._row_holder(r.xmax) AS h
	WHERE r.state = 'active' AND r.xmax <> '0' AND h.holder IS NOT NULL AND w.since < zcsync._now() - interval '1 minute'
	ORDER BY r.name
$$;
COMMENT ON FUNCTION zcsync._locked_routes() IS
'routes that do not run because an open transaction has locked them, as lines of the view status';

-- Edits that have waited for a read for more than a minute: for which read, why it does
-- not end, and what to run.  Streams that are paused or locked, and accounts that are
-- not active, have lines of their own.
CREATE FUNCTION zcsync._unread_edits() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, a.name || '/' || s.kind, 'unread',
		format('edits wait for a read: %s', zcsync._waiting_edits(s.stream_id)) || coalesce('; ' || e.last_error, ''),
		CASE WHEN e.last_error IS NULL THEN format('SELECT * FROM zcsync.stat_budgets WHERE account = %L;', a.name)
			WHEN s.last_error_class IN ('vendor', 'throttled') THEN 'nothing: it is read again by itself'
			ELSE format('SELECT * FROM zcsync.check_account(%L);', a.name) END,
		w.since, ARRAY[a.name]
	FROM zcsync.streams AS s
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id AND a.state = 'active'
	CROSS JOIN LATERAL (SELECT CASE WHEN s.last_error_lane IS DISTINCT FROM 'history' THEN s.last_error END) AS e (last_error)
	CROSS JOIN LATERAL (SELECT zcsync._edits_wait_since(s.stream_id) OFFSET 0) AS w (since)
	WHERE s.state = 'active' AND w.since < zcsync._now() - interval '1 minute'
		AND (s.xmax = '0' OR (zcsync._row_holder(s.xmax)).holder IS NULL)
	ORDER BY a.name, s.kind
$$;
COMMENT ON FUNCTION zcsync._unread_edits() IS
'edits that wait for a read which does not end, as lines of the view status';

-- Streams whose comparison with the vendor's lists, once a day, did not come to its
-- end for three days: what is deleted there is not noticed.
CREATE FUNCTION zcsync._uncompared() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, a.name || '/' || s.kind, 'not compared',
		coalesce(format('deletions are not noticed: not compared since %s', to_char(s.compared_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')), 'deletions are not noticed: never compared')
			|| CASE WHEN s.last_error_lane = 'compare' THEN '; ' || s.last_error ELSE '' END,
		CASE WHEN s.last_error_lane = 'compare' THEN format('SELECT * FROM zcsync.check_account(%L);', a.name)
			WHEN s.compare_cursor IS NOT NULL THEN format('SELECT * FROM zcsync.stat_budgets WHERE account = %L;', a.name)
			ELSE format('SELECT zcsync.compare(%L);', a.name || '/' || s.kind) END,
		coalesce(s.compared_at, s.created_at), ARRAY[a.name]
	FROM zcsync.streams AS s
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id AND a.state = 'active'
	WHERE s.state = 'active' AND s.history_state <> 'running'
		AND CASE WHEN greatest(coalesce(s.compared_at, s.created_at), s.history_done_at) < zcsync._now() - interval '3 days'
			THEN (zcsync._kind_of(a.vendor, s.kind)).compared END
	ORDER BY a.name, s.kind
$$;
COMMENT ON FUNCTION zcsync._uncompared() IS
'streams that were not compared with their vendor for three days, as lines of the view status';

-- Messages that vendors hold back as suspected spam, where somebody wants them counted.
CREATE FUNCTION zcsync._suspended_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 3, a.name || ' suspended', CASE WHEN c.error IS NULL THEN 'suspended' ELSE 'not counted' END,
		coalesce(c.error, format('%s wait in the suspended queue', c.waiting)), format('SELECT * FROM zcsync.suspended_tickets(%L);', a.name), c.since, ARRAY[a.name]
	FROM zcsync.suspended_counts AS c JOIN zcsync.accounts AS a ON a.account_id = c.account_id AND a.state = 'active'
	WHERE c.waiting <> '0' OR c.error IS NOT NULL
	ORDER BY a.name
$$;
COMMENT ON FUNCTION zcsync._suspended_trouble() IS
'messages that are held back as suspected spam, as lines of the view status';

-- What is paused: by an operator, or by zcsync after the SQL of a route ended its
-- process twice.  Accounts have lines of their own.
CREATE FUNCTION zcsync._paused() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 3, 'queue ' || q.name, 'paused', coalesce('by ' || q.paused_by || ': ', '') || 'its jobs wait',
		format('SELECT zcsync.resume_queue(%L);', q.name), q.paused_at, NULL::text[]
	FROM zcsync.queues AS q WHERE q.state = 'paused'
	UNION ALL
	SELECT 3, a.name || '/' || s.kind, 'paused',
		coalesce('by ' || s.paused_by || ': ', '') || coalesce('edits wait: ' || zcsync._waiting_edits(s.stream_id), 'it is not read'),
		format('SELECT zcsync.resume_stream(%L);', a.name || '/' || s.kind), s.paused_at, ARRAY[a.name]
	FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id) WHERE s.state = 'paused'
	UNION ALL
	SELECT 3, 'route ' || r.name, 'paused',
		CASE WHEN r.starts_at IS NULL THEN 'it was not started yet' ELSE coalesce('by ' || r.paused_by, 'by zcsync, see zcsync.alerts') END,
		format('SELECT zcsync.resume_route(%L);', r.name), coalesce(r.paused_at, r.created_at), zcsync._route_accounts(r.name)
	FROM zcsync.routes AS r WHERE r.state = 'paused'
	UNION ALL
	SELECT 3, 'route ' || r.name, 'no comments', format('comments of %s/%s are not read', a.name, s.kind),
		format('SELECT zcsync.alter_stream(%L, comments => ''linked'');', a.name || '/' || s.kind), NULL, zcsync._route_accounts(r.name)
	FROM zcsync.route_comments AS c JOIN zcsync.routes AS r ON r.route_id = c.route_id AND r.state = 'active'
	JOIN zcsync.streams AS s ON (s.stream_id = r.source_stream_id AND c.comments <> 'none') OR (s.stream_id = r.target_stream_id AND c.comments_back <> 'none')
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id
	WHERE s.comments = 'none'
$$;
COMMENT ON FUNCTION zcsync._paused() IS
'queues, streams and routes that are paused, and routes whose comments are not read, as lines of the view status';

-- Active routes that stand still because a stream that they write is read-only: see
-- _due_routes().
CREATE FUNCTION zcsync._read_only_routes() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT ON (r.name) 3, 'route ' || r.name, 'read only', format('%s/%s is read-only', a.name, s.kind),
		format('SELECT zcsync.alter_stream(%L, writes => true);', a.name || '/' || s.kind), NULL::timestamptz, zcsync._route_accounts(r.name)
	FROM zcsync.routes AS r
	JOIN zcsync.streams AS s ON s.stream_id IN (r.source_stream_id, r.target_stream_id) AND NOT s.writes
	JOIN zcsync.accounts AS a ON a.account_id = s.account_id
	WHERE r.state = 'active' AND (s.stream_id = r.target_stream_id
		OR (a.vendor <> 'local' AND EXISTS (SELECT FROM zcsync.route_fields AS f WHERE f.route_id = r.route_id AND f.direction = 'back')))
	ORDER BY r.name, s.stream_id = r.target_stream_id DESC
$$;
COMMENT ON FUNCTION zcsync._read_only_routes() IS
'active routes that stand still because a stream that they write is read-only, as lines of the view status';

-- The word for a condition of selfcheck() that does not hold, if that stops data or
-- maintenance; NULL: it is only advice.
CREATE FUNCTION zcsync._trouble_state(p_item text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_item
		WHEN 'check' THEN 'unknown'
		WHEN 'clock' THEN 'wrong clock'
		WHEN 'grants' THEN 'no rights'
		WHEN 'installation' THEN 'stopped'
		WHEN 'job' THEN 'no maintenance'
		WHEN 'key' THEN 'no key'
		WHEN 'launcher' THEN 'no worker'
		WHEN 'local worker' THEN 'no local worker'
		WHEN 'maintenance' THEN 'no maintenance'
		WHEN 'partitions' THEN 'no partition'
		WHEN 'preload' THEN 'no worker'
		WHEN 'role' THEN 'no rights'
		WHEN 'settings' THEN 'setting'
		WHEN 'triggers' THEN 'no trigger'
		WHEN 'work' THEN 'failing'
		WHEN 'worker' THEN 'no worker'
		WHEN 'writes' THEN 'read only'
	END;
END;
COMMENT ON FUNCTION zcsync._trouble_state(text) IS
'the word that the view status has for a condition of zcsync.selfcheck() that does not hold; NULL: it does not show it';

-- Since when a condition does not hold, as far as that is known: when stop() was called,
-- when maintain() last ended, which run of a job failed, when the key was missed, what
-- alerts found of it, or when a worker was last at work.
CREATE FUNCTION zcsync._condition_since(p_item text, p_state text, p_message text) RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN p_item = 'maintenance' THEN n.maintained_at
		WHEN p_item = 'job' THEN zcsync._job_failed_at(p_message)
		WHEN p_item = 'installation' AND n.stopped THEN n.stopped_at
		ELSE coalesce(
			(SELECT min(i.began_at) FROM zcsync.alert_incidents AS i
			WHERE i.resolved_at IS NULL AND i.object = (zcsync._alert_object(p_state)).object),
			(SELECT min(a.first_at) FROM zcsync.alerts AS a WHERE p_item = 'key' AND a.code = 'key_missing' AND a.resolved_at IS NULL),
			CASE WHEN (zcsync._alert_object(p_state)).object = 'work' AND n.clock_at < zcsync._now() - interval '2 minutes' THEN n.clock_at END) END
	FROM zcsync.installation AS n
$$;
COMMENT ON FUNCTION zcsync._condition_since(text, text, text) IS
'since when a condition of zcsync.selfcheck() does not hold; NULL: not known';

-- The conditions of selfcheck() that do not hold and stop data or maintenance.  If
-- zcsync may not run here at all, if workers have no role, or if there is no launcher,
-- it is obvious that there is no worker, so that is not shown.
CREATE FUNCTION zcsync._failed_conditions() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 0, '(all)', f.state, f.message, f.hint, zcsync._condition_since(f.item, f.state, f.message), NULL::text[]
	FROM (
		SELECT zcsync._trouble_state(c.item) AS state, c.*, bool_or(NOT c.ok AND c.item IN ('installation', 'role')) OVER () AS may_not,
			bool_or(NOT c.ok AND c.item = 'launcher') OVER () AS unlaunched
		FROM zcsync._conditions('zcsync.condition') WITH ORDINALITY AS c (place, item, ok, message, hint, n)) AS f
	WHERE NOT f.ok AND f.state IS NOT NULL
		AND NOT (f.may_not AND f.item IN ('preload', 'launcher', 'worker', 'local worker', 'work', 'grants'))
		AND NOT (f.unlaunched AND f.item IN ('worker', 'local worker', 'work'))
	ORDER BY f.item <> 'installation', f.n
$$;
COMMENT ON FUNCTION zcsync._failed_conditions() IS
'conditions of zcsync.selfcheck() that stop data or maintenance, as lines of the view status';

-- Whether there may be trouble of each sort: one look at each table, so that a session
-- that asks for the first time plans only what has something to say.
CREATE FUNCTION zcsync._look_for_trouble(OUT alerts boolean, OUT targets boolean, OUT paused boolean, OUT read_only boolean, OUT awaited boolean,
	OUT locked boolean, OUT locked_routes boolean, OUT unread boolean, OUT uncompared boolean, OUT webhooks boolean, OUT doors boolean, OUT suspended boolean, OUT accounts boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	SELECT EXISTS (SELECT FROM zcsync.alerts AS x WHERE x.resolved_at IS NULL), EXISTS (SELECT FROM zcsync.alert_targets AS x WHERE x.state = 'active'),
		s.paused OR EXISTS (SELECT FROM zcsync.routes AS x WHERE x.state = 'paused') OR EXISTS (SELECT FROM zcsync.queues AS x WHERE x.state = 'paused')
			OR (s.silent AND EXISTS (SELECT FROM zcsync.route_comments)),
		EXISTS (
			SELECT FROM zcsync.routes AS x WHERE x.state = 'active' AND (x.target_stream_id = ANY (s.read_only) OR (x.source_stream_id = ANY (s.read_only)
				AND EXISTS (SELECT FROM zcsync.route_fields AS f WHERE f.route_id = x.route_id AND f.direction = 'back')))),
		s.awaited, s.locked, EXISTS (
			SELECT FROM zcsync.routes AS x WHERE x.state = 'active' AND x.xmax <> '0' AND zcsync._route_due_since(x.route_id) < v_now - interval '1 minute'),
		s.unread, s.uncompared, EXISTS (SELECT FROM zcsync.webhooks), EXISTS (SELECT FROM zcsync.doors),
		EXISTS (SELECT FROM zcsync.suspended_counts), EXISTS (SELECT FROM zcsync.accounts)
	INTO alerts, targets, paused, read_only, awaited, locked, locked_routes, unread, uncompared, webhooks, doors, suspended, accounts
	FROM (
		SELECT bool_or(x.state = 'paused') AS paused, bool_or(x.comments = 'none') AS silent, array_agg(x.stream_id) FILTER (WHERE NOT x.writes) AS read_only,
			bool_or(x.reads_awaited > 0 OR x.jobs_awaited IS NOT NULL) AS awaited,
			bool_or(x.xmax <> '0' AND least(x.next_pull_at, w.since) < v_now - interval '1 minute') AS locked,
			bool_or(w.since < v_now - interval '1 minute') AS unread,
			bool_or(greatest(coalesce(x.compared_at, x.created_at), x.history_done_at) < v_now - interval '3 days') AS uncompared
		FROM zcsync.streams AS x CROSS JOIN LATERAL (SELECT zcsync._edits_wait_since(x.stream_id) OFFSET 0) AS w (since)) AS s;
END
$$;
COMMENT ON FUNCTION zcsync._look_for_trouble() IS
'which sorts of trouble there may be; the view status looks for these only';

-- What stops this whole database from being in step, the worst first, and what is
-- paused.  Where that cannot be read, the conditions are shown still.
CREATE FUNCTION zcsync._installation_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_alerts record;
	v_there record;
BEGIN
	IF pg_is_in_recovery() THEN
		RETURN QUERY SELECT 0, '(all)', 'standby', 'nothing of zcsync runs on this server', 'SELECT * FROM zcsync.status; -- on the primary', NULL::timestamptz, NULL::text[];
	END IF;
	RETURN QUERY SELECT * FROM zcsync._failed_conditions();
	SELECT * INTO v_there FROM zcsync._look_for_trouble();
	IF v_there.alerts THEN
		SELECT count(*) AS open, (array_agg(a.message ORDER BY a.severity, a.last_at DESC))[1] AS message, min(a.first_at) AS since
		INTO v_alerts
		FROM zcsync.alerts AS a
		WHERE a.resolved_at IS NULL AND NOT EXISTS (	-- a blocked account has a line of its own
			SELECT FROM zcsync.accounts AS b WHERE b.state = 'blocked' AND b.blocked_by = a.code AND a.object IN ('', b.name));
		RETURN QUERY SELECT 0, '(all)', 'alert', format('%s open: %s', v_alerts.open, v_alerts.message),
			'SELECT * FROM zcsync.alerts WHERE resolved_at IS NULL;', v_alerts.since, NULL::text[]
		WHERE v_alerts.open > 0;
	END IF;
	IF v_there.targets THEN
		RETURN QUERY SELECT * FROM zcsync._alert_trouble();
	END IF;
	IF v_there.paused THEN
		RETURN QUERY SELECT * FROM zcsync._paused();
	END IF;
	IF v_there.read_only THEN
		RETURN QUERY SELECT * FROM zcsync._read_only_routes();
	END IF;
	IF v_there.awaited THEN
		RETURN QUERY SELECT * FROM zcsync._awaited();
	END IF;
	IF v_there.locked THEN
		RETURN QUERY SELECT * FROM zcsync._locked_streams();
	END IF;
	IF v_there.locked_routes THEN
		RETURN QUERY SELECT * FROM zcsync._locked_routes();
	END IF;
	IF v_there.unread THEN
		RETURN QUERY SELECT * FROM zcsync._unread_edits();
	END IF;
	IF v_there.uncompared THEN
		RETURN QUERY SELECT * FROM zcsync._uncompared();
	END IF;
	IF v_there.webhooks THEN
		RETURN QUERY SELECT * FROM zcsync._webhook_trouble();
	END IF;
	IF v_there.doors THEN
		RETURN QUERY SELECT * FROM zcsync._door_trouble();
	END IF;
	IF v_there.suspended THEN
		RETURN QUERY SELECT * FROM zcsync._suspended_trouble();
	END IF;
	IF NOT v_there.accounts THEN
		RETURN QUERY SELECT 0, '(all)', 'no account', 'nothing is mirrored yet', 'SELECT zcsync.add_account(…);', NULL::timestamptz, NULL::text[];
	END IF;
EXCEPTION WHEN OTHERS THEN	-- what is wrong with the installation is still shown
	RETURN QUERY SELECT 0, '(all)', 'unknown', format('the installation cannot be shown: %s', SQLERRM), 'SELECT * FROM zcsync.setup();', NULL::timestamptz, NULL::text[];
END
$$;
COMMENT ON FUNCTION zcsync._installation_trouble() IS
'what keeps this whole database from being in step, and what is paused; no row: nothing';
