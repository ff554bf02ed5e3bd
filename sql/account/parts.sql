-- ---------------------------------------------------------------------
-- What belongs to an account, and what is done when an account is added, changed or
-- removed.
--
-- This room knows no queue, no mirror and no route.  A room that keeps something for
-- accounts registers it with a function that has no arguments and returns
-- zcsync.account_part; src/registry.c finds the function by that type.  Rows that are
-- simply deleted with their account need no part: their foreign key is ON DELETE
-- CASCADE.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.account_part AS (
	name text,				-- what people call these: streams, routes, jobs
	place integer,			-- the order in which parts are called and removed
	added regprocedure,		-- (account) returns void: an account was added
	altered regprocedure,	-- (account) returns void: the account's settings were changed
	count regprocedure,		-- (account) returns bigint: how many there are; remove_account() refuses to delete them without force
	remove regprocedure,	-- (account) returns text: removes them and says how many; NULL where count has said it, or it need not be said
	removing regprocedure,	-- (account) returns void: the account is about to be removed; locks what others lock before they refer to it
	first text				-- the statement that removes what would stay at the vendor, with %L for the name of the account
);
COMMENT ON TYPE zcsync.account_part IS
'something that belongs to an account: what is called when an account is added, altered or removed';

CREATE FUNCTION zcsync._describe_account_part(p_name text, p_place integer, p_added regprocedure DEFAULT NULL,
	p_altered regprocedure DEFAULT NULL, p_count regprocedure DEFAULT NULL, p_remove regprocedure DEFAULT NULL, p_removing regprocedure DEFAULT NULL,
	p_first text DEFAULT NULL)
RETURNS zcsync.account_part
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_name, p_place, p_added, p_altered, p_count, p_remove, p_removing, p_first)::zcsync.account_part;
END;
COMMENT ON FUNCTION zcsync._describe_account_part(text, integer, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, text) IS
'something that belongs to an account, by its parts';

CREATE FUNCTION zcsync._account_parts() RETURNS SETOF zcsync.account_part
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptors';
COMMENT ON FUNCTION zcsync._account_parts() IS
'what belongs to an account, wherever it is defined';

CREATE FUNCTION zcsync._tell_account_part(p_hook regprocedure, p_account bigint) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._tell_account_part(regprocedure, bigint) IS
'calls the hook added, altered or removing of something that belongs to an account';

CREATE FUNCTION zcsync._count_account_part(p_hook regprocedure, p_account bigint) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._count_account_part(regprocedure, bigint) IS
'calls the hook count of something that belongs to an account';

CREATE FUNCTION zcsync._remove_account_part(p_hook regprocedure, p_account bigint) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._remove_account_part(regprocedure, bigint) IS
'calls the hook remove of something that belongs to an account';

-- What keeps an account from being removed, or from being turned into another one.
-- used is the name of the first part that has something, NULL if none has; counts has
-- the number for each part, and first the statements to run first; a part with such a
-- statement is mentioned only if it has something.
CREATE FUNCTION zcsync._account_use(p_account bigint, OUT used text, OUT counts text[], OUT first text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (array_agg(p.name ORDER BY p.place) FILTER (WHERE p.number > 0))[1],
		coalesce(array_agg(format('%s: %s', p.name, p.number) ORDER BY p.place) FILTER (WHERE p.number > 0 OR p.first IS NULL), '{}'),
		string_agg(p.first, ' ' ORDER BY p.place) FILTER (WHERE p.number > 0)
	FROM (
		SELECT a.name, a.place, a.first, zcsync._count_account_part(a.count, p_account) AS number
		FROM zcsync._account_parts() AS a WHERE a.count IS NOT NULL OFFSET 0) AS p
$$;
COMMENT ON FUNCTION zcsync._account_use(bigint) IS
'what an account has that is removed with force only';

CREATE FUNCTION zcsync._account_sentence(p_parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT upper(left(s.said, 1) COLLATE "C") || substr(s.said, 2) || '.' FROM (SELECT array_to_string(p_parts, ', ')) AS s (said);
END;
COMMENT ON FUNCTION zcsync._account_sentence(text[]) IS
'counts of what belongs to an account as a sentence';
