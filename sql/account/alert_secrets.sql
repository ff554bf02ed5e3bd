-- ---------------------------------------------------------------------
-- Secrets of alert targets: addresses that are secrets, tokens, passwords.  They
-- are kept like credentials, and their values never leave C: see src/alert_secret.c.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._seal_alert_secret(p_target bigint, p_name text, p_value text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_seal_alert_secret';
COMMENT ON FUNCTION zcsync._seal_alert_secret(bigint, text, text) IS
'stores one secret of an alert target, sealed or as a reference';

CREATE FUNCTION zcsync._alert_secret_status(p_target bigint, OUT message text, OUT hint text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_alert_secret_status';
COMMENT ON FUNCTION zcsync._alert_secret_status(bigint) IS
'why a secret of an alert target cannot be opened; NULL: all can';

-- Replace all secrets of a target.  Those that are not given are deleted last: as
-- long as sealed values are there, no new key is made.
CREATE FUNCTION zcsync._store_alert_secrets(p_target bigint, p_secrets jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF zcsync._statements_are_logged() AND EXISTS (
		SELECT FROM jsonb_each_text(p_secrets) AS e WHERE NOT starts_with(e.value, 'file:') AND NOT starts_with(e.value, 'env:')) THEN
		RAISE WARNING USING MESSAGE = 'the server logs statements, and this one contains a secret',
			HINT = 'Put the secret in a file of zcsync.credentials_directory and give "file:NAME" in its place; '
				'then replace the secret that was logged.';
	END IF;
	PERFORM zcsync._seal_alert_secret(p_target, e.key, e.value) FROM jsonb_each_text(p_secrets) AS e;
	DELETE FROM zcsync.alert_secrets AS s WHERE s.target_id = p_target AND NOT p_secrets ? s.name;
END
$$;
COMMENT ON FUNCTION zcsync._store_alert_secrets(bigint, jsonb) IS
'replaces all secrets of an alert target';
