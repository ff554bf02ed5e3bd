-- ---------------------------------------------------------------------
-- The values of leads: merging one lead into another, and the values that all rows of a
-- lead make together.
-- ---------------------------------------------------------------------

-- Merge one lead into another; both exist and are locked.  The rows, identities, pairs
-- and links of the first move to the one that is kept.  undo records what they were,
-- and the pairs that the kept lead was in before (paired).  Returns the links of the
-- merged lead with streams in which the kept lead has a counterpart, too: these are
-- ended, and their targets are not changed.
CREATE FUNCTION zcsync._absorb_lead(p_account bigint, p_keep bigint, p_other bigint, p_edge jsonb, p_origin zcsync.origin)
RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	v_ended bigint[];
BEGIN
	v_ended := ARRAY(
		SELECT o.link_id FROM zcsync.links o
		JOIN zcsync.links k ON k.source_id = p_keep AND k.target_account = o.target_account AND k.target_kind = o.target_kind
		WHERE o.source_id = p_other AND k.state <> 'unlinked');
	INSERT INTO zcsync.lead_merges (account_id, kept_id, merged_id, row_ids, score, parts, reason, role, merged_at, undo)
	SELECT p_account, p_keep, p_other,
		ARRAY(SELECT r.row_id FROM zcsync.lead_rows r WHERE r.local_id = p_other ORDER BY 1),
		(p_edge ->> 'score')::numeric, coalesce(p_edge -> 'parts', '{}'), p_edge ->> 'via', session_user, zcsync._now(),
		jsonb_build_object(
			'identities', (SELECT coalesce(jsonb_agg(jsonb_build_array(i.kind, i.value)), '[]')
				FROM zcsync.lead_identities i WHERE i.local_id = p_other),
			'links', (SELECT coalesce(jsonb_agg(jsonb_build_object('link_id', l.link_id, 'state', l.state)), '[]')
				FROM zcsync.links l WHERE l.source_id = p_other),
			'pairs', (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]')
				FROM zcsync._lead_duplicates_of(p_other) AS d),
			'paired', (SELECT coalesce(jsonb_agg(CASE d.lead_a WHEN p_keep THEN d.lead_b ELSE d.lead_a END), '[]')
				FROM zcsync._lead_duplicates_of(p_keep) AS d));

	UPDATE zcsync.lead_rows r SET local_id = p_keep,
		via = CASE p_edge ->> 'via' WHEN 'by hand' THEN 'by hand' ELSE r.via END
	WHERE r.local_id = p_other;
	UPDATE zcsync.lead_identities i SET local_id = p_keep WHERE i.local_id = p_other;
	UPDATE zcsync.links l SET state = 'unlinked', changed_at = zcsync._now()
	WHERE l.link_id = ANY (v_ended) AND l.state <> 'unlinked';
	UPDATE zcsync.links l SET source_id = p_keep, changed_at = zcsync._now()
	WHERE l.source_id = p_other AND l.link_id <> ALL (v_ended)
		AND NOT EXISTS (SELECT FROM zcsync.links k WHERE k.source_id = p_keep AND k.target_id = l.target_id);

	UPDATE zcsync.lead_duplicates d SET state = 'merged', decided_at = zcsync._now(), decided_by = session_user
	WHERE ROW(d.lead_a, d.lead_b) BETWEEN ROW(least(p_keep, p_other), greatest(p_keep, p_other))
		AND ROW(least(p_keep, p_other), greatest(p_keep, p_other));
	INSERT INTO zcsync.lead_duplicates (account_id, lead_a, lead_b, score, parts, reason, state, found_at, decided_at, decided_by)
	SELECT p_account, least(p_keep, x.lead), greatest(p_keep, x.lead), d.score, d.parts, d.reason, d.state, d.found_at, d.decided_at, d.decided_by
	FROM zcsync._lead_duplicates_of(p_other) AS d
	CROSS JOIN LATERAL (SELECT CASE d.lead_a WHEN p_other THEN d.lead_b ELSE d.lead_a END) AS x (lead)
	WHERE x.lead <> p_keep AND d.state <> 'merged'
	ON CONFLICT (account_id, lead_a, lead_b) DO UPDATE SET state = excluded.state WHERE excluded.state = 'apart';
	DELETE FROM zcsync.lead_duplicates d WHERE d.lead_a = p_other AND d.lead_b <> p_keep AND d.state <> 'merged';
	DELETE FROM zcsync.lead_duplicates d WHERE d.lead_b = p_other AND d.lead_a <> p_keep AND d.state <> 'merged';

	UPDATE zcsync.leads l SET merged_into = p_keep, deleted_at = zcsync._now(),
		sync_cause = p_origin.cause, sync_cause_id = p_origin.id, sync_xid = p_origin.xid
	WHERE ROW(l.account_id, l.local_id) BETWEEN ROW(p_account, p_other) AND ROW(p_account, p_other);
	RETURN QUERY SELECT unnest(v_ended);
END
$$;
COMMENT ON FUNCTION zcsync._absorb_lead(bigint, bigint, bigint, jsonb, zcsync.origin) IS
'merges a lead into another: rows, identities, links and pairs; returns the links that had to be ended';

-- The pairs in which a lead is one of the two.
CREATE FUNCTION zcsync._lead_duplicates_of(p_lead bigint)
RETURNS TABLE (account_id bigint, lead_a bigint, lead_b bigint, score numeric, parts jsonb, reason text, state text,
	found_at timestamptz, decided_at timestamptz, decided_by text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
	SELECT d.account_id, d.lead_a, d.lead_b, d.score, d.parts, d.reason, d.state, d.found_at, d.decided_at, d.decided_by
	FROM (
		(SELECT * FROM zcsync.lead_duplicates a WHERE a.lead_a = p_lead OFFSET 0)
		UNION ALL
		(SELECT * FROM zcsync.lead_duplicates b WHERE b.lead_b = p_lead OFFSET 0)) AS d
$$;
COMMENT ON FUNCTION zcsync._lead_duplicates_of(bigint) IS
'the rows of lead_duplicates that a lead is one of';

-- The values that all rows of leads make together.  Each column has the value of the
-- source that comes first in its group of fields; of equal sources the newest.  "Do not
-- call" always wins, and an e-mail address that reaches somebody wins over one that
-- does not.  NULL is a value only if somebody emptied a column by hand.
CREATE FUNCTION zcsync._lead_values(p_leads bigint[])
RETURNS TABLE (local_id bigint, vals jsonb, provenance jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT b.local_id,
		coalesce(jsonb_object_agg(b.key, b.value) FILTER (WHERE b.key NOT LIKE 'custom:%'), '{}')
			|| jsonb_build_object('custom_fields',
				coalesce(jsonb_object_agg(substr(b.key, 8), b.value) FILTER (WHERE b.key LIKE 'custom:%' AND b.value <> 'null'), '{}')),
		jsonb_object_agg(b.key, jsonb_build_object('source', b.source, 'at', b.at, 'row', b.row_id))
	FROM (
		SELECT DISTINCT ON (r.local_id, c.key) r.local_id, c.key, c.value, r.source, r.at, r.row_id
		FROM unnest(p_leads) AS u (id)
		CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_rows x WHERE x.local_id = u.id OFFSET 0) AS r
		LEFT JOIN zcsync.lead_sources s ON s.name = r.source
		CROSS JOIN LATERAL jsonb_each(r.vals) AS c (key, value)
		WHERE (c.key = ANY (zcsync._own_columns('leads')) OR c.key LIKE 'custom:%')
			AND c.key NOT IN ('updated_at', 'source', 'custom_fields')
		ORDER BY r.local_id, c.key, (c.key = 'do_not_call' AND c.value = 'true') DESC,
			c.key IN ('email', 'email_status') AND r.email IS NULL,
			CASE c.key WHEN 'created_at' THEN (c.value #>> '{}')::timestamptz END,
			coalesce((s.groups ->> zcsync._lead_field_group(c.key))::numeric, s.precedence, 1000000),
			r.at DESC, r.row_id DESC) AS b
	GROUP BY b.local_id
$$;
COMMENT ON FUNCTION zcsync._lead_values(bigint[]) IS
'values of leads by precedence of the sources of their rows, and where each comes from';

CREATE FUNCTION zcsync._lead_field_group(p_column text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_column IN ('first_name', 'last_name', 'title', 'linkedin_url') THEN 'person'
		WHEN p_column IN ('email', 'email_status') THEN 'email'
		WHEN p_column IN ('phone', 'mobile', 'do_not_call') THEN 'phone'
		WHEN p_column IN ('company', 'website', 'industry', 'employees', 'revenue') THEN 'company'
		WHEN p_column IN ('street', 'city', 'region', 'postal_code', 'country') THEN 'address'
		WHEN p_column LIKE 'custom:%' THEN 'custom'
		ELSE 'other' END;
END;
COMMENT ON FUNCTION zcsync._lead_field_group(text) IS
'the group of fields of a column of leads that lead_sources.groups gives a precedence to';

-- What changes in a lead when it gets these values: columns whose value comes from
-- another row than before, and those for which no row has a value any more.  A value
-- that a route wrote is in no row; it stays until a row has a newer one.
CREATE FUNCTION zcsync._lead_patch(p_doc jsonb, p_vals jsonb, p_provenance jsonb, OUT patch jsonb, OUT provenance jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_old jsonb := p_doc -> 'provenance';
	v_custom jsonb := p_doc -> 'custom_fields';
	v_key text;
BEGIN
	provenance := p_provenance || coalesce((
		SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(v_old) AS e
		WHERE NOT e.value ? 'row' AND e.value ->> 'source' <> 'manual'
			AND ((p_provenance #>> ARRAY[e.key, 'at'])::timestamptz > (e.value ->> 'at')::timestamptz) IS NOT TRUE), '{}');
	patch := jsonb_build_object('source', coalesce(zcsync._lead_source(p_provenance), p_doc ->> 'source'));
	FOR v_key IN
		SELECT k.key FROM (SELECT jsonb_object_keys(v_old) UNION SELECT jsonb_object_keys(provenance)) AS k (key)
		WHERE provenance -> k.key IS DISTINCT FROM v_old -> k.key
	LOOP
		IF v_key LIKE 'custom:%' THEN
			v_custom := (v_custom - substr(v_key, 8)) || coalesce((SELECT jsonb_build_object(substr(v_key, 8), p_vals -> 'custom_fields' -> substr(v_key, 8))
				WHERE p_vals -> 'custom_fields' ? substr(v_key, 8)), '{}');
		ELSIF p_vals ? v_key OR v_key NOT IN ('created_at', 'status_id') THEN
			patch := patch || jsonb_build_object(v_key, coalesce(p_vals -> v_key, 'null'));
		END IF;
	END LOOP;
	patch := patch || jsonb_build_object('custom_fields', v_custom);
END
$$;
COMMENT ON FUNCTION zcsync._lead_patch(jsonb, jsonb, jsonb) IS
'what changes in a lead whose rows have these values, and where its values come from then';

-- Write leads by the values of their rows: new ones are inserted; in others the columns
-- are written whose value comes from another row than before.  If nothing changes,
-- nothing is written.  Returns how many leads were written.  p_fresh: see
-- _existing_leads().
CREATE FUNCTION zcsync._write_leads(p_account bigint, p_leads bigint[], p_origin zcsync.origin, p_fresh bigint[] DEFAULT '{}') RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET timezone = 'UTC'
SET jit = off
AS $$
DECLARE
	v_columns text[] := zcsync._own_columns('leads') || '{fit,engagement,quality,stage,provenance}'::text[];
	v_now timestamptz := zcsync._now();
	v_existing bigint[] := zcsync._existing_leads(p_account, p_leads, p_fresh);
	v_ids bigint[];
	v_at timestamptz[];
	v_docs jsonb[];
	v_new integer;
	v_changed integer;
BEGIN
	SELECT array_agg(v.local_id), array_agg(jsonb_build_object('status_id', 1, 'created_at', v_now) || v.vals
		|| jsonb_build_object('updated_at', v_now, 'source', zcsync._lead_source(v.provenance), 'provenance', v.provenance))
	INTO v_ids, v_docs
	FROM zcsync._lead_values(ARRAY(SELECT unnest(p_leads) EXCEPT SELECT unnest(v_existing))) AS v;
	EXECUTE format('INSERT INTO zcsync.leads (account_id, local_id, sync_state, sync_cause, sync_cause_id, sync_xid, inserted_at, %1$s) '
		'SELECT $1, u.local_id, ''synced'', ($2).cause, ($2).id, ($2).xid, $5, %2$s FROM unnest($3, $4, $6) AS u (local_id, doc, scores) '
		'CROSS JOIN LATERAL jsonb_populate_record(NULL::zcsync.leads, u.doc || u.scores) AS i ORDER BY u.local_id',
		(SELECT string_agg(quote_ident(c), ', ') FROM unnest(v_columns) AS c),
		(SELECT string_agg(format('i.%I', c), ', ') FROM unnest(v_columns) AS c))
		USING p_account, p_origin, v_ids, v_docs, v_now, zcsync._score_leads(v_docs);
	GET DIAGNOSTICS v_new = ROW_COUNT;
	IF v_existing = '{}' THEN
		RETURN v_new;
	END IF;

	SELECT array_agg(l.local_id), array_agg(l.inserted_at), array_agg(d.doc || p.patch || jsonb_build_object('provenance', p.provenance)
		|| CASE WHEN d.doc || p.patch = d.doc THEN '{}' ELSE jsonb_build_object('updated_at', v_now) END)
	INTO v_ids, v_at, v_docs
	FROM zcsync._lead_values(v_existing) AS v
	CROSS JOIN LATERAL (
		SELECT * FROM zcsync.leads t
		WHERE ROW(t.account_id, t.local_id) BETWEEN ROW(p_account, v.local_id) AND ROW(p_account, v.local_id) OFFSET 0) AS l
	CROSS JOIN LATERAL (SELECT to_jsonb(l)) AS d (doc)
	CROSS JOIN LATERAL zcsync._lead_patch(d.doc, v.vals, v.provenance) AS p
	WHERE l.provenance <> p.provenance;
	IF v_ids IS NULL THEN
		RETURN v_new;
	END IF;
	v_changed := zcsync._update_leads(p_account, v_ids, v_at, v_docs, v_columns, p_origin);

	-- A lead keeps the e-mail addresses of all its rows, whichever of them it shows.
	INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id)
	SELECT DISTINCT p_account, 'email', r.email, r.local_id
	FROM unnest(v_ids) AS u (id)
	CROSS JOIN LATERAL (SELECT x.email, x.local_id FROM zcsync.lead_rows x WHERE x.local_id = u.id OFFSET 0) AS r
	WHERE r.email IS NOT NULL
	ORDER BY r.email
	ON CONFLICT (account_id, kind, value) DO NOTHING;
	RETURN v_new + v_changed;
END
$$;
COMMENT ON FUNCTION zcsync._write_leads(bigint, bigint[], zcsync.origin, bigint[]) IS
'inserts or updates leads by the values of their rows; returns how many it wrote';

-- Give leads, named by their numbers and months, the values that their documents have
-- for these columns, and their scores.
CREATE FUNCTION zcsync._update_leads(p_account bigint, p_leads bigint[], p_inserted_at timestamptz[], p_docs jsonb[], p_columns text[],
	p_origin zcsync.origin) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET timezone = 'UTC'
SET jit = off
AS $$
DECLARE
	v_count integer;
BEGIN
	EXECUTE format('UPDATE zcsync.leads AS t SET sync_cause = ($1).cause, sync_cause_id = ($1).id, sync_xid = ($1).xid, %1$s '
		'FROM unnest($2, $3, $4, $5) AS u (local_id, at, doc, scores) '
		'CROSS JOIN LATERAL jsonb_populate_record(NULL::zcsync.leads, u.doc || u.scores) AS i '
		'WHERE ROW(t.account_id, t.local_id) BETWEEN ROW($6, u.local_id) AND ROW($6, u.local_id) AND t.inserted_at = u.at',
		(SELECT string_agg(format('%1$I = i.%1$I', c), ', ') FROM unnest(p_columns) AS c))
		USING p_origin, p_leads, p_inserted_at, p_docs, zcsync._score_leads(p_docs), p_account;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._update_leads(bigint, bigint[], timestamptz[], jsonb[], text[], zcsync.origin) IS
'gives leads the values of their documents, and their scores; returns how many it wrote';

-- The source of a lead is the one whose values have the best precedence; of equal ones
-- the first by name.
CREATE FUNCTION zcsync._lead_source(p_provenance jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT n.source
	FROM (SELECT DISTINCT e.value ->> 'source' FROM jsonb_each(p_provenance) AS e) AS n (source)
	LEFT JOIN zcsync.lead_sources s ON s.name = n.source
	ORDER BY n.source = 'manual', s.precedence, n.source
	LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._lead_source(jsonb) IS
'the source of a lead: of those that its values come from, the one with the best precedence';
