-- What becomes of the values that sources and people give: one spelling for each
-- thing, and what cannot be read is said.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "DE"}') > 0 AS added;

-- ---------------------------------------------------------------------
-- E-mail addresses
-- ---------------------------------------------------------------------
SELECT left(e, 45) AS given, zcsync._mail_address(e) AS address, zcsync._email_key(e) AS key FROM unnest(ARRAY[' Ada.L+x@GMail.com ', 'a.b+c@example.com', 'a@b', 'foo@@x.com', 'a b@x.com', 'a@1.2.3.4', 'ü@münchen.de', '@example.com', repeat('a', 65) || '@example.com', NULL,
 '+one@gmail.com', '..@gmail.com', '+two@googlemail.com', 'Ann Lee <ann@acme.com>', '"Ann" <ann@acme.com>', '''ann@acme.com''', 'mailto:ann@acme.com?subject=Hi', '&lt;ann@acme.com&gt;', 'ann&#64;acme.com', E'ann\u200b@acme.com', E'\ufeffann@ac\u00adme.com',
 E'ann\u00a0@acme.com', 'ann@xn--mnchen-3ya.de', 'ann@MÜNCHEN.de', E'ann@mu\u0308nchen.de', E'jose\u0301@acme.com', 'josé@acme.com', 'ann@xn--bcher-kva.example.com', 'ann@例え.テスト', 'ann@xn--r8jz45g.xn--zckzah', 'ann@acme.com; bob@acme.com', 'ann@acme.com, bob@acme.com',
 'ann lee@acme.com', 'ann@acme .com', 'ann@acme.co m', 'ann@acme.com (work)', 'ann@acme.com or bob@acme.com', 'ann(at)acme.com', 'ann@acme.com.', '.ann@acme.com', 'E-Mail: ann@acme.com', '"ann"@acme.com', 'o''brien@acme.com', 'ann＠acme．com', 'ann@acme.com/bob@acme.com', '“ann@acme.com”', 'ann@-acme.com', 'ann@xn--.com', 'ann@xn--zzzzzzzzzzzz99999999999999.com', 'x@y.c0m', 'ann@acme.com>', repeat(' ', 3000) || 'ann@acme.com', '', '<>', '<@>', 'a@b_c.de', 'ann@пример.РФ', 'ann@xn--e1afmkfd.xn--p1ai', 'ann@straße.de']) AS e;
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

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
