-- ---------------------------------------------------------------------
-- Scores, stages and statuses of leads, as rows.
--
-- fit says how well a lead matches what is sold, engagement how near it is to buying,
-- quality how much is known about it.  Each is the sum of the points of those rules of
-- lead_score_rules that hold, between 0 and 100.  The stage is that of the highest rule
-- of lead_stage_rules that holds.  Both are computed when a lead is written; after
-- rules were changed, zcsync.rescore_leads() computes them for all leads.
-- ---------------------------------------------------------------------

-- Words, not parts of words: "vp" is not in "mvp".  Punctuation counts as a space, in the
-- words as in the text: "co-founder" and "r&d" are found.
CREATE FUNCTION zcsync._has_word(p_text text, p_words text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_text text := ' ' || translate(p_text, ',.;:/()-&', '         ') || ' ';
	v_words text := translate(p_words, ',.;:/()-&', '         ');
	v_word text;
BEGIN
	WHILE strpos(v_text, '  ') > 0 LOOP
		v_text := replace(v_text, '  ', ' ');
	END LOOP;
	WHILE strpos(v_words, '  ') > 0 LOOP
		v_words := replace(v_words, '  ', ' ');
	END LOOP;
	FOREACH v_word IN ARRAY string_to_array(v_words, '|') LOOP
		IF strpos(v_text, ' ' || btrim(v_word) || ' ') > 0 THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._has_word(text, text) IS
'does a text have one of several words or phrases, with | between them?';

-- The value that a rule tests: a column of a lead, or one of its custom fields.
CREATE FUNCTION zcsync._rule_value(p_doc jsonb, p_field text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_field LIKE 'custom:%' THEN p_doc -> 'custom_fields' ->> substr(p_field, 8) ELSE p_doc ->> p_field END;
END;
COMMENT ON FUNCTION zcsync._rule_value(jsonb, text) IS
'the value of a lead that a score rule looks at';

-- Does a condition hold?  Upper and lower case of texts count as the same.  This is
-- called for each rule of each lead, so it has no SET clause and no subquery, and the
-- planner inlines it.
CREATE FUNCTION zcsync._rule_holds(p_value text, p_operator text, p_operand text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(CASE p_operator
		WHEN 'is_filled' THEN p_value <> ''
		WHEN 'is_empty' THEN coalesce(p_value, '') = ''
		WHEN 'equals' THEN zcsync._fold(p_value) = zcsync._fold(p_operand)
		WHEN 'not_equals' THEN zcsync._fold(p_value) <> zcsync._fold(p_operand)
		WHEN 'one_of' THEN zcsync._fold(p_value) = ANY (string_to_array(zcsync._fold(p_operand), '|'))
		WHEN 'contains' THEN p_value <> '' AND zcsync._has_word(zcsync._fold(p_value), zcsync._fold(p_operand))
		WHEN 'at_least' THEN CASE WHEN p_value ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?$' THEN p_value::numeric >= p_operand::numeric END
		WHEN 'at_most' THEN CASE WHEN p_value ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?$' THEN p_value::numeric <= p_operand::numeric END
		WHEN 'newer_than' THEN	-- a custom field may hold any text
			zcsync._utc_text(p_value || CASE WHEN length(p_value) = 16 THEN ':00' ELSE '' END)::timestamptz > zcsync._now() - p_operand::interval
		END, false);
END;
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
-- each, in their order.  To plan this takes longer than to score a lead, and a trigger
-- calls it row by row: so the plan is kept.
CREATE FUNCTION zcsync._score_leads(p_docs jsonb[]) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	RETURN (
		SELECT array_agg(jsonb_build_object('fit', s.fit, 'engagement', s.engagement, 'quality', s.quality,
			'stage', coalesce((
				SELECT r.stage FROM zcsync.lead_stage_rules r
				WHERE s.fit >= r.min_fit AND s.engagement >= r.min_engagement AND s.quality >= r.min_quality
					AND CASE WHEN r.status_ids IS NOT NULL THEN d.status = ANY (r.status_ids)
						ELSE NOT EXISTS (SELECT FROM zcsync.lead_statuses c WHERE c.closed AND c.status_id = d.status) END
				ORDER BY r.stage = 'opportunity' DESC LIMIT 1), 'lead')) ORDER BY d.n)
		FROM (SELECT u.doc, u.n, (u.doc ->> 'status_id')::integer AS status FROM unnest(p_docs) WITH ORDINALITY AS u (doc, n) OFFSET 0) AS d
		CROSS JOIN LATERAL (
			SELECT greatest(0, least(100, coalesce(sum(r.points) FILTER (WHERE r.score = 'fit'), 0)))::integer AS fit,
				greatest(0, least(100, coalesce(sum(r.points) FILTER (WHERE r.score = 'engagement'), 0)))::integer AS engagement,
				greatest(0, least(100, coalesce(sum(r.points) FILTER (WHERE r.score = 'quality'), 0)))::integer AS quality
			FROM zcsync.lead_score_rules r
			WHERE zcsync._rule_holds(zcsync._rule_value(d.doc, r.field), r.operator, r.value)) AS s);
END
$$;
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
	END LOOP;
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

CREATE FUNCTION zcsync._lead_conditions() RETURNS SETOF zcsync.condition
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 60, c.* FROM zcsync._check_leads() AS c
$$;
COMMENT ON FUNCTION zcsync._lead_conditions() IS
'the conditions of leads that zcsync.selfcheck() shows';

-- ---------------------------------------------------------------------
-- What people and routes write
-- ---------------------------------------------------------------------

-- Score a row, and record who gave its values: a route, or, with any other writer, a
-- person.  Texts too long for an index are cut, as those of sources are.
CREATE FUNCTION zcsync._score_lead() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_given jsonb;
	v_old jsonb;
	v_columns text[];
	v_named text[] := array_remove(array_remove(array_remove(array_remove(zcsync._own_columns('leads'),
		'custom_fields'), 'created_at'), 'updated_at'), 'source');		-- those whose values have a source
	v_scores jsonb;
	v_source text := CASE NEW.sync_cause WHEN 'local' THEN 'manual' ELSE NEW.sync_cause END;
	v_entry jsonb := jsonb_build_object('source', v_source, 'at', zcsync._now());
BEGIN
	IF greatest(octet_length(NEW.email), octet_length(NEW.company), octet_length(NEW.source), octet_length(NEW.first_name),
			octet_length(NEW.last_name)) > 500 THEN
		NEW.email := left(NEW.email, 500);
		NEW.company := left(NEW.company, 500);
		NEW.source := left(NEW.source, 500);
		NEW.first_name := left(NEW.first_name, 500);
		NEW.last_name := left(NEW.last_name, 500);
	END IF;
	PERFORM FROM zcsync.accounts a WHERE a.account_id = NEW.account_id AND a.vendor = 'local';
	IF NOT FOUND THEN
		RETURN NEW;
	END IF;
	-- an empty value of a new lead says nothing
	IF TG_OP = 'INSERT' THEN
		v_given := jsonb_strip_nulls(to_jsonb(NEW));
		v_columns := ARRAY(SELECT jsonb_object_keys(v_given));
		NEW.status_id := coalesce(NEW.status_id, 1);
		NEW.created_at := coalesce(NEW.created_at, zcsync._now());
		NEW.updated_at := coalesce(NEW.updated_at, zcsync._now());
		NEW.source := coalesce(NEW.source, v_source);
	ELSE
		v_given := to_jsonb(NEW);
		v_old := to_jsonb(OLD);
		v_columns := ARRAY(SELECT c FROM unnest(v_named) AS c WHERE v_given -> c IS DISTINCT FROM v_old -> c);
	END IF;
	NEW.provenance := coalesce(NEW.provenance, '{}') || coalesce((
		SELECT jsonb_object_agg(c, v_entry) FROM unnest(v_columns) AS c WHERE c = ANY (v_named)), '{}');
	v_scores := (zcsync._score_leads(ARRAY[v_given || jsonb_build_object('status_id', NEW.status_id, 'created_at', NEW.created_at,
		'updated_at', NEW.updated_at, 'source', NEW.source)]))[1];
	NEW.fit := v_scores -> 'fit';
	NEW.engagement := v_scores -> 'engagement';
	NEW.quality := v_scores -> 'quality';
	NEW.stage := v_scores ->> 'stage';
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION zcsync._score_lead() IS
'BEFORE trigger of leads: scores, stage and provenance of what people and routes write; cuts what no index can hold';

-- What people write in a lead becomes a row like that of any source.  So it has its
-- precedence when others bring values for the same columns, and is found when others
-- resemble it.  A column that they empty is empty.  A phone number that they did not
-- write may be that of a company, and identifies nobody.
CREATE FUNCTION zcsync._keep_manual_rows() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	INSERT INTO zcsync.lead_rows AS r (account_id, local_id, source, row_key, hash, email, name, company, domain, phone, mobile, title,
		vals, at, taken_at)
	SELECT n.account_id, n.local_id, 'manual', 'lead:' || n.local_id, '',
		CASE WHEN zcsync._reaches_somebody(n.email_status) THEN d.email END,
		left(zcsync._name_key(n.first_name, n.last_name), 200), left(zcsync._company_key(n.company), 200),
		coalesce(zcsync._domain_key(n.website), CASE WHEN NOT zcsync._is_mail_provider(d.domain) THEN d.domain END),
		CASE WHEN n.provenance #>> '{phone,source}' = 'manual' AND n.do_not_call IS NOT TRUE
			THEN zcsync._phone_key(n.phone, zcsync._country_code(n.country)) END,
		CASE WHEN n.provenance #>> '{mobile,source}' = 'manual' AND n.do_not_call IS NOT TRUE
			THEN zcsync._phone_key(n.mobile, zcsync._country_code(n.country)) END,
		zcsync._fold(n.title), v.vals, zcsync._now(), zcsync._now()
	FROM new_rows n
	JOIN zcsync.accounts a ON a.account_id = n.account_id AND a.vendor = 'local'
	CROSS JOIN LATERAL (	-- once for each lead
		SELECT k.email, nullif(split_part(k.email, '@', 2), '') AS domain, k.doc
		FROM (SELECT zcsync._email_key(n.email) AS email, to_jsonb(n) AS doc OFFSET 0) AS k OFFSET 0) AS d
	CROSS JOIN LATERAL (
		SELECT jsonb_object_agg(p.key, d.doc -> p.key)
		FROM jsonb_each(n.provenance) AS p
		WHERE p.value ->> 'source' = 'manual' AND NOT p.value ? 'row') AS v (vals)
	WHERE n.sync_cause = 'local' AND n.sync_xid = pg_current_xact_id() AND v.vals IS NOT NULL
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
