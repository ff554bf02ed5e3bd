-- ---------------------------------------------------------------------
-- Credentials.  Their values never leave C: see src/secret.c.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._seal_credential(p_account bigint, p_name text, p_value text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_seal_credential';
COMMENT ON FUNCTION zcsync._seal_credential(bigint, text, text) IS
'stores one credential, sealed or as a reference; the account''s row must be locked';

CREATE FUNCTION zcsync._credential_status(p_account bigint, p_name text, OUT ok boolean, OUT message text, OUT hint text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_credential_status';
COMMENT ON FUNCTION zcsync._credential_status(bigint, text) IS
'can this credential be opened?';

CREATE FUNCTION zcsync._key_status(p_fingerprint text DEFAULT NULL, OUT state text, OUT fingerprint text, OUT message text, OUT hint text,
	OUT path text, OUT misplaced boolean, OUT former boolean)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_key_status';
COMMENT ON FUNCTION zcsync._key_status(text) IS
'the state (ok, missing or unusable) of the key file that seals credentials, or of the one with this fingerprint; where it is; whether it is in the data directory because no place was chosen; and whether zcsync.rotate_key() replaced that key';

CREATE FUNCTION zcsync._rotate_key(OUT sealed bigint, OUT fingerprint text, OUT path text, OUT former text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_rotate_key';
COMMENT ON FUNCTION zcsync._rotate_key() IS
'puts another key in the key file, keeps the former one beside it, and seals all that is sealed anew; the rows of all accounts must be locked';

CREATE FUNCTION zcsync._reference_status(p_name text, p_reference text, OUT message text, OUT hint text)
LANGUAGE c VOLATILE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_reference_status';
COMMENT ON FUNCTION zcsync._reference_status(text, text) IS
'why a credential that is kept in a file or in the environment cannot be read; NULL: it can';

-- Raise an error unless these are credentials that the vendor takes, in one of its
-- forms.  No message contains the values.
CREATE FUNCTION zcsync._check_credential_form(p_vendor text, p_credentials jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_forms zcsync.vendor_credentials[] := (zcsync._vendor_of(p_vendor)).credentials;
	v_keys text[];
	v_key text;
BEGIN
	IF jsonb_typeof(p_credentials) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'credentials of an account must be a JSON object',
			HINT = (SELECT format('For example {%s}.', string_agg(format('"%s": "file:NAME"', k), ', ' ORDER BY n))
				FROM unnest((v_forms[1]).required) WITH ORDINALITY AS x (k, n));
	END IF;
	SELECT e.key INTO v_key FROM jsonb_each(p_credentials) AS e WHERE jsonb_typeof(e.value) <> 'string' ORDER BY e.key LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('credential "%s" must be a JSON string', left(v_key, 80));
	ELSIF p_credentials ->> 'scope' ~ '^(file|env):' THEN
		-- a scope is shown to people, so a file that is named as one would be, too
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'credential "scope" cannot be a reference',
			HINT = 'A scope is no secret: give it as it is.';
	END IF;
	SELECT coalesce(array_agg(k ORDER BY k), '{}') INTO v_keys FROM jsonb_object_keys(p_credentials) AS k;
	PERFORM FROM unnest(v_forms) f
	WHERE v_keys @> f.required AND v_keys <@ (f.required || f.optional);
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('these are not the credentials of an account of vendor "%s"', p_vendor),
			DETAIL = format('Given: %s.', coalesce(left(nullif(array_to_string(v_keys, ', '), ''), 200), 'none')),
			HINT = coalesce('It takes ' || (SELECT string_agg(array_to_string(f.required, ' and ')
				|| CASE WHEN f.optional <> '{}' THEN ' (optional: ' || array_to_string(f.optional, ', ') || ')' ELSE '' END,
				', or ' ORDER BY f.required DESC) FROM unnest(v_forms) f) || '.',
				'Accounts of this vendor have no credentials.');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_credential_form(text, jsonb) IS
'raises an error unless these are the credentials that a vendor takes';

-- Does the server's log receive this session's statements, or the values of their
-- parameters?
CREATE FUNCTION zcsync._statements_are_logged() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT current_setting('log_statement') <> 'none'
		OR current_setting('log_min_duration_statement') <> '-1'
		OR current_setting('log_min_duration_sample') <> '-1'
		OR current_setting('log_transaction_sample_rate') <> '0'
		OR current_setting('log_parameter_max_length_on_error') <> '0';
$$;
COMMENT ON FUNCTION zcsync._statements_are_logged() IS
'does the server write the statements of this session into its log?';

-- Warn the caller of a function that takes a secret if the server logs the statement.
CREATE FUNCTION zcsync._warn_of_logged_secret(p_value text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF zcsync._statements_are_logged() AND NOT starts_with(p_value, 'file:') AND NOT starts_with(p_value, 'env:') THEN
		RAISE WARNING USING MESSAGE = 'the server logs statements, and this one contains a secret',
			HINT = 'Put the secret in a file of zcsync.credentials_directory and give "file:NAME" in its place; '
				'then replace the secret that was logged.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._warn_of_logged_secret(text) IS
'warns if the server writes this statement, which contains a secret, into its log';

-- Replace all credentials of an account, fetched tokens included.  Those that are not
-- given are deleted last: no new key is made as long as sealed values are there.  The
-- caller has locked the account's row, or just inserted it.
CREATE FUNCTION zcsync._store_credentials(p_account bigint, p_vendor text, p_credentials jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_fault record;
BEGIN
	PERFORM zcsync._check_credential_form(p_vendor, p_credentials);
	PERFORM zcsync._warn_of_logged_secret(e.value)
	FROM jsonb_each_text(p_credentials) AS e
	WHERE e.key NOT IN ('client_id', 'email', 'scope') AND e.value !~ '^(file|env):' LIMIT 1;

	PERFORM zcsync._seal_credential(p_account, e.key, e.value) FROM jsonb_each_text(p_credentials) AS e;
	DELETE FROM zcsync.credentials c
	WHERE c.account_id = p_account AND NOT p_credentials ? c.name AND NOT starts_with(c.name, 'webhook/');
	UPDATE zcsync.accounts a SET token_scope = NULL, login_id = NULL, credentials_end_at = NULL
	WHERE a.account_id = p_account AND (a.token_scope IS NOT NULL OR a.login_id IS NOT NULL OR a.credentials_end_at IS NOT NULL);
	PERFORM zcsync._compare_scope(p_account);
	PERFORM zcsync._activate_account(p_account);

	FOR v_fault IN SELECT c.* FROM zcsync._account_credentials(p_account) c WHERE NOT c.ok LOOP
		RAISE WARNING USING MESSAGE = format('credential "%s" cannot be used yet: %s', v_fault.name, v_fault.message),
			HINT = v_fault.hint;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._store_credentials(bigint, text, jsonb) IS
'replaces all credentials of an account';

CREATE FUNCTION zcsync.set_credentials(name text, credentials jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
BEGIN
	PERFORM zcsync._store_credentials(v_id, (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = v_id), credentials);
END
$$;
COMMENT ON FUNCTION zcsync.set_credentials(text, jsonb) IS
'replaces all credentials of an account, and lets it work again if it was blocked';

-- ---------------------------------------------------------------------
-- Scopes of access tokens.  A vendor may grant less than was asked for.  Some also
-- grant whatever was asked for, even a scope that does not exist; calls are then
-- refused one by one, or lists come back empty.  So the scope that was granted is
-- compared with what streams and routes need, by the vendor's hook scope_lacks: when a
-- token arrives, when a stream is added or altered, and in check_account().
-- ---------------------------------------------------------------------

-- What the account's streams and routes need that the scope of its token does not
-- contain.
CREATE FUNCTION zcsync._lacking_scope(p_account bigint) RETURNS TABLE (scope text, purpose text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
	v_hook regprocedure;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	v_hook := (zcsync._vendor_of(v_account.vendor)).scope_lacks;
	IF v_account.token_scope IS NOT NULL AND v_hook IS NOT NULL THEN
		RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2)', v_hook::regproc) USING p_account, v_account.token_scope;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._lacking_scope(bigint) IS
'the rights that the streams of an account need and its access token does not have';

-- The rows of check_account() about it.
CREATE FUNCTION zcsync._check_scope(p_account bigint) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'scope', l.purpose IS NULL,
		format('"%s" was granted', a.token_scope) || coalesce(CASE WHEN l.scope IS NULL THEN ': ' || l.purpose
			ELSE format(', and "%s" is needed: %s', l.scope, l.purpose) END, ''),
		CASE WHEN l.purpose IS NOT NULL THEN format('SELECT zcsync.set_credentials(%L, ''{..., "scope": "..."}'');', a.name) END
	FROM zcsync.accounts a LEFT JOIN LATERAL zcsync._lacking_scope(a.account_id) AS l ON true
	WHERE a.account_id = p_account AND a.token_scope IS NOT NULL AND (zcsync._vendor_of(a.vendor)).scope_lacks IS NOT NULL
	ORDER BY l.scope
$$;
COMMENT ON FUNCTION zcsync._check_scope(bigint) IS
'the rows of check_account() about the scope that was granted';

-- Open an alert if the account's token may do too little, or close that alert.
CREATE FUNCTION zcsync._compare_scope(p_account bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT a.name, string_agg(c.message, '; ') FILTER (WHERE NOT c.ok) AS said, min(c.hint) AS hint INTO v
	FROM zcsync.accounts a LEFT JOIN LATERAL zcsync._check_scope(a.account_id) AS c ON true
	WHERE a.account_id = p_account GROUP BY a.name;
	IF v.said IS NOT NULL THEN
		PERFORM zcsync._alert('scope_lacking', v.name, 'warning', format('the token of account "%s" may do too little: %s', v.name, v.said), v.hint);
	ELSIF EXISTS (SELECT FROM zcsync.alerts al WHERE al.code = 'scope_lacking' AND al.object = v.name AND al.resolved_at IS NULL) THEN
		PERFORM zcsync._resolve_alert('scope_lacking', v.name);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._compare_scope(bigint) IS
'opens the alert of an account whose access token may do too little, or closes it';

-- An access token arrived: store its scope.  If the account's row is locked, somebody
-- is altering the account, and the scope is stored with the next token.
CREATE FUNCTION zcsync._note_scope(p_account bigint, p_scope text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.accounts a WHERE a.account_id = p_account AND a.token_scope IS DISTINCT FROM p_scope FOR NO KEY UPDATE SKIP LOCKED;
	IF FOUND THEN
		UPDATE zcsync.accounts a SET token_scope = p_scope WHERE a.account_id = p_account;
		PERFORM zcsync._compare_scope(p_account);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_scope(bigint, text) IS
'stores the scope of an account''s access token as its vendor reported it';

CREATE FUNCTION zcsync.forget_credentials(name text) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
	v_count integer;
BEGIN
	DELETE FROM zcsync.credentials c WHERE c.account_id = v_id;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	UPDATE zcsync.accounts a
	SET version = a.version + 1,
		blocked_by = NULL,
		state = CASE a.state WHEN 'paused' THEN 'paused' ELSE 'blocked' END,
		state_reason = CASE a.state WHEN 'paused' THEN a.state_reason ELSE 'the account has no credentials' END,
		state_hint = CASE a.state WHEN 'paused' THEN a.state_hint ELSE 'Give them with zcsync.set_credentials().' END
	WHERE a.account_id = v_id AND a.vendor <> 'local';
	PERFORM zcsync._resolve_key_alert();
	PERFORM zcsync._wake();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.forget_credentials(text) IS
'deletes the credentials of an account and blocks it until it gets new ones; once no account has sealed credentials, a lost key file is replaced by a new one';

-- The credentials of an account, and whether they can be opened.  An account without
-- any has one row that says so.
CREATE FUNCTION zcsync._account_credentials(p_account bigint)
RETURNS TABLE (name text, form text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT c.name, CASE WHEN c.sealed IS NOT NULL THEN 'sealed' ELSE split_part(c.reference, ':', 1) END,
		s.ok, s.message, s.hint
	FROM zcsync.credentials c
	CROSS JOIN LATERAL zcsync._credential_status(c.account_id, c.name) s
	WHERE c.account_id = p_account AND NOT starts_with(c.name, 'webhook/')	-- an account works without those
	ORDER BY c.name COLLATE "C";
	IF NOT FOUND THEN
		RETURN QUERY
		SELECT NULL::text, NULL::text, false, 'the account has no credentials', 'Give them with zcsync.set_credentials().'
		FROM zcsync.accounts a WHERE a.account_id = p_account AND a.vendor <> 'local';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._account_credentials(bigint) IS
'the credentials of an account and whether they can be opened, without their values';

CREATE FUNCTION zcsync.check_credentials()
RETURNS TABLE (account text, name text, form text, ok boolean, message text, hint text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.name, c.name, c.form, c.ok, c.message, c.hint
	FROM zcsync.accounts a
	CROSS JOIN LATERAL (
		SELECT * FROM zcsync._account_credentials(a.account_id)
		UNION ALL
		SELECT w.name, CASE WHEN w.sealed IS NOT NULL THEN 'sealed' ELSE split_part(w.reference, ':', 1) END, s.ok, s.message, s.hint
		FROM zcsync.credentials w CROSS JOIN LATERAL zcsync._credential_status(w.account_id, w.name) s
		WHERE w.account_id = a.account_id AND starts_with(w.name, 'webhook/')) c
	ORDER BY a.name COLLATE "C", c.name COLLATE "C";
$$;
COMMENT ON FUNCTION zcsync.check_credentials() IS
'the credentials of all accounts, and the secrets of their webhooks: how they are stored, and whether they can be opened';

-- Of the keys that sealed something here, one that the key file lacks, and one that
-- zcsync.rotate_key() has replaced.  Tokens that end by themselves do not count: they are
-- fetched anew.
CREATE FUNCTION zcsync._sealing_keys(OUT lacking text, OUT former text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT min(n.key_fingerprint) FILTER (WHERE k.fingerprint IS DISTINCT FROM n.key_fingerprint),
		min(n.key_fingerprint) FILTER (WHERE k.former AND k.fingerprint = n.key_fingerprint)
	FROM (
		SELECT c.key_fingerprint FROM zcsync.credentials c WHERE c.sealed IS NOT NULL AND c.expires_at IS NULL
		UNION
		SELECT s.key_fingerprint FROM zcsync.alert_secrets s WHERE s.sealed IS NOT NULL) AS n
	CROSS JOIN LATERAL zcsync._key_status(n.key_fingerprint) AS k
$$;
COMMENT ON FUNCTION zcsync._sealing_keys() IS
'of the keys that sealed something here, one that is lacking, and one that was replaced by zcsync.rotate_key(); NULL: there is none';

-- Resolve the alert of a missing key when each sealed value has its key.
CREATE FUNCTION zcsync._resolve_key_alert() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.alerts al WHERE al.code = 'key_missing' AND al.resolved_at IS NULL;
	IF FOUND AND (zcsync._sealing_keys()).lacking IS NULL THEN
		PERFORM zcsync._resolve_alert('key_missing', '');
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_key_alert() IS
'resolves the alert of a missing key once all sealed values can be opened';

-- ---------------------------------------------------------------------
-- Another key
-- ---------------------------------------------------------------------

-- Both keys are in files at each moment (src/seal.c), and all values are sealed
-- anew in one transaction, so one of the two opens everything, however this ends.
-- While the accounts are locked, workers keep no token that they fetch.
CREATE FUNCTION zcsync.rotate_key() RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM FROM zcsync.accounts a ORDER BY a.account_id FOR NO KEY UPDATE;
	SELECT * INTO v FROM zcsync._rotate_key();
	IF v.fingerprint IS NULL THEN
		RETURN QUERY VALUES ('sealed', 'nothing: no credential of this database is sealed');
		RETURN;
	END IF;
	RETURN QUERY VALUES
		('sealed', format('credentials: %s, under key %s', v.sealed, v.fingerprint)),
		('key file', v.path),
		('former key', v.path || '.' || v.former),
		('to do', format('Copy "%s" to the same place of each standby, and to your backups of it.', v.path)),
		('to do', 'Run zcsync.rotate_key() in each other database of this server that uses zcsync: its selfcheck() says so.'),
		('to do', 'Remove the file of the former key when no database and no backup of one needs it.');
	PERFORM zcsync._resolve_key_alert();
END
$$;
COMMENT ON FUNCTION zcsync.rotate_key() IS
'makes a new key file and seals all credentials under it, in one step; the former key stays beside it until you remove it';

-- ---------------------------------------------------------------------
-- Self-check
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_key() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_key record;
	v_lacking text;
	v_former text;
BEGIN
	item := 'key';
	IF to_regclass('zcsync.credentials') IS NOT NULL THEN
		SELECT * INTO v_lacking, v_former FROM zcsync._sealing_keys();
	END IF;
	SELECT * INTO v_key FROM zcsync._key_status(v_lacking);
	ok := v_lacking IS NULL AND v_key.state IN ('ok', 'missing');
	message := CASE
		WHEN ok AND v_former IS NOT NULL THEN format('credentials are sealed with the former key %s; the key file has %s by now', v_former, v_key.fingerprint)
		WHEN v_key.state = 'ok' AND ok THEN format('credentials are sealed with key %s', v_key.fingerprint)
		WHEN ok THEN 'there is no key file yet; it is made when the first credentials are stored'
		WHEN v_key.state = 'ok' THEN format('key file "%s" holds key %s; credentials are sealed with key %s', v_key.path, v_key.fingerprint, v_lacking)
		ELSE v_key.message END;
	hint := CASE WHEN ok AND v_former IS NULL THEN NULL
		WHEN ok THEN 'SELECT * FROM zcsync.rotate_key(); -- ends what was cut short, or follows another database of this server'
		WHEN v_key.state <> 'ok' THEN v_key.hint
		WHEN pg_is_in_recovery() THEN 'Copy the key file of the primary to this place, with owner and mode.'
		ELSE 'Put the former key file back, or run zcsync.set_credentials() again for each account.' END;
	RETURN NEXT;

	item := 'key place';
	ok := NOT v_key.misplaced;
	message := format(CASE WHEN ok THEN 'the key file is "%s"'
		ELSE 'the key file is "%s", in the data directory: base backups contain it, pg_rewind may delete it, and a standby may be without it' END, v_key.path);
	hint := CASE WHEN NOT ok THEN 'Copy it, if there is one, to a place outside of the data directory where the server may write, and name that place: '
		'ALTER SYSTEM SET zcsync.key_file = ''/.../zcsync.key''; SELECT pg_reload_conf();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_key() IS
'the part of zcsync.selfcheck() about the key file';

-- Credentials that are kept outside of the database.  On a standby nothing else would
-- show that they are missing.
CREATE FUNCTION zcsync._check_references() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regclass('zcsync.credentials') IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 'credentials', false, format('credential "%s" of account "%s": %s', c.name, a.name, s.message), s.hint
	FROM zcsync.credentials AS c
	JOIN zcsync.accounts AS a USING (account_id)
	CROSS JOIN LATERAL zcsync._reference_status(c.name, c.reference) AS s
	WHERE c.reference IS NOT NULL AND s.message IS NOT NULL
	ORDER BY a.name COLLATE "C", c.name COLLATE "C"
	LIMIT 20;
	IF NOT FOUND THEN
		RETURN QUERY
		SELECT 'credentials', true, format('%s kept in files or in the environment can be read', count(*)), NULL::text
		FROM zcsync.credentials AS c WHERE c.reference IS NOT NULL
		HAVING count(*) > 0;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_references() IS
'the part of zcsync.selfcheck() about credentials that are kept in files or in the environment';

CREATE FUNCTION zcsync._account_conditions() RETURNS SETOF zcsync.condition
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 40, c.* FROM zcsync._check_key() AS c
$$;
COMMENT ON FUNCTION zcsync._account_conditions() IS
'what zcsync.selfcheck() asks of the key of credentials';

CREATE FUNCTION zcsync._account_remarks() RETURNS SETOF zcsync.remark
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 41, c.* FROM zcsync._check_references() AS c
$$;
COMMENT ON FUNCTION zcsync._account_remarks() IS
'what zcsync.selfcheck() says of credentials that are kept elsewhere';
