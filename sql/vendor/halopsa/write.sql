-- ---------------------------------------------------------------------
-- HaloPSA: the requests that make a ticket or an opportunity equal to its row, and the
-- values agreed on when they were sent.
--
-- HaloPSA takes lists of records, new and changed ones together, so a push job makes
-- one element of such a list: for an existing record with the values that differ from
-- base, for a new one with all values.  One element that HaloPSA cannot read makes it
-- refuse the whole list.  So values are converted here, and a row with a value that
-- cannot be converted is refused before anything is sent.
--
-- HaloPSA has no idempotency key.  A record made here carries its row's
-- sync_key as third_party_id_string: a create whose effect is not known is looked
-- up by it among the newest records.
-- ---------------------------------------------------------------------

-- first_name and last_name are one text at HaloPSA; external_id holds our mark.
CREATE FUNCTION zcsync._halopsa_pushable(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind
		WHEN 'tickets' THEN '{subject,description,status,priority,requester_id,assignee_id,group_id,organization_id,
			site_id,form_id,tags,due_at,custom_fields}'
		WHEN 'leads' THEN '{summary,description,first_name,last_name,company,title,email,phone,street,city,region,
			postal_code,country,status,type_id,company_id,site_id,contact_id,owner_id,team,value,probability,stage_id,
			custom_fields}'
		WHEN 'comments' THEN '{parent_kind,parent_id,body,rich_body,is_private,outcome,author_id,seconds}'
		ELSE '{}' END::text[];
END;
COMMENT ON FUNCTION zcsync._halopsa_pushable(text) IS
'columns of a kind that can be changed at HaloPSA';

-- The member of a record in requests that has the value of a column, and its form, see
-- _halopsa_value().
CREATE FUNCTION zcsync._halopsa_members(p_kind text) RETURNS TABLE (name text, member text, form text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT m.name, m.member, m.form
	FROM (VALUES
		('tickets', 'subject', 'summary', 'text'),
		('tickets', 'description', 'details', 'text'),
		('tickets', 'status', 'status_id', 'fixed id'),
		('tickets', 'priority', 'priority_id', 'fixed id'),
		('tickets', 'form_id', 'tickettype_id', 'fixed id'),
		('tickets', 'assignee_id', 'agent_id', 'id'),
		('tickets', 'group_id', 'team', 'text'),
		('tickets', 'requester_id', 'user_id', 'id'),
		('tickets', 'organization_id', 'client_id', 'id'),
		('tickets', 'site_id', 'site_id', 'id'),
		('tickets', 'tags', 'tags', 'tags'),
		('tickets', 'due_at', 'deadlinedate', 'time'),
		('leads', 'summary', 'summary', 'text'),
		('leads', 'description', 'details', 'text'),
		('leads', 'company', 'oppcompanyname', 'text'),
		('leads', 'title', 'oppjobtitle', 'text'),
		('leads', 'email', 'oppemailaddress', 'text'),
		('leads', 'phone', 'opptel', 'text'),
		('leads', 'street', 'oppaddr1', 'text'),
		('leads', 'city', 'oppaddr2', 'text'),
		('leads', 'region', 'oppaddr3', 'text'),
		('leads', 'postal_code', 'opppostcode', 'text'),
		('leads', 'country', 'oppcountry', 'text'),
		('leads', 'status', 'status_id', 'fixed id'),
		('leads', 'type_id', 'tickettype_id', 'fixed id'),
		('leads', 'company_id', 'client_id', 'id'),
		('leads', 'site_id', 'site_id', 'id'),
		('leads', 'contact_id', 'user_id', 'id'),
		('leads', 'owner_id', 'agent_id', 'id'),
		('leads', 'team', 'team', 'text'),
		('leads', 'value', 'oppvalue', 'number'),
		('leads', 'probability', 'oppconversionprobability', 'number'),
		('leads', 'stage_id', 'pipeline_stage_id', 'id')) AS m (kind, name, member, form)
	WHERE m.kind = p_kind;
END;
COMMENT ON FUNCTION zcsync._halopsa_members(text) IS
'the members of a record in requests that stand for columns of a kind';

-- An id as HaloPSA wants it: a whole number, never "95.0".  NULL if the value is no id.
CREATE FUNCTION zcsync._halopsa_id(p_id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_id ~ '^-?[0-9]{1,10}(?:[.]0+)?$' THEN
		CASE WHEN trunc(p_id::numeric) BETWEEN -2147483648 AND 2147483647 THEN to_jsonb(trunc(p_id::numeric)) END END;
END;
COMMENT ON FUNCTION zcsync._halopsa_id(text) IS
'an id as requests have it, a whole number; NULL if it is none';

-- A number without zeros at its end; NULL if the value is no number, or one that
-- HaloPSA cannot store.
CREATE FUNCTION zcsync._halopsa_number(p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT to_jsonb(trim_scale(n.value)) FROM (SELECT zcsync._json_number(p_value)::numeric) AS n (value)
	WHERE abs(n.value) < 1e15;
END;
COMMENT ON FUNCTION zcsync._halopsa_number(jsonb) IS
'a number as requests have it; NULL if it is none';

-- A time as to_jsonb() prints it in UTC, in the form that HaloPSA takes: whole seconds,
-- since HaloPSA rounds in its own way.  NULL for a time that it cannot store.
CREATE FUNCTION zcsync._halopsa_time(p_time text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT to_jsonb(left(p_time, 19) || 'Z') WHERE p_time ~ '^[0-9]{4}-.*[+]00:00$' AND p_time >= '1753';
END;
COMMENT ON FUNCTION zcsync._halopsa_time(text) IS
'a time as requests have it; NULL for one that HaloPSA cannot hold';

-- A value as a request has it; NULL where it cannot be sent.  HaloPSA takes a null
-- member for a missing one, so a value is emptied with what HaloPSA itself writes for
-- "nothing".  A fixed id cannot be emptied.
CREATE FUNCTION zcsync._halopsa_value(p_form text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_form
		WHEN 'text' THEN coalesce(nullif(p_value, 'null'), '""')
		WHEN 'tags' THEN (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('text', e)), '[]')
			FROM jsonb_array_elements_text(zcsync._json_list(p_value)) AS e WHERE e <> '')
		WHEN 'number' THEN CASE WHEN p_value <> 'null' THEN zcsync._halopsa_number(p_value) ELSE '0' END
		WHEN 'time' THEN CASE WHEN p_value <> 'null' THEN zcsync._halopsa_time(p_value #>> '{}')
			ELSE '"1900-01-01T00:00:00"' END
		WHEN 'id' THEN CASE WHEN p_value NOT IN ('null', '""') THEN zcsync._halopsa_id(p_value #>> '{}') ELSE '0' END
		WHEN 'fixed id' THEN zcsync._halopsa_id(p_value #>> '{}')
	END;
END;
COMMENT ON FUNCTION zcsync._halopsa_value(text, jsonb) IS
'the value of a column as a request has it; NULL if it cannot be sent';

-- The name of a lead's person is one text at HaloPSA.
CREATE FUNCTION zcsync._halopsa_person(p_row jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat_ws(' ', nullif(btrim(p_row ->> 'first_name'), ''), nullif(btrim(p_row ->> 'last_name'), ''));
END;
COMMENT ON FUNCTION zcsync._halopsa_person(jsonb) IS
'first and last name as one text; empty when there is neither';

-- ---------------------------------------------------------------------
-- Custom fields
-- ---------------------------------------------------------------------

-- The id of an option that is given by its id, its name, or as an object with its id;
-- NULL if there is no such option.
CREATE FUNCTION zcsync._halopsa_option(p_options jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(zcsync._halopsa_id(o.option ->> 'id'), o.option -> 'id')
	FROM (SELECT coalesce(p_value ->> 'id', p_value #>> '{}')) AS v (said)
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(p_options)) AS o (option)
	WHERE o.option ->> 'id' = v.said OR zcsync._halopsa_id(o.option ->> 'id') = zcsync._halopsa_id(v.said)
		OR zcsync._fold(o.option ->> 'name') = zcsync._fold(v.said)
	ORDER BY zcsync._fold(o.option ->> 'name') = zcsync._fold(v.said), o.option ->> 'id' LIMIT 1;
END;
COMMENT ON FUNCTION zcsync._halopsa_option(jsonb, jsonb) IS
'the id of an option of a custom field that is given by its id or name; NULL if there is no such option';

-- The value of a custom field of a type (NULL: unknown) as a request has it; NULL where
-- it cannot be sent.  A value is emptied with what HaloPSA itself writes for "nothing".
CREATE FUNCTION zcsync._halopsa_field_value(p_type text, p_options jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_text text := nullif(btrim(p_value #>> '{}'), '');
	v_list jsonb := CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END;
BEGIN
	IF p_type IS NULL THEN
		RETURN p_value;
	ELSIF p_type = 'multiselect' AND v_text IS NOT NULL THEN
		RETURN (SELECT CASE WHEN count(*) = count(o.id) THEN
				coalesce(jsonb_agg(DISTINCT jsonb_build_object('id', o.id)) FILTER (WHERE o.id IS NOT NULL), '[]') END
			FROM jsonb_array_elements(v_list) AS e
			CROSS JOIN LATERAL (SELECT zcsync._halopsa_option(p_options, e)) AS o (id));
	ELSIF v_text IS NULL THEN
		RETURN CASE p_type WHEN 'select' THEN '0' WHEN 'multiselect' THEN '[]' WHEN 'checkbox' THEN 'false'
			WHEN 'date' THEN '"1900-01-01T00:00:00"' WHEN 'time' THEN '"1900-01-01T00:00:00"' ELSE '""' END::jsonb;
	ELSIF p_type = 'select' THEN
		RETURN zcsync._halopsa_option(p_options, p_value);
	ELSIF jsonb_typeof(p_value) IN ('array', 'object') THEN
		RETURN NULL;
	ELSIF p_type = 'number' THEN
		RETURN zcsync._halopsa_number(p_value);
	ELSIF p_type = 'checkbox' THEN
		RETURN CASE WHEN lower(v_text COLLATE "C") IN ('true', 'yes', '1') THEN 'true'::jsonb
			WHEN lower(v_text COLLATE "C") IN ('false', 'no', '0') THEN 'false' END;
	ELSIF p_type = 'date' THEN
		RETURN zcsync._halopsa_time(zcsync._utc_text(CASE WHEN v_text ~ '^[0-9]{4}-[0-9][0-9]-[0-9][0-9]$' THEN v_text || 'T00:00:00Z'
			WHEN v_text ~ 'T[0-9:.]+$' THEN v_text || 'Z' ELSE v_text END));
	ELSIF p_type = 'time' THEN
		RETURN to_jsonb('1901-01-01T' || m.part[1] || coalesce(m.part[2], ':00'))
		FROM regexp_matches(v_text, '^(?:[0-9]{4}-[0-9][0-9]-[0-9][0-9]T)?((?:[01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?(?:[.][0-9]+)?Z?$') AS m (part);
	END IF;
	RETURN to_jsonb(p_value #>> '{}');
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_field_value(text, jsonb, jsonb) IS
'the value of a custom field as a request has it; NULL if it cannot be sent';

-- For the custom fields in which a row differs from its base: their members in a
-- request, which values were sent, and why others cannot be sent.
CREATE FUNCTION zcsync._halopsa_field_items(p_account bigint, p_row jsonb, p_base jsonb,
	OUT items jsonb, OUT sent jsonb, OUT problem text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT jsonb_agg(jsonb_build_object('id', zcsync._halopsa_id(d.key), 'value', d.value) ORDER BY d.key)
			FILTER (WHERE d.problem IS NULL),
		jsonb_object_agg(d.key, d.mine) FILTER (WHERE d.problem IS NULL),
		string_agg(d.problem, '; ' ORDER BY d.key)
	INTO items, sent, problem
	FROM (
		SELECT k.key, p_row -> k.key AS mine, v.value, v.value IS DISTINCT FROM v.base AS differs,
			CASE
				WHEN f.remote_id IS NULL THEN format('there is no custom field "%s"', left(k.key, 100))
				WHEN v.value IS NULL
					THEN format('"%s" is not a value of custom field "%s", which is of type %s',
						left(p_row -> k.key #>> '{}', 100), coalesce(f.name, k.key), f.type)
			END AS problem
		FROM (SELECT jsonb_object_keys(p_row || p_base)) AS k (key)
		LEFT JOIN zcsync.fields f ON f.account_id = p_account AND f.remote_id = k.key AND f.scope_id = 'custom'
			AND f.deleted_at IS NULL
		CROSS JOIN LATERAL (
			SELECT coalesce(p_row -> k.key, 'null'), coalesce(p_base -> k.key, 'null') OFFSET 0) AS m (mine, base)
		CROSS JOIN LATERAL (
			SELECT zcsync._halopsa_field_value(f.type, f.options, m.mine), zcsync._halopsa_field_value(f.type, f.options, m.base)
			OFFSET 0) AS v (value, base)
		WHERE m.mine <> m.base) AS d
	WHERE d.problem IS NOT NULL OR d.differs;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_field_items(bigint, jsonb, jsonb) IS
'the custom fields of a request in which a row differs from its base, and why some cannot be sent';

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------

-- User, site and client belong together.  If only the user was changed, site and client
-- become those of the new user, as far as that contact is known here.
CREATE FUNCTION zcsync._halopsa_with_site(p_account bigint, p_row jsonb, p_base jsonb, p_user text, p_client text)
RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_site text;
	v_client text;
BEGIN
	IF p_row -> p_user IS DISTINCT FROM coalesce(p_base -> p_user, 'null') AND p_row -> p_user <> 'null'
		AND p_row -> p_client IS NOT DISTINCT FROM coalesce(p_base -> p_client, 'null')
		AND p_row -> 'site_id' IS NOT DISTINCT FROM coalesce(p_base -> 'site_id', 'null') THEN
		SELECT c.site_id, c.organization_id INTO v_site, v_client
		FROM zcsync.contacts c
		WHERE c.account_id = p_account AND c.remote_id = p_row ->> p_user;
		IF v_site IS NOT NULL AND v_client IS NOT NULL THEN
			RETURN p_row || jsonb_build_object('site_id', v_site, p_client, v_client);
		END IF;
	END IF;
	RETURN p_row;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_with_site(bigint, jsonb, jsonb, text, text) IS
'a row with site and client of its new user, if only the user was changed and is known here';

-- The next request for a row of tickets or leads (as to_jsonb() makes it in UTC,
-- without columns that exist only here), or NULL if the row equals its base.  p_unclear
-- is set while it is not known whether a create had an effect.  For its look-up, p_page
-- is the page to read, counted from 0; p_floor is an id that existed before, so that
-- records below it need not be looked at; p_latest is an id that exists now.
-- p_required has the fields that the record's type requires, see
-- _halopsa_required_of().
CREATE FUNCTION zcsync._halopsa_push_request(p_kind text, p_row jsonb, p_base jsonb, p_unclear timestamptz, p_page integer,
	p_notify boolean, p_floor bigint DEFAULT NULL, p_latest bigint DEFAULT NULL, p_required jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_entity text := CASE p_kind WHEN 'leads' THEN 'Opportunities' ELSE 'Tickets' END;
	v_id jsonb := zcsync._halopsa_id(p_row ->> 'remote_id');
	v_mark jsonb := jsonb_build_object('third_party_id_string', 'zcsync-' || (p_row ->> 'sync_key'));
	v_parts record;
BEGIN
	IF p_row ->> 'remote_id' IS NULL AND p_unclear IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'find', 'entity', v_entity,
			'batch', format('find/%s/%s', v_entity, coalesce(p_page, 0) + 1), 'page', coalesce(p_page, 0) + 1, 'match', v_mark,
			'since', to_char(p_unclear - interval '5 minutes', 'YYYY-MM-DD"T"HH24:MI:SS'),
			'summary', coalesce(p_row ->> 'summary', p_row ->> 'subject'), 'known', p_latest IS NOT NULL)
			|| CASE WHEN p_floor IS NOT NULL THEN jsonb_build_object('floor', p_floor) ELSE '{}' END;
	END IF;

	v_parts := zcsync._halopsa_item(p_kind, p_row, coalesce(p_base, '{}'), p_required);
	IF v_parts.problem IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'post', 'refuse', 'cannot be sent to HaloPSA: ' || v_parts.problem, 'hint', v_parts.hint);
	ELSIF p_row ->> 'remote_id' IS NULL THEN
		RETURN jsonb_build_object('op', 'post', 'entity', v_entity, 'batch', 'post/' || v_entity, 'create', true,
			'item', v_parts.item || v_mark || jsonb_build_object('donotapplytemplateintheapi', true,
				'sendack', coalesce(p_notify, false)),
			'match', v_mark,
			'sent', (SELECT jsonb_object_agg(c, p_row -> c) FROM unnest(zcsync._halopsa_pushable(p_kind)) AS c))
			|| CASE WHEN p_latest IS NOT NULL THEN jsonb_build_object('remember', p_latest) ELSE '{}' END;
	ELSIF v_parts.item <> '{}' THEN
		RETURN jsonb_build_object('op', 'post', 'entity', v_entity, 'batch', 'post/' || v_entity,
			'item', v_parts.item || jsonb_build_object('id', v_id),
			'match', jsonb_build_object('id', p_row -> 'remote_id'), 'sent', v_parts.sent,
			'base', (SELECT jsonb_object_agg(k, p_base -> k) FROM jsonb_object_keys(v_parts.sent) AS k));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_push_request(text, jsonb, jsonb, timestamptz, integer, boolean, bigint, bigint, jsonb) IS
'the next request that brings a record at HaloPSA closer to its row, or NULL';

-- The members of a record in which a row differs from its base, the values of
-- the columns they stand for, and what cannot be sent and why.
CREATE FUNCTION zcsync._halopsa_item(p_kind text, p_row jsonb, p_base jsonb, p_required jsonb,
	OUT item jsonb, OUT sent jsonb, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_row jsonb := zcsync._halopsa_with_site((p_row ->> 'account_id')::bigint, p_row, p_base,
		CASE p_kind WHEN 'leads' THEN 'contact_id' ELSE 'requester_id' END,
		CASE p_kind WHEN 'leads' THEN 'company_id' ELSE 'organization_id' END);
	v_fields record;
	v_missing text;
BEGIN
	WITH v AS MATERIALIZED (
		SELECT m.name, m.member, m.form, x.mine, zcsync._halopsa_value(m.form, x.mine) AS value,
			x.mine <> x.base AND (m.form <> 'fixed id' OR x.mine <> 'null')
				AND (zcsync._halopsa_value(m.form, x.mine) = zcsync._halopsa_value(m.form, x.base)) IS NOT TRUE AS differs
		FROM zcsync._halopsa_members(p_kind) AS m
		CROSS JOIN LATERAL (SELECT v_row -> m.name, coalesce(p_base -> m.name, 'null') OFFSET 0) AS x (mine, base)
		WHERE x.mine <> x.base OR m.member IN ('user_id', 'site_id', 'client_id')),
	s AS (
		SELECT v.* FROM v
		WHERE v.differs OR (v.member IN ('user_id', 'site_id', 'client_id') AND v.mine <> 'null'
			AND EXISTS (SELECT FROM v AS o WHERE o.differs AND o.member IN ('user_id', 'site_id', 'client_id'))))
	SELECT coalesce(jsonb_object_agg(s.member, s.value), '{}'), coalesce(jsonb_object_agg(s.name, p_row -> s.name), '{}'),
		string_agg(format('"%s" is not a valid %s', left(s.mine #>> '{}', 100), s.name), '; ' ORDER BY s.name)
			FILTER (WHERE s.value IS NULL),
		min(CASE WHEN s.name = 'status' THEN 'zcsync.statuses shows the ids of statuses.'
			WHEN s.form ~ 'id$' THEN 'It takes an id, which is a whole number.' END) FILTER (WHERE s.value IS NULL)
	INTO item, sent, problem, hint
	FROM s;

	IF p_kind = 'leads' AND zcsync._halopsa_person(p_row) <> zcsync._halopsa_person(p_base) THEN
		item := item || jsonb_build_object('oppcontactname', zcsync._halopsa_person(p_row));
		sent := sent || jsonb_build_object('first_name', p_row -> 'first_name', 'last_name', p_row -> 'last_name');
	END IF;
	IF p_row -> 'custom_fields' IS DISTINCT FROM p_base -> 'custom_fields' THEN
		v_fields := zcsync._halopsa_field_items((p_row ->> 'account_id')::bigint, coalesce(nullif(p_row -> 'custom_fields', 'null'), '{}'),
			coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}'));
		IF v_fields.problem IS NOT NULL THEN
			problem := concat_ws('; ', problem, v_fields.problem);
			hint := coalesce(hint, 'zcsync.fields shows the custom fields and their options.');
		ELSIF v_fields.items IS NOT NULL THEN
			item := item || jsonb_build_object('customfields', v_fields.items);
			sent := sent || jsonb_build_object('custom_fields', v_fields.sent);
		END IF;
	END IF;
	IF p_required IS NOT NULL THEN
		v_missing := zcsync._halopsa_missing(v_row, sent, p_required);
		IF v_missing IS NOT NULL THEN
			problem := concat_ws('; ', problem, v_missing);
			hint := coalesce(hint, 'The ticket type requires it: give it a value here, or have the route map it.');
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_item(text, jsonb, jsonb, jsonb) IS
'what a request holds for a row that differs from its base, and why it cannot be sent';

-- The fields that records of a ticket type must have, as far as zcsync can send them:
-- {field: name at HaloPSA}.  NULL: none is known.
CREATE FUNCTION zcsync._halopsa_required_of(p_account bigint, p_kind text, p_type text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_object_agg(r.field, r.name) FROM zcsync._halopsa_required(p_account, p_kind, p_type) AS r
	WHERE r.field LIKE 'custom:%' OR r.field = ANY (zcsync._halopsa_pushable(p_kind))
$$;
COMMENT ON FUNCTION zcsync._halopsa_required_of(bigint, text, text) IS
'the fields that records of a ticket type must have, as far as they can be sent';

-- A new record needs all of them; in an existing one, those that are sent must not
-- become empty.  Value and probability cannot become empty: they become 0.
CREATE FUNCTION zcsync._halopsa_missing(p_row jsonb, p_sent jsonb, p_required jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(format('required field "%s" (%s) is empty', f.name, replace(f.field, 'custom:', 'custom field ')), '; ' ORDER BY f.field)
	FROM jsonb_each_text(p_required) AS f (field, name)
	CROSS JOIN LATERAL (SELECT CASE
		WHEN f.name = 'oppcontactname' THEN to_jsonb(zcsync._halopsa_person(p_row))
		WHEN f.field LIKE 'custom:%' THEN p_row -> 'custom_fields' -> substr(f.field, 8)
		ELSE p_row -> f.field END) AS v (value)
	WHERE (coalesce(v.value, 'null') IN ('null', '[]', '{}') OR btrim(v.value #>> '{}') = '')
		AND (p_row ->> 'remote_id' IS NULL OR p_sent -> 'custom_fields' ? substr(f.field, 8)
			OR (p_sent ? f.field AND f.field NOT IN ('value', 'probability')));
END;
COMMENT ON FUNCTION zcsync._halopsa_missing(jsonb, jsonb, jsonb) IS
'which required fields of a row are empty; NULL: none of them';

-- The id of one of the latest records of an account that are known here, since ids rise
-- with time.  NULL: none is known.
CREATE FUNCTION zcsync._halopsa_latest(p_account bigint, p_kind text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_latest bigint;
BEGIN
	EXECUTE format($sql$
		SELECT max(zcsync._halopsa_read_id(to_jsonb(r.remote_id))::bigint)
		FROM (SELECT t.remote_id FROM zcsync.%I t
			WHERE t.account_id = $1 AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL
			ORDER BY t.local_id DESC LIMIT 100) AS r$sql$, p_kind)
		INTO v_latest USING p_account;
	RETURN v_latest;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_latest(bigint, text) IS
'id of a record of a kind that is among the latest ones known; NULL if none is';

-- The requests of push jobs; NULL for a row that equals its base or is gone.  A row
-- that equals it is put in step: values that differ in form only, or that cannot be
-- changed at HaloPSA, become those of base.
CREATE FUNCTION zcsync._halopsa_push_requests(p_job_ids bigint[])
RETURNS TABLE (job_id bigint, request jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
	v_jobs bigint[];
	v_requests jsonb[];
	v_tickets bigint[];
	v_leads bigint[];
BEGIN
	WITH j AS MATERIALIZED (
		SELECT q.job_id, q.account_id, q.kind, q.local_id, q.payload, q.sent IS NOT NULL AS is_sent, q.unclear_since, q.lookup_page AS page,
			q.lookup_floor::bigint AS floor, n.notify
		FROM zcsync.sync_queue q
		LEFT JOIN zcsync.routes n ON n.route_id = q.route_id
		WHERE q.job_id = ANY (p_job_ids)),
	-- not to_jsonb(t): that would read the whole document as well
	w AS (
		SELECT j.job_id, CASE WHEN t.sync_state = 'conflict' THEN zcsync._push_base('tickets', t.account_id, t.local_id, t.base) ELSE t.base END AS base,
			jsonb_build_object('account_id', t.account_id, 'remote_id', t.remote_id, 'sync_key', t.sync_key,
				'subject', t.subject, 'description', t.description, 'status', t.status, 'priority', t.priority,
				'requester_id', t.requester_id, 'assignee_id', t.assignee_id, 'group_id', t.group_id,
				'organization_id', t.organization_id, 'site_id', t.site_id, 'form_id', t.form_id, 'tags', t.tags,
				'due_at', t.due_at, 'custom_fields', t.custom_fields) AS row
		FROM j JOIN zcsync.tickets t ON t.account_id = j.account_id AND t.local_id = j.local_id
		WHERE j.kind = 'tickets' AND t.deleted_at IS NULL
		UNION ALL
		SELECT j.job_id, CASE WHEN t.sync_state = 'conflict' THEN zcsync._push_base('leads', t.account_id, t.local_id, t.base) ELSE t.base END AS base,
			jsonb_build_object('account_id', t.account_id, 'remote_id', t.remote_id, 'sync_key', t.sync_key,
				'summary', t.summary, 'description', t.description, 'first_name', t.first_name, 'last_name', t.last_name,
				'company', t.company, 'title', t.title, 'email', t.email, 'phone', t.phone, 'street', t.street, 'city', t.city,
				'region', t.region, 'postal_code', t.postal_code, 'country', t.country, 'status', t.status, 'type_id', t.type_id,
				'company_id', t.company_id, 'site_id', t.site_id, 'contact_id', t.contact_id, 'owner_id', t.owner_id,
				'team', t.team, 'value', t.value, 'probability', t.probability, 'stage_id', t.stage_id,
				'custom_fields', t.custom_fields)
		FROM j JOIN zcsync.leads t ON t.account_id = j.account_id AND t.local_id = j.local_id
		WHERE j.kind = 'leads' AND t.deleted_at IS NULL),
	latest AS MATERIALIZED (
		SELECT k.account_id, k.kind, zcsync._halopsa_latest(k.account_id, k.kind) AS id
		FROM (SELECT DISTINCT j.account_id, j.kind FROM j JOIN w ON w.job_id = j.job_id WHERE w.row ->> 'remote_id' IS NULL) AS k),
	types AS MATERIALIZED (
		SELECT k.account_id, k.kind, k.type, zcsync._halopsa_required_of(k.account_id, k.kind, k.type) AS required
		FROM (SELECT DISTINCT j.account_id, j.kind, coalesce(w.row ->> 'form_id', w.row ->> 'type_id') AS type
			FROM j JOIN w ON w.job_id = j.job_id) AS k
		WHERE k.type IS NOT NULL),
	r AS MATERIALIZED (
		SELECT j.job_id, j.kind, j.local_id, w.job_id IS NOT NULL AS found,
			CASE
				WHEN w.job_id IS NOT NULL AND NOT j.is_sent AND j.unclear_since IS NULL
						AND zcsync._lacks_fields(j.account_id, w.row -> 'custom_fields', w.base -> 'custom_fields', j.payload)
					THEN '{"op": "list", "entity": "FieldInfo", "includevalues": true, "learn": "fields"}'
				WHEN w.job_id IS NOT NULL
				THEN zcsync._halopsa_push_request(j.kind, w.row, w.base, j.unclear_since, j.page, j.notify, j.floor, l.id, q.required) END AS request
		FROM j LEFT JOIN w ON w.job_id = j.job_id
		LEFT JOIN types q ON q.account_id = j.account_id AND q.kind = j.kind AND q.type = coalesce(w.row ->> 'form_id', w.row ->> 'type_id')
		LEFT JOIN latest l ON l.account_id = j.account_id AND l.kind = j.kind)
	SELECT array_agg(r.job_id), array_agg(r.request),
		array_agg(r.local_id) FILTER (WHERE r.found AND r.request IS NULL AND r.kind = 'tickets'),
		array_agg(r.local_id) FILTER (WHERE r.found AND r.request IS NULL AND r.kind = 'leads')
	INTO v_jobs, v_requests, v_tickets, v_leads
	FROM r;
	PERFORM zcsync._halopsa_settle(e.kind, e.ids)
	FROM (VALUES ('tickets', v_tickets), ('leads', v_leads)) AS e (kind, ids)
	WHERE e.ids IS NOT NULL;
	RETURN QUERY SELECT * FROM unnest(v_jobs, v_requests);
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_push_requests(bigint[]) IS
'what to send for each of these push jobs; NULL: nothing';

-- Compared again under the lock: somebody may have written the row meanwhile.
CREATE FUNCTION zcsync._halopsa_settle(p_kind text, p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_columns text;
	v_values text;
BEGIN
	SELECT string_agg(quote_ident(c), ', '),
		string_agg(format(CASE c WHEN 'custom_fields' THEN 'coalesce(b.%I, ''{}'')' ELSE 'b.%I' END, c), ', ')
	INTO STRICT v_columns, v_values
	FROM unnest(zcsync._halopsa_pushable(p_kind)) AS c;
	EXECUTE format($sql$
		WITH locked AS MATERIALIZED (
			SELECT t.account_id, t.local_id FROM zcsync.%1$I t
			WHERE t.local_id = ANY ($1) AND t.sync_state <> 'synced' AND t.base IS NOT NULL
				AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL
			ORDER BY t.account_id, t.local_id
			FOR NO KEY UPDATE SKIP LOCKED)
		UPDATE zcsync.%1$I t
		SET (%2$s, sync_state, sync_cause, sync_cause_id, sync_xid) =
			(SELECT %3$s, 'synced', 'push', NULL::bigint, pg_current_xact_id()
			FROM jsonb_populate_record(NULL::zcsync.%1$I, t.base) AS b)
		FROM locked l
		WHERE t.account_id = l.account_id AND t.local_id = l.local_id
			AND zcsync._halopsa_push_request($2, to_jsonb(t) - 'remote', t.base, NULL, NULL, NULL) IS NULL$sql$,
		p_kind, v_columns, v_values)
		USING p_ids, p_kind;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_settle(text, bigint[]) IS
'makes rows for which there is nothing to send equal to their base, and synced';

-- ---------------------------------------------------------------------
-- What a reply to a push means
-- ---------------------------------------------------------------------

-- An object with
--   status   created, updated, found, absent, or more: the look-up goes on
--   doc      the record's document, where the reply has one
--   agreed   values of columns that both sides have now, where it has none
-- p_reply is the part of a reply that is about this record: its document, an
-- empty object where HaloPSA accepted the change and did not show it, or for a
-- look-up {"tickets": [document, if it was found], "more": may it be on the next
-- page?}.  p_base is the row's base.
CREATE FUNCTION zcsync._halopsa_push_effect(p_request jsonb, p_reply jsonb, p_base jsonb, p_sync_key text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doc jsonb := p_reply;
	v_fields jsonb;
BEGIN
	IF p_request ->> 'op' = 'find' THEN
		v_doc := p_reply #> '{tickets,0}';
		IF v_doc IS NULL THEN
			RETURN jsonb_build_object('status', CASE p_reply -> 'more' WHEN 'true' THEN 'more' ELSE 'absent' END);
		END IF;
		-- a list shows only some custom fields
		RETURN jsonb_build_object('status', 'found',
			'doc', v_doc - 'customfields' || jsonb_build_object('id', zcsync._halopsa_id(v_doc ->> 'id')));
	END IF;

	IF v_doc ->> 'id' IS NULL THEN
		RETURN jsonb_build_object('status', 'updated', 'agreed', (p_request -> 'sent')
			|| CASE WHEN p_request -> 'sent' ? 'custom_fields' THEN jsonb_build_object('custom_fields', jsonb_strip_nulls(
				coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}') || (p_request #> '{sent,custom_fields}'))) ELSE '{}' END);
	END IF;
	-- If the record's type does not show a custom field, the value counts as sent.
	SELECT jsonb_object_agg(s.key, s.value) INTO v_fields
	FROM jsonb_each(coalesce(nullif(p_request #> '{sent,custom_fields}', 'null'), '{}')) AS s
	WHERE s.value <> 'null' AND NOT zcsync._json_list(v_doc -> 'customfields') @> jsonb_build_array(jsonb_build_object('id', zcsync._halopsa_id(s.key)));
	RETURN jsonb_build_object('status', CASE WHEN p_request ? 'create' THEN 'created' ELSE 'updated' END,
			'doc', v_doc || jsonb_build_object('id', zcsync._halopsa_id(v_doc ->> 'id')))
		|| CASE WHEN v_fields IS NOT NULL THEN jsonb_build_object('agreed', jsonb_build_object('custom_fields', v_fields)) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_push_effect(jsonb, jsonb, jsonb, text) IS
'what the part of a reply that is about a record means: its status, and the document or the values agreed on';
