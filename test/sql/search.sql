-- Search: indexes on request, words, phrases, beginnings, typing errors, private
-- text, pages, rights, plans.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SET client_min_messages = notice;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('beta', 'zendesk'), ('dev', 'clickup'), ('psa', 'halopsa'), ('crm', 'local');
SET session_replication_role = replica;		-- no triggers, as when a backup is restored
INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, priority, remote, custom_fields, created_at, updated_at)
SELECT zcsync.account(a), id, s, d, 'open', 'high', coalesce(r, '{}'), coalesce(f, '{}'), '2026-01-01'::timestamptz + n * interval '1 hour', '2026-02-01'
FROM (VALUES
	(1, 'acme', '1', 'Printer on fire', 'It burns on floor 2.', NULL::jsonb, NULL::jsonb),
	(2, 'acme', '2', 'Cannot print', 'Printing stops with error E-4711 of the printer.', NULL, NULL),
	(3, 'beta', '3', 'Invoice 2201', 'The printer of invoices stands in Žižkov.', NULL, '{"serial": "XK-77", "place": "basement"}'),
	(4, 'acme', '4', 'Agents only', 'The printer was stolen by the janitor.', '{"is_public": false}', NULL),
	(5, 'acme', '5', NULL, 'No subject, but oakhampton', NULL, NULL),
	(6, 'acme', '6', 'No text, but ossington', NULL, NULL, NULL),
	(7, 'acme', '7', 'Printer gone', 'deleted', NULL, NULL),
	(8, 'acme', '8', '日本語 のプリンタ', 'ein Drucker, der druckt', NULL, NULL)) AS v (n, a, id, s, d, r, f);
UPDATE zcsync.tickets SET deleted_at = now() WHERE remote_id = '7';
INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'Printer that waits to be created');
INSERT INTO zcsync.tasks (account_id, remote_id, name, description) VALUES (zcsync.account('dev'), 't1', 'Fix the printer driver', 'as asked');
INSERT INTO zcsync.leads (account_id, first_name, last_name, company, email, inserted_at, merged_into) VALUES
	(zcsync.account('crm'), 'Ada', 'Lovelace', 'Printer Works Ltd', 'ada@works.example', now(), NULL),
	(zcsync.account('crm'), NULL, 'Babbage', NULL, NULL, now() - interval '1 month', NULL),
	(zcsync.account('crm'), NULL, 'Babbage', 'merged', NULL, now(), 1);
INSERT INTO zcsync.contacts (account_id, remote_id, name, email) VALUES (zcsync.account('acme'), 'u1', 'Pat Printer', 'pat@works.example');
INSERT INTO zcsync.companies (account_id, remote_id, name, domain) VALUES (zcsync.account('psa'), 'k1', 'Works', 'printer.example');
INSERT INTO zcsync.comments (account_id, remote_id, parent_kind, parent_id, author_name, body, is_private) VALUES
	(zcsync.account('psa'), '9-1', 'tickets', '9', 'Jane', 'I saw the printer smoke', false),
	(zcsync.account('psa'), '9-2', 'tickets', '9', 'Joe', 'do not tell: my printer smoked', true),
	(zcsync.account('psa'), '9-3', 'tickets', '9', 'Joe', 'who may read of this printer?', NULL);
RESET session_replication_role;
SELECT zcsync.create_lead_partitions() > 0 AS made;

-- ---------------------------------------------------------------------
-- Without an index: what is newest, and a hint
-- ---------------------------------------------------------------------
SELECT kind, reference, title, headline FROM zcsync.search('printer') ORDER BY reference;
SELECT count(*) FROM zcsync.search('printer', '{tickets,leads}');
SELECT reference FROM zcsync.search('nobody');

-- ---------------------------------------------------------------------
-- Indexes
-- ---------------------------------------------------------------------
SELECT count(*) FROM zcsync.selfcheck() WHERE item = 'search';
SELECT * FROM zcsync.enable_search('{tickets,nonsense}');
SELECT * FROM zcsync.enable_search('{}');
SELECT * FROM zcsync.enable_search('{tickets}', 'klingon');
SELECT * FROM zcsync.enable_search('{tickets}', typos => true);		-- pg_trgm is not installed
SELECT * FROM zcsync.enable_search('{tickets}', 'english', fields => '{serial,"it''s \"odd\" \\ %s"}');
SELECT kind, action FROM zcsync.enable_search(language => 'english');
SELECT kind, action FROM zcsync.enable_search();
SELECT kind, language, fields, typos FROM zcsync.search_indexes ORDER BY kind;
-- the language is fixed then, and so are the fields
SELECT * FROM zcsync.enable_search('{tickets}', 'simple');
SELECT * FROM zcsync.enable_search('{tickets}', fields => '{}');
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
-- a month that is made later has it, too
SELECT zcsync._create_partition('leads', 'inserted_at', '2031-02-01');
SELECT count(*) = count(i.indexrelid) AS every_month
FROM pg_inherits AS h LEFT JOIN pg_index AS i ON i.indrelid = h.inhrelid AND i.indisvalid
	AND i.indexrelid IN (SELECT p.inhrelid FROM pg_inherits AS p WHERE p.inhparent = 'zcsync.idx_leads_search'::regclass)
WHERE h.inhparent = 'zcsync.leads'::regclass;

-- ---------------------------------------------------------------------
-- What is found
-- ---------------------------------------------------------------------
SELECT kind, reference, title, headline, rank > 0.01 AS ranked, is_similar FROM zcsync.search('printer') ORDER BY kind, reference;
-- a word of the title is worth more than one of the text, and stems are words
SELECT reference, headline FROM zcsync.search('printer', '{tickets}', page_size => 3) LIMIT 2;
SELECT reference FROM zcsync.search('burning', '{tickets}');
CREATE VIEW found AS SELECT q AS query, (SELECT string_agg(s.reference, ' ' ORDER BY s.reference) FROM zcsync.search(q, '{tickets,leads}') AS s) AS found
FROM unnest('{oakhampton,ossington,ada babbage,babbage,ada or babbage,"\"on fire\"","\"fire on\"",printer -fire,-fire printer -waits,ADA@works.example,e-4711,
	XK-77,basement,Žižkov,Žiž*,prin* -fire,"\"cannot pri*\"",oakh*,in* 2201,日本語*,日本語,druckt}'::text[]) WITH ORDINALITY AS w (q, n) ORDER BY w.n;
SELECT * FROM found;
SELECT reference FROM zcsync.search('printer', account => 'beta');
SELECT reference FROM zcsync.search('printer', account => 'nobody');
SELECT reference, subject, status, priority, headline FROM zcsync.search_tickets('fire');
SELECT reference, first_name, last_name, company, email, headline FROM zcsync.search_leads('works') ORDER BY 1;
-- up to date with the row
SET session_replication_role = replica;
UPDATE zcsync.tickets SET subject = 'Copier on fire' WHERE remote_id = '1';
RESET session_replication_role;
SELECT reference FROM zcsync.search('copier');

-- ---------------------------------------------------------------------
-- Private text
-- ---------------------------------------------------------------------
-- of a ticket that agents only see, and of comments
SELECT reference FROM zcsync.search('janitor');
SELECT reference, headline FROM zcsync.search('"agents only"');
SELECT reference, headline FROM zcsync.search('janitor', include_private => true);
SELECT reference FROM zcsync.search('printer', '{comments}');
SELECT reference FROM zcsync.search('printer', '{comments}', include_private => true) ORDER BY 1;
SELECT zcsync.enable_search('{comments}', 'german');

-- ---------------------------------------------------------------------
-- Odd queries
-- ---------------------------------------------------------------------
SELECT count(*) FROM zcsync.search('');
SELECT count(*) FROM zcsync.search(NULL);
SELECT count(*) FROM zcsync.search('the of');
SELECT count(*) FROM zcsync.search('-printer');
SELECT count(*) FROM zcsync.search(repeat('x', 20001));
SELECT ascii(right(q, 1)) > 255 AS invisible, regexp_replace(q, U&'[\FEFF\200B]', '', 'g') AS q, count(s.*) FROM unnest(ARRAY['printer''', '"printer', 'printer" "', 'printer ) ( & | ! <-> :* \ ', E'printer \\'' \\"', 'printer * **', ':* printer',
	'printer or', 'or printer', 'printer ; DROP TABLE zcsync.tickets; --', '%s %I printer $1 $$', U&'printer \FEFF\200B', 'printerzqx0']) WITH ORDINALITY AS x (q, n)
LEFT JOIN LATERAL zcsync.search(q, '{tickets}') AS s ON true GROUP BY q, n ORDER BY n;
SELECT count(*) FROM zcsync.search((SELECT string_agg('word' || i, ' ') FROM generate_series(1, 1000) AS i));
SELECT count(*) FROM zcsync.search((SELECT string_agg('printer' || i || '*', ' or ') FROM generate_series(1, 900) AS i) || ' or printer');
SELECT count(*) FROM zcsync.search(repeat('a', 10000));
SELECT count(*) FROM zcsync.search('printer' || repeat(' "', 5000));
-- texts that are too long for the server's own function
SET session_replication_role = replica;
INSERT INTO zcsync.tickets (account_id, remote_id, subject, description)
SELECT zcsync.account('acme'), 'long', repeat('Žlu ', 20000), 'begins' || string_agg(' ' || md5(i::text), '') || ' ends' FROM generate_series(1, 35000) AS i;
INSERT INTO zcsync.tickets (account_id, remote_id, description) SELECT zcsync.account('acme'), 'hyphens', string_agg(i || 'a-' || i || 'b', ' ') FROM generate_series(1, 30000) AS i;
RESET session_replication_role;
SELECT to_tsvector('english', description) FROM zcsync.tickets WHERE remote_id = 'long';
SELECT reference, length(headline) < 500 AS short FROM zcsync.search('begins Žlu');
SELECT count(*) FROM zcsync.search('"ends"');

-- The session may have any settings.
CREATE SCHEMA trap;
CREATE FUNCTION trap.websearch_to_tsquery(regconfig, text) RETURNS tsquery LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.ts_rank(tsvector, tsquery) RETURNS real LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.matches(tsvector, tsquery) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.@@ (LEFTARG = tsvector, RIGHTARG = tsquery, FUNCTION = trap.matches);
SET search_path = trap, pg_catalog;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET default_text_search_config = 'german';
SET extra_float_digits = 0;
SELECT reference FROM zcsync.search('"cannot pri*"', '{tickets}');
SELECT reference FROM zcsync.search('printing', '{tickets}') ORDER BY 1;
RESET search_path;
RESET standard_conforming_strings;
RESET escape_string_warning;
RESET default_text_search_config;
RESET extra_float_digits;
DROP SCHEMA trap CASCADE;

-- ---------------------------------------------------------------------
-- Pages
-- ---------------------------------------------------------------------
CREATE FUNCTION walk(query text, kinds text[], page_size integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	v_page record;
	v_next text;
	v_all bigint[] := '{}';
BEGIN
	LOOP
		SELECT coalesce(array_agg(s.local_id), '{}') AS ids, min(s.next_cursor) AS next, bool_or(s.has_more) AS more INTO v_page
		FROM zcsync.search(walk.query, walk.kinds, cursor => v_next, page_size => walk.page_size) AS s;
		v_all := v_all || v_page.ids;
		v_next := v_page.next;
		IF v_page.more IS DISTINCT FROM (v_next IS NOT NULL) AND v_page.ids <> '{}' THEN
			RAISE 'a page says that there are more, or not, and has a cursor, or not';
		END IF;
		EXIT WHEN v_next IS NULL;
	END LOOP;
	RETURN v_all;
END $$;
SELECT n, walk('printer or works', NULL, n) = walk('printer or works', NULL, 100) AS same, cardinality(walk('printer or works', NULL, n)) AS found
FROM unnest('{1,2,3,7}'::integer[]) AS n;
SELECT next_cursor AS c FROM zcsync.search('printer', page_size => 1) \gset
SELECT count(*) FROM zcsync.search('printer', page_size => 50, cursor => :'c');
SELECT * FROM zcsync.search('copier', cursor => :'c');
SELECT * FROM zcsync.search('printer', include_private => true, cursor => :'c');
SELECT * FROM zcsync.search('printer', '{tickets}', cursor => :'c');
SELECT * FROM zcsync.search('printer', account => 'acme', cursor => :'c');
SELECT * FROM zcsync.search('printer', cursor => 'nonsense');
SELECT * FROM zcsync.search('printer', page_size => 0);

-- ---------------------------------------------------------------------
-- Typing errors
-- ---------------------------------------------------------------------
CREATE SCHEMA elsewhere;
CREATE EXTENSION pg_trgm SCHEMA elsewhere;
SELECT reference FROM zcsync.search('lovelaec');
SELECT kind, action, statement FROM zcsync.enable_search('{tickets,leads}', typos => true);
SELECT reference, headline, is_similar, has_more FROM zcsync.search('lovelaec');
SELECT reference, is_similar FROM zcsync.search_tickets('coppier');
SELECT reference, is_similar FROM zcsync.search('copier');
SELECT count(*) FROM zcsync.search(E'\\ '' " $1 %s');
SELECT kind, action FROM zcsync.enable_search('{tickets}', typos => false);
SELECT reference FROM zcsync.search_tickets('coppier');

-- ---------------------------------------------------------------------
-- While others write: statements, and what a failure leaves behind
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.disable_search('{tickets,leads}');
SELECT * FROM zcsync.disable_search('{tickets}');
SELECT indexrelid::regclass FROM pg_index WHERE indexrelid::regclass::text LIKE '%search%' AND indrelid::regclass::text ~ 'leads|tickets';
SELECT kind, action, statement FROM zcsync.enable_search('{tickets}', 'german', concurrently => true);
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
SELECT count(*) FROM zcsync.search('printer', '{tickets}');
\set ECHO none
SELECT statement FROM zcsync.enable_search('{tickets}', concurrently => true) \gexec
\set ECHO all
SELECT kind, action, statement FROM zcsync.enable_search('{tickets}', concurrently => true);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'zcsync.idx_tickets_search'::regclass;	-- as a failed CREATE INDEX CONCURRENTLY leaves it
SELECT ok, message FROM zcsync.selfcheck() WHERE item = 'search';
SELECT statement FROM zcsync.enable_search('{tickets}', concurrently => true);
\set ECHO none
SELECT statement FROM zcsync.enable_search('{tickets}', concurrently => true) \gexec
\set ECHO all
SELECT ok, message FROM zcsync.selfcheck() WHERE item = 'search';
SELECT reference FROM zcsync.search('drucken');		-- the language is another one now
-- month by month; half of it at first, then a new month
SELECT action, regexp_replace(regexp_replace(statement, ' USING .*', ''), 'leads_y[0-9]{4}m[0-9]{2}', 'leads_MONTH', 'g') AS statement, count(*)
FROM zcsync.enable_search('{leads}', typos => true, concurrently => true) GROUP BY 1, 2 ORDER BY 2;
\set ECHO none
SELECT statement FROM zcsync.enable_search('{leads}', concurrently => true) LIMIT 4 \gexec
\set ECHO all
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
SELECT reference FROM zcsync.search_leads('works');
SELECT zcsync._create_partition('leads', 'inserted_at', '2031-03-01');
\set ECHO none
SELECT statement FROM zcsync.enable_search('{leads}', concurrently => true) \gexec
\set ECHO all
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
SELECT reference FROM zcsync.search_leads('works');
SELECT zcsync._create_partition('leads', 'inserted_at', '2031-04-01');
SELECT i.relispartition FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
WHERE x.indrelid = 'zcsync.leads_y2031m04'::regclass AND pg_get_indexdef(x.indexrelid) LIKE '%_index_search%';
-- the rest of what was begun concurrently can be done at once
SELECT kind FROM zcsync.disable_search('{leads}');
\set ECHO none
SELECT statement FROM zcsync.enable_search('{leads}', concurrently => true) LIMIT 4 \gexec
\set ECHO all
SELECT action, count(*) > 5 AS several FROM zcsync.enable_search('{leads}') GROUP BY 1;
SELECT ok, message FROM zcsync.selfcheck() WHERE item = 'search';
SELECT count(*) FROM zcsync.disable_search();
SELECT count(*) FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relkind IN ('i', 'I') AND relname LIKE '%search%' AND relname <> 'search_indexes_pkey';

-- ---------------------------------------------------------------------
-- Plans: by the index, however many rows have the words, for one account and all
-- ---------------------------------------------------------------------
SET session_replication_role = replica;
ALTER TABLE zcsync.tickets SET (fillfactor = 20);		-- many pages
INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, created_at)
SELECT zcsync.account(CASE WHEN i % 100 = 0 THEN 'beta' ELSE 'acme' END), 'p' || i, 'Subject ' || i, 'common ' || CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'text' END || CASE WHEN i % 33 = 0 THEN ' medium' ELSE '' END
	|| CASE WHEN i <= 15000 THEN ' former' ELSE '' END,
	'2026-03-01'::timestamptz + i * interval '1 second'
FROM generate_series(1, 21000) AS i;
INSERT INTO zcsync.leads (account_id, last_name, inserted_at, created_at)
SELECT zcsync.account('crm'), 'Common ' || i, now() - i % 3 * interval '1 month', '2026-03-01'::timestamptz + i * interval '1 second' FROM generate_series(1, 3000) AS i;
RESET session_replication_role;
SET client_min_messages = warning;
SELECT kind, action FROM zcsync.enable_search('{tickets,leads}', 'english');
-- The plans of the statements that a search of a kind runs for its candidates.
CREATE FUNCTION plans(p_query text, p_kind text, p_account text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	v_branch zcsync.search_branch := (SELECT b FROM zcsync._search_branches(ARRAY[p_kind], p_query, false) AS b);
	v_account bigint := CASE WHEN p_account IS NOT NULL THEN zcsync.account(p_account) END;
	v_line text;
	v_range text;
BEGIN
	FOR v_range IN
		SELECT coalesce(' AND (t.created_at >= ' || quote_literal(zcsync._search_since(v_branch, v_account, r)) || ' OR t.created_at IS NULL)', '')
		FROM unnest('{4000,20000}'::integer[]) AS r
		UNION ALL SELECT ' LIMIT 10000'
	LOOP
		PERFORM set_config('enable_' || s, 'off', true) FROM unnest('{seqscan,indexscan,indexonlyscan}'::text[]) AS s;
		FOR v_line IN EXECUTE format('EXPLAIN (costs off) SELECT t.local_id, t.created_at FROM zcsync.%I AS t WHERE %s%s AND %s OPERATOR(zcsync.@@) %L%s',
			p_kind, v_branch.condition, coalesce(' AND t.account_id = ' || v_account, ''), v_branch.words, v_branch.query, v_range)
		LOOP
			IF v_line ~ ' Scan| Filter' THEN
				RETURN NEXT regexp_replace(v_line, '^ *(-> *)?', '');
			END IF;
		END LOOP;
		PERFORM set_config('enable_' || s, 'on', true) FROM unnest('{seqscan,indexscan,indexonlyscan}'::text[]) AS s;
	END LOOP;
END $$;
-- rows must not be read all, nor be parsed
CREATE FUNCTION plan_faults(p_query text, p_kind text, p_account text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT p FROM plans(p_query, p_kind, p_account) AS p WHERE p ~ 'Seq Scan|Filter: .*_index_search|^Index Scan'
	UNION ALL SELECT 'not by the index of words' WHERE NOT EXISTS (SELECT FROM plans(p_query, p_kind, p_account) AS p WHERE p ~ 'search') $$;
SELECT q, a, plan_faults(q, 'tickets', a) FROM unnest('{rare,common,common rare,comm*}'::text[]) AS q, unnest('{acme,beta,NULL}'::text[]) AS a;
SELECT count(*) >= 3 AS each_month_with_leads FROM plans('common', 'leads', 'crm') AS p WHERE p ~ '^Bitmap Index Scan on leads.*search';
SELECT count(*) FROM plans('common', 'leads', 'crm') AS p WHERE p ~ 'Seq Scan|^Index Scan';
-- the texts that are ranked are parsed, some more than once, and no others, however
-- little memory a session has
SET track_functions = 'all';
SET work_mem = '64kB';
BEGIN;
SELECT count(*) FROM zcsync.search_tickets('text', 'acme');
SELECT p.calls BETWEEN 300 AND 1500 AS few FROM pg_stat_xact_user_functions AS p WHERE p.funcname = '_index_search';
COMMIT;
RESET work_mem;
RESET track_functions;
-- whichever step finds them, the candidates are the newest that have the word
SELECT w.word, cardinality(i.ids), i.ids = ARRAY(SELECT t.local_id FROM zcsync.tickets AS t
	WHERE t.description ~ ('\m' || w.word || '\M') AND t.deleted_at IS NULL ORDER BY t.created_at DESC, t.local_id DESC LIMIT 300) AS newest
FROM unnest('{common,medium,former,rare}'::text[]) AS w (word)
CROSS JOIN LATERAL zcsync._search_branches('{tickets}', w.word, false) AS b
CROSS JOIN LATERAL (SELECT zcsync._search_indexed(b, NULL, 300)) AS i (ids);
-- what is newest comes first among equals, and what is rare is found however old it is
SELECT reference FROM zcsync.search_tickets('common', page_size => 2);
SELECT count(*) FROM zcsync.search_tickets('rare', page_size => 100);
SELECT reference FROM zcsync.search_tickets('copier');
SELECT cardinality(walk('common', '{tickets}', 100)) AS as_many_as_are_ranked;
-- which two kinds share, if both have the words
SELECT cardinality(walk('common', '{tickets,leads}', 100)) AS of_both;
SELECT cardinality(walk('common text', '{tickets,leads}', 100)) AS of_one_kind;

-- ---------------------------------------------------------------------
-- Rights: those of the caller
-- ---------------------------------------------------------------------
CREATE ROLE regress_zcsync_reader;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT * FROM zcsync.search('printer');
SELECT * FROM zcsync.enable_search();
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync.search, zcsync.search_tickets, zcsync.search_leads, zcsync.account, zcsync._page_rows, zcsync._check_rows, zcsync._shorten, zcsync._encode_cursor, zcsync._decode_cursor,
	zcsync._list_text, zcsync._check_query, zcsync._check_search_kinds, zcsync._search_kinds, zcsync._default_search_kinds, zcsync._search_branches,
	zcsync._search_notices, zcsync._search_candidates, zcsync._search_indexed, zcsync._search_since, zcsync._search_newest, zcsync._private_texts,
	zcsync._search_ranked, zcsync._search_expression, zcsync._search_similar, zcsync._search_page, zcsync._trigram_schema, zcsync._matches,
	zcsync._index_search TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT * FROM zcsync.search('printer');
SELECT * FROM zcsync.search('printer', '{tickets}');
RESET ROLE;
GRANT SELECT (account_id, name) ON zcsync.accounts TO regress_zcsync_reader;
GRANT SELECT (account_id, local_id, remote_id, subject, description, custom_fields, created_at, updated_at, deleted_at) ON zcsync.tickets TO regress_zcsync_reader;
SET ROLE regress_zcsync_reader;
SELECT DISTINCT kind FROM zcsync.search('printer');
SELECT count(*) FROM zcsync.search('janitor');
SELECT count(*) FROM zcsync.search('janitor', include_private => true);
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync._may_search_private TO regress_zcsync_reader;
CREATE POLICY beta ON zcsync.tickets FOR SELECT TO regress_zcsync_reader USING (account_id = zcsync.account('beta'));
SET ROLE regress_zcsync_reader;
SELECT count(*) FROM zcsync.search('janitor', include_private => true);
RESET ROLE;
ALTER TABLE zcsync.tickets ENABLE ROW LEVEL SECURITY;
SET ROLE regress_zcsync_reader;
SELECT count(*) FROM zcsync.search('janitor', include_private => true);
SELECT reference FROM zcsync.search('printer');
SELECT count(*) AS n, count(*) FILTER (WHERE reference LIKE 'beta/%') AS mine FROM zcsync.search('common', page_size => 100);
-- by the index all the same
SET enable_seqscan = off;
SET enable_indexscan = off;
EXPLAIN (costs off) SELECT t.local_id FROM zcsync.tickets AS t
WHERE zcsync._index_search('pg_catalog.english'::regconfig, subject, NULL::text, description, NULL::text) OPERATOR(zcsync.@@) 'rare';
RESET enable_seqscan;
RESET enable_indexscan;
RESET ROLE;
-- Whoever writes calls the function of the index.
CREATE ROLE regress_zcsync_writer;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_writer;
GRANT SELECT, UPDATE (priority) ON zcsync.tickets TO regress_zcsync_writer;
ALTER TABLE zcsync.tickets DISABLE ROW LEVEL SECURITY;
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
SELECT kind, action FROM zcsync.enable_search('{tickets}');
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
SELECT has_function_privilege('regress_zcsync_writer', 'zcsync._index_search(regconfig, text, text, text, text)', 'EXECUTE');

-- The text search configuration of an index was renamed, or dropped: search does without.
SELECT action FROM zcsync.disable_search('{tickets}');
CREATE TEXT SEARCH CONFIGURATION public.ours (COPY = pg_catalog.english);
SELECT action FROM zcsync.enable_search('{tickets}', 'public.ours', typos => false);
SELECT count(*) FROM zcsync.search('common', '{tickets}', page_size => 100);
ALTER TEXT SEARCH CONFIGURATION public.ours RENAME TO yours;
SET client_min_messages = notice;
SELECT count(*) FROM zcsync.search('common', '{tickets}', page_size => 100);
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'search';
ALTER TEXT SEARCH CONFIGURATION public.yours RENAME TO ours;
SELECT count(*) FROM zcsync.search('common', '{tickets}', page_size => 100);
DROP TEXT SEARCH CONFIGURATION public.ours CASCADE;
SELECT count(*) FROM zcsync.search('common', '{tickets}', page_size => 100);
SET client_min_messages = warning;

DROP VIEW found;
DROP FUNCTION walk, plans, plan_faults;
DROP EXTENSION zcsync CASCADE;
DROP EXTENSION pg_trgm CASCADE;
DROP SCHEMA elsewhere;
DROP OWNED BY regress_zcsync_reader, regress_zcsync_writer;
DROP ROLE regress_zcsync_reader, regress_zcsync_writer;
