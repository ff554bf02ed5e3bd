-- ---------------------------------------------------------------------
-- Alert targets: where messages about incidents are sent.
-- ---------------------------------------------------------------------

-- What each kind of target takes: settings, and secrets, which are sealed.
CREATE FUNCTION zcsync._alert_target_forms()
RETURNS TABLE (kind text, settings text[], optional_settings text[], secrets text[], optional_secrets text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('json', '{}'::text[], '{url,template}'::text[], '{}'::text[], '{url,token}'::text[]),
		('slack', '{}', '{}', '{url}', '{}'),
		('teams', '{}', '{}', '{url}', '{}'),
		('pagerduty', '{}', '{url}', '{routing_key}', '{}'),
		('email', '{url,from,to}', '{user}', '{}', '{password}'),
		('notify', '{channel}', '{}', '{}', '{}'),
		('ticket', '{account}', '{values,closed}', '{}', '{}');
END;
COMMENT ON FUNCTION zcsync._alert_target_forms() IS
'the settings and secrets that each kind of alert target takes';

-- Raise an error unless the members of an object are these.
CREATE FUNCTION zcsync._check_alert_members(p_what text, p_given jsonb, p_needed text[], p_optional text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_keys text[];
BEGIN
	IF jsonb_typeof(p_given) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s of an alert target must be a JSON object', p_what);
	END IF;
	SELECT coalesce(array_agg(k ORDER BY k), '{}') INTO v_keys FROM jsonb_object_keys(p_given) AS k;
	IF NOT v_keys @> p_needed OR NOT v_keys <@ (p_needed || p_optional) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('these are not the %s of such an alert target', p_what),
			DETAIL = format('Given: %s.', coalesce(left(nullif(array_to_string(v_keys, ', '), ''), 200), 'none')),
			HINT = format('It takes %s.', coalesce(nullif(concat_ws('; optional: ', nullif(array_to_string(p_needed, ', '), ''),
				nullif(array_to_string(p_optional, ', '), '')), ''), 'none'));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_alert_members(text, jsonb, text[], text[]) IS
'raises an error unless settings or secrets of an alert target have these members';

-- Addresses go into headers and commands of mail: one line, no brackets.
CREATE FUNCTION zcsync._is_mail_address(p_address text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(p_address ~ '^[!#-''*+./0-9=?A-Z^_a-z{|}~-]+@[A-Za-z0-9.-]+$' AND length(p_address) <= 254, false);
END;
COMMENT ON FUNCTION zcsync._is_mail_address(text) IS
'is this an e-mail address that may stand in a header?';

-- The addresses that an e-mail target writes to.
CREATE FUNCTION zcsync._alert_recipients(p_settings jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(a.address ORDER BY a.n)
	FROM jsonb_array_elements_text(CASE jsonb_typeof(p_settings -> 'to') WHEN 'array' THEN p_settings -> 'to'
		ELSE jsonb_build_array(p_settings -> 'to') END) WITH ORDINALITY AS a (address, n);
END;
COMMENT ON FUNCTION zcsync._alert_recipients(jsonb) IS
'the addresses that an alert target of kind email writes to';

CREATE FUNCTION zcsync._alert_host_allowed(p_url text, p_mail boolean, OUT message text, OUT hint text)
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_alert_host_allowed';
COMMENT ON FUNCTION zcsync._alert_host_allowed(text, boolean) IS
'why nothing may be sent to this address: its scheme, or zcsync.alert_hosts does not name its host; NULL: it may';

-- Only columns of a ticket that a person would set.
CREATE FUNCTION zcsync._check_alert_ticket(p_settings jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_known text[] := '{status,custom_status_id,priority,type,requester_id,assignee_id,group_id,organization_id,site_id,brand_id,form_id,tags,due_at,custom_fields}';
	v_other text;
BEGIN
	SELECT k INTO v_other
	FROM jsonb_object_keys(coalesce(p_settings -> 'values', '{}') || coalesce(p_settings -> 'closed', '{}')) AS k WHERE k <> ALL (v_known);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the ticket of an alert has no %s', quote_literal(v_other)),
			HINT = format('Use %s.', array_to_string(v_known, ', '));
	ELSIF NOT EXISTS (
		SELECT FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
		WHERE a.name = p_settings ->> 'account' AND s.kind = 'tickets' AND s.writes) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('there is no stream "%s/tickets" that may be written', p_settings ->> 'account'),
			HINT = format('SELECT zcsync.alter_stream(%L, writes => true);', (p_settings ->> 'account') || '/tickets');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_alert_ticket(jsonb) IS
'raises an error unless an alert can become a ticket with these settings';

-- Raise an error unless a target of this kind can have these settings.
CREATE FUNCTION zcsync._check_alert_settings(p_kind text, p_settings jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_form record;
	v_refused record;
BEGIN
	SELECT f.* INTO v_form FROM zcsync._alert_target_forms() AS f WHERE f.kind = p_kind;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('there is no kind %s of alert targets', coalesce(quote_literal(p_kind), 'NULL')),
			HINT = (SELECT format('The kinds are: %s.', string_agg(f.kind, ', ')) FROM zcsync._alert_target_forms() AS f);
	END IF;
	PERFORM zcsync._check_alert_members('settings', p_settings, v_form.settings, v_form.optional_settings);
	IF p_settings ? 'url' THEN
		SELECT * INTO v_refused FROM zcsync._alert_host_allowed(p_settings ->> 'url', p_kind = 'email');
		IF v_refused.message IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = v_refused.message, HINT = v_refused.hint;
		END IF;
	END IF;
	IF p_kind = 'email' AND NOT coalesce((SELECT bool_and(zcsync._is_mail_address(x.a))
			FROM unnest(zcsync._alert_recipients(p_settings) || (p_settings ->> 'from')) AS x (a)), false) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'invalid e-mail address of an alert target',
			HINT = '"from" is an address, "to" one or an array of them, without names and brackets.';
	ELSIF p_kind = 'pagerduty' AND (p_settings ->> 'url') !~ '^https://events([.][a-z0-9-]+)?[.]pagerduty[.]com/' THEN
		-- its secret is in the body, which others show to whoever has a place there
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the address of an alert target of kind "pagerduty" must be one of PagerDuty',
			HINT = 'For example "https://events.eu.pagerduty.com/v2/enqueue".';
	ELSIF p_kind = 'notify' AND (coalesce(p_settings ->> 'channel', '') = '' OR octet_length(p_settings ->> 'channel') > 63) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'channel must have 1 to 63 bytes';
	ELSIF p_kind = 'ticket' THEN
		PERFORM zcsync._check_alert_ticket(p_settings);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_alert_settings(text, jsonb) IS
'raises an error unless these are settings of an alert target of this kind';

-- Raise an error unless a target of this kind takes these secrets.  No message shows a
-- value.
CREATE FUNCTION zcsync._check_alert_secrets(p_kind text, p_settings jsonb, p_secrets jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_form record;
BEGIN
	SELECT f.* INTO v_form FROM zcsync._alert_target_forms() AS f WHERE f.kind = p_kind;
	PERFORM zcsync._check_alert_members('secrets', p_secrets, v_form.secrets, v_form.optional_secrets);
	IF EXISTS (SELECT FROM jsonb_each(p_secrets) AS e WHERE jsonb_typeof(e.value) <> 'string') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'secrets of an alert target must be JSON strings';
	ELSIF p_kind = 'json' AND (p_settings ? 'url') = (p_secrets ? 'url') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'an alert target of kind "json" has one url, as a setting or as a secret';
	ELSIF p_kind = 'email' AND (p_settings ? 'user') <> (p_secrets ? 'password') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'user and password of an alert target of kind "email" go together';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_alert_secrets(text, jsonb, jsonb) IS
'raises an error unless these are the secrets of an alert target of this kind';

-- ---------------------------------------------------------------------
-- Verbs
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.add_alert_target(name text, kind text, settings jsonb DEFAULT '{}', secrets jsonb DEFAULT '{}', severity text DEFAULT 'warning')
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
#variable_conflict use_variable
DECLARE
	v_id bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_alert_settings(kind, settings);
	PERFORM zcsync._check_alert_secrets(kind, settings, secrets);
	INSERT INTO zcsync.alert_targets AS t (name, kind, settings, severity, created_at)
	VALUES (name, kind, settings, severity, zcsync._now()) RETURNING t.target_id INTO v_id;
	PERFORM zcsync._store_alert_secrets(v_id, secrets);
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync.add_alert_target(text, text, jsonb, jsonb, text) IS
'adds a target of alerts: json, slack, teams, pagerduty, email, notify or ticket; secrets are sealed, or references to files; try it with zcsync.test_alert()';

-- The number of the target of this name, which is locked, or an error.
CREATE FUNCTION zcsync._lock_alert_target(p_name text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT t.target_id INTO v_id FROM zcsync.alert_targets AS t WHERE t.name = p_name FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no alert target %s', coalesce(quote_literal(p_name), 'NULL')),
			HINT = 'SELECT name, kind FROM zcsync.alert_targets; lists them.';
	END IF;
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync._lock_alert_target(text) IS
'locks the alert target of this name and returns its number; an error if there is none';

-- Settings and secrets are replaced as a whole; NULL leaves them as they are.  Secrets
-- that are kept are not sent to another address: whoever names that must know them.
CREATE FUNCTION zcsync.alter_alert_target(name text, settings jsonb DEFAULT NULL, secrets jsonb DEFAULT NULL, severity text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
#variable_conflict use_variable
DECLARE
	v_id bigint := zcsync._lock_alert_target(name);
	v_target zcsync.alert_targets;
	v_former_url text;
BEGIN
	SELECT t.* INTO v_target FROM zcsync.alert_targets AS t WHERE t.target_id = v_id;
	v_former_url := v_target.settings ->> 'url';
	v_target.settings := coalesce(settings, v_target.settings);
	PERFORM zcsync._check_alert_settings(v_target.kind, v_target.settings);
	PERFORM zcsync._check_alert_secrets(v_target.kind, v_target.settings, coalesce(secrets,
		(SELECT jsonb_object_agg(s.name, '') FROM zcsync.alert_secrets AS s WHERE s.target_id = v_target.target_id), '{}'));
	IF secrets IS NULL AND v_target.settings ->> 'url' IS DISTINCT FROM v_former_url
		AND EXISTS (SELECT FROM zcsync.alert_secrets AS s WHERE s.target_id = v_id) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the secrets of alert target "%s" were not given for this address', name),
			HINT = format('Give them again: SELECT zcsync.alter_alert_target(%L, settings => …, secrets => …);', name);
	END IF;
	UPDATE zcsync.alert_targets AS t SET settings = v_target.settings, severity = coalesce(alter_alert_target.severity, t.severity)
	WHERE t.target_id = v_target.target_id;
	IF secrets IS NOT NULL THEN
		PERFORM zcsync._store_alert_secrets(v_target.target_id, secrets);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.alter_alert_target(text, jsonb, jsonb, text) IS
'replaces settings, secrets or the severity of an alert target; what is not given stays';

CREATE FUNCTION zcsync.remove_alert_target(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_alert_target(remove_alert_target.name);
	v_rule text;
BEGIN
	SELECT r.name INTO v_rule FROM zcsync.alert_rules AS r WHERE remove_alert_target.name = ANY (r.targets || r.escalate_to) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
			MESSAGE = format('alert rule "%s" names target "%s"', v_rule, remove_alert_target.name),
			HINT = format('SELECT zcsync.alter_alert_rule(%L, ''{"targets": …}'');', v_rule);
	END IF;
	DELETE FROM zcsync.alert_targets AS t WHERE t.target_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.remove_alert_target(text) IS
'removes an alert target with its secrets and the record of its messages; no rule may name it';

CREATE FUNCTION zcsync.pause_alert_target(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_alert_target(pause_alert_target.name);
BEGIN
	UPDATE zcsync.alert_targets AS t SET state = 'paused' WHERE t.target_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.pause_alert_target(text) IS
'sends a target nothing until zcsync.resume_alert_target(); afterwards it gets the all-clears that it missed, and nothing else of that time';

CREATE FUNCTION zcsync.resume_alert_target(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_alert_target(resume_alert_target.name);
BEGIN
	UPDATE zcsync.alert_targets AS t SET state = 'active' WHERE t.target_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.resume_alert_target(text) IS
'sends messages to a paused target again';
