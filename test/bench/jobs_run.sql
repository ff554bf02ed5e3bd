-- Change one custom field of every task, let the worker push them all, and
-- print jobs a second from the moment the queue was opened, the CPU time that a
-- job took of the worker, and that of the edit which queued it, in µs.
SET client_min_messages = warning;
-- CPU time of a process so far, in µs
CREATE FUNCTION pg_temp.cpu(p_process text) RETURNS numeric LANGUAGE sql AS
$$
	SELECT (v[12]::numeric + v[13]::numeric) * 10000
	FROM string_to_array(regexp_replace(pg_read_file('/proc/' || p_process || '/stat', 0, 4000), '^.*[)] ', ''), ' ') AS v
$$;
SELECT pid AS worker FROM pg_stat_activity WHERE backend_type = 'zcsync worker' LIMIT 1 \gset
SELECT FROM zcsync.pause_queue('task-sync');
SELECT pg_temp.cpu('self') AS edit \gset
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 10000000;
UPDATE zcsync.tasks SET custom_fields = jsonb_build_object('f', :'run');
COMMIT;
SELECT pg_temp.cpu('self') - :edit AS edit \gset
CHECKPOINT;
-- a task counts as just read: ClickUp's are read before they are written, and nginx has none
UPDATE zcsync.streams SET read_began_at = 'infinity', last_pull_at = zcsync._now();
CREATE TEMP TABLE begun AS SELECT clock_timestamp() AS at, pg_temp.cpu(:'worker') AS cpu;
SELECT FROM zcsync.resume_queue('task-sync');
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM zcsync.sync_queue);
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
	IF EXISTS (SELECT FROM zcsync.sync_queue) THEN
		RAISE EXCEPTION 'not all jobs were done: %', (SELECT string_agg(DISTINCT last_error, '; ') FROM zcsync.sync_queue);
	END IF;
END
$$;
SELECT round(count(*) / extract(epoch FROM max(r.created_at) - min(b.at))), round((pg_temp.cpu(:'worker') - min(b.cpu)) / count(*)),
	round(:edit / count(*))
FROM zcsync.sync_records r, begun b
WHERE r.created_at >= b.at AND r.status = 'updated';
