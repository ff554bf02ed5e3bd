-- ---------------------------------------------------------------------
-- Locks of sessions that take leads (take.sql): none of them waits for a lead
-- while it holds something that others may wait for.
--
-- One lock for each account would be simpler.  But then a single lead would wait for as
-- long as somebody imports a file, and people who edit rows do not take that lock.
--
-- match.sql explains why leads are found by ROW(account_id, local_id).
-- ---------------------------------------------------------------------

-- Runs a query of ours that returns a row (keep, result), and undoes what it did,
-- including its locks, unless keep is true.
CREATE FUNCTION zcsync._attempt(p_query text, VARIADIC p_values "any") RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_attempt';
COMMENT ON FUNCTION zcsync._attempt(text, "any") IS
'runs a query that says whether what it did is to be kept, and returns its result';

-- Which of these numbers belong to existing leads?  The others belong to leads that are
-- about to be made.  p_fresh are numbers that the caller has just drawn: no lead has them
-- yet, and if all numbers are of this kind, no month of leads is read.
CREATE FUNCTION zcsync._existing_leads(p_account bigint, p_leads bigint[], p_fresh bigint[] DEFAULT '{}') RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	v_leads bigint[] := ARRAY(SELECT unnest(p_leads) EXCEPT SELECT unnest(p_fresh) ORDER BY 1);
BEGIN
	IF v_leads = '{}' THEN
		RETURN v_leads;
	END IF;
	RETURN ARRAY(
		SELECT l.local_id
		FROM unnest(v_leads) AS u (id)
		CROSS JOIN LATERAL (
			SELECT t.local_id FROM zcsync.leads t
			WHERE ROW(t.account_id, t.local_id) BETWEEN ROW(p_account, u.id) AND ROW(p_account, u.id) OFFSET 0) AS l);
END
$$;
COMMENT ON FUNCTION zcsync._existing_leads(bigint, bigint[], bigint[]) IS
'those of these numbers that belong to leads of an account, in their order';

-- Lock leads one after the other, in their order, and wait for each.
CREATE FUNCTION zcsync._wait_for_leads(p_account bigint, p_leads bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
	PERFORM l.local_id
	FROM (SELECT DISTINCT unnest(p_leads) ORDER BY 1) AS u (id)
	CROSS JOIN LATERAL (
		SELECT t.local_id FROM zcsync.leads t
		WHERE ROW(t.account_id, t.local_id) BETWEEN ROW(p_account, u.id) AND ROW(p_account, u.id)
		FOR NO KEY UPDATE) AS l;
END
$$;
COMMENT ON FUNCTION zcsync._wait_for_leads(bigint, bigint[]) IS
'locks leads in their order, and waits for those that somebody else has';

-- Lock the leads that nobody else has.
CREATE FUNCTION zcsync._lock_free_leads(p_account bigint, p_leads bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_locked bigint[] := ARRAY(
		SELECT l.local_id
		FROM (SELECT DISTINCT unnest(p_leads) ORDER BY 1) AS u (id)
		CROSS JOIN LATERAL (
			SELECT t.local_id FROM zcsync.leads t
			WHERE ROW(t.account_id, t.local_id) BETWEEN ROW(p_account, u.id) AND ROW(p_account, u.id)
			FOR NO KEY UPDATE SKIP LOCKED) AS l);
BEGIN
	IF cardinality(v_locked) = cardinality(p_leads) THEN
		RETURN NULL;
	END IF;
	RETURN (
		SELECT array_agg(b.id ORDER BY b.id)
		FROM (SELECT unnest(zcsync._existing_leads(p_account, p_leads)) EXCEPT SELECT unnest(v_locked)) AS b (id));
END
$$;
COMMENT ON FUNCTION zcsync._lock_free_leads(bigint, bigint[]) IS
'locks those of these leads that nobody else has, and returns the others; NULL: all are locked';

-- Lock leads before anything else is locked.  Others may write several of them, in
-- another order.  So as long as somebody has locked one of them, we keep no lock while
-- we wait for that one.
CREATE FUNCTION zcsync._lock_busy_leads(p_account bigint, p_leads bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_busy jsonb;
BEGIN
	FOR v_try IN 1 .. 20 LOOP
		v_busy := zcsync._attempt('SELECT b.leads IS NULL, to_jsonb(b.leads[1]) FROM zcsync._lock_free_leads($1, $2) AS b (leads)', p_account, p_leads);
		IF v_busy IS NULL THEN
			RETURN;
		END IF;
		PERFORM zcsync._attempt('SELECT false, NULL::jsonb FROM zcsync._wait_for_leads($1, ARRAY[$2])', p_account, v_busy::bigint);
	END LOOP;
	PERFORM zcsync._wait_for_leads(p_account, p_leads);
END
$$;
COMMENT ON FUNCTION zcsync._lock_busy_leads(bigint, bigint[]) IS
'locks leads; while it waits for one that somebody else has locked, it holds no lock on the others';

-- Lock leads for _join_leads().
CREATE FUNCTION zcsync._lock_joined(p_account bigint, p_leads bigint[], p_wait boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT p_wait THEN
		RETURN zcsync._lock_free_leads(p_account, p_leads);
	END IF;
	PERFORM zcsync._wait_for_leads(p_account, p_leads);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._lock_joined(bigint, bigint[], boolean) IS
'locks leads; without waiting it returns those that somebody else has, NULL: all are locked';

-- Is this the only transaction that takes leads of this account at the moment?  Until
-- it ends, others are told that they are not alone.  A transaction that is not alone
-- marks its rows, so that they are compared again later.  The answer is also no while
-- such a second comparison is running, and if the snapshot may be older than leads of
-- others.
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
