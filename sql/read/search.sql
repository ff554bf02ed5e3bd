-- ---------------------------------------------------------------------
-- Search: the records that contain some words, the best first.
--
-- A record is ranked by parsing its text, which is most of the work of a search.
-- So no more than 300 records are ranked, the candidates: of each kind the newest
-- records that contain the words.  Kinds share them, but each has at least 100.  They
-- are found in steps, of which none takes much longer when more records contain the
-- words:
--
--   1. among the newest 4,000 records, by the index of words and that of time, which
--      suffices for a word that many records have;
--   2. if these have too few, among as many of the newest as will have enough, going by
--      the first step: 20,000 to 100,000;
--   3. if these have too few, among the first 10,000 records that the index of
--      words gives.
--
-- Words that are too rare for step 2 are looked for by step 3 at once.  Only if that was
-- cut short, the newest 20,000 are looked at as well, and count if they have enough.
--
-- The words must be looked up in the index and never compared row by row, so all
-- plans but a bitmap of indexes are switched off.  Where a kind has no complete
-- index, its newest 1,000 records are read instead, and a notice says what to run.
--
-- Records are read with the rights of the caller.  Only _private_texts(), which
-- says whose text is private as a whole, reads them as the owner of the tables.
-- ---------------------------------------------------------------------

-- One search of one kind.
CREATE TYPE zcsync.search_branch AS (
	kind text,
	language text,
	fields text[],
	query tsquery,
	words text,				-- the expression of the index
	condition text,			-- which rows can be found
	newest text,			-- the column that says which records are the newest
	is_indexed boolean,
	typos text);			-- what an index of trigrams is of, if there is one
COMMENT ON TYPE zcsync.search_branch IS
'how the records of a kind, or its private records, are searched';

-- ---------------------------------------------------------------------
-- What is asked
-- ---------------------------------------------------------------------

-- Turns what people type into a query.  websearch_to_tsquery() does that, but does
-- not know word*.  So word* is first written as wordzqx0, which the parser takes for
-- a word of no language.  Afterwards that is replaced by all words that begin with
-- the word, or with its stem.
CREATE FUNCTION zcsync._search_query(p_language regconfig, p_query text) RETURNS tsquery
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning	-- words of which nothing is left
SET standard_conforming_strings = on
AS $$
DECLARE
	v_query tsquery := websearch_to_tsquery(p_language, regexp_replace(p_query, '([^[:space:][:punct:]]{3,100})[*]', E'\\1zqx0', 'g'));
	v_word text;
	v_begins tsquery;
	v_stem tsquery;
BEGIN
	FOR v_word IN SELECT DISTINCT m.word[1] FROM regexp_matches(p_query, '([^[:space:][:punct:]]{3,100})[*]', 'g') AS m (word) LIMIT 20 LOOP
		v_begins := to_tsquery('pg_catalog.simple', v_word || ':*');
		v_stem := to_tsquery(p_language, v_word || ':*');
		v_query := ts_rewrite(v_query, to_tsquery('pg_catalog.simple', v_word || 'zqx0'),
			CASE WHEN v_stem = v_begins THEN v_begins ELSE v_begins || v_stem END);
	END LOOP;
	RETURN v_query;
END
$$;
COMMENT ON FUNCTION zcsync._search_query(regconfig, text) IS
'a query as people type it (words, "a phrase", or, -not, begin*) in a language';

CREATE FUNCTION zcsync._check_query(p_query text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (octet_length(p_query) <= 20000) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN p_query IS NULL THEN 'no words to search for' ELSE 'the words to search for are too long' END,
			HINT = 'Pass some words, no more than 20,000 bytes.';
	END IF;
	RETURN p_query;
END
$$;
COMMENT ON FUNCTION zcsync._check_query(text) IS
'returns the words to search for; raises an error if there are none or too many';

-- Private records of a kind are searched by themselves, since they have an
-- index of their own.
CREATE FUNCTION zcsync._search_branches(p_kinds text[], p_query text, p_private boolean) RETURNS SETOF zcsync.search_branch
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT k.kind, l.language, l.fields, zcsync._search_query(l.language::regconfig, p_query),
		zcsync._search_expression(k.kind, l.language, l.fields),
		concat_ws(' AND ', k.live, b.condition), k.newest,
		(s.language IS NULL OR t.language IS NOT NULL) AND coalesce(zcsync._index_is_valid(format('idx_%s_%s', k.kind, b.suffix)), false),
		CASE WHEN s.typos AND b.suffix = 'search' AND zcsync._index_is_valid(format('idx_%s_search_typos', k.kind)) THEN k.a END
	FROM zcsync._search_kinds() AS k
	LEFT JOIN zcsync.search_indexes AS s ON s.kind = k.kind
	CROSS JOIN LATERAL (SELECT zcsync._text_search(s.language)) AS t (language)
	CROSS JOIN LATERAL (SELECT coalesce(t.language, 'pg_catalog.simple'), coalesce(s.fields, '{}')) AS l (language, fields)
	CROSS JOIN LATERAL (VALUES ('search', k.public, true), ('search_private', format('(%s) IS NOT TRUE', k.public), p_private AND k.public IS NOT NULL))
		AS b (suffix, condition, wanted)
	WHERE k.kind = ANY (p_kinds) AND b.wanted
$$;
COMMENT ON FUNCTION zcsync._search_branches(text[], text, boolean) IS
'how these kinds are searched for these words, with what is private or without';

-- What is searched when the caller names no kind: the kinds with a search index, or all
-- if none has one. zcsync.search() leaves out those that the caller may not read.
CREATE FUNCTION zcsync._default_search_kinds() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce((SELECT array_agg(s.kind) FROM zcsync.search_indexes AS s), zcsync._check_search_kinds(NULL))
$$;
COMMENT ON FUNCTION zcsync._default_search_kinds() IS
'the kinds that are searched when none is named: those with an index, or all';

CREATE FUNCTION zcsync._may_search_private() RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT true;
END;
COMMENT ON FUNCTION zcsync._may_search_private() IS
'a role that may execute this may let zcsync.search() look at private text';

-- ---------------------------------------------------------------------
-- Candidates
-- ---------------------------------------------------------------------

-- Where so many of the newest records begin; NULL: there are fewer.  Deleted ones count,
-- since only the index of an account is without them: so no row need be read.
CREATE FUNCTION zcsync._search_since(p_branch zcsync.search_branch, p_account bigint, p_records integer) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET enable_incremental_sort = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
SET enable_indexscan = on		-- the caller's are off
SET enable_indexonlyscan = on
AS $$
DECLARE
	v_since text;
BEGIN
	EXECUTE format('SELECT t.%1$I FROM zcsync.%2$I AS t%3$s ORDER BY %4$s OFFSET %5$s LIMIT 1', p_branch.newest, p_branch.kind,
			coalesce(' WHERE t.deleted_at IS NULL AND t.account_id = ' || p_account, ''),
			CASE p_branch.newest WHEN 'local_id' THEN 't.local_id DESC' ELSE format('t.%I DESC, t.local_id DESC', p_branch.newest) END, p_records)
		INTO v_since;
	RETURN v_since;
END
$$;
COMMENT ON FUNCTION zcsync._search_since(zcsync.search_branch, bigint, integer) IS
'the key of the record that comes after so many newer ones of a kind, or of one account; NULL if there are no more';

CREATE FUNCTION zcsync._search_indexed(p_branch zcsync.search_branch, p_account bigint, p_rows integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_indexscan = off
SET enable_indexonlyscan = off
SET work_mem = '64MB'			-- else a bitmap of 100,000 records knows pages only, and all texts on them are parsed
SET jit = off
AS $$
DECLARE
	v_matching text := format('SELECT t.local_id, t.%I AS newest FROM zcsync.%I AS t WHERE %s%s AND %s OPERATOR(zcsync.@@) $1', p_branch.newest,
		p_branch.kind, p_branch.condition, coalesce(' AND t.account_id = ' || p_account, ''), p_branch.words);
	v_among integer[] := '{4000}';		-- among how many of the newest; 0: among all, but the first 10,000 that match
	v_since text;
	v_needed integer;
	v_found record;
	v_ids bigint[];
BEGIN
	FOR i IN 1 .. 3 LOOP
		v_since := CASE WHEN v_among[i] > 0 THEN zcsync._search_since(p_branch, p_account, v_among[i]) END;
		EXECUTE format('SELECT array_agg(c.local_id) AS ids, coalesce(max(c.matching), 0) AS matching FROM ('
				'SELECT m.local_id, count(*) OVER () AS matching FROM (%s) AS m ORDER BY m.newest DESC, m.local_id DESC LIMIT $2) AS c',
				v_matching || CASE WHEN v_among[i] = 0 THEN ' LIMIT 10000' WHEN v_since IS NULL THEN ''
					ELSE format(' AND (t.%1$I >= %2$L OR t.%1$I IS NULL)', p_branch.newest, v_since) END)
			INTO v_found USING p_branch.query, p_rows;
		IF i < 3 OR v_among[i] = 0 OR v_found.matching >= p_rows THEN
			v_ids := v_found.ids;
		END IF;
		EXIT WHEN CASE WHEN v_among[i] > 0 THEN v_since IS NULL OR v_found.matching >= p_rows ELSE v_found.matching < 10000 END;
		IF i = 1 THEN	-- twice as many as will do if the words are as frequent there
			v_needed := 2 * p_rows * v_among[1] / greatest(v_found.matching, 1);
			v_among := v_among || CASE WHEN v_needed <= 100000 THEN ARRAY[greatest(v_needed, 20000), 0] ELSE '{0,20000}' END;
		END IF;
	END LOOP;
	RETURN v_ids;
END
$$;
COMMENT ON FUNCTION zcsync._search_indexed(zcsync.search_branch, bigint, integer) IS
'the newest records that contain the words of a search, found by the index';

CREATE FUNCTION zcsync._search_newest(p_branch zcsync.search_branch, p_account bigint, p_rows integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(c.local_id) FROM (SELECT n.local_id FROM (SELECT t.local_id, %1$s AS words FROM zcsync.%2$I AS t WHERE %3$s%4$s '
			'ORDER BY %5$s LIMIT 1000) AS n WHERE n.words @@ $1 LIMIT $2) AS c', p_branch.words, p_branch.kind, p_branch.condition,
			coalesce(' AND t.account_id = ' || p_account, ''),
			CASE p_branch.newest WHEN 'local_id' THEN 't.local_id DESC' ELSE format('t.%I DESC, t.local_id DESC', p_branch.newest) END)
		INTO v_ids USING p_branch.query, p_rows;
	RETURN v_ids;
END
$$;
COMMENT ON FUNCTION zcsync._search_newest(zcsync.search_branch, bigint, integer) IS
'which of the newest 1,000 records contain the words of a search, where there is no index';

-- Some vendors have tickets that only agents see.  This runs as the owner of the
-- tables, so it says which tickets they are and nothing else about them.
CREATE FUNCTION zcsync._private_texts(p_kind text, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor record;
	v_some bigint[];
	v_all bigint[] := '{}';
BEGIN
	FOR v_vendor IN
		SELECT v.name, k.public_text FROM zcsync._vendors() AS v CROSS JOIN LATERAL unnest(v.kinds) AS k
		WHERE k.kind = p_kind AND k.public_text IS NOT NULL
	LOOP
		EXECUTE format('SELECT coalesce(array_agg(s.local_id), ''{}'') FROM zcsync.%I AS s WHERE s.local_id = ANY ($1) '
				'AND s.account_id IN (SELECT a.account_id FROM zcsync.accounts AS a WHERE a.vendor = %L) AND (%s) IS NULL',
				p_kind, v_vendor.name, v_vendor.public_text)
			INTO v_some USING p_ids;
		v_all := v_all || v_some;
	END LOOP;
	RETURN v_all;
END
$$;
COMMENT ON FUNCTION zcsync._private_texts(text, bigint[]) IS
'which of these records have a text that their vendor shows to agents only';

-- ---------------------------------------------------------------------
-- The page
-- ---------------------------------------------------------------------

-- The candidates of a kind with their ranks.  A private text counts as empty, so words
-- that only stand there are not found.
CREATE FUNCTION zcsync._search_ranked(p_branch zcsync.search_branch, p_ids bigint[], p_hidden bigint[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('SELECT %1$L AS kind, t.account_id, t.local_id, t.remote_id, %2$s AS title, left(coalesce(%3$s, %2$s), 20000) AS body, t.updated_at, '
			'%4$L::regconfig AS language, %5$L::tsquery AS query, ts_rank(w.words, %9$L::tsquery) AS rank '
			'FROM zcsync.%1$I AS t CROSS JOIN LATERAL (SELECT %6$s AS words OFFSET 0) AS w '
			'WHERE t.local_id = ANY (%7$L::bigint[]) AND %8$s AND w.words @@ %5$L::tsquery',
		p_branch.kind, k.title, h.body, p_branch.language, p_branch.query,
		zcsync._search_expression(p_branch.kind, p_branch.language, p_branch.fields, h.body), p_ids, p_branch.condition,
		querytree(p_branch.query))		-- without the words to be left out, which cannot count for a rank
	FROM zcsync._search_kinds() AS k
	CROSS JOIN LATERAL (SELECT CASE WHEN k.c IS NULL THEN 'NULL::text' WHEN p_hidden = '{}' THEN k.c
		ELSE format('CASE WHEN t.local_id = ANY (%L::bigint[]) THEN NULL ELSE %s END', p_hidden, k.c) END) AS h (body)
	WHERE k.kind = p_branch.kind
$$;
COMMENT ON FUNCTION zcsync._search_ranked(zcsync.search_branch, bigint[], bigint[]) IS
'the query of candidates of a kind, with rank and text; the text of the records in the last argument is hidden';

-- Mistyped words are found by their trigrams, in the names and titles of records only.
CREATE FUNCTION zcsync._search_similar(p_branch zcsync.search_branch, p_words text, p_account bigint, p_rows integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('(SELECT %1$L AS kind, t.account_id, t.local_id, t.remote_id, %2$s AS title, NULL::text AS body, t.updated_at, '
			'NULL::regconfig AS language, NULL::tsquery AS query, %3$s.word_similarity(%4$L, %5$s) AS rank '
			'FROM zcsync.%1$I AS t WHERE (%5$s) OPERATOR(%3$s.%%>) %4$L AND %6$s%7$s ORDER BY rank DESC, t.local_id DESC LIMIT %8$s)',
		p_branch.kind, k.title, zcsync._trigram_schema(), p_words, p_branch.typos, p_branch.condition, coalesce(' AND t.account_id = ' || p_account, ''), p_rows)
	FROM zcsync._search_kinds() AS k WHERE k.kind = p_branch.kind
$$;
COMMENT ON FUNCTION zcsync._search_similar(zcsync.search_branch, text, bigint, integer) IS
'the query of the records of a kind whose names or titles resemble some words';

-- The whole page, made of the results of these queries.
CREATE FUNCTION zcsync._search_page(p_queries text[], p_list jsonb, p_rank real, p_local_id bigint, p_rows integer, p_similar boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
		WITH page AS MATERIALIZED (
			SELECT r.*, row_number() OVER (ORDER BY r.rank DESC, r.local_id DESC) AS n
			FROM (%1$s) AS r WHERE %2$s ORDER BY r.rank DESC, r.local_id DESC LIMIT %3$s + 1
		), next AS MATERIALIZED (
			SELECT zcsync._encode_cursor(%4$L, to_jsonb(p.rank), p.local_id) AS cursor
			FROM page AS p WHERE p.n = %3$s AND NOT %6$L AND EXISTS (SELECT FROM page AS m WHERE m.n > %3$s)
		)
		SELECT p.kind, a.name || '/' || p.kind || '/' || coalesce(p.remote_id, '#' || p.local_id), p.local_id, p.title,
			ts_headline(p.language, translate(p.body, %7$L, '   '), p.query, %5$L), p.rank, %6$L::boolean, p.updated_at,
			(SELECT x.cursor FROM next AS x), EXISTS (SELECT FROM next)
		FROM page AS p LEFT JOIN zcsync.accounts AS a ON a.account_id = p.account_id
		WHERE p.n <= %3$s ORDER BY p.n$sql$,
		array_to_string(p_queries, ' UNION ALL '),
		CASE WHEN p_local_id IS NULL THEN 'true' ELSE format('(r.rank, r.local_id) < (%L::real, %s)', p_rank, p_local_id) END, p_rows, p_list,
		'MaxFragments=2, MaxWords=20, MinWords=8, ShortWord=0, FragmentDelimiter=" … ", StartSel=«, StopSel=»', p_similar, E'\n\r\t')
$$;
COMMENT ON FUNCTION zcsync._search_page(text[], jsonb, real, bigint, integer, boolean) IS
'the query of a page of records that were found';

-- The queries of all candidates.  They run as the caller, so they read nothing that the
-- caller may not read.
CREATE FUNCTION zcsync._search_candidates(p_branches zcsync.search_branch[], p_account bigint, p_private boolean) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_branch zcsync.search_branch;
	v_ids bigint[];
	v_found zcsync.search_branch[] := '{}';
	v_found_ids text[] := '{}';		-- of each of them
	v_queries text[] := '{}';
BEGIN
	FOREACH v_branch IN ARRAY p_branches LOOP
		CONTINUE WHEN querytree(v_branch.query) IN ('', 'T');
		v_ids := CASE WHEN v_branch.is_indexed THEN zcsync._search_indexed(v_branch, p_account, 300)
			ELSE zcsync._search_newest(v_branch, p_account, 300) END;
		CONTINUE WHEN v_ids IS NULL;
		v_found := v_found || v_branch;
		v_found_ids := v_found_ids || v_ids::text;
	END LOOP;
	FOR i IN 1 .. cardinality(v_found) LOOP
		v_ids := (v_found_ids[i]::bigint[])[1 : greatest(100, 300 / cardinality(v_found))];
		v_queries := v_queries || zcsync._search_ranked(v_found[i], v_ids,
			CASE WHEN p_private THEN '{}' ELSE zcsync._private_texts(v_found[i].kind, v_ids) END);
	END LOOP;
	RETURN v_queries;
END
$$;
COMMENT ON FUNCTION zcsync._search_candidates(zcsync.search_branch[], bigint, boolean) IS
'the queries of the candidates of a search, one for each kind that has some';

-- Tell people what was not searched.
CREATE FUNCTION zcsync._search_notices(p_branches zcsync.search_branch[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_missing text[] := ARRAY(SELECT DISTINCT b.kind FROM unnest(p_branches) AS b WHERE NOT b.is_indexed ORDER BY b.kind);
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(p_branches) AS b WHERE querytree(b.query) NOT IN ('', 'T')) THEN
		RAISE NOTICE USING MESSAGE = 'there is no word to search for',
			DETAIL = 'Words such as "the" are not searched for, nor is what is only to be left out.';
	ELSIF v_missing <> '{}' THEN
		RAISE NOTICE USING MESSAGE = format('only the newest 1,000 records of %s were searched', array_to_string(v_missing, ', ')),
			DETAIL = 'They have no complete search index.',
			HINT = format('SELECT * FROM zcsync.enable_search(%L);', v_missing);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._search_notices(zcsync.search_branch[]) IS
'says what was not searched, and what to run';

CREATE FUNCTION zcsync.search(query text, kinds text[] DEFAULT NULL, account text DEFAULT NULL, include_private boolean DEFAULT false,
	cursor text DEFAULT NULL, page_size integer DEFAULT 20)
RETURNS TABLE (kind text, reference text, local_id bigint, title text, headline text, rank real, is_similar boolean, updated_at timestamptz,
	next_cursor text, has_more boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
SET max_parallel_workers_per_gather = 0	-- they take longer to start than a search
SET pg_trgm.word_similarity_threshold = 0.35	-- "pritner" resembles "printer" that much
SET jit = off
AS $$
DECLARE
	v_rows integer := zcsync._page_rows(search.page_size);
	v_account bigint := CASE WHEN search.account IS NOT NULL THEN zcsync.account(search.account) END;
	v_private boolean := coalesce(search.include_private, false);
	v_list jsonb := jsonb_build_array(format('a search for "%s" (%s)', zcsync._shorten(zcsync._check_query(search.query), 40),
		left(md5(concat(search.query, search.kinds, v_private)), 8)), 'rank', 'desc', search.account);
	v_kinds text[] := CASE WHEN search.kinds IS NOT NULL THEN zcsync._check_search_kinds(search.kinds)
		ELSE ARRAY(SELECT s.kind FROM zcsync._search_kinds() AS s
			WHERE s.kind = ANY (zcsync._default_search_kinds()) AND has_any_column_privilege(format('zcsync.%I', s.kind), 'SELECT')
				-- the text of a kind may be kept from those who may read all else of it
				AND coalesce(has_column_privilege(format('zcsync.%I', s.kind), s.c, 'SELECT'), true)) END;
	v_branches zcsync.search_branch[];
	v_queries text[];
	v_at record;
BEGIN
	IF v_private AND NOT has_function_privilege('zcsync._may_search_private()', 'EXECUTE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to search private text',
			HINT = format('GRANT EXECUTE ON FUNCTION zcsync._may_search_private TO %I;', current_user);
	END IF;
	SELECT NULL::text AS key, NULL::bigint AS local_id INTO v_at;
	IF search.cursor IS NOT NULL THEN
		v_at := zcsync._decode_cursor(search.cursor, v_list, 'real');
	END IF;
	v_branches := ARRAY(SELECT b FROM zcsync._search_branches(v_kinds, search.query, v_private) AS b);
	PERFORM zcsync._search_notices(v_branches);
	v_queries := zcsync._search_candidates(v_branches, v_account, v_private);
	IF v_queries <> '{}' THEN
		RETURN QUERY EXECUTE zcsync._search_page(v_queries, v_list, v_at.key::real, v_at.local_id, v_rows, false);
	ELSE
		-- Row security keeps the server from using an index of trigrams.
		v_queries := ARRAY(SELECT zcsync._search_similar(b, search.query, v_account, v_rows) FROM unnest(v_branches) AS b
			WHERE b.typos IS NOT NULL AND NOT row_security_active(format('zcsync.%I', b.kind)));
		IF v_queries <> '{}' THEN
			RETURN QUERY EXECUTE zcsync._search_page(v_queries, v_list, NULL, NULL, v_rows, true);
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.search(text, text[], text, boolean, text, integer) IS
'the records that contain some words, the best first, of these kinds or of all that have a search index; a query may have words, "a phrase", or, -not and begin*';

CREATE FUNCTION zcsync.search_tickets(query text, account text DEFAULT NULL, include_private boolean DEFAULT false, cursor text DEFAULT NULL,
	page_size integer DEFAULT 20)
RETURNS TABLE (reference text, local_id bigint, subject text, status text, priority text, headline text, rank real, is_similar boolean,
	updated_at timestamptz, next_cursor text, has_more boolean)
LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.reference, s.local_id, t.subject, t.status, t.priority, s.headline, s.rank, s.is_similar, s.updated_at, s.next_cursor, s.has_more
	FROM zcsync.search(search_tickets.query, '{tickets}', search_tickets.account, search_tickets.include_private, search_tickets.cursor,
		search_tickets.page_size) WITH ORDINALITY AS s
	CROSS JOIN LATERAL (SELECT t.subject, t.status, t.priority FROM zcsync.tickets AS t WHERE t.local_id = s.local_id OFFSET 0) AS t
	ORDER BY s.ordinality
$$;
COMMENT ON FUNCTION zcsync.search_tickets(text, text, boolean, text, integer) IS
'the tickets that contain some words, the best first';

CREATE FUNCTION zcsync.search_leads(query text, account text DEFAULT NULL, cursor text DEFAULT NULL, page_size integer DEFAULT 20)
RETURNS TABLE (reference text, local_id bigint, first_name text, last_name text, company text, title text, email text, stage text, quality integer,
	headline text, rank real, is_similar boolean, updated_at timestamptz, next_cursor text, has_more boolean)
LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.reference, s.local_id, l.first_name, l.last_name, l.company, l.title, l.email, l.stage, l.quality, s.headline, s.rank, s.is_similar,
		s.updated_at, s.next_cursor, s.has_more
	FROM zcsync.search(search_leads.query, '{leads}', search_leads.account, false, search_leads.cursor, search_leads.page_size) WITH ORDINALITY AS s
	CROSS JOIN LATERAL (SELECT l.first_name, l.last_name, l.company, l.title, l.email, l.stage, l.quality FROM zcsync.leads AS l
		WHERE l.local_id = s.local_id OFFSET 0) AS l
	ORDER BY s.ordinality
$$;
COMMENT ON FUNCTION zcsync.search_leads(text, text, text, integer) IS
'the leads that contain some words, the best first';
