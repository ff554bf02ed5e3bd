-- ---------------------------------------------------------------------
-- What earlier rooms are told about routes: what is done when an account goes.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._routes_of_account(p_account bigint) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.name FROM zcsync.routes r
	WHERE EXISTS (SELECT FROM zcsync.streams s
		WHERE s.account_id = p_account AND s.stream_id IN (r.source_stream_id, r.target_stream_id))
	ORDER BY r.name
$$;
COMMENT ON FUNCTION zcsync._routes_of_account(bigint) IS
'the routes that read or write streams of an account';

CREATE FUNCTION zcsync._count_account_routes(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(*) FROM zcsync._routes_of_account(p_account)
$$;
COMMENT ON FUNCTION zcsync._count_account_routes(bigint) IS
'how many routes read or write streams of an account';

-- Their number was told before.
CREATE FUNCTION zcsync._remove_account_routes(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route text;
BEGIN
	FOREACH v_route IN ARRAY ARRAY(SELECT r FROM zcsync._routes_of_account(p_account) AS r) LOOP
		PERFORM zcsync.remove_route(v_route, force => true);
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._remove_account_routes(bigint) IS
'removes the routes that read or write streams of an account';

CREATE FUNCTION zcsync._account_routes() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('routes', 20, p_count => 'zcsync._count_account_routes(bigint)'::regprocedure,
		p_remove => 'zcsync._remove_account_routes(bigint)'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._account_routes() IS
'what is done about routes when an account goes';
