-- ---------------------------------------------------------------------
-- Routes: comments.
--
-- A route may carry the comments of the pairs that it drives, each way by a rule of its
-- own (table route_comments).  What it makes at the other side is a copy, and a row of
-- comment_copies says of what: a copy is known by that row, never by its text.  A copy
-- is no original for any route, unless that route says relay.
--
-- Private text stays where only agents read.  Every function here asks _comment_sides()
-- what a place is:
--
-- - a vendor that has private comments: the copy of a private comment is private, and so
--   is what was written before the route carried comments; what goes to the target from a
--   vendor that has no private ones; and what comes back, unless the route says that it
--   may be public
-- - a vendor that has none: everybody who sees the record reads it, unless the route says
--   that the target is internal.  Private text, and what is older, does not get there
--
-- Of old comments, what this account itself wrote is left out: it may be a copy that
-- another installation made.
--
-- A comment that is made private, redacted or deleted after it was copied is withdrawn:
-- its copy is made private where that is possible, and its text is replaced where it can
-- be changed.
--
-- A job is one pair; it writes rows of zcsync.comments, which are then sent as any other
-- row is.  While a comment of ours is on its way to a record, or it is not known whether
-- it arrived, none of that record are carried on: one of them may be that comment.  They also
-- wait while earlier comments of the record may not have been read yet, so that copies
-- stay in order.
-- ---------------------------------------------------------------------

-- The two ends of pairs, once for each way in which the route carries comments.
CREATE TYPE zcsync.comment_side AS (
	link_id bigint,
	source_id bigint,			-- the pair's source record, whichever way the comments go
	back boolean,				-- from the target of the route to its source
	rule text,					-- public or all
	marker text,
	from_account bigint,
	from_kind text,
	from_record text,			-- remote id
	from_made timestamptz,
	from_has_private boolean,	-- the vendor there has private comments
	from_opening boolean,		-- the first comment there is the description of the record
	from_login text,			-- the author of what this account writes there
	to_account bigint,
	to_kind text,
	to_record text,
	to_has_private boolean,
	to_is_open boolean,			-- there are no private comments, and others than agents read what is there
	to_changes text[],			-- what can be changed in a comment there
	to_authors boolean,			-- a comment there can name another author than this account
	to_form text,				-- html or blocks
	public boolean,				-- comments that are public may be public at the other side
	wanted boolean,				-- comments are carried this way; false: those that were are only withdrawn
	relay boolean,
	old boolean,
	hold interval,
	since timestamptz,
	attachments text			-- what becomes of the files of comments: none, link or copy
);
COMMENT ON TYPE zcsync.comment_side IS
'a pair of records, and how comments of one go to the other';

CREATE FUNCTION zcsync._comment_sides(p_route bigint, p_links bigint[]) RETURNS SETOF zcsync.comment_side
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v record;
BEGIN
	SELECT s.account_id AS source_account, s.kind AS source_kind, zcsync._comment_kind(s.account_id) AS source_comments,
		t.account_id AS target_account, t.kind AS target_kind, zcsync._comment_kind(t.account_id) AS target_comments, c.* INTO v
	FROM zcsync.route_comments c
	JOIN zcsync.routes r ON r.route_id = c.route_id
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	WHERE c.route_id = p_route;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		SELECT l.link_id, l.source_id, w.back, w.rule, w.marker,
			w.from_account, w.from_kind, CASE WHEN w.back THEN t.remote_id ELSE s.remote_id END,
			CASE WHEN w.back THEN t.created_at ELSE s.created_at END, (w.from_comments).has_private, (w.from_comments).opening,
			(SELECT a.login_id FROM zcsync.accounts AS a WHERE a.account_id = w.from_account),
			w.to_account, w.to_kind, CASE WHEN w.back THEN s.remote_id ELSE t.remote_id END,
			(w.to_comments).has_private, NOT (w.to_comments).has_private AND (w.back OR NOT $10),
			ARRAY(SELECT unnest((w.to_comments).written) EXCEPT SELECT unnest((w.to_comments).create_only)),
			(w.to_comments).names_author, (w.to_comments).text_form,
			w.public, w.rule <> 'none' AND l.state = 'linked', $11, $12, $13, $14, $15
		FROM zcsync.links AS l
		CROSS JOIN LATERAL (SELECT m.remote_id, m.created_at, m.deleted_at FROM zcsync.%I AS m WHERE m.local_id = l.source_id OFFSET 0) AS s
		CROSS JOIN LATERAL (SELECT m.remote_id, m.created_at, m.deleted_at FROM zcsync.%I AS m WHERE m.local_id = l.target_id OFFSET 0) AS t
		CROSS JOIN LATERAL (VALUES
			(false, $3, $4, l.source_account, l.source_kind, $5, l.target_account, l.target_kind, $6, true),
			(true, $7, $8, l.target_account, l.target_kind, $6, l.source_account, l.source_kind, $5, $9)) AS w (back, rule, marker,
				from_account, from_kind, from_comments, to_account, to_kind, to_comments, public)
		WHERE l.link_id = ANY ($1) AND l.route_id = $2 AND l.state <> 'cancelled'
				AND ((w.rule <> 'none' AND l.state = 'linked') OR EXISTS (SELECT FROM zcsync.comment_copies AS k WHERE k.link_id = l.link_id))
			AND s.remote_id IS NOT NULL AND t.remote_id IS NOT NULL AND s.deleted_at IS NULL AND t.deleted_at IS NULL$sql$,
		v.source_kind, v.target_kind)
	USING p_links, p_route, v.comments, v.marker, v.source_comments, v.target_comments, v.comments_back, v.marker_back, v.public_back,
		v.target_is_internal, v.relay, v.old, v.hold, v.since, v.attachments;
END
$$;
COMMENT ON FUNCTION zcsync._comment_sides(bigint, bigint[]) IS
'the ways in which a route carries comments of pairs';

CREATE FUNCTION zcsync._comment_kind(p_account bigint) RETURNS zcsync.vendor_kind
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._kind_of(a.vendor, 'comments') FROM zcsync.accounts a WHERE a.account_id = p_account
$$;
COMMENT ON FUNCTION zcsync._comment_kind(bigint) IS
'what the vendor of an account says of comments';

-- ---------------------------------------------------------------------
-- What is to be done
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.comment_step AS (
	op text,				-- create, update, withdraw; wait: create it, but not before the time; stale: the copy cannot be changed; late: nor can it name new files
	link_id bigint,
	back boolean,
	original_id bigint,		-- local ids
	copy_id bigint,
	is_private boolean,		-- of the copy; NULL: there are no private comments there
	digest text,			-- of what is copied
	wait_until timestamptz,
	is_old boolean			-- from before the route carried comments
);
COMMENT ON TYPE zcsync.comment_step IS
'what a route has to do about a comment';

-- What a route looks at of a comment.
CREATE TYPE zcsync.original AS (
	account_id bigint,
	local_id bigint,
	remote_id text,
	author_id text,
	author_name text,
	body text,
	rich_body jsonb,
	reply_to text,
	is_private boolean,
	is_redacted boolean,
	created_at timestamptz,
	deleted_at timestamptz
);
COMMENT ON TYPE zcsync.original IS
'a comment of which a route makes a copy';

-- Is it a comment that a person took for the other side, by what its text begins with?
CREATE FUNCTION zcsync._has_marker(p_text text, p_marker text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_marker IS NULL OR starts_with(ltrim(p_text, E' \t\r\n'), p_marker)
		AND substr(ltrim(p_text, E' \t\r\n'), length(p_marker) + 1, 1) ~ '^([[:space:]]|$)';
END;
COMMENT ON FUNCTION zcsync._has_marker(text, text) IS
'does a text begin with a marker? yes if there is no marker';

-- What a copy is made of: changes of anything else do not change it.
CREATE FUNCTION zcsync._comment_digest(p_body text, p_rich jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT md5(coalesce(p_body, '') || E'\n' || coalesce(p_rich::text, ''));
END;
COMMENT ON FUNCTION zcsync._comment_digest(text, jsonb) IS
'a digest of the text of a comment';

-- Is a comment a copy, or the copy of a copy, of one of this record?  Routes that relay
-- could otherwise go in a circle.
CREATE FUNCTION zcsync._began_in(p_comment bigint, p_account bigint, p_kind text, p_record text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE chain (id) AS (
		SELECT k.original_id FROM zcsync.comment_copies AS k WHERE k.copy_id = p_comment
		UNION
		SELECT k.original_id FROM chain AS h JOIN zcsync.comment_copies AS k ON k.copy_id = h.id)
	SELECT EXISTS (SELECT FROM chain AS h JOIN zcsync.comments AS c ON c.local_id = h.id
		WHERE c.account_id = p_account AND c.parent_kind = p_kind AND c.parent_id = p_record)
$$;
COMMENT ON FUNCTION zcsync._began_in(bigint, bigint, text, text) IS
'was a comment copied, over one route or several, from a comment of this record?';

-- The comments of one end of a pair that the route may know: those that exist at their
-- vendor, and are neither a copy that the route must not carry on, nor the description.
CREATE FUNCTION zcsync._originals_of(p_side zcsync.comment_side) RETURNS SETOF zcsync.original
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_opening bigint;
BEGIN
	IF p_side.from_opening THEN
		SELECT c.local_id INTO v_opening FROM zcsync.comments c
		WHERE c.account_id = p_side.from_account AND c.parent_id = p_side.from_record AND c.parent_kind = p_side.from_kind
			AND c.remote_id IS NOT NULL AND c.created_at <= p_side.from_made + interval '5 seconds'
		ORDER BY c.created_at, length(c.remote_id), c.remote_id COLLATE "C" LIMIT 1;
	END IF;
	RETURN QUERY
	SELECT c.account_id, c.local_id, c.remote_id, c.author_id, c.author_name, c.body, c.rich_body, c.reply_to, c.is_private, c.is_redacted, c.created_at, c.deleted_at
	FROM zcsync.comments c
	WHERE c.account_id = p_side.from_account AND c.parent_id = p_side.from_record AND c.parent_kind = p_side.from_kind
		AND c.remote_id IS NOT NULL AND c.local_id IS DISTINCT FROM v_opening
		AND (EXISTS (SELECT FROM zcsync.comment_copies o WHERE o.original_id = c.local_id AND o.link_id = p_side.link_id)
			OR NOT EXISTS (SELECT FROM zcsync.comment_copies k
			WHERE k.copy_id = c.local_id AND (k.original_id IS NULL OR NOT p_side.relay OR zcsync._began_in(c.local_id, p_side.to_account, p_side.to_kind, p_side.to_record))));
END
$$;
COMMENT ON FUNCTION zcsync._originals_of(zcsync.comment_side) IS
'comments of one end of a pair that are originals to its route';

CREATE FUNCTION zcsync._original(p_id bigint) RETURNS zcsync.original
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ROW(c.account_id, c.local_id, c.remote_id, c.author_id, c.author_name, c.body, c.rich_body, c.reply_to, c.is_private, c.is_redacted,
		c.created_at, c.deleted_at)::zcsync.original
	FROM zcsync.comments c WHERE c.local_id = p_id
$$;
COMMENT ON FUNCTION zcsync._original(bigint) IS
'a comment, as a route looks at it';

-- Is a comment of ours on its way to a record, or is it unknown whether it arrived?
CREATE FUNCTION zcsync._is_posting(p_account bigint, p_kind text, p_record text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM zcsync.comments c
		WHERE c.account_id = p_account AND c.parent_id = p_record AND c.parent_kind = p_kind
			AND c.remote_id IS NULL AND c.deleted_at IS NULL AND (c.sync_state = 'pending'
				OR EXISTS (SELECT FROM zcsync.dead_letters d WHERE d.local_id = c.local_id AND d.unclear_since IS NOT NULL)));
END
$$;
COMMENT ON FUNCTION zcsync._is_posting(bigint, text, text) IS
'is a comment of ours on its way to a record?';

-- May comments of a record be here without those before them?  After an hour nobody waits
-- for these any more.
CREATE FUNCTION zcsync._is_partial(p_account bigint, p_kind text, p_record text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.conversations c
		WHERE c.account_id = p_account AND c.kind = p_kind AND c.remote_id = p_record AND c.partial_at > zcsync._now() - interval '1 hour')
$$;
COMMENT ON FUNCTION zcsync._is_partial(bigint, text, text) IS
'may comments of a record be here without those that were written before?';

-- The steps for one way of a pair, in the order in which the comments were written.
CREATE FUNCTION zcsync._comment_steps_of(p_side zcsync.comment_side) RETURNS SETOF zcsync.comment_step
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
	WITH files AS MATERIALIZED (
		SELECT f.comment_id, array_agg(f.local_id) AS ids FROM zcsync._files_in(p_side.from_account, p_side.from_kind, p_side.from_record) AS f GROUP BY f.comment_id)
	SELECT s.op, p_side.link_id, p_side.back, c.local_id, k.copy_id, d.is_private, d.digest,
		CASE s.op WHEN 'wait' THEN c.created_at + p_side.hold END, d.is_old
	FROM zcsync._originals_of(p_side) AS c
	LEFT JOIN files AS f ON f.comment_id = c.remote_id
	-- also if the pair was made anew since
	LEFT JOIN LATERAL (
		SELECT o.*, t.is_private AS is_hidden, t.local_id IS NOT NULL AND t.remote_id IS NULL AS is_new FROM zcsync.comment_copies AS o LEFT JOIN zcsync.comments AS t ON t.local_id = o.copy_id
		WHERE o.original_id = c.local_id AND (o.link_id = p_side.link_id
			OR (t.account_id = p_side.to_account AND t.parent_kind = p_side.to_kind AND t.parent_id = p_side.to_record))
		ORDER BY o.copy_id LIMIT 1) AS k ON true
	CROSS JOIN LATERAL (SELECT
		(p_side.from_has_private AND c.is_private IS DISTINCT FROM false)
			-- a copy for agents alone, at a vendor that has no private comments
			OR (NOT p_side.from_has_private AND EXISTS (SELECT FROM zcsync.comment_copies AS o WHERE o.copy_id = c.local_id AND NOT o.was_public)) AS is_secret,
		(c.created_at >= p_side.since) IS NOT TRUE AS is_old,	-- also where its time is not known
		c.deleted_at IS NOT NULL AS is_gone,
		zcsync._comment_digest(c.body, c.rich_body) AS digest,
		f.ids IS NOT NULL AS has_files,
		EXISTS (SELECT FROM unnest(f.ids) AS i (id)		-- or that could not be copied
			WHERE NOT EXISTS (SELECT FROM zcsync.attachment_copies AS o WHERE o.copy_id = k.copy_id AND o.attachment_id = i.id AND o.state <> 'refused')) AS has_new_files,
		'body' = ANY (p_side.to_changes) OR (k.is_new AND k.digest = zcsync._comment_digest(c.body, c.rich_body) AND NOT EXISTS (SELECT FROM zcsync.sync_queue AS q
			WHERE q.account_id = p_side.to_account AND q.local_id = k.copy_id AND (q.state = 'running' OR q.sent IS NOT NULL OR q.unclear_since IS NOT NULL))) AS is_open) AS x
	CROSS JOIN LATERAL (SELECT x.*,
		CASE WHEN p_side.to_has_private THEN x.is_secret OR x.is_old OR NOT p_side.public OR NOT (p_side.from_has_private OR p_side.back) END AS is_private,
		p_side.wanted AND NOT x.is_gone
			AND (btrim(coalesce(c.body, '')) <> '' OR (p_side.attachments <> 'none' AND x.has_files))
			AND (p_side.rule = 'all' OR NOT x.is_secret)
			AND NOT (p_side.to_is_open AND (x.is_secret OR x.is_old)) AND (NOT x.is_old OR (p_side.old AND p_side.from_login <> '' AND c.author_id IS DISTINCT FROM p_side.from_login))
			AND zcsync._has_marker(c.body, p_side.marker) AS is_wanted) AS d
	CROSS JOIN LATERAL (SELECT CASE
		WHEN k.copy_id IS NULL AND d.is_wanted IS NOT TRUE THEN NULL
		WHEN k.copy_id IS NULL AND d.is_private IS NOT TRUE AND (p_side.to_has_private OR p_side.to_is_open)
			AND c.created_at + p_side.hold > zcsync._now() THEN 'wait'
		WHEN k.copy_id IS NULL THEN 'create'
		WHEN k.state = 'withdrawn' THEN NULL
		-- others than agents see the copy, or the original is gone
		WHEN d.is_gone OR (x.is_secret AND (k.was_public OR p_side.to_is_open))
				OR (k.digest <> d.digest AND (c.is_redacted OR NOT zcsync._has_marker(c.body, p_side.marker))) THEN
			CASE WHEN 'body' = ANY (p_side.to_changes) AND k.digest <> d.digest AND c.is_redacted AND NOT d.is_gone THEN 'update'
				WHEN 'body' = ANY (p_side.to_changes) OR ('is_private' = ANY (p_side.to_changes) AND k.is_hidden IS NOT TRUE) THEN 'withdraw'
				WHEN k.state <> 'stale' THEN 'stale' END
		WHEN NOT p_side.wanted OR (k.digest = d.digest AND NOT x.has_new_files) THEN NULL
		WHEN x.is_open THEN 'update'
		WHEN k.digest = d.digest THEN 'late'
		WHEN k.state <> 'stale' THEN 'stale' END) AS s (op)
	WHERE s.op IS NOT NULL
	ORDER BY c.created_at, length(c.remote_id), c.remote_id COLLATE "C"
$$;
COMMENT ON FUNCTION zcsync._comment_steps_of(zcsync.comment_side) IS
'what a route has to do about the comments of one end of a pair, in their order';

-- ---------------------------------------------------------------------
-- The text of a copy
-- ---------------------------------------------------------------------

-- Who wrote a comment, for people: Ann Example (agent), answering Bob, 2026-01-31 09:00 UTC.
CREATE FUNCTION zcsync._comment_heading(p_comment zcsync.original) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT left(coalesce(nullif(btrim(p_comment.author_name), ''), c.name, 'somebody'), 200) || coalesce(' (' || left(c.role, 50) || ')', '')
		|| coalesce(', answering ' || left(r.author_name, 200), '')
		|| coalesce(', ' || to_char(p_comment.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', '')
	FROM (SELECT) AS x
	LEFT JOIN zcsync.contacts AS c ON c.account_id = p_comment.account_id AND c.remote_id = p_comment.author_id
		AND (zcsync._members_are(p_comment.account_id)).field IS NULL	-- else contacts and authors are numbered apart
	LEFT JOIN zcsync.comments AS r ON r.account_id = p_comment.account_id AND r.remote_id = p_comment.reply_to
$$;
COMMENT ON FUNCTION zcsync._comment_heading(zcsync.original) IS
'who wrote a comment, and when';

-- The e-mail address of a member: from the catalogue of members, or from the contacts who
-- are members.  The sender of a mail proves nothing: anybody can write any address there.
CREATE FUNCTION zcsync._email_of(p_account bigint, p_person text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT c.email FROM zcsync.contacts c WHERE m.field IS NULL AND c.account_id = p_account AND c.remote_id = p_person AND c.deleted_at IS NULL
			AND (m.roles IS NULL OR c.role = ANY (m.roles)) AND strpos(c.email, '@') > 0),
		(SELECT o.member ->> 'email' FROM zcsync.fields f CROSS JOIN LATERAL jsonb_array_elements(zcsync._json_list(f.options)) AS o (member)
		WHERE f.account_id = p_account AND f.remote_id = m.field AND f.deleted_at IS NULL AND o.member ->> 'id' = p_person AND strpos(o.member ->> 'email', '@') > 0 LIMIT 1))
	FROM zcsync._members_are(p_account) AS m
$$;
COMMENT ON FUNCTION zcsync._email_of(bigint, text) IS
'the e-mail address of somebody at a vendor; NULL: not known';

-- Placeholders are broken: a vendor could put other texts of the record in their place.
CREATE FUNCTION zcsync._without_placeholders(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT replace(replace(p_text, '{{', '{ {'), '{%', '{ %');
END;
COMMENT ON FUNCTION zcsync._without_placeholders(text) IS
'a text in which no vendor finds a placeholder';

-- The values of a copy.  Where the vendor lets a comment name its author, and a person
-- there has the author's e-mail address, that person is the author; elsewhere the text
-- begins with the author's name.  A marker is cut off, and with it the formatting.  The files of the
-- comment are named below it.
CREATE FUNCTION zcsync._copy_of(p_side zcsync.comment_side, p_comment zcsync.original, p_copy bigint DEFAULT NULL,
	OUT body text, OUT rich_body jsonb, OUT author_id text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_form text := CASE WHEN p_side.marker IS NOT NULL THEN 'text' ELSE CASE jsonb_typeof(p_comment.rich_body) WHEN 'string' THEN 'html'
		WHEN 'array' THEN 'blocks' ELSE 'text' END END;
	v_content jsonb := CASE WHEN p_side.marker IS NOT NULL
		THEN to_jsonb(ltrim(substr(ltrim(p_comment.body, E' \t\r\n'), length(p_side.marker) + 1), E' \t\r\n'))
		WHEN v_form = 'text' THEN to_jsonb(coalesce(p_comment.body, '')) ELSE p_comment.rich_body END;
	v_files text := zcsync._without_placeholders(zcsync._file_lines(p_comment.account_id, p_comment.remote_id, p_side.attachments, p_copy));
	v_options jsonb;
BEGIN
	IF p_side.attachments = 'none' THEN
		v_files := NULL;
	END IF;
	IF p_side.to_authors THEN
		author_id := zcsync._member_id(p_side.to_account, zcsync._email_of(p_side.from_account, p_comment.author_id));
	END IF;
	v_options := jsonb_build_object('max_length', 20000, 'link', zcsync.record_url(p_side.from_account, p_side.from_kind, p_side.from_record),
		'prefix', CASE WHEN author_id IS NULL OR (v_files IS NULL AND btrim(coalesce(p_comment.body, '')) = '') THEN zcsync._comment_heading(p_comment) END,
		'suffix', v_files);
	v_content := zcsync._without_placeholders(v_content::text)::jsonb;
	rich_body := zcsync._convert_comment(v_form, v_content, p_side.to_form, v_options);
	body := zcsync._convert_comment(v_form, v_content, 'text', v_options) #>> '{}';
END
$$;
COMMENT ON FUNCTION zcsync._copy_of(zcsync.comment_side, zcsync.original, bigint) IS
'the text and the author that the copy of a comment has';

-- ---------------------------------------------------------------------
-- Writing it
-- ---------------------------------------------------------------------

-- New copies, in the order of the steps: they are sent in the order of their local ids.
CREATE FUNCTION zcsync._make_copies(p_route bigint, p_side zcsync.comment_side, p_steps zcsync.comment_step[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_origin zcsync.origin;
	v_step zcsync.comment_step;
	v_comment zcsync.original;
	v_copy record;
	v_id bigint;
	v_ids bigint[] := '{}';
BEGIN
	FOREACH v_step IN ARRAY p_steps LOOP
		EXIT WHEN v_step.op = 'wait';	-- what follows keeps its place
		CONTINUE WHEN v_step.op <> 'create';
		v_comment := zcsync._original(v_step.original_id);
		v_copy := zcsync._copy_of(p_side, v_comment);
		v_origin := zcsync._origin_of(CASE WHEN v_step.is_old THEN 'backfill' ELSE 'route' END, p_route);
		INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, rich_body, is_private, author_id, sync_cause, sync_cause_id, sync_xid)
		VALUES (p_side.to_account, p_side.to_kind, p_side.to_record, v_copy.body, v_copy.rich_body, v_step.is_private, v_copy.author_id,
			v_origin.cause, v_origin.id, v_origin.xid)
		RETURNING local_id INTO v_id;
		INSERT INTO zcsync.comment_copies (copy_id, original_id, route_id, link_id, was_public, digest)
		VALUES (v_id, v_step.original_id, p_route, p_side.link_id, v_step.is_private IS NOT TRUE AND (p_side.to_has_private OR p_side.to_is_open), v_step.digest);
		PERFORM zcsync._note_files(v_id, v_comment.account_id, v_comment.remote_id, p_side.attachments);
		v_ids := v_ids || v_id;
		EXIT WHEN cardinality(v_ids) >= 50;		-- the rest is for another transaction
	END LOOP;
	RETURN v_ids;
END
$$;
COMMENT ON FUNCTION zcsync._make_copies(bigint, zcsync.comment_side, zcsync.comment_step[]) IS
'makes the copies that steps want; returns their local ids';

-- Write a change of an original to its copy, or withdraw the copy.
CREATE FUNCTION zcsync._change_copy(p_route bigint, p_side zcsync.comment_side, p_step zcsync.comment_step) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_origin zcsync.origin := zcsync._origin_of('route', p_route);
	v_hides boolean := p_step.op = 'withdraw' AND 'is_private' = ANY (p_side.to_changes);
	v_comment zcsync.original;
	v_copy record;
BEGIN
	SELECT NULL::text AS body, NULL::jsonb AS rich_body INTO v_copy;	-- where nothing of the text changes
	v_comment := zcsync._original(p_step.original_id);
	IF p_step.op = 'update' THEN
		v_copy := zcsync._copy_of(p_side, v_comment, p_step.copy_id);
	ELSIF 'body' = ANY (p_side.to_changes) AND (NOT v_hides OR v_comment.deleted_at IS NOT NULL OR v_comment.is_redacted) THEN
		SELECT 'This comment was withdrawn.' AS body, zcsync._convert_comment('text', '"This comment was withdrawn."', p_side.to_form, '{}') AS rich_body INTO v_copy;
	END IF;
	UPDATE zcsync.comments AS c
	SET body = coalesce(v_copy.body, c.body),
		rich_body = CASE WHEN v_copy.body IS NULL THEN c.rich_body ELSE v_copy.rich_body END,
		is_private = CASE WHEN v_hides THEN true ELSE c.is_private END,
		sync_cause = v_origin.cause, sync_cause_id = v_origin.id, sync_xid = v_origin.xid
	WHERE c.account_id = p_side.to_account AND c.local_id = p_step.copy_id AND c.deleted_at IS NULL;
	IF p_step.op = 'withdraw' THEN
		PERFORM zcsync._withdraw_files(p_step.copy_id);
	ELSE
		PERFORM zcsync._note_files(p_step.copy_id, v_comment.account_id, v_comment.remote_id, p_side.attachments);
	END IF;
	UPDATE zcsync.comment_copies k
	SET digest = p_step.digest, state = CASE p_step.op WHEN 'withdraw' THEN 'withdrawn' ELSE 'copied' END, changed_at = zcsync._now()
	WHERE k.copy_id = p_step.copy_id;
END
$$;
COMMENT ON FUNCTION zcsync._change_copy(bigint, zcsync.comment_side, zcsync.comment_step) IS
'changes or withdraws the copy of a comment';

-- ---------------------------------------------------------------------
-- Jobs
-- ---------------------------------------------------------------------

-- Queue the comments of pairs of a route; NULL: of all its pairs.
CREATE FUNCTION zcsync._queue_conversations(p_route bigint, p_links bigint[] DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(j.jobs, true)
	FROM (
		SELECT array_agg(x.job ORDER BY x.link_id) AS jobs
		FROM (
			SELECT l.link_id, row_number() OVER (ORDER BY l.link_id) AS n, zcsync._job(s.account_id, 'route', 'conversation', '', k.key, k.key, '{}',
				p_stream => s.stream_id, p_route => r.route_id, p_kind => s.kind, p_local_id => l.source_id) AS job
			FROM zcsync.routes AS r
			JOIN zcsync.route_comments AS c ON c.route_id = r.route_id
			JOIN zcsync.streams AS s ON s.stream_id = r.source_stream_id
			JOIN zcsync.links AS l ON l.route_id = r.route_id AND l.state <> 'cancelled' AND (p_links IS NULL OR l.link_id = ANY (p_links))
			CROSS JOIN LATERAL (SELECT format('conversation/%s/%s', r.route_id, l.source_id)) AS k (key)
			WHERE r.route_id = p_route AND (((c.comments <> 'none' OR c.comments_back <> 'none' OR c.time_outcome IS NOT NULL) AND l.state = 'linked')
				OR EXISTS (SELECT FROM zcsync.comment_copies AS o WHERE o.link_id = l.link_id))) AS x
		GROUP BY (x.n - 1) / 5000) AS j
	WHERE j.jobs IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._queue_conversations(bigint, bigint[]) IS
'queues the comments of pairs of a route, or of all its pairs';

-- Comments were written, or their files or the time of their records were seen, or records
-- got their remote ids: queue the pairs of these records.
CREATE FUNCTION zcsync._converse(p_kind text, p_ids bigint[], p_old jsonb[], p_origins zcsync.origin[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := '{}';
	v record;
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.route_comments) THEN
		RETURN;
	END IF;
	IF p_kind IN ('comments', 'attachments')
		OR (p_kind = 'time_entries' AND (EXISTS (SELECT FROM zcsync.route_comments c WHERE c.time_outcome IS NOT NULL) OR EXISTS (SELECT FROM zcsync.time_copies))) THEN
		-- what a route makes has no remote id yet; what it changes may have copies of its own
		FOR v IN EXECUTE format($sql$
			SELECT c.account_id, c.parent_kind AS kind, array_agg(DISTINCT c.parent_id) AS records
			FROM unnest($1, $2) AS w (local_id, cause, cause_id, xid) JOIN zcsync.%I AS c ON c.local_id = w.local_id
			WHERE (w.cause NOT IN ('route', 'backfill', 'state') OR $3) AND c.parent_kind = ANY (zcsync._kinds())
			GROUP BY c.account_id, c.parent_kind$sql$, p_kind) USING p_ids, p_origins, p_old IS NOT NULL
		LOOP
			EXECUTE format('SELECT $1 || array_agg(m.local_id) FROM zcsync.%I AS m WHERE m.account_id = $2 AND m.remote_id = ANY ($3)', v.kind)
				INTO v_ids USING v_ids, v.account_id, v.records;
		END LOOP;
		PERFORM zcsync._queue_conversations(k.route_id, array_agg(k.link_id))	-- where time was noted before it moved to another record
		FROM zcsync.time_copies t JOIN zcsync.comment_copies k ON k.copy_id = t.copy_id
		WHERE p_kind = 'time_entries' AND t.entry_id = ANY (p_ids) AND k.route_id IS NOT NULL AND k.link_id IS NOT NULL
		GROUP BY k.route_id;
	ELSIF p_old IS NOT NULL THEN
		SELECT coalesce(array_agg(w.local_id), '{}') INTO v_ids FROM unnest(p_ids, p_old) AS w (local_id, old) WHERE w.old ? 'remote_id';
	END IF;
	PERFORM zcsync._queue_conversations(l.route_id, array_agg(l.link_id))
	FROM unnest(v_ids) AS i (id)
	CROSS JOIN LATERAL (
		SELECT k.link_id, k.route_id FROM zcsync.links k WHERE k.source_id = i.id
		UNION
		SELECT k.link_id, k.route_id FROM zcsync.links k WHERE k.target_id = i.id
		OFFSET 0) AS l
	WHERE l.route_id IS NOT NULL
	GROUP BY l.route_id;
END
$$;
COMMENT ON FUNCTION zcsync._converse(text, bigint[], jsonb[], zcsync.origin[]) IS
'queues the pairs to which comments were written, or of which files or time were seen';

-- What a person has to know of the comments of a pair; without a code it is over.
CREATE FUNCTION zcsync._note_conversation(p_route bigint, p_source bigint, p_back boolean, p_code text, p_message text, p_of text DEFAULT 'comments') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_field text := CASE WHEN p_back THEN 'back:' ELSE '' END || p_of;
BEGIN
	IF p_code IS NULL THEN
		DELETE FROM zcsync.route_errors e WHERE e.route_id = p_route AND e.source_id = p_source AND e.field = v_field;
		RETURN;
	END IF;
	INSERT INTO zcsync.route_errors AS e (route_id, source_id, field, code, message, hint, first_at, last_at)
	VALUES (p_route, p_source, v_field, p_code, left(p_message, 2000),
		zcsync._route_error_hint((SELECT r.name FROM zcsync.routes r WHERE r.route_id = p_route), p_code, v_field, NULL), zcsync._now(), zcsync._now())
	ON CONFLICT (route_id, source_id, field) DO UPDATE
	SET code = excluded.code, message = excluded.message, hint = excluded.hint, last_at = excluded.last_at, count = e.count + 1;
END
$$;
COMMENT ON FUNCTION zcsync._note_conversation(bigint, bigint, boolean, text, text, text) IS
'records what a person has to know of the comments of a pair, or that it is over';

-- Carry the comments of a pair one way; returns the rows that were written.
CREATE FUNCTION zcsync._carry_comments(p_route bigint, p_side zcsync.comment_side, OUT written bigint[], OUT wait_until timestamptz, OUT busy boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_steps zcsync.comment_step[];
	v_step zcsync.comment_step;
	v_locked bigint[];
	v_stale bigint;
BEGIN
	written := '{}';
	busy := false;
	PERFORM zcsync._give_up_files(p_side);
	v_steps := ARRAY(SELECT s FROM zcsync._comment_steps_of(p_side) AS s);
	IF NOT EXISTS (SELECT FROM unnest(v_steps) AS s WHERE s.op IN ('create', 'wait')) THEN
		NULL;
	ELSIF zcsync._is_posting(p_side.from_account, p_side.from_kind, p_side.from_record) THEN
		-- one of these may be a comment of ours; the reply wakes this job earlier
		wait_until := zcsync._now() + interval '1 minute';
	ELSIF zcsync._is_partial(p_side.from_account, p_side.from_kind, p_side.from_record) THEN
		wait_until := zcsync._now() + interval '5 seconds';
	ELSIF p_side.attachments <> 'none' AND zcsync._is_reading(p_side.from_account, p_side.from_kind, p_side.from_record) THEN
		wait_until := zcsync._now() + interval '2 seconds';
	ELSE
		written := zcsync._make_copies(p_route, p_side, v_steps);
		wait_until := CASE WHEN cardinality(written) >= 50 THEN zcsync._now()
			ELSE (SELECT min(s.wait_until) FROM unnest(v_steps) AS s WHERE s.op = 'wait') END;
	END IF;
	v_locked := zcsync._lock_rows(p_side.to_account, 'comments',
		ARRAY(SELECT s.copy_id FROM unnest(v_steps) AS s WHERE s.op IN ('update', 'withdraw')), false);
	FOREACH v_step IN ARRAY v_steps LOOP
		IF v_step.op IN ('update', 'withdraw') AND v_step.copy_id <> ALL (v_locked)
			AND EXISTS (SELECT FROM zcsync.comments c WHERE c.local_id = v_step.copy_id) THEN
			busy := true;	-- somebody has it
			wait_until := least(wait_until, zcsync._now() + interval '1 second');
			CONTINUE;
		ELSIF v_step.op IN ('update', 'withdraw') THEN
			PERFORM zcsync._change_copy(p_route, p_side, v_step);
			written := written || v_step.copy_id;
		ELSIF v_step.op = 'stale' THEN
			UPDATE zcsync.comment_copies k SET state = 'stale', changed_at = zcsync._now() WHERE k.copy_id = v_step.copy_id;
		ELSIF v_step.op = 'late' THEN
			PERFORM zcsync._note_files(v_step.copy_id, o.account_id, o.remote_id, p_side.attachments, 'it was added after its comment had been copied')
			FROM zcsync._original(v_step.original_id) AS o;
		END IF;
		IF v_step.op = 'withdraw' AND EXISTS (SELECT FROM zcsync.comment_copies k WHERE k.copy_id = v_step.copy_id AND k.was_public) THEN
			PERFORM zcsync._report_withdrawn(p_side, v_step.copy_id);
		END IF;
	END LOOP;
	wait_until := least(wait_until, zcsync._copy_files(p_side));
	-- old comments wait until those of this account itself can be told from others
	IF p_side.old AND p_side.wanted AND p_side.from_login IS NULL THEN
		PERFORM zcsync._ask_login(p_side.from_account);
		wait_until := least(wait_until, zcsync._now() + interval '1 minute');
	END IF;
	PERFORM zcsync._report_files(p_route, p_side);
	SELECT count(*) INTO v_stale FROM zcsync.comment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id
	WHERE k.link_id = p_side.link_id AND k.state = 'stale' AND c.account_id = p_side.to_account;
	PERFORM zcsync._note_conversation(p_route, p_side.source_id, p_side.back, CASE WHEN v_stale > 0 THEN 'comment_stale' END,
		format('comments that were edited, redacted or deleted after they had been copied, where the copies cannot be changed: %s', v_stale));
END
$$;
COMMENT ON FUNCTION zcsync._carry_comments(bigint, zcsync.comment_side) IS
'carries the comments of a pair one way; returns the rows that it wrote, when it has to look again, and whether somebody held a copy that it has to change';

-- A comment that others than agents could read was withdrawn: an alert says so, since it
-- may have been read or mailed.
CREATE FUNCTION zcsync._report_withdrawn(p_side zcsync.comment_side, p_copy bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_copy zcsync.comments;
	v_record text := zcsync.reference(p_side.to_account, p_side.to_kind, p_side.to_record, NULL);
BEGIN
	SELECT c.* INTO v_copy FROM zcsync.comments c WHERE c.local_id = p_copy;
	IF v_copy.remote_id IS NOT NULL OR EXISTS (SELECT FROM zcsync.sync_queue q WHERE q.local_id = p_copy AND q.sent IS NOT NULL) THEN
		PERFORM zcsync._alert('comment_was_public', v_record, 'warning',
			format('a comment of %s was withdrawn after others could read it since %s; it may have been read, or mailed', v_record,
				to_char(coalesce(v_copy.created_at, (SELECT k.created_at FROM zcsync.comment_copies k WHERE k.copy_id = p_copy)) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'),
			format('Look at the record, then: SELECT zcsync.close_alert(%L, %L);', 'comment_was_public', v_record));
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._report_withdrawn(zcsync.comment_side, bigint) IS
'tells that a comment was withdrawn which others than agents could read';

-- The jobs of routes that may carry comments now: see _due_routes().
CREATE FUNCTION zcsync._due_conversations(p_max integer) RETURNS TABLE (job_id bigint, route_id bigint, link_id bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE		-- its plan is kept, since it is called very often
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.route_comments c JOIN zcsync.routes r ON r.route_id = c.route_id WHERE r.state = 'active') THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT j.job_id, r.route_id, (SELECT l.link_id FROM zcsync.links l WHERE l.route_id = r.route_id AND l.source_id = j.local_id AND l.state <> 'cancelled' ORDER BY l.state <> 'linked', l.link_id DESC LIMIT 1)
	FROM zcsync.route_comments c
	JOIN zcsync.routes r ON r.route_id = c.route_id
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
	CROSS JOIN LATERAL (
		SELECT q.job_id, q.local_id, q.run_at FROM zcsync.sync_queue q
		WHERE q.route_id = r.route_id AND q.operation = 'conversation' AND q.state = 'ready' AND q.run_at <= zcsync._now()
		ORDER BY q.run_at, q.job_id LIMIT p_max) AS j
	WHERE r.state = 'active'
		AND EXISTS (SELECT FROM zcsync.queues qs WHERE qs.name = 'route' AND qs.state = 'active')
		AND ((t.reads_awaited = 0 AND t.jobs_awaited IS NULL) OR NOT zcsync._is_awaited(t.stream_id))
		AND ((s.reads_awaited = 0 AND s.jobs_awaited IS NULL) OR NOT zcsync._is_awaited(s.stream_id))
	ORDER BY j.run_at, j.job_id
	LIMIT p_max;
END
$$;
COMMENT ON FUNCTION zcsync._due_conversations(integer) IS
'jobs of active routes whose comments are due';

CREATE FUNCTION zcsync._has_due_conversations() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync._due_conversations(1))
$$;
COMMENT ON FUNCTION zcsync._has_due_conversations() IS
'has a route comments to carry?';

-- One pair.  An error is the pair's own: what was written is undone, and it is tried
-- again with the next comment, or after a while.  Returns when to look again; NULL: when
-- something is written.
CREATE FUNCTION zcsync._run_conversation(p_job bigint, p_route bigint, p_link bigint) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
DECLARE
	v_side zcsync.comment_side;
	v_carried record;
	v_wait timestamptz;
	v_written bigint[] := '{}';
	v_failed boolean := false;
BEGIN
	FOR v_side IN SELECT * FROM zcsync._comment_sides(p_route, ARRAY[p_link]) LOOP
		BEGIN
			v_carried := zcsync._carry_comments(p_route, v_side);
			v_written := v_written || v_carried.written;
			v_wait := least(v_wait, v_carried.wait_until);
			v_failed := v_failed OR v_carried.busy;
		EXCEPTION WHEN OTHERS THEN
			IF zcsync._is_servers_error(SQLSTATE) THEN
				RAISE;
			END IF;
			v_failed := true;
			PERFORM zcsync._note_conversation(p_route, v_side.source_id, v_side.back, 'comment_failed', SQLERRM);
			v_wait := least(v_wait, zcsync._now() + interval '10 minutes');
		END;
	END LOOP;
	BEGIN
		IF zcsync._has_noted_time(p_route) THEN
			v_carried := zcsync._carry_time(p_route, p_link);
			v_written := v_written || v_carried.written;
			v_wait := least(v_wait, v_carried.wait_until);
			PERFORM zcsync._note_conversation(p_route, l.source_id, false, NULL, NULL, 'time') FROM zcsync.links l WHERE l.link_id = p_link;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		IF zcsync._is_servers_error(SQLSTATE) THEN
			RAISE;
		END IF;
		PERFORM zcsync._note_conversation(p_route, l.source_id, false, 'comment_failed', SQLERRM, 'time') FROM zcsync.links l WHERE l.link_id = p_link;
		v_wait := least(v_wait, zcsync._now() + interval '10 minutes');
	END;
	IF v_written <> '{}' THEN
		PERFORM zcsync._brake_route(p_route, ARRAY(
			SELECT c.local_id FROM zcsync.comments c WHERE c.local_id = ANY (v_written) AND c.sync_cause = 'route' ORDER BY c.local_id));
		INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, kind, local_id, route_id, status, attempts, queued_at, created_at)
		SELECT q.job_id, q.account_id, q.queue, q.operation, q.kind, q.local_id, q.route_id, 'updated', greatest(q.attempts, 1), q.created_at, zcsync._now()
		FROM zcsync.sync_queue q WHERE q.job_id = p_job;
	END IF;
	IF NOT v_failed THEN	-- else one of them may still have to be withdrawn
		PERFORM zcsync._release_copies(p_route, p_link);
	END IF;
	RETURN v_wait;
END
$$;
COMMENT ON FUNCTION zcsync._run_conversation(bigint, bigint, bigint) IS
'carries the comments of a pair both ways, and its time; returns when it has to look again';

-- Count the attempt to carry comments, before it is made and in a transaction of its own:
-- a text might end the process that converts it, and then nothing can be written any
-- more.  A pair whose last attempt did not end is tried again alone; if that ends the
-- process, too, its route is paused.  Returns the job that may run, or 0 for none; NULL:
-- all that are due may run.
CREATE FUNCTION zcsync._begin_conversations() RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v record;
	v_jobs bigint[] := '{}';
BEGIN
	FOR v IN
		SELECT q.job_id, q.route_id, q.kind, q.local_id, q.attempts FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (ARRAY(SELECT d.job_id FROM zcsync._due_conversations(15) d)) AND q.state = 'ready'
		ORDER BY q.job_id FOR UPDATE SKIP LOCKED
	LOOP
		-- while somebody runs the route, a second attempt is not counted
		CONTINUE WHEN v.attempts > 0 AND NOT pg_try_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v.route_id % 2147483647)::integer);
		IF v.attempts >= 2 THEN
			CONTINUE WHEN NOT zcsync._pause_faulty_route(v.route_id, format('a comment of %s or of its counterpart ended the process that carried it, twice',
				zcsync.reference(v.kind, v.local_id)), 'Delete that comment at its vendor, or end the pair, then: SELECT zcsync.resume_route(%L);');
			UPDATE zcsync.sync_queue q SET attempts = 0 WHERE q.job_id = v.job_id;
			RETURN 0;	-- none: the others are counted next time
		ELSIF v.attempts = 1 THEN
			UPDATE zcsync.sync_queue q SET attempts = 2 WHERE q.job_id = v.job_id;
			RETURN v.job_id;
		ELSE
			v_jobs := v_jobs || v.job_id;
		END IF;
	END LOOP;
	UPDATE zcsync.sync_queue q SET attempts = 1 WHERE q.job_id = ANY (v_jobs);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._begin_conversations() IS
'counts the attempt to carry comments of pairs; returns the job that must run alone';

-- The jobs that were begun did not end, but not because of a comment: the attempt no
-- longer counts.
CREATE FUNCTION zcsync._stop_conversations(p_alone bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
	UPDATE zcsync.sync_queue q SET attempts = q.attempts - 1
	FROM (SELECT k.job_id FROM zcsync.sync_queue k
		WHERE k.job_id = ANY (ARRAY(SELECT d.job_id FROM zcsync._due_conversations(15) d)) AND k.attempts > 0
			AND CASE WHEN p_alone IS NULL THEN k.attempts = 1 ELSE k.job_id = p_alone END
		FOR UPDATE SKIP LOCKED) AS o
	WHERE q.job_id = o.job_id
$$;
COMMENT ON FUNCTION zcsync._stop_conversations(bigint) IS
'takes back the attempt to carry comments that somebody else interrupted';

-- Nothing here waits for a lock: a job that somebody is joining is left for the next
-- turn, and so are a route of which somebody runs a batch and a pair of which something
-- is locked.  Few pairs are done at a time, since each may take four subtransactions.
CREATE FUNCTION zcsync._run_conversation_jobs(p_max integer DEFAULT 200, p_started bigint DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_job record;
	v_wait timestamptz;
	v_begun bigint[] := '{}';
	v_done integer := 0;
BEGIN
	FOR v_job IN
		SELECT d.* FROM zcsync._due_conversations(least(p_max, 15)) AS d
		WHERE CASE WHEN p_started IS NOT NULL THEN d.job_id = p_started
			-- the route of others is to be paused
			ELSE (SELECT q.attempts < 2 FROM zcsync.sync_queue q WHERE q.job_id = d.job_id) END
		ORDER BY d.route_id, d.job_id
	LOOP
		v_begun := v_begun || v_job.job_id;
		CONTINUE WHEN NOT pg_try_advisory_xact_lock('zcsync.routes'::regclass::oid::integer, (v_job.route_id % 2147483647)::integer);
		PERFORM FROM zcsync.routes r WHERE r.route_id = v_job.route_id AND r.state = 'active' FOR NO KEY UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		PERFORM FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id AND q.state = 'ready' FOR UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		BEGIN
			v_wait := zcsync._run_conversation(v_job.job_id, v_job.route_id, v_job.link_id);
		EXCEPTION WHEN lock_not_available THEN
			v_wait := zcsync._now() + interval '1 second';	-- somebody writes one of the copies, for example
		END;
		IF v_wait IS NULL THEN
			DELETE FROM zcsync.sync_queue q WHERE q.job_id = v_job.job_id;
		ELSE
			UPDATE zcsync.sync_queue q SET attempts = 0, run_at = greatest(v_wait, zcsync._now() + interval '100 ms') WHERE q.job_id = v_job.job_id;
		END IF;
		v_done := v_done + 1;
	END LOOP;
	UPDATE zcsync.sync_queue q SET attempts = 0		-- those that somebody had locked
	FROM (SELECT k.job_id FROM zcsync.sync_queue k WHERE k.job_id = ANY (v_begun) AND k.attempts > 0 FOR UPDATE SKIP LOCKED) AS o
	WHERE q.job_id = o.job_id;
	RETURN v_done;
END
$$;
COMMENT ON FUNCTION zcsync._run_conversation_jobs(integer, bigint) IS
'carries comments of pairs of active routes, without HTTP and without waiting for locks; returns how many jobs ended or were put off';

CREATE FUNCTION zcsync._operation_conversation() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('conversation', p_start => 'zcsync._begin_conversations()'::regprocedure,
		p_stopped => 'zcsync._stop_conversations(bigint)'::regprocedure, p_run => 'zcsync._run_conversation_jobs(integer, bigint)'::regprocedure,
		p_has_due => 'zcsync._has_due_conversations()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._operation_conversation() IS
'operation conversation: carries the comments of a pair of records';
