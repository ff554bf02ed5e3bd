-- ---------------------------------------------------------------------
-- Leads from files.  create_intake() makes a table with the columns of a file,
-- \copy fills it, plan_import() counts what would happen and import_leads()
-- does it.  A row keeps its number, so it can be mended and imported again.
--
-- An import is one transaction.  How far it is can be seen nevertheless: its
-- sequence moves for everybody at once, and its lock says that it runs.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._create_intake_schema() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- one may be left of an installation before
	IF to_regnamespace('zcsync_intake') IS NULL THEN
		CREATE SCHEMA zcsync_intake;
		COMMENT ON SCHEMA zcsync_intake IS
		'tables of files with leads, made by zcsync.create_intake()';
	ELSIF (SELECT i.nspowner <> z.nspowner FROM pg_namespace i, pg_namespace z
			WHERE i.nspname = 'zcsync_intake' AND z.nspname = 'zcsync') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema "zcsync_intake" belongs to another role than schema "zcsync"',
			HINT = 'Drop it, or give it to the owner of schema "zcsync".';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._create_intake_schema() IS
'makes the schema of files with leads; part of setup()';

-- ---------------------------------------------------------------------
-- Headers
-- ---------------------------------------------------------------------

-- What separates the columns of a file: the first of these that is outside of
-- quotes.
CREATE FUNCTION zcsync._csv_delimiter(p_line text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(substring(regexp_replace(p_line, '"([^"]|"")*"', '', 'g') FROM E'[,;\\t|]'), ',');
END;
COMMENT ON FUNCTION zcsync._csv_delimiter(text) IS
'what separates the columns of the first line of a file';

-- The fields of one line of a CSV file.
CREATE FUNCTION zcsync._csv_fields(p_line text, p_delimiter text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(CASE WHEN m.match[2] LIKE '"%' THEN replace(substr(m.match[2], 2, length(m.match[2]) - 2), '""', '"')
		ELSE btrim(m.match[2]) END ORDER BY m.n)
	FROM regexp_matches(p_delimiter || p_line, format('([%1$s])("(?:[^"]|"")*"|[^"%1$s][^%1$s]*|)', p_delimiter), 'g') WITH ORDINALITY AS m (match, n);
END;
COMMENT ON FUNCTION zcsync._csv_fields(text, text) IS
'the fields of one line of a CSV file';

-- Names of columns, as the headers without what needs quoting; each once.
CREATE FUNCTION zcsync._column_names(p_headers text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- ours, and those that every table has
	v_taken text[] := '{intake_row,ctid,xmin,xmax,cmin,cmax,tableoid}';
	v_names text[] := '{}';
	v_base text;
	v_name text;
	v_n integer;
BEGIN
	FOR i IN 1 .. cardinality(p_headers) LOOP
		v_base := btrim(regexp_replace(zcsync._fold(p_headers[i]), E'[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00a0\\ufeff]+', '_', 'g'), '_');
		v_base := CASE WHEN v_base = '' THEN 'column_' || i WHEN v_base ~ '^[0-9]' THEN 'c_' || v_base ELSE v_base END;
		-- names have 63 bytes
		v_base := left(v_base, 58);
		WHILE octet_length(v_base) > 58 LOOP
			v_base := left(v_base, -1);
		END LOOP;
		v_name := v_base;
		v_n := 1;
		WHILE v_name = ANY (v_taken) LOOP
			v_n := v_n + 1;
			v_name := v_base || '_' || v_n;
		END LOOP;
		v_taken := v_taken || v_name;
		v_names := v_names || v_name;
	END LOOP;
	RETURN v_names;
END
$$;
COMMENT ON FUNCTION zcsync._column_names(text[]) IS
'names of columns made of headers';

-- The columns of a header, and the fields of a lead that each is for.
CREATE FUNCTION zcsync._intake_columns(p_source text, p_header text)
RETURNS TABLE (n bigint, name text, header text, fields text[])
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_line text := regexp_replace(p_header, E'^\\ufeff|[\\r\\n]+$', '', 'g');
	v_headers text[];
BEGIN
	IF coalesce(btrim(v_line), '') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'header must be the first line of the file',
			HINT = 'For example header => ''First Name,Last Name,Email''.';
	ELSIF v_line ~ E'[\\r\\n]' AND regexp_replace(v_line, '"([^"]|"")*"', '', 'g') ~ E'[\\r\\n]' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'header has more than one line';
	ELSIF length(regexp_replace(v_line, '[^"]', '', 'g')) % 2 = 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a quotation mark of the header is not closed';
	END IF;
	v_headers := zcsync._csv_fields(v_line, zcsync._csv_delimiter(v_line));
	IF cardinality(v_headers) > 1000 THEN
		RAISE EXCEPTION USING ERRCODE = 'too_many_columns',
			MESSAGE = format('the file has %s columns', cardinality(v_headers)),
			DETAIL = 'There may be 1000 of them.';
	END IF;
	RETURN QUERY
	SELECT c.n, c.name, c.header, ARRAY(
		SELECT e.key
		FROM zcsync.lead_sources s
		CROSS JOIN LATERAL (
			SELECT m.key, p.place FROM jsonb_each(s.field_map) AS m CROSS JOIN LATERAL jsonb_array_elements_text(m.value) AS p (place)
			UNION ALL SELECT 'source_id', s.id_field WHERE s.id_field IS NOT NULL) AS e (key, place)
		WHERE s.name = p_source AND zcsync._field_key(e.place) = zcsync._field_key(c.name)
		GROUP BY e.key ORDER BY e.key)
	FROM unnest(zcsync._column_names(v_headers), v_headers) WITH ORDINALITY AS c (name, header, n)
	ORDER BY c.n;
END
$$;
COMMENT ON FUNCTION zcsync._intake_columns(text, text) IS
'the columns of the first line of a file, and what a source''s field map makes of each';

-- ---------------------------------------------------------------------
-- Verbs
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._caller() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)
$$;
COMMENT ON FUNCTION zcsync._caller() IS
'the role that called a function which runs as the owner of zcsync';

CREATE FUNCTION zcsync.create_intake(account text, source text, header text) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lead_account(create_intake.account);
	v_columns jsonb;
	v_id bigint;
	v_name text;
	v_delimiter text;
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.lead_sources s WHERE s.name = create_intake.source) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('lead source %s does not exist', coalesce('"' || left(create_intake.source, 80) || '"', 'NULL')),
			HINT = 'The sources are the rows of zcsync.lead_sources; "csv" knows common headers.';
	END IF;
	SELECT jsonb_agg(jsonb_build_object('column', c.name, 'header', c.header, 'fields', c.fields) ORDER BY c.n) INTO v_columns
	FROM zcsync._intake_columns(create_intake.source, create_intake.header) AS c;

	LOOP
		v_id := nextval(pg_get_serial_sequence('zcsync.intakes', 'intake_id'));
		v_name := left(translate(create_intake.source, '.-', '__'), 40) || '_' || v_id;
		EXIT WHEN to_regclass(format('zcsync_intake.%I', v_name)) IS NULL;
	END LOOP;
	INSERT INTO zcsync.intakes (intake_id, name, account_id, source, columns, created_by, created_at)
	VALUES (v_id, v_name, v_account, create_intake.source, v_columns, zcsync._caller(), zcsync._now());
	EXECUTE (SELECT format('CREATE TABLE zcsync_intake.%I (intake_row bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, %s)',
			v_name, string_agg(quote_ident(c ->> 'column') || ' text', ', ' ORDER BY n))
		FROM jsonb_array_elements(v_columns) WITH ORDINALITY AS c (c, n));
	EXECUTE format('CREATE SEQUENCE zcsync_intake.%I MINVALUE 0', v_name || '_done');
	EXECUTE format('COMMENT ON TABLE zcsync_intake.%I IS %L', v_name, 'leads of source ' || create_intake.source);
	EXECUTE format('GRANT USAGE ON SCHEMA zcsync_intake TO %I', zcsync._caller());
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON zcsync_intake.%I TO %I', v_name, zcsync._caller());

	v_delimiter := zcsync._csv_delimiter(create_intake.header);
	RETURN QUERY VALUES ('intake', v_name), ('fill', (
		SELECT format(E'\\copy zcsync_intake.%I (%s) FROM ''file.csv'' (FORMAT csv, HEADER%s)', v_name,
			string_agg(quote_ident(c ->> 'column'), ', ' ORDER BY n),
			CASE v_delimiter WHEN ',' THEN '' WHEN E'\t' THEN E', DELIMITER E''\\t''' ELSE format(', DELIMITER %L', v_delimiter) END)
		FROM jsonb_array_elements(v_columns) WITH ORDINALITY AS c (c, n)));
	RETURN QUERY
	SELECT CASE WHEN c -> 'fields' = '[]' THEN 'unmapped' ELSE 'mapped' END,
		(c ->> 'header') || coalesce(' -> ' || (SELECT string_agg(f, ', ') FROM jsonb_array_elements_text(c -> 'fields') AS f), '')
	FROM jsonb_array_elements(v_columns) WITH ORDINALITY AS c (c, n)
	ORDER BY c -> 'fields' = '[]', n;
END
$$;
COMMENT ON FUNCTION zcsync.create_intake(text, text, text) IS
'makes a table for a file with leads from its first line; says how to fill it, and which of its columns are mapped and which are not';

-- An intake that the caller may use.
CREATE FUNCTION zcsync._intake(p_name text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_intake zcsync.intakes;
BEGIN
	SELECT * INTO v_intake FROM zcsync.intakes i WHERE i.name = regexp_replace(p_name, '^zcsync_intake[.]', '');
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('intake %s does not exist', coalesce('"' || left(p_name, 80) || '"', 'NULL')),
			HINT = 'SELECT name, source, created_at, imported_at FROM zcsync.intakes;';
	ELSIF to_regclass(format('zcsync_intake.%I', v_intake.name)) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_table',
			MESSAGE = format('the table of intake "%s" was dropped', v_intake.name),
			HINT = format('SELECT zcsync.drop_intake(%L);', v_intake.name);
	ELSIF NOT has_table_privilege(zcsync._caller(), format('zcsync_intake.%I', v_intake.name), 'SELECT') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for intake "%s"', v_intake.name);
	END IF;
	RETURN v_intake.name;
END
$$;
COMMENT ON FUNCTION zcsync._intake(text) IS
'the name of an intake; an error if there is none, or the caller may not read it';

-- Lock the leads that an import is about to change.  One of a single slice does so
-- by itself; one of several keeps what a slice has locked while it takes the next.
CREATE FUNCTION zcsync._lock_import(p_name text, p_account bigint, p_source text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_country text := (SELECT a.settings ->> 'country' FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_last bigint := -9223372036854775808;
	v_count integer;
	v_docs jsonb[];
	v_leads bigint[] := '{}';
BEGIN
	EXECUTE format('SELECT count(*) FROM (SELECT FROM zcsync_intake.%I LIMIT 1001) AS r', p_name) INTO v_count;
	IF v_count <= 1000 OR NOT EXISTS (SELECT FROM zcsync.lead_identities i WHERE i.account_id = p_account) THEN
		RETURN;
	END IF;
	LOOP
		EXECUTE format('SELECT max(r.intake_row), array_agg(to_jsonb(r) - ''intake_row'') '
				'FROM (SELECT * FROM zcsync_intake.%I AS t WHERE t.intake_row > $1 ORDER BY t.intake_row LIMIT 1000) AS r', p_name)
			INTO v_last, v_docs USING v_last;
		EXIT WHEN v_last IS NULL;
		v_leads := v_leads || (
			SELECT zcsync._leads_to_change(p_account, p_source, r.rows, zcsync._known_leads(p_account, p_source, r.rows, true))
			FROM (SELECT zcsync._lead_rows_of(ARRAY(SELECT n FROM unnest(zcsync._normalise_leads(p_source, v_docs, v_country)) AS n
				WHERE zcsync._lead_row_error(n) IS NULL)) OFFSET 0) AS r (rows));
	END LOOP;
	PERFORM zcsync._lock_busy_leads(v_leads);
END
$$;
COMMENT ON FUNCTION zcsync._lock_import(text, bigint, text) IS
'locks the leads that an import of several slices is about to change';

-- Take the rows of an intake, a thousand at a time, each time as they are then.
-- An import waits for others of its account.
CREATE FUNCTION zcsync._import_rows(p_intake text)
RETURNS TABLE (file_row bigint, ok boolean, lead_id bigint, result text, error text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_intake zcsync.intakes;
	v_done regclass := format('zcsync_intake.%I', p_intake || '_done');
	v_last bigint := -9223372036854775808;
	v_numbers bigint[];
	v_docs jsonb[];
	v_count bigint := 0;
BEGIN
	SELECT * INTO STRICT v_intake FROM zcsync.intakes i WHERE i.name = p_intake;
	IF NOT pg_try_advisory_xact_lock('zcsync.intakes'::regclass::oid::integer, v_intake.intake_id::integer) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('intake "%s" is being imported by another session', v_intake.name);
	END IF;
	-- Two imports of one account would meet the same leads in another order.
	PERFORM pg_advisory_xact_lock('zcsync.lead_rows'::regclass::oid::integer, (v_intake.account_id % 2147483647)::integer);
	PERFORM setval(v_done, 0, true);
	PERFORM zcsync._lock_import(v_intake.name, v_intake.account_id, v_intake.source);
	LOOP
		EXECUTE format('SELECT array_agg(r.intake_row ORDER BY r.intake_row), array_agg(to_jsonb(r) - ''intake_row'' ORDER BY r.intake_row) '
				'FROM (SELECT * FROM zcsync_intake.%I AS t WHERE t.intake_row > $1 ORDER BY t.intake_row LIMIT 1000) AS r', v_intake.name)
			INTO v_numbers, v_docs USING v_last;
		EXIT WHEN v_numbers IS NULL;
		RETURN QUERY
		SELECT v_numbers[s.index], s.ok, s.lead_id, s.result, s.error
		FROM zcsync._sync_leads(v_intake.account_id, v_intake.source, v_docs, true) AS s;
		v_last := v_numbers[cardinality(v_numbers)];
		v_count := v_count + cardinality(v_numbers);
		PERFORM setval(v_done, v_count, true);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._import_rows(text) IS
'takes the rows of an intake as leads; a row each';

-- Done, counted and undone.
CREATE FUNCTION zcsync.plan_import(intake text) RETURNS TABLE (result text, leads bigint, example text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_intake text := zcsync._intake(plan_import.intake);
	v_plan jsonb;
BEGIN
	v_plan := zcsync._attempt($query$
		SELECT false, coalesce(jsonb_agg(to_jsonb(c)), '[]')
		FROM (
			SELECT r.result, count(*) AS leads, min(r.file_row) AS first,
				(array_agg(r.error ORDER BY r.file_row))[1] AS error
			FROM zcsync._import_rows($1) AS r
			GROUP BY r.result) AS c
		$query$, v_intake);
	RETURN QUERY
	SELECT k.name, coalesce(c.leads, 0), concat_ws(': ', 'row ' || c.first, c.error)
	FROM unnest('{created,merged,flagged,unchanged,rejected}'::text[]) WITH ORDINALITY AS k (name, n)
	LEFT JOIN jsonb_to_recordset(v_plan) AS c (result text, leads bigint, first bigint, error text) ON c.result = k.name
	ORDER BY k.n;
END
$$;
COMMENT ON FUNCTION zcsync.plan_import(text) IS
'counts what import_leads() would do with an intake, with a row of the file as an example of each, and writes nothing';

CREATE FUNCTION zcsync.import_leads(intake text)
RETURNS TABLE (file_row bigint, ok boolean, lead text, result text, error text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_intake text := zcsync._intake(import_leads.intake);
	v_prefix text := (SELECT a.name || '/leads/#' FROM zcsync.intakes i JOIN zcsync.accounts a ON a.account_id = i.account_id
		WHERE i.name = v_intake);
	v_names text[] := '{created,merged,flagged,unchanged,rejected}';
	v_rows integer[] := '{0,0,0,0,0}';
	v_row record;
	v_counts jsonb;
BEGIN
	FOR v_row IN SELECT * FROM zcsync._import_rows(v_intake) LOOP
		v_rows[array_position(v_names, v_row.result)] := v_rows[array_position(v_names, v_row.result)] + 1;
		file_row := v_row.file_row;
		ok := v_row.ok;
		lead := v_prefix || v_row.lead_id;
		result := v_row.result;
		error := v_row.error;
		RETURN NEXT;
	END LOOP;
	SELECT jsonb_object_agg(c.name, c.leads) INTO v_counts FROM unnest(v_names, v_rows) AS c (name, leads);
	UPDATE zcsync.intakes i SET imported_at = zcsync._now(), counts = v_counts
	WHERE i.name = v_intake AND i.counts IS DISTINCT FROM v_counts;
END
$$;
COMMENT ON FUNCTION zcsync.import_leads(text) IS
'takes the rows of an intake as leads; a row for each, by its number in the file: created, merged, flagged, unchanged or rejected and why';

CREATE FUNCTION zcsync.drop_intake(intake text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := regexp_replace(drop_intake.intake, '^zcsync_intake[.]', '');
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.intakes i WHERE i.name = v_name)
		OR to_regclass(format('zcsync_intake.%I', v_name)) IS NOT NULL THEN
		v_name := zcsync._intake(v_name);
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS zcsync_intake.%I', v_name);
	EXECUTE format('DROP SEQUENCE IF EXISTS zcsync_intake.%I', v_name || '_done');
	DELETE FROM zcsync.intakes i WHERE i.name = v_name;
END
$$;
COMMENT ON FUNCTION zcsync.drop_intake(text) IS
'drops the table of a file with leads; its leads stay';

CREATE FUNCTION zcsync._drop_account_intakes(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync.drop_intake(i.name) FROM zcsync.intakes i WHERE i.account_id = p_account;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._drop_account_intakes(bigint) IS
'drops the tables of the files that an account has imported';

CREATE FUNCTION zcsync._account_intakes() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('intakes', 30, p_remove => 'zcsync._drop_account_intakes(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_intakes() IS
'what is done about intakes when an account goes';

-- Imports that run, for zcsync.progress.
CREATE FUNCTION zcsync._running_imports() RETURNS TABLE (name text, account text, done bigint, estimate bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT i.name, a.name, pg_sequence_last_value(format('zcsync_intake.%I', i.name || '_done')::regclass),
		pg_sequence_last_value(pg_get_serial_sequence(format('zcsync_intake.%I', i.name), 'intake_row')::regclass)
	FROM pg_locks l
	JOIN zcsync.intakes i ON i.intake_id = l.objid::bigint
	JOIN zcsync.accounts a ON a.account_id = i.account_id
	WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 'zcsync.intakes'::regclass::oid
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND to_regclass(format('zcsync_intake.%I', i.name)) IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._running_imports() IS
'the imports of leads that run now, and how many rows of how many they have done';
