-- ---------------------------------------------------------------------
-- Routes: pairs.
--
-- Two records that belong together are one row of links.  A record has at most one
-- counterpart in each other stream, whichever of the two was there first, and whichever
-- route found it.  The row says which route drives the pair, which of the two is a
-- copy, and what both sides last agreed on.
--
-- A pair outlives its route.  Another route takes it over if no route drives it, or if
-- the record no longer passes the filter of the route that does; a paused route keeps
-- its pairs.  A route that takes a pair over remembers the values that both sides have,
-- and writes nothing.
-- ---------------------------------------------------------------------

-- All pairs of these records with records of a stream, including those that have ended.
CREATE FUNCTION zcsync._pairs_with(p_ids bigint[], p_account bigint, p_kind text)
RETURNS TABLE (id bigint, other_id bigint, link_id bigint, route_id bigint, state text, copy_id bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT i.id, l.other_id, l.link_id, l.route_id, l.state, l.copy_id
	FROM unnest(p_ids) AS i (id)
	CROSS JOIN LATERAL (
		SELECT k.target_id AS other_id, k.link_id, k.route_id, k.state, k.copy_id FROM zcsync.links AS k
		WHERE k.source_id = i.id AND k.target_account = p_account AND k.target_kind = p_kind
		UNION ALL
		SELECT k.source_id, k.link_id, k.route_id, k.state, k.copy_id FROM zcsync.links AS k
		WHERE k.target_id = i.id AND k.source_account = p_account AND k.source_kind = p_kind
		OFFSET 0) AS l;
END
$$;
COMMENT ON FUNCTION zcsync._pairs_with(bigint[], bigint, text) IS
'pairs of records with records of one account and kind, including those that have ended';

-- The originals of these records, and the originals of those: one row for each such
-- record of this account and kind.
CREATE FUNCTION zcsync._originals_in(p_ids bigint[], p_account bigint, p_kind text) RETURNS TABLE (id bigint, original_id bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE chain AS (
		SELECT i.id, i.id AS at, NULL::bigint AS account_id, NULL::text AS kind FROM unnest(p_ids) AS i (id)
		UNION
		SELECT c.id, l.other_id, l.account_id, l.kind
		FROM chain AS c
		CROSS JOIN LATERAL (
			SELECT k.source_id AS other_id, k.source_account AS account_id, k.source_kind AS kind FROM zcsync.links AS k
			WHERE k.target_id = c.at AND k.copy_id = c.at
			UNION ALL
			SELECT k.target_id, k.target_account, k.target_kind FROM zcsync.links AS k
			WHERE k.source_id = c.at AND k.copy_id = c.at
			OFFSET 0) AS l)
	SELECT c.id, c.at FROM chain AS c WHERE c.account_id = p_account AND c.kind = p_kind;
END
$$;
COMMENT ON FUNCTION zcsync._originals_in(bigint[], bigint, text) IS
'records of one account and kind that these are copies of, or copies of copies';

-- What is known about source records that a route does not drive.  verdict:
-- - link: target_id is the counterpart, and no route drives the pair
-- - skip: another route drives the pair of this record; or the record is a copy of
--   something that began in the target stream, so that a circle ends here
-- - copy: the record is a copy of one that has another counterpart
--
-- Records that have no counterpart yet are not in the result.
CREATE FUNCTION zcsync._route_standing(p_route bigint, p_ids bigint[]) RETURNS TABLE (source_id bigint, target_id bigint, verdict text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH ends AS MATERIALIZED (
		SELECT s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind
		FROM zcsync.routes r
		JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
		JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
		WHERE r.route_id = p_route
	), found AS MATERIALIZED (
		SELECT p.* FROM ends AS e CROSS JOIN LATERAL zcsync._pairs_with(p_ids, e.target_account, e.target_kind) AS p
	), active AS MATERIALIZED (
		-- if several records share one target, none of them becomes the target's source
		SELECT f.id, min(f.other_id) AS other_id, count(*) = 1 AND bool_and(f.route_id IS NULL OR f.state = 'left') AS free
		FROM found AS f WHERE f.state <> 'unlinked'
		GROUP BY f.id
	), ended AS MATERIALIZED (
		SELECT DISTINCT ON (f.id) f.id, f.other_id, f.copy_id
		FROM found AS f
		WHERE f.state = 'unlinked' AND f.copy_id IS NOT NULL AND f.id NOT IN (SELECT a.id FROM active AS a)
		ORDER BY f.id, f.link_id DESC
	), taken AS MATERIALIZED (
		SELECT p.id FROM ends AS e CROSS JOIN LATERAL zcsync._pairs_with(
			ARRAY(SELECT n.other_id FROM ended AS n), e.source_account, e.source_kind) AS p
		WHERE p.state <> 'unlinked'
	), known AS MATERIALIZED (
		SELECT a.id, CASE WHEN a.free THEN a.other_id END AS other_id, CASE WHEN a.free THEN 'link' ELSE 'skip' END AS verdict
		FROM active AS a
		UNION ALL
		SELECT n.id, CASE WHEN x.id IS NULL THEN n.other_id END, CASE WHEN x.id IS NULL THEN 'link' ELSE 'copy' END
		FROM ended AS n LEFT JOIN taken AS x ON x.id = n.other_id
		WHERE x.id IS NULL OR n.copy_id = n.id)
	SELECT k.id, k.other_id, k.verdict FROM known AS k
	UNION ALL
	SELECT DISTINCT o.id, NULL::bigint, 'skip'
	FROM ends AS e
	CROSS JOIN LATERAL zcsync._originals_in(
		ARRAY(SELECT i FROM unnest(p_ids) AS i EXCEPT SELECT k.id FROM known AS k), e.target_account, e.target_kind) AS o;
END
$$;
COMMENT ON FUNCTION zcsync._route_standing(bigint, bigint[]) IS
'what is known of source records that a route does not drive: their counterpart, or why the route leaves them alone';

-- A text that says why nothing is made for a record.
CREATE FUNCTION zcsync._refusal_text(p_verdict text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_verdict
		WHEN 'copy' THEN 'the record is a copy of one that has another counterpart, or that is not known'
		WHEN 'taken' THEN 'what match_on finds for the record has another counterpart'
		WHEN 'marked_twice' THEN 'the record has the mark of another one'
		WHEN 'made_elsewhere' THEN 'the record was made by another installation'
		WHEN 'other_installation' THEN 'what belongs to the record was made by another installation' END;
END;
COMMENT ON FUNCTION zcsync._refusal_text(text) IS
'why a route makes nothing for a record; NULL if it makes something';

-- What the marks of source records without a counterpart say; see _marked().  A record
-- that is still being made is left alone until its row has its remote_id.  A copy whose
-- pair is not known here, as when its account was removed and added again, is no
-- source: 'copy'.
CREATE FUNCTION zcsync._marked_sources(p_kind text, p_ids bigint[]) RETURNS TABLE (source_id bigint, verdict text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.local_id, CASE m.standing WHEN 'making' THEN 'skip' WHEN 'double' THEN 'marked_twice'
		WHEN 'foreign' THEN 'made_elsewhere' ELSE 'copy' END
	FROM zcsync._marked(p_kind, p_ids) AS m
	WHERE m.standing <> 'own' OR (m.copied AND NOT EXISTS (
		SELECT FROM zcsync.links AS l WHERE l.source_id = m.local_id AND l.copy_id = m.local_id
		UNION ALL
		SELECT FROM zcsync.links AS l WHERE l.target_id = m.local_id AND l.copy_id = m.local_id))
$$;
COMMENT ON FUNCTION zcsync._marked_sources(text, bigint[]) IS
'source records that are left alone because of their marks, or that are copies whose pair is not known';

-- What the target has for source records that a route does not drive.
-- _route_standing() and _marked_sources() explain the verdicts; two more are:
-- - taken: match_on finds only records that have another counterpart
-- - other_installation: another installation made the record that was found
--
-- Candidates are searched for records about which nothing is known, see
-- _route_match_query(), and for copies whose pair is not known, see
-- _route_origin_query().  A record that is not in the result is new to the target.
CREATE FUNCTION zcsync._route_matches(p_route bigint, p_ids bigint[], p_values zcsync.route_evaluation[])
RETURNS TABLE (source_id bigint, target_id bigint, verdict text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_known record;
	v_marked record;
	v_new bigint[];
BEGIN
	IF coalesce(cardinality(p_ids), 0) = 0 THEN
		RETURN;
	END IF;
	SELECT r.match_on, s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind
	INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;

	SELECT coalesce(array_agg(k.source_id), '{}') AS ids, array_agg(k.target_id) AS targets, array_agg(k.verdict) AS verdicts
	INTO v_known FROM zcsync._route_standing(p_route, p_ids) AS k;
	v_new := ARRAY(SELECT i FROM unnest(p_ids) AS i WHERE i <> ALL (v_known.ids));
	SELECT coalesce(array_agg(m.source_id), '{}') AS ids, array_agg(m.verdict) AS verdicts,
		coalesce(array_agg(m.source_id) FILTER (WHERE m.verdict = 'copy'), '{}') AS copies
	INTO v_marked FROM zcsync._marked_sources(v.source_kind, v_new) AS m;
	RETURN QUERY SELECT * FROM unnest(v_known.ids, v_known.targets, v_known.verdicts);
	RETURN QUERY SELECT m.id, NULL::bigint, m.verdict FROM unnest(v_marked.ids, v_marked.verdicts) AS m (id, verdict) WHERE m.verdict <> 'copy';

	RETURN QUERY EXECUTE format($sql$
		WITH candidates (source_id, target_id) AS MATERIALIZED (
			%s
			UNION
			%s
		), marked AS MATERIALIZED (
			SELECT m.local_id, m.standing FROM zcsync._marked(%L, ARRAY(SELECT c.target_id FROM candidates AS c)) AS m WHERE m.standing <> 'own'
		), taken AS MATERIALIZED (
			SELECT DISTINCT p.id FROM zcsync._pairs_with(ARRAY(SELECT c.target_id FROM candidates AS c), $2, $5) AS p
			WHERE p.state <> 'unlinked'
		), found AS MATERIALIZED (
			SELECT DISTINCT ON (u.target_id) u.source_id, u.target_id
			FROM (
				SELECT DISTINCT ON (c.source_id) c.source_id, c.target_id
				FROM candidates AS c
				WHERE c.target_id NOT IN (SELECT x.id FROM taken AS x UNION ALL SELECT m.local_id FROM marked AS m)
				ORDER BY c.source_id, c.target_id
			) AS u
			ORDER BY u.target_id, u.source_id)
		SELECT f.source_id, f.target_id, 'link' FROM found AS f
		UNION ALL
		SELECT i, NULL::bigint, 'copy' FROM unnest($8) AS i WHERE i NOT IN (SELECT f.source_id FROM found AS f)
		UNION ALL
		SELECT c.source_id, NULL::bigint, CASE WHEN bool_or(m.standing = 'foreign') THEN 'other_installation' ELSE 'taken' END
		FROM candidates AS c LEFT JOIN marked AS m ON m.local_id = c.target_id
		WHERE c.source_id NOT IN (SELECT f.source_id FROM found AS f UNION ALL SELECT unnest($8))
		GROUP BY c.source_id HAVING bool_or(m.standing = 'foreign') OR $6$sql$,
		zcsync._route_origin_query(v.source_kind, v.target_kind),
		zcsync._route_match_query(p_route, v.match_on, v.source_kind, v.target_kind), v.target_kind)
	USING p_route, v.source_account, ARRAY(SELECT i FROM unnest(v_new) AS i WHERE i <> ALL (v_marked.ids)),
		v.target_account, v.source_kind, v.match_on IS NOT NULL, p_values, v_marked.copies;
END
$$;
COMMENT ON FUNCTION zcsync._route_matches(bigint, bigint[], zcsync.route_evaluation[]) IS
'counterparts of source records that a route does not drive, or why it leaves them alone';

-- The originals of copies whose pair is not known ($8; the other parameters are those
-- below): the text of a copy ends with the address of its original.
CREATE FUNCTION zcsync._route_origin_query(p_source_kind text, p_target_kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_source_kind IN ('tasks', 'tickets') AND p_target_kind IN ('tasks', 'tickets') THEN format($sql$
			SELECT s.local_id, t.local_id
			FROM (SELECT zcsync.record_url($4, %2$L, '')) AS u (prefix)
			CROSS JOIN unnest($8) AS i (id)
			CROSS JOIN LATERAL (
				SELECT m.local_id, zcsync._copied_from(m.description) AS url FROM zcsync.%1$I AS m WHERE m.local_id = i.id OFFSET 0) AS s
			CROSS JOIN LATERAL (
				SELECT m.local_id, m.remote_id FROM zcsync.%2$I AS m
				WHERE m.account_id = $4 AND m.remote_id = substr(s.url, length(u.prefix) + 1) OFFSET 0) AS t
			WHERE starts_with(s.url, u.prefix)$sql$, p_source_kind, p_target_kind)
		ELSE 'SELECT NULL::bigint, NULL::bigint WHERE false' END;
END;
COMMENT ON FUNCTION zcsync._route_origin_query(text, text) IS
'the query that finds what source records are copies of; see zcsync._route_matches()';

-- The candidates.  $1 is the route, $2 the source account, $3 the source ids, $4 the
-- target account, $7 what the SQL of the route said.  match_on finds them, if they are
-- records of the target; without match_on, they are records whose description contains
-- the address of the source record.  A lead has no address: it is found by its e-mail
-- address in an open opportunity.
CREATE FUNCTION zcsync._route_match_query(p_route bigint, p_match_on text, p_source_kind text, p_target_kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_match_on IS NOT NULL THEN format($sql$
			SELECT m.source_id, t.local_id
			FROM unnest($7) AS m
			CROSS JOIN LATERAL unnest(m.targets) AS x (id)
			CROSS JOIN LATERAL (
				SELECT k.local_id FROM zcsync.%I AS k
				WHERE k.local_id = x.id AND k.account_id = $4 AND k.deleted_at IS NULL OFFSET 0) AS t
			WHERE m.source_id = ANY ($3)$sql$, p_target_kind)
		WHEN p_source_kind = 'leads' AND p_target_kind = 'leads' THEN $sql$
			SELECT s.local_id, t.local_id
			FROM unnest($3) AS i (id)
			CROSS JOIN LATERAL (SELECT m.local_id, m.email FROM zcsync.leads AS m WHERE m.local_id = i.id OFFSET 0) AS s
			CROSS JOIN LATERAL (
				SELECT m.local_id FROM zcsync.leads AS m
				WHERE m.account_id = $4 AND lower(m.email COLLATE "C") = lower(s.email COLLATE "C") AND m.remote_id IS NOT NULL
					AND m.deleted_at IS NULL AND m.closed_at IS NULL
				OFFSET 0) AS t$sql$
		WHEN p_target_kind IN ('tasks', 'tickets') THEN format($sql$
			(WITH urls AS MATERIALIZED (
				SELECT s.local_id, zcsync.record_url($2, %1$L, s.remote_id) AS url
				FROM zcsync.%1$I AS s WHERE s.local_id = ANY ($3)
			), found AS MATERIALIZED (
				SELECT t.local_id, t.account_id, t.deleted_at, t.description
				FROM zcsync.%2$I AS t
				WHERE %3$s t.description LIKE '%%://%%' AND zcsync._index_links(t.description) && ARRAY(SELECT u.url FROM urls AS u)
			)
			SELECT u.local_id, f.local_id
			FROM found AS f
			CROSS JOIN LATERAL unnest(zcsync._index_links(f.description)) AS x (url)
			JOIN urls AS u ON u.url = x.url
			WHERE f.account_id = $4 AND f.deleted_at IS NULL)$sql$, p_source_kind, p_target_kind,
			-- customers write tickets, and may put the address of another record into
			-- one
			CASE p_target_kind WHEN 'tickets' THEN $q$t.external_id LIKE 'zcsync-%' AND$q$ ELSE '' END)
		ELSE 'SELECT NULL::bigint, NULL::bigint WHERE false' END;
END;
COMMENT ON FUNCTION zcsync._route_match_query(bigint, text, text, text) IS
'the query that finds existing target records; see zcsync._route_matches()';

-- ---------------------------------------------------------------------
-- Two routes for one pair
-- ---------------------------------------------------------------------

-- Those of these source records that pass the filter of a route, if its SQL can be run.
CREATE FUNCTION zcsync._route_wants(p_route bigint, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text := (SELECT s.kind FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id WHERE r.route_id = p_route);
	v_functions record := zcsync._route_functions(p_route);
BEGIN
	IF p_ids = '{}' OR v_functions.fault IS NOT NULL THEN
		RETURN '{}';
	END IF;
	RETURN ARRAY(
		SELECT e.source_id
		FROM zcsync._evaluate_rows(v_functions.forward, v_functions.owner, v_kind, p_ids, NULL, zcsync._mapping_timeout()) AS e
		WHERE e.passes);
END
$$;
COMMENT ON FUNCTION zcsync._route_wants(bigint, bigint[]) IS
'those of these source records that pass the filter of a route';

-- The route that drives pairs which this route would drive as well, by the newest 200
-- pairs of each route between the same streams; NULL: there is none.
CREATE FUNCTION zcsync._rival(p_route bigint, OUT name text, OUT direction text, OUT opposite boolean, OUT pairs bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_other record;
BEGIN
	FOR v_other IN
		SELECT o.name, o.direction, o.source_stream_id = r.target_stream_id AS opposite, ARRAY(
				SELECT CASE WHEN o.source_stream_id = r.source_stream_id THEN l.source_id ELSE l.target_id END
				FROM zcsync.links l WHERE l.route_id = o.route_id AND l.state = 'linked' ORDER BY l.link_id DESC LIMIT 200) AS ids
		FROM zcsync.routes r
		JOIN zcsync.routes o ON o.route_id <> r.route_id
			AND ((o.source_stream_id = r.source_stream_id AND o.target_stream_id = r.target_stream_id)
				OR (o.source_stream_id = r.target_stream_id AND o.target_stream_id = r.source_stream_id))
		WHERE r.route_id = p_route
		ORDER BY o.route_id
	LOOP
		pairs := cardinality(zcsync._route_wants(p_route, v_other.ids));
		IF pairs > 0 THEN
			name := v_other.name;
			direction := v_other.direction;
			opposite := v_other.opposite;
			RETURN;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._rival(bigint) IS
'the route that drives pairs which this one would drive as well';

-- Only one route drives a pair.  A route cannot begin while another one drives the
-- pairs that it would drive: most likely it was meant to bring something back.
CREATE FUNCTION zcsync._refuse_rival(p_route bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route AND r.starts_at IS NULL);
	v_rival record;
BEGIN
	IF v_name IS NULL THEN
		RETURN;
	END IF;
	v_rival := zcsync._rival(p_route);
	IF v_rival.name IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('route "%s" already drives pairs that route "%s" would drive', v_rival.name, v_name),
			DETAIL = format('%s of its newest pairs have records that pass the filter of route "%s".', v_rival.pairs, v_name),
			HINT = CASE WHEN v_rival.opposite AND v_rival.direction <> 'both'
					THEN format('One route can go both ways: SELECT zcsync.alter_route(%L, direction => ''both'');', v_rival.name)
				ELSE format('Give route "%s" a filter that leaves them out, or remove route "%s", whose pairs it then takes over.',
					v_name, v_rival.name) END;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_rival(bigint) IS
'raises an error if a route that never ran would drive pairs that another route drives';

-- ---------------------------------------------------------------------
-- Making pairs
-- ---------------------------------------------------------------------

-- Make pairs of records that exist, or take pairs over; nothing is agreed on yet.  A
-- copy that this database once made has the key of its pair in its mark.  If another
-- session made a pair of one of these records just now, that pair stays, and the next
-- job of the record sees it.
CREATE FUNCTION zcsync._link_pairs(p_route bigint, p_sources bigint[], p_targets bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	WITH known AS MATERIALIZED (
		SELECT l.link_id, p.source_id, p.target_id
		FROM unnest(p_sources, p_targets) AS p (source_id, target_id)
		CROSS JOIN LATERAL (
			SELECT k.link_id FROM zcsync.links AS k WHERE k.source_id = p.source_id AND k.target_id = p.target_id
			UNION ALL
			SELECT k.link_id FROM zcsync.links AS k WHERE k.source_id = p.target_id AND k.target_id = p.source_id
			OFFSET 0) AS l
	), taken_over AS (
		UPDATE zcsync.links AS l
		SET route_id = p_route, source_id = k.source_id, target_id = k.target_id, source_account = v.source_account,
			source_kind = v.source_kind, target_account = v.target_account, target_kind = v.target_kind,
			agreed = '{}', agreed_back = '{}', dropped = '{}', state = 'linked', changed_at = zcsync._now()
		FROM known AS k
		WHERE l.link_id = k.link_id AND l.link_id = ANY (ARRAY(SELECT x.link_id FROM known AS x))
	), copies AS MATERIALIZED (
		SELECT m.local_id, m.key
		FROM (SELECT * FROM zcsync._marked(v.target_kind, p_targets) UNION ALL SELECT * FROM zcsync._marked(v.source_kind, p_sources)) AS m
		WHERE m.standing = 'own' AND m.copied AND NOT EXISTS (SELECT FROM zcsync.links AS l WHERE l.key = m.key)
	), made AS (
		INSERT INTO zcsync.links AS l (key, route_id, source_id, target_id, source_account, source_kind, target_account, target_kind,
			copy_id, created_at)
		SELECT coalesce(c.key, gen_random_uuid()), p_route, p.source_id, p.target_id, v.source_account, v.source_kind,
			v.target_account, v.target_kind, c.local_id, zcsync._now()
		FROM unnest(p_sources, p_targets) AS p (source_id, target_id)
		LEFT JOIN LATERAL (SELECT x.* FROM copies AS x WHERE x.local_id IN (p.target_id, p.source_id) ORDER BY x.local_id = p.target_id DESC LIMIT 1) AS c ON true
		WHERE (p.source_id, p.target_id) NOT IN (SELECT k.source_id, k.target_id FROM known AS k)
		ORDER BY p.source_id
		ON CONFLICT DO NOTHING
		RETURNING l.key, l.copy_id)
	UPDATE zcsync.marks AS m SET local_id = n.copy_id
	FROM made AS n WHERE m.key = n.key AND m.local_id <> n.copy_id;
END
$$;
COMMENT ON FUNCTION zcsync._link_pairs(bigint, bigint[], bigint[]) IS
'joins records that exist to pairs of a route, or has it take the pairs over';

-- Create target records and pair them; returns the pairs.  The key of a pair is also
-- the mark of the new record.
CREATE FUNCTION zcsync._make_targets(p_route bigint, p_target_account bigint, p_target_kind text, p_origin zcsync.origin,
	p_changes zcsync.route_change[]) RETURNS TABLE (source_id bigint, target_id bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_columns text[];
BEGIN
	SELECT array_agg(DISTINCT c.field) INTO v_columns
	FROM unnest(p_changes) c WHERE c.op = 'create' AND c.field NOT LIKE 'custom:%';
	IF v_columns IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH made AS MATERIALIZED (
			SELECT g.*, nextval('zcsync.local_id_seq') AS target_id, gen_random_uuid() AS key FROM (
				SELECT c.source_id,
					jsonb_object_agg(c.field, c.new) FILTER (WHERE c.field NOT LIKE 'custom:%%') AS doc,
					coalesce(jsonb_object_agg(substr(c.field, 8), c.new)
						FILTER (WHERE c.field LIKE 'custom:%%' AND c.new <> 'null'), '{}') AS custom_fields,
					coalesce(jsonb_object_agg(c.field, c.agreed) FILTER (WHERE c.agreed IS NOT NULL), '{}') AS agreed
				FROM unnest($1) AS c WHERE c.op = 'create'
				GROUP BY c.source_id ORDER BY c.source_id) AS g
		), rows AS (
			INSERT INTO zcsync.%1$I (account_id, local_id, custom_fields, sync_key, sync_cause, sync_cause_id, sync_xid, %2$s)
			SELECT $2, m.target_id, m.custom_fields, m.key, ($3).cause, ($3).id, ($3).xid, %3$s
			FROM made AS m CROSS JOIN LATERAL jsonb_populate_record(NULL::zcsync.%1$I, m.doc) AS r
			ORDER BY m.target_id
		)
		INSERT INTO zcsync.links AS l (key, route_id, source_id, target_id, source_account, source_kind, target_account, target_kind,
			copy_id, agreed, created_at)
		SELECT m.key, $4, m.source_id, m.target_id, s.account_id, s.kind, $2, %4$L, m.target_id, m.agreed, zcsync._now()
		FROM made AS m
		CROSS JOIN zcsync.routes AS r
		JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
		WHERE r.route_id = $4
		ORDER BY m.source_id
		RETURNING l.source_id, l.target_id$sql$,
		p_target_kind,
		(SELECT string_agg(quote_ident(c), ', ' ORDER BY c) FROM unnest(v_columns) c),
		(SELECT string_agg('r.' || quote_ident(c), ', ' ORDER BY c) FROM unnest(v_columns) c),
		p_target_kind)
	USING p_changes, p_target_account, p_origin, p_route;
END
$$;
COMMENT ON FUNCTION zcsync._make_targets(bigint, bigint, text, zcsync.origin, zcsync.route_change[]) IS
'creates the records that a route wants and links them';
