-- ---------------------------------------------------------------------
-- Attachments: the files of mirrored records and of their comments.
--
-- They are read with the comments of a record, so of the same records (comments.sql):
-- those that the vendor tells of beside a comment, and those that hang on the record.
-- They are what a vendor says of a file; the file stays there.  Nobody writes them here.
-- ---------------------------------------------------------------------

-- The size of a file that a document gives, in bytes.
CREATE FUNCTION zcsync._file_size(p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (p_value #>> '{}') ~ '^[0-9]{1,18}$' THEN to_jsonb((p_value #>> '{}')::bigint) END;
END;
COMMENT ON FUNCTION zcsync._file_size(jsonb) IS
'a whole number or its text as a number of bytes, or NULL if it is none';

-- A vendor told all files of a comment, or without a comment, all that hang on the record
-- itself, at a time: which of those that are known here are gone?
CREATE FUNCTION zcsync._gone_attachments(p_account bigint, p_kind text, p_record text, p_comment text, p_there text[], p_as_of timestamptz)
RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.remote_id FROM zcsync.attachments AS a
	WHERE a.account_id = p_account AND a.parent_kind = p_kind AND a.parent_id = p_record
		AND a.comment_id IS NOT DISTINCT FROM p_comment
		AND a.deleted_at IS NULL AND a.synced_at < p_as_of AND a.remote_id <> ALL (p_there)
$$;
COMMENT ON FUNCTION zcsync._gone_attachments(bigint, text, text, text, text[], timestamptz) IS
'files that a vendor does not have any more, by what it told of a comment or a record';

-- The files of comments that are gone are gone, too.
CREATE FUNCTION zcsync._attachments_of(p_account bigint, p_comments text[]) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.remote_id FROM zcsync.attachments AS a
	WHERE a.account_id = p_account AND a.comment_id = ANY (p_comments) AND a.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._attachments_of(bigint, text[]) IS
'files of comments that are not marked as gone';
