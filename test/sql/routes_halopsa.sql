-- Routes to HaloPSA: leads become opportunities and their status comes back,
-- tickets become tickets of the right client.
-- The worker is stopped; route jobs are run here by hand.
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
	('halo', 'halopsa', '{"host": "acme.halopsa.com"}'), ('crm', 'local', '{}'), ('dev', 'clickup', '{"workspace_id": "1"}');
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens)
SELECT account_id, 'api', 250, 300, 50 FROM zcsync.accounts WHERE name = 'halo';
INSERT INTO zcsync.streams (account_id, kind, last_pull_at, writes)
SELECT a.account_id, s.kind, now(), a.name <> 'acme'
FROM (VALUES ('acme', 'tickets'), ('halo', 'tickets'), ('halo', 'leads'), ('crm', 'leads'), ('dev', 'tasks')) AS s (name, kind)
JOIN zcsync.accounts a ON a.name = s.name;

-- the catalogues of HaloPSA
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.scope || ':' || s.id, s.scope, s.id, s.name, s.id::integer, true, 'pull', '0'
FROM (VALUES ('tickets', '1', 'New'), ('tickets', '2', 'In Progress'), ('tickets', '3', 'Pending'), ('tickets', '9', 'Closed'),
	('tickets', '18', 'Resolved'), ('leads', '40', 'New'), ('leads', '41', 'Contacted'), ('leads', '44', 'Won'), ('leads', '45', 'Lost'))
	AS s (scope, id, name)
JOIN zcsync.accounts a ON a.name = 'halo';
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, options, remote, active, sync_cause, sync_xid)
SELECT a.account_id, f.id, f.scope, f.name, f.type, f.options::jsonb, f.remote::jsonb, true, 'pull', '0'
FROM (VALUES
	('tickettype', 'system', 'Ticket type', 'select', '[{"id": "1", "name": "Incident", "use": "ticket", "required": ["summary", "details"]},
		{"id": "3", "name": "Request", "use": "ticket", "required": ["summary", "CFService"]}, {"id": "4", "name": "Twin", "use": "ticket"},
		{"id": "5", "name": "twin", "use": "ticket"}, {"id": "40", "name": "Lead", "use": "opportunity", "required": ["summary", "oppcontactname"]},
		{"id": "41", "name": "Deal", "use": "opportunity", "required": ["oppvalue", "CFFitScore"]}]', NULL),
	('priority', 'system', 'Priority', 'select', '[{"id": "1", "name": "Critical"}, {"id": "2", "name": "High"}, {"id": "3", "name": "Medium"}]', NULL),
	('agent', 'system', 'Agent', 'select', '[{"id": "3", "name": "Alex", "email": "alex@halo.example"}, {"id": "8", "name": "Otto", "email": "otto@halo.example", "disabled": true}]', NULL),
	('206', 'custom', 'Service', 'select', '[{"id": "33", "name": "E-mail"}]', '{"id": 206, "name": "CFService"}'),
	('221', 'custom', 'Fit score', 'number', NULL, '{"id": 221, "name": "CFFitScore"}'),
	('230', 'custom', 'Twin', 'text', NULL, '{"id": 230}'), ('231', 'custom', 'twin', 'text', NULL, '{"id": 231}'))
	AS f (id, scope, name, type, options, remote)
JOIN zcsync.accounts a ON a.name = 'halo';

-- leads of the intake
CREATE FUNCTION intake(first text, last text, company text, email text, status integer DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.leads (account_id, first_name, last_name, company, email, status_id, source, phone, city, country, value, title)
	SELECT a.account_id, first, last, company, email, status, coalesce(more ->> 'source', 'apollo'), more ->> 'phone', more ->> 'city',
		more ->> 'country', (more ->> 'value')::numeric, more ->> 'title'
	FROM zcsync.accounts a WHERE a.name = 'crm'
$$;
-- pushes reach HaloPSA, which gives ids and a first status
CREATE FUNCTION push() RETURNS void LANGUAGE sql AS
$$
	DELETE FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready';
	UPDATE zcsync.leads l SET remote_id = coalesce(remote_id, (9000 + local_id)::text), status = coalesce(status, '40'), sync_state = 'synced',
		sync_cause = 'push', sync_xid = pg_current_xact_id(), base = to_jsonb(l) || jsonb_build_object('status', coalesce(status, '40'))
	WHERE sync_state <> 'synced' AND account_id = zcsync.account('halo');
	UPDATE zcsync.tickets l SET remote_id = coalesce(remote_id, (8000 + local_id)::text), external_id = 'zcsync-' || sync_key, status = coalesce(status, '1'), sync_state = 'synced',
		site_id = coalesce(site_id, '1'), sync_cause = 'push', sync_xid = pg_current_xact_id(), base = to_jsonb(l)
	WHERE sync_state <> 'synced' AND account_id = zcsync.account('halo');
$$;
-- somebody changes an opportunity at HaloPSA
CREATE FUNCTION pull(mail text, change text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('UPDATE zcsync.leads SET %s, updated_at = clock_timestamp() + interval ''1 second'', sync_cause = ''pull'', sync_cause_id = extract(epoch FROM clock_timestamp()) * 1000000, sync_xid = pg_current_xact_id()
		WHERE account_id = zcsync.account(''halo'') AND email = $1', change) USING mail;
END
$$;
CREATE VIEW opportunities AS
SELECT l.email, l.summary, l.first_name, l.last_name, l.type_id, l.status, l.value, l.custom_fields, l.sync_state, l.sync_cause
FROM zcsync.leads l WHERE l.account_id = zcsync.account('halo') ORDER BY l.email;
CREATE VIEW leads AS
SELECT l.email, l.status_id, l.sync_state FROM zcsync.leads l WHERE l.account_id = zcsync.account('crm') ORDER BY l.email;
CREATE VIEW jobs AS
SELECT q.operation, q.kind, q.state, q.priority, count(*) FROM zcsync.sync_queue q GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
CREATE VIEW errors AS
SELECT r.name AS route, zcsync.reference(s.kind, e.source_id) ~ '#' AS local, e.field, e.code, e.value, e.message, e.hint, e.count
FROM zcsync.route_errors e JOIN zcsync.routes r USING (route_id) JOIN zcsync.streams s ON s.stream_id = r.source_stream_id ORDER BY 1, e.value, e.source_id;

SELECT intake('Ada', 'Byron', 'Engines Ltd', 'ada@engines.example', 1, '{"phone": "+441234567890", "city": "London", "country": "GB", "value": 12000, "title": "CTO"}');
SELECT intake('Bob', NULL, NULL, 'bob@engines.example', 1);
SELECT intake(NULL, NULL, NULL, 'cy@gmail.com', 2);
SELECT intake('Dan', 'Out', 'Gone', 'dan@gone.example', 6);
UPDATE zcsync.leads SET merged_into = 1 WHERE email = 'bob@engines.example';

-- errors of definition
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads');
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Incident');
SELECT zcsync.add_route('intake', 'acme/tickets', 'halo/tickets', ticket_type => 'Twin');
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Lead', create_in => '40');
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Lead', default_client => 'Nobody');
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Lead', unknown_user => 'anybody');
SELECT zcsync.add_route('intake', 'halo/leads', 'crm/leads', ticket_type => 'Lead');

-- defaults
SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'lead');
SELECT state, filter, create_in FROM zcsync.routes;
SELECT direction, field, mapped, expression FROM zcsync.route_fields ORDER BY direction DESC, position;
SELECT direction, field, source_value, target_value FROM zcsync.route_values ORDER BY 1, 2, 3;
SELECT * FROM zcsync.check_route('intake');
-- a type with other required fields
SELECT zcsync.alter_route('intake', ticket_type => 'Deal');
SELECT item, message, hint FROM zcsync.check_route('intake') WHERE NOT ok;
SELECT zcsync.resume_route('intake');
SELECT zcsync.map_field('intake', 'custom:fit SCORE', 'fit');
SELECT zcsync.map_field('intake', 'custom:twin', 'title');
SELECT zcsync.map_field('intake', 'custom:No Such', 'title');
SELECT zcsync.map_field('intake', 'custom:230', 'title');
SELECT field FROM zcsync.route_fields WHERE field LIKE 'custom:%' ORDER BY 1;
SELECT zcsync.unmap_field('intake', 'custom:230');
SELECT item, message, hint FROM zcsync.check_route('intake') WHERE NOT ok;
SELECT zcsync.alter_route('intake', ticket_type => '40');

-- What was found out about a batch is joined by hashing, however few rows the planner
-- expects: with the settings and the kept plan of _route_changes().
BEGIN;
SELECT count(set_config(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1), true)) AS settings
FROM pg_proc, unnest(proconfig) AS c WHERE proname = '_route_changes' AND pronamespace = 'zcsync'::regnamespace AND c LIKE 'enable_%';
SET LOCAL plan_cache_mode = force_generic_plan;
DO $$
BEGIN
	EXECUTE 'PREPARE changes (bigint, bigint, bigint[], boolean, zcsync.route_start, bigint, text, text, jsonb, text, text, zcsync.route_evaluation[], boolean, '
		'zcsync.vendor_rules, text[], zcsync.route_evaluation[]) AS ' || zcsync._route_query((SELECT route_id FROM zcsync.routes WHERE name = 'intake'), 'leads', 'leads');
END
$$;
CREATE FUNCTION joins() RETURNS TABLE (type text, cte text) LANGUAGE plpgsql AS
$$
DECLARE
	v_plan json;
BEGIN
	EXECUTE 'EXPLAIN (COSTS OFF, FORMAT json) EXECUTE changes (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)' INTO v_plan;
	RETURN QUERY
	SELECT j ->> 'Node Type', c #>> '{}'
	FROM jsonb_path_query(v_plan::jsonb, 'strict $.** ? (@."Node Type" == "Hash Join" || @."Node Type" == "Nested Loop" || @."Node Type" == "Merge Join")') AS j
	CROSS JOIN LATERAL jsonb_path_query(j, 'strict $.Plans[*].** ? (@."CTE Name" == "parties" || @."CTE Name" == "translated")."CTE Name"') AS c;
END
$$;
SELECT DISTINCT * FROM joins() ORDER BY 2, 1;
ROLLBACK;
DEALLOCATE changes;

-- nothing is written before the route is resumed
SELECT op, source, target, field, new FROM zcsync.plan('intake') WHERE field <> 'description';
SELECT new FROM zcsync.plan('intake') WHERE field = 'description' AND new LIKE '%apollo%' LIMIT 1;
SELECT count(*) FROM opportunities;
SELECT zcsync.resume_route('intake') LIKE '%is active%' AS active;
SELECT * FROM zcsync.backfill_route('intake') WHERE item <> 'duration';
SELECT zcsync._run_route_jobs();
SELECT count(*) FROM opportunities;
SELECT item, value FROM zcsync.backfill_route('intake', confirm => true) WHERE item = 'queued';
SELECT zcsync._run_route_jobs();
SELECT * FROM opportunities;
SELECT * FROM jobs;
SELECT push();

-- the first status that HaloPSA gives changes nothing here
SELECT zcsync._run_route_jobs();
SELECT * FROM leads;
SELECT agreed_back FROM zcsync.links;

-- a change there comes back, once, and is no news for HaloPSA
SELECT zcsync.map_value('intake', 'status_id', 'Won', '8', back => true), zcsync.map_value('intake', 'status_id', '44', '8', back => true);
SELECT zcsync.map_value('intake', 'status_id', 'Lost', '99', back => true);
SELECT zcsync.map_value('intake', 'status_id', 'Lost', '5', back => true);
SELECT source_value, target_value FROM zcsync.route_values WHERE direction = 'back' ORDER BY 1;
SELECT pull('ada@engines.example', 'status = ''44''');
SELECT op, target, field, old, new FROM zcsync.plan('intake') WHERE field LIKE 'back:%';
SELECT zcsync._run_route_jobs();
SELECT * FROM leads;
SELECT zcsync._run_route_jobs();
SELECT * FROM jobs;
SELECT c.old, c.new, c.cause, c.cause_id IS NOT NULL AS has_id FROM zcsync.changes c JOIN zcsync.leads l USING (local_id)
WHERE l.email = 'ada@engines.example' AND l.account_id = zcsync.account('crm') AND c.action = 'update';
-- unmapped: a row that says so, and the lead waits for it
SELECT pull('cy@gmail.com', 'status = ''41''');
SELECT zcsync.unmap_value('intake', 'status_id', 'Contacted', back => true);
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;
SELECT zcsync.map_value('intake', 'status_id', '41', '3', back => true);
SELECT zcsync._run_route_jobs();
SELECT * FROM errors;
SELECT * FROM leads;
-- lost: the lead leaves the route, and comes back with its status
SELECT pull('ada@engines.example', 'status = ''45''');
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT email, status_id, (SELECT k.state FROM zcsync.links k WHERE k.source_id = l.local_id) AS link FROM zcsync.leads l WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
UPDATE zcsync.leads SET city = 'Paris' WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT zcsync._run_route_jobs();
SELECT * FROM jobs;
SELECT pull('ada@engines.example', 'status = ''44''');
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT email, status_id, (SELECT k.state FROM zcsync.links k WHERE k.source_id = l.local_id) AS link FROM zcsync.leads l WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT city FROM zcsync.leads WHERE email = 'ada@engines.example' AND account_id = zcsync.account('halo');
SELECT * FROM jobs;
SELECT push();

-- changes of a lead go forward; a change here does not undo one there
UPDATE zcsync.leads SET title = 'CEO', status_id = 2 WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT zcsync._run_route_jobs();
SELECT email, title, status FROM zcsync.leads WHERE email = 'ada@engines.example' ORDER BY account_id;
SELECT * FROM jobs;
SELECT push();
-- both at once: each side has what the other changed
UPDATE zcsync.leads SET title = 'CFO' WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT pull('ada@engines.example', 'status = ''41''');
SELECT zcsync._run_route_jobs();
SELECT email, title, status, status_id FROM zcsync.leads WHERE email = 'ada@engines.example' ORDER BY account_id;
SELECT push();
SELECT zcsync._run_route_jobs();
SELECT * FROM jobs;

-- maps that lead in a circle go round once
SELECT zcsync.map_field('intake', 'status', 'status_id');
SELECT zcsync.map_value('intake', 'status', '3', '45');
SELECT zcsync.map_value('intake', 'status', '5', '44');
SELECT zcsync.map_value('intake', 'status', '8', '41');
SELECT zcsync.map_value('intake', 'status', '2', '40');
UPDATE zcsync.leads SET status_id = 2, title = 'x' WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT zcsync._run_route_jobs(), zcsync._run_route_jobs();
SELECT push();
SELECT zcsync._run_route_jobs();
SELECT email, status, status_id FROM zcsync.leads WHERE email = 'ada@engines.example' ORDER BY account_id;
SELECT pull('ada@engines.example', 'status = ''44''');
SELECT zcsync._run_route_jobs();
SELECT zcsync._run_route_jobs();
SELECT email, status, status_id FROM zcsync.leads WHERE email = 'ada@engines.example' ORDER BY account_id;
UPDATE zcsync.leads SET title = 'y' WHERE email = 'ada@engines.example' AND account_id = zcsync.account('crm');
SELECT zcsync._run_route_jobs();
SELECT email, status, status_id FROM zcsync.leads WHERE email = 'ada@engines.example' ORDER BY account_id;
SELECT push();
DELETE FROM zcsync.sync_queue;

-- what exists is found: by e-mail among open ones, by the reference in any
SELECT zcsync.remove_route('intake');
SELECT intake('Eve', 'Open', 'Open Ltd', 'Eve@open.example', 1), intake('Fay', 'Shut', 'Shut Ltd', 'fay@shut.example', 1);
INSERT INTO zcsync.leads (account_id, remote_id, summary, email, status, closed_at, sync_cause, sync_xid, sync_state)
SELECT a.account_id, l.id, 'made there', l.email, '40', l.closed_at::timestamptz, 'pull', pg_current_xact_id(), 'synced'
FROM (VALUES ('1', 'eve@OPEN.example', NULL), ('2', 'eve@open.example', '2026-01-01'), ('3', 'fay@shut.example', '2026-01-01')) AS l (id, email, closed_at)
JOIN zcsync.accounts a ON a.name = 'halo';
UPDATE zcsync.leads SET email = NULL WHERE email = 'cy@gmail.com';
SELECT zcsync.add_route('again', 'crm/leads', 'halo/leads', ticket_type => $$CASE WHEN value > 10000 THEN 'Deal' ELSE 'Lead' END$$) IS NOT NULL AS made;
SELECT op, regexp_replace(target, '/9\d+', '/9N') AS target, field, new FROM zcsync.plan('again') WHERE op <> 'create' OR field IN ('type_id', 'summary');
SELECT item, ok, message FROM zcsync.check_route('again') WHERE item IN ('ticket_type', 'mapping') OR NOT ok;
SELECT zcsync.remove_route('again');

-- tickets: clients, sites and users of HaloPSA
INSERT INTO zcsync.companies (account_id, remote_id, name, type, parent_id, domain, external_id, active, remote, sync_cause, sync_xid)
SELECT a.account_id, c.id, c.name, CASE WHEN c.id LIKE 'site%' THEN 'site' ELSE 'client' END, c.parent, c.domain, c.external_id, c.id <> '17',
	CASE WHEN c.main IS NOT NULL THEN jsonb_build_object('main_site_id', c.main) END, 'pull', '0'
FROM (VALUES ('12', 'Acme Works', NULL, 'acme.example', NULL, 18.0), ('13', 'Beta GmbH', NULL, NULL, '361', NULL), ('14', 'Gmail Users', NULL, 'gmail.com', NULL, NULL),
	('15', 'Twin One', NULL, 'twins.example', NULL, NULL), ('16', 'Twin Two', NULL, NULL, NULL, NULL), ('17', 'Closed Down', NULL, 'down.example', NULL, NULL),
	('site-18', 'Main', '12', NULL, NULL, NULL), ('site-19', 'Branch', '12', NULL, NULL, NULL), ('site-20', 'Only', '13', NULL, NULL, NULL))
	AS c (id, name, parent, domain, external_id, main)
JOIN zcsync.accounts a ON a.name = 'halo';
INSERT INTO zcsync.contacts (account_id, remote_id, name, email, organization_id, site_id, sync_cause, sync_xid)
SELECT a.account_id, c.id, c.name, c.email, c.client, c.site, 'pull', '0'
FROM (VALUES ('halo', '501', 'Ann', 'ann@acme.example', '12', '19'), ('halo', '502', 'Gus', 'gus@gmail.com', '13', '20'),
	('halo', '503', 'Tim', 'tim@twins.example', '16', NULL), ('halo', '504', 'General User', NULL, '12', '18'), ('halo', '505', 'Gil', 'gil@gmail.com', '12', '18'),
	('acme', '11', 'Ann', 'Ann@Acme.example', NULL, NULL), ('acme', '12', 'Gus', 'gus@gmail.com', NULL, NULL), ('acme', '13', 'Tim', 'tim2@twins.example', NULL, NULL),
	('acme', '14', 'New', 'new@acme.example', NULL, NULL), ('acme', '15', 'Nil', NULL, NULL, NULL), ('acme', '16', 'Zoe', 'zoe@zeta.example', NULL, NULL),
	('acme', '17', 'Dee', 'dee@down.example', NULL, NULL)) AS c (account, id, name, email, client, site)
JOIN zcsync.accounts a ON a.name = c.account;
CREATE FUNCTION ticket(id text, subject text, status text, priority text, requester text, organization text) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, priority, requester_id, organization_id,
		created_at, updated_at, sync_cause, sync_xid, sync_state)
	SELECT a.account_id, id, subject, 'It smokes.', status, priority, requester, organization, now(), clock_timestamp() + interval '1 second',
		'pull', pg_current_xact_id(), 'synced'
	FROM zcsync.accounts a WHERE a.name = 'acme'
$$;
CREATE VIEW tickets AS
SELECT t.subject, t.form_id, t.status, t.priority, t.organization_id AS client, t.requester_id AS "user", t.site_id AS site, t.sync_cause
FROM zcsync.tickets t WHERE t.account_id = zcsync.account('halo') ORDER BY t.subject;
SELECT zcsync.add_route('desk', 'acme/tickets', 'halo/tickets', ticket_type => 'Request');
SELECT field, mapped, expression FROM zcsync.route_fields ORDER BY position;
SELECT field, source_value, target_value, target_id FROM zcsync.route_values ORDER BY field, source_value;
SELECT * FROM zcsync.check_route('desk');
SELECT zcsync.map_value('desk', 'status', 'hold', 'Waiting');
SELECT zcsync.map_value('desk', 'priority', 'low', '3');
SELECT zcsync.map_value('desk', 'organization_id', '361', '13');
SELECT zcsync.map_field('desk', 'custom:Service', '33');
SELECT item, ok FROM zcsync.check_route('desk') WHERE NOT ok;
SELECT zcsync.unmap_field('desk', 'organization_id');
SELECT item, ok, message, hint FROM zcsync.check_route('desk') WHERE NOT ok;
SELECT zcsync.map_field('desk', 'organization_id', $$jsonb_build_object('id', organization_id, 'email',
	(SELECT c.email FROM zcsync.contacts AS c WHERE c.account_id = s.account_id AND c.remote_id = s.requester_id))$$);
SELECT zcsync.resume_route('desk') LIKE '%is active%' AS active;

SELECT ticket('1', 'by domain, known user', 'new', 'urgent', '11', NULL), ticket('2', 'by external id, user of this client', 'open', 'high', '12', '361'),
	ticket('3', 'mail provider', 'open', 'normal', '12', NULL), ticket('4', 'two clients', 'pending', 'low', '13', NULL),
	ticket('5', 'by domain, new user', 'solved', NULL, '14', NULL), ticket('6', 'nobody', 'closed', 'normal', '15', NULL),
	ticket('7', 'new company', 'open', 'normal', '16', '777'), ticket('8', 'closed client', 'open', 'normal', '17', NULL);
SELECT op, source, field, new FROM zcsync.plan('desk') WHERE op = 'error';
SELECT message, hint FROM zcsync.check_route('desk') WHERE item = 'unmapped companies';
SELECT zcsync._run_route_jobs();
SELECT * FROM tickets;
SELECT company, email, target, records, candidates, hint FROM zcsync.unmapped_companies ORDER BY company;
SELECT reference, message, hint FROM zcsync.errors WHERE source = 'route desk' ORDER BY reference;
SELECT new AS description FROM zcsync.plan('desk', (SELECT array_agg(local_id) FROM zcsync.tickets WHERE remote_id = '3')) WHERE field = 'description';

-- mapped later, the records that waited go by themselves
SELECT zcsync.map_company('acme/companies/777', 'halo/companies/99');
SELECT zcsync.map_company('acme/777', 'halo/companies/12');
SELECT zcsync.map_company('acme/tickets/777', 'halo/companies/12');
SELECT zcsync.map_company('nowhere/companies/777', 'halo/companies/12');
SELECT zcsync.map_company(NULL, NULL);
SELECT zcsync.map_company('acme/companies/@gmail.com', 'halo/companies/12');
SELECT zcsync.map_company('acme/companies/777', 'halo/companies/beta gmbh');
SELECT zcsync.map_company('acme/companies/gus@gmail.com', 'halo/companies/12');
-- however the address is written, and in whichever country
SELECT e, zcsync._index_mail_domain(e), zcsync._is_mail_provider(zcsync._index_mail_domain(e)) FROM unnest('{gus@gmail.com.,Gus <Gus@Gmail.com>,gus@home@gmail.com,gus@outlook.de,gus@yahoo.com.br,gus@outlook.example,gus@outlook.biz,gus@live.org,gus@live.com,gus@outlook-it.de,gus,gus@}'::text[]) AS e;
SELECT zcsync.map_company('acme/companies/@Twins.example', 'halo/companies/16');
SELECT source_account_id = zcsync.account('acme') AS acme, company, client_id FROM zcsync.company_maps ORDER BY company;
SELECT zcsync._run_route_jobs();
SELECT * FROM tickets WHERE subject IN ('new company', 'mail provider', 'two clients');
SELECT company, records FROM zcsync.unmapped_companies ORDER BY company;
-- a company that becomes another client: only apply_route() writes that
SELECT FROM zcsync.map_company('acme/companies/777', 'halo/companies/12');
SELECT s.subject, l.dropped <> '{}' AS dropped FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.routes r ON r.route_id = l.route_id AND r.name = 'desk' ORDER BY 1;
SELECT count(*) FROM zcsync.plan('desk') WHERE op = 'update';
SELECT source, field, old, new FROM zcsync.plan('desk', apply => true) WHERE op = 'update';
SELECT FROM zcsync.map_company('acme/companies/777', 'halo/companies/beta gmbh');
-- the default, when somebody wants it, and the general user
SELECT zcsync.alter_route('desk', default_client => 'Acme Works', unknown_user => 'general');
SELECT zcsync.map_company('acme/companies/@nothing.example', 'halo/companies/12');
SELECT op, source, field, new FROM zcsync.plan('desk') WHERE op = 'create' AND field IN ('organization_id', 'requester_id', 'site_id') ORDER BY source, field;
SELECT zcsync._run_route_jobs();
SELECT * FROM tickets WHERE "user" = '504';
SELECT company, records FROM zcsync.unmapped_companies ORDER BY company;
SELECT zcsync.alter_route('desk', default_client => '', unknown_user => 'none');
SELECT zcsync.unmap_company('acme/companies/777', 'halo');
SELECT zcsync.unmap_company('acme/companies/777', 'halo');
SELECT zcsync.unmap_company('acme/companies/777', 'nowhere');
-- a record that exists keeps its client until its company is known again
UPDATE zcsync.tickets SET subject = 'new company 2', updated_at = clock_timestamp() + interval '2 seconds', sync_cause = 'pull', sync_cause_id = 2, sync_xid = pg_current_xact_id()
WHERE remote_id = '7' AND account_id = zcsync.account('acme');
SELECT zcsync._run_route_jobs();
SELECT * FROM tickets WHERE subject LIKE 'new company%';
SELECT field, code, value FROM errors WHERE value = '777';
-- a provider that only this installation knows
INSERT INTO zcsync.mail_providers VALUES ('acme.example');
SELECT op, source, field, new FROM zcsync.plan('desk', (SELECT array_agg(local_id) FROM zcsync.tickets WHERE remote_id = '5')) WHERE op = 'error';
DELETE FROM zcsync.mail_providers;

-- records that wait go by themselves when their client becomes known
CREATE FUNCTION page(account text, kind text, rows jsonb) RETURNS bigint LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM zcsync._take_page(s.stream_id, page.kind, ARRAY(SELECT zcsync._document_of(r) FROM jsonb_array_elements(page.rows) AS r),
		zcsync._origin_of('pull', 1))
	FROM zcsync.streams s WHERE s.account_id = zcsync.account(page.account) AND s.kind = 'tickets';
	RETURN (SELECT count(*) FROM zcsync.sync_queue q WHERE q.operation = 'route');
END
$$;
CREATE FUNCTION client(id text, name text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_array(jsonb_build_object('remote_id', id, 'remote_version', to_jsonb(clock_timestamp() AT TIME ZONE 'UTC'),
		'vals', jsonb_build_object('name', name, 'type', 'client', 'active', true) || more, 'doc', '{}'::jsonb, 'is_deleted', false))
$$;
CREATE FUNCTION requester(id text, email text) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO zcsync.contacts (account_id, remote_id, name, email, sync_cause, sync_xid) SELECT account_id, id, id, email, 'pull', '0' FROM zcsync.accounts WHERE name = 'acme'
$$;
SELECT requester('21', 'ed@eta.example'), requester('22', 'ian@iota.example'), requester('23', 'kim@kappa.example'), requester('24', 'mo@mu.example');
SELECT ticket('21', 'held: domain', 'open', NULL, '21', NULL), ticket('22', 'held: external id', 'open', NULL, '15', '888'),
	ticket('23', 'held: their external id', 'open', NULL, '15', '889'), ticket('24', 'held: domain of a user', 'open', NULL, '22', NULL),
	ticket('25', 'held: two clients', 'open', NULL, '23', NULL), ticket('26', 'held: mapped client gone', 'open', NULL, '15', '890');
SELECT page('halo', 'companies', client('60', 'Pi', '{"domain": "kappa.example"}') || client('61', 'Rho', '{"domain": "kappa.example"}') || client('62', 'Tau'));
SELECT zcsync.map_company('acme/companies/890', 'halo/companies/62');
UPDATE zcsync.companies SET deleted_at = now(), sync_cause = 'pull', sync_cause_id = 2, sync_xid = pg_current_xact_id() WHERE remote_id = '62';
SELECT zcsync._run_route_jobs();
CREATE VIEW held AS SELECT t.subject, e.value FROM zcsync.route_errors e JOIN zcsync.tickets t ON t.local_id = e.source_id WHERE e.code = 'unmapped_company' ORDER BY t.subject COLLATE "C";
SELECT * FROM held;
-- others are none of their business
SELECT page('halo', 'companies', client('63', 'Other', '{"domain": "other.example", "external_id": "900"}'));
SELECT page('halo', 'companies', client('64', 'Eta', '{"domain": "www.eta.example, eta.org.example"}')) AS queued;
SELECT page('halo', 'companies', client('65', 'Theta', '{"external_id": "888"}')) AS queued;
SELECT page('halo', 'companies', client('66', 'Lambda', '{"external_id": "EXT889"}')) AS queued;
SELECT page('acme', 'companies', client('889', 'Lambda', '{"external_id": "EXT889"}')) AS queued;
SELECT page('halo', 'contacts', '[{"remote_id": "601", "vals": {"name": "Ian", "email": "ian@iota.example", "organization_id": "64"}, "doc": {}, "is_deleted": false}]') AS queued;
-- one of two clients with that domain has another now
SELECT page('halo', 'companies', client('61', 'Rho', '{"domain": "rho.example"}')) AS queued;
-- the client that it was mapped to is back
SELECT page('halo', 'companies', client('62', 'Tau')) AS queued;
SELECT zcsync._run_route_jobs();
SELECT * FROM held;
SELECT subject, client FROM tickets WHERE subject LIKE 'held%' ORDER BY subject COLLATE "C";
-- nothing changed, or nothing waits: nothing is written
SELECT page('halo', 'companies', client('64', 'Eta', '{"domain": "www.eta.example, eta.org.example"}')) AS queued;
DROP VIEW held;
DROP FUNCTION page, client, requester;

-- the pairs are found again by the address of the ticket
SELECT push();
SELECT zcsync.remove_route('desk');
SELECT zcsync.add_route('desk2', 'acme/tickets', 'halo/tickets', ticket_type => '1') IS NOT NULL AS made;
SELECT op, source FROM zcsync.plan('desk2') WHERE op IN ('link', 'error') OR field = 'form_id' ORDER BY source, op;
SELECT zcsync.remove_route('desk2');

-- tickets of HaloPSA as a source
INSERT INTO zcsync.statuses (account_id, remote_id, scope_id, status_id, name, category, position, active, sync_cause, sync_xid)
SELECT a.account_id, s.list || '/' || s.id, s.list, s.id, s.name, s.category, s.position, true, 'pull', '0'
FROM (VALUES ('901', 'p1', 'to do', 'open', 0), ('901', 'p2', 'Pending', 'custom', 1), ('901', 'p3', 'stuck', 'custom', 2), ('901', 'p4', 'complete', 'closed', 3))
	AS s (list, id, name, category, position)
JOIN zcsync.accounts a ON a.name = 'dev';
INSERT INTO zcsync.contacts (account_id, remote_id, email, sync_cause, sync_xid) SELECT account_id, '183', 'alex@halo.example', 'pull', '0' FROM zcsync.accounts WHERE name = 'dev';
UPDATE zcsync.tickets SET assignee_id = '3', sync_cause = 'pull', sync_cause_id = 3, sync_xid = pg_current_xact_id() WHERE account_id = zcsync.account('halo') AND subject LIKE 'by domain, known%';
SELECT zcsync.add_route('build', 'halo/tickets', 'dev/tasks', filter => $$form_id = '3' AND subject LIKE 'by domain%'$$, create_in => '901') IS NOT NULL AS made;
SELECT field, source_value, target_value FROM zcsync.route_values ORDER BY 1, 2;
SELECT item, ok, message FROM zcsync.check_route('build') WHERE item LIKE 'status%';
SELECT zcsync.map_value('build', 'status', 'in progress', 'stuck');
SELECT field, source_value, target_value FROM zcsync.route_values WHERE target_value = 'stuck';
SELECT field, new FROM zcsync.plan('build') WHERE field <> 'description' ORDER BY 1, 2;
SELECT new AS description FROM zcsync.plan('build') WHERE field = 'description' ORDER BY 1 LIMIT 1;
SELECT zcsync.map_field('build', 'status', 't.status', back => true);
SELECT zcsync.remove_route('build');

-- nothing comes back to what cannot be written
SELECT zcsync.add_route('one', 'acme/tickets', 'dev/tasks', create_in => '901') IS NOT NULL AS made;
SELECT zcsync.map_field('one', 'status', 't.status', back => true);
SELECT zcsync.remove_route('one');

-- an empty local account is not removed with its route, unless forced
SELECT zcsync.add_account('shelf', 'local') IS NOT NULL AS made;
SELECT zcsync.add_route('shelved', 'shelf/leads', 'halo/leads', ticket_type => 'Lead') IS NOT NULL AS made;
SELECT zcsync.remove_account('shelf');
SELECT zcsync.remove_account('shelf', force => true);
SELECT name FROM zcsync.routes;

DROP VIEW opportunities, leads, tickets, jobs, errors;
DROP FUNCTION intake, ticket, push, pull;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
