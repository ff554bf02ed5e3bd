-- ---------------------------------------------------------------------
-- Routes: the files of the comments that a route carries.
--
-- A file goes with its comment, and never without it: so nobody learns of a file who may
-- not read the comment.  Files that hang on a record itself have no comment that says who
-- may see them, so they stay where they are.  By the option "attachments" of the route:
--
--   none   the copy does not name them
--   link   the copy ends with a line for each file, its name and size, and a link to the
--          record of the original.  That asks for a login, and shows what is there now.
--          The address of the file itself is never told: it may open for everybody
--   copy   the file is copied (file_copies.sql).  What cannot be copied is named as by link
--
-- A row of attachment_copies says what became of a file.  A file that is seen only after
-- its comment was copied is added to the copy where its text can be changed.
-- ---------------------------------------------------------------------

-- What a route looks at of a file.
CREATE TYPE zcsync.comment_file AS (
	local_id bigint,
	comment_id text,			-- remote id
	name text,
	size bigint,
	fault text					-- why it cannot be copied; NULL: it can
);
COMMENT ON TYPE zcsync.comment_file IS
'a file of a comment of which a route makes a copy';

-- Why a file is not copied, whatever the vendors; NULL: it may be.
CREATE FUNCTION zcsync._file_fault(p_name text, p_media_type text, p_size bigint, p_scan_result text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_scan_result = 'infected' THEN 'malware was found in it'
		WHEN p_scan_result = 'failed' THEN 'it could not be searched for malware'
		WHEN p_size > s.max_size THEN format('it is larger than %s', pg_size_pretty(s.max_size))
		WHEN lower(substring(p_name FROM '[.]([^.]+)[[:space:]]*$') COLLATE "C") = ANY (s.refused)
			OR lower(btrim(split_part(p_media_type, ';', 1)) COLLATE "C") = ANY (s.refused) THEN 'files of its type are not copied'
	END
	FROM (SELECT pg_size_bytes(current_setting('zcsync.attachment_max_size')),
		regexp_split_to_array(lower(btrim(current_setting('zcsync.attachment_refused_types')) COLLATE "C"), '[[:space:]]*,[[:space:]]*')) AS s (max_size, refused)
$$;
COMMENT ON FUNCTION zcsync._file_fault(text, text, bigint, text) IS
'why a file is not copied: its size, its type, or what was found in it; NULL: it may be copied';

-- The files of a comment, in the order in which they are named.  A file that a route put
-- there with another comment, or with none, is none of this one.
CREATE FUNCTION zcsync._files_of(p_account bigint, p_comment text) RETURNS SETOF zcsync.comment_file
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT a.local_id, a.comment_id, a.name, a.size, zcsync._file_fault(a.name, a.media_type, a.size, a.scan_result) FROM zcsync.attachments a
	WHERE a.account_id = p_account AND a.comment_id = p_comment AND a.deleted_at IS NULL AND NOT zcsync._is_misplaced(a.account_id, a.remote_id, a.comment_id)
	ORDER BY a.created_at, length(a.remote_id), a.remote_id COLLATE "C";
END
$$;
COMMENT ON FUNCTION zcsync._files_of(bigint, text) IS
'the files of a comment';

-- Is this the copy of a file that a route made for another comment?
CREATE FUNCTION zcsync._is_misplaced(p_account bigint, p_file text, p_comment text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.attachment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id
		WHERE k.remote_id = p_file AND c.account_id = p_account AND c.remote_id IS DISTINCT FROM p_comment)
$$;
COMMENT ON FUNCTION zcsync._is_misplaced(bigint, text, text) IS
'is a file of a comment the copy of a file that a route made for another comment?';

-- A file, for people: error.log (12 kB).
CREATE FUNCTION zcsync._file_title(p_name text, p_size bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(btrim(left(regexp_replace(p_name, '[[:cntrl:]]+', ' ', 'g'), 200)), ''), 'without a name')
		|| coalesce(' (' || pg_size_pretty(p_size) || ')', '');
END;
COMMENT ON FUNCTION zcsync._file_title(text, bigint) IS
'name and size of a file';

-- The lines that name the files of a comment; NULL: there are none to name.  Where files
-- are copied, these are those that cannot be, as known now or by the rows of the copy.
CREATE FUNCTION zcsync._file_lines(p_account bigint, p_comment text, p_how text, p_copy bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg('File: ' || zcsync._file_title(f.name, f.size), E'\n' ORDER BY f.n) FILTER (WHERE f.n <= 20)
		|| CASE WHEN count(*) > 20 THEN format(E'\nand %s more', count(*) - 20) ELSE '' END
	FROM (SELECT a.name, a.size, row_number() OVER () AS n FROM zcsync._files_of(p_account, p_comment) AS a
		LEFT JOIN zcsync.attachment_copies AS k ON k.copy_id = p_copy AND k.attachment_id = a.local_id
		WHERE CASE WHEN k.state IS NOT NULL THEN k.state IN ('refused', 'linked') ELSE p_how = 'link' OR a.fault IS NOT NULL END) AS f
$$;
COMMENT ON FUNCTION zcsync._file_lines(bigint, text, text, bigint) IS
'the lines at the end of a copy that name the files of the original; NULL: there are none';

-- The files of all comments of a record.
CREATE FUNCTION zcsync._files_in(p_account bigint, p_kind text, p_record text) RETURNS SETOF zcsync.comment_file
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT a.local_id, a.comment_id, a.name, a.size, NULL::text FROM zcsync.attachments a
	WHERE a.account_id = p_account AND a.parent_id = p_record AND a.parent_kind = p_kind
		AND a.comment_id IS NOT NULL AND a.deleted_at IS NULL AND NOT zcsync._is_misplaced(a.account_id, a.remote_id, a.comment_id);
END
$$;
COMMENT ON FUNCTION zcsync._files_in(bigint, text, text) IS
'the files of all comments of a record';

-- Note what becomes of the files of a comment that have no row yet for its copy;
-- p_reason: why they are skipped.  Those that could not be copied are named now, or skipped.
CREATE FUNCTION zcsync._note_files(p_copy bigint, p_account bigint, p_comment text, p_how text, p_reason text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.attachment_copies (copy_id, attachment_id, state, reason, changed_at)
	SELECT p_copy, a.local_id, CASE WHEN x.reason IS NOT NULL THEN 'skipped' WHEN p_how = 'copy' AND a.fault IS NULL THEN 'waiting' ELSE 'linked' END,
		coalesce(x.reason, CASE p_how WHEN 'copy' THEN a.fault END), zcsync._now()
	FROM zcsync._files_of(p_account, p_comment) AS a
	CROSS JOIN LATERAL (SELECT CASE WHEN p_how = 'none' THEN 'the route carries no files' ELSE p_reason END) AS x (reason)
	ON CONFLICT DO NOTHING;
	UPDATE zcsync.attachment_copies k SET state = CASE WHEN p_reason IS NULL THEN 'linked' ELSE 'skipped' END, changed_at = zcsync._now()
	WHERE k.copy_id = p_copy AND k.state = 'refused'
$$;
COMMENT ON FUNCTION zcsync._note_files(bigint, bigint, text, text, text) IS
'notes what becomes of the files of a comment for its copy';

-- The copy of a comment was withdrawn, and names no file any more.
CREATE FUNCTION zcsync._withdraw_files(p_copy bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.attachment_copies k
	SET state = CASE k.state WHEN 'copied' THEN 'copied' ELSE 'skipped' END, token = NULL, changed_at = zcsync._now(),
		reason = CASE k.state WHEN 'copied' THEN 'its comment was withdrawn after it had been copied' ELSE 'its comment was withdrawn' END
	WHERE k.copy_id = p_copy AND k.state <> 'skipped'
$$;
COMMENT ON FUNCTION zcsync._withdraw_files(bigint) IS
'notes that the copy of a comment was withdrawn with the files that it names';

-- Are the comments of a record being read, page after page?  The files of a comment may
-- come with a later page.  Nobody waits for that longer than five minutes.
CREATE FUNCTION zcsync._is_reading(p_account bigint, p_kind text, p_record text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_key text := (SELECT zcsync._conversation_key(s.stream_id, p_record) FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = p_kind);
BEGIN
	RETURN EXISTS (
			SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.record_key = v_key AND q.state = 'running'
				AND q.operation = 'comments' AND q.payload ? 'page' AND q.created_at > zcsync._now() - interval '5 minutes')
		OR EXISTS (
			SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.dedupe_key = v_key AND q.state IN ('ready', 'held')
				AND q.operation = 'comments' AND q.payload ? 'page' AND q.created_at > zcsync._now() - interval '5 minutes');
END
$$;
COMMENT ON FUNCTION zcsync._is_reading(bigint, text, text) IS
'are there more pages to be read of the comments of a record?';
