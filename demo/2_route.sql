\ir settings.sql
\set ECHO queries
SELECT zcsync.add_route('support-to-dev', source => 'acme/tickets', target => 'dev/tasks',
	filter => $$tags @> '{bug}'$$,
	create_in => $$CASE WHEN priority IN ('urgent', 'high')
		THEN 'Engineering/Product/Bugs' ELSE 'Engineering/Product/Requests' END$$,
	default_assignee => 'lena@workspace.example');
-- the lists have different statuses; what a person has to say is said here
SELECT zcsync.map_value('support-to-dev', 'status', s, t)
FROM (VALUES ('open', 'in progress'), ('pending', 'in review'), ('hold', 'in review')) AS v (s, t);
-- what customers may see goes to the task; what is said there comes back, for agents only
SELECT zcsync.set_route_comments('support-to-dev', comments => 'public', comments_back => 'all');
SELECT item, ok, message FROM zcsync.check_route('support-to-dev');
SELECT op, source, target, field, left(split_part(new, E'\n', 1), 40) AS new
FROM zcsync.plan('support-to-dev', max_records => 100) LIMIT 6;
