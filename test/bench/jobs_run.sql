-- Change one custom field of every task, let the worker push them all, and
-- print jobs a second from the moment the queue was opened.
SET client_min_messages = warning;
SELECT FROM zcsync.pause_queue('task-sync');
BEGIN;
SET LOCAL zcsync.bulk_write_limit = 10000000;
UPDATE zcsync.tasks SET custom_fields = jsonb_build_object('f', :'run');
COMMIT;
CHECKPOINT;
CREATE TEMP TABLE begun AS SELECT clock_timestamp() AS at;
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
SELECT round(count(*) / extract(epoch FROM max(r.created_at) - min(b.at)))
FROM zcsync.sync_records r, begun b
WHERE r.created_at >= b.at AND r.status = 'updated';
