-- ---------------------------------------------------------------------
-- Privileges: nothing for everybody, little for the worker.
-- ---------------------------------------------------------------------

-- The worker calls these functions and uses no table itself: what they do to tables,
-- they do with the rights of their owner.
CREATE FUNCTION zcsync._grant_worker() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
	v_routine regprocedure;
	v_found boolean;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA zcsync TO %I', zcsync._worker_role());
	FOREACH v_name IN ARRAY zcsync._worker_functions() LOOP
		v_found := false;
		FOR v_routine IN
			SELECT p.oid::regprocedure FROM pg_proc AS p
			WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname = v_name
		LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_routine, zcsync._worker_role());
			v_found := true;
		END LOOP;
		IF NOT v_found THEN
			RAISE EXCEPTION USING
				ERRCODE = 'undefined_function',
				MESSAGE = format('zcsync has no function %s()', v_name),
				HINT = 'Run ALTER EXTENSION zcsync UPDATE.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._grant_worker() IS
'grants the role of the workers what they need, and no more';

CREATE FUNCTION zcsync._operate_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (40, 'zcsync._create_views()'::regprocedure),
		(41, 'zcsync._create_outage_triggers()'::regprocedure),
		(60, 'zcsync._grant_worker()'::regprocedure),
		(61, 'zcsync._grant_roles()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operate_setup_steps() IS
'the steps of setup() for operating zcsync';

CREATE FUNCTION zcsync._worker_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY[
		'_account_context', '_alert', '_block_account', '_claim_jobs', '_claimant_insert', '_decide_alerts', '_due_accounts',
		'_enqueue_due', '_enqueue_token', '_finish_jobs', '_has_due_jobs', '_has_local_jobs', '_next_due_at', '_next_job_at', '_next_local_at', '_note_limits', '_note_scope',
		'_note_timeline', '_now', '_record_delivery', '_recover_jobs', '_resolve_alert', '_resume_readable', '_run_jobs', '_start_jobs', '_stop_jobs', '_take_deliveries',
		'_worker_guard', 'create_partitions'];
END;
COMMENT ON FUNCTION zcsync._worker_functions() IS
'the functions that the worker calls';

-- Without one of these rights a worker fails in each round.
CREATE FUNCTION zcsync._check_grants() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_role text := zcsync._worker_role();
	v_lacks text;
BEGIN
	IF to_regrole(quote_ident(v_role)) IS NULL THEN
		RETURN;
	END IF;
	SELECT string_agg(f.name, ', ' ORDER BY f.name) INTO v_lacks
	FROM unnest(zcsync._worker_functions()) AS f (name)
	WHERE (SELECT bool_and(has_function_privilege(v_role, p.oid, 'EXECUTE'))
		FROM pg_proc AS p WHERE p.proname = f.name AND p.pronamespace = 'zcsync'::regnamespace) IS NOT TRUE;
	item := 'grants';
	ok := v_lacks IS NULL;
	message := CASE WHEN ok THEN 'workers may do what they need'
		ELSE format('workers may not execute %s', v_lacks) END;
	hint := CASE WHEN NOT ok THEN 'SELECT * FROM zcsync.setup();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_grants() IS
'the part of zcsync.selfcheck() about what workers may execute';

CREATE FUNCTION zcsync._operate_conditions() RETURNS SETOF zcsync.condition
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 25, c.* FROM zcsync._check_grants() AS c
	UNION ALL SELECT 28, c.* FROM zcsync._check_server_settings() AS c
	UNION ALL SELECT 51, c.* FROM zcsync._check_maintenance() AS c
	UNION ALL SELECT 52, c.* FROM zcsync._check_jobs() AS c
$$;
COMMENT ON FUNCTION zcsync._operate_conditions() IS
'the conditions of rights and of maintenance that zcsync.selfcheck() shows';

CREATE FUNCTION zcsync._announce() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_announce';
COMMENT ON FUNCTION zcsync._announce() IS
'shows a notice that zcsync.setup() has to be run, if that is still so when this transaction commits';

-- Functions are executable by everybody unless this is revoked.
REVOKE ALL ON SCHEMA zcsync FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA zcsync FROM PUBLIC;

-- At commit: make the launcher check this database, and say what to do next.
DO $$
BEGIN
	PERFORM zcsync._wake_launcher();
	PERFORM zcsync._announce();
END
$$;
