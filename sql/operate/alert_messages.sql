-- ---------------------------------------------------------------------
-- Messages about incidents, in the form that each kind of target takes.  They have no
-- secret: src/alerts.c puts each where one of its name belongs when it sends.
-- ---------------------------------------------------------------------

-- A name for an incident that no incident of another database has.
CREATE FUNCTION zcsync._incident_key(p_incident bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('zcsync-%s-%s-%s', i.system_identifier, i.database_oid, coalesce(p_incident::text, 'test')) FROM zcsync.installation AS i
$$;
COMMENT ON FUNCTION zcsync._incident_key(bigint) IS
'the name of an incident outside of this database';

-- The facts that all forms of a message are made of: names, counts, what to run.
CREATE FUNCTION zcsync._alert_facts(p_incident jsonb, p_event text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('event', p_event, 'severity', x.severity,
		'title', format('[%s] zcsync %s: %s%s', CASE WHEN p_event IN ('all clear', 'test') THEN p_event ELSE x.severity END, current_database(), x.summary,
			CASE p_event WHEN 'all clear' THEN format(' (over after %s)', zcsync._span(x.resolved_at - x.began_at))
				WHEN 'escalation' THEN format(' (nobody has acknowledged it for %s)', zcsync._span(zcsync._now() - x.told_at)) END),
		'summary', x.summary, 'rule', x.rule, 'object', x.object, 'account', array_to_string(x.accounts, ', '), 'value', x.value,
		'since', to_char(x.began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'to_do', x.to_do, 'incident', x.incident_id, 'key', zcsync._incident_key(x.incident_id),
		'database', current_database(), 'server', coalesce(nullif(current_setting('cluster_name'), ''), 'postgresql'))
	FROM jsonb_to_record(p_incident) AS x (incident_id bigint, rule text, object text, accounts text[], severity text, value numeric, summary text, to_do text,
		began_at timestamptz, told_at timestamptz, resolved_at timestamptz)
$$;
COMMENT ON FUNCTION zcsync._alert_facts(jsonb, text) IS
'what a message says about a row of alert_incidents: no text of a vendor or a customer';

-- Replace each {name} in the texts of a template by that fact.  It stands within a
-- string of JSON there, so it is escaped as JSON requires.
CREATE FUNCTION zcsync._fill_template(p_template jsonb, p_facts jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_text text := p_template::text;
	v_fact record;
BEGIN
	FOR v_fact IN SELECT f.key, to_jsonb(coalesce(f.value, ''))::text AS value FROM jsonb_each_text(p_facts) AS f LOOP
		v_text := replace(v_text, '{' || v_fact.key || '}', substr(v_fact.value, 2, length(v_fact.value) - 2));
	END LOOP;
	RETURN v_text::jsonb;
END
$$;
COMMENT ON FUNCTION zcsync._fill_template(jsonb, jsonb) IS
'a JSON template with {name} in its texts replaced by facts';

CREATE FUNCTION zcsync._slack_body(p_facts jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('text', t.title, 'blocks', jsonb_build_array(
		jsonb_build_object('type', 'section', 'text', jsonb_build_object('type', 'mrkdwn', 'text', concat_ws(E'\n', '*' || t.title || '*',
			'since ' || (p_facts ->> 'since'), '`' || t.to_do || '`')))))
	FROM (
		SELECT replace(replace(replace(p_facts ->> 'title', '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),
			replace(replace(replace(p_facts ->> 'to_do', '&', '&amp;'), '<', '&lt;'), '>', '&gt;')) AS t (title, to_do);
END;
COMMENT ON FUNCTION zcsync._slack_body(jsonb) IS
'a message for an incoming webhook of Slack';

-- Workflows of Teams take a card in the envelope of a message.
CREATE FUNCTION zcsync._teams_body(p_facts jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('type', 'message', 'attachments', jsonb_build_array(jsonb_build_object(
		'contentType', 'application/vnd.microsoft.card.adaptive', 'contentUrl', NULL,
		'content', jsonb_build_object('$schema', 'http://adaptivecards.io/schemas/adaptive-card.json', 'type', 'AdaptiveCard', 'version', '1.4',
			'body', jsonb_build_array(
				jsonb_build_object('type', 'TextBlock', 'size', 'Medium', 'weight', 'Bolder', 'wrap', true, 'text', p_facts ->> 'title',
					'color', CASE WHEN p_facts ->> 'event' IN ('all clear', 'test') THEN 'Good' WHEN p_facts ->> 'severity' = 'critical' THEN 'Attention' ELSE 'Warning' END),
				jsonb_build_object('type', 'FactSet', 'facts', jsonb_build_array(
					jsonb_build_object('title', 'since', 'value', p_facts ->> 'since'),
					jsonb_build_object('title', 'run', 'value', coalesce(p_facts ->> 'to_do', 'nothing')))))))));
END;
COMMENT ON FUNCTION zcsync._teams_body(jsonb) IS
'a message for a workflow of Teams that takes webhook requests';

-- An event of PagerDuty's Events API v2.  Its dedup_key names the incident: so an alert
-- that is sent twice counts once there, and the all-clear resolves it.
CREATE FUNCTION zcsync._pagerduty_body(p_facts jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_strip_nulls(jsonb_build_object('dedup_key', p_facts ->> 'key',
		'event_action', CASE p_facts ->> 'event' WHEN 'all clear' THEN 'resolve' ELSE 'trigger' END,
		'payload', CASE WHEN p_facts ->> 'event' <> 'all clear' THEN jsonb_build_object('summary', left(p_facts ->> 'title', 1024),
			'source', (p_facts ->> 'server') || '/' || (p_facts ->> 'database'),
			'severity', CASE p_facts ->> 'event' WHEN 'test' THEN 'info' ELSE p_facts ->> 'severity' END,
			'timestamp', p_facts ->> 'since', 'component', p_facts ->> 'object', 'group', 'zcsync', 'class', p_facts ->> 'rule',
			'custom_details', p_facts) END));
END;
COMMENT ON FUNCTION zcsync._pagerduty_body(jsonb) IS
'an event for the Events API v2 of PagerDuty, without its routing key';

-- An e-mail with its headers.  The subject is plain ASCII; the text is sent as base64,
-- so that no line of it is too long or has a meaning in the mail protocol.
CREATE FUNCTION zcsync._mail_message(p_facts jsonb, p_from text, p_to text[], p_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_to_string(ARRAY[
		'From: ' || p_from, 'To: ' || array_to_string(p_to, ', '),
		'Subject: ' || left(regexp_replace(p_facts ->> 'title', '[^ -~]', '?', 'g'), 200),
		'Date: ' || to_char(p_at AT TIME ZONE 'UTC', '"' || (ARRAY['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'])[1 + extract(dow FROM p_at AT TIME ZONE 'UTC')::integer]
			|| '", DD "' || (ARRAY['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'])[extract(month FROM p_at AT TIME ZONE 'UTC')::integer]
			|| '" YYYY HH24:MI:SS +0000'),
		format('Message-ID: <%s-%s@zcsync>', p_facts ->> 'key', replace(p_facts ->> 'event', ' ', '-')),
		format('References: <%s@zcsync>', p_facts ->> 'key'),
		'Auto-Submitted: auto-generated', 'MIME-Version: 1.0', 'Content-Type: text/plain; charset=UTF-8', 'Content-Transfer-Encoding: base64', '',
		replace(encode(convert_to(array_to_string(ARRAY[p_facts ->> 'title', '', 'since:  ' || (p_facts ->> 'since'), 'run:    ' || (p_facts ->> 'to_do'),
			'rule:   ' || (p_facts ->> 'rule'), 'where:  ' || (p_facts ->> 'server') || '/' || (p_facts ->> 'database'), 'incident: ' || (p_facts ->> 'incident')],
			E'\r\n'), 'UTF8'), 'base64'), E'\n', E'\r\n'), ''], E'\r\n')
$$;
COMMENT ON FUNCTION zcsync._mail_message(jsonb, text, text[], timestamptz) IS
'an e-mail about an incident, with its headers';

-- A request that src/alerts.c sends.  Secrets go with it by their names: url is the
-- address, token a header, routing_key a member of the body, password the login of a mail
-- relay.
CREATE TYPE zcsync.alert_request AS (
	url text,					-- NULL: it is a secret
	headers text[],
	body text,
	mail_from text,				-- NULL: it is no mail
	mail_to text[],
	mail_user text);
COMMENT ON TYPE zcsync.alert_request IS
'a message to an alert target as it is sent, without its secrets';

CREATE FUNCTION zcsync._alert_request(p_target bigint, p_facts jsonb) RETURNS zcsync.alert_request
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ROW(
		coalesce(t.settings ->> 'url', CASE WHEN t.kind = 'pagerduty' THEN 'https://events.pagerduty.com/v2/enqueue' END),
		CASE WHEN t.kind <> 'email' THEN '{"Content-Type: application/json"}'::text[] END,
		CASE t.kind
			WHEN 'slack' THEN zcsync._slack_body(p_facts)::text
			WHEN 'teams' THEN zcsync._teams_body(p_facts)::text
			WHEN 'pagerduty' THEN zcsync._pagerduty_body(p_facts)::text
			WHEN 'json' THEN coalesce(zcsync._fill_template(t.settings -> 'template', p_facts), p_facts)::text
			WHEN 'email' THEN zcsync._mail_message(p_facts, t.settings ->> 'from', zcsync._alert_recipients(t.settings), zcsync._now()) END,
		CASE WHEN t.kind = 'email' THEN t.settings ->> 'from' END,
		CASE WHEN t.kind = 'email' THEN zcsync._alert_recipients(t.settings) END,
		t.settings ->> 'user')::zcsync.alert_request
	FROM zcsync.alert_targets AS t WHERE t.target_id = p_target
$$;
COMMENT ON FUNCTION zcsync._alert_request(bigint, jsonb) IS
'the request that tells an alert target of an incident';
