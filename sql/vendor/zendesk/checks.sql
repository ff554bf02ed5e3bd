-- ---------------------------------------------------------------------
-- Zendesk: what check_account() and discover() ask.
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

	-- The export from which streams read.  An export that begins too recently is
	-- refused for that reason, and not because a right is missing.
	FOR v_stream IN
		SELECT k.kind, s.writes
		FROM (VALUES ('tickets'), ('contacts'), ('companies'), ('fields'), ('statuses')) AS k (kind)
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
				SELECT * INTO v_call FROM zcsync._call(p_account, jsonb_build_object(
					'op', CASE v_stream.kind WHEN 'companies' THEN 'organizations' ELSE 'incremental' END,
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

-- An update without any change, of a ticket that cannot exist: an account that may
-- write gets the answer that the ticket does not exist.
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
			'SELECT * FROM zcsync.status;';
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

-- A scope is "read", "write", or one of these for one resource, such as "tickets:read".
-- Zendesk grants whatever scope is asked for, even a misspelt one; a token with a scope
-- that Zendesk does not know can do nothing.
CREATE FUNCTION zcsync._zendesk_scope_lacks(p_account bigint, p_granted text) RETURNS TABLE (scope text, purpose text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH granted AS (SELECT g.scope FROM string_to_table(btrim(p_granted), ' ') AS g (scope) WHERE g.scope <> '')
	SELECT NULL, format('Zendesk knows no scope "%s", and lets a token with it do nothing', left(g.scope, 100))
	FROM granted g
	WHERE NOT (g.scope IN ('read', 'write', 'impersonate') OR (split_part(g.scope, ':', 2) IN ('read', 'write')
		AND split_part(g.scope, ':', 1) = ANY ('{tickets,users,organizations,auditlogs,hc,apps,triggers,automations,targets,webhooks,macros,requests,satisfaction_ratings,dynamic_content,any_channel,web_widget,zis}')))
	UNION ALL
	SELECT n.way, format('%s %s %s', string_agg(a.name || '/' || s.kind, ', ' ORDER BY s.kind), CASE WHEN count(*) > 1 THEN 'are' ELSE 'is' END,
		CASE n.way WHEN 'read' THEN 'read' ELSE 'written' END)
	FROM zcsync.streams s
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	CROSS JOIN LATERAL (VALUES ('read', true), ('write', s.writes)) AS n (way, needed)
	WHERE s.account_id = p_account AND n.needed
		AND NOT EXISTS (SELECT FROM granted g WHERE g.scope IN (n.way, CASE s.kind WHEN 'contacts' THEN 'users:' WHEN 'companies' THEN 'organizations:' ELSE 'tickets:' END || n.way))
	GROUP BY n.way
$$;
COMMENT ON FUNCTION zcsync._zendesk_scope_lacks(bigint, text) IS
'what the scope of a token of Zendesk lacks, and what is wrong with it';

CREATE FUNCTION zcsync._zendesk_discover(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_request jsonb := '{"op": "ticket_fields"}';
	v_reply jsonb;
BEGIN
	WHILE v_request IS NOT NULL LOOP
		v_reply := zcsync._ask(p_account, v_request);
		PERFORM zcsync._keep_seen(p_account, 'zendesk', 'fields', v_request, v_reply);
		RETURN QUERY
		SELECT 'field', d ->> 'id', d ->> 'title', jsonb_build_object('type', d -> 'type', 'active', d -> 'active',
			'required', d -> 'required', 'options', d -> 'custom_field_options')
		FROM jsonb_array_elements(zcsync._json_list(v_reply -> 'ticket_fields')) AS d;
		RETURN QUERY
		SELECT CASE v_request ->> 'op' WHEN 'groups' THEN 'group' WHEN 'brands' THEN 'brand' ELSE 'form' END, o ->> 'id', o ->> 'name', o - '{id,name}'::text[]
		FROM jsonb_array_elements(zcsync._zendesk_options(v_request - 'seen', v_reply)) AS o WHERE v_request ->> 'op' <> 'ticket_fields';
		v_request := '{"op": "ticket_fields"}' || nullif(zcsync._zendesk_next_catalogue(v_request, v_reply), '{}');
	END LOOP;

	v_reply := zcsync._ask(p_account, '{"op": "custom_statuses"}');
	PERFORM zcsync._keep_seen(p_account, 'zendesk', 'statuses', '{"op": "custom_statuses"}', v_reply);
	RETURN QUERY
	SELECT 'status', d ->> 'id', d ->> 'agent_label', jsonb_build_object('category', d -> 'status_category',
		'active', d -> 'active', 'default', d -> 'default')
	FROM jsonb_array_elements(v_reply -> 'custom_statuses') AS d;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_discover(bigint) IS
'discover() for Zendesk: ticket fields, groups, brands, ticket forms and custom statuses';
