-- The opportunities that HaloPSA has, against the people in the two files.
\ir settings.sql
CREATE TABLE lead_truth (file text, row bigint, person text, expect text, kind text, other text);
\copy lead_truth FROM pstdin (FORMAT csv, HEADER)
CREATE TABLE vendor_leads AS
SELECT o AS doc
FROM jsonb_array_elements(pg_read_file(:'dir' || '/opportunities.json')::jsonb -> 'opportunities') AS o
WHERE o ->> 'third_party_id_string' LIKE 'zcsync-%';
CREATE TABLE lead_checks AS
SELECT what, files, psa, files = psa AS ok
FROM (VALUES
	('people in the files, and opportunities made of them',
		(SELECT count(DISTINCT person) FROM lead_truth), (SELECT count(*) FROM vendor_leads)),
	('e-mail addresses that two of these share', 0, (
		SELECT count(*) - count(DISTINCT lower(doc ->> 'oppemailaddress')) FROM vendor_leads WHERE doc ->> 'oppemailaddress' <> '')),
	('leads, and opportunities with their values', (SELECT count(*) FROM vendor_leads), (
		SELECT count(*) FROM zcsync.leads AS l
		JOIN zcsync.links AS k ON k.source_id = l.local_id
		JOIN zcsync.leads AS o ON o.local_id = k.target_id
		JOIN vendor_leads AS v ON v.doc ->> 'id' = o.remote_id
		WHERE v.doc ->> 'oppemailaddress' = coalesce(l.email, '') AND v.doc ->> 'oppcompanyname' = coalesce(l.company, '')))
) AS v (what, files, psa);
SELECT what, files, psa, CASE WHEN ok THEN 'ok' ELSE 'WRONG' END AS verdict FROM lead_checks;
SELECT (SELECT count(*) FROM lead_truth) AS rows_in_files, (SELECT count(*) FROM vendor_leads) AS opportunities,
	pg_read_file(:'dir' || '/stats.json')::jsonb #>> '{write_calls,halopsa,acme,Opportunities,calls}' AS calls_that_wrote;
