-- ---------------------------------------------------------------------
-- References: the text names of streams and records, and what happened to a
-- record.
-- ---------------------------------------------------------------------

-- The parts of a reference: account/kind, or account/kind/id, where the id #123 means
-- the local id 123.  Raises an error unless the form is right.
CREATE FUNCTION zcsync._parse_reference(p_reference text, p_parts integer) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := string_to_array(p_reference, '/', '');
BEGIN
	IF p_reference IS NULL OR cardinality(v_parts) <> p_parts OR array_position(v_parts, NULL) IS NOT NULL
		OR length(p_reference) > 700 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid reference: %s', coalesce('"' || left(p_reference, 100) || '"', 'NULL')),
			HINT = CASE p_parts WHEN 2 THEN 'A stream is named account/kind, as in acme/tickets.'
				ELSE 'A record is named account/kind/id, as in acme/tickets/35436, or acme/tickets/#12 with its local_id.' END;
	END IF;
	RETURN v_parts;
END
$$;
COMMENT ON FUNCTION zcsync._parse_reference(text, integer) IS
'the parts of a reference; raises an error unless it has this many';

-- account/kind, or NULL when there is no such stream.
CREATE FUNCTION zcsync._find_stream(p_account text, p_kind text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT s.stream_id FROM zcsync.streams s JOIN zcsync.accounts a ON a.account_id = s.account_id
		WHERE a.name = p_account AND s.kind = p_kind);
END
$$;
COMMENT ON FUNCTION zcsync._find_stream(text, text) IS
'the stream of a kind of an account, or NULL';

CREATE FUNCTION zcsync.stream(reference text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := zcsync._parse_reference(reference, 2);
	v_stream bigint := zcsync._find_stream(v_parts[1], v_parts[2]);
BEGIN
	IF v_stream IS NULL THEN
		PERFORM zcsync.account(v_parts[1]);
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('stream "%s" does not exist', reference),
			HINT = format('Make it with zcsync.add_stream(%L, %L).', v_parts[1], v_parts[2]);
	END IF;
	RETURN v_stream;
END
$$;
COMMENT ON FUNCTION zcsync.stream(text) IS
'the number of a stream by its name, as in acme/tickets; an error if there is none';

-- A record in the mirror by its reference: by its id, or, if none has that id, by the
-- name that people gave it at a vendor where they can.
CREATE FUNCTION zcsync._find_record(p_reference text)
RETURNS TABLE (kind text, account_id bigint, local_id bigint, remote_id text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := zcsync._parse_reference(p_reference, 3);
	v_account bigint := zcsync.account(v_parts[1]);
	v_alias text;
BEGIN
	IF v_parts[2] <> ALL (zcsync._kinds()) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('kind "%s" does not exist', v_parts[2]),
			HINT = format('The kinds are: %s.', array_to_string(zcsync._kinds(), ', '));
	ELSIF v_parts[3] ~ '^#[0-9]{1,18}$' THEN
		RETURN QUERY EXECUTE format('SELECT %L::text, t.account_id, t.local_id, t.remote_id FROM zcsync.%1$I t '
			'WHERE t.account_id = $1 AND t.local_id = $2', v_parts[2]) USING v_account, substr(v_parts[3], 2)::bigint;
	ELSE
		RETURN QUERY EXECUTE format('SELECT %L::text, t.account_id, t.local_id, t.remote_id FROM zcsync.%1$I t '
			'WHERE t.account_id = $1 AND t.remote_id = $2', v_parts[2]) USING v_account, v_parts[3];
		v_alias := CASE WHEN NOT FOUND THEN (
			SELECT (zcsync._kind_of(a.vendor, v_parts[2])).alias FROM zcsync.accounts a WHERE a.account_id = v_account) END;
		IF v_alias IS NOT NULL THEN
			RETURN QUERY EXECUTE format('SELECT %L::text, t.account_id, t.local_id, t.remote_id FROM zcsync.%1$I t '
				'WHERE t.account_id = $1 AND t.%I = $2 ORDER BY t.deleted_at IS NOT NULL, t.local_id DESC LIMIT 1', v_parts[2], v_alias)
				USING v_account, v_parts[3];
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._find_record(text) IS
'the mirror row that a reference names, or none';

CREATE FUNCTION zcsync.record(reference text) RETURNS TABLE (kind text, account_id bigint, local_id bigint)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT r.kind, r.account_id, r.local_id FROM zcsync._find_record(record.reference) AS r;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('record "%s" is not in the mirror', left(record.reference, 100)),
			HINT = 'zcsync.sync_ticket() and zcsync.sync_task() fetch a record now.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.record(text) IS
'table, account and local id of a record by its reference, as in acme/tickets/35436 or acme/tickets/#12';

CREATE FUNCTION zcsync.reference(kind text, local_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_reference text;
BEGIN
	IF (kind = ANY (zcsync._kinds())) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('kind %s does not exist', coalesce('"' || left(kind, 100) || '"', 'NULL')),
			HINT = format('The kinds are: %s.', array_to_string(zcsync._kinds(), ', '));
	END IF;
	EXECUTE format('SELECT a.name || %L || coalesce(t.remote_id, ''#'' || t.local_id) '
			'FROM zcsync.%I t JOIN zcsync.accounts a ON a.account_id = t.account_id WHERE t.local_id = $1',
			'/' || kind || '/', kind)
		INTO v_reference USING local_id;
	RETURN v_reference;
END
$$;
COMMENT ON FUNCTION zcsync.reference(text, bigint) IS
'the reference of a mirror row, or NULL if there is none';

-- The last part of a reference, for lists that may name hundreds of thousands of records
-- of which the account is at hand: a statement for each kind, whose plan the session keeps.
CREATE FUNCTION zcsync._record_id(p_kind text, p_local bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE p_kind
		WHEN 'tickets' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.tickets AS r WHERE r.local_id = p_local);
		WHEN 'tasks' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.tasks AS r WHERE r.local_id = p_local);
		WHEN 'leads' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.leads AS r WHERE r.local_id = p_local);
		WHEN 'comments' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.comments AS r WHERE r.local_id = p_local);
		WHEN 'attachments' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.attachments AS r WHERE r.local_id = p_local);
		WHEN 'time_entries' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.time_entries AS r WHERE r.local_id = p_local);
		WHEN 'contacts' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.contacts AS r WHERE r.local_id = p_local);
		WHEN 'companies' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.companies AS r WHERE r.local_id = p_local);
		WHEN 'projects' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.projects AS r WHERE r.local_id = p_local);
		WHEN 'fields' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.fields AS r WHERE r.local_id = p_local);
		WHEN 'statuses' THEN RETURN (SELECT coalesce(r.remote_id, '#' || r.local_id) FROM zcsync.statuses AS r WHERE r.local_id = p_local);
	END CASE;
END
$$;
COMMENT ON FUNCTION zcsync._record_id(text, bigint) IS
'the id of a mirror row as its reference has it, or NULL if there is no such row';

-- The references of many rows of a kind; a row that does not exist has no reference.
CREATE FUNCTION zcsync._references(p_kind text, p_ids bigint[]) RETURNS TABLE (local_id bigint, reference text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		SELECT t.local_id, a.name || '/' || $2 || '/' || coalesce(t.remote_id, '#' || t.local_id)
		FROM unnest($1) AS i (id)
		CROSS JOIN LATERAL (SELECT m.local_id, m.remote_id, m.account_id FROM zcsync.%I AS m WHERE m.local_id = i.id OFFSET 0) AS t
		JOIN zcsync.accounts AS a ON a.account_id = t.account_id$sql$, p_kind) USING p_ids, p_kind;
END
$$;
COMMENT ON FUNCTION zcsync._references(text, bigint[]) IS
'the references of mirror rows of a kind';

CREATE FUNCTION zcsync.reference(account bigint, kind text, remote_id text, local_id bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.name || '/' || $2 || '/' || coalesce($3, '#' || $4) FROM zcsync.accounts a WHERE a.account_id = $1
$$;
COMMENT ON FUNCTION zcsync.reference(bigint, text, text, bigint) IS
'the reference of a mirror row whose columns are at hand; faster, as the row is not looked up';

-- May the caller read this column of this row, by SELECT privileges and by the policies
-- of row security?  Without a column: by SELECT on the whole table.
CREATE FUNCTION zcsync._may_read_field(p_kind text, p_local_id bigint, p_field text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_table regclass := format('zcsync.%I', p_kind)::regclass;
	v_there boolean;
BEGIN
	IF NOT has_table_privilege(v_table, 'SELECT') AND NOT EXISTS (
		SELECT FROM pg_attribute AS a
		WHERE a.attrelid = v_table AND a.attname = p_field AND has_column_privilege(v_table, a.attnum, 'SELECT'))
	THEN
		RETURN false;
	END IF;
	EXECUTE format('SELECT true FROM %s AS t WHERE t.local_id = $1', v_table) INTO v_there USING p_local_id;
	RETURN coalesce(v_there, false);
EXCEPTION WHEN insufficient_privilege THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION zcsync._may_read_field(text, bigint, text) IS
'may the caller read this column of a mirror row?';

-- The view reads the history with the rights of its owner.  For each row it checks what
-- its reader may read in the tables themselves, and shows no more than that.
CREATE FUNCTION zcsync._create_history_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE OR REPLACE VIEW zcsync.record_changes WITH (security_barrier) AS
	SELECT c.account_id, c.kind, c.local_id, c.created_at, c.action, k.name AS field_name,
		c.old ->> k.name AS old, c.new ->> k.name AS new, c.cause, c.cause_id, c.role
	FROM zcsync.changes AS c
	CROSS JOIN LATERAL (
		SELECT jsonb_object_keys(coalesce(c.old, '{}')) UNION SELECT jsonb_object_keys(coalesce(c.new, '{}'))) AS k (name)
	WHERE zcsync._may_read_field(c.kind, c.local_id, k.name);
	COMMENT ON VIEW zcsync.record_changes IS
	'the history of mirror rows, a row per changed field, as far as its reader may read the rows themselves; zcsync.history() reads it';
END
$body$;
COMMENT ON FUNCTION zcsync._create_history_view() IS
'makes view record_changes; part of setup()';

CREATE FUNCTION zcsync._history_setup_steps() RETURNS SETOF zcsync.setup_step
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES (31, 'zcsync._create_history_view()'::regprocedure);
END;
COMMENT ON FUNCTION zcsync._history_setup_steps() IS
'what setup() does for the history of records';

-- With the rights of the caller: see _create_history_view().
CREATE FUNCTION zcsync.history(reference text, field text DEFAULT NULL)
RETURNS TABLE (at timestamptz, action text, field_name text, old text, new text, cause text, cause_id bigint, role text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_record record;
BEGIN
	SELECT * INTO STRICT v_record FROM zcsync.record(history.reference);
	IF NOT has_any_column_privilege(format('zcsync.%I', v_record.kind), 'SELECT') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for table %s', v_record.kind),
			HINT = format('GRANT SELECT ON zcsync.%I TO %I;', v_record.kind, current_user);
	END IF;
	RETURN QUERY
	SELECT h.created_at, h.action, h.field_name, h.old, h.new, h.cause, h.cause_id, h.role
	FROM zcsync.record_changes AS h
	WHERE h.local_id = v_record.local_id AND h.account_id = v_record.account_id AND h.kind = v_record.kind
		AND (history.field IS NULL OR h.field_name = history.field)
	ORDER BY h.created_at, h.action DESC, h.field_name;
END
$$;
COMMENT ON FUNCTION zcsync.history(text, text) IS
'what happened to a record here, a row per changed field that the caller may read, oldest first; action lost: a value that both sides had changed, and the one that won';
