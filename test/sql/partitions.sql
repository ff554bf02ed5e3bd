-- Monthly partitions of history, and what happens where a month is missing.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
-- months counted from this one; the DEFAULT partition has none
CREATE VIEW partitions AS
SELECT p.relname AS parent, CASE WHEN c.relname LIKE '%\_default' THEN 'default'
		ELSE ((extract(year FROM m.month) - extract(year FROM now())) * 12 + extract(month FROM m.month) - extract(month FROM now()))::text END AS month,
	c.relname = p.relname || coalesce('_y' || to_char(m.month, 'YYYY"m"MM'), '_default') AS named,
	pg_get_expr(c.relpartbound, c.oid) = CASE WHEN m.month IS NULL THEN 'DEFAULT' ELSE format('FOR VALUES FROM (''%s'') TO (''%s'')',
		m.month::timestamptz, (m.month + interval '1 month')::timestamptz) END AS bounds
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
CROSS JOIN LATERAL (SELECT to_date(substring(c.relname FROM 'y(\d{4}m\d\d)$'), 'YYYY"m"MM')) AS m (month)
WHERE p.relnamespace = 'zcsync'::regnamespace
ORDER BY p.relname, m.month NULLS FIRST;
SET datestyle = 'ISO';
SELECT * FROM partitions;
SELECT zcsync.create_partitions() AS again;

-- a month that is missing is no error; its rows move when it is made
INSERT INTO zcsync.changes (account_id, kind, local_id, action, new, cause, role, created_at)
SELECT 1, 'tickets', i, 'update', '{"a": 1}', 'local', 'me', '2020-02-10 12:00+00'::timestamptz + i * interval '10 days' FROM generate_series(1, 6) i;
SELECT count(*) FROM zcsync.changes_default;
SELECT zcsync.create_partitions();
SELECT tableoid::regclass, array_agg(local_id ORDER BY local_id) FROM zcsync.changes GROUP BY tableoid ORDER BY tableoid::regclass::text;
-- just at the turn of a month, in UTC, whatever the session's zone
SET timezone = 'America/Los_Angeles';
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at)
VALUES (1, 'tickets', 11, 'update', 'local', 'me', '2021-06-30 23:59:59.999999+00'), (1, 'tickets', 12, 'update', 'local', 'me', '2021-07-01 00:00:00+00');
SELECT zcsync.create_partitions();
SELECT tableoid::regclass, local_id FROM zcsync.changes WHERE local_id > 10 ORDER BY local_id;
SET timezone = 'UTC';
-- indexes come with a month
SELECT count(*) FROM pg_indexes WHERE schemaname = 'zcsync' AND tablename = 'changes_y2021m07';
-- a table of that name that is somebody's own is left alone, and so are the rows
CREATE TABLE zcsync.changes_y2019m01 (x integer);
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at) VALUES (1, 'tickets', 21, 'update', 'local', 'me', '2019-01-10');
SELECT zcsync.create_partitions();
SELECT tableoid::regclass, local_id FROM zcsync.changes WHERE local_id > 20;
DROP TABLE zcsync.changes_y2019m01;
SELECT zcsync.create_partitions();
SELECT tableoid::regclass, local_id FROM zcsync.changes WHERE local_id > 20;
DROP VIEW partitions;
DROP EXTENSION zcsync CASCADE;
