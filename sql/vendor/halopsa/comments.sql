-- ---------------------------------------------------------------------
-- HaloPSA: actions of tickets and opportunities are their comments.
--
-- HaloPSA lists all actions of one ticket at once, and has no list of those of all
-- tickets.  What the system itself noted is left out, and what has an outcome that the
-- account excludes.  An action is numbered within its
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
	SELECT CASE WHEN p_payload ? 'page' THEN p_payload -> 'page'
			ELSE '{"entity": "Actions", "excludesys": true, "includehtmlnote": true, "count": 100000}' END
		|| jsonb_build_object('op', 'list', 'ticket_id', p_payload -> 'id', 'as_of', floor(extract(epoch FROM zcsync._now()))::bigint)
$$;
COMMENT ON FUNCTION zcsync._halopsa_comments_request(bigint, jsonb) IS
'the request for the actions of a ticket or an opportunity, or for its files';

-- The outcomes that the setting excluded_outcomes names: their ids, and the names that
-- were given.
CREATE FUNCTION zcsync._halopsa_excluded_outcomes(p_account bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH given AS (
		SELECT lower(btrim(e) COLLATE "C") AS name
		FROM zcsync.accounts AS a CROSS JOIN jsonb_array_elements_text(zcsync._json_list(a.settings -> 'excluded_outcomes')) AS e
		WHERE a.account_id = p_account)
	SELECT array_agg(u.name)
	FROM (
		SELECT g.name FROM given AS g
		UNION ALL
		SELECT o ->> 'id' FROM zcsync.fields AS f CROSS JOIN jsonb_array_elements(zcsync._json_list(f.options)) AS o
		WHERE f.account_id = p_account AND f.remote_id = 'outcome'
			AND EXISTS (SELECT FROM given AS g WHERE g.name = lower(btrim(o ->> 'name') COLLATE "C"))) AS u (name)
$$;
COMMENT ON FUNCTION zcsync._halopsa_excluded_outcomes(bigint) IS
'ids and names of outcomes whose actions are not mirrored; NULL: there are none';

-- The actions of a list that become comments.  One that has a row keeps it, whatever its
-- outcome: it was written here, or mirrored before its outcome was excluded.
CREATE FUNCTION zcsync._halopsa_told_actions(p_account bigint, p_ticket text, p_list jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_excluded text[] := zcsync._halopsa_excluded_outcomes(p_account);
BEGIN
	IF v_excluded IS NULL THEN
		RETURN p_list;
	END IF;
	RETURN (
		SELECT coalesce(jsonb_agg(d ORDER BY n), '[]')
		FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
		WHERE (zcsync._halopsa_read_id(d -> 'outcome_id') = ANY (v_excluded)
				OR lower(btrim(d ->> 'outcome') COLLATE "C") = ANY (v_excluded)) IS NOT TRUE
			OR EXISTS (SELECT FROM zcsync.comments AS c
				WHERE c.account_id = p_account AND c.remote_id = concat(p_ticket, '-', zcsync._halopsa_read_id(d -> 'id'))));
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_told_actions(bigint, text, jsonb) IS
'a list of actions without those that are new and have an outcome that is excluded';

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
	SELECT '{"entity": "Attachment"}'::jsonb
	WHERE p_request ->> 'entity' = 'Actions' AND NOT p_request ? 'look' AND EXISTS (SELECT FROM jsonb_array_elements(zcsync._halopsa_list(p_reply)) AS d
		WHERE d ->> 'attachment_count' IS DISTINCT FROM '0');
END;
COMMENT ON FUNCTION zcsync._halopsa_comments_next(bigint, jsonb, jsonb) IS
'what follows the actions of a ticket, which come all at once: its files, unless there are none';

-- ---------------------------------------------------------------------
-- Comments that are written here
--
-- An action must have an outcome: that of the row, or the name that HaloPSA itself has
-- for a note.  It may take time (timetaken), and be that of another agent than ours
-- (who_agentid); whether HaloPSA takes that one is not certain, the reply shows it.  What HaloPSA does by default with the flags of a request is not certain,
-- so each is sent: zcsync asks for no mail, text message or survey unless the route says
-- that people are to be notified.  The rules of the instance apply as they do to the
-- action of an agent.
-- ---------------------------------------------------------------------

-- The names of the outcomes that are mirrored, if this is none of them.
CREATE FUNCTION zcsync._halopsa_unknown_outcome(p_account bigint, p_name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT left(string_agg(o ->> 'name', ', ' ORDER BY o ->> 'name'), 1000)
	FROM zcsync.fields AS f CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(f.options)) AS o
	WHERE f.account_id = p_account AND f.remote_id = 'outcome' AND f.deleted_at IS NULL
	HAVING NOT bool_or(lower(btrim(o ->> 'name') COLLATE "C") = lower(btrim(p_name) COLLATE "C"))
$$;
COMMENT ON FUNCTION zcsync._halopsa_unknown_outcome(bigint, text) IS
'the outcomes that there are, if this is none of them; NULL: it is, or they are not mirrored';

CREATE FUNCTION zcsync._halopsa_comment_fault(p_row jsonb, p_base jsonb, p_parent jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_row ->> 'is_private' IS NULL THEN
			'{"code": "not_null_violation", "message": "a comment must say whether it is private", "hint": "Set is_private: false for an action that the user sees, true for a note that agents see."}'::jsonb
		WHEN coalesce(jsonb_typeof(p_row -> 'rich_body'), 'null') NOT IN ('null', 'string') THEN
			'{"code": "invalid_parameter_value", "message": "rich_body is not a text of HTML", "hint": "Set it to HTML as a JSON string: to_jsonb(text)."}'
		WHEN (p_row ->> 'seconds')::bigint NOT BETWEEN 0 AND 8640000 THEN
			'{"code": "invalid_parameter_value", "message": "a comment can take between 0 seconds and 100 days", "hint": "Set seconds to the time that the action took, or to NULL."}'
		WHEN p_base = '{}' AND p_row ->> 'author_id' !~ '^[1-9][0-9]{0,17}$' THEN
			'{"code": "invalid_parameter_value", "message": "author_id is not the id of an agent", "hint": "It is a whole number; the options of field agent in zcsync.fields show those of agents."}'
		WHEN p_base = '{}' AND btrim(p_row ->> 'outcome') <> '' AND o.others IS NOT NULL THEN
			jsonb_build_object('code', 'undefined_object', 'message', format('outcome "%s" is not known', left(p_row ->> 'outcome', 100)),
				'hint', format('It is one of: %s.', o.others))
	END
	FROM (SELECT CASE WHEN p_base = '{}' THEN zcsync._halopsa_unknown_outcome((p_row ->> 'account_id')::bigint, p_row ->> 'outcome') END) AS o (others)
$$;
COMMENT ON FUNCTION zcsync._halopsa_comment_fault(jsonb, jsonb, jsonb) IS
'why a comment cannot be written at HaloPSA; NULL: it can';

-- Plain text as HTML.
CREATE FUNCTION zcsync._halopsa_note(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '<p>' || replace(replace(replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
		E'\r\n', E'\n'), E'\n', '<br>') || '</p>';
END;
COMMENT ON FUNCTION zcsync._halopsa_note(text) IS
'plain text as HTML';

CREATE FUNCTION zcsync._halopsa_comment_request(p_row jsonb, p_base jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'post', 'entity', 'Actions', 'kind', p_row -> 'parent_kind', 'ticket_id', p_row -> 'parent_id',
		'item', i.item || jsonb_build_object('ticket_id', zcsync._halopsa_id(p_row ->> 'parent_id'),
			'sendemail', t.told AND p_row -> 'is_private' = 'false', 'sendsms', false, 'send_survey', false, 'dont_do_rules', false,
			'_prevent_outgoing', NOT t.told)
			|| CASE WHEN p_base = '{}' THEN jsonb_build_object('outcome', coalesce(nullif(btrim(p_row ->> 'outcome'), ''),
					CASE p_row -> 'is_private' WHEN 'true' THEN 'Private Note' ELSE 'Public Note' END))
					|| CASE WHEN p_row ->> 'author_id' IS NULL THEN '{}' ELSE jsonb_build_object('who_agentid', zcsync._halopsa_id(p_row ->> 'author_id')) END
				ELSE jsonb_build_object('id', zcsync._halopsa_id(split_part(p_row ->> 'remote_id', '-', 2))) END)
	FROM (
		SELECT CASE WHEN p_row ->> 'rich_body' IS NOT NULL AND p_row -> 'rich_body' <> coalesce(p_base -> 'rich_body', 'null')
				THEN jsonb_build_object('note_html', p_row -> 'rich_body')
			WHEN p_row ->> 'body' IS NOT NULL AND p_row -> 'body' <> coalesce(p_base -> 'body', 'null')
				THEN jsonb_build_object('note_html', zcsync._halopsa_note(p_row ->> 'body')) ELSE '{}' END
			|| CASE WHEN p_row -> 'is_private' <> coalesce(p_base -> 'is_private', 'null')
				THEN jsonb_build_object('hiddenfromuser', p_row -> 'is_private') ELSE '{}' END
			|| CASE WHEN p_row -> 'seconds' <> coalesce(p_base -> 'seconds', 'null')
				THEN jsonb_build_object('timetaken', trim_scale(round(coalesce((p_row ->> 'seconds')::numeric, 0) / 3600, 4))) ELSE '{}' END) AS i (item)
	CROSS JOIN LATERAL (SELECT coalesce((SELECT n.notify FROM zcsync.routes AS n WHERE n.route_id = (p_row ->> 'route_id')::bigint), false)) AS t (told)
	WHERE i.item <> '{}'
$$;
COMMENT ON FUNCTION zcsync._halopsa_comment_request(jsonb, jsonb) IS
'the request that makes an action, or changes its text and who sees it; NULL: there is nothing to send';

CREATE FUNCTION zcsync._halopsa_comment_reply(p_account bigint, p_request jsonb, p_reply jsonb)
RETURNS TABLE (remote_id text, remote_version text, vals jsonb, doc jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT c.remote_id, c.remote_version, c.vals, c.doc
	FROM zcsync._halopsa_comments(p_request ->> 'kind', zcsync._halopsa_list(p_reply), p_request ->> 'ticket_id') AS c
	WHERE c.vals ->> 'body' IS NOT NULL AND c.vals ->> 'parent_id' = p_request ->> 'ticket_id'
		AND (NOT p_request -> 'item' ? 'id' OR c.remote_id = concat_ws('-', p_request ->> 'ticket_id', p_request #>> '{item,id}'))
	LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._halopsa_comment_reply(bigint, jsonb, jsonb) IS
'the action that the reply to its making or its change shows';

CREATE FUNCTION zcsync._halopsa_login(p_reply jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._halopsa_read_id(p_reply -> 'id');
END;
COMMENT ON FUNCTION zcsync._halopsa_login(jsonb) IS
'the agent as whom an account writes';
