-- Which leads are one: identities, resemblance, merging, and what people decide.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA tools;
CREATE EXTENSION pg_trgm SCHEMA tools;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "DE"}') IS NOT NULL AS added;
-- where several sources are equal, the newest wins
INSERT INTO zcsync.lead_sources (name, precedence, id_field, field_map)
SELECT 'fair', 40, 'id', s.field_map FROM zcsync.lead_sources s WHERE s.name = 'csv';

-- take rows; a lead is shown by the order in which leads were made
CREATE FUNCTION lead_no(bigint) RETURNS bigint LANGUAGE sql AS
$$ SELECT n FROM (SELECT local_id, row_number() OVER (ORDER BY local_id) AS n FROM zcsync.leads) AS l WHERE local_id = $1 $$;
CREATE FUNCTION ref(n bigint) RETURNS text LANGUAGE sql AS
$$ SELECT zcsync.reference('leads', local_id) FROM zcsync.leads WHERE lead_no(local_id) = n $$;
CREATE FUNCTION take(source text, VARIADIC docs jsonb[]) RETURNS TABLE (index integer, result text, lead bigint, via text, error text) LANGUAGE sql AS
$$ SELECT t.index, t.result, lead_no(t.lead_id), t.detail ->> 'via', t.error
	FROM zcsync._take_leads(zcsync.account('crm'), source, zcsync._normalise_leads(source, docs, 'DE')) AS t ORDER BY 1 $$;
CREATE VIEW shown AS
SELECT lead_no(local_id) AS lead, first_name, last_name, email, company, title, phone, source, lead_no(merged_into) AS merged_into
FROM zcsync.leads ORDER BY local_id;
CREATE VIEW pairs AS
SELECT lead_no(lead_a) AS a, lead_no(lead_b) AS b, score, reason, state FROM zcsync.lead_duplicates ORDER BY 1, 2;
CREATE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	PERFORM zcsync._allow_delete();
	DELETE FROM zcsync.leads;
	DELETE FROM zcsync.lead_rows;
	DELETE FROM zcsync.lead_identities;
	DELETE FROM zcsync.lead_duplicates;
	DELETE FROM zcsync.lead_merges;
END $$;

-- ---------------------------------------------------------------------
-- Identity
-- ---------------------------------------------------------------------

-- one e-mail is one lead, within a call and after it
SELECT * FROM take('csv',
	'{"first_name": "Ann", "last_name": "Lee", "email": "ann@acme.de", "company": "Acme GmbH"}',
	'{"first_name": "Bob", "last_name": "Ray", "email": "bob@acme.de", "company": "Acme GmbH"}',
	'{"first_name": "Anna", "email": "ANN@acme.de ", "title": "CEO"}',
	'{"first_name": "Nobody"}');
SELECT * FROM take('csv', '{"last_name": "Lee-Fox", "email": "ann@acme.de"}');
SELECT * FROM shown;
-- the same again writes nothing
CREATE TABLE before AS SELECT local_id, xmin::text AS writer FROM zcsync.leads;
SELECT * FROM take('csv', '{"last_name": "Lee-Fox", "email": "ann@acme.de"}', '{"first_name": "Bob", "last_name": "Ray", "email": "bob@acme.de", "company": "Acme GmbH"}');
SELECT count(*) AS untouched FROM zcsync.leads l JOIN before b ON l.local_id = b.local_id AND l.xmin::text = b.writer;
-- what was said before something else is news again, except from a file
SELECT result FROM zcsync._take_leads(zcsync.account('crm'), 'csv',
	zcsync._normalise_leads('csv', ARRAY['{"first_name": "Anna", "email": "ANN@acme.de ", "title": "CEO"}'::jsonb]), true);
SELECT * FROM take('csv', '{"first_name": "Ann", "last_name": "Lee", "email": "ann@acme.de", "company": "Acme GmbH"}');
SELECT * FROM shown WHERE lead = 1;

-- the id of a source, with and without e-mail; another e-mail is another lead
SELECT * FROM take('apollo', '{"id": "7", "first_name": "Cy", "last_name": "Orr", "organization_name": "Orr"}');
SELECT * FROM take('apollo', '{"id": "7", "first_name": "Cyrus", "last_name": "Orr", "email": "cy@orr.de"}');
SELECT * FROM take('apollo', '{"id": "7", "first_name": "Cyrus", "last_name": "Orr", "email": "cyrus@neworr.de"}');
SELECT * FROM shown WHERE lead >= 3;
SELECT * FROM pairs;
-- two leads that turn out to be one
SELECT * FROM take('apollo', '{"id": "8", "first_name": "Di", "last_name": "Fox", "organization_name": "Fox"}');
SELECT * FROM take('csv', '{"first_name": "Diana", "last_name": "Fox", "email": "di@fox.de"}');
SELECT * FROM take('apollo', '{"id": "8", "title": "CTO", "email": "di@fox.de"}');
SELECT * FROM shown WHERE lead >= 5;
SELECT kind, value, lead_no(local_id) AS lead FROM zcsync.lead_identities WHERE lead_no(local_id) >= 5 ORDER BY 1, 2;

-- ---------------------------------------------------------------------
-- Resemblance
-- ---------------------------------------------------------------------

SELECT forget();
SELECT * FROM take('apollo',
	'{"id": "1", "first_name": "Johannes", "last_name": "Steinbrecher", "email": "js@werk.de", "organization_name": "Werk GmbH", "title": "Buyer"}',
	'{"id": "2", "first_name": "Maria", "last_name": "Winter", "organization_name": "Eis AG", "direct_phone": "030 1234567"}');
SELECT * FROM take('zoominfo',
	-- name and company, no e-mail, the same domain: one lead
	'{"id": "a", "firstName": "Johannes", "lastName": "Steinbrecher", "company": {"name": "WERK", "website": "www.werk.de"}}');
SELECT * FROM take('zoominfo',
	-- the same without domain or title: flagged
	'{"id": "b", "firstName": "Johannes", "lastName": "Steinbrecher", "company": {"name": "Werk Ltd."}}',
	-- the same with an e-mail of its own: flagged
	'{"id": "c", "firstName": "Johannes", "lastName": "Steinbrecher", "email": "johannes@werk.de", "company": {"name": "Werk", "website": "werk.de"}}',
	-- a phone of one's own
	'{"id": "d", "firstName": "Maria", "lastName": "Winter", "phone": "+49 30 1234567"}',
	-- a name that is much like another
	'{"id": "e", "firstName": "Mario", "lastName": "Winter", "phone": "+49 30 1234567", "company": {"name": "Eis"}}');
SELECT * FROM shown;
SELECT * FROM pairs;
SELECT lead_no(kept_id) AS lead, score, reason, jsonb_path_query_array(parts, '$.*.part') AS parts FROM zcsync.lead_merges ORDER BY merge_id;
-- e-mails that are alike are no e-mail in common
SELECT * FROM take('csv', '{"name": "Maria Winter", "email": "m.winter@eis.de", "company": "Eis"}', '{"name": "Maria Winter", "email": "maria.winter@eis.de", "company": "Eis"}');
SELECT count(*) FROM zcsync.leads WHERE email LIKE '%winter@eis.de';
-- like two leads that have e-mails: with neither
SELECT result FROM take('csv', '{"name": "Otto Sommer", "email": "otto@heiss.de", "company": "Heiss"}', '{"name": "Otto Sommer", "email": "os@heiss.de", "company": "Heiss"}');
SELECT * FROM take('fair', '{"name": "Otto Sommer", "company": "Heiss", "website": "heiss.de"}');
SELECT * FROM pairs WHERE b = 10;

-- a switchboard is nobody's
SELECT forget();
SELECT count(*), min(t.result), max(t.result) FROM zcsync._take_leads(zcsync.account('crm'), 'csv', zcsync._normalise_leads('csv', ARRAY(
	SELECT jsonb_build_object('name', 'Worker ' || md5(g::text), 'phone', '+49 30 9900 990', 'company', 'Big', 'website', 'big.de')
	FROM generate_series(1, 300) AS g))) AS t;
SELECT count(*) FROM zcsync.leads;
SELECT * FROM pairs;
-- nor does it join two of one name
SELECT result FROM take('csv', '{"name": "Jo Ho", "phone": "+49 30 9900 990", "email": "jo1@x.de"}', '{"name": "Jo Ho", "phone": "+49 30 9900 990"}');
-- nor is that of a company of the mirror, however it is written there
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('halo', 'halopsa', '{"host": "acme.halopsa.com"}');
INSERT INTO zcsync.companies (account_id, remote_id, name, phone, sync_state, sync_cause, sync_xid)
VALUES (zcsync.account('halo'), '12', 'Kern', '(0) 30 / 5550-1234', 'synced', 'pull', pg_current_xact_id());
SELECT result FROM take('csv', '{"name": "Max Kern", "phone": "+49 30 5550 1234"}', '{"name": "Max Kern", "phone": "+49 30 5550 1234", "city": "Ulm"}',
	'{"name": "Moritz Korn", "phone": "+49 30 5550 9999"}', '{"name": "Moritz Korn", "phone": "+49 30 5550 9999", "city": "Ulm"}');

-- ---------------------------------------------------------------------
-- Values
-- ---------------------------------------------------------------------

SELECT forget();
SELECT result FROM take('csv', '{"name": "Eve Low", "email": "eve@low.de", "phone": "030 111111", "title": "Owner", "city": "Ulm", "company": "Low"}');
SELECT result FROM take('apollo', '{"id": "1", "first_name": "Eva", "last_name": "Low", "email": "eve@low.de", "direct_phone": "030 222222", "organization_name": "Low AG"}');
SELECT result FROM take('zoominfo', '{"id": "1", "firstName": "Evi", "email": "eve@low.de", "phone": "030 333333", "company": {"name": "Low SE"}, "mobilePhone": "0170 1234567", "mobilePhoneDoNotCall": true}');
-- a source that comes later with less takes nothing away, and cannot allow calls again
SELECT result FROM take('zoominfo', '{"id": "1", "firstName": "Evi", "email": "eve@low.de"}');
SELECT result FROM take('csv', '{"email": "eve@low.de", "do_not_call": "no", "city": ""}');
SELECT first_name, last_name, phone, mobile, company, title, city, do_not_call, source FROM zcsync.leads;
SELECT p.key, p.value ->> 'source' AS source, r.source = p.value ->> 'source' AS row_is_of_it
FROM zcsync.leads l, jsonb_each(l.provenance) p LEFT JOIN zcsync.lead_rows r ON r.row_id = (p.value ->> 'row')::bigint ORDER BY 1;
-- what people write comes first, what they empty stays empty
UPDATE zcsync.leads SET first_name = 'Evelyn', title = NULL;
SELECT result FROM take('apollo', '{"id": "1", "first_name": "Eva", "last_name": "Lowe", "email": "eve@low.de", "title": "CFO"}');
SELECT first_name, last_name, title, provenance #>> '{first_name,source}' AS source FROM zcsync.leads;
-- of two equal sources the newer, by its own time where it has one
SELECT result FROM take('csv', '{"email": "t@t.de", "city": "Bonn", "updated_at": "2026-03-01"}');
SELECT result FROM take('fair', '{"email": "t@t.de", "city": "Köln", "updated_at": "2026-02-01"}');
SELECT city FROM zcsync.leads WHERE email = 't@t.de';
SELECT result FROM take('fair', '{"email": "t@t.de", "city": "Trier", "updated_at": "2026-04-01"}');
SELECT city FROM zcsync.leads WHERE email = 't@t.de';

-- ---------------------------------------------------------------------
-- Decisions
-- ---------------------------------------------------------------------

SELECT forget();
SELECT * FROM take('apollo', '{"id": "1", "first_name": "Kim", "last_name": "Long", "email": "kim@long.de", "organization_name": "Long"}',
	'{"id": "2", "first_name": "Kim", "last_name": "Long", "email": "kim.long@long.de", "organization_name": "Long", "city": "Jena"}',
	'{"id": "3", "first_name": "Lu", "last_name": "Rau", "email": "lu@rau.de"}');
SELECT * FROM pairs;
SELECT item, value = ref(1) AS first FROM zcsync.merge_leads(ref(1), ref(2));
SELECT * FROM pairs;
SELECT lead, email, merged_into FROM shown;
SELECT city FROM zcsync.leads WHERE merged_into IS NULL AND last_name = 'Long';
-- both e-mails are that lead now
SELECT result, lead FROM take('csv', '{"email": "kim.long@long.de", "title": "CEO"}');
SELECT * FROM zcsync.merge_leads(ref(2), ref(3));
-- undone: both as they were, and never merged or flagged again
SELECT item, value IN (ref(1), ref(2)) AS known FROM zcsync.split_lead(ref(1));
SELECT lead, email, title, merged_into FROM shown;
SELECT * FROM pairs;
SELECT kind, value, lead_no(local_id) AS lead FROM zcsync.lead_identities ORDER BY 1, 2;
SELECT result, lead FROM take('fair', '{"id": "f", "name": "Kim Long", "email": "kim@long.de", "company": "Long"}', '{"name": "Kim Long", "email": "kim.long@long.de", "company": "Long"}');
SELECT * FROM pairs;
SELECT * FROM zcsync.split_lead(ref(1));
-- kept apart before they met
SELECT zcsync.keep_apart(ref(3), ref(2));
SELECT * FROM pairs WHERE b = 3;
-- a row that resembled a lead becomes one
SELECT result, lead FROM take('zoominfo', '{"id": "9", "firstName": "Lu", "lastName": "Rau", "company": {"name": "Rau", "website": "rau.de"}}');
SELECT result, lead FROM take('csv', '{"name": "Ed Moon", "email": "ed@moon.de", "company": "Moon"}');
SELECT result, lead, via FROM take('zoominfo', '{"id": "10", "firstName": "Ed", "lastName": "Moon", "company": {"name": "Moon", "website": "moon.de"}}');
SELECT item, name, CASE item WHEN 'merge' THEN regexp_replace(value, '\d+,.*', '') ELSE value END AS value, source, part, score
FROM zcsync.explain_lead(ref(5)) WHERE item NOT IN ('row', 'score', 'merge', 'stage');
SELECT item, sum(part) = max(score) AS adds_up FROM zcsync.explain_lead(ref(5)) WHERE item = 'merge' GROUP BY item;
SELECT item FROM zcsync.split_lead(ref(5));
SELECT lead, first_name, email FROM shown WHERE last_name = 'Moon';
SELECT result, lead FROM take('zoominfo', '{"id": "10", "firstName": "Ed", "lastName": "Moon", "title": "CFO", "company": {"name": "Moon", "website": "moon.de"}}');

-- ---------------------------------------------------------------------
-- Errors, and life without pg_trgm
-- ---------------------------------------------------------------------

SELECT * FROM zcsync.merge_leads(ref(1), ref(1));
SELECT zcsync.add_account('other', 'local', '{"country": "DE"}') IS NOT NULL AS added;
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('other'), 'x@y.de');
SELECT * FROM zcsync.merge_leads(ref(1), (SELECT zcsync.reference('leads', local_id) FROM zcsync.leads WHERE email = 'x@y.de'));
SELECT * FROM zcsync.merge_leads(NULL, ref(1));
SELECT * FROM zcsync.merge_leads('crm/leads/#0', ref(1));
SELECT * FROM zcsync.split_lead('');
SELECT * FROM zcsync.explain_lead('crm');
SELECT zcsync.keep_apart(ref(1), NULL);
SELECT * FROM zcsync._take_leads(NULL, 'csv', '{}');
SELECT * FROM zcsync._take_leads(zcsync.account('crm'), 'nosuch', '{}');
SELECT * FROM zcsync._take_leads(zcsync.account('crm'), 'csv', array_fill('{}'::jsonb, ARRAY[1001]));
SELECT * FROM zcsync._take_leads(zcsync.account('crm'), 'csv', '{}');
-- one that cannot be stored spoils no other
ALTER TABLE zcsync.leads ADD CONSTRAINT no_moles CHECK (last_name <> 'Mole');
SELECT index, result, error FROM take('csv', '{"email": "a1@a.de"}', '{"email": "a2@a.de", "last_name": "Mole"}', '{"email": "a3@a.de"}', NULL, '[]');
SELECT count(*) FROM zcsync.lead_identities WHERE value = 'a2@a.de';

-- a row comes again whose lead was given another e-mail by hand: it stays that lead's
SELECT forget();
SELECT result, lead FROM take('apollo', '{"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "old@acme.com"}');
UPDATE zcsync.leads SET email = 'new@acme.com';
SELECT result, lead FROM take('apollo', '{"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "old@acme.com", "title": "CTO"}');
SELECT i.kind, i.value, lead_no(i.local_id) AS lead FROM zcsync.lead_identities i ORDER BY 1, 2;
SELECT * FROM shown;
SELECT * FROM pairs;
-- whoever edits such a lead does not make a company's number, or one that must not be called, a person's
SELECT forget();
SELECT result FROM take('apollo', '{"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "ann@acme.com", "corporate_phone": "+49 30 81000001"}',
	'{"id": "2", "first_name": "Bob", "last_name": "Ray", "email": "bob@acme.com", "direct_phone": "+49 30 81000002", "Do Not Call": "true"}',
	'{"id": "3", "first_name": "Cy", "last_name": "Orr", "email": "cy@acme.com"}');
UPDATE zcsync.leads SET title = 'Boss';
UPDATE zcsync.leads SET phone = '+49 30 81000003' WHERE first_name = 'Cy';
UPDATE zcsync.leads SET city = 'Ulm';
SELECT r.vals, r.phone FROM zcsync.lead_rows r WHERE r.source = 'manual' ORDER BY r.local_id;
SELECT result, via FROM take('csv', '{"name": "Ann Lee", "phone": "+49 30 81000001"}', '{"name": "Bob Ray", "phone": "+49 30 81000002"}', '{"name": "Cy Orr", "phone": "+49 30 81000003"}');
-- a name and a phone that thousands have: the work does not grow with their square
SELECT forget();
SET statement_timeout = '60s';
SELECT t.result, count(*) FROM generate_series(1, 3) AS g CROSS JOIN LATERAL take('csv', VARIADIC ARRAY(
	SELECT jsonb_build_object('name', 'John Smith', 'email', format('john%s@firm%1$s.com', n), 'company', 'Firm ' || n, 'phone', '+49 30 81000000')
	FROM generate_series(g * 1000, g * 1000 + 999) AS n)) AS t GROUP BY 1;
RESET statement_timeout;
-- and they hide no similar name, neither in this account nor in another one
CREATE FUNCTION alike(account text) RETURNS TABLE (n integer, result text, via text) LANGUAGE sql AS $$
	SELECT v.n, t.result, t.detail ->> 'via'
	FROM (VALUES (1, 'John Smithe'), (2, 'John Smith')) AS v (n, name)
	CROSS JOIN LATERAL zcsync._take_leads(zcsync.account(account), 'csv', zcsync._normalise_leads('csv', ARRAY[jsonb_build_object(
		'name', v.name, 'company', 'Single', 'email', replace(v.name, ' ', '.') || '@single.com')], 'DE')) AS t ORDER BY 1
$$;
SELECT * FROM alike('crm');
SELECT zcsync.add_account('b', 'local', '{"country": "DE"}') IS NOT NULL AS added;
SELECT * FROM alike('b');
DROP FUNCTION alike;
SELECT zcsync.remove_account('b', force => true) IS NOT NULL AS removed;
-- within one company they are still compared
SELECT result FROM take('csv', '{"name": "John Smith", "company": "Firm 2999"}', '{"name": "John Smith", "company": "Firm 2999", "website": "firm2999.com"}');
SELECT count(*) FROM pairs;

SELECT item, ok, hint FROM zcsync.selfcheck() WHERE item = 'pg_trgm';
DROP EXTENSION pg_trgm CASCADE;
SELECT item, ok, hint FROM zcsync.selfcheck() WHERE item = 'pg_trgm';
SELECT forget();
SELECT result, lead FROM take('csv', '{"name": "Ed Moon", "email": "ed@moon.de", "company": "Moon"}', '{"name": "Ed Moon", "company": "MOON Inc.", "website": "moon.de"}', '{"name": "Eddy Moon", "company": "MOON Inc.", "website": "moon.de"}');
DROP SCHEMA tools;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP TABLE before;
DROP FUNCTION take(text, jsonb[]), ref(bigint), lead_no(bigint), forget();
