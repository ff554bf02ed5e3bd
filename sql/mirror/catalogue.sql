-- ---------------------------------------------------------------------
-- The catalogue of custom fields that a push needs.
--
-- A custom field that the vendor does not have is refused before anything is sent,
-- since vendors ignore such a field, or fail in their own ways.  A stream of fields
-- keeps the catalogue.  In an account without one, a push that meets an unknown field
-- reads the catalogue first, once: its request has {"learn": "fields"}, see
-- _finish_learning().
-- ---------------------------------------------------------------------

-- Must the catalogue be read before this row can be sent?
CREATE FUNCTION zcsync._lacks_fields(p_account bigint, p_fields jsonb, p_base jsonb, p_payload jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN p_fields IS DISTINCT FROM p_base AND p_payload #> '{learned,fields}' IS NULL
		AND EXISTS (SELECT FROM unnest(zcsync._differing_keys(coalesce(nullif(p_base, 'null'), '{}'), coalesce(nullif(p_fields, 'null'), '{}'))) AS k
			WHERE NOT EXISTS (SELECT FROM zcsync.fields f WHERE f.account_id = p_account AND f.remote_id = k AND f.deleted_at IS NULL))
		AND NOT EXISTS (SELECT FROM zcsync.streams s
			WHERE s.account_id = p_account AND s.kind = 'fields' AND s.state = 'active' AND s.last_pull_at IS NOT NULL);
END
$$;
COMMENT ON FUNCTION zcsync._lacks_fields(bigint, jsonb, jsonb, jsonb) IS
'has the push values for unknown custom fields, and the account no catalogue in which to look them up?';
