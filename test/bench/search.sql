-- How long a search takes, after test/bench/search_setup.sql: 40 runs of each query,
-- the first three not counted.  Where other programs keep the machine busy, the CPU
-- time says more.
SET client_min_messages = warning;
SELECT '{tickets,leads}' || CASE WHEN EXISTS (SELECT FROM zcsync.comments) THEN '{comments}'::text[] END AS kinds \gset
SELECT DISTINCT kind, action FROM zcsync.enable_search(:'kinds', 'english', typos => false);
CREATE FUNCTION pg_temp.cpu_ms() RETURNS double precision LANGUAGE sql AS
$$ SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 100), ' ', 1)::double precision / 1000000 $$;
CREATE TEMP TABLE runs (query text, kinds text[], account text, ms double precision, cpu_ms double precision);
DO $$
DECLARE
	v_query record;
	v_begin timestamptz;
	v_cpu double precision;
BEGIN
	FOR v_query IN
		SELECT q.query, q.kinds, q.account, n
		FROM (VALUES ('word10', '{tickets}'::text[], NULL), ('word1000', '{tickets}', NULL), ('word10000', '{tickets}', NULL), ('word100000', '{tickets}', NULL),
			('word100000', '{tickets}', 'beta'), ('word100000 word1000', '{tickets}', NULL), ('word10*', '{tickets}', NULL), ('word10000 or word1000 -word10', '{tickets}', NULL),
			('manager', '{leads}', NULL), ('manager 77', '{tickets,leads}', NULL),
			('said10', '{comments}', NULL), ('said1000', '{comments}', NULL), ('said10000', '{comments}', NULL), ('said100000', '{comments}', NULL),
			('said10000 or word10000', '{tickets,comments}', NULL)) AS q (query, kinds, account)
		CROSS JOIN generate_series(1, 40) AS n
		ORDER BY q.query, q.account, n
	LOOP
		v_cpu := pg_temp.cpu_ms();
		v_begin := clock_timestamp();
		PERFORM FROM zcsync.search(v_query.query, v_query.kinds, v_query.account);
		IF v_query.n > 3 THEN
			INSERT INTO runs VALUES (v_query.query, v_query.kinds, v_query.account, extract(epoch FROM clock_timestamp() - v_begin) * 1000, pg_temp.cpu_ms() - v_cpu);
		END IF;
	END LOOP;
END
$$;
SELECT query, kinds, account, round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1) AS p50_ms, round(percentile_disc(0.95) WITHIN GROUP (ORDER BY ms)::numeric, 1) AS p95_ms,
	round(percentile_disc(0.95) WITHIN GROUP (ORDER BY cpu_ms)::numeric, 1) AS p95_cpu_ms
FROM runs GROUP BY query, kinds, account ORDER BY p95_cpu_ms;
