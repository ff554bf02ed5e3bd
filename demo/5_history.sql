\ir settings.sql
\set ECHO queries
SELECT action, field_name, old, new, split_part(origin, ':', 1) AS origin, role
FROM zcsync.history((SELECT zcsync.reference('tasks', min(target_id)) FROM zcsync.links))
WHERE field_name IN ('name', 'status', 'remote_id', 'points', 'tags');
