-- ---------------------------------------------------------------------
-- Routes: what a route would change.
--
-- _route_changes() has no side effects.  plan() shows what it returns, and the
-- route jobs write exactly that.
-- ---------------------------------------------------------------------

-- The value of a status column for a status of a scope, a list or a kind: by id first,
-- which survives renaming, then by name.  In a list then by meaning: the first open
-- status for an open one, the first done or closed one for these, and for work in
-- progress the status of that kind if the list has only one.  If the statuses of a
-- scope are not known, the name is taken as it is; NULL: no status fits.
CREATE FUNCTION zcsync._resolve_status(p_account bigint, p_scope text, p_name text, p_id text, p_is_id boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
	v_category text;
BEGIN
	IF p_name IS NULL OR NOT EXISTS (
		SELECT FROM zcsync.statuses st
		WHERE st.account_id = p_account AND st.scope_id = p_scope AND st.deleted_at IS NULL) THEN
		RETURN CASE WHEN p_is_id THEN coalesce(p_id, substring(p_name FROM '^[0-9]{1,10}$')) ELSE p_name END;
	END IF;
	SELECT CASE WHEN p_is_id THEN st.status_id ELSE st.name END INTO v_name FROM zcsync.statuses st
	WHERE st.account_id = p_account AND st.scope_id = p_scope AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		AND (st.status_id IN (p_id, p_name) OR zcsync._fold(st.name) = zcsync._fold(p_name))
	ORDER BY coalesce(st.status_id = p_id, false) DESC LIMIT 1;
	IF FOUND OR p_is_id THEN
		RETURN v_name;
	END IF;

	SELECT st.category INTO v_category FROM zcsync.statuses st
	WHERE st.account_id = p_account AND (st.status_id = p_id OR zcsync._fold(st.name) = zcsync._fold(p_name))
	ORDER BY coalesce(st.status_id = p_id, false) DESC, st.deleted_at IS NULL DESC, st.scope_id LIMIT 1;
	SELECT CASE WHEN v_category <> 'custom' OR count(*) OVER () = 1 THEN st.name END INTO v_name
	FROM zcsync.statuses st
	WHERE st.account_id = p_account AND st.scope_id = p_scope AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		AND (st.category = v_category OR (st.category IN ('done', 'closed') AND v_category IN ('done', 'closed')))
	ORDER BY st.category = v_category DESC, st.position, st.local_id LIMIT 1;
	RETURN v_name;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_status(bigint, text, text, text, boolean) IS
'the value of a status column for a status of a list or a kind, by id, name or meaning; NULL if none fits';

-- The status that closes a record of this kind and scope: the vendor's own, or the one
-- in the catalogue.
CREATE FUNCTION zcsync._closing_status(p_account bigint, p_kind text, p_scope text, p_is_id boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT coalesce(((zcsync._kind_of(a.vendor, p_kind)).rules).closing_status, (
			SELECT CASE WHEN p_is_id THEN st.status_id ELSE st.name END FROM zcsync.statuses st
			WHERE st.account_id = p_account AND st.scope_id = p_scope AND st.deleted_at IS NULL AND st.active IS NOT FALSE
				AND CASE WHEN p_is_id THEN zcsync._fold(st.name) = 'closed' ELSE st.category IN ('closed', 'done') END
			ORDER BY st.category = 'closed' DESC, st.position, st.local_id LIMIT 1))
		FROM zcsync.accounts a WHERE a.account_id = p_account);
END
$$;
COMMENT ON FUNCTION zcsync._closing_status(bigint, text, text, boolean) IS
'the status that closes a record of a list or a kind; NULL when none is known';

-- The id of a member of an account, given as id or e-mail address: a member of a
-- catalogue of its own, or a contact, of which only some may be members.
CREATE FUNCTION zcsync._member_id(p_account bigint, p_member text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT CASE WHEN p_member ~ '^[0-9]+$' THEN p_member
			WHEN v.members_field IS NOT NULL THEN (
				SELECT o.member ->> 'id' FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (member)
				WHERE f.account_id = p_account AND f.remote_id = v.members_field AND f.deleted_at IS NULL
					AND lower((o.member ->> 'email') COLLATE "C") = lower(p_member COLLATE "C") AND o.member -> 'disabled' IS DISTINCT FROM 'true'
				LIMIT 1)
			ELSE (SELECT c.remote_id FROM zcsync.contacts c
				WHERE c.account_id = p_account AND lower(c.email COLLATE "C") = lower(p_member COLLATE "C") AND c.deleted_at IS NULL
					AND (v.member_roles IS NULL OR c.role = ANY (v.member_roles))
				ORDER BY c.active IS NOT FALSE DESC, c.local_id LIMIT 1)
		END
		FROM (SELECT (x.v).members_field, (x.v).member_roles
			FROM (SELECT zcsync._vendor_of(a.vendor) AS v FROM zcsync.accounts a WHERE a.account_id = p_account OFFSET 0) AS x OFFSET 0) AS v);
END
$$;
COMMENT ON FUNCTION zcsync._member_id(bigint, text) IS
'id of a member of an account by id or e-mail address; NULL when there is none';

-- The requester, given as id or e-mail address: the user who has the address, else
-- the address itself.
CREATE FUNCTION zcsync._requester(p_account bigint, p_requester text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT coalesce(
			(SELECT c.remote_id FROM zcsync.contacts c
			WHERE c.account_id = p_account AND lower(c.email COLLATE "C") = lower(btrim(p_requester) COLLATE "C") AND c.deleted_at IS NULL
			ORDER BY c.active IS NOT FALSE DESC, c.local_id LIMIT 1),
			CASE WHEN p_requester ~ '^[0-9]{1,20}$|^[^@[:space:]]+@[^@[:space:]]+$' THEN p_requester END));
END
$$;
COMMENT ON FUNCTION zcsync._requester(bigint, text) IS
'the user of an account with this e-mail address, or the address itself if no user has it; NULL if it is no address';

-- What is done with a new value of a field: it is written ('update'); left as it is,
-- since the record has it already ('agree'); or it cannot be written, since the record
-- is final ('closed') or nobody has that e-mail address ('unknown_user').  p_rules are
-- those of the kind, p_fixed the columns that can be set in a new record only.
CREATE FUNCTION zcsync._write_step(p_rules zcsync.vendor_rules, p_fixed text[], p_field text, p_status text, p_old jsonb, p_new jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN zcsync._same_value(p_old, p_new) OR p_field = ANY (p_fixed) THEN 'agree'
		WHEN p_rules IS NULL THEN 'update'
		WHEN p_field = ANY (p_rules.never_empty) AND p_new = 'null' THEN 'agree'
		WHEN p_field = 'status' AND p_new #>> '{}' = p_rules.initial_status THEN 'agree'
		WHEN p_status = p_rules.final_status THEN
			CASE WHEN p_field = 'status' AND p_new #>> '{}' = p_rules.closing_status THEN 'agree' ELSE 'closed' END
		WHEN p_field = ANY (p_rules.only_ids) AND p_new #>> '{}' !~ '^[0-9]+$' THEN 'unknown_user'
		ELSE 'update'
	END;
END;
COMMENT ON FUNCTION zcsync._write_step(zcsync.vendor_rules, text[], text, text, jsonb, jsonb) IS
'what a route does with a new value of a field of an existing record: update, agree, or why it cannot be written';

-- A text that says why a value cannot be written.
CREATE FUNCTION zcsync._write_step_text(p_step text, p_field text, p_new jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_step
		WHEN 'closed' THEN format('the record there is closed, so its field "%s" cannot be changed', p_field)
		WHEN 'unknown_user' THEN format('nobody there has the e-mail address "%s"', left(p_new #>> '{}', 200)) END;
END;
COMMENT ON FUNCTION zcsync._write_step_text(text, text, jsonb) IS
'why a value cannot be written; NULL when it can';

-- The part of the query that finds client, user and site of each record, if the route
-- copies the company; see companies.sql.
CREATE FUNCTION zcsync._route_parties_query(p_route bigint, p_roles jsonb, p_person regproc) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT format($sql$clients AS MATERIALIZED (
		SELECT d.company, c.client_id, c.key
		FROM (SELECT DISTINCT p.doc -> %1$L AS company FROM pairs AS p WHERE NOT p.target_gone) AS d
		CROSS JOIN LATERAL zcsync._route_client($2, $6, d.company, $10) AS c
	), parties AS MATERIALIZED (
		SELECT p.source_id, c.company, c.key, c.client_id, u.user_id, coalesce(p.doc ->> %3$L, u.site_id) AS site_id
		FROM pairs AS p
		JOIN clients AS c ON c.company IS NOT DISTINCT FROM p.doc -> %1$L
		CROSS JOIN LATERAL %4$s($6, c.client_id, p.doc ->> %2$L, $11) AS u
		WHERE NOT p.target_gone
	)$sql$, max(x.key) FILTER (WHERE x.value = 'company'), max(x.key) FILTER (WHERE x.value = 'user'),
				max(x.key) FILTER (WHERE x.value = 'site'), p_person)
		FROM jsonb_each_text(p_roles) AS x
		WHERE EXISTS (SELECT FROM zcsync.route_fields f JOIN jsonb_each_text(p_roles) c ON c.key = f.field AND c.value = 'company'
			WHERE f.route_id = p_route AND f.direction = 'forward')
		HAVING count(*) > 0
		UNION ALL
		SELECT 'parties AS (SELECT NULL::bigint AS source_id, NULL::jsonb AS company, NULL::text AS key, NULL::text AS client_id,'
			' NULL::text AS user_id, NULL::text AS site_id WHERE false)'
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION zcsync._route_parties_query(bigint, jsonb, regproc) IS
'the part of the query of a route that finds client, user and site';

-- The query of _route_changes(), in three parts.  Its parameters are: $1 the route, $2
-- the source account, $3 the source ids, $4 whether records from before the route's
-- beginning are wanted, $5 when it began, $6 the target account, $7 the default
-- assignee, $8 what to do with records that leave, $9 the types of the target's
-- columns, $10 the default client, $11 the requester if the client has no user with the
-- address, $12 what the SQL of the route said, $13 what apply_route() would make of it,
-- $14 the rules of the target's kind, $15 its columns that only a new record can be given,
-- $16 what match_on found.  Each place in which a long parameter is named costs some copies
-- of it.
-- Rows are looked up by local_id alone and one by one (LATERAL, OFFSET 0), so that the
-- plan needs no statistics.

-- The records, their counterparts and the fields of the route.
CREATE FUNCTION zcsync._route_query_pairs() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $sql$
WITH src AS MATERIALIZED (
	SELECT r.source_id, l.link_id, l.target_id, l.state AS link_state, coalesce(l.agreed, '{}') AS agreed,
		l.dropped, $13 OR (coalesce(l.dropped, '{}') <> '{}' AND zcsync._is_applied(l.dropped)) AS applies,
		r.deleted_at IS NULL AND v.passes IS TRUE AS passes, v.doc, v.place
	FROM (SELECT i.id, v.* FROM unnest($3) AS i (id) LEFT JOIN unnest($12) AS v ON v.source_id = i.id OFFSET 0) AS v
	CROSS JOIN LATERAL (
		SELECT s.local_id AS source_id, s.account_id, s.deleted_at, %5$s AND ($4 OR zcsync._is_news($5, %6$s, s.sync_xid)) AS is_due
		FROM zcsync.%1$I AS s WHERE s.local_id = v.id OFFSET 0) AS r
	LEFT JOIN LATERAL (
		SELECT k.* FROM zcsync.links AS k
		WHERE k.route_id = $1 AND k.source_id = r.source_id AND k.state <> 'unlinked' OFFSET 0) AS l ON true
	WHERE r.account_id = $2 AND (l.link_id IS NOT NULL OR r.is_due) AND v.error IS NULL AND v.late IS NOT TRUE
		AND l.state IS DISTINCT FROM 'cancelled'
), matches AS MATERIALIZED (
	SELECT m.source_id, m.target_id, m.verdict
	FROM zcsync._route_matches($1, ARRAY(SELECT c.source_id FROM src AS c WHERE c.passes AND c.link_id IS NULL), $16) AS m
), docs AS NOT MATERIALIZED (	-- with all that the SQL of the route said: not to be copied
	SELECT c.source_id, c.link_id, c.link_state, c.agreed, c.dropped, c.applies, coalesce(c.target_id, m.target_id) AS target_id,
		nullif(m.verdict, 'link') AS refused,
		c.doc, CASE WHEN c.link_id IS NULL AND m.source_id IS NULL THEN c.place END AS container
	FROM src AS c LEFT JOIN matches AS m ON m.source_id = c.source_id
	WHERE c.passes AND m.verdict IS DISTINCT FROM 'skip'
), lists AS MATERIALIZED (
	SELECT d.container, zcsync._route_place($6, %2$L, d.container, false) AS place_id
	FROM (SELECT DISTINCT container FROM docs WHERE container IS NOT NULL) AS d
), pairs AS MATERIALIZED (
	SELECT d.*, CASE WHEN d.target_id IS NULL THEN i.place_id ELSE %7$s END AS place_id, t.status AS status_there,
		d.target_id IS NOT NULL AND (t.local_id IS NULL OR t.deleted_at IS NOT NULL) AS target_gone,
		jsonb_build_object(%3$s) AS current
	FROM docs AS d
	LEFT JOIN lists AS i ON i.container = d.container
	LEFT JOIN LATERAL (
		SELECT m.* FROM zcsync.%2$I AS m WHERE m.local_id = d.target_id OFFSET 0) AS t ON true
), fields AS MATERIALIZED (
	SELECT f.field, f.expression, f.mapped, f.position, $9 ->> f.field AS type, x.role, x.role IN ('company', 'user', 'site') IS TRUE AS of_party,
		f.mapped OR x.role IN ('status', 'member', 'requester') IS TRUE AS translated
	FROM zcsync.route_fields AS f
	CROSS JOIN LATERAL (SELECT %8$L::jsonb ->> f.field) AS x (role)
	WHERE f.route_id = $1 AND f.direction = 'forward'$sql$;
END;
COMMENT ON FUNCTION zcsync._route_query_pairs() IS
'part of the query of a route: records, counterparts, fields; for format()';

-- The translated values, and what each field has and would get: the source's value,
-- merged with the target's if both agreed on one before.
CREATE FUNCTION zcsync._route_query_values() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $sql$
), elements AS MATERIALIZED (
	-- Values to be translated; the elements of sets one by one.
	SELECT p.source_id, coalesce(%9$L, p.place_id) AS scope, f.field, f.role, f.mapped, e.value, v.source_value IS NOT NULL AS known,
		CASE WHEN v.source_value IS NOT NULL THEN v.target_value WHEN NOT f.mapped OR f.role IN ('member', 'requester') THEN e.value END AS value1,
		v.target_id AS value_id
	FROM pairs AS p
	CROSS JOIN fields AS f
	CROSS JOIN LATERAL jsonb_array_elements_text(
		CASE WHEN jsonb_typeof(p.doc -> f.field) <> 'array' THEN jsonb_build_array(p.doc -> f.field)
			WHEN f.role = 'member' AND p.doc -> f.field = '[]' THEN '[null]'
			ELSE p.doc -> f.field END) AS e (value)
	LEFT JOIN zcsync.route_values AS v ON v.route_id = $1 AND v.direction = 'forward' AND v.field = f.field AND v.source_value = e.value
	WHERE f.translated AND NOT f.of_party AND NOT p.target_gone
), statuses AS MATERIALIZED (
	SELECT d.*, zcsync._resolve_status($6, d.scope, d.value1, d.value_id, %10$L) AS name
	FROM (SELECT DISTINCT e.scope, e.value1, e.value_id FROM elements AS e WHERE e.role = 'status' AND e.value1 IS NOT NULL) AS d
), members AS MATERIALIZED (
	SELECT d.value1, zcsync._member_id($6, d.value1) AS id
	FROM (SELECT DISTINCT e.value1 FROM elements AS e WHERE e.role = 'member' AND e.value1 IS NOT NULL) AS d
), requesters AS MATERIALIZED (
	SELECT d.value1, zcsync._requester($6, d.value1) AS id
	FROM (SELECT DISTINCT e.value1 FROM elements AS e WHERE e.role = 'requester' AND e.value1 IS NOT NULL) AS d
), translated AS MATERIALIZED (
	SELECT x.source_id, x.field, jsonb_agg(DISTINCT x.value2) FILTER (WHERE x.value2 IS NOT NULL) AS set,
		min(x.value2) AS value2, min(x.value1) AS value1,
		min(x.value) FILTER (WHERE x.value IS NOT NULL AND x.value2 IS NULL AND NOT (x.known AND x.value1 IS NULL)) AS unmapped
	FROM (
		SELECT e.*, CASE e.role
				WHEN 'status' THEN st.name
				WHEN 'member' THEN CASE
					WHEN e.known AND e.value1 IS NULL THEN NULL
					WHEN e.mapped AND NOT e.known AND e.value1 ~ '^[0-9]+$' THEN $7
					ELSE coalesce(me.id, $7) END
				WHEN 'requester' THEN rq.id
				ELSE e.value1 END AS value2
		FROM elements AS e
		LEFT JOIN statuses AS st ON e.role = 'status' AND st.value1 = e.value1
			AND st.scope IS NOT DISTINCT FROM e.scope AND st.value_id IS NOT DISTINCT FROM e.value_id
		LEFT JOIN members AS me ON e.role = 'member' AND me.value1 = e.value1
		LEFT JOIN requesters AS rq ON e.role = 'requester' AND rq.value1 = e.value1
	) AS x
	GROUP BY x.source_id, x.field
), %11$s, news AS MATERIALIZED (	-- a text that may be long is in a row only once
	SELECT p.source_id, p.link_id, p.link_state, p.target_id, p.place_id, p.container, p.agreed, p.applies, p.field, p.role, p.position, n.said, m.merged,
		CASE WHEN p.role IN ('status', 'requester') THEN coalesce(to_jsonb(r.value1), 'null') END AS told,
		p.old, CASE WHEN p.link_id IS NULL OR d.step = 'agree' THEN 'agree'
			WHEN d.step = 'wait' AND NOT zcsync._same_value(p.old, coalesce(m.merged, n.said)) THEN 'wait'
			ELSE zcsync._write_step($14, $15, p.field, p.status_there, p.old, coalesce(m.merged, n.said)) END AS step,
		r.unmapped, r.value1, p.of_party AND q.client_id IS NULL AS waits
	FROM (	-- what joins copy is but the value of a field, and not the whole record
		SELECT p.source_id, p.link_id, p.link_state, p.target_id, p.place_id, p.container, p.agreed, p.applies, p.dropped, p.status_there,
			f.field, f.expression, f.position, f.type, f.role, f.of_party, f.translated, p.doc -> f.field AS value,
			CASE WHEN f.field LIKE 'custom:%%' THEN p.current -> 'custom_fields' -> substr(f.field, 8) ELSE p.current -> f.field END AS old
		FROM pairs AS p CROSS JOIN fields AS f
		WHERE NOT p.target_gone OFFSET 0) AS p
	LEFT JOIN translated AS r ON r.source_id = p.source_id AND r.field = p.field
	LEFT JOIN parties AS q ON q.source_id = p.source_id
	CROSS JOIN LATERAL (SELECT coalesce(CASE
		WHEN p.of_party THEN to_jsonb(CASE p.role WHEN 'company' THEN q.client_id WHEN 'user' THEN q.user_id ELSE q.site_id END)
		WHEN NOT p.translated THEN p.value
		WHEN p.type = 'text[]' OR jsonb_typeof(p.value) = 'array' THEN coalesce(r.set, '[]')
		WHEN p.type = 'text' OR p.type IS NULL THEN to_jsonb(r.value2)
		WHEN p.type = 'integer' THEN to_jsonb(r.value2::integer)	-- as below, for a tenth
		ELSE to_jsonb(jsonb_populate_record(NULL::zcsync.%2$I, jsonb_build_object(p.field, r.value2))) -> p.field
		END, 'null') AS said) AS n
	CROSS JOIN LATERAL (SELECT CASE WHEN p.agreed ? p.field AND (p.role IN ('status', 'requester')) IS NOT TRUE
		THEN coalesce(zcsync._merge_value(n.said, p.agreed -> p.field, p.old), 'null') END AS merged) AS m
	CROSS JOIN LATERAL (SELECT CASE WHEN p.dropped ? p.field
		THEN zcsync._dropped_step($1, p.dropped -> p.field, $13, p.source_id, p.expression, p.target_id, p.field) END AS step) AS d$sql$;
END;
COMMENT ON FUNCTION zcsync._route_query_values() IS
'part of the query of a route: translated values; for format()';

-- The changes that follow from that.
CREATE FUNCTION zcsync._route_query_changes() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $sql$
), makeable AS MATERIALIZED (
	SELECT p.source_id, CASE
			WHEN p.refused IS NOT NULL THEN p.refused
			WHEN p.place_id IS NULL AND %15$L IS NOT NULL THEN 'no_target'
			WHEN btrim(coalesce(p.doc ->> %4$L, '')) = '' THEN 'empty_name'
			WHEN q.source_id IS NOT NULL AND q.client_id IS NULL THEN 'unmapped_company'
		END AS error_code, p.container, q.company, q.key
	FROM pairs AS p LEFT JOIN parties AS q ON q.source_id = p.source_id
	WHERE p.target_id IS NULL
), leaving AS MATERIALIZED (
	SELECT c.source_id, c.link_id, c.target_id, to_jsonb(t.status) AS old,
		to_jsonb(zcsync._closing_status($6, %2$L, coalesce(%9$L, %7$s), %10$L)) AS new, coalesce(%9$L, %7$s) AS scope
	FROM src AS c
	LEFT JOIN LATERAL (
		SELECT m.* FROM zcsync.%2$I AS m
		WHERE m.local_id = c.target_id AND m.deleted_at IS NULL OFFSET 0) AS t ON true
	WHERE c.link_state = 'linked' AND NOT c.passes
), changes AS (
	SELECT 'create' AS op, NULL::bigint AS link_id, m.source_id, NULL::bigint AS target_id, %15$L AS field, 0 AS position,
		NULL::jsonb AS old, to_jsonb(p.place_id) AS new, NULL AS error_code, NULL AS message, NULL::jsonb AS agreed
	FROM makeable AS m JOIN pairs AS p ON p.source_id = m.source_id WHERE m.error_code IS NULL AND %15$L IS NOT NULL
	UNION ALL
	SELECT 'create', NULL, n.source_id, NULL, n.field, n.position, NULL, coalesce(n.merged, n.said), NULL, NULL, coalesce(n.told, n.said)
	FROM news AS n
	WHERE n.unmapped IS NULL AND NOT n.waits
		AND (n.source_id IN (SELECT m.source_id FROM makeable AS m WHERE m.error_code IS NULL)) IS TRUE	-- hashed, and not a join
	UNION ALL
	SELECT 'error', NULL, m.source_id, NULL, '', -1, NULL,
		to_jsonb(CASE m.error_code WHEN 'unmapped_company' THEN m.key ELSE m.container END), m.error_code,
		CASE m.error_code WHEN 'empty_name' THEN format('the %%s is empty', %4$L)
			WHEN 'unmapped_company' THEN zcsync._unmapped_company_text(m.key)
			WHEN 'no_target' THEN CASE WHEN m.container IS NULL THEN format('%%s gives no %%s', %12$L, %13$L)
				ELSE format('%%s gives "%%s", which is no %%s of the target', %12$L, left(m.container, 200), %13$L) END
			ELSE zcsync._refusal_text(m.error_code) END,
		CASE m.error_code WHEN 'unmapped_company' THEN m.company END
	FROM makeable AS m WHERE m.error_code IS NOT NULL
	UNION ALL
	SELECT CASE WHEN p.link_id IS NULL THEN 'link' ELSE 'return' END, p.link_id, p.source_id, p.target_id,
		NULL, -1, NULL, NULL, NULL, NULL, NULL
	FROM pairs AS p
	WHERE p.target_id IS NOT NULL AND NOT p.target_gone AND (p.link_id IS NULL OR p.link_state = 'left')
	UNION ALL
	SELECT CASE WHEN n.step IN ('update', 'agree') THEN n.step ELSE 'error' END,
		n.link_id, n.source_id, n.target_id, n.field, n.position, n.old, coalesce(n.merged, n.said),
		CASE WHEN n.step NOT IN ('update', 'agree') THEN n.step END, zcsync._write_step_text(n.step, n.field, coalesce(n.merged, n.said)), coalesce(n.told, n.said)
	FROM news AS n
	WHERE n.target_id IS NOT NULL AND n.unmapped IS NULL AND NOT n.waits AND n.step <> 'wait'
		AND (n.link_id IS NULL OR NOT n.agreed ? n.field OR (n.applies AND zcsync._same_value(n.old, n.said))	-- see _undisputed()
			OR NOT zcsync._same_value(n.agreed -> n.field, coalesce(n.told, n.said)))
	UNION ALL
	SELECT 'error', n.link_id, n.source_id, n.target_id, n.field, n.position, n.old, to_jsonb(n.unmapped), 'unmapped_value',
		CASE WHEN n.value1 IS NULL OR n.role IS DISTINCT FROM 'status' THEN format('value "%%s" of field "%%s" has no counterpart', left(n.unmapped, 200), n.field)
			ELSE format('value "%%s" of field "%%s" is mapped to "%%s", which %%s does not have',
				left(n.unmapped, 200), n.field, n.value1, coalesce(%14$L, %13$L || ' ' || n.place_id)) END, NULL
	FROM news AS n WHERE n.unmapped IS NOT NULL
	UNION ALL
	SELECT 'error', n.link_id, n.source_id, n.target_id, n.field, n.position, n.old, to_jsonb(q.key), 'unmapped_company',
		zcsync._unmapped_company_text(q.key), q.company
	FROM news AS n JOIN parties AS q ON q.source_id = n.source_id
	WHERE n.target_id IS NOT NULL AND n.waits AND n.role = 'company'
	UNION ALL
	SELECT 'error', p.link_id, p.source_id, p.target_id, '', -1, NULL, NULL, 'target_deleted', 'the record on the other side was deleted', NULL
	FROM pairs AS p WHERE p.target_gone
	UNION ALL
	SELECT 'leave', g.link_id, g.source_id, g.target_id, NULL, -1, NULL, NULL, NULL, NULL, NULL FROM leaving AS g
	UNION ALL
	SELECT CASE WHEN g.new IS NULL THEN 'error' ELSE zcsync._write_step($14, $15, 'status', g.old #>> '{}', g.old, g.new) END,
		g.link_id, g.source_id, g.target_id, 'status', 0, g.old, g.new,
		CASE WHEN g.new IS NULL THEN 'no_closing_status' END,
		CASE WHEN g.new IS NULL THEN format('no closing status is known for %%s', coalesce(%14$L, %13$L || ' ' || g.scope)) END, g.new
	FROM leaving AS g WHERE $8 = 'close' AND g.scope IS NOT NULL AND g.target_id IS NOT NULL
)
SELECT c.op, c.link_id, c.source_id, c.target_id, c.field, c.old, c.new, c.error_code, c.message, c.agreed
FROM changes AS c
ORDER BY c.source_id, c.op = 'error', c.position, c.field$sql$;
END;
COMMENT ON FUNCTION zcsync._route_query_changes() IS
'part of the query of a route: changes and errors; for format()';

CREATE FUNCTION zcsync._route_query(p_route bigint, p_source_kind text, p_target_kind text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT format(zcsync._route_query_pairs() || zcsync._route_query_values() || zcsync._route_query_changes(),
			p_source_kind, p_target_kind,
			coalesce((SELECT string_agg(format('%L, t.%I', c.field, c.field), ', ' ORDER BY c.field)
				FROM (SELECT DISTINCT CASE WHEN f.field LIKE 'custom:%' THEN 'custom_fields' ELSE f.field END AS field
					FROM zcsync.route_fields f WHERE f.route_id = p_route AND f.direction = 'forward') AS c), ''),
			x.name_field, CASE WHEN sa.vendor = 'local' THEN 'true' ELSE 's.remote_id IS NOT NULL' END,
			zcsync._route_changed_at(sa.vendor), CASE WHEN x.place_field IS NULL THEN 'NULL::text' ELSE format('t.%I', x.place_field) END, x.roles, x.status_scope, x.status_is_id,
			zcsync._route_parties_query(p_route, x.roles, (zcsync._vendor_of(ta.vendor)).person), x.setting, x.place,
			CASE WHEN x.status_scope IS NOT NULL THEN format('%s/%s', ta.name, t.kind) END, x.place_field)
		FROM zcsync.routes r
		JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
		JOIN zcsync.accounts sa ON sa.account_id = s.account_id
		JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
		JOIN zcsync.accounts ta ON ta.account_id = t.account_id
		JOIN zcsync._route_targets() x ON x.vendor = ta.vendor AND x.kind = t.kind
		WHERE r.route_id = p_route);
END
$$;
COMMENT ON FUNCTION zcsync._route_query(bigint, text, text) IS
'the query of a route; see zcsync._route_changes()';

-- What the route would do with these source records now, given what its SQL said about
-- them; with p_apply, as after apply_route().  Locks nothing and writes nothing.
CREATE FUNCTION zcsync._route_changes(p_route bigint, p_ids bigint[], p_backfill boolean, p_values zcsync.route_evaluation[],
	p_apply boolean DEFAULT false)
RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
SET enable_seqscan = off	-- rows are looked up one by one, also while their tables are empty
SET enable_nestloop = off	-- but what was found is joined by hashing
SET enable_mergejoin = off
SET work_mem = '32MB'	-- plan() asks for a thousand records at a time
AS $$
DECLARE
	v record;
BEGIN
	SELECT r.*, s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind, ta.vendor AS target_vendor
	INTO STRICT v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	JOIN zcsync.accounts ta ON ta.account_id = t.account_id
	WHERE r.route_id = p_route;
	RETURN QUERY SELECT c.* FROM zcsync._read_kept(zcsync._route_query(p_route, v.source_kind, v.target_kind),
		p_route, v.source_account, p_ids, p_backfill, zcsync._route_start(p_route), v.target_account,
		zcsync._member_id(v.target_account, v.default_assignee), v.on_leave,
		(SELECT jsonb_object_agg(f.field, f.type) FROM zcsync._route_target_fields(v.target_stream_id) f),
		zcsync._find_client(v.target_account, v.default_client), v.unknown_user, p_values, p_apply,
		(zcsync._kind_of(v.target_vendor, v.target_kind)).rules, zcsync._create_only(v.target_vendor, v.target_kind),
		ARRAY(SELECT ROW(e.source_id, NULL, NULL, NULL, e.targets, NULL, NULL, NULL)::zcsync.route_evaluation FROM unnest(p_values) AS e WHERE e.targets <> '{}'))
		AS c (op text, link_id bigint, source_id bigint, target_id bigint, field text, old jsonb, new jsonb, error_code text, message text, agreed jsonb);
	RETURN QUERY SELECT c.* FROM zcsync._failed_evaluations(p_values) c WHERE c.source_id = ANY (p_ids);
END
$$;
COMMENT ON FUNCTION zcsync._route_changes(bigint, bigint[], boolean, zcsync.route_evaluation[], boolean) IS
'what a route would write for these source records now, by their local ids and what its SQL said of them; free of side effects';
