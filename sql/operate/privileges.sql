-- ---------------------------------------------------------------------
-- Privileges: nothing for everybody, little for the worker.
-- ---------------------------------------------------------------------

-- The worker calls these and touches no table itself: what they do to tables,
-- they do as their owner.
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
		(60, 'zcsync._grant_worker()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operate_setup_steps() IS
'what setup() does for those who operate zcsync';

CREATE FUNCTION zcsync._worker_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY[
		'_account_context', '_alert', '_block_account', '_claim_jobs', '_claimant_insert', '_due_accounts',
		'_enqueue_due', '_enqueue_token', '_finish_jobs', '_has_due_jobs', '_has_local_jobs', '_next_job_at', '_next_local_at', '_note_limits',
		'_note_timeline', '_now', '_recover_jobs', '_resolve_alert', '_run_jobs', '_start_jobs',
		'_worker_guard', 'create_partitions'];
END;
COMMENT ON FUNCTION zcsync._worker_functions() IS
'the functions that the worker calls';

-- Functions are executable by everybody unless this is revoked.
REVOKE ALL ON SCHEMA zcsync FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA zcsync FROM PUBLIC;

-- At commit: have the launcher look here, and say what to do next.
DO $$
BEGIN
	PERFORM zcsync._wake_launcher();
	PERFORM zcsync._announce();
END
$$;
