-- ---------------------------------------------------------------------
-- HaloPSA: the requests that read it.
--
-- A lane reads in passes.  A pass lists what changed since a time, in pages ordered by
-- id, so that records which change meanwhile do not shift the pages that are not read
-- yet.  The next pass begins five minutes before the latest change that this one saw,
-- or before its own beginning if that is earlier.
--
-- Lists of tickets, opportunities and projects are lean: tags and most custom fields
-- are missing.  So they serve as an index only.  Each record whose time of change
-- differs from that of its mirror row is read by a job of its own ("fetch"), after the
-- changes that wait to be sent, and before the history.  A record that cannot be read
-- does not delay the others.  With "details": false in the scope, the rows of lists
-- are stored as they are.
--
-- No list of changes shows deleted records: all ids are compared once a day, see
-- mirror/comparison.sql.
--
-- A cursor:
--
--   from      changes since then are listed
--   page      page of the pass
--   count     records of the pass, as its last page said
--   size      most records that a page of it had
--   first     where they are not counted: the first record of the last page
--   began     when the pass began
--   max       the latest change seen in it
--   unasked   the pass listed records that had not changed
--   entity    of companies: Client, and then Site
--   todo      of catalogues: the requests that are left
--   listed    of history: all pages were read
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_scope_check(p_kind text, p_scope jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_member record;
BEGIN
	FOR v_member IN SELECT e.key, e.value FROM jsonb_each(p_scope) AS e ORDER BY e.key LOOP
		IF p_kind NOT IN ('tickets', 'leads') OR v_member.key NOT IN ('ticket_type_id', 'client_id', 'details') THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('scope of HaloPSA %s has no member "%s"', p_kind, left(v_member.key, 80)),
				HINT = CASE WHEN p_kind IN ('tickets', 'leads')
					THEN 'It may have "ticket_type_id" and "client_id", as in {"ticket_type_id": 36}, and "details": false.'
					ELSE 'Leave the scope out.' END;
		ELSIF v_member.key = 'details' AND jsonb_typeof(v_member.value) <> 'boolean' THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = 'details must be true or false',
				HINT = 'False stores the rows of lists, without tags and custom fields, and takes a hundredth of the calls.';
		ELSIF v_member.key <> 'details' AND zcsync._halopsa_read_id(v_member.value) IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('%s must be a number: %s', v_member.key, left(v_member.value #>> '{}', 80)),
				HINT = 'zcsync.discover() shows ticket types with their numbers.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_scope_check(text, jsonb) IS
'raises an error unless the scope is valid for a stream of this kind';

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------

-- The entity by which the records of a kind are listed.
CREATE FUNCTION zcsync._halopsa_entity(p_kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind WHEN 'tickets' THEN 'Tickets' WHEN 'leads' THEN 'Opportunities' WHEN 'projects' THEN 'Projects'
		WHEN 'contacts' THEN 'Users' WHEN 'companies' THEN 'Client' END;
END;
COMMENT ON FUNCTION zcsync._halopsa_entity(text) IS
'the entity of HaloPSA that records of a kind are listed by';

-- A list of all records of an entity, whatever their state: HaloPSA's default view may
-- leave some out.
CREATE FUNCTION zcsync._halopsa_list_request(p_entity text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', 'list', 'entity', p_entity, 'pageinate', true, 'page_size', 100,
			'order', 'id', 'orderdesc', false)
		|| CASE p_entity
			WHEN 'Tickets' THEN '{"domain": "reqs", "includeclosed": true}'::jsonb
			WHEN 'Opportunities' THEN '{"domain": "opps", "includeclosed": true}'
			WHEN 'Projects' THEN '{"domain": "prjs", "includeclosed": true}'
			ELSE '{"includeactive": true, "includeinactive": true}' END;
END;
COMMENT ON FUNCTION zcsync._halopsa_list_request(text) IS
'a request that lists the records of an entity in pages by their ids';

-- How many records an account has: a request that counts them, or NULL.
CREATE FUNCTION zcsync._halopsa_estimate_request(p_kind text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._halopsa_list_request(zcsync._halopsa_entity(p_kind)) || '{"page_no": 1, "page_size": 1}'
	WHERE p_kind IN ('tickets', 'leads', 'projects', 'contacts', 'companies');
END;
COMMENT ON FUNCTION zcsync._halopsa_estimate_request(text) IS
'a request whose reply has the number of records at record_count, or NULL if there is none for this kind';

-- How far a lane is: the stored cursor, or a new one.  The vendor's clock may be slow.
CREATE FUNCTION zcsync._halopsa_cursor(p_stream_id bigint, p_lane text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
	SELECT CASE WHEN c.cursor ? 'from' THEN c.cursor ELSE jsonb_build_object('from', c.start, 'page', 1) END
	FROM (SELECT
			CASE p_lane WHEN 'history' THEN s.history_cursor ELSE s.live_cursor END,
			CASE p_lane WHEN 'history' THEN coalesce(s.since, s.created_at) ELSE s.created_at - interval '15 minutes' END
		FROM zcsync.streams s WHERE s.stream_id = p_stream_id) AS c (cursor, start)
$$;
COMMENT ON FUNCTION zcsync._halopsa_cursor(bigint, text) IS
'cursor of a lane: the stored one, or that of a beginning';

-- Jobs of this stream that will read single records.
CREATE FUNCTION zcsync._halopsa_waiting(p_account bigint, p_stream bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(*) FROM zcsync.sync_queue q
	WHERE q.account_id = p_account AND q.stream_id = p_stream AND q.operation = 'fetch' AND q.state IN ('ready', 'running')
$$;
COMMENT ON FUNCTION zcsync._halopsa_waiting(bigint, bigint) IS
'number of records of a stream that are still to be read singly';

-- The next request of a lane.  NULL, and thus no call, for a history while many of its
-- records wait to be read: it goes on when fewer are left than two minutes of calls can
-- read, and ends when none is left.
CREATE FUNCTION zcsync._halopsa_pull_request(p_stream_id bigint, p_lane text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_cursor jsonb;
	v_request jsonb;
	v_may_wait double precision;	-- records that are still to be read one by one
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	IF v_stream.kind IN ('fields', 'statuses') THEN
		RETURN zcsync._halopsa_walk(p_stream_id) -> 'todo' -> 0;
	END IF;
	v_cursor := zcsync._halopsa_cursor(p_stream_id, p_lane);
	IF p_lane = 'history' AND (v_cursor ? 'listed' OR v_cursor ->> 'page' <> '1') THEN
		v_may_wait := CASE WHEN v_cursor ? 'listed' THEN 0
			ELSE greatest(200, 2 * zcsync._calls_a_minute(v_stream.account_id, 'api')) END;
		IF zcsync._halopsa_waiting(v_stream.account_id, p_stream_id) > v_may_wait THEN
			RETURN NULL;
		END IF;
	END IF;
	v_request := zcsync._halopsa_list_request(coalesce(v_cursor ->> 'entity', zcsync._halopsa_entity(v_stream.kind)))
		|| jsonb_build_object('page_no', v_cursor -> 'page',
			'lastupdatefromdate', to_char((v_cursor ->> 'from')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'),
			'began', coalesce(v_cursor ->> 'began', to_jsonb(zcsync._now() AT TIME ZONE 'UTC') #>> '{}' || '+00:00'))
		|| CASE WHEN v_stream.scope ? 'ticket_type_id'
			THEN jsonb_build_object('requesttype', zcsync._halopsa_read_id(v_stream.scope -> 'ticket_type_id')) ELSE '{}' END
		|| CASE WHEN v_stream.scope ? 'client_id'
			THEN jsonb_build_object('client_id', zcsync._halopsa_read_id(v_stream.scope -> 'client_id')) ELSE '{}' END
		|| CASE WHEN v_stream.kind IN ('tickets', 'leads', 'projects') AND v_stream.scope -> 'details' IS DISTINCT FROM 'false'
			THEN '{"index": true, "per_page": 1}'::jsonb ELSE '{}' END;
	RETURN v_request;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_pull_request(bigint, text) IS
'the next request of a lane of a stream; NULL while it has to wait for records that are read one by one';

-- A single record.
CREATE FUNCTION zcsync._halopsa_fetch_request(p_stream_id bigint, p_payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE s.kind
		WHEN 'companies' THEN jsonb_build_object('op', 'get', 'includedetails', true,
			'entity', CASE WHEN i.id LIKE 'site-%' THEN 'Site' ELSE 'Client' END, 'id', replace(i.id, 'site-', ''))
		ELSE jsonb_build_object('op', 'get', 'includedetails', true, 'entity', zcsync._halopsa_entity(s.kind), 'id', i.id) END
	FROM zcsync.streams s, (SELECT p_payload -> 'ids' ->> 0) AS i (id)
	WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._halopsa_fetch_request(bigint, jsonb) IS
'the request for a record by its id: HaloPSA has none for several, so such a job names one';

-- Queue jobs that read single records.  A record whose job failed for good within the
-- last hour is left alone.
CREATE FUNCTION zcsync._halopsa_enqueue_fetches(p_stream_id bigint, p_ids text[], p_priority integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._enqueue(ARRAY(
		SELECT zcsync._job(s.account_id, zcsync._kind_queue(s.kind), 'fetch', 'api', k.key, k.key,
			jsonb_build_object('ids', jsonb_build_array(i.id)), p_priority, p_stream => s.stream_id, p_kind => s.kind)
		FROM zcsync.streams s
		CROSS JOIN (SELECT DISTINCT id FROM unnest(p_ids) AS u (id) WHERE id IS NOT NULL) AS i
		CROSS JOIN LATERAL (SELECT zcsync._fetch_key(s.stream_id, i.id)) AS k (key)
		WHERE s.stream_id = p_stream_id
			AND NOT EXISTS (SELECT FROM zcsync.dead_letters d
				WHERE d.account_id = s.account_id AND d.dedupe_key = k.key AND d.died_at > zcsync._now() - interval '1 hour')
		ORDER BY k.key));
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_enqueue_fetches(bigint, text[], integer) IS
'queues jobs that read single records of a stream';

-- ---------------------------------------------------------------------
-- Where a lane goes on
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._halopsa_next(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_kind text := (SELECT s.kind FROM zcsync.streams s WHERE s.stream_id = p_stream_id);
BEGIN
	IF v_kind IN ('fields', 'statuses') THEN
		RETURN QUERY SELECT n.*, NULL::interval FROM zcsync._halopsa_next_catalogue(p_stream_id, p_request, p_reply) AS n;
	ELSE
		RETURN QUERY SELECT * FROM zcsync._halopsa_next_page(p_stream_id, p_lane, p_request, p_reply);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_next(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page, whether more is waiting, and when to ask for it; queues the reading of single records';

-- After a page of a pass.  If records left the list meanwhile, later ones have moved
-- forward, past the page just read: then that page is read again.  A server may give
-- fewer records a page than requested, so the pass goes on until its pages, by the size
-- that they have, cover all records that HaloPSA counts, or a page is empty.  If
-- HaloPSA does not count, the pass ends with a page that is shorter than one before, or
-- that begins with the same record as the one before: such a server has no pages.
CREATE FUNCTION zcsync._halopsa_next_page(p_stream_id bigint, p_lane text, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean, OUT run_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_page integer := (p_request ->> 'page_no')::integer;
	v_list jsonb := zcsync._halopsa_list(p_reply);
	v_count bigint := CASE WHEN p_reply ->> 'record_count' ~ '^[0-9]{1,15}$' THEN (p_reply ->> 'record_count')::bigint END;
	v_size integer;
	v_first jsonb := v_list -> 0 -> 'id';
	v_max text;
	v_shrunk boolean;
BEGIN
	cursor := zcsync._halopsa_cursor(p_stream_id, p_lane);
	IF cursor ? 'listed' THEN
		more := false;
		RETURN;
	END IF;
	IF p_request ? 'index' THEN
		PERFORM zcsync._halopsa_index(p_stream_id, p_lane, v_list);
	END IF;
	IF zcsync._halopsa_check_filter(p_stream_id, v_list, (p_request ->> 'lastupdatefromdate')::timestamptz) THEN
		cursor := cursor || '{"unasked": true}';
	END IF;

	SELECT max(coalesce(zcsync._halopsa_version(d), zcsync._halopsa_read_time(d ->> 'lastactiondate')) COLLATE "C") INTO v_max FROM jsonb_array_elements(v_list) AS d;
	v_shrunk := v_page > 1 AND v_count < (cursor ->> 'count')::bigint;
	v_size := greatest((cursor ->> 'size')::integer, jsonb_array_length(v_list));
	more := coalesce(v_page::bigint * v_size < v_count, jsonb_array_length(v_list) = v_size AND v_first IS DISTINCT FROM cursor -> 'first');
	cursor := cursor - 'first' || jsonb_strip_nulls(jsonb_build_object('began', p_request -> 'began', 'count', v_count, 'size', v_size,
		'first', CASE WHEN v_count IS NULL THEN v_first END,
		'max', greatest(cursor ->> 'max', v_max COLLATE "C")));
	IF v_shrunk THEN
		more := true;
		cursor := cursor || jsonb_build_object('page', v_page - 1);
	ELSIF v_list <> '[]' AND more THEN
		cursor := cursor || jsonb_build_object('page', v_page + 1);
	ELSE
		SELECT n.* INTO cursor, more, run_after FROM zcsync._halopsa_end_pass(p_stream_id, p_lane, p_request, cursor) AS n;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_next_page(bigint, text, jsonb, jsonb) IS
'cursor of a lane after a page of a list of changes';

-- After the last page.  A history is complete only when the records that it listed have
-- been read, too; the page that is requested at that moment is a last one that brings
-- nothing.
CREATE FUNCTION zcsync._halopsa_end_pass(p_stream_id bigint, p_lane text, p_request jsonb, p_cursor jsonb,
	OUT cursor jsonb, OUT more boolean, OUT run_after interval)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_latest timestamptz := CASE WHEN p_cursor ? 'max' THEN
		least((p_cursor ->> 'max')::timestamptz, (p_cursor ->> 'began')::timestamptz) END;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	more := true;
	IF v_stream.kind = 'companies' AND p_request ->> 'entity' = 'Client' THEN
		cursor := p_cursor - '{count,size,first}'::text[] || '{"page": 1, "entity": "Site"}';
		RETURN;
	END IF;
	IF p_lane = 'history' THEN
		cursor := p_cursor || '{"listed": true}';
		more := zcsync._halopsa_waiting(v_stream.account_id, p_stream_id) > 0;
		run_after := interval '1 second';
		RETURN;
	END IF;

	IF NOT p_cursor ? 'unasked' THEN
		PERFORM zcsync._resolve_alert('halopsa_filter', a.name || '/' || v_stream.kind)
		FROM zcsync.accounts a WHERE a.account_id = v_stream.account_id;
	END IF;
	cursor := p_cursor - '{began,count,size,first,entity,max,unasked}'::text[] || jsonb_build_object('page', 1,
		'from', greatest((p_cursor ->> 'from')::timestamptz, v_latest - interval '5 minutes'));
	more := false;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_end_pass(bigint, text, jsonb, jsonb) IS
'cursor of a lane after the last page of a pass, and whether more follows at once';

-- Queue the reading of those records of an index that differ from the mirror, and of the
-- comments of those that were acted on.
CREATE FUNCTION zcsync._halopsa_index(p_stream_id bigint, p_lane text, p_list jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
	v_ids text[];
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	EXECUTE format($sql$
		SELECT array_agg(d.id)
		FROM (SELECT zcsync._halopsa_read_id(e -> 'id'), zcsync._halopsa_version(e), zcsync._halopsa_read_time(e ->> 'lastactiondate')
			FROM jsonb_array_elements($1) AS e
			WHERE ($3 ->> 'ticket_type_id' IS NULL OR NOT e ? 'tickettype_id'
					OR zcsync._halopsa_read_id(e -> 'tickettype_id') = zcsync._halopsa_read_id($3 -> 'ticket_type_id'))
				AND ($3 ->> 'client_id' IS NULL OR NOT e ? 'client_id'
					OR zcsync._halopsa_read_id(e -> 'client_id') = zcsync._halopsa_read_id($3 -> 'client_id'))) AS d (id, version, acted)
		LEFT JOIN zcsync.%I t ON t.account_id = $2 AND t.remote_id = d.id
		WHERE t.local_id IS NULL OR t.deleted_at IS NOT NULL OR t.remote_version IS NULL OR CASE
			WHEN d.version IS NULL THEN zcsync._halopsa_read_time(t.remote ->> 'lastactiondate') IS DISTINCT FROM d.acted
			ELSE zcsync._is_older(t.remote_version, d.version) END$sql$, v_stream.kind)
	INTO v_ids USING p_list, v_stream.account_id, v_stream.scope;
	PERFORM zcsync._halopsa_enqueue_fetches(p_stream_id, v_ids, CASE p_lane WHEN 'history' THEN 65 ELSE 55 END);
	UPDATE zcsync.streams s SET records_done = s.records_done + jsonb_array_length(p_list)
	WHERE s.stream_id = p_stream_id AND p_lane = 'history';
	-- an action may leave the time of the last change as it was
	IF v_stream.comments_at IS NOT NULL THEN
		PERFORM zcsync._note_conversations(v_stream.account_id, v_stream.kind, false, interval '0', ARRAY(
			SELECT ROW(d.id, greatest(d.version, d.acted), '{}', NULL, false)::zcsync.document
			FROM (SELECT zcsync._halopsa_read_id(e -> 'id'), zcsync._halopsa_version(e) COLLATE "C", zcsync._halopsa_read_time(e ->> 'lastactiondate') COLLATE "C"
				FROM jsonb_array_elements(p_list) AS e) AS d (id, version, acted)
			WHERE d.id IS NOT NULL));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_index(bigint, text, jsonb) IS
'queues the reading of the records of a list that changed';

-- HaloPSA ignores parameters that it does not know, and then lists everything.  Returns
-- whether this list is of that kind.  The alert is closed by the first pass of the live
-- lane without such a list, see _halopsa_end_pass().
CREATE FUNCTION zcsync._halopsa_check_filter(p_stream_id bigint, p_list jsonb, p_from timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text;
	v_kind text;
BEGIN
	PERFORM FROM jsonb_array_elements(p_list) AS d
	WHERE zcsync._halopsa_version(d)::timestamptz < p_from - interval '1 hour' LIMIT 1;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	SELECT a.name, s.kind INTO v_name, v_kind FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
	WHERE s.stream_id = p_stream_id;
	PERFORM zcsync._alert('halopsa_filter', v_name || '/' || v_kind, 'warning',
		format('HaloPSA lists %s of account "%s" that did not change: it ignores lastupdatefromdate', v_kind, v_name),
		format('Each reading lists all records. To read less often: SELECT zcsync.alter_stream(''%s/%s'', pull_interval => ''15 minutes'');',
			v_name, v_kind));
	RETURN true;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_check_filter(bigint, jsonb, timestamptz) IS
'does a list hold records that it was not asked for? raises an alert then';

-- ---------------------------------------------------------------------
-- The comparison of all ids, see mirror/comparison.sql
-- ---------------------------------------------------------------------

-- All ids: in one list (page 0), which not every build offers, else in pages.
CREATE FUNCTION zcsync._halopsa_compare_request(p_stream_id bigint, p_pass jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._halopsa_list_request(coalesce(p_pass ->> 'entity', zcsync._halopsa_entity(s.kind)))
		|| CASE WHEN s.kind IN ('tickets', 'leads', 'projects') THEN '{"ticketidonly": true}'::jsonb ELSE '{"idonly": true}' END
		|| '{"ids": true}'
		|| CASE coalesce(p_pass ->> 'page', '0') WHEN '0' THEN '{"pageinate": false, "count": 10000000}'::jsonb
			ELSE jsonb_build_object('page_no', p_pass -> 'page') END
	FROM zcsync.streams s WHERE s.stream_id = p_stream_id
$$;
COMMENT ON FUNCTION zcsync._halopsa_compare_request(bigint, jsonb) IS
'a request of the comparison of all ids';

-- Compare a page of ids with the mirror rows between the last id of the page
-- before and its own last one.
CREATE FUNCTION zcsync._halopsa_compare_ids(p_stream_id bigint, p_ids bigint[], p_prefix text, p_after bigint, p_to bigint,
	OUT gone text[], OUT lacking text[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	-- A record that was created before the stream's beginning need not be here.  Ids
	-- rise with time, so only those above the first record created since then must be.
	-- A record that is marked as deleted here and is listed there exists again.
	EXECUTE format($sql$
		WITH here AS (
			SELECT t.remote_id, substr(t.remote_id, length($2) + 1)::bigint AS id, t.created_at, t.deleted_at
			FROM zcsync.%I t
			WHERE t.account_id = $1 AND t.remote_id ~ ('^' || $2 || '[0-9]{1,18}$'))
		SELECT (SELECT array_agg(h.remote_id) FROM here h
				WHERE h.deleted_at IS NULL AND h.id > $4 AND h.id <= $5 AND h.id <> ALL ($6)),
			ARRAY(SELECT $2 || u.id FROM unnest($6) AS u (id)
				LEFT JOIN here h ON h.id = u.id
				WHERE h.deleted_at IS NOT NULL OR (h.id IS NULL AND u.id >= (SELECT min(f.id) FROM here f WHERE f.created_at >= $3))
				ORDER BY u.id LIMIT 1000)$sql$, v_stream.kind)
	INTO gone, lacking
	USING v_stream.account_id, p_prefix, coalesce(v_stream.since, v_stream.created_at), p_after, p_to, p_ids;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_compare_ids(bigint, bigint[], text, bigint, bigint) IS
'rows of the mirror that a list of ids lacks, and ids whose records are to be read';

-- Where the comparison is:
--
--   page      page of ids; 0: all at once
--   last      the last id of the page before
--   read      number of ids so far, of this entity
--   entity    of companies: Client, and then Site
--   listed    number of ids so far
CREATE FUNCTION zcsync._halopsa_compare(p_stream_id bigint, p_pass jsonb, p_request jsonb, p_reply jsonb)
RETURNS TABLE (pass jsonb, gone text[], lacking text[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_page integer := coalesce((p_pass ->> 'page')::integer, 0);
	v_after bigint := coalesce((p_pass ->> 'last')::bigint, 0);
	v_read bigint := coalesce((p_pass ->> 'read')::bigint, 0);
	v_listed bigint := coalesce((p_pass ->> 'listed')::bigint, 0);
	v_ids bigint[];
	v_count bigint := CASE WHEN p_reply ->> 'record_count' ~ '^[0-9]{1,15}$' THEN (p_reply ->> 'record_count')::bigint END;
	v_last boolean;
BEGIN
	SELECT coalesce(array_agg(i.id ORDER BY i.id), '{}') INTO v_ids
	FROM (SELECT DISTINCT zcsync._halopsa_read_id(CASE jsonb_typeof(e) WHEN 'object' THEN e -> 'id' ELSE e END)::bigint
		FROM jsonb_array_elements(zcsync._halopsa_list(p_reply)) AS e) AS i (id)
	WHERE i.id IS NOT NULL;
	-- the list was cut off
	IF v_page = 0 AND cardinality(v_ids) < coalesce(v_count, CASE WHEN cardinality(v_ids) = 50 THEN 51 ELSE 0 END) THEN
		pass := p_pass || '{"page": 1}';
		RETURN NEXT;
		RETURN;
	END IF;
	-- a server may give fewer ids a page than it was asked for
	v_read := v_read + cardinality(v_ids);
	v_listed := v_listed + cardinality(v_ids);
	v_last := v_page = 0 OR v_ids = '{}' OR coalesce(v_read >= v_count, false);
	SELECT c.gone, c.lacking INTO gone, lacking
	FROM zcsync._halopsa_compare_ids(p_stream_id, v_ids, CASE p_request ->> 'entity' WHEN 'Site' THEN 'site-' ELSE '' END,
		v_after, CASE WHEN v_last THEN 9223372036854775807 ELSE v_ids[cardinality(v_ids)] END) AS c;
	IF NOT v_last THEN
		pass := p_pass || jsonb_build_object('page', v_page + 1, 'read', v_read, 'last', v_ids[cardinality(v_ids)], 'listed', v_listed);
	ELSIF p_request ->> 'entity' = 'Client' THEN
		pass := jsonb_build_object('entity', 'Site', 'listed', v_listed);
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_compare(bigint, jsonb, jsonb, jsonb) IS
'what a list of ids says: where the comparison goes on, rows that are missing in it, ids to read';

-- ---------------------------------------------------------------------
-- Catalogues
-- ---------------------------------------------------------------------

-- What a stream of fields or statuses has still to read.  A walk that gets stuck begins
-- again after an hour.
CREATE FUNCTION zcsync._halopsa_walk(p_stream_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream zcsync.streams;
BEGIN
	SELECT * INTO STRICT v_stream FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	IF v_stream.live_cursor -> 'todo' -> 0 IS NOT NULL
		AND (v_stream.live_cursor ->> 'started')::timestamptz > zcsync._now() - interval '1 hour' THEN
		RETURN v_stream.live_cursor;
	END IF;
	RETURN jsonb_build_object('started', zcsync._now(), 'todo', zcsync._halopsa_catalogue(v_stream.kind));
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_walk(bigint) IS
'what a stream of fields or statuses has still to read';

CREATE FUNCTION zcsync._halopsa_catalogue(p_kind text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind
		WHEN 'statuses' THEN '[{"op": "list", "entity": "Status", "type": "ticket", "showall": true},
			{"op": "list", "entity": "Status", "type": "opportunity", "showall": true}]'::jsonb
		ELSE '[{"op": "list", "entity": "FieldInfo", "includevalues": true},
			{"op": "list", "entity": "Priority"},
			{"op": "list", "entity": "Team", "showall": true},
			{"op": "list", "entity": "Agent", "includeenabled": true, "includedisabled": true},
			{"op": "list", "entity": "Outcome", "showhidden": true, "may_be_refused": true},
			{"op": "list", "entity": "TicketType", "showall": true}]' END;
END;
COMMENT ON FUNCTION zcsync._halopsa_catalogue(text) IS
'the requests that read the statuses, or the fields and what else tickets refer to';

-- The list of ticket types does not say which fields are required, so each type is read
-- by itself.
CREATE FUNCTION zcsync._halopsa_next_catalogue(p_stream_id bigint, p_request jsonb, p_reply jsonb,
	OUT cursor jsonb, OUT more boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_found jsonb;
BEGIN
	cursor := zcsync._halopsa_walk(p_stream_id);
	IF p_request ->> 'entity' = 'TicketType' AND p_request ->> 'op' = 'list' THEN
		SELECT jsonb_agg(jsonb_build_object('op', 'get', 'entity', 'TicketType', 'id', i.id, 'includedetails', true, 'may_be_gone', true) ORDER BY n)
		INTO v_found
		FROM jsonb_array_elements(zcsync._halopsa_list(p_reply)) WITH ORDINALITY AS x (d, n)
		CROSS JOIN LATERAL (SELECT zcsync._halopsa_read_id(d -> 'id')) AS i (id)
		WHERE i.id IS NOT NULL;
	END IF;
	SELECT cursor || jsonb_build_object('todo',
		coalesce(jsonb_agg(e ORDER BY n) FILTER (WHERE e <> p_request), '[]') || coalesce(v_found, '[]'))
	INTO cursor FROM jsonb_array_elements(cursor -> 'todo') WITH ORDINALITY AS x (e, n);
	more := cursor -> 'todo' <> '[]';
END
$$;
COMMENT ON FUNCTION zcsync._halopsa_next_catalogue(bigint, jsonb, jsonb) IS
'what a walk through the catalogues has still to read after a reply';
