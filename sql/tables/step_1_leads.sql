-- ---------------------------------------------------------------------
-- Step 1 of the tables: leads, by month.
--
-- The table leads is partitioned by the time of the local insert, so it cannot have a
-- unique key without that time.  Therefore lead_identities has a row for each thing
-- that identifies a lead by itself (mirror/identities.sql).
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._step_1_leads() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.leads (
		account_id bigint NOT NULL
			CONSTRAINT leads_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq'),
		remote_id text,
		summary text, description text, first_name text, last_name text, company text, title text,
		email text, email_status text, phone text, mobile text, website text, linkedin_url text, street text,
		city text, region text, postal_code text, country text, industry text, employees integer,
		revenue numeric, do_not_call boolean, source text, status_id integer, status text, type_id text,
		company_id text, site_id text, contact_id text, owner_id text, team text, value numeric,
		probability numeric, stage_id text, closed_at timestamptz, external_id text, url text,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT leads_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT leads_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		inserted_at timestamptz NOT NULL DEFAULT now(),
		fit integer
			CONSTRAINT leads_fit CHECK (fit BETWEEN 0 AND 100),
		engagement integer
			CONSTRAINT leads_engagement CHECK (engagement BETWEEN 0 AND 100),
		quality integer
			CONSTRAINT leads_quality CHECK (quality BETWEEN 0 AND 100),
		stage text
			CONSTRAINT leads_stage CHECK (stage IN ('lead', 'prospect', 'opportunity')),
		provenance jsonb NOT NULL DEFAULT '{}',
		merged_into bigint,
		CONSTRAINT leads_times CHECK (isfinite(created_at) AND isfinite(updated_at) AND isfinite(closed_at) AND isfinite(inserted_at)),
		CONSTRAINT leads_pkey PRIMARY KEY (account_id, local_id, inserted_at)
	) PARTITION BY RANGE (inserted_at);
	COMMENT ON TABLE zcsync.leads IS
	'mirror of the leads of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	COMMENT ON COLUMN zcsync.leads.inserted_at IS 'when the row was inserted here: the month of its partition';
	COMMENT ON COLUMN zcsync.leads.status_id IS 'status of a lead of a local account: zcsync.lead_statuses';
	COMMENT ON COLUMN zcsync.leads.status IS 'status at the vendor, of a mirrored lead';
	COMMENT ON COLUMN zcsync.leads.provenance IS 'where each value came from: {column: {source, at, row}}';
	COMMENT ON COLUMN zcsync.leads.merged_into IS 'local_id of the lead that this one was merged into';

	CREATE INDEX idx_leads_local_id ON zcsync.leads (local_id);
	CREATE INDEX idx_leads_remote_id ON zcsync.leads (account_id, remote_id) WHERE remote_id IS NOT NULL;
	CREATE INDEX idx_leads_email ON zcsync.leads (email);
	CREATE INDEX idx_leads_company ON zcsync.leads (company);
	CREATE INDEX idx_leads_status ON zcsync.leads (status_id);
	CREATE INDEX idx_leads_created_at ON zcsync.leads (created_at DESC, local_id DESC);
	CREATE INDEX idx_leads_account_created ON zcsync.leads (account_id, created_at, local_id) WHERE deleted_at IS NULL;
	CREATE INDEX idx_leads_status_created ON zcsync.leads (status_id, created_at DESC);
	CREATE INDEX idx_leads_source_email ON zcsync.leads (source, email);
	CREATE INDEX idx_leads_active ON zcsync.leads (created_at) WHERE status_id NOT IN (5, 6, 7);
	CREATE INDEX idx_leads_route_email ON zcsync.leads (account_id, lower(email COLLATE "C")) WHERE remote_id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._step_1_leads() IS
'tables of step 1: leads';

CREATE FUNCTION zcsync._step_1_lead_sources() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.lead_identities (
		account_id bigint NOT NULL,
		kind text NOT NULL,				-- remote, email, or the name of a source
		value text NOT NULL,
		local_id bigint NOT NULL,		-- of the lead
		CONSTRAINT lead_identities_pkey PRIMARY KEY (account_id, kind, value)
	);
	CREATE INDEX idx_lead_identities_local_id ON zcsync.lead_identities (local_id);
	COMMENT ON TABLE zcsync.lead_identities IS
	'what identifies a lead by itself: its remote id, its e-mail address, its ids at sources; kept by triggers and by imports';

	CREATE TABLE zcsync.lead_sources (
		name text NOT NULL
			CONSTRAINT lead_sources_pkey PRIMARY KEY
			CONSTRAINT lead_sources_name_form CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$' AND name NOT IN ('remote', 'email')),
		precedence integer NOT NULL DEFAULT 100,	-- lower wins
		groups jsonb NOT NULL DEFAULT '{}'			-- precedence of groups of fields that have a different one
			CONSTRAINT lead_sources_groups CHECK (jsonb_typeof(groups) = 'object'),
		field_map jsonb NOT NULL DEFAULT '{}'		-- {column: [the fields that may have its value, the best first]}
			CONSTRAINT lead_sources_field_map CHECK (jsonb_typeof(field_map) = 'object'),
		id_field text,					-- the field with the source's own id
		unwrap text[] NOT NULL DEFAULT '{}',		-- objects in a document that contain the lead itself
		created_at timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE zcsync.lead_sources IS
	'where leads come from: how their fields are named there, and whose values win; a new source is a new row';

	CREATE TABLE zcsync.intakes (
		intake_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT intakes_pkey PRIMARY KEY,
		name text NOT NULL				-- name of its table in schema zcsync_intake
			CONSTRAINT intakes_name_key UNIQUE,
		account_id bigint NOT NULL
			CONSTRAINT intakes_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		source text NOT NULL
			CONSTRAINT intakes_source_fkey REFERENCES zcsync.lead_sources,
		columns jsonb NOT NULL,			-- [{"column", "header", "fields"}]
		delimiter text NOT NULL DEFAULT ',',	-- between the columns of the file
		created_by text NOT NULL,
		created_at timestamptz NOT NULL DEFAULT now(),
		imported_at timestamptz,
		counts jsonb					-- of the last import: {result: rows}
	);
	COMMENT ON TABLE zcsync.intakes IS
	'files with leads: each has a table in schema zcsync_intake, and this row says what became of it';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_sources() IS
'tables of step 1: what identifies a lead, and where leads come from';

CREATE FUNCTION zcsync._step_1_lead_rows() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.lead_match_rules (
		name text NOT NULL
			CONSTRAINT lead_match_rules_pkey PRIMARY KEY,
		value numeric NOT NULL
			CONSTRAINT lead_match_rules_value CHECK (value >= 0),
		meaning text NOT NULL
	);
	COMMENT ON TABLE zcsync.lead_match_rules IS
	'the numbers by which leads are matched: weights of fields, limits of scores';
	INSERT INTO zcsync.lead_match_rules (name, value, meaning) VALUES
		('weight_email', 0.4, 'weight of the similarity of e-mail addresses'),
		('weight_name', 0.3, 'weight of the similarity of names'),
		('weight_phone', 0.2, 'weight of equal phone numbers'),
		('weight_company', 0.1, 'weight of the similarity of companies'),
		('merge_above', 0.95, 'leads with a score above this are merged'),
		('flag_from', 0.8, 'leads with a score from here on are flagged'),
		('phone_shared_by', 3, 'a phone number that more people share identifies none of them'),
		('name_shared_by', 100, 'a name that more leads have is compared only within the same company');

	CREATE TABLE zcsync.lead_rows (
		row_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT lead_rows_pkey PRIMARY KEY,
		account_id bigint NOT NULL
			CONSTRAINT lead_rows_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		local_id bigint NOT NULL,		-- the lead of which it is a part
		source text NOT NULL,
		row_key text NOT NULL,			-- its id at the source and its e-mail address; without an id, its values
		hash text NOT NULL,				-- of the values that came last
		email text,						-- these keys are normalised; NULL: none, or no valid one
		name text,
		company text,
		domain text,
		phone text,
		mobile text,
		title text,
		source_id text,
		vals jsonb NOT NULL,			-- {column of leads: value}
		at timestamptz NOT NULL,		-- when its values were true, as the source says; otherwise taken_at
		taken_at timestamptz NOT NULL,
		via text NOT NULL DEFAULT 'new',	-- how it came to its lead: new, email, source id, similar, by hand
		look_again boolean NOT NULL DEFAULT false,	-- others inserted leads at the same time that could not be seen
		CONSTRAINT lead_rows_key UNIQUE (row_key, source, account_id)
	);
	-- Each index begins with a column that no other one has: see the head of leads/match.sql.
	CREATE INDEX idx_lead_rows_local_id ON zcsync.lead_rows (local_id);
	CREATE INDEX idx_lead_rows_look_again ON zcsync.lead_rows (account_id, row_id) WHERE look_again;
	CREATE INDEX idx_lead_rows_name ON zcsync.lead_rows (name, account_id);
	CREATE INDEX idx_lead_rows_phone ON zcsync.lead_rows (phone, account_id) WHERE phone IS NOT NULL;
	CREATE INDEX idx_lead_rows_mobile ON zcsync.lead_rows (mobile, account_id) WHERE mobile IS NOT NULL;
	COMMENT ON TABLE zcsync.lead_rows IS
	'each lead as a source gave it, and which lead it became part of; the values of a lead are made of these';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_rows() IS
'tables of step 1: leads as their sources gave them, and how they are matched';

CREATE FUNCTION zcsync._step_1_lead_merges() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.lead_duplicates (
		account_id bigint NOT NULL
			CONSTRAINT lead_duplicates_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		lead_a bigint NOT NULL,			-- local_id
		lead_b bigint NOT NULL,
		score numeric,					-- NULL: they were not compared
		parts jsonb NOT NULL DEFAULT '{}',	-- {field: {similarity, weight, part}}; the parts add up to score
		reason text NOT NULL,			-- why they were not merged
		state text NOT NULL DEFAULT 'open'
			CONSTRAINT lead_duplicates_state CHECK (state IN ('open', 'merged', 'apart')),
		found_at timestamptz NOT NULL DEFAULT now(),
		decided_at timestamptz,
		decided_by text,
		CONSTRAINT lead_duplicates_pkey PRIMARY KEY (lead_a, lead_b, account_id),
		CONSTRAINT lead_duplicates_order CHECK (lead_a < lead_b)
	);
	CREATE INDEX idx_lead_duplicates_b ON zcsync.lead_duplicates (lead_b);
	COMMENT ON TABLE zcsync.lead_duplicates IS
	'pairs of leads that may be the same: open until zcsync.merge_leads() or zcsync.keep_apart(), which is remembered';

	CREATE TABLE zcsync.lead_merges (
		merge_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT lead_merges_pkey PRIMARY KEY,
		account_id bigint NOT NULL
			CONSTRAINT lead_merges_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		kept_id bigint NOT NULL,		-- local_id
		merged_id bigint,				-- NULL: it never was a separate lead
		row_ids bigint[] NOT NULL,		-- the lead_rows that moved to the lead that was kept
		score numeric,					-- NULL: merged for another reason than similarity
		parts jsonb NOT NULL DEFAULT '{}',
		reason text NOT NULL,
		undo jsonb NOT NULL DEFAULT '{}',	-- identities, links and pairs as they were
		role text NOT NULL,
		merged_at timestamptz NOT NULL DEFAULT now(),
		undone_at timestamptz			-- by zcsync.split_lead()
	);
	CREATE INDEX idx_lead_merges_kept_id ON zcsync.lead_merges (kept_id);
	COMMENT ON TABLE zcsync.lead_merges IS
	'each merge of two leads, with its score and what is needed to undo it';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_merges() IS
'tables of step 1: leads that may be the same, and merges';

CREATE FUNCTION zcsync._step_1_lead_scores() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.lead_statuses (
		status_id integer NOT NULL
			CONSTRAINT lead_statuses_pkey PRIMARY KEY,
		name text NOT NULL
			CONSTRAINT lead_statuses_name_key UNIQUE,
		closed boolean NOT NULL DEFAULT false	-- such leads are not worked on; see zcsync.rebuild_active_index()
	);
	COMMENT ON TABLE zcsync.lead_statuses IS
	'the statuses that leads of local accounts can have, and which of them are closed';
	INSERT INTO zcsync.lead_statuses (status_id, name, closed) VALUES
		(1, 'new', false), (2, 'contacted', false), (3, 'qualified', false), (4, 'nurturing', false),
		(5, 'not interested', true), (6, 'do not contact', true), (7, 'invalid data', true), (8, 'converted', false);
	ALTER TABLE zcsync.leads
		ADD CONSTRAINT leads_status_id_fkey FOREIGN KEY (status_id) REFERENCES zcsync.lead_statuses;

	CREATE TABLE zcsync.lead_score_rules (
		rule_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT lead_score_rules_pkey PRIMARY KEY,
		score text NOT NULL
			CONSTRAINT lead_score_rules_score CHECK (score IN ('fit', 'engagement', 'quality')),
		field text NOT NULL				-- column of leads, or custom:NAME
			CONSTRAINT lead_score_rules_field CHECK (field LIKE 'custom:_%' OR field IN (
				'summary', 'description', 'first_name', 'last_name', 'company', 'title', 'email',
				'email_status', 'phone', 'mobile', 'website', 'linkedin_url', 'street', 'city', 'region',
				'postal_code', 'country', 'industry', 'employees', 'revenue', 'do_not_call', 'source',
				'status_id', 'status', 'type_id', 'company_id', 'site_id', 'contact_id', 'owner_id', 'team',
				'value', 'probability', 'stage_id', 'closed_at', 'external_id', 'url', 'custom_fields',
				'created_at', 'updated_at')),
		operator text NOT NULL
			CONSTRAINT lead_score_rules_operator CHECK (operator IN
				('is_filled', 'is_empty', 'equals', 'not_equals', 'one_of', 'contains', 'at_least', 'at_most', 'newer_than')),
		value text,						-- of one_of and contains: several values, with | between them
		points integer NOT NULL
			CONSTRAINT lead_score_rules_points CHECK (points BETWEEN -100 AND 100),
		CONSTRAINT lead_score_rules_value CHECK (CASE
			WHEN operator IN ('is_filled', 'is_empty') THEN value IS NULL
			WHEN operator IN ('at_least', 'at_most') THEN coalesce(value ~ '^-?[0-9]{1,30}([.][0-9]{1,20})?$', false)
			WHEN operator = 'newer_than' THEN coalesce(value ~ '^[0-9]{1,5} (hour|day|week|month)s?$', false)
			ELSE value IS NOT NULL END)
	);
	COMMENT ON TABLE zcsync.lead_score_rules IS
	'what gives a lead points: a condition on a column, and how many; the sum of a score is kept between 0 and 100';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_scores() IS
'tables of step 1: statuses of leads, and what gives them points';

CREATE FUNCTION zcsync._step_1_lead_rules() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO zcsync.lead_score_rules (score, field, operator, value, points) VALUES
		('fit', 'title', 'contains', 'chief|ceo|cto|cio|cfo|coo|founder|owner|president', 40),
		('fit', 'title', 'contains', 'vp|vice president|head|director', 30),
		('fit', 'title', 'contains', 'manager|lead|principal', 15),
		('fit', 'employees', 'at_least', '50', 20),
		('fit', 'employees', 'at_least', '500', 10),
		('fit', 'revenue', 'at_least', '1000000', 10),
		('fit', 'industry', 'is_filled', NULL, 10),
		('fit', 'title', 'contains', 'intern|student|assistant', -30),
		('engagement', 'status_id', 'one_of', '2', 30),
		('engagement', 'status_id', 'one_of', '4', 40),
		('engagement', 'status_id', 'one_of', '3|8', 70),
		('engagement', 'value', 'at_least', '1', 15),
		('engagement', 'probability', 'at_least', '50', 15),
		('engagement', 'do_not_call', 'equals', 'true', -20),
		('quality', 'email', 'is_filled', NULL, 30),
		('quality', 'email_status', 'one_of', 'verified|valid', 15),
		('quality', 'email_status', 'one_of', 'invalid|bounced|unavailable|undeliverable', -40),
		('quality', 'phone', 'is_filled', NULL, 15),
		('quality', 'mobile', 'is_filled', NULL, 5),
		('quality', 'first_name', 'is_filled', NULL, 5),
		('quality', 'last_name', 'is_filled', NULL, 10),
		('quality', 'company', 'is_filled', NULL, 10),
		('quality', 'title', 'is_filled', NULL, 5),
		('quality', 'linkedin_url', 'is_filled', NULL, 5);

	CREATE TABLE zcsync.lead_stage_rules (
		rule_id bigint GENERATED BY DEFAULT AS IDENTITY
			CONSTRAINT lead_stage_rules_pkey PRIMARY KEY,
		stage text NOT NULL
			CONSTRAINT lead_stage_rules_stage CHECK (stage IN ('prospect', 'opportunity')),
		min_fit integer NOT NULL DEFAULT 0,
		min_engagement integer NOT NULL DEFAULT 0,
		min_quality integer NOT NULL DEFAULT 0,
		status_ids integer[]			-- NULL: any status that is not closed
	);
	COMMENT ON TABLE zcsync.lead_stage_rules IS
	'what makes a lead a prospect or an opportunity: scores and a status, all of a rule at once';
	INSERT INTO zcsync.lead_stage_rules (stage, min_fit, min_engagement, min_quality, status_ids) VALUES
		('prospect', 40, 0, 50, NULL),
		('prospect', 0, 30, 0, NULL),
		('opportunity', 40, 60, 50, NULL),
		('opportunity', 0, 0, 0, '{3,8}');
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_rules() IS
'rows of step 1: the first rules of scores and stages';

-- Rows that operators may correct.  A step runs only once, so a row that was changed or
-- deleted stays like that.
CREATE FUNCTION zcsync._step_1_countries() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.countries (
		country text NOT NULL			-- ISO 3166, two letters
			CONSTRAINT countries_pkey PRIMARY KEY
			CONSTRAINT countries_country CHECK (country ~ '^[A-Z]{2}$'),
		calling_code text NOT NULL
			CONSTRAINT countries_calling_code CHECK (calling_code ~ '^[1-9][0-9]{0,2}$'),
		trunk_prefix text NOT NULL DEFAULT '0'	-- dialled before a number within the country; empty: there is none
			CONSTRAINT countries_trunk_prefix CHECK (trunk_prefix ~ '^[0-9]{0,2}$'),
		decimal_comma boolean NOT NULL DEFAULT false	-- numbers are written 1.234,5 and not 1,234.5
	);
	CREATE INDEX idx_countries_calling_code ON zcsync.countries (calling_code);
	COMMENT ON TABLE zcsync.countries IS
	'how phone numbers of a country begin, and how numbers are written there';
	INSERT INTO zcsync.countries (country, calling_code, trunk_prefix, decimal_comma) VALUES
		('US', '1', '1', false), ('CA', '1', '1', false), ('PR', '1', '1', false), ('DO', '1', '1', false), ('JM', '1', '1', false), ('BS', '1', '1', false),
		('BB', '1', '1', false), ('TT', '1', '1', false), ('BM', '1', '1', false), ('KY', '1', '1', false), ('AG', '1', '1', false), ('DM', '1', '1', false),
		('GD', '1', '1', false), ('LC', '1', '1', false), ('VC', '1', '1', false), ('KN', '1', '1', false), ('GU', '1', '1', false), ('VI', '1', '1', false),
		('GB', '44', '0', false), ('GG', '44', '0', false), ('JE', '44', '0', false), ('IM', '44', '0', false), ('IE', '353', '0', false),
		('DE', '49', '0', true), ('AT', '43', '0', true), ('CH', '41', '0', false), ('LI', '423', '', false), ('FR', '33', '0', true),
		('BE', '32', '0', true), ('NL', '31', '0', true), ('LU', '352', '', true), ('ES', '34', '', true), ('PT', '351', '', true), ('IT', '39', '', true),
		('VA', '39', '', true), ('SM', '378', '', true), ('MT', '356', '', false), ('DK', '45', '', true), ('SE', '46', '0', true), ('NO', '47', '', true),
		('FI', '358', '0', true), ('IS', '354', '', true), ('EE', '372', '', true), ('LV', '371', '', true), ('LT', '370', '0', true),
		('PL', '48', '', true), ('CZ', '420', '', true), ('SK', '421', '0', true), ('HU', '36', '06', true), ('RO', '40', '0', true),
		('BG', '359', '0', true), ('GR', '30', '', true), ('CY', '357', '', true), ('HR', '385', '0', true), ('SI', '386', '0', true),
		('RS', '381', '0', true), ('BA', '387', '0', true), ('ME', '382', '0', true), ('MK', '389', '0', true), ('AL', '355', '0', true),
		('XK', '383', '0', true), ('MD', '373', '0', true), ('UA', '380', '0', true), ('BY', '375', '80', true), ('RU', '7', '8', true),
		('KZ', '7', '8', true), ('GE', '995', '0', true), ('AM', '374', '0', true), ('AZ', '994', '0', true), ('TR', '90', '0', true),
		('IL', '972', '0', false), ('PS', '970', '0', false), ('JO', '962', '0', false), ('LB', '961', '0', false), ('SY', '963', '0', false),
		('IQ', '964', '0', false), ('IR', '98', '0', false), ('SA', '966', '0', false), ('AE', '971', '0', false), ('QA', '974', '', false),
		('KW', '965', '', false), ('BH', '973', '', false), ('OM', '968', '', false), ('YE', '967', '0', false), ('EG', '20', '0', false),
		('LY', '218', '0', false), ('TN', '216', '', true), ('DZ', '213', '0', true), ('MA', '212', '0', true), ('ZA', '27', '0', false),
		('NA', '264', '0', false), ('BW', '267', '', false), ('ZW', '263', '0', false), ('ZM', '260', '0', false), ('MZ', '258', '', true),
		('MW', '265', '0', false), ('TZ', '255', '0', false), ('KE', '254', '0', false), ('UG', '256', '0', false), ('RW', '250', '0', false),
		('ET', '251', '0', false), ('GH', '233', '0', false), ('NG', '234', '0', false), ('CI', '225', '', true), ('SN', '221', '', true),
		('CM', '237', '', true), ('GA', '241', '', true), ('CD', '243', '0', true), ('AO', '244', '', true), ('MG', '261', '0', false),
		('MU', '230', '', false), ('IN', '91', '0', false), ('PK', '92', '0', false), ('BD', '880', '0', false), ('LK', '94', '0', false),
		('NP', '977', '0', false), ('AF', '93', '0', false), ('MM', '95', '0', false), ('TH', '66', '0', false), ('VN', '84', '0', true),
		('KH', '855', '0', false), ('LA', '856', '0', false), ('MY', '60', '0', false), ('SG', '65', '', false), ('ID', '62', '0', true),
		('PH', '63', '0', false), ('BN', '673', '', false), ('CN', '86', '0', false), ('HK', '852', '', false), ('MO', '853', '', false),
		('TW', '886', '0', false), ('JP', '81', '0', false), ('KR', '82', '0', false), ('MN', '976', '0', false), ('UZ', '998', '', true),
		('KG', '996', '0', true), ('TJ', '992', '', true), ('TM', '993', '8', true), ('AU', '61', '0', false), ('NZ', '64', '0', false),
		('FJ', '679', '', false), ('PG', '675', '', false), ('BR', '55', '0', true), ('AR', '54', '0', true), ('CL', '56', '', true), ('CO', '57', '', true),
		('PE', '51', '0', false), ('VE', '58', '0', true), ('EC', '593', '0', true), ('BO', '591', '0', true), ('PY', '595', '0', true),
		('UY', '598', '0', true), ('MX', '52', '', false), ('GT', '502', '', false), ('SV', '503', '', false), ('HN', '504', '', false),
		('NI', '505', '', false), ('CR', '506', '', true), ('PA', '507', '', false), ('CU', '53', '0', true), ('HT', '509', '', false);
END
$$;
COMMENT ON FUNCTION zcsync._step_1_countries() IS
'tables of step 1: countries';

CREATE FUNCTION zcsync._step_1_lead_words() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.country_names (
		name text NOT NULL				-- in lower case
			CONSTRAINT country_names_pkey PRIMARY KEY,
		country text NOT NULL
			CONSTRAINT country_names_country CHECK (country ~ '^[A-Z]{2}$')
	);
	COMMENT ON TABLE zcsync.country_names IS
	'what countries are called in the addresses of leads, in lower case';
	INSERT INTO zcsync.country_names (name, country) VALUES
		('alemania', 'DE'), ('allemagne', 'DE'), ('argentina', 'AR'), ('aus', 'AU'), ('australia', 'AU'), ('australien', 'AU'), ('austria', 'AT'),
		('aut', 'AT'), ('bangladesh', 'BD'), ('bel', 'BE'), ('belgien', 'BE'), ('belgique', 'BE'), ('belgium', 'BE'), ('belgië', 'BE'), ('bra', 'BR'),
		('brasil', 'BR'), ('brasilien', 'BR'), ('brazil', 'BR'), ('bulgaria', 'BG'), ('bundesrepublik deutschland', 'DE'), ('can', 'CA'), ('canada', 'CA'),
		('che', 'CH'), ('chile', 'CL'), ('china', 'CN'), ('chn', 'CN'), ('colombia', 'CO'), ('costa rica', 'CR'), ('croatia', 'HR'), ('cyprus', 'CY'),
		('czech republic', 'CZ'), ('czechia', 'CZ'), ('danmark', 'DK'), ('denmark', 'DK'), ('deu', 'DE'), ('deutschland', 'DE'), ('dnk', 'DK'),
		('dänemark', 'DK'), ('ecuador', 'EC'), ('egypt', 'EG'), ('england', 'GB'), ('esp', 'ES'), ('españa', 'ES'), ('estonia', 'EE'), ('fin', 'FI'),
		('finland', 'FI'), ('finnland', 'FI'), ('fra', 'FR'), ('france', 'FR'), ('frankreich', 'FR'), ('gbr', 'GB'), ('germany', 'DE'), ('ghana', 'GH'),
		('great britain', 'GB'), ('greece', 'GR'), ('griechenland', 'GR'), ('großbritannien', 'GB'), ('holland', 'NL'), ('hong kong', 'HK'),
		('hungary', 'HU'), ('iceland', 'IS'), ('ind', 'IN'), ('india', 'IN'), ('indien', 'IN'), ('indonesia', 'ID'), ('ireland', 'IE'), ('irl', 'IE'),
		('israel', 'IL'), ('ita', 'IT'), ('italia', 'IT'), ('italien', 'IT'), ('italy', 'IT'), ('japan', 'JP'), ('jpn', 'JP'), ('kanada', 'CA'),
		('kenya', 'KE'), ('kroatien', 'HR'), ('kuwait', 'KW'), ('latvia', 'LV'), ('liechtenstein', 'LI'), ('lithuania', 'LT'), ('lux', 'LU'),
		('luxembourg', 'LU'), ('luxemburg', 'LU'), ('malaysia', 'MY'), ('malta', 'MT'), ('mex', 'MX'), ('mexico', 'MX'), ('mexiko', 'MX'), ('morocco', 'MA'),
		('méxico', 'MX'), ('nederland', 'NL'), ('netherlands', 'NL'), ('new zealand', 'NZ'), ('niederlande', 'NL'), ('nigeria', 'NG'), ('nld', 'NL'),
		('nor', 'NO'), ('norge', 'NO'), ('northern ireland', 'GB'), ('norway', 'NO'), ('norwegen', 'NO'), ('oesterreich', 'AT'), ('pakistan', 'PK'),
		('peru', 'PE'), ('philippines', 'PH'), ('pol', 'PL'), ('poland', 'PL'), ('polen', 'PL'), ('polska', 'PL'), ('portugal', 'PT'), ('prt', 'PT'),
		('puerto rico', 'PR'), ('qatar', 'QA'), ('republic of korea', 'KR'), ('romania', 'RO'), ('russia', 'RU'), ('russian federation', 'RU'),
		('russland', 'RU'), ('saudi arabia', 'SA'), ('schweden', 'SE'), ('schweiz', 'CH'), ('scotland', 'GB'), ('serbia', 'RS'), ('singapore', 'SG'),
		('slovakia', 'SK'), ('slovenia', 'SI'), ('slowenien', 'SI'), ('south africa', 'ZA'), ('south korea', 'KR'), ('spain', 'ES'), ('spanien', 'ES'),
		('sri lanka', 'LK'), ('suisse', 'CH'), ('suomi', 'FI'), ('sverige', 'SE'), ('svizzera', 'CH'), ('swe', 'SE'), ('sweden', 'SE'),
		('switzerland', 'CH'), ('taiwan', 'TW'), ('thailand', 'TH'), ('the netherlands', 'NL'), ('tschechien', 'CZ'), ('tunisia', 'TN'), ('turkey', 'TR'),
		('türkei', 'TR'), ('türkiye', 'TR'), ('u.s.', 'US'), ('u.s.a.', 'US'), ('uae', 'AE'), ('ukraine', 'UA'), ('ungarn', 'HU'),
		('united arab emirates', 'AE'), ('united kingdom', 'GB'), ('united states', 'US'), ('united states of america', 'US'), ('uruguay', 'UY'),
		('usa', 'US'), ('vereinigte staaten', 'US'), ('vereinigtes königreich', 'GB'), ('viet nam', 'VN'), ('vietnam', 'VN'), ('wales', 'GB'),
		('österreich', 'AT'), ('Österreich', 'AT');	-- a database with the locale C does not know that Ö is the upper case of ö

	CREATE TABLE zcsync.company_forms (
		form text NOT NULL				-- in lower case, without dots
			CONSTRAINT company_forms_pkey PRIMARY KEY
	);
	COMMENT ON TABLE zcsync.company_forms IS
	'words at the end of a company''s name that say its legal form: names are compared without them';
	INSERT INTO zcsync.company_forms (form) VALUES
		('inc'), ('incorporated'), ('ltd'), ('limited'), ('llc'), ('llp'), ('lp'), ('plc'), ('pllc'), ('pc'), ('corp'), ('corporation'), ('co'), ('company'),
		('gmbh'), ('mbh'), ('ggmbh'), ('ag'), ('kg'), ('kgaa'), ('ohg'), ('gbr'), ('ug'), ('haftungsbeschränkt'), ('ek'), ('ev'), ('eg'), ('se'), ('sa'),
		('sas'), ('sasu'), ('sarl'), ('eurl'), ('srl'), ('srls'), ('spa'), ('snc'), ('sl'), ('slu'), ('sau'), ('lda'), ('ltda'), ('bv'), ('nv'), ('vof'),
		('cv'), ('bvba'), ('sprl'), ('oy'), ('oyj'), ('ab'), ('publ'), ('as'), ('asa'), ('aps'), ('ivs'), ('hf'), ('ehf'), ('pty'), ('pte'), ('pvt'),
		('private'), ('sdn'), ('bhd'), ('kk'), ('spzoo'), ('sp z oo'), ('zoo'), ('sro'), ('doo'), ('dd'), ('kft'), ('zrt'), ('nyrt'), ('ooo'), ('oao'),
		('zao'), ('fze'), ('fzco'), ('fzllc'), ('wll'), ('cic'), ('cio'), ('scs'), ('sca'), ('scop'), ('sci'), ('gie'), ('berhad'), ('tbk'), ('jsc'),
		('pjsc'), ('ojsc'), ('lllp'), ('pllp'), ('aktiengesellschaft'), ('eingetragener verein'), ('sociedad limitada'), ('sociedad anonima');
END
$$;
COMMENT ON FUNCTION zcsync._step_1_lead_words() IS
'tables of step 1: names of countries, and legal forms of companies';
