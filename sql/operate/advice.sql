-- ---------------------------------------------------------------------
-- Advice: which statements are slow, which tables have many dead rows, and which
-- settings prevent that.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------

-- With the rights of the reader, from whom pg_stat_statements hides statements of
-- others.  The view pg_stat_statements is named in a text only, so that nothing depends
-- on it: it can be dropped, and a dump can be restored without it.  Its column for the
-- time was called total_time until PostgreSQL 13, and still is if the extension was
-- never updated.  A statement that failed each time it ran has no calls.
CREATE FUNCTION zcsync._slow_queries()
RETURNS TABLE (query text, role name, calls bigint, total_ms numeric, mean_ms numeric, rows_per_call numeric)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_view record;
BEGIN
	SELECT c.oid::regclass AS name, a.attname AS total INTO v_view
	FROM pg_extension AS e
	JOIN pg_class AS c ON c.relnamespace = e.extnamespace AND c.relname = e.extname
	JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('total_exec_time', 'total_time')
	WHERE e.extname = 'pg_stat_statements';
	IF NOT FOUND THEN
		RETURN;
	END IF;
	BEGIN
		RETURN QUERY EXECUTE format($sql$
			SELECT s.query, pg_get_userbyid(s.userid), s.calls, round(s.%I::numeric, 3),
				round((s.%1$I / nullif(s.calls, 0))::numeric, 3), round(s.rows::numeric / nullif(s.calls, 0), 1)
			FROM %s AS s
			WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
			ORDER BY s.%1$I DESC, s.calls DESC, s.query
			LIMIT 10$sql$, v_view.total, v_view.name);
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		NULL;	-- created, but not loaded by the server
	END;
END
$$;
COMMENT ON FUNCTION zcsync._slow_queries() IS
'what the view slow_queries shows: nothing where pg_stat_statements is not installed or not loaded';

CREATE FUNCTION zcsync._create_advice_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.slow_queries AS
	SELECT s.query, s.role, s.calls, s.total_ms, s.mean_ms, s.rows_per_call
	FROM zcsync._slow_queries() AS s
	ORDER BY s.total_ms DESC, s.calls DESC, s.query;
	COMMENT ON VIEW zcsync.slow_queries IS
	'the ten statements that took this database longest in all, of pg_stat_statements; empty without that';
	COMMENT ON COLUMN zcsync.slow_queries.mean_ms IS 'NULL: no call of it came to its end';

	CREATE OR REPLACE VIEW zcsync.table_bloat AS
	SELECT s.relname, s.n_tup_ins AS inserted, s.n_tup_upd AS updated, s.n_tup_del AS deleted,
		s.n_live_tup AS live, s.n_dead_tup AS dead,
		round(100.0 * s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0), 2) AS dead_ratio,
		greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum,
		greatest(s.last_analyze, s.last_autoanalyze) AS last_analyze
	FROM pg_stat_user_tables AS s
	JOIN pg_class AS c ON c.oid = s.relid
	WHERE s.schemaname = 'zcsync' AND c.relkind = 'r'
	ORDER BY s.n_dead_tup DESC, s.relname;
	COMMENT ON VIEW zcsync.table_bloat IS
	'the tables of zcsync, those by month with each of their months: rows written, alive and dead, when they were vacuumed and analysed';
	COMMENT ON COLUMN zcsync.table_bloat.dead_ratio IS 'dead rows in percent of all; NULL: there are none';
	COMMENT ON COLUMN zcsync.table_bloat.last_vacuum IS 'by autovacuum or by hand';
	COMMENT ON COLUMN zcsync.table_bloat.last_analyze IS 'by autovacuum or by hand';
END
$body$;
COMMENT ON FUNCTION zcsync._create_advice_views() IS
'creates or replaces slow_queries and table_bloat';

-- Store both views as they are now, unless that was done within the last week.  A
-- statement whose text still has a quoted constant is left out: the constant may be a
-- password, which has no place in a table and in dumps.  pg_stat_statements keeps the
-- constants of commands, of SELECT INTO, and of statements that it met again after
-- forgetting them.
CREATE FUNCTION zcsync._archive_reports() RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count bigint;
BEGIN
	DELETE FROM zcsync.report_archive AS a WHERE a.taken_at < zcsync._now() - interval '13 months';
	INSERT INTO zcsync.report_archive (report, taken_at, place, line)
	SELECT n.report, zcsync._now(), l.place, l.line
	FROM unnest('{slow_queries,table_bloat}'::text[]) AS n (report)
	CROSS JOIN LATERAL (
		SELECT row_number() OVER (ORDER BY s.total_ms DESC, s.calls DESC, s.query), to_jsonb(s)
		FROM zcsync.slow_queries AS s
		WHERE n.report = 'slow_queries' AND s.query !~ '''|[$][^0-9]'
		UNION ALL
		SELECT row_number() OVER (ORDER BY b.dead DESC, b.relname), to_jsonb(b)
		FROM zcsync.table_bloat AS b
		WHERE n.report = 'table_bloat' AND b.live + b.dead > 0) AS l (place, line)
	WHERE NOT EXISTS (SELECT FROM zcsync.report_archive AS a
		WHERE a.report = n.report AND a.taken_at > zcsync._now() - interval '7 days');
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._archive_reports() IS
'keeps slow_queries and table_bloat as they are now, once a week; returns how many rows';

-- ---------------------------------------------------------------------
-- Advice
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.maintenance_advice()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT * FROM zcsync._advise_settings();
	RETURN QUERY SELECT * FROM zcsync._advise_statements();
	RETURN QUERY SELECT * FROM zcsync._advise_tables();
	RETURN QUERY SELECT * FROM zcsync._advise_indexes();
	RETURN QUERY SELECT * FROM zcsync._advise_expected_indexes();
	RETURN QUERY SELECT * FROM zcsync._advise_compression();
	RETURN QUERY SELECT * FROM zcsync._advise_use();
	RETURN QUERY SELECT * FROM zcsync._advise_machine();
	RETURN QUERY SELECT * FROM zcsync._advise_alerts();
END
$$;
COMMENT ON FUNCTION zcsync.maintenance_advice() IS
'compares settings of the server and of the tables, indexes, compression, connections, the cache, memory, disks and alerts with what keeps them fast and watched; a row each, with the command to paste and whether it needs a reload or a restart; changes nothing';

-- A value better than the advised one is fine.  Whether a setting needs a restart
-- depends on the release of PostgreSQL; pg_settings shows it.
CREATE FUNCTION zcsync._advise_settings()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.name, v.ok, current_setting(s.name), a.advised, n.needs,
		CASE
			WHEN v.ok THEN NULL
			WHEN s.pending_restart THEN '-- is changed already: restart the server'
			ELSE format('ALTER SYSTEM SET %I = %L;', s.name, a.advised) ||
				CASE n.needs WHEN 'restart' THEN ' -- then restart the server' ELSE ' SELECT pg_reload_conf();' END
		END,
		a.reason
	FROM (VALUES
		(1, 'autovacuum', 'on', NULL::numeric, NULL::numeric,
			'without it dead rows stay, and tables and indexes only grow'),
		(2, 'track_counts', 'on', NULL, NULL,
			'without its counts autovacuum does not know which tables to look at'),
		(3, 'autovacuum_max_workers', '3', 3, NULL,
			'a long vacuum of a large table must not keep the queue waiting for its own'),
		(4, 'autovacuum_naptime', '20s', NULL, 20,
			'the queue turns over within seconds: the sooner its dead rows go, the less a claim reads'),
		(5, 'autovacuum_vacuum_threshold', '50', NULL, 50,
			'for small tables, which are changed often; those of zcsync that are written most have it by themselves'),
		(6, 'autovacuum_analyze_threshold', '50', NULL, 50,
			'so that plans follow tables which grow from nothing to many rows')
		) AS a (place, name, advised, at_least, at_most, reason)
	JOIN pg_settings AS s ON s.name = a.name
	CROSS JOIN LATERAL (
		SELECT CASE WHEN a.at_least IS NOT NULL THEN s.setting::numeric >= a.at_least
			WHEN a.at_most IS NOT NULL THEN s.setting::numeric <= a.at_most
			ELSE s.setting = a.advised END AS ok) AS v
	CROSS JOIN LATERAL (SELECT CASE s.context WHEN 'postmaster' THEN 'restart' ELSE 'reload' END AS needs) AS n
	ORDER BY a.place
$$;
COMMENT ON FUNCTION zcsync._advise_settings() IS
'the part of zcsync.maintenance_advice() about settings of the server';

CREATE FUNCTION zcsync._advise_statements()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'pg_stat_statements', x.loaded AND x.created,
		CASE WHEN NOT x.loaded THEN 'not loaded' WHEN x.created THEN 'installed' ELSE 'not installed in this database' END,
		'installed', CASE WHEN x.loaded THEN 'nothing' ELSE 'restart' END,
		CASE WHEN NOT x.loaded THEN zcsync._preload_hint('pg_stat_statements')
			WHEN NOT x.created THEN 'CREATE EXTENSION pg_stat_statements;' END,
		'without it zcsync.slow_queries is empty'
	FROM (
		-- while a library is not loaded, its setting in postgresql.conf counts as a
		-- text
		SELECT EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'pg_stat_statements.max' AND s.vartype = 'integer') AS loaded,
			EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_stat_statements') AS created) AS x
$$;
COMMENT ON FUNCTION zcsync._advise_statements() IS
'the part of zcsync.maintenance_advice() about pg_stat_statements';

CREATE FUNCTION zcsync._advise_tables()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'table ' || s.relation, false,
		concat_ws(', ', CASE WHEN bool_or(s.disabled) THEN 'autovacuum_enabled = false' END,
			string_agg(format('%s = %s', s.option, s.current_value), ', ' ORDER BY s.option) FILTER (WHERE s.current_value IS NOT NULL)),
		string_agg(format('%s = %s', s.option, s.advised), ', ' ORDER BY s.option), 'nothing',
		format('ALTER TABLE %s SET (%s);', s.relation,
			concat_ws(', ', CASE WHEN bool_or(s.disabled) THEN 'autovacuum_enabled = true' END,
				string_agg(format('%s = %s', s.option, s.advised), ', ' ORDER BY s.option)
					FILTER (WHERE coalesce(s.current_value::float8 > s.advised, true)))),
		'a table that is written all the time needs vacuum sooner than others'
	FROM zcsync._table_settings() AS s
	GROUP BY s.relation
	HAVING bool_or(s.disabled OR coalesce(s.current_value::float8 > s.advised, true))
	ORDER BY s.relation::text;
	IF NOT FOUND THEN
		item := 'tables';
		ok := true;
		current_value := 'as advised';
		advised_value := 'parameters of autovacuum for each table that is written often';
		needs := 'nothing';
		reason := 'a table that is written all the time needs vacuum sooner than others';
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._advise_tables() IS
'the part of zcsync.maintenance_advice() about storage parameters of tables';

-- A REINDEX CONCURRENTLY that was interrupted leaves its new indexes, also that of the
-- TOAST table, and does not continue with them the next time.
CREATE FUNCTION zcsync._advise_indexes()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'index ' || c.oid::regclass, false, 'invalid', 'valid', 'nothing',
		format(CASE WHEN c.relname ~ '_cc(?:new|old)[0-9]*$' THEN 'DROP INDEX CONCURRENTLY %s;'
			ELSE 'REINDEX INDEX CONCURRENTLY %s;' END, c.oid::regclass),
		'the command that was building it did not finish: each write updates it, and no query uses it'
	FROM pg_class AS t
	JOIN pg_index AS i ON i.indrelid IN (t.oid, t.reltoastrelid)
	JOIN pg_class AS c ON c.oid = i.indexrelid
	WHERE t.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'i' AND NOT i.indisvalid
		AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.relid = i.indrelid)
	ORDER BY c.relname
$$;
COMMENT ON FUNCTION zcsync._advise_indexes() IS
'the part of zcsync.maintenance_advice() about indexes that are not valid';

-- The indexes by which readers find records and what became of them, as setup() made
-- them.  Somebody may have dropped one: then its readers read whole tables.
CREATE FUNCTION zcsync._expected_indexes() RETURNS TABLE (name text, definition text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('idx_tickets_assignee_status', 'zcsync.tickets (assignee_id, status) WHERE deleted_at IS NULL'),
		('idx_tickets_created_at', 'zcsync.tickets (created_at DESC, local_id DESC)'),
		('idx_sync_records_status', 'zcsync.sync_records (status, created_at)'),
		('idx_leads_email', 'zcsync.leads (email)'),
		('idx_leads_company', 'zcsync.leads (company)'),
		('idx_leads_status', 'zcsync.leads (status_id)'),
		('idx_leads_created_at', 'zcsync.leads (created_at DESC, local_id DESC)'),
		('idx_leads_status_created', 'zcsync.leads (status_id, created_at DESC)'),
		('idx_leads_source_email', 'zcsync.leads (source, email)');
END;
COMMENT ON FUNCTION zcsync._expected_indexes() IS
'indexes of readers that setup() makes, and what makes them again; selfcheck() has idx_leads_active';

CREATE FUNCTION zcsync._advise_expected_indexes()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'expected indexes', m.names IS NULL, coalesce('missing: ' || m.names, 'all are there'), 'all are there', 'nothing', m.command,
		'queries for tickets, leads and records of jobs use them'
	FROM (
		SELECT string_agg(e.name, ', ' ORDER BY e.name) AS names, string_agg(format('CREATE INDEX %I ON %s;', e.name, e.definition), ' ' ORDER BY e.name) AS command
		FROM zcsync._expected_indexes() AS e
		WHERE to_regclass(format('zcsync.%I', e.name)) IS NULL) AS m
	WHERE to_regclass('zcsync.installation') IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._advise_expected_indexes() IS
'the part of zcsync.maintenance_advice() about indexes of readers that are missing';

-- setup() has lz4 compress the documents of records, where the server was built with it.  Who
-- changed that, or made the tables on a server without it, has slower pages.
CREATE FUNCTION zcsync._advise_compression()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'compression', NOT l.can OR c.commands IS NULL,
		CASE WHEN NOT l.can THEN 'this server was built without lz4' WHEN c.commands IS NULL THEN 'lz4' ELSE 'not lz4: ' || c.names END,
		'lz4', 'nothing', CASE WHEN l.can THEN c.commands END,
		'documents of records, with their large texts, are stored in a third less time; what is stored already stays as it is'
	FROM (SELECT EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'default_toast_compression' AND 'lz4' = ANY (s.enumvals)) AS can) AS l
	CROSS JOIN (
		SELECT string_agg(t.relation::text, ', ' ORDER BY t.relation::text) AS names,
			string_agg(format('ALTER TABLE %s %s;', t.relation, t.changes), ' ' ORDER BY t.relation::text) AS commands
		FROM (
			SELECT a.attrelid::regclass AS relation, string_agg(format('ALTER %I SET COMPRESSION lz4', a.attname), ', ' ORDER BY a.attname) AS changes
			FROM unnest(zcsync._kinds()) AS k
			CROSS JOIN LATERAL (
				SELECT to_regclass(format('zcsync.%I', k)) UNION ALL SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = to_regclass(format('zcsync.%I', k))) AS p (relid)
			JOIN pg_attribute AS a ON a.attrelid = p.relid AND a.attname IN ('base', 'remote')
			WHERE CASE a.attcompression WHEN 'l' THEN false WHEN 'p' THEN true ELSE current_setting('default_toast_compression') <> 'lz4' END
			GROUP BY a.attrelid) AS t) AS c
$$;
COMMENT ON FUNCTION zcsync._advise_compression() IS
'the part of zcsync.maintenance_advice() about how documents of records are compressed';

-- What zcsync is used with: connections and the cache.
CREATE FUNCTION zcsync._advise_use()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	RETURN QUERY
	SELECT 'connections', c.used < 0.8 * c.most, format('%s of %s', c.used, c.most), 'less than 80 %', 'nothing',
		CASE WHEN c.used >= 0.8 * c.most THEN
			'SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC; -- let programs share connections by a pooler, as PgBouncer' END,
		'a program that finds no free connection is refused; idle connections cost memory'
	FROM (SELECT count(*) AS used, current_setting('max_connections')::integer AS most
		FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend') AS c;
	SELECT s.max_bytes, s.puts, s.evictions, coalesce(s.evictions * 10 <= greatest(s.puts, 1000), true) AS ok INTO v
	FROM (SELECT) AS o LEFT JOIN zcsync._cache_statistics() AS s ON true;
	RETURN QUERY
	SELECT 'cache', v.ok, CASE WHEN coalesce(v.max_bytes, 0) = 0 THEN 'off' ELSE format('%s of %s values were removed for lack of room', v.evictions, v.puts) END,
		'less than a tenth', 'restart',
		CASE WHEN NOT v.ok THEN format('ALTER SYSTEM SET zcsync.cache_size = %L; -- or zcsync.cache_max_entries; then restart the server', 2 * v.max_bytes / 1024 || 'kB') END,
		'a value that was removed is made anew by the next session that asks for it';
END
$$;
COMMENT ON FUNCTION zcsync._advise_use() IS
'the part of zcsync.maintenance_advice() about connections, the cache and alerts';

-- What a worker keeps is bounded (doc/architecture.md), so one that has a gigabyte of its own
-- has lost some of it.
CREATE FUNCTION zcsync._advise_machine()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'memory of workers', coalesce(m.bytes < 1073741824, true),
		CASE WHEN m.bytes IS NULL THEN 'no worker, or not known' ELSE pg_size_pretty(m.bytes) END, 'less than 1 GB each', 'nothing',
		CASE WHEN m.bytes >= 1073741824 THEN format('SELECT pg_log_backend_memory_contexts(%s); -- tells the log what it is; pg_terminate_backend(%1$s) has it begin anew', m.pid) END,
		'more than a worker ever needs: something in it leaks'
	FROM (SELECT) AS o
	LEFT JOIN (SELECT u.pid, u.own_bytes AS bytes FROM zcsync._process_usage() AS u WHERE u.own_bytes IS NOT NULL ORDER BY u.own_bytes DESC LIMIT 1) AS m ON true
	UNION ALL
	SELECT 'disks', coalesce(l.disk < 85, true), coalesce(round(l.disk::numeric) || ' %', 'not known'), 'less than 85 %', 'nothing',
		CASE WHEN l.disk >= 85 THEN 'SELECT * FROM zcsync.table_bloat; -- and see zcsync.history_retention_months, zcsync.lead_retention_months' END,
		'of the data directory, its WAL and the tablespaces, the fullest: a server without room stops'
	FROM zcsync._machine_load() AS l
$$;
COMMENT ON FUNCTION zcsync._advise_machine() IS
'the part of zcsync.maintenance_advice() about memory of the workers and disks';

-- Would anybody hear of what must not wait?
CREATE FUNCTION zcsync._advise_alerts()
RETURNS TABLE (item text, ok boolean, current_value text, advised_value text, needs text, command text, reason text)
LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regclass('zcsync.alert_targets') IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 'alerts', t.targets > 0, format('active targets: %s', t.targets), 'one or more', 'nothing',
		CASE WHEN t.targets = 0 THEN 'SELECT zcsync.add_alert_target(…); -- see doc/alerts.md' END, 'without a target nobody is told'
	FROM (SELECT count(*) AS targets FROM zcsync.alert_targets AS a WHERE a.state = 'active') AS t
	UNION ALL
	SELECT 'alert rules', r.names IS NULL, coalesce('not watched: ' || r.names, 'what must not wait is watched'), 'active rules for these measures', 'nothing', r.commands,
		'what stops data, or waits for a person, must not go unnoticed'
	FROM (
		SELECT string_agg(m.measure, ', ' ORDER BY m.measure) AS names, string_agg(CASE WHEN p.name IS NOT NULL THEN format('SELECT zcsync.resume_alert_rule(%L);', p.name)
			ELSE format('SELECT zcsync.add_alert_rule(%L, %1$L, %s, %s, %L);', m.measure, coalesce(m.warning::text, 'NULL'), coalesce(m.critical::text, 'NULL'), m.lasts) END, ' ' ORDER BY m.measure) AS commands
		FROM zcsync.alert_measures() AS m
		LEFT JOIN LATERAL (SELECT min(a.name) AS name, bool_or(a.state = 'active') AS active FROM zcsync.alert_rules AS a WHERE a.measure = m.measure) AS p ON true
		WHERE m.measure IN ('installation', 'alert', 'blocked', 'down', 'held', 'errors', 'lag', 'disk') AND p.active IS NOT TRUE) AS r;
END
$$;
COMMENT ON FUNCTION zcsync._advise_alerts() IS
'the part of zcsync.maintenance_advice() about rules and targets of alerts';
