-- ---------------------------------------------------------------------
-- Routes: why a record has a counterpart, or has none.
--
-- explain_route() goes through the rules that decide it, in their order, and says for
-- each whether the record passes.  ok is false if a rule prevents the record from being
-- routed, and NULL if a rule does not apply, such as the filter for a record that is
-- not here.  The SQL of the route runs only in the sandbox.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.route_reason AS (
	rule text,
	ok boolean,			-- NULL: the rule does not apply
	message text,
	hint text			-- what to run
);
COMMENT ON TYPE zcsync.route_reason IS
'what one rule of a route says of one record; see zcsync.explain_route()';

-- All that is known about a record that a route would copy.
CREATE TYPE zcsync.route_subject AS (
	route_id bigint,
	source_id bigint,
	reference text,			-- of the record
	doc jsonb,				-- its row
	link_id bigint,			-- the pair that this route drives; NULL: none
	link_state text,
	target_id bigint,
	evaluation zcsync.route_evaluation,	-- what the SQL of the route says about it
	verdict text,			-- of _route_matches(); NULL: it is new to the target
	found_id bigint			-- the counterpart that was found
);
COMMENT ON TYPE zcsync.route_subject IS
'a record of a route''s source with what decides its route; see zcsync.explain_route()';

CREATE FUNCTION zcsync._reason(p_rule text, p_ok boolean, p_message text, p_hint text DEFAULT NULL) RETURNS zcsync.route_reason
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_rule, p_ok, p_message, CASE WHEN p_ok IS FALSE OR p_rule = 'result' THEN p_hint END)::zcsync.route_reason;
END;
COMMENT ON FUNCTION zcsync._reason(text, boolean, text, text) IS
'what one rule of a route says about a record; it has a hint only if it prevents the record from being routed';

-- Both ends of a route.
CREATE FUNCTION zcsync._route_ends(p_route bigint, OUT source_account bigint, OUT source_kind text, OUT source_stream bigint, OUT source text,
	OUT source_vendor text, OUT target_account bigint, OUT target_kind text, OUT target_stream bigint, OUT target text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.account_id, s.kind, s.stream_id, sa.name || '/' || s.kind, sa.vendor, t.account_id, t.kind, t.stream_id, ta.name || '/' || t.kind
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id JOIN zcsync.accounts sa ON sa.account_id = s.account_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id JOIN zcsync.accounts ta ON ta.account_id = t.account_id
	WHERE r.route_id = p_route
$$;
COMMENT ON FUNCTION zcsync._route_ends(bigint) IS
'the streams at both ends of a route';

-- The record, with its pair.  The SQL of the route runs only with p_evaluate, and only
-- for a record that a job would evaluate.
CREATE FUNCTION zcsync._route_subject(p_route bigint, p_id bigint, p_evaluate boolean) RETURNS zcsync.route_subject
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v zcsync.route_subject;
	v_ends record := zcsync._route_ends(p_route);
	v_values zcsync.route_evaluation[];
BEGIN
	v.route_id := p_route;
	v.source_id := p_id;
	v.reference := zcsync.reference(v_ends.source_kind, p_id);
	EXECUTE format('SELECT to_jsonb(s) FROM zcsync.%I AS s WHERE s.local_id = $1', v_ends.source_kind) INTO v.doc USING p_id;
	SELECT l.link_id, l.state, l.target_id INTO v.link_id, v.link_state, v.target_id
	FROM zcsync.links l WHERE l.route_id = p_route AND l.source_id = p_id AND l.state <> 'unlinked';
	IF p_evaluate THEN
		v_values := zcsync._evaluate_sources(p_route, ARRAY[p_id], true);
		v.evaluation := v_values[1];
	END IF;
	IF v.link_id IS NULL AND (v.evaluation).passes THEN
		SELECT m.verdict, m.target_id INTO v.verdict, v.found_id FROM zcsync._route_matches(p_route, ARRAY[p_id], v_values) AS m;
	END IF;
	RETURN v;
END
$$;
COMMENT ON FUNCTION zcsync._route_subject(bigint, bigint, boolean) IS
'a record of a route''s source with what decides its route';

-- The source record of a route that a reference names, directly or by its counterpart
-- in the target; NULL if there is none, and then the first reason says why.
CREATE FUNCTION zcsync._find_subject(p_route bigint, p_name text, p_reference text, OUT id bigint, OUT reason zcsync.route_reason)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ends record := zcsync._route_ends(p_route);
	v_parts text[] := zcsync._parse_reference(p_reference, 3);
	v_id bigint;
BEGIN
	IF v_parts[1] || '/' || v_parts[2] NOT IN (v_ends.source, v_ends.target) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('route "%s" has nothing to do with "%s"', p_name, left(p_reference, 100)),
			HINT = format('It leads from %s to %s.', v_ends.source, v_ends.target);
	END IF;
	SELECT r.local_id INTO v_id FROM zcsync._find_record(p_reference) AS r;
	IF v_id IS NULL THEN
		reason := zcsync._reason('record', false, format('%s is not in the mirror%s', p_reference, coalesce('; ' || zcsync._history_to_come(p_route), '')),
			CASE WHEN v_parts[3] LIKE '#%' THEN 'SELECT * FROM zcsync.progress;'
				WHEN v_parts[2] = 'tickets' THEN format('SELECT zcsync.sync_ticket(%L);', p_reference)
				WHEN v_parts[2] = 'tasks' THEN format('SELECT zcsync.sync_task(%L);', p_reference)
				ELSE 'SELECT * FROM zcsync.progress;' END);
	ELSIF v_parts[1] || '/' || v_parts[2] = v_ends.source THEN
		id := v_id;
	ELSE
		SELECT l.source_id INTO id FROM zcsync.links l
		WHERE l.target_id = v_id AND l.route_id = p_route ORDER BY l.state = 'unlinked', l.link_id DESC LIMIT 1;
		reason := CASE WHEN id IS NULL THEN zcsync._reason('record', false, format('%s is a record of the target, and not the counterpart of one of route "%s"',
				p_reference, p_name), format('SELECT zcsync.link_records(%L, %L);', v_ends.source || '/<id>', p_reference)) END;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._find_subject(bigint, text, text) IS
'the source record of a route that a reference names, itself or by its counterpart';

-- ---------------------------------------------------------------------
-- The rules
-- ---------------------------------------------------------------------

-- Is the record here, and at its vendor?
CREATE FUNCTION zcsync._explain_record(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p.doc ->> 'deleted_at' IS NOT NULL THEN zcsync._reason('record', false, format('%s was deleted at its vendor, which was seen at %s',
			p.reference, p.doc ->> 'deleted_at'), format('SELECT * FROM zcsync.history(%L);', p.reference))
		WHEN p.doc ->> 'remote_id' IS NULL AND e.source_vendor <> 'local' THEN zcsync._reason('record', false,
			format('%s does not exist at its vendor yet; it is routed once it does', p.reference),
			format('SELECT * FROM zcsync.errors WHERE reference = %L;', p.reference))
		ELSE zcsync._reason('record', true, format('%s is in the mirror, with local_id %s', p.reference, p.source_id)) END
	FROM zcsync._route_ends(p.route_id) AS e
$$;
COMMENT ON FUNCTION zcsync._explain_record(zcsync.route_subject) IS
'is a record of a route''s source there?';

-- May the route run at all?
CREATE FUNCTION zcsync._explain_state(p_route bigint) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN f.fault IS NOT NULL THEN zcsync._reason('route', false, f.fault, format('SELECT * FROM zcsync.check_route(%L);', r.name))
		WHEN r.state = 'paused' THEN zcsync._reason('route', false,
			CASE WHEN r.starts_at IS NULL THEN 'the route was never resumed' ELSE 'the route is paused' END, format('SELECT zcsync.resume_route(%L);', r.name))
		WHEN NOT t.writes THEN zcsync._reason('route', false, format('%s is read-only', e.target), format('SELECT zcsync.alter_stream(%L, writes => true);', e.target))
		WHEN NOT s.writes AND e.source_vendor <> 'local'
			AND EXISTS (SELECT FROM zcsync.route_fields b WHERE b.route_id = p_route AND b.direction = 'back') THEN
			zcsync._reason('route', false, format('%s is read-only, and the route writes back to it', e.source),
				format('SELECT zcsync.alter_stream(%L, writes => true);', e.source))
		WHEN zcsync._is_awaited(t.stream_id) THEN zcsync._reason('route', false,
			format('routes wait until %s was read anew after a failover or restore', e.target), 'SELECT * FROM zcsync.status;')
		WHEN EXISTS (SELECT FROM zcsync.queues q WHERE q.name = 'route' AND q.state <> 'active') THEN
			zcsync._reason('route', false, 'the queue of routes is paused', 'SELECT zcsync.resume_queue(''route'');')
		ELSE zcsync._reason('route', true, 'the route is active') END
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	CROSS JOIN LATERAL zcsync._route_ends(p_route) AS e
	CROSS JOIN LATERAL zcsync._route_functions(p_route) AS f
	WHERE r.route_id = p_route
$$;
COMMENT ON FUNCTION zcsync._explain_state(bigint) IS
'may a route run?';

-- Did the record come, or change, after the route began?  A pair, and a record that a
-- backfill asked for, is routed whatever its age.
CREATE FUNCTION zcsync._explain_start(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route zcsync.routes := (SELECT r FROM zcsync.routes r WHERE r.route_id = p.route_id);
	v_ends record := zcsync._route_ends(p.route_id);
	v_at timestamptz;
	v_is_news boolean;
BEGIN
	EXECUTE format('SELECT x.at, zcsync._is_news($2, x.at, s.sync_xid) FROM zcsync.%I AS s CROSS JOIN LATERAL (SELECT %s AS at) AS x WHERE s.local_id = $1',
			v_ends.source_kind, zcsync._route_changed_at(v_ends.source_vendor))
		INTO v_at, v_is_news USING p.source_id, zcsync._route_start(p.route_id);
	RETURN CASE
		WHEN p.link_id IS NOT NULL THEN zcsync._reason('start', NULL, 'not checked for a pair')
		WHEN v_route.starts_at IS NULL THEN zcsync._reason('start', NULL, 'the route never ran; records that are here when it first runs are left alone until they change')
		WHEN v_is_news THEN zcsync._reason('start', true, format('came, or changed, after the route began at %s', v_route.starts_at))
		WHEN EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.route_id = p.route_id AND q.operation = 'route' AND q.local_id = p.source_id AND q.backfill)
			OR EXISTS (SELECT FROM zcsync.route_errors e WHERE e.route_id = p.route_id AND e.source_id = p.source_id AND e.backfill) THEN
			zcsync._reason('start', true, 'is older than the route, and a backfill asked for it')
		ELSE zcsync._reason('start', false, format('changed last at %s, and was here before the route began at %s', coalesce(v_at::text, 'an unknown time'), v_route.starts_at),
			format('SELECT * FROM zcsync.backfill_route(%L);', v_route.name)) END;
END
$$;
COMMENT ON FUNCTION zcsync._explain_start(zcsync.route_subject) IS
'did a record come, or change, after a route began?';

-- The columns that an expression over a row names, with their values; of the custom
-- fields, those that it names, or all.  Documents of vendors have private text, too:
-- p_documents says whether they may be shown.
CREATE FUNCTION zcsync._values_read(p_expression text, p_doc jsonb, p_documents boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(c.name || ' = ' || CASE WHEN c.hidden THEN 'not shown, since you may not read it'
			WHEN c.value IS NULL OR c.value = 'null' THEN 'NULL' ELSE left(c.value #>> '{}', 200) END, ', ' ORDER BY c.name)
	FROM (SELECT lower(regexp_replace(regexp_replace(p_expression, $re$custom_fields[[:space:]]*->>?[[:space:]]*'[^']+'$re$, '', 'g'),
		$re$'([^']|'')*'$re$, '''''', 'g') COLLATE "C")) AS e (bare)
	CROSS JOIN LATERAL (
		SELECT d.key, d.value, NOT p_documents AND d.key IN ('base', 'remote') FROM jsonb_each(p_doc) AS d
		WHERE e.bare ~ ('(^|[^a-z0-9_])' || d.key || '($|[^a-z0-9_(])')
		UNION ALL
		SELECT format('custom_fields ->> %L', k.name), p_doc -> 'custom_fields' -> k.name, false
		FROM (SELECT DISTINCT m[1] AS name FROM regexp_matches(p_expression, $re$custom_fields[[:space:]]*->>?[[:space:]]*'([^']+)'$re$, 'g') AS m) AS k) AS c (name, value, hidden)
$$;
COMMENT ON FUNCTION zcsync._values_read(text, jsonb, boolean) IS
'the columns that an expression names, and what a row holds in them; NULL: it names none';

CREATE FUNCTION zcsync._explain_filter(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN (p.evaluation).source_id IS NULL THEN zcsync._reason('filter', NULL, 'not checked')
		WHEN (p.evaluation).error IS NOT NULL OR (p.evaluation).late THEN zcsync._reason('filter', NULL, 'not known: see "values"')
		WHEN r.filter IS NULL THEN zcsync._reason('filter', true, 'the route has none')
		ELSE zcsync._reason('filter', (p.evaluation).passes,
			format('is %s', CASE WHEN (p.evaluation).passes THEN 'true' ELSE 'false' END) || coalesce(': ' || zcsync._values_read(r.filter, p.doc,
				has_column_privilege(zcsync._caller(), format('zcsync.%I', s.kind), 'remote', 'SELECT')), ''),
			format('SELECT zcsync.alter_route(%L, filter => %L);', r.name, '<another condition>')) END
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id WHERE r.route_id = p.route_id
$$;
COMMENT ON FUNCTION zcsync._explain_filter(zcsync.route_subject) IS
'does a record pass the filter of a route, and with which values?';

-- What the target has for a record without a counterpart.
CREATE FUNCTION zcsync._explain_match(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ends record := zcsync._route_ends(p.route_id);
	v_name text := (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p.route_id);
	v_owner text;
BEGIN
	IF p.verdict = 'taken' THEN
		SELECT string_agg(format('%s has %s', zcsync.reference(v_ends.source_kind, k.other_id), zcsync.reference(v_ends.target_kind, k.id)), ', ' ORDER BY k.id)
		INTO v_owner
		FROM zcsync._pairs_with((p.evaluation).targets, v_ends.source_account, v_ends.source_kind) AS k WHERE k.state <> 'unlinked';
	END IF;
	RETURN CASE
		WHEN p.link_id IS NOT NULL THEN zcsync._reason('match', NULL, 'not checked for a pair')
		WHEN (p.evaluation).passes IS NOT TRUE THEN zcsync._reason('match', NULL, 'not checked')
		WHEN p.verdict = 'link' THEN zcsync._reason('match', true, format('%s belongs to it, and becomes its counterpart', zcsync.reference(v_ends.target_kind, p.found_id)))
		WHEN p.verdict = 'taken' THEN zcsync._reason('match', false, zcsync._refusal_text('taken') || coalesce(': ' || v_owner, ''),
			format('SELECT zcsync.alter_route(%L, match_on => %L);', v_name, '<another condition>'))
		WHEN p.verdict IS NOT NULL THEN zcsync._reason('match', NULL, 'not checked: see below')
		ELSE zcsync._reason('match', true, format('no record of %s belongs to it yet, so one is created', v_ends.target)) END;
END
$$;
COMMENT ON FUNCTION zcsync._explain_match(zcsync.route_subject) IS
'what the target of a route has for a record';

-- Does a held write prevent the record from being read, or its copy from being made?
CREATE FUNCTION zcsync._explain_kept(p zcsync.route_subject, p_op text) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN k.op IS NULL THEN zcsync._reason(p_op, true, CASE p_op WHEN 'held' THEN 'no write of it is held' ELSE 'its copy was not cancelled' END)
		ELSE zcsync._reason(p_op, false, k.new #>> '{}', CASE p_op
			WHEN 'held' THEN format('SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%L);', h.name, h.name)
			ELSE format('SELECT zcsync.release_held(%L, cancelled => true);', r.name) END) END
	FROM zcsync.routes r
	LEFT JOIN zcsync._kept_route_records(p.route_id, ARRAY[p.source_id]) AS k ON k.op = p_op
	LEFT JOIN LATERAL (
		SELECT coalesce(o.name, a.name) AS name
		FROM zcsync.sync_queue q
		JOIN zcsync.accounts a ON a.account_id = q.account_id
		LEFT JOIN zcsync.routes o ON o.route_id = q.route_id
		WHERE q.local_id IN (p.source_id, p.target_id) AND q.operation = 'push' AND q.state = 'held'
		ORDER BY q.job_id LIMIT 1) AS h ON true
	WHERE r.route_id = p.route_id
$$;
COMMENT ON FUNCTION zcsync._explain_kept(zcsync.route_subject, text) IS
'is a record left alone because of what a person decided, or is to decide?';

-- Can its values be made and written?  A field that is held back does not prevent the
-- record from being routed.
CREATE FUNCTION zcsync._explain_values(p zcsync.route_subject, p_changes zcsync.route_change[]) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN (p.evaluation).source_id IS NULL OR p.verdict NOT IN ('link') THEN zcsync._reason('values', NULL, 'are not asked for')
		WHEN e.whole IS NOT NULL THEN zcsync._reason('values', false, e.whole, zcsync._route_error_hint(r.name, e.code, '', e.value))
		WHEN (p.evaluation).passes IS NOT TRUE THEN zcsync._reason('values', NULL, 'are not asked for')
		WHEN e.held_back IS NOT NULL THEN ROW('values', true, 'all but these can be written: ' || e.held_back,
			zcsync._route_error_hint(r.name, e.field_code, e.field, e.field_value))::zcsync.route_reason
		ELSE zcsync._reason('values', true, 'all can be written') END
	FROM zcsync.routes r
	CROSS JOIN (
		SELECT min(c.message) FILTER (WHERE c.field = '') AS whole, min(c.error_code) FILTER (WHERE c.field = '') AS code,
			min(c.new #>> '{}') FILTER (WHERE c.field = '') AS value,
			string_agg(c.message, '; ' ORDER BY c.field) FILTER (WHERE c.field <> '') AS held_back,
			min(c.error_code) FILTER (WHERE c.n = 1) AS field_code, min(c.field) FILTER (WHERE c.n = 1) AS field,
			min(c.new #>> '{}') FILTER (WHERE c.n = 1) AS field_value
		FROM (SELECT x.*, row_number() OVER (ORDER BY x.field = '', x.field) AS n FROM unnest(p_changes) AS x
			WHERE x.op = 'error' AND x.error_code NOT IN ('target_deleted', 'taken', 'copy', 'marked_twice', 'made_elsewhere', 'other_installation')) AS c) AS e
	WHERE r.route_id = p.route_id
$$;
COMMENT ON FUNCTION zcsync._explain_values(zcsync.route_subject, zcsync.route_change[]) IS
'can the values of a record be made and written?';

-- The pair that it has: of this route, or of another one.
CREATE FUNCTION zcsync._explain_pair(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ends record := zcsync._route_ends(p.route_id);
	v_target text := zcsync.reference(v_ends.target_kind, p.target_id);
	v record;
	v_original text;
	v_winner bigint := (SELECT w.winner_id FROM zcsync._winners(v_ends.source_kind, ARRAY[p.source_id]) AS w);
BEGIN
	SELECT zcsync.reference(v_ends.target_kind, k.other_id) AS other, r.name, r.state INTO v
	FROM zcsync._pairs_with(ARRAY[p.source_id], v_ends.target_account, v_ends.target_kind) AS k
	LEFT JOIN zcsync.routes r ON r.route_id = k.route_id
	WHERE k.state <> 'unlinked' AND k.route_id IS DISTINCT FROM p.route_id ORDER BY k.link_id LIMIT 1;
	SELECT string_agg(zcsync.reference(v_ends.target_kind, o.original_id), ', ') INTO v_original
	FROM zcsync._originals_in(ARRAY[p.source_id], v_ends.target_account, v_ends.target_kind) AS o;
	RETURN CASE
		WHEN p.link_state = 'cancelled' THEN zcsync._reason('pair', NULL, 'was cancelled: see "cancelled"')
		WHEN v_winner IS NOT NULL THEN zcsync._reason('pair', false, format('it was merged into %s', zcsync.reference(v_ends.source_kind, v_winner))
				|| CASE WHEN p.link_id IS NOT NULL THEN format(', and its pair with %s ends with the next run of the route', v_target) ELSE '' END,
			format('SELECT * FROM zcsync.explain_route(%L, %L);', (SELECT o.name FROM zcsync.routes o WHERE o.route_id = p.route_id),
				zcsync.reference(v_ends.source_kind, v_winner)))
		WHEN p.link_state = 'left' AND (p.evaluation).passes IS NOT TRUE THEN zcsync._reason('pair', NULL,
			format('%s is its counterpart, and is left as it is while the record is out of the route', v_target))
		WHEN p.link_id IS NOT NULL THEN zcsync._reason('pair', true, format('%s is its counterpart', v_target))
		WHEN v.other IS NOT NULL AND p.verdict = 'link' THEN zcsync._reason('pair', true,
			format('%s is its counterpart, and this route takes the pair over', v.other))
		WHEN v.other IS NOT NULL THEN zcsync._reason('pair', false, format('%s is its counterpart, and %s', v.other,
				CASE WHEN v.name IS NULL THEN 'several records share it' ELSE format('route "%s" (%s) drives the pair', v.name, v.state) END),
			format('SELECT * FROM zcsync.links WHERE %s IN (source_id, target_id);', p.source_id))
		WHEN v_original IS NOT NULL THEN zcsync._reason('pair', false,
			format('the record is a copy of %s, or a copy of a copy: it is not copied back to where it came from', v_original),
			format('SELECT * FROM zcsync.links WHERE %s IN (source_id, target_id);', p.source_id))
		ELSE zcsync._reason('pair', true, 'it has no counterpart that another route drives') END;
END
$$;
COMMENT ON FUNCTION zcsync._explain_pair(zcsync.route_subject) IS
'which route drives the pair of a record?';

-- Did the look-up of the record's copy find a record of somebody else?
CREATE FUNCTION zcsync._explain_stranger(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN d.message IS NULL THEN zcsync._reason('stranger', true, 'no other record has the mark of its copy')
		ELSE zcsync._reason('stranger', false, d.message, d.hint) END
	FROM (VALUES (1)) AS one
	LEFT JOIN LATERAL (
		SELECT l.message, l.hint FROM zcsync.dead_letters l
		WHERE l.local_id = p.target_id AND l.operation = 'push' AND l.class = 'conflict' ORDER BY l.job_id DESC LIMIT 1) AS d ON true
$$;
COMMENT ON FUNCTION zcsync._explain_stranger(zcsync.route_subject) IS
'does a record of somebody else have the mark of a record''s copy?';

-- What do the marks of the record say, and those of what was found for it?
CREATE FUNCTION zcsync._explain_marks(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p.verdict IN ('copy', 'marked_twice', 'made_elsewhere', 'other_installation') THEN
			zcsync._reason('marks', false, zcsync._refusal_text(p.verdict), zcsync._route_error_hint(r.name, p.verdict, '', NULL))
		WHEN m.standing = 'making' THEN zcsync._reason('marks', false, 'it is being created, and its row has no remote_id yet',
			format('SELECT * FROM zcsync.explain_route(%L, %L);  -- later', r.name, p.reference))
		ELSE zcsync._reason('marks', true, CASE WHEN m.standing = 'own' THEN 'it was made here' ELSE 'it shares its mark with no other record' END) END
	FROM zcsync.routes r
	CROSS JOIN LATERAL zcsync._route_ends(r.route_id) AS e
	LEFT JOIN zcsync._marked(e.source_kind, ARRAY[p.source_id]) AS m ON true
	WHERE r.route_id = p.route_id LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._explain_marks(zcsync.route_subject) IS
'what the marks of a record say, and those of what belongs to it';

-- Is it queued, or did it fail?  If nothing is queued, p_passes says that the record
-- passes all rules; the route still looks at it only when it changes.
CREATE FUNCTION zcsync._explain_waiting(p zcsync.route_subject, p_passes boolean) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN q.state = 'running' THEN zcsync._reason('waiting', true, 'its job is running')
		WHEN q.job_id IS NOT NULL AND q.failures > 0 THEN zcsync._reason('waiting', false,
			format('job %s failed %s times, and is tried again at %s: %s', q.job_id, q.failures, q.run_at, q.last_error), coalesce(q.last_hint, 'SELECT * FROM zcsync.errors;'))
		WHEN q.job_id IS NOT NULL THEN zcsync._reason('waiting', true, format('job %s is ready, and due at %s', q.job_id, q.run_at))
		WHEN d.job_id IS NOT NULL THEN zcsync._reason('waiting', false, format('job %s was given up at %s: %s', d.job_id, d.died_at, d.message),
			format('SELECT zcsync.retry(%s);', d.job_id))
		WHEN p.link_id IS NOT NULL OR NOT p_passes THEN zcsync._reason('waiting', NULL, 'nothing waits')
		ELSE zcsync._reason('waiting', false, 'it is not queued: the route looks at a record when it changes',
			format('SELECT * FROM zcsync.backfill_route(%L);', r.name)) END
	FROM zcsync.routes r
	LEFT JOIN LATERAL (
		SELECT k.* FROM zcsync.sync_queue k
		WHERE k.account_id = (p.doc ->> 'account_id')::bigint AND k.route_id = p.route_id AND k.operation = 'route' AND k.local_id = p.source_id
		ORDER BY k.job_id LIMIT 1) AS q ON true
	LEFT JOIN LATERAL (
		SELECT k.* FROM zcsync.dead_letters k
		WHERE k.route_id = p.route_id AND k.operation = 'route' AND k.local_id = p.source_id ORDER BY k.job_id DESC LIMIT 1) AS d ON true
	WHERE r.route_id = p.route_id
$$;
COMMENT ON FUNCTION zcsync._explain_waiting(zcsync.route_subject, boolean) IS
'is a record queued for a route, or did that fail?';

-- Is the counterpart here, and at its vendor?
CREATE FUNCTION zcsync._explain_counterpart(p zcsync.route_subject) RETURNS zcsync.route_reason
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ends record := zcsync._route_ends(p.route_id);
	v_name text := (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p.route_id);
	v_reference text := zcsync.reference(v_ends.target_kind, p.target_id);
	v_row jsonb;
	v record;
BEGIN
	IF p.link_id IS NULL OR p.link_state = 'cancelled' THEN
		RETURN zcsync._reason('counterpart', NULL, 'there is none yet');
	END IF;
	EXECUTE format('SELECT to_jsonb(t) FROM zcsync.%I AS t WHERE t.local_id = $1', v_ends.target_kind) INTO v_row USING p.target_id;
	SELECT q.job_id, q.state, q.run_at, q.last_error, q.last_hint, NULL::timestamptz AS died_at INTO v
	FROM zcsync.sync_queue q WHERE q.account_id = v_ends.target_account AND q.local_id = p.target_id AND q.operation = 'push' ORDER BY q.job_id LIMIT 1;
	IF NOT FOUND THEN
		SELECT d.job_id, 'dead' AS state, NULL::timestamptz AS run_at, d.message AS last_error, d.hint AS last_hint, d.died_at INTO v
		FROM zcsync.dead_letters d WHERE d.local_id = p.target_id AND d.operation = 'push' ORDER BY d.job_id DESC LIMIT 1;
	END IF;
	RETURN CASE
		WHEN v_row IS NULL OR v_row ->> 'deleted_at' IS NOT NULL THEN zcsync._reason('counterpart', false, format('%s was deleted', coalesce(v_reference, 'the record on the other side')),
			zcsync._route_error_hint(v_name, 'target_deleted', '', NULL))
		WHEN v.died_at IS NOT NULL THEN zcsync._reason('counterpart', false, format('%s is not written: job %s was given up: %s', v_reference, v.job_id, v.last_error),
			coalesce(v.last_hint, format('SELECT zcsync.retry(%s);', v.job_id)))
		WHEN v.state = 'held' THEN zcsync._reason('counterpart', false, format('%s waits to be written: job %s is held', v_reference, v.job_id),
			format('SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%L);', v_name, v_name))
		WHEN v.job_id IS NOT NULL THEN zcsync._reason('counterpart', true, format('%s is here, and is written by job %s (%s)%s', v_reference, v.job_id,
			CASE v.state WHEN 'running' THEN 'running' ELSE format('due at %s', v.run_at) END, coalesce('; the last attempt: ' || v.last_error, '')))
		ELSE zcsync._reason('counterpart', true, format('%s is here and at its vendor', v_reference)) END;
END
$$;
COMMENT ON FUNCTION zcsync._explain_counterpart(zcsync.route_subject) IS
'is the counterpart of a record here, and at its vendor?';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

-- What a route does with a record, in a sentence: the first rule that prevents it from
-- being routed, if there is one, and the names of the others.
CREATE FUNCTION zcsync._explain_result(p zcsync.route_subject, p_reasons zcsync.route_reason[]) RETURNS zcsync.route_reason
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN f.rules IS NULL AND p.link_id IS NOT NULL THEN zcsync._reason('result', true, format('%s has a counterpart: %s', p.reference, t.reference))
		WHEN f.rules IS NULL THEN zcsync._reason('result', true, format('%s gets a counterpart with the next run of the route', p.reference))
		ELSE zcsync._reason('result', false, p.reference || CASE WHEN p.link_id IS NOT NULL AND p.link_state <> 'cancelled'
				THEN format(' has a counterpart, %s, which is not kept in step', coalesce(t.reference, 'deleted')) ELSE ' has no counterpart' END
			|| format('; %s: %s', f.rules[1], f.messages[1]) || coalesce('; besides: ' || nullif(array_to_string(f.rules[2:], ', '), ''), ''), f.hints[1]) END
	FROM zcsync._route_ends(p.route_id) AS e
	CROSS JOIN LATERAL (SELECT zcsync.reference(e.target_kind, p.target_id) AS reference) AS t
	CROSS JOIN (
		SELECT array_agg(r.rule ORDER BY r.n) AS rules, array_agg(r.message ORDER BY r.n) AS messages, array_agg(r.hint ORDER BY r.n) AS hints
		FROM unnest(p_reasons) WITH ORDINALITY AS r (rule, ok, message, hint, n) WHERE r.ok IS FALSE) AS f
$$;
COMMENT ON FUNCTION zcsync._explain_result(zcsync.route_subject, zcsync.route_reason[]) IS
'what a route does with a record, by the first rule that prevents it from being routed';

CREATE FUNCTION zcsync.explain_route(route text, reference text) RETURNS TABLE (rule text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(explain_route.route));
	v_found record := zcsync._find_subject(v_route.route_id, v_route.name, explain_route.reference);
	v_state zcsync.route_reason := zcsync._explain_state(v_route.route_id);
	v zcsync.route_subject;
	v_changes zcsync.route_change[];
	v_reasons zcsync.route_reason[];
BEGIN
	IF v_found.id IS NULL THEN
		RETURN QUERY SELECT (v_found.reason).*;
		RETURN;
	END IF;
	v := zcsync._route_subject(v_route.route_id, v_found.id, (SELECT f.fault IS NULL FROM zcsync._route_functions(v_route.route_id) AS f));
	IF (v.evaluation).source_id IS NOT NULL THEN
		v_changes := ARRAY(SELECT c FROM zcsync._try_route_changes(v_route.route_id, ARRAY[v.source_id], true) AS c);
	END IF;
	v_reasons := ARRAY[zcsync._explain_record(v), v_state, zcsync._explain_start(v), zcsync._explain_filter(v), zcsync._explain_match(v),
		zcsync._explain_kept(v, 'held'), zcsync._explain_values(v, v_changes), zcsync._explain_pair(v), zcsync._explain_stranger(v),
		zcsync._explain_kept(v, 'cancelled'), zcsync._explain_marks(v)];
	v_reasons := v_reasons || zcsync._explain_waiting(v, (SELECT bool_and(r.ok IS NOT FALSE) FROM unnest(v_reasons) AS r));
	v_reasons := v_reasons || zcsync._explain_counterpart(v);
	RETURN QUERY SELECT * FROM unnest(v_reasons || zcsync._explain_result(v, v_reasons));
END
$$;
COMMENT ON FUNCTION zcsync.explain_route(text, text) IS
'why a record has, or has not, a counterpart by a route: a row for each rule, in order, with what to run if it prevents the record from being routed, and last the result; writes nothing';
