-- Accounts: verbs, settings and their errors.
-- The worker is stopped.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
RESET client_min_messages;

-- names and vendors
SELECT zcsync.add_account(NULL, 'clickup');
SELECT zcsync.add_account('', 'clickup');
SELECT zcsync.add_account('Acme', 'clickup');
SELECT zcsync.add_account(repeat('a', 64), 'clickup');
SELECT zcsync.add_account('acme', NULL);
SELECT zcsync.add_account('acme', 'nosuch');

-- settings
SELECT zcsync.add_account('acme', 'zendesk', NULL);
SELECT zcsync.add_account('acme', 'zendesk', 'null');
SELECT zcsync.add_account('acme', 'zendesk', '[]');
SELECT zcsync.add_account('acme', 'zendesk');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme.zendesk.com"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": 5}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": null}');
SELECT zcsync.add_account('acme', 'zendesk', jsonb_build_object('subdomain', repeat('x', 100000)));
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "workspace_id": "1"}');
SELECT zcsync.add_account('acme', 'zendesk', jsonb_build_object(repeat('k', 100000), 1));
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "platinum"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "high_volume": "yes"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budget_share": 0}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budget_share": 1.01}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": 5}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"nosuch": {}}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": 5}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": {"calls": 0}}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": {"calls": 1.5}}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": {"calls": "5"}}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": {"window_s": 1e300}}}');
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "budgets": {"api": {"speed": 1}}}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "x1"}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": 1.5}');
SELECT zcsync.add_account('leads', 'local', '{"plan": "free"}');

-- addresses: only those that are allowed
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "acme.zendesk.com"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "ftp://acme.zendesk.com"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "http://acme.zendesk.com"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "https://evil.example"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "https://acme.zendesk.com@evil.example"}');
SELECT zcsync.add_account('acme', 'zendesk', '{"base_url": "https://acme.zendesk.com?x="}');
SELECT zcsync._check_url('https://acme.zendesk.com:8443/x') IS NULL AS allowed;

-- no account was left behind
SELECT count(*) FROM zcsync.accounts;

-- what is right is stored in one form
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "enterprise", "budget_share": 0.5}') > 0 AS added;
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": 9001, "base_url": "https://api.clickup.com/"}') > 0 AS added;
SELECT zcsync.add_account('leads', 'local') > 0 AS added;
SELECT name, vendor, settings, state, version FROM zcsync.accounts ORDER BY name;

-- budgets follow plan, share and overrides
SELECT a.name, b.class, b.calls, b.window_s, b.share, b.concurrency, b.tokens
FROM zcsync.account_budgets b JOIN zcsync.accounts a USING (account_id)
WHERE a.name = 'acme' ORDER BY b.class COLLATE "C";
UPDATE zcsync.account_budgets SET calls_total = 7 WHERE account_id = zcsync.account('acme') AND class = 'api';
SELECT zcsync.alter_account('acme', '{"plan": null, "budget_share": null, "budgets": {"api": {"calls": 33, "concurrency": 2}}}');
SELECT a.settings, b.class, b.calls, b.share, b.concurrency, b.tokens, b.calls_total
FROM zcsync.account_budgets b JOIN zcsync.accounts a USING (account_id)
WHERE a.name = 'acme' AND b.class = 'api';
SELECT count(*) FROM zcsync.account_budgets WHERE account_id = zcsync.account('leads');

-- an account that does not exist
SELECT zcsync.account('nosuch');
SELECT zcsync.account(NULL);
SELECT zcsync.alter_account('nosuch', '{}');
SELECT zcsync.pause_account('nosuch');
SELECT zcsync.resume_account('nosuch');
SELECT zcsync.remove_account('nosuch');
SELECT zcsync.set_credentials('nosuch', '{"token": "x"}');
SELECT zcsync.forget_credentials('nosuch');
SELECT * FROM zcsync.check_account('nosuch');
SELECT * FROM zcsync.discover('nosuch');
SELECT zcsync.pause_account(NULL);
SELECT zcsync.remove_account(NULL, true);

-- alter: merges, checks the result
SELECT zcsync.alter_account('acme', NULL);
SELECT zcsync.alter_account('acme', '"x"');
SELECT zcsync.alter_account('acme', '{"subdomain": null}');
SELECT zcsync.alter_account('acme', '{"plan": "growth"}');
SELECT settings, version FROM zcsync.accounts WHERE name = 'acme';

-- another subdomain only while paused, once there are streams
INSERT INTO zcsync.streams (account_id, kind) VALUES (zcsync.account('acme'), 'tickets');
SELECT zcsync.alter_account('acme', '{"subdomain": "acme2"}');
SELECT zcsync.pause_account('acme', 'renamed');
SELECT zcsync.alter_account('acme', '{"subdomain": "acme2"}');
SELECT name, state, replace(state_reason, session_user, 'me') AS state_reason, state_hint, settings ->> 'subdomain' AS subdomain FROM zcsync.accounts WHERE name = 'acme';

-- resume needs credentials, where the vendor does
SELECT zcsync.resume_account('acme');
SELECT zcsync.pause_account('leads');
SELECT zcsync.pause_account('leads');
SELECT zcsync.resume_account('leads');
SELECT zcsync.resume_account('leads');
SELECT name, state, replace(state_reason, session_user, 'me') AS state_reason FROM zcsync.accounts ORDER BY name;

-- blocking: once, with one alert; a paused account stays paused
SELECT zcsync._block_account(zcsync.account('dev'), 'credentials_refused', 'token revoked', 'renew it');
SELECT zcsync._block_account(zcsync.account('dev'), 'credentials_refused', 'token revoked', 'renew it');
SELECT zcsync._block_account(zcsync.account('acme'), 'credentials_refused', 'token revoked', 'renew it');
SELECT zcsync._block_account(0, 'credentials_refused', 'token revoked', 'renew it');
SELECT name, state, replace(state_reason, session_user, 'me') AS state_reason, state_hint FROM zcsync.accounts ORDER BY name;
SELECT code, object, severity, message, hint, count FROM zcsync.alerts WHERE resolved_at IS NULL ORDER BY code, object;

-- live checks of what needs no request
SELECT * FROM zcsync.check_account('leads');
SELECT * FROM zcsync.check_account('dev');
SELECT * FROM zcsync.discover('leads');
SELECT * FROM zcsync.discover('dev');

-- lists by path
INSERT INTO zcsync.lists (account_id, list_id, path)
SELECT zcsync.account('dev'), * FROM (VALUES ('1', 'Engineering/Bugs'), ('2', 'Engineering/Web/Bugs'), ('3', 'Sales/Leads'),
	('4', 'Ops/A/B Tests')) AS l;
SELECT zcsync._resolve_list(zcsync.account('dev'), '77') AS number,
	zcsync._resolve_list(zcsync.account('dev'), 'Engineering/Bugs') AS path,
	zcsync._resolve_list(zcsync.account('dev'), 'web/bugs') AS suffix,
	zcsync._resolve_list(zcsync.account('dev'), '/Leads/') AS last,
	zcsync._resolve_list(zcsync.account('dev'), 'B Tests') AS slash;
SELECT zcsync._resolve_list(zcsync.account('dev'), 'Bugs');
SELECT zcsync._resolve_list(zcsync.account('dev'), 'ugs');
SELECT zcsync._resolve_list(zcsync.account('dev'), '');
SELECT zcsync._resolve_list(zcsync.account('dev'), NULL);

-- remove: not with streams, unless forced; counts what went
INSERT INTO zcsync.statuses (account_id, remote_id, name, sync_state, sync_cause, sync_xid)
VALUES (zcsync.account('acme'), 's1', 'New', 'synced', 'pull', pg_current_xact_id());
SELECT zcsync.remove_account('acme');
SELECT zcsync.remove_account('acme', NULL);
SELECT zcsync.remove_account('acme', true);
SELECT zcsync.remove_account('dev');
SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL;
SELECT count(*) FROM zcsync.statuses;
SELECT name FROM zcsync.accounts ORDER BY name;
SELECT zcsync.remove_account('leads');

-- rights: a role without grants can call and read nothing
CREATE ROLE regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
SELECT zcsync.add_account('acme', 'clickup');
SELECT zcsync.account('acme');
SELECT * FROM zcsync.accounts;
RESET ROLE;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_nobody;
SET ROLE regress_zcsync_nobody;
SELECT zcsync.add_account('acme', 'clickup');
SELECT zcsync.account('acme');
SELECT zcsync._block_account(1, 'x', 'y', 'z');
SELECT * FROM zcsync.accounts;
SELECT * FROM zcsync.lists;
RESET ROLE;
REVOKE USAGE ON SCHEMA zcsync FROM regress_zcsync_nobody;
DROP ROLE regress_zcsync_nobody;

SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
