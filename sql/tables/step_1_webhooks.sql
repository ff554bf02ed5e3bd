-- ---------------------------------------------------------------------
-- Step 1 of the tables: what vendors report by webhooks.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._step_1_webhooks() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.webhooks (
		account_id bigint NOT NULL
			CONSTRAINT webhooks_pkey PRIMARY KEY
			CONSTRAINT webhooks_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		path text NOT NULL				-- random: where the vendor sends to
			CONSTRAINT webhooks_path_key UNIQUE
			CONSTRAINT webhooks_path_form CHECK (path ~ '^[a-z0-9]{20,64}$'),
		replay_window interval NOT NULL DEFAULT '15 minutes'	-- a delivery whose signed time is further away is refused
			CONSTRAINT webhooks_replay_window CHECK (replay_window BETWEEN '10 seconds' AND '7 days'),
		created_at timestamptz NOT NULL DEFAULT now(),
		taken_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',	-- when records that waited to be fetched together were last taken
		taken integer NOT NULL DEFAULT 0,		-- how many that were
		url text,						-- the door's address, where zcsync declares the webhook at the vendor; NULL: somebody does it by hand
		events text[],					-- what it is to report; NULL: what the vendor's descriptor has
		round integer NOT NULL DEFAULT 1,		-- ends its address; rises when another secret is wanted, which takes another webhook
		keep interval NOT NULL DEFAULT '1 day',	-- for how long a replaced secret stays valid
		is_removed boolean NOT NULL DEFAULT false,	-- is to be removed at the vendor
		ids text[] NOT NULL DEFAULT '{}',		-- the vendor's ids of webhooks that were declared
		health text,					-- as the vendor last had it: active, failing, or what it calls one that does not send
		failures integer,				-- deliveries that failed in a row, as the vendor counts them
		repairs integer NOT NULL DEFAULT 0,		-- calls that changed something at the vendor
		checked_at timestamptz,			-- when the vendor last had it as wanted
		next_check_at timestamptz,		-- when the vendor is asked again
		error text,						-- why it cannot be declared
		error_hint text,
		failing_since timestamptz,
		lost text,						-- how the vendor had it when it was repaired last
		lost_at timestamptz,
		CONSTRAINT webhooks_declared CHECK (url IS NOT NULL OR (next_check_at IS NULL AND NOT is_removed))
	) WITH (fillfactor = 50);
	CREATE INDEX idx_webhooks_check ON zcsync.webhooks (next_check_at) WHERE next_check_at IS NOT NULL;
	COMMENT ON TABLE zcsync.webhooks IS
	'accounts whose vendors may report changes, and the paths to which they send; their secrets are in zcsync.credentials';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_webhooks() IS
'tables of step 1: webhooks';

CREATE FUNCTION zcsync._step_1_inbox() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A row for each record that a delivery named.  The key makes deliveries that come
	-- twice known; no text of a delivery is kept.
	CREATE TABLE zcsync.inbox (
		account_id bigint NOT NULL
			CONSTRAINT inbox_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		webhook text NOT NULL,			-- the vendor's id of it
		event text NOT NULL,			-- what happened, in the vendor's words
		key text NOT NULL,				-- the vendor's id of the delivery, or of the entries of its history
		body_hash bytea NOT NULL,		-- SHA-256
		kind text,						-- of the record; NULL: nothing is read
		remote_id text,
		stream_id bigint,				-- of the record's kind, when it came
		received_at timestamptz NOT NULL,
		waits boolean NOT NULL,			-- to be fetched together with others
		CONSTRAINT inbox_pkey PRIMARY KEY (account_id, webhook, event, key, body_hash)
	);
	CREATE INDEX idx_inbox_received ON zcsync.inbox (account_id, received_at);
	CREATE INDEX idx_inbox_waits ON zcsync.inbox (account_id, stream_id) WHERE waits;
	COMMENT ON TABLE zcsync.inbox IS
	'what vendors reported in the last 30 days: which event of which record, never its text';

	-- Apart from streams: deliveries write it, and those must not stand in the way of reads.
	CREATE TABLE zcsync.heard_streams (
		stream_id bigint NOT NULL
			CONSTRAINT heard_streams_pkey PRIMARY KEY
			CONSTRAINT heard_streams_stream_fkey REFERENCES zcsync.streams ON DELETE CASCADE,
		heard_at timestamptz NOT NULL,	-- when a webhook last reported a record of it, to ten seconds
		missed_at timestamptz,			-- when a read last found changes of which nothing had been heard
		reads_saved bigint NOT NULL DEFAULT 0
	) WITH (fillfactor = 50);
	COMMENT ON TABLE zcsync.heard_streams IS
	'streams whose changes webhooks report: since when they are heard, and how many reads that saved';

	CREATE TABLE zcsync.refused_deliveries (
		minute timestamptz NOT NULL,
		account_id bigint NOT NULL,		-- 0: no account has that path
		source text NOT NULL,			-- the address that it came from, as the door or its proxy has it
		reason text NOT NULL,			-- of the last one
		count bigint NOT NULL DEFAULT 1,
		last_at timestamptz NOT NULL,
		CONSTRAINT refused_deliveries_pkey PRIMARY KEY (minute, account_id, source)
	) WITH (fillfactor = 50);
	CREATE INDEX idx_refused_deliveries_account ON zcsync.refused_deliveries (account_id, minute);
	COMMENT ON TABLE zcsync.refused_deliveries IS
	'deliveries of webhooks that were refused in the last 30 days: a row for each account, source and minute';

	CREATE TABLE zcsync.doors (
		door text NOT NULL				-- its name
			CONSTRAINT doors_pkey PRIMARY KEY,
		heard_at timestamptz NOT NULL,	-- when it last reported
		spooled_since timestamptz,		-- the first delivery in its file has waited since; NULL: none waits
		spooled_bytes bigint NOT NULL DEFAULT 0
	) WITH (fillfactor = 50);
	COMMENT ON TABLE zcsync.doors IS
	'programs that pass on what vendors send to webhooks, and what they keep in their files while this database does not take it';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_inbox() IS
'tables of step 1: what webhooks brought';

CREATE FUNCTION zcsync._step_1_suspended() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.suspended_counts (
		account_id bigint NOT NULL
			CONSTRAINT suspended_counts_pkey PRIMARY KEY
			CONSTRAINT suspended_counts_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		waiting text,
		since timestamptz,
		counted_at timestamptz,
		next_check_at timestamptz NOT NULL,
		error text
	) WITH (fillfactor = 50);
	COMMENT ON TABLE zcsync.suspended_counts IS
	'accounts whose vendors are asked each hour how many messages they hold back as suspected spam, and what they said; zcsync.watch_suspended() writes it';
	COMMENT ON COLUMN zcsync.suspended_counts.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.suspended_counts.waiting IS 'how many there are; with a + there are more than were counted; NULL: not counted yet';
	COMMENT ON COLUMN zcsync.suspended_counts.since IS 'since when there are some, or none, or since when it is not known';
	COMMENT ON COLUMN zcsync.suspended_counts.counted_at IS 'when they were counted last';
	COMMENT ON COLUMN zcsync.suspended_counts.next_check_at IS 'when they are counted next';
	COMMENT ON COLUMN zcsync.suspended_counts.error IS 'why they could not be counted last; NULL: they were';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_suspended() IS
'tables of step 1: suspended_counts';
