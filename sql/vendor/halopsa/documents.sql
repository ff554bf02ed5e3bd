-- ---------------------------------------------------------------------
-- HaloPSA: its documents as rows.  read.sql has the requests that
-- read them, checks.sql what check_account() and discover() ask.
--
-- Values have the form in which to_jsonb() prints a column's value while TimeZone is
-- UTC; see core/json.sql.
--
-- HaloPSA has several ways to write "nothing": an empty text, 0 and -1 as ids, and
-- times in the years 1, 1899, 1900 and 1901.  All of them become null.  An id may come
-- as 18, 18.0 or "18", and becomes "18".  A time without a zone is in UTC.
-- ---------------------------------------------------------------------

-- An id as text, from a number or its text; NULL for a value that means "nothing".
CREATE FUNCTION zcsync._halopsa_read_id(p_id jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (p_id #>> '{}') ~ '^[0-9]{1,18}(?:[.]0*)?$'
		THEN nullif(split_part(p_id #>> '{}', '.', 1)::bigint, 0)::text END;
END;
COMMENT ON FUNCTION zcsync._halopsa_read_id(jsonb) IS
'an id of HaloPSA as text, or NULL if it means "nothing"';

CREATE FUNCTION zcsync._halopsa_read_text(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_text ~ '[^[:space:]]' THEN replace(p_text, E'\r\n', E'\n') END;
END;
COMMENT ON FUNCTION zcsync._halopsa_read_text(text) IS
'a text of HaloPSA, or NULL if it is blank';

-- The caller's TimeZone must be UTC.
CREATE FUNCTION zcsync._halopsa_read_time(p_time text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_time ~ '^(?:0001|1899|190[01])-' THEN NULL
		WHEN p_time ~ '(?:Z|[+-][0-9][0-9]:?[0-9][0-9])$' THEN zcsync._utc_text(p_time)
		WHEN p_time ~ 'T' THEN zcsync._utc_text(p_time || 'Z')
		ELSE zcsync._utc_text(p_time || 'T00:00:00Z')
	END;
END;
COMMENT ON FUNCTION zcsync._halopsa_read_time(text) IS
'a time of HaloPSA as to_jsonb() prints it in UTC, or NULL if it means "nothing"';

-- The records of a reply: an array, an object with an array under any key, or a single
-- record.
CREATE FUNCTION zcsync._halopsa_list(p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN jsonb_typeof(p_reply) = 'array' THEN p_reply
		WHEN jsonb_typeof(p_reply) <> 'object' THEN '[]'::jsonb
		WHEN p_reply ? 'id' THEN jsonb_build_array(p_reply)
		ELSE coalesce((SELECT e.value FROM jsonb_each(p_reply) AS e WHERE jsonb_typeof(e.value) = 'array'
			ORDER BY e.key LIMIT 1), '[]')
	END;
END;
COMMENT ON FUNCTION zcsync._halopsa_list(jsonb) IS
'the records of a reply of HaloPSA as a list';

-- The address at which people see a record.
CREATE FUNCTION zcsync._halopsa_record_url(p_settings jsonb, p_kind text, p_remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce('https://' || (p_settings ->> 'host'), regexp_replace(p_settings ->> 'base_url', '/+(?:api/*)?$', ''))
		|| CASE
			WHEN p_kind IN ('tickets', 'leads', 'projects') THEN '/ticket?id=' || p_remote_id
			WHEN p_kind = 'contacts' THEN '/customers?userid=' || p_remote_id
			WHEN p_kind = 'companies' AND p_remote_id LIKE 'site-%' THEN '/customers?siteid=' || substr(p_remote_id, 6)
			WHEN p_kind = 'companies' THEN '/customers?clientid=' || p_remote_id
		END;
END;
COMMENT ON FUNCTION zcsync._halopsa_record_url(jsonb, text, text) IS
'address of a record in HaloPSA''s own pages; NULL for kinds that have none';

-- ---------------------------------------------------------------------
-- Custom fields
-- ---------------------------------------------------------------------

-- The types of custom fields, by HaloPSA's numbers.  A text field that takes only
-- numbers counts as a number.
CREATE FUNCTION zcsync._halopsa_field_type(p_type jsonb, p_input jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_type #>> '{}'
		WHEN '0' THEN CASE WHEN p_input #>> '{}' IN ('1', '2', '4') THEN 'number' ELSE 'text' END
		WHEN '1' THEN 'memo'
		WHEN '2' THEN 'select'
		WHEN '3' THEN 'multiselect'
		WHEN '4' THEN 'date'
		WHEN '5' THEN 'time'
		WHEN '6' THEN 'checkbox'
		WHEN '10' THEN 'rich'
	END;
END;
COMMENT ON FUNCTION zcsync._halopsa_field_type(jsonb, jsonb) IS
'the type of a custom field by its numbers; NULL for types that hold no value of a record';

-- The value of a custom field: the number of an option, a sorted list of such numbers,
-- a time, a time of day, a boolean, a number or a text; NULL if none is set.  The
-- caller's TimeZone must be UTC.
CREATE FUNCTION zcsync._halopsa_read_field(p_field jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_value jsonb := p_field -> 'value';
	v_text text := p_field ->> 'value';
BEGIN
	CASE zcsync._halopsa_field_type(p_field -> 'type', p_field -> 'inputtype')
		WHEN 'number' THEN
			v_value := coalesce(zcsync._json_number(v_value), to_jsonb(zcsync._halopsa_read_text(v_text)));
		WHEN 'select' THEN
			v_value := to_jsonb(zcsync._halopsa_read_id(v_value)::bigint);
		WHEN 'multiselect' THEN
			SELECT jsonb_agg(DISTINCT i.id ORDER BY i.id) INTO v_value
			FROM jsonb_array_elements(CASE jsonb_typeof(v_value) WHEN 'array' THEN v_value
				ELSE to_jsonb(string_to_array(v_text, ',')) END) AS e
			CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(CASE jsonb_typeof(e) WHEN 'object' THEN e -> 'id'
				ELSE to_jsonb(btrim(e #>> '{}')) END)::bigint) AS i (id)
			WHERE i.id IS NOT NULL;
		WHEN 'date' THEN
			v_value := to_jsonb(zcsync._halopsa_read_time(v_text));
		WHEN 'time' THEN
			v_value := to_jsonb(CASE WHEN v_text !~ '^(?:0001|1899|1900)-' THEN
				substring(v_text FROM '(?:^|^1901-01-01T)((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)') END);
		WHEN 'checkbox' THEN
			v_value := CASE lower(v_text COLLATE "C") WHEN 'true' THEN 'true' WHEN '1' THEN 'true'
				WHEN 'false' THEN 'false' WHEN '0' THEN 'false' END;
		ELSE
			v_value := to_jsonb(zcsync._halopsa_read_text(v_text));
	END CASE;
	RETURN nullif(v_value, '[]');
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_read_field(jsonb) IS
'the value of a custom field of a document; the caller''s TimeZone must be UTC';

CREATE FUNCTION zcsync._halopsa_read_fields(p_fields jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(f.id, f.value) FILTER (WHERE f.value IS NOT NULL), '{}')
	FROM (SELECT zcsync._halopsa_read_id(e -> 'id'), zcsync._halopsa_read_field(e)
		FROM jsonb_array_elements(zcsync._json_list(p_fields)) AS e) AS f (id, value)
	WHERE f.id IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._halopsa_read_fields(jsonb) IS
'the custom fields of a document by their ids; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------

-- The rows of a reply: a list, or the answer to a read or a write of single records.  A
-- list of tickets whose records are read one by one afterwards (request member "index")
-- gives no rows.
CREATE FUNCTION zcsync._halopsa_rows(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_list jsonb;
	v_lean boolean := coalesce(p_request ->> 'op' IN ('list', 'find'), false);
	v_entity text := lower((p_request ->> 'entity') COLLATE "C");
BEGIN
	IF p_request ? 'index' OR p_request ? 'ids' OR p_reply ? 'zcsync_missing' THEN
		RETURN;
	END IF;
	v_list := zcsync._halopsa_list(p_reply);
	IF v_entity = 'actions' THEN
		RETURN QUERY SELECT * FROM zcsync._halopsa_comments(p_kind,
			CASE WHEN p_request ? 'look' THEN v_list ELSE zcsync._halopsa_told_actions(p_account, p_request ->> 'ticket_id', v_list) END,
			p_request ->> 'ticket_id');
		RETURN QUERY SELECT 'comments', g.id, NULL::text, jsonb_build_object('parent_kind', p_kind, 'parent_id', p_request -> 'ticket_id'), NULL::jsonb, true
			FROM zcsync._halopsa_gone_comments(p_account, p_kind, p_request, p_reply, v_list) AS g (id);
		RETURN QUERY SELECT 'attachments', a.id, NULL::text, jsonb_build_object('parent_kind', p_kind, 'parent_id', p_request -> 'ticket_id'), NULL::jsonb, true
			FROM zcsync._attachments_of(p_account, ARRAY(SELECT zcsync._halopsa_gone_comments(p_account, p_kind, p_request, p_reply, v_list))) AS a (id);
		RETURN QUERY SELECT * FROM zcsync._halopsa_times(p_account, p_kind, p_request, p_reply, v_list);
		RETURN;
	ELSIF v_entity = 'attachment' THEN
		RETURN QUERY SELECT * FROM zcsync._halopsa_files(p_account, p_kind, p_request, p_reply, v_list);
		RETURN;
	END IF;
	CASE coalesce(p_request ->> 'learn', p_kind)
		WHEN 'tickets' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_tickets(p_account, v_list, v_lean);
		WHEN 'leads' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_leads(p_account, v_list, v_lean);
		WHEN 'projects' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_projects(p_account, v_list);
		WHEN 'contacts' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_contacts(v_list);
		WHEN 'companies' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_companies(v_list, v_entity);
		WHEN 'statuses' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_statuses(v_list,
				CASE p_request ->> 'type' WHEN 'opportunity' THEN 'leads' ELSE 'tickets' END);
		WHEN 'fields' THEN
			RETURN QUERY SELECT * FROM zcsync._halopsa_fields(p_account, v_list, v_entity);
		ELSE
			NULL;
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_rows(bigint, text, jsonb, jsonb) IS
'rows of a reply of HaloPSA';

-- When a record changed last; each kind and build of HaloPSA names that differently.
CREATE FUNCTION zcsync._halopsa_version(p_doc jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._halopsa_read_time(coalesce(p_doc ->> 'last_update', p_doc ->> 'flastupdate', p_doc ->> 'ulastupdate',
		p_doc ->> 'alastupdate', p_doc ->> 'slastupdate', p_doc ->> 'last_updated'));
END;
COMMENT ON FUNCTION zcsync._halopsa_version(jsonb) IS
'the time of the last change of a document; the caller''s TimeZone must be UTC';

-- A row of a list gives only the values that it has: a column whose member is missing
-- keeps its value.  Tags and custom fields in lists are not complete.
CREATE FUNCTION zcsync._halopsa_lean(p_vals jsonb, p_doc jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_vals - '{tags,custom_fields}'::text[]
		- ARRAY(SELECT m.column_name
			FROM (VALUES ('subject', 'summary'), ('summary', 'summary'), ('description', 'details'), ('type_id', 'tickettype_id'),
				('form_id', 'tickettype_id'), ('status', 'status_id'), ('priority', 'priority_id'), ('assignee_id', 'agent_id'),
				('owner_id', 'agent_id'), ('group_id', 'team'), ('team', 'team'), ('requester_id', 'user_id'), ('contact_id', 'user_id'),
				('organization_id', 'client_id'), ('company_id', 'client_id'), ('site_id', 'site_id'),
				('external_id', 'third_party_id_string'), ('first_name', 'oppcontactname'), ('last_name', 'oppcontactname'),
				('company', 'oppcompanyname'), ('title', 'oppjobtitle'), ('email', 'oppemailaddress'), ('phone', 'opptel'),
				('street', 'oppaddr1'), ('city', 'oppaddr2'), ('region', 'oppaddr3'), ('postal_code', 'opppostcode'),
				('country', 'oppcountry'), ('value', 'oppvalue'), ('probability', 'oppconversionprobability'),
				('stage_id', 'pipeline_stage_id'), ('created_at', 'dateoccurred'), ('due_at', 'fixbydate'), ('merged_into_id', 'merged_into_id'), ('parent_id', 'parent_id')) AS m (column_name, member)
			WHERE NOT p_doc ? m.member);
END;
COMMENT ON FUNCTION zcsync._halopsa_lean(jsonb, jsonb) IS
'the values of a ticket that a row of a list contains';

-- Opportunities and projects are tickets, too, and a ticket may become one: then the row
-- of the ticket is marked as gone, of a project only while projects are mirrored apart.
CREATE FUNCTION zcsync._halopsa_tickets(p_account bigint, p_list jsonb, p_lean boolean)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := (SELECT a.settings FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_apart boolean := EXISTS (SELECT FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = 'projects' AND s.state = 'active');
BEGIN
	RETURN QUERY
	SELECT 'tickets', i.id, zcsync._halopsa_version(d),
		CASE WHEN p_lean THEN zcsync._halopsa_lean(v.vals, d) WHEN g.other THEN '{}' ELSE v.vals END,
		d, g.gone OR g.other
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	CROSS JOIN LATERAL (SELECT coalesce(d -> 'deleted' = 'true', false),
		coalesce(d -> 'is_opportunity' = 'true', false) OR coalesce(v_apart AND d -> 'is_project' = 'true', false)) AS g (gone, other)
	CROSS JOIN LATERAL (SELECT jsonb_build_object(
		'subject', zcsync._halopsa_read_text(d ->> 'summary'),
		'description', zcsync._halopsa_read_text(d ->> 'details'),
		'status', zcsync._halopsa_read_id(d -> 'status_id'),
		'custom_status_id', NULL,
		'priority', zcsync._halopsa_read_id(d -> 'priority_id'),
		'type', NULL,
		'requester_id', zcsync._halopsa_read_id(d -> 'user_id'),
		'submitter_id', NULL,
		'assignee_id', zcsync._halopsa_read_id(d -> 'agent_id'),
		'group_id', zcsync._halopsa_read_text(d ->> 'team'),
		'organization_id', zcsync._halopsa_read_id(d -> 'client_id'),
		'site_id', zcsync._halopsa_read_id(d -> 'site_id'),
		'brand_id', NULL,
		'form_id', zcsync._halopsa_read_id(d -> 'tickettype_id'),
		'problem_id', NULL,
		'follower_ids', NULL,
		'email_cc_ids', NULL,
		'satisfaction', NULL,
		'tags', zcsync._member_list(d -> 'tags', 'text'),
		'due_at', coalesce(zcsync._halopsa_read_time(d ->> 'deadlinedate'), zcsync._halopsa_read_time(d ->> 'fixbydate')),
		'external_id', zcsync._halopsa_read_text(d ->> 'third_party_id_string'),
		'channel', NULL,
		'url', zcsync._halopsa_record_url(v_settings, 'tickets', i.id),
		'merged_into_id', zcsync._halopsa_read_id(d -> 'merged_into_id'),
		'parent_id', zcsync._halopsa_read_id(d -> 'parent_id'),
		'custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'),
		'created_at', coalesce(zcsync._halopsa_read_time(d ->> 'dateoccurred'), zcsync._halopsa_read_time(d ->> 'datecreated')),
		'updated_at', zcsync._halopsa_version(d))) AS v (vals)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_tickets(bigint, jsonb, boolean) IS
'ticket documents as rows; the caller''s TimeZone must be UTC';

CREATE FUNCTION zcsync._halopsa_projects(p_account bigint, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := (SELECT a.settings FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	RETURN QUERY
	SELECT 'projects', i.id, zcsync._halopsa_version(d), CASE WHEN d -> 'is_project' = 'false' THEN '{}' ELSE v.vals END, d,
		coalesce(d -> 'deleted' = 'true', false) OR coalesce(d -> 'is_project' = 'false', false)
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	CROSS JOIN LATERAL (SELECT jsonb_build_object(
		'name', zcsync._halopsa_read_text(d ->> 'summary'),
		'status', zcsync._halopsa_read_id(d -> 'status_id'),
		'type_id', zcsync._halopsa_read_id(d -> 'tickettype_id'),
		'organization_id', zcsync._halopsa_read_id(d -> 'client_id'),
		'site_id', zcsync._halopsa_read_id(d -> 'site_id'),
		'requester_id', zcsync._halopsa_read_id(d -> 'user_id'),
		'assignee_id', zcsync._halopsa_read_id(d -> 'agent_id'),
		'team', zcsync._halopsa_read_text(d ->> 'team'),
		'parent_id', zcsync._halopsa_read_id(d -> 'parent_id'),
		'start_at', coalesce(zcsync._halopsa_read_time(d ->> 'startdate'), zcsync._halopsa_read_time(d ->> 'projectearlieststart')),
		'due_at', coalesce(zcsync._halopsa_read_time(d ->> 'targetdate'), zcsync._halopsa_read_time(d ->> 'deadlinedate'),
			zcsync._halopsa_read_time(d ->> 'projectlatestend')),
		'closed_at', zcsync._halopsa_read_time(d ->> 'dateclosed'),
		'budget_hours', zcsync._json_number(d -> 'projecttimebudget'),
		'spent_hours', zcsync._json_number(d -> 'projecttimeactual'),
		'external_id', zcsync._halopsa_read_text(d ->> 'third_party_id_string'),
		'url', zcsync._halopsa_record_url(v_settings, 'projects', i.id),
		'custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'),
		'created_at', coalesce(zcsync._halopsa_read_time(d ->> 'dateoccurred'), zcsync._halopsa_read_time(d ->> 'datecreated')),
		'updated_at', zcsync._halopsa_version(d))) AS v (vals)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_projects(bigint, jsonb) IS
'documents of projects as rows; the caller''s TimeZone must be UTC';

-- The parts of a name: all but the last word, and the last word.
CREATE FUNCTION zcsync._halopsa_name(p_name text, OUT first_name text, OUT last_name text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(regexp_replace(n.name, '[[:space:]]*[^[:space:]]+$', ''), ''), substring(n.name FROM '[^[:space:]]+$')
	FROM (SELECT btrim(p_name, E' \t\n')) AS n (name);
END;
COMMENT ON FUNCTION zcsync._halopsa_name(text) IS
'first and last name of a whole name';

-- HaloPSA has one text for the name of a person.  If first and last name are known,
-- they are kept as long as that text does not change.
CREATE FUNCTION zcsync._halopsa_leads(p_account bigint, p_list jsonb, p_lean boolean)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := (SELECT a.settings FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	RETURN QUERY
	SELECT 'leads', i.id, zcsync._halopsa_version(d),
		CASE WHEN p_lean THEN zcsync._halopsa_lean(v.vals, d) WHEN g.gone AND d -> 'is_opportunity' = 'false' THEN '{}' ELSE v.vals END,
		d, g.gone
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	CROSS JOIN LATERAL (SELECT coalesce(d -> 'deleted' = 'true', false) OR coalesce(d -> 'is_opportunity' = 'false', false)) AS g (gone)
	LEFT JOIN zcsync.leads AS l ON l.account_id = p_account AND l.remote_id = i.id
		AND concat_ws(' ', l.base ->> 'first_name', l.base ->> 'last_name') = d ->> 'oppcontactname'
	CROSS JOIN LATERAL zcsync._halopsa_name(d ->> 'oppcontactname') AS n
	CROSS JOIN LATERAL (SELECT jsonb_build_object(
		'summary', zcsync._halopsa_read_text(d ->> 'summary'),
		'description', zcsync._halopsa_read_text(d ->> 'details'),
		'first_name', CASE WHEN l.local_id IS NULL THEN left(n.first_name, 500) ELSE l.base ->> 'first_name' END,
		'last_name', CASE WHEN l.local_id IS NULL THEN left(n.last_name, 500) ELSE l.base ->> 'last_name' END,
		'company', left(zcsync._halopsa_read_text(d ->> 'oppcompanyname'), 500),
		'title', zcsync._halopsa_read_text(d ->> 'oppjobtitle'),
		'email', left(zcsync._halopsa_read_text(d ->> 'oppemailaddress'), 500),
		'phone', zcsync._halopsa_read_text(d ->> 'opptel'),
		'street', zcsync._halopsa_read_text(d ->> 'oppaddr1'),
		'city', zcsync._halopsa_read_text(d ->> 'oppaddr2'),
		'region', zcsync._halopsa_read_text(d ->> 'oppaddr3'),
		'postal_code', zcsync._halopsa_read_text(d ->> 'opppostcode'),
		'country', zcsync._halopsa_read_text(d ->> 'oppcountry'),
		'value', nullif(zcsync._json_number(d -> 'oppvalue'), '0'),
		'probability', nullif(zcsync._json_number(d -> 'oppconversionprobability'), '0'),
		'stage_id', zcsync._halopsa_read_id(d -> 'pipeline_stage_id'),
		'status', zcsync._halopsa_read_id(d -> 'status_id'),
		'type_id', zcsync._halopsa_read_id(d -> 'tickettype_id'),
		'company_id', zcsync._halopsa_read_id(d -> 'client_id'),
		'site_id', zcsync._halopsa_read_id(d -> 'site_id'),
		'contact_id', zcsync._halopsa_read_id(d -> 'user_id'),
		'owner_id', zcsync._halopsa_read_id(d -> 'agent_id'),
		'team', zcsync._halopsa_read_text(d ->> 'team'),
		'external_id', zcsync._halopsa_read_text(d ->> 'third_party_id_string'),
		'closed_at', zcsync._halopsa_read_time(d ->> 'dateclosed'),
		'url', zcsync._halopsa_record_url(v_settings, 'leads', i.id),
		'custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'),
		'created_at', coalesce(zcsync._halopsa_read_time(d ->> 'dateoccurred'), zcsync._halopsa_read_time(d ->> 'datecreated')),
		'updated_at', zcsync._halopsa_version(d))) AS v (vals)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_leads(bigint, jsonb, boolean) IS
'opportunity documents as rows; the caller''s TimeZone must be UTC';

-- Actions are numbered within their ticket.
CREATE FUNCTION zcsync._halopsa_comments(p_kind text, p_list jsonb, p_ticket text)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'comments', i.ticket || '-' || i.id, zcsync._halopsa_version(d),
		jsonb_build_object(
			'parent_id', i.ticket,
			'parent_kind', p_kind,
			'reply_to', NULL,
			'author_id', zcsync._halopsa_read_id(d -> 'who_agentid'),
			'author_name', zcsync._halopsa_read_text(d ->> 'who'),
			'body', zcsync._halopsa_read_text(d ->> 'note'),
			'rich_body', to_jsonb(zcsync._halopsa_read_text(d ->> 'note_html')),
			'is_private', CASE WHEN jsonb_typeof(d -> 'hiddenfromuser') = 'boolean' THEN d -> 'hiddenfromuser' END,
			'is_redacted', NULL,
			'outcome', zcsync._halopsa_read_text(d ->> 'outcome'),
			'seconds', nullif(zcsync._halopsa_seconds(d -> 'timetaken'), 0),
			'edited_at', NULL,
			'channel', CASE WHEN d ->> 'emaildirection' IN ('I', 'O') THEN 'email' END,
			'custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'),
			'created_at', zcsync._halopsa_read_time(d ->> 'datetime'),
			'updated_at', coalesce(zcsync._halopsa_version(d), zcsync._halopsa_read_time(d ->> 'datetime'))),
		d, false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id'),
		coalesce(zcsync._halopsa_read_id(d -> 'ticket_id'), p_ticket)) AS i (id, ticket)
	WHERE i.id IS NOT NULL AND i.ticket IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_comments(text, jsonb, text) IS
'documents of actions of a ticket or an opportunity as rows; the caller''s TimeZone must be UTC';

CREATE FUNCTION zcsync._halopsa_contacts(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'contacts', i.id, zcsync._halopsa_version(d),
		jsonb_build_object(
			'name', zcsync._halopsa_read_text(d ->> 'name'),
			'email', left(zcsync._halopsa_read_text(d ->> 'emailaddress'), 500),
			'phone', coalesce(zcsync._halopsa_read_text(d ->> 'phonenumber'), zcsync._halopsa_read_text(d ->> 'mobilenumber')),
			'role', zcsync._halopsa_read_text(d ->> 'title'),
			'site_id', coalesce(zcsync._halopsa_read_id(d -> 'site_id_int'), zcsync._halopsa_read_id(d -> 'site_id')),
			'external_id', zcsync._halopsa_read_id(d -> 'third_party_id'),
			'active', CASE WHEN jsonb_typeof(d -> 'inactive') = 'boolean' THEN d -> 'inactive' = 'false' END,
			'time_zone', NULL,
			'created_at', zcsync._halopsa_read_time(d ->> 'datecreated'),
			'updated_at', zcsync._halopsa_version(d))
		-- a list may lack these; then the values stay
		|| CASE WHEN d ? 'customfields' THEN jsonb_build_object('custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'))
			ELSE '{}' END
		|| CASE WHEN d ? 'client_id' THEN jsonb_build_object('organization_id', zcsync._halopsa_read_id(d -> 'client_id'))
			WHEN d #> '{site,client_id}' IS NOT NULL THEN jsonb_build_object('organization_id',
				zcsync._halopsa_read_id(d #> '{site,client_id}'))
			ELSE '{}' END,
		d, false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_contacts(jsonb) IS
'user documents as rows; the caller''s TimeZone must be UTC';

-- Clients and sites are numbered separately: site 18 has the remote id "site-18".
CREATE FUNCTION zcsync._halopsa_companies(p_list jsonb, p_entity text)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'companies', CASE p_entity WHEN 'site' THEN 'site-' ELSE '' END || i.id, zcsync._halopsa_version(d),
		jsonb_build_object(
			'name', left(zcsync._halopsa_read_text(d ->> 'name'), 500),
			'type', CASE p_entity WHEN 'site' THEN 'site' ELSE 'client' END,
			'parent_id', CASE p_entity WHEN 'site' THEN zcsync._halopsa_read_id(d -> 'client_id') END,
			'domain', left(lower(coalesce(zcsync._halopsa_read_text(d ->> 'domain'), zcsync._halopsa_read_text(d ->> 'emaildomain')) COLLATE "C"), 500),
			'website', zcsync._halopsa_read_text(d ->> 'website'),
			'phone', coalesce(zcsync._halopsa_read_text(d ->> 'phonenumber'), zcsync._halopsa_read_text(d ->> 'main_phonenumber')),
			'external_id', coalesce(zcsync._halopsa_read_text(d ->> 'third_party_id_string'), zcsync._halopsa_read_id(d -> 'third_party_id'),
				zcsync._halopsa_read_text(d ->> 'ref')),
			'active', CASE WHEN jsonb_typeof(d -> 'inactive') = 'boolean' THEN d -> 'inactive' = 'false' END,
			'is_prospect', CASE WHEN p_entity = 'site' THEN NULL
				WHEN jsonb_typeof(d -> 'is_prospect') = 'boolean' THEN d -> 'is_prospect'
				ELSE to_jsonb(coalesce(d -> 'customer_relationship' @? '$[*].name ? (@ like_regex "prospect" flag "i")', false)) END,
			'created_at', zcsync._halopsa_read_time(d ->> 'datecreated'),
			'updated_at', zcsync._halopsa_version(d))
		|| CASE WHEN d ? 'customfields' THEN jsonb_build_object('custom_fields', zcsync._halopsa_read_fields(d -> 'customfields'))
			ELSE '{}' END,
		d, false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_companies(jsonb, text) IS
'client or site documents as rows; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Catalogues
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_statuses(p_list jsonb, p_scope text)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'statuses', p_scope || ':' || i.id, NULL::text,
		jsonb_build_object(
			'scope_id', p_scope,
			'status_id', i.id,
			'name', left(d ->> 'name', 500),
			'category', NULL,
			'position', coalesce(zcsync._json_integer(d -> 'sequence'), x.n),
			'color', zcsync._halopsa_read_text(d ->> 'colour'),
			'active', true,
			'is_default', NULL,
			'custom_fields', '{}'::jsonb,
			'created_at', NULL,
			'updated_at', NULL),
		d, false
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
	WHERE i.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_statuses(jsonb, text) IS
'status documents of tickets or opportunities as rows';

CREATE FUNCTION zcsync._halopsa_fields(p_account bigint, p_list jsonb, p_entity text)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_entity = 'fieldinfo' THEN
		RETURN QUERY
		SELECT 'fields', i.id, NULL::text, zcsync._halopsa_field('custom',
				left(coalesce(zcsync._halopsa_read_text(d ->> 'label'), d ->> 'name'), 500),
				zcsync._halopsa_field_type(d -> 'type', d -> 'inputtype'),
				(SELECT jsonb_agg(jsonb_build_object('id', zcsync._halopsa_read_id(o -> 'id'),
					'name', coalesce(o ->> 'name', o ->> 'value')) ORDER BY n)
				FROM jsonb_array_elements(zcsync._json_list(d -> 'values')) WITH ORDINALITY AS v (o, n)
				WHERE zcsync._halopsa_read_id(o -> 'id') IS NOT NULL),
				CASE WHEN jsonb_typeof(d -> 'mandatory') = 'boolean' THEN d -> 'mandatory' END, x.n::integer), d, false
		FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
		CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
		WHERE i.id IS NOT NULL AND coalesce(d ->> 'custom', '1') NOT IN ('0', 'false');
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 'fields', p_entity, NULL::text, zcsync._halopsa_field('system',
			CASE p_entity WHEN 'priority' THEN 'Priority' WHEN 'tickettype' THEN 'Ticket type' WHEN 'team' THEN 'Team' WHEN 'outcome' THEN 'Outcome' ELSE 'Agent' END,
			'select', zcsync._halopsa_options(p_account, p_list, p_entity), 'false', NULL), NULL::jsonb, false
	WHERE p_entity IN ('priority', 'tickettype', 'team', 'agent', 'outcome');
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_fields(bigint, jsonb, text) IS
'custom fields as rows, or the priorities, ticket types, teams, agents or outcomes as the options of one';

CREATE FUNCTION zcsync._halopsa_field(p_scope text, p_name text, p_type text, p_options jsonb, p_required jsonb, p_position integer)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('scope_id', p_scope, 'name', p_name, 'type', p_type, 'options', p_options, 'required', p_required,
		'active', true, 'position', p_position, 'custom_fields', '{}'::jsonb, 'created_at', NULL, 'updated_at', NULL);
END;
COMMENT ON FUNCTION zcsync._halopsa_field(text, text, text, jsonb, jsonb, integer) IS
'values of a row of zcsync.fields';

-- What an agent must fill in to make a ticket of this type: the type's own list of
-- fields, which only a single type contains, and "summary".
CREATE FUNCTION zcsync._halopsa_mandatory(p_type jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN jsonb_typeof(p_type -> 'fields') = 'array' THEN (
		SELECT coalesce(jsonb_agg(DISTINCT n.name) FILTER (WHERE n.name IS NOT NULL), '[]')
		FROM jsonb_array_elements(p_type -> 'fields') AS f
		CROSS JOIN LATERAL (SELECT coalesce(zcsync._halopsa_read_text(f ->> 'fieldname'), f #>> '{fieldinfo,name}')) AS n (name)
		WHERE f ->> 'technew' = '2' OR f #> '{fieldinfo,mandatory}' = 'true') END;
END;
COMMENT ON FUNCTION zcsync._halopsa_mandatory(jsonb) IS
'names of the required fields of a ticket type, or NULL where the document does not say';

-- Options of a system field.  A list of ticket types does not say which fields are
-- required, so the known ones are kept; a reply with a single type says nothing about
-- the others.
CREATE FUNCTION zcsync._halopsa_options(p_account bigint, p_list jsonb, p_entity text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_known jsonb := '[]';
	v_options jsonb;
BEGIN
	SELECT coalesce(jsonb_agg(o.option ORDER BY o.n), '[]') INTO v_options
	FROM (
		SELECT DISTINCT ON (i.id) x.n, jsonb_strip_nulls(jsonb_build_object('id', i.id, 'name', coalesce(d ->> 'name', CASE WHEN p_entity = 'outcome' THEN coalesce(d ->> 'outcome', d ->> 'buttonname') END),
			'hidden', CASE WHEN p_entity = 'outcome' AND d ->> 'hidefromuser' IN ('true', '1') THEN true END,
			'use', CASE WHEN p_entity = 'tickettype' THEN CASE WHEN d ->> 'use' LIKE 'ticket%' THEN 'ticket' ELSE d ->> 'use' END END,
			'required', CASE WHEN p_entity = 'tickettype' THEN zcsync._halopsa_mandatory(d) END,
			'email', CASE WHEN p_entity = 'agent' THEN zcsync._halopsa_read_text(d ->> 'email') END,
			'team', CASE WHEN p_entity = 'agent' THEN zcsync._halopsa_read_text(d ->> 'team') END,
			'disabled', CASE WHEN p_entity = 'agent' AND d -> 'isdisabled' = 'true' THEN true END)) AS option
		FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
		-- the id of a priority is a GUID; tickets have its number
		CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(CASE p_entity WHEN 'priority' THEN coalesce(d -> 'priorityid', d -> 'id')
			ELSE d -> 'id' END)) AS i (id)
		WHERE i.id IS NOT NULL
		ORDER BY i.id, x.n) AS o;
	IF p_entity <> 'tickettype' THEN
		RETURN v_options;
	END IF;

	SELECT zcsync._json_list(f.options) INTO v_known FROM zcsync.fields f
	WHERE f.account_id = p_account AND f.remote_id = 'tickettype';
	v_known := coalesce(v_known, '[]');
	IF jsonb_array_length(p_list) = 1 AND p_list -> 0 ? 'fields' AND v_known <> '[]' THEN
		RETURN (SELECT jsonb_agg(CASE WHEN k ->> 'id' = v_options -> 0 ->> 'id' THEN v_options -> 0 ELSE k END ORDER BY n)
			FROM jsonb_array_elements(v_known) WITH ORDINALITY AS x (k, n));
	END IF;
	RETURN (SELECT coalesce(jsonb_agg(CASE WHEN o ? 'required' OR k.required IS NULL THEN o
			ELSE o || jsonb_build_object('required', k.required) END ORDER BY n), '[]')
		FROM jsonb_array_elements(v_options) WITH ORDINALITY AS x (o, n)
		LEFT JOIN LATERAL (SELECT e -> 'required' FROM jsonb_array_elements(v_known) AS e
			WHERE e ->> 'id' = o ->> 'id' LIMIT 1) AS k (required) ON true);
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_options(bigint, jsonb, text) IS
'priorities, ticket types, teams, agents or outcomes as options; required fields of ticket types stay as they are known';
