-- ---------------------------------------------------------------------
-- The queue: what operators call.
-- ---------------------------------------------------------------------

-- Raise an error that lists the queues unless this one exists.
CREATE FUNCTION zcsync._check_queue(p_queue text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF p_queue IS NULL OR NOT EXISTS (SELECT FROM zcsync.queues q WHERE q.name = p_queue) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('queue %s does not exist', coalesce(quote_ident(p_queue), 'NULL')),
			HINT = format('The queues are: %s.', (SELECT string_agg(q.name, ', ' ORDER BY q.name) FROM zcsync.queues q));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_queue(text) IS
'raises an error unless the queue exists';

CREATE FUNCTION zcsync.enqueue(queue text, operation text, reference text, priority integer DEFAULT 50,
	run_at timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_hook regprocedure := (zcsync._operation_of(operation)).by_hand;
BEGIN
	PERFORM zcsync._check_queue(queue);
	IF reference IS NULL OR priority IS NULL OR priority NOT BETWEEN 0 AND 100 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'enqueue needs a reference and a priority from 0 to 100';
	ELSIF NOT isfinite(run_at) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for argument "run_at": %s', run_at),
			HINT = 'It is the time at which the job is due; NULL means now.';
	ELSIF v_hook IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('operation %s cannot be queued', coalesce(quote_literal(operation), 'NULL')),
			HINT = format('Use %s.', (SELECT string_agg(o.by_hand_usage, ' or ' ORDER BY o.name) FROM zcsync._operations() o));
	END IF;
	RETURN zcsync._enqueue(zcsync._call_by_hand(v_hook, queue, reference, priority, run_at));
END
$$;
COMMENT ON FUNCTION zcsync.enqueue(text, text, text, integer, timestamptz) IS
'queues a job by hand: operation pull with a stream (acme/tickets) or push with a record (dev/tasks/9hx); returns its number';

CREATE FUNCTION zcsync.retry(job_id bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_dead zcsync.dead_letters;
	v_job bigint := job_id;
BEGIN
	PERFORM zcsync._refuse_standby();
	DELETE FROM zcsync.dead_letters d WHERE d.job_id = v_job RETURNING * INTO v_dead;
	IF FOUND THEN
		v_job := zcsync._enqueue(zcsync._job(v_dead.account_id, v_dead.queue, v_dead.operation, v_dead.budget_class,
			v_dead.record_key, v_dead.dedupe_key, v_dead.payload - 'withheld', v_dead.priority, NULL, v_dead.stream_id,
			v_dead.route_id, v_dead.kind, v_dead.local_id, v_dead.backfill, v_dead.version));
		UPDATE zcsync.sync_queue q
		SET unclear_since = least(q.unclear_since, v_dead.unclear_since),
			run_at = greatest(q.run_at, v_dead.died_at + zcsync._request_timeout() + interval '30 seconds')
		WHERE q.job_id = v_job AND v_dead.unclear_since IS NOT NULL;
		-- A push that waited already was sent later than the dead letter, if it was sent.
		UPDATE zcsync.sync_queue q
		SET sent = coalesce(zcsync._sent_before(v_dead.sent) || q.sent, zcsync._sent_before(v_dead.sent), q.sent),
			lookup_floor = coalesce(v_dead.lookup_floor, q.lookup_floor)
		WHERE q.job_id = v_job AND (v_dead.sent IS NOT NULL OR v_dead.lookup_floor IS NOT NULL);
		PERFORM zcsync._call_shelve((zcsync._operation_of(v_dead.operation)).shelve, v_dead.kind, v_dead.local_id, 'pending');
		RETURN v_job;
	END IF;
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now(), failures = 0, failing_for = '0'
	WHERE q.job_id = v_job AND q.state = 'ready' AND q.unclear_since IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job %s is neither a dead letter nor waiting', coalesce(v_job::text, 'NULL')),
			HINT = 'Look it up in zcsync.dead_letters, zcsync.sync_queue and zcsync.sync_records. A create whose effect is not known waits for its look-up.';
	END IF;
	PERFORM zcsync._wake();
	RETURN v_job;
END
$$;
COMMENT ON FUNCTION zcsync.retry(bigint) IS
'queues a dead letter again, or makes a waiting job due now; returns the job''s number';

-- Take a waiting job out of the queue, with a record.  The mirror row is not changed.
CREATE FUNCTION zcsync._drop_job(p_job bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_job zcsync.sync_queue;
BEGIN
	DELETE FROM zcsync.sync_queue q WHERE q.job_id = p_job AND q.state IN ('ready', 'held') RETURNING * INTO v_job;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		attempts, message, queued_at, created_at)
	VALUES (v_job.job_id, v_job.account_id, v_job.queue, v_job.operation, v_job.kind, v_job.local_id, v_job.route_id,
		'cancelled', v_job.attempts, format('cancelled by %s', session_user), v_job.created_at, zcsync._now());
	PERFORM zcsync._call_shelve((zcsync._operation_of(v_job.operation)).shelve, v_job.kind, v_job.local_id, 'held');
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._drop_job(bigint) IS
'takes a waiting or held job out of the queue, with a record; false: there is none';

-- Cancel a write of a row.  What it would have sent is taken back from the row: now,
-- or, while somebody is writing the record, later by the worker.  False: the job is no
-- such write.
CREATE FUNCTION zcsync._cancel_write(p_job bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_cancelled text;
BEGIN
	UPDATE zcsync.sync_queue q SET state = 'held', cancelled = 'wanted', cancelled_by = session_user
	WHERE q.job_id = p_job AND q.state IN ('ready', 'held') AND q.local_id IS NOT NULL AND (zcsync._operation_of(q.operation)).writes;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	WHILE (SELECT sum(zcsync._call_take_back(o.take_back)) FROM zcsync._operations() AS o) > 0 LOOP
		NULL;
	END LOOP;
	SELECT q.cancelled INTO v_cancelled FROM zcsync.sync_queue q WHERE q.job_id = p_job;
	IF v_cancelled = 'wanted' THEN
		RAISE NOTICE USING MESSAGE = 'another call for the record is on its way, or somebody is writing its row',
			DETAIL = 'What that call sends reaches the vendor. The row is taken back as soon as it has ended.';
	ELSIF v_cancelled = 'kept' THEN
		RAISE NOTICE USING MESSAGE = 'the row is new; it stays here, unsent',
			HINT = 'zcsync.discard(reference) deletes it, zcsync.release_held(account, cancelled => true) sends it.';
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._cancel_write(bigint) IS
'cancels a waiting or held write of a row and takes back what it would have sent; false: the job is no such write';

CREATE FUNCTION zcsync.cancel(job_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_id bigint := job_id;
BEGIN
	PERFORM zcsync._refuse_standby();
	-- It must not be forgotten that the effect of a create is unknown: see
	-- _inherit_unclear().
	PERFORM FROM zcsync.sync_queue q
	WHERE q.job_id = v_id AND q.state IN ('ready', 'held') AND q.unclear_since IS NOT NULL FOR UPDATE;
	IF FOUND THEN
		PERFORM zcsync._bury(v_id, 'cancelled', NULL,
			format('cancelled by %s before it was known whether the vendor had created the record', session_user),
			'The next push of the record looks it up first, and so does zcsync.retry().', NULL);
		RETURN;
	END IF;
	IF NOT zcsync._cancel_write(v_id) AND NOT zcsync._drop_job(v_id) THEN
		IF EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.job_id = v_id) THEN
			RAISE EXCEPTION USING ERRCODE = 'object_in_use',
				MESSAGE = format('job %s is running', v_id),
				HINT = 'Try again when its call has ended.';
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job %s is not in the queue', coalesce(v_id::text, 'NULL')),
			HINT = 'Look it up in zcsync.sync_records and zcsync.dead_letters.';
	END IF;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.cancel(bigint) IS
'takes a waiting or held job out of the queue; the record says who cancelled it; what it would have sent is taken back, as by cancel_held(); a create whose effect is not known becomes a dead letter';

CREATE FUNCTION zcsync.pause_queue(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	UPDATE zcsync.queues q SET state = 'paused', paused_at = zcsync._now(), paused_by = session_user
	WHERE q.name = pause_queue.name AND q.state <> 'paused';
END
$$;
COMMENT ON FUNCTION zcsync.pause_queue(text) IS
'stops taking jobs from a queue; running jobs end, new ones wait';

CREATE FUNCTION zcsync.resume_queue(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	UPDATE zcsync.queues q SET state = 'active', paused_at = NULL, paused_by = NULL WHERE q.name = resume_queue.name;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.resume_queue(text) IS
'takes jobs from a paused queue again';

CREATE FUNCTION zcsync.alter_queue(name text, concurrency integer DEFAULT NULL, max_attempts integer DEFAULT NULL,
	backoff_base interval DEFAULT NULL, backoff_cap interval DEFAULT NULL, max_age interval DEFAULT NULL,
	keep_completed integer DEFAULT NULL, keep_failed integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._check_queue(name);
	IF concurrency NOT BETWEEN 1 AND 10000 OR max_attempts NOT BETWEEN 1 AND 1000
		OR backoff_base < '0' OR backoff_cap < '0' OR max_age <= '0' OR keep_completed < 0 OR keep_failed < 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid setting for queue "%s"', name),
			DETAIL = 'Concurrency is 1 to 10000, attempts 1 to 1000, and no interval or count is negative.';
	END IF;
	UPDATE zcsync.queues q
	SET concurrency = coalesce(alter_queue.concurrency, q.concurrency),
		max_attempts = coalesce(alter_queue.max_attempts, q.max_attempts),
		backoff_base = coalesce(alter_queue.backoff_base, q.backoff_base),
		backoff_cap = coalesce(alter_queue.backoff_cap, q.backoff_cap),
		max_age = coalesce(alter_queue.max_age, q.max_age),
		keep_completed = coalesce(alter_queue.keep_completed, q.keep_completed),
		keep_failed = coalesce(alter_queue.keep_failed, q.keep_failed)
	WHERE q.name = alter_queue.name;
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.alter_queue(text, integer, integer, interval, interval, interval, integer, integer) IS
'changes the settings of a queue; settings that are not given stay as they are';
