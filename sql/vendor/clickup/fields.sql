-- ---------------------------------------------------------------------
-- ClickUp: custom fields of tasks, as rows have them and as requests do.
--
-- A row has a value in the form that _clickup_field_value() (read.sql) makes of
-- ClickUp's reply.  People may write it in another form: an option by its name, a date
-- without a time, a number as text.  It is sent in ClickUp's form, and when that is
-- done the row gets the first form again:
--
--   text, short_text, url, email, phone   text
--   number, currency, emoji, manual_progress   number
--   checkbox      true or false
--   date          time; a day without one becomes its noon in UTC, which is that
--                 day nearly everywhere, and is sent without a time of day
--   drop_down     id of an option
--   labels, users, tasks, list_relationship, attachment   ids
--   location      {"location": {"lat", "lng"}, "formatted_address"}
--
-- A value that fits none of these forms is refused before it is sent, and so is a field
-- that the list does not have.  The stream of fields shows what a list has; where there
-- is none, the list's fields are read first, once for a push (request member "learn",
-- see vendor/contract.sql).
-- ---------------------------------------------------------------------

-- What is known about a field of the task's list: from the mirrored fields, or else
-- from the task's own document.
CREATE FUNCTION zcsync._clickup_field_type(p_row jsonb, p_remote jsonb, p_field_id text,
	OUT type text, OUT name text, OUT config jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT f.type, f.name, f.options INTO type, name, config
	FROM zcsync.fields f
	WHERE f.account_id = (p_row ->> 'account_id')::bigint AND f.remote_id = (p_row ->> 'list_id') || ':' || p_field_id;
	IF NOT FOUND AND p_remote #>> '{list,id}' = p_row ->> 'list_id' THEN
		SELECT f ->> 'type', f ->> 'name', f -> 'type_config' INTO type, name, config
		FROM jsonb_array_elements(zcsync._json_list(p_remote -> 'custom_fields')) AS f
		WHERE f ->> 'id' = p_field_id LIMIT 1;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_type(jsonb, jsonb, text) IS
'type, name and configuration of a custom field, NULL where they are not known';

-- The id of an option that is given by its id, its name or its number; NULL if there is
-- no such option.
CREATE FUNCTION zcsync._clickup_option(p_options jsonb, p_name_member text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT o -> 'id' FROM jsonb_array_elements(p_options) AS o
	WHERE o ->> 'id' = p_value #>> '{}' OR zcsync._fold(o ->> p_name_member) = zcsync._fold(p_value #>> '{}')
		OR (jsonb_typeof(p_value) = 'number' AND o -> 'orderindex' = p_value)
	ORDER BY o ->> 'id' = p_value #>> '{}' DESC, zcsync._fold(o ->> p_name_member) = zcsync._fold(p_value #>> '{}') DESC LIMIT 1;
END;
COMMENT ON FUNCTION zcsync._clickup_option(jsonb, text, jsonb) IS
'the id of an option given by its id, name or number, or NULL';

-- Ids of options; NULL if one of the values is no option.
CREATE FUNCTION zcsync._clickup_option_ids(p_options jsonb, p_values jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN count(*) = count(x.id) THEN zcsync._member_list(jsonb_agg(x.id), 'id') END
	FROM (SELECT zcsync._clickup_option(p_options, 'label', e)
		FROM jsonb_array_elements(p_values) AS e) AS x (id);
END;
COMMENT ON FUNCTION zcsync._clickup_option_ids(jsonb, jsonb) IS
'ids of options of a field of labels, or NULL if one of the values is no option';

CREATE FUNCTION zcsync._clickup_place_form(p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('location', jsonb_build_object('lat', l.lat, 'lng', l.lng), 'formatted_address', p_value -> 'formatted_address')
	FROM (SELECT zcsync._json_number(p_value #> '{location,lat}'), zcsync._json_number(p_value #> '{location,lng}')) AS l (lat, lng)
	WHERE (l.lat::numeric BETWEEN -90 AND 90) AND (l.lng::numeric BETWEEN -180 AND 180)
		AND jsonb_typeof(p_value -> 'formatted_address') = 'string';
END;
COMMENT ON FUNCTION zcsync._clickup_place_form(jsonb) IS
'a place with its coordinates and address, or NULL if the value is no place';

-- The form that rows have for a value of a field whose type prescribes one; NULL if the
-- value does not fit.  The caller's TimeZone must be UTC.
CREATE FUNCTION zcsync._clickup_field_form(p_type text, p_config jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_options jsonb := zcsync._json_list(p_config -> 'options');
	v_list jsonb := CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END;
	v_text text := p_value #>> '{}';
	v_number jsonb := zcsync._json_number(CASE WHEN p_type = 'manual_progress' AND jsonb_typeof(p_value) = 'object'
		THEN p_value -> 'current' ELSE p_value END);
BEGIN
	CASE p_type
		WHEN 'text', 'short_text', 'url', 'email', 'phone' THEN
			RETURN CASE WHEN jsonb_typeof(p_value) NOT IN ('object', 'array') THEN to_jsonb(v_text) END;
		WHEN 'number', 'currency' THEN
			RETURN v_number;
		WHEN 'emoji' THEN
			RETURN CASE WHEN v_number::numeric BETWEEN 0 AND coalesce(zcsync._json_number(p_config -> 'count')::numeric, 1000)
				AND v_number::numeric = trunc(v_number::numeric) THEN v_number END;
		WHEN 'manual_progress' THEN
			RETURN CASE WHEN v_number::numeric BETWEEN coalesce(zcsync._json_number(p_config -> 'start')::numeric, v_number::numeric)
				AND coalesce(zcsync._json_number(p_config -> 'end')::numeric, v_number::numeric) THEN v_number END;
		WHEN 'checkbox' THEN
			RETURN CASE lower(v_text COLLATE "C") WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END::jsonb;
		WHEN 'date' THEN
			RETURN to_jsonb(CASE WHEN jsonb_typeof(p_value) = 'number' THEN zcsync._clickup_time(v_text)
				ELSE zcsync._utc_text(CASE WHEN length(v_text) = 10 THEN v_text || 'T12:00:00Z' ELSE v_text END) END);
		WHEN 'drop_down' THEN
			RETURN zcsync._clickup_option(v_options, 'name', p_value);
		WHEN 'labels' THEN
			RETURN zcsync._clickup_option_ids(v_options, v_list);
		WHEN 'users' THEN
			RETURN CASE WHEN NOT zcsync._member_list(v_list, 'id') @? '$[*] ? (!(@ like_regex "^[0-9]{1,18}$"))' THEN zcsync._member_list(v_list, 'id') END;
		WHEN 'tasks', 'list_relationship', 'attachment' THEN
			RETURN zcsync._member_list(v_list, 'id');
		WHEN 'location' THEN
			RETURN zcsync._clickup_place_form(p_value);
		WHEN 'automatic_progress', 'formula' THEN
			RETURN NULL;
		ELSE
			RETURN p_value;
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_form(text, jsonb, jsonb) IS
'the value of a custom field as rows have it, or NULL if it does not fit the field''s type';

-- The hint for a value that does not fit: what the field takes.
CREATE FUNCTION zcsync._clickup_field_hint(p_type text, p_config jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_type IN ('number', 'currency') THEN 'It takes a number.'
		WHEN p_type = 'emoji' THEN format('It takes a whole number from 0 to %s.', coalesce(p_config ->> 'count', '5'))
		WHEN p_type = 'manual_progress' THEN format('It takes a number from %s to %s.', coalesce(p_config ->> 'start', 'its start'), coalesce(p_config ->> 'end', 'its end'))
		WHEN p_type = 'checkbox' THEN 'It takes true or false.'
		WHEN p_type = 'date' THEN 'It takes a day, as "2026-12-24", or a time, as "2026-12-24T18:00:00Z".'
		WHEN p_type IN ('drop_down', 'labels') THEN format('Its options are: %s.', coalesce((
			SELECT string_agg('"' || coalesce(o ->> 'name', o ->> 'label') || '"', ', ' ORDER BY n)
			FROM jsonb_array_elements(zcsync._json_list(p_config -> 'options')) WITH ORDINALITY AS x (o, n)), 'none'))
		WHEN p_type = 'users' THEN 'It takes a list of the numbers of people; zcsync.contacts has them as remote_id.'
		WHEN p_type = 'location' THEN 'It takes {"location": {"lat": 47.3, "lng": -122.5}, "formatted_address": "..."}.'
		WHEN p_type IN ('automatic_progress', 'formula') THEN 'ClickUp computes it.'
		ELSE 'It takes a text.' END;
END;
COMMENT ON FUNCTION zcsync._clickup_field_hint(text, jsonb) IS
'what a custom field of a type takes';

-- A request that is refused here, since its value cannot be sent.  The list's fields
-- may have changed since they were read, so they are read again first ("learn").
CREATE FUNCTION zcsync._clickup_refused_field(p_list_id text, p_field text, p_name text, p_type text, p_config jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('learn', p_list_id) || CASE
		WHEN p_type IS NULL THEN jsonb_build_object('refuse', format('list %s has no custom field "%s"', p_list_id, left(p_field, 100)),
			'hint', format('These are there: SELECT remote->>''id'' AS id, name, type FROM zcsync.fields WHERE scope_id = %L;', p_list_id))
		ELSE jsonb_build_object('refuse', format('custom field "%s" cannot be %s', coalesce(p_name, p_field), left(p_value::text, 200)),
			'hint', zcsync._clickup_field_hint(p_type, p_config)) END;
END;
COMMENT ON FUNCTION zcsync._clickup_refused_field(text, text, text, text, jsonb, jsonb) IS
'a refusal of the value of a custom field';

-- The body of a request for a value: {"value": ...}.  p_form is the value as rows have
-- it, p_value as it was written.
CREATE FUNCTION zcsync._clickup_field_body(p_type text, p_form jsonb, p_value jsonb, p_old jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_lists record;
BEGIN
	CASE p_type
		WHEN 'date' THEN
			RETURN jsonb_build_object('value', zcsync._clickup_ms((p_form #>> '{}')::timestamptz),
				'value_options', jsonb_build_object('time', length(p_value #>> '{}') <> 10 OR jsonb_typeof(p_value) = 'number'));
		WHEN 'users', 'tasks', 'list_relationship', 'attachment' THEN
			v_lists := zcsync._list_changes(p_old, p_form);
			RETURN jsonb_build_object('value', CASE p_type
				WHEN 'users' THEN jsonb_build_object('add', zcsync._clickup_ids(v_lists.added),
					'rem', zcsync._clickup_ids(v_lists.removed))
				ELSE jsonb_build_object('add', v_lists.added, 'rem', v_lists.removed) END);
		WHEN 'manual_progress' THEN
			RETURN jsonb_build_object('value', jsonb_build_object('current', p_form));
		ELSE
			RETURN jsonb_build_object('value', p_form);
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_body(text, jsonb, jsonb, jsonb) IS
'what a request holds for the value of a custom field';

CREATE FUNCTION zcsync._clickup_typed_request(p_task text, p_list text, p_field text, p_name text, p_value jsonb, p_old jsonb,
	p_type text, p_config jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_form jsonb := CASE WHEN p_type IS NOT NULL THEN zcsync._clickup_field_form(p_type, p_config, p_value)
		WHEN p_list IS NULL THEN p_value END;	-- the field's type is not known
BEGIN
	IF v_form IS NULL THEN
		RETURN zcsync._clickup_refused_field(p_list, p_field, p_name, p_type, p_config, p_value);
	END IF;
	RETURN jsonb_build_object('op', 'set_field', 'task_id', p_task, 'field_id', p_field, 'form', v_form,
		'sent', jsonb_build_object('custom_fields', jsonb_build_object(p_field, p_value)),
		'base', jsonb_build_object('custom_fields', jsonb_build_object(p_field, p_old)),
		'body', zcsync._clickup_field_body(p_type, v_form, p_value, p_old));
END
$$;
COMMENT ON FUNCTION zcsync._clickup_typed_request(text, text, text, text, jsonb, jsonb, text, jsonb) IS
'the request that sets a custom field whose type gives its value a form; the caller''s TimeZone must be UTC';

-- The request that gives a custom field another value.  It is made for each row, so it
-- has no SET clause and the planner inlines it; and it uses jsonb_set(), which takes
-- less than half the time of jsonb_build_object().
CREATE FUNCTION zcsync._clickup_field_request(p_task text, p_list text, p_field text, p_name text, p_value jsonb, p_old jsonb,
	p_type text, p_config jsonb)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_value IS NULL OR p_value = 'null' THEN
			jsonb_build_object('op', 'clear_field', 'task_id', p_task, 'field_id', p_field,
				'sent', jsonb_build_object('custom_fields', jsonb_build_object(p_field, NULL)),
				'base', jsonb_set('{"custom_fields": {}}', ARRAY['custom_fields', p_field], coalesce(p_old, 'null')))
		WHEN p_type IN ('text', 'short_text', 'email', 'phone', 'url') AND jsonb_typeof(p_value) = 'string' THEN
			jsonb_build_object('op', 'set_field', 'task_id', p_task, 'field_id', p_field,
				'sent', jsonb_set('{"custom_fields": {}}', ARRAY['custom_fields', p_field], p_value),
				'base', jsonb_set('{"custom_fields": {}}', ARRAY['custom_fields', p_field], coalesce(p_old, 'null')),
				'body', jsonb_build_object('value', p_value))
		ELSE zcsync._clickup_typed_request(p_task, p_list, p_field, p_name, p_value, p_old, p_type, p_config) END;
END;
COMMENT ON FUNCTION zcsync._clickup_field_request(text, text, text, text, jsonb, jsonb, text, jsonb) IS
'the request that sets a custom field of a task, or clears it';

-- The custom fields of a new task as its request has them, or why one cannot be sent.
CREATE FUNCTION zcsync._clickup_new_fields(p_row jsonb, OUT fields jsonb, OUT refused jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT jsonb_agg(jsonb_build_object('id', f.key) || zcsync._clickup_field_body(t.type, v.form, f.value, NULL) ORDER BY f.key)
			FILTER (WHERE v.form IS NOT NULL),
		(array_agg(zcsync._clickup_refused_field(p_row ->> 'list_id', f.key, t.name, t.type, t.config, f.value) ORDER BY f.key)
			FILTER (WHERE v.form IS NULL))[1]
	INTO fields, refused
	FROM jsonb_each(p_row -> 'custom_fields') AS f
	CROSS JOIN LATERAL zcsync._clickup_field_type(p_row, NULL, f.key) AS t
	CROSS JOIN LATERAL (SELECT CASE WHEN t.type IS NOT NULL THEN zcsync._clickup_field_form(t.type, t.config, f.value) END) AS v (form)
	WHERE f.value <> 'null';
END
$$;
COMMENT ON FUNCTION zcsync._clickup_new_fields(jsonb) IS
'custom fields of a new task as its request has them, or why they cannot be sent; the caller''s TimeZone must be UTC';

-- Refuse a push because of what is known of a list's fields, but read these first,
-- unless this push has done so.
CREATE FUNCTION zcsync._clickup_learned(p_request jsonb, p_learned jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN NOT p_request ? 'learn' THEN p_request
		WHEN coalesce(p_learned ? (p_request ->> 'learn'), false) OR p_request ->> 'learn' IS NULL THEN p_request - 'learn'
		ELSE jsonb_build_object('op', 'list_fields', 'list_id', p_request -> 'learn', 'learn', p_request -> 'learn') END;
END;
COMMENT ON FUNCTION zcsync._clickup_learned(jsonb, jsonb) IS
'the request of a push, or the one for the fields of a list that it must know first';
