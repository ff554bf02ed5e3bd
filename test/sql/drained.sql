-- ---------------------------------------------------------------------
-- Jobs that turn out to have nothing to send: thousands of rows were edited and edited
-- back.  They end in the claim that finds them, and a real edit behind them goes in the
-- same one.  Claims are counted, not the time that they take.
-- ---------------------------------------------------------------------
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET zcsync.bulk_write_limit = 100000;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT FROM zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "growth"}');
SELECT FROM zcsync.add_stream('acme', 'tickets');
SELECT FROM zcsync.alter_stream('acme/tickets', writes => true);
UPDATE zcsync.accounts SET state = 'active', state_reason = NULL, state_hint = NULL;
UPDATE zcsync.streams SET last_pull_at = now(), history_state = 'done', next_pull_at = now() + interval '1 day';
DELETE FROM zcsync.sync_queue;
SELECT (zcsync._take(zcsync.account('acme'), 'tickets', array_agg(ROW(i, i, jsonb_build_object('subject', 'Printer ' || i), '{}', false)::zcsync.document),
	zcsync._origin_of('pull', 1))).changed
FROM generate_series(1, 3001) AS i;

-- Edit tickets and edit them back, then edit the last one; claim until its edit goes.
CREATE FUNCTION claims(edited_back integer, OUT claims integer, OUT sent text[], OUT ended bigint, OUT left_over bigint) LANGUAGE plpgsql AS
$$
DECLARE
	v_claimed record;
BEGIN
	DELETE FROM zcsync.sync_queue;
	UPDATE zcsync.tickets SET subject = 'another' WHERE remote_id::integer <= edited_back;
	UPDATE zcsync.tickets SET subject = 'Printer ' || remote_id WHERE remote_id::integer <= edited_back;
	UPDATE zcsync.tickets SET subject = subject || '!' WHERE remote_id = '3001';
	UPDATE zcsync.sync_queue SET priority = 60 WHERE local_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '3001');	-- behind them
	SELECT count(*) INTO ended FROM zcsync.sync_queue;
	claims := 0;
	LOOP
		claims := claims + 1;
		SELECT array_agg(c.request #>> '{body,ticket,subject}') FILTER (WHERE c.job_id IS NOT NULL) AS sent, bool_or(c.job_id IS NULL) AS more INTO v_claimed
		FROM zcsync._claim_jobs(1, zcsync.account('acme'), 10) AS c;
		sent := v_claimed.sent;
		EXIT WHEN sent IS NOT NULL OR v_claimed.more IS NOT TRUE OR claims > 400;	-- else the worker claims again at once
	END LOOP;
	SELECT ended - count(*), count(*) FILTER (WHERE state = 'ready') INTO ended, left_over FROM zcsync.sync_queue;
END
$$;
INSERT INTO zcsync.claimants (incarnation, pid, role) VALUES (1, 0, 'run');
SELECT * FROM claims(1500);
-- of more than 2,000, the next claim of the same round does the rest
SELECT * FROM claims(3000);

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP FUNCTION claims(integer);
