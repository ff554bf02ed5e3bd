-- The mirror: how rows of a reply are merged into a table.
-- The worker is stopped; pages are stored here by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (name, vendor, settings)
VALUES ('acme', 'zendesk', '{"subdomain": "acme"}'), ('dev', 'clickup', '{"workspace_id": "1"}');
SELECT item, value FROM zcsync.add_stream('acme', 'tickets') WHERE item IN ('stream', 'history', 'writes');
SELECT item, value FROM zcsync.add_stream('dev', 'tasks') WHERE item IN ('stream', 'history', 'writes');
SELECT item, value FROM zcsync.alter_stream('dev/tasks', writes => true) WHERE item = 'writes';

-- a page of a stream; each row gives only what differs from an empty record
CREATE FUNCTION page(stream text, VARIADIC rows jsonb[]) RETURNS integer LANGUAGE sql AS
$$
	SELECT zcsync._take_page(zcsync.stream(stream), split_part(stream, '/', 2),
		ARRAY(SELECT zcsync._document_of('{"doc": {}, "is_deleted": false}' || r || jsonb_build_object('vals',
				(SELECT jsonb_object_agg(c, CASE c WHEN 'custom_fields' THEN '{}' ELSE 'null' END::jsonb)
				FROM unnest(zcsync._own_columns(split_part(stream, '/', 2))) AS c) || (r -> 'vals')))
			FROM unnest(rows) WITH ORDINALITY AS x (r, n) ORDER BY n),
		zcsync._origin_of('pull', (random() * 1e9)::bigint))
$$;
CREATE VIEW history AS
SELECT zcsync.reference(kind, local_id) AS record, action, old, new, cause
FROM zcsync.changes ORDER BY created_at, local_id, action, new::text;
CREATE VIEW jobs AS
SELECT operation, record_key, state, joins, payload #>> '{rows,0,vals,subject}' AS subject, last_class
FROM zcsync.sync_queue ORDER BY job_id;

-- The list of own columns is what the tables were made with.
SELECT k AS kind, array_agg(a.attname ORDER BY a.attnum) AS differs
FROM unnest(zcsync._kinds()) AS k
JOIN pg_attribute a ON a.attrelid = ('zcsync.' || k)::regclass AND a.attnum > 0
WHERE (a.attname = ANY (zcsync._own_columns(k)))
	= (a.attname = ANY ('{account_id,local_id,remote_id,deleted_at,base,remote,remote_version,sync_key,sync_state,sync_cause,sync_cause_id,sync_xid,synced_at}'))
GROUP BY k;

-- first time: stored, no history, nothing to push
SELECT page('acme/tickets',
	'{"remote_id": "1", "remote_version": "100", "vals": {"subject": "one", "status": "open", "tags": ["a"], "created_at": "2026-01-01T00:00:00+00:00"}}',
	'{"remote_id": "2", "remote_version": "100", "vals": {"subject": "two", "custom_fields": {"7": "x"}}}');
SELECT remote_id, subject, status, tags, custom_fields, created_at, sync_state, deleted_at, base ->> 'subject' AS base, remote
FROM zcsync.tickets ORDER BY local_id;
SELECT * FROM history;
SELECT * FROM jobs;

-- the same again is no write at all
CREATE TABLE before AS SELECT local_id, ctid AS place, xmin::text AS writer FROM zcsync.tickets;
SELECT page('acme/tickets',
	'{"remote_id": "1", "remote_version": "100", "vals": {"subject": "one", "status": "open", "tags": ["a"], "created_at": "2026-01-01T00:00:00+00:00"}}',
	'{"remote_id": "2", "remote_version": "101", "vals": {"subject": "two", "custom_fields": {"7": "x"}}}');
-- nor is the same value in another form
SELECT page('acme/tickets',
	'{"remote_id": "1", "remote_version": "100", "vals": {"subject": "one", "status": "open", "tags": ["a"], "created_at": "2026-01-01T01:00:00+01:00"}}');
SELECT count(*) AS untouched FROM zcsync.tickets t JOIN before b ON t.local_id = b.local_id AND t.ctid = b.place AND t.xmin::text = b.writer;

-- a change at the vendor
SELECT page('acme/tickets', '{"remote_id": "1", "remote_version": "102", "vals": {"subject": "one!", "status": "open", "tags": ["a", "b"], "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "2026-01-02T00:00:00+00:00"}}');
SELECT * FROM history;
-- an older version, which comes late, changes nothing; of the same age does
SELECT page('acme/tickets', '{"remote_id": "1", "remote_version": "101", "vals": {"subject": "stale"}}');
SELECT page('acme/tickets', '{"remote_id": "1", "remote_version": "102", "vals": {"subject": "same second"}}');
-- a newer version may bring back an older updated_at
SELECT page('acme/tickets', '{"remote_id": "1", "remote_version": "1000", "vals": {"subject": "system", "updated_at": "2025-01-02T00:00:00+00:00"}}');
SELECT subject, updated_at, remote_version FROM zcsync.tickets WHERE remote_id = '1';
SELECT v, w, zcsync._is_older(v, w) FROM (VALUES ('9', '10'), ('10', '9'), ('10', '10'), (NULL, '1'), ('1', NULL),
	('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'), ('1', '2026-01-02T00:00:00Z'), ('b', 'a')) AS x (v, w);
-- twice on one page: the last counts
SELECT page('acme/tickets',
	'{"remote_id": "3", "vals": {"subject": "first"}}', '{"remote_id": "4", "vals": {"subject": "four"}}',
	'{"remote_id": "3", "vals": {"subject": "last"}}');
SELECT remote_id, subject FROM zcsync.tickets WHERE remote_id IN ('3', '4') ORDER BY 1;

-- gone at the vendor, and back
SELECT page('acme/tickets', '{"remote_id": "4", "is_deleted": true, "vals": {"subject": "SCRUBBED", "status": "deleted"}}');
SELECT remote_id, subject, status, deleted_at IS NOT NULL AS deleted FROM zcsync.tickets WHERE remote_id = '4';
SELECT page('acme/tickets', '{"remote_id": "4", "is_deleted": true, "vals": {"subject": "SCRUBBED", "status": "deleted"}}') AS again;
SELECT page('acme/tickets', '{"remote_id": "4", "vals": {"subject": "four", "status": "open"}}');
SELECT remote_id, subject, status, deleted_at IS NOT NULL AS deleted FROM zcsync.tickets WHERE remote_id = '4';
-- gone without a document: the row keeps its values; never seen: no row
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets', ARRAY[zcsync._document_of('{"remote_id": "4", "vals": {}, "doc": null, "is_deleted": true}'),
	zcsync._document_of('{"remote_id": "99", "vals": {}, "doc": null, "is_deleted": true}')], zcsync._origin_of('pull', 9));
SELECT remote_id, subject, remote IS NOT NULL AS has_doc, deleted_at IS NOT NULL AS deleted FROM zcsync.tickets WHERE remote_id IN ('4', '99');
SELECT action, old - 'deleted_at' AS old, new - 'deleted_at' AS new FROM history WHERE record = 'acme/tickets/4';

-- people beside tickets need no stream of their own
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'contacts',
	ARRAY[zcsync._document_of('{"remote_id": "11", "vals": {"name": "Ann", "email": "ann@example.com"}, "doc": {}, "is_deleted": false}')], zcsync._origin_of('pull', 9));
SELECT name, email, custom_fields FROM zcsync.contacts;

-- ---------------------------------------------------------------------
-- Both sides change: each column by itself
-- ---------------------------------------------------------------------
SELECT page('dev/tasks', '{"remote_id": "t1", "remote_version": "1", "vals":
	{"name": "n", "description": "d", "status": "open", "priority": 3, "tags": ["x"], "due_at": "2026-02-01T00:00:00+00:00", "custom_fields": {"a": 1, "b": 1, "c": 1, "d": 1}}}');
UPDATE zcsync.tasks SET name = 'mine', status = 'mine', priority = 1, tags = '{x,y}',
	custom_fields = '{"a": 2, "b": 2, "c": 1, "e": 9}' WHERE remote_id = 't1';
SELECT name, sync_state FROM zcsync.tasks;
-- name: only here; status: both, differently; priority: both, alike; description: only there;
-- custom fields: a here, b both, c there, d removed here, e added here
SELECT page('dev/tasks', '{"remote_id": "t1", "remote_version": "2", "vals":
	{"name": "n", "description": "theirs", "status": "theirs", "priority": 1, "tags": ["x"], "due_at": "2026-02-01T00:00:00+00:00", "custom_fields": {"a": 1, "b": 3, "c": 5, "d": 1}}}');
SELECT name, description, status, priority, tags, custom_fields, sync_state, base ->> 'name' AS agreed FROM zcsync.tasks;
SELECT * FROM history WHERE record = 'dev/tasks/t1';
-- the vendor now has what was edited here: nothing is left to push
SELECT page('dev/tasks', '{"remote_id": "t1", "remote_version": "3", "vals":
	{"name": "mine", "description": "theirs", "status": "theirs", "priority": 1, "tags": ["x", "y"], "due_at": "2026-02-01T00:00:00+00:00", "custom_fields": {"a": 2, "b": 3, "c": 5, "e": 9}}}');
SELECT name, sync_state FROM zcsync.tasks;

-- Policies: who wins what both sides changed.  Where a person is to decide nothing
-- is sent, until both sides have the same.
UPDATE zcsync.streams SET policies = '{"name": "manual", "description": "local", "status": "newest", "priority": "newest", "tags": "union", "custom_fields": "manual"}'
WHERE stream_id = zcsync.stream('dev/tasks');
SELECT page('dev/tasks', '{"remote_id": "p1", "remote_version": "1", "vals":
	{"name": "n", "description": "d", "status": "open", "priority": 3, "tags": ["x"], "custom_fields": {"a": 1}, "updated_at": "2026-01-01T00:00:00+00:00"}}');
UPDATE zcsync.tasks SET name = 'mine', description = 'mine', status = 'mine', priority = 1, tags = '{y}', custom_fields = '{"a": 2}' WHERE remote_id = 'p1';
SELECT page('dev/tasks', format('{"remote_id": "p1", "remote_version": "2", "vals":
	{"name": "theirs", "description": "theirs", "status": "theirs", "priority": 2, "tags": ["x", "z"], "custom_fields": {"a": 3}, "updated_at": "2026-01-02T00:00:00+00:00"}}')::jsonb);
SELECT name, description, status, priority, tags, custom_fields, sync_state FROM zcsync.tasks WHERE remote_id = 'p1';
SELECT action, old, new FROM history WHERE record = 'dev/tasks/p1' AND action = 'lost' ORDER BY old::text;
SELECT field, mine, theirs, resolved_at IS NULL AS open FROM zcsync.conflicts ORDER BY field;
-- another value there, and one that settles it
SELECT page('dev/tasks', format('{"remote_id": "p1", "remote_version": "3", "vals":
	{"name": "again", "description": "mine", "status": "mine", "priority": 1, "tags": ["z", "y"], "custom_fields": {"a": 2}, "updated_at": "2026-01-03T00:00:00+00:00"}}')::jsonb);
SELECT name, sync_state FROM zcsync.tasks WHERE remote_id = 'p1';
SELECT field, mine, theirs, resolved_at IS NULL AS open FROM zcsync.conflicts ORDER BY field;
SELECT page('dev/tasks', '{"remote_id": "p1", "remote_version": "4", "vals": {"name": "mine", "updated_at": "2026-01-04T00:00:00+00:00"}}');
SELECT name, sync_state, (SELECT count(*) FROM zcsync.conflicts WHERE resolved_at IS NULL) AS open FROM zcsync.tasks WHERE remote_id = 'p1';
UPDATE zcsync.streams SET policies = '{}' WHERE stream_id = zcsync.stream('dev/tasks');

-- Columns against agreed values: each type, null and missing, whatever the time zone.
SET timezone = 'Asia/Kolkata';
SELECT zcsync._differing('{"t": "a", "i": 1, "n": 1.50, "b": true, "at": "2026-01-01T00:00:00+00:00", "l": ["x", null], "o": {"k": [1]}}',
	'{t,i,n,b,at,l,o,none,empty}', ROW('a'::text, 1, 1.5, true, '2026-01-01 00:00Z'::timestamptz, '{x,NULL}'::text[],
		'{"k": [1]}'::jsonb, NULL::text, '{}'::jsonb)) AS nothing;
SELECT zcsync._differing('{"t": "a", "i": 1, "n": 1.50, "b": true, "at": "2026-01-01T00:00:00+00:00", "l": ["x"], "o": {"k": 1}, "gone": 1, "s": "1"}',
	'{t,i,n,b,at,l,o,gone,s}', ROW('b'::text, 2::bigint, 'NaN'::numeric, false, '2026-01-01 00:00:00.5Z'::timestamptz, '{}'::text[],
		'"scalar"'::jsonb, NULL::text, 1)) AS everything;
SELECT zcsync._differing(NULL, '{t,o}', ROW('a'::text, 'null'::jsonb)) AS no_base, zcsync._differing('[1]', '{t}', ROW(NULL::text)) AS no_object;
SELECT zcsync._differing('{}', '{t}', ROW(1, 2));
SELECT zcsync._differing_keys('{"a": 1, "b": {"c": 1}, "gone": [1], "none": null}', '{"a": 1.0, "b": {"c": 2}, "new": "x", "null": null}') AS keys,
	zcsync._differing_keys('{"a": 1}', '{"a": 1}') AS same, zcsync._differing_keys(NULL, '{"a": 1}') AS no_base, zcsync._differing_keys('[1]', NULL) AS none;
SET timezone = 'UTC';

-- ---------------------------------------------------------------------
-- Odd values
-- ---------------------------------------------------------------------
SELECT page('acme/tickets', jsonb_build_object('remote_id', 'big', 'vals', jsonb_build_object('subject', repeat('x', 1000000),
	'description', E'\U0001F600 \u200D\U0001F468\u200D\U0001F469 caf\u00e9 \u202E', 'tags', jsonb_build_array(repeat('t', 10000), '')), 'doc', jsonb_build_object('d', repeat('y', 1000000))));
SELECT length(subject), description = E'\U0001F600 \u200D\U0001F468\u200D\U0001F469 caf\u00e9 \u202E' AS as_given, length(tags[1]), tags[2] = '' AS empty, length(remote ->> 'd') FROM zcsync.tickets WHERE remote_id = 'big';
SELECT page('acme/tickets', jsonb_build_object('remote_id', 'big', 'vals', jsonb_build_object('subject', repeat('x', 1000000),
	'description', E'\U0001F600 \u200D\U0001F468\u200D\U0001F469 caf\u00e9 \u202E', 'tags', jsonb_build_array(repeat('t', 10000), '')))) AS again;
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets', '{}', zcsync._origin_of('pull', 9)) AS nothing,
	zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets', ARRAY[zcsync._document_of('{"vals": {"subject": "no id"}}')], zcsync._origin_of('pull', 9)) AS no_id;

-- ---------------------------------------------------------------------
-- A row that cannot be stored does not keep its neighbours from it
-- ---------------------------------------------------------------------
ALTER TABLE zcsync.tickets ADD CONSTRAINT users_check CHECK (subject NOT LIKE 'bad%');
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets', ARRAY(
	SELECT zcsync._document_of(jsonb_build_object('remote_id', 'p' || i, 'vals', jsonb_build_object('subject',
		CASE i WHEN 17 THEN 'bad' ELSE 'good' END || i), 'doc', '{}'::jsonb, 'is_deleted', false)) FROM generate_series(1, 100) i), zcsync._origin_of('pull', 10));
SELECT count(*) FROM zcsync.tickets WHERE remote_id LIKE 'p%';
SELECT * FROM jobs WHERE operation = 'apply';
-- it fails by itself until its attempts are used up
CREATE FUNCTION run_apply() RETURNS SETOF jobs LANGUAGE plpgsql AS
$$
BEGIN
	UPDATE zcsync.sync_queue SET run_at = now() WHERE operation = 'apply';
	PERFORM zcsync._run_apply_jobs();
	RETURN QUERY SELECT * FROM jobs WHERE operation = 'apply';
END
$$;
SELECT * FROM run_apply();
SELECT * FROM run_apply();
SELECT * FROM run_apply();
SELECT operation, record_key, class, message, hint FROM zcsync.dead_letters;
-- mended and tried again
ALTER TABLE zcsync.tickets DROP CONSTRAINT users_check;
SELECT zcsync.retry(job_id) > 0 AS queued FROM zcsync.dead_letters;
SELECT * FROM run_apply();
SELECT subject FROM zcsync.tickets WHERE remote_id = 'p17';
SELECT status, attempts FROM zcsync.sync_records WHERE operation = 'apply' ORDER BY created_at, status;
-- so many bad rows that not all can be told apart at once: all become jobs
ALTER TABLE zcsync.tickets ADD CONSTRAINT users_check CHECK (subject NOT LIKE 'worse%');
SELECT zcsync._take_page(zcsync.stream('acme/tickets'), 'tickets', ARRAY(
	SELECT zcsync._document_of(jsonb_build_object('remote_id', 'q' || i, 'vals', jsonb_build_object('subject',
		CASE i % 2 WHEN 0 THEN 'worse' ELSE 'good' END || i), 'doc', '{}'::jsonb, 'is_deleted', false)) FROM generate_series(1, 100) i), zcsync._origin_of('pull', 11)) < 50 AS some;
SELECT count(DISTINCT k) FROM (
	SELECT remote_id FROM zcsync.tickets WHERE remote_id LIKE 'q%'
	UNION SELECT payload #>> '{rows,0,remote_id}' FROM zcsync.sync_queue WHERE operation = 'apply') AS x (k);
SELECT count(*) FROM run_apply();
SELECT count(*) FROM run_apply();
SELECT count(*) AS stored FROM zcsync.tickets WHERE remote_id LIKE 'q%';
ALTER TABLE zcsync.tickets DROP CONSTRAINT users_check;
SELECT count(*) FROM run_apply();
SELECT count(*) AS stored FROM zcsync.tickets WHERE remote_id LIKE 'q%';

-- ---------------------------------------------------------------------
-- What users add to a table
-- ---------------------------------------------------------------------
ALTER TABLE zcsync.tickets ADD COLUMN team text, ADD COLUMN "select" integer DEFAULT 5;
CREATE INDEX users_index ON zcsync.tickets (team);
CREATE FUNCTION users_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.team := coalesce(NEW.team, 'team of ' || NEW.subject); RETURN NEW; END $$;
CREATE TRIGGER users_trigger BEFORE INSERT OR UPDATE ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION users_trigger();
SELECT FROM zcsync.setup();
SELECT page('acme/tickets', '{"remote_id": "u1", "vals": {"subject": "user"}}');
SELECT page('acme/tickets', '{"remote_id": "u1", "vals": {"subject": "user 2", "team": "theirs"}}');
SELECT subject, team, "select", sync_state FROM zcsync.tickets WHERE remote_id = 'u1';

-- ---------------------------------------------------------------------
-- The look-up of a page goes through the index
-- ---------------------------------------------------------------------
INSERT INTO zcsync.tickets (account_id, remote_id, subject, sync_cause, sync_xid)
SELECT zcsync.account('acme'), 'bulk' || i, 'bulk', 'pull', '0' FROM generate_series(1, 20000) i;
ANALYZE zcsync.tickets;
-- all pages of a session have one plan, made when the table was still empty
SET track_functions = 'none';
CREATE FUNCTION full_scans() RETURNS bigint LANGUAGE sql AS
$$ SELECT pg_stat_get_xact_numscans(oid) FROM pg_class WHERE oid = 'zcsync.tickets'::regclass $$;
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT page('acme/tickets', '{"remote_id": "bulk7", "remote_version": "1", "vals": {"subject": "found"}}');
SELECT full_scans();
COMMIT;

DROP EXTENSION zcsync CASCADE;
DROP TABLE before;
DROP FUNCTION full_scans(), page(text, jsonb[]), users_trigger();
