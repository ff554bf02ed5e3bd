-- ---------------------------------------------------------------------
-- Noticing writes to mirror rows.
--
-- Triggers notice writes.  The row itself says where a write comes from: code that
-- writes for a vendor or a route sets sync_cause, sync_cause_id and sync_xid
-- (origin.sql); a write that leaves them unchanged is a local one.  sync_xid is the
-- transaction, which shows that rows written by a restore are not new.
--
--   BEFORE ROW       zcsync_stamp_*   origin and state of a local write
--   AFTER STATEMENT  zcsync_guard_*   columns that only the owner may write;
--                                     runs as the writer, hence not as owner
--   BEFORE ROW       zcsync_guard_state   the same for sync_state of a row of
--                                     which nothing else changes
--   AFTER STATEMENT  zcsync_notice_*  history, pushes, listeners, set-based
--   BEFORE STATEMENT zcsync_refuse_*  DELETE and TRUNCATE
-- ---------------------------------------------------------------------

-- Raise an error that says why, if these columns of a kind cannot be written here.
-- p_stream is the kind whose stream says whether writing is allowed, if it is another one.
CREATE FUNCTION zcsync._check_write(p_account bigint, p_kind text, p_columns text[], p_stream text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
	v_stream text := coalesce(p_stream, p_kind);
	v_writes boolean;
	v_pushable text[];
	v_column text;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	SELECT s.writes INTO v_writes FROM zcsync.streams s WHERE s.account_id = p_account AND s.kind = v_stream;
	IF v_account.vendor = 'local' AND p_kind = 'leads' THEN
		RETURN;
	END IF;
	v_pushable := zcsync._pushable(v_account.vendor, p_kind);
	IF cardinality(v_pushable) = 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of account "%s" cannot be written', p_kind, v_account.name),
			DETAIL = format('This version of zcsync only reads %s from %s.', p_kind, v_account.vendor),
			HINT = 'Columns that you add to the table yourself can be written.';
	ELSIF v_writes IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('account "%s" has no stream of %s', v_account.name, v_stream),
			HINT = format('SELECT * FROM zcsync.add_stream(%L, %L);', v_account.name, v_stream);
	ELSIF NOT v_writes THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('stream "%s/%s" is read-only', v_account.name, v_stream),
			HINT = format('SELECT * FROM zcsync.alter_stream(''%s/%s'', writes => true);', v_account.name, v_stream);
	END IF;
	SELECT c INTO v_column FROM unnest(p_columns) AS c WHERE c <> ALL (v_pushable) ORDER BY c LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('column "%s" of %s cannot be written', v_column, p_kind),
			DETAIL = format('Only %s sets it.', v_account.vendor),
			HINT = format('The columns that can be written are: %s.', array_to_string(v_pushable, ', '));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_write(bigint, text, text[], text) IS
'raises an error unless these columns of a kind can be written for this account';

-- A column that a vendor accepts in a new record only cannot be changed once the record
-- exists.
CREATE FUNCTION zcsync._check_create_only(p_account bigint, p_kind text, p_columns text[], p_accounts bigint[],
	p_ids bigint[], p_new jsonb[], p_origins zcsync.origin[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_fixed text[] := ARRAY(SELECT c FROM unnest(zcsync._create_only(v_vendor, p_kind)) AS c WHERE c = ANY (p_columns));
	v_column text;
BEGIN
	IF v_fixed = '{}' THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		SELECT c FROM unnest($1, $2, $3, $4) AS w (account_id, local_id, new, cause, cause_id, xid)
		JOIN zcsync.%I AS t ON t.account_id = w.account_id AND t.local_id = w.local_id AND t.remote_id IS NOT NULL
		JOIN unnest($5) AS c ON w.new ? c
		WHERE w.account_id = $6 AND w.cause NOT IN ('pull', 'push', 'state', 'cancel')
		LIMIT 1$sql$, p_kind)
		INTO v_column USING p_accounts, p_ids, p_new, p_origins, v_fixed, p_account;
	IF v_column IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('column "%s" of %s cannot be changed', v_column, p_kind),
			DETAIL = format('It can be set in a new record of %s only.', v_vendor),
			HINT = 'Leave it as it is; the other columns of the row can be written.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_create_only(bigint, text, text[], bigint[], bigint[], jsonb[], zcsync.origin[]) IS
'raises an error if written rows have a remote record and new values in columns that can be set in a new record only';

-- A column that a vendor cannot empty must keep some value once the record exists.
-- Hardly any write empties a column, so that is checked first.
CREATE FUNCTION zcsync._check_emptied(p_account bigint, p_kind text, p_columns text[], p_accounts bigint[], p_ids bigint[],
	p_new jsonb[], p_origins zcsync.origin[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor text := (SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_kept text[] := ARRAY(SELECT c FROM unnest(((zcsync._kind_of(v_vendor, p_kind)).rules).never_empty) AS c WHERE c = ANY (p_columns));
	v_column text;
BEGIN
	IF v_kept = '{}' OR NOT EXISTS (SELECT FROM unnest(p_new) AS n CROSS JOIN unnest(v_kept) AS c WHERE n -> c = 'null') THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		SELECT c FROM unnest($1, $2, $3, $4) AS w (account_id, local_id, new, cause, cause_id, xid)
		JOIN zcsync.%I AS t ON t.account_id = w.account_id AND t.local_id = w.local_id AND t.remote_id IS NOT NULL
		JOIN unnest($5) AS c ON w.new -> c = 'null'
		WHERE w.account_id = $6 AND w.cause = 'local'
		LIMIT 1$sql$, p_kind)
		INTO v_column USING p_accounts, p_ids, p_new, p_origins, v_kept, p_account;
	IF v_column IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
			MESSAGE = format('column "%s" of %s cannot be emptied', v_column, p_kind),
			DETAIL = format('%s accepts another value there, but not an empty one.', (zcsync._vendor_of(v_vendor)).title),
			HINT = 'Give it another value, or change it at the vendor if that is possible there.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_emptied(bigint, text, text[], bigint[], bigint[], jsonb[], zcsync.origin[]) IS
'raises an error if written rows have a remote record and lose a value that the vendor cannot remove';

-- A local insert.  The keys are made here; those that the writer gave are ignored.  A
-- lead of an account without a vendor is in step.
CREATE FUNCTION zcsync._stamp_insert() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'zcsync_sql_stamp_insert';
COMMENT ON FUNCTION zcsync._stamp_insert() IS
'BEFORE INSERT trigger of mirror tables: marks a local row';

-- A local or routed update of own columns: the row becomes pending, unless it is again
-- equal to what the vendor has.
CREATE FUNCTION zcsync._stamp_update() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_row jsonb;
	v_base jsonb;
BEGIN
	-- A route may write a row twice in a transaction.
	IF NEW.sync_cause = 'local' OR (
			ROW(NEW.sync_cause, NEW.sync_cause_id, NEW.sync_xid) IS NOT DISTINCT FROM ROW(OLD.sync_cause, OLD.sync_cause_id, OLD.sync_xid)
			AND (NEW.sync_cause IN ('route', 'backfill') AND NEW.sync_xid = pg_current_xact_id()) IS NOT TRUE) THEN
		NEW.sync_cause := 'local';
		NEW.sync_cause_id := NULL;
		NEW.sync_xid := pg_current_xact_id();
	END IF;
	-- a row that is synced without a remote record belongs to a local account
	IF OLD.sync_state = 'synced' AND OLD.remote_id IS NULL THEN
		NEW.sync_state := 'synced';
		-- no vendor tells when such a record changed
		IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
			NEW.updated_at := zcsync._now();
		END IF;
		RETURN NEW;
	END IF;
	-- fields that a person must decide stay open when the row is edited again
	NEW.sync_state := CASE WHEN OLD.sync_state = 'conflict' THEN 'conflict' ELSE 'pending' END;
	IF NEW.remote_id IS NOT NULL AND NEW.base IS NOT NULL THEN
		v_row := to_jsonb(NEW);
		v_base := to_jsonb(jsonb_populate_record(NEW, NEW.base));
		PERFORM FROM unnest(zcsync._own_columns(TG_ARGV[0])) AS c
		WHERE v_row -> c IS DISTINCT FROM v_base -> c;
		IF NOT FOUND THEN
			NEW.sync_state := 'synced';
			IF OLD.sync_state = 'conflict' THEN
				UPDATE zcsync.conflicts c SET resolved_at = zcsync._now()
				WHERE c.account_id = NEW.account_id AND c.local_id = NEW.local_id AND c.resolved_at IS NULL;
			END IF;
		END IF;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION zcsync._stamp_update() IS
'BEFORE UPDATE trigger of mirror tables: marks a local or routed change of own columns';

-- Refuse values for columns that only the owner may write.  These triggers run with the
-- rights of the writer, who may not call any function of zcsync: so they call none.
CREATE FUNCTION zcsync._guard_insert() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
		RETURN NULL;
	END IF;
	PERFORM FROM new_rows n
	WHERE ROW(n.sync_cause, n.sync_cause_id, n.sync_xid) IS DISTINCT FROM ROW('local'::text, NULL::bigint, pg_current_xact_id())
		OR n.sync_state NOT IN ('pending', 'synced')
		OR num_nonnulls(n.remote_id, n.base, n.remote, n.remote_version, n.deleted_at, n.synced_at) > 0
		OR n.local_id NOT BETWEEN 1 AND pg_sequence_last_value('zcsync.local_id_seq');
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('cannot insert columns of table "%s" that zcsync sets itself', TG_TABLE_NAME),
			DETAIL = 'These are local_id, remote_id, base, remote, remote_version, deleted_at, synced_at and sync_...',
			HINT = 'Leave them out; the record is created at the vendor and gets its remote_id then.';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._guard_insert() IS
'AFTER INSERT trigger of mirror tables: refuses values of columns that only their owner may write';

CREATE FUNCTION zcsync._guard_update() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
BEGIN
	IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
		RETURN NEW;
	END IF;
	IF TG_LEVEL = 'STATEMENT' THEN
		PERFORM FROM new_rows n
		LEFT JOIN old_rows o ON o.account_id = n.account_id AND o.local_id = n.local_id
		WHERE o.local_id IS NULL
			OR ROW(o.remote_id, o.base, o.remote, o.remote_version, o.deleted_at, o.sync_key, o.synced_at)
				IS DISTINCT FROM ROW(n.remote_id, n.base, n.remote, n.remote_version, n.deleted_at, n.sync_key, n.synced_at)
			-- the stamp of a local write sets these
			OR (ROW(o.sync_cause, o.sync_cause_id, o.sync_xid, o.sync_state)
					IS DISTINCT FROM ROW(n.sync_cause, n.sync_cause_id, n.sync_xid, n.sync_state)
				AND ROW(n.sync_cause, n.sync_cause_id, n.sync_xid) IS DISTINCT FROM ROW('local'::text, NULL::bigint, pg_current_xact_id()));
		IF NOT FOUND THEN
			RETURN NULL;
		END IF;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
		MESSAGE = format('cannot update columns of table "%s" that zcsync sets itself', coalesce(TG_ARGV[0], TG_TABLE_NAME)),
		DETAIL = 'These are account_id, local_id, remote_id, base, remote, remote_version, deleted_at, synced_at and sync_...',
		HINT = 'Leave them as they are; zcsync sets them when a record is read or sent.';
END
$$;
COMMENT ON FUNCTION zcsync._guard_update() IS
'triggers AFTER and BEFORE UPDATE of mirror tables: refuse changes of columns that only their owner may write';

-- Allow DELETE on mirror tables for the rest of this transaction, to their
-- owner: zcsync.remove_account() and the like.
CREATE FUNCTION zcsync._allow_delete() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM set_config('zcsync_delete.allowed_in', pg_current_xact_id()::text, true);
END
$$;
COMMENT ON FUNCTION zcsync._allow_delete() IS
'lets the owner of the mirror tables delete rows for the rest of this transaction';

CREATE FUNCTION zcsync._refuse_delete() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('zcsync_delete.allowed_in', true) = pg_current_xact_id()::text
		AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
		RETURN NULL;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
		MESSAGE = format('rows of table "%s" cannot be deleted', TG_TABLE_NAME),
		DETAIL = 'A row stays as long as its account, with deleted_at set when its record is gone at the vendor.',
		HINT = 'Delete the record at the vendor, or end the whole mirror with zcsync.remove_account().';
END
$$;
COMMENT ON FUNCTION zcsync._refuse_delete() IS
'BEFORE DELETE trigger of mirror tables';

CREATE FUNCTION zcsync._refuse_truncate() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
		MESSAGE = format('table "%s" cannot be truncated', TG_TABLE_NAME),
		HINT = 'End the mirror of an account with zcsync.remove_account().';
END
$$;
COMMENT ON FUNCTION zcsync._refuse_truncate() IS
'BEFORE TRUNCATE trigger of mirror tables';

-- ---------------------------------------------------------------------
-- Notice
-- ---------------------------------------------------------------------

-- The budget that pushes of an account spend: "writes", where the vendor has a separate
-- limit for them.
CREATE FUNCTION zcsync._push_class(p_account bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT CASE WHEN EXISTS (SELECT FROM zcsync.account_budgets b WHERE b.account_id = p_account AND b.class = 'write')
			THEN 'write' ELSE 'api' END);
END
$$;
COMMENT ON FUNCTION zcsync._push_class(bigint) IS
'the budget class of an account''s pushes';

CREATE FUNCTION zcsync._count_writes(p_n bigint) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_count_writes';
COMMENT ON FUNCTION zcsync._count_writes(bigint) IS
'adds to the number of remote records that this transaction writes to, and returns it; what was rolled back does not count';

-- Queue the pushes of local and routed writes.  If one transaction writes more than
-- zcsync.bulk_write_limit records locally, their pushes are held, including pushes that
-- were waiting before.  Routes have a limit of their own, by the hour.
CREATE FUNCTION zcsync._queue_pushes(p_kind text, p_accounts bigint[], p_ids bigint[], p_origins zcsync.origin[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs zcsync.new_job[];
	v_counted bigint[];
	v_written bigint;
BEGIN
	IF p_kind = 'comments' THEN
		v_jobs := zcsync._comment_pushes(p_accounts, p_ids, p_origins);
	ELSE
		SELECT array_agg(zcsync._job(w.account_id, b.queue, 'push', b.class, format('%s/%s', p_kind, w.local_id),
			format('push/%s/%s', p_kind, w.local_id), p_priority => CASE w.cause WHEN 'backfill' THEN 70 ELSE 50 END,
			p_stream => b.stream_id, p_kind => p_kind, p_local_id => w.local_id,
			p_route => CASE WHEN w.cause IN ('route', 'backfill') THEN w.cause_id END) ORDER BY w.local_id)
		INTO v_jobs
		FROM unnest(p_accounts, p_ids, p_origins) AS w (account_id, local_id, cause, cause_id, xid)
		JOIN (
			SELECT s.account_id, s.stream_id, zcsync._push_class(s.account_id) AS class, zcsync._kind_queue(p_kind) AS queue
			FROM zcsync.streams s WHERE s.account_id = ANY (p_accounts) AND s.kind = p_kind
			OFFSET 0) AS b ON b.account_id = w.account_id;
	END IF;
	IF v_jobs IS NULL THEN
		RETURN;
	END IF;
	-- LEFT, since otherwise nothing would be queued where no write is local
	SELECT array_agg(q.job_id) FILTER (WHERE q.is_first AND w.local_id IS NOT NULL) INTO v_counted
	FROM zcsync._enqueue(v_jobs) AS q
	LEFT JOIN unnest(p_ids, p_origins) AS w (local_id, cause, cause_id, xid) ON w.local_id = q.local_id AND w.cause = 'local';
	IF v_counted IS NOT NULL THEN
		v_written := zcsync._count_writes(cardinality(v_counted));
		IF v_written > current_setting('zcsync.bulk_write_limit')::bigint THEN
			PERFORM zcsync._brake(v_counted, v_written - cardinality(v_counted) <= current_setting('zcsync.bulk_write_limit')::bigint);
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._queue_pushes(text, bigint[], bigint[], zcsync.origin[]) IS
'queues a push for each of these rows, or joins the one that waits';

-- Hold these pushes; with p_first also those that this transaction queued before it
-- reached the limit.
CREATE FUNCTION zcsync._brake(p_jobs bigint[], p_first boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account text;
BEGIN
	UPDATE zcsync.sync_queue q SET state = 'held' WHERE q.job_id = ANY (p_jobs) AND q.state = 'ready';
	IF NOT p_first THEN
		RETURN;
	END IF;
	UPDATE zcsync.sync_queue q SET state = 'held'
	WHERE q.enqueued_xid = pg_current_xact_id() AND q.operation = 'push' AND q.state = 'ready'
		AND (q.route_id IS NULL OR q.joins > 0);	-- not those that a route queues in this transaction
	FOR v_account IN
		SELECT DISTINCT a.name FROM zcsync.sync_queue q JOIN zcsync.accounts a ON a.account_id = q.account_id
		WHERE q.enqueued_xid = pg_current_xact_id() AND q.operation = 'push' AND q.state = 'held'
	LOOP
		PERFORM zcsync._alert('write_brake', v_account, 'warning',
			format('one transaction of %s would write more than %s remote records; its jobs are held',
				session_user, current_setting('zcsync.bulk_write_limit')),
			format('SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%1$L);', v_account));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._brake(bigint[], boolean) IS
'holds the pushes of a transaction that writes too many remote records';

-- What follows from written rows: checks of rights, history, pushes, and what other
-- rooms do about them (listeners.sql).  The arrays run in parallel, with one element
-- for each row; p_old and p_new have the columns that changed.  p_old is NULL for
-- inserts.  p_new is NULL for rows that came from a vendor for the first time, which
-- are not written to the history.
CREATE FUNCTION zcsync._notice(p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[], p_new jsonb[],
	p_origins zcsync.origin[], p_states text[], p_updated_at timestamptz[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_written record;
	v_accounts bigint[];
	v_ids bigint[];
	v_origins zcsync.origin[];
BEGIN
	-- Local and routed writes must be allowed, and are pushed.
	FOR v_written IN
		SELECT w.account_id, array_agg(w.local_id) AS ids, zcsync._columns_of(array_agg(w.new)) AS columns
		FROM unnest(p_accounts, p_ids, p_new, p_origins) AS w (account_id, local_id, new, cause, cause_id, xid)
		WHERE w.cause NOT IN ('pull', 'push', 'state', 'cancel')
		GROUP BY w.account_id
	LOOP
		IF p_kind = 'comments' THEN
			PERFORM zcsync._check_comments(v_written.account_id, v_written.ids, v_written.columns);
		ELSE
			PERFORM zcsync._check_write(v_written.account_id, p_kind, v_written.columns);
		END IF;
		IF p_old IS NOT NULL THEN
			PERFORM zcsync._check_create_only(v_written.account_id, p_kind, v_written.columns, p_accounts, p_ids, p_new, p_origins);
			PERFORM zcsync._check_emptied(v_written.account_id, p_kind, v_written.columns, p_accounts, p_ids, p_new, p_origins);
		END IF;
	END LOOP;

	INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, cause, cause_id, xid, role, created_at)
	SELECT w.account_id, p_kind, w.local_id,
		CASE WHEN p_old IS NULL THEN 'insert' WHEN w.new ->> 'deleted_at' IS NOT NULL THEN 'delete' ELSE 'update' END,
		zcsync._history_values(p_kind, w.old - 'updated_at'), zcsync._history_values(p_kind, c.new), w.cause, w.cause_id, w.xid,
		coalesce(nullif(current_setting('role'), 'none'), session_user), zcsync._now()
	FROM unnest(p_accounts, p_ids, p_old, p_new, p_origins) AS w (account_id, local_id, old, new, cause, cause_id, xid)
	CROSS JOIN LATERAL (SELECT w.new - 'updated_at' AS new OFFSET 0) AS c
	WHERE c.new <> '{}';

	SELECT array_agg(w.account_id), array_agg(w.local_id), array_agg(ROW(w.cause, w.cause_id, w.xid)::zcsync.origin)
	INTO v_accounts, v_ids, v_origins
	FROM unnest(p_accounts, p_ids, p_origins, p_states) AS w (account_id, local_id, cause, cause_id, xid, state)
	WHERE w.cause NOT IN ('pull', 'push', 'state', 'cancel') AND w.state <> 'synced';
	IF v_ids IS NOT NULL THEN
		PERFORM zcsync._queue_pushes(p_kind, v_accounts, v_ids, v_origins);
	END IF;

	PERFORM zcsync._tell_written(l.written, p_kind, p_accounts, p_ids, p_old, p_origins, p_updated_at)
	FROM zcsync._listeners() AS l WHERE l.written IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._notice(text, bigint[], bigint[], jsonb[], jsonb[], zcsync.origin[], text[], timestamptz[]) IS
'checks written rows, writes their history and queues what follows from them';

-- A row that another transaction wrote is being restored: it is not new.
CREATE FUNCTION zcsync._notice_insert() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
	v_columns text[] := zcsync._own_columns(TG_TABLE_NAME);
	v_rows record;
BEGIN
	SELECT array_agg(n.account_id) AS accounts, array_agg(n.local_id) AS ids,
		array_agg(CASE WHEN n.sync_cause <> 'pull' THEN zcsync._given_columns(n, v_columns) END) AS new,
		array_agg(ROW(n.sync_cause, n.sync_cause_id, n.sync_xid)::zcsync.origin) AS origins, array_agg(n.sync_state) AS states, array_agg(n.updated_at) AS updated_at,
		bool_or(n.sync_cause <> 'pull') AS made
	INTO v_rows
	FROM new_rows n
	WHERE n.sync_xid = pg_current_xact_id();
	IF v_rows.ids IS NULL THEN
		RETURN NULL;
	END IF;
	PERFORM zcsync._notice(TG_TABLE_NAME, v_rows.accounts, v_rows.ids, NULL, v_rows.new, v_rows.origins,
		v_rows.states, v_rows.updated_at);
	IF v_rows.made THEN
		PERFORM zcsync._note_creates(TG_TABLE_NAME, array_agg(n.account_id), array_agg(n.local_id), array_agg(n.sync_key),
			array_agg(ROW(n.sync_cause, n.sync_cause_id, n.sync_xid)::zcsync.origin))
		FROM new_rows n
		WHERE n.sync_xid = pg_current_xact_id() AND n.sync_cause <> 'pull' AND n.sync_state <> 'synced'
		HAVING count(*) > 0;
	ELSIF zcsync._has_marks(TG_TABLE_NAME) THEN
		PERFORM zcsync._note_marks(TG_TABLE_NAME, array_agg(n.local_id))
		FROM new_rows n
		WHERE n.sync_xid = pg_current_xact_id() AND n.external_id LIKE 'zcsync-%'
		HAVING count(*) > 0;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._notice_insert() IS
'AFTER INSERT trigger of mirror tables: history, pushes and listeners of new rows';

-- The same for updates.  Each kind has a function of its own that names its columns, so
-- that a page of a thousand rows is compared within milliseconds.
DO $do$
DECLARE
	v_kind text;
	v_old text;
	v_new text;
	v_names text;
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		SELECT string_agg(format('o.%I', c), ', '), string_agg(format('n.%I', c), ', '), string_agg(c, ',')
		INTO v_old, v_new, v_names
		FROM unnest(zcsync._own_columns(v_kind) || '{remote_id,deleted_at}'::text[]) AS c;
		EXECUTE format($create$
CREATE FUNCTION zcsync.%1$I() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off	-- the plan is kept, and its first statement may have few rows
SET enable_mergejoin = off
SET jit = off
SET timezone = 'UTC'
AS $body$
DECLARE
	v_local zcsync.origin := zcsync._origin_of('local');
	v_rows record;
BEGIN
	SELECT array_agg(n.account_id) AS accounts, array_agg(n.local_id) AS ids, array_agg((d.changes).old) AS old,
		array_agg((d.changes).new) AS new,
		array_agg(CASE WHEN ROW(n.sync_cause, n.sync_cause_id, n.sync_xid) IS DISTINCT FROM ROW(o.sync_cause, o.sync_cause_id, o.sync_xid)
				OR (n.sync_cause IN ('route', 'backfill') AND n.sync_xid = v_local.xid)
			THEN ROW(n.sync_cause, n.sync_cause_id, n.sync_xid)::zcsync.origin ELSE v_local END) AS origins,
		array_agg(n.sync_state) AS states, array_agg(n.updated_at) AS updated_at
	INTO v_rows
	FROM new_rows n
	JOIN old_rows o ON o.account_id = n.account_id AND o.local_id = n.local_id
	CROSS JOIN LATERAL (	-- once for each row
		SELECT zcsync._changed_columns(ROW(%3$s), ROW(%4$s), %2$L) AS changes OFFSET 0) AS d
	WHERE (d.changes).new IS NOT NULL;
	IF v_rows.ids IS NOT NULL THEN
		PERFORM zcsync._notice(TG_TABLE_NAME, v_rows.accounts, v_rows.ids, v_rows.old, v_rows.new, v_rows.origins,
			v_rows.states, v_rows.updated_at);
	END IF;
	IF zcsync._has_trouble() THEN
		PERFORM zcsync._note_in_step(TG_TABLE_NAME, ARRAY(
			SELECT n.local_id FROM new_rows n JOIN old_rows o ON o.account_id = n.account_id AND o.local_id = n.local_id
			WHERE n.sync_state = 'synced' AND o.sync_state <> 'synced'));
	END IF;
	RETURN NULL;
END
$body$$create$,
			'_notice_update_' || v_kind, format('{%s}', v_names), v_old, v_new);
		EXECUTE format('COMMENT ON FUNCTION zcsync.%I() IS %L', '_notice_update_' || v_kind,
			'AFTER UPDATE trigger of table ' || v_kind || ': history, pushes and listeners of changed rows');
	END LOOP;
END
$do$;

-- The triggers of the mirror tables.  Tables that have them are left alone.
CREATE FUNCTION zcsync._create_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
	v_table text;
	v_old text;
	v_new text;
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		v_table := format('zcsync.%I', v_kind);
		SELECT string_agg(format('OLD.%I', c), ', '), string_agg(format('NEW.%I', c), ', ') INTO v_old, v_new
		FROM unnest(zcsync._own_columns(v_kind)) AS c;
		EXECUTE format($ddl$
			CREATE OR REPLACE TRIGGER zcsync_stamp_insert BEFORE INSERT ON %1$s
				FOR EACH ROW WHEN (NEW.sync_cause IS NULL OR (NEW.sync_cause = 'local' AND NEW.sync_xid = pg_current_xact_id()))
				EXECUTE FUNCTION zcsync._stamp_insert(%5$L);
			CREATE OR REPLACE TRIGGER zcsync_stamp_update BEFORE UPDATE ON %1$s
				FOR EACH ROW WHEN ((ROW(NEW.sync_cause, NEW.sync_cause_id, NEW.sync_xid)
							IS NOT DISTINCT FROM ROW(OLD.sync_cause, OLD.sync_cause_id, OLD.sync_xid)
						OR NEW.sync_cause IN ('route', 'backfill')
						OR (NEW.sync_cause = 'local' AND NEW.sync_xid = pg_current_xact_id()))
					AND ROW(%3$s) IS DISTINCT FROM ROW(%4$s))
				EXECUTE FUNCTION zcsync._stamp_update(%5$L);
			CREATE OR REPLACE TRIGGER zcsync_guard_state BEFORE UPDATE ON %1$s
				FOR EACH ROW WHEN (NEW.sync_state IS DISTINCT FROM OLD.sync_state AND NEW.sync_cause = 'local'
					AND ROW(%3$s) IS NOT DISTINCT FROM ROW(%4$s))
				EXECUTE FUNCTION zcsync._guard_update(%5$L);
			CREATE OR REPLACE TRIGGER zcsync_guard_insert AFTER INSERT ON %1$s
				REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
				EXECUTE FUNCTION zcsync._guard_insert();
			CREATE OR REPLACE TRIGGER zcsync_guard_update AFTER UPDATE ON %1$s
				REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
				EXECUTE FUNCTION zcsync._guard_update();
			CREATE OR REPLACE TRIGGER zcsync_notice_insert AFTER INSERT ON %1$s
				REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
				EXECUTE FUNCTION zcsync._notice_insert();
			CREATE OR REPLACE TRIGGER zcsync_notice_update AFTER UPDATE ON %1$s
				REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
				EXECUTE FUNCTION zcsync.%2$I();
			CREATE OR REPLACE TRIGGER zcsync_refuse_delete BEFORE DELETE ON %1$s
				FOR EACH STATEMENT EXECUTE FUNCTION zcsync._refuse_delete();
			CREATE OR REPLACE TRIGGER zcsync_refuse_truncate BEFORE TRUNCATE ON %1$s
				FOR EACH STATEMENT EXECUTE FUNCTION zcsync._refuse_truncate()$ddl$,
			v_table, '_notice_update_' || v_kind, v_old, v_new, v_kind);
	END LOOP;
	PERFORM zcsync._create_lead_triggers();
END
$$;
COMMENT ON FUNCTION zcsync._create_triggers() IS
'makes the triggers of the mirror tables; part of setup()';

CREATE FUNCTION zcsync._mirror_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (30, 'zcsync._create_triggers()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._mirror_setup_steps() IS
'what setup() does for the mirror';

-- Without one of these an edit is neither noticed nor sent.  The monthly partitions of
-- leads have copies of some of them.
CREATE FUNCTION zcsync._check_triggers() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_missing text;
	v_disabled text;
BEGIN
	IF to_regclass('zcsync.installation') IS NULL THEN
		RETURN;
	END IF;
	SELECT string_agg(format('%s of %s', t.name, k.kind), ', ' ORDER BY k.kind, t.name) INTO v_missing
	FROM unnest(zcsync._kinds()) AS k (kind)
	CROSS JOIN unnest('{zcsync_guard_insert,zcsync_guard_state,zcsync_guard_update,zcsync_notice_insert,zcsync_notice_update,zcsync_refuse_delete,'
		'zcsync_refuse_truncate,zcsync_stamp_insert,zcsync_stamp_update}'::text[]) AS t (name)
	WHERE NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = to_regclass(format('zcsync.%I', k.kind)) AND g.tgname = t.name);
	SELECT string_agg(format('%s of %s', g.tgname, c.relname), ', ' ORDER BY c.relname, g.tgname) INTO v_disabled
	FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
	WHERE c.relnamespace = 'zcsync'::regnamespace AND starts_with(g.tgname, 'zcsync_') AND g.tgenabled NOT IN ('O', 'A');
	item := 'triggers';
	ok := v_missing IS NULL AND v_disabled IS NULL;
	message := CASE WHEN ok THEN 'edits are noticed'
		ELSE concat_ws('; ', 'no trigger ' || v_missing, 'disabled trigger ' || v_disabled) END;
	hint := CASE WHEN NOT ok THEN 'SELECT * FROM zcsync.setup();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_triggers() IS
'the part of zcsync.selfcheck() about the triggers that notice edits';

CREATE FUNCTION zcsync._mirror_conditions() RETURNS SETOF zcsync.condition
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 26, c.* FROM zcsync._check_triggers() AS c
$$;
COMMENT ON FUNCTION zcsync._mirror_conditions() IS
'the conditions of the mirror that zcsync.selfcheck() shows';
