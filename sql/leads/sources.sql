-- ---------------------------------------------------------------------
-- Sources of leads: how the values that they give become columns of leads.
--
-- A source is a row of lead_sources.  Its field_map names, for each column, the places
-- where the value may be, the best one first: headers of a file, or paths in a
-- document, such as "organization.name" or "phone_numbers[0].sanitized_number".  Names
-- are compared by their letters and digits only, so "First Name", "first_name" and
-- "firstName" are the same.  Besides the columns of leads, a map may have
--
--   name                a whole name, where first_name and last_name are missing
--   company_phone       a number that belongs to a company: shown as the phone
--                       of a lead that has none, and never taken for its own
--   phone_do_not_call, mobile_do_not_call
--                       that number must not be called
--   revenue_thousands   revenue in thousands
--   source_id           the source's own id, where id_field is not it
--   custom:NAME         goes to custom_fields
--
-- An element of a list that has a type is named by it, as in
-- "phone_numbers[mobile].sanitized_number"; any other element by its position.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._lead_targets() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array(SELECT c FROM unnest(zcsync._own_columns('leads')) AS c
			WHERE c NOT IN ('custom_fields', 'source', 'status', 'type_id', 'company_id', 'site_id', 'contact_id', 'stage_id', 'url'))
		|| '{name,company_phone,phone_do_not_call,mobile_do_not_call,revenue_thousands,source_id}'::text[];
END;
COMMENT ON FUNCTION zcsync._lead_targets() IS
'what a field map of a source may give values to, besides custom:NAME';

-- Sources for exports and interfaces of vendors, for files that people made, and for
-- people who type.  Existing sources are not changed.
CREATE FUNCTION zcsync._default_lead_sources() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO zcsync.lead_sources (name, precedence, groups, id_field, unwrap, field_map)
	VALUES
		('manual', 10, '{}', 'id', '{}', (
			SELECT jsonb_object_agg(t, jsonb_build_array(t)) FROM unnest(zcsync._lead_targets()) AS t)),
		('apollo', 20, '{}', 'id', '{person,contact}', '{
			"first_name": ["first_name"], "last_name": ["last_name"], "name": ["name", "Full Name"],
			"title": ["title", "Job Title", "headline"],
			"company": ["organization.name", "organization_name", "Company", "Company Name", "Company Name for Emails", "account.name"],
			"email": ["email", "Primary Email", "Work Email"], "email_status": ["email_status", "Primary Email Status"],
			"source_id": ["Apollo Contact Id"],
			"phone": ["Work Direct Phone", "direct_phone", "First Phone", "phone_numbers[work_direct].sanitized_number",
				"phone_numbers[direct].sanitized_number", "phone_numbers[0].sanitized_number", "phone_numbers[other].sanitized_number",
				"phone_numbers[home].sanitized_number", "phone_numbers[0].raw_number", "sanitized_phone", "Phone", "Home Phone", "Other Phone"],
			"mobile": ["mobile_phone", "phone_numbers[mobile].sanitized_number"],
			"company_phone": ["corporate_phone", "phone_numbers[work_hq].sanitized_number", "phone_numbers[corporate].sanitized_number",
				 "Company Phone", "organization.sanitized_phone", "organization.primary_phone.sanitized_number",
				"organization.primary_phone.number", "organization.phone", "account.phone"],
			"do_not_call": ["Do Not Call"],
			"website": ["website", "website_url", "organization.website_url", "organization.primary_domain", "account.website_url", "account.domain",
				"Company Domain"],
			"linkedin_url": ["linkedin_url", "Person Linkedin Url"],
			"street": ["street_address", "Address"], "city": ["city"], "region": ["state"], "postal_code": ["postal_code"], "country": ["country"],
			"industry": ["industry", "organization.industry"],
			"employees": ["# Employees", "Number of Employees", "organization.estimated_num_employees"],
			"revenue": ["Annual Revenue", "organization.annual_revenue"],
			"created_at": ["created_at"], "updated_at": ["updated_at"]}'),
		('zoominfo', 30, '{"company": 15, "phone": 15}', 'id', '{data,result,data,attributes}', '{
			"source_id": ["ZoomInfo Contact ID", "Contact ID", "personId"],
			"first_name": ["firstName"], "last_name": ["lastName"], "name": ["Full Name", "name"],
			"title": ["jobTitle", "Title"],
			"company": ["company.name", "Company Name", "Company"],
			"email": ["email", "Email Address", "supplementalEmail", "Supplemental Email"],
			"phone": ["Direct Phone Number", "Direct Phone", "phone"],
			"mobile": ["mobilePhone", "Mobile phone number"],
			"company_phone": ["company.phone", "Company HQ Phone"],
			"phone_do_not_call": ["directPhoneDoNotCall", "Direct Phone Do Not Call"], "mobile_do_not_call": ["mobilePhoneDoNotCall", "Mobile Phone Do Not Call"],
			"website": ["company.website", "Website", "Company Website"],
			"linkedin_url": ["LinkedIn Contact Profile URL", "linkedin_url", "externalUrls[linkedin.com].url", "externalUrls[linkedin].url"],
			"street": ["street", "Person Street", "company.street", "Company Street Address"],
			"city": ["city", "Person City", "company.city", "Company City"],
			"region": ["state", "Person State", "company.state", "Company State"],
			"postal_code": ["zipCode", "Person Zip Code", "company.zipCode", "Company Zip Code"],
			"country": ["country", "company.country", "Company Country"],
			"industry": ["company.primaryIndustry[0]", "company.primaryIndustry", "Primary Industry"],
			"employees": ["company.employeeCount", "Employees", "company.employeeRange", "Employee Range"],
			"revenue_thousands": ["Revenue (in 000s USD)", "Revenue (in 000s)"], "revenue": ["company.revenue"],
			"updated_at": ["lastUpdatedDate", "Last Updated Date"],
			"custom:zoominfo_accuracy": ["contactAccuracyScore", "Contact Accuracy Score"]}'),
		('csv', 40, '{}', 'id', '{}', '{
			"first_name": ["first_name", "Given Name", "Forename"], "last_name": ["last_name", "Surname", "Family Name"],
			"name": ["name", "Full Name", "Contact", "Contact Name", "Contact Person"],
			"title": ["title", "Job Title", "Position"],
			"company": ["company", "Company Name", "Organization", "Organisation", "Organization Name", "Account Name"],
			"email": ["email", "E-mail Address", "Email Address", "Mail"], "email_status": ["email_status"],
			"phone": ["phone", "Phone Number", "Telephone", "Telephone Number", "Direct Phone"], "mobile": ["mobile", "Mobile Phone", "Mobile Number", "Cell", "Cell Phone"],
			"company_phone": ["Company Phone", "Main Phone"], "do_not_call": ["do_not_call", "DNC"],
			"website": ["website", "Company Website", "Domain", "Company Domain", "Web"],
			"linkedin_url": ["linkedin_url", "LinkedIn", "Person Linkedin Url"],
			"street": ["street", "Address", "Street Address", "Address 1"], "city": ["city", "Town"],
			"region": ["region", "State", "Province", "County"], "postal_code": ["postal_code", "Postcode", "Zip", "Zip Code"], "country": ["country"],
			"industry": ["industry"], "employees": ["employees", "Number of Employees"], "revenue": ["revenue", "Annual Revenue"],
			"summary": ["summary", "Subject"], "description": ["description", "Notes", "Note", "Comments"],
			"owner_id": ["owner_id"], "team": ["team"], "value": ["value", "Deal Value"],
			"created_at": ["created_at", "Created"], "updated_at": ["updated_at", "Last Modified"]}')
	ON CONFLICT (name) DO NOTHING
$$;
COMMENT ON FUNCTION zcsync._default_lead_sources() IS
'adds the sources that zcsync knows where they are missing';

-- Refuse misspelt columns: their values would be lost without notice.
CREATE FUNCTION zcsync._check_lead_source() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_fault text;
BEGIN
	SELECT CASE WHEN (e.key = ANY (zcsync._lead_targets()) OR e.key ~ '^custom:.') IS NOT TRUE
			THEN format('"%s" is no column that a source may fill.', e.key)
			ELSE format('The places of "%s" are not a list of names.', e.key) END INTO v_fault
	FROM jsonb_each(NEW.field_map) AS e
	WHERE NOT (e.key = ANY (zcsync._lead_targets()) OR e.key ~ '^custom:.')
		OR jsonb_typeof(e.value) <> 'array' OR e.value @? '$[*] ? (@.type() != "string")'
	ORDER BY e.key LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid field_map of source "%s"', NEW.name), DETAIL = v_fault,
			HINT = format('It looks like {"email": ["E-mail", "contact.email"], "custom:region": ["Sales Region"]}. The columns are: %s.',
				array_to_string(zcsync._lead_targets(), ', '));
	END IF;
	SELECT e.key INTO v_fault FROM jsonb_each(NEW.groups) AS e
	WHERE e.key NOT IN ('person', 'email', 'phone', 'company', 'address', 'custom', 'other') OR jsonb_typeof(e.value) <> 'number' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid groups of source "%s": "%s"', NEW.name, v_fault),
			HINT = 'It looks like {"phone": 15}. The groups are: person, email, phone, company, address, custom, other.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION zcsync._check_lead_source() IS
'BEFORE INSERT OR UPDATE trigger of lead_sources: refuses what would lose values';

-- ---------------------------------------------------------------------
-- Reading documents
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._field_key(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT zcsync._fold(regexp_replace(p_name, E'[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00a0\\ufeff]+', '', 'g'));
END;
COMMENT ON FUNCTION zcsync._field_key(text) IS
'the form of a header or path in which it is compared: its letters and digits';

-- Take the lead out of the objects that are wrapped around it, one within the other;
-- the members beside them stay, and come first.
CREATE FUNCTION zcsync._unwrap_lead(p_doc jsonb, p_unwrap text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_doc jsonb := p_doc;
	v_key text;
	v_inner jsonb;
BEGIN
	IF jsonb_typeof(v_doc) IS DISTINCT FROM 'object' OR NOT v_doc ?| p_unwrap THEN
		RETURN v_doc;
	END IF;
	FOREACH v_key IN ARRAY p_unwrap LOOP
		v_inner := v_doc -> v_key;
		IF jsonb_typeof(v_inner) = 'array' AND jsonb_array_length(v_inner) = 1 THEN
			v_inner := v_inner -> 0;
		END IF;
		IF jsonb_typeof(v_inner) = 'object' THEN
			v_doc := v_inner || jsonb_strip_nulls(v_doc - v_key);
		END IF;
	END LOOP;
	RETURN v_doc;
END
$$;
COMMENT ON FUNCTION zcsync._unwrap_lead(jsonb, text[]) IS
'a document without the objects that are wrapped around the lead';

-- Texts that programs write for a missing value.  There are people called Null, Nan or
-- None; a name is written with one capital, so NULL and null are placeholders and Null is
-- a name.
CREATE FUNCTION zcsync._is_placeholder(p_value text, p_target text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT length(p_value) <= 20 AND p_value COLLATE "C" ~* E'^(-+|[.]+|[?]+|#?n/a|n[.]a[.]?|k[.]a[.]|[(\\[<]?(null|nil|nan|none|undefined)[)\\]>]?|\\\\n|#(ref|value|name|null|num|div/0)[!?]?)$'
		AND NOT (p_target IN ('first_name', 'last_name', 'name') AND p_value ~ '^(Null|Nil|Nan|None)$');
END;
COMMENT ON FUNCTION zcsync._is_placeholder(text, text) IS
'does this text mean that there is no value?';

-- Does this text make sense where it was decoded from p_bytes, after p_before?  Several
-- characters together do: correct text does not have two capitals with accents, each
-- with a sign after it.  One alone may have been such a capital with a sign.  So it
-- must be a character of European names or punctuation, no small letter after capitals
-- (NESTLÉ®), and its sign none that may follow a word (BLÅ®), unless all else decodes,
-- too.  No text has letters of phonetic alphabets and the like (CAFÉ”).
CREATE FUNCTION zcsync._is_mended(p_decoded text, p_bytes text, p_before text, p_whole boolean, p_runs integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p_decoded !~ E'[\\u0080-\\u009f\\u0180-\\u0217\\u021c-\\u02ff\\u0305\\u0309\\u030d-\\u0326\\u0329-\\u036f\\u0500-\\u058f\\u0700-\\u08ff]'
		AND (length(p_decoded) > 1 OR (
			(p_decoded ~ E'[\\u00a0-\\u017f\\u0218-\\u021b\\u0300-\\u0328\\u2000-\\u27bf\\ufeff\\U00010000-\\U0010ffff]'
				OR (p_whole AND p_decoded ~ E'[\\u1e00-\\u1eff]'))
			AND p_decoded !~ '[ĔĕĨĩĬĭĲĳĸĿŀŉŎŏſ]'
			AND NOT (p_before ~ '[A-ZÀ-ÖØ-Þ]{2}$' AND p_decoded ~ '[ß-öø-ÿāăąćĉċčďđēėęěĝğġģĥħīįıĵķĺļľłńņňŋőœŕŗřśŝşšţťŧūŭůűųŵŷźżžșț]')
			AND NOT (p_before ~ '[A-ZÀ-ÖØ-Þ]$'
				AND p_bytes ~ E'[\\u0085\\u0091-\\u0097\\u0099\\u009b\\u00a0\\u00a9-\\u00ab\\u00ae\\u00b2\\u00b3\\u00b7\\u00b9-\\u00bb]$'
				AND NOT (p_whole AND (p_runs > 1 OR p_bytes LIKE 'Ã%')))));
END;
COMMENT ON FUNCTION zcsync._is_mended(text, text, text, boolean, integer) IS
'was a text in UTF-8 read in another encoding, rather than correct as it was?';

-- A text in UTF-8 that was read as Windows-1252 or Latin-1 on its way ("MÃ¼ller"), and
-- one in Windows-1252 that was read as Latin-1, restored.
CREATE FUNCTION zcsync._mend_encoding(p_value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- what Windows-1252 has where Latin-1 has control characters
	v_signs text := '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ';
	v_controls text := E'\u0080\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008e\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009a\u009b\u009c\u009e\u009f';
	v_bytes text;				-- a character each
	-- characters in UTF-8, one after the other
	v_run text := E'(?:[\\u00c2-\\u00df][\\u0080-\\u00bf]|\\u00e0[\\u00a0-\\u00bf][\\u0080-\\u00bf]|\\u00ed[\\u0080-\\u009f][\\u0080-\\u00bf]'
		|| E'|[\\u00e1-\\u00ec\\u00ee\\u00ef][\\u0080-\\u00bf]{2}|\\u00f0[\\u0090-\\u00bf][\\u0080-\\u00bf]{2})+';
	v_between text[];
	v_runs text[];
	v_whole boolean;
BEGIN
	IF octet_length(p_value) = length(p_value) THEN
		RETURN p_value;			-- ASCII, as nearly all
	END IF;
	v_bytes := translate(p_value, v_signs, v_controls);
	IF v_bytes !~ E'[\\u0080-\\u00bf]' THEN
		RETURN p_value;
	END IF;
	v_between := regexp_split_to_array(v_bytes, v_run);
	v_runs := ARRAY(SELECT m[1] FROM regexp_matches(v_bytes, '(' || v_run || ')', 'g') AS m);
	v_whole := array_to_string(v_between, '') !~ E'[^\\u0001-\\u007f]';
	RETURN (
		SELECT string_agg(translate(b.before, v_controls, v_signs)
			|| CASE WHEN zcsync._is_mended(d.text, b.run, b.before, v_whole, cardinality(v_runs)) THEN d.text
				ELSE translate(coalesce(b.run, ''), v_controls, v_signs) END, '' ORDER BY b.n)
		FROM unnest(v_between, v_runs) WITH ORDINALITY AS b (before, run, n)
		CROSS JOIN LATERAL (SELECT convert_from(convert_to(b.run, 'LATIN1'), 'UTF8')) AS d (text));
END
$$;
COMMENT ON FUNCTION zcsync._mend_encoding(text) IS
'a text that was read in another encoding than its own, restored; other texts unchanged';

-- The values that a source's field map finds in documents: an object {target: text} for
-- each, in their order.  Placeholders are left out, and texts of a wrong encoding are
-- restored; one example of each is returned: {"placeholder": ..., "encoding": ...}.
CREATE FUNCTION zcsync._pick_fields(p_source text, p_data jsonb[]) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	v_source zcsync.lead_sources;
BEGIN
	SELECT * INTO v_source FROM zcsync.lead_sources s WHERE s.name = p_source;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('lead source %s does not exist', coalesce('"' || left(p_source, 80) || '"', 'NULL')),
			HINT = 'The sources are the rows of zcsync.lead_sources: '
				|| (SELECT coalesce(string_agg(s.name, ', ' ORDER BY s.name), 'none') FROM zcsync.lead_sources s) || '.';
	END IF;
	RETURN (
		WITH RECURSIVE map AS MATERIALIZED (
			SELECT zcsync._field_key(p.place) AS key, e.key AS target, p.n
			FROM jsonb_each(v_source.field_map) AS e
			CROSS JOIN LATERAL jsonb_array_elements_text(e.value) WITH ORDINALITY AS p (place, n)
			UNION ALL
			SELECT zcsync._field_key(v_source.id_field), 'source_id', 1 WHERE v_source.id_field IS NOT NULL),
		docs AS (
			SELECT d.n, zcsync._unwrap_lead(d.doc, v_source.unwrap) AS doc
			FROM unnest(p_data) WITH ORDINALITY AS d (doc, n)
			WHERE jsonb_typeof(d.doc) = 'object'),
		found AS (
			SELECT d.n, 1 AS depth, zcsync._field_key(e.key) AS key, e.value
			FROM docs d CROSS JOIN LATERAL jsonb_each(d.doc) AS e
			UNION ALL
			SELECT f.n, f.depth + 1, f.key || zcsync._field_key(i.key), i.value
			FROM found f
			CROSS JOIN LATERAL (
				SELECT o.key, o.value
				FROM jsonb_each(CASE jsonb_typeof(f.value) WHEN 'object' THEN f.value ELSE '{}' END) AS o
				UNION ALL
				SELECT coalesce(nullif(a.value ->> 'type', ''), (a.n - 1)::text), a.value
				FROM jsonb_array_elements(CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ELSE '[]' END) WITH ORDINALITY AS a (value, n)
				WHERE a.n <= 5) AS i
			WHERE f.depth < 5 AND jsonb_typeof(f.value) IN ('object', 'array')),
		mapped AS MATERIALIZED (
			SELECT f.n, m.target, m.n AS place, f.depth, t.value, zcsync._is_placeholder(btrim(t.value, E' \u00a0'), m.target) AS is_placeholder
			FROM found f
			JOIN map m ON m.key = f.key
			CROSS JOIN LATERAL (
				SELECT CASE
					-- a number is exact: with a zero before it, 1.234 is not taken for thousands
					WHEN jsonb_typeof(f.value) = 'number' AND m.target IN ('employees', 'revenue', 'revenue_thousands', 'value', 'probability', 'status_id')
						THEN regexp_replace(trim_scale(f.value::numeric)::text, '^(-?)([1-9][0-9]{0,2}[.][0-9]{3})$', E'\\10\\2')
					WHEN jsonb_typeof(f.value) IN ('string', 'number', 'boolean') THEN btrim(f.value #>> '{}', E' \t\r\n') END OFFSET 0) AS t (value)
			WHERE btrim(t.value, E' \u00a0') <> ''),
		picked AS (
			SELECT p.n, p.target, btrim(v.value, E' \t\r\n\u00a0') AS value, v.value <> p.value AS is_mended
			FROM (
				SELECT DISTINCT ON (m.n, m.target) m.n, m.target, m.value
				FROM mapped m
				WHERE NOT m.is_placeholder
				ORDER BY m.n, m.target, m.place, m.depth, m.value) AS p
			CROSS JOIN LATERAL (
				SELECT CASE WHEN octet_length(p.value) > length(p.value) THEN zcsync._mend_encoding(p.value) ELSE p.value END OFFSET 0) AS v (value)
			UNION ALL
			SELECT m.n, 'placeholder', min(format('%s "%s"', m.target, m.value)), false FROM mapped m WHERE m.is_placeholder GROUP BY m.n)
		SELECT array_agg(CASE WHEN jsonb_typeof(d.doc) = 'object' THEN coalesce(p.fields, '{}') END ORDER BY d.n)
		FROM unnest(p_data) WITH ORDINALITY AS d (doc, n)
		LEFT JOIN (
			SELECT p.n, jsonb_object_agg(p.target, p.value) || coalesce(CASE WHEN bool_or(p.is_mended)
				THEN jsonb_build_object('encoding', min(format('%s "%s"', p.target, left(p.value, 100))) FILTER (WHERE p.is_mended)) END, '{}') AS fields
			FROM picked p GROUP BY p.n) AS p ON p.n = d.n);
END
$$;
COMMENT ON FUNCTION zcsync._pick_fields(text, jsonb[]) IS
'the values that the field map of a source finds in documents, as text';

-- ---------------------------------------------------------------------
-- Normalisation
-- ---------------------------------------------------------------------

-- The two letters of a lead's country, from a code or a name; NULL: not known.
CREATE FUNCTION zcsync._country_code(p_country text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_country ~ '^[A-Za-z]{2}$' THEN
		RETURN CASE upper(p_country COLLATE "C") WHEN 'UK' THEN 'GB' ELSE upper(p_country COLLATE "C") END;
	END IF;
	RETURN (SELECT n.country FROM zcsync.country_names n WHERE n.name = zcsync._fold(btrim(p_country)));
END
$$;
COMMENT ON FUNCTION zcsync._country_code(text) IS
'a country''s two letters, from its code or its name; NULL: not known';

-- The digits of a phone number that a spreadsheet took for a number: 493012345.0,
-- 4.930123456E+10.  If it has dropped more than zeros at the end, the dropped digits
-- cannot be known: NULL.
CREATE FUNCTION zcsync._phone_of_number(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := regexp_match(p_text, '^([+]?[1-9])[.,]([0-9]+)e[+]?([0-9]{1,2})$');
	v_digits text := v_parts[1] || rtrim(v_parts[2], '0');
BEGIN
	IF v_parts IS NULL THEN
		RETURN regexp_replace(p_text, '^([+]?[0-9]{7,15})[.,]0+$', E'\\1');
	ELSIF length(ltrim(v_digits, '+')) < 8 OR v_parts[3]::integer > 15 OR length(ltrim(v_digits, '+')) > v_parts[3]::integer + 1 THEN
		RETURN NULL;
	END IF;
	RETURN rpad(v_digits, v_parts[3]::integer + 1 + length(v_digits) - length(ltrim(v_digits, '+')), '0');
END
$$;
COMMENT ON FUNCTION zcsync._phone_of_number(text) IS
'a phone number that a spreadsheet took for a number, restored; other texts unchanged';

-- The first number in a text that may hold several, without labels before it and
-- without its extension: digits and separators, with a plus before them if there was
-- one.  NULL: there is none.
CREATE FUNCTION zcsync._phone_text(p_phone text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_text text := regexp_replace(lower(normalize(left(p_phone, 200), NFKC) COLLATE "C"), E'[\\u00ad\\u200b-\\u200f\\u202a-\\u202e\\u2060\\ufeff]', '', 'g');
BEGIN
	v_text := regexp_replace(v_text, '^[[:space:]''"=]+|[[:space:]''"]+$', '', 'g');
	v_text := regexp_replace(v_text, '^(tel(efono?|ephone)?|tél|phone|fon|mob(ile?|il)?|cell|handy|office|work|direct|[tmpdo])[[:space:]]*[.:]+[[:space:]]*|^(tel|phone|mobile?)[[:space:]]+', '');
	v_text := regexp_replace(v_text, '[[:space:]]+(or|oder|ou|und|and)[[:space:]].*$|[[:space:]]*[;|][[:space:]]*[+]?[0-9].*$|[[:space:]]+/[[:space:]]+[+]?[0-9].*$|[[:space:]]*,[[:space:]]*([+]|00?)[0-9].*$', '');
	v_text := regexp_replace(v_text, '[[:space:]]*[,;/-]?[[:space:]]*[(]?(ext(ension|n)?[.]?|x|#|durchwahl|dw|nebenstelle|nst[.]?|apparat|app[.]?|klappe|kl[.]|poste|anexo|interno|int[.]|toestel|tst[.]?)'
		'[[:space:]]*[.:=]?[[:space:]]*[0-9]{1,7}[)]?[[:space:]]*$|(,,+|[pw])[0-9#*]{1,9}$', '');
	v_text := zcsync._phone_of_number(v_text);
	v_text := regexp_replace(v_text, '^[(]?[+]+[[:space:](]*', '+');
	IF v_text !~ E'^\\+?[\\d\\s().\\-\\u2010-\\u2015/]+$' THEN
		RETURN NULL;
	END IF;
	RETURN v_text;
END
$$;
COMMENT ON FUNCTION zcsync._phone_text(text) IS
'the first phone number in a text, without labels and extension; NULL: there is none';

-- A number without a country becomes one with the calling code of this country.  Digits
-- that begin with that code, and not with the prefix for calls within the country, have
-- lost their plus.
CREATE FUNCTION zcsync._national_phone(p_digits text, p_country text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_code text;
	v_trunk text;
	v_digits text := p_digits;
BEGIN
	SELECT c.calling_code, c.trunk_prefix INTO v_code, v_trunk FROM zcsync.countries c WHERE c.country = p_country;
	IF NOT FOUND THEN
		RETURN NULL;
	ELSIF v_trunk <> '' AND starts_with(v_digits, v_trunk) AND (v_trunk LIKE '0%' OR length(v_digits) > 10) THEN
		v_digits := substr(v_digits, length(v_trunk) + 1);
	ELSIF v_code <> '1' AND starts_with(v_digits, v_code) AND length(v_digits) - length(v_code) >= (CASE WHEN v_trunk LIKE '0%' THEN 7 ELSE 9 END) THEN
		RETURN v_digits;
	END IF;
	RETURN CASE WHEN length(v_digits) >= 6 THEN v_code || v_digits END;
END
$$;
COMMENT ON FUNCTION zcsync._national_phone(text, text) IS
'a number as it is dialled within a country, with the country''s calling code added; NULL: it is no number, or the country is not known';

-- What is dialled before a number within a country, for each calling code with which
-- these digits may begin; without digits, for all calling codes.  Whoever has many
-- numbers asks once.
CREATE FUNCTION zcsync._trunk_prefixes(p_digits text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	v_codes text[] := ARRAY[left(p_digits, 1), left(p_digits, 2), left(p_digits, 3)];	-- made once, not for each country
BEGIN
	-- of several countries with one code, the first counts
	IF p_digits IS NULL THEN
		RETURN (
			SELECT coalesce(jsonb_object_agg(c.calling_code, c.trunk_prefix), '{}')
			FROM (SELECT DISTINCT ON (x.calling_code) x.calling_code, x.trunk_prefix FROM zcsync.countries x ORDER BY x.calling_code, x.country) AS c);
	END IF;
	RETURN (
		SELECT coalesce(jsonb_object_agg(c.calling_code, c.trunk_prefix ORDER BY c.country DESC), '{}')
		FROM zcsync.countries c WHERE c.calling_code = ANY (v_codes));
END
$$;
COMMENT ON FUNCTION zcsync._trunk_prefixes(text) IS
'calling codes, each with what is dialled before a number within its country: those with which these digits may begin, or all';

-- Digits that begin with a country's calling code, without the zero that is dialled
-- within that country only: +49 (0)30, +49030.  p_zero: a zero in brackets was removed;
-- in countries without such a prefix, like Italy, it is part of the number.
CREATE FUNCTION zcsync._international_phone(p_digits text, p_zero boolean, p_trunks jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_code text := CASE WHEN p_trunks ? left(p_digits, 3) THEN left(p_digits, 3) WHEN p_trunks ? left(p_digits, 2) THEN left(p_digits, 2)
		WHEN p_trunks ? left(p_digits, 1) THEN left(p_digits, 1) END;
	v_trunk text := p_trunks ->> v_code;
	v_rest text;
BEGIN
	IF v_trunk LIKE '0%' OR (v_trunk = '' AND p_zero) THEN
		v_rest := substr(p_digits, length(v_code) + 1);
		RETURN CASE
			WHEN v_trunk = '' THEN v_code || '0' || v_rest
			WHEN starts_with(v_rest, v_trunk) THEN v_code || substr(v_rest, length(v_trunk) + 1)
			ELSE p_digits END;
	END IF;
	RETURN p_digits;
END
$$;
COMMENT ON FUNCTION zcsync._international_phone(text, boolean, jsonb) IS
'a number with a calling code, without the zero that does not belong after it';

-- The first number in a text that may hold several, without its extension, in E.164
-- form; NULL: there is none, or its country is not known.  Whoever has many numbers
-- gives what _trunk_prefixes() says.
CREATE FUNCTION zcsync._phone_key(p_phone text, p_country text, p_trunks jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_plain boolean;
	v_text text;
	v_zero boolean;
	v_america boolean;
	v_digits text;
BEGIN
	IF p_phone ~ '^[+][0-9]+$' THEN		-- most numbers
		v_digits := zcsync._international_phone(substr(p_phone, 2), false, coalesce(p_trunks, zcsync._trunk_prefixes(substr(p_phone, 2))));
	ELSE
		v_plain := p_phone ~ '^[0-9]+$';
		v_text := CASE WHEN v_plain THEN p_phone WHEN p_phone ~ E'[0-9\\uff10-\\uff19]' THEN zcsync._phone_text(p_phone) END;
		v_zero := NOT v_plain AND v_text ~ '[(][[:space:]]*0[[:space:]]*[)]';
		v_digits := CASE WHEN v_plain THEN p_phone
			ELSE regexp_replace(regexp_replace(v_text, '[(][[:space:]]*0[[:space:]]*[)]', ''), '[^0-9]', '', 'g') END;
		v_america := v_text NOT LIKE '+%' AND p_country IS NOT NULL
			AND EXISTS (SELECT FROM zcsync.countries c WHERE c.country = p_country AND c.calling_code = '1');
		IF v_text IS NULL THEN
			RETURN NULL;
		ELSIF v_text LIKE '+%' THEN
			v_digits := zcsync._international_phone(v_digits, v_zero, coalesce(p_trunks, zcsync._trunk_prefixes(v_digits)));
		ELSIF v_america AND v_digits LIKE '011%' AND length(v_digits) > 11 THEN
			v_digits := zcsync._international_phone(substr(v_digits, 4), v_zero, coalesce(p_trunks, zcsync._trunk_prefixes(substr(v_digits, 4))));
		ELSIF NOT v_america AND v_digits LIKE '00%' AND length(v_digits) > 9 THEN
			v_digits := zcsync._international_phone(substr(v_digits, 3), v_zero, coalesce(p_trunks, zcsync._trunk_prefixes(substr(v_digits, 3))));
		ELSE
			v_digits := zcsync._national_phone(CASE WHEN v_zero THEN '0' ELSE '' END || v_digits, p_country);
		END IF;
	END IF;
	-- all countries of North America have the same form of number
	IF length(v_digits) NOT BETWEEN 8 AND 15 OR v_digits LIKE '0%' OR (v_digits LIKE '1%' AND v_digits !~ '^1[2-9][0-9]{9}$') THEN
		RETURN NULL;
	END IF;
	RETURN '+' || v_digits;
END
$$;
COMMENT ON FUNCTION zcsync._phone_key(text, text, jsonb) IS
'a phone number in E.164 form; a number without a country counts as one of this country; NULL: it is no phone number';

-- The legal forms of companies in one text, each between two bars: to look into it takes
-- less time than to ask the table for each company.
CREATE FUNCTION zcsync._company_forms() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '|' || coalesce(string_agg(f.form, '|') || '|', '') FROM zcsync.company_forms f
$$;
COMMENT ON FUNCTION zcsync._company_forms() IS
'the legal forms of companies, with | before and after each; for _company_key()';

-- Without the words at its end that are legal forms; a form has up to three words.
CREATE FUNCTION zcsync._company_key(p_company text, p_forms text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_whole text := replace(replace(replace(zcsync._fold(zcsync._compatible(p_company)), 'a/s', 'as'), '&', ' and '), '+', ' and ');
	v_words text[];
	v_n integer;			-- how many of them are left
	v_cut integer := 0;
	v_short text;
BEGIN
	v_whole := btrim(regexp_replace(translate(v_whole, '.''’`', ''), E'[\\u0001-\\u002f\\u003a-\\u0060\\u007b-\\u00bf\\u2010-\\u2027\\u3000]+', ' ', 'g'));
	v_words := string_to_array(v_whole, ' ');
	v_n := cardinality(v_words);
	WHILE v_cut IS NOT NULL AND v_n > 0 LOOP
		v_n := v_n - v_cut;
		v_cut := CASE
			WHEN v_n > 2 AND strpos(p_forms, '|' || v_words[v_n - 2] || ' ' || v_words[v_n - 1] || ' ' || v_words[v_n] || '|') > 0 THEN 3
			WHEN v_n > 1 AND strpos(p_forms, '|' || v_words[v_n - 1] || ' ' || v_words[v_n] || '|') > 0 THEN 2
			WHEN strpos(p_forms, '|' || v_words[v_n] || '|') > 0 OR v_words[v_n] = 'and' THEN 1 END;
	END LOOP;
	v_short := array_to_string(v_words[:v_n], ' ');
	RETURN nullif(CASE WHEN v_short IN ('', 'the', 'and') THEN v_whole WHEN starts_with(v_short, 'the ') THEN substr(v_short, 5)
		ELSE v_short END, '');
END
$$;
COMMENT ON FUNCTION zcsync._company_key(text, text) IS
'a company''s name without its legal form, punctuation and upper case; for many companies, the forms are given';

CREATE FUNCTION zcsync._company_key(p_company text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._company_key(p_company, zcsync._company_forms())
$$;
COMMENT ON FUNCTION zcsync._company_key(text) IS
'a company''s name without its legal form, punctuation and upper case';

CREATE FUNCTION zcsync._name_key(p_first text, p_last text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(zcsync._fold(btrim(regexp_replace(zcsync._compatible(concat_ws(' ', p_first, p_last)), '[[:space:].,"]+', ' ', 'g'))), '');
END;
COMMENT ON FUNCTION zcsync._name_key(text, text) IS
'a person''s name with single spaces, in lower case';

-- With letters in place of punycode, as in the domains of e-mail addresses.
CREATE FUNCTION zcsync._domain_key(p_website text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_host text := regexp_replace(regexp_replace(btrim(p_website), '^[A-Za-z][A-Za-z0-9+.-]*://|^//', ''), '[/?#].*$', '');
BEGIN
	v_host := regexp_replace(regexp_replace(v_host, '^.*@|:[0-9]+$', '', 'g'), '^[Ww]{3}[0-9]?[.]|[.]$', '', 'g');
	IF v_host ~ '[[:space:],;]' THEN
		RETURN NULL;
	END IF;
	RETURN nullif(split_part(zcsync._mail_address('x@' || v_host), '@', 2), '');
END
$$;
COMMENT ON FUNCTION zcsync._domain_key(text) IS
'the domain of a web address; NULL: there is none in it';

-- A number as people write it: 1,234; 1.234,5; 12,5; $1.2M; € 1,5 Mio; 51-200 (its
-- lower end); 5000+; 1.5E+6.  p_comma says that a comma comes before the decimals, for
-- a number that leaves that open, as 1,234 and 1.234 do.  In a whole number (p_whole)
-- these separate thousands in any case.
CREATE FUNCTION zcsync._number_of(p_text text, p_comma boolean DEFAULT false, p_whole boolean DEFAULT false) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_parts text[] := regexp_match(regexp_replace(lower(normalize(left(p_text, 100), NFKC) COLLATE "C"), '[[:space:]''’]', '', 'g'),
		'^(?:[^0-9.,-]{1,4}[.]?)?(-?[0-9][0-9.,]{0,40})(?:e[+]?([0-9]{1,2})(?![0-9]))?'
		'(tsd|tausend|thousand|teur|t€|k|mrd|milliarden?|mio|millionen|million|mill|mn|m|billion|bn|b)?[.]?'
		'(?:[-–+].*|to.*|bis.*|%|€|[$]|£|[a-z]{3}|employees|mitarbeiter|people)?$');
	v_number text := rtrim(v_parts[1], '.,');
	v_last text := substring(v_number FROM '[.,](?=[0-9]*$)');
	v_other text := CASE v_last WHEN ',' THEN '.' ELSE ',' END;
	v_count integer := length(v_number) - length(replace(v_number, v_last, ''));
	v_decimals boolean;
BEGIN
	IF v_parts IS NULL THEN
		RETURN NULL;
	ELSIF v_last IS NULL THEN
		v_decimals := false;
	ELSIF strpos(v_number, v_other) > 0 THEN
		-- 1.234,5: the last separator comes before the decimals, and occurs once
		IF v_count > 1 OR regexp_replace(v_number, '[.,][0-9]*$', '') !~ '^-?[0-9]{1,3}([.,][0-9]{2,3})*[.,][0-9]{3}$' THEN
			RETURN NULL;
		END IF;
		v_decimals := true;
	ELSIF v_count > 1 THEN
		IF v_number !~ '^-?[0-9]{1,3}([.,][0-9]{2,3})*[.,][0-9]{3}$' THEN
			RETURN NULL;
		END IF;
		v_decimals := false;
	ELSIF v_number ~ '^-?[1-9][0-9]{0,2}[.,][0-9]{3}$' THEN
		v_decimals := NOT (p_whole AND v_parts[3] IS NULL) AND v_last = CASE WHEN p_comma THEN ',' ELSE '.' END;
	ELSE
		v_decimals := true;
	END IF;
	v_number := CASE WHEN v_decimals THEN replace(replace(v_number, v_other, ''), v_last, '.') ELSE translate(v_number, '.,', '') END;
	RETURN CASE WHEN v_parts[2] IS NULL THEN v_number::numeric ELSE trim_scale(v_number::numeric * 10 ^ v_parts[2]::numeric) END * CASE
		WHEN v_parts[3] IN ('k', 'tsd', 'tausend', 'thousand', 'teur', 't€') THEN 1000
		WHEN v_parts[3] LIKE 'mrd%' OR v_parts[3] LIKE 'milliard%' OR v_parts[3] LIKE 'b%' THEN 1000000000
		WHEN v_parts[3] LIKE 'm%' THEN 1000000 ELSE 1 END;
END
$$;
COMMENT ON FUNCTION zcsync._number_of(text, boolean, boolean) IS
'the value of a number as people write it; NULL: it is no number';

-- A time in ISO form, or in a form of exports: 1/5/2020 2:59 PM, month first, and
-- 31.5.2020, day first.  Years that no lead can have, and infinity, count as mistakes.
CREATE FUNCTION zcsync._time_of(p_text text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'
AS $$
DECLARE
	v_time timestamptz;
BEGIN
	IF p_text ~ '^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?|^[0-9][0-9]?/[0-9][0-9]?/[0-9]{4}' THEN
		v_time := p_text::timestamptz;
	ELSIF p_text ~ '^[0-9][0-9]?[.][0-9][0-9]?[.][0-9]{4}' THEN
		v_time := regexp_replace(p_text, '^([0-9]+)[.]([0-9]+)[.]([0-9]{4})', E'\\3-\\2-\\1')::timestamptz;
	END IF;
	RETURN CASE WHEN v_time >= '1900-01-01' AND v_time < '2200-01-01' THEN v_time END;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._time_of(text) IS
'the value of a time as sources write it; NULL: it is no time';

-- ---------------------------------------------------------------------
-- A lead
-- ---------------------------------------------------------------------

-- The phones of a lead: those that are shown, and those that identify the person.  A
-- number of the company, or one that must not be called, identifies nobody.
CREATE FUNCTION zcsync._shape_phones(p_fields jsonb, p_country text, OUT vals jsonb, OUT keys jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_country text := coalesce(zcsync._country_code(p_fields ->> 'country'), p_country);
	v_phone text := zcsync._phone_key(p_fields ->> 'phone', v_country);
	v_mobile text := zcsync._phone_key(p_fields ->> 'mobile', v_country);
	v_company text := zcsync._phone_key(p_fields ->> 'company_phone', v_country);
	v_refused boolean[] := ARRAY(SELECT lower(f.value COLLATE "C") !~ '^(false|f|no|n|0|off|none|unknown)$'
		FROM unnest(ARRAY[p_fields ->> 'do_not_call', p_fields ->> 'phone_do_not_call', p_fields ->> 'mobile_do_not_call'])
			WITH ORDINALITY AS f (value, n) ORDER BY f.n);
BEGIN
	vals := jsonb_build_object('phone', coalesce(v_phone, left(p_fields ->> 'phone', 500), v_company, left(p_fields ->> 'company_phone', 500)),
		'mobile', coalesce(v_mobile, left(p_fields ->> 'mobile', 500)),
		'do_not_call', CASE WHEN true = ANY (v_refused) THEN true ELSE v_refused[1] END);
	keys := jsonb_build_object(
		'phone', CASE WHEN v_phone IS DISTINCT FROM v_company AND (v_refused[1] OR v_refused[2]) IS NOT TRUE THEN v_phone END,
		'mobile', CASE WHEN v_mobile IS DISTINCT FROM v_company AND (v_refused[1] OR v_refused[3]) IS NOT TRUE THEN v_mobile END);
END
$$;
COMMENT ON FUNCTION zcsync._shape_phones(jsonb, text) IS
'the phones of a lead, as they are stored and as keys that identify it';

-- Numbers and times; a text that cannot be read as one becomes a note.
CREATE FUNCTION zcsync._shape_numbers(p_fields jsonb, p_comma boolean, OUT vals jsonb, OUT notes text[], OUT comma text, OUT point text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_field record;
	v_number numeric;
	v_value jsonb;
BEGIN
	vals := '{}';
	notes := '{}';
	FOR v_field IN
		SELECT e.key, e.value FROM jsonb_each_text(p_fields) AS e
		WHERE e.key IN ('employees', 'revenue', 'revenue_thousands', 'value', 'probability', 'status_id', 'closed_at', 'created_at', 'updated_at')
		ORDER BY e.key DESC
	LOOP
		IF v_field.key LIKE E'%\\_at' THEN
			v_value := to_jsonb(zcsync._time_of(v_field.value));
		ELSE
			v_number := zcsync._number_of(v_field.value, p_comma, v_field.key IN ('employees', 'status_id'));
			v_value := to_jsonb(CASE
				WHEN v_field.key = 'revenue_thousands' THEN v_number * 1000
				WHEN v_field.key NOT IN ('employees', 'status_id') THEN v_number
				WHEN v_number BETWEEN 0 AND 2147483647 AND v_number = round(v_number) THEN round(v_number) END);
			IF v_value IS NOT NULL AND (v_field.value ~ ',[0-9]{1,2}([^0-9,.]|$)' OR (p_comma AND v_field.value ~ '[.,]')) THEN
				comma := format('%s "%s" is %s', v_field.key, left(v_field.value, 100), v_value);
			ELSIF v_field.key NOT IN ('employees', 'status_id') AND v_field.value ~ '(^|[^0-9.,])[1-9][0-9]{0,2}[.][0-9]{3}([^0-9.,]|$)' THEN
				point := format('%s "%s" is %s', v_field.key, left(v_field.value, 100), v_value);	-- it may have been 1,200
			END IF;
		END IF;
		IF v_value IS NULL THEN
			notes := notes || format('%s "%s" was left out', v_field.key, left(v_field.value, 100));
		ELSE
			vals := vals || jsonb_build_object(CASE v_field.key WHEN 'revenue_thousands' THEN 'revenue' ELSE v_field.key END, v_value);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._shape_numbers(jsonb, boolean) IS
'the numbers and times of a lead, notes about texts that are neither, and examples of numbers that were read with a decimal comma, or with a decimal point that may separate thousands';

-- First and last name; taken from the whole name if both are missing.
CREATE FUNCTION zcsync._shape_name(p_fields jsonb, OUT first_name text, OUT last_name text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name text := regexp_replace(p_fields ->> 'name', '[[:space:]]+', ' ', 'g');
BEGIN
	first_name := left(regexp_replace(p_fields ->> 'first_name', '[[:space:]]+', ' ', 'g'), 500);
	last_name := left(regexp_replace(p_fields ->> 'last_name', '[[:space:]]+', ' ', 'g'), 500);
	IF num_nonnulls(first_name, last_name) = 2 OR v_name IS NULL THEN
		RETURN;
	ELSIF first_name IS NOT NULL THEN
		last_name := left(CASE WHEN starts_with(v_name, first_name || ' ') THEN substr(v_name, length(first_name) + 2) END, 500);
	ELSIF last_name IS NOT NULL THEN
		first_name := left(CASE WHEN v_name LIKE '% ' || last_name THEN left(v_name, -length(last_name) - 1) END, 500);
	ELSIF v_name ~ '^[^,]+, [^,]+$' THEN
		first_name := left(split_part(v_name, ', ', 2), 500);
		last_name := left(split_part(v_name, ', ', 1), 500);
	ELSE
		first_name := left(substring(v_name FROM '^(.*) '), 500);
		last_name := left(substring(v_name FROM '[^ ]+$'), 500);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._shape_name(jsonb) IS
'first and last name of a lead';

-- A lead made of picked fields: see _normalise_lead().
CREATE FUNCTION zcsync._shape_lead(p_fields jsonb, p_country text, p_comma boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name record := zcsync._shape_name(p_fields);
	v_phones record := zcsync._shape_phones(p_fields, p_country);
	v_numbers record := zcsync._shape_numbers(p_fields, p_comma);
	v_notes text[] := v_numbers.notes;
	v_mail text := zcsync._mail_address(p_fields ->> 'email');
	v_status text := lower(left(p_fields ->> 'email_status', 500) COLLATE "C");
	v_email text := zcsync._email_key(v_mail);
	v_address text := v_mail;	-- as it is stored
	v_website text := zcsync._domain_key(p_fields ->> 'website');
	v_values jsonb;
	v_keys jsonb;
	v_marks jsonb;
BEGIN
	IF p_fields IS NULL THEN
		RETURN '{"values": {}, "keys": {}, "error": "a lead must be a JSON object"}';
	END IF;
	-- the text that an export has in place of an address that must be paid for
	IF v_mail LIKE E'email\\_not\\_unlocked@%' THEN
		v_email := NULL;
		v_address := NULL;
	ELSIF v_mail IS NULL AND p_fields ? 'email' THEN
		v_notes := format('e-mail "%s" cannot be read', left(p_fields ->> 'email', 100)) || v_notes;
	END IF;

	SELECT coalesce(jsonb_object_agg(e.key, left(e.value, CASE e.key WHEN 'description' THEN 100000 ELSE 500 END))
			FILTER (WHERE e.key = ANY ('{summary,description,company,title,website,linkedin_url,street,city,region,postal_code,country,industry,
				owner_id,team,external_id}'::text[])), '{}')
		|| coalesce(jsonb_build_object('custom_fields', jsonb_object_agg(substr(e.key, 8), e.value) FILTER (WHERE e.key LIKE 'custom:%')), '{}')
	INTO v_values
	FROM jsonb_each_text(p_fields) AS e;
	v_values := jsonb_strip_nulls(v_values || v_phones.vals || v_numbers.vals
		|| jsonb_build_object('first_name', v_name.first_name, 'last_name', v_name.last_name,
			'email', v_address, 'email_status', v_status));
	v_keys := jsonb_strip_nulls(v_phones.keys || jsonb_build_object(
		'email', zcsync._lead_email_key(v_mail, v_status),
		'name', zcsync._name_key(v_name.first_name, v_name.last_name),
		'company', zcsync._company_key(v_values ->> 'company'),
		'domain', coalesce(v_website, CASE WHEN NOT zcsync._is_mail_provider(split_part(v_email, '@', 2)) THEN split_part(v_email, '@', 2) END),
		'source_id', left(p_fields ->> 'source_id', 500)));
	IF v_email IS NULL THEN
		v_keys := v_keys - 'email';
	END IF;
	v_marks := jsonb_strip_nulls(jsonb_build_object('placeholder', p_fields -> 'placeholder', 'encoding', p_fields -> 'encoding',
		'decimal comma', v_numbers.comma, 'decimal point', v_numbers.point, 'left out', v_notes[1]));
	IF v_email IS NULL AND v_address IS NOT NULL THEN
		v_notes := format('e-mail "%s" identifies nobody', left(v_address, 100)) || v_notes;
	END IF;

	RETURN jsonb_build_object('values', v_values, 'keys', v_keys,
		'error', CASE WHEN v_email IS NULL AND zcsync._phone_key(coalesce(v_values ->> 'phone', v_values ->> 'mobile'), NULL) IS NULL
				AND NOT v_keys ?& '{name,company}'::text[]
			THEN concat_ws('; ', VARIADIC v_notes || 'a lead needs an e-mail address, a phone number, or a name and a company'::text) END)
		|| CASE WHEN v_notes <> '{}' THEN jsonb_build_object('notes', to_jsonb(v_notes)) ELSE '{}' END
		|| CASE WHEN v_marks <> '{}' THEN jsonb_build_object('marks', v_marks) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._shape_lead(jsonb, text, boolean) IS
'the picked fields of a lead, as values of columns and as keys';

-- Leads of a source in the form in which they are stored and compared: {"values":
-- {column: value}, "keys": {email, phone, mobile, name, company, domain, source_id},
-- "error": why it cannot be taken, "notes": what was left out, "marks": an example of
-- each thing that zcsync.plan_import() counts}.  The country applies to phone numbers
-- if neither they nor the lead name one.  p_comma says that numbers have a decimal
-- comma; NULL: as is usual in that country.
CREATE FUNCTION zcsync._normalise_leads(p_source text, p_data jsonb[], p_country text DEFAULT NULL, p_comma boolean DEFAULT NULL) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_comma boolean := coalesce(p_comma, (SELECT c.decimal_comma FROM zcsync.countries c WHERE c.country = p_country), false);
BEGIN
	RETURN (
		SELECT coalesce(array_agg(zcsync._shape_lead(f.fields, p_country, v_comma) ORDER BY f.n), '{}')
		FROM unnest(zcsync._pick_fields(p_source, p_data)) WITH ORDINALITY AS f (fields, n));
END
$$;
COMMENT ON FUNCTION zcsync._normalise_leads(text, jsonb[], text, boolean) IS
'leads of a source in the form in which they are stored and compared';

CREATE FUNCTION zcsync._normalise_lead(p_source text, p_data jsonb, p_country text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (zcsync._normalise_leads(p_source, ARRAY[p_data], p_country))[1]
$$;
COMMENT ON FUNCTION zcsync._normalise_lead(text, jsonb, text) IS
'a lead of a source in the form in which it is stored and compared';
