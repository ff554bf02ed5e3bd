-- ---------------------------------------------------------------------
-- HaloPSA: the time that actions took.
--
-- It comes with the actions of a ticket, without a call of its own.  An action has hours
-- (timetaken), and beside them hours that are not billable (nonbilltime).  An entry has
-- the id of its action, which says what was done.
-- ---------------------------------------------------------------------

-- Hours as whole seconds; 0 where there are none.
CREATE FUNCTION zcsync._halopsa_seconds(p_hours jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN h.hours > 0 AND h.hours < 1000000 THEN round(h.hours * 3600)::bigint ELSE 0 END
	FROM (SELECT (zcsync._json_number(p_hours) #>> '{}')::numeric) AS h (hours);
END;
COMMENT ON FUNCTION zcsync._halopsa_seconds(jsonb) IS
'hours of HaloPSA as seconds';

-- Of the document those members are kept that tell of time: its text may be private.
CREATE FUNCTION zcsync._halopsa_times(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ticket text := p_request ->> 'ticket_id';
BEGIN
	RETURN QUERY
	SELECT 'time_entries', v_ticket || '-' || t.id, zcsync._halopsa_version(d),
		jsonb_build_object(
			'parent_id', v_ticket,
			'parent_kind', p_kind,
			'comment_id', v_ticket || '-' || t.id,
			'author_id', zcsync._halopsa_read_id(d -> 'who_agentid'),
			'author_name', left(zcsync._halopsa_read_text(d ->> 'who'), 500),
			'started_at', coalesce(zcsync._halopsa_read_time(d ->> 'actionarrivaldate'), zcsync._halopsa_read_time(d ->> 'datetime')),
			'seconds', t.seconds + t.nonbillable,
			'nonbillable_seconds', t.nonbillable,
			'is_billable', CASE WHEN jsonb_typeof(d -> 'actisbillable') = 'boolean' THEN d -> 'actisbillable' END,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._halopsa_read_time(d ->> 'datetime'),
			'updated_at', coalesce(zcsync._halopsa_version(d), zcsync._halopsa_read_time(d ->> 'datetime'))),
		(SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(d) AS m WHERE m.key = ANY ('{id,ticket_id,who,who_agentid,outcome,outcome_id,datetime,
			actionarrivaldate,actioncompletiondate,timetaken,timetakenadjusted,nonbilltime,traveltime,actisbillable,chargerate,actionchargehours,actionnonchargehours}')),
		false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id'), zcsync._halopsa_read_id(d -> 'ticket_id'),
		zcsync._halopsa_seconds(d -> 'timetaken'), zcsync._halopsa_seconds(d -> 'nonbilltime')) AS t (id, ticket, seconds, nonbillable)
	WHERE t.id IS NOT NULL AND v_ticket IS NOT NULL AND coalesce(t.ticket, v_ticket) = v_ticket AND t.seconds + t.nonbillable > 0;
	RETURN QUERY
	SELECT 'time_entries', e.remote_id, NULL::text, jsonb_build_object('parent_kind', p_kind, 'parent_id', v_ticket), NULL::jsonb, true
	FROM zcsync.time_entries AS e
	WHERE e.account_id = p_account AND e.parent_kind = p_kind AND e.parent_id = v_ticket
		AND e.deleted_at IS NULL AND e.synced_at < to_timestamp((p_request ->> 'as_of')::bigint)
		AND p_list <> '[]' AND (jsonb_array_length(p_list) < (zcsync._halopsa_read_id(p_reply -> 'record_count'))::bigint) IS NOT TRUE
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS d
			WHERE v_ticket || '-' || zcsync._halopsa_read_id(d -> 'id') = e.remote_id
				AND zcsync._halopsa_seconds(d -> 'timetaken') + zcsync._halopsa_seconds(d -> 'nonbilltime') > 0);
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_times(bigint, text, jsonb, jsonb, jsonb) IS
'the time that actions of a ticket or an opportunity took as rows; the caller''s TimeZone must be UTC';
