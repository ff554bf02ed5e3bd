-- Projects, which HaloPSA keeps apart from tickets: they are read, and tickets name them.
-- The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com"}') AS psa \gset
SELECT count(*) FROM zcsync.add_stream('psa', 'tickets');
-- as long as projects are not mirrored, one among the tickets is a ticket
CREATE FUNCTION take(stream text, reply jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT (zcsync._apply_reply(zcsync.stream(stream), zcsync._origin_of('pull', 1), jsonb_build_object('op', 'get', 'entity', initcap(split_part(stream, '/', 2)), 'includedetails', true), reply)).changed
$$;
SELECT take('psa/tickets', '{"id": 1070, "summary": "Move", "is_project": true, "last_update": "2026-01-01T00:00:00Z"}');
SELECT remote_id, subject, deleted_at IS NOT NULL AS gone FROM zcsync.tickets;
SELECT * FROM zcsync.add_stream('psa', 'projects', scope => '{"client_id": 1}');
SELECT * FROM zcsync.add_stream('psa', 'projects', comments => 'all');
SELECT count(*) FROM zcsync.add_stream('psa', 'projects');
UPDATE zcsync.streams SET since = '2026-01-01' WHERE kind = 'projects';
SELECT * FROM zcsync.alter_stream('psa/projects', writes => true);
SELECT * FROM zcsync.add_route('p', 'psa/tickets', 'psa/projects');
-- what is asked: closed ones too, each that changed by itself; and all ids once a day
SELECT zcsync._halopsa_pull_request(zcsync.stream('psa/projects'), 'history') - 'began' AS request;
SELECT zcsync._halopsa_fetch_request(zcsync.stream('psa/projects'), '{"ids": ["1071"]}') AS request;
SELECT zcsync._halopsa_compare_request(zcsync.stream('psa/projects'), '{}') AS request;
SELECT count(*) AS rows FROM zcsync._halopsa_rows(:psa, 'projects', '{"op": "list", "entity": "Projects", "index": true}', '{"record_count": 1, "tickets": [{"id": 1071, "last_update": "2026-01-02T00:00:00Z"}]}');
SELECT n.cursor -> 'listed' AS listed, n.more FROM zcsync._halopsa_next(zcsync.stream('psa/projects'), 'history', zcsync._halopsa_pull_request(zcsync.stream('psa/projects'), 'history'),
	'{"record_count": 1, "tickets": [{"id": 1071, "last_update": "2026-01-02T00:00:00Z"}]}') AS n;
SELECT operation, queue, payload FROM zcsync.sync_queue WHERE kind = 'projects' AND operation = 'fetch';
-- what is kept; nothing that HaloPSA writes for "nothing"
SELECT take('psa/projects', '{"id": 1071, "summary": "New office", "status_id": 2, "tickettype_id": 50, "client_id": 12, "site_id": 18.0, "user_id": 0, "agent_id": 4, "team": "2nd Line", "parent_id": 0,
	"startdate": "2026-02-01T00:00:00", "targetdate": "2026-06-30T00:00:00", "deadlinedate": "1900-01-01T00:00:00", "projecttimebudget": 120.0, "projecttimeactual": 7.25, "third_party_id_string": "",
	"dateoccurred": "2026-01-02T08:00:00Z", "last_update": "2026-01-03T00:00:00Z", "is_project": true, "customfields": [{"id": 165, "type": 2, "value": 1}]}');
SELECT take('psa/projects', '{"id": 1072, "summary": "Cabling", "status_id": 9, "parent_id": 1071, "projectearlieststart": "2026-02-10T00:00:00", "projectlatestend": "2026-02-20T00:00:00",
	"startdate": "1900-01-01T00:00:00", "dateclosed": "2026-02-19T00:00:00Z", "projecttimebudget": null, "last_update": "2026-02-19T00:00:00Z", "is_project": true}');
SELECT to_jsonb(p) - '{account_id,local_id,base,remote,sync_key,sync_cause,sync_cause_id,sync_xid,synced_at}'::text[] AS project FROM zcsync.projects AS p ORDER BY remote_id;
SELECT ARRAY(SELECT c FROM unnest(zcsync._own_columns('projects')) AS c EXCEPT SELECT jsonb_object_keys(r.vals) ORDER BY 1) AS missing,
	ARRAY(SELECT jsonb_object_keys(r.vals) EXCEPT SELECT c FROM unnest(zcsync._own_columns('projects')) AS c ORDER BY 1) AS unknown
FROM zcsync._halopsa_rows(:psa, 'projects', '{"op": "get"}', '{"id": 1}') AS r;
-- tickets name them; a ticket that became one is none any more, and the other way round
SELECT take('psa/tickets', '{"id": 2001, "summary": "Order desks", "parent_id": 1071, "last_update": "2026-01-04T00:00:00Z", "is_project": false}'),
	take('psa/tickets', '{"id": 1070, "summary": "Move", "is_project": true, "last_update": "2026-01-05T00:00:00Z"}'),
	take('psa/projects', '{"id": 1072, "summary": "Cabling", "is_project": false, "last_update": "2026-02-20T00:00:00Z"}');
SELECT t.remote_id, t.subject, p.name AS project, t.deleted_at IS NOT NULL AS gone FROM zcsync.tickets AS t
LEFT JOIN zcsync.projects AS p ON p.account_id = t.account_id AND p.remote_id = t.parent_id ORDER BY 1;
SELECT remote_id, name, deleted_at IS NOT NULL AS gone FROM zcsync.projects ORDER BY 1;
-- an event says only that it is a ticket
SELECT * FROM zcsync._halopsa_ticket_events(:psa, '1071', true) AS e;
SELECT * FROM zcsync._halopsa_ticket_events(:psa, '3001', true) AS e;
SELECT * FROM zcsync._halopsa_ticket_events(:psa, '1072', true) AS e;	-- of the project there is a row, but it is gone
-- while the stream is paused, a project among the tickets is a ticket again
BEGIN;
UPDATE zcsync.streams SET state = 'paused' WHERE kind = 'projects';
SELECT take('psa/tickets', '{"id": 1073, "summary": "Paused", "is_project": true, "last_update": "2026-01-05T00:00:00Z"}');
SELECT deleted_at IS NOT NULL AS gone FROM zcsync.tickets WHERE remote_id = '1073';
ROLLBACK;
-- what is known of it is found, and nobody writes it here
SELECT zcsync.reference(:psa, 'projects', '1071', NULL), (zcsync.record('psa/projects/1071')).local_id IS NOT NULL AS found, zcsync.record_url(:psa, 'projects', '1071');
UPDATE zcsync.projects SET name = 'x' WHERE remote_id = '1071';
INSERT INTO zcsync.projects (account_id, name) VALUES (:psa, 'x');
DELETE FROM zcsync.projects WHERE remote_id = '1071';
CREATE ROLE zcsync_test_reader;
SELECT FROM zcsync.grant_reader('zcsync_test_reader');
SELECT has_column_privilege('zcsync_test_reader', 'zcsync.projects', 'budget_hours', 'SELECT') AS reader, has_column_privilege('zcsync_test_reader', 'zcsync.projects', 'remote', 'SELECT') AS documents;
SELECT FROM zcsync.revoke_reader('zcsync_test_reader');
DROP ROLE zcsync_test_reader;
SELECT zcsync.remove_account('psa', force => true);
SELECT count(*) FROM zcsync.projects;

SET client_min_messages = error;
DROP FUNCTION take;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
