-- ---------------------------------------------------------------------
-- Taking over records that another installation made: after this one was set up anew,
-- or has replaced one that is gone.
--
-- A record with a mark of another installation is taken over if its original is known
-- here and both can be identified by what the vendors have of them: a copy of a ticket
-- ends with the address of the ticket; an opportunity has the e-mail address and the
-- company of its lead.  The record and its original become a pair of this database, as
-- if a route of ours had made the copy.
-- ---------------------------------------------------------------------

-- The records of other streams with the identity of these records.  agrees: do e-mail
-- address and company agree, where both sides have them?
CREATE FUNCTION zcsync._identical(p_kind text, p_ids bigint[])
RETURNS TABLE (local_id bigint, other_account bigint, other_kind text, other_id bigint, agrees boolean)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_stream record;
BEGIN
	IF p_kind = 'leads' THEN
		RETURN QUERY
		SELECT r.local_id, o.account_id, 'leads', o.local_id,
			coalesce(zcsync._fold(btrim(o.company)) = zcsync._fold(btrim(r.company)), true)
		FROM zcsync.leads AS r
		JOIN zcsync.accounts AS a ON a.vendor = 'local'
		JOIN zcsync.leads AS o ON o.account_id = a.account_id AND lower(o.email COLLATE "C") = lower(btrim(r.email) COLLATE "C") AND o.deleted_at IS NULL
		WHERE r.local_id = ANY (p_ids);
		RETURN;
	END IF;
	FOR v_stream IN
		SELECT s.account_id, s.kind, zcsync.record_url(s.account_id, s.kind, '') AS prefix
		FROM zcsync.streams s WHERE s.kind IN ('tickets', 'tasks')
	LOOP
		RETURN QUERY EXECUTE format($sql$
			SELECT r.local_id, $1, $2, o.local_id, true
			FROM zcsync.%I AS r
			CROSS JOIN LATERAL (SELECT zcsync._copied_from(r.description)) AS c (url)
			JOIN zcsync.%I AS o ON o.account_id = $1 AND o.remote_id = substr(c.url, length($3) + 1)
			WHERE r.local_id = ANY ($4) AND starts_with(c.url, $3) AND o.local_id <> r.local_id$sql$, p_kind, v_stream.kind)
		USING v_stream.account_id, v_stream.kind, v_stream.prefix, p_ids;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._identical(text, bigint[]) IS
'records of other streams with the identity of these: by the address in their last line, or by e-mail address and company';

-- The records of an account that another installation made, with their originals, or
-- why they cannot be taken over.
CREATE FUNCTION zcsync._adoption_plan(p_account bigint)
RETURNS TABLE (kind text, local_id bigint, key uuid, other_account bigint, other_kind text, other_id bigint, problem text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_kind text;
	v_ids bigint[];
BEGIN
	FOREACH v_kind IN ARRAY zcsync._kinds() LOOP
		CONTINUE WHEN NOT zcsync._has_marks(v_kind);
		EXECUTE format($sql$
			SELECT array_agg(t.local_id) FROM zcsync.%I AS t
			WHERE t.account_id = $1 AND t.external_id LIKE 'zcsync-%%' AND t.deleted_at IS NULL$sql$, v_kind)
			INTO v_ids USING p_account;
		RETURN QUERY
		WITH strange AS MATERIALIZED (
			SELECT m.local_id, m.key, count(*) OVER (PARTITION BY m.key) AS twins
			FROM zcsync._marked(v_kind, v_ids) AS m WHERE m.standing = 'foreign'
		), originals AS MATERIALIZED (
			SELECT i.*, count(*) OVER (PARTITION BY i.local_id) AS choices, count(*) OVER (PARTITION BY i.other_id) AS claims
			FROM zcsync._identical(v_kind, ARRAY(SELECT f.local_id FROM strange AS f)) AS i
		), paired AS MATERIALIZED (
			SELECT p.id, min(zcsync.reference(v_kind, p.other_id)) AS counterpart
			FROM zcsync._pairs_with(ARRAY(SELECT o.other_id FROM originals AS o), p_account, v_kind) AS p WHERE p.state <> 'unlinked'
			GROUP BY p.id)
		SELECT DISTINCT ON (f.local_id) v_kind, f.local_id, f.key, o.other_account, o.other_kind, o.other_id,
			CASE WHEN f.twins > 1 THEN format('%s records have this mark', f.twins)
				WHEN o.local_id IS NULL THEN 'nothing with its identity is known here'
				WHEN o.choices > 1 THEN format('%s records have its identity', o.choices)
				WHEN o.claims > 1 THEN format('%s marked records have the identity of its original', o.claims)
				WHEN NOT o.agrees THEN 'the companies differ'
				WHEN p.id IS NOT NULL THEN format('its original has another counterpart, %s', p.counterpart) END
		FROM strange AS f
		LEFT JOIN originals AS o ON o.local_id = f.local_id
		LEFT JOIN paired AS p ON p.id = o.other_id
		ORDER BY f.local_id, o.other_id;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._adoption_plan(bigint) IS
'records of an account that another installation made, with their originals, or why they cannot be taken over';

CREATE FUNCTION zcsync.adopt_marks(account text, confirm boolean DEFAULT false)
RETURNS TABLE (op text, record text, counterpart text, message text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_account bigint := zcsync.account(adopt_marks.account);
	v record;
	v_route record;
	v_pairs bigint[] := '{}';		-- both ends of the pairs that are taken over
BEGIN
	IF confirm THEN
		PERFORM zcsync._refuse_standby();
	END IF;
	PERFORM zcsync._verb_begins(format('zcsync.adopt_marks(%L)', adopt_marks.account));
	FOR v IN
		SELECT p.*, zcsync.reference(p.kind, p.local_id) AS record,
			CASE WHEN p.other_id IS NOT NULL THEN zcsync.reference(p.other_kind, p.other_id) END AS counterpart
		FROM zcsync._adoption_plan(v_account) AS p ORDER BY p.kind, p.local_id
	LOOP
		IF confirm AND v.problem IS NULL THEN
			INSERT INTO zcsync.marks (key, account_id, kind, local_id, copied, made_at)
			VALUES (v.key, v_account, v.kind, v.local_id, true, zcsync._now());
			INSERT INTO zcsync.links (key, source_id, target_id, source_account, source_kind, target_account, target_kind, copy_id, created_at)
			VALUES (v.key, v.other_id, v.local_id, v.other_account, v.other_kind, v_account, v.kind, v.local_id, zcsync._now());
			-- what is sent later keeps the mark
			EXECUTE format('UPDATE zcsync.%I SET sync_key = $1 WHERE account_id = $2 AND local_id = $3', v.kind)
				USING v.key, v_account, v.local_id;
			v_pairs := v_pairs || v.other_id || v.local_id;
		END IF;
		op := CASE WHEN v.problem IS NOT NULL THEN 'leave' WHEN confirm THEN 'adopted' ELSE 'adopt' END;
		record := v.record;
		counterpart := v.counterpart;
		message := v.problem;
		RETURN NEXT;
		PERFORM zcsync._verb_did();
	END LOOP;
	-- Routes that met these records before may go on with them now.
	FOR v_route IN
		SELECT e.route_id, array_agg(e.source_id) AS ids FROM zcsync.route_errors e
		WHERE e.code IN ('made_elsewhere', 'other_installation') AND e.source_id = ANY (v_pairs) GROUP BY e.route_id
	LOOP
		PERFORM zcsync._queue_route_records(v_route.route_id, v_route.ids);
	END LOOP;
	PERFORM zcsync._verb_ends();
END
$$;
COMMENT ON FUNCTION zcsync.adopt_marks(text, boolean) IS
'shows which records of an account another installation made, and which of them can be taken over; with confirm, takes these over as pairs';
