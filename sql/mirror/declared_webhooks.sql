-- ---------------------------------------------------------------------
-- Webhooks that zcsync declares at the vendor, looks after and removes.
--
-- There is one job for an account, of the operation webhooks.  It asks the vendor for
-- its webhooks, compares them with what is wanted (zcsync.webhooks), has the first
-- difference changed by one call, and begins anew, until there is none.  So nothing
-- depends on the reply to a change: one that was lost shows in the next list.  Once an
-- hour the job comes by itself; then it is usually one call.
--
-- Which webhooks at the vendor are ours shows in their address: it ends with the account's
-- path, which is random, and a number.  For a new secret a second webhook is made, with the
-- next number; both send until the new one is known to work, then the old one is deleted,
-- and its secret stays valid for a while.
--
-- A secret that a reply shows never comes here: src/shown_secret.c takes it out of the
-- reply, whose member has a number instead, and seals it under the name that is given
-- to it here.
-- ---------------------------------------------------------------------

-- Is the secret of this webhook known?
CREATE FUNCTION zcsync._knows_secret(p_account bigint, p_id text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM zcsync.credentials AS c
		WHERE c.account_id = p_account AND starts_with(c.name, format('webhook/%s/', p_id)) AND coalesce(c.expires_at > zcsync._now(), true))
$$;
COMMENT ON FUNCTION zcsync._knows_secret(bigint, text) IS
'does zcsync have a valid secret of this webhook?';

-- The webhook that is wanted for an account.
CREATE TYPE zcsync.wanted_webhook AS (
	account_id bigint,
	path text,
	round integer,
	address text,			-- to which the vendor is to send
	events text[],			-- what it is to report, in the vendor's words
	keep interval,			-- for how long a replaced secret stays valid
	is_removed boolean,		-- none is wanted any more
	ids text[],				-- the vendor's ids of those that were declared
	was_right boolean		-- the vendor had it as wanted once
);
COMMENT ON TYPE zcsync.wanted_webhook IS
'the webhook that an account is to have at its vendor';

CREATE FUNCTION zcsync._wanted_webhook(p_account bigint) RETURNS zcsync.wanted_webhook
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_wanted zcsync.wanted_webhook;
BEGIN
	SELECT w.account_id, w.path, w.round, rtrim(w.url, '/') || '/' || w.path || '/' || w.round,
		coalesce(w.events, (zcsync._vendor_of(a.vendor)).webhook_subscriptions), w.keep, w.is_removed, w.ids, w.checked_at IS NOT NULL
	INTO v_wanted
	FROM zcsync.webhooks AS w JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	WHERE w.account_id = p_account AND w.url IS NOT NULL;
	RETURN v_wanted;
END
$$;
COMMENT ON FUNCTION zcsync._wanted_webhook(bigint) IS
'the webhook that an account is to have at its vendor; NULL: zcsync declares none';

-- The vendor's request for a step; NULL where it has none.
CREATE FUNCTION zcsync._webhook_request(p_webhook zcsync.wanted_webhook, p_step text, p_id text DEFAULT NULL, p_after text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).webhook_request FROM zcsync.accounts AS a WHERE a.account_id = p_webhook.account_id);
	v_request jsonb;
BEGIN
	IF v_hook IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT %s($1, $2, $3)', v_hook::regproc) INTO v_request USING p_webhook.account_id, p_step,
		jsonb_build_object('id', p_id, 'after', p_after, 'url', p_webhook.address, 'events', p_webhook.events);
	RETURN v_request || jsonb_build_object('step', p_step, 'shows', 'secret');
END
$$;
COMMENT ON FUNCTION zcsync._webhook_request(zcsync.wanted_webhook, text, text, text) IS
'the request of a step of what is done about webhooks at a vendor; NULL: the vendor has no such step';

-- What is to be changed first at a vendor that has these webhooks, [{id, url, events,
-- health}]; NULL: all is as wanted.  p_again: the webhook is set although it looks right,
-- since events may have been taken off.
CREATE FUNCTION zcsync._webhook_step(p_webhook zcsync.wanted_webhook, p_seen jsonb, p_again boolean, OUT step text, OUT id text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_end text := format('/%s/%s', p_webhook.path, p_webhook.round);
	v_kept record;		-- ours, of this round
	v_id text;
BEGIN
	IF NOT p_webhook.is_removed THEN
		SELECT s.id, s.url, s.events, s.health, zcsync._knows_secret(p_webhook.account_id, s.id) AS known INTO v_kept
		FROM jsonb_to_recordset(p_seen) AS s (id text, url text, events text[], health text)
		WHERE right(s.url, length(v_end)) = v_end
		ORDER BY known DESC, s.id COLLATE "C"
		LIMIT 1;
		step := CASE WHEN v_kept.id IS NULL THEN 'create'
			WHEN NOT v_kept.known AND zcsync._webhook_request(p_webhook, 'secret', v_kept.id) IS NOT NULL THEN 'secret'
			WHEN NOT v_kept.known THEN 'delete'
			WHEN p_again OR v_kept.url <> p_webhook.address OR v_kept.health NOT IN ('active', 'failing')
				OR NOT (v_kept.events @> p_webhook.events OR v_kept.events = '{*}') THEN 'update' END;
		v_id := v_kept.id;
		id := v_id;
		IF step IS NOT NULL THEN
			RETURN;
		END IF;
	END IF;
	SELECT s.id INTO id
	FROM jsonb_to_recordset(p_seen) AS s (id text) WHERE s.id IS DISTINCT FROM v_id
	ORDER BY s.id COLLATE "C" LIMIT 1;
	step := CASE WHEN id IS NOT NULL THEN 'delete' END;
END
$$;
COMMENT ON FUNCTION zcsync._webhook_step(zcsync.wanted_webhook, jsonb, boolean) IS
'what is to be changed first at a vendor that has these webhooks; NULL: all is as wanted';

-- ---------------------------------------------------------------------
-- The job
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_webhooks_soon(p_account bigint, p_payload jsonb, p_priority integer) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._enqueue(ARRAY[zcsync._job(p_account, 'account', 'webhooks', 'api', 'webhooks', 'webhooks', p_payload, p_priority)], true)
$$;
COMMENT ON FUNCTION zcsync._check_webhooks_soon(bigint, jsonb, integer) IS
'queues the job that compares the webhooks at a vendor with those wanted';

CREATE FUNCTION zcsync._prepare_webhooks(p_account bigint, p_ids bigint[]) RETURNS zcsync.prepared[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN ARRAY(
		SELECT ROW(q.job_id, CASE WHEN w.account_id IS NOT NULL
			THEN zcsync._webhook_request(w, coalesce(q.payload ->> 'step', 'list'), q.payload ->> 'id', q.payload ->> 'after') END)::zcsync.prepared
		FROM zcsync.sync_queue AS q CROSS JOIN LATERAL zcsync._wanted_webhook(p_account) AS w
		WHERE q.job_id = ANY (p_ids));
END
$$;
COMMENT ON FUNCTION zcsync._prepare_webhooks(bigint, bigint[]) IS
'the requests of jobs that look after webhooks';

CREATE FUNCTION zcsync._seal_shown_secret(p_account bigint, p_name text, p_number text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'zcsync_sql_seal_shown_secret';
COMMENT ON FUNCTION zcsync._seal_shown_secret(bigint, text, text) IS
'stores a secret that a reply showed, sealed under this name; false if the reply has no such number';

-- Seal a secret that the vendor showed, by the number that the reply has in its place,
-- and note that the webhook is ours.
CREATE FUNCTION zcsync._take_secret(p_account bigint, p_id text, p_number text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM zcsync.credentials AS c
	WHERE c.account_id = p_account AND starts_with(c.name, 'webhook/') AND c.expires_at <= zcsync._now();
	IF p_number IS NULL OR p_id IS NULL OR p_id !~ '^[A-Za-z0-9_-]{1,64}$'
		OR NOT zcsync._seal_shown_secret(p_account, zcsync._next_secret_name(p_account, p_id), p_number)
	THEN
		RETURN;		-- it is asked for again, or the webhook is made anew
	END IF;
	UPDATE zcsync.webhooks AS w SET ids = w.ids || p_id WHERE w.account_id = p_account AND p_id <> ALL (w.ids);
END
$$;
COMMENT ON FUNCTION zcsync._take_secret(bigint, text, text) IS
'seals the secret of a webhook that the vendor showed, by its number';

-- What the reply to a step says.  seen: our webhooks of a list, without their secrets,
-- which are sealed here; after: where the list goes on.
CREATE FUNCTION zcsync._read_webhooks(p_webhook zcsync.wanted_webhook, p_step text, p_id text, p_reply jsonb, OUT seen jsonb, OUT after text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hook regprocedure := (SELECT (zcsync._vendor_of(a.vendor)).webhook_reply FROM zcsync.accounts AS a WHERE a.account_id = p_webhook.account_id);
	v_row record;
BEGIN
	seen := '[]';
	FOR v_row IN EXECUTE format('SELECT r.* FROM %s($1, $2) AS r', v_hook::regproc) USING p_step, p_reply LOOP
		IF p_step = 'list' AND v_row.id IS NULL THEN
			after := v_row.url;
		ELSIF p_step <> 'list' THEN
			PERFORM zcsync._take_secret(p_webhook.account_id, coalesce(v_row.id, p_id), v_row.secret);
		ELSIF position('/' || p_webhook.path || '/' IN v_row.url) > 0 THEN
			IF NOT zcsync._knows_secret(p_webhook.account_id, v_row.id) THEN
				PERFORM zcsync._take_secret(p_webhook.account_id, v_row.id, v_row.secret);
			END IF;
			seen := seen || jsonb_build_object('id', v_row.id, 'url', v_row.url, 'events', v_row.events, 'health', v_row.health, 'failures', v_row.failures);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._read_webhooks(zcsync.wanted_webhook, text, text, jsonb) IS
'our webhooks in a reply of the vendor; seals the secrets that it shows';

-- A webhook that was as wanted is not so any more: somebody removed it, or the vendor
-- gave it up.  It is repaired at once, but what made the vendor do that may go on, so
-- it is shown for a while.
CREATE FUNCTION zcsync._note_lost_webhook(p_webhook zcsync.wanted_webhook, p_step text, p_seen jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_seen record;
BEGIN
	SELECT s.* INTO v_seen FROM jsonb_to_recordset(p_seen) AS s (id text, health text, failures integer) WHERE s.id = p_webhook.ids[1];
	IF NOT p_webhook.was_right OR (p_step = 'update' AND v_seen.health IN ('active', 'failing')) OR p_step NOT IN ('create', 'update') THEN
		RETURN;
	END IF;
	UPDATE zcsync.webhooks AS w
	SET lost_at = zcsync._now(), lost = CASE WHEN v_seen.id IS NULL THEN 'it was gone at the vendor'
		ELSE format('the vendor had it as "%s"', v_seen.health) || CASE WHEN v_seen.failures > 0 THEN format(' after %s failed deliveries', v_seen.failures) ELSE '' END END
	WHERE w.account_id = p_webhook.account_id;
END
$$;
COMMENT ON FUNCTION zcsync._note_lost_webhook(zcsync.wanted_webhook, text, jsonb) IS
'notes that a webhook that was as wanted was removed or given up at the vendor';

-- All is as wanted: note how the vendor has it.  Secrets of webhooks that are no more
-- stay valid for a while, for deliveries that are under way or wait in a door's file.
CREATE FUNCTION zcsync._settle_webhooks(p_webhook zcsync.wanted_webhook, p_seen jsonb, p_steps integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := zcsync._now();
	v_kept record;
BEGIN
	IF p_webhook.is_removed THEN
		PERFORM zcsync._forget_webhook(p_webhook.account_id, NULL);
		RETURN;
	END IF;
	SELECT s.* INTO v_kept FROM jsonb_to_recordset(p_seen) AS s (id text, health text, failures integer);
	UPDATE zcsync.credentials AS c SET expires_at = least(c.expires_at, v_now + p_webhook.keep)
	FROM unnest(p_webhook.ids) AS i (id)
	WHERE c.account_id = p_webhook.account_id AND i.id <> v_kept.id AND starts_with(c.name, format('webhook/%s/', i.id));
	UPDATE zcsync.webhooks AS w
	SET ids = ARRAY[v_kept.id], health = v_kept.health, failures = v_kept.failures, repairs = w.repairs + p_steps, checked_at = v_now,
		next_check_at = v_now + CASE v_kept.health WHEN 'active' THEN interval '1 hour' ELSE interval '10 minutes' END,
		error = NULL, error_hint = NULL, failing_since = NULL
	WHERE w.account_id = p_webhook.account_id;
	PERFORM zcsync._shorten_turns(p_webhook.account_id);
END
$$;
COMMENT ON FUNCTION zcsync._settle_webhooks(zcsync.wanted_webhook, jsonb, integer) IS
'notes that a vendor has the webhooks that are wanted, and ends the secrets of those that are no more';

-- What a job goes on with after a reply: the payload of its next call; NULL: it ends.
-- A vendor that does not do what it says would be asked for ever, so there is an end.
CREATE FUNCTION zcsync._next_webhook_payload(p_webhook zcsync.wanted_webhook, p_payload jsonb, p_step text, p_reply jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_steps integer := coalesce((p_payload ->> 'steps')::integer, 0);
	v_pages integer := coalesce((p_payload ->> 'pages')::integer, 0);
	v_read record;
	v_next record;
BEGIN
	v_read := zcsync._read_webhooks(p_webhook, p_step, p_payload ->> 'id', p_reply);
	IF p_step <> 'list' THEN
		RETURN jsonb_build_object('steps', v_steps + 1) || CASE WHEN p_payload ? 'again' AND p_step <> 'update' THEN '{"again": true}' ELSE '{}' END::jsonb;
	END IF;
	v_read.seen := coalesce(p_payload -> 'seen', '[]') || v_read.seen;
	IF v_read.after <> coalesce(p_payload ->> 'after', '') THEN
		IF v_pages < 100 THEN
			RETURN p_payload || jsonb_build_object('after', v_read.after, 'seen', v_read.seen, 'pages', v_pages + 1);
		END IF;
		PERFORM zcsync._note_webhook_error(p_webhook.account_id, 'the vendor''s list of webhooks does not end',
			'Remove webhooks there that nobody needs.');
		RETURN NULL;
	END IF;
	p_webhook := zcsync._wanted_webhook(p_webhook.account_id);	-- with the ids just noted
	v_next := zcsync._webhook_step(p_webhook, v_read.seen, p_payload ? 'again');
	IF v_next.step IS NULL THEN
		PERFORM zcsync._settle_webhooks(p_webhook, v_read.seen, v_steps);
		RETURN NULL;
	ELSIF v_steps >= 12 THEN
		PERFORM zcsync._note_webhook_error(p_webhook.account_id, 'the vendor does not keep its webhooks as they were declared',
			format('Look there at the webhooks that send to %s, and remove them.', p_webhook.address));
		RETURN NULL;
	END IF;
	IF v_steps = 0 THEN
		PERFORM zcsync._note_lost_webhook(p_webhook, v_next.step, v_read.seen);
	END IF;
	RETURN jsonb_build_object('step', v_next.step, 'id', v_next.id, 'steps', v_steps) || CASE WHEN p_payload ? 'again' THEN '{"again": true}' ELSE '{}' END::jsonb;
END
$$;
COMMENT ON FUNCTION zcsync._next_webhook_payload(zcsync.wanted_webhook, jsonb, text, jsonb) IS
'what the job that looks after webhooks does next, after a reply; NULL: nothing is left to do';

CREATE FUNCTION zcsync._finish_webhooks(p_outcomes zcsync.outcome[]) RETURNS zcsync.ending[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_payload jsonb;
	v_endings zcsync.ending[] := '{}';
BEGIN
	FOR v_job IN
		SELECT q.job_id, q.account_id, q.payload, o.request ->> 'step' AS step, o.reply
		FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue AS q ON q.job_id = o.job_id
	LOOP
		PERFORM FROM zcsync.accounts AS a WHERE a.account_id = v_job.account_id FOR NO KEY UPDATE SKIP LOCKED;
		IF FOUND THEN
			PERFORM FROM zcsync.webhooks AS w WHERE w.account_id = v_job.account_id AND w.url IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED;
		END IF;
		IF NOT FOUND THEN
			v_endings := v_endings || ROW(v_job.job_id, CASE WHEN EXISTS (SELECT FROM zcsync.webhooks AS w WHERE w.account_id = v_job.account_id AND w.url IS NOT NULL)
				THEN 'locked' ELSE 'ended' END, 'done', NULL, NULL, false)::zcsync.ending;
			CONTINUE;
		END IF;
		v_payload := zcsync._next_webhook_payload(zcsync._wanted_webhook(v_job.account_id), v_job.payload, v_job.step, v_job.reply);
		UPDATE zcsync.sync_queue AS q SET payload = v_payload WHERE q.job_id = v_job.job_id AND v_payload IS NOT NULL;
		v_endings := v_endings || ROW(v_job.job_id, CASE WHEN v_payload IS NULL THEN 'ended' ELSE 'again' END, 'done',
			(v_job.payload ->> 'steps')::integer, NULL, false)::zcsync.ending;
	END LOOP;
	RETURN v_endings;
END
$$;
COMMENT ON FUNCTION zcsync._finish_webhooks(zcsync.outcome[]) IS
'takes what a vendor said about webhooks';

CREATE FUNCTION zcsync._note_webhook_error(p_account bigint, p_message text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM FROM zcsync.webhooks AS w WHERE w.account_id = p_account FOR NO KEY UPDATE SKIP LOCKED;
	IF FOUND THEN
		UPDATE zcsync.webhooks AS w
		SET error = p_message, error_hint = p_hint, failing_since = coalesce(w.failing_since, zcsync._now()), next_check_at = zcsync._now() + interval '1 hour'
		WHERE w.account_id = p_account;
		PERFORM zcsync._shorten_turns(p_account);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._note_webhook_error(bigint, text, text) IS
'notes why the webhooks of an account cannot be declared; not while somebody has locked them';

-- After a failure of any step the vendor is asked again what it has: the step may have
-- had its effect.  While the vendor is down or busy, its account says so.
CREATE FUNCTION zcsync._fail_webhooks(p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	UPDATE zcsync.sync_queue AS q SET payload = q.payload - '{step,id,after,seen,pages}'::text[]
	FROM unnest(p_outcomes) AS o WHERE q.job_id = o.job_id AND q.payload ?| '{step,after}';
	PERFORM zcsync._note_webhook_error(q.account_id, o.message, o.hint)
	FROM unnest(p_outcomes) AS o JOIN zcsync.sync_queue AS q ON q.job_id = o.job_id
	WHERE o.class NOT IN ('put_back', 'halved', 'vendor', 'throttled');
END
$$;
COMMENT ON FUNCTION zcsync._fail_webhooks(zcsync.outcome[]) IS
'notes why the webhooks of accounts cannot be looked after';

CREATE FUNCTION zcsync._enqueue_webhook_checks() RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_accounts bigint[];
BEGIN
	WITH due AS (
		SELECT w.account_id FROM zcsync.webhooks AS w JOIN zcsync.accounts AS a ON a.account_id = w.account_id
		WHERE w.next_check_at <= zcsync._now() AND a.state = 'active'
		FOR NO KEY UPDATE OF w SKIP LOCKED),
	moved AS (
		UPDATE zcsync.webhooks AS w SET next_check_at = zcsync._now() + interval '1 hour' FROM due WHERE w.account_id = due.account_id RETURNING w.account_id)
	SELECT array_agg(m.account_id) INTO v_accounts FROM moved AS m;
	PERFORM zcsync._check_webhooks_soon(a, '{}', 50) FROM unnest(v_accounts) AS a;
	RETURN coalesce(cardinality(v_accounts), 0);
END
$$;
COMMENT ON FUNCTION zcsync._enqueue_webhook_checks() IS
'queues a look at the webhooks of accounts that were not looked at for an hour; returns how many';

CREATE FUNCTION zcsync._next_webhook_check() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN (SELECT min(w.next_check_at) FROM zcsync.webhooks AS w JOIN zcsync.accounts AS a ON a.account_id = w.account_id
		WHERE w.next_check_at IS NOT NULL AND a.state = 'active');
END
$$;
COMMENT ON FUNCTION zcsync._next_webhook_check() IS
'when the webhooks of an account are looked at next; NULL: none is declared';

CREATE FUNCTION zcsync._move_webhook_checks(p_step interval) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.webhooks AS w SET next_check_at = w.next_check_at - p_step
	WHERE w.account_id IN (SELECT x.account_id FROM zcsync.webhooks AS x WHERE x.next_check_at > zcsync._now() FOR NO KEY UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION zcsync._move_webhook_checks(interval) IS
'moves the times of checks of webhooks when the clock was set back';

CREATE FUNCTION zcsync._operation_webhooks() RETURNS zcsync.operation
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_operation('webhooks',
		p_prepare => 'zcsync._prepare_webhooks(bigint, bigint[])'::regprocedure,
		p_finish => 'zcsync._finish_webhooks(zcsync.outcome[])'::regprocedure,
		p_fail => 'zcsync._fail_webhooks(zcsync.outcome[])'::regprocedure,
		p_enqueue_due => 'zcsync._enqueue_webhook_checks()'::regprocedure,
		p_next_due => 'zcsync._next_webhook_check()'::regprocedure,
		p_clock_back => 'zcsync._move_webhook_checks(interval)'::regprocedure,
		p_alone => true, p_recurs => true);
END;
COMMENT ON FUNCTION zcsync._operation_webhooks() IS
'operation webhooks: declares, repairs and removes webhooks at a vendor';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._check_declaration(p_account bigint, p_name text, p_url text, p_events text[], p_keep interval) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_vendor zcsync.vendor := (SELECT zcsync._vendor_of(a.vendor) FROM zcsync.accounts AS a WHERE a.account_id = p_account);
BEGIN
	IF v_vendor.webhook_proof IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('accounts of %s have no webhooks', coalesce(v_vendor.title, 'this vendor'));
	ELSIF v_vendor.webhook_request IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('webhooks of %s are not declared by zcsync', v_vendor.title),
			HINT = format('Set the webhook up there by hand, then: SELECT zcsync.set_webhook(%L, secret => ''file:NAME'');', p_name);
	ELSIF p_url IS NULL OR p_url !~ '^(https://[^][:space:]/?#@]+|http://(127[.]0[.]0[.]1|localhost)(:[0-9]{1,5})?)(/[^][:space:]?#]*)?$' OR length(p_url) > 500 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN p_url IS NULL THEN 'the address of the door is missing' ELSE 'invalid address of a door' END,
			HINT = 'It begins with https:// and has no "?", as https://hooks.example.com.';
	ELSIF p_events IS NOT NULL AND (array_position(p_events, NULL) IS NOT NULL OR cardinality(p_events) > 200
			OR EXISTS (SELECT FROM unnest(p_events) AS e WHERE e !~ '^[A-Za-z0-9_:.*-]{1,100}$')) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'invalid events', HINT = format('Give them as the vendor names them, for example %L.', v_vendor.webhook_subscriptions[1:2]);
	ELSIF (p_keep BETWEEN '0' AND '30 days') IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid keep: %s', p_keep), DETAIL = 'It must be from 0 to 30 days.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_declaration(bigint, text, text, text[], interval) IS
'raises an error unless these are arguments of zcsync.ensure_webhooks()';

CREATE FUNCTION zcsync.ensure_webhooks(account text, url text DEFAULT NULL, events text[] DEFAULT NULL, rotate boolean DEFAULT false,
	keep interval DEFAULT '1 day')
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_account bigint := zcsync._lock_account(ensure_webhooks.account);
	v_url text := coalesce(ensure_webhooks.url, (SELECT w.url FROM zcsync.webhooks AS w WHERE w.account_id = v_account));
BEGIN
	PERFORM zcsync._check_declaration(v_account, ensure_webhooks.account, v_url, ensure_webhooks.events, ensure_webhooks.keep);
	INSERT INTO zcsync.webhooks AS w (account_id, path, created_at, url, events, keep, next_check_at)
	VALUES (v_account, replace(gen_random_uuid()::text, '-', ''), zcsync._now(), v_url, nullif(ensure_webhooks.events, '{}'), ensure_webhooks.keep,
		zcsync._now() + interval '1 hour')
	ON CONFLICT ON CONSTRAINT webhooks_pkey DO UPDATE
		SET url = v_url, events = CASE WHEN ensure_webhooks.events IS NULL THEN w.events ELSE excluded.events END, keep = excluded.keep,
			round = w.round + coalesce(ensure_webhooks.rotate, false)::integer, is_removed = false, next_check_at = excluded.next_check_at;
	PERFORM zcsync._check_webhooks_soon(v_account, '{"steps": 0}' || CASE WHEN ensure_webhooks.events IS NULL THEN '{}' ELSE '{"again": true}' END::jsonb, 10);
	RETURN (zcsync._wanted_webhook(v_account)).address;
END
$$;
COMMENT ON FUNCTION zcsync.ensure_webhooks(text, text, text[], boolean, interval) IS
'declares the webhooks of an account at its vendor, repairs what differs there and looks after them from then on; with rotate another secret takes the place of the present one; returns the address to which the vendor sends';

-- ---------------------------------------------------------------------
-- When an account goes
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._count_declared_webhooks(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT count(*) FROM zcsync.webhooks AS w WHERE w.account_id = p_account AND w.url IS NOT NULL
$$;
COMMENT ON FUNCTION zcsync._count_declared_webhooks(bigint) IS
'has zcsync declared webhooks of an account at its vendor? 1 or 0';

-- With its account zcsync forgets how to reach the vendor, so what it declared there
-- stays: the user is told what, since zcsync cannot remove it later.
CREATE FUNCTION zcsync._tell_left_webhooks(p_account bigint) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_left record;
BEGIN
	SELECT rtrim(w.url, '/') || '/' || w.path AS address, array_to_string(w.ids, ', ') AS ids, (zcsync._vendor_of(a.vendor)).title INTO v_left
	FROM zcsync.webhooks AS w JOIN zcsync.accounts AS a ON a.account_id = w.account_id
	WHERE w.account_id = p_account AND w.url IS NOT NULL;
	IF FOUND THEN
		RAISE WARNING USING MESSAGE = format('webhooks of the account stay at %s', v_left.title),
			DETAIL = format('They send to %s. Their ids: %s.', v_left.address, coalesce(nullif(v_left.ids, ''), 'not known')),
			HINT = 'Remove them there by hand. What they send is refused from now on.';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._tell_left_webhooks(bigint) IS
'warns of webhooks that stay at the vendor when their account is removed';

CREATE FUNCTION zcsync._account_webhooks() RETURNS zcsync.account_part
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._describe_account_part('webhooks at the vendor', 15, p_count => 'zcsync._count_declared_webhooks(bigint)'::regprocedure,
		p_remove => 'zcsync._tell_left_webhooks(bigint)'::regprocedure, p_first => 'SELECT zcsync.remove_webhook(%L);');
END;
COMMENT ON FUNCTION zcsync._account_webhooks() IS
'what is done about webhooks when an account is removed; its foreign key removes them with it';
