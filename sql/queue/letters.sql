-- ---------------------------------------------------------------------
-- The queue: closing dead letters that need no person any more.
--
-- A dead letter waits for a person.  When its work is done after all, by a later job
-- or because the vendor has the same values now, it is closed in the same
-- transaction: it is deleted from dead_letters, and a row of sync_records says so.  A
-- dead letter of an unclear create is never closed: see _inherit_unclear().
-- mirror/in_step.sql notices when a record is in step; zcsync.maintain() closes what
-- that missed.
-- ---------------------------------------------------------------------

-- Close these dead letters.  One that somebody is retrying or deleting at this moment
-- is left alone.
CREATE FUNCTION zcsync._close_letters(p_jobs bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	WITH settled AS (
		DELETE FROM zcsync.dead_letters AS d
		WHERE d.job_id IN (
			SELECT l.job_id FROM zcsync.dead_letters AS l
			WHERE l.job_id = ANY (p_jobs) AND l.unclear_since IS NULL FOR UPDATE SKIP LOCKED)
		RETURNING d.*)
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		attempts, message, queued_at, created_at)
	SELECT s.job_id, s.account_id, s.queue, s.operation, s.kind, s.local_id, s.route_id, 'cancelled', s.attempts,
		'a dead letter whose work is done now: ' || s.message, s.created_at, zcsync._now()
	FROM settled AS s;
END
$$;
COMMENT ON FUNCTION zcsync._close_letters(bigint[]) IS
'removes dead letters whose work is done, and records that';

-- Close the dead letters of an operation about these rows; p_route: only those of
-- one route.
CREATE FUNCTION zcsync._close_letters_of(p_operation text, p_ids bigint[], p_route bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_jobs bigint[] := ARRAY(
		SELECT d.job_id FROM zcsync.dead_letters AS d
		WHERE d.local_id = ANY (p_ids) AND d.operation = p_operation AND (p_route IS NULL OR d.route_id = p_route));
BEGIN
	IF v_jobs <> '{}' THEN
		PERFORM zcsync._close_letters(v_jobs);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._close_letters_of(text, bigint[], bigint) IS
'removes dead letters of an operation about these rows, since what they failed at is done';
