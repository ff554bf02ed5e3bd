\ir settings.sql
\set ECHO queries
UPDATE zcsync.tasks SET tags = tags || '{from-sql}', points = 3
WHERE local_id = (SELECT min(target_id) FROM zcsync.links);
