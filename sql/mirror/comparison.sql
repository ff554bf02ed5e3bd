-- ---------------------------------------------------------------------
-- Comparing a mirror with its vendor: which records are gone there, and which are
-- missing here.
--
-- No list of changes shows deleted records.  So once a day, and on zcsync.compare(), a
-- lane of its own ("compare") reads all that the vendor lists, after everything else
-- that waits for the budget.  The vendor's hooks say what to request, and which rows a
-- reply should have contained and does not.
--
-- A row that is not in the lists is not gone yet: a list may be cut off, be late, or
-- leave out what the login may not see.  Each such record is looked up by itself.  Only
-- where the look-up, too, says that it is not there (request member "may_be_gone", see
-- zcsync_connector_missing() in connector_common.c) does its row get deleted_at.
-- Neither a list alone nor a single 404 alone is enough.  Where implausibly many rows
-- are missing, as after a lost permission, none is looked up, and an alert says so.  If
-- a record is listed again, or can be read again, deleted_at of its row is removed.
--
-- streams.compare_cursor of a comparison that is going on:
-- - began: when it began
-- - at: when its last page came
-- - pass: how far it is, as the vendor's hook has it
-- - expected: how many records it will list, by the rows of the mirror, for the view
--   progress
-- - gone: the remote ids of rows that were in no list so far
-- - more: their number, if they are implausibly many; then their ids are not kept
-- ---------------------------------------------------------------------

-- How far the comparison of a stream is: {} at the beginning.  A comparison of which no
-- page came for a day begins again.
CREATE FUNCTION zcsync._comparison(p_stream_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN (s.compare_cursor ->> 'at')::timestamptz > zcsync._now() - interval '1 day' THEN s.compare_cursor ELSE '{}' END
	FROM zcsync.streams s WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._comparison(bigint) IS
'where the comparison of a stream with its vendor is';

CREATE FUNCTION zcsync._comparison_request(p_stream_id bigint) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).compare_request
		FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream_id);
	v_request jsonb;
BEGIN
	IF v_hook IS NOT NULL THEN
		EXECUTE format('SELECT %s($1, $2)', v_hook::regproc)
			INTO v_request USING p_stream_id, coalesce(zcsync._comparison(p_stream_id) -> 'pass', '{}');
	END IF;
	RETURN v_request;
END
$$;
COMMENT ON FUNCTION zcsync._comparison_request(bigint) IS
'the next request of the comparison of a stream; NULL: it is not compared now';

-- How many rows of a stream its vendor should list.
CREATE FUNCTION zcsync._compared_rows(p_stream_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_rows bigint;
BEGIN
	SELECT s.account_id, s.kind INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	EXECUTE format('SELECT count(*) FROM zcsync.%I t WHERE t.account_id = $1 AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL',
			v_stream.kind)
		INTO v_rows USING v_stream.account_id;
	RETURN v_rows;
END
$$;
COMMENT ON FUNCTION zcsync._compared_rows(bigint) IS
'how many rows of a stream its vendor should list';

-- A page arrived.  Its records are stored already, where the vendor's hook for rows
-- takes them.
CREATE FUNCTION zcsync._next_comparison(p_job_id bigint, p_stream_id bigint, p_request jsonb, p_reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).compare
		FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream_id);
	v_cursor jsonb := zcsync._comparison(p_stream_id);
	v_page record;
BEGIN
	IF NOT v_cursor ? 'began' THEN
		SELECT jsonb_build_object('began', q.claimed_at, 'pass', '{}'::jsonb, 'gone', '[]'::jsonb,
			'expected', zcsync._compared_rows(p_stream_id)) INTO v_cursor
		FROM zcsync.sync_queue q WHERE q.job_id = p_job_id;
	END IF;
	EXECUTE format('SELECT c.pass, c.gone, c.lacking FROM %s($1, $2, $3, $4) AS c', v_hook::regproc)
		INTO v_page USING p_stream_id, v_cursor -> 'pass', p_request, p_reply;
	PERFORM zcsync._look_up(p_stream_id, v_page.lacking);
	v_cursor := zcsync._keep_gone(p_stream_id, v_cursor, v_page.gone) || jsonb_build_object('pass', v_page.pass, 'at', zcsync._now());
	more := v_page.pass IS NOT NULL;
	IF more THEN
		cursor := v_cursor;
	ELSE
		PERFORM zcsync._end_comparison(p_stream_id, (v_cursor ->> 'began')::timestamptz,
			ARRAY(SELECT jsonb_array_elements_text(v_cursor -> 'gone')), (v_cursor ->> 'more')::bigint);
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._next_comparison(bigint, bigint, jsonb, jsonb) IS
'where the comparison of a stream goes on after a page; at its end, looks up what the lists lack';

-- Read single records that may or may not exist.  If the vendor answers that a record
-- does not exist, its row is marked as deleted.  A record that could not be read is not
-- tried again for a week.
CREATE FUNCTION zcsync._look_up(p_stream_id bigint, p_ids text[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(j.jobs)
	FROM (
		SELECT array_agg(zcsync._job(s.account_id, zcsync._kind_queue(s.kind), 'fetch', 'api', k.record_key, k.key,
			jsonb_build_object('ids', jsonb_build_array(i.id), 'may_be_gone', true), 60, p_stream => s.stream_id, p_kind => s.kind)
			ORDER BY k.key) AS jobs
		FROM zcsync.streams s
		CROSS JOIN (SELECT DISTINCT id FROM unnest(p_ids) AS u (id) WHERE id IS NOT NULL) AS i
		CROSS JOIN LATERAL (SELECT zcsync._fetch_key(s.stream_id, i.id), format('look up/%s/%s', s.stream_id, i.id)) AS k (record_key, key)
		WHERE s.stream_id = p_stream_id
			AND NOT EXISTS (SELECT FROM zcsync.dead_letters d
				WHERE d.account_id = s.account_id AND d.dedupe_key = k.key AND d.died_at > zcsync._now() - interval '7 days')) AS j
	WHERE j.jobs IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._look_up(bigint, text[]) IS
'queues jobs that read single records of a stream which may be gone';

-- Are these more missing rows than is plausible at once?  As many as the account's
-- setting reconcile_limit says may be missing; without it, 20 or a twentieth of all,
-- whichever is more.  Up to 20 the rows need not be counted.
CREATE FUNCTION zcsync._too_many_gone(p_stream_id bigint, p_gone bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_allowed integer := (SELECT (a.settings ->> 'reconcile_limit')::integer
		FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream_id);
BEGIN
	IF v_allowed IS NOT NULL THEN
		RETURN p_gone > v_allowed;
	ELSIF p_gone <= 20 THEN
		RETURN false;
	END IF;
	RETURN p_gone > greatest(20, zcsync._compared_rows(p_stream_id) / 20);
END
$$;
COMMENT ON FUNCTION zcsync._too_many_gone(bigint, bigint) IS
'are more records missing than is plausible?';

-- Of rows that were in no list, those that were not seen elsewhere since.
CREATE FUNCTION zcsync._still_gone(p_stream_id bigint, p_began timestamptz, p_gone text[]) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_gone text[];
BEGIN
	SELECT s.account_id, s.kind INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	EXECUTE format('SELECT array_agg(t.remote_id ORDER BY t.local_id) FROM zcsync.%I t '
			'WHERE t.account_id = $1 AND t.remote_id = ANY ($2) AND t.deleted_at IS NULL AND t.synced_at < $3', v_stream.kind)
		INTO v_gone USING v_stream.account_id, p_gone, p_began;
	RETURN coalesce(v_gone, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._still_gone(bigint, timestamptz, text[]) IS
'which of these remote ids belong to records that were not seen since the comparison began, in the order of their rows';

-- The ids are in the cursor, which is written with each page: so they are kept only as
-- long as they may be looked up in the end.  Up to 5000 are kept in any case: they may
-- be in lists that are still to come, as archived tasks are.
CREATE FUNCTION zcsync._keep_gone(p_stream_id bigint, p_cursor jsonb, p_gone text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_new bigint := coalesce(cardinality(p_gone), 0);
	v_gone text[];
BEGIN
	IF v_new = 0 THEN
		RETURN p_cursor;
	ELSIF p_cursor ? 'more' THEN
		RETURN p_cursor || jsonb_build_object('more', (p_cursor ->> 'more')::bigint + v_new);
	END IF;
	v_gone := ARRAY(SELECT jsonb_array_elements_text(p_cursor -> 'gone')) || p_gone;
	IF cardinality(v_gone) > 5000 THEN
		v_gone := zcsync._still_gone(p_stream_id, (p_cursor ->> 'began')::timestamptz, v_gone);
		IF cardinality(v_gone) > 5000 AND zcsync._too_many_gone(p_stream_id, cardinality(v_gone)) THEN
			RETURN p_cursor || jsonb_build_object('gone', '[]'::jsonb, 'more', cardinality(v_gone));
		END IF;
	END IF;
	RETURN p_cursor || jsonb_build_object('gone', to_jsonb(v_gone));
END
$$;
COMMENT ON FUNCTION zcsync._keep_gone(bigint, jsonb, text[]) IS
'the cursor of a comparison with more rows that were in no list; if they are too many, with their number only';

-- End a comparison: look up the records that were in no list, except those that were
-- seen elsewhere meanwhile.  p_more is set if there were implausibly many.
CREATE FUNCTION zcsync._end_comparison(p_stream_id bigint, p_began timestamptz, p_gone text[], p_more bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_gone text[] := zcsync._still_gone(p_stream_id, p_began, p_gone);
BEGIN
	SELECT a.account_id, a.name, s.kind, (zcsync._vendor_of(a.vendor)).title INTO STRICT v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id WHERE s.stream_id = p_stream_id;
	UPDATE zcsync.streams s SET compared_at = p_began WHERE s.stream_id = p_stream_id;
	IF p_more IS NOT NULL OR zcsync._too_many_gone(p_stream_id, cardinality(v_gone)) THEN
		PERFORM zcsync._alert('records_missing', v_stream.name || '/' || v_stream.kind, 'warning',
			format('%s %s of account "%s" are not in the lists of %s; none of them was marked as deleted',
				coalesce(p_more, cardinality(v_gone)), v_stream.kind, v_stream.name, v_stream.title),
			format('Look with zcsync.check_account(%L) whether the login lost a permission. If they were deleted: '
				'SELECT zcsync.alter_account(%1$L, ''{"reconcile_limit": 100000}''); SELECT zcsync.compare(''%s/%s''); '
				'each of them is looked up then.', v_stream.name, v_stream.name, v_stream.kind));
		RETURN;
	END IF;
	PERFORM zcsync._look_up(p_stream_id, v_gone);
	PERFORM zcsync._resolve_alert('records_missing', v_stream.name || '/' || v_stream.kind);
END
$$;
COMMENT ON FUNCTION zcsync._end_comparison(bigint, timestamptz, text[], bigint) IS
'has the records that were in no list looked up, or raises an alert if there are too many';

CREATE FUNCTION zcsync.compare(stream text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
	v_key text;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT s.*, (zcsync._vendor_of(a.vendor)).title, (zcsync._kind_of(a.vendor, s.kind)).compared INTO STRICT v_stream
	FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = zcsync.stream(compare.stream) FOR SHARE OF s;
	IF v_stream.compared IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of %s are not compared', v_stream.kind, v_stream.title),
			HINT = format('SELECT zcsync.refresh(%L); reads what changed.', compare.stream);
	ELSIF v_stream.state <> 'active' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('stream "%s" is paused', compare.stream),
			HINT = format('SELECT zcsync.resume_stream(%L);', compare.stream);
	ELSIF v_stream.history_state = 'running' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the history of stream "%s" is still being read', compare.stream),
			HINT = 'SELECT * FROM zcsync.progress; says how far it is. It is compared once a day from then on.';
	END IF;
	v_key := format('pull/%s/compare', v_stream.stream_id);
	RETURN zcsync._enqueue(zcsync._job(v_stream.account_id, zcsync._kind_queue(v_stream.kind), 'pull',
		zcsync._pull_class(v_stream.stream_id), v_key, v_key, '{"lane": "compare"}', 45,
		p_stream => v_stream.stream_id, p_kind => v_stream.kind));
END
$$;
COMMENT ON FUNCTION zcsync.compare(text) IS
'compares the rows of a stream with all that its vendor lists, as zcsync does once a day: records that are not listed are looked up, records that are missing here are read; returns the job''s number';
