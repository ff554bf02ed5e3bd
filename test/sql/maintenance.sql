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
SELECT zcsync._record_limits() AS limits \gset
SELECT zcsync._trim_records(:'limits', 4), zcsync._trim_records(:'limits', 4), zcsync._trim_records(:'limits', 4), zcsync._trim_records(:'limits', 4);
SELECT zcsync._record_limits();

-- ---------------------------------------------------------------------
-- Dead letters: those go that are settled, and no other
-- ---------------------------------------------------------------------
INSERT INTO zcsync.accounts (name, vendor) VALUES ('dev', 'clickup');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at) VALUES (zcsync.account('dev'), 'tasks', zcsync._now()), (zcsync.account('dev'), 'contacts', zcsync._now());
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, create_in, defined_by)
VALUES ('r', zcsync.stream('dev/tasks'), zcsync.stream('dev/contacts'), '1', current_user);
INSERT INTO zcsync.tasks (account_id, remote_id, name, sync_cause, sync_xid, sync_state, synced_at, deleted_at)
SELECT zcsync.account('dev'), n, n, 'pull', '1', s, zcsync._now() - make_interval(days => d), CASE WHEN n = 'deleted' THEN zcsync._now() END
FROM (VALUES ('sent', 'synced', 1), ('failed', 'failed', 9), ('pending', 'pending', 9), ('unclear', 'synced', 1), ('mapped', 'synced', 9),
	('unmapped', 'synced', 9), ('crashed', 'synced', 9), ('read', 'synced', 1), ('unread', 'synced', 20), ('deleted', 'synced', 20)) AS v (n, s, d);
CREATE FUNCTION letter(what text, operation text, task text, died interval DEFAULT '8 days', class text DEFAULT 'rejected') RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, stream_id, route_id, kind, local_id, record_key, dedupe_key,
		payload, priority, attempts, class, message, unclear_since, created_at, died_at)
	SELECT nextval('zcsync.job_id_seq'), zcsync.account('dev'), 'task-sync', operation, 'api',
		CASE WHEN operation IN ('pull', 'fetch', 'apply') THEN CASE task WHEN 'no stream' THEN 0 ELSE zcsync.stream('dev/tasks') END END,
		CASE operation WHEN 'route' THEN (SELECT route_id FROM zcsync.routes) END, 'tasks',
		CASE WHEN operation IN ('push', 'route') THEN coalesce((SELECT local_id FROM zcsync.tasks WHERE name = task), 0) END, 'k', 'k',
		CASE operation WHEN 'fetch' THEN jsonb_build_object('ids', to_jsonb(string_to_array(task, ' '))) ELSE '{}' END, 50, 3, class, what,
		CASE WHEN task ~ 'unclear' THEN zcsync._now() - interval '9 days' END, zcsync._now() - interval '9 days', zcsync._now() - died
$$;
INSERT INTO zcsync.route_errors (route_id, source_id, field, code, message, last_at)
SELECT r.route_id, t.id, t.field, 'mapping_error', t.what, zcsync._now() - t.age
FROM zcsync.routes r, (VALUES
	((SELECT local_id FROM zcsync.tasks WHERE name = 'unmapped'), '', 'stays: cannot be mapped', interval '20 days'),
	((SELECT local_id FROM zcsync.tasks WHERE name = 'mapped'), 'status', 'stays: a field of it', '20 days'),
	(0, '', 'goes: no row', '1 minute')) AS t (id, field, what, age);
SELECT letter('goes: sent since', 'push', 'sent');
SELECT letter('goes: sent since, though it died just now', 'push', 'sent', '1 minute');
SELECT letter('stays: failed', 'push', 'failed', '400 days');
SELECT letter('stays: pending', 'push', 'pending');
SELECT letter('stays: may have created a record', 'push', 'unclear');
SELECT letter('stays: may have created a record, no row', 'push', 'unclear, gone');
SELECT letter('goes: no row', 'push', 'gone');
SELECT letter('goes: mapped since', 'route', 'mapped');
SELECT letter('stays: cannot be mapped', 'route', 'unmapped');
SELECT letter('stays: nobody knows why', 'route', 'crashed', class => 'crash');
SELECT letter('goes: no row to map', 'route', 'gone');
SELECT letter('goes: no stream to read', 'pull', 'no stream');
SELECT letter('stays: a stream to read', 'pull', 'sent');
SELECT letter('goes: no stream to fetch from', 'fetch', 'no stream');
SELECT letter('goes: fetched since, or deleted', 'fetch', 'read deleted');
SELECT letter('stays: one of them not fetched since', 'fetch', 'read unread');
SELECT letter('stays: one of them not there', 'fetch', 'read gone');
SELECT letter('stays: something else', 'token', '');
SELECT more FROM zcsync._maintain('errors');
SELECT message FROM zcsync.dead_letters ORDER BY 1;
SELECT message FROM zcsync.route_errors ORDER BY 1;
-- what became of them is not silent
SELECT operation, status, kind, message FROM zcsync.sync_records WHERE message LIKE 'a dead letter%' ORDER BY message;
-- and again: nothing
SELECT more FROM zcsync._maintain('errors');
SELECT count(*) FROM zcsync.sync_records WHERE message LIKE 'a dead letter%';
DROP FUNCTION letter;

-- A step that fails keeps none of the others from being done, and is shown until
-- it goes well.
ALTER TABLE zcsync.dead_letters RENAME died_at TO gone_at;
INSERT INTO zcsync.alerts (code, message, resolved_at) VALUES ('test', 'long ago', zcsync._now() - interval '91 days');
CALL zcsync.maintain();
SELECT message, hint FROM zcsync.alerts WHERE code = 'maintenance' AND resolved_at IS NULL;
SELECT count(*) AS old_alerts FROM zcsync.alerts WHERE message = 'long ago';
SELECT maintained_at > zcsync._now() - interval '1 hour' AS came_to_its_end FROM zcsync.installation;
ALTER TABLE zcsync.dead_letters RENAME gone_at TO died_at;
CALL zcsync.maintain();
SELECT count(*) FROM zcsync.alerts WHERE code = 'maintenance' AND resolved_at IS NULL;

-- nobody calls it
SELECT ok, regexp_replace(message, '[0-9]+ s', 'N s') AS message, hint FROM zcsync.selfcheck() WHERE item = 'maintenance';
UPDATE zcsync.installation SET maintained_at = zcsync._now() - interval '50 hours';
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'maintenance';
SELECT state, why, to_do FROM zcsync.status WHERE state = 'no maintenance';
UPDATE zcsync.installation SET maintained_at = NULL;
SELECT ok, message, hint FROM zcsync.selfcheck() WHERE item = 'maintenance';
UPDATE zcsync.installation SET maintained_at = zcsync._now();

-- Months of history: kept for ever, or detached, and then archived
SELECT old_partition(p, 14) FROM unnest('{changes,sync_records}'::text[]) p;
SET zcsync.history_retention_months = 0;
SELECT zcsync._retire_history() AS one_goes;
RESET zcsync.history_retention_months;
SET zcsync.history_retention_action = 'detach';
CALL zcsync.maintain();
RESET zcsync.history_retention_action;
SELECT * FROM months;
SELECT 'zcsync.changes' || to_char(month(14), '"_y"YYYY"m"MM') AS detached, 'zcsync.changes' || to_char(month(13), '"_y"YYYY"m"MM') AS attached,
	'zcsync.changes' || to_char(month(0), '"_y"YYYY"m"MM') AS present, 'zcsync.leads' || to_char(month(20), '"_y"YYYY"m"MM') AS leads,
	'zcsync.sync_records' || to_char(month(14), '"_y"YYYY"m"MM') AS records \gset
SELECT c.relkind, c.relispartition FROM pg_class c WHERE c.oid IN (:'detached'::regclass, :'records'::regclass);
CREATE SCHEMA regress_archive;
CREATE TABLE regress_archive.changes (LIKE zcsync.changes);
INSERT INTO :detached (account_id, kind, local_id, action, cause, role, created_at) SELECT 1, 'tasks', n, 'update', 'local', 'x', month(14) FROM generate_series(1, 3) n;
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at) SELECT 1, 'tasks', n, 'update', 'local', 'x', month(13) + 1 FROM generate_series(4, 5) n;
SELECT old_partition('leads', 20);
-- what is refused: messages name months
\set VERBOSITY sqlstate
SELECT zcsync.archive_month(:'present', 'regress_archive.changes') AS not_over;
SELECT zcsync.archive_month(:'leads', 'regress_archive.changes') AS leads_in_use;
SELECT zcsync.archive_month('zcsync.changes', 'regress_archive.changes') AS no_month;
SELECT zcsync.archive_month('zcsync.tickets', 'regress_archive.changes') AS no_month;
SELECT zcsync.archive_month(NULL, NULL) AS nothing;
SELECT zcsync.archive_month(:'detached', :'attached') AS a_table_of_zcsync;
SELECT zcsync.archive_month(:'records', 'regress_archive.changes') AS other_columns;
CREATE FUNCTION regress_archive.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN new.local_id <> 2 THEN new END; END';
CREATE TRIGGER leave_out BEFORE INSERT ON regress_archive.changes FOR EACH ROW EXECUTE FUNCTION regress_archive.leave_out();
SELECT zcsync.archive_month(:'detached', 'regress_archive.changes') AS some_left_out;
DROP TRIGGER leave_out ON regress_archive.changes;
CREATE ROLE regress_zcsync_archivist;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_archivist;
GRANT EXECUTE ON FUNCTION zcsync.archive_month, zcsync._check_archived_month, zcsync._archived_columns, zcsync._now, zcsync._refuse_standby TO regress_zcsync_archivist;
SET ROLE regress_zcsync_archivist;
SELECT zcsync.archive_month(:'detached', 'regress_archive.changes') AS not_the_owner;
RESET ROLE;
DROP OWNED BY regress_zcsync_archivist;
DROP ROLE regress_zcsync_archivist;
\set VERBOSITY default
SELECT count(*) AS archived FROM regress_archive.changes;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT zcsync.archive_month(:'detached', 'regress_archive.changes') AS rows_may_be_unseen;
ROLLBACK;
-- and what is done
SELECT zcsync.archive_month(:'detached', 'regress_archive.changes') AS a_detached_month;
SELECT zcsync.archive_month(:'attached', 'regress_archive.changes') AS one_that_was_attached;
SELECT to_regclass(:'detached') AS first, to_regclass(:'attached') AS second, array_agg(local_id ORDER BY local_id) AS archived FROM regress_archive.changes;
DROP TABLE :records, :leads;
SET client_min_messages = error;
DROP SCHEMA regress_archive CASCADE;
SET client_min_messages = warning;

-- a step that does not exist
SELECT zcsync._maintain('nonsense');

SELECT zcsync.schedule_maintenance('');
SELECT zcsync.schedule_maintenance(NULL);

DROP VIEW months;
DROP FUNCTION month, old_partition;
DROP EXTENSION zcsync CASCADE;
