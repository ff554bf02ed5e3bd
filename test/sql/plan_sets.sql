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
	FROM generate_series(1, 600) AS i), zcsync._origin_of('pull', 1));

-- what plan() calls for 600 records
SET track_functions = 'all';
BEGIN;
SELECT op, field, count(*) FROM zcsync.plan('r') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT f.funcname, f.calls FROM pg_stat_xact_user_functions AS f
WHERE f.schemaname = 'zcsync' AND f.funcname IN ('_decide_route_changes', '_route_changes') ORDER BY 1;
SELECT (SELECT f.calls FROM pg_stat_xact_user_functions AS f WHERE f.funcname = 'record_url' AND f.schemaname = 'zcsync') >= 600 AS asked_often,
	(SELECT f.calls FROM pg_stat_xact_user_functions AS f WHERE f.funcname = '_record_url_of' AND f.schemaname = 'zcsync') < 20 AS read_rarely;
COMMIT;
RESET track_functions;

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
