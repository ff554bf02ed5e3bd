\ir settings.sql
\set ECHO queries
SELECT zcsync.add_route('leads-to-psa', source => 'crm/leads', target => 'psa/leads', ticket_type => 'Lead');
SELECT item, ok, message FROM zcsync.check_route('leads-to-psa');
SELECT zcsync.resume_route('leads-to-psa');
SELECT * FROM zcsync.backfill_route('leads-to-psa', confirm => true);
