-- ---------------------------------------------------------------------
-- Step 1 of the tables: the queue, what became of its jobs, and the history of rows.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._step_1_queues() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.queues (
		name text NOT NULL
			CONSTRAINT queues_pkey PRIMARY KEY,
		concurrency integer NOT NULL DEFAULT 5		-- running jobs per account
			CONSTRAINT queues_concurrency CHECK (concurrency BETWEEN 1 AND 10000),
		max_attempts integer NOT NULL DEFAULT 3
			CONSTRAINT queues_max_attempts CHECK (max_attempts BETWEEN 1 AND 1000),
		backoff_base interval NOT NULL DEFAULT '2 seconds',
		backoff_cap interval NOT NULL DEFAULT '10 minutes',
		max_age interval NOT NULL DEFAULT '3 days',	-- a job that has failed for longer fails for good at the next failure of the vendor or throttling
		keep_completed integer NOT NULL DEFAULT 100,
		keep_failed integer NOT NULL DEFAULT 50,
		state text NOT NULL DEFAULT 'active'
			CONSTRAINT queues_state CHECK (state IN ('active', 'paused')),
		paused_at timestamptz,			-- while it is paused: since when, and
		paused_by text,					-- who paused it; NULL: zcsync
		created_at timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE zcsync.queues IS
	'named queues: concurrency per account, attempts, backoff and retention of their jobs';

	CREATE TABLE zcsync.claimants (
		incarnation bigint NOT NULL
			CONSTRAINT claimants_pkey PRIMARY KEY,
		pid integer NOT NULL,
		role text NOT NULL,				-- 'worker', 'local' or 'run'
		started_at timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE zcsync.claimants IS
	'processes that take jobs; each holds a session lock on its incarnation, which shows that it still lives';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_queues() IS
'tables of step 1: queues and claimants';

CREATE FUNCTION zcsync._step_1_sync_queue() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE SEQUENCE zcsync.job_id_seq;
	CREATE TABLE zcsync.sync_queue (
		job_id bigint NOT NULL DEFAULT nextval('zcsync.job_id_seq')
			CONSTRAINT sync_queue_pkey PRIMARY KEY,
		account_id bigint NOT NULL
			CONSTRAINT sync_queue_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		queue text NOT NULL
			CONSTRAINT sync_queue_queue_fkey REFERENCES zcsync.queues,
		operation text NOT NULL,		-- pull, fetch, push, route, apply, token, custom ones later
		budget_class text NOT NULL DEFAULT 'api',	-- '': the job sends nothing
		stream_id bigint,
		route_id bigint,
		kind text,
		local_id bigint,				-- of the mirror row, where there is one
		record_key text NOT NULL,		-- only one running job may have it
		dedupe_key text NOT NULL,		-- ready jobs with the same key are one
		payload jsonb NOT NULL DEFAULT '{}',		-- what to do, in the form of its operation; for a route, "edited" means: not only for a backfill
		priority smallint NOT NULL DEFAULT 50,		-- lower first
		state text NOT NULL DEFAULT 'ready'
			CONSTRAINT sync_queue_state CHECK (state IN ('ready', 'running', 'held')),
		run_at timestamptz NOT NULL DEFAULT now(),
		attempts integer NOT NULL DEFAULT 0,		-- attempts that were begun
		failures integer NOT NULL DEFAULT 0,		-- attempts that count towards max_attempts
		failing_for interval NOT NULL DEFAULT '0',	-- for how long it was to wait for its next attempts since it began to fail; what counts towards max_age
		claimed_by bigint,				-- claimants.incarnation
		claimed_at timestamptz,
		crashes integer NOT NULL DEFAULT 0,			-- how often its worker ended while it ran
		unclear_since timestamptz,		-- when a create began whose effect is not known
		call_id bigint,					-- while running: the job after which its call is named
		batch_max integer				-- at most so many jobs travel in a call with this one; NULL: as many as the vendor takes
			CONSTRAINT sync_queue_batch_max CHECK (batch_max > 0),
		joins integer NOT NULL DEFAULT 0,			-- how often an enqueue found this job waiting
		version text,					-- of a document that waits
		backfill boolean NOT NULL DEFAULT false,	-- of a route: it is wanted whatever the age of the record
		sent jsonb,						-- of a push: what it sent and the vendor may have carried out unseen; see _add_sent()
		lookup_page integer,			-- of an unclear create: the next page on which to look for it
		lookup_floor text,				-- and the latest remote id known before it was sent
		refused_at timestamptz,			-- of a push: when it was refused because a right seemed to be missing
		refused_alone boolean NOT NULL DEFAULT false,	-- and no other job travelled with it then
		to_hold boolean NOT NULL DEFAULT false,		-- while running: it will be held when it goes back
		cancelled text					-- what it would send is no longer wanted: 'wanted' means that the row's values are to be taken back, 'kept' that the row is new and keeps them
			CONSTRAINT sync_queue_cancelled CHECK (cancelled IN ('wanted', 'kept')),
		cancelled_by text,
		stale boolean NOT NULL DEFAULT false,		-- of a pull: the read was given up, so its page is dropped
		last_class text,				-- outcome of the last attempt
		last_status integer,
		last_error text,
		last_hint text,
		enqueued_by text NOT NULL DEFAULT current_user,
		enqueued_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),	-- of the last enqueue
		previous_xid xid8,				-- of the enqueue before that
		enqueued_at timestamptz NOT NULL DEFAULT now(),	-- of the last enqueue
		waits_since timestamptz,		-- of a push: since when it has been put off until its record is read; see mirror/read_first.sql
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT sync_queue_running_claimed CHECK ((state = 'running') = (claimed_by IS NOT NULL))
	) WITH (fillfactor = 70);
	COMMENT ON TABLE zcsync.sync_queue IS 'live jobs only: ready, running or held; a job that ends moves to sync_records, or to dead_letters';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_sync_queue() IS
'tables of step 1: the live jobs';

CREATE FUNCTION zcsync._step_1_sync_queue_indexes() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- One waiting job for each record and operation, ready or held; enqueueing joins
	-- it.
	CREATE UNIQUE INDEX sync_queue_ready_key ON zcsync.sync_queue (account_id, dedupe_key) WHERE state IN ('ready', 'held');
	-- One running job for each record: this index proves it, the claim ensures it.
	CREATE UNIQUE INDEX sync_queue_running_key ON zcsync.sync_queue (account_id, record_key) WHERE state = 'running';
	CREATE INDEX sync_queue_claim ON zcsync.sync_queue (account_id, queue, budget_class, priority, run_at, job_id) WHERE state = 'ready';
	CREATE INDEX sync_queue_run_at ON zcsync.sync_queue ((budget_class = ''), run_at) WHERE state = 'ready';
	CREATE INDEX sync_queue_held ON zcsync.sync_queue (account_id, route_id) WHERE state = 'held';
	CREATE INDEX sync_queue_cancelled ON zcsync.sync_queue (account_id, kind, local_id) WHERE cancelled IS NOT NULL;
	CREATE INDEX sync_queue_apply ON zcsync.sync_queue (account_id, kind, dedupe_key) WHERE operation = 'apply' AND state = 'ready';
	CREATE INDEX sync_queue_local_id ON zcsync.sync_queue (local_id) WHERE state <> 'running';
	CREATE INDEX sync_queue_errors ON zcsync.sync_queue (account_id) WHERE last_error IS NOT NULL AND operation <> 'pull';
	CREATE INDEX sync_queue_waiting ON zcsync.sync_queue (stream_id, waits_since) WHERE waits_since IS NOT NULL AND state = 'ready';
	CREATE INDEX sync_queue_fetch ON zcsync.sync_queue (stream_id) WHERE operation = 'fetch';
	CREATE INDEX sync_queue_sent ON zcsync.sync_queue (local_id) WHERE sent IS NOT NULL;
	CREATE INDEX sync_queue_backfill ON zcsync.sync_queue (route_id, operation, job_id) WHERE priority >= 60 AND route_id IS NOT NULL;
	CREATE INDEX sync_queue_route ON zcsync.sync_queue (route_id, priority, run_at, job_id)
		WHERE state = 'ready' AND operation = 'route';
	CREATE INDEX sync_queue_conversation ON zcsync.sync_queue (route_id, run_at, job_id)
		WHERE state = 'ready' AND operation = 'conversation';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_sync_queue_indexes() IS
'tables of step 1: the indexes of the live jobs';

CREATE FUNCTION zcsync._step_1_dead_letters() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.dead_letters (
		job_id bigint NOT NULL
			CONSTRAINT dead_letters_pkey PRIMARY KEY,
		account_id bigint NOT NULL
			CONSTRAINT dead_letters_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		queue text NOT NULL,
		operation text NOT NULL,
		budget_class text NOT NULL,
		stream_id bigint,
		route_id bigint,
		kind text,
		local_id bigint,
		record_key text NOT NULL,
		dedupe_key text NOT NULL,
		payload jsonb NOT NULL,
		version text,
		backfill boolean NOT NULL DEFAULT false,
		sent jsonb,
		lookup_floor text,
		priority smallint NOT NULL,
		attempts integer NOT NULL,
		class text NOT NULL,
		status integer,
		message text NOT NULL,
		hint text,
		reply text,						-- first part of the last reply
		unclear_since timestamptz,
		created_at timestamptz NOT NULL,
		died_at timestamptz NOT NULL DEFAULT now()
	);
	CREATE INDEX idx_dead_letters_account ON zcsync.dead_letters (account_id, died_at DESC);
	CREATE INDEX idx_dead_letters_local_id ON zcsync.dead_letters (local_id);
	CREATE INDEX idx_dead_letters_key ON zcsync.dead_letters (account_id, dedupe_key);
	CREATE INDEX idx_dead_letters_read ON zcsync.dead_letters (account_id, kind) WHERE operation IN ('apply', 'fetch');
	CREATE INDEX idx_dead_letters_unclear ON zcsync.dead_letters (local_id) WHERE unclear_since IS NOT NULL;
	COMMENT ON TABLE zcsync.dead_letters IS
	'jobs that failed for good, with what the vendor said; zcsync.retry(job_id) queues one again';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_dead_letters() IS
'tables of step 1: jobs that failed for good';

CREATE FUNCTION zcsync._step_1_records() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.sync_records (
		job_id bigint NOT NULL,
		account_id bigint NOT NULL,
		queue text NOT NULL,
		operation text NOT NULL,
		kind text,
		local_id bigint,
		route_id bigint,
		status text NOT NULL,			-- done, created, updated, found, merged, unchanged, cancelled, failed
		class text,						-- failure class, where it failed
		http_status integer,
		attempts integer NOT NULL,
		changed integer,				-- rows that a page changed
		message text,
		queued_at timestamptz NOT NULL,
		duration_us bigint,				-- of the last call
		created_at timestamptz NOT NULL DEFAULT now()
	) PARTITION BY RANGE (created_at);
	-- No primary key: each job that ends would have to maintain one more index.  Its
	-- partitions have the replica identity FULL.
	ALTER TABLE zcsync.sync_records REPLICA IDENTITY FULL;
	CREATE INDEX idx_sync_records_status ON zcsync.sync_records (status, created_at);
	CREATE INDEX idx_sync_records_local_id ON zcsync.sync_records (local_id, created_at);
	COMMENT ON TABLE zcsync.sync_records IS
	'what became of each job that did something, by month';

	CREATE TABLE zcsync.changes (
		account_id bigint NOT NULL,
		kind text NOT NULL,
		local_id bigint NOT NULL,
		action text NOT NULL,			-- insert, update, delete, or lost: both sides changed the column, and the value old lost to new
		old jsonb,						-- changed columns only
		new jsonb,
		cause text NOT NULL,			-- who wrote it: local, pull, push, route, ...
		cause_id bigint,				-- the job, the route, ...
		xid xid8,
		role text NOT NULL,				-- database role
		created_at timestamptz NOT NULL DEFAULT now()
	) PARTITION BY RANGE (created_at);
	ALTER TABLE zcsync.changes REPLICA IDENTITY FULL;
	CREATE INDEX idx_changes_record ON zcsync.changes (local_id, created_at);
	-- Rows come in the order of their time, so this costs next to nothing.
	CREATE INDEX idx_changes_created_at ON zcsync.changes USING brin (created_at) WITH (pages_per_range = 32);
	COMMENT ON TABLE zcsync.changes IS
	'the history of mirror rows, by month; read it with zcsync.history(reference)';

	CREATE TABLE zcsync.conflicts (
		conflict_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT conflicts_pkey PRIMARY KEY,
		account_id bigint NOT NULL
			CONSTRAINT conflicts_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		kind text NOT NULL,
		local_id bigint NOT NULL,
		field text NOT NULL,			-- column, or custom_fields/key
		mine jsonb,						-- the row's value when the vendor's value was last seen
		theirs jsonb,
		created_at timestamptz NOT NULL DEFAULT now(),
		changed_at timestamptz NOT NULL DEFAULT now(),
		resolved_at timestamptz			-- NULL: open, and the column is not sent
	);
	CREATE UNIQUE INDEX idx_conflicts_open ON zcsync.conflicts (account_id, local_id, field) WHERE resolved_at IS NULL;
	COMMENT ON TABLE zcsync.conflicts IS
	'columns that both sides changed and a person must decide; while a row is open, its column is not sent';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_records() IS
'tables of step 1: what became of jobs, and the history of mirror rows';
