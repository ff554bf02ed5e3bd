-- What agents do at Zendesk to 25 tickets that have a task, or to all of these
-- where there are fewer, as the simulator takes it: a new subject, and another
-- priority or status.
SELECT jsonb_build_object('edits', coalesce(jsonb_agg(jsonb_build_object('id', e.remote_id::bigint, 'fields',
	jsonb_build_object('subject', 'Edited: ' || e.subject)
	|| CASE WHEN e.n % 2 = 0 THEN '{"priority": "urgent"}'::jsonb ELSE '{"status": "pending"}' END)), '[]'))
FROM (
	SELECT t.remote_id, left(t.subject, 60) AS subject, row_number() OVER (ORDER BY t.local_id) AS n
	FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id = l.source_id
	WHERE t.status IN ('new', 'open') AND t.deleted_at IS NULL
	ORDER BY t.local_id
	LIMIT 25) AS e;
