-- ---------------------------------------------------------------------
-- After a push: the row learns what the vendor made of it.
--
-- A vendor's hooks (vendor/contract.sql) are push_requests, which makes what to
-- send: "sent" has the values of the columns sent, and with "base", what was
-- agreed on of them before, a lost reply is no riddle, see _agree_sent(); push_effect,
-- which says what a reply means: {status, doc, agreed}, where agreed beside a
-- document holds the custom fields that it does not show; and rows, which makes
-- values of the document.
--
-- The vendor may have put what was sent into a form of its own, and somebody
-- may have changed other columns there meanwhile, or the row here.  So each
-- column is decided by itself: what still is as it was sent takes the vendor's
-- form of it; what was edited since stays, to be pushed again; a column that
-- was not sent is merged as a page would be.
--
-- Nothing here waits for a row that somebody holds: its job is 'locked', and
-- the same outcome is tried again later.
-- ---------------------------------------------------------------------

-- Record the outcomes of pushes that the vendor accepted.  The arrays run in
-- parallel, an element per job.  again means that the row still differs from
-- what the vendor has, or must be looked for further (status 'more') or
-- created anew ('absent').
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
			-- Somebody stored a page with the new record just now.
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
	v_taken record;
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

	SELECT w.* INTO v_work
	FROM zcsync._push_effects(p_account, p_kind, p_vendor, p_jobs, p_ids, p_requests, p_replies, v_locked) AS w;
	-- Look-ups that found nothing touch no row.
	IF v_work.statuses && '{more,absent,found}' THEN
		UPDATE zcsync.sync_queue q
		SET lookup_page = CASE e.status WHEN 'more' THEN coalesce(q.lookup_page, 0) + 1 END
		FROM unnest(v_work.jobs, v_work.statuses) AS e (job_id, status)
		WHERE q.job_id = e.job_id AND (e.status IN ('more', 'absent') OR q.lookup_page IS NOT NULL);
		RETURN QUERY SELECT e.* FROM unnest(v_work.jobs, array_fill(true, ARRAY[cardinality(v_work.jobs)]), v_work.statuses)
			AS e (job_id, again, status)
		WHERE e.status IN ('more', 'absent');
	END IF;

	v_taken := zcsync._release_remote_ids(p_account, p_kind, v_work.ids, v_work.remote_ids);
	IF cardinality(v_taken.waiting) > 0 THEN
		RETURN QUERY SELECT e.job_id, true, 'locked'::text FROM unnest(v_work.jobs, v_work.ids) AS e (job_id, local_id)
		WHERE e.local_id = ANY (v_taken.waiting);
	END IF;

	IF 'merged' = ANY (v_work.statuses) THEN
		PERFORM zcsync._agree_sent(p_account, p_kind, v_work.ids, v_work.vals);
	END IF;
	RETURN QUERY EXECUTE format('SELECT * FROM zcsync.%I($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
			'_merge_replies_' || p_kind)
		USING p_account, v_work.jobs, v_work.ids, v_work.statuses, v_work.sent, v_work.agreed, v_work.remote_ids,
			v_work.versions, v_work.vals, v_work.docs, v_taken.waiting, v_taken.known,
			zcsync._pushable(p_vendor, p_kind), format('push:%s:%s', p_vendor, pg_current_xact_id());
END
$$;
COMMENT ON FUNCTION zcsync._finish_pushes_of(bigint, text, text, bigint[], bigint[], jsonb[], jsonb[]) IS
'records the outcomes of accepted pushes of one account and kind';

-- What the replies to pushes of locked rows mean, and their documents as
-- values: arrays that run in parallel.
CREATE FUNCTION zcsync._push_effects(p_account bigint, p_kind text, p_vendor text, p_jobs bigint[], p_ids bigint[],
	p_requests jsonb[], p_replies jsonb[], p_locked bigint[],
	OUT jobs bigint[], OUT ids bigint[], OUT statuses text[], OUT sent jsonb[], OUT agreed jsonb[],
	OUT remote_ids text[], OUT versions text[], OUT vals jsonb[], OUT docs jsonb[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := zcsync._vendor_of(p_vendor);
BEGIN
	EXECUTE format($sql$
		WITH e AS MATERIALIZED (
			SELECT j.job_id, j.local_id, x.effect, coalesce(j.request -> 'sent', '{}') AS sent, x.effect -> 'doc' AS doc
			FROM unnest($1, $2, $3, $4) AS j (job_id, local_id, request, reply)
			JOIN zcsync.%1$I AS t ON t.account_id = $5 AND t.local_id = j.local_id
			CROSS JOIN LATERAL (	-- once a row
				SELECT %2$s(j.request, j.reply, t.base, t.sync_key::text) OFFSET 0) AS x (effect)
			WHERE j.local_id = ANY ($6)),
		r AS (
			SELECT r.remote_id, r.remote_version, r.vals, r.doc
			FROM %3$s($5, $7, '{}', (SELECT jsonb_build_object($7, jsonb_agg(e.doc)) FROM e WHERE e.doc IS NOT NULL)) AS r
			WHERE r.kind = $7)
		SELECT array_agg(e.job_id), array_agg(e.local_id), array_agg(e.effect ->> 'status'), array_agg(e.sent),
			array_agg(e.effect -> 'agreed'), array_agg(r.remote_id), array_agg(r.remote_version),
			array_agg(CASE WHEN NOT e.doc ?| '{custom_fields,customfields}' THEN r.vals - 'custom_fields'
				WHEN e.effect #> '{agreed,custom_fields}' IS NOT NULL THEN r.vals || jsonb_build_object('custom_fields',
					(e.effect #> '{agreed,custom_fields}') || coalesce(nullif(r.vals -> 'custom_fields', 'null'), '{}'))
				ELSE r.vals END), array_agg(e.doc)
		FROM e LEFT JOIN r ON r.remote_id = e.doc ->> 'id'$sql$,
		p_kind, v_vendor.push_effect::regproc, v_vendor.rows::regproc)
		INTO jobs, ids, statuses, sent, agreed, remote_ids, versions, vals, docs
		USING p_jobs, p_ids, p_requests, p_replies, p_account, p_locked, p_kind;
	jobs := coalesce(jobs, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._push_effects(bigint, text, text, bigint[], bigint[], jsonb[], jsonb[], bigint[]) IS
'what the replies to pushes mean, and their documents as values';

-- A page may have brought a record that we created before its create was
-- finished, as a row of its own.  Ours takes its place, with what that row
-- knows of the vendor if it is newer (known: local id -> {version, vals, doc}).
-- Rows whose double is locked must wait.
CREATE FUNCTION zcsync._release_remote_ids(p_account bigint, p_kind text, p_ids bigint[], p_remote_ids text[],
	OUT waiting bigint[], OUT known jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doubles bigint[];
	v_locked bigint[];
	v_gone bigint[];
	v_kept bigint[];
BEGIN
	waiting := '{}';
	known := '{}';
	IF cardinality(array_remove(p_remote_ids, NULL)) IS NOT DISTINCT FROM 0 THEN
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
			coalesce(jsonb_object_agg(w.local_id, jsonb_build_object('version', t.remote_version, 'vals', t.base,
				'doc', t.remote)) FILTER (WHERE t.local_id = ANY ($4)), '{}')
		FROM unnest($2, $3) AS w (local_id, remote_id)
		JOIN zcsync.%I AS t ON t.account_id = $1 AND t.remote_id = w.remote_id AND t.local_id <> w.local_id$sql$, p_kind)
		INTO waiting, known USING p_account, p_ids, p_remote_ids, v_locked;
	-- Others may know these rows already: ours take their places there, too.
	EXECUTE format($sql$
		SELECT array_agg(t.local_id), array_agg(w.local_id)
		FROM unnest($2, $3) AS w (local_id, remote_id)
		JOIN zcsync.%I AS t ON t.account_id = $1 AND t.remote_id = w.remote_id AND t.local_id <> w.local_id
		WHERE t.local_id = ANY ($4)$sql$, p_kind)
		INTO v_gone, v_kept USING p_account, p_ids, p_remote_ids, v_locked;
	PERFORM zcsync._tell_replaced(l.replaced, v_gone, v_kept) FROM zcsync._listeners() AS l;
	PERFORM zcsync._allow_delete();
	EXECUTE format('DELETE FROM zcsync.%I WHERE account_id = $1 AND local_id = ANY ($2)', p_kind)
		USING p_account, v_locked;
END
$$;
COMMENT ON FUNCTION zcsync._release_remote_ids(bigint, text, bigint[], text[]) IS
'removes rows that a page made of records just created here; ours take their place';

-- ---------------------------------------------------------------------
-- Merging a reply
-- ---------------------------------------------------------------------

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

-- The custom fields of a row after a push, key by key.  p_vals is what the
-- vendor has, p_sent what it was asked to have.  A value that was sent and is not in
-- the reply stays: it is sent again by itself.
CREATE FUNCTION zcsync._merge_reply_fields(p_row jsonb, p_base jsonb, p_sent jsonb, p_vals jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(m.key, m.value) FILTER (WHERE m.value IS NOT NULL), '{}')
	FROM (
		SELECT k.key, CASE
			WHEN p_sent ? k.key THEN
				CASE WHEN coalesce(p_row -> k.key, 'null') = p_sent -> k.key THEN coalesce(p_vals -> k.key, p_row -> k.key)
					ELSE p_row -> k.key END
			WHEN jsonb_typeof(p_base) = 'object' THEN
				CASE WHEN p_vals -> k.key IS NOT DISTINCT FROM p_base -> k.key THEN p_row -> k.key ELSE p_vals -> k.key END
			ELSE coalesce(p_row -> k.key, p_vals -> k.key)
		END AS value
		FROM (SELECT jsonb_object_keys(p_row) UNION SELECT jsonb_object_keys(p_vals)) AS k (key)) AS m;
END;
COMMENT ON FUNCTION zcsync._merge_reply_fields(jsonb, jsonb, jsonb, jsonb) IS
'custom fields of a row after a push, key by key';

-- The same for all values of a row.  A column whose value nobody agreed on before (a new
-- record) and that was not sent keeps the row's own value, if it has one.
CREATE FUNCTION zcsync._merge_reply(p_row jsonb, p_base jsonb, p_sent jsonb, p_vals jsonb, p_pushable text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(v.key, CASE
		WHEN p_row -> v.key = v.value THEN v.value
		WHEN v.key = 'custom_fields' THEN zcsync._merge_reply_fields(p_row -> v.key, p_base -> v.key, p_sent -> v.key, v.value)
		WHEN v.key <> ALL (p_pushable) THEN v.value
		WHEN p_sent ? v.key THEN CASE WHEN p_row -> v.key = p_sent -> v.key THEN v.value ELSE p_row -> v.key END
		WHEN p_base ? v.key THEN CASE WHEN v.value = p_base -> v.key THEN p_row -> v.key ELSE v.value END
		WHEN p_row -> v.key IN ('null', '[]') THEN v.value
		ELSE p_row -> v.key
	END), '{}')
	FROM jsonb_each(p_vals) AS v;
END;
COMMENT ON FUNCTION zcsync._merge_reply(jsonb, jsonb, jsonb, jsonb, text[]) IS
'values of a row after a push, column by column';

-- Columns that were edited here while a push was on its way, and that somebody
-- changed at the vendor, too: the vendor's value is taken, ours is history.
CREATE FUNCTION zcsync._lost_columns(p_row jsonb, p_base jsonb, p_sent jsonb, p_vals jsonb, p_merged jsonb,
	p_pushable text[], OUT mine jsonb, OUT theirs jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_object_agg(l.key, l.mine), jsonb_object_agg(l.key, l.theirs)
	FROM (
		SELECT v.key, p_row -> v.key, p_merged -> v.key
		FROM jsonb_each(p_vals) AS v
		WHERE v.key <> 'custom_fields' AND v.key = ANY (p_pushable) AND p_base ? v.key AND NOT p_sent ? v.key
			AND p_row -> v.key <> p_base -> v.key AND p_row -> v.key <> p_merged -> v.key
		UNION ALL
		SELECT 'custom_fields', k.mine, k.theirs
		FROM zcsync._lost_keys(p_base -> 'custom_fields', p_row -> 'custom_fields', p_vals -> 'custom_fields') AS k
		WHERE p_vals ? 'custom_fields' AND NOT p_sent ? 'custom_fields' AND k.mine IS NOT NULL) AS l (key, mine, theirs);
END;
COMMENT ON FUNCTION zcsync._lost_columns(jsonb, jsonb, jsonb, jsonb, jsonb, text[]) IS
'columns whose local value a reply replaced, with both values; NULL when there are none';

-- What of a vendor's values is our own: columns and custom fields that pushes
-- sent whose replies were lost.  p_pushes lists what each sent, and what was agreed
-- on then (base): if that is another value by now, the vendor was seen since, and
-- what it has is somebody else's.
CREATE FUNCTION zcsync._own_values(p_base jsonb, p_pushes jsonb, p_vals jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}')
	FROM (
		SELECT s.key, p_vals -> s.key
		FROM jsonb_array_elements(p_pushes) AS l (push)
		CROSS JOIN LATERAL jsonb_each(l.push -> 'sent') AS s
		WHERE s.key <> 'custom_fields' AND p_vals ? s.key
			AND coalesce(p_base -> s.key, 'null') = coalesce(l.push #> ARRAY['base', s.key], 'null')
			AND zcsync._same_value(p_vals -> s.key, s.value, true)
		UNION
		SELECT 'custom_fields', jsonb_strip_nulls(coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}')
			|| jsonb_object_agg(f.key, p_vals #> ARRAY['custom_fields', f.key]))
		FROM jsonb_array_elements(p_pushes) AS l (push)
		CROSS JOIN LATERAL jsonb_each(coalesce(nullif(l.push #> '{sent,custom_fields}', 'null'), '{}')) AS f
		WHERE p_vals ? 'custom_fields'
			AND coalesce(p_base #> ARRAY['custom_fields', f.key], 'null') = coalesce(l.push #> ARRAY['base', 'custom_fields', f.key], 'null')
			AND zcsync._same_value(p_vals #> ARRAY['custom_fields', f.key], f.value, true)
		HAVING count(*) > 0) AS c (key, value)
$$;
COMMENT ON FUNCTION zcsync._own_values(jsonb, jsonb, jsonb) IS
'the values of a vendor that are those of pushes whose replies were lost';

-- A push whose reply was lost may have been accepted.  Its values, seen at the
-- vendor, are then what both sides agreed on, and not what somebody there wrote:
-- or they would win over what was written here since.  The rows are locked.
-- Says whether there were any; the push that is under way for each of them goes on.
CREATE FUNCTION zcsync._agree_sent(p_account bigint, p_kind text, p_ids bigint[], p_vals jsonb[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
	v_agreed integer;
BEGIN
	-- nearly always nothing is, which the index tells at once
	IF NOT EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.sent IS NOT NULL) THEN
		RETURN false;
	END IF;
	EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t
		SET base = t.base || o.own, sync_state = 'pending'
		FROM (
			SELECT r.local_id, zcsync._own_values(r.base, jsonb_build_array(jsonb_build_object('sent', q.sent, 'base', q.sent_base)),
				w.vals) AS own
			FROM unnest($2, $3) AS w (local_id, vals)
			JOIN zcsync.sync_queue AS q ON q.local_id = w.local_id AND q.account_id = $1 AND q.kind = $4 AND q.sent IS NOT NULL
			JOIN zcsync.%1$I AS r ON r.account_id = $1 AND r.local_id = w.local_id AND r.base IS NOT NULL) AS o
		WHERE t.account_id = $1 AND t.local_id = o.local_id AND o.own <> '{}'$sql$, p_kind)
		USING p_account, p_ids, p_vals, p_kind;
	GET DIAGNOSTICS v_agreed = ROW_COUNT;
	RETURN v_agreed > 0;
END
$$;
COMMENT ON FUNCTION zcsync._agree_sent(bigint, text, bigint[], jsonb[]) IS
'takes into base what pushes whose replies were lost are seen to have written';

-- Merge the outcomes of pushes into the table of a kind, whose rows are locked.
-- A function for each kind: its columns are named, and its plan is kept, which
-- takes longer to make than to run for a dozen rows.
--
-- A reply without a document tells no version: the record's is at least the
-- next after the one known, so that a page read before is seen to be older.
DO $do$
DECLARE
	v_kind text;
	v_columns text;		-- a, b, c
	v_names text;		-- a, b, c: those that somebody can change here
	v_own text;			-- t.a, t.b, t.c, likewise
	v_values text;		-- n.a, n.b, n.c
	v_row text;			-- 'a', t.a, 'b', t.b, 'c', t.c
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		SELECT string_agg(quote_ident(c), ', '), string_agg(format('n.%I', c), ', '), string_agg(format('%L, t.%1$I', c), ', '),
			string_agg(c, ',') FILTER (WHERE c NOT IN ('created_at', 'updated_at')),
			string_agg(format('t.%I', c), ', ') FILTER (WHERE c NOT IN ('created_at', 'updated_at'))
		INTO STRICT v_columns, v_values, v_row, v_names, v_own
		FROM unnest(zcsync._own_columns(v_kind)) AS c;
		EXECUTE format($create$
CREATE FUNCTION zcsync.%1$I(p_account bigint, p_jobs bigint[], p_ids bigint[], p_statuses text[], p_sent jsonb[], p_agreed jsonb[],
	p_remote_ids text[], p_versions text[], p_vals jsonb[], p_docs jsonb[], p_waiting bigint[], p_known jsonb, p_pushable text[],
	p_origin text)
RETURNS TABLE (job_id bigint, again boolean, status text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $body$
#variable_conflict use_column
DECLARE
	v_columns text[] := %7$L;
BEGIN
	RETURN QUERY
	WITH w AS MATERIALIZED (
		SELECT u.job_id, t.local_id, u.status, u.sent, u.remote_id, d.version, d.doc, t.base, d.vals,
			CASE WHEN d.vals IS NOT NULL THEN jsonb_build_object(%5$s) END AS row,
			b.new_base,
			-- a reply without a document changes no column of the row
			CASE WHEN d.vals IS NULL THEN zcsync._differing(b.new_base, v_columns, ROW(%6$s)) END AS rest
		FROM unnest(p_jobs, p_ids, p_statuses, p_sent, p_agreed, p_remote_ids, p_versions, p_vals, p_docs)
			AS u (job_id, local_id, status, sent, agreed, remote_id, version, vals, doc)
		JOIN zcsync.%2$I AS t ON t.account_id = p_account AND t.local_id = u.local_id
		CROSS JOIN LATERAL (
			SELECT x.version, nullif(x.vals, 'null'), nullif(x.doc, 'null')
			FROM (SELECT p_known -> u.local_id::text) AS f (double)
			CROSS JOIN LATERAL (
				SELECT f.double ->> 'version', f.double -> 'vals', f.double -> 'doc'
				WHERE zcsync._is_older(u.version, f.double ->> 'version')
				UNION ALL SELECT u.version, u.vals, u.doc
				LIMIT 1) AS x (version, vals, doc)) AS d (version, vals, doc)
		CROSS JOIN LATERAL (SELECT coalesce(t.base, '{}') || coalesce(d.vals, u.agreed, '{}') OFFSET 0) AS b (new_base)
		WHERE u.local_id <> ALL (p_waiting) AND u.status NOT IN ('more', 'absent')),
	-- Nothing edited meanwhile, as nearly always: the vendor's values are it.
	x AS MATERIALIZED (
		SELECT w.*, w.base IS NOT NULL AND w.row <> w.base || w.sent AS edited,
			CASE WHEN w.row = w.base || w.sent AND NOT w.sent ? 'custom_fields' THEN w.row || w.vals
				ELSE w.row || zcsync._merge_reply(w.row, w.base, w.sent, w.vals, p_pushable)
			END AS merged
		FROM w WHERE w.rest IS NULL),
	m AS MATERIALIZED (
		SELECT x.*, EXISTS (SELECT FROM unnest(p_pushable) AS c
			WHERE x.merged -> c IS DISTINCT FROM
				coalesce(x.new_base -> c, CASE c WHEN 'custom_fields' THEN '{}' ELSE 'null' END::jsonb)) AS differs
		FROM x),
	lost AS (
		INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, origin, role, created_at)
		SELECT p_account, %2$L, m.local_id, 'lost', l.mine, l.theirs, p_origin, session_user, zcsync._now()
		FROM m CROSS JOIN LATERAL zcsync._lost_columns(m.row, m.base, m.sent, m.vals, m.merged, p_pushable) AS l
		WHERE m.edited AND l.mine IS NOT NULL),
	stored AS (
		UPDATE zcsync.%2$I AS t
		SET (%3$s, remote_id, base, remote, remote_version, sync_state, sync_origin, synced_at) =
			(SELECT %4$s, coalesce(m.remote_id, t.remote_id), m.new_base, coalesce(m.doc, t.remote),
				coalesce(m.version, t.remote_version),
				CASE WHEN t.sync_state = 'conflict' THEN 'conflict' WHEN m.differs THEN 'pending' ELSE 'synced' END, p_origin, zcsync._now()
			FROM jsonb_populate_record(NULL::zcsync.%2$I, m.merged) AS n)
		FROM m
		WHERE t.account_id = p_account AND t.local_id = m.local_id),
	agreed AS (
		UPDATE zcsync.%2$I AS t
		SET base = w.new_base,
			remote_version = CASE WHEN length(t.remote_version) BETWEEN 1 AND 17 AND btrim(t.remote_version, '0123456789') = ''
				THEN (t.remote_version::bigint + 1)::text ELSE t.remote_version END,
			sync_state = CASE WHEN t.sync_state = 'conflict' THEN 'conflict' WHEN w.rest ?| p_pushable THEN 'pending' ELSE 'synced' END, sync_origin = p_origin,
			synced_at = zcsync._now()
		FROM w
		WHERE w.rest IS NOT NULL AND t.account_id = p_account AND t.local_id = w.local_id)
	SELECT m.job_id, m.differs, m.status FROM m
	UNION ALL
	SELECT w.job_id, w.rest ?| p_pushable, w.status FROM w WHERE w.rest IS NOT NULL;
END
$body$$create$,
			'_merge_replies_' || v_kind, v_kind, v_columns, v_values, v_row, v_own, format('{%s}', v_names));
		EXECUTE format('COMMENT ON FUNCTION zcsync.%I(bigint, bigint[], bigint[], text[], jsonb[], jsonb[], text[], text[], jsonb[], '
			'jsonb[], bigint[], jsonb, text[], text) IS %L', '_merge_replies_' || v_kind,
			'merges the outcomes of pushes into table ' || v_kind);
	END LOOP;
END
$do$;

-- ---------------------------------------------------------------------

-- The push of a row has changed its state without reaching the vendor: it is
-- held, failed for good, or is tried again.  A row that somebody holds is left
-- alone: he is writing it, and that queues a push anew.
CREATE FUNCTION zcsync._push_failed(p_kind text, p_local_id bigint, p_state text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_kind IS NULL OR p_kind <> ALL (zcsync._kinds()) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('kind "%s" has no mirror table', p_kind);
	END IF;
	EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t SET sync_state = $2, sync_origin = 'push:state:' || pg_current_xact_id()
		FROM (SELECT l.account_id, l.local_id FROM zcsync.%1$I AS l WHERE l.local_id = $1 AND l.sync_state <> 'synced'
			FOR NO KEY UPDATE SKIP LOCKED) AS l
		WHERE t.account_id = l.account_id AND t.local_id = l.local_id$sql$, p_kind)
		USING p_local_id, p_state;
END
$$;
COMMENT ON FUNCTION zcsync._push_failed(text, bigint, text) IS
'sets sync_state of a row whose push did not reach the vendor: failed, held or pending';
