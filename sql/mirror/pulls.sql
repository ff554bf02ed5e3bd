-- ---------------------------------------------------------------------
-- What the engine calls for streams: due pulls, pages that came, rows that
-- had to wait.
-- ---------------------------------------------------------------------

-- When a stream is to be read next.  Each stream has its own moment within its
-- interval, so that streams which were added together, or were all overdue, are not
-- read at the same time.  The moments are whole seconds; otherwise a worker with many
-- streams would never rest.
CREATE FUNCTION zcsync._next_turn(p_stream bigint, p_now timestamptz, p_interval interval) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT to_timestamp((floor((x.now - t.turn) / x.step) + 1) * x.step + t.turn)
	FROM (SELECT date_part('epoch', p_now - to_timestamp(0)), date_part('epoch', p_interval)) AS x (now, step)
	-- multiples of the golden ratio spread consecutive numbers evenly
	CROSS JOIN LATERAL (SELECT floor(x.step * (p_stream * 0.6180339887498949 - floor(p_stream * 0.6180339887498949)))) AS t (turn);
END;
COMMENT ON FUNCTION zcsync._next_turn(bigint, timestamptz, interval) IS
'when a stream is to be read next; streams with the same interval are read at different moments';

-- The least time between live reads of a stream while a history waits for calls of the
-- same budget.  The history gets budget_share of the budget's calls, as the account
-- gets budget_share of the vendor's.
CREATE FUNCTION zcsync._live_gap(p_account bigint, p_class text) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT make_interval(secs => 1 / ((1 - least(b.share, 0.95)) * zcsync._bucket_rate(b.calls, b.share, b.window_s)))
	FROM zcsync.account_budgets b WHERE b.account_id = p_account AND b.class = p_class
$$;
COMMENT ON FUNCTION zcsync._live_gap(bigint, text) IS
'the least time between live reads while a history waits for calls of this budget';

-- Queue the pulls that are due.  A lane that is still being read is left alone.  A
-- stream whose last pull failed for a reason that does not end by itself is read a
-- tenth as often; one whose webhooks are heard more rarely, too (heard.sql).
--
-- Live lanes come before history, and comparisons after both, once a day.  But where
-- live lanes are due more often than the budget allows calls, a waiting history gets
-- its turn after each of theirs, and its share of the calls.
CREATE FUNCTION zcsync._enqueue_due_pulls() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_jobs zcsync.new_job[];
	v_spared bigint[];
	v_turns interval[];
BEGIN
	WITH due AS (
		SELECT s.stream_id, s.account_id, s.kind, s.history_state, s.last_pull_at, zcsync._pull_class(s.stream_id) AS class,
			zcsync._turn_interval(s.stream_id, s.pull_interval) AS turn,
			-- a CASE, so that no descriptor is read before the day is over
			CASE WHEN s.compare_cursor IS NOT NULL THEN true
				WHEN s.history_state <> 'running' AND coalesce(s.compared_at, s.created_at) <= v_now - interval '1 day'
					THEN (zcsync._kind_of(a.vendor, s.kind)).compared END AS is_compared
		FROM zcsync.streams s
		CROSS JOIN LATERAL (SELECT * FROM zcsync.accounts a WHERE a.account_id = s.account_id OFFSET 0) a
		WHERE s.state = 'active' AND s.next_pull_at <= v_now AND a.state = 'active' AND a.vendor <> 'local'
		ORDER BY s.next_pull_at
		LIMIT 1000
		FOR NO KEY UPDATE OF s SKIP LOCKED),
	moved AS (
		UPDATE zcsync.streams s
		SET next_pull_at = CASE WHEN s.last_error_lane = 'live' AND s.last_error_class NOT IN ('vendor', 'throttled')
			THEN v_now + greatest(s.pull_interval, least(10 * s.pull_interval, interval '1 hour'))
			ELSE zcsync._next_turn(s.stream_id, v_now, due.turn) END
		FROM due WHERE s.stream_id = due.stream_id
		RETURNING s.stream_id, due.turn, due.turn > s.pull_interval AS is_spared)
	SELECT (SELECT array_agg(m.stream_id) FROM moved AS m WHERE m.is_spared), (SELECT array_agg(m.turn) FROM moved AS m WHERE m.is_spared), array_agg(zcsync._job(d.account_id, zcsync._kind_queue(d.kind), 'pull', d.class, k.key, k.key,
		jsonb_build_object('lane', l.lane), l.priority, p_stream => d.stream_id, p_kind => d.kind) ORDER BY d.stream_id, l.priority)
	INTO v_spared, v_turns, v_jobs
	FROM due d
	CROSS JOIN (VALUES ('live', 40), ('history', 60), ('compare', 80)) AS l (lane, priority)
	CROSS JOIN LATERAL (SELECT format('pull/%s/%s', d.stream_id, l.lane)) AS k (key)
	WHERE CASE l.lane
			WHEN 'history' THEN d.history_state = 'running'
			WHEN 'compare' THEN d.is_compared
			ELSE NOT EXISTS (
				SELECT FROM (SELECT * FROM zcsync.streams h WHERE h.account_id = d.account_id OFFSET 0) h
				CROSS JOIN LATERAL (	-- "held" as well, so that only the index of keys can be used
					SELECT * FROM zcsync.sync_queue x
					WHERE x.account_id = h.account_id AND x.dedupe_key = format('pull/%s/history', h.stream_id) AND x.state IN ('ready', 'held') OFFSET 0) q
				JOIN zcsync.queues qs ON qs.name = q.queue
				WHERE h.state = 'active' AND h.history_state = 'running'
					AND q.state = 'ready' AND q.budget_class = d.class AND qs.state = 'active'
					AND (q.run_at < d.last_pull_at
						OR q.run_at <= v_now AND v_now < d.last_pull_at + zcsync._live_gap(d.account_id, d.class)))
			END
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = d.account_id AND q.record_key = k.key AND q.state = 'running')
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = d.account_id AND q.dedupe_key = k.key AND q.state IN ('ready', 'held'));
	IF v_spared IS NOT NULL THEN
		PERFORM zcsync._count_saved(v_spared, v_turns);
	END IF;
	IF v_jobs IS NOT NULL THEN
		PERFORM zcsync._enqueue(v_jobs);
	END IF;
	RETURN coalesce(cardinality(v_jobs), 0);
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_due_pulls() IS
'queues the pulls of streams that are due and plans their next ones; returns how many';

CREATE FUNCTION zcsync._next_due() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
	RETURN (
		SELECT s.next_pull_at
		FROM zcsync.streams s
		CROSS JOIN LATERAL (SELECT * FROM zcsync.accounts a WHERE a.account_id = s.account_id OFFSET 0) a
		WHERE s.state = 'active' AND a.state = 'active' AND a.vendor <> 'local'
		ORDER BY s.next_pull_at
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION zcsync._next_due() IS
'when the next stream is to be read, or should have been read; NULL: there is none';

-- Store the rows of a reply, kind by kind.
CREATE FUNCTION zcsync._apply_reply(p_stream_id bigint, p_origin zcsync.origin, p_request jsonb, p_reply jsonb,
	OUT changed integer, OUT records integer, OUT oldest timestamptz, OUT newest timestamptz)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_stream record;
	v_rows record;
BEGIN
	changed := 0;
	records := 0;
	SELECT s.account_id, s.kind, s.comments, s.comments_at, a.vendor INTO STRICT v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream_id;
	FOR v_rows IN EXECUTE format($sql$
		SELECT r.kind, count(*)::integer AS records,
			array_agg(ROW(r.remote_id, r.remote_version, r.vals, r.doc, r.is_deleted)::zcsync.document) AS documents,
			min(r.vals ->> 'created_at') AS oldest, max(r.vals ->> 'updated_at') AS newest
		FROM %s($1, $2, $3, $4) AS r
		GROUP BY r.kind
		ORDER BY r.kind = $2 DESC$sql$, (zcsync._vendor_of(v_stream.vendor)).rows::regproc)
		USING v_stream.account_id, v_stream.kind, p_request, p_reply
	LOOP
		changed := changed + zcsync._take_page(p_stream_id, v_rows.kind, v_rows.documents, p_origin);
		IF v_rows.kind = v_stream.kind AND v_stream.comments_at IS NOT NULL THEN
			PERFORM zcsync._note_conversations(v_stream.account_id, v_stream.kind, v_stream.comments = 'all',
				CASE zcsync._comments_of(p_stream_id) WHEN 'events' THEN interval '1 hour' ELSE interval '0' END, v_rows.documents);
		END IF;
		IF v_rows.kind = v_stream.kind THEN
			records := v_rows.records;
			oldest := v_rows.oldest;
			newest := v_rows.newest;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._apply_reply(bigint, zcsync.origin, jsonb, jsonb) IS
'takes all documents of a reply; says how many changed and how many records of the stream''s kind it held';

-- A page arrived: store it and move the lane's cursor.
--
-- The page is dropped, and nothing moves, if the stream was removed or paused
-- meanwhile, or if its cursors were reset (see _restart_stream()): then the page
-- belongs to a read that was given up.  If somebody has locked the stream, this does
-- not wait: the page is read again.
CREATE FUNCTION zcsync._finish_pull(p_job_id bigint, p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (again boolean, run_after interval, changed integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_stream record;
	v_page record;
	v_next record;
BEGIN
	again := false;
	changed := 0;
	SELECT s.state, a.vendor, a.name || '/' || s.kind AS name,
		-- this read began with its first page
		CASE p_lane WHEN 'live' THEN coalesce(s.reading_since, (SELECT q.claimed_at FROM zcsync.sync_queue q WHERE q.job_id = p_job_id)) END AS began_at
	INTO v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream_id
	FOR NO KEY UPDATE OF s SKIP LOCKED;
	IF NOT FOUND THEN
		again := EXISTS (SELECT FROM zcsync.streams s WHERE s.stream_id = p_stream_id);
		run_after := '1 second';
		RETURN NEXT;
		RETURN;
	END IF;
	UPDATE zcsync.sync_queue q SET stale = false WHERE q.job_id = p_job_id AND q.stale;
	IF FOUND OR v_stream.state <> 'active' THEN
		again := v_stream.state = 'active';
		RETURN NEXT;
		RETURN;
	END IF;

	v_page := zcsync._apply_reply(p_stream_id, zcsync._origin_of('pull', p_job_id), p_request, p_reply);
	IF p_lane = 'live' AND v_page.changed > 0 THEN
		PERFORM zcsync._note_unheard(p_stream_id);
	END IF;
	IF p_lane = 'compare' THEN
		SELECT n.* INTO v_next FROM zcsync._next_comparison(p_job_id, p_stream_id, p_request, p_reply) AS n;
	ELSE
		EXECUTE format('SELECT n.cursor, n.more, n.run_after FROM %s($1, $2, $3, $4) AS n', (zcsync._vendor_of(v_stream.vendor)).next::regproc)
			INTO v_next USING p_stream_id, p_lane, p_request, p_reply;
	END IF;

	UPDATE zcsync.streams s
	SET live_cursor = CASE p_lane WHEN 'live' THEN coalesce(v_next.cursor, s.live_cursor) ELSE s.live_cursor END,
		history_cursor = CASE p_lane WHEN 'history' THEN coalesce(v_next.cursor, s.history_cursor) ELSE s.history_cursor END,
		compare_cursor = CASE p_lane WHEN 'compare' THEN v_next.cursor ELSE s.compare_cursor END,
		comments_cursor = CASE p_lane WHEN 'comments' THEN coalesce(v_next.cursor, s.comments_cursor) ELSE s.comments_cursor END,
		last_pull_at = CASE WHEN p_lane = 'live' AND NOT v_next.more THEN v_now ELSE s.last_pull_at END,
		read_began_at = CASE WHEN p_lane = 'live' AND NOT v_next.more THEN v_stream.began_at ELSE s.read_began_at END,
		reading_since = CASE WHEN p_lane <> 'live' THEN s.reading_since WHEN v_next.more THEN v_stream.began_at END,
		history_state = CASE WHEN p_lane = 'history' AND NOT v_next.more THEN 'done' ELSE s.history_state END,
		history_done_at = CASE WHEN p_lane = 'history' AND NOT v_next.more THEN v_now ELSE s.history_done_at END,
		records_estimate = CASE WHEN p_lane = 'history' THEN coalesce((v_next.cursor ->> 'expected')::bigint, s.records_estimate) ELSE s.records_estimate END,
		records_done = s.records_done + CASE p_lane WHEN 'history' THEN v_page.records ELSE 0 END,
		calls_done = s.calls_done + (p_lane = 'history')::integer,
		last_change_at = CASE WHEN v_page.changed > 0 THEN v_now ELSE s.last_change_at END,
		oldest_record_at = least(s.oldest_record_at, v_page.oldest),
		newest_record_at = greatest(s.newest_record_at, v_page.newest)
	WHERE s.stream_id = p_stream_id;
	PERFORM zcsync._forget_pull_error(p_stream_id, p_lane);
	IF p_lane = 'live' AND NOT v_next.more THEN
		PERFORM zcsync._note_awaited_read(p_stream_id);
		PERFORM zcsync._release_pushes(p_stream_id);
	END IF;
	PERFORM zcsync._resolve_alert(l.code, l.object) FROM zcsync.alerts l
	WHERE l.code = 'cursor_refused' AND l.object = v_stream.name AND l.resolved_at IS NULL AND NOT v_next.more;
	again := v_next.more;
	run_after := v_next.run_after;
	changed := v_page.changed;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._finish_pull(bigint, bigint, text, jsonb, jsonb) IS
'stores a page and moves its lane''s cursor; says whether to go on at once';

-- A lane was read: forget its error, but not that of the other lane.  While the lane
-- failed, the stream may have been planned to be read more rarely; that ends.
CREATE FUNCTION zcsync._forget_pull_error(p_stream_id bigint, p_lane text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.streams s
	SET last_error = NULL, last_error_at = NULL, last_error_class = NULL, last_error_lane = NULL, failing_since = NULL,
		next_pull_at = least(s.next_pull_at, zcsync._now() + s.pull_interval)
	WHERE s.stream_id = p_stream_id AND s.last_error_at IS NOT NULL AND s.last_error_lane IS NOT DISTINCT FROM p_lane;
END
$$;
COMMENT ON FUNCTION zcsync._forget_pull_error(bigint, text) IS
'forgets why a lane of a stream could not be read, now that it was';

-- Records that were asked for arrived.  A record that the reply lacks is left as it is:
-- it may be gone, or these credentials may not see it.  But a record that was in none
-- of the vendor's lists either is gone if the vendor says that it does not exist: see
-- comparison.sql.
CREATE FUNCTION zcsync._finish_fetch(p_job_id bigint, p_stream_id bigint, p_request jsonb, p_reply jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.streams s WHERE s.stream_id = p_stream_id) THEN
		RETURN 0;
	ELSIF p_request ? 'may_be_gone' AND p_reply ? 'zcsync_missing' THEN
		RETURN (SELECT zcsync._take_page(p_stream_id, q.kind, array_agg(ROW(i.id, NULL, '{}', NULL, true)::zcsync.document),
				zcsync._origin_of('pull', p_job_id))
			FROM zcsync.sync_queue q CROSS JOIN LATERAL jsonb_array_elements_text(q.payload -> 'ids') AS i (id)
			WHERE q.job_id = p_job_id GROUP BY q.kind);
	END IF;
	PERFORM zcsync._release_pushes_of(p_stream_id, ARRAY(SELECT jsonb_array_elements_text(q.payload -> 'ids')), q.claimed_at)
	FROM zcsync.sync_queue q WHERE q.job_id = p_job_id;
	RETURN (zcsync._apply_reply(p_stream_id, zcsync._origin_of('pull', p_job_id), p_request, p_reply)).changed;
END
$$;
COMMENT ON FUNCTION zcsync._finish_fetch(bigint, bigint, jsonb, jsonb) IS
'stores records fetched by their ids; returns how many changed';

-- Lock jobs of rows that waited and may be tried again.  They come in the order of the
-- index sync_queue_apply, which no other index has; so the planner cannot choose one
-- with which it would read all jobs.
CREATE FUNCTION zcsync._due_apply_jobs(p_max integer) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT q.job_id
	FROM zcsync.sync_queue q
	JOIN zcsync.queues qs ON qs.name = q.queue AND qs.state = 'active'
	WHERE q.operation = 'apply' AND q.budget_class = '' AND q.state = 'ready' AND q.run_at <= zcsync._now()
	ORDER BY q.account_id, q.kind, q.dedupe_key
	LIMIT p_max
	FOR UPDATE OF q SKIP LOCKED;
END
$$;
COMMENT ON FUNCTION zcsync._due_apply_jobs(integer) IS
'locks jobs of rows that waited and are due, and returns them';

-- Try again to store rows that had to wait.  A row that is still locked goes back for
-- up to half a minute, as often as necessary.  A row that cannot be stored counts a
-- failure, and becomes a dead letter after the attempts that the queue allows.
CREATE FUNCTION zcsync._run_apply_jobs(p_max integer DEFAULT 200, p_started bigint DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- see queue/claim.sql
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_jobs bigint[] := ARRAY(SELECT zcsync._due_apply_jobs(p_max));
	v_batch record;
	v_result record;
	v_done bigint[];
	v_count integer := 0;
BEGIN
	IF v_jobs = '{}' THEN
		RETURN 0;
	END IF;
	FOR v_batch IN
		SELECT q.account_id, q.kind, array_agg(q.job_id ORDER BY q.job_id) AS jobs,
			array_agg(zcsync._document_of(q.payload #> '{rows,0}') ORDER BY q.job_id) AS documents
		FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_jobs)
		GROUP BY q.account_id, q.kind
	LOOP
		v_result := zcsync._take(v_batch.account_id, v_batch.kind, v_batch.documents,
			zcsync._origin_of('pull', v_batch.jobs[1]));
		v_done := ARRAY(SELECT j FROM unnest(v_batch.jobs) WITH ORDINALITY AS x (j, n)
			WHERE n <> ALL (v_result.waiting || v_result.failed));
		PERFORM zcsync._note_read(v_batch.account_id, v_batch.kind, v_batch.documents, v_result.waiting || v_result.failed);

		UPDATE zcsync.sync_queue q
		SET attempts = q.attempts + 1, run_at = v_now + least(interval '30 seconds', interval '250 ms' * power(2, least(q.attempts, 10))),
			last_class = 'waiting', last_error = 'the row is in use by another session'
		WHERE q.job_id = ANY (ARRAY(SELECT v_batch.jobs[n] FROM unnest(v_result.waiting) AS n));

		PERFORM zcsync._fail_apply(v_batch.jobs[v_result.failed[n]], v_result.errors[n])
		FROM generate_subscripts(v_result.failed, 1) AS n;

		WITH gone AS (
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_done) RETURNING q.*)
		INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, status, attempts, queued_at, created_at)
		SELECT g.job_id, g.account_id, g.queue, g.operation, g.kind, g.local_id, 'done', g.attempts + 1, g.created_at, v_now
		FROM gone g;
		PERFORM zcsync._count_operations(v_batch.account_id, 'apply', array_fill('done'::text, ARRAY[cardinality(v_done)]));
		v_count := v_count + cardinality(v_done);
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._run_apply_jobs(integer, bigint) IS
'stores rows that had to wait for a lock or could not be stored; returns how many jobs ended well';

CREATE FUNCTION zcsync._fail_apply(p_job bigint, p_error text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
BEGIN
	UPDATE zcsync.sync_queue q
	SET attempts = q.attempts + 1, failures = q.failures + 1, last_class = 'broken', last_error = p_error,
		run_at = zcsync._now() + zcsync._backoff(qs.backoff_base, qs.backoff_cap, q.failures)
	FROM zcsync.queues qs
	WHERE q.job_id = p_job AND qs.name = q.queue
	RETURNING q.failures, qs.max_attempts INTO v_job;
	IF v_job.failures >= v_job.max_attempts THEN
		PERFORM zcsync._bury(p_job, 'broken', NULL, p_error,
			'Look for constraints and triggers of your own on this table, then queue it again with zcsync.retry().', NULL);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._fail_apply(bigint, text) IS
'counts a failure of a row that cannot be stored; after the last attempt it is a dead letter';
