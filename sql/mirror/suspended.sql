-- ---------------------------------------------------------------------
-- Messages that a vendor holds back as suspected spam, counted.
--
-- They are no records and are not mirrored, but a customer's mail may be among them.
-- Where an operator wants that, they are counted once an hour, with one call, and the view
-- status shows how many there are.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.watch_suspended(account text, watch boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(watch_suspended.account);
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts AS a WHERE a.account_id = v_id);
BEGIN
	IF v_vendor.suspended_request IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('accounts of %s have no suspended tickets', v_vendor.title);
	ELSIF watch THEN
		INSERT INTO zcsync.suspended_counts AS c (account_id, next_check_at) VALUES (v_id, zcsync._now())
		ON CONFLICT (account_id) DO UPDATE SET next_check_at = excluded.next_check_at;
		PERFORM zcsync._wake();
	ELSE
		DELETE FROM zcsync.suspended_counts AS c WHERE c.account_id = v_id;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.watch_suspended(text, boolean) IS
'counts each hour, for the view status, the messages that the vendor holds back as suspected spam; with false no longer';

CREATE FUNCTION zcsync._enqueue_suspended() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_jobs zcsync.new_job[];
BEGIN
	WITH due AS (
		SELECT c.account_id FROM zcsync.suspended_counts AS c JOIN zcsync.accounts AS a ON a.account_id = c.account_id
		WHERE c.next_check_at <= zcsync._now() AND a.state = 'active'
		FOR NO KEY UPDATE OF c SKIP LOCKED),
	moved AS (
		UPDATE zcsync.suspended_counts AS c SET next_check_at = zcsync._now() + interval '1 hour' FROM due
		WHERE c.account_id = due.account_id RETURNING c.account_id)
	SELECT array_agg(zcsync._job(m.account_id, 'account', 'suspended', 'api', 'suspended', 'suspended', '{}', 60)) INTO v_jobs FROM moved AS m;
	IF v_jobs IS NOT NULL THEN
		PERFORM zcsync._enqueue(v_jobs);
	END IF;
	RETURN coalesce(cardinality(v_jobs), 0);
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_suspended() IS
'queues a count of suspended messages for accounts that were not asked for an hour; returns how many';

CREATE FUNCTION zcsync._next_suspended() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN (SELECT min(c.next_check_at) FROM zcsync.suspended_counts AS c JOIN zcsync.accounts AS a ON a.account_id = c.account_id
		WHERE a.state = 'active');
END
$$;
COMMENT ON FUNCTION zcsync._next_suspended() IS
'when suspended messages of an account are counted next; NULL: none are';

CREATE FUNCTION zcsync._move_suspended(p_step interval) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.suspended_counts AS c SET next_check_at = c.next_check_at - p_step
	WHERE c.account_id IN (SELECT x.account_id FROM zcsync.suspended_counts AS x WHERE x.next_check_at > zcsync._now() FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._move_suspended(interval) IS
'moves the times of counts of suspended messages when the clock was set back';

-- Nobody wants the count any more: there is no request, and the job ends.
CREATE FUNCTION zcsync._prepare_suspended(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_request jsonb := (
		SELECT (zcsync._vendor_of(a.vendor)).suspended_request
		FROM zcsync.suspended_counts AS c JOIN zcsync.accounts AS a ON a.account_id = c.account_id
		WHERE c.account_id = p_account);
BEGIN
	RETURN ARRAY(SELECT ROW(i, v_request)::zcsync.prepared FROM unnest(p_ids) AS i);
END
$$;
COMMENT ON FUNCTION zcsync._prepare_suspended(bigint, bigint[]) IS
'the requests of jobs that count suspended messages';

-- Note a count, or why there is none.  False: somebody has locked the row.
CREATE FUNCTION zcsync._note_suspended(p_account bigint, p_waiting text, p_error text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.suspended_counts AS c WHERE c.account_id = p_account FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN NOT EXISTS (SELECT FROM zcsync.suspended_counts AS c WHERE c.account_id = p_account);
	END IF;
	UPDATE zcsync.suspended_counts AS c
	SET waiting = coalesce(p_waiting, c.waiting), error = p_error,
		since = CASE WHEN (p_error IS NULL, coalesce(p_waiting, c.waiting) = '0') IS NOT DISTINCT FROM (c.error IS NULL, c.waiting = '0') THEN coalesce(c.since, zcsync._now())
			ELSE zcsync._now() END,
		counted_at = CASE WHEN p_error IS NULL THEN zcsync._now() ELSE c.counted_at END
	WHERE c.account_id = p_account;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._note_suspended(bigint, text, text) IS
'notes how many messages a vendor holds back, or why that is not known; false: the row is locked';

CREATE FUNCTION zcsync._finish_suspended(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_waiting text;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.account_id, o.reply, (zcsync._vendor_of(a.vendor)).suspended_count
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue AS q ON q.job_id = o.job_id
		JOIN zcsync.accounts AS a ON a.account_id = q.account_id
	LOOP
		EXECUTE format('SELECT %s($1)', v_job.suspended_count::regproc) INTO v_waiting USING v_job.reply;
		v_endings := v_endings || ROW(v_job.job_id, CASE WHEN zcsync._note_suspended(v_job.account_id, v_waiting, NULL) THEN 'ended' ELSE 'locked' END,
			'done', 0, NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_suspended(zcsync.outcome[]) IS
'takes how many messages a vendor holds back';

-- While the vendor is down or busy, its account says so.
CREATE FUNCTION zcsync._fail_suspended(p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	PERFORM zcsync._note_suspended(q.account_id, NULL, o.message)
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue AS q ON q.job_id = o.job_id
	WHERE o.class NOT IN ('put_back', 'halved', 'vendor', 'throttled');
END
$$;
COMMENT ON FUNCTION zcsync._fail_suspended(zcsync.outcome[]) IS
'notes why suspended messages cannot be counted';

CREATE FUNCTION zcsync._operation_suspended() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('suspended',
		p_prepare => 'zcsync._prepare_suspended(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_suspended(zcsync.outcome[])'::regprocedure,
		p_fail => 'zcsync._fail_suspended(zcsync.outcome[])'::regprocedure,
		p_enqueue_due => 'zcsync._enqueue_suspended()'::regprocedure,
		p_next_due => 'zcsync._next_suspended()'::regprocedure,
		p_clock_back => 'zcsync._move_suspended(interval)'::regprocedure,
		p_alone => true, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_suspended() IS
'operation suspended: counts messages that a vendor holds back as suspected spam';
