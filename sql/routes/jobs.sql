-- ---------------------------------------------------------------------
-- Routes: the jobs that write what _route_changes() says.
--
-- A job is one source record.  It needs no HTTP: a batch of at most 200 jobs of one
-- route is claimed, written and ended in one transaction.  Nothing here waits for a
-- lock, but for some milliseconds where it cannot be asked for (lock_timeout): if
-- somebody has locked a record of either side, its push or its job, the job goes back for
-- a second, and the other records are written; while somebody has locked a route, the
-- others run.
-- ---------------------------------------------------------------------

-- Write changed fields of target records; returns the pairs.
CREATE FUNCTION zcsync._update_targets(p_target_kind text, p_origin zcsync.origin, p_changes zcsync.route_change[])
RETURNS TABLE (source_id bigint, target_id bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_columns text[];
BEGIN
	SELECT array_agg(DISTINCT c.field) FILTER (WHERE c.field NOT LIKE 'custom:%') INTO v_columns
	FROM unnest(p_changes) c WHERE c.op = 'update';
	RETURN QUERY EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t
		SET %2$s custom_fields = t.custom_fields - d.cleared || d.custom_fields,
			sync_cause = ($2).cause, sync_cause_id = ($2).id, sync_xid = ($2).xid
		FROM (
			SELECT c.source_id, c.target_id,
				coalesce(jsonb_object_agg(c.field, c.new) FILTER (WHERE c.field NOT LIKE 'custom:%%'), '{}') AS doc,
				coalesce(array_agg(substr(c.field, 8)) FILTER (WHERE c.field LIKE 'custom:%%' AND c.new = 'null'), '{}') AS cleared,
				coalesce(jsonb_object_agg(substr(c.field, 8), c.new)
					FILTER (WHERE c.field LIKE 'custom:%%' AND c.new <> 'null'), '{}') AS custom_fields
			FROM unnest($1) AS c WHERE c.op = 'update'
			GROUP BY c.source_id, c.target_id
		) AS d
		CROSS JOIN LATERAL jsonb_populate_record(NULL::zcsync.%1$I, d.doc) AS r
		WHERE t.local_id = d.target_id
			AND t.local_id = ANY (ARRAY(SELECT c.target_id FROM unnest($1) AS c WHERE c.op = 'update'))
		RETURNING d.source_id, d.target_id$sql$,
		p_target_kind,
		(SELECT string_agg(format('%1$I = CASE WHEN d.doc ? %1$L THEN r.%1$I ELSE t.%1$I END, ', c), '')
			FROM unnest(v_columns) c))
	USING p_changes, p_origin;
END
$$;
COMMENT ON FUNCTION zcsync._update_targets(text, zcsync.origin, zcsync.route_change[]) IS
'writes the fields that a route changes in existing records';

-- What to run about a route error.
CREATE FUNCTION zcsync._route_error_hint(p_route text, p_code text, p_field text, p_value text) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE p_code
		WHEN 'unmapped_value' THEN CASE WHEN p_field LIKE 'back:%'
			THEN format('SELECT zcsync.map_value(%L, %L, %L, %L, back => true);', p_route, substr(p_field, 6), p_value, '<value of the source>')
			ELSE format('SELECT zcsync.map_value(%L, %L, %L, %L);', p_route, p_field, p_value,
				CASE p_field WHEN 'assignees' THEN '<id or e-mail of a member>' ELSE '<value of the target>' END) END
		WHEN 'unmapped_company' THEN CASE WHEN p_value IS NULL THEN format('SELECT zcsync.alter_route(%L, default_client => %L);', p_route, '<client>')
			ELSE format('SELECT zcsync.map_company(%L, %L);', p.source || '/companies/' || p_value, p.target || '/companies/<client>') END
		WHEN 'no_target' THEN format('SELECT zcsync.alter_route(%L, %s => %L);', p_route, p.setting, '<' || p.place || ' or expression>')
		WHEN 'empty_name' THEN format('SELECT zcsync.map_field(%L, %L, %L);', p_route, p.name_field, '<expression that is never empty>')
		WHEN 'closed' THEN 'A closed ticket is final at its vendor; make a follow-up of it there.'
		WHEN 'copy' THEN 'Two records have the same original: look at zcsync.links, and delete one of them.'
		WHEN 'marked_twice' THEN 'Somebody duplicated a record: take the mark from one of the two, or delete it.'
		WHEN 'made_elsewhere' THEN format('SELECT * FROM zcsync.adopt_marks(%L);', p.source)
		WHEN 'other_installation' THEN format('SELECT * FROM zcsync.adopt_marks(%L);', p.target)
		WHEN 'taken' THEN 'What match_on finds for it belongs to another record: look at zcsync.links, or change match_on.'
		WHEN 'unknown_user' THEN 'It is tried again with the next change, when somebody has that address.'
		WHEN 'target_deleted' THEN 'Restore the record at its vendor; zcsync does not create it again by itself.'
		WHEN 'file_not_copied' THEN 'The copies of the comments name these files; SELECT * FROM zcsync.attachment_copies WHERE reason IS NOT NULL lists them, and zcsync.retry_file(attachment_id) has one tried again.'
		WHEN 'comment_stale' THEN 'Look at the comments on both sides, and add what is missing; SELECT * FROM zcsync.comment_copies WHERE state = ''stale'' lists them.'
		WHEN 'comment_failed' THEN format('It is tried again in ten minutes; SELECT * FROM zcsync.check_route(%L) may say more.', p_route)
		WHEN 'no_closing_status' THEN 'Mirror the statuses of the target: add_stream(''<account>'', ''statuses'').'
		ELSE format('Mend the expression with zcsync.map_field(%L, ...) or zcsync.alter_route(%1$L, ...), then zcsync.retry(<job id>).', p_route)
	END
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id JOIN zcsync.accounts sa ON sa.account_id = s.account_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id JOIN zcsync.accounts ta ON ta.account_id = t.account_id
	CROSS JOIN LATERAL (SELECT x.setting, x.name_field, CASE x.place WHEN 'list' THEN 'list id, path' ELSE x.place END AS place,
			sa.name AS source, ta.name AS target
		FROM zcsync._route_targets() x WHERE x.vendor = ta.vendor AND x.kind = t.kind) AS p
	WHERE r.name = p_route
$$;
COMMENT ON FUNCTION zcsync._route_error_hint(text, text, text, text) IS
'what to run about an error of a route';

-- Record the errors of these source records, and remove those that are over.
CREATE FUNCTION zcsync._note_route_errors(p_route bigint, p_ids bigint[], p_changes zcsync.route_change[], p_backfill boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route);
BEGIN
	DELETE FROM zcsync.route_errors e
	WHERE e.route_id = p_route AND e.source_id = ANY (p_ids) AND e.field NOT IN ('comments', 'back:comments', 'files', 'back:files', 'time')	-- see conversations.sql
		AND NOT EXISTS (SELECT FROM unnest(p_changes) c
			WHERE c.op = 'error' AND c.source_id = e.source_id AND c.field = e.field);
	INSERT INTO zcsync.route_errors AS e (route_id, source_id, field, code, value, message, hint, detail, backfill, first_at, last_at)
	SELECT p_route, c.source_id, c.field, c.error_code, left(c.new #>> '{}', 500), left(c.message, 2000),
		h.hint, CASE c.error_code WHEN 'unmapped_company' THEN c.agreed END, p_backfill, zcsync._now(), zcsync._now()
	FROM unnest(p_changes) c
	JOIN (SELECT d.error_code, d.field, d.value, zcsync._route_error_hint(v_name, d.error_code, d.field, left(d.value, 500)) AS hint
		FROM (SELECT DISTINCT x.error_code, x.field, x.new #>> '{}' AS value FROM unnest(p_changes) x WHERE x.op = 'error') AS d) AS h
		ON h.error_code = c.error_code AND h.field = c.field AND h.value IS NOT DISTINCT FROM c.new #>> '{}'
	WHERE c.op = 'error'
	ORDER BY c.source_id, c.field
	ON CONFLICT (route_id, source_id, field) DO UPDATE
	SET code = excluded.code, value = excluded.value, message = excluded.message, hint = excluded.hint,
		detail = excluded.detail, backfill = e.backfill OR excluded.backfill,
		last_at = excluded.last_at, count = e.count + 1;
END
$$;
COMMENT ON FUNCTION zcsync._note_route_errors(bigint, bigint[], zcsync.route_change[], boolean) IS
'records what could not be mapped in these source records, and removes errors that are over';

-- Hold the pushes of a route beyond zcsync.bulk_write_limit remote records in an hour.
-- The caller has locked the row of the route.
CREATE FUNCTION zcsync._brake_route(p_route bigint, p_targets bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_limit integer := current_setting('zcsync.bulk_write_limit')::integer;
	v_name text;
	v_room integer;
	v_held bigint;
BEGIN
	UPDATE zcsync.routes r
	SET hour_started_at = zcsync._now(), hour_writes = 0
	WHERE r.route_id = p_route
		AND (r.hour_started_at IS NULL OR r.hour_started_at <= zcsync._now() - interval '1 hour');
	SELECT r.name, greatest(0, v_limit - r.hour_writes) INTO v_name, v_room
	FROM zcsync.routes r WHERE r.route_id = p_route;
	UPDATE zcsync.routes r SET hour_writes = r.hour_writes + least(v_room, cardinality(p_targets))
	WHERE r.route_id = p_route AND v_room > 0;
	IF cardinality(p_targets) <= v_room THEN
		RETURN;
	END IF;

	-- also a push that waited before and was joined by what is written now
	UPDATE zcsync.sync_queue q SET state = 'held'
	WHERE q.local_id = ANY (p_targets[v_room + 1:]) AND q.operation = 'push' AND q.state = 'ready'
		AND q.enqueued_xid = pg_current_xact_id();
	GET DIAGNOSTICS v_held = ROW_COUNT;
	IF v_held > 0 THEN
		PERFORM zcsync._alert('write_brake', v_name, 'warning',
			format('route "%s" would write more than %s remote records in an hour; the others are held', v_name, v_limit),
			format('SELECT zcsync.release_held(%L); or SELECT zcsync.cancel_held(%L);', v_name, v_name));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._brake_route(bigint, bigint[]) IS
'holds what a route writes beyond the limit of an hour';

-- Remember in the links which values were written or were the same already, and which
-- records left the route or returned to it.
CREATE FUNCTION zcsync._agree_forward(p_route bigint, p_ids bigint[], p_changes zcsync.route_change[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	UPDATE zcsync.links l
	SET agreed = l.agreed || n.agreed, dropped = l.dropped - ARRAY(SELECT jsonb_object_keys(n.agreed)), changed_at = zcsync._now(),
		state = CASE WHEN n.leaves AND r.on_leave = 'unlink' THEN 'unlinked' WHEN n.leaves THEN 'left'
			WHEN n.returns THEN 'linked' ELSE l.state END
	FROM zcsync.routes r, (
		SELECT c.source_id, bool_or(c.op = 'leave') AS leaves, bool_or(c.op = 'return') AS returns,
			coalesce(jsonb_object_agg(c.field, c.agreed) FILTER (WHERE c.op IN ('update', 'agree')), '{}') AS agreed
		FROM unnest(p_changes) c WHERE c.op IN ('update', 'agree', 'leave', 'return')
		GROUP BY c.source_id
	) AS n
	WHERE r.route_id = p_route AND l.route_id = p_route AND l.source_id = n.source_id AND l.source_id = ANY (p_ids)
		AND l.state <> 'unlinked';
END
$$;
COMMENT ON FUNCTION zcsync._agree_forward(bigint, bigint[], zcsync.route_change[]) IS
'remembers in the links of a route what its source and target agree on';

-- Agree on the values that the job itself brought about on the other side: those of the
-- second evaluation, after it has written.  p_targets are pairs whose target was
-- written or is new, p_sources those whose source was written.  A value that came back
-- before (p_back), and is the same afterwards, was not brought about by this job and
-- waits for the next turn.  So does a record that returned to the route because of it,
-- since its other fields may have changed while it was away.  Returns those that wait.
CREATE FUNCTION zcsync._agree_written(p_route bigint, p_targets bigint[], p_sources bigint[], p_back zcsync.route_evaluation[], p_limit interval)
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_targets zcsync.route_evaluation[] := zcsync._evaluate_targets(p_route, p_targets, p_limit);
	v_sources zcsync.route_evaluation[] := CASE WHEN p_sources = '{}' THEN '{}' ELSE zcsync._evaluate_sources(p_route, p_sources, false, p_limit) END;
	v_error text;
	v_changes zcsync.route_change[];
	v_again bigint[];
	v_returned bigint[];
BEGIN
	SELECT e.message INTO v_error FROM zcsync._failed_evaluations(v_targets || v_sources) e LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'external_routine_invocation_exception', MESSAGE = v_error;
	END IF;

	SELECT array_agg(ROW('agree', NULL, c.source_id, c.target_id, c.field, c.old, c.new, NULL, NULL, c.agreed)::zcsync.route_change)
			FILTER (WHERE c.op = 'agree' OR x.is_ours),
		array_agg(DISTINCT c.source_id) FILTER (WHERE c.op <> 'agree' AND NOT x.is_ours)
	INTO v_changes, v_again
	FROM zcsync._route_back_changes(p_route, p_targets, v_targets) AS c
	CROSS JOIN LATERAL (SELECT NOT EXISTS (SELECT FROM unnest(p_back) AS b
		WHERE b.source_id = c.source_id AND b.doc -> substr(c.field, 6) = c.agreed) AS is_ours) AS x;
	PERFORM zcsync._agree_back(p_route, v_changes);

	v_changes := ARRAY(SELECT c FROM zcsync._route_changes(p_route, p_sources, false, v_sources) c);
	v_returned := ARRAY(SELECT DISTINCT c.source_id FROM unnest(v_changes) c WHERE c.op = 'return');
	PERFORM zcsync._agree_forward(p_route, p_sources, ARRAY(SELECT c FROM unnest(v_changes) c WHERE c.source_id <> ALL (v_returned)));
	RETURN coalesce(v_again, '{}') || v_returned;
END
$$;
COMMENT ON FUNCTION zcsync._agree_written(bigint, bigint[], bigint[], zcsync.route_evaluation[], interval) IS
'evaluates what a route has just written and remembers it as agreed; returns source records that need another turn';

-- Write what the route wants for these source records, given what its SQL said about
-- them and, in p_back, about their targets.  The caller has locked the rows.  Both
-- sides of a pair are written; if a field changed on both, the source's value wins.
-- p_edited are records that the write brake counts, whatever their age.  Returns what
-- was done to which record, and 'again' for those that need another turn.
CREATE FUNCTION zcsync._write_route_changes(p_route bigint, p_ids bigint[], p_backfill boolean, p_edited boolean,
	p_values zcsync.route_evaluation[], p_back zcsync.route_evaluation[], p_limit interval) RETURNS TABLE (source_id bigint, status text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_changes zcsync.route_change[];
	v_back zcsync.route_change[];
	v_origin zcsync.origin := zcsync._origin_of(CASE WHEN p_edited THEN 'route' ELSE 'backfill' END, p_route);
	v record;
	v_created bigint[];
	v_updated bigint[] := '{}';
	v_linked bigint[];
	v_written bigint[] := '{}';
	v_merged bigint[];
	v_targets bigint[];
	v_again bigint[];
BEGIN
	SELECT t.account_id AS target_account, t.kind AS target_kind, s.kind AS source_kind, sa.vendor <> 'local' AS source_is_remote INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id JOIN zcsync.accounts sa ON sa.account_id = s.account_id
	WHERE r.route_id = p_route;

	SELECT d.forward, d.back INTO v_changes, v_back FROM zcsync._decide_route_changes(p_route, p_ids, p_backfill, p_values, p_back) d;
	v_linked := ARRAY(SELECT c.source_id FROM unnest(v_changes) c WHERE c.op = 'link');
	SELECT array_agg(m.source_id), array_agg(m.target_id) INTO v_created, v_targets
	FROM zcsync._make_targets(p_route, v.target_account, v.target_kind, v_origin, v_changes) m;
	IF EXISTS (SELECT FROM unnest(v_changes) c WHERE c.op = 'update') THEN
		SELECT coalesce(array_agg(u.source_id), '{}'), v_targets || array_agg(u.target_id) INTO v_updated, v_targets
		FROM zcsync._update_targets(v.target_kind, v_origin, v_changes) u;
	END IF;
	PERFORM zcsync._link_pairs(p_route, v_linked, ARRAY(SELECT c.target_id FROM unnest(v_changes) c WHERE c.op = 'link'))
	WHERE v_linked <> '{}';
	PERFORM zcsync._queue_conversations(p_route, ARRAY(SELECT l.link_id FROM zcsync.links l WHERE l.route_id = p_route AND l.source_id = ANY (v_linked)))
	WHERE v_linked <> '{}';
	PERFORM zcsync._agree_forward(p_route, p_ids, v_changes);

	IF EXISTS (SELECT FROM unnest(v_back) c WHERE c.op = 'update') THEN
		SELECT coalesce(array_agg(u.source_id), '{}') INTO v_written
		FROM zcsync._update_targets(v.source_kind, v_origin, ARRAY(
			SELECT ROW('update', NULL, c.source_id, c.source_id, substr(c.field, 6), c.old, c.new, NULL, NULL, NULL)::zcsync.route_change
			FROM unnest(v_back) c WHERE c.op = 'update')) u;
	END IF;
	PERFORM zcsync._agree_back(p_route, v_back);
	v_again := zcsync._agree_written(p_route, v_updated || v_linked || zcsync._siblings(p_route, v_updated), v_written, p_back, p_limit)
		|| ARRAY(SELECT c.source_id FROM unnest(v_changes) c WHERE c.op = 'wait'
			UNION ALL SELECT c.agreed::bigint FROM unnest(v_changes) c WHERE c.op = 'move' AND c.agreed::bigint = ANY (p_ids));	-- its pair is new
	v_merged := ARRAY(SELECT c.source_id FROM unnest(v_changes) c WHERE c.op IN ('merge', 'move', 'note'));

	PERFORM zcsync._note_route_errors(p_route, p_ids, v_changes || ARRAY(SELECT c FROM unnest(v_back) c WHERE c.op = 'error'), p_backfill);
	v_targets := v_targets || CASE WHEN v.source_is_remote THEN v_written END || zcsync._write_merges(p_route, v_changes, v_origin);
	IF v_targets <> '{}' AND p_edited THEN
		PERFORM zcsync._brake_route(p_route, v_targets);
	END IF;

	RETURN QUERY
	SELECT u.id, 'created' FROM unnest(v_created) AS u (id)
	UNION ALL SELECT DISTINCT u.id, 'updated' FROM unnest(v_updated || v_written || v_merged) AS u (id)
	UNION ALL SELECT u.id, 'found' FROM unnest(v_linked) AS u (id)
	UNION ALL SELECT u.id, 'again' FROM unnest(v_again) AS u (id);
END
$$;
COMMENT ON FUNCTION zcsync._write_route_changes(bigint, bigint[], boolean, boolean, zcsync.route_evaluation[], zcsync.route_evaluation[], interval) IS
'writes what a route wants for these source records, given what its SQL said of them';

-- The same, but one bad record does not affect the others: on an error the set is
-- halved, down to that record.  Records that are left over when the limit on
-- subtransactions is reached are tried again.  So are, after a second, those for which
-- something is locked, as the push of a target that somebody writes: they are busy.
CREATE FUNCTION zcsync._isolate_route_changes(p_route bigint, p_ids bigint[], p_backfill boolean, p_edited boolean,
	p_values zcsync.route_evaluation[], p_back zcsync.route_evaluation[], p_limit interval,
	OUT written bigint[], OUT statuses text[], OUT failed bigint[], OUT messages text[], OUT left_over bigint[], OUT busy bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_from integer[] := CASE WHEN p_ids = '{}' THEN '{}' ELSE ARRAY[1] END;
	v_to integer[] := CASE WHEN p_ids = '{}' THEN '{}' ELSE ARRAY[cardinality(p_ids)] END;
	v_first integer;
	v_last integer;
	v_count integer := 0;
	v_waits integer := 0;
	v_written record;
BEGIN
	left_over := '{}';
	busy := '{}';
	WHILE cardinality(v_from) > 0 LOOP
		v_first := v_from[1];
		v_last := v_to[1];
		v_from := v_from[2:];
		v_to := v_to[2:];
		-- A transaction with more than 64 subtransactions slows all snapshots.
		IF v_count >= 60 THEN
			left_over := left_over || p_ids[v_first:v_last];
			CONTINUE;
		END IF;
		v_count := v_count + 1;
		BEGIN
			SELECT array_agg(w.source_id) AS ids, array_agg(w.status) AS statuses INTO v_written
			FROM zcsync._write_route_changes(p_route, p_ids[v_first:v_last], p_backfill, p_edited, p_values, p_back, p_limit) w;
			written := written || v_written.ids;
			statuses := statuses || v_written.statuses;
		EXCEPTION WHEN OTHERS THEN
			v_waits := v_waits + (SQLSTATE = '55P03')::integer;
			IF SQLSTATE = '55P03' AND (v_first = v_last OR v_waits >= 20) THEN
				busy := busy || p_ids[v_first:v_last];
			ELSIF SQLSTATE <> '55P03' AND zcsync._is_servers_error(SQLSTATE) THEN
				RAISE;
			ELSIF v_first = v_last THEN
				failed := failed || p_ids[v_first];
				-- an error of the route's SQL has its SQLSTATE in the text
				messages := messages || CASE SQLSTATE WHEN '39000' THEN SQLERRM ELSE format('%s (%s)', SQLERRM, SQLSTATE) END;
			ELSE
				v_from := ARRAY[v_first, (v_first + v_last) / 2 + 1] || v_from;
				v_to := ARRAY[(v_first + v_last) / 2, v_last] || v_to;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._isolate_route_changes(bigint, bigint[], boolean, boolean, zcsync.route_evaluation[], zcsync.route_evaluation[], interval) IS
'writes what a route wants, record by record where a record makes it fail';

-- Lock the rows of these source records and of the targets of their links, without
-- waiting; returns the source ids of which all rows could be locked.  A record that is
-- gone has no row to lock.
CREATE FUNCTION zcsync._lock_route_rows(p_route bigint, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_side record;
	v_busy bigint[];
	v_busy_sources bigint[];
	v_busy_targets bigint[];
BEGIN
	SELECT s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	FOR v_side IN
		SELECT * FROM (VALUES
			(true, v.source_kind, v.source_account, p_ids),
			(false, v.target_kind, v.target_account, ARRAY(
				SELECT l.target_id FROM zcsync.links l
				WHERE l.route_id = p_route AND l.source_id = ANY (p_ids) AND l.state <> 'unlinked'))
		) AS side (is_source, kind, account_id, ids)
		ORDER BY kind, account_id
	LOOP
		EXECUTE format($sql$
			WITH locked AS MATERIALIZED (
				SELECT m.local_id FROM zcsync.%1$I AS m WHERE m.local_id = ANY ($1)
				ORDER BY m.local_id FOR NO KEY UPDATE SKIP LOCKED)
			SELECT coalesce(array_agg(m.local_id), '{}') FROM zcsync.%1$I AS m
			WHERE m.local_id = ANY ($1) AND m.local_id NOT IN (SELECT k.local_id FROM locked AS k)$sql$, v_side.kind)
			INTO v_busy USING v_side.ids;
		IF v_side.is_source THEN
			v_busy_sources := v_busy;
		ELSE
			v_busy_targets := v_busy;
		END IF;
	END LOOP;
	RETURN ARRAY(
		SELECT i FROM unnest(p_ids) AS i
		WHERE i <> ALL (v_busy_sources)
			AND NOT EXISTS (SELECT FROM zcsync.links l
				WHERE l.route_id = p_route AND l.source_id = i AND l.state <> 'unlinked'
					AND l.target_id = ANY (v_busy_targets)));
END
$$;
COMMENT ON FUNCTION zcsync._lock_route_rows(bigint, bigint[]) IS
'locks both ends of the links of these source records without waiting; returns those that could be locked';

-- Jobs of a route are those of the account that it reads.
CREATE FUNCTION zcsync._count_route_jobs(p_route bigint, p_statuses text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._count_operations(s.account_id, 'route', p_statuses)
	FROM zcsync.routes r JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	WHERE r.route_id = p_route;
END
$$;
COMMENT ON FUNCTION zcsync._count_route_jobs(bigint, text[]) IS
'counts jobs of a route that ended, a status each; for metrics()';

-- End jobs whose records failed: they go back with a delay, or become dead letters.  An
-- earlier dead letter of the record is closed: this failure says the same again.
CREATE FUNCTION zcsync._fail_route_jobs(p_route bigint, p_failed bigint[], p_messages text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := (SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route);
	v_queue zcsync.queues;
	v_dead integer;
BEGIN
	SELECT * INTO v_queue FROM zcsync.queues qs WHERE qs.name = 'route';
	PERFORM zcsync._note_route_errors(p_route, p_failed, ARRAY(
		SELECT ROW('error', NULL, f.id, NULL, '', NULL, NULL, 'mapping_error', f.message, NULL)::zcsync.route_change
		FROM unnest(p_failed, p_messages) AS f (id, message)), false);
	UPDATE zcsync.sync_queue q
	SET attempts = q.attempts + 1, failures = q.failures + 1,
		run_at = zcsync._now() + zcsync._backoff(v_queue.backoff_base, v_queue.backoff_cap, q.failures),
		last_class = 'rejected', last_error = left(f.message, 2000),
		last_hint = zcsync._route_error_hint(v_name, 'mapping_error', '', NULL)
	FROM unnest(p_failed, p_messages) AS f (id, message)
	WHERE q.route_id = p_route AND q.local_id = f.id AND q.operation = 'route' AND q.state = 'ready';
	PERFORM zcsync._close_letters_of('route', p_failed, p_route);
	WITH dead AS (
		DELETE FROM zcsync.sync_queue q
		WHERE q.route_id = p_route AND q.local_id = ANY (p_failed) AND q.operation = 'route' AND q.state = 'ready'
			AND q.failures >= v_queue.max_attempts
		RETURNING q.*
	), letters AS (
		INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, stream_id, route_id, kind,
			local_id, record_key, dedupe_key, payload, backfill, priority, attempts, class, message, hint, created_at, died_at)
		SELECT d.job_id, d.account_id, d.queue, d.operation, d.budget_class, d.stream_id, d.route_id, d.kind,
			d.local_id, d.record_key, d.dedupe_key, d.payload, d.backfill, d.priority, d.attempts, d.last_class, d.last_error, d.last_hint,
			d.created_at, zcsync._now()
		FROM dead d)
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status, class,
		attempts, message, queued_at, created_at)
	SELECT d.job_id, d.account_id, d.queue, d.operation, d.kind, d.local_id, d.route_id, 'failed', d.last_class,
		d.attempts, d.last_error, d.created_at, zcsync._now()
	FROM dead d;
	GET DIAGNOSTICS v_dead = ROW_COUNT;
	IF v_dead > 0 THEN
		PERFORM zcsync._count_route_jobs(p_route, array_fill('failed'::text, ARRAY[v_dead]));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._fail_route_jobs(bigint, bigint[], text[]) IS
'sends failed jobs of a route back with a delay, or to dead_letters after the last attempt';

-- Write a set of records, either all of a backfill or none, and record the results;
-- returns those whose jobs are done.
CREATE FUNCTION zcsync._write_route_batch(p_route bigint, p_jobs bigint[], p_backfill boolean, p_edited boolean, p_ids bigint[],
	p_values zcsync.route_evaluation[], p_back zcsync.route_evaluation[], p_limit interval) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_result record;
	v_done bigint[];
BEGIN
	IF p_ids = '{}' THEN
		RETURN '{}';
	END IF;
	v_result := zcsync._isolate_route_changes(p_route, p_ids, p_backfill, p_edited, p_values, p_back, p_limit);
	INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status,
		attempts, message, queued_at, created_at)
	SELECT q.job_id, q.account_id, q.queue, q.operation, q.kind, q.local_id, q.route_id, w.status,
		q.attempts + 1, CASE WHEN p_backfill THEN 'backfill' END, q.created_at, zcsync._now()
	FROM unnest(v_result.written, v_result.statuses) AS w (id, status)
	JOIN zcsync.sync_queue q ON q.job_id = ANY (p_jobs) AND q.local_id = w.id
	WHERE w.status <> 'again';
	PERFORM zcsync._count_route_jobs(p_route, array_remove(v_result.statuses, 'again'));
	IF v_result.failed IS NOT NULL THEN
		PERFORM zcsync._fail_route_jobs(p_route, v_result.failed, v_result.messages);
	END IF;
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now() + interval '1 second'
	WHERE q.job_id = ANY (p_jobs) AND q.local_id = ANY (v_result.busy);
	v_done := ARRAY(
		SELECT i FROM unnest(p_ids) i
		WHERE i <> ALL (coalesce(v_result.failed, '{}')) AND i <> ALL (v_result.left_over || v_result.busy)
			AND i NOT IN (SELECT w.id FROM unnest(v_result.written, v_result.statuses) AS w (id, status) WHERE w.status = 'again'));
	PERFORM zcsync._close_letters_of('route', v_done, p_route);
	RETURN v_done;
END
$$;
COMMENT ON FUNCTION zcsync._write_route_batch(bigint, bigint[], boolean, boolean, bigint[], zcsync.route_evaluation[], zcsync.route_evaluation[], interval) IS
'writes a set of source records of a route and records what became of them';

-- Which of these rows have changed since they were seen?
CREATE FUNCTION zcsync._changed_rows(p_kind text, p_ids bigint[], p_seen xid[]) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		SELECT u.id FROM unnest($1, $2) AS u (id, seen)
		CROSS JOIN LATERAL (SELECT m.xmin AS version FROM zcsync.%I AS m WHERE m.local_id = u.id OFFSET 0) AS r
		WHERE r.version <> u.seen$sql$, p_kind)
	USING p_ids, p_seen;
END
$$;
COMMENT ON FUNCTION zcsync._changed_rows(text, bigint[], xid[]) IS
'rows that changed since they were seen, by their local ids';

-- Which records must not be written: those for which the SQL of the route failed, and
-- those that must be evaluated again, because the time was not enough or because one of
-- their rows changed before it was locked.
CREATE FUNCTION zcsync._stale_evaluations(p_route bigint, p_values zcsync.route_evaluation[], p_back zcsync.route_evaluation[],
	OUT failed bigint[], OUT messages text[], OUT again bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.kind AS source_kind, t.kind AS target_kind INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	again := ARRAY(
		SELECT c.id FROM zcsync._changed_rows(v.source_kind, ARRAY(SELECT e.source_id FROM unnest(p_values) e), ARRAY(SELECT e.seen FROM unnest(p_values) e)) AS c (id)
		UNION
		SELECT e.source_id
		FROM zcsync._changed_rows(v.target_kind, ARRAY(SELECT e.targets[1] FROM unnest(p_back) e), ARRAY(SELECT e.seen FROM unnest(p_back) e)) AS c (id)
		JOIN unnest(p_back) AS e ON e.targets[1] = c.id
		UNION
		SELECT e.source_id FROM unnest(p_values || p_back) e WHERE e.late);
	SELECT coalesce(array_agg(e.source_id), '{}'), coalesce(array_agg(e.error), '{}') INTO failed, messages
	FROM (SELECT x.source_id, min(x.error) AS error FROM unnest(p_values || p_back) x
		WHERE x.error IS NOT NULL AND x.source_id <> ALL (again) GROUP BY x.source_id ORDER BY x.source_id) AS e;
END
$$;
COMMENT ON FUNCTION zcsync._stale_evaluations(bigint, zcsync.route_evaluation[], zcsync.route_evaluation[]) IS
'records for which the SQL of a route failed, and those that must be evaluated again';

-- One batch of one route; returns how many jobs ended, or wait for a person.  The SQL
-- of the route runs first, while nothing is locked: neither rows, so that nobody waits
-- for it, nor jobs, which users join.  Then route, jobs and rows are locked.  A record
-- that changed meanwhile gets another turn; one that somebody has locked gets it after
-- a second.  A record with a held push is read on neither side: its job waits until a
-- person has decided (_wake_routes()), and looks again after five minutes.  An edit
-- that joined the job of a backfill is written as an edit: it has the priority of an
-- edit, and the write brake counts it.
CREATE FUNCTION zcsync._run_route_batch(p_route bigint, p_max integer) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
DECLARE
	v_began timestamptz := clock_timestamp();
	v_limit interval;
	v_jobs bigint[];
	v_ids bigint[];
	v_asked bigint[];
	v_backfill boolean[];
	v_set record;
	v_values zcsync.route_evaluation[];
	v_back zcsync.route_evaluation[];
	v_locked bigint[];
	v_stale record;
	v_unread bigint[];
	v_held bigint[];
	v_done bigint[] := '{}';
	v_which boolean;
BEGIN
	SELECT array_agg(q.job_id), array_agg(q.local_id), array_agg(q.backfill) INTO v_jobs, v_ids, v_backfill
	FROM (
		SELECT q.job_id, q.local_id, q.backfill FROM zcsync.sync_queue q
		WHERE q.route_id = p_route AND q.operation = 'route' AND q.state = 'ready' AND q.run_at <= zcsync._now()
		ORDER BY q.priority, q.run_at, q.job_id
		LIMIT p_max) q;
	IF v_jobs IS NULL THEN
		RETURN 0;
	END IF;
	v_asked := v_ids;
	v_unread := zcsync._held_sources(p_route, v_ids);
	FOREACH v_which IN ARRAY ARRAY[false, true] LOOP
		v_values := v_values || zcsync._evaluate_sources(p_route, ARRAY(
			SELECT j.id FROM unnest(v_ids, v_backfill) AS j (id, backfill) WHERE j.backfill = v_which AND j.id <> ALL (v_unread)), v_which);
	END LOOP;
	v_back := zcsync._evaluate_targets(p_route, ARRAY(SELECT i FROM unnest(v_ids) AS i WHERE i <> ALL (v_unread)));
	-- the second evaluation, of what was written, has no more records than this one
	v_limit := least(zcsync._mapping_timeout(), greatest(interval '1 second', 3 * (clock_timestamp() - v_began)));

	PERFORM FROM zcsync.routes r WHERE r.route_id = p_route AND r.state = 'active' FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	SELECT coalesce(array_agg(q.job_id), '{}'), coalesce(array_agg(q.local_id), '{}') INTO v_jobs, v_ids
	FROM (SELECT k.job_id, k.local_id FROM zcsync.sync_queue k WHERE k.job_id = ANY (v_jobs) AND k.state = 'ready'
		ORDER BY k.job_id FOR UPDATE SKIP LOCKED) AS q;
	v_locked := zcsync._lock_route_rows(p_route, v_ids);
	v_stale := zcsync._stale_evaluations(p_route, v_values, v_back);
	v_held := zcsync._held_sources(p_route, v_ids);

	FOR v_set IN
		SELECT q.backfill, NOT q.backfill OR q.payload ? 'edited' AS edited, array_agg(q.local_id ORDER BY q.local_id) AS ids
		FROM zcsync.sync_queue q
		-- if a backfill joined a job since, it gets another turn: its record was not
		-- read for a backfill
		JOIN unnest(v_asked, v_backfill) AS a (id, backfill) ON a.id = q.local_id AND a.backfill = q.backfill
		WHERE q.job_id = ANY (v_jobs) AND q.local_id = ANY (v_locked)
			AND q.local_id <> ALL (v_stale.failed || v_stale.again || v_unread || v_held)
		GROUP BY 1, 2
		ORDER BY 1, 2 DESC
	LOOP
		v_done := v_done || zcsync._write_route_batch(p_route, v_jobs, v_set.backfill, v_set.edited, v_set.ids, v_values, v_back, v_limit);
	END LOOP;
	PERFORM zcsync._fail_route_jobs(p_route, array_agg(f.id), array_agg(f.message))
	FROM unnest(v_stale.failed, v_stale.messages) AS f (id, message) WHERE f.id = ANY (v_locked) HAVING count(*) > 0;
	DELETE FROM zcsync.sync_queue q WHERE q.job_id = ANY (v_jobs) AND q.local_id = ANY (v_done);
	UPDATE zcsync.sync_queue q
	SET run_at = zcsync._now() + CASE WHEN q.local_id = ANY (v_held) THEN interval '5 minutes' ELSE interval '1 second' END
	WHERE q.job_id = ANY (v_jobs) AND (q.local_id <> ALL (v_locked) OR q.local_id = ANY (v_held));
	RETURN cardinality(v_done) + cardinality(v_held);
END
$$;
COMMENT ON FUNCTION zcsync._run_route_batch(bigint, integer) IS
'evaluates, locks, writes and ends a batch of jobs of a route; returns how many ended or were put off';

-- The routes that have something to do and may do it, the most urgent first.  After a
-- failover, and in a copy that was adopted, a route waits until the stream to which it
-- writes has been read again and all of that is stored: then the route finds what the
-- other database created.
CREATE FUNCTION zcsync._due_routes() RETURNS TABLE (route_id bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE		-- its plan is kept, since it is called very often
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.routes r WHERE r.state = 'active') THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT r.route_id
	FROM zcsync.routes r
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.accounts sa ON sa.account_id = s.account_id
	CROSS JOIN LATERAL (
		SELECT q.priority, q.run_at FROM zcsync.sync_queue q
		WHERE q.route_id = r.route_id AND q.operation = 'route' AND q.state = 'ready' AND q.run_at <= zcsync._now()
		ORDER BY q.priority, q.run_at LIMIT 1) j
	WHERE r.state = 'active' AND t.writes
		AND EXISTS (SELECT FROM zcsync.queues qs WHERE qs.name = 'route' AND qs.state = 'active')
		AND (s.writes OR sa.vendor = 'local'
			OR NOT EXISTS (SELECT FROM zcsync.route_fields f WHERE f.route_id = r.route_id AND f.direction = 'back'))
		AND ((t.reads_awaited = 0 AND t.jobs_awaited IS NULL) OR NOT zcsync._is_awaited(t.stream_id))
	ORDER BY j.priority, j.run_at;
END
$$;
COMMENT ON FUNCTION zcsync._due_routes() IS
'active routes with jobs that are due, the most urgent first';

-- Pause a route, and say why.  Returns false if somebody has locked it, or one of its
-- comments that wait: then it is tried again.
CREATE FUNCTION zcsync._pause_faulty_route(p_route bigint, p_why text, p_hint text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
DECLARE
	v_name text;
BEGIN
	UPDATE zcsync.routes r SET state = 'paused', paused_at = zcsync._now(), paused_by = NULL
	WHERE r.route_id = p_route RETURNING r.name INTO v_name;
	PERFORM zcsync._hold_copies(p_route);
	PERFORM zcsync._alert('route_fault', v_name, 'critical', format('route "%s" was paused: %s', v_name, p_why), format(p_hint, v_name));
	UPDATE zcsync.route_attempts a SET attempts = 0 WHERE a.route_id = p_route;
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._pause_faulty_route(bigint, text, text) IS
'pauses a route whose SQL must not run, with an alert; false: somebody has locked it';

-- Count the attempt to run the SQL of routes, before it is made and in a transaction of
-- its own: SQL that cannot be stopped ends the process that runs it, and then nothing
-- can be written any more.  A route whose last attempt did not end is tried again
-- alone, so that the right route is paused if that ends the process, too.  Returns that
-- route; NULL: all routes that are due may run.
CREATE FUNCTION zcsync._begin_route_jobs() RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ids bigint[];
	v_route bigint;
	v_attempts integer;
BEGIN
	FOR v_route IN
		SELECT d.route_id FROM zcsync._due_routes() d
		UNION	-- _end_cancelled() runs the SQL of these, too
		SELECT r.route_id FROM zcsync.routes r
		WHERE r.state = 'active' AND EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.cancelled = 'wanted' AND q.state = 'held')
	LOOP
		-- somebody is running it, or removes it
		CONTINUE WHEN NOT pg_try_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v_route % 2147483647)::integer);
		v_attempts := (SELECT a.attempts FROM zcsync.route_attempts a WHERE a.route_id = v_route);
		IF v_attempts >= 2 THEN
			PERFORM zcsync._pause_faulty_route(v_route, 'its SQL ended the process that ran it, twice',
				'Mend its SQL, then: SELECT zcsync.resume_route(%L);');
		ELSIF v_attempts = 1 THEN
			UPDATE zcsync.route_attempts a SET attempts = 2 WHERE a.route_id = v_route;
			RETURN v_route;
		ELSE
			v_ids := v_ids || v_route;
		END IF;
	END LOOP;
	INSERT INTO zcsync.route_attempts AS a (route_id, attempts)
	SELECT i, 1 FROM unnest(v_ids) AS i
	ON CONFLICT (route_id) DO UPDATE SET attempts = 1;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._begin_route_jobs() IS
'counts the attempt to run the SQL of routes; returns the route that must run alone';

-- The jobs that were begun did not end, but not because of the SQL of a route: the
-- attempt no longer counts.  p_alone is the route that ran alone.
CREATE FUNCTION zcsync._stop_route_jobs(p_alone bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.route_attempts a SET attempts = a.attempts - 1
	FROM (SELECT k.route_id FROM zcsync.route_attempts k
		WHERE k.attempts > 0 AND CASE WHEN p_alone IS NULL THEN k.attempts = 1 ELSE k.route_id = p_alone END
		FOR UPDATE SKIP LOCKED) AS o
	WHERE a.route_id = o.route_id
		-- somebody is running it
		AND pg_try_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (a.route_id % 2147483647)::integer);
END
$$;
COMMENT ON FUNCTION zcsync._stop_route_jobs(bigint) IS
'takes back the attempt to run the SQL of routes that somebody else interrupted';

-- Run route jobs that are due: those of the most urgent route first, or those of one
-- route.  The batches together stay within zcsync.bulk_write_limit, so that only the
-- limit of an hour decides what is held.
CREATE FUNCTION zcsync._run_route_jobs(p_max integer DEFAULT 200, p_only bigint DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_route record;
	v_fault text;
	v_batch integer;
	v_left integer := least(p_max, 200, greatest(1, current_setting('zcsync.bulk_write_limit')::integer));
	v_done integer := 0;
BEGIN
	BEGIN
		PERFORM zcsync._end_cancelled(p_by_worker => true, p_only => p_only);
		PERFORM zcsync._end_following();
	EXCEPTION WHEN lock_not_available THEN
		NULL;	-- somebody has locked a pair of records, for example: the next time
	END;
	FOR v_route IN
		SELECT d.route_id FROM zcsync._due_routes() d
		WHERE CASE WHEN p_only IS NOT NULL THEN d.route_id = p_only
			-- these are to be paused
			ELSE NOT EXISTS (SELECT FROM zcsync.route_attempts a WHERE a.route_id = d.route_id AND a.attempts >= 2) END
	LOOP
		EXIT WHEN v_left <= 0;
		-- Only one batch of a route runs at a time; the statements after the lock have
		-- younger snapshots.
		CONTINUE WHEN NOT pg_try_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v_route.route_id % 2147483647)::integer);
		SELECT f.fault INTO v_fault FROM zcsync._route_functions(v_route.route_id) f;
		IF v_fault IS NOT NULL THEN
			PERFORM zcsync._pause_faulty_route(v_route.route_id, v_fault, 'SELECT * FROM zcsync.check_route(%L);');
			CONTINUE;
		END IF;
		BEGIN
			v_batch := zcsync._run_route_batch(v_route.route_id, v_left);
		EXCEPTION WHEN lock_not_available THEN
			CONTINUE;	-- what somebody has locked is no row of this batch: an alert, for example
		END;
		v_left := v_left - v_batch;
		v_done := v_done + v_batch;
	END LOOP;
	UPDATE zcsync.route_attempts a SET attempts = 0
	FROM (SELECT k.route_id FROM zcsync.route_attempts k
		WHERE k.attempts > 0 AND CASE WHEN p_only IS NULL THEN k.attempts = 1 ELSE k.route_id = p_only END
		FOR UPDATE SKIP LOCKED) AS o
	WHERE a.route_id = o.route_id;
	RETURN v_done;
END
$$;
COMMENT ON FUNCTION zcsync._run_route_jobs(integer, bigint) IS
'runs due jobs of active routes, without HTTP and without waiting for locks; returns how many ended';

CREATE FUNCTION zcsync._has_due_route_jobs() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM zcsync._due_routes())
		OR EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.cancelled = 'wanted' AND q.state = 'held');	-- see _end_cancelled()
END
$$;
COMMENT ON FUNCTION zcsync._has_due_route_jobs() IS
'has a route something to do, or is there something to be taken back?';

CREATE FUNCTION zcsync._operation_route() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('route', p_start => 'zcsync._begin_route_jobs()'::regprocedure,
		p_run => 'zcsync._run_route_jobs(integer, bigint)'::regprocedure, p_has_due => 'zcsync._has_due_route_jobs()'::regprocedure,
		p_stopped => 'zcsync._stop_route_jobs(bigint)'::regprocedure, p_take_back => 'zcsync._take_back_cancelled()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operation_route() IS
'operation route: writes what a route makes of a record';
