-- ---------------------------------------------------------------------
-- The operations of mirrors: pull, fetch, apply and push.  queue/operations.sql says
-- what an operation is, and when its hooks are called.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- pull: the next page of a lane of a stream
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._prepare_pulls(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
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
		SELECT q.job_id, q.stream_id, q.payload FROM zcsync.sync_queue q WHERE q.job_id = ANY (p_ids)
	LOOP
		IF v_job.payload ->> 'lane' = 'compare' THEN
			v_request := zcsync._comparison_request(v_job.stream_id);
		ELSE
			EXECUTE format('SELECT %s($1, $2)', v_vendor.pull_request::regproc)
				INTO v_request USING v_job.stream_id, v_job.payload ->> 'lane';
		END IF;
		v_prepared := v_prepared || ROW(v_job.job_id, v_request)::zcsync.prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_pulls(bigint, bigint[]) IS
'the requests of pulls';

-- One pull at a time: a page is many rows.
CREATE FUNCTION zcsync._finish_pulls(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_page record;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.stream_id, q.payload ->> 'lane' AS lane, o.request, o.reply
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	LOOP
		v_page := zcsync._finish_pull(v_job.job_id, v_job.stream_id, v_job.lane, v_job.request, v_job.reply);
		v_endings := v_endings || ROW(v_job.job_id, CASE WHEN v_page.again THEN 'again' ELSE 'ended' END, 'done', v_page.changed,
			v_page.run_after, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_pulls(zcsync.outcome[]) IS
'stores pages that came';

-- The vendor refused a request of a lane.  If the vendor's hook says that the reason is
-- a cursor that was lost, the lane goes on from another place, and an alert says so.
CREATE FUNCTION zcsync._restart_lane(p_stream bigint, p_lane text, p_request jsonb, p_status integer, p_message text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_cursor jsonb;
	v_said text;
BEGIN
	SELECT (zcsync._vendor_of(a.vendor)).restart, a.name || '/' || s.kind AS name INTO v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream;
	IF v_stream.restart IS NULL THEN
		RETURN;
	END IF;
	EXECUTE format('SELECT %s($1, $2, $3)', v_stream.restart::regproc) INTO v_cursor USING p_request, p_status, p_message;
	IF v_cursor IS NULL THEN
		RETURN;
	END IF;
	UPDATE zcsync.streams s
	SET live_cursor = CASE p_lane WHEN 'live' THEN v_cursor ELSE s.live_cursor END,
		history_cursor = CASE p_lane WHEN 'history' THEN v_cursor ELSE s.history_cursor END
	WHERE s.stream_id = p_stream;
	v_said := format('the cursor of stream "%s" was refused: %s', v_stream.name, p_message);
	RAISE LOG USING MESSAGE = 'zcsync: ' || v_said, DETAIL = 'It is read again from before the last record.';
	PERFORM zcsync._alert('cursor_refused', v_stream.name, 'warning', v_said,
		'Do nothing: it is read again from before the last record that came, and this alert is closed when that is done.');
END
$$;
COMMENT ON FUNCTION zcsync._restart_lane(bigint, text, jsonb, integer, text) IS
'has a lane of a stream go on from another place if its cursor was refused, with an alert';

-- Show in a stream why it cannot be read.
CREATE FUNCTION zcsync._fail_pulls(p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.streams s
	SET last_error = o.message, last_error_at = zcsync._now(), last_error_class = o.class,
		last_error_lane = q.payload ->> 'lane', failing_since = coalesce(s.failing_since, zcsync._now())
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	WHERE s.stream_id = q.stream_id AND o.class NOT IN ('put_back', 'halved');
	PERFORM zcsync._restart_lane(q.stream_id, q.payload ->> 'lane', o.request, o.status, o.message)
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	WHERE o.class IN ('rejected', 'not_found') AND NOT q.stale AND q.payload ->> 'lane' <> 'compare';
END
$$;
COMMENT ON FUNCTION zcsync._fail_pulls(zcsync.outcome[]) IS
'notes the failures of pulls in their streams';

CREATE FUNCTION zcsync._move_pulls(p_step interval) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.streams s
	SET next_pull_at = s.next_pull_at - p_step, last_pull_at = s.last_pull_at - p_step, read_began_at = s.read_began_at - p_step,
		reading_since = s.reading_since - p_step, last_error_at = s.last_error_at - p_step,
		failing_since = s.failing_since - p_step
	WHERE s.stream_id IN (
		SELECT w.stream_id FROM zcsync.streams w WHERE w.next_pull_at > zcsync._now() FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._move_pulls(interval) IS
'moves the next reads of streams when the clock was set back';

-- Does what zcsync.refresh() does.  A read at a later time has a key of its own: it does
-- not take the place of those that come before.
CREATE FUNCTION zcsync._pull_by_hand(p_queue text, p_reference text, p_priority integer, p_run_at timestamptz) RETURNS zcsync.new_job
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_key text;
BEGIN
	SELECT * INTO v_stream FROM zcsync.streams s WHERE s.stream_id = zcsync.stream(p_reference) FOR SHARE;
	v_key := format('pull/%s/live', v_stream.stream_id);
	RETURN zcsync._job(v_stream.account_id, p_queue, 'pull', zcsync._pull_class(v_stream.stream_id), v_key,
		v_key || CASE WHEN p_run_at > zcsync._now() THEN '/planned' ELSE '' END, '{"lane": "live"}', p_priority, p_run_at, v_stream.stream_id, NULL, v_stream.kind);
END
$$;
COMMENT ON FUNCTION zcsync._pull_by_hand(text, text, integer, timestamptz) IS
'the job of zcsync.enqueue() with operation pull';

CREATE FUNCTION zcsync._operation_pull() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('pull',
		p_prepare => 'zcsync._prepare_pulls(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_pulls(zcsync.outcome[])'::regprocedure,
		p_fail => 'zcsync._fail_pulls(zcsync.outcome[])'::regprocedure,
		p_enqueue_due => 'zcsync._enqueue_due_pulls()'::regprocedure,
		p_next_due => 'zcsync._next_due()'::regprocedure,
		p_clock_back => 'zcsync._move_pulls(interval)'::regprocedure,
		p_by_hand => 'zcsync._pull_by_hand(text, text, integer, timestamptz)'::regprocedure,
		p_by_hand_usage => '''pull'' with a stream (account/kind)',
		p_alone => true, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_pull() IS
'operation pull: reads a page of a stream';

-- ---------------------------------------------------------------------
-- fetch: records that somebody asked for
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._prepare_fetches(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
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
		SELECT q.job_id, q.stream_id, q.payload FROM zcsync.sync_queue q WHERE q.job_id = ANY (p_ids)
	LOOP
		EXECUTE format('SELECT %s($1, $2)', v_vendor.fetch_request::regproc)
			INTO v_request USING v_job.stream_id, v_job.payload;
		IF v_job.payload ? 'may_be_gone' THEN
			v_request := v_request || '{"may_be_gone": true}';
		END IF;
		v_prepared := v_prepared || ROW(v_job.job_id, v_request)::zcsync.prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_fetches(bigint, bigint[]) IS
'the requests of fetches';

CREATE FUNCTION zcsync._finish_fetches(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.stream_id, o.request, o.reply
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
	LOOP
		v_endings := v_endings || ROW(v_job.job_id, 'ended', 'done',
			zcsync._finish_fetch(v_job.job_id, v_job.stream_id, v_job.request, v_job.reply), NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_fetches(zcsync.outcome[]) IS
'stores records that were asked for';

CREATE FUNCTION zcsync._operation_fetch() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('fetch',
		p_prepare => 'zcsync._prepare_fetches(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_fetches(zcsync.outcome[])'::regprocedure,
		p_alone => true);
END;
COMMENT ON FUNCTION zcsync._operation_fetch() IS
'operation fetch: reads records by their ids';

-- ---------------------------------------------------------------------
-- apply: rows of a page that had to wait
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._has_due_applies() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM zcsync.sync_queue q
		JOIN zcsync.queues qs ON qs.name = q.queue AND qs.state = 'active'
		WHERE q.operation = 'apply' AND q.state = 'ready' AND q.run_at <= zcsync._now());
END
$$;
COMMENT ON FUNCTION zcsync._has_due_applies() IS
'could a row that had to wait be stored now?';

CREATE FUNCTION zcsync._operation_apply() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('apply', p_run => 'zcsync._run_apply_jobs(integer, bigint)'::regprocedure,
		p_has_due => 'zcsync._has_due_applies()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operation_apply() IS
'operation apply: stores a row of a page that somebody held';

-- ---------------------------------------------------------------------
-- push: what was written here
-- ---------------------------------------------------------------------

-- Nothing is sent for a row whose record was deleted at the vendor.  But if the row was
-- edited, its push is refused with a message, since the edit stays here only.
CREATE FUNCTION zcsync._refuse_deleted(p_prepared zcsync.prepared[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_prepared zcsync.prepared[] := p_prepared;
	v_kind text;
BEGIN
	FOR v_kind IN
		SELECT DISTINCT q.kind FROM unnest(p_prepared) AS p JOIN zcsync.sync_queue q ON q.job_id = p.job_id
		WHERE p.request IS NULL AND q.kind IS NOT NULL
	LOOP
		EXECUTE format($sql$
			SELECT array_agg(ROW(p.job_id, CASE WHEN p.request IS NULL AND t.local_id IS NOT NULL THEN $2 ELSE p.request END)::zcsync.prepared)
			FROM unnest($1) AS p
			JOIN zcsync.sync_queue q ON q.job_id = p.job_id
			LEFT JOIN zcsync.%1$I AS t ON q.kind = %1$L AND t.account_id = q.account_id AND t.local_id = q.local_id
				AND t.deleted_at IS NOT NULL AND t.remote_id IS NOT NULL AND t.sync_state <> 'synced'$sql$, v_kind)
			INTO v_prepared USING v_prepared, '{"refuse": "the record was deleted at the vendor, so nothing of this edit is sent",
				"hint": "If it is restored there: SELECT zcsync.retry(job_id) FROM zcsync.dead_letters; its row has deleted_at until then."}'::jsonb;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_deleted(zcsync.prepared[]) IS
'requests of pushes; those of edited rows whose records were deleted are refused';

-- The vendor's SQL makes the requests of all pushes at once.  Pushes that must wait for
-- a read are left out.  Comments have a way of their own (posting.sql).
--
-- A push of a stream that is read-only is held, whoever made it ready: a release_held()
-- that began before the alter_stream() ended, or resume_route().  What a cancelled create
-- did is still looked up.
CREATE FUNCTION zcsync._prepare_pushes(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_ids bigint[];
	v_posts bigint[];
	v_read_only bigint[];
	v_prepared zcsync.prepared[];
BEGIN
	SELECT coalesce(array_agg(j.job_id) FILTER (WHERE NOT j.is_post AND NOT j.read_only), '{}'),
		coalesce(array_agg(j.job_id) FILTER (WHERE j.is_post AND NOT j.read_only), '{}'), array_agg(j.job_id) FILTER (WHERE j.read_only)
	INTO v_ids, v_posts, v_read_only
	FROM (
		SELECT q.job_id, q.kind = 'comments' AS is_post, s.writes IS FALSE AND q.cancelled IS NULL AS read_only
		FROM zcsync.sync_queue q LEFT JOIN zcsync.streams s ON s.stream_id = q.stream_id
		WHERE q.job_id = ANY (p_ids)) AS j;
	IF v_read_only IS NOT NULL THEN
		UPDATE zcsync.sync_queue q SET state = 'held' WHERE q.job_id = ANY (v_read_only);
	END IF;
	IF NOT v_vendor.conditional AND v_ids <> '{}' THEN
		v_ids := zcsync._pushes_read(p_account, v_ids);
	END IF;
	IF v_ids <> '{}' THEN
		EXECUTE format('SELECT array_agg(ROW(job_id, request)::zcsync.prepared) FROM %s($1)', v_vendor.push_requests::regproc)
			INTO v_prepared USING v_ids;
		IF NOT v_vendor.conditional THEN
			v_prepared := zcsync._refuse_unread(p_account, v_prepared);
		END IF;
	END IF;
	IF v_posts <> '{}' THEN
		v_prepared := v_prepared || zcsync._prepare_posts(p_account, v_posts);
	END IF;
	IF EXISTS (SELECT FROM unnest(v_prepared) AS p WHERE p.request IS NULL) THEN
		v_prepared := zcsync._refuse_deleted(v_prepared);
	END IF;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_pushes(bigint, bigint[]) IS
'the requests of pushes';

-- Store what pushes had to know before they can send anything, like a page, and note in
-- their jobs that it is known, or the id of what was made.  What they have sent already
-- still counts.
CREATE FUNCTION zcsync._finish_learning(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.account_id, q.sent IS NOT NULL AS sent, s.stream_id, o.request, o.reply
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		LEFT JOIN zcsync.streams s ON s.stream_id = q.stream_id
	LOOP
		IF starts_with(v_job.request ->> 'learn', 'login') THEN
			PERFORM zcsync._note_login(v_job.account_id, v_job.reply);
		ELSIF v_job.stream_id IS NOT NULL THEN
			PERFORM zcsync._apply_reply(v_job.stream_id, zcsync._origin_of('pull', v_job.job_id), v_job.request, v_job.reply);
		END IF;
		UPDATE zcsync.sync_queue q
		SET payload = jsonb_set(q.payload, '{learned}', coalesce(q.payload -> 'learned', '{}') || jsonb_build_object(v_job.request ->> 'learn',
			coalesce(v_job.reply #> ARRAY[v_job.request ->> 'learn', 'id'], 'true')))
		WHERE q.job_id = v_job.job_id;
		v_endings := v_endings || ROW(v_job.job_id, CASE WHEN v_job.sent THEN 'repeat' ELSE 'again' END, 'learned', NULL, NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_learning(zcsync.outcome[]) IS
'stores what pushes had to know first';

-- A look-up that goes on, or that found nothing, does not end the failures that made it
-- necessary; nor does an update that was merged with another one.  Otherwise they would
-- go on for ever.
CREATE FUNCTION zcsync._finish_push(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[];
	v_requests jsonb[];
	v_replies jsonb[];
	v_endings zcsync.ending[];
BEGIN
	IF EXISTS (SELECT FROM unnest(p_outcomes) AS o WHERE o.request ? 'learn') THEN
		RETURN zcsync._finish_learning(ARRAY(SELECT o FROM unnest(p_outcomes) AS o WHERE o.request ? 'learn'))
			|| zcsync._finish_push(ARRAY(SELECT o FROM unnest(p_outcomes) AS o WHERE NOT o.request ? 'learn'));
	END IF;
	SELECT array_agg(o.job_id), array_agg(o.request), array_agg(o.reply) INTO v_ids, v_requests, v_replies
	FROM unnest(p_outcomes) AS o;
	SELECT array_agg(ROW(f.job_id, CASE WHEN f.status = 'locked' THEN 'locked' WHEN NOT f.again THEN 'ended'
			WHEN f.status IN ('more', 'absent', 'posted', 'unseen') THEN 'repeat' ELSE 'again' END, f.status, NULL,
			CASE f.status WHEN 'unseen' THEN interval '20 seconds' END, f.status = 'merged')::zcsync.ending)
	INTO v_endings
	FROM zcsync._finish_pushes(v_ids, v_requests, v_replies) AS f;
	-- Creates that were unclear are settled now.
	IF EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_ids) AND q.unclear_since IS NOT NULL) THEN
		v_ids := ARRAY(SELECT e.job_id FROM unnest(v_endings) AS e WHERE e.status NOT IN ('more', 'locked', 'posted', 'unseen'));
		UPDATE zcsync.sync_queue q SET unclear_since = NULL WHERE q.job_id = ANY (v_ids) AND q.unclear_since IS NOT NULL;
		PERFORM zcsync._settle_unclear(array_agg(q.local_id)) FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_ids);
		PERFORM zcsync._close_letters_of('push', ARRAY(
			SELECT q.local_id FROM unnest(v_endings) AS e JOIN zcsync.sync_queue q ON q.job_id = e.job_id WHERE e.how = 'ended'));
	END IF;
	PERFORM zcsync._release_posts(array_agg(q.local_id))
	FROM unnest(v_endings) AS e JOIN zcsync.sync_queue q ON q.job_id = e.job_id
	WHERE q.kind = 'comments' AND e.how = 'ended'
	HAVING count(*) > 0;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_push(zcsync.outcome[]) IS
'stores what the vendor made of pushes';

CREATE FUNCTION zcsync._push_by_hand(p_queue text, p_reference text, p_priority integer, p_run_at timestamptz) RETURNS zcsync.new_job
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_record record;
	v_jobs zcsync.new_job[];
BEGIN
	SELECT * INTO STRICT v_record FROM zcsync.record(p_reference);
	IF v_record.kind = 'comments' THEN
		v_jobs := zcsync._comment_pushes(ARRAY[v_record.account_id], ARRAY[v_record.local_id], ARRAY[zcsync._origin_of('local')]);
	END IF;
	SELECT * INTO v_stream FROM zcsync.streams s
	WHERE s.account_id = v_record.account_id AND (s.kind = v_record.kind OR s.stream_id = v_jobs[1].stream_id);
	IF v_stream.writes IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the stream of "%s" is read-only', p_reference),
			HINT = 'Allow writes with zcsync.alter_stream(''account/kind'', writes => true).';
	END IF;
	RETURN zcsync._job(v_record.account_id, p_queue, 'push', zcsync._push_class(v_record.account_id),
		coalesce(v_jobs[1].record_key, format('%s/%s', v_record.kind, v_record.local_id)), format('push/%s/%s', v_record.kind, v_record.local_id),
		'{}', p_priority, p_run_at, v_stream.stream_id, NULL, v_record.kind, v_record.local_id);
END
$$;
COMMENT ON FUNCTION zcsync._push_by_hand(text, text, integer, timestamptz) IS
'the job of zcsync.enqueue() with operation push';

CREATE FUNCTION zcsync._operation_push() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('push',
		p_prepare => 'zcsync._prepare_pushes(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_push(zcsync.outcome[])'::regprocedure,
		p_fail => 'zcsync._fail_pushes(zcsync.outcome[])'::regprocedure,
		p_shelve => 'zcsync._push_failed(text, bigint, text)'::regprocedure,
		p_by_hand => 'zcsync._push_by_hand(text, text, integer, timestamptz)'::regprocedure,
		p_by_hand_usage => '''push'' with a record (account/kind/id)',
		p_writes => true);
END;
COMMENT ON FUNCTION zcsync._operation_push() IS
'operation push: sends what was written here';
