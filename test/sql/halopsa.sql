-- HaloPSA: settings, scopes, requests of pulls, cursors, documents as rows.
-- The worker is stopped; documents are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- accounts
SELECT zcsync.add_account('psa', 'halopsa', '{}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com/api"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "halo.example.com"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com", "auth_url": "https://auth.example.com"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com", "tenant_in": "header"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com", "reconcile_limit": -1}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com"}', '{"token": "x"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com", "auth_url": "https://auth.haloitsm.com/auth", "tenant": "acme", "tenant_in": "body", "reconcile_limit": 50}') AS psa \gset
-- what may not be called is refused at once, and changes nothing
SELECT zcsync.alter_account('psa', '{"host": "halo.example.com"}');
SELECT zcsync.alter_account('psa', '{"auth_url": "https://auth.example.com"}');
SELECT zcsync.alter_account('psa', '{"base_url": "https://acme.halopsa.com.example.com/api"}');
SELECT zcsync.alter_account('psa', '{"auth_url": "http://acme.halopsa.com/auth"}');
SELECT settings FROM zcsync.accounts;
SELECT * FROM zcsync._halopsa_budgets('{}');
SELECT class, calls, window_s FROM zcsync.account_budgets ORDER BY class;
SELECT zcsync.alter_account('psa', '{"budgets": {"api": {"calls": 700}}}');
SELECT class, calls, window_s FROM zcsync.account_budgets ORDER BY class;

-- scopes
SELECT zcsync._halopsa_scope_check('tickets', s) FROM unnest('{"{}","{\"ticket_type_id\": 36, \"client_id\": \"12\", \"details\": false}"}'::jsonb[]) AS s;
SELECT zcsync._halopsa_scope_check('contacts', '{"client_id": 12}');
SELECT zcsync._halopsa_scope_check('tickets', '{"list_ids": ["1"]}');
SELECT zcsync._halopsa_scope_check('leads', '{"client_id": "Acme"}');
SELECT zcsync._halopsa_scope_check('leads', '{"details": "no"}');

SELECT k, zcsync._halopsa_record_url('{"host": "acme.halopsa.com"}', k, i)
FROM (VALUES ('tickets', '7'), ('leads', '8'), ('contacts', '9'), ('companies', '12'), ('companies', 'site-18'), ('fields', '1')) AS v (k, i);
SELECT zcsync._halopsa_record_url('{"base_url": "https://psa.example.com/api/"}', 'tickets', '7');

-- ---------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------
INSERT INTO zcsync.streams (account_id, kind, since, created_at)
SELECT :psa, k, CASE WHEN k NOT IN ('fields', 'statuses') THEN '2026-01-01 00:00+00'::timestamptz END, '2026-02-01 00:00+00'
FROM unnest('{tickets,leads,contacts,companies,fields,statuses}'::text[]) AS k;
SELECT stream_id AS tickets FROM zcsync.streams WHERE kind = 'tickets' \gset
SELECT stream_id AS companies FROM zcsync.streams WHERE kind = 'companies' \gset
-- as a session of any user may have it
SET timezone = 'Asia/Kolkata';
SELECT kind, lane, zcsync._halopsa_pull_request(stream_id, lane) - 'began' AS request
FROM zcsync.streams, unnest('{live,history}'::text[]) AS lane
WHERE lane = 'live' OR since IS NOT NULL ORDER BY stream_id, lane DESC;
SELECT kind, i, zcsync._halopsa_fetch_request(stream_id, jsonb_build_object('ids', jsonb_build_array(i)))
FROM zcsync.streams, unnest('{12,site-18}'::text[]) AS i
WHERE kind IN ('tickets', 'leads', 'contacts', 'companies') AND (i = '12' OR kind = 'companies') ORDER BY kind, i;
SELECT zcsync._halopsa_comments_request(:tickets, '{"id": "12"}') - 'as_of' AS request, zcsync._halopsa_comments_next(:tickets, '{}', '{}') AS next;

-- n rows of a list from an id, changed a minute apart
CREATE FUNCTION page(from_id integer, n integer, total integer, at timestamptz DEFAULT '2026-03-01 00:00+00') RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('record_count', total, 'page_no', 1, 'page_size', 100, 'tickets', (SELECT coalesce(jsonb_agg(jsonb_build_object(
		'id', i, 'last_update', to_char((at + (i - from_id) * interval '1 minute') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"1Z"'))
		ORDER BY i), '[]') FROM generate_series(from_id, from_id + n - 1) AS i))
$$;
-- one round of a lane: what was asked, and where it goes on
CREATE FUNCTION poll(stream bigint, lane text, reply jsonb) RETURNS TABLE (asked text, next jsonb, more boolean, queued bigint) LANGUAGE plpgsql AS
$$
DECLARE
	request jsonb := zcsync._halopsa_pull_request(stream, lane);
	had bigint := (SELECT count(*) FROM zcsync.sync_queue q WHERE q.stream_id = stream);
	v record;
BEGIN
	asked := concat_ws(' ', request ->> 'entity', request ->> 'page_no', request ->> 'lastupdatefromdate');
	SELECT x.cursor, x.more INTO v FROM zcsync._halopsa_next(stream, lane, request, reply) x;
	next := v.cursor - '{began,seen}'::text[];
	more := v.more;
	UPDATE zcsync.streams s SET live_cursor = CASE lane WHEN 'live' THEN v.cursor ELSE s.live_cursor END,
		history_cursor = CASE lane WHEN 'history' THEN v.cursor ELSE s.history_cursor END
	WHERE s.stream_id = stream;
	queued := (SELECT count(*) FROM zcsync.sync_queue q WHERE q.stream_id = stream) - had;
	RETURN NEXT;
END
$$;
UPDATE zcsync.streams SET history_state = 'done', live_cursor = jsonb_build_object('from', '2026-02-01T00:00:00+00:00', 'page', 1);
-- pages of a pass; records whose version differs are read singly
SELECT * FROM poll(:tickets, 'live', page(1, 100, 250));
-- a record left the list: the page is read again
SELECT * FROM poll(:tickets, 'live', page(102, 100, 249));
SELECT * FROM poll(:tickets, 'live', page(1, 100, 249));
SELECT * FROM poll(:tickets, 'live', page(101, 100, 249));
-- the end: from now on five minutes before the latest change
SELECT * FROM poll(:tickets, 'live', page(201, 49, 249));
-- nothing new: the place is kept
SELECT * FROM poll(:tickets, 'live', page(1, 0, 0));
-- a vendor that is ahead of our time: not past the beginning of the pass
SELECT next -> 'from' = to_jsonb(zcsync._now() - interval '5 minutes') OR (next ->> 'from')::timestamptz <= zcsync._now() AS not_ahead
FROM poll(:tickets, 'live', page(1, 1, 1, zcsync._now() + interval '1 day'));
-- an array without a count: full pages may be followed by others
UPDATE zcsync.streams SET live_cursor = jsonb_build_object('from', '2026-02-01T00:00:00+00:00', 'page', 1);
SELECT asked, next -> 'page' AS page, more FROM poll(:tickets, 'live', page(1, 100, 0) -> 'tickets');
SELECT asked, next -> 'page' AS page, more FROM poll(:tickets, 'live', page(101, 3, 0) -> 'tickets');
-- pages that are shorter than was asked for: on to all that are counted, or to an empty one
SELECT asked, next - '{max,from,ids_at,began}'::text[] AS next, more FROM poll(:tickets, 'live', page(1, 40, 90));
SELECT asked, next - '{max,from,ids_at,began}'::text[] AS next, more FROM poll(:tickets, 'live', page(41, 38, 90));
SELECT asked, next - '{max,from,ids_at,began}'::text[] AS next, more FROM poll(:tickets, 'live', page(81, 10, 90));
SELECT asked, next -> 'page' AS page, more FROM poll(:tickets, 'live', page(1, 40, 90));
SELECT asked, next -> 'page' AS page, more FROM poll(:tickets, 'live', page(41, 0, 90));
SELECT asked, next -> 'page' AS page, next -> 'first' AS first, more FROM poll(:tickets, 'live', page(1, 3, 0) -> 'tickets');
SELECT asked, next -> 'page' AS page, next -> 'first' AS first, more FROM poll(:tickets, 'live', page(1, 3, 0) -> 'tickets');
-- clients, and then sites
SELECT asked, next - 'max' AS next, more FROM poll(:companies, 'live', '{"record_count": 1, "clients": [{"id": 12, "alastupdate": "2026-03-01T00:00:00"}]}');
SELECT asked, next - 'max' AS next, more FROM poll(:companies, 'live', '{"record_count": 0, "sites": []}');
-- a history ends when what it listed was read
SELECT * FROM poll(:tickets, 'history', page(1, 2, 2));
SELECT zcsync._halopsa_pull_request(:tickets, 'history') IS NULL AS waits;
DELETE FROM zcsync.sync_queue;
SELECT * FROM poll(:tickets, 'history', page(1, 2, 2));
-- comments: of followed tickets that were acted on since, whether or not that moved the time of the last change
UPDATE zcsync.streams SET comments_at = now() WHERE kind = 'tickets';
INSERT INTO zcsync.conversations (account_id, kind, remote_id, version) SELECT :psa, 'tickets', i::text, '2026-03-01T00:00:00+00:00' FROM generate_series(1, 2) AS i;
SELECT queued, more FROM poll(:tickets, 'live', '{"record_count": 3, "tickets": [{"id": 1, "last_update": "2026-03-01T00:00:00Z", "lastactiondate": "2026-02-01T00:00:00Z"},
	{"id": 2, "last_update": "2026-03-01T00:00:00Z", "lastactiondate": "2026-03-01T00:01:00Z"}, {"id": 3, "last_update": "2026-03-01T00:00:00Z", "lastactiondate": "2026-03-01T00:01:00Z"}]}');
SELECT remote_id, version, due_at IS NOT NULL AS due FROM zcsync.conversations ORDER BY remote_id;
DELETE FROM zcsync.conversations;
DELETE FROM zcsync.sync_queue;
-- a scope that the list did not heed
UPDATE zcsync.streams SET scope = '{"ticket_type_id": 36}' WHERE kind = 'tickets';
SELECT zcsync._halopsa_pull_request(:tickets, 'live') ->> 'requesttype' AS type;
SELECT queued FROM poll(:tickets, 'live', '{"record_count": 3, "tickets": [{"id": 501, "tickettype_id": 36.0}, {"id": 502, "tickettype_id": 1}, {"id": 503, "tickettype_id": "36"}]}');

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------
SET timezone = 'UTC';
SELECT n, zcsync._halopsa_read_id(i) FROM (VALUES (1, '18'), (2, '18.0'), (3, '"18"'), (4, '"18.0"'), (5, '0'), (6, '-1'), (7, '""'), (8, 'null'), (9, '18.5'),
	(10, '"x"'), (11, '99999999999999999999'), (12, '1.8e1'), (13, '{"id": 1}'), (14, 'true')) AS v (n, i0), LATERAL (SELECT i0::jsonb) AS x (i) ORDER BY n;
SELECT t, zcsync._halopsa_read_time(t) FROM unnest(ARRAY['2024-06-20T14:45:15.9746271Z', '2022-09-26T16:15:38.897', '2024-06-20T14:45:15', '2024-06-20', '2024-06-20T16:45:15+02:00',
	'1900-01-01T00:00:00', '0001-01-01T00:00:00', '1899-12-30T00:00:00', '1901-01-01T14:30:00', '', 'soon', '2024-02-30T00:00:00Z', NULL]) AS t;
SELECT n, zcsync._halopsa_read_field(f::jsonb) FROM (VALUES
	(1, '{"type": 0, "value": "text"}'), (2, '{"type": 0, "value": ""}'), (3, '{"type": 0, "inputtype": 1, "value": "17"}'), (4, '{"type": 0, "inputtype": 1, "value": "many"}'),
	(5, '{"type": 1, "value": "a\r\nb"}'), (6, '{"type": 2, "value": 35}'), (7, '{"type": 2, "value": 0}'), (8, '{"type": 2, "value": "35.0"}'),
	(9, '{"type": 3, "value": [{"id": 3, "name": "c"}, {"id": 1.0, "name": "a"}]}'), (10, '{"type": 3, "value": "3, 1"}'), (11, '{"type": 3, "value": []}'), (12, '{"type": 3, "value": null}'),
	(13, '{"type": 4, "value": "2024-06-20T14:45:16.4926282Z"}'), (14, '{"type": 4, "value": "1900-01-01T00:00:00"}'), (15, '{"type": 5, "value": "1901-01-01T14:30:00"}'), (16, '{"type": 5, "value": "1900-01-01T00:00:00"}'),
	(17, '{"type": 5, "value": "09:15"}'), (18, '{"type": 6, "value": true}'), (19, '{"type": 6, "value": "False"}'), (20, '{"type": 6}'), (21, '{"type": 10, "value": "<p>x</p>"}'), (22, '{"type": 7, "value": "y"}'),
	(23, '{"value": {"a": 1}}')) AS v (n, f) ORDER BY n;
SELECT n.* FROM unnest(ARRAY['Some Body', 'Anna Maria van Dijk', 'Cher', '  ', NULL, E' A\tB ']) AS x, zcsync._halopsa_name(x) AS n;
-- whatever form a reply has
SELECT r, zcsync._halopsa_list(r::jsonb) FROM unnest(ARRAY['[{"id": 1}]', '{"record_count": 1, "tickets": [{"id": 1}]}', '{"id": 1, "tags": []}', '{}', 'null', '"x"', '{"record_count": 0}']) AS r;

SET timezone = 'Asia/Kolkata';
SELECT r.remote_id, r.remote_version, r.is_deleted, jsonb_pretty(r.vals) AS vals
FROM zcsync._halopsa_rows(:psa, 'tickets', '{"op": "get", "entity": "Tickets", "id": "9950"}', '{
	"id": 9950.0, "summary": "Printer", "details": "It burns\r\nagain", "status_id": 1, "priority_id": 4, "priority": {"id": "85c6afd4-244f", "priorityid": 4}, "client_id": 12.0, "site_id": "18",
	"user_id": -1, "agent_id": 1, "team": "2nd Line", "tickettype_id": 28, "tags": [{"id": 0, "text": "two"}, {"id": 0, "text": "one"}], "fixbydate": "2024-08-28T07:30:00Z", "deadlinedate": "1900-01-01T00:00:00",
	"third_party_id_string": "", "dateoccurred": "2024-08-12T15:54:54.2199844Z", "last_update": "2024-08-12T15:54:55.2847005Z", "is_opportunity": false, "deleted": false,
	"customfields": [{"id": 206, "type": 2, "value": 35}, {"id": 174, "type": 4, "value": "2024-08-12T15:54:54.6447863"}, {"id": 175, "type": 4, "value": "1900-01-01T00:00:00"}]}') AS r;
SELECT r.remote_id, r.remote_version, r.is_deleted, jsonb_pretty(r.vals) AS vals
FROM zcsync._halopsa_rows(:psa, 'leads', '{"op": "post"}', '[{
	"id": 10001, "summary": "Lead: Example Ltd", "details": "", "tickettype_id": 40, "status_id": 40, "oppcontactname": "Some M. Body", "oppcompanyname": "Example Ltd", "oppemailaddress": "some.body@example.com",
	"oppjobtitle": "CTO", "opptel": "+441234", "oppaddr1": "1 Street", "oppaddr2": "Town", "oppaddr3": "Shire", "opppostcode": "AB1", "oppcountry": "UK", "oppvalue": 1250.50, "oppconversionprobability": 0.0,
	"pipeline_stage_id": 1, "client_id": 1, "site_id": 18, "user_id": 0, "agent_id": 6, "team": "Sales", "third_party_id_string": "zcsync-x", "dateclosed": "1899-12-30T00:00:00",
	"dateoccurred": "2026-08-12T15:54:54", "flastupdate": "2026-08-12T15:54:55", "is_opportunity": true, "customfields": [{"id": 220, "type": 2, "value": 1}]}]') AS r;
-- a name whose parts are known
SET session_replication_role = replica;
INSERT INTO zcsync.leads (account_id, remote_id, base) VALUES (:psa, '10001', '{"first_name": "Anna", "last_name": "van Dijk"}');
RESET session_replication_role;
SELECT x AS name, r.vals ->> 'first_name' AS first_name, r.vals ->> 'last_name' AS last_name
FROM unnest('{Anna van Dijk,Anna van Dam}'::text[]) AS x,
	zcsync._halopsa_rows(:psa, 'leads', '{"op": "get"}', jsonb_build_object('id', 10001, 'oppcontactname', x)) AS r;
-- of a row of a list what it holds; an index has no rows
SELECT r.remote_id, r.vals - '{url,channel,type,brand_id,problem_id,follower_ids,email_cc_ids,satisfaction,submitter_id,custom_status_id}'::text[] AS vals
FROM zcsync._halopsa_rows(:psa, 'tickets', '{"op": "list", "entity": "Tickets"}', '{"record_count": 1, "tickets": [{"id": 5, "summary": "s", "status_id": 2, "customfields": [], "last_update": "2026-01-01T00:00:00Z"}]}') AS r;
SELECT count(*) FROM zcsync._halopsa_rows(:psa, 'tickets', '{"op": "list", "entity": "Tickets", "index": true}', '{"record_count": 1, "tickets": [{"id": 5}]}') AS r;
-- gone: deleted, or of the other kind; that it is not there is said of no row here, see mirror/comparison.sql
SELECT n, r.kind, r.remote_id, r.is_deleted, r.vals = '{}' AS empty, r.doc IS NULL AS no_doc
FROM (VALUES (1, 'tickets', '{"id": 5, "deleted": true, "summary": "x"}'), (2, 'tickets', '{"id": 5, "is_opportunity": true}'), (3, 'leads', '{"id": 5, "is_opportunity": false}'),
	(4, 'tickets', '{"zcsync_missing": true}'), (5, 'fields', '{"zcsync_missing": true}')) AS v (n, k, d),
	zcsync._halopsa_rows(:psa, k, '{"op": "get"}', d::jsonb) AS r ORDER BY n;

SELECT r.remote_id, r.remote_version, r.vals FROM zcsync._halopsa_rows(:psa, 'tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}',
	'{"ticket_id": 9950, "record_count": 1, "actions": [{"id": 3, "who": "Alex", "who_agentid": 3, "datetime": "2026-01-01T10:00:00.1234567", "last_updated": "0001-01-01T00:00:00", "note": "Called", "note_html": "<p>Called</p>", "outcome": "Private Note", "hiddenfromuser": true, "emaildirection": ""}]}') AS r;
SELECT r.remote_id, r.remote_version, r.vals FROM zcsync._halopsa_rows(:psa, 'contacts', '{"op": "list", "entity": "Users"}', '{"record_count": 1, "users": [
	{"id": 38, "name": "Some Body", "site_id": 18.0, "client_name": "Example", "emailaddress": "some.body@example.com", "phonenumber": "", "mobilenumber": "07", "title": "", "inactive": false, "datecreated": "2022-09-26T16:15:38.897", "ulastupdate": "2024-06-27T08:24:23.933"}]}') AS r;
SELECT r.remote_id, r.remote_version, r.vals FROM zcsync._halopsa_rows(:psa, 'companies', '{"op": "list", "entity": "Client"}', '{"record_count": 1, "clients": [
	{"id": 12, "name": "Example Ltd", "toplevel_id": 1, "website": "", "domain": "Example.COM", "inactive": true, "ref": "C-1", "customer_relationship": [{"id": 2, "name": "Prospect"}], "alastupdate": "2023-10-18T09:54:25.75"}]}') AS r;
SELECT r.remote_id, r.remote_version, r.vals FROM zcsync._halopsa_rows(:psa, 'companies', '{"op": "list", "entity": "Site"}', '[
	{"id": 18, "name": "Main", "client_id": 12.0, "phonenumber": "020", "inactive": false, "slastupdate": "2023-10-18T09:54:26.177"}]') AS r;
SELECT r.remote_id, r.vals FROM zcsync._halopsa_rows(:psa, 'statuses', '{"op": "list", "entity": "Status", "type": "opportunity"}', '[{"id": 40, "name": "New Lead", "type": 1, "sequence": 9, "colour": "#5bc0de"}]') AS r;
-- vals hold columns of the table and nothing else
SELECT k.kind, ARRAY(SELECT c FROM unnest(zcsync._own_columns(k.kind)) AS c EXCEPT SELECT jsonb_object_keys(r.vals) ORDER BY 1) AS missing,
	ARRAY(SELECT jsonb_object_keys(r.vals) EXCEPT SELECT c FROM unnest(zcsync._own_columns(k.kind)) AS c ORDER BY 1) AS unknown
FROM (VALUES ('tickets', '{"id": 1}'), ('leads', '{"id": 1}'), ('contacts', '{"id": 1, "client_id": 1, "customfields": []}'), ('companies', '{"id": 1, "customfields": []}'), ('statuses', '{"id": 1}')) AS k (kind, reply),
	zcsync._halopsa_rows(:psa, k.kind, '{"op": "get"}', k.reply::jsonb) AS r;
SELECT r.kind, r.vals ->> 'parent_kind' AS of, ARRAY(SELECT c FROM unnest(zcsync._own_columns('comments')) AS c EXCEPT SELECT jsonb_object_keys(r.vals) ORDER BY 1) AS missing
FROM zcsync._halopsa_rows(:psa, 'leads', '{"op": "list", "entity": "Actions"}', '{"actions": [{"id": 1, "ticket_id": 2}]}') AS r;

-- ---------------------------------------------------------------------
-- Catalogues
-- ---------------------------------------------------------------------
SELECT stream_id AS fields FROM zcsync.streams WHERE kind = 'fields' \gset
CREATE FUNCTION walk(reply jsonb) RETURNS TABLE (asked text, left_over integer, more boolean) LANGUAGE plpgsql AS
$$
DECLARE
	stream bigint := (SELECT stream_id FROM zcsync.streams WHERE kind = 'fields');
	request jsonb := zcsync._halopsa_pull_request(stream, 'live');
	v record;
BEGIN
	asked := concat_ws(' ', request ->> 'op', request ->> 'entity', request ->> 'id');
	PERFORM zcsync._keep_seen((SELECT account_id FROM zcsync.accounts WHERE name = 'psa'), 'halopsa', 'fields', request, reply);
	SELECT x.cursor, x.more INTO v FROM zcsync._halopsa_next(stream, 'live', request, reply) x;
	UPDATE zcsync.streams SET live_cursor = v.cursor WHERE stream_id = stream;
	left_over := jsonb_array_length(v.cursor -> 'todo');
	more := v.more;
	RETURN NEXT;
END
$$;
UPDATE zcsync.streams SET live_cursor = NULL WHERE kind = 'fields';
SELECT * FROM walk('[{"id": 206, "name": "CFService", "label": "Service", "type": 2, "custom": 1, "values": [{"id": 33, "name": "E-mail"}, {"id": 35.0, "name": "Export"}]}, {"id": 207, "name": "CFEffort", "type": 0, "inputtype": 1, "mandatory": true}, {"id": 1, "name": "summary", "custom": 0}]');
SELECT * FROM walk('[{"id": "aeb80996-724c", "priorityid": 4, "name": "Low"}, {"id": "aeb80996-724d", "priorityid": 1, "name": "Critical"}, {"id": "other sla", "priorityid": 4, "name": "Low"}]');
SELECT * FROM walk('[{"id": 26, "name": "1st Line Support"}]');
SELECT * FROM walk('[{"id": 3, "name": "Alex Admin", "email": "alex@example.com", "team": "1st Line Support", "isdisabled": false}, {"id": 8, "name": "Otto Old", "isdisabled": true}]');
SELECT * FROM walk('[{"id": 4, "outcome": "Public Note", "buttonname": "Note"}, {"id": 7.0, "outcome": "Private Note", "hidefromuser": true}, {"id": 9, "buttonname": "Resolve"}, {"id": 0}, null]');
SELECT * FROM walk('[{"id": 36, "name": "Incident", "use": "tickets"}, {"id": 40, "name": "Lead", "use": "opportunity"}]');
SELECT * FROM walk('{"id": 36, "name": "Incident", "use": "tickets", "fields": [{"fieldname": "summary", "technew": 2}, {"fieldname": "details", "technew": 1}, {"fieldinfo": {"name": "CFService", "mandatory": true}}]}');
-- one that is gone meanwhile is left out
SELECT * FROM walk('{"zcsync_missing": true}');
SELECT remote_id, scope_id, name, type, required, options FROM zcsync.fields ORDER BY scope_id, remote_id;
-- read again: the required fields are known until the type says otherwise
UPDATE zcsync.streams SET live_cursor = '{"started": "now", "todo": [{"op": "list", "entity": "TicketType"}]}' WHERE kind = 'fields';
SELECT * FROM walk('[{"id": 36, "name": "Incident!", "use": "tickets"}]');
SELECT options FROM zcsync.fields WHERE remote_id = 'tickettype';

DROP FUNCTION page, poll, walk;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
