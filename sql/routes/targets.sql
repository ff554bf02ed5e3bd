-- ---------------------------------------------------------------------
-- Routes: what differs between targets, so that nothing else need know.
--
-- A target creates its records somewhere: in a list of ClickUp, with a ticket
-- type of HaloPSA.  That is its place.  A vendor's SQL provides
--
--   _VENDOR_place(account, kind, text, ask)   the id of a place
--   _VENDOR_required(account, kind, place)    fields that must be set there
--
-- A target without places, as Zendesk's tickets, provides the second only.
-- ---------------------------------------------------------------------

-- name_field must not be empty; place_field holds the place, which people call
-- place and give as setting; statuses are those of status_scope, or of the
-- place, and a row holds their id or their name.  Roles: how a value of the
-- route becomes one of the target, beside the map of values:
--   status (of the catalogue), member (by e-mail address), requester (by e-mail
--   address, which stays one where nobody has it), company, user and site
--   (companies.sql)
CREATE FUNCTION zcsync._route_targets() RETURNS TABLE (vendor text, kind text, name_field text, place_field text, place text,
	setting text, status_scope text, status_is_id boolean, needs_company boolean, roles jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT t.*
	FROM (VALUES
		('clickup', 'tasks', 'name', 'list_id', 'list', 'create_in', NULL, false, false,
			'{"status": "status", "assignees": "member"}'::jsonb),
		('halopsa', 'tickets', 'subject', 'form_id', 'ticket type', 'ticket_type', 'tickets', true, true,
			'{"status": "status", "assignee_id": "member", "organization_id": "company", "requester_id": "user", "site_id": "site"}'),
		('zendesk', 'tickets', 'subject', NULL, NULL, NULL, 'tickets', false, false,
			'{"assignee_id": "member", "requester_id": "requester"}'),
		('halopsa', 'leads', 'summary', 'type_id', 'ticket type', 'ticket_type', 'leads', true, false,
			'{"status": "status", "owner_id": "member", "company_id": "company", "contact_id": "user", "site_id": "site"}'))
		AS t (vendor, kind, name_field, place_field, place, setting, status_scope, status_is_id, needs_company, roles);
END;
COMMENT ON FUNCTION zcsync._route_targets() IS
'the kinds of vendors that routes can write, and in what they differ';

-- ---------------------------------------------------------------------
-- Places
-- ---------------------------------------------------------------------

-- Paths of lists are looked up among those that discover() saw; with p_ask
-- the vendor is asked if none was seen.
CREATE FUNCTION zcsync._clickup_place(p_account bigint, p_kind text, p_place text, p_ask boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_place ~ '^[0-9]+$' THEN
		RETURN p_place;
	ELSIF NOT p_ask AND NOT EXISTS (SELECT FROM zcsync.lists l WHERE l.account_id = p_account) THEN
		RETURN NULL;
	END IF;
	RETURN zcsync._resolve_list(p_account, p_place);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_place(bigint, text, text, boolean) IS
'id of a list, given as such or as a path; an error when there is none';

-- The ticket types of an account that records of a kind can have.
CREATE FUNCTION zcsync._halopsa_types(p_account bigint, p_kind text) RETURNS TABLE (id text, name text, required jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.type ->> 'id', o.type ->> 'name', o.type -> 'required'
	FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (type)
	WHERE f.account_id = p_account AND f.remote_id = 'tickettype' AND f.deleted_at IS NULL
		AND o.type ->> 'use' = CASE p_kind WHEN 'leads' THEN 'opportunity' ELSE 'ticket' END
$$;
COMMENT ON FUNCTION zcsync._halopsa_types(bigint, text) IS
'ticket types of a HaloPSA account that records of a kind can have, by the catalogue of fields';

CREATE FUNCTION zcsync._halopsa_place(p_account bigint, p_kind text, p_place text, p_ask boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account text := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_ids text[];
	v_names text;
BEGIN
	SELECT array_agg(t.id) FILTER (WHERE t.id = p_place OR lower(t.name) = lower(btrim(p_place))),
		string_agg(format('%s (%s)', t.name, t.id), ', ' ORDER BY t.name)
	INTO v_ids, v_names FROM zcsync._halopsa_types(p_account, p_kind) t;
	IF p_place = ANY (v_ids) THEN
		RETURN p_place;
	ELSIF cardinality(v_ids) = 1 THEN
		RETURN v_ids[1];
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'undefined_object',
		MESSAGE = CASE WHEN v_names IS NULL THEN format('no ticket type of %s/%s is known', v_account, p_kind)
			WHEN v_ids IS NULL THEN format('%s/%s has no ticket type "%s"', v_account, p_kind, left(p_place, 100))
			ELSE format('%s/%s has several ticket types "%s"', v_account, p_kind, left(p_place, 100)) END,
		HINT = CASE WHEN v_names IS NULL THEN
				format('They are read with the fields: SELECT * FROM zcsync.add_stream(%L, ''fields'');', v_account)
			ELSE format('Ticket types for %s are: %s.', p_kind, left(v_names, 1000)) END;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_place(bigint, text, text, boolean) IS
'id of a ticket type, given as such or by name; an error when there is none for this kind';

-- The id of the place that a setting or an expression names.  With p_ask an
-- error says what is wrong with it, otherwise the answer is NULL.
CREATE FUNCTION zcsync._route_place(p_account bigint, p_kind text, p_place text, p_ask boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_id text;
BEGIN
	IF btrim(coalesce(p_place, '')) = '' THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT zcsync.%I($1, $2, $3, $4)', '_' || v_vendor || '_place')
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

CREATE FUNCTION zcsync._clickup_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'custom:' || coalesce(f.remote ->> 'id', f.remote_id), f.name
	FROM zcsync.fields f
	WHERE f.account_id = p_account AND f.scope_id = p_place AND f.required
		AND f.active IS NOT FALSE AND f.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._clickup_required(bigint, text, text) IS
'fields that tasks of a list must have';

-- A ticket type names its required fields as HaloPSA calls them.  Custom fields
-- it names as the catalogue does, or by their id.
CREATE FUNCTION zcsync._halopsa_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(m.name, CASE WHEN r.name = 'oppcontactname' THEN 'last_name' END, 'custom:' || f.remote_id, r.name), r.name
	FROM zcsync._halopsa_types(p_account, p_kind) t
	CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(t.required) = 'array' THEN t.required ELSE '[]' END) AS r (name)
	LEFT JOIN LATERAL (
		SELECT h.name FROM zcsync._halopsa_members(p_kind) h
		WHERE lower(r.name) IN (h.member, h.name) ORDER BY h.member <> lower(r.name) LIMIT 1) AS m ON true
	LEFT JOIN LATERAL (
		SELECT c.remote_id FROM zcsync.fields c
		WHERE c.account_id = p_account AND c.scope_id = 'custom' AND c.deleted_at IS NULL
			AND (lower(c.name) = lower(r.name) OR c.remote_id = r.name OR lower(c.remote ->> 'name') = lower(r.name))
		ORDER BY c.local_id LIMIT 1) AS f ON true
	WHERE t.id = p_place
$$;
COMMENT ON FUNCTION zcsync._halopsa_required(bigint, text, text) IS
'fields that records of a ticket type must have';

-- A ticket begins with its first comment.  Fields that Zendesk calls required
-- are so for agents who solve tickets, in its own pages.
CREATE FUNCTION zcsync._zendesk_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'description', 'description';
END;
COMMENT ON FUNCTION zcsync._zendesk_required(bigint, text, text) IS
'fields that tickets of Zendesk must have';

-- What must be set in a place, as fields of a route.
CREATE FUNCTION zcsync._route_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	RETURN QUERY EXECUTE format('SELECT r.field, r.name FROM zcsync.%I($1, $2, $3) AS r', '_' || v_vendor || '_required')
		USING p_account, p_kind, p_place;
END
$$;
COMMENT ON FUNCTION zcsync._route_required(bigint, text, text) IS
'fields that records in a place must have';

-- ---------------------------------------------------------------------
-- Fields
-- ---------------------------------------------------------------------

-- The fields of a target that a route may write, with their types.  The place
-- a record is in is chosen by create_in.
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
	SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass(format('zcsync.%I', v_kind)) AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname = ANY (zcsync._pushable(v_vendor, v_kind)) AND a.attname <> 'custom_fields'
		AND NOT EXISTS (SELECT FROM zcsync._route_targets() t
			WHERE t.vendor = v_vendor AND t.kind = v_kind AND t.place_field = a.attname);
END
$$;
COMMENT ON FUNCTION zcsync._route_target_fields(bigint) IS
'columns of a target stream that a route may write';

-- The same for what comes back to the source.  Records of a local account are
-- only here, and can be written whole.
CREATE FUNCTION zcsync._route_source_fields(p_stream bigint) RETURNS TABLE (field text, type text)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)
	FROM zcsync.streams s
	JOIN zcsync.accounts ac ON ac.account_id = s.account_id
	JOIN pg_attribute a ON a.attrelid = to_regclass(format('zcsync.%I', s.kind)) AND a.attnum > 0 AND NOT a.attisdropped
	WHERE s.stream_id = p_stream AND a.attname <> ALL ('{custom_fields,created_at,updated_at}')
		AND a.attname = ANY (CASE ac.vendor WHEN 'local' THEN zcsync._own_columns(s.kind) ELSE zcsync._pushable(ac.vendor, s.kind) END)
		AND a.attname <> ALL (zcsync._create_only(ac.vendor, s.kind))
$$;
COMMENT ON FUNCTION zcsync._route_source_fields(bigint) IS
'columns of a source stream that a route may write back';

-- Raise an error unless something can come back to a stream.
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

-- A field as people give it, as routes store it: a custom field, which may be
-- given by its name, by its id.  Without a catalogue of the target's fields,
-- what has the form of an id is one.
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
	SELECT array_agg(DISTINCT k.id) FILTER (WHERE k.id = v_name OR lower(k.name) = lower(v_name)),
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
	ELSIF v_ids IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'ambiguous_column',
			MESSAGE = format('%s has several custom fields "%s"', p_def ->> 'target_name', left(v_name, 100)),
			HINT = format('Give the id of one of them: %s.', array_to_string(v_ids, ', '));
	ELSIF v_names IS NOT NULL OR v_name !~ '^[^[:space:]:]{1,100}$' THEN
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
