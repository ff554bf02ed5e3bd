-- ---------------------------------------------------------------------
-- The queue: a clock that is set back.
--
-- Jobs, budgets and breakers wait for points in time.  When the clock of the server is
-- set back, or a standby with a slower clock takes over, all of them would wait that
-- much longer.  So installation.clock_at keeps the latest time that was seen, to the
-- minute; the times at which budgets were filled count as seen, too.
-- ---------------------------------------------------------------------

-- Is the present time before one that was already seen?  Then move all planned times by
-- the difference.  A few seconds do not count: transactions write later than they
-- begin.  Rows that somebody has locked are left out.  Returns by how much the clock
-- was set back.
CREATE FUNCTION zcsync._note_clock() RETURNS interval
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_known timestamptz;
	v_step interval;
BEGIN
	SELECT i.clock_at INTO v_known FROM zcsync.installation i;
	v_step := greatest(v_known, (SELECT max(b.refilled_at) FROM zcsync.account_budgets b)) - v_now;
	IF v_step < interval '10 seconds' AND v_now < v_known + interval '1 minute' THEN
		RETURN NULL;
	END IF;
	PERFORM FROM zcsync.installation i FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	UPDATE zcsync.installation SET clock_at = v_now;
	IF v_step < interval '10 seconds' THEN
		RETURN NULL;
	END IF;

	RAISE LOG USING MESSAGE = format('zcsync: the clock was set back by about %s', v_step),
		DETAIL = 'All planned times are moved by as much.';
	UPDATE zcsync.sync_queue q SET run_at = greatest(q.run_at - v_step, v_now)
	WHERE q.job_id IN (
		SELECT w.job_id FROM zcsync.sync_queue w
		WHERE w.state IN ('ready', 'held') AND w.run_at > v_now
		FOR NO KEY UPDATE SKIP LOCKED);
	UPDATE zcsync.accounts a
	SET breaker_until = a.breaker_until - v_step, breaker_opened_at = a.breaker_opened_at - v_step,
		last_error_at = a.last_error_at - v_step
	WHERE a.account_id IN (
		SELECT w.account_id FROM zcsync.accounts w
		WHERE greatest(w.breaker_until, w.last_error_at) > v_now FOR NO KEY UPDATE SKIP LOCKED);
	UPDATE zcsync.account_budgets b
	SET refilled_at = least(b.refilled_at, v_now), paused_until = b.paused_until - v_step, guessed_at = b.guessed_at - v_step,
		lowered_at = b.lowered_at - v_step
	WHERE b.refilled_at > v_now OR b.paused_until > v_now;
	PERFORM zcsync._call_clock_back(o.clock_back, v_step) FROM zcsync._operations() o;
	PERFORM zcsync._wake();
	RETURN v_step;
END
$$;
COMMENT ON FUNCTION zcsync._note_clock() IS
'detects that the clock was set back, and moves all planned times by as much; NULL: it was not';
