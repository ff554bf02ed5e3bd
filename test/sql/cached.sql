-- Documents that zcsync keeps in the cache, who may have them, and warming.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.cache_clear();
SELECT zcsync.add_account('crm', 'local', '{"country": "DE"}') > 0 AS added;
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}');
INSERT INTO zcsync.leads (account_id, first_name, email, company)
SELECT zcsync.account('crm'), n, n || '@' || c || '.example', c FROM (VALUES ('Ann', 'Acme'), ('Bob', 'Acme'), ('Cat', 'Beta')) AS v (n, c);
CREATE FUNCTION read_fields(names text[]) RETURNS void LANGUAGE sql AS
$$ INSERT INTO zcsync.fields (account_id, remote_id, name, type, options, sync_cause, sync_xid)
	SELECT zcsync.account('acme'), n, 'Field ' || n, 'text', NULL, 'pull', pg_current_xact_id() FROM unnest(names) AS n $$;
SELECT read_fields('{1}');
-- what was asked of the cache since the last time
CREATE TABLE seen AS SELECT hits, misses, puts FROM zcsync.stat_cache;
CREATE FUNCTION since() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_now record;
	v_then seen;
BEGIN
	SELECT hits, misses, puts INTO v_now FROM zcsync.stat_cache;
	SELECT * INTO v_then FROM seen;
	UPDATE seen SET (hits, misses, puts) = (v_now.hits, v_now.misses, v_now.puts);
	RETURN format('hits %s, misses %s, puts %s', v_now.hits - v_then.hits, v_now.misses - v_then.misses, v_now.puts - v_then.puts);
END $$;

-- ---------------------------------------------------------------------
-- The documents
-- ---------------------------------------------------------------------
SELECT l ->> 'first_name' AS name, l ->> 'company' AS company FROM jsonb_array_elements(zcsync.cached('recent_leads')) AS l ORDER BY 1;
SELECT c ->> 'company' AS company, c ->> 'leads' AS leads FROM jsonb_array_elements(zcsync.cached('top_companies')) AS c;
SELECT zcsync.cached('custom_fields', 'acme');
SELECT since();
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads, jsonb_array_length(zcsync.cached('top_companies')) AS companies,
	jsonb_array_length(zcsync.cached('custom_fields', 'acme')) AS fields;
SELECT since();
SELECT zcsync.cached('other');
SELECT zcsync.cached('custom_fields');
SELECT zcsync.cached('recent_leads', 'acme');
SELECT zcsync.cached('custom_fields', 'nobody');

-- a list of leads may be old until its time is over or it is made anew; a catalogue is as new as the mirror
INSERT INTO zcsync.leads (account_id, first_name, email) VALUES (zcsync.account('crm'), 'Dan', 'dan@gamma.example');
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads;
SELECT read_fields('{2}');
SELECT jsonb_array_length(zcsync.cached('custom_fields', 'acme')) AS fields;
UPDATE zcsync.fields SET deleted_at = now(), sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '1';
SELECT jsonb_array_length(zcsync.cached('custom_fields', 'acme')) AS fields;
SELECT * FROM zcsync.warm_cache();
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads;
SELECT since();

-- ---------------------------------------------------------------------
-- Who may have them
-- ---------------------------------------------------------------------
CREATE ROLE regress_cached_app;
CREATE ROLE regress_cached_other;
GRANT USAGE ON SCHEMA zcsync TO regress_cached_app, regress_cached_other;
GRANT SELECT ON zcsync.leads, zcsync.fields TO regress_cached_app;
GRANT SELECT (account_id, name) ON zcsync.accounts TO regress_cached_app;
GRANT EXECUTE ON FUNCTION zcsync.cached, zcsync.account, zcsync.recent_leads, zcsync.top_companies, zcsync._check_rows, zcsync._fold,
	zcsync._cached_documents, zcsync._cached_document, zcsync._make_document, zcsync._sees_all_rows, zcsync._caller
	TO regress_cached_app, regress_cached_other;
SET ROLE regress_cached_app;
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads, jsonb_array_length(zcsync.cached('custom_fields', 'acme')) AS fields;
SELECT zcsync.cache_get('zcsync:recent_leads');
RESET ROLE;
SELECT since();
-- who may not read the table has the list in no way
SET ROLE regress_cached_other;
SELECT zcsync.cached('recent_leads');
SELECT zcsync._cached_document('recent_leads', NULL);
RESET ROLE;
-- through a function of somebody who may, each has what that one has
CREATE FUNCTION leads_for_all() RETURNS integer LANGUAGE sql SECURITY DEFINER AS $$ SELECT jsonb_array_length(zcsync.cached('recent_leads')) $$;
SET ROLE regress_cached_other;
SELECT leads_for_all();
RESET ROLE;
SELECT since();
-- with row-level security each has a list of its own, and nobody that of another
ALTER TABLE zcsync.leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON zcsync.leads TO regress_cached_app USING (first_name = 'Ann');
SET ROLE regress_cached_app;
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads;
SELECT zcsync._cached_document('recent_leads', NULL);
RESET ROLE;
SELECT jsonb_array_length(zcsync.cached('recent_leads')) AS leads;
SELECT since();

DROP FUNCTION read_fields, since, leads_for_all;
DROP TABLE seen;
DROP EXTENSION zcsync CASCADE;
DROP OWNED BY regress_cached_app, regress_cached_other;
DROP ROLE regress_cached_app, regress_cached_other;
