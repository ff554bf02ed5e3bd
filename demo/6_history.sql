\ir settings.sql
\set ECHO queries
SELECT action, field_name, old, new, cause, role
FROM zcsync.history((SELECT zcsync.reference('tasks', min(target_id)) FROM zcsync.links))
WHERE field_name IN ('name', 'status', 'remote_id', 'points', 'tags');
