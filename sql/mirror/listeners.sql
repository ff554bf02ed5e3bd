-- ---------------------------------------------------------------------
-- Who listens to what happens to mirror rows.
--
-- The mirror knows no route.  A room may have to do something when mirror rows are
-- written, when one row takes the place of another, or before a stream goes, or it
-- may know where the value of a row comes from.  It registers that by a function
-- without arguments that returns zcsync.listener (src/registry.c finds it by its
-- type).  Listeners are told once a statement, with arrays.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.listener AS (
	name text,
	-- (kind, accounts, local ids, old, origins, updated_at) returns void: rows were inserted or changed.  The
	-- arrays run in parallel; old has the columns that changed and is NULL for new rows.  See _notice().
	written regprocedure,
	-- (local ids, local ids of the rows that take their places) returns void: rows are about to be deleted
	replaced regprocedure,
	-- (stream) returns void: a stream is about to be removed; raises an error if it must stay
	stream_removed regprocedure,
	-- (account, local id) returns text[]: the fields of a row whose value wins over the vendor's where both
	-- changed and no policy says who wins; custom_fields/key is a custom field.  See _outranking_fields()
	outranking regprocedure,
	-- (account, kind, since) returns bigint[]: the local ids of the rows that have a counterpart which they got
	-- after that time; see comments.sql
	linked regprocedure,
	-- (local ids of comments) returns bigint[]: those of them that must not be sent now; see posting.sql
	paused regprocedure,
	-- (local ids of new comments) returns jsonb: by local id, {"wait": true} for those that must wait for files, and what
	-- goes with the others: {"uploads": [...]}; see posting.sql
	files regprocedure
);
COMMENT ON TYPE zcsync.listener IS
'what a room wants to be told of mirror rows and streams';

CREATE FUNCTION zcsync._describe_listener(p_name text, p_written regprocedure DEFAULT NULL, p_replaced regprocedure DEFAULT NULL,
	p_stream_removed regprocedure DEFAULT NULL, p_outranking regprocedure DEFAULT NULL, p_linked regprocedure DEFAULT NULL,
	p_paused regprocedure DEFAULT NULL, p_files regprocedure DEFAULT NULL)
RETURNS zcsync.listener
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_name, p_written, p_replaced, p_stream_removed, p_outranking, p_linked, p_paused, p_files)::zcsync.listener;
END;
COMMENT ON FUNCTION zcsync._describe_listener(text, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure) IS
'a listener by its parts';

CREATE FUNCTION zcsync._listeners() RETURNS SETOF zcsync.listener
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptors';
COMMENT ON FUNCTION zcsync._listeners() IS
'who listens to what happens to mirror rows, wherever it is defined';

CREATE FUNCTION zcsync._tell_written(p_hook regprocedure, p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[],
	p_origins zcsync.origin[], p_updated_at timestamptz[]) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._tell_written(regprocedure, text, bigint[], bigint[], jsonb[], zcsync.origin[], timestamptz[]) IS
'calls the hook written of a listener';

CREATE FUNCTION zcsync._tell_replaced(p_hook regprocedure, p_gone bigint[], p_kept bigint[]) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._tell_replaced(regprocedure, bigint[], bigint[]) IS
'calls the hook replaced of a listener';

CREATE FUNCTION zcsync._tell_stream_removed(p_hook regprocedure, p_stream bigint) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._tell_stream_removed(regprocedure, bigint) IS
'calls the hook stream_removed of a listener';

CREATE FUNCTION zcsync._ask_outranking(p_hook regprocedure, p_account bigint, p_local_id bigint) RETURNS text[]
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._ask_outranking(regprocedure, bigint, bigint) IS
'calls the hook outranking of a listener';

CREATE FUNCTION zcsync._ask_linked(p_hook regprocedure, p_account bigint, p_kind text, p_since timestamptz) RETURNS bigint[]
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._ask_linked(regprocedure, bigint, text, timestamptz) IS
'calls the hook linked of a listener';

CREATE FUNCTION zcsync._ask_paused(p_hook regprocedure, p_ids bigint[]) RETURNS bigint[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._ask_paused(regprocedure, bigint[]) IS
'calls the hook paused of a listener';

CREATE FUNCTION zcsync._ask_files(p_hook regprocedure, p_ids bigint[]) RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._ask_files(regprocedure, bigint[]) IS
'calls the hook files of a listener';
