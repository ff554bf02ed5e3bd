\ir settings.sql
\set ECHO queries
-- the program that takes what vendors report may call one function, and nothing else
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
-- zcsync declares the webhooks at Zendesk and ClickUp, and looks after them
SELECT zcsync.ensure_webhooks(a, :'door') FROM unnest('{acme,dev}'::text[]) AS a;
