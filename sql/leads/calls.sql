-- ---------------------------------------------------------------------
-- Leads that come one by one or by the hundred: sync_lead() and sync_leads().
-- import.sql is for files.  take.sql decides what becomes of a lead.
-- ---------------------------------------------------------------------

-- The local account of this name; without a name, the only local account.
CREATE FUNCTION zcsync._lead_account(p_name text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
	v_vendor text;
	v_names text[];
BEGIN
	IF p_name IS NULL THEN
		SELECT array_agg(a.name ORDER BY a.name), min(a.account_id) INTO v_names, v_id
		FROM zcsync.accounts a WHERE a.vendor = 'local';
		IF v_names IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = 'there is no local account that could own leads',
				HINT = 'SELECT zcsync.add_account(''crm'', ''local'');';
		ELSIF cardinality(v_names) > 1 THEN
			RAISE EXCEPTION USING ERRCODE = 'ambiguous_parameter',
				MESSAGE = 'there are several local accounts',
				HINT = format('Name one: account => %L.', v_names[1]);
		END IF;
		RETURN v_id;
	END IF;
	v_id := zcsync.account(p_name);
	SELECT a.vendor INTO v_vendor FROM zcsync.accounts a WHERE a.account_id = v_id;
	IF v_vendor <> 'local' THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('account "%s" is not local', p_name),
			DETAIL = 'Leads are taken into local accounts; a route brings them to a vendor.',
			HINT = 'SELECT zcsync.add_account(''crm'', ''local'');';
	END IF;
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync._lead_account(text) IS
'the local account of a name, or the only one there is';

-- Normalise and take leads, any number of them.  _take_leads() explains from_file.
CREATE FUNCTION zcsync._sync_leads(p_account bigint, p_source text, p_data jsonb[], p_from_file boolean)
RETURNS TABLE (index integer, ok boolean, lead_id bigint, result text, error text, notes jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_country text := (SELECT a.settings ->> 'country' FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_rows jsonb[] := zcsync._normalise_leads(p_source, p_data, v_country);
BEGIN
	PERFORM zcsync._refuse_standby();
	RETURN QUERY
	SELECT t.index, t.ok, t.lead_id, t.result, t.error, v_rows[t.index] -> 'notes'
	FROM zcsync._take_leads(p_account, p_source, v_rows, p_from_file) AS t
	ORDER BY t.index;
END
$$;
COMMENT ON FUNCTION zcsync._sync_leads(bigint, text, jsonb[], boolean) IS
'takes leads as a source gives them, at most 1000; a row each';

-- A JSON array of leads, as an SQL array; an error if it is too long.
CREATE FUNCTION zcsync._lead_batch(p_leads jsonb) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_max integer := coalesce(nullif(current_setting('zcsync.lead_batch_max', true), ''), '100')::integer;
BEGIN
	IF jsonb_typeof(p_leads) IS DISTINCT FROM 'array' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'leads must be a JSON array',
			HINT = 'One lead alone is taken with zcsync.sync_lead().';
	ELSIF jsonb_array_length(p_leads) > v_max THEN
		RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
			MESSAGE = format('Maximum %s leads per batch', v_max),
			DETAIL = format('There are %s.', jsonb_array_length(p_leads)),
			HINT = 'Files of any length are taken with zcsync.create_intake() and zcsync.import_leads().';
	END IF;
	RETURN ARRAY(SELECT e.lead FROM jsonb_array_elements(p_leads) WITH ORDINALITY AS e (lead, n) ORDER BY e.n);
END
$$;
COMMENT ON FUNCTION zcsync._lead_batch(jsonb) IS
'the leads of a batch; an error if it is not an array, or longer than zcsync.lead_batch_max';

CREATE FUNCTION zcsync.sync_leads(source text, leads jsonb, account text DEFAULT NULL)
RETURNS TABLE (index integer, ok boolean, lead text, result text, error text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lead_account(sync_leads.account);
	v_prefix text := (SELECT a.name || '/leads/#' FROM zcsync.accounts a WHERE a.account_id = v_account);
BEGIN
	RETURN QUERY
	SELECT s.index, s.ok, v_prefix || s.lead_id, s.result, s.error
	FROM zcsync._sync_leads(v_account, sync_leads.source, zcsync._lead_batch(sync_leads.leads), false) AS s;
END
$$;
COMMENT ON FUNCTION zcsync.sync_leads(text, jsonb, text) IS
'takes an array of leads of a source; a row for each, counted from 1: created, merged, flagged, unchanged or rejected; a bad lead does not affect the others';

CREATE FUNCTION zcsync.sync_leads_json(source text, leads jsonb, account text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lead_account(sync_leads_json.account);
	v_prefix text := (SELECT a.name || '/leads/#' FROM zcsync.accounts a WHERE a.account_id = v_account);
BEGIN
	RETURN (
		SELECT jsonb_build_object('processed', count(*) FILTER (WHERE s.ok), 'error_count', count(*) FILTER (WHERE NOT s.ok),
			'results', coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('index', s.index, 'ok', s.ok, 'lead', v_prefix || s.lead_id,
				'result', s.result, 'error', s.error, 'notes', s.notes)) ORDER BY s.index), '[]'),
			'errors', coalesce(jsonb_agg(jsonb_build_object('index', s.index, 'error', s.error) ORDER BY s.index) FILTER (WHERE NOT s.ok), '[]'))
		FROM zcsync._sync_leads(v_account, sync_leads_json.source, zcsync._lead_batch(sync_leads_json.leads), false) AS s);
END
$$;
COMMENT ON FUNCTION zcsync.sync_leads_json(text, jsonb, text) IS
'the same as one document: processed (how many were taken), error_count, results (each lead), errors (those rejected)';

-- Take one lead; where _sync_leads() returns an error in its row, this raises it.
CREATE FUNCTION zcsync.sync_lead(source text, data jsonb, account text DEFAULT NULL, OUT lead text, OUT result text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lead_account(sync_lead.account);
	v_prefix text := (SELECT a.name || '/leads/#' FROM zcsync.accounts a WHERE a.account_id = v_account);
	v_row record;
BEGIN
	SELECT * INTO v_row FROM zcsync._sync_leads(v_account, sync_lead.source, ARRAY[sync_lead.data], false);
	IF NOT v_row.ok THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('cannot take this lead: %s', v_row.error),
			HINT = format('zcsync.lead_sources shows the names that source "%s" has for its fields.', sync_lead.source);
	END IF;
	lead := v_prefix || v_row.lead_id;
	result := v_row.result;
END
$$;
COMMENT ON FUNCTION zcsync.sync_lead(text, jsonb, text) IS
'takes a lead as a source gives it: its reference, and whether it was created, merged, flagged or unchanged';
