-- ---------------------------------------------------------------------
-- Marks: how a record that was made here is known again at its vendor.
--
-- A create carries a mark, zcsync-<key>.  The key is a random uuid: that of the pair if
-- a route makes the record, otherwise that of the row.  It is never a number of this
-- database, since such a number means nothing in another one.  The table marks keeps
-- the keys of all creates, so that they are known even when the row is gone.
--
-- A mark counts only in a place where no customer can write: in the external id of
-- tickets and leads, and in the last line of a task that our own login made.  Anywhere
-- else it is ordinary text.  A mark whose key is not in the table was made by another
-- installation of zcsync.  If the record is older than this installation, it is left
-- alone until adopt_marks().  If it is newer, both installations write to this account,
-- and the creates of this one are held.
-- ---------------------------------------------------------------------

-- The key in a mark; NULL if the text is no mark.
CREATE FUNCTION zcsync._mark_key(p_text text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_text ~ '^zcsync-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN right(p_text, 36)::uuid END;
END;
COMMENT ON FUNCTION zcsync._mark_key(text) IS
'the key in a mark; NULL if the text is no mark';

-- Do records of this kind have marks?
CREATE FUNCTION zcsync._has_marks(p_kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_kind IN ('tickets', 'tasks', 'leads');
END;
COMMENT ON FUNCTION zcsync._has_marks(text) IS
'do records of this kind carry marks?';

-- The logins that made tasks of an account for this database, as the newest tasks show;
-- NULL: none is known.
CREATE FUNCTION zcsync._own_logins(p_account bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(DISTINCT t.creator_id)
	FROM (SELECT m.local_id FROM zcsync.marks m WHERE m.account_id = p_account AND m.kind = 'tasks' ORDER BY m.local_id DESC LIMIT 100) AS m
	CROSS JOIN LATERAL (SELECT k.creator_id FROM zcsync.tasks k WHERE k.local_id = m.local_id AND k.creator_id IS NOT NULL OFFSET 0) AS t
$$;
COMMENT ON FUNCTION zcsync._own_logins(bigint) IS
'the logins that made tasks of an account for this database; NULL: none is known';

-- What the marks of records say.  standing:
-- - own: this database made the record
-- - making: a create of another row is making the record, or has just made it
-- - double: the record was copied; another one with this mark is the one that was made
-- - foreign: another installation made it
--
-- Records without a mark that counts are not in the result.
CREATE FUNCTION zcsync._marked(p_kind text, p_ids bigint[]) RETURNS TABLE (local_id bigint, key uuid, standing text, copied boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT zcsync._has_marks(p_kind) OR coalesce(cardinality(p_ids), 0) = 0 THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH marked AS MATERIALIZED (
			SELECT t.local_id, t.account_id, k.key, %2$s AS creator_id
			FROM unnest($1) AS i (id)
			CROSS JOIN LATERAL (SELECT * FROM zcsync.%1$I AS r WHERE r.local_id = i.id AND r.external_id LIKE 'zcsync-%%' OFFSET 0) AS t
			CROSS JOIN LATERAL (SELECT zcsync._mark_key(t.external_id)) AS k (key)
			WHERE k.key IS NOT NULL
		), logins AS MATERIALIZED (
			SELECT a.account_id, %3$s AS ids FROM (SELECT DISTINCT m.account_id FROM marked AS m) AS a)
		SELECT m.local_id, m.key,
			CASE WHEN o.key IS NULL THEN 'foreign' WHEN o.local_id = m.local_id OR r.local_id IS NULL THEN 'own'
				WHEN r.remote_id IS NULL THEN 'making' ELSE 'double' END,
			coalesce(o.copied, false)
		FROM marked AS m
		JOIN logins AS l ON l.account_id = m.account_id AND (l.ids IS NULL OR m.creator_id = ANY (l.ids))
		LEFT JOIN LATERAL (SELECT * FROM zcsync.marks AS x WHERE x.key = m.key OFFSET 0) AS o ON true
		LEFT JOIN LATERAL (SELECT y.local_id, y.remote_id FROM zcsync.%1$I AS y WHERE y.local_id = o.local_id OFFSET 0) AS r ON true$sql$,
		p_kind, CASE p_kind WHEN 'tasks' THEN 't.creator_id' ELSE 'NULL::text' END,
		CASE p_kind WHEN 'tasks' THEN 'zcsync._own_logins(a.account_id)' ELSE 'NULL::text[]' END)
	USING p_ids;
END
$$;
COMMENT ON FUNCTION zcsync._marked(text, bigint[]) IS
'what the marks of records say: made here, being made now, a copy of one made here, or made by another installation';

-- Store the keys of rows that are to be created.  While another installation writes to
-- their account, their creates are held.
CREATE FUNCTION zcsync._note_creates(p_kind text, p_accounts bigint[], p_ids bigint[], p_keys uuid[], p_origins zcsync.origin[]) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.marks (key, account_id, kind, local_id, copied, made_at)
	SELECT w.key, w.account_id, p_kind, w.local_id, w.cause <> 'local', zcsync._now()
	FROM unnest(p_accounts, p_ids, p_keys, p_origins) AS w (account_id, local_id, key, cause, cause_id, xid);
	UPDATE zcsync.sync_queue q SET state = 'held'
	WHERE q.local_id = ANY (p_ids) AND q.operation = 'push' AND q.state = 'ready' AND q.account_id IN (
		SELECT a.account_id FROM zcsync.accounts a JOIN zcsync.alerts l ON l.code = 'other_installation' AND l.object = a.name
		WHERE a.account_id = ANY (p_accounts) AND l.resolved_at IS NULL)
$$;
COMMENT ON FUNCTION zcsync._note_creates(text, bigint[], bigint[], uuid[], zcsync.origin[]) IS
'stores the keys of rows that are to be created, and holds their creates while another installation writes to the account';

-- Check the marks of records that a page brought.  If another installation made one of
-- them since this installation began to work, the creates of the account are held, with
-- one alert, until a person releases them.  Vendors' clocks may differ from ours.
CREATE FUNCTION zcsync._note_marks(p_kind text, p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_other record;
	v_kind text;
BEGIN
	FOR v_other IN EXECUTE format($sql$
		SELECT a.account_id, a.name, min(zcsync.reference(t.account_id, $1, t.remote_id, t.local_id)) AS reference
		FROM zcsync._marked($1, $2) AS m
		CROSS JOIN zcsync.installation AS i
		JOIN zcsync.%I AS t ON t.local_id = m.local_id AND t.local_id = ANY ($2)
			AND t.created_at > coalesce(i.adopted_at, i.created_at) + interval '5 minutes'
		JOIN zcsync.accounts AS a ON a.account_id = t.account_id
		WHERE m.standing = 'foreign' %s
		GROUP BY a.account_id, a.name$sql$, p_kind,
		-- a login that is not known here may belong to a customer
		CASE p_kind WHEN 'tasks' THEN 'AND t.creator_id = ANY (zcsync._own_logins(t.account_id))' ELSE '' END)
		USING p_kind, p_ids
	LOOP
		FOREACH v_kind IN ARRAY ARRAY(SELECT k FROM unnest(zcsync._kinds()) AS k WHERE zcsync._has_marks(k)) LOOP
			EXECUTE format($sql$
				UPDATE zcsync.sync_queue AS q SET state = 'held'
				WHERE q.account_id = $1 AND q.operation = 'push' AND q.kind = $2 AND q.state = 'ready' AND q.unclear_since IS NULL
					AND EXISTS (SELECT FROM zcsync.%I AS t WHERE t.local_id = q.local_id AND t.remote_id IS NULL)$sql$, v_kind)
				USING v_other.account_id, v_kind;
		END LOOP;
		PERFORM zcsync._alert('other_installation', v_other.name, 'critical',
			format('another installation of zcsync writes to account "%s": it made %s; creates of this one are held', v_other.name, v_other.reference),
			format('1. In the other one: SELECT zcsync.stop(); 2. Here: SELECT * FROM zcsync.adopt_marks(%1$L, confirm => true); '
				|| '3. Delete at the vendor what is there twice. 4. SELECT zcsync.release_held(%1$L);', v_other.name));
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._note_marks(text, bigint[]) IS
'holds the creates of an account in which another installation makes records, with one alert';
