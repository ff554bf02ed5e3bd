-- ---------------------------------------------------------------------
-- What people decide about leads, and why a lead is as it is.
--
-- A lead is named by its reference, crm/leads/#12.
-- ---------------------------------------------------------------------

-- The leads that these references name, locked.  They must be different leads of one
-- local account, and not merged into others.
CREATE FUNCTION zcsync._lock_leads(p_references text[], OUT account_id bigint, OUT ids bigint[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_lead record;
BEGIN
	SELECT array_agg(r.local_id ORDER BY u.n), min(r.account_id) INTO ids, account_id
	FROM unnest(p_references) WITH ORDINALITY AS u (reference, n) CROSS JOIN LATERAL zcsync.record(u.reference) AS r;
	-- locked first, since others may merge them meanwhile
	PERFORM FROM zcsync.leads l WHERE l.local_id = ANY (ids) ORDER BY l.local_id FOR NO KEY UPDATE;
	FOR v_lead IN
		SELECT u.reference, r.kind, l.merged_into, a.vendor, r.account_id <> _lock_leads.account_id AS elsewhere
		FROM unnest(p_references) AS u (reference)
		CROSS JOIN LATERAL zcsync.record(u.reference) AS r
		JOIN zcsync.accounts a ON a.account_id = r.account_id
		LEFT JOIN zcsync.leads l ON l.local_id = r.local_id
	LOOP
		IF v_lead.kind <> 'leads' OR v_lead.vendor <> 'local' THEN
			RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
				MESSAGE = format('"%s" is no lead of a local account', left(v_lead.reference, 100)),
				HINT = 'It looks like crm/leads/#12.';
		ELSIF v_lead.merged_into IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('lead "%s" was merged into "%s"', v_lead.reference, zcsync.reference('leads', v_lead.merged_into)),
				HINT = format('SELECT * FROM zcsync.split_lead(%L);', zcsync.reference('leads', v_lead.merged_into));
		ELSIF v_lead.elsewhere THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = 'the leads are of different accounts',
				HINT = 'Name leads of one account: a lead belongs to its account, and is merged within it.';
		END IF;
	END LOOP;
	IF cardinality(ids) > 1 AND ids[1] = ids[2] THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'that is one lead, not two',
			HINT = 'Name two leads; SELECT * FROM zcsync.lead_duplicates; has pairs that may be one.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._lock_leads(text[]) IS
'account and numbers of leads by their references, locked; an error unless they can be merged and split';

CREATE FUNCTION zcsync._check_reference(p_name text, p_reference text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_reference IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = format('argument "%s" must not be null', p_name),
			HINT = 'A lead is named by its reference, as in crm/leads/#12.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_reference(text, text) IS
'raises an error if a reference is NULL';

CREATE FUNCTION zcsync.merge_leads(keep text, other text) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_leads record;
	v_origin zcsync.origin;
	v_ended bigint[];
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_reference('keep', merge_leads.keep), zcsync._check_reference('other', merge_leads.other);
	v_leads := zcsync._lock_leads(ARRAY[merge_leads.keep, merge_leads.other]);
	v_origin := zcsync._fresh_origin('merge');
	v_ended := ARRAY(SELECT e FROM zcsync._absorb_lead(v_leads.account_id, v_leads.ids[1], v_leads.ids[2], '{"via": "by hand"}', v_origin) AS e);
	PERFORM zcsync._write_leads(v_leads.account_id, v_leads.ids[1:1], v_origin);
	PERFORM zcsync._alert('record_left_over', zcsync._link_target(l.link_id), 'warning',
		format('%s has no lead any more: %s was merged into %s, which %s linked to %s', zcsync._link_target(l.link_id),
			zcsync.reference('leads', v_leads.ids[2]), zcsync.reference('leads', v_leads.ids[1]),
			coalesce(format('route "%s"', r.name), 'a route that was removed'), zcsync._link_target(k.link_id)),
		format('Close it at its vendor; to undo the merge: SELECT * FROM zcsync.split_lead(%L);', zcsync.reference('leads', v_leads.ids[1])))
	FROM zcsync.lead_merges m
	CROSS JOIN LATERAL jsonb_to_recordset(m.undo -> 'links') AS u (link_id bigint, state text)
	JOIN zcsync.links l ON l.link_id = u.link_id
	LEFT JOIN zcsync.routes r ON r.route_id = l.route_id
	JOIN zcsync.links k ON k.source_id = v_leads.ids[1] AND k.target_account = l.target_account AND k.target_kind = l.target_kind
		AND k.state <> 'unlinked'
	WHERE m.merge_id = (SELECT max(x.merge_id) FROM zcsync.lead_merges x WHERE x.kept_id = v_leads.ids[1])
		AND l.link_id = ANY (v_ended) AND u.state <> 'unlinked'
	ORDER BY l.link_id;

	RETURN QUERY VALUES ('kept', zcsync.reference('leads', v_leads.ids[1])),
		('merged', zcsync.reference('leads', v_leads.ids[2]));
	RETURN QUERY
	SELECT CASE WHEN l.link_id = ANY (v_ended) THEN 'unlinked' ELSE 'linked' END,
		CASE WHEN l.link_id = ANY (v_ended)
			THEN format('%s stays as it is, without a lead: %s has %s for the lead that was kept. Close it there by hand.',
				zcsync._link_target(l.link_id), coalesce(format('route "%s"', r.name), 'a route that was removed'), zcsync._link_target(k.link_id))
			ELSE format('%s is now that of the lead that was kept%s', zcsync._link_target(l.link_id), coalesce(format(', by route "%s"', r.name), '')) END
	FROM zcsync.lead_merges m
	CROSS JOIN LATERAL jsonb_to_recordset(m.undo -> 'links') AS u (link_id bigint, state text)
	JOIN zcsync.links l ON l.link_id = u.link_id
	LEFT JOIN zcsync.routes r ON r.route_id = l.route_id
	LEFT JOIN zcsync.links k ON k.source_id = v_leads.ids[1] AND k.target_account = l.target_account AND k.target_kind = l.target_kind
		AND k.state <> 'unlinked' AND k.link_id <> l.link_id
	WHERE m.merge_id = (SELECT max(x.merge_id) FROM zcsync.lead_merges x WHERE x.kept_id = v_leads.ids[1]) AND u.state <> 'unlinked'
	ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION zcsync.merge_leads(text, text) IS
'makes the other lead part of the one to keep: values by precedence, identities, links; says what became of records it was routed to';

CREATE FUNCTION zcsync._link_target(p_link bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(zcsync.reference(l.target_kind, l.target_id), l.target_kind || '/#' || l.target_id)
	FROM zcsync.links l
	WHERE l.link_id = p_link
$$;
COMMENT ON FUNCTION zcsync._link_target(bigint) IS
'reference of the record that a link leads to';

CREATE FUNCTION zcsync.keep_apart(a text, b text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_leads record;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_reference('a', keep_apart.a), zcsync._check_reference('b', keep_apart.b);
	v_leads := zcsync._lock_leads(ARRAY[keep_apart.a, keep_apart.b]);
	PERFORM zcsync._set_apart(v_leads.account_id, v_leads.ids[1], v_leads.ids[2], 'kept apart by hand');
END
$$;
COMMENT ON FUNCTION zcsync.keep_apart(text, text) IS
'records that two leads are different: zcsync never flags or merges them again';

CREATE FUNCTION zcsync._set_apart(p_account bigint, p_a bigint, p_b bigint, p_reason text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.lead_duplicates AS d (account_id, lead_a, lead_b, reason, state, found_at, decided_at, decided_by)
	VALUES (p_account, least(p_a, p_b), greatest(p_a, p_b), p_reason, 'apart', zcsync._now(), zcsync._now(), session_user)
	ON CONFLICT (account_id, lead_a, lead_b) DO UPDATE
		SET state = 'apart', decided_at = excluded.decided_at, decided_by = excluded.decided_by
		WHERE d.state <> 'apart'
$$;
COMMENT ON FUNCTION zcsync._set_apart(bigint, bigint, bigint, text) IS
'records that two leads are different';

-- Undo the last merge into a lead.  The rows of the other lead go back to it; if it
-- never was a lead of its own, it becomes one.
CREATE FUNCTION zcsync.split_lead(lead text) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_lead record;
	v_merge zcsync.lead_merges;
	v_other bigint;
	v_origin zcsync.origin;
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._check_reference('lead', split_lead.lead);
	v_lead := zcsync._lock_leads(ARRAY[split_lead.lead]);
	SELECT * INTO v_merge FROM zcsync.lead_merges m
	WHERE m.kept_id = v_lead.ids[1] AND m.undone_at IS NULL
	ORDER BY m.merge_id DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('nothing was merged into lead "%s"', split_lead.lead),
			DETAIL = 'Rows with the same e-mail, or the same id at their source, are one lead and cannot be split.';
	END IF;
	v_origin := zcsync._fresh_origin('split');
	v_other := coalesce(v_merge.merged_id, nextval('zcsync.local_id_seq'));

	UPDATE zcsync.lead_merges m SET undone_at = zcsync._now() WHERE m.merge_id = v_merge.merge_id;
	UPDATE zcsync.lead_rows r SET local_id = v_other, via = CASE WHEN v_merge.merged_id IS NULL THEN 'new' ELSE r.via END
	WHERE r.row_id = ANY (v_merge.row_ids) AND r.local_id = v_lead.ids[1];
	UPDATE zcsync.lead_identities i SET local_id = v_other
	WHERE i.account_id = v_lead.account_id AND i.local_id = v_lead.ids[1] AND ((i.kind, i.value) IN (
			SELECT e ->> 0, e ->> 1 FROM jsonb_array_elements(v_merge.undo -> 'identities') AS e)
		OR (i.kind, i.value) IN (SELECT r.source, r.source_id FROM zcsync.lead_rows r WHERE r.local_id = v_other));
	UPDATE zcsync.links l SET source_id = v_other, state = u.state, changed_at = zcsync._now()
	FROM jsonb_to_recordset(v_merge.undo -> 'links') AS u (link_id bigint, state text)
	WHERE l.link_id = u.link_id;
	PERFORM zcsync._resolve_alert('record_left_over', zcsync._link_target(u.link_id))
	FROM jsonb_to_recordset(v_merge.undo -> 'links') AS u (link_id bigint);
	-- pairs that came with the other lead, and about which nobody has decided since
	DELETE FROM zcsync.lead_duplicates d
	USING jsonb_to_recordset(v_merge.undo -> 'pairs') AS u (lead_a bigint, lead_b bigint)
	CROSS JOIN LATERAL (SELECT CASE u.lead_a WHEN v_other THEN u.lead_b ELSE u.lead_a END) AS x (lead)
	WHERE d.account_id = v_lead.account_id AND d.lead_a = least(v_lead.ids[1], x.lead) AND d.lead_b = greatest(v_lead.ids[1], x.lead)
		AND NOT v_merge.undo -> 'paired' @> to_jsonb(x.lead) AND (d.decided_at > v_merge.merged_at) IS NOT TRUE;
	INSERT INTO zcsync.lead_duplicates
	SELECT d.* FROM jsonb_populate_recordset(NULL::zcsync.lead_duplicates, v_merge.undo -> 'pairs') AS d
	ON CONFLICT (account_id, lead_a, lead_b) DO NOTHING;
	PERFORM zcsync._set_apart(v_lead.account_id, v_lead.ids[1], v_other, 'split by hand');

	UPDATE zcsync.leads l SET merged_into = NULL, deleted_at = NULL, sync_cause = v_origin.cause,
		sync_cause_id = v_origin.id, sync_xid = v_origin.xid
	WHERE l.local_id = v_merge.merged_id;
	PERFORM zcsync._write_leads(v_lead.account_id, ARRAY[v_lead.ids[1], v_other], v_origin);
	RETURN QUERY VALUES ('kept', zcsync.reference('leads', v_lead.ids[1])),
		(CASE WHEN v_merge.merged_id IS NULL THEN 'made' ELSE 'restored' END, zcsync.reference('leads', v_other));
END
$$;
COMMENT ON FUNCTION zcsync.split_lead(text) IS
'undoes the last merge into a lead: both get the values of their own rows, and are kept apart from then on';

-- Why a lead is as it is: what identifies it, where its values come from, what was
-- merged into it, what it resembles, and how its scores are made.  The values of part
-- add up to score: for a merge or a resemblance over its fields, for a score over its
-- rules; if a score is cut to be between 0 and 100, the difference is a row of its own.
CREATE FUNCTION zcsync.explain_lead(lead text)
RETURNS TABLE (item text, name text, value text, source text, part numeric, score numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_record record;
	v_id bigint;
	v_doc jsonb;
BEGIN
	PERFORM zcsync._check_reference('lead', explain_lead.lead);
	SELECT * INTO STRICT v_record FROM zcsync.record(explain_lead.lead);
	SELECT to_jsonb(l) - '{base,remote}'::text[] INTO v_doc
	FROM zcsync.leads l JOIN zcsync.accounts a ON a.account_id = l.account_id AND a.vendor = 'local'
	WHERE l.local_id = v_record.local_id AND v_record.kind = 'leads';
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('"%s" is no lead of a local account', left(explain_lead.lead, 100)),
			HINT = 'It looks like crm/leads/#12.';
	END IF;
	v_id := v_record.local_id;

	RETURN QUERY
	SELECT 'identity', i.kind, i.value, NULL::text, NULL::numeric, NULL::numeric
	FROM zcsync.lead_identities i WHERE i.local_id = v_id ORDER BY i.kind, i.value;
	RETURN QUERY
	SELECT 'row', r.row_key, r.via, r.source, NULL::numeric, NULL::numeric
	FROM zcsync.lead_rows r WHERE r.local_id = v_id ORDER BY r.row_id;
	RETURN QUERY
	SELECT 'value', p.key, CASE WHEN p.key LIKE 'custom:%' THEN v_doc -> 'custom_fields' ->> substr(p.key, 8) ELSE v_doc ->> p.key END,
		p.value ->> 'source', NULL::numeric, NULL::numeric
	FROM jsonb_each(v_doc -> 'provenance') AS p ORDER BY p.key;
	RETURN QUERY
	SELECT CASE WHEN m.undone_at IS NULL THEN 'merge' ELSE 'split' END,
		coalesce(zcsync.reference('leads', m.merged_id), 'row ' || array_to_string(m.row_ids, ', ')),
		concat_ws(' ', m.reason, f.key, f.value ->> 'similarity', '*', f.value ->> 'weight'), m.role, (f.value ->> 'part')::numeric, m.score
	FROM zcsync.lead_merges m LEFT JOIN LATERAL jsonb_each(m.parts) AS f ON true
	WHERE m.kept_id = v_id ORDER BY m.merge_id, f.key;
	RETURN QUERY
	SELECT 'duplicate', zcsync.reference('leads', CASE d.lead_a WHEN v_id THEN d.lead_b ELSE d.lead_a END),
		concat_ws(' ', d.state || ': ' || d.reason, f.key, f.value ->> 'similarity', '*', f.value ->> 'weight'), d.decided_by,
		(f.value ->> 'part')::numeric, d.score
	FROM zcsync.lead_duplicates d LEFT JOIN LATERAL jsonb_each(d.parts) AS f ON true
	WHERE d.account_id = v_record.account_id AND v_id IN (d.lead_a, d.lead_b) AND d.state <> 'merged'
	ORDER BY d.score DESC NULLS LAST, d.lead_a, d.lead_b, f.key;
	RETURN QUERY
	WITH points AS (
		SELECT p.score AS name, p.rule_id, concat_ws(' ', p.field, p.condition) AS value, p.points
		FROM zcsync._lead_points(ARRAY[v_doc]) AS p)
	SELECT 'score', x.name, x.value, NULL::text, x.points::numeric, (v_doc ->> x.name)::numeric
	FROM (
		SELECT p.name, p.rule_id, p.value, p.points FROM points p
		UNION ALL
		SELECT s.name, NULL, 'kept between 0 and 100', greatest(0, least(100, s.points)) - s.points
		FROM (SELECT p.name, sum(p.points) AS points FROM points p GROUP BY p.name) AS s WHERE s.points NOT BETWEEN 0 AND 100) AS x
	ORDER BY x.name, x.rule_id NULLS LAST;
	RETURN QUERY SELECT 'stage', v_doc ->> 'stage', NULL::text, NULL::text, NULL::numeric, NULL::numeric;
END
$$;
COMMENT ON FUNCTION zcsync.explain_lead(text) IS
'why a lead is as it is: its identities, rows and values with their sources, merges and resemblances with the parts of their scores, and its scores by rule';
