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
