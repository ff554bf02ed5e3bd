-- ---------------------------------------------------------------------
-- What keeps a lead from being there twice.
--
-- Leads of a local account are imported or written here; leads of a vendor's account
-- mirror its opportunities.  The table leads is partitioned by the time of the local
-- insert, so it cannot have a unique key without that time.  Therefore lead_identities
-- has a row for each thing that identifies a lead by itself: 'remote' (the remote id of
-- a mirrored lead), 'email' (of a lead of a local account, normalised) and the name of
-- a source (the id that the lead has there).  The statement triggers below keep the
-- first two in step with leads, whoever writes.  An import inserts identities first and
-- leads second, so that of two sessions with the same e-mail address the second one
-- finds the lead of the first.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Identities
-- ---------------------------------------------------------------------

-- Give these identities to these leads, or raise an error that names the lead which has
-- one already.  They are inserted in the order of the key, so that two writers cannot
-- deadlock; a writer waits here for the other one.
CREATE FUNCTION zcsync._identify_leads(p_accounts bigint[], p_kinds text[], p_values text[], p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_other record;
	v_new integer;
BEGIN
	INSERT INTO zcsync.lead_identities (account_id, kind, value, local_id)
	SELECT u.account_id, u.kind, u.value, u.local_id
	FROM unnest(p_accounts, p_kinds, p_values, p_ids) AS u (account_id, kind, value, local_id)
	ORDER BY u.account_id, u.kind, u.value
	ON CONFLICT (account_id, kind, value) DO NOTHING;
	GET DIAGNOSTICS v_new = ROW_COUNT;
	IF v_new = cardinality(p_ids) THEN
		RETURN;
	END IF;

	SELECT i.kind, i.value, a.name AS account, i.local_id INTO v_other
	FROM unnest(p_accounts, p_kinds, p_values, p_ids) AS u (account_id, kind, value, local_id)
	CROSS JOIN LATERAL (
		SELECT * FROM zcsync.lead_identities x
		WHERE x.account_id = u.account_id AND x.kind = u.kind AND x.value = u.value OFFSET 0) AS i
	JOIN zcsync.accounts a ON a.account_id = i.account_id
	WHERE i.local_id <> u.local_id
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'unique_violation',
			MESSAGE = format('a lead with %s "%s" exists already in account "%s"',
				CASE v_other.kind WHEN 'email' THEN 'e-mail' WHEN 'remote' THEN 'remote id' ELSE v_other.kind || ' id' END,
				v_other.value, v_other.account),
			DETAIL = format('It is "%s/leads/#%s".', v_other.account, v_other.local_id),
			HINT = CASE v_other.kind WHEN 'remote' THEN 'A record of the vendor has one row.'
				ELSE 'Update that lead, or use zcsync.sync_lead(), which merges what is new into it.' END,
			SCHEMA = 'zcsync', TABLE = 'lead_identities', CONSTRAINT = 'lead_identities_pkey';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._identify_leads(bigint[], text[], text[], bigint[]) IS
'gives identities to leads; raises an error if another lead has one of them';

-- Found by their key, however many rows the planner believes the table to have.
CREATE FUNCTION zcsync._forget_identities(p_accounts bigint[], p_kinds text[], p_values text[], p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_nestloop = on
AS $$
BEGIN
	DELETE FROM zcsync.lead_identities i
	USING unnest(p_accounts, p_kinds, p_values, p_ids) AS u (account_id, kind, value, local_id)
	WHERE i.account_id = u.account_id AND i.kind = u.kind AND i.value = u.value AND i.local_id = u.local_id;
END
$$;
COMMENT ON FUNCTION zcsync._forget_identities(bigint[], text[], text[], bigint[]) IS
'removes identities that leads no longer have';

-- A row that another transaction wrote is being restored, and so is its identity:
-- nothing is done for it.
CREATE FUNCTION zcsync._identify_insert() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_generic_plan	-- numbers differ each time, and to plan for all months takes longer than to look
AS $$
DECLARE
	v_rows record;
	v_new record;
BEGIN
	SELECT array_agg(n.account_id) AS accounts, array_agg(k.kind) AS kinds, array_agg(k.value) AS values,
		array_agg(n.local_id) AS ids
	INTO v_rows
	FROM new_rows n
	JOIN zcsync.accounts a ON a.account_id = n.account_id
	CROSS JOIN LATERAL (VALUES ('remote', n.remote_id),
		('email', CASE WHEN a.vendor = 'local' AND n.deleted_at IS NULL THEN zcsync._lead_email_key(n.email, n.email_status) END))
		AS k (kind, value)
	WHERE k.value IS NOT NULL AND n.sync_xid = pg_current_xact_id();
	IF v_rows.ids IS NOT NULL THEN
		PERFORM zcsync._identify_leads(v_rows.accounts, v_rows.kinds, v_rows.values, v_rows.ids);
	END IF;
	-- The table cannot have a unique key of local_id alone, so it is checked here, but for
	-- what we write, which has numbers of the sequence: the months of leads need not be
	-- opened for it.
	SELECT count(*) AS leads, count(DISTINCT n.local_id) AS ids, min(n.local_id) AS first, max(n.local_id) AS last INTO v_new
	FROM new_rows n WHERE n.sync_cause = 'local';
	IF v_new.leads = 0 THEN
		RETURN NULL;
	END IF;
	-- Numbers of the sequence lie close together: if no other lead has one between the
	-- first and the last of them, none is looked up.
	IF v_new.ids = v_new.leads AND v_new.last::numeric - v_new.first < 2 * v_new.leads
		AND v_new.leads = (SELECT count(*) FROM zcsync.leads t WHERE t.local_id BETWEEN v_new.first AND v_new.last) THEN
		RETURN NULL;
	END IF;
	PERFORM FROM new_rows n
	CROSS JOIN LATERAL (
		SELECT FROM zcsync.leads t WHERE t.local_id = n.local_id OFFSET 0) AS l
	WHERE n.sync_cause = 'local'
	GROUP BY n.local_id HAVING count(*) > 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'unique_violation',
			MESSAGE = 'cannot insert a lead with the local_id of another',
			HINT = 'Leave local_id out.';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._identify_insert() IS
'AFTER INSERT trigger of leads: inserts the identities of new rows, refuses leads that exist already';

CREATE FUNCTION zcsync._identify_update() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off	-- the plan is kept, and its first statement may have few rows
SET jit = off
AS $$
DECLARE
	v_rows record;
BEGIN
	PERFORM FROM new_rows n
	LEFT JOIN old_rows o ON o.account_id = n.account_id AND o.local_id = n.local_id AND o.inserted_at = n.inserted_at
	WHERE o.local_id IS NULL;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = 'column "inserted_at" of table "leads" cannot be changed',
			DETAIL = 'It is the key of the partition that the row is in.';
	END IF;

	SELECT array_agg(n.account_id) AS accounts, array_agg(n.local_id) AS ids, array_agg(k.kind) AS kinds,
		array_agg(k.old) AS old, array_agg(k.new) AS new
	INTO v_rows
	FROM new_rows n
	JOIN old_rows o ON o.account_id = n.account_id AND o.local_id = n.local_id
		AND ROW(o.remote_id, o.email, o.email_status, o.deleted_at) IS DISTINCT FROM ROW(n.remote_id, n.email, n.email_status, n.deleted_at)
	JOIN zcsync.accounts a ON a.account_id = n.account_id
	CROSS JOIN LATERAL (VALUES ('remote', o.remote_id, n.remote_id),
		('email', CASE WHEN a.vendor = 'local' AND o.deleted_at IS NULL THEN zcsync._lead_email_key(o.email, o.email_status) END,
			CASE WHEN a.vendor = 'local' AND n.deleted_at IS NULL THEN zcsync._lead_email_key(n.email, n.email_status) END))
		AS k (kind, old, new)
	WHERE k.old IS DISTINCT FROM k.new;
	IF v_rows.ids IS NULL THEN
		RETURN NULL;
	END IF;
	PERFORM zcsync._forget_identities(v_rows.accounts, v_rows.kinds, v_rows.old, v_rows.ids);
	PERFORM zcsync._identify_leads(array_agg(u.account_id), array_agg(u.kind), array_agg(u.value), array_agg(u.local_id))
	FROM unnest(v_rows.accounts, v_rows.kinds, v_rows.new, v_rows.ids) AS u (account_id, kind, value, local_id)
	WHERE u.value IS NOT NULL;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._identify_update() IS
'AFTER UPDATE trigger of leads: keeps identities in step, refuses to give a lead the identity of another one';

CREATE FUNCTION zcsync._identify_delete() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM zcsync.lead_identities i USING old_rows o
	WHERE i.local_id = o.local_id AND i.account_id = o.account_id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._identify_delete() IS
'AFTER DELETE trigger of leads: removes their identities';

CREATE FUNCTION zcsync._create_lead_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE OR REPLACE TRIGGER zcsync_identify_insert AFTER INSERT ON zcsync.leads
		REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
		EXECUTE FUNCTION zcsync._identify_insert();
	CREATE OR REPLACE TRIGGER zcsync_identify_update AFTER UPDATE ON zcsync.leads
		REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
		EXECUTE FUNCTION zcsync._identify_update();
	CREATE OR REPLACE TRIGGER zcsync_identify_delete AFTER DELETE ON zcsync.leads
		REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
		EXECUTE FUNCTION zcsync._identify_delete();
END
$$;
COMMENT ON FUNCTION zcsync._create_lead_triggers() IS
'makes the triggers that only leads have; part of setup()';

CREATE FUNCTION zcsync._mail_address(p_text text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_mail_address';
COMMENT ON FUNCTION zcsync._mail_address(text) IS
'the e-mail address in a text, in the spelling in which zcsync keeps addresses, with its domain in letters (not punycode); NULL: the text has no address that can be read';

-- At Gmail, a name that is empty without its dots and its "+..." identifies nobody.
CREATE FUNCTION zcsync._email_key(p_email text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_address text := zcsync._mail_address(p_email);
BEGIN
	IF split_part(v_address, '@', 2) IN ('gmail.com', 'googlemail.com') THEN
		RETURN nullif(replace(split_part(split_part(v_address, '@', 1), '+', 1), '.', ''), '') || '@gmail.com';
	END IF;
	RETURN v_address;
END
$$;
COMMENT ON FUNCTION zcsync._email_key(text) IS
'the form of an e-mail address that is the same for all its spellings; NULL: the text is no address. Only at gmail.com, which is also googlemail.com, do dots and "+..." of the name not count';

CREATE FUNCTION zcsync._reaches_somebody(p_status text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(lower(p_status COLLATE "C"), '') NOT IN ('unavailable', 'invalid', 'bounced', 'undeliverable');
END;
COMMENT ON FUNCTION zcsync._reaches_somebody(text) IS
'may an e-mail address with this status reach somebody?';

CREATE FUNCTION zcsync._lead_email_key(p_email text, p_status text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN zcsync._reaches_somebody(p_status) THEN zcsync._email_key(p_email) END;
END;
COMMENT ON FUNCTION zcsync._lead_email_key(text, text) IS
'the e-mail address that identifies a lead; NULL: it has none, or none that reaches anybody';
