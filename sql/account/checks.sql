-- ---------------------------------------------------------------------
-- Looking at an account live: check_account() says what works and what to do,
-- discover() what is there.  Both make requests in this session and wait for
-- them, one after the other.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.check_account(name text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(name);
	v_account zcsync.accounts;
	v_fault record;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = v_id;
	item := 'settings';
	ok := true;
	message := 'complete';
	BEGIN
		PERFORM zcsync._check_settings(v_account.vendor, v_account.settings);
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		ok := false;
	END;
	RETURN NEXT;
	IF v_account.vendor = 'local' THEN
		RETURN;
	END IF;

	FOR v_fault IN SELECT c.* FROM zcsync._account_credentials(v_id) c WHERE NOT c.ok LOOP
		ok := false;
		RETURN QUERY SELECT 'credentials', false, v_fault.message, v_fault.hint;
	END LOOP;
	IF NOT ok THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT 'credentials', true, 'can be opened', NULL::text;
	RETURN QUERY EXECUTE format('SELECT * FROM zcsync.%I($1)', '_' || v_account.vendor || '_check_account') USING v_id;
END
$$;
COMMENT ON FUNCTION zcsync.check_account(text) IS
'asks the vendor, with live requests, for each right that the streams and routes of an account need; ok is NULL where that cannot be told';

-- What the first request to an account says of the way there and of its
-- credentials: the rows "connection" and "login".
CREATE FUNCTION zcsync._check_login(p_class text, p_status integer, p_message text, p_hint text, p_address text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_class = 'config' THEN
		RETURN QUERY SELECT 'connection', false, p_message, p_hint;
		RETURN;
	ELSIF coalesce(p_status, 0) = 0 THEN
		RETURN QUERY SELECT 'connection', false, format('cannot reach %s: %s', p_address, p_message),
			coalesce(p_hint, 'Look at the settings of the account, at the name service and the firewall of this server, '
				'and for certificates at zcsync.ca_file.');
		RETURN;
	END IF;
	RETURN QUERY SELECT 'connection', true, format('%s answers', p_address), NULL::text;
	RETURN QUERY SELECT 'login',
		CASE WHEN p_class IN ('done', 'rejected') THEN true WHEN p_class IN ('throttled', 'vendor') THEN NULL ELSE false END,
		CASE p_class
			WHEN 'done' THEN 'the credentials are accepted'
			WHEN 'rejected' THEN 'the credentials are accepted'
			WHEN 'auth' THEN 'the credentials are not accepted: ' || p_message
			WHEN 'not_found' THEN format('there is no such account at %s: %s', p_address, p_message)
			WHEN 'throttled' THEN 'too many requests at the moment: ' || p_message
			WHEN 'vendor' THEN 'the vendor is in trouble: ' || p_message
			ELSE 'the answer is not one of this vendor: ' || p_message
		END,
		CASE
			WHEN p_class IN ('done', 'rejected') THEN NULL
			WHEN p_class = 'auth' THEN coalesce(p_hint, 'Replace them with zcsync.set_credentials().')
			WHEN p_class = 'not_found' THEN 'Correct the settings with zcsync.alter_account().'
			WHEN p_class IN ('throttled', 'vendor') THEN 'Try again later.'
			ELSE coalesce(p_hint, 'Look at the settings of the account.')
		END;
END
$$;
COMMENT ON FUNCTION zcsync._check_login(text, integer, text, text, text) IS
'what the outcome of a first request says of connection and login';

-- One right, by the outcome of a request that needs it.
CREATE FUNCTION zcsync._check_right(p_item text, p_class text, p_status integer, p_message text, p_hint text,
	p_done text, p_refused_hint text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_item,
		CASE WHEN p_class = 'done' THEN true WHEN p_class IN ('throttled', 'vendor') THEN NULL ELSE false END,
		CASE WHEN p_class = 'done' THEN p_done
			ELSE coalesce(p_message, p_class) || coalesce(' (HTTP ' || nullif(p_status, 0) || ')', '') END,
		CASE WHEN p_class = 'done' THEN NULL
			WHEN p_class IN ('throttled', 'vendor') THEN 'Try again later.'
			WHEN p_status IN (401, 403, 404) THEN p_refused_hint
			ELSE coalesce(p_hint, p_refused_hint) END;
END;
COMMENT ON FUNCTION zcsync._check_right(text, text, integer, text, text, text, text) IS
'the row of check_account() for one right';

-- ---------------------------------------------------------------------
-- Zendesk
-- ---------------------------------------------------------------------

-- Not /users/me: it answers 200 to anybody, as "Anonymous user".
CREATE FUNCTION zcsync._zendesk_check_account(p_account bigint)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := (SELECT a.settings FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_call record;
	v_stream record;
	v_done text;
BEGIN
	SELECT * INTO v_call FROM zcsync._call(p_account, '{"op": "count"}');
	RETURN QUERY SELECT * FROM zcsync._check_login(v_call.class, v_call.status, v_call.message, v_call.hint,
		zcsync._base_url('zendesk', v_settings));
	IF v_call.class NOT IN ('done', 'rejected') THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM zcsync._check_right('read tickets', v_call.class, v_call.status, v_call.message, v_call.hint,
		format('%s tickets', v_call.reply #>> '{count,value}'),
		'Give the OAuth client the scope "read", and its user a role that sees tickets.');

	-- The export that streams read from.  One that begins too recently is
	-- refused for that, and not for want of rights.
	FOR v_stream IN
		SELECT k.kind, s.writes
		FROM (VALUES ('tickets'), ('contacts'), ('fields'), ('statuses')) AS k (kind)
		LEFT JOIN zcsync.streams s ON s.account_id = p_account AND s.kind = k.kind
		WHERE s.kind IS NOT NULL OR k.kind = 'tickets'
	LOOP
		CASE v_stream.kind
			WHEN 'fields' THEN
				SELECT * INTO v_call FROM zcsync._call(p_account, '{"op": "ticket_fields"}');
				v_done := format('%s ticket fields', jsonb_array_length(v_call.reply -> 'ticket_fields'));
			WHEN 'statuses' THEN
				SELECT * INTO v_call FROM zcsync._call(p_account, '{"op": "custom_statuses"}');
				v_done := format('%s statuses', jsonb_array_length(v_call.reply -> 'custom_statuses'));
			ELSE
				SELECT * INTO v_call FROM zcsync._call(p_account, jsonb_build_object('op', 'incremental',
					'kind', CASE v_stream.kind WHEN 'contacts' THEN 'users' ELSE v_stream.kind END,
					'start_time', extract(epoch FROM zcsync._now())::bigint - 300, 'per_page', 1));
				IF v_call.status = 422 THEN
					v_call.class := 'done';
				END IF;
				v_done := 'the incremental export is allowed';
		END CASE;
		RETURN QUERY SELECT * FROM zcsync._check_right(
			CASE WHEN v_stream.kind IN ('fields', 'statuses') THEN 'read ' ELSE 'export ' END || v_stream.kind,
			v_call.class, v_call.status, v_call.message, v_call.hint, v_done,
			'Only administrators may use the incremental export: use an OAuth client or an API token of an administrator, '
			'with the scope "read".');
		IF v_stream.writes THEN
			RETURN QUERY SELECT * FROM zcsync._zendesk_check_write(p_account, v_stream.kind);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_check_account(bigint) IS
'the live part of check_account() for Zendesk';

-- A change of nothing, of a ticket that cannot be there: who may write is told
-- that it is not there.
CREATE FUNCTION zcsync._zendesk_check_write(p_account bigint, p_kind text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_call record;
BEGIN
	IF NOT zcsync._may_write() THEN
		RETURN QUERY SELECT 'write ' || p_kind, NULL::boolean, 'cannot be told while nothing may be sent from this database',
			'SELECT * FROM zcsync.status();';
		RETURN;
	END IF;
	SELECT * INTO v_call FROM zcsync._call(p_account, '{"op": "update_ticket", "ticket_id": "0", "body": {"ticket": {}}}');
	IF v_call.class = 'not_found' THEN
		v_call.class := 'done';
	END IF;
	RETURN QUERY SELECT * FROM zcsync._check_right('write ' || p_kind, v_call.class, v_call.status, v_call.message, v_call.hint,
		'tickets can be written', format('Give the OAuth scope "read write": SELECT zcsync.set_credentials(%L, '
			'''{"client_id": "...", "client_secret": "...", "scope": "read write"}'');',
			(SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account)));
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_check_write(bigint, text) IS
'the row of check_account() for writing to Zendesk';

-- ---------------------------------------------------------------------
-- ClickUp
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_check_account(p_account bigint)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
	v_stream zcsync.streams;
	v_call record;
	v_list text;
	v_workspaces text;
	v_share constant text := 'ClickUp answers so for what the token''s user does not see: share it with that user, with edit permission.';
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	SELECT * INTO v_call FROM zcsync._call(p_account, '{"op": "team"}');
	RETURN QUERY SELECT * FROM zcsync._check_login(v_call.class, v_call.status, v_call.message, v_call.hint,
		zcsync._base_url('clickup', v_account.settings));
	IF v_call.class <> 'done' THEN
		RETURN;
	END IF;

	SELECT string_agg(format('%s "%s"', t ->> 'id', t ->> 'name'), ', ' ORDER BY t ->> 'id') INTO v_workspaces
	FROM jsonb_array_elements(v_call.reply -> 'teams') AS t;
	item := 'workspace';
	ok := coalesce(v_call.reply -> 'teams' @> jsonb_build_array(
		jsonb_build_object('id', v_account.settings -> 'workspace_id')), false);
	message := CASE WHEN ok THEN format('workspace %s is visible', v_account.settings ->> 'workspace_id')
		WHEN v_account.settings ? 'workspace_id' THEN format('workspace %s is not among those that the token sees: %s',
			v_account.settings ->> 'workspace_id', coalesce(v_workspaces, 'none'))
		ELSE format('setting "workspace_id" is missing; the token sees: %s', coalesce(v_workspaces, 'none')) END;
	hint := CASE WHEN NOT ok THEN format('SELECT zcsync.alter_account(%L, ''{"workspace_id": "..."}'');', v_account.name) END;
	RETURN NEXT;
	IF NOT ok THEN
		RETURN;
	END IF;

	SELECT * INTO v_stream FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = 'tasks';
	IF NOT v_stream.scope ? 'list_ids' OR v_stream.scope IS NULL THEN
		SELECT * INTO v_call FROM zcsync._call(p_account, jsonb_build_object('op', 'team_tasks',
			'team_id', v_account.settings ->> 'workspace_id', 'page', 0));
		RETURN QUERY SELECT * FROM zcsync._check_right('read tasks', v_call.class, v_call.status, v_call.message, v_call.hint,
			'tasks of the workspace can be read', v_share);
		IF v_stream.writes THEN
			RETURN QUERY SELECT 'write tasks', NULL::boolean, 'cannot be told without writing', v_share;
		END IF;
		RETURN;
	END IF;
	FOR v_list IN SELECT jsonb_array_elements_text(v_stream.scope -> 'list_ids') LOOP
		SELECT * INTO v_call FROM zcsync._call(p_account, jsonb_build_object('op', 'list', 'list_id', v_list));
		RETURN QUERY SELECT * FROM zcsync._check_right(format('read list %s', v_list), v_call.class, v_call.status,
			v_call.message, v_call.hint, format('list "%s" can be read', v_call.reply ->> 'name'), v_share);
		IF v_stream.writes AND v_call.class = 'done' THEN
			ok := v_call.reply ->> 'permission_level' IN ('create', 'edit');
			RETURN QUERY SELECT format('write list %s', v_list), ok,
				coalesce(format('permission "%s"', v_call.reply ->> 'permission_level'), 'cannot be told without writing'),
				CASE WHEN ok IS NOT TRUE THEN v_share END;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_check_account(bigint) IS
'the live part of check_account() for ClickUp';

-- ---------------------------------------------------------------------
-- discover()
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.discover(name text)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(name);
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = v_id);
BEGIN
	IF v_vendor = 'local' THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('account "%s" has no vendor to ask', name);
	END IF;
	RETURN QUERY EXECUTE format('SELECT * FROM zcsync.%I($1)', '_' || v_vendor || '_discover') USING v_id;
END
$$;
COMMENT ON FUNCTION zcsync.discover(text) IS
'reads what an account has from its vendor and keeps it: lists with their paths, statuses, custom fields';

-- One exchange whose reply is needed.
CREATE FUNCTION zcsync._ask(p_account bigint, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_call record;
	v_name text;
BEGIN
	SELECT * INTO v_call FROM zcsync._call(p_account, p_request);
	IF v_call.class <> 'done' THEN
		v_name := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
		RAISE EXCEPTION USING ERRCODE = 'external_routine_exception',
			MESSAGE = format('account "%s" could not be read: %s', v_name, coalesce(v_call.message, v_call.class)),
			DETAIL = format('The request "%s" ended as "%s"%s.', p_request ->> 'op', v_call.class,
				coalesce(' with HTTP status ' || nullif(v_call.status, 0), '')),
			HINT = coalesce(v_call.hint, format('SELECT * FROM zcsync.check_account(%L);', v_name));
	END IF;
	RETURN v_call.reply;
END
$$;
COMMENT ON FUNCTION zcsync._ask(bigint, jsonb) IS
'makes one live exchange with the vendor of an account; raises an error unless it succeeds';

-- Store the rows of one kind that a reply holds, as a pull would.  One
-- transaction may store a row several times, and each needs an origin of its
-- own: a write with the same one is taken for a local one.
CREATE FUNCTION zcsync._keep_seen(p_account bigint, p_vendor text, p_kind text, p_request jsonb, p_reply jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		SELECT zcsync._apply_isolated($1, $2, $3, array_agg(r.remote_id), array_agg(r.remote_version),
			array_agg(r.vals), array_agg(r.doc), array_agg(r.is_deleted))
		FROM zcsync.%I($1, $2, $4, $5) r
		WHERE r.kind = $2
		HAVING count(*) > 0$sql$, '_' || p_vendor || '_rows')
	USING p_account, p_kind, format('pull:%s:discover.%s:%s', p_vendor, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_current_xact_id()),
		p_request, p_reply;
END
$$;
COMMENT ON FUNCTION zcsync._keep_seen(bigint, text, text, jsonb, jsonb) IS
'stores the fields, statuses or members that discover() saw';

CREATE FUNCTION zcsync._zendesk_discover(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_reply jsonb;
BEGIN
	v_reply := zcsync._ask(p_account, '{"op": "ticket_fields"}');
	PERFORM zcsync._keep_seen(p_account, 'zendesk', 'fields', '{"op": "ticket_fields"}', v_reply);
	RETURN QUERY
	SELECT 'field', d ->> 'id', d ->> 'title', jsonb_build_object('type', d -> 'type', 'active', d -> 'active',
		'required', d -> 'required', 'options', d -> 'custom_field_options')
	FROM jsonb_array_elements(v_reply -> 'ticket_fields') AS d;

	v_reply := zcsync._ask(p_account, '{"op": "custom_statuses"}');
	PERFORM zcsync._keep_seen(p_account, 'zendesk', 'statuses', '{"op": "custom_statuses"}', v_reply);
	RETURN QUERY
	SELECT 'status', d ->> 'id', d ->> 'agent_label', jsonb_build_object('category', d -> 'status_category',
		'active', d -> 'active', 'default', d -> 'default')
	FROM jsonb_array_elements(v_reply -> 'custom_statuses') AS d;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_discover(bigint) IS
'discover() for Zendesk: ticket fields and custom statuses';

CREATE FUNCTION zcsync._clickup_discover(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_list record;
	v_request jsonb;
	v_call record;
	v_fields jsonb;
BEGIN
	RETURN QUERY SELECT * FROM zcsync._clickup_read_lists(p_account);

	-- Statuses and fields cost two requests a list: those not read yet first,
	-- so that what a limit cuts off is read the next time.
	FOR v_list IN
		SELECT l.list_id, l.path FROM zcsync.lists l
		WHERE l.account_id = p_account ORDER BY l.detailed_at NULLS FIRST, l.path
	LOOP
		v_request := jsonb_build_object('op', 'list_fields', 'list_id', v_list.list_id);
		SELECT * INTO v_call FROM zcsync._call(p_account, v_request);
		IF v_call.class = 'done' THEN
			PERFORM zcsync._keep_seen(p_account, 'clickup', 'fields', v_request, v_call.reply);
			v_fields := v_call.reply -> 'fields';
			v_request := jsonb_build_object('op', 'list', 'list_id', v_list.list_id);
			SELECT * INTO v_call FROM zcsync._call(p_account, v_request);
		END IF;
		IF v_call.class = 'throttled' THEN
			RAISE WARNING USING MESSAGE = 'the vendor allows no more requests at the moment; statuses and fields of some lists were not read',
				HINT = 'Run zcsync.discover() again in a minute: it begins with the lists that were left out.';
			EXIT;
		ELSIF v_call.class <> 'done' THEN
			RAISE WARNING USING MESSAGE = format('list "%s" could not be read: %s', v_list.path, v_call.message), HINT = v_call.hint;
			CONTINUE;
		END IF;
		PERFORM zcsync._keep_seen(p_account, 'clickup', 'statuses', v_request, v_call.reply);
		UPDATE zcsync.lists l
		SET detailed_at = zcsync._now(),
			detail = jsonb_build_object(
				'statuses', (SELECT jsonb_agg(s ->> 'status' ORDER BY (s ->> 'orderindex')::numeric)
					FROM jsonb_array_elements(v_call.reply -> 'statuses') AS s),
				'fields', (SELECT jsonb_agg(jsonb_build_object('id', f -> 'id', 'name', f -> 'name', 'type', f -> 'type')
					ORDER BY f ->> 'name') FROM jsonb_array_elements(v_fields) AS f))
		WHERE l.account_id = p_account AND l.list_id = v_list.list_id;
	END LOOP;
	RETURN QUERY SELECT 'list', l.list_id, l.path, l.detail FROM zcsync.lists l WHERE l.account_id = p_account ORDER BY l.path;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_discover(bigint) IS
'discover() for ClickUp: workspaces, spaces, folders, and lists with their statuses and custom fields';

-- Walk through spaces and folders and keep the lists; returns the rows of all
-- but the lists.
CREATE FUNCTION zcsync._clickup_read_lists(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_only text := (SELECT a.settings ->> 'workspace_id' FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_began timestamptz := clock_timestamp();
	v_teams jsonb := zcsync._ask(p_account, '{"op": "team"}');
	v_team jsonb;
	v_space jsonb;
	v_folder jsonb;
BEGIN
	PERFORM zcsync._keep_seen(p_account, 'clickup', 'contacts', '{"op": "team"}', v_teams);
	FOR v_team IN
		SELECT t FROM jsonb_array_elements(v_teams -> 'teams') AS t
		WHERE v_only IS NULL OR t ->> 'id' = v_only
	LOOP
		RETURN QUERY SELECT 'workspace', v_team ->> 'id', v_team ->> 'name', '{}'::jsonb;
		FOR v_space IN
			SELECT jsonb_array_elements(zcsync._ask(p_account,
				jsonb_build_object('op', 'spaces', 'team_id', v_team ->> 'id')) -> 'spaces')
		LOOP
			RETURN QUERY SELECT 'space', v_space ->> 'id', v_space ->> 'name', '{}'::jsonb;
			PERFORM zcsync._keep_lists(p_account, v_space ->> 'name',
				jsonb_build_object('op', 'space_lists', 'space_id', v_space ->> 'id'));
			FOR v_folder IN
				SELECT jsonb_array_elements(zcsync._ask(p_account,
					jsonb_build_object('op', 'folders', 'space_id', v_space ->> 'id')) -> 'folders')
			LOOP
				path := (v_space ->> 'name') || '/' || (v_folder ->> 'name');
				RETURN QUERY SELECT 'folder', v_folder ->> 'id', path, '{}'::jsonb;
				PERFORM zcsync._keep_lists(p_account, path,
					jsonb_build_object('op', 'folder_lists', 'folder_id', v_folder ->> 'id'));
			END LOOP;
		END LOOP;
	END LOOP;
	DELETE FROM zcsync.lists l WHERE l.account_id = p_account AND l.seen_at < v_began;
END
$$;
COMMENT ON FUNCTION zcsync._clickup_read_lists(bigint) IS
'reads the hierarchy of a ClickUp workspace and keeps its lists and members';

CREATE FUNCTION zcsync._keep_lists(p_account bigint, p_path text, p_request jsonb) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.lists (account_id, list_id, path, seen_at)
	SELECT DISTINCT ON (l ->> 'id') p_account, l ->> 'id', p_path || '/' || (l ->> 'name'), clock_timestamp()
	FROM jsonb_array_elements(zcsync._ask(p_account, p_request) -> 'lists') AS l
	ON CONFLICT ON CONSTRAINT lists_pkey DO UPDATE SET path = excluded.path, seen_at = excluded.seen_at;
$$;
COMMENT ON FUNCTION zcsync._keep_lists(bigint, text, jsonb) IS
'keeps the lists of one space or folder';

-- The id of a list: given as such, as a path, or as the end of a path that no
-- other list has.  Reads the vendor's lists when none are known yet, unless
-- this is a process that works off jobs: that must not wait for a vendor here.
CREATE FUNCTION zcsync._resolve_list(p_account bigint, p_path text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_path text := lower(btrim(p_path, '/ '));
	v_ids text[];
	v_paths text;
BEGIN
	IF v_path ~ '^[0-9]+$' THEN
		RETURN v_path;
	END IF;
	IF NOT EXISTS (SELECT FROM zcsync.lists l WHERE l.account_id = p_account)
		AND NOT EXISTS (SELECT FROM zcsync.claimants c WHERE c.pid = pg_backend_pid()) THEN
		PERFORM FROM zcsync._clickup_read_lists(p_account);
	END IF;

	SELECT array_agg(m.list_id), string_agg('"' || m.path || '"', ', ' ORDER BY m.path) INTO v_ids, v_paths
	FROM (
		SELECT l.list_id, l.path, rank() OVER (ORDER BY (lower(l.path) = v_path) DESC) AS place
		FROM zcsync.lists l
		WHERE l.account_id = p_account
			AND (lower(l.path) = v_path OR right(lower(l.path), length(v_path) + 1) = '/' || v_path)
	) AS m
	WHERE m.place = 1;
	IF cardinality(v_ids) = 1 THEN
		RETURN v_ids[1];
	END IF;
	SELECT coalesce(v_paths, string_agg('"' || l.path || '"', ', ')) INTO v_paths
	FROM (SELECT l.path FROM zcsync.lists l WHERE l.account_id = p_account ORDER BY l.path LIMIT 20) AS l;
	RAISE EXCEPTION USING
		ERRCODE = 'undefined_object',
		MESSAGE = format(CASE WHEN v_ids IS NULL THEN 'account "%s" has no list "%s"'
			ELSE 'account "%s" has more than one list "%s"' END, v_name, left(p_path, 200)),
		DETAIL = CASE WHEN v_ids IS NULL THEN 'Lists: ' ELSE 'These match: ' END || coalesce(v_paths, 'none') || '.',
		HINT = CASE WHEN v_ids IS NULL THEN format('To read the lists anew: SELECT * FROM zcsync.discover(%L);', v_name)
			ELSE 'Give the path from the space on, or the number of the list.' END;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_list(bigint, text) IS
'the id of a list by its path, or by the end of it';
