-- ---------------------------------------------------------------------
-- Accounts: one login at one vendor each.
--
-- States: active <-> paused (by an operator), active -> blocked (by zcsync,
-- when the credentials are missing, unreadable or refused) -> active (by
-- set_credentials() or resume_account()).
--
-- accounts.version is increased by each change that a worker must notice; the worker
-- then reads the account and its credentials again.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.account(name text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
BEGIN
	SELECT a.account_id INTO v_id FROM zcsync.accounts a WHERE a.name = account.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('account %s does not exist', coalesce('"' || left(name, 80) || '"', 'NULL')),
			HINT = 'SELECT name, vendor, state FROM zcsync.accounts;';
	END IF;
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync.account(text) IS
'the account_id of an account by its name';

-- The same for functions that change the account: they lock its row until the end of
-- the transaction.  Workers never wait for that lock.
CREATE FUNCTION zcsync._lock_account(p_name text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(p_name);
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM FROM zcsync.accounts a WHERE a.account_id = v_id FOR NO KEY UPDATE;
	-- it may have been removed while we waited
	RETURN zcsync.account(p_name);
END
$$;
COMMENT ON FUNCTION zcsync._lock_account(text) IS
'locks an account by its name and returns its account_id';

-- What the worker reads about an account; see src/call.c.
CREATE FUNCTION zcsync._account_context(p_account_id bigint)
RETURNS TABLE (name text, connector text, settings jsonb, version bigint, takes_gzip boolean)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.name, v.connector, a.settings, a.version, coalesce(v.takes_gzip, false)
	FROM zcsync.accounts a CROSS JOIN LATERAL zcsync._vendor_of(a.vendor) AS v WHERE a.account_id = p_account_id;
$$;
COMMENT ON FUNCTION zcsync._account_context(bigint) IS
'an account as the worker reads it';

-- ---------------------------------------------------------------------
-- Settings
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_url(p_url text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_check_url';
COMMENT ON FUNCTION zcsync._check_url(text) IS
'why this address may not be called, or NULL if it may';

-- The settings of a vendor's accounts: those that the vendor defines, and those of all
-- accounts that send requests.
CREATE FUNCTION zcsync._setting_rules(p_vendor text) RETURNS SETOF zcsync.vendor_setting
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.* FROM unnest((zcsync._vendor_of(p_vendor)).settings) AS r
	UNION ALL
	SELECT r.*
	FROM (VALUES
		(zcsync._describe_setting('base_url', 'string', '^https?://[^[:space:]?#]+$', 'Leave it out unless the vendor is behind a proxy.')),
		(zcsync._describe_setting('budget_share', 'number', NULL,
			'It is the part of the vendor''s limits that zcsync may use: above 0 and at most 1.')),
		(zcsync._describe_setting('budgets', 'object', NULL, 'It looks like {"api": {"calls": 100, "window_s": 60, "concurrency": 5}}.'))
	) AS v (rule)
	CROSS JOIN LATERAL (SELECT (v.rule).*) AS r
	WHERE (zcsync._vendor_of(p_vendor)).connector IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._setting_rules(text) IS
'the settings that accounts of a vendor have, their types and forms';

-- Where the requests of an account go; NULL for a local account, and while a
-- setting is missing.
CREATE FUNCTION zcsync._base_url(p_vendor text, p_settings jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regproc := (zcsync._vendor_of(p_vendor)).base_url;
	v_url text := p_settings ->> 'base_url';
BEGIN
	IF v_url IS NULL AND v_hook IS NOT NULL THEN
		EXECUTE format('SELECT %s($1)', v_hook) INTO v_url USING p_settings;
	END IF;
	RETURN v_url;
END
$$;
COMMENT ON FUNCTION zcsync._base_url(text, jsonb) IS
'the address that the requests of an account begin with';

-- Check the settings that an operator gave, and return them in the form in which they
-- are stored.  Raises an error about the first that is wrong.
CREATE FUNCTION zcsync._check_settings(p_vendor text, p_settings jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb := p_settings;
	v_given record;
	v_rule record;
	v_reason text;
	v_url text;
BEGIN
	IF jsonb_typeof(v_settings) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'settings of an account must be a JSON object';
	END IF;
	-- people may give an id as a number; vendors have it as text
	v_settings := v_settings || (
		SELECT coalesce(jsonb_object_agg(r.key, v_settings ->> r.key), '{}') FROM zcsync._setting_rules(p_vendor) r
		WHERE r.from_number AND jsonb_typeof(v_settings -> r.key) = 'number');
	IF jsonb_typeof(v_settings -> 'base_url') = 'string' THEN
		v_settings := v_settings || jsonb_build_object('base_url', rtrim(v_settings ->> 'base_url', '/'));
	END IF;

	FOR v_given IN SELECT e.key, e.value FROM jsonb_each(v_settings) AS e ORDER BY e.key LOOP
		SELECT r.* INTO v_rule FROM zcsync._setting_rules(p_vendor) r WHERE r.key = v_given.key;
		IF NOT FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" does not exist for vendor "%s"', left(v_given.key, 80), p_vendor),
				HINT = coalesce('The settings are ' || (SELECT string_agg(r.key, ', ' ORDER BY r.key)
					FROM zcsync._setting_rules(p_vendor) r) || '.', 'Accounts of this vendor have no settings.');
		ELSIF jsonb_typeof(v_given.value) <> v_rule.type THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" must be a JSON %s', v_given.key, v_rule.type),
				HINT = v_rule.hint;
		ELSIF (v_given.value #>> '{}') !~ v_rule.pattern THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid value for setting "%s": "%s"', v_given.key, left(v_given.value #>> '{}', 80)),
				HINT = v_rule.hint;
		ELSIF v_given.key = 'budget_share' AND NOT ((v_given.value)::numeric > 0 AND (v_given.value)::numeric <= 1) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid value for setting "budget_share": %s', left(v_given.value #>> '{}', 80)),
				HINT = v_rule.hint;
		ELSIF v_given.key = 'budgets' THEN
			PERFORM zcsync._check_budgets(p_vendor, v_given.value);
		END IF;
	END LOOP;

	IF (zcsync._vendor_of(p_vendor)).connector IS NULL THEN
		RETURN v_settings;
	END IF;
	v_url := zcsync._base_url(p_vendor, v_settings);
	IF v_url IS NULL THEN
		SELECT r.* INTO v_rule FROM zcsync._setting_rules(p_vendor) r WHERE r.missing IS NOT NULL AND NOT v_settings ? r.key LIMIT 1;
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "%s" is missing', v_rule.key), HINT = v_rule.missing;
	END IF;
	FOREACH v_url IN ARRAY v_url || ARRAY(
		SELECT v_settings ->> r.key FROM zcsync._setting_rules(p_vendor) r WHERE r.is_address AND v_settings ? r.key ORDER BY r.key)
	LOOP
		v_reason := zcsync._check_url(v_url);
		IF v_reason IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('address "%s" cannot be called', left(v_url, 200)),
				DETAIL = upper(left(v_reason, 1) COLLATE "C") || substr(v_reason, 2) || '.',
				HINT = 'Correct it, or have the administrator change zcsync.allowed_hosts.';
		END IF;
	END LOOP;
	RETURN v_settings;
END
$$;
COMMENT ON FUNCTION zcsync._check_settings(text, jsonb) IS
'checks the settings of an account and returns them as they are stored';

-- Check the setting "budgets", in which an operator gives limits that are closer to the
-- truth than the vendor's plan.
CREATE FUNCTION zcsync._check_budgets(p_vendor text, p_budgets jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_classes text[];
	v_fault text;
BEGIN
	EXECUTE format('SELECT array_agg(class ORDER BY class) FROM %s(''{}'')', (zcsync._vendor_of(p_vendor)).budgets::regproc)
		INTO v_classes;
	SELECT CASE
			WHEN c.key <> ALL (v_classes) THEN format('There is no class "%s", only %s.', left(c.key, 80),
				array_to_string(v_classes, ', '))
			WHEN jsonb_typeof(c.value) <> 'object' THEN format('"%s" is not a JSON object.', c.key)
			ELSE format('"%s" of "%s" is not a number of the right size.', left(l.key, 80), c.key)
		END INTO v_fault
	FROM jsonb_each(p_budgets) AS c
	LEFT JOIN LATERAL jsonb_each(CASE jsonb_typeof(c.value) WHEN 'object' THEN c.value ELSE '{}' END) AS l ON true
	WHERE c.key <> ALL (v_classes) OR jsonb_typeof(c.value) <> 'object'
		OR NOT CASE
			WHEN l.key IS NULL THEN true
			WHEN jsonb_typeof(l.value) <> 'number' THEN false
			WHEN l.key IN ('calls', 'concurrency') THEN l.value::numeric BETWEEN 1 AND 1000000
				AND l.value::numeric = trunc(l.value::numeric)
			WHEN l.key = 'window_s' THEN l.value::numeric BETWEEN 0.001 AND 86400
			ELSE false END
	ORDER BY c.key, l.key
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'invalid value for setting "budgets"', DETAIL = v_fault,
			HINT = (SELECT r.hint FROM zcsync._setting_rules(p_vendor) r WHERE r.key = 'budgets');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_budgets(text, jsonb) IS
'raises an error unless the setting "budgets" is valid';

-- ---------------------------------------------------------------------
-- What operators call.  The functions that take credentials set
-- log_min_error_statement, so that an error in them does not write the statement, and
-- the secret in it, into the server's log.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.add_account(name text, vendor text, settings jsonb DEFAULT '{}', credentials jsonb DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
DECLARE
	v_settings jsonb;
	v_id bigint;
	v_hook regprocedure;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF name IS NULL OR name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_name',
			MESSAGE = format('invalid account name: %s', coalesce('"' || left(name, 80) || '"', 'NULL')),
			HINT = 'A name has at most 63 lower-case letters, digits and "_", ".", "-", and starts with a letter or digit.';
	END IF;
	IF NOT EXISTS (SELECT FROM zcsync._vendors() v WHERE v.name = add_account.vendor) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('vendor %s does not exist', coalesce('"' || left(vendor, 80) || '"', 'NULL')),
			HINT = 'The vendors are ' || (SELECT string_agg(v.name, ', ' ORDER BY v.name) FROM zcsync._vendors() v) || '.';
	END IF;
	PERFORM zcsync._check_vendor(zcsync._vendor_of(vendor));
	v_settings := zcsync._check_settings(vendor, settings);

	INSERT INTO zcsync.accounts (name, vendor, settings, created_at)
	VALUES (add_account.name, add_account.vendor, v_settings, zcsync._now())
	ON CONFLICT ON CONSTRAINT accounts_name_key DO NOTHING
	RETURNING account_id INTO v_id;
	IF v_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('account "%s" already exists', name),
			HINT = 'Change it with zcsync.alter_account() or zcsync.set_credentials().';
	END IF;
	FOR v_hook IN SELECT p.added FROM zcsync._account_parts() AS p WHERE p.added IS NOT NULL ORDER BY p.place LOOP
		PERFORM zcsync._tell_account_part(v_hook, v_id);
	END LOOP;
	IF credentials IS NOT NULL THEN
		PERFORM zcsync._store_credentials(v_id, vendor, credentials);
	ELSIF vendor <> 'local' THEN
		RAISE NOTICE USING MESSAGE = format('account "%s" has no credentials yet', name),
			HINT = 'Give them with zcsync.set_credentials().';
	END IF;
	PERFORM zcsync._wake();
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync.add_account(text, text, jsonb, jsonb) IS
'adds a login at a vendor; credentials are sealed, or referred to as file:NAME';

CREATE FUNCTION zcsync.alter_account(name text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
	v_account zcsync.accounts;
	v_settings jsonb;
	v_key text;
	v_used text;
	v_hook regprocedure;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = v_id;
	IF jsonb_typeof(settings) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'settings of an account must be a JSON object';
	END IF;
	v_settings := zcsync._check_settings(v_account.vendor, jsonb_strip_nulls(v_account.settings || settings));

	-- At another vendor account the same ids belong to other records: rows that were
	-- mirrored from this one must not be written there by mistake.
	SELECT r.key INTO v_key FROM zcsync._setting_rules(v_account.vendor) AS r
	WHERE r.identifies AND v_account.settings ->> r.key <> v_settings ->> r.key LIMIT 1;
	IF v_key IS NOT NULL AND v_account.state <> 'paused' THEN
		SELECT u.used INTO v_used FROM zcsync._account_use(v_id) AS u;
	END IF;
	IF v_used IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot change setting "%s" of an account with %s', v_key, v_used),
			DETAIL = 'Its rows belong to the records of the present one.',
			HINT = format('If it is the same one under a new name, pause the account first: SELECT zcsync.pause_account(%L); '
				'if it is another one, add another account.', name);
	END IF;

	UPDATE zcsync.accounts a SET settings = v_settings, version = a.version + 1 WHERE a.account_id = v_id;
	FOR v_hook IN SELECT p.altered FROM zcsync._account_parts() AS p WHERE p.altered IS NOT NULL ORDER BY p.place LOOP
		PERFORM zcsync._tell_account_part(v_hook, v_id);
	END LOOP;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.alter_account(text, jsonb) IS
'changes the settings given and leaves the others; null takes a setting away';

CREATE FUNCTION zcsync.pause_account(name text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
BEGIN
	UPDATE zcsync.accounts a
	SET state = 'paused', state_reason = coalesce(left(reason, 500) || format(' (by %s)', session_user), 'paused by ' || session_user),
		state_hint = format('SELECT zcsync.resume_account(%L);', a.name)
	WHERE a.account_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.pause_account(text, text) IS
'stops all calls for an account, reading as well, until zcsync.resume_account(); its jobs stay queued';

CREATE FUNCTION zcsync.resume_account(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
	v_fault record;
BEGIN
	SELECT c.* INTO v_fault FROM zcsync._account_credentials(v_id) c WHERE NOT c.ok LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot resume account "%s": %s', name, v_fault.message),
			HINT = v_fault.hint;
	END IF;
	PERFORM zcsync._activate_account(v_id);
	UPDATE zcsync.accounts a
	SET state = 'active', state_reason = NULL, state_hint = NULL,
		breaker_failures = 0, breaker_until = NULL, breaker_opened_at = NULL
	WHERE a.account_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.resume_account(text) IS
'lets a paused or blocked account work again';

-- Something about an account was changed: have workers read it again, and if it was
-- blocked, let it try.
CREATE FUNCTION zcsync._activate_account(p_account bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
	v_code text;
BEGIN
	UPDATE zcsync.accounts a
	SET version = a.version + 1,
		state = CASE a.state WHEN 'blocked' THEN 'active' ELSE a.state END,
		state_reason = CASE a.state WHEN 'blocked' THEN NULL ELSE a.state_reason END,
		state_hint = CASE a.state WHEN 'blocked' THEN NULL ELSE a.state_hint END,
		blocked_by = NULL
	WHERE a.account_id = p_account
	RETURNING a.name INTO v_name;
	FOR v_code IN
		SELECT al.code FROM zcsync.alerts al
		WHERE al.object = v_name AND al.code LIKE E'credentials\\_%' AND al.resolved_at IS NULL
	LOOP
		PERFORM zcsync._resolve_alert(v_code, v_name);
	END LOOP;
	PERFORM zcsync._resolve_key_alert();
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync._activate_account(bigint) IS
'has workers read an account again, sets it active if it was blocked, and resolves its alerts';

-- Block an account that cannot work before a person does something, and raise one
-- alert.  A missing key has one alert for all accounts.  Never waits: if the account's
-- row is locked, the caller tries again later.
CREATE FUNCTION zcsync._block_account(p_account bigint, p_code text, p_reason text, p_hint text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
BEGIN
	SELECT a.name INTO v_name FROM zcsync.accounts a
	WHERE a.account_id = p_account AND a.state = 'active'
	FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	UPDATE zcsync.accounts a
	SET state = 'blocked', state_reason = p_reason, state_hint = p_hint, blocked_by = p_code,
		last_error = p_reason, last_error_at = zcsync._now()
	WHERE a.account_id = p_account;
	IF p_code = 'key_missing' THEN
		PERFORM zcsync._alert(p_code, '', 'critical', p_reason, p_hint);
	ELSE
		PERFORM zcsync._alert(p_code, v_name, 'critical', format('account "%s" is blocked: %s', v_name, p_reason), p_hint);
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._block_account(bigint, text, text, text) IS
'blocks an active account and raises one alert; codes are key_missing and credentials_...';

-- A key file, or a file with a secret, that was missing is back: the accounts that were
-- blocked because it was missing work again.  The worker calls this every few seconds.
CREATE FUNCTION zcsync._resume_readable() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
	v_count integer := 0;
BEGIN
	FOR v_id IN
		SELECT a.account_id FROM zcsync.accounts a
		WHERE a.state = 'blocked' AND a.blocked_by IN ('key_missing', 'credentials_unreadable')
		ORDER BY a.account_id
		FOR NO KEY UPDATE SKIP LOCKED
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM zcsync._account_credentials(v_id) c WHERE NOT c.ok);
		PERFORM zcsync._activate_account(v_id);
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._resume_readable() IS
'lets accounts work again whose credentials could not be opened before, and now can; returns how many';

CREATE FUNCTION zcsync.remove_account(name text, force boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(name);
	v_used text;
	v_counts text[];
	v_first text;
	v_part zcsync.account_part;
	v_removed text;
BEGIN
	PERFORM zcsync._refuse_standby();
	FOR v_part IN SELECT p.* FROM zcsync._account_parts() AS p WHERE p.removing IS NOT NULL ORDER BY p.place LOOP
		PERFORM zcsync._tell_account_part(v_part.removing, v_id);
	END LOOP;
	-- From here on no other transaction may refer to it.
	PERFORM FROM zcsync.accounts a WHERE a.account_id = v_id FOR UPDATE;
	v_id := zcsync.account(name);

	SELECT u.used, u.counts, u.first INTO v_used, v_counts, v_first FROM zcsync._account_use(v_id) AS u;
	IF v_used IS NOT NULL AND force IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('account "%s" still has %s', name, v_used),
			DETAIL = zcsync._account_sentence(v_counts),
			HINT = format('To remove them and all rows of this account: SELECT zcsync.remove_account(%L, force => true); '
				'nothing is deleted at the vendor.', name)
				|| coalesce(' First, to leave nothing of zcsync there: ' || replace(v_first, '%L', quote_literal(name)), '');
	END IF;

	PERFORM zcsync._verb_begins(format('zcsync.remove_account(%L)', name));
	FOR v_part IN SELECT p.* FROM zcsync._account_parts() AS p WHERE p.remove IS NOT NULL ORDER BY p.place LOOP
		PERFORM zcsync._verb_step(v_part.name, NULL);
		v_removed := zcsync._remove_account_part(v_part.remove, v_id);
		IF v_removed IS NOT NULL THEN
			v_counts := v_counts || format('%s: %s', v_part.name, v_removed);
		END IF;
	END LOOP;
	DELETE FROM zcsync.accounts a WHERE a.account_id = v_id;
	PERFORM zcsync._verb_ends();
	PERFORM zcsync._resolve_alerts_of(remove_account.name);
	PERFORM zcsync._resolve_key_alert();
	RAISE NOTICE USING MESSAGE = format('removed account "%s"', name),
		DETAIL = zcsync._account_sentence(v_counts) || ' What was done for it stays in sync_records and changes.';
END
$$;
COMMENT ON FUNCTION zcsync.remove_account(text, boolean) IS
'removes an account with its credentials and jobs; with force also its streams, routes and rows; the vendor keeps everything';
