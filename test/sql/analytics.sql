-- Analytics: business hours, tickets by agent, leads by source, capacity.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- ---------------------------------------------------------------------
-- Business hours: Monday to Friday, 9 to 17 in UTC, until told otherwise
-- ---------------------------------------------------------------------
SELECT f, t, zcsync.business_time(f, t) FROM (VALUES
	('2026-11-23 10:00+00'::timestamptz, '2026-11-23 11:30+00'::timestamptz),	-- a Monday
	('2026-11-23 16:30+00', '2026-11-24 09:10+00'), ('2026-11-23 20:00+00', '2026-11-24 03:00+00'), ('2026-11-27 16:00+00', '2026-11-30 10:00+00'),
	('2026-11-23 00:00+00', '2026-11-30 00:00+00'), ('2026-11-24 10:00+00', '2026-11-23 10:00+00'), ('2020-01-01', '2026-01-01'), (NULL, '2026-11-24 10:00+00')) AS x (f, t);
INSERT INTO zcsync.holidays VALUES ('2026-11-24', 'a holiday');
UPDATE zcsync.business_hours SET time_zone = 'America/New_York';
INSERT INTO zcsync.business_hours (weekday, opens, closes, time_zone) VALUES (6, '22:00', '24:00', 'America/New_York');
SELECT zcsync.business_time('2026-11-23 00:00+00', '2026-11-30 00:00+00') AS four_days_and_a_night, zcsync.business_time('2026-11-23 13:00+00', '2026-11-23 15:00+00') AS in_new_york;
-- wherever the session is; also in summer, and where it is Monday while it is still Sunday here
CREATE FUNCTION hours(time_zone text, since timestamptz) RETURNS interval LANGUAGE sql
BEGIN ATOMIC
	UPDATE zcsync.business_hours SET time_zone = hours.time_zone;
	SELECT zcsync.business_time(since, since + interval '2 hours');
END;
SET timezone = 'Europe/Berlin';
SELECT hours('America/New_York', '2026-11-23 13:00+00') AS winter, hours('America/New_York', '2026-07-06 12:00+00') AS summer, hours('Pacific/Auckland', '2026-11-22 19:00+00') AS monday_there, hours('Pacific/Auckland', '2026-11-27 03:00+00') AS friday_there,
	hours('Europe/Berlin', '2026-11-23 07:00+00') AS here;
SET timezone = 'Pacific/Kiritimati';
SELECT hours('America/New_York', '2026-11-23 13:00+00') AS winter, hours('Etc/GMT+12', '2026-11-28 04:00+00') AS friday_there, hours('Etc/GMT+12', '2026-11-29 04:00+00') AS saturday_there;
SET timezone = 'UTC';
DELETE FROM zcsync.business_hours;
SELECT zcsync.business_time('2026-11-23 00:00+00', '2026-11-30 00:00+00') AS around_the_clock;
SELECT zcsync.business_time('-infinity', '2026-11-30 00:00+00');

-- ---------------------------------------------------------------------
-- Tickets: opened, resolved, replied to
-- ---------------------------------------------------------------------
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"client_id": "c", "client_secret": "s"}') > 0 AS acme;
SELECT zcsync.add_account('crm', 'local') > 0 AS crm;
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO zcsync.contacts (account_id, remote_id, name) VALUES (zcsync.account('acme'), '7', 'Ada');
INSERT INTO zcsync.statuses (account_id, remote_id, status_id, name, category) VALUES (zcsync.account('acme'), 's', '99', 'All done', 'solved');
INSERT INTO zcsync.tickets (account_id, local_id, remote_id, subject, status, assignee_id, group_id, requester_id, created_at)
SELECT zcsync.account('acme'), n, n, 't', CASE n WHEN 1 THEN 'solved' WHEN 2 THEN '99' WHEN 3 THEN 'open' ELSE 'closed' END, CASE WHEN n < 4 THEN '7' END, '3', '8', date_trunc('hour', now()) - interval '10 hours'
FROM generate_series(1, 4) AS n;
-- 1 was solved, opened and solved again; 2 by a status of its own; 3 was solved and is open again; 4 went from solved to closed
INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, cause, role, created_at)
SELECT zcsync.account('acme'), 'tickets', x.id, 'update', jsonb_build_object('status', x.old), jsonb_build_object('status', x.new), 'pull', 'x', date_trunc('hour', now()) - interval '10 hours' + x.after
FROM (VALUES (1, 'open', 'solved', interval '1 hour'), (1, 'solved', 'open', '2 hours'), (1, 'open', 'solved', '4 hours'), (2, 'new', '99', '4 hours'),
	(3, 'open', 'solved', '1 hour'), (3, 'solved', 'open', '2 hours'), (4, 'solved', 'closed', '3 hours')) AS x (id, old, new, after);
INSERT INTO zcsync.leads (account_id, last_name, source, stage, value, status_id, created_at)
SELECT zcsync.account('crm'), 'L', CASE WHEN n <= 6 THEN 'apollo' END, CASE WHEN n = 1 THEN 'opportunity' WHEN n <= 3 THEN 'prospect' ELSE 'lead' END, 100, CASE WHEN n = 6 THEN 5 END, now()
FROM generate_series(1, 8) AS n;
COMMIT;
-- the first public comment that is not of the requester, as a vendor tells it
SELECT count(*) > 0 AS added FROM zcsync.add_stream('acme', 'tickets', comments => 'all');
CREATE FUNCTION at(hours numeric) RETURNS text LANGUAGE sql AS $$
	SELECT to_char((date_trunc('hour', now()) - interval '10 hours' + hours * interval '1 hour') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;
CREATE FUNCTION talk(ticket text, comments jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT (zcsync._apply_reply(zcsync.stream('acme/tickets'), zcsync._origin_of('pull', 1), jsonb_build_object('op', 'ticket_comments', 'ticket_id', ticket, 'as_of', 1), jsonb_build_object('comments', comments))).changed
$$;
SELECT talk('1', jsonb_agg(jsonb_build_object('id', 100 + n, 'author_id', CASE WHEN n = 1 THEN 8 ELSE 7 END, 'body', 'x', 'public', n <> 2, 'created_at', at(n / 2.0)))) FROM generate_series(1, 4) AS n;
SELECT count(*) FROM zcsync.changes WHERE kind = 'comments';
CALL zcsync.maintain();
SELECT account, agent_id, agent, team_id, opened, resolved, first_reply_hours BETWEEN 1.2 AND 1.7 AS first_reply, resolution_hours BETWEEN 2 AND 4 AS resolution FROM zcsync.stat_agents ORDER BY agent_id;
SELECT account, source, sum(leads) AS leads, sum(prospects) AS prospects, sum(opportunities) AS opportunities, sum(closed) AS closed, max(conversion) AS conversion, sum(value) AS value
FROM zcsync.lead_funnel GROUP BY 1, 2 ORDER BY 2;
-- counted again, nothing twice
CALL zcsync.maintain();
SELECT sum(opened) AS opened, sum(resolved) AS resolved FROM zcsync.work_numbers;
-- What comes days late, as after an outage, is counted the next day: a ticket, and its first reply.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO zcsync.tickets (account_id, local_id, remote_id, subject, status, assignee_id, group_id, requester_id, created_at)
VALUES (zcsync.account('acme'), 5, '5', 't', 'open', '9', '3', '8', date_trunc('hour', now()) - interval '6 days');
COMMIT;
SELECT talk('5', jsonb_build_array(jsonb_build_object('id', 200, 'author_id', 7, 'body', 'x', 'public', true, 'created_at', at(10 - 5 * 24))));
DELETE FROM zcsync.table_sizes;
CALL zcsync.maintain();
SELECT agent_id, opened, first_reply_hours BETWEEN 16 AND 24 AS first_reply FROM zcsync.stat_agents WHERE agent_id = '9';
SELECT sum(opened) AS opened FROM zcsync.work_numbers;
-- History that is not here any more is not counted again, since nothing would be found.
BEGIN;
UPDATE zcsync.installation SET created_at = created_at - interval '1 year';
DELETE FROM zcsync.table_sizes;
INSERT INTO zcsync.work_numbers (account_id, day, assignee, team, opened, resolved, resolutions, replies)
SELECT zcsync.account('acme'), begins - 1, '9', '', 3, 3, '{}', '{}' FROM zcsync._history_begins() AS begins;
SELECT zcsync._take_analytics();
SELECT sum(resolved) AS resolved FROM zcsync.work_numbers WHERE assignee = '9' AND team = '';
ROLLBACK;
-- Comments are found by the time at which they were written, however many there are.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO zcsync.comments (account_id, remote_id, parent_id, parent_kind, author_id, body, created_at)
SELECT zcsync.account('acme'), 'old ' || n, 'old', 'tickets', '7', repeat('x', 300), now() - interval '1 year' + n * interval '1 minute' FROM generate_series(1, 10000) AS n;
SELECT brin_summarize_new_values('zcsync.idx_comments_created_at') > 0 AS summarized;
SELECT count(*) FROM zcsync._replied_since(now() - interval '1 day');
CREATE FUNCTION buffers(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	v_plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT json) ' || query INTO v_plan;
	RETURN (v_plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (v_plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;
SELECT pg_relation_size('zcsync.comments') / 8192 > 400 AS large, buffers($$SELECT * FROM zcsync._replied_since(now() - interval '1 day')$$) < 200 AS few_are_read;
ROLLBACK;

-- ---------------------------------------------------------------------
-- What was synchronised
-- ---------------------------------------------------------------------
INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits) VALUES
	(zcsync.account('acme'), '2026-01-05', 'sent', 'tickets', 98, 2, '{"13": 98}'), (zcsync.account('acme'), '2026-01-05', 'read', 'tickets', 100, 0, '{"13": 100}'),
	(zcsync.account('acme'), '2026-01-05', 'calls', 'api', 50, 1, '{}'), (zcsync.account('acme'), '2026-01-06', 'read', 'tickets', 1, 0, '{"5": 1}');
INSERT INTO zcsync.lead_numbers (account_id, day, source, leads, prospects, opportunities, closed, value, taken_at) VALUES (zcsync.account('crm'), '2026-01-05', 'apollo', 3, 2, 1, 0, 100, now());
SELECT * FROM zcsync.analytics_sync('2026-01-01', '2026-01-31');
SELECT * FROM zcsync.analytics_sync('2026-01-01', '2026-01-31', 'apollo');
SELECT * FROM zcsync.analytics_sync('2026-01-06', '2026-01-31', 'acme');
SELECT day, account, measure, kind, done, failed, success_rate, p50_ms FROM zcsync.sync_daily WHERE day = '2026-01-05' ORDER BY 3;

-- ---------------------------------------------------------------------
-- Capacity
-- ---------------------------------------------------------------------
SELECT * FROM zcsync.calculate_capacity(5000, 0.15, 12);
SELECT * FROM zcsync.calculate_capacity(1000, 0, 12);
-- 1000 rows and a megabyte a day; calls double until the limit is in sight
DELETE FROM zcsync.daily_numbers;
DELETE FROM zcsync.table_sizes;
-- all tables are measured; those by month as a whole, each row once
ANALYZE zcsync.tickets, zcsync.leads;
SELECT zcsync._take_sizes();
SELECT table_name, row_count, bytes > 0 AS bytes FROM zcsync.table_sizes WHERE table_name IN ('tickets', 'leads') ORDER BY 1;
SELECT item, now, unit FROM zcsync.calculate_capacity() WHERE item IN ('table tickets', 'table leads') AND unit = 'rows' ORDER BY 1;
DELETE FROM zcsync.table_sizes;
INSERT INTO zcsync.table_sizes (day, table_name, row_count, bytes)
SELECT (now() AT TIME ZONE 'UTC')::date - 10 + n, 'tickets', 5000 + 1000 * n, 8000000 + 1000000 * n FROM generate_series(0, 10) AS n;
UPDATE zcsync.account_budgets SET calls = 100, share = 1, window_s = 86400 WHERE class = 'api';
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, share, tokens) VALUES (zcsync.account('acme'), 'api', 100, 86400, 1, 1) ON CONFLICT DO NOTHING;
INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits)
SELECT zcsync.account('acme'), (now() AT TIME ZONE 'UTC')::date - 10 + n, 'calls', 'api', 40 + 3 * n, 0, '{}' FROM generate_series(0, 9) AS n;
SELECT item, now, a_month, unit, suffices_until - (now() AT TIME ZONE 'UTC')::date AS days, note FROM zcsync.calculate_capacity();
UPDATE zcsync.daily_numbers SET done = 200;
SELECT item, now, a_month, suffices_until, note FROM zcsync.calculate_capacity() WHERE item LIKE 'calls%';
DROP EXTENSION zcsync CASCADE;
