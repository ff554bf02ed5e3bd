-- ---------------------------------------------------------------------
-- Scores and stages of leads.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._score_leads(p_docs jsonb[]) RETURNS TABLE (n bigint, scores jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT u.n, '{"stage": "lead"}'::jsonb FROM unnest(p_docs) WITH ORDINALITY AS u (doc, n)
$$;
COMMENT ON FUNCTION zcsync._score_leads(jsonb[]) IS
'scores and stage of leads, by their place in the array';
