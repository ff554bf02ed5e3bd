-- Attachments: the files of records and of their comments, as vendors tell them.  The
-- worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') AS acme \gset
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') AS dev \gset
SELECT zcsync.add_account('psa', 'halopsa', '{"host": "acme.halopsa.com"}') AS psa \gset
SELECT count(*) FROM zcsync.add_stream('acme', 'tickets', comments => 'all');
SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', comments => 'all');
SELECT count(*) FROM zcsync.add_stream('psa', 'tickets', comments => 'all');
SELECT * FROM zcsync.add_stream('acme', 'attachments');
SELECT zcsync._take_page(zcsync.stream(s), split_part(s, '/', 2), ARRAY[ROW(id, '100', '{}', NULL, false)::zcsync.document], zcsync._origin_of('pull', 1))
FROM (VALUES ('acme/tickets', '1'), ('dev/tasks', 't1'), ('psa/tickets', '9950')) AS v (s, id);
INSERT INTO zcsync.conversations (account_id, kind, remote_id) VALUES (:acme, 'tickets', '1'), (:dev, 'tasks', 't1'), (:psa, 'tickets', '9950') ON CONFLICT DO NOTHING;

CREATE FUNCTION take(stream text, request jsonb, reply jsonb, OUT changed integer, OUT next jsonb) LANGUAGE plpgsql AS $$
DECLARE
	v_id bigint := zcsync.stream(take.stream);
BEGIN
	request := jsonb_build_object('as_of', extract(epoch FROM zcsync._now())::bigint + 10) || request;
	changed := (zcsync._apply_reply(v_id, zcsync._origin_of('pull', 2), request, reply)).changed;
	EXECUTE format('SELECT %s($1, $2, $3)', (SELECT (zcsync._vendor_of(a.vendor)).comments_next::regproc FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE s.stream_id = v_id))
		INTO next USING v_id, request, reply;
END
$$;
CREATE VIEW files AS
	SELECT a.name || '/' || f.parent_kind || '/' || f.parent_id AS record, f.remote_id AS id, f.comment_id AS comment, f.author_id AS author, f.name, f.media_type, f.size, f.is_inline,
		f.scan_result, f.created_at, f.deleted_at IS NOT NULL AS gone, f.sync_state
	FROM zcsync.attachments f JOIN zcsync.accounts a USING (account_id) ORDER BY f.account_id, f.remote_id;

-- Zendesk: with the comments that are listed ...
SELECT * FROM take('acme/tickets', '{"op": "ticket_comments", "ticket_id": "1", "as_of": 1990000000}', '{"comments": [
	{"id": 11, "type": "Comment", "author_id": 5, "body": "Hello", "public": true, "created_at": "2026-01-01T00:00:01Z", "attachments": [
		{"id": 101, "file_name": "a.png", "content_type": "image/png", "size": 2048, "inline": false, "malware_scan_result": "not_scanned", "content_url": "https://acme.zendesk.com/attachments/token/x/?name=a.png"},
		{"id": 102, "file_name": "inline.gif", "content_type": "image/gif", "size": 12, "inline": true, "malware_scan_result": "malware_not_found"},
		{"no": "id"}, 5]},
	{"id": 12, "type": "Comment", "author_id": 6, "body": "None", "public": true, "created_at": "2026-01-01T00:00:02Z", "attachments": []}], "meta": {"has_more": false}}');
SELECT * FROM files;
-- ... and with those that the export tells, of the tickets that are followed; odd values become none
SELECT * FROM take('acme/tickets', '{"op": "ticket_events"}', '{"ticket_events": [
	{"id": 1, "ticket_id": 1, "child_events": [{"id": 14, "event_type": "Comment", "author_id": 5, "body": "new", "public": true, "created_at": "2026-02-02T02:43:20Z", "attachments": [
		{"id": 103, "file_name": "virus.exe", "content_type": "application/x-dosexec", "size": "99", "malware_scan_result": "malware_found"},
		{"id": 104, "file_name": "odd", "size": -1, "inline": "yes", "malware_scan_result": "?"}]}]},
	{"id": 2, "ticket_id": 2, "child_events": [{"id": 16, "event_type": "Comment", "author_id": 5, "body": "x", "created_at": "2026-02-02T02:43:21Z", "attachments": [{"id": 105, "file_name": "other"}]}]}],
	"end_time": 1770000202, "end_of_stream": true}');
SELECT * FROM files WHERE id > '102';
-- listed again: one was searched meanwhile, one was redacted, and an older event changes nothing
SELECT * FROM take('acme/tickets', '{"op": "ticket_comments", "ticket_id": "1", "as_of": 1990000100}', '{"comments": [
	{"id": 11, "type": "Comment", "author_id": 5, "body": "Hello", "public": true, "created_at": "2026-01-01T00:00:01Z", "attachments": [
		{"id": 101, "file_name": "a.png", "content_type": "image/png", "size": 2048, "inline": false, "malware_scan_result": "malware_not_found"}]},
	{"id": 14, "author_id": 5, "body": "new", "created_at": "2026-02-02T02:43:20Z", "attachments": [{"id": 104, "file_name": "odd", "deleted": true}]}], "meta": {"has_more": false}}');
SELECT id, name, scan_result, gone FROM files;

-- ClickUp: in the text of comments, and with the task, which is read where all is read
SELECT * FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1", "whole": true}', '{"comments": [
	{"id": "458", "comment": [{"text": "see "}, {"type": "image", "text": "image.png", "image": {"id": "f1.png", "name": "image.png", "title": "screen.png", "url": "https://t1.p.clickup-attachments.com/t1/f1/screen.png"}},
		{"type": "attachment", "text": "r.pdf", "attachment": {"id": "f2.pdf", "title": "r.pdf", "mimetype": "application/pdf", "size": 70000000000}}, {"type": "image"}, {"type": "image", "image": 5}, 7],
		"comment_text": "see image.png", "user": {"id": 183, "username": "Ann"}, "date": "1568036964079", "reply_count": "0"}]}');
SELECT * FROM take('dev/tasks', '{"op": "get_task", "task_id": "t1", "whole": true}', '{"id": "t1", "name": "Task", "attachments": [
	{"id": "f2.pdf", "date": "1568036964080", "title": "r.pdf", "size": 70000000000, "mimetype": "application/pdf", "user": {"id": 183}, "url": "https://t1.p.clickup-attachments.com/t1/f2/r.pdf"},
	{"id": "f3.txt", "date": "1568036964081", "title": "of the task.txt", "size": 5, "mimetype": "text/plain", "user": {"id": 184}},
	{"id": "folder", "is_folder": true}]}');
SELECT * FROM files WHERE record LIKE 'dev/%';
-- of a task that is not followed: nothing; the comment and the file of the task are gone
SELECT * FROM take('dev/tasks', '{"op": "get_task", "task_id": "t2"}', '{"id": "t2", "name": "Task", "attachments": [{"id": "f9", "title": "x"}]}');
SELECT * FROM take('dev/tasks', '{"op": "task_comments", "task_id": "t1"}', '{"comments": []}');
SELECT * FROM take('dev/tasks', '{"op": "get_task", "task_id": "t1"}', '{"id": "t1", "name": "Task", "attachments": []}');
SELECT id, comment, gone FROM files WHERE record LIKE 'dev/%';

-- HaloPSA: after the actions, unless each says that it has none
SELECT zcsync._halopsa_comments_request(zcsync.stream('psa/tickets'), '{"id": "9950", "page": {"entity": "Attachment"}}') - 'as_of' AS request;
SELECT next FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 1, "actions": [{"id": 1, "ticket_id": 9950, "note": "x", "attachment_count": 0}]}');
SELECT next FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 1, "actions": [{"id": 1, "ticket_id": 9950, "note": "x"}]}');
SELECT * FROM take('psa/tickets', '{"op": "list", "entity": "Attachment", "ticket_id": "9950"}', '{"record_count": 3, "attachments": [
	{"id": 7, "ticket_id": 9950, "action_id": 1, "filename": "log.txt", "filesize": 1234, "content_type": "text/plain", "datecreated": "2026-01-01T10:00:00Z", "agent_id": 3, "data_base64": "c2VjcmV0"},
	{"id": 8, "ticket_id": 9950, "action_id": 0, "filename": "of the ticket.doc", "filesize": 5},
	{"id": 9, "ticket_id": 12, "filename": "of another ticket"}]}');
SELECT * FROM files WHERE record LIKE 'psa/%';
SELECT remote ? 'data_base64' AS content_is_kept FROM zcsync.attachments WHERE remote_id = '7';
SELECT changed FROM take('psa/tickets', '{"op": "list", "entity": "Attachment", "ticket_id": "9950"}', '{"record_count": 0, "attachments": []}');
SELECT changed FROM take('psa/tickets', '{"op": "list", "entity": "Attachment", "ticket_id": "9950"}', '{"record_count": 1, "attachments": [{"id": 7, "ticket_id": 9950, "action_id": 1, "filename": "log.txt", "filesize": 1234}]}');
SELECT id, gone FROM files WHERE record LIKE 'psa/%';
-- the action that it came with is gone
SELECT changed > 0 AS changed FROM take('psa/tickets', '{"op": "list", "entity": "Actions", "ticket_id": "9950"}', '{"record_count": 1, "actions": [{"id": 2, "ticket_id": 9950, "note": "y", "attachment_count": 0}]}');
SELECT id, gone FROM files WHERE record LIKE 'psa/%';

-- They are references as other records are, and nobody writes them here.
SELECT zcsync.reference(:acme, 'attachments', '101', NULL), (zcsync.record('acme/attachments/101')).local_id IS NOT NULL AS found;
UPDATE zcsync.attachments SET name = 'x' WHERE remote_id = '101';
INSERT INTO zcsync.attachments (account_id, name) VALUES (:acme, 'x');
DELETE FROM zcsync.attachments WHERE remote_id = '101';
-- A reader does not read them: their names may be private, and their addresses open without a login.
CREATE ROLE zcsync_test_reader;
SELECT FROM zcsync.grant_reader('zcsync_test_reader');
SELECT has_any_column_privilege('zcsync_test_reader', 'zcsync.attachments', 'SELECT') AS reader;
SELECT FROM zcsync.grant_operator('zcsync_test_reader');
SELECT has_table_privilege('zcsync_test_reader', 'zcsync.attachments', 'SELECT') AS operator;
SELECT FROM zcsync.revoke_operator('zcsync_test_reader');
DROP ROLE zcsync_test_reader;

SET client_min_messages = error;
DROP VIEW files;
DROP FUNCTION take;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
