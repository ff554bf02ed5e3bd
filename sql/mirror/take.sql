-- ---------------------------------------------------------------------
-- The entrance: all that a vendor says of a record comes in here, as a document: a row of a
-- page, a fetched record, the reply to a push, what a look-up found, a row that had to
-- wait.
--
-- Each column is merged by itself (src/merge.c has the rules).  base has the values on
-- which both sides last agreed, and so shows who changed what.  A value that loses
-- becomes a row of zcsync.changes; where a person must decide, there is a row of
-- zcsync.conflicts.  A row that the document does not change is not written at all: our
-- own writes coming back cost nothing.
--
-- _take() finds and locks the rows of documents, and waits for no lock;
-- _merge_documents() merges documents into locked rows.  The statements that name the
-- columns of a kind are generated here, once for each kind, and their plans are kept:
-- to plan them takes longer than to run them for a dozen rows.  No plan may depend on
-- statistics.  Those of a table know nothing of an account that was added later; then
-- any index on accounts looks as good to the planner as the one on the key, although it
-- reads all rows of the account.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- The statements of each kind
-- ---------------------------------------------------------------------

-- The types of the own columns of a kind.
CREATE FUNCTION zcsync._own_types(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(CASE
			WHEN c IN ('tags', 'assignees', 'watchers', 'follower_ids', 'email_cc_ids') THEN 'text[]'
			WHEN c IN ('custom_fields', 'options', 'rich_body') THEN 'jsonb'
			WHEN c IN ('archived', 'active', 'is_prospect', 'is_private', 'is_redacted', 'opens_privately', 'is_inline', 'is_billable', 'required', 'is_default', 'do_not_call') THEN 'boolean'
			WHEN c IN ('revenue', 'value', 'probability', 'points', 'budget_hours', 'spent_hours') THEN 'numeric'
			WHEN c IN ('time_estimate', 'size', 'seconds', 'nonbillable_seconds') THEN 'bigint'
			WHEN c IN ('employees', 'position') OR (p_kind = 'tasks' AND c = 'priority') OR (p_kind = 'leads' AND c = 'status_id') THEN 'integer'
			WHEN right(c, 3) = '_at' THEN 'timestamptz'
			ELSE 'text' END ORDER BY n)
	FROM unnest(zcsync._own_columns(p_kind)) WITH ORDINALITY AS o (c, n);
END;
COMMENT ON FUNCTION zcsync._own_types(text) IS
'the types of the own columns of a kind, in their order';

-- For each kind:
--
-- _merge_KIND() merges documents into rows that the caller has locked; no row may be
-- named twice.  p_answered is for documents that a push of the row brought: true for
-- the reply to what it sent, false for a document that it only read.  It is NULL for
-- pages and the like.  A document older than what the row already has is skipped; one
-- that a push brought still ends what the row waits for.
--
-- _find_KIND() returns the positions of documents that have no row, and of those that
-- may change their row, with its local id.
--
-- _insert_KIND() inserts rows for documents, in the order of their remote ids, so that
-- two writers cannot deadlock; returns the remote ids of the rows inserted.
--
-- A long text may be stored apart from its row and is then expensive to read.  So it is
-- passed on only where the row may differ from its base.
DO $do$
DECLARE
	v_kind text;
	v_columns text;		-- a, b, c
	v_typed text;		-- a text, b integer, c jsonb
	v_names text;		-- a,b,c
	v_mine text;		-- o.a, o.b, o.c
	v_merged text;		-- m.a, m.b, m.c
	v_set text;			-- a = CASE WHEN it is written THEN m.a ELSE t.a END, ...
	v_incoming text;	-- i.a, i.b, i.c
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		SELECT string_agg(quote_ident(c), ', ' ORDER BY n), string_agg(format('%I %s', c, t), ', ' ORDER BY n),
			string_agg(c, ',' ORDER BY n),
			string_agg(format(CASE WHEN c IN ('description', 'body', 'rich_body') THEN 'CASE WHEN v_sent OR o.sync_state <> ''synced'' OR o.base IS NULL THEN o.%I END'
				ELSE 'o.%I' END, c), ', ' ORDER BY n),
			string_agg(format('m.%I', c), ', ' ORDER BY n),
			string_agg(format('%1$I = CASE WHEN m.written & %2$s <> 0 THEN m.%1$I ELSE t.%1$I END', c, 1::bigint << (n - 1)::integer), ', ' ORDER BY n),
			-- an object is never NULL in a row, but may be missing in vals
			string_agg(format(CASE c WHEN 'custom_fields' THEN 'coalesce(i.%I, ''{}'')' ELSE 'i.%I' END, c), ', ' ORDER BY n)
		INTO STRICT v_columns, v_typed, v_names, v_mine, v_merged, v_set, v_incoming
		FROM unnest(zcsync._own_columns(v_kind), zcsync._own_types(v_kind)) WITH ORDINALITY AS o (c, t, n);

		EXECUTE format($create$
CREATE FUNCTION zcsync.%1$I(p_account bigint, p_ids bigint[], p_documents zcsync.document[], p_answered boolean[],
	p_pushable text[], p_policies jsonb, p_origin zcsync.origin) RETURNS zcsync.merged_document[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off	-- the plan is kept, and may be made while the table is empty
SET jit = off
AS $body$
DECLARE
	v_now timestamptz := zcsync._now();
	v_sent boolean := EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.sent IS NOT NULL);	-- nearly always false
	v_newest boolean := p_policies @? '$.* ? (@ == "newest")';
	v_merged zcsync.merged_document[];
BEGIN
	WITH m AS MATERIALIZED (
		SELECT o.place, o.local_id, o.sync_state, u.remote_id, u.is_deleted, u.answered, x.*,
			CASE WHEN NOT v.older THEN u.version END AS version, CASE WHEN NOT v.older THEN u.doc END AS doc, u.doc IS NULL AS partial,
			u.answered IS NOT NULL OR x.base IS NOT NULL OR x.written <> 0 OR (o.deleted_at IS NOT NULL) <> u.is_deleted AS stored
		FROM unnest(p_ids, p_documents, p_answered) AS u (local_id, remote_id, version, vals, doc, is_deleted, answered)
		CROSS JOIN LATERAL (	-- by the index of local ids, whatever the statistics of the table say
			SELECT t.ctid AS place, t.* FROM zcsync.%2$I AS t WHERE t.local_id = u.local_id OFFSET 0) AS o
		CROSS JOIN LATERAL (SELECT zcsync._is_older(u.version, o.remote_version) OFFSET 0) AS v (older)
		CROSS JOIN LATERAL zcsync._merge_row(ROW(%6$s), %5$L, o.sync_state <> 'synced', o.base, CASE WHEN v.older THEN '{}' ELSE u.vals END,
			CASE WHEN v_sent THEN (
				SELECT q.sent FROM zcsync.sync_queue q
				WHERE q.local_id = u.local_id AND q.account_id = p_account AND q.kind = %2$L AND q.sent IS NOT NULL
				ORDER BY q.state = 'running' DESC LIMIT 1) END,
			u.answered, p_pushable, p_policies,
			CASE WHEN v_newest AND o.sync_state <> 'synced'
				THEN zcsync._newer_columns(p_account, u.local_id, (u.vals ->> 'updated_at')::timestamptz) END,
			CASE WHEN o.sync_state = 'conflict' THEN zcsync._open_conflicts(p_account, u.local_id) END,
			'zcsync._outranking_fields(bigint, bigint)'::regprocedure, p_account, u.local_id)
			AS x (%4$s, base jsonb, written bigint, differs boolean, undecided boolean, disputes jsonb)
		WHERE o.account_id = p_account AND (u.answered IS NOT NULL OR NOT v.older)),
	lost AS (
		INSERT INTO zcsync.changes (account_id, kind, local_id, action, old, new, cause, cause_id, xid, role, created_at)
		SELECT p_account, %2$L, m.local_id, 'lost', zcsync._history_values(%2$L, l.old), zcsync._history_values(%2$L, l.new), p_origin.cause, p_origin.id, p_origin.xid, session_user, v_now
		FROM m CROSS JOIN LATERAL zcsync._lost_values(m.disputes) AS l
		WHERE m.disputes IS NOT NULL),
	written AS (
		UPDATE zcsync.%2$I AS t
		SET %7$s, remote_id = coalesce(m.remote_id, t.remote_id), base = coalesce(m.base, t.base),
			remote = coalesce(m.doc, t.remote),
			remote_version = coalesce(m.version,
				CASE WHEN m.answered AND m.partial THEN zcsync._next_version(t.remote_version) ELSE t.remote_version END),
			deleted_at = CASE WHEN m.is_deleted THEN coalesce(t.deleted_at, v_now) WHEN m.is_deleted IS NULL THEN t.deleted_at END,
			sync_state = CASE WHEN m.undecided THEN 'conflict' WHEN NOT m.differs THEN 'synced'
				WHEN m.answered IS NOT NULL OR t.sync_state IN ('synced', 'conflict') THEN 'pending' ELSE t.sync_state END,
			sync_cause = p_origin.cause, sync_cause_id = p_origin.id, sync_xid = p_origin.xid, synced_at = v_now
		FROM m
		-- The row is locked, so it has not moved; + 0 keeps the planner from any other
		-- index
		WHERE t.ctid = m.place AND t.local_id + 0 = m.local_id AND m.stored)
	SELECT array_agg(ROW(m.local_id, m.stored, m.differs, m.disputes)::zcsync.merged_document) INTO v_merged FROM m;
	IF EXISTS (SELECT FROM unnest(v_merged) AS m WHERE m.disputes IS NOT NULL) THEN
		PERFORM zcsync._note_conflicts(p_account, %2$L, v_merged);
	END IF;
	RETURN v_merged;
END
$body$$create$,
			'_merge_' || v_kind, v_kind, v_columns, v_typed, format('{%s}', v_names), v_mine, v_set);
		EXECUTE format('COMMENT ON FUNCTION zcsync.%I(bigint, bigint[], zcsync.document[], boolean[], text[], jsonb, zcsync.origin) IS %L',
			'_merge_' || v_kind, 'merges documents into locked rows of table ' || v_kind);

		EXECUTE format($create$
CREATE FUNCTION zcsync.%1$I(p_account bigint, p_documents zcsync.document[],
	OUT without_row integer[], OUT with_row integer[], OUT ids bigint[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off	-- the plan is kept, and may be made while the table is empty
SET enable_sort = off
SET jit = off
AS $body$
BEGIN
	SELECT array_agg(u.n::integer ORDER BY u.n) FILTER (WHERE t.local_id IS NULL),
		array_agg(u.n::integer ORDER BY u.n) FILTER (WHERE t.local_id IS NOT NULL),
		array_agg(t.local_id ORDER BY u.n) FILTER (WHERE t.local_id IS NOT NULL)
	INTO without_row, with_row, ids
	FROM unnest(p_documents) WITH ORDINALITY AS u (remote_id, version, vals, doc, is_deleted, n)
	LEFT JOIN LATERAL (	-- in the order of the index on remote ids, which no other index has
		SELECT * FROM zcsync.%2$I AS t WHERE t.account_id = p_account AND t.remote_id BETWEEN u.remote_id AND u.remote_id
		ORDER BY t.remote_id LIMIT 1) AS t ON true
	WHERE t.local_id IS NULL
		-- a document of another version is compared only once, when it is merged
		OR ((u.version <> t.remote_version OR t.base IS DISTINCT FROM u.vals OR (t.deleted_at IS NOT NULL) <> u.is_deleted)
			AND NOT zcsync._is_older(u.version, t.remote_version));
END
$body$$create$,
			'_find_' || v_kind, v_kind);
		EXECUTE format('COMMENT ON FUNCTION zcsync.%I(bigint, zcsync.document[]) IS %L',
			'_find_' || v_kind, 'tells which documents have no row in table ' || v_kind || ', and which may change their row');

		EXECUTE format($create$
CREATE FUNCTION zcsync.%1$I(p_account bigint, p_documents zcsync.document[], p_positions integer[], p_origin zcsync.origin) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $body$
DECLARE
	v_now timestamptz := zcsync._now();
	v_written text[];
BEGIN
	WITH %6$s
	written AS (
		INSERT INTO zcsync.%2$I (account_id, remote_id, %3$s, base, remote, remote_version,
			deleted_at, sync_state, sync_cause, sync_cause_id, sync_xid, synced_at%7$s)
		SELECT p_account, u.remote_id, %5$s, u.vals, u.doc, u.version,
			CASE WHEN u.is_deleted THEN v_now END, 'synced', p_origin.cause, p_origin.id, p_origin.xid, v_now%8$s
		FROM unnest(p_documents) WITH ORDINALITY AS u (remote_id, version, vals, doc, is_deleted, n)%9$s
		CROSS JOIN LATERAL jsonb_to_record(u.vals) AS i (%4$s)
		WHERE u.n = ANY (p_positions)%11$s
		%10$s
		RETURNING remote_id)
	SELECT array_agg(remote_id) INTO v_written FROM written;
	RETURN v_written;
END
$body$$create$,
			'_insert_' || v_kind, v_kind, v_columns, v_typed, v_incoming,
			-- A table partitioned by month has no unique key of remote ids: see
			-- identities.sql
			CASE v_kind WHEN 'leads' THEN $sql$named AS (
		INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id)
		SELECT p_account, 'remote', u.remote_id, nextval('zcsync.local_id_seq')
		FROM unnest(p_documents) WITH ORDINALITY AS u (remote_id, version, vals, doc, is_deleted, n)
		WHERE u.n = ANY (p_positions)
		ORDER BY u.remote_id COLLATE "C"
		ON CONFLICT (account_id, kind, value) DO NOTHING
		RETURNING value, local_id),$sql$ ELSE '' END,
			CASE v_kind WHEN 'leads' THEN ', local_id, inserted_at' ELSE '' END,
			CASE v_kind WHEN 'leads' THEN ', d.local_id, v_now' ELSE '' END,
			CASE v_kind WHEN 'leads' THEN ' JOIN named AS d ON d.value = u.remote_id' ELSE '' END,
			CASE v_kind WHEN 'leads' THEN '' ELSE 'ON CONFLICT (account_id, remote_id) DO NOTHING' END,
			CASE v_kind WHEN 'leads' THEN '' ELSE ' ORDER BY u.remote_id COLLATE "C"' END);
		EXECUTE format('COMMENT ON FUNCTION zcsync.%I(bigint, zcsync.document[], integer[], zcsync.origin) IS %L',
			'_insert_' || v_kind, 'inserts rows for documents into table ' || v_kind || ' and returns the remote ids of those written');
	END LOOP;
END
$do$;

-- The same for any kind: each calls the function of its kind.
CREATE FUNCTION zcsync._merge_documents(p_account bigint, p_kind text, p_ids bigint[], p_documents zcsync.document[],
	p_answered boolean[], p_origin zcsync.origin) RETURNS zcsync.merged_document[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_pushable text[];
	v_policies jsonb;
BEGIN
	SELECT zcsync._pushable(a.vendor, p_kind), nullif(s.policies, '{}') INTO v_pushable, v_policies
	FROM zcsync.accounts a LEFT JOIN zcsync.streams s ON s.account_id = a.account_id AND s.kind = p_kind
	WHERE a.account_id = p_account;
	CASE p_kind
		WHEN 'tickets' THEN RETURN zcsync._merge_tickets(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'tasks' THEN RETURN zcsync._merge_tasks(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'leads' THEN RETURN zcsync._merge_leads(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'comments' THEN RETURN zcsync._merge_comments(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'attachments' THEN RETURN zcsync._merge_attachments(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'time_entries' THEN RETURN zcsync._merge_time_entries(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'contacts' THEN RETURN zcsync._merge_contacts(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'companies' THEN RETURN zcsync._merge_companies(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'projects' THEN RETURN zcsync._merge_projects(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'fields' THEN RETURN zcsync._merge_fields(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
		WHEN 'statuses' THEN RETURN zcsync._merge_statuses(p_account, p_ids, p_documents, p_answered, v_pushable, v_policies, p_origin);
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._merge_documents(bigint, text, bigint[], zcsync.document[], boolean[], zcsync.origin) IS
'merges documents into rows of a kind that are locked';

CREATE FUNCTION zcsync._find_documents(p_account bigint, p_kind text, p_documents zcsync.document[],
	OUT without_row integer[], OUT with_row integer[], OUT ids bigint[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_known record;
BEGIN
	CASE p_kind
		WHEN 'tickets' THEN v_known := zcsync._find_tickets(p_account, p_documents);
		WHEN 'tasks' THEN v_known := zcsync._find_tasks(p_account, p_documents);
		WHEN 'leads' THEN v_known := zcsync._find_leads(p_account, p_documents);
		WHEN 'comments' THEN v_known := zcsync._find_comments(p_account, p_documents);
		WHEN 'attachments' THEN v_known := zcsync._find_attachments(p_account, p_documents);
		WHEN 'time_entries' THEN v_known := zcsync._find_time_entries(p_account, p_documents);
		WHEN 'contacts' THEN v_known := zcsync._find_contacts(p_account, p_documents);
		WHEN 'companies' THEN v_known := zcsync._find_companies(p_account, p_documents);
		WHEN 'projects' THEN v_known := zcsync._find_projects(p_account, p_documents);
		WHEN 'fields' THEN v_known := zcsync._find_fields(p_account, p_documents);
		WHEN 'statuses' THEN v_known := zcsync._find_statuses(p_account, p_documents);
	END CASE;
	without_row := v_known.without_row;
	with_row := v_known.with_row;
	ids := v_known.ids;
END
$$;
COMMENT ON FUNCTION zcsync._find_documents(bigint, text, zcsync.document[]) IS
'tells which documents have no row, and which may change their row, with its local id';

CREATE FUNCTION zcsync._insert_documents(p_account bigint, p_kind text, p_documents zcsync.document[], p_positions integer[],
	p_origin zcsync.origin) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE p_kind
		WHEN 'tickets' THEN RETURN zcsync._insert_tickets(p_account, p_documents, p_positions, p_origin);
		WHEN 'tasks' THEN RETURN zcsync._insert_tasks(p_account, p_documents, p_positions, p_origin);
		WHEN 'leads' THEN RETURN zcsync._insert_leads(p_account, p_documents, p_positions, p_origin);
		WHEN 'comments' THEN RETURN zcsync._insert_comments(p_account, p_documents, p_positions, p_origin);
		WHEN 'attachments' THEN RETURN zcsync._insert_attachments(p_account, p_documents, p_positions, p_origin);
		WHEN 'time_entries' THEN RETURN zcsync._insert_time_entries(p_account, p_documents, p_positions, p_origin);
		WHEN 'contacts' THEN RETURN zcsync._insert_contacts(p_account, p_documents, p_positions, p_origin);
		WHEN 'companies' THEN RETURN zcsync._insert_companies(p_account, p_documents, p_positions, p_origin);
		WHEN 'projects' THEN RETURN zcsync._insert_projects(p_account, p_documents, p_positions, p_origin);
		WHEN 'fields' THEN RETURN zcsync._insert_fields(p_account, p_documents, p_positions, p_origin);
		WHEN 'statuses' THEN RETURN zcsync._insert_statuses(p_account, p_documents, p_positions, p_origin);
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._insert_documents(bigint, text, zcsync.document[], integer[], zcsync.origin) IS
'inserts rows for documents and returns the remote ids of those written';

-- ---------------------------------------------------------------------
-- Taking documents
-- ---------------------------------------------------------------------

-- The time since which creates of this account have been unclear.  A record that
-- appears meanwhile may be the one just created, so it waits until the create has
-- ended.  It does not wait long, since a create may stay unclear for days; a record
-- that was stored before is also found when the create ends (push.sql).
CREATE FUNCTION zcsync._creating_since(p_account bigint, p_kind text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT min(q.unclear_since) - interval '1 minute' FROM zcsync.sync_queue q
		WHERE q.account_id = p_account AND q.operation = 'push' AND q.kind = p_kind AND q.state = 'running'
			AND q.unclear_since > zcsync._now() - interval '15 minutes');
END
$$;
COMMENT ON FUNCTION zcsync._creating_since(bigint, text) IS
'the time since which a record that is not known here may be one that this database is creating; NULL: there is no such create';

-- Lock rows of a kind without waiting; returns those that could be locked, in their
-- order.  A caller that may change remote_id, which is a key, needs the stronger lock.
CREATE FUNCTION zcsync._lock_rows(p_account bigint, p_kind text, p_ids bigint[], p_keys boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off		-- by the index of local ids, whatever the statistics of the table say; + 0 is for the same
SET enable_bitmapscan = off
AS $$
DECLARE
	v_locked bigint[];
BEGIN
	EXECUTE format($sql$
		SELECT array_agg(l.local_id)
		FROM (SELECT t.local_id FROM zcsync.%I AS t
			WHERE t.account_id + 0 = $1 AND t.local_id = ANY ($2)
			ORDER BY t.local_id
			FOR %s OF t SKIP LOCKED) AS l$sql$, p_kind, CASE WHEN p_keys THEN 'UPDATE' ELSE 'NO KEY UPDATE' END)
		INTO v_locked USING p_account, p_ids;
	RETURN coalesce(v_locked, '{}');
END
$$;
COMMENT ON FUNCTION zcsync._lock_rows(bigint, text, bigint[], boolean) IS
'locks rows of a kind without waiting, and returns those it could lock';

-- Note when records came that were made at the vendor since their stream was added.
-- History has no row that tells it, and the row itself tells only when it was last
-- written.  A record that was changed before it came, as one that moved into the scope of
-- its stream, counts from that change.  p_written has the remote ids of the rows that were
-- inserted.
CREATE FUNCTION zcsync._note_arrivals(p_account bigint, p_kind text, p_documents zcsync.document[], p_written text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_since timestamptz := (SELECT s.created_at FROM zcsync.streams AS s WHERE s.account_id = p_account AND s.kind = p_kind);
BEGIN
	IF v_since IS NULL OR p_written IS NULL THEN
		RETURN;
	END IF;
	INSERT INTO zcsync.arrivals (account_id, kind, came_at, created_at)
	SELECT p_account, p_kind, zcsync._now(), array_agg(d.created_at)
	FROM (
		SELECT u.remote_id, greatest((u.vals ->> 'created_at')::timestamptz, (u.vals ->> 'updated_at')::timestamptz) AS created_at FROM unnest(p_documents) AS u
		WHERE (u.vals ->> 'created_at')::timestamptz > v_since
		OFFSET 0) AS d
	WHERE d.remote_id = ANY (p_written)
	HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION zcsync._note_arrivals(bigint, text, zcsync.document[], text[]) IS
'notes when new records came, for numbers';

-- Take documents of distinct records; on an error none of them.  Never waits for a
-- lock: waiting returns the positions of documents whose row somebody has locked, or
-- which cannot be told from a record that is being created.
CREATE FUNCTION zcsync._take_slice(p_account bigint, p_kind text, p_documents zcsync.document[], p_origin zcsync.origin,
	OUT changed integer, OUT waiting integer[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_known record := zcsync._find_documents(p_account, p_kind, p_documents);
	v_locked bigint[];
	v_documents zcsync.document[];
	v_ids bigint[];
	v_written text[];
	v_new integer[];
	v_since timestamptz;
BEGIN
	changed := 0;
	waiting := '{}';
	IF v_known.with_row IS NOT NULL THEN
		v_locked := zcsync._lock_rows(p_account, p_kind, v_known.ids, false);
		IF cardinality(v_locked) < cardinality(v_known.ids) THEN
			waiting := ARRAY(SELECT f.n FROM unnest(v_known.with_row, v_known.ids) AS f (n, local_id) WHERE f.local_id <> ALL (v_locked));
		END IF;
		-- documents are copied only where that is necessary
		v_documents := p_documents;
		v_ids := v_known.ids;
		IF cardinality(v_locked) < cardinality(p_documents) THEN
			SELECT array_agg(p_documents[f.n]), array_agg(f.local_id) INTO v_documents, v_ids
			FROM unnest(v_known.with_row, v_known.ids) AS f (n, local_id)
			WHERE waiting = '{}' OR f.local_id = ANY (v_locked);
		END IF;
		SELECT count(*), array_agg(m.local_id) FILTER (WHERE m.differs) INTO changed, v_ids
		FROM unnest(zcsync._merge_documents(p_account, p_kind, v_ids, v_documents, NULL, p_origin)) AS m
		WHERE m.stored;
		IF v_ids IS NOT NULL THEN
			PERFORM zcsync._retry_withheld(v_ids);
		END IF;
	END IF;

	IF v_known.without_row IS NOT NULL THEN
		-- A record that was deleted and never seen here is not stored.
		v_new := ARRAY(SELECT n FROM unnest(v_known.without_row) AS n WHERE (p_documents[n].is_deleted AND p_documents[n].vals = '{}') IS NOT TRUE);
		IF p_kind = 'comments' THEN
			waiting := waiting || zcsync._maybe_posted(p_account, p_documents, v_new);
			v_new := ARRAY(SELECT unnest(v_new) EXCEPT SELECT unnest(waiting));
		ELSE
			v_since := zcsync._creating_since(p_account, p_kind);
		END IF;
		IF v_since IS NOT NULL THEN
			waiting := waiting || ARRAY(SELECT n FROM unnest(v_new) AS n
				WHERE coalesce((p_documents[n].vals ->> 'created_at')::timestamptz >= v_since, true));
			v_new := ARRAY(SELECT unnest(v_new) EXCEPT SELECT unnest(waiting));
		END IF;
		v_written := zcsync._insert_documents(p_account, p_kind, p_documents, v_new, p_origin);
		PERFORM zcsync._note_arrivals(p_account, p_kind, p_documents, v_written);
		changed := changed + coalesce(cardinality(v_written), 0);
		-- Somebody else stored the same record just now.
		IF coalesce(cardinality(v_written), 0) < cardinality(v_new) THEN
			waiting := waiting || ARRAY(SELECT n FROM unnest(v_new) AS n
				WHERE p_documents[n].remote_id <> ALL (coalesce(v_written, '{}')));
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._take_slice(bigint, text, zcsync.document[], zcsync.origin) IS
'takes documents without waiting for a lock; says which must wait';

-- Take documents of distinct records.  One that cannot be stored does not keep the
-- others from being stored: on an error the set is halved, down to the document that
-- raises it.  The number of subtransactions is bounded; documents that were not tried
-- by then are returned in waiting.  The same happens to a document whose route job
-- another transaction has queued and not committed: the triggers meet that job as a
-- lock.
CREATE FUNCTION zcsync._take(p_account bigint, p_kind text, p_documents zcsync.document[], p_origin zcsync.origin,
	OUT changed integer, OUT waiting integer[], OUT failed integer[], OUT errors text[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET timezone = 'UTC'
SET work_mem = '32MB'
SET lock_timeout = '50ms'
AS $$
DECLARE
	v_lows integer[] := '{1}';
	v_highs integer[] := ARRAY[coalesce(cardinality(p_documents), 0)];
	v_low integer;
	v_high integer;
	v_slice record;
	v_tries integer := 0;
BEGIN
	changed := 0;
	waiting := '{}';
	failed := '{}';
	errors := '{}';
	WHILE cardinality(v_lows) > 0 LOOP
		v_low := v_lows[1];
		v_high := v_highs[1];
		v_lows := v_lows[2:];
		v_highs := v_highs[2:];
		CONTINUE WHEN v_low > v_high;
		-- With more than 64 subtransactions, each snapshot of the server becomes
		-- slower.
		IF v_tries >= 50 THEN
			waiting := waiting || ARRAY(SELECT generate_series(v_low, v_high));
			CONTINUE;
		END IF;
		v_tries := v_tries + 1;
		BEGIN
			v_slice := zcsync._take_slice(p_account, p_kind,
				CASE WHEN v_tries = 1 THEN p_documents ELSE p_documents[v_low:v_high] END, p_origin);
			changed := changed + v_slice.changed;
			waiting := waiting || ARRAY(SELECT w + v_low - 1 FROM unnest(v_slice.waiting) AS w);
		EXCEPTION WHEN OTHERS THEN
			-- Not the fault of a row: deadlock, out of memory, shutdown, ...
			IF zcsync._is_servers_error(SQLSTATE) AND SQLSTATE <> '55P03' THEN
				RAISE;
			ELSIF v_low = v_high AND SQLSTATE = '55P03' THEN
				waiting := waiting || v_low;
			ELSIF v_low = v_high THEN
				failed := failed || v_low;
				errors := errors || SQLERRM;
			ELSE
				v_lows := ARRAY[v_low, (v_low + v_high) / 2 + 1] || v_lows;
				v_highs := ARRAY[(v_low + v_high) / 2, v_high] || v_highs;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._take(bigint, text, zcsync.document[], zcsync.origin) IS
'takes documents; one that cannot be stored does not keep the others from being stored';

-- Take the documents of a reply; if two have the same remote id, the last one counts.
-- The stream gives the account; the documents may be of another kind (users that come
-- with tickets).  Those that must wait, or cannot be stored, become jobs of their own.
-- Returns how many rows changed.
CREATE FUNCTION zcsync._take_page(p_stream_id bigint, p_kind text, p_documents zcsync.document[], p_origin zcsync.origin) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account bigint;
	v_stream bigint;
	v_documents zcsync.document[];
	v_apart zcsync.document[];
	v_result record;
BEGIN
	SELECT s.account_id INTO STRICT v_account FROM zcsync.streams s WHERE s.stream_id = p_stream_id;
	SELECT s.stream_id INTO v_stream FROM zcsync.streams s WHERE s.account_id = v_account AND s.kind = p_kind;
	v_documents := p_documents;
	IF (SELECT count(DISTINCT u.remote_id) < count(*) OR bool_or(u.vals IS NULL OR u.is_deleted IS NULL) FROM unnest(p_documents) AS u) THEN
		SELECT array_agg(ROW(r.remote_id, r.version, coalesce(r.vals, '{}'), r.doc, coalesce(r.is_deleted, false))::zcsync.document)
		INTO v_documents
		FROM (
			SELECT DISTINCT ON (u.remote_id) u.*
			FROM unnest(p_documents) WITH ORDINALITY AS u (remote_id, version, vals, doc, is_deleted, n)
			WHERE u.remote_id IS NOT NULL
			ORDER BY u.remote_id, u.n DESC) AS r;
	END IF;
	IF v_documents IS NULL THEN
		RETURN 0;
	END IF;

	v_result := zcsync._take(v_account, p_kind, v_documents, p_origin);
	IF cardinality(v_result.waiting || v_result.failed) > 0 THEN
		v_apart := ARRAY(SELECT v_documents[n] FROM unnest(v_result.waiting || v_result.failed) AS n);
		IF p_kind = 'comments' THEN
			v_apart := zcsync._read_comments_again(v_account, v_apart[:cardinality(v_result.waiting)],
				v_apart[cardinality(v_result.waiting) + 1:]);
		END IF;
		PERFORM zcsync._park(v_account, coalesce(v_stream, p_stream_id), p_kind, v_apart);
	END IF;
	PERFORM zcsync._note_read(v_account, p_kind, v_documents, v_result.waiting || v_result.failed);
	RETURN v_result.changed;
END
$$;
COMMENT ON FUNCTION zcsync._take_page(bigint, text, zcsync.document[], zcsync.origin) IS
'takes the documents of a reply; those that cannot be stored now become jobs of their own';

-- Make jobs of documents that cannot be stored now.  If such a job of the record is
-- waiting, its document is replaced unless it is the newer one.
CREATE FUNCTION zcsync._park(p_account bigint, p_stream_id bigint, p_kind text, p_documents zcsync.document[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._enqueue(ARRAY(
		SELECT zcsync._job(p_account, zcsync._kind_queue(p_kind), 'apply', '', k.key, k.key,
			jsonb_build_object('rows', jsonb_build_array(jsonb_build_object('remote_id', d.remote_id,
				'remote_version', d.version, 'vals', d.vals, 'doc', d.doc, 'is_deleted', d.is_deleted))),
			p_run_at => zcsync._now() + interval '500 ms', p_stream => p_stream_id, p_kind => p_kind, p_version => d.version)
		FROM unnest(p_documents) AS d
		CROSS JOIN LATERAL (SELECT format('apply/%s/%s', p_kind, d.remote_id)) AS k (key)
		ORDER BY k.key));
END
$$;
COMMENT ON FUNCTION zcsync._park(bigint, bigint, text, zcsync.document[]) IS
'makes jobs of documents that must wait for their rows';

-- A document from the payload of its job, see _park().
CREATE FUNCTION zcsync._document_of(p_object jsonb) RETURNS zcsync.document
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(p_object ->> 'remote_id', p_object ->> 'remote_version', nullif(p_object -> 'vals', 'null'),
		nullif(p_object -> 'doc', 'null'), (p_object ->> 'is_deleted')::boolean)::zcsync.document;
END;
COMMENT ON FUNCTION zcsync._document_of(jsonb) IS
'a document from an object with remote_id, remote_version, vals, doc and is_deleted';
