-- ---------------------------------------------------------------------
-- The queue: how a job gets into it.
--
-- A transaction that wants something done queues a job.  If a job with the same key is
-- waiting, ready or held, the new one joins it, so that there is never a second one.
-- Joining locks the waiting job (it updates unindexed columns), so that a claim passes
-- over it until this transaction ends: the job will then read what this transaction
-- wrote.
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.new_job AS (
	account_id bigint,
	queue text,
	operation text,
	budget_class text,		-- '': the job sends nothing
	record_key text,		-- only one running job may have it
	dedupe_key text,		-- ready jobs with the same key are one
	payload jsonb,
	priority integer,		-- lower first
	run_at timestamptz,		-- NULL: now
	stream_id bigint,
	route_id bigint,
	kind text,
	local_id bigint,
	backfill boolean,
	version text
);
COMMENT ON TYPE zcsync.new_job IS
'a job that is to be queued; see zcsync._job() and zcsync._enqueue()';

-- Inlined where it is called, so that it costs nothing for each job of a set.
CREATE FUNCTION zcsync._job(p_account bigint, p_queue text, p_operation text, p_budget_class text,
	p_record_key text, p_dedupe_key text, p_payload jsonb DEFAULT '{}', p_priority integer DEFAULT 50,
	p_run_at timestamptz DEFAULT NULL, p_stream bigint DEFAULT NULL, p_route bigint DEFAULT NULL,
	p_kind text DEFAULT NULL, p_local_id bigint DEFAULT NULL, p_backfill boolean DEFAULT false,
	p_version text DEFAULT NULL)
RETURNS zcsync.new_job
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_account, p_queue, p_operation, p_budget_class, p_record_key, p_dedupe_key, p_payload, p_priority,
		p_run_at, p_stream, p_route, p_kind, p_local_id, p_backfill, p_version)::zcsync.new_job;
END;
COMMENT ON FUNCTION zcsync._job(bigint, text, text, text, text, text, jsonb, integer, timestamptz, bigint, bigint, text, bigint, boolean, text) IS
'a job to be queued, from its parts';

-- Queue jobs.  They are numbered in the order of the array, and stored in the order of
-- their keys, so that two transactions that join the same jobs cannot wait for each
-- other.
--
-- A job that waits already takes over what the new one is to do: the members of its
-- payload, unless the waiting job has the later version, and the more urgent priority.
-- It keeps its own time, which may be that of another attempt.  Only with p_hurry, or
-- while it waits for something that may have come meanwhile (waits_since), does it take
-- the earlier of the two times; an unclear create is never looked up earlier than
-- planned.
--
-- Returns a row for each job, which says whether this transaction queues it for the
-- first time.
CREATE FUNCTION zcsync._enqueue(p_jobs zcsync.new_job[], p_hurry boolean DEFAULT false)
RETURNS TABLE (job_id bigint, local_id bigint, is_first boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	RETURN QUERY
	INSERT INTO zcsync.sync_queue AS q
		(job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority,
		 run_at, stream_id, route_id, kind, local_id, backfill, version, enqueued_by, enqueued_at, created_at)
	SELECT j.job_id, j.account_id, j.queue, j.operation, j.budget_class, j.record_key, j.dedupe_key, j.payload, j.priority,
		coalesce(j.run_at, v_now), j.stream_id, j.route_id, j.kind, j.local_id, j.backfill, j.version, session_user, v_now, v_now
	FROM (SELECT nextval('zcsync.job_id_seq') AS job_id, u.* FROM unnest(p_jobs) AS u) AS j
	ORDER BY j.account_id, j.dedupe_key COLLATE "C"
	ON CONFLICT (account_id, dedupe_key) WHERE state IN ('ready', 'held') DO UPDATE
		SET joins = q.joins + 1, previous_xid = q.enqueued_xid, enqueued_xid = excluded.enqueued_xid,
			enqueued_at = excluded.enqueued_at,
			payload = CASE WHEN zcsync._is_older(excluded.version, q.version) THEN q.payload
				ELSE q.payload || excluded.payload END,
			version = CASE WHEN zcsync._is_older(excluded.version, q.version) THEN q.version ELSE excluded.version END,
			backfill = q.backfill OR excluded.backfill,
			priority = least(q.priority, excluded.priority),
			run_at = CASE WHEN (p_hurry OR q.waits_since IS NOT NULL) AND q.unclear_since IS NULL THEN least(q.run_at, excluded.run_at) ELSE q.run_at END
	RETURNING q.job_id, q.local_id, q.previous_xid IS DISTINCT FROM q.enqueued_xid;
	-- a job without a budget sends nothing
	PERFORM zcsync._wake(w.is_local) FROM (SELECT DISTINCT u.budget_class = '' AS is_local FROM unnest(p_jobs) AS u) AS w;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue(zcsync.new_job[], boolean) IS
'queues jobs in this transaction, or joins them with waiting jobs of the same keys; with p_hurry those become due as early as the new ones';

-- Queue a single job that a person or another job waits for; returns its number.
CREATE FUNCTION zcsync._enqueue(p_job zcsync.new_job) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT e.job_id FROM zcsync._enqueue(ARRAY[p_job], true) AS e);
END
$$;
COMMENT ON FUNCTION zcsync._enqueue(zcsync.new_job) IS
'queues a job in this transaction, or joins it with a waiting job of the same key, which becomes due as early; returns the number of the job';

-- Lock jobs that wait before many of them are changed or removed in one transaction: in
-- the order of _enqueue(), so that this transaction and one that joins some of them
-- cannot wait for each other.
CREATE FUNCTION zcsync._lock_jobs(p_jobs bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	PERFORM FROM zcsync.sync_queue q WHERE q.job_id = ANY (p_jobs)
	ORDER BY q.account_id, q.dedupe_key COLLATE "C"
	FOR UPDATE;
END
$$;
COMMENT ON FUNCTION zcsync._lock_jobs(bigint[]) IS
'locks jobs in the order in which they are queued';
