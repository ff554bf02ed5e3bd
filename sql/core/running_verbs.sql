-- ---------------------------------------------------------------------
-- How far verbs are that may take long, for the view progress.  A verb says when it
-- begins and ends, and how many records it has done; it need not say the latter when it
-- fails.  What it calls does not know which verb it is, and has an effect only if there
-- is one.  Of a verb that another one calls, nothing is shown.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._verb_begins(p_verb text, p_records bigint DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_verb_begins';
COMMENT ON FUNCTION zcsync._verb_begins(text, bigint) IS
'shows others that this session runs a verb, which takes so many records; NULL: not known, or its steps will say';

CREATE FUNCTION zcsync._verb_step(p_step text, p_records bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_verb_step';
COMMENT ON FUNCTION zcsync._verb_step(text, bigint) IS
'shows others that the verb of this session, if there is one, begins a step, which takes so many records';

CREATE FUNCTION zcsync._verb_did(p_records bigint DEFAULT 1) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_verb_did';
COMMENT ON FUNCTION zcsync._verb_did(bigint) IS
'shows others that the verb of this session, if there is one, did so many more records; always true; for the RETURNING of a statement, or as the only condition of a query, which else may count rows that other conditions refuse';

CREATE FUNCTION zcsync._verb_ends() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_verb_ends';
COMMENT ON FUNCTION zcsync._verb_ends() IS
'the verb of this session is over; if it fails, it is over without this';

CREATE FUNCTION zcsync._running_verbs()
RETURNS TABLE (verb text, step text, done bigint, records bigint, began_at timestamptz, pid integer)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'zcsync_sql_running_verbs';
COMMENT ON FUNCTION zcsync._running_verbs() IS
'the verbs that sessions of this database run, at which step they are and since when; empty without preloading';
