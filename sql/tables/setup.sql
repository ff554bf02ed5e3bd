-- ---------------------------------------------------------------------
-- Setting up, checking, stopping and starting a whole database.
-- ---------------------------------------------------------------------

-- What setup() does besides making tables.  The rooms register it, so that setup() need
-- not know them: it calls each function of schema zcsync that returns this type, and
-- runs the steps in the order of their places, those below 50 before partitions are
-- made.
CREATE TYPE zcsync.setup_step AS (
	place integer,
	step regprocedure);
COMMENT ON TYPE zcsync.setup_step IS
'a function without arguments that setup() calls each time, and when';

-- The functions with which rooms register something: they have no arguments and return
-- rows of a type made for that.  Only a superuser can create functions in schema
-- zcsync; that one owns them is checked all the same, since they are called with its
-- owner's rights.
CREATE FUNCTION zcsync._registrations(p_type regtype) RETURNS SETOF regproc
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p.oid::regproc
	FROM pg_depend AS d		-- which has an index by type, and pg_proc has none
	JOIN pg_proc AS p ON p.oid = d.objid
	JOIN pg_namespace AS n ON n.oid = p.pronamespace
	WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = p_type AND d.classid = 'pg_proc'::regclass AND d.deptype = 'n'
		AND p.prorettype = p_type AND p.proretset AND p.pronargs = 0 AND n.nspname = 'zcsync' AND p.proowner = n.nspowner
	ORDER BY p.proname
$$;
COMMENT ON FUNCTION zcsync._registrations(regtype) IS
'the functions without arguments that return rows of a type: with these, rooms register something';

CREATE FUNCTION zcsync._run_setup_steps(p_from integer, p_below integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_says regproc;
	v_said zcsync.setup_step[];
	v_steps zcsync.setup_step[];
	v_step regproc;
BEGIN
	FOR v_says IN SELECT r FROM zcsync._registrations('zcsync.setup_step') AS r LOOP
		EXECUTE format('SELECT array_agg(s) FROM %s() AS s', v_says) INTO v_said;
		v_steps := v_steps || v_said;
	END LOOP;
	FOR v_step IN SELECT s.step::oid FROM unnest(v_steps) AS s WHERE s.place >= p_from AND s.place < p_below ORDER BY s.place LOOP
		EXECUTE format('SELECT %s()', v_step);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._run_setup_steps(integer, integer) IS
'runs the steps of setup() whose places lie between these';

-- Make tables, triggers, views, default rows, partitions, the worker's role and its
-- grants.  It may be run again at any time without harm.  It runs as the owner of the
-- extension, so that tables and functions have the same owner.
CREATE FUNCTION zcsync.setup() RETURNS TABLE (item text, action text, detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning	-- it says nothing of what is there already
AS $$
DECLARE
	v_encoding text := getdatabaseencoding();
	v_from integer;
	v_to integer := zcsync._tables_version();
	v_partitions integer;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF v_encoding <> 'UTF8' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'feature_not_supported',
			MESSAGE = format('zcsync cannot be used in a database with encoding %s', v_encoding),
			DETAIL = 'Vendors send text in UTF-8, parts of which this encoding cannot store.',
			HINT = 'Create a database with ENCODING ''UTF8'' TEMPLATE template0.';
	END IF;

	-- one session at a time
	PERFORM pg_advisory_xact_lock(hashtextextended('zcsync.setup', 0));

	v_from := zcsync._migrate();
	item := 'tables';
	action := CASE WHEN v_from = 0 THEN 'created' WHEN v_from < v_to THEN 'migrated' ELSE 'kept' END;
	detail := CASE WHEN v_from IN (0, v_to) THEN format('version %s', v_to)
		ELSE format('version %s to %s', v_from, v_to) END;
	RETURN NEXT;

	item := 'role';
	action := CASE WHEN zcsync._create_role() THEN 'created' ELSE 'kept' END;
	detail := zcsync._worker_role();
	RETURN NEXT;

	PERFORM zcsync._default_rows();
	PERFORM zcsync._run_setup_steps(0, 50);
	v_partitions := zcsync.create_partitions();
	PERFORM zcsync._set_table_options();
	item := 'partitions';
	action := CASE WHEN v_partitions > 0 THEN 'created' ELSE 'kept' END;
	detail := format('%s new', v_partitions);
	RETURN NEXT;

	PERFORM zcsync._run_setup_steps(50, 100);
	item := 'grants';
	action := 'granted';
	detail := format('to %s: what the worker needs', zcsync._worker_role());
	RETURN NEXT;

	PERFORM zcsync._wake_launcher();

	RETURN QUERY
	SELECT c.item, 'to do', concat_ws('; ', c.message, c.hint)
	FROM zcsync.selfcheck() AS c
	WHERE NOT c.ok AND c.item NOT IN ('launcher', 'worker', 'work');	-- they see this when it commits
END
$$;
COMMENT ON FUNCTION zcsync.setup() IS
'creates or migrates the tables of zcsync, the role of its worker and the grants; says what it did and what is still to do';

-- Run the migration steps that are missing.  Returns the version before.
CREATE FUNCTION zcsync._migrate() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_from integer := 0;
	v_to integer := zcsync._tables_version();
	v_identity record;
BEGIN
	IF to_regclass('zcsync.installation') IS NOT NULL THEN
		SELECT i.tables_version INTO v_from FROM zcsync.installation AS i FOR UPDATE;
		IF NOT FOUND THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = 'table "zcsync.installation" is empty',
				DETAIL = 'Which tables exist cannot be known without its row.',
				HINT = 'Restore the row from a backup.';
		END IF;
	END IF;
	IF v_from > v_to THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the tables are of version %s, this zcsync knows version %s only', v_from, v_to),
			HINT = 'Run ALTER EXTENSION zcsync UPDATE.';
	END IF;

	IF v_from < v_to THEN
		PERFORM zcsync._run_steps(v_from);
		PERFORM zcsync._compress_documents();
	END IF;

	IF v_from = 0 THEN
		v_identity := zcsync._identity();
		INSERT INTO zcsync.installation (tables_version, system_identifier, database_oid, timeline, control_file, machine, created_at)
		VALUES (v_to, v_identity.system_identifier, v_identity.database_oid, v_identity.timeline, v_identity.control_file, v_identity.machine, zcsync._now());
	ELSIF v_from < v_to THEN
		UPDATE zcsync.installation SET tables_version = v_to;
	END IF;
	RETURN v_from;
END
$$;
COMMENT ON FUNCTION zcsync._migrate() IS
'runs the migration steps that are missing; returns the version of the tables before';

-- lz4 takes a third less time than pglz for a page of documents; not every server is
-- built with it.
CREATE FUNCTION zcsync._compress_documents() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		EXECUTE format('ALTER TABLE zcsync.%I ALTER base SET COMPRESSION lz4, ALTER remote SET COMPRESSION lz4', v_kind);
	END LOOP;
EXCEPTION WHEN feature_not_supported THEN
	NULL;
END
$$;
COMMENT ON FUNCTION zcsync._compress_documents() IS
'compresses the documents of new mirror tables by lz4 where the server can; part of setup()';

CREATE FUNCTION zcsync._worker_role() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(current_setting('zcsync.role', true), ''), 'zcsync_worker');
END;
COMMENT ON FUNCTION zcsync._worker_role() IS
'the role that workers run as: setting zcsync.role';

-- Roles belong to the whole server, so this one may exist already: made by setup() in
-- another database, or by an administrator.
CREATE FUNCTION zcsync._create_role() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_role text := zcsync._worker_role();
	v_row record;
BEGIN
	SELECT r.rolsuper, r.rolcanlogin INTO v_row FROM pg_roles AS r WHERE r.rolname = v_role;
	IF NOT FOUND THEN
		EXECUTE format('CREATE ROLE %I LOGIN', v_role);
		EXECUTE format('COMMENT ON ROLE %I IS %L', v_role, 'background workers of zcsync');
		RETURN true;
	END IF;
	IF v_row.rolsuper THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = format('role "%s" is a superuser', v_role),
			DETAIL = 'Workers of zcsync do not run as a superuser.',
			HINT = format('Name another role in "zcsync.role", or run ALTER ROLE %I NOSUPERUSER.', v_role);
	ELSIF NOT v_row.rolcanlogin THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('role "%s" may not log in', v_role),
			HINT = format('Name another role in "zcsync.role", or run ALTER ROLE %I LOGIN.', v_role);
	END IF;
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._create_role() IS
'creates the role of the workers unless it exists; an existing one must fit';

-- The queues that zcsync itself uses.  Existing ones are not changed.
CREATE FUNCTION zcsync._default_rows() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.queues (name, concurrency, max_attempts, backoff_base, keep_completed, keep_failed)
	VALUES
		('ticket-sync', 5, 3, '2 seconds', 100, 50),
		('task-sync', 5, 3, '2 seconds', 100, 50),
		('contact-sync', 5, 3, '2 seconds', 100, 50),
		('lead-sync', 5, 3, '5 seconds', 50, 100),
		('catalogue-sync', 2, 3, '5 seconds', 100, 50),
		('route', 1, 3, '2 seconds', 100, 50),
		('account', 1, 5, '2 seconds', 100, 50)
	ON CONFLICT (name) DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._default_rows() IS
'adds the queues that zcsync itself uses where they are missing';

-- ---------------------------------------------------------------------
-- May zcsync work in this database?
-- ---------------------------------------------------------------------

-- The worker calls this once a second, and CALL zcsync.run() when it begins.  A copy of
-- a database (TEMPLATE, a restored dump, a clone of the disk) has the row of its
-- original in zcsync.installation, and sends nothing until a person says that this
-- database shall send.
CREATE FUNCTION zcsync._worker_guard() RETURNS TABLE (may_run boolean, reason text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
BEGIN
	may_run := false;
	IF pg_is_in_recovery() THEN
		reason := 'the server is a standby';
		RETURN NEXT;
		RETURN;
	END IF;
	IF to_regclass('zcsync.installation') IS NOT NULL THEN
		SELECT * INTO v_row FROM zcsync.installation;
	END IF;
	IF v_row IS NULL THEN
		reason := 'zcsync.setup() has not been run';
		hint := 'SELECT * FROM zcsync.setup();';
	ELSIF v_row.tables_version < zcsync._tables_version() THEN
		reason := format('the tables are of version %s, zcsync needs version %s',
			v_row.tables_version, zcsync._tables_version());
		hint := 'SELECT * FROM zcsync.setup();';
	ELSIF v_row.tables_version > zcsync._tables_version() THEN
		reason := format('the tables are of version %s, this zcsync knows version %s only',
			v_row.tables_version, zcsync._tables_version());
		hint := 'ALTER EXTENSION zcsync UPDATE;';
	ELSE
		reason := zcsync._copied();
		IF reason IS NOT NULL THEN
			hint := 'SELECT zcsync.adopt_database();';
		ELSIF v_row.stopped THEN
			reason := 'zcsync.stop() was called';
			hint := 'SELECT zcsync.start();';
		ELSE
			may_run := true;
		END IF;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._worker_guard() IS
'may zcsync work in this database, and if not why, and what to run';

-- ---------------------------------------------------------------------
-- Stop and start
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._set_stopped(p_stopped boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF to_regclass('zcsync.installation') IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'zcsync is not set up in this database',
			HINT = 'Run SELECT * FROM zcsync.setup();';
	END IF;
	UPDATE zcsync.installation SET stopped = p_stopped, stopped_at = CASE WHEN p_stopped THEN coalesce(stopped_at, now()) END;
	PERFORM zcsync._wake_launcher();
END
$$;
COMMENT ON FUNCTION zcsync._set_stopped(boolean) IS
'what zcsync.stop() and zcsync.start() do';

CREATE FUNCTION zcsync.stop() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._set_stopped(true);
END
$$;
COMMENT ON FUNCTION zcsync.stop() IS
'ends the worker of this database within a second, and keeps it from starting again until zcsync.start()';

CREATE FUNCTION zcsync.start() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._set_stopped(false);
END
$$;
COMMENT ON FUNCTION zcsync.start() IS
'undoes zcsync.stop()';

-- ---------------------------------------------------------------------
-- Self-check
-- ---------------------------------------------------------------------

-- A condition that zcsync needs.  The rooms register their own: selfcheck() calls each
-- function of schema zcsync without arguments that returns this type, and shows the
-- conditions in the order of their places.
CREATE TYPE zcsync.condition AS (
	place integer,
	item text,
	ok boolean,
	message text,
	hint text);				-- what to run, or to do
COMMENT ON TYPE zcsync.condition IS
'a condition that zcsync needs: whether it holds, and where selfcheck() shows it';

-- A condition without which data is still in step: of the same shape, and registered in
-- the same way.
CREATE TYPE zcsync.remark AS (
	place integer,
	item text,
	ok boolean,
	message text,
	hint text);
COMMENT ON TYPE zcsync.remark IS
'a condition that selfcheck() shows and without which data is still in step: the view status does not ask for it';

CREATE FUNCTION zcsync._conditions(p_type regtype) RETURNS SETOF zcsync.condition
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_says regproc;
	v_said zcsync.condition[];
	v_conditions zcsync.condition[];
BEGIN
	FOR v_says IN SELECT r FROM zcsync._registrations(p_type) AS r LOOP
		-- if one of them cannot be asked, the others are still shown
		BEGIN
			EXECUTE format('SELECT array_agg(ROW(c.*)::zcsync.condition) FROM %s() AS c', v_says) INTO v_said;
		EXCEPTION WHEN OTHERS THEN
			v_said := ARRAY[ROW(99, 'check', false, format('%s() failed: %s', v_says, SQLERRM), 'SELECT * FROM zcsync.setup();')::zcsync.condition];
		END;
		v_conditions := v_conditions || v_said;
	END LOOP;
	-- the contents of the database can be changed on the primary only
	RETURN QUERY SELECT c.place, c.item, c.ok, c.message,
		c.hint || CASE WHEN pg_is_in_recovery() AND split_part(c.hint, ' ', 1) IN ('ALTER', 'CALL', 'CREATE', 'DROP', 'GRANT', 'SELECT')
			AND NOT starts_with(c.hint, 'ALTER SYSTEM') THEN ' -- on the primary' ELSE '' END
	FROM unnest(v_conditions) WITH ORDINALITY AS c (place, item, ok, message, hint, n) ORDER BY c.place, c.n;
END
$$;
COMMENT ON FUNCTION zcsync._conditions(regtype) IS
'the conditions that are registered by this type: zcsync.condition or zcsync.remark';

CREATE FUNCTION zcsync.selfcheck() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.item, c.ok, c.message, c.hint
	FROM unnest('{zcsync.condition,zcsync.remark}'::regtype[]) AS t (type) CROSS JOIN LATERAL zcsync._conditions(t.type) WITH ORDINALITY AS c
	ORDER BY c.place, c.ordinality
$$;
COMMENT ON FUNCTION zcsync.selfcheck() IS
'one row for each condition that zcsync needs: whether it holds, and if not the SQL to paste';

-- The statement that adds a library to shared_preload_libraries.
CREATE FUNCTION zcsync._preload_hint(p_library text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('ALTER SYSTEM SET shared_preload_libraries = %s; -- then restart the server',
		string_agg(quote_literal(l.library), ', ' ORDER BY l.position))
	FROM (
		SELECT trim(BOTH ' "' FROM u.library), u.position
		FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',')) WITH ORDINALITY AS u (library, position)
		WHERE trim(BOTH ' "' FROM u.library) NOT IN ('', p_library)
		UNION ALL
		SELECT p_library, 2147483647) AS l (library, position)
$$;
COMMENT ON FUNCTION zcsync._preload_hint(text) IS
'the statement that adds a library to those that are preloaded already';

CREATE FUNCTION zcsync._check_server() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := now();
BEGIN
	item := 'encoding';
	ok := getdatabaseencoding() = 'UTF8';
	message := format('the encoding of this database is %s', getdatabaseencoding());
	hint := CASE WHEN NOT ok THEN 'CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0;' END;
	RETURN NEXT;

	-- TLS certificates, tokens and cursors all depend on the clock
	item := 'clock';
	ok := v_now BETWEEN '2025-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00'
		AND v_now >= pg_postmaster_start_time();
	message := format('the server says that it is %s UTC', to_char(v_now AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'));
	hint := CASE WHEN NOT ok THEN 'Set the clock of the server, best by NTP.' END;
	RETURN NEXT;

	item := 'preload';
	ok := zcsync._preloaded();
	message := CASE WHEN ok THEN 'zcsync is preloaded'
		ELSE 'zcsync is not preloaded: nothing runs in the background, only CALL zcsync.run() works' END;
	hint := CASE WHEN NOT ok THEN zcsync._preload_hint('zcsync') END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_server() IS
'the part of zcsync.selfcheck() about the server';

-- Why workers cannot run as this role here; NULL: they can.  Workers that run already
-- go on, but none could be started again.
CREATE FUNCTION zcsync._role_trouble(p_role text, OUT message text, OUT hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
BEGIN
	SELECT r.rolsuper, r.rolcanlogin INTO v_row FROM pg_roles AS r WHERE r.rolname = p_role;
	IF NOT FOUND THEN
		message := format('role "%s" does not exist', p_role);
		hint := 'SELECT * FROM zcsync.setup();';
	ELSIF v_row.rolsuper THEN
		message := format('role "%s" is a superuser', p_role);
		hint := format('ALTER ROLE %I NOSUPERUSER;', p_role);
	ELSIF NOT v_row.rolcanlogin THEN
		message := format('role "%s" may not log in', p_role);
		hint := format('ALTER ROLE %I LOGIN;', p_role);
	ELSIF NOT has_database_privilege(p_role, current_database(), 'CONNECT') THEN
		message := format('role "%s" may not connect to this database', p_role);
		hint := format('GRANT CONNECT ON DATABASE %I TO %I;', current_database(), p_role);
	ELSIF NOT has_schema_privilege(p_role, 'zcsync', 'USAGE') THEN
		message := format('role "%s" lacks grants', p_role);
		hint := 'SELECT * FROM zcsync.setup();';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._role_trouble(text) IS
'why workers cannot run as a role, and what to run; NULL: they can';

-- Why the launcher starts no worker for this database; NULL: it does.
CREATE FUNCTION zcsync._database_trouble(OUT message text, OUT hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
BEGIN
	SELECT d.* INTO v_row FROM pg_database AS d WHERE d.datname = current_database();
	IF NOT zcsync._names_database(v_row.datname) THEN
		message := format('zcsync.databases does not name this database, it is "%s"', current_setting('zcsync.databases'));
		hint := format('ALTER SYSTEM SET zcsync.databases = %s; SELECT pg_reload_conf();',
			concat_ws(', ', nullif(current_setting('zcsync.databases'), ''), quote_ident(v_row.datname)));
	ELSIF v_row.datistemplate THEN
		message := 'this database is a template';
		hint := format('ALTER DATABASE %I IS_TEMPLATE false;', v_row.datname);
	ELSIF NOT v_row.datallowconn THEN
		message := 'this database allows no connections';
		hint := format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', v_row.datname);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._database_trouble() IS
'why there is no worker for this database, and what to run; NULL: nothing prevents one';

CREATE FUNCTION zcsync._check_installation() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_role text := zcsync._worker_role();
	v_row record;
BEGIN
	item := 'installation';
	SELECT g.may_run, g.reason, g.hint INTO ok, message, hint FROM zcsync._worker_guard() AS g;
	message := coalesce(message, format('set up, tables are of version %s', zcsync._tables_version()));
	IF pg_is_in_recovery() THEN
		ok := to_regclass('zcsync.installation') IS NOT NULL;
		message := CASE WHEN ok THEN 'this server is a standby: zcsync begins to work here when it is promoted'
			ELSE 'this server is a standby, and zcsync.setup() has not been run on its primary' END;
		hint := CASE WHEN NOT ok THEN 'SELECT * FROM zcsync.setup();' END;
	END IF;
	RETURN NEXT;

	item := 'role';
	SELECT * INTO v_row FROM zcsync._role_trouble(v_role);
	ok := v_row.message IS NULL;
	message := coalesce(v_row.message, format('workers run as role "%s"', v_role));
	hint := v_row.hint;
	RETURN NEXT;

	item := 'writes';
	ok := coalesce(nullif(current_setting('zcsync.writes', true), '')::boolean, true);
	message := CASE WHEN ok THEN 'changes are sent to vendors'
		ELSE 'zcsync.writes is off: changes are kept and not sent' END;
	hint := CASE WHEN NOT ok THEN 'ALTER SYSTEM SET zcsync.writes = on; SELECT pg_reload_conf();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_installation() IS
'the part of zcsync.selfcheck() about this database';

-- The statement that makes room for more processes: two for each database, and
-- one more for the launcher.
CREATE FUNCTION zcsync._more_processes() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
		current_setting('max_worker_processes')::integer + 2 * current_setting('zcsync.workers_max', true)::integer + 1)
$$;
COMMENT ON FUNCTION zcsync._more_processes() IS
'the statement that gives zcsync more processes';

CREATE FUNCTION zcsync._check_launcher() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_launcher record;
BEGIN
	SELECT * INTO v_launcher FROM zcsync._worker_slots() AS w WHERE w.database IS NULL;
	item := 'launcher';
	ok := v_launcher.pid IS NOT NULL AND v_launcher.reason IS NULL;
	message := CASE WHEN v_launcher.pid IS NULL THEN 'the launcher is not running'
		ELSE coalesce(v_launcher.reason, format('the launcher runs as process %s', v_launcher.pid)) END;
	hint := CASE
		WHEN v_launcher.pid IS NOT NULL THEN v_launcher.hint
		-- the server had no room for it when it started
		WHEN v_launcher.started_at IS NULL THEN zcsync._more_processes()
		ELSE 'It is started again after 5 seconds; if not, see the server log.' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_launcher() IS
'the part of zcsync.selfcheck() about the launcher';

-- Is there a worker, and does it get its work done?
CREATE FUNCTION zcsync._check_worker() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_slot record;
	v_why record;
	v_loops boolean;
BEGIN
	SELECT * INTO v_slot
	FROM zcsync._worker_slots() AS w
	WHERE w.role = 'worker' AND w.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
	-- a worker that has just been started again, and not for the first time, may end
	-- again
	v_loops := v_slot.restarts > 1 AND v_slot.started_at > clock_timestamp() - interval '1 minute';
	item := 'worker';
	ok := coalesce(v_slot.state IN ('running', 'starting') AND NOT v_loops, false);
	IF ok THEN
		message := format('the worker runs as process %s', v_slot.pid);
	ELSIF v_slot.state IS NULL THEN
		SELECT * INTO v_why FROM zcsync._database_trouble();
		message := coalesce(v_why.message, 'this database has no worker yet');
		hint := coalesce(v_why.hint, format('The launcher looks for databases every %s.', current_setting('zcsync.discover_interval')));
	ELSE
		message := CASE WHEN v_slot.state IN ('running', 'starting') THEN
				concat_ws(': ', format('the worker ended %s times in a row', v_slot.restarts), v_slot.last_error)
			ELSE concat_ws(': ', v_slot.state, v_slot.reason, v_slot.last_error) END;
		hint := CASE v_slot.reason
			WHEN 'no background worker slot is free' THEN zcsync._more_processes()
			WHEN 'all database workers of zcsync are in use' THEN
				format('ALTER SYSTEM SET zcsync.workers_max = %s; -- then restart the server', current_setting('zcsync.workers_max')::integer * 2)
			ELSE coalesce(v_slot.hint, 'See the server log for its last message.') END;
	END IF;
	RETURN NEXT;

	IF ok THEN
		item := 'work';
		ok := NOT v_slot.failing;
		message := CASE WHEN ok THEN 'the worker does its work' ELSE v_slot.last_error END;
		hint := CASE WHEN NOT ok THEN 'SELECT * FROM zcsync.setup(); -- if a right or a table is missing; else see the server log' END;
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_worker() IS
'the part of zcsync.selfcheck() about the worker of this database';

-- The local worker is there only while it has something to do.
CREATE FUNCTION zcsync._check_local_worker() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_slot record;
BEGIN
	SELECT * INTO v_slot
	FROM zcsync._worker_slots() AS w
	WHERE w.role = 'local worker' AND w.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
	IF NOT FOUND THEN
		RETURN;
	END IF;
	item := 'local worker';
	ok := v_slot.reason IS NULL AND (v_slot.last_error IS NULL OR v_slot.restarts = 0) AND NOT v_slot.failing;
	message := CASE WHEN v_slot.reason IS NOT NULL THEN v_slot.reason
		WHEN ok THEN concat_ws(' ', 'the local worker runs as process', v_slot.pid)
		WHEN v_slot.failing AND v_slot.pid IS NOT NULL THEN v_slot.last_error
		ELSE concat_ws(': ', 'the local worker ended', v_slot.last_error) END;
	hint := CASE WHEN v_slot.reason IS NOT NULL THEN zcsync._more_processes()
		WHEN NOT ok THEN 'It is started again after a while; see the server log for its last message.' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_local_worker() IS
'the part of zcsync.selfcheck() about the local worker of this database';

-- pg_cron is a convenience: without it, maintenance must be called.
CREATE FUNCTION zcsync._check_cron() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_cron_database text := current_setting('cron.database_name', true);
BEGIN
	item := 'pg_cron';
	ok := true;
	IF EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		message := 'pg_cron is in this database';
		hint := NULL;
	ELSIF v_cron_database IS NULL THEN
		message := 'optional: pg_cron is not preloaded; without it, call zcsync.maintain() every hour';
		hint := CASE WHEN EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'pg_cron')
			THEN zcsync._preload_hint('pg_cron')
			ELSE 'Install the package postgresql-NN-cron.' END;
	ELSIF v_cron_database = current_database() THEN
		message := 'optional: pg_cron is preloaded for this database, but not created';
		hint := 'CREATE EXTENSION pg_cron;';
	ELSE
		message := format('pg_cron works in database "%s", and can run jobs in this one', v_cron_database);
		hint := NULL;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_cron() IS
'the part of zcsync.selfcheck() about pg_cron';

CREATE FUNCTION zcsync._installation_conditions() RETURNS SETOF zcsync.condition
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 10, c.* FROM zcsync._check_server() AS c
	UNION ALL SELECT 20, c.* FROM zcsync._check_installation() AS c
	UNION ALL SELECT 30, c.* FROM zcsync._check_launcher() AS c WHERE zcsync._preloaded() AND NOT pg_is_in_recovery()
	UNION ALL SELECT 31, c.* FROM zcsync._check_worker() AS c WHERE zcsync._preloaded() AND NOT pg_is_in_recovery()
	UNION ALL SELECT 32, c.* FROM zcsync._check_local_worker() AS c WHERE zcsync._preloaded() AND NOT pg_is_in_recovery()
	UNION ALL SELECT 27, c.* FROM zcsync._check_partitions() AS c
$$;
COMMENT ON FUNCTION zcsync._installation_conditions() IS
'the conditions of the server, this database and the processes that zcsync.selfcheck() shows';

CREATE FUNCTION zcsync._installation_remarks() RETURNS SETOF zcsync.remark
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 50, c.* FROM zcsync._check_cron() AS c
$$;
COMMENT ON FUNCTION zcsync._installation_remarks() IS
'what zcsync.selfcheck() says of programs that zcsync may use';
