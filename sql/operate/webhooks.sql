-- ---------------------------------------------------------------------
-- Webhooks, as those see them who operate zcsync: which bring something, and which are
-- refused or silent.
-- ---------------------------------------------------------------------

-- The state of each account's webhooks.  silent: streams had changes to read long after
-- the last delivery, and none came for a day.  refused: the last ones were, within the
-- last hour.  Of those that zcsync declares at the vendor: undeclared: it cannot;
-- failing: the vendor says that deliveries fail; repaired: it was gone or given up there
-- within the last hour.
CREATE FUNCTION zcsync._webhook_states()
RETURNS TABLE (account text, state text, path text, secrets bigint, last_at timestamptz, last_hour bigint, waiting bigint, refused bigint,
	reason text, door text, health text, checked_at timestamptz, spared bigint, reads_saved bigint, since timestamptz, to_do text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER	-- its plan is kept
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT a.name, t.state, w.path, s.secrets, i.last_at, h.events, h.waiting, coalesce(r.count, 0),
		CASE t.state WHEN 'undeclared' THEN w.error WHEN 'unchecked' THEN 'the vendor was not asked about it for hours'
			WHEN 'failing' THEN format('the vendor says that %s deliveries in a row failed', coalesce(w.failures, 1))
			WHEN 'repaired' THEN w.lost ELSE r.reason END,
		w.url, w.health, w.checked_at, p.spared, p.reads_saved,
		CASE t.state WHEN 'undeclared' THEN w.failing_since WHEN 'unchecked' THEN w.checked_at WHEN 'repaired' THEN w.lost_at ELSE i.last_at END,
		CASE t.state WHEN 'undeclared' THEN format('SELECT zcsync.ensure_webhooks(%L);', a.name) || coalesce(' -- first: ' || w.error_hint, '')
			WHEN 'unchecked' THEN format('SELECT zcsync.ensure_webhooks(%L);', a.name)
			WHEN 'refused' THEN CASE WHEN w.url IS NOT NULL AND r.reason LIKE '%secret%' THEN format('SELECT zcsync.ensure_webhooks(%L, rotate => true);', a.name)
				WHEN r.reason LIKE '%secret%' THEN format('SELECT zcsync.set_webhook(%L, secret => ''…'');', a.name) END
			ELSE NULL END
	FROM zcsync.webhooks AS w
	JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	CROSS JOIN LATERAL (
		SELECT count(*) AS secrets FROM zcsync.credentials AS k
		WHERE k.account_id = w.account_id AND starts_with(k.name, 'webhook/') AND coalesce(k.expires_at > zcsync._now(), true)) AS s
	CROSS JOIN LATERAL (SELECT max(b.received_at) AS last_at FROM zcsync.inbox AS b WHERE b.account_id = w.account_id) AS i
	CROSS JOIN LATERAL (
		SELECT count(*) AS events, count(*) FILTER (WHERE b.waits) AS waiting FROM zcsync.inbox AS b
		WHERE b.account_id = w.account_id AND b.received_at > zcsync._now() - interval '1 hour') AS h
	CROSS JOIN LATERAL (
		SELECT max(t.last_change_at) AS changed_at FROM zcsync.streams AS t
		WHERE t.account_id = w.account_id AND t.state = 'active' AND t.kind IN ('tickets', 'tasks', 'leads', 'projects')) AS c
	CROSS JOIN LATERAL (
		SELECT sum(f.count)::bigint AS count, max(f.last_at) AS last_at, (array_agg(f.reason ORDER BY f.last_at DESC))[1] AS reason
		FROM zcsync.refused_deliveries AS f
		WHERE f.account_id = w.account_id AND f.minute > zcsync._now() - interval '1 hour') AS r
	CROSS JOIN LATERAL (
		SELECT count(*) FILTER (WHERE zcsync._turn_interval(q.stream_id, q.pull_interval) > q.pull_interval) AS spared, coalesce(sum(x.reads_saved), 0)::bigint AS reads_saved
		FROM zcsync.streams AS q JOIN zcsync.heard_streams AS x ON x.stream_id = q.stream_id
		WHERE q.account_id = w.account_id) AS p
	CROSS JOIN LATERAL (SELECT CASE
		WHEN w.is_removed THEN 'removing'
		WHEN w.error IS NOT NULL THEN 'undeclared'
		WHEN w.url IS NOT NULL AND a.state = 'active' AND coalesce(w.checked_at, w.created_at) < zcsync._now() - interval '3 hours' THEN 'unchecked'
		WHEN r.last_at > coalesce(i.last_at, '-infinity') THEN 'refused'
		WHEN w.health = 'failing' THEN 'failing'
		WHEN w.lost_at > zcsync._now() - interval '1 hour' THEN 'repaired'
		WHEN w.url IS NOT NULL AND w.checked_at IS NULL THEN 'declaring'
		WHEN c.changed_at > coalesce(i.last_at, w.created_at) + interval '1 hour' AND coalesce(i.last_at, w.created_at) < zcsync._now() - interval '1 day'
			THEN 'silent'
		WHEN i.last_at IS NULL THEN 'new'
		ELSE 'works' END) AS t (state)
	ORDER BY a.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION zcsync._webhook_states() IS
'the state of each account''s webhooks; for views';

CREATE FUNCTION zcsync._create_webhook_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_webhooks AS
	SELECT s.account, s.state, s.path, s.secrets, zcsync._span(zcsync._now() - s.last_at) AS last, s.last_hour, s.waiting, s.refused, s.reason,
		s.door, s.health, zcsync._span(zcsync._now() - s.checked_at) AS checked, s.spared, s.reads_saved
	FROM zcsync._webhook_states() AS s;
	COMMENT ON VIEW zcsync.stat_webhooks IS
	'accounts whose vendors report changes: whether deliveries come, and why they are refused';
	COMMENT ON COLUMN zcsync.stat_webhooks.state IS
	'new: nothing came yet; works; refused: the last ones were; silent: there were changes, and nothing came for a day; of those that zcsync declares: declaring; undeclared: it cannot; unchecked: the vendor was not asked for hours; failing: the vendor says that deliveries fail; repaired: in the last hour it was gone or given up at the vendor; removing';
	COMMENT ON COLUMN zcsync.stat_webhooks.path IS 'where the vendor sends to, after the address of the door';
	COMMENT ON COLUMN zcsync.stat_webhooks.secrets IS 'how many are valid; after set_webhook() the former one is, for a while';
	COMMENT ON COLUMN zcsync.stat_webhooks.last IS 'how long ago the last delivery came';
	COMMENT ON COLUMN zcsync.stat_webhooks.last_hour IS 'records that were reported in the last hour';
	COMMENT ON COLUMN zcsync.stat_webhooks.waiting IS 'those of them that wait to be fetched together';
	COMMENT ON COLUMN zcsync.stat_webhooks.refused IS 'deliveries that were refused in the last hour';
	COMMENT ON COLUMN zcsync.stat_webhooks.reason IS 'why the last of them was refused; or the reason for the state';
	COMMENT ON COLUMN zcsync.stat_webhooks.door IS 'address of the door, where zcsync declares the webhook at the vendor';
	COMMENT ON COLUMN zcsync.stat_webhooks.health IS 'what the vendor last said of it: active, or failing';
	COMMENT ON COLUMN zcsync.stat_webhooks.checked IS 'how long ago the vendor was last asked about it';
	COMMENT ON COLUMN zcsync.stat_webhooks.spared IS 'streams that are read more rarely now, since webhooks report what changes';
	COMMENT ON COLUMN zcsync.stat_webhooks.reads_saved IS 'reads of streams that were left out for that reason';
END
$body$;
COMMENT ON FUNCTION zcsync._create_webhook_view() IS
'makes view stat_webhooks; part of zcsync._create_views()';

CREATE FUNCTION zcsync._webhook_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE s.state WHEN 'repaired' THEN 3 ELSE 2 END, s.account || ' webhook', s.state,
		CASE s.state WHEN 'refused' THEN format('%s in an hour: %s', s.refused, s.reason)
			WHEN 'silent' THEN 'changes, and no delivery for a day'
			WHEN 'repaired' THEN s.reason || '; it was repaired: does the door answer?'
			ELSE s.reason END,
		coalesce(s.to_do, format('SELECT * FROM zcsync.stat_webhooks WHERE account = %L;', s.account)), s.since, ARRAY[s.account]
	FROM zcsync._webhook_states() AS s WHERE s.state IN ('undeclared', 'unchecked', 'refused', 'failing', 'silent', 'repaired')
$$;
COMMENT ON FUNCTION zcsync._webhook_trouble() IS
'webhooks whose deliveries are refused, or do not come, as lines of the view status';
