-- What small jobs cost: the CPU time of the worker for an edit that comes by itself, in
-- µs; how many jobs a second end with nothing to send, since their edits were taken
-- back, and the CPU time of the worker for one of them, in µs.  After jobs_run.sql.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.cpu(p_process text) RETURNS numeric LANGUAGE sql AS
$$
	SELECT (v[12]::numeric + v[13]::numeric) * 10000
	FROM string_to_array(regexp_replace(pg_read_file('/proc/' || p_process || '/stat', 0, 4000), '^.*[)] ', ''), ' ') AS v
$$;
-- Wait until the queue is empty.
CREATE PROCEDURE pg_temp.wait() LANGUAGE plpgsql AS
$$
DECLARE
	v_end timestamptz := clock_timestamp() + interval '1 minute';
BEGIN
	COMMIT;
	WHILE EXISTS (SELECT FROM zcsync.sync_queue) LOOP
		IF clock_timestamp() > v_end THEN
			RAISE EXCEPTION 'not all jobs were done';
		END IF;
		PERFORM pg_sleep(0.005);
		COMMIT;
	END LOOP;
END
$$;
SELECT pid AS worker FROM pg_stat_activity WHERE backend_type = 'zcsync worker' LIMIT 1 \gset
UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now();
CREATE TEMP TABLE measured (alone numeric, at timestamptz, until timestamptz, jobs bigint, cpu numeric);

DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP		-- so that all plans are made
		UPDATE zcsync.tasks SET custom_fields = jsonb_build_object('f', 'first ' || i) WHERE remote_id = '1';
		CALL pg_temp.wait();
	END LOOP;
END
$$;
INSERT INTO measured (alone) VALUES (pg_temp.cpu(:'worker'));
DO $$
BEGIN
	FOR i IN 1 .. 200 LOOP
		UPDATE zcsync.tasks SET custom_fields = jsonb_build_object('f', 'alone ' || i) WHERE remote_id = '1';
		CALL pg_temp.wait();
	END LOOP;
END
$$;
UPDATE measured SET alone = (pg_temp.cpu(:'worker') - alone) / 200;

SELECT FROM zcsync.pause_queue('task-sync');
CREATE TEMP TABLE former AS SELECT local_id, custom_fields FROM zcsync.tasks;
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 10000000;
UPDATE zcsync.tasks SET custom_fields = '{"f": "taken back"}';
COMMIT;
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 10000000;
UPDATE zcsync.tasks t SET custom_fields = f.custom_fields FROM former f WHERE f.local_id = t.local_id;
COMMIT;
CHECKPOINT;
UPDATE measured SET jobs = (SELECT count(*) FROM zcsync.sync_queue), cpu = pg_temp.cpu(:'worker'), at = clock_timestamp();
SELECT FROM zcsync.resume_queue('task-sync');
CALL pg_temp.wait();
UPDATE measured SET cpu = pg_temp.cpu(:'worker') - cpu, until = clock_timestamp();
SELECT round(alone), round(jobs / extract(epoch FROM until - at)), round(cpu / jobs) FROM measured;
