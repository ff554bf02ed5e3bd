-- ---------------------------------------------------------------------
-- Copies and failover: what the original, or the old primary, sent last is not known
-- here.
-- ---------------------------------------------------------------------

-- After a failover the last transactions may be missing: this database may not know of
-- a create that the old primary sent.  So waiting creates are looked up first, and
-- streams are read before anything is written; routes wait for the streams to which
-- they write (_run_route_jobs()).  A look-up is sent only when a request of the old
-- primary must have ended.  Dead letters may have been retried there.  Row numbers that
-- the other database may have given out, and shown to a vendor, are not used again.
CREATE FUNCTION zcsync._distrust_queue() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
	v_count integer;
	v_total integer := 0;
BEGIN
	PERFORM zcsync._await_reads();
	PERFORM setval('zcsync.local_id_seq', (i.last_value / 1000000 + 10) * 1000000) FROM zcsync.local_id_seq i;
	FOR v_kind IN
		SELECT q.kind FROM zcsync.sync_queue AS q WHERE q.operation = 'push'
		UNION
		SELECT d.kind FROM zcsync.dead_letters AS d WHERE d.operation = 'push'
		ORDER BY 1
	LOOP
		EXECUTE format($sql$
			UPDATE zcsync.dead_letters AS d
			SET unclear_since = coalesce(d.unclear_since, d.created_at)
			FROM zcsync.%I AS r
			WHERE d.operation = 'push' AND d.kind = %L AND r.local_id = d.local_id AND r.remote_id IS NULL
			$sql$, v_kind, v_kind);
		EXECUTE format($sql$
			UPDATE zcsync.sync_queue AS q
			SET unclear_since = coalesce(q.unclear_since, q.created_at),
				run_at = greatest(q.run_at, zcsync._now() + zcsync._request_timeout() + interval '30 seconds')
			FROM zcsync.%I AS r
			WHERE q.operation = 'push' AND q.kind = %L AND r.local_id = q.local_id AND r.remote_id IS NULL
			$sql$, v_kind, v_kind);
		GET DIAGNOSTICS v_count = ROW_COUNT;
		v_total := v_total + v_count;
	END LOOP;
	RETURN v_total;
END
$$;
COMMENT ON FUNCTION zcsync._distrust_queue() IS
'makes all streams be read first, and all waiting creates be looked up at the vendor before they are sent; returns the number of creates';

-- Routes that wait for a read, see mirror/awaited.sql.
CREATE FUNCTION zcsync._awaited() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 3, 'route ' || r.name, 'waiting', format('%s has not been read completely since the failover or restore', k.name),
		CASE WHEN a.state <> 'active' THEN format('SELECT zcsync.resume_account(%L);', a.name)
			WHEN s.state <> 'active' THEN format('SELECT zcsync.resume_stream(%L);', k.name)
			ELSE format('SELECT zcsync.refresh(%L);', k.name) END, (SELECT i.adopted_at FROM zcsync.installation AS i),
		zcsync._route_accounts(r.name)
	FROM zcsync.routes AS r JOIN zcsync.streams AS s ON s.stream_id = r.target_stream_id
	JOIN zcsync.accounts AS a USING (account_id) CROSS JOIN LATERAL (SELECT a.name || '/' || s.kind) AS k (name)
	WHERE r.state = 'active' AND zcsync._is_awaited(s.stream_id)
$$;
COMMENT ON FUNCTION zcsync._awaited() IS
'routes that wait for the reads after a failover or restore, as lines of the view status';

-- From now on, this database on this server is the one that sends.
CREATE FUNCTION zcsync._be_here() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.installation i
	SET system_identifier = v.system_identifier, database_oid = v.database_oid, timeline = v.timeline,
		control_file = v.control_file, machine = v.machine, adopted_at = zcsync._now()
	FROM zcsync._identity() AS v
$$;
COMMENT ON FUNCTION zcsync._be_here() IS
'notes the identity of this database as that of the one that sends';

-- A planned switchover loses nothing: the old primary was shut down, and this server
-- has all that it wrote.  The promotion follows within minutes: if the primary is
-- started again meanwhile and crashes, the timeline ends here in the same way.  If the
-- WAL that would show it is gone, it counts as a failover.
CREATE FUNCTION zcsync._was_planned(p_timeline integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN zcsync._shut_down_cleanly(p_timeline, 600);
EXCEPTION WHEN OTHERS THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._was_planned(integer) IS
'did this server take over from a primary that was shut down, and get all that it wrote?';

-- Called when a worker or CALL zcsync.run() begins.
CREATE FUNCTION zcsync._note_timeline() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_here record := zcsync._identity();
	v_before integer;
BEGIN
	SELECT timeline INTO v_before FROM zcsync.installation WHERE timeline <> v_here.timeline FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM zcsync._be_here();
	PERFORM zcsync._distrust_queue();
	IF zcsync._was_planned(v_before) THEN
		PERFORM zcsync._alert('switchover', '', 'warning',
			format('this server took over from a primary that was shut down: timeline %s became %s', v_before, v_here.timeline),
			'Do nothing: zcsync reads all streams first, looks up records before it creates them, and then closes this alert. '
			'If the old primary was started again after its shutdown, what it wrote then is lost here, as after a failover.');
		PERFORM zcsync._resolve_switchover();
		RETURN true;
	END IF;
	PERFORM zcsync._alert('failover', '', 'warning',
		format('this server was promoted or recovered: timeline %s became %s', v_before, v_here.timeline),
		'zcsync goes on: it reads all streams first and looks up records before it creates them. '
		'Changes that the old server had not replicated are lost. '
		'UPDATE zcsync.alerts SET resolved_at = now() WHERE code = ''failover'';');
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._note_timeline() IS
'detects a failover: raises one alert, and makes zcsync read before it writes; true if there was one';

-- Called in a copy that is to take the place of its original.  What the original sent
-- since the copy was made is not known here.
CREATE FUNCTION zcsync.adopt_database() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_creates integer;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF to_regclass('zcsync.installation') IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'zcsync is not set up in this database',
			HINT = 'Run SELECT * FROM zcsync.setup();';
	END IF;
	IF zcsync._copied() IS NULL THEN
		RAISE NOTICE USING MESSAGE = 'this database is the one that zcsync was set up in, nothing was changed';
		RETURN;
	END IF;

	PERFORM zcsync._be_here();
	-- Access tokens are fetched again: the key that sealed them may have stayed with
	-- the original.
	DELETE FROM zcsync.credentials WHERE name = 'access_token' AND expires_at IS NOT NULL;
	v_creates := zcsync._distrust_queue();
	PERFORM zcsync._forget_old_rows();
	PERFORM zcsync._wake_launcher();
	RAISE NOTICE USING
		MESSAGE = format('zcsync now works from database "%s"', current_database()),
		DETAIL = format('All streams are read first; %s waiting creates are looked up before they are sent.', v_creates),
		HINT = 'Only one of the copies may do this: run SELECT zcsync.stop(); in the others.';
END
$$;
COMMENT ON FUNCTION zcsync.adopt_database() IS
'makes this copy of a database the one that sends from now on';
