CREATE FUNCTION zcsync._score_leads(p_docs jsonb[]) RETURNS TABLE (n bigint, scores jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT u.n, '{"fit": 0, "engagement": 0, "quality": 0, "stage": "lead"}'::jsonb FROM unnest(p_docs) WITH ORDINALITY AS u (doc, n)
$$;
