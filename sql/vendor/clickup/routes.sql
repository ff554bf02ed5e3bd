-- ---------------------------------------------------------------------
-- ClickUp as an end of routes: lists, their statuses, required fields.
-- ---------------------------------------------------------------------

-- A path is looked up among the lists that discover() saw; with p_ask, the vendor is
-- asked if it saw none.
CREATE FUNCTION zcsync._clickup_place(p_account bigint, p_kind text, p_place text, p_ask boolean) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_place ~ '^[0-9]+$' THEN
		RETURN p_place;
	ELSIF NOT p_ask AND NOT EXISTS (SELECT FROM zcsync.lists l WHERE l.account_id = p_account) THEN
		RETURN NULL;
	END IF;
	RETURN zcsync._resolve_list(p_account, p_place);
END
$$;
COMMENT ON FUNCTION zcsync._clickup_place(bigint, text, text, boolean) IS
'id of a list, given as such or as a path; an error when there is none';

CREATE FUNCTION zcsync._clickup_required(p_account bigint, p_kind text, p_place text) RETURNS TABLE (field text, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'custom:' || coalesce(f.remote ->> 'id', f.remote_id), f.name
	FROM zcsync.fields f
	WHERE f.account_id = p_account AND f.scope_id = p_place AND f.required
		AND f.active IS NOT FALSE AND f.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._clickup_required(bigint, text, text) IS
'fields that tasks of a list must have';

-- The statuses of one list, or of all lists, each name once: a status of several lists
-- counts by its meaning.
CREATE FUNCTION zcsync._clickup_list_statuses(p_account bigint, p_kind text, p_place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT st.name, st.name, min(st.position),
		CASE min(st.category) WHEN 'open' THEN 'open' WHEN 'done' THEN 'solved' WHEN 'closed' THEN 'solved' END, NULL::text[], true, true
	FROM zcsync.statuses st
	WHERE st.account_id = p_account AND (p_place IS NULL OR st.scope_id = p_place) AND st.deleted_at IS NULL AND st.active IS NOT FALSE
	GROUP BY st.name
$$;
COMMENT ON FUNCTION zcsync._clickup_list_statuses(bigint, text, text) IS
'the statuses that tasks of a list can have';
