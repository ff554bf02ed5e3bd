-- ---------------------------------------------------------------------
-- Step 1 of the tables: mirror tables, except leads.
--
-- All have the same columns before and after those of their kind.  A row is written
-- twice for each edit: by its writer, and when the edit was sent.  With free space on
-- its page (fillfactor), the indexes need no new entries for that.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._step_1_tickets() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE SEQUENCE zcsync.local_id_seq;
	CREATE TABLE zcsync.tickets (
		account_id bigint NOT NULL
			CONSTRAINT tickets_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT tickets_local_id_key UNIQUE,
		remote_id text,
		subject text, description text, status text, custom_status_id text, priority text, type text,
		requester_id text, submitter_id text, assignee_id text, group_id text, organization_id text,
		site_id text, brand_id text, form_id text, problem_id text, follower_ids text[], email_cc_ids text[],
		satisfaction text, tags text[], due_at timestamptz, external_id text, channel text, url text, opens_privately boolean,
		merged_into_id text, made_from_id text, parent_id text,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT tickets_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT tickets_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT tickets_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT tickets_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.tickets IS
	'mirror of the tickets of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_tickets_assignee_status ON zcsync.tickets (assignee_id, status) WHERE deleted_at IS NULL;
	CREATE INDEX idx_tickets_created_at ON zcsync.tickets (created_at DESC, local_id DESC);
	CREATE INDEX idx_tickets_account_created ON zcsync.tickets (account_id, created_at, local_id) WHERE deleted_at IS NULL;
	CREATE INDEX idx_tickets_merged ON zcsync.tickets (account_id, merged_into_id) WHERE merged_into_id IS NOT NULL;
	CREATE INDEX idx_tickets_parent ON zcsync.tickets (account_id, parent_id) WHERE parent_id IS NOT NULL;
	-- Only tickets that were made from here can be copies, so the index has only those.
	CREATE INDEX idx_tickets_copies ON zcsync.tickets USING gin (zcsync._index_links(description))
		WITH (fastupdate = off)
		WHERE external_id LIKE 'zcsync-%' AND description LIKE '%://%';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_tickets() IS
'tables of step 1: tickets';

CREATE FUNCTION zcsync._step_1_tasks() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.tasks (
		account_id bigint NOT NULL
			CONSTRAINT tasks_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT tasks_local_id_key UNIQUE,
		remote_id text,
		name text, description text, status text, status_type text, priority integer, type_id text,
		assignees text[], watchers text[], tags text[], due_at timestamptz, start_at timestamptz, closed_at timestamptz, list_id text,
		folder_id text, space_id text, parent_id text, creator_id text, time_estimate bigint, points numeric,
		archived boolean, custom_id text, external_id text, url text,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT tasks_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT tasks_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT tasks_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT tasks_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.tasks IS
	'mirror of the tasks of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_tasks_created_at ON zcsync.tasks (created_at DESC, local_id DESC);
	CREATE INDEX idx_tasks_account_created ON zcsync.tasks (account_id, created_at, local_id) WHERE deleted_at IS NULL;
	CREATE INDEX idx_tasks_list ON zcsync.tasks (account_id, list_id) WHERE deleted_at IS NULL;
	CREATE INDEX idx_tasks_custom_id ON zcsync.tasks (account_id, custom_id) WHERE custom_id IS NOT NULL;
	-- It is searched with 200 keys at once, so it has no pending list.
	CREATE INDEX idx_tasks_links ON zcsync.tasks USING gin (zcsync._index_links(description))
		WITH (fastupdate = off)
		WHERE description LIKE '%://%';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_tasks() IS
'tables of step 1: tasks';

CREATE FUNCTION zcsync._step_1_contacts() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.contacts (
		account_id bigint NOT NULL
			CONSTRAINT contacts_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT contacts_local_id_key UNIQUE,
		remote_id text,
		name text, email text, phone text, role text, organization_id text, site_id text, external_id text,
		active boolean, time_zone text,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT contacts_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT contacts_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT contacts_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT contacts_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.contacts IS
	'mirror of the contacts of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_contacts_email ON zcsync.contacts (account_id, lower(email COLLATE "C"));
	CREATE INDEX idx_contacts_domain ON zcsync.contacts (account_id, zcsync._index_mail_domain(email))
		WHERE organization_id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION zcsync._step_1_contacts() IS
'tables of step 1: contacts';

CREATE FUNCTION zcsync._step_1_companies() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.companies (
		account_id bigint NOT NULL
			CONSTRAINT companies_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT companies_local_id_key UNIQUE,
		remote_id text,
		name text, type text, parent_id text, domain text, website text, phone text, external_id text,
		active boolean, is_prospect boolean,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT companies_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT companies_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT companies_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT companies_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.companies IS
	'mirror of the companies of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_companies_domain ON zcsync.companies (account_id, lower(domain COLLATE "C"));
	CREATE INDEX idx_companies_parent ON zcsync.companies (account_id, parent_id);
	CREATE INDEX idx_companies_external_id ON zcsync.companies (account_id, external_id);
	CREATE INDEX idx_companies_domains ON zcsync.companies USING gin (zcsync._index_domains(domain));
	CREATE INDEX idx_companies_phone ON zcsync.companies (right(regexp_replace(phone, '[^0-9]', '', 'g'), 8));
END
$$;
COMMENT ON FUNCTION zcsync._step_1_companies() IS
'tables of step 1: companies';

CREATE FUNCTION zcsync._step_1_projects() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.projects (
		account_id bigint NOT NULL
			CONSTRAINT projects_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT projects_local_id_key UNIQUE,
		remote_id text,
		name text, status text, type_id text, organization_id text, site_id text, requester_id text, assignee_id text, team text, parent_id text,
		start_at timestamptz, due_at timestamptz, closed_at timestamptz, budget_hours numeric, spent_hours numeric, external_id text, url text,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT projects_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT projects_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT projects_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT projects_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.projects IS
	'the projects of accounts whose vendor keeps them apart from tickets; read only';

	CREATE INDEX idx_projects_organization ON zcsync.projects (account_id, organization_id);
	COMMENT ON COLUMN zcsync.projects.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.projects.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.projects.remote_id IS 'the vendor''s id; a project and a ticket have ids of the same numbers';
	COMMENT ON COLUMN zcsync.projects.name IS 'what it is about';
	COMMENT ON COLUMN zcsync.projects.status IS 'id of its status';
	COMMENT ON COLUMN zcsync.projects.type_id IS 'id of its ticket type';
	COMMENT ON COLUMN zcsync.projects.organization_id IS 'remote id of the client';
	COMMENT ON COLUMN zcsync.projects.site_id IS 'number of the client''s site';
	COMMENT ON COLUMN zcsync.projects.requester_id IS 'remote id of the client''s user who asked for it';
	COMMENT ON COLUMN zcsync.projects.assignee_id IS 'id of the agent who leads it';
	COMMENT ON COLUMN zcsync.projects.team IS 'name of the team';
	COMMENT ON COLUMN zcsync.projects.parent_id IS 'remote id of the project that it is a part of; NULL: of none';
	COMMENT ON COLUMN zcsync.projects.start_at IS 'when it begins';
	COMMENT ON COLUMN zcsync.projects.due_at IS 'when it shall end';
	COMMENT ON COLUMN zcsync.projects.closed_at IS 'when it was closed; NULL: it is open';
	COMMENT ON COLUMN zcsync.projects.budget_hours IS 'hours that it may take; 0: none are planned';
	COMMENT ON COLUMN zcsync.projects.spent_hours IS 'hours that were noted so far';
	COMMENT ON COLUMN zcsync.projects.external_id IS 'the id that another system gave it';
	COMMENT ON COLUMN zcsync.projects.url IS 'address of the project for people';
	COMMENT ON COLUMN zcsync.projects.custom_fields IS 'values by the ids of custom fields';
	COMMENT ON COLUMN zcsync.projects.created_at IS 'when it was made';
	COMMENT ON COLUMN zcsync.projects.updated_at IS 'when it was changed last at its vendor';
	COMMENT ON COLUMN zcsync.projects.deleted_at IS 'when it was seen that it is gone; the row stays';
	COMMENT ON COLUMN zcsync.projects.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.projects.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.projects.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.projects.sync_key IS 'not used';
	COMMENT ON COLUMN zcsync.projects.sync_state IS 'always synced';
	COMMENT ON COLUMN zcsync.projects.sync_cause IS 'who wrote the row last: pull';
	COMMENT ON COLUMN zcsync.projects.sync_cause_id IS 'the job';
	COMMENT ON COLUMN zcsync.projects.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.projects.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_projects() IS
'tables of step 1: projects';

CREATE FUNCTION zcsync._step_1_comments() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.comments (
		account_id bigint NOT NULL
			CONSTRAINT comments_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT comments_local_id_key UNIQUE,
		remote_id text,
		parent_id text, parent_kind text, reply_to text, author_id text, author_name text, body text, rich_body jsonb,
		is_private boolean, is_redacted boolean, outcome text, seconds bigint, channel text, edited_at timestamptz,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT comments_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT comments_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT comments_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT comments_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.comments IS
	'mirror of the comments of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_comments_parent ON zcsync.comments (account_id, parent_id);
	CREATE INDEX idx_comments_unsent ON zcsync.comments (account_id, parent_id, local_id) WHERE remote_id IS NULL;
	-- most come in the order of their time, so this costs next to nothing
	CREATE INDEX idx_comments_created_at ON zcsync.comments USING brin (created_at) WITH (pages_per_range = 32);
	CREATE INDEX idx_comments_replies ON zcsync.comments (account_id, reply_to) WHERE reply_to IS NOT NULL;
	COMMENT ON COLUMN zcsync.comments.reply_to IS 'remote_id of the comment that it answers; NULL: none';
	COMMENT ON COLUMN zcsync.comments.rich_body IS 'the text with its formatting, as the vendor has it: HTML as a string, or a list of blocks';
	COMMENT ON COLUMN zcsync.comments.is_redacted IS 'true: parts of it were removed at the vendor; NULL: not known';
	COMMENT ON COLUMN zcsync.comments.seconds IS 'time that the vendor notes with the comment; NULL: none, or it notes none';
	COMMENT ON COLUMN zcsync.comments.edited_at IS 'when it was edited last; NULL: never, or not known';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_comments() IS
'tables of step 1: comments';

CREATE FUNCTION zcsync._step_1_attachments() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.attachments (
		account_id bigint NOT NULL
			CONSTRAINT attachments_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT attachments_local_id_key UNIQUE,
		remote_id text,
		parent_id text, parent_kind text, comment_id text, author_id text, name text, media_type text, size bigint, is_inline boolean,
		scan_result text,
		checksum text,					-- of the content, once the worker has read it
		source_id bigint,				-- the file that a route copied
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT attachments_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT attachments_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT attachments_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT attachments_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.attachments IS
	'the files of mirrored records and of their comments: what they are, not what is in them; read only';

	CREATE INDEX idx_attachments_parent ON zcsync.attachments (account_id, parent_id);
	CREATE INDEX idx_attachments_comment ON zcsync.attachments (account_id, comment_id) WHERE comment_id IS NOT NULL;
	COMMENT ON COLUMN zcsync.attachments.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.attachments.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.attachments.remote_id IS 'the vendor''s id';
	COMMENT ON COLUMN zcsync.attachments.parent_id IS 'remote id of the record that it is attached to';
	COMMENT ON COLUMN zcsync.attachments.parent_kind IS 'kind of that record: tickets, tasks or leads';
	COMMENT ON COLUMN zcsync.attachments.comment_id IS 'remote_id of the comment that it came with; NULL: it hangs on the record itself, or the vendor does not tell';
	COMMENT ON COLUMN zcsync.attachments.author_id IS 'remote id of who attached it';
	COMMENT ON COLUMN zcsync.attachments.name IS 'name of the file';
	COMMENT ON COLUMN zcsync.attachments.media_type IS 'type of the content, as image/png';
	COMMENT ON COLUMN zcsync.attachments.size IS 'bytes';
	COMMENT ON COLUMN zcsync.attachments.is_inline IS 'true: an image that is shown within the text';
	COMMENT ON COLUMN zcsync.attachments.scan_result IS 'what the vendor''s search for malware found: clean, infected, failed (it could not be searched) or waiting; NULL: the vendor does not tell';
	COMMENT ON COLUMN zcsync.attachments.checksum IS 'SHA-256 of the content, in hexadecimal digits; NULL: no route copied the file, so nobody read it here';
	COMMENT ON COLUMN zcsync.attachments.source_id IS 'local_id of the file of which a route made this copy; NULL: the file was attached at its vendor';
	COMMENT ON COLUMN zcsync.attachments.custom_fields IS 'always empty';
	COMMENT ON COLUMN zcsync.attachments.created_at IS 'when the file was attached';
	COMMENT ON COLUMN zcsync.attachments.updated_at IS 'when it was changed last at its vendor';
	COMMENT ON COLUMN zcsync.attachments.deleted_at IS 'when it was seen that the file is gone; the row stays';
	COMMENT ON COLUMN zcsync.attachments.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.attachments.remote IS 'the vendor''s last document, with the address of the content, which may open without a login';
	COMMENT ON COLUMN zcsync.attachments.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.attachments.sync_key IS 'not used';
	COMMENT ON COLUMN zcsync.attachments.sync_state IS 'always synced';
	COMMENT ON COLUMN zcsync.attachments.sync_cause IS 'who wrote the row last: pull';
	COMMENT ON COLUMN zcsync.attachments.sync_cause_id IS 'the job';
	COMMENT ON COLUMN zcsync.attachments.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.attachments.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_attachments() IS
'tables of step 1: attachments';

CREATE FUNCTION zcsync._step_1_time_entries() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.time_entries (
		account_id bigint NOT NULL
			CONSTRAINT time_entries_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT time_entries_local_id_key UNIQUE,
		remote_id text,
		parent_id text, parent_kind text, comment_id text, author_id text, author_name text, started_at timestamptz, seconds bigint,
		nonbillable_seconds bigint, is_billable boolean,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT time_entries_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT time_entries_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT time_entries_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT time_entries_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.time_entries IS
	'the time that people spent on mirrored records, as the vendor has it; read only';

	CREATE INDEX idx_time_entries_parent ON zcsync.time_entries (account_id, parent_id);
	CREATE INDEX idx_time_entries_started_at ON zcsync.time_entries (started_at);
	COMMENT ON COLUMN zcsync.time_entries.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.time_entries.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.time_entries.remote_id IS 'the vendor''s id, which is that of the comment where the time came with one';
	COMMENT ON COLUMN zcsync.time_entries.parent_id IS 'remote id of the record that the time was spent on';
	COMMENT ON COLUMN zcsync.time_entries.parent_kind IS 'kind of that record: tickets, tasks or leads';
	COMMENT ON COLUMN zcsync.time_entries.comment_id IS 'remote_id of the comment that the time came with, which says what was done; NULL: it came with none';
	COMMENT ON COLUMN zcsync.time_entries.author_id IS 'remote id of who spent it';
	COMMENT ON COLUMN zcsync.time_entries.author_name IS 'name of who spent it';
	COMMENT ON COLUMN zcsync.time_entries.started_at IS 'when the work began; where the vendor does not know that, when it was noted';
	COMMENT ON COLUMN zcsync.time_entries.seconds IS 'how long it took';
	COMMENT ON COLUMN zcsync.time_entries.nonbillable_seconds IS 'how much of it the vendor tells apart as not billable; NULL: it does not tell any apart';
	COMMENT ON COLUMN zcsync.time_entries.is_billable IS 'may it be billed, as the vendor says; NULL: it does not say';
	COMMENT ON COLUMN zcsync.time_entries.custom_fields IS 'always empty';
	COMMENT ON COLUMN zcsync.time_entries.created_at IS 'when the time was noted';
	COMMENT ON COLUMN zcsync.time_entries.updated_at IS 'when it was changed last at its vendor';
	COMMENT ON COLUMN zcsync.time_entries.deleted_at IS 'when it was seen that the entry is gone; the row stays';
	COMMENT ON COLUMN zcsync.time_entries.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.time_entries.remote IS 'what the vendor''s last document says about time, without texts';
	COMMENT ON COLUMN zcsync.time_entries.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.time_entries.sync_key IS 'not used';
	COMMENT ON COLUMN zcsync.time_entries.sync_state IS 'always synced';
	COMMENT ON COLUMN zcsync.time_entries.sync_cause IS 'who wrote the row last: pull';
	COMMENT ON COLUMN zcsync.time_entries.sync_cause_id IS 'the job';
	COMMENT ON COLUMN zcsync.time_entries.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.time_entries.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_time_entries() IS
'tables of step 1: time_entries';

CREATE FUNCTION zcsync._step_1_conversations() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Which records' comments are mirrored, and how far they are read.
	CREATE TABLE zcsync.conversations (
		account_id bigint NOT NULL
			CONSTRAINT conversations_account_fkey REFERENCES zcsync.accounts ON DELETE CASCADE,
		kind text NOT NULL,
		remote_id text NOT NULL,
		version text,
		due_at timestamptz,
		read_at timestamptz,
		read_to timestamptz,
		partial_at timestamptz,
		CONSTRAINT conversations_pkey PRIMARY KEY (account_id, kind, remote_id)
	) WITH (fillfactor = 80);
	CREATE INDEX idx_conversations_due ON zcsync.conversations (account_id, kind, due_at) WHERE due_at IS NOT NULL;
	COMMENT ON TABLE zcsync.conversations IS
	'the records whose comments are mirrored, and how far these are read; see mirror/comments.sql';
	COMMENT ON COLUMN zcsync.conversations.account_id IS 'the account of the record';
	COMMENT ON COLUMN zcsync.conversations.kind IS 'kind of the record: tickets, tasks or leads';
	COMMENT ON COLUMN zcsync.conversations.remote_id IS 'remote_id of the record';
	COMMENT ON COLUMN zcsync.conversations.version IS 'version of the record that was seen last, where a changed record means that its comments are read again';
	COMMENT ON COLUMN zcsync.conversations.due_at IS 'since when its comments are to be read; NULL: they are read';
	COMMENT ON COLUMN zcsync.conversations.read_at IS 'when they were last read as a whole; NULL: never';
	COMMENT ON COLUMN zcsync.conversations.read_to IS 'time, by the clock of the vendor, of the newest comment that was there then: older ones were read; NULL: none';
	COMMENT ON COLUMN zcsync.conversations.partial_at IS 'when comments of it may have come without those before them: routes wait until they are read, for an hour at most; NULL: none did';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_conversations() IS
'tables of step 1: which records have their comments mirrored';

CREATE FUNCTION zcsync._step_1_fields() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.fields (
		account_id bigint NOT NULL
			CONSTRAINT fields_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT fields_local_id_key UNIQUE,
		remote_id text,
		scope_id text, name text, type text, options jsonb, required boolean, active boolean,
		position integer,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT fields_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT fields_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT fields_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT fields_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.fields IS
	'mirror of the fields of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_fields_scope ON zcsync.fields (account_id, scope_id);
END
$$;
COMMENT ON FUNCTION zcsync._step_1_fields() IS
'tables of step 1: the catalogue of fields';

CREATE FUNCTION zcsync._step_1_statuses() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.statuses (
		account_id bigint NOT NULL
			CONSTRAINT statuses_account_fkey REFERENCES zcsync.accounts,
		local_id bigint NOT NULL DEFAULT nextval('zcsync.local_id_seq')
			CONSTRAINT statuses_local_id_key UNIQUE,
		remote_id text,
		scope_id text, status_id text, name text, category text, position integer, color text,
		active boolean, is_default boolean,
		custom_fields jsonb NOT NULL DEFAULT '{}'
			CONSTRAINT statuses_custom_fields CHECK (jsonb_typeof(custom_fields) = 'object'),
		created_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
		base jsonb,						-- values last agreed with the vendor
		remote jsonb,					-- its last document
		remote_version text,
		sync_key uuid NOT NULL DEFAULT gen_random_uuid(),	-- the mark that a create carries
		sync_state text NOT NULL DEFAULT 'pending'
			CONSTRAINT statuses_sync_state CHECK (sync_state IN ('synced', 'pending', 'held', 'conflict', 'failed')),
		sync_cause text,				-- who wrote the row last, see mirror/origin.sql
		sync_cause_id bigint,			-- the job, the route, ...
		sync_xid xid8,
		synced_at timestamptz,
		CONSTRAINT statuses_pkey PRIMARY KEY (account_id, local_id),
		CONSTRAINT statuses_remote_id_key UNIQUE (account_id, remote_id)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE zcsync.statuses IS
	'mirror of the statuses of all accounts: columns as the vendor has them, base: values last agreed with the vendor, remote: its last document';

	CREATE INDEX idx_statuses_scope ON zcsync.statuses (account_id, scope_id);
END
$$;
COMMENT ON FUNCTION zcsync._step_1_statuses() IS
'tables of step 1: the catalogue of statuses';

CREATE FUNCTION zcsync._step_1_search() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE zcsync.search_indexes (
		kind text NOT NULL
			CONSTRAINT search_indexes_pkey PRIMARY KEY
			CONSTRAINT search_indexes_kind CHECK (kind IN ('tickets', 'tasks', 'leads', 'comments', 'contacts', 'companies')),
		language text NOT NULL,			-- text search configuration, with its schema; pg_upgrade refuses columns of type regconfig
		fields text[] NOT NULL DEFAULT '{}',	-- custom fields that are searched too
		typos boolean NOT NULL DEFAULT false,	-- has an index of trigrams, too
		enabled_at timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE zcsync.search_indexes IS
	'kinds whose text is to be indexed, and how: written by enable_search(), deleted by disable_search()';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_search() IS
'tables of step 1: which kinds have a search index';
