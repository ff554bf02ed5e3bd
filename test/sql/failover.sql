-- After a failover or a restore: what the other database may have made is read
-- before routes write, and its numbers are not given out again.  The worker is
-- stopped; pages are finished here by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('psa', 'zendesk', '{"subdomain": "psa"}'), ('leads', 'local', '{}');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
SELECT account_id, 'tickets', true, now() FROM zcsync.accounts WHERE vendor = 'zendesk';
SELECT FROM zcsync.add_route('both', 'acme/tickets', 'psa/tickets');
SELECT zcsync.resume_route('both') LIKE '%is active%' AS active;

-- the next page of psa, with these tickets; more: it is not the last one
CREATE FUNCTION page(ids integer[], more boolean) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	v_job bigint;
BEGIN
	PERFORM zcsync.refresh('psa/tickets');
	SELECT q.job_id INTO v_job FROM zcsync.sync_queue q WHERE q.operation = 'pull' AND q.account_id = zcsync.account('psa');
	PERFORM FROM zcsync._finish_pull(v_job, zcsync.stream('psa/tickets'), 'live', '{"op": "incremental", "cursor": "c"}', jsonb_build_object('tickets', (
			SELECT coalesce(jsonb_agg(jsonb_build_object('id', i, 'subject', 'Subject ' || i, 'status', 'open', 'generated_timestamp', 1767312000 + i,
				'created_at', '2026-01-02T03:04:05Z', 'updated_at', '2026-01-02T03:04:05Z')), '[]') FROM unnest(ids) AS i),
		'after_cursor', 'c' || v_job || coalesce(ids[1]::text, 'e'), 'end_of_stream', NOT more));
END
$$;
CREATE VIEW waits AS SELECT s.reads_awaited, s.jobs_awaited IS NOT NULL AS jobs, s.next_pull_at <= now() AS due, (SELECT count(*) FROM zcsync._due_routes()) AS routes
FROM zcsync.streams s WHERE s.stream_id = zcsync.stream('psa/tickets');

INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
SELECT zcsync.account('acme'), 1, 'Subject', 'open', now(), clock_timestamp() + interval '1 second', 'pull', pg_current_xact_id(), 'synced';
SELECT page('{}', false);
SELECT * FROM waits;
SELECT local_id < 1000000 AS low FROM zcsync.tickets;

-- a page of a read that began before, and a row that somebody holds meanwhile
SELECT page('{71}', true);
UPDATE zcsync.installation SET timeline = timeline + 1;
SELECT zcsync._note_timeline();
SELECT * FROM waits;
SELECT object, state, why, to_do FROM zcsync._awaited();
SELECT page('{72}', false);
SELECT * FROM waits;
-- what the old server sent may still be on its way
UPDATE zcsync.installation SET adopted_at = adopted_at - interval '2 minutes';
SELECT page('{}', false);
SELECT * FROM waits;
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, kind, stream_id, record_key, dedupe_key)
SELECT account_id, 'ticket-sync', op, '', kind, CASE op WHEN 'fetch' THEN zcsync.stream(name || '/tickets') END, op || name || kind, op || name || kind
FROM zcsync.accounts, (VALUES ('apply', 'tickets'), ('fetch', 'tickets'), ('apply', 'contacts')) AS o (op, kind) WHERE vendor = 'zendesk';
SELECT page('{73}', true);
SELECT * FROM waits;
SELECT page('{74}', false);
SELECT * FROM waits;
SELECT object, state, why, to_do FROM zcsync._awaited();
-- what is parked and asked for later does not count, nor do other kinds and accounts
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, kind, record_key, dedupe_key)
VALUES (zcsync.account('psa'), 'ticket-sync', 'apply', '', 'tickets', 'later', 'later');
DELETE FROM zcsync.sync_queue WHERE dedupe_key = 'applypsatickets';
SELECT * FROM waits;
DELETE FROM zcsync.sync_queue WHERE dedupe_key = 'fetchpsatickets';
SELECT * FROM waits;
SELECT object, state, why, to_do FROM zcsync._awaited();
SELECT page('{}', false);
SELECT * FROM waits;

-- a stream that is paused is not read, so a route waits, and says for what
UPDATE zcsync.installation SET timeline = timeline + 1;
SELECT zcsync._note_timeline();
SELECT zcsync.pause_stream('psa/tickets');
SELECT object, state, why, to_do FROM zcsync._awaited();
SELECT * FROM waits;

-- a copy of the data directory, or of the disk, that is simply started: the same timeline
SELECT may_run, reason, hint FROM zcsync._worker_guard();
SELECT zcsync.start();
SELECT may_run, reason, hint FROM zcsync._worker_guard();
UPDATE zcsync.installation SET control_file = control_file + 1;
SELECT may_run, reason, hint FROM zcsync._worker_guard();
SELECT zcsync._may_write();
SELECT zcsync.adopt_database();
SELECT may_run, reason, hint FROM zcsync._worker_guard();
SELECT zcsync._may_write();
UPDATE zcsync.installation SET machine = 1;
SELECT CASE WHEN v.machine IS NULL THEN 'this server runs on another machine than the one that zcsync was set up on; nothing is sent' ELSE g.reason END AS reason
FROM zcsync._worker_guard() AS g, zcsync._identity() AS v;
-- a promoted standby has another one, too, and goes on
UPDATE zcsync.installation SET control_file = control_file + 1, timeline = timeline + 1;
SELECT may_run, reason, hint FROM zcsync._worker_guard();
SELECT zcsync._note_timeline();
SELECT i.timeline = v.timeline AND i.control_file = v.control_file AND i.machine IS NOT DISTINCT FROM v.machine AS noted FROM zcsync.installation i, zcsync._identity() AS v;
SELECT zcsync.stop();

-- numbers of rows begin well above those that the other database may have given out
INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('leads'), 'ann@example.com') RETURNING local_id > 9000000 AS high;

DROP VIEW waits;
DROP FUNCTION page;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
