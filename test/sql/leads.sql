-- Leads: the table by month, who is who, mirrored and local ones, the ways in
-- for one lead or many.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres_verbose';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "gb"}');
SELECT zcsync.add_account('crm', 'local', '{"country": "GB"}') > 0 AS added;

-- Its stream came with it, is never read and always writable.
SELECT * FROM zcsync.add_stream('crm', 'leads');
SELECT s.kind, s.writes, s.state, s.next_pull_at FROM zcsync.streams s;
SELECT * FROM zcsync.alter_stream('crm/leads', writes => false);
SELECT zcsync.pause_stream('crm/leads');
SELECT zcsync.refresh('crm/leads');
SELECT zcsync._enqueue_due_pulls(), zcsync._next_due();
SELECT zcsync.remove_stream('crm/leads');
SELECT * FROM zcsync.add_stream('crm', 'leads', since => '2020-01-01');
SELECT * FROM zcsync.add_stream('crm', 'leads');
SELECT count(*) FROM zcsync.progress;
SELECT account, state FROM zcsync.status WHERE account = 'crm';

-- ---------------------------------------------------------------------
-- Months.  No row fails for want of one.
-- ---------------------------------------------------------------------
INSERT INTO zcsync.leads (account_id, email, inserted_at, created_at)
SELECT zcsync.account('crm'), 'm' || n || '@example.com', t, t
FROM unnest(ARRAY[now() - interval '1 month', now(), now() + interval '2 years', '1950-06-15', '9999-01-01']) WITH ORDINALITY AS x (t, n);
CREATE FUNCTION months() RETURNS TABLE (email text, default_partition boolean, right_month boolean)
LANGUAGE sql AS $$
	SELECT l.email, l.tableoid::regclass::text = 'zcsync.leads_default',
		l.tableoid::regclass::text = 'zcsync.leads_y' || to_char(l.inserted_at, 'YYYY"m"MM')
	FROM zcsync.leads l ORDER BY l.email
$$;
SELECT * FROM months();
-- those of a human life get their month, and the rows move
SELECT zcsync.create_lead_partitions();
SELECT zcsync.create_lead_partitions() AS again, zcsync.create_partitions() AS and_again;
SELECT * FROM months();
-- a month that goes and comes back
DO $$ BEGIN EXECUTE format('DROP TABLE zcsync.leads_y%s', to_char(now() + interval '1 month', 'YYYY"m"MM')); END $$;
INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'n1@example.com', now() + interval '1 month') RETURNING tableoid::regclass;
SELECT zcsync.create_lead_partitions();
SELECT count(*) FROM zcsync.leads_default;
UPDATE zcsync.leads SET inserted_at = now() WHERE email = 'm1@example.com';
-- the indexes have the names of old, on each month as well
CREATE VIEW seeds AS
SELECT i.indexrelid, i.indrelid, x.name, pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM unnest('{email,company,status,created_at,status_created,source_email,active}'::text[]) AS x (name)
LEFT JOIN pg_index i ON i.indexrelid = to_regclass('zcsync.idx_leads_' || x.name);
SELECT name, indrelid::regclass, predicate FROM seeds ORDER BY name;
SELECT DISTINCT s.indexrelid::regclass FROM seeds s
WHERE NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
	WHERE h.inhparent = s.indexrelid AND i.indrelid = to_regclass('zcsync.leads_y' || to_char(now(), 'YYYY"m"MM')));
DROP VIEW seeds;
-- a lead without a last name is found
INSERT INTO zcsync.leads (account_id, first_name, phone) VALUES (zcsync.account('crm'), 'Zebedee', '+441234567890');
SELECT first_name FROM zcsync.leads
WHERE to_tsvector('pg_catalog.english', coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(company, '')) @@ to_tsquery('zebedee');

-- ---------------------------------------------------------------------
-- Who is who
-- ---------------------------------------------------------------------
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'M1@Example.com ');
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'x@example.com'), (zcsync.account('crm'), 'X@example.com');
UPDATE zcsync.leads SET email = 'm2@example.com' WHERE email = 'm1@example.com';
-- what reaches nobody, or is none, names nobody
INSERT INTO zcsync.leads (account_id, email, email_status) VALUES (zcsync.account('crm'), 'm1@example.com', 'Unavailable'), (zcsync.account('crm'), 'none', NULL), (zcsync.account('crm'), 'none', NULL);
UPDATE zcsync.leads SET email_status = 'verified' WHERE email_status = 'Unavailable';
-- Gmail, and nobody else
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'A.da+x@googlemail.com'), (zcsync.account('crm'), 'a.da@example.com'), (zcsync.account('crm'), 'ada@example.com');
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'ada@gmail.com');
-- an address that is given up is free; two can be swapped
UPDATE zcsync.leads SET email = NULL WHERE email = 'm5@example.com';
UPDATE zcsync.leads SET email = 'm5@example.com' WHERE email = 'm4@example.com';
UPDATE zcsync.leads SET email = CASE email WHEN 'm1@example.com' THEN 'm2@example.com' ELSE 'm1@example.com' END
WHERE email IN ('m1@example.com', 'm2@example.com') AND email_status IS NULL;
SELECT i.kind, i.value, l.email FROM zcsync.lead_identities i JOIN zcsync.leads l USING (account_id, local_id) ORDER BY 1, 2;
INSERT INTO zcsync.leads (account_id, local_id, email) SELECT account_id, local_id, 'other@example.com' FROM zcsync.leads WHERE email = 'm1@example.com' AND email_status IS NULL;
-- a lead of a local account is in step, has a history and is sent nowhere
SELECT DISTINCT sync_state FROM zcsync.leads;
SELECT count(*) FROM zcsync.sync_queue;
SELECT local_id AS swapped FROM zcsync.leads WHERE email = 'm1@example.com' AND email_status IS NULL \gset
SELECT zcsync.reference('leads', :swapped) = 'crm/leads/#' || :swapped AS named, (zcsync.record('crm/leads/#' || :swapped)).kind;
SELECT action, field_name, old, new, cause FROM zcsync.history('crm/leads/#' || :swapped) WHERE field_name = 'email';
DELETE FROM zcsync.leads;
TRUNCATE zcsync.leads;

-- ---------------------------------------------------------------------
-- The mirror of a vendor's leads
-- ---------------------------------------------------------------------
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('psa', 'halopsa', '{"host": "psa.halopsa.com"}');
INSERT INTO zcsync.streams (account_id, kind, writes) VALUES (zcsync.account('psa'), 'leads', true);
CREATE FUNCTION page(p_rows jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT zcsync._take_page(zcsync.stream('psa/leads'), 'leads', ARRAY(SELECT zcsync._document_of(r) FROM jsonb_array_elements(p_rows) AS r), zcsync._origin_of('pull', 1)) $$;
SELECT page('[{"remote_id": "7", "remote_version": "2026-01-01T00:00:00Z", "vals": {"summary": "one", "email": "m1@example.com"}, "doc": {}},
	{"remote_id": "8", "remote_version": "2026-01-01T00:00:00Z", "vals": {"summary": "two", "email": "m1@example.com"}, "doc": {}}]');
SELECT page('[{"remote_id": "7", "remote_version": "2026-01-01T00:00:00Z", "vals": {"summary": "one", "email": "m1@example.com"}, "doc": {}}]') AS nothing_new;
SELECT remote_id, summary, sync_state FROM zcsync.leads WHERE account_id = zcsync.account('psa') ORDER BY 1;
SELECT i.kind, i.value, l.summary FROM zcsync.lead_identities i JOIN zcsync.leads l USING (account_id, local_id) WHERE i.account_id = zcsync.account('psa') ORDER BY 2;
-- three-way merge: one column edited here, another one there
UPDATE zcsync.leads SET summary = 'mine' WHERE remote_id = '7' AND account_id = zcsync.account('psa') RETURNING sync_state;
SELECT page('[{"remote_id": "7", "remote_version": "2026-01-02T00:00:00Z", "vals": {"summary": "one", "email": "m1@example.com", "title": "CTO"}, "doc": {}}]');
SELECT summary, title, sync_state FROM zcsync.leads WHERE remote_id = '7';
SELECT operation, queue, record_key LIKE 'leads/%' AS leads FROM zcsync.sync_queue;
UPDATE zcsync.leads SET remote_id = '7' WHERE remote_id = '8';
-- a record just created here that a page brought first
INSERT INTO zcsync.leads (account_id, summary) VALUES (zcsync.account('psa'), 'made here') RETURNING local_id AS made \gset
SELECT waiting, cardinality(documents) AS known FROM zcsync._release_remote_ids(zcsync.account('psa'), 'leads', ARRAY[:made]::bigint[], ARRAY['8']);
UPDATE zcsync.leads SET remote_id = '8', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE local_id = :made;
SELECT i.value, l.summary FROM zcsync.lead_identities i JOIN zcsync.leads l USING (account_id, local_id) WHERE i.kind = 'remote' ORDER BY 1;
SELECT zcsync.reference('leads', :made), zcsync._lock_rows(zcsync.account('psa'), 'leads', ARRAY[:made]::bigint[], true) = ARRAY[:made]::bigint[] AS locked;
SELECT zcsync.remove_account('psa', force => true);
SELECT count(*) FROM zcsync.lead_identities WHERE kind = 'remote';

-- ---------------------------------------------------------------------
-- Retention
-- ---------------------------------------------------------------------
INSERT INTO zcsync.leads (account_id, email, inserted_at) SELECT zcsync.account('crm'), 'old' || n || '@example.com', now() - n * interval '1 month' FROM generate_series(2, 4) AS n;
SELECT zcsync.create_lead_partitions();
SELECT more FROM zcsync._retire_leads(NULL, 2);
SET zcsync.lead_retention_months = 3;
SELECT state, more FROM zcsync._retire_leads(NULL, 10) \gset
SELECT more FROM zcsync._retire_leads(:'state', 10);
-- what is known of its leads goes before the month does, some at a time; until then nothing of this is in anybody's way
BEGIN;
INSERT INTO zcsync.leads (account_id, email, inserted_at) SELECT zcsync.account('crm'), 'older' || n || '@example.com', now() - interval '4 months' FROM generate_series(1, 3) AS n;
SELECT local_id AS edited FROM zcsync.leads WHERE email = 'older1@example.com' \gset
CREATE VIEW known AS SELECT count(*) FILTER (WHERE value LIKE 'old%') AS identities, (SELECT count(*) FROM zcsync.leads WHERE email LIKE 'old%') AS leads,
	(SELECT count(*) FROM pg_locks WHERE relation = 'zcsync.leads'::regclass AND mode = 'AccessExclusiveLock') AS locks FROM zcsync.lead_identities;
SELECT * FROM known;
SELECT state, more FROM zcsync._retire_leads(NULL, 1) \gset
SELECT state, more FROM zcsync._retire_leads(:'state', 1) \gset
SELECT :'more' AS more, known.* FROM known;
-- somebody edits a lead that is forgotten already, and one that is not
UPDATE zcsync.leads SET email = 'old-new' || local_id || '@example.com' WHERE email LIKE 'older%' OR email = 'old4@example.com';
SELECT * FROM known;
SELECT state, more FROM zcsync._retire_leads(:'state', 2) \gset
SELECT :'more' AS more, known.* FROM known;
SELECT state, more FROM zcsync._retire_leads(:'state', 2) \gset
SELECT :'more' AS more, identities, leads, locks > 0 AS locked FROM known;
SELECT count(*) AS rows FROM zcsync.lead_rows WHERE local_id = :edited;
ROLLBACK;
CALL zcsync.maintain();
SELECT email FROM zcsync.leads WHERE email LIKE 'old%' ORDER BY 1;
SELECT value FROM zcsync.lead_identities WHERE value LIKE 'old%' ORDER BY 1;
SELECT to_regclass('zcsync.leads_y1950m06') AS first, count(*) FROM zcsync.leads_y1950m06;
-- and dropped
SET zcsync.lead_retention_months = 2;
SET zcsync.lead_retention_action = 'drop';
CALL zcsync.maintain();
SELECT email FROM zcsync.leads WHERE email LIKE 'old%' ORDER BY 1;
SELECT to_regclass('zcsync.leads_y' || to_char(now() - interval '3 months', 'YYYY"m"MM')) AS dropped;
RESET zcsync.lead_retention_months;
RESET zcsync.lead_retention_action;

-- ---------------------------------------------------------------------
-- Sources
-- ---------------------------------------------------------------------
SELECT name, precedence, groups FROM zcsync.lead_sources ORDER BY precedence;
CREATE VIEW phones AS
SELECT p, zcsync._phone_key(p, 'GB') AS gb, zcsync._phone_key(p, 'US') AS us, zcsync._phone_key(p, NULL) AS nowhere
FROM unnest(ARRAY['+1 (415) 555-2671', '(415) 555-2671 ext. 12', '020 7946 0958', '''+44 (0)20 7946 0958', '0044 20 7946 0958', '011 44 20 7946 0958', '123', '020 7946 0958 x99',
	'4.42E+11', '1-800-FLOWERS', '020 7946 0958 / 020 7946 0959', 'tel:+49-30-123456', '+1 555', '', NULL]) AS p;
SELECT * FROM phones;
SELECT zcsync._phone_key('06 12345678', 'IT') AS italy, zcsync._phone_key('8 912 345-67-89', 'RU') AS russia, zcsync._phone_key('030 123456', 'DE') AS germany;
SELECT c, zcsync._company_key(c) FROM unnest(ARRAY['Example Ltd', 'EXAMPLE, Inc.', 'Example GmbH & Co. KG', 'The Example Company', 'Acme S.p.A.', 'Foo Sp. z o.o.', 'The Co', 'Johnson & Johnson', 'Müller AG', '日本株式会社', 'Foo A/S', ' ', NULL]) AS c;
SELECT e, zcsync._email_key(e) FROM unnest(ARRAY[' Ada.L+x@GMail.com ', 'a.b+c@example.com', 'a@b', 'foo@@x.com', 'a b@x.com', 'a@1.2.3.4', 'ü@münchen.de', '@example.com', repeat('a', 65) || '@example.com', NULL]) AS e;
SELECT w, zcsync._domain_key(w) FROM unnest(ARRAY['https://www.Example.com/path?x', 'example.co.uk', 'foo', 'http://user@x.example.com:8080', '1.2.3.4', NULL]) AS w;
SELECT n, zcsync._number_of(n) FROM unnest(ARRAY['1,234', '51-200', '$1.2M', '5000+', '10K', 'many', '100 USD', NULL]) AS n;

-- what the vendors' interfaces send
SELECT jsonb_pretty(zcsync._normalise_lead('apollo', '{"person": {"id": "p1", "first_name": "Ada", "last_name": "Lovelace", "email": "Ada@Example.com", "email_status": "verified",
	"country": "United States", "organization": {"name": "Example, Inc.", "phone": "+1 415-555-0000", "website_url": "http://www.example.com", "estimated_num_employees": 120},
	"contact": {"id": "c1", "phone_numbers": [{"raw_number": "(415) 555-2671", "sanitized_number": "+14155552671", "type": "mobile"}, {"sanitized_number": "+14155550000", "type": "work_hq"}]}}}'));
SELECT zcsync._normalise_lead('apollo', '{"name": "Ada Lovelace", "organization_name": "Example", "phone_numbers": [{"sanitized_number": "+14155552671"}]}');
SELECT jsonb_pretty(zcsync._normalise_lead('zoominfo', '{"data": [{"id": "77", "type": "Contact", "attributes": {"firstName": "Bob", "lastName": "X", "email": "bad", "phone": "(415) 555-1111",
	"directPhoneDoNotCall": true, "company": {"name": "X LLC", "primaryIndustry": ["Retail"], "revenue": "1,000"}, "lastUpdatedDate": "1/5/2020 2:59 PM", "contactAccuracyScore": 97}}]}', 'US'));
-- and the headers of their exports
SELECT zcsync._normalise_lead('zoominfo', '{"ZoomInfo Contact ID": "5", "First Name": "Bob", "Last Name": "X", "Mobile phone": "(415) 555-1111", "Mobile Phone Do Not Call": "false", "Company HQ Phone": "(415) 555-0000",
	"Email Address": "bob@example.com", "Revenue (in 000s USD)": "2,500", "Country": "United States", "Company Name": "X"}');
SELECT zcsync._normalise_lead('apollo', '{"First Name": "Ann", "Corporate Phone": "''+1 415-555-0000", "Email": "email_not_unlocked@domain.com", "Email Status": "Unavailable", "Company": "X", "# Employees": "11-50"}');
-- e-mails that reach nobody are kept and name nobody
SELECT zcsync._normalise_lead('apollo', '{"email": "a@example.com", "email_status": "invalid"}');
SELECT r ->> 'error' FROM unnest(ARRAY[
	zcsync._normalise_lead('csv', '{"Full Name": "Doe, Jane", "E-mail": "nope"}'), zcsync._normalise_lead('csv', '{"Phone": "123"}'), zcsync._normalise_lead('csv', '{}'),
	zcsync._normalise_lead('csv', '[]'), zcsync._normalise_lead('csv', NULL)]) AS r;
SELECT length(zcsync._normalise_lead('csv', jsonb_build_object('email', 'a@example.com', 'title', repeat('é', 100000))) #>> '{values,title}');

-- a new source is a row
INSERT INTO zcsync.lead_sources (name, precedence, id_field, field_map) VALUES ('fair', 35, 'Badge',
	'{"name": ["Visitor"], "email": ["E-Mail", "contact.mail"], "company": ["Exhibitor"], "custom:hall": ["Hall"]}');
SELECT zcsync._normalise_lead('fair', '{"Badge": 17, "Visitor": "Jean-Luc de la Tour", "contact": {"mail": "jl@example.com"}, "Exhibitor": "X", "Hall": "3b"}');
INSERT INTO zcsync.lead_sources (name, field_map) VALUES ('bad', '{"emial": ["E-Mail"]}');
INSERT INTO zcsync.lead_sources (name, field_map) VALUES ('bad', '{"email": "E-Mail"}');
INSERT INTO zcsync.lead_sources (name, groups) VALUES ('bad', '{"phon": 1}');
\set VERBOSITY terse
INSERT INTO zcsync.lead_sources (name) VALUES ('email');
\set VERBOSITY default

-- ---------------------------------------------------------------------
-- One lead, and many
-- ---------------------------------------------------------------------
CREATE FUNCTION lead_of(reference text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', first_name, last_name, phone, custom_fields ->> 'hall') FROM zcsync.leads l, zcsync.record($1) r WHERE l.local_id = r.local_id $$;
SELECT lead_of(s.lead), s.result FROM zcsync.sync_lead('fair', '{"Badge": 17, "Visitor": "Jean-Luc Tour", "E-Mail": "jl@example.com", "Hall": "3b"}') AS s;
SELECT lead_of(s.lead), s.result FROM zcsync.sync_lead('fair', '{"Badge": 17, "Visitor": "Jean-Luc Tour", "E-Mail": "jl@example.com", "Hall": "3b"}') AS s;
SELECT lead_of(s.lead), s.result FROM zcsync.sync_lead('csv', '{"email": "JL@example.com", "phone": "020 7946 0958"}', account => 'crm') AS s;
SELECT * FROM zcsync.sync_lead('csv', '{"Full Name": "Nobody"}');
SELECT * FROM zcsync.sync_lead('nix', '{}');
SELECT * FROM zcsync.sync_lead(NULL, '{}');
SELECT * FROM zcsync.sync_lead('csv', NULL);
-- 99 arrive, one is a readable error
SELECT ok, result, error, count(*), min(index) FROM zcsync.sync_leads('csv', (
	SELECT jsonb_agg(jsonb_build_object('email', CASE WHEN n = 50 THEN 'broken' ELSE 'b' || n || '@batch.example.com' END)) FROM generate_series(1, 100) AS n))
GROUP BY 1, 2, 3 ORDER BY 1;
SELECT count(*) FROM zcsync.leads WHERE email LIKE '%@batch.example.com';
SELECT count(*) FROM zcsync.sync_leads('csv', (SELECT jsonb_agg(jsonb_build_object('email', 'c' || n || '@example.com')) FROM generate_series(1, 101) AS n));
SET zcsync.lead_batch_max = 2;
SELECT * FROM zcsync.sync_leads('csv', '[{}, {}, {}]');
RESET zcsync.lead_batch_max;
SELECT regexp_replace(jsonb_pretty(zcsync.sync_leads_json('csv', '[{"email": "j1@example.com", "Employees": "lots"}, {"email": "nope"}, 7, {"email": "J1@example.com"}]')), '#\d+', '#N', 'g');
SELECT zcsync.sync_leads_json('csv', '[]');
SELECT * FROM zcsync.sync_leads('csv', '{}');
SELECT * FROM zcsync.sync_leads('csv', NULL);
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk');
SELECT * FROM zcsync.sync_leads('csv', '[]', account => 'acme');
SELECT * FROM zcsync.sync_leads('csv', '[]', account => 'nix');
SELECT zcsync.add_account('sales', 'local') > 0 AS second;
SELECT * FROM zcsync.sync_leads('csv', '[]');
-- the same e-mail in another account is another lead
SELECT result FROM zcsync.sync_lead('csv', '{"email": "jl@example.com"}', account => 'sales');
-- what a source writes twice in a transaction is the source's both times
BEGIN;
SELECT result FROM zcsync.sync_lead('csv', '{"email": "twice@example.com", "phone": "020 7946 0001"}', account => 'sales');
SELECT result FROM zcsync.sync_lead('csv', '{"email": "twice@example.com", "phone": "020 7946 0002"}', account => 'sales');
SELECT h.action, h.old, h.new, h.cause, l.provenance #>> '{phone,source}' AS from
FROM zcsync.leads l CROSS JOIN zcsync.history(zcsync.reference('leads', l.local_id), 'phone') h
WHERE l.email = 'twice@example.com' ORDER BY h.action;
ROLLBACK;

-- a text that no index can hold is cut, whoever writes it
SELECT string_agg(md5(i::text), '') AS long FROM generate_series(1, 2000) AS i \gset
SELECT string_agg(md5(i::text), ' ') AS words FROM generate_series(1, 60000) AS i \gset
INSERT INTO zcsync.leads (account_id, email, company, source, title) VALUES (zcsync.account('sales'), :'long', :'long', :'long', :'long');
SELECT length(email), length(company), length(source), length(title), company = left(:'long', 500) AS cut, provenance #>> '{company,source}' AS from
FROM zcsync.leads WHERE account_id = zcsync.account('sales') AND title IS NOT NULL;
INSERT INTO zcsync.leads (account_id, first_name, last_name, company) VALUES (zcsync.account('sales'), :'words', :'words', 'Words');
UPDATE zcsync.leads SET company = :'words' WHERE company = 'Words';
SELECT length(l.first_name), length(l.last_name), length(l.company), r.vals ->> 'company' = l.company AS same
FROM zcsync.leads l JOIN zcsync.lead_rows r USING (local_id) WHERE l.first_name LIKE 'c4ca%';
UPDATE zcsync.leads SET company = repeat('é', 500) WHERE first_name LIKE 'c4ca%';
SELECT length(company) FROM zcsync.leads WHERE first_name LIKE 'c4ca%';
INSERT INTO zcsync.accounts (name, vendor) VALUES ('psa', 'halopsa');
INSERT INTO zcsync.streams (account_id, kind, writes) VALUES (zcsync.account('psa'), 'leads', true);
INSERT INTO zcsync.leads (account_id, summary, company) VALUES (zcsync.account('psa'), 'long', :'long');
SELECT length(company), sync_state FROM zcsync.leads WHERE summary = 'long';

SELECT zcsync.remove_account('crm');
SELECT zcsync.remove_account('crm', force => true);
SELECT zcsync.remove_account('sales', force => true);
SELECT count(*) FROM zcsync.lead_identities;
DROP EXTENSION zcsync CASCADE;
DROP FUNCTION months, page, lead_of;
DROP SCHEMA zcsync_intake;
