-- ---------------------------------------------------------------------
-- Merging: documents, values, disputes.  src/merge.c has the rules, src/value.c says
-- which values are the same, and take.sql says what is merged here.
-- ---------------------------------------------------------------------

-- What became of a document that was merged into a row.
CREATE TYPE zcsync.merged_document AS (
	local_id bigint,
	stored boolean,			-- was the row written?
	differs boolean,		-- does the row have values that are still to be sent?
	disputes jsonb			-- the columns that both sides had changed; see src/merge_row.c
);
COMMENT ON TYPE zcsync.merged_document IS
'what became of a document that was merged into a row';

-- Merge a document into a row.  src/merge_row.c explains all arguments, src/merge.c the
-- rules.  The result has the columns of the row and then base jsonb (NULL: it stays),
-- written bigint (the columns that got another value, as bits, the first column as the
-- lowest), differs boolean (is anything to be sent?), undecided boolean (must a person
-- decide?) and disputes jsonb.
CREATE FUNCTION zcsync._merge_row(p_mine record, p_names text[], p_edited boolean, p_base jsonb, p_theirs jsonb,
	p_sent jsonb, p_answered boolean, p_pushable text[], p_policies jsonb, p_newer text[], p_open text[],
	p_rank_function regprocedure DEFAULT NULL, p_account bigint DEFAULT NULL, p_local_id bigint DEFAULT NULL) RETURNS record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_merge_row';
COMMENT ON FUNCTION zcsync._merge_row(record, text[], boolean, jsonb, jsonb, jsonb, boolean, text[], jsonb, text[], text[], regprocedure, bigint, bigint) IS
'a row merged with the values of a document, the new base, and what the two sides disputed';

-- The new value of a field at the other end of a pair.  p_mine is the value of this
-- end, p_base the value on which both last agreed, p_theirs the value of the other end.
-- If both ends changed it, p_mine wins; a set is merged element by element.
CREATE FUNCTION zcsync._merge_value(p_mine jsonb, p_base jsonb, p_theirs jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_merge_value';
COMMENT ON FUNCTION zcsync._merge_value(jsonb, jsonb, jsonb) IS
'the new value of a field at the other end of a pair, from the value of this end, the value last agreed on and the value of the other end';

-- Lists are compared as sets, and a missing list equals an empty one.  With p_alike,
-- forms that vendors give to values do not count either: upper and lower case, white
-- space at both ends, a number as a text.  SQL NULL equals JSON null.  See src/value.c.
CREATE FUNCTION zcsync._same_value(p_a jsonb, p_b jsonb, p_alike boolean DEFAULT false) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_same_value';
COMMENT ON FUNCTION zcsync._same_value(jsonb, jsonb, boolean) IS
'are two values the same?';

-- The columns named, in the row's order, whose values differ from those in the object.
-- A column that the object lacks counts as null there; times are texts in UTC.
CREATE FUNCTION zcsync._differing(p_base jsonb, p_columns text[], p_row record) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_differing';
COMMENT ON FUNCTION zcsync._differing(jsonb, text[], record) IS
'the columns of a row that differ from the members of an object, with the values of the row';

-- The columns in which the new row differs from the old one, as two objects with the
-- values before and after; both are NULL if no column differs.
CREATE FUNCTION zcsync._changed_columns(p_before record, p_after record, p_names text[], OUT old jsonb, OUT new jsonb)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_changed_columns';
COMMENT ON FUNCTION zcsync._changed_columns(record, record, text[]) IS
'the columns in which two states of a row differ, with their values before and after';

-- The columns of a new row that have a value, an empty object being none.
CREATE FUNCTION zcsync._given_columns(p_row record, p_names text[]) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_given_columns';
COMMENT ON FUNCTION zcsync._given_columns(record, text[]) IS
'those of the named columns of a row that have a value, as an object; NULL: none has one';

CREATE FUNCTION zcsync._columns_of(p_rows jsonb[]) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_columns_of';
COMMENT ON FUNCTION zcsync._columns_of(jsonb[]) IS
'the names of the columns that these objects have, each once; NULL: none';

CREATE FUNCTION zcsync._differing_keys(p_base jsonb, p_object jsonb) RETURNS text[]
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'zcsync_differing_keys';
COMMENT ON FUNCTION zcsync._differing_keys(jsonb, jsonb) IS
'the keys whose values differ in two objects, a missing one being null; NULL when there are none';

-- The next version, where versions are numbers: for a record that was changed by a push
-- whose reply names no version.  A page that was read before the push is then older.
CREATE FUNCTION zcsync._next_version(p_version text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN length(p_version) BETWEEN 1 AND 17 AND btrim(p_version, '0123456789') = ''
		THEN (p_version::bigint + 1)::text ELSE p_version END;
END;
COMMENT ON FUNCTION zcsync._next_version(text) IS
'the version after this one, if versions are numbers; otherwise this one';

-- ---------------------------------------------------------------------
-- Disputes
-- ---------------------------------------------------------------------

-- The values that lost a dispute, and those that won, as rows for zcsync.changes: one
-- row for each side that lost a value.
CREATE FUNCTION zcsync._lost_values(p_disputes jsonb) RETURNS TABLE (old jsonb, new jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_object_agg(c.name, c.old), jsonb_object_agg(c.name, c.new)
	FROM (
		SELECT d ->> 'end' AS winner, d ->> 'column' AS name,
			CASE WHEN bool_or(d ? 'key') THEN jsonb_object_agg(coalesce(d ->> 'key', ''), l.loser) ELSE (array_agg(l.loser))[1] END AS old,
			CASE WHEN bool_or(d ? 'key') THEN jsonb_object_agg(coalesce(d ->> 'key', ''), l.winner) ELSE (array_agg(l.winner))[1] END AS new
		FROM jsonb_array_elements(p_disputes) AS d
		CROSS JOIN LATERAL (SELECT CASE d ->> 'end' WHEN 'remote' THEN d -> 'mine' ELSE d -> 'theirs' END AS loser,
			CASE d ->> 'end' WHEN 'remote' THEN d -> 'theirs' ELSE d -> 'mine' END AS winner) AS l
		WHERE d ->> 'end' IN ('remote', 'local')
		GROUP BY 1, 2) AS c
	GROUP BY c.winner;
END;
COMMENT ON FUNCTION zcsync._lost_values(jsonb) IS
'the values that lost in disputes, with those that won, by columns';

-- Store which fields a person must decide, and close what is decided.
CREATE FUNCTION zcsync._note_conflicts(p_account bigint, p_kind text, p_merged zcsync.merged_document[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_dispute record;
BEGIN
	FOR v_dispute IN
		SELECT m.local_id, concat_ws('/', d ->> 'column', d ->> 'key') AS field, d ->> 'end' AS how, d -> 'mine' AS mine, d -> 'theirs' AS theirs
		FROM unnest(p_merged) AS m CROSS JOIN LATERAL jsonb_array_elements(m.disputes) AS d
		WHERE d ->> 'end' IN ('undecided', 'settled')
		ORDER BY 1, 2
	LOOP
		IF v_dispute.how = 'settled' THEN
			UPDATE zcsync.conflicts c SET resolved_at = zcsync._now()
			WHERE c.account_id = p_account AND c.local_id = v_dispute.local_id AND c.field = v_dispute.field AND c.resolved_at IS NULL;
		ELSE
			INSERT INTO zcsync.conflicts AS c (account_id, kind, local_id, field, mine, theirs, created_at, changed_at)
			VALUES (p_account, p_kind, v_dispute.local_id, v_dispute.field, v_dispute.mine, v_dispute.theirs, zcsync._now(), zcsync._now())
			ON CONFLICT (account_id, local_id, field) WHERE resolved_at IS NULL DO UPDATE
				SET mine = excluded.mine, theirs = excluded.theirs, changed_at = excluded.changed_at;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._note_conflicts(bigint, text, zcsync.merged_document[]) IS
'keeps the open rows of zcsync.conflicts in step with what merging found';

-- The fields of a row that a person must decide: columns, and keys of custom fields as
-- "custom_fields/key"; NULL: none.
CREATE FUNCTION zcsync._open_conflicts(p_account bigint, p_local_id bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(c.field) FROM zcsync.conflicts c
	WHERE c.account_id = p_account AND c.local_id = p_local_id AND c.resolved_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._open_conflicts(bigint, bigint) IS
'the fields of a row that a person must decide; NULL: none';

-- The base that a push of a row in conflict compares with.  In this base a column that
-- a person must decide has the row's own value, so that it is not sent.
CREATE FUNCTION zcsync._push_base(p_kind text, p_account bigint, p_local_id bigint, p_base jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_row jsonb;
	v_base jsonb := p_base;
	v_path text[];
BEGIN
	EXECUTE format('SELECT to_jsonb(t) FROM zcsync.%I AS t WHERE t.account_id = $1 AND t.local_id = $2', p_kind)
		INTO v_row USING p_account, p_local_id;
	FOR v_path IN
		SELECT CASE WHEN starts_with(f, 'custom_fields/') THEN ARRAY['custom_fields', substr(f, 15)] ELSE ARRAY[f] END
		FROM unnest(zcsync._open_conflicts(p_account, p_local_id)) AS f
	LOOP
		v_base := CASE WHEN v_row #> v_path IS NULL THEN v_base #- v_path ELSE jsonb_set(v_base, v_path, v_row #> v_path) END;
	END LOOP;
	RETURN v_base;
END
$$;
COMMENT ON FUNCTION zcsync._push_base(text, bigint, bigint, jsonb) IS
'the base of a row, with the row''s own value in each column that a person must decide';

-- The fields of a row whose value wins over the vendor's by default, because a route
-- wrote it there from another record; the listeners know which.  They are named as in
-- _open_conflicts().  Called only where both sides changed a field.
CREATE FUNCTION zcsync._outranking_fields(p_account bigint, p_local_id bigint) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT f FROM zcsync._listeners() AS l
		CROSS JOIN LATERAL unnest(zcsync._ask_outranking(l.outranking, p_account, p_local_id)) AS f
		WHERE l.outranking IS NOT NULL);
END
$$;
COMMENT ON FUNCTION zcsync._outranking_fields(bigint, bigint) IS
'the fields of a row whose value wins over the vendor''s by default where both changed';

-- Columns that were changed here, by people or routes, later than at the vendor.
CREATE FUNCTION zcsync._newer_columns(p_account bigint, p_local_id bigint, p_theirs_at timestamptz) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(DISTINCT k)
	FROM zcsync.changes h CROSS JOIN LATERAL jsonb_object_keys(h.new) AS k
	WHERE h.local_id = p_local_id AND h.account_id = p_account AND h.created_at > p_theirs_at
		AND h.action <> 'lost' AND h.cause NOT IN ('pull', 'push')
$$;
COMMENT ON FUNCTION zcsync._newer_columns(bigint, bigint, timestamptz) IS
'the columns of a row that were changed here after that time';
