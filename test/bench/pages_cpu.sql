-- The CPU time of a ticket, in µs, from the reply to committed rows: of pages of
-- new tickets, of the same again, and of pages where status and time changed.
-- After pages.sql, whose page() makes the replies.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.cpu() RETURNS numeric LANGUAGE sql AS
$$
	SELECT (v[12]::numeric + v[13]::numeric) * 10000
	FROM string_to_array(regexp_replace(pg_read_file('/proc/self/stat', 0, 4000), '^.*[)] ', ''), ' ') AS v
$$;
-- replies that follow one on the other
CREATE TEMP TABLE replies AS
SELECT v AS step, p AS page, jsonb_set(b.body, '{tickets}', (
	SELECT jsonb_agg(t || CASE WHEN v = 0 THEN '{}' ELSE jsonb_build_object('status', CASE v % 2 WHEN 0 THEN 'open' ELSE 'pending' END,
		'updated_at', format('2026-02-0%sT00:00:00Z', v + 1), 'generated_timestamp', (t ->> 'generated_timestamp')::bigint + v * 86400) END)
	FROM jsonb_array_elements(b.body -> 'tickets') AS t)) AS body
FROM generate_series(0, 4) v, generate_series(0, 9) p, LATERAL (SELECT page(p)::jsonb AS body) AS b;
CREATE TEMP TABLE measured (what text, us numeric);
CREATE PROCEDURE pg_temp.measure(p_what text, p_step integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_begin numeric := pg_temp.cpu();
	v_stream bigint := zcsync.stream('pages/tickets');
	v_page record;
BEGIN
	FOR v_page IN SELECT * FROM replies WHERE step = p_step ORDER BY page LOOP
		PERFORM FROM zcsync._finish_pull(v_page.page, v_stream, 'history', zcsync._zendesk_pull_request(v_stream, 'history'), v_page.body);
		COMMIT;
	END LOOP;
	INSERT INTO measured VALUES (p_what, (pg_temp.cpu() - v_begin) / 10000);
END
$$;
-- each by itself, since VACUUM cannot run in a procedure
SELECT unnest('{"CALL empty_tickets()", "VACUUM zcsync.tickets", "CALL pg_temp.measure(''new'', 0)", "CALL pg_temp.measure(''as it was'', 0)",
	"CALL pg_temp.measure(''changed'', 1)", "CALL pg_temp.measure(''changed'', 2)", "VACUUM zcsync.tickets",
	"CALL pg_temp.measure(''changed'', 3)", "CALL pg_temp.measure(''changed'', 4)"}'::text[])
FROM generate_series(1, 4)
\gexec
SELECT format('%s %s µs', what, round(min(us))) FROM measured GROUP BY what ORDER BY min(us);
