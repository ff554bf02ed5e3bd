-- ---------------------------------------------------------------------
-- The mirror: what comes from a vendor is merged into rows, and what is
-- written to rows is noticed.
--
-- Downwards, _apply_rows() stores the rows of a page.  Each column is merged
-- by itself: base is what both sides last agreed on, so a column in which the
-- incoming value differs from base was changed at the vendor and is taken; in
-- any other column the row's own value stays, edited here or not.  Where both
-- sides changed a column to different values the vendor wins, and the value
-- that is lost becomes a row of zcsync.changes.  What equals base is not
-- written at all: our own writes coming back cost nothing.
--
-- Upwards, triggers notice writes.  Where a write comes from travels in the
-- row: whoever writes on behalf of a vendor or a route sets a fresh
-- sync_origin; a write that leaves it alone is a local one.  Origins end in
-- the number of their transaction, so that rows which a restore brings back
-- are no news.
--
--   BEFORE ROW       zcsync_stamp_*   origin and state of a local write
--   AFTER STATEMENT  zcsync_guard_*   columns that only the owner may write;
--                                     runs as the writer, hence not as owner
--   AFTER STATEMENT  zcsync_notice_*  history, pushes, route jobs, set-based
--   BEFORE STATEMENT zcsync_refuse_*  DELETE and TRUNCATE
-- ---------------------------------------------------------------------


-- ---------------------------------------------------------------------
-- Merging
-- ---------------------------------------------------------------------

-- What differs between a row and what was agreed on: the columns named, in
-- the order of the row's, whose values are others than in the object.  Missing
-- there is null; times are texts in UTC.
CREATE FUNCTION zcsync._differing(p_base jsonb, p_columns text[], p_row record) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_differing';
COMMENT ON FUNCTION zcsync._differing(jsonb, text[], record) IS
'the columns of a row that differ from the members of an object, with the values of the row';

CREATE FUNCTION zcsync._differing_keys(p_base jsonb, p_object jsonb) RETURNS text[]
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_differing_keys';
COMMENT ON FUNCTION zcsync._differing_keys(jsonb, jsonb) IS
'the keys whose values differ in two objects, a missing one being null; NULL when there are none';

-- A row merged with what a document says of it: see src/merge_row.c, which
-- tells all arguments, and src/merge.c for the rules.  The result has the columns
-- of the row and then base jsonb (NULL: it stays), changed boolean, differs
-- boolean (is anything to be sent?) and disputes jsonb.
CREATE FUNCTION zcsync._merge_row(p_mine record, p_names text[], p_edited boolean, p_base jsonb, p_theirs jsonb,
	p_sent jsonb, p_answered boolean, p_pushable text[], p_policies jsonb, p_newer text[], p_open text[]) RETURNS record
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_merge_row';
COMMENT ON FUNCTION zcsync._merge_row(record, text[], boolean, jsonb, jsonb, jsonb, boolean, text[], jsonb, text[], text[]) IS
'a row merged with the values of a document, the new base, and what the two sides disputed';

-- The same for values as objects.  changed: members of mine that become others;
-- rest: what differs from theirs afterwards, and is to be sent there.
CREATE FUNCTION zcsync._merge_values(p_mine jsonb, p_base jsonb, p_theirs jsonb, p_sent jsonb DEFAULT NULL,
	p_answered boolean DEFAULT false, p_pushable text[] DEFAULT NULL, p_policies jsonb DEFAULT NULL,
	p_newer text[] DEFAULT NULL, p_open text[] DEFAULT NULL,
	OUT changed jsonb, OUT base jsonb, OUT rest jsonb, OUT disputes jsonb)
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_merge_values';
COMMENT ON FUNCTION zcsync._merge_values(jsonb, jsonb, jsonb, jsonb, boolean, text[], jsonb, text[], text[]) IS
'two objects merged: what changes in the first one, the new base, what is to be sent to the other side, and disputes';

-- Lists are sets, and none is the same as an empty one; with p_alike forms that
-- vendors give to values do not count either: case, white space at both ends,
-- a number as a text.  NULL is null.  See src/value.c.
CREATE FUNCTION zcsync._same_value(p_a jsonb, p_b jsonb, p_alike boolean DEFAULT false) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_same_value';
COMMENT ON FUNCTION zcsync._same_value(jsonb, jsonb, boolean) IS
'are two values the same?';

-- Three-way merge of an object by key: theirs, and the keys of mine that they
-- did not touch.
CREATE FUNCTION zcsync._merge_keys(p_base jsonb, p_mine jsonb, p_theirs jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(k.key, v.value) FILTER (WHERE v.value IS NOT NULL), '{}')
	FROM (SELECT jsonb_object_keys(p_mine) UNION SELECT jsonb_object_keys(p_theirs)) AS k (key)
	CROSS JOIN LATERAL (
		SELECT CASE WHEN p_theirs -> k.key IS DISTINCT FROM coalesce(p_base, '{}') -> k.key
			THEN p_theirs -> k.key ELSE p_mine -> k.key END) AS v (value);
END;
COMMENT ON FUNCTION zcsync._merge_keys(jsonb, jsonb, jsonb) IS
'merges the keys of two objects that started from the same base; where both changed a key, theirs stays';

-- The keys that both changed, to different values.
CREATE FUNCTION zcsync._lost_keys(p_base jsonb, p_mine jsonb, p_theirs jsonb, OUT mine jsonb, OUT theirs jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_object_agg(k.key, p_mine -> k.key), jsonb_object_agg(k.key, p_theirs -> k.key)
	FROM (SELECT jsonb_object_keys(coalesce(p_base, '{}'))
		UNION SELECT jsonb_object_keys(p_mine) UNION SELECT jsonb_object_keys(p_theirs)) AS k (key)
	WHERE p_mine -> k.key IS DISTINCT FROM p_base -> k.key
		AND p_theirs -> k.key IS DISTINCT FROM p_base -> k.key
		AND p_mine -> k.key IS DISTINCT FROM p_theirs -> k.key;
END;
COMMENT ON FUNCTION zcsync._lost_keys(jsonb, jsonb, jsonb) IS
'the keys of two objects that both changed differently, with their values; NULL when there are none';

-- The statements of _apply_slice() for a kind.  Parameters:
--   $1 account  $2 remote ids  $3 versions  $4 vals  $5 documents  $6 deleted?
--   $7 positions  $8 local ids, as many as positions  $9 origin  $10 now
-- find   positions of new rows; positions and local ids of rows to be written
-- insert writes the rows at $7; returns the remote ids written.  The rows come
--        in the order of their remote ids, so that two writers cannot deadlock.
--        A table by month has no key of remote ids: see tables/identities.sql
-- lost   keeps the local values that update will replace
-- update writes the rows at $7, which have the local ids $8 and are locked
CREATE FUNCTION zcsync._apply_sql(p_kind text, p_step text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_table text := format('zcsync.%I', p_kind);
	v_rows text := 'unnest($2, $3, $4, $5, $6) WITH ORDINALITY AS u (remote_id, version, vals, doc, deleted, position)';
	v_record text;		-- column definitions, for jsonb_to_record()
	v_columns text;		-- a, b, c
	v_incoming text;	-- i.a, i.b, i.c
	v_base text;		-- b.a, b.b, b.c
	v_merged text;		-- the merged value of each column, with its name
	v_set text;			-- a = m.a, b = m.b, c = m.c
	v_taken text;		-- m.a, m.b, m.c
	v_lost text;		-- a row for each column in which both sides changed
	v_both text;		-- the rows as they are (o), incoming (i) and agreed (b)
BEGIN
	-- An object is never NULL in a row, and may be missing in vals.
	SELECT string_agg(format('%I %s', c.name, c.type), ', ' ORDER BY c.n),
		string_agg(quote_ident(c.name), ', ' ORDER BY c.n),
		string_agg(c.incoming, ', ' ORDER BY c.n),
		string_agg(format('b.%I', c.name), ', ' ORDER BY c.n),
		string_agg(CASE c.name WHEN 'custom_fields' THEN
			format('CASE WHEN o.base IS NULL OR o.%1$I = b.%1$I THEN %2$s ELSE zcsync._merge_keys(b.%1$I, o.%1$I, %2$s) END AS %1$I',
				c.name, c.incoming)
			ELSE format('CASE WHEN o.base IS NULL OR i.%1$I IS DISTINCT FROM b.%1$I THEN i.%1$I ELSE o.%1$I END AS %1$I', c.name)
			END, ', ' ORDER BY c.n),
		string_agg(format('%1$I = m.%1$I', c.name), ', ' ORDER BY c.n),
		string_agg(format('m.%I', c.name), ', ' ORDER BY c.n),
		string_agg(CASE c.name WHEN 'custom_fields' THEN
			format('SELECT %1$L, k.mine, k.theirs FROM zcsync._lost_keys(b.%1$I, o.%1$I, %2$s) AS k WHERE k.mine IS NOT NULL',
				c.name, c.incoming)
			ELSE format('SELECT %1$L, to_jsonb(o.%1$I), to_jsonb(i.%1$I) WHERE o.%1$I IS DISTINCT FROM b.%1$I '
				'AND i.%1$I IS DISTINCT FROM b.%1$I AND o.%1$I IS DISTINCT FROM i.%1$I', c.name)
			END, ' UNION ALL ' ORDER BY c.n)
	INTO STRICT v_record, v_columns, v_incoming, v_base, v_merged, v_set, v_taken, v_lost
	FROM (
		SELECT o.name, o.n, zcsync._type_name(a.atttypid, a.atttypmod) AS type,
			format(CASE o.name WHEN 'custom_fields' THEN 'coalesce(i.%I, ''{}'')' ELSE 'i.%I' END, o.name) AS incoming
		FROM unnest(zcsync._own_columns(p_kind)) WITH ORDINALITY AS o (name, n)
		JOIN pg_attribute a ON a.attrelid = v_table::regclass AND a.attname = o.name AND NOT a.attisdropped) AS c;

	-- The row is read beside the one that is updated, since columns of that
	-- cannot be handed to functions in FROM.  It is locked: both are the same.
	v_both := format($sql$
		FROM %2$s
		JOIN unnest($7, $8) AS p (position, local_id) ON p.position = u.position
		JOIN %1$s AS o ON o.account_id = $1 AND o.local_id = p.local_id
		CROSS JOIN LATERAL (SELECT coalesce(o.base, '{}') || u.vals) AS v (vals)
		CROSS JOIN LATERAL jsonb_to_record(v.vals) AS i (%3$s)
		CROSS JOIN LATERAL jsonb_to_record(o.base) AS b (%3$s)$sql$,
		v_table, v_rows, v_record);

	CASE p_step
		WHEN 'find' THEN
			RETURN format($sql$
				SELECT array_agg(u.position::integer ORDER BY u.position) FILTER (WHERE t.local_id IS NULL),
					array_agg(u.position::integer ORDER BY t.local_id) FILTER (WHERE t.local_id IS NOT NULL),
					array_agg(t.local_id ORDER BY t.local_id) FILTER (WHERE t.local_id IS NOT NULL)
				FROM unnest($2, $3, $4, $6) WITH ORDINALITY AS u (remote_id, version, vals, deleted, position)
				LEFT JOIN LATERAL (	-- by the index, whatever the planner thinks of the table
					SELECT * FROM %1$s AS t WHERE t.account_id = $1 AND t.remote_id = u.remote_id OFFSET 0) AS t ON true
				WHERE t.local_id IS NULL
					OR ((t.base IS DISTINCT FROM u.vals OR (t.deleted_at IS NOT NULL) <> u.deleted)
						AND NOT zcsync._is_older(u.version, t.remote_version))$sql$,
				v_table);
		WHEN 'insert' THEN
			IF p_kind = 'leads' THEN
				RETURN format($sql$
					WITH named AS (
						INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id)
						SELECT $1, 'remote', u.remote_id, nextval('zcsync.local_id_seq')
						FROM %2$s
						WHERE u.position = ANY ($7)
						ORDER BY u.remote_id COLLATE "C"
						ON CONFLICT (account_id, kind, value) DO NOTHING
						RETURNING value, local_id),
					written AS (
						INSERT INTO %1$s (account_id, local_id, remote_id, %3$s, base, remote, remote_version,
							deleted_at, sync_state, sync_origin, synced_at, inserted_at)
						SELECT $1, n.local_id, u.remote_id, %4$s, u.vals, u.doc, u.version,
							CASE WHEN u.deleted THEN $10 END, 'synced', $9, $10, $10
						FROM %2$s
						JOIN named n ON n.value = u.remote_id
						CROSS JOIN LATERAL jsonb_to_record(u.vals) AS i (%5$s)
						WHERE u.position = ANY ($7)
						RETURNING remote_id)
					SELECT array_agg(remote_id) FROM written$sql$,
					v_table, v_rows, v_columns, v_incoming, v_record);
			END IF;
			RETURN format($sql$
				WITH written AS (
					INSERT INTO %1$s (account_id, remote_id, %3$s, base, remote, remote_version,
						deleted_at, sync_state, sync_origin, synced_at)
					SELECT $1, u.remote_id, %4$s, u.vals, u.doc, u.version,
						CASE WHEN u.deleted THEN $10 END, 'synced', $9, $10
					FROM %2$s
					CROSS JOIN LATERAL jsonb_to_record(u.vals) AS i (%5$s)
					WHERE u.position = ANY ($7)
					ON CONFLICT (account_id, remote_id) DO NOTHING
					RETURNING remote_id)
				SELECT array_agg(remote_id) FROM written$sql$,
				v_table, v_rows, v_columns, v_incoming, v_record);
		WHEN 'lost' THEN
			RETURN format($sql$
				INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, origin, role, created_at)
				SELECT o.account_id, %3$L, o.local_id, 'lost', l.mine, l.theirs, $9, session_user, $10
				%1$s
				CROSS JOIN LATERAL (
					SELECT jsonb_object_agg(c.name, c.mine), jsonb_object_agg(c.name, c.theirs)
					FROM (%2$s) AS c (name, mine, theirs)) AS l (mine, theirs)
				WHERE l.mine IS NOT NULL AND o.sync_state <> 'synced'
					AND NOT zcsync._is_older(u.version, o.remote_version)$sql$,
				v_both, v_lost, p_kind);
		WHEN 'update' THEN
			RETURN format($sql$
				UPDATE %1$s AS t
				SET %5$s, base = m.new_base, remote = coalesce(m.doc, t.remote),
					remote_version = coalesce(m.version, t.remote_version),
					deleted_at = CASE WHEN m.deleted THEN coalesce(t.deleted_at, $10) END,
					sync_state = CASE WHEN t.sync_state = 'synced' OR ROW(%6$s) IS NOT DISTINCT FROM m.incoming
						THEN 'synced' ELSE t.sync_state END,
					sync_origin = $9, synced_at = $10
				FROM (
					SELECT o.account_id, o.local_id, %4$s, v.vals AS new_base, u.doc, u.version, u.deleted,
						CASE WHEN o.sync_state <> 'synced' THEN ROW(%2$s) END AS incoming
					%3$s
					WHERE NOT zcsync._is_older(u.version, o.remote_version)
						AND (o.base IS NULL OR (o.deleted_at IS NOT NULL) <> u.deleted
							OR ROW(%2$s) IS DISTINCT FROM ROW(%7$s))) AS m
				WHERE t.account_id = m.account_id AND t.local_id = m.local_id$sql$,
				v_table, v_incoming, v_both, v_merged, v_set, v_taken, v_base);
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._apply_sql(text, text) IS
'text of a statement that merges incoming rows into the table of a kind; steps: find, insert, lost, update';

-- Creates of this account whose effect is not known yet: since when.  A record
-- that turns up meanwhile may be the one just created, so it waits for the end
-- of the create; but not for long, since a create may stay unclear for days,
-- and its end also finds a record that was stored before (push.sql).
CREATE FUNCTION zcsync._creating_since(p_account bigint, p_kind text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT min(q.unclear_since) - interval '1 minute' FROM zcsync.sync_queue q
		WHERE q.account_id = p_account AND q.operation = 'push' AND q.kind = p_kind AND q.state = 'running'
			AND q.unclear_since > zcsync._now() - interval '15 minutes');
END
$$;
COMMENT ON FUNCTION zcsync._creating_since(bigint, text) IS
'time from which on a record that is not known here may be one that is being created; NULL: none is';

-- Merge rows that are distinct into the table of their kind, all or, on an
-- error, none.  Never waits for a row: positions of those that somebody holds,
-- or that cannot be told from one being created, are returned in waiting.
CREATE FUNCTION zcsync._apply_slice(p_account bigint, p_kind text, p_origin text, p_ids text[], p_versions text[],
	p_vals jsonb[], p_docs jsonb[], p_deleted boolean[], OUT changed integer, OUT waiting integer[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_new integer[];
	v_found integer[];
	v_found_ids bigint[];
	v_locked integer[];
	v_locked_ids bigint[];
	v_edited boolean;		-- is any of them edited here?
	v_agreed boolean;
	v_written text[];
	v_since timestamptz;
BEGIN
	changed := 0;
	waiting := '{}';
	EXECUTE zcsync._apply_sql(p_kind, 'find')
		INTO v_new, v_found, v_found_ids
		USING p_account, p_ids, p_versions, p_vals, p_docs, p_deleted;

	IF v_found IS NOT NULL THEN
		EXECUTE format($sql$
			SELECT array_agg(l.position), array_agg(l.local_id), bool_or(l.sync_state <> 'synced')
			FROM (
				SELECT p.position, t.local_id, t.sync_state
				FROM unnest($2, $3) AS p (position, local_id)
				JOIN zcsync.%I AS t ON t.account_id = $1 AND t.local_id = p.local_id
				ORDER BY t.local_id
				FOR NO KEY UPDATE OF t SKIP LOCKED) AS l$sql$, p_kind)
			INTO v_locked, v_locked_ids, v_edited
			USING p_account, v_found, v_found_ids;
		waiting := ARRAY(SELECT unnest(v_found) EXCEPT SELECT unnest(v_locked));
	END IF;
	IF v_locked IS NOT NULL THEN
		-- a statement of its own: "f() OR true" is true without a call of f()
		v_agreed := zcsync._agree_sent(p_account, p_kind, v_locked_ids,
			ARRAY(SELECT p_vals[n] FROM unnest(v_locked) WITH ORDINALITY AS l (n, o) ORDER BY o));
		v_edited := v_edited OR v_agreed;
	END IF;
	IF v_edited THEN
		EXECUTE zcsync._apply_sql(p_kind, 'lost')
			USING p_account, p_ids, p_versions, p_vals, p_docs, p_deleted, v_locked, v_locked_ids, p_origin, v_now;
	END IF;
	IF v_locked IS NOT NULL THEN
		EXECUTE zcsync._apply_sql(p_kind, 'update')
			USING p_account, p_ids, p_versions, p_vals, p_docs, p_deleted, v_locked, v_locked_ids, p_origin, v_now;
		GET DIAGNOSTICS changed = ROW_COUNT;
	END IF;

	IF v_new IS NOT NULL THEN
		-- A record that is gone and was never seen is nothing to store.
		v_new := ARRAY(SELECT n FROM unnest(v_new) AS n WHERE NOT (p_deleted[n] AND p_vals[n] = '{}'));
		v_since := zcsync._creating_since(p_account, p_kind);
		IF v_since IS NOT NULL THEN
			waiting := waiting || ARRAY(SELECT n FROM unnest(v_new) AS n
				WHERE coalesce((p_vals[n] ->> 'created_at')::timestamptz >= v_since, true));
			v_new := ARRAY(SELECT unnest(v_new) EXCEPT SELECT unnest(waiting));
		END IF;
		EXECUTE zcsync._apply_sql(p_kind, 'insert')
			INTO v_written
			USING p_account, p_ids, p_versions, p_vals, p_docs, p_deleted, v_new, NULL::bigint[], p_origin, v_now;
		changed := changed + coalesce(cardinality(v_written), 0);
		-- Somebody else stored the same record just now.
		IF coalesce(cardinality(v_written), 0) < cardinality(v_new) THEN
			waiting := waiting || ARRAY(SELECT n FROM unnest(v_new) AS n
				WHERE p_ids[n] <> ALL (coalesce(v_written, '{}')));
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._apply_slice(bigint, text, text, text[], text[], jsonb[], jsonb[], boolean[]) IS
'merges incoming rows without waiting for a lock; says which rows must wait';

-- The same, with neighbours of a row that cannot be stored kept: on an error
-- the rows are halved down to the one that raises it.  The number of
-- subtransactions is bounded; rows not tried by then are waiting.  So are rows
-- whose route job somebody queued and has not committed, which the triggers
-- meet as a lock.
CREATE FUNCTION zcsync._apply_isolated(p_account bigint, p_kind text, p_origin text, p_ids text[], p_versions text[],
	p_vals jsonb[], p_docs jsonb[], p_deleted boolean[],
	OUT changed integer, OUT waiting integer[], OUT failed integer[], OUT errors text[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET timezone = 'UTC'
SET work_mem = '32MB'
SET lock_timeout = '50ms'
AS $$
DECLARE
	v_lows integer[] := '{1}';
	v_highs integer[] := ARRAY[coalesce(cardinality(p_ids), 0)];
	v_low integer;
	v_high integer;
	v_slice record;
	v_tries integer := 0;
BEGIN
	changed := 0;
	waiting := '{}';
	failed := '{}';
	errors := '{}';
	WHILE cardinality(v_lows) > 0 LOOP
		v_low := v_lows[1];
		v_high := v_highs[1];
		v_lows := v_lows[2:];
		v_highs := v_highs[2:];
		CONTINUE WHEN v_low > v_high;
		-- Past 64 of them, every snapshot of the server pays for it.
		IF v_tries >= 50 THEN
			waiting := waiting || ARRAY(SELECT generate_series(v_low, v_high));
			CONTINUE;
		END IF;
		v_tries := v_tries + 1;
		BEGIN
			v_slice := zcsync._apply_slice(p_account, p_kind, p_origin, p_ids[v_low:v_high], p_versions[v_low:v_high],
				p_vals[v_low:v_high], p_docs[v_low:v_high], p_deleted[v_low:v_high]);
			changed := changed + v_slice.changed;
			waiting := waiting || ARRAY(SELECT w + v_low - 1 FROM unnest(v_slice.waiting) AS w);
		EXCEPTION WHEN OTHERS THEN
			-- Not the fault of a row: deadlock, out of memory, shutdown, ...
			IF zcsync._is_servers_error(SQLSTATE) AND SQLSTATE <> '55P03' THEN
				RAISE;
			ELSIF v_low = v_high AND SQLSTATE = '55P03' THEN
				waiting := waiting || v_low;
			ELSIF v_low = v_high THEN
				failed := failed || v_low;
				errors := errors || SQLERRM;
			ELSE
				v_lows := ARRAY[v_low, (v_low + v_high) / 2 + 1] || v_lows;
				v_highs := ARRAY[(v_low + v_high) / 2, v_high] || v_highs;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._apply_isolated(bigint, text, text, text[], text[], jsonb[], jsonb[], boolean[]) IS
'merges incoming rows; a row that cannot be stored does not keep its neighbours from being stored';

-- Store the rows of a reply; of rows with one remote id the last counts.  The
-- stream says which account; its kind may be another one (people that come along
-- with tickets).  Rows that must wait, and rows that cannot be stored, become
-- jobs of their own.  Returns how many rows changed.
CREATE FUNCTION zcsync._apply_records(p_stream_id bigint, p_kind text, p_origin text, p_ids text[], p_versions text[],
	p_vals jsonb[], p_docs jsonb[], p_deleted boolean[]) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint;
	v_stream bigint;
	v_ids text[];
	v_versions text[];
	v_vals jsonb[];
	v_docs jsonb[];
	v_deleted boolean[];
	v_result record;
BEGIN
	SELECT s.account_id INTO STRICT v_account FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	SELECT s.stream_id INTO v_stream FROM zcsync.streams s WHERE s.account_id = v_account AND s.kind = p_kind;

	SELECT array_agg(r.remote_id), array_agg(r.remote_version), array_agg(coalesce(r.vals, '{}')), array_agg(r.doc),
		array_agg(coalesce(r.is_deleted, false))
	INTO v_ids, v_versions, v_vals, v_docs, v_deleted
	FROM (
		SELECT DISTINCT ON (u.remote_id) u.*
		FROM unnest(p_ids, p_versions, p_vals, p_docs, p_deleted) WITH ORDINALITY
			AS u (remote_id, remote_version, vals, doc, is_deleted, n)
		WHERE u.remote_id IS NOT NULL
		ORDER BY u.remote_id, u.n DESC) AS r;
	IF v_ids IS NULL THEN
		RETURN 0;
	END IF;

	v_result := zcsync._apply_isolated(v_account, p_kind, p_origin, v_ids, v_versions, v_vals, v_docs, v_deleted);
	IF cardinality(v_result.waiting || v_result.failed) > 0 THEN
		PERFORM zcsync._enqueue(ARRAY(
			SELECT zcsync._job(v_account, zcsync._kind_queue(p_kind), 'apply', '', k.key, k.key,
				jsonb_build_object('rows', jsonb_build_array(jsonb_build_object('remote_id', v_ids[n],
					'remote_version', v_versions[n], 'vals', v_vals[n], 'doc', v_docs[n], 'is_deleted', v_deleted[n]))),
				p_run_at => zcsync._now() + interval '500 ms', p_stream => coalesce(v_stream, p_stream_id), p_kind => p_kind,
				p_version => v_versions[n])
			FROM unnest(v_result.waiting || v_result.failed) AS n
			CROSS JOIN LATERAL (SELECT format('apply/%s/%s', p_kind, v_ids[n])) AS k (key)
			ORDER BY k.key));
	END IF;
	RETURN v_result.changed;
END
$$;
COMMENT ON FUNCTION zcsync._apply_records(bigint, text, text, text[], text[], jsonb[], jsonb[], boolean[]) IS
'merges the rows of a reply into the table of their kind; rows that cannot be stored now become jobs of their own';

-- The same for an array of objects with remote_id, remote_version, vals, doc and
-- is_deleted.
CREATE FUNCTION zcsync._apply_rows(p_stream_id bigint, p_kind text, p_origin text, p_rows jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT zcsync._apply_records(p_stream_id, p_kind, p_origin, array_agg(e.row ->> 'remote_id' ORDER BY e.n),
			array_agg(e.row ->> 'remote_version' ORDER BY e.n), array_agg(nullif(e.row -> 'vals', 'null') ORDER BY e.n),
			array_agg(nullif(e.row -> 'doc', 'null') ORDER BY e.n), array_agg((e.row ->> 'is_deleted')::boolean ORDER BY e.n))
		FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (row, n));
END
$$;
COMMENT ON FUNCTION zcsync._apply_rows(bigint, text, text, jsonb) IS
'merges an array of rows into the table of their kind';
