-- plan() decides about many records at a time, and the address of a record is made
-- without asking for its account each time; but never from settings of before.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT FROM zcsync.add_account('desk', 'zendesk', settings => '{"subdomain": "desk"}', credentials => '{"email": "a@example.com", "api_token": "t"}');
SELECT FROM zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001"}', credentials => '{"token": "pk_1_x"}');
SELECT FROM zcsync.add_account('mine', 'local');
SELECT FROM zcsync.add_stream('desk', 'tickets');
SELECT FROM zcsync.add_stream('dev', 'tasks');
SELECT FROM zcsync.alter_stream('dev/tasks', writes => true);
SELECT FROM zcsync.add_route('r', source => 'desk/tickets', target => 'dev/tasks', create_in => '11');
SELECT zcsync._take_page(zcsync.stream('desk/tickets'), 'tickets', ARRAY(
	SELECT ROW(i::text, NULL, jsonb_build_object('subject', 'Ticket ' || i, 'priority', 'high'), '{}', false)::zcsync.document
	FROM generate_series(1, 1100) AS i), zcsync._origin_of('pull', 1));

-- what plan() calls for 1,100 records; the thousand that were stored last come first
SET track_functions = 'all';
BEGIN;
SELECT op, field, count(*), count(DISTINCT source) AS records FROM zcsync.plan('r', max_records => 5000) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT f.funcname, f.calls FROM pg_stat_xact_user_functions AS f
WHERE f.schemaname = 'zcsync' AND f.funcname IN ('_decide_route_changes', '_route_changes') ORDER BY 1;
SELECT (SELECT f.calls FROM pg_stat_xact_user_functions AS f WHERE f.funcname = 'record_url' AND f.schemaname = 'zcsync') >= 1100 AS asked_often,
	(SELECT f.calls FROM pg_stat_xact_user_functions AS f WHERE f.funcname = '_record_url_of' AND f.schemaname = 'zcsync') < 20 AS read_rarely;
COMMIT;
RESET track_functions;
SELECT count(DISTINCT t.local_id) AS records, min(t.local_id) = (SELECT x.local_id FROM zcsync.tickets AS x ORDER BY x.local_id OFFSET 100 LIMIT 1) AS newest
FROM zcsync.plan('r', max_records => 5000) WITH ORDINALITY AS p (op, source, target, field, old, new, n)
JOIN zcsync.tickets AS t ON 'desk/tickets/' || t.remote_id = p.source WHERE p.n <= 4000;
SELECT count(*) FROM zcsync.plan('r', source_ids => (SELECT ARRAY[min(t.local_id), min(t.local_id), max(t.local_id)] FROM zcsync.tickets AS t)) WHERE field = 'name';

-- several accounts in one statement, one that is not there, one without addresses
SELECT a.name, zcsync.record_url(a.account_id, 'tickets', i::text) AS url
FROM generate_series(1, 2) AS i, zcsync.accounts AS a ORDER BY i, a.name;
SELECT zcsync.record_url(0, 'tickets', '1'), zcsync.record_url(NULL, 'tickets', '1'), zcsync.record_url(zcsync.account('desk'), 'tickets', NULL),
	zcsync.record_url(zcsync.account('desk'), 'tasks', '1');
-- settings that change between two calls of one place in the code
DO $$
DECLARE
	v_urls text[] := '{}';
BEGIN
	FOR i IN 1 .. 3 LOOP
		v_urls := v_urls || zcsync.record_url(zcsync.account('desk'), 'tickets', '1');
		UPDATE zcsync.accounts SET settings = settings || jsonb_build_object('subdomain', 'desk' || i) WHERE name = 'desk';
	END LOOP;
	RAISE WARNING '%', v_urls;
END
$$;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes CASCADE;
