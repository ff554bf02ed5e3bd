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
-- comments have that word: comment_added, comment_redacted, comment_made_private.
CREATE FUNCTION zcsync._zendesk_webhook_events(p_account bigint, p_headers jsonb, p_body jsonb) RETURNS zcsync.webhook_event[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(ROW(p_headers ->> 'x-zendesk-webhook-id', coalesce(e.type, 'trigger'),
		coalesce(p_headers ->> 'x-zendesk-webhook-invocation-id', p_body ->> 'id'), e.kind, i.id, d.doing)::zcsync.webhook_event ORDER BY d.n)
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
		SELECT 2, 'comments' WHERE e.kind = 'tickets' AND i.id IS NOT NULL AND strpos(e.type, 'comment') > 0) AS d (n, doing);
END;
COMMENT ON FUNCTION zcsync._zendesk_webhook_events(bigint, jsonb, jsonb) IS
'what a delivery of Zendesk reports';
