-- ---------------------------------------------------------------------
-- Incidents: what alert rules find.  One row holds an incident from its beginning to
-- its end.  Targets get a message when it has lasted as long as its rule says, another
-- if it becomes critical, and an all-clear when it is over.  If nobody acknowledges it,
-- other targets get one message, too.
-- ---------------------------------------------------------------------

-- What the active rules find in readings. severity NULL: nothing is wrong; severity and
-- value NULL: that is not known.  Where not all measures are known, an incident that is
-- open stays as it is if no reading is of its measure, and any of the installation.
CREATE FUNCTION zcsync._alert_findings(p_readings zcsync.alert_reading[])
RETURNS TABLE (rule text, object text, accounts text[], severity text, value numeric, says text, to_do text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH found AS MATERIALIZED (
		SELECT DISTINCT ON (r.name, x.object) r.name AS rule, x.object, x.accounts,
			CASE WHEN zcsync._reaches(x.value, r.critical, m.less_is_worse) THEN 'critical'
				WHEN zcsync._reaches(x.value, r.warning, m.less_is_worse) THEN 'warning' END AS severity,
			x.value, x.says, x.to_do
		FROM zcsync.alert_rules AS r
		JOIN zcsync.alert_measures() AS m ON m.measure = r.measure
		JOIN unnest(p_readings) AS x ON x.measure = r.measure
		WHERE r.state = 'active' AND (r.accounts IS NULL OR x.accounts && r.accounts)
		ORDER BY r.name, x.object, CASE WHEN m.less_is_worse THEN - x.value ELSE x.value END DESC NULLS FIRST
	)
	SELECT f.* FROM found AS f
	UNION ALL
	SELECT i.rule, i.object, i.accounts, NULL, NULL, i.summary, i.to_do
	FROM zcsync.alert_incidents AS i JOIN zcsync.alert_rules AS r ON r.name = i.rule AND r.state = 'active'
	WHERE i.resolved_at IS NULL AND NOT EXISTS (SELECT FROM found AS f WHERE f.rule = i.rule AND f.object = i.object)
		AND EXISTS (SELECT FROM unnest(p_readings) AS x
			WHERE x.measure IS NULL AND (r.measure = 'installation' OR x.object = 'work' AND NOT EXISTS (
				SELECT FROM unnest(p_readings) AS y WHERE y.measure = r.measure)))
$$;
COMMENT ON FUNCTION zcsync._alert_findings(zcsync.alert_reading[]) IS
'what the active alert rules find in readings';

-- Write what was found: incidents that begin, go on or end.  One that ends before it
-- has lasted long enough is deleted.
CREATE FUNCTION zcsync._note_findings(p_readings zcsync.alert_reading[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
BEGIN
	INSERT INTO zcsync.alert_incidents AS i (rule, object, accounts, severity, value, summary, to_do, began_at)
	SELECT f.rule, f.object, f.accounts, f.severity, f.value, f.says, f.to_do, v_now
	FROM zcsync._alert_findings(p_readings) AS f
	WHERE f.severity IS NOT NULL
	ON CONFLICT (rule, object) WHERE resolved_at IS NULL DO UPDATE
		SET severity = excluded.severity, value = excluded.value, summary = excluded.summary, to_do = excluded.to_do
		WHERE (i.severity, i.value, i.summary, i.to_do) IS DISTINCT FROM (excluded.severity, excluded.value, excluded.summary, excluded.to_do);

	UPDATE zcsync.alert_incidents AS i SET resolved_at = v_now
	WHERE i.resolved_at IS NULL AND NOT EXISTS (
		SELECT FROM zcsync._alert_findings(p_readings) AS f
		WHERE f.rule = i.rule AND f.object = i.object AND (f.severity IS NOT NULL OR f.value IS NULL));
	-- delete those that ended, or are not known any more, before they had lasted long
	-- enough
	DELETE FROM zcsync.alert_incidents AS i
	WHERE i.opened_at IS NULL AND (i.resolved_at = v_now OR i.resolved_at IS NULL AND NOT EXISTS (
		SELECT FROM zcsync._alert_findings(p_readings) AS f
		WHERE f.rule = i.rule AND f.object = i.object AND f.severity IS NOT NULL));

	UPDATE zcsync.alert_incidents AS i SET opened_at = v_now
	FROM zcsync.alert_rules AS r
	WHERE r.name = i.rule AND i.resolved_at IS NULL AND i.opened_at IS NULL AND i.began_at <= v_now - r.lasts;
END
$$;
COMMENT ON FUNCTION zcsync._note_findings(zcsync.alert_reading[]) IS
'opens, continues and ends the incidents of alert rules by these readings';

-- Is it between silence_from and silence_to? Midnight may lie between the two.
CREATE FUNCTION zcsync._is_silent(p_from time, p_to time, p_zone text, p_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(CASE WHEN p_from <= p_to THEN t.now >= p_from AND t.now < p_to ELSE t.now >= p_from OR t.now < p_to END, false)
	FROM (SELECT (p_at AT TIME ZONE p_zone)::time) AS t (now);
END;
COMMENT ON FUNCTION zcsync._is_silent(time, time, text, timestamptz) IS
'are these the silence hours of an alert rule?';

-- Queue a message to each target that an incident concerns.  No ticket is made in an
-- account that has the trouble, and no message tells a target that it cannot be reached
-- itself.  An escalation goes to its targets whatever their severity, since nobody
-- acts.  Returns how many messages were queued.
CREATE FUNCTION zcsync._tell(p_incident bigint, p_event text, p_targets text[]) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH queued AS (
		INSERT INTO zcsync.alert_deliveries (incident_id, target_id, event, next_at, created_at)
		SELECT i.incident_id, t.target_id,
			CASE WHEN p_event = 'worse' AND NOT EXISTS (SELECT FROM zcsync.alert_deliveries AS d
				WHERE d.incident_id = i.incident_id AND d.target_id = t.target_id) THEN 'alert' ELSE p_event END,
			zcsync._now(), zcsync._now()
		FROM zcsync.alert_incidents AS i
		CROSS JOIN zcsync.alert_targets AS t
		WHERE i.incident_id = p_incident AND t.state = 'active' AND (p_targets IS NULL OR t.name = ANY (p_targets))
			AND (t.severity = 'warning' OR i.severity = 'critical' OR p_event = 'escalation')
			AND (t.kind = 'ticket' AND t.settings ->> 'account' = ANY (i.accounts)) IS NOT TRUE
			AND i.object <> format('target %s no alerts', t.name)
		ORDER BY t.target_id
		RETURNING delivery_id)
	SELECT count(*) FROM queued
$$;
COMMENT ON FUNCTION zcsync._tell(bigint, text, text[]) IS
'queues messages about an incident for these alert targets, or for all; returns how many';

-- The all-clear goes to each target that may have got the alert: if it was tried, only
-- the answer may have been lost.  A paused target gets it later.  Messages that wait are
-- cancelled.
CREATE FUNCTION zcsync._tell_end(p_incident bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.alert_deliveries (incident_id, target_id, event, next_at, created_at)
	SELECT DISTINCT d.incident_id, d.target_id, 'all clear', zcsync._now(), zcsync._now()
	FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_targets AS t USING (target_id)
	WHERE d.incident_id = p_incident AND (d.state = 'sent' OR d.attempts > 0 AND t.kind NOT IN ('notify', 'ticket'));
	UPDATE zcsync.alert_deliveries AS d SET state = 'cancelled'
	WHERE d.incident_id = p_incident AND d.state = 'waiting' AND d.event <> 'all clear';
	UPDATE zcsync.alert_incidents AS i SET all_clear_at = zcsync._now() WHERE i.incident_id = p_incident;
$$;
COMMENT ON FUNCTION zcsync._tell_end(bigint) IS
'queues the all-clear of an incident for the alert targets that know of it';

-- The rule that tells of the same cause first.  Jobs that fail are told of by the rule for
-- errors, which ends when somebody has settled them; a vendor that does not answer makes
-- its account late.  Another message follows only if it is worse than what the same
-- targets were told.
CREATE FUNCTION zcsync._is_told_as_cause(p_measure text, p_object text, p_severity text, p_targets text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM zcsync.alert_incidents AS e JOIN zcsync.alert_rules AS r ON r.name = e.rule
		WHERE r.measure = CASE WHEN p_measure IN ('growing errors', 'error rate') THEN 'errors' WHEN p_measure = 'silence' THEN 'lag' END
			AND e.object = p_object AND e.resolved_at IS NULL AND (e.told = 'critical' OR e.told = p_severity)
			AND r.targets IS NOT DISTINCT FROM p_targets)
$$;
COMMENT ON FUNCTION zcsync._is_told_as_cause(text, text, text, text[]) IS
'was the cause told already, by a rule for errors that jobs of this account fail, or by a rule for lag that it is late?';

CREATE FUNCTION zcsync._is_rule_silent(p_rule text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.alert_rules AS r
		WHERE r.name = p_rule AND zcsync._is_silent(r.silence_from, r.silence_to, r.time_zone, zcsync._now()))
$$;
COMMENT ON FUNCTION zcsync._is_rule_silent(text) IS
'are these the silence hours of this alert rule?';

-- Queue the messages that are due now.  In its silence hours a rule sends nothing;
-- incidents that are still open afterwards are reported then.  One that begins again
-- soon after it ended is reported when the cool-down is over.
CREATE FUNCTION zcsync._tell_incidents() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_incident zcsync.alert_incidents;
	v_rule zcsync.alert_rules;
BEGIN
	FOR v_incident IN
		SELECT i.* FROM zcsync.alert_incidents AS i LEFT JOIN zcsync.alert_rules AS r ON r.name = i.rule
		WHERE i.opened_at IS NOT NULL AND (i.resolved_at IS NULL OR i.told IS NOT NULL AND i.all_clear_at IS NULL)
		ORDER BY i.severity, r.measure IN ('errors', 'lag') IS NOT TRUE, i.incident_id
	LOOP
		SELECT r.* INTO v_rule FROM zcsync.alert_rules AS r WHERE r.name = v_incident.rule;
		CONTINUE WHEN zcsync._is_rule_silent(v_incident.rule);
		IF v_incident.resolved_at IS NOT NULL THEN
			PERFORM zcsync._tell_end(v_incident.incident_id);
		ELSIF v_incident.told IS NULL AND NOT zcsync._is_cooling_down(v_incident.rule, v_incident.object, v_rule.cool_down)
			AND NOT zcsync._is_told_as_cause(v_rule.measure, v_incident.object, v_incident.severity, v_rule.targets)
			OR v_incident.told = 'warning' AND v_incident.severity = 'critical' THEN
			PERFORM zcsync._tell(v_incident.incident_id, CASE WHEN v_incident.told IS NULL THEN 'alert' ELSE 'worse' END,
				CASE WHEN v_incident.escalated_at IS NULL OR v_rule.targets IS NULL THEN v_rule.targets ELSE v_rule.targets || v_rule.escalate_to END);
			UPDATE zcsync.alert_incidents AS i SET told = i.severity, told_at = coalesce(i.told_at, v_now)
			WHERE i.incident_id = v_incident.incident_id;
		ELSIF v_incident.told_at <= v_now - v_rule.escalate_after AND v_incident.escalated_at IS NULL AND v_incident.acknowledged_at IS NULL THEN
			IF zcsync._tell(v_incident.incident_id, 'escalation', v_rule.escalate_to) > 0 THEN
				UPDATE zcsync.alert_incidents AS i SET escalated_at = v_now WHERE i.incident_id = v_incident.incident_id;
			END IF;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._tell_incidents() IS
'queues the messages that are due: alerts, escalations and all-clears';

CREATE FUNCTION zcsync._is_cooling_down(p_rule text, p_object text, p_cool_down interval) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.alert_incidents AS b
		WHERE b.rule = p_rule AND b.object = p_object AND b.told IS NOT NULL AND b.resolved_at > zcsync._now() - p_cool_down)
$$;
COMMENT ON FUNCTION zcsync._is_cooling_down(text, text, interval) IS
'did the same incident end so lately that it is not reported again yet?';

-- ---------------------------------------------------------------------
-- The evaluation
-- ---------------------------------------------------------------------

-- When the clock of the server was set back, the times of incidents and messages would lie
-- in the future, so that nothing is told until then.
CREATE FUNCTION zcsync._move_alerts(p_step interval) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.alert_incidents AS i
	SET began_at = i.began_at - p_step, opened_at = i.opened_at - p_step, told_at = i.told_at - p_step, escalated_at = i.escalated_at - p_step,
		acknowledged_at = i.acknowledged_at - p_step, resolved_at = i.resolved_at - p_step, all_clear_at = i.all_clear_at - p_step
	WHERE i.resolved_at IS NULL OR i.resolved_at > zcsync._now();
	UPDATE zcsync.alert_deliveries AS d SET next_at = d.next_at - p_step
	WHERE d.state IN ('waiting', 'sending') AND d.next_at > zcsync._now();
$$;
COMMENT ON FUNCTION zcsync._move_alerts(interval) IS
'moves the times of incidents and of their messages when the clock was set back';

-- Evaluate the rules: find incidents, queue messages, and deliver those that need no
-- network.  Only one process does this at a time, and only if there is an active alert
-- target.  p_silent_for: only if no process has done so for that long.
CREATE FUNCTION zcsync._decide_alerts(p_silent_for interval) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_at timestamptz;
BEGIN
	IF to_regclass('zcsync.alert_targets') IS NULL OR NOT EXISTS (SELECT FROM zcsync.alert_targets AS t WHERE t.state = 'active')
		OR zcsync._copied() IS NOT NULL
		OR NOT pg_try_advisory_xact_lock('zcsync.alert_rules'::regclass::oid::integer, 86) THEN
		RETURN false;
	END IF;
	SELECT i.alerts_at INTO v_at FROM zcsync.installation AS i;
	IF v_at > v_now + interval '10 seconds' THEN	-- less may be that another transaction began later
		PERFORM zcsync._move_alerts(v_at - v_now);
	ELSIF v_at > v_now - p_silent_for AND v_at <= v_now THEN
		RETURN false;
	END IF;
	UPDATE zcsync.installation SET alerts_at = v_now;
	PERFORM zcsync._note_findings(zcsync._all_alert_readings());
	PERFORM zcsync._tell_incidents();
	PERFORM zcsync._deliver_here();
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._decide_alerts(interval) IS
'reads all measures, opens and ends incidents and queues their messages; false: another process did so, or there is no active alert target';

CREATE FUNCTION zcsync.acknowledge_alert(incident_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	UPDATE zcsync.alert_incidents AS i SET acknowledged_at = coalesce(i.acknowledged_at, zcsync._now()), acknowledged_by = coalesce(i.acknowledged_by, session_user)
	WHERE i.incident_id = acknowledge_alert.incident_id AND i.resolved_at IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no open incident %s', coalesce(acknowledge_alert.incident_id::text, 'NULL')),
			HINT = 'SELECT * FROM zcsync.alert_incidents WHERE resolved_at IS NULL; lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.acknowledge_alert(bigint) IS
'says that somebody works on an incident, so that it is not escalated';

-- For alerts that tell of something that happened once, so that nothing can end them but
-- a person who has looked at it.
CREATE FUNCTION zcsync.close_alert(code text, object text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._refuse_standby();
	IF NOT EXISTS (SELECT FROM zcsync.alerts AS a WHERE a.code = close_alert.code AND a.object = close_alert.object AND a.resolved_at IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no open alert %s of %s', coalesce('"' || close_alert.code || '"', 'NULL'), coalesce('"' || close_alert.object || '"', 'NULL')),
			HINT = 'SELECT code, object FROM zcsync.alerts WHERE resolved_at IS NULL; lists them.';
	END IF;
	PERFORM zcsync._resolve_alert(close_alert.code, close_alert.object);
END
$$;
COMMENT ON FUNCTION zcsync.close_alert(text, text) IS
'closes an alert about something that a person has looked at; what goes on opens it again';

-- Forget what ended long ago.
CREATE FUNCTION zcsync._forget_incidents() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM zcsync.alert_incidents AS i WHERE i.resolved_at < zcsync._now() - interval '90 days'
$$;
COMMENT ON FUNCTION zcsync._forget_incidents() IS
'deletes incidents that ended 90 days ago, with their messages; part of zcsync.maintain()';
