-- ---------------------------------------------------------------------
-- Routes: what a new route does when nothing else is said.
-- ---------------------------------------------------------------------

-- The e-mail address of the assignee of a ticket, else what names that person.
-- Agent 1 of HaloPSA is nobody.
CREATE FUNCTION zcsync._assignee_expression(p_vendor text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_vendor
		WHEN 'halopsa' THEN $sql$coalesce(
	(SELECT lower(o.agent ->> 'email') FROM zcsync.fields AS f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (agent)
	WHERE f.account_id = s.account_id AND f.remote_id = 'agent' AND o.agent ->> 'id' = s.assignee_id AND o.agent ->> 'email' <> ''),
	'agent ' || nullif(assignee_id, '1'))$sql$
		ELSE $sql$coalesce(
	(SELECT lower(c.email) FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.assignee_id),
	'user ' || assignee_id)$sql$ END;
END;
COMMENT ON FUNCTION zcsync._assignee_expression(text) IS
'the expression over tickets of a vendor that gives the e-mail address of the assignee';

-- What is copied, and what comes back; of tickets only with direction both.  Text
-- of a ticket whose comments are all private stays out: everybody who sees the
-- target could read it there.  Scores and reference of a lead are text, for
-- people and to find it again.
CREATE FUNCTION zcsync._route_default_fields(p_def jsonb, p_direction text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(f.field, jsonb_build_object('expression', f.expression, 'mapped', f.mapped, 'position', f.position)), '{}')
	FROM (VALUES
		('tickets>tasks', 'forward', 'name', false, 10, $sql$coalesce(nullif(btrim(subject), ''), 'Ticket #' || remote_id)$sql$),
		('tickets>tickets', 'forward', 'subject', false, 10, $sql$coalesce(nullif(btrim(subject), ''), 'Ticket #' || remote_id)$sql$),
		('tickets>*', 'forward', 'description', false, 20, $sql$concat_ws(E'\n\n',
	'Ticket #' || remote_id,
	CASE WHEN s.remote ->> 'is_public' IS DISTINCT FROM 'false' THEN nullif(btrim(description), '') END,
	'Requester: ' || (SELECT concat_ws(' ', c.name, '<' || c.email || '>') FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id),
	zcsync.record_url(account_id, 'tickets', remote_id))$sql$),
		('tickets>*', 'forward', 'status', true, 30, 'status'),
		('tickets>*', 'forward', 'priority', true, 40, 'priority'),
		('tickets>tasks', 'forward', 'assignees', true, 50, zcsync._assignee_expression(p_def ->> 'source_vendor')),
		('tickets>zendesk', 'forward', 'assignee_id', true, 50, zcsync._assignee_expression(p_def ->> 'source_vendor')),
		('tickets>tasks', 'forward', 'due_at', false, 60, 'due_at'),
		('tickets>halopsa', 'forward', 'organization_id', false, 50, $sql$jsonb_build_object('id', organization_id, 'email',
	(SELECT c.email FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id))$sql$),
		('tickets>tickets', 'forward', 'requester_id', false, 60, $sql$(SELECT c.email FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id)$sql$),
		('tickets>halopsa', 'forward', 'site_id', false, 70, 'NULL::text'),
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
	) AS f (kinds, direction, field, mapped, position, expression)
	WHERE f.direction = p_direction
		AND f.kinds IN ((p_def ->> 'source_kind') || '>' || (p_def ->> 'target_kind'), (p_def ->> 'source_kind') || '>*',
			CASE p_def ->> 'target_kind' WHEN 'tickets' THEN (p_def ->> 'source_kind') || '>' || (p_def ->> 'target_vendor') END)
		AND (p_direction = 'forward' OR p_def ->> 'direction' = 'both' OR p_def ->> 'source_kind' = 'leads')
		AND p_def -> CASE p_direction WHEN 'back' THEN 'back_types' ELSE 'types' END ? f.field;
END;
COMMENT ON FUNCTION zcsync._route_default_fields(jsonb, text) IS
'what a new route between these streams copies, forward or back';

-- Which records it takes.  A lead that was merged, and one with a status that
-- closes it, becomes no opportunity.
CREATE FUNCTION zcsync._route_default_filter(p_source_vendor text, p_source_kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_source_vendor = 'local' AND p_source_kind = 'leads' THEN
		'merged_into IS NULL AND coalesce(status_id, 0) NOT IN (SELECT l.status_id FROM zcsync.lead_statuses AS l WHERE l.closed)' END;
END;
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

-- The numbers that HaloPSA gives them at first.
CREATE FUNCTION zcsync._usual_values() RETURNS TABLE (field text, zendesk text, halopsa text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p.*
	FROM (VALUES ('status', 'new', '1'), ('status', 'open', '2'), ('status', 'pending', '3'), ('status', 'hold', '28'),
		('status', 'solved', '18'), ('status', 'closed', '9'),
		('priority', 'urgent', '1'), ('priority', 'high', '2'), ('priority', 'normal', '3'), ('priority', 'low', '4'))
		AS p (field, zendesk, halopsa);
END;
COMMENT ON FUNCTION zcsync._usual_values() IS
'statuses and priorities of Zendesk and their usual counterparts at HaloPSA';

-- The status of Zendesk that one of HaloPSA is: by its name, else by its number.
CREATE FUNCTION zcsync._halopsa_meaning(p_id text, p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN n.name IN ('new', 'open', 'pending', 'hold', 'solved') THEN n.name
		WHEN n.name IN ('in progress', 'reopened', 're-opened', 'updated') THEN 'open'
		WHEN n.name IN ('with user', 'with customer', 'awaiting user', 'awaiting customer', 'waiting for customer') THEN 'pending'
		WHEN n.name IN ('on hold', 'on-hold') THEN 'hold'
		WHEN n.name IN ('resolved', 'completed', 'closed', 'cancelled') THEN 'solved'
		ELSE CASE p_id WHEN '1' THEN 'new' WHEN '2' THEN 'open' WHEN '3' THEN 'pending' WHEN '28' THEN 'hold'
			WHEN '18' THEN 'solved' WHEN '9' THEN 'solved' WHEN '8' THEN 'solved' END
	END
	FROM (SELECT lower(btrim(p_name))) AS n (name);
END;
COMMENT ON FUNCTION zcsync._halopsa_meaning(text, text) IS
'the status that a ticket of Zendesk gets for one of HaloPSA; NULL: only a person can tell';

-- Can tickets of a Zendesk account be on hold?  Not all accounts have that
-- status; one whose statuses are not mirrored may.
CREATE FUNCTION zcsync._zendesk_holds(p_account bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(bool_or(st.category = 'hold' AND st.active IS NOT FALSE), true)
	FROM zcsync.statuses st WHERE st.account_id = p_account AND st.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._zendesk_holds(bigint) IS
'does a Zendesk account have the status hold, as far as is known?';

-- From Zendesk to HaloPSA.  An account may have other numbers, so only what it
-- has is taken.
CREATE FUNCTION zcsync._suggest_halopsa_values(p_def jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, created_at)
	SELECT (p_def ->> 'route_id')::bigint, p.field, p.zendesk, CASE p.field WHEN 'status' THEN k.name ELSE p.halopsa END,
		CASE p.field WHEN 'status' THEN k.id END, zcsync._now()
	FROM zcsync._usual_values() AS p
	JOIN LATERAL zcsync._known_values((p_def ->> 'target_account')::bigint, p.field, p_def #>> '{target,status_scope}') AS k ON k.id = p.halopsa
	WHERE (p_def -> 'fields' -> p.field ->> 'mapped')::boolean
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_halopsa_values(jsonb) IS
'maps statuses and priorities of tickets to the usual ones of HaloPSA, as far as the account has them';

-- To Zendesk, from HaloPSA or from another account of Zendesk.  What is closed
-- becomes solved.
CREATE FUNCTION zcsync._suggest_zendesk_values(p_def jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, created_at)
	SELECT (p_def ->> 'route_id')::bigint, v.field, v.source, v.target, zcsync._now()
	FROM (
		SELECT 'status', s.value, CASE WHEN p_def ->> 'source_vendor' = 'halopsa' THEN zcsync._halopsa_meaning(s.value, s.name)
			WHEN s.value = 'closed' THEN 'solved' ELSE s.value END
		FROM zcsync._route_source_statuses((p_def ->> 'source_account')::bigint) AS s
		UNION ALL
		SELECT p.field, CASE p_def ->> 'source_vendor' WHEN 'halopsa' THEN p.halopsa ELSE p.zendesk END, p.zendesk
		FROM zcsync._usual_values() AS p
		WHERE p.field = 'priority' AND (p_def ->> 'source_vendor' = 'zendesk' OR EXISTS (
			SELECT FROM zcsync._known_values((p_def ->> 'source_account')::bigint, 'priority', NULL) k WHERE k.id = p.halopsa))
	) AS v (field, source, target)
	WHERE (p_def -> 'fields' -> v.field ->> 'mapped')::boolean AND v.target IS NOT NULL
		AND (v.target <> 'hold' OR zcsync._zendesk_holds((p_def ->> 'target_account')::bigint))
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_zendesk_values(jsonb) IS
'maps statuses and priorities of tickets to those of Zendesk';

-- The statuses that the records of a target can have, as their rows hold them,
-- and what they are at the source of the route where that is obvious: what is
-- closed is solved, and one of several lists counts as what it means.
CREATE FUNCTION zcsync._route_back_statuses(p_def jsonb) RETURNS TABLE (value text, name text, "position" integer, meaning text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH there AS (
		SELECT k.id AS value, k.name, NULL::integer AS position, zcsync._halopsa_meaning(k.id, k.name) AS meaning
		FROM zcsync._known_values((p_def ->> 'target_account')::bigint, 'status', p_def #>> '{target,status_scope}') AS k
		WHERE p_def ->> 'target_vendor' = 'halopsa'
		UNION ALL
		SELECT s.value, s.value, array_position('{new,open,pending,hold,solved,closed}', s.value), s.value
		FROM zcsync._route_source_statuses((p_def ->> 'target_account')::bigint) AS s
		WHERE p_def ->> 'target_vendor' = 'zendesk' AND s.is_known
		UNION ALL
		SELECT st.name, st.name, min(st.position), CASE min(st.category) WHEN 'open' THEN 'open' WHEN 'done' THEN 'solved' WHEN 'closed' THEN 'solved' END
		FROM zcsync.statuses st
		WHERE p_def ->> 'target_vendor' = 'clickup' AND st.account_id = (p_def ->> 'target_account')::bigint
			AND (p_def ->> 'place' IS NULL OR st.scope_id = p_def ->> 'place') AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		GROUP BY st.name)
	SELECT t.value, t.name, t.position, CASE p_def ->> 'source_vendor'
			WHEN 'zendesk' THEN CASE t.meaning WHEN 'closed' THEN 'solved' ELSE t.meaning END
			WHEN 'halopsa' THEN (
				SELECT k.id FROM zcsync._usual_values() u
				JOIN zcsync._known_values((p_def ->> 'source_account')::bigint, 'status', p_def ->> 'source_kind') k ON k.id = u.halopsa
				WHERE u.field = 'status' AND u.zendesk = t.meaning) END
	FROM there AS t
$$;
COMMENT ON FUNCTION zcsync._route_back_statuses(jsonb) IS
'statuses of the target of a route of tickets, with their obvious counterparts at the source';

-- What comes back of tickets: the maps of the route the other way round, then
-- what is obvious.  Where several statuses go to one, the one of that name comes
-- back, else the most usual.
CREATE FUNCTION zcsync._suggest_back_values(p_def jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.route_values (route_id, direction, field, source_value, target_value, created_at)
	SELECT DISTINCT ON (c.field, c.there) (p_def ->> 'route_id')::bigint, 'back', c.field, c.there, c.here, zcsync._now()
	FROM (
		SELECT v.field, coalesce(CASE WHEN (p_def #>> '{target,status_is_id}')::boolean THEN v.target_id END, v.target_value) AS there,
			CASE WHEN p_def ->> 'source_vendor' = 'zendesk' AND v.field = 'status' AND v.source_value = 'closed' THEN 'solved' ELSE v.source_value END AS here,
			1 AS rank, CASE WHEN lower(v.source_value) = lower(v.target_value) THEN 0
				ELSE array_position(CASE p_def ->> 'source_vendor' WHEN 'halopsa' THEN '{2,3,28,18,9,1}'
					ELSE '{open,pending,hold,solved,closed,new}'::text[] END, v.source_value) END AS place
		FROM zcsync.route_values v
		WHERE v.route_id = (p_def ->> 'route_id')::bigint AND v.direction = 'forward' AND v.field IN ('status', 'priority')
			AND v.target_value IS NOT NULL
		UNION ALL
		SELECT 'status', b.value, b.meaning, 2, 1 FROM zcsync._route_back_statuses(p_def) AS b WHERE b.meaning IS NOT NULL
	) AS c
	WHERE (p_def -> 'back' -> c.field ->> 'mapped')::boolean
		AND (c.field <> 'status' OR c.here <> 'hold' OR zcsync._zendesk_holds((p_def ->> 'source_account')::bigint))
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
	SELECT (p_def ->> 'route_id')::bigint, 'back', 'status_id', k.id, l.status_id::text, zcsync._now()
	FROM zcsync._known_values((p_def ->> 'target_account')::bigint, 'status', p_def #>> '{target,status_scope}') AS k
	JOIN zcsync.lead_statuses l ON lower(l.name) = lower(k.name)
	WHERE (p_def -> 'back' -> 'status_id' ->> 'mapped')::boolean
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._suggest_lead_values(jsonb) IS
'maps statuses of opportunities back to the statuses of leads that have the same name';

-- The statuses of a source: what a row holds, its name, the categories of what it
-- may become, best first, and whether records of this account can have it.
CREATE FUNCTION zcsync._route_source_statuses(p_account bigint) RETURNS TABLE (value text, name text, categories text[], is_known boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH zendesk AS (
		SELECT * FROM (VALUES
			('new', ARRAY['open']), ('open', ARRAY['open']), ('pending', ARRAY['custom']), ('hold', ARRAY['custom']),
			('solved', ARRAY['done', 'closed']), ('closed', ARRAY['closed', 'done'])) AS z (value, categories)
	), known AS (
		SELECT DISTINCT st.category FROM zcsync.statuses st
		WHERE st.account_id = p_account AND st.deleted_at IS NULL AND st.active IS NOT FALSE AND st.category IS NOT NULL)
	SELECT coalesce(k.category, z.value), coalesce(k.category, z.value), z.categories,
		k.category IS NOT NULL OR z.value = 'closed' OR (z.value <> 'hold' AND NOT EXISTS (SELECT FROM known))
	FROM zendesk z FULL JOIN known k ON k.category = z.value
	WHERE (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account) = 'zendesk'
	UNION ALL
	SELECT st.status_id, st.name, CASE	-- what these numbers mean unless somebody renamed them
		WHEN st.status_id IN ('1', '2') THEN ARRAY['open'] WHEN st.status_id IN ('3', '28') THEN ARRAY['custom']
		WHEN st.status_id = '18' THEN ARRAY['done', 'closed'] WHEN st.status_id IN ('8', '9') THEN ARRAY['closed', 'done'] END,
		true
	FROM zcsync.statuses st
	WHERE st.account_id = p_account AND st.scope_id = 'tickets' AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		AND (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account) = 'halopsa'
$$;
COMMENT ON FUNCTION zcsync._route_source_statuses(bigint) IS
'the statuses that tickets of an account can have, by the catalogue or the usual ones';

-- The choices for a source status, best first: the same name, then its
-- category.  Open and closed ones have an order; between several statuses for
-- work that goes on, only a person can choose.
CREATE FUNCTION zcsync._suggest_task_values(p_def jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (p_def -> 'fields' -> 'priority' ->> 'mapped')::boolean THEN
		INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, created_at)
		SELECT (p_def ->> 'route_id')::bigint, 'priority', p.source, p.target, zcsync._now()
		FROM (VALUES ('zendesk', 'urgent', '1'), ('zendesk', 'high', '2'), ('zendesk', 'normal', '3'), ('zendesk', 'low', '4'),
			('halopsa', '1', '1'), ('halopsa', '2', '2'), ('halopsa', '3', '3'), ('halopsa', '4', '4')) AS p (vendor, source, target)
		WHERE p.vendor = p_def ->> 'source_vendor'
			AND (p.vendor = 'zendesk' OR EXISTS (SELECT FROM zcsync._known_values(
				(p_def ->> 'source_account')::bigint, 'priority', NULL) k WHERE k.id = p.source))
		ON CONFLICT DO NOTHING;
	END IF;
	IF NOT coalesce((p_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) THEN
		RETURN;
	END IF;
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, created_at)
	SELECT (p_def ->> 'route_id')::bigint, 'status', c.source, c.name, c.status_id, zcsync._now()
	FROM (
		SELECT DISTINCT ON (w.value) w.value AS source, t.name, t.status_id,
			t.category = 'custom' AND lower(t.name) <> lower(w.name) AND t.customs > 1
				AND NOT (t.progress AND t.progresses = 1) AS ambiguous
		FROM zcsync._route_source_statuses((p_def ->> 'source_account')::bigint) AS w
		JOIN (
			SELECT st.*, lower(st.name) LIKE '%progress%' AS progress,
				(SELECT count(DISTINCT lower(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE) AS customs,
				(SELECT count(DISTINCT lower(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE AND lower(o.name) LIKE '%progress%') AS progresses
			FROM zcsync.statuses st
			WHERE st.account_id = (p_def ->> 'target_account')::bigint
				AND (p_def ->> 'place' IS NULL OR st.scope_id = p_def ->> 'place')
				AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		) AS t ON lower(t.name) = lower(w.name) OR t.category = ANY (w.categories)
		ORDER BY w.value, lower(t.name) = lower(w.name) DESC, array_position(w.categories, t.category),
			t.category = 'custom' AND t.progress DESC, t.position, t.scope_id, t.local_id
	) AS c
	WHERE NOT c.ambiguous
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_task_values(jsonb) IS
'maps priorities and those statuses of tickets that have one obvious counterpart in a list';

-- What is mapped already stays.
CREATE FUNCTION zcsync._suggest_values(p_route bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
BEGIN
	CASE (v_def ->> 'source_kind') || '>' || (v_def ->> 'target_kind')
		WHEN 'tickets>tasks' THEN PERFORM zcsync._suggest_task_values(v_def);
		WHEN 'tickets>tickets' THEN
			IF v_def ->> 'target_vendor' = 'zendesk' THEN
				PERFORM zcsync._suggest_zendesk_values(v_def);
			ELSIF v_def ->> 'source_vendor' = 'zendesk' THEN
				PERFORM zcsync._suggest_halopsa_values(v_def);
			END IF;
		WHEN 'leads>leads' THEN PERFORM zcsync._suggest_lead_values(v_def);
		ELSE NULL;
	END CASE;
	IF v_def ->> 'source_kind' = 'tickets' THEN
		PERFORM zcsync._suggest_back_values(v_def);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_values(bigint) IS
'maps what needs no person to decide; what is mapped stays';
