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
--
-- A row of attachment_copies says what became of a file.  A file that is seen only after
-- its comment was copied is added to the copy where its text can be changed.
-- ---------------------------------------------------------------------

-- What a route looks at of a file.
CREATE TYPE zcsync.comment_file AS (
	local_id bigint,
	comment_id text,			-- remote id
	name text,
	size bigint
);
COMMENT ON TYPE zcsync.comment_file IS
'a file of a comment of which a route makes a copy';

-- The files of a comment, in the order in which they are named.
CREATE FUNCTION zcsync._files_of(p_account bigint, p_comment text) RETURNS SETOF zcsync.comment_file
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT a.local_id, a.comment_id, a.name, a.size FROM zcsync.attachments a
	WHERE a.account_id = p_account AND a.comment_id = p_comment AND a.deleted_at IS NULL
	ORDER BY a.created_at, length(a.remote_id), a.remote_id COLLATE "C";
END
$$;
COMMENT ON FUNCTION zcsync._files_of(bigint, text) IS
'the files of a comment';

-- A file, for people: error.log (12 kB).
CREATE FUNCTION zcsync._file_title(p_name text, p_size bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(btrim(left(regexp_replace(p_name, '[[:cntrl:]]+', ' ', 'g'), 200)), ''), 'without a name')
		|| coalesce(' (' || pg_size_pretty(p_size) || ')', '');
END;
COMMENT ON FUNCTION zcsync._file_title(text, bigint) IS
'name and size of a file';

-- The lines that name the files of a comment; NULL: it has none.
CREATE FUNCTION zcsync._file_lines(p_account bigint, p_comment text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg('File: ' || zcsync._file_title(f.name, f.size), E'\n' ORDER BY f.n) FILTER (WHERE f.n <= 20)
		|| CASE WHEN count(*) > 20 THEN format(E'\nand %s more', count(*) - 20) ELSE '' END
	FROM (SELECT a.name, a.size, row_number() OVER () AS n FROM zcsync._files_of(p_account, p_comment) AS a) AS f
$$;
COMMENT ON FUNCTION zcsync._file_lines(bigint, text) IS
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
	SELECT a.local_id, a.comment_id, a.name, a.size FROM zcsync.attachments a
	WHERE a.account_id = p_account AND a.parent_id = p_record AND a.parent_kind = p_kind
		AND a.comment_id IS NOT NULL AND a.deleted_at IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._files_in(bigint, text, text) IS
'the files of all comments of a record';

-- Note what becomes of the files of a comment that have no row yet for its copy;
-- p_reason: why they are skipped.
CREATE FUNCTION zcsync._note_files(p_copy bigint, p_account bigint, p_comment text, p_reason text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.attachment_copies (copy_id, attachment_id, state, reason, changed_at)
	SELECT p_copy, a.local_id, CASE WHEN p_reason IS NULL THEN 'linked' ELSE 'skipped' END, p_reason, zcsync._now()
	FROM zcsync._files_of(p_account, p_comment) AS a
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._note_files(bigint, bigint, text, text) IS
'notes what becomes of the files of a comment for its copy';

-- The copy of a comment was withdrawn, and names no file any more.
CREATE FUNCTION zcsync._withdraw_files(p_copy bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.attachment_copies k SET state = 'skipped', reason = 'its comment was withdrawn', changed_at = zcsync._now()
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
