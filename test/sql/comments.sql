-- Rules that hold for every object: a comment, a pinned search path, no table
-- made by the install script, and no internal error whatever a function is
-- given.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;

-- The install script makes functions and types only.
SELECT pg_describe_object(d.classid, d.objid, 0) AS made_by_install_script
FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'zcsync')
	AND c.relkind <> 'c' ORDER BY 1;

SELECT FROM zcsync.setup();
SELECT zcsync.stop();

-- The indexes that readers rely on serve these queries, where there is something.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO zcsync.tickets (account_id, assignee_id, status) SELECT 1, i, 'open' FROM generate_series(1, 1000) AS i;
ANALYZE zcsync.tickets;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
CREATE FUNCTION index_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index.* using ' THEN
			RETURN NEXT regexp_replace(line, '.* using (\S+) on .*', '\1');
		END IF;
	END LOOP;
END $$;
SELECT q.n, i.index FROM (VALUES
	(1, $$SELECT subject FROM zcsync.tickets WHERE assignee_id = '1' AND status IN ('open', 'pending') AND deleted_at IS NULL$$),
	(2, $$SELECT subject FROM zcsync.tickets ORDER BY created_at DESC, local_id DESC LIMIT 20$$),
	(3, $$SELECT subject FROM zcsync.tickets WHERE account_id = 1 AND remote_id = '1'$$),
	(4, $$SELECT name FROM zcsync.tasks WHERE account_id = 1 AND list_id = '1' AND deleted_at IS NULL$$),
	(5, $$SELECT name FROM zcsync.contacts WHERE account_id = 1 AND lower(email) = 'a@example.com'$$),
	(6, $$SELECT message FROM zcsync.sync_records_default WHERE status = 'failed' ORDER BY created_at DESC LIMIT 1$$),
	(7, $$SELECT new FROM zcsync.changes_default WHERE local_id = 1 ORDER BY created_at$$)) AS q (n, query),
	index_of(q.query) AS i (index) ORDER BY 1, 2;
ROLLBACK;

-- Everything has a comment.
SELECT oid::regprocedure AS routine_without_comment FROM pg_proc
WHERE pronamespace = 'zcsync'::regnamespace AND coalesce(obj_description(oid, 'pg_proc'), '') = '' ORDER BY 1;
SELECT relname AS relation_without_comment FROM pg_class
WHERE relnamespace = 'zcsync'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND NOT relispartition
	AND coalesce(obj_description(oid, 'pg_class'), obj_description(reltype, 'pg_type'), '') = '' ORDER BY 1;
SELECT a.attrelid::regclass || '.' || a.attname AS column_without_comment FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
	AND coalesce(col_description(a.attrelid, a.attnum), '') = '' ORDER BY 1;
SELECT t.oid::regtype AS type_without_comment FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'zcsync'::regnamespace AND t.typelem = 0 AND (t.typrelid = 0 OR c.relkind = 'c')
	AND obj_description(t.oid, 'pg_type') IS NULL ORDER BY 1;
SELECT nspname AS schema_without_comment FROM pg_namespace
WHERE nspname LIKE 'zcsync%' AND obj_description(oid, 'pg_namespace') IS NULL;
SELECT obj_description(oid, 'pg_extension') IS NOT NULL AS extension_has_comment FROM pg_extension WHERE extname = 'zcsync';

-- What runs with the rights of its owner, and all of PL/pgSQL, pins its path.
-- Procedures cannot: they commit.
SELECT oid::regprocedure AS path_not_pinned FROM pg_proc p
WHERE pronamespace = 'zcsync'::regnamespace AND prokind <> 'p'
	AND (prosecdef OR prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql'))
	AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}')) ORDER BY 1;
SELECT oid::regprocedure AS procedure_with_settings FROM pg_proc
WHERE pronamespace = 'zcsync'::regnamespace AND prokind = 'p' AND (prosecdef OR proconfig IS NOT NULL) ORDER BY 1;

-- The verbs of users answer NULL with an error or with something of use, not
-- with silence.
SELECT oid::regprocedure AS strict_verb FROM pg_proc
WHERE pronamespace = 'zcsync'::regnamespace AND proname !~ '^_' AND proisstrict ORDER BY 1;

-- Call every public function with NULL, empty and huge arguments: all of them
-- so, and each of them alone among plausible ones.  An internal error (class
-- XX) or a crash is a fault; every other outcome is the function's own affair.
CREATE FUNCTION literal(type regtype, how text, name text) RETURNS text LANGUAGE sql AS $$
	SELECT format('%L::%s', CASE how
		WHEN 'null' THEN NULL
		WHEN 'empty' THEN CASE
			WHEN type::text LIKE '%[]' THEN '{}'
			WHEN type IN ('jsonb'::regtype, 'json'::regtype) THEN '{}'
			WHEN type IN ('text'::regtype, 'name'::regtype) THEN ''
			WHEN type = 'boolean'::regtype THEN 'false'
			WHEN type = 'interval'::regtype THEN '0'
			WHEN type = 'timestamptz'::regtype THEN '-infinity'
			ELSE '0' END
		WHEN 'huge' THEN CASE
			WHEN type = 'text[]'::regtype THEN (SELECT array_agg(repeat('x', 2000))::text FROM generate_series(1, 500))
			WHEN type::text LIKE '%[]' THEN (SELECT array_agg(2147483647)::text FROM generate_series(1, 10000))
			WHEN type IN ('jsonb'::regtype, 'json'::regtype) THEN
				(SELECT jsonb_object_agg('key' || i, repeat('é', 100)) FROM generate_series(1, 3000) i)::text
			WHEN type IN ('text'::regtype, 'name'::regtype) THEN repeat('é''"\/', 40000)
			WHEN type = 'boolean'::regtype THEN 'true'
			WHEN type = 'interval'::regtype THEN '178000000 years'
			WHEN type = 'timestamptz'::regtype THEN 'infinity'
			WHEN type = 'bigint'::regtype THEN '9223372036854775807'
			ELSE '2147483647' END
		ELSE CASE
			WHEN type::text LIKE '%[]' THEN '{1}'
			WHEN type IN ('jsonb'::regtype, 'json'::regtype) THEN '{"workspace_id": "1"}'
			WHEN type = 'boolean'::regtype THEN 'true'
			WHEN type = 'interval'::regtype THEN '1 minute'
			WHEN type = 'timestamptz'::regtype THEN '2026-01-01'
			WHEN type NOT IN ('text'::regtype, 'name'::regtype) THEN '1'
			WHEN name = 'vendor' THEN 'clickup'
			WHEN name IN ('account', 'name') THEN 'fuzz'
			WHEN name IN ('stream', 'source', 'target') THEN 'fuzz/tasks'
			WHEN name = 'reference' THEN 'fuzz/tasks/1'
			WHEN name = 'kind' THEN 'tasks'
			WHEN name = 'queue' THEN 'task-sync'
			WHEN name = 'operation' THEN 'pull'
			WHEN name = 'field' THEN 'status'
			ELSE '1' END
		END, type)
$$;
CREATE VIEW calls AS
WITH arguments AS (
	SELECT p.oid::regprocedure AS routine, a.n, a.type::regtype AS type, p.pronargs,
		(p.proargnames)[a.n] AS name
	FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) ON true
	WHERE p.pronamespace = 'zcsync'::regnamespace AND p.prokind = 'f' AND p.proname !~ '^_'
		AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
)
SELECT x.routine, h.how, coalesce(i.odd, 0) AS odd,
	string_agg(literal(x.type, CASE WHEN i.odd IS NULL OR i.odd = x.n THEN h.how ELSE 'plausible' END, x.name), ', ' ORDER BY x.n) AS arguments
FROM arguments x
CROSS JOIN (VALUES ('null'), ('empty'), ('huge'), ('plausible')) AS h (how)
CROSS JOIN LATERAL (SELECT NULL::integer UNION ALL SELECT generate_series(1, x.pronargs) WHERE h.how <> 'plausible') AS i (odd)
GROUP BY 1, 2, 3;

CREATE FUNCTION fuzz() RETURNS TABLE (routine text, how text, argument integer, state text, message text) LANGUAGE plpgsql AS $$
DECLARE
	v record;
	v_done bigint := 0;
BEGIN
	FOR v IN SELECT * FROM calls ORDER BY calls.routine::text, calls.how, calls.odd LOOP
		BEGIN
			EXECUTE format('SELECT count(*) FROM zcsync.%I(%s) AS r',
				(SELECT p.proname FROM pg_proc p WHERE p.oid = v.routine), coalesce(v.arguments, ''));
			v_done := v_done + 1;
			-- undo what it did
			RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
		EXCEPTION
			WHEN SQLSTATE 'ZZZZZ' THEN
				NULL;
			WHEN OTHERS THEN
				v_done := v_done + 1;
				IF SQLSTATE ~ '^XX' OR SQLERRM = '' THEN
					routine := v.routine::text;
					how := v.how;
					argument := v.odd;
					state := SQLSTATE;
					message := left(SQLERRM, 100);
					RETURN NEXT;
				END IF;
		END;
	END LOOP;
	routine := CASE WHEN v_done > 400 THEN 'more than 400 calls' ELSE v_done || ' calls' END;
	how := NULL; argument := NULL; state := NULL; message := NULL;
	RETURN NEXT;
END $$;
SELECT zcsync.add_account('fuzz', 'clickup', '{"workspace_id": "1"}') > 0 AS added;
SELECT * FROM fuzz();

-- what commits is called by itself only
BEGIN;
CALL zcsync.run();
ROLLBACK;

DROP FUNCTION fuzz;
DROP VIEW calls;
DROP FUNCTION literal;
DROP EXTENSION zcsync CASCADE;
