-- ---------------------------------------------------------------------
-- Leads from files.  create_intake() makes a table with the columns of a file, \copy
-- fills it, plan_import() counts what would happen, and import_leads() does it.  A row
-- keeps its number, so it can be corrected and imported again.
--
-- An import is one transaction.  Its progress can be seen nevertheless: its sequences
-- change for everybody at once, and its lock shows that it is running.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._create_intake_schema() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- a former installation may have left one
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

-- The delimiter of a file's columns: the first of these characters that is outside of
-- quotes.
CREATE FUNCTION zcsync._csv_delimiter(p_line text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(substring(regexp_replace(p_line, '"([^"]|"")*"', '', 'g') FROM E'[,;\\t|]'), ',');
END;
COMMENT ON FUNCTION zcsync._csv_delimiter(text) IS
'the delimiter of the columns in the first line of a file';

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

-- Names of columns: the headers without characters that need quoting, each name once.
CREATE FUNCTION zcsync._column_names(p_headers text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- the name of our own column, and of columns that every table has
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

-- The columns of a header, and for each the field of a lead that it fills.
CREATE FUNCTION zcsync._intake_columns(p_source text, p_header text, p_delimiter text DEFAULT NULL)
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
	v_headers := zcsync._csv_fields(v_line, coalesce(p_delimiter, zcsync._csv_delimiter(v_line)));
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
COMMENT ON FUNCTION zcsync._intake_columns(text, text, text) IS
'the columns of the first line of a file, and what a source''s field map makes of each';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.create_intake(account text, source text, header text) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lead_account(create_intake.account);
	v_columns jsonb;
	v_id bigint;
	v_name text;
	v_first text := substring(create_intake.header FROM E'^\ufeff?(?:sep|SEP|Sep)=[^\r\n]*[\r\n]*');
	v_header text := substr(create_intake.header, length(coalesce(v_first, '')) + 1);
	v_delimiter text := coalesce(substring(v_first FROM '=([^[:cntrl:]"])'), zcsync._csv_delimiter(v_header));
BEGIN
	PERFORM zcsync._refuse_standby();
	IF v_first IS NOT NULL AND btrim(v_header, E' \r\n') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the line "%s" has no names of columns', rtrim(v_first, E'\r\n')),
			DETAIL = 'It tells spreadsheets which character separates the columns; the next line of the file has their names.',
			HINT = E'Give both lines: header => E''sep=;\\nFirst Name;Last Name''.';
	END IF;
	IF NOT EXISTS (SELECT FROM zcsync.lead_sources s WHERE s.name = create_intake.source) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('lead source %s does not exist', coalesce('"' || left(create_intake.source, 80) || '"', 'NULL')),
			HINT = 'The sources are the rows of zcsync.lead_sources; "csv" knows common headers.';
	END IF;
	SELECT jsonb_agg(jsonb_build_object('column', c.name, 'header', c.header, 'fields', c.fields) ORDER BY c.n) INTO v_columns
	FROM zcsync._intake_columns(create_intake.source, v_header, v_delimiter) AS c;

	LOOP
		v_id := nextval(pg_get_serial_sequence('zcsync.intakes', 'intake_id'));
		v_name := left(translate(create_intake.source, '.-', '__'), 40) || '_' || v_id;
		EXIT WHEN to_regclass(format('zcsync_intake.%I', v_name)) IS NULL;
	END LOOP;
	INSERT INTO zcsync.intakes (intake_id, name, account_id, source, columns, delimiter, created_by, created_at)
	VALUES (v_id, v_name, v_account, create_intake.source, v_columns, v_delimiter, zcsync._caller(), zcsync._now());
	EXECUTE (SELECT format('CREATE TABLE zcsync_intake.%I (intake_row bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, %s)',
			v_name, string_agg(quote_ident(c ->> 'column') || ' text', ', ' ORDER BY n))
		FROM jsonb_array_elements(v_columns) WITH ORDINALITY AS c (c, n));
	EXECUTE format('CREATE SEQUENCE zcsync_intake.%I MINVALUE 0', v_name || '_done');
	EXECUTE format('CREATE SEQUENCE zcsync_intake.%I MINVALUE 0', v_name || '_begun');
	EXECUTE format('COMMENT ON TABLE zcsync_intake.%I IS %L', v_name, 'leads of source ' || create_intake.source);
	EXECUTE format('GRANT USAGE ON SCHEMA zcsync_intake TO %I', zcsync._caller());
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON zcsync_intake.%I TO %I', v_name, zcsync._caller());

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

-- An intake of this name, if the caller may use it.
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

-- Up to a thousand rows of an intake from this number on, in their order, as they are
-- now; NULL: there are none left.
CREATE FUNCTION zcsync._intake_slice(p_name text, p_after bigint, OUT numbers bigint[], OUT docs jsonb[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off		-- by the primary key, however many rows the planner expects
SET jit = off
AS $$
BEGIN
	EXECUTE format('SELECT array_agg(r.intake_row), array_agg(to_jsonb(r) - ''intake_row'') '
			'FROM (SELECT * FROM zcsync_intake.%I AS t WHERE t.intake_row > $1 ORDER BY t.intake_row LIMIT 1000) AS r', p_name)
		INTO numbers, docs USING p_after;
END
$$;
COMMENT ON FUNCTION zcsync._intake_slice(text, bigint) IS
'the next thousand rows of an intake';

-- Show how far an import is; the first time also when it began.
CREATE FUNCTION zcsync._note_import(p_name text, p_done bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_done = 0 THEN
		PERFORM setval(format('zcsync_intake.%I', p_name || '_begun')::regclass, extract(epoch FROM zcsync._now())::bigint, true);
	END IF;
	PERFORM setval(format('zcsync_intake.%I', p_name || '_done')::regclass, p_done, true);
END
$$;
COMMENT ON FUNCTION zcsync._note_import(text, bigint) IS
'notes how many rows of an intake are done, for zcsync.progress';

-- What an import needs to know of an intake: its row, the country of its account, and
-- the document that a line with the headers would be.
CREATE FUNCTION zcsync._intake_doc(p_name text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT to_jsonb(i) || jsonb_build_object('country', a.settings ->> 'country',
		'headers', (SELECT jsonb_object_agg(c ->> 'column', c ->> 'header') FROM jsonb_array_elements(i.columns) AS c))
	FROM zcsync.intakes i JOIN zcsync.accounts a ON a.account_id = i.account_id
	WHERE i.name = p_name
$$;
COMMENT ON FUNCTION zcsync._intake_doc(text) IS
'an intake with the country of its account, and what a line of headers would be';

-- Do the numbers of a file have decimal commas?  Most of the numbers that leave no
-- doubt decide; without such numbers, a file with semicolons has them, and so has one
-- of an account whose country uses them.
CREATE FUNCTION zcsync._has_decimal_commas(p_intake jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_columns text;
	v_more bigint := 0;
BEGIN
	SELECT string_agg(format('(t.%I)', c ->> 'column'), ', ') INTO v_columns
	FROM jsonb_array_elements(p_intake -> 'columns') AS c
	WHERE c -> 'fields' ?| '{employees,revenue,revenue_thousands,value,probability}'::text[];
	IF v_columns IS NOT NULL THEN
		EXECUTE format('SELECT count(*) FILTER (WHERE v.n ~ ''[0-9],[0-9]{1,2}([^0-9,.]|$)|[.][0-9]{3},'') '
				'- count(*) FILTER (WHERE v.n ~ ''[0-9][.][0-9]{1,2}([^0-9,.]|$)|,[0-9]{3}[.]'') '
				'FROM zcsync_intake.%I AS t CROSS JOIN LATERAL (VALUES %s) AS v (n)', p_intake ->> 'name', v_columns)
			INTO v_more;
	END IF;
	RETURN CASE WHEN v_more <> 0 THEN v_more > 0
		ELSE p_intake ->> 'delimiter' = ';'
			OR coalesce((SELECT c.decimal_comma FROM zcsync.countries c WHERE c.country = p_intake ->> 'country'), false) END;
END
$$;
COMMENT ON FUNCTION zcsync._has_decimal_commas(jsonb) IS
'does a file write 1.234,5 rather than 1,234.5?';

-- Lines of a file, normalised.  An empty line, and one that repeats the headers, is
-- skipped: {"error": why, "skip": true}.
CREATE FUNCTION zcsync._shape_lines(p_intake jsonb, p_docs jsonb[], p_comma boolean) RETURNS jsonb[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(CASE
		WHEN l.doc = p_intake -> 'headers' THEN '{"error": "the headers again", "skip": true}'
		WHEN NOT EXISTS (SELECT FROM jsonb_each_text(l.doc) AS v WHERE btrim(v.value, E' \t\r\n\u00a0\ufeff') <> '')
			THEN '{"error": "an empty line", "skip": true}'
		ELSE l.row END ORDER BY l.n)
	FROM unnest(p_docs, zcsync._normalise_leads(p_intake ->> 'source', p_docs, p_intake ->> 'country', p_comma))
		WITH ORDINALITY AS l (doc, row, n)
$$;
COMMENT ON FUNCTION zcsync._shape_lines(jsonb, jsonb[], boolean) IS
'lines of a file in the form in which leads are stored and compared';

-- Normalise the rows of an intake, and lock the leads that its import will change: if
-- each slice locked its own leads, an import would hold those of one slice while it
-- waits for those of the next.  The normalised rows wait in a table of this
-- transaction, slice by slice.  This does nothing and returns 0 if there is only one
-- slice, which can lock its leads itself, or no lead that anybody could have locked.
CREATE FUNCTION zcsync._prepare_import(p_intake jsonb, p_comma boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_name text := p_intake ->> 'name';
	v_account bigint := p_intake ->> 'account_id';
	v_source text := p_intake ->> 'source';
	v_slice record;
	v_last bigint := -9223372036854775808;
	v_count bigint := 0;
	v_rows jsonb[];
	v_good zcsync._lead_row[];
	v_leads bigint[] := '{}';
BEGIN
	EXECUTE format('SELECT count(*) FROM (SELECT FROM zcsync_intake.%I LIMIT 1001) AS r', v_name) INTO v_count;
	IF v_count <= 1000 OR NOT EXISTS (SELECT FROM zcsync.lead_identities i WHERE i.account_id = v_account) THEN
		RETURN 0;
	END IF;
	EXECUTE format('CREATE UNLOGGED TABLE zcsync_intake.%I (first bigint PRIMARY KEY, numbers bigint[], rows jsonb[])', v_name || '_slices');
	EXECUTE format('ALTER TABLE zcsync_intake.%I ALTER rows SET STORAGE EXTERNAL', v_name || '_slices');	-- compression would gain nothing
	v_count := 0;
	LOOP
		v_slice := zcsync._intake_slice(v_name, v_last);
		EXIT WHEN v_slice.numbers IS NULL;
		v_last := v_slice.numbers[cardinality(v_slice.numbers)];
		v_rows := zcsync._shape_lines(p_intake, v_slice.docs, p_comma);
		EXECUTE format('INSERT INTO zcsync_intake.%I VALUES ($1, $2, $3)', v_name || '_slices')
			USING v_slice.numbers[1], v_slice.numbers, v_rows;
		v_good := zcsync._lead_rows_of(ARRAY(SELECT n FROM unnest(v_rows) AS n WHERE zcsync._lead_row_error(n) IS NULL));
		v_leads := v_leads || zcsync._leads_to_change(v_account, v_source, v_good,
			zcsync._known_leads(v_account, v_source, v_good, true));
		-- normalising the rows is about half of the work
		v_count := v_count + cardinality(v_slice.numbers);
		PERFORM zcsync._note_import(v_name, v_count / 2);
	END LOOP;
	PERFORM zcsync._lock_busy_leads(v_account, ARRAY(SELECT DISTINCT unnest(v_leads)));
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_import(jsonb, boolean) IS
'normalises the rows of an intake and locks the leads that its import is about to change; returns how many rows; 0: the slices do that themselves';

-- The next slice of an intake, normalised.
CREATE FUNCTION zcsync._next_slice(p_intake jsonb, p_prepared boolean, p_after bigint, p_comma boolean, OUT numbers bigint[], OUT rows jsonb[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
AS $$
DECLARE
	v_slice record;
BEGIN
	IF p_prepared THEN
		EXECUTE format('SELECT s.numbers, s.rows FROM zcsync_intake.%I AS s WHERE s.first > $1 ORDER BY s.first LIMIT 1', p_intake ->> 'name' || '_slices')
			INTO numbers, rows USING p_after;
	ELSE
		v_slice := zcsync._intake_slice(p_intake ->> 'name', p_after);
		numbers := v_slice.numbers;
		rows := zcsync._shape_lines(p_intake, v_slice.docs, p_comma);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._next_slice(jsonb, boolean, bigint, boolean) IS
'the next thousand rows of an intake in the form in which they are stored and compared';

-- Take the rows of an intake, a thousand at a time.  An import waits for other imports
-- of its account.
CREATE FUNCTION zcsync._import_rows(p_name text)
RETURNS TABLE (file_row bigint, ok boolean, lead_id bigint, result text, error text, marks jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_intake zcsync.intakes;
	v_doc jsonb;
	v_comma boolean;
	v_prepared bigint;		-- number of rows
	v_slice record;
	v_last bigint := -9223372036854775808;
	v_count bigint := 0;
BEGIN
	SELECT * INTO STRICT v_intake FROM zcsync.intakes i WHERE i.name = p_name;
	v_doc := zcsync._intake_doc(v_intake.name);
	IF NOT pg_try_advisory_xact_lock('zcsync.intakes'::regclass::oid::integer, v_intake.intake_id::integer) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('intake "%s" is being imported by another session', v_intake.name);
	END IF;
	-- Two imports of one account would lock the same leads in different orders.
	PERFORM pg_advisory_xact_lock('zcsync.lead_rows'::regclass::oid::integer, (v_intake.account_id % 2147483647)::integer);
	PERFORM zcsync._note_import(v_intake.name, 0);
	v_comma := zcsync._has_decimal_commas(v_doc);
	v_prepared := zcsync._prepare_import(v_doc, v_comma);
	LOOP
		v_slice := zcsync._next_slice(v_doc, v_prepared > 0, v_last, v_comma);
		EXIT WHEN v_slice.numbers IS NULL;
		RETURN QUERY
		SELECT v_slice.numbers[t.index], t.ok OR r.row ? 'skip', t.lead_id, CASE WHEN r.row ? 'skip' THEN 'skipped' ELSE t.result END, t.error, r.row -> 'marks'
		FROM zcsync._take_leads(v_intake.account_id, v_intake.source, v_slice.rows, true) AS t
		CROSS JOIN LATERAL (SELECT v_slice.rows[t.index] OFFSET 0) AS r (row)
		ORDER BY t.index;
		v_last := v_slice.numbers[cardinality(v_slice.numbers)];
		v_count := v_count + cardinality(v_slice.numbers);
		PERFORM zcsync._note_import(v_intake.name, (v_prepared + v_count) / CASE WHEN v_prepared > 0 THEN 2 ELSE 1 END);
	END LOOP;
	IF v_prepared > 0 THEN
		EXECUTE format('DROP TABLE zcsync_intake.%I', v_intake.name || '_slices');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._import_rows(text) IS
'takes the rows of an intake as leads; a row each';

-- The import is carried out, counted and undone.
CREATE FUNCTION zcsync.plan_import(intake text) RETURNS TABLE (result text, leads bigint, example text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_intake text := zcsync._intake(plan_import.intake);
	v_plan jsonb;
BEGIN
	PERFORM zcsync._refuse_standby();
	v_plan := zcsync._attempt($query$
		SELECT false, coalesce(jsonb_agg(to_jsonb(c)), '[]')
		FROM (
			SELECT k.name AS result, count(*) AS leads, min(r.file_row) AS first, (array_agg(k.example ORDER BY r.file_row))[1] AS error
			FROM zcsync._import_rows($1) AS r
			CROSS JOIN LATERAL (
				SELECT r.result, r.error UNION ALL SELECT m.key, m.value FROM jsonb_each_text(r.marks) AS m WHERE r.result <> 'skipped') AS k (name, example)
			GROUP BY k.name) AS c
		$query$, v_intake);
	RETURN QUERY
	SELECT k.name, coalesce(c.leads, 0), concat_ws(': ', 'row ' || c.first, c.error)
	FROM unnest('{created,merged,flagged,unchanged,rejected,skipped,placeholder,decimal comma,decimal point,encoding,left out}'::text[]) WITH ORDINALITY AS k (name, n)
	LEFT JOIN jsonb_to_recordset(v_plan) AS c (result text, leads bigint, first bigint, error text) ON c.result = k.name
	WHERE k.n <= 6 OR c.leads > 0
	ORDER BY k.n;
END
$$;
COMMENT ON FUNCTION zcsync.plan_import(text) IS
'counts what import_leads() would do with an intake, and values that it would read in an unusual way, with a row of the file as an example of each; writes nothing';

CREATE FUNCTION zcsync.import_leads(intake text)
RETURNS TABLE (file_row bigint, ok boolean, lead text, result text, error text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_intake text := zcsync._intake(import_leads.intake);
	v_prefix text := (SELECT a.name || '/leads/#' FROM zcsync.intakes i JOIN zcsync.accounts a ON a.account_id = i.account_id
		WHERE i.name = v_intake);
	v_names text[] := '{created,merged,flagged,unchanged,rejected,skipped}';
	v_rows integer[] := '{0,0,0,0,0,0}';
	v_row record;
	v_counts jsonb;
BEGIN
	PERFORM zcsync._refuse_standby();
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
'takes the rows of an intake as leads; a row for each, by its number in the file: created, merged, flagged, unchanged, or rejected or skipped and why';

CREATE FUNCTION zcsync.drop_intake(intake text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := regexp_replace(drop_intake.intake, '^zcsync_intake[.]', '');
BEGIN
	PERFORM zcsync._refuse_standby();
	IF NOT EXISTS (SELECT FROM zcsync.intakes i WHERE i.name = v_name)
		OR to_regclass(format('zcsync_intake.%I', v_name)) IS NOT NULL THEN
		v_name := zcsync._intake(v_name);
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS zcsync_intake.%I', v_name);
	EXECUTE format('DROP SEQUENCE IF EXISTS zcsync_intake.%I, zcsync_intake.%I', v_name || '_done', v_name || '_begun');
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
'what is done about intakes when an account is removed';

-- Running imports, for zcsync.progress.  The estimate assumes that the remaining rows
-- take as long as those that are done.
CREATE FUNCTION zcsync._running_imports() RETURNS TABLE (name text, account text, done bigint, estimate bigint, remaining interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT i.name, a.name, s.done, s.estimate,
		make_interval(secs => greatest(extract(epoch FROM zcsync._now()) - s.begun, 0) * greatest(s.estimate - s.done, 0) / nullif(s.done, 0))
	FROM pg_locks l
	JOIN zcsync.intakes i ON i.intake_id = l.objid::bigint
	JOIN zcsync.accounts a ON a.account_id = i.account_id
	CROSS JOIN LATERAL (SELECT pg_sequence_last_value(format('zcsync_intake.%I', i.name || '_done')::regclass) AS done,
		pg_sequence_last_value(format('zcsync_intake.%I', i.name || '_begun')::regclass) AS begun,
		pg_sequence_last_value(pg_get_serial_sequence(format('zcsync_intake.%I', i.name), 'intake_row')::regclass) AS estimate) AS s
	WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 'zcsync.intakes'::regclass::oid
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND to_regclass(format('zcsync_intake.%I', i.name)) IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._running_imports() IS
'the imports of leads that run now, how many rows of how many they have done, and for how long they will run';
