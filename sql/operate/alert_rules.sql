-- ---------------------------------------------------------------------
-- Alert rules: what is worth telling somebody.
--
-- A measure is a number that zcsync reads once a minute, of an account or of the
-- whole installation (alert_readings.sql).  A rule says from which value on that is a
-- warning, or critical, after how long it is reported, to whom and at which hours.
-- ---------------------------------------------------------------------

-- All measures, with the thresholds of the rules that setup() makes for them; without a
-- threshold it makes no rule.  Those for response time, errors, CPU and memory are
-- usual ones.
CREATE FUNCTION zcsync.alert_measures()
RETURNS TABLE (measure text, about text, unit text, meaning text, warning numeric, critical numeric, lasts interval,
	less_is_worse boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('installation', 'installation', '1 or 2', 'what zcsync.status shows of the whole installation: 2 stops data, 1 does not', 1::numeric, 2::numeric, interval '1 minute', false),
		('alert', 'both', '1 or 2', 'an open row of zcsync.alerts: 2 is critical, 1 a warning', 1, 2, '0', false),
		('unread', 'account', 'minutes', 'for how long edits of a stream have waited for a read', 15, 60, '0', false),
		('paused', 'both', '1', 'a queue, stream or route is paused', NULL, NULL, '0', false),
		('blocked', 'account', '1', 'the account is blocked until somebody does something', NULL, 1, '0', false),
		('down', 'account', 'minutes', 'the vendor is out of order', 5, NULL, '0', false),
		('held', 'account', 'jobs', 'writes that wait for zcsync.release_held() or zcsync.cancel_held()', 1, NULL, '1 minute', false),
		('errors', 'account', 'records', 'what waits for a person in zcsync.errors', 1, 100, '5 minutes', false),
		('growing errors', 'account', 'jobs an hour', 'jobs that became dead letters in the last hour', 20, 200, '5 minutes', false),
		('lag', 'account', 'minutes', 'for how long the oldest thing that is due has waited', 5, 30, '5 minutes', false),
		('silence', 'account', 'minutes', 'for how long the vendor has answered no call, or no read of a stream, beyond the time between two reads; "nothing new" is an answer, too', 15, 60, '5 minutes', false),
		('backlog', 'account', 'minutes', 'how long the fresh jobs that wait will take at the rate of the last 5 minutes', 60, 360, '10 minutes', false),
		('response time', 'account', 'seconds', 'of calls in the last 5 minutes: 95 of 100 were faster', 1, 5, '5 minutes', false),
		('error rate', 'account', 'percent', 'jobs of the last 5 minutes that failed for good, where 20 or more ended', 1, 5, '5 minutes', false),
		('credentials end', 'account', 'days', 'until the credentials end, where zcsync.set_credentials_end() said when', 14, 3, '0', true),
		('cpu', 'installation', 'percent', 'processes of this machine that run or wait to, of its processors', 70, 90, '15 minutes', false),
		('memory', 'installation', 'percent', 'memory of this machine in use', 80, 95, '15 minutes', false),
		('disk', 'installation', 'percent', 'of the fullest file system of the data directory, its WAL and the tablespaces', 85, 95, '5 minutes', false),
		('io', 'installation', 'percent', 'of the last 5 minutes in which a process of this machine waited for a disk', 80, 95, '15 minutes', false),
		('table size', 'installation', 'GB', 'all tables of zcsync with their indexes', NULL, NULL, '0', false);
END;
COMMENT ON FUNCTION zcsync.alert_measures() IS
'what an alert rule can watch, in which unit, and the thresholds of the rules that setup() makes; without a threshold it makes no rule';

-- Rules that a person removed do not come back: once there are rules, none is added.
CREATE FUNCTION zcsync._default_alert_rules() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.alert_rules (name, measure, warning, critical, lasts)
	SELECT m.measure, m.measure, m.warning, m.critical, m.lasts
	FROM zcsync.alert_measures() AS m
	WHERE (m.warning IS NOT NULL OR m.critical IS NOT NULL) AND NOT EXISTS (SELECT FROM zcsync.alert_rules)
$$;
COMMENT ON FUNCTION zcsync._default_alert_rules() IS
'makes the alert rules of a new installation; called by setup()';

-- ---------------------------------------------------------------------
-- Verbs
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._reaches(p_value numeric, p_threshold numeric, p_less_is_worse boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_less_is_worse THEN p_value <= p_threshold ELSE p_value >= p_threshold END;
END;
COMMENT ON FUNCTION zcsync._reaches(numeric, numeric, boolean) IS
'does a value reach a threshold?';

-- Raise an error unless the values of a rule make sense together.
CREATE FUNCTION zcsync._check_alert_rule(p_name text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_rule zcsync.alert_rules;
	v_less_is_worse boolean;
	v_missing text;
BEGIN
	SELECT r.* INTO v_rule FROM zcsync.alert_rules AS r WHERE r.name = p_name;
	SELECT m.less_is_worse INTO v_less_is_worse FROM zcsync.alert_measures() AS m WHERE m.measure = v_rule.measure;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no measure %s', coalesce(quote_literal(v_rule.measure), 'NULL')),
			HINT = 'SELECT measure, unit, meaning FROM zcsync.alert_measures(); lists them.';
	ELSIF NOT zcsync._reaches(v_rule.critical, v_rule.warning, v_less_is_worse) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the warning of a rule for %L must come before its critical value', v_rule.measure),
			DETAIL = format('Of this measure, %s is worse.', CASE WHEN v_less_is_worse THEN 'less' ELSE 'more' END);
	END IF;
	SELECT x.name INTO v_missing FROM unnest(v_rule.targets || v_rule.escalate_to) AS x (name)
	WHERE NOT EXISTS (SELECT FROM zcsync.alert_targets AS t WHERE t.name = x.name);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no alert target %s', coalesce(quote_literal(v_missing), 'NULL')),
			HINT = 'Make it with zcsync.add_alert_target().';
	END IF;
	SELECT x.name INTO v_missing FROM unnest(v_rule.accounts) AS x (name)
	WHERE NOT EXISTS (SELECT FROM zcsync.accounts AS a WHERE a.name = x.name);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('account %s does not exist', coalesce(quote_literal(v_missing), 'NULL'));
	END IF;
	IF NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE z.name = v_rule.time_zone) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('there is no time zone %s', coalesce(quote_literal(v_rule.time_zone), 'NULL')),
			HINT = 'SELECT name FROM pg_timezone_names; lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_alert_rule(text) IS
'raises an error unless measure, targets, accounts and time zone of an alert rule exist, and its warning comes before it is critical';

CREATE FUNCTION zcsync.add_alert_rule(name text, measure text, warning numeric DEFAULT NULL, critical numeric DEFAULT NULL,
	lasts interval DEFAULT '0', cool_down interval DEFAULT '15 minutes', accounts text[] DEFAULT NULL, targets text[] DEFAULT NULL,
	silence_from time DEFAULT NULL, silence_to time DEFAULT NULL, time_zone text DEFAULT 'UTC',
	escalate_after interval DEFAULT NULL, escalate_to text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM zcsync._refuse_standby();
	INSERT INTO zcsync.alert_rules (name, measure, warning, critical, lasts, cool_down, accounts, targets,
		silence_from, silence_to, time_zone, escalate_after, escalate_to)
	VALUES (name, measure, warning, critical, lasts, cool_down, accounts, targets,
		silence_from, silence_to, time_zone, escalate_after, escalate_to);
	PERFORM zcsync._check_alert_rule(name);
END
$$;
COMMENT ON FUNCTION zcsync.add_alert_rule(text, text, numeric, numeric, interval, interval, text[], text[], time, time, text, interval, text[]) IS
'adds an alert rule: from which value of a measure on, for how long and for which accounts; which targets are told, in which hours it is silent, and which targets are told if nobody acknowledges the incident';

CREATE FUNCTION zcsync._lock_alert_rule(p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM FROM zcsync.alert_rules AS r WHERE r.name = p_name FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no alert rule %s', coalesce(quote_literal(p_name), 'NULL')),
			HINT = 'SELECT name FROM zcsync.alert_rules; lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._lock_alert_rule(text) IS
'locks an alert rule, or raises an error if there is none of this name';

-- The members of changes are columns of zcsync.alert_rules; null empties one.
CREATE FUNCTION zcsync.alter_alert_rule(name text, changes jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_known text[] := '{measure,warning,critical,lasts,cool_down,accounts,targets,silence_from,silence_to,time_zone,escalate_after,escalate_to}';
	v_other text;
	v_rule zcsync.alert_rules;
BEGIN
	PERFORM zcsync._lock_alert_rule(alter_alert_rule.name);
	SELECT k INTO v_other FROM jsonb_object_keys(changes) AS k WHERE k <> ALL (v_known);
	IF FOUND OR jsonb_typeof(changes) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('an alert rule has no %s', coalesce(quote_literal(v_other), 'such change')),
			HINT = format('Changes are a JSON object of: %s.', array_to_string(v_known, ', '));
	END IF;
	SELECT (jsonb_populate_record(r, changes)).* INTO v_rule FROM zcsync.alert_rules AS r WHERE r.name = alter_alert_rule.name;
	UPDATE zcsync.alert_rules AS r
	SET measure = v_rule.measure, warning = v_rule.warning, critical = v_rule.critical, lasts = v_rule.lasts, cool_down = v_rule.cool_down,
		accounts = v_rule.accounts, targets = v_rule.targets, silence_from = v_rule.silence_from, silence_to = v_rule.silence_to,
		time_zone = v_rule.time_zone, escalate_after = v_rule.escalate_after, escalate_to = v_rule.escalate_to
	WHERE r.name = alter_alert_rule.name;
	PERFORM zcsync._check_alert_rule(alter_alert_rule.name);
END
$$;
COMMENT ON FUNCTION zcsync.alter_alert_rule(text, jsonb) IS
'changes an alert rule: changes is a JSON object with columns of zcsync.alert_rules, as {"warning": 10, "accounts": ["acme"], "silence_from": "22:00", "silence_to": "07:00"}';

CREATE FUNCTION zcsync.remove_alert_rule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._lock_alert_rule(remove_alert_rule.name);
	DELETE FROM zcsync.alert_rules AS r WHERE r.name = remove_alert_rule.name;
END
$$;
COMMENT ON FUNCTION zcsync.remove_alert_rule(text) IS
'removes an alert rule; its open incidents end with the next evaluation';

CREATE FUNCTION zcsync.pause_alert_rule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._lock_alert_rule(pause_alert_rule.name);
	UPDATE zcsync.alert_rules AS r SET state = 'paused' WHERE r.name = pause_alert_rule.name;
END
$$;
COMMENT ON FUNCTION zcsync.pause_alert_rule(text) IS
'stops an alert rule until zcsync.resume_alert_rule(); its open incidents end with the next evaluation';

CREATE FUNCTION zcsync.resume_alert_rule(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._lock_alert_rule(resume_alert_rule.name);
	UPDATE zcsync.alert_rules AS r SET state = 'active' WHERE r.name = resume_alert_rule.name;
END
$$;
COMMENT ON FUNCTION zcsync.resume_alert_rule(text) IS
'lets a paused alert rule find incidents again';

-- Vendors do not say when a secret ends; the person who made it there knows.
CREATE FUNCTION zcsync.set_credentials_end(name text, ends_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_account(name);
BEGIN
	UPDATE zcsync.accounts AS a SET credentials_end_at = ends_at WHERE a.account_id = v_id;
END
$$;
COMMENT ON FUNCTION zcsync.set_credentials_end(text, timestamptz) IS
'says when the credentials of an account end, so that an alert comes before; NULL: not known; set_credentials() forgets it';

CREATE FUNCTION zcsync._alert_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (30, 'zcsync._default_alert_rules()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._alert_setup_steps() IS
'what setup() does for alerts';
