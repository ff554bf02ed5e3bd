-- ---------------------------------------------------------------------
-- Archives: a month that has ended moves to a table of the operator's own.
-- ---------------------------------------------------------------------

-- Of which table is this a month, and is it still part of it?  An error unless it is a
-- month of zcsync that nobody needs any more, and the caller may dispose of it.  Leads of
-- a month that is still attached are in use: maintain() forgets all else that is known of
-- them before it detaches the month.
CREATE FUNCTION zcsync._check_archived_month(p_month regclass, OUT parent regclass)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	SELECT c.relname, c.relowner, to_date(substring(c.relname FROM '_y([0-9]{4}m[0-9]{2})$'), 'YYYY"m"MM') AS begins INTO v
	FROM pg_class AS c
	WHERE c.oid = p_month AND c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'r'
		AND c.relname ~ '^(changes|leads|sync_records)_y[0-9]{4}m[0-9]{2}$';
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('%s is not a month of zcsync', coalesce('"' || p_month::text || '"', 'NULL')),
			HINT = 'Months have names such as zcsync.changes_y2026m01; the view zcsync.table_bloat lists them.';
	ELSIF NOT pg_has_role(v.relowner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of table "%s"', p_month),
			HINT = format('SET ROLE %I;', pg_get_userbyid(v.relowner));
	ELSIF v.begins + interval '1 month' > zcsync._now() AT TIME ZONE 'UTC' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the month of "%s" has not ended', p_month), HINT = 'Archive it when it has ended.';
	END IF;
	parent := (SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = p_month);
	IF parent = 'zcsync.leads'::regclass THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('the leads of "%s" are still in use', p_month),
			DETAIL = 'Leads leave zcsync by their retention, with all that is known of them.',
			HINT = 'Set zcsync.lead_retention_months, and CALL zcsync.maintain(); archive the month when it is detached.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_archived_month(regclass) IS
'raises an error unless this is a month that the caller may archive; returns the table that it is part of, NULL: none';

-- The columns of a month.  An error unless the archive has them all and is no table of
-- zcsync itself.
CREATE FUNCTION zcsync._archived_columns(p_month regclass, p_archive regclass) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_columns text;
	v_missing text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = p_archive AND c.relkind IN ('r', 'p', 'f') AND c.relnamespace <> 'zcsync'::regnamespace) THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('%s cannot be an archive', coalesce('"' || p_archive::text || '"', 'NULL')),
			HINT = format('Make a table of your own: CREATE SCHEMA archive; CREATE TABLE archive.%I (LIKE %s);',
				(SELECT regexp_replace(c.relname, '_y[0-9]{4}m[0-9]{2}$', '') FROM pg_class AS c WHERE c.oid = p_month), p_month);
	END IF;
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
		string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE b.attnum IS NULL)
	INTO v_columns, v_missing
	FROM pg_attribute AS a
	LEFT JOIN pg_attribute AS b ON b.attrelid = p_archive AND b.attname = a.attname AND NOT b.attisdropped
	WHERE a.attrelid = p_month AND a.attnum > 0 AND NOT a.attisdropped;
	IF v_missing IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('archive "%s" lacks columns: %s', p_archive, v_missing),
			HINT = format('ALTER TABLE %s ADD COLUMN ...;', p_archive);
	END IF;
	RETURN v_columns;
END
$$;
COMMENT ON FUNCTION zcsync._archived_columns(regclass, regclass) IS
'the columns of a month, for an archive that has them all';

-- With the rights of the caller, whose table the archive is: its triggers must get no
-- more rights than the caller has.  All of it is one transaction, so the rows are in one
-- place or in the other.
CREATE FUNCTION zcsync.archive_month(month regclass, archive regclass) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
	v_parent regclass;
	v_columns text;
	v_rows bigint;
	v_written bigint;
BEGIN
	PERFORM zcsync._refuse_standby();
	v_parent := zcsync._check_archived_month(archive_month.month);
	v_columns := zcsync._archived_columns(archive_month.month, archive_month.archive);
	-- rows that an older snapshot does not show would be dropped unseen
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_transaction_state',
			MESSAGE = 'archive_month() must be called in a transaction of isolation level READ COMMITTED',
			HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED; or outside of a transaction: SET default_transaction_isolation = ''read committed'';';
	END IF;
	IF v_parent IS NOT NULL THEN
		EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', v_parent, archive_month.month);
	END IF;
	EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', archive_month.month);	-- nobody adds a row meanwhile
	-- about how many rows; to count them would take long, with all of them locked
	PERFORM zcsync._verb_begins(format('zcsync.archive_month(%L)', archive_month.month),
		(SELECT nullif(c.reltuples, -1)::bigint FROM pg_class AS c WHERE c.oid = archive_month.month));
	EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %3$s WHERE zcsync._verb_did()', archive_month.archive, v_columns, archive_month.month);
	GET DIAGNOSTICS v_written = ROW_COUNT;
	-- a trigger of the archive may have added some
	EXECUTE format('SELECT count(*) FROM %s', archive_month.month) INTO v_rows;
	IF v_written <> v_rows THEN
		RAISE EXCEPTION USING ERRCODE = 'triggered_data_change_violation',
			MESSAGE = format('archive "%s" took %s of %s rows', archive_month.archive, v_written, v_rows),
			HINT = 'A trigger or a rule of that table leaves some out.';
	END IF;
	EXECUTE format('DROP TABLE %s', archive_month.month);
	PERFORM zcsync._verb_ends();
	RETURN v_rows;
END
$$;
COMMENT ON FUNCTION zcsync.archive_month(regclass, regclass) IS
'moves the rows of a month of changes or sync_records that has ended, or of a month that was detached, to a table of your own, and drops the month; returns how many rows';
