-- ---------------------------------------------------------------------
-- Messages to alert targets: sent by the worker, or by CALL zcsync.evaluate_alerts().
--
-- First a message is marked as being sent, and that is committed; then it is sent;
-- then its result is committed.  If the process ends in between, the message is sent
-- again.  A message that fails is tried five times in half an hour.  In the silence hours
-- of its rule it waits.
-- ---------------------------------------------------------------------

-- Take messages that are to be sent over the network.  Messages about one incident go
-- to a target in their order, so that an all-clear cannot overtake its alert.  Those about
-- critical incidents come first.
CREATE FUNCTION zcsync._take_deliveries(p_max integer)
RETURNS TABLE (delivery_id bigint, target_id bigint, url text, headers text[], body text, mail_from text, mail_to text[], mail_user text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH due AS MATERIALIZED (
		SELECT d.delivery_id
		FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_targets AS t USING (target_id) JOIN zcsync.alert_incidents AS i USING (incident_id)
		WHERE d.state IN ('waiting', 'sending') AND d.next_at <= zcsync._now() AND t.state = 'active' AND t.kind NOT IN ('notify', 'ticket')
			AND NOT zcsync._is_rule_silent(i.rule)
			AND NOT EXISTS (SELECT FROM zcsync.alert_deliveries AS b
				WHERE b.incident_id = d.incident_id AND b.target_id = d.target_id AND b.delivery_id < d.delivery_id AND b.state IN ('waiting', 'sending'))
		ORDER BY i.severity <> 'critical', d.delivery_id LIMIT p_max
		FOR UPDATE OF d SKIP LOCKED
	), taken AS (
		UPDATE zcsync.alert_deliveries AS d
		SET state = 'sending', attempts = d.attempts + 1, next_at = zcsync._now() + interval '1 minute' * power(2, d.attempts)
		FROM due WHERE due.delivery_id = d.delivery_id
		RETURNING d.*
	)
	SELECT d.delivery_id, d.target_id, q.url, q.headers, q.body, q.mail_from, q.mail_to, q.mail_user
	FROM taken AS d
	JOIN zcsync.alert_incidents AS i USING (incident_id)
	CROSS JOIN LATERAL zcsync._alert_request(d.target_id, zcsync._alert_facts(to_jsonb(i), d.event)) AS q
	ORDER BY d.delivery_id;
END
$$;
COMMENT ON FUNCTION zcsync._take_deliveries(integer) IS
'takes messages that are due, and counts the attempt; returns what is to be sent';

CREATE FUNCTION zcsync._record_delivery(p_delivery bigint, p_error text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.alert_deliveries AS d
	SET state = CASE WHEN p_error IS NULL THEN 'sent' WHEN d.attempts >= 5 THEN 'failed' ELSE 'waiting' END,
		sent_at = CASE WHEN p_error IS NULL THEN zcsync._now() END, last_error = p_error
	WHERE d.delivery_id = p_delivery AND d.state = 'sending'
$$;
COMMENT ON FUNCTION zcsync._record_delivery(bigint, text) IS
'records what became of a message: sent, or the error; after five attempts it is given up';

-- Make a ticket in the mirror; a push sends it to the vendor.  For an all-clear, give
-- the ticket that was made the values of the setting "closed".
CREATE FUNCTION zcsync._write_alert_ticket(p_settings jsonb, p_facts jsonb, p_ticket bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint := (SELECT a.account_id FROM zcsync.accounts AS a WHERE a.name = p_settings ->> 'account');
	v_row jsonb := coalesce(p_settings -> CASE WHEN p_ticket IS NULL THEN 'values' ELSE 'closed' END, '{}');
	v_columns text;
	v_id bigint := p_ticket;
BEGIN
	PERFORM zcsync._check_alert_ticket(p_settings);
	IF p_ticket IS NULL THEN
		v_row := v_row || jsonb_build_object('account_id', v_account, 'subject', p_facts ->> 'title',
			'description', concat_ws(E'\n', p_facts ->> 'title', 'since ' || (p_facts ->> 'since'), 'run: ' || (p_facts ->> 'to_do'), p_facts ->> 'key'));
	ELSIF v_row = '{}' THEN
		RETURN v_id;
	END IF;
	SELECT string_agg(quote_ident(k), ', ' ORDER BY k) INTO v_columns FROM jsonb_object_keys(v_row) AS k;
	IF p_ticket IS NULL THEN
		EXECUTE format('INSERT INTO zcsync.tickets (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::zcsync.tickets, $1) RETURNING local_id', v_columns)
			INTO v_id USING v_row;
	ELSE
		EXECUTE format('UPDATE zcsync.tickets AS t SET (%1$s) = (SELECT %1$s FROM jsonb_populate_record(NULL::zcsync.tickets, $1)) WHERE t.local_id = $2', v_columns)
			USING v_row, p_ticket;
	END IF;
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync._write_alert_ticket(jsonb, jsonb, bigint) IS
'makes a ticket of an incident, or closes it; returns its local number';

-- Deliver one message that needs no call of ours: a notification or a ticket.
-- p_incident NULL: a test.
CREATE FUNCTION zcsync._deliver_one_here(p_target bigint, p_incident bigint, p_facts jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_target zcsync.alert_targets;
	v_ticket bigint;
BEGIN
	SELECT t.* INTO v_target FROM zcsync.alert_targets AS t WHERE t.target_id = p_target;
	IF v_target.kind = 'notify' THEN
		PERFORM pg_notify(v_target.settings ->> 'channel', p_facts::text);
		RETURN NULL;
	END IF;
	SELECT d.ticket_id INTO v_ticket FROM zcsync.alert_deliveries AS d
	WHERE d.incident_id = p_incident AND d.target_id = p_target AND d.ticket_id IS NOT NULL
	ORDER BY d.delivery_id LIMIT 1;
	-- the ticket exists already; other targets are told that the incident became worse
	IF v_ticket IS NOT NULL AND p_facts ->> 'event' <> 'all clear' THEN
		RETURN v_ticket;
	END IF;
	RETURN zcsync._write_alert_ticket(v_target.settings, p_facts, v_ticket);
END
$$;
COMMENT ON FUNCTION zcsync._deliver_one_here(bigint, bigint, jsonb) IS
'notifies a channel of an incident, or makes or closes its ticket; returns the number of that';

CREATE FUNCTION zcsync._deliver_here() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_error text;
	v_ticket bigint;
BEGIN
	FOR v IN
		SELECT d.delivery_id, d.target_id, d.incident_id, zcsync._alert_facts(to_jsonb(i), d.event) AS facts
		FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_targets AS t USING (target_id) JOIN zcsync.alert_incidents AS i USING (incident_id)
		WHERE d.state = 'waiting' AND d.next_at <= zcsync._now() AND t.state = 'active' AND t.kind IN ('notify', 'ticket')
			AND NOT zcsync._is_rule_silent(i.rule)
		ORDER BY i.severity <> 'critical', d.delivery_id
	LOOP
		v_error := NULL;
		v_ticket := NULL;
		BEGIN
			v_ticket := zcsync._deliver_one_here(v.target_id, v.incident_id, v.facts);
		EXCEPTION WHEN OTHERS THEN
			v_error := SQLERRM;
		END;
		UPDATE zcsync.alert_deliveries AS d
		SET state = 'sending', attempts = d.attempts + 1, next_at = zcsync._now() + interval '1 minute' * power(2, d.attempts), ticket_id = v_ticket
		WHERE d.delivery_id = v.delivery_id;
		PERFORM zcsync._record_delivery(v.delivery_id, v_error);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._deliver_here() IS
'delivers the messages that need no network: notifications and tickets';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

-- No SET clause and not SECURITY DEFINER: it commits, which neither allows.
-- Whoever calls it, it works as the owner of zcsync, with a pinned path: it must also
-- report when the workers' role lacks its rights.
CREATE PROCEDURE zcsync.evaluate_alerts(silent_for interval DEFAULT '0')
LANGUAGE c
AS 'MODULE_PATHNAME', 'zcsync_evaluate_alerts';
COMMENT ON PROCEDURE zcsync.evaluate_alerts(interval) IS
'finds incidents, commits, and sends the messages that are due, in at most ten seconds; with silent_for only if the worker has not done so for that long';

CREATE FUNCTION zcsync._send_alert(p_target bigint, p_url text, p_headers text[], p_body text, p_mail_from text, p_mail_to text[], p_mail_user text)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_send_alert';
COMMENT ON FUNCTION zcsync._send_alert(bigint, text, text[], text, text, text[], text) IS
'sends one message to an alert target, in this session; returns the error, NULL: it was taken';

-- A target can be reached again: send it what it missed about incidents that are still
-- open, and that others are over.  What was tried may have reached it, so that is still
-- counted as tried.
CREATE FUNCTION zcsync._try_deliveries_again(p_target bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE zcsync.alert_deliveries AS d
	SET state = CASE WHEN i.resolved_at IS NULL OR d.event = 'all clear' THEN 'waiting' ELSE 'cancelled' END,
		attempts = least(d.attempts, 1), last_error = NULL, next_at = zcsync._now()
	FROM zcsync.alert_incidents AS i
	WHERE i.incident_id = d.incident_id AND d.target_id = p_target AND d.state IN ('waiting', 'failed') AND d.last_error IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._try_deliveries_again(bigint) IS
'queues again the messages that an alert target did not take, where they still matter';

CREATE FUNCTION zcsync._send_alert_facts(p_target bigint, p_facts jsonb) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._send_alert(p_target, q.url, q.headers, q.body, q.mail_from, q.mail_to, q.mail_user)
	FROM zcsync._alert_request(p_target, p_facts) AS q
$$;
COMMENT ON FUNCTION zcsync._send_alert_facts(bigint, jsonb) IS
'sends one message with these facts, in this session; returns the error, NULL: it was taken';

CREATE FUNCTION zcsync.test_alert(target text) RETURNS TABLE (ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync._lock_alert_target(target);
	v_kind text := (SELECT t.kind FROM zcsync.alert_targets AS t WHERE t.target_id = v_id);
	v_facts jsonb := zcsync._alert_facts(jsonb_build_object('rule', 'test', 'object', 'test', 'severity', 'warning',
		'summary', format('a test of target %s, nothing is wrong', target), 'to_do', 'nothing', 'began_at', zcsync._now()), 'test')
		|| jsonb_build_object('key', zcsync._incident_key(NULL) || '-' || gen_random_uuid());	-- no test is taken for another one
	v_error text;
BEGIN
	IF v_kind IN ('notify', 'ticket') THEN
		PERFORM zcsync._deliver_one_here(v_id, NULL, v_facts);
	ELSE
		v_error := zcsync._send_alert_facts(v_id, v_facts);
		IF v_error IS NULL AND v_kind = 'pagerduty' THEN	-- it opened an incident there
			v_error := zcsync._send_alert_facts(v_id, v_facts || '{"event": "all clear"}');
		END IF;
	END IF;
	ok := v_error IS NULL;
	message := CASE WHEN NOT ok THEN v_error WHEN v_kind = 'notify' THEN 'listeners are notified when this transaction commits'
		WHEN v_kind = 'ticket' THEN 'a ticket is made when this transaction commits, by a push of its stream' ELSE 'the target took the message' END;
	hint := CASE WHEN NOT ok THEN format('SELECT zcsync.alter_alert_target(%L, …); -- see doc/alerts.md', target) END;
	IF ok THEN
		PERFORM zcsync._try_deliveries_again(v_id);
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync.test_alert(text) IS
'sends a test message to an alert target now and says whether it was taken';

-- Targets that could not be reached: their last message was given up, or failed three
-- times, or a secret of theirs cannot be opened.
CREATE FUNCTION zcsync._alert_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 1, 'target ' || t.name, 'no alerts', coalesce(s.message, d.last_error), format('SELECT * FROM zcsync.test_alert(%L);', t.name), d.created_at, NULL::text[]
	FROM zcsync.alert_targets AS t
	CROSS JOIN LATERAL zcsync._alert_secret_status(t.target_id) AS s
	LEFT JOIN LATERAL (
		SELECT CASE WHEN l.state = 'failed' OR l.attempts >= 3 THEN l.last_error END AS last_error, l.created_at FROM zcsync.alert_deliveries AS l
		WHERE l.target_id = t.target_id AND l.state IN ('sent', 'waiting', 'failed') AND l.attempts > 0
		ORDER BY l.delivery_id DESC LIMIT 1) AS d ON true
	WHERE t.state = 'active' AND (s.message IS NOT NULL OR d.last_error IS NOT NULL)
	ORDER BY t.name
$$;
COMMENT ON FUNCTION zcsync._alert_trouble() IS
'alert targets that cannot be reached, as lines of the view status';

-- ---------------------------------------------------------------------
-- pg_cron evaluates alerts when the worker does not.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._alerts_job() RETURNS TABLE (name text, command text)
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	-- it must be the only command of its job, or it could not commit
	SELECT zcsync._job_name('alerts', current_database()), 'CALL zcsync.evaluate_alerts(''2 minutes'')'::text;
END;
COMMENT ON FUNCTION zcsync._alerts_job() IS
'name and command of the pg_cron job that evaluates alerts while the worker is silent';

CREATE FUNCTION zcsync.schedule_alerts(schedule text DEFAULT '* * * * *') RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._schedule_job(j.name, schedule_alerts.schedule, j.command) FROM zcsync._alerts_job() AS j
$$;
COMMENT ON FUNCTION zcsync.schedule_alerts(text) IS
'makes pg_cron call zcsync.evaluate_alerts() each minute, which does something only while the worker is silent; where pg_cron is in another database, returns what to paste there';

CREATE FUNCTION zcsync.unschedule_alerts() RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._unschedule_job(j.name) FROM zcsync._alerts_job() AS j
$$;
COMMENT ON FUNCTION zcsync.unschedule_alerts() IS
'removes the job of zcsync.schedule_alerts(); where pg_cron is in another database, returns what to paste there';
