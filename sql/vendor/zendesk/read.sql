-- ---------------------------------------------------------------------
-- Zendesk: its documents as rows, and the requests that read them.
-- ---------------------------------------------------------------------

-- The address at which people see a record.
CREATE FUNCTION zcsync._zendesk_record_url(p_settings jsonb, p_kind text, p_remote_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce('https://' || (p_settings ->> 'subdomain') || '.zendesk.com',
			rtrim(p_settings ->> 'base_url', '/'))
		|| CASE p_kind WHEN 'tickets' THEN '/agent/tickets/' WHEN 'contacts' THEN '/agent/users/'
			WHEN 'companies' THEN '/agent/organizations/' END
		|| p_remote_id;
END;
COMMENT ON FUNCTION zcsync._zendesk_record_url(jsonb, text, text) IS
'address of a ticket, user or organization in Zendesk''s own pages; NULL for other kinds';

CREATE FUNCTION zcsync._zendesk_scope_check(p_kind text, p_scope jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_scope IS DISTINCT FROM '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('streams of Zendesk %s take no scope', p_kind),
			HINT = 'Leave the scope out.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_scope_check(text, jsonb) IS
'raises an error unless the scope is valid for a stream of this kind';

-- ---------------------------------------------------------------------
-- Requests of pulls
-- ---------------------------------------------------------------------

-- The live lane starts at the time when the stream was made, less the time by which
-- exports are late, however late its first call succeeds.  An export must not start
-- within the last minutes.
CREATE FUNCTION zcsync._zendesk_pull_request(p_stream_id bigint, p_lane text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_cursor jsonb;
	v_start timestamptz;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	IF p_lane = 'comments' THEN
		RETURN zcsync._zendesk_events_request(p_stream_id);
	ELSIF v_stream.kind IN ('fields', 'statuses') THEN
		RETURN jsonb_build_object('op', CASE v_stream.kind WHEN 'fields' THEN 'ticket_fields' ELSE 'custom_statuses' END)
			-- a walk that got stuck begins again
			|| CASE WHEN (v_stream.live_cursor ->> 'started')::bigint > extract(epoch FROM zcsync._now()) - 3600 THEN v_stream.live_cursor ELSE '{}' END;
	END IF;

	IF p_lane = 'history' THEN
		v_cursor := v_stream.history_cursor;
		v_start := v_stream.since;
	ELSE
		v_cursor := v_stream.live_cursor;
		v_start := v_stream.created_at - interval '300 seconds';
	END IF;
	v_start := least(v_start, zcsync._now() - interval '300 seconds');
	IF v_stream.kind = 'companies' THEN
		RETURN jsonb_build_object('op', 'organizations', 'per_page', 1000,
			'start_time', coalesce((v_cursor ->> 'start_time')::bigint, greatest(floor(extract(epoch FROM v_start)), 0)::bigint));
	END IF;

	RETURN jsonb_build_object('op', 'incremental', 'per_page', 1000,
			'kind', CASE v_stream.kind WHEN 'contacts' THEN 'users' ELSE v_stream.kind END)
		|| CASE WHEN v_stream.kind = 'tickets' THEN '{"include": "users"}'::jsonb ELSE '{}' END
		|| CASE
			WHEN v_cursor ->> 'cursor' IS NOT NULL THEN v_cursor
			ELSE jsonb_build_object('start_time',
				coalesce((v_cursor ->> 'start_time')::bigint, greatest(floor(extract(epoch FROM v_start)), 0)::bigint))
				|| coalesce(v_cursor, '{}')
		END;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_pull_request(bigint, text) IS
'the next request of a lane of a stream';

-- The time of a page's last record, in seconds, by which exports are ordered; NULL: the
-- page is empty.
CREATE FUNCTION zcsync._zendesk_page_time(p_kind text, p_reply jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_last jsonb := zcsync._json_list(p_reply -> p_kind) -> -1;
BEGIN
	IF v_last ->> 'generated_timestamp' ~ '^[0-9]{1,12}$' THEN
		RETURN (v_last ->> 'generated_timestamp')::bigint;
	END IF;
	RETURN floor(extract(epoch FROM (zcsync._utc_text(v_last ->> 'updated_at'))::timestamptz));
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_page_time(text, jsonb) IS
'the time of the last record of a page of an export, by which exports are ordered';

-- Zendesk refused a cursor, so it has lost it: the lane goes on from the time of the
-- last record that was read, less the time by which exports are late.  Only once: if
-- the new cursor is refused as well, the cursor is not the reason.
CREATE FUNCTION zcsync._zendesk_restart(p_request jsonb, p_status integer, p_message text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('start_time', greatest((p_request ->> 'time')::bigint - 300, 0), 'restarted', true)
	WHERE p_request ->> 'op' = 'incremental' AND p_request ? 'cursor' AND p_status IN (400, 410, 422)
		AND NOT p_request ? 'restarted' AND p_request ->> 'time' IS NOT NULL;
END;
COMMENT ON FUNCTION zcsync._zendesk_restart(jsonb, integer, text) IS
'the new cursor of a lane whose cursor was refused; NULL: it has none, or was restarted already';

-- The cursor of the next page of a catalogue.  The page addresses in replies (links,
-- next_page, after_url) are never called: they may name any host, and our credentials
-- would go there.
CREATE FUNCTION zcsync._zendesk_next_page(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('page[size]', 100, 'page[after]', p_reply #> '{meta,after_cursor}')
	WHERE p_reply #>> '{meta,has_more}' = 'true' AND p_reply #>> '{meta,after_cursor}' IS NOT NULL
		AND p_reply #>> '{meta,after_cursor}' IS DISTINCT FROM p_request ->> 'page[after]';
END;
COMMENT ON FUNCTION zcsync._zendesk_next_page(jsonb, jsonb) IS
'where the next page of a catalogue begins, as members of its request; NULL: this is the last';

-- The cursor of an export by time after a page.  A page ends with a time, from which the
-- next one begins, so what was shown last comes again.  If a page is full of records of
-- one second, its end is its beginning, and the lane goes on with the next second.  At
-- the end the last minutes are read again each time, since records may show late.
CREATE FUNCTION zcsync._zendesk_next_time(p_request jsonb, p_reply jsonb, p_list jsonb, p_again bigint, OUT cursor jsonb, OUT more boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('start_time', CASE WHEN g.goes_on THEN greatest(t.end_time, t.start_time + (t.end_time <= t.start_time)::integer, t.start_time)
			ELSE greatest(t.end_time - p_again, t.start_time) END),
		g.goes_on AND t.end_time IS NOT NULL
	FROM (SELECT (p_request ->> 'start_time')::bigint,
		CASE WHEN p_reply ->> 'end_time' ~ '^[0-9]{1,12}$' THEN (p_reply ->> 'end_time')::bigint END) AS t (start_time, end_time)
	CROSS JOIN LATERAL (SELECT p_list <> '[]' AND coalesce(p_reply ->> 'end_of_stream' = 'false', jsonb_array_length(p_list) >= 1000)) AS g (goes_on);
END;
COMMENT ON FUNCTION zcsync._zendesk_next_time(jsonb, jsonb, jsonb, bigint) IS
'cursor of a lane after a page of an export by time, and whether more is waiting';

-- Groups, brands or ticket forms as options: those of the pages before, and of this one.
CREATE FUNCTION zcsync._zendesk_options(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._json_list(p_request -> 'seen') || coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
			'id', d ->> 'id', 'name', left(d ->> 'name', 500),
			'active', CASE WHEN d -> 'active' = 'false' THEN false END,
			'default', CASE WHEN d -> 'default' = 'true' THEN true END,
			'subdomain', d ->> 'subdomain',
			'fields', CASE WHEN jsonb_typeof(d -> 'ticket_field_ids') = 'array' THEN d -> 'ticket_field_ids' END)) ORDER BY n), '[]')
	FROM jsonb_array_elements(zcsync._json_list(p_reply -> (p_request ->> 'op'))) WITH ORDINALITY AS x (d, n)
	WHERE d ->> 'id' IS NOT NULL AND d -> 'deleted' IS DISTINCT FROM 'true' AND d -> 'is_deleted' IS DISTINCT FROM 'true'
		AND d ->> 'deleted_at' IS NULL;
END;
COMMENT ON FUNCTION zcsync._zendesk_options(jsonb, jsonb) IS
'the options of the row for groups, brands or ticket forms, as far as they were read';

-- The stream of fields reads the ticket fields, and then groups, brands and ticket
-- forms, each of which becomes one row with options.  What the pages so far had is kept
-- in the cursor ("seen"), so that the row is written once, when all is known.  Not all
-- plans have brands and forms.  A walk through the catalogue that gets stuck begins
-- again after an hour ("started").
CREATE FUNCTION zcsync._zendesk_next_catalogue(p_request jsonb, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(
		zcsync._zendesk_next_page(p_request, p_reply) || CASE WHEN p_request ->> 'op' NOT IN ('groups', 'brands', 'ticket_forms') THEN '{}'
			ELSE jsonb_build_object('op', p_request -> 'op', 'may_be_refused', true,
				'seen', zcsync._zendesk_options(p_request, p_reply)) END,
		CASE p_request ->> 'op'
			WHEN 'ticket_fields' THEN '{"op": "groups", "page[size]": 100, "may_be_refused": true}'
			WHEN 'groups' THEN '{"op": "brands", "page[size]": 100, "may_be_refused": true}'
			WHEN 'brands' THEN '{"op": "ticket_forms", "page[size]": 100, "may_be_refused": true}'
		END::jsonb,
		'{}');
END;
COMMENT ON FUNCTION zcsync._zendesk_next_catalogue(jsonb, jsonb) IS
'cursor of a stream of fields or statuses after a reply; {} at the end';

-- The cursor of a lane after a page.  A page without a cursor, which an empty export
-- may send, or with the cursor that was sent, leads nowhere: the lane keeps its place.
-- Only end_of_stream ends the history.  Beside the cursor, the lane keeps the time up
-- to which it has read, and, until the cursor is accepted, the note that it was
-- restarted.
CREATE FUNCTION zcsync._zendesk_next(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_after text := p_reply ->> 'after_cursor';
	v_end boolean := coalesce(p_reply ->> 'end_of_stream' = 'true', false);
	v_moved boolean;
	v_time bigint;
BEGIN
	IF p_request ->> 'op' = 'ticket_events' THEN
		RETURN QUERY SELECT n.*, NULL::interval FROM zcsync._zendesk_next_events(p_stream_id, p_request, p_reply) AS n;
		RETURN;
	ELSIF p_request ->> 'op' = 'organizations' THEN
		RETURN QUERY SELECT n.*, NULL::interval
			FROM zcsync._zendesk_next_time(p_request, p_reply, zcsync._json_list(p_reply -> 'organizations'), 300) AS n;
		RETURN;
	ELSIF p_request ->> 'op' <> 'incremental' THEN
		cursor := zcsync._zendesk_next_catalogue(p_request, p_reply);
		more := cursor <> '{}';
		IF more THEN
			cursor := cursor || jsonb_build_object('started', coalesce(p_request -> 'started', to_jsonb(floor(extract(epoch FROM zcsync._now()))::bigint)));
		END IF;
		RETURN NEXT;
		RETURN;
	END IF;
	v_moved := v_after IS NOT NULL AND v_after IS DISTINCT FROM p_request ->> 'cursor';
	v_time := greatest(coalesce(p_request ->> 'time', p_request ->> 'start_time')::bigint, zcsync._zendesk_page_time(p_request ->> 'kind', p_reply));
	IF v_moved OR p_request ? 'cursor' THEN
		cursor := jsonb_strip_nulls(jsonb_build_object('cursor', CASE WHEN v_moved THEN v_after ELSE p_request ->> 'cursor' END, 'time', v_time));
	ELSE
		cursor := jsonb_build_object('start_time', p_request -> 'start_time');
	END IF;
	IF p_request ? 'restarted' AND NOT p_request ? 'cursor' THEN
		cursor := cursor || '{"restarted": true}';
	END IF;
	more := NOT v_end AND (v_moved OR p_lane = 'history');
	IF more AND NOT v_moved THEN
		run_after := interval '1 minute';
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_next(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page, whether more is waiting, and when to ask for it';

CREATE FUNCTION zcsync._zendesk_fetch_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'show_many', 'ids', p_payload -> 'ids', 'include', 'users');
END;
COMMENT ON FUNCTION zcsync._zendesk_fetch_request(bigint, jsonb) IS
'the request for tickets by their ids, at most 100';

-- ---------------------------------------------------------------------
-- Documents as rows
-- ---------------------------------------------------------------------

-- The rows of a reply: a page, a list by ids, a single record.  Users that come with
-- tickets become contacts.
CREATE FUNCTION zcsync._zendesk_rows(p_account bigint, p_kind text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	IF p_request ->> 'op' = 'ticket_events' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_event_comments(p_account, zcsync._json_list(p_reply -> 'ticket_events'));
		RETURN QUERY SELECT * FROM zcsync._zendesk_event_files(p_account, zcsync._json_list(p_reply -> 'ticket_events'));
		RETURN QUERY SELECT * FROM zcsync._zendesk_merges(p_account, zcsync._json_list(p_reply -> 'ticket_events'));
		RETURN;
	ELSIF p_request ->> 'op' = 'ticket_comments' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_contacts(zcsync._json_list(p_reply -> 'users'));
		RETURN QUERY SELECT * FROM zcsync._zendesk_comments(p_account, p_request ->> 'ticket_id', p_request ->> 'as_of',
			zcsync._json_list(p_reply -> 'comments'), zcsync._json_list(p_reply -> 'users'));
		RETURN QUERY SELECT * FROM zcsync._zendesk_files(p_account, p_request ->> 'ticket_id', p_request ->> 'as_of',
			zcsync._json_list(p_reply -> 'comments'));
		-- what comments tell of their ticket: the first page of a list in order begins
		-- with the description
		RETURN QUERY
		SELECT 'tickets', t.id, NULL::text, jsonb_object_agg(e.key, e.value), NULL::jsonb, NULL::boolean
		FROM (
			SELECT t.remote_id, jsonb_build_object('opens_privately', f.is_private)
			FROM zcsync.tickets t
			CROSS JOIN LATERAL (SELECT CASE p_reply #> '{comments,0,public}' WHEN 'false' THEN true WHEN 'true' THEN false END) AS f (is_private)
			WHERE t.account_id = p_account AND t.remote_id = p_request ->> 'ticket_id' AND NOT p_request ?| '{page[after],sort}'
				AND f.is_private <> coalesce(t.opens_privately, false)
			UNION ALL
			SELECT m.remote_id, m.vals FROM zcsync._zendesk_merges(p_account,
				jsonb_build_array(jsonb_build_object('ticket_id', p_request -> 'ticket_id', 'child_events', p_reply -> 'comments'))) AS m) AS t (id, vals)
		CROSS JOIN LATERAL jsonb_each(t.vals) AS e
		GROUP BY t.id;
		RETURN;
	ELSIF p_request ->> 'op' = 'find_user' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_contacts(zcsync._json_list(p_reply -> 'users'));
		RETURN;
	ELSIF p_request ->> 'op' = 'create_user' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_contacts(jsonb_build_array(p_reply -> 'user'));
		RETURN;
	ELSIF p_request ->> 'op' = 'create_organization' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_companies(p_account, jsonb_build_array(p_reply -> 'organization'));
		RETURN;
	ELSIF p_request ->> 'op' IN ('groups', 'brands', 'ticket_forms') THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_catalogue(p_request, p_reply);
		RETURN;
	ELSIF p_kind = 'companies' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_companies(p_account, zcsync._json_list(p_reply -> 'organizations'));
		RETURN;
	ELSIF p_kind = 'fields' OR p_request ->> 'learn' = 'fields' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_fields(zcsync._json_list(p_reply -> 'ticket_fields'));
	ELSIF p_kind = 'tickets' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_tickets(p_account, zcsync._json_list(
			CASE WHEN p_reply ? 'ticket' THEN jsonb_build_array(p_reply -> 'ticket') ELSE p_reply -> 'tickets' END), zcsync._json_list(p_reply -> 'users'));
	ELSIF p_kind = 'statuses' THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_statuses(zcsync._json_list(p_reply -> 'custom_statuses'));
	END IF;
	IF p_kind IN ('tickets', 'contacts') THEN
		RETURN QUERY SELECT * FROM zcsync._zendesk_contacts(zcsync._json_list(p_reply -> 'users'));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_rows(bigint, text, jsonb, jsonb) IS
'rows of a reply of Zendesk, with the users beside tickets as contacts';

-- A follow-up names the closed ticket in its via; a split has no API, and whatever makes
-- one may name its ticket like this, too.
CREATE FUNCTION zcsync._zendesk_made_from(p_via jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT substring(p_via #>> '{source,from,ticket_id}' FROM '^[1-9][0-9]{0,18}$') WHERE p_via #>> '{source,rel}' <> 'merge';
END;
COMMENT ON FUNCTION zcsync._zendesk_made_from(jsonb) IS
'the ticket from which one was made, by its via; NULL: none';

-- Which of these tickets, of which one comment at least is public, may have begun with a
-- private one: those that are new here and were not made by an end user.  Their comments
-- tell, once they are read.
CREATE FUNCTION zcsync._zendesk_maybe_private(p_account bigint, p_list jsonb, p_users jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- whatever the statistics of the tables say
SET jit = off
AS $$
BEGIN
	RETURN ARRAY(
		SELECT d ->> 'id' FROM jsonb_array_elements(p_list) AS d
		LEFT JOIN (SELECT DISTINCT ON (e ->> 'id') e ->> 'id' AS id, e ->> 'role' AS role FROM jsonb_array_elements(p_users) AS e) AS u ON u.id = d ->> 'submitter_id'
		LEFT JOIN LATERAL (SELECT c.role FROM zcsync.contacts AS c
			WHERE u.role IS NULL AND c.account_id = p_account AND c.remote_id = d ->> 'submitter_id' OFFSET 0) AS c ON true
		LEFT JOIN LATERAL (SELECT true AS known FROM zcsync.tickets AS t
			WHERE t.account_id = p_account AND t.remote_id = d ->> 'id' OFFSET 0) AS t ON true
		WHERE d ->> 'is_public' = 'true' AND t.known IS NULL
			AND coalesce(u.role, c.role, CASE WHEN d ->> 'submitter_id' = d ->> 'requester_id' THEN 'end-user' END) IS DISTINCT FROM 'end-user');
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_maybe_private(bigint, jsonb, jsonb) IS
'which of these tickets may have begun with a private comment though others are public';

CREATE FUNCTION zcsync._zendesk_tickets(p_account bigint, p_list jsonb, p_users jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_settings jsonb;
	v_maybe text[] := zcsync._zendesk_maybe_private(p_account, p_list, p_users);
BEGIN
	SELECT a.settings INTO v_settings FROM zcsync.accounts a WHERE a.account_id = p_account;
	RETURN QUERY
	SELECT 'tickets', left(d ->> 'id', 500),
		CASE WHEN length(d ->> 'generated_timestamp') BETWEEN 1 AND 18 AND btrim(d ->> 'generated_timestamp', '0123456789') = ''
				THEN d ->> 'generated_timestamp'
			ELSE extract(epoch FROM (zcsync._utc_text(d ->> 'updated_at'))::timestamptz)::bigint::text END,
		jsonb_build_object(
			'subject', d ->> 'subject',
			'description', d ->> 'description',
			'status', left(d ->> 'status', 500),
			'custom_status_id', d ->> 'custom_status_id',
			'priority', d ->> 'priority',
			'type', d ->> 'type',
			'requester_id', d ->> 'requester_id',
			'submitter_id', d ->> 'submitter_id',
			'assignee_id', left(d ->> 'assignee_id', 500),
			'group_id', d ->> 'group_id',
			'organization_id', d ->> 'organization_id',
			'site_id', NULL,
			'brand_id', d ->> 'brand_id',
			'form_id', d ->> 'ticket_form_id',
			'problem_id', d ->> 'problem_id',
			'follower_ids', zcsync._member_list(d -> 'follower_ids', 'id'),
			'email_cc_ids', zcsync._member_list(d -> 'email_cc_ids', 'id'),
			'satisfaction', left(d #>> '{satisfaction_rating,score}', 500),
			'tags', (SELECT coalesce(jsonb_agg(e ORDER BY e COLLATE "C"), '[]') FROM jsonb_array_elements_text(zcsync._json_list(d -> 'tags')) AS e
				WHERE e IS NOT NULL),
			'due_at', zcsync._utc_text(d ->> 'due_at'),
			'external_id', d ->> 'external_id',
			'channel', d -> 'via' ->> 'channel',
			'url', zcsync._zendesk_record_url(v_settings, 'tickets', d ->> 'id'),
			'made_from_id', zcsync._zendesk_made_from(d -> 'via'),
			'custom_fields', (SELECT coalesce(jsonb_strip_nulls(jsonb_object_agg(f ->> 'id', f -> 'value')), '{}')
				FROM jsonb_array_elements(zcsync._json_list(d -> 'custom_fields')) AS f
				WHERE f ->> 'id' IS NOT NULL),
			'created_at', zcsync._utc_text(d ->> 'created_at'),
			'updated_at', zcsync._utc_text(d ->> 'updated_at'))
		|| CASE WHEN d ->> 'is_public' = 'false' OR d ->> 'id' = ANY (v_maybe) THEN '{"opens_privately": true}'::jsonb ELSE '{}' END,
		d, coalesce(d ->> 'status' = 'deleted', false)
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_tickets(bigint, jsonb, jsonb) IS
'ticket documents as rows, with the users that came beside them; the caller''s TimeZone must be UTC';

-- A user whose "active" is false was deleted.
CREATE FUNCTION zcsync._zendesk_contacts(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'contacts', left(d ->> 'id', 500),
		extract(epoch FROM (zcsync._utc_text(d ->> 'updated_at'))::timestamptz)::bigint::text,
		jsonb_build_object(
			'name', d ->> 'name',
			'email', left(d ->> 'email', 500),
			'phone', d ->> 'phone',
			'role', d ->> 'role',
			'organization_id', d ->> 'organization_id',
			'site_id', NULL,
			'external_id', d ->> 'external_id',
			'active', CASE WHEN jsonb_typeof(d -> 'active') = 'boolean' THEN d -> 'active' END,
			'time_zone', coalesce(d ->> 'iana_time_zone', d ->> 'time_zone'),
			'custom_fields', CASE WHEN jsonb_typeof(d -> 'user_fields') = 'object'
				THEN jsonb_strip_nulls(d -> 'user_fields') ELSE '{}' END,
			'created_at', zcsync._utc_text(d ->> 'created_at'),
			'updated_at', zcsync._utc_text(d ->> 'updated_at')),
		d, d -> 'active' IS NOT DISTINCT FROM 'false'::jsonb
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_contacts(jsonb) IS
'user documents as rows; the caller''s TimeZone must be UTC';

-- The domains of an organization are one text, as with other vendors.  If a document
-- says when the organization was deleted, it is.
CREATE FUNCTION zcsync._zendesk_companies(p_account bigint, p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'companies', left(d ->> 'id', 500),
		extract(epoch FROM (zcsync._utc_text(d ->> 'updated_at'))::timestamptz)::bigint::text,
		jsonb_build_object(
			'name', left(d ->> 'name', 500),
			'type', 'organization',
			'parent_id', NULL,
			'domain', left((SELECT string_agg(lower(e COLLATE "C"), ', ' ORDER BY n)
				FROM jsonb_array_elements_text(zcsync._json_list(d -> 'domain_names')) WITH ORDINALITY AS x (e, n)), 500),
			'website', NULL,
			'phone', NULL,
			'external_id', left(d ->> 'external_id', 500),
			'active', true,
			'is_prospect', NULL,
			'custom_fields', CASE WHEN jsonb_typeof(d -> 'organization_fields') = 'object'
				THEN jsonb_strip_nulls(d -> 'organization_fields') ELSE '{}' END,
			'created_at', zcsync._utc_text(d ->> 'created_at'),
			'updated_at', zcsync._utc_text(d ->> 'updated_at')),
		d, zcsync._utc_text(d ->> 'deleted_at') IS NOT NULL
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_companies(bigint, jsonb) IS
'organization documents as rows; the caller''s TimeZone must be UTC';

-- One row, once the last page is here; none where the account has no such thing.
CREATE FUNCTION zcsync._zendesk_catalogue(p_request jsonb, p_reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'fields', n.id, NULL::text,
		jsonb_build_object('scope_id', 'system', 'name', n.name, 'type', 'select', 'options', zcsync._zendesk_options(p_request, p_reply),
			'required', false, 'active', true, 'position', NULL, 'custom_fields', '{}'::jsonb, 'created_at', NULL, 'updated_at', NULL),
		NULL::jsonb, false
	FROM (VALUES ('groups', 'group', 'Group'), ('brands', 'brand', 'Brand'), ('ticket_forms', 'form', 'Ticket form')) AS n (op, id, name)
	WHERE n.op = p_request ->> 'op' AND NOT p_reply ? 'zcsync_missing' AND zcsync._zendesk_next_page(p_request, p_reply) IS NULL;
END;
COMMENT ON FUNCTION zcsync._zendesk_catalogue(jsonb, jsonb) IS
'the row for groups, brands or ticket forms, with all of them as options';

CREATE FUNCTION zcsync._zendesk_fields(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT 'fields', left(d ->> 'id', 500), NULL::text,
		jsonb_build_object(
			'scope_id', NULL,
			'name', d ->> 'title',
			'type', d ->> 'type',
			'options', coalesce(nullif(d -> 'custom_field_options', 'null'), nullif(d -> 'system_field_options', 'null')),
			'required', CASE WHEN jsonb_typeof(d -> 'required') = 'boolean' THEN d -> 'required' END,
			'active', CASE WHEN jsonb_typeof(d -> 'active') = 'boolean' THEN d -> 'active' END,
			'position', zcsync._json_integer(d -> 'position'),
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._utc_text(d ->> 'created_at'),
			'updated_at', zcsync._utc_text(d ->> 'updated_at')),
		d, false
	FROM jsonb_array_elements(p_list) AS d
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_fields(jsonb) IS
'ticket field documents as rows; the caller''s TimeZone must be UTC';

-- Statuses: those of the account, or the system statuses of Zendesk if the account has
-- none of its own.
CREATE FUNCTION zcsync._zendesk_statuses(p_list jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_list = '[]' THEN
		SELECT jsonb_agg(jsonb_build_object('id', s, 'status_category', s, 'agent_label', initcap(s COLLATE "C"),
				'active', true, 'default', true) ORDER BY n)
		INTO p_list
		FROM unnest('{new,open,pending,hold,solved,closed}'::text[]) WITH ORDINALITY AS x (s, n);
	END IF;
	RETURN QUERY
	SELECT 'statuses', left(d ->> 'id', 500), NULL::text,
		jsonb_build_object(
			'scope_id', NULL,
			'status_id', d ->> 'id',
			'name', d ->> 'agent_label',
			'category', d ->> 'status_category',
			'position', n,
			'color', NULL,
			'active', CASE WHEN jsonb_typeof(d -> 'active') = 'boolean' THEN d -> 'active' END,
			'is_default', CASE WHEN jsonb_typeof(d -> 'default') = 'boolean' THEN d -> 'default' END,
			'custom_fields', '{}'::jsonb,
			'created_at', zcsync._utc_text(d ->> 'created_at'),
			'updated_at', zcsync._utc_text(d ->> 'updated_at')),
		d, false
	FROM jsonb_array_elements(p_list) WITH ORDINALITY AS x (d, n)
	WHERE d ->> 'id' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_statuses(jsonb) IS
'status documents as rows; the caller''s TimeZone must be UTC';
