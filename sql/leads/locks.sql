-- ---------------------------------------------------------------------
-- Locks of those who take leads (take.sql): nobody waits for a lead
-- while he has something that others may wait for.
-- ---------------------------------------------------------------------

-- Lock leads before anything else is locked.  Other people write several of
-- them, too, in an order of their own: so as long as somebody has one, nothing is
-- kept while we wait for that one.
CREATE FUNCTION zcsync._lock_busy_leads(p_leads bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_locked bigint[];
	v_busy bigint;
BEGIN
	FOR v_try IN 1 .. 20 LOOP
		BEGIN
			v_locked := ARRAY(
				SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads)
				ORDER BY l.local_id FOR NO KEY UPDATE SKIP LOCKED);
			SELECT min(b.local_id) INTO v_busy
			FROM (SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads)
				EXCEPT SELECT unnest(v_locked)) AS b;
			IF v_busy IS NULL THEN
				RETURN;
			END IF;
			RAISE EXCEPTION USING ERRCODE = 'ZC001';
		EXCEPTION WHEN SQLSTATE 'ZC001' THEN
			NULL;
		END;
		BEGIN
			PERFORM FROM zcsync.leads l WHERE l.local_id = v_busy FOR NO KEY UPDATE;
			RAISE EXCEPTION USING ERRCODE = 'ZC001';
		EXCEPTION WHEN SQLSTATE 'ZC001' THEN
			NULL;
		END;
	END LOOP;
	PERFORM FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) ORDER BY l.local_id FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION zcsync._lock_busy_leads(bigint[]) IS
'locks leads; waits for others without keeping any of them meanwhile';

-- Lock leads for _join_leads().  Without p_wait an error names those that somebody
-- else has, see _take_leads().
CREATE FUNCTION zcsync._lock_joined(p_leads bigint[], p_wait boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_locked bigint[];
	v_busy bigint[];
BEGIN
	IF p_wait THEN
		PERFORM FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) ORDER BY l.local_id FOR NO KEY UPDATE;
		RETURN;
	END IF;
	v_locked := ARRAY(
		SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) ORDER BY l.local_id FOR NO KEY UPDATE SKIP LOCKED);
	v_busy := ARRAY(SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) EXCEPT SELECT unnest(v_locked));
	IF v_busy <> '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'ZC002', MESSAGE = 'leads are in use by other sessions', DETAIL = v_busy::text;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._lock_joined(bigint[], boolean) IS
'locks leads, or raises an error that names those that somebody else has';

-- Does nobody else bring leads of this account at the moment?  Until its end this
-- transaction is one that does.  Somebody who is told no marks his rows; that he is
-- not among those who take, since a second look is under way, is a no as well, and
-- so is a snapshot that may be older than leads of others.
CREATE FUNCTION zcsync._takes_leads_alone(p_account bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_class integer := 'zcsync.lead_duplicates'::regclass::oid::integer;
	v_key integer := (p_account % 2147483647)::integer;
	v_alone boolean := pg_try_advisory_lock(v_class, v_key);
	v_known boolean := pg_try_advisory_xact_lock_shared(v_class, v_key);
BEGIN
	IF v_alone THEN
		PERFORM pg_advisory_unlock(v_class, v_key);
	END IF;
	RETURN v_alone AND v_known AND current_setting('transaction_isolation') = 'read committed';
END
$$;
COMMENT ON FUNCTION zcsync._takes_leads_alone(bigint) IS
'is this transaction the only one that takes leads of an account?';
