-- ---------------------------------------------------------------------
-- Routes: records that were merged into others, and records that were made from others.
--
-- Of two tickets that somebody merged at their vendor, the loser names the winner
-- (merged_into_id).  Its pair ends:
--
--   merge   the winner has a counterpart of its own: that of the loser gets a comment,
--           which names both, and the status that closes it
--   move    the winner has none: it gets the loser's, which then has the winner's fields;
--           a comment says so
--
-- Either way links.moved_to of the pair that ended names that of the winner.  A merge that
-- is read again changes nothing, since its loser has no pair any more.  If the winner was
-- itself merged into another record, the last record of the chain counts, as far as it is
-- known here.  While the winner, or the loser's counterpart, is not there yet, the pair
-- stays, and is looked at again when it is.
--
-- Where records have a final status, a loser counts as one only when it has it.  What a
-- vendor tells of a merge may name both as each other's winner; the one that is closed is
-- the loser.
--
-- A ticket that was made from another one, as a follow-up or by a split, names that one
-- (made_from_id): its copy gets a comment with the addresses of that ticket and of its
-- counterpart.
--
-- These comments have addresses and numbers and no text of the tickets, since others than
-- agents may read them; where there are private comments, they are private.  They are
-- known by rows of comment_copies without an original, so no route carries them anywhere.
-- ---------------------------------------------------------------------

-- The record into which each of these records was merged in the end; records that were
-- not merged, or whose winner is not here, are not in the result.
CREATE FUNCTION zcsync._winners(p_kind text, p_ids bigint[]) RETURNS TABLE (source_id bigint, winner_id bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	IF 'merged_into_id' <> ALL (zcsync._own_columns(p_kind)) THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH RECURSIVE chain (id, path, at, deleted_at) AS (
			SELECT i.id, '{}'::bigint[], i.id, NULL::timestamptz FROM unnest($1) AS i (id)
			UNION ALL
			SELECT c.id, c.path || c.at, w.local_id, w.deleted_at
			FROM chain AS c
			CROSS JOIN LATERAL (SELECT m.account_id, m.merged_into_id, m.status, m.deleted_at FROM zcsync.%1$I AS m
				WHERE m.local_id = c.at AND m.merged_into_id IS NOT NULL OFFSET 0) AS l
			CROSS JOIN LATERAL (SELECT (zcsync._kind_of(a.vendor, %1$L)).rules FROM zcsync.accounts AS a WHERE a.account_id = l.account_id OFFSET 0) AS v
			CROSS JOIN LATERAL (SELECT m.local_id, m.deleted_at FROM zcsync.%1$I AS m
				WHERE m.account_id = l.account_id AND m.remote_id = l.merged_into_id OFFSET 0) AS w
			WHERE c.at <> ALL (c.path) AND (l.status = coalesce((v.rules).final_status, l.status) OR l.deleted_at IS NOT NULL)
		), ends AS (
			SELECT DISTINCT ON (c.id) c.* FROM chain AS c ORDER BY c.id, cardinality(c.path) DESC)
		SELECT e.id, e.at FROM ends AS e WHERE e.path <> '{}' AND e.at <> ALL (e.path) AND e.deleted_at IS NULL$sql$, p_kind)
	USING p_ids;
END
$$;
COMMENT ON FUNCTION zcsync._winners(text, bigint[]) IS
'the records into which these records were merged in the end';

-- How a comment names a record: the words for its kind, its number and its address.
CREATE FUNCTION zcsync._named(p_kind text, p_account bigint, p_remote_id text) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%s #%s', rtrim(p_kind, 's'), p_remote_id) || coalesce(format(' (%s)', zcsync.record_url(p_account, p_kind, p_remote_id)), '')
$$;
COMMENT ON FUNCTION zcsync._named(text, bigint, text) IS
'how a comment about a record names another record';

-- The status that closes the counterpart of a record: the one that the record wants, by
-- what the route makes of its present status, what it agreed on last, or the map; else
-- the one that closes records there.  NULL: none is known.
CREATE FUNCTION zcsync._merged_status(p_route bigint, p_account bigint, p_kind text, p_place text, p_wanted text, p_agreed text, p_status text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT s.name FROM (VALUES
				(1, zcsync._resolve_status(p_account, k.scope, p_wanted, NULL, k.status_is_id)),
				(2, zcsync._resolve_status(p_account, k.scope, p_agreed, NULL, k.status_is_id)),
				(3, (SELECT zcsync._resolve_status(p_account, k.scope, v.target_value, v.target_id, k.status_is_id) FROM zcsync.route_values AS v
					WHERE v.route_id = p_route AND v.direction = 'forward' AND v.field = 'status' AND v.source_value = p_status))) AS s (n, name)
			WHERE zcsync._closes(p_account, p_kind, s.name) ORDER BY s.n LIMIT 1),
		zcsync._closing_status(p_account, p_kind, k.scope, k.status_is_id))
	FROM (SELECT coalesce(x.status_scope, p_place) AS scope, x.status_is_id
		FROM zcsync.accounts AS a JOIN zcsync._route_targets() AS x ON x.vendor = a.vendor AND x.kind = p_kind
		WHERE a.account_id = p_account OFFSET 0) AS k
$$;
COMMENT ON FUNCTION zcsync._merged_status(bigint, bigint, text, text, text, text, text) IS
'the status that closes the counterpart of a record that was merged into another';

-- What a route looks at of the pair of a record that was merged.
CREATE TYPE zcsync.merged_pair AS (
	source_id bigint,
	winner_id bigint,
	link_id bigint,			-- NULL: it has no pair
	target_id bigint,
	source_record text,		-- remote ids
	winner_record text,
	source_status text,
	agreed_status text,
	has_target boolean,		-- the target is here
	is_waiting boolean,		-- the target is not at its vendor yet
	target_status text,
	target_place text,
	other_id bigint,		-- the counterpart that the winner has, or gets from another loser
	moves boolean,			-- the target becomes the winner's
	other_lives boolean		-- the winner's counterpart is there: else the target stays open
);
COMMENT ON TYPE zcsync.merged_pair IS
'the pair of a record that was merged into another';

CREATE FUNCTION zcsync._merged_pairs(p_route bigint, p_ids bigint[]) RETURNS SETOF zcsync.merged_pair
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
	v_sources bigint[];
	v_winners bigint[];
BEGIN
	SELECT s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind,
		(SELECT x.place_field FROM zcsync._route_targets() AS x WHERE x.vendor = a.vendor AND x.kind = t.kind) AS place INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id JOIN zcsync.accounts a ON a.account_id = t.account_id
	WHERE r.route_id = p_route;
	SELECT array_agg(w.source_id), array_agg(w.winner_id) INTO v_sources, v_winners FROM zcsync._winners(v.source_kind, p_ids) AS w;
	IF v_sources IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		SELECT m.source_id, m.winner_id, l.link_id, l.target_id, s.remote_id, w.remote_id, s.status, l.agreed ->> 'status',
			coalesce(t.deleted_at IS NULL AND t.local_id IS NOT NULL, false), coalesce(t.deleted_at IS NULL AND t.remote_id IS NULL AND t.local_id IS NOT NULL, false),
			t.status, %3$s, coalesce(o.other_id, first_value(l.target_id) OVER heirs),
			o.other_id IS NULL AND row_number() OVER heirs = 1 AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL,
			coalesce(o.lives, true)
		FROM unnest($2, $3) AS m (source_id, winner_id)
		CROSS JOIN LATERAL (SELECT k.* FROM zcsync.%1$I AS k WHERE k.local_id = m.source_id OFFSET 0) AS s
		CROSS JOIN LATERAL (SELECT k.* FROM zcsync.%1$I AS k WHERE k.local_id = m.winner_id OFFSET 0) AS w
		LEFT JOIN LATERAL (SELECT k.* FROM zcsync.links AS k
			WHERE k.route_id = $1 AND k.source_id = m.source_id AND k.state IN ('linked', 'left') OFFSET 0) AS l ON true
		LEFT JOIN LATERAL (SELECT k.* FROM zcsync.%2$I AS k WHERE k.local_id = l.target_id OFFSET 0) AS t ON true
		LEFT JOIN LATERAL (SELECT p.other_id, p.state <> 'cancelled'
				AND EXISTS (SELECT FROM zcsync.%2$I AS x WHERE x.local_id = p.other_id AND x.deleted_at IS NULL) AS lives
			FROM zcsync._pairs_with(ARRAY[m.winner_id], $4, %2$L) AS p
			WHERE p.state <> 'unlinked' ORDER BY p.link_id LIMIT 1) AS o ON true
		WINDOW heirs AS (PARTITION BY m.winner_id
			ORDER BY (t.remote_id IS NOT NULL AND t.deleted_at IS NULL) DESC, l.state <> 'linked', l.shared, l.link_id)
		ORDER BY m.source_id$sql$, v.source_kind, v.target_kind, CASE WHEN v.place IS NULL THEN 'NULL::text' ELSE format('t.%I', v.place) END)
	USING p_route, v_sources, v_winners, v.target_account;
END
$$;
COMMENT ON FUNCTION zcsync._merged_pairs(bigint, bigint[]) IS
'the pairs of those of these source records of a route that were merged into others';

-- What a route does with the pair of a merged record: merge or move, with the comment as
-- new and the winner as agreed, and the closing status.  Where the winner is just being
-- paired with something that was found for it, the pair waits for the next turn.
CREATE FUNCTION zcsync._merge_steps(p_route bigint, p_pair zcsync.merged_pair, p_changes zcsync.route_change[]) RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_text text;
	v_status text;
BEGIN
	IF p_pair.link_id IS NULL OR p_pair.is_waiting THEN
		RETURN;
	ELSIF EXISTS (SELECT FROM unnest(p_changes) AS c WHERE c.source_id = p_pair.winner_id AND c.op = 'link') THEN
		RETURN NEXT ROW('wait', p_pair.link_id, p_pair.source_id, p_pair.target_id, NULL, NULL, NULL, NULL, NULL, NULL)::zcsync.route_change;
		RETURN;
	END IF;
	SELECT s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind, a.vendor AS target_vendor INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id JOIN zcsync.accounts a ON a.account_id = t.account_id
	WHERE r.route_id = p_route;
	IF p_pair.has_target THEN
		v_text := format('%s was merged into %s.', zcsync._named(v.source_kind, v.source_account, p_pair.source_record),
			zcsync._named(v.source_kind, v.source_account, p_pair.winner_record));
		v_text := upper(left(v_text, 1) COLLATE "C") || substr(v_text, 2);
	END IF;
	RETURN NEXT ROW(CASE WHEN p_pair.moves THEN 'move' ELSE 'merge' END, p_pair.link_id, p_pair.source_id, p_pair.target_id,
		NULL, NULL, to_jsonb(v_text), NULL, NULL, to_jsonb(p_pair.winner_id))::zcsync.route_change;
	IF NOT p_pair.has_target OR p_pair.moves OR NOT p_pair.other_lives OR p_pair.other_id = p_pair.target_id OR zcsync._closes(v.target_account, v.target_kind, p_pair.target_status) THEN
		RETURN;
	END IF;
	v_status := zcsync._merged_status(p_route, v.target_account, v.target_kind, p_pair.target_place, (
			SELECT c.new #>> '{}' FROM unnest(p_changes) AS c WHERE c.source_id = p_pair.source_id AND c.field = 'status' AND c.op = 'update' LIMIT 1),
		p_pair.agreed_status, p_pair.source_status);
	RETURN NEXT zcsync._closing_change(p_pair.link_id, p_pair.source_id, v.target_vendor, v.target_kind, p_pair.target_id, p_pair.target_status, v_status);
END
$$;
COMMENT ON FUNCTION zcsync._merge_steps(bigint, zcsync.merged_pair, zcsync.route_change[]) IS
'what a route does with the pair of a record that was merged into another';

-- What the counterparts of records are told that were made from others: op note.
CREATE FUNCTION zcsync._made_from_steps(p_route bigint, p_ids bigint[]) RETURNS SETOF zcsync.route_change
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.account_id AS source_account, s.kind AS source_kind, t.account_id AS target_account, t.kind AS target_kind INTO v
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE r.route_id = p_route;
	IF 'made_from_id' <> ALL (zcsync._own_columns(v.source_kind)) THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		SELECT 'note', l.link_id, l.source_id, l.target_id, NULL::text, NULL::jsonb, to_jsonb(format('Made from %%s%%s.',
			zcsync._named(%1$L, $2, s.made_from_id), ', whose counterpart is ' || CASE WHEN o.remote_id IS NOT NULL THEN zcsync._named(%2$L, $3, o.remote_id) END)), NULL::text, NULL::text, NULL::jsonb
		FROM unnest($4) AS i (id)
		CROSS JOIN LATERAL (SELECT k.* FROM zcsync.links AS k
			WHERE k.route_id = $1 AND k.source_id = i.id AND k.state = 'linked' AND k.copy_id = k.target_id AND NOT k.made_from_told OFFSET 0) AS l
		CROSS JOIN LATERAL (SELECT m.made_from_id FROM zcsync.%1$I AS m WHERE m.local_id = i.id AND m.made_from_id IS NOT NULL OFFSET 0) AS s
		CROSS JOIN LATERAL (SELECT FROM zcsync.%2$I AS m
			WHERE m.local_id = l.target_id AND m.remote_id IS NOT NULL AND m.deleted_at IS NULL OFFSET 0) AS t
		LEFT JOIN LATERAL (
			SELECT m.remote_id FROM zcsync.%1$I AS f
			CROSS JOIN LATERAL zcsync._pairs_with(ARRAY[f.local_id], $3, %2$L) AS p
			CROSS JOIN LATERAL (SELECT k.remote_id FROM zcsync.%2$I AS k WHERE k.local_id = p.other_id AND k.remote_id IS NOT NULL AND k.deleted_at IS NULL OFFSET 0) AS m
			WHERE f.account_id = $2 AND f.remote_id = s.made_from_id AND p.state IN ('linked', 'left')
			ORDER BY p.link_id LIMIT 1) AS o ON true
		ORDER BY l.source_id$sql$, v.source_kind, v.target_kind)
	USING p_route, v.source_account, v.target_account, p_ids;
END
$$;
COMMENT ON FUNCTION zcsync._made_from_steps(bigint, bigint[]) IS
'comments that say from which records the sources of copies were made';

-- The changes of a route, with what follows from merges in place of what it would do
-- with the losers.  A winner that is to get a loser's counterpart gets no new one.
CREATE FUNCTION zcsync._merge_sources(p_route bigint, p_ids bigint[], p_changes zcsync.route_change[]) RETURNS zcsync.route_change[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_pairs zcsync.merged_pair[] := ARRAY(SELECT p FROM zcsync._merged_pairs(p_route, p_ids) AS p);
	v_notes zcsync.route_change[] := ARRAY(SELECT n FROM zcsync._made_from_steps(p_route, p_ids) AS n);
	v_losers bigint[];
	v_heirs bigint[];
	v_steps zcsync.route_change[];
BEGIN
	IF v_pairs = '{}' THEN
		RETURN p_changes || v_notes;
	END IF;
	v_losers := ARRAY(SELECT p.source_id FROM unnest(v_pairs) AS p);
	v_steps := ARRAY(SELECT s FROM unnest(v_pairs) AS p CROSS JOIN LATERAL zcsync._merge_steps(p_route,
		ROW(p.*)::zcsync.merged_pair, p_changes) AS s);
	v_heirs := ARRAY(SELECT p.winner_id FROM unnest(v_pairs) AS p JOIN unnest(v_steps) AS s ON s.source_id = p.source_id AND s.op = 'move');
	RETURN ARRAY(SELECT c FROM unnest(p_changes || v_notes) AS c
			WHERE c.source_id <> ALL (v_losers) AND NOT (c.op IN ('create', 'error') AND c.target_id IS NULL AND c.source_id = ANY (v_heirs))) || v_steps;
END
$$;
COMMENT ON FUNCTION zcsync._merge_sources(bigint, bigint[], zcsync.route_change[]) IS
'the changes of a route, with what follows from merges of its source records';

-- ---------------------------------------------------------------------
-- Doing it
-- ---------------------------------------------------------------------

-- A comment of a route about a record; NULL where the vendor takes none, or none any
-- more.
CREATE FUNCTION zcsync._post_note(p_account bigint, p_kind text, p_target bigint, p_text text, p_origin zcsync.origin) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_comments zcsync.vendor_kind := zcsync._comment_kind(p_account);
	v_final text := (SELECT ((zcsync._kind_of(a.vendor, p_kind)).rules).final_status FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_target record;
	v_id bigint;
BEGIN
	EXECUTE format('SELECT m.remote_id, m.status, m.base ->> ''status'' AS base_status FROM zcsync.%I AS m WHERE m.local_id = $1', p_kind) INTO v_target USING p_target;
	IF coalesce(cardinality(v_comments.written), 0) = 0 OR v_final IN (v_target.status, v_target.base_status) THEN
		RETURN NULL;
	END IF;
	INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, is_private, sync_cause, sync_cause_id, sync_xid)
	VALUES (p_account, p_kind, v_target.remote_id, p_text, CASE WHEN v_comments.has_private THEN true END, p_origin.cause, p_origin.id, p_origin.xid)
	RETURNING local_id INTO v_id;
	INSERT INTO zcsync.comment_copies (copy_id, was_public, digest) VALUES (v_id, false, '');
	RETURN v_id;
END
$$;
COMMENT ON FUNCTION zcsync._post_note(bigint, text, bigint, text, zcsync.origin) IS
'writes a comment about a record, if its vendor takes comments; returns its local_id';

-- The loser's pair ends; returns that of the winner.
CREATE FUNCTION zcsync._end_merged(p_change zcsync.route_change) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_winner bigint := p_change.agreed::bigint;
	v_old zcsync.links;
	v_new bigint;
BEGIN
	UPDATE zcsync.links l SET state = 'unlinked', changed_at = zcsync._now() WHERE l.link_id = p_change.link_id RETURNING l.* INTO v_old;
	IF p_change.op = 'move' THEN
		INSERT INTO zcsync.links AS l (route_id, source_id, target_id, source_account, source_kind, target_account, target_kind, copy_id, shared,
			agreed, agreed_back, made_from_told, created_at)
		VALUES (v_old.route_id, v_winner, v_old.target_id, v_old.source_account, v_old.source_kind, v_old.target_account, v_old.target_kind,
			CASE WHEN v_old.copy_id = v_old.target_id THEN v_old.copy_id END, v_old.shared, v_old.agreed, v_old.agreed_back, true, zcsync._now())
		ON CONFLICT ON CONSTRAINT links_source_target_key DO UPDATE
		SET route_id = excluded.route_id, shared = excluded.shared, agreed = excluded.agreed, agreed_back = excluded.agreed_back,
			dropped = '{}', moved_to = NULL, state = 'linked', changed_at = zcsync._now()
		RETURNING l.link_id INTO v_new;
		-- what came back from the target to the loser is not said again to the winner
		UPDATE zcsync.comment_copies AS k SET link_id = v_new
		FROM zcsync.comments AS o
		WHERE k.link_id = v_old.link_id AND o.local_id = k.original_id AND o.account_id = v_old.target_account AND o.parent_kind = v_old.target_kind
			AND NOT EXISTS (SELECT FROM zcsync.comment_copies AS x WHERE x.original_id = k.original_id AND x.link_id = v_new);
	ELSE
		SELECT p.link_id INTO v_new FROM zcsync._pairs_with(ARRAY[v_winner], v_old.target_account, v_old.target_kind) AS p
		WHERE p.state <> 'unlinked' ORDER BY p.link_id LIMIT 1;
	END IF;
	UPDATE zcsync.links l SET moved_to = v_new WHERE l.link_id = p_change.link_id;
	RETURN v_new;
END
$$;
COMMENT ON FUNCTION zcsync._end_merged(zcsync.route_change) IS
'ends the pair of a record that was merged into another, whose pair it returns';

-- Do what _merge_sources() says; returns the comments that it wrote.  Moves come first,
-- so that several losers of one winner find its pair.
CREATE FUNCTION zcsync._write_merges(p_route bigint, p_changes zcsync.route_change[], p_origin zcsync.origin) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_change zcsync.route_change;
	v_link bigint;
	v_notes bigint[] := '{}';
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(p_changes) AS c WHERE c.op IN ('merge', 'move', 'note')) THEN
		RETURN v_notes;
	END IF;
	SELECT t.account_id AS target_account, t.kind AS target_kind INTO v
	FROM zcsync.routes r JOIN zcsync.streams t ON t.stream_id = r.target_stream_id WHERE r.route_id = p_route;
	FOR v_change IN
		SELECT c.* FROM unnest(p_changes) AS c WHERE c.op IN ('merge', 'move', 'note') ORDER BY c.op <> 'move', c.source_id
	LOOP
		IF v_change.op = 'note' THEN
			UPDATE zcsync.links l SET made_from_told = true, changed_at = zcsync._now() WHERE l.link_id = v_change.link_id;
		ELSE
			v_link := zcsync._end_merged(v_change);
		END IF;
		IF v_change.op = 'move' THEN
			PERFORM zcsync._queue_route_records(p_route, ARRAY[v_change.agreed::bigint]);
			PERFORM zcsync._queue_conversations(p_route, ARRAY[v_link]);
		END IF;
		IF v_change.new <> 'null' THEN
			v_notes := v_notes || zcsync._post_note(v.target_account, v.target_kind, v_change.target_id, v_change.new #>> '{}', p_origin);
		END IF;
	END LOOP;
	RETURN array_remove(v_notes, NULL);
END
$$;
COMMENT ON FUNCTION zcsync._write_merges(bigint, zcsync.route_change[], zcsync.origin) IS
'ends pairs of merged records and writes comments about it; returns the local ids of these';

-- A winner came, or the counterpart of a record is at its vendor now: queue the records
-- that waited for it.
CREATE FUNCTION zcsync._queue_merged(p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := '{}';
	v_targets bigint[];
	v_kind text;
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.routes r WHERE r.state = 'active') THEN
		RETURN;
	ELSIF p_old IS NULL AND 'merged_into_id' = ANY (zcsync._own_columns(p_kind)) THEN
		EXECUTE format($sql$
			SELECT coalesce(array_agg(m.local_id), '{}')
			FROM unnest($1, $2) AS w (account_id, local_id)
			CROSS JOIN LATERAL (SELECT k.remote_id FROM zcsync.%1$I AS k WHERE k.local_id = w.local_id AND k.remote_id IS NOT NULL OFFSET 0) AS k
			CROSS JOIN LATERAL (SELECT l.local_id FROM zcsync.%1$I AS l
				WHERE l.account_id = w.account_id AND l.merged_into_id = k.remote_id AND l.merged_into_id IS NOT NULL OFFSET 0) AS m$sql$, p_kind)
			INTO v_ids USING p_accounts, p_ids;
	ELSIF p_old IS NOT NULL THEN
		v_targets := ARRAY(SELECT w.local_id FROM unnest(p_ids, p_old) AS w (local_id, old) WHERE w.old ? 'remote_id');
		FOR v_kind IN SELECT DISTINCT l.source_kind FROM zcsync.links l WHERE l.target_id = ANY (v_targets) LOOP
			CONTINUE WHEN 'merged_into_id' <> ALL (zcsync._own_columns(v_kind));
			EXECUTE format($sql$
				SELECT $2 || array_agg(m.local_id)
				FROM unnest($1) AS i (id)
				CROSS JOIN LATERAL (SELECT k.source_id FROM zcsync.links AS k WHERE k.target_id = i.id AND k.source_kind = %1$L OFFSET 0) AS l
				CROSS JOIN LATERAL (SELECT k.local_id FROM zcsync.%1$I AS k
					WHERE k.local_id = l.source_id AND (k.merged_into_id IS NOT NULL OR k.made_from_id IS NOT NULL) OFFSET 0) AS m$sql$, v_kind)
				INTO v_ids USING v_targets, v_ids;
		END LOOP;
	END IF;
	IF v_ids = '{}' THEN
		RETURN;
	END IF;
	PERFORM zcsync._queue_route_records(l.route_id, array_agg(l.source_id))
	FROM unnest(v_ids) AS i (id)
	CROSS JOIN LATERAL (SELECT k.route_id, k.source_id FROM zcsync.links AS k WHERE k.source_id = i.id AND k.state IN ('linked', 'left') OFFSET 0) AS l
	JOIN zcsync.routes AS r ON r.route_id = l.route_id AND r.state = 'active'
	GROUP BY l.route_id;
END
$$;
COMMENT ON FUNCTION zcsync._queue_merged(text, bigint[], bigint[], jsonb[]) IS
'queues records that waited for the record into which they were merged, or for their counterpart';

-- Pairs whose source was merged into a record that is not here.
CREATE FUNCTION zcsync._unread_winners(p_def jsonb, OUT pairs bigint, OUT winner text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF 'merged_into_id' <> ALL (zcsync._own_columns(p_def ->> 'source_kind')) THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		SELECT count(*), p.source || min(m.merged_into_id)
		FROM (SELECT a.account_id, a.name || '/%1$s/' AS source, s.stream_id FROM zcsync.streams AS s JOIN zcsync.accounts AS a ON a.account_id = s.account_id
			WHERE s.stream_id = ($1 ->> 'source_stream_id')::bigint) AS p
		JOIN zcsync.%1$I AS m ON m.account_id = p.account_id AND m.merged_into_id IS NOT NULL
		WHERE EXISTS (SELECT FROM zcsync.links AS l WHERE l.route_id = ($1 ->> 'route_id')::bigint AND l.source_id = m.local_id AND l.state IN ('linked', 'left'))
			AND NOT EXISTS (SELECT FROM zcsync.%1$I AS w WHERE w.account_id = m.account_id AND w.remote_id = m.merged_into_id)
		GROUP BY p.source$sql$, p_def ->> 'source_kind') INTO pairs, winner USING p_def;
END
$$;
COMMENT ON FUNCTION zcsync._unread_winners(jsonb) IS
'how many pairs of a route have a source that was merged into a record that is not here, and one such record';

CREATE FUNCTION zcsync._check_route_merged(p_def jsonb) RETURNS TABLE (item text, ok boolean, message text, hint text)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'merged', true, format('%s pairs have a source that was merged into a record that is not here', u.pairs), format('SELECT zcsync.sync_ticket(%L);', u.winner)
	FROM zcsync._unread_winners(p_def) AS u WHERE u.pairs > 0
$$;
COMMENT ON FUNCTION zcsync._check_route_merged(jsonb) IS
'the row of check_route() about sources that were merged into records that are not here';
