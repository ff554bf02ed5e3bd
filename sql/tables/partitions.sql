-- ---------------------------------------------------------------------
-- Partitions by month in UTC: sync_records and changes by created_at, leads by
-- inserted_at.
--
-- A row must never fail because its month has no partition, so each table has a DEFAULT
-- partition.  Rows that land there are moved when the partition of their month is made.
-- ---------------------------------------------------------------------

-- Without a replica identity an UPDATE or DELETE fails in a database with a
-- publication of all tables.  A partition that has no key gets what its parent has.
CREATE FUNCTION zcsync._inherit_identity(p_partition regclass, p_parent regclass) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (SELECT c.relreplident FROM pg_class AS c WHERE c.oid = p_parent) = 'f' THEN
		EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', p_partition);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._inherit_identity(regclass, regclass) IS
'gives a partition the replica identity of its parent';

-- These rows are not new, so no trigger is called for them.
CREATE FUNCTION zcsync._fill_partition(p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $$
BEGIN
	EXECUTE format('INSERT INTO zcsync.%I SELECT * FROM pg_temp.zcsync_moved', p_name);
END
$$;
COMMENT ON FUNCTION zcsync._fill_partition(text) IS
'puts rows that were taken from the DEFAULT partition into that of their month';

-- Move rows of a month from the DEFAULT partition to that of the month.  That partition
-- is attached before the rows are inserted: rows written to a table that is not yet
-- part of the partitioned table would not reach the subscribers of logical replication.
CREATE FUNCTION zcsync._attach_partition(p_table text, p_key text, p_name text, p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_moves boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM zcsync.%I AS d WHERE d.%I >= $1 AND d.%2$I < $2)', p_table || '_default', p_key)
		INTO v_moves USING p_from, p_to;
	IF v_moves THEN
		EXECUTE format('CREATE TEMPORARY TABLE zcsync_moved (LIKE zcsync.%I) ON COMMIT DROP', p_table || '_default');
		PERFORM zcsync._verb_step(format('moving rows to %s', p_name), NULL);
		EXECUTE format('WITH moved AS (DELETE FROM zcsync.%I WHERE %I >= $1 AND %2$I < $2 RETURNING *) '
				'INSERT INTO pg_temp.zcsync_moved SELECT * FROM moved WHERE zcsync._verb_did()', p_table || '_default', p_key)
			USING p_from, p_to;
	END IF;
	EXECUTE format('ALTER TABLE zcsync.%I ATTACH PARTITION zcsync.%I FOR VALUES FROM (%L) TO (%L)',
		p_table, p_name, p_from, p_to);
	IF v_moves THEN
		PERFORM zcsync._fill_partition(p_name);
		DROP TABLE pg_temp.zcsync_moved;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._attach_partition(text, text, text, timestamptz, timestamptz) IS
'attaches the partition of a month with the rows of it that are in the DEFAULT partition';

-- Make the partition of one month, and move its rows that are in the DEFAULT partition.
-- The partition is made as a separate table and then attached, which does not lock out
-- writers.
CREATE FUNCTION zcsync._create_partition(p_table text, p_key text, p_month date) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_name text := format('%s_y%sm%s', p_table, to_char(p_month, 'YYYY'), to_char(p_month, 'MM'));
	v_from timestamptz := p_month;
	v_to timestamptz := p_month + interval '1 month';
BEGIN
	EXECUTE format('CREATE TABLE zcsync.%I (LIKE zcsync.%I INCLUDING ALL)', v_name, p_table);
	PERFORM zcsync._inherit_identity(format('zcsync.%I', v_name)::regclass, format('zcsync.%I', p_table)::regclass);
	EXECUTE format('LOCK TABLE zcsync.%I IN ACCESS EXCLUSIVE MODE', p_table || '_default');
	PERFORM zcsync._attach_partition(p_table, p_key, v_name, v_from, v_to);
	PERFORM zcsync._set_table_options(format('zcsync.%I', v_name)::regclass);
END
$$;
COMMENT ON FUNCTION zcsync._create_partition(text, text, date) IS
'makes the partition of one month; rows of that month that are in the DEFAULT partition move to it';

-- Make what a table lacks: its DEFAULT partition, this month, the months of
-- zcsync.partition_ahead, and those of rows in the DEFAULT partition, unless they are a
-- lifetime away.  If somebody has locked the table, or a foreign key of a user's table
-- refers to the rows, this is left for the next time; until then an alert says so.
CREATE FUNCTION zcsync._create_partitions_of(p_table text, p_key text) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_ahead integer := coalesce(nullif(current_setting('zcsync.partition_ahead', true), ''), '2')::integer;
	v_month date;
	v_made integer := 0;
	v_failed text;
BEGIN
	-- One session at a time; the one that is doing this makes all that is missing.
	IF NOT pg_try_advisory_xact_lock('zcsync.changes'::regclass::oid::integer, 45) THEN
		RETURN 0;
	END IF;
	PERFORM zcsync._verb_begins('zcsync.create_partitions()');
	IF to_regclass(format('zcsync.%I', p_table || '_default')) IS NULL THEN
		EXECUTE format('CREATE TABLE zcsync.%I PARTITION OF zcsync.%I DEFAULT', p_table || '_default', p_table);
		PERFORM zcsync._inherit_identity(format('zcsync.%I', p_table || '_default')::regclass, format('zcsync.%I', p_table)::regclass);
		EXECUTE format('COMMENT ON TABLE zcsync.%I IS %L', p_table || '_default',
			'rows whose month had no partition yet; create_partitions() moves them');
	END IF;
	FOR v_month IN EXECUTE format($sql$
		SELECT m.month
		FROM (
			SELECT (date_trunc('month', $1) + n * interval '1 month')::date FROM generate_series(0, $2) AS n
			UNION
			SELECT date_trunc('month', d.%3$I)::date FROM zcsync.%1$I AS d
			WHERE d.%3$I > $1 - interval '100 years' AND d.%3$I < $1 + interval '100 years') AS m (month)
		WHERE to_regclass(format('zcsync.%%I', %2$L || to_char(m.month, '"_y"YYYY"m"MM'))) IS NULL
		ORDER BY m.month$sql$, p_table || '_default', p_table, p_key)
		USING v_now, v_ahead
	LOOP
		BEGIN
			PERFORM zcsync._create_partition(p_table, p_key, v_month);
			v_made := v_made + 1;
		EXCEPTION WHEN lock_not_available OR foreign_key_violation THEN
			v_failed := format('could not make the partition of table "%s" for %s: %s', p_table, to_char(v_month, 'YYYY-MM'), SQLERRM);
			RAISE LOG USING ERRCODE = SQLSTATE, MESSAGE = v_failed, DETAIL = 'Rows go to its default partition until then.';
		END;
	END LOOP;
	PERFORM zcsync._verb_ends();
	IF v_failed IS NULL THEN
		PERFORM zcsync._resolve_alert('partitions', p_table);
	ELSE
		PERFORM zcsync._alert('partitions', p_table, 'warning', v_failed,
			'SELECT zcsync.create_partitions(); -- when nobody has locked the table, and no foreign key refers to rows of its default partition');
	END IF;
	RETURN v_made;
END
$$;
COMMENT ON FUNCTION zcsync._create_partitions_of(text, text) IS
'makes the monthly partitions that a table lacks; returns how many';

-- The worker does this each day.
CREATE FUNCTION zcsync.create_partitions() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	RETURN zcsync._create_partitions_of('sync_records', 'created_at') + zcsync._create_partitions_of('changes', 'created_at')
		+ zcsync.create_lead_partitions();
END
$$;
COMMENT ON FUNCTION zcsync.create_partitions() IS
'makes the monthly partitions of sync_records, changes and leads that are missing, for now and zcsync.partition_ahead months; returns how many';

CREATE FUNCTION zcsync.create_lead_partitions() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	RETURN zcsync._create_partitions_of('leads', 'inserted_at');
END
$$;
COMMENT ON FUNCTION zcsync.create_lead_partitions() IS
'makes the monthly partitions of leads that are missing and moves leads of the default partition into them; returns how many it made';

-- Rows of a month without a partition go to the DEFAULT partition, from which
-- maintenance never drops them.
CREATE FUNCTION zcsync._check_partitions() RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_missing text;
	v_strange text;
BEGIN
	IF to_regclass('zcsync.installation') IS NULL THEN
		RETURN;
	END IF;
	SELECT string_agg(m.name, ', ') FILTER (WHERE to_regclass(format('zcsync.%I', m.name)) IS NULL),
		min(m.name) FILTER (WHERE to_regclass(format('zcsync.%I', m.name)) IS NOT NULL)
	INTO v_missing, v_strange
	FROM (
		SELECT p.parent, p.parent || to_char(zcsync._now() AT TIME ZONE 'UTC', '"_y"YYYY"m"MM') AS name
		FROM unnest('{changes,leads,sync_records}'::text[]) AS p (parent)) AS m
	WHERE NOT EXISTS (SELECT FROM pg_inherits AS i
		WHERE i.inhparent = to_regclass(format('zcsync.%I', m.parent)) AND i.inhrelid = to_regclass(format('zcsync.%I', m.name)));
	item := 'partitions';
	ok := v_missing IS NULL AND v_strange IS NULL;
	message := CASE WHEN ok THEN 'this month has its partitions'
		WHEN v_missing IS NOT NULL THEN format('there is no partition %s', v_missing)
		ELSE format('table %s is no partition', v_strange) END;
	hint := CASE WHEN v_missing IS NOT NULL THEN 'SELECT zcsync.create_partitions();'
		WHEN v_strange IS NOT NULL THEN format('ALTER TABLE zcsync.%I RENAME TO %I; SELECT zcsync.create_partitions();', v_strange, v_strange || '_old') END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._check_partitions() IS
'the part of zcsync.selfcheck() about the partitions of this month';
