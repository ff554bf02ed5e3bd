-- ---------------------------------------------------------------------
-- Reads that must be stored before routes write: after a failover or a restore, this
-- database does not know what was made at the vendors in the meantime.
--
-- A read counts only if it begins when the requests of the other database have arrived
-- and their effects are shown: a request may take as long as its time-out, and lists of
-- vendors may be up to a minute late.  When the read that is under way began is not
-- known.  So the first read that ends after that time does not count; the next one,
-- which follows at once, does.  The records that it brought are stored when all jobs
-- have ended that were queued when it ended: rows that had to wait, and records that
-- are read singly.
-- ---------------------------------------------------------------------

-- Read all streams again before routes write to them.
CREATE FUNCTION zcsync._await_reads() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.streams s SET reads_awaited = 2, jobs_awaited = NULL, read_began_at = NULL, reading_since = NULL, next_pull_at = zcsync._now()
	FROM zcsync.accounts a WHERE a.account_id = s.account_id AND a.vendor <> 'local'
$$;
COMMENT ON FUNCTION zcsync._await_reads() IS
'has routes wait until the streams to which they write have been read again';

-- Must records of a stream's account and kind still be stored: rows that had to wait, and
-- records that are read singly?  p_until, if given, is the last job that counts.
-- Each part has an index that holds such jobs only, or those that run: of pushes there
-- may be millions, and views ask this.
CREATE FUNCTION zcsync._has_unstored(p_stream bigint, p_until bigint DEFAULT 9223372036854775807) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.account_id, s.kind INTO v FROM zcsync.streams s WHERE s.stream_id = p_stream;
	RETURN EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = v.account_id AND q.kind = v.kind AND q.operation = 'apply' AND q.state = 'ready' AND q.job_id <= p_until)
		OR EXISTS (SELECT FROM zcsync.streams s
			CROSS JOIN LATERAL (SELECT FROM zcsync.sync_queue q
				WHERE q.stream_id = s.stream_id AND q.operation = 'fetch' AND q.job_id <= p_until LIMIT 1) AS f
			WHERE s.account_id = v.account_id AND s.kind = v.kind)
		OR EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = v.account_id AND q.state = 'running' AND q.kind = v.kind AND q.operation = 'apply' AND q.job_id <= p_until);
END
$$;
COMMENT ON FUNCTION zcsync._has_unstored(bigint, bigint) IS
'must rows of a stream''s account and kind that had to wait, or records that are read singly, still be stored?';

-- Must routes that write to this stream wait?
CREATE FUNCTION zcsync._is_awaited(p_stream bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.streams s
		WHERE s.stream_id = p_stream
			AND (s.reads_awaited > 0 OR (s.jobs_awaited IS NOT NULL AND zcsync._has_unstored(s.stream_id, s.jobs_awaited))))
$$;
COMMENT ON FUNCTION zcsync._is_awaited(bigint) IS
'must routes wait until what was read of a stream after a failover or restore is stored?';

-- Close the alert of a planned switchover when all streams have been read again.
-- Streams and accounts that are paused are not waited for.
CREATE FUNCTION zcsync._resolve_switchover() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM zcsync.alerts l WHERE l.code = 'switchover' AND l.object = '' AND l.resolved_at IS NULL)
		AND NOT EXISTS (SELECT FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id)
			WHERE s.state = 'active' AND a.state = 'active' AND a.vendor <> 'local' AND zcsync._is_awaited(s.stream_id)) THEN
		PERFORM zcsync._resolve_alert('switchover', '');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_switchover() IS
'closes the alert of a planned switchover once all streams were read again';

-- A live read of a stream came to its end.
CREATE FUNCTION zcsync._note_awaited_read(p_stream bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.streams s
	SET reads_awaited = CASE WHEN s.reads_awaited = 2 AND zcsync._now() < w.at THEN 2 ELSE greatest(0, s.reads_awaited - 1) END,
		jobs_awaited = CASE s.reads_awaited WHEN 1 THEN (SELECT j.last_value FROM zcsync.job_id_seq j) END,
		next_pull_at = CASE s.reads_awaited WHEN 2 THEN least(s.next_pull_at, greatest(w.at, zcsync._now())) ELSE s.next_pull_at END
	FROM (SELECT coalesce(i.adopted_at, '-infinity') + zcsync._request_timeout() + interval '90 seconds' FROM zcsync.installation i) AS w (at)
	WHERE s.stream_id = p_stream AND (s.reads_awaited > 0 OR (s.jobs_awaited IS NOT NULL AND NOT zcsync._is_awaited(p_stream)));
	SELECT zcsync._resolve_switchover();
$$;
COMMENT ON FUNCTION zcsync._note_awaited_read(bigint) IS
'counts a read that routes wait for';
