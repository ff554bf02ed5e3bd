\ir settings.sql
\set ECHO queries
-- leads belong to an account of ours; HaloPSA is another
SELECT zcsync.add_account('crm', 'local', settings => '{"country": "US"}');
SELECT zcsync.add_account('psa', 'halopsa',
	settings => jsonb_build_object('base_url', :'url' || '/halopsa/acme'),
	credentials => '{"client_id": "client-acme", "client_secret": "file:halopsa_secret"}');
SELECT item, ok, message FROM zcsync.check_account('psa');
\set ECHO none
\o /dev/null
SELECT zcsync.add_stream('psa', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SELECT zcsync.add_stream('psa', 'leads', since => '2020-01-01', pull_interval => '15 seconds', comments => 'none');
SELECT zcsync.alter_stream('psa/leads', writes => true);
\o
\set ECHO queries
SELECT item, left(string_agg(value, ', '), 300) AS value FROM zcsync.create_intake('crm', 'apollo', header => :'apollo') GROUP BY 1;
\set ECHO none
\o /dev/null
SELECT zcsync.create_intake('crm', 'zoominfo', header => :'zoominfo');
\o
