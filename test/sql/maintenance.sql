-- zcsync.maintain(): partitions, retention, alerts; and what
-- schedule_maintenance() says without pg_cron.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor) VALUES ('a', 'local'), ('b', 'local');

-- months that ended more than 13 months ago go, younger ones stay
CREATE FUNCTION month(ago integer) RETURNS date LANGUAGE sql AS
$$ SELECT (date_trunc('month', zcsync._now() AT TIME ZONE 'UTC') - make_interval(months => $1))::date $$;
CREATE FUNCTION old_partition(parent text, ago integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE zcsync.%I PARTITION OF zcsync.%I FOR VALUES FROM (%L) TO (%L)',
		parent || to_char(month(ago), '"_y"YYYY"m"MM'), parent, month(ago) || ' 00:00+00', month(ago - 1) || ' 00:00+00');
END $$;
SELECT old_partition(p, m) FROM unnest('{changes,sync_records}'::text[]) p, unnest('{13,14,20}'::integer[]) m;
CREATE VIEW months AS
SELECT i.inhparent::regclass::text AS parent,
	string_agg(((extract(year FROM age(month(0), d.begins)) * 12 + extract(month FROM age(month(0), d.begins)))::integer)::text,
		' ' ORDER BY d.begins) AS months_ago
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT to_date(substring(c.relname FROM '_y(\d{4}m\d{2})$'), 'YYYY"m"MM')) AS d (begins)
WHERE d.begins IS NOT NULL AND i.inhparent IN ('zcsync.changes'::regclass, 'zcsync.sync_records'::regclass)
GROUP BY 1 ORDER BY 1;
SELECT * FROM months;

-- records: the newest that the queue keeps, and everything of the last day
SELECT zcsync.alter_queue('route', keep_completed => 3, keep_failed => 1);
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, created_at)
SELECT 1000 * a.account_id + i, a.account_id, 'route', 'route', CASE WHEN i <= 4 THEN 'failed' ELSE 'done' END, 1, zcsync._now(),
	zcsync._now() - CASE WHEN a.name = 'b' THEN interval '1 hour' ELSE interval '2 days' END + make_interval(secs => i)
FROM zcsync.accounts a, generate_series(1, 10) i;

-- alerts: resolved long ago, resolved, open
INSERT INTO zcsync.alerts (code, message, resolved_at)
SELECT 'test', m, t FROM (VALUES ('long ago', zcsync._now() - interval '91 days'),
	('lately', zcsync._now() - interval '89 days'), ('open', NULL)) AS v (m, t);

-- jobs of a process that is gone
INSERT INTO zcsync.claimants (incarnation, pid, role) VALUES (4711, 1, 'run');
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, budget_class, state, claimed_by, claimed_at)
VALUES (zcsync.account('a'), 'route', 'route', 'x', 'x', '', 'running', 4711, zcsync._now());

-- in a transaction block it is refused, and nothing is left of it
BEGIN;
CALL zcsync.maintain();
ROLLBACK;
SELECT count(*) FROM zcsync.claimants WHERE incarnation = 4711;

CALL zcsync.maintain();
SELECT * FROM months;
SELECT a.name, r.status, array_agg(r.job_id % 1000 ORDER BY r.job_id) AS kept
FROM zcsync.sync_records r JOIN zcsync.accounts a USING (account_id) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT message FROM zcsync.alerts WHERE code = 'test' ORDER BY 1;
SELECT state, claimed_by FROM zcsync.sync_queue WHERE record_key = 'x';
SELECT count(*) FROM zcsync.claimants WHERE incarnation = 4711;
-- again: nothing to do
CALL zcsync.maintain();

-- trimming goes on in pieces
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, created_at)
SELECT i, zcsync.account('a'), 'route', 'route', 'done', 1, zcsync._now(), zcsync._now() - interval '2 days' FROM generate_series(1, 10) i;
SELECT zcsync._trim_records(4), zcsync._trim_records(4), zcsync._trim_records(4), zcsync._trim_records(4);

-- a step that does not exist
SELECT zcsync._maintain('nonsense');

SELECT zcsync.schedule_maintenance('');
SELECT zcsync.schedule_maintenance(NULL);

DROP VIEW months;
DROP FUNCTION month, old_partition;
DROP EXTENSION zcsync CASCADE;
