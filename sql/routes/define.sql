-- ---------------------------------------------------------------------
-- Routes: how they are defined and compiled.
--
-- A route is rows (routes, route_fields, route_values) and functions that are
-- made from them in schema zcsync_routes:
--
--		forward_<id>(source rows, place)	does the route want these records, the value of
--										each field before translation and, if asked for,
--										the place where the record is created
--		match_<id>(source rows)			existing records, only with match_on
--		back_<id>(target rows)			fields of the source, only if some come back
--
-- Each returns a zcsync.route_value for each row, and only zcsync._evaluate() calls it.
--
-- The functions are made by the role that defines the route, and run with its rights.
-- So the SQL functions that compile are SECURITY INVOKER.  They compile first and store
-- afterwards: _save_route() stores a definition only if the owner of the functions has
-- compiled exactly that, which a digest in the comment of each function proves.  So
-- nobody can put SQL into the route of another role, and the worker never runs SQL of a
-- route with the rights of the owner of the tables.
-- ---------------------------------------------------------------------

-- One thing that a route would do, or cannot do, with one source record.  op: create,
-- link, update, agree (the target has the value already), leave, return, error.  A
-- create and an update have a row for each field.
CREATE TYPE zcsync.route_change AS (
	op text,
	link_id bigint,
	source_id bigint,
	target_id bigint,
	field text,
	old jsonb,
	new jsonb,
	error_code text,
	message text,
	agreed jsonb
);
COMMENT ON TYPE zcsync.route_change IS
'one field of one record that a route would write, or why it cannot; see zcsync._route_changes()';

-- The schema of compiled routes.
CREATE FUNCTION zcsync._create_routes() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'zcsync');
BEGIN
	IF to_regnamespace('zcsync_routes') IS NULL THEN
		CREATE SCHEMA zcsync_routes;
		COMMENT ON SCHEMA zcsync_routes IS
		'functions that zcsync compiled from routes; CREATE on it lets a role define routes';
	ELSIF (SELECT nspowner FROM pg_namespace WHERE nspname = 'zcsync_routes') <> v_owner THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema "zcsync_routes" belongs to another role than schema "zcsync"',
			HINT = 'Drop it, or give it to the owner of schema "zcsync".';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._create_routes() IS
'makes the schema of compiled routes; part of setup()';

CREATE FUNCTION zcsync._route_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (10, 'zcsync._create_routes()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._route_setup_steps() IS
'what setup() does for routes';

-- The address in the last line of a text: a copy has the address of its original there.
CREATE FUNCTION zcsync._copied_from(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT substring(right(p_text, 1000) FROM $re$(?:^|\n)[ \t]*(https?://[^[:space:]<>"')\]#]+)(?:#[^[:space:]]*)?[[:space:]]*$$re$);
END;
COMMENT ON FUNCTION zcsync._copied_from(text) IS
'the web address that is the last line of a text, without fragment; NULL: none';

-- In C and not by EXECUTE, since maps call it for each row; as the owner, since a
-- hook may call functions of ours.
CREATE FUNCTION zcsync._call_record_url(p_hook regprocedure, p_settings jsonb, p_kind text, p_remote_id text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_record_url(regprocedure, jsonb, text, text) IS
'calls the hook record_url of a vendor';

-- What record_url() has to know of an account; see src/record_url.c.
CREATE FUNCTION zcsync._record_url_of(p_account bigint, OUT hook regprocedure, OUT settings jsonb)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT (zcsync._vendor_of(a.vendor)).record_url, a.settings INTO hook, settings
	FROM zcsync.accounts a WHERE a.account_id = p_account;
END
$$;
COMMENT ON FUNCTION zcsync._record_url_of(bigint) IS
'the hook record_url of the vendor of an account, and the settings of the account';

-- The address of a record at its vendor; NULL while it does not exist there.
CREATE FUNCTION zcsync.record_url(p_account bigint, p_kind text, p_remote_id text) RETURNS text
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_record_url';
COMMENT ON FUNCTION zcsync.record_url(bigint, text, text) IS
'address of a record in the web interface of its vendor, by account number, kind and remote id';

-- ---------------------------------------------------------------------
-- Expressions
-- ---------------------------------------------------------------------

-- Raise an error unless a text is exactly one expression, so that it can stand in
-- parentheses inside a statement of ours.  Literals and quoted names are removed first;
-- the rest may contain no comment, semicolon, dollar sign or stray quote, and its
-- parentheses must close in order.
CREATE FUNCTION zcsync._check_expression(p_text text, p_what text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_rest text;
	v_open text := '';
	v_sign text;
	v_reason text;
BEGIN
	IF btrim(coalesce(p_text, ''), E' \t\r\n') = '' THEN
		v_reason := 'It is empty.';
	ELSIF length(p_text) > 20000 THEN
		v_reason := 'It is longer than 20000 characters.';
	ELSE
		v_rest := regexp_replace(p_text,
			$re$\m[eE]'([^'\\]|\\.|'')*'|'([^']|'')*'|"([^"]|"")+"$re$, ' 0 ', 'g');
		v_reason := CASE
			WHEN v_rest ~ $re$['"]$re$ THEN 'A quote is not closed.'
			WHEN v_rest ~ '--|/[*]' THEN 'It contains a comment.'
			WHEN v_rest ~ ';' THEN 'It contains a semicolon.'
			WHEN v_rest ~ '[$]' THEN 'It contains a dollar sign outside of quotes.'
		END;
	END IF;
	IF v_reason IS NULL THEN
		FOREACH v_sign IN ARRAY regexp_split_to_array(regexp_replace(v_rest, '[^][(),]', '', 'g'), '') LOOP
			IF v_sign IN ('(', '[') THEN
				v_open := v_open || v_sign;
			ELSIF v_sign = ',' AND v_open = '' THEN
				v_reason := 'It contains a comma outside of parentheses.';
			ELSIF v_sign IN (')', ']') THEN
				IF right(v_open, 1) || v_sign NOT IN ('()', '[]') THEN
					v_reason := 'A parenthesis is closed that was not opened.';
					EXIT;
				END IF;
				v_open := left(v_open, -1);
			END IF;
		END LOOP;
		IF v_open <> '' THEN
			v_reason := coalesce(v_reason, 'A parenthesis is not closed.');
		END IF;
	END IF;
	IF v_reason IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'syntax_error',
			MESSAGE = format('%s must be one SQL expression', p_what),
			DETAIL = v_reason,
			HINT = 'Write an expression over the columns of the source row, without comments; put a subquery in parentheses.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_expression(text, text) IS
'raises an error unless the text can only be one SQL expression';

-- ---------------------------------------------------------------------
-- Definition and code
-- ---------------------------------------------------------------------

-- The row of the route of this name, or an error.  Returned as jsonb, since the table
-- does not exist yet when this function is made.
CREATE FUNCTION zcsync._route(p_name text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route jsonb;
BEGIN
	SELECT to_jsonb(r) INTO v_route FROM zcsync.routes r WHERE r.name = p_name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no route %s', coalesce('"' || p_name || '"', 'NULL')),
			HINT = 'SELECT name FROM zcsync.routes shows them; zcsync.add_route() makes one.';
	END IF;
	RETURN v_route;
END
$$;
COMMENT ON FUNCTION zcsync._route(text) IS
'the row of a route, by its name; an error when there is none';

-- A definition as it would be after a change: the row of the route, its fields, and the
-- two streams.  The change has the keys route (columns), fields and back (field ->
-- {expression, mapped, position}, or null to remove it).
CREATE FUNCTION zcsync._route_definition(p_route bigint, p_change jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb;
	v_fields jsonb;
	v_back jsonb;
	v_place text;
	v_create_in text;
BEGIN
	SELECT to_jsonb(r) INTO v_def FROM zcsync.routes r WHERE r.route_id = p_route;
	SELECT jsonb_object_agg(f.field, to_jsonb(f) - '{route_id,direction,field}'::text[]) FILTER (WHERE f.direction = 'forward'),
		jsonb_object_agg(f.field, to_jsonb(f) - '{route_id,direction,field}'::text[]) FILTER (WHERE f.direction = 'back')
	INTO v_fields, v_back
	FROM zcsync.route_fields f WHERE f.route_id = p_route;
	v_fields := jsonb_strip_nulls(coalesce(v_fields, '{}') || coalesce(p_change -> 'fields', '{}'));
	v_back := jsonb_strip_nulls(coalesce(v_back, '{}') || coalesce(p_change -> 'back', '{}'));
	v_def := coalesce(v_def, '{}') || coalesce(p_change -> 'route', '{}') || jsonb_build_object('route_id', p_route);

	SELECT v_def || jsonb_build_object(
			'source_account', s.account_id, 'source_kind', s.kind, 'source_name', sa.name, 'source_vendor', sa.vendor,
			'target_account', t.account_id, 'target_kind', t.kind, 'target_name', ta.name, 'target_vendor', ta.vendor,
			'target', (SELECT to_jsonb(x) FROM zcsync._route_targets() x WHERE x.vendor = ta.vendor AND x.kind = t.kind))
	INTO v_def
	FROM zcsync.streams s JOIN zcsync.accounts sa ON sa.account_id = s.account_id
	CROSS JOIN zcsync.streams t JOIN zcsync.accounts ta ON ta.account_id = t.account_id
	WHERE s.stream_id = (v_def ->> 'source_stream_id')::bigint
		AND t.stream_id = (v_def ->> 'target_stream_id')::bigint;

	-- Where records are created.  A text with quotes, parentheses, arrows, CASE or the
	-- name of a column is an expression, unless a place has that name; any other text
	-- is an id, a path or a name.
	v_create_in := btrim(v_def ->> 'create_in');
	v_place := zcsync._route_place((v_def ->> 'target_account')::bigint, v_def ->> 'target_kind', v_create_in,
		v_create_in COLLATE "C" !~* $re$['"()]|->|^s\.|^case\M$re$
		AND NOT EXISTS (SELECT FROM pg_attribute a
			WHERE a.attrelid = to_regclass(format('zcsync.%I', v_def ->> 'source_kind'))
				AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = v_create_in));
	RETURN v_def || jsonb_build_object('place', v_place, 'fields', v_fields, 'back', v_back,
		'types', (SELECT jsonb_object_agg(f.field, f.type)
			FROM zcsync._route_target_fields((v_def ->> 'target_stream_id')::bigint) f),
		'back_types', (SELECT jsonb_object_agg(f.field, f.type)
			FROM zcsync._route_source_fields((v_def ->> 'source_stream_id')::bigint) f));
END
$$;
COMMENT ON FUNCTION zcsync._route_definition(bigint, jsonb) IS
'the whole definition of a route as it would be after a change';

-- The expressions of a definition: the function that they are part of, the field, their
-- name in messages, the text, and the form in which the code contains it.
CREATE FUNCTION zcsync._route_expressions(p_def jsonb)
RETURNS TABLE (part text, field text, what text, expression text, form text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'filter', NULL, 'filter', p_def ->> 'filter', format(E'(\n%s\n)', p_def ->> 'filter')
	WHERE p_def ->> 'filter' IS NOT NULL
	UNION ALL
	SELECT 'list', NULL, p_def #>> '{target,setting}', p_def ->> 'create_in', format(E'(\n%s\n)::text', p_def ->> 'create_in')
	WHERE p_def ->> 'place' IS NULL AND p_def #>> '{target,setting}' IS NOT NULL
	UNION ALL
	SELECT 'match', NULL, 'match_on', p_def ->> 'match_on', format(E'(\n%s\n)', p_def ->> 'match_on')
	WHERE p_def ->> 'match_on' IS NOT NULL
	UNION ALL
	-- Values that are still to be translated, and custom fields, keep their type;
	-- others get the type of the column.
	SELECT 'map', f.key, format('field "%s"', f.key), f.value ->> 'expression',
		format(E'(\n%s\n)%s', f.value ->> 'expression',
			CASE WHEN NOT (f.value ->> 'mapped')::boolean AND coalesce(p_def #>> ARRAY['target', 'roles', f.key] NOT IN ('company', 'user', 'site'), true)
				THEN '::' || (p_def -> 'types' ->> f.key) ELSE '' END)
	FROM jsonb_each(p_def -> 'fields') AS f
	UNION ALL
	SELECT 'back', f.key, format('field "%s"', f.key), f.value ->> 'expression',
		format(E'(\n%s\n)%s', f.value ->> 'expression',
			CASE WHEN NOT (f.value ->> 'mapped')::boolean THEN '::' || (p_def -> 'back_types' ->> f.key) ELSE '' END)
	FROM jsonb_each(p_def -> 'back') AS f;
END;
COMMENT ON FUNCTION zcsync._route_expressions(jsonb) IS
'the SQL expressions in the definition of a route';

-- The settings in a definition, which are not SQL, as one line.
CREATE FUNCTION zcsync._route_settings_line(p_def jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'settings', (SELECT jsonb_object_agg(k.name, p_def ->> k.name)
			FROM unnest('{name,source_stream_id,target_stream_id,direction,on_leave,default_assignee,default_client,unknown_user,unknown_organization,notify}'::text[]) AS k (name)),
		'fields', (SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value ->> 'mapped', f.value ->> 'position')) FROM jsonb_each(p_def -> 'fields') AS f),
		'back', (SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value ->> 'mapped', f.value ->> 'position')) FROM jsonb_each(p_def -> 'back') AS f))::text;
END;
COMMENT ON FUNCTION zcsync._route_settings_line(jsonb) IS
'the settings in the definition of a route, as one line of text';

-- The functions of a definition: name, arguments, and the statement that makes each.
-- The filter is in a subquery that the planner does not pull up, so that it is
-- evaluated once, and before the rest.  A comment in the code contains the settings, so
-- that the digest of the code proves that the owner of the functions asked for these,
-- too.
CREATE FUNCTION zcsync._route_code(p_def jsonb) RETURNS TABLE (name text, arguments text, code text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_filter text;
	v_list text;
	v_match text;
	v_map text;
	v_back text;
BEGIN
	SELECT max(e.form) FILTER (WHERE e.part = 'filter'),
		max(e.form) FILTER (WHERE e.part = 'list'),
		max(e.form) FILTER (WHERE e.part = 'match'),
		string_agg(format('jsonb_build_object(%L, %s)', e.field, e.form), E' ||\n' ORDER BY e.field)
			FILTER (WHERE e.part = 'map'),
		string_agg(format('jsonb_build_object(%L, %s)', e.field, e.form), E' ||\n' ORDER BY e.field)
			FILTER (WHERE e.part = 'back')
	INTO v_filter, v_list, v_match, v_map, v_back
	FROM zcsync._route_expressions(p_def) e;

	RETURN QUERY
	SELECT n.name, format('zcsync.%I[]%s', f.kind, f.also),
		format($code$CREATE OR REPLACE FUNCTION zcsync_routes.%I(zcsync_rows zcsync.%I[]%s) RETURNS zcsync.route_value[]
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
BEGIN ATOMIC
SELECT ARRAY(SELECT ROW(%s)::zcsync.route_value
FROM unnest(zcsync_rows) AS %s);
END
-- %s$code$, n.name, f.kind, replace(f.also, ' ', ' zcsync_place '), f.value, f.rows, zcsync._route_settings_line(p_def))
	FROM (VALUES
		('forward', p_def ->> 'source_kind', ', boolean',
			format(E'zcsync_filter.zcsync_passes,\nCASE WHEN zcsync_filter.zcsync_passes AND zcsync_place IS NOT NULL THEN %s END,\n'
				'CASE WHEN zcsync_filter.zcsync_passes AND zcsync_place THEN %s END, NULL',
				coalesce(v_map, $q$'{}'::jsonb$q$), coalesce(v_list, format('%L::text', p_def ->> 'place'))),
			format('s CROSS JOIN LATERAL (SELECT coalesce(%s, false) OFFSET 0) AS zcsync_filter (zcsync_passes)', coalesce(v_filter, 'true'))),
		('match', p_def ->> 'source_kind', '',
			format('true, NULL, NULL, ARRAY(SELECT t.local_id FROM zcsync.%I AS t WHERE t.account_id = %s'
				' AND t.deleted_at IS NULL AND %s ORDER BY t.local_id LIMIT 10)',
				p_def ->> 'target_kind', p_def ->> 'target_account', v_match), 's'),
		('back', p_def ->> 'target_kind', '', format('true, %s, NULL, NULL', v_back), 't')
	) AS f (name, kind, also, value, rows)
	CROSS JOIN LATERAL (SELECT format('%s_%s', f.name, p_def ->> 'route_id')) AS n (name)
	WHERE f.value IS NOT NULL AND (f.name <> 'match' OR v_match IS NOT NULL) AND (f.name <> 'back' OR v_back IS NOT NULL);
END
$$;
COMMENT ON FUNCTION zcsync._route_code(jsonb) IS
'the functions that a definition compiles to';

-- What is wrong with a compiled function.  NULL if the role that defined the route owns
-- it, if it runs with the rights of its caller, who is that role, and if it has this
-- code.
CREATE FUNCTION zcsync._route_function_fault(p_name text, p_arguments text, p_code text, p_owner text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p.oid IS NULL THEN format('function zcsync_routes.%I is missing', p_name)
		WHEN p.prosecdef THEN format('function zcsync_routes.%I is SECURITY DEFINER', p_name)
		WHEN p_owner <> pg_get_userbyid(p.proowner) THEN
			format('function zcsync_routes.%I belongs to role "%s", the route to role "%s"', p_name, pg_get_userbyid(p.proowner), p_owner)
		WHEN obj_description(p.oid, 'pg_proc') IS DISTINCT FROM zcsync._route_digest(p_code) THEN
			format('function zcsync_routes.%I is not what the route says', p_name)
	END
	FROM (VALUES (1)) AS one
	LEFT JOIN pg_proc p ON p.oid = to_regprocedure(format('zcsync_routes.%I(%s)', p_name, p_arguments))
$$;
COMMENT ON FUNCTION zcsync._route_function_fault(text, text, text, text) IS
'why a compiled function may not be run; NULL when it may';

CREATE FUNCTION zcsync._route_digest(p_code text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'compiled by zcsync, sha256 ' || encode(sha256(convert_to(p_code, 'UTF8')), 'hex');
END;
COMMENT ON FUNCTION zcsync._route_digest(text) IS
'the comment of a compiled function: proves what its owner compiled';

-- Compile a definition with the rights of the caller, who becomes the owner of the
-- functions, or must be it.  Not even a superuser may do it instead, since trying an
-- expression runs what it calls.  Each expression is first tried by itself, on no row
-- at all, so that an error names the expression: wrong syntax or type, or something
-- that the caller may not read.  It is tried in WHERE, which allows neither aggregates
-- nor sets.
CREATE FUNCTION zcsync._compile_route(p_def jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
AS $$
DECLARE
	v_expression record;
	v_function record;
	v_owner name;
	v_rows text;		-- the rows on which an expression is tried: none
	v_about text;		-- what these rows are, for people
BEGIN
	SELECT o.owner INTO v_owner
	FROM (
		SELECT p_def ->> 'defined_by'
		UNION ALL
		SELECT pg_get_userbyid(p.proowner)
		FROM pg_proc p
		JOIN zcsync._route_code(p_def) AS c
			ON p.oid = to_regprocedure(format('zcsync_routes.%I(%s)', c.name, c.arguments))
	) AS o (owner)
	WHERE o.owner <> current_user LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = format('route "%s" belongs to role "%s"', p_def ->> 'name', v_owner),
			DETAIL = 'Only that role itself compiles it: its SQL must not run with the rights of another.',
			HINT = format('SET ROLE %I;', v_owner);
	END IF;
	FOR v_expression IN SELECT * FROM zcsync._route_expressions(p_def) LOOP
		PERFORM zcsync._check_expression(v_expression.expression,
			format('%s of route "%s"', v_expression.what, p_def ->> 'name'));
		v_rows := CASE WHEN v_expression.part = 'back' THEN format('unnest(NULL::zcsync.%I[]) AS t', p_def ->> 'target_kind')
			ELSE format('unnest(NULL::zcsync.%I[]) AS s', p_def ->> 'source_kind')
				|| CASE WHEN v_expression.part = 'match' THEN format(', zcsync.%I AS t', p_def ->> 'target_kind') ELSE '' END END;
		BEGIN
			EXECUTE format('SELECT FROM %s WHERE %s', v_rows,
				v_expression.form || CASE WHEN v_expression.part IN ('filter', 'match') THEN '' ELSE ' IS NOT NULL' END);
		EXCEPTION WHEN OTHERS THEN
			v_about := CASE WHEN v_expression.part = 'back' THEN format('zcsync.%s, alias t', p_def ->> 'target_kind')
				ELSE format('zcsync.%s, alias s', p_def ->> 'source_kind')
					|| CASE WHEN v_expression.part = 'match' THEN format(', and a row of zcsync.%s, alias t', p_def ->> 'target_kind') ELSE '' END END;
			RAISE EXCEPTION USING ERRCODE = SQLSTATE,
				MESSAGE = format('%s of route "%s": %s', v_expression.what, p_def ->> 'name', SQLERRM),
				DETAIL = format('The expression is: %s', v_expression.expression),
				HINT = format('It is SQL over a row of %s, and must give %s.  Tables and functions need their schema.', v_about,
					CASE WHEN v_expression.part IN ('filter', 'match') THEN 'type boolean'
						ELSE coalesce('type ' || substring(v_expression.form FROM E'\\n\\)::([a-z][a-z ]*(\\[\\])?)$'), 'a value') END);
		END;
	END LOOP;

	FOR v_function IN SELECT * FROM zcsync._route_code(p_def) LOOP
		EXECUTE v_function.code;
		EXECUTE format('REVOKE ALL ON FUNCTION zcsync_routes.%I(%s) FROM PUBLIC', v_function.name, v_function.arguments);
		EXECUTE format('COMMENT ON FUNCTION zcsync_routes.%I(%s) IS %L',
			v_function.name, v_function.arguments, zcsync._route_digest(v_function.code));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._compile_route(jsonb) IS
'makes the functions of a route, owned by the caller';

-- Raise the errors that the public functions raise, whoever calls this: a role that may
-- define routes can call _save_route() directly.
CREATE FUNCTION zcsync._check_route_definition(p_def jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stored zcsync.routes;
	v record;
BEGIN
	SELECT r.* INTO v_stored FROM zcsync.routes r WHERE r.route_id = (p_def ->> 'route_id')::bigint;
	IF NOT FOUND THEN
		PERFORM zcsync._check_new_route(p_def);
	ELSIF (p_def ->> 'name', p_def ->> 'source_stream_id', p_def ->> 'target_stream_id')
		IS DISTINCT FROM (v_stored.name, v_stored.source_stream_id::text, v_stored.target_stream_id::text) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('name and streams of route "%s" cannot be changed', v_stored.name),
			HINT = 'Make another route with zcsync.add_route().';
	END IF;
	PERFORM zcsync._check_route_settings(p_def);
	IF p_def -> 'back' <> '{}' OR p_def ->> 'direction' = 'both' THEN
		PERFORM zcsync._check_source_writable((p_def ->> 'source_stream_id')::bigint);
	END IF;
	FOR v IN
		SELECT f.key AS field, f.value, false AS back FROM jsonb_each(p_def -> 'fields') f
		UNION ALL
		SELECT f.key, f.value, true FROM jsonb_each(p_def -> 'back') f
	LOOP
		PERFORM zcsync._check_writable_field(p_def, v.field, v.back);
		IF v.value ->> 'mapped' IS NULL OR v.value ->> 'position' IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
				MESSAGE = format('mapped and position of field "%s" must be given', v.field);
		END IF;
	END LOOP;
	FOR v IN SELECT * FROM zcsync._route_expressions(p_def) LOOP
		PERFORM zcsync._check_expression(v.expression, format('%s of route "%s"', v.what, p_def ->> 'name'));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_definition(jsonb) IS
'raises an error unless a route may be what its definition says';

-- Store a definition whose functions were compiled.
CREATE FUNCTION zcsync._save_route(p_route bigint, p_change jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, p_change);
	v_owner text;
	v_fault text;
BEGIN
	PERFORM zcsync._check_route_definition(v_def);
	-- where its comments go
	PERFORM zcsync._check_reads(w.name)
	FROM zcsync.route_comments c
	CROSS JOIN LATERAL (VALUES ('comments', c.comments <> 'none' OR c.comments_back <> 'none'), ('time_entries', c.time_outcome IS NOT NULL)) AS w (name, is_carried)
	WHERE c.route_id = p_route AND w.is_carried AND p_change -> 'route' ?| '{create_in,filter,match_on}';
	SELECT pg_get_userbyid(p.proowner) INTO v_owner
	FROM pg_proc p
	WHERE p.oid = to_regprocedure(format('zcsync_routes.%I(zcsync.%I[], boolean)', 'forward_' || p_route, v_def ->> 'source_kind'));
	SELECT string_agg(zcsync._route_function_fault(c.name, c.arguments, c.code, coalesce(v_owner, '')), '; ')
	INTO v_fault FROM zcsync._route_code(v_def) c;
	IF v_fault IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('cannot store route "%s"', v_def ->> 'name'),
			DETAIL = format('%s.', v_fault);
	END IF;

	PERFORM zcsync._drop_agreed(p_route, zcsync._changed_fields(p_route, v_def));
	v_def := v_def || jsonb_build_object('defined_by', v_owner, 'compiled_at', zcsync._now());
	INSERT INTO zcsync.routes AS r (route_id, name, source_stream_id, target_stream_id, direction, filter, create_in,
		on_leave, match_on, default_assignee, default_client, unknown_user, unknown_organization, notify, defined_by, compiled_at, created_at)
	SELECT d.route_id, d.name, d.source_stream_id, d.target_stream_id, d.direction, d.filter, d.create_in,
		d.on_leave, d.match_on, d.default_assignee, d.default_client, d.unknown_user, d.unknown_organization, d.notify, d.defined_by, d.compiled_at,
		coalesce(d.created_at, d.compiled_at)
	FROM jsonb_populate_record(NULL::zcsync.routes, v_def) d
	ON CONFLICT (route_id) DO UPDATE
	SET direction = excluded.direction, filter = excluded.filter, create_in = excluded.create_in, on_leave = excluded.on_leave,
		match_on = excluded.match_on, default_assignee = excluded.default_assignee, default_client = excluded.default_client,
		unknown_user = excluded.unknown_user, unknown_organization = excluded.unknown_organization, notify = excluded.notify,
		defined_by = excluded.defined_by, compiled_at = excluded.compiled_at;

	DELETE FROM zcsync.route_fields f
	WHERE f.route_id = p_route AND NOT v_def -> CASE f.direction WHEN 'back' THEN 'back' ELSE 'fields' END ? f.field;
	-- Fields that are no longer copied are forgotten: they may be copied again later.
	UPDATE zcsync.links l SET agreed = l.agreed - g.fields, agreed_back = l.agreed_back - g.back, dropped = l.dropped - g.dropped
	FROM zcsync.links AS o
	CROSS JOIN LATERAL (SELECT ARRAY(SELECT k FROM jsonb_object_keys(o.agreed) AS k WHERE NOT v_def -> 'fields' ? k) AS fields,
		ARRAY(SELECT k FROM jsonb_object_keys(o.agreed_back) AS k WHERE NOT v_def -> 'back' ? k) AS back,
		ARRAY(SELECT k FROM jsonb_object_keys(o.dropped) AS k
			WHERE NOT CASE WHEN k LIKE 'back:%' THEN v_def -> 'back' ? substr(k, 6) ELSE v_def -> 'fields' ? k END) AS dropped) AS g
	WHERE o.route_id = p_route AND l.link_id = o.link_id AND g.fields || g.back || g.dropped <> '{}';
	DELETE FROM zcsync.route_values v
	WHERE v.route_id = p_route AND NOT v_def -> CASE v.direction WHEN 'back' THEN 'back' ELSE 'fields' END ? v.field;
	DELETE FROM zcsync.route_errors e
	WHERE e.route_id = p_route AND e.field <> '' AND NOT v_def -> 'fields' ? e.field
		AND NOT (e.field LIKE 'back:%' AND v_def -> 'back' ? substr(e.field, 6));
	INSERT INTO zcsync.route_fields AS f (route_id, direction, field, expression, mapped, position)
	SELECT p_route, n.direction, n.key, n.value ->> 'expression', (n.value ->> 'mapped')::boolean, (n.value ->> 'position')::integer
	FROM (SELECT 'forward', e.* FROM jsonb_each(v_def -> 'fields') e
		UNION ALL SELECT 'back', e.* FROM jsonb_each(v_def -> 'back') e) AS n (direction, key, value)
	ON CONFLICT (route_id, direction, field) DO UPDATE
	SET expression = excluded.expression, mapped = excluded.mapped, position = excluded.position;
	PERFORM zcsync._suggest_back_values(zcsync._route_definition(p_route, '{}'));
END
$$;
COMMENT ON FUNCTION zcsync._save_route(bigint, jsonb) IS
'stores the definition of a route, provided that its functions were compiled from exactly that';

-- Compile a change and store it.
CREATE FUNCTION zcsync._change_route(p_route bigint, p_change jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._compile_route(zcsync._route_definition(p_route, p_change));
	PERFORM zcsync._save_route(p_route, p_change);
END
$$;
COMMENT ON FUNCTION zcsync._change_route(bigint, jsonb) IS
'applies a change to a route: compile as the caller, then store';
