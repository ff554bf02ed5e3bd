-- What doors report of the files in which they keep deliveries, and what status says.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();

-- a door says what waits in its file, by the one function that it may call
CREATE ROLE regress_zcsync_door;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO regress_zcsync_door;
CREATE FUNCTION report(spool jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT r.status || ' ' || r.message FROM zcsync.receive_webhook(NULL, NULL, NULL, NULL, spool) AS r $$;
SET ROLE regress_zcsync_door;
SELECT report('{"door": "web1", "bytes": 0, "age": null}');
SELECT report('{"door": "web2", "bytes": 3145728, "age": 19805}');
-- in a call of its own, and under a name that misleads nobody
SELECT * FROM zcsync.receive_webhook('0123456789abcdef0123456789abcdef', '{}', '', NULL, '{"door": "web3", "bytes": 1, "age": 1}');
SELECT report(spool) FROM unnest('{"{\"bytes\": 1}","{\"door\": \"\"}","{\"door\": \"a b\"}","{\"door\": \"\\u001b[31m\"}",[],1}'::jsonb[]) AS spool;
SELECT report('{"door": "odd", "bytes": "many", "age": {}}'), report('{"door": "odd", "bytes": -1e99, "age": 1e99}'), report('{"door": "odd", "bytes": 1e99, "age": -5}');
SELECT count(*) FROM zcsync.doors;
RESET ROLE;
SELECT door, spooled_since <= now() AS since, spooled_bytes FROM zcsync.doors ORDER BY door COLLATE "C";
SELECT zcsync.remove_door('odd');

-- what waits for more than a minute is in status, with its age
SELECT account, state, since < now() - interval '5 hours' AS since, why, to_do FROM zcsync.status WHERE account LIKE 'door%';
SELECT report('{"door": "web2", "bytes": 100, "age": 30}');
SELECT account, state FROM zcsync.status WHERE account LIKE 'door%';
SELECT report('{"door": "web2", "bytes": 0, "age": null}');
SELECT account, state FROM zcsync.status WHERE account LIKE 'door%';
-- and so is a door that reports no more, until somebody says that it is gone
UPDATE zcsync.doors SET heard_at = heard_at - interval '6 minutes', spooled_bytes = CASE door WHEN 'web2' THEN 2048 ELSE 0 END;
SELECT account, state, since < now() - interval '5 minutes' AS since, why, who, to_do FROM zcsync.status WHERE account LIKE 'door%' ORDER BY 1;
SELECT measure, object, value FROM zcsync._installation_readings() WHERE object LIKE 'door%' ORDER BY object;
SELECT report('{"door": "web1", "bytes": 0}');
SELECT zcsync.remove_door('web2');
SELECT zcsync.remove_door('web2');
SELECT account, state FROM zcsync.status WHERE account LIKE 'door%';

-- many names are no more than 20 rows: the ones heard last
UPDATE zcsync.doors SET heard_at = now() - interval '1 day';
SELECT count(report(format('{"door": "d%s", "bytes": 0}', n)::jsonb)) FROM generate_series(1, 30) AS n;
SELECT count(*), count(*) FILTER (WHERE door = 'web1') AS former FROM zcsync.doors;

DROP FUNCTION report;
DROP OWNED BY regress_zcsync_door;
DROP ROLE regress_zcsync_door;
DROP EXTENSION zcsync CASCADE;
