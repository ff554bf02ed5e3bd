-- Marks: what was made here, what another installation made, and what is text.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

SELECT m.text, zcsync._mark_key(m.text) AS key
FROM (VALUES ('zcsync-12345678-9abc-4def-8123-456789abcdef'), ('zcsync-12345678-9ABC-4DEF-8123-456789ABCDEF'), ('zcsync-2'),
	('x zcsync-12345678-9abc-4def-8123-456789abcdef'), ('12345678-9abc-4def-8123-456789abcdef'), (NULL)) AS m (text);
-- in the last line of a task's text, alone or behind an address
SELECT t.text, zcsync._clickup_mark(t.text) IS NOT NULL AS is_marked
FROM (VALUES (E'Text\n\nzcsync-12345678-9abc-4def-8123-456789abcdef'), (E'Text\r\n\r\nhttps://acme.zendesk.com/agent/tickets/31#zcsync-12345678-9abc-4def-8123-456789abcdef \n'),
	('zcsync-12345678-9abc-4def-8123-456789abcdef'), ('See zcsync-12345678-9abc-4def-8123-456789abcdef'), (E'zcsync-12345678-9abc-4def-8123-456789abcdef\nIt smokes.'),
	('See https://acme.zendesk.com/agent/tickets/31#zcsync-12345678-9abc-4def-8123-456789abcdef'), (''), (NULL)) AS t (text);
-- what is sent can be read again
SELECT t.text, zcsync._clickup_mark(zcsync._clickup_marked(t.text, '12345678-9abc-4def-8123-456789abcdef')) IS NOT NULL AS is_marked,
	zcsync._clickup_description(zcsync._clickup_marked(t.text, '12345678-9abc-4def-8123-456789abcdef')) IS NOT DISTINCT FROM nullif(t.text, '') AS is_same
FROM (VALUES ('Text'), (E'Text\nhttps://acme.zendesk.com/agent/tickets/31'), ('See https://acme.zendesk.com/agent/tickets/31'), (''), (NULL)) AS t (text);

INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('dev', 'clickup', '{"workspace_id": "1"}'), ('acme', 'zendesk', '{"subdomain": "acme"}'),
	('psa', 'halopsa', '{"host": "acme.halopsa.com"}');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes) SELECT account_id, CASE name WHEN 'dev' THEN 'tasks' ELSE 'tickets' END, now(), true FROM zcsync.accounts;
-- A page with a task or ticket; what it says is as old as p_age.
CREATE FUNCTION page(p_account text, p_id text, p_mark text, p_creator text DEFAULT NULL, p_age interval DEFAULT '1 day', p_text text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	IF p_account = 'dev' THEN
		INSERT INTO zcsync.tasks (account_id, remote_id, name, description, external_id, creator_id, created_at, updated_at, sync_state, sync_cause, sync_xid)
		VALUES (zcsync.account('dev'), p_id, p_id, p_text, p_mark, p_creator, now() - p_age, now(), 'synced', 'pull', pg_current_xact_id());
	ELSE
		INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, external_id, created_at, updated_at, sync_state, sync_cause, sync_xid)
		VALUES (zcsync.account(p_account), p_id, p_id, p_text, p_mark, now() - p_age, now(), 'synced', 'pull', pg_current_xact_id());
	END IF;
END
$$;
CREATE FUNCTION made(p_name text, p_id text, p_creator text) RETURNS void LANGUAGE sql AS
$$
	DELETE FROM zcsync.sync_queue WHERE local_id IN (SELECT local_id FROM zcsync.tasks WHERE name = p_name);
	UPDATE zcsync.tasks SET remote_id = p_id, creator_id = p_creator, external_id = 'zcsync-' || sync_key, sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id() WHERE name = p_name
$$;
CREATE VIEW standing AS
SELECT coalesce(t.remote_id, 'new') AS id, m.standing FROM zcsync.tasks t, zcsync._marked('tasks', ARRAY[t.local_id]) m ORDER BY t.local_id;

-- the key of a create is kept
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '901', 'ours');
SELECT m.kind, m.copied, m.key = t.sync_key AS same FROM zcsync.marks m JOIN zcsync.tasks t USING (local_id);
-- a page that is faster than the reply brings the same record
SELECT page('dev', 't0', 'zcsync-' || sync_key, '183') FROM zcsync.tasks WHERE name = 'ours';
SELECT * FROM standing;
DELETE FROM zcsync.sync_queue;
SELECT made('ours', 't1', '183');
-- now it is known which login is ours: what another one writes is text
SELECT page('dev', 't2', 'zcsync-12345678-9abc-4def-8123-456789abcdef', '183'), page('dev', 't3', 'zcsync-22345678-9abc-4def-8123-456789abcdef', '999'),
	page('dev', 't4', 'zcsync-' || (SELECT sync_key FROM zcsync.tasks WHERE name = 'ours'), '999'), page('dev', 't5', NULL, '183');
SELECT * FROM standing;
SELECT count(*) AS alerts FROM zcsync.alerts;
-- older ones are left alone; a newer one holds the creates of its account, once
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '901', 'waits');
SELECT page('dev', 't6', 'zcsync-32345678-9abc-4def-8123-456789abcdef', '999', '-1 hour');
SELECT count(*) AS alerts FROM zcsync.alerts;
SELECT page('dev', 't7', 'zcsync-42345678-9abc-4def-8123-456789abcdef', '183', '-1 hour');
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '901', 'waits, too');
UPDATE zcsync.tasks SET points = 3 WHERE remote_id = 't1';
INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'of another account');
SELECT page('dev', 't8', 'zcsync-52345678-9abc-4def-8123-456789abcdef', '183', '-1 hour');
SELECT coalesce(t.name, k.subject) AS name, q.state FROM zcsync.sync_queue q LEFT JOIN zcsync.tasks t USING (local_id) LEFT JOIN zcsync.tickets k USING (local_id) WHERE operation = 'push' ORDER BY q.job_id;
SELECT code, object, severity, message, hint, count FROM zcsync.alerts WHERE resolved_at IS NULL;
SELECT zcsync.release_held('dev');
SELECT count(*) AS alerts FROM zcsync.alerts WHERE resolved_at IS NULL;

-- taking over: by the address in the last line, one by one, with a plan first
SELECT page('acme', '31', NULL, p_text => 'It smokes.'), page('acme', '32', NULL), page('acme', '33', NULL),
	page('psa', '401', 'zcsync-61345678-9abc-4def-8123-456789abcdef', p_text => E'It smokes.\n\nhttps://acme.zendesk.com/agent/tickets/31'),
	page('psa', '402', 'zcsync-62345678-9abc-4def-8123-456789abcdef', p_text => E'See https://acme.zendesk.com/agent/tickets/32 for that.'),
	page('psa', '403', 'zcsync-63345678-9abc-4def-8123-456789abcdef', p_text => E'https://acme.zendesk.com/agent/tickets/32'),
	page('psa', '404', 'zcsync-63345678-9abc-4def-8123-456789abcdef', p_text => E'https://acme.zendesk.com/agent/tickets/32'),
	page('psa', '405', 'zcsync-64345678-9abc-4def-8123-456789abcdef', p_text => E'https://acme.zendesk.com/agent/tickets/33'),
	page('psa', '406', 'zcsync-65345678-9abc-4def-8123-456789abcdef', p_text => E'https://acme.zendesk.com/agent/tickets/33'),
	page('psa', '407', 'zcsync-66345678-9abc-4def-8123-456789abcdef', p_text => E'https://acme.zendesk.com/agent/tickets/34'),
	page('psa', '408', 'somebody''s own', p_text => E'https://acme.zendesk.com/agent/tickets/34');
SELECT * FROM zcsync.adopt_marks('psa');
SELECT count(*) AS links FROM zcsync.links;
SELECT * FROM zcsync.adopt_marks('psa', confirm => true) WHERE op = 'adopted';
SELECT zcsync.reference('tickets', l.source_id) AS source, zcsync.reference('tickets', l.target_id) AS target, l.key, l.copy_id = l.target_id AS is_copy, l.route_id, l.state FROM zcsync.links l;
SELECT op, record FROM zcsync.adopt_marks('psa') WHERE op <> 'leave';
SELECT zcsync.adopt_marks('nobody');

-- what a look-up after a lost reply finds by its mark is linked if what both have of
-- e-mail address and company agrees, else it is shown
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes) VALUES (zcsync.account('psa'), 'leads', now(), true);
INSERT INTO zcsync.leads (account_id, last_name, email, company, type_id) SELECT zcsync.account('psa'), 'Lost ' || i, i || '@lost.example', 'Lost', '40' FROM generate_series(1, 3) AS i;
UPDATE zcsync.sync_queue SET unclear_since = now() WHERE kind = 'leads';
SELECT l.last_name, f.again, f.status FROM zcsync.leads l JOIN zcsync.sync_queue q USING (local_id)
CROSS JOIN LATERAL zcsync._finish_pushes(ARRAY[q.job_id], ARRAY[jsonb '{"op": "find"}'], ARRAY[jsonb_build_object('tickets', jsonb_build_array(
	jsonb_build_object('id', 7000 + l.local_id, 'oppemailaddress', CASE l.last_name WHEN 'Lost 1' THEN ' 1@LOST.example' WHEN 'Lost 2' THEN 'somebody@else.example' END, 'oppcompanyname', CASE l.last_name WHEN 'Lost 3' THEN 'Other' ELSE 'lost' END)))]) AS f
WHERE l.account_id = zcsync.account('psa') ORDER BY 1;
SELECT l.last_name, l.remote_id IS NOT NULL AS linked, l.sync_state, d.class, regexp_replace(d.message, '70+[0-9]+', 'N') AS message, regexp_replace(d.hint, '[0-9]+', 'N') AS hint, d.unclear_since IS NOT NULL AS unclear
FROM zcsync.leads l LEFT JOIN zcsync.dead_letters d USING (local_id) WHERE l.account_id = zcsync.account('psa') ORDER BY 1;
-- what was sent counts, too
SELECT zcsync._same_identity('[{"sent": {"email": "a@x.example"}}, {"sent": {"email": "b@x.example", "company": ""}}]', v) FROM unnest(ARRAY['{"email": "A@x.example", "company": "X"}', '{"email": "c@x.example"}', '{}', '{"email": ""}']::jsonb[]) AS v;
DELETE FROM zcsync.dead_letters;

-- the keys outlive their account
SELECT count(*) AS marks FROM zcsync.marks;
SELECT zcsync.remove_account('psa', force => true);
SELECT count(*) AS links FROM zcsync.links;
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('psa', 'halopsa', '{"host": "acme.halopsa.com"}');
SELECT page('psa', '401', 'zcsync-61345678-9abc-4def-8123-456789abcdef', p_text => E'It smokes.\n\nhttps://acme.zendesk.com/agent/tickets/31', p_age => '-1 hour');
SELECT m.standing, m.copied FROM zcsync.tickets t, zcsync._marked('tickets', ARRAY[t.local_id]) m WHERE t.remote_id = '401';
SELECT count(*) AS alerts FROM zcsync.alerts WHERE resolved_at IS NULL;

DROP VIEW standing;
DROP FUNCTION page, made;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
