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
			zcsync._describe_kind('tickets', written => zcsync._halopsa_pushable('tickets')),
			zcsync._describe_kind('leads', written => zcsync._halopsa_pushable('leads')),
			zcsync._describe_kind('comments'),
			zcsync._describe_kind('contacts'),
			zcsync._describe_kind('companies'),
			zcsync._describe_kind('fields'),
			zcsync._describe_kind('statuses')],
		settings => ARRAY[
			zcsync._describe_setting('host', 'string', '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$',
				'It is the name that the address of the instance begins with, as in "acme.halopsa.com".', identifies => true,
				missing => 'settings => ''{"host": "acme.halopsa.com"}''.'),
			zcsync._describe_setting('auth_url', 'string', '^https?://[^\s?#]+$',
				'Leave it out unless the authorisation server is not at HOST/auth.', is_address => true),
			zcsync._describe_setting('tenant', 'string', '^[^\s]{1,100}$',
				'HaloPSA shows it beside the address of the authorisation server.'),
			zcsync._describe_setting('tenant_in', 'string', '^(query|body)$',
				'It says where the tenant goes: query (the default) or body.'),
			zcsync._describe_setting('reconcile_limit', 'number', '^[0-9]{1,7}$',
				'It is the number of records that may be missing at HaloPSA before a daily comparison stops.')],
		credentials => ARRAY[ROW('{client_id,client_secret}', '{scope}')]::zcsync.vendor_credentials[],
		write_batch => 100,
		base_url => 'zcsync._halopsa_base_url(jsonb)',
		budgets => 'zcsync._halopsa_budgets(jsonb)');
END;
COMMENT ON FUNCTION zcsync._vendor_halopsa() IS
'what there is to know about HaloPSA';
