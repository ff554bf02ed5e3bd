-- ---------------------------------------------------------------------
-- Routes: what people say about the comments that a route carries, and what they ask.
-- ---------------------------------------------------------------------

-- Raise an error unless the caller may read all comments, or all time entries: whoever
-- says which of them a route carries, or where to, could otherwise have texts sent
-- that they may not read.
CREATE FUNCTION zcsync._check_reads(p_table text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF zcsync._sees_all_rows(zcsync._caller(), p_table) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for table %s', p_table),
			DETAIL = format('Whoever says which %s a route carries must be allowed to read all of them.', replace(p_table, '_', ' ')),
			HINT = format('GRANT SELECT ON zcsync.%I TO %I;', p_table, zcsync._caller());
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_reads(text) IS
'raises an error unless the caller may read all comments, or all time entries';

-- Raise an error unless a route can carry comments as its row says.
CREATE FUNCTION zcsync._check_carried_comments(p_route bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	FOR v IN
		SELECT w.*, f.name AS from_name, fs.kind AS from_kind, t.name AS to_name, ts.kind AS to_kind, ts.writes,
			zcsync._kind_of(f.vendor, 'comments') AS from_comments, zcsync._kind_of(t.vendor, 'comments') AS to_comments,
			(zcsync._vendor_of(f.vendor)).title AS from_title, (zcsync._vendor_of(t.vendor)).title AS to_title,
			c.attachments, (zcsync._vendor_of(f.vendor)).file_request AS from_files, (zcsync._vendor_of(t.vendor)).file_upload AS to_files
		FROM zcsync.route_comments c JOIN zcsync.routes r ON r.route_id = c.route_id
		CROSS JOIN LATERAL (VALUES
			(c.comments, 'comments', r.source_stream_id, r.target_stream_id, c.target_is_internal),
			(c.comments_back, 'comments_back', r.target_stream_id, r.source_stream_id, false)) AS w (rule, option, from_stream, to_stream, internal)
		JOIN zcsync.streams fs ON fs.stream_id = w.from_stream JOIN zcsync.accounts f ON f.account_id = fs.account_id
		JOIN zcsync.streams ts ON ts.stream_id = w.to_stream JOIN zcsync.accounts t ON t.account_id = ts.account_id
		WHERE c.route_id = p_route AND w.rule <> 'none'
	LOOP
		IF zcsync._comments_of(v.from_stream) IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
				MESSAGE = format('%s of account "%s" have no comments that can be read', v.from_kind, v.from_name);
		ELSIF coalesce(cardinality((v.to_comments).written), 0) = 0 OR zcsync._comments_of(v.to_stream) IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
				MESSAGE = format('%s of account "%s" have no comments that can be written', v.to_kind, v.to_name);
		ELSIF NOT v.writes THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('stream "%s/%s" is read-only', v.to_name, v.to_kind),
				HINT = format('SELECT zcsync.alter_stream(''%s/%s'', writes => true);', v.to_name, v.to_kind);
		ELSIF v.rule = 'all' AND (v.from_comments).has_private AND NOT (v.to_comments).has_private AND NOT v.internal THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('private comments of "%s" cannot go to "%s"', v.from_name, v.to_name),
				DETAIL = format('%s has no private comments: whoever sees the record would read them.', v.to_title),
				HINT = CASE v.option WHEN 'comments' THEN 'Give comments => ''public'', or say that only agents read the target: target_is_internal => true.'
					ELSE 'Give comments_back => ''public''.' END;
		ELSIF v.attachments = 'copy' AND (v.from_files IS NULL OR v.to_files IS NULL) THEN
			RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
				MESSAGE = format('files of "%s" cannot be copied to "%s"', v.from_name, v.to_name),
				HINT = 'Give attachments => ''link''.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._check_carried_comments(bigint) IS
'raises an error unless a route can carry comments as its row says';

-- What is NULL stays as it is; '' removes a marker.  Comments that were written before
-- this is first called are old.
CREATE FUNCTION zcsync.set_route_comments(route text, comments text DEFAULT NULL, comments_back text DEFAULT NULL,
	marker text DEFAULT NULL, marker_back text DEFAULT NULL, target_is_internal boolean DEFAULT NULL, public_back boolean DEFAULT NULL,
	relay boolean DEFAULT NULL, old boolean DEFAULT NULL, hold interval DEFAULT NULL, attachments text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_row zcsync.route_comments;
	v_rule text;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_reads('comments');
	-- what is not sent yet is judged again by the new rule
	PERFORM FROM zcsync.routes r WHERE r.route_id = v_route.route_id FOR NO KEY UPDATE;
	PERFORM zcsync._hold_copies(v_route.route_id);
	FOREACH v_rule IN ARRAY ARRAY[comments, comments_back] LOOP
		IF v_rule NOT IN ('none', 'public', 'all') THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid value for comments: "%s"', left(v_rule, 100)),
				HINT = 'It is none, public or all.';
		END IF;
	END LOOP;
	FOREACH v_rule IN ARRAY ARRAY[marker, marker_back] LOOP
		IF v_rule !~ '^[^[:space:]]{0,50}$' THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid marker "%s"', left(v_rule, 100)),
				HINT = 'It is one word, such as /dev.';
		END IF;
	END LOOP;
	IF hold NOT BETWEEN interval '0' AND interval '1 day' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for hold: %s', hold),
			HINT = 'It is between 0 and a day.';
	END IF;
	IF attachments NOT IN ('none', 'link', 'copy') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for attachments: "%s"', left(attachments, 100)),
			HINT = 'It is none, link or copy.';
	END IF;
	INSERT INTO zcsync.route_comments AS c (route_id, since) VALUES (v_route.route_id, date_trunc('second', zcsync._now() - interval '1 minute'))
	ON CONFLICT (route_id) DO UPDATE SET since = excluded.since WHERE c.since = 'infinity';	-- it carried time only
	UPDATE zcsync.route_comments AS c
	SET comments = coalesce(set_route_comments.comments, c.comments), comments_back = coalesce(set_route_comments.comments_back, c.comments_back),
		marker = nullif(coalesce(set_route_comments.marker, c.marker), ''), marker_back = nullif(coalesce(set_route_comments.marker_back, c.marker_back), ''),
		target_is_internal = coalesce(set_route_comments.target_is_internal, c.target_is_internal),
		public_back = coalesce(set_route_comments.public_back, c.public_back), relay = coalesce(set_route_comments.relay, c.relay),
		old = coalesce(set_route_comments.old, c.old), hold = coalesce(set_route_comments.hold, c.hold),
		attachments = coalesce(set_route_comments.attachments, c.attachments)
	WHERE c.route_id = v_route.route_id
	RETURNING c.* INTO v_row;
	PERFORM zcsync._check_carried_comments(v_route.route_id);
	PERFORM zcsync._queue_conversations(v_route.route_id);
	RETURN format('route "%s" carries %s comments to the target, and %s back; SELECT * FROM zcsync.plan_comments(%L) shows the next ones',
		v_route.name, v_row.comments, v_row.comments_back, v_route.name);
END
$$;
COMMENT ON FUNCTION zcsync.set_route_comments(text, text, text, text, text, boolean, boolean, boolean, boolean, interval, text) IS
'says which comments a route carries, each way: none, public or all; only those that begin with a marker; whether public comments may come back as public; whether copies are carried on; whether old ones are carried; how long public copies wait; whether copies name the files of comments, or get copies of them';

-- The copies of a file that were not made, locked, and why one is not tried again; NULL: it
-- is.  What _file_copies() takes for the end of a job is a reason here, too.
CREATE FUNCTION zcsync._failed_files(p_file bigint, p_route text)
RETURNS TABLE (copy_id bigint, route_id bigint, link_id bigint, title text, fault text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
	SELECT k.copy_id, m.route_id, m.link_id, zcsync._file_title(a.name, a.size), CASE
		WHEN m.state = 'withdrawn' OR t.deleted_at IS NOT NULL THEN 'the copy of its comment was withdrawn, or deleted'
		WHEN a.deleted_at IS NOT NULL THEN 'it was deleted at its vendor'
		WHEN o.local_id IS NULL OR o.deleted_at IS NOT NULL THEN 'the comment that has it was deleted'
		WHEN o.is_redacted IS TRUE THEN 'the comment that has it was redacted'
		WHEN m.was_public AND o.is_private IS TRUE THEN 'the comment that has it was made private'
		WHEN r.route_id IS NULL OR m.link_id IS NULL THEN 'no route drives the pair of its record any more'
		WHEN r.state <> 'active' THEN format('route "%s" is paused', r.name)
		WHEN c.attachments IS DISTINCT FROM 'copy' THEN format('route "%s" does not copy files', r.name)
		WHEN t.remote_id IS NOT NULL AND (zcsync._vendor_of(w.vendor)).files_first THEN 'its comment was posted without it, and takes no more files there'
		ELSE zcsync._file_fault(a.name, a.media_type, a.size, a.scan_result) END
	FROM zcsync.attachment_copies k
	JOIN zcsync.attachments a ON a.local_id = k.attachment_id
	JOIN zcsync.comment_copies m ON m.copy_id = k.copy_id
	JOIN zcsync.comments t ON t.local_id = k.copy_id
	JOIN zcsync.accounts w ON w.account_id = t.account_id
	LEFT JOIN zcsync.comments o ON o.local_id = m.original_id
	LEFT JOIN zcsync.routes r ON r.route_id = m.route_id
	LEFT JOIN zcsync.route_comments c ON c.route_id = m.route_id
	WHERE k.attachment_id = p_file AND k.state IN ('refused', 'linked', 'skipped') AND k.reason IS NOT NULL AND (p_route IS NULL OR r.name = p_route)
	ORDER BY k.copy_id
	FOR NO KEY UPDATE OF k
$$;
COMMENT ON FUNCTION zcsync._failed_files(bigint, text) IS
'the copies of a file that were not made, and why one of them is not tried again';

-- What keeps a file from being copied may be over: a setting was raised, or the vendor has
-- searched it.  It is judged and fetched as if its comment had just been posted.
CREATE FUNCTION zcsync.retry_file(attachment_id bigint, route text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v record;
	v_file bigint := attachment_id;
	v_count bigint := 0;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._route(route) WHERE route IS NOT NULL;
	FOR v IN SELECT * FROM zcsync._failed_files(v_file, route) LOOP
		IF v.fault IS NOT NULL THEN
			RAISE NOTICE USING MESSAGE = format('file %s is not tried again: %s', v.title, v.fault);
			CONTINUE;
		END IF;
		UPDATE zcsync.attachment_copies k SET state = 'waiting', reason = NULL, tries = 0, started_at = NULL, changed_at = zcsync._now()
		WHERE k.copy_id = v.copy_id AND k.attachment_id = v_file;
		PERFORM zcsync._queue_conversations(v.route_id, ARRAY[v.link_id]);
		v_count := v_count + 1;
	END LOOP;
	IF NOT FOUND AND EXISTS (SELECT FROM zcsync.attachment_copies k WHERE k.attachment_id = v_file) THEN
		RAISE NOTICE USING MESSAGE = format('no copy of file %s is to be tried again', v_file);
	ELSIF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('file %s has no copies', coalesce(v_file::text, 'NULL')),
			HINT = 'SELECT attachment_id, state, reason FROM zcsync.attachment_copies WHERE reason IS NOT NULL;';
	END IF;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.retry_file(bigint, text) IS
'tries again to copy a file that a route could not copy, for all its copies or those of one route; returns how many are tried; notices say why others are not';

-- The steps that the route would take now, for the pairs that were made last.
CREATE FUNCTION zcsync.plan_comments(route text, max_pairs integer DEFAULT 100)
RETURNS TABLE (op text, original text, record text, is_private boolean, text text, files text[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(plan_comments.route));
BEGIN
	PERFORM zcsync._check_reads('comments');
	IF max_pairs IS NULL OR max_pairs NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a plan of comments takes 1 to 10000 pairs';
	END IF;
	RETURN QUERY
	SELECT t.op, zcsync.reference(s.from_account, 'comments', c.remote_id, c.local_id), zcsync.reference(s.to_account, s.to_kind, s.to_record, NULL),
		t.is_private, CASE WHEN t.op IN ('create', 'wait', 'update') THEN (zcsync._copy_of(s, zcsync._original(c.local_id), t.copy_id)).body END,
		CASE WHEN t.op IN ('create', 'wait', 'update') AND s.attachments <> 'none' THEN
			ARRAY(SELECT zcsync._file_title(f.name, f.size) FROM zcsync._files_of(c.account_id, c.remote_id) AS f) ELSE '{}' END
	FROM zcsync._comment_sides(v_route.route_id, ARRAY(
		SELECT l.link_id FROM zcsync.links l WHERE l.route_id = v_route.route_id AND l.state = 'linked' ORDER BY l.link_id DESC LIMIT max_pairs)) AS s
	CROSS JOIN LATERAL (SELECT x.* FROM zcsync._comment_steps_of(s)
		WITH ORDINALITY AS x (op, link_id, back, original_id, copy_id, is_private, digest, wait_until, is_old, n) OFFSET 0) AS t
	CROSS JOIN LATERAL (SELECT k.* FROM zcsync.comments AS k WHERE k.account_id = s.from_account AND k.local_id = t.original_id OFFSET 0) AS c
	WHERE t.op <> 'late'
	ORDER BY s.link_id DESC, s.back, t.n;
	IF zcsync._sees_all_rows(zcsync._caller(), 'time_entries') THEN
		RETURN QUERY SELECT * FROM zcsync._plan_time(v_route.route_id, max_pairs);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.plan_comments(text, integer) IS
'the comments that a route would carry now, change or withdraw, as they would arrive, and the time that it would note; writes nothing';

-- Are the comments read that the route is to carry?
CREATE FUNCTION zcsync._check_route_comments(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'comments' || CASE WHEN w.back THEN ' back' ELSE '' END, s.comments <> 'none' AND x.writes,
		CASE WHEN s.comments = 'none' THEN format('comments of %s/%s are not read', a.name, s.kind)
			WHEN NOT x.writes THEN format('stream %s/%s is read-only', b.name, x.kind)
			ELSE format('%s comments of %s/%s are carried', w.rule, a.name, s.kind) END,
		CASE WHEN s.comments = 'none' THEN format('SELECT zcsync.alter_stream(%L, comments => ''linked'');', a.name || '/' || s.kind)
			WHEN NOT x.writes THEN format('SELECT zcsync.alter_stream(%L, writes => true);', b.name || '/' || x.kind) END
	FROM zcsync.route_comments AS c
	CROSS JOIN LATERAL (VALUES
		(false, c.comments, p_def ->> 'source_stream_id', p_def ->> 'target_stream_id'),
		(true, c.comments_back, p_def ->> 'target_stream_id', p_def ->> 'source_stream_id')) AS w (back, rule, from_stream, to_stream)
	JOIN zcsync.streams AS s ON s.stream_id = w.from_stream::bigint JOIN zcsync.accounts AS a ON a.account_id = s.account_id
	JOIN zcsync.streams AS x ON x.stream_id = w.to_stream::bigint JOIN zcsync.accounts AS b ON b.account_id = x.account_id
	WHERE c.route_id = (p_def ->> 'route_id')::bigint AND w.rule <> 'none'
	UNION ALL
	SELECT 'files', true, format('files of comments up to %s are copied; copies of comments name the others', current_setting('zcsync.attachment_max_size')),
		'SELECT * FROM zcsync.errors; shows those that could not be copied.'
	FROM zcsync.route_comments AS c WHERE c.route_id = (p_def ->> 'route_id')::bigint AND c.attachments = 'copy'
	UNION ALL
	-- whether a text is public may only be known by its comments
	SELECT 'description', true, format('comments of %s/%s are not read: a text that may be private stays away from the target', a.name, s.kind),
		format('SELECT zcsync.alter_stream(%L, comments => ''linked'');', a.name || '/' || s.kind)
	FROM zcsync.streams AS s JOIN zcsync.accounts AS a ON a.account_id = s.account_id
	WHERE s.stream_id = (p_def ->> 'source_stream_id')::bigint AND s.comments = 'none' AND p_def -> 'fields' ? 'description'
		AND (zcsync._kind_of(a.vendor, s.kind)).public_text IS NOT NULL
	ORDER BY 1
$$;
COMMENT ON FUNCTION zcsync._check_route_comments(jsonb) IS
'the rows of check_route() about comments';

-- ---------------------------------------------------------------------
-- Pause and resume
-- ---------------------------------------------------------------------

-- What a paused route has written and not sent yet is held, so that the conversation
-- stops at once.
CREATE FUNCTION zcsync._hold_copies(p_route bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._lock_jobs(ARRAY(
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.operation = 'push' AND q.kind = 'comments' AND q.state = 'ready' AND q.cancelled IS NULL
			AND q.local_id IN (SELECT k.copy_id FROM zcsync.comment_copies k WHERE k.route_id = p_route)));
	UPDATE zcsync.sync_queue q SET state = 'held', last_class = 'paused', last_error = 'the route that made this comment is paused'
	WHERE q.operation = 'push' AND q.kind = 'comments' AND q.state = 'ready' AND q.cancelled IS NULL
		AND q.local_id IN (SELECT k.copy_id FROM zcsync.comment_copies k WHERE k.route_id = p_route)
$$;
COMMENT ON FUNCTION zcsync._hold_copies(bigint) IS
'holds the comments of a route that are not sent yet';

-- Those of these comments that a paused route made.  Its row is locked if nobody else has
-- it, so that it is not resumed before these are held and would be released.
CREATE FUNCTION zcsync._paused_copies(p_ids bigint[]) RETURNS bigint[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH locked AS MATERIALIZED (
		SELECT r.route_id FROM zcsync.routes r
		WHERE r.state = 'paused' AND r.route_id IN (SELECT k.route_id FROM zcsync.comment_copies k WHERE k.copy_id = ANY (p_ids))
		FOR SHARE SKIP LOCKED)
	SELECT ARRAY(
		SELECT k.copy_id FROM zcsync.comment_copies k JOIN zcsync.routes r ON r.route_id = k.route_id
		WHERE k.copy_id = ANY (p_ids) AND r.state = 'paused' AND (SELECT count(*) FROM locked) >= 0)
$$;
COMMENT ON FUNCTION zcsync._paused_copies(bigint[]) IS
'those of these comments that a paused route made';

-- Only after the originals were looked at again: one of them may be private by now.
CREATE FUNCTION zcsync._release_copies(p_route bigint, p_link bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.sync_queue q
	SET state = 'ready', last_class = NULL, last_error = NULL,
		run_at = CASE WHEN q.unclear_since IS NULL THEN zcsync._now() ELSE greatest(q.run_at, zcsync._now()) END
	WHERE q.operation = 'push' AND q.kind = 'comments' AND q.state = 'held' AND q.last_class = 'paused' AND q.cancelled IS NULL
		AND q.local_id IN (SELECT k.copy_id FROM zcsync.comment_copies k WHERE k.link_id = p_link AND k.route_id = p_route)
$$;
COMMENT ON FUNCTION zcsync._release_copies(bigint, bigint) IS
'releases the comments of a pair that were held while its route was paused';
