-- Pushes to Zendesk: what is sent for a row, and what the row learns from the
-- reply.  The worker is stopped; replies are given by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "growth"}') AS acme \gset
SELECT count(*) > 0 AS added FROM zcsync.add_stream('acme', 'tickets');
SELECT item, value FROM zcsync.alter_stream('acme/tickets', writes => true) WHERE item IN ('stream', 'writes');
SELECT stream_id AS stream FROM zcsync.streams \gset
SET timezone = 'Asia/Kolkata';

SELECT zcsync._pushable('zendesk', 'tickets'), zcsync._create_only('zendesk', 'tickets'), zcsync._create_only('halopsa', 'tickets') AS others;

-- ---------------------------------------------------------------------
-- Values
-- ---------------------------------------------------------------------
SELECT form, v, zcsync._zendesk_value(form, v) FROM (VALUES
	('text', '"Résumé \"x\"\n"'::jsonb), ('text', 'null'), ('text', '""'),
	('id', '"18"'), ('id', '"360000000001"'), ('id', 'null'), ('id', '""'), ('id', '"18.0"'), ('id', '"-1"'), ('id', '"12345678901234567890"'), ('id', '"Ann"'), ('fixed id', '"3"'), ('fixed id', '""'),
	('status', '"open"'), ('status', '"Solved"'), ('status', '"deleted"'), ('status', 'null'),
	('priority', '"HIGH"'), ('priority', '"P1"'), ('priority', 'null'), ('type', '"task"'), ('type', '"bug"'), ('type', 'null'),
	('time', '"2026-12-24T18:00:00.999999+00:00"'), ('time', 'null'), ('time', '"infinity"'), ('time', '"12026-01-01T00:00:00+00:00"'),
	('tags', '["b","A","b ","",null]'), ('tags', 'null'), ('tags', '[]')) AS f (form, v);
SELECT type, v, zcsync._zendesk_field_value(type, '[{"id": 1, "name": "Web Portal", "value": "area_portal"}, {"id": 2, "name": "area_portal", "value": "area_api"}]', v) FROM (VALUES
	('text', '"x"'::jsonb), ('text', '12'), ('text', 'true'), ('text', 'null'), ('text', '["x"]'), ('textarea', '"a\nb"'), ('regexp', '"AT-00001"'), ('text', '""'),
	('integer', '95'), ('integer', '"12"'), ('integer', '12.0'), ('integer', '12.5'), ('integer', '"many"'), ('integer', 'null'),
	('decimal', '95.50'), ('decimal', '"12.50"'), ('decimal', '"1e3"'), ('decimal', '""'),
	('tagger', '"area_portal"'), ('tagger', '"web PORTAL"'), ('tagger', '"Blue"'), ('tagger', 'null'), ('tagger', '["area_api"]'),
	('multiselect', '["area_portal", "web portal", "area_api"]'), ('multiselect', '"area_api"'), ('multiselect', '["Blue", "area_api"]'), ('multiselect', '[]'), ('multiselect', 'null'),
	('date', '"2026-12-24"'), ('date', '"2026-12-24T23:00:00-05:00"'), ('date', '"2026-02-30"'), ('date', '"soon"'), ('date', '20261224'), ('date', 'null'),
	('checkbox', 'true'), ('checkbox', '"No"'), ('checkbox', '1'), ('checkbox', '"perhaps"'), ('checkbox', 'null'),
	(NULL, '"x"'), (NULL, '5'), (NULL, '["x"]'), (NULL, '{"a": 1}'), (NULL, 'null')) AS f (type, v);
