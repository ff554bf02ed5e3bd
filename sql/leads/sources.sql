-- ---------------------------------------------------------------------
-- Sources of leads: how what they give becomes columns of leads.
--
-- A source is a row of lead_sources.  Its field_map names, for each column,
-- where the value may be, the best place first: headers of a file or paths in
-- a document, as in "organization.name" or "phone_numbers[0].sanitized_number".
-- Names are compared by their letters and digits alone, so "First Name",
-- "first_name" and "firstName" are one.  Besides the columns of leads a map
-- may have
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
-- "phone_numbers[mobile].sanitized_number", any other by its place.
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

-- Leads of vendors' exports and interfaces, of files by hand, and of people who
-- type.  Existing sources stay as they are.
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

-- A misspelt column would lose its values without a word.
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
'a header or path in the form in which equal ones are equal: its letters and digits';

-- Objects that stand for the lead itself take its place, one within the other;
-- what was beside them stays and comes first.
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

-- The values that a source's field map finds in documents: an object
-- {target: text} for each, in their order.
CREATE FUNCTION zcsync._pick_fields(p_source text, p_data jsonb[]) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
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
		picked AS (
			SELECT DISTINCT ON (f.n, m.target) f.n, m.target, t.value
			FROM found f
			JOIN map m ON m.key = f.key
			CROSS JOIN LATERAL (
				SELECT CASE WHEN jsonb_typeof(f.value) IN ('string', 'number', 'boolean') THEN btrim(f.value #>> '{}', E' \t\r\n\u00a0') END) AS t (value)
			WHERE t.value <> '' AND t.value COLLATE "C" !~* '^(-+|#?n/a)$'
			ORDER BY f.n, m.target, m.n, f.depth, t.value)
		SELECT array_agg(CASE WHEN jsonb_typeof(d.doc) = 'object' THEN coalesce(p.fields, '{}') END ORDER BY d.n)
		FROM unnest(p_data) WITH ORDINALITY AS d (doc, n)
		LEFT JOIN (SELECT p.n, jsonb_object_agg(p.target, p.value) AS fields FROM picked p GROUP BY p.n) AS p ON p.n = d.n);
END
$$;
COMMENT ON FUNCTION zcsync._pick_fields(text, jsonb[]) IS
'the values that the field map of a source finds in documents, as text';

-- ---------------------------------------------------------------------
-- Normalisation
-- ---------------------------------------------------------------------

-- A country's calling code and, after a colon, what precedes a number that is
-- dialled within it, unless that is 0.
CREATE FUNCTION zcsync._country_phone(p_country text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_list text := ' US:1:1 CA:1:1 PR:1:1 DO:1:1 JM:1:1 BS:1:1 BB:1:1 TT:1:1 BM:1:1 KY:1:1 AG:1:1 DM:1:1 GD:1:1 LC:1:1 VC:1:1 KN:1:1 GU:1:1 VI:1:1 '
		'GB:44 GG:44 JE:44 IM:44 IE:353 DE:49 AT:43 CH:41 LI:423: FR:33 BE:32 NL:31 LU:352: ES:34: PT:351: IT:39: VA:39: SM:378: MT:356: '
		'DK:45: SE:46 NO:47: FI:358 IS:354: EE:372: LV:371: LT:370 PL:48: CZ:420: SK:421 HU:36:06 RO:40 BG:359 GR:30: CY:357: '
		'HR:385 SI:386 RS:381 BA:387 ME:382 MK:389 AL:355 XK:383 MD:373 UA:380 BY:375:80 RU:7:8 KZ:7:8 GE:995 AM:374 AZ:994 TR:90 '
		'IL:972 PS:970 JO:962 LB:961 SY:963 IQ:964 IR:98 SA:966 AE:971 QA:974: KW:965: BH:973: OM:968: YE:967 EG:20 LY:218 TN:216: DZ:213 MA:212 '
		'ZA:27 NA:264 BW:267: ZW:263 ZM:260 MZ:258: MW:265 TZ:255 KE:254 UG:256 RW:250 ET:251 GH:233 NG:234 CI:225: SN:221: CM:237: GA:241: CD:243 AO:244: MG:261 MU:230: '
		'IN:91 PK:92 BD:880 LK:94 NP:977 AF:93 MM:95 TH:66 VN:84 KH:855 LA:856 MY:60 SG:65: ID:62 PH:63 BN:673: CN:86 HK:852: MO:853: TW:886 JP:81 KR:82 MN:976 '
		'UZ:998: KG:996 TJ:992: TM:993:8 AU:61 NZ:64 FJ:679: PG:675: BR:55 AR:54 CL:56: CO:57: PE:51 VE:58 EC:593 BO:591 PY:595 UY:598 '
		'MX:52: GT:502: SV:503: HN:504: NI:505: CR:506: PA:507: CU:53 HT:509:';
	v_place integer := strpos(v_list, ' ' || p_country || ':');
BEGIN
	RETURN CASE WHEN v_place > 0 THEN split_part(substr(v_list, v_place + 4, 12), ' ', 1) END;
END
$$;
COMMENT ON FUNCTION zcsync._country_phone(text) IS
'calling code of a country, and what precedes a number that is dialled within it; NULL: not known';

-- The country of a lead as two letters, if it is one that can be told.
CREATE FUNCTION zcsync._country_code(p_country text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN upper(p_country COLLATE "C") = 'UK' THEN 'GB'
		WHEN p_country ~ '^[A-Za-z]{2}$' THEN upper(p_country COLLATE "C")
		ELSE '{"united states": "US", "united states of america": "US", "usa": "US", "canada": "CA", "united kingdom": "GB", "great britain": "GB",
			"england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "ireland": "IE", "germany": "DE", "deutschland": "DE",
			"austria": "AT", "österreich": "AT", "switzerland": "CH", "schweiz": "CH", "france": "FR", "belgium": "BE", "netherlands": "NL",
			"the netherlands": "NL", "luxembourg": "LU", "spain": "ES", "portugal": "PT", "italy": "IT", "denmark": "DK", "sweden": "SE",
			"norway": "NO", "finland": "FI", "poland": "PL", "czech republic": "CZ", "czechia": "CZ", "slovakia": "SK", "hungary": "HU",
			"romania": "RO", "bulgaria": "BG", "greece": "GR", "turkey": "TR", "israel": "IL", "united arab emirates": "AE", "saudi arabia": "SA",
			"south africa": "ZA", "nigeria": "NG", "kenya": "KE", "egypt": "EG", "india": "IN", "pakistan": "PK", "singapore": "SG",
			"malaysia": "MY", "indonesia": "ID", "philippines": "PH", "thailand": "TH", "vietnam": "VN", "hong kong": "HK", "china": "CN",
			"taiwan": "TW", "japan": "JP", "south korea": "KR", "australia": "AU", "new zealand": "NZ", "brazil": "BR", "argentina": "AR",
			"chile": "CL", "colombia": "CO", "peru": "PE", "mexico": "MX", "ukraine": "UA", "russia": "RU"}'::jsonb ->> lower(p_country COLLATE "C")
	END;
END;
COMMENT ON FUNCTION zcsync._country_code(text) IS
'a country''s two letters, of those or of its English name; NULL: not known';

-- The first number of a text that may hold several, without its extension, in
-- E.164 form; NULL: it is none, or its country is not known.
CREATE FUNCTION zcsync._phone_key(p_phone text, p_country text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_text text := regexp_replace(lower(p_phone COLLATE "C"), '^[[:space:]''"=]*(tel:)?[[:space:]]*', '');
	v_digits text;
	v_code text;
	v_trunk text;
BEGIN
	v_text := regexp_replace(v_text, '[[:space:]]+(or|oder)[[:space:]].*$|[[:space:]]*[;|][[:space:]]*[+]?[0-9].*$|[[:space:]]+/[[:space:]]+[+]?[0-9].*$', '');
	v_text := regexp_replace(v_text, '[[:space:]]*[,;]?[[:space:]]*(ext(ension|n)?[.]?|x|#|durchwahl|poste|anexo)[[:space:]]*[.:]?[[:space:]]*[0-9]{1,7}[[:space:]]*$', '');
	v_text := replace(v_text, '(0)', '');
	IF v_text !~ E'^\\+?[\\d\\s().\\-\\u2010-\\u2015\\u00a0/]+$' THEN
		RETURN NULL;
	END IF;
	v_digits := regexp_replace(v_text, '[^0-9]', '', 'g');
	IF v_text NOT LIKE '+%' THEN
		v_code := zcsync._country_phone(p_country);
		v_trunk := CASE WHEN v_code LIKE '%:%' THEN split_part(v_code, ':', 2) ELSE '0' END;
		v_code := split_part(v_code, ':', 1);
		IF v_code = '1' AND v_digits LIKE '011%' AND length(v_digits) > 11 THEN
			v_digits := substr(v_digits, 4);
		ELSIF v_digits LIKE '00%' AND length(v_digits) > 9 AND v_code IS DISTINCT FROM '1' THEN
			v_digits := substr(v_digits, 3);
		ELSIF v_code IS NULL THEN
			RETURN NULL;
		ELSE
			IF v_trunk <> '' AND starts_with(v_digits, v_trunk) AND (v_trunk = '0' OR length(v_digits) > 10) THEN
				v_digits := substr(v_digits, length(v_trunk) + 1);
			END IF;
			v_digits := v_code || v_digits;
			IF length(v_digits) - length(v_code) < 6 THEN
				RETURN NULL;
			END IF;
		END IF;
	END IF;
	-- North America numbers all alike
	IF length(v_digits) NOT BETWEEN 8 AND 15 OR v_digits LIKE '0%' OR (v_digits LIKE '1%' AND v_digits !~ '^1[2-9][0-9]{9}$') THEN
		RETURN NULL;
	END IF;
	RETURN '+' || v_digits;
END
$$;
COMMENT ON FUNCTION zcsync._phone_key(text, text) IS
'a phone number in E.164 form, for a country where it has none itself; NULL: it is none';

CREATE FUNCTION zcsync._company_key(p_company text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(CASE WHEN s.short IN ('', 'the', 'and') THEN s.whole ELSE regexp_replace(s.short, '^the ', '') END, '')
	FROM (
		SELECT w.whole, regexp_replace(w.whole, '( |^)((inc|incorporated|ltd|limited|llc|llp|lp|plc|pllc|pc|corp|corporation|co|company|gmbh|mbh|ggmbh|ag|kg|kgaa|ohg|gbr|ug|'
			'haftungsbeschränkt|ek|ev|eg|se|sa|sas|sasu|sarl|eurl|srl|srls|spa|snc|sl|slu|sau|lda|ltda|bv|nv|vof|cv|bvba|sprl|oy|oyj|ab|publ|as|asa|aps|ivs|hf|ehf|'
			'pty|pte|pvt|private|sdn|bhd|kk|spzoo|sp z oo|zoo|sro|as|doo|dd|kft|zrt|nyrt|ooo|oao|zao|fze|fzco|fzllc|wll|cic|cio|and)( |$))+$', '') AS short
		FROM (
			SELECT btrim(regexp_replace(regexp_replace(replace(replace(replace(zcsync._fold(normalize(p_company, NFKC)), 'a/s', 'as'), '&', ' and '), '+', ' and '),
				'[.''’`]', '', 'g'), E'[\\u0001-\\u002f\\u003a-\\u0060\\u007b-\\u00bf\\u2010-\\u2027\\u3000]+', ' ', 'g')) AS whole) AS w) AS s;
END;
COMMENT ON FUNCTION zcsync._company_key(text) IS
'a company''s name without what says its legal form, punctuation and case';

CREATE FUNCTION zcsync._name_key(p_first text, p_last text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(zcsync._fold(btrim(regexp_replace(normalize(concat_ws(' ', p_first, p_last), NFKC), '[[:space:].,"]+', ' ', 'g'))), '');
END;
COMMENT ON FUNCTION zcsync._name_key(text, text) IS
'a person''s name with single spaces, in lower case';

-- In letters where it is an international one, as the domains of e-mail addresses are.
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

-- A number as people write it: 1,234; $1.2M; 51-200 (its lower end); 5000+.
CREATE FUNCTION zcsync._number_of(p_text text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT n.match[1]::numeric * CASE left(n.match[2], 1) WHEN 'k' THEN 1000 WHEN 'm' THEN 1000000 WHEN 'b' THEN 1000000000 ELSE 1 END
	FROM (SELECT regexp_match(replace(replace(lower(p_text COLLATE "C"), ',', ''), ' ', ''),
		'^[^0-9.-]{0,4}(-?[0-9]{1,30}(?:[.][0-9]{1,20})?)(k|mio|million|m|billion|bn|b)?(?:[-–+].*|to.*|%|[a-z]{3}|employees)?$') AS match) AS n;
END;
COMMENT ON FUNCTION zcsync._number_of(text) IS
'a number as people write it; NULL: it is none';

-- A time in ISO form, or as exports have it: 1/5/2020 2:59 PM, month first.
CREATE FUNCTION zcsync._time_of(p_text text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'
AS $$
BEGIN
	IF p_text ~ '^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?|^[0-9][0-9]?/[0-9][0-9]?/[0-9]{4}' THEN
		RETURN p_text::timestamptz;
	END IF;
	RETURN NULL;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION zcsync._time_of(text) IS
'a time as sources write it; NULL: it is none';

-- ---------------------------------------------------------------------
-- A lead
-- ---------------------------------------------------------------------

-- The phones of a lead: what is shown, and which of them names a person.  A
-- number of the company, or one that must not be called, names nobody.
CREATE FUNCTION zcsync._shape_phones(p_fields jsonb, p_country text, OUT vals jsonb, OUT keys jsonb)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
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
'phones of a lead as they are stored, and as they name it';

-- Numbers and times; what cannot be read as one becomes a note.
CREATE FUNCTION zcsync._shape_numbers(p_fields jsonb, OUT vals jsonb, OUT notes text[])
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
			v_number := zcsync._number_of(v_field.value);
			v_value := to_jsonb(CASE
				WHEN v_field.key = 'revenue_thousands' THEN v_number * 1000
				WHEN v_field.key NOT IN ('employees', 'status_id') THEN v_number
				WHEN v_number BETWEEN 0 AND 2147483647 THEN round(v_number) END);
		END IF;
		IF v_value IS NULL THEN
			notes := notes || format('%s "%s" was left out', v_field.key, left(v_field.value, 100));
		ELSE
			vals := vals || jsonb_build_object(CASE v_field.key WHEN 'revenue_thousands' THEN 'revenue' ELSE v_field.key END, v_value);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._shape_numbers(jsonb) IS
'numbers and times of a lead, and notes about what is none';

-- First and last name; from a whole name where they are missing.
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

-- Fields that were picked as a lead: see _normalise_lead().
CREATE FUNCTION zcsync._shape_lead(p_fields jsonb, p_country text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_name record := zcsync._shape_name(p_fields);
	v_phones record := zcsync._shape_phones(p_fields, p_country);
	v_numbers record := zcsync._shape_numbers(p_fields);
	v_notes text[] := v_numbers.notes;
	v_mail text := zcsync._mail_address(p_fields ->> 'email');
	v_status text := lower(left(p_fields ->> 'email_status', 500) COLLATE "C");
	v_email text := zcsync._email_key(v_mail);
	v_website text := zcsync._domain_key(p_fields ->> 'website');
	v_values jsonb;
	v_keys jsonb;
BEGIN
	IF p_fields IS NULL THEN
		RETURN '{"values": {}, "keys": {}, "error": "a lead must be a JSON object"}';
	END IF;
	-- what stands there until somebody pays for the address
	IF v_mail LIKE E'email\\_not\\_unlocked@%' THEN
		v_email := NULL;
	ELSIF v_email IS NULL AND p_fields ? 'email' THEN
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
			'email', CASE WHEN v_email IS NOT NULL THEN v_mail END, 'email_status', v_status));
	v_keys := jsonb_strip_nulls(v_phones.keys || jsonb_build_object(
		'email', zcsync._lead_email_key(v_mail, v_status),
		'name', zcsync._name_key(v_name.first_name, v_name.last_name),
		'company', zcsync._company_key(v_values ->> 'company'),
		'domain', coalesce(v_website, CASE WHEN NOT zcsync._is_mail_provider(split_part(v_email, '@', 2)) THEN split_part(v_email, '@', 2) END),
		'source_id', left(p_fields ->> 'source_id', 500)));
	IF v_email IS NULL THEN
		v_keys := v_keys - 'email';
	END IF;

	RETURN jsonb_build_object('values', v_values, 'keys', v_keys,
		'error', CASE WHEN NOT v_values ? 'email' AND zcsync._phone_key(coalesce(v_values ->> 'phone', v_values ->> 'mobile'), NULL) IS NULL
				AND NOT v_keys ?& '{name,company}'::text[]
			THEN concat_ws('; ', VARIADIC v_notes || 'a lead needs an e-mail address, a phone number, or a name and a company'::text) END)
		|| CASE WHEN v_notes <> '{}' THEN jsonb_build_object('notes', to_jsonb(v_notes)) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION zcsync._shape_lead(jsonb, text) IS
'picked fields of a lead as values of columns and as keys';

-- Leads as a source gives them, in the form that is stored and compared:
-- {"values": {column: value}, "keys": {email, phone, mobile, name, company,
-- domain, source_id}, "error": why it is none, "notes": what was left out}.
-- The country is that of phone numbers where neither they nor the lead say.
CREATE FUNCTION zcsync._normalise_leads(p_source text, p_data jsonb[], p_country text DEFAULT NULL) RETURNS jsonb[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(zcsync._shape_lead(f.fields, p_country) ORDER BY f.n), '{}')
	FROM unnest(zcsync._pick_fields(p_source, p_data)) WITH ORDINALITY AS f (fields, n)
$$;
COMMENT ON FUNCTION zcsync._normalise_leads(text, jsonb[], text) IS
'leads of a source in the form in which they are stored and compared';

CREATE FUNCTION zcsync._normalise_lead(p_source text, p_data jsonb, p_country text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (zcsync._normalise_leads(p_source, ARRAY[p_data], p_country))[1]
$$;
COMMENT ON FUNCTION zcsync._normalise_lead(text, jsonb, text) IS
'a lead of a source in the form in which it is stored and compared';
