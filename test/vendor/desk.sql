-- ---------------------------------------------------------------------
-- A vendor that exists in tests only: its SQL.  A superuser runs this after
-- CREATE EXTENSION, in any schema.  See sql/vendor/contract.sql.
-- ---------------------------------------------------------------------

CREATE SCHEMA desk;

-- ---------------------------------------------------------------------
-- The account
-- ---------------------------------------------------------------------

CREATE FUNCTION desk.base_url(settings jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'https://' || (settings ->> 'desk') || '.desk.example';
END;

CREATE FUNCTION desk.budgets(settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'api', 6000, 60.0::double precision, 10;
END;

CREATE FUNCTION desk.record_url(settings jsonb, kind text, remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'https://' || (settings ->> 'desk') || '.desk.example/records/' || remote_id WHERE kind = 'tickets';
END;

-- ---------------------------------------------------------------------
-- Reading: one list in the order of changes, which both lanes walk along
-- ---------------------------------------------------------------------

CREATE FUNCTION desk.pull_request(stream_id bigint, lane text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('op', 'list', 'limit', 2, 'after',
		coalesce(CASE $2 WHEN 'live' THEN s.live_cursor ELSE s.history_cursor END ->> 'after', '0'))
	FROM zcsync.streams AS s WHERE s.stream_id = $1
$$;

CREATE FUNCTION desk.next(stream_id bigint, lane text, request jsonb, reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('after', reply ->> 'last'), (reply ->> 'more')::boolean, NULL::interval;
END;

CREATE FUNCTION desk.fetch_request(stream_id bigint, payload jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'get', 'id', payload -> 'ids' ->> 0);
END;

-- The records of a page, of a look-up, or a single one, which may also be the
-- document that a push was answered with.
CREATE FUNCTION desk.rows(account bigint, kind text, request jsonb, reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT 'tickets', d ->> 'id', d ->> 'rev', jsonb_build_object(
			'subject', d ->> 'title', 'description', d ->> 'text', 'status', d ->> 'state', 'priority', d ->> 'level',
			'external_id', d ->> 'mark', 'tags', '[]'::jsonb, 'custom_fields', '{}'::jsonb,
			'custom_status_id', NULL, 'type', NULL, 'requester_id', NULL, 'submitter_id', NULL, 'assignee_id', NULL, 'group_id', NULL,
			'organization_id', NULL, 'site_id', NULL, 'brand_id', NULL, 'form_id', NULL, 'problem_id', NULL, 'follower_ids', NULL, 'email_cc_ids', NULL, 'satisfaction', NULL, 'due_at', NULL, 'channel', NULL,
			'url', zcsync.record_url($1, 'tickets', d ->> 'id'),
			'created_at', zcsync._utc_text(d ->> 'opened'), 'updated_at', zcsync._utc_text(d ->> 'changed')),
		d, false
	FROM jsonb_array_elements(CASE WHEN $4 ? 'id' THEN jsonb_build_array($4)
		ELSE coalesce($4 -> 'records', $4 -> 'tickets', '[]') END) AS d
$$;

-- ---------------------------------------------------------------------
-- Writing: one request brings all that differs
-- ---------------------------------------------------------------------

-- What a record is to be given, of the columns that differ from what was agreed on.
CREATE FUNCTION desk.push_request(remote_id text, mark text, ticket jsonb, base jsonb, unclear boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN remote_id IS NULL AND unclear THEN jsonb_build_object('op', 'find', 'mark', mark)
		WHEN remote_id IS NULL THEN jsonb_build_object('op', 'create', 'create', true, 'sent', d.sent,
			'body', d.body || jsonb_build_object('mark', mark))
		WHEN d.sent IS NOT NULL THEN jsonb_build_object('op', 'update', 'id', remote_id, 'sent', d.sent, 'body', d.body) END
	FROM (
		SELECT jsonb_object_agg(m.name, ticket -> m.name) AS sent, jsonb_object_agg(m.member, ticket -> m.name) AS body
		FROM (VALUES ('subject', 'title'), ('description', 'text'), ('status', 'state'), ('priority', 'level')) AS m (name, member)
		WHERE ticket -> m.name <> coalesce(base -> m.name, 'null')) AS d;
END;

CREATE FUNCTION desk.push_requests(job_ids bigint[]) RETURNS TABLE (job_id bigint, request jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT q.job_id, CASE WHEN t.local_id IS NOT NULL THEN desk.push_request(t.remote_id, 'zcsync-' || t.sync_key,
			jsonb_build_object('subject', t.subject, 'description', t.description, 'status', t.status, 'priority', t.priority),
			t.base, q.unclear_since IS NOT NULL) END
	FROM zcsync.sync_queue AS q
	LEFT JOIN zcsync.tickets AS t ON t.account_id = q.account_id AND t.local_id = q.local_id AND t.deleted_at IS NULL
	WHERE q.job_id = ANY ($1)
$$;

CREATE FUNCTION desk.push_effect(request jsonb, reply jsonb, base jsonb, sync_key text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE request ->> 'op'
		WHEN 'create' THEN jsonb_build_object('status', 'created', 'doc', reply)
		WHEN 'update' THEN jsonb_build_object('status', 'updated', 'doc', reply)
		ELSE CASE WHEN reply -> 'records' -> 0 IS NULL THEN '{"status": "absent"}'
			ELSE jsonb_build_object('status', 'found', 'doc', reply -> 'records' -> 0) END END;
END;

-- ---------------------------------------------------------------------
-- Routes, and the descriptor
-- ---------------------------------------------------------------------

CREATE FUNCTION desk.statuses(account bigint, kind text, place text) RETURNS TABLE (value text, name text,
	"position" integer, meaning text, categories text[], is_known boolean, is_choice boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.value, s.value, s.position, s.meaning, s.categories::text[], true, true
	FROM (VALUES ('fresh', 1, 'new', '{open}'), ('busy', 2, 'open', '{custom}'), ('parked', 3, 'pending', '{custom}'),
		('finished', 4, 'solved', '{done,closed}')) AS s (value, position, meaning, categories);
END;

CREATE FUNCTION desk.descriptor() RETURNS zcsync.vendor
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_vendor('desk', 'Desk', 'desk',
		kinds => ARRAY[
			zcsync._describe_kind('tickets', written => '{subject,description,status,priority}',
				usual => ARRAY[
					('status', 'fresh', 'new'), ('status', 'busy', 'open'), ('status', 'parked', 'pending'), ('status', 'parked', 'hold'),
					('status', 'finished', 'solved'), ('status', 'finished', 'closed'),
					('priority', 'p1', 'urgent'), ('priority', 'p2', 'high'), ('priority', 'p3', 'normal'),
					('priority', 'p4', 'low')]::zcsync.vendor_value[],
				fixed_values => '{status,priority}',
				rules => ROW('fresh', NULL, 'finished', '{status,priority}', NULL)::zcsync.vendor_rules,
				name_field => 'subject', status_scope => 'tickets')],
		settings => ARRAY[
			zcsync._describe_setting('desk', 'string', '^[a-z]{1,20}$', 'It is the name of the desk.', identifies => true,
				missing => 'settings => ''{"desk": "acme"}''.')],
		credentials => ARRAY[ROW('{key}', '{}')]::zcsync.vendor_credentials[],
		takes_gzip => true,
		probe_request => '{"op": "list", "limit": 1}',
		base_url => 'desk.base_url(jsonb)',
		budgets => 'desk.budgets(jsonb)',
		record_url => 'desk.record_url(jsonb,text,text)',
		pull_request => 'desk.pull_request(bigint,text)',
		next => 'desk.next(bigint,text,jsonb,jsonb)',
		fetch_request => 'desk.fetch_request(bigint,jsonb)',
		rows => 'desk.rows(bigint,text,jsonb,jsonb)',
		push_requests => 'desk.push_requests(bigint[])',
		push_effect => 'desk.push_effect(jsonb,jsonb,jsonb,text)',
		statuses => 'desk.statuses(bigint,text,text)');
END;

SELECT zcsync._check_vendor(zcsync._vendor_of('desk'::text));
