-- ---------------------------------------------------------------------
-- Maintenance: what has to be done now and then, and pg_cron to do it.
-- ---------------------------------------------------------------------

-- The steps in their order.  Each is a transaction of its own.
CREATE FUNCTION zcsync._maintenance_steps() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY['partitions', 'orphans', 'records', 'alerts', 'months', 'leads'];
END;
COMMENT ON FUNCTION zcsync._maintenance_steps() IS
'the steps of zcsync.maintain() in their order';

-- One step, or a piece of it: true when there may be more of it to do.
--
-- The lock makes two maintain() at a time impossible.  It belongs to the
-- transaction, so that a session that is cancelled between two steps does not
-- keep it.
CREATE FUNCTION zcsync._maintain(p_step text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
			MESSAGE = 'cannot maintain zcsync on a standby',
			HINT = 'Maintenance of the primary arrives here by replication.';
	END IF;
	IF to_regclass('zcsync.installation') IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'zcsync has no tables in this database',
			HINT = 'Run SELECT * FROM zcsync.setup().';
	END IF;
	IF NOT pg_try_advisory_xact_lock('zcsync.installation'::regclass::oid::integer, 85) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = 'another session runs zcsync.maintain()',
			HINT = 'Let it end; nothing has to be repeated.';
	END IF;
	CASE p_step
		WHEN 'partitions' THEN
			PERFORM zcsync.create_partitions();
			RETURN false;
		WHEN 'orphans' THEN
			PERFORM zcsync._recover_jobs(0);
			RETURN false;
		WHEN 'records' THEN
			RETURN zcsync._trim_records(20000) = 20000;
		WHEN 'months' THEN
			RETURN zcsync._drop_month();
		WHEN 'leads' THEN
			RETURN zcsync._retire_leads();
		WHEN 'alerts' THEN
			DELETE FROM zcsync.alerts AS a
			WHERE a.resolved_at < zcsync._now() - interval '90 days';
			RETURN false;
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._maintain(text) IS
'does one step of zcsync.maintain(); true: there may be more of it';

-- Delete up to p_max records of jobs that are older than a day and not among
-- the newest keep_completed, or keep_failed, of their queue and account.
CREATE FUNCTION zcsync._trim_records(p_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer;
BEGIN
	DELETE FROM zcsync.sync_records AS d
	USING (
		SELECT r.tableoid, r.ctid
		FROM (
			SELECT x.tableoid, x.ctid, x.queue, x.created_at, x.status = 'failed' AS failed,
				row_number() OVER (PARTITION BY x.account_id, x.queue, x.status = 'failed'
					ORDER BY x.created_at DESC, x.job_id DESC) AS place
			FROM zcsync.sync_records AS x) AS r
		JOIN zcsync.queues AS q ON q.name = r.queue
		WHERE r.created_at < zcsync._now() - interval '1 day'
			AND r.place > CASE WHEN r.failed THEN q.keep_failed ELSE q.keep_completed END
		LIMIT p_max) AS old
	WHERE d.tableoid = old.tableoid AND d.ctid = old.ctid;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._trim_records(integer) IS
'deletes records of jobs beyond what their queues keep; returns how many, at most p_max';

-- Drop the oldest month that ended more than 13 months ago, of changes or of
-- sync_records.  One at a time, so that the lock on the parent is short.
CREATE FUNCTION zcsync._drop_month() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_month regclass;
BEGIN
	SELECT m.month INTO v_month
	FROM (
		SELECT c.oid::regclass AS month, c.relname,
			to_date(substring(c.relname FROM '_y(\d{4}m\d{2})$'), 'YYYY"m"MM') AS begins
		FROM pg_inherits AS i
		JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent IN ('zcsync.changes'::regclass, 'zcsync.sync_records'::regclass)) AS m
	WHERE m.begins + interval '14 months' <= zcsync._now() AT TIME ZONE 'UTC'
	ORDER BY m.begins, m.relname
	LIMIT 1;
	IF v_month IS NULL THEN
		RETURN false;
	END IF;
	-- Rather next time than hold up everybody behind a long reader.
	PERFORM set_config('lock_timeout', '5s', true);
	EXECUTE format('DROP TABLE %s', v_month);
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._drop_month() IS
'drops the oldest month of history that ended more than 13 months ago; false: there is none';

CREATE FUNCTION zcsync._forget_leads(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM zcsync.sync_queue q WHERE q.local_id = ANY (p_ids) AND q.kind = 'leads' AND q.state <> 'running';
	DELETE FROM zcsync.route_errors e WHERE e.source_id = ANY (p_ids);
	DELETE FROM zcsync.links l WHERE l.source_id = ANY (p_ids) OR l.target_id = ANY (p_ids);
	DELETE FROM zcsync.lead_duplicates d WHERE d.lead_a = ANY (p_ids) OR d.lead_b = ANY (p_ids);
	DELETE FROM zcsync.lead_merges m WHERE m.kept_id = ANY (p_ids) OR m.merged_id = ANY (p_ids);
	DELETE FROM zcsync.lead_rows r WHERE r.local_id = ANY (p_ids);
	DELETE FROM zcsync.lead_identities i WHERE i.local_id = ANY (p_ids);
END
$$;
COMMENT ON FUNCTION zcsync._forget_leads(bigint[]) IS
'removes what is known of leads that are gone: rows of sources, identities, links, jobs';

-- Detach or drop the oldest month of leads that is past its retention: one
-- that ended zcsync.lead_retention_months ago.  What else is known of its leads
-- goes, so that a lead which comes again is a new one.
CREATE FUNCTION zcsync._retire_leads() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_months integer := coalesce(current_setting('zcsync.lead_retention_months', true), '0')::integer;
	v_drop boolean := coalesce(current_setting('zcsync.lead_retention_action', true), 'detach') = 'drop';
	v_month regclass;
BEGIN
	IF v_months = 0 THEN
		RETURN false;
	END IF;
	SELECT m.month INTO v_month
	FROM (
		SELECT c.oid::regclass AS month, to_date(substring(c.relname FROM '_y(\d{4}m\d{2})$'), 'YYYY"m"MM') AS begins
		FROM pg_inherits AS i
		JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'zcsync.leads'::regclass) AS m
	WHERE m.begins + make_interval(months => v_months + 1) <= zcsync._now() AT TIME ZONE 'UTC'
	ORDER BY m.begins
	LIMIT 1;
	IF v_month IS NULL THEN
		RETURN false;
	END IF;
	-- Rather next time than hold up everybody behind a long reader.
	PERFORM set_config('lock_timeout', '5s', true);
	EXECUTE format('ALTER TABLE zcsync.leads DETACH PARTITION %s', v_month);
	EXECUTE format('SELECT zcsync._forget_leads(array_agg(l.local_id)) FROM %s AS l', v_month);
	IF v_drop THEN
		EXECUTE format('DROP TABLE %s', v_month);
	ELSE
		-- its account may go
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS leads_account_fkey', v_month);
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._retire_leads() IS
'detaches or drops the oldest month of leads that is past its retention; false: there is none';

-- It commits, so it can have neither a SET clause nor SECURITY DEFINER; all
-- work is in functions that pin their path, and nothing here depends on one.
CREATE PROCEDURE zcsync.maintain()
LANGUAGE plpgsql
AS $$
DECLARE
	v_step text;
	v_more boolean;
BEGIN
	FOREACH v_step IN ARRAY zcsync._maintenance_steps() LOOP
		LOOP
			v_more := zcsync._maintain(v_step);
			COMMIT;
			EXIT WHEN NOT v_more;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE zcsync.maintain() IS
'makes partitions, frees jobs of dead processes, trims records, old months and leads past their retention, forgets old alerts; each step committed; call it by hand or with zcsync.schedule_maintenance()';

-- ---------------------------------------------------------------------
-- pg_cron lives in one database of a server.  A job is named with the
-- database it is for; its command does nothing once the extension is gone.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._maintenance_job() RETURNS TABLE (name text, command text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'zcsync maintenance of ' || current_database(),
		'DO $zcsync$ BEGIN IF pg_catalog.to_regprocedure(''zcsync.maintain()'') IS NOT NULL '
		'THEN CALL zcsync.maintain(); END IF; END $zcsync$';
END;
COMMENT ON FUNCTION zcsync._maintenance_job() IS
'name and command of the pg_cron job for this database';

-- The database of pg_cron; NULL: it is not preloaded.  The setting may be read
-- by few, so this asks as the owner.
CREATE FUNCTION zcsync._cron_database() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT current_setting('cron.database_name', true)
$$;
COMMENT ON FUNCTION zcsync._cron_database() IS
'the database in which pg_cron keeps its jobs; NULL: pg_cron is not loaded';

-- True: pg_cron is in this database.  False: in another one.
CREATE FUNCTION zcsync._cron_is_here() RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RETURN true;
	END IF;
	IF zcsync._cron_database() IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'pg_cron is not loaded by this server',
			HINT = 'Add pg_cron to shared_preload_libraries, restart and CREATE EXTENSION pg_cron; or run CALL zcsync.maintain() every hour by other means.';
	ELSIF zcsync._cron_database() = current_database() THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'the extension pg_cron is not installed in this database',
			HINT = 'Run CREATE EXTENSION pg_cron.';
	END IF;
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._cron_is_here() IS
'is pg_cron in this database? false: in another one; an error: nowhere';

CREATE FUNCTION zcsync.schedule_maintenance(schedule text DEFAULT '7 * * * *') RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
BEGIN
	IF coalesce(schedule, '') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'schedule must not be empty',
			HINT = 'Give it as in a crontab, for example ''7 * * * *'' for seven minutes past each hour.';
	END IF;
	SELECT * INTO v_job FROM zcsync._maintenance_job();
	IF zcsync._cron_is_here() THEN
		PERFORM cron.schedule(v_job.name, schedule, v_job.command);
		RETURN format('pg_cron runs the job "%s" at %s', v_job.name, schedule);
	END IF;
	RETURN format(E'-- pg_cron is in database %I; paste there:\nSELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
		zcsync._cron_database(), v_job.name, schedule, v_job.command, current_database(), current_user);
END
$$;
COMMENT ON FUNCTION zcsync.schedule_maintenance(text) IS
'makes pg_cron call zcsync.maintain() for this database, hourly unless told; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_maintenance() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
BEGIN
	SELECT * INTO v_job FROM zcsync._maintenance_job();
	IF zcsync._cron_is_here() THEN
		IF NOT EXISTS (SELECT FROM cron.job AS j WHERE j.jobname = v_job.name AND j.username = current_user) THEN
			RETURN format('there was no job "%s"', v_job.name);
		END IF;
		PERFORM cron.unschedule(v_job.name);
		RETURN format('removed the job "%s"', v_job.name);
	END IF;
	RETURN format(E'-- pg_cron is in database %I; paste there:\nSELECT cron.unschedule(%L);',
		zcsync._cron_database(), v_job.name);
END
$$;
COMMENT ON FUNCTION zcsync.unschedule_maintenance() IS
'removes the job of zcsync.schedule_maintenance(); where pg_cron is in another database, returns what to paste there';
