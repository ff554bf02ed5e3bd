-- ---------------------------------------------------------------------
-- HaloPSA: deliveries of webhooks.
--
-- HaloPSA signs nothing.  It can send a user name and a password, or a token; or the
-- secret stands in the address, after the path of the account.  Which of these it is
-- makes no difference: each is compared with the secret, for Basic "user:password".
--
-- A delivery may hold several events.  An event names a ticket, and does not say whether
-- that is a ticket, an opportunity or a project: the row says it, and where there is none that
-- is not deleted, the streams of all of them are read.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_webhook_proof(p_headers jsonb, p_body bytea, p_rest text) RETURNS zcsync.webhook_proof
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(CASE s.scheme WHEN 'basic' THEN 'secret/base64' ELSE 'secret' END, p_body,
		CASE WHEN s.scheme IN ('basic', 'bearer') THEN btrim(substr(s.given, length(s.scheme) + 1)) ELSE nullif(p_rest, '') END, NULL)::zcsync.webhook_proof
	FROM (SELECT p_headers ->> 'authorization', lower(split_part(p_headers ->> 'authorization', ' ', 1) COLLATE "C")) AS s (given, scheme);
END;
COMMENT ON FUNCTION zcsync._halopsa_webhook_proof(jsonb, bytea, text) IS
'the secret that a delivery of HaloPSA carries';

CREATE FUNCTION zcsync._halopsa_ticket_kinds(p_account bigint) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'tickets' UNION ALL SELECT 'leads'
	UNION ALL SELECT s.kind FROM zcsync.streams AS s WHERE s.account_id = p_account AND s.kind = 'projects'
$$;
COMMENT ON FUNCTION zcsync._halopsa_ticket_kinds(bigint) IS
'the kinds of an account that a ticket may be of';

-- The ticket that an event names, as an event for each stream that has to read.
CREATE FUNCTION zcsync._halopsa_ticket_events(p_account bigint, p_id text, p_has_action boolean) RETURNS TABLE (kind text, remote_id text, doing text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH known AS (
		SELECT 'tickets' AS kind FROM zcsync.tickets AS t WHERE t.account_id = p_account AND t.remote_id = p_id AND t.deleted_at IS NULL
		UNION ALL
		SELECT 'leads' FROM zcsync.leads AS l WHERE l.account_id = p_account AND l.remote_id = p_id AND l.deleted_at IS NULL
		UNION ALL
		SELECT 'projects' FROM zcsync.projects AS p WHERE p.account_id = p_account AND p.remote_id = p_id AND p.deleted_at IS NULL)
	SELECT k.kind, p_id, 'fetch' FROM known AS k
	UNION ALL
	SELECT u.kind, p_id, 'read' FROM zcsync._halopsa_ticket_kinds(p_account) AS u (kind) WHERE NOT EXISTS (SELECT FROM known)
	UNION ALL
	SELECT k.kind, p_id, 'comments' FROM known AS k WHERE p_has_action AND k.kind <> 'projects'
$$;
COMMENT ON FUNCTION zcsync._halopsa_ticket_events(bigint, text, boolean) IS
'what an event about a ticket of HaloPSA has read';

CREATE FUNCTION zcsync._halopsa_webhook_events(p_account bigint, p_headers jsonb, p_body jsonb) RETURNS zcsync.webhook_event[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(ROW(e.event ->> 'webhook_id', e.event ->> 'event', coalesce(e.event ->> 'id', e.event ->> 'timestamp'),
		t.kind, t.remote_id, t.doing, NULL)::zcsync.webhook_event ORDER BY e.n, t.kind, t.doing DESC)
	FROM jsonb_array_elements(CASE WHEN jsonb_typeof(p_body) = 'array' THEN p_body
			WHEN jsonb_typeof(p_body -> 'events') = 'array' THEN p_body -> 'events'
			ELSE jsonb_build_array(p_body) END) WITH ORDINALITY AS e (event, n)
	CROSS JOIN LATERAL (SELECT coalesce(zcsync._halopsa_read_id(e.event #> '{ticket,id}'), zcsync._halopsa_read_id(e.event #> '{action,ticket_id}'),
		zcsync._halopsa_read_id(e.event -> 'ticket_id'), zcsync._halopsa_read_id(e.event -> 'object_id'))) AS i (id)
	CROSS JOIN LATERAL (
		SELECT * FROM zcsync._halopsa_ticket_events(p_account, i.id, e.event ? 'action' OR e.event ? 'actions') WHERE i.id IS NOT NULL
		UNION ALL
		SELECT u.kind, NULL, 'read' FROM zcsync._halopsa_ticket_kinds(p_account) AS u (kind) WHERE i.id IS NULL) AS t
	WHERE e.n <= 200
$$;
COMMENT ON FUNCTION zcsync._halopsa_webhook_events(bigint, jsonb, jsonb) IS
'what a delivery of HaloPSA reports';
