-- How long it takes to read a page, each view, and what a person on call asks for,
-- after test/bench/search_setup.sql: 20 times each, the first two not counted.  Where
-- other programs keep the machine busy, the CPU time says more.
-- Before that, 100,000 jobs are queued, and maintain() counts what there is.
SET client_min_messages = warning;
INSERT INTO zcsync.streams (account_id, kind, state) SELECT a.account_id, 'tickets', 'paused' FROM zcsync.accounts AS a WHERE a.vendor = 'zendesk';
INSERT INTO zcsync.sync_queue (account_id, queue, operation, record_key, dedupe_key, state, run_at)
SELECT zcsync.account('acme'), 'ticket-sync', 'fetch', 'tickets/' || i, 'tickets/' || i, 'ready', now() + interval '1 day' FROM generate_series(1, 100000) AS i;
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, status, attempts, queued_at, duration_us, created_at)
SELECT i, zcsync.account('acme'), 'ticket-sync', 'push', 'tickets', 'updated', 1, now() - i * interval '20 seconds', 200000, now() - i * interval '20 seconds'
FROM generate_series(1, 100000) AS i;
ANALYZE zcsync.sync_queue;
ANALYZE zcsync.sync_records;
\timing on
\echo maintain
CALL zcsync.maintain();
\timing off
CREATE FUNCTION pg_temp.cpu_ms() RETURNS double precision LANGUAGE sql AS
$$ SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 100), ' ', 1)::double precision / 1000000 $$;
CREATE TEMP TABLE runs (what text, ms double precision, cpu_ms double precision);

CREATE PROCEDURE pg_temp.measure(p_what text, p_query text) LANGUAGE plpgsql AS
$$
DECLARE
	v_begin timestamptz;
	v_cpu double precision;
BEGIN
	FOR i IN 1 .. 20 LOOP
		v_cpu := pg_temp.cpu_ms();
		v_begin := clock_timestamp();
		EXECUTE p_query;
		IF i > 2 THEN
			INSERT INTO runs VALUES (p_what, extract(epoch FROM clock_timestamp() - v_begin) * 1000, pg_temp.cpu_ms() - v_cpu);
		END IF;
	END LOOP;
END
$$;

-- the cursor that follows so many rows of a list
CREATE FUNCTION pg_temp.cursor_after(p_rows bigint, p_kind text, p_order text, p_account text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	v_cursor text;
BEGIN
	EXECUTE format('SELECT zcsync._encode_cursor(jsonb_build_array(%1$L, ''created_at'', %2$L, %3$L::text), to_jsonb(t.created_at), t.local_id)
		FROM zcsync.%1$I AS t WHERE t.account_id = ANY ($1) ORDER BY t.created_at %2$s, t.local_id %2$s OFFSET %4$s - 1 LIMIT 1',
		p_kind, p_order, p_account, p_rows)
	INTO v_cursor USING ARRAY(SELECT a.account_id FROM zcsync.accounts AS a WHERE p_account IS NULL OR a.name = p_account);
	RETURN v_cursor;
END
$$;

-- pages of 20, the first and the ten-thousandth
SELECT format('CALL pg_temp.measure(%L, %L)', format('%s %s, page %s%s', k, o, p, ' of ' || a),
	format('SELECT * FROM zcsync.%s_page(%L, 20, sort_order => %L, account => %L)', k,
		CASE WHEN p > 1 THEN pg_temp.cursor_after((p - 1) * 20, k, o, a) END, o, a))
FROM unnest('{tickets,leads}'::text[]) AS k, unnest('{desc,asc}'::text[]) AS o, unnest('{1,10000}'::bigint[]) AS p,
	unnest(ARRAY[NULL, CASE k WHEN 'tickets' THEN 'acme' ELSE 'crm' END]) AS a
\gexec
CALL pg_temp.measure('active_tickets_by_user()', $$SELECT * FROM zcsync.active_tickets_by_user('7')$$);
CALL pg_temp.measure('recent_leads()', 'SELECT * FROM zcsync.recent_leads()');
SELECT format('CALL pg_temp.measure(%L, %L)', f, 'SELECT * FROM zcsync.' || f)
FROM unnest('{metrics(),analytics_sync(),calculate_capacity(),report_html(),selfcheck(),maintenance_advice()}'::text[]) AS f
\gexec
SELECT format('CALL pg_temp.measure(%L, %L)', c.relname, format('SELECT * FROM zcsync.%I', c.relname))
FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'v' ORDER BY c.relname
\gexec
SELECT what, round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1) AS p50_ms, round(percentile_disc(0.95) WITHIN GROUP (ORDER BY ms)::numeric, 1) AS p95_ms,
	round(percentile_disc(0.95) WITHIN GROUP (ORDER BY cpu_ms)::numeric, 1) AS p95_cpu_ms
FROM runs GROUP BY what ORDER BY p95_cpu_ms DESC, what;
