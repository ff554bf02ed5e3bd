-- ---------------------------------------------------------------------
-- Webhooks: vendors report what changed, so that it is read at once.
--
-- A delivery is a hint and nothing more: it says which records to read.  Their
-- documents come by the same jobs as always (fetch, pull), so that there is one way
-- into the tables.  A delivery that is lost, late, repeated or out of order costs at
-- most a call; what no delivery reports, the next pull brings.
--
-- Anybody can send to the door.  So the vendor's hook webhook_proof says how a delivery
-- proves that it comes from the vendor, src/webhook.c compares that with the account's
-- secrets, and only then is the body read (hook webhook_events).  What is refused
-- leaves a row for each account, source and minute, and no text.
--
-- Where one call of the vendor can fetch many records, events wait for each other:
-- zcsync.inbox.waits.  The first is taken at once; those that come within _patience()
-- are taken together, or earlier if they fill a call.  webhooks.taken_at of the account says when that was last; its
-- row is locked by whoever takes them, and others leave theirs to the next.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_webhook(p_account bigint, p_method text, p_signed bytea, p_given text,
	OUT fits boolean, OUT known integer, OUT message text, OUT hint text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_check_webhook';
COMMENT ON FUNCTION zcsync._check_webhook(bigint, text, bytea, text) IS
'does a proof fit one of the secrets of an account''s webhooks? known: how many secrets could be opened; message: why another one could not be';

CREATE FUNCTION zcsync._webhook_json(p_body bytea) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_webhook_json';
COMMENT ON FUNCTION zcsync._webhook_json(bytea) IS
'the body of a delivery as jsonb, or NULL if it is no JSON';

CREATE FUNCTION zcsync._call_webhook_proof(p_hook regprocedure, p_headers jsonb, p_body bytea, p_rest text) RETURNS zcsync.webhook_proof
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_webhook_proof(regprocedure, jsonb, bytea, text) IS
'calls the hook webhook_proof of a vendor';

CREATE FUNCTION zcsync._call_webhook_events(p_hook regprocedure, p_account bigint, p_headers jsonb, p_body jsonb) RETURNS zcsync.webhook_event[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_call_hook';
COMMENT ON FUNCTION zcsync._call_webhook_events(regprocedure, bigint, jsonb, jsonb) IS
'calls the hook webhook_events of a vendor';

-- ---------------------------------------------------------------------
-- Refusals
-- ---------------------------------------------------------------------

-- Where a delivery came from.  It is written by whoever sent it, unless a proxy sets
-- it, so it is kept short, and without characters that could mislead on a screen.
CREATE FUNCTION zcsync._delivery_source(p_headers jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN s.source ~ '^[0-9a-fA-F.:]{2,45}$' THEN s.source ELSE 'unknown' END FROM (SELECT p_headers ->> 'x-real-ip') AS s (source);
END;
COMMENT ON FUNCTION zcsync._delivery_source(jsonb) IS
'the address that a delivery came from, as its header X-Real-IP has it';

-- At most 50 sources a minute have rows of their own, so that many senders do not fill
-- the table.
CREATE FUNCTION zcsync._refuse_delivery(p_account bigint, p_headers jsonb, p_at timestamptz, p_reason text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_minute timestamptz := date_trunc('minute', p_at);
	v_source text := zcsync._delivery_source(p_headers);
BEGIN
	UPDATE zcsync.refused_deliveries AS r SET count = r.count + 1, last_at = p_at, reason = p_reason
	WHERE r.minute = v_minute AND r.account_id = p_account AND r.source = v_source;
	IF FOUND THEN
		RETURN;
	ELSIF (SELECT count(*) FROM zcsync.refused_deliveries AS r WHERE r.minute = v_minute) >= 50 THEN
		v_source := 'others';
	END IF;
	INSERT INTO zcsync.refused_deliveries AS r (minute, account_id, source, reason, last_at)
	VALUES (v_minute, p_account, v_source, p_reason, p_at)
	ON CONFLICT ON CONSTRAINT refused_deliveries_pkey DO UPDATE SET count = r.count + 1, last_at = excluded.last_at, reason = excluded.reason;
	IF p_account <> 0 THEN
		PERFORM zcsync._shorten_turns(p_account);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_delivery(bigint, jsonb, timestamptz, text) IS
'counts a delivery that was refused: a row for each account, source and minute';

-- ---------------------------------------------------------------------
-- What an event has read
-- ---------------------------------------------------------------------

-- Queue jobs that fetch records: as many of them in a call as the vendor takes.
CREATE FUNCTION zcsync._fetch_records(p_stream bigint, p_ids text[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(j.jobs, true)
	FROM (
		SELECT array_agg(zcsync._job(s.account_id, zcsync._kind_queue(s.kind), 'fetch', 'api', k.key, k.key,
			jsonb_build_object('ids', c.ids), 30, p_stream => s.stream_id, p_kind => s.kind)) AS jobs
		FROM zcsync.streams AS s
		CROSS JOIN LATERAL (
			SELECT jsonb_agg(n.id ORDER BY n.place) AS ids
			FROM (SELECT u.id, row_number() OVER (ORDER BY u.id COLLATE "C") - 1 AS place FROM (SELECT DISTINCT unnest(p_ids) AS id) AS u) AS n
			GROUP BY n.place / zcsync._fetch_size(s.stream_id)) AS c
		CROSS JOIN LATERAL (SELECT zcsync._fetch_key(s.stream_id, c.ids ->> 0)
			|| CASE WHEN jsonb_array_length(c.ids) > 1 THEN '+' || md5(c.ids::text) ELSE '' END) AS k (key)
		WHERE s.stream_id = p_stream) AS j
	WHERE j.jobs IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._fetch_records(bigint, text[]) IS
'queues jobs that fetch records of a stream which a vendor says have changed';

-- For how long events wait for others after so many were taken together.  The more come,
-- the longer, so that calls are full; what comes after a pause does not wait.
CREATE FUNCTION zcsync._patience(p_taken integer) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_taken >= 20 THEN interval '2 seconds' WHEN p_taken >= 8 THEN interval '1 second' WHEN p_taken >= 3 THEN interval '400 milliseconds'
		ELSE interval '100 milliseconds' END;
END;
COMMENT ON FUNCTION zcsync._patience(integer) IS
'for how long records wait to be fetched together with others, after so many were';

-- Do so many records of a stream wait that they fill a call?
CREATE FUNCTION zcsync._fills_call(p_account bigint, p_stream bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_size integer := zcsync._fetch_size(p_stream);
BEGIN
	-- counted without looking for equal ones first, since that is done for each delivery
	RETURN (SELECT count(*) FROM (SELECT FROM zcsync.inbox AS i WHERE i.account_id = p_account AND i.stream_id = p_stream AND i.waits LIMIT v_size) AS w) >= v_size
		AND (SELECT count(DISTINCT i.remote_id) FROM zcsync.inbox AS i WHERE i.account_id = p_account AND i.stream_id = p_stream AND i.waits) >= v_size;
END
$$;
COMMENT ON FUNCTION zcsync._fills_call(bigint, bigint) IS
'do so many records of a stream wait to be fetched together that they fill a call?';

-- Streams with records that wait to be fetched together.  While a fetch of the stream
-- has not been sent yet, more of them can wait.
CREATE FUNCTION zcsync._waiting_streams() RETURNS TABLE (account_id bigint, stream_id bigint, due_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT i.account_id, i.stream_id, CASE WHEN zcsync._fills_call(i.account_id, i.stream_id) THEN w.taken_at ELSE w.taken_at + zcsync._patience(w.taken) END
	FROM (SELECT DISTINCT b.account_id, b.stream_id FROM zcsync.inbox AS b WHERE b.waits) AS i
	JOIN zcsync.webhooks AS w ON w.account_id = i.account_id
	JOIN zcsync.accounts AS a ON a.account_id = i.account_id AND a.state = 'active'
	JOIN zcsync.streams AS s ON s.stream_id = i.stream_id AND s.state = 'active'
	WHERE NOT EXISTS (SELECT FROM zcsync.sync_queue AS q
		WHERE q.stream_id = i.stream_id AND q.operation = 'fetch' AND q.state = 'ready' AND q.priority <= 30);
END
$$;
COMMENT ON FUNCTION zcsync._waiting_streams() IS
'streams with records that wait to be fetched together, and when they are taken';

-- Take the records of a stream that wait.  Does nothing if that was done a moment ago,
-- or if somebody else is doing it.
CREATE FUNCTION zcsync._take_waiting(p_account bigint, p_stream bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_now timestamptz := clock_timestamp() + (zcsync._now() - now());	-- a transaction may take many deliveries
	v_ids text[];
BEGIN
	PERFORM FROM zcsync.webhooks AS w
	WHERE w.account_id = p_account
		AND (w.taken_at + zcsync._patience(w.taken) NOT BETWEEN v_now AND v_now + interval '3 seconds' OR zcsync._fills_call(p_account, p_stream))
		AND NOT EXISTS (SELECT FROM zcsync.sync_queue AS q
			WHERE q.stream_id = p_stream AND q.operation = 'fetch' AND q.state = 'ready' AND q.priority <= 30)
	FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	WITH taken AS (
		UPDATE zcsync.inbox AS i SET waits = false WHERE i.account_id = p_account AND i.stream_id = p_stream AND i.waits RETURNING i.remote_id)
	SELECT array_agg(DISTINCT t.remote_id) INTO v_ids FROM taken AS t;
	IF v_ids IS NULL THEN
		RETURN 0;
	END IF;
	UPDATE zcsync.webhooks AS w SET taken_at = v_now, taken = cardinality(v_ids) WHERE w.account_id = p_account;
	PERFORM zcsync._fetch_records(p_stream, v_ids);
	RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION zcsync._take_waiting(bigint, bigint) IS
'queues fetches of the records of a stream that waited for each other; returns how many records';

CREATE FUNCTION zcsync._take_all_waiting() RETURNS integer
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(zcsync._take_waiting(w.account_id, w.stream_id)), 0)::integer FROM zcsync._waiting_streams() AS w WHERE w.due_at <= zcsync._now()
$$;
COMMENT ON FUNCTION zcsync._take_all_waiting() IS
'queues fetches of all records that have waited long enough for others; returns how many records';

CREATE FUNCTION zcsync._next_waiting() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF EXISTS (SELECT FROM zcsync.inbox AS i WHERE i.waits) THEN	-- rarely: the engine asks often
		RETURN (SELECT min(w.due_at) FROM zcsync._waiting_streams() AS w);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._next_waiting() IS
'when records that wait to be fetched together are taken; NULL: none wait';

CREATE FUNCTION zcsync._operation_webhook() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('webhook',
		p_enqueue_due => 'zcsync._take_all_waiting()'::regprocedure,
		p_next_due => 'zcsync._next_waiting()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operation_webhook() IS
'operation webhook: has no jobs of its own; it queues fetches of what vendors reported';

-- Of these records, those that have rows.
CREATE FUNCTION zcsync._mirrored(p_account bigint, p_kind text, p_ids text[]) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ids text[];
BEGIN
	EXECUTE format('SELECT coalesce(array_agg(t.remote_id), ''{}'') FROM zcsync.%I AS t WHERE t.account_id = $1 AND t.remote_id = ANY ($2)', p_kind)
		INTO v_ids USING p_account, p_ids;
	RETURN v_ids;
END
$$;
COMMENT ON FUNCTION zcsync._mirrored(bigint, text, text[]) IS
'those of these remote ids that have rows';

-- Read what changed in a stream, before its turn.
CREATE FUNCTION zcsync._read_soon(p_stream bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(ARRAY[zcsync._job(s.account_id, zcsync._kind_queue(s.kind), 'pull', zcsync._pull_class(s.stream_id), k.key, k.key,
		'{"lane": "live"}', 40, p_stream => s.stream_id, p_kind => s.kind)])
	FROM zcsync.streams AS s CROSS JOIN LATERAL (SELECT format('pull/%s/live', s.stream_id)) AS k (key)
	WHERE s.stream_id = p_stream
$$;
COMMENT ON FUNCTION zcsync._read_soon(bigint) IS
'queues a read of what changed in a stream';

-- History of what no read has shown: values that a record had between two reads and that
-- somebody overwrote, perhaps a push of ours.  A value counts as shown if the row, what was
-- agreed on, or the history of the last week has it.
CREATE FUNCTION zcsync._note_past(p_account bigint, p_kind text, p_events zcsync.webhook_event[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(p_events) AS e WHERE e.past IS NOT NULL) THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, cause, xid, role, created_at)
		SELECT $1, $2, t.local_id, 'lost', jsonb_object_agg(c.key, c.value -> 0), jsonb_object_agg(c.key, c.value -> 1), 'pull', pg_current_xact_id(), session_user, $4
		FROM (SELECT DISTINCT e.remote_id, e.past FROM unnest($3) AS e WHERE e.doing = 'fetch' AND e.past IS NOT NULL) AS e
		CROSS JOIN LATERAL (SELECT k.local_id, to_jsonb(k) AS row, k.base FROM zcsync.%I AS k
			WHERE k.account_id = $1 AND k.remote_id = e.remote_id AND k.deleted_at IS NULL OFFSET 0) AS t
		CROSS JOIN LATERAL jsonb_each(e.past) AS c (key, value)
		WHERE t.row -> c.key IS DISTINCT FROM c.value -> 0 AND t.base -> c.key IS DISTINCT FROM c.value -> 0
			AND NOT EXISTS (SELECT FROM zcsync.changes AS h WHERE h.local_id = t.local_id AND h.created_at > $4 - interval '7 days'
				AND (h.old -> c.key = c.value -> 0 OR h.new -> c.key = c.value -> 0))
		GROUP BY t.local_id, e.past$sql$, p_kind)
		USING p_account, p_kind, p_events, zcsync._now();
END
$$;
COMMENT ON FUNCTION zcsync._note_past(bigint, text, zcsync.webhook_event[]) IS
'adds to history values that records had between two reads, as events tell them';

-- Queue what new events of a stream say is to be read.  The records p_waiting wait in the
-- inbox to be fetched together with others; NULL: none do.  A stream that has a scope reads
-- a part of the account; an event does not say whether its record belongs to that part.  So
-- what has no row yet is left to the stream's own read.
CREATE FUNCTION zcsync._hear_events(p_account bigint, p_stream bigint, p_events zcsync.webhook_event[], p_waiting text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_heard record;
	v_known text[];
BEGIN
	SELECT s.kind, s.scope <> '{}' AS is_part INTO STRICT v_stream FROM zcsync.streams AS s WHERE s.stream_id = p_stream;
	SELECT array_agg(e.remote_id) FILTER (WHERE e.doing = 'fetch') AS fetched, array_agg(e.remote_id) FILTER (WHERE e.doing = 'gone') AS gone,
		array_agg(DISTINCT e.remote_id) FILTER (WHERE e.doing = 'comments') AS commented, bool_or(e.doing = 'read') AS is_read
	INTO v_heard FROM unnest(p_events) AS e;
	IF v_stream.is_part AND v_heard.fetched IS NOT NULL THEN
		v_known := coalesce(p_waiting, zcsync._mirrored(p_account, v_stream.kind, v_heard.fetched));
		v_heard.is_read := v_heard.is_read OR NOT v_heard.fetched <@ v_known;
		v_heard.fetched := nullif(v_known, '{}');
	END IF;
	IF v_heard.gone IS NOT NULL THEN
		PERFORM zcsync._look_up(p_stream, zcsync._mirrored(p_account, v_stream.kind, v_heard.gone));
	END IF;
	IF v_heard.commented IS NOT NULL THEN
		PERFORM zcsync._read_conversations(p_stream, v_heard.commented);
	END IF;
	IF v_heard.is_read THEN
		PERFORM zcsync._read_soon(p_stream);
	END IF;
	IF v_heard.fetched IS NULL THEN
		RETURN;
	END IF;
	PERFORM zcsync._note_past(p_account, v_stream.kind, p_events);
	PERFORM zcsync._note_heard(p_stream);
	IF p_waiting IS NULL THEN
		PERFORM zcsync._fetch_records(p_stream, v_heard.fetched);
	ELSIF zcsync._take_waiting(p_account, p_stream) = 0 THEN
		PERFORM zcsync._wake();
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._hear_events(bigint, bigint, zcsync.webhook_event[], text[]) IS
'queues what new events of a stream say is to be read';

-- What a hook says about a delivery, in the form in which it is stored: short texts,
-- and keys of which no two are the same.  A delivery of which the hook makes nothing is
-- an event without a record.
CREATE FUNCTION zcsync._tidy_events(p_events zcsync.webhook_event[]) RETURNS zcsync.webhook_event[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(ROW(left(coalesce(e.webhook, ''), 100), left(coalesce(e.event, ''), 100),
			CASE WHEN length(e.key) > 100 THEN md5(e.key) ELSE coalesce(e.key, '') END || CASE WHEN e.n > 1 THEN '#' || e.n ELSE '' END,
			e.kind, left(e.remote_id, 100), e.doing, e.past)::zcsync.webhook_event ORDER BY e.n),
		ARRAY[ROW('', '', '', NULL, NULL, NULL, NULL)::zcsync.webhook_event])
	FROM unnest(p_events) WITH ORDINALITY AS e (webhook, event, key, kind, remote_id, doing, past, n) WHERE e.n <= 1000;
END;
COMMENT ON FUNCTION zcsync._tidy_events(zcsync.webhook_event[]) IS
'events of a delivery as they are stored';

-- Store the events of a delivery that were not there yet, and have read what they
-- report.  Returns how many were new.
CREATE FUNCTION zcsync._store_events(p_account bigint, p_events zcsync.webhook_event[], p_hash bytea, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_new integer := 0;
	v_set record;
BEGIN
	FOR v_set IN
		WITH new AS (
			INSERT INTO zcsync.inbox AS i (account_id, webhook, event, key, body_hash, kind, remote_id, stream_id, received_at, waits)
			SELECT p_account, e.webhook, e.event, e.key, p_hash, e.kind, e.remote_id, s.stream_id, p_at,
				CASE WHEN s.stream_id IS NULL OR e.doing IS DISTINCT FROM 'fetch' OR zcsync._fetch_size(s.stream_id) = 1 THEN false
					ELSE s.scope = '{}' OR zcsync._mirrored(p_account, e.kind, ARRAY[e.remote_id]) <> '{}' END
			FROM unnest(p_events) AS e
			LEFT JOIN zcsync.streams AS s ON s.account_id = p_account AND s.kind = e.kind AND s.state = 'active'
			ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING
			RETURNING i.webhook, i.event, i.key, i.stream_id, i.remote_id, i.waits)
		SELECT n.stream_id, array_agg(e) AS events, array_agg(n.remote_id) FILTER (WHERE n.waits) AS waiting
		FROM new AS n JOIN unnest(p_events) AS e ON e.webhook = n.webhook AND e.event = n.event AND e.key = n.key
		GROUP BY n.stream_id
	LOOP
		v_new := v_new + cardinality(v_set.events);
		IF v_set.stream_id IS NOT NULL THEN
			PERFORM zcsync._hear_events(p_account, v_set.stream_id, v_set.events, v_set.waiting);
		END IF;
	END LOOP;
	RETURN v_new;
END
$$;
COMMENT ON FUNCTION zcsync._store_events(bigint, zcsync.webhook_event[], bytea, timestamptz) IS
'stores the events of a delivery that were not there yet, and queues what they say is to be read; returns how many were new';

-- ---------------------------------------------------------------------
-- The door
-- ---------------------------------------------------------------------

-- The names of headers in lower case; they have no letters beyond a to z.
CREATE FUNCTION zcsync._lower_headers(p_headers jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(lower(e.key COLLATE "C"), e.value), '{}')
	FROM jsonb_each_text(CASE WHEN jsonb_typeof(p_headers) = 'object' THEN p_headers ELSE '{}' END) AS e WHERE e.value IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._lower_headers(jsonb) IS
'the headers of a delivery, their names in lower case';

-- The webhooks that a path names: by their own path, or by the name of their account.
-- What follows a slash is part of the proof.
CREATE FUNCTION zcsync._webhook_at(p_path text)
RETURNS TABLE (account_id bigint, proof regprocedure, events regprocedure, replay_window interval, rest text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT w.account_id, v.webhook_proof, v.webhook_events, w.replay_window, substr(p_path, length(p.name) + 2)
	FROM (SELECT split_part(p_path, '/', 1)) AS p (name)
	CROSS JOIN LATERAL (
		SELECT b.* FROM zcsync.webhooks AS b WHERE b.path = p.name
		UNION ALL
		SELECT b.* FROM zcsync.accounts AS n JOIN zcsync.webhooks AS b ON b.account_id = n.account_id WHERE n.name = p.name) AS w
	JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	CROSS JOIN LATERAL zcsync._vendor_of(a.vendor) AS v
	WHERE v.webhook_proof IS NOT NULL
	LIMIT 1;
END
$$;
COMMENT ON FUNCTION zcsync._webhook_at(text) IS
'the account whose vendor sends to a path, and how its deliveries are read';

-- Why a delivery is refused; NULL: it comes from the vendor.  status is 503 where that
-- cannot be told now, so that the vendor sends it again.
CREATE FUNCTION zcsync._judge_delivery(p_account bigint, p_proof zcsync.webhook_proof, p_window interval, p_at timestamptz,
	OUT status integer, OUT reason text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_check record;
BEGIN
	status := 403;
	IF p_proof.method IS NULL OR p_proof.given IS NULL OR p_proof.signed IS NULL THEN
		reason := 'it carries no proof of where it comes from';
		RETURN;
	END IF;
	v_check := zcsync._check_webhook(p_account, p_proof.method, p_proof.signed, p_proof.given);
	IF v_check.fits THEN
		reason := CASE WHEN p_proof.sent_at NOT BETWEEN p_at - p_window AND p_at + p_window
			THEN 'it was signed too long before or after it came' END;
	ELSIF v_check.message IS NOT NULL THEN
		status := 503;
		reason := 'its proof cannot be checked: ' || v_check.message;
	ELSIF v_check.known = 0 THEN
		reason := 'the account has no secret of a webhook';
	ELSE
		reason := 'its proof fits no secret of the account';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._judge_delivery(bigint, zcsync.webhook_proof, interval, timestamptz) IS
'why a delivery is refused, and the status to answer; reason NULL: it comes from the vendor';

-- Whatever is wrong with a delivery is an answer and no error.  No answer is 401 or 410,
-- at which vendors give a webhook up.
-- A door reports what it keeps in its file with the argument spool, in a call of its own
-- without an account.  No sender can write that: it is no part of the request.
CREATE FUNCTION zcsync.receive_webhook(account text, headers jsonb, body bytea, received_at timestamptz DEFAULT NULL, spool jsonb DEFAULT NULL)
RETURNS TABLE (status integer, message text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
DECLARE
	-- a door may have kept it while the database was down, for a week at most
	v_at timestamptz := greatest(least(coalesce(receive_webhook.received_at, zcsync._now()), zcsync._now()), zcsync._now() - interval '7 days');
	v_headers jsonb := zcsync._lower_headers(receive_webhook.headers);
	v_body bytea := coalesce(receive_webhook.body, '');
	v_webhook record;
	v_refused record;
	v_events zcsync.webhook_event[];
	v_new integer;
BEGIN
	IF current_setting('in_hot_standby') = 'on' THEN
		RETURN QUERY SELECT 503, 'this server is a standby';
		RETURN;
	ELSIF receive_webhook.account IS NULL AND receive_webhook.spool IS NOT NULL THEN
		RETURN QUERY SELECT r.* FROM zcsync._note_door(receive_webhook.spool) AS r;
		RETURN;
	ELSIF octet_length(v_body) > 262144 THEN
		RETURN QUERY SELECT 413, 'a delivery has at most 262144 bytes';
		RETURN;
	END IF;
	SELECT * INTO v_webhook FROM zcsync._webhook_at(receive_webhook.account);
	IF NOT FOUND THEN
		PERFORM zcsync._refuse_delivery(0, v_headers, v_at, 'no account has this path');
		RETURN QUERY SELECT 403, 'refused';
		RETURN;
	END IF;
	v_refused := zcsync._judge_delivery(v_webhook.account_id,
		zcsync._call_webhook_proof(v_webhook.proof, v_headers, v_body, v_webhook.rest), v_webhook.replay_window, v_at);
	IF v_refused.reason IS NOT NULL THEN
		PERFORM zcsync._refuse_delivery(v_webhook.account_id, v_headers, v_at, v_refused.reason);
		RETURN QUERY SELECT v_refused.status, CASE v_refused.status WHEN 403 THEN 'refused' ELSE 'try again later' END;
		RETURN;
	END IF;
	v_events := zcsync._tidy_events(zcsync._call_webhook_events(v_webhook.events, v_webhook.account_id, v_headers,
		coalesce(zcsync._webhook_json(v_body), 'null')));
	v_new := zcsync._store_events(v_webhook.account_id, v_events, sha256(v_body), v_at);
	RETURN QUERY SELECT 200, CASE WHEN v_new = 0 THEN 'known already' ELSE 'accepted' END;
END
$$;
COMMENT ON FUNCTION zcsync.receive_webhook(text, jsonb, bytea, timestamptz, jsonb) IS
'takes what a vendor sent to a webhook: by the path of zcsync.set_webhook() or the name of the account, headers, body as it came; or what a door says of its file; returns the HTTP status to answer';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_webhook_arguments(p_account bigint, p_secret text, p_webhook text, p_keep interval, p_window interval) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts AS a WHERE a.account_id = p_account);
BEGIN
	IF v_vendor.webhook_proof IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('accounts of %s have no webhooks', coalesce(v_vendor.title, 'this vendor'));
	ELSIF p_webhook IS NULL OR p_webhook !~ '^[A-Za-z0-9_-]{1,64}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'invalid name of a webhook',
			HINT = 'It has at most 64 letters, digits, "_" and "-", as the ids of webhooks do.';
	ELSIF p_secret IS NULL OR length(p_secret) < 8 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the secret of a webhook must have at least 8 characters',
			HINT = 'Give the one that the vendor shows, one that was made with "openssl rand -hex 32", or "file:NAME".';
	ELSIF (p_keep BETWEEN '0' AND '30 days') IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid keep: %s', p_keep), DETAIL = 'It must be from 0 to 30 days.';
	ELSIF p_window NOT BETWEEN '10 seconds' AND '7 days' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid replay_window: %s', p_window), DETAIL = 'It must be from 10 seconds to 7 days.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_webhook_arguments(bigint, text, text, interval, interval) IS
'raises an error unless these are arguments of zcsync.set_webhook()';

-- The name of the next secret of a webhook.
CREATE FUNCTION zcsync._next_secret_name(p_account bigint, p_webhook text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p.prefix || coalesce(max(substr(c.name, length(p.prefix) + 1)::integer), 0) + 1
	FROM (SELECT format('webhook/%s/', p_webhook)) AS p (prefix)
	LEFT JOIN zcsync.credentials AS c ON c.account_id = p_account AND starts_with(c.name, p.prefix)
	GROUP BY p.prefix
$$;
COMMENT ON FUNCTION zcsync._next_secret_name(bigint, text) IS
'the name of the next secret of a webhook';

-- Seal a secret of a webhook.  The former one stays valid for a while, since the vendor
-- goes on using it until it knows the new one, and for deliveries that are under way.
-- The account's row must be locked.
CREATE FUNCTION zcsync._keep_secret(p_account bigint, p_webhook text, p_secret text, p_keep interval) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
BEGIN
	DELETE FROM zcsync.credentials AS c
	WHERE c.account_id = p_account AND starts_with(c.name, 'webhook/') AND c.expires_at <= zcsync._now();
	v_name := zcsync._next_secret_name(p_account, p_webhook);
	PERFORM zcsync._seal_credential(p_account, v_name, p_secret);
	UPDATE zcsync.credentials AS c SET expires_at = least(c.expires_at, zcsync._now() + p_keep)
	WHERE c.account_id = p_account AND starts_with(c.name, format('webhook/%s/', p_webhook)) AND c.name <> v_name;
END
$$;
COMMENT ON FUNCTION zcsync._keep_secret(bigint, text, text, interval) IS
'seals a secret of a webhook; the former one stays valid for a while';

CREATE FUNCTION zcsync.set_webhook(account text, secret text, webhook text DEFAULT 'default', keep interval DEFAULT '1 day',
	replay_window interval DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
DECLARE
	v_account bigint := zcsync._lock_account(set_webhook.account);
	v_path text;
BEGIN
	PERFORM zcsync._check_webhook_arguments(v_account, set_webhook.secret, set_webhook.webhook, set_webhook.keep,
		set_webhook.replay_window);
	PERFORM zcsync._warn_of_logged_secret(set_webhook.secret);
	INSERT INTO zcsync.webhooks AS w (account_id, path, replay_window, created_at)
	VALUES (v_account, replace(gen_random_uuid()::text, '-', ''), coalesce(set_webhook.replay_window, '15 minutes'), zcsync._now())
	ON CONFLICT ON CONSTRAINT webhooks_pkey DO UPDATE SET replay_window = coalesce(set_webhook.replay_window, w.replay_window)
	RETURNING w.path INTO v_path;
	PERFORM zcsync._keep_secret(v_account, set_webhook.webhook, set_webhook.secret, set_webhook.keep);
	RETURN v_path;
END
$$;
COMMENT ON FUNCTION zcsync.set_webhook(text, text, text, interval, interval) IS
'lets a vendor report changes of an account, and gives a webhook its secret; the former one stays valid for a while; returns the path to which the vendor sends';

CREATE FUNCTION zcsync._forget_webhook(p_account bigint, p_webhook text) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer;
BEGIN
	DELETE FROM zcsync.credentials AS c
	WHERE c.account_id = p_account AND starts_with(c.name, 'webhook/' || coalesce(p_webhook || '/', ''));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	DELETE FROM zcsync.webhooks AS w
	WHERE w.account_id = p_account AND (w.url IS NULL OR p_webhook IS NULL) AND NOT EXISTS (
		SELECT FROM zcsync.credentials AS c WHERE c.account_id = p_account AND starts_with(c.name, 'webhook/'));
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._forget_webhook(bigint, text) IS
'forgets the secrets of a webhook, or of all of an account; with the last one its path; returns how many secrets';

-- A webhook that was declared is removed at the vendor first: zcsync does that by a job,
-- and forgets the secrets at its end, so that nothing is refused meanwhile.
CREATE FUNCTION zcsync.remove_webhook(account text, webhook text DEFAULT NULL, at_vendor boolean DEFAULT true) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := zcsync._lock_account(remove_webhook.account);
BEGIN
	IF remove_webhook.webhook IS NULL AND remove_webhook.at_vendor THEN
		UPDATE zcsync.webhooks AS w SET is_removed = true WHERE w.account_id = v_account AND w.url IS NOT NULL;
		IF FOUND THEN
			PERFORM zcsync._check_webhooks_soon(v_account, '{"steps": 0}', 10);
			RAISE NOTICE USING MESSAGE = 'the webhooks are being removed at the vendor; their secrets are forgotten then',
				HINT = 'at_vendor => false forgets them now and leaves the vendor as it is.';
			RETURN 0;
		END IF;
	END IF;
	RETURN zcsync._forget_webhook(v_account, remove_webhook.webhook);
END
$$;
COMMENT ON FUNCTION zcsync.remove_webhook(text, text, boolean) IS
'removes the webhooks that zcsync declared for an account at its vendor; of others it forgets the secrets, of one webhook or of all of the account, and with the last secret the path, so that deliveries are refused; returns how many secrets it forgot';

-- Forget what is older than 30 days; part of maintain().
CREATE FUNCTION zcsync._trim_inbox(p_max integer) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer;
BEGIN
	DELETE FROM zcsync.refused_deliveries AS r WHERE r.minute < zcsync._now() - interval '30 days';
	DELETE FROM zcsync.inbox AS i
	WHERE i.ctid = ANY (ARRAY(
		SELECT o.ctid FROM zcsync.accounts AS a
		CROSS JOIN LATERAL (
			SELECT b.ctid FROM zcsync.inbox AS b WHERE b.account_id = a.account_id AND b.received_at < zcsync._now() - interval '30 days') AS o
		LIMIT p_max));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._trim_inbox(integer) IS
'deletes events and refusals that are older than 30 days; returns how many events, at most p_max';
