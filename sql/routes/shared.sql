-- ---------------------------------------------------------------------
-- Routes: several sources of one target, which only a person brings about, by
-- link_records().
--
-- The target has its fields from the first source.  Of the others it has their comments
-- (conversations.sql), and their status counts in one way: the target is closed once all
-- of its sources are, and opened again when one of them is.  A source that leaves, or is
-- merged into another (merged.sql), counts no more.  What a route does not write
-- because of that, it remembers as agreed all the same: agreed ->> 'status' of each pair
-- is what its source wants.  What somebody changes in the target comes back to all sources;
-- what one of them brought about there does not.
-- ---------------------------------------------------------------------

-- Does this status, given as the name or the id that rows hold, close records of a kind?
CREATE FUNCTION zcsync._closes(p_account bigint, p_kind text, p_status text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p_status IN (((v.k).rules).closing_status, ((v.k).rules).final_status)
		OR EXISTS (SELECT FROM unnest((v.k).usual) AS u WHERE u.field = 'status' AND u.meaning IN ('solved', 'closed') AND u.value = p_status)
		OR EXISTS (SELECT FROM zcsync.statuses st
			WHERE st.account_id = p_account AND st.deleted_at IS NULL AND (st.status_id = p_status OR zcsync._fold(st.name) = zcsync._fold(p_status))
				AND (st.category IN ('closed', 'done') OR ((v.k).status_is_id AND zcsync._fold(st.name) = 'closed')))
	FROM (SELECT zcsync._kind_of(a.vendor, p_kind) AS k FROM zcsync.accounts a WHERE a.account_id = p_account OFFSET 0) AS v
$$;
COMMENT ON FUNCTION zcsync._closes(bigint, text, text) IS
'does a record with this status count as closed at its vendor?';

-- The change that closes a target: an error if no status is known that does, or if its
-- vendor does not take it.
CREATE FUNCTION zcsync._closing_change(p_link bigint, p_source bigint, p_vendor text, p_kind text, p_target bigint, p_old text, p_new text)
RETURNS zcsync.route_change
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ROW(CASE WHEN w.step IN ('update', 'agree') THEN w.step ELSE 'error' END, p_link, p_source, p_target, 'status', to_jsonb(p_old), to_jsonb(p_new),
		CASE WHEN w.step NOT IN ('update', 'agree') THEN w.step END,
		CASE w.step WHEN 'no_closing_status' THEN format('no closing status is known for %s', zcsync.reference(p_kind, p_target))
			ELSE zcsync._write_step_text(w.step, 'status', to_jsonb(p_new)) END, to_jsonb(p_new))::zcsync.route_change
	FROM (SELECT CASE WHEN p_new IS NULL THEN 'no_closing_status' ELSE zcsync._write_step((zcsync._kind_of(p_vendor, p_kind)).rules,
		zcsync._create_only(p_vendor, p_kind), 'status', p_old, to_jsonb(p_old), to_jsonb(p_new)) END) AS w (step)
$$;
COMMENT ON FUNCTION zcsync._closing_change(bigint, bigint, text, text, bigint, text, text) IS
'the change that closes a target, or why it cannot be closed';

-- The last open source of a target leaves, and the others are closed: the target is
-- closed, with the status that the first of these wants.
CREATE FUNCTION zcsync._close_left(p_route bigint, p_changes zcsync.route_change[]) RETURNS zcsync.route_change[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
	v_target record;
	v_status text;
	v_new zcsync.route_change[] := '{}';
BEGIN
	FOR v IN
		SELECT c.target_id, min(c.link_id) AS link_id, min(c.source_id) AS source_id, r.account_id, r.kind, r.wanted, x.place_field, a.vendor
		FROM unnest(p_changes) AS c
		CROSS JOIN LATERAL (
			SELECT l.target_account AS account_id, l.target_kind AS kind, (array_agg(w.status ORDER BY l.shared, l.link_id))[1] AS wanted
			FROM zcsync.links AS l
			CROSS JOIN LATERAL (SELECT coalesce((SELECT u.new #>> '{}' FROM unnest(p_changes) AS u
				WHERE u.source_id = l.source_id AND u.field = 'status' AND u.op = 'update' LIMIT 1), l.agreed ->> 'status') AS status) AS w
			WHERE l.target_id = c.target_id AND l.route_id = p_route AND l.state = 'linked'
				AND l.link_id NOT IN (SELECT g.link_id FROM unnest(p_changes) AS g WHERE g.op IN ('leave', 'merge'))
			GROUP BY l.target_account, l.target_kind
			HAVING bool_and(coalesce(zcsync._closes(l.target_account, l.target_kind, w.status), false)) OFFSET 0) AS r
		JOIN zcsync.accounts AS a ON a.account_id = r.account_id
		JOIN zcsync._route_targets() AS x ON x.vendor = a.vendor AND x.kind = r.kind
		WHERE c.op IN ('leave', 'merge')
			AND NOT EXISTS (SELECT FROM unnest(p_changes) AS u WHERE u.target_id = c.target_id AND u.field = 'status' AND u.op = 'update')
		GROUP BY c.target_id, r.account_id, r.kind, r.wanted, x.place_field, a.vendor
	LOOP
		EXECUTE format('SELECT t.status, %s AS place FROM zcsync.%I AS t WHERE t.local_id = $1 AND t.deleted_at IS NULL',
			CASE WHEN v.place_field IS NULL THEN 'NULL::text' ELSE format('t.%I', v.place_field) END, v.kind) INTO v_target USING v.target_id;
		CONTINUE WHEN v_target IS NULL OR zcsync._closes(v.account_id, v.kind, v_target.status);
		v_status := zcsync._merged_status(p_route, v.account_id, v.kind, v_target.place, v.wanted, NULL, NULL);
		v_new := v_new || zcsync._closing_change(v.link_id, v.source_id, v.vendor, v.kind, v.target_id, v_target.status, v_status);
	END LOOP;
	RETURN v_new;
END
$$;
COMMENT ON FUNCTION zcsync._close_left(bigint, zcsync.route_change[]) IS
'closes targets whose last open source leaves';

CREATE FUNCTION zcsync._share_targets(p_route bigint, p_changes zcsync.route_change[]) RETURNS zcsync.route_change[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(p_changes) AS c JOIN zcsync.links l ON l.target_id = c.target_id
			WHERE c.op IN ('update', 'leave', 'merge') AND l.route_id = p_route AND l.shared AND l.state IN ('linked', 'left')) THEN
		RETURN p_changes;
	END IF;
	p_changes := p_changes || zcsync._close_left(p_route, p_changes);
	RETURN ARRAY(
		WITH changes AS MATERIALIZED (
			SELECT c.*, EXISTS (SELECT FROM zcsync.links AS o WHERE o.target_id = l.target_id AND o.route_id = p_route AND o.state = 'linked'
				AND (o.shared, o.link_id) < (l.shared, l.link_id)) AS shared
			FROM unnest(p_changes) WITH ORDINALITY
				AS c (op, link_id, source_id, target_id, field, old, new, error_code, message, agreed, n)
			LEFT JOIN zcsync.links AS l ON l.route_id = p_route AND l.source_id = c.source_id AND l.target_id = c.target_id AND l.state IN ('linked', 'left')
		), wanted AS MATERIALIZED (	-- is the record to be closed, as far as the other sources of the target say?
			SELECT l.target_id, l.source_id, coalesce(zcsync._closes(l.target_account, l.target_kind, coalesce(
				(SELECT c.new #>> '{}' FROM changes AS c WHERE c.source_id = l.source_id AND c.field = 'status' AND c.op = 'update' LIMIT 1),
				l.agreed ->> 'status')), false) OR x.leaves AS closed, l.target_account, l.target_kind
			FROM zcsync.links AS l
			CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM changes AS c WHERE c.link_id = l.link_id AND c.op IN ('leave', 'merge')) AS leaves) AS x
			WHERE l.route_id = p_route AND (l.state = 'linked' OR (l.state = 'left' AND x.leaves)) AND l.target_id IN (SELECT c.target_id FROM changes AS c WHERE c.op = 'update')
		), judged AS (
			SELECT c.*, c.op <> 'update' OR CASE
				WHEN c.field <> 'status' THEN NOT c.shared
				WHEN w.closed THEN w.all_closed
				ELSE NOT c.shared OR coalesce(zcsync._closes(w.target_account, w.target_kind, c.old #>> '{}'), false) END AS stays
			FROM changes AS c
			LEFT JOIN (SELECT x.*, bool_and(x.closed) OVER (PARTITION BY x.target_id) AS all_closed FROM wanted AS x) AS w
				ON w.target_id = c.target_id AND w.source_id = c.source_id
		), chosen AS (	-- of several that would write the same field of one target, one does
			SELECT j.*, row_number() OVER (PARTITION BY j.target_id, j.field, j.op = 'update' AND j.stays ORDER BY j.shared, j.n) AS place FROM judged AS j)
		SELECT ROW(CASE WHEN h.op = 'update' AND NOT (h.stays AND h.place = 1) THEN 'agree' ELSE h.op END, h.link_id, h.source_id, h.target_id, h.field,
			h.old, h.new, h.error_code, h.message, h.agreed)::zcsync.route_change
		FROM chosen AS h ORDER BY h.n);
END
$$;
COMMENT ON FUNCTION zcsync._share_targets(bigint, zcsync.route_change[]) IS
'the changes of a route, without those that another source of the same target forbids';

-- The other sources of the targets that these source records have written.
CREATE FUNCTION zcsync._siblings(p_route bigint, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN ARRAY(
		SELECT DISTINCT o.source_id
		FROM zcsync.links l
		CROSS JOIN LATERAL (SELECT k.source_id FROM zcsync.links k
			WHERE k.target_id = l.target_id AND k.route_id = p_route AND k.state = 'linked' AND (k.shared OR l.shared) OFFSET 0) AS o
		WHERE l.route_id = p_route AND l.source_id = ANY (p_ids) AND l.state = 'linked' AND o.source_id <> ALL (p_ids));
END
$$;
COMMENT ON FUNCTION zcsync._siblings(bigint, bigint[]) IS
'the other sources of the targets of these source records';
