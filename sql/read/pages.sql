-- ---------------------------------------------------------------------
-- Pages: tickets, tasks and leads a page at a time, short lists of them, and a
-- report that streams.
--
-- A page begins where its cursor points: behind the sort key and the local_id of the
-- last row of the page before.  So each page costs the same, rows with equal keys are
-- neither skipped nor repeated, and rows that are inserted meanwhile shift nothing.
-- One row more than the page has is read, which shows whether there are more.
--
-- NULL comes first in descending and last in ascending order, which is the order of the
-- indexes: a record that its vendor does not have yet has no created_at, and is the
-- newest.  So the rows behind a cursor are one or two ranges of an index, one with keys
-- and one with NULLs, since no comparison that an index supports covers both.
--
-- An index in whose order the rows can be read is used, however few rows there are by
-- the statistics.  Hence sorting is off; the planner then sorts only if there is no
-- other way.
--
-- Rows are read with the rights of the caller.
-- ---------------------------------------------------------------------

-- A cursor is a position and grants no right: a made-up cursor shows nothing that the
-- pages after the first one would not show.  Its checksum is against accidents only.
CREATE FUNCTION zcsync._encode_cursor(p_list jsonb, p_key jsonb, p_local_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_document bytea := convert_to((p_list || jsonb_build_array(p_key, p_local_id))::text, 'UTF8');
BEGIN
	RETURN translate(encode(substr(sha256(v_document), 1, 6) || v_document, 'base64'), '+/=' || chr(10), '-_');
END
$$;
COMMENT ON FUNCTION zcsync._encode_cursor(jsonb, jsonb, bigint) IS
'the cursor of a row, fit for a URL: the list it is in (kind, sort key, order, account), its key and its local_id';

CREATE FUNCTION zcsync._decode_cursor(p_cursor text, p_list jsonb, p_type regtype, OUT key text, OUT local_id bigint)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_bytes bytea;
	v_document jsonb;
	v_other jsonb;		-- the list that it belongs to, if that is another one
BEGIN
	BEGIN
		v_bytes := decode(rpad(translate(p_cursor, '-_', '+/'), (length(p_cursor) + 3) / 4 * 4, '='), 'base64');
		v_document := CASE WHEN substr(v_bytes, 1, 6) = substr(sha256(substr(v_bytes, 7)), 1, 6)
			THEN convert_from(substr(v_bytes, 7), 'UTF8') END;
		IF jsonb_array_length(v_document) = 6 AND v_document - 5 - 4 <> p_list THEN
			v_other := v_document - 5 - 4;
		ELSIF jsonb_array_length(v_document) = 6 THEN
			local_id := v_document ->> 5;
			key := v_document ->> 4;
			EXECUTE format('SELECT %L::%s', key, p_type);	-- raises an error if it is no value of that type
		END IF;
	EXCEPTION WHEN data_exception THEN
		local_id := NULL;
	END;
	IF v_other IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the cursor belongs to another list',
			DETAIL = format('It belongs to %s, this is %s.', zcsync._list_text(v_other), zcsync._list_text(p_list)),
			HINT = 'Begin without a cursor when the sort key, the order or the account changes.';
	ELSIF local_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid cursor "%s"', zcsync._shorten(p_cursor, 60)),
			HINT = 'Pass next_cursor of the page before as it is, and NULL for the first page.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._decode_cursor(text, jsonb, regtype) IS
'key and local_id of the row that a cursor points to; an error unless it is a cursor of this list';

CREATE FUNCTION zcsync._list_text(p_list jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('%s by %s %s', p_list ->> 0, p_list ->> 1, p_list ->> 2)
		|| CASE WHEN p_list ->> 3 IS NULL THEN ' of all accounts' ELSE format(' of account "%s"', p_list ->> 3) END;
END;
COMMENT ON FUNCTION zcsync._list_text(jsonb) IS
'what a list has and in which order, in words';

CREATE FUNCTION zcsync._check_rows(p_name text, p_rows integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (p_rows > 0) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for argument "%s": %s', p_name, coalesce(p_rows::text, 'NULL')),
			HINT = 'It is a number of rows, at least 1.';
	END IF;
	RETURN p_rows;
END
$$;
COMMENT ON FUNCTION zcsync._check_rows(text, integer) IS
'the number of rows that the caller wants; an error unless it is at least 1';

-- Without preloading the setting may not exist, and it is empty after SET LOCAL.
CREATE FUNCTION zcsync._page_rows(p_page_size integer) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT least(zcsync._check_rows('page_size', p_page_size), coalesce(nullif(current_setting('zcsync.page_max', true), ''), '100')::integer);
END;
COMMENT ON FUNCTION zcsync._page_rows(integer) IS
'the number of rows that a page has if the caller wants this many: at most zcsync.page_max';

-- Pages by created_at and local_id are read from an index; by another key, the rows
-- behind the cursor are sorted.
CREATE FUNCTION zcsync._sort_keys(p_kind text) RETURNS TABLE (name text, type regtype)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT k.name, k.type::regtype
	FROM (VALUES
		(1, NULL, 'created_at', 'timestamptz'), (2, NULL, 'local_id', 'bigint'), (3, NULL, 'updated_at', 'timestamptz'),
		(4, 'tickets', 'due_at', 'timestamptz'), (5, 'tickets', 'status', 'text'), (6, 'tickets', 'subject', 'text'),
		(4, 'tasks', 'due_at', 'timestamptz'), (5, 'tasks', 'status', 'text'), (6, 'tasks', 'priority', 'integer'), (7, 'tasks', 'name', 'text'),
		(4, 'leads', 'quality', 'integer'), (5, 'leads', 'value', 'numeric'), (6, 'leads', 'last_name', 'text'), (7, 'leads', 'company', 'text')
	) AS k (n, kind, name, type)
	WHERE k.kind IS NULL OR k.kind = p_kind
	ORDER BY k.n;
END;
COMMENT ON FUNCTION zcsync._sort_keys(text) IS
'the columns by which pages of a kind can be sorted';

-- The rows behind a cursor, as conditions that an index can serve in order.  The
-- account is written as a range of a single value, which only the index of accounts can
-- serve in order.  With an equality, the planner could choose the index of all
-- accounts, and would read a great many rows of other accounts if this one has few.
CREATE FUNCTION zcsync._page_ranges(p_key text, p_type regtype, p_order text, p_account bigint, p_cursor boolean, p_at text) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT CASE
			WHEN NOT p_cursor THEN ARRAY[r.every]
			WHEN p_at IS NULL AND p_order = 'desc' THEN
				ARRAY[r.keyless || format(' AND t.local_id %s $2', o.behind), r.every || format(' AND t.%I IS NOT NULL', p_key)]
			WHEN p_at IS NULL THEN ARRAY[r.keyless || format(' AND t.local_id %s $2', o.behind)]
			WHEN p_order = 'desc' THEN ARRAY[r.keyed]
			ELSE ARRAY[r.keyed, r.keyless] END
		FROM (SELECT CASE p_order WHEN 'desc' THEN '<' ELSE '>' END, CASE p_order WHEN 'desc' THEN '>=' ELSE '<=' END) AS o (behind, within)
		CROSS JOIN LATERAL (SELECT
			CASE WHEN p_account IS NULL THEN 'true' ELSE 't.account_id BETWEEN $3 AND $3' END,
			format('t.%I IS NULL', p_key) || CASE WHEN p_account IS NULL THEN '' ELSE ' AND t.account_id = $3' END,
			CASE WHEN p_account IS NULL THEN format('(t.%I, t.local_id) %s ($1::%s, $2)', p_key, o.behind, p_type)
				ELSE format('(t.account_id, t.%I, t.local_id) %s ($3, $1::%s, $2) AND t.account_id %s $3', p_key, o.behind, p_type, o.within)
			END) AS r (every, keyless, keyed));
END
$$;
COMMENT ON FUNCTION zcsync._page_ranges(text, regtype, text, bigint, boolean, text) IS
'which rows are behind a cursor, as one or two conditions with parameters';

-- The query of a page, and its parameters $1 to $5: key and local_id of the cursor, the
-- account, the number of rows, the list.  This reads no row; the caller has the query
-- run.  No value from outside is in its text, and the sort key must be in the list above.
CREATE FUNCTION zcsync._page_query(p_kind text, p_columns text[], p_cursor text, p_page_size integer, p_sort_by text,
	p_sort_order text, p_account text, OUT query text, OUT key text, OUT local_id bigint, OUT account_id bigint, OUT rows integer, OUT list jsonb)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_order text := lower(p_sort_order COLLATE "C");
	v_type regtype := (SELECT k.type FROM zcsync._sort_keys(p_kind) AS k WHERE k.name = p_sort_by);
	v_sort text;
	v_columns text := (SELECT string_agg('t.' || quote_ident(c), ', ') FROM unnest(p_columns) AS c);
	v_ranges text;
BEGIN
	rows := zcsync._page_rows(p_page_size);
	list := jsonb_build_array(p_kind, p_sort_by, v_order, p_account);
	account_id := CASE WHEN p_account IS NOT NULL THEN zcsync.account(p_account) END;
	IF v_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('cannot sort %s by %s', p_kind, coalesce('"' || left(p_sort_by, 80) || '"', 'NULL')),
			HINT = format('sort_by is one of: %s.', (SELECT string_agg(k.name, ', ') FROM zcsync._sort_keys(p_kind) AS k));
	ELSIF (v_order IN ('asc', 'desc')) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid sort order %s', coalesce('"' || left(p_sort_order, 80) || '"', 'NULL')),
			HINT = 'sort_order is asc or desc.';
	END IF;
	IF p_cursor IS NOT NULL THEN
		SELECT c.key, c.local_id INTO key, local_id FROM zcsync._decode_cursor(p_cursor, list, v_type) AS c;
	END IF;
	v_sort := concat('t.account_id ' || CASE WHEN account_id IS NOT NULL THEN v_order || ', ' END,
		't.sort_key ', v_order, ', t.local_id ', v_order);
	SELECT string_agg(format('(SELECT t.account_id, t.local_id, t.remote_id, %s, t.%I AS sort_key FROM zcsync.%I AS t '
			'WHERE t.deleted_at IS NULL%s AND %s ORDER BY %s LIMIT $4 + 1)', v_columns, p_sort_by, p_kind,
			CASE WHEN p_kind = 'leads' THEN ' AND t.merged_into IS NULL' END, r.range, replace(v_sort, 't.sort_key', 'sort_key')),
		' UNION ALL ' ORDER BY r.n)
	INTO v_ranges
	FROM unnest(zcsync._page_ranges(p_sort_by, v_type, v_order, account_id, p_cursor IS NOT NULL, key)) WITH ORDINALITY AS r (range, n);
	query := format($sql$
		WITH page AS MATERIALIZED (
			SELECT t.account_id, t.local_id, t.remote_id, %1$s, t.sort_key, row_number() OVER (ORDER BY %2$s) AS n
			FROM (%3$s) AS t ORDER BY %2$s LIMIT $4 + 1
		), next AS MATERIALIZED (
			SELECT zcsync._encode_cursor($5, to_jsonb(t.sort_key), t.local_id) AS cursor
			FROM page AS t WHERE t.n = $4 AND EXISTS (SELECT FROM page AS m WHERE m.n > $4)
		)
		SELECT a.name || %4$L || coalesce(t.remote_id, '#' || t.local_id), t.local_id, %1$s,
			(SELECT x.cursor FROM next AS x), EXISTS (SELECT FROM next)
		FROM page AS t LEFT JOIN zcsync.accounts AS a ON a.account_id = t.account_id
		WHERE t.n <= $4 ORDER BY t.n$sql$,
		v_columns, v_sort, v_ranges, '/' || p_kind || '/');
END
$$;
COMMENT ON FUNCTION zcsync._page_query(text, text[], text, integer, text, text, text) IS
'the query of a page (reference, local_id, these columns, next_cursor, has_more) and its parameters; an error if there is no such page';

CREATE FUNCTION zcsync.tickets_page(cursor text DEFAULT NULL, page_size integer DEFAULT 20, sort_by text DEFAULT 'created_at',
	sort_order text DEFAULT 'desc', account text DEFAULT NULL)
RETURNS TABLE (reference text, local_id bigint, subject text, status text, priority text, type text, requester_id text, assignee_id text,
	group_id text, organization_id text, tags text[], due_at timestamptz, url text, created_at timestamptz, updated_at timestamptz,
	next_cursor text, has_more boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT p.*
	FROM zcsync._page_query('tickets', '{subject,status,priority,type,requester_id,assignee_id,group_id,organization_id,tags,due_at,url,created_at,updated_at}',
		tickets_page.cursor, tickets_page.page_size, tickets_page.sort_by, tickets_page.sort_order, tickets_page.account) AS q
	CROSS JOIN LATERAL zcsync._read_kept(q.query, q.key, q.local_id, q.account_id, q.rows, q.list)
		AS p (reference text, local_id bigint, subject text, status text, priority text, type text, requester_id text, assignee_id text,
			group_id text, organization_id text, tags text[], due_at timestamptz, url text, created_at timestamptz, updated_at timestamptz,
			next_cursor text, has_more boolean);
END
$$;
COMMENT ON FUNCTION zcsync.tickets_page(text, integer, text, text, text) IS
'a page of tickets, by default the newest first; next_cursor, in each row, is what to pass for the next page, NULL on the last one';

CREATE FUNCTION zcsync.tickets_page_json(cursor text DEFAULT NULL, page_size integer DEFAULT 20, sort_by text DEFAULT 'created_at',
	sort_order text DEFAULT 'desc', account text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	RETURN (
		SELECT jsonb_build_object('success', true, 'data',
				coalesce(jsonb_agg(to_jsonb(p) - '{next_cursor,has_more,ordinality}'::text[] ORDER BY p.ordinality), '[]'),
			'pagination', jsonb_build_object('nextCursor', min(p.next_cursor), 'hasMore', coalesce(bool_or(p.has_more), false)))
		FROM zcsync.tickets_page(tickets_page_json.cursor, tickets_page_json.page_size, tickets_page_json.sort_by, tickets_page_json.sort_order,
			tickets_page_json.account) WITH ORDINALITY AS p);
END
$$;
COMMENT ON FUNCTION zcsync.tickets_page_json(text, integer, text, text, text) IS
'the same as one document (success, data, pagination: nextCursor, hasMore), times in UTC';

CREATE FUNCTION zcsync.tasks_page(cursor text DEFAULT NULL, page_size integer DEFAULT 20, sort_by text DEFAULT 'created_at',
	sort_order text DEFAULT 'desc', account text DEFAULT NULL)
RETURNS TABLE (reference text, local_id bigint, name text, status text, status_type text, priority integer, assignees text[], tags text[], list_id text,
	parent_id text, due_at timestamptz, closed_at timestamptz, url text, created_at timestamptz, updated_at timestamptz,
	next_cursor text, has_more boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT p.*
	FROM zcsync._page_query('tasks', '{name,status,status_type,priority,assignees,tags,list_id,parent_id,due_at,closed_at,url,created_at,updated_at}',
		tasks_page.cursor, tasks_page.page_size, tasks_page.sort_by, tasks_page.sort_order, tasks_page.account) AS q
	CROSS JOIN LATERAL zcsync._read_kept(q.query, q.key, q.local_id, q.account_id, q.rows, q.list)
		AS p (reference text, local_id bigint, name text, status text, status_type text, priority integer, assignees text[], tags text[], list_id text,
			parent_id text, due_at timestamptz, closed_at timestamptz, url text, created_at timestamptz, updated_at timestamptz,
			next_cursor text, has_more boolean);
END
$$;
COMMENT ON FUNCTION zcsync.tasks_page(text, integer, text, text, text) IS
'a page of tasks, by default the newest first; next_cursor, in each row, is what to pass for the next page, NULL on the last one';

CREATE FUNCTION zcsync.leads_page(cursor text DEFAULT NULL, page_size integer DEFAULT 50, sort_by text DEFAULT 'created_at',
	sort_order text DEFAULT 'desc', account text DEFAULT NULL)
RETURNS TABLE (reference text, local_id bigint, first_name text, last_name text, company text, title text, email text, phone text, source text,
	stage text, quality integer, status_id integer, status text, owner_id text, value numeric, created_at timestamptz, updated_at timestamptz,
	next_cursor text, has_more boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 50
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT p.*
	FROM zcsync._page_query('leads', '{first_name,last_name,company,title,email,phone,source,stage,quality,status_id,status,owner_id,value,created_at,updated_at}',
		leads_page.cursor, leads_page.page_size, leads_page.sort_by, leads_page.sort_order, leads_page.account) AS q
	CROSS JOIN LATERAL zcsync._read_kept(q.query, q.key, q.local_id, q.account_id, q.rows, q.list)
		AS p (reference text, local_id bigint, first_name text, last_name text, company text, title text, email text, phone text, source text,
			stage text, quality integer, status_id integer, status text, owner_id text, value numeric, created_at timestamptz, updated_at timestamptz,
			next_cursor text, has_more boolean);
END
$$;
COMMENT ON FUNCTION zcsync.leads_page(text, integer, text, text, text) IS
'a page of leads, by default the newest first; next_cursor, in each row, is what to pass for the next page, NULL on the last one';

CREATE FUNCTION zcsync.leads_page_json(cursor text DEFAULT NULL, page_size integer DEFAULT 50, sort_by text DEFAULT 'created_at',
	sort_order text DEFAULT 'desc', account text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	RETURN (
		SELECT jsonb_build_object('data',
				coalesce(jsonb_agg(to_jsonb(p) - '{next_cursor,has_more,ordinality}'::text[] ORDER BY p.ordinality), '[]'),
			'pagination', jsonb_build_object('hasNextPage', coalesce(bool_or(p.has_more), false), 'nextCursor', min(p.next_cursor),
				'limit', zcsync._page_rows(leads_page_json.page_size)))
		FROM zcsync.leads_page(leads_page_json.cursor, leads_page_json.page_size, leads_page_json.sort_by, leads_page_json.sort_order,
			leads_page_json.account) WITH ORDINALITY AS p);
END
$$;
COMMENT ON FUNCTION zcsync.leads_page_json(text, integer, text, text, text) IS
'the same as one document (data, pagination: hasNextPage, nextCursor, limit), times in UTC';

-- ---------------------------------------------------------------------
-- Short lists, and the report
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.active_tickets_by_user(assignee_id text, max_rows integer DEFAULT 100, account text DEFAULT NULL)
RETURNS TABLE (reference text, local_id bigint, subject text, status text, priority text, created_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- active tickets of this user first, by themselves: for so few rows the order of
	-- all tickets is no help
	RETURN QUERY
	WITH mine AS MATERIALIZED (
		SELECT t.account_id, t.local_id, t.remote_id, t.subject, t.status, t.priority, t.created_at
		FROM zcsync.tickets AS t
		WHERE t.assignee_id = active_tickets_by_user.assignee_id AND t.status IN ('open', 'pending') AND t.deleted_at IS NULL
			AND (active_tickets_by_user.account IS NULL OR t.account_id = (SELECT zcsync.account(active_tickets_by_user.account))))
	SELECT a.name || '/tickets/' || coalesce(t.remote_id, '#' || t.local_id), t.local_id, t.subject, t.status, t.priority, t.created_at
	FROM mine AS t
	LEFT JOIN zcsync.accounts AS a ON a.account_id = t.account_id
	ORDER BY t.created_at DESC, t.local_id DESC
	LIMIT zcsync._check_rows('max_rows', active_tickets_by_user.max_rows);
END
$$;
COMMENT ON FUNCTION zcsync.active_tickets_by_user(text, integer, text) IS
'open and pending tickets that are assigned to a user, by the user''s id at the vendor, the newest first';

-- The plan is kept: to plan a query over all months takes longer than to run it.
CREATE FUNCTION zcsync.recent_leads(max_rows integer DEFAULT 100)
RETURNS TABLE (reference text, local_id bigint, first_name text, last_name text, company text, title text, email text, source text,
	stage text, quality integer, created_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_sort = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	RETURN QUERY
	SELECT a.name || '/leads/' || coalesce(l.remote_id, '#' || l.local_id), l.local_id, l.first_name, l.last_name, l.company, l.title,
		l.email, l.source, l.stage, l.quality, l.created_at
	FROM zcsync.leads AS l
	LEFT JOIN zcsync.accounts AS a ON a.account_id = l.account_id
	WHERE l.deleted_at IS NULL AND l.merged_into IS NULL
	ORDER BY l.created_at DESC, l.local_id DESC
	LIMIT zcsync._check_rows('max_rows', recent_leads.max_rows);
END
$$;
COMMENT ON FUNCTION zcsync.recent_leads(integer) IS
'the newest leads';

CREATE FUNCTION zcsync.top_companies(max_rows integer DEFAULT 50)
RETURNS TABLE (company text, leads bigint, opportunities bigint, best_quality integer, last_lead_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT min(l.company), count(*), count(*) FILTER (WHERE l.stage = 'opportunity'), max(l.quality), max(l.created_at)
	FROM zcsync.leads AS l
	WHERE l.deleted_at IS NULL AND l.merged_into IS NULL AND l.company <> ''
	GROUP BY zcsync._fold(l.company)
	ORDER BY count(*) DESC, zcsync._fold(l.company)
	LIMIT zcsync._check_rows('max_rows', top_companies.max_rows)
$$;
COMMENT ON FUNCTION zcsync.top_companies(integer) IS
'the companies with the most leads';

-- The planner makes this a part of the statement that calls it, which then has its
-- first rows at once and need not hold all of them.  It does that only with a function
-- without a SET clause; so operators are qualified with their schema as well.
CREATE FUNCTION zcsync.tickets_report(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, account text DEFAULT NULL)
RETURNS TABLE (reference text, local_id bigint, subject text, status text, priority text, type text, requester_id text, assignee_id text,
	group_id text, organization_id text, tags text[], due_at timestamptz, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
AS $$
	SELECT a.name OPERATOR(pg_catalog.||) '/tickets/' OPERATOR(pg_catalog.||) coalesce(t.remote_id, '#' OPERATOR(pg_catalog.||) t.local_id),
		t.local_id, t.subject, t.status, t.priority, t.type, t.requester_id, t.assignee_id, t.group_id, t.organization_id, t.tags, t.due_at,
		t.created_at, t.updated_at
	FROM zcsync.tickets AS t
	LEFT JOIN zcsync.accounts AS a ON a.account_id OPERATOR(pg_catalog.=) t.account_id
	WHERE t.deleted_at IS NULL
		AND (tickets_report.since IS NULL OR t.created_at OPERATOR(pg_catalog.>=) tickets_report.since)
		AND (tickets_report.until IS NULL OR t.created_at OPERATOR(pg_catalog.<) tickets_report.until)
		AND (tickets_report.account IS NULL OR t.account_id OPERATOR(pg_catalog.=) (SELECT zcsync.account(tickets_report.account)))
	ORDER BY t.created_at, t.local_id
$$;
COMMENT ON FUNCTION zcsync.tickets_report(timestamptz, timestamptz, text) IS
'all tickets that were created in a time (until is not part of it), the oldest first; one statement, to be read with a cursor or COPY';
