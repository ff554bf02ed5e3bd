-- ---------------------------------------------------------------------
-- Webhooks, as those see them who operate zcsync: which bring something, and which are
-- refused or silent.
-- ---------------------------------------------------------------------

-- The state of each account's webhooks.  silent: streams had changes to read long after
-- the last delivery, and none came for a day.  refused: the last ones were, within the
-- last hour.
CREATE FUNCTION zcsync._webhook_states()
RETURNS TABLE (account text, state text, path text, secrets bigint, last_at timestamptz, last_hour bigint, waiting bigint, refused bigint,
	reason text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
	SELECT a.name, CASE
			WHEN r.last_at > coalesce(i.last_at, '-infinity') THEN 'refused'
			WHEN c.changed_at > coalesce(i.last_at, w.created_at) + interval '1 hour' AND coalesce(i.last_at, w.created_at) < zcsync._now() - interval '1 day'
				THEN 'silent'
			WHEN i.last_at IS NULL THEN 'new'
			ELSE 'works' END,
		w.path, s.secrets, i.last_at, h.events, h.waiting, coalesce(r.count, 0), r.reason
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
		WHERE t.account_id = w.account_id AND t.state = 'active' AND t.kind IN ('tickets', 'tasks', 'leads')) AS c
	CROSS JOIN LATERAL (
		SELECT sum(f.count)::bigint AS count, max(f.last_at) AS last_at, (array_agg(f.reason ORDER BY f.last_at DESC))[1] AS reason
		FROM zcsync.refused_deliveries AS f
		WHERE f.account_id = w.account_id AND f.minute > zcsync._now() - interval '1 hour') AS r
	ORDER BY a.name COLLATE "C"
$$;
COMMENT ON FUNCTION zcsync._webhook_states() IS
'the state of each account''s webhooks; for views';

CREATE FUNCTION zcsync._create_webhook_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.stat_webhooks AS
	SELECT s.account, s.state, s.path, s.secrets, zcsync._span(zcsync._now() - s.last_at) AS last, s.last_hour, s.waiting, s.refused, s.reason
	FROM zcsync._webhook_states() AS s;
	COMMENT ON VIEW zcsync.stat_webhooks IS
	'accounts whose vendors report changes: whether deliveries come, and why they are refused';
	COMMENT ON COLUMN zcsync.stat_webhooks.state IS
	'new: nothing came yet; works; refused: the last ones were; silent: there were changes, and nothing came for a day';
	COMMENT ON COLUMN zcsync.stat_webhooks.path IS 'where the vendor sends to, after the address of the door';
	COMMENT ON COLUMN zcsync.stat_webhooks.secrets IS 'how many are valid; after set_webhook() the former one is, for a while';
	COMMENT ON COLUMN zcsync.stat_webhooks.last IS 'since when nothing has come from the vendor';
	COMMENT ON COLUMN zcsync.stat_webhooks.last_hour IS 'records that were reported in the last hour';
	COMMENT ON COLUMN zcsync.stat_webhooks.waiting IS 'those of them that wait to be fetched together';
	COMMENT ON COLUMN zcsync.stat_webhooks.refused IS 'deliveries that were refused in the last hour';
	COMMENT ON COLUMN zcsync.stat_webhooks.reason IS 'why the last of them was';
END
$body$;
COMMENT ON FUNCTION zcsync._create_webhook_view() IS
'makes view stat_webhooks; part of zcsync._create_views()';

CREATE FUNCTION zcsync._webhook_trouble() RETURNS SETOF zcsync.trouble
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 2, s.account || ' webhook', s.state,
		CASE s.state WHEN 'refused' THEN format('%s in an hour: %s', s.refused, s.reason)
			ELSE 'changes, and no delivery for a day' END,
		CASE WHEN s.state = 'refused' AND s.reason LIKE '%secret%' THEN format('SELECT zcsync.set_webhook(%L, secret => ''…'');', s.account)
			ELSE format('SELECT * FROM zcsync.stat_webhooks WHERE account = %L;', s.account) END, s.last_at
	FROM zcsync._webhook_states() AS s WHERE s.state IN ('refused', 'silent')
$$;
COMMENT ON FUNCTION zcsync._webhook_trouble() IS
'webhooks whose deliveries are refused, or do not come, as lines of the view status';
