-- An account whose limits are out of the way, and tasks to be pushed.
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT FROM zcsync.add_account('bench', 'clickup',
	settings => jsonb_build_object('workspace_id', '1', 'base_url', :'url', 'budgets',
		jsonb_build_object('api', jsonb_build_object('calls', 1000000, 'window_s', 1, 'concurrency', :in_flight))),
	credentials => '{"token": "pk_1_BENCH"}');
SELECT FROM zcsync.add_stream('bench', 'tasks', scope => '{"list_ids": ["1"]}', pull_interval => '1 day');
SELECT FROM zcsync.alter_stream('bench/tasks', writes => true);
SELECT FROM zcsync.pause_stream('bench/tasks');
SELECT zcsync.alter_queue('task-sync', concurrency => :in_flight);
-- rows as if they had been read: what was agreed is what they hold
INSERT INTO zcsync.tasks (account_id, remote_id, name, description, status, list_id, custom_fields, base, sync_state, sync_origin)
SELECT zcsync.account('bench'), i::text, 'Task ' || i, repeat('A sentence about the trouble. ', 20), 'open', '1', '{"f": "0"}',
	jsonb_build_object('name', 'Task ' || i, 'description', repeat('A sentence about the trouble. ', 20), 'status', 'open',
		'list_id', '1', 'custom_fields', '{"f": "0"}'::jsonb), 'synced', 'pull:bench:' || i
FROM generate_series(1, :jobs) i;
VACUUM ANALYZE zcsync.tasks;
