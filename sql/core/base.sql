-- ---------------------------------------------------------------------
-- What every other part needs: time, signals, the state of the server,
-- alerts.
-- ---------------------------------------------------------------------

-- All decisions about time ask here, so that tests can move the clock.
CREATE FUNCTION zcsync._now() RETURNS timestamptz
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_now';
COMMENT ON FUNCTION zcsync._now() IS
'the time at which the transaction began, by the clock of zcsync';

CREATE FUNCTION zcsync._wake(p_local boolean DEFAULT false) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_wake';
COMMENT ON FUNCTION zcsync._wake(boolean) IS
'wakes the worker of this database when this transaction commits, or for local work its local worker';

CREATE FUNCTION zcsync._wake_launcher() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_wake_launcher';
COMMENT ON FUNCTION zcsync._wake_launcher() IS
'when this transaction commits, has the launcher and the worker look anew at whether and how this database uses zcsync';

CREATE FUNCTION zcsync._identity(OUT system_identifier bigint, OUT database_oid oid, OUT timeline integer, OUT control_file bigint, OUT machine bigint)
RETURNS record
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_identity';
COMMENT ON FUNCTION zcsync._identity() IS
'the numbers by which this database can be told from a copy of it';

CREATE FUNCTION zcsync._shut_down_cleanly(p_timeline integer, p_seconds integer) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_shut_down_cleanly';
COMMENT ON FUNCTION zcsync._shut_down_cleanly(integer, integer) IS
'did this timeline, and each one between it and the present one, end with a clean shutdown, at most so many seconds before the promotion? raises an error if that cannot be told';

CREATE FUNCTION zcsync._preloaded() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_preloaded';
COMMENT ON FUNCTION zcsync._preloaded() IS
'is zcsync in shared_preload_libraries of the running server?';

CREATE FUNCTION zcsync._names_database(p_name name) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_names_database';
COMMENT ON FUNCTION zcsync._names_database(name) IS
'does zcsync.databases name this database?';

CREATE FUNCTION zcsync._worker_slots()
RETURNS TABLE (database oid, pid integer, state text, reason text, hint text, started_at timestamptz,
	last_error text, last_error_at timestamptz, in_flight integer, restarts integer, role text,
	failing boolean)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_worker_slots';
COMMENT ON FUNCTION zcsync._worker_slots() IS
'the launcher (its database is null), and for each database that it knows to use zcsync the worker and the local worker, if it has one; empty without preloading';

-- In place of EXECUTE where a query is made at run time, asked often, and takes longer
-- to plan than to run.  The plan knows neither how long an array is nor how many rows
-- another table has, so such queries look rows up one by one (LATERAL, OFFSET 0).
CREATE FUNCTION zcsync._read_kept(query text, VARIADIC args "any") RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'zcsync_sql_read_kept';
COMMENT ON FUNCTION zcsync._read_kept(text, "any") IS
'the rows of a query that only reads, with its parameters, read with the rights of the caller; the session keeps its plan';

-- Lower case of names.  lower() alone depends on the locale: in a Turkish database INFO
-- does not become info, and with the collation "C" ÉTÉ does not become été.  Values
-- that must have the same form in every database (an e-mail address, a code, a header)
-- do not use this function, but lower(... COLLATE "C").
CREATE FUNCTION zcsync._fold(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT lower(lower(p_name COLLATE "C") COLLATE "default");
END;
COMMENT ON FUNCTION zcsync._fold(text) IS
'a name in lower case: the letters A to Z always the same way, other letters by the locale of the database';

-- Characters that look alike become the same one.  A text that has a byte for each
-- character has no others; to see that takes a tenth of the time.
CREATE FUNCTION zcsync._compatible(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN octet_length(p_text) = length(p_text) THEN p_text ELSE normalize(p_text, NFKC) END;
END;
COMMENT ON FUNCTION zcsync._compatible(text) IS
'a text in the normalisation form NFKC';

-- ---------------------------------------------------------------------
-- Alerts: one open row for each condition that needs a person.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._alert(p_code text, p_object text, p_severity text, p_message text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.alerts AS a (code, object, severity, message, hint, first_at, last_at)
	VALUES (p_code, coalesce(p_object, ''), p_severity, p_message, p_hint, zcsync._now(), zcsync._now())
	ON CONFLICT (code, object) WHERE resolved_at IS NULL DO UPDATE
		SET count = a.count + 1,
			last_at = excluded.last_at,
			severity = excluded.severity,
			message = excluded.message,
			hint = excluded.hint;
END
$$;
COMMENT ON FUNCTION zcsync._alert(text, text, text, text, text) IS
'opens an alert, or counts the one that is open for this code and object';

CREATE FUNCTION zcsync._resolve_alert(p_code text, p_object text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.alerts
	SET resolved_at = zcsync._now()
	WHERE code = p_code AND object = coalesce(p_object, '') AND resolved_at IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_alert(text, text) IS
'closes the open alert of this code and object, if there is one';

-- An account or a stream is removed, so nothing can end the alerts about it and its parts
-- any more.  Alerts about routes and tables stay: one of these may have the same name.
CREATE FUNCTION zcsync._resolve_alerts_of(p_object text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.alerts AS a SET resolved_at = zcsync._now()
	WHERE a.resolved_at IS NULL AND (a.object = p_object OR starts_with(a.object, p_object || '/'))
		AND a.code NOT IN ('route_fault', 'partitions', 'maintenance')
$$;
COMMENT ON FUNCTION zcsync._resolve_alerts_of(text) IS
'closes the open alerts about an account or a stream and what belongs to it';

-- ---------------------------------------------------------------------
-- May zcsync work in this database?
-- ---------------------------------------------------------------------

-- Why zcsync does not work in this database; NULL: it does.  A server on another
-- timeline is no copy if it took over from the former primary: _note_timeline() records
-- that.
CREATE FUNCTION zcsync._copied() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_here record := zcsync._identity();
BEGIN
	RETURN (SELECT CASE
			WHEN i.system_identifier <> v_here.system_identifier OR i.database_oid <> v_here.database_oid
				THEN 'this database is a copy of the one that zcsync was set up in; nothing is sent'
			WHEN i.timeline <> v_here.timeline THEN NULL
			WHEN i.control_file <> v_here.control_file
				THEN 'this server runs from a copy of the data directory that zcsync was set up in; nothing is sent'
			WHEN i.machine <> v_here.machine
				THEN 'this server runs on another machine than the one that zcsync was set up on; nothing is sent' END
		FROM zcsync.installation AS i);
END
$$;
COMMENT ON FUNCTION zcsync._copied() IS
'why this database is a copy of the one that zcsync works in; NULL: it is no copy';

CREATE FUNCTION zcsync._may_write() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN coalesce(nullif(current_setting('zcsync.writes', true), '')::boolean, true) AND current_setting('in_hot_standby') = 'off' AND zcsync._copied() IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._may_write() IS
'may changes be sent from this database: is zcsync.writes on, and is it no copy and no standby?';

-- Every function that a user may call and that changes something calls this first.
CREATE FUNCTION zcsync._refuse_standby() RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('in_hot_standby') = 'on' THEN
		RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
			MESSAGE = 'this server is a standby, where zcsync changes nothing',
			DETAIL = 'What is changed on the primary arrives here by replication.',
			HINT = 'Run it on the primary.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_standby() IS
'raises an error if this server is a standby, where nothing may be changed';

CREATE FUNCTION zcsync._refuse_restricted() RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_refuse_restricted';
COMMENT ON FUNCTION zcsync._refuse_restricted() IS
'raises an error within SQL of somebody else, such as that of a route or of an index';

-- Whoever may define a route or an index could otherwise ask in the name of the session.
CREATE FUNCTION zcsync._caller() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_restricted();
	RETURN coalesce(nullif(current_setting('role'), 'none'), session_user);
END
$$;
COMMENT ON FUNCTION zcsync._caller() IS
'the role that called a function which runs as the owner of zcsync';

-- May a role see all rows of this table of ours, so that it may be told what an owner's
-- function reads there?
CREATE FUNCTION zcsync._sees_all_rows(p_role name, p_table text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT has_table_privilege(p_role, c.oid, 'SELECT') AND NOT c.relrowsecurity
	FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relname = p_table
$$;
COMMENT ON FUNCTION zcsync._sees_all_rows(name, text) IS
'may a role see all rows of a table? false where row security is on';

-- Errors that are not the fault of the row that met them: the server, the session
-- or another transaction was the cause.  Code that halves a set to find a bad row
-- raises these again, and the whole set is tried later.
CREATE FUNCTION zcsync._is_servers_error(p_sqlstate text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_is_servers_error';
COMMENT ON FUNCTION zcsync._is_servers_error(text) IS
'is an error of this SQLSTATE not the fault of the row that met it?';

-- ---------------------------------------------------------------------
-- Versions of records
-- ---------------------------------------------------------------------

-- Is the first version before the second?  Versions are times, as numbers or in ISO
-- form.  The answer is no where one is missing or the two have different forms, and
-- where they are equal: a vendor's clock has whole seconds, so that either may be the
-- later one.
CREATE FUNCTION zcsync._is_older(p_version text, p_than text) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_is_older';
COMMENT ON FUNCTION zcsync._is_older(text, text) IS
'is this version of a record before that one? false when they cannot be compared';
