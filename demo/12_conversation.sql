-- The conversation of the pair :link, as it is in the tables: what is in the ticket,
-- and what is in the task.
\ir settings.sql
\set ECHO queries
SELECT c.parent_kind AS in, CASE WHEN c.is_private THEN 'agents' ELSE 'all readers' END AS seen_by,
	CASE WHEN k.copy_id IS NULL THEN 'original' ELSE 'copy' END AS is,
	left(replace(c.body, E'\n', ' '), 84) AS body, a.name AS file
FROM zcsync.links AS l
JOIN zcsync.tickets AS t ON t.local_id = l.source_id
JOIN zcsync.tasks AS w ON w.local_id = l.target_id
JOIN zcsync.comments AS c ON (c.account_id, c.parent_id) IN ((t.account_id, t.remote_id), (w.account_id, w.remote_id))
LEFT JOIN zcsync.comment_copies AS k ON k.copy_id = c.local_id
LEFT JOIN zcsync.attachments AS a ON a.account_id = c.account_id AND a.comment_id = c.remote_id
WHERE l.link_id = :link AND c.created_at > now() - interval '5 minutes'
ORDER BY c.parent_kind DESC, c.local_id;
