-- ---------------------------------------------------------------------
-- HaloPSA: what check_account() and discover() ask.
-- ---------------------------------------------------------------------

-- The row about one right.  If the application's agent lacks a permission, HaloPSA
-- returns an empty list and no error, so an empty list proves nothing.
CREATE FUNCTION zcsync._halopsa_check_right(p_item text, p_call record, p_what text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_list jsonb := zcsync._halopsa_list(p_call.reply);
	v_count text := coalesce(CASE jsonb_typeof(p_call.reply) WHEN 'object' THEN p_call.reply ->> 'record_count' END,
		jsonb_array_length(v_list)::text);
	v_permission constant text := 'Look at HaloPSA which agent the API application belongs to (Configuration > Integrations > HaloPSA API), '
		'and give that agent''s role, and the scope of the credentials, the right to see these records.';
BEGIN
	IF p_call.class = 'done' AND v_count = '0' THEN
		RETURN QUERY SELECT p_item, NULL::boolean,
			format('the list of %s is empty: there are none, or the application may not see them', p_what), v_permission;
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM zcsync._check_right(p_item, p_call.class, p_call.status, p_call.message, p_call.hint,
		format('%s %s', v_count, p_what), v_permission);
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_check_right(text, record, text) IS
'the row of check_account() for one list of HaloPSA';

CREATE FUNCTION zcsync._halopsa_check_account(p_account bigint)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := (SELECT a.settings FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_call record;
	v_list record;
	v_stream record;
BEGIN
	SELECT * INTO v_call FROM zcsync._call(p_account, zcsync._halopsa_estimate_request('tickets'));
	IF v_call.class = 'auth' AND v_call.message LIKE '%tenant%' THEN
		v_call.hint := 'Correct the setting "tenant" with zcsync.alter_account(); HaloPSA shows it beside the address of its authorisation server.';
	END IF;
	RETURN QUERY SELECT * FROM zcsync._check_login(v_call.class, v_call.status, v_call.message, v_call.hint,
		zcsync._base_url('halopsa', v_settings));
	IF v_call.class NOT IN ('done', 'rejected') THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM zcsync._halopsa_check_right('read tickets', v_call, 'tickets');

	-- what streams read, and the ticket types that routes need
	FOR v_list IN
		SELECT l.kind, l.what, l.request
		FROM (VALUES
			(1, 'leads', 'opportunities', zcsync._halopsa_estimate_request('leads')),
			(2, 'projects', 'projects', zcsync._halopsa_estimate_request('projects')),
			(3, 'companies', 'clients', zcsync._halopsa_estimate_request('companies')),
			(4, 'companies', 'sites', zcsync._halopsa_list_request('Site') || '{"page_no": 1, "page_size": 1}'),
			(5, 'contacts', 'users', zcsync._halopsa_estimate_request('contacts')),
			(6, 'comments', 'actions', '{"op": "list", "entity": "Actions", "count": 1}'),
			(7, 'fields', 'custom fields', '{"op": "list", "entity": "FieldInfo"}'),
			(8, 'statuses', 'statuses', '{"op": "list", "entity": "Status", "type": "ticket"}'),
			(9, NULL, 'ticket types', '{"op": "list", "entity": "TicketType"}')) AS l (n, kind, what, request)
		WHERE l.kind IS NULL
			OR EXISTS (SELECT FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = l.kind)
			OR (l.kind = 'comments' AND EXISTS (SELECT FROM zcsync.streams s WHERE s.account_id = p_account AND s.comments_at IS NOT NULL))
		ORDER BY l.n
	LOOP
		SELECT * INTO v_call FROM zcsync._call(p_account, v_list.request);
		RETURN QUERY SELECT * FROM zcsync._halopsa_check_right('read ' || v_list.what, v_call, v_list.what);
	END LOOP;
	FOR v_stream IN SELECT s.kind FROM zcsync.streams s WHERE s.account_id = p_account AND s.writes ORDER BY s.kind DESC LOOP
		RETURN QUERY SELECT 'write ' || v_stream.kind, NULL::boolean, 'cannot be told without writing',
			'Make sure that the scope has "edit:tickets" (or "all"), and that the application''s agent may change these records.';
	END LOOP;
	RETURN QUERY SELECT 'excluded outcomes', false, format('HaloPSA has no outcome %s', string_agg(format('"%s"', e), ', ' ORDER BY e COLLATE "C")),
		'Correct the setting "excluded_outcomes" with zcsync.alter_account(); zcsync.discover() has the outcomes.'
	FROM jsonb_array_elements_text(zcsync._json_list(v_settings -> 'excluded_outcomes')) AS e
	WHERE EXISTS (SELECT FROM zcsync._halopsa_seen_options(p_account, 'outcome'))
		AND NOT EXISTS (SELECT FROM zcsync._halopsa_seen_options(p_account, 'outcome') AS o
			WHERE lower(btrim(e) COLLATE "C") IN (o.id, lower(btrim(o.path) COLLATE "C")))
	HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_check_account(bigint) IS
'the live part of check_account() for HaloPSA';

-- A scope is "all", "all:standard", or a right to one kind of records, as in
-- "read:tickets edit:tickets".
CREATE FUNCTION zcsync._halopsa_scope_lacks(p_account bigint, p_granted text) RETURNS TABLE (scope text, purpose text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH granted AS (SELECT g.scope FROM string_to_table(lower(btrim(p_granted) COLLATE "C"), ' ') AS g (scope))
	SELECT n.scope, format('%s %s %s', string_agg(a.name || '/' || s.kind, ', ' ORDER BY s.kind), CASE WHEN count(*) > 1 THEN 'are' ELSE 'is' END, n.way)
	FROM zcsync.streams s
	JOIN zcsync.accounts a ON a.account_id = s.account_id
	CROSS JOIN LATERAL (VALUES
		(CASE WHEN s.kind IN ('contacts', 'companies') THEN 'read:customers' ELSE 'read:tickets' END, 'read', s.kind NOT IN ('fields', 'statuses')),
		('edit:tickets', 'written', s.writes)) AS n (scope, way, needed)
	WHERE s.account_id = p_account AND n.needed
		AND NOT EXISTS (SELECT FROM granted g WHERE g.scope = n.scope OR g.scope = 'all' OR starts_with(g.scope, 'all:'))
	GROUP BY n.scope, n.way
$$;
COMMENT ON FUNCTION zcsync._halopsa_scope_lacks(bigint, text) IS
'what the scope of a token of HaloPSA lacks';

-- One row of discover() for each option of a system field.
CREATE FUNCTION zcsync._halopsa_seen_options(p_account bigint, p_field text)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE p_field WHEN 'tickettype' THEN 'ticket type' ELSE p_field END, o ->> 'id', o ->> 'name', o - '{id,name}'::text[]
	FROM zcsync.fields f CROSS JOIN jsonb_array_elements(zcsync._json_list(f.options)) WITH ORDINALITY AS x (o, n)
	WHERE f.account_id = p_account AND f.remote_id = p_field
	ORDER BY n
$$;
COMMENT ON FUNCTION zcsync._halopsa_seen_options(bigint, text) IS
'the ticket types, teams, priorities, agents or outcomes of an account as rows of discover()';

CREATE FUNCTION zcsync._halopsa_discover(p_account bigint)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_request jsonb;
	v_reply jsonb;
	v_kind text;
	v_type record;
BEGIN
	FOR v_kind, v_request IN
		SELECT k.kind, r.request FROM unnest('{fields,statuses}'::text[]) AS k (kind)
		CROSS JOIN LATERAL jsonb_array_elements(zcsync._halopsa_catalogue(k.kind)) WITH ORDINALITY AS r (request, n)
		ORDER BY k.kind, r.n
	LOOP
		PERFORM zcsync._keep_seen(p_account, 'halopsa', v_kind, v_request, zcsync._ask(p_account, v_request));
	END LOOP;
	FOR v_type IN SELECT o.id FROM zcsync._halopsa_seen_options(p_account, 'tickettype') AS o LOOP
		v_request := jsonb_build_object('op', 'get', 'entity', 'TicketType', 'id', v_type.id, 'includedetails', true);
		v_reply := zcsync._ask(p_account, v_request);
		PERFORM zcsync._keep_seen(p_account, 'halopsa', 'fields', v_request, v_reply);
	END LOOP;

	RETURN QUERY SELECT o.* FROM unnest('{tickettype,team,priority,agent,outcome}'::text[]) WITH ORDINALITY AS f (field, n)
	CROSS JOIN LATERAL zcsync._halopsa_seen_options(p_account, f.field) AS o;
	RETURN QUERY
	SELECT CASE s.scope_id WHEN 'leads' THEN 'opportunity status' ELSE 'ticket status' END, s.status_id, s.name, '{}'::jsonb
	FROM zcsync.statuses s WHERE s.account_id = p_account ORDER BY s.scope_id DESC, s.position;
	RETURN QUERY
	SELECT 'custom field', f.remote_id, f.name, jsonb_strip_nulls(jsonb_build_object('type', f.type, 'options', f.options))
	FROM zcsync.fields f WHERE f.account_id = p_account AND f.scope_id = 'custom' ORDER BY f.position;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_discover(bigint) IS
'discover() for HaloPSA: ticket types, teams, priorities, agents, outcomes, statuses and custom fields';
