-- ---------------------------------------------------------------------
-- Routes: what is shown before a route runs: the dry run, checks, counts.
-- ---------------------------------------------------------------------

-- The newest records of a source that pass the filter of the route, by local id.  The
-- newest are those that were stored last, which the primary key shows.
CREATE FUNCTION zcsync._route_sample(p_route bigint, p_max integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_ids bigint[];
BEGIN
	SELECT s.account_id, s.kind INTO v
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	WHERE r.route_id = p_route;
	EXECUTE format('SELECT array_agg(x.local_id) FROM (SELECT s.local_id FROM zcsync.%I s'
		' WHERE s.account_id = $1 AND s.deleted_at IS NULL ORDER BY s.local_id DESC LIMIT $2) x', v.kind)
		INTO v_ids USING v.account_id, p_max;
	RETURN coalesce(v_ids, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._route_sample(bigint, integer) IS
'the records of a route''s source that were stored last';

-- The records among these that a route leaves alone because of a decision of a person,
-- or because one is still open.  op is held if they or their counterparts have a held
-- push, cancelled if cancel_held() prevented a copy.
CREATE FUNCTION zcsync._kept_route_records(p_route bigint, p_ids bigint[]) RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT k.op, NULL::bigint, k.id, NULL::bigint, NULL, NULL::jsonb, to_jsonb(CASE k.op WHEN 'held' THEN 'waits until a held write is released or cancelled'
		ELSE 'cancel_held() cancelled its copy; release_held(..., cancelled => true) lets the route create it again' END), NULL, NULL, NULL::jsonb
	FROM (SELECT i, CASE WHEN i = ANY (h.ids) THEN 'held'
			WHEN EXISTS (SELECT FROM zcsync.links l WHERE l.route_id = p_route AND l.source_id = i AND l.state = 'cancelled') THEN 'cancelled' END
		FROM (SELECT zcsync._held_sources(p_route, p_ids) OFFSET 0) AS h (ids) CROSS JOIN LATERAL unnest(p_ids) AS i) AS k (id, op)
	WHERE k.op IS NOT NULL ORDER BY k.id;
END
$$;
COMMENT ON FUNCTION zcsync._kept_route_records(bigint, bigint[]) IS
'records that a route leaves alone because of what a person decided, or is to decide';

-- What a route would write and what would come back, decided as a job decides it, but
-- for more records at a time: to plan the queries of a set takes as long as to
-- run them for a hundred records.  A value that cannot be written is an error of its
-- record: the set is halved, down to that record.  What would be agreed is left out.
-- The SQL of the route is asked in sets of the size of a batch, so that each has the
-- time that a batch has.
CREATE FUNCTION zcsync._try_route_changes(p_route bigint, p_ids bigint[], p_backfill boolean, p_apply boolean DEFAULT false)
RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_some bigint[];
	v_there zcsync.route_evaluation[];
	v_back zcsync.route_evaluation[];
	v_kept zcsync.route_change[];
	v_lows integer[];
	v_highs integer[];
	v_low integer;
	v_high integer;
BEGIN
	FOR i IN 1 .. coalesce(cardinality(p_ids), 0) BY 1000 LOOP
		v_kept := ARRAY(SELECT k FROM zcsync._kept_route_records(p_route, p_ids[i : i + 999]) AS k);
		RETURN QUERY SELECT * FROM unnest(v_kept);
		v_some := ARRAY(SELECT u FROM unnest(p_ids[i : i + 999]) AS u WHERE u NOT IN (SELECT k.source_id FROM unnest(v_kept) AS k));
		v_there := '{}';
		v_back := '{}';
		FOR k IN 1 .. cardinality(v_some) BY 200 LOOP
			v_there := v_there || zcsync._evaluate_sources(p_route, v_some[k : k + 199], p_backfill);
			v_back := v_back || zcsync._evaluate_targets(p_route, v_some[k : k + 199]);
		END LOOP;
		v_lows := ARRAY[1];
		v_highs := ARRAY[cardinality(v_some)];
		WHILE cardinality(v_lows) > 0 LOOP
			v_low := v_lows[1];
			v_high := v_highs[1];
			v_lows := v_lows[2:];
			v_highs := v_highs[2:];
			CONTINUE WHEN v_low > v_high;
			BEGIN
				RETURN QUERY SELECT c.op, c.link_id, c.source_id, c.target_id, c.field, c.old, c.new, c.error_code, c.message, NULL::jsonb
					FROM zcsync._decide_route_changes(p_route, v_some[v_low : v_high], p_backfill, v_there, v_back, p_apply) d
					CROSS JOIN LATERAL unnest(d.forward || d.back) AS c;
			EXCEPTION WHEN OTHERS THEN
				IF zcsync._is_servers_error(SQLSTATE) THEN
					RAISE;
				ELSIF v_low < v_high THEN
					v_lows := ARRAY[v_low, (v_low + v_high) / 2 + 1] || v_lows;
					v_highs := ARRAY[(v_low + v_high) / 2, v_high] || v_highs;
				ELSE
					RETURN NEXT ROW('error', NULL, v_some[v_low], NULL, '', NULL, NULL, 'mapping_error',
						format('%s (%s)', SQLERRM, SQLSTATE), NULL)::zcsync.route_change;
				END IF;
			END;
		END LOOP;
		PERFORM zcsync._verb_did(cardinality(p_ids[i : i + 999]));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._try_route_changes(bigint, bigint[], boolean, boolean) IS
'what a route would write to both sides, record by record where a record makes it fail';

-- The dry run.  A route that never ran is shown as if all records were new to it, as a
-- backfill would see them.  With apply, it shows what apply_route() would make it
-- write.
CREATE FUNCTION zcsync.plan(name text, source_ids bigint[] DEFAULT NULL, max_records integer DEFAULT 1000, apply boolean DEFAULT false)
RETURNS TABLE (op text, source text, target text, field text, old text, new text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off	-- it would sort all changes, long texts and all, once more for each side
SET work_mem = '32MB'
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(plan.name));
	v record;
	v_ids bigint[] := source_ids;
	v_step integer := 1000;		-- records at a time: memory that is used again costs less
BEGIN
	IF max_records IS NULL OR max_records NOT BETWEEN 1 AND 100000 OR cardinality(source_ids) > 100000 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a plan takes 1 to 100000 records';
	END IF;
	SELECT s.kind AS source_kind, t.kind AS target_kind, a.name AS target_name INTO v
	FROM zcsync.streams s
	CROSS JOIN zcsync.streams t JOIN zcsync.accounts a ON a.account_id = t.account_id
	WHERE s.stream_id = v_route.source_stream_id AND t.stream_id = v_route.target_stream_id;
	IF v_ids IS NULL THEN
		v_ids := zcsync._route_sample(v_route.route_id, max_records);
	END IF;
	PERFORM zcsync._verb_begins(format('zcsync.plan(%L)', v_route.name), cardinality(v_ids));
	-- what comes back is shown last
	IF EXISTS (SELECT FROM zcsync.route_fields AS b WHERE b.route_id = v_route.route_id AND b.direction = 'back') THEN
		v_step := 100000;
	END IF;
	FOR i IN 1 .. coalesce(cardinality(v_ids), 0) BY v_step LOOP
		RETURN QUERY
		WITH changes AS MATERIALIZED (
			SELECT c.*
			FROM zcsync._try_route_changes(v_route.route_id, v_ids[i : i + v_step - 1], false, apply IS TRUE) WITH ORDINALITY
				AS c (op, link_id, source_id, target_id, field, old, new, error_code, message, agreed, n)
			WHERE c.op <> 'agree' AND NOT (c.op = 'create' AND zcsync._same_value(c.new, 'null')))
		SELECT c.op, s.reference,
			CASE WHEN c.target_id IS NOT NULL THEN t.reference
				WHEN c.op = 'create' THEN format('%s/%s (new)', v.target_name, v.target_kind) END,
			nullif(c.field, ''), c.old #>> '{}',
			CASE WHEN c.op = 'error' THEN c.error_code || ': ' || c.message ELSE c.new #>> '{}' END
		FROM changes AS c
		LEFT JOIN zcsync._references(v.source_kind, ARRAY(SELECT DISTINCT d.source_id FROM changes AS d)) AS s ON s.local_id = c.source_id
		LEFT JOIN zcsync._references(v.target_kind, ARRAY(SELECT DISTINCT d.target_id FROM changes AS d)) AS t ON t.local_id = c.target_id
		ORDER BY coalesce(c.field LIKE 'back:%', false), c.n;
	END LOOP;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.plan(text, bigint[], integer, boolean) IS
'what a route would do now with these source records, or with those stored last; with apply, what it would do after apply_route(); writes nothing';

-- The records on which check_route() tries a route: those that were stored last, and
-- those of its newest pairs.
CREATE FUNCTION zcsync._check_sample(p_route bigint) RETURNS bigint[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY(
		SELECT u FROM unnest(zcsync._route_sample(p_route, 100)) AS u
		UNION
		SELECT l.source_id FROM (
			SELECT k.source_id FROM zcsync.links k WHERE k.route_id = p_route AND k.state IN ('linked', 'left')
			ORDER BY k.link_id DESC LIMIT 100) AS l
		ORDER BY 1 DESC)
$$;
COMMENT ON FUNCTION zcsync._check_sample(bigint) IS
'the source records on which check_route() tries a route, including those with a counterpart';

-- What the SQL of a route says about records as if they were new to it, including those
-- with a counterpart; in sets of the size of a batch.
CREATE FUNCTION zcsync._evaluate_as_new(p_route bigint, p_ids bigint[]) RETURNS zcsync.route_evaluation[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text := (SELECT s.kind FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id WHERE r.route_id = p_route);
	v_functions record := zcsync._runnable_route(p_route);
	v_ids bigint[];
	v_values zcsync.route_evaluation[] := '{}';
BEGIN
	EXECUTE format('SELECT array_agg(s.local_id) FROM zcsync.%I AS s WHERE s.local_id = ANY ($1) AND s.deleted_at IS NULL', v_kind)
		INTO v_ids USING p_ids;
	FOR i IN 1 .. coalesce(cardinality(v_ids), 0) BY 200 LOOP
		v_values := v_values || ARRAY(SELECT e FROM zcsync._evaluate_rows(v_functions.forward, v_functions.owner, v_kind, v_ids[i : i + 199],
			true, zcsync._mapping_timeout()) AS e);
	END LOOP;
	RETURN v_values;
END
$$;
COMMENT ON FUNCTION zcsync._evaluate_as_new(bigint, bigint[]) IS
'what the SQL of a route says of records as if they were new to it';

-- The places in which a route creates records: the one that is set, or those that its
-- expression gives for these records; '' if there are no places.
CREATE FUNCTION zcsync._route_places(p_def jsonb, p_values zcsync.route_evaluation[]) RETURNS text[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN p_def ->> 'place' IS NOT NULL OR p_def #>> '{target,setting}' IS NULL THEN ARRAY[coalesce(p_def ->> 'place', '')]
		ELSE ARRAY(
			SELECT DISTINCT i.id
			FROM (SELECT DISTINCT e.place FROM unnest(p_values) AS e WHERE e.passes) AS d
			CROSS JOIN LATERAL (SELECT zcsync._route_place((p_def ->> 'target_account')::bigint, p_def ->> 'target_kind', d.place, false)) AS i (id)
			WHERE i.id IS NOT NULL ORDER BY 1) END
$$;
COMMENT ON FUNCTION zcsync._route_places(jsonb, zcsync.route_evaluation[]) IS
'the places in which a route creates records, as far as these records tell';

-- Do the maps of the route work for the records on which it was tried?  A field whose
-- value has no counterpart waits and shows an error, but does not prevent the route
-- from running.
CREATE FUNCTION zcsync._check_route_maps(p_def jsonb, p_values zcsync.route_evaluation[], p_changes zcsync.route_change[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH tried AS MATERIALIZED (
		SELECT count(*) AS n FROM unnest(p_values) AS e WHERE e.passes OR e.error IS NOT NULL OR e.late
	), failed AS MATERIALIZED (
		SELECT f.source_id, f.error_code, f.message FROM zcsync._failed_evaluations(p_values) AS f
		UNION ALL
		SELECT c.source_id, c.error_code, c.message FROM unnest(p_changes) AS c WHERE c.error_code IN ('mapping_error', 'late', 'empty_name')
		UNION ALL
		SELECT e.source_id, 'empty_name', format('the %s is empty', p_def #>> '{target,name_field}') FROM unnest(p_values) AS e
		WHERE e.passes AND btrim(coalesce(e.doc ->> (p_def #>> '{target,name_field}'), '')) = '')
	SELECT 'mapping', count(*) = 0,
		CASE WHEN count(*) = 0 THEN 'works for the newest records'
			ELSE format('fails for %s of %s records: %s', count(DISTINCT f.source_id), (SELECT t.n FROM tried AS t), min(f.message)) END,
		CASE WHEN count(*) FILTER (WHERE f.error_code = 'empty_name') = count(*) AND count(*) > 0 THEN zcsync._route_error_hint(p_def ->> 'name', 'empty_name', '', NULL)
			WHEN count(*) > 0 THEN format('SELECT * FROM zcsync.plan(%L) WHERE op = ''error'';', p_def ->> 'name') END
	FROM failed AS f
	UNION ALL
	(SELECT format('values of "%s"', c.field), true,
		format('%s of %s records have one without counterpart: %s', count(DISTINCT c.source_id), (SELECT t.n FROM tried AS t),
			left(string_agg(DISTINCT left(c.new #>> '{}', 100), ', '), 300)),
		zcsync._route_error_hint(p_def ->> 'name', 'unmapped_value', c.field, min(c.new #>> '{}'))
	FROM unnest(p_changes) AS c WHERE c.error_code = 'unmapped_value'
	GROUP BY c.field ORDER BY c.field)
$$;
COMMENT ON FUNCTION zcsync._check_route_maps(jsonb, zcsync.route_evaluation[], zcsync.route_change[]) IS
'the rows of check_route() about maps, tried on real records';

-- Does the place exist in which each of these records would be created?
CREATE FUNCTION zcsync._check_route_place(p_def jsonb, p_values zcsync.route_evaluation[], p_places text[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p_def #>> '{target,setting}', f.failed = 0,
		CASE WHEN f.failed > 0 THEN format('fails for %s of %s records: ', f.failed, f.tried) || CASE WHEN f.example IS NULL
				THEN format('it gives no %s', p_def #>> '{target,place}')
				ELSE format('it gives "%s", which is no %s of the target', left(f.example, 200), p_def #>> '{target,place}') END
			WHEN p_def ->> 'place' IS NOT NULL THEN format('%s %s', p_def #>> '{target,place}', p_def ->> 'place')
			ELSE coalesce(format('%ss ', p_def #>> '{target,place}') || nullif(array_to_string(p_places, ', '), ''),
				'is an expression; no record to try it on') END,
		CASE WHEN f.failed > 0 THEN zcsync._route_error_hint(p_def ->> 'name', 'no_target', '', NULL) END
	FROM (
		SELECT coalesce(sum(d.records), 0) AS tried, coalesce(sum(d.records) FILTER (WHERE i.id IS NULL), 0) AS failed,
			min(d.place) FILTER (WHERE i.id IS NULL) AS example
		FROM (SELECT e.place, count(*) AS records FROM unnest(p_values) AS e WHERE e.passes GROUP BY e.place) AS d
		CROSS JOIN LATERAL (SELECT CASE WHEN p_def ->> 'place' IS NOT NULL THEN p_def ->> 'place'
			ELSE zcsync._route_place((p_def ->> 'target_account')::bigint, p_def ->> 'target_kind', d.place, false) END) AS i (id)) AS f
	WHERE p_def #>> '{target,setting}' IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._check_route_place(jsonb, zcsync.route_evaluation[], text[]) IS
'the row of check_route() about the places in which records are created, tried on real records';

-- Is each status of the source mapped, to one that the target has?
CREATE FUNCTION zcsync._check_route_statuses(p_def jsonb, p_places text[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route text := p_def ->> 'name';
	v_target bigint := (p_def ->> 'target_account')::bigint;
	v_is_id boolean := (p_def #>> '{target,status_is_id}')::boolean;
	v_scopes text[] := coalesce(ARRAY[p_def #>> '{target,status_scope}'] || '{}'::text[], '{}');
	v_choices text;
	v_status record;
BEGIN
	IF NOT coalesce((p_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) OR p_def ->> 'source_kind' <> 'tickets' THEN
		RETURN;
	END IF;
	v_scopes := CASE WHEN v_scopes[1] IS NULL THEN p_places ELSE v_scopes END;
	SELECT CASE WHEN p_def #> '{target,fixed_values}' ? 'status' THEN (
			SELECT string_agg(c.name, ', ' ORDER BY c.position) FROM zcsync._route_choices(v_target, p_def ->> 'target_kind', 'status') AS c)
		ELSE string_agg(x.name, ', ') END INTO v_choices
	FROM (SELECT st.name FROM zcsync.statuses st
		WHERE st.account_id = v_target AND st.deleted_at IS NULL AND st.active IS NOT FALSE
			AND (st.scope_id = ANY (v_scopes) OR v_scopes = '{}')
		GROUP BY st.name ORDER BY min(st.position), st.name LIMIT 30) x;
	FOR v_status IN
		SELECT s.value, nullif(s.name, s.value) AS name, v.source_value IS NOT NULL AS is_mapped, v.target_value,
			(SELECT string_agg(l, ', ' ORDER BY l) FROM unnest(v_scopes) l
			WHERE zcsync._resolve_status(v_target, l, v.target_value, v.target_id, v_is_id) IS NULL) AS lacking
		FROM zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) AS s
		LEFT JOIN zcsync.route_values v ON v.route_id = (p_def ->> 'route_id')::bigint
			AND v.direction = 'forward' AND v.field = 'status' AND v.source_value = s.value
		WHERE s.is_known
		ORDER BY array_position('{new,open,pending,hold,solved,closed}', s.value), length(s.value), s.value
	LOOP
		item := format('status "%s"', coalesce(v_status.name, v_status.value));
		ok := v_status.is_mapped AND (v_status.target_value IS NULL OR v_status.lacking IS NULL);
		message := CASE
			WHEN NOT v_status.is_mapped THEN 'is not mapped' || coalesce('; the target has: ' || v_choices, '')
			WHEN v_status.target_value IS NULL THEN 'leaves the status empty'
			WHEN v_status.lacking IS NOT NULL THEN format('is mapped to "%s", for which %s has nothing', v_status.target_value,
				CASE WHEN v_is_id THEN format('%s/%s', p_def ->> 'target_name', p_def ->> 'target_kind')
					ELSE format('%s %s', p_def #>> '{target,place}', v_status.lacking) END)
			ELSE format('becomes "%s"', v_status.target_value)
		END;
		hint := CASE WHEN NOT ok THEN
			format('SELECT zcsync.map_value(%L, ''status'', %L, ''<status of the target>'');', v_route, coalesce(v_status.name, v_status.value)) END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_statuses(jsonb, text[]) IS
'the rows of check_route() about statuses';

-- Statuses that come back: one that is not mapped changes nothing here, and neither
-- does the status that no record gets again.
CREATE FUNCTION zcsync._check_route_back(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_field text := CASE p_def ->> 'source_kind' WHEN 'leads' THEN 'status_id' WHEN 'tickets' THEN 'status' END;
	v_kind zcsync.vendor_kind := zcsync._kind_of(p_def ->> 'source_vendor', p_def ->> 'source_kind');
BEGIN
	IF NOT coalesce((p_def -> 'back' -> v_field ->> 'mapped')::boolean, false) THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT format('back: status "%s"', k.name), true,
		CASE WHEN v.source_value IS NULL THEN format('is not mapped; the %s keep theirs', p_def ->> 'source_kind')
			WHEN v.target_value = (v_kind.rules).initial_status THEN format('changes nothing: no ticket becomes "%s" again', v.target_value)
			ELSE format('becomes "%s"', coalesce(l.name, n.name, v.target_value)) END,
		CASE WHEN v.source_value IS NULL THEN
			format('SELECT zcsync.map_value(%L, %L, %L, ''<status of the source>'', back => true);', p_def ->> 'name', v_field, k.name) END
	FROM zcsync._route_back_statuses(p_def) AS k
	LEFT JOIN zcsync.route_values v ON v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = 'back'
		AND v.field = v_field AND v.source_value = k.value
	LEFT JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) l
		ON v_field = 'status_id' AND l.value = v.target_value
	LEFT JOIN zcsync._named_status((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', v.target_value) n
		ON v_kind.status_is_id
	WHERE NOT EXISTS (SELECT FROM zcsync._unnamed_back_values(p_def) AS u WHERE u.field = v_field AND u.there = k.value)
	ORDER BY k.position, length(k.value), k.value;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_back(jsonb) IS
'the rows of check_route() about statuses that come back';

-- The values of the target for which a person must name the source value that comes
-- back, since several source values become the same.
CREATE FUNCTION zcsync._unnamed_back_values(p_def jsonb) RETURNS TABLE (field text, there text, heres text[])
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.field, w.there, w.heres
	FROM zcsync._way_back(p_def) AS w
	WHERE w.here IS NULL AND NOT zcsync._is_unmapped(p_def, 'back', w.field, w.there)
		AND NOT EXISTS (SELECT FROM zcsync.route_values v
			WHERE v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = 'back' AND v.field = w.field AND v.source_value = w.there)
$$;
COMMENT ON FUNCTION zcsync._unnamed_back_values(jsonb) IS
'the values of the target of a route for which the value that comes back must be named';

-- Is there a single source value for each value that comes back?
CREATE FUNCTION zcsync._check_route_way_back(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('back: %s "%s"', CASE u.field WHEN 'status_id' THEN 'status' ELSE u.field END, coalesce(t.name, u.there)), false,
		format('several values of the source become this one (%s); say which of them it becomes on the way back',
			(SELECT string_agg(format('"%s"', coalesce(s.name, h.value)), ', ' ORDER BY s.position, length(h.value), h.value)
			FROM unnest(u.heres) AS h (value)
			LEFT JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) AS s
				ON u.field IN ('status', 'status_id') AND s.value = h.value)),
		format('SELECT zcsync.map_value(%L, %L, %L, ''<one of them>'', back => true);', p_def ->> 'name', u.field, coalesce(t.name, u.there))
	FROM zcsync._unnamed_back_values(p_def) AS u
	LEFT JOIN zcsync._route_back_statuses(p_def) AS t ON u.field IN ('status', 'status_id') AND t.value = u.there
	ORDER BY u.field DESC, t.position, length(u.there), u.there
$$;
COMMENT ON FUNCTION zcsync._check_route_way_back(jsonb) IS
'the rows of check_route() about values that come back and stand for several of the source';

-- Does the map have values that their field can no longer have, such as an option,
-- member or status that is gone?  Statuses that go forward have rows of their own.
CREATE FUNCTION zcsync._check_route_values(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v zcsync.route_values;
	v_knows boolean := zcsync._knows_members((p_def ->> 'target_account')::bigint);
BEGIN
	FOR v IN
		SELECT r.* FROM zcsync.route_values r
		WHERE r.route_id = (p_def ->> 'route_id')::bigint AND r.target_value IS NOT NULL AND (r.direction = 'back' OR r.field <> 'status')
			AND (v_knows OR r.direction = 'back' OR p_def #>> ARRAY['target', 'roles', r.field] IS DISTINCT FROM 'member')
		ORDER BY r.direction, r.field, r.source_value LIMIT 1000
	LOOP
		BEGIN
			PERFORM zcsync._translation(p_def, v.field, v.direction = 'back', v.target_value);
		EXCEPTION WHEN invalid_parameter_value THEN
			item := format('map of "%s"', v.field);
			ok := false;
			message := format('"%s" becomes "%s": %s', v.source_value, v.target_value, SQLERRM);
			hint := format('SELECT zcsync.map_value(%L, %L, %L, %L%s);', p_def ->> 'name', v.field, v.source_value, '<another value>',
				CASE v.direction WHEN 'back' THEN ', back => true' ELSE '' END);
			RETURN NEXT;
		END;
	END LOOP;
	RETURN QUERY
	SELECT format('map of "%s"', u.field), true, format('"%s" is mapped, but it is not among the values that are known', u.source_value),
		format('SELECT zcsync.unmap_value(%L, %L, %L%s);', p_def ->> 'name', u.field, u.source_value, CASE u.direction WHEN 'back' THEN ', back => true' ELSE '' END)
	FROM (SELECT r.*, ARRAY(SELECT c.value FROM zcsync._read_choices(p_def, r.field, r.direction = 'back') AS c) AS choices
		FROM zcsync.route_values r WHERE r.route_id = (p_def ->> 'route_id')::bigint AND r.field IN ('status', 'status_id', 'priority') AND NOT r.suggested) AS u
	WHERE u.choices <> '{}' AND u.source_value <> ALL (u.choices)
	ORDER BY u.direction DESC, u.field, u.source_value;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_values(jsonb) IS
'the rows of check_route() about mapped values that a field cannot be given any more, or that no record can have';

-- A field comes back although the route goes one way.
CREATE FUNCTION zcsync._check_route_direction(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'direction', true, format('%s of %s/%s %s back, although the direction is "forward"', string_agg(f.field, ', ' ORDER BY f.field),
			p_def ->> 'source_name', p_def ->> 'source_kind', CASE count(*) WHEN 1 THEN 'comes' ELSE 'come' END),
		format('SELECT zcsync.unmap_field(%L, %L, back => true);', p_def ->> 'name', min(f.field))
	FROM jsonb_object_keys(p_def -> 'back') AS f (field)
	WHERE p_def ->> 'direction' = 'forward'
	HAVING count(*) > 0
$$;
COMMENT ON FUNCTION zcsync._check_route_direction(jsonb) IS
'the row of check_route() about fields that come back on a route that leads one way';

-- Are clients known, and does the route say to which one a record belongs?
CREATE FUNCTION zcsync._check_route_companies(p_def jsonb, p_changes zcsync.route_change[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_field text := (SELECT r.key FROM jsonb_each_text(p_def #> '{target,roles}') r WHERE r.value = 'company');
	v_routed boolean := coalesce(p_def -> 'fields' ? v_field, false);
	v_name text := p_def ->> 'target_name';
BEGIN
	IF v_routed OR (p_def #>> '{target,needs_company}')::boolean THEN
		item := 'clients';
		message := CASE WHEN NOT v_routed THEN format('nothing is mapped to "%s"', v_field)
			WHEN NOT EXISTS (SELECT FROM zcsync.companies c WHERE c.account_id = (p_def ->> 'target_account')::bigint AND c.type = 'client')
				THEN format('no client of "%s" is known', v_name) END;
		ok := message IS NULL;
		hint := CASE WHEN ok THEN NULL WHEN NOT v_routed THEN format('SELECT zcsync.map_field(%L, %L, ''<expression>'');', p_def ->> 'name', v_field)
			ELSE format('SELECT * FROM zcsync.add_stream(%L, ''companies'', since => ''2000-01-01'');', v_name) END;
		message := coalesce(message, (SELECT format('%s of %s/companies are known', count(*), v_name) FROM zcsync.companies c
			WHERE c.account_id = (p_def ->> 'target_account')::bigint AND c.type = 'client' AND c.deleted_at IS NULL));
		RETURN NEXT;
	END IF;
	-- These records wait and show an error; they do not prevent the others from being
	-- routed.
	RETURN QUERY
	SELECT 'unmapped companies', true,
		format('%s of the newest records will wait: %s', count(DISTINCT c.source_id), left(string_agg(DISTINCT coalesce(c.new #>> '{}', 'no company'), ', '), 500)),
		zcsync._route_error_hint(p_def ->> 'name', 'unmapped_company', '', min(c.new #>> '{}'))
	FROM unnest(p_changes) c WHERE c.error_code = 'unmapped_company'
	HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_companies(jsonb, zcsync.route_change[]) IS
'the rows of check_route() about companies';

-- Does the route meet records that another installation made?  That does not prevent it
-- from running.
CREATE FUNCTION zcsync._check_route_marks(p_name text, p_changes zcsync.route_change[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'other installation', true,
		format('%s of the newest records, or what belongs to them, was made by another installation and is left alone', count(DISTINCT c.source_id)),
		zcsync._route_error_hint(p_name, min(c.error_code), '', NULL)
	FROM unnest(p_changes) c WHERE c.error_code IN ('made_elsewhere', 'other_installation') HAVING count(*) > 0
$$;
COMMENT ON FUNCTION zcsync._check_route_marks(text, zcsync.route_change[]) IS
'the row of check_route() about records of another installation';

-- Are the streams at both ends being read and written?
CREATE FUNCTION zcsync._check_route_streams(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT e.item, NOT (a.state <> 'active' OR s.state <> 'active' OR (e.is_written AND NOT s.writes) OR waits.matching),
		CASE
			WHEN a.state <> 'active' THEN format('account "%s" is %s%s', a.name, a.state, coalesce(': ' || a.state_reason, ''))
			WHEN s.state <> 'active' THEN format('stream %s/%s is paused', a.name, s.kind)
			WHEN e.is_written AND NOT s.writes THEN format('stream %s/%s is read-only%s', a.name, s.kind,
				CASE WHEN e.is_target THEN '' ELSE ', and the route writes back to it' END)
			WHEN waits.matching THEN format('%s/%s has not been read yet; records that exist there would not be found', a.name, s.kind)
			ELSE format('%s/%s is active%s%s', a.name, s.kind, CASE WHEN e.is_written THEN ' and writable' ELSE '' END,
				CASE WHEN s.history_state = 'running' THEN '; its history is still being read' ELSE '' END)
		END,
		CASE
			WHEN a.state <> 'active' THEN coalesce(a.state_hint, format('SELECT zcsync.resume_account(%L);', a.name))
			WHEN s.state <> 'active' THEN format('SELECT zcsync.resume_stream(%L);', a.name || '/' || s.kind)
			WHEN e.is_written AND NOT s.writes THEN format('SELECT zcsync.alter_stream(%L, writes => true);', a.name || '/' || s.kind)
			WHEN waits.matching THEN 'SELECT * FROM zcsync.progress; shows how far it is.'
		END
	FROM (VALUES
		(1, 'source', false, p_def -> 'back' <> '{}' AND p_def ->> 'source_vendor' <> 'local', p_def ->> 'source_stream_id'),
		(2, 'target', true, true, p_def ->> 'target_stream_id'))
		AS e (ord, item, is_target, is_written, stream)
	JOIN zcsync.streams s ON s.stream_id = e.stream::bigint
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	CROSS JOIN LATERAL (SELECT e.is_target AND (s.history_state = 'running' OR s.last_pull_at IS NULL) AS matching) AS waits
	ORDER BY e.ord
$$;
COMMENT ON FUNCTION zcsync._check_route_streams(jsonb) IS
'the rows of check_route() about streams';

-- Fields that must be set in the places of the target, and to which nothing is mapped.
CREATE FUNCTION zcsync._check_route_required(p_def jsonb, p_places text[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('required field "%s"', min(r.name)), false,
		format('%s requires it, and nothing is mapped to it',
			coalesce((p_def #>> '{target,place}') || ' ' || string_agg(DISTINCT p.id, ', '), p_def #>> '{target,title}')),
		format('SELECT zcsync.map_field(%L, %L, ''<expression>'');', p_def ->> 'name', r.field)
	FROM unnest(p_places) AS p (id)
	CROSS JOIN LATERAL zcsync._route_required((p_def ->> 'target_account')::bigint, p_def ->> 'target_kind', p.id) AS r
	WHERE NOT p_def -> 'fields' ? r.field AND r.field IS DISTINCT FROM p_def #>> '{target,place_field}'
	GROUP BY r.field
	ORDER BY 1
$$;
COMMENT ON FUNCTION zcsync._check_route_required(jsonb, text[]) IS
'the rows of check_route() about required fields of the target';

-- How many of these records get the default assignee: those with an assignee whom the
-- target does not know, and those without one.
CREATE FUNCTION zcsync._count_default_assignee(p_def jsonb, p_values zcsync.route_evaluation[]) RETURNS bigint
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(DISTINCT e.source_id)
	FROM unnest(p_values) AS e
	JOIN zcsync.route_fields AS f ON f.route_id = (p_def ->> 'route_id')::bigint AND f.direction = 'forward'
		AND p_def #>> ARRAY['target', 'roles', f.field] = 'member'
	CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(e.doc -> f.field) <> 'array' THEN jsonb_build_array(e.doc -> f.field)
		WHEN e.doc -> f.field = '[]' THEN '[null]' ELSE e.doc -> f.field END) AS x (value)
	LEFT JOIN zcsync.route_values AS v ON v.route_id = f.route_id AND v.direction = 'forward' AND v.field = f.field AND v.source_value = x.value
	WHERE e.passes AND CASE WHEN v.source_value IS NOT NULL THEN v.target_value IS NOT NULL
				AND zcsync._member_id((p_def ->> 'target_account')::bigint, v.target_value) IS NULL
		WHEN f.mapped AND x.value ~ '^[0-9]+$' THEN true
		ELSE zcsync._member_id((p_def ->> 'target_account')::bigint, x.value) IS NULL END
$$;
COMMENT ON FUNCTION zcsync._count_default_assignee(jsonb, zcsync.route_evaluation[]) IS
'how many records get the default assignee of a route';

-- What one end of a route must have before it closes a record and does not get from the
-- other end, if the route closes records there, with a map of statuses or without one.
CREATE FUNCTION zcsync._route_closing(p_def jsonb, p_direction text, p_places text[]) RETURNS TABLE (field text, name text, status text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_end text := CASE p_direction WHEN 'back' THEN 'source' ELSE 'target' END;
	v_fields jsonb := p_def -> CASE p_direction WHEN 'back' THEN 'back' ELSE 'fields' END;
	v_hook regprocedure := (zcsync._vendor_of(p_def ->> (v_end || '_vendor'))).closing;
	v_rules zcsync.vendor_rules := (zcsync._kind_of(p_def ->> (v_end || '_vendor'), p_def ->> (v_end || '_kind'))).rules;
BEGIN
	IF v_hook IS NULL OR NOT v_fields ? 'status' OR (coalesce((v_fields -> 'status' ->> 'mapped')::boolean, false)
			AND NOT EXISTS (
				SELECT FROM zcsync.route_values v WHERE v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = p_direction
					AND v.field = 'status' AND v.target_value IN (v_rules.closing_status, v_rules.final_status))) THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format('SELECT DISTINCT r.field, r.name, $4 FROM unnest($3) AS p (id) CROSS JOIN LATERAL %s($1, $2, p.id) AS r ORDER BY 1', v_hook::regproc)
		USING (p_def ->> (v_end || '_account'))::bigint, p_def ->> (v_end || '_kind'), p_places, v_rules.closing_status;
END
$$;
COMMENT ON FUNCTION zcsync._route_closing(jsonb, text, text[]) IS
'fields that one end of a route must have before it closes a record, where the route closes records there';

-- A record that lacks one of these keeps its status; all its other fields are written.
CREATE FUNCTION zcsync._check_route_closing(p_def jsonb, p_places text[]) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('closing needs "%s"', r.name), false,
		format('nothing is mapped to it, and %s refuses the status "%s" for a record without it', p_def #>> '{target,title}', r.status),
		format('SELECT zcsync.map_field(%L, %L, ''<expression>'');', p_def ->> 'name', r.field)
	FROM zcsync._route_closing(p_def, 'forward', p_places) AS r
	WHERE NOT p_def -> 'fields' ? r.field
	UNION ALL
	SELECT format('back: closing needs "%s"', r.name), true,
		format('%s that lack it keep their status: %s refuses the status "%s" for a record without it', p_def ->> 'source_kind',
			(zcsync._vendor_of(p_def ->> 'source_vendor')).title, r.status),
		'SELECT * FROM zcsync.errors WHERE message LIKE ''%status:%'';'
	FROM zcsync._route_closing(p_def, 'back', '{""}') AS r
	WHERE NOT p_def -> 'back' ? r.field
$$;
COMMENT ON FUNCTION zcsync._check_route_closing(jsonb, text[]) IS
'the rows of check_route() about fields that an end of the route must have before it closes a record';

-- Are the people known whom a route looks up?
CREATE FUNCTION zcsync._check_route_people(p_def jsonb, p_values zcsync.route_evaluation[]) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_def ->> 'default_assignee' IS NOT NULL THEN
		RETURN QUERY
		SELECT 'default assignee', m.id IS NOT NULL,
			format(CASE WHEN m.id IS NULL THEN '%s is not a known member of the target; %s of %s records would have no assignee'
				ELSE '%s is member %s, who would be the assignee of %s of %s records' END,
				VARIADIC array_remove(ARRAY[p_def ->> 'default_assignee', m.id, c.n::text, c.tried::text], NULL)),
			CASE WHEN m.id IS NULL THEN format('SELECT zcsync.alter_route(%L, default_assignee => ''<member id>'');', p_def ->> 'name') END
		FROM (SELECT zcsync._known_member((p_def ->> 'target_account')::bigint, p_def ->> 'default_assignee') AS id) AS m
		CROSS JOIN (SELECT zcsync._count_default_assignee(p_def, p_values) AS n, count(*) FILTER (WHERE e.passes) AS tried FROM unnest(p_values) AS e) AS c;
	END IF;
	RETURN QUERY
	SELECT 'members', true, 'no member of the target is known, so no assignee is found by e-mail address',
		format('SELECT * FROM zcsync.discover(%L);', p_def ->> 'target_name')
	WHERE p_def -> 'fields' ? 'assignees'
		AND NOT EXISTS (SELECT FROM zcsync.contacts c WHERE c.account_id = (p_def ->> 'target_account')::bigint);
	RETURN QUERY
	SELECT 'requesters', true, format('no contact of %s is known, so our own user becomes the requester of the tickets', p_def ->> 'source_name'),
		format('SELECT * FROM zcsync.add_stream(%L, ''contacts'', since => ''2000-01-01'');', p_def ->> 'source_name')
	WHERE p_def #>> '{target,roles,requester_id}' = 'requester' AND p_def -> 'fields' ? 'requester_id'
		AND NOT EXISTS (SELECT FROM zcsync.contacts c WHERE c.account_id = (p_def ->> 'source_account')::bigint);
END
$$;
COMMENT ON FUNCTION zcsync._check_route_people(jsonb, zcsync.route_evaluation[]) IS
'the rows of check_route() about people';

CREATE FUNCTION zcsync.check_route(name text) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(check_route.name));
	v_def jsonb;
	v_fault text;
	v_sample bigint[];
	v_values zcsync.route_evaluation[];
	v_changes zcsync.route_change[];
	v_places text[];
BEGIN
	BEGIN
		v_def := zcsync._route_definition(v_route.route_id, '{}');
	EXCEPTION WHEN undefined_object THEN
		RETURN QUERY SELECT 'create_in', false, SQLERRM, zcsync._route_error_hint(v_route.name, 'no_target', '', NULL);
		RETURN;
	END;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_streams(v_def) c;

	-- The functions: do they exist, does the right role own them, were they made from
	-- what is stored?
	SELECT string_agg(zcsync._route_function_fault(c.name, c.arguments, c.code, v_route.defined_by), '; ')
	INTO v_fault FROM zcsync._route_code(v_def) c;
	RETURN QUERY SELECT 'functions', v_fault IS NULL,
		coalesce(v_fault, format('run with the rights of role "%s"%s', v_route.defined_by,
			CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = v_route.defined_by) THEN ', a superuser' ELSE '' END)),
		CASE WHEN v_fault IS NOT NULL THEN
			format('SELECT zcsync.alter_route(%L, on_leave => %L);  -- as role "%s"; compiles again', v_route.name, v_route.on_leave, v_route.defined_by) END;
	IF v_fault IS NOT NULL THEN
		RETURN;
	END IF;

	-- Try the route on real records, each as if it were new to it.
	v_sample := zcsync._check_sample(v_route.route_id);
	v_values := zcsync._evaluate_as_new(v_route.route_id, v_sample);
	v_changes := ARRAY(SELECT c FROM zcsync._try_route_changes(v_route.route_id, v_sample, true) c);
	v_places := zcsync._route_places(v_def, v_values);
	RETURN QUERY SELECT c.* FROM zcsync._check_route_maps(v_def, v_values, v_changes) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_place(v_def, v_values, v_places) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_statuses(v_def, v_places) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_values(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_direction(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_back(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_way_back(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_companies(v_def, v_changes) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_required(v_def, v_places) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_closing(v_def, v_places) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_comments(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_time((v_def ->> 'route_id')::bigint) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_merged(v_def) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_marks(v_route.name, v_changes) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_people(v_def, v_values) c;
	RETURN QUERY
	SELECT 'cancelled', true, format('%s records get no copy, since cancel_held() cancelled it', count(*)),
		format('SELECT zcsync.release_held(%L, cancelled => true);', v_route.name)
	FROM zcsync.links l WHERE l.route_id = v_route.route_id AND l.state = 'cancelled' HAVING count(*) > 0;
	RETURN QUERY SELECT 'write brake', true,
		format('more than %s writes in an hour are held', current_setting('zcsync.bulk_write_limit')), NULL;
END
$$;
COMMENT ON FUNCTION zcsync.check_route(text) IS
'what a route needs, a row for each condition, with what to run where it is not met';

-- ---------------------------------------------------------------------
-- Backfill, and applying a changed map
-- ---------------------------------------------------------------------

-- The calls and the time that it takes to write this number of records of an account.
CREATE FUNCTION zcsync._write_effort(p_account bigint, p_count bigint, OUT calls text, OUT duration text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_calls bigint;
BEGIN
	SELECT coalesce((zcsync._vendor_of(a.vendor)).write_batch, 1) AS batch,
		zcsync._calls_a_minute(a.account_id, zcsync._push_class(a.account_id)) AS rate
	INTO v
	FROM zcsync.accounts a
	WHERE a.account_id = p_account;
	v_calls := ceil(p_count / v.batch::numeric);
	calls := format('at most %s', v_calls);
	duration := CASE WHEN v.rate IS NULL THEN 'not known: the account has no budget'
		ELSE format('at least %s at %s calls a minute', date_trunc('second', make_interval(secs => ceil(60 * v_calls / v.rate))),
			round(v.rate::numeric)) END;
END
$$;
COMMENT ON FUNCTION zcsync._write_effort(bigint, bigint) IS
'calls and time that writing so many records of an account takes';

-- The source records that pass the filter of the route and that it does not have yet,
-- or those of them that came since a snapshot.  If the filter fails for one of them,
-- that is an error.
CREATE FUNCTION zcsync._route_unlinked(p_route bigint, p_since pg_snapshot DEFAULT NULL) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_functions record;
	v_unlinked text;
	v_count bigint;
	v_ids bigint[];
	v_last bigint := 0;
	v_values zcsync.route_evaluation[];
	v_error text;
BEGIN
	SELECT r.name, s.account_id, s.kind, a.vendor INTO v
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE r.route_id = p_route;
	SELECT f.* INTO v_functions FROM zcsync._runnable_route(p_route) f;
	v_unlinked := format($sql$
		FROM zcsync.%I AS s
		WHERE s.account_id = $1 AND s.local_id > $2 AND s.deleted_at IS NULL%s
			AND ($4 IS NULL OR zcsync._is_news(ROW(NULL, NULL, $4), NULL, s.sync_xid))
			AND NOT EXISTS (SELECT FROM zcsync.links AS l WHERE l.route_id = $3 AND l.source_id = s.local_id AND l.state <> 'unlinked')$sql$,
		v.kind, CASE WHEN v.vendor <> 'local' THEN ' AND s.remote_id IS NOT NULL' ELSE '' END);
	IF p_since IS NULL THEN	-- else they are few
		EXECUTE 'SELECT count(*)' || v_unlinked INTO v_count USING v.account_id, v_last, p_route, p_since;
		PERFORM zcsync._verb_step('looking at records', v_count);
	END IF;
	LOOP
		EXECUTE format('SELECT array_agg(x.local_id) FROM (SELECT s.local_id %s ORDER BY s.local_id LIMIT 1000) AS x', v_unlinked)
			INTO v_ids USING v.account_id, v_last, p_route, p_since;
		EXIT WHEN v_ids IS NULL;
		v_values := ARRAY(
			SELECT e FROM zcsync._evaluate_rows(v_functions.forward, v_functions.owner, v.kind, v_ids, NULL, zcsync._mapping_timeout()) e);
		SELECT e.message INTO v_error FROM zcsync._failed_evaluations(v_values) e LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'external_routine_invocation_exception',
				MESSAGE = format('filter of route "%s": %s', v.name, v_error),
				HINT = format('Mend it: SELECT zcsync.alter_route(%L, filter => ...);', v.name);
		END IF;
		RETURN QUERY SELECT e.source_id FROM unnest(v_values) e WHERE e.passes;
		v_last := v_ids[cardinality(v_ids)];
		PERFORM zcsync._verb_did(cardinality(v_ids));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._route_unlinked(bigint, pg_snapshot) IS
'source records that a route wants and does not have, by local id';

-- How far the history of a route's source has been read, for people; NULL: it is not
-- being read.
CREATE FUNCTION zcsync._history_to_come(p_route bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%s/%s is still being read (%s%s)', a.name, s.kind, s.records_done, coalesce(format(' of about %s records', s.records_estimate), ' records so far'))
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE r.route_id = p_route AND zcsync._brings_history(s.stream_id)
$$;
COMMENT ON FUNCTION zcsync._history_to_come(bigint) IS
'how far the history of a route''s source is; NULL when it is not being read';

-- Queue a backfill.  If the source is still being read, the route follows it from now
-- on.  The filter may take long for all records, so writers are blocked only while the
-- records that came meanwhile are checked.
CREATE FUNCTION zcsync._begin_backfill(p_route bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_seen pg_snapshot := pg_current_snapshot();
	v_ids bigint[] := ARRAY(SELECT u.id FROM zcsync._route_unlinked(p_route) AS u (id));
BEGIN
	IF zcsync._history_to_come(p_route) IS NOT NULL THEN
		PERFORM zcsync._await_writers(p_route);
		INSERT INTO zcsync.route_backfills (route_id, began_at, follows) VALUES (p_route, zcsync._now(), true)
		ON CONFLICT (route_id) DO UPDATE SET follows = true;
		v_ids := ARRAY(SELECT unnest(v_ids) UNION SELECT u.id FROM zcsync._route_unlinked(p_route, v_seen) AS u (id) ORDER BY 1);
	END IF;
	PERFORM zcsync._enqueue_source(p_route, v_ids, 70, true);
	RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION zcsync._begin_backfill(bigint) IS
'queues the records that a route does not have, and makes it follow a history that is being read; returns how many';

CREATE FUNCTION zcsync.backfill_route(name text, confirm boolean DEFAULT false) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(backfill_route.name));
	v_reading text := zcsync._history_to_come(v_route.route_id);
	v_count bigint;
	v_linked bigint;
	v_effort record;
BEGIN
	IF confirm THEN
		PERFORM zcsync._refuse_standby();
		PERFORM zcsync._verb_begins(format('zcsync.backfill_route(%L)', v_route.name));
		RETURN QUERY SELECT 'queued', zcsync._begin_backfill(v_route.route_id)::text;
		PERFORM zcsync._verb_ends();
		RETURN QUERY SELECT 'follows', v_reading || '; what it brings is queued as it comes' WHERE v_reading IS NOT NULL;
		RETURN QUERY VALUES
			('progress', format('SELECT * FROM zcsync.progress WHERE object = %L;', v_route.name)),
			('state', CASE v_route.state WHEN 'active' THEN 'active' ELSE
				format('paused; it begins with SELECT zcsync.resume_route(%L);', v_route.name) END);
		RETURN;
	END IF;

	PERFORM zcsync._verb_begins(format('zcsync.backfill_route(%L)', v_route.name));
	v_count := (SELECT count(*) FROM zcsync._route_unlinked(v_route.route_id));
	PERFORM zcsync._verb_ends();
	SELECT count(*) INTO v_linked FROM zcsync.links l WHERE l.route_id = v_route.route_id AND l.state <> 'unlinked';
	SELECT e.* INTO v_effort FROM zcsync.streams t CROSS JOIN LATERAL zcsync._write_effort(t.account_id, v_count) AS e
	WHERE t.stream_id = v_route.target_stream_id;
	RETURN QUERY VALUES
		('linked already', v_linked::text),
		('to link or create', v_count::text || CASE WHEN v_reading IS NOT NULL THEN ' so far' ELSE '' END);
	RETURN QUERY SELECT 'to come', v_reading || '; what it brings is not counted here, and queued as it comes' WHERE v_reading IS NOT NULL;
	RETURN QUERY VALUES
		('calls', v_effort.calls),
		('duration', v_effort.duration),
		('to begin', format('SELECT * FROM zcsync.backfill_route(%L, confirm => true);', v_route.name));
END
$$;
COMMENT ON FUNCTION zcsync.backfill_route(text, boolean) IS
'says what it takes to route the records from before the route began; with confirm, queues them, and later also those that a history which is still being read brings';

-- What apply_route() would write to one side of the pairs: a row for each fact about
-- it.  Nothing is sent for a local account.
CREATE FUNCTION zcsync._apply_effort(p_account bigint, p_fields bigint, p_records bigint, p_back boolean, p_part text)
RETURNS TABLE (item text, value text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT x.item || CASE WHEN p_back THEN ' back' ELSE '' END, x.value
	FROM zcsync.accounts a
	CROSS JOIN LATERAL zcsync._write_effort(p_account, p_records) AS e
	CROSS JOIN LATERAL (VALUES ('to write', format('%s fields of %s records%s', p_fields, p_records, p_part)),
		('calls', e.calls), ('duration', e.duration)) AS x (item, value)
	WHERE a.account_id = p_account AND (x.item = 'to write' OR a.vendor <> 'local')
$$;
COMMENT ON FUNCTION zcsync._apply_effort(bigint, bigint, bigint, boolean, text) IS
'what apply_route() would write to one side, with calls and time';

-- A changed map or expression applies to a record with the next edit of what it reads.
-- This function applies it to all pairs that the route drives, on both sides.  Where
-- the map of a field did not change, edits of the other side stay.
CREATE FUNCTION zcsync.apply_route(name text, confirm boolean DEFAULT false) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(apply_route.name));
	v_ids bigint[] := ARRAY(SELECT l.source_id FROM zcsync.links l
		WHERE l.route_id = v_route.route_id AND l.state <> 'unlinked' ORDER BY l.link_id DESC);
	v_max CONSTANT integer := 10000;	-- pairs that are tried for the estimate
	v_part text := CASE WHEN cardinality(v_ids) > v_max THEN format(', of the newest %s pairs', v_max) ELSE '' END;
	v_queued bigint;
	v record;
BEGIN
	PERFORM zcsync._verb_begins(format('zcsync.apply_route(%L)', v_route.name), CASE WHEN confirm THEN NULL ELSE cardinality(v_ids[:v_max]) END);
	IF confirm THEN
		PERFORM zcsync._refuse_standby();
		UPDATE zcsync.links l SET dropped = zcsync._to_be_applied(l.dropped)
		WHERE l.route_id = v_route.route_id AND l.state <> 'unlinked' AND l.dropped <> '{}';
		v_queued := zcsync._queue_route_records(v_route.route_id, v_ids);
		PERFORM zcsync._verb_ends();
		RETURN QUERY VALUES
			('queued', v_queued::text),
			('state', CASE v_route.state WHEN 'active' THEN 'active' ELSE
				format('paused; it begins with SELECT zcsync.resume_route(%L);', v_route.name) END);
		RETURN;
	END IF;
	RETURN QUERY VALUES ('pairs', cardinality(v_ids)::text);
	FOR v IN
		SELECT e.is_back, s.account_id, count(c.source_id) AS fields, count(DISTINCT c.source_id) AS records
		FROM (VALUES (false, v_route.target_stream_id), (true, v_route.source_stream_id)) AS e (is_back, stream_id)
		JOIN zcsync.streams s ON s.stream_id = e.stream_id
		LEFT JOIN zcsync._try_route_changes(v_route.route_id, v_ids[:v_max], false, true) AS c ON c.op = 'update' AND c.field LIKE 'back:%' = e.is_back
		WHERE NOT e.is_back OR EXISTS (SELECT FROM zcsync.route_fields f WHERE f.route_id = v_route.route_id AND f.direction = 'back')
		GROUP BY e.is_back, s.account_id
		ORDER BY e.is_back
	LOOP
		RETURN QUERY SELECT e.* FROM zcsync._apply_effort(v.account_id, v.fields, v.records, v.is_back, v_part) AS e;
	END LOOP;
	PERFORM zcsync._verb_ends();
	RETURN QUERY VALUES
		('write brake', format('more than %s writes in an hour are held', current_setting('zcsync.bulk_write_limit'))),
		('to look', format('SELECT * FROM zcsync.plan(%L, apply => true) WHERE op = ''update'';', v_route.name)),
		('to begin', format('SELECT * FROM zcsync.apply_route(%L, confirm => true);', v_route.name));
END
$$;
COMMENT ON FUNCTION zcsync.apply_route(text, boolean) IS
'says what it takes to write changed maps to the pairs that a route drives, on both sides; with confirm, queues them; where both sides differ and the maps of both ways changed, the source wins';
