-- Routes between tickets of Zendesk and tickets of HaloPSA, in both directions.
-- The worker is stopped; route jobs and pushes are run here by hand.
\set ON_ERROR_STOP off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- accounts whose data are in place
INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'),
	('psa', 'halopsa', '{"host": "acme.halopsa.com"}'), ('dev', 'clickup', '{"workspace_id": "1"}'), ('globex', 'zendesk', '{"subdomain": "globex"}');
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes)
SELECT a.account_id, s.kind, now(), a.name <> 'acme'
FROM (VALUES ('acme', 'tickets'), ('psa', 'tickets'), ('dev', 'tasks'), ('globex', 'tickets')) AS s (name, kind)
JOIN zcsync.accounts a ON a.name = s.name;
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.scope || ':' || s.id, s.scope, s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('psa', 'tickets', '1', 'New', NULL, 1), ('psa', 'tickets', '2', 'In Progress', NULL, 2), ('psa', 'tickets', '3', 'Pending', NULL, 3),
	('psa', 'tickets', '9', 'Closed', NULL, 9), ('psa', 'tickets', '18', 'Resolved', NULL, 18), ('psa', 'tickets', '21', 'With User', NULL, 21),
	('psa', 'tickets', '28', 'On Hold', NULL, 28), ('psa', 'tickets', '30', 'Parts Ordered', NULL, 30),
	('dev', '901', 'p1', 'to do', 'open', 0), ('dev', '901', 'p2', 'Pending', 'custom', 1), ('dev', '901', 'p3', 'stuck', 'custom', 2),
	('dev', '901', 'p4', 'complete', 'closed', 3)) AS s (account, scope, id, name, category, position)
JOIN zcsync.accounts a ON a.name = s.account;
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, options, active, sync_cause, sync_xid)
SELECT a.account_id, f.id, 'system', f.id, 'select', f.options::jsonb, true, 'pull', '0'
FROM (VALUES ('tickettype', '[{"id": "1", "name": "Incident", "use": "ticket", "required": ["summary"]}]'),
	('priority', '[{"id": "1", "name": "Critical"}, {"id": "2", "name": "High"}, {"id": "3", "name": "Medium"}, {"id": "4", "name": "Low"}, {"id": "5", "name": "Planned"}]'),
	('agent', '[{"id": "1", "name": "Unassigned", "email": ""}, {"id": "3", "name": "Alex", "email": "alex@desk.example"}, {"id": "4", "name": "Zoe", "email": "zoe@desk.example"}]')) AS f (id, options)
JOIN zcsync.accounts a ON a.name = 'psa';
INSERT INTO zcsync.companies (account_id, remote_id, name, type, domain, active, sync_cause, sync_xid)
SELECT account_id, '12', 'Acme Works', 'client', 'acme.example', true, 'pull', '0' FROM zcsync.accounts WHERE name = 'psa';
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, role, organization_id, site_id, sync_cause, sync_xid)
SELECT a.account_id, c.id, c.name, c.email, c.role, c.client, c.site, 'pull', '0'
FROM (VALUES ('psa', '501', 'Ann', 'ann@acme.example', NULL, '12', '19'), ('psa', '502', 'Nia', 'nia@acme.example', NULL, '12', '19'), ('psa', '503', 'General User', NULL, NULL, '12', '19'),
	('acme', '11', 'Ann', 'Ann@Acme.example', 'end-user', NULL, NULL), ('acme', '21', 'Alex', 'alex@desk.example', 'agent', NULL, NULL),
	('acme', '22', 'Zoe', 'zoe@desk.example', 'end-user', NULL, NULL)) AS c (account, id, name, email, role, client, site)
JOIN zcsync.accounts a ON a.name = c.account;

-- A ticket that somebody makes at a vendor, and what somebody changes there.
CREATE FUNCTION made(account text, id text, subject text, status text, priority text, requester text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, priority, requester_id, assignee_id, organization_id, site_id, external_id,
		remote, created_at, updated_at, sync_cause, sync_xid, sync_state, base)
	SELECT a.account_id, id, subject, coalesce(more ->> 'description', 'It smokes.'), status, priority, requester, more ->> 'assignee', CASE a.vendor WHEN 'halopsa' THEN '12' END,
		CASE a.vendor WHEN 'halopsa' THEN '19' END, more ->> 'external_id', more -> 'remote', now(), clock_timestamp() + interval '1 second',
		'pull', pg_current_xact_id(), 'synced', jsonb_build_object('subject', subject, 'status', status, 'priority', priority, 'requester_id', requester)
	FROM zcsync.accounts a WHERE a.name = account
$$;
CREATE FUNCTION changed(account text, subjects text, change text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('UPDATE zcsync.tickets SET %s, updated_at = clock_timestamp() + interval ''1 second'', sync_cause = ''pull'', sync_cause_id = extract(epoch FROM clock_timestamp()) * 1000000, sync_xid = pg_current_xact_id()
		WHERE account_id = zcsync.account($1) AND subject LIKE $2', change) USING account, subjects;
	UPDATE zcsync.tickets t SET base = t.base || jsonb_build_object('status', t.status, 'priority', t.priority, 'requester_id', t.requester_id) WHERE t.base IS NOT NULL AND t.sync_state = 'synced';
END
$$;
-- Pushes reach their vendor, which gives an id; the ledger holds what they said.
CREATE TABLE ledger (n bigint GENERATED ALWAYS AS IDENTITY, account text, subject text, what jsonb);
CREATE FUNCTION push() RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	v_count bigint;
BEGIN
	WITH jobs AS (DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready' RETURNING local_id)
	INSERT INTO ledger (account, subject, what)
	SELECT a.name, coalesce(t.subject, k.name), CASE WHEN coalesce(t.remote_id, k.remote_id) IS NULL THEN '{"new": true}'
		ELSE (SELECT jsonb_object_agg(c, n.new -> c) FROM unnest('{subject,description,status,priority,requester_id,assignee_id}'::text[]) c
			WHERE n.new -> c IS DISTINCT FROM coalesce(n.base -> c, 'null') AND (n.base ? c OR c NOT IN ('description', 'assignee_id'))) END
	FROM jobs j
	LEFT JOIN zcsync.tickets t ON t.local_id = j.local_id LEFT JOIN zcsync.tasks k ON k.local_id = j.local_id
	JOIN zcsync.accounts a ON a.account_id = coalesce(t.account_id, k.account_id)
	CROSS JOIN LATERAL (SELECT coalesce(to_jsonb(t), to_jsonb(k)), coalesce(t.base, k.base)) AS n (new, base)
	ORDER BY j.local_id;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	UPDATE zcsync.tickets t SET remote_id = coalesce(t.remote_id, (8000 + t.local_id)::text), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id(),
		url = 'x', site_id = CASE a.vendor WHEN 'halopsa' THEN '19' END, priority = coalesce(t.priority, CASE a.vendor WHEN 'halopsa' THEN '3' END),
		external_id = CASE WHEN t.remote_id IS NULL THEN 'zcsync-' || t.sync_key ELSE t.external_id END, requester_id = CASE WHEN t.requester_id LIKE '%@%' THEN '99' ELSE t.requester_id END,
		base = to_jsonb(t) || jsonb_build_object('priority', coalesce(t.priority, CASE a.vendor WHEN 'halopsa' THEN '3' END))
	FROM zcsync.accounts a WHERE t.sync_state <> 'synced' AND a.account_id = t.account_id;
	UPDATE zcsync.tasks t SET remote_id = coalesce(t.remote_id, 't' || t.local_id), sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id(), url = 'x', base = to_jsonb(t)
	WHERE t.sync_state <> 'synced';
	RETURN v_count;
END
$$;
-- Route jobs and pushes until nothing is left: what was written, and in how many rounds.
CREATE FUNCTION work() RETURNS TABLE (account text, subject text, what jsonb) LANGUAGE plpgsql AS
$$
DECLARE
	v_from bigint := (SELECT coalesce(max(n), 0) FROM ledger);
BEGIN
	FOR v_round IN 1 .. 20 LOOP
		EXIT WHEN zcsync._run_route_jobs() + push() = 0;
		IF v_round = 20 THEN
			RAISE EXCEPTION 'it does not end';
		END IF;
	END LOOP;
	RETURN QUERY SELECT l.account, l.subject, l.what FROM ledger l WHERE n > v_from ORDER BY n;
END
$$;
CREATE VIEW pairs AS
SELECT r.name AS route, s.subject, s.status AS source, t.status AS target, s.priority AS source_priority, t.priority AS target_priority, l.state
FROM zcsync.links l JOIN zcsync.routes r USING (route_id) JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tickets t ON t.local_id = l.target_id
ORDER BY s.subject, r.name;
CREATE VIEW errors AS
SELECT r.name AS route, (SELECT t.subject FROM zcsync.tickets t WHERE t.local_id = e.source_id) AS subject, e.field, e.code, e.value, e.message, e.hint
FROM zcsync.route_errors e JOIN zcsync.routes r USING (route_id) ORDER BY 1, 2, 3;

-- ---------------------------------------------------------------------
-- One route, both directions
-- ---------------------------------------------------------------------

SELECT zcsync.add_route('desk', 'acme/tickets', 'psa/tickets', direction => 'both', ticket_type => 'Incident');
SELECT zcsync.alter_stream('acme/tickets', writes => true) IS NOT NULL AS done LIMIT 1;
SELECT zcsync.add_route('desk', 'acme/tickets', 'psa/tickets', direction => 'both', ticket_type => 'Incident') IS NOT NULL AS made;
SELECT direction, field, mapped, expression FROM zcsync.route_fields WHERE direction = 'back' ORDER BY position;
SELECT field, direction, source_value, coalesce(target_id || ' ' || target_value, target_value) AS target_value FROM zcsync.route_values ORDER BY 1, 2 DESC, length(source_value), 3;
SELECT * FROM zcsync.check_route('desk');
-- what cannot be, and what is given by its name
SELECT zcsync.map_value('desk', 'status', 'Parts Ordered', 'closed', back => true);
SELECT zcsync.map_value('desk', 'status', 'Parts Ordered', NULL, back => true);
SELECT zcsync.map_value('desk', 'priority', '5', 'whenever', back => true);
SELECT zcsync.map_field('desk', 'description', 't.description', back => true);
SELECT zcsync.map_value('desk', 'status', 'parts ordered', 'Hold', back => true);
SELECT source_value, target_value FROM zcsync.route_values WHERE target_value = 'hold' AND direction = 'back' ORDER BY 1;
SELECT zcsync.unmap_value('desk', 'status', 'Parts Ordered', back => true);
-- a stream that is read-only again
SELECT zcsync.alter_stream('acme/tickets', writes => false) IS NOT NULL AS done LIMIT 1;
SELECT item, ok, message, hint FROM zcsync.check_route('desk') WHERE NOT ok;
SELECT zcsync.resume_route('desk');
SELECT zcsync.alter_stream('acme/tickets', writes => true) IS NOT NULL AS done LIMIT 1;
SELECT zcsync.resume_route('desk') LIKE '%is active%' AS active;

SELECT made('acme', '1', 'one', 'open', 'high', '11'), made('acme', '2', 'two', 'new', NULL, '11'), made('acme', '3', 'three', 'solved', 'low', '11');
SELECT * FROM work();
-- what a vendor makes of a new record is no change
SELECT made('acme', '4', 'four', 'solved', 'low', '11');
SELECT zcsync._run_route_jobs();
DELETE FROM zcsync.sync_queue WHERE operation = 'push';
UPDATE zcsync.tickets SET remote_id = '8004', status = '2', priority = '1', url = 'x', site_id = '19', sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id(), base = to_jsonb(tickets)
	|| '{"status": "2", "priority": "1"}' WHERE subject = 'four' AND remote_id IS NULL;
SELECT * FROM work();
SELECT * FROM pairs;
SELECT * FROM work();
-- a change there arrives here once, and is no news there
SELECT changed('psa', 'one', $$status = '18'$$);
SELECT op, source, field, old, new FROM zcsync.plan('desk') WHERE op <> 'error';
SELECT * FROM work();
SELECT changed('acme', 'one', $$status = 'solved'$$);
SELECT * FROM work();
SELECT changed('psa', 'two', $$priority = '1'$$);
SELECT changed('psa', 'three', $$status = '9'$$);
SELECT * FROM work();
SELECT * FROM pairs;
-- and one here there
SELECT changed('acme', 'three', $$status = 'open', priority = 'urgent'$$);
SELECT * FROM work();
-- both at once: each other's fields, and of the same field the source's
SELECT changed('acme', 'three', $$priority = 'normal'$$);
SELECT changed('psa', 'three', $$status = '3'$$);
SELECT * FROM work();
SELECT changed('acme', 'three', $$status = 'hold'$$);
SELECT changed('psa', 'three', $$status = '18'$$);
SELECT * FROM work();
SELECT * FROM pairs;
-- HaloPSA cannot empty a priority: it keeps the one it has, which does not come back
SELECT changed('acme', 'three', $$priority = NULL$$);
SELECT * FROM work();
SELECT subject, source_priority, target_priority FROM pairs WHERE subject = 'three';
SELECT changed('acme', 'three', $$priority = 'urgent'$$);
SELECT * FROM work();
SELECT changed('psa', 'three', $$priority = NULL$$);
SELECT * FROM work();
SELECT subject, source_priority, target_priority FROM pairs WHERE subject = 'three';
SELECT changed('psa', 'three', $$priority = '3'$$);
SELECT * FROM work();
-- new does not come back; what is not mapped says so
SELECT changed('psa', 'three', $$status = '1'$$);
SELECT * FROM work();
SELECT changed('psa', 'three', $$status = '30', priority = '5'$$);
SELECT * FROM work();
SELECT * FROM errors;
SELECT zcsync.map_value('desk', 'status', '30', 'pending', back => true);
SELECT zcsync.map_value('desk', 'priority', '5', 'low', back => true);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject = 'three';
-- what Zendesk closed is final
SELECT changed('acme', 'three', $$status = 'closed'$$);
SELECT * FROM work();
SELECT changed('psa', 'three', $$status = '18'$$);
SELECT * FROM work();
SELECT changed('psa', 'three', $$status = '2'$$);
SELECT * FROM work();
SELECT * FROM errors;
SELECT * FROM pairs;
-- the assignee by e-mail address, where somebody wants that
SELECT zcsync.map_field('desk', 'assignee_id', $$(SELECT nullif(o.agent ->> 'email', '') FROM zcsync.fields AS f CROSS JOIN LATERAL jsonb_array_elements(f.options) AS o (agent)
	WHERE f.account_id = t.account_id AND f.remote_id = 'agent' AND o.agent ->> 'id' = t.assignee_id)$$, back => true);
SELECT changed('psa', 'one', $$assignee_id = '77'$$);
SELECT * FROM work();
SELECT changed('psa', 'one', $$assignee_id = '3'$$), changed('psa', 'two', $$assignee_id = '4'$$);
SELECT * FROM work();
SELECT changed('psa', 'two', $$assignee_id = '3'$$);
SELECT * FROM work();
SELECT changed('psa', 'two', $$assignee_id = '4'$$);
SELECT * FROM work();
SELECT field, value, message FROM errors WHERE subject = 'two';
SELECT subject, assignee_id FROM zcsync.tickets WHERE account_id = zcsync.account('acme') ORDER BY subject;
SELECT zcsync.unmap_field('desk', 'assignee_id', back => true);

-- maps that lead in a circle go round once
SELECT zcsync.map_value('desk', 'status', 'pending', '3'), zcsync.map_value('desk', 'status', 'open', '2'),
	zcsync.map_value('desk', 'status', '2', 'pending', back => true), zcsync.map_value('desk', 'status', '3', 'open', back => true);
SELECT changed('psa', 'one', $$status = '3'$$);
SELECT * FROM work();
SELECT changed('acme', 'one', $$status = 'pending'$$);
SELECT * FROM work();
SELECT changed('psa', 'one', $$status = '2'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject = 'one';
SELECT zcsync.remove_route('desk');

-- ---------------------------------------------------------------------
-- From HaloPSA to Zendesk
-- ---------------------------------------------------------------------

SELECT zcsync.add_route('up', 'psa/tickets', 'acme/tickets', ticket_type => 'Incident');
SELECT zcsync.add_route('up', 'psa/tickets', 'acme/tickets', default_client => '12');
SELECT zcsync.add_route('up', 'psa/tickets', 'acme/tickets', direction => 'both') IS NOT NULL AS made;
SELECT direction, field, mapped, expression FROM zcsync.route_fields ORDER BY direction DESC, position;
SELECT field, direction, source_value, target_value FROM zcsync.route_values ORDER BY 1, 2 DESC, length(source_value), 3;
SELECT * FROM zcsync.check_route('up');
SELECT zcsync.map_value('up', 'status', 'Parts Ordered', 'closed');
SELECT zcsync.map_value('up', 'status', 'open', 'No Such', back => true);
SELECT zcsync.map_value('up', 'status', 'open', 'in progress', back => true);
SELECT zcsync.map_value('up', 'status', 'Parts Ordered', 'pending');
SELECT zcsync.unmap_field('up', 'description');
SELECT item, message, hint FROM zcsync.check_route('up') WHERE NOT ok;
SELECT zcsync.map_value('up', 'status', 'pending', 'Pending', back => true);
SELECT zcsync.map_field('up', 'description', expression) FROM (VALUES ($$concat_ws(E'\n\n', 'Ticket #' || remote_id, description, zcsync.record_url(account_id, 'tickets', remote_id))$$)) AS e (expression);
-- what a route made is found again, and is not copied back
SELECT op, source, target FROM zcsync.plan('up') WHERE op <> 'create';
SELECT zcsync.resume_route('up') LIKE '%is active%' AS active;
SELECT made('psa', '401', 'known', '2', '1', '501', '{"assignee": "3"}'), made('psa', '402', 'no user there', '1', NULL, '502', '{"assignee": "4"}'),
	made('psa', '403', 'nobody', '9', '3', '503', '{"assignee": "9"}'), made('psa', '404', 'unassigned', '2', '3', '501', '{"assignee": "1"}');
SELECT * FROM work();
SELECT t.subject, t.status, t.priority, t.requester_id, t.assignee_id, t.description FROM zcsync.tickets t WHERE account_id = zcsync.account('acme') AND external_id IS NOT NULL ORDER BY subject;
SELECT subject, field, code, value, message, hint FROM errors;
SELECT * FROM pairs;
-- changes go both ways; the text and the requester of what exists stay
SELECT changed('psa', 'known', $$status = '28', description = 'It burns.', requester_id = '502'$$), changed('psa', 'no user there', $$requester_id = '503'$$);
SELECT * FROM work();
SELECT field, code, message, hint FROM errors WHERE code = 'unknown_user';
SELECT changed('acme', 'known', $$status = 'solved', priority = 'low'$$), changed('acme', 'no user there', $$priority = 'high'$$);
SELECT * FROM work();
SELECT * FROM pairs;
-- who is unknown there is made first, if the route says so: with the name that the source has, and without a mail
SELECT zcsync.add_route('down', 'acme/tickets', 'psa/tickets', ticket_type => 'Incident', unknown_user => 'create');
SELECT e AS email, zcsync._zendesk_new_requester(zcsync.account('acme'), (SELECT route_id FROM zcsync.routes WHERE name = 'up'), NULL, e, NULL) AS request FROM unnest('{nia@acme.example}'::text[]) AS e;
SELECT zcsync.alter_route('up', unknown_organization => 'maybe');
SELECT zcsync.alter_route('up', unknown_organization => 'create');
SELECT zcsync.add_route('down', 'acme/tickets', 'psa/tickets', ticket_type => 'Incident', unknown_organization => 'create');
SELECT zcsync.alter_route('up', unknown_user => 'create');
SELECT e AS email, r.request - 'class' AS request
FROM unnest('{nia@acme.example,ANN@acme.example,new.person@x.example,502,x@,x\"@y,NULL}'::text[]) AS e, (VALUES (NULL::jsonb), ('{"address": true}'), ('{"address": true, "requester": true}')) AS k (l),
	zcsync._zendesk_new_requester(zcsync.account('acme'), (SELECT route_id FROM zcsync.routes WHERE name = 'up'), NULL, e, l) AS r (request);
SELECT r.kind, r.remote_id, r.vals ->> 'email' AS email FROM zcsync._zendesk_rows(zcsync.account('acme'), 'tickets', '{"op": "create_user", "learn": "requester"}', '{"user": {"id": 77, "email": "nia@acme.example"}}') AS r;
-- who is there, and not in the mirror, is found and not changed
SELECT r.kind, r.remote_id, r.vals ->> 'email' AS email FROM zcsync._zendesk_rows(zcsync.account('acme'), 'tickets', '{"op": "find_user", "learn": "address"}', '{"users": [{"id": 77, "email": "nia@acme.example"}]}') AS r;
-- and before them the organization of the source's company, if it says that, too: once, found by its key or its name
SELECT zcsync.alter_route('up', unknown_organization => 'create');
INSERT INTO zcsync.streams (account_id, kind, history_state) VALUES (zcsync.account('acme'), 'companies', 'done'), (zcsync.account('acme'), 'contacts', 'running'), (zcsync.account('psa'), 'companies', 'done');
SELECT zcsync.alter_route('up', unknown_organization => 'create');
UPDATE zcsync.streams SET history_state = 'done';
SELECT zcsync.alter_route('up', unknown_organization => 'create');
CREATE FUNCTION asked(more jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace((r.request - 'class')::text, c.sync_key::text, 'KEY') FROM zcsync.routes o JOIN zcsync.links l ON l.route_id = o.route_id JOIN zcsync.tickets t ON t.local_id = l.source_id AND t.subject = 'known'
	CROSS JOIN LATERAL zcsync._zendesk_new_requester(zcsync.account('acme'), o.route_id, l.target_id, 'nia@acme.example', more || '{"address": true}') AS r (request) JOIN zcsync.companies c ON c.account_id = zcsync.account('psa')
	WHERE o.name = 'up'
$$;
SELECT * FROM asked();
SELECT asked('{"organization": true}');
SELECT asked('{"organization": 88}');
SELECT count(*) FILTER (WHERE id IS NOT NULL OR name IS NOT NULL) AS of_none FROM zcsync._zendesk_organization(zcsync.account('acme'), (SELECT route_id FROM zcsync.routes WHERE name = 'up'), NULL);
SELECT r.kind, r.remote_id, r.vals ->> 'type' AS type, r.vals ->> 'external_id' AS external_id FROM zcsync._zendesk_rows(zcsync.account('acme'), 'tickets',
	'{"op": "create_organization", "learn": "organization"}', '{"organization": {"id": 88, "name": "Acme Works", "external_id": "zcsync-1", "updated_at": "2026-01-01T00:00:00Z"}}') AS r;
INSERT INTO zcsync.companies (account_id, remote_id, name, type, external_id, sync_cause, sync_xid)
SELECT zcsync.account('acme'), o.id, o.name, 'organization', CASE o.id WHEN '88' THEN 'zcsync-' || c.sync_key END, 'pull', '0'
FROM zcsync.companies c, (VALUES ('87', 'ACME works'), ('88', 'Renamed')) AS o (id, name) WHERE c.account_id = zcsync.account('psa');
SELECT * FROM asked();
UPDATE zcsync.companies SET deleted_at = now(), sync_cause = 'pull', sync_cause_id = -1, sync_xid = pg_current_xact_id() WHERE remote_id = '88';
SELECT * FROM asked();
UPDATE zcsync.tickets SET organization_id = NULL, sync_cause = 'pull', sync_cause_id = -1, sync_xid = pg_current_xact_id() WHERE account_id = zcsync.account('psa') AND subject = 'known';
SELECT * FROM asked();
UPDATE zcsync.tickets SET organization_id = '12', sync_cause = 'pull', sync_cause_id = -2, sync_xid = pg_current_xact_id() WHERE account_id = zcsync.account('psa') AND subject = 'known';
SELECT * FROM asked();
-- a company that takes all strangers is nobody's organization; and a pair that has ended says nothing
BEGIN; UPDATE zcsync.companies SET name = 'Unknown', sync_cause = 'pull', sync_cause_id = -1, sync_xid = pg_current_xact_id() WHERE account_id = zcsync.account('psa'); SELECT * FROM asked(); ROLLBACK;
BEGIN; UPDATE zcsync.routes SET default_client = '12', target_stream_id = source_stream_id WHERE name = 'up'; SELECT * FROM asked(); ROLLBACK;
BEGIN; UPDATE zcsync.links SET state = 'unlinked' WHERE route_id = (SELECT route_id FROM zcsync.routes WHERE name = 'up'); SELECT * FROM asked(); ROLLBACK;
DROP FUNCTION asked;
SELECT zcsync.alter_route('up', unknown_user => 'none');
SELECT zcsync.alter_route('up', unknown_user => 'none', unknown_organization => 'none');
-- closed by Zendesk: what leaves is left, what changes says so
SELECT zcsync.alter_route('up', filter => $$priority IS DISTINCT FROM '4'$$, on_leave => 'close');
SELECT changed('acme', 'known', $$status = 'closed'$$);
SELECT * FROM work();
SELECT changed('psa', 'known', $$priority = '4'$$), changed('psa', 'no user there', $$priority = '4'$$);
SELECT * FROM work();
SELECT changed('psa', 'known', $$priority = '1'$$);
SELECT * FROM work();
SELECT subject, field, code, message FROM errors WHERE code = 'closed';
SELECT * FROM pairs;

-- ---------------------------------------------------------------------
-- Two routes, one each way
-- ---------------------------------------------------------------------

-- a route that is made again finds the pairs, whichever way it leads, match_on or not
SELECT zcsync.remove_route('up');
DELETE FROM ledger;
SELECT count(*) AS pairs, count(route_id) AS driven FROM zcsync.links;
SELECT zcsync.add_route('down', 'acme/tickets', 'psa/tickets', ticket_type => 'Incident', match_on => 'false') IS NOT NULL AS made,
	zcsync.add_route('up', 'psa/tickets', 'acme/tickets', match_on => 'false') IS NOT NULL AS made;
SELECT zcsync.map_value('up', 'status', 'Parts Ordered', 'pending');
SELECT r.name, p.op, p.source, p.target FROM zcsync.routes r, zcsync.plan(r.name) p WHERE p.op = 'link' ORDER BY 1, 3;
SELECT zcsync.resume_route('down') LIKE '%is active%' AS active;
-- to take pairs over writes nothing
SELECT item, value FROM zcsync.backfill_route('down', confirm => true) WHERE item = 'queued';
SELECT * FROM work();
SELECT r.name, count(*) AS pairs, count(*) FILTER (WHERE l.copy_id = l.source_id) AS of_copies FROM zcsync.links l LEFT JOIN zcsync.routes r USING (route_id) GROUP BY 1;
-- each pair has one driver: the second route is refused, one can go both ways
SELECT zcsync.resume_route('up');
SELECT zcsync.alter_route('down', direction => 'backwards');
SELECT zcsync.alter_route('down', direction => 'both');
SELECT * FROM work();
SELECT direction, field, mapped, expression FROM zcsync.route_fields WHERE direction = 'back' ORDER BY position;
SELECT made('acme', '31', 'from here', 'open', 'high', '11'), made('psa', '431', 'from there', '2', '2', '501');
SELECT * FROM work();
SELECT changed('psa', 'from here', $$status = '18'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
SELECT zcsync.alter_route('down', direction => 'forward');
SELECT count(*) FROM zcsync.route_fields WHERE direction = 'back';
SELECT changed('psa', 'from here', $$status = '28'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
-- a route that takes other records is not refused; one each way, a change goes over once and nowhere else
SELECT zcsync.alter_route('up', filter => $$subject = 'from there'$$);
SELECT zcsync.resume_route('up') LIKE '%is active%' AS active;
SELECT changed('psa', 'from there', $$status = '3'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
SELECT count(*) AS tickets FROM zcsync.tickets WHERE subject LIKE 'from%';
SELECT changed('acme', 'from%', $$status = 'pending'$$);
SELECT * FROM work();
SELECT changed('psa', 'from%', $$status = '18'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
-- a changed map: apply_route() writes it, and leaves the rest
SELECT zcsync.map_value('down', 'priority', 'high', '4');
SELECT count(*) FROM zcsync.plan('down') WHERE op = 'update';
SELECT source, field, old, new FROM zcsync.plan('down', apply => true) WHERE op = 'update' AND field = 'priority' ORDER BY 1;
SELECT item, value FROM zcsync.apply_route('down') WHERE item <> 'duration';
SELECT * FROM work();
SELECT * FROM zcsync.apply_route('down', confirm => true);
SELECT * FROM work();
SELECT count(*) FROM zcsync.plan('down') WHERE op = 'update';
SELECT * FROM pairs WHERE subject LIKE 'from%';
-- a record that has left its route is taken over by the other one, and does not return to the first
SELECT zcsync.alter_route('down', filter => $$subject <> 'from here'$$), zcsync.alter_route('up', filter => $$subject LIKE 'from%' AND priority <> '1'$$, on_leave => 'unlink');
SELECT changed('acme', 'from here', $$priority = 'normal'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
SELECT changed('psa', 'from here', $$priority = '3'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
SELECT zcsync.alter_route('down', filter => '');
SELECT changed('acme', 'from here', $$priority = 'urgent'$$);
SELECT * FROM work();
SELECT changed('psa', 'from here', $$priority = '2'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
-- a paused route keeps its pairs
SELECT zcsync.pause_route('up');
SELECT changed('acme', 'from here', $$priority = 'low'$$);
SELECT * FROM work();
SELECT zcsync.resume_route('up') LIKE '%is active%' AS active;
-- a link that has ended, and an original that is gone, make no copy
SELECT changed('psa', 'from here', $$priority = '1'$$);
SELECT * FROM work();
SELECT * FROM pairs WHERE subject LIKE 'from%';
SELECT changed('acme', 'from here', 'deleted_at = now()'), changed('psa', 'from here', $$priority = '3'$$);
SELECT * FROM work();
SELECT route, subject, code, message FROM errors WHERE subject = 'from here';
SELECT count(*) AS tickets FROM zcsync.tickets WHERE subject LIKE 'from%';
SELECT zcsync.alter_route('up', filter => '');
-- a page was faster than the answer to a create: its row has the mark, and waits
SELECT made('acme', '41', 'twice', 'open', 'high', '11');
SELECT zcsync._run_route_jobs();
SELECT made('psa', '440', 'twice', '28', '2', '501', jsonb_build_object('description', t.description, 'external_id', 'zcsync-' || t.sync_key)) FROM zcsync.tickets t WHERE t.subject = 'twice' AND remote_id IS NULL;
SELECT zcsync._run_route_jobs();
SELECT l.route, l.state, (SELECT zcsync.reference('tickets', k.source_id) ~ '440$' FROM zcsync.links k JOIN zcsync.routes r USING (route_id) WHERE r.name = 'up' AND r.name = l.route
	AND k.target_id = (SELECT local_id FROM zcsync.tickets WHERE remote_id = '41')) AS of_page FROM pairs l WHERE subject = 'twice';
SELECT waiting FROM zcsync.tickets t, zcsync._release_remote_ids(t.account_id, 'tickets', ARRAY[t.local_id], '{440}') WHERE t.subject = 'twice' AND t.remote_id IS NULL;
UPDATE zcsync.tickets SET remote_id = '440', sync_state = 'synced', sync_cause = 'push', sync_xid = pg_current_xact_id(), site_id = '19', base = to_jsonb(tickets), url = 'x' WHERE subject = 'twice' AND remote_id IS NULL;
SELECT * FROM work() WHERE what IS NOT NULL;
SELECT route, state, subject FROM pairs WHERE subject = 'twice';
SELECT count(*) AS tickets, count(DISTINCT source_id) + count(DISTINCT target_id) AS ends FROM zcsync.tickets t LEFT JOIN zcsync.links l ON l.source_id = t.local_id WHERE subject = 'twice';
-- what somebody duplicated with its mark is shown, and not copied
SELECT made('psa', '442', 'copied by hand', '2', '2', '501', jsonb_build_object('description', t.description, 'external_id', 'zcsync-' || t.sync_key)) FROM zcsync.tickets t WHERE t.subject = 'twice' AND remote_id = '440';
SELECT * FROM work();
SELECT route, subject, code, message, hint FROM errors WHERE code IN ('copy', 'marked_twice');
-- pairs that a person makes: a target with several sources, and another counterpart
SELECT made('acme', '45', 'shares', 'open', 'high', '11');
SELECT zcsync.link_records('acme/tickets/45', 'acme/tickets/1');
SELECT zcsync.link_records('acme/tickets/45', 'psa/tickets/8026');
SELECT * FROM work();
SELECT r.name, zcsync.reference('tickets', l.source_id) AS source, l.shared, l.state FROM zcsync.links l JOIN zcsync.routes r USING (route_id)
WHERE l.target_id = (SELECT local_id FROM zcsync.record('psa/tickets/8026')) ORDER BY 2;
SELECT changed('acme', 'shares', $$status = 'hold'$$);
SELECT * FROM work();
SELECT zcsync.link_records('acme/tickets/45', 'psa/tickets/8027');
SELECT zcsync.link_records('acme/tickets/45', 'psa/tickets/8027', replace => true);
SELECT * FROM work();
SELECT r.name, zcsync.reference('tickets', l.target_id) AS target, l.shared, l.state FROM zcsync.links l JOIN zcsync.routes r USING (route_id)
WHERE l.source_id = (SELECT local_id FROM zcsync.record('acme/tickets/45')) ORDER BY 2;
-- what match_on finds has another counterpart
SELECT zcsync.alter_route('up', match_on => 't.subject = s.subject');
SELECT made('psa', '450', 'one', '2', '2', '501');
SELECT * FROM work();
SELECT route, code, message, hint FROM errors WHERE code = 'taken';
SELECT zcsync.alter_route('up', match_on => 'false');
-- somebody else's text with an address in it is none
SELECT made('psa', '441', 'about another', '2', '2', '501', jsonb_build_object('description', E'See https://acme.zendesk.com/agent/tickets/31 for that.\nThanks')),
	made('psa', '443', 'about one, too', '2', '2', '501', jsonb_build_object('description', E'It is like\nhttps://acme.zendesk.com/agent/tickets/31'));
SELECT account, subject, what FROM work() WHERE subject LIKE 'about%';
SELECT zcsync.remove_route(name) FROM zcsync.routes;

-- ---------------------------------------------------------------------
-- The text, tasks, and two accounts of Zendesk
-- ---------------------------------------------------------------------

-- text of a ticket whose comments are all private stays out, wherever it goes
SELECT made('acme', '51', 'private', 'open', 'high', '11', '{"description": "secret", "remote": {"is_public": false}}');
SELECT zcsync.add_route('z', 'acme/tickets', 'globex/tickets', filter => $$subject = 'private'$$) IS NOT NULL AS made,
	zcsync.add_route('h', 'acme/tickets', 'psa/tickets', filter => $$subject = 'private'$$, ticket_type => '1') IS NOT NULL AS made;
SELECT r.name, p.new FROM zcsync.routes r, zcsync.plan(r.name) p WHERE p.field = 'description' ORDER BY 1;
SELECT field, new FROM zcsync.plan('z') WHERE op = 'create' AND field <> 'description' ORDER BY 1;
SELECT field, source_value, target_value FROM zcsync.route_values JOIN zcsync.routes USING (route_id) WHERE name = 'z' AND source_value <> target_value;
SELECT zcsync.remove_route('z'), zcsync.remove_route('h');
-- an account without the status hold is not given it
INSERT INTO zcsync.statuses (account_id, remote_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT account_id, c, c, initcap(c), c, 1, true, 'pull', '0' FROM zcsync.accounts, unnest('{new,open,pending,solved}'::text[]) c WHERE name = 'globex';
SELECT zcsync.add_route('g', 'psa/tickets', 'globex/tickets', direction => 'both') IS NOT NULL AS made;
SELECT item, ok, message FROM zcsync.check_route('g') WHERE item LIKE '%Hold%' OR item LIKE 'back:%';
SELECT zcsync.remove_route('g');

-- a role that is no superuser
CREATE ROLE regress_desk;
SELECT zcsync.allow_routes('regress_desk');
GRANT SELECT ON zcsync.contacts, zcsync.fields TO regress_desk;
SET ROLE regress_desk;
SELECT zcsync.add_route('mine', 'acme/tickets', 'psa/tickets', direction => 'both', ticket_type => '1') IS NOT NULL AS made,
	zcsync.add_route('yours', 'psa/tickets', 'acme/tickets', direction => 'both') IS NOT NULL AS made;
SELECT zcsync.map_field('mine', 'type', 't.form_id', back => true), zcsync.map_value('yours', 'status', 'Parts Ordered', 'hold');
SELECT count(*) > 0 AS planned FROM zcsync.plan('yours');
RESET ROLE;
-- what comes back counts for the write brake
SELECT zcsync.unmap_field('mine', 'type', back => true);
SET ROLE regress_desk;
SELECT zcsync.unmap_field('mine', 'type', back => true), zcsync.alter_route('mine', filter => $$subject LIKE 'brake%'$$);
RESET ROLE;
SELECT zcsync.resume_route('mine') LIKE '%is active%' AS active;
SELECT made('acme', '6' || i, 'brake ' || i, 'open', 'high', '11') FROM generate_series(1, 3) i;
SELECT * FROM work();
SET zcsync.bulk_write_limit = 4;
SELECT changed('psa', 'brake%', $$status = '3'$$);
SELECT count(*) FROM work();
SELECT q.operation, q.kind, q.state, r.name FROM zcsync.sync_queue q LEFT JOIN zcsync.routes r USING (route_id) ORDER BY 1, 2;
SELECT message, hint FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'write_brake';
SELECT zcsync.release_held('mine');
SELECT count(*) FROM work();
RESET zcsync.bulk_write_limit;
SELECT zcsync.remove_route('mine'), zcsync.remove_route('yours');

SELECT zcsync.add_route('tasks', 'acme/tickets', 'dev/tasks', direction => 'both', create_in => '901', filter => $$subject IN ('one', 'two')$$) IS NOT NULL AS made;
SELECT field, direction, source_value, target_value FROM zcsync.route_values ORDER BY 1, 2 DESC, length(source_value), 3;
SELECT zcsync.map_value('tasks', 'status', 'hold', 'stuck');
SELECT item, ok, message FROM zcsync.check_route('tasks') WHERE item LIKE '%status%' OR item IN ('source', 'target');
SELECT zcsync.resume_route('tasks') LIKE '%is active%' AS active;
SELECT item, value FROM zcsync.backfill_route('tasks', confirm => true) WHERE item = 'queued';
SELECT * FROM work();
UPDATE zcsync.tasks SET status = 'stuck', priority = 1, sync_cause = 'pull', sync_cause_id = 7, sync_xid = pg_current_xact_id() WHERE name = 'two';
UPDATE zcsync.tasks SET status = 'complete', sync_cause = 'pull', sync_cause_id = 7, sync_xid = pg_current_xact_id() WHERE name = 'one';
SELECT * FROM work();
SELECT subject, status, priority FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND subject IN ('one', 'two') ORDER BY 1;

DROP VIEW pairs, errors;
DROP FUNCTION made, changed, push, work;
DROP TABLE ledger;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
DROP ROLE regress_desk;
