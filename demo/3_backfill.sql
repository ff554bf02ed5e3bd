\ir settings.sql
\set ECHO queries
SELECT zcsync.resume_route('support-to-dev');
SELECT * FROM zcsync.backfill_route('support-to-dev');
SELECT * FROM zcsync.backfill_route('support-to-dev', confirm => true);
