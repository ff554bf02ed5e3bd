-- ---------------------------------------------------------------------
-- The vendor of local accounts: nothing is sent to it, and it owns imported leads.
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

-- The statuses of leads belong to this installation.  leads.status_id has the id of
-- one.
CREATE FUNCTION zcsync._local_statuses(p_account bigint, p_kind text, p_place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT l.status_id::text, l.name, l.status_id, NULL::text, '{}'::text[], true, true
	FROM zcsync.lead_statuses l WHERE p_kind = 'leads'
$$;
COMMENT ON FUNCTION zcsync._local_statuses(bigint, text, text) IS
'the statuses of leads';

CREATE FUNCTION zcsync._vendor_local() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('local', 'Local', NULL,
		-- a lead that was merged, or whose status closes it, becomes no opportunity
		kinds => ARRAY[zcsync._describe_kind('leads', filter =>
			'merged_into IS NULL AND coalesce(status_id, 0) NOT IN (SELECT l.status_id FROM zcsync.lead_statuses AS l WHERE l.closed)')],
		settings => ARRAY[
			zcsync._describe_setting('country', 'string', '^[A-Z]{2}$',
				'It is the country of phone numbers without one, as two letters: "GB" and not "UK".')],
		scope_check => 'zcsync._local_scope_check(text,jsonb)', statuses => 'zcsync._local_statuses(bigint,text,text)');
END;
COMMENT ON FUNCTION zcsync._vendor_local() IS
'the descriptor of local accounts';
