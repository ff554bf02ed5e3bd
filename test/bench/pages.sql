-- Rows a second of 20 pages of 1,000 tickets (about 2 kB each): from the bytes
-- of the reply to committed rows, beside COPY of the same rows into the same
-- table.  Both with all indexes; COPY without the triggers, as a bulk load
-- would be.
SET client_min_messages = warning;
SELECT FROM zcsync.add_account('pages', 'zendesk', settings => '{"subdomain": "pages", "base_url": "http://127.0.0.1:9"}',
	credentials => '{"email": "a@example.com", "api_token": "t"}');
SELECT FROM zcsync.add_stream('pages', 'tickets', since => now() - interval '1 year', pull_interval => '1 day');
SELECT FROM zcsync.pause_account('pages', 'measured by hand');

CREATE FUNCTION page(p_page integer) RETURNS text LANGUAGE sql AS
$$
	SELECT jsonb_build_object('end_of_stream', false, 'after_cursor', 'c' || p_page, 'tickets', jsonb_agg(
		jsonb_build_object('id', id, 'subject', 'Printer ' || id || ' does not print', 'raw_subject', 'Printer ' || id || ' does not print',
			'description', repeat('The printer on floor ' || id % 9 || ' shows error ' || id || ' and stops. ', 20),
			'status', 'open', 'priority', 'normal', 'type', 'incident', 'custom_status_id', 1, 'requester_id', id % 500,
			'submitter_id', id % 500, 'assignee_id', id % 50, 'group_id', 3, 'organization_id', id % 100, 'brand_id', 1,
			'ticket_form_id', 1, 'tags', '["bug", "printer"]'::jsonb, 'external_id', NULL, 'via', '{"channel": "web"}'::jsonb,
			'custom_fields', '[{"id": 1, "value": "a"}, {"id": 2, "value": null}, {"id": 3, "value": true}]'::jsonb,
			'due_at', NULL, 'created_at', '2026-01-01T00:00:00Z', 'updated_at', '2026-02-01T00:00:00Z',
			'generated_timestamp', 1770000000 + id, 'url', 'https://pages.zendesk.com/api/v2/tickets/' || id))
		)::text
	FROM generate_series(p_page * 1000 + 1, p_page * 1000 + 1000) id
$$;
CREATE TEMP TABLE pages AS SELECT p AS page, page(p) AS body FROM generate_series(0, 19) p;
CREATE TEMP TABLE times (what text, run integer, rows bigint, seconds double precision);

CREATE PROCEDURE empty_tickets() LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM zcsync._allow_delete();
	DELETE FROM zcsync.tickets WHERE account_id = zcsync.account('pages');
	UPDATE zcsync.streams SET history_cursor = NULL, history_state = 'running'
	WHERE account_id = zcsync.account('pages');
END
$$;

CREATE PROCEDURE measure_pages(p_run integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_begin timestamptz := clock_timestamp();
	v_stream bigint := zcsync.stream('pages/tickets');
	v_page record;
BEGIN
	FOR v_page IN SELECT * FROM pages ORDER BY page LOOP
		PERFORM FROM zcsync._finish_pull(v_page.page, v_stream, 'history',
			zcsync._zendesk_pull_request(v_stream, 'history'), v_page.body::jsonb);
		COMMIT;
	END LOOP;
	INSERT INTO times SELECT 'pages', p_run, count(*), extract(epoch FROM clock_timestamp() - v_begin)
	FROM zcsync.tickets t WHERE t.account_id = zcsync.account('pages');
END
$$;

CREATE PROCEDURE measure_copy(p_run integer) LANGUAGE plpgsql AS
$$
DECLARE
	v_begin timestamptz;
BEGIN
	ALTER TABLE zcsync.tickets DISABLE TRIGGER USER;
	v_begin := clock_timestamp();
	COPY zcsync.tickets FROM '/dev/shm/zcsync-bench.copy' (FORMAT binary);
	COMMIT;
	INSERT INTO times SELECT 'COPY', p_run, count(*), extract(epoch FROM clock_timestamp() - v_begin)
	FROM zcsync.tickets t WHERE t.account_id = zcsync.account('pages');
	ALTER TABLE zcsync.tickets ENABLE TRIGGER USER;
END
$$;

CALL measure_pages(0);
\! rm -f /dev/shm/zcsync-bench.copy
COPY (SELECT * FROM zcsync.tickets WHERE account_id = zcsync.account('pages')) TO '/dev/shm/zcsync-bench.copy' (FORMAT binary);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_copy(1);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_pages(1);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_copy(2);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_pages(2);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_copy(3);
CALL empty_tickets();
VACUUM zcsync.tickets;
CALL measure_pages(3);
\! rm -f /dev/shm/zcsync-bench.copy
SELECT format('run %s: COPY %s rows/s   pages %s rows/s   %s %%', c.run, round(c.rows / c.seconds), round(p.rows / p.seconds),
	round(100 * c.seconds / p.seconds))
FROM times c JOIN times p USING (run) WHERE c.what = 'COPY' AND p.what = 'pages' ORDER BY run;
