-- ---------------------------------------------------------------------
-- Rows whose changes are taken back.  The caller of these functions has locked the
-- rows.
-- ---------------------------------------------------------------------

-- What a push of this row would send: the columns, and keys of custom fields as
-- "custom_fields/key", that can be written and whose values differ from base.
CREATE FUNCTION zcsync._unsent_fields(p_account bigint, p_kind text, p_local_id bigint) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_columns text[] := zcsync._pushable((SELECT a.vendor FROM zcsync.accounts a WHERE a.account_id = p_account), p_kind);
	v_fields text[];
BEGIN
	EXECUTE format($sql$
		SELECT array_agg(f.field ORDER BY f.field COLLATE "C")
		FROM zcsync.%I AS t
		CROSS JOIN LATERAL jsonb_object_keys(zcsync._differing(t.base, $3, ROW(%s))) AS d (name)
		CROSS JOIN LATERAL (
			SELECT d.name WHERE d.name <> 'custom_fields'
			UNION ALL
			SELECT 'custom_fields/' || k FROM unnest(zcsync._differing_keys(
				coalesce(nullif(t.base -> 'custom_fields', 'null'), '{}'), to_jsonb(t) -> 'custom_fields')) AS k
			WHERE d.name = 'custom_fields') AS f (field)
		WHERE t.account_id = $1 AND t.local_id = $2$sql$,
		p_kind, (SELECT string_agg('t.' || quote_ident(c), ', ' ORDER BY n) FROM unnest(v_columns) WITH ORDINALITY AS u (c, n)))
		INTO v_fields USING p_account, p_local_id, v_columns;
	RETURN coalesce(v_fields, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._unsent_fields(bigint, text, bigint) IS
'the fields of a row that differ from what was last agreed with the vendor';

-- Set the columns that can be written to their values in base.  A column that base
-- lacks was never agreed on; it becomes empty, as a push would see it.
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
	-- no value from here is left that a person could choose
	UPDATE zcsync.conflicts c SET resolved_at = zcsync._now()
	WHERE c.account_id = p_account AND c.local_id = ANY (p_ids) AND c.resolved_at IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._take_back(bigint, text, bigint[]) IS
'takes back what was changed here in rows of a kind: each column becomes what was last agreed with the vendor';

-- The same for one field of a row, which may be a key of its custom fields.  The
-- row is in step if nothing else of it differs.
CREATE FUNCTION zcsync._take_back_field(p_account bigint, p_kind text, p_local_id bigint, p_field text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_key text := CASE WHEN starts_with(p_field, 'custom_fields/') THEN substr(p_field, 15) END;
	v_column text := CASE WHEN v_key IS NULL THEN p_field ELSE 'custom_fields' END;
	v_state text;
BEGIN
	EXECUTE format($sql$
		UPDATE zcsync.%1$I AS t
		SET %2$I = %3$s, sync_cause = 'cancel', sync_cause_id = NULL, sync_xid = pg_current_xact_id()
		FROM (SELECT r.local_id AS id, b.%2$I AS value FROM zcsync.%1$I AS r CROSS JOIN LATERAL jsonb_populate_record(NULL::zcsync.%1$I, r.base) AS b
			WHERE r.account_id = $1 AND r.local_id = $2) AS b
		WHERE t.account_id = $1 AND t.local_id = b.id$sql$, p_kind, v_column,
		CASE WHEN v_key IS NOT NULL THEN 'CASE WHEN b.value ? $3 THEN t.custom_fields || jsonb_build_object($3, b.value -> $3) ELSE t.custom_fields - $3 END'
			WHEN v_column = 'custom_fields' THEN 'coalesce(b.value, ''{}'')' ELSE 'b.value' END)
		USING p_account, p_local_id, v_key;
	UPDATE zcsync.conflicts c SET resolved_at = zcsync._now()
	WHERE c.account_id = p_account AND c.local_id = p_local_id AND c.resolved_at IS NULL
		AND (c.field = p_field OR starts_with(c.field, p_field || '/'));
	v_state := CASE WHEN zcsync._unsent_fields(p_account, p_kind, p_local_id) = '{}' THEN 'synced'
		WHEN zcsync._open_conflicts(p_account, p_local_id) IS NULL THEN 'pending' ELSE 'conflict' END;
	EXECUTE format('UPDATE zcsync.%I AS t SET sync_state = $3, sync_cause = ''state'', sync_cause_id = NULL, sync_xid = pg_current_xact_id() '
			'WHERE t.account_id = $1 AND t.local_id = $2 AND t.sync_state <> $3 AND ($3 = ''synced'' OR t.sync_state = ''conflict'')', p_kind)
		USING p_account, p_local_id, v_state;
END
$$;
COMMENT ON FUNCTION zcsync._take_back_field(bigint, text, bigint, text) IS
'takes back what was changed here in one field of a row: it becomes what was last agreed with the vendor';

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
			SELECT g.account_id, %1$L, g.local_id, 'delete', zcsync._history_values(%1$L, (
					SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(to_jsonb(g)) AS c
					WHERE c.key = ANY (zcsync._own_columns(%1$L)) AND c.value NOT IN ('null', '{}'))),
				'cancel', pg_current_xact_id(), coalesce(nullif(current_setting('role'), 'none'), session_user), zcsync._now()
			FROM gone AS g)
		SELECT coalesce(array_agg(g.local_id), '{}') FROM gone AS g$sql$, p_kind)
		INTO v_gone USING p_account, p_ids;
	RETURN v_gone;
END
$$;
COMMENT ON FUNCTION zcsync._delete_unsent(bigint, text, bigint[]) IS
'deletes rows that the vendor never had, and returns them; their history stays';
