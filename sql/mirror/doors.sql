-- ---------------------------------------------------------------------
-- Doors: the programs that pass on what vendors send to webhooks.
--
-- While this database does not answer, zcsync-door keeps deliveries in a file, its
-- spool.  It says once a minute how old and how large that is, by the one function that
-- its role may call.  A door that reports no more has ended, or is shut out.
-- ---------------------------------------------------------------------

-- A door says its name, and of its file: how many bytes, and for how many seconds the
-- first delivery has waited in it.  Seconds do not depend on the clock of the door's
-- machine.  Its role may write what it likes, so a row is all that it gets, and there
-- are 20 rows at most: the door that was silent for the longest time makes room.
CREATE FUNCTION zcsync._note_door(p_spool jsonb, OUT status integer, OUT message text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_door text := p_spool ->> 'door';
	v_bytes bigint := CASE jsonb_typeof(p_spool -> 'bytes') WHEN 'number' THEN least(greatest((p_spool ->> 'bytes')::numeric, 0), 1e15) END;
	v_age interval := CASE jsonb_typeof(p_spool -> 'age') WHEN 'number'
		THEN make_interval(secs => least(greatest((p_spool ->> 'age')::numeric, 0), 1e9)::double precision) END;
BEGIN
	IF (v_door ~ '^[A-Za-z0-9._-]{1,64}$') IS NOT TRUE THEN
		status := 400;
		message := 'a door reports under a name of at most 64 letters, digits, ".", "_" and "-"';
		RETURN;
	END IF;
	UPDATE zcsync.doors AS d SET heard_at = zcsync._now(), spooled_since = zcsync._now() - v_age, spooled_bytes = coalesce(v_bytes, 0)
	WHERE d.door = v_door;
	IF NOT FOUND THEN
		DELETE FROM zcsync.doors AS d WHERE d.door IN (SELECT o.door FROM zcsync.doors AS o ORDER BY o.heard_at DESC OFFSET 19);
		INSERT INTO zcsync.doors (door, heard_at, spooled_since, spooled_bytes)
		VALUES (v_door, zcsync._now(), zcsync._now() - v_age, coalesce(v_bytes, 0))
		ON CONFLICT ON CONSTRAINT doors_pkey DO NOTHING;
	END IF;
	status := 200;
	message := 'noted';
END
$$;
COMMENT ON FUNCTION zcsync._note_door(jsonb) IS
'keeps what a door says of the file in which it keeps deliveries';

CREATE FUNCTION zcsync.remove_door(door text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM zcsync._refuse_standby();
	DELETE FROM zcsync.doors AS d WHERE d.door = remove_door.door;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no door "%s"', remove_door.door),
			HINT = 'SELECT * FROM zcsync.doors; lists the doors that have reported.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.remove_door(text) IS
'forgets a door that is no more; one that goes on reports again within a minute';
