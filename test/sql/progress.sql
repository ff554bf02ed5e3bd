-- The view progress: verbs that take long say how far they are, until they end or fail, or
-- their transaction ends; and what PostgreSQL says of COPY.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local') > 0 AS added;
CREATE VIEW verbs AS SELECT object, done, estimate, progress, eta, limited_by FROM zcsync.progress WHERE lane = 'verb';

-- ---------------------------------------------------------------------
-- From beginning to end
-- ---------------------------------------------------------------------
BEGIN;
SELECT zcsync._verb_did(7) AS counted_by_nobody, zcsync._verb_step('of no verb', 1);
SELECT * FROM verbs;
SELECT zcsync._verb_begins('zcsync.example()', 4);
SELECT zcsync._verb_did() AND zcsync._verb_did(2) AS counted;
SELECT * FROM verbs;
-- all records are done, but it has not ended
SELECT zcsync._verb_did();
SELECT * FROM verbs;
-- a step, of which it is not known how much there is to do
SELECT zcsync._verb_step('second step', NULL);
SELECT zcsync._verb_did();
SELECT * FROM verbs;
-- what fails inside of it does not end it
SAVEPOINT inside;
SELECT zcsync._verb_did();
ROLLBACK TO inside;
SELECT * FROM verbs;
-- nor does another one that it calls, which is not shown, whether it ends or fails
SELECT zcsync._verb_begins('zcsync.inner()', 2), zcsync._verb_did(), zcsync._verb_step('step of inner', 3);
SELECT * FROM verbs;
SELECT zcsync._verb_ends(), zcsync._verb_did();
SELECT * FROM verbs;
DO $$
BEGIN
	PERFORM zcsync._verb_begins('zcsync.inner()'), zcsync._verb_begins('zcsync.innermost()');
	RAISE EXCEPTION 'it fails';
EXCEPTION WHEN OTHERS THEN
	PERFORM zcsync._verb_did();
END
$$;
SELECT * FROM verbs;
-- one that is not over when the subtransaction ends in which it began is one of the parent
SAVEPOINT outside;
SAVEPOINT inside;
SELECT zcsync._verb_begins('zcsync.inner()');
RELEASE inside;
SAVEPOINT inside;
ROLLBACK TO inside;
SELECT zcsync._verb_did(), zcsync._verb_ends(), zcsync._verb_did();
SELECT * FROM verbs;
SELECT zcsync._verb_begins('zcsync.inner()');
ROLLBACK TO outside;
SELECT zcsync._verb_ends();
SELECT * FROM verbs;
-- a long name
SELECT zcsync._verb_begins(repeat('é', 100));
SELECT object = repeat('é', 63) AS cut, done, estimate, progress FROM verbs;
SELECT zcsync._verb_ends();
SELECT * FROM verbs;
-- one that fails
SAVEPOINT verb;
SELECT zcsync._verb_begins('zcsync.failing()');
ROLLBACK TO verb;
SELECT * FROM verbs;
SELECT zcsync._verb_begins('zcsync.committed()');
COMMIT;
SELECT * FROM verbs;
BEGIN;
SELECT zcsync._verb_begins('zcsync.rolled_back()');
ROLLBACK;
SELECT * FROM verbs;
BEGIN;
SELECT zcsync._verb_begins('zcsync.prepared()');
PREPARE TRANSACTION 'verb';
SELECT * FROM verbs;
ROLLBACK PREPARED 'verb';

-- ---------------------------------------------------------------------
-- Verbs: triggers see how far they are
-- ---------------------------------------------------------------------
CREATE TABLE seen (n bigint GENERATED ALWAYS AS IDENTITY, object text, lane text, done bigint, estimate bigint, progress text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
	INSERT INTO seen (object, lane, done, estimate, progress)
	SELECT p.object, p.lane, p.done, p.estimate, p.progress FROM zcsync.progress AS p WHERE p.lane = TG_ARGV[0];
	RETURN coalesce(NEW, OLD);
END
$$;
CREATE FUNCTION told() RETURNS SETOF text LANGUAGE sql AS
$$
	WITH told AS (DELETE FROM seen RETURNING *)
	SELECT concat_ws(' | ', t.object, t.done || ' of ' || coalesce(t.estimate::text, '?'), t.progress) FROM told AS t ORDER BY t.n
$$;

CREATE TABLE zcsync.sync_records_y2020m01 PARTITION OF zcsync.sync_records FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-02-01 00:00+00');
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, created_at)
SELECT i, zcsync.account('crm'), 'route', 'route', 'done', 1, '2020-01-15', '2020-01-15' FROM generate_series(1, 3) AS i;
ANALYZE zcsync.sync_records_y2020m01;
CREATE TABLE archive (LIKE zcsync.sync_records);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the archive is full'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON archive FOR EACH ROW EXECUTE FUNCTION refuse();
BEGIN;
DO $$
BEGIN
	PERFORM zcsync.archive_month('zcsync.sync_records_y2020m01', 'archive');
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '%', SQLERRM;
END
$$;
SELECT * FROM verbs;
COMMIT;
DROP TRIGGER refuse ON archive;
CREATE TRIGGER look BEFORE INSERT ON archive FOR EACH ROW EXECUTE FUNCTION look('verb');
BEGIN;
SELECT zcsync.archive_month('zcsync.sync_records_y2020m01', 'archive');
SELECT * FROM verbs;
COMMIT;
SELECT * FROM told();

INSERT INTO zcsync.leads (account_id, email, company) SELECT zcsync.account('crm'), i || '@example.com', 'Company ' || i FROM generate_series(1, 3) AS i;
UPDATE zcsync.lead_score_rules SET points = points + 1;
CREATE TRIGGER look BEFORE UPDATE OR DELETE ON zcsync.leads FOR EACH ROW EXECUTE FUNCTION look('verb');
BEGIN;
SELECT zcsync.rescore_leads();
SELECT * FROM verbs;
COMMIT;
SELECT * FROM told();
BEGIN;
SELECT zcsync.remove_account('crm', force => true);
SELECT * FROM verbs;
COMMIT;
SELECT * FROM told();

-- ---------------------------------------------------------------------
-- Routes
-- ---------------------------------------------------------------------
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup');
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at)
VALUES (zcsync.account('acme'), 'tickets', false, zcsync._now()), (zcsync.account('dev'), 'tasks', true, zcsync._now());
INSERT INTO zcsync.lists (account_id, list_id, path, seen_at) VALUES (zcsync.account('dev'), '901', 'Space/Bugs', zcsync._now());
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid)
SELECT zcsync.account('acme'), i::text, 'Ticket ' || i, 'open', zcsync._now(), zcsync._now(), 'pull', '1' FROM generate_series(1, 1500) AS i;
CREATE FUNCTION peek(p_subject text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
	IF p_subject = current_setting('my.last', true) THEN
		RAISE EXCEPTION '%', (SELECT concat_ws(' | ', p.object, p.done || ' of ' || p.estimate, p.progress) FROM zcsync.progress AS p WHERE p.lane = 'verb');
	END IF;
	RETURN true;
END
$$;
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', filter => 'public.peek(subject)', create_in => '901');
CREATE TRIGGER look BEFORE INSERT ON zcsync.sync_queue FOR EACH STATEMENT EXECUTE FUNCTION look('verb');
-- the newest records come first in a plan, the oldest in a backfill
SET my.last = 'Ticket 1';
SELECT new FROM zcsync.plan('bugs', max_records => 1500) WHERE op = 'error' AND new LIKE '%zcsync.plan%';
SET my.last = 'Ticket 1500';
SELECT * FROM zcsync.backfill_route('bugs');
RESET my.last;
BEGIN;
SELECT count(*) > 1500 AS planned FROM zcsync.plan('bugs', max_records => 1500);
SELECT * FROM verbs;
SELECT * FROM zcsync.backfill_route('bugs') WHERE item = 'to link or create';
SELECT * FROM verbs;
SELECT * FROM zcsync.backfill_route('bugs', confirm => true) WHERE item = 'queued';
SELECT * FROM verbs;
SELECT * FROM zcsync.apply_route('bugs') WHERE item = 'pairs';
SELECT * FROM zcsync.apply_route('bugs', confirm => true) WHERE item = 'queued';
SELECT zcsync.release_held('bugs'), zcsync.cancel_held('bugs');
SELECT * FROM verbs;
COMMIT;
SELECT * FROM told();
-- however the jobs are found, only those that are released are counted
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, state, priority, run_at)
SELECT zcsync.account(a), 'task-sync', 'push', a || i, a || i, 'held', 50, zcsync._now() FROM (VALUES ('acme', 3), ('dev', 4)) AS v (a, n), generate_series(1, n) AS i;
CREATE TRIGGER look_after AFTER UPDATE ON zcsync.sync_queue FOR EACH STATEMENT EXECUTE FUNCTION look('verb');
BEGIN;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT zcsync.release_held('dev');
COMMIT;
SELECT DISTINCT * FROM told();
DROP TRIGGER look_after ON zcsync.sync_queue;

-- ---------------------------------------------------------------------
-- COPY
-- ---------------------------------------------------------------------
COPY (SELECT p.object ~ '^COPY of process [0-9]+$', p.done, p.estimate, p.progress, p.eta FROM zcsync.progress AS p WHERE p.lane = 'copy') TO STDOUT;
-- readers see it only if they may see the session
CREATE ROLE regress_zcsync_reader;
SELECT zcsync.grant_reader('regress_zcsync_reader');
SET SESSION AUTHORIZATION regress_zcsync_reader;
COPY (SELECT count(*) FROM zcsync.progress AS p WHERE p.lane = 'copy') TO STDOUT;
RESET SESSION AUTHORIZATION;
GRANT pg_read_all_stats TO regress_zcsync_reader;
SET SESSION AUTHORIZATION regress_zcsync_reader;
COPY (SELECT count(*) FROM zcsync.progress AS p WHERE p.lane = 'copy') TO STDOUT;
RESET SESSION AUTHORIZATION;
SELECT zcsync.add_account('crm', 'local') > 0 AS added;
SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'Email,Company') WHERE item = 'intake' \gset
CREATE TRIGGER look BEFORE INSERT ON zcsync_intake.:value FOR EACH ROW EXECUTE FUNCTION look('copy');
COPY zcsync_intake.:value (email, company) FROM STDIN (FORMAT csv, HEADER);
Email,Company
a@example.com,A
\.
SELECT object = 'zcsync_intake.' || :'value' AS intake, done, estimate FROM seen;
SELECT zcsync.drop_intake(:'value');
SELECT count(*) FROM zcsync.progress WHERE lane IN ('verb', 'copy', 'vacuum');
DROP EXTENSION zcsync CASCADE;
DROP TABLE seen, archive;
DROP FUNCTION look, told, refuse, peek;
DROP ROLE regress_zcsync_reader;
