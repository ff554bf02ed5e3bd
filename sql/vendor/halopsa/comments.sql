-- ---------------------------------------------------------------------
-- HaloPSA: actions of tickets and opportunities are their comments.
--
-- HaloPSA lists all actions of one ticket at once, and has no list of those of all
-- tickets.  What the system itself noted is left out.  An action is numbered within its
-- ticket, so its remote id is the two numbers: 9950-3.
--
-- An action that is not in the list any more was deleted.  An empty list shows nothing:
-- it is also what an agent gets who may not see the actions.
-- ---------------------------------------------------------------------

-- as_of: rows that were stored since then say nothing about the reply.
CREATE FUNCTION zcsync._halopsa_comments_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'list', 'entity', 'Actions', 'excludesys', true, 'includehtmlnote', true, 'count', 100000,
		'ticket_id', p_payload -> 'id', 'as_of', floor(extract(epoch FROM zcsync._now()))::bigint)
$$;
COMMENT ON FUNCTION zcsync._halopsa_comments_request(bigint, jsonb) IS
'the request for the actions of a ticket or an opportunity';

CREATE FUNCTION zcsync._halopsa_gone_comments(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb, p_list jsonb) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.remote_id
	FROM zcsync.comments AS c
	WHERE c.account_id = p_account AND c.parent_id = p_request ->> 'ticket_id' AND c.parent_kind = p_kind
		AND c.remote_id IS NOT NULL AND c.deleted_at IS NULL AND c.synced_at < to_timestamp((p_request ->> 'as_of')::bigint)
		AND p_list <> '[]' AND (jsonb_array_length(p_list) < (zcsync._halopsa_read_id(p_reply -> 'record_count'))::bigint) IS NOT TRUE
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_list) AS d
			WHERE concat(p_request ->> 'ticket_id', '-', zcsync._halopsa_read_id(d -> 'id')) = c.remote_id)
$$;
COMMENT ON FUNCTION zcsync._halopsa_gone_comments(bigint, text, jsonb, jsonb, jsonb) IS
'actions that are not in the list of a ticket''s actions any more';

CREATE FUNCTION zcsync._halopsa_comments_next(p_stream_id bigint, p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT NULL::jsonb;
END;
COMMENT ON FUNCTION zcsync._halopsa_comments_next(bigint, jsonb, jsonb) IS
'where the actions of a ticket go on: nowhere, since they come all at once';
