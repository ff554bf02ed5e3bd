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

-- Default of 300 calls in five minutes, which HaloPSA allowed when this was
-- written, less what other integrations need.  Requests for tokens go to
-- another server.
CREATE FUNCTION zcsync._halopsa_budgets(p_settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b.class, b.calls, b.window_s, b.concurrency
	FROM (VALUES ('api', 250, 300.0::double precision, 10), ('token', 10, 60.0, 1)) AS b (class, calls, window_s, concurrency);
END;
COMMENT ON FUNCTION zcsync._halopsa_budgets(jsonb) IS
'budgets of an account: all calls, requests for tokens; the setting budgets has others';

CREATE FUNCTION zcsync._vendor_halopsa() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('halopsa', 'HaloPSA', 'halopsa',
		kinds => ARRAY[
			zcsync._describe_kind('tickets', written => zcsync._halopsa_pushable('tickets'),
				count_request => zcsync._halopsa_estimate_request('tickets')),
			zcsync._describe_kind('leads', written => zcsync._halopsa_pushable('leads'),
				count_request => zcsync._halopsa_estimate_request('leads')),
			zcsync._describe_kind('comments'),
			zcsync._describe_kind('contacts', count_request => zcsync._halopsa_estimate_request('contacts')),
			zcsync._describe_kind('companies', count_request => zcsync._halopsa_estimate_request('companies')),
			zcsync._describe_kind('fields'),
			zcsync._describe_kind('statuses')],
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
				'It is the number of records that may be missing at HaloPSA before a daily comparison stops.')],
		credentials => ARRAY[ROW('{client_id,client_secret}', '{scope}')]::zcsync.vendor_credentials[],
		write_batch => 100,
		probe_request => '{"op": "list", "entity": "Tickets", "pageinate": true, "page_no": 1, "page_size": 1}',
		count_path => '{record_count}',
		base_url => 'zcsync._halopsa_base_url(jsonb)',
		budgets => 'zcsync._halopsa_budgets(jsonb)',
		check_account => 'zcsync._halopsa_check_account(bigint)',
		discover => 'zcsync._halopsa_discover(bigint)',
		record_url => 'zcsync._halopsa_record_url(jsonb,text,text)',
		scope_check => 'zcsync._halopsa_scope_check(text,jsonb)',
		pull_request => 'zcsync._halopsa_pull_request(bigint,text)',
		next => 'zcsync._halopsa_next(bigint,text,jsonb,jsonb)',
		fetch_request => 'zcsync._halopsa_fetch_request(bigint,jsonb)',
		rows => 'zcsync._halopsa_rows(bigint,text,jsonb,jsonb)',
		push_requests => 'zcsync._halopsa_push_requests(bigint[])',
		push_effect => 'zcsync._halopsa_push_effect(jsonb,jsonb,jsonb,text)');
END;
COMMENT ON FUNCTION zcsync._vendor_halopsa() IS
'what there is to know about HaloPSA';
