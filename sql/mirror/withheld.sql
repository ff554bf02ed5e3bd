-- ---------------------------------------------------------------------
-- Columns that are withheld from a push.
--
-- A vendor may refuse a whole change because of one column, such as the status of a
-- record that lacks what it needs to be closed.  The hook withhold of its descriptor
-- recognises such a refusal, and names the columns to blame.  The push is then sent
-- without them.  When nothing else is left to send, it becomes a dead letter that says
-- what is missing, and the row is failed.  The columns are sent again when the row
-- changes, here or at the vendor, and by zcsync.retry().
--
-- While the push goes on, its payload has {"withheld": {"columns", "message", "hint",
-- "row"}}; row is a hash of the row as it was then, so that a row which was changed
-- meanwhile is sent whole.  In the payload of the dead letter, the member shows that a
-- change at the vendor brings the push back.
-- ---------------------------------------------------------------------

-- The hash of a row as it is sent.  The remote id is left out: a row that gets it has
-- not changed.
CREATE FUNCTION zcsync._row_mark(p_row jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT md5((p_row - 'remote_id')::text);
END;
COMMENT ON FUNCTION zcsync._row_mark(jsonb) IS
'a hash of the values of a row';

-- What is withheld from the push of a row; NULL: nothing, or the row was changed
-- since.
CREATE FUNCTION zcsync._withheld(p_payload jsonb, p_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_payload -> 'withheld' WHERE p_payload ? 'withheld' AND p_payload #>> '{withheld,row}' = zcsync._row_mark(p_row);
END;
COMMENT ON FUNCTION zcsync._withheld(jsonb, jsonb) IS
'the columns that are withheld from the push of a row, and why; NULL: none';

-- The base to compare a row with, so that these columns are not sent: there they have
-- the row's own values.
CREATE FUNCTION zcsync._base_without(p_base jsonb, p_row jsonb, p_withheld jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_base || coalesce((SELECT jsonb_object_agg(c, p_row -> c) FROM jsonb_array_elements_text(zcsync._json_list(p_withheld -> 'columns')) AS c), '{}');
END;
COMMENT ON FUNCTION zcsync._base_without(jsonb, jsonb, jsonb) IS
'the base of a row, with the row''s own values in the columns that are withheld';

-- The request that ends a push because only withheld columns are left.
CREATE FUNCTION zcsync._withheld_request(p_op text, p_withheld jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('op', p_op, 'refuse', p_withheld -> 'message', 'hint', p_withheld -> 'hint', 'withheld', p_withheld);
END;
COMMENT ON FUNCTION zcsync._withheld_request(text, jsonb) IS
'the request that ends a push because only withheld columns are left';

-- Refused pushes: those that can go on without some columns do so at once, without
-- counting as failed.
CREATE FUNCTION zcsync._fail_pushes(p_outcomes zcsync.outcome[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job record;
	v_withheld jsonb;
BEGIN
	FOR v_job IN
		SELECT q.job_id, o.request, o.status, o.reply, coalesce(q.sent -> -1 -> 'sent', '{}') AS sent, (zcsync._vendor_of(a.vendor)).withhold
		FROM unnest(p_outcomes) AS o
		JOIN zcsync.sync_queue q ON q.job_id = o.job_id
		JOIN zcsync.accounts a ON a.account_id = q.account_id
		WHERE o.class = 'rejected'
	LOOP
		IF v_job.request ? 'withheld' THEN
			PERFORM zcsync._bury_withheld(v_job.job_id, v_job.request -> 'withheld', NULL);
			CONTINUE;
		END IF;
		CONTINUE WHEN v_job.withhold IS NULL OR v_job.reply IS NULL;
		EXECUTE format('SELECT %s($1, $2, $3)', v_job.withhold::regproc) INTO v_withheld USING v_job.request, v_job.status, v_job.reply;
		CONTINUE WHEN v_withheld IS NULL;
		v_withheld := v_withheld || jsonb_build_object('row', v_job.request -> 'row', 'status', v_job.status);
		IF EXISTS (SELECT FROM jsonb_object_keys(v_job.sent) AS k WHERE NOT v_withheld -> 'columns' ? k) THEN
			UPDATE zcsync.sync_queue q
			SET payload = q.payload || jsonb_build_object('withheld', v_withheld), failures = q.failures - 1
			WHERE q.job_id = v_job.job_id;
		ELSE
			PERFORM zcsync._bury_withheld(v_job.job_id, v_withheld, left(v_job.reply::text, 2000));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._fail_pushes(zcsync.outcome[]) IS
'has pushes go on without columns to which a vendor objects; those that have nothing else left wait for a person, or for a change of the record';

CREATE FUNCTION zcsync._bury_withheld(p_job bigint, p_withheld jsonb, p_reply text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE zcsync.sync_queue q SET payload = q.payload || jsonb_build_object('withheld', p_withheld) WHERE q.job_id = p_job;
	PERFORM zcsync._bury(p_job, 'rejected', (p_withheld ->> 'status')::integer,
		format('%s: %s', (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(p_withheld -> 'columns') AS c), p_withheld ->> 'message'),
		format('%s It is sent again when the record changes, here or there, or with SELECT zcsync.retry(%s);', p_withheld ->> 'hint', p_job), p_reply);
END
$$;
COMMENT ON FUNCTION zcsync._bury_withheld(bigint, jsonb, text) IS
'makes a dead letter of a push for which only withheld columns are left, which says what is missing';

-- The vendor changed records whose rows still have something to send: pushes that ended
-- because it objected to some columns are tried again.
CREATE FUNCTION zcsync._retry_withheld(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	v_job bigint;
BEGIN
	FOR v_job IN
		SELECT d.job_id FROM zcsync.dead_letters d
		WHERE d.local_id = ANY (p_ids) AND d.payload ? 'withheld'
			AND NOT EXISTS (SELECT FROM zcsync.streams s WHERE s.stream_id = d.stream_id AND NOT s.writes)
		FOR UPDATE SKIP LOCKED
	LOOP
		PERFORM zcsync.retry(v_job);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._retry_withheld(bigint[]) IS
'tries pushes again that ended because the vendor objected to some columns, when their records changed there';
