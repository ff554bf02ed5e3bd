-- ---------------------------------------------------------------------
-- ClickUp: what check_account() and discover() ask, and lists by their paths.
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
	v_share constant text := 'ClickUp answers like this if the token''s user may not see something: share it with that user, with edit permission.';
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

	-- Statuses and fields take two requests for each list.  Lists that were not read
	-- yet come first, so that those which a limit cuts off are read the next time.
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

-- Walk through spaces and folders and store the lists; returns the rows of everything
-- but the lists.
CREATE FUNCTION zcsync._clickup_read_lists(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_only text := (SELECT a.settings ->> 'workspace_id' FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_name text := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
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
	-- a token that sees no workspace says nothing about its lists
	IF v_team IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('the token of account "%s" sees no workspace%s', v_name, coalesce(' ' || v_only, '')),
			HINT = format('SELECT * FROM zcsync.check_account(%L);', v_name);
	END IF;
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
'stores the lists of one space or folder';

-- The id of a list, given by its id, its path, or the end of a path that no other list
-- has.  If no list is known yet, this asks the vendor, except in a process that runs
-- jobs, which must not wait for a vendor here.
CREATE FUNCTION zcsync._resolve_list(p_account bigint, p_path text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_path text := zcsync._fold(btrim(p_path, '/ '));
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
		SELECT l.list_id, l.path, rank() OVER (ORDER BY (zcsync._fold(l.path) = v_path) DESC) AS place
		FROM zcsync.lists l
		WHERE l.account_id = p_account
			AND (zcsync._fold(l.path) = v_path OR right(zcsync._fold(l.path), length(v_path) + 1) = '/' || v_path)
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
		HINT = CASE WHEN v_ids IS NULL THEN format('To read the lists again: SELECT * FROM zcsync.discover(%L);', v_name)
			ELSE 'Give the path from the space on, or the number of the list.' END;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_list(bigint, text) IS
'the id of a list by its path, or by the end of it';
