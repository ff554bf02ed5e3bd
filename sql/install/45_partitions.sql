-- ---------------------------------------------------------------------
-- Partitions of history: sync_records and changes, by month in UTC.
--
-- A row must never fail for want of its month, so both tables have a DEFAULT
-- partition.  Rows that landed there move when their month is made.
-- ---------------------------------------------------------------------

-- Make one month of a table and move the rows of it that are in the DEFAULT
-- partition.  The month is made beside its parent and attached, which does not
-- lock out those who write.
CREATE FUNCTION zcsync._create_partition(p_table text, p_month date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_name text := format('%s_y%sm%s', p_table, to_char(p_month, 'YYYY'), to_char(p_month, 'MM'));
	v_from timestamptz := p_month;
	v_to timestamptz := p_month + interval '1 month';
BEGIN
	EXECUTE format('CREATE TABLE zcsync.%I (LIKE zcsync.%I INCLUDING ALL)', v_name, p_table);
	EXECUTE format('LOCK TABLE zcsync.%I IN ACCESS EXCLUSIVE MODE', p_table || '_default');
	EXECUTE format('WITH moved AS (DELETE FROM zcsync.%I WHERE created_at >= $1 AND created_at < $2 RETURNING *) '
			'INSERT INTO zcsync.%I SELECT * FROM moved', p_table || '_default', v_name)
		USING v_from, v_to;
	EXECUTE format('ALTER TABLE zcsync.%I ATTACH PARTITION zcsync.%I FOR VALUES FROM (%L) TO (%L)',
		p_table, v_name, v_from, v_to);
END
$$;
COMMENT ON FUNCTION zcsync._create_partition(text, date) IS
'makes the partition of one month; rows of that month that are in the DEFAULT partition move to it';

-- Make what is missing: this month, those of zcsync.partition_ahead, and those
-- of rows in the DEFAULT partition.  Done by the worker each day; a table that
-- somebody holds a lock on is left for the next time.
CREATE FUNCTION zcsync.create_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_ahead integer := coalesce(current_setting('zcsync.partition_ahead', true), '2')::integer;
	v_table text;
	v_month date;
	v_made integer := 0;
BEGIN
	-- One at a time; whoever is at it makes what is missing.
	IF NOT pg_try_advisory_xact_lock('zcsync.changes'::regclass::oid::integer, 45) THEN
		RETURN 0;
	END IF;
	FOREACH v_table IN ARRAY '{sync_records,changes}'::text[] LOOP
		IF to_regclass(format('zcsync.%I', v_table || '_default')) IS NULL THEN
			EXECUTE format('CREATE TABLE zcsync.%I PARTITION OF zcsync.%I DEFAULT', v_table || '_default', v_table);
			EXECUTE format('COMMENT ON TABLE zcsync.%I IS %L', v_table || '_default',
				'rows whose month had no partition yet; create_partitions() moves them');
		END IF;
		FOR v_month IN EXECUTE format($sql$
			SELECT m.month
			FROM (
				SELECT (date_trunc('month', $1) + n * interval '1 month')::date FROM generate_series(0, $2) AS n
				UNION
				SELECT date_trunc('month', d.created_at)::date FROM zcsync.%1$I AS d WHERE isfinite(d.created_at)
				) AS m (month)
			WHERE to_regclass(format('zcsync.%%I', %2$L || to_char(m.month, '"_y"YYYY"m"MM'))) IS NULL
			ORDER BY m.month$sql$, v_table || '_default', v_table)
			USING v_now, v_ahead
		LOOP
			BEGIN
				PERFORM zcsync._create_partition(v_table, v_month);
				v_made := v_made + 1;
			EXCEPTION WHEN lock_not_available THEN
				RAISE LOG USING ERRCODE = SQLSTATE,
					MESSAGE = format('could not make the partition of table "%s" for %s', v_table, to_char(v_month, 'YYYY-MM')),
					DETAIL = 'Another session holds a lock on the table. Rows go to its default partition until then.';
			END;
		END LOOP;
	END LOOP;
	RETURN v_made;
END
$$;
COMMENT ON FUNCTION zcsync.create_partitions() IS
'makes the monthly partitions of sync_records and changes that are missing, for now and zcsync.partition_ahead months; returns how many';
