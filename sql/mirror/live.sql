-- ---------------------------------------------------------------------
-- Looking at an account live.  check_account() says what works and what to do about the
-- rest; discover() says what is there.  Both send requests from this session, one after
-- the other, and wait for the replies.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.check_account(name text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(name);
	v_account zcsync.accounts;
	v_vendor zcsync.vendor;
	v_fault record;
	v_call record;
BEGIN
	SELECT * INTO v_account FROM zcsync.accounts a WHERE a.account_id = v_id;
	v_vendor := zcsync._vendor_of(v_account.vendor);
	IF v_vendor.name IS NULL THEN
		RETURN QUERY SELECT 'vendor', false, format('there is no vendor "%s" any more, so the account cannot be used', v_account.vendor),
			'Make its descriptor again: see doc/new-vendor.md.';
		RETURN;
	END IF;
	item := 'settings';
	ok := true;
	message := 'complete';
	BEGIN
		PERFORM zcsync._check_settings(v_account.vendor, v_account.settings);
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		ok := false;
	END;
	RETURN NEXT;
	IF v_account.vendor = 'local' THEN
		RETURN;
	END IF;

	FOR v_fault IN SELECT c.* FROM zcsync._account_credentials(v_id) c WHERE NOT c.ok LOOP
		ok := false;
		RETURN QUERY SELECT 'credentials', false, v_fault.message, v_fault.hint;
	END LOOP;
	IF NOT ok THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT 'credentials', true, 'can be opened', NULL::text;
	PERFORM zcsync._verb_begins(format('zcsync.check_account(%L)', name));
	IF v_vendor.check_account IS NULL THEN
		SELECT * INTO v_call FROM zcsync._call(v_id, v_vendor.probe_request);
		RETURN QUERY SELECT * FROM zcsync._check_login(v_call.class, v_call.status, v_call.message, v_call.hint,
			zcsync._base_url(v_vendor.name, v_account.settings));
	ELSE
		RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', v_vendor.check_account::regproc) USING v_id;
	END IF;
	PERFORM zcsync._verb_ends();
	RETURN QUERY SELECT * FROM zcsync._check_scope(v_id);
END
$$;
COMMENT ON FUNCTION zcsync.check_account(text) IS
'asks the vendor, with live requests, for each right that the streams and routes of an account need; ok is NULL where that cannot be told';

-- What the first request to an account shows about the connection and the credentials:
-- the rows "connection" and "login".
CREATE FUNCTION zcsync._check_login(p_class text, p_status integer, p_message text, p_hint text, p_address text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_class = 'config' THEN
		RETURN QUERY SELECT 'connection', false, p_message, p_hint;
		RETURN;
	ELSIF coalesce(p_status, 0) = 0 THEN
		RETURN QUERY SELECT 'connection', false, format('cannot reach %s: %s', p_address, p_message),
			coalesce(p_hint, 'Look at the settings of the account, at the name service and the firewall of this server, '
				'and for certificates at zcsync.ca_file.');
		RETURN;
	END IF;
	RETURN QUERY SELECT 'connection', true, format('%s answers', p_address), NULL::text;
	RETURN QUERY SELECT 'login',
		CASE WHEN p_class IN ('done', 'rejected') THEN true WHEN p_class IN ('throttled', 'vendor') THEN NULL ELSE false END,
		CASE p_class
			WHEN 'done' THEN 'the credentials are accepted'
			WHEN 'rejected' THEN 'the credentials are accepted'
			WHEN 'auth' THEN 'the credentials are not accepted: ' || p_message
			WHEN 'not_found' THEN format('there is no such account at %s: %s', p_address, p_message)
			WHEN 'throttled' THEN 'too many requests at the moment: ' || p_message
			WHEN 'vendor' THEN 'the vendor is in trouble: ' || p_message
			ELSE 'the answer is not one of this vendor: ' || p_message
		END,
		CASE
			WHEN p_class IN ('done', 'rejected') THEN NULL
			WHEN p_class = 'auth' THEN coalesce(p_hint, 'Replace them with zcsync.set_credentials().')
			WHEN p_class = 'not_found' THEN 'Correct the settings with zcsync.alter_account().'
			WHEN p_class IN ('throttled', 'vendor') THEN 'Try again later.'
			ELSE coalesce(p_hint, 'Look at the settings of the account.')
		END;
END
$$;
COMMENT ON FUNCTION zcsync._check_login(text, integer, text, text, text) IS
'what the outcome of a first request shows about connection and login';

-- The row about one right, from the outcome of a request that needs it.
CREATE FUNCTION zcsync._check_right(p_item text, p_class text, p_status integer, p_message text, p_hint text,
	p_done text, p_refused_hint text)
RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_item,
		CASE WHEN p_class = 'done' THEN true WHEN p_class IN ('throttled', 'vendor') THEN NULL ELSE false END,
		CASE WHEN p_class = 'done' THEN p_done
			ELSE coalesce(p_message, p_class) || coalesce(' (HTTP ' || nullif(p_status, 0) || ')', '') END,
		CASE WHEN p_class = 'done' THEN NULL
			WHEN p_class IN ('throttled', 'vendor') THEN 'Try again later.'
			WHEN p_status IN (401, 403, 404) THEN p_refused_hint
			ELSE coalesce(p_hint, p_refused_hint) END;
END;
COMMENT ON FUNCTION zcsync._check_right(text, text, integer, text, text, text, text) IS
'the row of check_account() for one right';

-- ---------------------------------------------------------------------
-- discover()
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.discover(name text)
RETURNS TABLE (kind text, id text, path text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(name);
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = v_id);
BEGIN
	PERFORM zcsync._refuse_standby();
	IF v_vendor.connector IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('account "%s" has no vendor to ask', name);
	ELSIF v_vendor.discover IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('accounts of %s have nothing to discover', v_vendor.title);
	END IF;
	PERFORM zcsync._verb_begins(format('zcsync.discover(%L)', name));
	RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', v_vendor.discover::regproc) USING v_id;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.discover(text) IS
'reads what an account has from its vendor and keeps it: lists with their paths, statuses, custom fields';

-- ---------------------------------------------------------------------
-- What is not mirrored, and only a look at the vendor tells
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync.remote_history(reference text)
RETURNS TABLE (at timestamptz, who_id text, who text, field text, old text, new text, channel text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_record record;
	v_vendor zcsync.vendor;
	v_id text;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT * INTO STRICT v_record FROM zcsync.record(remote_history.reference);
	v_vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = v_record.account_id);
	EXECUTE format('SELECT t.remote_id FROM zcsync.%I AS t WHERE t.account_id = $1 AND t.local_id = $2', v_record.kind)
		INTO v_id USING v_record.account_id, v_record.local_id;
	IF v_vendor.remote_history IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s has no history that could be read', v_vendor.title),
			HINT = format('What was seen here: SELECT * FROM zcsync.history(%L);', remote_history.reference);
	ELSIF v_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('record "%s" does not exist at its vendor yet', remote_history.reference);
	END IF;
	PERFORM zcsync._verb_begins(format('zcsync.remote_history(%L)', remote_history.reference));
	RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2, $3)', v_vendor.remote_history::regproc) USING v_record.account_id, v_record.kind, v_id;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.remote_history(text) IS
'asks the vendor who changed what in a record, a row per changed field, oldest first; of a comment only that there is one, and whether it is private';

CREATE FUNCTION zcsync.suspended_tickets(account text)
RETURNS TABLE (id text, created_at timestamptz, author text, subject text, cause text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint := zcsync.account(suspended_tickets.account);
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts a WHERE a.account_id = v_id);
BEGIN
	PERFORM zcsync._refuse_standby();
	IF v_vendor.suspended IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('accounts of %s have no suspended tickets', v_vendor.title);
	END IF;
	PERFORM zcsync._verb_begins(format('zcsync.suspended_tickets(%L)', suspended_tickets.account));
	RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', v_vendor.suspended::regproc) USING v_id;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.suspended_tickets(text) IS
'asks the vendor for messages that it holds back as suspected spam, at most a thousand; they are no tickets yet, and are not mirrored';

-- Make one call and return its reply.
CREATE FUNCTION zcsync._ask(p_account bigint, p_request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_call record;
	v_name text;
BEGIN
	SELECT * INTO v_call FROM zcsync._call(p_account, p_request);
	IF v_call.class <> 'done' THEN
		v_name := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
		RAISE EXCEPTION USING ERRCODE = 'external_routine_exception',
			MESSAGE = format('account "%s" could not be read: %s', v_name, coalesce(v_call.message, v_call.class)),
			DETAIL = format('The request "%s" ended as "%s"%s.', p_request ->> 'op', v_call.class,
				coalesce(' with HTTP status ' || nullif(v_call.status, 0), '')),
			HINT = coalesce(v_call.hint, format('SELECT * FROM zcsync.check_account(%L);', v_name));
	END IF;
	RETURN v_call.reply;
END
$$;
COMMENT ON FUNCTION zcsync._ask(bigint, jsonb) IS
'makes one live exchange with the vendor of an account; raises an error unless it succeeds';

-- Store the rows of one kind from a reply, as a pull would.  One transaction may store
-- a row several times.  Each time needs a different sync_cause_id, and one that no job
-- has: a write that leaves the origin unchanged is taken for a local one.
CREATE FUNCTION zcsync._keep_seen(p_account bigint, p_vendor text, p_kind text, p_request jsonb, p_reply jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		SELECT zcsync._take($1, $2, array_agg(ROW(r.remote_id, r.remote_version, r.vals, r.doc, r.is_deleted)::zcsync.document), $3)
		FROM %s($1, $2, $4, $5) r
		WHERE r.kind = $2
		HAVING count(*) > 0$sql$, (zcsync._vendor_of(p_vendor)).rows::regproc)
	USING p_account, p_kind, zcsync._origin_of('pull', -(extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
		p_request, p_reply;
END
$$;
COMMENT ON FUNCTION zcsync._keep_seen(bigint, text, text, jsonb, jsonb) IS
'stores the fields, statuses or members that discover() saw';
