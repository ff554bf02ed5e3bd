-- ---------------------------------------------------------------------
-- Zendesk as an end of routes: statuses, required fields.
-- ---------------------------------------------------------------------

-- A ticket begins with its first comment, so it needs a text.
CREATE FUNCTION zcsync._zendesk_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'description', 'description';
END;
COMMENT ON FUNCTION zcsync._zendesk_required(bigint, text, text) IS
'fields that tickets of Zendesk must have';

-- A ticket cannot be solved without an assignee, or while a field is empty that Zendesk
-- calls required.
CREATE FUNCTION zcsync._zendesk_closing(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'assignee_id', 'assignee'
	UNION ALL
	SELECT 'custom:' || f.remote_id, f.name
	FROM zcsync.fields f
	WHERE f.account_id = p_account AND f.required AND f.active IS NOT FALSE AND f.deleted_at IS NULL
		AND f.type <> ALL ('{subject,description,status,custom_status,tickettype,priority,group,assignee}')
$$;
COMMENT ON FUNCTION zcsync._zendesk_closing(bigint, text, text) IS
'fields that tickets of Zendesk must have before they can be solved';

-- The statuses of the catalogue, or all that Zendesk has.  Zendesk itself closes solved
-- tickets.  Not all accounts have the status hold; where the statuses are not mirrored,
-- an account may have it.
CREATE FUNCTION zcsync._zendesk_ticket_statuses(p_account bigint, p_kind text, p_place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH ours AS (
		SELECT * FROM (VALUES
			('new', 1, ARRAY['open']), ('open', 2, ARRAY['open']), ('pending', 3, ARRAY['custom']), ('hold', 4, ARRAY['custom']),
			('solved', 5, ARRAY['done', 'closed']), ('closed', 6, ARRAY['closed', 'done'])) AS z (value, position, categories)
	), known AS (
		SELECT DISTINCT st.category FROM zcsync.statuses st
		WHERE st.account_id = p_account AND st.deleted_at IS NULL AND st.active IS NOT FALSE AND st.category IS NOT NULL)
	SELECT coalesce(k.category, z.value), coalesce(k.category, z.value), z.position, coalesce(k.category, z.value), z.categories,
		k.category IS NOT NULL OR z.value = 'closed' OR (z.value <> 'hold' AND NOT EXISTS (SELECT FROM known)),
		z.value <> 'closed' AND (z.value <> 'hold' OR k.category IS NOT NULL
			OR NOT EXISTS (SELECT FROM zcsync.statuses st WHERE st.account_id = p_account AND st.deleted_at IS NULL))
	FROM ours z FULL JOIN known k ON k.category = z.value
$$;
COMMENT ON FUNCTION zcsync._zendesk_ticket_statuses(bigint, text, text) IS
'the statuses that tickets of an account can have, by the catalogue or the usual ones';
