-- ---------------------------------------------------------------------
-- ClickUp: deliveries of webhooks.
--
-- ClickUp gives a webhook up that is answered with 401 or 410, and one that fails too
-- often.  A change of a task comes as an event of its own and as taskUpdated; both have
-- the task fetched, once.  The key is that of the history: an edit of a comment repeats
-- the one of its posting, and differs in the body.  No event tells that a comment was
-- deleted, and it is not certain that one changes when its task was updated last.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._clickup_webhook_proof(p_headers jsonb, p_body bytea, p_rest text) RETURNS zcsync.webhook_proof
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW('hmac-sha256/hex', p_body, lower((p_headers ->> 'x-signature') COLLATE "C"), NULL)::zcsync.webhook_proof;
END;
COMMENT ON FUNCTION zcsync._clickup_webhook_proof(jsonb, bytea, text) IS
'the signature of a delivery of ClickUp';

-- What entries of a task's history say of the columns whose form in them is known.
CREATE FUNCTION zcsync._clickup_past(p_items jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_object_agg(v.name, jsonb_build_array(v.before, v.after) ORDER BY i.n DESC)		-- of several, the first one
	FROM jsonb_array_elements(zcsync._json_list(p_items)) WITH ORDINALITY AS i (item, n)
	CROSS JOIN LATERAL (SELECT i.item ->> 'field', i.item -> 'before', i.item -> 'after') AS f (name, before, after)
	CROSS JOIN LATERAL (SELECT f.name,
		CASE f.name WHEN 'status' THEN f.before -> 'status' WHEN 'priority' THEN to_jsonb(zcsync._json_integer(f.before -> 'id')) WHEN 'name' THEN f.before END,
		CASE f.name WHEN 'status' THEN f.after -> 'status' WHEN 'priority' THEN to_jsonb(zcsync._json_integer(f.after -> 'id')) WHEN 'name' THEN f.after END) AS v (name, before, after)
	WHERE jsonb_typeof(v.before) = CASE f.name WHEN 'priority' THEN 'number' ELSE 'string' END;
END;
COMMENT ON FUNCTION zcsync._clickup_past(jsonb) IS
'what columns of a task were before, and after, by entries of its history';

-- The time of a task is read with its comments.  A list that was changed may have other
-- statuses and fields.
CREATE FUNCTION zcsync._clickup_webhook_events(p_account bigint, p_headers jsonb, p_body jsonb) RETURNS zcsync.webhook_event[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(ROW(p_body ->> 'webhook_id', e.name, h.key, k.kind, k.id, k.doing,
		CASE k.doing WHEN 'fetch' THEN zcsync._clickup_past(p_body -> 'history_items') END)::zcsync.webhook_event)
	FROM (SELECT p_body ->> 'event') AS e (name)
	CROSS JOIN (SELECT string_agg(i.item ->> 'id', ',' ORDER BY i.n)
		FROM jsonb_array_elements(zcsync._json_list(p_body -> 'history_items')) WITH ORDINALITY AS i (item, n)) AS h (key)
	CROSS JOIN LATERAL (
		SELECT 'tasks', p_body ->> 'task_id', CASE e.name WHEN 'taskDeleted' THEN 'gone' ELSE 'fetch' END
		WHERE e.name LIKE 'task%' AND p_body ->> 'task_id' ~ '^[A-Za-z0-9]{1,40}$'
		UNION ALL
		SELECT 'tasks', p_body ->> 'task_id', 'comments'
		WHERE (e.name LIKE 'taskComment%' OR e.name = 'taskTimeTrackedUpdated') AND p_body ->> 'task_id' ~ '^[A-Za-z0-9]{1,40}$'
		UNION ALL
		SELECT c.kind, NULL, 'read' FROM unnest('{statuses,fields}'::text[]) AS c (kind)
		WHERE e.name LIKE 'list%' OR e.name LIKE 'folder%' OR e.name LIKE 'space%') AS k (kind, id, doing);
END;
COMMENT ON FUNCTION zcsync._clickup_webhook_events(bigint, jsonb, jsonb) IS
'what a delivery of ClickUp reports';

CREATE FUNCTION zcsync._clickup_webhook_request(p_account bigint, p_step text, p_webhook jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE p_step
		WHEN 'list' THEN jsonb_build_object('op', 'webhooks', 'team_id', a.settings -> 'workspace_id')
		WHEN 'create' THEN jsonb_build_object('op', 'create_webhook', 'team_id', a.settings -> 'workspace_id',
			'body', jsonb_build_object('endpoint', p_webhook -> 'url', 'events', p_webhook -> 'events'))
		WHEN 'update' THEN jsonb_build_object('op', 'update_webhook', 'webhook_id', p_webhook -> 'id',
			'body', jsonb_build_object('endpoint', p_webhook -> 'url', 'events', p_webhook -> 'events', 'status', 'active'))
		WHEN 'delete' THEN jsonb_build_object('op', 'delete_webhook', 'webhook_id', p_webhook -> 'id') END
	FROM zcsync.accounts AS a WHERE a.account_id = p_account
$$;
COMMENT ON FUNCTION zcsync._clickup_webhook_request(bigint, text, jsonb) IS
'a request to ClickUp about webhooks';

-- The documents show the secret in the reply to a creation, and it is taken where else
-- it should stand.
CREATE FUNCTION zcsync._clickup_webhook_reply(p_step text, p_reply jsonb)
RETURNS TABLE (id text, url text, events text[], health text, failures integer, secret text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT h.hook ->> 'id', h.hook ->> 'endpoint', ARRAY(SELECT jsonb_array_elements_text(zcsync._json_list(h.hook -> 'events'))),
		coalesce(h.hook #>> '{health,status}', 'active'), CASE WHEN h.hook #>> '{health,fail_count}' ~ '^[0-9]{1,9}$' THEN (h.hook #>> '{health,fail_count}')::integer END,
		h.hook ->> 'secret'
	FROM jsonb_array_elements(CASE p_step WHEN 'list' THEN zcsync._json_list(p_reply -> 'webhooks') ELSE jsonb_build_array(p_reply -> 'webhook') END) AS h (hook)
	WHERE p_step IN ('list', 'create');
END;
COMMENT ON FUNCTION zcsync._clickup_webhook_reply(text, jsonb) IS
'the webhooks of a reply of ClickUp';
