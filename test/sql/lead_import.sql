-- Leads from files: tables for them, what would happen, what happens.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "GB"}') > 0 AS added;

-- ---------------------------------------------------------------------
-- Headers
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.create_intake('crm', 'apollo', header => 'First Name,Last Name,Email,# Employees,Seniority');
SELECT * FROM zcsync._intake_columns('csv', E'\ufeff"Name, full";E-mail;E-mail;;2nd "x";"say ""hi""";ctid;' || repeat('é', 100) || E'\r\n');
SELECT n, name, fields FROM zcsync._intake_columns('zoominfo', E'ZoomInfo Contact ID\tRevenue (in 000s USD)\tDirect Phone Number\tintake_row\tsélect');
SELECT zcsync._csv_delimiter('"a;b",c'), zcsync._csv_delimiter('a;b,c'), zcsync._csv_delimiter('one'), zcsync._csv_delimiter('a|b');
SELECT value FROM zcsync.create_intake('crm', 'csv', header => E'E-mail\tName') WHERE item = 'fill';
SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'E-mail;Name') WHERE item = 'fill';
SELECT * FROM zcsync.create_intake('crm', 'csv', header => '');
SELECT * FROM zcsync.create_intake('crm', 'csv', header => NULL);
SELECT * FROM zcsync.create_intake('crm', 'csv', header => E'a,b\n1,2');
SELECT * FROM zcsync.create_intake('crm', 'csv', header => 'a,"b');
SELECT * FROM zcsync.create_intake('crm', 'csv', header => repeat('a,', 1000));
SELECT * FROM zcsync.create_intake('crm', 'nix', header => 'a');
SELECT * FROM zcsync.create_intake('nix', 'csv', header => 'a');
SELECT name, account_id = zcsync.account('crm') AS crm, source FROM zcsync.intakes ORDER BY intake_id;

-- ---------------------------------------------------------------------
-- A file
-- ---------------------------------------------------------------------
\copy zcsync_intake.apollo_1 (first_name, last_name, email, employees, seniority) FROM STDIN (FORMAT csv, HEADER)
First Name,Last Name,Email,# Employees,Seniority
Ada,Lovelace,ada@example.com,"1,200",c_suite
Bob,"O'Neill, Jr.",bob@example.com,11-50,
Ada,Lovelace,ADA@example.com,"1,200",c_suite
,,nope,,
Zoë,Ünal,zoe@example.com,,"two
lines"
,,,,
\.
CREATE TABLE before AS SELECT (SELECT count(*) FROM zcsync.leads) AS leads, (SELECT count(*) FROM zcsync.changes) AS changes, (SELECT count(*) FROM zcsync.lead_identities) AS identities;
SELECT * FROM zcsync.plan_import('apollo_1');
SELECT (SELECT count(*) FROM zcsync.leads) AS leads, (SELECT count(*) FROM zcsync.changes) AS changes, (SELECT count(*) FROM zcsync.lead_identities) AS identities;
SELECT file_row, ok, lead IS NOT NULL AS lead, result, error FROM zcsync.import_leads('apollo_1');
SELECT first_name, last_name, email, employees, source, status_id, provenance #>> '{email,source}' AS mail_by, sync_state FROM zcsync.leads ORDER BY email;
SELECT counts, imported_at IS NOT NULL AS imported FROM zcsync.intakes WHERE name = 'apollo_1';
-- the same file again changes nothing at all
CREATE TABLE versions AS SELECT local_id, l.ctid AS place, l.xmin::text AS xid FROM zcsync.leads l;
SELECT file_row, result FROM zcsync.import_leads('zcsync_intake.apollo_1');
SELECT count(*) AS written FROM zcsync.leads l JOIN versions v USING (local_id) WHERE (l.ctid, l.xmin::text) <> (v.place, v.xid);
SELECT action, count(*) FROM zcsync.changes GROUP BY 1;
-- a row that is mended keeps its number
UPDATE zcsync_intake.apollo_1 SET email = 'nobody@example.com' WHERE intake_row = 4;
SELECT * FROM zcsync.plan_import('apollo_1');
SELECT file_row, result FROM zcsync.import_leads('apollo_1') WHERE result <> 'unchanged';
-- another source knows more
SELECT value FROM zcsync.create_intake('crm', 'zoominfo', header => 'Email Address,Job Title,Mobile phone') WHERE item = 'intake';
INSERT INTO zcsync_intake.zoominfo_4 (email_address, job_title, mobile_phone) VALUES ('ada@example.com', 'Countess', '07911 123456'), ('new@example.com', NULL, NULL);
SELECT file_row, result FROM zcsync.import_leads((SELECT name FROM zcsync.intakes WHERE source = 'zoominfo'));
SELECT first_name, title, mobile FROM zcsync.leads WHERE email = 'ada@example.com';
-- an intake without rows
SELECT * FROM zcsync.import_leads('csv_2');
SELECT result, leads FROM zcsync.plan_import('csv_2');
SELECT * FROM zcsync.import_leads('nix');
SELECT * FROM zcsync.plan_import(NULL);
-- headers that are long, and many that are equal
SET statement_timeout = '20s';
SELECT length(c), octet_length(c) FROM unnest(zcsync._column_names(ARRAY[repeat('x', 1000000), repeat('é', 1000000)])) AS c;
RESET statement_timeout;
-- one that is being imported
BEGIN;
SELECT count(*) FROM zcsync.import_leads('apollo_1');
SELECT object, lane, done, estimate, progress, eta IS NOT NULL AS eta FROM zcsync.progress;
ROLLBACK;
SELECT count(*) FROM zcsync.progress;

-- ---------------------------------------------------------------------
-- Many rows: each is normalised once, and what is read grows with the rows of the file
-- only, with a plan before and without, and whatever statistics say of the tables
-- ---------------------------------------------------------------------
CREATE FUNCTION made(n integer) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	v_intake text := (SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'First name,Last name,E-mail,Company,Phone') WHERE item = 'intake');
BEGIN
	EXECUTE format('INSERT INTO zcsync_intake.%I (first_name, last_name, e_mail, company, phone) '
		'SELECT ''Pat'' || i %% 50, md5(i::text), i || ''@bulk.example'', ''Firm '' || i %% 300, ''+44 20 '' || 70000000 + i FROM generate_series($1, $1 + 1199) AS i', v_intake) USING n;
	RETURN v_intake;
END
$$;
-- how often a row was normalised, and rows of tables that were read for each row of the file
CREATE FUNCTION work_of(call text, intake text, OUT rows bigint, OUT normalised bigint, OUT reads text) LANGUAGE plpgsql AS
$$
DECLARE
	v_normalised bigint := coalesce((SELECT sum(calls) FROM pg_stat_xact_user_functions WHERE funcname = '_shape_lead'), 0);
	v_reads bigint := (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname LIKE 'lead%');
BEGIN
	EXECUTE format('SELECT count(*) FROM zcsync.%I($1)', call) USING intake;
	EXECUTE format('SELECT count(*) FROM zcsync_intake.%I', intake) INTO rows;
	normalised := (SELECT sum(calls) FROM pg_stat_xact_user_functions WHERE funcname = '_shape_lead') - v_normalised;
	v_reads := (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname LIKE 'lead%') - v_reads;
	reads := CASE WHEN v_reads <= 150 * rows THEN 'few' ELSE format('%s for each row', v_reads / rows) END;
END
$$;
SET track_functions = 'pl';
SELECT made(1) AS one, made(1001) AS two, made(2001) AS three \gset
SELECT * FROM work_of('import_leads', :'one');
SELECT * FROM work_of('plan_import', :'two');
-- what autovacuum may leave behind after a plan, which is undone
UPDATE pg_class SET reltuples = 1, relpages = 1
WHERE relnamespace = 'zcsync'::regnamespace AND relkind IN ('r', 'i') AND relname LIKE '%lead%';
SELECT * FROM work_of('import_leads', :'two');
SELECT * FROM work_of('plan_import', :'three');
SELECT * FROM work_of('import_leads', :'three');
SELECT * FROM work_of('import_leads', :'three');
RESET track_functions;
SELECT count(*) FROM zcsync.leads WHERE email LIKE '%@bulk.example';
DROP FUNCTION made, work_of;

-- ---------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------
CREATE ROLE regress_zcsync_importer;
CREATE ROLE regress_zcsync_other;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_importer, regress_zcsync_other;
GRANT EXECUTE ON FUNCTION zcsync.create_intake, zcsync.plan_import, zcsync.import_leads, zcsync.drop_intake TO regress_zcsync_importer, regress_zcsync_other;
SET ROLE regress_zcsync_importer;
SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'E-mail') WHERE item = 'intake' \gset
INSERT INTO zcsync_intake.:value (e_mail) VALUES ('mine@example.com');
SELECT file_row, result FROM zcsync.import_leads(:'value');
SELECT * FROM zcsync.import_leads('apollo_1');
SET ROLE regress_zcsync_other;
SELECT result FROM zcsync.plan_import(:'value');
SELECT zcsync.drop_intake(:'value');
RESET ROLE;
SELECT zcsync.drop_intake(:'value');
SELECT zcsync.drop_intake(:'value');
DROP TABLE zcsync_intake.csv_2;
SELECT * FROM zcsync.import_leads('csv_2');
SELECT zcsync.drop_intake('csv_2');
-- its leads stay; with the account all goes
SELECT email FROM zcsync.leads WHERE email = 'mine@example.com';
SELECT zcsync.remove_account('crm', force => true);
SELECT count(*) FROM pg_class WHERE relnamespace = 'zcsync_intake'::regnamespace;
SELECT count(*) FROM zcsync.intakes;

-- What is tried is kept or undone as it says itself; an error stays one, and undoes it, too.
CREATE TABLE tried (n integer);
CREATE FUNCTION note(n integer) RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO tried VALUES (n); RETURN 6 / n; END $$;
SELECT zcsync._attempt('SELECT true, to_jsonb(public.note($1))', 1) AS kept, zcsync._attempt('SELECT false, to_jsonb(public.note($1))', 2) AS undone,
	zcsync._attempt('SELECT NULL::boolean, to_jsonb(public.note($1))', 3) AS not_said, zcsync._attempt('SELECT true, to_jsonb($1) WHERE $2', 4, false) AS nothing;
DO $$
BEGIN
	PERFORM note(5);
	BEGIN
		PERFORM note(6), zcsync._attempt('SELECT true, to_jsonb(public.note($1))', 0);
	EXCEPTION WHEN division_by_zero THEN
		PERFORM note(7);
	END;
	PERFORM zcsync._attempt('SELECT true, zcsync._attempt(''SELECT false, to_jsonb(public.note($1))'', $1)', 8);
	PERFORM zcsync._attempt('SELECT public.note($1 - 1) IS NULL, zcsync._attempt(''SELECT true, to_jsonb(public.note($1))'', $1)', 10);
END
$$;
SELECT array_agg(n ORDER BY n) AS kept FROM tried;
SELECT zcsync._attempt('SELECT true, NULL::jsonb FROM generate_series(1, $1)', 2);
DROP FUNCTION note;
DROP TABLE tried;

DROP TABLE before, versions;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_intake;
DROP OWNED BY regress_zcsync_importer, regress_zcsync_other;
DROP ROLE regress_zcsync_importer, regress_zcsync_other;
