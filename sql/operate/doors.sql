-- ---------------------------------------------------------------------
-- Doors for webhooks, as lines of the view status.
-- ---------------------------------------------------------------------

-- spooled: deliveries wait in a door's file, for longer than it takes to pass them on.
-- silent: a door reports once a minute, and has not for five.
CREATE FUNCTION zcsync._door_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, 'door ' || d.door, 'silent',
		CASE WHEN d.spooled_bytes > 0 THEN 'ended, or shut out; it kept ' || pg_size_pretty(d.spooled_bytes) ELSE 'ended, or shut out of the database' END,
		format('systemctl status zcsync-door -- on machine %s; if the door is no longer used: SELECT zcsync.remove_door(%L);', d.door, d.door), d.heard_at, NULL::text[]
	FROM zcsync.doors AS d WHERE d.heard_at < zcsync._now() - interval '5 minutes'
	UNION ALL
	SELECT 2, 'door ' || d.door, 'spooled',
		format('for %s: %s in its file', zcsync._span(zcsync._now() - d.spooled_since), pg_size_pretty(d.spooled_bytes)),
		'SELECT * FROM zcsync.refused_deliveries ORDER BY last_at DESC;', d.spooled_since, NULL
	FROM zcsync.doors AS d WHERE d.heard_at >= zcsync._now() - interval '5 minutes' AND d.spooled_since < zcsync._now() - interval '1 minute'
$$;
COMMENT ON FUNCTION zcsync._door_trouble() IS
'doors that keep deliveries, or report no more, as lines of the view status';
