-- ---------------------------------------------------------------------
-- Routes: the values that a field can be given, as far as they are mirrored.
--
-- map_value() takes a name or an id and stores the form that rows hold.  It refuses a
-- value that the vendor would refuse, and a name that several values have.  Where no
-- choices are mirrored, it takes any value of the field's type.
-- ---------------------------------------------------------------------

-- Custom fields of an account with this name, by the id that rows hold; places says
-- which lists have the field, NULL if there are no lists.
CREATE FUNCTION zcsync._custom_fields_named(p_account bigint, p_name text) RETURNS TABLE (id text, places text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(f.remote ->> 'id', f.remote_id) AS id,
		string_agg(DISTINCT coalesce(l.path, nullif(f.scope_id, 'custom')), ', ')
	FROM zcsync.fields f
	LEFT JOIN zcsync.lists l ON l.account_id = f.account_id AND l.list_id = f.scope_id
	WHERE f.account_id = p_account AND f.scope_id IS DISTINCT FROM 'system' AND f.deleted_at IS NULL AND f.active IS NOT FALSE
		AND zcsync._fold(f.name) = zcsync._fold(btrim(p_name))
	GROUP BY 1
$$;
COMMENT ON FUNCTION zcsync._custom_fields_named(bigint, text) IS
'the custom fields of an account that have a name, with the lists that have them';

-- Raise an error if several custom fields have this name.
CREATE FUNCTION zcsync._refuse_ambiguous_field(p_account bigint, p_name text, p_ids text[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cardinality(p_ids) > 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'ambiguous_column',
			MESSAGE = format('%s has several custom fields "%s"', (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account), left(p_name, 100)),
			HINT = format('Give the id of one of them: %s.', (
				SELECT string_agg(c.id || coalesce(' (' || c.places || ')', ''), ', ' ORDER BY c.id)
				FROM zcsync._custom_fields_named(p_account, p_name) AS c WHERE c.id = ANY (p_ids)));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_ambiguous_field(bigint, text, text[]) IS
'raises an error that lists custom fields with their lists if there are several';

-- The values that a custom field can have: its options, of all lists that have it.
-- Vendors give them as a list, or as an object that contains one.  Rows hold value.
CREATE FUNCTION zcsync._custom_choices(p_account bigint, p_field text) RETURNS TABLE (value text, name text, "position" integer)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(o.option ->> 'value', o.option ->> 'id'), min(coalesce(o.option ->> 'name', o.option ->> 'label')), min(o.n)::integer
	FROM zcsync.fields f
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(
		CASE jsonb_typeof(f.options) WHEN 'object' THEN f.options -> 'options' ELSE f.options END)) WITH ORDINALITY AS o (option, n)
	WHERE f.account_id = p_account AND coalesce(f.remote ->> 'id', f.remote_id) = substr(p_field, 8)
		AND f.scope_id IS DISTINCT FROM 'system' AND f.deleted_at IS NULL AND coalesce(o.option ->> 'value', o.option ->> 'id') IS NOT NULL
	GROUP BY 1
$$;
COMMENT ON FUNCTION zcsync._custom_choices(bigint, text) IS
'the options of a custom field, as rows hold them and as people call them';

-- The one of these choices with this value or name; an error if there is none, or if
-- there are several.  If there are no choices at all, the value as it was given.
CREATE FUNCTION zcsync._chosen(p_what text, p_value text, p_values text[], p_names text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_found text[];
BEGIN
	IF p_value IS NULL OR coalesce(cardinality(p_values), 0) = 0 OR p_value = ANY (p_values) THEN
		RETURN p_value;
	END IF;
	v_found := ARRAY(SELECT u.value FROM unnest(p_values, p_names) AS u (value, name)
		WHERE zcsync._fold(u.name) = zcsync._fold(btrim(p_value)) OR zcsync._fold(u.value) = zcsync._fold(btrim(p_value)) ORDER BY u.value);
	IF cardinality(v_found) = 1 THEN
		RETURN v_found[1];
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
		MESSAGE = format(CASE WHEN v_found = '{}' THEN '%s has no value "%s"' ELSE '%s has several values "%s"' END, p_what, left(p_value, 100)),
		HINT = format(CASE WHEN v_found = '{}' THEN 'Its values are %s.' ELSE 'Give one of %s.' END, left((
			SELECT string_agg(u.value || CASE WHEN u.name <> u.value THEN format(' (%s)', u.name) ELSE '' END, ', ' ORDER BY u.n)
			FROM unnest(p_values, p_names) WITH ORDINALITY AS u (value, name, n) WHERE v_found = '{}' OR u.value = ANY (v_found)), 1000));
END
$$;
COMMENT ON FUNCTION zcsync._chosen(text, text, text[], text[]) IS
'the choice that a person names by its value or name; an error when there is none, or several';

-- The values that a column can have: the options of the field of the catalogue that its
-- vendor names ("choices" of the kind).  Rows hold value.
CREATE FUNCTION zcsync._column_choices(p_account bigint, p_kind text, p_column text) RETURNS TABLE (value text, name text, "position" integer)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.option ->> (c.choice ->> 1), min(o.option ->> 'name'), min(o.n)::integer
	FROM zcsync.accounts a
	CROSS JOIN LATERAL (SELECT (zcsync._kind_of(a.vendor, p_kind)).choices -> p_column OFFSET 0) AS c (choice)
	JOIN zcsync.fields f ON f.account_id = a.account_id AND c.choice ->> 0 IN (f.remote_id, f.type) AND f.deleted_at IS NULL
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(f.options)) WITH ORDINALITY AS o (option, n)
	WHERE a.account_id = p_account AND o.option ->> (c.choice ->> 1) IS NOT NULL
	GROUP BY 1
$$;
COMMENT ON FUNCTION zcsync._column_choices(bigint, text, text) IS
'the options of the field from which a column takes its values, as rows hold them and as people call them';

-- The same for a field of one end of a route, with the choices in its catalogue.
CREATE FUNCTION zcsync._catalogued_value(p_def jsonb, p_field text, p_end text, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := (p_def ->> (p_end || '_account'))::bigint;
	v_values text[];
	v_names text[];
BEGIN
	SELECT array_agg(c.value ORDER BY c.position, length(c.value), c.value), array_agg(c.name ORDER BY c.position, length(c.value), c.value)
	INTO v_values, v_names
	FROM (
		SELECT * FROM zcsync._custom_choices(v_account, p_field) WHERE p_field LIKE 'custom:%'
		UNION ALL
		SELECT * FROM zcsync._route_choices(v_account, p_def ->> (p_end || '_kind'), p_field) WHERE p_field = 'priority'
		UNION ALL
		SELECT * FROM zcsync._column_choices(v_account, p_def ->> (p_end || '_kind'), p_field)) AS c;
	RETURN zcsync._chosen(format('field "%s" of %s/%s', p_field, p_def ->> (p_end || '_name'), p_def ->> (p_end || '_kind')), p_value, v_values, v_names);
END
$$;
COMMENT ON FUNCTION zcsync._catalogued_value(jsonb, text, text, text) IS
'the value of a field that a person names; an error when the catalogue has none, or several';

-- Where the members of an account are known from: the catalogue of its vendor, in this
-- field, or else the contacts with one of these roles.
CREATE FUNCTION zcsync._members_are(p_account bigint, OUT field text, OUT roles text[])
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (x.v).members_field, (x.v).member_roles
	FROM (SELECT zcsync._vendor_of(a.vendor) AS v FROM zcsync.accounts a WHERE a.account_id = p_account OFFSET 0) AS x
$$;
COMMENT ON FUNCTION zcsync._members_are(bigint) IS
'where the members of an account are known from';

-- Is any member of an account known?  This must be quick, since an account may have
-- very many contacts.
CREATE FUNCTION zcsync._knows_members(p_account bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN m.field IS NULL THEN EXISTS (
			SELECT FROM zcsync.contacts c WHERE c.account_id = p_account AND c.deleted_at IS NULL AND (m.roles IS NULL OR c.role = ANY (m.roles)))
		ELSE EXISTS (SELECT FROM zcsync.fields f
			WHERE f.account_id = p_account AND f.remote_id = m.field AND f.deleted_at IS NULL AND zcsync._json_list(f.options) <> '[]') END
	FROM zcsync._members_are(p_account) AS m
$$;
COMMENT ON FUNCTION zcsync._knows_members(bigint) IS
'is any member of an account known?';

-- The id of a member that is given by id or e-mail address; NULL if the members are
-- known and none of them matches.
CREATE FUNCTION zcsync._known_member(p_account bigint, p_value text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN i.id IS NULL THEN NULL
		WHEN m.field IS NULL AND EXISTS (SELECT FROM zcsync.contacts c
			WHERE c.account_id = p_account AND c.remote_id = i.id AND c.deleted_at IS NULL AND (m.roles IS NULL OR c.role = ANY (m.roles))) THEN i.id
		WHEN m.field IS NOT NULL AND EXISTS (
			SELECT FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(f.options)) AS o (member)
			WHERE f.account_id = p_account AND f.remote_id = m.field AND f.deleted_at IS NULL AND o.member ->> 'id' = i.id) THEN i.id
		WHEN NOT zcsync._knows_members(p_account) THEN i.id END
	FROM zcsync._members_are(p_account) AS m CROSS JOIN (SELECT zcsync._member_id(p_account, p_value)) AS i (id)
$$;
COMMENT ON FUNCTION zcsync._known_member(bigint, text) IS
'id of a member by id or e-mail address; NULL if the members are known and it is none of them';

-- Some members of an account as a text for people.
CREATE FUNCTION zcsync._members_text(p_account bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT left(string_agg(x.id || coalesce(' (' || x.email || ')', ''), ', ' ORDER BY length(x.id), x.id), 1000)
	FROM zcsync._members_are(p_account) AS m
	CROSS JOIN LATERAL (
		(SELECT o.member ->> 'id', o.member ->> 'email'
		FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(f.options)) AS o (member)
		WHERE f.account_id = p_account AND f.remote_id = m.field AND f.deleted_at IS NULL LIMIT 50)
		UNION ALL
		(SELECT c.remote_id, c.email FROM zcsync.contacts c
		WHERE m.field IS NULL AND c.account_id = p_account AND c.deleted_at IS NULL AND (m.roles IS NULL OR c.role = ANY (m.roles)) LIMIT 50)) AS x (id, email)
$$;
COMMENT ON FUNCTION zcsync._members_text(bigint) IS
'some members of an account with their e-mail addresses, as text';

-- The id of a member that a person names.  If the members are known and none matches,
-- an error; if they are not known, the text as it was given.
CREATE FUNCTION zcsync._named_member(p_account bigint, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id text := zcsync._known_member(p_account, p_value);
BEGIN
	IF p_value IS NOT NULL AND v_id IS NULL AND zcsync._knows_members(p_account) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s has no member "%s"', (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account), left(p_value, 100)),
			HINT = format('Give the id or the e-mail address of one: %s.', zcsync._members_text(p_account));
	END IF;
	RETURN coalesce(v_id, p_value);
END
$$;
COMMENT ON FUNCTION zcsync._named_member(bigint, text) IS
'the id of a member given by id or e-mail address; an error if the members are known and it is none';

-- Raise an error if several statuses of a scope have this name, where rows hold ids:
-- the name does not say which one is meant.
CREATE FUNCTION zcsync._refuse_ambiguous_status(p_account bigint, p_scope text, p_value text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ids text[] := ARRAY(SELECT DISTINCT st.status_id FROM zcsync.statuses st
		WHERE st.account_id = p_account AND st.scope_id = p_scope AND st.deleted_at IS NULL
			AND (zcsync._fold(st.name) = zcsync._fold(p_value) OR st.status_id = p_value));
BEGIN
	IF cardinality(v_ids) > 1 AND p_value <> ALL (v_ids) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s/%s has several statuses "%s"', (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account), p_scope, left(p_value, 100)),
			HINT = format('Give the id of one of them: %s.', array_to_string(v_ids, ', '));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_ambiguous_status(bigint, text, text) IS
'raises an error if several statuses of a scope have a name';

-- The statuses or priorities that a field of a route reads, if it reads the column
-- itself: those of the source, or, for a field that comes back, those of the target in
-- any place.
CREATE FUNCTION zcsync._read_choices(p_def jsonb, p_field text, p_back boolean) RETURNS TABLE (value text, name text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.value, c.name
	FROM (SELECT CASE WHEN p_back THEN 'target' ELSE 'source' END AS name, CASE WHEN p_back THEN 't.' ELSE 's.' END AS alias,
			CASE WHEN p_back AND p_field = 'status_id' THEN 'status'
				WHEN NOT p_back AND p_field = 'status' AND p_def ->> 'source_kind' = 'leads' THEN 'status_id' ELSE p_field END AS read,
			btrim(p_def #>> ARRAY[CASE WHEN p_back THEN 'back' ELSE 'fields' END, p_field, 'expression']) AS expression) AS e
	CROSS JOIN LATERAL (SELECT (p_def ->> (e.name || '_account'))::bigint AS account, p_def ->> (e.name || '_kind') AS kind) AS k
	CROSS JOIN LATERAL (
		SELECT s.value, s.name FROM zcsync._route_statuses(k.account, k.kind, NULL) AS s WHERE p_field IN ('status', 'status_id')
		UNION ALL
		SELECT o.value, o.name FROM zcsync._route_choices(k.account, k.kind, 'priority') AS o WHERE p_field = 'priority') AS c
	WHERE e.expression IN (e.read, e.alias || e.read)
$$;
COMMENT ON FUNCTION zcsync._read_choices(jsonb, text, boolean) IS
'the statuses or priorities that a field of a route reads, as far as they are known';

-- The form in which rows hold a value that a person gives by name, or in other upper
-- and lower case.  An unknown value is taken as it is, since a record may have it
-- already.
CREATE FUNCTION zcsync._read_value(p_def jsonb, p_field text, p_back boolean, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_values text[];
	v_names text[];
	v_end text := CASE WHEN p_back THEN 'target' ELSE 'source' END;
BEGIN
	SELECT array_agg(c.value ORDER BY c.value), array_agg(c.name ORDER BY c.value) INTO v_values, v_names
	FROM zcsync._read_choices(p_def, p_field, p_back) AS c
	WHERE zcsync._fold(btrim(p_value)) IN (zcsync._fold(c.value), zcsync._fold(c.name));
	IF v_values IS NOT NULL THEN
		RETURN zcsync._chosen(format('field "%s" of %s/%s', p_field, p_def ->> (v_end || '_name'), p_def ->> (v_end || '_kind')), p_value, v_values, v_names);
	ELSIF p_field IN ('status', 'status_id') THEN
		RETURN zcsync._status_value(p_def, p_back, p_value);
	END IF;
	RETURN p_value;
END
$$;
COMMENT ON FUNCTION zcsync._read_value(jsonb, text, boolean, text) IS
'the form in which rows hold a value that a person wrote and a field of a route reads; an error if several values have that name';
