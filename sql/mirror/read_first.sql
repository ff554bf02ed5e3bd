-- ---------------------------------------------------------------------
-- Pushes that wait for a read.
--
-- Where a vendor's updates are not conditional, an update overwrites whatever was
-- changed at the vendor since the record was last read, and nobody learns what that
-- was.  So such a push is sent only after a read: the last complete live read of its
-- stream must have begun no earlier than five seconds before the row was last edited,
-- and have ended within the last minute; and no document of the record may still wait
-- to be stored.  The read brings what was changed there, the merge decides (merge.sql),
-- and the push sends what still differs.
--
-- A push that is due asks for the read (_await_read()), which the same claim sends.
-- One read serves all pushes of its stream.  They stay due meanwhile, and claims skip
-- them.  If the read is not on its way, because it failed or the stream is paused, or
-- if it takes more than one page, the pushes are put off (waits_since), so that the
-- jobs behind them are not kept waiting.  The end of a read makes them due again
-- (_release_pushes()), and so does another edit of the row (_enqueue()).  A push that
-- both of these miss becomes due by itself: after ten seconds at first, later after as
-- long as it has waited, at most five minutes.
--
-- A new record does not wait, since there is nothing that it could overwrite.  A row
-- that equals its base does not wait either, since it sends nothing.
-- ---------------------------------------------------------------------

-- The key of the job that reads a single record.
CREATE FUNCTION zcsync._fetch_key(p_stream bigint, p_remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat('fetch/', p_stream::text, '/', p_remote_id);
END;
COMMENT ON FUNCTION zcsync._fetch_key(bigint, text) IS
'the key of the job that reads a single record';

-- Is a read recent enough for an edit?  A time in the future was written before the
-- clock was set back, and proves nothing.
CREATE FUNCTION zcsync._is_read(p_began_at timestamptz, p_ended_at timestamptz, p_edited timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(p_began_at >= least(p_edited, p_now) - interval '5 seconds'
		AND p_ended_at >= p_now - interval '1 minute' AND p_ended_at <= p_now + interval '10 seconds', false);
END;
COMMENT ON FUNCTION zcsync._is_read(timestamptz, timestamptz, timestamptz, timestamptz) IS
'did a read begin late enough for an edit that is to be sent, and end a short time ago?';

-- The edit for which a read must be recent enough: the last one, but a row that is edited
-- all the time must be sent, too.
CREATE FUNCTION zcsync._edited_at(p_enqueued_at timestamptz, p_created_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT least(p_enqueued_at, p_created_at + interval '30 seconds');
END;
COMMENT ON FUNCTION zcsync._edited_at(timestamptz, timestamptz) IS
'when a row that is to be sent was last edited, but no later than half a minute after the first edit that waits';

-- The dead letter of a record that could not be stored, or not be read singly since then;
-- NULL: there is none.
CREATE FUNCTION zcsync._unread_letter(p_account bigint, p_stream bigint, p_kind text, p_remote_id text, p_since timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN (SELECT d.job_id FROM zcsync.dead_letters d
		WHERE d.account_id = p_account AND d.operation IN ('apply', 'fetch')
			AND d.dedupe_key = ANY (ARRAY[zcsync._fetch_key(p_stream, p_remote_id), format('apply/%s/%s', p_kind, p_remote_id)])
			AND (d.operation = 'apply' OR d.died_at >= p_since)
		ORDER BY d.died_at DESC, d.job_id DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION zcsync._unread_letter(bigint, bigint, text, text, timestamptz) IS
'the dead letter of a record that could not be stored, or read singly since then; NULL: there is none';

-- Read records singly for their pushes, before others; for those of a backfill behind
-- all that are read already, since these pushes are sent first (_release_pushes_of()).
-- p_priorities are those of the pushes.  Where somebody is queueing that read in a
-- transaction that stays open, the push looks again later.
CREATE FUNCTION zcsync._read_singly(p_account bigint, p_stream bigint, p_kind text, p_ids text[], p_priorities smallint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
BEGIN
	PERFORM zcsync._enqueue(ARRAY(
		SELECT zcsync._job(p_account, zcsync._kind_queue(p_kind), 'fetch', 'api', k.key, k.key,
			jsonb_build_object('ids', jsonb_build_array(i.id)), CASE WHEN i.priority >= 60 THEN i.priority + 1 ELSE 40 END,
			p_stream => p_stream, p_kind => p_kind)
		FROM (SELECT u.id, min(u.priority) FROM unnest(p_ids, p_priorities) AS u (id, priority) GROUP BY u.id) AS i (id, priority)
		CROSS JOIN LATERAL (SELECT zcsync._fetch_key(p_stream, i.id)) AS k (key)));
EXCEPTION WHEN lock_not_available THEN
	NULL;
END
$$;
COMMENT ON FUNCTION zcsync._read_singly(bigint, bigint, text, text[], smallint[]) IS
'queues jobs that read single records for their pushes';

-- Which of these pushes of an account may be sent now.  The others wait.
--
-- The live read of a stream does not show all records, or not all of a record: the
-- vendor says which ("listed" of its kind).  Before a push of such a record the record is
-- read singly; the push notes when ("read").  If that fails for good, the push is
-- refused (_refuse_unread()).
CREATE FUNCTION zcsync._pushes_read(p_account bigint, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_set record;
	v_listed text;
	v_waiting bigint[];		-- of the set: those that wait for the stream
	v_first integer;		-- the most urgent priority of these
	v_held_up bigint[];		-- and those that wait for their record
	v_alone text[];			-- records that are to be read singly
	v_urgency smallint[];	-- and the priorities of their pushes
	v_all bigint[] := '{}';
BEGIN
	-- Nearly always all streams were read, and nothing waits to be stored.
	FOR v_set IN
		SELECT j.stream_id, j.kind, array_agg(j.job_id) AS ids,
			coalesce(array_agg(j.job_id) FILTER (WHERE NOT j.is_read), '{}') AS unread,
			EXISTS (SELECT FROM zcsync.sync_queue n WHERE n.stream_id = j.stream_id AND n.operation = 'fetch')
				OR EXISTS (SELECT FROM zcsync.sync_queue n
					WHERE n.account_id = p_account AND n.kind = j.kind AND n.operation = 'apply' AND n.state = 'ready') AS has_news
		FROM (
			SELECT q.job_id, q.stream_id, q.kind,
				zcsync._is_read(s.read_began_at, s.last_pull_at, zcsync._edited_at(q.enqueued_at, q.created_at), v_now) AS is_read
			FROM zcsync.sync_queue q JOIN zcsync.streams s ON s.stream_id = q.stream_id
			WHERE q.job_id = ANY (p_ids)) AS j
		GROUP BY j.stream_id, j.kind
	LOOP
		v_listed := (zcsync._kind_of(v_vendor, v_set.kind)).listed;
		CONTINUE WHEN v_set.unread = '{}' AND NOT v_set.has_news AND v_listed IS NULL;
		SELECT r.* INTO v_waiting, v_first, v_held_up, v_alone, v_urgency FROM zcsync._read_kept(format($sql$
			SELECT array_agg(j.job_id) FILTER (WHERE j.unread), min(j.priority) FILTER (WHERE j.unread),
				array_agg(j.job_id) FILTER (WHERE j.alone OR j.has_news), array_agg(j.remote_id) FILTER (WHERE j.alone AND NOT j.has_news),
				array_agg(j.priority) FILTER (WHERE j.alone AND NOT j.has_news)
			FROM (
				SELECT q.job_id, q.priority, t.remote_id, u.unread, NOT u.unread AND $5 AND zcsync._has_news($1, $4, %1$L, t.remote_id) AS has_news,
					CASE WHEN NOT u.unread AND NOT (%2$s) AND NOT zcsync._is_read(r.began_at, r.ended_at, zcsync._edited_at(q.enqueued_at, q.created_at), $6)
						THEN zcsync._unread_letter($1, $4, %1$L, t.remote_id, q.created_at) IS NULL ELSE false END AS alone
				FROM zcsync.sync_queue q
				JOIN zcsync.streams s ON s.stream_id = q.stream_id
				JOIN zcsync.%1$I t ON t.account_id = q.account_id AND t.local_id = q.local_id
				CROSS JOIN LATERAL (SELECT q.job_id = ANY ($3)) AS u (unread)
				CROSS JOIN LATERAL (SELECT (q.payload #>> '{read,0}')::timestamptz, (q.payload #>> '{read,1}')::timestamptz) AS r (began_at, ended_at)
				WHERE q.job_id = ANY ($2) AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL AND t.sync_state <> 'synced'
				OFFSET 0) AS j$sql$, v_set.kind, coalesce(v_listed, 'true')),
			p_account, v_set.ids, v_set.unread, v_set.stream_id, v_set.has_news, v_now) AS r (waiting bigint[], first smallint, held_up bigint[], alone text[], urgency smallint[]);
		IF v_waiting IS NOT NULL AND NOT zcsync._await_read(v_set.stream_id, v_first) THEN
			PERFORM zcsync._put_off(v_waiting, interval '10 seconds');
		END IF;
		IF v_alone IS NOT NULL THEN
			PERFORM zcsync._read_singly(p_account, v_set.stream_id, v_set.kind, v_alone, v_urgency);
		END IF;
		IF v_held_up IS NOT NULL THEN
			PERFORM zcsync._hurry_fetches(v_set.stream_id, v_set.kind, v_held_up);
			PERFORM zcsync._put_off(v_held_up, interval '1 second');
		END IF;
		v_all := v_all || v_waiting || v_held_up;
	END LOOP;
	RETURN CASE WHEN v_all = '{}' THEN p_ids ELSE ARRAY(SELECT unnest(p_ids) EXCEPT SELECT unnest(v_all)) END;
END
$$;
COMMENT ON FUNCTION zcsync._pushes_read(bigint, bigint[]) IS
'which pushes may be sent, since their records were read a short time ago; has the others wait';

-- Pushes of records that could not be read singly, or not be stored, are refused: what
-- was changed at the vendor is not known.
CREATE FUNCTION zcsync._refuse_unread(p_account bigint, p_prepared zcsync.prepared[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_prepared zcsync.prepared[] := p_prepared;
	v_kind text;
BEGIN
	-- nearly always there are no such letters
	FOR v_kind IN SELECT DISTINCT d.kind FROM zcsync.dead_letters d WHERE d.account_id = p_account AND d.operation IN ('apply', 'fetch') AND d.kind IS NOT NULL LOOP
		EXECUTE format($sql$
			SELECT array_agg(ROW(p.job_id, CASE WHEN d.job_id IS NULL THEN p.request ELSE jsonb_build_object(
				'refuse', 'its record could not be read, and nothing is sent over what may have changed there: ' || d.message,
				'hint', format('When this is mended: SELECT zcsync.retry(%%s); and then: SELECT zcsync.retry(%%s);', d.job_id, p.job_id)) END)::zcsync.prepared)
			FROM unnest($2) AS p
			JOIN zcsync.sync_queue q ON q.job_id = p.job_id
			LEFT JOIN zcsync.%1$I AS t ON q.kind = %1$L AND t.account_id = q.account_id AND t.local_id = q.local_id AND t.remote_id IS NOT NULL
			LEFT JOIN zcsync.dead_letters d ON p.request IS NOT NULL AND d.job_id = zcsync._unread_letter($1, q.stream_id, %1$L, t.remote_id, q.created_at)$sql$, v_kind)
			INTO v_prepared USING p_account, v_prepared;
	END LOOP;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_unread(bigint, zcsync.prepared[]) IS
'requests of pushes; those of records that could not be read or stored are refused';

-- Is a document of a record still to be stored, or the record to be read singly?
CREATE FUNCTION zcsync._has_news(p_account bigint, p_stream bigint, p_kind text, p_remote_id text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_fetch text := zcsync._fetch_key(p_stream, p_remote_id);
BEGIN
	RETURN EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.kind = p_kind AND q.operation = 'apply' AND q.state = 'ready'
				AND q.dedupe_key = format('apply/%s/%s', p_kind, p_remote_id))
		OR EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.dedupe_key = v_fetch AND q.state IN ('ready', 'held'))
		OR EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.record_key = v_fetch AND q.state = 'running');
END
$$;
COMMENT ON FUNCTION zcsync._has_news(bigint, bigint, text, text) IS
'is a document of a record still to be stored, or is the record to be read singly?';

-- Read a stream for pushes that wait: queue its live read, unless that is queued or
-- running.  Returns true if a read of one page is on its way or will be sent at once.
-- It replaces the next planned read, unless that one would also continue the history.
--
-- p_first is the most urgent priority of these pushes.  The read comes before all of
-- them: pushes that wait stay due, so a claim that found only them would never come to
-- the read behind them.
--
-- A stream that somebody has locked is left alone.  So is one whose last read failed a
-- moment ago: its next attempt has a time of its own.
CREATE FUNCTION zcsync._await_read(p_stream bigint, p_first integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_key text := format('pull/%s/live', p_stream);
	v_priority smallint := least(40, p_first - 1);
	v_stream record;
	v_read record;
BEGIN
	SELECT s.account_id, s.kind, s.reading_since IS NULL AS at_once, s.state <> 'active'
		OR (s.last_error_lane = 'live' AND s.last_error_at > v_now - interval '1 minute') IS TRUE AS off
	INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream;
	IF EXISTS (SELECT FROM zcsync.sync_queue q
		WHERE q.account_id = v_stream.account_id AND q.record_key = v_key AND q.state = 'running') THEN
		RETURN v_stream.at_once;
	END IF;
	SELECT q.job_id, q.state = 'ready' AND q.run_at <= v_now AS is_due, q.priority <= v_priority AS is_before,
		qs.state = 'active' AS is_open INTO v_read
	FROM zcsync.sync_queue q JOIN zcsync.queues qs ON qs.name = q.queue
	WHERE q.account_id = v_stream.account_id AND q.dedupe_key = v_key AND q.state IN ('ready', 'held');
	IF v_read.is_due AND v_read.is_open AND NOT v_read.is_before THEN
		UPDATE zcsync.sync_queue q SET priority = v_priority
		WHERE q.job_id IN (SELECT w.job_id FROM zcsync.sync_queue w WHERE w.job_id = v_read.job_id FOR NO KEY UPDATE SKIP LOCKED);
		v_read.is_before := FOUND;
	END IF;
	IF v_read.job_id IS NOT NULL OR v_stream.off THEN
		RETURN (v_read.is_due AND v_read.is_open AND v_read.is_before AND v_stream.at_once) IS TRUE;
	END IF;

	PERFORM FROM zcsync.streams s WHERE s.stream_id = p_stream FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM zcsync._enqueue(zcsync._job(v_stream.account_id, zcsync._kind_queue(v_stream.kind), 'pull', zcsync._pull_class(p_stream),
		v_key, v_key, '{"lane": "live"}', v_priority, p_stream => p_stream, p_kind => v_stream.kind));
	UPDATE zcsync.streams s SET next_pull_at = v_now + s.pull_interval
	WHERE s.stream_id = p_stream AND s.history_state <> 'running' AND s.next_pull_at < v_now + s.pull_interval;
	RETURN v_stream.at_once;
END
$$;
COMMENT ON FUNCTION zcsync._await_read(bigint, integer) IS
'has a stream read for pushes that wait, before them; true if the read is on its way and will not take long';

-- Read records for which pushes wait before others, unless these are of a backfill.
CREATE FUNCTION zcsync._hurry_fetches(p_stream bigint, p_kind text, p_jobs bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	EXECUTE format($sql$
		UPDATE zcsync.sync_queue f SET priority = 40
		WHERE f.job_id IN (
			SELECT w.job_id
			FROM zcsync.sync_queue q
			JOIN zcsync.%I t ON t.account_id = q.account_id AND t.local_id = q.local_id
			JOIN zcsync.sync_queue w ON w.account_id = q.account_id AND w.dedupe_key = zcsync._fetch_key($1, t.remote_id)
			WHERE q.job_id = ANY ($2) AND q.priority < 60 AND w.state = 'ready' AND w.priority > 40
			FOR NO KEY UPDATE OF w SKIP LOCKED)$sql$, p_kind)
		USING p_stream, p_jobs;
END
$$;
COMMENT ON FUNCTION zcsync._hurry_fetches(bigint, text, bigint[]) IS
'has records that pushes wait for read before others';

-- Put pushes off: until they are released, or else for as long as they have waited
-- already, at least p_first.
CREATE FUNCTION zcsync._put_off(p_jobs bigint[], p_first interval) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.sync_queue q
	SET waits_since = coalesce(q.waits_since, zcsync._now()),
		run_at = zcsync._now() + least(greatest(p_first, zcsync._now() - q.waits_since), interval '5 minutes')
	WHERE q.job_id = ANY (p_jobs)
$$;
COMMENT ON FUNCTION zcsync._put_off(bigint[], interval) IS
'has pushes wait for a read';

-- A live read of a stream has ended: the pushes that waited for it are due again.  A
-- push that somebody has locked is being joined by another edit, or being held; it
-- becomes due by itself.
CREATE FUNCTION zcsync._release_pushes(p_stream bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now()
	WHERE q.job_id IN (
		SELECT w.job_id FROM zcsync.sync_queue w
		WHERE w.stream_id = p_stream AND w.waits_since IS NOT NULL AND w.state = 'ready' AND w.run_at > zcsync._now()
		LIMIT 10000
		FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._release_pushes(bigint) IS
'makes pushes due that waited for a read of their stream';

-- Single records were read by requests that began at p_began: the pushes that waited for
-- them note that and are due.  They go before reads that others wait for, since a read is
-- good for a minute.
CREATE FUNCTION zcsync._release_pushes_of(p_stream bigint, p_remote_ids text[], p_began timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.stream_id = p_stream AND q.waits_since IS NOT NULL AND q.state = 'ready') THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		UPDATE zcsync.sync_queue q
		SET run_at = least(q.run_at, zcsync._now()), priority = CASE WHEN q.priority >= 60 THEN q.priority ELSE least(q.priority, 39) END,
			payload = q.payload || jsonb_build_object('read', jsonb_build_array($3, zcsync._now()))
		WHERE q.job_id IN (
			SELECT w.job_id
			FROM zcsync.sync_queue w
			JOIN zcsync.%I t ON t.account_id = w.account_id AND t.local_id = w.local_id
			WHERE w.stream_id = $1 AND w.waits_since IS NOT NULL AND w.state = 'ready' AND t.remote_id = ANY ($2)
			FOR NO KEY UPDATE OF w SKIP LOCKED)$sql$, (SELECT s.kind FROM zcsync.streams s WHERE s.stream_id = p_stream))
		USING p_stream, p_remote_ids, p_began;
END
$$;
COMMENT ON FUNCTION zcsync._release_pushes_of(bigint, text[], timestamptz) IS
'makes pushes due that waited for single records, and notes in them when these were read';
