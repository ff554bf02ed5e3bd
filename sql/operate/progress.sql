-- ---------------------------------------------------------------------
-- What takes long besides streams, for the view progress: verbs, of which this server's
-- shared memory tells, and what PostgreSQL itself reports.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._verb_progress()
RETURNS TABLE (object text, lane text, done bigint, estimate bigint, progress text, calls_minute numeric, eta text, oldest text, newest text, limited_by text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT v.verb, 'verb', v.done, v.records,
		-- the records may be counted before a trigger or a constraint takes its time
		coalesce(nullif(concat_ws(' ', zcsync._bar(least(v.done, 0.99 * v.records), v.records), v.step), ''), 'running'), NULL::numeric,
		zcsync._span((zcsync._now() - v.began_at) * ((v.records - least(v.done, v.records)) / nullif(v.done, 0)::double precision)), NULL::text, NULL::text,
		CASE WHEN a.wait_event_type = 'Lock' THEN 'a lock of another session' END
	FROM zcsync._running_verbs() AS v
	LEFT JOIN pg_stat_activity AS a USING (pid);
END
$$;
COMMENT ON FUNCTION zcsync._verb_progress() IS
'the lines of the view progress about verbs that run';

-- VACUUM and COPY of tables of zcsync, and COPY of a query that names zcsync, if the
-- reader may see that session in pg_stat_activity.  What autovacuum does is left out:
-- nobody waits for it.
CREATE FUNCTION zcsync._server_progress()
RETURNS TABLE (object text, lane text, done bigint, estimate bigint, progress text, calls_minute numeric, eta text, oldest text, newest text, limited_by text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT p.relid::regclass::text, 'vacuum', p.heap_blks_scanned, p.heap_blks_total, concat_ws(' ', zcsync._bar(p.heap_blks_scanned, p.heap_blks_total), p.phase),
		NULL::numeric, NULL::text, NULL::text, NULL::text, NULL::text
	FROM pg_stat_progress_vacuum AS p
	JOIN pg_class AS c ON c.oid = p.relid
	JOIN pg_stat_activity AS a ON a.pid = p.pid
	WHERE p.datname = current_database() AND c.relnamespace = 'zcsync'::regnamespace AND a.backend_type <> 'autovacuum worker'
	UNION ALL
	SELECT coalesce(nullif(p.relid, 0)::regclass::text, format('COPY of process %s', p.pid)), 'copy', p.tuples_processed, NULL,
		CASE WHEN p.bytes_total > 0 THEN zcsync._bar(p.bytes_processed, p.bytes_total) ELSE pg_size_pretty(p.bytes_processed) END,
		NULL,
		zcsync._span((clock_timestamp() - a.query_start) * (nullif(p.bytes_total, 0) - p.bytes_processed) / nullif(p.bytes_processed, 0)), NULL, NULL, NULL
	FROM pg_stat_progress_copy AS p
	LEFT JOIN pg_class AS c ON c.oid = p.relid
	LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid
	WHERE p.datname = current_database()
		AND (c.relnamespace IN ('zcsync'::regnamespace, to_regnamespace('zcsync_intake'))
			OR p.relid = 0 AND a.query ~ 'zcsync[.]' AND (pg_has_role(session_user, a.usesysid, 'USAGE') OR pg_has_role(session_user, 'pg_read_all_stats', 'USAGE')));
END
$$;
COMMENT ON FUNCTION zcsync._server_progress() IS
'the lines of the view progress about VACUUM and COPY';
