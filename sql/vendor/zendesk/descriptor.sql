-- ---------------------------------------------------------------------
-- Zendesk: the descriptor; see sql/vendor/contract.sql.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._zendesk_base_url(p_settings jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'https://' || (p_settings ->> 'subdomain') || '.zendesk.com';
END;
COMMENT ON FUNCTION zcsync._zendesk_base_url(jsonb) IS
'the address of an account of Zendesk';

-- Calls per minute that the plan allows.  Exports and changes of tickets have limits of
-- their own; both count among all calls, too.  The plan Essential allows ten calls,
-- exports included.  Sandboxes and trials have a lower limit for changes.  Limits in
-- the headers of replies replace all of these, see _note_limits().
CREATE FUNCTION zcsync._zendesk_budgets(p_settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.class, c.calls, 60.0::double precision, c.concurrency
	FROM (SELECT p_settings ->> 'plan', coalesce(p_settings ->> 'high_volume' = 'true', false),
			coalesce(p_settings ->> 'sandbox' = 'true', false) OR coalesce(p_settings ->> 'plan' = 'trial', false)) AS p (plan, is_high, is_test)
	CROSS JOIN LATERAL (VALUES
		('api', CASE WHEN p.is_high THEN 2500
			ELSE CASE p.plan
				WHEN 'essential' THEN 7
				WHEN 'growth' THEN 400
				WHEN 'professional' THEN 400
				WHEN 'enterprise' THEN 700
				WHEN 'enterprise_plus' THEN 2500
				ELSE 200 END END, 10),
		('export', CASE WHEN p.is_high THEN 30 WHEN p.plan = 'essential' THEN 3 ELSE 10 END, 1),
		('write', CASE WHEN p.is_test AND p.is_high THEN 100 WHEN p.is_test THEN 20 WHEN p.is_high THEN 300 ELSE 100 END, 10),
		('token', 10, 1)) AS c (class, calls, concurrency);
END;
COMMENT ON FUNCTION zcsync._zendesk_budgets(jsonb) IS
'budgets of an account by its plan: all calls, exports, writes, requests for tokens';

-- The description of a ticket is its first comment, which cannot be changed.
CREATE FUNCTION zcsync._vendor_zendesk() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('zendesk', 'Zendesk', 'zendesk',
		kinds => ARRAY[
			zcsync._describe_kind('tickets', written => zcsync._zendesk_pushable('tickets'), create_only => '{description}',
				pull_class => 'export', count_request => '{"op": "count"}', comments => 'events',
				-- the description of a ticket whose first comment, or all of them, are private
				public_text => $sql$CASE WHEN s.opens_privately IS NOT TRUE AND s.remote ->> 'is_public' IS DISTINCT FROM 'false' THEN nullif(btrim(description), '') END$sql$,
				usual => ARRAY[
					('status', 'new', 'new'), ('status', 'open', 'open'), ('status', 'pending', 'pending'), ('status', 'hold', 'hold'),
					('status', 'solved', 'solved'), ('status', 'solved', 'closed'),
					('priority', 'urgent', 'urgent'), ('priority', 'high', 'high'), ('priority', 'normal', 'normal'),
					('priority', 'low', 'low')]::zcsync.vendor_value[],
				fixed_values => '{status,priority}',
				rules => ROW('new', 'closed', 'solved', '{status,requester_id}', '{requester_id}')::zcsync.vendor_rules,
				name_field => 'subject', status_scope => 'tickets', choices => '{"type": ["tickettype", "value"], "group_id": ["group", "id"]}',
				roles => '{"assignee_id": "member", "requester_id": "requester", "organization_id": "organization"}',
				defaults => ARRAY[('tickets', 'assignee_id', true, 50, NULL)]::zcsync.vendor_default[]),
			-- of a comment, only that it is public can be changed
			zcsync._describe_kind('comments', written => zcsync._zendesk_pushable('comments'),
				create_only => '{parent_kind,parent_id,author_id,body,rich_body}', text_form => 'html', has_private => true, opening => true, names_author => true),
			zcsync._describe_kind('attachments'),
			zcsync._describe_kind('contacts', pull_class => 'export'),
			zcsync._describe_kind('companies', pull_class => 'export'),
			zcsync._describe_kind('fields'), zcsync._describe_kind('statuses')],
		settings => ARRAY[
			zcsync._describe_setting('subdomain', 'string', '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
				'The subdomain of acme.zendesk.com is "acme".', identifies => true,
				missing => 'settings => ''{"subdomain": "acme"}'', for acme.zendesk.com.'),
			zcsync._describe_setting('plan', 'string', '^(essential|trial|team|growth|professional|enterprise|enterprise_plus)$',
				'The plans are essential, trial, team, growth, professional, enterprise and enterprise_plus.'),
			zcsync._describe_setting('sandbox', 'boolean', NULL, 'True if the account is a sandbox, where fewer tickets may be changed a minute.'),
			zcsync._describe_setting('high_volume', 'boolean', NULL, 'True if the account has the High Volume API add-on.')],
		credentials => ARRAY[
			ROW('{client_id,client_secret}', '{scope}'),
			ROW('{email,api_token}', '{}')]::zcsync.vendor_credentials[],
		fetch_batch => 100,
		conditional => true,
		refuses_scope => true,
		probe_request => '{"op": "count"}',	-- /users/me does not fail
		count_path => '{count,value}',
		member_roles => '{agent,admin}',
		base_url => 'zcsync._zendesk_base_url(jsonb)',
		budgets => 'zcsync._zendesk_budgets(jsonb)',
		check_account => 'zcsync._zendesk_check_account(bigint)',
		discover => 'zcsync._zendesk_discover(bigint)',
		record_url => 'zcsync._zendesk_record_url(jsonb,text,text)',
		scope_check => 'zcsync._zendesk_scope_check(text,jsonb)',
		scope_lacks => 'zcsync._zendesk_scope_lacks(bigint,text)',
		pull_request => 'zcsync._zendesk_pull_request(bigint,text)',
		next => 'zcsync._zendesk_next(bigint,text,jsonb,jsonb)',
		restart => 'zcsync._zendesk_restart(jsonb,integer,text)',
		fetch_request => 'zcsync._zendesk_fetch_request(bigint,jsonb)',
		rows => 'zcsync._zendesk_rows(bigint,text,jsonb,jsonb)',
		push_requests => 'zcsync._zendesk_push_requests(bigint[])',
		push_effect => 'zcsync._zendesk_push_effect(jsonb,jsonb,jsonb,text)',
		withhold => 'zcsync._zendesk_withhold(jsonb,integer,jsonb)',
		statuses => 'zcsync._zendesk_ticket_statuses(bigint,text,text)',
		required => 'zcsync._zendesk_required(bigint,text,text)',
		closing => 'zcsync._zendesk_closing(bigint,text,text)',
		webhook_proof => 'zcsync._zendesk_webhook_proof(jsonb,bytea,text)',
		webhook_events => 'zcsync._zendesk_webhook_events(bigint,jsonb,jsonb)',
		remote_history => 'zcsync._zendesk_history(bigint,text,text)',
		suspended => 'zcsync._zendesk_suspended(bigint)', suspended_count => 'zcsync._zendesk_suspended_count(jsonb)',
		suspended_request => '{"op": "suspended_tickets", "page[size]": 100}',
		comments_request => 'zcsync._zendesk_comments_request(bigint,jsonb)',
		comments_next => 'zcsync._zendesk_comments_next(bigint,jsonb,jsonb)',
		webhook_request => 'zcsync._zendesk_webhook_request(bigint,text,jsonb)',
		webhook_reply => 'zcsync._zendesk_webhook_reply(text,jsonb)',
		webhook_subscriptions => ARRAY(SELECT 'zen:event-type:ticket.' || e FROM unnest('{created,status_changed,custom_status_changed,subject_changed,
			priority_changed,type_changed,tags_changed,agent_assignment_changed,group_assignment_changed,organization_changed,requester_changed,
			external_id_changed,custom_field_changed,task_due_at_changed,comment_added,comment_made_private,comment_redacted,merged,soft_deleted,undeleted,
			permanently_deleted}'::text[]) AS e),
		login_request => '{"op": "users_me"}',
		login => 'zcsync._zendesk_login(jsonb)',
		comment_fault => 'zcsync._zendesk_comment_fault(jsonb,jsonb,jsonb)',
		comment_request => 'zcsync._zendesk_comment_request(jsonb,jsonb)',
		comment_reply => 'zcsync._zendesk_comment_reply(bigint,jsonb,jsonb)', files_first => true, file_request => 'zcsync._zendesk_file_request(bigint,jsonb)', file_upload => 'zcsync._zendesk_file_upload(bigint,jsonb,jsonb)', file_reply => 'zcsync._zendesk_file_reply(jsonb,jsonb)');
END;
COMMENT ON FUNCTION zcsync._vendor_zendesk() IS
'the descriptor of Zendesk';
