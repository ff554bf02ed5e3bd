-- ---------------------------------------------------------------------
-- Locks of those who take leads (take.sql): nobody waits for a lead
-- while he has something that others may wait for.
--
-- One lock an account would be simpler, but a lead that comes alone would wait for
-- as long as somebody imports a file, and whoever edits rows does not take it.
-- ---------------------------------------------------------------------

-- Runs a query of ours that returns a row (keep, result), and undoes what it did,
-- locks included, unless keep is true.
CREATE FUNCTION zcsync._attempt(p_query text, VARIADIC p_values "any") RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_attempt';
COMMENT ON FUNCTION zcsync._attempt(text, "any") IS
'runs a query that says whether what it did is to be kept, and returns its result';

-- Lock the leads that nobody else has.
CREATE FUNCTION zcsync._lock_free_leads(p_leads bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_locked bigint[] := ARRAY(
		SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads)
		ORDER BY l.local_id FOR NO KEY UPDATE SKIP LOCKED);
BEGIN
	RETURN (
		SELECT array_agg(b.local_id ORDER BY b.local_id)
		FROM (SELECT l.local_id FROM zcsync.leads l WHERE l.local_id = ANY (p_leads)
			EXCEPT SELECT unnest(v_locked)) AS b);
END
$$;
COMMENT ON FUNCTION zcsync._lock_free_leads(bigint[]) IS
'locks those of these leads that nobody else has, and returns the others; NULL: all are locked';

-- Lock leads before anything else is locked.  Other people write several of
-- them, too, in an order of their own: so as long as somebody has one, nothing is
-- kept while we wait for that one.
CREATE FUNCTION zcsync._lock_busy_leads(p_leads bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_busy jsonb;
BEGIN
	FOR v_try IN 1 .. 20 LOOP
		v_busy := zcsync._attempt('SELECT b.leads IS NULL, to_jsonb(b.leads[1]) FROM zcsync._lock_free_leads($1) AS b (leads)', p_leads);
		IF v_busy IS NULL THEN
			RETURN;
		END IF;
		PERFORM zcsync._attempt('SELECT false, NULL::jsonb FROM zcsync.leads l WHERE l.local_id = $1 FOR NO KEY UPDATE', v_busy::bigint);
	END LOOP;
	PERFORM FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) ORDER BY l.local_id FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION zcsync._lock_busy_leads(bigint[]) IS
'locks leads; waits for others without keeping any of them meanwhile';

-- Lock leads for _join_leads().
CREATE FUNCTION zcsync._lock_joined(p_leads bigint[], p_wait boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT p_wait THEN
		RETURN zcsync._lock_free_leads(p_leads);
	END IF;
	PERFORM FROM zcsync.leads l WHERE l.local_id = ANY (p_leads) ORDER BY l.local_id FOR NO KEY UPDATE;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._lock_joined(bigint[], boolean) IS
'locks leads; without waiting it returns those that somebody else has, NULL: all are locked';

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
