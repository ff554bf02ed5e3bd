-- ---------------------------------------------------------------------
-- ClickUp: files of tasks and of comments.
--
-- A file in a comment is a block of its text.  Those of a task are told when the task
-- itself is read, not in lists; ClickUp reports no event when one is attached.  So a task
-- whose comments are read as a whole, which is done once a day if it has changed, is read
-- as well.  What both tell of a file is put together: only the block has its comment, and
-- often only the task its size and date.  The address of a file opens without a login;
-- it is in the document only.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_file(p_task text, p_doc jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'parent_id', p_task,
		'parent_kind', 'tasks',
		'author_id', left(p_doc #>> '{user,id}', 500),
		'name', left(coalesce(nullif(p_doc ->> 'title', ''), p_doc ->> 'name'), 500),
		'media_type', left(p_doc ->> 'mimetype', 500),
		'size', zcsync._file_size(p_doc -> 'size'),
		'custom_fields', '{}'::jsonb,
		'created_at', zcsync._clickup_time(p_doc ->> 'date')));
END;
COMMENT ON FUNCTION zcsync._clickup_file(text, jsonb) IS
'the values that the document of a file has; the caller''s TimeZone must be UTC';

-- The files of comments.
CREATE FUNCTION zcsync._clickup_comment_files(p_task text, p_comments jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'attachments', left(f.doc ->> 'id', 500), NULL::text,
		jsonb_strip_nulls(jsonb_build_object('author_id', left(c #>> '{user,id}', 500))) || zcsync._clickup_file(p_task, f.doc)
			|| jsonb_build_object('comment_id', left(c ->> 'id', 500), 'is_inline', b ->> 'type' = 'image'),
		f.doc, false
	FROM jsonb_array_elements(p_comments) AS c
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(c -> 'comment')) AS b
	CROSS JOIN LATERAL (SELECT b -> (b ->> 'type')) AS f (doc)
	WHERE c ->> 'id' IS NOT NULL AND p_task IS NOT NULL AND b ->> 'type' IN ('image', 'attachment', 'frame') AND f.doc ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_comment_files(text, jsonb) IS
'files in the texts of comments as rows; the caller''s TimeZone must be UTC';

-- The files of a task that was read, if its comments are mirrored.  as_of: this read was
-- made for them, and shows which of those that are in no comment are gone.
CREATE FUNCTION zcsync._clickup_task_files(p_account bigint, p_as_of text, p_task jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_task text := p_task ->> 'id';
BEGIN
	IF jsonb_typeof(p_task -> 'attachments') IS DISTINCT FROM 'array' OR NOT EXISTS (SELECT FROM zcsync.conversations c
			WHERE c.account_id = p_account AND c.kind = 'tasks' AND c.remote_id = v_task) THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 'attachments', left(f ->> 'id', 500), NULL::text, zcsync._clickup_file(v_task, f), f, coalesce(f -> 'deleted' = 'true', false)
	FROM jsonb_array_elements(p_task -> 'attachments') AS f
	WHERE f ->> 'id' IS NOT NULL AND f -> 'is_folder' IS DISTINCT FROM 'true';
	RETURN QUERY
	SELECT 'attachments', g.id, NULL::text, jsonb_build_object('parent_kind', 'tasks', 'parent_id', v_task), NULL::jsonb, true
	FROM zcsync._gone_attachments(p_account, 'tasks', v_task, NULL,
		ARRAY(SELECT f ->> 'id' FROM jsonb_array_elements(p_task -> 'attachments') AS f), to_timestamp(p_as_of::bigint)) AS g (id)
	WHERE p_as_of IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_task_files(bigint, text, jsonb) IS
'files of a task as rows; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Files that are copied.  By its API a comment takes none: they hang on the task.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_file_request(p_account bigint, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'download', 'url', p_file #> '{remote,url}') WHERE p_file #>> '{remote,url}' IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._clickup_file_request(bigint, jsonb) IS
'the request for the content of a file';

CREATE FUNCTION zcsync._clickup_file_upload(p_account bigint, p_comment jsonb, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'upload', 'task_id', p_comment -> 'parent_id');
END;
COMMENT ON FUNCTION zcsync._clickup_file_upload(bigint, jsonb, jsonb) IS
'the request that attaches a file to the task of a comment';

CREATE FUNCTION zcsync._clickup_file_reply(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('id', p_reply -> 'id');
END;
COMMENT ON FUNCTION zcsync._clickup_file_reply(jsonb, jsonb) IS
'the id of an attached file';

CREATE FUNCTION zcsync._clickup_file_look(p_account bigint, p_comment jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'get_task', 'task_id', p_comment -> 'parent_id');
END;
COMMENT ON FUNCTION zcsync._clickup_file_look(bigint, jsonb) IS
'the request for the files of the task of a comment';

CREATE FUNCTION zcsync._clickup_file_found(p_request jsonb, p_reply jsonb) RETURNS TABLE (id text, name text, size bigint, made_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT f ->> 'id', coalesce(nullif(f ->> 'title', ''), f ->> 'name'), (zcsync._file_size(f -> 'size') #>> '{}')::bigint, zcsync._clickup_time(f ->> 'date')::timestamptz
	FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'attachments')) AS f
	WHERE f -> 'deleted' IS DISTINCT FROM 'true'
$$;
COMMENT ON FUNCTION zcsync._clickup_file_found(jsonb, jsonb) IS
'the files of a task';
