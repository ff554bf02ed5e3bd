-- ---------------------------------------------------------------------
-- Held writes: released, or taken back.
--
-- The write brake, a refused right and alter_stream(writes => false) leave
-- pushes held.  A person decides: release_held() sends them, cancel_held() takes
-- back what they would have sent.
--
-- cancel_held() marks the jobs (sync_queue.cancelled = 'wanted'), and takes back at
-- once what it can.  The worker does the others later: those whose record somebody has
-- locked; those with another call on its way, whose reply must be merged first; and
-- creates of which it is not known whether the vendor made the record, which are looked
-- up.
-- ---------------------------------------------------------------------

-- Which of these source records of a route it does not read now, because they or their
-- counterparts have a held push.
CREATE FUNCTION zcsync._held_sources(p_route bigint, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT e.source_id
		FROM (SELECT i, i FROM unnest(p_ids) AS i
			UNION ALL SELECT l.source_id, l.target_id FROM zcsync.links l WHERE l.route_id = p_route AND l.source_id = ANY (p_ids)) AS e (source_id, row_id)
		WHERE EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.local_id = e.row_id AND q.operation = 'push' AND q.state = 'held')
		GROUP BY e.source_id);
END
$$;
COMMENT ON FUNCTION zcsync._held_sources(bigint, bigint[]) IS
'those of these source records that a route does not read, because they or their counterparts have a held push';

-- A person has decided about these rows: the routes that waited for that go on.
CREATE FUNCTION zcsync._wake_routes(p_ids bigint[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now()
	WHERE q.job_id IN (
		SELECT k.job_id FROM zcsync.sync_queue k
		WHERE k.operation = 'route' AND k.state = 'ready' AND k.run_at > zcsync._now()
			AND k.local_id = ANY (p_ids || ARRAY(SELECT l.source_id FROM zcsync.links l WHERE l.target_id = ANY (p_ids)))
		FOR UPDATE SKIP LOCKED)		-- a job that somebody holds locked is left out: it looks again by itself
$$;
COMMENT ON FUNCTION zcsync._wake_routes(bigint[]) IS
'lets routes go on with rows that were held';

-- Held jobs: those of a route or of an account, by its name, or all of them with NULL.
CREATE FUNCTION zcsync._held_jobs(p_name text) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_name IS NOT NULL
		AND NOT EXISTS (SELECT FROM zcsync.routes r WHERE r.name = p_name)
		AND NOT EXISTS (SELECT FROM zcsync.accounts a WHERE a.name = p_name) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no route or account "%s"', p_name),
			HINT = 'SELECT name FROM zcsync.routes; and SELECT name FROM zcsync.accounts; have their names. Without an argument, it is all that is held.';
	END IF;
	RETURN QUERY
	SELECT q.job_id FROM zcsync.sync_queue q
	WHERE q.state = 'held' AND (p_name IS NULL
			OR q.route_id IN (SELECT r.route_id FROM zcsync.routes r WHERE r.name = p_name)
			OR q.account_id IN (SELECT a.account_id FROM zcsync.accounts a WHERE a.name = p_name));
END
$$;
COMMENT ON FUNCTION zcsync._held_jobs(text) IS
'held jobs of a route or account, or all';

-- Close the alerts of the write brake and of other installations, for a route or
-- account, or all; and those of refused writes if none is held any more.
CREATE FUNCTION zcsync._resolve_brake(p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._resolve_alert(a.code, a.object) FROM zcsync.alerts a
	WHERE a.resolved_at IS NULL AND CASE a.code
		WHEN 'write_brake' THEN p_name IS NULL OR a.object = p_name
		WHEN 'other_installation' THEN p_name IS NULL OR a.object = p_name
		WHEN 'write_refused' THEN NOT EXISTS (
			SELECT FROM zcsync.sync_queue q JOIN zcsync.accounts c ON c.account_id = q.account_id
			WHERE q.state = 'held' AND q.refused_at IS NOT NULL AND c.name || '/' || q.kind = a.object) END;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_brake(text) IS
'closes the alerts of the write brake for a route or account, or all, and those of refused writes that are not held any more';

-- The same after a person has decided about single records, if nothing of the account,
-- or of the route, is held any more.
CREATE FUNCTION zcsync._resolve_idle_brake(p_account bigint, p_route bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._resolve_brake(a.name) FROM zcsync.accounts a
	WHERE a.account_id = p_account
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.account_id = p_account AND q.state = 'held');
	SELECT zcsync._resolve_brake(r.name) FROM zcsync.routes r
	WHERE r.route_id = p_route
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.route_id = p_route AND q.state = 'held')
$$;
COMMENT ON FUNCTION zcsync._resolve_idle_brake(bigint, bigint) IS
'closes the alerts of the write brake for an account and a route of which nothing is held any more';

-- Those of these held jobs that may be sent: not the pushes of streams that are read-only.
-- Says of which streams pushes are left.
CREATE FUNCTION zcsync._held_writable(p_jobs bigint[], p_cancelled boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs bigint[] := p_jobs;
	v_stream record;
BEGIN
	FOR v_stream IN
		SELECT a.name || '/' || s.kind AS name, count(*) AS pushes, array_agg(q.job_id) AS jobs
		FROM zcsync.sync_queue q JOIN zcsync.streams s ON s.stream_id = q.stream_id JOIN zcsync.accounts a ON a.account_id = s.account_id
		WHERE q.job_id = ANY (p_jobs) AND q.operation = 'push' AND NOT s.writes AND (q.cancelled IS NULL OR p_cancelled)
		GROUP BY a.name, s.kind ORDER BY a.name, s.kind
	LOOP
		v_jobs := ARRAY(SELECT unnest(v_jobs) EXCEPT SELECT unnest(v_stream.jobs));
		RAISE NOTICE USING MESSAGE = format('writes that stay held because stream "%s" is read-only: %s', v_stream.name, v_stream.pushes),
			HINT = format('To send them: SELECT * FROM zcsync.alter_stream(%L, writes => true); and then zcsync.release_held() again.', v_stream.name);
	END LOOP;
	RETURN v_jobs;
END
$$;
COMMENT ON FUNCTION zcsync._held_writable(bigint[], boolean) IS
'those of these held jobs that may be sent; says which streams are read-only';

CREATE FUNCTION zcsync.release_held(name text DEFAULT NULL, cancelled boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs bigint[] := ARRAY(SELECT zcsync._held_jobs(release_held.name));
	v_route record;
	v_ids bigint[];
	v_count bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	-- the comments of a paused route go when it is resumed
	FOR v_route IN
		SELECT r.name, count(*) AS comments, array_agg(q.job_id) AS jobs
		FROM zcsync.sync_queue q JOIN zcsync.comment_copies k ON k.copy_id = q.local_id JOIN zcsync.routes r ON r.route_id = k.route_id
		WHERE q.job_id = ANY (v_jobs) AND q.last_class = 'paused' AND r.state = 'paused'
		GROUP BY r.name ORDER BY r.name
	LOOP
		v_jobs := ARRAY(SELECT unnest(v_jobs) EXCEPT SELECT unnest(v_route.jobs));
		RAISE NOTICE USING MESSAGE = format('comments that wait for route "%s", which is paused: %s', v_route.name, v_route.comments),
			HINT = format('SELECT zcsync.resume_route(%L);', v_route.name);
	END LOOP;
	v_jobs := zcsync._held_writable(v_jobs, release_held.cancelled);
	PERFORM zcsync._verb_begins('zcsync.release_held()', cardinality(v_jobs));
	IF release_held.cancelled THEN
		PERFORM zcsync._push_failed(q.kind, q.local_id, 'pending') FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (v_jobs) AND q.cancelled = 'kept';
	END IF;
	PERFORM zcsync._lock_jobs(v_jobs);
	WITH released AS (
		UPDATE zcsync.sync_queue q
		SET state = 'ready', cancelled = NULL,
			run_at = CASE WHEN q.unclear_since IS NULL THEN zcsync._now() ELSE greatest(q.run_at, zcsync._now()) END
		WHERE q.job_id = ANY (v_jobs) AND q.state = 'held' AND (q.cancelled IS NULL OR release_held.cancelled)
		RETURNING q.local_id, zcsync._verb_did())
	SELECT coalesce(array_agg(r.local_id), '{}') INTO v_ids FROM released r;
	PERFORM zcsync._wake_routes(v_ids);
	v_count := cardinality(v_ids);
	IF release_held.cancelled THEN
		v_count := v_count + zcsync._release_pairs(release_held.name);
	END IF;
	PERFORM zcsync._resolve_brake(release_held.name);
	PERFORM zcsync._wake();
	PERFORM zcsync._verb_ends();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.release_held(text, boolean) IS
'sends held writes, whatever holds them: those of a route, of an account, or all; with cancelled also creates that cancel_held() prevented; not those of a stream that is read-only, nor comments of a paused route, which go when it is resumed; returns how many';

-- Routes create the copies that a person had prevented.
CREATE FUNCTION zcsync._release_pairs(p_name text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_pair record;
	v_count bigint := 0;
BEGIN
	FOR v_pair IN
		WITH gone AS (
			DELETE FROM zcsync.links l
			USING zcsync.routes r
			WHERE l.state = 'cancelled' AND r.route_id = l.route_id
				AND (p_name IS NULL OR r.name = p_name
					OR l.target_account IN (SELECT a.account_id FROM zcsync.accounts a WHERE a.name = p_name))
			RETURNING l.route_id, CASE l.copy_id WHEN l.target_id THEN l.source_id ELSE l.target_id END AS original_id)
		SELECT g.route_id, array_agg(g.original_id ORDER BY g.original_id) AS ids FROM gone g GROUP BY g.route_id
	LOOP
		-- whatever their age, and without the brake, since a person asked for them
		PERFORM zcsync._enqueue_source(v_pair.route_id, v_pair.ids, 50, true);
		v_count := v_count + cardinality(v_pair.ids);
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._release_pairs(text) IS
'lets routes create the copies that cancel_held() prevented';

CREATE FUNCTION zcsync.cancel_held(name text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs bigint[] := ARRAY(SELECT zcsync._held_jobs(cancel_held.name));
	v_count bigint;
	v_ended integer;
	v_left record;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT array_agg(l.job_id) INTO v_jobs
	FROM (SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (v_jobs) AND q.state = 'held' AND q.cancelled IS NULL
		ORDER BY q.account_id, q.dedupe_key COLLATE "C"		-- in the order of _enqueue()
		FOR UPDATE) AS l;
	v_count := coalesce(cardinality(v_jobs), 0);
	PERFORM zcsync._verb_begins('zcsync.cancel_held()', v_count);
	PERFORM zcsync.cancel(q.job_id) FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_jobs) AND q.operation <> 'push';
	UPDATE zcsync.sync_queue q
	SET cancelled = 'wanted', cancelled_by = session_user,
		-- these are to be looked up
		state = CASE WHEN q.unclear_since IS NULL THEN 'held' ELSE 'ready' END
	WHERE q.job_id = ANY (v_jobs) AND q.operation = 'push';
	LOOP
		v_ended := zcsync._end_cancelled();
		EXIT WHEN v_ended = 0;
		PERFORM zcsync._verb_did(v_ended);
	END LOOP;
	PERFORM zcsync._resolve_brake(cancel_held.name);
	PERFORM zcsync._wake();
	PERFORM zcsync._verb_ends();

	SELECT count(*) FILTER (WHERE q.cancelled = 'wanted' AND q.state = 'ready') AS unclear,
		count(*) FILTER (WHERE q.cancelled = 'wanted' AND q.state = 'held') AS busy,
		count(*) FILTER (WHERE q.cancelled = 'kept') AS kept, min(q.job_id) FILTER (WHERE q.cancelled = 'kept') AS first_kept
	INTO v_left
	FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_jobs);
	IF v_left.busy > 0 THEN
		RAISE NOTICE USING MESSAGE = format('%s of them have another call under way, or somebody is writing the row', v_left.busy),
			DETAIL = 'What that call sends reaches the vendor. They are taken back as soon as it has ended.';
	END IF;
	IF v_left.unclear > 0 THEN
		RAISE NOTICE USING MESSAGE = format('it is not known whether the vendor has created %s of the new records', v_left.unclear),
			DETAIL = 'They are looked up first. What is found stays as it is there; the others are taken back.';
	END IF;
	IF v_left.kept > 0 THEN
		RAISE NOTICE USING MESSAGE = format('%s new rows were written by people; they stay here, unsent', v_left.kept),
			HINT = (SELECT format('SELECT zcsync.discard(%L); or SELECT zcsync.release_held(%s, cancelled => true);',
					zcsync.reference(q.kind, q.local_id), coalesce(quote_literal(cancel_held.name), 'NULL'))
				FROM zcsync.sync_queue q WHERE q.job_id = v_left.first_kept);
	END IF;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.cancel_held(text) IS
'takes back held writes, whatever holds them: those of a route, of an account, or all; returns how many jobs';

-- ---------------------------------------------------------------------
-- Taking back
-- ---------------------------------------------------------------------

-- Rows that are to be taken back, by account and kind; with p_only, those that belong
-- to one route.
CREATE FUNCTION zcsync._cancelled_rows(p_only bigint) RETURNS TABLE (account_id bigint, kind text, ids bigint[])
LANGUAGE plpgsql STABLE PARALLEL SAFE		-- its plan is kept, since it is called very often
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT w.account_id, w.kind, array_agg(w.local_id ORDER BY w.local_id)
	FROM zcsync.sync_queue w
	WHERE w.cancelled = 'wanted' AND w.state = 'held' AND w.unclear_since IS NULL
		AND (p_only IS NULL OR EXISTS (SELECT FROM zcsync.links l WHERE l.route_id = p_only AND w.local_id IN (l.source_id, l.target_id)))
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue r
			WHERE r.account_id = w.account_id AND r.record_key = w.record_key AND r.state = 'running')
	GROUP BY w.account_id, w.kind
	ORDER BY w.account_id, w.kind;
END
$$;
COMMENT ON FUNCTION zcsync._cancelled_rows(bigint) IS
'rows of cancelled jobs that can be taken back now';

-- Take back what cancel_held() asked for, as far as it can be done now, for at most
-- p_max records of one kind; waits for no lock.  The worker may run only the SQL of
-- active routes, whose attempts are counted; with p_only it takes back only what
-- belongs to one route.  Returns how many are done.
CREATE FUNCTION zcsync._end_cancelled(p_max integer DEFAULT 1000, p_by_worker boolean DEFAULT false, p_only bigint DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_group record;
	v_locked bigint[];
	v_jobs bigint[];
	v_ids bigint[];
BEGIN
	FOR v_group IN SELECT w.account_id, w.kind, w.ids[1:p_max] AS ids FROM zcsync._cancelled_rows(p_only) AS w LOOP
		-- the row first and then its job, in the order of a writer
		v_locked := zcsync._lock_rows(v_group.account_id, v_group.kind, v_group.ids, true);
		SELECT array_agg(l.job_id), array_agg(l.local_id) INTO v_jobs, v_ids
		FROM (SELECT q.job_id, q.local_id FROM zcsync.sync_queue q
			WHERE q.account_id = v_group.account_id AND q.kind = v_group.kind AND q.local_id = ANY (v_locked)
				AND q.cancelled = 'wanted' AND q.state = 'held' AND q.unclear_since IS NULL
			ORDER BY q.dedupe_key COLLATE "C"
			FOR UPDATE SKIP LOCKED) AS l;
		CONTINUE WHEN v_ids IS NULL;
		PERFORM zcsync._cancel_rows(v_group.account_id, v_group.kind, v_ids, p_by_worker);
		PERFORM zcsync._end_cancelled_jobs(v_jobs, v_group.kind);
		PERFORM zcsync._wake_routes(v_ids);
		RETURN cardinality(v_ids);
	END LOOP;
	RETURN 0;
END
$$;
COMMENT ON FUNCTION zcsync._end_cancelled(integer, boolean, bigint) IS
'takes back what cancelled jobs would have sent, unless a call of the record is on its way or somebody has locked it; returns how many';

-- Take back what these locked rows would send.  An existing record gets the values that
-- were agreed on; a copy that a route made is deleted, and its pair is cancelled; so is a
-- comment of a route, which is not made again; a new row that a person wrote stays.
CREATE FUNCTION zcsync._cancel_rows(p_account bigint, p_kind text, p_ids bigint[], p_by_worker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_existing bigint[];
	v_copies bigint[] := ARRAY(
		SELECT l.copy_id FROM zcsync.links l WHERE l.copy_id = ANY (p_ids)
			AND (l.source_id = ANY (p_ids) OR l.target_id = ANY (p_ids))
		UNION ALL
		SELECT k.copy_id FROM zcsync.comment_copies k WHERE k.copy_id = ANY (p_ids));
	v_before zcsync.taken_back[];
BEGIN
	EXECUTE format('SELECT coalesce(array_agg(t.local_id), ''{}'') FROM zcsync.%I AS t '
			'WHERE t.account_id = $1 AND t.local_id = ANY ($2) AND t.remote_id IS NOT NULL', p_kind)
		INTO v_existing USING p_account, p_ids;
	IF v_existing <> '{}' THEN
		v_before := zcsync._route_news(v_existing, p_by_worker);
		PERFORM zcsync._take_back(p_account, p_kind, v_existing);
		PERFORM zcsync._agree_taken_back(v_before, zcsync._route_news(v_existing, p_by_worker));
		PERFORM zcsync._drop_unread(v_existing, p_by_worker);
	END IF;
	IF v_copies <> '{}' THEN
		v_copies := zcsync._delete_unsent(p_account, p_kind, v_copies);
		UPDATE zcsync.links l SET state = 'cancelled', changed_at = zcsync._now()
		WHERE (l.source_id = ANY (v_copies) OR l.target_id = ANY (v_copies)) AND l.copy_id = ANY (v_copies) AND l.state <> 'unlinked';
		PERFORM zcsync._delete_cancelled(v_copies);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._cancel_rows(bigint, text, bigint[], boolean) IS
'takes back what rows would send, and deletes those that a route made';

-- A cancelled copy can only be made again by its route, through release_held().  If the
-- route is gone, its cancelled pairs prevent nothing and are deleted.
CREATE FUNCTION zcsync._delete_cancelled(p_copies bigint[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM zcsync.links l
	WHERE (l.source_id = ANY (p_copies) OR l.target_id = ANY (p_copies)) AND l.copy_id = ANY (p_copies) AND l.state = 'cancelled' AND l.route_id IS NULL
$$;
COMMENT ON FUNCTION zcsync._delete_cancelled(bigint[]) IS
'deletes cancelled pairs of copies whose route is gone';

-- End the jobs of these rows, with a record; those of new rows that stay are kept.
CREATE FUNCTION zcsync._end_cancelled_jobs(p_jobs bigint[], p_kind text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kept bigint[];
BEGIN
	EXECUTE format($sql$
		WITH kept AS (
			UPDATE zcsync.sync_queue AS q SET cancelled = 'kept'
			FROM zcsync.%1$I AS t
			WHERE q.job_id = ANY ($1) AND t.account_id = q.account_id AND t.local_id = q.local_id AND t.remote_id IS NULL
			RETURNING q.job_id, t.account_id, t.local_id
		), marked AS (
			UPDATE zcsync.%1$I AS t SET sync_state = 'held', sync_cause = 'state', sync_cause_id = NULL, sync_xid = pg_current_xact_id()
			FROM kept AS k WHERE t.account_id = k.account_id AND t.local_id = k.local_id)
		SELECT coalesce(array_agg(k.job_id), '{}') FROM kept AS k$sql$, p_kind)
		INTO v_kept USING p_jobs;
	WITH gone AS (
		DELETE FROM zcsync.sync_queue q WHERE q.job_id = ANY (p_jobs) AND q.job_id <> ALL (v_kept) RETURNING q.*)
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		attempts, message, queued_at, created_at)
	SELECT g.job_id, g.account_id, g.queue, g.operation, g.kind, g.local_id, g.route_id,
		'cancelled', g.attempts, format('cancelled by %s', coalesce(g.cancelled_by, session_user)), g.created_at, zcsync._now()
	FROM gone g;
END
$$;
COMMENT ON FUNCTION zcsync._end_cancelled_jobs(bigint[], text) IS
'ends the jobs of rows that were taken back; those of new rows that stay are kept';

-- What routes would take over from records, compared with what is agreed on.
CREATE TYPE zcsync.taken_back AS (
	route_id bigint,
	is_back boolean,
	change zcsync.route_change
);
COMMENT ON TYPE zcsync.taken_back IS
'what a route would take over from a record; see zcsync._route_news()';

-- What routes would take over from these records, or from their counterparts.  A route
-- whose functions may not be run returns nothing.
CREATE FUNCTION zcsync._route_news(p_ids bigint[], p_active boolean) RETURNS zcsync.taken_back[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route record;
	v_news zcsync.taken_back[] := '{}';
BEGIN
	FOR v_route IN
		SELECT l.route_id, array_agg(l.source_id) AS ids
		FROM (
			SELECT k.route_id, k.source_id FROM zcsync.links k WHERE k.source_id = ANY (p_ids) AND k.state = 'linked'
			UNION
			SELECT k.route_id, k.source_id FROM zcsync.links k WHERE k.target_id = ANY (p_ids) AND k.state = 'linked') AS l
		JOIN zcsync.routes AS r ON r.route_id = l.route_id
		CROSS JOIN LATERAL zcsync._route_functions(l.route_id) AS f
		WHERE f.fault IS NULL AND (r.state = 'active' OR NOT p_active)
		GROUP BY l.route_id
		ORDER BY l.route_id
	LOOP
		v_news := v_news
			|| ARRAY(SELECT ROW(v_route.route_id, false, c)::zcsync.taken_back
				FROM zcsync._route_changes(v_route.route_id, v_route.ids, false,
					zcsync._evaluate_sources(v_route.route_id, v_route.ids, false)) AS c WHERE c.op IN ('update', 'agree'))
			|| ARRAY(SELECT ROW(v_route.route_id, true, c)::zcsync.taken_back
				FROM zcsync._route_back_changes(v_route.route_id, v_route.ids,
					zcsync._evaluate_targets(v_route.route_id, v_route.ids)) AS c WHERE c.op IN ('update', 'agree'));
	END LOOP;
	RETURN v_news;
END
$$;
COMMENT ON FUNCTION zcsync._route_news(bigint[], boolean) IS
'what routes would take over from these records or from their counterparts';

-- A value that differs from the agreed one only because it was taken back becomes
-- agreed: nobody changed it at the vendor, so the other side keeps what it has.  What
-- differed before still does.
CREATE FUNCTION zcsync._agree_taken_back(p_before zcsync.taken_back[], p_after zcsync.taken_back[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route record;
BEGIN
	FOR v_route IN
		SELECT a.route_id, a.is_back, array_agg(DISTINCT (a.change).source_id) AS ids, array_agg(a.change) AS changes
		FROM unnest(p_after) AS a
		WHERE NOT EXISTS (SELECT FROM unnest(p_before) AS b
			WHERE b.route_id = a.route_id AND b.is_back = a.is_back AND (b.change).source_id = (a.change).source_id
				AND (b.change).field = (a.change).field AND (b.change).agreed IS NOT DISTINCT FROM (a.change).agreed)
		GROUP BY a.route_id, a.is_back
	LOOP
		IF v_route.is_back THEN
			PERFORM zcsync._agree_back(v_route.route_id, v_route.changes);
		ELSE
			PERFORM zcsync._agree_forward(v_route.route_id, v_route.ids, v_route.changes);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._agree_taken_back(zcsync.taken_back[], zcsync.taken_back[]) IS
'remembers in pairs of routes the values that were taken back';

-- A route whose SQL cannot be run now does not see what was taken back.  Once it runs
-- again, it must not take that for a change.  So what its pairs of these records agree
-- on is dropped (maps.sql): then only the side that was edited since is copied.
CREATE FUNCTION zcsync._drop_unread(p_ids bigint[], p_active boolean) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.links AS l
	SET agreed = '{}', agreed_back = '{}', dropped = l.dropped || coalesce((
		SELECT jsonb_object_agg(f.name, coalesce(l.changed_at, l.created_at))
		FROM (SELECT jsonb_object_keys(l.agreed) UNION ALL SELECT 'back:' || jsonb_object_keys(l.agreed_back)) AS f (name)), '{}')
	FROM (
		SELECT k.link_id FROM zcsync.links k WHERE k.source_id = ANY (p_ids) AND k.state = 'linked'
		UNION
		SELECT k.link_id FROM zcsync.links k WHERE k.target_id = ANY (p_ids) AND k.state = 'linked') AS k
	JOIN zcsync.links AS p ON p.link_id = k.link_id
	JOIN zcsync.routes AS r ON r.route_id = p.route_id
	CROSS JOIN LATERAL zcsync._route_functions(r.route_id) AS f
	WHERE l.link_id = k.link_id AND (f.fault IS NOT NULL OR (p_active AND r.state <> 'active'))
$$;
COMMENT ON FUNCTION zcsync._drop_unread(bigint[], boolean) IS
'drops what pairs of records agree on, if their route cannot be run now';

-- ---------------------------------------------------------------------
-- Single records: discard() for one that the vendor never had, take_remote() for one
-- that the vendor has
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.discard(reference text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_record record;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT r.* INTO STRICT v_record FROM zcsync.record(reference) AS r;
	PERFORM zcsync._check_discard(reference, v_record.account_id, v_record.kind, v_record.local_id);
	UPDATE zcsync.links l SET state = CASE WHEN l.copy_id = v_record.local_id THEN 'cancelled' ELSE 'unlinked' END, changed_at = zcsync._now()
	WHERE v_record.local_id IN (l.source_id, l.target_id) AND l.state <> 'unlinked';
	PERFORM zcsync._delete_cancelled(ARRAY[v_record.local_id]);
	PERFORM zcsync._delete_unsent(v_record.account_id, v_record.kind, ARRAY[v_record.local_id]);
	PERFORM zcsync._end_pushes(v_record.account_id, v_record.local_id);
END
$$;
COMMENT ON FUNCTION zcsync.discard(text) IS
'deletes a row that the vendor never took, with its waiting push; its history stays, and no route makes it again';

-- The pushes of a record that are no longer needed, or failed for good.
CREATE FUNCTION zcsync._end_pushes(p_account bigint, p_local_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job record;
BEGIN
	DELETE FROM zcsync.dead_letters d WHERE d.account_id = p_account AND d.local_id = p_local_id AND d.operation = 'push';
	FOR v_job IN
		SELECT q.job_id, q.state, q.route_id FROM zcsync.sync_queue q
		WHERE q.account_id = p_account AND q.local_id = p_local_id AND q.operation = 'push'
	LOOP
		PERFORM zcsync._drop_job(v_job.job_id);
		PERFORM zcsync._resolve_idle_brake(p_account, v_job.route_id) WHERE v_job.state = 'held';
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._end_pushes(bigint, bigint) IS
'ends the waiting pushes of a record and those that failed for good';

CREATE FUNCTION zcsync._is_unclear(p_account bigint, p_local_id bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.local_id = p_local_id AND q.operation = 'push' AND q.unclear_since IS NOT NULL)
		OR EXISTS (SELECT FROM zcsync.dead_letters d
			WHERE d.account_id = p_account AND d.local_id = p_local_id AND d.operation = 'push' AND d.unclear_since IS NOT NULL)
$$;
COMMENT ON FUNCTION zcsync._is_unclear(bigint, bigint) IS
'may the vendor have created the record of this row without our knowledge?';

-- Lock the row, and raise an error unless the vendor certainly never had the record.
CREATE FUNCTION zcsync._check_discard(p_reference text, p_account bigint, p_kind text, p_local_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_remote_id text;
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	EXECUTE format('SELECT t.remote_id FROM zcsync.%I AS t WHERE t.account_id = $1 AND t.local_id = $2 FOR UPDATE', p_kind)
		INTO v_remote_id USING p_account, p_local_id;
	IF v_remote_id IS NOT NULL OR cardinality(zcsync._pushable(v_vendor, p_kind)) = 0
		-- comments have no stream of their own
		OR (p_kind <> 'comments' AND NOT EXISTS (SELECT FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = p_kind)) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('record "%s" is not a new record that waits to be sent', p_reference),
			HINT = CASE WHEN v_remote_id IS NOT NULL THEN format('%s has it; delete it there.', v_vendor) ELSE '' END;
	ELSIF EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.local_id = p_local_id AND q.operation = 'push' AND q.state = 'running') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('record "%s" is being created', p_reference),
			HINT = 'Try again when its call has ended.';
	ELSIF zcsync._is_unclear(p_account, p_local_id) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('it is not known whether %s has created record "%s"', v_vendor, p_reference),
			HINT = 'It is looked up by its push, or by zcsync.retry() of the dead letter; then try again.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_discard(text, bigint, text, bigint) IS
'locks a row, and raises an error unless its vendor never had it';

CREATE FUNCTION zcsync.take_remote(reference text, field text DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_record record;
	v_before zcsync.taken_back[];
	v_fields text[];
	v_left text[];
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT r.* INTO STRICT v_record FROM zcsync.record(reference) AS r;
	PERFORM zcsync._check_take_remote(reference, v_record.account_id, v_record.kind, v_record.local_id, field);
	v_fields := zcsync._unsent_fields(v_record.account_id, v_record.kind, v_record.local_id);
	v_before := zcsync._route_news(ARRAY[v_record.local_id], false);
	IF field IS NULL THEN
		PERFORM zcsync._take_back(v_record.account_id, v_record.kind, ARRAY[v_record.local_id]);
	ELSE
		PERFORM zcsync._take_back_field(v_record.account_id, v_record.kind, v_record.local_id, field);
	END IF;
	PERFORM zcsync._agree_taken_back(v_before, zcsync._route_news(ARRAY[v_record.local_id], false));
	PERFORM zcsync._drop_unread(ARRAY[v_record.local_id], false);
	v_left := zcsync._unsent_fields(v_record.account_id, v_record.kind, v_record.local_id);
	IF v_left = '{}' THEN
		PERFORM zcsync._end_pushes(v_record.account_id, v_record.local_id);
		PERFORM zcsync._wake_routes(ARRAY[v_record.local_id]);
	END IF;
	RETURN ARRAY(SELECT f FROM unnest(v_fields) AS f WHERE f <> ALL (v_left));
END
$$;
COMMENT ON FUNCTION zcsync.take_remote(text, text) IS
'gives a record, or one field of it, the last known value of its vendor, and drops what was changed here, which is then not sent; open decisions about it are settled; custom_fields/key is one custom field; returns the fields that changed';

-- Lock the row and its waiting push, and raise an error unless the changes here can be
-- taken back: the vendor has the record, and no call of it is on its way.
CREATE FUNCTION zcsync._check_take_remote(p_reference text, p_account bigint, p_kind text, p_local_id bigint, p_field text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_written text[] := zcsync._pushable(v_vendor, p_kind);
	v_row record;
BEGIN
	IF v_written = '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('record "%s" has no values at a vendor', p_reference),
			DETAIL = format('%s of account "%s" are not sent to a vendor.', initcap(p_kind COLLATE "C"), split_part(p_reference, '/', 1));
	ELSIF p_field IS NOT NULL AND p_field <> ALL (v_written)
		AND NOT ('custom_fields' = ANY (v_written) AND p_field LIKE 'custom_fields/_%') THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('"%s" is not a field of %s that is sent to %s', p_field, p_kind, v_vendor),
			HINT = format('The fields are: %s.', array_to_string(v_written, ', ')
				|| CASE WHEN 'custom_fields' = ANY (v_written) THEN ', custom_fields/<key>' ELSE '' END);
	END IF;
	EXECUTE format('SELECT t.remote_id, t.base IS NOT NULL AS has_base FROM zcsync.%I AS t WHERE t.account_id = $1 AND t.local_id = $2 FOR UPDATE', p_kind)
		INTO v_row USING p_account, p_local_id;
	-- a process that is about to send it has locked the job: wait for that
	PERFORM FROM zcsync.sync_queue q
	WHERE q.account_id = p_account AND q.local_id = p_local_id AND q.operation = 'push' AND q.state IN ('ready', 'held') FOR UPDATE;
	IF v_row.remote_id IS NULL OR NOT v_row.has_base THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('record "%2$s" has not been read from %1$s yet', v_vendor, p_reference),
			HINT = CASE WHEN v_row.remote_id IS NULL THEN format('To delete it here: SELECT zcsync.discard(%L);', p_reference)
				ELSE 'Try again when it was read.' END;
	ELSIF EXISTS (SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = p_account AND q.local_id = p_local_id AND q.operation = 'push' AND q.state = 'running') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('a call of record "%s" is on its way', p_reference),
			DETAIL = 'What it sends reaches the vendor.',
			HINT = 'Try again when it has ended.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_take_remote(text, bigint, text, bigint, text) IS
'locks a row and its waiting push, and raises an error unless its changes can be taken back now';

-- The hook take_back of the operation route, for zcsync.cancel().
CREATE FUNCTION zcsync._take_back_cancelled() RETURNS integer
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._end_cancelled()
$$;
COMMENT ON FUNCTION zcsync._take_back_cancelled() IS
'takes back what cancelled writes would have sent; returns how many';
