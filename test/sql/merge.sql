-- Merging rows and objects with documents: what SQL gets from src/merge_row.c.
-- The rules themselves are tested in test/unit.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SET timezone = 'Asia/Kolkata';

-- a row of every type: what came is taken, what the document does not cover stays
CREATE FUNCTION merged(theirs jsonb, edited boolean DEFAULT false, base jsonb DEFAULT NULL, sent jsonb DEFAULT NULL,
	answered boolean DEFAULT false, pushable text[] DEFAULT NULL, policies jsonb DEFAULT NULL, newer text[] DEFAULT NULL,
	open text[] DEFAULT NULL, mine text DEFAULT 'a')
RETURNS TABLE (t text, i int, l bigint, n numeric, b boolean, at timestamptz, tags text[], custom_fields jsonb, new_base jsonb,
	written bigint, differs boolean, undecided boolean, disputes jsonb)
LANGUAGE sql AS
$$
	SELECT m.*
	FROM zcsync._merge_row(ROW(mine, 1, 2::bigint, 1.5::numeric, true, '2026-01-01 00:00Z'::timestamptz, '{x,y}'::text[], '{"1": "a"}'::jsonb),
		'{t,i,l,n,b,at,tags,custom_fields}', edited,
		coalesce(base, '{"t": "a", "i": 1, "l": 2, "n": 1.50, "b": true, "at": "2026-01-01T00:00:00+00:00", "tags": ["x", "y"], "custom_fields": {"1": "a"}}'),
		theirs, sent, answered, pushable, policies, newer, open)
		AS m (t text, i int, l bigint, n numeric, b boolean, at timestamptz, tags text[], custom_fields jsonb, new_base jsonb,
			written bigint, differs boolean, undecided boolean, disputes jsonb)
$$;
SELECT * FROM merged('{}');
SELECT written, differs, new_base, disputes FROM merged('{"t": "a", "i": 1, "l": 2, "n": 1.5, "b": true, "at": "2026-01-01T00:00:00+00:00", "tags": ["x", "y"], "custom_fields": {"1": "a"}}', true);
SELECT * FROM merged('{"t": "z", "i": 10, "l": 20, "n": 2.50, "b": false, "at": "2026-02-01T00:00:00.5+00:00", "tags": ["y", "z"], "custom_fields": {"2": 2}}');
SELECT * FROM merged('{"t": null, "i": null, "l": null, "n": null, "b": null, "at": null, "tags": null, "custom_fields": null}');
SELECT t, new_base, written, differs FROM merged('{"t": "b"}');
SELECT t, i FROM merged('{"t": {"a": [1, true, null]}, "i": "12"}');
SELECT * FROM merged('{"i": "twelve"}');
SELECT * FROM merged('[]');
SELECT * FROM merged(NULL);

-- the same time in another form is no change
SELECT new_base, written FROM merged('{"at": "2026-01-01T01:00:00+01:00"}');

-- only here, only there, both
SELECT t, i, differs, disputes FROM merged('{"t": "a", "i": 3}', true, mine => 'mine');
SELECT t, differs, disputes FROM merged('{"t": "b"}', true, mine => 'mine');
SELECT t, differs FROM merged('{"i": 3}', true, mine => 'mine');
SELECT t, differs FROM merged('{"i": 3}', true, mine => 'mine', pushable => '{i}');
-- each policy
SELECT policy, t, differs, disputes
FROM unnest('{default,remote,local,newest,union,manual}'::text[]) AS policy,
	merged('{"t": "b"}', true, mine => 'mine', policies => jsonb_build_object('t', policy));
SELECT t, differs, disputes FROM merged('{"t": "b"}', true, mine => 'mine', policies => '{"t": "newest"}', newer => '{t}');
SELECT * FROM merged('{"t": "b"}', policies => '{"t": "mine"}');
-- while a person is to decide nothing is sent; then it is settled
SELECT t, differs, undecided, disputes FROM merged('{"t": "a"}', true, mine => 'mine', open => '{t}');
SELECT t, differs, disputes FROM merged('{"t": "mine"}', true, mine => 'mine', open => '{t}');
SELECT custom_fields, differs, disputes FROM merged('{"custom_fields": {"1": "c", "2": 2}}', true, '{"custom_fields": {"1": "b"}}', pushable => '{custom_fields}', policies => '{"custom_fields": "manual"}');
SELECT custom_fields, differs, disputes FROM merged('{"custom_fields": {"1": "c", "2": 2}}', true, '{"custom_fields": {"1": "c", "2": 2}}', pushable => '{custom_fields}', open => '{custom_fields/1,custom_fields/2}');

-- what was sent: by a push under way, and answered
SELECT t, differs, disputes FROM merged('{"t": " SENT"}', true, mine => 'newer', sent => '[{"sent": {"t": "sent"}, "base": {"t": "a"}}]');
SELECT t, differs, disputes FROM merged('{"t": " SENT"}', true, mine => 'newer', sent => '[{"sent": {"t": "sent"}, "base": {"t": "old"}}]');
SELECT t, differs, disputes FROM merged('{"t": "other"}', true, mine => 'sent', sent => '[{"sent": {"t": "sent"}, "base": {"t": "a"}}]', answered => true);
SELECT custom_fields, differs FROM merged('{"custom_fields": {"1": "c"}}', true, '{}', '[{"sent": {"custom_fields": {"1": "a"}}, "base": {}}, null, {"sent": 1}]');

-- the two ends of a pair: what one says of a field, what both agreed on, what the other has
SELECT told, zcsync._merge_value(mine, base, theirs) AS becomes FROM (VALUES
	('nobody changed it', '"a"'::jsonb, '"a"'::jsonb, '"a"'::jsonb), ('here', '"b"', '"a"', '"a"'), ('there', '"a"', '"a"', '"b"'),
	('both, differently', '"b"', '"a"', '"c"'), ('both, alike', '"B"', '"a"', '"b"'), ('emptied here', 'null', '"a"', '"a"'), ('emptied here', NULL, '"a"', '"a"'),
	('emptied there', '"a"', '"a"', NULL), ('nothing agreed on', '"b"', NULL, '"c"'), ('numbers', '5', '4', '4.0'),
	('set, here', '["a", "b"]', '["a"]', '["a"]'), ('set, both', '["a", "b"]', '["a", "c"]', '["c", "a", "x"]'), ('set, removed by both', '[]', '["a"]', '[]'),
	('set, emptied there', '["a", "b"]', '["a"]', NULL), ('set and value', '"b"', '["a"]', '["a"]'), ('point', '{"lat": 1, "lng": 1}', '{"lat": 1, "lng": 2}', '{"lat": 2, "lng": 2}')) AS v (told, mine, base, theirs);
SELECT zcsync._same_value('["a", "b"]', '["b", "a", "a"]') AS sets, zcsync._same_value('"A"', '"a"') AS texts, zcsync._same_value('"A"', '"a"', true) AS alike,
	zcsync._same_value(NULL, '[]') AS nothing, zcsync._same_value('1.0', '1') AS numbers, zcsync._same_value('"1"', '1') AS forms, zcsync._same_value('"1"', '1', true) AS alike;

DROP EXTENSION zcsync CASCADE;
DROP FUNCTION merged(jsonb, boolean, jsonb, jsonb, boolean, text[], jsonb, text[], text[], text);
