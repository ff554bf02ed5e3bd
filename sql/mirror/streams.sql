-- ---------------------------------------------------------------------
-- Streams: one kind of one account that is mirrored.
--
-- A stream is read in lanes, each with a cursor of its own: live, from when the
-- stream was made; history, from "since" on; and for some kinds compare
-- (comparison.sql) and comments (comments.sql).  A page and the cursor that follows
-- it are stored in one transaction.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Verbs
-- ---------------------------------------------------------------------

-- The budget that pulls of a stream spend.  Where the vendor has a separate limit for
-- exports, streams of records spend that; lists of fields and statuses are ordinary
-- calls.
CREATE FUNCTION zcsync._pull_class(p_stream bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce((zcsync._kind_of(a.vendor, s.kind)).pull_class, 'api')
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream
$$;
COMMENT ON FUNCTION zcsync._pull_class(bigint) IS
'the budget class of a stream''s pulls';

-- Raise an error unless the vendor has the kind and understands the scope.
CREATE FUNCTION zcsync._check_stream(p_vendor text, p_kind text, p_scope jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := zcsync._vendor_of(p_vendor);
	v_kinds text[] := ARRAY(SELECT k.kind FROM unnest(v_vendor.kinds) AS k WHERE k.kind NOT IN ('comments', 'attachments', 'time_entries'));
BEGIN
	IF p_kind IN ('comments', 'attachments', 'time_entries') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s have no stream of their own', p_kind),
			DETAIL = CASE p_kind WHEN 'comments' THEN 'The stream of the records that they belong to reads them.'
				ELSE 'They are read with the comments of the records that they belong to.' END,
			HINT = 'SELECT * FROM zcsync.alter_stream(''account/tickets'', comments => ''all'');';
	ELSIF (p_kind = ANY (v_kinds)) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s has no records of kind %s', p_vendor, coalesce('"' || left(p_kind, 100) || '"', 'NULL')),
			HINT = CASE WHEN v_kinds = '{}' THEN 'Accounts of this vendor have no streams.'
				ELSE format('The kinds are: %s.', array_to_string(v_kinds, ', ')) END;
	ELSIF jsonb_typeof(p_scope) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'scope of a stream must be a JSON object';
	END IF;
	IF v_vendor.scope_check IS NOT NULL THEN
		EXECUTE format('SELECT %s($1, $2)', v_vendor.scope_check::regproc) USING p_kind, p_scope;
	ELSIF p_scope <> '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('streams of %s %s take no scope', v_vendor.title, p_kind),
			HINT = 'Leave the scope out.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_stream(text, text, jsonb) IS
'raises an error unless a vendor has this kind and understands this scope';

-- Ask the vendor how many records there are; NULL when it does not say.
CREATE FUNCTION zcsync._count_remote(p_account bigint, p_vendor text, p_kind text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := zcsync._vendor_of(p_vendor);
	v_request jsonb := (zcsync._kind_of(p_vendor, p_kind)).count_request;
	v_count text;
BEGIN
	IF v_request IS NOT NULL THEN
		SELECT c.reply #>> v_vendor.count_path INTO v_count FROM zcsync._call(p_account, v_request) AS c WHERE c.class = 'done';
	END IF;
	RETURN CASE WHEN v_count ~ '^[0-9]{1,15}$' THEN v_count::bigint END;
EXCEPTION WHEN OTHERS THEN
	-- A stream may be added before its account works.
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._count_remote(bigint, text, text) IS
'number of records of a kind at the vendor, by a live call; NULL when that does not work';

-- What it takes to read a stream, in words for people.
CREATE FUNCTION zcsync._describe_stream(p_stream bigint) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_account zcsync.accounts;
	v_budget zcsync.account_budgets;
	v_page integer;
	v_calls bigint;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream;
	SELECT * INTO STRICT v_account FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id;
	SELECT * INTO v_budget FROM zcsync.account_budgets b
	WHERE b.account_id = v_account.account_id AND b.class = zcsync._pull_class(p_stream);

	IF v_account.vendor = 'local' THEN
		RETURN QUERY VALUES
			('stream', format('%s/%s', v_account.name, v_stream.kind)),
			('changes', 'made here: nothing is read'),
			('writes', 'allowed');
		RETURN;
	END IF;
	RETURN QUERY VALUES
		('stream', format('%s/%s', v_account.name, v_stream.kind)),
		('changes', format('read every %s from now on', zcsync._span(v_stream.pull_interval))),
		('history', CASE WHEN v_stream.since IS NULL THEN 'not read' ELSE format('read from %s on', v_stream.since) END);
	IF v_stream.since IS NOT NULL THEN
		EXECUTE format('SELECT (%s($1, $2) ->> ''per_page'')::integer', (zcsync._vendor_of(v_account.vendor)).pull_request::regproc)
			INTO v_page USING p_stream, 'history';
		v_calls := CASE WHEN v_stream.records_estimate IS NOT NULL
			THEN ceil(greatest(v_stream.records_estimate, 1) / coalesce(v_page, 100)::numeric) END;
		RETURN QUERY VALUES
			('records', coalesce('at most ' || v_stream.records_estimate, 'unknown')),
			('calls', coalesce('about ' || v_calls, 'unknown')),
			('duration', coalesce('about ' || zcsync._span(v_calls / zcsync._calls_a_minute(v_account.account_id, v_budget.class)
				* interval '1 minute'), 'unknown'));
	END IF;
	RETURN QUERY VALUES
		('budget', CASE WHEN v_budget.class IS NULL THEN 'none yet'
			ELSE format('%s of %s calls in %s s (%s)', floor(v_budget.calls * v_budget.share), v_budget.calls,
				v_budget.window_s, v_budget.class) END),
		('writes', CASE WHEN v_stream.writes THEN 'allowed' ELSE 'refused' END);
	IF v_stream.comments <> 'linked' AND zcsync._comments_of(p_stream) IS NOT NULL THEN
		RETURN QUERY VALUES ('comments', CASE v_stream.comments WHEN 'all' THEN 'of all records' ELSE 'not read' END);
	END IF;
	IF v_account.state <> 'active' THEN
		RETURN QUERY VALUES ('waits for', format('account "%s" is %s: %s', v_account.name, v_account.state,
			coalesce(v_account.state_reason, 'no reason given')));
	ELSIF v_stream.state <> 'active' THEN
		RETURN QUERY VALUES ('waits for', format('SELECT zcsync.resume_stream(''%s/%s'');', v_account.name, v_stream.kind));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._describe_stream(bigint) IS
'what a stream reads and writes, and what that takes';

-- Rows of a local account are written here: its stream is never read, and can always be
-- written.
CREATE FUNCTION zcsync._make_local_stream(p_account bigint) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.streams (account_id, kind, writes, next_pull_at, created_at)
	VALUES (p_account, 'leads', true, 'infinity', zcsync._now())
	ON CONFLICT ON CONSTRAINT streams_account_kind_key DO NOTHING
	RETURNING stream_id
$$;
COMMENT ON FUNCTION zcsync._make_local_stream(bigint) IS
'makes the stream of the leads of a local account';

-- Raise an error for functions that do not apply to the stream of a local account.
CREATE FUNCTION zcsync._refuse_local_stream(p_stream bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
BEGIN
	SELECT a.name || '/' || s.kind INTO v_name
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream AND a.vendor = 'local';
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('stream "%s" belongs to a local account', v_name),
			DETAIL = 'It is not read, and its rows can always be written.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._refuse_local_stream(bigint) IS
'raises an error if a stream is that of a local account';

CREATE FUNCTION zcsync.add_stream(account text, kind text, since timestamptz DEFAULT NULL, scope jsonb DEFAULT '{}',
	pull_interval interval DEFAULT NULL, comments text DEFAULT NULL)
RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
	v_catalogue boolean := coalesce(add_stream.kind IN ('fields', 'statuses'), false);
	v_interval interval := coalesce(add_stream.pull_interval,
		CASE WHEN v_catalogue THEN interval '30 minutes' ELSE interval '1 minute' END);
	v_stream bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = zcsync.account(add_stream.account);
	PERFORM zcsync._check_stream(v_account.vendor, add_stream.kind, add_stream.scope);
	IF v_catalogue AND add_stream.since IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('a stream of %s has no history', add_stream.kind),
			HINT = 'It is read as a whole each time; leave "since" out.';
	ELSIF add_stream.since >= zcsync._now() OR NOT isfinite(add_stream.since) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('"since" must be a time in the past: %s', add_stream.since),
			HINT = 'Leave it out to mirror only what changes from now on.';
	END IF;
	PERFORM zcsync._check_interval(v_interval);
	IF v_account.vendor = 'local' AND num_nonnulls(add_stream.since, add_stream.pull_interval, add_stream.comments) = 0 THEN
		v_stream := zcsync._make_local_stream(v_account.account_id);
		IF v_stream IS NOT NULL THEN
			RETURN QUERY SELECT * FROM zcsync._describe_stream(v_stream);
			RETURN;
		END IF;
	ELSIF v_account.vendor = 'local' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a stream of a local account is not read',
			HINT = 'Leave "since", "pull_interval" and "comments" out.';
	END IF;

	INSERT INTO zcsync.streams AS s (account_id, kind, scope, pull_interval, since, history_state, history_started_at,
		next_pull_at, created_at)
	VALUES (v_account.account_id, add_stream.kind, add_stream.scope, v_interval, add_stream.since,
		CASE WHEN add_stream.since IS NULL THEN 'none' ELSE 'running' END,
		CASE WHEN add_stream.since IS NOT NULL THEN zcsync._now() END, zcsync._now(), zcsync._now())
	ON CONFLICT ON CONSTRAINT streams_account_kind_key DO NOTHING
	RETURNING s.stream_id INTO v_stream;
	IF v_stream IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('stream "%s/%s" already exists', v_account.name, add_stream.kind),
			HINT = 'Change it with zcsync.alter_stream().';
	END IF;
	IF add_stream.since IS NOT NULL THEN
		UPDATE zcsync.streams s
		SET records_estimate = zcsync._count_remote(v_account.account_id, v_account.vendor, add_stream.kind)
		WHERE s.stream_id = v_stream;
	END IF;
	PERFORM zcsync._set_comments(v_stream, add_stream.comments);
	PERFORM zcsync._compare_scope(v_account.account_id);
	PERFORM zcsync._wake();
	RETURN QUERY SELECT * FROM zcsync._describe_stream(v_stream);
END
$$;
COMMENT ON FUNCTION zcsync.add_stream(text, text, timestamptz, jsonb, interval, text) IS
'mirrors a kind of an account: what changes from now on and, with since, what has changed since that time, and the comments of none, linked or all of its records; says how many calls that takes';

CREATE FUNCTION zcsync._check_interval(p_interval interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_interval NOT BETWEEN '1 second' AND '1 year' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid pull_interval: %s', p_interval),
			DETAIL = 'It must be from 1 second to 1 year.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_interval(interval) IS
'raises an error unless a stream can be read at this interval';

CREATE FUNCTION zcsync.alter_stream(stream text, writes boolean DEFAULT NULL, scope jsonb DEFAULT NULL,
	pull_interval interval DEFAULT NULL, comments text DEFAULT NULL)
RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_vendor text;
	v_count bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = zcsync.stream(alter_stream.stream) FOR UPDATE;
	PERFORM zcsync._refuse_local_stream(v_stream.stream_id);
	SELECT a.vendor INTO STRICT v_vendor FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id;
	PERFORM zcsync._check_interval(alter_stream.pull_interval);
	IF alter_stream.writes AND cardinality(zcsync._pushable(v_vendor, v_stream.kind)) = 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s cannot be written', v_stream.kind, v_vendor),
			DETAIL = format('This version of zcsync only reads %s from %s.', v_stream.kind, v_vendor);
	END IF;

	UPDATE zcsync.streams s
	SET writes = coalesce(alter_stream.writes, s.writes),
		pull_interval = coalesce(alter_stream.pull_interval, s.pull_interval),
		next_pull_at = least(s.next_pull_at, zcsync._now() + alter_stream.pull_interval)
	WHERE s.stream_id = v_stream.stream_id;
	IF alter_stream.scope IS NOT NULL AND alter_stream.scope <> v_stream.scope THEN
		PERFORM zcsync._check_stream(v_vendor, v_stream.kind, alter_stream.scope);
		PERFORM zcsync._restart_stream(v_stream.stream_id, alter_stream.scope);
	END IF;

	IF alter_stream.comments IS NOT NULL THEN
		PERFORM zcsync._set_comments(v_stream.stream_id, alter_stream.comments);
	END IF;

	-- Pushes that were queued while writing was allowed are held, and not sent, once
	-- writing is forbidden.
	IF NOT alter_stream.writes AND v_stream.writes THEN
		PERFORM zcsync._lock_jobs(ARRAY(
			SELECT q.job_id FROM zcsync.sync_queue q
			WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id AND q.operation = 'push' AND q.state = 'ready'));
		UPDATE zcsync.sync_queue q SET state = CASE q.state WHEN 'running' THEN 'running' ELSE 'held' END, to_hold = q.state = 'running'
		WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id
			AND q.operation = 'push' AND q.state IN ('ready', 'running');
	END IF;
	PERFORM zcsync._compare_scope(v_stream.account_id);
	PERFORM zcsync._wake();
	RETURN QUERY SELECT * FROM zcsync._describe_stream(v_stream.stream_id);
	SELECT count(*) INTO v_count FROM zcsync.sync_queue q
	WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id
		AND q.operation = 'push' AND q.state = 'held';
	IF v_count > 0 THEN
		RETURN QUERY SELECT 'held writes', format('%s: see zcsync.release_held() and zcsync.cancel_held()', v_count);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.alter_stream(text, boolean, jsonb, interval, text) IS
'changes a stream: whether its rows can be written, which part of the account it reads (a new part is read from the beginning), how often, and of which records the comments (none, linked, all)';

-- Read a stream again from its beginning.  A page that is on its way belongs to the old
-- cursor; its job is marked, so that it does not move the new one.
CREATE FUNCTION zcsync._restart_stream(p_stream bigint, p_scope jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.streams s
	SET scope = p_scope, live_cursor = NULL, history_cursor = NULL, compare_cursor = NULL, reading_since = NULL,
		history_state = CASE WHEN s.since IS NULL THEN 'none' ELSE 'running' END,
		history_started_at = CASE WHEN s.since IS NOT NULL THEN zcsync._now() END,
		history_done_at = NULL, records_done = 0, calls_done = 0, next_pull_at = zcsync._now(),
		last_error = NULL, last_error_at = NULL, last_error_class = NULL, last_error_lane = NULL, failing_since = NULL
	WHERE s.stream_id = p_stream;
	UPDATE zcsync.sync_queue q SET stale = true
	WHERE q.account_id = (SELECT s.account_id FROM zcsync.streams s WHERE s.stream_id = p_stream)
		AND q.stream_id = p_stream AND q.operation = 'pull';
END
$$;
COMMENT ON FUNCTION zcsync._restart_stream(bigint, jsonb) IS
'resets the cursors of a stream, and makes sure that pages on their way do not restore them';

CREATE FUNCTION zcsync.pause_stream(stream text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream bigint := zcsync.stream(pause_stream.stream);
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._refuse_local_stream(v_stream);
	UPDATE zcsync.streams s SET state = 'paused', paused_at = zcsync._now(), paused_by = session_user
	WHERE s.stream_id = v_stream AND s.state <> 'paused';
	DELETE FROM zcsync.sync_queue q USING zcsync.streams s
	WHERE s.stream_id = v_stream AND q.account_id = s.account_id AND q.stream_id = v_stream
		AND q.operation = 'pull' AND q.state = 'ready';
END
$$;
COMMENT ON FUNCTION zcsync.pause_stream(text) IS
'stops reading a stream; its rows stay, and changes of them are still sent if the vendor checks that nobody else changed the record, else they wait';

CREATE FUNCTION zcsync.resume_stream(stream text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	UPDATE zcsync.streams s SET state = 'active', paused_at = NULL, paused_by = NULL, next_pull_at = zcsync._now()
	WHERE s.stream_id = zcsync.stream(resume_stream.stream) AND s.state <> 'active';
	PERFORM zcsync._wake();
END
$$;
COMMENT ON FUNCTION zcsync.resume_stream(text) IS
'reads a paused stream again, from where reading stopped';

-- Values that stayed in a row would be sent with its next change if the stream is added
-- again.  So edits that wait, are held, or were given up are taken back.  Those that are
-- being sent cannot be.
CREATE FUNCTION zcsync._take_back_stream(p_account bigint, p_kind text, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_unsent bigint[];
	v_edited bigint;
	v_new bigint;
	v_running bigint := (SELECT count(*) FROM zcsync.sync_queue q
		WHERE q.account_id = p_account AND q.kind = p_kind AND q.operation = 'push' AND q.state = 'running');
BEGIN
	SELECT array_agg(u.local_id) INTO v_unsent
	FROM (
		SELECT q.local_id FROM zcsync.sync_queue q
		WHERE q.account_id = p_account AND q.kind = p_kind AND q.operation = 'push' AND q.state <> 'running'
		UNION
		SELECT d.local_id FROM zcsync.dead_letters d
		WHERE d.account_id = p_account AND d.kind = p_kind AND d.operation = 'push') AS u
	WHERE NOT EXISTS (SELECT FROM zcsync.sync_queue r
		WHERE r.account_id = p_account AND r.kind = p_kind AND r.local_id = u.local_id AND r.operation = 'push' AND r.state = 'running');
	IF v_unsent IS NULL AND v_running = 0 THEN
		RETURN;
	END IF;
	EXECUTE format('SELECT count(*) FILTER (WHERE t.remote_id IS NOT NULL AND t.base IS NOT NULL), count(*) FILTER (WHERE t.remote_id IS NULL) '
			'FROM zcsync.%I t WHERE t.account_id = $1 AND t.local_id = ANY ($2) AND t.sync_state <> $3', p_kind)
		INTO v_edited, v_new USING p_account, v_unsent, 'synced';
	PERFORM zcsync._take_back(p_account, p_kind, v_unsent);
	IF v_edited + v_new + v_running > 0 THEN
		RAISE NOTICE USING MESSAGE = format('records of "%s" with changes that had not been sent: %s', p_name, v_edited + v_new + v_running),
			DETAIL = concat_ws(' ', CASE WHEN v_edited > 0 THEN format('Edited, and taken back: %s; zcsync.history() has what they had.', v_edited) END,
				CASE WHEN v_new > 0 THEN format('New, which stay here, unsent: %s.', v_new) END,
				CASE WHEN v_running > 0 THEN format('Being sent now, which reaches the vendor: %s.', v_running) END);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._take_back_stream(bigint, text, text) IS
'takes back what was changed in the rows of a stream and not sent, and says how many there are';

CREATE FUNCTION zcsync.remove_stream(stream text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_jobs bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = zcsync.stream(remove_stream.stream) FOR UPDATE;
	PERFORM zcsync._verb_begins(format('zcsync.remove_stream(%L)', remove_stream.stream));
	PERFORM zcsync._tell_stream_removed(l.stream_removed, v_stream.stream_id) FROM zcsync._listeners() AS l;
	PERFORM zcsync._take_back_stream(v_stream.account_id, v_stream.kind, remove_stream.stream);
	-- cancel() keeps what is not known of a create
	PERFORM zcsync.cancel(q.job_id) FROM zcsync.sync_queue q
	WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id AND q.state <> 'running'
		AND q.unclear_since IS NOT NULL;
	PERFORM zcsync._lock_jobs(ARRAY(
		SELECT q.job_id FROM zcsync.sync_queue q
		WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id AND q.state <> 'running'));
	WITH gone AS (
		DELETE FROM zcsync.sync_queue q
		WHERE q.account_id = v_stream.account_id AND q.stream_id = v_stream.stream_id AND q.state <> 'running'
		RETURNING zcsync._verb_did())
	SELECT count(*) INTO v_jobs FROM gone;
	DELETE FROM zcsync.conversations c WHERE c.account_id = v_stream.account_id AND c.kind = v_stream.kind;
	DELETE FROM zcsync.streams s WHERE s.stream_id = v_stream.stream_id;
	PERFORM zcsync._resolve_alerts_of(a.name || '/' || v_stream.kind) FROM zcsync.accounts AS a WHERE a.account_id = v_stream.account_id;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.remove_stream(text) IS
'ends a stream and drops its waiting jobs; the rows stay and are no longer updated, and changes of them that were not sent are taken back';

-- ---------------------------------------------------------------------
-- On demand
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.refresh(stream text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_key text;
BEGIN
	PERFORM zcsync._refuse_standby();
	-- The row is locked, so that workers leave the stream alone until this commits, and
	-- do not wait for it when they queue the same pull.
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = zcsync.stream(refresh.stream) FOR SHARE;
	PERFORM zcsync._refuse_local_stream(v_stream.stream_id);
	IF v_stream.state <> 'active' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('stream "%s" is paused', refresh.stream),
			HINT = format('SELECT zcsync.resume_stream(%L);', refresh.stream);
	END IF;
	v_key := format('pull/%s/live', v_stream.stream_id);
	RETURN zcsync._enqueue(zcsync._job(v_stream.account_id, zcsync._kind_queue(v_stream.kind), 'pull',
		zcsync._pull_class(v_stream.stream_id), v_key, v_key, '{"lane": "live"}', 20,
		p_stream => v_stream.stream_id, p_kind => v_stream.kind));
END
$$;
COMMENT ON FUNCTION zcsync.refresh(text) IS
'reads at once, before anything else, what changed in a stream; returns the job''s number';

-- The stream and the remote id that a reference of this kind names, or why the record
-- cannot be fetched.
CREATE FUNCTION zcsync._resolve_fetch(p_reference text, p_kind text,
	OUT account_id bigint, OUT stream_id bigint, OUT remote_id text, OUT error text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[];
	v_vendor zcsync.vendor;
BEGIN
	v_parts := zcsync._parse_reference(p_reference, 3);
	IF v_parts[2] <> p_kind THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('"%s" does not name one of the %s', left(p_reference, 100), p_kind);
	END IF;
	stream_id := zcsync.stream(v_parts[1] || '/' || v_parts[2]);
	account_id := zcsync.account(v_parts[1]);
	v_vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = _resolve_fetch.account_id);
	IF v_vendor.fetch_request IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('records of %s cannot be fetched one by one', v_vendor.title);
	END IF;
	IF v_parts[3] LIKE '#%' OR (zcsync._kind_of(v_vendor.name, p_kind)).alias IS NOT NULL THEN
		SELECT r.remote_id INTO remote_id FROM zcsync._find_record(p_reference) AS r;
	END IF;
	IF remote_id IS NULL AND v_parts[3] LIKE '#%' THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('"%s" is not a record at the vendor yet', left(p_reference, 100));
	END IF;
	remote_id := coalesce(remote_id, v_parts[3]);
EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN
	stream_id := NULL;
	error := SQLERRM;
END
$$;
COMMENT ON FUNCTION zcsync._resolve_fetch(text, text) IS
'stream and remote id of a reference, or an error as text';

-- How many records one call for single records may name.  Asked for each delivery of a
-- webhook, so in a language that keeps plans.
CREATE FUNCTION zcsync._fetch_size(p_stream bigint) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT (zcsync._vendor_of(a.vendor)).fetch_batch
		FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
		WHERE s.stream_id = p_stream);
END
$$;
COMMENT ON FUNCTION zcsync._fetch_size(bigint) IS
'how many records one request of the vendor may fetch';

-- Fetch records now.  Ids of one stream share calls.  A job with several ids is joined
-- only by another one with the same ids.
CREATE FUNCTION zcsync._fetch(p_references text[], p_kind text)
RETURNS TABLE (reference text, job_id bigint, error text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_found jsonb := '{}';		-- reference -> {stream, id} or {error}
	v_jobs jsonb := '{}';		-- stream/id -> job
	v_reference text;
	v_fetch record;
	v_chunk record;
	v_job bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF p_references IS NULL OR array_ndims(p_references) > 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'references must be a list of texts',
			HINT = format('For example ARRAY[''account/%s/id''].', p_kind);
	END IF;
	FOR v_reference IN SELECT DISTINCT r FROM unnest(p_references) AS r WHERE r IS NOT NULL LOOP
		v_fetch := zcsync._resolve_fetch(v_reference, p_kind);
		v_found := v_found || jsonb_build_object(v_reference, to_jsonb(v_fetch));
	END LOOP;
	FOR v_chunk IN
		SELECT f.account_id, f.stream_id, jsonb_agg(f.remote_id ORDER BY f.n) AS ids
		FROM (
			SELECT d.*, row_number() OVER (PARTITION BY d.stream_id ORDER BY d.remote_id COLLATE "C") - 1 AS n
			FROM (SELECT DISTINCT r.account_id, r.stream_id, r.remote_id
				FROM jsonb_each(v_found) AS e
				CROSS JOIN LATERAL jsonb_to_record(e.value) AS r (account_id bigint, stream_id bigint, remote_id text)
				WHERE r.stream_id IS NOT NULL) AS d) AS f
		GROUP BY f.account_id, f.stream_id, f.n / zcsync._fetch_size(f.stream_id)
	LOOP
		v_reference := zcsync._fetch_key(v_chunk.stream_id, v_chunk.ids ->> 0)
			|| CASE WHEN jsonb_array_length(v_chunk.ids) > 1 THEN '+' || md5(v_chunk.ids::text) ELSE '' END;
		v_job := zcsync._enqueue(zcsync._job(v_chunk.account_id, zcsync._kind_queue(p_kind), 'fetch', 'api', v_reference,
			v_reference, jsonb_build_object('ids', v_chunk.ids), 20, p_stream => v_chunk.stream_id, p_kind => p_kind));
		v_jobs := v_jobs || (SELECT jsonb_object_agg(v_chunk.stream_id || '/' || i, v_job)
			FROM jsonb_array_elements_text(v_chunk.ids) AS i);
	END LOOP;
	RETURN QUERY
	SELECT r.r, (v_jobs ->> ((v_found -> r.r ->> 'stream_id') || '/' || (v_found -> r.r ->> 'remote_id')))::bigint,
		CASE WHEN r.r IS NULL THEN 'reference is null' ELSE v_found -> r.r ->> 'error' END
	FROM unnest(p_references) WITH ORDINALITY AS r (r, n)
	ORDER BY r.n;
END
$$;
COMMENT ON FUNCTION zcsync._fetch(text[], text) IS
'queues fetches of records; a row per reference, in their order, with the job or an error';

CREATE FUNCTION zcsync.sync_tickets(refs text[]) RETURNS TABLE (reference text, job_id bigint, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT * FROM zcsync._fetch(refs, 'tickets')
$$;
COMMENT ON FUNCTION zcsync.sync_tickets(text[]) IS
'fetches tickets now, up to 100 in a call; a row per reference in the order given, with the job or why there is none';

CREATE FUNCTION zcsync.sync_tasks(refs text[]) RETURNS TABLE (reference text, job_id bigint, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT * FROM zcsync._fetch(refs, 'tasks')
$$;
COMMENT ON FUNCTION zcsync.sync_tasks(text[]) IS
'fetches tasks now; a row per reference in the order given, with the job or why there is none';

-- Fetch one record; where _fetch() returns an error in its row, this raises it.
CREATE FUNCTION zcsync._fetch_one(p_reference text, p_kind text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
BEGIN
	SELECT * INTO v_row FROM zcsync._fetch(ARRAY[p_reference], p_kind);
	IF v_row.error IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = v_row.error,
			HINT = format('A record is named account/%s/id, and its account needs a stream of %1$s.', p_kind);
	END IF;
	RETURN v_row.job_id;
END
$$;
COMMENT ON FUNCTION zcsync._fetch_one(text, text) IS
'queues the fetch of one record; returns the job''s number';

CREATE FUNCTION zcsync.sync_ticket(reference text) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._fetch_one(reference, 'tickets')
$$;
COMMENT ON FUNCTION zcsync.sync_ticket(text) IS
'fetches a ticket now, as in acme/tickets/35436; returns the job''s number';

CREATE FUNCTION zcsync.sync_task(reference text) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._fetch_one(reference, 'tasks')
$$;
COMMENT ON FUNCTION zcsync.sync_task(text) IS
'fetches a task now, as in dev/tasks/9hx; returns the job''s number';
