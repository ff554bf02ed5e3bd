-- ---------------------------------------------------------------------
-- Functions on which indexes are built: the only functions of zcsync that a step of the
-- tables may call.  They are immutable and never change after a release, since the
-- entries of an index hold what they returned when the entry was made.
-- ---------------------------------------------------------------------

-- The web addresses in a text, for the index that finds a task by the link to its
-- ticket; without fragments, which may contain the mark of a create.  At most 50
-- addresses of at most 500 characters: an index has limits, and a text with more than
-- that was not written by a route.
CREATE FUNCTION zcsync._index_links(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
BEGIN ATOMIC
	SELECT ARRAY(
		SELECT left(rtrim(m.link[1], '.,;:!?'), 500)
		FROM regexp_matches(p_text, E'https?://[^[:space:]<>"'')\\]#]+', 'g') AS m (link)
		LIMIT 50);
END;
COMMENT ON FUNCTION zcsync._index_links(text) IS
'the web addresses in a text, without fragments, at most 50';

-- The address may come with a name, and with a dot at its end.
CREATE FUNCTION zcsync._index_mail_domain(p_email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT left(substring(lower(p_email COLLATE "C") FROM '@([^@[:space:]<>(),;]*[^@[:space:]<>(),;.])[^@]*$'), 255);
END;
COMMENT ON FUNCTION zcsync._index_mail_domain(text) IS
'the domain of an e-mail address; NULL: it has none';

-- The domain of a client is a text, into which people may write several domains.
CREATE FUNCTION zcsync._index_domains(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
BEGIN ATOMIC
	SELECT ARRAY(SELECT left(regexp_replace(m.domain[1], '^www[.]', ''), 255)
		FROM regexp_matches(lower(p_text COLLATE "C"), '([a-z0-9][a-z0-9-]*(?:[.][a-z0-9][a-z0-9-]*)+)', 'g') AS m (domain) LIMIT 20);
END;
COMMENT ON FUNCTION zcsync._index_domains(text) IS
'the domains that a text names, at most 20';

-- Search indexes are made of it when somebody asks for them (read/search_indexes.sql).
-- The language is an argument, so that it is pinned in the expression of the index:
-- dumps write it with its schema, and no setting of a session matters.
CREATE FUNCTION zcsync._index_search(p_language regconfig, p_a text, p_b text, p_c text, p_d text) RETURNS tsvector
LANGUAGE c IMMUTABLE PARALLEL SAFE LEAKPROOF COST 100000	-- never for rows one by one where an index can tell
AS 'MODULE_PATHNAME', 'zcsync_sql_index_search';
COMMENT ON FUNCTION zcsync._index_search(regconfig, text, text, text, text) IS
'the words of four texts with the weights A to D, of the first 100,000 bytes of the third and 20,000 of the others';

-- The planner asks an index for a condition of a user only after the policies of
-- row security, unless the condition is known to tell nothing of rows that these
-- hide.  The server's own operator @@ is not marked so, though all it does is to
-- compare.  Whoever is subject to a policy could not use a search index by it;
-- hence an operator and an operator class that differ in that mark.
--
-- And in another thing: the planner takes it for true of one row in a thousand,
-- so that it asks the index.  It would else not do that for words that most rows
-- have, and parse the text of each instead.
CREATE FUNCTION zcsync._matches(p_words tsvector, p_query tsquery) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'ts_match_vq';
COMMENT ON FUNCTION zcsync._matches(tsvector, tsquery) IS
'the operator @@ of words and a query, which an index may answer also for those who are subject to row security';

CREATE OPERATOR zcsync.@@ (
	FUNCTION = zcsync._matches, LEFTARG = tsvector, RIGHTARG = tsquery,
	RESTRICT = contsel, JOIN = contjoinsel);
COMMENT ON OPERATOR zcsync.@@ (tsvector, tsquery) IS
'do words match a query?';

CREATE OPERATOR CLASS zcsync.search_ops FOR TYPE tsvector USING gin AS
	OPERATOR 1 zcsync.@@ (tsvector, tsquery),
	FUNCTION 1 gin_cmp_tslexeme(text, text),
	FUNCTION 2 gin_extract_tsvector(tsvector, internal, internal),
	FUNCTION 3 gin_extract_tsquery(tsvector, internal, int2, internal, internal, internal, internal),
	FUNCTION 4 gin_tsquery_consistent(internal, int2, tsvector, int4, internal, internal, internal, internal),
	FUNCTION 5 gin_cmp_prefix(text, text, int2, internal),
	FUNCTION 6 gin_tsquery_triconsistent(internal, int2, tsvector, int4, internal, internal, internal),
	STORAGE text;
COMMENT ON OPERATOR CLASS zcsync.search_ops USING gin IS
'the class tsvector_ops with the operator zcsync.@@';
