-- What is counted in shared memory: at commit, without what was rolled back.
-- test/t/055_metrics.pl has the calls of a worker.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup');
CREATE VIEW counted AS
SELECT (SELECT a.name FROM zcsync.accounts AS a WHERE a.account_id = s.account_id) AS account, s.family, s.name, s.detail, s.total
FROM zcsync._metric_series() AS s ORDER BY 1, 2, 3, 4;
CREATE FUNCTION ended(account text, operation text, VARIADIC statuses text[]) RETURNS void LANGUAGE sql AS
$$ SELECT zcsync._count_operations(zcsync.account(account), operation, statuses) $$;

-- ---------------------------------------------------------------------
-- Jobs that ended
-- ---------------------------------------------------------------------
SELECT * FROM counted;
SELECT ended('acme', 'push', 'updated', 'updated', 'failed');
SELECT * FROM counted;
BEGIN;
SELECT ended('acme', 'push', 'updated');
SELECT ended('dev', 'route', 'created');
-- not yet
SELECT * FROM counted;
SAVEPOINT a;
SELECT ended('dev', 'route', 'created', 'merged');
ROLLBACK TO a;
SAVEPOINT b;
SELECT ended('dev', 'route', 'created');
RELEASE b;
COMMIT;
SELECT * FROM counted;
BEGIN;
SELECT ended('dev', 'route', 'created');
ROLLBACK;
DO $$
BEGIN
	PERFORM ended('dev', 'route', 'rolled back');
	PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
	PERFORM ended('dev', 'route', 'created');
END $$;
SELECT * FROM counted WHERE account = 'dev';
-- a call that ended well: the ending counts, the page that goes on, too, what is to be tried again does not
SELECT cardinality(zcsync._count_endings(zcsync.account('acme'), 'pull', ARRAY[(1, 'ended', 'done', 3, NULL, false), (2, 'ended', NULL, 0, NULL, false),
	(3, 'again', NULL, 3, NULL, false), (4, 'repeat', NULL, NULL, NULL, false), (5, 'locked', NULL, NULL, NULL, false)]::zcsync.ending[])) AS endings;
SELECT * FROM counted WHERE name = 'pull';
-- texts are cut, not refused
SELECT ended('acme', repeat('o', 100), repeat('s', 100));
SELECT * FROM counted WHERE name LIKE 'oo%';
SELECT ended('acme', 'e' || repeat('é', 40), 'cut between characters');
SELECT name, length(name) FROM counted WHERE name LIKE 'eé%';

-- ---------------------------------------------------------------------
-- What does not fit is one line
-- ---------------------------------------------------------------------
BEGIN;
SELECT count(ended('dev', 'x', 'status ' || n)) FROM generate_series(1, 2500) AS n;
COMMIT;
SELECT count(*) BETWEEN 1500 AND 2000 AS lines, sum(total) AS total FROM counted WHERE name = 'x' OR name = 'other' AND family = 'operations';
SELECT account, family, detail, total > 500 AS many FROM counted WHERE name = 'other';
-- those that were there go on
SELECT ended('acme', 'push', 'failed');
SELECT total FROM counted WHERE name = 'push' AND detail = 'failed';

SELECT zcsync._reset_metrics();
SELECT * FROM counted;
DROP VIEW counted;
DROP FUNCTION ended;
DROP EXTENSION zcsync CASCADE;
