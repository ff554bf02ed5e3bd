-- ---------------------------------------------------------------------
-- Routes: looking before leaping.
-- ---------------------------------------------------------------------

-- The newest records of a source that the route wants, by local id.  Newest
-- means stored last, which the primary key knows.
CREATE FUNCTION zcsync._route_sample(p_route bigint, p_max integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE
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

-- _route_changes() that goes on behind a record whose mapping fails.
CREATE FUNCTION zcsync._try_route_changes(p_route bigint, p_ids bigint[], p_backfill boolean)
RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
BEGIN
	BEGIN
		RETURN QUERY SELECT * FROM zcsync._route_changes(p_route, p_ids, p_backfill);
		RETURN;
	EXCEPTION WHEN OTHERS THEN
		IF zcsync._route_fault(p_route) IS NOT NULL THEN
			RAISE;
		END IF;
	END;
	FOREACH v_id IN ARRAY p_ids LOOP
		BEGIN
			RETURN QUERY SELECT * FROM zcsync._route_changes(p_route, ARRAY[v_id], p_backfill);
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT ROW('error', NULL, v_id, NULL, '', NULL, NULL, 'mapping_error',
				format('%s (%s)', SQLERRM, SQLSTATE), NULL)::zcsync.route_change;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._try_route_changes(bigint, bigint[], boolean) IS
'what a route would write, record by record where a record makes it fail';

-- The dry run.  A route that never ran is shown as if everything were new to
-- it, the way a backfill would take it.
CREATE FUNCTION zcsync.plan(name text, source_ids bigint[] DEFAULT NULL, max_records integer DEFAULT 1000)
RETURNS TABLE (op text, source text, target text, field text, old text, new text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(plan.name));
	v record;
	v_ids bigint[] := source_ids;
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
	RETURN QUERY
	SELECT c.op, zcsync.reference(v.source_kind, c.source_id),
		CASE WHEN c.target_id IS NOT NULL THEN zcsync.reference(v.target_kind, c.target_id)
			WHEN c.op = 'create' THEN format('%s/%s (new)', v.target_name, v.target_kind) END,
		nullif(c.field, ''), c.old #>> '{}',
		CASE WHEN c.op = 'error' THEN c.error_code || ': ' || c.message ELSE c.new #>> '{}' END
	FROM zcsync._try_route_changes(v_route.route_id, v_ids, false) WITH ORDINALITY AS
		c (op, link_id, source_id, target_id, field, old, new, error_code, message, agreed, ord)
	WHERE c.op <> 'agree' AND NOT (c.op = 'create' AND zcsync._same_value(c.new, 'null'))
	ORDER BY c.ord;
END
$$;
COMMENT ON FUNCTION zcsync.plan(text, bigint[], integer) IS
'what a route would do now with these source records, or with those stored last; writes nothing';

-- The lists in which a route creates records, as far as the sample tells.
CREATE FUNCTION zcsync._route_lists(p_changes zcsync.route_change[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(DISTINCT c.new #>> '{}'), '{}')
	FROM unnest(p_changes) AS c
	WHERE c.op = 'create' AND c.field = 'list_id';
END;
COMMENT ON FUNCTION zcsync._route_lists(zcsync.route_change[]) IS
'the lists in which these changes create records';

-- The statuses a source record can have: those of the catalogue, or the usual
-- ones while there is none.
CREATE FUNCTION zcsync._route_source_statuses(p_account bigint) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH known AS (
		SELECT DISTINCT st.category AS status FROM zcsync.statuses st
		WHERE st.account_id = p_account AND st.deleted_at IS NULL AND st.active IS NOT FALSE AND st.category IS NOT NULL)
	SELECT status FROM known
	UNION
	SELECT unnest(CASE WHEN EXISTS (SELECT FROM known) THEN '{closed}'::text[] ELSE '{new,open,pending,solved,closed}' END)
$$;
COMMENT ON FUNCTION zcsync._route_source_statuses(bigint) IS
'the statuses that tickets of an account can have';

-- Is each status of the source mapped, to one that the target's lists have?
CREATE FUNCTION zcsync._check_route_statuses(p_def jsonb, p_lists text[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route text := p_def ->> 'name';
	v_target bigint := (p_def ->> 'target_account')::bigint;
	v_choices text;
	v_status record;
BEGIN
	IF NOT coalesce((p_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) OR p_def ->> 'source_kind' <> 'tickets' THEN
		RETURN;
	END IF;
	SELECT string_agg(x.name, ', ') INTO v_choices
	FROM (SELECT st.name FROM zcsync.statuses st
		WHERE st.account_id = v_target AND st.deleted_at IS NULL AND st.active IS NOT FALSE
			AND (st.scope_id = ANY (p_lists) OR p_lists = '{}')
		GROUP BY st.name ORDER BY min(st.position), st.name LIMIT 30) x;
	FOR v_status IN
		SELECT s.status, v.source_value IS NOT NULL AS is_mapped, v.target_value,
			(SELECT string_agg(l, ', ' ORDER BY l) FROM unnest(p_lists) l
			WHERE zcsync._resolve_status(v_target, l, v.target_value, v.target_id) IS NULL) AS lacking
		FROM zcsync._route_source_statuses((p_def ->> 'source_account')::bigint) AS s (status)
		LEFT JOIN zcsync.route_values v ON v.route_id = (p_def ->> 'route_id')::bigint
			AND v.field = 'status' AND v.source_value = s.status
		ORDER BY array_position('{new,open,pending,hold,solved,closed}', s.status), s.status
	LOOP
		item := format('status "%s"', v_status.status);
		ok := v_status.is_mapped AND (v_status.target_value IS NULL OR v_status.lacking IS NULL);
		message := CASE
			WHEN NOT v_status.is_mapped THEN 'is not mapped' || coalesce('; the target has: ' || v_choices, '')
			WHEN v_status.target_value IS NULL THEN 'leaves the status empty'
			WHEN v_status.lacking IS NOT NULL THEN
				format('is mapped to "%s", for which list %s has nothing', v_status.target_value, v_status.lacking)
			ELSE format('becomes "%s"', v_status.target_value)
		END;
		hint := CASE WHEN NOT ok THEN
			format('SELECT zcsync.map_value(%L, ''status'', %L, ''<status of the target>'');', v_route, v_status.status) END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_statuses(jsonb, text[]) IS
'the rows of check_route() about statuses';

-- Are the streams at both ends at work?
CREATE FUNCTION zcsync._check_route_streams(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT e.item, NOT (a.state <> 'active' OR s.state <> 'active' OR (e.is_target AND NOT s.writes) OR waits.matching),
		CASE
			WHEN a.state <> 'active' THEN format('account "%s" is %s%s', a.name, a.state, coalesce(': ' || a.state_reason, ''))
			WHEN s.state <> 'active' THEN format('stream %s/%s is paused', a.name, s.kind)
			WHEN e.is_target AND NOT s.writes THEN format('stream %s/%s is read-only', a.name, s.kind)
			WHEN waits.matching THEN format('%s/%s is not read yet; records that exist there could not be found', a.name, s.kind)
			ELSE format('%s/%s is active%s', a.name, s.kind, CASE WHEN e.is_target THEN ' and writable' ELSE '' END)
		END,
		CASE
			WHEN a.state <> 'active' THEN coalesce(a.state_hint, format('SELECT zcsync.resume_account(%L);', a.name))
			WHEN s.state <> 'active' THEN format('SELECT zcsync.resume_stream(%L);', a.name || '/' || s.kind)
			WHEN e.is_target AND NOT s.writes THEN format('SELECT zcsync.alter_stream(%L, writes => true);', a.name || '/' || s.kind)
			WHEN waits.matching THEN 'SELECT * FROM zcsync.progress; shows how far it is.'
		END
	FROM (VALUES (1, 'source', false, p_def ->> 'source_stream_id'), (2, 'target', true, p_def ->> 'target_stream_id'))
		AS e (ord, item, is_target, stream)
	JOIN zcsync.streams s ON s.stream_id = e.stream::bigint
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	CROSS JOIN LATERAL (SELECT e.is_target AND (s.history_state = 'running' OR s.last_pull_at IS NULL) AS matching) AS waits
	ORDER BY e.ord
$$;
COMMENT ON FUNCTION zcsync._check_route_streams(jsonb) IS
'the rows of check_route() about streams';

-- Fields that must be set in the lists of the target and that nothing is
-- mapped to.
CREATE FUNCTION zcsync._check_route_required(p_def jsonb, p_lists text[])
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('required field "%s"', min(f.name)), false,
		format('list %s requires it, and nothing is mapped to it', string_agg(DISTINCT f.scope_id, ', ')),
		format('SELECT zcsync.map_field(%L, %L, ''<expression>'');', p_def ->> 'name', 'custom:' || k.field_id)
	FROM zcsync.fields f
	CROSS JOIN LATERAL (SELECT coalesce(f.remote ->> 'id', f.remote_id) AS field_id) AS k
	WHERE f.account_id = (p_def ->> 'target_account')::bigint AND f.scope_id = ANY (p_lists)
		AND f.required AND f.active IS NOT FALSE AND f.deleted_at IS NULL
		AND NOT p_def -> 'fields' ? ('custom:' || k.field_id)
	GROUP BY k.field_id
	ORDER BY 1
$$;
COMMENT ON FUNCTION zcsync._check_route_required(jsonb, text[]) IS
'the rows of check_route() about required fields of the target';

CREATE FUNCTION zcsync.check_route(name text) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(check_route.name));
	v_def jsonb;
	v_fault text;
	v_changes zcsync.route_change[] := '{}';
	v_lists text[];
BEGIN
	BEGIN
		v_def := zcsync._route_definition(v_route.route_id, '{}');
	EXCEPTION WHEN undefined_object THEN
		RETURN QUERY SELECT 'create_in', false, SQLERRM,
			format('SELECT zcsync.alter_route(%L, create_in => ''<list id, path or expression>'');', v_route.name);
		RETURN;
	END;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_streams(v_def) c;

	-- The functions: there, owned by the right role, made from what is stored.
	SELECT string_agg(zcsync._route_function_fault(v_def ->> 'source_kind', c.name, c.code, v_route.defined_by), '; ')
	INTO v_fault FROM zcsync._route_code(v_def) c;
	RETURN QUERY SELECT 'functions', v_fault IS NULL,
		coalesce(v_fault, format('run with the rights of role "%s"%s', v_route.defined_by,
			CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = v_route.defined_by) THEN ', a superuser' ELSE '' END)),
		CASE WHEN v_fault IS NOT NULL THEN
			format('SELECT zcsync.alter_route(%L, on_leave => %L);  -- as role "%s"; compiles again', v_route.name, v_route.on_leave, v_route.defined_by) END;
	IF v_fault IS NOT NULL OR zcsync._route_fault(v_route.route_id) IS NOT NULL THEN
		RETURN;
	END IF;

	-- Try it on the newest records, each as if it were new to the route.
	v_changes := ARRAY(SELECT c FROM zcsync._try_route_changes(v_route.route_id, zcsync._route_sample(v_route.route_id, 100), true) c);
	v_lists := zcsync._route_lists(v_changes);
	IF v_def ->> 'list' IS NOT NULL THEN
		v_lists := ARRAY[v_def ->> 'list'];
	END IF;
	RETURN QUERY
	SELECT 'mapping', count(*) = 0,
		CASE WHEN count(*) = 0 THEN 'works for the newest records'
			ELSE format('fails for %s of the newest records: %s', count(DISTINCT c.source_id), min(c.message)) END,
		CASE WHEN count(*) > 0 THEN format('SELECT * FROM zcsync.plan(%L) WHERE op = ''error'';', v_route.name) END
	FROM unnest(v_changes) c WHERE c.error_code IN ('mapping_error', 'empty_name');
	RETURN QUERY
	SELECT 'create_in', count(*) = 0,
		CASE WHEN count(*) > 0 THEN min(c.message)
			WHEN v_def ->> 'list' IS NOT NULL THEN format('list %s', v_def ->> 'list')
			ELSE coalesce('lists ' || nullif(array_to_string(v_lists, ', '), ''), 'is an expression; no record to try it on') END,
		CASE WHEN count(*) > 0 THEN
			format('SELECT zcsync.alter_route(%L, create_in => ''<list id, path or expression>'');', v_route.name) END
	FROM unnest(v_changes) c WHERE c.error_code = 'no_target';
	RETURN QUERY SELECT c.* FROM zcsync._check_route_statuses(v_def, v_lists) c;
	RETURN QUERY SELECT c.* FROM zcsync._check_route_required(v_def, v_lists) c;
	IF v_route.default_assignee IS NOT NULL THEN
		RETURN QUERY
		SELECT 'default assignee', m.id IS NOT NULL,
			format(CASE WHEN m.id IS NULL THEN '%s is no member of the target that zcsync knows' ELSE '%s is member %s' END,
				v_route.default_assignee, m.id),
			CASE WHEN m.id IS NULL THEN format('SELECT zcsync.alter_route(%L, default_assignee => ''<member id>'');', v_route.name) END
		FROM (SELECT zcsync._member_id((v_def ->> 'target_account')::bigint, v_route.default_assignee) AS id) m;
	END IF;
	RETURN QUERY
	SELECT 'members', true, 'no member of the target is known, so no assignee is found by e-mail address',
		format('SELECT * FROM zcsync.discover(%L);', v_def ->> 'target_name')
	WHERE v_def -> 'fields' ? 'assignees'
		AND NOT EXISTS (SELECT FROM zcsync.contacts c WHERE c.account_id = (v_def ->> 'target_account')::bigint);
	RETURN QUERY SELECT 'write brake', true,
		format('more than %s writes in an hour are held', current_setting('zcsync.bulk_write_limit')), NULL;
END
$$;
COMMENT ON FUNCTION zcsync.check_route(text) IS
'what a route needs, a row for each condition, with what to run where it is not met';

-- ---------------------------------------------------------------------
-- Backfill
-- ---------------------------------------------------------------------

-- The source records that the route wants and that have no link yet.
CREATE FUNCTION zcsync._route_unlinked(p_route bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('FROM zcsync.%I AS s WHERE s.account_id = %s AND s.deleted_at IS NULL AND s.remote_id IS NOT NULL'
		' AND NOT EXISTS (SELECT FROM zcsync.links AS l WHERE l.route_id = %s AND l.source_id = s.local_id AND l.state <> ''unlinked'')'
		' AND zcsync_routes.%I(s)', s.kind, s.account_id, p_route, 'filter_' || p_route)
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	WHERE r.route_id = p_route
$$;
COMMENT ON FUNCTION zcsync._route_unlinked(bigint) IS
'the part of a query that finds source records which a route wants and which have no link';

CREATE FUNCTION zcsync.backfill_route(name text, confirm boolean DEFAULT false) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(backfill_route.name));
	v_fault text := zcsync._route_fault(v_route.route_id);
	v_query text;
	v_source record;
	v_budget zcsync.account_budgets;
	v_count bigint;
	v_linked bigint;
	v_restricted integer;
BEGIN
	IF v_fault IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('route "%s" cannot be run', v_route.name), DETAIL = v_fault || '.',
			HINT = format('SELECT * FROM zcsync.check_route(%L);', v_route.name);
	END IF;
	v_query := zcsync._route_unlinked(v_route.route_id);
	SELECT s.account_id, s.kind, s.stream_id INTO v_source
	FROM zcsync.streams s WHERE s.stream_id = v_route.source_stream_id;

	v_restricted := zcsync._restrict();
	IF confirm THEN
		EXECUTE format($sql$
			INSERT INTO zcsync.sync_queue AS q (account_id, queue, operation, budget_class, stream_id, route_id, kind, local_id,
				record_key, dedupe_key, payload, priority, run_at, enqueued_by, created_at)
			SELECT s.account_id, 'route', 'route', '', $1, $2, $3, s.local_id,
				format('route/%%s/%%s', $2, s.local_id), format('route/%%s/%%s', $2, s.local_id),
				'{"backfill": true}', 70, zcsync._now(), session_user, zcsync._now()
			%s ORDER BY s.local_id
			ON CONFLICT (account_id, dedupe_key) WHERE state = 'ready' DO UPDATE
				SET joins = q.joins + 1, payload = q.payload || excluded.payload$sql$, v_query)
		USING v_source.stream_id, v_route.route_id, v_source.kind;
		GET DIAGNOSTICS v_count = ROW_COUNT;
		PERFORM zcsync._unrestrict(v_restricted);
		PERFORM zcsync._wake();
		RETURN QUERY VALUES
			('queued', v_count::text),
			('progress', format('SELECT * FROM zcsync.progress WHERE object = %L;', v_route.name)),
			('state', CASE v_route.state WHEN 'active' THEN 'active' ELSE
				format('paused; it begins with SELECT zcsync.resume_route(%L);', v_route.name) END);
		RETURN;
	END IF;

	EXECUTE 'SELECT count(*) ' || v_query INTO v_count;
	PERFORM zcsync._unrestrict(v_restricted);
	SELECT count(*) INTO v_linked FROM zcsync.links l WHERE l.route_id = v_route.route_id AND l.state <> 'unlinked';
	SELECT b.* INTO v_budget FROM zcsync.account_budgets b
	JOIN zcsync.streams t ON t.account_id = b.account_id
	WHERE t.stream_id = v_route.target_stream_id AND b.class = 'api';
	RETURN QUERY VALUES
		('linked already', v_linked::text),
		('to link or create', v_count::text),
		('calls', format('at most %s', v_count)),
		('duration', CASE WHEN v_budget.calls IS NULL THEN 'not known: the target has no budget'
			ELSE format('at least %s at %s calls a minute', date_trunc('second', make_interval(
				secs => ceil(v_count / (v_budget.calls * v_budget.share / v_budget.window_s)))),
				round((v_budget.calls * v_budget.share * 60 / v_budget.window_s)::numeric)) END),
		('to begin', format('SELECT * FROM zcsync.backfill_route(%L, confirm => true);', v_route.name));
END
$$;
COMMENT ON FUNCTION zcsync.backfill_route(text, boolean) IS
'says what it takes to route the records from before the route began; with confirm, queues them';
