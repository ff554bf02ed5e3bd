-- ---------------------------------------------------------------------
-- ClickUp: what must be sent so that a task becomes what its row is, and what
-- was agreed on when it was sent.
--
-- A task takes several requests: one for its own members, and one for each
-- custom field and tag, which ClickUp takes one at a time.  A push job makes
-- one of them, and goes back to the queue until the row equals its base.
-- ---------------------------------------------------------------------

-- The requests of push jobs; NULL for a row that already equals its base.  Such
-- a row is settled: what differs in form only, as the order of a list does, or
-- cannot be changed at ClickUp, becomes what base has.
CREATE FUNCTION zcsync._clickup_push_requests(p_job_ids bigint[])
RETURNS TABLE (job_id bigint, request jsonb)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
	v_jobs bigint[];
	v_requests jsonb[];
	v_equal bigint[];
BEGIN
	-- ClickUp tells nobody of a new task unless its route says so.
	WITH r AS MATERIALIZED (
		SELECT q.job_id, t.local_id, n.notify,
			CASE WHEN t.local_id IS NOT NULL AND t.deleted_at IS NULL THEN zcsync._clickup_push_request(
				-- not to_jsonb(t): the whole document would be read with it
				jsonb_build_object('account_id', t.account_id, 'remote_id', t.remote_id, 'sync_key', t.sync_key,
					'name', t.name, 'description', t.description, 'status', t.status, 'priority', t.priority,
					'assignees', t.assignees, 'tags', t.tags, 'due_at', t.due_at, 'start_at', t.start_at,
					'time_estimate', t.time_estimate, 'points', t.points, 'archived', t.archived,
					'list_id', t.list_id, 'parent_id', t.parent_id, 'custom_fields', t.custom_fields),
				t.base, t.remote, q.unclear_since, (q.payload ->> 'page')::integer) END AS request
		FROM zcsync.sync_queue q
		LEFT JOIN zcsync.routes n ON n.route_id = q.route_id
		LEFT JOIN zcsync.tasks t ON t.account_id = q.account_id AND t.local_id = q.local_id
		WHERE q.job_id = ANY (p_job_ids))
	SELECT array_agg(r.job_id),
		array_agg(CASE WHEN r.notify AND r.request ? 'create' THEN jsonb_set(r.request, '{body,notify_all}', 'true')
			ELSE r.request END),
		array_agg(r.local_id) FILTER (WHERE r.request IS NULL)
	INTO v_jobs, v_requests, v_equal
	FROM r;
	IF v_equal IS NOT NULL THEN
		PERFORM zcsync._clickup_settle(v_equal);
	END IF;
	RETURN QUERY SELECT * FROM unnest(v_jobs, v_requests);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_push_requests(bigint[]) IS
'what to send for each of these push jobs; NULL: nothing';

-- Looked at again under the lock: somebody may have written the row meanwhile.
CREATE FUNCTION zcsync._clickup_settle(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_locked bigint[];
BEGIN
	SELECT array_agg(l.local_id) INTO v_locked
	FROM (SELECT t.local_id FROM zcsync.tasks t
		WHERE t.local_id = ANY (p_ids) AND t.sync_state <> 'synced' AND t.base IS NOT NULL
			AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL
		ORDER BY t.account_id, t.local_id
		FOR NO KEY UPDATE SKIP LOCKED) AS l;
	IF v_locked IS NULL THEN
		RETURN;
	END IF;
	UPDATE zcsync.tasks t
	SET (name, description, status, priority, assignees, tags, due_at, start_at, time_estimate, points, archived,
			list_id, parent_id, custom_fields, sync_state, sync_origin) =
		(SELECT b.name, b.description, b.status, b.priority, b.assignees, b.tags, b.due_at, b.start_at, b.time_estimate,
			b.points, b.archived, b.list_id, b.parent_id, coalesce(b.custom_fields, '{}'),
			'synced', 'push:clickup:' || pg_current_xact_id()
		FROM jsonb_populate_record(NULL::zcsync.tasks, t.base) AS b)
	WHERE t.local_id = ANY (v_locked) AND zcsync._clickup_push_request(to_jsonb(t), t.base, t.remote, NULL, NULL) IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_settle(bigint[]) IS
'makes rows for which there is nothing to send equal to their base, and synced';

-- The next request of a row of tasks (as to_jsonb() makes it in UTC, without
-- what is only here), or NULL when it equals its base.  p_remote is its last
-- document.  p_unclear is set while a create may have been applied whose reply
-- was lost; p_page is the page to look for it on.
CREATE FUNCTION zcsync._clickup_push_request(p_row jsonb, p_base jsonb, p_remote jsonb, p_unclear timestamptz,
	p_page integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_base jsonb := coalesce(p_base, '{}');
	v_body jsonb;
	v_request jsonb;
BEGIN
	IF p_row ->> 'remote_id' IS NULL AND p_unclear IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'find_task', 'list_id', p_row -> 'list_id', 'page', coalesce(p_page, 0),
			'date_created_gt', zcsync._clickup_ms(p_unclear - interval '5 minutes'),
			'include_closed', true, 'subtasks', true, 'order_by', 'created', 'reverse', true);
	ELSIF p_row ->> 'remote_id' IS NULL THEN
		RETURN jsonb_build_object('op', 'create_task', 'create', true, 'list_id', p_row -> 'list_id',
			'body', zcsync._clickup_create_body(p_row),
			'sent', (SELECT jsonb_object_agg(c, p_row -> c) FROM unnest(zcsync._clickup_pushable('tasks')) AS c));
	END IF;

	-- Each part is looked at more closely only if something in it differs.  (One
	-- list contains another also when it has more.)
	IF v_base @> (p_row - '{account_id,remote_id,sync_key,tags,list_id,parent_id,custom_fields}'::text[])
		AND v_base -> 'assignees' = p_row -> 'assignees' THEN
		v_body := '{}';
	ELSE
		v_body := zcsync._clickup_update_body(p_row, v_base, p_remote);
	END IF;
	IF v_body <> '{}' THEN
		RETURN jsonb_build_object('op', 'update_task', 'task_id', p_row -> 'remote_id', 'body', v_body,
			'sent', (SELECT jsonb_object_agg(c.name, p_row -> c.name)
				FROM unnest(zcsync._clickup_pushable('tasks')) AS c (name)
				WHERE v_body ? zcsync._clickup_member(c.name)));
	END IF;
	IF p_row -> 'custom_fields' IS DISTINCT FROM v_base -> 'custom_fields' THEN
		v_request := zcsync._clickup_field_request(p_row, v_base, p_remote);
	END IF;
	IF v_request IS NULL AND p_row -> 'tags' IS DISTINCT FROM v_base -> 'tags' THEN
		v_request := zcsync._clickup_tag_request(p_row, v_base);
	END IF;
	RETURN v_request;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_push_request(jsonb, jsonb, jsonb, timestamptz, integer) IS
'the next request that brings a task closer to its row, or NULL';

-- The member of a task in requests that stands for a column.
CREATE FUNCTION zcsync._clickup_member(p_column text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_column WHEN 'due_at' THEN 'due_date' WHEN 'start_at' THEN 'start_date' ELSE p_column END;
END;
COMMENT ON FUNCTION zcsync._clickup_member(text) IS
'the member of a request for a task that stands for a column';

-- A value as the body of a request has it.  Times are sent with their time of
-- day, since ClickUp otherwise moves them to an hour of its own choice.
CREATE FUNCTION zcsync._clickup_body_value(p_column text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_column IN ('due_at', 'start_at') THEN jsonb_build_object(
				zcsync._clickup_member(p_column), zcsync._clickup_ms((p_value #>> '{}')::timestamptz))
			|| CASE WHEN p_value <> 'null' THEN jsonb_build_object(zcsync._clickup_member(p_column) || '_time', true)
				ELSE '{}' END
		ELSE jsonb_build_object(p_column, p_value)
	END
$$;
COMMENT ON FUNCTION zcsync._clickup_body_value(text, jsonb) IS
'what the body of a request holds for the value of a column';

-- A description with our mark at its end: as the fragment of an address when
-- the text ends in one, so that it does not show, else in a line of its own.
CREATE FUNCTION zcsync._clickup_marked(p_text text, p_sync_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_text IS NULL OR p_text = '' THEN ''
		WHEN p_text ~ '(?:^|\s)https?://[^\s#]+$' THEN p_text || '#'
		ELSE p_text || E'\n\n'
	END || 'zcsync-' || p_sync_key;
END;
COMMENT ON FUNCTION zcsync._clickup_marked(text, text) IS
'a description with the mark that a task created here carries';

-- Ids as ClickUp wants them: people's are numbers, others are texts.  What is
-- no number goes as it is, and is refused there with a reason.
CREATE FUNCTION zcsync._clickup_ids(p_ids text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_agg(CASE WHEN i ~ '^\d{1,18}$' THEN to_jsonb(i::bigint) ELSE to_jsonb(i) END), '[]')
	FROM unnest(p_ids) AS i WHERE i IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._clickup_ids(text[]) IS
'ids of people as a request has them';

-- What must be added to a list and what removed from it, as texts.
CREATE FUNCTION zcsync._list_changes(p_from jsonb, p_to jsonb, OUT added text[], OUT removed text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT
		ARRAY(SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_to)) AS e WHERE e IS NOT NULL
			EXCEPT SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_from)) AS e ORDER BY 1),
		ARRAY(SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_from)) AS e WHERE e IS NOT NULL
			EXCEPT SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_to)) AS e ORDER BY 1);
END;
COMMENT ON FUNCTION zcsync._list_changes(jsonb, jsonb) IS
'the elements that one list has and the other has not, both ways';

CREATE FUNCTION zcsync._clickup_create_body(p_row jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_body jsonb;
	v_fields jsonb;
BEGIN
	SELECT jsonb_object_agg(m.key, m.value) FILTER (WHERE m.value <> 'null') INTO v_body
	FROM unnest('{name,status,priority,due_at,start_at,time_estimate,points}'::text[]) AS c (name)
	CROSS JOIN LATERAL jsonb_each(zcsync._clickup_body_value(c.name, p_row -> c.name)) AS m;

	SELECT jsonb_agg(jsonb_build_object('id', f.key)
		|| zcsync._clickup_field_body(p_row, NULL, f.key, f.value, NULL) ORDER BY f.key)
	INTO v_fields
	FROM jsonb_each(p_row -> 'custom_fields') AS f WHERE f.value <> 'null';

	-- The default type of a list may be one that the plan allows no more of;
	-- 0 is a plain task.
	RETURN coalesce(v_body, '{}')
		|| jsonb_build_object(
			'description', zcsync._clickup_marked(p_row ->> 'description', p_row ->> 'sync_key'),
			'assignees', zcsync._clickup_ids((zcsync._list_changes(NULL, p_row -> 'assignees')).added),
			'tags', to_jsonb((zcsync._list_changes(NULL, p_row -> 'tags')).added),
			'custom_item_id', 0, 'notify_all', false, 'check_required_custom_fields', false)
		|| CASE WHEN p_row ->> 'parent_id' IS NOT NULL THEN jsonb_build_object('parent', p_row -> 'parent_id') ELSE '{}' END
		|| CASE WHEN p_row ->> 'archived' = 'true' THEN '{"archived": true}'::jsonb ELSE '{}' END
		|| CASE WHEN v_fields IS NOT NULL THEN jsonb_build_object('custom_fields', v_fields) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_create_body(jsonb) IS
'body of the request that creates the task of a row';

-- Only what differs.  Names of statuses are the same in any case.
CREATE FUNCTION zcsync._clickup_update_body(p_row jsonb, p_base jsonb, p_remote jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_body jsonb;
	v_people record;
	v_text text := p_row ->> 'description';
BEGIN
	SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}') INTO v_body
	FROM unnest('{name,priority,due_at,start_at,time_estimate,points}'::text[]) AS c (name)
	CROSS JOIN LATERAL jsonb_each(zcsync._clickup_body_value(c.name, p_row -> c.name)) AS m
	WHERE p_row -> c.name IS DISTINCT FROM coalesce(p_base -> c.name, 'null');

	IF lower(p_row ->> 'status') <> coalesce(lower(p_base ->> 'status'), '') THEN
		v_body := v_body || jsonb_build_object('status', p_row -> 'status');
	END IF;
	IF p_row ->> 'archived' <> coalesce(p_base ->> 'archived', 'false') THEN
		v_body := v_body || jsonb_build_object('archived', p_row -> 'archived');
	END IF;
	-- The mark stays where it is, and is not put into tasks of others.  A text
	-- is cleared with a space, since an empty one changes nothing.
	IF coalesce(v_text, '') <> coalesce(p_base ->> 'description', '') THEN
		IF strpos(p_remote ->> 'description', 'zcsync-' || (p_row ->> 'sync_key')) > 0 THEN
			v_text := zcsync._clickup_marked(v_text, p_row ->> 'sync_key');
		END IF;
		v_body := v_body || jsonb_build_object('description', coalesce(nullif(v_text, ''), ' '));
	END IF;
	v_people := zcsync._list_changes(p_base -> 'assignees', p_row -> 'assignees');
	IF cardinality(v_people.added || v_people.removed) > 0 THEN
		v_body := v_body || jsonb_build_object('assignees', jsonb_build_object(
			'add', zcsync._clickup_ids(v_people.added), 'rem', zcsync._clickup_ids(v_people.removed)));
	END IF;
	RETURN v_body;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_update_body(jsonb, jsonb, jsonb) IS
'body of the request that changes a task to what its row is; {} when it need not';

-- The request for the first custom field that differs.
CREATE FUNCTION zcsync._clickup_field_request(p_row jsonb, p_base jsonb, p_remote jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_old jsonb := coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}');
	v_new jsonb := coalesce(nullif(p_row -> 'custom_fields', 'null'), '{}');
	v_key text;
	v_value jsonb;
BEGIN
	SELECT k INTO v_key
	FROM jsonb_object_keys(v_old || v_new) AS k
	WHERE nullif(v_old -> k, 'null') IS DISTINCT FROM nullif(v_new -> k, 'null')
	ORDER BY k LIMIT 1;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	v_value := nullif(v_new -> v_key, 'null');
	RETURN jsonb_build_object('op', CASE WHEN v_value IS NULL THEN 'clear_field' ELSE 'set_field' END,
			'task_id', p_row -> 'remote_id', 'field_id', v_key,
			'sent', jsonb_build_object('custom_fields', jsonb_build_object(v_key, v_value)))
		|| CASE WHEN v_value IS NULL THEN '{}'
			ELSE jsonb_build_object('body', zcsync._clickup_field_body(p_row, p_remote, v_key, v_value, v_old -> v_key)) END;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_request(jsonb, jsonb, jsonb) IS
'the request for the first custom field in which a row differs from its base, or NULL';

-- What a field of the task's list is: from the mirrored fields, or else as the
-- task's own document has it.
CREATE FUNCTION zcsync._clickup_field_type(p_row jsonb, p_remote jsonb, p_field_id text, OUT type text, OUT config jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT f.type, f.options INTO type, config
	FROM zcsync.fields f
	WHERE f.account_id = (p_row ->> 'account_id')::bigint AND f.remote_id = (p_row ->> 'list_id') || ':' || p_field_id;
	IF NOT FOUND AND p_remote IS NOT NULL THEN
		SELECT f ->> 'type', f -> 'type_config' INTO type, config
		FROM jsonb_array_elements(zcsync._json_list(p_remote -> 'custom_fields')) AS f
		WHERE f ->> 'id' = p_field_id LIMIT 1;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_type(jsonb, jsonb, text) IS
'type and configuration of a custom field, NULL where they are not known';

-- The value of a custom field as a request has it: {"value": ...}.  Options may
-- be given by their names.  A value that does not fit the field's type goes as
-- it is, and is refused there with a reason.
CREATE FUNCTION zcsync._clickup_field_body(p_row jsonb, p_remote jsonb, p_field_id text, p_value jsonb, p_old jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_field record := zcsync._clickup_field_type(p_row, p_remote, p_field_id);
	v_options jsonb := zcsync._json_list(v_field.config -> 'options');
	v_text text := p_value #>> '{}';
	v_lists record;
BEGIN
	CASE v_field.type
		WHEN 'date' THEN
			IF zcsync._utc_text(v_text) IS NOT NULL THEN
				RETURN jsonb_build_object('value', zcsync._clickup_ms(zcsync._utc_text(v_text)::timestamptz),
					'value_options', '{"time": true}'::jsonb);
			END IF;
		WHEN 'users', 'tasks', 'list_relationship' THEN
			v_lists := zcsync._list_changes(p_old, CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value
				ELSE jsonb_build_array(p_value) END);
			RETURN jsonb_build_object('value', CASE v_field.type
				WHEN 'users' THEN jsonb_build_object('add', zcsync._clickup_ids(v_lists.added),
					'rem', zcsync._clickup_ids(v_lists.removed))
				ELSE jsonb_build_object('add', v_lists.added, 'rem', v_lists.removed) END);
		WHEN 'drop_down' THEN
			RETURN jsonb_build_object('value', zcsync._clickup_option(v_options, 'name', p_value));
		WHEN 'labels' THEN
			RETURN jsonb_build_object('value', (SELECT coalesce(jsonb_agg(zcsync._clickup_option(v_options, 'label', e)), '[]')
				FROM jsonb_array_elements(CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value
					ELSE jsonb_build_array(p_value) END) AS e));
		WHEN 'number', 'currency', 'emoji' THEN
			RETURN jsonb_build_object('value', coalesce(zcsync._json_number(p_value), p_value));
		WHEN 'checkbox' THEN
			RETURN jsonb_build_object('value', CASE lower(v_text) WHEN 'true' THEN 'true'::jsonb
				WHEN 'false' THEN 'false' ELSE p_value END);
		WHEN 'text', 'short_text', 'email', 'phone', 'url' THEN
			RETURN jsonb_build_object('value', v_text);
		ELSE
			NULL;
	END CASE;
	RETURN jsonb_build_object('value', p_value);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_body(jsonb, jsonb, text, jsonb, jsonb) IS
'what a request holds for the value of a custom field';

-- The id of an option that is given by its id or its name.
CREATE FUNCTION zcsync._clickup_option(p_options jsonb, p_name_member text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(
		(SELECT o -> 'id' FROM jsonb_array_elements(p_options) AS o
		WHERE o ->> 'id' = p_value #>> '{}' OR lower(o ->> p_name_member) = lower(p_value #>> '{}')
		ORDER BY o ->> 'id' = p_value #>> '{}' DESC LIMIT 1),
		p_value);
END;
COMMENT ON FUNCTION zcsync._clickup_option(jsonb, text, jsonb) IS
'the id of an option given by its id or name; the value itself when there is none such';

-- The request for the first tag that differs.  Tags have no case.
CREATE FUNCTION zcsync._clickup_tag_request(p_row jsonb, p_base jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_tags record := zcsync._list_changes(lower(p_base ->> 'tags')::jsonb, lower(p_row ->> 'tags')::jsonb);
BEGIN
	IF cardinality(v_tags.added || v_tags.removed) = 0 THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('op', CASE WHEN cardinality(v_tags.added) > 0 THEN 'add_tag' ELSE 'remove_tag' END,
		'task_id', p_row -> 'remote_id', 'tag', (v_tags.added || v_tags.removed)[1], 'sent', '{}'::jsonb);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_tag_request(jsonb, jsonb) IS
'the request for the first tag in which a row differs from its base, or NULL';

-- ---------------------------------------------------------------------
-- What a reply to a push means
-- ---------------------------------------------------------------------

-- An object with
--   status   created, updated, found, absent, or more: the look-up goes on
--   doc      the task's document, where the reply has one
--   agreed   values of columns that both sides have now, where it has none
-- p_base is the row's base, p_sync_key its mark.
CREATE FUNCTION zcsync._clickup_push_effect(p_request jsonb, p_reply jsonb, p_base jsonb, p_sync_key text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doc jsonb;
	v_tag text := p_request ->> 'tag';
BEGIN
	CASE p_request ->> 'op'
		WHEN 'create_task' THEN
			RETURN jsonb_build_object('status', 'created', 'doc', p_reply);
		WHEN 'update_task' THEN
			RETURN jsonb_build_object('status', 'updated', 'doc', p_reply);
		WHEN 'find_task' THEN
			SELECT d INTO v_doc FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'tasks')) AS d
			WHERE strpos(d ->> 'description', 'zcsync-' || p_sync_key) > 0
				OR strpos(d ->> 'text_content', 'zcsync-' || p_sync_key) > 0
			LIMIT 1;
			IF FOUND THEN
				RETURN jsonb_build_object('status', 'found', 'doc', v_doc);
			END IF;
			RETURN jsonb_build_object('status', CASE WHEN zcsync._clickup_page_full(p_reply) THEN 'more' ELSE 'absent' END);
		WHEN 'set_field', 'clear_field' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', jsonb_build_object('custom_fields', jsonb_strip_nulls(
				coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}') || (p_request #> '{sent,custom_fields}'))));
		WHEN 'add_tag' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', jsonb_build_object('tags',
				zcsync._member_list(zcsync._json_list(p_base -> 'tags') || jsonb_build_array(v_tag), '')));
		WHEN 'remove_tag' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', jsonb_build_object('tags',
				(SELECT coalesce(jsonb_agg(e ORDER BY e), '[]')
				FROM jsonb_array_elements_text(zcsync._json_list(p_base -> 'tags')) AS e WHERE lower(e) <> v_tag)));
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_push_effect(jsonb, jsonb, jsonb, text) IS
'what the reply to a push means: its status, and the document or the values agreed on';
