-- ---------------------------------------------------------------------
-- Which vendors there are.  sql/vendor/contract.sql says what one is.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._vendors() RETURNS SETOF zcsync.vendor
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptors';
COMMENT ON FUNCTION zcsync._vendors() IS
'the descriptors of all vendors that an account can have';

-- Descriptors are kept in memory, so that this takes a microsecond.
CREATE FUNCTION zcsync._vendor_of(p_name text) RETURNS zcsync.vendor
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_descriptor';
COMMENT ON FUNCTION zcsync._vendor_of(text) IS
'the descriptor of a vendor, or NULL';

CREATE FUNCTION zcsync._kind_of(p_vendor text, p_kind text) RETURNS zcsync.vendor_kind
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT k FROM unnest((zcsync._vendor_of(p_vendor)).kinds) AS k WHERE k.kind = p_kind;
END;
COMMENT ON FUNCTION zcsync._kind_of(text, text) IS
'how a vendor''s descriptor describes a kind, or NULL if the vendor does not have it';

-- The columns that a push may send; empty where the vendor takes no writes of this
-- kind.
CREATE FUNCTION zcsync._pushable(p_vendor text, p_kind text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((SELECT k.written FROM unnest((zcsync._vendor_of(p_vendor)).kinds) AS k WHERE k.kind = p_kind), '{}');
END;
COMMENT ON FUNCTION zcsync._pushable(text, text) IS
'the columns of a kind that can be written at a vendor';

-- Those of them that can be set in a new record only.
CREATE FUNCTION zcsync._create_only(p_vendor text, p_kind text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((SELECT k.create_only FROM unnest((zcsync._vendor_of(p_vendor)).kinds) AS k WHERE k.kind = p_kind), '{}');
END;
COMMENT ON FUNCTION zcsync._create_only(text, text) IS
'the columns of a kind that a vendor accepts in a new record only';

-- ---------------------------------------------------------------------
-- Is a descriptor what the contract asks for?
-- ---------------------------------------------------------------------

-- The hooks of a vendor, by their names in the descriptor.
CREATE FUNCTION zcsync._hooks_of(p_vendor zcsync.vendor) RETURNS TABLE (hook text, function oid)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT h.hook, (to_jsonb(p_vendor) ->> h.hook)::regprocedure::oid
	FROM zcsync._vendor_hooks() AS h
$$;
COMMENT ON FUNCTION zcsync._hooks_of(zcsync.vendor) IS
'the functions that the descriptor of a vendor names';

-- What is wrong with a hook, or NULL.  Argument types are compared by their
-- oids; results by their text, which names types of other schemas in full.
CREATE FUNCTION zcsync._hook_fault(p_function oid, p_needed boolean, p_arguments regtype[], p_result text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
	v_function pg_proc;
BEGIN
	IF p_function IS NULL THEN
		RETURN CASE WHEN p_needed THEN 'is missing' END;
	END IF;
	SELECT p.* INTO v_function FROM pg_proc p WHERE p.oid = p_function;
	RETURN CASE
		WHEN NOT FOUND THEN 'does not exist'
		WHEN v_function.prokind <> 'f' THEN format('%s is not a function', p_function::regprocedure)
		WHEN ARRAY(SELECT unnest(v_function.proargtypes)) <> p_arguments::oid[] THEN	-- an oidvector begins at 0
			format('%s must take (%s)', p_function::regprocedure, array_to_string(p_arguments, ', '))
		WHEN pg_get_function_result(p_function) <> p_result THEN format('%s must return %s', p_function::regprocedure, p_result)
		WHEN NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = v_function.proowner) THEN
			format('%s must belong to a superuser', p_function::regprocedure) END;
END
$$;
COMMENT ON FUNCTION zcsync._hook_fault(oid, boolean, regtype[], text) IS
'what is wrong with a hook of a vendor; NULL: nothing is';

-- Raise an error unless a vendor keeps to the contract.
CREATE FUNCTION zcsync._check_vendor(p_vendor zcsync.vendor) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_faults text;
BEGIN
	SELECT string_agg(f.fault, '; ' ORDER BY f.fault) INTO v_faults
	FROM (
		SELECT format('hook "%s" %s', h.hook, zcsync._hook_fault(o.function, n.needed, h.arguments, h.result))
		FROM zcsync._vendor_hooks() h JOIN zcsync._hooks_of(p_vendor) o ON o.hook = h.hook
		CROSS JOIN LATERAL (SELECT p_vendor.connector IS NOT NULL AND (h.needed = 'always'
			OR (h.needed = 'to write' AND EXISTS (SELECT FROM unnest(p_vendor.kinds) k WHERE k.written <> '{}'))
			OR (h.needed = 'to comment' AND EXISTS (SELECT FROM unnest(p_vendor.kinds) k WHERE k.kind = 'comments' AND k.written <> '{}'))
			OR (h.needed = 'to compare' AND EXISTS (SELECT FROM unnest(p_vendor.kinds) k WHERE k.compared))
			OR (h.needed = 'with webhooks' AND p_vendor.webhook_proof IS NOT NULL)
			OR (h.needed = 'with comments' AND EXISTS (SELECT FROM unnest(p_vendor.kinds) k WHERE k.comments IS NOT NULL))
			OR (h.needed = 'to declare webhooks' AND p_vendor.webhook_request IS NOT NULL)
			OR (h.needed = 'with companies' AND EXISTS (SELECT FROM unnest(p_vendor.kinds) k WHERE k.roles @? '$.* ? (@ == "company")')))) AS n (needed)
		WHERE zcsync._hook_fault(o.function, n.needed, h.arguments, h.result) IS NOT NULL
		UNION ALL
		SELECT format('kind "%s" has no table', k.kind) FROM unnest(p_vendor.kinds) k WHERE k.kind <> ALL (zcsync._kinds())
		UNION ALL
		SELECT format('%s have no column "%s"', k.kind, c)
		FROM unnest(p_vendor.kinds) k CROSS JOIN LATERAL unnest(k.written || k.create_only) c
		WHERE c <> ALL (zcsync._own_columns(k.kind))
		UNION ALL
		SELECT format('only what can be written can be create_only: "%s" of %s', c, k.kind)
		FROM unnest(p_vendor.kinds) k CROSS JOIN LATERAL unnest(k.create_only) c WHERE c <> ALL (k.written)
		UNION ALL
		SELECT format('%s have place_field but the hook "place" is missing', k.kind)
		FROM unnest(p_vendor.kinds) k WHERE k.place_field IS NOT NULL AND p_vendor.place IS NULL
		UNION ALL
		SELECT format('the name_field of %s cannot be written', k.kind) FROM unnest(p_vendor.kinds) k WHERE k.name_field IS NOT NULL AND k.name_field <> ALL (k.written)
		UNION ALL
		SELECT format('%s are compared but the hook "fetch_request" is missing', k.kind)
		FROM unnest(p_vendor.kinds) k WHERE k.compared AND p_vendor.fetch_request IS NULL
		UNION ALL
		SELECT 'it has no kinds' WHERE p_vendor.kinds IS NULL OR p_vendor.kinds = '{}'
		UNION ALL
		SELECT 'write_batch and fetch_batch must be at least 1' WHERE (least(p_vendor.write_batch, p_vendor.fetch_batch) >= 1) IS NOT TRUE
	) AS f (fault);
	IF v_faults IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_object_definition',
			MESSAGE = format('vendor "%s" does not keep to the contract', p_vendor.name),
			DETAIL = v_faults || '.',
			HINT = 'zcsync._vendor_hooks() shows what a vendor must provide.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_vendor(zcsync.vendor) IS
'raises an error unless a vendor keeps to the contract';
