-- ---------------------------------------------------------------------
-- What routes register with the rooms before them: what is done when mirror rows are
-- written (mirror/listeners.sql) and when an account is removed (account/parts.sql).
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Mirror rows
-- ---------------------------------------------------------------------

-- Jobs of the routes that take something back from these rows, for the records that are
-- paired with them.  A route has none for what it wrote itself.
CREATE FUNCTION zcsync._back_jobs(p_kind text, p_accounts bigint[], p_ids bigint[], p_origins zcsync.origin[], p_starting bigint[]) RETURNS zcsync.new_job[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan	-- pairs are looked up one by one, however many rows were written
SET enable_seqscan = off
AS $$
BEGIN
	RETURN (
		SELECT array_agg(zcsync._job(s.account_id, 'route', 'route', '', k.key, k.key, '{"edited": true}', p_stream => s.stream_id,
			p_route => r.route_id, p_kind => s.kind, p_local_id => l.source_id) ORDER BY r.route_id, l.source_id)
		FROM zcsync.streams t
		JOIN zcsync.routes r ON r.target_stream_id = t.stream_id AND (r.state = 'active' OR t.stream_id = ANY (p_starting))
			AND EXISTS (SELECT FROM zcsync.route_fields f WHERE f.route_id = r.route_id AND f.direction = 'back')
		JOIN unnest(p_accounts, p_ids, p_origins) AS w (account_id, local_id, cause, cause_id, xid) ON w.account_id = t.account_id
			AND (w.cause IN ('route', 'backfill') AND w.cause_id = r.route_id) IS NOT TRUE
		JOIN zcsync.links l ON l.route_id = r.route_id AND l.target_id = w.local_id AND l.state <> 'unlinked'
		JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
		CROSS JOIN LATERAL (SELECT format('route/%s/%s', r.route_id, l.source_id)) AS k (key)
		WHERE t.kind = p_kind);
END
$$;
COMMENT ON FUNCTION zcsync._back_jobs(text, bigint[], bigint[], zcsync.origin[], bigint[]) IS
'jobs of the pairs whose targets were written, for routes that bring something back';

-- A transaction that writes rows, and a function that starts a route on them at the
-- same time, do not see each other.  So there is a lock for each stream: writers share
-- it, and such a function takes it alone (_await_writers()).  The function waits for
-- the writers.  No writer waits for the function: writers learn on which streams a
-- route is just being started.
CREATE FUNCTION zcsync._starting_on(p_kind text, p_accounts bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT coalesce(array_agg(s.stream_id), '{}')
		FROM (
			SELECT t.stream_id FROM zcsync.streams t
			WHERE t.kind = p_kind AND t.account_id = ANY (p_accounts)
				AND EXISTS (SELECT FROM zcsync.routes r WHERE t.stream_id IN (r.source_stream_id, r.target_stream_id))
			OFFSET 0) AS s
		WHERE NOT pg_try_advisory_xact_lock_shared('zcsync.streams'::regclass::oid::integer, (s.stream_id % 2147483647)::integer));
END
$$;
COMMENT ON FUNCTION zcsync._starting_on(text, bigint[]) IS
'takes the lock that writers of rows share; returns the streams on which a route is just being started';

-- Does a stream still bring its history, or have rows of it still to be stored?
CREATE FUNCTION zcsync._brings_history(p_stream bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.history_state = 'running' OR zcsync._has_unstored(s.stream_id)
	FROM zcsync.streams s WHERE s.stream_id = p_stream
$$;
COMMENT ON FUNCTION zcsync._brings_history(bigint) IS
'does a stream still bring its history, or rows of it that had to wait?';

-- Routes whose source was read to the end no longer need to follow it.
CREATE FUNCTION zcsync._end_following() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.route_backfills b SET follows = false
	WHERE b.route_id IN (
		SELECT f.route_id FROM zcsync.route_backfills f JOIN zcsync.routes r ON r.route_id = f.route_id
		WHERE f.follows AND NOT zcsync._brings_history(r.source_stream_id)
		FOR NO KEY UPDATE OF f SKIP LOCKED)
$$;
COMMENT ON FUNCTION zcsync._end_following() IS
'ends the following of histories that are read';

-- Queue the routes of rows that were written.
CREATE FUNCTION zcsync._route_written(p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[], p_origins zcsync.origin[],
	p_updated_at timestamptz[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_starting bigint[] := zcsync._starting_on(p_kind, p_accounts);
	v_jobs zcsync.new_job[];
BEGIN
	-- A new row from a page can wait: it is parked, and tried again.  For other rows
	-- the route is assumed to be active, which may queue a job too many.
	IF v_starting <> '{}' AND p_old IS NULL AND (p_origins[1]).cause = 'pull' THEN
		RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = 'a route that reads or writes these rows is being started';
	END IF;
	-- A route leaves a record alone that is older than itself.  The vendor's times show
	-- that for most records; the route checks the others more closely.
	SELECT array_agg(zcsync._job(w.account_id, 'route', 'route', '', k.key, k.key, CASE WHEN x.is_new THEN '{"edited": true}'::jsonb ELSE '{}' END,
		p_stream => s.stream_id, p_route => r.route_id, p_kind => p_kind, p_local_id => w.local_id, p_backfill => NOT x.is_new,
		p_priority => CASE WHEN x.is_new THEN 50 ELSE 70 END) ORDER BY r.route_id, w.local_id)
	INTO v_jobs
	FROM unnest(p_accounts, p_ids, p_origins, p_updated_at) AS w (account_id, local_id, cause, cause_id, xid, updated_at)
	JOIN zcsync.streams s ON s.account_id = w.account_id AND s.kind = p_kind
	JOIN zcsync.routes r ON r.source_stream_id = s.stream_id
	CROSS JOIN LATERAL (SELECT format('route/%s/%s', r.route_id, w.local_id)) AS k (key)
	CROSS JOIN LATERAL (SELECT (r.state = 'active' OR s.stream_id = ANY (v_starting))
		AND (p_old IS NOT NULL OR w.cause <> 'pull' OR (w.updated_at < r.old_before) IS NOT TRUE)) AS x (is_new)
	WHERE x.is_new OR (p_old IS NULL AND EXISTS (SELECT FROM zcsync.route_backfills b WHERE b.route_id = r.route_id AND b.follows)
		AND zcsync._brings_history(s.stream_id));
	IF v_jobs IS NOT NULL THEN
		PERFORM zcsync._enqueue(v_jobs);
	END IF;
	IF p_old IS NOT NULL THEN
		v_jobs := zcsync._back_jobs(p_kind, p_accounts, p_ids, p_origins, v_starting);
		IF v_jobs IS NOT NULL THEN
			PERFORM zcsync._enqueue(v_jobs);
		END IF;
	END IF;
	PERFORM zcsync._converse(p_kind, p_ids, p_old, p_origins);
	PERFORM zcsync._queue_merged(p_kind, p_accounts, p_ids, p_old);
	IF p_kind IN ('companies', 'contacts') THEN
		PERFORM zcsync._queue_known_companies(p_kind, p_accounts, p_ids, p_old);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._route_written(text, bigint[], bigint[], jsonb[], zcsync.origin[], timestamptz[]) IS
'queues the routes of rows that were written';

-- A row takes the place of another one in its pairs, unless it has a pair of its own
-- with a record of the same stream.
CREATE FUNCTION zcsync._replace_in_pairs(p_gone bigint[], p_kept bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.links AS l
	SET source_id = CASE WHEN l.source_id = w.gone THEN w.kept ELSE l.source_id END,
		target_id = CASE WHEN l.target_id = w.gone THEN w.kept ELSE l.target_id END,
		copy_id = CASE WHEN l.copy_id = w.gone THEN w.kept ELSE l.copy_id END
	FROM unnest(p_gone, p_kept) AS w (gone, kept)
	WHERE (l.source_id = w.gone OR l.target_id = w.gone)
		AND NOT EXISTS (SELECT FROM zcsync.links AS o
			WHERE (o.source_id = w.kept AND (o.target_account, o.target_kind)
					= (CASE WHEN l.source_id = w.gone THEN l.target_account ELSE l.source_account END,
						CASE WHEN l.source_id = w.gone THEN l.target_kind ELSE l.source_kind END))
				OR (o.target_id = w.kept AND (o.source_account, o.source_kind)
					= (CASE WHEN l.source_id = w.gone THEN l.target_account ELSE l.source_account END,
						CASE WHEN l.source_id = w.gone THEN l.target_kind ELSE l.source_kind END)));
	DELETE FROM zcsync.links AS l WHERE l.source_id = ANY (p_gone) OR l.target_id = ANY (p_gone);
	UPDATE zcsync.comment_copies AS k SET original_id = w.kept
	FROM unnest(p_gone, p_kept) AS w (gone, kept)
	WHERE k.original_id = w.gone
		AND NOT EXISTS (SELECT FROM zcsync.comment_copies AS o WHERE o.original_id = w.kept AND o.link_id = k.link_id);
END
$$;
COMMENT ON FUNCTION zcsync._replace_in_pairs(bigint[], bigint[]) IS
'puts rows into the pairs of others that are about to be deleted';

-- The fields of a row that a route wrote last, if the row is the target of that route:
-- if both sides of a route changed a field, the source's value wins, even if it has not
-- been sent yet.  The history shows who wrote last.
CREATE FUNCTION zcsync._routed_fields(p_account bigint, p_local_id bigint) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT w.field
		FROM (
			SELECT DISTINCT ON (f.field) f.field, h.cause, h.cause_id
			FROM zcsync.changes AS h
			CROSS JOIN LATERAL (
				SELECT k FROM jsonb_object_keys(h.new) AS k WHERE k <> 'custom_fields'
				UNION ALL
				SELECT 'custom_fields/' || k FROM unnest(zcsync._differing_keys(h.old -> 'custom_fields', h.new -> 'custom_fields')) AS k) AS f (field)
			WHERE h.local_id = p_local_id AND h.account_id = p_account AND h.action IN ('insert', 'update')
			-- within one transaction, what a user's trigger wrote comes after the
			-- route's write
			ORDER BY f.field, h.created_at DESC, h.cause IN ('route', 'backfill')) AS w
		WHERE w.cause IN ('route', 'backfill') AND EXISTS (
			SELECT FROM zcsync.links AS l WHERE l.route_id = w.cause_id AND l.target_id = p_local_id AND l.state <> 'unlinked'));
END
$$;
COMMENT ON FUNCTION zcsync._routed_fields(bigint, bigint) IS
'the fields of a row that a route wrote last, from the source of the route';

CREATE FUNCTION zcsync._refuse_routed_stream(p_stream bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route text;
	v_stream text;
BEGIN
	SELECT r.name INTO v_route FROM zcsync.routes r
	WHERE p_stream IN (r.source_stream_id, r.target_stream_id) ORDER BY r.name LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT format('%s/%s', a.name, s.kind) INTO v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream;
	RAISE EXCEPTION USING ERRCODE = 'object_in_use',
		MESSAGE = format('stream "%s" is used by route "%s"', v_stream, v_route),
		HINT = format('SELECT zcsync.remove_route(%L);', v_route);
END
$$;
COMMENT ON FUNCTION zcsync._refuse_routed_stream(bigint) IS
'raises an error if a route reads or writes a stream';

-- A pair whose route is gone, or which a route left, still belongs together.  Of one that
-- has ended the comments are still read if there are copies of them, which may have to be
-- withdrawn.
CREATE FUNCTION zcsync._linked_rows(p_account bigint, p_kind text, p_since timestamptz) RETURNS bigint[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY(
		SELECT l.source_id FROM zcsync.links l
		WHERE l.source_account = p_account AND l.source_kind = p_kind AND l.created_at > p_since
			AND (l.state IN ('linked', 'left') OR EXISTS (SELECT FROM zcsync.comment_copies k WHERE k.link_id = l.link_id))
		UNION
		SELECT l.target_id FROM zcsync.links l
		WHERE l.target_account = p_account AND l.target_kind = p_kind AND l.created_at > p_since
			AND (l.state IN ('linked', 'left') OR EXISTS (SELECT FROM zcsync.comment_copies k WHERE k.link_id = l.link_id)))
$$;
COMMENT ON FUNCTION zcsync._linked_rows(bigint, text, timestamptz) IS
'the rows of a kind that have a counterpart since after a time';

CREATE FUNCTION zcsync._route_listener() RETURNS zcsync.listener
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_listener('routes',
		p_written => 'zcsync._route_written(text, bigint[], bigint[], jsonb[], zcsync.origin[], timestamptz[])'::regprocedure,
		p_replaced => 'zcsync._replace_in_pairs(bigint[], bigint[])'::regprocedure,
		p_stream_removed => 'zcsync._refuse_routed_stream(bigint)'::regprocedure,
		p_outranking => 'zcsync._routed_fields(bigint, bigint)'::regprocedure,
		p_linked => 'zcsync._linked_rows(bigint, text, timestamptz)'::regprocedure,
		p_paused => 'zcsync._paused_copies(bigint[])'::regprocedure,
		p_files => 'zcsync._files_for_posts(bigint[])'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._route_listener() IS
'what routes are told of mirror rows and streams';

-- ---------------------------------------------------------------------
-- Accounts
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._routes_of_account(p_account bigint) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.name FROM zcsync.routes r
	WHERE EXISTS (SELECT FROM zcsync.streams s
		WHERE s.account_id = p_account AND s.stream_id IN (r.source_stream_id, r.target_stream_id))
	ORDER BY r.name
$$;
COMMENT ON FUNCTION zcsync._routes_of_account(bigint) IS
'the routes that read or write streams of an account';

CREATE FUNCTION zcsync._count_account_routes(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(*) FROM zcsync._routes_of_account(p_account)
$$;
COMMENT ON FUNCTION zcsync._count_account_routes(bigint) IS
'how many routes read or write streams of an account';

-- The caller has already reported how many there are.
CREATE FUNCTION zcsync._remove_account_routes(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route text;
BEGIN
	DELETE FROM zcsync.comment_copies k USING zcsync.comments c WHERE c.local_id = k.copy_id AND c.account_id = p_account;
	FOREACH v_route IN ARRAY ARRAY(SELECT r FROM zcsync._routes_of_account(p_account) AS r) LOOP
		PERFORM zcsync.remove_route(v_route, force => true);
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._remove_account_routes(bigint) IS
'removes the routes that read or write streams of an account';

CREATE FUNCTION zcsync._account_routes() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('routes', 20, p_count => 'zcsync._count_account_routes(bigint)'::regprocedure,
		p_remove => 'zcsync._remove_account_routes(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_routes() IS
'what is done about routes when an account is removed';
