-- ---------------------------------------------------------------------
-- Scores, stages and statuses of leads, as rows.
--
-- fit says how well a lead matches what is sold, engagement how near it is to buying,
-- quality how much is known about it.  Each is the sum of the points of those rules of
-- lead_score_rules that hold, between 0 and 100.  The stage is that of the highest rule
-- of lead_stage_rules that holds.  Both are computed when a lead is written; after
-- rules were changed, zcsync.rescore_leads() computes them for all leads.
-- ---------------------------------------------------------------------

-- The value that a rule tests: a column of a lead, or one of its custom fields.
CREATE FUNCTION zcsync._rule_value(p_doc jsonb, p_field text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_field LIKE 'custom:%' THEN p_doc -> 'custom_fields' ->> substr(p_field, 8) ELSE p_doc ->> p_field END;
END;
COMMENT ON FUNCTION zcsync._rule_value(jsonb, text) IS
'the value of a lead that a score rule looks at';

-- A custom field may hold any text.
CREATE FUNCTION zcsync._is_newer(p_time text, p_than text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT zcsync._utc_text(p_time || CASE WHEN length(p_time) = 16 THEN ':00' ELSE '' END)::timestamptz > zcsync._now() - p_than::interval
$$;
COMMENT ON FUNCTION zcsync._is_newer(text, text) IS
'is a time in a text newer than so long ago? NULL: it is no time';

-- Does a condition hold?  Upper and lower case of texts count as the same; src/lead_rule.c
-- has the operators.
CREATE FUNCTION zcsync._rule_holds(p_value text, p_operator text, p_operand text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_rule_holds';
COMMENT ON FUNCTION zcsync._rule_holds(text, text, text) IS
'does the condition of a score rule hold for a value?';

-- The points of leads, a row for each rule that holds.
CREATE FUNCTION zcsync._lead_points(p_docs jsonb[])
RETURNS TABLE (n bigint, score text, rule_id bigint, field text, condition text, points integer)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT d.n, r.score, r.rule_id, r.field, concat_ws(' ', r.operator, r.value), r.points
	FROM unnest(p_docs) WITH ORDINALITY AS d (doc, n)
	JOIN zcsync.lead_score_rules r ON zcsync._rule_holds(zcsync._rule_value(d.doc, r.field), r.operator, r.value)
$$;
COMMENT ON FUNCTION zcsync._lead_points(jsonb[]) IS
'the rules that hold for leads, and their points';

-- Scores and stage of leads, which are given as objects of their columns: an object for
-- each, in their order.
CREATE FUNCTION zcsync._score_leads(p_docs jsonb[]) RETURNS jsonb[]
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_score_leads';
COMMENT ON FUNCTION zcsync._score_leads(jsonb[]) IS
'scores and stage of leads, in their order';

-- Compute scores and stages again, after rules or statuses have changed.  Writes only
-- leads that change.
CREATE FUNCTION zcsync.rescore_leads(account text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
AS $$
DECLARE
	v_account bigint := CASE WHEN rescore_leads.account IS NOT NULL THEN zcsync.account(rescore_leads.account) END;
	v_last bigint := 0;
	v_ids bigint[];
	v_docs jsonb[];
	v_written bigint := 0;
	v_count bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._verb_begins('zcsync.rescore_leads()', (SELECT count(*)
		FROM zcsync.leads AS l JOIN zcsync.accounts AS a ON a.account_id = l.account_id AND a.vendor = 'local'
		WHERE (v_account IS NULL OR l.account_id = v_account) AND l.merged_into IS NULL));
	LOOP
		SELECT array_agg(l.local_id), array_agg(l.doc), max(l.local_id) INTO v_ids, v_docs, v_last
		FROM (
			SELECT l.local_id, to_jsonb(l) - '{base,remote,provenance}'::text[] AS doc
			FROM zcsync.leads l
			JOIN zcsync.accounts a ON a.account_id = l.account_id AND a.vendor = 'local'
			WHERE l.local_id > v_last AND (v_account IS NULL OR l.account_id = v_account) AND l.merged_into IS NULL
			ORDER BY l.local_id
			LIMIT 1000) AS l;
		EXIT WHEN v_ids IS NULL;
		UPDATE zcsync.leads l
		SET fit = (s.scores ->> 'fit')::integer, engagement = (s.scores ->> 'engagement')::integer,
			quality = (s.scores ->> 'quality')::integer, stage = s.scores ->> 'stage'
		FROM unnest(v_ids, zcsync._score_leads(v_docs)) AS s (local_id, scores)
		WHERE l.local_id = s.local_id AND jsonb_build_object('fit', l.fit, 'engagement', l.engagement, 'quality', l.quality,
			'stage', l.stage) <> s.scores;
		GET DIAGNOSTICS v_count = ROW_COUNT;
		v_written := v_written + v_count;
		PERFORM zcsync._verb_did(cardinality(v_ids));
	END LOOP;
	PERFORM zcsync._verb_ends();
	RETURN v_written;
END
$$;
COMMENT ON FUNCTION zcsync.rescore_leads(text) IS
'computes the scores and stages of all leads, or those of one account, again; returns how many changed';

-- ---------------------------------------------------------------------
-- The index of active leads
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._active_predicate() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce('status_id NOT IN (' || string_agg(s.status_id::text, ', ' ORDER BY s.status_id) || ')', 'true')
	FROM zcsync.lead_statuses s WHERE s.closed
$$;
COMMENT ON FUNCTION zcsync._active_predicate() IS
'the condition of idx_leads_active for the statuses that are closed now';

-- The predicate of an index cannot be changed, so the index is made again.  An index of
-- a partitioned table cannot be made concurrently: writers wait.
CREATE FUNCTION zcsync.rebuild_active_index() RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_predicate text := zcsync._active_predicate();
BEGIN
	PERFORM zcsync._refuse_standby();
	DROP INDEX IF EXISTS zcsync.idx_leads_active;
	EXECUTE format('CREATE INDEX idx_leads_active ON zcsync.leads (created_at) WHERE %s', v_predicate);
	RETURN v_predicate;
END
$$;
COMMENT ON FUNCTION zcsync.rebuild_active_index() IS
'makes idx_leads_active again for the statuses that are closed now; writers of leads wait meanwhile; returns its condition';

CREATE FUNCTION zcsync._check_leads() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regclass('zcsync.lead_statuses') IS NULL THEN
		RETURN;
	END IF;
	item := 'pg_trgm';
	ok := true;
	message := CASE
		WHEN zcsync._trigram_schema() IS NULL THEN 'not installed: leads with similar names are not found, only with equal ones'
		WHEN to_regclass('zcsync.idx_lead_rows_trigrams') IS NULL THEN 'installed, without its index: leads with similar names are not found'
		ELSE 'leads with similar names are found' END;
	hint := CASE
		WHEN zcsync._trigram_schema() IS NULL THEN 'CREATE EXTENSION pg_trgm; SELECT * FROM zcsync.setup();'
		WHEN to_regclass('zcsync.idx_lead_rows_trigrams') IS NULL THEN 'SELECT * FROM zcsync.setup();' END;
	RETURN NEXT;
	item := 'idx_leads_active';
	ok := coalesce((SELECT ARRAY(SELECT m[1]::integer FROM regexp_matches(pg_get_expr(i.indpred, i.indrelid), '[0-9]+', 'g') AS m ORDER BY 1)
			= ARRAY(SELECT s.status_id FROM zcsync.lead_statuses s WHERE s.closed ORDER BY 1)
		FROM pg_index i WHERE i.indexrelid = to_regclass('zcsync.idx_leads_active')), false);
	message := CASE WHEN ok THEN 'leaves out the closed statuses' ELSE 'is not of the statuses that are closed now' END;
	hint := CASE WHEN NOT ok THEN 'SELECT zcsync.rebuild_active_index();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_leads() IS
'the part of zcsync.selfcheck() about leads';

CREATE FUNCTION zcsync._lead_remarks() RETURNS SETOF zcsync.remark
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 60, c.* FROM zcsync._check_leads() AS c
$$;
COMMENT ON FUNCTION zcsync._lead_remarks() IS
'the conditions of leads that zcsync.selfcheck() shows';

-- ---------------------------------------------------------------------
-- What people and routes write
-- ---------------------------------------------------------------------

-- The columns of a lead whose values have a source.
CREATE FUNCTION zcsync._sourced_columns() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_remove(array_remove(array_remove(array_remove(zcsync._own_columns('leads'),
		'custom_fields'), 'created_at'), 'updated_at'), 'source');
END;
COMMENT ON FUNCTION zcsync._sourced_columns() IS
'the columns of a lead whose values have a source: a person, a route, a file';

-- Score a row, and record who gave its values: a route, or, with any other writer, a
-- person.  Texts too long for an index are cut, as those of sources are.
CREATE FUNCTION zcsync._score_lead() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'zcsync_sql_score_lead';
COMMENT ON FUNCTION zcsync._score_lead() IS
'BEFORE trigger of leads: scores, stage and provenance of what people and routes write; cuts what no index can hold';

CREATE FUNCTION zcsync._manual_values(p_lead record, p_provenance jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_manual_values';
COMMENT ON FUNCTION zcsync._manual_values(record, jsonb) IS
'the columns of a lead that people wrote, as an object with their values; NULL: there are none';

-- What people write in a lead becomes a row like that of any source.  So it has its
-- precedence when others bring values for the same columns, and is found when others
-- resemble it.  A column that they empty is empty.  A phone number that they did not
-- write may be that of a company, and identifies nobody.
CREATE FUNCTION zcsync._keep_manual_rows() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_accounts bigint[] := ARRAY(SELECT a.account_id FROM zcsync.accounts a WHERE a.vendor = 'local');
	v_forms text := zcsync._company_forms();
	v_trunks jsonb;
BEGIN
	-- for a few rows it takes less time to look up each
	IF (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 20) AS n) = 20 THEN
		v_trunks := zcsync._trunk_prefixes();
	END IF;
	INSERT INTO zcsync.lead_rows AS r (account_id, local_id, source, row_key, hash, email, name, company, domain, phone, mobile, title,
		vals, at, taken_at)
	SELECT n.account_id, n.local_id, 'manual', 'lead:' || n.local_id, '',
		CASE WHEN zcsync._reaches_somebody(n.email_status) THEN d.email END,
		left(zcsync._name_key(n.first_name, n.last_name), 200), left(zcsync._company_key(n.company, v_forms), 200),
		coalesce(zcsync._domain_key(n.website), CASE WHEN NOT zcsync._is_mail_provider(d.domain) THEN d.domain END),
		CASE WHEN n.provenance #>> '{phone,source}' = 'manual' AND n.do_not_call IS NOT TRUE
			THEN zcsync._phone_key(n.phone, zcsync._country_code(n.country), v_trunks) END,
		CASE WHEN n.provenance #>> '{mobile,source}' = 'manual' AND n.do_not_call IS NOT TRUE
			THEN zcsync._phone_key(n.mobile, zcsync._country_code(n.country), v_trunks) END,
		zcsync._fold(n.title), v.vals, zcsync._now(), zcsync._now()
	FROM new_rows n
	CROSS JOIN LATERAL (	-- once for each lead
		SELECT k.email, nullif(split_part(k.email, '@', 2), '') AS domain
		FROM (SELECT zcsync._email_key(n.email) AS email OFFSET 0) AS k OFFSET 0) AS d
	CROSS JOIN LATERAL (SELECT zcsync._manual_values(n, n.provenance) OFFSET 0) AS v (vals)
	WHERE n.account_id = ANY (v_accounts) AND n.sync_cause = 'local' AND n.sync_xid = pg_current_xact_id() AND v.vals IS NOT NULL
	ORDER BY n.local_id
	ON CONFLICT (account_id, source, row_key) DO UPDATE
		SET email = excluded.email, name = excluded.name, company = excluded.company, domain = excluded.domain, phone = excluded.phone,
			mobile = excluded.mobile, title = excluded.title, vals = r.vals || excluded.vals, at = excluded.at, taken_at = excluded.taken_at
		WHERE r.vals || excluded.vals <> r.vals;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._keep_manual_rows() IS
'AFTER trigger of leads: keeps what people wrote as rows of source manual';

-- By their names, these run after the trigger that records who writes.
CREATE FUNCTION zcsync._create_lead_score_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE OR REPLACE TRIGGER zcsync_check BEFORE INSERT OR UPDATE ON zcsync.lead_sources
		FOR EACH ROW EXECUTE FUNCTION zcsync._check_lead_source();
	CREATE OR REPLACE TRIGGER zcsync_value_insert BEFORE INSERT ON zcsync.leads
		FOR EACH ROW WHEN ((NEW.sync_cause = 'local' AND NEW.sync_xid = pg_current_xact_id()) OR NEW.sync_cause IN ('route', 'backfill'))
		EXECUTE FUNCTION zcsync._score_lead();
	CREATE OR REPLACE TRIGGER zcsync_value_update BEFORE UPDATE ON zcsync.leads
		FOR EACH ROW WHEN (((NEW.sync_cause = 'local' AND NEW.sync_xid = pg_current_xact_id()) OR NEW.sync_cause IN ('route', 'backfill'))
			AND NEW IS DISTINCT FROM OLD)
		EXECUTE FUNCTION zcsync._score_lead();
	CREATE OR REPLACE TRIGGER zcsync_manual_insert AFTER INSERT ON zcsync.leads
		REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
		EXECUTE FUNCTION zcsync._keep_manual_rows();
	CREATE OR REPLACE TRIGGER zcsync_manual_update AFTER UPDATE ON zcsync.leads
		REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
		EXECUTE FUNCTION zcsync._keep_manual_rows();
END
$$;
COMMENT ON FUNCTION zcsync._create_lead_score_triggers() IS
'makes the triggers that score leads and keep what people write in them; part of setup()';

CREATE FUNCTION zcsync._lead_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (20, 'zcsync._create_intake_schema()'::regprocedure),
		(31, 'zcsync._create_lead_score_triggers()'::regprocedure),
		(32, 'zcsync._create_trigram_index()'::regprocedure),
		(45, 'zcsync._default_lead_sources()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._lead_setup_steps() IS
'what setup() does for leads';
