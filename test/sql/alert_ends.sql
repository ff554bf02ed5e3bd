-- Alerts: their ends.  No all-clear comes while a measure is not known, each comes in the
-- end, and what a target, a rule or the clock does meanwhile loses none.  The clock is moved.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
DELETE FROM zcsync.alert_rules;
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('acme2', 'zendesk'), ('a_me', 'clickup'), ('dev', 'clickup');
INSERT INTO zcsync.streams (account_id, kind, writes) SELECT a.account_id, k, true FROM zcsync.accounts AS a, unnest('{tickets,contacts}'::text[]) AS k WHERE a.vendor = 'zendesk';
INSERT INTO zcsync.streams (account_id, kind, writes) SELECT a.account_id, 'tasks', true FROM zcsync.accounts AS a WHERE a.vendor = 'clickup';
CREATE FUNCTION fail(p_account text, p_count integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, record_key, dedupe_key, payload, priority, attempts, class, message, created_at, died_at)
	SELECT nextval('zcsync.job_id_seq'), zcsync.account(p_account), 'ticket-sync', 'push', 'api', 'r' || g, 'd' || g, '{}', 50, 3, 'rejected', 'no', zcsync._now(), zcsync._now()
	FROM generate_series(1, p_count) AS g
$$;
CREATE VIEW told AS
	SELECT t.name AS target, d.event, d.state, i.rule, i.object, i.severity
	FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id) JOIN zcsync.alert_targets AS t USING (target_id)
	ORDER BY d.delivery_id;
-- Begin anew, as of then.
CREATE PROCEDURE anew(p_offset integer) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('zcsync.clock_offset', p_offset::text, false);
	DELETE FROM zcsync.dead_letters;
	DELETE FROM zcsync.alert_rules;
	TRUNCATE zcsync.alert_incidents, zcsync.alert_deliveries, zcsync.alerts;
	UPDATE zcsync.installation SET alerts_at = NULL;
END
$$;
SELECT zcsync.add_alert_target(t, 'notify', '{"channel": "ops"}') > 0 AS added FROM unnest('{ops,boss}'::text[]) AS t;

-- ------------------------------------------------------------ a function with measures fails
SELECT zcsync.add_alert_rule('failures', 'errors', 1, targets => '{ops}');
SELECT zcsync.add_alert_rule('late', 'errors', 1, lasts => '5 minutes', targets => '{ops}');
SELECT zcsync.add_alert_rule('whole', 'installation', 2, targets => '{ops}');
SELECT zcsync.add_alert_rule('pauses', 'paused', 1, targets => '{ops}');
SELECT fail('acme', 2), zcsync.pause_queue('task-sync');
CALL zcsync.evaluate_alerts();
SELECT * FROM told;
SELECT pg_get_functiondef('zcsync._account_readings()'::regprocedure) AS readings \gset
CREATE OR REPLACE FUNCTION zcsync._account_readings() RETURNS SETOF zcsync.alert_reading LANGUAGE plpgsql AS 'BEGIN RAISE lock_not_available; END';
SET zcsync.clock_offset = 60;
CALL zcsync.evaluate_alerts();
SELECT target, event, rule, object FROM told;
SELECT rule, object, opened_at IS NOT NULL AS opened, resolved_at IS NOT NULL AS ended FROM zcsync.alert_incidents ORDER BY incident_id;
-- what had not lasted long enough is forgotten, what is open stays, and what is over otherwise ends
SELECT zcsync.remove_alert_rule('failures');
SET zcsync.clock_offset = 360;
CALL zcsync.evaluate_alerts();
SELECT target, event, rule, object FROM told OFFSET 3;
:readings;
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 420;
CALL zcsync.evaluate_alerts();
SELECT target, event, rule, object FROM told OFFSET 4;
-- likewise where what keeps the installation from being in step cannot be read
SELECT pg_get_functiondef('zcsync._paused()'::regprocedure) AS paused \gset
CREATE OR REPLACE FUNCTION zcsync._paused() RETURNS SETOF zcsync.trouble LANGUAGE plpgsql AS 'BEGIN RAISE lock_not_available; END';
SET zcsync.clock_offset = 480;
CALL zcsync.evaluate_alerts();
SELECT target, event, rule, object FROM told OFFSET 4;
:paused;
SELECT zcsync.resume_queue('task-sync');
SET zcsync.clock_offset = 540;
CALL zcsync.evaluate_alerts();
SELECT target, event, rule, object FROM told OFFSET 4;

-- ------------------------------------------------------------ less is worse, with one threshold
CALL anew(0);
SELECT zcsync.add_alert_rule('ends soon', 'credentials end', 14), zcsync.add_alert_rule('ends now', 'credentials end', critical => 3), zcsync.add_alert_rule('lags', 'lag', critical => 5);
SELECT zcsync.set_credentials_end('acme', zcsync._now() + interval '2 days 1 hour'), zcsync.set_credentials_end('acme2', zcsync._now() + interval '10 days 1 hour'), zcsync.set_credentials_end('dev', zcsync._now() + interval '40 days 1 hour');
SELECT f.rule, f.object, f.severity, f.value FROM zcsync._alert_findings(zcsync._all_alert_readings()) AS f WHERE f.rule LIKE 'ends%' ORDER BY 1, 2;
SELECT f.value, f.severity FROM unnest('{4,5,6}'::int[]) AS v, zcsync._alert_findings(ARRAY[ROW('lag', 'acme', '{acme}', v, '', '')::zcsync.alert_reading]) AS f ORDER BY 1;
SELECT zcsync.add_alert_rule('x', 'credentials end', 3, 14);
SELECT zcsync.alter_alert_rule('lags', '{"warning": 6}');
SELECT zcsync.set_credentials_end(a, NULL) FROM unnest('{acme,acme2,dev}'::text[]) AS a;

-- ------------------------------------------------------------ what an incident is now
CALL anew(0);
SELECT zcsync.add_alert_rule('failures', 'errors', 1, targets => '{ops}');
SELECT fail('acme', 2);
CREATE FUNCTION note(p_value numeric) RETURNS TABLE (value numeric, written boolean) LANGUAGE plpgsql AS $$
DECLARE
	v_was text := (SELECT i.ctid FROM zcsync.alert_incidents AS i);
BEGIN
	PERFORM zcsync._note_findings(ARRAY[ROW('errors', 'acme', '{acme}', p_value, 'some', '')::zcsync.alert_reading]);
	RETURN QUERY SELECT i.value, i.ctid::text IS DISTINCT FROM v_was FROM zcsync.alert_incidents AS i;
END
$$;
SELECT n.* FROM unnest('{2,3,3}'::int[]) WITH ORDINALITY AS v (value, n), note(v.value) AS n ORDER BY v.n;

-- ------------------------------------------------------------ what is removed has no alerts
CALL anew(0);
SELECT zcsync.add_alert_rule('alerts', 'alert', 1, targets => '{ops}');
INSERT INTO zcsync.routes (name, source_stream_id, target_stream_id, defined_by)
SELECT 'bugs', s.stream_id, t.stream_id, current_user FROM zcsync.streams AS s, zcsync.streams AS t
WHERE s.account_id = zcsync.account('acme2') AND s.kind = 'tickets' AND t.account_id = zcsync.account('dev');
SELECT zcsync._alert(c, o, 'warning', 'trouble', NULL) FROM (VALUES
	('scope_lacking', 'acme'), ('other_installation', 'acme'), ('records_missing', 'acme/tickets'), ('comment_not_stored', 'acme/tickets/7'), ('cursor_refused', 'acme/contacts'), ('cursor_refused', 'acme/contact'),
	('scope_lacking', 'acme2'), ('records_missing', 'acme2/tickets'), ('scope_lacking', 'a_me'), ('records_missing', 'a_me/tasks'),
	('route_fault', 'bugs'), ('write_refused', 'bugs'), ('route_fault', 'acme'), ('partitions', 'acme')) AS v (c, o);
CALL zcsync.evaluate_alerts();
SELECT zcsync.remove_stream('acme/contacts');
SET zcsync.clock_offset = 60;
CALL zcsync.evaluate_alerts();
SELECT object FROM told WHERE event = 'all clear';
SELECT zcsync.remove_account('acme', force => true);
SELECT zcsync.remove_account('a_me', force => true);
SET zcsync.clock_offset = 120;
CALL zcsync.evaluate_alerts();
SELECT object FROM told WHERE event = 'all clear' ORDER BY 1;
SELECT zcsync.remove_route('bugs');
SET zcsync.clock_offset = 180;
CALL zcsync.evaluate_alerts();
SELECT object FROM told WHERE event = 'all clear' AND object LIKE '%bugs' ORDER BY 1;
SELECT code, object FROM zcsync.alerts WHERE resolved_at IS NULL ORDER BY 1, 2;

-- ------------------------------------------------------------ another installation writes, and no create waits yet
CALL anew(0);
SELECT zcsync.add_alert_rule('alerts', 'alert', 1, 2, targets => '{ops}');
SELECT zcsync._alert('other_installation', 'dev', 'critical', 'another one', NULL);
CALL zcsync.evaluate_alerts();
SELECT * FROM told;

-- ------------------------------------------------------------ escalation
CALL anew(0);
UPDATE zcsync.alert_targets SET severity = 'critical' WHERE name = 'boss';
SELECT zcsync.add_alert_rule('failures', 'errors', 1, 10, targets => '{ops}', escalate_after => '1 hour', escalate_to => '{boss}');
SELECT fail('dev', 1), zcsync.pause_alert_target('boss');
CALL zcsync.evaluate_alerts();
SET zcsync.clock_offset = 3600;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
SELECT escalated_at IS NOT NULL AS escalated FROM zcsync.alert_incidents;
-- it is told as soon as it can be, whatever its severity, what becomes of it as well
SELECT zcsync.resume_alert_target('boss');
SET zcsync.clock_offset = 3660;
CALL zcsync.evaluate_alerts();
SELECT fail('dev', 10);
SET zcsync.clock_offset = 3720;
CALL zcsync.evaluate_alerts();
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 3780;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
UPDATE zcsync.alert_targets SET severity = 'warning';

-- ------------------------------------------------------------ the clock is set back
CALL anew(7200);
SELECT zcsync.add_alert_rule('failures', 'errors', 1, lasts => '5 minutes', targets => '{ops}', escalate_after => '30 minutes', escalate_to => '{boss}');
SELECT zcsync.add_alert_target('hook', 'slack', secrets => '{"url": "https://hooks.slack.com/services/x"}') > 0 AS added;
SELECT zcsync.alter_alert_rule('failures', '{"targets": ["ops", "hook"]}');
SELECT fail('dev', 1);
SELECT zcsync._decide_alerts('0');
SET zcsync.clock_offset = 120;
SELECT zcsync._decide_alerts('1 minute') AS decided;
SET zcsync.clock_offset = 420;
SELECT zcsync._decide_alerts('1 minute') AS decided;
SELECT target, event FROM told;
SELECT count(*) AS taken FROM zcsync._take_deliveries(10);
SET zcsync.clock_offset = 0;
SELECT zcsync._decide_alerts('1 minute') AS decided;
SET zcsync.clock_offset = 90;
SELECT count(*) AS taken FROM zcsync._take_deliveries(10);
SET zcsync.clock_offset = 1800;
SELECT zcsync._decide_alerts('1 minute') AS decided;
SELECT target, event FROM told WHERE event = 'escalation';

-- ------------------------------------------------------------ all-clears that are owed
-- an answer was lost: the target may know of the incident
CALL anew(0);
SELECT zcsync.add_alert_rule('failures', 'errors', 1, targets => '{hook,ops}');
SELECT fail('dev', 1);
SELECT zcsync._decide_alerts('0');
SELECT zcsync._record_delivery(delivery_id, 'there was no answer in time') FROM zcsync._take_deliveries(10);
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 30;
SELECT zcsync._decide_alerts('0');
SELECT target, event, state FROM told;
-- the all-clear is given up, and then the target can be reached again
SET zcsync.clock_offset = 40000;
SELECT zcsync._record_delivery(delivery_id, NULL) FROM zcsync._take_deliveries(10);
UPDATE zcsync.alert_deliveries SET state = 'failed', attempts = 5, last_error = 'HTTP status 503' WHERE event = 'all clear' AND target_id = (SELECT target_id FROM zcsync.alert_targets WHERE name = 'hook');
SELECT zcsync._try_deliveries_again(target_id) FROM zcsync.alert_targets WHERE name = 'hook';
SELECT target, event, state FROM told WHERE target = 'hook';
-- a target that is paused meanwhile
CALL anew(0);
SELECT zcsync.add_alert_rule('failures', 'errors', 1, targets => '{ops,boss}');
SELECT fail('dev', 1);
CALL zcsync.evaluate_alerts();
SELECT zcsync.pause_alert_target('boss');
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 60;
CALL zcsync.evaluate_alerts();
SELECT target, event, state FROM told;
SELECT zcsync.resume_alert_target('boss');
SET zcsync.clock_offset = 120;
CALL zcsync.evaluate_alerts();
SELECT target, event, state FROM told WHERE event = 'all clear';

-- ------------------------------------------------------------ critical ones first; silence hours hold for all
CALL anew(0);
SELECT zcsync.add_alert_rule('failures', 'errors', 1, 10, targets => '{hook,ops}');
SELECT fail('dev', 1);
SELECT zcsync._decide_alerts('0');
SELECT fail('acme2', 10);
SET zcsync.clock_offset = 60;
SELECT zcsync._decide_alerts('0');
SELECT (body::jsonb ->> 'text') ~ 'acme2' AS critical FROM zcsync._take_deliveries(1);
-- silent from now on: what is to be tried again waits, and so does the all-clear
UPDATE zcsync.alert_deliveries SET state = 'waiting', last_error = 'no answer' WHERE state = 'sending';
UPDATE zcsync.alert_rules SET silence_from = (zcsync._now() AT TIME ZONE 'UTC')::time, silence_to = ((zcsync._now() AT TIME ZONE 'UTC') + interval '1 hour')::time;
SET zcsync.clock_offset = 600;
SELECT count(*) AS taken FROM zcsync._take_deliveries(10);
SELECT fail('dev', 9);
DELETE FROM zcsync.dead_letters WHERE account_id = zcsync.account('acme2');
CALL zcsync.evaluate_alerts();
SELECT object, event, state FROM told WHERE target = 'ops';
SELECT object, severity, resolved_at IS NOT NULL AS ended FROM zcsync.alert_incidents ORDER BY 1;
SET zcsync.clock_offset = 3720;
SELECT zcsync._decide_alerts('0');
SELECT object, event, state FROM told WHERE target = 'ops';
SELECT count(*) AS taken FROM zcsync._take_deliveries(10);

-- ------------------------------------------------------------ targets and rules that are altered while something is open
CALL anew(0);
SELECT zcsync.remove_alert_target('hook');
SELECT zcsync.add_alert_target('page', 'notify', '{"channel": "page"}') > 0 AS added;
SELECT zcsync.add_alert_rule('failures', 'errors', 1, 10, lasts => '1 hour');
SELECT fail('dev', 1);
CALL zcsync.evaluate_alerts();
SELECT zcsync.alter_alert_rule('failures', '{"lasts": "5 minutes"}');
SET zcsync.clock_offset = 300;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
-- one target is gone; the rule names another one from now on
SELECT zcsync.remove_alert_target('page');
SELECT zcsync.alter_alert_rule('failures', '{"targets": ["boss"], "lasts": "2 hours"}');
SET zcsync.clock_offset = 360;
CALL zcsync.evaluate_alerts();
SELECT fail('dev', 10);
SET zcsync.clock_offset = 420;
CALL zcsync.evaluate_alerts();
DELETE FROM zcsync.dead_letters;
SET zcsync.clock_offset = 480;
CALL zcsync.evaluate_alerts();
SELECT target, event FROM told;
RESET zcsync.clock_offset;

DROP VIEW told;
DROP FUNCTION fail, note;
DROP PROCEDURE anew;
DROP EXTENSION zcsync CASCADE;
