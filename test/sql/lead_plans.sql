-- Leads are taken by look-ups in indexes, however many rows the planner thinks
-- that their tables have: after a plan that was undone, or an import that was
-- cancelled, autovacuum may say that they have none.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('crm', 'local', '{"country": "DE"}') > 0 AS added;
SELECT zcsync.add_account('other', 'local', '{"country": "DE"}') > 0 AS added;

CREATE FUNCTION page(p_from integer, p_prefix text) RETURNS jsonb[] LANGUAGE sql AS
$$
	-- people with an e-mail, with an id and a phone, and such that resemble those before them
	SELECT array_agg(d ORDER BY n) FROM generate_series(p_from, p_from + 39) AS n CROSS JOIN LATERAL (VALUES
		(jsonb_build_object('email', p_prefix || n || '@example.com', 'first_name', 'A' || md5(n::text), 'last_name', md5('l' || n), 'company', 'Firm ' || n)),
		(jsonb_build_object('id', p_prefix || n, 'first_name', 'B' || md5(n::text), 'last_name', md5('m' || n), 'phone', '030 ' || 10000000 + n, 'company', 'Firm ' || n)),
		(jsonb_build_object('first_name', 'B' || md5(n::text), 'last_name', md5('m' || n), 'mobile', '030 ' || 10000000 + n, 'company', 'Firm ' || n))) AS d (d)
$$;
CREATE FUNCTION take(p_source text, p_docs jsonb[]) RETURNS TABLE (result text, leads bigint) LANGUAGE sql AS
$$ SELECT t.result, count(*) FROM zcsync._take_leads(zcsync.account('crm'), p_source, zcsync._normalise_leads(p_source, p_docs, 'DE')) AS t GROUP BY 1 ORDER BY 1 $$;
-- how many blocks of the tables of leads and their indexes this transaction has looked at
CREATE FUNCTION blocks() RETURNS bigint LANGUAGE sql AS
$$
	SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class c
	WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'i') AND c.relname ~ 'lead'
$$;
-- what statistics say: nothing, no rows at all, or what they said when there was one row
CREATE FUNCTION mislead(p_how text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	IF p_how <> 'never analysed' THEN
		UPDATE pg_class SET reltuples = CASE p_how WHEN 'one row' THEN 1 ELSE 0 END, relpages = 100000
		WHERE relnamespace = 'zcsync'::regnamespace AND relkind IN ('r', 'i') AND relname ~ 'lead';
	END IF;
END
$$;
-- New leads, the same from elsewhere, and again; then people decide.  What became of
-- them, and the blocks that this took.
CREATE FUNCTION run(p_how text) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	v_before bigint := blocks();
	v_results text;
BEGIN
	PERFORM mislead(p_how);
	SELECT string_agg(concat_ws(' ', t.step, t.result, t.leads), ', ') INTO v_results
	FROM (
		SELECT 1 AS step, t.* FROM take('csv', page(1, 'a')) AS t
		UNION ALL SELECT 2, t.* FROM take('manual', page(1, 'a')) AS t
		UNION ALL SELECT 3, t.* FROM take('csv', page(1, 'a')) AS t) AS t;
	-- in SQL
	INSERT INTO zcsync.leads (account_id, last_name, email) SELECT zcsync.account('crm'), 'D' || n, 'd' || n || '@example.com' FROM generate_series(1, 40) AS n;
	PERFORM FROM zcsync.merge_leads((SELECT zcsync.reference('leads', i.local_id) FROM zcsync.lead_identities i WHERE i.value = 'a1@example.com'),
		(SELECT zcsync.reference('leads', i.local_id) FROM zcsync.lead_identities i WHERE i.value = 'a2@example.com'));
	PERFORM FROM zcsync.split_lead((SELECT zcsync.reference('leads', i.local_id) FROM zcsync.lead_identities i WHERE i.value = 'a1@example.com'));
	RETURN jsonb_build_object('results', v_results, 'blocks', blocks() - v_before);
END
$$;
CREATE TABLE looked_at AS SELECT 'empty' AS filled, 'never analysed' AS how, zcsync._attempt('SELECT false, public.run($1)', 'never analysed'::text) AS found;

-- 10,000 leads of two accounts, as another session would have made them
SET session_replication_role = replica;
INSERT INTO zcsync.leads (account_id, email, first_name, last_name, company, sync_cause, sync_state)
SELECT a.account_id, 'x' || n || '@example.com', 'C' || md5(n::text), md5('n' || n), 'Firm ' || n, 'local', 'synced'
FROM generate_series(1, 5000) AS n, zcsync.accounts a;
INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id) SELECT l.account_id, 'email', l.email, l.local_id FROM zcsync.leads l;
INSERT INTO zcsync.lead_rows (account_id, local_id, source, row_key, hash, email, name, company, phone, mobile, source_id, vals, at, taken_at)
SELECT l.account_id, l.local_id, 'csv', 'id:' || l.local_id || '/' || l.email, '', l.email, lower(l.first_name || ' ' || l.last_name), lower(l.company),
	'+49301' || l.local_id, '+49302' || l.local_id, l.local_id, jsonb_build_object('email', l.email), now(), now()
FROM zcsync.leads l;
INSERT INTO zcsync.lead_duplicates (account_id, lead_a, lead_b, score, reason)
SELECT l.account_id, l.local_id - 1, l.local_id, 0.9, 'not alike enough' FROM zcsync.leads l WHERE l.local_id > 1;
RESET session_replication_role;
INSERT INTO looked_at SELECT 'full', how, zcsync._attempt('SELECT false, public.run($1)', how)
FROM unnest('{never analysed,no rows,one row}'::text[]) AS how;
SELECT DISTINCT found ->> 'results' AS results FROM looked_at;
-- a deeper index is a block more for a look-up; one scan of a table for each row is hundreds
SELECT filled, how, (found ->> 'blocks')::integer < 2 * (SELECT (e.found ->> 'blocks')::integer FROM looked_at e WHERE e.filled = 'empty') AS few_blocks
FROM looked_at ORDER BY 1, 2;

-- A lead that is new, or known already, opens the month into which it goes and no other:
-- there are as many as years of leads have made, each with all its indexes.
\c -
SET client_min_messages = warning;
BEGIN;
SELECT result FROM zcsync.sync_lead('apollo', '{"first_name": "Ada", "last_name": "Byron", "email": "ada@engines.example", "company": "Engines"}', 'crm');
SELECT count(*) AS months FROM (SELECT DISTINCT l.relation FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation
	WHERE i.inhparent = 'zcsync.leads'::regclass AND l.pid = pg_backend_pid()) AS m;
COMMIT;
\c -
SET client_min_messages = warning;
BEGIN;
SELECT result FROM zcsync.sync_lead('apollo', '{"first_name": "Ada", "last_name": "Byron", "email": "ada@engines.example", "company": "Engines"}', 'crm');
SELECT count(*) AS months FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation
WHERE i.inhparent = 'zcsync.leads'::regclass AND l.pid = pg_backend_pid();
COMMIT;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP TABLE looked_at;
DROP FUNCTION page(integer, text), take(text, jsonb[]), blocks(), mislead(text), run(text);
