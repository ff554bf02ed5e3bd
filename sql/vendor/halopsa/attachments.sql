-- ---------------------------------------------------------------------
-- HaloPSA: files of tickets, opportunities and their actions.
--
-- They are listed for a ticket after its actions, unless each action says that it has
-- none.  A list that is empty, or shorter than the count beside it, marks nothing as gone.
-- ---------------------------------------------------------------------

-- The content may come with the document; it is not kept.
CREATE FUNCTION zcsync._halopsa_files(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ticket text := p_request ->> 'ticket_id';
BEGIN
	RETURN QUERY
	SELECT 'attachments', i.id, zcsync._halopsa_version(d),
		jsonb_build_object(
			'parent_id', v_ticket,
			'parent_kind', p_kind,
			'comment_id', v_ticket || '-' || i.action,
			'author_id', zcsync._halopsa_read_id(d -> 'agent_id'),
			'name', left(zcsync._halopsa_read_text(d ->> 'filename'), 500),
			'media_type', left(zcsync._halopsa_read_text(d ->> 'content_type'), 500),
			'size', zcsync._file_size(to_jsonb(zcsync._halopsa_read_id(d -> 'filesize'))),
			'is_inline', NULL,
			'scan_result', NULL,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._halopsa_read_time(d ->> 'datecreated'),
			'updated_at', coalesce(zcsync._halopsa_version(d), zcsync._halopsa_read_time(d ->> 'datecreated'))),
		d - '{data,data_base64,file}'::text[], false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id'), zcsync._halopsa_read_id(d -> 'action_id'),
		zcsync._halopsa_read_id(d -> 'ticket_id')) AS i (id, action, ticket)
	WHERE i.id IS NOT NULL AND v_ticket IS NOT NULL AND coalesce(i.ticket, v_ticket) = v_ticket;
	RETURN QUERY
	SELECT 'attachments', a.remote_id, NULL::text, jsonb_build_object('parent_kind', p_kind, 'parent_id', v_ticket), NULL::jsonb, true
	FROM zcsync.attachments AS a
	WHERE a.account_id = p_account AND a.parent_kind = p_kind AND a.parent_id = v_ticket
		AND a.deleted_at IS NULL AND a.synced_at < to_timestamp((p_request ->> 'as_of')::bigint)
		AND p_list <> '[]' AND (jsonb_array_length(p_list) < (zcsync._halopsa_read_id(p_reply -> 'record_count'))::bigint) IS NOT TRUE
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS d WHERE zcsync._halopsa_read_id(d -> 'id') = a.remote_id);
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_files(bigint, text, jsonb, jsonb, jsonb) IS
'files of a ticket or an opportunity as rows; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Files that are copied.  They are sent with the action that is the copy of their comment,
-- and are shown to the user only if that is.
-- ---------------------------------------------------------------------

-- The reply may be the content, or name its address.
CREATE FUNCTION zcsync._halopsa_file_request(p_account bigint, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'download', 'id', p_file -> 'remote_id', 'may_link', true);
END;
COMMENT ON FUNCTION zcsync._halopsa_file_request(bigint, jsonb) IS
'the request for the content of a file';

CREATE FUNCTION zcsync._halopsa_file_upload(p_account bigint, p_comment jsonb, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'upload', 'item', jsonb_build_object('filename', p_file -> 'name', 'ticket_id', zcsync._halopsa_id(p_comment ->> 'parent_id'),
		'action_id', zcsync._halopsa_id(split_part(p_comment ->> 'remote_id', '-', 2)), 'showforusers', coalesce(p_comment -> 'is_private' = 'false', false)));
END;
COMMENT ON FUNCTION zcsync._halopsa_file_upload(bigint, jsonb, jsonb) IS
'the request that attaches a file to an action';

CREATE FUNCTION zcsync._halopsa_file_reply(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('id', zcsync._halopsa_read_id(CASE jsonb_typeof(p_reply) WHEN 'array' THEN p_reply -> 0 ELSE p_reply END -> 'id'));
END;
COMMENT ON FUNCTION zcsync._halopsa_file_reply(jsonb, jsonb) IS
'the id of an attached file';

CREATE FUNCTION zcsync._halopsa_file_look(p_account bigint, p_comment jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'list', 'entity', 'Attachment', 'ticket_id', p_comment -> 'parent_id', 'action_id', split_part(p_comment ->> 'remote_id', '-', 2));
END;
COMMENT ON FUNCTION zcsync._halopsa_file_look(bigint, jsonb) IS
'the request for the files of the ticket of an action';

CREATE FUNCTION zcsync._halopsa_file_found(p_request jsonb, p_reply jsonb) RETURNS TABLE (id text, name text, size bigint, made_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT zcsync._halopsa_read_id(f -> 'id'), zcsync._halopsa_read_text(f ->> 'filename'),
		zcsync._halopsa_read_id(f -> 'filesize')::bigint, zcsync._halopsa_read_time(f ->> 'datecreated')::timestamptz
	FROM jsonb_array_elements(zcsync._halopsa_list(p_reply)) AS f
	WHERE zcsync._halopsa_read_id(f -> 'action_id') = p_request ->> 'action_id'
$$;
COMMENT ON FUNCTION zcsync._halopsa_file_found(jsonb, jsonb) IS
'the files of an action';
