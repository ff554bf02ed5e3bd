-- ---------------------------------------------------------------------
-- What a vendor must provide.  doc/new-vendor.md tells how to make one.
--
-- A vendor is a descriptor: a function without arguments that returns zcsync.vendor and
-- belongs to a superuser.  Its body is BEGIN ATOMIC, so that it depends on the
-- functions that it names.  src/registry.c finds it by its result type; no table lists
-- vendors.  All that zcsync knows about a vendor stands in its descriptor, in the
-- functions that the descriptor names (its hooks), and in its connector
-- (src/connector.h).
--
-- _describe_vendor() and similar functions make these rows from named arguments; what a
-- vendor does not have is left out.  _vendor_hooks() says which arguments a hook takes
-- and what it returns; _check_vendor() raises an error if a descriptor does not fit.
-- ---------------------------------------------------------------------

-- A setting of an account.
CREATE TYPE zcsync.vendor_setting AS (
	key			text,
	type		text,		-- of JSON: string, number, boolean, object
	pattern		text,		-- what the text must match; NULL: anything
	hint		text,		-- what a right value looks like
	identifies	boolean,	-- it names the account at the vendor: under another value the same ids belong to other records
	is_address	boolean,	-- it is an address to which requests are sent
	from_number	boolean,	-- it is a text, but people may give it as a number
	missing		text		-- the hint shown when the address of the account cannot be made without it
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

-- The vendor's name for a status or a priority.  Meanings are words that all vendors
-- share: for statuses new, open, pending, hold, solved and closed; for priorities
-- urgent, high, normal and low.  One value may stand for two meanings where a vendor
-- does not distinguish them, such as solved and closed.
CREATE TYPE zcsync.vendor_value AS (
	field		text,		-- status or priority
	value		text,		-- what a row holds
	meaning		text
);
COMMENT ON TYPE zcsync.vendor_value IS
'the value of a vendor for a meaning that all vendors share';

-- Which values of an existing record cannot be changed, and how.
CREATE TYPE zcsync.vendor_rules AS (
	initial_status	text,	-- only new records have it
	final_status	text,	-- a record that has it cannot be changed; only the vendor sets it
	closing_status	text,	-- closes a record; NULL: the catalogue of statuses says which does
	never_empty		text[],	-- columns that cannot be emptied once they have a value
	only_ids		text[]	-- columns that take an e-mail address in a new record only, otherwise an id
);
COMMENT ON TYPE zcsync.vendor_rules IS
'which values of an existing record cannot be changed at a vendor, and how';

-- A field that a new route to a kind copies, besides those that all routes between
-- these kinds copy.
CREATE TYPE zcsync.vendor_default AS (
	source_kind	text,
	field		text,
	mapped		boolean,
	"position"	integer,
	expression	text		-- over the source row; NULL: the e-mail address of the assignee
);
COMMENT ON TYPE zcsync.vendor_default IS
'a field that a new route to a kind of a vendor copies';

-- One kind of records of a vendor.  A kind with a name_field can be the target
-- of routes.
CREATE TYPE zcsync.vendor_kind AS (
	kind		text,
	written		text[],		-- columns that a push may send; {}: it is only read
	create_only	text[],		-- those of them that can be set in a new record only
	pull_class	text,		-- the budget of its pulls, if not "api"
	count_request	jsonb,	-- a request whose reply has their number at count_path
	assignee	text,		-- expression over a row s: who it is assigned to; NULL: by its contacts
	public_text	text,		-- expression over a row s: its text if everybody who sees a copy may read it; NULL: everybody may
	usual		zcsync.vendor_value[],
	fixed_values	text[],	-- those of status and priority whose values are the same in all accounts of the vendor
	rules		zcsync.vendor_rules,
	name_field	text,		-- must not be empty
	place_field	text,		-- holds the place where a record is; NULL: there are no places
	place		text,		-- what people call a place
	setting		text,		-- the setting of a route that says where records are created
	status_scope	text,	-- to what the statuses of records belong; NULL: to their place
	status_is_id	boolean,	-- rows hold the id of a status, not its name
	needs_company	boolean,	-- each record belongs to a company there
	roles		jsonb,		-- {column: how a value of a route becomes one}:
							-- status (of the catalogue), member (found by e-mail
							-- address), requester (found by e-mail address, which is
							-- kept if no person has it), company, user, site,
							-- organization (an id; a requester who is made can
							-- have it made, see routes.unknown_organization)
	defaults	zcsync.vendor_default[],
	filter		text,		-- over a row: which records a new route from here takes; NULL: all
	compared	boolean,	-- its rows are compared with the vendor's lists once a day: hooks compare_request and compare
	alias		text,		-- a second column by which people name a record, also in references; NULL: none
	comments	text,		-- how comments of its records are read (hooks comments_request and comments_next): "changed":
							-- those of a record, when the record has changed; "events": those of a record once, and from
							-- then on by the lane "comments" of the stream; NULL: not at all
	text_form	text,		-- of the kind comments: what rich_body is, html (a string) or blocks (a list)
	has_private	boolean,	-- of the kind comments: some are shown to agents only
	opening		boolean,	-- of the kind comments: the first one of a record is its description
	names_author	boolean,	-- of the kind comments: one is shown as of the author that it was sent with
	listed		text,		-- over a row t of its stream s: would the live read show what a push of it may overwrite? If not, the record is
							-- read singly before (mirror/read_first.sql); NULL: it always would
	choices		jsonb		-- {column: [field, member]}: columns whose values are options of a field of the catalogue, which has this
							-- remote_id or type; rows hold that member of an option
);
COMMENT ON TYPE zcsync.vendor_kind IS
'a kind of records that a vendor has';

CREATE FUNCTION zcsync._describe_kind(kind text, written text[] DEFAULT '{}', create_only text[] DEFAULT '{}',
	pull_class text DEFAULT 'api', count_request jsonb DEFAULT NULL, assignee text DEFAULT NULL, public_text text DEFAULT NULL,
	usual zcsync.vendor_value[] DEFAULT '{}', fixed_values text[] DEFAULT '{}', rules zcsync.vendor_rules DEFAULT NULL,
	name_field text DEFAULT NULL, place_field text DEFAULT NULL, place text DEFAULT NULL, setting text DEFAULT NULL,
	status_scope text DEFAULT NULL, status_is_id boolean DEFAULT false, needs_company boolean DEFAULT false,
	roles jsonb DEFAULT '{}', defaults zcsync.vendor_default[] DEFAULT '{}', filter text DEFAULT NULL, compared boolean DEFAULT false,
	alias text DEFAULT NULL, comments text DEFAULT NULL, text_form text DEFAULT NULL, has_private boolean DEFAULT false, opening boolean DEFAULT false,
	names_author boolean DEFAULT false, listed text DEFAULT NULL, choices jsonb DEFAULT '{}')
RETURNS zcsync.vendor_kind
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29;
END;
COMMENT ON FUNCTION zcsync._describe_kind(text, text[], text[], text, jsonb, text, text, zcsync.vendor_value[], text[], zcsync.vendor_rules,
	text, text, text, text, text, boolean, boolean, jsonb, zcsync.vendor_default[], text, boolean, text, text, text, boolean, boolean, boolean, text, jsonb) IS
'a kind of records that a vendor has';

-- How a delivery of a webhook proves that it comes from the vendor.
CREATE TYPE zcsync.webhook_proof AS (
	method		text,		-- hmac-sha256/base64, hmac-sha256/hex: given is a signature; secret, secret/base64: given is the secret
							-- itself, or its base64; NULL: it carries no proof
	signed		bytea,		-- what the signature was made over
	given		text,		-- what the delivery carries
	sent_at		timestamptz	-- when it was signed, if that is a part of what was signed
);
COMMENT ON TYPE zcsync.webhook_proof IS
'how a delivery of a webhook proves that it comes from the vendor';

-- A record that a delivery of a webhook reports, and what is to be done about it.
CREATE TYPE zcsync.webhook_event AS (
	webhook		text,		-- the vendor's id of the webhook
	event		text,		-- what happened, in the vendor's words
	key			text,		-- the vendor's id of the delivery, or of the entry of its history: a repeated one has the same
	kind		text,		-- NULL: nothing is to be read
	remote_id	text,
	doing		text,		-- fetch: the record; comments: those of the record, if they are mirrored; gone: look whether it is
							-- gone; read: what changed in the stream
	past		jsonb		-- values that columns had before, and after, if it says so: {"status": ["to do", "in progress"]}
);
COMMENT ON TYPE zcsync.webhook_event IS
'a record that a delivery of a webhook reports, and what is to be done about it';

CREATE TYPE zcsync.vendor AS (
	name		text,		-- the value of accounts.vendor
	title		text,		-- for people
	connector	text,		-- see src/connector.h; NULL: nothing is sent or read
	kinds		zcsync.vendor_kind[],
	settings	zcsync.vendor_setting[],
	credentials	zcsync.vendor_credentials[],
	write_batch	integer,	-- records that one call may write
	fetch_batch	integer,	-- records that one call may fetch by their ids
	conditional	boolean,	-- an update names the version it is based on, and is refused if the record was changed since;
							-- if false, a push waits for a read of its stream: see mirror/read_first.sql
	refuses_scope	boolean,	-- a write of a single record that is refused with 403 may mean that the login lacks a scope
	takes_gzip	boolean,	-- bodies of requests may be sent compressed
	probe_request	jsonb,	-- a cheap request that fails without valid credentials
	count_path	text[],		-- where a reply has a number of records
	members_field	text,	-- the field of the catalogue whose options are the people to whom records can be assigned
	member_roles	text[],	-- or else the roles of the contacts to whom they can be assigned; NULL: all contacts
	-- hooks, see _vendor_hooks()
	base_url	regprocedure,
	budgets		regprocedure,
	check_account	regprocedure,
	discover	regprocedure,
	record_url	regprocedure,
	scope_check	regprocedure,
	scope_lacks	regprocedure,
	pull_request	regprocedure,
	next		regprocedure,
	restart		regprocedure,
	compare_request	regprocedure,
	compare		regprocedure,
	fetch_request	regprocedure,
	rows		regprocedure,
	push_requests	regprocedure,
	push_effect	regprocedure,
	withhold	regprocedure,
	statuses	regprocedure,
	places		regprocedure,
	place		regprocedure,
	required	regprocedure,
	closing		regprocedure,
	person		regprocedure,
	webhook_proof	regprocedure,	-- how a delivery of a webhook proves itself: headers, body, rest of the path
	webhook_events	regprocedure,	-- what it reports: account, headers, body as JSON
	comments_request	regprocedure,
	comments_next	regprocedure,
	webhook_request	regprocedure,	-- a request about webhooks at the vendor: account, step (list, create, update, secret, delete), and {id, url, events}
							-- or, to go on with a list, {after}.  NULL for the step secret: the vendor shows a secret only where it makes
							-- a webhook.  Without this hook webhooks are set up by hand
	webhook_reply	regprocedure,	-- the webhooks of the reply: step, reply.  health is active, failing (it still sends), or another word (it does
							-- not); a row without id says in url after which place a list goes on.  In the reply, members named secret
							-- have a number instead of the secret, which goes into the column secret (src/shown_secret.c)
	webhook_subscriptions	text[],	-- what webhooks that are declared report, if nobody says otherwise
	login_request	jsonb,	-- a request that tells as whom an account writes; needed to write comments
	login		regprocedure,	-- who its reply says that is, as author_id of comments has it; NULL: it does not say
	comment_fault	regprocedure,	-- why a comment cannot be written: row, base ({}: it is new), values agreed on of its record -> {message, hint}; NULL: it can
	comment_request	regprocedure,	-- what posts a comment, or makes it what its row is: row (with the route that wrote it in route_id), base; NULL: there is
							-- nothing to send
	comment_reply	regprocedure,	-- the comment that the reply shows: account, request with "author" and "sent", reply; no row: it shows none
	remote_history	regprocedure,	-- asks now who changed what in a record: account, kind, remote id
	suspended	regprocedure,	-- asks now for what the vendor holds back as spam: account
	suspended_request	jsonb,	-- a request whose reply shows how many such messages there are
	suspended_count	regprocedure,	-- how many the reply shows, as in 7, or 100+ where there are more than it shows
	files_first	boolean,		-- files are uploaded before the comment is posted, whose row then has their tokens in "uploads"; if false, they are sent after it
	file_request	regprocedure,	-- what brings the content of a file, or asks first whether malware was found in it: account, row (with "scanned" and
									-- "url" as the reply to that had them); NULL: it has no address
	file_upload	regprocedure,	-- what sends a file: account, row of the comment, row of the file.  The file itself is src/file_transfer.c's
	file_reply	regprocedure,	-- what a reply to one of both says: request, reply -> {id, token}, or {scan_result, url}
	file_look	regprocedure,	-- what lists the files that are there, to see whether an upload arrived: account, row of the comment; without
								-- this hook one that may have arrived is sent again
	file_found	regprocedure	-- the files of that list: request, reply
);
COMMENT ON TYPE zcsync.vendor IS
'what a vendor provides; each function that returns it registers a vendor';
REVOKE ALL ON TYPE zcsync.vendor FROM PUBLIC;

CREATE FUNCTION zcsync._describe_vendor(name text, title text, connector text, kinds zcsync.vendor_kind[],
	settings zcsync.vendor_setting[] DEFAULT '{}', credentials zcsync.vendor_credentials[] DEFAULT '{}',
	write_batch integer DEFAULT 1, fetch_batch integer DEFAULT 1, conditional boolean DEFAULT false, refuses_scope boolean DEFAULT false,
	takes_gzip boolean DEFAULT false, probe_request jsonb DEFAULT NULL, count_path text[] DEFAULT '{count}',
	members_field text DEFAULT NULL, member_roles text[] DEFAULT NULL,
	base_url regprocedure DEFAULT NULL, budgets regprocedure DEFAULT NULL, check_account regprocedure DEFAULT NULL,
	discover regprocedure DEFAULT NULL, record_url regprocedure DEFAULT NULL, scope_check regprocedure DEFAULT NULL, scope_lacks regprocedure DEFAULT NULL,
	pull_request regprocedure DEFAULT NULL, next regprocedure DEFAULT NULL, restart regprocedure DEFAULT NULL,
	compare_request regprocedure DEFAULT NULL, compare regprocedure DEFAULT NULL, fetch_request regprocedure DEFAULT NULL,
	rows regprocedure DEFAULT NULL, push_requests regprocedure DEFAULT NULL, push_effect regprocedure DEFAULT NULL,
	withhold regprocedure DEFAULT NULL, statuses regprocedure DEFAULT NULL, places regprocedure DEFAULT NULL, place regprocedure DEFAULT NULL,
	required regprocedure DEFAULT NULL, closing regprocedure DEFAULT NULL, person regprocedure DEFAULT NULL,
	webhook_proof regprocedure DEFAULT NULL, webhook_events regprocedure DEFAULT NULL,
	comments_request regprocedure DEFAULT NULL, comments_next regprocedure DEFAULT NULL,
	webhook_request regprocedure DEFAULT NULL, webhook_reply regprocedure DEFAULT NULL, webhook_subscriptions text[] DEFAULT NULL,
	login_request jsonb DEFAULT NULL, login regprocedure DEFAULT NULL, comment_fault regprocedure DEFAULT NULL,
	comment_request regprocedure DEFAULT NULL, comment_reply regprocedure DEFAULT NULL,
	remote_history regprocedure DEFAULT NULL, suspended regprocedure DEFAULT NULL, suspended_request jsonb DEFAULT NULL,
	suspended_count regprocedure DEFAULT NULL, files_first boolean DEFAULT false, file_request regprocedure DEFAULT NULL,
	file_upload regprocedure DEFAULT NULL, file_reply regprocedure DEFAULT NULL, file_look regprocedure DEFAULT NULL, file_found regprocedure DEFAULT NULL)
RETURNS zcsync.vendor
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		$24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
		$46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60;
END;
COMMENT ON FUNCTION zcsync._describe_vendor(text, text, text, zcsync.vendor_kind[], zcsync.vendor_setting[], zcsync.vendor_credentials[],
	integer, integer, boolean, boolean, boolean, jsonb, text[], text, text[], regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure,
	regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure,
	regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure,
	regprocedure, regprocedure, regprocedure, regprocedure, text[], jsonb, regprocedure, regprocedure, regprocedure, regprocedure,
	regprocedure, regprocedure, jsonb, regprocedure, boolean, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure) IS
'the descriptor of a vendor';

-- What each hook takes and returns, and which vendors must have it: all that have a
-- connector (always), those that write or compare a kind, those whose records belong to
-- companies or have comments, those that take comments, those that have webhooks, those
-- at which zcsync declares them, or none (optional).
CREATE FUNCTION zcsync._vendor_hooks() RETURNS TABLE (hook text, needed text, arguments regtype[], result text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT h.hook, h.needed, h.arguments::regtype[], h.result
	FROM (VALUES
		-- the address with which requests begin; NULL while a setting is missing
		('base_url', 'always', '{jsonb}', 'text'),
		-- the budgets of an account, from its settings
		('budgets', 'always', '{jsonb}', 'TABLE(class text, calls integer, window_s double precision, concurrency integer)'),
		-- the live part of check_account(): of an account; if missing, probe_request is sent
		('check_account', 'optional', '{bigint}', 'TABLE(item text, ok boolean, message text, hint text)'),
		-- reads now what an account has, and keeps it
		('discover', 'optional', '{bigint}', 'TABLE(kind text, id text, path text, detail jsonb)'),
		-- the address of a record in the vendor's own pages: settings, kind, remote id
		('record_url', 'optional', '{jsonb,text,text}', 'text'),
		-- raises an error unless a stream of this kind can have this scope; without this hook it cannot have one
		('scope_check', 'optional', '{text,jsonb}', 'void'),
		-- what the scope of an access token lacks of what the account's streams need:
		-- account, the scope that was granted. A row with scope NULL says in purpose
		-- what is wrong with the scope itself
		('scope_lacks', 'optional', '{bigint,text}', 'TABLE(scope text, purpose text)'),
		-- the next request of a lane (live or history) of a stream; NULL: nothing is to be requested now
		('pull_request', 'always', '{bigint,text}', 'jsonb'),
		-- the new cursor of a lane after a page: stream, lane, request, reply. In a cursor
		-- of the history, "expected" is how many records it will have read at its end, as
		-- far as the pages so far tell; only where the vendor does not say how many it has
		('next', 'always', '{bigint,text,jsonb,jsonb}', 'TABLE(cursor jsonb, more boolean, run_after interval)'),
		-- the new cursor of a lane whose request was refused: request, status, message;
		-- NULL: the cursor is not to blame, or the lane was restarted already
		('restart', 'optional', '{jsonb,integer,text}', 'jsonb'),
		-- the next request of a comparison of a stream's rows with the vendor's lists:
		-- stream, how far it is ({}: it begins); NULL: this stream cannot be compared now
		('compare_request', 'to compare', '{bigint,jsonb}', 'jsonb'),
		-- what a reply to that request says: stream, how far it is, request, reply ->
		-- how far it is then (NULL: at the end), the remote ids of rows that should be
		-- in the lists and are not, and ids in the lists whose records are to be read.
		-- In how far it is, "listed" is how many records the lists held so far
		('compare', 'to compare', '{bigint,jsonb,jsonb,jsonb}', 'TABLE(pass jsonb, gone text[], lacking text[])'),
		-- the request for records of a stream by their ids, {"ids": [...]}
		('fetch_request', 'optional', '{bigint,jsonb}', 'jsonb'),
		-- the records of a reply, also of other kinds: account, kind, request, reply.  vals has all own
		-- columns as to_jsonb() prints them in UTC; remote_id is the "id" of the document
		('rows', 'always', '{bigint,text,jsonb,jsonb}',
			'TABLE(kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)'),
		-- the requests of push jobs; NULL: nothing is left to send. "sent" has the
		-- values of the columns that the request changes, "base" the values agreed on
		-- before; a request that makes a record has "create"
		('push_requests', 'to write', '{bigint[]}', 'TABLE(job_id bigint, request jsonb)'),
		-- what the reply to a push means: request with its "sent", reply, base, sync_key -> {status, doc, agreed}
		('push_effect', 'to write', '{jsonb,jsonb,jsonb,text}', 'jsonb'),
		-- the columns because of which a vendor refuses a push, so that the others can
		-- be sent without them: request, status, reply -> {columns, message, hint};
		-- NULL: it refuses the whole push. The request has "row", the hash of the row
		-- (mirror/withheld.sql)
		('withhold', 'optional', '{jsonb,integer,jsonb}', 'jsonb'),
		-- the statuses that records can have: account, kind, place (NULL: any).
		-- categories: the categories of a list's statuses to which this one can be
		-- mapped, best first; is_known: records of this account can have it; is_choice:
		-- they can be given it
		('statuses', 'optional', '{bigint,text,text}',
			'TABLE(value text, name text, "position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)'),
		-- the known places in which records of a kind can be created: account, kind
		('places', 'optional', '{bigint,text}', 'TABLE(id text, name text)'),
		-- the id of a place by id, path or name: account, kind, text, may the vendor be asked? Raises undefined_object if there is none
		('place', 'optional', '{bigint,text,text,boolean}', 'text'),
		-- the fields that must be set there, as fields of a route: account, kind, place
		('required', 'optional', '{bigint,text,text}', 'TABLE(field text, name text)'),
		-- the fields that must be set there before a record can get its closing status
		('closing', 'optional', '{bigint,text,text}', 'TABLE(field text, name text)'),
		-- the user and the site of a record that belongs to a company (roles company,
		-- user and site): account, company, e-mail address, and what to do if no user
		-- has that address (none or general)
		('person', 'with companies', '{bigint,text,text,text}', 'TABLE(user_id text, site_id text)'),
		('file_request', 'optional', '{bigint,jsonb}', 'jsonb'), ('file_upload', 'optional', '{bigint,jsonb,jsonb}', 'jsonb'), ('file_reply', 'optional', '{jsonb,jsonb}', 'jsonb'), ('file_look', 'optional', '{bigint,jsonb}', 'jsonb'), ('file_found', 'optional', '{jsonb,jsonb}', 'TABLE(id text, name text, size bigint, made_at timestamp with time zone)'), ('webhook_proof', 'optional', '{jsonb,bytea,text}', 'zcsync.webhook_proof'), ('webhook_events', 'with webhooks', '{bigint,jsonb,jsonb}', 'zcsync.webhook_event[]'),
		-- comments: a page of those of a record, and what follows it; then those that are written here (doc/new-vendor.md)
		('comments_request', 'with comments', '{bigint,jsonb}', 'jsonb'), ('comments_next', 'with comments', '{bigint,jsonb,jsonb}', 'jsonb'),
		('comment_fault', 'to comment', '{jsonb,jsonb,jsonb}', 'jsonb'), ('comment_request', 'to comment', '{jsonb,jsonb}', 'jsonb'), ('login', 'to comment', '{jsonb}', 'text'), ('comment_reply', 'to comment', '{bigint,jsonb,jsonb}', 'TABLE(remote_id text, remote_version text, vals jsonb, doc jsonb)'),
		('remote_history', 'optional', '{bigint,text,text}', 'TABLE(at timestamp with time zone, who_id text, who text, field text, old text, new text, channel text)'), ('suspended', 'optional', '{bigint}', 'TABLE(id text, created_at timestamp with time zone, author text, subject text, cause text)'), ('suspended_count', 'optional', '{jsonb}', 'text'), ('webhook_request', 'optional', '{bigint,text,jsonb}', 'jsonb'), ('webhook_reply', 'to declare webhooks', '{text,jsonb}', 'TABLE(id text, url text, events text[], health text, failures integer, secret text)')
	) AS h (hook, needed, arguments, result);
END;
COMMENT ON FUNCTION zcsync._vendor_hooks() IS
'the functions that a vendor provides: their arguments and results';
