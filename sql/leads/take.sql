-- ---------------------------------------------------------------------
-- Taking leads: normalised rows become new leads, or parts of existing leads.
--
-- Two sessions that bring the same lead meet at its identity: both insert it, one waits
-- for the other and then finds its lead.  Locks are always taken in this order: leads
-- that are known to change, by _lock_busy_leads(); identities by kind and value;
-- lead_rows by key.  After that, no lead is waited for: a session that finds one locked
-- gives up all that it has, and starts again with that lead.
-- ---------------------------------------------------------------------

-- A row of lead_rows that is not stored yet.  setup() makes the tables, and functions
-- must be able to use this type before that.
CREATE TYPE zcsync._lead_row AS (
	local_id bigint,
	row_key text,
	hash text,
	email text,
	name text,
	company text,
	domain text,
	phone text,
	mobile text,
	title text,
	source_id text,
	vals jsonb,
	at timestamptz
);
COMMENT ON TYPE zcsync._lead_row IS
'a lead as a source gave it, with its keys';

-- The rows in the order given, each with the number of a new lead; rows with the same
-- e-mail address, or without one with the same id, get the same number.
CREATE FUNCTION zcsync._lead_rows_of(p_rows jsonb[]) RETURNS zcsync._lead_row[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	RETURN (
		WITH given AS (
			SELECT u.n, k.source_id, k.email, left(k.name, 200) AS name, left(k.company, 200) AS company, k.domain,
				k.phone, k.mobile, k.title, v.vals
			FROM unnest(p_rows) WITH ORDINALITY AS u (row, n)
			-- custom fields one by one, as custom:<name>; an empty value says nothing
			CROSS JOIN LATERAL (
				SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') AS vals
				FROM (
					SELECT c.key, c.value FROM jsonb_each(u.row -> 'values') AS c WHERE c.key <> 'custom_fields'
					UNION ALL
					SELECT 'custom:' || c.key, c.value FROM jsonb_each(u.row -> 'values' -> 'custom_fields') AS c) AS e
				WHERE e.value NOT IN ('null', '""', '[]', '{}')) AS v
			CROSS JOIN LATERAL (SELECT u.row -> 'keys' ->> 'source_id', u.row -> 'keys' ->> 'email', u.row -> 'keys' ->> 'name',
				u.row -> 'keys' ->> 'company', u.row -> 'keys' ->> 'domain', u.row -> 'keys' ->> 'phone',
				u.row -> 'keys' ->> 'mobile', zcsync._fold(u.row -> 'values' ->> 'title')) AS k (source_id, email, name, company, domain, phone, mobile, title)),
		keyed AS (
			SELECT g.*, h.hash, coalesce('id:' || g.source_id || '/' || coalesce(g.email, ''), 'row:' || h.hash) AS row_key,
				coalesce('email:' || g.email, 'id:' || g.source_id, h.hash) AS lead_key
			FROM given g CROSS JOIN LATERAL (SELECT md5(g.vals::text)) AS h (hash)),
		fresh AS (
			SELECT k.lead_key, nextval('zcsync.local_id_seq') AS local_id
			FROM (SELECT k.lead_key FROM keyed k GROUP BY k.lead_key ORDER BY min(k.n)) AS k)
		SELECT array_agg(ROW(f.local_id, k.row_key, k.hash, k.email, k.name, k.company, k.domain,
			k.phone, k.mobile, k.title, k.source_id, k.vals,
			coalesce((k.vals ->> 'updated_at')::timestamptz, zcsync._now()))::zcsync._lead_row ORDER BY k.n)
		FROM keyed k JOIN fresh f ON f.lead_key = k.lead_key);
END
$$;
COMMENT ON FUNCTION zcsync._lead_rows_of(jsonb[]) IS
'normalised leads as rows of lead_rows that are not stored yet';

-- For each row, the lead that has the same row already and would not be changed by it;
-- otherwise NULL.  What a source says of a record with an id replaces what it said
-- before, so only its last row counts.  A row without an id counts again if another one
-- came after it, except from a file, which may be read twice.
CREATE FUNCTION zcsync._known_leads(p_account bigint, p_source text, p_rows zcsync._lead_row[], p_from_file boolean) RETURNS bigint[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(CASE WHEN k.hash = u.hash AND (p_from_file OR u.source_id IS NOT NULL OR u.vals ? 'updated_at'
			OR NOT EXISTS (
				SELECT FROM (SELECT y.source, y.at, y.row_id FROM zcsync.lead_rows y WHERE y.local_id = k.local_id OFFSET 0) AS x
				WHERE x.source = p_source AND (x.at, x.row_id) > (k.at, k.row_id)))
		THEN k.local_id END ORDER BY u.n)
	FROM unnest(p_rows) WITH ORDINALITY AS u (local_id, row_key, hash, email, name, company, domain, phone, mobile, title,
		source_id, vals, at, n)
	LEFT JOIN LATERAL (
		SELECT r.hash, r.local_id, r.at, r.row_id FROM zcsync.lead_rows r
		WHERE ROW(r.row_key, r.source, r.account_id) BETWEEN ROW(u.row_key, p_source, p_account) AND ROW(u.row_key, p_source, p_account)
		OFFSET 0) AS k ON true
$$;
COMMENT ON FUNCTION zcsync._known_leads(bigint, text, zcsync._lead_row[], boolean) IS
'for each row the lead that has it already; NULL if it is new';

-- Store rows, and give their identities to their leads unless another lead has them;
-- waits for others that are about to insert the same.  A row that is stored already
-- stays with its lead, even if somebody has given the lead another e-mail address.
-- Returns the ids of the stored rows.
CREATE FUNCTION zcsync._store_lead_rows(p_account bigint, p_source text, p_rows zcsync._lead_row[], p_look_again boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_ids bigint[];
BEGIN
	INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id)
	SELECT DISTINCT ON (i.kind, i.value) p_account, i.kind, i.value, coalesce(k.local_id, u.local_id)
	FROM unnest(p_rows) AS u
	LEFT JOIN LATERAL (
		SELECT r.local_id FROM zcsync.lead_rows r
		WHERE ROW(r.row_key, r.source, r.account_id) BETWEEN ROW(u.row_key, p_source, p_account) AND ROW(u.row_key, p_source, p_account)
		OFFSET 0) AS k ON true
	CROSS JOIN LATERAL (VALUES ('email', u.email), (p_source, u.source_id)) AS i (kind, value)
	WHERE i.value IS NOT NULL
	ORDER BY i.kind, i.value, k.local_id, u.local_id
	ON CONFLICT (account_id, kind, value) DO NOTHING;

	-- A new row goes to the lead with its e-mail address, else to the one with its id.
	WITH stored AS (
		INSERT INTO zcsync.lead_rows AS r (account_id, local_id, source, row_key, hash, email, name, company, domain, phone, mobile,
			title, source_id, vals, at, taken_at, look_again, via)
		SELECT p_account, coalesce(e.local_id, s.local_id, u.local_id), p_source, u.row_key, u.hash, u.email, u.name, u.company,
			u.domain, u.phone, u.mobile, u.title, u.source_id, u.vals, u.at, zcsync._now(), p_look_again,
			CASE WHEN e.local_id <> u.local_id THEN 'email' WHEN e.local_id IS NULL AND s.local_id <> u.local_id THEN 'source id' ELSE 'new' END
		FROM unnest(p_rows) AS u
		LEFT JOIN LATERAL (
			SELECT i.local_id FROM zcsync.lead_identities i
			WHERE i.account_id = p_account AND i.kind = 'email' AND i.value = u.email OFFSET 0) AS e ON true
		LEFT JOIN LATERAL (
			SELECT i.local_id FROM zcsync.lead_identities i
			WHERE i.account_id = p_account AND i.kind = p_source AND i.value = u.source_id AND u.email IS NULL OFFSET 0) AS s ON true
		ORDER BY u.row_key
		ON CONFLICT (account_id, source, row_key) DO UPDATE
			SET hash = excluded.hash, name = coalesce(excluded.name, r.name), company = coalesce(excluded.company, r.company),
				domain = coalesce(excluded.domain, r.domain), phone = coalesce(excluded.phone, r.phone),
				mobile = coalesce(excluded.mobile, r.mobile), title = coalesce(excluded.title, r.title),
				vals = r.vals || excluded.vals, at = excluded.at, taken_at = excluded.taken_at,
				look_again = r.look_again OR excluded.look_again
		RETURNING r.row_id)
	SELECT array_agg(s.row_id) INTO v_ids FROM stored s;
	RETURN v_ids;
END
$$;
COMMENT ON FUNCTION zcsync._store_lead_rows(bigint, text, zcsync._lead_row[], boolean) IS
'stores rows of leads and their identities; waits for others who store the same';

-- The leads that rows are about to change, found by their e-mail addresses and ids.
CREATE FUNCTION zcsync._leads_to_change(p_account bigint, p_source text, p_rows zcsync._lead_row[], p_known bigint[]) RETURNS bigint[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(DISTINCT i.local_id), '{}')
	FROM unnest(p_rows) WITH ORDINALITY AS u (local_id, row_key, hash, email, name, company, domain, phone, mobile, title,
		source_id, vals, at, n)
	CROSS JOIN LATERAL (VALUES ('email', u.email), (p_source, u.source_id)) AS k (kind, value)
	CROSS JOIN LATERAL (
		SELECT x.local_id FROM zcsync.lead_identities x
		WHERE x.account_id = p_account AND x.kind = k.kind AND x.value = k.value OFFSET 0) AS i
	WHERE p_known[u.n] IS NULL AND k.value IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._leads_to_change(bigint, text, zcsync._lead_row[], bigint[]) IS
'the leads that new rows are about to change, found by their e-mail addresses and ids';

-- ---------------------------------------------------------------------
-- Which leads are the same
-- ---------------------------------------------------------------------

-- The reasons to join the leads of these rows with others: ids that belong to another
-- lead than the row, and resemblance.  The strongest come first.
CREATE FUNCTION zcsync._lead_edges(p_account bigint, p_rows bigint[])
RETURNS TABLE (lead_a bigint, lead_b bigint, via text, score numeric, parts jsonb, may_merge boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT DISTINCT least(r.local_id, i.local_id), greatest(r.local_id, i.local_id),
		CASE k.kind WHEN 'email' THEN 'email' ELSE 'source id' END, NULL::numeric, '{}'::jsonb, true
	FROM unnest(p_rows) AS u (id)
	CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_rows x WHERE x.row_id = u.id OFFSET 0) AS r
	CROSS JOIN LATERAL (VALUES ('email', r.email), (r.source, r.source_id)) AS k (kind, value)
	CROSS JOIN LATERAL (
		SELECT x.local_id FROM zcsync.lead_identities x
		WHERE x.account_id = p_account AND x.kind = k.kind AND x.value = k.value OFFSET 0) AS i
	WHERE i.local_id <> r.local_id
	ORDER BY 3, 1, 2;

	-- Of the pairs of rows of two leads, take the one that may merge, or else the most
	-- similar.
	RETURN QUERY
	SELECT e.lead_a, e.lead_b, 'similar', e.score, e.parts, e.may_merge
	FROM (
		SELECT DISTINCT ON (p.lead_a, p.lead_b) p.lead_a, p.lead_b, p.score, p.parts, p.may_merge
		FROM (
			SELECT least(p.lead_a, p.lead_b) AS lead_a, greatest(p.lead_a, p.lead_b) AS lead_b, p.score, p.parts, p.may_merge
			FROM zcsync._lead_pairs(p_account, p_rows) AS p) AS p
		ORDER BY p.lead_a, p.lead_b, p.may_merge DESC, p.score DESC) AS e
	ORDER BY e.may_merge DESC, e.score DESC, e.lead_a, e.lead_b;
END
$$;
COMMENT ON FUNCTION zcsync._lead_edges(bigint, bigint[]) IS
'the reasons to join the leads of these rows with others, the strongest first';

-- Are a lead of one part and a lead of the other part to be kept apart?  The parts are
-- given by their roots; p_apart has the pairs as "low/high".
CREATE FUNCTION zcsync._are_apart(p_apart jsonb, p_nodes bigint[], p_parent integer[], p_a integer, p_b integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM jsonb_object_keys(p_apart) AS k (pair)
		CROSS JOIN LATERAL (SELECT
			zcsync._root_of(p_parent, array_position(p_nodes, split_part(k.pair, '/', 1)::bigint)),
			zcsync._root_of(p_parent, array_position(p_nodes, split_part(k.pair, '/', 2)::bigint))) AS p (x, y)
		WHERE (p.x = p_a AND p.y = p_b) OR (p.x = p_b AND p.y = p_a))
$$;
COMMENT ON FUNCTION zcsync._are_apart(jsonb, bigint[], integer[], integer, integer) IS
'are a lead of one part and a lead of another part to be kept apart?';

-- Decide which leads become one.  Leads are joined pair by pair, the strongest reason
-- first.  Two leads are not joined if both have an e-mail address, if both have a
-- counterpart in the same stream, if somebody keeps them apart, or if one has no e-mail
-- address and resembles several that have one.  Pairs that are not joined are flagged.
-- p_fresh: see _existing_leads().
CREATE FUNCTION zcsync._plan_joins(p_account bigint, p_rows bigint[], p_fresh bigint[],
	OUT nodes bigint[], OUT roots bigint[], OUT vias jsonb[], OUT flags jsonb[], OUT facts jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_edge record;
	v_edges jsonb[];
	v_existing bigint[];
	v_mail boolean[];		-- has the lead an e-mail?
	v_parent integer[];		-- of each node; a root is its own parent
	v_linked text[];		-- streams in which the lead has a counterpart
	v_apart jsonb;			-- {"low/high": true}
	v_a integer;
	v_b integer;
	v_reason text;
BEGIN
	v_edges := ARRAY(SELECT to_jsonb(e) FROM zcsync._lead_edges(p_account, p_rows) AS e);
	flags := '{}';
	IF cardinality(v_edges) = 0 THEN
		nodes := '{}';
		RETURN;
	END IF;

	-- Existing leads come first, the oldest first: they are kept.
	nodes := ARRAY(
		SELECT (e ->> 'lead_a')::bigint FROM unnest(v_edges) AS e UNION SELECT (e ->> 'lead_b')::bigint FROM unnest(v_edges) AS e);
	v_existing := zcsync._existing_leads(p_account, nodes, p_fresh);
	nodes := v_existing || ARRAY(SELECT unnest(nodes) EXCEPT SELECT unnest(v_existing) ORDER BY 1);
	facts := zcsync._lead_facts(p_account, nodes);
	SELECT array_agg(f.mail ORDER BY f.n), array_agg(f.linked ORDER BY f.n) INTO v_mail, v_linked
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'leads') AS (mail boolean, linked text)) WITH ORDINALITY AS f (mail, linked, n);
	v_apart := facts -> 'apart';
	v_parent := ARRAY(SELECT generate_series(1, cardinality(nodes)));
	vias := array_fill(NULL::jsonb, ARRAY[cardinality(nodes)]);

	FOR v_edge IN
		SELECT array_position(nodes, e.lead_a) AS a, array_position(nodes, e.lead_b) AS b, e.*, to_jsonb(e) AS doc
		FROM unnest(v_edges) WITH ORDINALITY AS u (doc, n)
		CROSS JOIN LATERAL jsonb_to_record(u.doc) AS e (lead_a bigint, lead_b bigint, via text, score numeric, parts jsonb, may_merge boolean)
		ORDER BY u.n
	LOOP
		v_a := zcsync._root_of(v_parent, v_edge.a);
		v_b := zcsync._root_of(v_parent, v_edge.b);
		CONTINUE WHEN v_a = v_b;
		v_reason := CASE
			WHEN v_mail[v_a] AND v_mail[v_b] THEN 'different e-mail addresses'
			WHEN NOT v_edge.may_merge AND v_edge.score > (SELECT r.value FROM zcsync.lead_match_rules r WHERE r.name = 'merge_above')
				THEN 'alike in too few fields'
			WHEN NOT v_edge.may_merge THEN 'not alike enough'
			WHEN string_to_array(v_linked[v_a], ',') && string_to_array(v_linked[v_b], ',') THEN 'both are routed already'
			WHEN v_edge.via = 'similar' AND v_mail[v_a] <> v_mail[v_b] AND (
				SELECT count(DISTINCT r.root)
				FROM unnest(v_edges) AS o
				CROSS JOIN LATERAL (SELECT CASE WHEN v_mail[v_a] THEN v_edge.lead_b ELSE v_edge.lead_a END) AS m (lead)
				CROSS JOIN LATERAL (SELECT zcsync._root_of(v_parent, array_position(nodes,
					CASE (o ->> 'lead_a')::bigint WHEN m.lead THEN o ->> 'lead_b' ELSE o ->> 'lead_a' END::bigint))) AS r (root)
				WHERE o ->> 'via' = 'similar' AND (o ->> 'may_merge')::boolean
					AND m.lead::text IN (o ->> 'lead_a', o ->> 'lead_b') AND v_mail[r.root]) > 1
				THEN 'like several leads with e-mail addresses'
			END;
		CONTINUE WHEN v_apart <> '{}' AND zcsync._are_apart(v_apart, nodes, v_parent, v_a, v_b);
		IF v_reason IS NOT NULL THEN
			flags := flags || (v_edge.doc || jsonb_build_object('reason', v_reason));
		ELSE
			-- the node with the lower number is kept
			v_parent[greatest(v_a, v_b)] := least(v_a, v_b);
			v_mail[least(v_a, v_b)] := v_mail[v_a] OR v_mail[v_b];
			v_linked[least(v_a, v_b)] := concat_ws(',', nullif(v_linked[v_a], ''), nullif(v_linked[v_b], ''));
			vias[greatest(v_a, v_b)] := v_edge.doc;
		END IF;
	END LOOP;
	roots := ARRAY(SELECT nodes[zcsync._root_of(v_parent, g)] FROM generate_series(1, cardinality(nodes)) AS g ORDER BY g);
END
$$;
COMMENT ON FUNCTION zcsync._plan_joins(bigint, bigint[], bigint[]) IS
'which leads become one because of these rows (nodes, and the node that each becomes part of), which are flagged, and the facts that this is based on';

-- No two leads have the same number, in whatever account.
CREATE FUNCTION zcsync._lead_facts(p_account bigint, p_leads bigint[]) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
	SELECT jsonb_build_object(
		'leads', (
			SELECT jsonb_agg(jsonb_build_object(
				'mail', EXISTS (SELECT FROM (SELECT x.kind FROM zcsync.lead_identities x WHERE x.local_id = u.id OFFSET 0) AS i WHERE i.kind = 'email'),
				'linked', array_to_string(ARRAY(
					SELECT k.target_account || k.target_kind FROM zcsync.links k WHERE k.source_id = u.id AND k.state <> 'unlinked' ORDER BY 1), ',')) ORDER BY u.n)
			FROM unnest(p_leads) WITH ORDINALITY AS u (id, n)),
		'apart', (
			SELECT coalesce(jsonb_object_agg(d.lead_a || '/' || d.lead_b, true), '{}')
			FROM unnest(p_leads) AS u (id)
			CROSS JOIN LATERAL (SELECT * FROM zcsync.lead_duplicates x WHERE x.lead_a = u.id OFFSET 0) AS d
			WHERE d.account_id = p_account AND d.state = 'apart' AND d.lead_b = ANY (p_leads)))
$$;
COMMENT ON FUNCTION zcsync._lead_facts(bigint, bigint[]) IS
'what prevents leads from being joined: which of them have an e-mail address, streams in which they have a counterpart, pairs kept apart';

CREATE FUNCTION zcsync._root_of(p_parents integer[], p_node integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	WHILE p_parents[p_node] <> p_node LOOP
		p_node := p_parents[p_node];
	END LOOP;
	RETURN p_node;
END
$$;
COMMENT ON FUNCTION zcsync._root_of(integer[], integer) IS
'the root of a node in a forest that is given by the parent of each node';

-- ---------------------------------------------------------------------
-- Taking
-- ---------------------------------------------------------------------

-- The leads that these rows are part of.
CREATE FUNCTION zcsync._leads_of_rows(p_rows bigint[]) RETURNS bigint[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
	SELECT ARRAY(
		SELECT DISTINCT r.local_id
		FROM unnest(p_rows) AS u (id)
		CROSS JOIN LATERAL (SELECT x.local_id FROM zcsync.lead_rows x WHERE x.row_id = u.id OFFSET 0) AS r)
$$;
COMMENT ON FUNCTION zcsync._leads_of_rows(bigint[]) IS
'the leads that rows of sources are part of';

-- Those of these leads that were merged into others, and into which; NULL: none.
CREATE FUNCTION zcsync._merged_leads(p_account bigint, p_leads bigint[], OUT leads bigint[], OUT kept bigint[])
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
	SELECT array_agg(l.local_id ORDER BY l.local_id), array_agg(l.merged_into ORDER BY l.local_id)
	FROM (SELECT DISTINCT unnest(p_leads)) AS u (id)
	CROSS JOIN LATERAL (
		SELECT t.local_id, t.merged_into FROM zcsync.leads t
		WHERE ROW(t.account_id, t.local_id) BETWEEN ROW(p_account, u.id) AND ROW(p_account, u.id) OFFSET 0) AS l
	WHERE l.merged_into IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._merged_leads(bigint, bigint[]) IS
'which of these leads were merged into others, and into which';

-- The rows and identities of some leads become those of others; vias, if given, says
-- how the rows came there.
CREATE FUNCTION zcsync._move_lead_rows(p_from bigint[], p_to bigint[], p_vias jsonb[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
	UPDATE zcsync.lead_identities i SET local_id = u.root
	FROM unnest(p_from, p_to) AS u (node, root)
	WHERE i.local_id = u.node AND u.node <> u.root;
	UPDATE zcsync.lead_rows r SET local_id = u.root, via = coalesce(u.via ->> 'via', r.via)
	FROM unnest(p_from, p_to, p_vias) AS u (node, root, via)
	WHERE r.local_id = u.node AND u.node <> u.root;
END
$$;
COMMENT ON FUNCTION zcsync._move_lead_rows(bigint[], bigint[], jsonb[]) IS
'moves the rows and identities of leads to other leads';

-- Join the leads of these rows with those that are the same.  Others may merge the same
-- leads meanwhile, or bring an e-mail address for one: if that is seen after the leads
-- were locked, the plan is made again.  Without p_wait this may end before it is done,
-- and return the leads that somebody else has locked.  p_fresh: see _existing_leads().
CREATE FUNCTION zcsync._join_leads(p_account bigint, p_rows bigint[], p_origin zcsync.origin, p_wait boolean, p_fresh bigint[] DEFAULT '{}') RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_plan record;
	v_leads bigint[];
	v_busy bigint[];
	v_gone record;
	v_stale boolean;
	v_node record;
BEGIN
	FOR v_try IN 1 .. 5 LOOP
		v_plan := zcsync._plan_joins(p_account, p_rows, p_fresh);
		v_leads := zcsync._existing_leads(p_account, v_plan.nodes || zcsync._leads_of_rows(p_rows), p_fresh);
		v_stale := false;
		EXIT WHEN v_leads = '{}';		-- all are about to be made, and nobody else knows them
		v_busy := zcsync._lock_joined(p_account, v_leads, p_wait);
		IF v_busy IS NOT NULL THEN
			RETURN v_busy;
		END IF;
		v_gone := zcsync._merged_leads(p_account, v_leads);
		v_stale := v_gone.leads IS NOT NULL OR v_plan.facts <> zcsync._lead_facts(p_account, v_plan.nodes);
		EXIT WHEN v_stale IS NOT TRUE;
		IF v_gone.leads IS NOT NULL THEN
			PERFORM zcsync._move_lead_rows(v_gone.leads, v_gone.kept, NULL);
		END IF;
	END LOOP;
	IF v_stale THEN
		RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
			MESSAGE = 'could not take leads, since others keep merging the same ones',
			HINT = 'Try again.';
	END IF;

	-- existing leads, one by one
	FOR v_node IN
		SELECT u.node, u.root, u.via
		FROM unnest(v_plan.nodes, v_plan.roots, v_plan.vias) AS u (node, root, via)
		WHERE u.node <> u.root AND u.node = ANY (v_leads)
		ORDER BY u.root, u.node
	LOOP
		PERFORM zcsync._absorb_lead(p_account, v_node.root, v_node.node, v_node.via, p_origin);
	END LOOP;

	-- those that were about to be made, all at once
	INSERT INTO zcsync.lead_merges (account_id, kept_id, row_ids, score, parts, reason, role, merged_at)
	SELECT p_account, u.root, array_agg(r.row_id ORDER BY r.row_id), (u.via ->> 'score')::numeric, u.via -> 'parts', 'similar',
		session_user, zcsync._now()
	FROM unnest(v_plan.nodes, v_plan.roots, v_plan.vias) AS u (node, root, via)
	CROSS JOIN LATERAL (SELECT x.row_id FROM zcsync.lead_rows x WHERE x.local_id = u.node OFFSET 0) AS r
	WHERE u.node <> u.root AND u.via ->> 'via' = 'similar'
	GROUP BY u.root, u.node, u.via;
	PERFORM zcsync._move_lead_rows(v_plan.nodes, v_plan.roots, v_plan.vias);

	INSERT INTO zcsync.lead_duplicates AS d (account_id, lead_a, lead_b, score, parts, reason, found_at)
	SELECT DISTINCT ON (1, 2, 3) p_account, least(a.root, b.root), greatest(a.root, b.root), (f.doc ->> 'score')::numeric,
		f.doc -> 'parts', f.doc ->> 'reason', zcsync._now()
	FROM unnest(v_plan.flags) AS f (doc)
	JOIN unnest(v_plan.nodes, v_plan.roots) AS a (node, root) ON a.node = (f.doc ->> 'lead_a')::bigint
	JOIN unnest(v_plan.nodes, v_plan.roots) AS b (node, root) ON b.node = (f.doc ->> 'lead_b')::bigint
	WHERE a.root <> b.root
	ORDER BY 1, 2, 3, 4 DESC NULLS LAST
	ON CONFLICT (account_id, lead_a, lead_b) DO UPDATE
		SET score = excluded.score, parts = excluded.parts, reason = excluded.reason
		WHERE d.state = 'open' AND excluded.score > d.score;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._join_leads(bigint, bigint[], zcsync.origin, boolean, bigint[]) IS
'merges and flags the leads of these rows; NULL: done, else the leads that somebody else has locked';

-- A new one each time, since a write that leaves the origin unchanged counts as local.
CREATE FUNCTION zcsync._fresh_origin(p_cause text) RETURNS zcsync.origin
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._origin_of(p_cause, nextval('zcsync.local_id_seq'))
$$;
COMMENT ON FUNCTION zcsync._fresh_origin(text) IS
'an origin that no other write has, of leads that are written for this cause';

-- Compare rows again that were taken while others took leads that could not be seen
-- yet.  This is done when nobody takes leads: rows that are alike become one lead, or
-- are flagged, as if they had come one after the other.  Up to p_max rows of an
-- account; returns whether there may be more.
CREATE FUNCTION zcsync._look_again(p_max integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
	v_account bigint;
	v_quiet boolean;
	v_ids bigint[];
	v_origin zcsync.origin;
	v_more boolean := false;
BEGIN
	FOR v_account IN SELECT DISTINCT r.account_id FROM zcsync.lead_rows r WHERE r.look_again ORDER BY 1 LOOP
		v_quiet := pg_try_advisory_xact_lock('zcsync.lead_duplicates'::regclass::oid::integer, (v_account % 2147483647)::integer);
		-- if somebody takes leads at the moment: only rows of an hour ago, which all can
		-- see by now
		v_ids := ARRAY(SELECT r.row_id FROM zcsync.lead_rows r
			WHERE r.account_id = v_account AND r.look_again AND (v_quiet OR r.taken_at < zcsync._now() - interval '1 hour')
			ORDER BY r.row_id LIMIT p_max);
		CONTINUE WHEN v_ids = '{}';
		v_origin := zcsync._fresh_origin('match');
		PERFORM zcsync._join_leads(v_account, v_ids, v_origin, true);
		PERFORM zcsync._write_leads(v_account, zcsync._leads_of_rows(v_ids), v_origin);
		UPDATE zcsync.lead_rows r SET look_again = false WHERE r.row_id = ANY (v_ids);
		v_more := v_more OR cardinality(v_ids) = p_max;
	END LOOP;
	RETURN v_more;
END
$$;
COMMENT ON FUNCTION zcsync._look_again(integer) IS
'compares rows again that were taken while others took leads; true: there may be more of them';

-- Take rows that have no error of their own; on an error, none of them.  p_busy are the
-- leads to begin with; p_wait says to wait for others that are found later.  Without
-- it, if somebody has locked one of those, keep is false, and result names them:
-- {"busy": [lead]}.  What became of the rows is {"taken": [{"n", "lead_id", "result",
-- "detail"}]}.
CREATE FUNCTION zcsync._take_lead_slice(p_account bigint, p_source text, p_rows jsonb[], p_from_file boolean, p_busy bigint[],
	p_wait boolean, OUT keep boolean, OUT result jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_origin zcsync.origin := zcsync._fresh_origin('intake ' || p_source);
	v_rows zcsync._lead_row[] := zcsync._lead_rows_of(p_rows);
	v_known bigint[] := zcsync._known_leads(p_account, p_source, v_rows, p_from_file);
	v_ids bigint[];
	v_fresh bigint[] := ARRAY(SELECT DISTINCT u.local_id FROM unnest(v_rows) AS u);
	v_leads bigint[] := p_busy || zcsync._leads_to_change(p_account, p_source, v_rows, v_known);
	v_busy bigint[];
	v_look_again boolean := NOT zcsync._takes_leads_alone(p_account);
BEGIN
	IF v_leads <> '{}' THEN
		PERFORM zcsync._lock_busy_leads(p_account, v_leads);
	END IF;
	-- of rows with the same key, the last one counts
	v_ids := zcsync._store_lead_rows(p_account, p_source, ARRAY(
		SELECT DISTINCT ON (v_rows[g].row_key) v_rows[g] FROM generate_subscripts(v_rows, 1) AS g
		WHERE v_known[g] IS NULL
		ORDER BY v_rows[g].row_key, g DESC), v_look_again);
	IF v_ids IS NOT NULL THEN
		v_busy := zcsync._join_leads(p_account, v_ids, v_origin, p_wait, v_fresh);
		IF v_busy IS NOT NULL THEN
			keep := false;
			result := jsonb_build_object('busy', v_busy);
			RETURN;
		END IF;
		PERFORM zcsync._write_leads(p_account, zcsync._leads_of_rows(v_ids), v_origin, v_fresh);
	END IF;

	keep := true;
	SELECT jsonb_build_object('taken', coalesce(jsonb_agg(jsonb_build_object('n', t.n, 'lead_id', t.lead, 'result', CASE
			WHEN t.known IS NOT NULL THEN 'unchanged'
			WHEN t.lead <> ALL (v_fresh) OR t.repeated THEN 'merged'
			WHEN f.flags IS NOT NULL THEN 'flagged'
			ELSE 'created' END,
		'detail', CASE WHEN t.known IS NULL THEN jsonb_strip_nulls(jsonb_build_object('via', nullif(t.via, 'new'), 'flagged', f.flags)) ELSE '{}' END)
		ORDER BY t.n), '[]'))
	INTO result
	FROM (
		SELECT r.*, row_number() OVER (PARTITION BY r.lead ORDER BY r.n) > 1 AS repeated
		FROM (
			SELECT g AS n, v_known[g] AS known, coalesce(v_known[g], r.local_id) AS lead, r.via
			FROM generate_subscripts(v_rows, 1) AS g
			LEFT JOIN LATERAL (
				SELECT x.local_id, x.via FROM zcsync.lead_rows x
				WHERE ROW(x.row_key, x.source, x.account_id) BETWEEN ROW(v_rows[g].row_key, p_source, p_account)
					AND ROW(v_rows[g].row_key, p_source, p_account) OFFSET 0) AS r ON v_known[g] IS NULL) AS r) AS t
	LEFT JOIN LATERAL (
		SELECT jsonb_agg(jsonb_build_object('lead', CASE d.lead_a WHEN t.lead THEN d.lead_b ELSE d.lead_a END, 'score', d.score,
			'reason', d.reason) ORDER BY d.score DESC NULLS LAST, d.lead_a, d.lead_b) AS flags
		FROM (
			(SELECT * FROM zcsync.lead_duplicates a WHERE a.lead_a = t.lead OFFSET 0)
			UNION ALL
			(SELECT * FROM zcsync.lead_duplicates b WHERE b.lead_b = t.lead OFFSET 0)) AS d
		WHERE d.account_id = p_account AND d.state = 'open') AS f ON t.known IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._take_lead_slice(bigint, text, jsonb[], boolean, bigint[], boolean) IS
'takes normalised leads that have no errors: what became of each, or which leads must be waited for first';

-- Take normalised leads; returns a row for each: created, merged, flagged (created, and
-- similar to others), unchanged, rejected.  A row that cannot be stored does not keep
-- the others from being stored: on an error the set is halved, down to that row.
-- p_from_file means that the same rows may be brought again.  If somebody has locked a
-- lead that is found late, the rows are taken again, beginning with that lead.
CREATE FUNCTION zcsync._take_leads(p_account bigint, p_source text, p_rows jsonb[], p_from_file boolean DEFAULT false)
RETURNS TABLE (index integer, ok boolean, lead_id bigint, result text, error text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET timezone = 'UTC'
SET work_mem = '32MB'
SET plan_cache_mode = force_custom_plan		-- batches and single rows share these statements
AS $$
DECLARE
	v_good integer[];
	v_lows integer[] := '{1}';
	v_highs integer[];
	v_low integer;
	v_high integer;
	v_tries integer := 0;
	v_retries integer := 0;
	v_busy bigint[] := '{}';
	v_waits integer := 0;
	v_taken jsonb;
BEGIN
	PERFORM zcsync._check_take(p_account, p_source, p_rows);
	v_good := ARRAY(SELECT g FROM generate_subscripts(p_rows, 1) AS g WHERE zcsync._lead_row_error(p_rows[g]) IS NULL ORDER BY g);
	RETURN QUERY
	SELECT g, false, NULL::bigint, 'rejected', zcsync._lead_row_error(p_rows[g]), '{}'::jsonb
	FROM generate_subscripts(p_rows, 1) AS g WHERE g <> ALL (v_good);
	v_highs := ARRAY[cardinality(v_good)];
	WHILE cardinality(v_lows) > 0 LOOP
		v_low := v_lows[1];
		v_high := v_highs[1];
		v_lows := v_lows[2:];
		v_highs := v_highs[2:];
		CONTINUE WHEN v_low > v_high;
		v_tries := v_tries + 1;
		BEGIN
			v_taken := zcsync._attempt('SELECT s.keep, s.result FROM zcsync._take_lead_slice($1, $2, $3, $4, $5, $6) AS s',
				p_account, p_source, ARRAY(SELECT p_rows[v_good[g]] FROM generate_series(v_low, v_high) AS g ORDER BY g),
				p_from_file, v_busy, v_waits >= 20);
			IF v_taken ? 'busy' THEN
				v_busy := v_busy || ARRAY(SELECT b::bigint FROM jsonb_array_elements_text(v_taken -> 'busy') AS b);
				v_waits := v_waits + 1;
				v_tries := v_tries - 1;
				v_lows := v_low || v_lows;
				v_highs := v_high || v_highs;
			END IF;
			RETURN QUERY
			SELECT v_good[v_low + s.n - 1], true, s.lead_id, s.result, NULL::text, s.detail
			FROM jsonb_to_recordset(v_taken -> 'taken') AS s (n integer, lead_id bigint, result text, detail jsonb)
			ORDER BY s.n;
		EXCEPTION WHEN OTHERS THEN
			IF SQLSTATE = '40P01' AND v_retries < 3 THEN
				v_retries := v_retries + 1;
				v_lows := v_low || v_lows;
				v_highs := v_high || v_highs;
			ELSIF zcsync._is_servers_error(SQLSTATE) OR (v_tries >= 50 AND v_low < v_high) THEN
				RAISE;
			ELSIF v_low < v_high THEN
				v_lows := ARRAY[v_low, (v_low + v_high) / 2 + 1] || v_lows;
				v_highs := ARRAY[(v_low + v_high) / 2, v_high] || v_highs;
			ELSE
				index := v_good[v_low];
				ok := false;
				lead_id := NULL;
				result := 'rejected';
				error := SQLERRM;
				detail := jsonb_build_object('sqlstate', SQLSTATE);
				RETURN NEXT;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._take_leads(bigint, text, jsonb[], boolean) IS
'takes normalised leads into a local account: new ones are made, known ones merged; a row each';

CREATE FUNCTION zcsync._lead_row_error(p_row jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_row IS NULL OR jsonb_typeof(p_row) <> 'object' THEN 'a lead is an object'
		WHEN p_row ->> 'error' IS NOT NULL THEN p_row ->> 'error'
		WHEN jsonb_typeof(p_row -> 'values') IS DISTINCT FROM 'object' THEN 'a lead has values'
		WHEN p_row #>> '{keys,email}' IS NULL AND p_row #>> '{keys,name}' IS NULL AND p_row #>> '{keys,phone}' IS NULL
			AND p_row #>> '{keys,company}' IS NULL AND p_row #>> '{keys,source_id}' IS NULL
			THEN 'neither e-mail, name, phone, company nor id is given' END;
END;
COMMENT ON FUNCTION zcsync._lead_row_error(jsonb) IS
'why a normalised lead cannot be taken; NULL if it can';

CREATE FUNCTION zcsync._check_take(p_account bigint, p_source text, p_rows jsonb[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_account zcsync.accounts;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	IF v_account.vendor IS DISTINCT FROM 'local' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('account %s takes no leads', coalesce('"' || v_account.name || '"', p_account::text, 'NULL')),
			DETAIL = 'Leads are taken into accounts of vendor "local".',
			HINT = 'SELECT zcsync.add_account(''crm'', ''local'');';
	ELSIF NOT EXISTS (SELECT FROM zcsync.lead_sources s WHERE s.name = p_source) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('lead source %s does not exist', coalesce('"' || left(p_source, 100) || '"', 'NULL')),
			HINT = 'The sources are the rows of zcsync.lead_sources.';
	ELSIF p_rows IS NULL OR cardinality(p_rows) > 1000 OR array_ndims(p_rows) > 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
			MESSAGE = 'cannot take more than 1000 leads at a time';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_take(bigint, text, jsonb[]) IS
'raises an error unless leads of this source can be taken into this account';
