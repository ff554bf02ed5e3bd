-- ---------------------------------------------------------------------
-- What the mirror has of an account: its streams and its rows.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._add_local_stream(p_account bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._make_local_stream(a.account_id)
	FROM zcsync.accounts AS a WHERE a.account_id = p_account AND a.vendor = 'local';
END
$$;
COMMENT ON FUNCTION zcsync._add_local_stream(bigint) IS
'makes the stream of an account if it is a local one';

-- The stream of a local account was made with the account, and does not count while it
-- is empty.
CREATE FUNCTION zcsync._count_account_streams(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(*) FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.account_id = p_account
		AND (a.vendor <> 'local' OR EXISTS (SELECT FROM zcsync.leads l WHERE l.account_id = p_account))
$$;
COMMENT ON FUNCTION zcsync._count_account_streams(bigint) IS
'how many streams an account has';

-- The worker locks streams that are due, and then refers to their account.
CREATE FUNCTION zcsync._lock_account_streams(p_account bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT FROM zcsync.streams s WHERE s.account_id = p_account ORDER BY s.stream_id FOR UPDATE
$$;
COMMENT ON FUNCTION zcsync._lock_account_streams(bigint) IS
'locks the streams of an account that is about to be removed';

CREATE FUNCTION zcsync._account_streams() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('streams', 10, p_added => 'zcsync._add_local_stream(bigint)'::regprocedure,
		p_count => 'zcsync._count_account_streams(bigint)'::regprocedure,
		p_removing => 'zcsync._lock_account_streams(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_streams() IS
'what is done about streams when an account is added or removed; its foreign key removes them with it';

CREATE FUNCTION zcsync._remove_account_rows(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_kind text;
	v_count bigint;
	v_rows text[] := '{}';
BEGIN
	PERFORM zcsync._allow_delete();
	FOR v_kind IN SELECT k FROM unnest(zcsync._kinds()) AS k ORDER BY k COLLATE "C" LOOP
		EXECUTE format('SELECT count(*) FROM zcsync.%I WHERE account_id = $1', v_kind) INTO v_count USING p_account;
		PERFORM zcsync._verb_step(v_kind, v_count);
		EXECUTE format('WITH gone AS (DELETE FROM zcsync.%I WHERE account_id = $1 RETURNING zcsync._verb_did()) SELECT count(*) FROM gone', v_kind)
			INTO v_count USING p_account;
		IF v_count > 0 THEN
			v_rows := v_rows || format('%s %s', v_count, v_kind);
		END IF;
	END LOOP;
	RETURN coalesce(nullif(array_to_string(v_rows, ', '), ''), '0');
END
$$;
COMMENT ON FUNCTION zcsync._remove_account_rows(bigint) IS
'removes the mirror rows of an account; returns how many of which kind';

CREATE FUNCTION zcsync._account_rows() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('rows', 50, p_remove => 'zcsync._remove_account_rows(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_rows() IS
'what is done about mirror rows when an account is removed';
