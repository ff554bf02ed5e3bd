-- ---------------------------------------------------------------------
-- Which leads are the same: how alike two leads are.
--
-- Each lead that a source gives is kept as it came, as a row of lead_rows; a lead is
-- made of its rows (values.sql).  Rows are compared, not leads, so that it does not
-- matter which row came first.
--
--   1. The same e-mail is the same lead, always.
--   2. The same id at the same source is the same lead, unless both have an
--      e-mail and these differ.
--   3. Rows that resemble each other get a score: the similarity of e-mail,
--      name, phone and company, each times its weight, divided by the weights of
--      the fields that both have, of which there must be two.  Above one limit
--      they are one lead, from another on they are flagged for people.
--
-- With pg_trgm, similarity is that of trigrams, and an index finds rows with similar
-- names.  Without it, equal texts have similarity 1 and all others 0.
--
-- Plans.  An import fills tables that were never analysed.  After a plan that was
-- undone, or an import that was cancelled, autovacuum may even record that they have no
-- rows while they have 100,000.  The planner then thinks that all plans are equally
-- good, and a plan that reads a whole table for each row of a file never ends.  So the
-- statements of this room leave it no choice, whatever the statistics say:
--
--   - rows are looked up one by one, in a LATERAL subquery that OFFSET 0 keeps
--     apart: no hash or merge join can read the whole table for them;
--   - the only index whose columns the condition names is the right one.
--     Conditions on several columns are therefore written ROW(a, b) BETWEEN
--     ROW(x, y) AND ROW(x, y), which only an index that has a can be used for, and
--     each index of lead_rows begins with a column that no other one has;
--   - enable_seqscan is off, since to read a whole table that seems empty is cheap;
--   - where rows are updated that an array names, which cannot be LATERAL, hash and
--     merge joins are off as well.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Similarity
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._trigram_schema() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'
$$;
COMMENT ON FUNCTION zcsync._trigram_schema() IS
'the schema of pg_trgm, quoted; NULL if it is not installed';

-- Part of setup().  The pending list of an index is searched entry by entry, which an
-- import would do for each of its rows: so this index has none.
CREATE FUNCTION zcsync._create_trigram_index() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_schema text := zcsync._trigram_schema();
BEGIN
	IF v_schema IS NULL OR to_regclass('zcsync.idx_lead_rows_trigrams') IS NOT NULL THEN
		RETURN false;
	END IF;
	EXECUTE format('CREATE INDEX idx_lead_rows_trigrams ON zcsync.lead_rows USING gin (name %s.gin_trgm_ops) '
		'WITH (fastupdate = off)', v_schema);
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._create_trigram_index() IS
'makes the index that finds similar names, if pg_trgm is installed and the index is missing; says whether it did';

-- Pairs of rows worth comparing: those in p_rows with all rows of other leads that have
-- a similar name (by the index of trigrams), an equal name, or an equal phone number
-- that belongs to a person.  A row must never have thousands of such pairs.
CREATE FUNCTION zcsync._pairs_sql() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._compared_rows_sql() || zcsync._near_pairs_sql() || zcsync._scored_pairs_sql()
$$;
COMMENT ON FUNCTION zcsync._pairs_sql() IS
'text of the statement of _lead_pairs(): $1 account, $2 rows, $3 merge above, $4 flag from';

-- The beginning of _pairs_sql(): the rows themselves (w), their phones that many people
-- share (shared), and the rows of leads with an equal or similar name (named).
CREATE FUNCTION zcsync._compared_rows_sql() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
		WITH w AS MATERIALIZED (
			SELECT r.* FROM unnest($2) AS u (id) CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_rows x WHERE x.row_id = u.id OFFSET 0) AS r),
		shared AS MATERIALIZED (
			SELECT p.phone
			FROM (		-- once for each name, not for each row
				SELECT u.phone FROM (SELECT w.phone FROM w UNION SELECT w.mobile FROM w) AS u (phone) OFFSET 0) AS p
			WHERE p.phone IS NOT NULL AND zcsync._is_shared_phone($1, p.phone)),
		-- The leads whose names are similar to those of these rows.  If many leads have
		-- a name, only the oldest ones of the same company are compared.
		named AS MATERIALIZED (
			SELECT n.name, n.company, n.row_id, n.local_id, n.place, max(n.leads) OVER (PARTITION BY n.name) > n.common AS is_common, n.common
			FROM (
				SELECT o.name, x.company, x.row_id, x.local_id, r.value AS common,
					dense_rank() OVER (PARTITION BY o.name, x.company ORDER BY x.local_id) AS place,
					dense_rank() OVER (PARTITION BY o.name ORDER BY x.local_id) AS leads
				FROM (SELECT DISTINCT w.name FROM w WHERE w.name IS NOT NULL) AS o
				CROSS JOIN LATERAL (
					(SELECT x.row_id, x.local_id, x.company FROM zcsync.lead_rows x
					WHERE ROW(x.name, x.account_id) BETWEEN ROW(o.name, $1) AND ROW(o.name, $1) OFFSET 0)%s) AS x
				JOIN zcsync.lead_match_rules r ON r.name = 'name_shared_by') AS n),$sql$,
		CASE WHEN t.schema IS NOT NULL AND to_regclass('zcsync.idx_lead_rows_trigrams') IS NOT NULL THEN format($sql$

				UNION ALL
				SELECT y.row_id, y.local_id, y.company
				FROM (
					-- + 0, so that no index but that of trigrams fits; all conditions are
					-- inside, so that other rows take none of these places
					SELECT x.row_id, x.local_id, x.company FROM zcsync.lead_rows x
					WHERE x.name OPERATOR(%s.%%) o.name AND x.account_id + 0 = $1 AND x.name <> o.name LIMIT 1000) AS y$sql$,
			t.schema) END)
	FROM (SELECT zcsync._trigram_schema()) AS t (schema)
$$;
COMMENT ON FUNCTION zcsync._compared_rows_sql() IS
'part of _pairs_sql(): the rows to compare, and the leads with similar names';

-- The middle of _pairs_sql(): which rows are near each other, by name or by phone
-- (near), each pair once (pairs), and which phones of pairs many people share (silent).
CREATE FUNCTION zcsync._near_pairs_sql() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $sql$
		near AS (
			SELECT w.row_id, x.row_id AS other
			FROM w JOIN named x ON x.name = w.name AND x.local_id <> w.local_id
			WHERE NOT x.is_common OR x.company = w.company AND x.place <= x.common
			UNION ALL
			SELECT p.row_id, x.row_id
			FROM (
				SELECT w.row_id, w.local_id, v.phone FROM w CROSS JOIN LATERAL (VALUES (w.phone), (w.mobile)) AS v (phone)
				WHERE v.phone NOT IN (SELECT s.phone FROM shared s)) AS p
			CROSS JOIN LATERAL (
				(SELECT y.row_id, y.local_id FROM zcsync.lead_rows y
				WHERE ROW(y.phone, y.account_id) BETWEEN ROW(p.phone, $1) AND ROW(p.phone, $1) AND y.phone IS NOT NULL OFFSET 0)
				UNION ALL
				(SELECT y.row_id, y.local_id FROM zcsync.lead_rows y
				WHERE ROW(y.mobile, y.account_id) BETWEEN ROW(p.phone, $1) AND ROW(p.phone, $1) AND y.mobile IS NOT NULL OFFSET 0)) AS x
			WHERE x.local_id <> p.local_id),
		pairs AS MATERIALIZED (
			SELECT DISTINCT least(n.row_id, n.other) AS a, greatest(n.row_id, n.other) AS b FROM near n),
		silent AS MATERIALIZED (
			SELECT p.phone
			FROM (SELECT v.phone FROM pairs p CROSS JOIN LATERAL (VALUES (p.a), (p.b)) AS u (id)
				CROSS JOIN LATERAL (SELECT x.phone, x.mobile FROM zcsync.lead_rows x WHERE x.row_id = u.id OFFSET 0) AS r
				CROSS JOIN LATERAL (VALUES (r.phone), (r.mobile)) AS v (phone)
				GROUP BY v.phone OFFSET 0) AS p
			WHERE p.phone IS NOT NULL AND zcsync._is_shared_phone($1, p.phone))$sql$
$$;
COMMENT ON FUNCTION zcsync._near_pairs_sql() IS
'part of _pairs_sql(): the pairs of rows that are worth comparing';

-- The end of _pairs_sql(): the score of each pair.
CREATE FUNCTION zcsync._scored_pairs_sql() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
		SELECT a.row_id, b.row_id, a.local_id, b.local_id, s.score, s.parts,
			s.score > $3 AND a.name LIKE '%% %%' AND b.name LIKE '%% %%'
				AND (s.same_phone OR num_nulls(a.email, b.email) > 0 AND (a.domain = b.domain OR a.title = b.title) IS TRUE)
		FROM pairs p
		CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_rows x WHERE x.row_id = p.a OFFSET 0) AS a
		CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_rows x WHERE x.row_id = p.b OFFSET 0) AS b
		CROSS JOIN LATERAL (
			SELECT ARRAY(SELECT x FROM (VALUES (a.phone), (a.mobile)) AS v (x) WHERE x IS NOT NULL AND x NOT IN (SELECT s.phone FROM silent s)) AS of_a,
				ARRAY(SELECT x FROM (VALUES (b.phone), (b.mobile)) AS v (x) WHERE x IS NOT NULL AND x NOT IN (SELECT s.phone FROM silent s)) AS of_b) AS t
		CROSS JOIN LATERAL (
			SELECT sum(round(f.weight * f.similarity / nullif(f.total, 0), 4)) AS score, coalesce(bool_or(f.same_phone), false) AS same_phone,
				jsonb_object_agg(f.field, jsonb_build_object('similarity', f.similarity, 'weight', f.weight,
					'part', round(f.weight * f.similarity / nullif(f.total, 0), 4))) AS parts
			FROM (
				SELECT v.field, v.similarity, r.value AS weight, sum(r.value) OVER () AS total, count(*) OVER () AS fields,
					v.field = 'phone' AND v.similarity = 1 AS same_phone
				FROM (VALUES
					('email', %s),
					('name', %s),
					('phone', CASE WHEN cardinality(t.of_a) > 0 AND cardinality(t.of_b) > 0 THEN (t.of_a && t.of_b)::integer::numeric END),
					('company', %s)) AS v (field, similarity)
				JOIN zcsync.lead_match_rules r ON r.name = 'weight_' || v.field
				WHERE v.similarity IS NOT NULL) AS f
			WHERE f.fields >= 2) AS s
		WHERE s.score >= $4
		ORDER BY s.score DESC, a.row_id, b.row_id$sql$,
		zcsync._similarity_sql('email'), zcsync._similarity_sql('name'), zcsync._similarity_sql('company'))
$$;
COMMENT ON FUNCTION zcsync._scored_pairs_sql() IS
'part of _pairs_sql(): the score of each pair, and whether it suffices to merge the leads';

CREATE FUNCTION zcsync._similarity_sql(p_field text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN t.schema IS NULL THEN format('(a.%1$s = b.%1$s)::integer::numeric', p_field)
		ELSE format('round(%2$s.similarity(a.%1$s, b.%1$s)::numeric, 4)', p_field, t.schema) END
	FROM (SELECT zcsync._trigram_schema()) AS t (schema)
$$;
COMMENT ON FUNCTION zcsync._similarity_sql(text) IS
'part of _pairs_sql(): how similar a field of the rows a and b is';

-- Does a phone belong to more than a few people, or to a company?
CREATE FUNCTION zcsync._is_shared_phone(p_account bigint, p_phone text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
	SELECT EXISTS (SELECT FROM zcsync.companies c		-- in any spelling, since only the last digits are compared
			WHERE right(regexp_replace(c.phone, '[^0-9]', '', 'g'), 8) = right(p_phone, 8))
		OR count(DISTINCT coalesce(x.name, x.email, x.row_id::text)) > (
			SELECT r.value FROM zcsync.lead_match_rules r WHERE r.name = 'phone_shared_by')
		OR count(DISTINCT x.local_id) > (
			SELECT r.value FROM zcsync.lead_match_rules r WHERE r.name = 'name_shared_by')
	FROM (
		(SELECT r.name, r.email, r.row_id, r.local_id FROM zcsync.lead_rows r
		WHERE ROW(r.phone, r.account_id) BETWEEN ROW(p_phone, p_account) AND ROW(p_phone, p_account) AND r.phone IS NOT NULL LIMIT 1000)
		UNION ALL
		(SELECT r.name, r.email, r.row_id, r.local_id FROM zcsync.lead_rows r
		WHERE ROW(r.mobile, r.account_id) BETWEEN ROW(p_phone, p_account) AND ROW(p_phone, p_account) AND r.mobile IS NOT NULL LIMIT 1000)) AS x
$$;
COMMENT ON FUNCTION zcsync._is_shared_phone(bigint, text) IS
'does a phone number belong to more people than a personal one would?';

-- How alike are these rows and those of other leads?  Returns only pairs that are alike
-- enough to be flagged.  may_merge does not consider what only the leads as a whole
-- show: different e-mail addresses, pairs that were kept apart.
CREATE FUNCTION zcsync._lead_pairs(p_account bigint, p_rows bigint[])
RETURNS TABLE (row_a bigint, row_b bigint, lead_a bigint, lead_b bigint, score numeric, parts jsonb, may_merge boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET pg_trgm.similarity_threshold = 0.6	-- a less similar name cannot reach the limit, whatever the other fields
AS $$
DECLARE
	v_merge_above numeric := (SELECT r.value FROM zcsync.lead_match_rules r WHERE r.name = 'merge_above');
	v_flag_from numeric := (SELECT r.value FROM zcsync.lead_match_rules r WHERE r.name = 'flag_from');
BEGIN
	RETURN QUERY EXECUTE zcsync._pairs_sql() USING p_account, p_rows, v_merge_above, v_flag_from;
END
$$;
COMMENT ON FUNCTION zcsync._lead_pairs(bigint, bigint[]) IS
'pairs of these rows with rows of other leads that are alike enough to be flagged, the most alike first';
