\ir settings.sql
\set zendesk_url :url/zendesk/acme
\set clickup_url :url/clickup
\set ECHO queries
CREATE EXTENSION pg_trgm;
CREATE EXTENSION zcsync;
SELECT item, action, left(detail, 60) AS detail FROM zcsync.setup();
SELECT zcsync.add_account('acme', 'zendesk',
	settings => jsonb_build_object('subdomain', 'acme', 'plan', 'enterprise', 'high_volume', true, 'base_url', :'zendesk_url'),
	credentials => '{"client_id": "client-acme", "client_secret": "file:zendesk_secret", "scope": "read write"}');
SELECT zcsync.add_account('dev', 'clickup',
	settings => jsonb_build_object('workspace_id', '9001001', 'plan', 'enterprise', 'base_url', :'clickup_url'),
	credentials => '{"token": "file:clickup_token"}');
SELECT item, ok, message FROM zcsync.check_account('acme');
SELECT kind, id, path FROM zcsync.discover('dev') WHERE kind = 'list';
SELECT * FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01', pull_interval => '5 seconds');
\set ECHO none
\o /dev/null
SELECT zcsync.add_stream('dev', 'tasks', since => '2020-01-01', pull_interval => '5 seconds');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.add_stream('dev', 'fields');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.alter_stream('acme/tickets', writes => true);
SELECT zcsync.alter_queue('task-sync', concurrency => 10);
\o
