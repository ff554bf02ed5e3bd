-- What the SQL of routes can do to those who run it: nothing.  Each statement is
-- tried in a function like a compiled one, of a role that may do it elsewhere.
\set ON_ERROR_STOP off
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync._create_routes();
CREATE ROLE regress_boxed;
CREATE ROLE regress_other;
GRANT regress_other TO regress_boxed;
CREATE SCHEMA regress_boxed AUTHORIZATION regress_boxed;
GRANT USAGE ON SCHEMA zcsync TO regress_boxed;
GRANT CREATE, USAGE ON SCHEMA zcsync_routes TO regress_boxed;
SET ROLE regress_boxed;
CREATE TABLE regress_boxed.notes (n integer CONSTRAINT notes_key UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE SEQUENCE regress_boxed.numbers;
CREATE FUNCTION regress_boxed.leave() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'fired as %', current_user; END$$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON regress_boxed.notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_boxed.leave();
RESET ROLE;

-- a function of that role that runs a body before it gives a value for each row
CREATE FUNCTION make(body text) RETURNS oid LANGUAGE plpgsql AS $make$
BEGIN
	SET LOCAL ROLE regress_boxed;
	EXECUTE format($code$
		CREATE OR REPLACE FUNCTION zcsync_routes.boxed(tickets zcsync.tickets[]) RETURNS zcsync.route_value[] LANGUAGE plpgsql AS $body$
		BEGIN
			%s
			RETURN ARRAY(SELECT ROW(true, jsonb_build_object('subject', t.subject), NULL, NULL)::zcsync.route_value FROM unnest(tickets) AS t);
		END
		$body$ $code$, body);
	RESET ROLE;
	RETURN 'zcsync_routes.boxed'::regproc;
END
$make$;
CREATE FUNCTION rows(subjects text[]) RETURNS zcsync.tickets[] LANGUAGE sql STABLE AS
$$ SELECT array_agg(jsonb_populate_record(NULL::zcsync.tickets, jsonb_build_object('subject', s))) FROM unnest(subjects) AS s $$;
CREATE FUNCTION attempt(body text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result record;
BEGIN
	SELECT e.* INTO result FROM zcsync._evaluate(make(body), 'regress_boxed'::regrole, rows('{one}'), false, 300) AS e;
	RETURN coalesce(result.error, 'gave ' || result.value::text, 'nothing');
END
$$;

-- it does what it is for, as its owner
SELECT attempt('');
SELECT attempt('PERFORM 1/0;');
SELECT attempt($$IF current_user <> 'regress_boxed' THEN RAISE 'as %', current_user; END IF;$$);
SELECT attempt('PERFORM FROM zcsync.tickets;');
-- who it is
SELECT attempt('SET ROLE regress_other;');
SELECT attempt('RESET ROLE;');
SELECT attempt($$PERFORM set_config('role', 'none', false);$$);
SELECT attempt('SET SESSION AUTHORIZATION DEFAULT;');
-- what it leaves in the database
SELECT attempt('CREATE TABLE regress_boxed.t ();');
SELECT attempt('CREATE OR REPLACE FUNCTION zcsync_routes.other() RETURNS integer LANGUAGE sql AS ''SELECT 1'';');
SELECT attempt('DROP TABLE regress_boxed.notes;');
SELECT attempt('INSERT INTO regress_boxed.notes VALUES (1);');
SELECT attempt('PERFORM FROM regress_boxed.notes FOR UPDATE;');
SELECT attempt('GRANT ALL ON SCHEMA regress_boxed TO regress_other;');
SELECT attempt('GRANT regress_boxed TO regress_other;');
SELECT attempt($$PERFORM nextval('regress_boxed.numbers');$$);
SELECT attempt($$PERFORM setval('regress_boxed.numbers', 7);$$);
-- what it leaves in the session
SELECT attempt('CREATE TEMPORARY TABLE t ();');
SELECT attempt('EXECUTE ''DECLARE c CURSOR WITH HOLD FOR SELECT 1'';');
SELECT attempt('EXECUTE ''PREPARE p AS SELECT 1'';');
SELECT attempt('EXECUTE ''LISTEN l'';');
SELECT attempt('DISCARD ALL;');
SELECT attempt($$SET search_path = regress_boxed; SET work_mem = '64kB'; PERFORM set_config('regress.set', 'here', false);$$);
SELECT current_setting('regress.set', true), current_setting('work_mem') <> '64kB' AS kept;
-- transactions
SELECT attempt('COMMIT;');
SELECT attempt('ROLLBACK;');
SELECT attempt('SET TRANSACTION READ WRITE;');
SELECT attempt('SET transaction_read_only = off;');
SELECT attempt($$PERFORM set_config('transaction_read_only', 'off', true);$$);
SELECT attempt($$BEGIN SET transaction_read_only = off; EXCEPTION WHEN OTHERS THEN NULL; END; INSERT INTO regress_boxed.notes VALUES (1);$$);
SELECT attempt('SET CONSTRAINTS ALL IMMEDIATE;');
-- a deferred trigger of a table that the session has already: it may be written,
-- and the trigger does not fire at the end of the transaction
CREATE TEMPORARY TABLE mine (n integer);
GRANT ALL ON mine TO regress_boxed;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_boxed.leave();
BEGIN;
SELECT attempt('INSERT INTO pg_temp.mine VALUES (1);');
COMMIT;
SELECT count(*) FROM mine;
-- the transaction around it writes as before, and has no other user
BEGIN;
SELECT attempt('PERFORM 1/0;');
CREATE TABLE written (n integer);
SELECT current_user = session_user AS same, current_setting('transaction_read_only');
COMMIT;
-- no transaction id is spent, also where it fails
BEGIN;
SELECT e.n, e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, rows('{a,b,c}'), false, 300) AS e;
SELECT pg_current_xact_id_if_assigned() IS NULL AS none;
COMMIT;

-- advisory locks: what it takes is released, what it releases is taken back
CREATE VIEW locks AS SELECT locktype, objid, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'object') AND mode IN ('ExclusiveLock', 'ShareLock') ORDER BY 1, 2, 3;
SELECT zcsync._claimant_register('test') > 0 AS is_claimant;
SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2);
SELECT locktype, CASE locktype WHEN 'advisory' THEN objid END AS id, mode FROM locks;
SELECT attempt('PERFORM pg_advisory_unlock_all();');
SELECT locktype, CASE locktype WHEN 'advisory' THEN objid END AS id, mode FROM locks;
SELECT attempt('PERFORM pg_advisory_unlock_all(); PERFORM pg_advisory_lock(3); PERFORM pg_advisory_lock(3); PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_xact_lock(4); PERFORM 1/0;');
SELECT locktype, CASE locktype WHEN 'advisory' THEN objid END AS id, mode FROM locks;
BEGIN;
SELECT pg_advisory_xact_lock(5);
SELECT attempt('PERFORM pg_advisory_unlock_all(); PERFORM pg_advisory_lock(5);');
-- held twice, released once
SELECT pg_advisory_lock(1);
SELECT attempt('PERFORM pg_advisory_unlock(1);');
SELECT pg_advisory_unlock(1);
SELECT locktype, CASE locktype WHEN 'advisory' THEN objid END AS id, mode FROM locks;
COMMIT;
SELECT locktype, CASE locktype WHEN 'advisory' THEN objid END AS id, mode FROM locks;
SELECT pg_advisory_unlock_all();
DROP VIEW locks;

-- errors are those of the SQL, whatever they call themselves
SELECT attempt($$RAISE EXCEPTION 'try again' USING ERRCODE = '40001';$$);
SELECT attempt($$RAISE EXCEPTION 'no room' USING ERRCODE = '53100';$$);
SELECT attempt($$RAISE EXCEPTION 'shut down' USING ERRCODE = '57P01';$$);
SELECT attempt($$RAISE EXCEPTION 'cancelled' USING ERRCODE = '57014';$$);
SELECT attempt($$RAISE EXCEPTION 'broken' USING ERRCODE = 'XX000';$$);
SELECT attempt($$EXECUTE 'SELECT ' || repeat('(', 1000);$$);
-- a loop; a cancel that is swallowed comes again
SELECT attempt('LOOP END LOOP;');
SELECT attempt('BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;');
SELECT attempt('BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; PERFORM pg_sleep(60);');
-- somebody's own cancel is no error of the SQL
SET statement_timeout = '100ms';
SELECT attempt('PERFORM pg_sleep(60);');
RESET statement_timeout;
-- nothing ends what comes after it, though it computes for longer than the 300 ms that each had
DO $$ DECLARE v_end timestamptz := clock_timestamp() + interval '400 ms'; BEGIN WHILE clock_timestamp() < v_end LOOP NULL; END LOOP; END $$;
-- messages go nowhere
SET client_min_messages = notice;
SELECT attempt($$RAISE NOTICE 'seen'; SET client_min_messages = notice; RAISE NOTICE 'seen'; RAISE WARNING 'seen'; RAISE LOG 'seen';$$);
SELECT attempt($$SET client_min_messages = debug; FOR i IN 1..1000000 LOOP RAISE NOTICE '%', repeat('x', 1000); END LOOP;$$) IS NOT NULL AS survived;
SET client_min_messages = warning;

-- one bad row does not lose its neighbours, and slow ones are taken one by one
SELECT make($$PERFORM 1 / (CASE t.subject WHEN 'bad' THEN 0 ELSE 1 END) FROM unnest(tickets) AS t;$$) IS NOT NULL AS made;
SELECT e.n, e.value, e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, rows('{a,b,bad,c,bad,d,e}'), false, 300) AS e;
SELECT make($$PERFORM pg_sleep(CASE t.subject WHEN 'slow' THEN 60 ELSE 0 END) FROM unnest(tickets) AS t;$$) IS NOT NULL AS made;
SELECT e.n, (e.value).doc, e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, rows('{a,slow,b}'), false, 100) AS e;
-- what the time does not suffice for has neither value nor error
SELECT count(e.error) BETWEEN 1 AND 5 AS some, count(*) FILTER (WHERE e.error IS NULL AND e.value IS NULL) > 0 AS others, count(*)
FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, rows('{slow,slow,slow,slow,slow,slow,slow,slow}'), false, 100) AS e;
SELECT count(*) FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, '{}'::zcsync.tickets[], false, 100) AS e;

-- a function that is not what it was
SELECT e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_other'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate(1, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, ARRAY[NULL]::zcsync.tasks[], false, 300) AS e;
SET ROLE regress_boxed;
CREATE FUNCTION zcsync_routes.text(zcsync.tickets[]) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION zcsync_routes.texts(zcsync.tickets[]) RETURNS text[] LANGUAGE sql AS 'SELECT ''{x}''::text[]';
CREATE FUNCTION zcsync_routes.set(zcsync.tickets[]) RETURNS SETOF zcsync.route_value LANGUAGE sql AS 'SELECT NULL::zcsync.route_value';
CREATE FUNCTION zcsync_routes.fewer(zcsync.tickets[]) RETURNS zcsync.route_value[] LANGUAGE sql AS 'SELECT ''{}''::zcsync.route_value[]';
CREATE FUNCTION zcsync_routes.none(zcsync.tickets[]) RETURNS zcsync.route_value[] LANGUAGE sql AS 'SELECT NULL::zcsync.route_value[]';
CREATE FUNCTION zcsync_routes.empty(zcsync.tickets[]) RETURNS zcsync.route_value[] LANGUAGE sql AS 'SELECT ARRAY[NULL]::zcsync.route_value[]';
CREATE PROCEDURE zcsync_routes.procedure(zcsync.tickets[]) LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.text'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.texts'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.set'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.fewer'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.none'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.empty'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.procedure'::regproc, 'regress_boxed'::regrole, rows('{a}'), false, 300) AS e;
-- nobody else runs it, and it does not run itself
SET ROLE regress_boxed;
SELECT e.error FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, NULL::zcsync.tickets[], false, 300) AS e;
RESET ROLE;
GRANT EXECUTE ON FUNCTION zcsync._evaluate TO regress_boxed;
SELECT attempt($$PERFORM FROM zcsync._evaluate('zcsync_routes.boxed'::regproc, 'regress_boxed'::regrole, tickets, false, 300);$$);

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
DROP SCHEMA zcsync_routes, regress_boxed CASCADE;
DROP FUNCTION make, attempt;
DROP TABLE written, mine;
DROP ROLE regress_boxed, regress_other;
