-- ---------------------------------------------------------------------
-- HaloPSA: actions of tickets and opportunities are their comments.
--
-- HaloPSA lists all actions of one ticket at once, and has no list of those of all
-- tickets.  What the system itself noted is left out.  An action is numbered within its
-- ticket, so its remote id is the two numbers: 9950-3.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_comments_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'list', 'entity', 'Actions', 'excludesys', true, 'includehtmlnote', true, 'count', 100000,
		'ticket_id', p_payload -> 'id');
END;
COMMENT ON FUNCTION zcsync._halopsa_comments_request(bigint, jsonb) IS
'the request for the actions of a ticket or an opportunity';

CREATE FUNCTION zcsync._halopsa_comments_next(p_stream_id bigint, p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT NULL::jsonb;
END;
COMMENT ON FUNCTION zcsync._halopsa_comments_next(bigint, jsonb, jsonb) IS
'where the actions of a ticket go on: nowhere, since they come all at once';
