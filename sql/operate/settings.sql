-- ---------------------------------------------------------------------
-- Settings of the server that stop or change what zcsync does, without raising an
-- error.  Workers and run() set those that they can for themselves (src/xact.c,
-- src/worker.c); the ones here concern sessions of users and of pg_cron.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._harmful_values() RETURNS TABLE (name text, harmful text[], effect text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
	VALUES ('session_replication_role', '{replica,local}'::text[], 'edits are not noticed'),
		('default_transaction_read_only', '{on,true,yes,1}', 'edits and maintenance are refused');
END;
COMMENT ON FUNCTION zcsync._harmful_values() IS
'settings of the server, and values of them that keep zcsync from working';

-- Where such a setting has a harmful value: for all, or for a database or role.
CREATE FUNCTION zcsync._harmful_settings() RETURNS TABLE (name text, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT h.name, format('%s is %s: %s', h.name, lower(s.reset_val COLLATE "C"), h.effect),
		format('ALTER SYSTEM RESET %s; SELECT pg_reload_conf(); -- and look for it in postgresql.conf', h.name)
	FROM zcsync._harmful_values() AS h JOIN pg_show_all_settings() AS s ON s.name = h.name
	-- values that a database or role has are found below
	WHERE lower(s.reset_val COLLATE "C") = ANY (h.harmful) AND s.source NOT IN ('database', 'user', 'database user')
		AND NOT (s.source IN ('session', 'client') AND EXISTS (
			SELECT FROM pg_db_role_setting AS r, unnest(r.setconfig) AS c WHERE c LIKE h.name || '=%'));
	IF NOT EXISTS (SELECT FROM pg_db_role_setting) THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT h.name, format('%s is %s for %s: %s', h.name, split_part(c, '=', 2), concat_ws(' in ', 'role ' || quote_ident(o.rolname),
			'database ' || quote_ident(d.datname)), h.effect),
		format('%s RESET %s;', CASE WHEN o.rolname IS NULL THEN format('ALTER DATABASE %I', d.datname)
			ELSE concat_ws(' IN DATABASE ', 'ALTER ROLE ' || quote_ident(o.rolname), quote_ident(d.datname)) END, h.name)
	FROM pg_db_role_setting AS r
	CROSS JOIN unnest(r.setconfig) AS c
	JOIN zcsync._harmful_values() AS h ON split_part(c, '=', 1) = h.name AND lower(split_part(c, '=', 2) COLLATE "C") = ANY (h.harmful)
	LEFT JOIN pg_database AS d ON d.oid = r.setdatabase
	LEFT JOIN pg_roles AS o ON o.oid = r.setrole
	WHERE (r.setdatabase = 0 OR d.datname = current_database()) AND o.rolname IS DISTINCT FROM zcsync._worker_role();
END
$$;
COMMENT ON FUNCTION zcsync._harmful_settings() IS
'settings of the server, of this database and of roles that keep edits from being noticed or made, and what to run';

CREATE FUNCTION zcsync._check_server_settings() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_setting record;
	v_limit integer := (SELECT d.datconnlimit FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
	item := 'settings';
	ok := false;
	FOR v_setting IN SELECT * FROM zcsync._harmful_settings() LOOP
		message := v_setting.message;
		hint := v_setting.hint;
		RETURN NEXT;
	END LOOP;
	-- workers are no superusers, so only the other connections count
	IF v_limit >= 0 THEN
		IF v_limit = 0 OR (SELECT count(*) FROM pg_stat_activity AS s WHERE s.datname = current_database() AND s.backend_type = 'client backend') > v_limit THEN
			message := format('the connection limit of this database is %s: no worker can be started while more are connected', v_limit);
			hint := format('ALTER DATABASE %I CONNECTION LIMIT -1;', current_database());
			RETURN NEXT;
		END IF;
	END IF;
	IF message IS NULL THEN
		ok := true;
		message := 'no setting of the server stops zcsync';
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_server_settings() IS
'the part of zcsync.selfcheck() about settings of the server and of this database';
