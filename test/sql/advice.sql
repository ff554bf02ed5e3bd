-- What zcsync.table_bloat, zcsync.slow_queries and zcsync.maintenance_advice()
-- say, on a server without pg_stat_statements in shared_preload_libraries.
-- test/t/052_advice.pl has it with pg_stat_statements, and the jobs of pg_cron.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
CREATE TABLE zcsync.regress_tables (domain text NOT NULL CONSTRAINT regress_tables_pkey PRIMARY KEY);
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "GB"}') > 0 AS added;

-- ---------------------------------------------------------------------
-- table_bloat
-- ---------------------------------------------------------------------
-- every table of the schema, months and not the table they are part of
SELECT relname FROM zcsync.table_bloat WHERE relname IN ('leads', 'changes', 'sync_records');
SELECT count(*) = (SELECT count(*) FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relkind = 'r') AS every_table FROM zcsync.table_bloat;
-- a table without any row
SELECT relname, inserted, updated, deleted, live, dead, dead_ratio, last_vacuum, last_analyze FROM zcsync.table_bloat WHERE relname = 'regress_tables';
-- rows written, of which some are dead
ALTER TABLE zcsync.regress_tables SET (autovacuum_enabled = false);
INSERT INTO zcsync.regress_tables (domain) SELECT format('d%s.example', i) FROM generate_series(1, 8) AS i;
DELETE FROM zcsync.regress_tables WHERE domain IN ('d1.example', 'd2.example', 'd3.example');
SELECT pg_stat_force_next_flush();
SELECT relname, inserted, updated, deleted, live, dead, dead_ratio FROM zcsync.table_bloat WHERE relname = 'regress_tables';
-- only dead ones
DELETE FROM zcsync.regress_tables;
SELECT pg_stat_force_next_flush();
SELECT live, dead, dead_ratio FROM zcsync.table_bloat WHERE relname = 'regress_tables';
-- the worst come first
SELECT array_agg(dead) = array_agg(dead ORDER BY dead DESC) AS in_order FROM zcsync.table_bloat;
VACUUM (ANALYZE) zcsync.regress_tables;
SELECT live, dead, dead_ratio, now() - last_vacuum < interval '1 hour' AS vacuumed, now() - last_analyze < interval '1 hour' AS analysed
FROM zcsync.table_bloat WHERE relname = 'regress_tables';
ALTER TABLE zcsync.regress_tables RESET (autovacuum_enabled);
-- a month
INSERT INTO zcsync.leads (account_id, last_name, inserted_at) VALUES (zcsync.account('crm'), 'Old', '2020-02-10');
SELECT zcsync.create_lead_partitions();
SELECT pg_stat_force_next_flush();
SELECT relname, inserted, live, dead_ratio FROM zcsync.table_bloat WHERE relname ~ '^leads_(?:default|y2020m02)$' ORDER BY 1;

-- ---------------------------------------------------------------------
-- slow_queries: nothing, and no error, without pg_stat_statements, and where
-- it is created in whatever schema but not loaded
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.slow_queries;
CREATE SCHEMA "My Tools";
CREATE EXTENSION pg_stat_statements SCHEMA "My Tools";
\set VERBOSITY sqlstate
SELECT count(*) FROM "My Tools".pg_stat_statements;
\set VERBOSITY default
SELECT * FROM zcsync.slow_queries;
SELECT item, ok, current_value, advised_value, needs, command ~ '^ALTER SYSTEM SET shared_preload_libraries = .*pg_stat_statements.*restart the server$' AS command
FROM zcsync.maintenance_advice() WHERE item = 'pg_stat_statements';
-- a line of postgresql.conf does not make it loaded
SET pg_stat_statements.max = '5000';
SELECT current_value FROM zcsync.maintenance_advice() WHERE item = 'pg_stat_statements';
RESET pg_stat_statements.max;
-- nothing depends on it
DROP EXTENSION pg_stat_statements;
DROP SCHEMA "My Tools";
SELECT * FROM zcsync.slow_queries;

-- ---------------------------------------------------------------------
-- Settings of the server: 60 s between two looks is what a server comes with
-- ---------------------------------------------------------------------
SELECT item, ok, current_value, advised_value, command FROM zcsync.maintenance_advice() WHERE item NOT IN ('pg_stat_statements', 'tables', 'connections', 'disks', 'memory of workers');
-- what a change needs is what the server says
SELECT a.item, a.needs = CASE s.context WHEN 'postmaster' THEN 'restart' ELSE 'reload' END AS as_the_server_says
FROM zcsync.maintenance_advice() AS a JOIN pg_settings AS s ON s.name = a.item ORDER BY 1;
SELECT needs FROM zcsync.maintenance_advice() WHERE item IN ('autovacuum', 'autovacuum_naptime') GROUP BY 1;
SELECT count(*) FROM zcsync.maintenance_advice() WHERE reason IS NULL OR reason = '' OR (command IS NULL) <> ok;
-- a session that counts nothing is told so
SET track_counts = off;
SELECT item, ok, current_value, command FROM zcsync.maintenance_advice() WHERE item = 'track_counts';
RESET track_counts;
-- nothing was changed
SELECT count(*) FROM pg_file_settings WHERE name ~ '^autovacuum' AND sourcefile ~ 'auto.conf';

-- ---------------------------------------------------------------------
-- Tables: setup() tells autovacuum of those that are written most, each month too
-- ---------------------------------------------------------------------
SELECT c.relname, array_to_string(c.reloptions, ', ') AS options FROM pg_class c
WHERE c.oid IN ('zcsync.sync_queue'::regclass, 'zcsync.tickets'::regclass, 'zcsync.leads_y2020m02'::regclass,
	'zcsync.leads_default'::regclass, 'zcsync.leads'::regclass, 'zcsync.queues'::regclass) ORDER BY 1;
SELECT * FROM zcsync.maintenance_advice() WHERE item = 'tables';
-- what somebody set stays, what is missing is put back
ALTER TABLE zcsync.tickets SET (autovacuum_vacuum_threshold = '0x1B58'), RESET (autovacuum_analyze_threshold);
ALTER TABLE zcsync.leads_default SET (autovacuum_enabled = off);
ALTER TABLE zcsync.tasks SET (autovacuum_vacuum_scale_factor = 0.01);
SELECT * FROM zcsync.maintenance_advice() WHERE item LIKE 'table%' \gx
SELECT FROM zcsync.setup();
SELECT item, current_value, command FROM zcsync.maintenance_advice() WHERE item LIKE 'table%' ORDER BY 1 \gx
\set ECHO none
SELECT command FROM zcsync.maintenance_advice() WHERE item LIKE 'table%'
\gexec
\set ECHO all
SELECT item, ok FROM zcsync.maintenance_advice() WHERE item LIKE 'table%';
SELECT array_to_string(reloptions, ', ') AS options FROM pg_class WHERE oid = 'zcsync.tasks'::regclass;

-- ---------------------------------------------------------------------
-- Indexes that somebody dropped, connections, the cache, alerts
-- ---------------------------------------------------------------------
CREATE TEMPORARY VIEW expected AS SELECT e.name, pg_get_indexdef(to_regclass('zcsync.' || e.name)) AS definition FROM zcsync._expected_indexes() AS e;
CREATE TEMPORARY TABLE as_made AS SELECT * FROM expected;
SELECT count(*) AS there FROM as_made WHERE definition IS NOT NULL;
DROP INDEX zcsync.idx_tickets_created_at;
SELECT ok, current_value, advised_value, needs, command FROM zcsync.maintenance_advice() WHERE item = 'expected indexes';
DO $$ BEGIN EXECUTE (SELECT string_agg(format('DROP INDEX IF EXISTS zcsync.%I', name), ';') FROM as_made); END $$;
\set ECHO none
SELECT command FROM zcsync.maintenance_advice() WHERE item = 'expected indexes'
\gexec
\set ECHO all
SELECT ok, current_value FROM zcsync.maintenance_advice() WHERE item = 'expected indexes';
SELECT * FROM expected EXCEPT SELECT * FROM as_made;
SELECT ok, current_value ~ '^[0-9]+ of [0-9]+$' AS counted, command FROM zcsync.maintenance_advice() WHERE item = 'connections';
SELECT zcsync.add_alert_target('regress', 'notify', '{"channel": "regress"}') > 0 AS added;
SELECT item, ok, current_value, command FROM zcsync.maintenance_advice() WHERE item LIKE 'alert%' ORDER BY 1;
SELECT zcsync.remove_alert_target('regress');
-- rules for what must not wait: one is removed, one is paused, one that may be missing is, too
SELECT zcsync.remove_alert_rule('lag'), zcsync.remove_alert_rule('cpu'), zcsync.pause_alert_rule('blocked');
SELECT ok, current_value, command FROM zcsync.maintenance_advice() WHERE item = 'alert rules';
\set ECHO none
SELECT regexp_split_to_table(command, '(?<=;) ') FROM zcsync.maintenance_advice() WHERE item = 'alert rules'
\gexec
\set ECHO all
SELECT ok, current_value, command FROM zcsync.maintenance_advice() WHERE item = 'alert rules';
SELECT name, measure, warning, critical, lasts, state FROM zcsync.alert_rules WHERE name IN ('lag', 'blocked') ORDER BY 1;
-- documents are compressed by lz4, those of each month, too
SELECT count(*) > 0 AS there FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals);
ALTER TABLE zcsync.tickets ALTER remote SET COMPRESSION pglz;
ALTER TABLE zcsync.leads_default ALTER base SET COMPRESSION default, ALTER remote SET COMPRESSION default;
SELECT ok, current_value, advised_value, needs, command FROM zcsync.maintenance_advice() WHERE item = 'compression';
SET default_toast_compression = 'lz4';
SELECT current_value FROM zcsync.maintenance_advice() WHERE item = 'compression';
RESET default_toast_compression;
\set ECHO none
SELECT command FROM zcsync.maintenance_advice() WHERE item = 'compression'
\gexec
\set ECHO all
SELECT ok, current_value, command FROM zcsync.maintenance_advice() WHERE item = 'compression';
-- disks and memory of workers, at their bounds; and where nobody tells
SELECT item, ok, current_value ~ '^([0-9]+ (%|kB|MB)|no worker, or not known)$' AS told FROM zcsync.maintenance_advice() WHERE item IN ('disks', 'memory of workers');
BEGIN;
CREATE OR REPLACE FUNCTION zcsync._machine_load(OUT cpu double precision, OUT memory double precision, OUT disk double precision, OUT io double precision)
LANGUAGE sql AS $$ SELECT NULL::double precision, NULL::double precision, current_setting('regress.disk', true)::double precision, NULL::double precision $$;
CREATE OR REPLACE FUNCTION zcsync._process_usage() RETURNS TABLE (pid integer, role text, resident_bytes bigint, own_bytes bigint, cpu_seconds double precision)
LANGUAGE sql AS $$ SELECT 7, 'worker', NULL::bigint, current_setting('regress.bytes', true)::bigint, NULL::double precision UNION ALL SELECT 8, 'local', NULL, 1000, NULL $$;
SELECT item, ok, current_value FROM zcsync.maintenance_advice() WHERE item = 'disks';
SET LOCAL regress.disk = '84.4';
SET LOCAL regress.bytes = '1073741823';
SELECT item, ok, current_value, command FROM zcsync.maintenance_advice() WHERE item IN ('disks', 'memory of workers');
SET LOCAL regress.disk = '85';
SET LOCAL regress.bytes = '1073741824';
SELECT item, ok, current_value, advised_value, command FROM zcsync.maintenance_advice() WHERE item IN ('disks', 'memory of workers');
ROLLBACK;

-- ---------------------------------------------------------------------
-- Indexes that something did not finish
-- ---------------------------------------------------------------------
SELECT item FROM zcsync.maintenance_advice() WHERE item LIKE 'index%';
INSERT INTO zcsync.regress_tables (domain) VALUES ('one.example'), ('two.example');
CREATE UNIQUE INDEX CONCURRENTLY my_index ON zcsync.regress_tables (length(domain));
CREATE UNIQUE INDEX CONCURRENTLY my_index_ccnew ON zcsync.regress_tables (length(domain));
SELECT item, ok, current_value, advised_value, needs, command FROM zcsync.maintenance_advice() WHERE item LIKE 'index%' ORDER BY 1;
DELETE FROM zcsync.regress_tables;
\set ECHO none
SELECT command FROM zcsync.maintenance_advice() WHERE item LIKE 'index%'
\gexec
\set ECHO all
SELECT item FROM zcsync.maintenance_advice() WHERE item LIKE 'index%';
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE 'zcsync.my_index%';
-- what a REINDEX that failed has left, beside the table as well
CREATE FUNCTION one(text) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT 1 / coalesce(current_setting('my.divisor', true), '1')::integer $$;
CREATE INDEX my_one ON zcsync.regress_tables (one(domain));
INSERT INTO zcsync.regress_tables (domain) VALUES ('one.example');
SET my.divisor = 0;
REINDEX TABLE CONCURRENTLY zcsync.regress_tables;
RESET my.divisor;
SELECT regexp_replace(item, '\d+', 'N'), regexp_replace(command, '\d+', 'N') FROM zcsync.maintenance_advice() WHERE item LIKE 'index%' ORDER BY 1;
\set ECHO none
SELECT command FROM zcsync.maintenance_advice() WHERE item LIKE 'index%'
\gexec
\set ECHO all
SELECT count(*) AS left_over FROM pg_index WHERE NOT indisvalid;
DROP FUNCTION one CASCADE;
DELETE FROM zcsync.regress_tables;
-- the index of a table by month that has not all its months yet is none of them
CREATE INDEX my_title ON ONLY zcsync.leads (title);
SELECT item FROM zcsync.maintenance_advice() WHERE item LIKE 'index%';

-- ---------------------------------------------------------------------
-- maintain() analyses tables by month, which autovacuum does not
-- ---------------------------------------------------------------------
SELECT pg_stat_force_next_flush();
SELECT zcsync._analyze_by_month() > 0 AS analysed;
SELECT count(*) > 0 AS known FROM pg_stats WHERE schemaname = 'zcsync' AND tablename = 'leads' AND inherited;
SELECT zcsync._analyze_by_month() AS again;
SELECT more FROM zcsync._maintain('statistics');

-- ---------------------------------------------------------------------
-- and keeps both views once a week, for 13 months
-- ---------------------------------------------------------------------
INSERT INTO zcsync.report_archive (report, taken_at, place, line)
SELECT 'table_bloat', zcsync._now() - t::interval, 1, '{}' FROM unnest('{14 months,12 months,6 days}'::text[]) AS t;
SELECT zcsync._archive_reports() AS of_this_week;
UPDATE zcsync.report_archive SET taken_at = zcsync._now() - interval '8 days' WHERE taken_at > zcsync._now() - interval '1 month';
SELECT more FROM zcsync._maintain('reports');
SELECT zcsync._archive_reports() AS again;
SELECT report, count(DISTINCT taken_at) FROM zcsync.report_archive GROUP BY 1;
SELECT a.line ->> 'relname' AS relname, (a.line ->> 'live')::integer AS live FROM zcsync.report_archive AS a
WHERE a.line ->> 'relname' = 'leads_y2020m02';
SELECT count(*) > 3 AS kept, min(place), max(place) = count(*) AS in_order, count(*) FILTER (WHERE line ->> 'dead' IS NULL) AS without
FROM zcsync.report_archive WHERE taken_at > zcsync._now() - interval '1 day';

-- ---------------------------------------------------------------------
-- VACUUM and REINDEX by pg_cron: what is refused before pg_cron is asked
-- ---------------------------------------------------------------------
SELECT zcsync.schedule_vacuum(NULL);
SELECT zcsync.schedule_vacuum('pg_class');
SELECT zcsync.schedule_reindex('zcsync.errors');
SELECT zcsync.schedule_reindex('zcsync.tickets_pkey');
SELECT zcsync.schedule_reindex('zcsync.nothing');
SELECT zcsync.schedule_vacuum('zcsync.tickets', '');
SELECT zcsync.schedule_vacuum('zcsync.tickets', NULL);
CREATE ROLE regress_zcsync_analyst;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_analyst;
SET ROLE regress_zcsync_analyst;
SELECT zcsync.schedule_vacuum('zcsync.tickets');
SELECT * FROM zcsync.maintenance_advice();
SELECT * FROM zcsync.slow_queries;
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync.schedule_vacuum, zcsync._check_table_job TO regress_zcsync_analyst;
GRANT SELECT ON zcsync.table_bloat, zcsync.slow_queries TO regress_zcsync_analyst;
GRANT EXECUTE ON FUNCTION zcsync._slow_queries, zcsync.maintenance_advice TO regress_zcsync_analyst;
SET ROLE regress_zcsync_analyst;
\set VERBOSITY terse
SELECT zcsync.schedule_vacuum('zcsync.tickets');
SELECT count(*) > 30 AS tables FROM zcsync.table_bloat;
SELECT * FROM zcsync.slow_queries;
SELECT count(*) > 5 AS advised FROM zcsync.maintenance_advice();
RESET ROLE;
-- names of jobs end after 63 bytes, and two never become one
SELECT zcsync._job_name('vacuum', 'zcsync.tickets in crm');
SELECT zcsync._job_name('vacuum', 'zcsync.tickets in ' || repeat('x', 28)), zcsync._job_name('vacuum', 'zcsync.tickets in ' || repeat('x', 29));
SELECT count(DISTINCT zcsync._job_name('vacuum', format('zcsync.%s in %s', t, repeat('ü', 31)))::name) FROM unnest('{tickets,tasks,leads}'::text[]) AS t;

DROP OWNED BY regress_zcsync_analyst;
DROP ROLE regress_zcsync_analyst;
DROP EXTENSION zcsync CASCADE;
