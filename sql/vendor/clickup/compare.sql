-- ---------------------------------------------------------------------
-- ClickUp: the comparison of all tasks, see mirror/comparison.sql.
--
-- Tasks are listed in the order in which they were created, which never changes, so
-- that a page can be compared with the rows of its span of time.  Archived tasks are
-- only in lists of archived tasks, which are read list by list.  A stream that reads
-- only some lists is compared list by list as well, with the tasks whose home is
-- another list.
--
-- Pages contain whole tasks, so a task that is missing here is stored at once.
--
-- Where the comparison is:
--
--   todo    the lists that are left, each with the members of its request
--   after   tasks created after this, in ms, are asked for
--   page    page among these
--   seen    ids on the pages before
--   listed  number of tasks so far
-- ---------------------------------------------------------------------

-- The lists of a comparison: first all tasks of the workspace that are not archived, in
-- one list; then, list by list, the tasks that no other request shows.
CREATE FUNCTION zcsync._clickup_compared_lists(p_stream_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN s.scope ? 'list_ids' THEN '[]'
			ELSE jsonb_build_array(jsonb_build_object('op', 'team_tasks', 'team_id', a.settings -> 'workspace_id')) END
		|| zcsync._clickup_single_lists(p_stream_id)
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._clickup_compared_lists(bigint) IS
'the lists that a comparison of tasks reads, as parts of requests';

CREATE FUNCTION zcsync._clickup_compare_request(p_stream_id bigint, p_pass jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '{"include_closed": true, "subtasks": true, "order_by": "created", "reverse": true, "compare": true}'::jsonb
		|| jsonb_build_object('page', coalesce(p_pass -> 'page', '0'), 'date_created_gt', coalesce(p_pass -> 'after', '0'))
		|| coalesce(p_pass #> '{todo,0}', zcsync._clickup_compared_lists(p_stream_id) -> 0)
$$;
COMMENT ON FUNCTION zcsync._clickup_compare_request(bigint, jsonb) IS
'a request of the comparison of all tasks';

-- The tasks of a comparison that are known here, or should be: a stream without a
-- history does not read old tasks.
CREATE FUNCTION zcsync._clickup_known_tasks(p_account bigint, p_tasks jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(d ORDER BY n), '[]')
	FROM jsonb_array_elements(p_tasks) WITH ORDINALITY AS x (d, n)
	WHERE EXISTS (SELECT FROM zcsync.tasks t WHERE t.account_id = p_account AND t.remote_id = d ->> 'id')
		OR EXISTS (
			SELECT FROM zcsync.streams s
			CROSS JOIN LATERAL (VALUES (d ->> 'date_created'), (d ->> 'date_updated')) AS c (ms)
			WHERE s.account_id = p_account AND s.kind = 'tasks' AND c.ms ~ '^[0-9]{1,14}$'
				AND c.ms::bigint >= zcsync._clickup_ms(coalesce(s.since, s.created_at)))
$$;
COMMENT ON FUNCTION zcsync._clickup_known_tasks(bigint, jsonb) IS
'task documents of a comparison that have a row here, or that should have one';

-- Rows that should have been in a list: those of its own tasks, and of tasks that are
-- in it with another home; created after p_after, and before p_before if more pages
-- follow.  A task that was created just now may be listed late.  Each
-- way to belong to a list has an index: the whole workspace and other homes that of the
-- time of creation, a list that of lists.
CREATE FUNCTION zcsync._clickup_unlisted(p_stream_id bigint, p_list jsonb, p_after bigint, p_before bigint, p_ids text[]) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(t.remote_id)
	FROM zcsync.streams s
	CROSS JOIN LATERAL (
		SELECT w.* FROM zcsync.tasks w
		WHERE w.account_id = s.account_id AND w.deleted_at IS NULL AND NOT p_list ? 'list_id'
		UNION ALL
		SELECT l.* FROM zcsync.tasks l
		WHERE l.account_id = s.account_id AND l.deleted_at IS NULL AND l.list_id = p_list ->> 'list_id'
		UNION ALL
		SELECT o.* FROM zcsync.tasks o
		WHERE o.account_id = s.account_id AND o.deleted_at IS NULL AND p_list ? 'include_timl'
			AND o.list_id IS DISTINCT FROM p_list ->> 'list_id' AND (s.scope -> 'list_ids' ? o.list_id) IS NOT TRUE
			AND o.remote -> 'locations' @> jsonb_build_array(jsonb_build_object('id', p_list -> 'list_id'))) AS t
	WHERE s.stream_id = p_stream_id AND t.remote_id IS NOT NULL AND t.remote_id <> ALL (p_ids)
		AND t.created_at < zcsync._now() - interval '10 minutes'
		AND coalesce(t.archived, false) = coalesce((p_list ->> 'archived')::boolean, false)
		AND t.created_at > to_timestamp(p_after / 1000.0)
		AND t.created_at < coalesce(to_timestamp(p_before / 1000.0), 'infinity')
$$;
COMMENT ON FUNCTION zcsync._clickup_unlisted(bigint, jsonb, bigint, bigint, text[]) IS
'rows of tasks that belong to a part of a list and are not among these ids';

-- After a page.  If more than a page of tasks were created in the same millisecond, or
-- ClickUp does not keep to the order, the next pages are read, and all of them are
-- compared when the last one has come.
CREATE FUNCTION zcsync._clickup_compare(p_stream_id bigint, p_pass jsonb, p_request jsonb, p_reply jsonb)
RETURNS TABLE (pass jsonb, gone text[], lacking text[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_todo jsonb := coalesce(p_pass -> 'todo', zcsync._clickup_compared_lists(p_stream_id));
	v_after bigint := (p_request ->> 'date_created_gt')::bigint;
	v_full boolean := zcsync._clickup_goes_on(p_request ->> 'page', p_reply);
	v_ids text[];
	v_last bigint;
	v_onward boolean;
	v_listed bigint := coalesce((p_pass ->> 'listed')::bigint, 0) + jsonb_array_length(zcsync._json_list(p_reply -> 'tasks'));
BEGIN
	SELECT coalesce(array_agg(x.id) FILTER (WHERE x.id IS NOT NULL), '{}') || ARRAY(SELECT jsonb_array_elements_text(coalesce(p_pass -> 'seen', '[]'))),
		max(x.created), bool_and(x.created >= x.before IS NOT FALSE) AND max(x.created) - 1 > v_after
	INTO v_ids, v_last, v_onward
	FROM (
		SELECT y.id, y.created, lag(y.created) OVER (ORDER BY y.n) AS before
		FROM (SELECT d ->> 'id', CASE WHEN d ->> 'date_created' ~ '^[0-9]{1,14}$' THEN (d ->> 'date_created')::bigint END, n
			FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'tasks')) WITH ORDINALITY AS z (d, n)) AS y (id, created, n)) AS x;
	IF v_full AND v_onward IS NOT TRUE THEN
		pass := jsonb_build_object('todo', v_todo, 'after', v_after, 'page', (p_request ->> 'page')::integer + 1, 'seen', to_jsonb(v_ids),
			'listed', v_listed);
		RETURN NEXT;
		RETURN;
	END IF;
	gone := zcsync._clickup_unlisted(p_stream_id, v_todo -> 0, v_after, CASE WHEN v_full THEN v_last END, v_ids);
	IF v_full THEN
		pass := jsonb_build_object('todo', v_todo, 'after', v_last - 1, 'page', 0, 'listed', v_listed);
	ELSIF jsonb_array_length(v_todo) > 1 THEN
		pass := jsonb_build_object('todo', v_todo - 0, 'listed', v_listed);
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_compare(bigint, jsonb, jsonb, jsonb) IS
'what a page of tasks says: where the comparison goes on, and rows that are missing on it';
