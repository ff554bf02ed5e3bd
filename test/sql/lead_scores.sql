-- Scores, stages and statuses of leads, as rows.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local') IS NOT NULL AS added;
CREATE VIEW scored AS
SELECT row_number() OVER (ORDER BY local_id) AS lead, fit, engagement, quality, stage, status_id FROM zcsync.leads ORDER BY local_id;
CREATE FUNCTION take(VARIADIC docs jsonb[]) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT t.result FROM zcsync._take_leads(zcsync.account('crm'), 'csv', zcsync._normalise_leads('csv', docs)) AS t ORDER BY t.index $$;

SELECT * FROM zcsync.lead_statuses ORDER BY 1;
-- the rules that come with it
SELECT take(
	'{"name": "Ann Lee", "email": "ann@acme.com", "email_status": "verified", "title": "Founder & CEO", "company": "Acme", "phone": "+442079460958", "employees": "600", "revenue": "$2M", "industry": "Steel"}',
	'{"name": "Bob Ray", "company": "Ray"}',
	'{"name": "Cy Orr", "email": "cy@orr.com", "email_status": "bounced", "title": "Intern, MVP team"}');
SELECT * FROM scored;
-- the parts add up
SELECT x.name, sum(x.part) = max(x.score) AS adds_up, max(x.score) AS score
FROM zcsync.leads l, zcsync.explain_lead(zcsync.reference('leads', l.local_id)) AS x WHERE x.item = 'score' GROUP BY l.local_id, x.name ORDER BY l.local_id, x.name;
SELECT x.value, x.part FROM zcsync.leads l, zcsync.explain_lead(zcsync.reference('leads', l.local_id)) AS x
WHERE x.item = 'score' AND x.name = 'fit' AND l.first_name = 'Cy';

-- scores follow what people and imports write
UPDATE zcsync.leads SET status_id = 2 WHERE first_name = 'Bob';
UPDATE zcsync.leads SET status_id = 3 WHERE first_name = 'Ann';
SELECT * FROM scored;
UPDATE zcsync.leads SET status_id = 5 WHERE first_name = 'Ann';
SELECT take('{"name": "Bob Ray", "company": "Ray", "title": "Director", "website": "ray.com"}');
INSERT INTO zcsync.leads (account_id, last_name, title, email) VALUES (zcsync.account('crm'), 'Fox', 'VP Sales', 'di@fox.com');
SELECT * FROM scored;
UPDATE zcsync.leads SET status_id = 9 WHERE first_name = 'Bob';
-- a write of other columns writes no score
CREATE TABLE before AS SELECT local_id, fit, engagement, quality, stage FROM zcsync.leads;
ALTER TABLE zcsync.leads ADD COLUMN note text;
UPDATE zcsync.leads SET note = 'x';
SELECT count(*) FROM zcsync.leads l JOIN before b USING (local_id, fit, engagement, quality, stage);

-- each operator
SELECT o.operator, o.value, o.operand, zcsync._rule_holds(o.value, o.operator, o.operand) AS holds
FROM (VALUES ('is_filled', 'x', NULL), ('is_filled', '', NULL), ('is_filled', NULL, NULL), ('is_empty', NULL, NULL), ('is_empty', 'x', NULL),
	('equals', 'Yes', 'yes'), ('equals', NULL, 'yes'), ('not_equals', 'no', 'yes'), ('not_equals', NULL, 'yes'),
	('one_of', 'DE', 'at|de'), ('one_of', 'd', 'at|de'), ('contains', 'Vice President, Sales', 'ceo|vice president'), ('contains', 'MVP', 'vp'),
	('at_least', '50', '50'), ('at_least', '9', '10'), ('at_least', 'many', '1'), ('at_most', '10.5', '11'), ('at_most', NULL, '11'),
	('newer_than', '2020-01-01T00:00:00+00:00', '30 days'), ('newer_than', '2999-01-01T00:00:00+00:00', '30 days'), ('newer_than', 'x', '1 day'),
	('newer_than', '2999-01-01 10:00', '30 days'), ('newer_than', '2999-02-30T10:00:00Z', '30 days'), ('newer_than', '2026-99-99T', '30 days'),
	('contains', 'Co-Founder', 'co-founder|ceo'), ('contains', 'Head of R&D', 'r&d'), ('contains', 'VP, Sales / EMEA', 'vp sales'), ('contains', '- , -', 'x||y')
	) AS o (operator, value, operand);
-- what is no rule is refused
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('luck', 'email', 'is_filled', NULL, 1);
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'nosuch', 'is_filled', NULL, 1);
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'email', 'matches', '.*', 1);
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'employees', 'at_least', 'many', 1);
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'email', 'is_filled', NULL, 1000);

-- rules change: all leads are gone through, and only those written that come out otherwise
SELECT zcsync.rescore_leads();
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'custom:budget', 'at_least', '10', 90), ('fit', 'company', 'equals', 'ray', -90);
UPDATE zcsync.leads SET custom_fields = '{"budget": 12}' WHERE last_name = 'Fox';
SELECT * FROM scored;
SELECT zcsync.rescore_leads('crm');
SELECT zcsync.rescore_leads('crm');
SELECT * FROM scored;
SELECT zcsync.rescore_leads('nosuch');
-- a custom field may hold any text: it gives no points, and prevents no write
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('fit', 'custom:renewed', 'newer_than', '30 days', 5);
UPDATE zcsync.leads SET custom_fields = '{"renewed": "2026-99-99T soon"}' WHERE last_name = 'Fox';
SELECT custom_fields ->> 'renewed' AS renewed FROM zcsync.leads WHERE last_name = 'Fox';

-- an insert computes what an import computes, whatever the type of a column
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('quality', 'created_at', 'newer_than', '10 days', 7),
	('quality', 'closed_at', 'is_filled', NULL, 3), ('quality', 'custom_fields', 'is_filled', NULL, 2), ('quality', 'custom:deep', 'contains', 'x', 2),
	('quality', 'value', 'equals', '12.50', 4), ('engagement', 'city', 'one_of', 'zug|bern', 11);
INSERT INTO zcsync.leads (account_id, last_name, value, closed_at, custom_fields, do_not_call, created_at, city, status_id)
VALUES (zcsync.account('crm'), 'Ill', 12.50, '2026-01-01 00:00+02', '{"deep": {"a": "x"}, "budget": "11"}', true, now() - interval '1 day', 'ZUG', 4),
	(zcsync.account('crm'), 'Jay', 12.5, NULL, '{}', false, now() - interval '11 days', 'Bern ', NULL);
SELECT last_name, fit, engagement, quality, stage FROM zcsync.leads WHERE last_name IN ('Ill', 'Jay') ORDER BY 1;
SELECT count(*) FILTER (WHERE zcsync._score_leads(ARRAY[to_jsonb(l)]) <> ARRAY[jsonb_build_object('fit', l.fit, 'engagement', l.engagement, 'quality', l.quality, 'stage', l.stage)])
	AS otherwise, count(*) FROM zcsync.leads l WHERE last_name IN ('Ill', 'Jay');

-- a statement reads rules, accounts and legal forms once, however many leads it writes
CREATE VIEW scans AS SELECT relname, seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_xact_user_tables
WHERE schemaname = 'zcsync' AND relname IN ('company_forms', 'lead_score_rules', 'lead_stage_rules');
BEGIN;
CREATE TEMP TABLE scans_before AS SELECT * FROM scans;
INSERT INTO zcsync.leads (account_id, last_name, company, email) SELECT zcsync.account('crm'), 'L' || i, 'Firm ' || i || ' GmbH', i || '@many.example' FROM generate_series(1, 300) i;
SELECT relname, s.scans - coalesce(b.scans, 0) AS scans FROM scans s LEFT JOIN scans_before b USING (relname) ORDER BY 1;
SELECT count(*), min(quality), max(quality) FROM zcsync.leads WHERE email LIKE '%@many.example';
-- and the next one those that were changed meanwhile, in the same transaction too
INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES ('quality', 'last_name', 'equals', 'late', 33);
INSERT INTO zcsync.leads (account_id, last_name) VALUES (zcsync.account('crm'), 'Late');
SELECT quality FROM zcsync.leads WHERE last_name = 'Late';
ROLLBACK;
DROP VIEW scans;

-- closed statuses and their index
SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = 'zcsync.idx_leads_active'::regclass;
SELECT item, ok, hint FROM zcsync.selfcheck() WHERE item = 'idx_leads_active';
UPDATE zcsync.lead_statuses SET closed = true WHERE name = 'nurturing';
SELECT item, ok, hint FROM zcsync.selfcheck() WHERE item = 'idx_leads_active';
SELECT zcsync.rebuild_active_index();
SELECT item, ok FROM zcsync.selfcheck() WHERE item = 'idx_leads_active';
SELECT count(*) > 2 AS in_all_partitions FROM pg_inherits WHERE inhparent = 'zcsync.idx_leads_active'::regclass;
UPDATE zcsync.lead_statuses SET closed = false;
SELECT zcsync.rebuild_active_index();
SELECT item, ok FROM zcsync.selfcheck() WHERE item = 'idx_leads_active';

-- A trigger of the user's may empty the cause: then a person wrote.
CREATE FUNCTION empty_cause() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.sync_cause := NULL; RETURN NEW; END$$;
CREATE TRIGGER zcsync_t BEFORE INSERT ON zcsync.leads FOR EACH ROW EXECUTE FUNCTION empty_cause();
\set VERBOSITY sqlstate
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'nobody@example.com');
\set VERBOSITY default
DROP TRIGGER zcsync_t ON zcsync.leads;
DROP FUNCTION empty_cause();

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP TABLE before;
DROP FUNCTION take(jsonb[]);
