-- grant_reader(), grant_operator() and grant_admin(), as the roles themselves: each
-- can read and run what it is for, and nothing of what it is not.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
CREATE ROLE regress_zcsync_reader;
CREATE ROLE regress_zcsync_operator;
CREATE ROLE regress_zcsync_admin;
CREATE ROLE regress_zcsync_other;
CREATE ROLE "regress zcsync's ""one""";
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"client_id": "c", "client_secret": "s"}') > 0 AS acme;
SELECT zcsync.add_account('beta', 'zendesk', '{"subdomain": "beta"}', '{"client_id": "c", "client_secret": "s"}') > 0 AS beta;
SELECT zcsync.add_account('crm', 'local') > 0 AS crm;
INSERT INTO zcsync.streams (account_id, kind, writes)
SELECT account_id, k, true FROM zcsync.accounts, unnest('{tickets,comments}'::text[]) AS k WHERE vendor = 'zendesk';
BEGIN;
SET LOCAL session_replication_role = replica;	-- as read from the vendor
INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, remote, base, sync_state, created_at)
SELECT account_id, n, 'ticket ' || n || ' of ' || name, 'private words', 'open', '{"is_public": false, "description": "private words"}', '{"description": "private words"}', 'synced', '2026-01-01'
FROM zcsync.accounts, generate_series(1, 2) AS n WHERE vendor = 'zendesk';
INSERT INTO zcsync.comments (account_id, remote_id, body, is_private) SELECT account_id, 1, 'private words', true FROM zcsync.accounts WHERE vendor = 'zendesk';
INSERT INTO zcsync.leads (account_id, last_name, created_at) VALUES (zcsync.account('crm'), 'Lead', '2026-01-01');
COMMIT;
UPDATE zcsync.tickets SET subject = 'edited', description = 'private words' WHERE remote_id = '1';

-- What a role can do with the rows of a table, a right a letter.
CREATE VIEW rights AS
SELECT r.rolname, c.relname, concat(
	CASE WHEN has_table_privilege(r.oid, c.oid, 'SELECT') THEN 'r' WHEN has_any_column_privilege(r.oid, c.oid, 'SELECT') THEN '(r)' END,
	CASE WHEN has_table_privilege(r.oid, c.oid, 'INSERT') THEN 'a' END,
	CASE WHEN has_table_privilege(r.oid, c.oid, 'UPDATE') THEN 'w' WHEN has_any_column_privilege(r.oid, c.oid, 'UPDATE') THEN '(w)' END,
	CASE WHEN has_table_privilege(r.oid, c.oid, 'DELETE') THEN 'd' END,
	CASE WHEN has_table_privilege(r.oid, c.oid, 'TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(r.oid, c.oid, 'REFERENCES') THEN '!' END) AS rights
FROM pg_roles r CROSS JOIN pg_class c
WHERE r.rolname LIKE 'regress_zcsync%' AND c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition;

-- ---------------------------------------------------------------------
-- All accounts
-- ---------------------------------------------------------------------
SELECT zcsync.grant_reader('regress_zcsync_reader');
SELECT zcsync.grant_operator('regress_zcsync_operator');
SELECT zcsync.grant_admin('regress_zcsync_admin');
-- the reader reads, and of records only columns
SELECT rights, string_agg(relname, ' ' ORDER BY relname) FROM rights WHERE rolname = 'regress_zcsync_reader' AND rights NOT IN ('', 'r') GROUP BY rights ORDER BY rights;
SELECT relname, rights FROM rights WHERE rolname = 'regress_zcsync_reader' AND rights <> ''
	AND relname IN ('credentials', 'comments', 'changes', 'dead_letters', 'sync_queue', 'sync_records', 'lead_rows', 'lead_identities', 'installation', 'report_archive', 'conflicts', 'marks');
-- the others may write these
SELECT rights, string_agg(relname, ' ' ORDER BY relname) FROM rights WHERE rolname = 'regress_zcsync_operator' AND rights NOT IN ('', 'r') GROUP BY rights ORDER BY rights;
SELECT rights, string_agg(relname, ' ' ORDER BY relname) FROM rights WHERE rolname = 'regress_zcsync_admin' AND rights NOT IN ('', 'r') GROUP BY rights ORDER BY rights;
SELECT relname, rights FROM rights WHERE rolname IN ('regress_zcsync_operator', 'regress_zcsync_admin') AND rights <> '' AND relname IN ('credentials', 'report_archive');
-- nobody gets a trigger, a table to empty, months by their own name, or more
-- than the sequence of records
SELECT count(*) AS too_much FROM rights WHERE rights LIKE '%!%';
SELECT count(*) AS months FROM pg_class c, pg_roles r
WHERE c.relispartition AND c.relnamespace = 'zcsync'::regnamespace AND r.rolname LIKE 'regress_zcsync%' AND has_any_column_privilege(r.oid, c.oid, 'SELECT');
SELECT r.rolname, c.relname FROM pg_class c, pg_roles r
WHERE c.relkind = 'S' AND c.relnamespace = 'zcsync'::regnamespace AND r.rolname LIKE 'regress_zcsync%' AND has_sequence_privilege(r.oid, c.oid, 'USAGE, UPDATE');
-- a view that no list of sql/operate/roles.sql has
SELECT relname AS in_no_list FROM rights JOIN pg_class c USING (relname)
WHERE rolname = 'regress_zcsync_operator' AND rights = '' AND c.relkind = 'v' AND c.relnamespace = 'zcsync'::regnamespace ORDER BY 1;
-- documented functions that an operator may not call, and that an administrator may not
SELECT string_agg(p.proname, ' ' ORDER BY p.proname) AS not_for_operators FROM pg_proc p
WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname ~ '^(grant_|revoke_|allow_|remove_(account|stream)|drop_|stop$)' AND NOT has_function_privilege('regress_zcsync_operator', p.oid, 'EXECUTE');
SELECT string_agg(p.proname, ' ' ORDER BY p.proname) AS not_for_admins FROM pg_proc p
WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname !~ '^_' AND NOT has_function_privilege('regress_zcsync_admin', p.oid, 'EXECUTE');
-- what is called with the rights of the caller can be called by the caller: the names in
-- the texts of functions that are not SECURITY DEFINER, and of what these call
CREATE FUNCTION lacks(p_role text) RETURNS SETOF text LANGUAGE sql AS $$
	WITH RECURSIVE used AS (
		SELECT p.oid, p.proname, p.prosecdef, p.prosrc FROM pg_proc p
		WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname !~ '^_' AND has_function_privilege(p_role, p.oid, 'EXECUTE')
		UNION
		SELECT c.oid, c.proname, c.prosecdef, c.prosrc FROM used u, pg_proc c
		WHERE NOT u.prosecdef AND c.pronamespace = 'zcsync'::regnamespace AND u.prosrc LIKE '%zcsync.' || c.proname || '(%'
			-- texts for people and commands of jobs name these
			AND NOT (u.proname IN ('schedule_maintenance', 'unschedule_maintenance', '_maintenance_job') AND c.proname IN ('_maintain', 'maintain'))
			AND NOT (u.proname IN ('search', '_search_notices') AND c.proname IN ('_may_search_private', 'enable_search'))
			AND NOT (u.proname ~ '^(add_route|map_value|alter_route)$' AND c.proname IN ('check_route', 'resume_route', 'map_company')))
	SELECT DISTINCT proname::text FROM used WHERE NOT has_function_privilege(p_role, oid, 'EXECUTE') ORDER BY 1
$$;
SELECT * FROM lacks('regress_zcsync_reader');
SELECT * FROM lacks('regress_zcsync_operator');
SELECT * FROM lacks('regress_zcsync_admin');

-- What status tells people to run: tables and views that readers may not read, and
-- functions that operators may not call; there are none.
CREATE VIEW advisers AS SELECT p.proname, p.prosrc FROM pg_proc p
WHERE p.pronamespace = 'zcsync'::regnamespace AND (p.prorettype = 'zcsync.trouble'::regtype OR p.proname ~ '^(_check_.*|_account_states|_webhook_states|_row_holder|_database_trouble|_maintenance_job_trouble|_look_at_held)$');
SELECT DISTINCT p.proname, m.m[1] AS not_for_readers FROM advisers p, regexp_matches(p.prosrc, '''SELECT \* FROM zcsync\.([a-z][a-z_]*)\M(?!\()', 'g') AS m (m)
WHERE NOT has_table_privilege('regress_zcsync_reader', 'zcsync.' || m.m[1], 'SELECT') ORDER BY 1, 2;
SELECT DISTINCT a.proname, m.m[1] AS not_for_operators
FROM advisers a, regexp_matches(a.prosrc, '''(?:SELECT (?:\* FROM )?|CALL )zcsync\.([a-z][a-z_]*)\(', 'g') AS m (m), pg_proc p
WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname = m.m[1] AND NOT has_function_privilege('regress_zcsync_operator', p.oid, 'EXECUTE') ORDER BY 1, 2;
SELECT count(DISTINCT m.m[1]) > 5 AS tables, count(DISTINCT m.m[2]) > 12 AS functions
FROM advisers a, regexp_matches(a.prosrc, '''(?:SELECT (?:\* FROM )?|CALL )zcsync\.(?:([a-z][a-z_]*)\M(?!\()|([a-z][a-z_]*)\()', 'g') AS m (m);
DROP VIEW advisers;

-- Who may run what status says, and runs it: the reader what looks at something.
INSERT INTO zcsync.webhooks (account_id, path, created_at) SELECT account_id, repeat(name, 8), zcsync._now() - interval '3 days' FROM zcsync.accounts WHERE vendor = 'zendesk';
UPDATE zcsync.streams SET last_change_at = zcsync._now() - interval '1 hour', last_pull_at = zcsync._now() - interval '1 hour';
INSERT INTO zcsync.refused_deliveries (minute, account_id, source, reason, last_at) VALUES (zcsync._now(), zcsync.account('beta'), '192.0.2.1', 'no signature', zcsync._now());
INSERT INTO zcsync.doors (door, heard_at, spooled_since, spooled_bytes) VALUES ('web1', zcsync._now(), zcsync._now() - interval '1 hour', 100), ('web2', zcsync._now() - interval '1 hour', NULL, 0);
INSERT INTO zcsync.alerts (code, message) VALUES ('regress', 'something');
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at)
SELECT 4710, zcsync.account('acme'), 'ticket-sync', 'push', 'api', 'y', 'y', '{}', 50, 3, 'rejected', 'no', now();
CREATE VIEW looks AS SELECT format('SELECT %L AS said, count(x::text) >= 0 AS works FROM (%s) AS x', s.to_do, split_part(s.to_do, ';', 1)) AS look
FROM zcsync.status AS s WHERE s.to_do LIKE 'SELECT * FROM %' AND split_part(s.to_do, ';', 1) !~ '[(]' ORDER BY 1;
SELECT string_agg(look, '; ' ORDER BY look) || ';' AS looks FROM looks \gset
SET ROLE regress_zcsync_reader;
:looks
RESET ROLE;
DELETE FROM zcsync.alerts WHERE code = 'regress';
DELETE FROM zcsync.dead_letters WHERE job_id = 4710;
SET ROLE regress_zcsync_operator;
SELECT to_do FROM zcsync.status WHERE who = 'operator' AND to_do ~ '^SELECT zcsync[.]start' ORDER BY 1 \gexec
SELECT zcsync.remove_door('web2');
RESET ROLE;
SELECT zcsync.stop();
TRUNCATE zcsync.doors, zcsync.refused_deliveries, zcsync.webhooks;
UPDATE zcsync.streams SET last_change_at = NULL, last_pull_at = NULL;
DROP VIEW looks;

-- The reader reads what it may, with nothing that is private in it.
SET ROLE regress_zcsync_reader;
SELECT account, state FROM zcsync.status WHERE account <> '(all)' ORDER BY 1;
SELECT count(*) FROM zcsync.errors;
SELECT count(*) > 0 AS alerts_are_readable FROM zcsync.alerts UNION ALL SELECT count(*) > 0 FROM zcsync.queues;
SELECT reference, subject FROM zcsync.tickets_page() ORDER BY 1;
SELECT count(*) FROM zcsync.leads_page();
SELECT count(*) FROM zcsync.tickets_report();
-- it finds no record by a text that it may not read
SELECT kind, reference FROM zcsync.search('lead') ORDER BY 1, 2;
SELECT kind, reference FROM zcsync.search('private') ORDER BY 1, 2;
SELECT reference FROM zcsync.search('private', '{tickets}');
SELECT reference FROM zcsync.search('private', include_private => true);
SELECT zcsync.add_alert_target('mine', 'notify', '{"channel": "mine"}');
SELECT count(*) FROM zcsync.leads;
SELECT field_name, new FROM zcsync.history('acme/tickets/1') WHERE action = 'update';
SELECT count(*) AS private FROM zcsync.record_changes c WHERE to_jsonb(c)::text LIKE '%private%';
SELECT count(*) > 5 AS checks FROM zcsync.selfcheck();
SELECT description FROM zcsync.tickets;
SELECT remote FROM zcsync.tickets;
SELECT base FROM zcsync.leads;
SELECT * FROM zcsync.comments;
SELECT * FROM zcsync.credentials;
SELECT settings FROM zcsync.accounts;
SELECT payload FROM zcsync.sync_queue;
UPDATE zcsync.tickets SET subject = 'x';
SELECT zcsync.pause_account('acme');
SELECT zcsync.check_credentials();
SELECT zcsync.grant_reader('regress_zcsync_other');
CALL zcsync.maintain();
RESET ROLE;

-- The operator runs what status says.
SELECT zcsync.pause_queue('ticket-sync');
SELECT zcsync.pause_account('beta', 'for a while');
INSERT INTO zcsync.alerts (code, message) VALUES ('regress', 'something');
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at)
SELECT 4711, zcsync.account('acme'), 'ticket-sync', 'push', 'api', 'x', 'x', '{}', 50, 3, 'rejected', 'no', now();
SET ROLE regress_zcsync_operator;
SELECT account, state, to_do FROM zcsync.status WHERE state IN ('paused', 'alert') ORDER BY 1;
SELECT to_do FROM zcsync.status WHERE state = 'paused' ORDER BY account \gexec
SELECT account, state FROM zcsync.status WHERE state = 'paused';
SELECT message FROM zcsync.errors WHERE source = 'dead letter';
DELETE FROM zcsync.dead_letters WHERE job_id = 4711;
UPDATE zcsync.alerts SET resolved_at = now() WHERE code = 'regress';
SELECT count(*) > 0 AS documents_are_readable FROM zcsync.tickets WHERE description = 'private words' AND remote IS NOT NULL;
SELECT account, name, form FROM zcsync.check_credentials() ORDER BY 1, 2;
SELECT zcsync.set_credentials('acme', '{"client_id": "c", "client_secret": "s2"}');
SELECT item FROM zcsync.rotate_key() ORDER BY 1;
SELECT zcsync.add_account('gamma', 'local') > 0 AS gamma;
SELECT zcsync.pause_stream('acme/tickets');
SELECT zcsync.resume_stream('acme/tickets');
SELECT zcsync.alter_queue('ticket-sync', concurrency => 5);
SELECT count(*) > 3 AS did FROM zcsync.setup();
SELECT zcsync.create_partitions();
CALL zcsync.maintain();
CALL zcsync.run('1 ms');
SELECT zcsync.start();
SELECT kind, reference FROM zcsync.search('ticket -beta') ORDER BY 1, 2;
SELECT reference FROM zcsync.search('private', '{comments}');
SELECT reference FROM zcsync.search('private', '{comments}', include_private => true);
SELECT zcsync.add_alert_target('regress', 'notify', '{"channel": "regress"}') > 0 AS target;
SELECT ok, message FROM zcsync.test_alert('regress');
SELECT zcsync.alter_alert_target('regress', severity => 'critical'), zcsync.pause_alert_target('regress'), zcsync.resume_alert_target('regress');
SELECT zcsync.add_alert_rule('regress', 'lag', 10), zcsync.alter_alert_rule('regress', '{"warning": 20}'), zcsync.pause_alert_rule('regress');
SELECT zcsync.set_credentials_end('acme', '2030-01-01');
SELECT name, kind FROM zcsync.alert_targets;
SELECT count(*) FROM zcsync.alert_secrets;
SELECT zcsync.remove_alert_rule('regress'), zcsync.remove_alert_target('regress');
SELECT zcsync.release_held('acme'), zcsync.cancel_held('acme');
SELECT * FROM zcsync.credentials;
UPDATE zcsync.tickets SET subject = 'x';
UPDATE zcsync.alerts SET message = 'x';
SELECT zcsync.stop();
SELECT zcsync.remove_account('gamma');
SELECT zcsync.grant_operator('regress_zcsync_other');
CREATE TRIGGER x AFTER INSERT ON zcsync.tickets EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
CREATE TABLE zcsync.x ();
RESET ROLE;

-- The administrator does all of it, and gives others what it has.
SET ROLE regress_zcsync_admin;
SELECT zcsync.stop();
SELECT zcsync.remove_account('gamma');
UPDATE zcsync.tickets SET priority = 'high' WHERE remote_id = '2' AND account_id = zcsync.account('acme');
INSERT INTO zcsync.leads (account_id, last_name) VALUES (zcsync.account('crm'), 'Another');
UPDATE zcsync.lead_statuses SET closed = closed;
SELECT zcsync.grant_reader('regress_zcsync_other');
SELECT zcsync.revoke_reader('regress_zcsync_other');
SELECT * FROM zcsync.credentials;
SELECT zcsync._allow_delete();
DELETE FROM zcsync.accounts;
CREATE FUNCTION zcsync.x() RETURNS int LANGUAGE sql RETURN 1;
RESET ROLE;

-- ---------------------------------------------------------------------
-- Again and again, and what is not possible
-- ---------------------------------------------------------------------
SELECT zcsync.grant_reader('regress_zcsync_reader');
SELECT zcsync.grant_operator('regress_zcsync_reader');
SELECT zcsync.grant_reader('regress_zcsync_reader');
SELECT zcsync.revoke_reader('regress_zcsync_reader');
SELECT zcsync.revoke_operator('regress_zcsync_reader');
SELECT zcsync.revoke_operator('regress_zcsync_reader');
SELECT count(*) AS left_over FROM rights WHERE rolname = 'regress_zcsync_reader' AND rights <> '';
SELECT zcsync.grant_reader('regress_zcsync_reader');
SELECT zcsync.grant_reader('nobody there');
SELECT zcsync.grant_reader(NULL);
SELECT zcsync.grant_operator('zcsync_worker');
SELECT zcsync.grant_operator('regress_zcsync_other', 'acme');
SELECT zcsync.grant_admin('regress_zcsync_other', 'acme');
SELECT zcsync.grant_reader('regress_zcsync_other', 'nothing');
SELECT zcsync.grant_reader('regress_zcsync_reader', 'acme');
ALTER ROLE regress_zcsync_other BYPASSRLS;
SELECT zcsync.grant_reader('regress_zcsync_other', 'acme');
ALTER ROLE regress_zcsync_other NOBYPASSRLS;

-- What a later version brings, setup() grants; to a role that was made anew, nothing.
REVOKE EXECUTE ON FUNCTION zcsync.tickets_page FROM regress_zcsync_reader;
REVOKE SELECT ON zcsync.status FROM regress_zcsync_reader, regress_zcsync_operator;
SELECT zcsync.grant_reader('regress_zcsync_other');
DROP OWNED BY regress_zcsync_other;
SELECT FROM zcsync.setup();
SELECT has_table_privilege('regress_zcsync_reader', 'zcsync.status', 'SELECT') AS reader, has_table_privilege('regress_zcsync_operator', 'zcsync.status', 'SELECT') AS operator,
	has_table_privilege('regress_zcsync_other', 'zcsync.status', 'SELECT') AS other;
SELECT role, level FROM zcsync.role_grants ORDER BY 1;
-- a month that is made later is read with all others
INSERT INTO zcsync.leads (account_id, last_name, inserted_at) VALUES (zcsync.account('crm'), 'Old', '2020-02-10');
SELECT zcsync.create_lead_partitions();
SET ROLE regress_zcsync_reader;
SELECT last_name FROM zcsync.leads ORDER BY 1;
RESET ROLE;

-- ---------------------------------------------------------------------
-- Of one account
-- ---------------------------------------------------------------------
-- a role with grants of its own, whom nothing of this concerns
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_other;
GRANT SELECT, INSERT, UPDATE ON zcsync.tickets TO regress_zcsync_other;
SELECT zcsync.grant_reader($$regress zcsync's "one"$$, 'acme');
SET ROLE "regress zcsync's ""one""";
SELECT reference FROM zcsync.tickets_page() ORDER BY 1;
SELECT subject FROM zcsync.tickets ORDER BY 1;
SELECT name FROM zcsync.accounts;
SELECT count(*) FROM zcsync.leads;
SELECT field_name, new FROM zcsync.history('acme/tickets/1') WHERE action = 'update';
SELECT count(*) FROM zcsync.history('beta/tickets/1');
SELECT count(DISTINCT account_id) FROM zcsync.record_changes;
SELECT count(*) FROM zcsync.tickets_page(account => 'beta');
SELECT * FROM zcsync.status;
SELECT * FROM zcsync.errors;
SELECT description FROM zcsync.tickets;
SELECT zcsync.reference('tickets', 1);
RESET ROLE;
SET ROLE regress_zcsync_other;
SELECT count(*) FROM zcsync.tickets;
UPDATE zcsync.tickets SET type = 'question' WHERE remote_id = '2' RETURNING type;
RESET ROLE;
SET ROLE regress_zcsync_reader;
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
EXPLAIN (COSTS OFF) SELECT FROM zcsync.tickets WHERE account_id = 1 AND remote_id = '1';
-- other policies show it no more
CREATE POLICY regress_all ON zcsync.tickets FOR SELECT TO "regress zcsync's ""one""" USING (true);
SET ROLE "regress zcsync's ""one""";
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
DROP POLICY regress_all ON zcsync.tickets;
-- one more, one less
SELECT zcsync.grant_reader($$regress zcsync's "one"$$, 'beta');
SELECT zcsync.grant_reader($$regress zcsync's "one"$$, 'beta');
SET ROLE "regress zcsync's ""one""";
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
SELECT zcsync.revoke_reader($$regress zcsync's "one"$$, 'acme');
SELECT zcsync.revoke_reader($$regress zcsync's "one"$$, 'acme');
SELECT zcsync.revoke_reader('regress_zcsync_reader', 'acme');
SET ROLE "regress zcsync's ""one""";
SELECT count(*), min(subject) FROM zcsync.tickets;
RESET ROLE;
SELECT FROM zcsync.setup();
-- all accounts instead
SELECT zcsync.grant_reader($$regress zcsync's "one"$$);
SET ROLE "regress zcsync's ""one""";
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
SELECT zcsync.revoke_reader($$regress zcsync's "one"$$);
SELECT relname FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relrowsecurity;
SELECT polname FROM pg_policy;

-- row security that was there before stays, and hides from others what it did
ALTER TABLE zcsync.tickets ENABLE ROW LEVEL SECURITY;
SELECT zcsync.grant_reader($$regress zcsync's "one"$$, 'acme');
SET ROLE regress_zcsync_other;
SELECT count(*) FROM zcsync.tickets;
SET ROLE "regress zcsync's ""one""";
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
-- the last account of a reader is taken, or goes
SELECT zcsync.revoke_reader($$regress zcsync's "one"$$, 'acme');
SELECT relname FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relrowsecurity;
SELECT zcsync.add_account('delta', 'local') > 0 AS delta;
SELECT zcsync.grant_reader($$regress zcsync's "one"$$, 'delta');
SELECT zcsync.remove_account('delta');
SELECT FROM zcsync.setup();
SET ROLE "regress zcsync's ""one""";
SELECT count(*) FROM zcsync.tickets;
RESET ROLE;
SELECT zcsync.revoke_reader($$regress zcsync's "one"$$);
SELECT polname FROM pg_policy;

DROP VIEW rights;
DROP FUNCTION lacks;
DROP EXTENSION zcsync CASCADE;
DROP OWNED BY regress_zcsync_reader, regress_zcsync_operator, regress_zcsync_admin, regress_zcsync_other, "regress zcsync's ""one""";
DROP ROLE regress_zcsync_reader, regress_zcsync_operator, regress_zcsync_admin, regress_zcsync_other, "regress zcsync's ""one""";
