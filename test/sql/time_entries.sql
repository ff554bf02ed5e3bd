-- The time that people spent on records, as vendors tell it with comments.  The worker is
-- stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') AS dev \gset
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com"}') AS psa \gset
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', comments => 'all');
SELECT count(*) FROM zcsync.add_stream('psa', 'tickets', comments => 'all');
SELECT * FROM zcsync.add_stream('psa', 'time_entries');
SELECT zcsync._take_page(zcsync.stream(s), split_part(s, '/', 2), ARRAY[ROW(id, '100', '{}', doc, false)::zcsync.document], zcsync._origin_of('pull', 1))
FROM (VALUES ('dev/tasks', 't1', '{"id": "t1", "time_spent": 0}'::jsonb), ('psa/tickets', '9950', '{"id": 9950}')) AS v (s, id, doc);

CREATE FUNCTION take(stream text, request jsonb, reply jsonb, OUT changed integer, OUT next jsonb) LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := zcsync.stream(take.stream);
BEGIN
	request := jsonb_build_object('as_of', extract(epoch FROM zcsync._now())::bigint + 10) || request;
	EXECUTE format('SELECT %s($1, $2, $3)', (SELECT (zcsync._vendor_of(a.vendor)).comments_next::regproc FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE s.stream_id = v_id))
		INTO next USING v_id, request, reply;
	changed := (zcsync._apply_reply(v_id, zcsync._origin_of('pull', 2), request, reply)).changed;
END
$$;
CREATE VIEW spent AS
	SELECT a.name || '/' || e.parent_kind || '/' || e.parent_id AS record, e.remote_id AS id, e.comment_id AS comment, e.author_id AS author, e.author_name AS name, e.started_at,
		e.seconds, e.nonbillable_seconds AS nonbillable, e.is_billable AS billable, e.deleted_at IS NOT NULL AS gone, e.sync_state
	FROM zcsync.time_entries e JOIN zcsync.accounts a USING (account_id) ORDER BY e.account_id, e.remote_id;

-- HaloPSA: with the actions.  One without time is no entry, odd values are none.
SELECT * FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 5, "actions": [
	{"id": 1, "ticket_id": 9950, "note": "secret", "note_html": "<p>secret</p>", "hiddenfromuser": true, "who": "Alex Admin", "who_agentid": 3, "datetime": "2026-01-01T10:00:00Z", "last_updated": "2026-01-01T10:00:00Z",
		"actionarrivaldate": "2026-01-01T09:15:00Z", "actioncompletiondate": "2026-01-01T10:00:00Z", "timetaken": 0.5, "nonbilltime": 0.25, "actisbillable": true, "attachment_count": 0},
	{"id": 2, "ticket_id": 9950, "note": "no time", "who_agentid": 3, "datetime": "2026-01-01T10:01:00Z", "timetaken": 0.0, "nonbilltime": null, "attachment_count": 0},
	{"id": 3, "ticket_id": 9950, "note": "free", "who_agentid": 4, "datetime": "2026-01-01T10:02:00", "actionarrivaldate": "1900-01-01T00:00:00", "timetaken": 0, "nonbilltime": "1.1", "attachment_count": 0},
	{"id": 4, "ticket_id": 9950, "note": "odd", "timetaken": "much", "nonbilltime": -3, "actisbillable": "yes", "attachment_count": 0},
	{"id": 5, "ticket_id": 9950, "note": "third of an hour", "datetime": "2026-01-01T10:03:00Z", "timetaken": 0.3333333333, "actisbillable": false, "attachment_count": 0}]}');
SELECT * FROM spent;
-- the text is in the comment alone; neither the document nor history has it
SELECT count(*) FILTER (WHERE e::text ~ 'secret') AS with_text, (SELECT count(*) FROM zcsync.changes AS c WHERE c.kind = 'time_entries' AND c::text ~ 'secret') AS in_history,
	(SELECT count(*) FROM zcsync.comments WHERE body = 'secret') AS comments FROM zcsync.time_entries AS e;
-- the same again changes nothing; a time that was corrected, one that was taken away, an action that is gone
SELECT changed FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 5, "actions": [
	{"id": 1, "ticket_id": 9950, "note": "secret", "note_html": "<p>secret</p>", "hiddenfromuser": true, "who": "Alex Admin", "who_agentid": 3, "datetime": "2026-01-01T10:00:00Z", "last_updated": "2026-01-01T10:00:00Z",
		"actionarrivaldate": "2026-01-01T09:15:00Z", "actioncompletiondate": "2026-01-01T10:00:00Z", "timetaken": 0.5, "nonbilltime": 0.25, "actisbillable": true, "attachment_count": 0}]}');
SELECT count(*) FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 0, "actions": []}');
SELECT count(*) FILTER (WHERE gone) AS gone FROM spent;
SELECT count(*) FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 2, "actions": [
	{"id": 1, "ticket_id": 9950, "note": "secret", "who": "Alex Admin", "who_agentid": 3, "datetime": "2026-01-01T10:00:00Z", "last_updated": "2026-01-01T11:00:00Z", "timetaken": 1.5, "nonbilltime": 0, "actisbillable": true, "attachment_count": 0},
	{"id": 3, "ticket_id": 9950, "note": "free", "who_agentid": 4, "datetime": "2026-01-01T10:02:00", "timetaken": 0, "nonbilltime": 0, "attachment_count": 0}]}');
SELECT id, started_at, seconds, nonbillable, gone FROM spent;

-- Actions with an outcome that is excluded, by name or by id, do not become comments, unless they have a row; their time counts.
SELECT FROM zcsync.alter_account('psa', '{"excluded_outcomes": "Emailed"}');
SELECT FROM zcsync.alter_account('psa', '{"excluded_outcomes": [{"id": 7}]}');
SELECT FROM zcsync.alter_account('psa', '{"excluded_outcomes": ["email update", 42, "Renamed (1)"]}');
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, options, sync_cause, sync_cause_id)
VALUES (:psa, 'outcome', 'system', 'Outcome', '[{"id": "50", "name": "Renamed (1)"}, {"id": "51", "name": "Told"}]', 'pull', -1);
SELECT count(*) FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 7, "actions": [
	{"id": 1, "ticket_id": 9950, "note": "secret", "outcome": "Email Update", "datetime": "2026-01-01T10:00:00Z", "last_updated": "2026-01-01T12:00:00Z", "timetaken": 2, "attachment_count": 0},
	{"id": 11, "ticket_id": 9950, "note": "by name", "outcome": " Email Update ", "datetime": "2026-01-02T10:00:00Z", "timetaken": 1, "attachment_count": 0},
	{"id": 12, "ticket_id": 9950, "note": "by id", "outcome": "x", "outcome_id": 42.0, "datetime": "2026-01-02T10:00:01Z", "attachment_count": 0},
	{"id": 13, "ticket_id": 9950, "note": "by the catalogue", "outcome": "The old name", "outcome_id": 50, "datetime": "2026-01-02T10:00:02Z", "attachment_count": 0},
	{"id": 14, "ticket_id": 9950, "note": "told", "outcome": "Told", "outcome_id": 51, "datetime": "2026-01-02T10:00:03Z", "attachment_count": 0},
	{"id": 15, "ticket_id": 9950, "note": "of none", "datetime": "2026-01-02T10:00:04Z", "attachment_count": 0},
	{"id": 16, "ticket_id": 9950, "note": "of none either", "outcome": null, "outcome_id": 0, "datetime": "2026-01-02T10:00:05Z", "attachment_count": 0}]}');
SELECT remote_id, body, outcome, deleted_at IS NOT NULL AS gone FROM zcsync.comments WHERE account_id = :psa ORDER BY split_part(remote_id, '-', 2)::integer;
SELECT id, seconds FROM spent WHERE id IN ('9950-1', '9950-11');
-- what was posted here is looked for among all actions
SELECT count(*) FROM zcsync._halopsa_rows(:psa, 'tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950", "look": true, "as_of": 0}', '{"actions": [{"id": 17, "note": "x", "outcome_id": 42}]}') AS r WHERE r.kind = 'comments';
-- without the setting the next read brings them
SELECT FROM zcsync.alter_account('psa', '{"excluded_outcomes": []}');
SELECT count(*) FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 7, "actions": [
	{"id": 12, "ticket_id": 9950, "note": "by id", "outcome": "x", "outcome_id": 42.0, "datetime": "2026-01-02T10:00:01Z", "attachment_count": 0}]}');
SELECT count(*) FROM zcsync.comments WHERE body = 'by id';

-- ClickUp: a task is asked for its time if some was spent on it.
SELECT next FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1"}', '{"comments": []}');
SELECT next FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1", "whole": true}', '{"comments": []}');
SELECT next FROM take('dev/tasks', '{"op": "get_task", "task_id": "t1", "whole": true}', '{"id": "t1", "name": "Task", "time_spent": "0"}');
SELECT next FROM take('dev/tasks', '{"op": "get_task", "task_id": "t1", "whole": true}', '{"id": "t1", "name": "Task", "date_updated": "1770000000000", "time_spent": 3600000}');
SELECT next FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1"}', '{"comments": []}');
SELECT next FROM take('dev/tasks', '{"op": "comment_replies", "task_id": "t1", "comment_id": "5", "threads": ["5"]}', '{"comments": []}');
SELECT next FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1", "look": true, "since": "2026-02-02T02:40:00Z"}', '{"comments": []}') ;
SELECT zcsync._clickup_comments_request(zcsync.stream('dev/tasks'), '{"id": "t1", "page": {"op": "task_time"}}') - 'as_of' AS request;
-- a timer that runs is no entry yet
SELECT * FROM take('dev/tasks', '{"op": "task_time", "task_id": "t1"}', '{"data": [
	{"user": {"id": 183, "username": "Ann"}, "time": 3600000, "intervals": [
		{"id": "318", "start": "1770000000000", "end": "1770003000000", "time": "3000000", "source": "clickup", "date_added": "1770003000001"},
		{"id": "319", "start": null, "end": null, "time": "600499", "source": "chrome", "date_added": "1770004000000"},
		{"id": "320", "start": "1770005000000", "end": null, "time": "-1770005000000", "source": "clickup", "date_added": "1770005000000"}, {"no": "id"}, 7]},
	{"user": {"id": 184}, "time": 0, "intervals": null}, 5]}');
SELECT * FROM spent WHERE record LIKE 'dev/%';
-- no list at all says nothing, an empty one not while the task has time
SELECT changed FROM take('dev/tasks', '{"op": "task_time", "task_id": "t1"}', '{}');
SELECT changed FROM take('dev/tasks', '{"op": "task_time", "task_id": "t1"}', '{"data": []}');
SELECT changed FROM take('dev/tasks', '{"op": "task_time", "task_id": "t1"}', '{"data": [{"user": {"id": 183, "username": "Ann"}, "intervals": [
	{"id": "318", "start": "1770000000000", "end": "1770003000000", "time": "3000000", "source": "clickup", "date_added": "1770003000001"}]}]}');
SELECT count(*) FROM take('dev/tasks', '{"op": "get_task", "task_id": "t1"}', '{"id": "t1", "name": "Task", "date_updated": "1770000000001", "time_spent": 0}');
-- time that is known here is asked for again
SELECT next FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1"}', '{"comments": []}');
SELECT changed FROM take('dev/tasks', '{"op": "task_time", "task_id": "t1"}', '{"data": []}');
SELECT id, gone FROM spent WHERE record LIKE 'dev/%';

-- They are references as other records are, and nobody writes them here.
SELECT zcsync.reference(:psa, 'time_entries', '9950-1', NULL), (zcsync.record('psa/time_entries/9950-1')).local_id IS NOT NULL AS found;
UPDATE zcsync.time_entries SET seconds = 1 WHERE remote_id = '9950-1';
INSERT INTO zcsync.time_entries (account_id, seconds) VALUES (:psa, 1);
DELETE FROM zcsync.time_entries WHERE remote_id = '9950-1';
-- A reader does not see who worked for how long.
CREATE ROLE zcsync_test_reader;
SELECT FROM zcsync.grant_reader('zcsync_test_reader');
SELECT has_any_column_privilege('zcsync_test_reader', 'zcsync.time_entries', 'SELECT') AS reader;
SELECT FROM zcsync.grant_operator('zcsync_test_reader');
SELECT has_table_privilege('zcsync_test_reader', 'zcsync.time_entries', 'SELECT') AS operator;
SELECT FROM zcsync.revoke_operator('zcsync_test_reader');
DROP ROLE zcsync_test_reader;

SET client_min_messages = error;
DROP VIEW spent;
DROP FUNCTION take;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
