-- ---------------------------------------------------------------------
-- Routes: what a new route does when nothing else is said.
-- ---------------------------------------------------------------------

-- The e-mail address of the assignee of a record, else what names that person.
CREATE FUNCTION zcsync._assignee_expression(p_vendor text, p_kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((zcsync._kind_of(p_vendor, p_kind)).assignee, $sql$coalesce(
	(SELECT lower(c.email COLLATE "C") FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.assignee_id),
	'user ' || assignee_id)$sql$);
END;
COMMENT ON FUNCTION zcsync._assignee_expression(text, text) IS
'the expression over records of a vendor that gives the e-mail address of the assignee';

-- What is copied, and what comes back; of tickets only with direction both.  Text
-- of a ticket whose comments are all private stays out: everybody who sees the
-- target could read it there.  Scores and reference of a lead are text, for
-- people and to find it again.
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
-- Values that can be told without a person
-- ---------------------------------------------------------------------

-- The values that a record can have there, by the catalogues: those of status
-- of a scope, and those of priority.
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

-- The statuses of an account, as its vendor's SQL tells them: see the hook
-- "statuses" in vendor/contract.sql.
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

-- Between vendors, statuses and priorities that mean the same.  What one of two
-- accounts is asked for must be its vendor's own word: numbers that both may have
-- named anew are no match.
CREATE FUNCTION zcsync._suggest_meanings(p_def jsonb, p_field text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, created_at)
	SELECT (p_def ->> 'route_id')::bigint, p_field, m.value, CASE WHEN x.by_id THEN t.name ELSE t.value END,
		CASE WHEN x.by_id THEN t.value END, zcsync._now()
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
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_meanings(jsonb, text) IS
'maps statuses or priorities of tickets to those of the target that mean the same';

-- The statuses that the records of a target can have, as their rows hold them,
-- and what they are at the source of the route where that is obvious.
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

-- What comes back of tickets: the maps of the route the other way round, then
-- what is obvious.  A status that the source gives itself becomes the one that
-- leads to it.  Where several statuses go to one, the one of that name comes
-- back, else the most usual.
CREATE FUNCTION zcsync._suggest_back_values(p_def jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, direction, field, source_value, target_value, created_at)
	SELECT DISTINCT ON (c.field, c.there) (p_def ->> 'route_id')::bigint, 'back', c.field, c.there, c.here, zcsync._now()
	FROM (
		SELECT v.field, coalesce(CASE WHEN (p_def #>> '{target,status_is_id}')::boolean THEN v.target_id END, v.target_value) AS there,
			CASE WHEN v.field <> 'status' OR 'status' <> ALL ((k.kind).fixed_values) OR s.is_choice THEN v.source_value
				ELSE (SELECT m.value FROM zcsync._route_meant((p_def ->> 'source_account')::bigint, p_def ->> 'source_vendor',
					p_def ->> 'source_kind', 'status', s.meaning) AS m) END AS here,
			1 AS rank, CASE WHEN zcsync._fold(v.source_value) = zcsync._fold(v.target_value) THEN 0
				ELSE array_position('{open,pending,hold,solved,closed,new}', coalesce(CASE WHEN 'status' = ANY ((k.kind).fixed_values) THEN s.meaning END,
					(SELECT u.meaning FROM unnest((k.kind).usual) AS u WHERE u.field = v.field AND u.value = v.source_value LIMIT 1))) END AS place
		FROM zcsync.route_values v
		CROSS JOIN (SELECT zcsync._kind_of(p_def ->> 'source_vendor', p_def ->> 'source_kind') AS kind) AS k
		LEFT JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, p_def ->> 'source_kind', NULL) AS s
			ON v.field = 'status' AND s.value = v.source_value
		WHERE v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = 'forward' AND v.field IN ('status', 'priority')
			AND v.target_value IS NOT NULL
		UNION ALL
		SELECT 'status', b.value, b.meaning, 2, 1 FROM zcsync._route_back_statuses(p_def) AS b
	) AS c
	WHERE (p_def -> 'back' -> c.field ->> 'mapped')::boolean AND c.here IS NOT NULL
	ORDER BY c.field, c.there, c.rank, c.place, length(c.here), c.here
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_back_values(jsonb) IS
'maps statuses and priorities that come back to tickets';

-- What comes back: statuses of the target with the name of one of ours.
CREATE FUNCTION zcsync._suggest_lead_values(p_def jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, direction, field, source_value, target_value, created_at)
	SELECT (p_def ->> 'route_id')::bigint, 'back', 'status_id', k.id, l.value, zcsync._now()
	FROM zcsync._known_values((p_def ->> 'target_account')::bigint, 'status', p_def #>> '{target,status_scope}') AS k
	JOIN zcsync._route_statuses((p_def ->> 'source_account')::bigint, 'leads', NULL) l ON zcsync._fold(l.name) = zcsync._fold(k.name)
	WHERE (p_def -> 'back' -> 'status_id' ->> 'mapped')::boolean
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_lead_values(jsonb) IS
'maps statuses of opportunities back to the statuses of leads that have the same name';

-- The choices for a source status, best first: the same name, then its
-- category.  Open and closed ones have an order; between several statuses for
-- work that goes on, only a person can choose.
CREATE FUNCTION zcsync._suggest_task_values(p_def jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT coalesce((p_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) THEN
		RETURN;
	END IF;
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, created_at)
	SELECT (p_def ->> 'route_id')::bigint, 'status', c.source, c.name, c.status_id, zcsync._now()
	FROM (
		SELECT DISTINCT ON (w.value) w.value AS source, t.name, t.status_id,
			t.category = 'custom' AND zcsync._fold(t.name) <> zcsync._fold(w.name) AND t.customs > 1
				AND NOT (t.progress AND t.progresses = 1) AS ambiguous
		FROM zcsync._route_statuses((p_def ->> 'source_account')::bigint, 'tickets', NULL) AS w
		JOIN (
			SELECT st.*, zcsync._fold(st.name) LIKE '%progress%' AS progress,
				(SELECT count(DISTINCT zcsync._fold(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE) AS customs,
				(SELECT count(DISTINCT zcsync._fold(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE AND zcsync._fold(o.name) LIKE '%progress%') AS progresses
			FROM zcsync.statuses st
			WHERE st.account_id = (p_def ->> 'target_account')::bigint
				AND (p_def ->> 'place' IS NULL OR st.scope_id = p_def ->> 'place')
				AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		) AS t ON zcsync._fold(t.name) = zcsync._fold(w.name) OR t.category = ANY (w.categories)
		ORDER BY w.value, zcsync._fold(t.name) = zcsync._fold(w.name) DESC, array_position(w.categories, t.category),
			t.category = 'custom' AND t.progress DESC, t.position, t.scope_id, t.local_id
	) AS c
	WHERE NOT c.ambiguous
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_task_values(jsonb) IS
'maps those statuses of tickets that have one obvious counterpart in a list';

-- What is mapped already stays.
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
		PERFORM zcsync._suggest_back_values(v_def);
	ELSIF v_def ->> 'source_kind' = 'leads' THEN
		PERFORM zcsync._suggest_lead_values(v_def);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_values(bigint) IS
'maps what needs no person to decide; what is mapped stays';
