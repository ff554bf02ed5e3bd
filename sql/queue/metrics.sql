-- ---------------------------------------------------------------------
-- The queue: counters in shared memory (src/metrics.c).
--
-- The worker counts the calls that it makes.  The functions here count how jobs ended;
-- they are called where that is recorded.
-- ---------------------------------------------------------------------

-- It returns the endings, so that it can be part of an expression, which costs less
-- than a statement of its own.
CREATE FUNCTION zcsync._count_endings(p_account bigint, p_operation text, p_endings zcsync.ending[]) RETURNS zcsync.ending[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_count_endings';
COMMENT ON FUNCTION zcsync._count_endings(bigint, text, zcsync.ending[]) IS
'counts jobs of an account whose calls ended well, when the transaction commits; returns the endings';

CREATE FUNCTION zcsync._count_operations(p_account bigint, p_operation text, p_statuses text[]) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_count_operations';
COMMENT ON FUNCTION zcsync._count_operations(bigint, text, text[]) IS
'counts jobs of an account that ended otherwise, a status each, when the transaction commits';

CREATE FUNCTION zcsync._metric_series()
RETURNS TABLE (family text, account_id bigint, vendor text, name text, method text, status integer, detail text,
	total bigint, seconds double precision, le double precision[], buckets bigint[])
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_metric_series';
COMMENT ON FUNCTION zcsync._metric_series() IS
'what was counted for this database since the server started: calls, operations, calls saved and connections; a line "other" has what did not fit';

CREATE FUNCTION zcsync._reset_metrics() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_reset_metrics';
COMMENT ON FUNCTION zcsync._reset_metrics() IS
'starts counting from 0 for this database';

CREATE FUNCTION zcsync._activity()
RETURNS TABLE (pid integer, role text, part text, at timestamptz, what text, account_id bigint, job_id bigint, jobs integer,
	outcome text, seconds double precision)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_activity';
COMMENT ON FUNCTION zcsync._activity() IS
'what each process that works in this database does now, its calls in flight, and its last ten outcomes; empty without preloading';

CREATE FUNCTION zcsync._process_usage()
RETURNS TABLE (pid integer, role text, resident_bytes bigint, own_bytes bigint, cpu_seconds double precision)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_process_usage';
COMMENT ON FUNCTION zcsync._process_usage() IS
'memory and processor time of the launcher and of the processes that work in this database; NULL where the system is not Linux';

-- Counts of an earlier installation do not belong to this one.
DO $$
BEGIN
	PERFORM zcsync._reset_metrics();
END
$$;
