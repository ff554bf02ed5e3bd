-- ---------------------------------------------------------------------
-- Routes: what a new route does unless something else is said.
-- ---------------------------------------------------------------------

-- The e-mail address of the assignee of a record, or, if there is none, what the record
-- has of that person.
CREATE FUNCTION zcsync._assignee_expression(p_vendor text, p_kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((zcsync._kind_of(p_vendor, p_kind)).assignee, $sql$coalesce(
	(SELECT lower(c.email COLLATE "C") FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.assignee_id),
	'user ' || assignee_id)$sql$);
END;
COMMENT ON FUNCTION zcsync._assignee_expression(text, text) IS
'the expression over records of a vendor that gives the e-mail address of the assignee';

-- What is copied, and what comes back; for tickets, something comes back only with
-- direction both.  The text of a ticket whose comments are all private is not copied,
-- since everybody who sees the target could read it there.  Score and reference of a
-- lead are copied as text: for people, and to find the lead again.
CREATE FUNCTION zcsync._route_default_fields(p_def jsonb, p_direction text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(f.field, jsonb_build_object('expression', f.expression, 'mapped', f.mapped, 'position', f.position)), '{}')
	FROM (
		SELECT g.* FROM (VALUES
		('tickets>tasks', 'forward', 'name', false, 10, $sql$coalesce(nullif(btrim(subject), ''), 'Ticket #' || remote_id)$sql$),
		('tickets>tickets', 'forward', 'subject', false, 10, $sql$coalesce(nullif(btrim(subject), ''), 'Ticket #' || remote_id)$sql$),
		('tickets>*', 'forward', 'description', false, 20, $sql$concat_ws(E'\n\n',
	'Ticket #' || remote_id,
	$sql$ || coalesce((zcsync._kind_of(p_def ->> 'source_vendor', 'tickets')).public_text, $sql$nullif(btrim(description), '')$sql$) || $sql$,
	'Requester: ' || (SELECT concat_ws(' ', c.name, '<' || c.email || '>') FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id),
	zcsync.record_url(account_id, 'tickets', remote_id))$sql$),
		('tickets>*', 'forward', 'status', true, 30, 'status'),
		('tickets>*', 'forward', 'priority', true, 40, 'priority'),
		('tickets>tasks', 'forward', 'assignees', true, 50, zcsync._assignee_expression(p_def ->> 'source_vendor', 'tickets')),
		('tickets>tasks', 'forward', 'due_at', false, 60, 'due_at'),
		('tickets>tickets', 'forward', 'requester_id', false, 60, $sql$(SELECT c.email FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id)$sql$),
		('tickets>*', 'back', 'status', true, 10, 't.status'),
		('tickets>*', 'back', 'priority', true, 20, 't.priority'),

		('leads>leads', 'forward', 'summary', false, 10, $sql$'Lead: ' || coalesce(nullif(btrim(company), ''),
	nullif(concat_ws(' ', nullif(btrim(first_name), ''), nullif(btrim(last_name), '')), ''), email, '#' || local_id)$sql$),
		('leads>leads', 'forward', 'description', false, 20, $sql$concat_ws(E'\n\n',
	nullif(btrim(description), ''),
	concat_ws(E'\n', 'Source: ' || source, 'Fit: ' || fit, 'Engagement: ' || engagement, 'Quality: ' || quality,
		'Mobile: ' || mobile, 'Website: ' || website, 'LinkedIn: ' || linkedin_url,
		'Reference: ' || zcsync.reference(account_id, 'leads', remote_id, local_id)))$sql$),
		('leads>leads', 'forward', 'first_name', false, 30, 'first_name'),
		('leads>leads', 'forward', 'last_name', false, 31, 'last_name'),
		('leads>leads', 'forward', 'company', false, 32, 'company'),
		('leads>leads', 'forward', 'email', false, 33, 'email'),
		('leads>leads', 'forward', 'title', false, 34, 'title'),
		('leads>leads', 'forward', 'phone', false, 35, 'coalesce(phone, mobile)'),
		('leads>leads', 'forward', 'street', false, 40, 'street'),
		('leads>leads', 'forward', 'city', false, 41, 'city'),
		('leads>leads', 'forward', 'region', false, 42, 'region'),
		('leads>leads', 'forward', 'postal_code', false, 43, 'postal_code'),
		('leads>leads', 'forward', 'country', false, 44, 'country'),
		('leads>leads', 'forward', 'value', false, 50, 'value'),
		('leads>leads', 'back', 'status_id', true, 10, 't.status')
		) AS g (kinds, direction, field, mapped, position, expression)
		UNION ALL
		SELECT d.source_kind || '>*', 'forward', d.field, d.mapped, d.position,
			coalesce(d.expression, zcsync._assignee_expression(p_def ->> 'source_vendor', d.source_kind))
		FROM unnest((zcsync._kind_of(p_def ->> 'target_vendor', p_def ->> 'target_kind')).defaults) AS d
	) AS f (kinds, direction, field, mapped, position, expression)
	WHERE f.direction = p_direction
		AND f.kinds IN ((p_def ->> 'source_kind') || '>' || (p_def ->> 'target_kind'), (p_def ->> 'source_kind') || '>*')
		AND (p_direction = 'forward' OR p_def ->> 'direction' = 'both' OR p_def ->> 'source_kind' = 'leads')
		AND p_def -> CASE p_direction WHEN 'back' THEN 'back_types' ELSE 'types' END ? f.field
$$;
COMMENT ON FUNCTION zcsync._route_default_fields(jsonb, text) IS
'what a new route between these streams copies, forward or back';

CREATE FUNCTION zcsync._route_default_filter(p_source_vendor text, p_source_kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (zcsync._kind_of(p_source_vendor, p_source_kind)).filter
$$;
COMMENT ON FUNCTION zcsync._route_default_filter(text, text) IS
'the filter of a new route that is given none; NULL: all records';

-- ---------------------------------------------------------------------
-- Values that can be mapped without a person
-- ---------------------------------------------------------------------

-- The values that a record can have there, by the catalogues: the statuses of a scope,
-- and the priorities.
CREATE FUNCTION zcsync._known_values(p_account bigint, p_field text, p_scope text) RETURNS TABLE (id text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT st.status_id, st.name FROM zcsync.statuses st
	WHERE p_field = 'status' AND st.account_id = p_account AND st.scope_id = p_scope
		AND st.deleted_at IS NULL AND st.active IS NOT FALSE
	UNION ALL
	SELECT o.choice ->> 'id', o.choice ->> 'name'
	FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (choice)
	WHERE p_field = 'priority' AND f.account_id = p_account AND f.remote_id = 'priority' AND f.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._known_values(bigint, text, text) IS
'statuses of a scope, or priorities, that an account has';

-- The statuses of an account, from its vendor's SQL: see the hook "statuses" in
-- vendor/contract.sql.
CREATE FUNCTION zcsync._route_statuses(p_account bigint, p_kind text, p_place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regproc := (SELECT (zcsync._vendor_of(a.vendor)).statuses FROM zcsync.accounts a WHERE a.account_id = p_account);
BEGIN
	IF v_hook IS NOT NULL THEN
		RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2, $3)', v_hook) USING p_account, p_kind, p_place;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._route_statuses(bigint, text, text) IS
'the statuses that records of a kind can have, by the catalogue or the usual ones';

-- The statuses, or priorities, that a record can be given.
CREATE FUNCTION zcsync._route_choices(p_account bigint, p_kind text, p_field text, p_place text DEFAULT NULL)
RETURNS TABLE (value text, name text, "position" integer)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.value, s.name, s.position FROM zcsync._route_statuses(p_account, p_kind, p_place) AS s
	WHERE p_field = 'status' AND s.is_choice
	UNION ALL
	SELECT u.value, u.value, u.n::integer
	FROM zcsync.accounts AS a
	CROSS JOIN LATERAL zcsync._kind_of(a.vendor, p_kind) AS k
	CROSS JOIN LATERAL unnest(k.usual) WITH ORDINALITY AS u (field, value, meaning, n)
	WHERE p_field = 'priority' AND a.account_id = p_account AND 'priority' = ANY (k.fixed_values) AND u.field = 'priority'
	UNION ALL
	SELECT v.id, v.name, NULL::integer
	FROM zcsync.accounts AS a
	CROSS JOIN LATERAL zcsync._kind_of(a.vendor, p_kind) AS k
	CROSS JOIN LATERAL zcsync._known_values(p_account, 'priority', NULL) AS v
	WHERE p_field = 'priority' AND a.account_id = p_account AND 'priority' <> ALL (k.fixed_values)
$$;
COMMENT ON FUNCTION zcsync._route_choices(bigint, text, text, text) IS
'the statuses, or priorities, that records of a kind can be given';

-- The value with a meaning that records can be given.
CREATE FUNCTION zcsync._route_meant(p_account bigint, p_vendor text, p_kind text, p_field text, p_meaning text, p_place text DEFAULT NULL)
RETURNS TABLE (value text, name text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.value, c.name
	FROM unnest((zcsync._kind_of(p_vendor, p_kind)).usual) AS u
	JOIN zcsync._route_choices(p_account, p_kind, p_field, p_place) AS c ON c.value = u.value
	WHERE u.field = p_field AND u.meaning = p_meaning
	LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._route_meant(bigint, text, text, text, text, text) IS
'the usual status, or priority, of a meaning, if records of the account can be given it';

-- Map statuses and priorities of two vendors that have the same meaning.  At least one
-- of the two accounts must use its vendor's own names: numbers that both accounts may
-- have renamed are not matched.
CREATE FUNCTION zcsync._suggest_meanings(p_def jsonb, p_field text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, suggested, created_at)
	SELECT (p_def ->> 'route_id')::bigint, p_field, m.value, CASE WHEN x.by_id THEN t.name ELSE t.value END,
		CASE WHEN x.by_id THEN t.value END, true, zcsync._now()
	FROM (SELECT zcsync._kind_of(p_def ->> 'source_vendor', p_def ->> 'source_kind') AS source,
			p_field = 'status' AND (p_def #>> '{target,status_is_id}')::boolean AS by_id) AS x
	CROSS JOIN LATERAL (
		SELECT s.value, s.meaning FROM zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) AS s
		WHERE p_field = 'status'
		UNION ALL
		SELECT u.value, u.meaning FROM unnest((x.source).usual) AS u
		WHERE p_field <> 'status' AND u.field = p_field AND u.value IN (
			SELECT c.value FROM zcsync._route_choices((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', p_field) AS c)) AS m
	CROSS JOIN LATERAL zcsync._route_meant((p_def ->> 'target_account')::bigint, p_def ->> 'target_vendor', p_def ->> 'target_kind',
		p_field, m.meaning) AS t
	WHERE (p_def -> 'fields' -> p_field ->> 'mapped')::boolean
		AND (p_field = ANY ((x.source).fixed_values) OR p_def #> '{target,fixed_values}' ? p_field)
		AND NOT zcsync._is_unmapped(p_def, 'fields', p_field, m.value)
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_meanings(jsonb, text) IS
'maps statuses or priorities of tickets to those of the target that mean the same';

-- The statuses that the records of a target can have, as their rows hold them, and the
-- statuses of the route's source that clearly correspond to them.
CREATE FUNCTION zcsync._route_back_statuses(p_def jsonb) RETURNS TABLE (value text, name text, "position" integer, meaning text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.value, t.name, t.position, (
		SELECT m.value FROM zcsync._route_meant((p_def ->> 'source_account')::bigint, p_def ->> 'source_vendor', p_def ->> 'source_kind',
			'status', t.meaning) AS m)
	FROM zcsync._route_statuses((p_def ->> 'target_account')::bigint, p_def ->> 'target_kind', p_def ->> 'place') AS t
	WHERE t.is_known
$$;
COMMENT ON FUNCTION zcsync._route_back_statuses(jsonb) IS
'statuses of the target of a route of tickets, with their obvious counterparts at the source';

-- The fields of the source that come back the same way as they went: from the same
-- field of the target, and as plain columns, not as the result of an expression.  Only
-- for these is the map back the map forward turned round.
CREATE FUNCTION zcsync._mirrored_fields(p_def jsonb) RETURNS TABLE (field text, forward text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT f.back, f.forward
	FROM (VALUES ('tickets', 'status', 'status'), ('tickets', 'priority', 'priority'), ('leads', 'status_id', 'status')) AS f (kind, back, forward)
	WHERE f.kind = p_def ->> 'source_kind' AND (p_def #> ARRAY['back', f.back, 'mapped'])::boolean AND (p_def #> ARRAY['fields', f.forward, 'mapped'])::boolean
		AND btrim(p_def #>> ARRAY['back', f.back, 'expression']) IN (f.forward, 't.' || f.forward)
		AND btrim(p_def #>> ARRAY['fields', f.forward, 'expression']) IN (f.back, 's.' || f.back);
END;
COMMENT ON FUNCTION zcsync._mirrored_fields(jsonb) IS
'the fields of a route that come back the same way as they went, so that the map of one direction gives that of the other';

-- The map of a route, turned round: for each value of the target, the values of the
-- source that become it.  If records cannot be given a source value, the value that
-- leads to it takes its place; a value that no record can get again counts only if
-- there is no other.  preferred is the source value with the same name as the target
-- value, if zcsync itself mapped all of them.
CREATE FUNCTION zcsync._turned_map(p_def jsonb) RETURNS TABLE (field text, there text, heres text[], suggested boolean, preferred text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH kind AS MATERIALIZED (
		SELECT k.fixed_values, (k.rules).initial_status AS initial
		FROM zcsync._kind_of(p_def ->> 'source_vendor', p_def ->> 'source_kind') AS k
	), mapped AS MATERIALIZED (
		SELECT f.field, coalesce(CASE WHEN (p_def #>> '{target,status_is_id}')::boolean THEN v.target_id END, v.target_value) AS there,
			CASE WHEN f.field <> 'status' OR 'status' <> ALL (k.fixed_values) OR s.is_choice THEN v.source_value
				ELSE (SELECT m.value FROM zcsync._route_meant((p_def ->> 'source_account')::bigint, p_def ->> 'source_vendor',
					p_def ->> 'source_kind', 'status', s.meaning) AS m) END AS here,
			v.suggested, zcsync._fold(coalesce(s.name, v.source_value)) = zcsync._fold(v.target_value) AS has_name, k.initial
		FROM zcsync.route_values AS v
		JOIN zcsync._mirrored_fields(p_def) AS f ON f.forward = v.field
		CROSS JOIN kind AS k
		LEFT JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) AS s
			ON v.field = 'status' AND s.value = v.source_value
		WHERE v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = 'forward' AND v.target_value IS NOT NULL)
	SELECT m.field, m.there,
		coalesce(array_agg(DISTINCT m.here ORDER BY m.here) FILTER (WHERE m.here IS DISTINCT FROM m.initial), array_agg(DISTINCT m.here)),
		bool_and(m.suggested),
		CASE WHEN bool_and(m.suggested) THEN min(m.here) FILTER (WHERE m.has_name AND m.here IS DISTINCT FROM m.initial) END
	FROM mapped AS m WHERE m.here IS NOT NULL
	GROUP BY m.field, m.there
$$;
COMMENT ON FUNCTION zcsync._turned_map(jsonb) IS
'the map of a route, turned round: for each value of the target the values of the source that become it';

-- The values of the target for which the value of the source is clear: by their
-- meaning, or for statuses of leads by their name.  For priorities that is so if one of
-- the vendors has names of its own, as in _suggest_meanings().
CREATE FUNCTION zcsync._obvious_back_values(p_def jsonb) RETURNS TABLE (field text, there text, here text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'status', b.value, b.meaning FROM zcsync._route_back_statuses(p_def) AS b
	WHERE p_def ->> 'source_kind' = 'tickets' AND (p_def #> '{back,status,mapped}')::boolean AND b.meaning IS NOT NULL
	UNION ALL
	SELECT 'priority', c.value, m.value
	FROM (SELECT zcsync._kind_of(p_def ->> 'source_vendor', p_def ->> 'source_kind') AS source,
			zcsync._kind_of(p_def ->> 'target_vendor', p_def ->> 'target_kind') AS target) AS k
	CROSS JOIN LATERAL zcsync._route_choices((p_def ->> 'target_account')::bigint, p_def ->> 'target_kind', 'priority') AS c
	JOIN LATERAL unnest((k.target).usual) AS u ON u.field = 'priority' AND u.value = c.value
	CROSS JOIN LATERAL zcsync._route_meant((p_def ->> 'source_account')::bigint, p_def ->> 'source_vendor', p_def ->> 'source_kind',
		'priority', u.meaning) AS m
	WHERE p_def ->> 'source_kind' = 'tickets' AND (p_def #> '{back,priority,mapped}')::boolean
		AND 'priority' = ANY ((k.source).fixed_values || (k.target).fixed_values)
	UNION ALL
	SELECT 'status_id', k.id, min(l.value)
	FROM zcsync._known_values((p_def ->> 'target_account')::bigint, 'status', p_def #>> '{target,status_scope}') AS k
	JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, 'leads', NULL) AS l ON zcsync._fold(l.name) = zcsync._fold(k.name)
	WHERE p_def ->> 'source_kind' = 'leads' AND (p_def #> '{back,status_id,mapped}')::boolean
	GROUP BY k.id
$$;
COMMENT ON FUNCTION zcsync._obvious_back_values(jsonb) IS
'the values of the target of a route for which the value of the source is clear';

-- What comes back: the map of the route turned round, then the clear cases.  here is
-- NULL if several values of the source, heres, become the same and a person must name
-- the one that comes back.  zcsync knows it only if it mapped all of them itself, and
-- one of them has the same name or meaning.
CREATE FUNCTION zcsync._way_back(p_def jsonb) RETURNS TABLE (field text, there text, here text, heres text[])
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(m.field, o.field), coalesce(m.there, o.there),
		CASE WHEN m.field IS NULL THEN o.here
			WHEN cardinality(m.heres) = 1 THEN m.heres[1]
			WHEN m.suggested THEN coalesce(m.preferred, CASE WHEN o.here = ANY (m.heres) THEN o.here END) END,
		m.heres
	FROM zcsync._turned_map(p_def) AS m
	FULL JOIN zcsync._obvious_back_values(p_def) AS o ON o.field = m.field AND o.there = m.there
$$;
COMMENT ON FUNCTION zcsync._way_back(jsonb) IS
'the values that come back for the values of the target of a route, and for which of them a person must decide';

-- Map the values that come back.  What a person mapped is kept, and a translation that
-- a person removed is not made again; the rest follows the map forward, however it was
-- mapped before.
CREATE FUNCTION zcsync._suggest_back_values(p_def jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route bigint := (p_def ->> 'route_id')::bigint;
	v record;
BEGIN
	FOR v IN
		SELECT coalesce(w.field, o.field) AS field, coalesce(w.there, o.source_value) AS there, w.here
		FROM (SELECT b.* FROM zcsync._way_back(p_def) AS b WHERE b.here IS NOT NULL AND NOT zcsync._is_unmapped(p_def, 'back', b.field, b.there)) AS w
		FULL JOIN (SELECT k.* FROM zcsync.route_values k WHERE k.route_id = v_route AND k.direction = 'back') AS o
			ON o.field = w.field AND o.source_value = w.there
		WHERE o.suggested IS NOT FALSE AND o.target_value IS DISTINCT FROM w.here
		ORDER BY 1, 2
	LOOP
		PERFORM zcsync._drop_agreed(v_route, ARRAY['back:' || v.field], ARRAY[v.there]);
		IF v.here IS NULL THEN
			DELETE FROM zcsync.route_values k
			WHERE k.route_id = v_route AND k.direction = 'back' AND k.field = v.field AND k.source_value = v.there;
		ELSE
			INSERT INTO zcsync.route_values AS k (route_id, direction, field, source_value, target_value, suggested, created_at)
			VALUES (v_route, 'back', v.field, v.there, v.here, true, zcsync._now())
			ON CONFLICT (route_id, direction, field, source_value) DO UPDATE SET target_value = excluded.target_value;
			PERFORM zcsync._queue_waiting(v_route, 'back:' || v.field, v.there);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_back_values(jsonb) IS
'maps what comes back as the map forward says; what a person mapped stays';

-- The choices for a source status, best first: the same name, then its category.
-- Categories of open and of closed statuses have an order; between several statuses for
-- work in progress, only a person can choose.
CREATE FUNCTION zcsync._suggest_task_values(p_def jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off	-- the statuses of each list are counted once, however many the planner expects
AS $$
BEGIN
	IF NOT coalesce((p_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) THEN
		RETURN;
	END IF;
	WITH choices AS MATERIALIZED (
		SELECT st.status_id, st.name, zcsync._fold(st.name) AS folded, st.category, st.position, st.scope_id, st.local_id
		FROM zcsync.statuses st
		WHERE st.account_id = (p_def ->> 'target_account')::bigint
			AND (p_def ->> 'place' IS NULL OR st.scope_id = p_def ->> 'place')
			AND st.deleted_at IS NULL AND st.active IS NOT FALSE
	), counts AS MATERIALIZED (
		SELECT c.scope_id, count(DISTINCT c.folded) AS customs, count(DISTINCT c.folded) FILTER (WHERE c.folded LIKE '%progress%') AS progresses
		FROM choices AS c WHERE c.category = 'custom'
		GROUP BY c.scope_id
	)
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, suggested, created_at)
	SELECT (p_def ->> 'route_id')::bigint, 'status', c.source, c.name, c.status_id, true, zcsync._now()
	FROM (
		SELECT DISTINCT ON (w.value) w.value AS source, t.name, t.status_id,
			t.category = 'custom' AND t.folded <> w.folded AND n.customs > 1
				AND NOT (t.folded LIKE '%progress%' AND n.progresses = 1) AS ambiguous
		FROM (SELECT x.*, zcsync._fold(x.name) AS folded
			FROM zcsync._route_statuses((p_def ->> 'source_account')::bigint, 'tickets', NULL) AS x) AS w
		JOIN choices AS t ON t.folded = w.folded OR t.category = ANY (w.categories)
		LEFT JOIN counts AS n ON n.scope_id = t.scope_id
		ORDER BY w.value, t.folded = w.folded DESC, array_position(w.categories, t.category),
			t.category = 'custom' AND t.folded LIKE '%progress%' DESC, t.position, t.scope_id, t.local_id
	) AS c
	WHERE c.ambiguous IS NOT TRUE AND NOT zcsync._is_unmapped(p_def, 'fields', 'status', c.source)
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_task_values(jsonb) IS
'maps those statuses of tickets that have one obvious counterpart in a list';

-- Did a person remove the translation of a value?  p_part: fields or back.
CREATE FUNCTION zcsync._is_unmapped(p_def jsonb, p_part text, p_field text, p_value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(p_def #> ARRAY[p_part, p_field, 'unmapped'] ? p_value, false);
END;
COMMENT ON FUNCTION zcsync._is_unmapped(jsonb, text, text, text) IS
'did a person remove the translation of a value of a route?';

-- Values that are mapped forward already keep their translation.
CREATE FUNCTION zcsync._suggest_values(p_route bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
BEGIN
	IF v_def ->> 'source_kind' = 'tickets' THEN
		PERFORM zcsync._suggest_meanings(v_def, 'priority');
		IF v_def #>> '{target,status_scope}' IS NULL THEN
			PERFORM zcsync._suggest_task_values(v_def);
		ELSE
			PERFORM zcsync._suggest_meanings(v_def, 'status');
		END IF;
	END IF;
	PERFORM zcsync._suggest_back_values(v_def);
END
$$;
COMMENT ON FUNCTION zcsync._suggest_values(bigint) IS
'maps values for which no person must decide; keeps what is mapped forward already, and what a person mapped';
