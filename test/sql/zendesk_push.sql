-- Pushes to Zendesk: what is sent for a row, and what the row learns from the
-- reply.  The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "growth"}') AS acme \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('acme', 'tickets');
SELECT item, value FROM zcsync.alter_stream('acme/tickets', writes => true) WHERE item IN ('stream', 'writes');
SELECT stream_id AS stream FROM zcsync.streams \gset
SET timezone = 'Asia/Kolkata';

SELECT zcsync._pushable('zendesk', 'tickets'), zcsync._create_only('zendesk', 'tickets'), zcsync._create_only('halopsa', 'tickets') AS others;

-- ---------------------------------------------------------------------
-- Values
-- ---------------------------------------------------------------------
SELECT form, v, zcsync._zendesk_value(form, v) FROM (VALUES
	('text', '"Résumé \"x\"\n"'::jsonb), ('text', 'null'), ('text', '""'),
	('id', '"18"'), ('id', '"360000000001"'), ('id', 'null'), ('id', '""'), ('id', '"18.0"'), ('id', '"-1"'), ('id', '"12345678901234567890"'), ('id', '"Ann"'), ('fixed id', '"3"'), ('fixed id', '""'),
	('status', '"open"'), ('status', '"Solved"'), ('status', '"deleted"'), ('status', 'null'),
	('priority', '"HIGH"'), ('priority', '"P1"'), ('priority', 'null'), ('type', '"task"'), ('type', '"bug"'), ('type', 'null'),
	('time', '"2026-12-24T18:00:00.999999+00:00"'), ('time', 'null'), ('time', '"infinity"'), ('time', '"12026-01-01T00:00:00+00:00"'),
	('tags', '["b","A","b ","",null]'), ('tags', 'null'), ('tags', '[]')) AS f (form, v);
SELECT type, v, zcsync._zendesk_field_value(type, '[{"id": 1, "name": "Web Portal", "value": "area_portal"}, {"id": 2, "name": "area_portal", "value": "area_api"}]', v) FROM (VALUES
	('text', '"x"'::jsonb), ('text', '12'), ('text', 'true'), ('text', 'null'), ('text', '["x"]'), ('textarea', '"a\nb"'), ('regexp', '"AT-00001"'), ('text', '""'),
	('integer', '95'), ('integer', '"12"'), ('integer', '12.0'), ('integer', '12.5'), ('integer', '"many"'), ('integer', 'null'),
	('decimal', '95.50'), ('decimal', '"12.50"'), ('decimal', '"1e3"'), ('decimal', '""'),
	('tagger', '"area_portal"'), ('tagger', '"web PORTAL"'), ('tagger', '"Blue"'), ('tagger', 'null'), ('tagger', '["area_api"]'),
	('multiselect', '["area_portal", "web portal", "area_api"]'), ('multiselect', '"area_api"'), ('multiselect', '["Blue", "area_api"]'), ('multiselect', '[]'), ('multiselect', 'null'),
	('date', '"2026-12-24"'), ('date', '"2026-12-24T23:00:00-05:00"'), ('date', '"2026-02-30"'), ('date', '"soon"'), ('date', '20261224'), ('date', 'null'),
	('checkbox', 'true'), ('checkbox', '"No"'), ('checkbox', '1'), ('checkbox', '"perhaps"'), ('checkbox', 'null'),
	(NULL, '"x"'), (NULL, '5'), (NULL, '["x"]'), (NULL, '{"a": 1}'), (NULL, 'null')) AS f (type, v);

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------
INSERT INTO zcsync.fields (account_id, remote_id, name, type, options, sync_cause, sync_xid)
SELECT :acme, id, name, type, '[{"id": 1, "name": "Portal", "value": "area_portal"}, {"id": 2, "name": "API", "value": "area_api"}]', 'pull', pg_current_xact_id()
FROM (VALUES ('1', 'Subject', 'subject'), ('20', 'Order', 'text'), ('21', 'Seats', 'integer'), ('22', 'Area', 'tagger'), ('23', 'Parts', 'multiselect'), ('24', 'Contract', 'checkbox')) AS f (id, name, type);
INSERT INTO zcsync.contacts (account_id, remote_id, email, sync_cause, sync_xid) VALUES (:acme, '901', 'ann@example.com', 'pull', pg_current_xact_id());
CREATE FUNCTION request(changes jsonb, base jsonb DEFAULT NULL, unclear timestamptz DEFAULT NULL, conflict boolean DEFAULT false, lost boolean DEFAULT false, withheld jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT zcsync._zendesk_push_request(
		jsonb_build_object('account_id', zcsync.account('acme'), 'remote_id', CASE WHEN base IS NOT NULL THEN '12' END, 'sync_key', 'KEY', 'custom_fields', '{}'::jsonb)
		|| (SELECT jsonb_object_agg(c, NULL) FROM unnest(array_remove(zcsync._zendesk_pushable('tickets'), 'custom_fields')) AS c) || coalesce(base, '{}') || changes, base, unclear, conflict, lost, withheld)
$$;
\set ticket '{"subject": "Printer", "description": "on fire", "status": "open", "priority": "high", "type": "task", "requester_id": "38", "assignee_id": "3", "group_id": "4", "organization_id": "5", "tags": ["a"], "due_at": "2026-12-24T18:00:00.5+00:00", "updated_at": "2026-11-22T12:00:00+00:00", "custom_fields": {"20": "x", "22": "area_portal"}}'
-- a create: all there is, and what it can be found by
SELECT jsonb_pretty(request(:'ticket'::jsonb - 'updated_at') - '{sent,row}'::text[]);
SELECT jsonb_strip_nulls(request(:'ticket'::jsonb - 'updated_at') -> 'sent') = :'ticket'::jsonb - 'updated_at' AS sent;
-- A ticket cannot be solved yet: the status is withheld, all else goes; a new ticket is open until then; what is left in the end says why.
\set reply '{"error": "RecordInvalid", "details": {"base": [{"description": "Assignee: is required when solving a ticket"}, {"description": "Area: is required when solving a ticket"}]}}'
SELECT jsonb_pretty(zcsync._zendesk_withhold(request('{"status": "solved"}', :'ticket'), 422, :'reply')) AS withheld;
SELECT zcsync._zendesk_withhold(request(c, :'ticket'), s, r) IS NULL AS refused_as_a_whole
FROM (VALUES ('{"status": "pending"}'::jsonb, 422, :'reply'::jsonb), ('{"status": "solved"}', 400, :'reply'), ('{"status": "solved"}', 422, '{"details": {"base": [{"description": "Subject: is too long"}]}}'), ('{"status": "solved"}', 422, '"text"')) AS t (c, s, r);
SELECT zcsync._zendesk_withhold(request('{"status": "solved"}', :'ticket'), 422, :'reply')::text AS withheld \gset
SELECT request('{"status": "solved", "priority": "low"}', :'ticket', withheld => :'withheld') #> '{body,ticket}' AS ticket, request('{"status": "solved", "priority": "low"}', :'ticket', withheld => :'withheld') -> 'sent' AS sent;
SELECT r.request #> '{body,ticket}' ->> 'status' AS status, r.request -> 'sent' ->> 'status' AS sent FROM (SELECT request('{"subject": "s", "status": "solved"}', withheld => :'withheld')) AS r (request);
SELECT request('{"status": "solved"}', :'ticket', withheld => :'withheld') ->> 'refuse' AS refuse, request('{}', :'ticket', withheld => :'withheld') AS nothing;
-- the requester: by id, as somebody known, as somebody new
SELECT request(jsonb_build_object('subject', 'x', 'requester_id', r)) #- '{body,ticket,comment}' #> '{body,ticket}' AS ticket FROM unnest('{38,Ann@Example.com,Bob.Smith@example.com}'::text[]) AS r;
-- the first comment needs a text
SELECT request(t) #> '{body,ticket,comment}' AS comment, request(t) ->> 'refuse' AS refuse FROM unnest(ARRAY['{"subject": "s", "description": " \n"}', '{"description": " d "}', '{"tags": ["a"]}']::jsonb[]) AS t;
-- an update: only what differs
SELECT changes, (request(changes, :'ticket') -> 'body' -> 'ticket')::text AS ticket, request(changes, :'ticket') -> 'sent' AS sent FROM unnest(ARRAY['{"subject": "Scanner"}', '{"status": "Solved", "priority": null}', '{"assignee_id": null, "group_id": "", "organization_id": null, "due_at": null, "tags": []}',
	'{"requester_id": "ann@example.com"}', '{"type": null, "due_at": null}', '{"custom_fields": {"20": "x", "22": "API", "24": true}}', '{"custom_fields": {}}']::jsonb[]) AS changes;
-- followers and copies are added and removed one by one; a problem is an id
SELECT changes, request(changes, :'ticket'::jsonb || '{"follower_ids": ["8", "9"], "email_cc_ids": [], "problem_id": "7"}') #> '{body,ticket}' AS ticket FROM unnest(ARRAY[
	'{"follower_ids": ["9", "10"]}', '{"follower_ids": [], "email_cc_ids": ["38"]}', '{"follower_ids": null, "problem_id": null}', '{"follower_ids": ["9", "8"]}', '{"email_cc_ids": null}']::jsonb[]) AS changes;
SELECT request(changes, :'ticket'::jsonb || '{"follower_ids": ["8"]}') ->> 'refuse' AS refuse FROM unnest(ARRAY['{"follower_ids": ["8", "Ann"]}', '{"problem_id": "x", "email_cc_ids": ["b@example.com"]}']::jsonb[]) AS changes;
SELECT request('{"subject": "x", "follower_ids": ["8"], "problem_id": "7"}') #> '{body,ticket}' AS new;
-- options are tags, too: a set of tags does not take back the one that was chosen
SELECT request('{"tags": ["a", "area_portal", "b"], "custom_fields": {"20": "x", "22": "area_api", "23": ["area_portal"]}}', jsonb_set(:'ticket', '{tags}', '["a", "area_portal"]')) #> '{body,ticket}' AS ticket;
SELECT request('{"tags": ["a", "area_portal", "b"], "custom_fields": {"20": "x", "22": "area_api"}}', jsonb_set(:'ticket', '{tags}', '["a", "area_portal"]')) #> '{body,ticket,tags}' AS tags;
SELECT request('{"tags": ["a", "b"], "custom_fields": {"20": "x", "22": "area_api"}}', jsonb_set(:'ticket', '{custom_fields,22}', '"area_gone"')) #> '{body,ticket,tags}' AS tags;
-- and so is a checked box, where its field has a tag
UPDATE zcsync.fields SET remote = '{"id": 24, "type": "checkbox", "tag": "under_contract"}', sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '24';
SELECT request('{"tags": ["a", "b"], "custom_fields": {"24": true}}', jsonb_set(:'ticket', '{custom_fields,24}', 'false')) #> '{body,ticket,tags}' AS checked,
	request('{"tags": ["a", "under_contract", "b"], "custom_fields": {"24": false}}', jsonb_set(:'ticket', '{custom_fields,24}', 'true')) #> '{body,ticket,tags}' AS unchecked;
UPDATE zcsync.fields SET remote = NULL, sync_cause = 'pull', sync_xid = pg_current_xact_id() WHERE remote_id = '24';
-- nothing: the same in another form, or what cannot be changed or be empty
SELECT changes, request(changes, :'ticket') FROM unnest(ARRAY['{}', '{"status": "OPEN", "tags": ["A", "a", ""]}', '{"due_at": "2026-12-24T18:00:00+00:00"}', '{"status": null, "requester_id": null}', '{"description": "other"}',
	'{"custom_fields": {"20": "x", "22": "portal", "24": "no", "23": []}}']::jsonb[]) AS changes;
-- what cannot be sent is refused before it is
SELECT r ->> 'op' AS op, r ->> 'refuse' AS refuse, r ->> 'hint' AS hint, r ? 'body' AS sent FROM unnest(ARRAY['{"status": "Done"}', '{"priority": "P1", "assignee_id": "Ann"}', '{"type": "bug"}', '{"type": "question", "due_at": "2027-01-01T00:00:00+00:00"}', '{"due_at": "infinity"}',
	'{"requester_id": "bob@example.com"}', '{"requester_id": "x"}', '{"custom_fields": {"Colour": "red", "1": "x", "21": "many", "22": "Blue"}}']::jsonb[]) AS changes, request(changes, :'ticket') AS r;
SELECT request('{"subject": "x", "status": "Done", "requester_id": "x"}') - 'op' AS refused;
SELECT request('{"subject": "x"}', jsonb_set(:'ticket', '{status}', '"closed"')) AS closed, request('{}', jsonb_set(:'ticket', '{status}', '"closed"')) AS unchanged;
-- a look-up; a ticket that somebody else changed
SELECT request(:'ticket', unclear => '2026-11-22 12:00:00+00'), request('{"subject": "x"}', :'ticket', conflict => true), request('{}', :'ticket', conflict => true) AS nothing, request('{}', :'ticket', lost => true) AS lost;

-- ---------------------------------------------------------------------
-- Replies
-- ---------------------------------------------------------------------
SELECT zcsync._zendesk_push_effect(request, reply, '{}', 'KEY') FROM (VALUES
	('{"op": "create_ticket", "create": true, "sent": {"subject": "x"}}'::jsonb, '{"ticket": {"id": 12}, "audit": {}}'::jsonb),
	('{"op": "update_ticket", "sent": {"custom_fields": {"20": "x", "21": null, "22": "y", "23": "z"}}}', '{"ticket": {"id": 12, "custom_fields": [{"id": 20, "value": "X"}, {"id": 22, "value": null}]}}'),
	('{"op": "get_ticket"}', '{"ticket": {"id": 12}}'),
	('{"op": "find_ticket"}', '{"tickets": [{"id": 11}, {"id": 12, "external_id": "zcsync-KEY"}, {"id": 13, "external_id": "zcsync-KEY"}], "count": 3}'),
	('{"op": "find_ticket"}', '{"tickets": [{"id": 11, "external_id": null}], "count": 1}'),
	('{"op": "find_ticket"}', '{"tickets": [], "count": 0}')) AS e (request, reply);

-- ---------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------
CREATE FUNCTION job(id bigint) RETURNS bigint LANGUAGE sql AS
$$ SELECT max(job_id) FROM zcsync.sync_queue q WHERE q.local_id = id AND operation = 'push' $$;
CREATE FUNCTION next(id bigint) RETURNS jsonb LANGUAGE sql AS
$$ SELECT request FROM zcsync._zendesk_push_requests(ARRAY[job(id)]) $$;
-- what Zendesk makes of a request for a ticket that was "doc"
CREATE FUNCTION reply(request jsonb, doc jsonb, at text) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('ticket', '{"id": 35436, "status": "new", "tags": [], "custom_fields": [{"id": 20, "value": null}, {"id": 22, "value": null}, {"id": 24, "value": false}], "created_at": "2026-11-22T12:00:00Z", "requester_id": 900}'::jsonb
		|| doc || (coalesce(request #> '{body,ticket}', '{}') - '{comment,custom_fields,safe_update,updated_stamp,requester}'::text[])
		|| jsonb_build_object('updated_at', at, 'generated_timestamp', extract(epoch FROM at::timestamptz)::bigint)
		|| CASE WHEN request #> '{body,ticket,comment}' IS NOT NULL THEN jsonb_build_object('description', btrim(request #>> '{body,ticket,comment,body}')) ELSE '{}' END
		|| CASE WHEN request #> '{body,ticket,custom_fields}' IS NOT NULL THEN jsonb_build_object('custom_fields', request #> '{body,ticket,custom_fields}') ELSE '{}' END)
$$;
CREATE FUNCTION finish(id bigint, request jsonb, reply jsonb) RETURNS TABLE (again boolean, status text) LANGUAGE plpgsql AS
$$
BEGIN
	UPDATE zcsync.sync_queue q SET attempts = q.attempts + 1, sent = zcsync._add_sent(q.sent, request, q.attempts + 1) WHERE q.job_id = job(id);
	RETURN QUERY SELECT f.again, f.status FROM zcsync._finish_pushes(ARRAY[job(id)], ARRAY[request - 'sent' - 'base'], ARRAY[reply]) AS f;
	UPDATE zcsync.sync_queue q SET sent = NULL WHERE q.job_id = job(id);
END
$$;
CREATE FUNCTION same(id bigint) RETURNS boolean LANGUAGE sql SET timezone = 'UTC' AS
$$ SELECT to_jsonb(t) @> t.base FROM zcsync.tickets t WHERE local_id = id $$;
CREATE FUNCTION page(doc jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets',
		ARRAY(SELECT zcsync._document_of(to_jsonb(r)) FROM zcsync._zendesk_rows(zcsync.account('acme'), 'tickets', '{}', jsonb_build_object('tickets', jsonb_build_array(doc))) AS r),
		zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;

INSERT INTO zcsync.tickets (account_id, subject, description, tags, requester_id, custom_fields)
VALUES (:acme, 'Печать 🖨', E' Text\n', '{B,a}', 'bob@example.com', '{"20": "x"}') RETURNING local_id AS id \gset
SELECT queue, operation, budget_class FROM zcsync.sync_queue WHERE job_id = job(:id);
SELECT next(:id) AS req \gset
SELECT * FROM finish(:id, :'req', reply(:'req', '{"external_id": "zcsync-KEY"}', '2026-11-22T12:00:00Z'));
SELECT remote_id, subject, description, status, requester_id, tags, external_id = 'zcsync-' || sync_key AS marked, custom_fields, url, sync_state, remote_version FROM zcsync.tickets WHERE local_id = :id;
SELECT next(:id), same(:id);
-- its echo changes and queues nothing, a page that was read before neither
SELECT remote AS doc FROM zcsync.tickets WHERE local_id = :id \gset
SELECT page(:'doc') AS echo, page(:'doc'::jsonb || '{"generated_timestamp": 1795348700, "subject": "old", "updated_at": "2026-11-22T11:58:20Z"}') AS stale;
SELECT action, cause, new - '{created_at,external_id}'::text[] AS new FROM zcsync.changes WHERE kind = 'tickets' ORDER BY created_at, action;

-- a document without generated_timestamp is as old as its last change
SELECT remote_version FROM zcsync._zendesk_rows(:acme, 'tickets', '{}', jsonb_build_object('ticket', :'doc'::jsonb - 'generated_timestamp'));
-- what no record can be
\set VERBOSITY terse
UPDATE zcsync.tickets SET custom_fields = '["x"]' WHERE local_id = :id;
\set VERBOSITY default
-- what only a new ticket can be given
UPDATE zcsync.tickets SET description = 'other' WHERE local_id = :id;
UPDATE zcsync.tickets SET description = 'other', subject = 'x' WHERE local_id = :id;
UPDATE zcsync.tickets SET custom_status_id = '1' WHERE local_id = :id;
INSERT INTO zcsync.tickets (account_id, subject, external_id) VALUES (:acme, 'x', 'mine');
INSERT INTO zcsync.tickets (account_id, subject, description) VALUES (:acme, 'x', 'first') RETURNING local_id AS other \gset
UPDATE zcsync.tickets SET description = 'second' WHERE local_id = :other;
-- changed while the create is on its way: it cannot be sent any more, and is history
SELECT next(:other) AS req \gset
UPDATE zcsync.tickets SET description = 'third', subject = 'y' WHERE local_id = :other;
SELECT * FROM finish(:other, :'req', reply(:'req', '{"id": 35437}', '2026-11-22T12:00:00Z'));
SELECT next(:other) #> '{body,ticket}' AS ticket;
SELECT * FROM finish(:other, next(:other), reply(next(:other), '{"id": 35437, "description": "second"}', '2026-11-22T12:00:01Z'));
SELECT next(:other), description, sync_state FROM zcsync.tickets WHERE local_id = :other;
SELECT description, subject, sync_state FROM zcsync.tickets WHERE local_id = :other;
SELECT action, old, new FROM zcsync.changes WHERE local_id = :other AND new ? 'description' AND old IS NOT NULL ORDER BY created_at;

-- an update, and edits meanwhile: here the column sent and another one; there a third
UPDATE zcsync.tickets SET subject = 'one', priority = 'low' WHERE local_id = :id;
SELECT next(:id) AS req \gset
SELECT :'req'::jsonb - '{sent,base}'::text[] AS request;
UPDATE zcsync.tickets SET subject = 'two', assignee_id = '7' WHERE local_id = :id;
SELECT * FROM finish(:id, :'req', reply(:'req', :'doc'::jsonb || '{"status": "pending"}', '2026-11-22T12:01:00Z'));
SELECT subject, base ->> 'subject' AS base, priority, assignee_id, status, sync_state FROM zcsync.tickets WHERE local_id = :id;
SELECT next(:id) #> '{body,ticket}' AS ticket;
SELECT * FROM finish(:id, next(:id), reply(next(:id), (SELECT remote FROM zcsync.tickets WHERE local_id = :id), '2026-11-22T12:02:00Z'));
SELECT sync_state, same(:id) FROM zcsync.tickets WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- Somebody else was faster
-- ---------------------------------------------------------------------
-- another column there: ours is sent again
SELECT remote AS doc FROM zcsync.tickets WHERE local_id = :id \gset
UPDATE zcsync.tickets SET subject = 'mine', custom_fields = '{"20": "mine", "24": true}' WHERE local_id = :id;
UPDATE zcsync.sync_queue SET last_class = 'conflict', failures = 1 WHERE job_id = job(:id);
SELECT next(:id);
SELECT * FROM finish(:id, next(:id), reply(NULL, :'doc'::jsonb || '{"priority": "urgent", "custom_fields": [{"id": 20, "value": "x"}, {"id": 22, "value": "area_api"}]}', '2026-11-22T12:03:00Z'));
UPDATE zcsync.sync_queue SET last_class = NULL WHERE job_id = job(:id);
SELECT subject, priority, custom_fields, sync_state FROM zcsync.tickets WHERE local_id = :id;
SELECT next(:id) #> '{body,ticket}' AS ticket;
SELECT count(*) AS lost FROM zcsync.changes WHERE action = 'lost';
-- the same column there: theirs stays, ours is history
SELECT * FROM finish(:id, '{"op": "get_ticket"}', reply(NULL, :'doc'::jsonb || '{"subject": "theirs", "priority": "urgent", "custom_fields": [{"id": 20, "value": "theirs"}, {"id": 22, "value": "area_api"}]}', '2026-11-22T12:04:00Z'));
SELECT subject, custom_fields, sync_state FROM zcsync.tickets WHERE local_id = :id;
SELECT old, new, cause FROM zcsync.changes WHERE action = 'lost';
SELECT next(:id) #> '{body,ticket}' AS ticket;
-- it was our own change, whose reply was lost
SELECT * FROM finish(:id, '{"op": "get_ticket"}', reply(NULL, :'doc'::jsonb || '{"subject": "theirs", "priority": "urgent", "custom_fields": [{"id": 20, "value": "theirs"}, {"id": 22, "value": "area_api"}, {"id": 24, "value": true}]}', '2026-11-22T12:05:00Z'));
SELECT next(:id), same(:id), sync_state FROM zcsync.tickets WHERE local_id = :id;
-- it was closed
UPDATE zcsync.tickets SET subject = 'mine' WHERE local_id = :id;
SELECT * FROM finish(:id, '{"op": "get_ticket"}', reply(NULL, (SELECT remote FROM zcsync.tickets WHERE local_id = :id) || '{"status": "closed"}', '2026-11-22T12:06:00Z'));
SELECT next(:id) - 'hint' AS refused;
UPDATE zcsync.tickets SET subject = 'theirs' WHERE local_id = :id;
SELECT next(:id), sync_state FROM zcsync.tickets WHERE local_id = :id;

-- a create whose reply was lost: found, or not
INSERT INTO zcsync.tickets (account_id, subject) VALUES (:acme, 'Lost') RETURNING local_id AS id \gset
UPDATE zcsync.sync_queue SET unclear_since = '2026-11-22 12:00:00+00' WHERE job_id = job(:id);
SELECT next(:id) ->> 'external_id' = 'zcsync-' || sync_key AS by_key, next(:id) ->> 'op' AS op FROM zcsync.tickets WHERE local_id = :id;
SELECT * FROM finish(:id, next(:id), '{"tickets": [], "count": 0}');
SELECT * FROM finish(:id, next(:id), jsonb_build_object('tickets', jsonb_build_array(reply(NULL, '{"id": 35440, "subject": "Lost", "description": "Lost"}', '2026-11-22T12:00:00Z') -> 'ticket'
	|| jsonb_build_object('external_id', 'zcsync-' || (SELECT sync_key FROM zcsync.tickets WHERE local_id = :id)))));
SELECT remote_id, sync_state FROM zcsync.tickets WHERE local_id = :id;
-- an update whose reply was lost, and another edit here: the page that shows the first one takes nothing from the second
UPDATE zcsync.tickets SET subject = 'first' WHERE local_id = :id;
UPDATE zcsync.sync_queue SET sent = zcsync._add_sent(NULL, r, attempts + 1)
FROM next(:id) AS r WHERE job_id = job(:id);
UPDATE zcsync.tickets SET subject = 'second' WHERE local_id = :id;
SET plan_cache_mode = force_custom_plan;
SELECT page(remote || '{"subject": "first", "updated_at": "2026-11-22T12:10:00Z", "generated_timestamp": 1795349400}') FROM zcsync.tickets WHERE local_id = :id;
RESET plan_cache_mode;
SELECT subject, base ->> 'subject' AS agreed, sync_state FROM zcsync.tickets WHERE local_id = :id;
SELECT count(*) AS lost FROM zcsync.changes WHERE action = 'lost' AND local_id = :id;
UPDATE zcsync.tickets SET subject = 'first' WHERE local_id = :id;

-- ---------------------------------------------------------------------
-- Budgets: writes are calls, too
-- ---------------------------------------------------------------------
SELECT class, calls, tokens FROM zcsync.account_budgets ORDER BY class;
UPDATE zcsync.account_budgets SET tokens = 3, refilled_at = zcsync._now() WHERE class = 'api';
SELECT class, calls, floor(tokens) AS tokens, limited_by FROM zcsync._allowances(:acme, zcsync._now(), '{}') WHERE class IN ('api', 'write') ORDER BY 1;
UPDATE zcsync.account_budgets SET paused_until = zcsync._now() + interval '1 minute', pause_reason = 'the vendor asked to wait' WHERE class = 'api';
SELECT class, calls, pause_reason, limited_by FROM zcsync._allowances(:acme, zcsync._now(), '{}') ORDER BY 1;
UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = 20;
UPDATE zcsync.accounts SET state = 'active';
DELETE FROM zcsync.sync_queue;
INSERT INTO zcsync.tickets (account_id, subject) SELECT :acme, 'Many ' || i FROM generate_series(1, 3) i;
UPDATE zcsync.tickets SET subject = 'Few' WHERE remote_id = '35437';
SELECT request ->> 'op' AS op, count(*) FROM zcsync._claim_jobs(1, :acme, 10) GROUP BY 1 ORDER BY 1;
SELECT class, calls_total FROM zcsync.account_budgets ORDER BY class;
-- what an update sends is kept until its end is known: after a crash the ticket is read first
SELECT q.sent, r.request ->> 'op' AS op FROM zcsync.sync_queue q, zcsync._zendesk_push_requests(ARRAY[q.job_id]) AS r WHERE q.sent @> '[{"base": {"subject": "y"}}]';
SELECT job_id AS few, attempts FROM zcsync.sync_queue WHERE sent @> '[{"base": {"subject": "y"}}]' \gset
SELECT how FROM zcsync._finish_jobs(1, :acme, ARRAY[ROW(:few, :attempts, 'rejected', 422, 'no', NULL, -1, false, '{"op": "update_ticket"}', NULL, 1)::zcsync.outcome]);
SELECT sent, state, failures FROM zcsync.sync_queue WHERE job_id = :few;

DROP EXTENSION zcsync CASCADE;
