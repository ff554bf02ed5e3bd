-- ---------------------------------------------------------------------
-- Local jobs are those that send nothing, such as routes and rows that had to wait.
-- They have no budget class, and their operation has the hooks run and has_due.  The
-- local worker runs them; the worker checks whether there are any, and starts it.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._has_local_jobs() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- applies within the hooks, too; see claim.sql
SET jit = off
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM zcsync._operations() AS o WHERE o.run IS NOT NULL AND zcsync._call_has_due(o.has_due));
END
$$;
COMMENT ON FUNCTION zcsync._has_local_jobs() IS
'is there a job that sends nothing and could be run now?';

CREATE FUNCTION zcsync._next_local_at() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- see claim.sql
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN (SELECT min(q.run_at) FROM zcsync.sync_queue q WHERE q.state = 'ready' AND (q.budget_class = '') AND q.run_at > v_now);
END
$$;
COMMENT ON FUNCTION zcsync._next_local_at() IS
'when the next job that sends nothing becomes due';
