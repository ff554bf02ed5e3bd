-- ---------------------------------------------------------------------
-- Zendesk: files come with the comments that they are attached to.
--
-- Images within the text are among them, since comments are listed with them.  What the
-- search for malware found is known some time later, and told when the ticket is listed
-- again.  The address of a file opens without a login, unless the account is set up
-- otherwise; it is in the document only.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._zendesk_file(p_ticket text, p_comment jsonb, p_doc jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'parent_id', p_ticket,
		'parent_kind', 'tickets',
		'comment_id', left(p_comment ->> 'id', 500),
		'author_id', left(p_comment ->> 'author_id', 500),
		'name', left(p_doc ->> 'file_name', 500),
		'media_type', left(p_doc ->> 'content_type', 500),
		'size', zcsync._file_size(p_doc -> 'size'),
		'is_inline', CASE WHEN jsonb_typeof(p_doc -> 'inline') = 'boolean' THEN p_doc -> 'inline' END,
		'scan_result', CASE p_doc ->> 'malware_scan_result' WHEN 'malware_found' THEN 'infected' WHEN 'malware_not_found' THEN 'clean'
			WHEN 'failed_to_scan' THEN 'failed' WHEN 'not_scanned' THEN 'waiting' END,
		'custom_fields', '{}'::jsonb,
		'created_at', zcsync._utc_text(p_comment ->> 'created_at'),
		'updated_at', zcsync._utc_text(p_comment ->> 'created_at'));
END;
COMMENT ON FUNCTION zcsync._zendesk_file(text, jsonb, jsonb) IS
'the values of the document of a file; the caller''s TimeZone must be UTC';

-- The files of comments, which were listed at this time; without a time, as their events
-- tell them, which say nothing of what is gone.
CREATE FUNCTION zcsync._zendesk_files(p_account bigint, p_ticket text, p_as_of text, p_comments jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'attachments', left(f ->> 'id', 500),
		coalesce(p_as_of, extract(epoch FROM zcsync._utc_text(c ->> 'created_at')::timestamptz)::bigint::text),
		zcsync._zendesk_file(p_ticket, c, f), f, coalesce(f -> 'deleted' = 'true', false)
	FROM jsonb_array_elements(p_comments) AS c
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(c -> 'attachments')) AS f
	WHERE c ->> 'id' IS NOT NULL AND f ->> 'id' IS NOT NULL;
	RETURN QUERY
	SELECT 'attachments', g.id, p_as_of, jsonb_build_object('parent_kind', 'tickets', 'parent_id', p_ticket), NULL::jsonb, true
	FROM jsonb_array_elements(p_comments) AS c
	CROSS JOIN LATERAL zcsync._gone_attachments(p_account, 'tickets', p_ticket, c ->> 'id',
		ARRAY(SELECT f ->> 'id' FROM jsonb_array_elements(c -> 'attachments') AS f), to_timestamp(p_as_of::bigint)) AS g (id)
	WHERE p_as_of IS NOT NULL AND c ->> 'id' IS NOT NULL AND jsonb_typeof(c -> 'attachments') = 'array';
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_files(bigint, text, text, jsonb) IS
'documents of files of comments as rows; the caller''s TimeZone must be UTC';

-- Those of the new comments among ticket events.
CREATE FUNCTION zcsync._zendesk_event_files(p_account bigint, p_events jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT f.*
	FROM jsonb_array_elements(p_events) AS e
	CROSS JOIN LATERAL zcsync._zendesk_files(p_account, e ->> 'ticket_id', NULL, (
		SELECT jsonb_agg(d) FROM jsonb_array_elements(zcsync._json_list(e -> 'child_events')) AS d
		WHERE coalesce(d ->> 'event_type', d ->> 'type') IN ('Comment', 'VoiceComment') AND zcsync._utc_text(d ->> 'created_at') IS NOT NULL)) AS f
	WHERE EXISTS (SELECT FROM zcsync.conversations c
		WHERE c.account_id = p_account AND c.kind = 'tickets' AND c.remote_id = e ->> 'ticket_id')
$$;
COMMENT ON FUNCTION zcsync._zendesk_event_files(bigint, jsonb) IS
'files of new comments among ticket events as rows; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Files that are copied.  A file that is not known to be clean is asked for first: lists
-- may be older than the search for malware.  An upload gives a token, which the comment
-- takes within an hour.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._zendesk_file_request(p_account bigint, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_file -> 'scanned' = 'true' OR p_file ->> 'scan_result' = 'clean'
		THEN jsonb_build_object('op', 'download', 'url', u.url)
		ELSE jsonb_build_object('op', 'attachment', 'attachment_id', p_file -> 'remote_id') END
	FROM (SELECT coalesce(p_file ->> 'url', p_file #>> '{remote,content_url}')) AS u (url)
	WHERE u.url IS NOT NULL OR p_file ->> 'scanned' IS NULL;
END;
COMMENT ON FUNCTION zcsync._zendesk_file_request(bigint, jsonb) IS
'the request for the content of a file, or for what is known of it';

CREATE FUNCTION zcsync._zendesk_file_upload(p_account bigint, p_comment jsonb, p_file jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'upload', 'filename', p_file -> 'name');
END;
COMMENT ON FUNCTION zcsync._zendesk_file_upload(bigint, jsonb, jsonb) IS
'the request that uploads a file';

CREATE FUNCTION zcsync._zendesk_file_reply(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_request ->> 'op' WHEN 'upload' THEN jsonb_build_object('id', p_reply #> '{upload,attachment,id}', 'token', p_reply #> '{upload,token}')
		ELSE jsonb_build_object('url', p_reply #> '{attachment,content_url}',
			'scan_result', CASE p_reply #>> '{attachment,malware_scan_result}' WHEN 'malware_found' THEN 'infected' WHEN 'malware_not_found' THEN 'clean'
				WHEN 'failed_to_scan' THEN 'failed' ELSE 'waiting' END) END;
END;
COMMENT ON FUNCTION zcsync._zendesk_file_reply(jsonb, jsonb) IS
'what Zendesk says of an uploaded file, or of one whose content is to be fetched';
