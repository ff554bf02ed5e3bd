-- Alerts: what rules find, when it is told and when its end is; what targets may be.
-- The clock is moved.  What is sent over a network is for the TAP tests.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- the rules of a new installation; who removed one does not get it back
SELECT name, measure, warning, critical, lasts, cool_down, state FROM zcsync.alert_rules ORDER BY name;
SELECT zcsync.remove_alert_rule('cpu');
SELECT FROM zcsync.setup();
SELECT count(*) FROM zcsync.alert_rules WHERE name = 'cpu';
-- each state that status can show of the installation is one of an incident
SELECT s.state, o.* FROM unnest('{no worker,no rights,failing,stopped,no key,no maintenance,no partition,read only}'::text[]) AS s (state)
CROSS JOIN LATERAL zcsync._alert_object(s.state) AS o;
-- the measures of the machine are there, or NULL
SELECT cpu >= 0 AS cpu, memory BETWEEN 0 AND 100 AS memory, disk BETWEEN 0 AND 100 AS disk, coalesce(io BETWEEN 0 AND 100, true) AS io FROM zcsync._machine_load();

-- ------------------------------------------------------------ what is refused
\set VERBOSITY terse
SELECT zcsync.add_alert_rule('x', 'nosuch', 1);
SELECT zcsync.add_alert_rule('x', 'lag');
SELECT zcsync.add_alert_rule('x', 'lag', 1, targets => '{nosuch}');
SELECT zcsync.add_alert_rule('x', 'lag', 1, accounts => '{nosuch}');
SELECT zcsync.add_alert_rule('x', 'lag', 1, silence_from => '22:00');
SELECT zcsync.add_alert_rule('x', 'lag', 1, time_zone => 'Mars/Base');
SELECT zcsync.add_alert_rule('x', 'lag', 1, escalate_after => '1 hour');
SELECT zcsync.alter_alert_rule('lag', '{"name": "y"}');
SELECT zcsync.alter_alert_rule('nosuch', '{"warning": 1}');
\set VERBOSITY default
SELECT zcsync.add_alert_target('x', 'pager');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "http://hooks.slack.com/x"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://user@hooks.slack.com/x"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://hooks.slack.com.evil.example/x"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://169.254.169.254/latest"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://hooks.slack.com/x"}', '{"url": "https://hooks.slack.com/y"}');
SELECT zcsync.add_alert_target('x', 'slack', '{"url": "https://hooks.slack.com/x"}');
SELECT zcsync.add_alert_target('x', 'slack', '{}', '{"url": 5}');
SELECT zcsync.add_alert_target('x', 'email', '{"url": "smtps://mail.example", "from": "a@example.com", "to": "b@example.com"}');
SELECT zcsync.add_alert_target('x', 'notify', '{"channel": ""}');
SELECT zcsync.add_alert_target('x', 'ticket', '{"account": "nosuch"}');
SELECT zcsync.test_alert('nosuch');
SELECT zcsync.acknowledge_alert(1);
BEGIN; CALL zcsync.evaluate_alerts(); COMMIT;

-- ------------------------------------------------------------ from its beginning to its end
DELETE FROM zcsync.alert_rules;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup');
CREATE FUNCTION fail(p_account text, p_count integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at, died_at)
	SELECT nextval('zcsync.job_id_seq'), zcsync.account(p_account), 'ticket-sync', 'push', 'api', 'r' || g, 'd' || g, '{}', 50, 3, 'rejected', 'the printer of Ms. Smith', zcsync._now(), zcsync._now()
	FROM generate_series(1, p_count) AS g
$$;
CREATE VIEW told AS
	SELECT t.name AS target, d.event, d.state, i.rule, i.object, i.severity, i.summary
	FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id) JOIN zcsync.alert_targets AS t USING (target_id)
	ORDER BY d.delivery_id;
SELECT zcsync.add_alert_target('ops', 'notify', '{"channel": "ops"}') > 0 AS added;
SELECT zcsync.add_alert_target('boss', 'notify', '{"channel": "boss"}', severity => 'critical') > 0 AS added;
SELECT zcsync.add_alert_rule('failures', 'errors', 1, 10, lasts => '5 minutes', targets => '{ops,boss}');
SELECT * FROM zcsync.test_alert('ops');
SELECT fail('acme', 2);
CALL zcsync.evaluate_alerts();
SELECT * FROM told;
-- it lasts: one alert, however often it is looked at
SET zcsync.clock_offset = 360;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 420;
CALL zcsync.evaluate_alerts();
SELECT * FROM told;
-- it becomes worse: once more, and those who are told of critical only hear of it
SELECT fail('acme', 20);
SET zcsync.clock_offset = 480;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 540;
CALL zcsync.evaluate_alerts();
SELECT * FROM told;
-- its end
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 600;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 660;
CALL zcsync.evaluate_alerts();
SELECT * FROM told;
SELECT rule, object, told, resolved_at IS NOT NULL AS resolved, all_clear_at IS NOT NULL AS all_clear FROM zcsync.alert_incidents;
-- what was over before it had lasted is no incident
SELECT fail('dev', 1);
CALL zcsync.evaluate_alerts();
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 960;
CALL zcsync.evaluate_alerts();
SELECT count(*) FROM zcsync.alert_incidents;

-- ------------------------------------------------------------ cool-down
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;
SELECT zcsync.alter_alert_rule('failures', '{"lasts": "0", "critical": null, "targets": null, "cool_down": "10 minutes"}');
SET zcsync.clock_offset = 0;
SELECT fail('acme', 1);
CALL zcsync.evaluate_alerts();
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 60;
CALL zcsync.evaluate_alerts();
SELECT fail('acme', 1);
SET zcsync.clock_offset = 120;
CALL zcsync.evaluate_alerts();
SELECT event, count(*) FROM told GROUP BY 1 ORDER BY 1;
-- it goes on beyond the cool-down
SET zcsync.clock_offset = 700;
CALL zcsync.evaluate_alerts();
SELECT event, count(*) FROM told GROUP BY 1 ORDER BY 1;

-- ------------------------------------------------------------ silence hours
DELETE FROM zcsync.dead_letters;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;
SELECT zcsync._is_silent('22:00', '07:00', 'Europe/Berlin', '2026-01-10 21:30+00') AS evening, zcsync._is_silent('22:00', '07:00', 'Europe/Berlin', '2026-01-10 05:30+00') AS morning,
	zcsync._is_silent('22:00', '07:00', 'Europe/Berlin', '2026-01-10 12:00+00') AS noon, zcsync._is_silent('12:00', '13:00', 'UTC', '2026-01-10 12:00+00') AS lunch,
	zcsync._is_silent('12:00', '13:00', 'UTC', '2026-01-10 13:00+00') AS over, zcsync._is_silent(NULL, NULL, 'UTC', '2026-01-10 12:00+00') AS never;
SET zcsync.clock_offset = 0;
-- silent from an hour ago until half an hour from now
UPDATE zcsync.alert_rules SET silence_from = ((now() AT TIME ZONE 'UTC') - interval '1 hour')::time, silence_to = ((now() AT TIME ZONE 'UTC') + interval '30 minutes')::time;
SELECT fail('acme', 1);
CALL zcsync.evaluate_alerts();
SELECT count(*) AS told_in_silence FROM told;
SET zcsync.clock_offset = 2400;
CALL zcsync.evaluate_alerts();
SELECT target, event, summary FROM told;
UPDATE zcsync.alert_rules SET silence_from = NULL, silence_to = NULL;

-- ------------------------------------------------------------ escalation
SELECT zcsync.alter_alert_rule('failures', '{"targets": ["ops"], "escalate_after": "1 hour", "escalate_to": ["boss"]}');
UPDATE zcsync.alert_targets SET severity = 'warning';
SET zcsync.clock_offset = 4000;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told WHERE event <> 'alert';
SET zcsync.clock_offset = 6100;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 6200;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told WHERE event <> 'alert';
-- who is on it is not told that nobody is
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;
CALL zcsync.evaluate_alerts();
SELECT zcsync.acknowledge_alert(incident_id) FROM zcsync.alert_incidents;
SET zcsync.clock_offset = 20000;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
-- accounts that a rule is not about
SELECT zcsync.alter_alert_rule('failures', '{"accounts": ["dev"]}');
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
-- a rule that is removed: what it found ends
SELECT zcsync.alter_alert_rule('failures', '{"accounts": null, "cool_down": "0"}');
SET zcsync.clock_offset = 20060;
CALL zcsync.evaluate_alerts();
SELECT zcsync.pause_alert_rule('failures');
SET zcsync.clock_offset = 20120;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
SELECT zcsync.remove_alert_target('boss');

-- ------------------------------------------------------------ less is worse; one reading that cannot be told
SELECT zcsync.add_alert_rule('ends', 'credentials end', 14, 3);
SELECT zcsync.set_credentials_end('acme', zcsync._now() + interval '10 days');
SELECT zcsync.set_credentials_end('dev', zcsync._now() + interval '40 days');
SELECT f.rule, f.object, f.severity, f.value FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f WHERE f.rule = 'ends' ORDER BY 2;
-- of an account nothing can be told while nothing works at all
SELECT x.object, x.value FROM unnest(zcsync._all_alert_readings()) AS x WHERE x.measure = 'lag' ORDER BY 1;
SELECT x.object, x.says, x.value, x.to_do FROM unnest(zcsync._all_alert_readings()) AS x WHERE x.measure = 'installation' AND x.object = 'work';

-- ------------------------------------------------------------ the forms
\x on
SELECT zcsync._alert_facts(to_jsonb(i), 'alert') - '{key,since,server,incident}'::text[] AS facts,
	zcsync._slack_body(zcsync._alert_facts(to_jsonb(i), 'all clear') - 'since') AS slack,
	zcsync._teams_body(zcsync._alert_facts(to_jsonb(i), 'alert') - 'since') AS teams,
	zcsync._pagerduty_body(zcsync._alert_facts(to_jsonb(i), 'all clear') - 'key') AS resolve,
	zcsync._fill_template('{"a": "{title} <b>", "n": {"x": ["{to_do}", "{nosuch}"]}}', '{"title": "a \"quoted\" {to_do}", "to_do": "SELECT 1;"}') AS template
FROM zcsync.alert_incidents AS i ORDER BY i.incident_id LIMIT 1;
SELECT replace(zcsync._mail_message('{"key": "k", "event": "all clear", "title": "[all clear] zcsync dé: over", "since": "S", "to_do": null, "rule": "r", "server": "s", "database": "d", "incident": 7}',
	'zcsync@example.com', '{a@example.com,b@example.com}', '2026-03-01 12:00+00'), E'\r', '') AS mail;
\x off
SELECT zcsync._is_mail_address(a), a FROM unnest(ARRAY['a@example.com', 'a.b+c@example.com', E'a@example.com\r\nBcc: x', 'A <a@example.com>', '', NULL, 'a@b>c']) AS a;
-- no word of a customer in anything that was told
SELECT count(*) FROM zcsync.alert_incidents AS i WHERE i::text LIKE '%Smith%';
SELECT count(*) FROM unnest(zcsync._all_alert_readings()) AS x WHERE x::text LIKE '%Smith%';

-- ------------------------------------------------------------ a ticket, never in the account concerned
SET zcsync.clock_offset = 0;
DELETE FROM zcsync.alert_rules;
DELETE FROM zcsync.dead_letters;
TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries;
INSERT INTO zcsync.streams (account_id, kind, writes)
SELECT account_id, 'tickets', true FROM zcsync.accounts WHERE name = 'acme';
SELECT zcsync.add_alert_target('desk', 'ticket', '{"account": "acme", "values": {"sync_key": "x"}}');
SELECT zcsync.add_alert_target('desk', 'ticket', '{"account": "acme", "values": {"priority": "high"}, "closed": {"status": "solved", "tags": ["zcsync"]}}') > 0 AS added;
SELECT zcsync.pause_alert_target('ops');
SELECT zcsync.add_alert_rule('failures', 'errors', 1);
SELECT fail('dev', 1), fail('acme', 1);
CALL zcsync.evaluate_alerts();
SELECT target, event, state, object FROM told;
SELECT subject, priority, status, tags, sync_state FROM zcsync.tickets;
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 60;
CALL zcsync.evaluate_alerts();
SELECT target, event, state, object FROM told;
SELECT subject, priority, status, tags FROM zcsync.tickets;

-- what cannot be delivered is tried five times; status says so; to try it by hand mends it
UPDATE zcsync.streams SET writes = false;
SELECT fail('dev', 1);
SELECT zcsync.alter_alert_rule('failures', '{"cool_down": "0"}');
SET zcsync.clock_offset = 120;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 3600;
CALL zcsync.evaluate_alerts();
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 7200;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 10800;
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 14400;
CALL zcsync.evaluate_alerts();
SELECT d.event, d.state, d.attempts, d.last_error FROM zcsync.alert_deliveries AS d ORDER BY d.delivery_id DESC LIMIT 1;
SELECT account, state, why, to_do FROM zcsync.status WHERE state = 'no alerts';
SET zcsync.clock_offset = 20000;
CALL zcsync.evaluate_alerts();
SELECT d.event, d.state, d.attempts FROM zcsync.alert_deliveries AS d ORDER BY d.delivery_id DESC LIMIT 1;
UPDATE zcsync.streams SET writes = true;
SELECT ok, message FROM zcsync.test_alert('desk');
CALL zcsync.evaluate_alerts();
SELECT d.event, d.state, d.attempts FROM zcsync.alert_deliveries AS d ORDER BY d.delivery_id DESC LIMIT 1;
SELECT count(*) FROM zcsync.status WHERE state = 'no alerts';
-- the worker evaluated lately: nothing is to do
SELECT alerts_at FROM zcsync.installation \gset
CALL zcsync.evaluate_alerts('1 hour');
SELECT alerts_at = :'alerts_at' AS left_alone FROM zcsync.installation;
-- maintenance forgets what ended long ago
SELECT zcsync._forget_incidents();
SET zcsync.clock_offset = 8000000;
SELECT zcsync._forget_incidents();
SELECT count(*) > 0 AS open, count(*) FILTER (WHERE resolved_at IS NOT NULL) AS ended FROM zcsync.alert_incidents;
RESET zcsync.clock_offset;

-- ------------------------------------------------------------ secrets go where their kind has them, and nowhere else
SET log_statement = none;
SELECT zcsync.add_alert_target('own', 'json', '{"url": "https://hooks.slack.com/x?{{token}}", "template": {"text": "{title} {{token}} {{url}}"}}', '{"token": "tok"}') > 0 AS added;
SELECT zcsync.add_alert_target('slack', 'slack', secrets => '{"url": "https://hooks.slack.com/services/x"}') > 0 AS added;
SELECT zcsync.add_alert_target('pager', 'pagerduty', secrets => '{"routing_key": "file:alert_pager"}') > 0 AS added;
SELECT zcsync.add_alert_target('mail', 'email', '{"url": "smtps://events.pagerduty.com", "from": "a@example.com", "to": "{{password}}@example.com", "user": "{{password}}"}', '{"password": "p"}') > 0 AS added;
SELECT t.name, r.url, r.headers, left(r.body, 40) AS body, r.mail_to, r.mail_user FROM zcsync.alert_targets AS t
CROSS JOIN LATERAL zcsync._alert_request(t.target_id, '{"title": "T {{token}}", "event": "test", "key": "k"}') AS r WHERE t.kind NOT IN ('notify', 'ticket') ORDER BY t.target_id;
-- who names another address gives the secrets for it
SELECT zcsync.alter_alert_target('own', settings => '{"url": "https://hooks.slack.com/y", "template": {"text": "{title}"}}');
SELECT zcsync.alter_alert_target('own', settings => '{}');
SELECT zcsync.alter_alert_target('mail', settings => '{"url": "smtps://hooks.slack.com", "from": "a@example.com", "to": "b@example.com", "user": "u"}');
SELECT zcsync.alter_alert_target('pager', settings => '{"url": "https://events.eu.pagerduty.com/v2/enqueue"}');
SELECT zcsync.alter_alert_target('pager', settings => '{"url": "https://events.eu.pagerduty.com/v2/enqueue"}', secrets => '{"routing_key": "file:alert_pager"}');
SELECT zcsync.alter_alert_target('own', settings => '{"url": "https://hooks.slack.com/x?{{token}}", "template": {"text": "{title}"}}', severity => 'critical');
SELECT zcsync.alter_alert_target('own', settings => '{"url": "https://hooks.slack.com/y"}', secrets => '{"token": "other"}');
SELECT name, settings, severity FROM zcsync.alert_targets WHERE name IN ('own', 'pager') ORDER BY 1;
-- a routing key goes to PagerDuty only, a file of an account to no target, whoever asks
SELECT zcsync.add_alert_target('x', 'pagerduty', '{"url": "https://hooks.slack.com/triggers/x"}', '{"routing_key": "file:alert_pager"}');
SELECT zcsync.add_alert_target('x', 'pagerduty', '{"url": "https://events.pagerduty.com.example.com/"}', '{"routing_key": "file:alert_pager"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://hooks.slack.com/x"}', '{"token": "file:clickup_token"}');
SELECT zcsync.alter_alert_target('pager', secrets => '{"routing_key": "file:clickup_token"}');
SELECT zcsync.add_alert_target('x', 'json', '{"url": "https://hooks.slack.com/x"}', '{"token": "file:sub/alert_token"}');
SELECT zcsync.remove_alert_target(name) FROM unnest('{own,slack,pager,mail}'::text[]) AS name;

-- a new key is made only if each secret can be opened; one that cannot is named with its target
SELECT zcsync.add_alert_target('hook', 'slack', secrets => '{"url": "https://hooks.slack.com/services/x"}') > 0 AS added;
UPDATE zcsync.alert_secrets SET sealed = set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1);
SELECT replace(message, 'zcsync.key', 'key') AS message FROM zcsync.alert_targets AS t CROSS JOIN LATERAL zcsync._alert_secret_status(t.target_id) WHERE t.name = 'hook';
DO $$
DECLARE
	v_said text;
	v_hint text;
BEGIN
	PERFORM zcsync.rotate_key();
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS v_said = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
	RAISE WARNING '%', regexp_replace(v_said, 'target [0-9]+', 'target N') USING HINT = v_hint;
END
$$;
DELETE FROM zcsync.alert_secrets;

DROP VIEW told;
DROP FUNCTION fail;
DROP EXTENSION zcsync CASCADE;
