-- ---------------------------------------------------------------------
-- Companies: which client of a target a record belongs to.
--
-- A record has what is known of its company: {id, name, external_id, email}, each of
-- which may be missing.  It belongs to the client that a person mapped to the company
-- (zcsync.map_company()); else to the only client whose external id is the company's id
-- or external id; else to the client that a person mapped to the e-mail address or its
-- domain; else to the only client with that domain.  A domain that two clients have, or
-- at which a mail provider gives addresses to everybody, identifies no client.  A
-- record for which none of this finds a client waits as a row of
-- zcsync.unmapped_companies, unless its route has a default client.  It goes on when
-- its client becomes known.
--
-- People are searched by e-mail address among the users of that client only.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- Looking for the client
-- ---------------------------------------------------------------------

-- A domain at which anybody may have an e-mail address identifies no company.  A row
-- yahoo.* stands for yahoo.de as well as for yahoo.co.uk: for countries, whose codes
-- have two letters.  yahoo.com is a row of its own; live.org is a company.
CREATE FUNCTION zcsync._is_mail_provider(p_domain text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN p_domain IS NOT NULL AND EXISTS (
		SELECT FROM zcsync.mail_providers m
		WHERE m.domain IN (p_domain, CASE WHEN p_domain ~ '^[^.]+[.](?:com?[.])?[a-z]{2}$' THEN split_part(p_domain, '.', 1) || '.*' END));
END
$$;
COMMENT ON FUNCTION zcsync._is_mail_provider(text) IS
'is this the domain of a provider that gives mailboxes to anybody, so that its addresses identify no company?';

-- The clients of an account with a domain: their own domain, or that of one of their
-- users.
CREATE FUNCTION zcsync._domain_owners(p_account bigint, p_domain text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.remote_id
	FROM (	-- by that index, whatever the statistics of the table say
		SELECT * FROM zcsync.companies d WHERE zcsync._index_domains(d.domain) @> ARRAY[p_domain] OFFSET 0) AS c
	WHERE c.account_id = p_account AND c.type = 'client' AND c.deleted_at IS NULL
	UNION
	SELECT u.organization_id FROM zcsync.contacts u
	WHERE u.account_id = p_account AND zcsync._index_mail_domain(u.email) = p_domain
		AND u.organization_id IS NOT NULL AND u.deleted_at IS NULL
$$;
COMMENT ON FUNCTION zcsync._domain_owners(bigint, text) IS
'the clients that have an e-mail domain; if there are several, it identifies none';

-- The id of the client that has this id, or this name if no other one has it.
CREATE FUNCTION zcsync._find_client(p_account bigint, p_client text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT CASE WHEN count(*) = 1 OR bool_or(c.remote_id = p_client) THEN
			coalesce(min(c.remote_id) FILTER (WHERE c.remote_id = p_client), min(c.remote_id)) END
		FROM zcsync.companies c
		WHERE c.account_id = p_account AND c.type = 'client' AND c.deleted_at IS NULL
			AND (c.remote_id = p_client OR zcsync._fold(c.name) = zcsync._fold(p_client)));
END
$$;
COMMENT ON FUNCTION zcsync._find_client(bigint, text) IS
'id of the client that has this id, or this name if no other one has it; NULL if there is none';

-- The same, but raises an error if there is none.
CREATE FUNCTION zcsync._named_client(p_account bigint, p_client text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id text := zcsync._find_client(p_account, p_client);
	v_name text := (SELECT a.name FROM zcsync.accounts a WHERE a.account_id = p_account);
	v_several text;
BEGIN
	IF v_id IS NOT NULL THEN
		RETURN v_id;
	END IF;
	SELECT string_agg(c.remote_id, ', ' ORDER BY length(c.remote_id), c.remote_id) INTO v_several
	FROM zcsync.companies c
	WHERE c.account_id = p_account AND c.type = 'client' AND c.deleted_at IS NULL AND zcsync._fold(c.name) = zcsync._fold(p_client);
	RAISE EXCEPTION USING ERRCODE = CASE WHEN v_several IS NULL THEN 'undefined_object' ELSE 'invalid_parameter_value' END,
		MESSAGE = format(CASE WHEN v_several IS NULL THEN 'account "%s" has no client "%s"' ELSE 'account "%s" has several clients "%s"' END, v_name, left(p_client, 100)),
		HINT = CASE WHEN v_several IS NOT NULL THEN format('Give the id of one of them: %s.', v_several)
			ELSE format('Give the id or the name of a client: SELECT remote_id, name FROM zcsync.companies WHERE account_id = zcsync.account(%L) AND type = ''client'';', v_name) END;
END
$$;
COMMENT ON FUNCTION zcsync._named_client(bigint, text) IS
'id of the client that has this id or this name; an error when there is none, or several';

-- The client to which a company is mapped, by the first of these names that is mapped,
-- as an array with one element; NULL if none is.
CREATE FUNCTION zcsync._mapped_client(p_source bigint, p_target bigint, p_keys text[]) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY[m.client_id]
	FROM unnest(p_keys) WITH ORDINALITY AS k (key, n)
	JOIN zcsync.company_maps m ON m.source_account_id = p_source AND m.company = k.key AND m.target_account_id = p_target
	JOIN zcsync.companies c ON c.account_id = p_target AND c.remote_id = m.client_id AND c.deleted_at IS NULL
	ORDER BY k.n LIMIT 1
$$;
COMMENT ON FUNCTION zcsync._mapped_client(bigint, bigint, text[]) IS
'the client that a company is mapped to by one of its names';

-- The client of a record, and the name by which its company is mapped: its id, else its
-- domain, else the address.
CREATE FUNCTION zcsync._route_client(p_source bigint, p_target bigint, p_company jsonb, p_default text)
RETURNS TABLE (client_id text, key text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id text := CASE jsonb_typeof(p_company) WHEN 'object' THEN nullif(btrim(p_company ->> 'id'), '')
		ELSE nullif(btrim(p_company #>> '{}'), '') END;
	v_email text := CASE WHEN jsonb_typeof(p_company) = 'object' THEN nullif(lower(btrim(p_company ->> 'email') COLLATE "C"), '') END;
	v_domain text := zcsync._index_mail_domain(v_email);
	v_external text;
	v_clients text[];
BEGIN
	IF zcsync._is_mail_provider(v_domain) THEN
		v_domain := NULL;
	END IF;
	key := coalesce(v_id, '@' || v_domain, v_email);

	v_clients := zcsync._mapped_client(p_source, p_target, ARRAY[v_id]);
	IF v_clients IS NULL AND v_id IS NOT NULL THEN
		v_external := coalesce(p_company ->> 'external_id', (SELECT c.external_id FROM zcsync.companies c
			WHERE c.account_id = p_source AND c.remote_id = v_id));
		SELECT array_agg(c.remote_id) INTO v_clients FROM zcsync.companies c
		WHERE c.account_id = p_target AND c.external_id IN (v_id, v_external) AND c.type = 'client'
			AND c.deleted_at IS NULL AND c.active IS NOT FALSE;
	END IF;
	IF cardinality(v_clients) IS DISTINCT FROM 1 THEN
		v_clients := zcsync._mapped_client(p_source, p_target, ARRAY[v_email, '@' || v_domain]);
	END IF;
	IF cardinality(v_clients) IS DISTINCT FROM 1 AND v_domain IS NOT NULL THEN
		SELECT array_agg(o.id) INTO v_clients FROM zcsync._domain_owners(p_target, v_domain) AS o (id);
		IF EXISTS (SELECT FROM zcsync.companies c WHERE c.account_id = p_target AND c.remote_id = ANY (v_clients)
				AND (c.deleted_at IS NOT NULL OR c.active IS FALSE)) THEN
			v_clients := NULL;
		END IF;
	END IF;
	client_id := CASE WHEN cardinality(v_clients) = 1 THEN v_clients[1] ELSE p_default END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zcsync._route_client(bigint, bigint, jsonb, text) IS
'the client of the target that stands for a company of the source, and the name by which that company is mapped';

CREATE FUNCTION zcsync._unmapped_company_text(p_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN p_key IS NULL THEN 'the record has no company and no e-mail address'
		ELSE format('no client of the target is known for company "%s"', left(p_key, 200)) END;
END;
COMMENT ON FUNCTION zcsync._unmapped_company_text(text) IS
'what is wrong with a record whose company is not mapped';

-- ---------------------------------------------------------------------
-- Clients that become known later
-- ---------------------------------------------------------------------

-- The names by which records may wait for companies or contacts that were written, in
-- their accounts: ids, external ids, domains, and what is mapped to them.  p_old has
-- the former values of what changed, NULL for new rows.
CREATE FUNCTION zcsync._company_names(p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[])
RETURNS TABLE (account_id bigint, name text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH written AS MATERIALIZED (
		SELECT c.account_id, c.remote_id, c.external_id, c.domain, NULL::text AS email, w.old
		FROM unnest(p_ids, p_old) AS w (local_id, old)
		JOIN zcsync.companies c ON c.account_id = ANY (p_accounts) AND c.local_id = w.local_id
		WHERE p_kind = 'companies'
		UNION ALL
		SELECT c.account_id, NULL, NULL, NULL, c.email, w.old
		FROM unnest(p_ids, p_old) AS w (local_id, old)
		JOIN zcsync.contacts c ON c.account_id = ANY (p_accounts) AND c.local_id = w.local_id
		WHERE p_kind = 'contacts')
	SELECT w.account_id, n.name
	FROM written w
	CROSS JOIN LATERAL (
		VALUES (w.remote_id), (w.external_id), (w.old ->> 'external_id'),
			('@' || zcsync._index_mail_domain(w.email)), ('@' || zcsync._index_mail_domain(w.old ->> 'email'))) AS n (name)
	WHERE n.name IS NOT NULL
	UNION
	SELECT w.account_id, '@' || d
	FROM written w CROSS JOIN LATERAL unnest(zcsync._index_domains(concat_ws(' ', w.domain, w.old ->> 'domain'))) AS d
	UNION
	SELECT w.account_id, m.company
	FROM written w JOIN zcsync.company_maps m ON m.target_account_id = w.account_id AND m.client_id = w.remote_id
$$;
COMMENT ON FUNCTION zcsync._company_names(text, bigint[], bigint[], jsonb[]) IS
'the names by which records may wait for companies, or contacts, that were written';

-- Companies or contacts were written: the records that waited for one of them, and
-- whose client is known now, are queued.
CREATE FUNCTION zcsync._queue_known_companies(p_kind text, p_accounts bigint[], p_ids bigint[], p_old jsonb[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM zcsync.route_errors e WHERE e.code = 'unmapped_company') THEN
		RETURN;
	END IF;
	PERFORM zcsync._queue_route_records(q.route_id, q.ids)
	FROM (
		WITH names AS MATERIALIZED (
			SELECT n.account_id, n.name FROM zcsync._company_names(p_kind, p_accounts, p_ids, p_old) AS n),
		held AS MATERIALIZED (
			SELECT r.route_id, s.account_id AS source, t.account_id AS target, e.source_id, e.value, e.detail,
				lower((e.detail ->> 'email') COLLATE "C") COLLATE "default" AS email,
				coalesce(e.detail ->> 'external_id', (SELECT c.external_id FROM zcsync.companies c
					WHERE c.account_id = s.account_id AND c.remote_id = e.value)) AS external_id
			FROM zcsync.routes r
			JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
			JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
			JOIN zcsync.route_errors e ON e.route_id = r.route_id AND e.code = 'unmapped_company'
			WHERE s.account_id = ANY (p_accounts) OR t.account_id = ANY (p_accounts)),
		waiting AS MATERIALIZED (
			SELECT DISTINCT h.route_id, h.source, h.target, h.source_id, h.detail
			FROM held h
			CROSS JOIN LATERAL (
				VALUES (h.value), (h.external_id), (h.email), ('@' || zcsync._index_mail_domain(h.email))) AS v (name)
			JOIN names n ON n.name = v.name AND n.account_id IN (h.source, h.target)),
		known AS (
			SELECT d.source, d.target, d.detail
			FROM (SELECT DISTINCT w.source, w.target, w.detail FROM waiting w) AS d
			CROSS JOIN LATERAL zcsync._route_client(d.source, d.target, d.detail, NULL) AS c
			WHERE c.client_id IS NOT NULL)
		SELECT w.route_id, array_agg(w.source_id) AS ids
		FROM waiting w JOIN known k ON k.source = w.source AND k.target = w.target AND k.detail = w.detail
		GROUP BY w.route_id
		ORDER BY w.route_id) AS q;
END
$$;
COMMENT ON FUNCTION zcsync._queue_known_companies(text, bigint[], bigint[], jsonb[]) IS
'queues the records that waited for a client which is known now';

-- ---------------------------------------------------------------------
-- What operators call
-- ---------------------------------------------------------------------

-- Clients that may stand for an unmapped company, for a person to choose from.
CREATE FUNCTION zcsync._company_candidates(p_account bigint, p_company jsonb, p_name text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('client', x.remote_id, 'name', x.name, 'because', x.because) ORDER BY x.rank, x.name), '[]')
	FROM (
		SELECT DISTINCT ON (c.remote_id) c.remote_id, c.name, k.rank, k.because
		FROM (
			SELECT o.id, 1 AS rank, 'has users or a domain of ' || d.domain AS because
			FROM (SELECT zcsync._index_mail_domain(p_company ->> 'email')) AS d (domain)
			CROSS JOIN LATERAL zcsync._domain_owners(p_account, d.domain) AS o (id)
			WHERE NOT zcsync._is_mail_provider(d.domain)
			UNION ALL
			SELECT n.remote_id, CASE WHEN n.plain = w.plain THEN 2 ELSE 3 END,
				CASE WHEN n.plain = w.plain THEN 'has that name' ELSE 'has a name like it' END
			FROM (SELECT zcsync._plain_name(coalesce(p_name, split_part(zcsync._index_mail_domain(p_company ->> 'email'), '.', 1)))) AS w (plain)
			JOIN LATERAL (SELECT c.remote_id, zcsync._plain_name(c.name) AS plain FROM zcsync.companies c
				WHERE c.account_id = p_account AND c.type = 'client' AND c.deleted_at IS NULL) AS n
				ON n.plain = w.plain OR (length(w.plain) >= 4 AND n.plain LIKE w.plain || '%')
					OR (length(n.plain) >= 4 AND w.plain LIKE n.plain || '%')
			WHERE w.plain <> '' AND NOT (p_name IS NULL AND zcsync._is_mail_provider(zcsync._index_mail_domain(p_company ->> 'email')))
		) AS k (id, rank, because)
		JOIN zcsync.companies c ON c.account_id = p_account AND c.remote_id = k.id AND c.deleted_at IS NULL
		ORDER BY c.remote_id, k.rank
		LIMIT 10) AS x
$$;
COMMENT ON FUNCTION zcsync._company_candidates(bigint, jsonb, text) IS
'clients that a company may be, with the reason';

CREATE FUNCTION zcsync._plain_name(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT regexp_replace(zcsync._fold(p_name), '[^[:alnum:]]', '', 'g');
END;
COMMENT ON FUNCTION zcsync._plain_name(text) IS
'letters and digits of a name, in lower case';

-- A reference account/companies/id.  The company need not be mirrored: id may be its
-- id, an e-mail address, or @ and a domain.
CREATE FUNCTION zcsync._parse_company(p_reference text, OUT account_id bigint, OUT account text, OUT company text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := zcsync._parse_reference(p_reference, 3);
BEGIN
	IF v_parts[2] <> 'companies' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('"%s" does not name a company', left(p_reference, 100)),
			HINT = 'A company is named account/companies/id; for id also an e-mail address or @ and a domain, as in acme/companies/@example.com.';
	END IF;
	account_id := zcsync.account(v_parts[1]);
	account := v_parts[1];
	company := CASE WHEN v_parts[3] LIKE '%@%' THEN lower(v_parts[3] COLLATE "C") ELSE v_parts[3] END;
END
$$;
COMMENT ON FUNCTION zcsync._parse_company(text) IS
'account and id of a company that is named account/companies/id';

-- The map of companies between two accounts has changed: see _drop_agreed().
CREATE FUNCTION zcsync._drop_parties(p_source bigint, p_target bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._drop_agreed(r.route_id, zcsync._party_fields(r.route_id))
	FROM zcsync.routes r
	JOIN zcsync.streams s ON s.stream_id = r.source_stream_id AND s.account_id = p_source
	JOIN zcsync.streams t ON t.stream_id = r.target_stream_id AND t.account_id = p_target
	ORDER BY r.route_id
$$;
COMMENT ON FUNCTION zcsync._drop_parties(bigint, bigint) IS
'drops what pairs of two accounts agreed on in fields that the map of companies fills';

CREATE FUNCTION zcsync.map_company(company text, client text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_source record := zcsync._parse_company(map_company.company);
	v_target record := zcsync._parse_company(map_company.client);
	v_client text;
	v_route record;
	v_count bigint := 0;
BEGIN
	PERFORM zcsync._refuse_standby();
	v_client := zcsync._named_client(v_target.account_id, v_target.company);
	IF v_source.company LIKE '@%' AND zcsync._is_mail_provider(substr(v_source.company, 2)) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('anybody can have an address of "%s"', substr(v_source.company, 2)),
			DETAIL = 'It is the domain of a mail provider, which identifies no company.',
			HINT = 'Map single addresses, or the id of the company.';
	END IF;
	PERFORM zcsync._drop_parties(v_source.account_id, v_target.account_id)
	WHERE NOT EXISTS (SELECT FROM zcsync.company_maps m
		WHERE (m.source_account_id, m.company, m.target_account_id, m.client_id) = (v_source.account_id, v_source.company, v_target.account_id, v_client));
	INSERT INTO zcsync.company_maps AS m (source_account_id, company, target_account_id, client_id, mapped_by, created_at)
	VALUES (v_source.account_id, v_source.company, v_target.account_id, v_client, session_user, zcsync._now())
	ON CONFLICT ON CONSTRAINT company_maps_pkey DO UPDATE
	SET client_id = excluded.client_id, mapped_by = excluded.mapped_by, created_at = excluded.created_at;

	-- The records that waited for it are queued.
	PERFORM zcsync._verb_begins('zcsync.map_company()');
	FOR v_route IN
		SELECT r.route_id, array_agg(e.source_id) AS ids
		FROM zcsync.routes r
		JOIN zcsync.streams s ON s.stream_id = r.source_stream_id AND s.account_id = v_source.account_id
		JOIN zcsync.streams t ON t.stream_id = r.target_stream_id AND t.account_id = v_target.account_id
		JOIN zcsync.route_errors e ON e.route_id = r.route_id AND e.code = 'unmapped_company'
		WHERE v_source.company IN (e.value, lower((e.detail ->> 'email') COLLATE "C"), '@' || zcsync._index_mail_domain(e.detail ->> 'email'))
		GROUP BY r.route_id
	LOOP
		v_count := v_count + zcsync._queue_route_records(v_route.route_id, v_route.ids);
	END LOOP;
	PERFORM zcsync._verb_ends();
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION zcsync.map_company(text, text) IS
'maps a company to a client, both given as account/companies/id; returns how many records that waited for it are queued';

CREATE FUNCTION zcsync.unmap_company(company text, account text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_source record := zcsync._parse_company(unmap_company.company);
	v_target bigint := zcsync.account(unmap_company.account);
BEGIN
	PERFORM zcsync._refuse_standby();
	PERFORM zcsync._drop_parties(v_source.account_id, v_target);
	DELETE FROM zcsync.company_maps m
	WHERE m.source_account_id = v_source.account_id AND m.company = v_source.company AND m.target_account_id = v_target;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('company "%s" is not mapped to a client of account "%s"', left(unmap_company.company, 100), unmap_company.account),
			HINT = 'SELECT * FROM zcsync.company_maps shows what is mapped.';
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync.unmap_company(text, text) IS
'forgets to which client of an account a company is mapped; existing records keep their client';

-- A reader of the view needs EXECUTE on this, and no more: it looks at clients
-- and their users as the owner of the tables, and cannot be asked of others.
CREATE FUNCTION zcsync._unmapped_companies()
RETURNS TABLE (company text, name text, email text, target text, records bigint, first_at timestamptz, candidates jsonb, hint text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sa.name || '/companies/' || g.value, coalesce(c.name, g.name), g.email, ta.name, g.records, g.first_at,
		zcsync._company_candidates(ta.account_id, jsonb_build_object('email', g.email), coalesce(c.name, g.name)),
		CASE WHEN g.value IS NULL THEN format('SELECT zcsync.alter_route(%L, default_client => ''<client>'');', g.route)
			ELSE format('SELECT zcsync.map_company(%L, %L);', sa.name || '/companies/' || g.value, ta.name || '/companies/<client>') END
	FROM (
		SELECT s.account_id AS source, t.account_id AS target, e.value, min(r.name) AS route, count(DISTINCT e.source_id) AS records,
			min(e.first_at) AS first_at, min(lower((e.detail ->> 'email') COLLATE "C") COLLATE "default") AS email, min(e.detail ->> 'name') AS name
		FROM zcsync.route_errors e
		JOIN zcsync.routes r ON r.route_id = e.route_id
		JOIN zcsync.streams s ON s.stream_id = r.source_stream_id
		JOIN zcsync.streams t ON t.stream_id = r.target_stream_id
		WHERE e.code = 'unmapped_company'
		GROUP BY s.account_id, t.account_id, e.value) AS g
	JOIN zcsync.accounts sa ON sa.account_id = g.source
	JOIN zcsync.accounts ta ON ta.account_id = g.target
	LEFT JOIN zcsync.companies c ON c.account_id = g.source AND c.remote_id = g.value
$$;
COMMENT ON FUNCTION zcsync._unmapped_companies() IS
'rows of zcsync.unmapped_companies';

CREATE FUNCTION zcsync._create_company_view() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $do$
BEGIN
	CREATE OR REPLACE VIEW zcsync.unmapped_companies AS
	SELECT * FROM zcsync._unmapped_companies();
	COMMENT ON VIEW zcsync.unmapped_companies IS
	'companies whose records wait because no client of the target is known for them, with clients that they may be';
	COMMENT ON COLUMN zcsync.unmapped_companies.company IS 'as map_company() takes it; NULL: the records name no company and no address';
	COMMENT ON COLUMN zcsync.unmapped_companies.email IS 'an address of one of its people';
	COMMENT ON COLUMN zcsync.unmapped_companies.records IS 'how many records wait';
	COMMENT ON COLUMN zcsync.unmapped_companies.candidates IS 'clients that it may be, with the reason';
	COMMENT ON COLUMN zcsync.unmapped_companies.hint IS 'what to run';
END
$do$;
COMMENT ON FUNCTION zcsync._create_company_view() IS
'makes zcsync.unmapped_companies; part of setup()';
