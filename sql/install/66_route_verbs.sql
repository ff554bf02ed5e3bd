-- ---------------------------------------------------------------------
-- Routes: the verbs that define, start and stop them.
-- ---------------------------------------------------------------------

-- What a new route copies when nothing else is said.  Text of a ticket whose
-- comments are all private stays out: everybody who sees the list could read
-- a task's description.
CREATE FUNCTION zcsync._route_default_fields(p_source_kind text, p_target_kind text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(f.field, jsonb_build_object('expression', f.expression, 'mapped', f.mapped, 'position', f.position)), '{}')
	FROM (VALUES
		('name', false, 10, $sql$coalesce(nullif(btrim(subject), ''), 'Ticket #' || remote_id)$sql$),
		('description', false, 20, $sql$concat_ws(E'\n\n',
	'Ticket #' || remote_id,
	CASE WHEN s.remote ->> 'is_public' IS DISTINCT FROM 'false' THEN nullif(btrim(description), '') END,
	'Requester: ' || (SELECT concat_ws(' ', c.name, '<' || c.email || '>') FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id),
	zcsync.record_url(account_id, 'tickets', remote_id))$sql$),
		('status', true, 30, 'status'),
		('priority', true, 40, 'priority'),
		('assignees', true, 50, $sql$coalesce(
	(SELECT lower(c.email) FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.assignee_id),
	'user ' || assignee_id)$sql$),
		('due_at', false, 60, 'due_at')
	) AS f (field, mapped, position, expression)
	WHERE p_source_kind = 'tickets' AND p_target_kind = 'tasks';
END;
COMMENT ON FUNCTION zcsync._route_default_fields(text, text) IS
'what a new route between these kinds copies';

-- Fill in the values that can be told without a person: priorities, and for
-- each status of the source the status of the target that means the same.
-- What is mapped already stays.
CREATE FUNCTION zcsync._suggest_values(p_route bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
BEGIN
	IF v_def ->> 'source_kind' <> 'tickets' OR v_def ->> 'target_kind' <> 'tasks' THEN
		RETURN;
	END IF;
	IF (v_def -> 'fields' -> 'priority' ->> 'mapped')::boolean THEN
		INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, created_at)
		SELECT p_route, 'priority', p.source, p.target, zcsync._now()
		FROM (VALUES ('urgent', '1'), ('high', '2'), ('normal', '3'), ('low', '4')) AS p (source, target)
		ON CONFLICT DO NOTHING;
	END IF;
	IF NOT coalesce((v_def -> 'fields' -> 'status' ->> 'mapped')::boolean, false) THEN
		RETURN;
	END IF;

	-- The choices for a source status, best first: the same name, then its
	-- category.  Open and closed ones have an order; between several statuses
	-- for work that goes on, only a person can choose.
	INSERT INTO zcsync.route_values (route_id, field, source_value, target_value, target_id, created_at)
	SELECT p_route, 'status', c.source, c.name, c.status_id, zcsync._now()
	FROM (
		SELECT DISTINCT ON (w.source) w.source, t.name, t.status_id,
			t.category = 'custom' AND lower(t.name) <> w.source AND t.customs > 1
				AND NOT (t.progress AND t.progresses = 1) AS ambiguous
		FROM (VALUES
			('new', ARRAY['open']), ('open', ARRAY['open']), ('pending', ARRAY['custom']), ('hold', ARRAY['custom']),
			('solved', ARRAY['done', 'closed']), ('closed', ARRAY['closed', 'done'])) AS w (source, categories)
		JOIN (
			SELECT st.*, lower(st.name) LIKE '%progress%' AS progress,
				(SELECT count(DISTINCT lower(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE) AS customs,
				(SELECT count(DISTINCT lower(o.name)) FROM zcsync.statuses o
				WHERE o.account_id = st.account_id AND o.scope_id = st.scope_id AND o.category = 'custom'
					AND o.deleted_at IS NULL AND o.active IS NOT FALSE AND lower(o.name) LIKE '%progress%') AS progresses
			FROM zcsync.statuses st
			WHERE st.account_id = (v_def ->> 'target_account')::bigint
				AND (v_def ->> 'list' IS NULL OR st.scope_id = v_def ->> 'list')
				AND st.deleted_at IS NULL AND st.active IS NOT FALSE
		) AS t ON lower(t.name) = w.source OR t.category = ANY (w.categories)
		ORDER BY w.source, lower(t.name) = w.source DESC, array_position(w.categories, t.category),
			t.category = 'custom' AND t.progress DESC, t.position, t.scope_id, t.local_id
	) AS c
	WHERE NOT c.ambiguous
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION zcsync._suggest_values(bigint) IS
'maps priorities and those statuses of a route that have one obvious counterpart';

-- Check the settings of a route that are not SQL, and give it a number.
CREATE FUNCTION zcsync._begin_route(p_route jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := p_route ->> 'name';
	v_source zcsync.streams;
	v_target zcsync.streams;
	v_reference text;
BEGIN
	IF v_name IS NULL OR v_name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_name',
			MESSAGE = format('invalid route name %s', coalesce('"' || left(v_name, 80) || '"', 'NULL')),
			DETAIL = 'A name has 1 to 63 characters: lower case letters, digits, "_", "." and "-", a letter or digit first.';
	ELSIF EXISTS (SELECT FROM zcsync.routes r WHERE r.name = v_name) THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('route "%s" exists already', v_name),
			HINT = 'Change it with zcsync.alter_route().';
	END IF;
	SELECT * INTO v_source FROM zcsync.streams s WHERE s.stream_id = (p_route ->> 'source_stream_id')::bigint;
	SELECT * INTO v_target FROM zcsync.streams s WHERE s.stream_id = (p_route ->> 'target_stream_id')::bigint;
	SELECT a.name || '/' || v_target.kind INTO v_reference FROM zcsync.accounts a WHERE a.account_id = v_target.account_id;
	IF v_source.stream_id = v_target.stream_id THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('route "%s" leads from %s to itself', v_name, v_reference);
	ELSIF NOT EXISTS (SELECT FROM zcsync._route_target_fields(v_target.stream_id)) THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('stream "%s" cannot be the target of a route', v_reference),
			DETAIL = 'Its records cannot be written.';
	ELSIF NOT v_target.writes THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('stream "%s" is read-only', v_reference),
			HINT = format('SELECT zcsync.alter_stream(%L, writes => true);', v_reference);
	END IF;
	PERFORM zcsync._check_route_settings(p_route);
	IF to_regnamespace('zcsync_routes') IS NULL THEN
		PERFORM zcsync._create_routes();
	END IF;
	RETURN nextval(pg_get_serial_sequence('zcsync.routes', 'route_id'));
END
$$;
COMMENT ON FUNCTION zcsync._begin_route(jsonb) IS
'checks name, streams and settings of a new route and returns its number';

CREATE FUNCTION zcsync._check_route_settings(p_route jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_route ->> 'direction' IS DISTINCT FROM 'forward' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('direction %s is not supported', coalesce('"' || (p_route ->> 'direction') || '"', 'NULL')),
			HINT = 'Use direction => ''forward''.';
	ELSIF coalesce(p_route ->> 'on_leave', '') NOT IN ('keep', 'unlink', 'close') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for on_leave: %s', coalesce('"' || (p_route ->> 'on_leave') || '"', 'NULL')),
			HINT = 'Use ''keep'', ''unlink'' or ''close''.';
	ELSIF btrim(coalesce(p_route ->> 'create_in', '')) = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a route needs to know where to create records',
			HINT = 'Give create_in: a list id, a path such as ''Engineering/Bugs'', or an SQL expression that gives one of them.';
	ELSIF p_route ->> 'default_assignee' !~ '^([0-9]{1,20}|[^[:space:]@]+@[^[:space:]@]+)$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid default assignee "%s"', p_route ->> 'default_assignee'),
			HINT = 'Give the id or the e-mail address of a member.';
	ELSIF p_route ->> 'notify' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'notify must be true or false';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_settings(jsonb) IS
'raises an error when a setting of a route is not valid';

CREATE FUNCTION zcsync.add_route(name text, source text, target text, direction text DEFAULT 'forward',
	filter text DEFAULT NULL, create_in text DEFAULT NULL, match_on text DEFAULT NULL, on_leave text DEFAULT 'keep',
	default_assignee text DEFAULT NULL, notify boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route jsonb;
	v_id bigint;
	v_def jsonb;
BEGIN
	v_route := jsonb_build_object('name', name,
		'source_stream_id', zcsync.stream(source), 'target_stream_id', zcsync.stream(target),
		'direction', direction, 'filter', nullif(btrim(filter), ''), 'create_in', create_in,
		'match_on', nullif(btrim(match_on), ''), 'on_leave', on_leave,
		'default_assignee', nullif(btrim(default_assignee), ''), 'notify', notify);
	v_id := zcsync._begin_route(v_route);
	v_def := zcsync._route_definition(v_id, jsonb_build_object('route', v_route));
	PERFORM zcsync._change_route(v_id, jsonb_build_object('route', v_route,
		'fields', zcsync._route_default_fields(v_def ->> 'source_kind', v_def ->> 'target_kind')));
	PERFORM zcsync._suggest_values(v_id);
	RETURN format('route "%s" is made and paused; SELECT * FROM zcsync.check_route(%L) says what is to do before zcsync.resume_route(%L)',
		name, name, name);
END
$$;
COMMENT ON FUNCTION zcsync.add_route(text, text, text, text, text, text, text, text, text, boolean) IS
'makes a route between two streams, paused; filter, create_in and match_on are SQL over the source row and run with the rights of the caller';

-- NULL leaves a setting as it is; '' takes filter, match_on and
-- default_assignee away.
CREATE FUNCTION zcsync.alter_route(name text, filter text DEFAULT NULL, create_in text DEFAULT NULL,
	match_on text DEFAULT NULL, on_leave text DEFAULT NULL, default_assignee text DEFAULT NULL,
	notify boolean DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_change jsonb;
BEGIN
	v_change := jsonb_strip_nulls(jsonb_build_object('filter', filter, 'create_in', create_in, 'match_on', match_on,
		'on_leave', on_leave, 'default_assignee', default_assignee, 'notify', notify));
	SELECT jsonb_object_agg(c.key, CASE WHEN btrim(c.value #>> '{}') <> '' THEN c.value ELSE 'null' END)
	INTO v_change FROM jsonb_each(v_change) c;
	IF v_change IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('nothing to change in route "%s"', name);
	END IF;
	PERFORM zcsync._check_route_settings(to_jsonb(v_route) || v_change);
	PERFORM zcsync._change_route(v_route.route_id, jsonb_build_object('route', v_change));
	PERFORM zcsync._suggest_values(v_route.route_id);
END
$$;
COMMENT ON FUNCTION zcsync.alter_route(text, text, text, text, text, text, boolean) IS
'changes settings of a route; what is not given stays, an empty text takes filter, match_on or default_assignee away';

CREATE FUNCTION zcsync.remove_route(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_held bigint;
	v_function regprocedure;
BEGIN
	-- Wait for a batch of this route, which takes the same lock.
	PERFORM pg_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v_route.route_id % 2147483647)::integer);
	SELECT count(*) INTO v_held FROM zcsync.sync_queue q WHERE q.route_id = v_route.route_id AND q.state = 'held';
	IF v_held > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('%s writes of route "%s" are held', v_held, name),
			HINT = format('Decide about them first: SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%L);', name, name);
	END IF;
	DELETE FROM zcsync.sync_queue q WHERE q.route_id = v_route.route_id AND q.operation = 'route' AND q.state = 'ready';
	DELETE FROM zcsync.dead_letters d WHERE d.route_id = v_route.route_id AND d.operation = 'route';
	DELETE FROM zcsync.routes r WHERE r.route_id = v_route.route_id;
	FOR v_function IN
		SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = to_regnamespace('zcsync_routes')
			AND p.proname ~ ('^(filter|map|list|match)_' || v_route.route_id || '$')
	LOOP
		EXECUTE format('DROP FUNCTION %s', v_function);
	END LOOP;
	PERFORM zcsync._resolve_alert('write_brake', name);
END
$$;
COMMENT ON FUNCTION zcsync.remove_route(text) IS
'removes a route, its links and what waits in its name; the records on both sides stay';

CREATE FUNCTION zcsync.pause_route(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
BEGIN
	UPDATE zcsync.routes r SET state = 'paused' WHERE r.route_id = v_route.route_id;
END
$$;
COMMENT ON FUNCTION zcsync.pause_route(text) IS
'stops a route; zcsync.resume_route() catches up with what changed meanwhile';

CREATE FUNCTION zcsync.resume_route(name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_faults text;
	v_count bigint;
BEGIN
	PERFORM zcsync._suggest_values(v_route.route_id);
	SELECT string_agg(c.item || ': ' || c.message, E'\n'), count(*) INTO v_faults, v_count
	FROM zcsync.check_route(name) c WHERE NOT c.ok;
	IF v_count > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('route "%s" is not ready', name),
			DETAIL = v_faults,
			HINT = format('SELECT * FROM zcsync.check_route(%L) says what to run.', name);
	END IF;
	UPDATE zcsync.routes r SET state = 'active', starts_at = coalesce(r.starts_at, zcsync._now())
	WHERE r.route_id = v_route.route_id;
	PERFORM zcsync._resolve_alert('route_fault', name);
	IF v_route.starts_at IS NOT NULL AND v_route.state = 'paused' THEN
		PERFORM zcsync._catch_up_route(v_route.route_id);
	END IF;
	PERFORM zcsync._wake();
	RETURN format('route "%s" is active%s', name,
		CASE WHEN v_route.starts_at IS NULL THEN
			format(' for changes from now on; SELECT * FROM zcsync.backfill_route(%L) shows what went before', name)
		ELSE '' END);
END
$$;
COMMENT ON FUNCTION zcsync.resume_route(text) IS
'starts a route, or goes on where it was paused; refused while zcsync.check_route() finds something';

-- Queue what may have changed while a route was paused: all records that
-- changed since it first began.  Those that are as they were cost no write.
CREATE FUNCTION zcsync._catch_up_route(p_route bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT r.starts_at, s.stream_id, s.account_id, s.kind INTO v
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	WHERE r.route_id = p_route;
	EXECUTE format($sql$
		INSERT INTO zcsync.sync_queue AS q (account_id, queue, operation, budget_class, stream_id, route_id, kind, local_id,
			record_key, dedupe_key, priority, run_at, enqueued_by, created_at)
		SELECT s.account_id, 'route', 'route', '', $1, $2, $3, s.local_id,
			format('route/%%s/%%s', $2, s.local_id), format('route/%%s/%%s', $2, s.local_id),
			60, zcsync._now(), session_user, zcsync._now()
		FROM zcsync.%I AS s
		WHERE s.account_id = $4 AND (coalesce(s.updated_at, s.created_at, $5) >= $5 OR s.deleted_at >= $5)
		ORDER BY s.local_id
		ON CONFLICT (account_id, dedupe_key) WHERE state = 'ready' DO UPDATE SET joins = q.joins + 1$sql$, v.kind)
	USING v.stream_id, p_route, v.kind, v.account_id, date_trunc('second', v.starts_at);
END
$$;
COMMENT ON FUNCTION zcsync._catch_up_route(bigint) IS
'queues the source records that changed since a route first began';

-- ---------------------------------------------------------------------
-- Maps
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.map_field(route text, field text, expression text) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_def jsonb := zcsync._route_definition(v_route.route_id, '{}');
BEGIN
	IF field IS NULL OR NOT (v_def -> 'types' ? field OR field ~ '^custom:[^[:space:]:]{1,100}$') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s/%s has no field %s that a route can write',
				v_def ->> 'target_name', v_def ->> 'target_kind', coalesce('"' || left(field, 100) || '"', 'NULL')),
			HINT = format('Fields are %s, and custom:<field id>.',
				(SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(v_def -> 'types') k));
	END IF;
	PERFORM zcsync._change_route(v_route.route_id, jsonb_build_object('fields', jsonb_build_object(field,
		jsonb_build_object('expression', coalesce(expression, ''),
			'mapped', coalesce((v_def -> 'fields' -> field ->> 'mapped')::boolean, false),
			'position', coalesce((v_def -> 'fields' -> field ->> 'position')::integer, 100)))));
END
$$;
COMMENT ON FUNCTION zcsync.map_field(text, text, text) IS
'copies the value of an SQL expression over the source row to a field of the target, or to custom:<field id>';

CREATE FUNCTION zcsync.unmap_field(route text, field text) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
BEGIN
	PERFORM zcsync._check_route_field(v_route.route_id, field);
	PERFORM zcsync._change_route(v_route.route_id,
		jsonb_build_object('fields', jsonb_build_object(field, NULL)));
END
$$;
COMMENT ON FUNCTION zcsync.unmap_field(text, text) IS
'stops copying a field, and forgets its values; the records keep what they have';

-- Does the route copy this field?
CREATE FUNCTION zcsync._check_route_field(p_route bigint, p_field text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.route_fields f WHERE f.route_id = p_route AND f.field = p_field) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('route "%s" does not copy a field %s',
				(SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route), coalesce('"' || left(p_field, 100) || '"', 'NULL')),
			HINT = coalesce('It copies ' || (SELECT string_agg(f.field, ', ' ORDER BY f.field)
				FROM zcsync.route_fields f WHERE f.route_id = p_route) || '.', 'Add it with zcsync.map_field().');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_field(bigint, text) IS
'raises an error unless the route copies the field';

CREATE FUNCTION zcsync.map_value(route text, field text, source_value text, target_value text) RETURNS bigint
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_field jsonb;
BEGIN
	PERFORM zcsync._check_route_field(v_route.route_id, field);
	IF source_value IS NULL OR length(source_value) > 500 OR length(target_value) > 500 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN source_value IS NULL THEN 'source value must not be NULL'
				ELSE 'a mapped value has at most 500 characters' END,
			HINT = 'A target value of NULL means: leave the field empty.';
	END IF;
	v_field := zcsync._route_definition(v_route.route_id, '{}') -> 'fields' -> field;
	IF NOT (v_field ->> 'mapped')::boolean THEN
		PERFORM zcsync._change_route(v_route.route_id,
			jsonb_build_object('fields', jsonb_build_object(field, v_field || '{"mapped": true}')));
	END IF;
	RETURN zcsync._save_value(v_route.route_id, field, source_value, target_value);
END
$$;
COMMENT ON FUNCTION zcsync.map_value(text, text, text, text) IS
'translates a value of a field; returns how many records that waited for it are gone through again';

-- Store the translation of a value, with the id of the status it names, and
-- queue the records that were held up for want of it.
CREATE FUNCTION zcsync._save_value(p_route bigint, p_field text, p_source_value text, p_target_value text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
	v_type text := v_def -> 'types' ->> p_field;
	v_status zcsync.statuses;
	v_count bigint;
BEGIN
	IF v_type IS NOT NULL AND v_type NOT IN ('text', 'text[]') THEN
		BEGIN
			EXECUTE format('SELECT $1::%s', v_type) USING p_target_value;
		EXCEPTION WHEN data_exception THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('"%s" is not a value of type %s', p_target_value, v_type),
				DETAIL = format('Field "%s" has that type.', p_field);
		END;
	ELSIF p_field = 'status' AND v_def ->> 'target_kind' = 'tasks' THEN
		SELECT * INTO v_status FROM zcsync.statuses st
		WHERE st.account_id = (v_def ->> 'target_account')::bigint AND lower(st.name) = lower(p_target_value)
			AND st.deleted_at IS NULL AND (v_def ->> 'list' IS NULL OR st.scope_id = v_def ->> 'list')
		ORDER BY st.scope_id, st.position LIMIT 1;
		IF NOT FOUND AND p_target_value IS NOT NULL AND v_def ->> 'list' IS NOT NULL
			AND EXISTS (SELECT FROM zcsync.statuses st WHERE st.account_id = (v_def ->> 'target_account')::bigint
				AND st.scope_id = v_def ->> 'list' AND st.deleted_at IS NULL) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('list %s has no status "%s"', v_def ->> 'list', p_target_value),
				HINT = format('Its statuses are %s.', (SELECT string_agg(st.name, ', ' ORDER BY st.position)
					FROM zcsync.statuses st WHERE st.account_id = (v_def ->> 'target_account')::bigint
						AND st.scope_id = v_def ->> 'list' AND st.deleted_at IS NULL AND st.active IS NOT FALSE));
		END IF;
	END IF;
	INSERT INTO zcsync.route_values AS v (route_id, field, source_value, target_value, target_id, created_at)
	VALUES (p_route, p_field, p_source_value, coalesce(v_status.name, p_target_value), v_status.status_id, zcsync._now())
	ON CONFLICT (route_id, field, source_value) DO UPDATE
	SET target_value = excluded.target_value, target_id = excluded.target_id;

	WITH queued AS (
		INSERT INTO zcsync.sync_queue AS q (account_id, queue, operation, budget_class, route_id, kind, local_id,
			record_key, dedupe_key, run_at, enqueued_by, created_at)
		SELECT (v_def ->> 'source_account')::bigint, 'route', 'route', '', p_route, v_def ->> 'source_kind', e.source_id,
			format('route/%s/%s', p_route, e.source_id), format('route/%s/%s', p_route, e.source_id),
			zcsync._now(), session_user, zcsync._now()
		FROM zcsync.route_errors e
		WHERE e.route_id = p_route AND e.field = p_field AND e.value = p_source_value
		ON CONFLICT (account_id, dedupe_key) WHERE state = 'ready' DO UPDATE SET joins = q.joins + 1
		RETURNING 1)
	SELECT count(*) INTO v_count FROM queued;
	PERFORM zcsync._wake();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._save_value(bigint, text, text, text) IS
'stores the translation of a value and queues the records that waited for it';

CREATE FUNCTION zcsync.unmap_value(route text, field text, source_value text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
BEGIN
	DELETE FROM zcsync.route_values v
	WHERE v.route_id = v_route.route_id AND v.field = unmap_value.field AND v.source_value = unmap_value.source_value;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('route "%s" does not translate value %s of field %s', route,
				coalesce('"' || left(source_value, 100) || '"', 'NULL'), coalesce('"' || left(field, 100) || '"', 'NULL')),
			HINT = 'SELECT * FROM zcsync.route_values shows what is mapped.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.unmap_value(text, text, text) IS
'forgets the translation of a value; records that have it hold that field back from then on';

-- ---------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------

-- What a role needs to define and run routes.  What its expressions read, it
-- must be allowed to read besides: zcsync.contacts for the default fields.
CREATE FUNCTION zcsync.allow_routes(role name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_function regprocedure;
BEGIN
	IF role IS NULL OR to_regrole(quote_ident(role)) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('role %s does not exist', coalesce('"' || role || '"', 'NULL'));
	END IF;
	PERFORM zcsync._create_routes();
	EXECUTE format('GRANT USAGE ON SCHEMA zcsync TO %I', role);
	EXECUTE format('GRANT USAGE, CREATE ON SCHEMA zcsync_routes TO %I', role);
	FOR v_function IN
		SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname IN (
			'add_route', 'alter_route', 'remove_route', 'pause_route', 'resume_route', 'check_route', 'plan', 'backfill_route',
			'map_field', 'unmap_field', 'map_value', 'unmap_value', 'record_url', 'stream', 'release_held', 'cancel_held',
			-- what the verbs call with the rights of their caller
			'_route', '_route_definition', '_route_default_fields', '_begin_route', '_check_route_settings', '_check_route_field',
			'_change_route', '_compile_route', '_check_expression', '_route_expressions', '_route_code', '_route_digest',
			'_save_route', '_save_value', '_suggest_values')
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_function, role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync.allow_routes(name) IS
'lets a role define, start and stop routes, which run with the rights of that role';
