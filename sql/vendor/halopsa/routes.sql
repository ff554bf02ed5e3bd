-- ---------------------------------------------------------------------
-- HaloPSA as an end of routes: ticket types, statuses, required fields.
-- ---------------------------------------------------------------------

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
	SELECT array_agg(t.id) FILTER (WHERE t.id = p_place OR zcsync._fold(t.name) = zcsync._fold(btrim(p_place))),
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

-- A ticket type names its required fields by HaloPSA's names; it names custom fields as
-- the catalogue does, or by their id.
CREATE FUNCTION zcsync._halopsa_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(m.name, CASE WHEN r.name = 'oppcontactname' THEN 'last_name' END, 'custom:' || f.remote_id, r.name), r.name
	FROM zcsync._halopsa_types(p_account, p_kind) t
	CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(t.required) = 'array' THEN t.required ELSE '[]' END) AS r (name)
	LEFT JOIN LATERAL (
		SELECT h.name FROM zcsync._halopsa_members(p_kind) h
		WHERE zcsync._fold(r.name) IN (h.member, h.name) ORDER BY h.member <> zcsync._fold(r.name) LIMIT 1) AS m ON true
	LEFT JOIN LATERAL (
		SELECT c.remote_id FROM zcsync.fields c
		WHERE c.account_id = p_account AND c.scope_id = 'custom' AND c.deleted_at IS NULL
			AND (zcsync._fold(c.name) = zcsync._fold(r.name) OR c.remote_id = r.name OR zcsync._fold(c.remote ->> 'name') = zcsync._fold(r.name))
		ORDER BY c.local_id LIMIT 1) AS f ON true
	WHERE t.id = p_place
$$;
COMMENT ON FUNCTION zcsync._halopsa_required(bigint, text, text) IS
'fields that records of a ticket type must have';

-- The places are the ticket types of a kind.
CREATE FUNCTION zcsync._halopsa_places(p_account bigint, p_kind text) RETURNS TABLE (id text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.id, t.name FROM zcsync._halopsa_types(p_account, p_kind) AS t
$$;
COMMENT ON FUNCTION zcsync._halopsa_places(bigint, text) IS
'ticket types of an account that records of a kind can have';

-- The meaning of a status: by its name, else by its number, to which HaloPSA gives a
-- meaning at first.
CREATE FUNCTION zcsync._halopsa_meaning(p_id text, p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN n.name IN ('new', 'open', 'pending', 'hold', 'solved') THEN n.name
		WHEN n.name IN ('in progress', 'reopened', 're-opened', 'updated') THEN 'open'
		WHEN n.name IN ('with user', 'with customer', 'awaiting user', 'awaiting customer', 'waiting for customer') THEN 'pending'
		WHEN n.name IN ('on hold', 'on-hold') THEN 'hold'
		WHEN n.name IN ('resolved', 'completed', 'closed', 'cancelled') THEN 'solved'
		ELSE CASE p_id WHEN '1' THEN 'new' WHEN '2' THEN 'open' WHEN '3' THEN 'pending' WHEN '28' THEN 'hold'
			WHEN '18' THEN 'solved' WHEN '9' THEN 'solved' WHEN '8' THEN 'solved' END
	END
	FROM (SELECT zcsync._fold(btrim(p_name))) AS n (name);
END;
COMMENT ON FUNCTION zcsync._halopsa_meaning(text, text) IS
'what a status of HaloPSA means; NULL: only a person can tell';

-- The statuses of the catalogue.  The categories to which one can be mapped depend on
-- its number alone: on the meaning that the number has unless somebody renamed the
-- status.
CREATE FUNCTION zcsync._halopsa_kind_statuses(p_account bigint, p_kind text, p_place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT st.status_id, st.name, NULL::integer, zcsync._halopsa_meaning(st.status_id, st.name), CASE
		WHEN st.status_id IN ('1', '2') THEN ARRAY['open'] WHEN st.status_id IN ('3', '28') THEN ARRAY['custom']
		WHEN st.status_id = '18' THEN ARRAY['done', 'closed'] WHEN st.status_id IN ('8', '9') THEN ARRAY['closed', 'done'] END,
		true, true
	FROM zcsync.statuses st
	WHERE st.account_id = p_account AND st.scope_id = p_kind AND st.deleted_at IS NULL AND st.active IS NOT FALSE
$$;
COMMENT ON FUNCTION zcsync._halopsa_kind_statuses(bigint, text, text) IS
'the statuses that records of a kind can have, by the catalogue';

-- The user of a client with this e-mail address, or its general user if the route wants
-- that; and the site of that user, or the client's main site.
CREATE FUNCTION zcsync._halopsa_user(p_account bigint, p_client text, p_email text, p_unknown text)
RETURNS TABLE (user_id text, site_id text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_client IS NOT NULL THEN
		SELECT u.remote_id, u.site_id INTO user_id, site_id
		FROM zcsync.contacts u
		WHERE u.account_id = p_account AND lower(u.email COLLATE "C") = lower(btrim(p_email) COLLATE "C") AND u.organization_id = p_client AND u.deleted_at IS NULL
		ORDER BY u.active IS NOT FALSE DESC, u.local_id LIMIT 1;
		IF site_id IS NULL THEN
			SELECT substring(c.remote ->> 'main_site_id' FROM '^[0-9]+') INTO site_id
			FROM zcsync.companies c WHERE c.account_id = p_account AND c.remote_id = p_client;
			IF coalesce(site_id, '0') = '0' THEN
				-- the only site, if there is one
				SELECT CASE WHEN count(*) = 1 THEN min(substr(c.remote_id, 6)) END INTO site_id
				FROM zcsync.companies c
				WHERE c.account_id = p_account AND c.parent_id = p_client AND c.type = 'site'
					AND c.deleted_at IS NULL AND c.active IS NOT FALSE;
			END IF;
		END IF;
		IF user_id IS NULL AND p_unknown = 'general' THEN
			SELECT u.remote_id INTO user_id FROM zcsync.contacts u
			WHERE u.account_id = p_account AND u.organization_id = p_client AND zcsync._fold(u.name) = 'general user' AND u.deleted_at IS NULL
			ORDER BY coalesce(u.site_id = _halopsa_user.site_id, false) DESC, u.local_id LIMIT 1;
		END IF;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_user(bigint, text, text, text) IS
'user and site of a record at its client, by e-mail address';
