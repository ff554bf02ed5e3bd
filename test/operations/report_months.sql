-- Months for reports: accounts whose numbers are good, bad, or none at all.  Names
-- try to get out of the page.
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"client_id": "c", "client_secret": "s"}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}', '{"token": "t"}');
SELECT zcsync.add_account('quiet', 'clickup', '{"workspace_id": "2"}', '{"token": "t"}');
SELECT zcsync.add_account('crm', 'local');
UPDATE zcsync.accounts SET created_at = now() - interval '100 days';
-- acme: 11,613 changes, of which 3 failed; fewer on two days of each seven
INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits)
SELECT zcsync.account('acme'), d.day, m.measure, m.kind, m.n, m.failed, jsonb_build_object(m.class, m.n - m.n / 20, m.class + 3, m.n / 20)
FROM (SELECT n, (now() AT TIME ZONE 'UTC')::date - n AS day FROM generate_series(0, 29) AS n) AS d
CROSS JOIN LATERAL (VALUES ('sent', 'tickets', 180 + d.n * 5 - CASE WHEN d.n % 7 IN (0, 6) THEN 100 ELSE 0 END, CASE WHEN d.n IN (3, 9, 20) THEN 1 ELSE 0 END, 12 + d.n % 3),
	('read', 'tickets', 150 + d.n, 0, 15 + d.n % 2), ('job', 'push', 200, CASE WHEN d.n IN (3, 9, 20) THEN 1 ELSE 0 END, 7), ('calls', 'api', 3000 + d.n, d.n % 7, 1)) AS m (measure, kind, n, failed, class);
-- dev: a bad month
INSERT INTO zcsync.daily_numbers (account_id, day, measure, kind, done, failed, waits)
SELECT zcsync.account('dev'), d.day, m.measure, m.kind, m.n, m.failed, jsonb_build_object(m.class, m.n - m.n / 3, m.class + 4, m.n / 3)
FROM (SELECT n, (now() AT TIME ZONE 'UTC')::date - n AS day FROM generate_series(0, 29) AS n) AS d
CROSS JOIN LATERAL (VALUES ('sent', 'tasks', CASE WHEN d.n BETWEEN 10 AND 13 THEN 5 ELSE 90 END, CASE WHEN d.n BETWEEN 9 AND 14 THEN 60 ELSE 4 END, 22 + d.n % 5),
	('job', 'push', 90, 20, 12), ('job', 'pull', 400, 3, 9), ('calls', 'api', 100000, 900, 1)) AS m (measure, kind, n, failed, class);
INSERT INTO zcsync.outages (account_id, cause, began_at, ended_at, message) VALUES
	(zcsync.account('dev'), 'vendor', now() - interval '13 days', now() - interval '10 days', '<b>bad gateway</b>'), (NULL, 'worker', now() - interval '5 days', now() - interval '4 days 23 hours', 'no worker ran');
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key, payload, priority, attempts, class, status, message, created_at, died_at)
SELECT n, zcsync.account('dev'), 'task-sync', 'push', 'api', 'tasks', n, 'x', 'x', '{"name": "text of a customer"}', 50, 3, CASE WHEN n < 6 THEN 'rejected' ELSE '<img src=x onerror=alert(1)>' END, 422,
	'text of a customer <script>document.title = "taken"</script>', now() - interval '2 days', now() - interval '2 days'
FROM generate_series(1, 7) AS n;
INSERT INTO zcsync.work_numbers (account_id, day, assignee, team, opened, resolved, resolutions, replies)
SELECT zcsync.account('acme'), (now() AT TIME ZONE 'UTC')::date - n, '7', '3', 20, 18, '{"32": 18}', '{"28": 15}' FROM generate_series(0, 29) AS n;
INSERT INTO zcsync.lead_numbers (account_id, day, source, leads, prospects, opportunities, closed, value, taken_at)
SELECT zcsync.account('crm'), (now() AT TIME ZONE 'UTC')::date - 3, s, 1000, 200, 30, 10, 5000, now()
FROM unnest(ARRAY['apollo', '</td></table><script>document.title = "taken"</script>', '"><svg onload=alert(1)>', $$' onmouseover='alert(1)$$, E'line\u0001\nbreak &amp; a very long source that has no space in it at all ' || repeat('x', 120)]) AS s;
UPDATE zcsync.installation SET numbers_at = now();
-- comments of acme that routes copied to dev: 1,000 public ones, one that was made
-- private since, one of which nobody knows, an internal one, one that did not arrive; and
-- an answer
INSERT INTO zcsync.comments (account_id, local_id, remote_id, parent_kind, parent_id, body, is_private, sync_cause, sync_xid)
SELECT zcsync.account(CASE WHEN n % 2 = 1 THEN 'acme' ELSE 'dev' END), 900000 + n, CASE WHEN n <> 2008 THEN n END, CASE WHEN n % 2 = 1 THEN 'tickets' ELSE 'tasks' END, '1', 'text of a customer',
	CASE WHEN n IN (2001, 2005) THEN true WHEN n % 2 = 1 AND n <> 2003 THEN false END, 'pull', '0'
FROM generate_series(1, 2008) AS n;
INSERT INTO zcsync.comment_copies (copy_id, original_id, was_public, digest, created_at)
SELECT 900000 + n + 1, 900000 + n, n <> 2005, 'x', now() FROM generate_series(1, 2007, 2) AS n;
INSERT INTO zcsync.comments (account_id, local_id, remote_id, parent_kind, parent_id, body, is_private, sync_cause, sync_xid)
VALUES (zcsync.account('dev'), 902010, '2010', 'tasks', '1', 'text of a customer', NULL, 'pull', '0'), (zcsync.account('acme'), 902011, '2011', 'tickets', '1', 'text of a customer', true, 'pull', '0');
INSERT INTO zcsync.comment_copies (copy_id, original_id, was_public, digest, created_at) VALUES (902011, 902010, false, 'x', now());
