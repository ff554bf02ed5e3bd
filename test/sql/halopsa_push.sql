-- Pushes to HaloPSA: what is sent for a row, and what a reply means.
-- The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SET timezone = 'Asia/Kolkata';

-- ---------------------------------------------------------------------
-- Values
-- ---------------------------------------------------------------------
-- ids are whole numbers, whatever they come as
SELECT v, zcsync._halopsa_id(v) FROM unnest('{18,18.0,-1,95.50,1e3,x,"",2147483647,2147483648,99999999999,-,.0,NULL}'::text[]) AS v;
SELECT form, v, zcsync._halopsa_value(form, v) FROM (VALUES
	('text', '"Résumé \"x\"\n"'::jsonb), ('text', 'null'), ('text', '""'),
	('id', '"18"'), ('id', '"18.0"'), ('id', 'null'), ('id', '""'), ('id', '"Open"'), ('fixed id', '"3"'), ('fixed id', '""'),
	('number', '12.50'), ('number', '95.0'), ('number', '-0.5'), ('number', 'null'), ('number', '"NaN"'), ('number', '1e15'),
	('time', '"2026-12-24T18:00:00.999999+00:00"'), ('time', 'null'), ('time', '"infinity"'), ('time', '"0044-03-15T00:00:00+00:00 BC"'), ('time', '"12026-01-01T00:00:00+00:00"'),
	('tags', '["b","a","b","",null]'), ('tags', 'null'), ('tags', '[]')) AS f (form, v);
SELECT type, v, zcsync._halopsa_field_value(type, '[{"id": "33", "name": "E-mail"}, {"id": "34", "name": "35"}, {"id": "35", "name": "Téléphone"}]', v) FROM (VALUES
	('text', '"x"'::jsonb), ('text', '12'), ('text', 'true'), ('text', 'null'), ('text', '["x"]'), ('memo', '"a\nb"'), ('rich', '"<p>x</p>"'),
	('number', '95.0'), ('number', '"12.50"'), ('number', '"many"'), ('number', '""'),
	('select', '33'), ('select', '"33.0"'), ('select', '"e-MAIL"'), ('select', '35'), ('select', '"Blue"'), ('select', 'null'), ('select', '{"id": 33}'), ('select', '[33]'),
	('multiselect', '[33, "téléphone", "33"]'), ('multiselect', '"E-mail"'), ('multiselect', '[{"id": 33, "name": "x"}]'), ('multiselect', '["Blue", 33]'), ('multiselect', '[]'), ('multiselect', 'null'), ('multiselect', '[null]'),
	('date', '"2026-12-24"'), ('date', '"2026-12-24T18:00:00+05:30"'), ('date', '"2026-12-24T18:00:00"'), ('date', '"2026-02-30"'), ('date', '"soon"'), ('date', '20261224'), ('date', '""'),
	('time', '"09:30"'), ('time', '"23:59:59"'), ('time', '"1901-01-01T09:30:00"'), ('time', '"24:00"'), ('time', 'null'),
	('checkbox', 'true'), ('checkbox', '"No"'), ('checkbox', '1'), ('checkbox', '"perhaps"'), ('checkbox', 'null'), ('checkbox', '{}'),
	(NULL, '{"a": 1}'), (NULL, 'null')) AS f (type, v);

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------
CREATE FUNCTION request(kind text, changes jsonb, base jsonb DEFAULT NULL, unclear timestamptz DEFAULT NULL, page integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT zcsync._halopsa_push_request(kind,
		jsonb_build_object('account_id', -1, 'remote_id', CASE WHEN base IS NOT NULL THEN '12' END, 'sync_key', 'KEY', 'custom_fields', '{}'::jsonb)
		|| (SELECT jsonb_object_agg(c, NULL) FROM unnest(array_remove(zcsync._halopsa_pushable(kind), 'custom_fields')) AS c) || coalesce(base, '{}') || changes, base, unclear, page, false)
$$;
-- an account of which two custom fields are known
INSERT INTO zcsync.accounts (account_id, name, vendor, state) VALUES (-1, 'fields', 'halopsa', 'paused');
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, sync_cause, sync_xid) SELECT -1, f, 'custom', 'Field ' || f, 'pull', pg_current_xact_id() FROM unnest('{206,211}'::text[]) AS f;
\set ticket '{"subject": "Printer", "description": "x", "status": "1", "priority": "4", "form_id": "1", "requester_id": "38", "site_id": "18", "organization_id": "12", "assignee_id": "3", "group_id": "2nd Line", "tags": ["a"], "due_at": "2026-12-24T18:00:00.5+00:00", "custom_fields": {"206": 33}}'
-- a create: all there is, and what it can be found by
SELECT jsonb_pretty(request('tickets', :'ticket') - 'sent');
SELECT request('tickets', :'ticket') -> 'sent' @> :'ticket'::jsonb AS sent;
SELECT jsonb_pretty(request('leads', '{"summary": "Lead", "first_name": " Anna Maria ", "last_name": "Берг", "company": "Example", "email": "a@example.com", "phone": "+44 1", "city": "Bath", "type_id": "40", "value": 95.0, "probability": 50}') - 'sent');
-- an update: only what differs
SELECT (request('tickets', changes, :'ticket') - '{op,entity,batch,base}'::text[])::text FROM unnest(ARRAY['{"subject": "Scanner"}', '{"status": "9.0", "priority": "2"}', '{"assignee_id": null, "group_id": null, "due_at": null, "tags": []}',
	'{"organization_id": null}', '{"site_id": "19", "description": null}', '{"custom_fields": {"206": 34, "211": "x"}}', '{"custom_fields": {}}']::jsonb[]) AS changes;
SELECT request('leads', '{"last_name": "Smith"}', '{"first_name": "Ann", "last_name": "Jones", "value": 5, "custom_fields": {}}');
SELECT request('leads', '{"first_name": null, "last_name": null, "value": null, "email": null, "stage_id": "3"}', '{"first_name": "Ann", "last_name": "Jones", "value": 5, "email": "x@example.com", "custom_fields": {}}') -> 'item' AS item;
-- nothing: the same in another form, or what cannot be empty
SELECT changes, request('tickets', changes, :'ticket') FROM unnest(ARRAY['{}', '{"status": "1.0", "tags": ["a", "a", ""]}', '{"due_at": "2026-12-24T18:00:00+00:00"}', '{"status": null, "priority": null, "form_id": null}']::jsonb[]) AS changes;
SELECT request('leads', '{"first_name": "Anna Maria", "last_name": "Berg", "company": ""}', '{"first_name": "Anna", "last_name": "Maria Berg", "custom_fields": {}}');
-- what cannot be sent is refused, for that record alone
SELECT r ->> 'refuse' AS refuse, r ->> 'hint' AS hint, r ? 'batch' OR r ? 'item' AS sent FROM unnest(ARRAY['{"status": "Open"}', '{"status": "", "assignee_id": "95.5", "subject": "x"}', '{"due_at": "infinity"}',
	'{"custom_fields": {"Colour": "red"}}']::jsonb[]) AS changes, request('tickets', changes, :'ticket') AS r;
SELECT request('leads', '{"value": "NaN"}') - 'op' AS refused, request('leads', '{"status": "Won"}') - 'op' AS refused;
-- what the ticket type requires: of a new record, and of what is changed
SELECT r ->> 'refuse' AS refuse, r ->> 'hint' AS hint FROM (VALUES
	('tickets', NULL::jsonb, '{"subject": "x", "form_id": "3"}'::jsonb), ('tickets', NULL, '{"subject": "x", "description": " ", "form_id": "3", "custom_fields": {"206": null}}'),
	('tickets', NULL, '{"subject": "x", "description": "y", "form_id": "3", "custom_fields": {"206": 33}}'), ('tickets', '{"subject": "x"}', '{"subject": "y"}'),
	('tickets', '{"subject": "x", "description": "y", "custom_fields": {"206": 33}}', '{"description": null, "custom_fields": {}}'),
	('leads', NULL, '{"first_name": " ", "value": 0}'), ('leads', NULL, '{"last_name": "Lee"}'), ('leads', '{"first_name": "Ann", "value": 5}', '{"first_name": null, "value": null}')) AS v (kind, base, changes)
CROSS JOIN LATERAL (SELECT zcsync._halopsa_push_request(kind, jsonb_build_object('account_id', -1, 'remote_id', CASE WHEN base IS NOT NULL THEN '12' END, 'sync_key', 'KEY', 'custom_fields', '{}'::jsonb)
	|| (SELECT jsonb_object_agg(c, NULL) FROM unnest(array_remove(zcsync._halopsa_pushable(kind), 'custom_fields')) AS c) || coalesce(base, '{}') || changes, base, NULL, NULL, false,
	p_required => CASE kind WHEN 'leads' THEN '{"last_name": "oppcontactname", "value": "oppvalue"}' ELSE '{"description": "details", "custom:206": "CFService"}' END::jsonb)) AS q (r);
-- a look-up, shared by all that look on that page
SELECT request('leads', '{}', unclear => '2026-11-22 12:00:00+00'), request('tickets', '{}', unclear => '2026-11-22 12:00:00+00', page => 2);

-- ---------------------------------------------------------------------
-- Replies
-- ---------------------------------------------------------------------
SELECT zcsync._halopsa_push_effect(request, reply, '{"custom_fields": {"1": 1, "2": 2}}', 'KEY') FROM (VALUES
	('{"op": "post", "create": true, "sent": {"subject": "x"}}'::jsonb, '{"id": 12.0, "summary": "x"}'::jsonb),
	('{"op": "post", "sent": {"subject": "x"}}', '{"id": 12, "summary": "x", "customfields": [{"id": 206, "value": 9}]}'),
	('{"op": "post", "sent": {"subject": "x", "custom_fields": {"206": 8, "211": "y", "212": null}}}', '{"id": 12, "customfields": [{"id": 206, "value": 9}]}'),
	('{"op": "post", "sent": {"subject": "x"}}', '{}'),
	('{"op": "post", "sent": {"custom_fields": {"2": null, "3": 3}}}', '{}'),
	('{"op": "find"}', '{"tickets": [{"id": 7, "customfields": []}], "more": true}'),
	('{"op": "find"}', '{"tickets": [], "more": true}'),
	('{"op": "find"}', '{"tickets": [], "more": false}')) AS e (request, reply);

-- ---------------------------------------------------------------------
-- What HaloPSA cannot empty is not emptied here
-- ---------------------------------------------------------------------
INSERT INTO zcsync.streams (account_id, kind, writes) VALUES (-1, 'tickets', true), (-1, 'leads', true);
INSERT INTO zcsync.tickets (account_id, remote_id, subject, status, priority, form_id, base, sync_state, sync_cause, sync_xid)
VALUES (-1, '12', 'x', '1', '4', '1', '{"subject": "x", "status": "1", "priority": "4", "form_id": "1"}', 'synced', 'pull', pg_current_xact_id());
INSERT INTO zcsync.leads (account_id, remote_id, summary, status, type_id, base, sync_state, sync_cause, sync_xid)
VALUES (-1, '13', 'x', '1', '40', '{"summary": "x", "status": "1", "type_id": "40"}', 'synced', 'pull', pg_current_xact_id());
UPDATE zcsync.tickets SET priority = NULL WHERE remote_id = '12';
UPDATE zcsync.tickets SET status = NULL WHERE remote_id = '12';
UPDATE zcsync.tickets SET form_id = NULL, subject = 'y' WHERE remote_id = '12';
UPDATE zcsync.leads SET status = NULL WHERE remote_id = '13';
UPDATE zcsync.leads SET type_id = NULL WHERE remote_id = '13';
SELECT subject, status, priority, form_id, sync_state FROM zcsync.tickets;
SELECT status, type_id, sync_state FROM zcsync.leads;

-- ---------------------------------------------------------------------
-- What the live list of a stream does not show is read singly before a push
-- ---------------------------------------------------------------------
CREATE FUNCTION listed(kind text, scope jsonb, base jsonb, vals jsonb DEFAULT '{}') RETURNS boolean LANGUAGE plpgsql AS
$$
DECLARE
	v_listed boolean;
BEGIN
	EXECUTE format('SELECT %s FROM jsonb_populate_record(NULL::zcsync.%I, $1) AS t, (SELECT $2 AS scope) AS s', (zcsync._kind_of('halopsa', kind)).listed, kind)
		INTO v_listed USING jsonb_build_object('base', base, 'custom_fields', '{}'::jsonb) || base || vals, scope;
	RETURN v_listed;
END
$$;
SELECT kind, scope, base, vals, listed(kind, scope, base, vals) FROM (VALUES
	('tickets', '{}'::jsonb, '{"form_id": "1"}'::jsonb, '{"tags": ["a"]}'::jsonb),
	('tickets', '{"ticket_type_id": 1, "client_id": "12"}', '{"form_id": "1", "organization_id": "12"}', '{"form_id": "2"}'), ('tickets', '{"ticket_type_id": "1"}', '{"form_id": "2"}', '{}'), ('tickets', '{"client_id": 12}', '{"organization_id": null}', '{}'),
	('tickets', '{"details": false}', '{"tags": ["a"], "custom_fields": {"1": 2}}', '{"subject": "x"}'), ('tickets', '{"details": false}', '{"tags": ["a"]}', '{"tags": []}'), ('tickets', '{"details": false}', '{"tags": null}', '{"custom_fields": {"1": 2}}'),
	('leads', '{"ticket_type_id": 40, "details": false}', '{"type_id": "40"}', '{"summary": "x"}'), ('leads', '{"ticket_type_id": 41}', '{"type_id": "40"}', '{}'), ('leads', '{"client_id": 1}', '{"company_id": "2"}', '{}'), ('leads', '{"details": false}', '{}', '{"custom_fields": {"1": 2}}')) AS v (kind, scope, base, vals);
DROP FUNCTION listed;

DROP FUNCTION request;
DROP EXTENSION zcsync CASCADE;
