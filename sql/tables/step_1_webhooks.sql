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
		taken integer NOT NULL DEFAULT 0		-- how many that were
	) WITH (fillfactor = 50);
	COMMENT ON TABLE zcsync.webhooks IS
	'accounts whose vendors may report changes, and the paths to which they send; their secrets are in zcsync.credentials';

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
END
$$;
COMMENT ON FUNCTION zcsync._step_1_webhooks() IS
'tables of step 1: webhooks and what they brought';
