-- ---------------------------------------------------------------------
-- Zendesk: what only a look there tells: the audits of a ticket, who deleted it, and
-- suspended tickets.
-- ---------------------------------------------------------------------

-- What the audits of a page say, a row per changed field.  Of a comment they only tell
-- that there is one, since its text may be private.
CREATE FUNCTION zcsync._zendesk_audits(p_account bigint, p_reply jsonb)
RETURNS TABLE (at timestamptz, who_id text, who text, field text, old text, new text, channel text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._utc_text(a ->> 'created_at')::timestamptz, a ->> 'author_id', n.name, coalesce(e ->> 'field_name', 'comment'),
		CASE WHEN e ->> 'field_name' IS NOT NULL THEN e ->> 'previous_value' END,
		CASE WHEN e ->> 'field_name' IS NOT NULL THEN e ->> 'value'
			WHEN strpos(t.type, 'Redaction') > 0 THEN 'redacted'
			WHEN strpos(t.type, 'Privacy') > 0 THEN 'made private'
			WHEN e -> 'public' = 'false' THEN 'private' ELSE 'public' END,
		left(a #>> '{via,channel}', 100)
	FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'audits')) WITH ORDINALITY AS x (a, n_audit)
	CROSS JOIN jsonb_array_elements(zcsync._json_list(a -> 'events')) WITH ORDINALITY AS y (e, n_event)
	CROSS JOIN LATERAL (SELECT coalesce(e ->> 'type', '')) AS t (type)
	CROSS JOIN LATERAL (SELECT CASE WHEN a ->> 'author_id' = '-1' THEN 'Zendesk' ELSE coalesce(
		(SELECT u ->> 'name' FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'users')) AS u WHERE u -> 'id' = a -> 'author_id' LIMIT 1),
		(SELECT c.name FROM zcsync.contacts c WHERE c.account_id = p_account AND c.remote_id = a ->> 'author_id')) END) AS n (name)
	WHERE e ->> 'field_name' IS NOT NULL OR t.type IN ('Comment', 'VoiceComment') OR strpos(t.type, 'Redaction') > 0 OR strpos(t.type, 'Privacy') > 0
	ORDER BY n_audit, n_event
$$;
COMMENT ON FUNCTION zcsync._zendesk_audits(bigint, jsonb) IS
'who changed what, by a page of the audits of a ticket';

-- Who deleted a ticket, by the list of deleted tickets.  It goes back thirty days, and
-- takes ten calls a minute; the latest come first.
CREATE FUNCTION zcsync._zendesk_deletion(p_account bigint, p_remote_id text)
RETURNS TABLE (at timestamptz, who_id text, who text, field text, old text, new text, channel text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_reply jsonb;
BEGIN
	FOR v_page IN 1 .. 5 LOOP
		v_reply := zcsync._ask(p_account, jsonb_build_object('op', 'deleted_tickets', 'sort_by', 'deleted_at', 'sort_order', 'desc', 'per_page', 100, 'page', v_page));
		RETURN QUERY
		SELECT zcsync._utc_text(d ->> 'deleted_at')::timestamptz, d #>> '{actor,id}', d #>> '{actor,name}', 'status', d ->> 'previous_state', 'deleted', NULL::text
		FROM jsonb_array_elements(zcsync._json_list(v_reply -> 'deleted_tickets')) AS d
		WHERE d ->> 'id' = p_remote_id;
		EXIT WHEN FOUND OR v_reply ->> 'next_page' IS NULL;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_deletion(bigint, text) IS
'who deleted a ticket, as a row of its history; none if Zendesk does not list it';

-- A hundred audits a call, and at most fifty calls.  A deleted ticket has no audits that
-- could be read.
CREATE FUNCTION zcsync._zendesk_history(p_account bigint, p_kind text, p_remote_id text)
RETURNS TABLE (at timestamptz, who_id text, who text, field text, old text, new text, channel text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_request jsonb := jsonb_build_object('op', 'ticket_audits', 'ticket_id', p_remote_id, 'include', 'users', 'page[size]', 100);
	v_reply jsonb;
BEGIN
	IF p_kind <> 'tickets' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('Zendesk keeps no history of %s that could be read', p_kind);
	END IF;
	IF EXISTS (SELECT FROM zcsync.tickets AS t WHERE t.account_id = p_account AND t.remote_id = p_remote_id AND t.deleted_at IS NOT NULL) THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_deletion(p_account, p_remote_id);
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	FOR v_calls IN 1 .. 50 LOOP
		v_reply := zcsync._ask(p_account, v_request);
		RETURN QUERY SELECT * FROM zcsync._zendesk_audits(p_account, v_reply);
		v_request := v_request || zcsync._zendesk_next_page(v_request, v_reply);
		EXIT WHEN v_request IS NULL;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_history(bigint, text, text) IS
'who changed what in a ticket, as Zendesk recorded it, oldest first';

CREATE FUNCTION zcsync._zendesk_suspended(p_account bigint)
RETURNS TABLE (id text, created_at timestamptz, author text, subject text, cause text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_request jsonb := '{"op": "suspended_tickets", "page[size]": 100}';
	v_reply jsonb;
BEGIN
	FOR v_calls IN 1 .. 10 LOOP
		v_reply := zcsync._ask(p_account, v_request);
		RETURN QUERY
		SELECT d ->> 'id', zcsync._utc_text(d ->> 'created_at')::timestamptz,
			coalesce(d #>> '{author,email}', d #>> '{author,name}', CASE WHEN jsonb_typeof(d -> 'author') <> 'object' THEN d ->> 'author' END),
			d ->> 'subject', d ->> 'cause'
		FROM jsonb_array_elements(zcsync._json_list(v_reply -> 'suspended_tickets')) WITH ORDINALITY AS x (d, n)
		WHERE d ->> 'id' IS NOT NULL ORDER BY n;
		v_request := v_request || zcsync._zendesk_next_page(v_request, v_reply);
		EXIT WHEN v_request IS NULL;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_suspended(bigint) IS
'the suspended tickets of an account, at most a thousand';

-- The documents promise no count beside the list.
CREATE FUNCTION zcsync._zendesk_suspended_count(p_reply jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat(jsonb_array_length(zcsync._json_list(p_reply -> 'suspended_tickets')), CASE WHEN p_reply #>> '{meta,has_more}' = 'true' THEN '+' END);
END;
COMMENT ON FUNCTION zcsync._zendesk_suspended_count(jsonb) IS
'how many suspended tickets a page shows, with a + if there are more';
