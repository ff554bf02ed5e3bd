-- Where a route begins: what is new to it and what was there before, by clocks
-- that differ, whole seconds, records without a time and pages that are late.
-- The worker is stopped; jobs are run here by hand.
\set ON_ERROR_STOP off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'),
	('beta', 'zendesk', '{"subdomain": "beta"}'), ('halo', 'halopsa', '{"host": "acme.halopsa.com"}'), ('crm', 'local', '{}'),
	('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.streams (account_id, kind, writes, created_at, since, history_state, last_pull_at)
SELECT a.account_id, s.kind, s.name = 'dev', now() - interval '10 days', now() - interval '1 year',
	CASE WHEN s.kind = 'leads' THEN 'none' ELSE 'done' END, now() - interval '30 seconds'
FROM (VALUES ('acme', 'tickets'), ('beta', 'tickets'), ('halo', 'tickets'), ('crm', 'leads'), ('dev', 'tasks')) AS s (name, kind)
JOIN zcsync.accounts a ON a.name = s.name;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, '901/p1', '901', 'p1', 'to do', 'open', 0, true, 'pull', '0' FROM zcsync.accounts a WHERE a.name = 'dev';

-- A vendor brings a record, or a change of one: how far its time is from ours.
CREATE FUNCTION arrives(account text, ticket text, ago interval, created boolean DEFAULT true) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets AS t (account_id, remote_id, subject, status, created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT a.account_id, md5(ticket), ticket, 'open', CASE WHEN created THEN date_trunc('second', zcsync._now() - ago) END,
		date_trunc('second', zcsync._now() - ago), 'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts a WHERE a.name = account
	ON CONFLICT (account_id, remote_id) DO UPDATE
	SET subject = t.subject || ' (changed)', updated_at = excluded.updated_at, sync_cause = excluded.sync_cause, sync_xid = excluded.sync_xid
$$;
CREATE FUNCTION begins(route text, source text) RETURNS boolean LANGUAGE sql AS
$$
	SELECT zcsync.add_route(route, source, 'dev/tasks', create_in => '901', filter => '', match_on => 'false');
	SELECT zcsync.map_field(route, 'name', CASE WHEN source LIKE '%/leads' THEN 's.last_name' ELSE 's.subject' END);
	SELECT zcsync.unmap_field(route, f.field) FROM zcsync.route_fields f JOIN zcsync.routes r USING (route_id) WHERE r.name = route AND f.field <> 'name';
	SELECT zcsync.resume_route(route) LIKE '%is active%';
$$;
CREATE FUNCTION routed(route text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM zcsync._run_route_jobs();
	RETURN QUERY SELECT t.name FROM zcsync.links l JOIN zcsync.routes r USING (route_id) JOIN zcsync.tasks t ON t.local_id = l.target_id
		WHERE r.name = route ORDER BY 1;
END
$$;

-- There before: nothing of it is routed, however new it is, whatever the
-- vendor's clock says, and also when the route was paused.
SELECT arrives('acme', 'old', '3 days'), arrives('acme', 'old, just now', '0'), arrives('acme', 'old, two minutes ago', '2 minutes'),
	arrives('acme', 'old, of a clock ahead', '-5 minutes'), arrives('acme', 'old, without a time', NULL);
SELECT begins('first', 'acme/tickets');
SELECT * FROM routed('first');
SELECT zcsync.pause_route('first'), zcsync.resume_route('first') LIKE '%is active%' AS active;
SELECT * FROM routed('first');

-- New, in the second of resume_route() and by a clock that is behind; a page may
-- bring what was changed before, and what came long ago
SELECT arrives('acme', 'new', '0'), arrives('acme', 'new, of a clock behind', '2 minutes'), arrives('acme', 'new, of a clock ahead', '-5 minutes'),
	arrives('acme', 'new, without a time', NULL), arrives('acme', 'new, without the time of its making', '0', false),
	arrives('acme', 'old, two minutes ago', '1 minute'), arrives('acme', 'old and late', '3 days');
SELECT * FROM routed('first');
-- and so it is with what comes while the route is paused
SELECT zcsync.pause_route('first');
SELECT arrives('acme', 'in the pause', '0'), arrives('acme', 'in the pause, of a clock behind', '3 minutes'),
	arrives('acme', 'in the pause, without a time', NULL), arrives('acme', 'old, just now', '1 minute'), arrives('acme', 'old', '4 minutes');
SELECT * FROM routed('first');
SELECT zcsync.resume_route('first') LIKE '%is active%' AS active;
SELECT * FROM routed('first');
-- plan() says the same of all of them
SELECT source FROM zcsync.plan('first') WHERE op = 'create';
SELECT zcsync.remove_route('first');

-- A clock that is hours behind, or times of another zone: the newest record
-- here tells where the route begins.
UPDATE zcsync.streams SET newest_record_at = now() - interval '5 hours' WHERE account_id = zcsync.account('halo');
SELECT arrives('halo', 'old, hours behind', '5 hours');
SELECT begins('zones', 'halo/tickets');
SELECT arrives('halo', 'new, hours behind', '4 hours 59 minutes'), arrives('halo', 'new', '0'), arrives('halo', 'of yesterday', '25 hours');
SELECT * FROM routed('zones');
-- days later the times alone decide
SET zcsync.clock_offset = 172800;
SELECT arrives('halo', 'new, days later', '0'), arrives('halo', 'old, hours behind', '5 hours');
SELECT * FROM routed('zones');
RESET zcsync.clock_offset;
SELECT zcsync.remove_route('zones');

-- While the history is being read, and where there is none, what is older than
-- the place where the stream is, less five minutes, is not new.
UPDATE zcsync.streams SET history_state = 'running', newest_record_at = now() - interval '300 days' WHERE account_id = zcsync.account('acme');
SELECT begins('reading', 'acme/tickets');
SELECT arrives('acme', 'history', '200 days'), arrives('acme', 'history, of today', '6 minutes'), arrives('acme', 'live', '4 minutes');
SELECT * FROM routed('reading');
SELECT item, ok, message FROM zcsync.check_route('reading') WHERE item = 'source';
SELECT zcsync.remove_route('reading');

-- A backfill follows the history, also while the route is paused, and to its end:
-- with rows that had to wait for a lock
DELETE FROM zcsync.sync_queue;
BEGIN; SELECT zcsync._allow_delete(); DELETE FROM zcsync.tickets WHERE account_id = zcsync.account('beta'); COMMIT;
UPDATE zcsync.streams SET history_state = 'running', records_done = 1, records_estimate = 4 WHERE account_id = zcsync.account('beta');
SELECT arrives('beta', 'read before', '200 days');
SELECT zcsync.add_route('follow', 'beta/tickets', 'dev/tasks', create_in => '901', filter => '', match_on => 'false') LIKE '%paused%' AS made;
SELECT zcsync.map_field('follow', 'name', 's.subject');
SELECT zcsync.unmap_field('follow', field) FROM (SELECT field FROM zcsync.route_fields WHERE field <> 'name') f;
SELECT zcsync.resume_route('follow');
SELECT * FROM zcsync.backfill_route('follow') WHERE item IN ('to link or create', 'to come');
SELECT arrives('beta', 'read before it is confirmed', '100 days');
SELECT * FROM routed('follow');
SELECT item, value FROM zcsync.backfill_route('follow', confirm => true);
SELECT * FROM routed('follow');
SELECT arrives('beta', 'read later', '90 days'), arrives('beta', 'new', '0');
SELECT backfill, priority, count(*) FROM zcsync.sync_queue WHERE operation = 'route' GROUP BY 1, 2 ORDER BY 1;
SELECT * FROM routed('follow');
SELECT zcsync.pause_route('follow');
SELECT arrives('beta', 'read in the pause', '80 days');
SELECT zcsync.resume_route('follow');
INSERT INTO zcsync.sync_queue (account_id, queue, operation, budget_class, stream_id, kind, record_key, dedupe_key)
SELECT s.account_id, 'ticket-sync', 'apply', '', s.stream_id, s.kind, 'apply/tickets/1', 'apply/tickets/1' FROM zcsync.streams s WHERE s.account_id = zcsync.account('beta');
UPDATE zcsync.streams SET history_state = 'done' WHERE account_id = zcsync.account('beta');
SELECT arrives('beta', 'read and parked', '70 days');
SELECT * FROM routed('follow');
SELECT follows FROM zcsync.route_backfills;
-- then it is over
DELETE FROM zcsync.sync_queue WHERE operation = 'apply';
SELECT zcsync._run_route_jobs();
SELECT follows FROM zcsync.route_backfills;
SELECT arrives('beta', 'fetched', '60 days');
SELECT * FROM routed('follow');
SELECT item FROM zcsync.backfill_route('follow', confirm => true);
SELECT * FROM routed('follow');
SELECT zcsync.remove_route('follow');
UPDATE zcsync.streams SET history_state = 'none', since = NULL, created_at = now() - interval '1 hour' WHERE account_id = zcsync.account('beta');
SELECT begins('none', 'beta/tickets');
SELECT arrives('beta', 'before the stream', '70 minutes'), arrives('beta', 'after it', '50 minutes');
SELECT * FROM routed('none');
SELECT zcsync.remove_route('none');

-- A stream that was not read for a while: what it has still to bring is new.
UPDATE zcsync.streams SET created_at = now() - interval '10 days', last_pull_at = now() - interval '3 hours' WHERE account_id = zcsync.account('acme');
SELECT begins('behind', 'acme/tickets');
SELECT arrives('acme', 'not read yet', '2 hours');
SELECT * FROM routed('behind');
SELECT zcsync.remove_route('behind');

-- A local account: a lead brings times from elsewhere, and an import that began
-- before the route may end after it.
CREATE FUNCTION comes(lead text, ago interval DEFAULT NULL) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.leads (account_id, last_name, email, created_at, updated_at)
	VALUES (zcsync.account('crm'), lead, md5(lead) || '@example.com', zcsync._now() - ago, zcsync._now() - ago)
$$;
SELECT comes('old'), comes('old, with a time', '0');
SELECT begins('leads', 'crm/leads');
SELECT comes('new'), comes('new, with an old time', '2 years');
SET zcsync.clock_offset = -7200;
SELECT comes('new, of a clock set back');
RESET zcsync.clock_offset;
SELECT * FROM routed('leads');
SELECT zcsync.pause_route('leads');
SELECT comes('in the pause', '2 years');
SELECT zcsync.resume_route('leads') LIKE '%is active%' AS active;
SELECT * FROM routed('leads');

-- A copy of the database that was adopted counts transactions anew: its routes
-- go by the clock.
SELECT begins('adopted', 'acme/tickets');
UPDATE zcsync.installation SET system_identifier = system_identifier + 1;
SELECT zcsync.adopt_database();
SELECT starts_at - old_before AS margin, old_rows FROM zcsync.routes WHERE name = 'adopted';
UPDATE zcsync.streams SET last_pull_at = zcsync._now() + interval '1 minute', reads_awaited = 0;
SELECT arrives('acme', 'after the adoption', '0'), arrives('acme', 'late', '10 minutes');
SELECT * FROM routed('adopted');

SET client_min_messages = error;
DROP FUNCTION arrives, begins, routed, comes;
DROP EXTENSION zcsync CASCADE;
