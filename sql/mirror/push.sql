-- ---------------------------------------------------------------------
-- After a push: the vendor's reply is stored in the row.
--
-- A vendor's hooks (vendor/contract.sql) are: push_requests, which makes what is sent;
-- push_effect, which says what a reply means: {status, doc, agreed}; and rows, which
-- makes values of the document.  Without a document, agreed has the values that both
-- sides have now; with one, it has the custom fields that the document does not show.
--
-- A reply is a document like others, and goes through the one entrance (take.sql), together
-- with what was sent for the row (sync_queue.sent).  A value that is still as it was
-- sent takes the form that the vendor gave it.  A value that was edited since then
-- stays, to be sent again.  A column that was not sent is merged like one of a page.
--
-- Nothing here waits for a row that somebody has locked: its job gets 'locked', and the
-- same outcome is tried again later.
-- ---------------------------------------------------------------------

-- Record the outcomes of pushes that the vendor accepted.  The arrays run in parallel,
-- with one element for each job.  again means that the row still differs from what the
-- vendor has, or that the record must be looked for further (status 'more') or created
-- again ('absent').
CREATE FUNCTION zcsync._finish_pushes(p_job_ids bigint[], p_requests jsonb[], p_replies jsonb[])
RETURNS TABLE (job_id bigint, again boolean, status text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan	-- see _claim_jobs()
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_group record;
BEGIN
	FOR v_group IN
		SELECT q.account_id, q.kind, a.vendor, array_agg(q.job_id) AS jobs, array_agg(q.local_id) AS ids,
			array_agg(o.request) AS requests, array_agg(o.reply) AS replies
		FROM unnest(p_job_ids, p_requests, p_replies) AS o (job_id, request, reply)
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		JOIN zcsync.accounts a ON a.account_id = q.account_id
		GROUP BY q.account_id, q.kind, a.vendor
	LOOP
		BEGIN
			RETURN QUERY SELECT f.* FROM zcsync._finish_pushes_of(v_group.account_id, v_group.kind, v_group.vendor,
				v_group.jobs, v_group.ids, v_group.requests, v_group.replies) AS f;
		EXCEPTION WHEN unique_violation THEN
			-- Another session stored a page with the new record just now.
			RETURN QUERY SELECT j, true, 'locked'::text FROM unnest(v_group.jobs) AS j;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._finish_pushes(bigint[], jsonb[], jsonb[]) IS
'records the outcomes of accepted pushes in their rows; says which jobs must go on';

-- The same for the jobs of one account and kind.
CREATE FUNCTION zcsync._finish_pushes_of(p_account bigint, p_kind text, p_vendor text, p_jobs bigint[], p_ids bigint[],
	p_requests jsonb[], p_replies jsonb[])
RETURNS TABLE (job_id bigint, again boolean, status text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_locked bigint[];
	v_work record;
	v_doubles record;
	v_ids bigint[];
	v_merged zcsync.merged_document[];
	v_idle text[] := '{more,absent,stranger,posted,unseen,buried}';	-- these touch no row
BEGIN
	v_locked := zcsync._lock_rows(p_account, p_kind, p_ids, true);
	IF cardinality(v_locked) < cardinality(p_ids) THEN
		RETURN QUERY EXECUTE format($sql$
			SELECT j.job_id, t.local_id IS NOT NULL, CASE WHEN t.local_id IS NULL THEN 'updated' ELSE 'locked' END
			FROM unnest($1, $2) AS j (job_id, local_id)
			LEFT JOIN zcsync.%I AS t ON t.account_id = $4 AND t.local_id = j.local_id
			WHERE j.local_id <> ALL ($3)$sql$, p_kind)
			USING p_jobs, p_ids, v_locked, p_account;
	END IF;

	IF p_kind = 'comments' THEN
		SELECT w.* INTO v_work FROM zcsync._post_effects(p_account, p_vendor, p_jobs, p_ids, p_requests, p_replies, v_locked) AS w;
	ELSE
		SELECT w.* INTO v_work
		FROM zcsync._push_effects(p_account, p_kind, p_vendor, p_jobs, p_ids, p_requests, p_replies, v_locked) AS w;
	END IF;
	-- A look-up that found nothing touches no row.
	IF v_work.statuses && '{more,absent,found,posted,unseen}' THEN
		RETURN QUERY SELECT * FROM zcsync._look_on(v_work.jobs, v_work.statuses);
	END IF;
	IF 'stranger' = ANY (v_work.statuses) THEN
		PERFORM zcsync._bury_stranger(p_account, p_kind, e.job_id, (v_work.documents[e.n]).remote_id)
		FROM unnest(v_work.jobs, v_work.statuses) WITH ORDINALITY AS e (job_id, status, n) WHERE e.status = 'stranger';
	END IF;
	v_doubles := zcsync._release_remote_ids(p_account, p_kind, v_work.ids, ARRAY(
		SELECT CASE WHEN e.status <> 'stranger' THEN (v_work.documents[e.n]).remote_id END
		FROM unnest(v_work.statuses) WITH ORDINALITY AS e (status, n) ORDER BY e.n));
	v_ids := v_work.ids;
	IF v_work.statuses && v_idle OR v_doubles.waiting <> '{}' THEN
		RETURN QUERY SELECT e.job_id, true, 'locked'::text FROM unnest(v_work.jobs, v_work.ids) AS e (job_id, local_id)
		WHERE e.local_id = ANY (v_doubles.waiting);
		SELECT array_agg(v_work.ids[n]), array_agg(v_work.documents[n]), array_agg(v_work.answered[n])
		INTO v_ids, v_work.documents, v_work.answered
		FROM unnest(v_work.ids, v_work.statuses) WITH ORDINALITY AS e (local_id, status, n)
		WHERE e.status <> ALL (v_idle) AND e.local_id <> ALL (v_doubles.waiting);
	END IF;
	IF v_ids IS NULL THEN
		RETURN;
	END IF;

	v_merged := zcsync._merge_documents(p_account, p_kind, v_ids, v_work.documents, v_work.answered, zcsync._origin_of('push'));
	IF v_doubles.ids IS NOT NULL THEN
		-- documents from a page: they are merged after the replies, and have the last
		-- word
		v_merged := zcsync._merge_documents(p_account, p_kind, v_doubles.ids, v_doubles.documents, NULL,
			zcsync._origin_of('pull', v_work.jobs[1])) || v_merged;
	END IF;
	RETURN QUERY
	SELECT DISTINCT ON (e.job_id) e.job_id, m.differs, e.status
	FROM unnest(v_work.jobs, v_work.ids, v_work.statuses) AS e (job_id, local_id, status)
	JOIN unnest(v_merged) WITH ORDINALITY AS m (local_id, stored, differs, disputes, n) ON m.local_id = e.local_id
	WHERE e.status <> ALL (v_idle)
	ORDER BY e.job_id, m.n;
END
$$;
COMMENT ON FUNCTION zcsync._finish_pushes_of(bigint, text, text, bigint[], bigint[], jsonb[], jsonb[]) IS
'records the outcomes of accepted pushes of one account and kind';

-- A look-up found a record that one of several creates made, and it is not known which
-- one.  A value that all of them sent was certainly sent, so these values are added as
-- the last element; only once, since an outcome that meets a lock is tried again.
CREATE FUNCTION zcsync._add_common_sent(p_list jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN jsonb_array_length(p_list) < 2 OR p_list -> -1 ? 'common' THEN p_list
		ELSE p_list || jsonb_build_object('attempt', 0, 'base', NULL, 'common', true, 'sent', (
			SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}')
			FROM jsonb_each(p_list -> 0 -> 'sent') AS c
			WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS e WHERE e -> 'sent' -> c.key IS DISTINCT FROM c.value))) END;
END;
COMMENT ON FUNCTION zcsync._add_common_sent(jsonb) IS
'what creates of a record sent, and as the last element the values that all of them sent';

-- Note which page a look-up reads next.  Where a look-up found nothing, the record is
-- created again, so what was sent before no longer counts.
CREATE FUNCTION zcsync._look_on(p_jobs bigint[], p_statuses text[]) RETURNS TABLE (job_id bigint, again boolean, status text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.sync_queue q
	SET lookup_page = CASE WHEN e.status = 'more' THEN coalesce(q.lookup_page, 0) + 1 END,
		sent = CASE e.status WHEN 'absent' THEN NULL WHEN 'found' THEN zcsync._add_common_sent(q.sent) ELSE q.sent END,
		lookup_floor = CASE WHEN e.status <> 'absent' THEN q.lookup_floor END
	FROM unnest(p_jobs, p_statuses) AS e (job_id, status)
	WHERE q.job_id = e.job_id AND e.status IN ('more', 'absent', 'found');
	SELECT e.job_id, true, e.status FROM unnest(p_jobs, p_statuses) AS e (job_id, status) WHERE e.status IN ('more', 'absent', 'posted', 'unseen');
$$;
COMMENT ON FUNCTION zcsync._look_on(bigint[], text[]) IS
'notes where look-ups go on; returns those that have not found their record';

-- What the replies to pushes of locked rows mean, as documents: arrays that run in
-- parallel.  answered says whether a document is the reply to what was sent.  A record
-- that a look-up found counts as that: it is the reply to the create whose own reply
-- was lost.  If it has the mark of the row but belongs to somebody else, its status is
-- stranger.
CREATE FUNCTION zcsync._push_effects(p_account bigint, p_kind text, p_vendor text, p_jobs bigint[], p_ids bigint[],
	p_requests jsonb[], p_replies jsonb[], p_locked bigint[],
	OUT jobs bigint[], OUT ids bigint[], OUT statuses text[], OUT documents zcsync.document[], OUT answered boolean[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := zcsync._vendor_of(p_vendor);
BEGIN
	EXECUTE format($sql$
		WITH e AS MATERIALIZED (
			SELECT j.job_id, j.local_id, j.request, x.effect, x.effect ->> 'status' AS status, x.effect -> 'doc' AS doc, s.answers,
				CASE WHEN x.effect ->> 'status' = 'found' THEN s.sent || jsonb_build_array(jsonb_build_object('sent', to_jsonb(t))) END AS mine
			FROM unnest($1, $2, $3, $4) AS j (job_id, local_id, request, reply)
			JOIN zcsync.%1$I AS t ON t.account_id = $5 AND t.local_id = j.local_id
			JOIN LATERAL (	-- one job at a time, as in _finish_jobs()
				SELECT (q.sent -> -1 -> 'attempt')::integer = q.attempts AS answers, q.sent -> -1 -> 'sent' AS last, coalesce(q.sent, '[]') AS sent
				FROM zcsync.sync_queue q WHERE q.job_id = j.job_id OFFSET 0) AS s ON true
			CROSS JOIN LATERAL (	-- once for each row
				SELECT %2$s(CASE WHEN s.answers THEN jsonb_set(j.request, '{sent}', s.last) ELSE j.request END,
					j.reply, t.base, t.sync_key::text) OFFSET 0) AS x (effect)
			WHERE j.local_id = ANY ($6)),
		r AS (
			SELECT r.remote_id, r.remote_version, r.vals, r.doc
			FROM %3$s($5, $7, '{}', (SELECT jsonb_build_object($7, jsonb_agg(e.doc)) FROM e WHERE e.status <> 'found' AND e.doc IS NOT NULL)) AS r
			WHERE r.kind = $7
			UNION ALL	-- a look-up may show less than the whole record, as its request says
			SELECT r.remote_id, r.remote_version, r.vals, r.doc
			FROM e CROSS JOIN LATERAL %3$s($5, $7, e.request, jsonb_build_object($7, jsonb_build_array(e.doc))) AS r
			WHERE e.status = 'found' AND e.doc IS NOT NULL AND r.kind = $7)
		SELECT array_agg(e.job_id), array_agg(e.local_id),
			array_agg(CASE WHEN e.mine IS NULL OR zcsync._same_identity(e.mine, r.vals) THEN e.status ELSE 'stranger' END),
			array_agg(ROW(r.remote_id, r.remote_version, coalesce(
				CASE WHEN NOT e.doc ?| '{custom_fields,customfields}' THEN r.vals - 'custom_fields'
					WHEN e.effect #> '{agreed,custom_fields}' IS NOT NULL THEN r.vals || jsonb_build_object('custom_fields',
						(e.effect #> '{agreed,custom_fields}') || coalesce(nullif(r.vals -> 'custom_fields', 'null'), '{}'))
					ELSE r.vals END, e.effect -> 'agreed', '{}'), e.doc, NULL)::zcsync.document),
			array_agg(coalesce(e.answers, false) OR e.status = 'found')
		FROM e LEFT JOIN r ON r.remote_id = e.doc ->> 'id'$sql$,
		p_kind, v_vendor.push_effect::regproc, v_vendor.rows::regproc)
		INTO jobs, ids, statuses, documents, answered
		USING p_jobs, p_ids, p_requests, p_replies, p_account, p_locked, p_kind;
	jobs := coalesce(jobs, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._push_effects(bigint, text, text, bigint[], bigint[], jsonb[], jsonb[], bigint[]) IS
'what the replies to pushes mean, as documents';

-- Is the record that a look-up found the one that was to be created?  This compares its
-- e-mail address and company with those that were sent for the row or that the row has
-- now, where both sides have them.
CREATE FUNCTION zcsync._same_identity(p_mine jsonb, p_theirs jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT NOT EXISTS (
		SELECT FROM unnest('{email,company}'::text[]) AS k
		CROSS JOIN LATERAL (SELECT bool_or(zcsync._fold(nullif(btrim(m #>> ARRAY['sent', k]), '')) = zcsync._fold(nullif(btrim(p_theirs ->> k), ''))) AS agrees
			FROM jsonb_array_elements(p_mine) AS m) AS a
		WHERE NOT a.agrees);
END;
COMMENT ON FUNCTION zcsync._same_identity(jsonb, jsonb) IS
'do the e-mail address and the company of a record, where it has them, agree with those that were or will be sent for it?';

-- A look-up found the mark of a row on a record of somebody else; this happens when
-- people copy a record and overwrite it with another one.  That record is left as it
-- is, and the create waits for a person.
CREATE FUNCTION zcsync._bury_stranger(p_account bigint, p_kind text, p_job bigint, p_remote_id text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._bury(p_job, 'conflict', NULL,
		format('"%s" has the mark of this record, and another e-mail address or company', zcsync.reference(p_account, p_kind, p_remote_id, NULL)),
		format('Take the mark from it, or give both the same, then: SELECT zcsync.retry(%s);', p_job), NULL)
$$;
COMMENT ON FUNCTION zcsync._bury_stranger(bigint, text, bigint, text) IS
'makes a dead letter of a create whose mark a look-up found on a record of somebody else';

-- A page may have brought a record that we created before its create was finished, as a
-- second row (a double).  Our row takes its place, and gets what that row knows of the
-- vendor (ids, documents).  If the double is locked, our row must wait.
CREATE FUNCTION zcsync._release_remote_ids(p_account bigint, p_kind text, p_ids bigint[], p_remote_ids text[],
	OUT waiting bigint[], OUT ids bigint[], OUT documents zcsync.document[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doubles bigint[];
	v_locked bigint[];
	v_gone bigint[];
BEGIN
	waiting := '{}';
	IF cardinality(array_remove(p_remote_ids, NULL)) = 0 THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		SELECT array_agg(t.local_id)
		FROM unnest($2, $3) AS w (local_id, remote_id)
		JOIN zcsync.%I AS t ON t.account_id = $1 AND t.remote_id = w.remote_id AND t.local_id <> w.local_id$sql$, p_kind)
		INTO v_doubles USING p_account, p_ids, p_remote_ids;
	IF v_doubles IS NULL THEN
		RETURN;
	END IF;
	v_locked := zcsync._lock_rows(p_account, p_kind, v_doubles, true);
	EXECUTE format($sql$
		SELECT coalesce(array_agg(w.local_id) FILTER (WHERE t.local_id <> ALL ($4)), '{}'),
			array_agg(w.local_id) FILTER (WHERE t.local_id = ANY ($4)),
			array_agg(ROW(t.remote_id, t.remote_version, t.base, t.remote, t.deleted_at IS NOT NULL)::zcsync.document)
				FILTER (WHERE t.local_id = ANY ($4)),
			array_agg(t.local_id) FILTER (WHERE t.local_id = ANY ($4))
		FROM unnest($2, $3) AS w (local_id, remote_id)
		JOIN zcsync.%I AS t ON t.account_id = $1 AND t.remote_id = w.remote_id AND t.local_id <> w.local_id$sql$, p_kind)
		INTO waiting, ids, documents, v_gone USING p_account, p_ids, p_remote_ids, v_locked;
	-- Listeners may refer to these rows already: our rows take their places there, too.
	PERFORM zcsync._tell_replaced(l.replaced, v_gone, ids) FROM zcsync._listeners() AS l;
	PERFORM zcsync._allow_delete();
	EXECUTE format('DELETE FROM zcsync.%I WHERE account_id = $1 AND local_id = ANY ($2)', p_kind)
		USING p_account, v_locked;
END
$$;
COMMENT ON FUNCTION zcsync._release_remote_ids(bigint, text, bigint[], text[]) IS
'removes rows that a page made of records just created here; ours take their place';

-- The push of a row has changed its state without reaching the vendor: it is held, has
-- failed for good, or is tried again, which is an error where the stream is read-only by
-- now.  A row that somebody has locked is left alone:
-- its writer will queue a push again.  A row that is in step by now, or gone, has
-- nothing left to send: then the dead letter is closed.
CREATE FUNCTION zcsync._push_failed(p_kind text, p_local_id bigint, p_state text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_differs boolean;
	v_stream text;
BEGIN
	IF p_kind IS NULL OR p_kind <> ALL (zcsync._kinds()) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('kind "%s" has no mirror table', p_kind);
	END IF;
	IF p_state = 'pending' THEN
		SELECT a.name || '/' || s.kind INTO v_stream
		FROM zcsync.sync_queue q JOIN zcsync.streams s ON s.stream_id = q.stream_id JOIN zcsync.accounts a ON a.account_id = s.account_id
		WHERE q.local_id = p_local_id AND q.operation = 'push' AND q.kind = p_kind AND NOT s.writes;
		IF FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('stream "%s" is read-only', v_stream),
				HINT = format('SELECT * FROM zcsync.alter_stream(%L, writes => true);', v_stream);
		END IF;
	END IF;
	EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t SET sync_state = $2, sync_cause = 'state', sync_cause_id = NULL, sync_xid = pg_current_xact_id()
		FROM (SELECT l.account_id, l.local_id FROM zcsync.%1$I AS l WHERE l.local_id = $1 AND l.sync_state <> 'synced'
			FOR NO KEY UPDATE SKIP LOCKED) AS l
		WHERE t.account_id = l.account_id AND t.local_id = l.local_id$sql$, p_kind)
		USING p_local_id, p_state;
	IF p_state = 'failed' THEN
		EXECUTE format('SELECT EXISTS (SELECT FROM zcsync.%I AS t WHERE t.local_id = $1 AND t.sync_state <> ''synced'')', p_kind)
			INTO v_differs USING p_local_id;
		IF NOT v_differs THEN
			PERFORM zcsync._close_letters_of('push', ARRAY[p_local_id]);
		END IF;
		IF p_kind = 'comments' THEN
			-- what the vendor says of a comment may quote it
			UPDATE zcsync.dead_letters d SET reply = NULL WHERE d.local_id = p_local_id AND d.operation = 'push' AND d.reply IS NOT NULL;
			PERFORM zcsync._release_posts(ARRAY[p_local_id]);
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._push_failed(text, bigint, text) IS
'sets sync_state of a row whose push did not reach the vendor: failed, held or pending';
