-- ---------------------------------------------------------------------
-- Search indexes: the words of records, made on request.
--
-- With them pages are stored at about half the rate, so setup() makes none.
-- enable_search() notes in search_indexes what is wanted, and makes the indexes, or
-- returns the statements that make them while others write.  Each call looks into
-- the catalog for what is wanted and missing, so a call that failed half way is
-- completed by calling again.
--
-- leads is a table by month, so its index has a part for each month.  A new month
-- gets the indexes that the whole table has.
--
-- Where whole records are private (comments), these have an index of their own.
-- ---------------------------------------------------------------------

-- What is searched of each kind, as SQL over its columns: the name or title of a
-- record has weight A, what else names it B, its text C.  Custom fields have
-- weight D.
CREATE FUNCTION zcsync._search_kinds() RETURNS TABLE (kind text, newest text, title text, a text, b text, c text, live text, public text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT k.kind, k.newest, k.title, k.a, k.b, k.c, k.live, k.public
	FROM (VALUES
		('tickets', 'created_at', 'subject', 'subject', NULL, 'description', 'deleted_at IS NULL', NULL),
		('tasks', 'created_at', 'name', 'name', NULL, 'description', 'deleted_at IS NULL', NULL),
		('leads', 'created_at', $$concat_ws(', ', nullif(concat_ws(' ', first_name, last_name), ''), company)$$,
			$$coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(company, '')$$,
			$$coalesce(summary, '') || ' ' || coalesce(title, '') || ' ' || coalesce(email, '')$$, 'description',
			'deleted_at IS NULL AND merged_into IS NULL', NULL),
		('comments', 'local_id', $$concat_ws(', ', author_name, parent_kind || '/' || parent_id)$$, NULL, 'author_name', 'body',
			'deleted_at IS NULL', 'is_private IS FALSE'),
		('contacts', 'local_id', 'name', 'name', 'email', NULL, 'deleted_at IS NULL', NULL),
		('companies', 'local_id', 'name', 'name', $$coalesce(domain, '') || ' ' || coalesce(website, '')$$, NULL, 'deleted_at IS NULL', NULL)
	) AS k (kind, newest, title, a, b, c, live, public);
END;
COMMENT ON FUNCTION zcsync._search_kinds() IS
'the kinds that can be searched: the column that says which records are the newest, the title, the texts by weight, and the conditions for records that exist and for public ones';

-- The kinds that the caller named, each once; all if none was named.
CREATE FUNCTION zcsync._check_search_kinds(p_kinds text[]) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_all text[] := ARRAY(SELECT k.kind FROM zcsync._search_kinds() AS k);
BEGIN
	IF NOT p_kinds <@ v_all OR cardinality(p_kinds) = 0 OR array_position(p_kinds, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid kinds "%s"', zcsync._shorten(array_to_string(p_kinds, ', ', 'NULL'), 80)),
			HINT = format('Kinds that can be searched are: %s.', array_to_string(v_all, ', '));
	END IF;
	RETURN ARRAY(SELECT k FROM unnest(v_all) AS k WHERE p_kinds IS NULL OR k = ANY (p_kinds));
END
$$;
COMMENT ON FUNCTION zcsync._check_search_kinds(text[]) IS
'these kinds, or all that can be searched; an error if one of them cannot be';

-- The expression of an index, which a query must repeat word for word.  p_text, if
-- given, takes the place of the text of weight C.
CREATE FUNCTION zcsync._search_expression(p_kind text, p_language text, p_fields text[], p_text text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('zcsync._index_search(%L::regconfig, %s, %s, %s, %s)', p_language, coalesce(k.a, 'NULL::text'), coalesce(k.b, 'NULL::text'),
		coalesce(CASE WHEN k.c IS NOT NULL THEN p_text END, k.c, 'NULL::text'),
		coalesce((SELECT string_agg(format('coalesce(custom_fields ->> %L, %L)', f.name, ''), ' || '' '' || ' ORDER BY f.n)
			FROM unnest(p_fields) WITH ORDINALITY AS f (name, n)), 'NULL::text'))
	FROM zcsync._search_kinds() AS k WHERE k.kind = p_kind
$$;
COMMENT ON FUNCTION zcsync._search_expression(text, text, text[], text) IS
'the weighted words of a record of a kind, as SQL over its columns';

-- The indexes of a kind differ by a suffix of their names.
CREATE FUNCTION zcsync._wanted_search_indexes(p_kind text) RETURNS TABLE (suffix text, method text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT x.suffix, x.method
	FROM zcsync.search_indexes AS s
	JOIN zcsync._search_kinds() AS k ON k.kind = s.kind
	CROSS JOIN LATERAL (SELECT zcsync._search_expression(s.kind, s.language, s.fields)) AS e (words)
	CROSS JOIN LATERAL (VALUES
		('search', format('USING gin (%s zcsync.search_ops)', e.words) || coalesce(' WHERE ' || k.public, ''), true),
		('search_private', format('USING gin (%s zcsync.search_ops) WHERE (%s) IS NOT TRUE', e.words, k.public), k.public IS NOT NULL),
		('search_typos', format('USING gin ((%s) %s.gin_trgm_ops)', k.a, zcsync._trigram_schema()),
			s.typos AND k.a IS NOT NULL AND zcsync._trigram_schema() IS NOT NULL)) AS x (suffix, method, wanted)
	WHERE s.kind = p_kind AND x.wanted
$$;
COMMENT ON FUNCTION zcsync._wanted_search_indexes(text) IS
'the indexes that a kind with search enabled should have: the suffix of the name, and what follows the name of the table in CREATE INDEX';

-- Is there an index of this name, and can queries use it?  NULL: there is none.
CREATE FUNCTION zcsync._index_is_valid(p_name text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.indisvalid AND i.indisready FROM pg_index AS i WHERE i.indexrelid = to_regclass(format('zcsync.%I', p_name))
$$;
COMMENT ON FUNCTION zcsync._index_is_valid(text) IS
'is the index of zcsync with this name complete? NULL if there is none';

-- When CREATE INDEX CONCURRENTLY fails, it leaves an invalid index, which no query uses
-- but each write maintains.  So that is dropped first.
CREATE FUNCTION zcsync._index_statements(p_name text, p_table text, p_method text, p_concurrently boolean) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.statement
	FROM (SELECT zcsync._index_is_valid(p_name), CASE WHEN p_concurrently THEN 'CONCURRENTLY ' ELSE '' END) AS i (valid, how)
	CROSS JOIN LATERAL (VALUES
		(1, format('DROP INDEX %szcsync.%I', i.how, p_name), NOT i.valid),
		(2, format('CREATE INDEX %s%I ON zcsync.%I %s', i.how, p_name, p_table, p_method), i.valid IS NOT TRUE)) AS s (n, statement, needed)
	WHERE s.needed
	ORDER BY s.n
$$;
COMMENT ON FUNCTION zcsync._index_statements(text, text, text, boolean) IS
'the statements that make an index of a table, or make it anew if it is invalid; none if it is valid';

-- First the whole table gets its index, which is invalid until each month has its own.
CREATE FUNCTION zcsync._month_index_statements(p_name text, p_table text, p_suffix text, p_method text, p_concurrently boolean)
RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.statement
	FROM (
		SELECT 0, '', 0, format('CREATE INDEX %I ON ONLY zcsync.%I %s', p_name, p_table, p_method)
		WHERE zcsync._index_is_valid(p_name) IS NULL
		UNION ALL
		SELECT 1, c.relname, x.n, x.statement
		FROM pg_inherits AS h
		JOIN pg_class AS c ON c.oid = h.inhrelid
		CROSS JOIN LATERAL (SELECT c.relname || '_' || p_suffix) AS m (name)
		CROSS JOIN LATERAL (
			SELECT 1, i FROM zcsync._index_statements(m.name, c.relname, p_method, p_concurrently) AS i
			UNION ALL
			SELECT 2, format('ALTER INDEX zcsync.%I ATTACH PARTITION zcsync.%I', p_name, m.name)) AS x (n, statement)
		WHERE h.inhparent = to_regclass(format('zcsync.%I', p_table))
			AND NOT EXISTS (SELECT FROM pg_inherits AS p JOIN pg_index AS i ON i.indexrelid = p.inhrelid
				WHERE p.inhparent = to_regclass(format('zcsync.%I', p_name)) AND i.indrelid = c.oid AND i.indisvalid)
	) AS s (place, partition, n, statement)
	ORDER BY s.place, s.partition, s.n
$$;
COMMENT ON FUNCTION zcsync._month_index_statements(text, text, text, text, boolean) IS
'the statements that make an index of a table by month, month by month; none if each has it';

CREATE FUNCTION zcsync._search_statements(p_kind text, p_concurrently boolean) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.statement
	FROM zcsync._wanted_search_indexes(p_kind) AS w
	JOIN pg_class AS t ON t.oid = to_regclass(format('zcsync.%I', p_kind))
	CROSS JOIN LATERAL (SELECT format('idx_%s_%s', p_kind, w.suffix)) AS i (name)
	CROSS JOIN LATERAL (
		SELECT x, 0 FROM zcsync._index_statements(i.name, p_kind, w.method, p_concurrently) AS x
		WHERE t.relkind = 'r' OR (NOT p_concurrently AND zcsync._index_is_valid(i.name) IS NULL)
		UNION ALL
		SELECT x.statement, x.n
		FROM zcsync._month_index_statements(i.name, p_kind, w.suffix, w.method, p_concurrently) WITH ORDINALITY AS x (statement, n)
		WHERE t.relkind = 'p' AND (p_concurrently OR zcsync._index_is_valid(i.name) IS NOT NULL)) AS s (statement, n)
	ORDER BY w.suffix, s.n
$$;
COMMENT ON FUNCTION zcsync._search_statements(text, boolean) IS
'the statements that make the search indexes that a kind is to have and lacks, in their order';

-- A role that writes a row evaluates the expressions of its indexes, so it must be
-- allowed to call what they call.
CREATE FUNCTION zcsync._search_writers(p_kind text) RETURNS SETOF regrole
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT g.grantee::regrole
	FROM pg_class AS c
	CROSS JOIN LATERAL (
		SELECT x.grantee, x.privilege_type FROM aclexplode(c.relacl) AS x
		UNION ALL
		SELECT x.grantee, x.privilege_type FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS x WHERE a.attrelid = c.oid) AS g
	WHERE c.oid = to_regclass(format('zcsync.%I', p_kind)) AND g.privilege_type IN ('INSERT', 'UPDATE') AND g.grantee <> 0
		AND NOT has_function_privilege(g.grantee, 'zcsync._index_search(regconfig, text, text, text, text)'::regprocedure, 'EXECUTE')
$$;
COMMENT ON FUNCTION zcsync._search_writers(text) IS
'roles that may write rows of a kind and may not execute the function that its search index calls for each';

-- The name of a text search configuration, as search_indexes has it; NULL if it was
-- dropped or renamed since.
CREATE FUNCTION zcsync._text_search(p_language text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p_language FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace WHERE format('%I.%I', n.nspname, c.cfgname) = p_language
$$;
COMMENT ON FUNCTION zcsync._text_search(text) IS
'the name of a text search configuration, if it exists';

-- Remember how a kind is to be indexed, so that its indexes can be made anew.
CREATE FUNCTION zcsync._note_search(p_kind text, p_language regconfig, p_fields text[], p_typos boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_language text := (SELECT format('%I.%I', n.nspname, c.cfgname) FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
		WHERE c.oid = p_language);
	v_noted zcsync.search_indexes;
BEGIN
	SELECT * INTO v_noted FROM zcsync.search_indexes AS s WHERE s.kind = p_kind;
	IF v_noted IS NULL THEN
		INSERT INTO zcsync.search_indexes (kind, language, fields, typos)
		VALUES (p_kind, coalesce(v_language, 'pg_catalog.simple'), coalesce(p_fields, '{}'),
			coalesce(p_typos, zcsync._trigram_schema() IS NOT NULL));
	ELSIF v_noted.language <> v_language OR v_noted.fields <> p_fields THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the search index of %s is made for another language or other fields', p_kind),
			DETAIL = format('It has language %s and fields %s.', v_noted.language, v_noted.fields),
			HINT = format('SELECT * FROM zcsync.disable_search(%L);', ARRAY[p_kind]);
	ELSIF v_noted.typos <> p_typos THEN
		UPDATE zcsync.search_indexes SET typos = p_typos WHERE search_indexes.kind = p_kind;
		EXECUTE format('DROP INDEX IF EXISTS zcsync.%I', format('idx_%s_search_typos', p_kind));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_search(text, regconfig, text[], boolean) IS
'notes how the text of a kind is to be indexed; an error if it is indexed in another way';

CREATE FUNCTION zcsync.enable_search(kinds text[] DEFAULT NULL, language regconfig DEFAULT NULL, fields text[] DEFAULT NULL,
	typos boolean DEFAULT NULL, "concurrently" boolean DEFAULT false)
RETURNS TABLE (kind text, action text, statement text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
	v_role regrole;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF enable_search.typos AND zcsync._trigram_schema() IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'words with typing errors are found by the extension pg_trgm, which is not installed',
			HINT = 'CREATE EXTENSION pg_trgm;';
	END IF;
	FOREACH kind IN ARRAY zcsync._check_search_kinds(enable_search.kinds) LOOP
		PERFORM zcsync._note_search(kind, enable_search.language, enable_search.fields, enable_search.typos);
		FOR v_role IN SELECT w FROM zcsync._search_writers(kind) AS w LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION zcsync._index_search TO %s', v_role);
		END LOOP;
		action := NULL;
		-- the planner needs statistics to know how many rows an account has
		FOR statement IN
			SELECT s FROM zcsync._search_statements(kind, enable_search."concurrently") AS s
			UNION ALL SELECT format('ANALYZE zcsync.%I', kind) WHERE EXISTS (SELECT FROM zcsync._search_statements(kind, true))
		LOOP
			action := CASE WHEN enable_search."concurrently" THEN 'to run' ELSE 'done' END;
			IF NOT enable_search."concurrently" THEN
				EXECUTE statement;
			END IF;
			RETURN NEXT;
		END LOOP;
		IF action IS NULL THEN
			action := 'kept';
			statement := NULL;
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync.enable_search(text[], regconfig, text[], boolean, boolean) IS
'makes the search indexes of these kinds, or of all, in a language and with these custom fields; with concurrently, returns the statements that make them while others write';

CREATE FUNCTION zcsync.disable_search(kinds text[] DEFAULT NULL) RETURNS TABLE (kind text, action text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
	v_suffix text;
	v_index text;
BEGIN
	PERFORM zcsync._refuse_standby();
	FOREACH kind IN ARRAY zcsync._check_search_kinds(disable_search.kinds) LOOP
		FOREACH v_suffix IN ARRAY '{search,search_private,search_typos}'::text[] LOOP
			EXECUTE format('DROP INDEX IF EXISTS zcsync.%I', format('idx_%s_%s', kind, v_suffix));
			-- indexes of months that are not attached to the whole yet
			FOR v_index IN
				SELECT format('%s_%s', c.relname, v_suffix) FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhrelid
				WHERE h.inhparent = to_regclass(format('zcsync.%I', kind))
			LOOP
				EXECUTE format('DROP INDEX IF EXISTS zcsync.%I', v_index);
			END LOOP;
		END LOOP;
		DELETE FROM zcsync.search_indexes AS s WHERE s.kind = disable_search.kind;
		action := CASE WHEN FOUND THEN 'disabled' ELSE 'was not enabled' END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync.disable_search(text[]) IS
'drops the search indexes of these kinds, or of all; zcsync.search() then reads the newest records only';

-- ---------------------------------------------------------------------
-- Checks
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_search() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_incomplete text[];
	v_lost text[];
	v_writers text;
BEGIN
	IF to_regclass('zcsync.search_indexes') IS NULL OR NOT EXISTS (SELECT FROM zcsync.search_indexes) THEN
		RETURN;
	END IF;
	SELECT array_agg(s.kind ORDER BY s.kind) INTO v_incomplete
	FROM zcsync.search_indexes AS s
	WHERE EXISTS (		-- The index of a whole table is valid when those of all its months are.
		SELECT FROM zcsync._wanted_search_indexes(s.kind) AS w WHERE zcsync._index_is_valid(format('idx_%s_%s', s.kind, w.suffix)) IS NOT TRUE);
	SELECT array_agg(s.kind ORDER BY s.kind) INTO v_lost FROM zcsync.search_indexes AS s WHERE zcsync._text_search(s.language) IS NULL;
	SELECT string_agg(DISTINCT w::text, ', ') INTO v_writers FROM zcsync.search_indexes AS s CROSS JOIN LATERAL zcsync._search_writers(s.kind) AS w;
	item := 'search';
	ok := v_incomplete IS NULL AND v_lost IS NULL AND v_writers IS NULL;
	message := CASE
		WHEN v_writers IS NOT NULL THEN format('%s cannot write rows: a search index calls a function that they may not execute', v_writers)
		WHEN v_lost IS NOT NULL THEN format('the text search configuration of the search index of %s was renamed or dropped', array_to_string(v_lost, ', '))
		WHEN v_incomplete IS NOT NULL THEN format('a search index of %s is missing or invalid', array_to_string(v_incomplete, ', '))
		ELSE 'the search indexes are complete' END;
	hint := CASE
		WHEN v_writers IS NOT NULL THEN format('GRANT EXECUTE ON FUNCTION zcsync._index_search TO %s;', v_writers)
		WHEN v_lost IS NOT NULL THEN format('SELECT action FROM zcsync.disable_search(%1$L); SELECT action FROM zcsync.enable_search(%1$L, ''<language>'');', v_lost)
		WHEN v_incomplete IS NOT NULL THEN format(E'SELECT statement FROM zcsync.enable_search(%L, concurrently => true) \\gexec', v_incomplete) END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_search() IS
'the part of zcsync.selfcheck() about search indexes';

CREATE FUNCTION zcsync._search_remarks() RETURNS SETOF zcsync.remark
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 62, c.* FROM zcsync._check_search() AS c
$$;
COMMENT ON FUNCTION zcsync._search_remarks() IS
'what zcsync.selfcheck() asks of search indexes';
