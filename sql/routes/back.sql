-- ---------------------------------------------------------------------
-- Routes: what comes back.
--
-- A field that comes back is an expression over the target row, translated by
-- the map of direction back, and written to the source row.  A link remembers
-- in agreed_back the value that the expression last had.  The first one that the
-- vendor tells is only remembered, so a pair that is made or found changes nothing
-- at the source, whatever the vendor makes of a new record.
--
-- A job does both directions, forward first.  What that itself makes of
-- a field that comes back is no change of the other side: it is remembered, not
-- written.  The same holds the other way round, so maps that lead in a circle
-- go round once and stop.  It also holds for other routes that join the same two
-- records, such as one the other way: what this route writes is agreed there.
-- ---------------------------------------------------------------------

-- The fields of records, $2, whose value at the target is another than the
-- agreed one: what the source has, and would have.  $1 is the route, $3 has the
-- types of the source's columns, $4 their roles, $5 is the source account, $6 what
-- the SQL of the route said.  An empty status is none yet.
CREATE FUNCTION zcsync._route_back_query(p_route bigint, p_source_kind text, p_target_kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
WITH pairs AS MATERIALIZED (
	SELECT l.link_id, l.source_id, l.target_id, l.agreed_back, v.doc,
		jsonb_build_object(%4$s) AS current, s.status AS status_here
	FROM unnest($6) AS v
	JOIN zcsync.links AS l ON l.source_id = v.source_id
	CROSS JOIN LATERAL (
		SELECT m.* FROM zcsync.%1$I AS m WHERE m.local_id = l.source_id AND m.deleted_at IS NULL OFFSET 0) AS s
	WHERE l.route_id = $1 AND l.source_id = ANY ($2) AND l.state <> 'unlinked' AND v.error IS NULL AND NOT v.late
)
SELECT p.source_id, p.target_id, f.field, p.current -> f.field AS old, p.status_here,
	v.source_value IS NULL AND CASE f.role WHEN 'member' THEN m.id IS NULL ELSE f.mapped END AS unmapped,
	CASE WHEN f.role = 'member' THEN coalesce(to_jsonb(CASE WHEN v.source_value IS NULL THEN m.id ELSE v.target_value END), 'null')
		WHEN NOT f.mapped THEN p.doc -> f.field
		WHEN f.type = 'text' THEN coalesce(to_jsonb(v.target_value), 'null')
		ELSE coalesce(to_jsonb(jsonb_populate_record(NULL::zcsync.%1$I, jsonb_build_object(f.field, v.target_value))) -> f.field, 'null')
		END AS new,
	p.doc -> f.field AS value, NOT p.agreed_back ? f.field AS first
FROM pairs AS p
CROSS JOIN (
	SELECT b.field, b.mapped, $3 ->> b.field AS type, $4 ->> b.field AS role FROM zcsync.route_fields AS b
	WHERE b.route_id = $1 AND b.direction = 'back') AS f
LEFT JOIN zcsync.route_values AS v ON v.route_id = $1 AND v.direction = 'back' AND v.field = f.field AND v.source_value = p.doc ->> f.field
LEFT JOIN LATERAL (SELECT zcsync._member_id($5, p.doc ->> f.field) AS id WHERE f.role = 'member') AS m ON true
WHERE p.doc -> f.field IS DISTINCT FROM p.agreed_back -> f.field
	AND (p.doc ->> f.field IS NOT NULL OR CASE WHEN p.agreed_back ? f.field THEN NOT f.mapped AND f.role IS DISTINCT FROM 'member'
		ELSE f.field NOT IN ('status', 'status_id') END)
ORDER BY p.source_id, f.field$sql$,
		p_source_kind, p_target_kind, NULL,
		coalesce((SELECT string_agg(format('%L, s.%I', f.field, f.field), ', ' ORDER BY f.field)
			FROM zcsync.route_fields f WHERE f.route_id = p_route AND f.direction = 'back'), ''))
$$;
COMMENT ON FUNCTION zcsync._route_back_query(bigint, text, text) IS
'the query that tells what comes back to the source of a route';

-- What would come back to these records now; has no side effects.  op: update,
-- agree (the source has it, or it is the first that is seen), error.
CREATE FUNCTION zcsync._route_back_changes(p_route bigint, p_ids bigint[], p_values zcsync.route_evaluation[]) RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.kind AS source_kind, t.kind AS target_kind, r.source_stream_id, s.account_id AS source_account, a.vendor AS source_vendor
	INTO STRICT v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	IF coalesce(cardinality(p_values), 0) = 0 THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		SELECT CASE x.step WHEN 'update' THEN 'update' WHEN 'agree' THEN 'agree' ELSE 'error' END,
			NULL::bigint, b.source_id, b.target_id, 'back:' || b.field, b.old, CASE WHEN b.unmapped THEN b.value ELSE b.new END,
			CASE WHEN x.step NOT IN ('update', 'agree') THEN x.step END,
			CASE x.step WHEN 'unmapped_value' THEN format('value "%%s" has no counterpart, so "%%s" does not come back', left(b.value #>> '{}', 200), b.field)
				ELSE zcsync._write_step_text(x.step, b.field, b.new) END,
			b.value
		FROM (%s) AS b
		CROSS JOIN LATERAL (SELECT CASE WHEN b.first THEN 'agree' WHEN b.unmapped THEN 'unmapped_value'
			ELSE zcsync._write_step(%L::zcsync.vendor_rules, '{}', b.field, b.status_here, b.old, b.new) END AS step) AS x$sql$,
		zcsync._route_back_query(p_route, v.source_kind, v.target_kind), (zcsync._kind_of(v.source_vendor, v.source_kind)).rules)
	USING p_route, p_ids, (SELECT jsonb_object_agg(f.field, f.type) FROM zcsync._route_source_fields(v.source_stream_id) f),
		(SELECT t.roles FROM zcsync._route_targets() t WHERE t.vendor = v.source_vendor AND t.kind = v.source_kind), v.source_account, p_values;
	RETURN QUERY SELECT c.* FROM zcsync._failed_evaluations(p_values) c WHERE c.source_id = ANY (p_ids);
END
$$;
COMMENT ON FUNCTION zcsync._route_back_changes(bigint, bigint[], zcsync.route_evaluation[]) IS
'what would come back to these source records now, by their local ids and what the SQL of the route said of their targets; free of side effects';

-- Remember values that came back, or went forward, as agreed.
CREATE FUNCTION zcsync._agree_back(p_route bigint, p_changes zcsync.route_change[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.links l
	SET agreed_back = l.agreed_back || n.agreed, changed_at = zcsync._now()
	FROM (
		SELECT c.source_id, jsonb_object_agg(substr(c.field, 6), c.agreed) AS agreed
		FROM unnest(p_changes) c WHERE c.op IN ('update', 'agree')
		GROUP BY c.source_id) AS n
	WHERE l.route_id = p_route AND l.source_id = n.source_id AND l.state <> 'unlinked'
		AND l.agreed_back <> l.agreed_back || n.agreed
$$;
COMMENT ON FUNCTION zcsync._agree_back(bigint, zcsync.route_change[]) IS
'remembers the values that came back in the links of a route';

-- What comes back now.
CREATE FUNCTION zcsync._back_changes_now(p_route bigint, p_ids bigint[]) RETURNS zcsync.route_change[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY(SELECT c FROM zcsync._route_back_changes(p_route, p_ids, zcsync._evaluate_targets(p_route, p_ids)) c)
$$;
COMMENT ON FUNCTION zcsync._back_changes_now(bigint, bigint[]) IS
'what would come back to these source records, as the SQL of the route says now';

-- Write what comes back.  p_before is what would have come back before this
-- job wrote the target, NULL if it did not; the caller has locked the rows.
-- Returns the source records that were written, target records that were, and
-- what could not come back.
CREATE FUNCTION zcsync._write_back(p_route bigint, p_ids bigint[], p_before zcsync.route_change[], p_origin text,
	OUT written bigint[], OUT targets bigint[], OUT errors zcsync.route_change[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_changes zcsync.route_change[] := zcsync._back_changes_now(p_route, p_ids);
	v_forward zcsync.route_change[];
BEGIN
	SELECT s.kind AS source_kind, t.kind AS target_kind INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	-- What the forward half of this job itself made of the target is agreed.
	v_changes := ARRAY(
		SELECT CASE WHEN p_before IS NULL OR EXISTS (SELECT FROM unnest(p_before) AS b
				WHERE b.source_id = c.source_id AND b.field = c.field AND b.agreed = c.agreed) THEN c
			ELSE zcsync._as_agreed(c) END
		FROM unnest(v_changes) AS c);
	errors := ARRAY(SELECT c FROM unnest(v_changes) c WHERE c.op = 'error');
	IF EXISTS (SELECT FROM unnest(v_changes) c WHERE c.op = 'update') THEN
		SELECT array_agg(u.source_id) INTO written
		FROM zcsync._update_targets(v.source_kind, p_origin, ARRAY(
			SELECT ROW('update', NULL, c.source_id, c.source_id, substr(c.field, 6), c.old, c.new, NULL, NULL, NULL)::zcsync.route_change
			FROM unnest(v_changes) c WHERE c.op = 'update')) u;
	END IF;
	PERFORM zcsync._agree_back(p_route, v_changes);
	IF written IS NULL THEN
		RETURN;
	END IF;

	-- The same the other way round: what this makes of the fields that go forward
	-- is agreed.  A record may leave the route by it, or return; then its other
	-- fields may have changed while it was away.
	v_forward := ARRAY(SELECT c FROM zcsync._route_changes(p_route, written, false, zcsync._evaluate_sources(p_route, written, false)) c);
	SELECT array_agg(DISTINCT u.target_id) INTO targets
	FROM zcsync._update_targets(v.target_kind, p_origin, ARRAY(
		SELECT c FROM unnest(v_forward) c
		WHERE c.op = 'update' AND EXISTS (SELECT FROM unnest(v_forward) x WHERE x.op = 'return' AND x.source_id = c.source_id))) u;
	PERFORM zcsync._agree_forward(p_route, written, v_forward);
	IF targets IS NOT NULL THEN
		PERFORM zcsync._agree_back(p_route, ARRAY(
			SELECT zcsync._as_agreed(c) FROM unnest(zcsync._back_changes_now(p_route, written)) c));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._write_back(bigint, bigint[], zcsync.route_change[], text) IS
'writes to source records what comes back from their targets';

-- A change that is remembered and not written.
CREATE FUNCTION zcsync._as_agreed(p_change zcsync.route_change) RETURNS zcsync.route_change
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW('agree', (p_change).link_id, (p_change).source_id, (p_change).target_id, (p_change).field, (p_change).old,
		(p_change).new, NULL, NULL, (p_change).agreed)::zcsync.route_change;
END;
COMMENT ON FUNCTION zcsync._as_agreed(zcsync.route_change) IS
'a change as one that both sides agree on already';
