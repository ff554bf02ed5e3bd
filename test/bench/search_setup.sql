-- A million tickets, half a million leads and three million comments to be searched:
-- psql -v tickets=1000000 -v leads=500000 -v comments=3000000 -f
-- test/bench/search_setup.sql in an empty database with zcsync set up; comments may
-- be left out.  The same rows each time.  Of 20,000 words some are in most texts and
-- most in few, as in a language; word10, word1000, word10000, word100000 are in as
-- many tickets of a million as they say, said10 to said100000 in as many comments of
-- three million.  One ticket in fifty is active.
SET client_min_messages = warning;
SET session_replication_role = replica;		-- no triggers, as when a backup is restored
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('beta', 'zendesk'), ('crm', 'local');

CREATE TEMP TABLE words AS
SELECT w AS n, initcap(substr(translate(md5(w::text), '0123456789', 'aeiouytrsn'), 1, 4 + w % 7)) AS word FROM generate_series(0, 19999) AS w;
ALTER TABLE words ADD PRIMARY KEY (n);
-- 10,000 sentences of 12 words; the word of rank n is taken about 1/n as often as the first
CREATE TEMP TABLE sentences AS
SELECT s AS n, string_agg(w.word, ' ' ORDER BY i) || '.' AS sentence
FROM generate_series(0, 9999) AS s
CROSS JOIN generate_series(1, 12) AS i
JOIN words AS w ON w.n = (20000 ^ ((hashint8extended(s, i) & 1048575) / 1048576.0))::integer - 1
GROUP BY s;
ALTER TABLE sentences ADD PRIMARY KEY (n);

INSERT INTO zcsync.tickets (account_id, remote_id, subject, description, status, requester_id, assignee_id, tags, created_at, updated_at, sync_state)
SELECT CASE WHEN id % 20 = 13 THEN (SELECT zcsync.account('beta')) ELSE (SELECT zcsync.account('acme')) END, id::text,
	split_part(s1.sentence, ' ', 1) || ' ' || split_part(s2.sentence, ' ', 2) || ' ' || id,
	s1.sentence || ' ' || s2.sentence || ' ' || s3.sentence || ' ' || s4.sentence
		|| CASE WHEN id % 10 = 3 THEN ' word100000' ELSE '' END || CASE WHEN id % 100 = 3 THEN ' word10000' ELSE '' END
		|| CASE WHEN id % 1000 = 3 THEN ' word1000' ELSE '' END || CASE WHEN id % 100000 = 3 THEN ' word10' ELSE '' END,
	CASE WHEN id <= :tickets * 0.98 THEN 'closed' WHEN id % 3 = 0 THEN 'pending' ELSE 'open' END, id % 5000, id % 50, '{a,b}', '2024-01-01'::timestamptz + id * interval '1 minute', '2024-01-01'::timestamptz + id * interval '2 minutes', 'synced'
FROM generate_series(1, :tickets) AS id
JOIN sentences AS s1 ON s1.n = (hashint8extended(id, 1) & 1073741823) % 10000
JOIN sentences AS s2 ON s2.n = (hashint8extended(id, 2) & 1073741823) % 10000
JOIN sentences AS s3 ON s3.n = (hashint8extended(id, 3) & 1073741823) % 10000
JOIN sentences AS s4 ON s4.n = (hashint8extended(id, 4) & 1073741823) % 10000
ORDER BY id;

INSERT INTO zcsync.leads (account_id, first_name, last_name, company, title, email, created_at, updated_at, inserted_at, sync_state)
SELECT zcsync.account('crm'), w1.word, w2.word, w3.word || ' ' || w4.word || ' Ltd', 'Manager', lower(w1.word COLLATE "C") || id || '@example.com',
	'2024-01-01'::timestamptz + id * interval '2 minutes', now(), now() - id % 24 * interval '1 month', 'synced'
FROM generate_series(1, :leads) AS id
JOIN words AS w1 ON w1.n = id % 997 JOIN words AS w2 ON w2.n = id % 15013 JOIN words AS w3 ON w3.n = id % 19001 JOIN words AS w4 ON w4.n = id % 211;

\if :{?comments}
INSERT INTO zcsync.comments (account_id, remote_id, parent_kind, parent_id, author_id, author_name, body, is_private, created_at, updated_at, sync_state)
SELECT t.account_id, id::text, 'tickets', t.remote_id, (id % 300)::text, w.word,
	s1.sentence || ' ' || s2.sentence || CASE WHEN id % 30 = 7 THEN ' said100000' ELSE '' END || CASE WHEN id % 300 = 7 THEN ' said10000' ELSE '' END
		|| CASE WHEN id % 3000 = 7 THEN ' said1000' ELSE '' END || CASE WHEN id % 300000 = 7 THEN ' said10' ELSE '' END,
	id % 4 = 0, t.created_at + id % 7 * interval '1 hour', t.created_at + id % 7 * interval '1 hour', 'synced'
FROM generate_series(1, :comments) AS id
JOIN zcsync.tickets AS t ON t.remote_id = (1 + id % :tickets)::text
JOIN words AS w ON w.n = id % 300
JOIN sentences AS s1 ON s1.n = (hashint8extended(id, 5) & 1073741823) % 10000
JOIN sentences AS s2 ON s2.n = (hashint8extended(id, 6) & 1073741823) % 10000;
VACUUM ANALYZE zcsync.comments;
\endif
RESET session_replication_role;
SELECT zcsync.create_lead_partitions() AS partitions \gset
VACUUM ANALYZE zcsync.tickets;
VACUUM ANALYZE zcsync.leads;
