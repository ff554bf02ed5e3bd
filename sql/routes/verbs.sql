-- ---------------------------------------------------------------------
-- Routes: the functions that define, start and stop them.
-- ---------------------------------------------------------------------

-- Raise an error if a new route cannot have this name or these streams.
CREATE FUNCTION zcsync._check_new_route(p_route jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
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
END
$$;
COMMENT ON FUNCTION zcsync._check_new_route(jsonb) IS
'raises an error when a new route cannot have this name or these streams';

-- Check the settings of a new route that are not SQL, and return its number.
CREATE FUNCTION zcsync._begin_route(p_route jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._check_new_route(p_route);
	PERFORM zcsync._check_route_settings(p_route);
	IF p_route ->> 'direction' = 'both' THEN
		PERFORM zcsync._check_source_writable((p_route ->> 'source_stream_id')::bigint);
	END IF;
	IF to_regnamespace('zcsync_routes') IS NULL THEN
		PERFORM zcsync._create_routes();
	END IF;
	RETURN nextval(pg_get_serial_sequence('zcsync.routes', 'route_id'));
END
$$;
COMMENT ON FUNCTION zcsync._begin_route(jsonb) IS
'checks name, streams and settings of a new route and returns its number';

CREATE FUNCTION zcsync._check_route_settings(p_route jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_target record;
BEGIN
	SELECT t.*, a.name, a.account_id INTO v_target
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	JOIN zcsync._route_targets() t ON t.vendor = a.vendor AND t.kind = s.kind
	WHERE s.stream_id = (p_route ->> 'target_stream_id')::bigint;
	IF coalesce(p_route ->> 'direction', '') NOT IN ('forward', 'both') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for direction: %s', coalesce('"' || (p_route ->> 'direction') || '"', 'NULL')),
			HINT = 'Use ''forward'' or ''both''; single fields come back with map_field(..., back => true).';
	ELSIF coalesce(p_route ->> 'on_leave', '') NOT IN ('keep', 'unlink', 'close') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for on_leave: %s', coalesce('"' || (p_route ->> 'on_leave') || '"', 'NULL')),
			HINT = 'Use ''keep'', ''unlink'' or ''close''.';
	ELSIF v_target.setting IS NULL AND p_route ->> 'create_in' IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s take neither create_in nor ticket_type', v_target.kind, v_target.vendor),
			HINT = 'Leave it out; map group_id for a group.';
	ELSIF v_target.setting IS NOT NULL AND btrim(coalesce(p_route ->> 'create_in', '')) = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE v_target.setting WHEN 'ticket_type' THEN format('a route to %s/%s needs a ticket type', v_target.name, v_target.kind)
				ELSE 'a route needs to know where to create records' END,
			HINT = CASE v_target.setting WHEN 'ticket_type' THEN
					format('Give ticket_type: name or id of one of %s, or an SQL expression that gives one of them.',
						coalesce((SELECT left(string_agg(format('%s (%s)', y.name, y.id), ', ' ORDER BY y.name), 1000)
							FROM zcsync._route_places(v_target.account_id, v_target.kind) y), 'those that the stream of fields will read'))
				ELSE 'Give create_in: a list id, a path such as ''Engineering/Bugs'', or an SQL expression that gives one of them.' END;
	ELSIF p_route ->> 'default_assignee' !~ '^([0-9]{1,20}|[^[:space:]@]+@[^[:space:]@]+)$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid default assignee "%s"', p_route ->> 'default_assignee'),
			HINT = 'Give the id or the e-mail address of a member.';
	ELSIF p_route ->> 'default_assignee' IS NOT NULL AND NOT v_target.roles @? '$.* ? (@ == "member")' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s have no default assignee', v_target.kind, v_target.vendor),
			HINT = 'Map the field: SELECT zcsync.map_field(<route>, <field>, <expression>);';
	ELSIF p_route ->> 'default_client' IS NOT NULL AND NOT v_target.roles @? '$.* ? (@ == "company")' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s have no client', v_target.kind, v_target.vendor);
	ELSIF coalesce(p_route ->> 'unknown_user', '') NOT IN ('none', 'general', 'create') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for unknown_user: %s', coalesce('"' || (p_route ->> 'unknown_user') || '"', 'NULL')),
			HINT = 'Use ''none'', ''general'' or ''create''.';
	ELSIF p_route ->> 'unknown_user' = 'create' AND NOT v_target.roles @? '$.* ? (@ == "requester")' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('people cannot be created for %s of %s', v_target.kind, v_target.vendor);
	ELSIF p_route ->> 'notify' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'notify must be true or false';
	END IF;
	PERFORM zcsync._named_client(v_target.account_id, p_route ->> 'default_client') WHERE p_route ->> 'default_client' IS NOT NULL;
	PERFORM zcsync._check_unknown_organization(p_route, v_target.roles @? '$.* ? (@ == "organization")');
END
$$;
COMMENT ON FUNCTION zcsync._check_route_settings(jsonb) IS
'raises an error when a setting of a route is not valid';

-- An organization is made for a company of the source, once, and nobody whom the mirror
-- or the vendor's search knows changes into it: so the companies of both sides must be known, and the people
-- of the target.
CREATE FUNCTION zcsync._check_unknown_organization(p_route jsonb, p_has_organizations boolean) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_source record;
	v_unread record;
BEGIN
	IF coalesce(p_route ->> 'unknown_organization', '') NOT IN ('none', 'create') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for unknown_organization: %s', coalesce('"' || (p_route ->> 'unknown_organization') || '"', 'NULL')),
			HINT = 'Use ''none'' or ''create''.';
	ELSIF p_route ->> 'unknown_organization' = 'none' THEN
		RETURN;
	END IF;
	SELECT a.name, s.kind INTO v_source FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = (p_route ->> 'source_stream_id')::bigint;
	IF p_has_organizations IS NOT TRUE OR v_source.kind <> 'tickets' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = 'this route cannot create organizations',
			DETAIL = CASE WHEN p_has_organizations IS NOT TRUE THEN 'Its target takes no organization with a requester.'
				ELSE format('%s of account "%s" belong to no company.', v_source.kind, v_source.name) END;
	ELSIF p_route ->> 'unknown_user' <> 'create' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'organizations are created together with the requesters that belong to them',
			HINT = 'Give unknown_user => ''create'', too.';
	END IF;
	SELECT a.name, k.kind, EXISTS (SELECT FROM zcsync.streams c WHERE c.account_id = a.account_id AND c.kind = k.kind) AS is_here INTO v_unread
	FROM (VALUES (p_route ->> 'source_stream_id', 'companies'), (p_route ->> 'target_stream_id', 'companies'),
		(p_route ->> 'target_stream_id', 'contacts')) AS k (stream_id, kind)
	JOIN zcsync.streams r ON r.stream_id = k.stream_id::bigint JOIN zcsync.accounts a ON a.account_id = r.account_id
	WHERE NOT EXISTS (SELECT FROM zcsync.streams c WHERE c.account_id = a.account_id AND c.kind = k.kind AND c.history_state = 'done')
	ORDER BY a.name, k.kind LIMIT 1;
	IF FOUND AND NOT EXISTS (SELECT FROM zcsync.routes r WHERE r.route_id = (p_route ->> 'route_id')::bigint AND r.unknown_organization = 'create') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('not all %s of account "%s" are known', v_unread.kind, v_unread.name),
			DETAIL = 'Those that exist there must not be created again, or changed.',
			HINT = CASE WHEN v_unread.is_here THEN 'Wait until the history of that stream is read; zcsync.progress shows how far it is.'
				ELSE format('SELECT * FROM zcsync.add_stream(%L, %L, since => ''2000-01-01'');', v_unread.name, v_unread.kind) END;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_unknown_organization(jsonb, boolean) IS
'raises an error unless a route can make organizations, if it is to make them';

-- The place of new records is given as create_in or as ticket_type, by the name that
-- people use at the target.
CREATE FUNCTION zcsync._place_setting(p_create_in text, p_ticket_type text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF num_nonnulls(p_create_in, p_ticket_type) = 2 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'create_in and ticket_type are two names for one setting',
			HINT = (SELECT 'Give ' || string_agg(format(CASE x.n WHEN 1 THEN '%s for a target at %s' ELSE '%s for one at %s' END, x.setting, x.titles),
					', ' ORDER BY x.n) || '.'
				FROM (SELECT t.setting, string_agg(DISTINCT t.title, ', ') AS titles, row_number() OVER (ORDER BY t.setting DESC) AS n
					FROM zcsync._route_targets() t WHERE t.setting IS NOT NULL GROUP BY t.setting) AS x);
	END IF;
	RETURN coalesce(p_create_in, p_ticket_type);
END
$$;
COMMENT ON FUNCTION zcsync._place_setting(text, text) IS
'where a route creates records, given by one of two names';

CREATE FUNCTION zcsync.add_route(name text, source text, target text, direction text DEFAULT 'forward',
	filter text DEFAULT NULL, create_in text DEFAULT NULL, match_on text DEFAULT NULL, on_leave text DEFAULT 'keep',
	default_assignee text DEFAULT NULL, notify boolean DEFAULT false, ticket_type text DEFAULT NULL,
	default_client text DEFAULT NULL, unknown_user text DEFAULT 'none', unknown_organization text DEFAULT 'none') RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route jsonb;
	v_id bigint;
	v_def jsonb;
BEGIN
	PERFORM zcsync._refuse_standby();
	v_route := jsonb_build_object('name', name,
		'source_stream_id', zcsync.stream(source), 'target_stream_id', zcsync.stream(target),
		'direction', direction, 'filter', nullif(btrim(filter), ''), 'create_in', zcsync._place_setting(create_in, ticket_type),
		'match_on', nullif(btrim(match_on), ''), 'on_leave', on_leave,
		'default_assignee', nullif(btrim(default_assignee), ''), 'default_client', nullif(btrim(default_client), ''),
		'unknown_user', unknown_user, 'unknown_organization', unknown_organization, 'notify', notify);
	v_id := zcsync._begin_route(v_route);
	v_def := zcsync._route_definition(v_id, jsonb_build_object('route', v_route));
	IF filter IS NULL THEN
		v_route := v_route || jsonb_build_object('filter',
			zcsync._route_default_filter(v_def ->> 'source_vendor', v_def ->> 'source_kind'));
	END IF;
	PERFORM zcsync._change_route(v_id, jsonb_build_object('route', v_route,
		'fields', zcsync._route_default_fields(v_def, 'forward'), 'back', zcsync._route_default_fields(v_def, 'back')));
	PERFORM zcsync._suggest_values(v_id);
	RETURN format('route "%s" is made and paused; SELECT * FROM zcsync.check_route(%L) says what is to do before zcsync.resume_route(%L)',
		name, name, name);
END
$$;
COMMENT ON FUNCTION zcsync.add_route(text, text, text, text, text, text, text, text, text, boolean, text, text, text, text) IS
'makes a route between two streams, paused; filter, create_in, ticket_type and match_on are SQL over the source row and run with the rights of the caller';

-- NULL leaves a setting as it is; '' removes filter, match_on, default_assignee and
-- default_client.
CREATE FUNCTION zcsync.alter_route(name text, filter text DEFAULT NULL, create_in text DEFAULT NULL,
	match_on text DEFAULT NULL, on_leave text DEFAULT NULL, default_assignee text DEFAULT NULL,
	notify boolean DEFAULT NULL, ticket_type text DEFAULT NULL, default_client text DEFAULT NULL,
	unknown_user text DEFAULT NULL, direction text DEFAULT NULL, unknown_organization text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_change jsonb;
	v_back jsonb := '{}';
BEGIN
	PERFORM zcsync._refuse_standby();
	v_change := jsonb_strip_nulls(jsonb_build_object('filter', filter, 'create_in', zcsync._place_setting(create_in, ticket_type),
		'match_on', match_on, 'on_leave', on_leave, 'default_assignee', default_assignee, 'notify', notify,
		'default_client', default_client, 'unknown_user', unknown_user, 'unknown_organization', unknown_organization, 'direction', direction));
	SELECT jsonb_object_agg(c.key, CASE WHEN btrim(c.value #>> '{}') <> '' THEN c.value ELSE 'null' END)
	INTO v_change FROM jsonb_each(v_change) c;
	IF v_change IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('nothing to change in route "%s"', name);
	END IF;
	PERFORM zcsync._check_route_settings(to_jsonb(v_route) || v_change);
	IF direction <> v_route.direction THEN
		v_back := zcsync._turned_back_fields(v_route.route_id, direction);
	END IF;
	PERFORM zcsync._change_route(v_route.route_id, jsonb_build_object('route', v_change, 'back', v_back));
	PERFORM zcsync._suggest_values(v_route.route_id);
	IF v_back <> '{}' AND direction = 'both' THEN
		PERFORM zcsync._queue_pairs(v_route.route_id);
	END IF;
	IF v_change ->> 'default_client' IS NOT NULL THEN
		PERFORM zcsync._queue_unmapped(v_route.route_id);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.alter_route(text, text, text, text, text, text, boolean, text, text, text, text, text) IS
'changes settings of a route; settings that are not given stay, an empty text removes filter, match_on, default_assignee or default_client';

-- How the fields that come back change when a route gets another direction: with
-- direction both, those of a new route of that direction are added; otherwise, what
-- comes back is removed.
CREATE FUNCTION zcsync._turned_back_fields(p_route bigint, p_direction text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, jsonb_build_object('route', jsonb_build_object('direction', p_direction)));
	v_usual jsonb := zcsync._route_default_fields(v_def, 'back');
BEGIN
	IF p_direction = 'both' THEN
		PERFORM zcsync._check_source_writable((v_def ->> 'source_stream_id')::bigint);
		RETURN (SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(v_usual) AS f WHERE NOT v_def -> 'back' ? f.key);
	END IF;
	RETURN (SELECT coalesce(jsonb_object_agg(f, NULL), '{}') FROM jsonb_object_keys(v_def -> 'back') AS f WHERE NOT v_usual ? f);
END
$$;
COMMENT ON FUNCTION zcsync._turned_back_fields(bigint, text) IS
'which fields start or stop coming back when a route gets another direction';

CREATE FUNCTION zcsync.remove_route(name text, force boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_held bigint;
	v_function regprocedure;
BEGIN
	PERFORM zcsync._refuse_standby();
	-- Wait for a batch of this route, which holds the same lock.
	PERFORM pg_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v_route.route_id % 2147483647)::integer);
	IF force THEN
		PERFORM zcsync.cancel_held(name) FROM zcsync.sync_queue q
		WHERE q.route_id = v_route.route_id AND q.state = 'held' LIMIT 1;
	END IF;
	SELECT count(*) INTO v_held FROM zcsync.sync_queue q WHERE q.route_id = v_route.route_id AND q.state = 'held';
	IF v_held > 0 AND force IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('%s writes of route "%s" are held', v_held, name),
			HINT = format('Decide about them first: SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%L);', name, name);
	END IF;
	PERFORM zcsync._lock_jobs(ARRAY(
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.route_id = v_route.route_id AND q.operation IN ('route', 'conversation') AND q.state = 'ready'));
	DELETE FROM zcsync.sync_queue q WHERE q.route_id = v_route.route_id AND q.operation IN ('route', 'conversation') AND q.state = 'ready';
	DELETE FROM zcsync.dead_letters d WHERE d.route_id = v_route.route_id AND d.operation = 'route';
	DELETE FROM zcsync.links l WHERE l.route_id = v_route.route_id AND l.state = 'cancelled';
	DELETE FROM zcsync.routes r WHERE r.route_id = v_route.route_id;	-- its pairs stay, without a driver
	FOR v_function IN
		SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = to_regnamespace('zcsync_routes')
			AND p.proname ~ ('^(forward|match|back)_' || v_route.route_id || '$')
	LOOP
		EXECUTE format('DROP FUNCTION %s', v_function);
	END LOOP;
	PERFORM zcsync._resolve_alert(c, name) FROM unnest('{write_brake,write_refused,route_fault}'::text[]) AS c;
END
$$;
COMMENT ON FUNCTION zcsync.remove_route(text, boolean) IS
'removes a route and its waiting jobs, with force also its held writes (see cancel_held()); the records on both sides stay, and so do their pairs, which another route may take over';

CREATE FUNCTION zcsync.pause_route(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
BEGIN
	PERFORM zcsync._refuse_standby();
	UPDATE zcsync.routes r SET state = 'paused', paused_at = zcsync._now(), paused_by = session_user
	WHERE r.route_id = v_route.route_id AND r.state <> 'paused';
	PERFORM zcsync._hold_copies(v_route.route_id);
END
$$;
COMMENT ON FUNCTION zcsync.pause_route(text) IS
'stops a route; zcsync.resume_route() catches up with what changed meanwhile';

CREATE FUNCTION zcsync.resume_route(name text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(name));
	v_faults text;
	v_count bigint;
	v_start zcsync.route_start;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._suggest_values(v_route.route_id);
	PERFORM zcsync._refuse_rival(v_route.route_id);
	SELECT string_agg(c.item || ': ' || c.message, E'\n'), count(*) INTO v_faults, v_count
	FROM zcsync.check_route(name) c WHERE NOT c.ok;
	IF v_count > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('route "%s" is not ready', name),
			DETAIL = v_faults,
			HINT = format('SELECT * FROM zcsync.check_route(%L) says what to run.', name);
	END IF;
	IF v_route.state <> 'active' THEN
		PERFORM zcsync._await_writers(v_route.route_id);
	END IF;
	IF v_route.starts_at IS NULL THEN
		v_start := zcsync._begin_here(v_route.route_id);
		UPDATE zcsync.routes r
		SET starts_at = zcsync._now(), old_before = v_start.old_before, new_from = v_start.new_from, old_rows = v_start.old_rows
		WHERE r.route_id = v_route.route_id AND r.starts_at IS NULL;
	END IF;
	UPDATE zcsync.routes r SET state = 'active', paused_at = NULL, paused_by = NULL WHERE r.route_id = v_route.route_id;
	PERFORM zcsync._resolve_alert('route_fault', name);
	IF v_route.starts_at IS NOT NULL AND v_route.state = 'paused' THEN
		PERFORM zcsync._verb_begins(format('zcsync.resume_route(%L)', name));
		PERFORM zcsync._catch_up_route(v_route.route_id);
		PERFORM zcsync._verb_ends();
	END IF;
	PERFORM zcsync._queue_conversations(v_route.route_id);
	PERFORM zcsync._wake();
	RETURN format('route "%s" is active%s', name,
		CASE WHEN v_route.starts_at IS NULL THEN
			format(' for changes from now on; SELECT * FROM zcsync.backfill_route(%L) shows what went before%s', name,
				CASE WHEN NOT EXISTS (SELECT FROM zcsync.route_backfills b WHERE b.route_id = v_route.route_id AND b.follows) AND zcsync._brings_history(v_route.source_stream_id)
					THEN '; the history of the source is still being read, and a backfill that you confirm follows it' ELSE '' END)
		ELSE '' END);
END
$$;
COMMENT ON FUNCTION zcsync.resume_route(text) IS
'starts a route at the point to which its source has been read, so that records that come or change from then on are routed; or continues a paused one; refused while zcsync.check_route() finds a fault';

-- Queue source records of a route, 10,000 at a time, since there may be millions.  For
-- a backfill their number is stored, for the view progress; the number of the last one
-- is forgotten.
CREATE FUNCTION zcsync._enqueue_source(p_route bigint, p_ids bigint[], p_priority integer, p_backfill boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_source record;
	v_ids bigint[] := ARRAY(SELECT i FROM unnest(p_ids) AS i ORDER BY i::text COLLATE "C");
	v_goes_on boolean := EXISTS (
		SELECT FROM zcsync.sync_queue q WHERE q.route_id = p_route AND q.operation IN ('route', 'push') AND q.priority >= 60);
BEGIN
	SELECT s.account_id, s.stream_id, s.kind INTO v_source
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	WHERE r.route_id = p_route;
	IF p_priority >= 60 AND v_ids <> '{}' THEN
		INSERT INTO zcsync.route_backfills AS b (route_id, records, began_at) VALUES (p_route, cardinality(v_ids), zcsync._now())
		ON CONFLICT (route_id) DO UPDATE
		SET records = excluded.records + CASE WHEN v_goes_on THEN b.records ELSE 0 END,
			began_at = CASE WHEN v_goes_on THEN b.began_at ELSE excluded.began_at END;
	END IF;
	PERFORM zcsync._verb_step('queueing', cardinality(v_ids));
	FOR v_first IN 1 .. cardinality(v_ids) BY 10000 LOOP	-- in the order of _enqueue(), that of the keys
		PERFORM zcsync._enqueue(ARRAY(
			SELECT zcsync._job(v_source.account_id, 'route', 'route', '', k.key, k.key,
				CASE WHEN p_backfill THEN '{}' ELSE '{"edited": true}'::jsonb END, p_priority => p_priority,
				p_stream => v_source.stream_id, p_route => p_route, p_kind => v_source.kind, p_local_id => i, p_backfill => p_backfill)
			FROM unnest(v_ids[v_first:v_first + 9999]) AS i
			CROSS JOIN LATERAL (SELECT format('route/%s/%s', p_route, i)) AS k (key)
			ORDER BY i));
		PERFORM zcsync._verb_did(cardinality(v_ids[v_first:v_first + 9999]));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_source(bigint, bigint[], integer, boolean) IS
'queues source records of a route';

-- Queue the records that may have changed while a route was paused: all that changed
-- since it first began, on either side if something comes back.  For records that did
-- not change, nothing is written.
CREATE FUNCTION zcsync._catch_up_route(p_route bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_ids bigint[];
BEGIN
	SELECT zcsync._route_start(r.route_id) AS start, s.stream_id, s.account_id, s.kind, a.vendor, t.kind AS target_kind,
		EXISTS (SELECT FROM zcsync.route_fields f WHERE f.route_id = r.route_id AND f.direction = 'back') AS comes_back
	INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	EXECUTE format($sql$
		SELECT array_agg(s.local_id ORDER BY s.local_id)
		FROM zcsync.%I AS s
		WHERE s.account_id = $1 AND (zcsync._is_news($2, %s, s.sync_xid) OR s.deleted_at >= ($2).old_before
			OR s.local_id IN (SELECT l.source_id FROM zcsync.links AS l JOIN zcsync.%I AS t ON t.local_id = l.target_id
				WHERE l.route_id = $3 AND t.updated_at >= ($2).old_before AND $4))$sql$,
		v.kind, zcsync._route_changed_at(v.vendor), v.target_kind)
		INTO v_ids USING v.account_id, v.start, p_route, v.comes_back;
	PERFORM zcsync._enqueue_source(p_route, v_ids, 60, false);
END
$$;
COMMENT ON FUNCTION zcsync._catch_up_route(bigint) IS
'queues the source records that changed since a route first began';

-- ---------------------------------------------------------------------
-- Maps
-- ---------------------------------------------------------------------

-- The stored form of a field that a route may write; an error for any other.
CREATE FUNCTION zcsync._check_writable_field(p_def jsonb, p_field text, p_back boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_types jsonb := coalesce(nullif(p_def -> CASE WHEN p_back THEN 'back_types' ELSE 'types' END, 'null'), '{}');
	v_field text := CASE WHEN p_back THEN p_field ELSE zcsync._route_field(p_def, p_field) END;
BEGIN
	IF v_field IS NULL OR NOT (v_types ? v_field OR (v_field LIKE 'custom:%' AND p_back IS NOT TRUE)) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s has no field %s that a route can write',
				CASE WHEN p_back THEN format('%s/%s', p_def ->> 'source_name', p_def ->> 'source_kind')
					ELSE format('%s/%s', p_def ->> 'target_name', p_def ->> 'target_kind') END,
				coalesce('"' || left(p_field, 100) || '"', 'NULL')),
			HINT = format('Fields are %s%s.',
				(SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(v_types) k),
				CASE WHEN p_back THEN '' ELSE ', and custom:<field id or name>' END);
	END IF;
	RETURN v_field;
END
$$;
COMMENT ON FUNCTION zcsync._check_writable_field(jsonb, text, boolean) IS
'a field of a route as it is stored; an error unless a route can write it';

-- Are the values of a field translated when a new route copies it by this expression?
-- Then they are also translated when a person adds the field, since a status of one
-- vendor means nothing to another.
CREATE FUNCTION zcsync._is_usually_mapped(p_def jsonb, p_part text, p_field text, p_expression text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce((u.field ->> 'mapped')::boolean AND btrim(p_expression) IN (u.field ->> 'expression', substr(u.field ->> 'expression', 3),
		's.' || (u.field ->> 'expression')), false)
	FROM (SELECT zcsync._route_default_fields(p_def || '{"direction": "both"}', CASE p_part WHEN 'back' THEN 'back' ELSE 'forward' END) -> p_field) AS u (field)
$$;
COMMENT ON FUNCTION zcsync._is_usually_mapped(jsonb, text, text, text) IS
'are the values of a field translated when a new route copies it by this expression?';

CREATE FUNCTION zcsync.map_field(route text, field text, expression text, back boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_def jsonb := zcsync._route_definition(v_route.route_id, '{}');
	v_part text := CASE WHEN back THEN 'back' ELSE 'fields' END;
	v_field text;
	v_mapped boolean;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF back THEN
		PERFORM zcsync._check_source_writable(v_route.source_stream_id);
	END IF;
	v_field := zcsync._check_writable_field(v_def, field, back);
	v_mapped := coalesce((v_def -> v_part -> v_field ->> 'mapped')::boolean, zcsync._is_usually_mapped(v_def, v_part, v_field, expression));
	PERFORM zcsync._change_route(v_route.route_id, jsonb_build_object(v_part, jsonb_build_object(v_field,
		jsonb_build_object('expression', coalesce(expression, ''),
			'mapped', v_mapped,
			'position', coalesce((v_def -> v_part -> v_field ->> 'position')::integer, 100)))));
	IF v_mapped AND NOT v_def -> v_part ? v_field THEN
		PERFORM zcsync._suggest_values(v_route.route_id);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.map_field(text, text, text, boolean) IS
'copies the value of an SQL expression over the source row to a field of the target, or to custom:<field id or name>; with back, one over the target row to a column of the source';

CREATE FUNCTION zcsync.unmap_field(route text, field text, back boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_field text := zcsync._check_route_field(v_route.route_id, field, back);
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._change_route(v_route.route_id,
		jsonb_build_object(CASE WHEN back THEN 'back' ELSE 'fields' END, jsonb_build_object(v_field, NULL)));
END
$$;
COMMENT ON FUNCTION zcsync.unmap_field(text, text, boolean) IS
'stops copying a field, and forgets its values; the records keep what they have';

-- The stored form of a field that the route copies; an error for any other.
CREATE FUNCTION zcsync._check_route_field(p_route bigint, p_field text, p_back boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
	v_fields jsonb := v_def -> CASE WHEN p_back THEN 'back' ELSE 'fields' END;
	v_field text := p_field;
	v_ids text[];
BEGIN
	IF p_field LIKE 'custom:%' AND NOT v_fields ? p_field THEN
		v_ids := ARRAY(SELECT c.id FROM zcsync._custom_fields_named((v_def ->> 'target_account')::bigint, substr(p_field, 8)) AS c
			WHERE v_fields ? ('custom:' || c.id));
		PERFORM zcsync._refuse_ambiguous_field((v_def ->> 'target_account')::bigint, btrim(substr(p_field, 8)), v_ids);
		v_field := 'custom:' || v_ids[1];
	END IF;
	IF (v_fields ? v_field) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('route "%s" does not copy a field %s%s', v_def ->> 'name',
				coalesce('"' || left(p_field, 100) || '"', 'NULL'), CASE WHEN p_back THEN ' back' ELSE '' END),
			HINT = coalesce('It copies ' || (SELECT string_agg(f, ', ' ORDER BY f) FROM jsonb_object_keys(v_fields) f) || '.',
				'Add it with zcsync.map_field().');
	END IF;
	RETURN v_field;
END
$$;
COMMENT ON FUNCTION zcsync._check_route_field(bigint, text, boolean) IS
'a field as the route stores it; an error unless the route copies the field';

-- Raise an error if a value cannot be translated, or not in this field.
CREATE FUNCTION zcsync._check_translation(p_def jsonb, p_field text, p_back boolean, p_source_value text, p_target_value text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_source_value IS NULL OR length(p_source_value) > 500 OR length(p_target_value) > 500 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN p_source_value IS NULL THEN 'source value must not be NULL'
				ELSE 'a mapped value has at most 500 characters' END,
			HINT = 'A target value of NULL means: leave the field empty.';
	ELSIF NOT p_back AND p_def #>> ARRAY['target', 'roles', p_field] IN ('company', 'user', 'site') THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('values of field "%s" are not mapped one by one', p_field),
			HINT = 'Companies are mapped with zcsync.map_company(), people by their e-mail address.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_translation(jsonb, text, boolean, text, text) IS
'raises an error unless values of a field can be translated like this';

CREATE FUNCTION zcsync.map_value(route text, field text, source_value text, target_value text, back boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_part text := CASE WHEN back THEN 'back' ELSE 'fields' END;
	v_name text := zcsync._check_route_field(v_route.route_id, field, back);
	v_def jsonb := zcsync._route_definition(v_route.route_id, '{}');
	v_field jsonb := v_def -> v_part -> v_name;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_translation(v_def, v_name, coalesce(back, false), source_value, target_value);
	IF NOT (v_field ->> 'mapped')::boolean THEN
		PERFORM zcsync._change_route(v_route.route_id,
			jsonb_build_object(v_part, jsonb_build_object(v_name, v_field || '{"mapped": true}')));
	END IF;
	RETURN zcsync._save_value(v_route.route_id, v_name, source_value, target_value, coalesce(back, false));
END
$$;
COMMENT ON FUNCTION zcsync.map_value(text, text, text, text, boolean) IS
'translates a value of a field, or of one that comes back; returns how many records waited for it and are queued again';

-- A status of an account that a person names by id or name, of one scope or, if p_scope
-- is NULL, of any.
CREATE FUNCTION zcsync._named_status(p_account bigint, p_scope text, p_value text, OUT id text, OUT name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT st.status_id, st.name FROM zcsync.statuses st
	WHERE st.account_id = p_account AND st.deleted_at IS NULL AND (p_scope IS NULL OR st.scope_id = p_scope)
		AND (zcsync._fold(st.name) = zcsync._fold(p_value) OR st.status_id = p_value)
	ORDER BY coalesce(st.status_id = p_value, false) DESC, st.scope_id, st.position LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._named_status(bigint, text, text) IS
'id and name of a status that is given by one of them; NULL when there is none';

-- The form in which rows hold a value: if they hold the id of a status, a name is
-- replaced by its id, unless several statuses have it.
CREATE FUNCTION zcsync._status_value(p_def jsonb, p_back boolean, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_end text := CASE WHEN p_back THEN 'target' ELSE 'source' END;
	v_account bigint := (p_def ->> (v_end || '_account'))::bigint;
	v_kind zcsync.vendor_kind := zcsync._kind_of(p_def ->> (v_end || '_vendor'), p_def ->> (v_end || '_kind'));
BEGIN
	IF v_kind.status_is_id IS NOT TRUE THEN
		RETURN p_value;
	END IF;
	PERFORM zcsync._refuse_ambiguous_status(v_account, v_kind.status_scope, p_value);
	RETURN coalesce((SELECT s.id FROM zcsync._named_status(v_account, v_kind.status_scope, p_value) AS s), p_value);
END
$$;
COMMENT ON FUNCTION zcsync._status_value(jsonb, boolean, text) IS
'the id of a status that is given by its name, where rows hold ids; any other value as it is';

-- The values of status or priority that are the same in all accounts of a vendor; NULL
-- if accounts define their own.
CREATE FUNCTION zcsync._fixed_values(p_vendor text, p_kind text, p_field text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(x.value ORDER BY x.n)
	FROM (
		SELECT u.value, min(u.n) AS n
		FROM zcsync._kind_of(p_vendor, p_kind) AS k CROSS JOIN LATERAL unnest(k.usual) WITH ORDINALITY AS u (field, value, meaning, n)
		WHERE p_field = ANY (k.fixed_values) AND u.field = p_field
		GROUP BY u.value) AS x;
END;
COMMENT ON FUNCTION zcsync._fixed_values(text, text, text) IS
'the statuses, or priorities, that are the same in all accounts of a vendor and that records of a kind can be given; NULL if accounts define their own';

-- The vendor's own status or priority that a person names, if records can be given it;
-- an error for any other.
CREATE FUNCTION zcsync._fixed_value(p_def jsonb, p_field text, p_end text, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_title text := (zcsync._vendor_of(p_def ->> (p_end || '_vendor'))).title;
	v_kind zcsync.vendor_kind := zcsync._kind_of(p_def ->> (p_end || '_vendor'), p_def ->> (p_end || '_kind'));
	v_fixed text[] := zcsync._fixed_values(p_def ->> (p_end || '_vendor'), p_def ->> (p_end || '_kind'), p_field);
	v_value text := lower(btrim(p_value) COLLATE "C");
BEGIN
	IF v_value <> ALL (v_fixed) OR (v_value IS NULL AND p_field = 'status') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s of %s cannot be given %s %s', p_def ->> (p_end || '_kind'), v_title, p_field, coalesce('"' || p_value || '"', 'NULL')),
			HINT = format('Use %s.%s', (
					SELECT string_agg(f.value || coalesce((SELECT ' (' || u.meaning || ')' FROM unnest(v_kind.usual) AS u
						WHERE u.field = p_field AND u.value = f.value AND u.value ~ '^[0-9]+$' LIMIT 1), ''), ', ' ORDER BY f.n)
					FROM unnest(v_fixed) WITH ORDINALITY AS f (value, n)),
				CASE WHEN v_value = (v_kind.rules).final_status THEN format('  %s itself closes what is %s.', v_title, (v_kind.rules).closing_status) ELSE '' END);
	END IF;
	RETURN v_value;
END
$$;
COMMENT ON FUNCTION zcsync._fixed_value(jsonb, text, text, text) IS
'the vendor''s own status or priority that a person names; an error for one that records cannot be given';

-- The status of a lead that a person names.
CREATE FUNCTION zcsync._lead_status(p_def jsonb, p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_value text;
	v_statuses text;
	v_known boolean;
BEGIN
	SELECT coalesce(min(l.value) FILTER (WHERE zcsync._fold(l.name) = zcsync._fold(p_value)), p_value),
		string_agg(format('%s (%s)', l.value, l.name), ', ' ORDER BY l.position),
		coalesce(bool_or(l.value = p_value OR zcsync._fold(l.name) = zcsync._fold(p_value)), false)
	INTO v_value, v_statuses, v_known
	FROM zcsync._route_statuses((p_def ->> 'source_account')::bigint, 'leads', NULL) AS l;
	IF p_value IS NOT NULL AND NOT v_known THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('leads have no status "%s"', p_value),
			HINT = format('Their statuses are %s.', v_statuses);
	END IF;
	RETURN v_value;
END
$$;
COMMENT ON FUNCTION zcsync._lead_status(jsonb, text) IS
'the status of a lead given by its number or name; an error when there is none';

-- A status of one end of a route that a person names by its id or name: of the scope of
-- the kind, of the place of the route, or, if that is an expression, of any place.  An
-- error if the statuses are known and none matches.
CREATE FUNCTION zcsync._catalogued_status(p_def jsonb, p_end text, p_scope text, p_value text, OUT id text, OUT name text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := (p_def ->> (p_end || '_account'))::bigint;
	v_kind zcsync.vendor_kind := zcsync._kind_of(p_def ->> (p_end || '_vendor'), p_def ->> (p_end || '_kind'));
BEGIN
	IF v_kind.status_is_id THEN
		PERFORM zcsync._refuse_ambiguous_status(v_account, p_scope, p_value);
	END IF;
	SELECT s.id, s.name INTO id, name FROM zcsync._named_status(v_account, p_scope, p_value) s;
	IF id IS NULL AND p_value IS NOT NULL AND EXISTS (SELECT FROM zcsync.statuses st
		WHERE st.account_id = v_account AND (st.scope_id = p_scope OR p_scope IS NULL) AND st.deleted_at IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format(CASE WHEN p_scope IS NULL THEN '%s has no status "%s" in any %s' ELSE '%s has no status "%s"' END,
				CASE WHEN v_kind.status_scope IS NOT NULL THEN format('%s/%s', p_def ->> (p_end || '_name'), p_def ->> (p_end || '_kind'))
					WHEN p_scope IS NULL THEN p_def ->> (p_end || '_name') ELSE format('%s %s', v_kind.place, p_scope) END, p_value, v_kind.place),
			HINT = format('Its statuses are %s.', (
				SELECT string_agg(x.name, ', ' ORDER BY x.position, length(x.status_id), x.name)
				FROM (SELECT CASE WHEN v_kind.status_is_id THEN format('%s (%s)', st.name, st.status_id) ELSE st.name END AS name,
						min(st.position) AS position, CASE WHEN v_kind.status_is_id THEN st.status_id END AS status_id
					FROM zcsync.statuses st
					WHERE st.account_id = v_account AND (st.scope_id = p_scope OR p_scope IS NULL) AND st.deleted_at IS NULL AND st.active IS NOT FALSE
					GROUP BY 1, 3 LIMIT 100) AS x));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._catalogued_status(jsonb, text, text, text) IS
'id and name of a status that a person names; an error where the statuses are known and there is none such';

-- The translation of a value in its stored form: a status with its id.  Raises an error
-- if the field cannot have the value.
CREATE FUNCTION zcsync._translation(p_def jsonb, p_field text, p_back boolean, p_value text, OUT value text, OUT id text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_end text := CASE WHEN p_back THEN 'source' ELSE 'target' END;
	v_type text := p_def -> CASE WHEN p_back THEN 'back_types' ELSE 'types' END ->> p_field;
	v_account bigint := (p_def ->> (v_end || '_account'))::bigint;
	v_kind zcsync.vendor_kind := zcsync._kind_of(p_def ->> (v_end || '_vendor'), p_def ->> (v_end || '_kind'));
	v_role text := v_kind.roles ->> p_field;
BEGIN
	value := p_value;
	IF zcsync._fixed_values(p_def ->> (v_end || '_vendor'), p_def ->> (v_end || '_kind'), p_field) IS NOT NULL THEN
		value := zcsync._fixed_value(p_def, p_field, v_end, p_value);
	ELSIF p_back AND p_field = 'status' AND v_kind.status_is_id THEN
		SELECT coalesce(s.id, p_value) INTO value FROM zcsync._catalogued_status(p_def, v_end, p_def ->> 'source_kind', p_value) s;
	ELSIF p_back AND p_field = 'status_id' AND p_def ->> 'source_kind' = 'leads' THEN
		value := zcsync._lead_status(p_def, p_value);
	ELSIF NOT p_back AND v_role = 'status' THEN
		SELECT coalesce(s.name, p_value), s.id INTO value, id
		FROM zcsync._catalogued_status(p_def, v_end, coalesce(v_kind.status_scope, p_def ->> 'place'), p_value) s;
	ELSIF v_role = 'member' THEN
		-- members are looked up again for each record, so that a member may get another
		-- id
		id := zcsync._named_member(v_account, p_value);
		value := CASE WHEN p_back THEN id ELSE p_value END;
		id := NULL;
	ELSIF v_role = 'requester' AND p_value IS NOT NULL AND zcsync._requester(v_account, p_value) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('"%s" is neither the id of a user nor an e-mail address', left(p_value, 100));
	ELSIF p_field LIKE 'custom:%' OR (p_field = 'priority' AND v_type = 'text') OR v_kind.choices ? p_field THEN
		value := zcsync._catalogued_value(p_def, p_field, v_end, p_value);
	ELSIF v_type NOT IN ('text', 'text[]') THEN
		BEGIN
			EXECUTE format('SELECT $1::%s', v_type) USING p_value;
		EXCEPTION WHEN data_exception THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('"%s" is not a value of type %s', p_value, v_type),
				DETAIL = format('Field "%s" has that type.', p_field);
		END;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._translation(jsonb, text, boolean, text) IS
'the translation of a value as route_values holds it; an error when the field cannot have it';

-- Queue source records of a route again, 10,000 at a time, since there may be millions;
-- returns how many.
CREATE FUNCTION zcsync._queue_route_records(p_route bigint, p_ids bigint[], p_backfill boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ids bigint[] := ARRAY(SELECT i.id FROM (SELECT DISTINCT unnest(p_ids)) AS i (id) ORDER BY i.id::text COLLATE "C");
BEGIN
	PERFORM zcsync._verb_step('queueing', cardinality(v_ids));
	FOR v_first IN 1 .. cardinality(v_ids) BY 10000 LOOP	-- in the order of _enqueue(), that of the keys
		PERFORM zcsync._enqueue(ARRAY(
			SELECT zcsync._job(s.account_id, 'route', 'route', '', k.key, k.key, p_stream => s.stream_id,
				p_route => p_route, p_kind => s.kind, p_local_id => i.id, p_backfill => e.backfill)
			FROM zcsync.routes r
			JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
			CROSS JOIN unnest(v_ids[v_first:v_first + 9999]) WITH ORDINALITY AS i (id, place)
			CROSS JOIN LATERAL (SELECT format('route/%s/%s', p_route, i.id)) AS k (key)
			CROSS JOIN LATERAL (SELECT p_backfill OR coalesce(bool_or(x.backfill), false) AS backfill FROM zcsync.route_errors x
				WHERE x.route_id = p_route AND x.source_id = i.id) AS e
			WHERE r.route_id = p_route
			ORDER BY i.place));
		PERFORM zcsync._verb_did(cardinality(v_ids[v_first:v_first + 9999]));
	END LOOP;
	RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION zcsync._queue_route_records(bigint, bigint[], boolean) IS
'has a route go through these source records again; returns how many';

-- The same for all records whose pairs the route drives.
CREATE FUNCTION zcsync._queue_pairs(p_route bigint) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._queue_route_records(p_route, ARRAY(
		SELECT l.source_id FROM zcsync.links l WHERE l.route_id = p_route AND l.state <> 'unlinked'))
$$;
COMMENT ON FUNCTION zcsync._queue_pairs(bigint) IS
'has a route go through all its pairs again; returns how many';

-- The same for records that wait for a client.
CREATE FUNCTION zcsync._queue_unmapped(p_route bigint) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._queue_route_records(p_route, ARRAY(
		SELECT e.source_id FROM zcsync.route_errors e WHERE e.route_id = p_route AND e.code = 'unmapped_company'))
$$;
COMMENT ON FUNCTION zcsync._queue_unmapped(bigint) IS
'has a route go again through the records that wait for a client';

-- The same for records that wait for the translation of a value; a field that comes
-- back is named back:<field>.
CREATE FUNCTION zcsync._queue_waiting(p_route bigint, p_field text, p_value text) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._queue_route_records(p_route, ARRAY(
		SELECT e.source_id FROM zcsync.route_errors e WHERE e.route_id = p_route AND e.field = p_field AND e.value = p_value))
$$;
COMMENT ON FUNCTION zcsync._queue_waiting(bigint, text, text) IS
'has a route go again through the records that wait for the translation of a value';

-- Store the translation of a value, with the id of the status that it names, and queue
-- the records that waited for it.  What comes back follows the map forward, unless a
-- person mapped it.
CREATE FUNCTION zcsync._save_value(p_route bigint, p_field text, p_source_value text, p_target_value text, p_back boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_def jsonb := zcsync._route_definition(p_route, '{}');
	v_new record;
	v_old zcsync.route_values;
	v_value text;
	v_direction text := CASE WHEN p_back THEN 'back' ELSE 'forward' END;
	v_is_person boolean := NOT p_back AND coalesce(v_def #>> ARRAY['target', 'roles', p_field] IN ('member', 'requester'), false);
	v_count bigint;
BEGIN
	PERFORM zcsync._check_route_field(p_route, p_field, p_back);
	PERFORM zcsync._check_translation(v_def, p_field, p_back, p_source_value, p_target_value);
	SELECT t.* INTO v_new FROM zcsync._translation(v_def, p_field, p_back, p_target_value) t;
	v_value := zcsync._read_value(v_def, p_field, p_back, p_source_value);
	SELECT * INTO v_old FROM zcsync.route_values v
	WHERE v.route_id = p_route AND v.direction = v_direction AND v.field = p_field AND v.source_value = v_value;
	-- without a translation nothing was agreed on for the value, except for people, who are
	-- found without one
	IF (v_old.target_value, v_old.target_id) IS DISTINCT FROM (v_new.value, v_new.id) AND (p_back OR v_is_person OR v_old.field IS NOT NULL) THEN
		PERFORM zcsync._drop_agreed(p_route, ARRAY[CASE WHEN p_back THEN 'back:' ELSE '' END || p_field],
			CASE WHEN p_back THEN ARRAY[v_value] WHEN NOT v_is_person THEN ARRAY[v_old.target_value] END);
	END IF;
	INSERT INTO zcsync.route_values AS v (route_id, direction, field, source_value, target_value, target_id, created_at)
	VALUES (p_route, v_direction, p_field, v_value, v_new.value, v_new.id, zcsync._now())
	ON CONFLICT (route_id, direction, field, source_value) DO UPDATE
	SET target_value = excluded.target_value, target_id = excluded.target_id, suggested = false;
	UPDATE zcsync.route_fields f SET unmapped = array_remove(f.unmapped, v_value)
	WHERE f.route_id = p_route AND f.direction = v_direction AND f.field = p_field AND v_value = ANY (f.unmapped);
	PERFORM zcsync._suggest_back_values(v_def) FROM zcsync._mirrored_fields(v_def) AS m WHERE NOT p_back AND m.forward = p_field;
	PERFORM zcsync._verb_begins('zcsync.map_value()');
	v_count := zcsync._queue_waiting(p_route, CASE WHEN p_back THEN 'back:' ELSE '' END || p_field, v_value);
	PERFORM zcsync._verb_ends();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._save_value(bigint, text, text, text, boolean) IS
'stores the translation of a value and queues the records that waited for it';

CREATE FUNCTION zcsync.unmap_value(route text, field text, source_value text, back boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_route zcsync.routes := jsonb_populate_record(NULL::zcsync.routes, zcsync._route(route));
	v_field text := zcsync._check_route_field(v_route.route_id, field, coalesce(back, false));
	v_def jsonb := zcsync._route_definition(v_route.route_id, '{}');
	v_direction text := CASE WHEN back THEN 'back' ELSE 'forward' END;
	v_value text := source_value;
	v_gone record;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF NOT EXISTS (SELECT FROM zcsync.route_values v WHERE v.route_id = v_route.route_id AND v.field = v_field
		AND v.direction = v_direction AND v.source_value = v_value) THEN
		v_value := zcsync._read_value(v_def, v_field, coalesce(back, false), source_value);
	END IF;
	FOR v_gone IN
		DELETE FROM zcsync.route_values v
		WHERE v.route_id = v_route.route_id AND v.field = v_field AND v.direction = v_direction
			AND v.source_value = v_value
		RETURNING v.source_value, v.target_value
	LOOP
		UPDATE zcsync.route_fields f SET unmapped = f.unmapped || v_gone.source_value
		WHERE f.route_id = v_route.route_id AND f.direction = v_direction AND f.field = v_field;
		PERFORM zcsync._drop_agreed(v_route.route_id, ARRAY[CASE WHEN back THEN 'back:' ELSE '' END || v_field],
			CASE WHEN back THEN ARRAY[v_gone.source_value]
				WHEN coalesce(v_def #>> ARRAY['target', 'roles', v_field] NOT IN ('member', 'requester'), true) THEN ARRAY[v_gone.target_value] END);
	END LOOP;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('route "%s" does not translate value %s of field %s', route,
				coalesce('"' || left(source_value, 100) || '"', 'NULL'), coalesce('"' || left(field, 100) || '"', 'NULL')),
			HINT = 'SELECT * FROM zcsync.route_values shows what is mapped.';
	END IF;
	PERFORM zcsync._suggest_back_values(zcsync._route_definition(v_route.route_id, '{}'));
END
$$;
COMMENT ON FUNCTION zcsync.unmap_value(text, text, text, boolean) IS
'forgets the translation of a value, and suggests none again; from then on, records with that value do not send the field';

-- ---------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------

-- What a role needs to define and run routes.  It must also be allowed to read what its
-- expressions read; the default fields read zcsync.contacts.
CREATE FUNCTION zcsync.allow_routes(role name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_function regprocedure;
BEGIN
	PERFORM zcsync._refuse_standby();
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
			'add_route', 'alter_route', 'remove_route', 'pause_route', 'resume_route', 'check_route', 'plan', 'explain_route', 'backfill_route', 'apply_route',
			'map_field', 'unmap_field', 'map_value', 'unmap_value', 'set_route_comments', 'set_route_time', 'plan_comments', 'record_url', 'stream', 'release_held', 'cancel_held',
			-- what the functions above call with the rights of their caller
			'_route', '_route_definition', '_route_default_fields', '_begin_route', '_check_route_settings', '_check_route_field',
			'_change_route', '_compile_route', '_check_expression', '_route_expressions', '_route_code', '_route_digest',
			'_save_route', '_save_value', '_suggest_values', '_route_default_filter', '_place_setting', '_route_field', '_queue_unmapped',
			'_check_source_writable', '_check_writable_field', '_is_usually_mapped', '_refuse_standby', '_check_translation', '_route_settings_line', '_turned_back_fields', '_queue_pairs', 'reference', 'map_company', 'unmap_company')
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_function, role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync.allow_routes(name) IS
'lets a role define, start and stop routes, which run with the rights of that role';
