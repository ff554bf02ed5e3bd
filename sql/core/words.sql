-- ---------------------------------------------------------------------
-- Values in words for people.
-- ---------------------------------------------------------------------

-- A length of time in at most seven characters: '12 s', '3 min', '5 h', '2 d'.
CREATE FUNCTION zcsync._span(p_span interval) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_span IS NULL THEN NULL
		WHEN p_span < interval '2 minutes' THEN ceil(greatest(extract(epoch FROM p_span), 0)) || ' s'
		WHEN p_span < interval '2 hours' THEN floor(extract(epoch FROM p_span) / 60) || ' min'
		WHEN p_span < interval '2 days' THEN floor(extract(epoch FROM p_span) / 3600) || ' h'
		ELSE floor(extract(epoch FROM p_span) / 86400) || ' d'
	END;
END;
COMMENT ON FUNCTION zcsync._span(interval) IS
'a length of time for people, in at most seven characters';

-- The highest bar is the largest of the numbers, or the top if one is given.  A number
-- that is missing is a space, and the lowest bar is 0, or very little.
CREATE FUNCTION zcsync.sparkline(numbers numeric[], top numeric DEFAULT NULL) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(CASE WHEN n.value IS NULL THEN ' '
		ELSE substr('▁▂▃▄▅▆▇█', coalesce(least(greatest(ceil(8 * n.value / nullif(h.top, 0)), 1), 8), 1)::integer, 1) END, '' ORDER BY n.place)
	FROM unnest(sparkline.numbers) WITH ORDINALITY AS n (value, place)
	CROSS JOIN (SELECT greatest(coalesce(sparkline.top, (SELECT max(m.value) FROM unnest(sparkline.numbers) AS m (value))), 0)) AS h (top);
END;
COMMENT ON FUNCTION zcsync.sparkline(numeric[], numeric) IS
'numbers as a line of bars, one character each; the highest is the largest of them, or top';

CREATE FUNCTION zcsync._shorten(p_text text, p_length integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN length(p_text) > p_length THEN left(p_text, p_length - 1) || '…' ELSE p_text END;
END;
COMMENT ON FUNCTION zcsync._shorten(text, integer) IS
'a text cut to a length, with an ellipsis where something is missing';
