\ir settings.sql
\set ECHO queries
SELECT * FROM zcsync.plan_import('apollo_1') WHERE leads > 0;
SELECT result, count(*) FROM zcsync.import_leads('apollo_1') GROUP BY 1;
SELECT result, count(*) FROM zcsync.import_leads('zoominfo_2') GROUP BY 1;
SELECT score, lead_a, lead_b, left(reason, 60) AS reason FROM zcsync.lead_duplicates WHERE state = 'open' ORDER BY score DESC LIMIT 3;
