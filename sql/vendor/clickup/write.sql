-- ---------------------------------------------------------------------
-- ClickUp: the requests that make a task equal to its row, and the values agreed on
-- when they were sent.
--
-- A task takes several requests: one for its own members, and one for each custom field
-- and tag, which ClickUp accepts one at a time.  A push job makes one of them, and goes
-- back to the queue until the row equals its base.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_pushable(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind WHEN 'tasks' THEN '{name,description,status,priority,type_id,assignees,watchers,tags,due_at,start_at,
		time_estimate,points,archived,list_id,parent_id,custom_fields}' WHEN 'comments' THEN '{parent_kind,parent_id,reply_to,body,rich_body,is_private}' ELSE '{}' END::text[];
END;
COMMENT ON FUNCTION zcsync._clickup_pushable(text) IS
'columns of a kind that can be changed at ClickUp';

-- The requests of push jobs; NULL for a row that equals its base.  Such a row is put in
-- step: values that differ in form only, such as the order of a list, or that cannot be
-- changed at ClickUp, become those of base.
CREATE FUNCTION zcsync._clickup_push_requests(p_job_ids bigint[])
RETURNS TABLE (job_id bigint, request jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
	v_columns text[] := '{name,description,status,priority,type_id,assignees,watchers,due_at,start_at,time_estimate,points,
		archived,list_id,parent_id,tags,custom_fields}';
	v_jobs bigint[];
	v_requests jsonb[];
	v_equal bigint[];
BEGIN
	-- All columns of a new task are sent.  If only custom fields differ, as after an
	-- edit of one, the other columns need not be compared.  ClickUp notifies nobody of
	-- a new task unless its route says so.  OFFSET 0: the subquery computes its columns
	-- once for each row.
	SELECT array_agg(r.job_id),
		array_agg(CASE WHEN r.notify AND r.request ? 'create' THEN jsonb_set(r.request, '{body,notify_all}', 'true')
			ELSE zcsync._clickup_learned(r.request, r.learned) END),
		array_agg(r.local_id) FILTER (WHERE r.request IS NULL)
	INTO v_jobs, v_requests, v_equal
	FROM (
		SELECT j.job_id, j.local_id, j.notify, j.learned, CASE
			WHEN j.local_id IS NULL OR j.changed IS NULL THEN NULL
			WHEN j.remote_id IS NOT NULL AND j.field IS NOT NULL AND NOT j.changed ?| v_columns[1:14]
				AND f.remote_id IS NOT NULL
			THEN zcsync._clickup_field_request(j.remote_id, j.list_id, j.field, f.name, j.custom_fields -> j.field,
				j.base #> ARRAY['custom_fields', j.field], f.type, f.options)
			ELSE zcsync._clickup_push_request(
				jsonb_build_object('account_id', j.account_id, 'remote_id', j.remote_id, 'sync_key', j.sync_key,
					'list_id', j.list_id, 'parent_id', j.parent_id) || j.changed,
				j.base, j.remote, j.unclear_since, j.page)
			END AS request
		FROM (
			SELECT q.job_id, t.local_id, n.notify, q.payload -> 'learned' AS learned, q.unclear_since, q.lookup_page AS page,
				t.account_id, t.remote_id, t.sync_key, t.list_id, t.parent_id, t.custom_fields, b.base, t.remote,
				CASE WHEN t.deleted_at IS NULL THEN zcsync._differing(CASE WHEN t.remote_id IS NOT NULL THEN b.base END,
					v_columns, ROW(t.name, t.description, t.status, t.priority, t.type_id, t.assignees, t.watchers, t.due_at, t.start_at,
						t.time_estimate, t.points, t.archived, t.list_id, t.parent_id, t.tags, t.custom_fields)) END AS changed,
				(zcsync._differing_keys(b.base -> 'custom_fields', t.custom_fields))[1] AS field
			FROM zcsync.sync_queue q
			LEFT JOIN zcsync.routes n ON n.route_id = q.route_id
			LEFT JOIN zcsync.tasks t ON t.account_id = q.account_id AND t.local_id = q.local_id
			CROSS JOIN LATERAL (SELECT CASE WHEN t.sync_state = 'conflict' THEN zcsync._push_base('tasks', t.account_id, t.local_id, t.base) ELSE t.base END) AS b (base)
			WHERE q.job_id = ANY (p_job_ids)
			OFFSET 0) j
		LEFT JOIN zcsync.fields f ON f.account_id = j.account_id AND f.remote_id = j.list_id || ':' || j.field
		OFFSET 0) r;
	IF v_equal IS NOT NULL THEN
		PERFORM zcsync._clickup_settle(v_equal);
	END IF;
	RETURN QUERY SELECT * FROM unnest(v_jobs, v_requests);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_push_requests(bigint[]) IS
'what to send for each of these push jobs; NULL: nothing';

-- Compared again under the lock: somebody may have written the row meanwhile.
CREATE FUNCTION zcsync._clickup_settle(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
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
	SET (name, description, status, priority, type_id, assignees, watchers, tags, due_at, start_at, time_estimate, points, archived,
			list_id, parent_id, custom_fields, sync_state, sync_cause, sync_cause_id, sync_xid) =
		(SELECT b.name, b.description, b.status, b.priority, b.type_id, b.assignees, b.watchers, b.tags, b.due_at, b.start_at, b.time_estimate,
			b.points, b.archived, b.list_id, b.parent_id, coalesce(b.custom_fields, '{}'),
			'synced', 'push', NULL::bigint, pg_current_xact_id()
		FROM jsonb_populate_record(NULL::zcsync.tasks, t.base) AS b)
	WHERE t.local_id = ANY (v_locked) AND zcsync._clickup_push_request(to_jsonb(t), t.base, t.remote, NULL, NULL) IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_settle(bigint[]) IS
'makes rows for which there is nothing to send equal to their base, and synced';

-- The next request for a row of tasks (as to_jsonb() makes it in UTC, without columns
-- that exist only here), or NULL if the row equals its base.  Columns that equal base
-- may be missing, and in a new task those that are empty.  p_remote is its last
-- document.  p_unclear is set while a create whose reply was lost may have had an
-- effect; p_page is the page on which to look for it.
CREATE FUNCTION zcsync._clickup_push_request(p_row jsonb, p_base jsonb, p_remote jsonb, p_unclear timestamptz,
	p_page integer) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_base jsonb := coalesce(p_base, '{}');
	v_refused jsonb;
	v_body jsonb;
	v_field text;
	v_type record;
	v_new record;
BEGIN
	IF p_row ->> 'remote_id' IS NULL AND p_unclear IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'find_task', 'list_id', p_row -> 'list_id', 'page', coalesce(p_page, 0),
			'date_created_gt', zcsync._clickup_ms(p_unclear - interval '5 minutes'),
			'include_closed', true, 'subtasks', true, 'order_by', 'created', 'reverse', true);
	END IF;
	v_refused := zcsync._clickup_refused_values(p_row);
	IF v_refused IS NOT NULL THEN
		RETURN v_refused;
	ELSIF p_row ->> 'remote_id' IS NULL THEN
		v_new := zcsync._clickup_new_fields(p_row);
		RETURN coalesce(CASE WHEN p_row ->> 'list_id' IS NOT NULL THEN v_new.refused END, jsonb_build_object('op', 'create_task', 'create', true, 'list_id', p_row -> 'list_id',
			'body', zcsync._clickup_create_body(p_row, v_new.fields),
			-- watchers are added to a task that is there
			'sent', (SELECT jsonb_object_agg(c, p_row -> c) FROM unnest(zcsync._clickup_pushable('tasks')) AS c WHERE c <> 'watchers')));
	END IF;

	-- Statuses, fields and parents belong to the list.
	IF p_row ->> 'list_id' <> v_base ->> 'list_id' THEN
		RETURN zcsync._clickup_move_request(p_row, v_base, p_remote);
	END IF;
	v_body := '{}';
	IF p_row ?| '{name,description,status,priority,type_id,assignees,watchers,due_at,start_at,time_estimate,points,archived,parent_id}' THEN
		v_body := zcsync._clickup_update_body(p_row, v_base, p_remote);
	END IF;
	IF v_body <> '{}' THEN
		RETURN jsonb_build_object('op', 'update_task', 'task_id', p_row -> 'remote_id', 'body', v_body,
			'sent', (SELECT jsonb_object_agg(c.name, p_row -> c.name)
				FROM unnest(zcsync._clickup_pushable('tasks')) AS c (name)
				WHERE v_body ? zcsync._clickup_member(c.name)),
			'base', (SELECT jsonb_object_agg(c.name, v_base -> c.name)
				FROM unnest(zcsync._clickup_pushable('tasks')) AS c (name)
				WHERE v_body ? zcsync._clickup_member(c.name)));
	END IF;
	IF p_row ? 'custom_fields' THEN
		v_field := (zcsync._differing_keys(v_base -> 'custom_fields', p_row -> 'custom_fields'))[1];
	END IF;
	IF v_field IS NOT NULL THEN
		v_type := zcsync._clickup_field_type(p_row, p_remote, v_field);
		RETURN zcsync._clickup_field_request(p_row ->> 'remote_id', p_row ->> 'list_id', v_field, v_type.name,
			p_row #> ARRAY['custom_fields', v_field], v_base #> ARRAY['custom_fields', v_field], v_type.type, v_type.config);
	END IF;
	IF p_row ? 'tags' THEN
		RETURN zcsync._clickup_tag_request(p_row, v_base);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_push_request(jsonb, jsonb, jsonb, timestamptz, integer) IS
'the next request that brings a task closer to its row, or NULL';

-- Why a task cannot have these values: ClickUp's times are milliseconds since 1970, read
-- with up to 14 digits, and its numbers are numbers.
CREATE FUNCTION zcsync._clickup_refused_values(p_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('refuse', 'cannot be sent to ClickUp: '
			|| string_agg(format('"%s" is not a valid %s', left(v.value, 100), v.name), '; ' ORDER BY v.name),
		'hint', string_agg(DISTINCT v.hint, ' '))
	FROM (
		SELECT c.name, p_row ->> c.name AS value, 'A time must be between the years 1 and 5137.' AS hint
		FROM unnest('{due_at,start_at}'::text[]) AS c (name)
		WHERE p_row ->> c.name !~ '^[0-9]{4}-.*[+]00:00$' OR p_row ->> c.name >= '5138'
		UNION ALL
		SELECT 'points', p_row ->> 'points', 'Points are a number.' WHERE jsonb_typeof(p_row -> 'points') NOT IN ('number', 'null')) AS v
	HAVING count(*) > 0;
END;
COMMENT ON FUNCTION zcsync._clickup_refused_values(jsonb) IS
'a refusal of times and numbers that ClickUp cannot hold; NULL: there are none';

-- A task moves to another list with a status of that list: with the status of its row,
-- if the list has it.  If the statuses of the list are not known, ClickUp decides.
CREATE FUNCTION zcsync._clickup_move_request(p_row jsonb, p_base jsonb, p_remote jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := (p_row ->> 'account_id')::bigint;
	v_status text := coalesce(p_row ->> 'status', p_base ->> 'status');
	v_names text;
	v_new record;
	v_columns text[] := '{list_id}';
	v_body jsonb := '{}';
BEGIN
	SELECT string_agg(quote_literal(s.name), ', ' ORDER BY s.position) INTO v_names FROM zcsync.statuses s
	WHERE s.account_id = v_account AND s.scope_id = p_row ->> 'list_id' AND s.deleted_at IS NULL;
	SELECT s.status_id, s.name INTO v_new FROM zcsync.statuses s
	WHERE s.account_id = v_account AND s.remote_id = (p_row ->> 'list_id') || ':' || zcsync._fold(v_status) AND s.deleted_at IS NULL;
	IF v_names IS NOT NULL AND v_new.name IS NULL THEN
		RETURN jsonb_build_object('refuse', format('list %s has no status "%s"', p_row ->> 'list_id', v_status),
			'hint', format('Set the status of the task together with its list, to one of these: %s.', v_names));
	ELSIF zcsync._fold(v_status) <> zcsync._fold(p_base ->> 'status') AND v_new.status_id IS NOT NULL AND p_remote #>> '{status,id}' IS NOT NULL THEN
		v_body := jsonb_build_object('status_mappings', jsonb_build_array(jsonb_build_object(
			'source_status_id', p_remote #> '{status,id}', 'destination_status_id', v_new.status_id)));
		v_columns := '{list_id,status}';
	END IF;
	RETURN jsonb_build_object('op', 'move_task', 'task_id', p_row -> 'remote_id', 'list_id', p_row -> 'list_id', 'body', v_body,
		'team_id', (SELECT a.settings -> 'workspace_id' FROM zcsync.accounts a WHERE a.account_id = v_account),
		'sent', (SELECT jsonb_object_agg(c, p_row -> c) FROM unnest(v_columns) AS c),
		'base', (SELECT jsonb_object_agg(c, p_base -> c) FROM unnest(v_columns) AS c),
		'agreed', jsonb_build_object('list_id', p_row -> 'list_id')
			|| CASE WHEN 'status' = ANY (v_columns) THEN jsonb_build_object('status', v_new.name) ELSE '{}' END);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_move_request(jsonb, jsonb, jsonb) IS
'the request that moves a task to the list of its row, or why it cannot be moved';

-- The member of a task in requests that has the value of a column.
CREATE FUNCTION zcsync._clickup_member(p_column text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_column WHEN 'due_at' THEN 'due_date' WHEN 'start_at' THEN 'start_date' WHEN 'parent_id' THEN 'parent' WHEN 'type_id' THEN 'custom_item_id' ELSE p_column END;
END;
COMMENT ON FUNCTION zcsync._clickup_member(text) IS
'the member of a request for a task that stands for a column';

-- A value as the body of a request has it.  Times are sent with their time of day,
-- since ClickUp otherwise chooses an hour.
CREATE FUNCTION zcsync._clickup_body_value(p_column text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_column IN ('due_at', 'start_at') THEN jsonb_build_object(
				zcsync._clickup_member(p_column), zcsync._clickup_ms((p_value #>> '{}')::timestamptz))
			|| CASE WHEN p_value <> 'null' THEN jsonb_build_object(zcsync._clickup_member(p_column) || '_time', true)
				ELSE '{}' END
		WHEN p_column = 'type_id' THEN jsonb_build_object('custom_item_id',
			CASE WHEN p_value #>> '{}' ~ '^[0-9]{1,9}$' THEN to_jsonb((p_value #>> '{}')::integer) ELSE p_value END)
		ELSE jsonb_build_object(p_column, p_value)
	END
$$;
COMMENT ON FUNCTION zcsync._clickup_body_value(text, jsonb) IS
'what the body of a request holds for the value of a column';

-- A description with our mark at its end: as the fragment of an address if the last
-- line is one, so that people do not see it, otherwise in a line of its own.
CREATE FUNCTION zcsync._clickup_marked(p_text text, p_sync_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_text IS NULL OR p_text = '' THEN ''
		WHEN p_text ~ E'(?:^|[\r\n])https?://[^[:space:]#]+$' THEN p_text || '#'
		ELSE p_text || E'\n\n'
	END || 'zcsync-' || p_sync_key;
END;
COMMENT ON FUNCTION zcsync._clickup_marked(text, text) IS
'a description with the mark that a task created here carries';

-- Ids as ClickUp wants them: those of people are numbers, others are texts.  A value
-- that is no number is sent as it is; ClickUp refuses it and says why.
CREATE FUNCTION zcsync._clickup_ids(p_ids text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_agg(CASE WHEN i ~ '^[0-9]{1,18}$' THEN to_jsonb(i::bigint) ELSE to_jsonb(i) END), '[]')
	FROM unnest(p_ids) AS i WHERE i IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._clickup_ids(text[]) IS
'ids of people as a request has them';

CREATE FUNCTION zcsync._clickup_create_body(p_row jsonb, p_fields jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_body jsonb;
BEGIN
	SELECT jsonb_object_agg(m.key, m.value) FILTER (WHERE m.value <> 'null') INTO v_body
	FROM unnest('{name,status,priority,due_at,start_at,time_estimate,points}'::text[]) AS c (name)
	CROSS JOIN LATERAL jsonb_each(zcsync._clickup_body_value(c.name, p_row -> c.name)) AS m;

	-- The plan may allow no more tasks of the list's default type; 0 is a plain task.
	RETURN coalesce(v_body, '{}')
		|| jsonb_build_object(
			'description', zcsync._clickup_marked(p_row ->> 'description', p_row ->> 'sync_key'),
			'assignees', zcsync._clickup_ids((zcsync._list_changes(NULL, p_row -> 'assignees')).added),
			'tags', to_jsonb((zcsync._list_changes(NULL, p_row -> 'tags')).added),
			'custom_item_id', coalesce(nullif(zcsync._clickup_body_value('type_id', p_row -> 'type_id') -> 'custom_item_id', 'null'), '0'), 'notify_all', false, 'check_required_custom_fields', false)
		|| CASE WHEN p_row ->> 'parent_id' IS NOT NULL THEN jsonb_build_object('parent', p_row -> 'parent_id') ELSE '{}' END
		|| CASE WHEN p_row ->> 'archived' = 'true' THEN '{"archived": true}'::jsonb ELSE '{}' END
		|| CASE WHEN p_fields IS NOT NULL THEN jsonb_build_object('custom_fields', p_fields) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_create_body(jsonb, jsonb) IS
'body of the request that creates the task of a row';

-- Only values that differ.  Names of statuses are compared without regard to upper and
-- lower case.
CREATE FUNCTION zcsync._clickup_update_body(p_row jsonb, p_base jsonb, p_remote jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_body jsonb;
	v_text text := p_row ->> 'description';
BEGIN
	SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}') INTO v_body
	FROM unnest('{name,priority,type_id,due_at,start_at,time_estimate,points}'::text[]) AS c (name)
	CROSS JOIN LATERAL jsonb_each(zcsync._clickup_body_value(c.name, p_row -> c.name)) AS m
	WHERE p_row -> c.name <> coalesce(p_base -> c.name, 'null');

	IF zcsync._fold(p_row ->> 'status') <> coalesce(zcsync._fold(p_base ->> 'status'), '') THEN
		v_body := v_body || jsonb_build_object('status', p_row -> 'status');
	END IF;
	IF p_row ->> 'archived' <> coalesce(p_base ->> 'archived', 'false') THEN
		v_body := v_body || jsonb_build_object('archived', p_row -> 'archived');
	END IF;
	-- A subtask cannot become a task: a task with a parent always has one.
	IF p_row ->> 'parent_id' IS NOT NULL AND p_row ->> 'parent_id' IS DISTINCT FROM p_base ->> 'parent_id' THEN
		v_body := v_body || jsonb_build_object('parent', p_row -> 'parent_id');
	END IF;
	-- A mark stays where it is, and none is put into tasks that others made.  A text is
	-- cleared with a space, since an empty one changes nothing.
	IF p_row ? 'description' AND coalesce(v_text, '') <> coalesce(p_base ->> 'description', '') THEN
		IF zcsync._clickup_mark(p_remote ->> 'description') = 'zcsync-' || (p_row ->> 'sync_key') THEN
			v_text := zcsync._clickup_marked(v_text, p_row ->> 'sync_key');
		END IF;
		v_body := v_body || jsonb_build_object('description', coalesce(nullif(v_text, ''), ' '));
	END IF;
	SELECT v_body || coalesce(jsonb_object_agg(c.name, jsonb_build_object('add', zcsync._clickup_ids(l.added), 'rem', zcsync._clickup_ids(l.removed))), '{}')
	INTO v_body
	FROM unnest('{assignees,watchers}'::text[]) AS c (name)
	CROSS JOIN LATERAL zcsync._list_changes(p_base -> c.name, coalesce(p_row -> c.name, p_base -> c.name)) AS l
	WHERE cardinality(l.added || l.removed) > 0;
	RETURN v_body;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_update_body(jsonb, jsonb, jsonb) IS
'body of the request that changes a task to what its row is; {} when it need not';

-- The tags of a task after one was added or removed.
CREATE FUNCTION zcsync._clickup_tags(p_base jsonb, p_tag text, p_added boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_added THEN zcsync._member_list(zcsync._json_list(p_base -> 'tags') || jsonb_build_array(p_tag), '')
		ELSE (SELECT coalesce(jsonb_agg(e ORDER BY e), '[]')
			FROM jsonb_array_elements_text(zcsync._json_list(p_base -> 'tags')) AS e WHERE zcsync._fold(e) <> p_tag) END;
END;
COMMENT ON FUNCTION zcsync._clickup_tags(jsonb, text, boolean) IS
'the tags that were agreed on, with a tag or without it';

-- The request for the first tag that differs.  Upper and lower case are the same in
-- tags.
CREATE FUNCTION zcsync._clickup_tag_request(p_row jsonb, p_base jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_tags record := zcsync._list_changes(zcsync._fold(p_base ->> 'tags')::jsonb, zcsync._fold(p_row ->> 'tags')::jsonb);
	v_tag text := (v_tags.added || v_tags.removed)[1];
	v_adds boolean := cardinality(v_tags.added) > 0;
BEGIN
	IF v_tag IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('op', CASE WHEN v_adds THEN 'add_tag' ELSE 'remove_tag' END,
		'task_id', p_row -> 'remote_id', 'tag', v_tag,
		'sent', jsonb_build_object('tags', zcsync._clickup_tags(p_base, v_tag, v_adds)),
		'base', jsonb_build_object('tags', zcsync._json_list(p_base -> 'tags')));
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
CREATE FUNCTION zcsync._clickup_reply_effect(p_request jsonb, p_reply jsonb, p_base jsonb, p_sync_key text) RETURNS jsonb
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
		WHEN 'move_task' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', p_request -> 'agreed');
		WHEN 'find_task' THEN
			-- if there are several, since people have duplicated the task, it is the
			-- first one
			SELECT d INTO v_doc FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'tasks')) AS d
			WHERE 'zcsync-' || p_sync_key IN (zcsync._clickup_mark(d ->> 'description'), zcsync._clickup_mark(d ->> 'text_content'))
			ORDER BY length(d ->> 'date_created'), d ->> 'date_created' LIMIT 1;
			IF FOUND THEN
				RETURN jsonb_build_object('status', 'found', 'doc', v_doc);
			END IF;
			RETURN jsonb_build_object('status', CASE WHEN zcsync._clickup_goes_on(p_request ->> 'page', p_reply) THEN 'more' ELSE 'absent' END);
		WHEN 'add_tag' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', jsonb_build_object('tags', zcsync._clickup_tags(p_base, v_tag, true)));
		WHEN 'remove_tag' THEN
			RETURN jsonb_build_object('status', 'updated', 'agreed', jsonb_build_object('tags', zcsync._clickup_tags(p_base, v_tag, false)));
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_reply_effect(jsonb, jsonb, jsonb, text) IS
'what the reply to a push of anything but a custom field means';

-- The same, with custom fields.  There are many of these, so the function is written to
-- be inlined for each row.  The row gets the value in the form in which it will be
-- read.
CREATE FUNCTION zcsync._clickup_push_effect(p_request jsonb, p_reply jsonb, p_base jsonb, p_sync_key text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_request ->> 'op' IN ('set_field', 'clear_field') THEN
			jsonb_set('{"status": "updated", "agreed": {}}', '{agreed,custom_fields}', jsonb_strip_nulls(
				coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}') || CASE WHEN p_request ? 'form'
					THEN jsonb_build_object(p_request ->> 'field_id', p_request -> 'form') ELSE p_request #> '{sent,custom_fields}' END))
		ELSE zcsync._clickup_reply_effect(p_request, p_reply, p_base, p_sync_key) END;
END;
COMMENT ON FUNCTION zcsync._clickup_push_effect(jsonb, jsonb, jsonb, text) IS
'what the reply to a push means: its status, and the document or the values agreed on';
