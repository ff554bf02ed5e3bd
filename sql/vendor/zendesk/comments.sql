-- ---------------------------------------------------------------------
-- Zendesk: comments of tickets.
--
-- They are read in two ways.  Those of one ticket are listed, oldest first; what is new
-- in all tickets comes with the export of ticket events, which the lane "comments" of
-- the stream of tickets reads.  A comment has the same values whichever way it came,
-- but for the name of its author, which an event lacks; and its version is the time at
-- which it was listed, or of its event: an event that is read again changes nothing that
-- was listed since.
--
-- A comment cannot be edited.  Words in it may be redacted, and it may be made private;
-- that is an event of its own.  Whether the export tells all of these is not certain, so
-- tickets that changed are listed again (mirror/comments.sql).
-- ---------------------------------------------------------------------

-- What is listed now is as of now.  A look-up of what was posted since a time begins with
-- the newest comments.
CREATE FUNCTION zcsync._zendesk_comments_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'ticket_comments', 'ticket_id', p_payload -> 'id', 'include', 'users',
			'include_inline_images', true, 'page[size]', 100, 'as_of', floor(extract(epoch FROM zcsync._now()))::bigint)
		|| CASE WHEN p_payload ? 'since' THEN '{"sort": "-created_at"}'::jsonb ELSE '{}' END
		|| coalesce(p_payload -> 'page', '{}')
$$;
COMMENT ON FUNCTION zcsync._zendesk_comments_request(bigint, jsonb) IS
'the request for a page of the comments of a ticket';

CREATE FUNCTION zcsync._zendesk_comments_next(p_stream_id bigint, p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('page[after]', p_reply #> '{meta,after_cursor}')
	WHERE p_reply #>> '{meta,has_more}' = 'true' AND p_reply #>> '{meta,after_cursor}' IS NOT NULL
		AND p_reply #>> '{meta,after_cursor}' IS DISTINCT FROM p_request ->> 'page[after]'
		AND (zcsync._utc_text(p_reply #>> '{comments,-1,created_at}')::timestamptz < (p_request ->> 'since')::timestamptz) IS NOT TRUE;
END;
COMMENT ON FUNCTION zcsync._zendesk_comments_next(bigint, jsonb, jsonb) IS
'where the comments of a ticket go on; NULL: that was all';

-- ---------------------------------------------------------------------
-- The export of ticket events
-- ---------------------------------------------------------------------

-- It begins before the first listing of any ticket, so that no comment is between both.
CREATE FUNCTION zcsync._zendesk_events_request(p_stream_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'ticket_events', 'include', 'comment_events', 'start_time', coalesce(
		(s.comments_cursor ->> 'start_time')::bigint,
		floor(extract(epoch FROM least(zcsync._now(), (SELECT min(c.read_at) FROM zcsync.conversations c
			WHERE c.account_id = s.account_id AND c.kind = s.kind))))::bigint - 300))
	FROM zcsync.streams s WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._zendesk_events_request(bigint) IS
'the next request for ticket events with comments';

-- At the end the last minute before the last event is read again each time, since events
-- may show late; see _zendesk_next_time().
--
-- A ticket in which words were redacted, or a comment made private, is listed again.
CREATE FUNCTION zcsync._zendesk_next_events(p_stream_id bigint, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_start bigint := (p_request ->> 'start_time')::bigint;
	v_end bigint := CASE WHEN p_reply ->> 'end_time' ~ '^[0-9]{1,12}$' THEN (p_reply ->> 'end_time')::bigint END;
BEGIN
	UPDATE zcsync.conversations c SET due_at = zcsync._now()
	FROM zcsync.streams s, (
		SELECT DISTINCT e ->> 'ticket_id' FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'ticket_events')) AS e
		WHERE zcsync._zendesk_changes_comment(e)) AS t (id)
	WHERE s.stream_id = p_stream_id AND c.account_id = s.account_id AND c.kind = s.kind AND c.remote_id = t.id
		-- if it was listed after that, the event is only read again
		AND (c.read_at IS NULL OR c.read_at < to_timestamp(coalesce(v_end, v_start)) + interval '1 minute');
	SELECT n.cursor, n.more INTO cursor, more
	FROM zcsync._zendesk_next_time(p_request, p_reply, zcsync._json_list(p_reply -> 'ticket_events'), 60) AS n;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_next_events(bigint, jsonb, jsonb) IS
'cursor of the lane of comments after a page of events, and whether more is waiting';

CREATE FUNCTION zcsync._zendesk_changes_comment(p_event jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT EXISTS (
		SELECT FROM jsonb_array_elements(zcsync._json_list(p_event -> 'child_events')) AS c
		CROSS JOIN LATERAL (SELECT coalesce(c ->> 'event_type', c ->> 'type', '')) AS t (type)
		WHERE strpos(t.type, 'Redaction') > 0 OR strpos(t.type, 'Privacy') > 0);
END;
COMMENT ON FUNCTION zcsync._zendesk_changes_comment(jsonb) IS
'was a comment redacted or made private by this event?';

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------

-- Redacted characters are shown as a block (U+2587).
CREATE FUNCTION zcsync._zendesk_comment(p_ticket text, p_doc jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'parent_id', p_ticket,
		'parent_kind', 'tickets',
		'reply_to', NULL,
		'author_id', left(p_doc ->> 'author_id', 500),
		'body', p_doc ->> 'body',
		'rich_body', p_doc -> 'html_body',
		'is_private', CASE p_doc -> 'public' WHEN 'true' THEN false WHEN 'false' THEN true END,
		'is_redacted', strpos(p_doc ->> 'body', chr(9607)) > 0,
		'outcome', NULL,
		'seconds', NULL,
		'edited_at', NULL,
		'custom_fields', '{}'::jsonb,
		'created_at', zcsync._utc_text(p_doc ->> 'created_at'),
		'updated_at', zcsync._utc_text(p_doc ->> 'created_at'))
	|| CASE jsonb_typeof(p_doc -> 'via') WHEN 'object' THEN jsonb_build_object('channel', left(p_doc #>> '{via,channel}', 500)) ELSE '{}' END;
END;
COMMENT ON FUNCTION zcsync._zendesk_comment(text, jsonb) IS
'the values of a comment document; the caller''s TimeZone must be UTC';

-- The comments of a ticket as they were listed at a time, with the users beside them.
CREATE FUNCTION zcsync._zendesk_comments(p_account bigint, p_ticket text, p_as_of text, p_list jsonb, p_users jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'comments', left(d ->> 'id', 500), p_as_of,
		zcsync._zendesk_comment(p_ticket, d) || CASE WHEN n.name IS NULL THEN '{}' ELSE jsonb_build_object('author_name', n.name) END,
		d, false
	FROM jsonb_array_elements(p_list) AS d
	CROSS JOIN LATERAL (SELECT coalesce(
		(SELECT u ->> 'name' FROM jsonb_array_elements(p_users) AS u WHERE u -> 'id' = d -> 'author_id' LIMIT 1),
		(SELECT c.name FROM zcsync.contacts c WHERE c.account_id = p_account AND c.remote_id = d ->> 'author_id'))) AS n (name)
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_comments(bigint, text, text, jsonb, jsonb) IS
'documents of comments of a ticket as rows; the caller''s TimeZone must be UTC';

-- The new comments among ticket events: of the tickets whose comments are mirrored.
CREATE FUNCTION zcsync._zendesk_event_comments(p_account bigint, p_events jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'comments', left(d ->> 'id', 500), extract(epoch FROM zcsync._utc_text(d ->> 'created_at')::timestamptz)::bigint::text,
		zcsync._zendesk_comment(e ->> 'ticket_id', d) || CASE WHEN n.name IS NULL THEN '{}' ELSE jsonb_build_object('author_name', n.name) END,
		d, false
	FROM jsonb_array_elements(p_events) AS e
	CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(e -> 'child_events')) AS d
	LEFT JOIN LATERAL (SELECT c.name FROM zcsync.contacts c
		WHERE c.account_id = p_account AND c.remote_id = d ->> 'author_id') AS n ON true
	WHERE coalesce(d ->> 'event_type', d ->> 'type') IN ('Comment', 'VoiceComment') AND d ->> 'id' IS NOT NULL AND d ->> 'body' IS NOT NULL
		AND zcsync._utc_text(d ->> 'created_at') IS NOT NULL
		AND EXISTS (SELECT FROM zcsync.conversations c
			WHERE c.account_id = p_account AND c.kind = 'tickets' AND c.remote_id = e ->> 'ticket_id');
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_event_comments(bigint, jsonb) IS
'new comments among ticket events as rows; the caller''s TimeZone must be UTC';

-- ---------------------------------------------------------------------
-- Merged tickets
--
-- The ticket that was merged into another one, the loser, is closed and has a tag.  Which
-- the winner is, no ticket says, but the comments that a merge leaves: their via names
-- another ticket.  That of the winner names the loser; that of the loser may name the
-- winner, which is not certain.  So the tags decide: of two tickets, one of which has the
-- tag, that one is the loser; if both have it, since the winner was merged on, the one
-- that changed earlier.  As long as neither has it, the ticket that a comment names is
-- taken for the loser, and may be at both; it counts as merged once it is closed
-- (routes/merged.sql), and a later comment, or the next listing, puts it right.
-- ---------------------------------------------------------------------

-- The tickets that an event or a comment names as merged with its own.  An export may
-- show via as a word, with the number apart.
CREATE FUNCTION zcsync._zendesk_merged_with(p_event jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT DISTINCT substring(i.id FROM '^[1-9][0-9]{0,18}$')
	FROM (
		SELECT p_event #>> '{via,source,from,ticket_id}' WHERE p_event #>> '{via,source,rel}' = 'merge'
		UNION ALL
		SELECT jsonb_array_elements_text(zcsync._json_list(p_event #> '{via,source,from,ticket_ids}')) WHERE p_event #>> '{via,source,rel}' = 'merge'
		UNION ALL
		SELECT p_event ->> 'via_reference_id' WHERE lower(p_event ->> 'via' COLLATE "C") IN ('merge', 'ticket merge', 'merged ticket')) AS i (id)
	WHERE i.id ~ '^[1-9][0-9]{0,18}$';
END;
COMMENT ON FUNCTION zcsync._zendesk_merged_with(jsonb) IS
'the tickets that a comment names as merged with its own';

-- What events say of merges, as rows of tickets that are here, one for each.
CREATE FUNCTION zcsync._zendesk_merges(p_account bigint, p_events jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- a word like emergency is no reason to read all tickets
SET jit = off
AS $$
BEGIN
	IF strpos(p_events::text, 'erge') = 0 THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH named AS MATERIALIZED (
		SELECT DISTINCT e ->> 'ticket_id' AS at, m.id AS other
		FROM jsonb_array_elements(p_events) AS e
		CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(e -> 'child_events') || jsonb_build_array(e - 'child_events')) AS d
		CROSS JOIN LATERAL zcsync._zendesk_merged_with(d) AS m (id)
		WHERE m.id <> e ->> 'ticket_id'
	), judged AS MATERIALIZED (
		SELECT n.at, n.other, t.local_id IS NOT NULL AS at_here, o.local_id IS NOT NULL AS other_here, j.at_loses, j.certain,
			t.merged_into_id AS at_into, o.merged_into_id AS other_into
		FROM named AS n
		LEFT JOIN LATERAL (SELECT k.* FROM zcsync.tickets AS k WHERE k.account_id = p_account AND k.remote_id = n.at OFFSET 0) AS t ON true
		LEFT JOIN LATERAL (SELECT k.* FROM zcsync.tickets AS k WHERE k.account_id = p_account AND k.remote_id = n.other OFFSET 0) AS o ON true
		CROSS JOIN LATERAL (SELECT coalesce(t.tags @> '{closed_by_merge}', false), coalesce(o.tags @> '{closed_by_merge}', false)) AS g (at_tagged, other_tagged)
		CROSS JOIN LATERAL (SELECT g.at_tagged AND o.local_id IS NOT NULL AND (NOT g.other_tagged OR coalesce(t.updated_at < o.updated_at, false)),
			g.at_tagged OR g.other_tagged) AS j (at_loses, certain)
	), rows AS (
		SELECT CASE WHEN j.at_loses THEN j.at ELSE j.other END AS id, CASE WHEN j.at_loses THEN j.other ELSE j.at END AS winner
		FROM judged AS j WHERE CASE WHEN j.at_loses THEN j.at_here ELSE j.other_here END
		UNION ALL
		SELECT CASE WHEN j.at_loses THEN j.other ELSE j.at END, NULL
		FROM judged AS j
		WHERE j.certain AND CASE WHEN j.at_loses THEN j.other_into = j.at ELSE j.at_into = j.other END)
	SELECT 'tickets', r.id, NULL::text, jsonb_build_object('merged_into_id', (array_agg(r.winner ORDER BY length(r.winner) DESC, r.winner DESC)
		FILTER (WHERE r.winner IS NOT NULL))[1]), NULL::jsonb, NULL::boolean
	FROM rows AS r GROUP BY r.id;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_merges(bigint, jsonb) IS
'what events and comments say of merged tickets, as rows of these';

-- ---------------------------------------------------------------------
-- Comments that are written here
--
-- A comment is posted by an update of its ticket, whose reply shows it as an event of the
-- audit.  Whether it is public is always said, since otherwise it would be what the
-- first comment of the ticket is.  A public one is what an agent's public reply is: the
-- triggers of the account decide who gets mail.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._zendesk_comment_fault(p_row jsonb, p_base jsonb, p_parent jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_row ->> 'is_private' IS NULL THEN
			'{"code": "not_null_violation", "message": "a comment must say whether it is private", "hint": "Set is_private: false for a reply that the requester sees, true for a note that agents see."}'::jsonb
		WHEN p_base = '{}' AND p_parent ->> 'status' = 'closed' THEN
			'{"message": "a closed ticket takes no comments", "hint": "Make a new ticket for what is left to do."}'
		WHEN coalesce(jsonb_typeof(p_row -> 'rich_body'), 'null') NOT IN ('null', 'string') THEN
			'{"code": "invalid_parameter_value", "message": "rich_body is not a text of HTML", "hint": "Set it to HTML as a JSON string: to_jsonb(text)."}'
		WHEN p_base = '{}' AND p_row ->> 'author_id' IS NOT NULL AND zcsync._zendesk_id(p_row ->> 'author_id') IS NULL THEN
			'{"code": "invalid_parameter_value", "message": "author_id is not an id", "hint": "It is a whole number; zcsync.contacts shows those of people."}'
		WHEN p_base <> '{}' AND (p_row -> 'body' <> p_base -> 'body' OR p_row -> 'rich_body' <> p_base -> 'rich_body' OR p_row -> 'author_id' <> p_base -> 'author_id') THEN
			'{"message": "the text and the author of a comment cannot be changed at Zendesk", "hint": "Insert another comment."}'
		WHEN p_base -> 'is_private' = 'true' AND p_row -> 'is_private' = 'false' THEN
			'{"message": "a private comment cannot be made public at Zendesk", "hint": "Insert its text again as a public comment."}'
	END;
END;
COMMENT ON FUNCTION zcsync._zendesk_comment_fault(jsonb, jsonb, jsonb) IS
'why a comment cannot be written at Zendesk; NULL: it can';

CREATE FUNCTION zcsync._zendesk_comment_request(p_row jsonb, p_base jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_base = '{}' THEN jsonb_build_object('op', 'post_comment', 'ticket_id', p_row -> 'parent_id',
			'body', jsonb_build_object('ticket', jsonb_build_object('comment', jsonb_strip_nulls(jsonb_build_object(
				'body', CASE WHEN p_row ->> 'rich_body' IS NULL THEN p_row -> 'body' END, 'html_body', p_row -> 'rich_body',
				'public', p_row -> 'is_private' = 'false', 'author_id', zcsync._zendesk_id(p_row ->> 'author_id'), 'uploads', p_row -> 'uploads')))))
		WHEN p_row -> 'is_private' = 'true' AND p_base -> 'is_private' <> 'true' THEN
			jsonb_build_object('op', 'make_private', 'ticket_id', p_row -> 'parent_id', 'comment_id', p_row -> 'remote_id')
	END;
END;
COMMENT ON FUNCTION zcsync._zendesk_comment_request(jsonb, jsonb) IS
'the request that posts a comment at Zendesk, or makes it private; NULL: there is nothing to send';

CREATE FUNCTION zcsync._zendesk_comment_reply(p_account bigint, p_request jsonb, p_reply jsonb)
RETURNS TABLE (remote_id text, remote_version text, vals jsonb, doc jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT c.remote_id, c.remote_version, c.vals, c.doc
	FROM (
		SELECT e || jsonb_build_object('created_at', p_reply #> '{audit,created_at}', 'via', p_reply #> '{audit,via}') AS doc
		FROM jsonb_array_elements(zcsync._json_list(p_reply #> '{audit,events}')) WITH ORDINALITY AS x (e, n)
		WHERE e ->> 'type' = 'Comment' ORDER BY n LIMIT 1) AS d
	CROSS JOIN LATERAL zcsync._zendesk_comments(p_account, p_request ->> 'ticket_id',
		extract(epoch FROM zcsync._utc_text(d.doc ->> 'created_at')::timestamptz)::bigint::text, jsonb_build_array(d.doc), '[]') AS c
	WHERE p_request ->> 'op' = 'post_comment' AND d.doc ->> 'created_at' IS NOT NULL AND d.doc ->> 'body' IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._zendesk_comment_reply(bigint, jsonb, jsonb) IS
'the comment that the reply to a post shows, as an event of the ticket''s audit';

CREATE FUNCTION zcsync._zendesk_login(p_reply jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_reply #>> '{user,id}';
END;
COMMENT ON FUNCTION zcsync._zendesk_login(jsonb) IS
'the user as whom an account writes';
