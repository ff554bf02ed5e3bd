-- ---------------------------------------------------------------------
-- Zendesk: deliveries of webhooks.
--
-- A webhook is either subscribed to events, then the body is Zendesk's and says which
-- record it is about; or triggers and automations fire it, then the body is whatever
-- somebody typed there: {"ticket_id": "{{ticket.id}}"}, as doc/webhooks.md has it.  A body
-- that names no ticket has the stream read.
-- ---------------------------------------------------------------------

-- The signature is made over the time, as the header has it, and the body.
CREATE FUNCTION zcsync._zendesk_webhook_proof(p_headers jsonb, p_body bytea, p_rest text) RETURNS zcsync.webhook_proof
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(CASE WHEN s.sent_at IS NOT NULL THEN 'hmac-sha256/base64' END, convert_to(h.time, 'UTF8') || p_body,
		p_headers ->> 'x-zendesk-webhook-signature', s.sent_at::timestamptz)::zcsync.webhook_proof
	FROM (SELECT p_headers ->> 'x-zendesk-webhook-signature-timestamp') AS h (time)
	CROSS JOIN LATERAL (SELECT zcsync._utc_text(h.time)) AS s (sent_at);
END;
COMMENT ON FUNCTION zcsync._zendesk_webhook_proof(jsonb, bytea, text) IS
'the signature of a delivery of Zendesk';

-- A deleted ticket is not in the list by ids, but in the export.  Users and
-- organisations cannot be fetched by their ids.  The names of all events that concern
-- comments have that word: comment_added, comment_redacted, comment_made_private.  A
-- merge leaves a comment that says of what.
CREATE FUNCTION zcsync._zendesk_webhook_events(p_account bigint, p_headers jsonb, p_body jsonb) RETURNS zcsync.webhook_event[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(ROW(p_headers ->> 'x-zendesk-webhook-id', coalesce(e.type, 'trigger'),
		coalesce(p_headers ->> 'x-zendesk-webhook-invocation-id', p_body ->> 'id'), e.kind, i.id, d.doing, NULL)::zcsync.webhook_event ORDER BY d.n)
	FROM (SELECT CASE WHEN p_body ->> 'type' LIKE 'zen:event-type:%' THEN split_part(p_body ->> 'type', '.', 2) END,
			CASE split_part(split_part(p_body ->> 'type', ':', 3), '.', 1)
				WHEN 'user' THEN 'contacts'
				WHEN 'organization' THEN 'companies'
				ELSE 'tickets' END) AS e (type, kind)
	CROSS JOIN (SELECT coalesce(p_body #>> '{detail,id}', p_body ->> 'ticket_id', p_body #>> '{ticket,id}')) AS g (given)
	CROSS JOIN LATERAL (SELECT CASE WHEN g.given ~ '^[1-9][0-9]{0,18}$' THEN g.given END) AS i (id)
	CROSS JOIN LATERAL (
		SELECT 1, CASE WHEN e.kind = 'tickets' AND i.id IS NOT NULL AND e.type IS DISTINCT FROM 'soft_deleted' AND e.type IS DISTINCT FROM 'permanently_deleted'
			THEN 'fetch' ELSE 'read' END
		UNION ALL
		SELECT 2, 'comments' WHERE e.kind = 'tickets' AND i.id IS NOT NULL AND (strpos(e.type, 'comment') > 0 OR e.type = 'merged')) AS d (n, doing);
END;
COMMENT ON FUNCTION zcsync._zendesk_webhook_events(bigint, jsonb, jsonb) IS
'what a delivery of Zendesk reports';

-- A webhook is made inactive, since what it sent before its secret is known here would
-- be refused; the update makes it active.
CREATE FUNCTION zcsync._zendesk_webhook_request(p_account bigint, p_step text, p_webhook jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_step
		WHEN 'list' THEN jsonb_strip_nulls(jsonb_build_object('op', 'webhooks', 'page[size]', 100, 'page[after]', p_webhook -> 'after'))
		WHEN 'create' THEN jsonb_build_object('op', 'create_webhook', 'body', jsonb_build_object('webhook', jsonb_build_object(
			'name', 'zcsync', 'endpoint', p_webhook -> 'url', 'http_method', 'POST', 'request_format', 'json', 'status', 'inactive',
			'subscriptions', p_webhook -> 'events')))
		WHEN 'update' THEN jsonb_build_object('op', 'update_webhook', 'webhook_id', p_webhook -> 'id', 'body', jsonb_build_object('webhook',
			jsonb_build_object('endpoint', p_webhook -> 'url', 'status', 'active', 'subscriptions', p_webhook -> 'events')))
		WHEN 'secret' THEN jsonb_build_object('op', 'webhook_secret', 'webhook_id', p_webhook -> 'id')
		WHEN 'delete' THEN jsonb_build_object('op', 'delete_webhook', 'webhook_id', p_webhook -> 'id') END;
END;
COMMENT ON FUNCTION zcsync._zendesk_webhook_request(bigint, text, jsonb) IS
'a request to Zendesk about webhooks';

CREATE FUNCTION zcsync._zendesk_webhook_reply(p_step text, p_reply jsonb)
RETURNS TABLE (id text, url text, events text[], health text, failures integer, secret text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT h.hook ->> 'id', h.hook ->> 'endpoint', ARRAY(SELECT jsonb_array_elements_text(zcsync._json_list(h.hook -> 'subscriptions'))),
		h.hook ->> 'status', 0, NULL::text
	FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'webhooks')) AS h (hook)
	UNION ALL
	SELECT NULL, p_reply #>> '{meta,after_cursor}', NULL, NULL, NULL, NULL
	WHERE p_reply #> '{meta,has_more}' = 'true' AND p_reply #>> '{meta,after_cursor}' <> ''
	UNION ALL
	SELECT p_reply #>> '{webhook,id}', NULL, NULL, NULL, NULL, NULL WHERE p_step = 'create'
	UNION ALL
	SELECT NULL, NULL, NULL, NULL, NULL, p_reply #>> '{signing_secret,secret}' WHERE p_step = 'secret';
END;
COMMENT ON FUNCTION zcsync._zendesk_webhook_reply(text, jsonb) IS
'the webhooks of a reply of Zendesk';
