-- ---------------------------------------------------------------------
-- Zendesk: the requests that make a ticket equal to its row, and the values agreed on
-- when they were sent.
--
-- A push is one request: POST of a new ticket with all its values, or PUT of those that
-- differ from base.  Each PUT says for which state of the ticket it was made
-- (updated_stamp), and Zendesk refuses it (409) if the ticket was changed since.  Then
-- the ticket is read again and merged like one of a page: what was changed there is
-- taken, and what only we changed is sent again.
--
-- A ticket made here carries its row's sync_key as external_id: a create whose
-- effect is not known is looked up by it.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._zendesk_pushable(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind
		WHEN 'tickets' THEN '{subject,description,status,priority,type,requester_id,assignee_id,group_id,organization_id,
			problem_id,follower_ids,email_cc_ids,tags,due_at,custom_fields}'
		WHEN 'comments' THEN '{parent_kind,parent_id,author_id,body,rich_body,is_private}'
		ELSE '{}' END::text[];
END;
COMMENT ON FUNCTION zcsync._zendesk_pushable(text) IS
'columns of a kind that can be changed at Zendesk';

-- ---------------------------------------------------------------------
-- Values
-- ---------------------------------------------------------------------

-- The form in which a request has the value of a column, see _zendesk_value().
CREATE FUNCTION zcsync._zendesk_form(p_column text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_column IN ('status', 'priority', 'type') THEN p_column
		WHEN p_column = 'requester_id' THEN 'fixed id'
		WHEN p_column LIKE E'%\\_id' THEN 'id'
		WHEN p_column = 'due_at' THEN 'time'
		WHEN p_column = 'tags' THEN 'tags'
		ELSE 'text' END;
END;
COMMENT ON FUNCTION zcsync._zendesk_form(text) IS
'the form in which a request has the value of a column of tickets';

-- An id as requests have it, a whole number; NULL if it is none.
CREATE FUNCTION zcsync._zendesk_id(p_id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_id ~ '^[1-9][0-9]{0,17}$' THEN to_jsonb(p_id::bigint) END;
END;
COMMENT ON FUNCTION zcsync._zendesk_id(text) IS
'an id as requests have it, a whole number; NULL if it is none';

-- A value as a request has it; NULL where it cannot be sent.  Status and requester
-- cannot be emptied.
CREATE FUNCTION zcsync._zendesk_value(p_form text, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN p_form = 'tags' THEN (SELECT coalesce(jsonb_agg(DISTINCT regexp_replace(zcsync._fold(btrim(e)), '[[:space:]]+', '_', 'g') COLLATE "C"), '[]')
			FROM jsonb_array_elements_text(zcsync._json_list(p_value)) AS e WHERE btrim(e) <> '')
		WHEN p_form IN ('status', 'fixed id') AND p_value IN ('null', '""') THEN NULL
		WHEN p_value = 'null' OR (p_form <> 'text' AND p_value = '""') THEN 'null'
		WHEN p_form = 'text' THEN p_value
		WHEN p_form IN ('id', 'fixed id') THEN zcsync._zendesk_id(p_value #>> '{}')
		WHEN p_form = 'time' THEN (SELECT to_jsonb(left(v.text, 19) || 'Z') FROM (SELECT p_value #>> '{}') AS v (text)
			WHERE v.text ~ '^[0-9]{4}-.*[+]00:00$')
		WHEN lower((p_value #>> '{}') COLLATE "C") = ANY (CASE p_form
			WHEN 'status' THEN '{new,open,pending,hold,solved,closed}'
			WHEN 'priority' THEN '{urgent,high,normal,low}'
			WHEN 'type' THEN '{problem,incident,question,task}' END::text[]) THEN to_jsonb(lower((p_value #>> '{}') COLLATE "C"))
	END;
END;
COMMENT ON FUNCTION zcsync._zendesk_value(text, jsonb) IS
'the value of a column as a request has it; NULL if it cannot be sent';

-- The tag of an option of a custom field that is given by its tag or its name; NULL if
-- there is no such option.
CREATE FUNCTION zcsync._zendesk_option(p_options jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT o.option -> 'value'
	FROM jsonb_array_elements(zcsync._json_list(p_options)) AS o (option)
	WHERE o.option ->> 'value' = p_value #>> '{}' OR zcsync._fold(o.option ->> 'name') = zcsync._fold(p_value #>> '{}')
	ORDER BY o.option ->> 'value' = p_value #>> '{}' DESC, o.option ->> 'value' LIMIT 1;
END;
COMMENT ON FUNCTION zcsync._zendesk_option(jsonb, jsonb) IS
'the tag of an option of a custom field that is given by its tag or name; NULL if there is no such option';

-- The value of a custom field of a type (NULL: unknown) as a request has it; NULL where
-- it cannot be sent.  An empty text empties the field.
CREATE FUNCTION zcsync._zendesk_field_value(p_type text, p_options jsonb, p_value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_text text := nullif(btrim(p_value #>> '{}'), '');
	v_list jsonb := CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END;
BEGIN
	IF p_type = 'multiselect' AND v_text IS NOT NULL THEN
		RETURN (SELECT CASE WHEN count(*) = count(o.tag) THEN coalesce(jsonb_agg(DISTINCT o.tag), '[]') END
			FROM jsonb_array_elements(v_list) AS e
			CROSS JOIN LATERAL (SELECT zcsync._zendesk_option(p_options, e)) AS o (tag));
	ELSIF v_text IS NULL THEN
		RETURN CASE p_type WHEN 'checkbox' THEN 'false' WHEN 'multiselect' THEN '[]' ELSE '""' END::jsonb;
	ELSIF p_type = 'tagger' THEN
		RETURN zcsync._zendesk_option(p_options, p_value);
	ELSIF p_type IS NULL THEN
		RETURN CASE WHEN jsonb_typeof(p_value) <> 'object' THEN p_value END;
	ELSIF jsonb_typeof(p_value) IN ('array', 'object') THEN
		RETURN NULL;
	ELSIF p_type = 'checkbox' THEN
		RETURN CASE WHEN lower(v_text COLLATE "C") IN ('true', 'yes', '1') THEN 'true'::jsonb
			WHEN lower(v_text COLLATE "C") IN ('false', 'no', '0') THEN 'false' END;
	ELSIF p_type = 'lookup' THEN
		RETURN CASE WHEN zcsync._zendesk_id(v_text) IS NOT NULL THEN to_jsonb(v_text) END;
	ELSIF p_type = 'integer' THEN
		RETURN CASE WHEN v_text ~ '^[-+]?[0-9]{1,18}(?:[.]0+)?$' THEN to_jsonb(trunc(v_text::numeric)) END;
	ELSIF p_type = 'decimal' THEN
		RETURN CASE WHEN v_text ~ '^[-+]?[0-9]{1,18}(?:[.][0-9]{1,18})?$' THEN to_jsonb(trim_scale(v_text::numeric)::text) END;
	ELSIF p_type = 'date' THEN
		RETURN to_jsonb(left(zcsync._utc_text(CASE WHEN v_text ~ '^[0-9]{4}-[0-9][0-9]-[0-9][0-9]$' THEN v_text || 'T00:00:00Z' ELSE v_text END), 10));
	END IF;
	RETURN to_jsonb(p_value #>> '{}');
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_field_value(text, jsonb, jsonb) IS
'the value of a custom field as a request has it; NULL if it cannot be sent';

-- For the custom fields in which a row differs from its base: their members in a
-- request, which values were sent, and why others cannot be sent; and the tags of the
-- options and boxes that were chosen before and are chosen now.
CREATE FUNCTION zcsync._zendesk_field_items(p_account bigint, p_row jsonb, p_base jsonb,
	OUT items jsonb, OUT sent jsonb, OUT problem text, OUT old_tags text[], OUT new_tags text[])
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT jsonb_agg(jsonb_build_object('id', zcsync._zendesk_id(d.key), 'value', d.value) ORDER BY d.key)
			FILTER (WHERE d.problem IS NULL),
		jsonb_object_agg(d.key, d.mine) FILTER (WHERE d.problem IS NULL),
		string_agg(d.problem, '; ' ORDER BY d.key),
		ARRAY(SELECT e #>> '{}' FROM jsonb_path_query(jsonb_agg(d.old_tags), 'lax $[*][*]') AS e WHERE e <> 'null'),
		ARRAY(SELECT e #>> '{}' FROM jsonb_path_query(jsonb_agg(d.new_tags), 'lax $[*][*]') AS e WHERE e <> 'null')
	INTO items, sent, problem, old_tags, new_tags
	FROM (
		SELECT k.key, m.mine, v.value, v.base, v.value IS DISTINCT FROM v.base AS differs, g.old_tags, g.new_tags,
			CASE
				WHEN f.remote_id IS NULL THEN format('there is no custom field "%s"', left(k.key, 100))
				WHEN v.value IS NULL
					THEN format('"%s" is not a value of custom field "%s", which is of type %s',
						left(m.mine #>> '{}', 100), coalesce(f.name, k.key), coalesce(f.type, 'unknown'))
			END AS problem
		FROM (SELECT jsonb_object_keys(p_row || p_base)) AS k (key)
		LEFT JOIN zcsync.fields f ON f.account_id = p_account AND f.remote_id = k.key AND f.scope_id IS NULL AND f.deleted_at IS NULL
			AND f.type <> ALL ('{subject,description,status,custom_status,tickettype,priority,group,assignee}')
		CROSS JOIN LATERAL (
			SELECT coalesce(p_row -> k.key, 'null'), coalesce(p_base -> k.key, 'null') OFFSET 0) AS m (mine, base)
		CROSS JOIN LATERAL (
			SELECT zcsync._zendesk_field_value(f.type, f.options, m.mine), zcsync._zendesk_field_value(f.type, f.options, m.base)
			OFFSET 0) AS v (value, base)
		CROSS JOIN LATERAL (	-- a checked box is a tag, too, where the field has one
			SELECT CASE WHEN f.type IN ('tagger', 'multiselect') THEN v.base WHEN f.type = 'checkbox' AND v.base = 'true' THEN f.remote -> 'tag' END,
				CASE WHEN f.type IN ('tagger', 'multiselect') THEN v.value WHEN f.type = 'checkbox' AND v.value = 'true' THEN f.remote -> 'tag' END)
			AS g (old_tags, new_tags)
		WHERE m.mine <> m.base) AS d
	WHERE d.problem IS NOT NULL OR d.differs;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_field_items(bigint, jsonb, jsonb) IS
'the custom fields of a request in which a row differs from its base, and why some cannot be sent';

-- The requester of a row as a request has it: an id, or in a new ticket a person with
-- an e-mail address, who may be new to Zendesk.  NULL: the row has neither.
CREATE FUNCTION zcsync._zendesk_requester(p_account bigint, p_value text, p_new boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id text;
BEGIN
	IF p_value !~ '@' THEN
		RETURN jsonb_build_object('requester_id', zcsync._zendesk_id(p_value));
	ELSIF p_value !~ '^[^@[:space:]]+@[^@[:space:]]+$' THEN
		RETURN NULL;
	END IF;
	SELECT c.remote_id INTO v_id
	FROM zcsync.contacts c
	WHERE c.account_id = p_account AND lower(c.email COLLATE "C") = lower(p_value COLLATE "C") AND c.deleted_at IS NULL
	ORDER BY c.local_id LIMIT 1;
	RETURN CASE
		WHEN v_id IS NOT NULL THEN jsonb_build_object('requester_id', zcsync._zendesk_id(v_id))
		WHEN p_new THEN jsonb_build_object('requester',
			jsonb_build_object('email', p_value, 'name', split_part(p_value, '@', 1)))
	END;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_requester(bigint, text, boolean) IS
'the requester as a request has it, given by id or e-mail address; NULL if it cannot be sent';

-- ---------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------

-- Who is to follow a ticket, or get copies of its mails, and who is not any more: a
-- request names those who are added or removed.
CREATE FUNCTION zcsync._zendesk_followers(p_row jsonb, p_base jsonb) RETURNS TABLE (name text, member text, changes jsonb, wrong text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.name, c.member,
		(SELECT jsonb_agg(jsonb_build_object('user_id', zcsync._zendesk_id(u.id), 'action', u.action) ORDER BY u.action, u.id)
		FROM (SELECT unnest(l.added) AS id, 'put' AS action UNION ALL SELECT unnest(l.removed), 'delete') AS u),
		(SELECT format('"%s" is not a valid id in %s', left(min(u.id), 100), c.name) FROM unnest(l.added) AS u (id)
		WHERE zcsync._zendesk_id(u.id) IS NULL HAVING count(*) > 0)
	FROM (VALUES ('follower_ids', 'followers'), ('email_cc_ids', 'email_ccs')) AS c (name, member)
	CROSS JOIN LATERAL zcsync._list_changes(p_base -> c.name, p_row -> c.name) AS l
	WHERE cardinality(l.added || l.removed) > 0;
END;
COMMENT ON FUNCTION zcsync._zendesk_followers(jsonb, jsonb) IS
'members of a request that add and remove followers and copies of a ticket, and what cannot be sent';

-- The members of a ticket in which a row differs from its base, the values of the
-- columns that they stand for, and what cannot be sent and why.
CREATE FUNCTION zcsync._zendesk_item(p_row jsonb, p_base jsonb,
	OUT item jsonb, OUT sent jsonb, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_account bigint := (p_row ->> 'account_id')::bigint;
	v_new boolean := p_row ->> 'remote_id' IS NULL;
	v_fields record;
BEGIN
	SELECT coalesce(jsonb_object_agg(v.name, v.value), '{}'), coalesce(jsonb_object_agg(v.name, v.mine), '{}'),
		string_agg(format('"%s" is not a valid %s', left(v.mine #>> '{}', 100), v.name), '; ' ORDER BY v.name)
			FILTER (WHERE v.value IS NULL),
		min(CASE WHEN v.form ~ 'id$' THEN 'It takes an id, which is a whole number; zcsync.contacts shows those of people.'
			WHEN v.form = 'status' THEN 'The statuses are new, open, pending, hold, solved and closed.'
			WHEN v.form = 'priority' THEN 'The priorities are urgent, high, normal and low.'
			WHEN v.form = 'type' THEN 'The types are problem, incident, question and task.' END)
			FILTER (WHERE v.value IS NULL)
	INTO item, sent, problem, hint
	FROM (
		SELECT c.name, f.form, x.mine, r.value, r.base
		FROM unnest(zcsync._zendesk_pushable('tickets')) AS c (name)
		CROSS JOIN LATERAL (SELECT zcsync._zendesk_form(c.name)) AS f (form)
		CROSS JOIN LATERAL (SELECT p_row -> c.name, coalesce(p_base -> c.name, 'null') OFFSET 0) AS x (mine, base)
		CROSS JOIN LATERAL (
			SELECT zcsync._zendesk_value(f.form, x.mine), zcsync._zendesk_value(f.form, x.base) OFFSET 0) AS r (value, base)
		WHERE x.mine <> x.base AND c.name NOT IN ('description', 'requester_id', 'follower_ids', 'email_cc_ids', 'custom_fields')
			AND (f.form <> 'status' OR x.mine NOT IN ('null', '""'))) AS v
	WHERE (v.value = v.base) IS NOT TRUE;

	-- where no requester is given, the ticket keeps the one it has
	IF p_row ->> 'requester_id' <> coalesce(p_base ->> 'requester_id', '') THEN
		item := item || coalesce(zcsync._zendesk_requester(v_account, p_row ->> 'requester_id', v_new), '{"requester_id": null}');
		sent := sent || jsonb_build_object('requester_id', p_row -> 'requester_id');
		IF item -> 'requester_id' = 'null' THEN
			problem := concat_ws('; ', problem, format('"%s" is not a valid requester_id', left(p_row ->> 'requester_id', 100)));
			hint := CASE WHEN p_row ->> 'requester_id' ~ '@' AND NOT v_new
				THEN 'Only a new ticket can have the e-mail address of a person who is not in zcsync.contacts.'
				ELSE 'It takes an id, which is a whole number, or for a new ticket an e-mail address.' END;
		END IF;
	END IF;
	SELECT item || coalesce(jsonb_object_agg(f.member, f.changes), '{}'), sent || coalesce(jsonb_object_agg(f.name, p_row -> f.name), '{}'),
		concat_ws('; ', problem, string_agg(f.wrong, '; ' ORDER BY f.name))
	INTO item, sent, problem
	FROM zcsync._zendesk_followers(p_row, p_base) AS f;
	problem := nullif(problem, '');
	IF coalesce(item -> 'due_at', 'null') <> 'null' AND lower((p_row ->> 'type') COLLATE "C") IS DISTINCT FROM 'task' THEN
		problem := concat_ws('; ', problem, 'only a ticket of type "task" has a due_at');
		hint := coalesce(hint, 'Set type to ''task'', or due_at to NULL.');
	END IF;
	IF p_row -> 'custom_fields' IS DISTINCT FROM p_base -> 'custom_fields' THEN
		v_fields := zcsync._zendesk_field_items(v_account, coalesce(nullif(p_row -> 'custom_fields', 'null'), '{}'),
			coalesce(nullif(p_base -> 'custom_fields', 'null'), '{}'));
		IF v_fields.problem IS NOT NULL THEN
			problem := concat_ws('; ', problem, v_fields.problem);
			hint := coalesce(hint, 'zcsync.fields shows the custom fields and their options.');
		ELSIF v_fields.items IS NOT NULL THEN
			item := item || jsonb_build_object('custom_fields', v_fields.items);
			sent := sent || jsonb_build_object('custom_fields', v_fields.sent);
			-- The tags of chosen options are among the tags of the ticket, too.
			IF item ? 'tags' THEN
				item := item || jsonb_build_object('tags', zcsync._zendesk_value('tags', to_jsonb(ARRAY(
					SELECT t FROM jsonb_array_elements_text(item -> 'tags') AS t WHERE t <> ALL (v_fields.old_tags)
					UNION SELECT unnest(v_fields.new_tags)))));
			END IF;
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_item(jsonb, jsonb) IS
'what a request holds for a row that differs from its base, and why it cannot be sent';

-- The request that makes the ticket of a row.  The first comment must have a text; if
-- the row has none, the subject is used.  If the status is withheld, the ticket is made
-- with status open.
CREATE FUNCTION zcsync._zendesk_create_request(p_row jsonb, p_withheld jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row jsonb := CASE WHEN p_withheld IS NULL THEN p_row ELSE p_row || '{"status": "open"}' END;
	v_parts record := zcsync._zendesk_item(v_row, '{}');
	v_text text := coalesce(nullif(btrim(p_row ->> 'description', E' \t\r\n'), ''), nullif(btrim(p_row ->> 'subject', E' \t\r\n'), ''));
BEGIN
	IF v_text IS NULL THEN
		v_parts.problem := concat_ws('; ', v_parts.problem, 'a new ticket needs a description or a subject');
	END IF;
	IF v_parts.problem IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'create_ticket', 'refuse', 'cannot be sent to Zendesk: ' || v_parts.problem, 'hint', v_parts.hint);
	END IF;
	RETURN jsonb_build_object('op', 'create_ticket', 'create', true, 'class', 'api', 'idempotency_key', p_row -> 'sync_key',
		'body', jsonb_build_object('ticket', v_parts.item
			|| jsonb_build_object('external_id', 'zcsync-' || (p_row ->> 'sync_key'),
				'comment', jsonb_build_object('body', v_text, 'public', true))),
		'row', zcsync._row_mark(p_row),
		'sent', (SELECT jsonb_object_agg(c, v_row -> c) FROM unnest(zcsync._zendesk_pushable('tickets')) AS c));
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_create_request(jsonb, jsonb) IS
'the request that makes the ticket of a row';

-- The next request for a row of tickets (as to_jsonb() makes it in UTC, without columns
-- that exist only here), or NULL if the row equals its base.  p_unclear is set while it
-- is not known whether a create had an effect; p_conflict after an update that came too
-- late; p_lost after one whose reply was lost.  p_withheld: see mirror/withheld.sql.
-- Only updates spend the budget of writes; the other requests name the class that they
-- spend.
CREATE FUNCTION zcsync._zendesk_push_request(p_row jsonb, p_base jsonb, p_unclear timestamptz, p_conflict boolean,
	p_lost boolean, p_withheld jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	v_base jsonb := coalesce(p_base, '{}');
	v_parts record;
BEGIN
	IF p_row ->> 'remote_id' IS NULL AND p_unclear IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'find_ticket', 'class', 'api', 'external_id', 'zcsync-' || (p_row ->> 'sync_key'));
	ELSIF p_row ->> 'remote_id' IS NULL THEN
		RETURN zcsync._zendesk_create_request(p_row, p_withheld);
	END IF;

	v_parts := zcsync._zendesk_item(p_row, CASE WHEN p_withheld IS NULL THEN v_base ELSE zcsync._base_without(v_base, p_row, p_withheld) END);
	-- Zendesk opens a new ticket that is assigned.  That must not look as if a person
	-- had changed it there.
	IF p_withheld IS NOT NULL AND v_base ->> 'status' = 'new' AND v_parts.item ->> 'assignee_id' IS NOT NULL THEN
		v_parts.item := v_parts.item || '{"status": "open"}';
		v_parts.sent := v_parts.sent || '{"status": "open"}';
	END IF;
	IF v_parts.item = '{}' AND v_parts.problem IS NULL AND NOT p_lost THEN
		RETURN CASE WHEN p_withheld IS NOT NULL AND (zcsync._zendesk_item(p_row, v_base)).item <> '{}'
			THEN zcsync._withheld_request('update_ticket', p_withheld) END;
	ELSIF p_conflict OR p_lost THEN
		RETURN jsonb_build_object('op', 'get_ticket', 'class', 'api', 'ticket_id', p_row -> 'remote_id');
	ELSIF v_base ->> 'status' = 'closed' THEN
		RETURN jsonb_build_object('op', 'update_ticket', 'refuse', 'cannot be sent to Zendesk: a closed ticket cannot be changed',
			'hint', 'Make a new ticket for what is left to do; zcsync.history() shows what the row had before.');
	ELSIF v_parts.problem IS NOT NULL THEN
		RETURN jsonb_build_object('op', 'update_ticket', 'refuse', 'cannot be sent to Zendesk: ' || v_parts.problem, 'hint', v_parts.hint);
	END IF;
	RETURN jsonb_build_object('op', 'update_ticket', 'ticket_id', p_row -> 'remote_id', 'sent', v_parts.sent,
		'base', (SELECT jsonb_object_agg(k, v_base -> k) FROM jsonb_object_keys(v_parts.sent) AS k),
		'body', jsonb_build_object('ticket', v_parts.item
			|| CASE WHEN v_base ->> 'updated_at' IS NOT NULL THEN jsonb_build_object('safe_update', true,
				'updated_stamp', replace(v_base ->> 'updated_at', '+00:00', 'Z')) ELSE '{}' END))
		|| CASE WHEN v_parts.sent ? 'status' THEN jsonb_build_object('row', zcsync._row_mark(p_row)) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_push_request(jsonb, jsonb, timestamptz, boolean, boolean, jsonb) IS
'the next request that brings a ticket closer to its row, or NULL';

-- Zendesk refuses to solve a ticket that has no assignee, or in which a required field
-- is empty; it then refuses the rest of the request, too.
CREATE FUNCTION zcsync._zendesk_withhold(p_request jsonb, p_status integer, p_reply jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object('columns', '["status"]'::jsonb, 'message', b.said,
		'hint', 'Set what is missing: assignee_id, or in custom_fields the field that is named.')
	FROM (
		SELECT string_agg(e ->> 'description', '; ')
		FROM jsonb_array_elements(zcsync._json_list(p_reply #> '{details,base}')) AS e
		WHERE strpos(lower((e ->> 'description') COLLATE "C"), 'required when solving') > 0) AS b (said)
	WHERE b.said IS NOT NULL AND p_status = 422 AND p_request #>> '{body,ticket,status}' IN ('solved', 'closed');
END;
COMMENT ON FUNCTION zcsync._zendesk_withhold(jsonb, integer, jsonb) IS
'the status, if Zendesk refuses a request because the ticket cannot be solved yet; NULL: it refuses the whole request';

-- The organization that stands for the company of the record of which a ticket is the
-- copy.  Zendesk finds one by its external id only, and refuses a name that another one
-- has: so it is looked for by both here.  id NULL: there is none yet.  A catch-all
-- company, which a route has as its default_client or which is named like one, has no
-- organization.
CREATE FUNCTION zcsync._zendesk_organization(p_account bigint, p_route bigint, p_ticket bigint, OUT id text, OUT name text, OUT external_id text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	SELECT btrim(c.name), 'zcsync-' || c.sync_key INTO name, external_id
	FROM zcsync.links l
	CROSS JOIN LATERAL (SELECT t.account_id, t.organization_id FROM zcsync.tickets AS t WHERE t.local_id = l.source_id OFFSET 0) AS s
	CROSS JOIN LATERAL (SELECT k.* FROM zcsync.companies AS k
		WHERE k.account_id = s.account_id AND k.remote_id = s.organization_id AND k.deleted_at IS NULL OFFSET 0) AS c
	WHERE l.route_id = p_route AND l.target_id = p_ticket AND l.source_kind = 'tickets' AND l.state = 'linked'
		AND btrim(c.name) <> '' AND zcsync._fold(btrim(c.name)) <> ALL ('{unknown,general client}')
		AND NOT EXISTS (SELECT FROM zcsync.routes r JOIN zcsync.streams x ON x.stream_id = r.target_stream_id
			WHERE x.account_id = c.account_id AND (r.default_client = c.remote_id OR zcsync._fold(r.default_client) = zcsync._fold(c.name)))
	ORDER BY l.link_id LIMIT 1;
	IF name IS NULL THEN
		RETURN;
	END IF;
	SELECT o.remote_id INTO id FROM zcsync.companies o
	WHERE o.account_id = p_account AND o.external_id = _zendesk_organization.external_id AND o.type = 'organization' AND o.deleted_at IS NULL
	ORDER BY o.local_id LIMIT 1;
	IF id IS NULL THEN
		SELECT o.remote_id INTO id FROM zcsync.companies o
		WHERE o.account_id = p_account AND o.type = 'organization' AND o.deleted_at IS NULL AND zcsync._fold(o.name) = zcsync._fold(_zendesk_organization.name)
		ORDER BY o.local_id LIMIT 1;
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_organization(bigint, bigint, bigint) IS
'the organization that stands for the company of the record of which a ticket is the copy; no name: that record has no company, or a catch-all company';

-- Where a route says so, a requester whom the account does not know is made before the
-- ticket, with the name that the source has, and without a mail that greets them; and
-- before them their organization, to which the ticket belongs then, too.  Zendesk would
-- give the name and organization also to a user who is there, whom the mirror may not
-- have yet: so the address is looked up there first.  What was sent and got no reply can
-- be sent again: Zendesk finds a user by the address, and an organization by its external
-- id.  p_learned: what was looked up and made.  NULL: the ticket can be sent now.
CREATE FUNCTION zcsync._zendesk_new_requester(p_account bigint, p_route bigint, p_ticket bigint, p_email text, p_learned jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_route zcsync.routes;
	v_organization record;
	v_id jsonb;
	v_name text;
BEGIN
	SELECT * INTO v_route FROM zcsync.routes r WHERE r.route_id = p_route AND r.unknown_user = 'create';
	IF NOT FOUND OR coalesce(p_email !~ '^[^@"[:space:]]+@[^@"[:space:]]+$', true) OR p_learned ? 'requester' OR EXISTS (
		SELECT FROM zcsync.contacts c WHERE c.account_id = p_account AND lower(c.email COLLATE "C") = lower(p_email COLLATE "C") AND c.deleted_at IS NULL) THEN
		RETURN NULL;
	ELSIF (p_learned ? 'address') IS NOT TRUE THEN
		RETURN jsonb_build_object('op', 'find_user', 'class', 'api', 'learn', 'address', 'query', format('email:"%s"', p_email));
	END IF;
	IF v_route.unknown_organization = 'create' THEN
		SELECT * INTO v_organization FROM zcsync._zendesk_organization(p_account, p_route, p_ticket);
		v_id := coalesce(zcsync._zendesk_id(v_organization.id), zcsync._zendesk_id(p_learned ->> 'organization'));
		IF v_id IS NULL AND v_organization.name IS NOT NULL AND NOT p_learned ? 'organization' THEN
			RETURN jsonb_build_object('op', 'create_organization', 'class', 'api', 'learn', 'organization', 'body',
				jsonb_build_object('organization', jsonb_build_object('name', v_organization.name, 'external_id', v_organization.external_id)));
		END IF;
	END IF;
	v_name := (SELECT nullif(btrim(c.name), '') FROM zcsync.streams s JOIN zcsync.contacts c ON c.account_id = s.account_id
		WHERE s.stream_id = v_route.source_stream_id AND lower(c.email COLLATE "C") = lower(p_email COLLATE "C") AND c.deleted_at IS NULL
		ORDER BY c.local_id LIMIT 1);
	RETURN jsonb_build_object('op', 'create_user', 'class', 'api', 'learn', 'requester', 'body', jsonb_build_object('user',
		jsonb_build_object('email', p_email, 'skip_verify_email', true, 'name', coalesce(v_name, split_part(p_email, '@', 1)))
			|| CASE WHEN v_id IS NOT NULL THEN jsonb_build_object('organization_id', v_id) ELSE '{}' END));
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_new_requester(bigint, bigint, bigint, text, jsonb) IS
'the request that looks up or makes the requester of a new ticket, or first their organization, if the route wants that and nobody has the address; else NULL';

-- The requests of push jobs; NULL for a row that equals its base or is gone.  A row
-- that equals it is put in step: values that differ in form only, or that cannot be
-- changed at Zendesk, become those of base.
CREATE FUNCTION zcsync._zendesk_push_requests(p_job_ids bigint[])
RETURNS TABLE (job_id bigint, request jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
	v_jobs bigint[];
	v_requests jsonb[];
	v_equal bigint[];
BEGIN
	-- not to_jsonb(t): that would read the whole document as well
	SELECT array_agg(r.job_id), array_agg(r.request), array_agg(r.local_id) FILTER (WHERE r.request IS NULL AND r.found)
	INTO v_jobs, v_requests, v_equal
	FROM (
		SELECT q.job_id, q.local_id, t.local_id IS NOT NULL AS found, coalesce(CASE
			WHEN t.local_id IS NOT NULL AND t.remote_id IS NULL AND q.route_id IS NOT NULL AND q.sent IS NULL AND q.unclear_since IS NULL
				THEN zcsync._zendesk_new_requester(t.account_id, q.route_id, t.local_id, t.requester_id, q.payload -> 'learned') END, CASE
			WHEN t.local_id IS NOT NULL AND q.sent IS NULL AND q.unclear_since IS NULL
					AND zcsync._lacks_fields(t.account_id, t.custom_fields, t.base -> 'custom_fields', q.payload)
				THEN '{"op": "ticket_fields", "class": "api", "learn": "fields"}'
			WHEN t.local_id IS NOT NULL
			THEN zcsync._zendesk_push_request(w.row,
				CASE WHEN t.sync_state = 'conflict' THEN zcsync._push_base('tickets', t.account_id, t.local_id, t.base) ELSE t.base END,
				q.unclear_since, coalesce(q.last_class = 'conflict', false), q.sent IS NOT NULL, zcsync._withheld(q.payload, w.row))
			END) AS request
		FROM zcsync.sync_queue q
		LEFT JOIN zcsync.tickets t ON t.account_id = q.account_id AND t.local_id = q.local_id AND t.deleted_at IS NULL
		CROSS JOIN LATERAL (SELECT jsonb_build_object('account_id', t.account_id, 'remote_id', t.remote_id,
				'sync_key', t.sync_key, 'subject', t.subject, 'description', t.description, 'status', t.status,
				'priority', t.priority, 'type', t.type, 'requester_id', t.requester_id, 'assignee_id', t.assignee_id,
				'group_id', t.group_id, 'organization_id', t.organization_id, 'problem_id', t.problem_id,
				'follower_ids', t.follower_ids, 'email_cc_ids', t.email_cc_ids, 'tags', t.tags, 'due_at', t.due_at,
				'custom_fields', t.custom_fields) OFFSET 0) AS w (row)
		WHERE q.job_id = ANY (p_job_ids)
		OFFSET 0) AS r;
	IF v_equal IS NOT NULL THEN
		PERFORM zcsync._zendesk_settle(v_equal);
	END IF;
	RETURN QUERY SELECT * FROM unnest(v_jobs, v_requests);
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_push_requests(bigint[]) IS
'what to send for each of these push jobs; NULL: nothing';

-- Compared again under the lock: somebody may have written the row meanwhile.
CREATE FUNCTION zcsync._zendesk_settle(p_ids bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
	WITH locked AS MATERIALIZED (
		SELECT t.account_id, t.local_id FROM zcsync.tickets t
		WHERE t.local_id = ANY (p_ids) AND t.sync_state <> 'synced' AND t.base IS NOT NULL
			AND t.remote_id IS NOT NULL AND t.deleted_at IS NULL
		ORDER BY t.account_id, t.local_id
		FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE zcsync.tickets t
	SET (subject, description, status, priority, type, requester_id, assignee_id, group_id, organization_id, problem_id,
			follower_ids, email_cc_ids, tags, due_at, custom_fields, sync_state, sync_cause, sync_cause_id, sync_xid) =
		(SELECT b.subject, b.description, b.status, b.priority, b.type, b.requester_id, b.assignee_id, b.group_id,
			b.organization_id, b.problem_id, b.follower_ids, b.email_cc_ids, b.tags, b.due_at, coalesce(b.custom_fields, '{}'), 'synced', 'push', NULL::bigint, pg_current_xact_id()
		FROM jsonb_populate_record(NULL::zcsync.tickets, t.base) AS b)
	FROM locked l
	WHERE t.account_id = l.account_id AND t.local_id = l.local_id
		AND zcsync._zendesk_push_request(to_jsonb(t) - 'remote', t.base, NULL, false, false, NULL) IS NULL;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_settle(bigint[]) IS
'makes rows for which there is nothing to send equal to their base, and synced';

-- ---------------------------------------------------------------------
-- What a reply to a push means
-- ---------------------------------------------------------------------

-- An object with
--   status   created, updated, found, absent, or merged: read again after a
--            conflict
--   doc      the ticket's document
--   agreed   custom fields that were sent and that the document does not show:
--            the next page tells what became of them
CREATE FUNCTION zcsync._zendesk_push_effect(p_request jsonb, p_reply jsonb, p_base jsonb, p_sync_key text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doc jsonb := p_reply -> 'ticket';
	v_fields jsonb;
BEGIN
	IF p_request ->> 'op' = 'find_ticket' THEN
		-- by its mark, since the list may hold other tickets
		SELECT d INTO v_doc FROM jsonb_array_elements(zcsync._json_list(p_reply -> 'tickets')) AS d
		WHERE d ->> 'external_id' = 'zcsync-' || p_sync_key
		ORDER BY d -> 'id' LIMIT 1;
		IF NOT FOUND THEN
			RETURN '{"status": "absent"}';
		END IF;
	END IF;
	SELECT jsonb_object_agg(s.key, s.value) INTO v_fields
	FROM jsonb_each(coalesce(nullif(p_request #> '{sent,custom_fields}', 'null'), '{}')) AS s
	WHERE s.value <> 'null' AND NOT EXISTS (
		SELECT FROM jsonb_array_elements(zcsync._json_list(v_doc -> 'custom_fields')) AS f
		WHERE f ->> 'id' = s.key AND f ->> 'value' IS NOT NULL);
	RETURN jsonb_build_object('doc', v_doc, 'status', CASE p_request ->> 'op' WHEN 'create_ticket' THEN 'created'
			WHEN 'find_ticket' THEN 'found' WHEN 'get_ticket' THEN 'merged' ELSE 'updated' END)
		|| CASE WHEN v_fields IS NOT NULL THEN jsonb_build_object('agreed', jsonb_build_object('custom_fields', v_fields)) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._zendesk_push_effect(jsonb, jsonb, jsonb, text) IS
'what the reply to a push means: its status, the document, and the values agreed on beside it';
