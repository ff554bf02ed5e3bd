-- ---------------------------------------------------------------------
-- Functions that indexes are made of: the only ones of zcsync that a step of the
-- tables may call.  They are immutable and never change after a release, since
-- the entries of an index are what they once returned.
-- ---------------------------------------------------------------------

-- The addresses in a text, for the index that finds a task by the link to its
-- ticket; without fragments, which may hold the mark of a create.  At most 50, of 500 characters: an index has limits, and a text that
-- goes beyond is not one that a route wrote.
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

-- The address may have a name beside it, and a dot at its end.
CREATE FUNCTION zcsync._index_mail_domain(p_email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT left(substring(lower(p_email COLLATE "C") FROM '@([^@[:space:]<>(),;]*[^@[:space:]<>(),;.])[^@]*$'), 255);
END;
COMMENT ON FUNCTION zcsync._index_mail_domain(text) IS
'the domain of an e-mail address; NULL: it has none';

-- A client's domain is a text, in which people write several.
CREATE FUNCTION zcsync._index_domains(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
BEGIN ATOMIC
	SELECT ARRAY(SELECT left(regexp_replace(m.domain[1], '^www[.]', ''), 255)
		FROM regexp_matches(lower(p_text COLLATE "C"), '([a-z0-9][a-z0-9-]*(?:[.][a-z0-9][a-z0-9-]*)+)', 'g') AS m (domain) LIMIT 20);
END;
COMMENT ON FUNCTION zcsync._index_domains(text) IS
'the domains that a text names, at most 20';
