-- What the load tests need, in an empty database with zcsync set up: psql -v
-- tickets=20000 -v leads=10000 -f test/bench/load/setup.sql.  Role "reader" is
-- the one who reads through the pooler, and may search as well.
\ir ../search_setup.sql
SELECT count(*) AS indexes FROM zcsync.enable_search('{tickets,leads}', 'english', typos => false) \gset

-- cursors of pages all over the table
CREATE TABLE load_cursors AS
SELECT i AS n, zcsync._encode_cursor('["tickets", "created_at", "desc", null]', to_jsonb(t.created_at), t.local_id) AS cursor
FROM generate_series(1, 1000) AS i
CROSS JOIN (SELECT min(local_id) AS first, count(*) AS tickets FROM zcsync.tickets) AS a
JOIN zcsync.tickets AS t ON t.local_id = a.first + i * a.tickets / 1001;
ALTER TABLE load_cursors ADD PRIMARY KEY (n);
VACUUM ANALYZE load_cursors;

CREATE ROLE reader LOGIN;
SELECT zcsync.grant_reader('reader') AS granted \gset
GRANT SELECT ON load_cursors TO reader;
-- as doc/security.md has it for a role that searches
GRANT SELECT ON zcsync.tickets, zcsync.tasks, zcsync.leads TO reader;
GRANT EXECUTE ON FUNCTION zcsync.search, zcsync.search_tickets, zcsync.search_leads, zcsync.account, zcsync._page_rows, zcsync._check_rows,
	zcsync._shorten, zcsync._encode_cursor, zcsync._decode_cursor, zcsync._list_text, zcsync._check_query, zcsync._check_search_kinds,
	zcsync._search_kinds, zcsync._default_search_kinds, zcsync._search_branches, zcsync._search_notices, zcsync._search_candidates,
	zcsync._search_indexed, zcsync._search_since, zcsync._search_newest, zcsync._private_texts, zcsync._search_ranked,
	zcsync._search_expression, zcsync._search_similar, zcsync._search_page, zcsync._trigram_schema, zcsync._matches, zcsync._index_search TO reader;
