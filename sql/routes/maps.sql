-- ---------------------------------------------------------------------
-- Routes: pairs whose map changed.
--
-- What both sides agreed on in a field means nothing any more once another expression
-- or another map makes its values.  Then the agreed value is dropped, and it is not
-- known what they agree on.  A side that is edited after that wins; as long as neither
-- is edited, nothing is written.  Only apply_route() writes a changed map to such
-- pairs.
--
-- links.dropped has these fields (those that come back as back:<field>), with the time
-- since which edits count; the time is in an array once apply_route() was asked to
-- write the field.  The history of the rows shows whether a field was edited.  The
-- agreed value of a field that goes forward is the translated one, that of a field that
-- comes back the one before translation; so a changed translation concerns only pairs
-- that have the value.
-- ---------------------------------------------------------------------

-- Drop what the pairs of a route agreed on in these fields.  With p_values, only in
-- pairs whose agreed value is this one (it may be NULL), or is a set that contains it.
-- Edits count from now on, or from the time at which the oldest job of the record that
-- still waits was queued.  If the route is paused, or has lost the record, they count
-- from the last change of the pair.  A field with an error is left out: it has a new
-- value that is written as soon as it can be.  No batch of the route may be under way,
-- since it would remember values of the old map.
CREATE FUNCTION zcsync._drop_agreed(p_route bigint, p_fields text[], p_values text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parties text[] := zcsync._party_fields(p_route);
BEGIN
	IF coalesce(p_fields, '{}') = '{}' THEN
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (p_route % 2147483647)::integer);
	WITH waiting AS MATERIALIZED (
		SELECT w.local_id, min(w.created_at) AS since
		FROM (SELECT q.local_id, q.created_at FROM zcsync.sync_queue q WHERE q.route_id = p_route AND q.operation = 'route'
			UNION ALL SELECT d.local_id, d.created_at FROM zcsync.dead_letters d WHERE d.route_id = p_route AND d.operation = 'route') AS w
		GROUP BY w.local_id)
	UPDATE zcsync.links AS l
	SET agreed = l.agreed - d.fields, dropped = d.marks || l.dropped,
		agreed_back = l.agreed_back - ARRAY(SELECT substr(f, 6) FROM unnest(d.fields) AS f WHERE f LIKE 'back:%')
	FROM zcsync.routes AS r
	JOIN zcsync.links AS k ON k.route_id = r.route_id AND k.state <> 'unlinked'
	LEFT JOIN waiting AS w ON w.local_id = k.source_id
	CROSS JOIN LATERAL (
		SELECT array_agg(f.name) AS fields, jsonb_object_agg(f.name, least(zcsync._now(), w.since,
			CASE WHEN r.state = 'paused' OR k.state = 'left' THEN coalesce(k.changed_at, k.created_at) END)) AS marks
		FROM unnest(p_fields) AS f (name)
		WHERE NOT k.dropped ? f.name
			AND CASE WHEN f.name LIKE 'back:%' THEN k.agreed_back ? substr(f.name, 6) AND (p_values IS NULL OR zcsync._has_value(k.agreed_back -> substr(f.name, 6), p_values[1]))
				ELSE p_values IS NULL OR (k.agreed ? f.name AND zcsync._has_value(k.agreed -> f.name, p_values[1])) END
			AND NOT EXISTS (SELECT FROM zcsync.route_errors e WHERE e.route_id = p_route AND e.source_id = k.source_id
				AND (e.field = f.name OR (e.code = 'unmapped_company' AND f.name = ANY (v_parties))))) AS d
	WHERE r.route_id = p_route AND l.link_id = k.link_id AND d.fields IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._drop_agreed(bigint, text[], text[]) IS
'drops what the pairs of a route agreed on in fields whose map has changed';

-- Is this the value of a field, or one of its elements if it is a set?
CREATE FUNCTION zcsync._has_value(p_field jsonb, p_value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN jsonb_typeof(p_field) = 'array' THEN p_value IS NULL OR p_field ? p_value
		ELSE p_field #>> '{}' IS NOT DISTINCT FROM p_value END;
END;
COMMENT ON FUNCTION zcsync._has_value(jsonb, text) IS
'does a field have this value, or contain it?';

-- The fields of a route that the map of companies fills: client, user and site.
CREATE FUNCTION zcsync._party_fields(p_route bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(f.field), '{}')
	FROM zcsync.routes r
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	JOIN zcsync.accounts a ON a.account_id = t.account_id
	JOIN zcsync._route_targets() x ON x.vendor = a.vendor AND x.kind = t.kind
	JOIN zcsync.route_fields f ON f.route_id = r.route_id AND f.direction = 'forward' AND x.roles ->> f.field IN ('company', 'user', 'site')
	WHERE r.route_id = p_route
$$;
COMMENT ON FUNCTION zcsync._party_fields(bigint) IS
'the fields of a route that are filled by the map of companies';

-- The fields whose values would be made differently by another definition of a route.
-- A new field that comes back is not among them: nothing was agreed on in it.
CREATE FUNCTION zcsync._changed_fields(p_route bigint, p_def jsonb) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(CASE n.direction WHEN 'back' THEN 'back:' ELSE '' END || n.field)
	FROM zcsync.routes AS r
	CROSS JOIN (SELECT 'forward', e.* FROM jsonb_each(p_def -> 'fields') AS e
		UNION ALL SELECT 'back', e.* FROM jsonb_each(p_def -> 'back') AS e) AS n (direction, field, value)
	LEFT JOIN zcsync.route_fields AS f ON f.route_id = p_route AND f.direction = n.direction AND f.field = n.field
	CROSS JOIN LATERAL (SELECT CASE n.direction WHEN 'forward' THEN p_def #>> ARRAY['target', 'roles', n.field] END) AS o (role)
	WHERE r.route_id = p_route AND CASE WHEN f.field IS NULL THEN n.direction = 'forward'
		ELSE (f.expression, f.mapped::text) <> (n.value ->> 'expression', n.value ->> 'mapped')
			OR (o.role = 'member' AND p_def ->> 'default_assignee' IS DISTINCT FROM r.default_assignee)
			OR (o.role IN ('company', 'user', 'site')
				AND (p_def ->> 'default_client', p_def ->> 'unknown_user') IS DISTINCT FROM (r.default_client, r.unknown_user)) END
$$;
COMMENT ON FUNCTION zcsync._changed_fields(bigint, jsonb) IS
'fields whose values another definition of a route makes differently; NULL: none';

-- Was a row edited since that time, in a column that an expression reads?  Writes of
-- this route, and values that were taken back, do not count as edits.
CREATE FUNCTION zcsync._edited_since(p_route bigint, p_local_id bigint, p_expression text, p_since timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM zcsync.changes AS h CROSS JOIN LATERAL jsonb_object_keys(h.new) AS k
		WHERE h.local_id = p_local_id AND h.created_at >= p_since AND h.action = 'update' AND h.cause <> 'cancel'
			AND NOT (h.cause IN ('route', 'backfill') AND h.cause_id = p_route)
			AND zcsync._may_read(p_expression, k))
$$;
COMMENT ON FUNCTION zcsync._edited_since(bigint, bigint, text, timestamptz) IS
'was a row edited since then in what an expression of a route reads?';

-- Was a field of a row edited since that time?  Here, the form that a vendor gives to a
-- value that it was sent does not count either.
CREATE FUNCTION zcsync._field_edited_since(p_route bigint, p_local_id bigint, p_field text, p_since timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM zcsync.changes AS h
		CROSS JOIN (SELECT CASE WHEN p_field LIKE 'custom:%' THEN ARRAY['custom_fields', substr(p_field, 8)] ELSE ARRAY[p_field] END) AS f (path)
		WHERE h.local_id = p_local_id AND h.created_at >= p_since AND h.action = 'update' AND h.cause NOT IN ('cancel', 'push')
			AND NOT (h.cause IN ('route', 'backfill') AND h.cause_id = p_route)
			AND h.new #> f.path IS DISTINCT FROM h.old #> f.path)
$$;
COMMENT ON FUNCTION zcsync._field_edited_since(bigint, bigint, text, timestamptz) IS
'was a field of a row edited since then?';

-- What a route does with a field whose agreed value was dropped, by its entry in
-- links.dropped: it writes the field ('write'), leaves it and agrees on the present
-- values ('agree'), or leaves it and still agrees on nothing ('wait').  p_apply: as if
-- apply_route() had been asked.
CREATE FUNCTION zcsync._dropped_step(p_route bigint, p_dropped jsonb, p_apply boolean, p_read_id bigint, p_expression text,
	p_written_id bigint, p_field text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN zcsync._edited_since(p_route, p_read_id, p_expression, d.since) THEN 'write'
		WHEN zcsync._field_edited_since(p_route, p_written_id, p_field, d.since) THEN 'agree'
		WHEN p_apply OR jsonb_typeof(p_dropped) = 'array' THEN 'write'
		ELSE 'wait' END
	FROM (SELECT (CASE jsonb_typeof(p_dropped) WHEN 'array' THEN p_dropped ->> 0 ELSE p_dropped #>> '{}' END)::timestamptz AS since) AS d
$$;
COMMENT ON FUNCTION zcsync._dropped_step(bigint, jsonb, boolean, bigint, text, bigint, text) IS
'what a route does with a field whose map changed: write, agree or wait';

-- The same fields, as they are after apply_route() was called.
CREATE FUNCTION zcsync._to_be_applied(p_dropped jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(d.key, CASE jsonb_typeof(d.value) WHEN 'array' THEN d.value ELSE jsonb_build_array(d.value) END), '{}')
	FROM jsonb_each(p_dropped) AS d;
END;
COMMENT ON FUNCTION zcsync._to_be_applied(jsonb) IS
'fields of links.dropped as those that are to be written';

CREATE FUNCTION zcsync._is_applied(p_dropped jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_dropped <> '{}' AND EXISTS (SELECT FROM jsonb_each(p_dropped) AS d WHERE jsonb_typeof(d.value) = 'array');
END;
COMMENT ON FUNCTION zcsync._is_applied(jsonb) IS
'was apply_route() asked to write a field of links.dropped?';
