-- ---------------------------------------------------------------------
-- Pairs that a person makes.
-- ---------------------------------------------------------------------

-- A person ended a pair of a route: if that was the last open source of its target, the
-- target is closed.
CREATE FUNCTION zcsync._close_abandoned(p_link bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_changes zcsync.route_change[];
BEGIN
	SELECT l.* INTO v FROM zcsync.links l
	JOIN zcsync.routes r ON r.route_id = l.route_id AND r.state = 'active'
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id AND t.writes
	WHERE l.link_id = p_link;
	IF FOUND THEN
		v_changes := zcsync._close_left(v.route_id, ARRAY[
			ROW('leave', v.link_id, v.source_id, v.target_id, NULL, NULL, NULL, NULL, NULL, NULL)::zcsync.route_change]);
		PERFORM FROM zcsync._update_targets(v.target_kind, zcsync._origin_of('route', v.route_id), v_changes) WHERE v_changes <> '{}';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._close_abandoned(bigint) IS
'closes the target of a pair that a person ended, if its other sources are closed';

-- If a route between the two streams is active, it takes the pair over at once,
-- otherwise the pair waits for one.  With this function a target may get several
-- sources, which only a person may decide.
CREATE FUNCTION zcsync.link_records(source text, target text, replace boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	v_source record;
	v_target record;
	v_other record;
	v_shared boolean;
BEGIN
	PERFORM zcsync._refuse_standby();
	SELECT r.* INTO STRICT v_source FROM zcsync.record(source) AS r;
	SELECT r.* INTO STRICT v_target FROM zcsync.record(target) AS r;
	IF v_source.account_id = v_target.account_id AND v_source.kind = v_target.kind THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('"%s" and "%s" are records of one stream', source, target),
			HINT = 'A pair has a record in each of two streams. zcsync.merge_leads() makes one lead of two.';
	END IF;
	-- a record that a person prevented from being created is no counterpart
	UPDATE zcsync.links l SET state = 'unlinked', changed_at = zcsync._now()
	WHERE l.link_id IN (SELECT p.link_id FROM zcsync._pairs_with(ARRAY[v_source.local_id], v_target.account_id, v_target.kind) AS p WHERE p.state = 'cancelled');
	SELECT p.link_id, p.other_id INTO v_other
	FROM zcsync._pairs_with(ARRAY[v_source.local_id], v_target.account_id, v_target.kind) AS p
	WHERE p.state <> 'unlinked' AND p.other_id <> v_target.local_id;
	IF FOUND AND replace IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = format('"%s" has another counterpart, "%s"', source, zcsync.reference(v_target.kind, v_other.other_id)),
			HINT = format('To end that pair: SELECT zcsync.link_records(%L, %L, replace => true);', source, target);
	END IF;
	UPDATE zcsync.links l SET state = 'unlinked', changed_at = zcsync._now() WHERE l.link_id = v_other.link_id;
	PERFORM zcsync._close_abandoned(v_other.link_id);

	v_shared := EXISTS (
		SELECT FROM zcsync._pairs_with(ARRAY[v_target.local_id], v_source.account_id, v_source.kind) AS p
		WHERE p.state <> 'unlinked' AND p.other_id <> v_source.local_id);
	UPDATE zcsync.links l SET state = 'linked', shared = v_shared, moved_to = NULL, agreed = '{}', agreed_back = '{}', dropped = '{}', changed_at = zcsync._now()
	WHERE l.state = 'unlinked' AND l.link_id IN (
		SELECT p.link_id FROM zcsync._pairs_with(ARRAY[v_source.local_id], v_target.account_id, v_target.kind) AS p
		WHERE p.other_id = v_target.local_id);
	INSERT INTO zcsync.links (source_id, target_id, source_account, source_kind, target_account, target_kind, shared, created_at)
	SELECT v_source.local_id, v_target.local_id, v_source.account_id, v_source.kind, v_target.account_id, v_target.kind, v_shared, zcsync._now()
	WHERE NOT EXISTS (
		SELECT FROM zcsync._pairs_with(ARRAY[v_source.local_id], v_target.account_id, v_target.kind) AS p WHERE p.other_id = v_target.local_id);
	PERFORM zcsync._queue_route_records(r.route_id, ARRAY[v_source.local_id], true)	-- also if the record is older than the route
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id AND s.account_id = v_source.account_id AND s.kind = v_source.kind
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id AND t.account_id = v_target.account_id AND t.kind = v_target.kind
	WHERE r.state = 'active';
	RETURN format('"%s" and "%s" are a pair', source, target);
END
$$;
COMMENT ON FUNCTION zcsync.link_records(text, text, boolean) IS
'makes two records a pair, which a route between their streams takes over; several sources may have one target; with replace, the pair that the source has ends';
