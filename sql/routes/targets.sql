-- ---------------------------------------------------------------------
-- Routes: what targets have, as their vendors describe it.
--
-- A target may create its records in a certain place: in a list, or with a ticket type.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._route_targets() RETURNS TABLE (vendor text, title text, kind text, name_field text, place_field text, place text,
	setting text, status_scope text, status_is_id boolean, needs_company boolean, roles jsonb, fixed_values text[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT v.name, v.title, k.kind, k.name_field, k.place_field, k.place, k.setting, k.status_scope, k.status_is_id, k.needs_company,
		k.roles, k.fixed_values
	FROM zcsync._vendors() AS v CROSS JOIN LATERAL unnest(v.kinds) AS k
	WHERE k.name_field IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._route_targets() IS
'the kinds of vendors that routes can write, and their differences';

-- ---------------------------------------------------------------------
-- Places
-- ---------------------------------------------------------------------

-- The places in which records of a kind can be created, as far as the vendor's SQL
-- knows them.
CREATE FUNCTION zcsync._route_places(p_account bigint, p_kind text) RETURNS TABLE (id text, name text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regproc := (SELECT (zcsync._vendor_of(a.vendor)).places FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	IF v_hook IS NOT NULL THEN
		RETURN QUERY EXECUTE format('SELECT p.id, p.name FROM %s($1, $2) AS p', v_hook) USING p_account, p_kind;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._route_places(bigint, text) IS
'the places in which records of a kind can be created, as far as they are known';

-- The id of the place that a setting or an expression names.  If there is no such
-- place, this raises an error that says why (p_ask), or returns NULL.
CREATE FUNCTION zcsync._route_place(p_account bigint, p_kind text, p_place text, p_ask boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regproc := (SELECT (zcsync._vendor_of(a.vendor)).place FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_id text;
BEGIN
	IF btrim(coalesce(p_place, '')) = '' OR v_hook IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT %s($1, $2, $3, $4)', v_hook)
		INTO v_id USING p_account, p_kind, btrim(p_place), p_ask;
	RETURN v_id;
EXCEPTION WHEN undefined_object THEN
	IF p_ask THEN
		RAISE;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._route_place(bigint, text, text, boolean) IS
'id of the place where records are created, given as id, path or name; NULL when there is no such place';

-- ---------------------------------------------------------------------
-- Required fields
-- ---------------------------------------------------------------------

-- What must be set for a record in a place, as fields of a route.
CREATE FUNCTION zcsync._route_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regproc := (SELECT (zcsync._vendor_of(a.vendor)).required FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	IF v_hook IS NOT NULL THEN
		RETURN QUERY EXECUTE format('SELECT r.field, r.name FROM %s($1, $2, $3) AS r', v_hook) USING p_account, p_kind, p_place;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._route_required(bigint, text, text) IS
'fields that records in a place must have';

-- ---------------------------------------------------------------------
-- Fields
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._type_name(p_type oid, p_modifier integer) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
	RETURN format_type(p_type, p_modifier);
END
$$;
COMMENT ON FUNCTION zcsync._type_name(oid, integer) IS
'format_type() without quotes, so that names of types can be kept and compared';

-- The fields of a target that a route may write, with their types.  The place of a
-- record is not one of them: create_in chooses it.
CREATE FUNCTION zcsync._route_target_fields(p_stream bigint) RETURNS TABLE (field text, type text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
	v_vendor text;
BEGIN
	SELECT s.kind, a.vendor INTO v_kind, v_vendor
	FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE s.stream_id = p_stream;
	RETURN QUERY
	SELECT a.attname::text, zcsync._type_name(a.atttypid, a.atttypmod)
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass(format('zcsync.%I', v_kind)) AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname = ANY (zcsync._pushable(v_vendor, v_kind)) AND a.attname <> 'custom_fields'
		AND NOT EXISTS (SELECT FROM zcsync._route_targets() t
			WHERE t.vendor = v_vendor AND t.kind = v_kind AND t.place_field = a.attname);
END
$$;
COMMENT ON FUNCTION zcsync._route_target_fields(bigint) IS
'columns of a target stream that a route may write';

-- The same for fields that come back to the source.  Records of a local account exist
-- only here, so all of their fields can be written.
CREATE FUNCTION zcsync._route_source_fields(p_stream bigint) RETURNS TABLE (field text, type text)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.attname::text, zcsync._type_name(a.atttypid, a.atttypmod)
	FROM zcsync.streams s
	JOIN zcsync.accounts ac ON ac.account_id = s.account_id
	JOIN pg_attribute a ON a.attrelid = to_regclass(format('zcsync.%I', s.kind)) AND a.attnum > 0 AND NOT a.attisdropped
	WHERE s.stream_id = p_stream AND a.attname <> ALL ('{custom_fields,created_at,updated_at}')
		AND a.attname = ANY (CASE ac.vendor WHEN 'local' THEN zcsync._own_columns(s.kind) ELSE zcsync._pushable(ac.vendor, s.kind) END)
		AND a.attname <> ALL (zcsync._create_only(ac.vendor, s.kind))
$$;
COMMENT ON FUNCTION zcsync._route_source_fields(bigint) IS
'columns of a source stream that a route may write back';

-- Raise an error unless a route can write back to a stream.
CREATE FUNCTION zcsync._check_source_writable(p_stream bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT a.name || '/' || s.kind AS reference, s.writes OR a.vendor = 'local' AS writes INTO v
	FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE s.stream_id = p_stream;
	IF NOT EXISTS (SELECT FROM zcsync._route_source_fields(p_stream)) THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('nothing can come back to %s', v.reference),
			DETAIL = 'Its records cannot be written.';
	ELSIF NOT v.writes THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('nothing can come back to %s: the stream is read-only', v.reference),
			HINT = format('SELECT zcsync.alter_stream(%L, writes => true);', v.reference);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_source_writable(bigint) IS
'raises an error unless routes can write back to a stream';

-- A field that a person names, in the form in which routes store it: a custom field
-- that is given by its name gets its id.  If the target has no catalogue of fields, a
-- text that looks like an id counts as one.
CREATE FUNCTION zcsync._route_field(p_def jsonb, p_field text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := btrim(substr(p_field, 8));
	v_ids text[];
	v_names text;
BEGIN
	IF p_field NOT LIKE 'custom:%' OR p_def -> 'fields' ? p_field THEN
		RETURN p_field;
	END IF;
	SELECT array_agg(DISTINCT k.id) FILTER (WHERE k.id = v_name OR zcsync._fold(k.name) = zcsync._fold(v_name)),
		string_agg(DISTINCT k.name, ', ')
	INTO v_ids, v_names
	FROM (
		SELECT coalesce(f.remote ->> 'id', f.remote_id) AS id, f.name
		FROM zcsync.fields f
		WHERE f.account_id = (p_def ->> 'target_account')::bigint AND f.scope_id IS DISTINCT FROM 'system'
			AND f.deleted_at IS NULL AND f.active IS NOT FALSE) AS k;
	IF v_name = ANY (v_ids) THEN
		RETURN 'custom:' || v_name;
	ELSIF cardinality(v_ids) = 1 THEN
		RETURN 'custom:' || v_ids[1];
	END IF;
	PERFORM zcsync._refuse_ambiguous_field((p_def ->> 'target_account')::bigint, v_name, v_ids);
	IF v_names IS NOT NULL OR v_name !~ '^[^[:space:]:]{1,100}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('%s has no custom field "%s"', p_def ->> 'target_name', left(v_name, 100)),
			HINT = CASE WHEN v_names IS NULL THEN
					format('Give its id, or mirror the fields: SELECT * FROM zcsync.add_stream(%L, ''fields'');', p_def ->> 'target_name')
				ELSE format('It has: %s.', left(v_names, 1000)) END;
	END IF;
	RETURN 'custom:' || v_name;
END
$$;
COMMENT ON FUNCTION zcsync._route_field(jsonb, text) IS
'a field of a route as it is stored: a custom field given by name becomes custom:<id>';
