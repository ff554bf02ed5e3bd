-- Credentials: forms, references, sealing, who may see what.
-- The worker is stopped.  Key file and files of secrets: see the TAP tests.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();
SET log_statement = none;
SET log_min_duration_statement = -1;
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}') > 0 AS added;
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1"}') > 0 AS added;
SELECT zcsync.add_account('leads', 'local') > 0 AS added;

-- which credentials a vendor takes
SELECT zcsync.set_credentials('acme', NULL);
SELECT zcsync.set_credentials('acme', 'null');
SELECT zcsync.set_credentials('acme', '[]');
SELECT zcsync.set_credentials('acme', '"x"');
SELECT zcsync.set_credentials('acme', '{}');
SELECT zcsync.set_credentials('acme', '{"token": "x"}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x"}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": "y", "email": "z"}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": "y", "refresh_token": "z"}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": 5}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": null}');
SELECT zcsync.set_credentials('dev', '{"token": "x", "access_token": "y"}');
SELECT zcsync.set_credentials('leads', '{"token": "x"}');

-- which values
SELECT zcsync.set_credentials('dev', '{"token": ""}');
SELECT zcsync.set_credentials('dev', '{"token": "a\nb"}');
SELECT zcsync.set_credentials('dev', '{"token": "a\rb"}');
SELECT zcsync.set_credentials('dev', jsonb_build_object('token', repeat('x', 65537)));
SELECT count(*) FROM zcsync.credentials;

-- which references
SELECT zcsync.set_credentials('dev', '{"token": "file:"}');
SELECT zcsync.set_credentials('dev', '{"token": "file:../secret"}');
SELECT zcsync.set_credentials('dev', '{"token": "file:.hidden"}');
SELECT zcsync.set_credentials('dev', '{"token": "file:sub/secret"}');
SELECT zcsync.set_credentials('dev', '{"token": "file:a\nb"}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": "y", "scope": "file:clickup_token"}');
SELECT zcsync.set_credentials('dev', '{"token": "env:"}');
SELECT zcsync.set_credentials('dev', '{"token": "env:A=B"}');
SELECT zcsync.set_credentials('dev', jsonb_build_object('token', 'file:' || repeat('x', 2000)));
SELECT count(*) FROM zcsync.credentials;

-- sealed: never the same twice, and not what was given
SELECT zcsync.set_credentials('acme', '{"client_id": "an id", "client_secret": "hunter2", "scope": "read write"}');
SELECT zcsync.set_credentials('dev', jsonb_build_object('token', repeat('x', 65536)));
SELECT * FROM zcsync.check_credentials();
SELECT name, length(sealed), get_byte(sealed, 0) AS version, reference, expires_at,
	encode(substr(sealed, 2, 8), 'hex') = key_fingerprint AS fingerprint,
	position('hunter2'::bytea IN sealed) AS found
FROM zcsync.credentials WHERE account_id = zcsync.account('acme') ORDER BY name;
SELECT state, key_fingerprint = fingerprint AS same FROM zcsync._key_status(), zcsync.credentials LIMIT 1;
SELECT f, k.state, k.fingerprint IS NOT NULL AS some_key FROM unnest('{zzzzzzzzzzzzzzzz,short}'::text[]) AS f CROSS JOIN LATERAL zcsync._key_status(f) AS k;
CREATE TEMP TABLE before AS SELECT * FROM zcsync.credentials;
SELECT zcsync.set_credentials('acme', '{"client_id": "an id", "client_secret": "hunter2", "scope": "read write"}');
SELECT count(*) FROM zcsync.credentials c JOIN before b USING (account_id, name, sealed) WHERE account_id = zcsync.account('acme');

-- a value that was moved or changed does not open
UPDATE zcsync.credentials SET sealed = (SELECT sealed FROM zcsync.credentials WHERE name = 'client_id') WHERE name = 'client_secret';
UPDATE zcsync.credentials SET sealed = substr(sealed, 1, 30) WHERE name = 'client_id';
UPDATE zcsync.credentials SET sealed = set_byte(sealed, 22, get_byte(sealed, 22) # 1) WHERE name = 'token';
UPDATE zcsync.credentials SET sealed = set_byte(sealed, 0, 9) WHERE name = 'scope';
SELECT * FROM zcsync.check_credentials();
SELECT zcsync.resume_account('acme');

-- the whole set is replaced, tokens that were fetched included
INSERT INTO zcsync.credentials (account_id, name, sealed, key_fingerprint, expires_at)
SELECT account_id, 'access_token', sealed, key_fingerprint, now() FROM zcsync.credentials WHERE name = 'scope';
SELECT version FROM zcsync.accounts WHERE name = 'acme';
SELECT zcsync.set_credentials('acme', '{"email": "a@example.com", "api_token": "hunter3"}');
SELECT account, name, form, ok FROM zcsync.check_credentials();
SELECT version FROM zcsync.accounts WHERE name = 'acme';

-- all or nothing
SELECT zcsync.set_credentials('acme', '{"email": "a@example.com", "api_token": ""}');
SELECT zcsync.set_credentials('acme', '{"client_id": "x", "client_secret": "a\nb"}');
SELECT account, name, form, ok FROM zcsync.check_credentials();
SELECT zcsync.add_account('other', 'clickup', '{}', '{"token": ""}');
SELECT zcsync.add_account('other', 'clickup', '{}', '{"email": "x"}');
SELECT count(*) FROM zcsync.accounts WHERE name = 'other';

-- a blocked account works again, and its alert is over; a paused one stays paused
SELECT zcsync._block_account(zcsync.account('dev'), 'credentials_refused', 'token revoked', 'renew it');
SELECT zcsync.set_credentials('dev', '{"token": "pk_1"}');
SELECT state, state_reason, state_hint FROM zcsync.accounts WHERE name = 'dev';
SELECT code, object, resolved_at IS NOT NULL AS resolved FROM zcsync.alerts;
SELECT zcsync.pause_account('dev', 'holidays');
SELECT zcsync.set_credentials('dev', '{"access_token": "pk_1"}');
SELECT state, replace(state_reason, session_user, 'me') AS state_reason FROM zcsync.accounts WHERE name = 'dev';
SELECT zcsync.resume_account('dev');
SELECT state, replace(state_reason, session_user, 'me') AS state_reason FROM zcsync.accounts WHERE name = 'dev';

-- forgetting
SELECT zcsync.forget_credentials('dev');
SELECT zcsync.forget_credentials('dev');
SELECT zcsync.forget_credentials('leads');
SELECT name, state, replace(state_reason, session_user, 'me') AS state_reason, state_hint FROM zcsync.accounts ORDER BY name;
SELECT * FROM zcsync.check_credentials();

-- a secret in a statement that is logged: a warning, whatever makes it so
SET log_statement = 'all';
SELECT zcsync.set_credentials('dev', '{"token": "pk_2"}');
SET log_statement = none;
SET log_min_duration_statement = '1h';
SELECT zcsync.set_credentials('dev', '{"token": "pk_2"}');
SET log_min_duration_statement = -1;
SET log_parameter_max_length_on_error = -1;
SELECT zcsync.set_credentials('acme', '{"email": "a@example.com", "api_token": "hunter3"}');
RESET log_parameter_max_length_on_error;
SELECT zcsync.set_credentials('dev', '{"token": "pk_2"}');

-- an operator who is no superuser: no paths, no environment
CREATE ROLE regress_zcsync_operator;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_operator;
GRANT EXECUTE ON FUNCTION zcsync.set_credentials(text, jsonb), zcsync.add_account(text, text, jsonb, jsonb),
	zcsync.check_credentials() TO regress_zcsync_operator;
SET ROLE regress_zcsync_operator;
SELECT zcsync.set_credentials('dev', '{"token": "file:/etc/passwd"}');
SELECT zcsync.set_credentials('dev', '{"token": "env:PATH"}');
SELECT zcsync.add_account('other', 'clickup', '{}', '{"token": "env:PATH"}');
SELECT zcsync.set_credentials('dev', '{"token": "pk_3"}');
SELECT account, name, form, ok FROM zcsync.check_credentials() WHERE account = 'dev';
SELECT * FROM zcsync.credentials;
SELECT zcsync._seal_credential(1, 'token', 'x');
SELECT zcsync._credential_status(1, 'token');
RESET ROLE;

-- not even by way of a superuser who runs the operator's functions in ANALYZE
CREATE SCHEMA regress_zcsync AUTHORIZATION regress_zcsync_operator;
SET ROLE regress_zcsync_operator;
CREATE FUNCTION regress_zcsync.trap(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM zcsync.set_credentials('dev', '{"token": "env:PATH"}');
	RETURN $1;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN $1;
END $$;
CREATE TABLE regress_zcsync.bait (i integer);
INSERT INTO regress_zcsync.bait VALUES (1);
CREATE INDEX ON regress_zcsync.bait (regress_zcsync.trap(i));
RESET ROLE;
ANALYZE regress_zcsync.bait;
SELECT reference FROM zcsync.credentials WHERE account_id = zcsync.account('dev');
DROP SCHEMA regress_zcsync CASCADE;

-- a superuser may; what cannot be read yet is a warning
SELECT zcsync.set_credentials('dev', '{"token": "env:ZCSYNC_NO_SUCH_VARIABLE"}');
SELECT zcsync.set_credentials('dev', '{"token": "file:/nonexistent/secret"}');
SELECT account, name, form, ok, message, hint FROM zcsync.check_credentials() WHERE account = 'dev';
SELECT zcsync.set_credentials('dev', '{"token": "env:PATH"}');
SELECT account, name, form, ok, message, hint FROM zcsync.check_credentials() WHERE account = 'dev';

-- the worker's role cannot read them either
SELECT has_table_privilege('zcsync_worker', 'zcsync.credentials', 'SELECT, INSERT, UPDATE, DELETE') AS worker,
	relacl FROM pg_class WHERE oid = 'zcsync.credentials'::regclass;

REVOKE ALL ON FUNCTION zcsync.set_credentials(text, jsonb), zcsync.add_account(text, text, jsonb, jsonb),
	zcsync.check_credentials() FROM regress_zcsync_operator;
REVOKE ALL ON SCHEMA zcsync FROM regress_zcsync_operator;
DROP ROLE regress_zcsync_operator;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
