-- ---------------------------------------------------------------------
-- The queue: what becomes of a job whose call is over, or whose worker is gone.
--
-- Nothing here waits for a transaction of somebody else, but for some milliseconds where
-- a lock cannot be asked for (lock_timeout), and a twin in the queue is never an error:
-- these functions return what they could not do now, and the caller does it later.
-- ---------------------------------------------------------------------

-- Record the outcomes of one account's calls that are ready together.
--
-- A job that this claimant no longer owns is left alone: somebody else has it.  Returns
-- the jobs that could not be finished now: 'finish' means that the caller must try again
-- with the same outcome; 'put_back' means that everything is stored except that the job
-- could not go back to the queue (it is passed with class 'put_back' the next time).
CREATE FUNCTION zcsync._finish_jobs(p_claimant bigint, p_account bigint, p_outcomes zcsync.outcome[])
RETURNS TABLE (job_id bigint, how text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
BEGIN
	RETURN QUERY SELECT f.job_id, f.how FROM zcsync._record_outcomes(p_claimant, p_account, p_outcomes) AS f;
EXCEPTION WHEN lock_not_available THEN
	-- what somebody has locked is no job of these: an alert, for example
	RETURN QUERY SELECT o.job_id, 'finish'::text FROM unnest(p_outcomes) AS o;
END
$$;
COMMENT ON FUNCTION zcsync._finish_jobs(bigint, bigint, zcsync.outcome[]) IS
'records the outcomes of calls; returns the jobs that must be finished again later, since somebody holds a lock';

CREATE FUNCTION zcsync._record_outcomes(p_claimant bigint, p_account bigint, p_outcomes zcsync.outcome[])
RETURNS TABLE (job_id bigint, how text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_set record;				-- the outcomes of an operation
	v_ids bigint[] := '{}';		-- jobs that are ours and locked
	v_endings zcsync.ending[] := '{}';
	v_failed zcsync.outcome[] := '{}';
	v_failed_calls integer := 0;	-- by the vendor's fault
	v_back bigint[];
	v_back_at timestamptz[];
BEGIN
	FOR v_set IN
		SELECT x.operation, array_agg(x.job_id) AS ids, array_agg(x.outcome) FILTER (WHERE x.class = 'done') AS done,
			array_agg(x.outcome) FILTER (WHERE x.class <> 'done') AS failed
		FROM (
			SELECT q.job_id, q.operation, o.class, o AS outcome
			FROM unnest(p_outcomes) AS o
			-- One job at a time, by its number.  The condition does not say that a
			-- claimed job is running: with that, a plan might read all running jobs for
			-- each one.
			CROSS JOIN LATERAL (
				SELECT q.job_id, q.operation FROM zcsync.sync_queue q
				WHERE q.job_id = o.job_id AND q.claimed_by = p_claimant AND q.attempts = o.attempts
				FOR UPDATE OF q SKIP LOCKED) AS q) x
		GROUP BY x.operation
	LOOP
		v_ids := v_ids || v_set.ids;
		v_failed := v_failed || v_set.failed;
		IF v_set.done IS NOT NULL THEN
			v_endings := v_endings || zcsync._count_endings(p_account, v_set.operation, zcsync._endings_of(v_set.operation, v_set.done));
		END IF;
	END LOOP;
	-- Somebody has locked a running job; we do not wait for that.
	IF cardinality(v_ids) <> cardinality(p_outcomes) THEN
		RETURN QUERY
		SELECT o.job_id, 'finish'::text
		FROM unnest(p_outcomes) AS o
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		WHERE q.state = 'running' AND q.claimed_by = p_claimant AND q.attempts = o.attempts AND q.job_id <> ALL (v_ids);
	END IF;
	IF v_ids = '{}' THEN
		RETURN;
	END IF;

	IF v_endings <> '{}' THEN
		PERFORM zcsync._record_endings(v_endings, p_outcomes);
		RETURN QUERY SELECT e.job_id, 'finish'::text FROM unnest(v_endings) AS e WHERE e.how = 'locked';
	END IF;
	IF v_failed <> '{}' THEN
		SELECT count(DISTINCT coalesce(q.call_id, q.job_id)) INTO v_failed_calls
		FROM unnest(v_failed) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		WHERE o.class = 'vendor';
	END IF;
	SELECT array_agg(b.job_id), array_agg(b.run_at) INTO v_back, v_back_at
	FROM (
		SELECT e.job_id, zcsync._now() + coalesce(e.run_after, '0') AS run_at
		FROM unnest(v_endings) AS e WHERE e.how IN ('again', 'repeat')
		UNION ALL
		SELECT f.job_id, f.run_at FROM zcsync._fail_jobs(v_failed) AS f) AS b;
	-- what is known without a call, or by another host than the vendor's API, shows nothing
	PERFORM zcsync._breaker(p_account, v_failed_calls,
		EXISTS (SELECT FROM unnest(p_outcomes) AS o
			WHERE (o.class = 'done' AND (o.reply ?| '{zcsync_no_room,zcsync_no_file,zcsync_file,zcsync_refused}') IS NOT TRUE) OR (o.status IS NOT NULL AND o.class NOT IN ('vendor', 'config', 'put_back'))),
		(SELECT o.message FROM unnest(v_failed) AS o WHERE o.class = 'vendor' LIMIT 1));
	IF v_back IS NOT NULL THEN
		RETURN QUERY SELECT b, 'put_back'::text FROM zcsync._put_back(v_back, v_back_at) AS b;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._record_outcomes(bigint, bigint, zcsync.outcome[]) IS
'does what _finish_jobs() says, or fails because of a lock';

-- What becomes of jobs of one operation whose calls succeeded; the operation decides.
CREATE FUNCTION zcsync._endings_of(p_operation text, p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (zcsync._operation_of(p_operation)).finish;
BEGIN
	IF v_hook IS NOT NULL THEN
		RETURN zcsync._call_finish(v_hook, p_outcomes);
	END IF;
	RETURN ARRAY(SELECT ROW(o.job_id, 'ended', 'done', NULL, NULL, false)::zcsync.ending FROM unnest(p_outcomes) AS o);
END
$$;
COMMENT ON FUNCTION zcsync._endings_of(text, zcsync.outcome[]) IS
'asks an operation what becomes of its jobs whose calls succeeded';

-- Remove jobs that ended from the queue.  Jobs that go on forget what went wrong
-- before.
CREATE FUNCTION zcsync._record_endings(p_endings zcsync.ending[], p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_recurring text[] := ARRAY(SELECT o.name FROM zcsync._operations() o WHERE o.recurs);
	v_ended bigint[] := ARRAY(SELECT e.job_id FROM unnest(p_endings) AS e WHERE e.how = 'ended');
BEGIN
	-- A poll that brought nothing leaves no record.
	WITH gone AS (
		DELETE FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_ended)
		RETURNING q.job_id, q.account_id, q.queue, q.operation, q.kind, q.local_id, q.route_id, q.attempts, q.created_at
	)
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		http_status, attempts, changed, queued_at, duration_us, created_at)
	SELECT g.job_id, g.account_id, g.queue, g.operation, g.kind, g.local_id, g.route_id, e.status,
		o.status, g.attempts, e.changed, g.created_at, o.duration_us, zcsync._now()
	FROM gone g
	JOIN unnest(p_endings) AS e ON e.job_id = g.job_id
	JOIN unnest(p_outcomes) AS o ON o.job_id = g.job_id
	WHERE NOT (g.operation = ANY (v_recurring) AND coalesce(e.changed, 0) = 0);

	IF cardinality(v_ended) < cardinality(p_endings) THEN
		UPDATE zcsync.sync_queue q
		SET failures = CASE WHEN e.keep_failures THEN q.failures ELSE 0 END,
			failing_for = CASE WHEN e.keep_failures THEN q.failing_for ELSE '0' END,
			last_class = NULL, last_status = NULL, last_error = NULL, last_hint = NULL, sent = NULL
		FROM unnest(p_endings) AS e
		WHERE q.job_id = e.job_id AND e.how = 'again'
			AND (q.last_class IS NOT NULL OR q.failures > 0 OR q.sent IS NOT NULL);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._record_endings(zcsync.ending[], zcsync.outcome[]) IS
'ends jobs whose calls ended well, with their records; those that go on forget earlier failures';

-- What becomes of jobs whose call failed: which go back to the queue, and when.
-- - vendor, throttled: spend no attempt; such a job ends when it has failed for longer
--   than the queue's max_age, whatever the time that it waited for its turn.  A 500 may
--   be caused by one record of those that travelled together, so they travel in half as
--   large a call the next time.
-- - auth: counts as an attempt.  It starts a probe.  If that is refused, too, the secret
--   is wrong and the account is blocked; if not, the account may not see this one record.
-- - halved: was refused in a call together with others, of which one may be to blame.
--   Spends no attempt; it travels in half as large a call the next time.  The vendor
--   may have accepted the records before the bad one, so a create stays unclear.  If
--   the refusal looks like a missing right, the first and the last of them travel alone
--   and the others wait: see _hold_refused().
-- - rejected, conflict, not_found, broken, config: count as an attempt; after the
--   queue's max_attempts the job becomes a dead letter.
--
-- A pull never becomes a dead letter: its stream shows the error and is read
-- again when it is due.
CREATE FUNCTION zcsync._fail_jobs(p_failed zcsync.outcome[])
RETURNS TABLE (job_id bigint, run_at timestamptz)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz := zcsync._now();
	v_job record;		-- a job with its outcome, the rules of its operation and its queue
	v_failures integer;
	v_ours bigint[] := ARRAY(SELECT o.job_id FROM unnest(p_failed) AS o);
BEGIN
	IF p_failed = '{}' THEN
		RETURN;
	END IF;
	PERFORM zcsync._call_fail((zcsync._operation_of(f.operation)).fail, f.outcomes)
	FROM (
		SELECT q.operation, array_agg(o) AS outcomes
		FROM unnest(p_failed) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		GROUP BY q.operation) AS f;
	FOR v_job IN
		SELECT q.*, o.class, o.status AS http_status, o.message, o.hint, o.delay_ms, o.reply,
			-- an unclear create stays unclear until the vendor refuses it or a look-up
			-- succeeds
			o.unclear OR NOT coalesce(o.request ? 'create', false) AS unclear, o.unclear AS maybe_applied,
			o.unclear AND o.class = 'vendor' AND o.status = 500 AS broke_down,
			CASE WHEN q.call_id IS NULL THEN 1 ELSE count(*) OVER (PARTITION BY q.call_id) END AS together,
			row_number() OVER (PARTITION BY q.call_id ORDER BY q.job_id) AS place,
			-- no permission, or no such address: hardly the fault of a single record
			coalesce(p.writes, false) AND o.status IN (403, 404, 405) AND o.class IN ('halved', 'rejected', 'not_found') AS no_right,
			p.writes AND o.status = 403 AND o.class = 'rejected' AND q.call_id IS NULL
				AND (zcsync._vendor_of(a.vendor)).refuses_scope AS alone,
			p.recurs, p.authenticates, qs.max_attempts, qs.backoff_base, qs.backoff_cap, qs.max_age
		FROM unnest(p_failed) AS o
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		JOIN zcsync.queues qs ON qs.name = q.queue
		JOIN zcsync.accounts a ON a.account_id = q.account_id
		LEFT JOIN zcsync._operations() p ON p.name = q.operation
	LOOP
		IF v_job.class = 'put_back' THEN
			RETURN QUERY SELECT v_job.job_id, v_now + v_job.delay_ms * interval '1 ms';
			CONTINUE;
		ELSIF v_job.class = 'halved' THEN
			RETURN QUERY SELECT v_job.job_id, zcsync._halve_job(v_job, v_ours);
			CONTINUE;
		ELSIF v_job.class = 'auth' THEN
			PERFORM zcsync._auth_failed(v_job.account_id, v_job.authenticates, v_job.message, v_job.hint);
			IF v_job.authenticates THEN
				DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
				CONTINUE;
			END IF;
		END IF;
		IF v_job.alone THEN
			PERFORM zcsync._note_refused(v_job.job_id, v_ours);
		END IF;
		v_failures := v_job.failures + (v_job.class NOT IN ('vendor', 'throttled'))::integer;
		IF v_job.no_right AND zcsync._hold_refused(v_job.job_id, v_ours, true, v_job.message, v_job.hint) THEN
			RETURN QUERY SELECT v_job.job_id, v_now;
		ELSIF v_failures >= v_job.max_attempts
				OR (v_failures = v_job.failures AND v_job.failing_for > v_job.max_age) THEN
			PERFORM zcsync._give_up_job(v_job);
		ELSE
			RETURN QUERY SELECT v_job.job_id, zcsync._repeat_job(v_job, v_failures);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._fail_jobs(zcsync.outcome[]) IS
'decides what becomes of jobs whose call failed; returns those that go back to the queue';

-- A push that was refused together with others travels in half as large a call the next
-- time.  Returns when.  If a right seems to be missing, the first and the last of the
-- call travel alone, and the others wait for what becomes of them.
CREATE FUNCTION zcsync._halve_job(p_job record, p_ours bigint[]) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_alone boolean := p_job.no_right AND p_job.place IN (1, p_job.together);
BEGIN
	UPDATE zcsync.sync_queue q
	SET batch_max = CASE WHEN v_alone THEN 1 ELSE greatest(1, p_job.together / 2) END,
		refused_at = CASE WHEN p_job.no_right THEN v_now ELSE q.refused_at END,
		refused_alone = q.refused_alone AND NOT p_job.no_right,
		last_class = 'rejected', last_status = p_job.http_status, last_error = p_job.message, last_hint = p_job.hint
	WHERE q.job_id = p_job.job_id;
	IF p_job.no_right
			AND NOT zcsync._hold_refused(p_job.job_id, p_ours, false, p_job.message, p_job.hint) AND NOT v_alone THEN
		RETURN v_now + interval '10 seconds';
	END IF;
	RETURN v_now;
END
$$;
COMMENT ON FUNCTION zcsync._halve_job(record, bigint[]) IS
'lets a job that was refused together with others, as _fail_jobs() has it, travel with fewer; returns when it is due';

-- A job that failed is tried again.  Returns when: after the time that the vendor named,
-- or else later after each failure.
CREATE FUNCTION zcsync._repeat_job(p_job record, p_failures integer) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_run_at timestamptz := v_now + greatest(p_job.delay_ms, 0) * interval '1 ms';
BEGIN
	IF p_job.delay_ms < 0 THEN
		-- While the vendor is down, the breaker lets a probe through now and then, the
		-- next one after at most 5 minutes; a job must be due by then to be the probe.
		v_run_at := v_run_at + zcsync._backoff(p_job.backoff_base,
			CASE p_job.class WHEN 'vendor' THEN least(p_job.backoff_cap, interval '3 minutes') ELSE p_job.backoff_cap END,
			CASE WHEN p_failures > 0 THEN p_failures ELSE p_job.attempts END - 1);
	END IF;
	-- The vendor may still be carrying out a create whose reply was lost.
	IF p_job.unclear AND p_job.unclear_since IS NOT NULL THEN
		v_run_at := greatest(v_run_at, p_job.claimed_at + zcsync._request_timeout() + interval '30 seconds');
	END IF;
	UPDATE zcsync.sync_queue q
	SET failures = p_failures, failing_for = q.failing_for + (v_run_at - v_now), last_class = p_job.class, last_status = p_job.http_status,
		last_error = p_job.message, last_hint = p_job.hint,
		sent = CASE WHEN p_job.maybe_applied THEN q.sent ELSE zcsync._sent_without(q.sent, q.attempts) END,
		unclear_since = CASE WHEN p_job.unclear THEN q.unclear_since END,
		batch_max = CASE WHEN p_job.broke_down AND p_job.together > 1 THEN p_job.together / 2 ELSE q.batch_max END
	WHERE q.job_id = p_job.job_id;
	RETURN v_run_at;
END
$$;
COMMENT ON FUNCTION zcsync._repeat_job(record, integer) IS
'notes the failure of a job, as _fail_jobs() has it, that is to be tried again; returns when it is due';

-- A job failed for good: it becomes a dead letter, but for one that comes again by itself,
-- of which only the failure is recorded.
CREATE FUNCTION zcsync._give_up_job(p_job record) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_job.recurs THEN
		DELETE FROM zcsync.sync_queue q WHERE q.job_id = p_job.job_id;
		PERFORM zcsync._record_failure(p_job.job_id, p_job.account_id, p_job.queue, p_job.operation, p_job.kind,
			p_job.local_id, p_job.route_id, p_job.class, p_job.http_status, p_job.attempts, p_job.message, p_job.created_at);
		RETURN;
	END IF;
	UPDATE zcsync.sync_queue q
	SET unclear_since = CASE WHEN p_job.unclear THEN q.unclear_since END,
		sent = CASE WHEN p_job.maybe_applied THEN q.sent ELSE zcsync._sent_without(q.sent, q.attempts) END
	WHERE q.job_id = p_job.job_id AND (q.unclear_since IS NOT NULL OR q.sent IS NOT NULL);
	PERFORM zcsync._bury(p_job.job_id, p_job.class, p_job.http_status, p_job.message, p_job.hint,
		left(p_job.reply::text, 2000));
END
$$;
COMMENT ON FUNCTION zcsync._give_up_job(record) IS
'makes a dead letter of a job that failed for good, as _fail_jobs() has it, or records only the failure if it recurs';

-- A push that was sent alone was refused because a right is missing.  Where the vendor's
-- pushes are never sent together, and its refusal says that the login lacks a scope, note
-- the time of the first such refusal in each of them: by it _hold_refused() recognises
-- those that belong together.
CREATE FUNCTION zcsync._note_refused(p_job bigint, p_ours bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.sync_queue q
	SET refused_at = coalesce((
		SELECT min(o.refused_at) FROM zcsync.sync_queue o
		WHERE o.account_id = q.account_id AND o.operation = q.operation AND o.kind = q.kind AND o.job_id <> q.job_id
			AND (o.state = 'ready' OR o.job_id = ANY (p_ours)) AND o.refused_alone), zcsync._now())
	WHERE q.job_id = p_job AND q.refused_at IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._note_refused(bigint, bigint[]) IS
'marks a push that was refused because a right is missing, together with others refused for the same reason';

-- A push was refused in a way that looks like a missing right.  The account lacks the
-- right, and the records are not at fault, if two of them are refused when sent alone
-- (p_alone) as they were when sent in one call, and if nothing of their kind was
-- accepted since.  Then one alert is raised, and the refused pushes are held until a
-- person releases them.  While that alert is open, pushes that are refused later are
-- held, too.  Returns whether the push is to be held when it goes back.
CREATE FUNCTION zcsync._hold_refused(p_job bigint, p_ours bigint[], p_alone boolean, p_message text, p_hint text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job zcsync.sync_queue;
	v_account zcsync.accounts;
	v_object text;
	v_known boolean;
	v_together bigint[];
BEGIN
	SELECT * INTO v_job FROM zcsync.sync_queue q WHERE q.job_id = p_job;
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = v_job.account_id;
	v_object := v_account.name || '/' || v_job.kind;
	v_known := EXISTS (SELECT FROM zcsync.alerts a
		WHERE a.code = 'write_refused' AND a.object = v_object AND a.resolved_at IS NULL);
	IF v_known THEN
		UPDATE zcsync.sync_queue q SET refused_at = zcsync._now() WHERE q.job_id = p_job AND q.refused_at IS NULL;
		v_job.refused_at := coalesce(v_job.refused_at, zcsync._now());
	ELSIF NOT p_alone OR v_job.refused_at IS NULL OR EXISTS (
			SELECT FROM zcsync.sync_records r
			WHERE r.status IN ('created', 'updated', 'found') AND r.created_at >= v_job.refused_at
				AND r.account_id = v_job.account_id AND r.kind = v_job.kind AND r.operation = v_job.operation) THEN
		RETURN false;
	ELSIF NOT EXISTS (
			SELECT FROM zcsync.sync_queue q
			WHERE q.account_id = v_job.account_id AND q.operation = v_job.operation AND q.kind = v_job.kind AND q.job_id <> p_job
				AND (q.state = 'ready' OR q.job_id = ANY (p_ours)) AND q.refused_alone AND q.refused_at = v_job.refused_at) THEN
		UPDATE zcsync.sync_queue q SET refused_alone = true WHERE q.job_id = p_job;
		RETURN false;
	END IF;

	IF NOT v_known THEN
		PERFORM zcsync._alert('write_refused', v_object, 'critical',
			format('%s refuses to write %s of account "%s": %s', v_account.vendor, v_job.kind, v_account.name, p_message),
			concat_ws(' ', p_hint, format('Then send what is held: SELECT zcsync.release_held(%L);', v_account.name)));
	END IF;
	v_together := ARRAY(
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.account_id = v_job.account_id AND q.operation = v_job.operation AND q.kind = v_job.kind
			AND (q.state = 'ready' OR q.job_id = ANY (p_ours)) AND q.refused_at = v_job.refused_at
		FOR UPDATE SKIP LOCKED);	-- one that somebody has locked is held when it is refused again
	-- jobs that run go back first, which may fold them into a twin
	UPDATE zcsync.sync_queue q
	SET state = CASE q.state WHEN 'running' THEN 'running' ELSE 'held' END, to_hold = q.state = 'running', batch_max = NULL,
		last_class = 'rejected', last_error = coalesce(q.last_error, p_message), last_hint = coalesce(q.last_hint, p_hint)
	WHERE q.job_id = ANY (p_job || v_together);
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._hold_refused(bigint, bigint[], boolean, text, text) IS
'holds pushes that are refused because the account lacks a right; false: this one is refused for another reason';

CREATE FUNCTION zcsync._record_failure(p_job bigint, p_account bigint, p_queue text, p_operation text, p_kind text,
	p_local_id bigint, p_route bigint, p_class text, p_status integer, p_attempts integer, p_message text,
	p_queued_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status, class,
		http_status, attempts, message, queued_at, created_at)
	VALUES (p_job, p_account, p_queue, p_operation, p_kind, p_local_id, p_route, 'failed', p_class,
		p_status, p_attempts, p_message, p_queued_at, zcsync._now());
	PERFORM zcsync._count_operations(p_account, p_operation, '{failed}');
END
$$;
COMMENT ON FUNCTION zcsync._record_failure(bigint, bigint, text, text, text, bigint, bigint, text, integer, integer, text, timestamptz) IS
'writes the record of a job that failed';

-- Move a job to the dead letters.  An earlier one of the same record and operation is
-- settled by it: it does what that one was to do, and more.
CREATE FUNCTION zcsync._bury(p_job bigint, p_class text, p_status integer, p_message text, p_hint text, p_reply text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job zcsync.sync_queue;
BEGIN
	DELETE FROM zcsync.sync_queue WHERE job_id = p_job RETURNING * INTO v_job;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	PERFORM zcsync._close_letters(ARRAY(
		SELECT d.job_id FROM zcsync.dead_letters AS d
		WHERE d.account_id = v_job.account_id AND d.dedupe_key = v_job.dedupe_key AND d.operation = v_job.operation));
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, stream_id, route_id, kind,
		local_id, record_key, dedupe_key, payload, version, backfill, sent, lookup_floor, priority, attempts, class,
		status, message, hint, reply, unclear_since, created_at, died_at)
	VALUES (v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.budget_class, v_job.stream_id,
		v_job.route_id, v_job.kind, v_job.local_id, v_job.record_key, v_job.dedupe_key, v_job.payload, v_job.version, v_job.backfill,
		v_job.sent, v_job.lookup_floor, v_job.priority, v_job.attempts, p_class, p_status, coalesce(p_message, 'no message'), p_hint, p_reply,
		v_job.unclear_since, v_job.created_at, zcsync._now())
	ON CONFLICT (job_id) DO NOTHING;
	PERFORM zcsync._record_failure(v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.kind,
		v_job.local_id, v_job.route_id, p_class, p_status, v_job.attempts, p_message, v_job.created_at);
	PERFORM zcsync._call_shelve((zcsync._operation_of(v_job.operation)).shelve, v_job.kind, v_job.local_id, 'failed');
END
$$;
COMMENT ON FUNCTION zcsync._bury(bigint, text, integer, text, text, text) IS
'moves a job to dead_letters';

-- The state of a job that goes back: held if it is to be held.  A cancelled job goes on
-- only if a look-up must show what its create did.
CREATE FUNCTION zcsync._state_after(p_to_hold boolean, p_cancelled text, p_unclear_since timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_to_hold OR (p_cancelled IS NOT NULL AND p_unclear_since IS NULL) THEN 'held' ELSE 'ready' END;
END;
COMMENT ON FUNCTION zcsync._state_after(boolean, text, timestamptz) IS
'the state of a job that goes back to the queue: ready or held';

-- Put running jobs back to ready, each at its time, without ever waiting.
--
-- If a ready or held twin exists, the job is folded into it.  If the twin is locked or
-- not yet committed, the job stays running, and is returned so that the caller tries
-- again.
CREATE FUNCTION zcsync._put_back(p_ids bigint[], p_run_at timestamptz[]) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_twin bigint;
	v_lock_timeout text := current_setting('lock_timeout');
BEGIN
	IF cardinality(p_ids) = 0 THEN
		RETURN;
	END IF;
	-- An uncommitted twin shows only as a wait on the unique index.
	PERFORM set_config('lock_timeout', '20ms', true);

	-- Most of the time there is no twin.
	BEGIN
		UPDATE zcsync.sync_queue q
		SET state = zcsync._state_after(q.to_hold, q.cancelled, q.unclear_since), to_hold = false,
			claimed_by = NULL, claimed_at = NULL, run_at = b.run_at
		FROM unnest(p_ids, p_run_at) AS b (job_id, run_at)
		WHERE q.job_id = b.job_id AND q.claimed_by IS NOT NULL;	-- as in _finish_jobs()
		PERFORM set_config('lock_timeout', v_lock_timeout, true);
		RETURN;
	EXCEPTION WHEN lock_not_available OR unique_violation THEN
		NULL;
	END;

	FOR v_job IN
		SELECT q.*, b.run_at AS back_at
		FROM unnest(p_ids, p_run_at) AS b (job_id, run_at)
		JOIN zcsync.sync_queue q ON q.job_id = b.job_id
		WHERE q.state = 'running'
		ORDER BY q.job_id
	LOOP
		IF EXISTS (SELECT FROM zcsync.sync_queue t
				WHERE t.account_id = v_job.account_id AND t.dedupe_key = v_job.dedupe_key AND t.state IN ('ready', 'held')) THEN
			SELECT t.job_id INTO v_twin FROM zcsync.sync_queue t
			WHERE t.account_id = v_job.account_id AND t.dedupe_key = v_job.dedupe_key AND t.state IN ('ready', 'held')
			FOR UPDATE SKIP LOCKED;
			IF NOT FOUND THEN
				RETURN NEXT v_job.job_id;
				CONTINUE;
			END IF;
			-- An unclear create keeps its mark, and its time if it has one to wait for;
			-- otherwise the earlier of the two times counts.
			UPDATE zcsync.sync_queue t
			SET state = CASE WHEN v_job.to_hold THEN 'held'
					WHEN t.cancelled = 'wanted' AND v_job.unclear_since IS NOT NULL THEN 'ready'	-- to be looked up
					ELSE t.state END,
				attempts = t.attempts + v_job.attempts, failures = greatest(t.failures, v_job.failures),
				failing_for = greatest(t.failing_for, v_job.failing_for),
				crashes = greatest(t.crashes, v_job.crashes),
				unclear_since = coalesce(v_job.unclear_since, t.unclear_since),
				batch_max = least(t.batch_max, v_job.batch_max),
				lookup_floor = coalesce(v_job.lookup_floor, t.lookup_floor),
				sent = coalesce(v_job.sent || t.sent, v_job.sent, t.sent),
				run_at = CASE WHEN v_job.unclear_since IS NULL THEN least(t.run_at, v_job.back_at) ELSE greatest(t.run_at, v_job.back_at) END,
				priority = least(t.priority, v_job.priority),
				last_class = v_job.last_class, last_status = v_job.last_status, last_error = v_job.last_error,
				last_hint = v_job.last_hint, created_at = least(t.created_at, v_job.created_at)
			WHERE t.job_id = v_twin;
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
		ELSE
			BEGIN
				UPDATE zcsync.sync_queue q
				SET state = zcsync._state_after(q.to_hold, q.cancelled, q.unclear_since), to_hold = false,
					claimed_by = NULL, claimed_at = NULL, run_at = v_job.back_at
				WHERE q.job_id = v_job.job_id;
			EXCEPTION WHEN lock_not_available OR unique_violation THEN
				RETURN NEXT v_job.job_id;
			END;
		END IF;
	END LOOP;
	PERFORM set_config('lock_timeout', v_lock_timeout, true);
END
$$;
COMMENT ON FUNCTION zcsync._put_back(bigint[], timestamptz[]) IS
'puts running jobs back to ready or folds them into their twins; returns those that are blocked by somebody''s lock';

-- Count the calls in a row that failed by the vendor's fault; three of them open the
-- account's breaker.  p_answered: the vendor answered other calls meanwhile.  While
-- somebody has locked the account nothing is counted: the next calls show the same.
CREATE FUNCTION zcsync._breaker(p_account bigint, p_failed integer, p_answered boolean, p_message text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_failures integer;
BEGIN
	SELECT a.breaker_failures INTO v_failures FROM zcsync.accounts a
	WHERE a.account_id = p_account AND CASE WHEN p_answered THEN a.breaker_failures > 0 ELSE p_failed > 0 END
	FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	ELSIF p_answered THEN
		UPDATE zcsync.accounts a
		SET breaker_failures = 0, breaker_until = CASE WHEN a.breaker_opened_at IS NOT NULL THEN v_now END
		WHERE a.account_id = p_account;
	ELSE
		v_failures := v_failures + p_failed;
		UPDATE zcsync.accounts a
		SET breaker_failures = v_failures,
			breaker_opened_at = CASE WHEN v_failures >= 3 THEN coalesce(a.breaker_opened_at, v_now) END,
			-- the first probe after 30 s, the next each after twice as long, at most 5
			-- min
			breaker_until = CASE
				WHEN v_failures < 3 THEN NULL
				WHEN a.breaker_failures < 3 OR a.breaker_until IS NULL THEN v_now + interval '30 seconds'
				ELSE v_now + least(interval '5 minutes',
					greatest(interval '30 seconds', 2 * (a.breaker_until - coalesce(a.last_error_at, a.breaker_opened_at)))) END,
			last_error = p_message,
			last_error_at = v_now
		WHERE a.account_id = p_account;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._breaker(bigint, integer, boolean, text) IS
'opens an account''s breaker after three failures of the vendor in a row, and closes it with the first answer';

-- A call was refused because a right is missing: find out whether the account lacks it.
CREATE FUNCTION zcsync._auth_failed(p_account bigint, p_authenticates boolean, p_message text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_authenticates THEN
		PERFORM zcsync._block_account(p_account, 'credentials_refused', coalesce(p_message, 'the vendor refused the credentials'),
			p_hint);
		PERFORM zcsync._forget_refusals();
	ELSE
		PERFORM zcsync._enqueue(zcsync._job(p_account, 'account', 'probe', 'api', 'probe', 'probe', '{}', 1));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._auth_failed(bigint, boolean, text, text) IS
'after a refusal of rights: sends a probe for the account, or blocks it if that was the probe';

-- Jobs that failed because the credentials of their account are refused are not at fault
-- themselves.  Those that somebody has locked are left: _recover_jobs() calls this every
-- few seconds.  A pull comes again by itself, however often it failed.
CREATE FUNCTION zcsync._forget_refusals() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.sync_queue q SET failures = 0
	WHERE q.job_id IN (
		SELECT r.job_id FROM zcsync.accounts a
		CROSS JOIN LATERAL (
			SELECT k.job_id FROM zcsync.sync_queue k
			WHERE k.account_id = a.account_id AND k.last_error IS NOT NULL AND k.operation <> 'pull'
				AND k.state = 'ready' AND k.last_class = 'auth' AND k.failures > 0
			FOR NO KEY UPDATE SKIP LOCKED) AS r
		WHERE a.state = 'blocked' AND a.blocked_by = 'credentials_refused');
END
$$;
COMMENT ON FUNCTION zcsync._forget_refusals() IS
'forgets the failures of jobs whose accounts are blocked because their credentials are refused';

-- Take over what a reply of the vendor says of a budget.
--
-- A reply may name a lower limit than ours (for p_limit_window_s, or else for a window of
-- the budget), in a refusal or next to the calls left.  Then calls is lowered to it, and
-- stays lowered until the vendor names another limit, until a day
-- has passed without it, or until the account's settings are changed.  Limits that the
-- settings themselves name are not lowered.  If the vendor asks to wait without saying
-- how long, each refusal after such a pause doubles the next pause, up to five minutes.
CREATE FUNCTION zcsync._note_limits(p_account bigint, p_class text, p_limit integer, p_remaining integer,
	p_reset_s integer, p_pause_ms bigint, p_guessed boolean DEFAULT false, p_limit_window_s integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'		-- somebody who alters the account may have its budgets: then it is noted later
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	UPDATE zcsync.account_budgets b
	SET remote_limit = coalesce(l.remote_limit, b.remote_limit),
		remote_remaining = coalesce(p_remaining, b.remote_remaining),
		remote_reset_at = coalesce(v_now + p_reset_s * interval '1 second', b.remote_reset_at),
		calls = CASE WHEN l.decides THEN least(l.remote_limit, l.own) ELSE b.calls END,
		lowered_from = CASE WHEN NOT l.decides THEN b.lowered_from WHEN l.remote_limit < l.own THEN l.own END,
		lowered_at = CASE WHEN NOT l.decides AND p_pause_ms > 0 AND b.lowered_from IS NOT NULL THEN v_now
			WHEN NOT l.decides THEN b.lowered_at WHEN l.remote_limit < l.own THEN v_now END,
		tokens = least(zcsync._tokens_at(v_now, b.tokens, b.refilled_at, b.calls, b.share, b.window_s),
			CASE WHEN p_pause_ms > 0 THEN 0 ELSE p_remaining END),
		refilled_at = v_now,
		paused_until = CASE WHEN p_pause_ms > 0
			THEN greatest(b.paused_until, v_now + CASE WHEN p_guessed
				THEN least(p_pause_ms * power(2, least(l.pauses, 10) - 1), greatest(p_pause_ms, 300000))
				ELSE p_pause_ms END * interval '1 ms') ELSE b.paused_until END,
		guessed_pauses = CASE WHEN p_pause_ms > 0 AND p_guessed THEN l.pauses ELSE b.guessed_pauses END,
		guessed_at = CASE WHEN p_pause_ms > 0 AND p_guessed THEN v_now ELSE b.guessed_at END,
		pause_reason = CASE WHEN p_pause_ms > 0 THEN 'the vendor asked to wait' ELSE b.pause_reason END,
		throttled_total = b.throttled_total + (p_pause_ms > 0)::integer
	FROM (
		SELECT w.pauses, w.own, w.remote_limit, coalesce((p_pause_ms > 0 OR p_remaining IS NOT NULL) AND w.remote_limit > 0
			AND a.settings #> ARRAY['budgets', p_class, 'calls'] IS NULL, false) AS decides
		FROM (
			-- calls that were refused together count as one, for one pause
			SELECT CASE WHEN o.paused_until > v_now THEN greatest(o.guessed_pauses, 1)
					WHEN o.guessed_at > v_now - interval '10 minutes' THEN o.guessed_pauses + 1
					ELSE 1 END AS pauses,
				coalesce(o.lowered_from, o.calls) AS own,
				CASE WHEN p_limit > 0 AND p_limit_window_s > 0
					THEN greatest(1, least(2147483647, floor(p_limit * o.window_s / p_limit_window_s)))::integer
					ELSE p_limit END AS remote_limit
			FROM zcsync.account_budgets o WHERE o.account_id = p_account AND o.class = p_class) AS w
		JOIN zcsync.accounts a ON a.account_id = p_account) AS l
	WHERE b.account_id = p_account AND b.class = p_class;
END
$$;
COMMENT ON FUNCTION zcsync._note_limits(bigint, text, integer, integer, integer, bigint, boolean, integer) IS
'corrects a budget by what the vendor says in a reply';

-- Take back the jobs that were running when their claimants ended.
CREATE FUNCTION zcsync._recover_jobs(p_self bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_dead bigint[];
	v_ids bigint[];
	v_at timestamptz[];
	v_job record;
	v_now timestamptz := zcsync._now();
BEGIN
	PERFORM zcsync._note_clock();
	PERFORM zcsync._forget_refusals();
	SELECT array_agg(c.claimed_by) INTO v_dead
	FROM (SELECT DISTINCT q.claimed_by FROM zcsync.sync_queue q WHERE q.state = 'running') c
	WHERE c.claimed_by <> p_self AND NOT zcsync._claimant_alive(c.claimed_by);

	DELETE FROM zcsync.claimants c
	WHERE c.incarnation <> p_self AND NOT zcsync._claimant_alive(c.incarnation);
	IF v_dead IS NULL THEN
		RETURN 0;
	END IF;

	-- A job that ends its worker must not do so for ever.
	FOR v_job IN
		SELECT q.job_id, q.account_id FROM zcsync.sync_queue q
		WHERE q.state = 'running' AND q.claimed_by = ANY (v_dead) AND q.crashes >= 9
			AND NOT coalesce((zcsync._operation_of(q.operation)).recurs, false)
		FOR UPDATE SKIP LOCKED
	LOOP
		PERFORM zcsync._bury(v_job.job_id, 'crash', NULL, 'the worker ended while this job ran, ten times',
			'Look into the server log around these times; zcsync.retry() queues the job again.', NULL);
	END LOOP;

	WITH taken AS (
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.state = 'running' AND q.claimed_by = ANY (v_dead)
		FOR UPDATE SKIP LOCKED),
	marked AS (
		UPDATE zcsync.sync_queue q
		SET crashes = q.crashes + 1, last_class = 'crash', last_error = 'the worker ended while this job ran'
		FROM taken t WHERE q.job_id = t.job_id
		RETURNING q.job_id,
			CASE WHEN q.unclear_since IS NOT NULL
				THEN greatest(v_now, q.claimed_at + zcsync._request_timeout() + interval '30 seconds')
				ELSE v_now END AS run_at)
	SELECT array_agg(m.job_id), array_agg(m.run_at) INTO v_ids, v_at FROM marked m;
	IF v_ids IS NULL THEN
		RETURN 0;
	END IF;
	-- If a lock of somebody keeps the job from going back, it is taken up again the
	-- next time; its crash counts once.
	UPDATE zcsync.sync_queue q SET crashes = q.crashes - 1
	WHERE q.job_id IN (SELECT zcsync._put_back(v_ids, v_at));
	RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION zcsync._recover_jobs(bigint) IS
'puts jobs of claimants that are gone back to ready';
