-- ---------------------------------------------------------------------
-- Routes: files that are copied.
--
-- A file takes two jobs: a download, of the account that has it, into a temporary file of
-- the server's, and an upload from there, of the account that gets it, each within the
-- budget of its account (src/file_transfer.c).  A row of attachment_copies says how far
-- it is:
--
--   waiting -> copied      sent to the record of the copy, after that was posted
--   waiting -> uploaded -> copied
--                          where files come first (files_first): the copy is posted when
--                          all its files are uploaded or refused, and takes them by their
--                          tokens; after an hour what is missing is refused.  A token
--                          lives an hour, too: after 45 minutes the file is sent again
--   waiting -> refused -> linked
--                          it cannot be copied: the copy names it, if its text can be
--                          changed; else it is skipped
--
-- Nothing is sent before the comment is about to be posted, or was posted: what is held,
-- withdrawn, redacted or deleted until then leaves its vendor in no form.
--
-- An upload that does not find its file, since another process has it or had it, queues
-- the download again, five times at most.  An upload whose reply was lost is looked up
-- where it would be seen twice (file_look), by name, size and time.
--
-- The rows of the files themselves say the rest: checksum, what was in a file when it was
-- fetched, and source_id, of which file another one is the copy.
--
-- The worker that runs these jobs waits for nobody: a row that somebody has locked is left
-- for the next turn.
-- ---------------------------------------------------------------------

-- Both jobs of a file have the same key: one at a time.
CREATE FUNCTION zcsync._file_job(p_account bigint, p_operation text, p_copy bigint, p_file bigint, p_run_at timestamptz DEFAULT NULL) RETURNS zcsync.new_job
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._job(p_account, zcsync._kind_queue('attachments'), p_operation, 'api', format('file/%s/%s', p_copy, p_file), format('%s/%s/%s', p_operation, p_copy, p_file),
		jsonb_build_object('copy', p_copy, 'file', p_file), p_run_at => p_run_at, p_kind => 'attachments');
END;
COMMENT ON FUNCTION zcsync._file_job(bigint, text, bigint, bigint, timestamptz) IS
'a job of the copying of a file';

-- Has a file a job already?
CREATE FUNCTION zcsync._has_file_job(p_from bigint, p_to bigint, p_copy bigint, p_file bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM (VALUES (p_from, 'download'), (p_to, 'upload')) AS j (account_id, operation)
		CROSS JOIN LATERAL zcsync._file_job(j.account_id, j.operation, p_copy, p_file) AS f
		WHERE EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.account_id = j.account_id AND q.dedupe_key = f.dedupe_key AND q.state IN ('ready', 'held'))
			OR EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.account_id = j.account_id AND q.record_key = f.record_key AND q.state = 'running'));
END
$$;
COMMENT ON FUNCTION zcsync._has_file_job(bigint, bigint, bigint, bigint) IS
'is a job of the copying of a file in the queue?';

-- Queue the downloads of files of copies that wait and have no job.
CREATE FUNCTION zcsync._fetch_files(p_copies bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_jobs zcsync.new_job[];
	v_ids bigint[];
BEGIN
	SELECT array_agg(zcsync._file_job(a.account_id, 'download', k.copy_id, k.attachment_id) ORDER BY k.copy_id, k.attachment_id), array_agg(k.attachment_id)
	INTO v_jobs, v_ids
	FROM unnest(p_copies) AS i (id)
	CROSS JOIN LATERAL (SELECT o.* FROM zcsync.attachment_copies AS o WHERE o.copy_id = i.id AND o.state = 'waiting' OFFSET 0) AS k
	CROSS JOIN LATERAL (SELECT f.account_id FROM zcsync.attachments AS f WHERE f.local_id = k.attachment_id OFFSET 0) AS a
	CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id OFFSET 0) AS t
	WHERE NOT zcsync._has_file_job(a.account_id, t.account_id, k.copy_id, k.attachment_id);
	IF v_jobs IS NULL THEN
		RETURN;
	END IF;
	UPDATE zcsync.attachment_copies k SET started_at = zcsync._now()
	WHERE (k.copy_id, k.attachment_id) IN (
		SELECT o.copy_id, o.attachment_id FROM zcsync.attachment_copies o
		WHERE o.copy_id = ANY (p_copies) AND o.attachment_id = ANY (v_ids) AND o.started_at IS NULL FOR NO KEY UPDATE SKIP LOCKED);
	PERFORM zcsync._enqueue(v_jobs);
END
$$;
COMMENT ON FUNCTION zcsync._fetch_files(bigint[]) IS
'queues the downloads of files of copies of comments';

-- Comments of one way of a pair wait for files no longer than an hour: then they name them.
CREATE FUNCTION zcsync._give_up_files(p_side zcsync.comment_side) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
	UPDATE zcsync.attachment_copies o
	SET state = 'refused', reason = coalesce(o.reason, 'it could not be copied within an hour'), changed_at = zcsync._now()
	WHERE (o.copy_id, o.attachment_id) IN (
		SELECT f.copy_id, f.attachment_id
		FROM zcsync.comment_copies k JOIN zcsync.attachment_copies f ON f.copy_id = k.copy_id
		CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id AND c.remote_id IS NULL OFFSET 0) AS c
		WHERE k.link_id = p_side.link_id AND c.account_id = p_side.to_account AND f.state = 'waiting' AND f.started_at < zcsync._now() - interval '1 hour'
		FOR NO KEY UPDATE OF f SKIP LOCKED)
$$;
COMMENT ON FUNCTION zcsync._give_up_files(zcsync.comment_side) IS
'refuses files for which comments of one way of a pair have waited long enough';

-- The target vendor tells of the copies of files when it is read the next time, or has told
-- of them before the upload ended: their rows say then what they are copies of.
CREATE FUNCTION zcsync._name_sources(p_copies bigint[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
	UPDATE zcsync.attachments a SET source_id = f.attachment_id, checksum = f.checksum
	FROM (
		SELECT x.local_id, k.attachment_id, o.checksum
		FROM zcsync.attachment_copies k
		CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id OFFSET 0) AS t
		CROSS JOIN LATERAL (SELECT s.checksum FROM zcsync.attachments AS s WHERE s.local_id = k.attachment_id OFFSET 0) AS o
		CROSS JOIN LATERAL (
			SELECT s.local_id FROM zcsync.attachments AS s WHERE s.account_id = t.account_id AND s.remote_id = k.remote_id AND s.source_id IS NULL
			FOR NO KEY UPDATE SKIP LOCKED) AS x
		WHERE k.copy_id = ANY (p_copies) AND k.remote_id IS NOT NULL) AS f
	WHERE a.local_id = f.local_id
$$;
COMMENT ON FUNCTION zcsync._name_sources(bigint[]) IS
'has the files of copies of comments say of which files they are copies';

-- What is to be done about the files of copies that one way of a pair made: those that
-- went with their comment are copied; those that follow it are fetched.  Returns when to
-- look again.
CREATE FUNCTION zcsync._copy_files(p_side zcsync.comment_side) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_first boolean := (SELECT (zcsync._vendor_of(a.vendor)).files_first FROM zcsync.accounts a WHERE a.account_id = p_side.to_account);
	v_posted bigint[] := ARRAY(
		SELECT k.copy_id FROM zcsync.comment_copies k
		CROSS JOIN LATERAL (SELECT c.account_id, c.remote_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id OFFSET 0) AS c
		WHERE k.link_id = p_side.link_id AND k.state <> 'withdrawn' AND c.account_id = p_side.to_account AND c.remote_id IS NOT NULL
			AND EXISTS (SELECT FROM zcsync.attachment_copies o WHERE o.copy_id = k.copy_id AND o.state IN ('waiting', 'uploaded')));
BEGIN
	IF v_posted <> '{}' AND v_first THEN
		-- what still waits came too late
		UPDATE zcsync.attachment_copies k
		SET state = CASE k.state WHEN 'uploaded' THEN 'copied' ELSE 'skipped' END, token = NULL, changed_at = zcsync._now(),
			reason = CASE k.state WHEN 'waiting' THEN coalesce(k.reason, 'its comment was posted without it') END
		WHERE k.copy_id = ANY (v_posted) AND k.state IN ('waiting', 'uploaded');
	ELSIF v_posted <> '{}' THEN
		PERFORM zcsync._fetch_files(v_posted);
	END IF;
	PERFORM zcsync._name_sources(ARRAY(SELECT k.copy_id FROM zcsync.comment_copies k WHERE k.link_id = p_side.link_id));
	RETURN (
		SELECT min(coalesce(o.started_at, zcsync._now())) + interval '1 hour'
		FROM zcsync.comment_copies k JOIN zcsync.attachment_copies o ON o.copy_id = k.copy_id
		CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id AND c.remote_id IS NULL OFFSET 0) AS c
		WHERE v_first AND k.link_id = p_side.link_id AND k.state <> 'withdrawn' AND c.account_id = p_side.to_account AND o.state = 'waiting');
END
$$;
COMMENT ON FUNCTION zcsync._copy_files(zcsync.comment_side) IS
'goes on with the files of comments that were copied one way of a pair; returns when to look again';

-- What a person has to know of the files that one way of a pair could not copy in the last
-- week.  What is never tried, by its size or type, is none of that.
CREATE FUNCTION zcsync._report_files(p_route bigint, p_side zcsync.comment_side) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_count bigint;
	v_last text;
BEGIN
	SELECT count(*), (array_agg(format('%s: %s', zcsync._file_title(a.name, a.size), o.reason) ORDER BY o.changed_at DESC, a.local_id DESC))[1] INTO v_count, v_last
	FROM zcsync.comment_copies k
	JOIN zcsync.attachment_copies o ON o.copy_id = k.copy_id AND o.state IN ('refused', 'linked', 'skipped') AND o.reason IS NOT NULL
		AND o.started_at IS NOT NULL AND o.changed_at > zcsync._now() - interval '7 days'
	CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = k.copy_id OFFSET 0) AS c
	CROSS JOIN LATERAL (SELECT f.* FROM zcsync.attachments AS f WHERE f.local_id = o.attachment_id OFFSET 0) AS a
	WHERE p_side.attachments = 'copy' AND k.link_id = p_side.link_id AND k.state <> 'withdrawn' AND c.account_id = p_side.to_account;
	PERFORM zcsync._note_conversation(p_route, p_side.source_id, p_side.back, CASE WHEN v_count > 0 THEN 'file_not_copied' END,
		format('files of comments that could not be copied: %s; the last one is %s', v_count, v_last), 'files');
END
$$;
COMMENT ON FUNCTION zcsync._report_files(bigint, zcsync.comment_side) IS
'records which files one way of a pair could not copy';

-- A file has come into another state.  p_known: so is what became of its upload; an upload
-- that may have arrived is looked up also if the file is tried again much later
-- (retry_file()).  False: somebody has its row.
CREATE FUNCTION zcsync._settle_file(p_copy bigint, p_file bigint, p_state text, p_reason text,
	p_remote_id text DEFAULT NULL, p_token text DEFAULT NULL, p_known boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	PERFORM FROM zcsync.attachment_copies k WHERE k.copy_id = p_copy AND k.attachment_id = p_file FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN NOT EXISTS (SELECT FROM zcsync.attachment_copies k WHERE k.copy_id = p_copy AND k.attachment_id = p_file);
	END IF;
	UPDATE zcsync.attachment_copies k
	SET state = p_state, reason = left(CASE WHEN k.state = 'waiting' THEN p_reason ELSE k.reason || ', while it was sent' END, 1000),
		remote_id = coalesce(p_remote_id, k.remote_id), token = p_token,
		sent_at = CASE WHEN NOT p_known THEN k.sent_at END, changed_at = zcsync._now(), moving_since = CASE WHEN p_state = 'waiting' THEN k.moving_since END
	WHERE k.copy_id = p_copy AND k.attachment_id = p_file
		AND (k.state = 'waiting' OR (p_state = 'copied' AND k.state = 'skipped'));	-- it arrived all the same
	IF p_state = 'waiting' OR NOT FOUND THEN
		RETURN true;
	END IF;
	PERFORM zcsync._name_sources(ARRAY[p_copy]) WHERE p_remote_id IS NOT NULL;
	-- the copy may be posted now, or has to name the file
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now()
	WHERE q.job_id IN (SELECT w.job_id FROM zcsync.sync_queue w
		WHERE w.local_id = p_copy AND w.operation = 'push' AND w.state = 'ready' AND coalesce(w.last_class, 'rejected') = 'rejected' AND w.run_at > zcsync._now() FOR NO KEY UPDATE SKIP LOCKED);
	IF p_state = 'refused' THEN
		PERFORM zcsync._queue_conversations(k.route_id, ARRAY[k.link_id]) FROM zcsync.comment_copies k
		WHERE k.copy_id = p_copy AND k.route_id IS NOT NULL AND k.link_id IS NOT NULL;
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._settle_file(bigint, bigint, text, text, text, text, boolean) IS
'notes what became of a file that is copied; false: somebody has its row';

-- ---------------------------------------------------------------------
-- Where files come first
-- ---------------------------------------------------------------------

-- New comments are about to be posted: which of them must wait for files, and the tokens
-- that go with the others.  If the vendor refused a comment with its files, they may be to
-- blame: they are uploaded once more, and then refused themselves, by their next download.
CREATE FUNCTION zcsync._files_for_posts(p_ids bigint[]) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := ARRAY(
		SELECT i.id FROM unnest(p_ids) AS i (id)
		CROSS JOIN LATERAL (SELECT c.account_id FROM zcsync.comments AS c WHERE c.local_id = i.id OFFSET 0) AS c
		JOIN zcsync.accounts a ON a.account_id = c.account_id
		WHERE (zcsync._vendor_of(a.vendor)).files_first
			AND EXISTS (SELECT FROM zcsync.attachment_copies k WHERE k.copy_id = i.id AND k.state IN ('waiting', 'uploaded', 'refused')));
	v_locked integer;
BEGIN
	IF v_ids = '{}' THEN
		RETURN NULL;
	END IF;
	SELECT count(*) INTO v_locked FROM (SELECT FROM zcsync.attachment_copies k WHERE k.copy_id = ANY (v_ids) FOR NO KEY UPDATE SKIP LOCKED) AS l;
	IF v_locked < (SELECT count(*) FROM zcsync.attachment_copies k WHERE k.copy_id = ANY (v_ids)) THEN
		RETURN (SELECT jsonb_object_agg(i, '{"wait": true}'::jsonb) FROM unnest(v_ids) AS i);
	END IF;
	UPDATE zcsync.attachment_copies k
	SET state = 'waiting', tries = k.tries + x.refused::integer, token = NULL, changed_at = zcsync._now(),
		reason = CASE WHEN x.refused AND k.tries > 0 THEN left('its vendor refused the comment with it: ' || q.last_error, 1000) END
	FROM zcsync.sync_queue q
	CROSS JOIN LATERAL (SELECT coalesce(q.last_class = 'rejected' AND q.last_status IN (400, 413, 422), false)) AS x (refused)
	WHERE k.copy_id = ANY (v_ids) AND k.state = 'uploaded' AND q.local_id = k.copy_id AND q.operation = 'push' AND q.state = 'ready'
		AND ((x.refused AND k.changed_at < q.claimed_at) OR k.changed_at < zcsync._now() - interval '45 minutes');
	UPDATE zcsync.attachment_copies k
	SET state = 'skipped', reason = coalesce(k.reason, 'it could not be copied within an hour'), changed_at = zcsync._now()
	WHERE k.copy_id = ANY (v_ids) AND k.state IN ('waiting', 'refused') AND k.started_at < zcsync._now() - interval '70 minutes';	-- if nobody has named them by now
	PERFORM zcsync._fetch_files(v_ids);
	RETURN (
		SELECT jsonb_object_agg(f.copy_id, CASE WHEN f.waits THEN '{"wait": true}'::jsonb ELSE jsonb_build_object('uploads', f.tokens) END)
		FROM (
			SELECT k.copy_id, bool_or(k.state IN ('waiting', 'refused')) AS waits, jsonb_agg(k.token ORDER BY k.attachment_id) FILTER (WHERE k.state = 'uploaded') AS tokens
			FROM zcsync.attachment_copies k WHERE k.copy_id = ANY (v_ids) GROUP BY k.copy_id) AS f
		WHERE f.waits OR f.tokens IS NOT NULL);
END
$$;
COMMENT ON FUNCTION zcsync._files_for_posts(bigint[]) IS
'which of these new comments must wait for files, and the tokens of files that go with the others';

-- ---------------------------------------------------------------------
-- Jobs
-- ---------------------------------------------------------------------

-- What the jobs of files have to know.
CREATE TYPE zcsync.file_copy AS (
	job_id bigint,
	copy_id bigint,
	file_id bigint,
	sent_at timestamptz,
	fault text,				-- why it is not copied
	is_over boolean,		-- there is nothing left to do
	file jsonb,				-- its row, with the name that is sent and what its vendor said of it since
	comment jsonb			-- the row of the copy
);
COMMENT ON TYPE zcsync.file_copy IS
'a file that is copied, as its jobs look at it';

CREATE FUNCTION zcsync._file_copies(p_jobs bigint[]) RETURNS SETOF zcsync.file_copy
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
BEGIN
	RETURN QUERY
	SELECT q.job_id, (q.payload ->> 'copy')::bigint, (q.payload ->> 'file')::bigint, k.sent_at,
		CASE WHEN k.reason IS NOT NULL THEN k.reason WHEN a.deleted_at IS NOT NULL THEN 'it was deleted at its vendor'
			ELSE zcsync._file_fault(a.name, a.media_type, a.size, CASE WHEN q.payload ? 'scanned' THEN 'clean' ELSE a.scan_result END) END,
		k.state IS DISTINCT FROM 'waiting' OR m.state = 'withdrawn' OR m.state IS NULL OR t.deleted_at IS NOT NULL OR t.local_id IS NULL
			OR o.deleted_at IS NOT NULL OR o.is_redacted IS TRUE OR (m.was_public AND o.is_private IS TRUE) OR o.local_id IS NULL OR a.local_id IS NULL OR r.state IS DISTINCT FROM 'active',
		to_jsonb(a) || (q.payload - '{copy,file}'::text[])
			|| jsonb_build_object('name', coalesce(nullif(btrim(regexp_replace(a.name, E'[[:cntrl:]"\\\\]+', ' ', 'g')), ''), 'file')), to_jsonb(t)
	FROM zcsync.sync_queue q
	LEFT JOIN zcsync.attachment_copies k ON k.copy_id = (q.payload ->> 'copy')::bigint AND k.attachment_id = (q.payload ->> 'file')::bigint
	LEFT JOIN zcsync.comment_copies m ON m.copy_id = k.copy_id
	LEFT JOIN zcsync.routes r ON r.route_id = m.route_id
	LEFT JOIN LATERAL (SELECT * FROM zcsync.attachments AS x WHERE x.local_id = k.attachment_id OFFSET 0) AS a ON true
	LEFT JOIN LATERAL (SELECT * FROM zcsync.comments AS x WHERE x.local_id = k.copy_id OFFSET 0) AS t ON true
	LEFT JOIN LATERAL (SELECT * FROM zcsync.comments AS x WHERE x.local_id = m.original_id OFFSET 0) AS o ON true
	WHERE q.job_id = ANY (p_jobs);
END
$$;
COMMENT ON FUNCTION zcsync._file_copies(bigint[]) IS
'the files that these jobs copy';

-- May the content of a file be fetched now?  The process that runs the jobs holds 16 files;
-- fewer are on their way, and half of them to one account, which may be paused.  What is
-- not sent on within ten minutes is lost, and counts no more.
CREATE FUNCTION zcsync._begin_moving(p_copy bigint, p_file bigint, p_to bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_all bigint;
	v_same bigint;
BEGIN
	SELECT count(*), count(*) FILTER (WHERE c.account_id = p_to) INTO v_all, v_same
	FROM zcsync.attachment_copies k
	CROSS JOIN LATERAL (SELECT x.account_id FROM zcsync.comments AS x WHERE x.local_id = k.copy_id OFFSET 0) AS c
	WHERE k.moving_since > zcsync._now() - interval '10 minutes' AND (k.copy_id, k.attachment_id) <> (p_copy, p_file);
	IF v_all >= 12 OR v_same >= 6 THEN
		RETURN false;
	END IF;
	UPDATE zcsync.attachment_copies k SET moving_since = zcsync._now()
	WHERE (k.copy_id, k.attachment_id) IN (SELECT o.copy_id, o.attachment_id FROM zcsync.attachment_copies o
		WHERE o.copy_id = p_copy AND o.attachment_id = p_file FOR NO KEY UPDATE SKIP LOCKED);
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION zcsync._begin_moving(bigint, bigint, bigint) IS
'counts a file among those whose content is on its way; false: there are enough of them';

-- What cannot be copied is refused; returns the request without it then.
CREATE FUNCTION zcsync._prepare_downloads(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).file_request FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_file zcsync.file_copy;
	v_request jsonb;
	v_prepared zcsync.prepared[] := '{}';
BEGIN
	FOR v_file IN SELECT * FROM zcsync._file_copies(p_ids) LOOP
		v_request := NULL;
		IF NOT v_file.is_over AND v_file.fault IS NULL THEN
			EXECUTE format('SELECT %s($1, $2)', v_hook::regproc) INTO v_request USING p_account, v_file.file;
			IF v_request IS NULL THEN
				v_file.fault := 'its vendor does not say where it is';
			END IF;
		END IF;
		IF NOT v_file.is_over AND v_file.fault IS NOT NULL AND NOT zcsync._settle_file(v_file.copy_id, v_file.file_id, 'refused', v_file.fault) THEN
			CONTINUE;	-- somebody has its row: the job stays
		ELSIF v_request ->> 'op' = 'download' AND NOT zcsync._begin_moving(v_file.copy_id, v_file.file_id, (v_file.comment ->> 'account_id')::bigint) THEN
			UPDATE zcsync.sync_queue q
			SET run_at = zcsync._now() + least(greatest(zcsync._now() - q.enqueued_at, interval '1 second'), interval '1 minute')
			WHERE q.job_id = v_file.job_id;
			CONTINUE;
		END IF;
		v_prepared := v_prepared || ROW(v_file.job_id, v_request || jsonb_build_object('file', format('%s/%s', v_file.copy_id, v_file.file_id)))::zcsync.prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_downloads(bigint, bigint[]) IS
'the requests for the content of files';

-- What a vendor says of a file before its content is fetched: how the job goes on.
CREATE FUNCTION zcsync._judge_file(p_file zcsync.file_copy, p_said jsonb) RETURNS zcsync.ending
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_since timestamptz := (SELECT least(q.created_at, (p_file.file ->> 'created_at')::timestamptz) FROM zcsync.sync_queue q WHERE q.job_id = p_file.job_id);
	v_fault text := CASE p_said ->> 'scan_result' WHEN 'infected' THEN 'malware was found in it' WHEN 'failed' THEN 'it could not be searched for malware'
		WHEN 'waiting' THEN CASE WHEN v_since < zcsync._now() - interval '50 minutes' THEN 'it was not searched for malware yet' END END;
BEGIN
	IF v_fault IS NOT NULL THEN
		RETURN ROW(p_file.job_id, CASE WHEN zcsync._settle_file(p_file.copy_id, p_file.file_id, 'refused', v_fault) THEN 'ended' ELSE 'locked' END,
			'refused', NULL, NULL, false)::zcsync.ending;
	ELSIF p_said ->> 'scan_result' = 'waiting' THEN
		RETURN ROW(p_file.job_id, 'again', 'waits', NULL, greatest(zcsync._now() - v_since, interval '1 minute'), false)::zcsync.ending;
	END IF;
	UPDATE zcsync.sync_queue q SET payload = q.payload || jsonb_build_object('scanned', true, 'url', p_said -> 'url') WHERE q.job_id = p_file.job_id;
	RETURN ROW(p_file.job_id, 'again', 'scanned', NULL, NULL, false)::zcsync.ending;
END
$$;
COMMENT ON FUNCTION zcsync._judge_file(zcsync.file_copy, jsonb) IS
'what becomes of a job after its vendor said whether malware was found in a file';

CREATE FUNCTION zcsync._finish_downloads(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
	v_file zcsync.file_copy;
	v_said jsonb;
	v_done boolean;
	v_fault text;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v IN SELECT o.job_id, o.request, coalesce(o.reply, '{}') AS reply, (zcsync._vendor_of(a.vendor)).file_reply AS hook
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id JOIN zcsync.accounts a ON a.account_id = q.account_id
	LOOP
		SELECT * INTO v_file FROM zcsync._file_copies(ARRAY[v.job_id]);
		IF v.reply ? 'zcsync_no_room' THEN
			v_endings := v_endings || ROW(v.job_id, 'repeat', 'waits', NULL, interval '10 seconds', false)::zcsync.ending;
			CONTINUE;
		ELSIF v.request ->> 'op' <> 'download' THEN
			EXECUTE format('SELECT %s($1, $2)', v.hook::regproc) INTO v_said USING v.request, v.reply;
			v_endings := v_endings || zcsync._judge_file(v_file, v_said);
			CONTINUE;
		END IF;
		v_fault := CASE WHEN v.reply ? 'zcsync_refused' THEN zcsync._file_refusal(v.reply)
			WHEN v.reply #> '{zcsync_file,page}' = 'true' AND coalesce(v_file.file ->> 'media_type', '') NOT LIKE 'text/html%' THEN 'a web page came instead of it' END;
		IF v_fault IS NOT NULL THEN
			v_done := zcsync._settle_file(v_file.copy_id, v_file.file_id, 'refused', v_fault);
		ELSE
			PERFORM FROM zcsync.attachments a WHERE a.local_id = v_file.file_id FOR NO KEY UPDATE SKIP LOCKED;
			v_done := (FOUND OR v_file.is_over) AND zcsync._settle_file(v_file.copy_id, v_file.file_id, 'waiting', NULL);
			IF v_done AND NOT v_file.is_over THEN
				UPDATE zcsync.attachments a SET checksum = v.reply #>> '{zcsync_file,checksum}' WHERE a.local_id = v_file.file_id;
				PERFORM zcsync._enqueue(ARRAY[zcsync._file_job((v_file.comment ->> 'account_id')::bigint, 'upload', v_file.copy_id, v_file.file_id)]);
			END IF;
		END IF;
		v_endings := v_endings || ROW(v.job_id, CASE WHEN v_done THEN 'ended' ELSE 'locked' END, CASE WHEN v_fault IS NULL THEN 'done' ELSE 'refused' END,
			NULL, NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_downloads(zcsync.outcome[]) IS
'has files that came sent on';

-- Why a file was refused, by a reply of src/file_transfer.c.
CREATE FUNCTION zcsync._file_refusal(p_reply jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(p_reply #>> '{zcsync_refused,message}', ''), 'refused')
		|| CASE WHEN p_reply #>> '{zcsync_refused,status}' <> '0' THEN format(' (HTTP status %s)', p_reply #>> '{zcsync_refused,status}') ELSE '' END;
END;
COMMENT ON FUNCTION zcsync._file_refusal(jsonb) IS
'why a file was refused, for people';

-- An upload that may have arrived is looked up first, half a minute later.
CREATE FUNCTION zcsync._prepare_uploads(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_file zcsync.file_copy;
	v_request jsonb;
	v_prepared zcsync.prepared[] := '{}';
BEGIN
	FOR v_file IN SELECT * FROM zcsync._file_copies(p_ids) LOOP
		v_request := NULL;
		IF v_file.is_over OR v_file.fault IS NOT NULL THEN
			IF NOT v_file.is_over AND NOT zcsync._settle_file(v_file.copy_id, v_file.file_id, 'refused', v_file.fault) THEN
				CONTINUE;
			END IF;
		ELSIF EXISTS (SELECT FROM zcsync.streams s
				WHERE s.account_id = p_account AND s.kind = v_file.comment ->> 'parent_kind' AND NOT s.writes) THEN
			-- the route waits for that, too
			UPDATE zcsync.sync_queue q SET run_at = zcsync._now() + interval '5 minutes' WHERE q.job_id = v_file.job_id;
			CONTINUE;
		ELSIF v_file.sent_at IS NOT NULL AND v_vendor.file_look IS NOT NULL THEN
			IF v_file.sent_at > zcsync._now() - interval '30 seconds' THEN
				UPDATE zcsync.sync_queue q SET run_at = v_file.sent_at + interval '30 seconds' WHERE q.job_id = v_file.job_id;
				CONTINUE;
			END IF;
			EXECUTE format('SELECT %s($1, $2)', v_vendor.file_look::regproc) INTO v_request USING p_account, v_file.comment;
			v_request := v_request || '{"look": true}';
		ELSE
			UPDATE zcsync.attachment_copies k SET sent_at = zcsync._now()
			WHERE (k.copy_id, k.attachment_id) IN (SELECT o.copy_id, o.attachment_id FROM zcsync.attachment_copies o
				WHERE o.copy_id = v_file.copy_id AND o.attachment_id = v_file.file_id FOR NO KEY UPDATE SKIP LOCKED);
			CONTINUE WHEN NOT FOUND;
			EXECUTE format('SELECT %s($1, $2, $3)', v_vendor.file_upload::regproc) INTO v_request USING p_account, v_file.comment, v_file.file;
			v_request := v_request || jsonb_build_object('file', format('%s/%s', v_file.copy_id, v_file.file_id), 'name', v_file.file -> 'name',
				'media_type', v_file.file -> 'media_type');
		END IF;
		v_prepared := v_prepared || ROW(v_file.job_id, v_request)::zcsync.prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_uploads(bigint, bigint[]) IS
'the requests that send files on';

-- The file of a list that an upload made whose reply was lost; NULL: it did not arrive.
CREATE FUNCTION zcsync._uploaded_file(p_account bigint, p_file zcsync.file_copy, p_request jsonb, p_reply jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_id text;
BEGIN
	EXECUTE format($sql$
		SELECT f.id FROM %s($1, $2) AS f
		WHERE f.name = $3 ->> 'name' AND (f.size = ($3 ->> 'size')::bigint) IS NOT FALSE AND (f.made_at > $4 - interval '5 minutes') IS NOT FALSE
			AND NOT EXISTS (SELECT FROM zcsync.attachment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id
				WHERE k.remote_id = f.id AND c.account_id = $5)
		ORDER BY f.made_at, f.id LIMIT 1$sql$,
		(SELECT (zcsync._vendor_of(a.vendor)).file_found FROM zcsync.accounts a WHERE a.account_id = p_account)::regproc)
		INTO v_id USING p_request, p_reply, p_file.file, p_file.sent_at, p_account;
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync._uploaded_file(bigint, zcsync.file_copy, jsonb, jsonb) IS
'the file that an upload made whose reply was lost; NULL: there is none';

-- What the reply to an upload says: the state of the file, why, and its id and token;
-- state NULL: it did not arrive, and is sent again.
CREATE FUNCTION zcsync._read_upload(p_account bigint, p_file zcsync.file_copy, p_request jsonb, p_reply jsonb,
	OUT state text, OUT reason text, OUT remote_id text, OUT token text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_said jsonb;
BEGIN
	IF p_reply ? 'zcsync_refused' THEN
		state := 'refused';
		reason := zcsync._file_refusal(p_reply);
	ELSIF p_request ? 'look' THEN
		remote_id := zcsync._uploaded_file(p_account, p_file, p_request, p_reply);
		state := CASE WHEN remote_id IS NOT NULL THEN 'copied' END;
	ELSE
		EXECUTE format('SELECT %s($1, $2)', v_vendor.file_reply::regproc) INTO v_said USING p_request, p_reply;
		remote_id := left(v_said ->> 'id', 500);
		token := v_said ->> 'token';
		state := CASE WHEN NOT v_vendor.files_first THEN 'copied' WHEN token IS NULL THEN 'refused' ELSE 'uploaded' END;
		reason := CASE state WHEN 'refused' THEN format('%s took it, and gave no token for it', v_vendor.title) END;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._read_upload(bigint, zcsync.file_copy, jsonb, jsonb) IS
'what the reply to an upload says';

CREATE FUNCTION zcsync._finish_uploads(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
	v_file zcsync.file_copy;
	v_read record;
	v_tries integer;
	v_done boolean;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v IN SELECT o.job_id, q.account_id, o.request, coalesce(o.reply, '{}') AS reply
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	LOOP
		SELECT * INTO v_file FROM zcsync._file_copies(ARRAY[v.job_id]);
		IF v.reply ? 'zcsync_no_file' THEN
			SELECT k.tries INTO v_tries FROM zcsync.attachment_copies k WHERE k.copy_id = v_file.copy_id AND k.attachment_id = v_file.file_id;
			v_done := zcsync._settle_file(v_file.copy_id, v_file.file_id, CASE WHEN v_tries >= 4 THEN 'refused' ELSE 'waiting' END,
				CASE WHEN v_tries >= 4 THEN 'it was fetched five times, and lost before it was sent on' END, p_known => true);
			IF v_done AND v_tries < 4 THEN
				UPDATE zcsync.attachment_copies k SET tries = k.tries + 1, moving_since = NULL WHERE k.copy_id = v_file.copy_id AND k.attachment_id = v_file.file_id;
				PERFORM zcsync._enqueue(ARRAY[zcsync._file_job((v_file.file ->> 'account_id')::bigint, 'download', v_file.copy_id, v_file.file_id)])
				WHERE NOT v_file.is_over;
			END IF;
			v_endings := v_endings || ROW(v.job_id, CASE WHEN v_done THEN 'ended' ELSE 'locked' END, 'no_file', NULL, NULL, false)::zcsync.ending;
			CONTINUE;
		END IF;
		v_read := zcsync._read_upload(v.account_id, v_file, v.request, v.reply);
		v_done := zcsync._settle_file(v_file.copy_id, v_file.file_id, coalesce(v_read.state, 'waiting'), v_read.reason, v_read.remote_id, v_read.token, true);
		v_endings := v_endings || ROW(v.job_id, CASE WHEN NOT v_done THEN 'locked' WHEN v_read.state IS NULL THEN 'repeat' ELSE 'ended' END,
			coalesce(v_read.state, 'absent'), NULL, NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_uploads(zcsync.outcome[]) IS
'notes what became of uploads';

-- A failure for good, or the last one of several, is why the file is not copied.  The job
-- finds that when it comes again, and ends.
CREATE FUNCTION zcsync._fail_files(p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	PERFORM zcsync._settle_file((q.payload ->> 'copy')::bigint, (q.payload ->> 'file')::bigint, 'refused', coalesce(o.message, o.class)
		|| CASE WHEN o.status > 0 THEN format(' (HTTP status %s)', o.status) ELSE '' END)
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id JOIN zcsync.queues s ON s.name = q.queue
	WHERE o.class IN ('rejected', 'not_found', 'conflict', 'config')
		OR (o.class NOT IN ('put_back', 'halved', 'vendor', 'throttled') AND q.failures + 1 >= s.max_attempts)
		OR (o.class NOT IN ('put_back', 'halved') AND q.failing_for > interval '1 hour');
	-- a download that failed leaves no file; a look-up that failed says nothing of the upload
	UPDATE zcsync.attachment_copies k
	SET sent_at = CASE WHEN q.operation = 'download' THEN k.sent_at END, moving_since = CASE WHEN q.operation = 'upload' THEN k.moving_since END
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	WHERE NOT o.unclear AND (o.class <> 'put_back' OR q.operation = 'download') AND coalesce(NOT o.request ? 'look', true)
		AND (k.copy_id, k.attachment_id) IN (SELECT l.copy_id, l.attachment_id FROM zcsync.attachment_copies l
			WHERE l.copy_id = (q.payload ->> 'copy')::bigint AND l.attachment_id = (q.payload ->> 'file')::bigint
				AND (l.sent_at IS NOT NULL OR l.moving_since IS NOT NULL) FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._fail_files(zcsync.outcome[]) IS
'notes failures of the copying of files';

CREATE FUNCTION zcsync._operation_download() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('download', p_prepare => 'zcsync._prepare_downloads(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_downloads(zcsync.outcome[])'::regprocedure, p_fail => 'zcsync._fail_files(zcsync.outcome[])'::regprocedure,
		p_alone => true, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_download() IS
'operation download: fetches a file that is copied';

CREATE FUNCTION zcsync._operation_upload() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('upload', p_prepare => 'zcsync._prepare_uploads(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_uploads(zcsync.outcome[])'::regprocedure, p_fail => 'zcsync._fail_files(zcsync.outcome[])'::regprocedure,
		p_writes => true, p_alone => true, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_upload() IS
'operation upload: sends a file on that is copied';
