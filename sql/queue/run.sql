-- ---------------------------------------------------------------------
-- The work of the worker, in this session.
-- ---------------------------------------------------------------------

-- No SET clause and not SECURITY DEFINER: it commits, which neither allows.  Whoever
-- calls it, it works as the role zcsync.role, with a pinned path.
CREATE PROCEDURE zcsync.run(max_time interval DEFAULT '1 minute', until_idle boolean DEFAULT true)
LANGUAGE c
AS 'MODULE_PATHNAME', 'zcsync_run';
COMMENT ON PROCEDURE zcsync.run(interval, boolean) IS
'does the work of the worker in this session until nothing is due, or until the given time is over; for tests, debugging and servers that cannot preload';

-- One exchange with an account's vendor, in this session.
CREATE FUNCTION zcsync._call(p_account_id bigint, p_request jsonb, OUT class text, OUT status integer,
	OUT message text, OUT hint text, OUT reply jsonb, OUT duration_ms double precision)
RETURNS record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_call';
COMMENT ON FUNCTION zcsync._call(bigint, jsonb) IS
'makes one live exchange with the vendor of an account and returns what came of it';
