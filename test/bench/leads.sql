-- Leads a second of CPU time of the session: 10,000 leads in one INSERT ... SELECT
-- into a local account, beside the same rows without the triggers of zcsync (the table's
-- own indexes and keys only), which is its ceiling.
SET client_min_messages = warning;
SELECT FROM zcsync.add_account('leads', 'local', '{"country": "DE"}');
CREATE FUNCTION pg_temp.cpu() RETURNS numeric LANGUAGE sql AS
$$
	SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 200), ' ', 1)::numeric / 1000000000
$$;
CREATE TEMP TABLE measured (what text, seconds numeric);
CREATE TEMP TABLE written (LIKE zcsync.leads);
CREATE PROCEDURE pg_temp.measure(p_first integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_account bigint := zcsync.account('leads');
	v_begin numeric := pg_temp.cpu();
BEGIN
	INSERT INTO zcsync.leads (account_id, first_name, last_name, email, phone, company, title, website, city, country, employees, revenue, industry)
	SELECT v_account, 'F' || i % 900, 'L' || md5(i::text), 'q' || i || '@firm' || i % 2000 || '.example', '+4930' || 20000000 + i,
		'Firm ' || i % 2000 || ' GmbH', 'Head of Sales', 'firm' || i % 2000 || '.example', 'Berlin', 'DE', 1200 + i % 100, 1500000, 'Software'
	FROM generate_series(p_first, p_first + 9999) i;
	INSERT INTO measured VALUES ('with triggers', pg_temp.cpu() - v_begin);

	TRUNCATE written;
	INSERT INTO written SELECT * FROM zcsync.leads ORDER BY local_id DESC LIMIT 10000;
	UPDATE written SET local_id = local_id + 1000000000;
	ALTER TABLE zcsync.leads DISABLE TRIGGER USER;
	v_begin := pg_temp.cpu();
	INSERT INTO zcsync.leads SELECT * FROM written;
	INSERT INTO measured VALUES ('without', pg_temp.cpu() - v_begin);
	DELETE FROM zcsync.leads WHERE local_id > 1000000000;
	ALTER TABLE zcsync.leads ENABLE TRIGGER USER;
END
$$;
CALL pg_temp.measure(1);
CALL pg_temp.measure(20001);
CALL pg_temp.measure(40001);
SELECT format('leads %s a second of CPU time, without triggers %s: %s %%', round(10000 / w.seconds), round(10000 / o.seconds), round(100 * o.seconds / w.seconds))
FROM (SELECT min(seconds) AS seconds FROM measured WHERE what = 'with triggers') AS w,
	(SELECT min(seconds) AS seconds FROM measured WHERE what = 'without') AS o;
