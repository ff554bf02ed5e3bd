-- ---------------------------------------------------------------------
-- Rows whose changes are taken back.  Who calls this has locked the rows.
-- ---------------------------------------------------------------------

-- The columns that can be written become what base has.  What base does not
-- know was never agreed on: it becomes empty, as a push would see it.
CREATE FUNCTION zcsync._take_back(p_account bigint, p_kind text, p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_columns text;
	v_values text;
BEGIN
	SELECT string_agg(quote_ident(c), ', '),
		string_agg(format(CASE c WHEN 'custom_fields' THEN 'coalesce(b.%I, ''{}'')' ELSE 'b.%I' END, c), ', ')
	INTO STRICT v_columns, v_values
	FROM unnest(zcsync._pushable((SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account), p_kind)) AS c;
	EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t
		SET (%2$s, sync_state, sync_cause, sync_cause_id, sync_xid) = (
			SELECT %3$s, 'synced', 'cancel', NULL::bigint, pg_current_xact_id() FROM jsonb_populate_record(NULL::zcsync.%1$I, t.base) AS b)
		WHERE t.account_id = $1 AND t.local_id = ANY ($2) AND t.remote_id IS NOT NULL AND t.base IS NOT NULL$sql$,
		p_kind, v_columns, v_values)
		USING p_account, p_ids;
	-- nothing of ours is left that a person could decide for
	UPDATE zcsync.conflicts c SET resolved_at = zcsync._now()
	WHERE c.account_id = p_account AND c.local_id = ANY (p_ids) AND c.resolved_at IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._take_back(bigint, text, bigint[]) IS
'takes back what was changed here in rows of a kind: each column becomes what was last agreed with the vendor';

-- Delete rows that the vendor never had.  What they held stays in the history.
CREATE FUNCTION zcsync._delete_unsent(p_account bigint, p_kind text, p_ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_gone bigint[];
BEGIN
	PERFORM zcsync._allow_delete();
	EXECUTE format($sql$
		WITH gone AS (
			DELETE FROM zcsync.%1$I AS t WHERE t.account_id = $1 AND t.local_id = ANY ($2) AND t.remote_id IS NULL
			RETURNING t.*
		), noted AS (
			INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, cause, xid, role, created_at)
			SELECT g.account_id, %1$L, g.local_id, 'delete', (
					SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(to_jsonb(g)) AS c
					WHERE c.key = ANY (zcsync._own_columns(%1$L)) AND c.value NOT IN ('null', '{}')),
				'cancel', pg_current_xact_id(), coalesce(nullif(current_setting('role'), 'none'), session_user), zcsync._now()
			FROM gone AS g)
		SELECT coalesce(array_agg(g.local_id), '{}') FROM gone AS g$sql$, p_kind)
		INTO v_gone USING p_account, p_ids;
	RETURN v_gone;
END
$$;
COMMENT ON FUNCTION zcsync._delete_unsent(bigint, text, bigint[]) IS
'deletes rows that the vendor never had, and returns them; their history stays';
