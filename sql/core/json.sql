-- ---------------------------------------------------------------------
-- Values of JSON documents.
--
-- The vendors' SQL turns a document into values that look as to_jsonb() prints those of
-- a column while TimeZone is UTC, so that equal values are equal as jsonb.  A value of
-- another type than its column becomes its text, or null where the column holds no
-- text: one odd value must not lose a page.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._is_plain_utc(p_time text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_is_plain_utc';
COMMENT ON FUNCTION zcsync._is_plain_utc(text) IS
'is this a time of whole seconds in UTC, written YYYY-MM-DDTHH:MM:SSZ, that exists?';

-- A vendor's ISO 8601 time as to_jsonb() prints a timestamptz in UTC; NULL if the text
-- is no such time.  The pattern knows how many days each month has, since the cast
-- would raise an error for a day that does not exist.  Whole seconds in UTC, which
-- vendors nearly always send, need neither pattern nor cast.  The caller's TimeZone
-- must be UTC.
CREATE FUNCTION zcsync._utc_text(p_time text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN zcsync._is_plain_utc(p_time) THEN left(p_time, 19) || '+00:00'
		WHEN p_time !~ ('^(?:[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))'
				|| '|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)-02-29)'
				|| '[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?$')
			THEN NULL
		ELSE to_jsonb(p_time::timestamptz) #>> '{}'
	END;
END;
COMMENT ON FUNCTION zcsync._utc_text(text) IS
'a time of a vendor as to_jsonb() prints it in UTC, or NULL if it is none';

-- A list of a document, or an empty one.
CREATE FUNCTION zcsync._json_list(p_list jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN jsonb_typeof(p_list) = 'array' THEN p_list ELSE '[]'::jsonb END;
END;
COMMENT ON FUNCTION zcsync._json_list(jsonb) IS
'the value if it is a list, else an empty list';

-- A whole number that fits an integer column, from a number or its text.
CREATE FUNCTION zcsync._json_integer(p_value jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (p_value #>> '{}') ~ '^-?[0-9]{1,9}$' THEN (p_value #>> '{}')::integer END;
END;
COMMENT ON FUNCTION zcsync._json_integer(jsonb) IS
'a value as an integer, or NULL if it is none';

-- A number as JSON has it, from a number or its text; NULL if it is none.
CREATE FUNCTION zcsync._json_number(p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN jsonb_typeof(p_value) = 'number' THEN p_value
		WHEN (p_value #>> '{}') ~ '^-?[0-9]{1,100}(?:[.][0-9]{1,100})?$' THEN to_jsonb((p_value #>> '{}')::numeric)
	END;
END;
COMMENT ON FUNCTION zcsync._json_number(jsonb) IS
'a number or its text as a JSON number, or NULL if it is none';

-- Sorted texts of a list: of scalars, or of one member of each object.
CREATE FUNCTION zcsync._member_list(p_list jsonb, p_member text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_agg(DISTINCT m.value COLLATE "C") FILTER (WHERE m.value IS NOT NULL), '[]')
	FROM jsonb_array_elements(zcsync._json_list(p_list)) AS e,
		LATERAL (SELECT CASE WHEN jsonb_typeof(e) = 'object' THEN e ->> p_member ELSE e #>> '{}' END) AS m (value);
END;
COMMENT ON FUNCTION zcsync._member_list(jsonb, text) IS
'one member of each object of a list, or the list''s scalars, as sorted texts';

-- Which elements must be added to a list, and which removed from it, as texts.
CREATE FUNCTION zcsync._list_changes(p_from jsonb, p_to jsonb, OUT added text[], OUT removed text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT
		ARRAY(SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_to)) AS e WHERE e IS NOT NULL
			EXCEPT SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_from)) AS e ORDER BY 1),
		ARRAY(SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_from)) AS e WHERE e IS NOT NULL
			EXCEPT SELECT e FROM jsonb_array_elements_text(zcsync._json_list(p_to)) AS e ORDER BY 1);
END;
COMMENT ON FUNCTION zcsync._list_changes(jsonb, jsonb) IS
'the elements that one list has and the other has not, both ways';
