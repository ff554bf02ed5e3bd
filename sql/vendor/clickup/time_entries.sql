-- ---------------------------------------------------------------------
-- ClickUp: the time that was tracked on tasks.
--
-- A list of a workspace's time shows that of its caller, and that of named others only to
-- administrators.  The list of a task shows everybody's, though neither what they noted
-- nor whether it is billable.  So a task is asked for its time after its comments, if its
-- document says that time was spent or there is time of it here.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_spent_time(p_task jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(p_task ->> 'time_spent' ~ '[1-9]', false);
END;
COMMENT ON FUNCTION zcsync._clickup_spent_time(jsonb) IS
'does the document of a task say that time was spent on it?';

-- The request for the time of a task; none if there is none.
CREATE FUNCTION zcsync._clickup_time_page(p_account bigint, p_task text, p_reply jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '{"op": "task_time"}'::jsonb
	WHERE zcsync._clickup_spent_time(p_reply)
		OR EXISTS (SELECT FROM zcsync.tasks AS t
			WHERE t.account_id = p_account AND t.remote_id = p_task AND zcsync._clickup_spent_time(t.remote))
		OR EXISTS (SELECT FROM zcsync.time_entries AS e
			WHERE e.account_id = p_account AND e.parent_id = p_task AND e.parent_kind = 'tasks' AND e.deleted_at IS NULL)
$$;
COMMENT ON FUNCTION zcsync._clickup_time_page(bigint, text, jsonb) IS
'the request for the time of a task whose document this may be; NULL: there is none';

-- A timer that runs has a negative time, and is no entry yet.  A list without entries of
-- a task that says that time was spent on it shows nothing of what is gone.
CREATE FUNCTION zcsync._clickup_times(p_account bigint, p_request jsonb, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_task text := p_request ->> 'task_id';
BEGIN
	RETURN QUERY
	SELECT 'time_entries', left(i ->> 'id', 500), NULL::text,
		jsonb_build_object(
			'parent_id', v_task,
			'parent_kind', 'tasks',
			'comment_id', NULL,
			'author_id', left(d #>> '{user,id}', 500),
			'author_name', left(d #>> '{user,username}', 500),
			'started_at', coalesce(zcsync._clickup_time(i ->> 'start'), zcsync._clickup_time(i ->> 'date_added')),
			'seconds', round((i ->> 'time')::numeric / 1000)::bigint,
			'nonbillable_seconds', NULL,
			'is_billable', NULL,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._clickup_time(i ->> 'date_added'),
			'updated_at', zcsync._clickup_time(i ->> 'date_added')),
		i, false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(d -> 'intervals')) AS i
	WHERE i ->> 'id' IS NOT NULL AND i ->> 'time' ~ '^[0-9]{1,18}$';
	RETURN QUERY
	SELECT 'time_entries', e.remote_id, NULL::text, jsonb_build_object('parent_kind', 'tasks', 'parent_id', v_task), NULL::jsonb, true
	FROM zcsync.time_entries AS e
	WHERE e.account_id = p_account AND e.parent_id = v_task AND e.parent_kind = 'tasks'
		AND e.deleted_at IS NULL AND e.synced_at < to_timestamp((p_request ->> 'as_of')::bigint)
		AND (p_list <> '[]' OR NOT EXISTS (SELECT FROM zcsync.tasks AS t
			WHERE t.account_id = p_account AND t.remote_id = v_task AND zcsync._clickup_spent_time(t.remote)))
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS d
			CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(d -> 'intervals')) AS i
			WHERE i ->> 'id' = e.remote_id AND i ->> 'time' ~ '^[0-9]{1,18}$');
END
$$;
COMMENT ON FUNCTION zcsync._clickup_times(bigint, jsonb, jsonb) IS
'the time of a task as rows; the caller''s TimeZone must be UTC';
