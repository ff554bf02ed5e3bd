-- ---------------------------------------------------------------------
-- Comments of mirrored records.
--
-- The option "comments" of a stream says of which of its records the comments are
-- mirrored: of none, of those that have a counterpart (linked; listeners know which), or
-- of all.  Each such record is a row of zcsync.conversations, which says whether its
-- comments are to be read.  Vendors differ (member "comments" of their kinds):
--
--   changed   the comments of a record are read when the record has changed
--   events    they are read once; a lane of the stream ("comments") then brings what is
--             written from then on.  A record that has changed is read again after an
--             hour, since the lane may not tell all that can be done to a comment
--
-- Comments do not always come in their order: a new one may have to wait (take.sql) while
-- the lane brings the next, a vendor's pages may begin with the newest, and the lane may be
-- earlier than the first reading.  conversations.partial_at says so until the record is
-- read to its end.
--
-- A job with operation "comments" reads those of one record, page by page.  There are
-- never more such jobs than the budget can do in two minutes; what is new goes before
-- the history, and the first reading of a record after it.
--
-- The text of a comment is in its row, and nowhere else: a comment that cannot be stored
-- is not parked but read again, and history tells only how long a text was.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._comment_history(p_values jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_object_agg(v.key, CASE WHEN v.key IN ('body', 'rich_body') AND v.value <> 'null'
		THEN to_jsonb(format('(%s characters)', length(v.value #>> '{}'))) ELSE v.value END)
	FROM jsonb_each(p_values) AS v;
END;
COMMENT ON FUNCTION zcsync._comment_history(jsonb) IS
'values of a comment as history keeps them: of its text only the length';

-- What history keeps of values.  It has no query of its own, so that it becomes part of
-- the query that calls it for each row.
CREATE FUNCTION zcsync._history_values(p_kind text, p_values jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_kind = 'comments' AND p_values ?| '{body,rich_body}' THEN zcsync._comment_history(p_values) ELSE p_values END;
END;
COMMENT ON FUNCTION zcsync._history_values(text, jsonb) IS
'values of a row as history keeps them: of the text of comments only its length';

-- ---------------------------------------------------------------------
-- Which records
-- ---------------------------------------------------------------------

-- How comments of a stream's records are read; NULL: they are not.
CREATE FUNCTION zcsync._comments_of(p_stream bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (zcsync._kind_of(a.vendor, s.kind)).comments
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream
$$;
COMMENT ON FUNCTION zcsync._comments_of(bigint) IS
'how a vendor gives the comments of a stream''s records: changed or events; NULL: not at all';

-- Make conversations of the records that got a counterpart after a time; without a time,
-- bring conversations in step with all records that have one now.
CREATE FUNCTION zcsync._follow_linked(p_account bigint, p_kind text, p_since timestamptz DEFAULT '-infinity') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := ARRAY(
		SELECT i FROM zcsync._listeners() AS l
		CROSS JOIN LATERAL unnest(zcsync._ask_linked(l.linked, p_account, p_kind, p_since)) AS i
		WHERE l.linked IS NOT NULL);
BEGIN
	EXECUTE format($sql$
		WITH linked AS MATERIALIZED (
			SELECT DISTINCT t.remote_id, t.remote_version FROM unnest($3) AS i (local_id)
			JOIN zcsync.%I AS t ON t.account_id = $1 AND t.local_id = i.local_id
			WHERE t.remote_id IS NOT NULL AND t.deleted_at IS NULL),
		left_alone AS (
			DELETE FROM zcsync.conversations AS c
			WHERE $4 = '-infinity' AND c.account_id = $1 AND c.kind = $2 AND NOT EXISTS (SELECT FROM linked AS l WHERE l.remote_id = c.remote_id))
		INSERT INTO zcsync.conversations (account_id, kind, remote_id, version, due_at, partial_at)
		SELECT $1, $2, l.remote_id, l.remote_version, zcsync._now(), zcsync._now() FROM linked AS l
		WHERE NOT EXISTS (SELECT FROM zcsync.conversations AS c
			WHERE c.account_id = $1 AND c.kind = $2 AND c.remote_id = l.remote_id)
		ON CONFLICT DO NOTHING$sql$, p_kind)
		USING p_account, p_kind, v_ids, p_since;
END
$$;
COMMENT ON FUNCTION zcsync._follow_linked(bigint, text, timestamptz) IS
'makes conversations of the records that have a counterpart, and, without a time, of no others';

CREATE FUNCTION zcsync._follow_all(p_account bigint, p_kind text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO zcsync.conversations (account_id, kind, remote_id, version, due_at, partial_at)
		SELECT $1, $2, t.remote_id, t.remote_version, zcsync._now(), zcsync._now() FROM zcsync.%I AS t
		WHERE t.account_id = $1 AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL
		ON CONFLICT DO NOTHING$sql$, p_kind)
		USING p_account, p_kind;
END
$$;
COMMENT ON FUNCTION zcsync._follow_all(bigint, text) IS
'makes conversations of all records of a kind';

-- Documents of records came.  A record that changed since its comments were read has
-- them read again; of all records, new ones are followed as well.
CREATE FUNCTION zcsync._note_conversations(p_account bigint, p_kind text, p_follow_all boolean, p_delay interval,
	p_documents zcsync.document[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off	-- by the key, whatever the statistics of the table say
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	IF NOT p_follow_all AND NOT EXISTS (SELECT FROM zcsync.conversations c WHERE c.account_id = p_account AND c.kind = p_kind) THEN
		RETURN;
	END IF;
	UPDATE zcsync.conversations c SET version = d.version, due_at = coalesce(c.due_at, v_now + p_delay)
	FROM unnest(p_documents) AS d
	WHERE c.account_id = p_account AND c.kind = p_kind AND c.remote_id = d.remote_id AND c.version IS DISTINCT FROM d.version
		AND d.version IS NOT NULL AND d.is_deleted IS NOT TRUE AND NOT zcsync._is_older(d.version, c.version);
	IF p_follow_all THEN
		DELETE FROM zcsync.conversations c USING unnest(p_documents) AS d
		WHERE c.account_id = p_account AND c.kind = p_kind AND c.remote_id = d.remote_id AND d.is_deleted;
		INSERT INTO zcsync.conversations (account_id, kind, remote_id, version, due_at, partial_at)
		SELECT p_account, p_kind, d.remote_id, d.version, v_now, v_now FROM unnest(p_documents) AS d
		WHERE d.is_deleted IS NOT TRUE AND NOT EXISTS (SELECT FROM zcsync.conversations c
			WHERE c.account_id = p_account AND c.kind = p_kind AND c.remote_id = d.remote_id)
		ORDER BY d.remote_id COLLATE "C"
		ON CONFLICT DO NOTHING;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_conversations(bigint, text, boolean, interval, zcsync.document[]) IS
'plans the reading of comments of records that changed';

-- The option "comments" of a stream; p_comments NULL: it is as it was, or the default.
CREATE FUNCTION zcsync._set_comments(p_stream bigint, p_comments text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_how text := zcsync._comments_of(p_stream);
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream;
	v_stream.comments := coalesce(p_comments, v_stream.comments);
	IF v_stream.comments NOT IN ('none', 'linked', 'all') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for "comments": "%s"', left(p_comments, 100)),
			HINT = 'It is none, linked (of records that have a counterpart) or all.';
	ELSIF v_how IS NULL AND p_comments <> 'none' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s have no comments that can be read', v_stream.kind,
				(SELECT (zcsync._vendor_of(a.vendor)).title FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id)),
			HINT = 'Leave "comments" out.';
	ELSIF v_how IS NULL THEN
		RETURN;
	END IF;
	UPDATE zcsync.streams s
	SET comments = v_stream.comments, comments_at = CASE WHEN v_stream.comments <> 'none' THEN zcsync._now() END,
		comments_cursor = CASE WHEN v_stream.comments <> 'none' THEN s.comments_cursor END, comments_counted = NULL
	WHERE s.stream_id = p_stream;
	IF v_stream.comments = 'none' THEN
		-- nobody reads them any more, so nothing else would end this error
		PERFORM zcsync._forget_pull_error(p_stream, 'comments');
		DELETE FROM zcsync.conversations c WHERE c.account_id = v_stream.account_id AND c.kind = v_stream.kind;
		DELETE FROM zcsync.sync_queue q
		WHERE q.account_id = v_stream.account_id AND q.stream_id = p_stream AND q.state = 'ready'
			AND (q.operation = 'comments' OR q.dedupe_key = format('pull/%s/comments', p_stream));
	ELSIF v_stream.comments = 'all' THEN
		PERFORM zcsync._follow_all(v_stream.account_id, v_stream.kind);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._set_comments(bigint, text) IS
'sets of which records of a stream the comments are mirrored';

-- ---------------------------------------------------------------------
-- Jobs that are due
-- ---------------------------------------------------------------------

-- What reads or posts comments of a record, one at a time.
CREATE FUNCTION zcsync._conversation_key(p_stream bigint, p_remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat('comments/', p_stream::text, '/', p_remote_id);
END;
COMMENT ON FUNCTION zcsync._conversation_key(bigint, text) IS
'the key of jobs that read or post comments of a record, of which one runs at a time';

-- The job that reads the comments of a record; all of them anew, if that was not done for
-- a day.
CREATE FUNCTION zcsync._comment_job(p_stream bigint, p_account bigint, p_kind text, p_remote_id text, p_read_at timestamptz, p_priority integer)
RETURNS zcsync.new_job
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._job(p_account, zcsync._kind_queue(p_kind), 'comments', 'api', k.key, k.key,
		jsonb_build_object('id', p_remote_id) || CASE WHEN p_read_at > zcsync._now() - interval '1 day' THEN '{}' ELSE '{"whole": true}'::jsonb END,
		p_priority, p_stream => p_stream, p_kind => 'comments')
	FROM (SELECT zcsync._conversation_key(p_stream, p_remote_id)) AS k (key)
$$;
COMMENT ON FUNCTION zcsync._comment_job(bigint, bigint, text, text, timestamptz, integer) IS
'the job that reads the comments of a record';

-- A vendor reports that somebody commented on these records: those whose comments are
-- mirrored have them read at once.
CREATE FUNCTION zcsync._read_conversations(p_stream bigint, p_ids text[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(j.jobs)
	FROM (
		SELECT array_agg(zcsync._comment_job(s.stream_id, s.account_id, s.kind, c.remote_id, c.read_at, 30) ORDER BY c.remote_id COLLATE "C") AS jobs
		FROM zcsync.streams AS s
		JOIN zcsync.conversations AS c ON c.account_id = s.account_id AND c.kind = s.kind AND c.remote_id = ANY (p_ids)
		WHERE s.stream_id = p_stream) AS j
	WHERE j.jobs IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._read_conversations(bigint, text[]) IS
'queues the reading of comments of records on which somebody commented';

-- Jobs for the conversations that are due.  One whose job failed for good is left alone
-- for an hour.
CREATE FUNCTION zcsync._comment_jobs(p_stream bigint) RETURNS zcsync.new_job[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_stream zcsync.streams;
	v_now timestamptz := zcsync._now();
	v_room bigint;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream;
	IF NOT EXISTS (SELECT FROM zcsync.conversations c
			WHERE c.account_id = v_stream.account_id AND c.kind = v_stream.kind AND c.due_at <= v_now) THEN
		RETURN NULL;
	END IF;
	v_room := greatest(20, 2 * coalesce(zcsync._calls_a_minute(v_stream.account_id, 'api'), 0)) - (
		SELECT count(*) FROM zcsync.sync_queue q
		WHERE q.account_id = v_stream.account_id AND q.stream_id = p_stream AND q.operation = 'comments');
	RETURN (
		SELECT array_agg(zcsync._comment_job(p_stream, v_stream.account_id, v_stream.kind, d.remote_id, d.read_at,
			CASE WHEN d.read_at IS NULL THEN 70 ELSE 56 END))
		FROM (
			SELECT c.remote_id, c.read_at
			FROM zcsync.conversations c
			CROSS JOIN LATERAL (SELECT zcsync._conversation_key(p_stream, c.remote_id)) AS k (key)
			WHERE c.account_id = v_stream.account_id AND c.kind = v_stream.kind AND c.due_at <= v_now
				AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
					WHERE q.account_id = v_stream.account_id AND q.record_key = k.key AND q.state = 'running')
				AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
					WHERE q.account_id = v_stream.account_id AND q.dedupe_key = k.key AND q.state IN ('ready', 'held'))
				AND NOT EXISTS (SELECT FROM zcsync.dead_letters l
					WHERE l.account_id = v_stream.account_id AND l.dedupe_key = k.key AND l.died_at > v_now - interval '1 hour')
			ORDER BY c.read_at IS NULL, c.due_at, c.remote_id COLLATE "C"
			LIMIT greatest(v_room, 0)) AS d);
END
$$;
COMMENT ON FUNCTION zcsync._comment_jobs(bigint) IS
'jobs that read the comments of records of a stream, as many as the budget can do soon';

-- The job of the lane that brings new comments, unless it is on its way.
CREATE FUNCTION zcsync._comment_lane_job(p_stream bigint) RETURNS zcsync.new_job
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._job(s.account_id, zcsync._kind_queue(s.kind), 'pull', zcsync._pull_class(s.stream_id), k.key, k.key,
		'{"lane": "comments"}', 45, p_stream => s.stream_id, p_kind => s.kind)
	FROM zcsync.streams s
	CROSS JOIN LATERAL (SELECT format('pull/%s/comments', s.stream_id)) AS k (key)
	WHERE s.stream_id = p_stream
		AND EXISTS (SELECT FROM zcsync.conversations c WHERE c.account_id = s.account_id AND c.kind = s.kind)
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = s.account_id AND q.record_key = k.key AND q.state = 'running')
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = s.account_id AND q.dedupe_key = k.key AND q.state = 'ready')
$$;
COMMENT ON FUNCTION zcsync._comment_lane_job(bigint) IS
'the job that reads new comments of a stream''s records; NULL: no record is followed, or it is on its way';

-- Count how far the first reading of comments is, for the view progress.  A stream that
-- has few left to read is not counted.  Many are counted once in ten minutes (p_next: the
-- next turn), since all of them are read for that.
CREATE FUNCTION zcsync._count_conversations(p_stream bigint, p_next timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_last jsonb;
	v record;
BEGIN
	SELECT s.account_id, s.kind, s.comments_counted INTO STRICT v FROM zcsync.streams s WHERE s.stream_id = p_stream;
	v_last := v.comments_counted;
	IF (SELECT count(*) FROM (SELECT c.read_at FROM zcsync.conversations c
			WHERE c.account_id = v.account_id AND c.kind = v.kind AND c.due_at IS NOT NULL
			ORDER BY c.due_at LIMIT 2000) AS u WHERE u.read_at IS NULL) <= 50 THEN
		UPDATE zcsync.streams s SET comments_counted = NULL WHERE s.stream_id = p_stream AND v_last IS NOT NULL;
	ELSIF v_last IS NULL OR (v_last ->> 'all')::bigint < 20000 OR date_bin('10 minutes', p_next, 'epoch') > v_now THEN
		UPDATE zcsync.streams s
		SET comments_counted = jsonb_build_object('began', coalesce(v_last -> 'began', to_jsonb(v_now)), 'before', coalesce((v_last ->> 'before')::bigint, n.done),
			'read', greatest(n.done - coalesce((v_last ->> 'before')::bigint, n.done), 0), 'unread', n.unread, 'all', n.done + n.unread, 'at', v_now)
		FROM (
			SELECT count(*) FILTER (WHERE c.read_at IS NOT NULL) AS done, count(*) FILTER (WHERE c.read_at IS NULL) AS unread
			FROM zcsync.conversations c WHERE c.account_id = v.account_id AND c.kind = v.kind) AS n
		WHERE s.stream_id = p_stream;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._count_conversations(bigint, timestamptz) IS
'counts the records of a stream whose comments were read, and those that were not yet';

CREATE FUNCTION zcsync._comments_left(p_counted jsonb) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN c.read > 0 THEN greatest((c.at - c.began) * (c.unread / c.read::double precision) - (zcsync._now() - c.at), '0') END
	FROM jsonb_to_record(p_counted) AS c (began timestamptz, at timestamptz, read bigint, unread bigint)
$$;
COMMENT ON FUNCTION zcsync._comments_left(jsonb) IS
'in how much time comments are read, if it goes on as so far; NULL: none was read yet';

-- A stream is looked after as often as it is read, but not more often than three times a
-- minute.  Each turn takes up the pairs that are new; the last turn of every ten minutes
-- looks at all pairs, of which there may be many.
CREATE FUNCTION zcsync._enqueue_due_comments() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_stream record;
	v_next timestamptz;
	v_lane zcsync.new_job;
	v_jobs zcsync.new_job[] := '{}';
BEGIN
	FOR v_stream IN
		SELECT s.stream_id, s.account_id, s.kind, s.comments, s.pull_interval
		FROM zcsync.streams s
		CROSS JOIN LATERAL (SELECT * FROM zcsync.accounts a WHERE a.account_id = s.account_id OFFSET 0) a
		WHERE s.state = 'active' AND s.comments_at <= v_now AND a.state = 'active'
		ORDER BY s.comments_at
		LIMIT 100
		FOR NO KEY UPDATE OF s SKIP LOCKED
	LOOP
		UPDATE zcsync.streams s
		SET comments_at = zcsync._next_turn(s.stream_id, v_now, greatest(s.pull_interval, interval '20 seconds'))
		WHERE s.stream_id = v_stream.stream_id
		RETURNING s.comments_at INTO v_next;
		IF v_stream.comments = 'linked' THEN
			PERFORM zcsync._follow_linked(v_stream.account_id, v_stream.kind, CASE
				WHEN date_bin('10 minutes', v_next, 'epoch') > v_now
					OR NOT EXISTS (SELECT FROM zcsync.conversations c WHERE c.account_id = v_stream.account_id AND c.kind = v_stream.kind)
				THEN '-infinity' ELSE v_now - interval '20 minutes' END);
		END IF;
		PERFORM zcsync._count_conversations(v_stream.stream_id, v_next);
		v_jobs := v_jobs || coalesce(zcsync._comment_jobs(v_stream.stream_id), '{}');
		IF zcsync._comments_of(v_stream.stream_id) = 'events' THEN
			v_lane := zcsync._comment_lane_job(v_stream.stream_id);
			IF v_lane.account_id IS NOT NULL THEN
				v_jobs := v_jobs || v_lane;
			END IF;
		END IF;
	END LOOP;
	IF v_jobs <> '{}' THEN
		PERFORM zcsync._enqueue(v_jobs);
	END IF;
	RETURN cardinality(v_jobs);
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_due_comments() IS
'queues the reading of comments that is due, and plans when to look again; returns how many jobs';

CREATE FUNCTION zcsync._next_due_comments() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
	RETURN (
		SELECT s.comments_at
		FROM zcsync.streams s
		CROSS JOIN LATERAL (SELECT * FROM zcsync.accounts a WHERE a.account_id = s.account_id OFFSET 0) a
		WHERE s.state = 'active' AND s.comments_at IS NOT NULL AND a.state = 'active'
		ORDER BY s.comments_at
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION zcsync._next_due_comments() IS
'when comments of a stream are to be looked after next; NULL: there is none';

CREATE FUNCTION zcsync._move_comments(p_step interval) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.streams s SET comments_at = s.comments_at - p_step
	WHERE s.stream_id IN (
		SELECT w.stream_id FROM zcsync.streams w WHERE w.comments_at > zcsync._now() FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._move_comments(interval) IS
'moves the times at which comments are looked after when the clock was set back';

-- ---------------------------------------------------------------------
-- The operation
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._prepare_comments(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_job record;
	v_request jsonb;
	v_prepared zcsync.prepared[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.stream_id, q.payload, c.remote_id IS NOT NULL AS wanted, c.version
		FROM zcsync.sync_queue q LEFT JOIN zcsync.streams s ON s.stream_id = q.stream_id
		LEFT JOIN zcsync.conversations c ON c.account_id = s.account_id AND c.kind = s.kind AND c.remote_id = q.payload ->> 'id'
		WHERE q.job_id = ANY (p_ids)
	LOOP
		v_request := NULL;
		IF v_job.wanted THEN
			EXECUTE format('SELECT %s($1, $2)', v_vendor.comments_request::regproc)
				INTO v_request USING v_job.stream_id, v_job.payload;
		END IF;
		v_prepared := v_prepared || ROW(v_job.job_id, v_request || jsonb_build_object('may_be_gone', true, 'record_version', v_job.version))::zcsync.prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_comments(bigint, bigint[]) IS
'the requests for comments of records';

-- A record's comments were read to the end.  If it changed, or a comment could not be
-- stored, since the reading began, they are due again: p_version is that which the record
-- had then, p_newest the time of the newest comment after the first page.
CREATE FUNCTION zcsync._end_conversation(p_account bigint, p_kind text, p_remote_id text, p_key text, p_began timestamptz,
	p_version text, p_newest timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_letters bigint[];
	v_due timestamptz;
BEGIN
	UPDATE zcsync.conversations c
	SET read_at = p_began, due_at = CASE WHEN c.due_at > p_began THEN c.due_at WHEN c.version IS DISTINCT FROM p_version THEN zcsync._now() END,
		-- one that could not be stored is to be found again
		read_to = CASE WHEN c.due_at > p_began THEN c.read_to ELSE greatest(c.read_to, p_newest) END,
		partial_at = CASE WHEN c.partial_at > p_began THEN c.partial_at END
	WHERE c.account_id = p_account AND c.kind = p_kind AND c.remote_id = p_remote_id
	RETURNING c.due_at INTO v_due;
	IF v_due IS NULL THEN
		PERFORM zcsync._resolve_alert(l.code, l.object) FROM zcsync.alerts l
		WHERE l.code = 'comment_not_stored' AND l.object = zcsync.reference(p_account, p_kind, p_remote_id, NULL) AND l.resolved_at IS NULL;
	END IF;
	v_letters := ARRAY(SELECT d.job_id FROM zcsync.dead_letters d WHERE d.account_id = p_account AND d.dedupe_key = p_key);
	IF v_letters <> '{}' THEN
		PERFORM zcsync._close_letters(v_letters);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._end_conversation(bigint, text, text, text, timestamptz, text, timestamptz) IS
'notes that the comments of a record were read';

CREATE FUNCTION zcsync._finish_comments(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_changed integer;
	v_next jsonb;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, s.stream_id, q.account_id, s.kind, q.payload, q.dedupe_key, o.request, o.reply, (zcsync._vendor_of(a.vendor)).comments_next,
			coalesce((q.payload ->> 'began')::timestamptz, q.claimed_at) AS began
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		JOIN zcsync.accounts a ON a.account_id = q.account_id
		LEFT JOIN zcsync.streams s ON s.stream_id = q.stream_id
	LOOP
		v_next := NULL;
		v_changed := 0;
		IF v_job.stream_id IS NOT NULL AND NOT v_job.reply ? 'zcsync_missing' THEN
			EXECUTE format('SELECT %s($1, $2, $3)', v_job.comments_next::regproc)
				INTO v_next USING v_job.stream_id, v_job.request, v_job.reply;
			v_changed := (zcsync._apply_reply(v_job.stream_id, zcsync._origin_of('pull', v_job.job_id), v_job.request, v_job.reply)).changed;
		END IF;
		IF NOT v_job.payload ? 'began' THEN
			v_job.payload := v_job.payload || jsonb_build_object('began', v_job.began, 'version', v_job.request -> 'record_version', 'newest', (
				SELECT max(c.created_at) FROM zcsync.comments c
				WHERE c.account_id = v_job.account_id AND c.parent_id = v_job.payload ->> 'id' AND c.parent_kind = v_job.kind AND c.remote_id IS NOT NULL));
		END IF;
		IF v_next IS NULL THEN
			PERFORM zcsync._end_conversation(v_job.account_id, v_job.kind, v_job.payload ->> 'id', v_job.dedupe_key, v_job.began,
				v_job.payload ->> 'version', (v_job.payload ->> 'newest')::timestamptz);
		ELSE
			UPDATE zcsync.sync_queue q SET payload = v_job.payload || jsonb_build_object('page', v_next)
			WHERE q.job_id = v_job.job_id;
			UPDATE zcsync.conversations c SET partial_at = v_job.began
			WHERE c.account_id = v_job.account_id AND c.kind = v_job.kind AND c.remote_id = v_job.payload ->> 'id' AND c.partial_at IS NULL;
		END IF;
		v_endings := v_endings || ROW(v_job.job_id, CASE WHEN v_next IS NULL THEN 'ended' ELSE 'again' END, 'done', v_changed,
			NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_comments(zcsync.outcome[]) IS
'stores comments of records that came, and goes on with their next page';

CREATE FUNCTION zcsync._operation_comments() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('comments',
		p_prepare => 'zcsync._prepare_comments(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_comments(zcsync.outcome[])'::regprocedure,
		p_enqueue_due => 'zcsync._enqueue_due_comments()'::regprocedure,
		p_next_due => 'zcsync._next_due_comments()'::regprocedure,
		p_clock_back => 'zcsync._move_comments(interval)'::regprocedure,
		p_alone => true);
END;
COMMENT ON FUNCTION zcsync._operation_comments() IS
'operation comments: reads the comments of a record';

-- ---------------------------------------------------------------------
-- Comments that cannot be stored now
-- ---------------------------------------------------------------------

-- Returns the documents of comments whose record is followed no more; these are parked
-- as others are.  The others are read again: soon where somebody holds the row, in ten
-- minutes where the row cannot be stored, which an alert tells.
CREATE FUNCTION zcsync._read_comments_again(p_account bigint, p_waiting zcsync.document[], p_failed zcsync.document[])
RETURNS zcsync.document[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_left zcsync.document[];
BEGIN
	UPDATE zcsync.conversations c
	SET due_at = v_now + d.delay, partial_at = CASE WHEN d.is_partial THEN v_now ELSE c.partial_at END
	FROM (
		SELECT u.vals ->> 'parent_kind', u.vals ->> 'parent_id', max(u.delay), bool_or(u.is_new)
		FROM (SELECT w.vals, interval '1 second', NOT EXISTS (
				SELECT FROM zcsync.comments k WHERE k.account_id = p_account AND k.remote_id = w.remote_id) FROM unnest(p_waiting) AS w
			UNION ALL SELECT f.vals, interval '10 minutes', false FROM unnest(p_failed) AS f) AS u (vals, delay, is_new)
		GROUP BY 1, 2) AS d (kind, remote_id, delay, is_partial)
	WHERE c.account_id = p_account AND c.kind = d.kind AND c.remote_id = d.remote_id;
	PERFORM zcsync._alert('comment_not_stored', r.name, 'warning', format('a comment of "%s" cannot be stored', r.name),
		'Look for constraints and triggers of your own on zcsync.comments; its comments are read again every ten minutes.')
	FROM (
		SELECT DISTINCT zcsync.reference(p_account, f.vals ->> 'parent_kind', f.vals ->> 'parent_id', NULL)
		FROM unnest(p_failed) AS f) AS r (name);
	SELECT array_agg(ROW(u.*)::zcsync.document) INTO v_left
	FROM unnest(p_waiting || p_failed) AS u
	WHERE NOT EXISTS (SELECT FROM zcsync.conversations c
		WHERE c.account_id = p_account AND c.kind = u.vals ->> 'parent_kind' AND c.remote_id = u.vals ->> 'parent_id');
	RETURN v_left;
END
$$;
COMMENT ON FUNCTION zcsync._read_comments_again(bigint, zcsync.document[], zcsync.document[]) IS
'plans to read comments again that cannot be stored now; returns those that must be parked instead';
