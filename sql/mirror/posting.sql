-- ---------------------------------------------------------------------
-- Comments that are written here: a row of zcsync.comments without remote_id is posted.
--
-- It takes the way of all writes: triggers check it (notice.sql), queue its push, count
-- it for the write brake, and the reply is a document that is merged (push.sql).  What
-- differs:
--
--   stream   comments have none; that of their record says whether writing is allowed
--   order    the comments of a record are posted in the order of their local ids: a post
--            waits while an earlier one of the same record is in the queue, also for its
--            next attempt or held.  One that failed for good, or was cancelled, waits for a
--            person and holds up nothing.  Posting and reading of one record's comments exclude each other
--   reading  an edit does not wait for a read: only a comment's author edits it
--   mark     a comment has no place for one.  A post whose reply was lost is looked up
--            among the comments of its record: written by this account's own login,
--            since shortly before it was first sent, with the text that was sent, and not
--            one that another row of this database made (so of two equal texts each is
--            found once).  Vendors give a text back in another form, so texts are
--            compared without markup and space.
--
-- The login is asked once for an account, before its first post, and noted
-- (accounts.login_id) until other credentials are set.  A create keeps the login that
-- sent it (sync_queue.lookup_floor).  Credentials may be files, which somebody can
-- replace unseen, so the login is asked again before a look-up, and both count.
--
-- A vendor's hooks (vendor/contract.sql) are comment_fault, which says why a comment
-- cannot be written; comment_request, which makes what is sent; comment_reply, the
-- comment that a reply shows; and login.  Look-ups read as the operation comments does,
-- with comments_request and comments_next.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- What may be written
-- ---------------------------------------------------------------------

-- The values agreed on of the record to which a comment belongs; NULL: it is not here,
-- or deleted.
CREATE FUNCTION zcsync._comment_parent(p_account bigint, p_kind text, p_remote_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_base jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(p.base, ''{}'') FROM zcsync.%I AS p WHERE p.account_id = $1 AND p.remote_id = $2 AND p.deleted_at IS NULL', p_kind)
		INTO v_base USING p_account, p_remote_id;
	RETURN v_base;
END
$$;
COMMENT ON FUNCTION zcsync._comment_parent(bigint, text, text) IS
'the values agreed on of the record to which a comment belongs; NULL: there is none';

-- Why a comment cannot be written, whatever the vendor: its row, and its record as above.
CREATE FUNCTION zcsync._comment_fault(p_row jsonb, p_parent jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN p_row ->> 'remote_id' IS NULL AND p_row ->> 'parent_id' IS NULL THEN
			jsonb_build_object('code', 'not_null_violation', 'message', 'a comment must say which record it is of',
				'hint', format('Set parent_id to the remote_id of a row of zcsync.%I.', p_row ->> 'parent_kind'))
		WHEN p_row ->> 'remote_id' IS NULL AND p_parent IS NULL THEN
			jsonb_build_object('code', 'undefined_object', 'message', format('record "%s" is not in the mirror',
					zcsync.reference((p_row ->> 'account_id')::bigint, p_row ->> 'parent_kind', left(p_row ->> 'parent_id', 100), NULL)),
				'hint', format('parent_id is the remote_id of a row of zcsync.%I whose record exists at the vendor.', p_row ->> 'parent_kind'))
		WHEN coalesce(btrim(p_row ->> 'body', E' \t\r\n'), '') = '' AND coalesce(p_row -> 'rich_body', 'null') IN ('null', '""', '[]') THEN
			jsonb_build_object('code', 'not_null_violation', 'message', 'a comment needs a text', 'hint', 'Set body, or rich_body.')
		WHEN p_row ->> 'remote_id' IS NULL AND p_row ->> 'reply_to' IS NOT NULL AND NOT EXISTS (
				SELECT FROM zcsync.comments AS r WHERE r.account_id = (p_row ->> 'account_id')::bigint AND r.remote_id = p_row ->> 'reply_to'
					AND r.parent_kind = p_row ->> 'parent_kind' AND r.parent_id = p_row ->> 'parent_id' AND r.reply_to IS NULL AND r.deleted_at IS NULL) THEN
			jsonb_build_object('code', 'undefined_object',
				'message', format('comment "%s" of this record is not in the mirror', left(p_row ->> 'reply_to', 100)),
				'hint', 'reply_to must be the remote_id of a top-level comment of the same record.')
	END
$$;
COMMENT ON FUNCTION zcsync._comment_fault(jsonb, jsonb) IS
'why a comment cannot be written, whatever its vendor; NULL: nothing speaks against it';

-- Raise an error unless these written comments of an account can be sent.
CREATE FUNCTION zcsync._check_comments(p_account bigint, p_ids bigint[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off	-- whatever the statistics of the tables say
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
	v_account zcsync.accounts;
	v_vendor zcsync.vendor;
	v_kinds text[];
	v_kind text;
	v_fault jsonb;
BEGIN
	SELECT * INTO STRICT v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	v_vendor := zcsync._vendor_of(v_account.vendor);
	v_kinds := ARRAY(SELECT k.kind FROM unnest(v_vendor.kinds) AS k WHERE k.comments IS NOT NULL);
	FOR v_kind IN
		SELECT DISTINCT coalesce(c.parent_kind, '') FROM unnest(p_ids) AS i (id)
		CROSS JOIN LATERAL (SELECT * FROM zcsync.comments AS k WHERE k.local_id = i.id OFFSET 0) AS c
	LOOP
		IF v_kind = '' THEN
			RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = 'a comment must say of which kind its record is',
				HINT = 'Set parent_kind, and parent_id to the remote_id of the record.';
		ELSIF v_kind <> ALL (v_kinds) AND cardinality(zcsync._pushable(v_vendor.name, 'comments')) > 0 THEN
			RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
				MESSAGE = format('records of kind "%s" have no comments at %s', left(v_kind, 100), v_vendor.title),
				HINT = format('parent_kind is one of: %s.', array_to_string(v_kinds, ', '));
		END IF;
		PERFORM zcsync._check_write(p_account, 'comments', p_columns, v_kind);
		EXECUTE format($sql$
			SELECT f.fault
			FROM unnest($2) AS i (id)
			CROSS JOIN LATERAL (SELECT * FROM zcsync.comments AS k WHERE k.local_id = i.id AND k.parent_kind = $3 OFFSET 0) AS c
			LEFT JOIN LATERAL (SELECT * FROM zcsync.%1$I AS r WHERE r.account_id = $1 AND r.remote_id = c.parent_id AND r.deleted_at IS NULL OFFSET 0) AS p ON true
			CROSS JOIN LATERAL (SELECT to_jsonb(c), CASE WHEN p.local_id IS NOT NULL THEN coalesce(p.base, '{}') END OFFSET 0) AS x (row, parent)
			CROSS JOIN LATERAL (SELECT coalesce(zcsync._comment_fault(x.row, x.parent),
				%2$s(x.row, CASE WHEN c.remote_id IS NULL THEN '{}' ELSE coalesce(c.base, '{}') END, x.parent)) OFFSET 0) AS f (fault)
			WHERE f.fault IS NOT NULL
			LIMIT 1$sql$, v_kind, v_vendor.comment_fault::regproc)
			INTO v_fault USING p_account, p_ids, v_kind;
		IF v_fault IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = coalesce(v_fault ->> 'code', 'feature_not_supported'), MESSAGE = v_fault ->> 'message',
				HINT = coalesce(v_fault ->> 'hint', '');
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._check_comments(bigint, bigint[], text[]) IS
'raises an error unless these comments, as they were written here, can be sent';

-- ---------------------------------------------------------------------
-- Their jobs
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._comment_pushes(p_accounts bigint[], p_ids bigint[], p_origins zcsync.origin[]) RETURNS zcsync.new_job[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(zcsync._job(w.account_id, zcsync._kind_queue(s.kind), 'push', zcsync._push_class(w.account_id),
		zcsync._conversation_key(s.stream_id, c.parent_id), format('push/comments/%s', w.local_id),
		p_priority => CASE w.cause WHEN 'backfill' THEN 70 ELSE 50 END, p_stream => s.stream_id, p_kind => 'comments', p_local_id => w.local_id,
		p_route => CASE WHEN w.cause IN ('route', 'backfill') THEN w.cause_id END) ORDER BY w.local_id)
	FROM unnest(p_accounts, p_ids, p_origins) AS w (account_id, local_id, cause, cause_id, xid)
	CROSS JOIN LATERAL (SELECT k.parent_kind, k.parent_id FROM zcsync.comments AS k WHERE k.local_id = w.local_id OFFSET 0) AS c
	JOIN zcsync.streams AS s ON s.account_id = w.account_id AND s.kind = c.parent_kind
$$;
COMMENT ON FUNCTION zcsync._comment_pushes(bigint[], bigint[], zcsync.origin[]) IS
'the pushes of written comments';

-- Those of these jobs that would post a comment before an earlier one of its record.  A
-- job that runs has the same key as they, so they are not claimed beside it.
CREATE FUNCTION zcsync._posts_behind(p_jobs bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN ARRAY(
		SELECT q.job_id
		FROM zcsync.sync_queue q
		CROSS JOIN LATERAL (SELECT * FROM zcsync.comments AS k WHERE k.local_id = q.local_id AND k.remote_id IS NULL OFFSET 0) AS c
		WHERE q.job_id = ANY (p_jobs) AND EXISTS (
			SELECT FROM zcsync.comments e
			CROSS JOIN LATERAL (SELECT FROM zcsync.sync_queue w
				WHERE w.local_id = e.local_id AND w.state <> 'running' AND w.operation = 'push' AND w.cancelled IS NULL AND w.account_id = c.account_id LIMIT 1) AS w
			WHERE e.account_id = c.account_id AND e.parent_id = c.parent_id AND e.parent_kind = c.parent_kind
				AND e.remote_id IS NULL AND e.local_id < c.local_id));
END
$$;
COMMENT ON FUNCTION zcsync._posts_behind(bigint[]) IS
'which of these jobs must wait, since an earlier comment of the same record is to be posted first';

-- These comments were posted, or failed for good: those behind them are due, if they wait
-- for nothing else.
CREATE FUNCTION zcsync._release_posts(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.sync_queue q SET run_at = zcsync._now()
	WHERE q.job_id IN (
		SELECT w.job_id
		FROM zcsync.comments c
		JOIN zcsync.comments l ON l.account_id = c.account_id AND l.parent_id = c.parent_id AND l.parent_kind = c.parent_kind
			AND l.remote_id IS NULL AND l.local_id > c.local_id
		JOIN zcsync.sync_queue w ON w.local_id = l.local_id AND w.account_id = l.account_id
		WHERE c.local_id = ANY (p_ids) AND w.state = 'ready' AND w.run_at > zcsync._now() AND w.last_class IS NULL
		FOR NO KEY UPDATE OF w SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._release_posts(bigint[]) IS
'makes posts due that waited for these comments';

-- As whom an account writes.  If the account's row is locked, it is asked again.
CREATE FUNCTION zcsync._note_login(p_account bigint, p_reply jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).login FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_login text;
BEGIN
	EXECUTE format('SELECT coalesce(left(%s($1), 500), '''')', v_hook::regproc) INTO v_login USING p_reply;
	UPDATE zcsync.accounts a SET login_id = v_login
	WHERE a.account_id = (SELECT w.account_id FROM zcsync.accounts w
		WHERE w.account_id = p_account AND w.login_id IS DISTINCT FROM v_login FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._note_login(bigint, jsonb) IS
'stores as whom an account writes';

-- Have an account asked as whom it writes, although nothing is to be posted there.
CREATE FUNCTION zcsync._ask_login(p_account bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(ARRAY[zcsync._job(p_account, zcsync._kind_queue('comments'), 'login', 'api', 'login', 'login')])
$$;
COMMENT ON FUNCTION zcsync._ask_login(bigint) IS
'queues the question as whom an account writes';

CREATE FUNCTION zcsync._prepare_logins(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(ROW(i, (zcsync._vendor_of(a.vendor)).login_request || '{"class": "api"}')::zcsync.prepared)
	FROM zcsync.accounts a CROSS JOIN unnest(p_ids) AS i WHERE a.account_id = p_account
$$;
COMMENT ON FUNCTION zcsync._prepare_logins(bigint, bigint[]) IS
'the requests that ask as whom an account writes';

CREATE FUNCTION zcsync._finish_logins(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._note_login(q.account_id, o.reply) FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue q ON q.job_id = o.job_id;
	RETURN ARRAY(SELECT ROW(o.job_id, 'ended', 'done', NULL, NULL, false)::zcsync.ending FROM unnest(p_outcomes) AS o);
END
$$;
COMMENT ON FUNCTION zcsync._finish_logins(zcsync.outcome[]) IS
'stores as whom accounts write';

CREATE FUNCTION zcsync._operation_login() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('login', p_prepare => 'zcsync._prepare_logins(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_logins(zcsync.outcome[])'::regprocedure, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_login() IS
'operation login: asks as whom an account writes';

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------

-- The request that posts or changes a comment, or why it cannot be sent, or NULL.  What
-- is sent, and what was agreed on before, goes with it, as with all pushes.
CREATE FUNCTION zcsync._post_request(p_vendor zcsync.vendor, p_row jsonb, p_login text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_new boolean := p_row ->> 'remote_id' IS NULL;
	v_base jsonb := CASE WHEN v_new THEN '{}' ELSE coalesce(nullif(p_row -> 'base', 'null'), '{}') END;
	v_parent jsonb := zcsync._comment_parent((p_row ->> 'account_id')::bigint, p_row ->> 'parent_kind', p_row ->> 'parent_id');
	v_fault jsonb := zcsync._comment_fault(p_row, v_parent);
	v_request jsonb;
	v_sent jsonb;
BEGIN
	IF v_fault IS NULL THEN
		EXECUTE format('SELECT %s($1, $2, $3)', p_vendor.comment_fault::regproc) INTO v_fault USING p_row, v_base, v_parent;
	END IF;
	IF v_fault IS NULL AND v_new AND p_login = '' THEN
		v_fault := jsonb_build_object('message', format('%s does not say as whom this account writes', p_vendor.title),
			'hint', 'A comment that may have been posted could not be told from those of others. Give the account a login of its own, with zcsync.set_credentials().');
	END IF;
	IF v_fault IS NOT NULL THEN
		RETURN jsonb_build_object('refuse', 'cannot be sent: ' || (v_fault ->> 'message'), 'hint', v_fault -> 'hint');
	END IF;
	EXECUTE format('SELECT %s($1, $2)', p_vendor.comment_request::regproc) INTO v_request USING p_row, v_base;
	IF v_request IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT jsonb_object_agg(c, p_row -> c) INTO v_sent
	FROM unnest(zcsync._pushable(p_vendor.name, 'comments')) AS c
	WHERE p_row -> c <> coalesce(v_base -> c, 'null');
	RETURN v_request || jsonb_build_object('author', p_login, 'sent', v_sent)
		|| CASE WHEN v_new THEN jsonb_build_object('create', true, 'remember', p_login)
			ELSE jsonb_build_object('base', (SELECT jsonb_object_agg(k, v_base -> k) FROM jsonb_object_keys(v_sent) AS k)) END;
END
$$;
COMMENT ON FUNCTION zcsync._post_request(zcsync.vendor, jsonb, text) IS
'the request that makes a comment at its vendor what its row is, or why it cannot be sent; NULL: there is nothing to send';

-- Hold those of these jobs whose comments must not be sent now, as listeners say: a call
-- that was under way when that began may have failed since.  Returns them.  What may have
-- been posted is looked up all the same.
CREATE FUNCTION zcsync._hold_paused(p_jobs bigint[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := ARRAY(SELECT q.local_id FROM zcsync.sync_queue q
		WHERE q.job_id = ANY (p_jobs) AND q.cancelled IS NULL AND q.unclear_since IS NULL AND NOT q.payload ? 'posted');
	v_held bigint[];
BEGIN
	v_ids := ARRAY(SELECT i FROM zcsync._listeners() AS l CROSS JOIN LATERAL unnest(zcsync._ask_paused(l.paused, v_ids)) AS i WHERE l.paused IS NOT NULL);
	IF v_ids = '{}' THEN
		RETURN '{}';
	END IF;
	WITH held AS (
		UPDATE zcsync.sync_queue q SET state = 'held', last_class = 'paused', last_error = 'what made this comment is paused'
		WHERE q.job_id = ANY (p_jobs) AND q.local_id = ANY (v_ids) AND q.state = 'ready'
		RETURNING q.job_id)
	SELECT coalesce(array_agg(h.job_id), '{}') INTO v_held FROM held AS h;
	RETURN v_held;
END
$$;
COMMENT ON FUNCTION zcsync._hold_paused(bigint[]) IS
'holds pushes of comments that must not be sent now; returns them';

-- What goes with the comments of these jobs that are to be posted, as listeners say: see
-- listeners.sql.
CREATE FUNCTION zcsync._files_with(p_jobs bigint[]) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_ids bigint[] := ARRAY(SELECT q.local_id FROM zcsync.sync_queue q
		CROSS JOIN LATERAL (SELECT FROM zcsync.comments AS k WHERE k.local_id = q.local_id AND k.remote_id IS NULL OFFSET 0) AS c
		WHERE q.job_id = ANY (p_jobs) AND q.unclear_since IS NULL AND NOT q.payload ? 'posted');
	v_files jsonb := '{}';
	v_hook regprocedure;
BEGIN
	IF v_ids <> '{}' THEN
		FOR v_hook IN SELECT l.files FROM zcsync._listeners() AS l WHERE l.files IS NOT NULL LOOP
			v_files := v_files || coalesce(zcsync._ask_files(v_hook, v_ids), '{}');
		END LOOP;
	END IF;
	RETURN v_files;
END
$$;
COMMENT ON FUNCTION zcsync._files_with(bigint[]) IS
'what goes with the comments of these jobs, by their local ids, and which of them must wait';

-- The requests of pushes of comments of an account.  Those that must wait are left out.
CREATE FUNCTION zcsync._prepare_posts(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
	v_account zcsync.accounts;
	v_vendor zcsync.vendor;
	v_waiting bigint[] := zcsync._posts_behind(p_ids);
	v_asks boolean := false;
	v_job record;
	v_request jsonb;
	v_equal bigint[] := '{}';
	v_held bigint[] := zcsync._hold_paused(p_ids);
	v_files jsonb := zcsync._files_with(ARRAY(SELECT unnest(p_ids) EXCEPT SELECT unnest(v_waiting || v_held)));
	v_prepared zcsync.prepared[] := '{}';
BEGIN
	SELECT * INTO STRICT v_account FROM zcsync.accounts a WHERE a.account_id = p_account;
	v_vendor := zcsync._vendor_of(v_account.vendor);
	FOR v_job IN
		SELECT q.job_id, q.local_id, q.stream_id, q.payload, q.unclear_since, q.lookup_floor,
			c.local_id IS NOT NULL AS found, c.remote_id IS NULL AS new, q.unclear_since IS NOT NULL OR q.payload ? 'posted' AS look,
			to_jsonb(c) || jsonb_build_object('route_id', q.route_id) AS row
		FROM zcsync.sync_queue q
		LEFT JOIN LATERAL (SELECT * FROM zcsync.comments AS k WHERE k.local_id = q.local_id AND k.deleted_at IS NULL OFFSET 0) AS c ON true
		WHERE q.job_id = ANY (p_ids) AND q.job_id <> ALL (v_waiting || v_held)
		ORDER BY q.local_id
	LOOP
		v_request := NULL;
		IF NOT v_job.found THEN
			NULL;	-- gone, or deleted at the vendor
		ELSIF v_job.new AND (v_account.login_id IS NULL OR (v_job.look AND NOT coalesce(v_job.payload -> 'learned' ? 'login again', false))) THEN
			-- one call for all
			IF v_asks THEN
				v_waiting := v_waiting || v_job.job_id;
				CONTINUE;
			END IF;
			v_asks := true;
			v_request := v_vendor.login_request || jsonb_build_object('class', 'api', 'learn',
				CASE WHEN v_job.look THEN 'login again' ELSE 'login' END);
		ELSIF v_job.new AND v_job.look THEN
			EXECUTE format('SELECT %s($1, $2)', v_vendor.comments_request::regproc) INTO v_request
				USING v_job.stream_id, jsonb_strip_nulls(jsonb_build_object('id', v_job.row -> 'parent_id', 'reply_to', v_job.row -> 'reply_to',
					'page', v_job.payload -> 'page', 'since', v_job.unclear_since - interval '5 minutes'));
			v_request := v_request || jsonb_build_object('look', true, 'class', 'api', 'may_be_gone', true,
				'authors', jsonb_build_array(v_job.row -> 'author_id', v_job.lookup_floor, v_account.login_id), 'since', v_job.unclear_since - interval '5 minutes');
		ELSIF v_job.new AND v_files -> v_job.local_id::text ? 'wait' THEN
			v_waiting := v_waiting || v_job.job_id;
			CONTINUE;
		ELSE
			v_request := zcsync._post_request(v_vendor, v_job.row || coalesce(v_files -> v_job.local_id::text, '{}'), v_account.login_id);
			IF v_request IS NULL THEN
				v_equal := v_equal || v_job.local_id;
			END IF;
		END IF;
		v_prepared := v_prepared || ROW(v_job.job_id, v_request)::zcsync.prepared;
	END LOOP;
	IF v_waiting <> '{}' THEN
		UPDATE zcsync.sync_queue q
		SET run_at = zcsync._now() + least(greatest(zcsync._now() - q.enqueued_at, interval '1 second'), interval '5 minutes')
		WHERE q.job_id = ANY (v_waiting);
	END IF;
	-- what differs in form only becomes what was agreed on
	IF v_equal <> '{}' THEN
		PERFORM zcsync._take_back(p_account, 'comments', zcsync._lock_rows(p_account, 'comments', v_equal, false));
	END IF;
	RETURN v_prepared;
END
$$;
COMMENT ON FUNCTION zcsync._prepare_posts(bigint, bigint[]) IS
'the requests of pushes of comments; has those wait that are not first of their record';

-- ---------------------------------------------------------------------
-- Replies
-- ---------------------------------------------------------------------

-- A text without markup and space, as texts are compared.
CREATE FUNCTION zcsync._bare_text(p_text text, p_is_html boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT regexp_replace(translate(CASE WHEN p_is_html
			THEN replace(replace(replace(replace(replace(replace(replace(regexp_replace(p_text, '<[^>]*>', '', 'g'),
				'&nbsp;', ''), '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&#39;', ''''), '&#x27;', ''''), '&amp;', '&')
			ELSE p_text END, chr(160) || chr(8203) || chr(65279), ''), '[[:space:]]+', '', 'g');
END;
COMMENT ON FUNCTION zcsync._bare_text(text, boolean) IS
'a text without markup and space';

-- The forms of a comment's text by which it is recognised: its body and its rich body.
CREATE FUNCTION zcsync._bare_texts(p_body text, p_rich_body jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_remove(ARRAY[zcsync._bare_text(p_body, false), CASE jsonb_typeof(p_rich_body)
		WHEN 'string' THEN zcsync._bare_text(p_rich_body #>> '{}', true)
		WHEN 'array' THEN (SELECT zcsync._bare_text(string_agg(e ->> 'text', '' ORDER BY n), false)
			FROM jsonb_array_elements(p_rich_body) WITH ORDINALITY AS x (e, n)) END], NULL);
END;
COMMENT ON FUNCTION zcsync._bare_texts(text, jsonb) IS
'the texts by which a comment is recognised';

-- The comment of a page that a post made whose reply was lost, the oldest if there are
-- several; without remote_id: none of these.
CREATE FUNCTION zcsync._posted_comment(p_account bigint, p_vendor zcsync.vendor, p_kind text, p_row jsonb, p_sent jsonb,
	p_request jsonb, p_reply jsonb) RETURNS zcsync.document
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_texts text[] := zcsync._bare_texts(p_row ->> 'body', p_row -> 'rich_body');
	v_found zcsync.document;
BEGIN
	SELECT v_texts || coalesce(array_agg(t), '{}') INTO v_texts
	FROM jsonb_array_elements(coalesce(p_sent, '[]')) AS e
	CROSS JOIN LATERAL unnest(zcsync._bare_texts(e #>> '{sent,body}', e #> '{sent,rich_body}')) AS t;
	EXECUTE format($sql$
		SELECT r.remote_id, r.remote_version, r.vals, r.doc, false
		FROM %s($1, $2, $3, $4) AS r
		WHERE r.kind = 'comments' AND r.is_deleted IS NOT TRUE
			AND $3 -> 'authors' ? (r.vals ->> 'author_id') AND (r.vals ->> 'created_at')::timestamptz >= ($3 ->> 'since')::timestamptz
			AND (r.vals ->> 'reply_to') IS NOT DISTINCT FROM $6
			AND zcsync._bare_texts(r.vals ->> 'body', r.vals -> 'rich_body') && $5
			AND NOT EXISTS (	-- another post of this database made it
				SELECT FROM zcsync.comments AS k JOIN zcsync.marks AS m ON m.key = k.sync_key
				WHERE k.account_id = $1 AND k.remote_id = r.remote_id)
		ORDER BY (r.vals ->> 'created_at')::timestamptz, length(r.remote_id), r.remote_id
		LIMIT 1$sql$, p_vendor.rows::regproc)
		INTO v_found USING p_account, p_kind, p_request, p_reply, v_texts, p_row ->> 'reply_to';
	RETURN v_found;
END
$$;
COMMENT ON FUNCTION zcsync._posted_comment(bigint, zcsync.vendor, text, jsonb, jsonb, jsonb, jsonb) IS
'the comment of a page that a post made whose reply was lost';

-- Which of these documents that have no row may be of comments that this database has
-- just posted, or whose posts are unclear: they are new, and of a record with such a
-- post.  They wait, so that nobody takes for news what was written here.  After a quarter
-- of an hour they wait no more; then the post's row takes the place of theirs when it is
-- looked up.
CREATE FUNCTION zcsync._maybe_posted(p_account bigint, p_documents zcsync.document[], p_positions integer[]) RETURNS integer[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN ARRAY(
		SELECT n FROM unnest(p_positions) AS n
		CROSS JOIN LATERAL (SELECT p_documents[n].vals ->> 'parent_kind', p_documents[n].vals ->> 'parent_id',
			(p_documents[n].vals ->> 'created_at')::timestamptz) AS d (parent_kind, parent_id, created_at)
		WHERE EXISTS (
			SELECT FROM zcsync.comments c
			CROSS JOIN LATERAL (SELECT q.unclear_since FROM zcsync.sync_queue q
				WHERE q.local_id = c.local_id AND q.sent IS NOT NULL AND q.account_id = p_account AND q.operation = 'push'
					AND q.unclear_since > zcsync._now() - interval '15 minutes' LIMIT 1) AS q
			WHERE c.account_id = p_account AND c.parent_id = d.parent_id AND c.parent_kind = d.parent_kind AND c.remote_id IS NULL
				AND (d.created_at >= q.unclear_since - interval '1 minute') IS NOT FALSE));
END
$$;
COMMENT ON FUNCTION zcsync._maybe_posted(bigint, zcsync.document[], integer[]) IS
'which of these new comments may be those that this database is posting';

-- Does the reply to a look-up show no comment at all, though some are known here?  That is
-- what a login gets that may not see them, and proves nothing.
CREATE FUNCTION zcsync._shows_nothing(p_account bigint, p_vendor zcsync.vendor, p_row jsonb, p_request jsonb, p_reply jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_any boolean;
BEGIN
	IF p_reply ? 'zcsync_missing' OR NOT EXISTS (SELECT FROM zcsync.comments c
		WHERE c.account_id = p_account AND c.parent_id = p_row ->> 'parent_id' AND c.parent_kind = p_row ->> 'parent_kind'
			AND c.reply_to IS NOT DISTINCT FROM p_row ->> 'reply_to' AND c.remote_id IS NOT NULL AND c.deleted_at IS NULL) THEN
		RETURN false;
	END IF;
	EXECUTE format('SELECT EXISTS (SELECT FROM %s($1, $2, $3, $4) AS r WHERE r.kind = ''comments'' AND r.is_deleted IS NOT TRUE)', p_vendor.rows::regproc)
		INTO v_any USING p_account, p_row ->> 'parent_kind', p_request, p_reply;
	RETURN NOT v_any;
END
$$;
COMMENT ON FUNCTION zcsync._shows_nothing(bigint, zcsync.vendor, jsonb, jsonb, jsonb) IS
'does the reply to a look-up show no comment, though some of the record are known here?';

-- What the reply to a look-up means: found, more (with the page to go on with), absent;
-- or unseen, if the vendor accepted the post or shows nothing: then the post is looked up
-- again, and after some time waits for a person, but is not sent again.
CREATE FUNCTION zcsync._look_for_post(p_account bigint, p_vendor zcsync.vendor, p_job record,
	p_request jsonb, p_reply jsonb, OUT status text, OUT document zcsync.document)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_next jsonb;
	v_times integer := (p_job.payload ->> 'posted')::integer;	-- looked up since it was accepted
BEGIN
	document := zcsync._posted_comment(p_account, p_vendor, p_job.row ->> 'parent_kind', p_job.row, p_job.sent, p_request, p_reply);
	IF document.remote_id IS NOT NULL THEN
		status := 'found';
		RETURN;
	END IF;
	document := NULL;
	EXECUTE format('SELECT %s($1, $2, $3)', p_vendor.comments_next::regproc) INTO v_next USING p_job.stream_id, p_request, p_reply;
	IF v_next IS NULL AND v_times IS NULL AND NOT p_job.payload ? 'page'
		AND zcsync._shows_nothing(p_account, p_vendor, p_job.row, p_request, p_reply) THEN
		v_times := 0;
	END IF;
	status := CASE WHEN v_next IS NOT NULL THEN 'more' WHEN v_times IS NULL THEN 'absent' WHEN v_times < 5 THEN 'unseen' ELSE 'buried' END;
	UPDATE zcsync.sync_queue q
	SET payload = CASE status WHEN 'more' THEN q.payload || jsonb_build_object('page', v_next)
		WHEN 'unseen' THEN q.payload - 'page' || jsonb_build_object('posted', v_times + 1) ELSE q.payload - 'page' END
	WHERE q.job_id = p_job.job_id;
	IF status = 'buried' THEN
		PERFORM zcsync._bury(p_job.job_id, 'broken', NULL, format('%s may have this comment, and does not show it', p_vendor.title),
			format('Look for it there. If it was not shown yet: SELECT zcsync.retry(%s);', p_job.job_id), NULL);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._look_for_post(bigint, zcsync.vendor, record, jsonb, jsonb) IS
'what the reply to the look-up of a comment means';

-- What the reply to a post or an edit means.  A reply that does not show the comment
-- that was made (posted) is followed by a look-up; one that does not show the comment
-- that was changed counts as if it had the values that were sent, and the comments of
-- its record are read again.
CREATE FUNCTION zcsync._read_post(p_account bigint, p_vendor zcsync.vendor, p_job record,
	p_request jsonb, p_reply jsonb, OUT status text, OUT document zcsync.document)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_sent jsonb := coalesce(p_job.sent -> -1 -> 'sent', '{}');
	v_shown record;
BEGIN
	EXECUTE format('SELECT r.* FROM %s($1, $2, $3) AS r', p_vendor.comment_reply::regproc)
		INTO v_shown USING p_account, p_request || jsonb_build_object('sent', v_sent), p_reply;
	status := CASE WHEN NOT p_request ? 'create' THEN 'updated' WHEN v_shown.remote_id IS NOT NULL THEN 'created' ELSE 'posted' END;
	IF status = 'posted' THEN
		UPDATE zcsync.sync_queue q SET payload = q.payload || '{"posted": 0}' WHERE q.job_id = p_job.job_id;
		RETURN;
	ELSIF v_shown.remote_id IS NULL THEN
		UPDATE zcsync.conversations c SET due_at = coalesce(c.due_at, zcsync._now())
		WHERE c.account_id = p_account AND c.kind = p_job.row ->> 'parent_kind' AND c.remote_id = p_job.row ->> 'parent_id';
	END IF;
	document := ROW(coalesce(v_shown.remote_id, p_job.row ->> 'remote_id'), v_shown.remote_version, v_sent || coalesce(v_shown.vals, '{}'), v_shown.doc, NULL)::zcsync.document;
END
$$;
COMMENT ON FUNCTION zcsync._read_post(bigint, zcsync.vendor, record, jsonb, jsonb) IS
'what the reply to a post or an edit of a comment means';

-- What the replies to pushes of comments mean, as documents: see _push_effects().
CREATE FUNCTION zcsync._post_effects(p_account bigint, p_vendor text, p_jobs bigint[], p_ids bigint[], p_requests jsonb[], p_replies jsonb[],
	p_locked bigint[], OUT jobs bigint[], OUT ids bigint[], OUT statuses text[], OUT documents zcsync.document[], OUT answered boolean[])
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := zcsync._vendor_of(p_vendor);
	v_post record;
	v_effect record;
BEGIN
	jobs := '{}';
	FOR v_post IN
		SELECT j.job_id, j.local_id, j.request, coalesce(j.reply, '{}') AS reply, q.stream_id, q.payload, q.sent, to_jsonb(c) AS row
		FROM unnest(p_jobs, p_ids, p_requests, p_replies) AS j (job_id, local_id, request, reply)
		CROSS JOIN LATERAL (SELECT * FROM zcsync.comments AS k WHERE k.local_id = j.local_id OFFSET 0) AS c
		CROSS JOIN LATERAL (SELECT * FROM zcsync.sync_queue AS k WHERE k.job_id = j.job_id OFFSET 0) AS q
		WHERE j.local_id = ANY (p_locked)
	LOOP
		IF v_post.request ? 'look' THEN
			v_effect := zcsync._look_for_post(p_account, v_vendor, v_post, v_post.request, v_post.reply);
		ELSE
			v_effect := zcsync._read_post(p_account, v_vendor, v_post, v_post.request, v_post.reply);
		END IF;
		jobs := array_append(jobs, v_post.job_id);
		ids := array_append(ids, v_post.local_id);
		statuses := array_append(statuses, v_effect.status);
		documents := array_append(documents, v_effect.document);
		answered := array_append(answered, true);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._post_effects(bigint, text, bigint[], bigint[], jsonb[], jsonb[], bigint[]) IS
'what the replies to pushes of comments mean, as documents';
