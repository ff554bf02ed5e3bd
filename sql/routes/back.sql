-- ---------------------------------------------------------------------
-- Routes: what comes back.
--
-- A field that comes back is an expression over the target row, translated by the map
-- of direction back, and written to the source row.  A link remembers in agreed_back
-- the last value of the expression.  The first value that the vendor shows is only
-- remembered, so a pair that was just made or found changes nothing at the source,
-- whatever the vendor makes of a new record.  maps.sql is about expressions that
-- change.
--
-- A job does both directions; see jobs.sql.
-- ---------------------------------------------------------------------

-- The fields of records ($2) whose value at the target differs from the agreed one:
-- what the source has, and would get.  $1 is the route, $3 has the types of the
-- source's columns, $4 their roles, $5 is the source account, $6 what the SQL of the
-- route said, $7 what apply_route() would make of it.  An empty status means that there
-- is none yet.
CREATE FUNCTION zcsync._route_back_query(p_route bigint, p_source_kind text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN format($sql$
WITH pairs AS MATERIALIZED (
	SELECT l.link_id, l.source_id, l.target_id, l.agreed_back, v.doc,
		l.dropped,
		jsonb_build_object(%2$s) AS current, s.status AS status_here
	FROM unnest($6) AS v
	CROSS JOIN LATERAL (
		SELECT k.* FROM zcsync.links AS k
		WHERE k.route_id = $1 AND k.source_id = v.source_id AND k.state <> 'unlinked' OFFSET 0) AS l
	CROSS JOIN LATERAL (
		SELECT m.* FROM zcsync.%1$I AS m WHERE m.local_id = l.source_id AND m.deleted_at IS NULL OFFSET 0) AS s
	WHERE v.source_id IN (SELECT unnest($2)) AND v.error IS NULL AND NOT v.late
), fields AS MATERIALIZED (
	SELECT b.field, 'back:' || b.field AS key, b.expression, b.mapped, $3 ->> b.field AS type, $4 ->> b.field AS role FROM zcsync.route_fields AS b
	WHERE b.route_id = $1 AND b.direction = 'back'
), members AS MATERIALIZED (	-- each is looked up once
	SELECT d.value, zcsync._member_id($5, d.value) AS id
	FROM (SELECT DISTINCT p.doc ->> f.field AS value FROM pairs AS p JOIN fields AS f ON f.role = 'member'
		WHERE p.doc -> f.field IS DISTINCT FROM p.agreed_back -> f.field) AS d
)
SELECT p.source_id, p.target_id, f.field, p.current -> f.field AS old, p.status_here,
	v.source_value IS NULL AND CASE f.role WHEN 'member' THEN m.id IS NULL ELSE f.mapped END AS unmapped,
	CASE WHEN f.role = 'member' THEN coalesce(to_jsonb(CASE WHEN v.source_value IS NULL THEN m.id ELSE v.target_value END), 'null')
		WHEN NOT f.mapped AND p.agreed_back ? f.field THEN zcsync._merge_value(p.doc -> f.field, p.agreed_back -> f.field, p.current -> f.field)
		WHEN NOT f.mapped THEN p.doc -> f.field
		WHEN f.type = 'text' THEN coalesce(to_jsonb(v.target_value), 'null')
		ELSE coalesce(to_jsonb(jsonb_populate_record(NULL::zcsync.%1$I, jsonb_build_object(f.field, v.target_value))) -> f.field, 'null')
		END AS new,
	p.doc -> f.field AS value, coalesce(d.step, CASE WHEN p.agreed_back ? f.field THEN 'write' ELSE 'agree' END) AS step
FROM pairs AS p
CROSS JOIN fields AS f
LEFT JOIN zcsync.route_values AS v ON v.route_id = $1 AND v.direction = 'back' AND v.field = f.field AND v.source_value = p.doc ->> f.field
LEFT JOIN members AS m ON f.role = 'member' AND m.value = p.doc ->> f.field
CROSS JOIN LATERAL (SELECT CASE WHEN p.dropped ? f.key
	THEN zcsync._dropped_step($1, p.dropped -> f.key, $7, p.target_id, f.expression, p.source_id, f.field) END AS step) AS d
WHERE p.doc -> f.field IS DISTINCT FROM p.agreed_back -> f.field
	AND (p.doc ->> f.field IS NOT NULL OR CASE WHEN p.agreed_back ? f.field OR p.dropped ? f.key THEN NOT f.mapped AND f.role IS DISTINCT FROM 'member'
		ELSE f.field NOT IN ('status', 'status_id') END)
ORDER BY p.source_id, f.field$sql$,
		p_source_kind,
		coalesce((SELECT string_agg(format('%L, s.%I', f.field, f.field), ', ' ORDER BY f.field)
			FROM zcsync.route_fields f WHERE f.route_id = p_route AND f.direction = 'back'), ''));
END
$$;
COMMENT ON FUNCTION zcsync._route_back_query(bigint, text) IS
'the query that tells what comes back to the source of a route';

-- What would come back to these records now; has no side effects.  op: update, agree
-- (the source has the value, or it is the first one seen), error.
CREATE FUNCTION zcsync._route_back_changes(p_route bigint, p_ids bigint[], p_values zcsync.route_evaluation[], p_apply boolean DEFAULT false)
RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
SET enable_nestloop = off	-- rows are looked up one by one, but what was found is joined by hashing
SET enable_mergejoin = off
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.kind AS source_kind, r.source_stream_id, s.account_id AS source_account, a.vendor AS source_vendor
	INTO STRICT v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE r.route_id = p_route;
	IF coalesce(cardinality(p_values), 0) = 0 THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT c.* FROM zcsync._read_kept(format($sql$
		SELECT CASE x.step WHEN 'update' THEN 'update' WHEN 'agree' THEN 'agree' ELSE 'error' END,
			NULL::bigint, b.source_id, b.target_id, 'back:' || b.field, b.old, CASE WHEN b.unmapped THEN b.value ELSE b.new END,
			CASE WHEN x.step NOT IN ('update', 'agree') THEN x.step END,
			CASE x.step WHEN 'unmapped_value' THEN format('value "%%s" has no counterpart, so "%%s" does not come back', left(b.value #>> '{}', 200), b.field)
				ELSE zcsync._write_step_text(x.step, b.field, b.new) END,
			b.value
		FROM (%s) AS b
		CROSS JOIN LATERAL (SELECT CASE WHEN b.step = 'agree' THEN 'agree'
			WHEN b.step = 'wait' AND (b.unmapped OR NOT zcsync._same_value(b.old, b.new)) THEN 'wait'
			WHEN b.unmapped THEN 'unmapped_value'
			ELSE zcsync._write_step($8, '{}', b.field, b.status_here, b.old, b.new) END AS step) AS x
		WHERE x.step <> 'wait'$sql$,
		zcsync._route_back_query(p_route, v.source_kind)), p_route, p_ids, (SELECT jsonb_object_agg(f.field, f.type) FROM zcsync._route_source_fields(v.source_stream_id) f),
		(SELECT t.roles FROM zcsync._route_targets() t WHERE t.vendor = v.source_vendor AND t.kind = v.source_kind), v.source_account, p_values, p_apply,
		(zcsync._kind_of(v.source_vendor, v.source_kind)).rules)
		AS c (op text, link_id bigint, source_id bigint, target_id bigint, field text, old jsonb, new jsonb, error_code text, message text, agreed jsonb);
	RETURN QUERY SELECT c.* FROM zcsync._failed_evaluations(p_values) c WHERE c.source_id = ANY (p_ids);
END
$$;
COMMENT ON FUNCTION zcsync._route_back_changes(bigint, bigint[], zcsync.route_evaluation[], boolean) IS
'what would come back to these source records now, by their local ids and what the SQL of the route said of their targets; free of side effects';

-- Remember values that came back, or went forward, as agreed.
CREATE FUNCTION zcsync._agree_back(p_route bigint, p_changes zcsync.route_change[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	UPDATE zcsync.links l
	SET agreed_back = l.agreed_back || n.agreed, dropped = l.dropped - n.fields, changed_at = zcsync._now()
	FROM (
		SELECT c.source_id, jsonb_object_agg(substr(c.field, 6), c.agreed) AS agreed, array_agg(c.field) AS fields
		FROM unnest(p_changes) c WHERE c.op IN ('update', 'agree')
		GROUP BY c.source_id) AS n
	WHERE l.route_id = p_route AND l.source_id = n.source_id AND l.state <> 'unlinked'
		AND (l.agreed_back <> l.agreed_back || n.agreed OR l.dropped ?| n.fields);
END
$$;
COMMENT ON FUNCTION zcsync._agree_back(bigint, zcsync.route_change[]) IS
'remembers the values that came back in the links of a route';

-- May an expression over a row read this field of it?  Decided by its text: whether it
-- has the name of the column, or the row as a whole, s or t.
CREATE FUNCTION zcsync._may_read(p_expression text, p_field text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT e.text ~ ('(^|[^a-z0-9_])' || CASE WHEN p_field LIKE 'custom:%' THEN 'custom_fields' ELSE p_field END || '($|[^a-z0-9_])')
		OR e.text ~ '(^|[^a-z0-9_.])[st]($|[^a-z0-9_.])'
	FROM (SELECT lower(p_expression COLLATE "C")) AS e (text);
END;
COMMENT ON FUNCTION zcsync._may_read(text, text) IS
'may an expression of a route read this field of its row?';

-- Does what comes back to a field depend on a field that goes forward?
CREATE FUNCTION zcsync._is_disputed(p_route bigint, p_back text, p_forward text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.route_fields f
		WHERE f.route_id = p_route AND f.direction = 'back' AND f.field = p_back AND zcsync._may_read(f.expression, p_forward))
$$;
COMMENT ON FUNCTION zcsync._is_disputed(bigint, text, text) IS
'may the value that comes back to a field change when a field of the target is written?';

-- What would come back, without the fields whose value may change once the job has
-- written the target: for these the source wins, or they come back in the next turn.
-- If the target has the value that the source's value becomes there, nothing comes back
-- and the value is only remembered, since a map may make one value of several.  Sets
-- are merged, so elements that were added or removed at the target come back whatever
-- the job adds or removes there.
CREATE FUNCTION zcsync._undisputed(p_route bigint, p_forward zcsync.route_change[], p_back zcsync.route_change[]) RETURNS zcsync.route_change[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off	-- the planner expects ten of each, and a plan may have a thousand
SET jit = off
AS $$
	WITH disputed AS MATERIALIZED (	-- asked for each two fields, and not for each record
		SELECT b.field AS back, f.field AS forward
		FROM (SELECT DISTINCT x.field FROM unnest(p_back) AS x) AS b CROSS JOIN (SELECT DISTINCT x.field FROM unnest(p_forward) AS x) AS f
		WHERE zcsync._is_disputed(p_route, substr(b.field, 6), f.field)),
	told AS MATERIALIZED (
		SELECT b.n, bool_or(c.op = 'update') AS is_written, bool_or(c.op = 'agree') AS is_there
		FROM unnest(p_back) WITH ORDINALITY AS b (op, link_id, source_id, target_id, field, old, new, error_code, message, agreed, n)
		JOIN disputed AS d ON d.back = b.field
		JOIN unnest(p_forward) AS c ON c.source_id = b.source_id AND c.field = d.forward
		WHERE NOT (jsonb_typeof(b.new) = 'array' AND jsonb_typeof(c.new) = 'array') AND (c.op = 'update' OR (c.op = 'agree' AND zcsync._same_value(c.old, c.new)))
		GROUP BY b.n)
	SELECT ARRAY(
		SELECT CASE WHEN b.op = 'update' AND t.is_there THEN ROW('agree', b.link_id, b.source_id, b.target_id, b.field, b.old, b.new, NULL, NULL, b.agreed)::zcsync.route_change
			ELSE ROW(b.op, b.link_id, b.source_id, b.target_id, b.field, b.old, b.new, b.error_code, b.message, b.agreed)::zcsync.route_change END
		FROM unnest(p_back) WITH ORDINALITY AS b (op, link_id, source_id, target_id, field, old, new, error_code, message, agreed, n)
		LEFT JOIN told AS t ON t.n = b.n
		WHERE t.is_written IS NOT TRUE
		ORDER BY b.n)
$$;
COMMENT ON FUNCTION zcsync._undisputed(bigint, zcsync.route_change[], zcsync.route_change[]) IS
'what comes back whatever the route writes to the target at the same time';

-- What a route does with these source records and their targets, given what its SQL
-- said about both.  Jobs write this, and plan() shows it.
CREATE FUNCTION zcsync._decide_route_changes(p_route bigint, p_ids bigint[], p_backfill boolean, p_values zcsync.route_evaluation[],
	p_back zcsync.route_evaluation[], p_apply boolean DEFAULT false, OUT forward zcsync.route_change[], OUT back zcsync.route_change[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	forward := zcsync._share_targets(p_route, zcsync._merge_sources(p_route, p_ids,
		ARRAY(SELECT c FROM zcsync._route_changes(p_route, p_ids, p_backfill, p_values, p_apply) c)));
	back := ARRAY(SELECT c FROM zcsync._route_back_changes(p_route, p_ids, p_back, p_apply) c
		WHERE c.source_id NOT IN (SELECT f.source_id FROM unnest(forward) AS f WHERE f.op IN ('merge', 'move', 'wait')));
	IF forward <> '{}' AND back <> '{}' THEN
		back := zcsync._undisputed(p_route, forward, back);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._decide_route_changes(bigint, bigint[], boolean, zcsync.route_evaluation[], zcsync.route_evaluation[], boolean) IS
'what a route writes to both sides of pairs, and what it creates, given what its SQL said; free of side effects';
