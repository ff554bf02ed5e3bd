-- ---------------------------------------------------------------------
-- ClickUp: the descriptor; see sql/vendor/contract.sql.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_base_url(p_settings jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'https://api.clickup.com'::text;
END;
COMMENT ON FUNCTION zcsync._clickup_base_url(jsonb) IS
'the address of ClickUp, the same for all accounts';

CREATE FUNCTION zcsync._clickup_budgets(p_settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'api',
		CASE p_settings ->> 'plan' WHEN 'business_plus' THEN 1000 WHEN 'enterprise' THEN 10000 ELSE 100 END,
		60.0::double precision, 10;
END;
COMMENT ON FUNCTION zcsync._clickup_budgets(jsonb) IS
'budget of an account by its plan: all calls of its token';

CREATE FUNCTION zcsync._vendor_clickup() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('clickup', 'ClickUp', 'clickup',
		kinds => ARRAY[
			zcsync._describe_kind('tasks', written => zcsync._clickup_pushable('tasks'), compared => true, comments => 'changed', alias => 'custom_id',
				usual => ARRAY[
					('priority', '1', 'urgent'), ('priority', '2', 'high'), ('priority', '3', 'normal'),
					('priority', '4', 'low')]::zcsync.vendor_value[],
				fixed_values => '{priority}',
				rules => ROW(NULL, NULL, NULL, '{name,status,archived,list_id,parent_id}', NULL)::zcsync.vendor_rules,
				name_field => 'name', place_field => 'list_id', place => 'list', setting => 'create_in',
				roles => '{"status": "status", "assignees": "member"}', choices => '{"type_id": ["type", "id"]}',
				-- the live list lacks archived tasks, and those with another home come in turn
				listed => $sql$t.base ->> 'archived' IS DISTINCT FROM 'true' AND (NOT s.scope ? 'list_ids'
	OR EXISTS (SELECT FROM jsonb_array_elements_text(s.scope -> 'list_ids') AS l WHERE l = t.base ->> 'list_id'))$sql$),
			zcsync._describe_kind('comments', written => zcsync._clickup_pushable('comments'), create_only => '{parent_kind,parent_id,reply_to,is_private}',
				text_form => 'blocks'),
			zcsync._describe_kind('attachments'), zcsync._describe_kind('time_entries'),
			zcsync._describe_kind('contacts'),
			zcsync._describe_kind('fields'),
			zcsync._describe_kind('statuses')],
		settings => ARRAY[
			zcsync._describe_setting('workspace_id', 'string', '^[0-9]{1,19}$',
				'It is the number that follows app.clickup.com/ in the address of the workspace.',
				identifies => true, from_number => true),
			zcsync._describe_setting('plan', 'string', '^(free|unlimited|business|business_plus|enterprise)$',
				'The plans are free, unlimited, business, business_plus and enterprise.'),
			zcsync._describe_setting('reconcile_limit', 'number', '^[0-9]{1,7}$',
				'It is the number of tasks that may be missing at ClickUp before a daily comparison stops.')],
		credentials => ARRAY[
			ROW('{token}', '{}'),
			ROW('{access_token}', '{}')]::zcsync.vendor_credentials[],
		probe_request => '{"op": "team"}',
		base_url => 'zcsync._clickup_base_url(jsonb)',
		budgets => 'zcsync._clickup_budgets(jsonb)',
		check_account => 'zcsync._clickup_check_account(bigint)',
		discover => 'zcsync._clickup_discover(bigint)',
		record_url => 'zcsync._clickup_record_url(jsonb,text,text)',
		scope_check => 'zcsync._clickup_scope_check(text,jsonb)',
		pull_request => 'zcsync._clickup_pull_request(bigint,text)',
		next => 'zcsync._clickup_next(bigint,text,jsonb,jsonb)',
		compare_request => 'zcsync._clickup_compare_request(bigint,jsonb)',
		compare => 'zcsync._clickup_compare(bigint,jsonb,jsonb,jsonb)',
		fetch_request => 'zcsync._clickup_fetch_request(bigint,jsonb)',
		rows => 'zcsync._clickup_rows(bigint,text,jsonb,jsonb)',
		push_requests => 'zcsync._clickup_push_requests(bigint[])',
		push_effect => 'zcsync._clickup_push_effect(jsonb,jsonb,jsonb,text)',
		statuses => 'zcsync._clickup_list_statuses(bigint,text,text)',
		place => 'zcsync._clickup_place(bigint,text,text,boolean)',
		required => 'zcsync._clickup_required(bigint,text,text)',
		webhook_proof => 'zcsync._clickup_webhook_proof(jsonb,bytea,text)',
		webhook_events => 'zcsync._clickup_webhook_events(bigint,jsonb,jsonb)',
		comments_request => 'zcsync._clickup_comments_request(bigint,jsonb)',
		comments_next => 'zcsync._clickup_comments_next(bigint,jsonb,jsonb)',
		webhook_request => 'zcsync._clickup_webhook_request(bigint,text,jsonb)',
		webhook_reply => 'zcsync._clickup_webhook_reply(text,jsonb)',
		webhook_subscriptions => '{taskCreated,taskUpdated,taskDeleted,taskStatusUpdated,taskPriorityUpdated,taskAssigneeUpdated,taskDueDateUpdated,taskTagUpdated,
			taskMoved,taskCommentPosted,taskCommentUpdated,taskTimeTrackedUpdated,listCreated,listUpdated,listDeleted,folderCreated,folderUpdated,folderDeleted,
			spaceCreated,spaceUpdated,spaceDeleted}',
		login_request => '{"op": "user"}',
		login => 'zcsync._clickup_login(jsonb)',
		comment_fault => 'zcsync._clickup_comment_fault(jsonb,jsonb,jsonb)',
		comment_request => 'zcsync._clickup_comment_request(jsonb,jsonb)',
		comment_reply => 'zcsync._clickup_comment_reply(bigint,jsonb,jsonb)', file_request => 'zcsync._clickup_file_request(bigint,jsonb)', file_upload => 'zcsync._clickup_file_upload(bigint,jsonb,jsonb)', file_reply => 'zcsync._clickup_file_reply(jsonb,jsonb)', file_look => 'zcsync._clickup_file_look(bigint,jsonb)', file_found => 'zcsync._clickup_file_found(jsonb,jsonb)');
END;
COMMENT ON FUNCTION zcsync._vendor_clickup() IS
'the descriptor of ClickUp';
