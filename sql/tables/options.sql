-- ---------------------------------------------------------------------
-- Storage parameters of the tables.
-- ---------------------------------------------------------------------

-- What autovacuum is told about the tables that zcsync writes most.  By the server's
-- default settings, a table of a million rows is vacuumed only after 200,000 dead rows.
-- A partitioned table cannot have these parameters; its partitions have them.
CREATE FUNCTION zcsync._table_options() RETURNS TABLE (table_name text, option text, advised numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT t.name, o.name, o.value
	FROM (VALUES
		('sync_queue', 0.02), ('account_budgets', 0.02), ('streams', 0.02),
		('tickets', 0.05), ('tasks', 0.05), ('leads', 0.05), ('contacts', 0.05), ('companies', 0.05), ('projects', 0.05),
		('comments', 0.05), ('attachments', 0.05), ('time_entries', 0.05), ('conversations', 0.05), ('links', 0.05)) AS t (name, share)
	CROSS JOIN LATERAL (VALUES
		('autovacuum_vacuum_threshold', 50), ('autovacuum_vacuum_scale_factor', t.share),
		('autovacuum_analyze_threshold', 50), ('autovacuum_analyze_scale_factor', t.share)) AS o (name, value);
END;
COMMENT ON FUNCTION zcsync._table_options() IS
'the storage parameters of the tables that are written most';

-- current_value is NULL for a parameter that the table does not have.  An existing value may be
-- written as C writes numbers.
CREATE FUNCTION zcsync._table_settings()
RETURNS TABLE (relation regclass, option text, advised numeric, current_value text, disabled boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.oid::regclass, o.option, o.advised, x.options ->> o.option,
		NOT coalesce((x.options ->> 'autovacuum_enabled')::boolean, true)
	FROM pg_class AS c
	LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
	LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
	JOIN zcsync._table_options() AS o ON o.table_name = coalesce(parent.relname, c.relname)
	CROSS JOIN LATERAL (
		SELECT coalesce(jsonb_object_agg(r.option_name, r.option_value), '{}') AS options
		FROM pg_options_to_table(c.reloptions) AS r) AS x
	WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'r'
$$;
COMMENT ON FUNCTION zcsync._table_settings() IS
'the storage parameters that the tables written most should have, and those that they and their partitions have';

CREATE FUNCTION zcsync._set_table_options(p_relation regclass DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row record;
	v_count integer := 0;
BEGIN
	FOR v_row IN
		SELECT s.relation, string_agg(format('%s = %s', s.option, s.advised), ', ' ORDER BY s.option) AS options
		FROM zcsync._table_settings() AS s
		WHERE s.current_value IS NULL AND s.relation = coalesce(p_relation, s.relation)
		GROUP BY s.relation
	LOOP
		EXECUTE format('ALTER TABLE %s SET (%s)', v_row.relation, v_row.options);
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync._set_table_options(regclass) IS
'gives a table, or all, the storage parameters that they lack, and leaves those that they have; returns how many tables';
