-- ---------------------------------------------------------------------
-- HaloPSA: the descriptor; see sql/vendor/contract.sql.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_base_url(p_settings jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'https://' || (p_settings ->> 'host');
END;
COMMENT ON FUNCTION zcsync._halopsa_base_url(jsonb) IS
'the address of an instance of HaloPSA';

-- The default is what HaloPSA allowed when this was written, 300 calls in five minutes,
-- less what other integrations need.  Requests for tokens go to another server.
CREATE FUNCTION zcsync._halopsa_budgets(p_settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b.class, b.calls, b.window_s, b.concurrency
	FROM (VALUES ('api', 250, 300.0::double precision, 10), ('token', 10, 60.0, 1)) AS b (class, calls, window_s, concurrency);
END;
COMMENT ON FUNCTION zcsync._halopsa_budgets(jsonb) IS
'budgets of an account: all calls, requests for tokens; the setting budgets has others';

-- Would the live list of a stream show what a push of a row may overwrite?  It lacks
-- records that are known to be outside of the stream's scope, and tags and custom fields,
-- unless "details" has each changed record read singly.
CREATE FUNCTION zcsync._halopsa_listed(p_type text, p_client text, p_tags text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($sql$coalesce(t.base ->> %L = s.scope ->> 'ticket_type_id', NOT s.scope ? 'ticket_type_id')
	AND coalesce(t.base ->> %L = s.scope ->> 'client_id', NOT s.scope ? 'client_id')
	AND (s.scope -> 'details' IS DISTINCT FROM 'false' OR (%s AND t.custom_fields = coalesce(nullif(t.base -> 'custom_fields', 'null'), '{}')))$sql$,
		p_type, p_client, p_tags);
END;
COMMENT ON FUNCTION zcsync._halopsa_listed(text, text, text) IS
'the condition under which the live list shows what a push of a row may overwrite';

CREATE FUNCTION zcsync._vendor_halopsa() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('halopsa', 'HaloPSA', 'halopsa',
		kinds => ARRAY[
			zcsync._describe_kind('tickets', written => zcsync._halopsa_pushable('tickets'), compared => true, comments => 'changed',
				count_request => zcsync._halopsa_estimate_request('tickets'),
				assignee => $sql$coalesce(
	(SELECT lower((o.agent ->> 'email') COLLATE "C") FROM zcsync.fields AS f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (agent)
	WHERE f.account_id = s.account_id AND f.remote_id = 'agent' AND o.agent ->> 'id' = s.assignee_id AND o.agent ->> 'email' <> ''),
	'agent ' || nullif(assignee_id, '1'))$sql$,	-- agent 1 means unassigned
				usual => ARRAY[
					('status', '1', 'new'), ('status', '2', 'open'), ('status', '3', 'pending'), ('status', '28', 'hold'),
					('status', '18', 'solved'), ('status', '9', 'closed'),
					('priority', '1', 'urgent'), ('priority', '2', 'high'), ('priority', '3', 'normal'), ('priority', '4', 'low')]::zcsync.vendor_value[],
				rules => ROW(NULL, NULL, NULL, '{status,priority,form_id}', NULL)::zcsync.vendor_rules, name_field => 'subject', place_field => 'form_id', place => 'ticket type', setting => 'ticket_type',
				status_scope => 'tickets', status_is_id => true, needs_company => true, choices => '{"group_id": ["team", "name"]}', listed => zcsync._halopsa_listed('form_id', 'organization_id', 'to_jsonb(t.tags) IS NOT DISTINCT FROM t.base -> ''tags'''),
				roles => '{"status": "status", "assignee_id": "member", "organization_id": "company", "requester_id": "user", "site_id": "site"}',
				defaults => ARRAY[
					('tickets', 'organization_id', false, 50, $sql$jsonb_build_object('id', organization_id, 'email',
	(SELECT c.email FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id))$sql$),
					('tickets', 'site_id', false, 70, 'NULL::text')]::zcsync.vendor_default[]),
			zcsync._describe_kind('leads', written => zcsync._halopsa_pushable('leads'), compared => true, comments => 'changed',
				count_request => zcsync._halopsa_estimate_request('leads'),
				rules => ROW(NULL, NULL, NULL, '{status,type_id}', NULL)::zcsync.vendor_rules, name_field => 'summary', place_field => 'type_id', place => 'ticket type', setting => 'ticket_type',
				status_scope => 'leads', status_is_id => true, choices => '{"team": ["team", "name"]}', roles => '{"status": "status", "owner_id": "member", "company_id": "company", "contact_id": "user", "site_id": "site"}', listed => zcsync._halopsa_listed('type_id', 'company_id', 'true')),
			zcsync._describe_kind('comments', written => zcsync._halopsa_pushable('comments'), create_only => '{parent_kind,parent_id,outcome,author_id}', text_form => 'html', has_private => true),
			zcsync._describe_kind('attachments'), zcsync._describe_kind('time_entries'), zcsync._describe_kind('projects', count_request => zcsync._halopsa_estimate_request('projects'), compared => true),
			zcsync._describe_kind('contacts', count_request => zcsync._halopsa_estimate_request('contacts'), compared => true),
			zcsync._describe_kind('companies', count_request => zcsync._halopsa_estimate_request('companies'), compared => true),
			zcsync._describe_kind('fields'), zcsync._describe_kind('statuses')],
		settings => ARRAY[
			zcsync._describe_setting('host', 'string', '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$',
				'It is the name that the address of the instance begins with, as in "acme.halopsa.com".', identifies => true,
				missing => 'settings => ''{"host": "acme.halopsa.com"}''.'),
			zcsync._describe_setting('auth_url', 'string', '^https?://[^[:space:]?#]+$',
				'Leave it out unless the authorisation server is not at HOST/auth.', is_address => true),
			zcsync._describe_setting('tenant', 'string', '^[^[:space:]]{1,100}$',
				'HaloPSA shows it beside the address of the authorisation server.'),
			zcsync._describe_setting('tenant_in', 'string', '^(query|body)$',
				'It says where the tenant goes: query (the default) or body.'),
			zcsync._describe_setting('reconcile_limit', 'number', '^[0-9]{1,7}$',
				'It is the number of records that may be missing at HaloPSA before a daily comparison stops.'),
			zcsync._describe_setting('excluded_outcomes', 'array', '^[[](("[^"]{1,200}"|[0-9]{1,9})(, ("[^"]{1,200}"|[0-9]{1,9})){0,99})?]$',
				'It is a list of names or ids of outcomes, as in ["Email Update", 42]; actions with these do not become comments.')],
		credentials => ARRAY[ROW('{client_id,client_secret}', '{scope}')]::zcsync.vendor_credentials[],
		write_batch => 100,
		probe_request => '{"op": "list", "entity": "Tickets", "pageinate": true, "page_no": 1, "page_size": 1}',
		count_path => '{record_count}',
		members_field => 'agent',
		base_url => 'zcsync._halopsa_base_url(jsonb)',
		budgets => 'zcsync._halopsa_budgets(jsonb)',
		check_account => 'zcsync._halopsa_check_account(bigint)',
		discover => 'zcsync._halopsa_discover(bigint)',
		record_url => 'zcsync._halopsa_record_url(jsonb,text,text)',
		scope_check => 'zcsync._halopsa_scope_check(text,jsonb)',
		scope_lacks => 'zcsync._halopsa_scope_lacks(bigint,text)',
		pull_request => 'zcsync._halopsa_pull_request(bigint,text)',
		next => 'zcsync._halopsa_next(bigint,text,jsonb,jsonb)',
		compare_request => 'zcsync._halopsa_compare_request(bigint,jsonb)',
		compare => 'zcsync._halopsa_compare(bigint,jsonb,jsonb,jsonb)',
		fetch_request => 'zcsync._halopsa_fetch_request(bigint,jsonb)',
		rows => 'zcsync._halopsa_rows(bigint,text,jsonb,jsonb)',
		push_requests => 'zcsync._halopsa_push_requests(bigint[])',
		push_effect => 'zcsync._halopsa_push_effect(jsonb,jsonb,jsonb,text)',
		statuses => 'zcsync._halopsa_kind_statuses(bigint,text,text)',
		places => 'zcsync._halopsa_places(bigint,text)',
		place => 'zcsync._halopsa_place(bigint,text,text,boolean)',
		required => 'zcsync._halopsa_required(bigint,text,text)',
		person => 'zcsync._halopsa_user(bigint,text,text,text)',
		webhook_proof => 'zcsync._halopsa_webhook_proof(jsonb,bytea,text)',
		webhook_events => 'zcsync._halopsa_webhook_events(bigint,jsonb,jsonb)',
		comments_request => 'zcsync._halopsa_comments_request(bigint,jsonb)',
		comments_next => 'zcsync._halopsa_comments_next(bigint,jsonb,jsonb)',
		login_request => '{"op": "get", "entity": "Agent", "id": "me"}',
		login => 'zcsync._halopsa_login(jsonb)',
		comment_fault => 'zcsync._halopsa_comment_fault(jsonb,jsonb,jsonb)',
		comment_request => 'zcsync._halopsa_comment_request(jsonb,jsonb)',
		comment_reply => 'zcsync._halopsa_comment_reply(bigint,jsonb,jsonb)', file_request => 'zcsync._halopsa_file_request(bigint,jsonb)', file_upload => 'zcsync._halopsa_file_upload(bigint,jsonb,jsonb)', file_reply => 'zcsync._halopsa_file_reply(jsonb,jsonb)', file_look => 'zcsync._halopsa_file_look(bigint,jsonb)', file_found => 'zcsync._halopsa_file_found(jsonb,jsonb)');
END;
COMMENT ON FUNCTION zcsync._vendor_halopsa() IS
'the descriptor of HaloPSA';
