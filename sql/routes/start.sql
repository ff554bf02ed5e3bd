-- ---------------------------------------------------------------------
-- Routes: where a route begins.
--
-- A route begins at the point to which its source has been read when the route is first
-- resumed.  The vendor's time of a change alone cannot decide what came before: its
-- clock has whole seconds, and may be fast or slow.  So there are two times, far enough
-- apart.  A record that changed before the first one was there before, one that changed
-- after the second is new.  In between, the transaction that last wrote the record's
-- row decides: if the first resume_route() saw that transaction as ended, the record
-- was there before.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.route_start AS (
	old_before	timestamptz,	-- by the source's clock: a record that changed before this was there before the route
	new_from	timestamptz,	-- a record that changed at this time or later is new to the route
	old_rows	pg_snapshot		-- between the two, rows of transactions that this snapshot sees were there before
);
COMMENT ON TYPE zcsync.route_start IS
'where a route begins';

-- Is a record new to a route?  p_at: when it last changed, by the source's clock; NULL
-- if that is not known.  p_xid: the transaction that last wrote its row.  For a route
-- that never ran, every record is new.
CREATE FUNCTION zcsync._is_news(p_start zcsync.route_start, p_at timestamptz, p_xid xid8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_at < (p_start).old_before THEN false
		WHEN p_at >= (p_start).new_from OR (p_start).old_rows IS NULL THEN true
		ELSE coalesce(NOT pg_visible_in_snapshot(p_xid, (p_start).old_rows), false) END;
END;
COMMENT ON FUNCTION zcsync._is_news(zcsync.route_start, timestamptz, xid8) IS
'did a record come, or change, after a route began?';

-- When a source record last changed: an expression over its row, s.  A record of a
-- local account may have a time that came with an import.
CREATE FUNCTION zcsync._route_changed_at(p_vendor text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_vendor WHEN 'local' THEN 'greatest(s.updated_at, s.created_at, s.inserted_at)'
		ELSE 'coalesce(s.updated_at, s.created_at)' END;
END;
COMMENT ON FUNCTION zcsync._route_changed_at(text) IS
'the SQL expression that tells when a record of a source last changed';

CREATE FUNCTION zcsync._route_start(p_route bigint) RETURNS zcsync.route_start
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT ROW(r.old_before, r.new_from, r.old_rows)::zcsync.route_start FROM zcsync.routes r WHERE r.route_id = p_route);
END
$$;
COMMENT ON FUNCTION zcsync._route_start(bigint) IS
'where a route began; a row of NULLs if it never ran';

-- The time of the newest record that a stream has read, by its vendor's clock.
CREATE FUNCTION zcsync._newest_record(p_stream bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_newest timestamptz;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream;
	EXECUTE format('SELECT max(s.created_at) FROM zcsync.%I AS s WHERE s.account_id = $1 AND s.remote_id IS NOT NULL AND s.deleted_at IS NULL',
			v_stream.kind)
		INTO v_newest USING v_stream.account_id;
	RETURN greatest(v_newest, v_stream.newest_record_at);
END
$$;
COMMENT ON FUNCTION zcsync._newest_record(bigint) IS
'the latest time that records of a stream bear; NULL: there is none';

-- The transactions that have ended, except the present one: a snapshot does not list
-- its own transaction among the running ones, and shows it as ended as soon as a later
-- one has ended.
CREATE FUNCTION zcsync._ended_transactions() RETURNS pg_snapshot
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN c.own < pg_snapshot_xmax(c.snapshot) THEN format('%s:%s:%s', least(c.own, pg_snapshot_xmin(c.snapshot)), pg_snapshot_xmax(c.snapshot), (
			SELECT string_agg(r.xid::text, ',' ORDER BY r.xid)
			FROM (SELECT pg_snapshot_xip(c.snapshot) UNION SELECT c.own) AS r (xid)))::pg_snapshot
		ELSE c.snapshot END
	FROM (SELECT pg_current_snapshot(), pg_current_xact_id_if_assigned()) AS c (snapshot, own)
$$;
COMMENT ON FUNCTION zcsync._ended_transactions() IS
'the transactions that have ended, except the present one';

-- Where a route would begin now.
--
-- The live lane of a stream assumes that the two clocks differ by at most five minutes.
-- Once the history is read, there is something better: a record newer than the newest
-- one here was not here.  That works even if a vendor's clock is a day slow, or its
-- times have another zone.  In a local account the rows always decide, since the time
-- of an import is the time when it began.
CREATE FUNCTION zcsync._begin_here(p_route bigint) RETURNS zcsync.route_start
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_start zcsync.route_start := ROW(NULL, v_now + interval '1 day', zcsync._ended_transactions());
	v record;
BEGIN
	SELECT s.stream_id, s.history_state, s.created_at, a.vendor, least(v_now, coalesce(s.last_pull_at, s.created_at)) AS read_to INTO STRICT v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE r.route_id = p_route;
	v_start.old_before := CASE
		WHEN v.vendor = 'local' THEN v_now - interval '1 day'
		WHEN v.history_state = 'running' THEN v.read_to
		-- without a history, older records may be missing here
		ELSE greatest(least(v.read_to, coalesce(zcsync._newest_record(v.stream_id), '-infinity')), v.read_to - interval '1 day',
			CASE WHEN v.history_state = 'none' THEN least(v.created_at, v.read_to) END)
		END - interval '5 minutes';
	RETURN v_start;
END
$$;
COMMENT ON FUNCTION zcsync._begin_here(bigint) IS
'where a route would begin if it were first resumed now';

-- Wait for the transactions that write rows which a route reads, before the route is
-- started on these rows; see _starting_on().  The wait is limited, since a transaction
-- may stay open for ever.
CREATE FUNCTION zcsync._await_writers(p_route bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $$
DECLARE
	v_class CONSTANT integer := 'zcsync.streams'::regclass::oid::integer;
	v_streams bigint[] := (SELECT ARRAY[least(r.source_stream_id, r.target_stream_id), greatest(r.source_stream_id, r.target_stream_id)]
		FROM zcsync.routes r WHERE r.route_id = p_route);
BEGIN
	PERFORM pg_advisory_xact_lock(v_class, (v_streams[1] % 2147483647)::integer);
	PERFORM pg_advisory_xact_lock(v_class, (v_streams[2] % 2147483647)::integer);
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a transaction that writes records of this route has not ended',
		DETAIL = format('Processes that hold such records: %s.', coalesce((
			SELECT string_agg(DISTINCT l.pid::text, ', ') FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 'zcsync.streams'::regclass::oid
				AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
				AND l.objid::bigint IN (SELECT s % 2147483647 FROM unnest(v_streams) AS s)), 'none any more')),
		HINT = 'Try it again when they have ended; SELECT * FROM pg_stat_activity shows what they do.';
END
$$;
COMMENT ON FUNCTION zcsync._await_writers(bigint) IS
'waits until no other transaction writes rows that a route reads, and keeps others from doing so until this one ends';

-- Another server has other transaction ids, so in a copy of the database those of its
-- rows prove nothing; the clock decides in their place.
CREATE FUNCTION zcsync._forget_old_rows() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.routes SET old_before = greatest(old_before, starts_at - interval '5 minutes'), old_rows = NULL
	WHERE old_rows IS NOT NULL;
	-- what was said since the copy was made, another database may have carried already
	UPDATE zcsync.route_comments SET since = greatest(since, zcsync._now())
$$;
COMMENT ON FUNCTION zcsync._forget_old_rows() IS
'makes the clock alone decide what is new to routes, in a copy of the database that was adopted';
