-- ---------------------------------------------------------------------
-- The queue: what an operation is.
--
-- The queue claims, counts, repeats and buries jobs, and does not know what they are
-- for.  Each operation (pull, fetch, apply, push, route, token, probe) is registered by
-- the room that it belongs to: by a function without arguments that returns
-- zcsync.operation, and is found by that type.  The row that it returns names the
-- functions (hooks) that the queue calls for jobs of the operation; a hook that is NULL
-- means that there is nothing to do.  Hooks are called with sets of jobs, never with
-- the single jobs of a batch.
-- ---------------------------------------------------------------------

-- The request that a claimed job wants to send.
CREATE TYPE zcsync.prepared AS (
	job_id bigint,
	request jsonb			-- NULL: nothing is left to send
);
COMMENT ON TYPE zcsync.prepared IS
'a job that was claimed, and the request that it wants to send';

-- What came of a call, for one of the jobs that travelled in it.
CREATE TYPE zcsync.outcome AS (
	job_id bigint,
	attempts integer,		-- as claimed: the outcome of an earlier claim is ignored
	class text,				-- done, or a class of failure: see _fail_jobs()
	status integer,			-- the HTTP status; NULL: there was no reply
	message text,
	hint text,
	delay_ms bigint,		-- time until the next attempt; -1: the queue's backoff decides
	unclear boolean,		-- may the vendor have carried it out all the same?
	request jsonb,
	reply jsonb,
	duration_us bigint
);
COMMENT ON TYPE zcsync.outcome IS
'what came of a call, for one of the jobs that travelled in it';

-- What is to become of a job whose call succeeded.
CREATE TYPE zcsync.ending AS (
	job_id bigint,
	how text,				-- ended; again: there is more to do; repeat: as again, but
							-- without any progress; locked: somebody's lock is in the way
	status text,			-- for the record of the job
	changed integer,		-- rows that it changed
	run_after interval,		-- again: how long to wait; NULL: not at all
	keep_failures boolean	-- again: earlier failures still count
);
COMMENT ON TYPE zcsync.ending IS
'what becomes of a job whose call ended well, as its operation has it';

CREATE TYPE zcsync.operation AS (
	name text,
	prepare regprocedure,	-- (account, job ids) returns prepared[]; without it the payload is the request
	finish regprocedure,	-- (outcomes) returns ending[]: for the outcomes of class done; without it these jobs have ended
	fail regprocedure,		-- (outcomes) returns void: for those of any other class
	shelve regprocedure,	-- (kind, local id, state) returns void: a job of this row became a dead letter (failed), was taken out of the queue (held), or is queued again (pending), which an error refuses
	start regprocedure,		-- () returns bigint: called before run, in a transaction of its own that is committed first; notes what is about to be run
	run regprocedure,		-- (maximum, result of start) returns integer: does jobs that need no call; returns how many ended
	has_due regprocedure,	-- () returns boolean: is there something that run would do now?  Called very often
	enqueue_due regprocedure,	-- () returns integer: queues the jobs that are due by a schedule of the operation's own
	next_due regprocedure,	-- () returns timestamptz: when the next of them is due
	clock_back regprocedure,	-- (by how much) returns void: the clock was set back; moves the times that the operation keeps
	by_hand regprocedure,	-- (queue, reference, priority, time) returns new_job: for zcsync.enqueue()
	by_hand_usage text,		-- what to give to zcsync.enqueue()
	writes boolean,			-- changes records at the vendor: sent only where writing is allowed, and may be held
	alone boolean,			-- is never combined with others in a call
	recurs boolean,			-- is queued again by its schedule: never becomes a dead letter, and leaves no record when nothing changed
	authenticates boolean,	-- when the vendor refuses it, the credentials are wrong
	stopped regprocedure,	-- (result of start) returns void: somebody else interrupted the run
	take_back regprocedure	-- () returns integer: takes back what cancelled writes would have sent, as far as possible now; returns how many
);
COMMENT ON TYPE zcsync.operation IS
'an operation of the queue: the functions that are called for its jobs, and the rules that its jobs follow';

CREATE FUNCTION zcsync._operations() RETURNS SETOF zcsync.operation
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptors';
COMMENT ON FUNCTION zcsync._operations() IS
'the operations of the queue, wherever they are defined';

CREATE FUNCTION zcsync._operation_of(p_name text) RETURNS zcsync.operation
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptor';
COMMENT ON FUNCTION zcsync._operation_of(text) IS
'an operation of the queue, or NULL';

-- An operation by its parts.
CREATE FUNCTION zcsync._describe_operation(p_name text, p_prepare regprocedure DEFAULT NULL,
	p_finish regprocedure DEFAULT NULL, p_fail regprocedure DEFAULT NULL, p_shelve regprocedure DEFAULT NULL,
	p_start regprocedure DEFAULT NULL, p_run regprocedure DEFAULT NULL, p_has_due regprocedure DEFAULT NULL,
	p_enqueue_due regprocedure DEFAULT NULL, p_next_due regprocedure DEFAULT NULL, p_clock_back regprocedure DEFAULT NULL, p_by_hand regprocedure DEFAULT NULL, p_by_hand_usage text DEFAULT NULL, p_writes boolean DEFAULT false,
	p_alone boolean DEFAULT false, p_recurs boolean DEFAULT false, p_authenticates boolean DEFAULT false, p_stopped regprocedure DEFAULT NULL,
	p_take_back regprocedure DEFAULT NULL)
RETURNS zcsync.operation
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_name, p_prepare, p_finish, p_fail, p_shelve, p_start, p_run, p_has_due, p_enqueue_due, p_next_due, p_clock_back, p_by_hand,
		p_by_hand_usage,
		p_writes, p_alone, p_recurs, p_authenticates, p_stopped, p_take_back)::zcsync.operation;
END;
COMMENT ON FUNCTION zcsync._describe_operation(text, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, regprocedure, text, boolean, boolean, boolean, boolean, regprocedure, regprocedure) IS
'an operation of the queue by its parts';

-- ---------------------------------------------------------------------
-- Calls of hooks: the first argument is the hook, NULL means none
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._call_prepare(p_hook regprocedure, p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_prepare(regprocedure, bigint, bigint[]) IS
'calls the hook prepare of an operation';

CREATE FUNCTION zcsync._call_finish(p_hook regprocedure, p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_finish(regprocedure, zcsync.outcome[]) IS
'calls the hook finish of an operation';

CREATE FUNCTION zcsync._call_fail(p_hook regprocedure, p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_fail(regprocedure, zcsync.outcome[]) IS
'calls the hook fail of an operation';

CREATE FUNCTION zcsync._call_shelve(p_hook regprocedure, p_kind text, p_local_id bigint, p_state text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_shelve(regprocedure, text, bigint, text) IS
'calls the hook shelve of an operation';

CREATE FUNCTION zcsync._call_start(p_hook regprocedure) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_start(regprocedure) IS
'calls the hook start of an operation';

CREATE FUNCTION zcsync._call_stopped(p_hook regprocedure, p_started bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_stopped(regprocedure, bigint) IS
'calls the hook stopped of an operation';

CREATE FUNCTION zcsync._call_take_back(p_hook regprocedure) RETURNS integer
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_take_back(regprocedure) IS
'calls the hook take_back of an operation';

CREATE FUNCTION zcsync._call_run(p_hook regprocedure, p_max integer, p_started bigint) RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_run(regprocedure, integer, bigint) IS
'calls the hook run of an operation';

CREATE FUNCTION zcsync._call_has_due(p_hook regprocedure) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_has_due(regprocedure) IS
'calls the hook has_due of an operation';

CREATE FUNCTION zcsync._call_enqueue_due(p_hook regprocedure) RETURNS integer
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_enqueue_due(regprocedure) IS
'calls the hook enqueue_due of an operation';

CREATE FUNCTION zcsync._call_next_due(p_hook regprocedure) RETURNS timestamptz
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_next_due(regprocedure) IS
'calls the hook next_due of an operation';

CREATE FUNCTION zcsync._call_clock_back(p_hook regprocedure, p_step interval) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_clock_back(regprocedure, interval) IS
'calls the hook clock_back of an operation';

CREATE FUNCTION zcsync._call_by_hand(p_hook regprocedure, p_queue text, p_reference text, p_priority integer, p_run_at timestamptz)
RETURNS zcsync.new_job
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_by_hand(regprocedure, text, text, integer, timestamptz) IS
'calls the hook by_hand of an operation';

-- ---------------------------------------------------------------------
-- What the engine asks of all operations
-- ---------------------------------------------------------------------

-- Tell all operations with jobs that send nothing that these jobs are about to be run.
-- Returns the numbers that they want to get back from _run_jobs().  The caller commits
-- before it calls that, since what a job runs may end the process.
CREATE FUNCTION zcsync._start_jobs() RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT jsonb_object_agg(s.name, s.told)
		FROM (SELECT o.name, zcsync._call_start(o.start) AS told FROM zcsync._operations() o WHERE o.start IS NOT NULL OFFSET 0) AS s);
END
$$;
COMMENT ON FUNCTION zcsync._start_jobs() IS
'notes that jobs which need no call are about to be done; its result goes to zcsync._run_jobs()';

-- Jobs that were started did not end, because somebody else stopped the process or the
-- statement that ran them: see src/local_attempt.c.
CREATE FUNCTION zcsync._stop_jobs(p_started text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._call_stopped(o.stopped, (p_started::jsonb ->> o.name)::bigint) FROM zcsync._operations() o WHERE o.stopped IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._stop_jobs(text) IS
'takes back what zcsync._start_jobs() noted, when somebody else stopped the jobs';

-- Run jobs that send nothing: at most p_max of each operation that has such jobs, or of
-- the operation named.  Returns how many ended.
CREATE FUNCTION zcsync._run_jobs(p_started text DEFAULT NULL, p_max integer DEFAULT 200, p_operation text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_operation record;
	v_count integer := 0;
BEGIN
	FOR v_operation IN
		SELECT o.run, (p_started::jsonb ->> o.name)::bigint AS started
		FROM zcsync._operations() o
		WHERE o.run IS NOT NULL AND (p_operation IS NULL OR o.name = p_operation)
	LOOP
		v_count := v_count + zcsync._call_run(v_operation.run, p_max, v_operation.started);
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._run_jobs(text, integer, text) IS
'does due jobs that need no call; returns how many ended';

-- The engine asks this when that time has come, not each time it looks for work.
CREATE FUNCTION zcsync._next_due_at() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT min(zcsync._call_next_due(o.next_due)) FROM zcsync._operations() o);
END
$$;
COMMENT ON FUNCTION zcsync._next_due_at() IS
'when the next job is due by the schedule of its operation; NULL: none is planned';

-- What is still due afterwards is locked by somebody, so this is tried again in a
-- second.
CREATE FUNCTION zcsync._enqueue_due() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure;
	v_next timestamptz;
BEGIN
	FOR v_hook IN SELECT o.enqueue_due FROM zcsync._operations() o WHERE o.enqueue_due IS NOT NULL LOOP
		PERFORM zcsync._call_enqueue_due(v_hook);
	END LOOP;
	v_next := zcsync._next_due_at();
	RETURN CASE WHEN v_next <= zcsync._now() THEN zcsync._now() + interval '1 second' ELSE v_next END;
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_due() IS
'queues the jobs that are due by the schedules of their operations; returns when to call this again';

-- ---------------------------------------------------------------------
-- The operations of an account itself
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._prepare_token(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(ROW(i, '{"op": "token"}'::jsonb)::zcsync.prepared) FROM unnest(p_ids) AS i;
END;
COMMENT ON FUNCTION zcsync._prepare_token(bigint, bigint[]) IS
'what jobs that fetch an access token send';

CREATE FUNCTION zcsync._operation_token() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('token', p_prepare => 'zcsync._prepare_token(bigint, bigint[])'::regprocedure,
		p_recurs => true, p_authenticates => true);
END;
COMMENT ON FUNCTION zcsync._operation_token() IS
'operation token: fetches an access token';

-- After a refusal: does the vendor refuse the account, or only the one record?
CREATE FUNCTION zcsync._prepare_probe(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT array_agg(ROW(i, (zcsync._vendor_of(a.vendor)).probe_request)::zcsync.prepared)
		FROM zcsync.accounts a CROSS JOIN unnest(p_ids) AS i
		WHERE a.account_id = p_account);
END
$$;
COMMENT ON FUNCTION zcsync._prepare_probe(bigint, bigint[]) IS
'what jobs that probe an account send';

CREATE FUNCTION zcsync._operation_probe() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('probe', p_prepare => 'zcsync._prepare_probe(bigint, bigint[])'::regprocedure,
		p_recurs => true, p_authenticates => true);
END;
COMMENT ON FUNCTION zcsync._operation_probe() IS
'operation probe: asks the vendor whether the credentials of an account are good';
