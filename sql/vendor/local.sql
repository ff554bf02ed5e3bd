-- ---------------------------------------------------------------------
-- The vendor of local accounts: it is called nowhere, and owns imported leads.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._local_scope_check(p_kind text, p_scope jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_scope <> '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'streams of local accounts have no scope';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._local_scope_check(text, jsonb) IS
'raises an error unless the scope is empty';

CREATE FUNCTION zcsync._vendor_local() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('local', 'Local', NULL,
		kinds => ARRAY[zcsync._describe_kind('leads')],
		settings => ARRAY[
			zcsync._describe_setting('country', 'string', '^[A-Z]{2}$',
				'It is the country of phone numbers without one, as two letters: "GB" and not "UK".')],
		scope_check => 'zcsync._local_scope_check(text,jsonb)');
END;
COMMENT ON FUNCTION zcsync._vendor_local() IS
'what there is to know about local accounts';
