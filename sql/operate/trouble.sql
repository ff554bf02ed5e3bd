-- ---------------------------------------------------------------------
-- Trouble: what stops data from flowing, or maintenance from running, and
-- what to run then.  The view status shows it beside the accounts.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.trouble AS (
	severity integer,			-- order in the view: 0 comes first
	object text,				-- (all), or what is paused
	state text,					-- in a word or two
	why text,
	to_do text);				-- a statement, where there is one
COMMENT ON TYPE zcsync.trouble IS
'a line of the view status that is about no account';

-- What an operator, or zcsync after the SQL of a route ended its process twice,
-- has paused.  Accounts are lines of their own.
CREATE FUNCTION zcsync._paused() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 3, 'queue ' || q.name, 'paused', 'jobs of this queue wait', format('SELECT zcsync.resume_queue(%L);', q.name)
	FROM zcsync.queues AS q WHERE q.state = 'paused'
	UNION ALL
	SELECT 3, a.name || '/' || s.kind, 'paused', 'the stream is not read', format('SELECT zcsync.resume_stream(%L);', a.name || '/' || s.kind)
	FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id) WHERE s.state = 'paused'
	UNION ALL
	SELECT 3, 'route ' || r.name, 'paused',
		CASE WHEN r.starts_at IS NULL THEN 'the route was not started yet' ELSE 'the route does nothing' END,
		format('SELECT zcsync.resume_route(%L);', r.name)
	FROM zcsync.routes AS r WHERE r.state = 'paused'
$$;
COMMENT ON FUNCTION zcsync._paused() IS
'queues, streams and routes that are paused, as lines of the view status';

-- What stops this whole database from being in step, worst first.
CREATE FUNCTION zcsync._installation_trouble()
RETURNS SETOF zcsync.trouble
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_guard record;
	v_slot record;
	v_alerts record;
BEGIN
	SELECT * INTO v_guard FROM zcsync._worker_guard();
	IF NOT v_guard.may_run THEN
		RETURN QUERY SELECT 0, '(all)', 'stopped', v_guard.reason, v_guard.hint;
	ELSIF NOT zcsync._preloaded() THEN
		RETURN QUERY SELECT 0, '(all)', 'no worker', 'zcsync is not preloaded; only CALL zcsync.run() works',
			'SELECT * FROM zcsync.selfcheck();';
	ELSE
		SELECT w.state, concat_ws(': ', w.state, w.reason, w.last_error) AS why, w.hint INTO v_slot
		FROM zcsync._worker_slots() AS w
		WHERE w.role = 'worker' AND w.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
		IF v_slot.state IS NULL OR v_slot.state NOT IN ('running', 'starting') THEN
			RETURN QUERY SELECT 0, '(all)', 'no worker', coalesce(v_slot.why, 'the launcher has not found this database'),
				coalesce(v_slot.hint, 'SELECT * FROM zcsync.selfcheck();');
		END IF;
		RETURN QUERY SELECT 0, '(all)', 'no local worker', coalesce(w.reason, concat_ws(': ', 'it ended', w.last_error)), 'SELECT * FROM zcsync.selfcheck();'
			FROM zcsync._worker_slots() AS w
			WHERE w.role = 'local worker' AND (w.reason IS NOT NULL OR w.restarts > 0)
				AND w.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
	END IF;
	IF NOT coalesce(nullif(current_setting('zcsync.writes', true), '')::boolean, true) THEN
		RETURN QUERY SELECT 0, '(all)', 'read only', 'zcsync.writes is off: nothing is sent',
			'ALTER SYSTEM SET zcsync.writes = on; SELECT pg_reload_conf();';
	END IF;
	SELECT count(*) AS open, (array_agg(a.message ORDER BY a.severity, a.last_at DESC))[1] AS message
	INTO v_alerts
	FROM zcsync.alerts AS a WHERE a.resolved_at IS NULL;
	IF v_alerts.open > 0 THEN
		RETURN QUERY SELECT 0, '(all)', 'alert', format('%s open: %s', v_alerts.open, v_alerts.message),
			'SELECT * FROM zcsync.alerts WHERE resolved_at IS NULL;';
	END IF;
	RETURN QUERY SELECT * FROM zcsync._paused();
	IF NOT EXISTS (SELECT FROM zcsync.accounts) THEN
		RETURN QUERY SELECT 0, '(all)', 'no account', 'nothing is mirrored yet', 'SELECT zcsync.add_account(…);';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._installation_trouble() IS
'what keeps this whole database from being in step, and what is paused; no row: nothing';
