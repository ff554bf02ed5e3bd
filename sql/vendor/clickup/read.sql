-- ---------------------------------------------------------------------
-- ClickUp: its documents as rows, and the requests that read and write them.
--
-- Values have the form in which to_jsonb() prints a column's value while TimeZone is
-- UTC; see core/json.sql.
--
-- ClickUp has no idempotency key, so a task that we create carries its row's sync_key
-- at the end of its description; a create whose reply was lost is looked up by that
-- mark.  _clickup_rows() removes the mark.
-- ---------------------------------------------------------------------

-- Milliseconds since 1970, a number or its text, as to_jsonb() prints a timestamptz;
-- NULL if the value is no such time.  The caller's TimeZone must be UTC.
CREATE FUNCTION zcsync._clickup_time(p_ms text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_ms ~ '^-?[0-9]{1,14}$' THEN to_jsonb(to_timestamp(p_ms::bigint / 1000.0)) #>> '{}' END;
END;
COMMENT ON FUNCTION zcsync._clickup_time(text) IS
'a time of ClickUp as to_jsonb() prints it in UTC, or NULL if it is none';

CREATE FUNCTION zcsync._clickup_ms(p_time timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT round(extract(epoch FROM p_time) * 1000)::bigint;
END;
COMMENT ON FUNCTION zcsync._clickup_ms(timestamptz) IS
'a time as ClickUp writes it: milliseconds since 1970';

CREATE FUNCTION zcsync._clickup_record_url(p_settings jsonb, p_kind text, p_remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind WHEN 'tasks' THEN 'https://app.clickup.com/t/' || p_remote_id END;
END;
COMMENT ON FUNCTION zcsync._clickup_record_url(jsonb, text, text) IS
'address of a task in ClickUp''s own pages; NULL for other kinds';

CREATE FUNCTION zcsync._clickup_scope_check(p_kind text, p_scope jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_key text;
	v_list text;
BEGIN
	SELECT k INTO v_key FROM jsonb_object_keys(p_scope) AS k WHERE k <> 'list_ids' OR p_kind = 'contacts' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('scope of ClickUp %s has no member "%s"', p_kind, v_key),
			HINT = 'It may have "list_ids", as in {"list_ids": ["901234"]}; without it, it is the whole workspace.';
	END IF;
	IF NOT p_scope ? 'list_ids' THEN
		RETURN;
	END IF;
	IF jsonb_typeof(p_scope -> 'list_ids') <> 'array'
		OR jsonb_array_length(p_scope -> 'list_ids') NOT BETWEEN 1 AND 100 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'list_ids must be a list of 1 to 100 list ids',
			HINT = 'zcsync.discover() shows the lists of a workspace.';
	END IF;
	SELECT e #>> '{}' INTO v_list FROM jsonb_array_elements(p_scope -> 'list_ids') AS e
	WHERE (e #>> '{}' ~ '^[0-9]{1,30}$') IS NOT TRUE LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid list id %s', coalesce(quote_literal(v_list), 'null')),
			HINT = 'zcsync.discover() shows the lists of a workspace and their ids.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_scope_check(text, jsonb) IS
'raises an error unless the scope is valid for a stream of this kind';

-- ---------------------------------------------------------------------
-- Requests of pulls
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_pull_request(p_stream_id bigint, p_lane text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	IF v_stream.kind = 'tasks' THEN
		RETURN zcsync._clickup_tasks_request(v_stream.account_id, v_stream.scope,
			zcsync._clickup_tasks_cursor(p_stream_id, p_lane));
	END IF;
	IF v_stream.kind = 'contacts' THEN
		RETURN '{"op": "team"}';
	END IF;
	RETURN zcsync._clickup_walk(p_stream_id) -> 'todo' -> 0;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_pull_request(bigint, text) IS
'the next request of a lane of a stream';

-- How far a lane of tasks is.  A lane is a pass over all tasks in the order in which
-- they were changed, oldest first.  Such a list lacks archived tasks, which are in
-- lists of their own; if the stream reads only some lists, it also lacks tasks that are
-- in one of them and have their home in another list (include_timl).  The history reads
-- these at its end, list by list.  The live lane reads the tasks with another home from
-- one list a minute, in turn; tasks that are archived later are found by the comparison
-- (compare.sql).
--
--   gt           tasks changed after this, in ms, are asked for
--   page         page among these
--   max          latest change seen
--   sum, before  sum of the ids of the pages since page 0, now and last time
--   first        the first change seen, and how many tasks the history is expected to
--   expected     have read at its end
--   lists        {"gt", "page", "todo"}: lists that are read one by one, each with the
--                members of its request
--   shared       {"at", "next", "gt"}: when the live lane read the last one of these,
--                which is next, and since when each is to be read
CREATE FUNCTION zcsync._clickup_tasks_cursor(p_stream_id bigint, p_lane text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN c.cursor ? 'gt' THEN c.cursor
		ELSE jsonb_build_object('gt', c.start, 'page', 0, 'max', c.start) END
	FROM (SELECT
			CASE p_lane WHEN 'history' THEN s.history_cursor ELSE s.live_cursor END,
			zcsync._clickup_ms(CASE p_lane WHEN 'history' THEN coalesce(s.since, s.created_at)
				ELSE s.created_at - interval '300 seconds' END)
		FROM zcsync.streams s WHERE s.stream_id = p_stream_id) AS c (cursor, start)
$$;
COMMENT ON FUNCTION zcsync._clickup_tasks_cursor(bigint, text) IS
'cursor of a lane of tasks: the stored one, or that of a beginning';

CREATE FUNCTION zcsync._clickup_tasks_request(p_account bigint, p_scope jsonb, p_cursor jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '{"include_closed": true, "subtasks": true, "order_by": "updated", "reverse": true}'::jsonb
		|| CASE WHEN p_cursor ? 'lists' THEN (p_cursor #> '{lists,todo,0}') || jsonb_build_object(
				'page', p_cursor #> '{lists,page}', 'date_updated_gt', p_cursor #> '{lists,gt}')
			ELSE jsonb_build_object(
				'op', 'team_tasks',
				'team_id', (SELECT a.settings -> 'workspace_id' FROM zcsync.accounts a WHERE a.account_id = p_account),
				'page', p_cursor -> 'page',
				'date_updated_gt', p_cursor -> 'gt')
				|| CASE WHEN p_scope ? 'list_ids' THEN jsonb_build_object('list_ids', p_scope -> 'list_ids') ELSE '{}' END
		END
$$;
COMMENT ON FUNCTION zcsync._clickup_tasks_request(bigint, jsonb, jsonb) IS
'the request that a cursor of tasks stands for';

-- Fields and statuses belong to lists, which are read one after another.  A walk starts
-- with the lists of the scope, or else with the spaces, in which it finds all lists.  A
-- list that was deleted or is no longer shared is skipped.  A walk that gets stuck
-- begins again after an hour.
CREATE FUNCTION zcsync._clickup_walk(p_stream_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_now bigint := zcsync._clickup_ms(zcsync._now());
	v_lists jsonb;
	v_todo jsonb;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	IF v_stream.live_cursor -> 'todo' -> 0 IS NOT NULL
		AND (v_stream.live_cursor ->> 'started')::bigint > v_now - 3600000 THEN
		RETURN v_stream.live_cursor;
	END IF;
	v_lists := coalesce(v_stream.scope -> 'list_ids',
		(SELECT s.scope -> 'list_ids' FROM zcsync.streams s
		WHERE s.account_id = v_stream.account_id AND s.kind = 'tasks'));
	IF v_lists IS NULL THEN
		SELECT jsonb_build_array(jsonb_build_object('op', 'spaces', 'archived', false,
				'team_id', a.settings -> 'workspace_id'))
		INTO v_todo FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id;
	ELSE
		SELECT jsonb_agg(zcsync._clickup_list_request(v_stream.kind, e #>> '{}') ORDER BY n)
		INTO v_todo FROM jsonb_array_elements(v_lists) WITH ORDINALITY AS x (e, n);
	END IF;
	-- the types of tasks belong to the workspace; not all plans have any
	IF v_stream.kind = 'fields' THEN
		v_todo := v_todo || coalesce((
			SELECT jsonb_build_array(jsonb_build_object('op', 'custom_items', 'team_id', a.settings -> 'workspace_id', 'may_be_refused', true))
			FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id AND a.settings ? 'workspace_id'), '[]');
	END IF;
	RETURN jsonb_build_object('todo', v_todo, 'started', v_now);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_walk(bigint) IS
'what a stream of fields or statuses has still to read';

CREATE FUNCTION zcsync._clickup_list_request(p_kind text, p_list_id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', CASE p_kind WHEN 'fields' THEN 'list_fields' ELSE 'list' END, 'list_id', p_list_id,
		'may_be_gone', true);
END;
COMMENT ON FUNCTION zcsync._clickup_list_request(text, text) IS
'the request for the fields or the statuses of a list';

-- A task has an id, and where people want it, a second one of their own, such as
-- DEV-12.
CREATE FUNCTION zcsync._clickup_fetch_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'get_task', 'task_id', i.id)
		|| CASE WHEN i.id LIKE '%-%' THEN jsonb_build_object('custom_task_ids', true, 'team_id', (
				SELECT a.settings -> 'workspace_id' FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
				WHERE s.stream_id = p_stream_id))
			ELSE '{}' END
	FROM (SELECT p_payload -> 'ids' ->> 0) AS i (id)
$$;
COMMENT ON FUNCTION zcsync._clickup_fetch_request(bigint, jsonb) IS
'the request for a task by its id: ClickUp has none for several, so such a job names one';

-- ---------------------------------------------------------------------
-- Where a lane goes on
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_next(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE p_request ->> 'op'
		WHEN 'team_tasks' THEN
			RETURN QUERY SELECT n.*, NULL::interval FROM zcsync._clickup_next_tasks(p_stream_id, p_lane, p_request, p_reply) AS n;
		WHEN 'list_tasks' THEN
			RETURN QUERY SELECT n.*, NULL::interval FROM zcsync._clickup_next_list(p_stream_id, p_lane, p_request, p_reply) AS n;
		WHEN 'team' THEN
			RETURN QUERY SELECT '{}'::jsonb, false, NULL::interval;
		ELSE
			RETURN QUERY SELECT n.*, NULL::interval FROM zcsync._clickup_next_walk(p_stream_id, p_request, p_reply) AS n;
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_next(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page, whether more is waiting, and when to ask for it';

-- Do more tasks follow a page?  Where ClickUp does not say so, they do after a full
-- page.  A page may be short or empty because the login may not see the tasks on it;
-- but after ten empty ones there are no more.
CREATE FUNCTION zcsync._clickup_goes_on(p_page text, p_reply jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_reply ->> 'last_page' WHEN 'true' THEN false
		WHEN 'false' THEN p_reply @? '$.tasks[0]' OR p_page::integer < 10
		ELSE jsonb_array_length(zcsync._json_list(p_reply -> 'tasks')) >= 100 END;
END;
COMMENT ON FUNCTION zcsync._clickup_goes_on(text, jsonb) IS
'may more tasks follow the page of this number?';

-- ClickUp does not say how many tasks there are.  The history reads them in the order in
-- which they were changed: if it took so many of them to come so far from the first
-- change to now, it takes in proportion more to come to the end.
CREATE FUNCTION zcsync._clickup_expected(p_stream_id bigint, p_cursor jsonb, p_first bigint, p_seen bigint, p_tasks integer, p_now bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p_cursor || jsonb_strip_nulls(jsonb_build_object('first', f.first, 'expected',
		CASE WHEN p_seen - f.first > (p_now - f.first) / 1000 THEN round((s.records_done + p_tasks)::numeric * (greatest(p_now, p_seen) - f.first) / (p_seen - f.first)) END))
	FROM zcsync.streams s CROSS JOIN LATERAL (SELECT coalesce((p_cursor ->> 'first')::bigint, p_first)) AS f (first)
	WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._clickup_expected(bigint, jsonb, bigint, bigint, integer, bigint) IS
'a cursor of the history with the number of tasks that it is expected to read';

-- Pages shift while they are read: a task that somebody changes moves to the end, and
-- the first task of the next page moves to the page that was just read.  So after a
-- full page the next request does not ask for page 1, but for the tasks changed since
-- the last one of page 0.  Only if more than a page of tasks changed in the same
-- millisecond must it ask for further pages, and then until two passes have shown the
-- same tasks.
--
-- At the end, the next poll starts a little earlier while the latest change is recent,
-- since ClickUp may show changes late.
CREATE FUNCTION zcsync._clickup_next_tasks(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now bigint := zcsync._clickup_ms(zcsync._now());
	v_gt bigint := (p_request ->> 'date_updated_gt')::bigint;
	v_page integer := (p_request ->> 'page')::integer;
	v_first bigint;
	v_max bigint;
	v_last bigint;
	v_tasks integer;
	v_sum bigint;
	v_seen bigint;
	v_onward boolean;
BEGIN
	cursor := zcsync._clickup_tasks_cursor(p_stream_id, p_lane);
	SELECT min(u.changed), max(u.changed), (array_agg(u.changed ORDER BY u.n DESC))[1], coalesce(sum(hashtext(u.id)), 0), count(*)
	INTO v_first, v_max, v_last, v_sum, v_tasks
	FROM (SELECT CASE WHEN d ->> 'date_updated' ~ '^[0-9]{1,14}$' THEN (d ->> 'date_updated')::bigint END, d ->> 'id', n
		FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'tasks')) WITH ORDINALITY AS x (d, n)) AS u (changed, id, n);
	v_seen := greatest((cursor ->> 'max')::bigint, v_max);
	IF p_lane = 'history' THEN
		cursor := zcsync._clickup_expected(p_stream_id, cursor, v_first, v_seen, v_tasks, v_now);
	END IF;
	IF v_page > 0 THEN
		v_sum := v_sum + coalesce((cursor ->> 'sum')::bigint, 0);
	END IF;

	-- oldest first, and past the millisecond that this page started in
	v_onward := v_last = v_max AND v_max - 1 > v_gt;
	more := true;
	IF zcsync._clickup_goes_on(p_request ->> 'page', p_reply) AND NOT coalesce(v_onward, false) THEN
		cursor := cursor || jsonb_build_object('gt', v_gt, 'page', v_page + 1, 'max', v_seen, 'sum', v_sum);
		RETURN;
	END IF;
	IF v_page > 0 AND (cursor ->> 'before')::bigint IS DISTINCT FROM v_sum THEN
		cursor := cursor || jsonb_build_object('gt', v_gt, 'page', 0, 'max', v_seen, 'before', v_sum);
		RETURN;
	END IF;
	cursor := cursor - '{sum,before}'::text[] || jsonb_build_object('page', 0, 'max', v_seen);
	IF zcsync._clickup_goes_on(p_request ->> 'page', p_reply) THEN
		cursor := cursor || jsonb_build_object('gt', v_max - 1);
		RETURN;
	END IF;

	IF v_max IS NOT NULL OR v_seen > v_gt THEN
		cursor := cursor || jsonb_build_object('gt',
			greatest(v_gt, CASE WHEN v_seen < v_now - 600000 THEN v_seen ELSE v_seen - 10000 END));
	END IF;
	IF p_lane = 'history' THEN
		cursor := cursor || zcsync._clickup_lists_cursor(p_stream_id);
	END IF;
	IF p_lane = 'live' THEN
		cursor := zcsync._clickup_shared_cursor(p_stream_id, cursor, v_now);
	END IF;
	more := cursor ? 'lists';
END
$$;
COMMENT ON FUNCTION zcsync._clickup_next_tasks(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page of tasks, and whether more is waiting';

-- The lists of a stream of tasks: those of its scope, or all in which tasks were seen
-- or that discover() saw; a list may have only archived tasks.
CREATE FUNCTION zcsync._clickup_lists(p_stream_id bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN s.scope ? 'list_ids' THEN ARRAY(SELECT jsonb_array_elements_text(s.scope -> 'list_ids'))
		ELSE ARRAY(SELECT t.list_id FROM zcsync.tasks t
			WHERE t.account_id = s.account_id AND t.list_id IS NOT NULL AND t.deleted_at IS NULL
			UNION SELECT l.list_id FROM zcsync.lists l WHERE l.account_id = s.account_id ORDER BY 1) END
	FROM zcsync.streams s WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._clickup_lists(bigint) IS
'the lists that a stream of tasks reads';

-- What is read list by list, as parts of requests: archived tasks, and, if the stream
-- reads only some lists, tasks with another home.
CREATE FUNCTION zcsync._clickup_single_lists(p_stream_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('op', 'list_tasks', 'list_id', l.id, 'archived', r.archived, 'may_be_gone', true)
		|| CASE WHEN s.scope ? 'list_ids' THEN '{"include_timl": true}'::jsonb ELSE '{}' END ORDER BY r.archived, l.id), '[]')
	FROM zcsync.streams s
	CROSS JOIN LATERAL unnest(zcsync._clickup_lists(p_stream_id)) AS l (id)
	CROSS JOIN (VALUES (false), (true)) AS r (archived)
	WHERE s.stream_id = p_stream_id AND (r.archived OR s.scope ? 'list_ids')
$$;
COMMENT ON FUNCTION zcsync._clickup_single_lists(bigint) IS
'lists of tasks that are read one by one, as parts of requests';

-- The cursor with which the history begins to read these: {} if there are none.
CREATE FUNCTION zcsync._clickup_lists_cursor(p_stream_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN l.todo = '[]' THEN '{}'::jsonb ELSE jsonb_build_object('lists', jsonb_build_object('todo', l.todo, 'page', 0,
		'gt', zcsync._clickup_ms(coalesce(s.since, s.created_at)))) END
	FROM zcsync.streams s CROSS JOIN LATERAL (SELECT zcsync._clickup_single_lists(p_stream_id)) AS l (todo)
	WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._clickup_lists_cursor(bigint) IS
'the part of a cursor of tasks with which lists are read one by one';

-- The live lane of a stream that reads only some lists reads one of them for tasks with
-- another home, unless it did so within the last minute.
CREATE FUNCTION zcsync._clickup_shared_cursor(p_stream_id bigint, p_cursor jsonb, p_now bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN NOT s.scope ? 'list_ids' OR (p_cursor #>> '{shared,at}')::bigint > p_now - 60000 THEN p_cursor
		ELSE p_cursor || jsonb_build_object(
			'lists', jsonb_build_object('page', 0,
				'gt', coalesce(p_cursor #> ARRAY['shared', 'gt', l.id], to_jsonb(zcsync._clickup_ms(s.created_at - interval '300 seconds'))),
				'todo', jsonb_build_array(jsonb_build_object('op', 'list_tasks', 'list_id', l.id, 'include_timl', true, 'may_be_gone', true))),
			'shared', jsonb_build_object('at', p_now, 'next', n.n + 1, 'gt', coalesce(p_cursor #> '{shared,gt}', '{}'))) END
	FROM zcsync.streams s
	CROSS JOIN LATERAL (SELECT coalesce((p_cursor #>> '{shared,next}')::integer, 0)) AS n (n)
	CROSS JOIN LATERAL (SELECT s.scope -> 'list_ids' ->> (n.n % greatest(jsonb_array_length(s.scope -> 'list_ids'), 1))) AS l (id)
	WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._clickup_shared_cursor(bigint, jsonb, bigint) IS
'a cursor of the live lane with the next list that is read for tasks with another home, if its time has come';

CREATE FUNCTION zcsync._clickup_next_list(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	cursor := zcsync._clickup_tasks_cursor(p_stream_id, p_lane);
	IF zcsync._clickup_goes_on(p_request ->> 'page', p_reply) THEN
		cursor := jsonb_set(cursor, '{lists,page}', to_jsonb((p_request ->> 'page')::integer + 1));
	ELSIF jsonb_array_length(cursor #> '{lists,todo}') > 1 THEN
		cursor := jsonb_set(cursor, '{lists}', (cursor -> 'lists')
			|| jsonb_build_object('page', 0, 'todo', (cursor #> '{lists,todo}') - 0));
	ELSE
		cursor := cursor - 'lists';
		-- ClickUp may show changes late
		IF p_lane = 'live' THEN
			cursor := jsonb_set(cursor, ARRAY['shared', 'gt', p_request ->> 'list_id'], to_jsonb((cursor #>> '{shared,at}')::bigint - 600000));
		END IF;
	END IF;
	more := cursor ? 'lists';
END
$$;
COMMENT ON FUNCTION zcsync._clickup_next_list(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page of a single list, and whether more is waiting';

CREATE FUNCTION zcsync._clickup_next_walk(p_stream_id bigint, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_op text := p_request ->> 'op';
	v_kind text := (SELECT s.kind FROM zcsync.streams s WHERE s.stream_id = p_stream_id);
	v_found jsonb;
BEGIN
	cursor := zcsync._clickup_walk(p_stream_id);
	IF v_op = 'spaces' THEN
		SELECT jsonb_agg(jsonb_build_object('op', o, 'space_id', d ->> 'id', 'archived', false))
		INTO v_found
		FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'spaces')) AS d, unnest('{folders,space_lists}'::text[]) AS o;
	ELSIF v_op = 'folders' THEN
		SELECT jsonb_agg(jsonb_build_object('op', 'folder_lists', 'folder_id', d ->> 'id', 'archived', false))
		INTO v_found FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'folders')) AS d;
	ELSIF v_op IN ('space_lists', 'folder_lists') THEN
		SELECT jsonb_agg(zcsync._clickup_list_request(v_kind, d ->> 'id'))
		INTO v_found FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'lists')) AS d;
	END IF;
	SELECT jsonb_build_object('started', cursor -> 'started', 'todo',
		coalesce(jsonb_agg(e ORDER BY n) FILTER (WHERE e <> p_request), '[]') || coalesce(v_found, '[]'))
	INTO cursor FROM jsonb_array_elements(cursor -> 'todo') WITH ORDINALITY AS x (e, n);
	more := cursor -> 'todo' <> '[]';
END
$$;
COMMENT ON FUNCTION zcsync._clickup_next_walk(bigint, jsonb, jsonb) IS
'what a walk over the lists has still to read after a reply';

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------

-- The rows of a reply: a page, or a single record.
CREATE FUNCTION zcsync._clickup_rows(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_op text := p_request ->> 'op';
BEGIN
	IF v_op IN ('task_comments', 'comment_replies') THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_comments(p_request ->> 'task_id', p_request ->> 'comment_id',
			zcsync._json_list(p_reply -> 'comments'));
		RETURN QUERY SELECT 'comments', g.id, NULL::text, jsonb_build_object('parent_kind', 'tasks', 'parent_id', p_request -> 'task_id'), NULL::jsonb, true
			FROM zcsync._clickup_gone_comments(p_account, p_request, p_reply -> 'comments') AS g (id)
			WHERE jsonb_typeof(p_reply -> 'comments') = 'array';
		RETURN QUERY SELECT * FROM zcsync._clickup_comment_files(p_request ->> 'task_id', zcsync._json_list(p_reply -> 'comments'));
		RETURN QUERY SELECT 'attachments', a.id, NULL::text, jsonb_build_object('parent_kind', 'tasks', 'parent_id', p_request -> 'task_id'), NULL::jsonb, true
			FROM zcsync._attachments_of(p_account, ARRAY(SELECT zcsync._clickup_gone_comments(p_account, p_request, p_reply -> 'comments'))) AS a (id)
			WHERE jsonb_typeof(p_reply -> 'comments') = 'array';
	ELSIF v_op = 'task_time' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_times(p_account, p_request, p_reply -> 'data')
			WHERE jsonb_typeof(p_reply -> 'data') = 'array';
	ELSIF v_op = 'custom_items' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_types(p_reply -> 'custom_items');
	ELSIF v_op = 'list_fields' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_fields(p_request ->> 'list_id', zcsync._json_list(p_reply -> 'fields'));
	ELSIF p_kind = 'tasks' AND p_request ? 'compare' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_tasks(zcsync._clickup_known_tasks(p_account, zcsync._json_list(p_reply -> 'tasks')));
	ELSIF p_kind = 'tasks' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_tasks(zcsync._json_list(
			CASE WHEN p_reply ? 'tasks' THEN p_reply -> 'tasks' ELSE jsonb_build_array(p_reply) END));
		IF v_op = 'get_task' THEN
			RETURN QUERY SELECT * FROM zcsync._clickup_task_files(p_account, p_request ->> 'as_of', p_reply);
		END IF;
	ELSIF p_kind = 'contacts' AND v_op = 'team' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_members(p_account, zcsync._json_list(p_reply -> 'teams'));
	ELSIF p_kind = 'statuses' AND v_op = 'list' THEN
		RETURN QUERY SELECT * FROM zcsync._clickup_statuses(p_request ->> 'list_id', zcsync._json_list(p_reply -> 'statuses'));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_rows(bigint, text, jsonb, jsonb) IS
'rows of a reply of ClickUp';

-- The members of the account's workspace, who may be assignees.  If the settings name
-- no workspace, those of all workspaces that the token can see.
CREATE FUNCTION zcsync._clickup_members(p_account bigint, p_teams jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT ON (u.doc ->> 'id') 'contacts', u.doc ->> 'id', NULL::text,
		jsonb_build_object('name', left(u.doc ->> 'username', 500), 'email', left(u.doc ->> 'email', 500),
			'phone', NULL, 'role', u.doc ->> 'role', 'organization_id', t ->> 'id', 'site_id', NULL, 'external_id', NULL,
			'active', true, 'time_zone', NULL, 'custom_fields', '{}'::jsonb, 'created_at', NULL, 'updated_at', NULL),
		u.doc, false
	FROM jsonb_array_elements(p_teams) AS t
	CROSS JOIN jsonb_array_elements(zcsync._json_list(t -> 'members')) AS m
	CROSS JOIN LATERAL (SELECT m -> 'user' AS doc) AS u
	WHERE u.doc ->> 'id' IS NOT NULL
		AND t ->> 'id' = coalesce((SELECT a.settings ->> 'workspace_id' FROM zcsync.accounts a
			WHERE a.account_id = p_account), t ->> 'id')
	ORDER BY u.doc ->> 'id'
$$;
COMMENT ON FUNCTION zcsync._clickup_members(bigint, jsonb) IS
'rows of the members of a ClickUp workspace';

-- The text of a description without our mark, as people see it: ClickUp drops white
-- space at its end, so an empty text counts as no text.
CREATE FUNCTION zcsync._clickup_description(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(rtrim(CASE
			WHEN right(t.text, 43) !~ '^zcsync-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN t.text
			WHEN right(t.text, 44) LIKE '#%' THEN left(t.text, -44)
			ELSE left(t.text, -43)
		END, E' \t\n'), '')
	FROM (SELECT rtrim(replace(p_text, E'\r\n', E'\n'), E' \t\n')) AS t (text);
END;
COMMENT ON FUNCTION zcsync._clickup_description(text) IS
'a description without the mark that a task created here carries';

-- The mark of a create in the last line of a text, which we wrote: either the fragment
-- of an address, or the mark alone.
CREATE FUNCTION zcsync._clickup_mark(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN zcsync._mark_key(right(rtrim(p_text, E' \t\r\n'), 43)) IS NOT NULL
			AND right(rtrim(p_text, E' \t\r\n'), 2000) ~ E'(?:^|[\r\n])(?:https?://[^[:space:]#]+#)?zcsync-[0-9a-f-]{36}$'
		THEN right(rtrim(p_text, E' \t\r\n'), 43) END;
END;
COMMENT ON FUNCTION zcsync._clickup_mark(text) IS
'the mark in the last line of a text; NULL: none';

-- The value of a custom field, in a form that is the same in every reply, or NULL if
-- none is set.  In replies the option of a drop-down is its index or its id, a time is
-- milliseconds, and a number or a boolean may be a text.
CREATE FUNCTION zcsync._clickup_field_value(p_field jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_value jsonb := p_field -> 'value';
	v_text text := p_field ->> 'value';
BEGIN
	CASE p_field ->> 'type'
		WHEN 'drop_down' THEN
			v_value := coalesce(
				(SELECT o -> 'id' FROM jsonb_array_elements(zcsync._json_list(p_field #> '{type_config,options}')) AS o
				WHERE o ->> 'id' = v_text OR o ->> 'orderindex' = v_text LIMIT 1),
				v_value);
		WHEN 'labels', 'users', 'tasks', 'list_relationship', 'attachment' THEN
			v_value := zcsync._member_list(v_value, 'id');
		WHEN 'manual_progress' THEN
			v_value := coalesce(zcsync._json_number(CASE jsonb_typeof(v_value) WHEN 'object' THEN v_value -> 'current' ELSE v_value END), v_value);
		WHEN 'location' THEN
			v_value := coalesce(zcsync._clickup_place_form(v_value), v_value);
		WHEN 'date' THEN
			v_value := coalesce(to_jsonb(zcsync._clickup_time(v_text)), v_value);
		WHEN 'number', 'currency', 'emoji' THEN
			v_value := coalesce(zcsync._json_number(v_value), v_value);
		WHEN 'checkbox' THEN
			v_value := CASE lower(v_text COLLATE "C") WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE v_value END;
		ELSE
			NULL;
	END CASE;
	RETURN CASE WHEN v_value NOT IN ('null', '[]', '""') THEN v_value END;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_field_value(jsonb) IS
'the value of a custom field of a task document; the caller''s TimeZone must be UTC';

CREATE FUNCTION zcsync._clickup_tasks(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'tasks', left(d ->> 'id', 500),
		CASE WHEN d ->> 'date_updated' ~ '^[0-9]{1,18}$' THEN d ->> 'date_updated' END,
		jsonb_build_object(
			'name', d ->> 'name',
			'description', zcsync._clickup_description(coalesce(d ->> 'description', d ->> 'text_content')),
			'status', coalesce(d -> 'status' ->> 'status', CASE WHEN jsonb_typeof(d -> 'status') = 'string' THEN d ->> 'status' END),
			'status_type', d -> 'status' ->> 'type',
			'priority', zcsync._json_integer(CASE jsonb_typeof(d -> 'priority')
				WHEN 'object' THEN d -> 'priority' -> 'id' ELSE d -> 'priority' END),
			'type_id', nullif(left(d ->> 'custom_item_id', 500), '0'),
			'watchers', zcsync._member_list(d -> 'watchers', 'id'),
			'assignees', (SELECT coalesce(jsonb_agg(DISTINCT e.id), '[]')
				FROM (SELECT CASE WHEN jsonb_typeof(e) = 'object' THEN e ->> 'id' ELSE e #>> '{}' END
					FROM jsonb_array_elements(zcsync._json_list(d -> 'assignees')) AS e) AS e (id)
				WHERE e.id IS NOT NULL),
			'tags', (SELECT coalesce(jsonb_agg(DISTINCT e.name COLLATE "C"), '[]')
				FROM (SELECT CASE WHEN jsonb_typeof(e) = 'object' THEN e ->> 'name' ELSE e #>> '{}' END
					FROM jsonb_array_elements(zcsync._json_list(d -> 'tags')) AS e) AS e (name)
				WHERE e.name IS NOT NULL),
			'due_at', zcsync._clickup_time(d ->> 'due_date'),
			'start_at', zcsync._clickup_time(d ->> 'start_date'),
			'closed_at', zcsync._clickup_time(d ->> 'date_closed'),
			'list_id', left(d -> 'list' ->> 'id', 500),
			'folder_id', coalesce(d -> 'folder' ->> 'id', d -> 'project' ->> 'id'),
			'space_id', d -> 'space' ->> 'id',
			'parent_id', d ->> 'parent',
			'creator_id', d -> 'creator' ->> 'id',
			'time_estimate', CASE WHEN d ->> 'time_estimate' ~ '^-?[0-9]{1,18}$' THEN (d ->> 'time_estimate')::bigint END,
			'points', zcsync._json_number(d -> 'points'),
			'archived', CASE WHEN jsonb_typeof(d -> 'archived') = 'boolean' THEN d -> 'archived' END,
			'custom_id', left(d ->> 'custom_id', 500),
			'external_id', zcsync._clickup_mark(coalesce(d ->> 'description', d ->> 'text_content')),
			'url', d ->> 'url',
			'custom_fields', (SELECT coalesce(jsonb_object_agg(f ->> 'id', v.value) FILTER (WHERE v.value IS NOT NULL), '{}')
				FROM jsonb_array_elements(zcsync._json_list(d -> 'custom_fields')) AS f
				CROSS JOIN LATERAL (SELECT CASE WHEN f ? 'value' THEN zcsync._clickup_field_value(f) END) AS v (value)
				WHERE f ->> 'id' IS NOT NULL),
			'created_at', zcsync._clickup_time(d ->> 'date_created'),
			'updated_at', zcsync._clickup_time(d ->> 'date_updated')),
		d, false
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_tasks(jsonb) IS
'task documents as rows; the caller''s TimeZone must be UTC';

-- A field that is used in several lists has a row for each of them, since each list
-- decides whether it is required, and a scope is a set of lists.
CREATE FUNCTION zcsync._clickup_fields(p_list_id text, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'fields', left(p_list_id || ':' || (d ->> 'id'), 500), NULL::text,
		jsonb_build_object(
			'scope_id', p_list_id,
			'name', d ->> 'name',
			'type', d ->> 'type',
			'options', nullif(d -> 'type_config', 'null'),
			'required', CASE WHEN jsonb_typeof(d -> 'required') = 'boolean' THEN d -> 'required' END,
			'active', true,
			'position', n,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._clickup_time(d ->> 'date_created'),
			'updated_at', NULL),
		d, false
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_fields(text, jsonb) IS
'custom field documents of a list as rows; the caller''s TimeZone must be UTC';

-- The types of tasks are one row, with all of them as options.
CREATE FUNCTION zcsync._clickup_types(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'fields', 'type', NULL::text,
		jsonb_build_object('scope_id', 'system', 'name', 'Task type', 'type', 'select', 'options', (
				SELECT coalesce(jsonb_agg(jsonb_build_object('id', d ->> 'id', 'name', left(d ->> 'name', 500)) ORDER BY n), '[]')
				FROM jsonb_array_elements(zcsync._json_list(p_list)) WITH ORDINALITY AS x (d, n) WHERE d ->> 'id' IS NOT NULL),
			'required', false, 'active', true, 'position', NULL, 'custom_fields', '{}'::jsonb, 'created_at', NULL, 'updated_at', NULL),
		NULL::jsonb, false
	WHERE jsonb_typeof(p_list) = 'array';
END;
COMMENT ON FUNCTION zcsync._clickup_types(jsonb) IS
'the row for the types of tasks of a workspace';

CREATE FUNCTION zcsync._clickup_statuses(p_list_id text, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'statuses', left(p_list_id || ':' || zcsync._fold(d ->> 'status'), 500), NULL::text,
		jsonb_build_object(
			'scope_id', p_list_id,
			'status_id', d ->> 'id',
			'name', d ->> 'status',
			'category', d ->> 'type',
			'position', zcsync._json_integer(d -> 'orderindex'),
			'color', d ->> 'color',
			'active', true,
			'is_default', d ->> 'type' = 'open',
			'custom_fields', '{}'::jsonb,
			'created_at', NULL,
			'updated_at', NULL),
		d, false
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'status' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_statuses(text, jsonb) IS
'status documents of a list as rows';
