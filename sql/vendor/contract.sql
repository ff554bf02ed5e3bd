-- ---------------------------------------------------------------------
-- What a vendor must provide.  doc/new-vendor.md tells how to make one.
--
-- A vendor is a descriptor: a function without arguments that returns
-- zcsync.vendor, belongs to a superuser and has a BEGIN ATOMIC body, which makes
-- it depend on the functions that it names.  It is found by its result type
-- (src/vendor.c); no table lists vendors.  All that is known about a vendor
-- stands in its descriptor, in the functions that this names (its hooks) and
-- in its connector (src/connector.h).
--
-- _describe_vendor() and its like make these rows from named arguments; what
-- a vendor does not have is left out.  _vendor_hooks() says which arguments a hook
-- takes and what it returns; _check_vendor() holds a descriptor to that.
-- ---------------------------------------------------------------------

-- A setting of an account.
CREATE TYPE zcsync.vendor_setting AS (
	key			text,
	type		text,		-- of JSON: string, number, boolean, object
	pattern		text,		-- what the text must match; NULL: anything
	hint		text,		-- what a right value looks like
	identifies	boolean,	-- names the account there: ids mean something else under another value
	is_address	boolean,	-- is an address that is called
	from_number	boolean,	-- a text that people may give as a number
	missing		text		-- the hint where the address cannot be told without it
);
COMMENT ON TYPE zcsync.vendor_setting IS
'a setting that accounts of a vendor have';

CREATE FUNCTION zcsync._describe_setting(key text, type text, pattern text, hint text, identifies boolean DEFAULT false,
	is_address boolean DEFAULT false, from_number boolean DEFAULT false, missing text DEFAULT NULL)
RETURNS zcsync.vendor_setting
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5, $6, $7, $8;
END;
COMMENT ON FUNCTION zcsync._describe_setting(text, text, text, text, boolean, boolean, boolean, text) IS
'a setting that accounts of a vendor have';

-- A set of credentials that opens an account.
CREATE TYPE zcsync.vendor_credentials AS (
	required	text[],
	optional	text[]
);
COMMENT ON TYPE zcsync.vendor_credentials IS
'a set of credentials that opens an account';

-- One kind of records of a vendor.
CREATE TYPE zcsync.vendor_kind AS (
	kind		text,
	written		text[],		-- columns that a push may send; {}: it is only read
	create_only	text[]		-- those of them that only a new record can be given
);
COMMENT ON TYPE zcsync.vendor_kind IS
'a kind of records that a vendor has';

CREATE FUNCTION zcsync._describe_kind(kind text, written text[] DEFAULT '{}', create_only text[] DEFAULT '{}')
RETURNS zcsync.vendor_kind
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3;
END;
COMMENT ON FUNCTION zcsync._describe_kind(text, text[], text[]) IS
'a kind of records that a vendor has';

CREATE TYPE zcsync.vendor AS (
	name		text,		-- as in accounts.vendor
	title		text,		-- for people
	connector	text,		-- see src/connector.h; NULL: nothing is sent or read
	kinds		zcsync.vendor_kind[],
	settings	zcsync.vendor_setting[],
	credentials	zcsync.vendor_credentials[],
	write_batch	integer,	-- records that one call may write
	-- hooks, see _vendor_hooks()
	base_url	regprocedure,
	budgets		regprocedure
);
COMMENT ON TYPE zcsync.vendor IS
'what a vendor provides; functions that return it are the vendors there are';
REVOKE ALL ON TYPE zcsync.vendor FROM PUBLIC;

CREATE FUNCTION zcsync._describe_vendor(name text, title text, connector text, kinds zcsync.vendor_kind[],
	settings zcsync.vendor_setting[] DEFAULT '{}', credentials zcsync.vendor_credentials[] DEFAULT '{}',
	write_batch integer DEFAULT 1, base_url regprocedure DEFAULT NULL, budgets regprocedure DEFAULT NULL)
RETURNS zcsync.vendor
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9;
END;
COMMENT ON FUNCTION zcsync._describe_vendor(text, text, text, zcsync.vendor_kind[], zcsync.vendor_setting[],
	zcsync.vendor_credentials[], integer, regprocedure, regprocedure) IS
'the descriptor of a vendor';

-- What each hook takes and returns.  A vendor with a connector must have those
-- that are needed.
CREATE FUNCTION zcsync._vendor_hooks() RETURNS TABLE (hook text, needed boolean, arguments regtype[], result text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT h.hook, h.needed, h.arguments::regtype[], h.result
	FROM (VALUES
		-- the address that requests begin with, by the settings; NULL while one is missing
		('base_url', true, '{jsonb}', 'text'),
		-- what an account may send, by its settings
		('budgets', true, '{jsonb}', 'TABLE(class text, calls integer, window_s double precision, concurrency integer)')
	) AS h (hook, needed, arguments, result);
END;
COMMENT ON FUNCTION zcsync._vendor_hooks() IS
'the functions that a vendor provides: their arguments and results';
