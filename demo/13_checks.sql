-- What the vendors have, by their own word, against what is here.
\ir settings.sql
CREATE TABLE vendor_tickets AS
SELECT t ->> 'id' AS id, t AS doc
FROM jsonb_array_elements(pg_read_file(:'dir' || '/tickets.json')::jsonb -> 'tickets') AS t;
CREATE TABLE vendor_tasks AS
SELECT t ->> 'id' AS id, t AS doc
FROM jsonb_array_elements(pg_read_file(:'dir' || '/tasks.json')::jsonb -> 'tasks') AS t;
CREATE TABLE vendor_writes AS
SELECT w AS doc
FROM jsonb_array_elements(pg_read_file(:'dir' || '/ledger.json')::jsonb -> 'writes') AS w;
CREATE TABLE vendor_calls AS
SELECT v.key AS vendor, sum((e.value ->> 'calls')::integer) AS calls,
	sum(coalesce((e.value -> 'status' ->> '429')::integer, 0)) AS refused
FROM jsonb_each(pg_read_file(:'dir' || '/stats.json')::jsonb -> 'endpoints') AS v,
	jsonb_each(v.value) AS a, jsonb_each(a.value) AS e
GROUP BY 1;

-- A ticket that is a bug, its link, its task here and at ClickUp.
CREATE TABLE pairs AS
SELECT v.id AS ticket, v.doc AS ticket_doc, t.local_id, l.target_id, k.remote_id AS task, w.doc AS task_doc
FROM vendor_tickets AS v
LEFT JOIN zcsync.tickets AS t ON t.account_id = zcsync.account('acme') AND t.remote_id = v.id
LEFT JOIN zcsync.links AS l ON l.source_id = t.local_id
LEFT JOIN zcsync.tasks AS k ON k.local_id = l.target_id
LEFT JOIN vendor_tasks AS w ON w.id = k.remote_id
WHERE v.doc -> 'tags' ? 'bug' AND v.doc ->> 'status' <> 'deleted';

CREATE TABLE checks (n integer GENERATED ALWAYS AS IDENTITY, what text, vendor bigint, here bigint, ok boolean);
INSERT INTO checks (what, vendor, here, ok)
SELECT what, vendor, here, vendor IS NOT DISTINCT FROM here
FROM (VALUES
	('tickets at Zendesk, and here',
		(SELECT count(*) FROM vendor_tickets), (SELECT count(*) FROM zcsync.tickets)),
	('tickets whose values differ from Zendesk''s', 0, (
		SELECT count(*) FROM zcsync.tickets AS t LEFT JOIN vendor_tickets AS v ON v.id = t.remote_id
		WHERE (v.doc ->> 'subject', v.doc ->> 'status', v.doc ->> 'priority', v.doc -> 'tags')
			IS DISTINCT FROM (t.subject, t.status, t.priority, to_jsonb(t.tags)))),
	('tasks at ClickUp that a token may see, and here',
		(SELECT count(*) FROM vendor_tasks WHERE doc -> 'list' ->> 'name' <> 'Management'),
		(SELECT count(*) FROM zcsync.tasks WHERE deleted_at IS NULL)),
	('tasks whose values differ from ClickUp''s', 0, (
		SELECT count(*) FROM zcsync.tasks AS t LEFT JOIN vendor_tasks AS v ON v.id = t.remote_id
		WHERE (v.doc ->> 'name', v.doc -> 'status' ->> 'status', v.doc -> 'priority' ->> 'id')
			IS DISTINCT FROM (t.name, t.status, t.priority::text))),
	('tickets that are bugs, and tasks that ClickUp was told to create',
		(SELECT count(*) FROM pairs), (SELECT count(*) FROM vendor_writes WHERE doc ->> 'operation' = 'create')),
	('of these created twice', 0,
		(pg_read_file(:'dir' || '/stats.json')::jsonb #>> '{duplicates,clickup,marker,duplicates}')::bigint),
	('bugs, and tasks that carry the name of their ticket at ClickUp',
		(SELECT count(*) FROM pairs),
		(SELECT count(DISTINCT task) FROM pairs WHERE task_doc ->> 'name' = btrim(ticket_doc ->> 'subject'))),
	('of these with the right list and priority',
		(SELECT count(*) FROM pairs), (
		SELECT count(*) FROM pairs
		WHERE task_doc -> 'priority' ->> 'id' IS NOT DISTINCT FROM
				CASE ticket_doc ->> 'priority' WHEN 'urgent' THEN '1' WHEN 'high' THEN '2' WHEN 'normal' THEN '3' WHEN 'low' THEN '4' END
			-- a task stays in the list it was created in
			AND (task_doc -> 'list' ->> 'name' = CASE WHEN ticket_doc ->> 'priority' IN ('urgent', 'high') THEN 'Bugs' ELSE 'Requests' END
				OR ticket_doc ->> 'subject' LIKE 'Edited: %'))),
	('of these with the right status', (SELECT count(*) FROM pairs), (
		SELECT count(*) FROM pairs
		JOIN (VALUES
			('new', 'to do', 'Open'), ('open', 'in progress', 'planned'), ('pending', 'in review', 'planned'),
			('hold', 'in review', 'planned'), ('solved', 'complete', 'shipped'), ('closed', 'complete', 'Closed')
		) AS s (ticket, bugs, requests) ON s.ticket = ticket_doc ->> 'status'
		WHERE task_doc -> 'status' ->> 'status' = CASE task_doc -> 'list' ->> 'name' WHEN 'Bugs' THEN s.bugs ELSE s.requests END)),
	-- by e-mail address; else, and where nobody is assigned, the route's default
	('of these with the right assignee', (SELECT count(*) FROM pairs), (
		SELECT count(*) FROM pairs
		LEFT JOIN zcsync.contacts AS agent ON agent.account_id = zcsync.account('acme') AND agent.remote_id = ticket_doc ->> 'assignee_id'
		LEFT JOIN zcsync.contacts AS member ON member.account_id = zcsync.account('dev') AND member.email = agent.email
		WHERE task_doc #>> '{assignees,0,id}' = coalesce(member.remote_id, '185')
			AND jsonb_array_length(task_doc -> 'assignees') = 1)),
	('tasks at ClickUp that the UPDATE changed', 1, (
		SELECT count(*) FROM vendor_tasks
		WHERE doc @> '{"tags": [{"name": "from-sql"}]}' AND (doc ->> 'points')::numeric = 3)),
	('public comments of the ticket that are in the task', 1, (
		SELECT count(*) FROM vendor_tasks, jsonb_array_elements(doc -> 'comments') AS c WHERE c ->> 'comment_text' LIKE '%It fails since%')),
	('answers in the task that are internal comments of the ticket', 1, (
		SELECT count(*) FROM vendor_tickets, jsonb_array_elements(doc -> 'comments') AS c
		WHERE c ->> 'body' LIKE '%Reproduced;%' AND NOT (c ->> 'public')::boolean)),
	('internal notes of the ticket that ClickUp has anywhere', 0, (
		SELECT count(*) FROM vendor_tasks WHERE doc::text LIKE '%The customer is about%')),
	-- comments of old records are still being read, and webhooks report what was just written
	('jobs that have waited for ten seconds, errors', 0, (SELECT count(*) FROM zcsync.sync_queue
		WHERE operation NOT IN ('pull', 'comments') AND created_at < now() - interval '10 seconds') + (SELECT count(*) FROM zcsync.errors)),
	('calls that vendors refused as too many (429)', 0, (SELECT sum(refused) FROM vendor_calls))
) AS v (what, vendor, here);

SELECT what, vendor, here, CASE WHEN ok THEN 'ok' ELSE 'WRONG' END AS verdict FROM checks ORDER BY n;
SELECT c.vendor, c.calls, :seconds AS seconds_in_all FROM vendor_calls AS c ORDER BY 1;
\set ECHO queries
SELECT * FROM zcsync.status;
