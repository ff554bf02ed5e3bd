-- ---------------------------------------------------------------------
-- Routes: time.
--
-- A route may note the time that was spent on one end of a pair at the other end, if the
-- vendor there notes time with comments: each time entry becomes a private comment with
-- that time, in the name of a member there where one has the address of the person who
-- spent it.  Invoices may be made of that, so:
--
-- - it is asked for, and begins with what is noted from then on
-- - an entry is noted once at an account, whatever becomes of its pair (time_copies); of
--   several records that share a counterpart the first has its time
-- - what becomes of the entry later is written to the comment, also when the pair has ended:
--   another time, or none if the entry is gone.  One that is moved to another record is
--   taken away, and noted for that one
--
-- Such a comment is known by a row of comment_copies without an original, so no route
-- carries it anywhere.  The jobs are those of conversations.sql.
-- ---------------------------------------------------------------------

-- Does the vendor of an account note time with comments?
CREATE FUNCTION zcsync._notes_time(p_account bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce('seconds' = ANY ((zcsync._comment_kind(p_account)).written), false)
$$;
COMMENT ON FUNCTION zcsync._notes_time(bigint) IS
'does the vendor of an account note time with comments?';

-- Does a route note time, or has any route noted some, which may have to be corrected?
CREATE FUNCTION zcsync._has_noted_time(p_route bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.route_comments c WHERE c.route_id = p_route AND c.time_outcome IS NOT NULL)
		OR EXISTS (SELECT FROM zcsync.time_copies)
$$;
COMMENT ON FUNCTION zcsync._has_noted_time(bigint) IS
'may a route have time to note or to correct?';

-- The two ends of a route, as time goes from one to the other.
CREATE TYPE zcsync.time_way AS (
	back boolean,			-- from the target of the route to its source; NULL: neither end notes time
	from_stream bigint,
	from_account bigint,
	from_kind text,
	to_stream bigint,
	to_account bigint,
	to_kind text
);
COMMENT ON TYPE zcsync.time_way IS
'the ends of a route, as time goes from one to the other';

CREATE FUNCTION zcsync._time_way(p_route bigint) RETURNS zcsync.time_way
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ROW(w.back, f.stream_id, f.account_id, f.kind, t.stream_id, t.account_id, t.kind)::zcsync.time_way
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams g ON g.stream_id = r.target_stream_id
	CROSS JOIN LATERAL (SELECT CASE WHEN zcsync._notes_time(g.account_id) THEN false WHEN zcsync._notes_time(s.account_id) THEN true END AS back) AS w
	JOIN zcsync.streams f ON f.stream_id = CASE WHEN w.back THEN g.stream_id ELSE s.stream_id END
	JOIN zcsync.streams t ON t.stream_id = CASE WHEN w.back THEN s.stream_id ELSE g.stream_id END
	WHERE r.route_id = p_route
$$;
COMMENT ON FUNCTION zcsync._time_way(bigint) IS
'from which end of a route to which other its time goes';

CREATE FUNCTION zcsync._stream_name(p_stream bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%s/%s', a.name, s.kind) FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream
$$;
COMMENT ON FUNCTION zcsync._stream_name(bigint) IS
'a stream as people name it: account/kind';

-- What is to be done about the time of a pair.
CREATE TYPE zcsync.time_step AS (
	op text,				-- note; change; or move: note it here, and take it away where it was noted before
	entry_id bigint,		-- local ids
	copy_id bigint,			-- of a change or a move: the comment that has it
	record_id text,			-- remote id of the record on which the time was spent
	seconds bigint,			-- 0: none any more
	author_id text,			-- a member there
	body text,
	outcome text
);
COMMENT ON TYPE zcsync.time_step IS
'what a route has to do about a time entry';

-- What became of the entries that the route has noted for a source record, by this pair
-- of it or by one that ended: of one that is gone, or was moved to another record, nothing
-- is left.
CREATE FUNCTION zcsync._time_changes(p_route bigint, p_link bigint, p_way zcsync.time_way) RETURNS SETOF zcsync.time_step
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT 'change', k.entry_id, k.copy_id, k.record_id, w.seconds, NULL::text, NULL::text, NULL::text
	FROM (SELECT x.source_id FROM zcsync.links AS x WHERE x.link_id = p_link OFFSET 0) AS l
	CROSS JOIN LATERAL (SELECT x.link_id FROM zcsync.links AS x WHERE x.route_id = p_route AND x.source_id = l.source_id AND x.state <> 'cancelled' OFFSET 0) AS a
	CROSS JOIN LATERAL (SELECT x.copy_id FROM zcsync.comment_copies AS x WHERE x.link_id = a.link_id AND x.original_id IS NULL OFFSET 0) AS c
	CROSS JOIN LATERAL (SELECT x.* FROM zcsync.time_copies AS x WHERE x.copy_id = c.copy_id AND x.account_id = (p_way).to_account OFFSET 0) AS k
	CROSS JOIN LATERAL (SELECT x.* FROM zcsync.time_entries AS x WHERE x.local_id = k.entry_id OFFSET 0) AS e
	CROSS JOIN LATERAL (SELECT CASE WHEN e.deleted_at IS NULL AND e.parent_id = k.record_id THEN coalesce(e.seconds, 0) ELSE 0 END) AS w (seconds)
	WHERE w.seconds <> k.seconds
	ORDER BY k.entry_id;
END
$$;
COMMENT ON FUNCTION zcsync._time_changes(bigint, bigint, zcsync.time_way) IS
'what a route has to do about the time that it noted for the source record of a pair';

-- Entries of one end of a pair that are not noted yet, or for another record.  What a
-- route noted itself is no time that was spent.
CREATE FUNCTION zcsync._time_notes(p_route bigint, p_link bigint, p_way zcsync.time_way) RETURNS SETOF zcsync.time_step
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		SELECT CASE WHEN k.copy_id IS NULL THEN 'note' ELSE 'move' END, e.local_id, k.copy_id, f.remote_id, e.seconds,
			coalesce(zcsync._member_id($6, zcsync._email_of($4, e.author_id)), c.time_agent),
			format('Time of %%s%%s, for %%s', coalesce(zcsync._without_placeholders(left(nullif(btrim(e.author_name), ''), 200)), 'somebody'),
				to_char(e.started_at AT TIME ZONE 'UTC', ', YYYY-MM-DD HH24:MI "UTC"'), zcsync._named(%1$L, $4, f.remote_id)),
			c.time_outcome
		FROM zcsync.links AS l
		JOIN zcsync.route_comments AS c ON c.route_id = l.route_id AND c.time_outcome IS NOT NULL
		CROSS JOIN LATERAL (SELECT m.remote_id FROM zcsync.%1$I AS m
			WHERE m.local_id = CASE WHEN $3 THEN l.target_id ELSE l.source_id END AND m.remote_id IS NOT NULL AND m.deleted_at IS NULL OFFSET 0) AS f
		CROSS JOIN LATERAL (SELECT FROM zcsync.%2$I AS m
			WHERE m.local_id = CASE WHEN $3 THEN l.source_id ELSE l.target_id END AND m.remote_id IS NOT NULL AND m.deleted_at IS NULL OFFSET 0) AS t
		CROSS JOIN LATERAL (SELECT t.* FROM zcsync.time_entries AS t
			WHERE t.account_id = $4 AND t.parent_id = f.remote_id AND t.parent_kind = %1$L AND t.deleted_at IS NULL AND t.seconds > 0 OFFSET 0) AS e
		LEFT JOIN LATERAL (SELECT o.copy_id, o.record_id FROM zcsync.time_copies AS o WHERE o.entry_id = e.local_id AND o.account_id = $6 OFFSET 0) AS k ON true
		WHERE l.link_id = $2 AND l.route_id = $1 AND l.state = 'linked'
			AND CASE WHEN k.copy_id IS NULL THEN e.created_at >= c.time_since ELSE k.record_id <> f.remote_id END
			AND NOT EXISTS (SELECT FROM zcsync.comments AS n JOIN zcsync.time_copies AS o ON o.copy_id = n.local_id
				WHERE n.account_id = e.account_id AND n.remote_id = e.comment_id)
			AND NOT EXISTS (SELECT FROM zcsync.links AS o
				WHERE $3 AND o.target_id = l.target_id AND o.route_id = l.route_id AND o.state = 'linked' AND (o.shared, o.link_id) < (l.shared, l.link_id))
		ORDER BY e.created_at, e.local_id$sql$, (p_way).from_kind, (p_way).to_kind)
	USING p_route, p_link, (p_way).back, (p_way).from_account, (p_way).from_kind, (p_way).to_account;
END
$$;
COMMENT ON FUNCTION zcsync._time_notes(bigint, bigint, zcsync.time_way) IS
'the time of one end of a pair that a route has to note at the other';

-- Another time for a comment that notes some.  False: somebody has its row.
CREATE FUNCTION zcsync._change_time(p_account bigint, p_copy bigint, p_seconds bigint, p_origin zcsync.origin) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF zcsync._lock_rows(p_account, 'comments', ARRAY[p_copy], false) IS DISTINCT FROM ARRAY[p_copy]
		AND EXISTS (SELECT FROM zcsync.comments c WHERE c.local_id = p_copy) THEN
		RETURN false;
	END IF;
	UPDATE zcsync.comments c
	SET seconds = nullif(p_seconds, 0), sync_cause = p_origin.cause, sync_cause_id = p_origin.id, sync_xid = p_origin.xid
	WHERE c.account_id = p_account AND c.local_id = p_copy AND c.deleted_at IS NULL AND coalesce(c.seconds, 0) <> p_seconds;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._change_time(bigint, bigint, bigint, zcsync.origin) IS
'writes another time to a comment; false: somebody has its row';

-- Note the time of a pair; returns the rows that were written, and when to look again.
-- While a comment of ours is on its way to the end where the time was spent, nothing is
-- noted: the time there may be what we noted.
CREATE FUNCTION zcsync._carry_time(p_route bigint, p_link bigint, OUT written bigint[], OUT wait_until timestamptz)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_way zcsync.time_way := zcsync._time_way(p_route);
	v_origin zcsync.origin := zcsync._origin_of('route', p_route);
	v_steps zcsync.time_step[] := ARRAY(SELECT s FROM zcsync._time_changes(p_route, p_link, v_way) AS s LIMIT 50);
	v_step zcsync.time_step;
	v_record text;
	v_id bigint;
BEGIN
	written := '{}';
	IF cardinality(v_steps) < 50 THEN
		v_steps := v_steps || ARRAY(SELECT s FROM zcsync._time_notes(p_route, p_link, v_way) AS s LIMIT 50 - cardinality(v_steps));
	END IF;
	IF v_steps = '{}' THEN
		RETURN;
	END IF;
	EXECUTE format('SELECT m.remote_id FROM zcsync.links AS l JOIN zcsync.%I AS m ON m.local_id = CASE WHEN $2 THEN l.source_id ELSE l.target_id END WHERE l.link_id = $1',
		v_way.to_kind) INTO v_record USING p_link, v_way.back;
	FOREACH v_step IN ARRAY v_steps LOOP
		IF v_step.op <> 'change' AND zcsync._is_posting(v_way.from_account, v_way.from_kind, v_step.record_id) THEN
			wait_until := least(wait_until, zcsync._now() + interval '1 minute');
			CONTINUE;
		ELSIF v_step.op <> 'note' AND NOT zcsync._change_time(v_way.to_account, v_step.copy_id, CASE v_step.op WHEN 'change' THEN v_step.seconds ELSE 0 END, v_origin) THEN
			wait_until := least(wait_until, zcsync._now() + interval '1 second');
			CONTINUE;
		END IF;
		v_id := v_step.copy_id;
		IF v_step.op <> 'change' THEN
			written := written || v_step.copy_id;
			INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, is_private, outcome, author_id, seconds, sync_cause, sync_cause_id, sync_xid)
			VALUES (v_way.to_account, v_way.to_kind, v_record, v_step.body, true, v_step.outcome, v_step.author_id, v_step.seconds,
				v_origin.cause, v_origin.id, v_origin.xid)
			RETURNING local_id INTO v_id;
			INSERT INTO zcsync.comment_copies (copy_id, route_id, link_id, was_public, digest) VALUES (v_id, p_route, p_link, false, '');
		END IF;
		INSERT INTO zcsync.time_copies AS k (entry_id, account_id, copy_id, record_id, seconds) VALUES (v_step.entry_id, v_way.to_account, v_id, v_step.record_id, v_step.seconds)
		ON CONFLICT (entry_id, account_id) DO UPDATE
		SET copy_id = excluded.copy_id, record_id = excluded.record_id, seconds = excluded.seconds, changed_at = zcsync._now();
		written := written || v_id;
	END LOOP;
	written := array_remove(written, NULL);
	IF cardinality(v_steps) = 50 THEN	-- the rest is for another transaction
		wait_until := least(wait_until, zcsync._now());
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._carry_time(bigint, bigint) IS
'notes the time that was spent on one end of a pair at the other; returns the rows that it wrote, and when it has to look again';

-- The rows of plan_comments() about time.
CREATE FUNCTION zcsync._plan_time(p_route bigint, p_max integer)
RETURNS TABLE (op text, original text, record text, is_private boolean, text text, files text[])
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE s.op WHEN 'change' THEN 'update' ELSE 'create' END, zcsync.reference((w.way).from_account, 'time_entries', e.remote_id, e.local_id),
		zcsync.reference((w.way).to_kind, CASE WHEN (w.way).back THEN l.source_id ELSE l.target_id END),
		true, format('%s: %s', coalesce(s.body, 'time'), s.seconds * interval '1 second'), '{}'::text[]
	FROM (SELECT zcsync._time_way(p_route) AS way) AS w
	CROSS JOIN LATERAL (SELECT k.* FROM zcsync.links k WHERE k.route_id = p_route AND k.state = 'linked' ORDER BY k.link_id DESC LIMIT p_max) AS l
	CROSS JOIN LATERAL (SELECT * FROM zcsync._time_changes(p_route, l.link_id, w.way) UNION ALL SELECT * FROM zcsync._time_notes(p_route, l.link_id, w.way)) AS s
	JOIN zcsync.time_entries e ON e.local_id = s.entry_id
	WHERE (w.way).back IS NOT NULL
	ORDER BY l.link_id DESC, e.created_at, e.local_id
$$;
COMMENT ON FUNCTION zcsync._plan_time(bigint, integer) IS
'the rows of plan_comments() about the time of pairs';

-- Raise an error unless the time of a route can be noted so.
CREATE FUNCTION zcsync._check_time_way(p_route bigint, p_outcome text, p_agent text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_way zcsync.time_way := zcsync._time_way(p_route);
	v_from zcsync.accounts;
	v_to zcsync.accounts;
	v_vendor zcsync.vendor;
	v_fault jsonb;
BEGIN
	SELECT * INTO v_from FROM zcsync.accounts a WHERE a.account_id = v_way.from_account;
	SELECT * INTO v_to FROM zcsync.accounts a WHERE a.account_id = v_way.to_account;
	v_vendor := zcsync._vendor_of(v_to.vendor);
	IF v_way.back IS NULL OR zcsync._comments_of(v_way.to_stream) IS NULL OR v_from.account_id = v_to.account_id THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = CASE WHEN v_from.account_id = v_to.account_id THEN format('time of account "%s" cannot be noted at the same account', v_from.name)
				ELSE format('neither "%s" nor "%s" notes time with comments', v_from.name, v_to.name) END;
	ELSIF (zcsync._kind_of(v_from.vendor, 'time_entries')).kind IS NULL OR zcsync._comments_of(v_way.from_stream) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of account "%s" have no time entries', v_way.from_kind, v_from.name);
	ELSIF NOT (SELECT s.writes FROM zcsync.streams s WHERE s.stream_id = v_way.to_stream) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('stream "%s/%s" is read-only', v_to.name, v_way.to_kind),
			HINT = format('SELECT zcsync.alter_stream(''%s/%s'', writes => true);', v_to.name, v_way.to_kind);
	END IF;
	EXECUTE format('SELECT %s($1, ''{}'', ''{}'')', v_vendor.comment_fault::regproc) INTO v_fault
		USING jsonb_build_object('account_id', v_to.account_id, 'parent_kind', v_way.to_kind, 'is_private', true, 'outcome', p_outcome, 'author_id', p_agent, 'seconds', 1);
	IF v_fault IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = coalesce(v_fault ->> 'code', 'feature_not_supported'), MESSAGE = v_fault ->> 'message',
			HINT = coalesce(v_fault ->> 'hint', '');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_time_way(bigint, text, text) IS
'raises an error unless a route can note time with this outcome, and as this agent';

-- What is noted from now on; without an outcome no time is noted any more.
CREATE FUNCTION zcsync.set_route_time(route text, outcome text, agent text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_way zcsync.time_way := zcsync._time_way(v_route.route_id);
	v_outcome text := nullif(btrim(outcome), '');
	v_agent text;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_reads('comments');
	PERFORM zcsync._check_reads('time_entries');
	PERFORM FROM zcsync.routes r WHERE r.route_id = v_route.route_id FOR NO KEY UPDATE;
	IF v_outcome IS NULL THEN
		UPDATE zcsync.route_comments c SET time_outcome = NULL, time_agent = NULL, time_since = NULL WHERE c.route_id = v_route.route_id;
		DELETE FROM zcsync.route_errors e WHERE e.route_id = v_route.route_id AND e.field = 'time';
		RETURN format('route "%s" notes no time', v_route.name);
	END IF;
	IF v_way.back IS NOT NULL AND agent IS NOT NULL THEN
		v_agent := zcsync._member_id(v_way.to_account, agent);
		IF v_agent IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = format('"%s" is no member of account "%s"', left(agent, 100), (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = v_way.to_account)),
				HINT = 'Give the e-mail address or the id of somebody who works there; the stream "fields" must be mirrored.';
		END IF;
	END IF;
	PERFORM zcsync._check_time_way(v_route.route_id, v_outcome, v_agent);
	INSERT INTO zcsync.route_comments AS c (route_id, since, time_outcome, time_agent, time_since)
	VALUES (v_route.route_id, 'infinity', v_outcome, v_agent, date_trunc('second', zcsync._now()))
	ON CONFLICT (route_id) DO UPDATE
	SET time_outcome = excluded.time_outcome, time_agent = excluded.time_agent, time_since = coalesce(c.time_since, excluded.time_since);
	PERFORM zcsync._queue_conversations(v_route.route_id);
	RETURN format('route "%s" notes the time of %s at %s; SELECT * FROM zcsync.plan_comments(%L) shows what comes next', v_route.name,
		zcsync._stream_name(v_way.from_stream), zcsync._stream_name(v_way.to_stream), v_route.name);
END
$$;
COMMENT ON FUNCTION zcsync.set_route_time(text, text, text) IS
'has a route note the time spent on the records of one side at the other side, from now on: with which outcome, and as which agent where the person has no address there; NULL as outcome ends that';

-- Is the time read that the route is to note, and is its outcome still there?
CREATE FUNCTION zcsync._check_route_time(p_route bigint) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_way zcsync.time_way := zcsync._time_way(p_route);
	v record;
	v_hint text;
BEGIN
	SELECT c.time_outcome, c.time_agent, s.comments, zcsync._stream_name(v_way.from_stream) AS from_name, zcsync._stream_name(v_way.to_stream) AS to_name INTO v
	FROM zcsync.route_comments c JOIN zcsync.streams s ON s.stream_id = v_way.from_stream
	WHERE c.route_id = p_route AND c.time_outcome IS NOT NULL;
	IF NOT FOUND THEN
		RETURN;
	ELSIF v.comments = 'none' THEN
		RETURN QUERY SELECT 'time', false, format('time of %s is not read: it comes with the comments', v.from_name),
			format('SELECT zcsync.alter_stream(%L, comments => ''linked'');', v.from_name);
		RETURN;
	END IF;
	PERFORM zcsync._check_time_way(p_route, v.time_outcome, v.time_agent);
	RETURN QUERY SELECT 'time', true, format('time of %s is noted at %s', v.from_name, v.to_name), NULL::text;
EXCEPTION WHEN undefined_object OR feature_not_supported OR object_not_in_prerequisite_state OR invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
	RETURN QUERY SELECT 'time', false, SQLERRM, CASE WHEN starts_with(v_hint, 'SELECT ') THEN v_hint
		ELSE format('SELECT zcsync.set_route_time(%L, ''<outcome>'');', (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route)) END;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_time(bigint) IS
'the row of check_route() about time';
