-- ---------------------------------------------------------------------
-- What the queue has of an account: its budgets and its jobs.
-- ---------------------------------------------------------------------

-- Set the limits in the budgets of an account to what its settings say.  The calls
-- already used and the pauses stay.
CREATE FUNCTION zcsync._make_budgets(p_account_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
	v_share double precision;
	v_classes text[];
BEGIN
	SELECT * INTO STRICT v_account FROM zcsync.accounts a WHERE a.account_id = p_account_id;
	IF v_account.vendor = 'local' THEN
		RETURN;
	END IF;
	v_share := coalesce((v_account.settings ->> 'budget_share')::double precision, 0.9);
	EXECUTE format($sql$
		WITH wanted AS (
			SELECT b.class,
				coalesce(($2 #>> ARRAY[b.class, 'calls'])::integer, b.calls) AS calls,
				coalesce(($2 #>> ARRAY[b.class, 'window_s'])::double precision, b.window_s) AS window_s,
				coalesce(($2 #>> ARRAY[b.class, 'concurrency'])::integer, b.concurrency) AS concurrency
			FROM %s($1) b
		), made AS (
			INSERT INTO zcsync.account_budgets AS ab
				(account_id, class, calls, window_s, share, concurrency, tokens, refilled_at)
			SELECT $3, w.class, w.calls, w.window_s, $4, w.concurrency, zcsync._bucket_size(w.calls, $4), zcsync._now()
			FROM wanted w
			ON CONFLICT (account_id, class) DO UPDATE
				SET calls = excluded.calls, window_s = excluded.window_s, share = excluded.share,
					concurrency = excluded.concurrency, tokens = least(ab.tokens, excluded.tokens),
					lowered_from = NULL, lowered_at = NULL
			RETURNING class
		)
		SELECT array_agg(class) FROM made$sql$, (zcsync._vendor_of(v_account.vendor)).budgets::regproc)
	INTO v_classes
	USING v_account.settings, coalesce(v_account.settings -> 'budgets', '{}'), p_account_id, v_share;
	DELETE FROM zcsync.account_budgets ab WHERE ab.account_id = p_account_id AND ab.class <> ALL (v_classes);
END
$$;
COMMENT ON FUNCTION zcsync._make_budgets(bigint) IS
'sets the limits in the budgets of an account by its settings and its plan';

CREATE FUNCTION zcsync._account_budgets() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('budgets', 5, p_added => 'zcsync._make_budgets(bigint)'::regprocedure,
		p_altered => 'zcsync._make_budgets(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_budgets() IS
'what is done about budgets when an account comes or changes; they go with it';

CREATE FUNCTION zcsync._remove_account_jobs(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_jobs bigint;
BEGIN
	PERFORM zcsync._verb_step('jobs', (SELECT count(*) FROM zcsync.sync_queue q WHERE q.account_id = p_account));
	WITH gone AS (DELETE FROM zcsync.sync_queue q WHERE q.account_id = p_account RETURNING zcsync._verb_did())
	SELECT count(*) INTO v_jobs FROM gone;
	RETURN v_jobs;
END
$$;
COMMENT ON FUNCTION zcsync._remove_account_jobs(bigint) IS
'removes the jobs of an account; returns how many';

CREATE FUNCTION zcsync._account_jobs() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('jobs', 40, p_remove => 'zcsync._remove_account_jobs(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_jobs() IS
'what is done about jobs when an account goes';
