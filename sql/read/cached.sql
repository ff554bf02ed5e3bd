-- ---------------------------------------------------------------------
-- Documents that zcsync itself keeps in the cache: lists that are asked for often and
-- take many rows to make.  cached() returns them, warm_cache() makes all of them again,
-- and pg_cron may call that (schedule_cache_warming()).
-- ---------------------------------------------------------------------

-- The documents; the table of which a reader must be allowed to see every row; how long
-- a document is used; and whether there is one for each account.
CREATE FUNCTION zcsync._cached_documents() RETURNS TABLE (name text, table_name text, ttl interval, of_account boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.name, d.table_name, d.ttl, d.of_account
	FROM (VALUES ('recent_leads', 'leads', interval '30 minutes', false),
		('top_companies', 'leads', interval '1 hour', false),
		('custom_fields', 'fields', interval '1 hour', true)) AS d (name, table_name, ttl, of_account);
END;
COMMENT ON FUNCTION zcsync._cached_documents() IS
'the documents that zcsync.cached() gives';

CREATE FUNCTION zcsync._make_document(p_name text, p_account bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE p_name
		WHEN 'recent_leads' THEN (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.created_at DESC, l.local_id DESC), '[]')
			FROM zcsync.recent_leads(100) AS l)
		WHEN 'top_companies' THEN (SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.leads DESC, c.company), '[]')
			FROM zcsync.top_companies(50) AS c)
		WHEN 'custom_fields' THEN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', f.remote_id, 'scope', f.scope_id, 'name', f.name,
				'type', f.type, 'required', f.required, 'options', f.options) ORDER BY f.scope_id, f.position, f.name, f.remote_id), '[]')
			FROM zcsync.fields AS f
			WHERE f.account_id = p_account AND f.deleted_at IS NULL AND f.active IS NOT FALSE)
	END;
END
$$;
COMMENT ON FUNCTION zcsync._make_document(text, bigint) IS
'makes a document of zcsync.cached(), with the rights of the caller';

-- Return a document from the cache; if the cache does not have it, or if it is to be
-- made again, make and store it.  Runs as the owner, so it checks the rights of the
-- caller.
CREATE FUNCTION zcsync._cached_document(p_name text, p_account bigint, p_anew boolean DEFAULT false, OUT document jsonb, OUT stored boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_document record;
	v_key text;
BEGIN
	SELECT d.* INTO STRICT v_document FROM zcsync._cached_documents() AS d WHERE d.name = p_name;
	IF zcsync._sees_all_rows(zcsync._caller(), v_document.table_name) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for the cached document "%s"', p_name),
			HINT = format('Only roles that may read all rows of zcsync.%I have it.', v_document.table_name);
	END IF;
	v_key := 'zcsync:' || p_name || CASE WHEN v_document.of_account THEN ':' || p_account ELSE '' END;
	document := zcsync.cache_get(v_key);
	IF p_anew OR document IS NULL THEN
		PERFORM zcsync._verb_begins(format('zcsync.cached(%L)', p_name));
		document := zcsync._make_document(p_name, p_account);
		PERFORM zcsync._verb_ends();
		stored := zcsync.cache_set(v_key, document, v_document.ttl);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._cached_document(text, bigint, boolean) IS
'a document from the cache, or made and cached';

CREATE FUNCTION zcsync.cached(name text, account text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_document record;
	v_account bigint;
BEGIN
	SELECT d.* INTO v_document FROM zcsync._cached_documents() AS d WHERE d.name = cached.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('there is no cached document "%s"', cached.name),
			HINT = format('The documents are %s.', (SELECT string_agg(format('"%s"', d.name), ', ') FROM zcsync._cached_documents() AS d));
	ELSIF v_document.of_account <> (cached.account IS NOT NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN v_document.of_account THEN format('the document "%s" needs an account', cached.name)
				ELSE format('the document "%s" is not of one account', cached.name) END;
	END IF;
	IF v_document.of_account THEN
		v_account := zcsync.account(cached.account);
	END IF;
	IF pg_is_in_recovery() OR zcsync._sees_all_rows(zcsync._caller(), v_document.table_name) IS NOT TRUE
		OR zcsync._sees_all_rows(current_user, v_document.table_name) IS NOT TRUE THEN
		RETURN zcsync._make_document(v_document.name, v_account);
	END IF;
	RETURN (SELECT c.document FROM zcsync._cached_document(v_document.name, v_account) AS c);
END
$$;
COMMENT ON FUNCTION zcsync.cached(text, text) IS
'a document from the cache, at most as old as it says in doc/cache.md: recent_leads, top_companies, or custom_fields of an account';

CREATE FUNCTION zcsync.warm_cache() RETURNS TABLE (document text, account text, stored boolean)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT d.name, a.name, c.stored
	FROM zcsync._cached_documents() AS d
	LEFT JOIN zcsync.accounts AS a ON d.of_account
	CROSS JOIN LATERAL zcsync._cached_document(d.name, a.account_id, true) AS c
	WHERE NOT d.of_account OR a.account_id IS NOT NULL
	ORDER BY d.name, a.name
$$;
COMMENT ON FUNCTION zcsync.warm_cache() IS
'makes all documents of zcsync.cached() again, so that no reader waits for them; stored is false if the cache did not take one';

-- The catalogue of an account changes when its fields are read, or written by hand.
CREATE FUNCTION zcsync._forget_custom_fields() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync.cache_invalidate('zcsync:custom_fields:*');
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._forget_custom_fields() IS
'trigger on fields: the cached catalogues are out of date';

CREATE FUNCTION zcsync._create_cache_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE OR REPLACE TRIGGER zcsync_cached AFTER INSERT OR UPDATE OR DELETE ON zcsync.fields
		FOR EACH STATEMENT EXECUTE FUNCTION zcsync._forget_custom_fields();
END
$$;
COMMENT ON FUNCTION zcsync._create_cache_triggers() IS
'creates or replaces the triggers that keep cached documents true; called by setup()';

CREATE FUNCTION zcsync._read_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (33, 'zcsync._create_cache_triggers()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._read_setup_steps() IS
'what setup() does for those who read';
