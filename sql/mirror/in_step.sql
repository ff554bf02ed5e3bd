-- ---------------------------------------------------------------------
-- When a record is in step again, its earlier failures are forgotten.  A push may have
-- brought it into step, the vendor's next document, an edit back to the agreed values,
-- or a person who took the vendor's value.
-- ---------------------------------------------------------------------

-- Is there a dead letter, or a push that failed and is tried again? Nearly always there
-- is none, and then nobody need look which rows came into step.
CREATE FUNCTION zcsync._has_trouble() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- the plan is kept, and may be made while the tables are empty
SET jit = off
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM zcsync.dead_letters AS d WHERE d.local_id > 0)
		OR EXISTS (SELECT FROM zcsync.sync_queue AS q WHERE q.last_error IS NOT NULL AND q.operation <> 'pull');
END
$$;
COMMENT ON FUNCTION zcsync._has_trouble() IS
'is there a dead letter of a row, or a job that failed and is tried again?';

-- These rows are in step: close their dead letters.  A push of theirs that failed and
-- waits to be tried again has nothing left to send: it runs at once and finds that out.
CREATE FUNCTION zcsync._note_in_step(p_kind text, p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF p_ids = '{}' THEN
		RETURN;
	END IF;
	PERFORM zcsync._close_letters_of('push', p_ids);
	UPDATE zcsync.sync_queue AS q
	SET failures = 0, last_class = NULL, last_status = NULL, last_error = NULL, last_hint = NULL, run_at = least(q.run_at, zcsync._now())
	WHERE q.job_id IN (
		SELECT j.job_id FROM zcsync.sync_queue AS j
		WHERE j.local_id = ANY (p_ids) AND j.state = 'ready' AND j.kind = p_kind AND j.operation = 'push'
			AND j.last_error IS NOT NULL AND j.unclear_since IS NULL
		FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._note_in_step(text, bigint[]) IS
'forgets what went wrong with pushes of rows that are in step again';

-- Documents of records arrived and were stored, except those at the places p_but.  Dead
-- letters about fetching or storing the others are closed.  One that fetches many
-- records keeps only those that have not arrived, should somebody retry it.
CREATE FUNCTION zcsync._note_read(p_account bigint, p_kind text, p_documents zcsync.document[], p_but integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids text[];
BEGIN
	-- nearly always there are none
	IF NOT EXISTS (SELECT FROM zcsync.dead_letters AS d
			WHERE d.account_id = p_account AND d.kind = p_kind AND d.operation IN ('apply', 'fetch')) THEN
		RETURN;
	END IF;
	v_ids := ARRAY(SELECT u.remote_id FROM unnest(p_documents) WITH ORDINALITY AS u (remote_id, version, vals, doc, is_deleted, n)
		WHERE u.n <> ALL (p_but));
	UPDATE zcsync.dead_letters AS d SET payload = jsonb_set(d.payload, '{ids}', (d.payload -> 'ids') - v_ids)
	WHERE d.job_id IN (
		SELECT l.job_id FROM zcsync.dead_letters AS l
		WHERE l.account_id = p_account AND l.kind = p_kind AND l.operation = 'fetch' AND (l.payload -> 'ids') ?| v_ids
		FOR UPDATE SKIP LOCKED);
	PERFORM zcsync._close_letters(ARRAY(
		SELECT d.job_id FROM zcsync.dead_letters AS d
		WHERE d.account_id = p_account AND d.kind = p_kind AND d.operation = 'fetch' AND (d.payload -> 'ids') = '[]'
		UNION ALL
		SELECT d.job_id FROM unnest(v_ids) AS r (id)
		JOIN zcsync.dead_letters AS d ON d.account_id = p_account AND d.dedupe_key = format('apply/%s/%s', p_kind, r.id)));
END
$$;
COMMENT ON FUNCTION zcsync._note_read(bigint, text, zcsync.document[], integer[]) IS
'closes dead letters about fetching or storing records that have arrived and were stored now';
