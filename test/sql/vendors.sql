-- Vendors are found by what their descriptors return, and held to the contract.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

SELECT v.name, v.title, v.connector, v.write_batch, (SELECT string_agg(k.kind, ' ') FROM unnest(v.kinds) AS k) AS kinds,
	(SELECT string_agg(k.kind, ' ') FROM unnest(v.kinds) AS k WHERE k.written <> '{}') AS written
FROM zcsync._vendors() AS v;
SELECT zcsync._vendor_of('nobody') IS NULL AS unknown, (zcsync._vendor_of('zendesk')).title, zcsync._pushable('nobody', 'tickets'),
	zcsync._pushable('zendesk', 'contacts'), zcsync._create_only('zendesk', 'tickets');

-- what describes takes the members of the type by their names, in their order
SELECT p.proname, p.proargnames = ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 ORDER BY a.attnum) AS same
FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname LIKE '\_describe\_%' AND t.typname LIKE 'vendor%' ORDER BY 1;
-- a descriptor depends on the hooks that it names
DROP FUNCTION zcsync._zendesk_budgets(jsonb);

-- one more: it is there at once, and gone at once
CREATE FUNCTION zcsync._mine_base_url(settings jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'https://api.clickup.com' $$;
CREATE FUNCTION zcsync._mine_budgets(settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer) LANGUAGE sql AS $$ SELECT 'api', 7, 60.0, 1 $$;
CREATE FUNCTION zcsync._mine_pull_request(stream_id bigint, lane text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"op": "team"}'::jsonb $$;
CREATE FUNCTION zcsync._mine_next(stream_id bigint, lane text, request jsonb, reply jsonb)
RETURNS TABLE (cursor jsonb, more boolean, run_after interval) LANGUAGE sql AS $$ SELECT '{}'::jsonb, false, NULL::interval $$;
CREATE FUNCTION zcsync._mine_rows(account bigint, kind text, request jsonb, reply jsonb)
RETURNS TABLE (kind text, remote_id text, remote_version text, vals jsonb, doc jsonb, is_deleted boolean) LANGUAGE sql AS
$$ SELECT 'tickets', '1', NULL, '{}'::jsonb, reply, false $$;
CREATE FUNCTION zcsync._mine() RETURNS zcsync.vendor LANGUAGE sql BEGIN ATOMIC
	SELECT zcsync._describe_vendor('mine', 'Mine', 'clickup', ARRAY[zcsync._describe_kind('tickets', written => '{subject}')],
		pull_request => 'zcsync._mine_pull_request(bigint,text)', next => 'zcsync._mine_next(bigint,text,jsonb,jsonb)',
		rows => 'zcsync._mine_rows(bigint,text,jsonb,jsonb)',
		push_requests => 'zcsync._clickup_push_requests(bigint[])', push_effect => 'zcsync._clickup_push_effect(jsonb,jsonb,jsonb,text)',
		credentials => ARRAY[ROW('{token}', '{}')]::zcsync.vendor_credentials[],
		base_url => 'zcsync._mine_base_url(jsonb)', budgets => 'zcsync._mine_budgets(jsonb)');
END;
SELECT string_agg(v.name, ' ') FROM zcsync._vendors() AS v;
SELECT zcsync.add_account('m', 'mine') > 0 AS added;
SELECT class, calls FROM zcsync.account_budgets WHERE account_id = zcsync.account('m');
SELECT zcsync.add_account('x', 'nobody');
SELECT zcsync.set_credentials('m', '{"key": "x"}');
SELECT * FROM zcsync.add_stream('m', 'tickets', scope => '{"a": 1}');
SELECT * FROM zcsync.discover('m');
SELECT item, value FROM zcsync.add_stream('m', 'tickets') WHERE item = 'stream';
SELECT zcsync.sync_ticket('m/tickets/1');
SELECT zcsync.remove_stream('m/tickets');
BEGIN;
CREATE OR REPLACE FUNCTION zcsync._mine() RETURNS zcsync.vendor LANGUAGE sql BEGIN ATOMIC
	SELECT zcsync._describe_vendor('mine', 'Changed', 'clickup', ARRAY[zcsync._describe_kind('tickets')]);
END;
SELECT (zcsync._vendor_of('mine')).title;
ROLLBACK;
SELECT (zcsync._vendor_of('mine')).title;

-- what is wrong with one is said before an account is made
SELECT h.hook, h.needed, h.arguments, h.result FROM zcsync._vendor_hooks() AS h WHERE h.hook = 'budgets';
CREATE FUNCTION zcsync._wrong() RETURNS zcsync.vendor LANGUAGE sql AS $$
	SELECT zcsync._describe_vendor('wrong', 'Wrong', 'clickup',
		ARRAY[zcsync._describe_kind('tickets', written => '{subject,name}', create_only => '{status}'), zcsync._describe_kind('cats')],
		write_batch => 0, budgets => 'zcsync._mine_base_url(jsonb)')
$$;
SELECT zcsync.add_account('w', 'wrong');
DROP FUNCTION zcsync._wrong();
CREATE FUNCTION zcsync._again() RETURNS zcsync.vendor LANGUAGE sql AS $$ SELECT zcsync._vendor_of('mine') $$;
SELECT count(*) FROM zcsync._vendors();
DROP FUNCTION zcsync._again();
CREATE FUNCTION zcsync._again() RETURNS zcsync.vendor LANGUAGE sql AS $$
	SELECT zcsync._describe_vendor('mine', 'Again', NULL, ARRAY[zcsync._describe_kind('tickets')])
$$;
SELECT count(*) FROM zcsync._vendors();
DROP FUNCTION zcsync._again();

-- what others make is no vendor, and is not run
CREATE ROLE zcsync_test_maker;
CREATE SCHEMA maker AUTHORIZATION zcsync_test_maker;
GRANT USAGE ON SCHEMA zcsync TO zcsync_test_maker;
SET ROLE zcsync_test_maker;
CREATE FUNCTION maker.evil() RETURNS zcsync.vendor LANGUAGE plpgsql AS $$ BEGIN RAISE 'run as %', current_user; END $$;
RESET ROLE;
GRANT USAGE ON TYPE zcsync.vendor TO zcsync_test_maker;
SET ROLE zcsync_test_maker;
CREATE FUNCTION maker.evil() RETURNS zcsync.vendor LANGUAGE plpgsql AS $$ BEGIN RAISE 'run as %', current_user; END $$;
RESET ROLE;
SELECT string_agg(v.name, ' ') FROM zcsync._vendors() AS v;
DROP FUNCTION maker.evil();
-- nor are hooks of others
CREATE OR REPLACE FUNCTION zcsync._mine_budgets(settings jsonb)
RETURNS TABLE (class text, calls integer, window_s double precision, concurrency integer) LANGUAGE sql AS $$ SELECT 'api', 7, 60.0, 1 $$;
ALTER FUNCTION zcsync._mine_budgets(jsonb) OWNER TO zcsync_test_maker;
SELECT zcsync.add_account('m2', 'mine');
DROP SCHEMA maker;
REVOKE ALL ON SCHEMA zcsync FROM zcsync_test_maker;

-- an account whose vendor is gone stands still, and says why
SELECT FROM zcsync.add_stream('m', 'tickets');
SELECT zcsync.refresh('m/tickets') > 0 AS queued;
DROP FUNCTION zcsync._mine();
SELECT count(*) FROM zcsync._claim_jobs(1, zcsync.account('m'), 10);
SELECT * FROM zcsync.check_account('m');
SELECT zcsync.remove_account('m', force => true);
SELECT string_agg(v.name, ' ') FROM zcsync._vendors() AS v;
DROP EXTENSION zcsync CASCADE;
DROP ROLE zcsync_test_maker;
