-- Zendesk: requests of pulls, cursors, documents as rows.
-- The worker is stopped; documents are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') AS acme \gset
INSERT INTO zcsync.streams (account_id, kind, since, created_at) VALUES
	(:acme, 'tickets', '2026-01-01 00:00+00', '2026-02-01 00:00+00'),
	(:acme, 'contacts', NULL, '2026-02-01 00:00+00'),
	(:acme, 'fields', NULL, '2026-02-01 00:00+00'),
	(:acme, 'statuses', NULL, '2026-02-01 00:00+00'),
	(:acme, 'companies', '2026-01-01 00:00+00', '2026-02-01 00:00+00');
SELECT stream_id AS tickets FROM zcsync.streams WHERE kind = 'tickets' \gset
-- as a session of any user may have it
SET timezone = 'Asia/Kolkata';

-- budgets by plan
SELECT p.plan, b.* FROM unnest('{team,growth,professional,enterprise,enterprise_plus}'::text[]) WITH ORDINALITY AS p (plan, n),
	zcsync._zendesk_budgets(jsonb_build_object('plan', p.plan)) AS b WHERE b.class = 'api' ORDER BY p.n;
SELECT * FROM zcsync._zendesk_budgets('{"high_volume": true}');
-- Essential has ten calls of all kinds together; sandboxes and trials fewer changes of tickets
SELECT s.settings, jsonb_object_agg(b.class, b.calls) FROM unnest('{"{\"plan\": \"essential\"}", "{\"plan\": \"trial\"}",
	"{\"plan\": \"enterprise\", \"sandbox\": true}", "{\"sandbox\": true, \"high_volume\": true}"}'::jsonb[]) WITH ORDINALITY AS s (settings, n),
	zcsync._zendesk_budgets(s.settings) AS b GROUP BY s.n, s.settings ORDER BY s.n;

-- A catalogue in pages goes on by its cursor, whatever host its links name, and ends where it has no other one.
SELECT r.reply -> 'meta' AS meta, zcsync._zendesk_next_page('{"op": "ticket_fields", "page[after]": "b"}', r.reply) AS next
FROM unnest(ARRAY['{"meta": {"has_more": true, "after_cursor": "c"}, "links": {"next": "https://elsewhere.example/api/v2/ticket_fields?page[after]=c"}, "next_page": "https://elsewhere.example/x"}',
	'{"meta": {"has_more": true, "after_cursor": "b"}}', '{"meta": {"has_more": false, "after_cursor": "c"}}', '{"meta": {"has_more": true}}', '{"links": {"next": "https://elsewhere.example/x"}}', '{}', '[]']::jsonb[]) AS r (reply);
-- scopes: what the streams need, and what Zendesk does not know
SELECT g.granted, l.* FROM unnest('{read write,read,write,tickets:read users:read,users:read,raed,"",tickets:reed,hc:read read}'::text[]) WITH ORDINALITY AS g (granted, n)
LEFT JOIN LATERAL zcsync._zendesk_scope_lacks(:acme, g.granted) AS l ON true ORDER BY g.n, l.scope, l.purpose;

-- addresses
SELECT zcsync._zendesk_record_url('{"subdomain": "acme"}', k, '7') FROM unnest('{tickets,contacts,companies,fields}'::text[]) AS k;
SELECT zcsync._zendesk_record_url('{"base_url": "http://127.0.0.1:1/"}', 'tickets', '7');

SELECT zcsync._zendesk_scope_check('tickets', '{}');
SELECT zcsync._zendesk_scope_check('tickets', '{"list_ids": ["1"]}');

-- requests: each lane from its own start, then from its own cursor
SELECT kind, lane, zcsync._zendesk_pull_request(stream_id, lane)
FROM zcsync.streams, unnest('{live,history}'::text[]) AS lane
WHERE lane = 'live' OR since IS NOT NULL ORDER BY stream_id, lane DESC;
UPDATE zcsync.streams SET live_cursor = '{"cursor": "abc"}', history_cursor = '{"start_time": 5}' WHERE kind = 'tickets';
SELECT lane, zcsync._zendesk_pull_request(:tickets, lane) FROM unnest('{live,history}'::text[]) AS lane;
-- never later than five minutes ago
UPDATE zcsync.streams SET history_cursor = NULL, since = 'infinity' WHERE kind = 'tickets';
SELECT extract(epoch FROM zcsync._now()) - (zcsync._zendesk_pull_request(:tickets, 'history') ->> 'start_time')::numeric BETWEEN 300 AND 310 AS held_back;
SELECT zcsync._zendesk_fetch_request(:tickets, '{"ids": ["35436", "7"]}');

-- where it goes on
SELECT n, lane, x.cursor - 'started' AS cursor, x.more, x.run_after
FROM (VALUES
	(1, '{"op": "incremental", "start_time": 5}', '{"tickets": [{}], "after_cursor": "a", "end_of_stream": false}'),
	(2, '{"op": "incremental", "cursor": "a"}', '{"tickets": [], "after_cursor": "b", "end_of_stream": false}'),
	(3, '{"op": "incremental", "cursor": "a"}', '{"tickets": [{}], "after_cursor": "b", "end_of_stream": true}'),
	(4, '{"op": "incremental", "cursor": "a"}', '{"tickets": [{}], "after_cursor": "a", "end_of_stream": true}'),
	-- no end and no way on
	(5, '{"op": "incremental", "cursor": "a"}', '{"tickets": [{}], "after_cursor": "a", "end_of_stream": false}'),
	(6, '{"op": "incremental", "cursor": "a"}', '{"tickets": []}'),
	-- nothing at all: the start is kept
	(7, '{"op": "incremental", "start_time": 5}', '{"tickets": [], "after_cursor": null, "end_of_stream": true}'),
	(8, '{"op": "ticket_fields"}', '{"ticket_fields": []}')) AS v (n, request, reply),
	unnest('{live,history}'::text[]) AS lane,
	zcsync._zendesk_next(1, lane, request::jsonb, reply::jsonb) AS x
ORDER BY n, lane;
-- the time up to which it has read, that of the last record, and whether it was begun anew
SELECT n, x.cursor FROM (VALUES
	(1, '{"op": "incremental", "kind": "tickets", "cursor": "a", "time": 5}', '{"tickets": [{"id": 1, "generated_timestamp": 6}, {"id": 2, "generated_timestamp": 9}], "after_cursor": "b"}'),
	(2, '{"op": "incremental", "kind": "tickets", "cursor": "a", "time": 5}', '{"tickets": [], "after_cursor": "b"}'),
	(3, '{"op": "incremental", "kind": "tickets", "cursor": "a", "time": 5}', '{"tickets": [{"id": 1, "generated_timestamp": 4}], "after_cursor": "b"}'),
	(4, '{"op": "incremental", "kind": "users", "start_time": 5}', '{"users": [{"id": 1, "updated_at": "1970-01-01T00:01:40Z"}], "after_cursor": "b"}'),
	(5, '{"op": "incremental", "kind": "tickets", "start_time": 5, "restarted": true}', '{"tickets": [], "after_cursor": "b"}'),
	(6, '{"op": "incremental", "kind": "tickets", "start_time": 5, "restarted": true}', '{"tickets": []}'),
	(7, '{"op": "incremental", "kind": "tickets", "cursor": "b", "time": 5, "restarted": true}', '{"tickets": [], "after_cursor": "c"}')) AS v (n, request, reply),
	zcsync._zendesk_next(1, 'live', request::jsonb, reply::jsonb) AS x
ORDER BY n;
-- organizations: a page ends with a time, from which the next one begins; one second may fill a page
SELECT n, x.* FROM (VALUES
	(1, '{"organizations": [{"id": 1}], "end_time": 900, "end_of_stream": false}'),
	(2, '{"organizations": [{"id": 1}], "end_time": 500, "end_of_stream": false}'),
	(3, '{"organizations": [{"id": 1}], "end_time": 400, "end_of_stream": false}'),
	(4, '{"organizations": [{"id": 1}], "end_time": 900, "end_of_stream": true}'),
	(5, '{"organizations": [{"id": 1}], "end_time": 600, "end_of_stream": true}'),
	(6, '{"organizations": [], "end_time": null, "end_of_stream": true}'),
	(7, '{"organizations": [], "end_time": 900, "end_of_stream": false}'),
	(8, '{"organizations": [{"id": 1}], "end_of_stream": false}'),
	(9, '{"organizations": "x", "end_time": "soon"}')) AS v (n, reply),
	zcsync._zendesk_next(1, 'live', '{"op": "organizations", "start_time": 500}', reply::jsonb) AS x
ORDER BY n;
-- no word about the end: a full page is not the last
SELECT x.* FROM generate_series(999, 1000) AS n, zcsync._zendesk_next(1, 'history', '{"op": "organizations", "start_time": 500}',
	jsonb_build_object('end_time', 900, 'organizations', (SELECT jsonb_agg(jsonb_build_object('id', i)) FROM generate_series(1, n) AS i))) AS x;
-- the catalogue: fields, then groups, brands and forms, in pages; what there is of these is one row when the last page is here
CREATE TEMP TABLE walk (n, reply) AS VALUES
	(1, '{"ticket_fields": [], "meta": {"has_more": true, "after_cursor": "f"}}'::jsonb), (2, '{"ticket_fields": []}'),
	(3, '{"groups": [{"id": 1, "name": "Support", "default": true, "deleted": false}, {"id": 2, "name": "Gone", "deleted": true}, {"name": "x"}], "meta": {"has_more": true, "after_cursor": "g"}}'),
	(4, '{"groups": [{"id": 3, "name": "Billing"}], "meta": {"has_more": false, "after_cursor": "h"}}'),
	(5, '{"brands": [{"id": 4, "name": "Acme", "subdomain": "acme", "active": false, "is_deleted": false}, {"id": 5, "name": "Old", "is_deleted": true}]}'),
	(6, '{"zcsync_missing": true}'), (7, '{"custom_statuses": []}');
WITH RECURSIVE w AS (
	SELECT 1 AS n, '{"op": "ticket_fields"}'::jsonb AS request
	UNION ALL
	SELECT w.n + 1, '{"op": "ticket_fields"}' || nullif(x.cursor, '{}') || '{"started": 5}'
	FROM w JOIN walk ON walk.n = w.n CROSS JOIN LATERAL zcsync._zendesk_next(1, 'live', w.request, walk.reply) AS x WHERE x.more)
SELECT w.n, w.request, r.remote_id, r.vals - '{custom_fields,created_at,updated_at,position}'::text[] AS vals
FROM w JOIN walk ON walk.n = w.n LEFT JOIN LATERAL zcsync._zendesk_rows(1, 'fields', w.request, walk.reply) AS r ON true ORDER BY w.n;
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('op', 'brands', 'started', extract(epoch FROM zcsync._now() - n * interval '1 minute')::bigint)
FROM (VALUES ('fields', 59), ('statuses', 61)) AS v (k, n) WHERE k = kind;
SELECT kind, zcsync._zendesk_pull_request(stream_id, 'live') - 'started' AS request FROM zcsync.streams WHERE live_cursor ? 'started' ORDER BY kind;
SELECT x.* FROM zcsync._zendesk_next(1, 'live', '{"op": "custom_statuses"}', '{"custom_statuses": []}') AS x;
-- a cursor that is refused: from the last time, less what exports lag behind, once
SELECT n, zcsync._zendesk_restart(request::jsonb, status, 'Invalid cursor') AS restart FROM (VALUES
	(1, '{"op": "incremental", "cursor": "a", "time": 1000}', 400), (2, '{"op": "incremental", "cursor": "a", "time": 1000}', 422),
	(3, '{"op": "incremental", "cursor": "a", "time": 100}', 410), (4, '{"op": "incremental", "cursor": "a", "time": 1000}', 403),
	(5, '{"op": "incremental", "cursor": "a", "time": 1000, "restarted": true}', 400), (6, '{"op": "incremental", "start_time": 1000}', 400),
	(7, '{"op": "incremental", "cursor": "a"}', 400), (8, '{"op": "show_many", "cursor": "a", "time": 1000}', 400)) AS v (n, request, status)
ORDER BY n;

-- documents as rows
SELECT r.kind, r.remote_id, r.remote_version, r.is_deleted, jsonb_pretty(r.vals) AS vals
FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', $${"tickets": [{
	"id": 35436, "url": "https://acme.zendesk.com/api/v2/tickets/35436.json", "external_id": null,
	"subject": "Printer \ud83d\udda8 jam", "raw_subject": "{{dc.printer}}", "description": "It <b>jams</b>\r\n\u0645\u0631\u062d\u0628\u0627",
	"status": "open", "custom_status_id": 9123456789012, "priority": "high", "type": "incident",
	"requester_id": 20978392, "submitter_id": 76872, "assignee_id": 235323, "group_id": 98738, "organization_id": 509974,
	"brand_id": 123, "ticket_form_id": 47, "problem_id": 35000, "follower_ids": [9, 10], "collaborator_ids": [9, 10, 11],
	"email_cc_ids": [11], "satisfaction_rating": {"id": 1, "score": "good"}, "tags": ["zeta", "alpha"], "due_at": "2026-11-30T17:00:00Z",
	"via": {"channel": "email", "source": {}}, "has_incidents": false,
	"custom_fields": [{"id": 27642, "value": "745"}, {"id": 27648, "value": null}, {"id": 27650, "value": ["a", "b"]},
		{"id": 27652, "value": true}, {"id": 27654, "value": 1.5}],
	"created_at": "2026-07-20T22:55:29Z", "updated_at": "2026-11-20T09:00:01Z", "generated_timestamp": 1795165201}],
	"users": [{"id": 20978392, "name": "Some Body", "email": "some.body@example.com", "phone": null, "role": "end-user",
		"organization_id": 509974, "external_id": "x1", "active": true, "time_zone": "Copenhagen", "iana_time_zone": "Europe/Copenhagen",
		"user_fields": {"level": "gold", "since": null}, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}]}$$) AS r;

-- what vendors should not send, but do: no row of the page is lost for it
CREATE TEMP TABLE odd AS
SELECT n, d::jsonb FROM (VALUES
	(1, '{"id": "12", "status": "deleted", "subject": 12, "description": {"a": 1}, "tags": "x", "custom_fields": {"id": 1}}'),
	(2, '{"id": 13, "tags": [1, null, "b", {"x": 1}], "custom_fields": [null, 1, "x", {}, {"id": 5}, {"value": 3}, {"id": 6, "value": {"a": null, "b": 1}}], "via": "web", "generated_timestamp": "soon"}'),
	(3, '{"id": 14, "created_at": "2026-02-30T00:00:00Z", "updated_at": 5, "due_at": "2026-11-20T10:00:00.25+01:00"}'),
	(4, '{"id": 15, "created_at": "2024-02-29T23:59:59Z", "updated_at": "2023-02-29T00:00:00Z", "due_at": "tomorrow"}'),
	(5, '{"id": null}'), (6, '{}'), (7, '[]'), (8, 'null'), (9, '7'), (10, '"x"')) AS v (n, d);
SELECT r.kind, r.remote_id, r.remote_version, r.is_deleted, jsonb_strip_nulls(r.vals) AS vals
FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', (SELECT jsonb_build_object('tickets', jsonb_agg(d ORDER BY n), 'users', jsonb_agg(d ORDER BY n)) FROM odd)) AS r;
-- and all of it fits the columns
SELECT count(p.*) FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', (SELECT jsonb_build_object('tickets', jsonb_agg(d)) FROM odd)) AS r,
	jsonb_populate_record(NULL::zcsync.tickets, r.vals) AS p;
SELECT x.reply, count(r.*)
FROM (VALUES ('{}'), ('{"tickets": null, "users": 1}'), ('{"tickets": {}}'), ('[]'), (NULL)) AS x (reply)
LEFT JOIN LATERAL zcsync._zendesk_rows(:acme, 'tickets', '{}', x.reply::jsonb) AS r ON true GROUP BY 1 ORDER BY 1;

-- long texts: whole, but for what is indexed
SELECT length(r.vals ->> 'description'), length(r.vals ->> 'assignee_id'), length(r.remote_id)
FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', jsonb_build_object('ticket', jsonb_build_object('id', repeat('1', 600),
	'assignee_id', repeat('2', 600), 'description', repeat('x', 1000000)))) AS r;

-- values are as to_jsonb() prints them in UTC: nothing differs after storing
SET timezone = 'UTC';
SELECT r.vals = (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(p)) AS e WHERE r.vals ? e.key) AS same
FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', (SELECT jsonb_build_object('tickets', jsonb_agg(d)) FROM odd WHERE n IN (2, 3, 4))) AS r,
	jsonb_populate_record(NULL::zcsync.tickets, r.vals) AS p;

-- every own column has a value
SELECT k.kind, ARRAY(SELECT unnest(zcsync._own_columns(k.kind)) EXCEPT SELECT jsonb_object_keys(r.vals)) AS missing,
	ARRAY(SELECT jsonb_object_keys(r.vals) EXCEPT SELECT unnest(zcsync._own_columns(k.kind))) AS unknown
FROM (VALUES ('tickets', '{"tickets": [{"id": 1}]}'), ('contacts', '{"users": [{"id": 1}]}'),
	('companies', '{"organizations": [{"id": 1}]}'), ('fields', '{"ticket_fields": [{"id": 1}]}'), ('statuses', '{"custom_statuses": [{"id": 1}]}')) AS k (kind, reply),
	zcsync._zendesk_rows(:acme, k.kind, '{}', k.reply::jsonb) AS r;

-- the catalogue
SELECT r.remote_id, jsonb_strip_nulls(r.vals) FROM zcsync._zendesk_rows(:acme, 'fields', '{}', '{"ticket_fields": [
	{"id": 34, "type": "subject", "title": "Subject", "position": 21, "required": true, "active": true, "created_at": "2020-07-20T22:55:29Z"},
	{"id": 35, "type": "tagger", "title": "Product", "position": "x", "active": false, "custom_field_options": [{"id": 1, "name": "A", "value": "prod_a"}]},
	{"id": 36, "type": "status", "title": "Status", "system_field_options": [{"name": "Open", "value": "open"}]}]}') AS r;
SELECT r.remote_id, jsonb_strip_nulls(r.vals) FROM zcsync._zendesk_rows(:acme, 'statuses', '{}', '{"custom_statuses": [
	{"id": 1, "status_category": "pending", "agent_label": "Waiting", "default": false, "active": true}]}') AS r;
SELECT r.vals ->> 'status_id' AS status_id, r.vals ->> 'category' AS category, r.vals ->> 'name' AS name
FROM zcsync._zendesk_rows(:acme, 'statuses', '{}', '{"custom_statuses": []}') AS r;
-- audits: who changed what, without the text of comments
SELECT at AT TIME ZONE 'UTC' AS at, who_id, who, field, old, new, channel FROM zcsync._zendesk_audits(:acme, '{"users": [{"id": 7, "name": "Robin"}], "audits": [
	{"id": 1, "author_id": 7, "created_at": "2026-01-01T10:00:00Z", "via": {"channel": "web"}, "events": [{"type": "Create", "field_name": "status", "value": "new"}, {"type": "Comment", "public": false, "body": "hush-hush"},
		{"type": "Notification", "body": "mail"}]},
	{"id": 2, "author_id": -1, "created_at": "2026-01-01T11:00:00Z", "via": {"channel": "rule"}, "events": [{"type": "Change", "field_name": "status", "value": "open", "previous_value": "new"},
		{"type": "Change", "field_name": "27642", "value": ["a"], "previous_value": null}, {"type": "Comment", "public": true, "body": "hush-hush"}]},
	{"id": 3, "author_id": 8, "created_at": "2026-01-01T12:00:00Z", "events": [{"type": "CommentRedactionEvent"}, {"type": "CommentPrivacyChange"}, null, 7]},
	null, {"events": "x"}, {}]}');
-- organizations
SELECT r.remote_id, r.remote_version, r.is_deleted, jsonb_strip_nulls(r.vals) FROM zcsync._zendesk_rows(:acme, 'companies', '{"op": "organizations"}', '{"organizations": [
	{"id": 509974, "name": "Northwind", "external_id": "crm-7", "domain_names": ["Northwind.example", "nw.example"], "tags": ["vip"], "group_id": 5, "details": "d",
		"organization_fields": {"tier": "gold", "since": null}, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"},
	{"id": 2, "name": "Gone", "domain_names": null, "deleted_at": "2026-01-01T00:00:00Z"}, {"id": 3, "name": 7, "domain_names": [1, null, {"a": 1}], "organization_fields": []},
	{"id": null}, null, "x", []]}') AS r;
-- deleted users
SELECT r.remote_id, r.is_deleted FROM zcsync._zendesk_rows(:acme, 'contacts', '{}', '{"users": [{"id": 1, "active": false}, {"id": 2, "active": "false"}, {"id": 3}]}') AS r;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
