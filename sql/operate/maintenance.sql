-- ---------------------------------------------------------------------
-- Maintenance: what has to be done now and then, and how pg_cron does it.
-- ---------------------------------------------------------------------

-- The steps in their order.  Each is a transaction of its own.  Those that need
-- a lock on a whole table come last: a long reader, such as a dump, makes them
-- wait, and fail.
CREATE FUNCTION zcsync._maintenance_steps() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY['begin', 'partitions', 'orphans', 'numbers', 'analytics', 'records', 'webhooks', 'alerts', 'errors', 'pairs', 'statistics', 'reports', 'runs', 'months', 'leads', 'end'];
END;
COMMENT ON FUNCTION zcsync._maintenance_steps() IS
'the steps of zcsync.maintain() in their order';

-- Do a step, or a part of it.  more says that there may be more of it to do; then state is
-- what the next part must know, which is NULL for the first one.
CREATE FUNCTION zcsync._maintenance_step(p_step text, INOUT state jsonb, OUT more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	more := false;
	CASE p_step
		WHEN 'begin' THEN
			UPDATE zcsync.installation SET maintain_began_at = zcsync._now();
		WHEN 'partitions' THEN
			PERFORM zcsync.create_partitions();
		WHEN 'orphans' THEN
			PERFORM zcsync._recover_jobs(0);
		WHEN 'numbers' THEN
			PERFORM zcsync._take_numbers();
		WHEN 'analytics' THEN
			PERFORM zcsync._take_analytics();
		WHEN 'records' THEN
			state := coalesce(state, zcsync._record_limits());
			more := zcsync._trim_records(state, 100000) = 100000;
		WHEN 'webhooks' THEN
			more := zcsync._trim_inbox(20000) = 20000;
		WHEN 'errors' THEN
			PERFORM zcsync._forget_letters(k), zcsync._forget_route_errors(k) FROM unnest(zcsync._kinds()) AS k;
		WHEN 'months' THEN
			more := zcsync._retire_history();
		WHEN 'leads' THEN
			SELECT r.state, r.more INTO state, more FROM zcsync._retire_leads(state, 20000) AS r;
		WHEN 'pairs' THEN
			more := zcsync._look_again(500);
		WHEN 'statistics' THEN
			PERFORM zcsync._analyze_by_month();
		WHEN 'reports' THEN
			PERFORM zcsync._archive_reports();
		WHEN 'runs' THEN
			more := zcsync._trim_runs(20000) = 20000;
		WHEN 'alerts' THEN
			DELETE FROM zcsync.alerts AS a
			WHERE a.resolved_at < zcsync._now() - interval '90 days';
			PERFORM zcsync._forget_incidents();
		WHEN 'end' THEN
			UPDATE zcsync.installation AS i SET maintained_at = zcsync._now(), maintain_took = zcsync._now() - i.maintain_began_at;
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._maintenance_step(text, jsonb) IS
'does a piece of one step of zcsync.maintain(); more: there may be more of it, for which it needs state';

-- Do one step, or a part of it, as _maintenance_step() does; more is NULL if it failed.
-- Until it succeeds, an alert says so.
--
-- The lock ensures that only one maintain() runs at a time.  It belongs to the
-- transaction, so that a session that is cancelled between two steps does not keep it.
-- Another one, for which nobody waits, shows the step to the view progress.
CREATE FUNCTION zcsync._maintain(p_step text, INOUT state jsonb DEFAULT NULL, OUT more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF to_regclass('zcsync.installation') IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'zcsync has no tables in this database',
			HINT = 'Run SELECT * FROM zcsync.setup().';
	END IF;
	IF p_step <> ALL (zcsync._maintenance_steps()) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('there is no step "%s" of maintenance', p_step);
	END IF;
	IF NOT pg_try_advisory_xact_lock('zcsync.installation'::regclass::oid::integer, 85) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = 'another session runs zcsync.maintain()',
			HINT = 'Let it end; nothing has to be repeated.';
	END IF;
	PERFORM pg_advisory_xact_lock_shared('zcsync.installation'::regclass::oid::integer, 8500 + array_position(zcsync._maintenance_steps(), p_step));
	BEGIN
		SELECT s.state, s.more INTO state, more FROM zcsync._maintenance_step(p_step, state) AS s;
	EXCEPTION WHEN OTHERS THEN
		PERFORM zcsync._alert('maintenance', p_step, 'warning',
			format('step "%s" of zcsync.maintain() failed: %s', p_step, SQLERRM), 'CALL zcsync.maintain(); -- when the cause is removed');
		more := NULL;
		RETURN;
	END;
	IF NOT more THEN
		PERFORM zcsync._resolve_alert('maintenance', p_step);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._maintain(text, jsonb) IS
'does one step of zcsync.maintain(); more: there may be more of it, NULL: it failed';

-- The step that is going on, and how long the rest takes if it takes as long as it took
-- last time.
CREATE FUNCTION zcsync._running_maintenance() RETURNS TABLE (step text, done bigint, steps bigint, remaining interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT s.steps[n.place], n.place - 1, cardinality(s.steps)::bigint,
		CASE WHEN i.maintain_took > zcsync._now() - i.maintain_began_at THEN i.maintain_took - (zcsync._now() - i.maintain_began_at) END
	FROM pg_locks AS l
	CROSS JOIN zcsync._maintenance_steps() AS s (steps)
	CROSS JOIN LATERAL (SELECT l.objid::bigint - 8500) AS n (place)
	CROSS JOIN zcsync.installation AS i
	WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 'zcsync.installation'::regclass::oid
		AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
		AND n.place BETWEEN 1 AND cardinality(s.steps);
END
$$;
COMMENT ON FUNCTION zcsync._running_maintenance() IS
'the step of zcsync.maintain() that is going on, for the view progress';

-- Which records of jobs no queue keeps: of each account and queue, of those that failed
-- and of the others, the newest one that is older than a day and not among the newest
-- keep_failed, or keep_completed.  It and those before it can go.  This sorts all records,
-- which have no index for it, so that it is done once, and not for each part of them.
CREATE FUNCTION zcsync._record_limits() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]')
	FROM (
		SELECT DISTINCT ON (r.account_id, r.queue, r.failed) r.account_id, r.queue, r.failed, r.created_at, r.job_id
		FROM (
			SELECT x.account_id, x.queue, x.status = 'failed' AS failed, x.created_at, x.job_id,
				row_number() OVER (PARTITION BY x.account_id, x.queue, x.status = 'failed'
					ORDER BY x.created_at DESC, x.job_id DESC) AS place
			FROM zcsync.sync_records AS x) AS r
		JOIN zcsync.queues AS q ON q.name = r.queue
		WHERE r.created_at < least(zcsync._now() - interval '1 day', (SELECT i.numbers_at FROM zcsync.installation AS i))
			AND r.place > CASE WHEN r.failed THEN q.keep_failed ELSE q.keep_completed END
		ORDER BY r.account_id, r.queue, r.failed, r.place) AS l
$$;
COMMENT ON FUNCTION zcsync._record_limits() IS
'the newest records of jobs that no queue keeps, by account, queue and whether they failed';

-- Delete up to p_max of these records and of those before them.
CREATE FUNCTION zcsync._trim_records(p_limits jsonb, p_max integer) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer;
BEGIN
	DELETE FROM zcsync.sync_records AS d
	USING (
		SELECT r.tableoid, r.ctid
		FROM zcsync.sync_records AS r
		JOIN jsonb_to_recordset(p_limits) AS l (account_id bigint, queue text, failed boolean, created_at timestamptz, job_id bigint)
			ON l.account_id = r.account_id AND l.queue = r.queue AND l.failed = (r.status = 'failed')
		WHERE ROW(r.created_at, r.job_id) <= ROW(l.created_at, l.job_id)
			-- whatever limits the caller of _maintain() gives
			AND r.created_at < least(zcsync._now() - interval '1 day', (SELECT i.numbers_at FROM zcsync.installation AS i))
		LIMIT p_max) AS old
	WHERE d.tableoid = old.tableoid AND d.ctid = old.ctid;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._trim_records(jsonb, integer) IS
'deletes records of jobs that no queue keeps, as _record_limits() has them; returns how many, at most p_max';

-- Dead letters of a kind about which nobody has to do anything any more are closed as
-- soon as their records are in step (queue/letters.sql).  Those that this missed are closed
-- here, as are those of rows and streams that are gone: a push whose row is in step, a
-- mapping that works, a record that was read since.  All others wait for a person,
-- however long, and so does a create whose effect is not known.
CREATE FUNCTION zcsync._forget_letters(p_kind text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs bigint[];
BEGIN
	EXECUTE format($sql$
		SELECT array_agg(d.job_id)
		FROM zcsync.dead_letters AS d
		WHERE d.kind = %1$L AND d.unclear_since IS NULL
			AND CASE
				WHEN d.operation IN ('push', 'route') THEN
					d.local_id IS NOT NULL AND NOT EXISTS (
						SELECT FROM zcsync.%1$I AS t
						WHERE t.local_id = d.local_id AND CASE d.operation
							WHEN 'push' THEN t.sync_state <> 'synced'
							-- the error of a mapping goes when it works
							ELSE d.class <> 'rejected' OR EXISTS (SELECT FROM zcsync.route_errors AS e
								WHERE e.route_id = d.route_id AND e.source_id = d.local_id AND e.field = '') END)
				WHEN d.operation IN ('pull', 'fetch', 'apply') THEN
					d.stream_id IS NOT NULL AND NOT EXISTS (SELECT FROM zcsync.streams AS s WHERE s.stream_id = d.stream_id)
					OR d.operation = 'fetch' AND jsonb_typeof(d.payload -> 'ids') = 'array' AND NOT EXISTS (
						SELECT FROM jsonb_array_elements_text(d.payload -> 'ids') AS i (id)
						WHERE NOT EXISTS (SELECT FROM zcsync.%1$I AS t
							WHERE t.account_id = d.account_id AND t.remote_id = i.id
								AND (t.synced_at > d.died_at OR t.deleted_at IS NOT NULL)))
				ELSE false END$sql$, p_kind)
		INTO v_jobs;
	IF v_jobs IS NOT NULL THEN
		PERFORM zcsync._close_letters(v_jobs);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._forget_letters(text) IS
'closes dead letters of a kind that were settled, or whose row is gone';

-- Errors of a route are removed when the record can be mapped; those of a record whose
-- row is gone are removed here.
CREATE FUNCTION zcsync._forget_route_errors(p_kind text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		DELETE FROM zcsync.route_errors AS e
		USING zcsync.routes AS r JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
		WHERE r.route_id = e.route_id AND s.kind = %1$L
			AND NOT EXISTS (SELECT FROM zcsync.%1$I AS t WHERE t.local_id = e.source_id)$sql$, p_kind);
END
$$;
COMMENT ON FUNCTION zcsync._forget_route_errors(text) IS
'removes errors of routes about rows of a kind that are gone';

-- The oldest month of these tables that ended so many months ago; NULL: there is none, or
-- they are kept for ever.
CREATE FUNCTION zcsync._oldest_month(p_tables regclass[], p_months integer, OUT month regclass, OUT parent regclass)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.month, m.parent
	FROM (
		SELECT c.oid::regclass AS month, c.relname, i.inhparent::regclass AS parent,
			to_date(substring(c.relname FROM '_y([0-9]{4}m[0-9]{2})$'), 'YYYY"m"MM') AS begins
		FROM pg_inherits AS i
		JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent = ANY (p_tables)) AS m
	WHERE p_months > 0 AND m.begins + make_interval(months => p_months + 1) <= zcsync._now() AT TIME ZONE 'UTC'
	ORDER BY m.begins, m.relname
	LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._oldest_month(regclass[], integer) IS
'the oldest month of these tables that is past its retention, and of which table it is';

-- Drop or detach the oldest month of changes or of sync_records that is past its
-- retention, zcsync.history_retention_months.  One at a time, so that the lock on the
-- parent is short.
CREATE FUNCTION zcsync._retire_history() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_months integer := coalesce(nullif(current_setting('zcsync.history_retention_months', true), ''), '13')::integer;
	v_detach boolean := coalesce(nullif(current_setting('zcsync.history_retention_action', true), ''), 'drop') = 'detach';
	v record;
BEGIN
	SELECT o.* INTO v FROM zcsync._oldest_month('{zcsync.changes,zcsync.sync_records}', v_months) AS o;
	IF v.month IS NULL THEN
		RETURN false;
	END IF;
	-- Better wait for the next time than block everybody behind a long reader.
	PERFORM set_config('lock_timeout', '5s', true);
	IF v_detach THEN
		EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', v.parent, v.month);
	ELSE
		EXECUTE format('DROP TABLE %s', v.month);
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._retire_history() IS
'drops or detaches the oldest month of history that is past its retention; false: there is none';

CREATE FUNCTION zcsync._forget_leads(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
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

-- Detach or drop the oldest month of leads that is past its retention, which ended
-- zcsync.lead_retention_months ago.  All else that is known about its leads is deleted,
-- so that a lead which comes again is a new one.
--
-- Nobody can use any lead while a month is detached, so all else is deleted before, p_max
-- leads at a time: state has the month, the last lead, and the last row of a source that
-- there was at the beginning.  A lead that got rows since then, because somebody edited
-- it, is forgotten when its month goes.
CREATE FUNCTION zcsync._retire_leads(INOUT state jsonb, p_max integer, OUT more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- whatever the statistics of the month say
AS $$
DECLARE
	v_months integer := coalesce(nullif(current_setting('zcsync.lead_retention_months', true), ''), '0')::integer;
	v_drop boolean := coalesce(nullif(current_setting('zcsync.lead_retention_action', true), ''), 'detach') = 'drop';
	v_month regclass := (zcsync._oldest_month('{zcsync.leads}', v_months)).month;
	v_ids bigint[];
BEGIN
	more := v_month IS NOT NULL;
	IF NOT more THEN
		RETURN;
	END IF;
	IF state ->> 'month' IS DISTINCT FROM v_month::text THEN
		state := jsonb_build_object('month', v_month, 'lead', 0, 'row', (SELECT coalesce(max(r.row_id), 0) FROM zcsync.lead_rows AS r));
	END IF;
	EXECUTE format('SELECT array_agg(l.local_id) FROM (SELECT m.local_id FROM %s AS m WHERE m.local_id > $1 ORDER BY m.local_id LIMIT $2) AS l', v_month)
		INTO v_ids USING (state -> 'lead')::bigint, p_max;
	IF v_ids IS NOT NULL THEN
		PERFORM zcsync._forget_leads(v_ids);
		state := jsonb_set(state, '{lead}', to_jsonb(v_ids[cardinality(v_ids)]));
		RETURN;
	END IF;
	-- Better wait for the next time than block everybody behind a long reader.
	PERFORM set_config('lock_timeout', '5s', true);
	EXECUTE format('ALTER TABLE zcsync.leads DETACH PARTITION %s', v_month);
	EXECUTE format('SELECT zcsync._forget_leads(ARRAY(SELECT r.local_id FROM zcsync.lead_rows AS r WHERE r.row_id > $1 '
			'AND EXISTS (SELECT FROM %s AS m WHERE m.local_id = r.local_id)))', v_month)
		USING (state -> 'row')::bigint;
	IF v_drop THEN
		EXECUTE format('DROP TABLE %s', v_month);
	ELSE
		-- its account may be removed
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS leads_account_fkey', v_month);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._retire_leads(jsonb, integer) IS
'forgets some leads of the oldest month that is past its retention, and detaches or drops it when that is done; more: false, if there is none';

-- Autovacuum analyses months, but never the partitioned table, whose statistics are
-- used to plan queries over several months.  A table that is being vacuumed or
-- reindexed is left for the next time: a session that waits for a REINDEX CONCURRENTLY
-- while it holds a snapshot makes that REINDEX wait for it.
CREATE FUNCTION zcsync._analyze_by_month() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_table regclass;
	v_count integer := 0;
BEGIN
	FOR v_table IN
		SELECT c.oid::regclass
		FROM pg_class AS c
		WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'p'
			AND coalesce(pg_stat_get_last_analyze_time(c.oid), '-infinity') < zcsync._now() - interval '7 days'
			AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid AND pg_stat_get_live_tuples(i.inhrelid) > 0)
		ORDER BY c.relname
	LOOP
		EXECUTE format('ANALYZE (SKIP_LOCKED) %s', v_table);
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._analyze_by_month() IS
'analyses the tables by month that were not for a week; returns how many';

-- pg_cron keeps a row for each run of a job for ever.  Delete up to p_max runs of our
-- jobs, also of those that are scheduled no more, which ended, or were cut off, more than
-- 30 days ago, if pg_cron is in this database.  Its tables may be missing, so they are
-- named only in statements that run if it is.
CREATE FUNCTION zcsync._trim_runs(p_max integer) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer := 0;
BEGIN
	IF EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		DELETE FROM cron.job_run_details AS d
		USING (
			SELECT r.runid FROM cron.job_run_details AS r
			WHERE coalesce(r.end_time, r.start_time) < zcsync._now() - interval '30 days'
				AND (r.end_time IS NOT NULL OR NOT EXISTS (SELECT FROM pg_stat_activity AS p WHERE p.pid = r.job_pid))
				AND CASE WHEN EXISTS (SELECT FROM cron.job AS j WHERE j.jobid = r.jobid)
					THEN EXISTS (SELECT FROM cron.job AS j WHERE j.jobid = r.jobid AND j.jobname LIKE 'zcsync %')
					ELSE strpos(r.command, ' zcsync.') > 0 END
			LIMIT p_max) AS old
		WHERE d.runid = old.runid;
		GET DIAGNOSTICS v_count = ROW_COUNT;
	END IF;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._trim_runs(integer) IS
'deletes what pg_cron keeps of old runs of jobs of zcsync; returns how many, at most p_max';

-- This procedure commits, so it can have neither a SET clause nor SECURITY DEFINER; all
-- work is in functions that pin their search_path, and nothing here depends on one.  A
-- step that fails does not prevent the others.
CREATE PROCEDURE zcsync.maintain()
LANGUAGE plpgsql
AS $$
DECLARE
	v_step text;
	v_state jsonb;
	v_done record;
	v_failed text[] := '{}';
BEGIN
	FOREACH v_step IN ARRAY zcsync._maintenance_steps() LOOP
		v_state := NULL;
		LOOP
			v_done := zcsync._maintain(v_step, v_state);
			COMMIT;
			EXIT WHEN NOT coalesce(v_done.more, false);
			v_state := v_done.state;
		END LOOP;
		IF v_done.more IS NULL THEN
			v_failed := v_failed OPERATOR(pg_catalog.||) v_step;
		END IF;
	END LOOP;
	IF pg_catalog.cardinality(v_failed) OPERATOR(pg_catalog.>) 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('steps of maintenance failed: %s', pg_catalog.array_to_string(v_failed, ', ')),
			DETAIL = 'All others were done.',
			HINT = 'SELECT * FROM zcsync.alerts WHERE code = ''maintenance'' AND resolved_at IS NULL; says why.';
	END IF;
END
$$;
COMMENT ON PROCEDURE zcsync.maintain() IS
'makes partitions, frees jobs of dead processes, counts what was done, trims records, old months and leads past their retention, looks again for leads that are alike, forgets old alerts and settled dead letters, analyses tables by month, archives reports, forgets old runs of pg_cron; each step committed; call it by hand or with zcsync.schedule_maintenance()';

-- ---------------------------------------------------------------------
-- pg_cron lives in one database of a server.  A job is named with the
-- database it is for; its command does nothing once the extension is gone.
-- ---------------------------------------------------------------------

-- pg_cron stores names of jobs as type name, which has at most 63 bytes; if it cut
-- longer ones, two jobs could get the same name.
CREATE FUNCTION zcsync._job_name(p_what text, p_object text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('zcsync %s of %s', p_what,
		CASE WHEN octet_length(format('zcsync %s of %s', p_what, p_object)) < 64 THEN p_object ELSE md5(p_object) END);
END;
COMMENT ON FUNCTION zcsync._job_name(text, text) IS
'the name of a job of pg_cron, of at most 63 bytes';

CREATE FUNCTION zcsync._maintenance_job() RETURNS TABLE (name text, command text)
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT zcsync._job_name('maintenance', current_database()),
		'DO $zcsync$ BEGIN IF pg_catalog.to_regprocedure(''zcsync.maintain()'') IS NOT NULL '
		'THEN CALL zcsync.maintain(); END IF; END $zcsync$';
END;
COMMENT ON FUNCTION zcsync._maintenance_job() IS
'name and command of the pg_cron job for this database';

-- The database of pg_cron; NULL: it is not preloaded.  Few roles may read that setting,
-- so this function runs as its owner.
CREATE FUNCTION zcsync._cron_database() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT current_setting('cron.database_name', true)
$$;
COMMENT ON FUNCTION zcsync._cron_database() IS
'the database in which pg_cron keeps its jobs; NULL: pg_cron is not loaded';

-- True: pg_cron is in this database.  False: in another one.
CREATE FUNCTION zcsync._cron_is_here() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
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

CREATE FUNCTION zcsync._schedule_job(p_name text, p_schedule text, p_command text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF coalesce(p_schedule, '') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'schedule must not be empty',
			HINT = 'Give it as in a crontab, for example ''7 * * * *'' for seven minutes past each hour.';
	END IF;
	IF zcsync._cron_is_here() THEN
		PERFORM cron.schedule(p_name, p_schedule, p_command);
		RETURN format('pg_cron runs the job "%s" at %s', p_name, p_schedule);
	END IF;
	RETURN format(E'-- pg_cron is in database %I; paste there:\nSELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
		zcsync._cron_database(), p_name, p_schedule, p_command, current_database(), current_user);
END
$$;
COMMENT ON FUNCTION zcsync._schedule_job(text, text, text) IS
'makes or changes a job of pg_cron, or says what makes it';

CREATE FUNCTION zcsync._unschedule_job(p_name text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF zcsync._cron_is_here() THEN
		IF NOT EXISTS (SELECT FROM cron.job AS j WHERE j.jobname = p_name AND j.username = current_user) THEN
			RETURN format('there was no job "%s"', p_name);
		END IF;
		PERFORM cron.unschedule(p_name);
		RETURN format('removed the job "%s"', p_name);
	END IF;
	RETURN format(E'-- pg_cron is in database %I; paste there:\nSELECT cron.unschedule(%L);', zcsync._cron_database(), p_name);
END
$$;
COMMENT ON FUNCTION zcsync._unschedule_job(text) IS
'removes a job of pg_cron, or says what removes it';

-- What is wrong with the job of pg_cron, if pg_cron is in this database: there is no
-- job, and nobody else calls maintain(); the job is not active; or its last run failed
-- and none has succeeded since.
CREATE FUNCTION zcsync._maintenance_job_trouble(p_maintained_at timestamptz, OUT message text, OUT hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
	v_run record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		RETURN;
	END IF;
	SELECT j.jobid, j.active INTO v_job FROM cron.job AS j WHERE j.jobname = (SELECT m.name FROM zcsync._maintenance_job() AS m);
	IF NOT FOUND THEN
		IF coalesce(p_maintained_at < zcsync._now() - interval '2 days', true) THEN
			message := 'pg_cron has no job for maintenance';
			hint := 'SELECT zcsync.schedule_maintenance();';
		END IF;
	ELSIF NOT v_job.active THEN
		message := format('job %s of pg_cron is not active', v_job.jobid);
		hint := format('SELECT cron.alter_job(%s, active => true);', v_job.jobid);
	ELSE
		SELECT d.status, d.return_message, d.end_time INTO v_run FROM cron.job_run_details AS d
		WHERE d.jobid = v_job.jobid AND d.status IN ('failed', 'succeeded') ORDER BY d.runid DESC LIMIT 1;
		IF v_run.status = 'failed' AND coalesce(v_run.end_time > p_maintained_at, true) THEN
			message := format('job %s of pg_cron failed: %s', v_job.jobid, v_run.return_message);
			hint := 'CALL zcsync.maintain(); -- shows why; if it does not, see cron.job_run_details';
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._maintenance_job_trouble(timestamptz) IS
'what keeps pg_cron from maintaining this database, and what to run; NULL: nothing, or pg_cron is not in it';

-- A run that ended lately shows that something calls maintain(), pg_cron or not.
CREATE FUNCTION zcsync._check_maintenance() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
	v_row record;
	v_age interval;
BEGIN
	IF to_regclass('zcsync.installation') IS NULL OR pg_is_in_recovery() THEN
		RETURN;
	END IF;
	SELECT i.maintained_at, i.created_at INTO v_row FROM zcsync.installation AS i;
	SELECT * INTO v_job FROM zcsync._maintenance_job_trouble(v_row.maintained_at);
	v_age := zcsync._now() - coalesce(v_row.maintained_at, v_row.created_at);
	item := 'maintenance';
	ok := v_job.message IS NULL AND v_age < interval '2 days';
	message := CASE
		WHEN ok AND v_row.maintained_at IS NULL THEN 'zcsync.maintain() has not been called yet'
		WHEN ok THEN format('zcsync.maintain() ended %s ago', zcsync._span(v_age))
		WHEN v_job.message IS NOT NULL THEN v_job.message
		ELSE format('zcsync.maintain() did not end for %s', zcsync._span(v_age)) END;
	hint := CASE WHEN ok THEN NULL
		WHEN v_job.hint IS NOT NULL THEN v_job.hint
		WHEN zcsync._cron_database() IS NOT NULL AND zcsync._cron_database() <> current_database() THEN 'SELECT zcsync.schedule_maintenance();'
		ELSE 'CALL zcsync.maintain(); -- and have it called each hour' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_maintenance() IS
'the part of zcsync.selfcheck() about zcsync.maintain() and its job';

-- The other jobs of zcsync for this database, where pg_cron is in it.
CREATE FUNCTION zcsync._other_jobs() RETURNS TABLE (jobid bigint, active boolean, failed boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') OR pg_is_in_recovery() THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT j.jobid, j.active, r.status IS NOT DISTINCT FROM 'failed',
		CASE WHEN NOT j.active THEN format('a job of pg_cron is not active: %s', j.jobname)
			WHEN r.status IS NULL THEN format('a job of pg_cron has not run yet: %s', j.jobname)
			WHEN r.status = 'failed' THEN format('a job of pg_cron failed: %s: %s', j.jobname, left(split_part(r.return_message, chr(10), 1), 300))
			ELSE format('a job of pg_cron ended well: %s', j.jobname) END,
		CASE WHEN NOT j.active THEN format('SELECT cron.alter_job(%s, active => true);', j.jobid)
			WHEN r.status = 'failed' THEN format('SELECT * FROM cron.job_run_details WHERE jobid = %1$s ORDER BY runid DESC LIMIT 5; -- or SELECT cron.unschedule(%1$s);', j.jobid) END
	FROM cron.job AS j
	LEFT JOIN LATERAL (
		SELECT d.status, d.return_message FROM cron.job_run_details AS d
		WHERE d.jobid = j.jobid AND d.status IN ('failed', 'succeeded') ORDER BY d.runid DESC LIMIT 1) AS r ON true
	WHERE j.jobname LIKE 'zcsync %' AND j.database = current_database() AND j.jobname <> (SELECT m.name FROM zcsync._maintenance_job() AS m)
	ORDER BY j.jobname;
END
$$;
COMMENT ON FUNCTION zcsync._other_jobs() IS
'jobs of pg_cron for this database beside the one that calls zcsync.maintain(), whether the last run failed, and what to run then';

-- Each whose last run failed, or which is not active.
CREATE FUNCTION zcsync._check_jobs() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'job', j.active AND NOT j.failed, j.message, j.hint FROM zcsync._other_jobs() AS j
$$;
COMMENT ON FUNCTION zcsync._check_jobs() IS
'the part of zcsync.selfcheck() about jobs of pg_cron beside the one that calls zcsync.maintain()';

-- Since when the job of which selfcheck() says this has failed each time.  Runs have an
-- index only by their number, so the last one that succeeded is looked for once.
CREATE FUNCTION zcsync._job_failed_at(p_message text) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job bigint := (SELECT min(j.jobid) FROM zcsync._other_jobs() AS j WHERE j.active AND j.failed AND j.message = p_message);
BEGIN
	IF v_job IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN (
		SELECT min(coalesce(d.start_time, d.end_time)) FROM cron.job_run_details AS d
		WHERE d.jobid = v_job AND d.status = 'failed'
			AND d.runid > coalesce((SELECT max(l.runid) FROM cron.job_run_details AS l WHERE l.jobid = v_job AND l.status = 'succeeded'), 0));
END
$$;
COMMENT ON FUNCTION zcsync._job_failed_at(text) IS
'since when the job of which zcsync.selfcheck() says this fails; NULL: it does not fail';

CREATE FUNCTION zcsync.schedule_maintenance(schedule text DEFAULT '7 * * * *') RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._schedule_job(j.name, schedule_maintenance.schedule, j.command) FROM zcsync._maintenance_job() AS j
$$;
COMMENT ON FUNCTION zcsync.schedule_maintenance(text) IS
'makes pg_cron call zcsync.maintain() for this database, by default hourly; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_maintenance() RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._unschedule_job(j.name) FROM zcsync._maintenance_job() AS j
$$;
COMMENT ON FUNCTION zcsync.unschedule_maintenance() IS
'removes the job of zcsync.schedule_maintenance(); where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync._warming_job() RETURNS TABLE (name text, command text)
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT zcsync._job_name('cache warming', current_database()),
		'DO $zcsync$ BEGIN IF pg_catalog.to_regprocedure(''zcsync.warm_cache()'') IS NOT NULL '
		'THEN PERFORM zcsync.warm_cache(); END IF; END $zcsync$';
END;
COMMENT ON FUNCTION zcsync._warming_job() IS
'name and command of the pg_cron job that warms the cache of this database';

CREATE FUNCTION zcsync.schedule_cache_warming(schedule text DEFAULT '*/30 * * * *') RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._schedule_job(j.name, schedule_cache_warming.schedule, j.command) FROM zcsync._warming_job() AS j
$$;
COMMENT ON FUNCTION zcsync.schedule_cache_warming(text) IS
'makes pg_cron call zcsync.warm_cache() for this database, by default each half hour; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_cache_warming() RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._unschedule_job(j.name) FROM zcsync._warming_job() AS j
$$;
COMMENT ON FUNCTION zcsync.unschedule_cache_warming() IS
'removes the job of zcsync.schedule_cache_warming(); where pg_cron is in another database, returns what to paste there';

-- ---------------------------------------------------------------------
-- VACUUM and REINDEX CONCURRENTLY refuse a transaction block, so no function
-- can run them.  Each is the one command of a job.
-- ---------------------------------------------------------------------

-- VACUUM skips a table that its role may not maintain, with only a warning that nobody
-- would see.
CREATE FUNCTION zcsync._check_table_job(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
BEGIN
	IF p_table IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'table_name must not be null';
	END IF;
	SELECT c.relkind, c.relnamespace, c.relowner INTO v_row FROM pg_class AS c WHERE c.oid = p_table;
	IF v_row.relnamespace IS DISTINCT FROM 'zcsync'::regnamespace OR v_row.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('"%s" is not a table of schema zcsync', p_table),
			HINT = 'SELECT relname FROM zcsync.table_bloat; has them, beside those by month as a whole: zcsync.leads, zcsync.changes, zcsync.sync_records.';
	END IF;
	IF NOT pg_has_role(v_row.relowner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner of table "%s"', p_table),
			HINT = format('A job of pg_cron runs as the role that makes it; run SET ROLE %I; first.', pg_get_userbyid(v_row.relowner));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_table_job(regclass) IS
'raises an error unless the caller may let pg_cron maintain this table of zcsync';

-- In this order of the words, no two tables or databases get the same name.
CREATE FUNCTION zcsync._table_job(p_what text, p_table regclass) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._job_name(p_what, format('%s in %s', p_table, current_database()))
$$;
COMMENT ON FUNCTION zcsync._table_job(text, regclass) IS
'the name of the job of pg_cron for a table of this database';

CREATE FUNCTION zcsync.schedule_vacuum(table_name regclass, schedule text DEFAULT '17 3 * * 0') RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._check_table_job(table_name);
	RETURN zcsync._schedule_job(zcsync._table_job('vacuum', table_name), schedule, format('VACUUM (ANALYZE) %s', table_name));
END
$$;
COMMENT ON FUNCTION zcsync.schedule_vacuum(regclass, text) IS
'makes pg_cron run VACUUM (ANALYZE) on a table of zcsync, one by month with all its months; by default on Sundays; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_vacuum(table_name regclass) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._check_table_job(table_name);
	RETURN zcsync._unschedule_job(zcsync._table_job('vacuum', table_name));
END
$$;
COMMENT ON FUNCTION zcsync.unschedule_vacuum(regclass) IS
'removes the job of zcsync.schedule_vacuum(); where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.schedule_reindex(table_name regclass, schedule text DEFAULT '37 3 1 * *') RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._check_table_job(table_name);
	RETURN zcsync._schedule_job(zcsync._table_job('reindex', table_name), schedule, format('REINDEX TABLE CONCURRENTLY %s', table_name));
END
$$;
COMMENT ON FUNCTION zcsync.schedule_reindex(regclass, text) IS
'makes pg_cron run REINDEX TABLE CONCURRENTLY on a table of zcsync, one by month with all its months; by default on the first of each month; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_reindex(table_name regclass) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._check_table_job(table_name);
	RETURN zcsync._unschedule_job(zcsync._table_job('reindex', table_name));
END
$$;
COMMENT ON FUNCTION zcsync.unschedule_reindex(regclass) IS
'removes the job of zcsync.schedule_reindex(); where pg_cron is in another database, returns what to paste there';
