-- What becomes of the values that sources and people give: one spelling for each
-- thing, and what cannot be read is said.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
-- psql does not give invisible characters the same width in all versions
\pset format unaligned
SELECT zcsync.add_account('crm', 'local', '{"country": "DE"}') > 0 AS added;

-- ---------------------------------------------------------------------
-- E-mail addresses
-- ---------------------------------------------------------------------
SELECT left(e, 45) AS given, zcsync._mail_address(e) AS address, zcsync._email_key(e) AS key FROM unnest(ARRAY[' Ada.L+x@GMail.com ', 'a.b+c@example.com', 'a@b', 'foo@@x.com', 'a b@x.com', 'a@1.2.3.4', 'ü@münchen.de', '@example.com', repeat('a', 65) || '@example.com', NULL,
 '+one@gmail.com', '..@gmail.com', '+two@googlemail.com', 'Ann Lee <ann@acme.com>', '"Ann" <ann@acme.com>', '''ann@acme.com''', 'mailto:ann@acme.com?subject=Hi', '&lt;ann@acme.com&gt;', 'ann&#64;acme.com', E'ann\u200b@acme.com', E'\ufeffann@ac\u00adme.com',
 E'ann\u00a0@acme.com', 'ann@xn--mnchen-3ya.de', 'ann@MÜNCHEN.de', E'ann@mu\u0308nchen.de', E'jose\u0301@acme.com', 'josé@acme.com', 'ann@xn--bcher-kva.example.com', 'ann@例え.テスト', 'ann@xn--r8jz45g.xn--zckzah', 'ann@acme.com; bob@acme.com', 'ann@acme.com, bob@acme.com',
 'ann lee@acme.com', 'ann@acme .com', 'ann@acme.co m', 'ann@acme.com (work)', 'ann@acme.com or bob@acme.com', 'ann(at)acme.com', 'ann@acme.com.', '.ann@acme.com', 'E-Mail: ann@acme.com', '"ann"@acme.com', 'o''brien@acme.com', 'ann＠acme．com', 'ann@acme.com/bob@acme.com', '“ann@acme.com”', 'ann@-acme.com', 'ann@xn--.com', 'ann@xn--zzzzzzzzzzzz99999999999999.com', 'x@y.c0m', 'ann@acme.com>', repeat(' ', 3000) || 'ann@acme.com', '', '<>', '<@>', 'a@b_c.de', 'ann@пример.РФ', 'ann@xn--e1afmkfd.xn--p1ai', 'ann@straße.de']) AS e;
-- entities by number, an angle bracket that is not closed, capitals beyond ASCII
SELECT e AS given, zcsync._mail_address(e) AS address FROM unnest(ARRAY['ann&#8203;@acme.com', 'ann@acme&#x2E;com', 'ann&#X40;acme.com', 'jos&#233;@acme.com', 'JOS&#xc9;@acme.com', '&#60;ann@acme.com&#0062;', 'a&#128578;b@acme.com',
 'ann&#;@acme.com', 'ann&#x;@acme.com', 'ann&#0;@acme.com', 'ann&#xd800;@acme.com', 'ann&#1114112;@acme.com', 'ann&#99999999999999999999;@acme.com', 'ann&#6a@acme.com', 'ann@acme.com&#', 'r&d@acme.com', 'ann@acme.com&',
 'ann<lee@acme.com', 'Ann Lee <ann@acme.com', '<ann@acme.com', 'ann<lee@acme.com>', 'Ann <ann@acme.com', 'a < b <ann@acme.com>', 'JOSÉ@acme.com', E'JOSE\u0301@acme.com', 'Ωμέγα@acme.com', 'ИВАН@acme.com']) AS e;
SELECT zcsync._domain_key(w) FROM unnest(ARRAY['https://www.MÜNCHEN.de/x', 'xn--mnchen-3ya.de', 'WWW2.Example.com', 'Example Ltd', 'a.de, b.de']) AS w;
-- whoever writes, in SQL or as a source
INSERT INTO zcsync.leads (account_id, email) SELECT zcsync.account('crm'), e FROM unnest('{+one@gmail.com,+two@gmail.com}'::text[]) AS e;
SELECT count(*) FROM zcsync.lead_identities;
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'ann@münchen.de');
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), '"Ann" <ANN@xn--mnchen-3ya.de>');
SELECT result FROM zcsync.sync_lead('csv', '{"email": "&lt;ann@MÜNCHEN.de&gt;", "city": "Ulm"}');
SELECT email, city FROM zcsync.leads WHERE email LIKE 'ann%';
SELECT ok, result, error FROM zcsync.sync_leads('csv', '[{"email": "ann lee@acme.com"}, {"email": "+one@gmail.com"}]');
SELECT zcsync._normalise_lead('csv', '{"email": "ann lee@acme.com", "phone": "030 123456"}', 'DE');
SELECT zcsync._normalise_lead('csv', '{"email": "+one@gmail.com", "phone": "030 123456"}', 'DE');

-- ---------------------------------------------------------------------
-- Phone numbers
-- ---------------------------------------------------------------------
SELECT left(p, 30) AS given, zcsync._phone_key(p, 'DE') AS germany, zcsync._phone_key(p, 'US') AS america, zcsync._phone_key(p, 'IT') AS italy
FROM unnest(ARRAY['+49 (0)30 123456', '+49 ( 0 ) 30 123456', '+49030123456', '+49-030-123456', '0049 (0) 30 123456', '(+49) 30 123456', '++49 30 123456', '+(49) 30 123456', '(0)30 123456',
	'+39 06 1234567', '+39 (0)6 1234567', '+36 06 1 2345678', '493012345.0', '4.930123456E+10', '4,930123456e+10', '+4.930123456E+10', '4.93012E+10', '4.42E+11', '4930123456789', '0301234567.00',
	'030 123456 Durchwahl 12', '030 123456 DW 12', '030 123456-DW 12', '030 123456 App. 12', '030 123456 (ext. 12)', '030 123456;ext=12', '030 123456,,12', '030 123456 #12', '030 123456p12', '030 123456 int. 12', '030 123456 Nebenstelle 12', '030 123456 Nst. 12', '030 123456 Apparat 12', '030 123456 Klappe 12', '030 123456 Kl. 12', '030 123456 poste 12', '030 123456 anexo 12', '030 123456 interno 12', '030 123456 toestel 12', '030 123456 tst. 12', '030 123456w12',
	'Tel.: 030 123456', 'T: +49 30 123456', 'Phone +49 30 123456', 'mobil: 0170 1234567', '030 123456 oder 030 123457', '030 123456, +49 30 123457', E'030\u00a0123456', E'\u202a+49 30 123456\u202c', '０３０ １２３４５６',
	'+1 415 555 2671 ext 5', '1 (415) 555-2671', '14155552671.0', 'call me', '030', repeat('1', 300), '12.5', '1e5']) AS p;
UPDATE zcsync.countries SET trunk_prefix = '' WHERE country = 'DE';
SELECT zcsync._phone_key('030 123456', 'DE') AS corrected, zcsync._phone_key('030 123456', 'QQ') AS not_known;
UPDATE zcsync.countries SET trunk_prefix = '0' WHERE country = 'DE';
SELECT c, zcsync._country_code(c) FROM unnest('{de,UK,DEU, Deutschland ,United States,Österreich,Nowhere}'::text[]) AS c;
INSERT INTO zcsync.country_names VALUES ('nowhere', 'NW');
INSERT INTO zcsync.company_forms VALUES ('of nowhere');
INSERT INTO zcsync.mail_providers VALUES ('mail.nowhere'), ('post.*');
SELECT zcsync._country_code('Nowhere'), zcsync._company_key('Acme AG of Nowhere'), zcsync._company_key('Co of Nowhere'),
	zcsync._is_mail_provider('mail.nowhere') AS mail, zcsync._is_mail_provider('post.de') AS post_de, zcsync._is_mail_provider('post.co.uk') AS post_co_uk, zcsync._is_mail_provider('post.example.com') AS example, zcsync._is_mail_provider(NULL) AS none;

-- ---------------------------------------------------------------------
-- Numbers and times
-- ---------------------------------------------------------------------
SELECT n AS given, zcsync._number_of(n, false) AS point, zcsync._number_of(n, true) AS comma, zcsync._number_of(n, false, true) AS whole
FROM unnest(ARRAY['1234', '1,234', '1.234', '1.200', '12,5', '12.5', '1.234,56', '1,234.56', '1.234.567', '1,234,567.8', '12,34,567', '€ 1,5 Mio', '1,5 Mio. €', '1.5M', 'EUR 2,5 Mrd', '300 TEUR', '3.5k', 'ca. 50', '~50', '51-200',
	'1.001 - 5.000', '5000+', '50 bis 100', '10 Mitarbeiter', '0,125', '0.125', '1''234.50', '1 234,56', '1.5E+6', '-5', '12,', '1,2,3', '1.2.3,4', '.5', '12%', '100 USD', 'many', 'NaN', '', '１２']) AS n;
-- a number of a document says what it is, whatever the country
SELECT n AS given, (zcsync._normalise_lead('manual', jsonb_build_object('email', 'n@x.de', 'revenue', n, 'probability', n, 'employees', n), 'DE') -> 'values') - 'email' AS taken
FROM unnest('{12.345,12.500,-12.345,1234.567,1.5e6,1e-3,1200.000,1.200,0}'::jsonb[]) AS n;
SELECT zcsync._normalise_lead('zoominfo', '{"email": "n@x.de", "company": {"employeeCount": "1.200"}, "Revenue (in 000s)": 1.234, "contactAccuracyScore": 12.345}', 'DE') -> 'values' AS taken;
SELECT t AS given, zcsync._time_of(t) FROM unnest(ARRAY['2026-01-31', '1/31/2026 2:59 PM', '31.1.2026', '31.01.2026 14:30', '31/1/2026', 'infinity', '-infinity', '2026-01-01 infinity', '2026-01-01 BC', '0001-01-01', '9999-12-31', '1900-01-00', 'now', 'today', 'epoch', '45321']) AS t;
\set VERBOSITY terse
INSERT INTO zcsync.leads (account_id, last_name, created_at) VALUES (zcsync.account('crm'), 'Ever', 'infinity');
UPDATE zcsync.leads SET closed_at = '-infinity' WHERE email LIKE 'ann%';
\set VERBOSITY default

-- ---------------------------------------------------------------------
-- Placeholders and encodings
-- ---------------------------------------------------------------------
SELECT v AS given, zcsync._is_placeholder(v, 'company') AS company, zcsync._is_placeholder(v, 'last_name') AS name
FROM unnest(ARRAY['NULL', 'null', '(null)', 'nan', 'NaN', 'None', 'none', '-', '--', '...', '?', 'n/a', '#N/A', 'n.a.', 'k.A.', '#REF!', E'\\N', 'undefined', 'Null', 'Nan', 'NA', 'Nonesuch', '0', 'x']) AS v;
SELECT v AS given, zcsync._mend_encoding(v) FROM unnest(ARRAY['MÃ¼ller', 'CafÃ© â€“ Bar', E'\u00c3\u0081rp\u00c3\u00a1d', 'Müller', 'São Paulo', 'Ã', 'naïve Ã¼ber Müller', 'â‚¬ 5']) AS v;
-- correct texts stay, are restored if their UTF-8 was read as Latin-1, and if their Windows-1252 was
SELECT t AS correct, nullif(zcsync._mend_encoding(t), t) AS changed, nullif(zcsync._mend_encoding(convert_from(convert_to(t, 'UTF8'), 'LATIN1')), t) AS utf8
FROM unnest(ARRAY['Müller', 'MÜLLER', 'Società', 'PERÒ', 'GIÙ', 'MALMÖ', 'VÄXJÖ', 'São Paulo', 'MANHÃ', 'Łódź', 'Čapek', 'KNÍŽKA', 'BLÍŽÍ SE', 'ŠKODA', 'ŞTİ.', 'İstanbul', 'Việt Nam', 'Nguyễn',
	'Москва', 'Αθήνα', '東京', 'שלום', E'u\u0308ber', 'Zoë', 'Ærø', 'Straße', '“Ann”', 'O’Neill – Bar', '5 €', '3 × 4', 'café', 'Café®', '«Café»', 'voilà…', 'Nestlé®', '„Łódź”', '🙂 Ann', 'Ann™', 'ĮMONĖ',
	'NESTLÉ®', 'CAFÉ”', 'CAFÉ–BAR', 'CAFÉ©', 'CAFÉª', 'CAFÉ«', '“CAFÉ”', 'CAFFÈ™', 'HYVÄ®', 'HYVÄ™', '”HYVÄ”', 'JYVÄSKYLÄ–HELSINKI', 'BLÅ®', '»BLÅ«', 'LUNEDÌ…', 'LUNEDÌ”', 'ESPAÑ®', 'MENÚ»', 'MENÚ®', 'PÃO®', 'IRMÃ®', 'RIO Ó®', 'Sabor “MAÇÃ”', 'MAÇÃ®', 'PÄÄ™', 'PÄÄ®', '»PÄÄ»']) AS t;
SELECT t AS correct, nullif(zcsync._mend_encoding(convert_from(convert_to(t, 'WIN1252'), 'LATIN1')), t) AS win1252
FROM unnest(ARRAY['Müller', '5 €', 'O’Neill – Bar', 'Škoda', 'CAFÉ”', 'HYVÄ™', '“JYVÄ”', 'Œuvre', 'KNÍŽKA']) AS t;
-- a no-break space at the end is half of a letter, or nothing
SELECT zcsync._normalise_lead('csv', jsonb_build_object('email', 'a@x.de', 'city', E'Citt\u00c3\u00a0', 'company', E'Acme\u00a0', 'phone', E'-\u00a0')) AS mended;
SELECT zcsync._normalise_lead('csv', '{"First Name": "NULL", "Last Name": "Null", "Email": "a@x.de", "Phone": "-", "Company": "MÃ¼ller AG", "Employees": "1.200", "Revenue": "1,5 Mio", "Created": "infinity"}', 'DE');

-- a file of Europe, with a line for spreadsheets before its headers
SELECT * FROM zcsync.create_intake('crm', 'csv', header => 'sep=;');
SELECT item, value FROM zcsync.create_intake('crm', 'csv', header => E'sep=;\r\nName;Email;Employees;Revenue;City\r\n');
SELECT value AS intake FROM zcsync.create_intake('crm', 'csv', header => 'Name;Email;Employees;Revenue;City') WHERE item = 'intake' \gset
COPY zcsync_intake.:intake (name, email, employees, revenue, city) FROM STDIN (FORMAT csv, DELIMITER ';');
Name;Email;Employees;Revenue;City
Ann Lee;a1@x.de;1.200;1.234,56;MÃ¼nchen
;;;;
Bob Ray;a2@x.de;12;12,5;NULL
  ;;;;
Cy Orr;a3@x.de;viele;1.500;-
Di Fox;di fox@x.de;12,5;€ 1,5 Mio;
\.
SELECT * FROM zcsync.plan_import(:'intake');
SELECT file_row, ok, lead IS NOT NULL AS lead, result, error FROM zcsync.import_leads(:'intake');
SELECT first_name, last_name, email, employees, revenue, city FROM zcsync.leads WHERE source = 'csv' AND last_name IN ('Lee', 'Ray', 'Orr', 'Fox') ORDER BY last_name;
SELECT counts FROM zcsync.intakes WHERE name = :'intake';
-- what a file says of its numbers counts more than the country does
SELECT value AS intake FROM zcsync.create_intake('crm', 'csv', header => 'Email,Revenue') WHERE item = 'intake' \gset
INSERT INTO zcsync_intake.:intake (email, revenue) VALUES ('r1@x.de', '1,234'), ('r2@x.de', '12.50'), ('r3@x.de', '1,234.5'), ('r4@x.de', '1.200');
SELECT result, leads, example FROM zcsync.plan_import(:'intake') WHERE result LIKE 'decimal%';
SELECT file_row, result FROM zcsync.import_leads(:'intake');
SELECT email, revenue FROM zcsync.leads WHERE email LIKE 'r_@x.de' ORDER BY 1;
-- a file whose lines are in two encodings, read in the one that is not UTF-8
SELECT value AS intake FROM zcsync.create_intake('crm', 'csv', header => 'Email,Company') WHERE item = 'intake' \gset
COPY zcsync_intake.:intake (email, company) FROM PROGRAM E'printf "e1@x.de,M\\\\374ller AG\\\\ne2@x.de,M\\\\303\\\\274ller AG\\\\n"' (FORMAT csv, ENCODING 'LATIN1');
SELECT result, count(*) FROM zcsync.import_leads(:'intake') GROUP BY 1;
SELECT email, company FROM zcsync.leads WHERE email LIKE 'e_@x.de' ORDER BY 1;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_intake CASCADE;
