-- ---------------------------------------------------------------------
-- ClickUp: comments of tasks, and their replies.
--
-- The comments of a task come newest first, 25 a page; the replies to a comment are a
-- list of their own.  Reading goes back to what was there when it was last read to the
-- end (that all of a page is known says nothing: we may have posted it), and reads the
-- replies of those comments that have more or fewer than are known here; once a day, if
-- the task has changed, it reads all.  ClickUp has no private comments, and
-- does not tell when one was edited.
--
-- Nor does it tell that a comment was deleted: a page shows that it is gone, if it lies
-- between the comments of the page and is not among them.
-- ---------------------------------------------------------------------

-- as_of: rows that were stored since then say nothing about the reply.  A payload with
-- reply_to is about the replies to that comment alone.
CREATE FUNCTION zcsync._clickup_comments_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'task_comments', 'task_id', p_payload -> 'id', 'as_of', floor(extract(epoch FROM zcsync._now()))::bigint)
		|| CASE WHEN p_payload ? 'whole' THEN '{"whole": true}'::jsonb ELSE '{}' END
		|| CASE WHEN p_payload ? 'reply_to' THEN jsonb_build_object('op', 'comment_replies', 'comment_id', p_payload -> 'reply_to',
			'threads', jsonb_build_array(p_payload -> 'reply_to')) ELSE '{}' END
		|| coalesce(p_payload -> 'page', '{}')
$$;
COMMENT ON FUNCTION zcsync._clickup_comments_request(bigint, jsonb) IS
'the request for a page of the comments of a task, or for the replies to one of them';

-- The comments of a page whose replies are to be read.
CREATE FUNCTION zcsync._clickup_threads(p_account bigint, p_whole boolean, p_list jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(d ->> 'id' ORDER BY n), '[]')
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
	CROSS JOIN LATERAL (SELECT count(*) FROM zcsync.comments c
		WHERE c.account_id = p_account AND c.reply_to = d ->> 'id' AND c.deleted_at IS NULL) AS k (known)
	WHERE d ->> 'id' IS NOT NULL AND d ->> 'reply_count' ~ '^[0-9]{1,9}$'
		AND (d ->> 'reply_count' <> k.known::text OR (p_whole AND d ->> 'reply_count' <> '0'))
$$;
COMMENT ON FUNCTION zcsync._clickup_threads(bigint, boolean, jsonb) IS
'the comments of a list whose replies are to be read';

-- First the pages of comments, then the replies, one comment after another, where all is
-- read the task with its files, and the task's time:
--
--   start, start_id   the last comment of the page before
--   threads           the comments whose replies are still to be read
CREATE FUNCTION zcsync._clickup_comments_next(p_stream_id bigint, p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_account bigint := (SELECT s.account_id FROM zcsync.streams s WHERE s.stream_id = p_stream_id);
	v_list jsonb := zcsync._json_list(p_reply -> 'comments');
	v_last jsonb := v_list -> -1;
	v_threads jsonb := coalesce(p_request -> 'threads', '[]');
BEGIN
	-- a look-up of what was posted since a time
	IF p_request ? 'look' THEN
		RETURN (SELECT jsonb_build_object('start', v_last -> 'date', 'start_id', v_last -> 'id')
			WHERE p_request ->> 'op' <> 'comment_replies' AND jsonb_array_length(v_list) >= 25 AND v_last ->> 'id' IS DISTINCT FROM p_request ->> 'start_id'
				AND zcsync._clickup_time(v_last ->> 'date')::timestamptz >= (p_request ->> 'since')::timestamptz);
	ELSIF p_request ->> 'op' = 'task_time' THEN
		RETURN NULL;
	ELSIF p_request ->> 'op' = 'get_task' THEN
		RETURN zcsync._clickup_time_page(v_account, p_request ->> 'task_id', p_reply);
	ELSIF p_request ->> 'op' = 'comment_replies' THEN
		v_threads := v_threads - 0;
	ELSE
		v_threads := v_threads || zcsync._clickup_threads(v_account, p_request ? 'whole', v_list);
		IF jsonb_array_length(v_list) >= 25 AND v_last ->> 'id' IS NOT NULL AND v_last ->> 'date' IS NOT NULL
			AND v_last ->> 'id' IS DISTINCT FROM p_request ->> 'start_id'
			AND (p_request ? 'whole' OR (zcsync._clickup_time(v_last ->> 'date')::timestamptz < (
				SELECT c.read_to FROM zcsync.conversations c
				WHERE c.account_id = v_account AND c.kind = 'tasks' AND c.remote_id = p_request ->> 'task_id')) IS NOT TRUE) THEN
			RETURN jsonb_build_object('start', v_last -> 'date', 'start_id', v_last -> 'id', 'threads', v_threads);
		END IF;
	END IF;
	RETURN CASE WHEN v_threads <> '[]' THEN jsonb_build_object('op', 'comment_replies', 'comment_id', v_threads -> 0, 'threads', v_threads)
		WHEN p_request ? 'whole' THEN '{"op": "get_task"}' ELSE zcsync._clickup_time_page(v_account, p_request ->> 'task_id', NULL) END;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_comments_next(bigint, jsonb, jsonb) IS
'where the comments of a task go on; NULL: that was all';

CREATE FUNCTION zcsync._clickup_comments(p_task text, p_reply_to text, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'comments', left(d ->> 'id', 500), NULL::text,
		jsonb_build_object(
			'parent_id', p_task,
			'parent_kind', 'tasks',
			'reply_to', p_reply_to,
			'author_id', left(d #>> '{user,id}', 500),
			'author_name', left(d #>> '{user,username}', 500),
			'body', d ->> 'comment_text',
			'rich_body', CASE jsonb_typeof(d -> 'comment') WHEN 'array' THEN d -> 'comment' END,
			'is_private', NULL,
			'is_redacted', NULL,
			'outcome', NULL,
			'channel', NULL,
			'seconds', NULL,
			'edited_at', NULL,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._clickup_time(d ->> 'date'),
			'updated_at', zcsync._clickup_time(d ->> 'date')),
		d, false
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_comments(text, text, jsonb) IS
'documents of comments of a task as rows; the caller''s TimeZone must be UTC';

-- The comments that should be on a page of a task's comments, or among the replies to
-- one, and are not.  With a comment its replies are gone.
CREATE FUNCTION zcsync._clickup_gone_comments(p_account bigint, p_request jsonb, p_list jsonb) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH page AS (
		SELECT p_request ->> 'op' = 'comment_replies' AS is_thread,
			zcsync._clickup_time(p_request ->> 'start')::timestamptz AS before,
			CASE WHEN jsonb_array_length(p_list) >= 25 THEN zcsync._clickup_time(p_list -> -1 ->> 'date')::timestamptz END AS after),
	gone AS (
		SELECT c.remote_id
		FROM page AS p JOIN zcsync.comments AS c ON c.account_id = p_account AND c.parent_id = p_request ->> 'task_id'
		WHERE c.parent_kind = 'tasks' AND c.remote_id IS NOT NULL AND c.deleted_at IS NULL
			AND c.synced_at < to_timestamp((p_request ->> 'as_of')::bigint)
			AND CASE WHEN p.is_thread THEN c.reply_to = p_request ->> 'comment_id'
				ELSE c.reply_to IS NULL AND (c.created_at < p.before) IS NOT FALSE AND (c.created_at > p.after) IS NOT FALSE END
			AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS d WHERE d ->> 'id' = c.remote_id))
	SELECT g.remote_id FROM gone AS g
	UNION ALL
	SELECT r.remote_id FROM zcsync.comments AS r
	WHERE r.account_id = p_account AND r.reply_to IN (SELECT g.remote_id FROM gone AS g) AND r.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._clickup_gone_comments(bigint, jsonb, jsonb) IS
'comments that a page of comments shows to be gone; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Comments that are written here
--
-- Everybody who sees the task sees its comments.  Text goes as it is, blocks as they
-- are; ClickUp does not take both.  It tells assignees and watchers of a comment whatever
-- is asked for; notify_all says whether the author is told as well.  The reply to a post
-- shows its id and time only; that to a post in a thread shows nothing.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_comment_fault(p_row jsonb, p_base jsonb, p_parent jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_row -> 'is_private' = 'true' THEN
			'{"message": "ClickUp has no private comments", "hint": "Everybody who sees the task sees its comments. Leave is_private out, if that may be."}'::jsonb
		WHEN coalesce(jsonb_typeof(p_row -> 'rich_body'), 'null') NOT IN ('null', 'array') THEN
			jsonb_build_object('code', 'invalid_parameter_value', 'message', 'rich_body is not a list of blocks',
				'hint', 'Set it to a JSON array, as in [{"text": "important", "attributes": {"bold": true}}].')
	END;
END;
COMMENT ON FUNCTION zcsync._clickup_comment_fault(jsonb, jsonb, jsonb) IS
'why a comment cannot be written at ClickUp; NULL: it can';

-- A change must say to whom the comment is assigned and whether it is resolved: as it is.
CREATE FUNCTION zcsync._clickup_comment_request(p_row jsonb, p_base jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_base = '{}' AND p_row ->> 'reply_to' IS NOT NULL THEN jsonb_build_object('op', 'post_reply', 'comment_id', p_row -> 'reply_to')
		WHEN p_base = '{}' THEN jsonb_build_object('op', 'post_comment', 'task_id', p_row -> 'parent_id')
		ELSE jsonb_build_object('op', 'update_comment', 'comment_id', p_row -> 'remote_id') END
		|| jsonb_build_object('parent_id', p_row -> 'parent_id', 'body', t.text || CASE WHEN p_base = '{}' THEN jsonb_build_object('notify_all',
				coalesce((SELECT n.notify FROM zcsync.routes AS n WHERE n.route_id = (p_row ->> 'route_id')::bigint), false))
			ELSE jsonb_build_object('assignee', p_row #> '{remote,assignee,id}', 'resolved', coalesce(p_row #> '{remote,resolved}' = 'true', false)) END)
	FROM (SELECT CASE WHEN p_row ->> 'rich_body' IS NOT NULL AND p_row -> 'rich_body' <> coalesce(p_base -> 'rich_body', 'null')
			THEN jsonb_build_object('comment', p_row -> 'rich_body')
		WHEN p_row ->> 'body' IS NOT NULL AND p_row -> 'body' <> coalesce(p_base -> 'body', 'null')
			THEN jsonb_build_object('comment_text', p_row -> 'body') END) AS t (text)
	WHERE t.text IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._clickup_comment_request(jsonb, jsonb) IS
'the request that posts a comment at ClickUp, or changes its text; NULL: there is nothing to send';

CREATE FUNCTION zcsync._clickup_comment_reply(p_account bigint, p_request jsonb, p_reply jsonb)
RETURNS TABLE (remote_id text, remote_version text, vals jsonb, doc jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT left(p_reply ->> 'id', 500), NULL, jsonb_build_object('author_id', p_request -> 'author', 'author_name', (
			SELECT c.name FROM zcsync.contacts c WHERE c.account_id = p_account AND c.remote_id = p_request ->> 'author'),
		'created_at', zcsync._clickup_time(p_reply ->> 'date'), 'updated_at', zcsync._clickup_time(p_reply ->> 'date')), p_reply
	WHERE p_request ->> 'op' = 'post_comment' AND p_reply ->> 'id' IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._clickup_comment_reply(bigint, jsonb, jsonb) IS
'the comment that the reply to a post shows: its id and time, and its author, who is ourselves';

CREATE FUNCTION zcsync._clickup_login(p_reply jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_reply #>> '{user,id}';
END;
COMMENT ON FUNCTION zcsync._clickup_login(jsonb) IS
'the user as whom an account writes';
