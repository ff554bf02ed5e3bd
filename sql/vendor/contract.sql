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
	create_only	text[],		-- those of them that only a new record can be given
	pull_class	text,		-- the budget of its pulls, if not "api"
	count_request	jsonb	-- a request whose reply has their number at count_path
);
COMMENT ON TYPE zcsync.vendor_kind IS
'a kind of records that a vendor has';

CREATE FUNCTION zcsync._describe_kind(kind text, written text[] DEFAULT '{}', create_only text[] DEFAULT '{}',
	pull_class text DEFAULT 'api', count_request jsonb DEFAULT NULL)
RETURNS zcsync.vendor_kind
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5;
END;
COMMENT ON FUNCTION zcsync._describe_kind(text, text[], text[], text, jsonb) IS
'a kind of records that a vendor has';

CREATE TYPE zcsync.vendor AS (
	name		text,		-- as in accounts.vendor
	title		text,		-- for people
	connector	text,		-- see src/connector.h; NULL: nothing is sent or read
	kinds		zcsync.vendor_kind[],
	settings	zcsync.vendor_setting[],
	credentials	zcsync.vendor_credentials[],
	write_batch	integer,	-- records that one call may write
	fetch_batch	integer,	-- records that one call may fetch by their ids
	refuses_scope	boolean,	-- a single write that is refused (403) may be so for want of a scope of the login
	probe_request	jsonb,	-- a cheap request that fails without valid credentials
	count_path	text[],		-- where a reply has a number of records
	-- hooks, see _vendor_hooks()
	base_url	regprocedure,
	budgets		regprocedure,
	check_account	regprocedure,
	discover	regprocedure,
	record_url	regprocedure,
	scope_check	regprocedure,
	pull_request	regprocedure,
	next		regprocedure,
	fetch_request	regprocedure,
	rows		regprocedure,
	push_requests	regprocedure,
	push_effect	regprocedure
);
COMMENT ON TYPE zcsync.vendor IS
'what a vendor provides; functions that return it are the vendors there are';
REVOKE ALL ON TYPE zcsync.vendor FROM PUBLIC;

CREATE FUNCTION zcsync._describe_vendor(name text, title text, connector text, kinds zcsync.vendor_kind[],
	settings zcsync.vendor_setting[] DEFAULT '{}', credentials zcsync.vendor_credentials[] DEFAULT '{}',
	write_batch integer DEFAULT 1, fetch_batch integer DEFAULT 1, refuses_scope boolean DEFAULT false,
	probe_request jsonb DEFAULT NULL, count_path text[] DEFAULT '{count}',
	base_url regprocedure DEFAULT NULL, budgets regprocedure DEFAULT NULL, check_account regprocedure DEFAULT NULL,
	discover regprocedure DEFAULT NULL, record_url regprocedure DEFAULT NULL, scope_check regprocedure DEFAULT NULL,
	pull_request regprocedure DEFAULT NULL, next regprocedure DEFAULT NULL, fetch_request regprocedure DEFAULT NULL,
	rows regprocedure DEFAULT NULL, push_requests regprocedure DEFAULT NULL, push_effect regprocedure DEFAULT NULL)
RETURNS zcsync.vendor
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23;
END;
COMMENT ON FUNCTION zcsync._describe_vendor(text, text, text, zcsync.vendor_kind[], zcsync.vendor_setting[], zcsync.vendor_credentials[],
	integer, integer, boolean, jsonb, text[], regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure,
	regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure) IS
'the descriptor of a vendor';

-- What each hook takes and returns, and when a vendor must have it: always
-- (all that have a connector), if it writes a kind, or never.
CREATE FUNCTION zcsync._vendor_hooks() RETURNS TABLE (hook text, needed text, arguments regtype[], result text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT h.hook, h.needed, h.arguments::regtype[], h.result
	FROM (VALUES
		-- the address that requests begin with, by the settings; NULL while one is missing
		('base_url', 'always', '{jsonb}', 'text'),
		-- what an account may send, by its settings
		('budgets', 'always', '{jsonb}', 'TABLE(class text, calls integer, window_s double precision, concurrency integer)'),
		-- the live part of check_account(): of an account; if missing, probe_request is sent
		('check_account', 'never', '{bigint}', 'TABLE(item text, ok boolean, message text, hint text)'),
		-- what an account has, to be read and kept now
		('discover', 'never', '{bigint}', 'TABLE(kind text, id text, path text, detail jsonb)'),
		-- where people look at a record: settings, kind, remote id
		('record_url', 'never', '{jsonb,text,text}', 'text'),
		-- raise an error unless a stream of this kind can have this scope; if missing, it can have none
		('scope_check', 'never', '{text,jsonb}', 'void'),
		-- the next request of a stream and lane (live or history); NULL: nothing is to be asked now
		('pull_request', 'always', '{bigint,text}', 'jsonb'),
		-- where a lane goes on: stream, lane, request, reply
		('next', 'always', '{bigint,text,jsonb,jsonb}', 'TABLE(cursor jsonb, more boolean, run_after interval)'),
		-- the request for records of a stream by their ids, {"ids": [...]}
		('fetch_request', 'never', '{bigint,jsonb}', 'jsonb'),
		-- the records of a reply, also of other kinds: account, kind, request, reply.  vals has all own
		-- columns as to_jsonb() prints them in UTC; remote_id is the "id" of the document
		('rows', 'always', '{bigint,text,jsonb,jsonb}',
			'TABLE(kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)'),
		-- what to send for push jobs; NULL: nothing is left to send
		('push_requests', 'to write', '{bigint[]}', 'TABLE(job_id bigint, request jsonb)'),
		-- what the reply to a push means: request, reply, base, sync_key -> {status, doc, agreed}
		('push_effect', 'to write', '{jsonb,jsonb,jsonb,text}', 'jsonb')
	) AS h (hook, needed, arguments, result);
END;
COMMENT ON FUNCTION zcsync._vendor_hooks() IS
'the functions that a vendor provides: their arguments and results';
