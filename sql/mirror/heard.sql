-- ---------------------------------------------------------------------
-- Streams whose webhooks are heard are read more rarely.
--
-- A webhook that zcsync declared, of which the vendor says that it is well, and from
-- which records of a stream came lately, tells what the next read would find.  So the
-- time until that is stretched.  It is not while there is a reason to doubt: the vendor
-- says otherwise, deliveries are refused, or a read finds changes although nothing was
-- heard since the one before.
--
-- Webhooks that somebody else set up, or that report some events only, stretch nothing:
-- nobody knows what they leave out.
-- ---------------------------------------------------------------------

-- How long it is now from one live read of a stream to the next.
CREATE FUNCTION zcsync._turn_interval(p_stream bigint, p_interval interval) RETURNS interval
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_heard record;
BEGIN
	SELECT h.heard_at, h.missed_at, s.account_id INTO v_heard
	FROM zcsync.heard_streams AS h JOIN zcsync.streams AS s ON s.stream_id = h.stream_id
	WHERE h.stream_id = p_stream AND h.heard_at > v_now - interval '6 hours' AND coalesce(h.missed_at < h.heard_at, true) AND s.history_state <> 'running';
	IF NOT FOUND THEN
		RETURN p_interval;
	END IF;
	PERFORM FROM zcsync.webhooks AS w
	WHERE w.account_id = v_heard.account_id AND w.url IS NOT NULL AND w.events IS NULL AND NOT w.is_removed
		AND w.error IS NULL AND w.health = 'active' AND w.checked_at > v_now - interval '3 hours';
	IF NOT FOUND OR EXISTS (
			SELECT FROM zcsync.refused_deliveries AS r
			WHERE r.account_id = v_heard.account_id AND r.minute >= date_trunc('minute', v_heard.heard_at) AND r.last_at > v_heard.heard_at + interval '1 minute') THEN
		RETURN p_interval;
	END IF;
	RETURN greatest(p_interval, least(5 * p_interval, interval '10 minutes'));
END
$$;
COMMENT ON FUNCTION zcsync._turn_interval(bigint, interval) IS
'how long it is from one live read of a stream to the next: its pull_interval, or more while webhooks report what changes';

-- A webhook reported records of a stream.  Written at most every ten seconds, and not
-- while somebody else does so: deliveries come by the hundred.
CREATE FUNCTION zcsync._note_heard(p_stream bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	IF EXISTS (SELECT FROM zcsync.heard_streams AS h WHERE h.stream_id = p_stream AND h.heard_at > v_now - interval '10 seconds'
			AND coalesce(h.missed_at < h.heard_at, true)) THEN
		RETURN;
	END IF;
	PERFORM FROM zcsync.heard_streams AS h WHERE h.stream_id = p_stream FOR NO KEY UPDATE SKIP LOCKED;
	IF FOUND THEN
		UPDATE zcsync.heard_streams AS h SET heard_at = v_now WHERE h.stream_id = p_stream;
	ELSIF NOT EXISTS (SELECT FROM zcsync.heard_streams AS h WHERE h.stream_id = p_stream) THEN
		INSERT INTO zcsync.heard_streams AS h (stream_id, heard_at) VALUES (p_stream, v_now) ON CONFLICT ON CONSTRAINT heard_streams_pkey DO NOTHING;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_heard(bigint) IS
'notes that a webhook reported records of a stream';

-- A live read, which the caller ends, found changes.  If nothing was heard of the stream
-- since the read before, its webhook is silent: it is read in its turn again.
CREATE FUNCTION zcsync._note_unheard(p_stream bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	PERFORM FROM zcsync.heard_streams AS h JOIN zcsync.streams AS s ON s.stream_id = h.stream_id
	WHERE h.stream_id = p_stream AND h.heard_at < s.last_pull_at - interval '10 seconds' FOR NO KEY UPDATE OF h SKIP LOCKED;
	IF FOUND THEN
		UPDATE zcsync.heard_streams AS h SET missed_at = zcsync._now() WHERE h.stream_id = p_stream;
		UPDATE zcsync.streams AS s SET next_pull_at = least(s.next_pull_at, zcsync._now() + s.pull_interval)
		WHERE s.stream_id = p_stream AND s.last_error_at IS NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_unheard(bigint) IS
'notes that a read found changes, although no webhook may have reported them';

-- There is a reason to doubt the webhooks of an account: its streams are read in their
-- turns again, also those whose next read was put off.
CREATE FUNCTION zcsync._shorten_turns(p_account bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.streams AS s SET next_pull_at = zcsync._now() + s.pull_interval
	FROM (
		SELECT t.stream_id FROM zcsync.streams AS t JOIN zcsync.heard_streams AS h ON h.stream_id = t.stream_id
		WHERE t.account_id = p_account AND t.next_pull_at > zcsync._now() + t.pull_interval AND t.last_error_at IS NULL
			AND zcsync._turn_interval(t.stream_id, t.pull_interval) = t.pull_interval
		FOR NO KEY UPDATE OF t SKIP LOCKED) AS d
	WHERE s.stream_id = d.stream_id;
END
$$;
COMMENT ON FUNCTION zcsync._shorten_turns(bigint) IS
'has streams whose webhooks are in doubt read in their turns again';

-- Count the reads that are left out, until their next turn, by streams that are read now.
CREATE FUNCTION zcsync._count_saved(p_streams bigint[], p_turns interval[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	UPDATE zcsync.heard_streams AS h SET reads_saved = h.reads_saved + d.saved
	FROM (
		SELECT x.stream_id, floor(date_part('epoch', u.turn) / date_part('epoch', s.pull_interval))::bigint - 1 AS saved
		FROM unnest(p_streams, p_turns) AS u (stream_id, turn)
		JOIN zcsync.streams AS s ON s.stream_id = u.stream_id
		JOIN zcsync.heard_streams AS x ON x.stream_id = u.stream_id
		WHERE u.turn > s.pull_interval
		FOR NO KEY UPDATE OF x SKIP LOCKED) AS d
	WHERE h.stream_id = d.stream_id;
END
$$;
COMMENT ON FUNCTION zcsync._count_saved(bigint[], interval[]) IS
'counts the reads that streams are spared by webhooks';
