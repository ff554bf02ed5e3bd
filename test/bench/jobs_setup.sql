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
SELECT zcsync.alter_queue('task-sync', concurrency => :in_flight);
-- the list's field, as reading the list's fields stores it
INSERT INTO zcsync.fields (account_id, remote_id, scope_id, name, type, sync_state, sync_cause, sync_xid)
VALUES (zcsync.account('bench'), '1:f', '1', 'f', 'short_text', 'synced', 'pull', '0');
-- rows as if they had been read: what was agreed is what they hold
INSERT INTO zcsync.tasks (account_id, remote_id, remote_version, name, description, status, status_type, assignees, tags,
	archived, list_id, custom_fields, remote, created_at, updated_at, sync_state, sync_cause, sync_xid)
SELECT zcsync.account('bench'), i::text, '1767225600000', 'Task ' || i, repeat('A sentence about the trouble. ', 20), 'open', 'open',
	'{}', '{}', false, '1', '{"f": "0"}', '{"list": {"id": "1"}, "custom_fields": [{"id": "f", "name": "f", "type": "short_text"}]}', '2026-01-01 00:00Z', '2026-01-01 00:00Z', 'synced', 'pull', '0'
FROM generate_series(1, :jobs) i;
SET timezone = 'UTC';
UPDATE zcsync.tasks t
SET base = (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(to_jsonb(t)) AS v
		WHERE v.key = ANY (zcsync._own_columns('tasks'))),
	sync_cause_id = 1;
VACUUM FULL ANALYZE zcsync.tasks;
