-- ---------------------------------------------------------------------
-- Routes: what the SQL of a route says about records.
--
-- The compiled functions are run here and nowhere else, by their oid, outside of any
-- statement of ours; their results are data for the queries of changes.sql and
-- back.sql.  A record whose SQL fails has an error in place of a value, and the other
-- records have their values.
-- ---------------------------------------------------------------------

-- The result of the compiled SQL of a route for one record.
CREATE TYPE zcsync.route_value AS (
	passes boolean,			-- does it pass the filter of the route?
	doc jsonb,				-- field -> value, before translation
	place text,				-- the place where it is created
	targets bigint[]		-- records that match_on found
);
COMMENT ON TYPE zcsync.route_value IS
'what the SQL of a route gives for one record; see zcsync._evaluate()';

-- The same for a known record, with the error if there is no result.
CREATE TYPE zcsync.route_evaluation AS (
	source_id bigint,
	passes boolean,
	doc jsonb,
	place text,
	targets bigint[],		-- what match_on found; for what comes back, the target itself
	error text,				-- why there is no value
	late boolean,			-- there is no value because the time was not enough
	seen xid				-- version of the row that was evaluated
);
COMMENT ON TYPE zcsync.route_evaluation IS
'what the SQL of a route gave for a record, or why it gave nothing; see zcsync._evaluate_sources()';

-- The only way in which the SQL of a route is run; see src/sandbox.c.
CREATE FUNCTION zcsync._evaluate(p_function oid, p_owner oid, p_rows anyarray, p_place boolean, p_timeout_ms integer)
RETURNS TABLE (n integer, value zcsync.route_value, error text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_evaluate';
COMMENT ON FUNCTION zcsync._evaluate(oid, oid, anyarray, boolean, integer) IS
'calls a compiled function of a route as its owner, read-only and rolled back; returns for each row its value, or the error that it raised, or neither if the time was not enough';

CREATE FUNCTION zcsync._mapping_timeout() RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(nullif(current_setting('zcsync.mapping_timeout', true), ''), '5s')::interval;
END;
COMMENT ON FUNCTION zcsync._mapping_timeout() IS
'zcsync.mapping_timeout as an interval';

-- The functions of a route, and why they may not be run; fault is NULL if all of them
-- exist and belong to the role that defined the route.  A function with one of our
-- names that another role made is never run.
CREATE FUNCTION zcsync._route_functions(p_route bigint, OUT forward oid, OUT match oid, OUT back oid, OUT owner oid, OUT fault text)
LANGUAGE plpgsql STABLE PARALLEL SAFE	-- its plan is kept: each batch asks
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT max(p.oid) FILTER (WHERE f.name = 'forward'), max(p.oid) FILTER (WHERE f.name = 'match'), max(p.oid) FILTER (WHERE f.name = 'back'),
		to_regrole(quote_ident(min(r.defined_by)))::oid,
		string_agg(CASE
			WHEN p.oid IS NULL THEN format('function zcsync_routes.%I is missing', f.name || '_' || p_route)
			WHEN p.prosecdef THEN format('function zcsync_routes.%I is SECURITY DEFINER', f.name || '_' || p_route)
			WHEN pg_get_userbyid(p.proowner) <> r.defined_by THEN
				format('function zcsync_routes.%I belongs to role "%s", the route to role "%s"',
					f.name || '_' || p_route, pg_get_userbyid(p.proowner), r.defined_by)
		END, '; ' ORDER BY f.name)
	INTO forward, match, back, owner, fault
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	CROSS JOIN LATERAL (VALUES ('forward', s.kind, ', boolean'), ('match', s.kind, ''), ('back', t.kind, '')) AS f (name, kind, also)
	LEFT JOIN pg_proc p ON p.oid = to_regprocedure(format('zcsync_routes.%I(zcsync.%I[]%s)', f.name || '_' || p_route, f.kind, f.also))
	WHERE r.route_id = p_route AND (f.name <> 'match' OR r.match_on IS NOT NULL)
		AND (f.name <> 'back' OR EXISTS (SELECT FROM zcsync.route_fields b WHERE b.route_id = p_route AND b.direction = 'back'));
END
$$;
COMMENT ON FUNCTION zcsync._route_functions(bigint) IS
'the compiled functions of a route and their owner, and why they may not be run; NULL when they may';

-- The same, but raises an error if they may not be run.
CREATE FUNCTION zcsync._runnable_route(p_route bigint, OUT forward oid, OUT match oid, OUT back oid, OUT owner oid)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_fault text;
	v_name text;
BEGIN
	SELECT f.forward, f.match, f.back, f.owner, f.fault INTO forward, match, back, owner, v_fault
	FROM zcsync._route_functions(p_route) f;
	IF v_fault IS NOT NULL THEN
		SELECT r.name INTO v_name FROM zcsync.routes r WHERE r.route_id = p_route;
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('route "%s" cannot be run', v_name),
			DETAIL = format('%s.', v_fault),
			HINT = format('SELECT * FROM zcsync.check_route(%L);', v_name);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._runnable_route(bigint) IS
'the compiled functions of a route and their owner; an error when they may not be run';

-- Evaluate records of a table with one function.  p_place: is the place wanted, too?
-- NULL: only whether the record passes the filter.
CREATE FUNCTION zcsync._evaluate_rows(p_function oid, p_owner oid, p_kind text, p_ids bigint[], p_place boolean, p_timeout interval)
RETURNS SETOF zcsync.route_evaluation
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_ids IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		SELECT a.ids[e.n], (e.value).passes, (e.value).doc, (e.value).place, (e.value).targets, e.error,
			e.value IS NULL AND e.error IS NULL, a.seen[e.n]
		FROM (
			SELECT array_agg(m.local_id) AS ids, array_agg(m.row) AS rows, array_agg(m.xmin) AS seen
			FROM (SELECT t.local_id, t AS row, t.xmin FROM zcsync.%I AS t WHERE t.local_id = ANY ($1) ORDER BY t.local_id) AS m) AS a
		CROSS JOIN LATERAL zcsync._evaluate($2, $3, a.rows, $4, $5) AS e$sql$, p_kind)
	USING p_ids, p_function, p_owner, p_place, (extract(epoch FROM p_timeout) * 1000)::integer;
END
$$;
COMMENT ON FUNCTION zcsync._evaluate_rows(oid, oid, text, bigint[], boolean, interval) IS
'what a compiled function of a route gives for records of a table, by their local ids';

-- What the route says about source records: those that it has paired, and others that
-- are due.  The place is evaluated only for those that it has not paired.
CREATE FUNCTION zcsync._evaluate_sources(p_route bigint, p_ids bigint[], p_backfill boolean, p_timeout interval DEFAULT zcsync._mapping_timeout())
RETURNS zcsync.route_evaluation[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_functions record;
	v_old bigint[];
	v_new bigint[];
	v_values zcsync.route_evaluation[];
	v_found zcsync.route_evaluation[];
BEGIN
	SELECT s.account_id, s.kind, a.vendor INTO STRICT v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE r.route_id = p_route;
	SELECT f.* INTO v_functions FROM zcsync._runnable_route(p_route) f;
	EXECUTE format($sql$
		SELECT array_agg(s.local_id) FILTER (WHERE s.is_linked), array_agg(s.local_id) FILTER (WHERE NOT s.is_linked AND s.is_due)
		FROM (
			SELECT s.local_id, %s AND ($4 OR zcsync._is_news($5, %s, s.sync_xid)) AS is_due,
				EXISTS (SELECT FROM zcsync.links AS l WHERE l.route_id = $3 AND l.source_id = s.local_id AND l.state <> 'unlinked') AS is_linked
			FROM zcsync.%I AS s
			WHERE s.local_id = ANY ($1) AND s.account_id = $2 AND s.deleted_at IS NULL) AS s$sql$,
		CASE WHEN v.vendor = 'local' THEN 'true' ELSE 's.remote_id IS NOT NULL' END, zcsync._route_changed_at(v.vendor), v.kind)
	INTO v_old, v_new USING p_ids, v.account_id, p_route, p_backfill, zcsync._route_start(p_route);

	v_values := ARRAY(
		SELECT e FROM zcsync._evaluate_rows(v_functions.forward, v_functions.owner, v.kind, v_old, false, p_timeout) e
		UNION ALL
		SELECT e FROM zcsync._evaluate_rows(v_functions.forward, v_functions.owner, v.kind, v_new, true, p_timeout) e);
	IF v_functions.match IS NOT NULL THEN
		v_found := ARRAY(SELECT e FROM zcsync._evaluate_rows(v_functions.match, v_functions.owner, v.kind,
			ARRAY(SELECT x.source_id FROM unnest(v_values) x WHERE x.passes AND x.source_id = ANY (v_new)), false, p_timeout) e);
		v_values := ARRAY(
			SELECT CASE WHEN m.source_id IS NULL THEN e
				ELSE ROW(e.source_id, e.passes, e.doc, e.place, m.targets, m.error, m.late, e.seen)::zcsync.route_evaluation END
			FROM unnest(v_values) AS e LEFT JOIN unnest(v_found) AS m ON m.source_id = e.source_id);
	END IF;
	RETURN v_values;
END
$$;
COMMENT ON FUNCTION zcsync._evaluate_sources(bigint, bigint[], boolean, interval) IS
'what a route says of source records: whether it wants them, the value of each field, where they are created, what match_on finds';

-- What comes back from the targets of source records, by the ids of the source records.
-- A record that its vendor has not shown yet has nothing that could come back.
CREATE FUNCTION zcsync._evaluate_targets(p_route bigint, p_ids bigint[], p_timeout interval DEFAULT zcsync._mapping_timeout())
RETURNS zcsync.route_evaluation[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
	v_functions record;
	v_ids bigint[];
BEGIN
	SELECT f.* INTO v_functions FROM zcsync._runnable_route(p_route) f;
	IF v_functions.back IS NULL THEN
		RETURN '{}';
	END IF;
	SELECT t.kind INTO v_kind
	FROM zcsync.routes r JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	EXECUTE format($sql$
		SELECT array_agg(DISTINCT t.local_id)
		FROM zcsync.links AS l
		CROSS JOIN LATERAL (
			SELECT m.local_id FROM zcsync.%I AS m
			WHERE m.local_id = l.target_id AND m.remote_id IS NOT NULL AND m.deleted_at IS NULL OFFSET 0) AS t
		WHERE l.route_id = $1 AND l.source_id = ANY ($2) AND l.state <> 'unlinked'$sql$, v_kind)
	INTO v_ids USING p_route, p_ids;
	RETURN ARRAY(
		SELECT ROW(l.source_id, e.passes, e.doc, NULL, ARRAY[l.target_id], e.error, e.late, e.seen)::zcsync.route_evaluation
		FROM zcsync._evaluate_rows(v_functions.back, v_functions.owner, v_kind, v_ids, false, p_timeout) AS e
		JOIN zcsync.links AS l ON l.route_id = p_route AND l.target_id = e.source_id AND l.source_id = ANY (p_ids) AND l.state <> 'unlinked');
END
$$;
COMMENT ON FUNCTION zcsync._evaluate_targets(bigint, bigint[], interval) IS
'what comes back from the targets of source records';

-- Errors for records whose SQL failed.
CREATE FUNCTION zcsync._failed_evaluations(p_values zcsync.route_evaluation[]) RETURNS SETOF zcsync.route_change
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW('error', NULL, e.source_id, NULL, '', NULL, NULL, CASE WHEN e.late THEN 'late' ELSE 'mapping_error' END,
		coalesce(e.error, 'the time was not enough to evaluate the SQL of the route'), NULL)::zcsync.route_change
	FROM unnest(p_values) AS e WHERE e.late OR e.error IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._failed_evaluations(zcsync.route_evaluation[]) IS
'the errors among what the SQL of a route gave, as changes';
