-- ---------------------------------------------------------------------
-- Step 1 of the tables: what their columns are, for \d+.
--
-- A column that somebody adds says it in the step that adds it.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._step_1_words_1() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.installation.singleton IS 'there is one row';
	COMMENT ON COLUMN zcsync.installation.tables_version IS 'version of the tables';
	COMMENT ON COLUMN zcsync.installation.system_identifier IS 'identifier of this server';
	COMMENT ON COLUMN zcsync.installation.database_oid IS 'oid of this database';
	COMMENT ON COLUMN zcsync.installation.timeline IS 'timeline of the server';
	COMMENT ON COLUMN zcsync.installation.control_file IS 'inode of global/pg_control; empty: not known';
	COMMENT ON COLUMN zcsync.installation.machine IS 'made from the machine-id; empty: it has none';
	COMMENT ON COLUMN zcsync.installation.stopped IS 'zcsync.stop() was called';
	COMMENT ON COLUMN zcsync.installation.stopped_at IS 'when zcsync.stop() was called; empty: it is not stopped';
	COMMENT ON COLUMN zcsync.installation.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.installation.adopted_at IS 'when it took over from another database: by adopt_database(), or after a failover';
	COMMENT ON COLUMN zcsync.installation.clock_at IS 'the latest time that was seen, to the minute';
	COMMENT ON COLUMN zcsync.installation.maintained_at IS 'when zcsync.maintain() last ran to its end';
	COMMENT ON COLUMN zcsync.installation.maintain_began_at IS 'when zcsync.maintain() last began';
	COMMENT ON COLUMN zcsync.installation.maintain_took IS 'how long zcsync.maintain() took when it last ran to its end';
	COMMENT ON COLUMN zcsync.installation.alerts_at IS 'when alerts were last evaluated';
	COMMENT ON COLUMN zcsync.installation.numbers_at IS 'when zcsync.maintain() last counted what was done';
	COMMENT ON COLUMN zcsync.alerts.alert_id IS 'number of the alert';
	COMMENT ON COLUMN zcsync.alerts.code IS 'what it is, as key_missing or write_brake';
	COMMENT ON COLUMN zcsync.alerts.object IS 'account or route; empty: the whole installation';
	COMMENT ON COLUMN zcsync.alerts.severity IS 'warning or critical';
	COMMENT ON COLUMN zcsync.alerts.message IS 'what happened, for people';
	COMMENT ON COLUMN zcsync.alerts.hint IS 'what to run, or to do';
	COMMENT ON COLUMN zcsync.alerts.count IS 'how often it happened';
	COMMENT ON COLUMN zcsync.alerts.first_at IS 'when it happened first';
	COMMENT ON COLUMN zcsync.alerts.last_at IS 'when it happened last';
	COMMENT ON COLUMN zcsync.alerts.resolved_at IS 'when it ended; empty: it is still so';
	COMMENT ON COLUMN zcsync.report_archive.report IS 'the view: slow_queries or table_bloat';
	COMMENT ON COLUMN zcsync.report_archive.taken_at IS 'when it was taken';
	COMMENT ON COLUMN zcsync.report_archive.place IS 'the row''s place in the view';
	COMMENT ON COLUMN zcsync.report_archive.line IS 'the row itself';
	COMMENT ON COLUMN zcsync.accounts.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.accounts.name IS 'name';
	COMMENT ON COLUMN zcsync.accounts.vendor IS 'name of the vendor';
	COMMENT ON COLUMN zcsync.accounts.settings IS 'settings, as its kind has them';
	COMMENT ON COLUMN zcsync.accounts.state IS 'state';
	COMMENT ON COLUMN zcsync.accounts.state_reason IS 'why it is not active, for people';
	COMMENT ON COLUMN zcsync.accounts.state_hint IS 'what to run';
	COMMENT ON COLUMN zcsync.accounts.blocked_by IS 'while blocked: the code of the alert about it';
	COMMENT ON COLUMN zcsync.accounts.version IS 'increased when settings or credentials change';
	COMMENT ON COLUMN zcsync.accounts.login_id IS 'as whom it writes, as author_id of comments has it; NULL: not asked yet, empty: the vendor does not tell';
	COMMENT ON COLUMN zcsync.accounts.token_scope IS 'what the vendor lets its access token do; NULL: it has none, or no scope';
	COMMENT ON COLUMN zcsync.accounts.credentials_end_at IS 'when the credentials end; empty: not known';
	COMMENT ON COLUMN zcsync.accounts.breaker_failures IS 'vendor failures in a row';
	COMMENT ON COLUMN zcsync.accounts.breaker_until IS 'no call before this time; then one probe';
	COMMENT ON COLUMN zcsync.accounts.breaker_opened_at IS 'when the vendor was first found out of order';
	COMMENT ON COLUMN zcsync.accounts.last_error IS 'what the last failure said';
	COMMENT ON COLUMN zcsync.accounts.last_error_at IS 'when that was';
	COMMENT ON COLUMN zcsync.accounts.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.credentials.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.credentials.name IS 'name';
	COMMENT ON COLUMN zcsync.credentials.sealed IS 'the secret, sealed with AES-256-GCM';
	COMMENT ON COLUMN zcsync.credentials.reference IS 'where the secret is: file:NAME or env:NAME';
	COMMENT ON COLUMN zcsync.credentials.key_fingerprint IS 'fingerprint of the key that sealed it';
	COMMENT ON COLUMN zcsync.credentials.expires_at IS 'when the token expires';
	COMMENT ON COLUMN zcsync.credentials.updated_at IS 'when it was changed last; of a record: at its vendor';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_1() IS
'step 1: comments of the columns of installation to credentials';

CREATE FUNCTION zcsync._step_1_words_2() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.account_budgets.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.account_budgets.class IS 'class of calls: api, export, write, ...';
	COMMENT ON COLUMN zcsync.account_budgets.calls IS 'calls allowed in one window';
	COMMENT ON COLUMN zcsync.account_budgets.window_s IS 'length of the window in seconds';
	COMMENT ON COLUMN zcsync.account_budgets.share IS 'part of the vendor''s limit that is used';
	COMMENT ON COLUMN zcsync.account_budgets.concurrency IS 'how many at a time';
	COMMENT ON COLUMN zcsync.account_budgets.tokens IS 'calls that may be made at once';
	COMMENT ON COLUMN zcsync.account_budgets.refilled_at IS 'when the bucket was last filled';
	COMMENT ON COLUMN zcsync.account_budgets.paused_until IS 'no call before this time: the vendor asked to wait';
	COMMENT ON COLUMN zcsync.account_budgets.pause_reason IS 'why it waits';
	COMMENT ON COLUMN zcsync.account_budgets.guessed_pauses IS 'pauses in a row whose length the vendor did not name';
	COMMENT ON COLUMN zcsync.account_budgets.guessed_at IS 'when the last of them began';
	COMMENT ON COLUMN zcsync.account_budgets.remote_limit IS 'the limit that the vendor last named, for one window';
	COMMENT ON COLUMN zcsync.account_budgets.remote_remaining IS 'what the vendor last said was left';
	COMMENT ON COLUMN zcsync.account_budgets.remote_reset_at IS 'when the vendor counts anew';
	COMMENT ON COLUMN zcsync.account_budgets.lowered_from IS 'what calls was before it was lowered to a limit that the vendor named; NULL: it was not lowered';
	COMMENT ON COLUMN zcsync.account_budgets.lowered_at IS 'when calls were last refused after that';
	COMMENT ON COLUMN zcsync.account_budgets.calls_total IS 'calls ever made';
	COMMENT ON COLUMN zcsync.account_budgets.throttled_total IS 'calls that the vendor ever refused for now';
	COMMENT ON COLUMN zcsync.account_budgets.last_call_at IS 'when the last call was made';
	COMMENT ON COLUMN zcsync.streams.stream_id IS 'number of the stream';
	COMMENT ON COLUMN zcsync.streams.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.streams.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.streams.scope IS 'which part of the account is read';
	COMMENT ON COLUMN zcsync.streams.writes IS 'rows may be written here and are sent';
	COMMENT ON COLUMN zcsync.streams.policies IS '{column: which side wins if both changed it}';
	COMMENT ON COLUMN zcsync.streams.state IS 'state';
	COMMENT ON COLUMN zcsync.streams.paused_at IS 'since when it is paused; empty: it is not, or was never resumed';
	COMMENT ON COLUMN zcsync.streams.paused_by IS 'who paused it; empty: zcsync itself';
	COMMENT ON COLUMN zcsync.streams.pull_interval IS 'how often it is read';
	COMMENT ON COLUMN zcsync.streams.since IS 'from when on the history is read; empty: no history';
	COMMENT ON COLUMN zcsync.streams.live_cursor IS 'how far changes were read, as the vendor counts; empty: nothing yet';
	COMMENT ON COLUMN zcsync.streams.history_cursor IS 'how far the history was read, as the vendor counts';
	COMMENT ON COLUMN zcsync.streams.compare_cursor IS 'how far a comparison with the vendor is; empty: none is going on';
	COMMENT ON COLUMN zcsync.streams.compared_at IS 'when the last complete comparison began';
	COMMENT ON COLUMN zcsync.streams.history_state IS 'none, running or done';
	COMMENT ON COLUMN zcsync.streams.next_pull_at IS 'when it is read next';
	COMMENT ON COLUMN zcsync.streams.last_pull_at IS 'when the live cursor was last up to date';
	COMMENT ON COLUMN zcsync.streams.read_began_at IS 'when the live read that ended at last_pull_at began';
	COMMENT ON COLUMN zcsync.streams.reading_since IS 'when the live read began of which some pages have arrived, but not the last';
	COMMENT ON COLUMN zcsync.streams.reads_awaited IS 'complete live reads that are needed before routes may write there again';
	COMMENT ON COLUMN zcsync.streams.jobs_awaited IS 'after these reads, the jobs up to this number must end, too: they store what was read; NULL: none';
	COMMENT ON COLUMN zcsync.streams.last_change_at IS 'when a page last changed something';
	COMMENT ON COLUMN zcsync.streams.oldest_record_at IS 'creation of the oldest record mirrored';
	COMMENT ON COLUMN zcsync.streams.newest_record_at IS 'creation of the newest record mirrored';
	COMMENT ON COLUMN zcsync.streams.records_done IS 'records that the history run has read';
	COMMENT ON COLUMN zcsync.streams.records_estimate IS 'records expected';
	COMMENT ON COLUMN zcsync.streams.calls_done IS 'calls of the history run';
	COMMENT ON COLUMN zcsync.streams.history_started_at IS 'when the reading of the history began';
	COMMENT ON COLUMN zcsync.streams.history_done_at IS 'when the history was read to its end';
	COMMENT ON COLUMN zcsync.streams.last_error IS 'why the last read of a lane failed; NULL: it did not, or the lane was read since';
	COMMENT ON COLUMN zcsync.streams.last_error_at IS 'when that was';
	COMMENT ON COLUMN zcsync.streams.last_error_class IS 'vendor and throttled end by themselves, others need a person';
	COMMENT ON COLUMN zcsync.streams.last_error_lane IS 'which lane it was: live, history or compare';
	COMMENT ON COLUMN zcsync.streams.failing_since IS 'since when it cannot be read';
	COMMENT ON COLUMN zcsync.streams.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.lists.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lists.list_id IS 'remote id of the list';
	COMMENT ON COLUMN zcsync.lists.path IS 'its path: Space/Folder/List or Space/List';
	COMMENT ON COLUMN zcsync.lists.detail IS 'names of statuses and fields';
	COMMENT ON COLUMN zcsync.lists.seen_at IS 'when it was last seen';
	COMMENT ON COLUMN zcsync.lists.detailed_at IS 'when detail was read; empty: not yet';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_2() IS
'step 1: comments of the columns of account_budgets to lists';

CREATE FUNCTION zcsync._step_1_words_3() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.tickets.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.tickets.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.tickets.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.tickets.subject IS 'subject';
	COMMENT ON COLUMN zcsync.tickets.description IS 'the text of the record; of a ticket its first comment, which may be internal';
	COMMENT ON COLUMN zcsync.tickets.status IS 'status of the record as its vendor has it';
	COMMENT ON COLUMN zcsync.tickets.custom_status_id IS 'remote id of a status of the vendor''s own';
	COMMENT ON COLUMN zcsync.tickets.priority IS 'how urgent the record is';
	COMMENT ON COLUMN zcsync.tickets.type IS 'type';
	COMMENT ON COLUMN zcsync.tickets.requester_id IS 'remote id of who asked';
	COMMENT ON COLUMN zcsync.tickets.submitter_id IS 'remote id of who entered it';
	COMMENT ON COLUMN zcsync.tickets.assignee_id IS 'remote id of who works on it; empty: unassigned';
	COMMENT ON COLUMN zcsync.tickets.group_id IS 'remote id of the group or team';
	COMMENT ON COLUMN zcsync.tickets.organization_id IS 'remote id of the company';
	COMMENT ON COLUMN zcsync.tickets.site_id IS 'remote id of the site';
	COMMENT ON COLUMN zcsync.tickets.brand_id IS 'remote id of the brand';
	COMMENT ON COLUMN zcsync.tickets.form_id IS 'remote id of the form';
	COMMENT ON COLUMN zcsync.tickets.problem_id IS 'remote id of the ticket whose problem it is an incident of';
	COMMENT ON COLUMN zcsync.tickets.follower_ids IS 'remote ids of the agents who follow it';
	COMMENT ON COLUMN zcsync.tickets.email_cc_ids IS 'remote ids of the people who get copies of its mails';
	COMMENT ON COLUMN zcsync.tickets.satisfaction IS 'how the requester rated it: offered, good, bad, ...';
	COMMENT ON COLUMN zcsync.tickets.tags IS 'tags';
	COMMENT ON COLUMN zcsync.tickets.due_at IS 'until when it is to be done';
	COMMENT ON COLUMN zcsync.tickets.external_id IS 'the mark or the id of another system, as the vendor stores it';
	COMMENT ON COLUMN zcsync.tickets.channel IS 'how it came in: email, web, phone, ...';
	COMMENT ON COLUMN zcsync.tickets.url IS 'address in the vendor''s pages';
	COMMENT ON COLUMN zcsync.tickets.opens_privately IS 'its description, the first comment, was shown to agents only, or may have been: of a ticket made by an agent the comments must be read first; empty: not known to be so';
	COMMENT ON COLUMN zcsync.tickets.merged_into_id IS 'remote id of the ticket into which it was merged';
	COMMENT ON COLUMN zcsync.tickets.made_from_id IS 'remote id of the ticket from which it was made: it is a follow-up of it, or was split from it';
	COMMENT ON COLUMN zcsync.tickets.parent_id IS 'remote id of the project or ticket that it is a part of';
	COMMENT ON COLUMN zcsync.tickets.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.tickets.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.tickets.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.tickets.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.tickets.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.tickets.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.tickets.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.tickets.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.tickets.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.tickets.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.tickets.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.tickets.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.tickets.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_3() IS
'step 1: comments of the columns of tickets';

CREATE FUNCTION zcsync._step_1_words_4() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.tasks.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.tasks.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.tasks.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.tasks.name IS 'name';
	COMMENT ON COLUMN zcsync.tasks.description IS 'the text of the record; of a ticket its first comment, which may be internal';
	COMMENT ON COLUMN zcsync.tasks.status IS 'status of the record as its vendor has it';
	COMMENT ON COLUMN zcsync.tasks.status_type IS 'what the vendor counts the status as: open, custom, done, closed';
	COMMENT ON COLUMN zcsync.tasks.priority IS 'how urgent the record is';
	COMMENT ON COLUMN zcsync.tasks.type_id IS 'remote id of its type; empty: a plain task';
	COMMENT ON COLUMN zcsync.tasks.assignees IS 'remote ids of those who work on it';
	COMMENT ON COLUMN zcsync.tasks.watchers IS 'remote ids of who watches it';
	COMMENT ON COLUMN zcsync.tasks.tags IS 'tags';
	COMMENT ON COLUMN zcsync.tasks.due_at IS 'until when it is to be done';
	COMMENT ON COLUMN zcsync.tasks.start_at IS 'when work on it is to begin';
	COMMENT ON COLUMN zcsync.tasks.closed_at IS 'when it was closed';
	COMMENT ON COLUMN zcsync.tasks.list_id IS 'remote id of the list';
	COMMENT ON COLUMN zcsync.tasks.folder_id IS 'remote id of the folder';
	COMMENT ON COLUMN zcsync.tasks.space_id IS 'remote id of the space';
	COMMENT ON COLUMN zcsync.tasks.parent_id IS 'remote id of what it is part of';
	COMMENT ON COLUMN zcsync.tasks.creator_id IS 'remote id of who made it';
	COMMENT ON COLUMN zcsync.tasks.time_estimate IS 'how long it will take, in milliseconds';
	COMMENT ON COLUMN zcsync.tasks.points IS 'points: of a rule what it gives, of a task its estimate';
	COMMENT ON COLUMN zcsync.tasks.archived IS 'archived at the vendor: it is in no list of open tasks';
	COMMENT ON COLUMN zcsync.tasks.custom_id IS 'id of its own that people gave it, as DEV-12';
	COMMENT ON COLUMN zcsync.tasks.external_id IS 'the mark or the id of another system, as the vendor stores it';
	COMMENT ON COLUMN zcsync.tasks.url IS 'address in the vendor''s pages';
	COMMENT ON COLUMN zcsync.tasks.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.tasks.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.tasks.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.tasks.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.tasks.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.tasks.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.tasks.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.tasks.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.tasks.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.tasks.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.tasks.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.tasks.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.tasks.synced_at IS 'when the row last equalled the vendor''s';
	COMMENT ON COLUMN zcsync.contacts.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.contacts.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.contacts.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.contacts.name IS 'name';
	COMMENT ON COLUMN zcsync.contacts.email IS 'e-mail address';
	COMMENT ON COLUMN zcsync.contacts.phone IS 'phone number';
	COMMENT ON COLUMN zcsync.contacts.role IS 'role of the database; of a contact, what it is to the vendor';
	COMMENT ON COLUMN zcsync.contacts.organization_id IS 'remote id of the company';
	COMMENT ON COLUMN zcsync.contacts.site_id IS 'remote id of the site';
	COMMENT ON COLUMN zcsync.contacts.external_id IS 'the mark or the id of another system, as the vendor stores it';
	COMMENT ON COLUMN zcsync.contacts.active IS 'false: not in use any more at the vendor';
	COMMENT ON COLUMN zcsync.contacts.time_zone IS 'time zone';
	COMMENT ON COLUMN zcsync.contacts.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.contacts.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.contacts.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.contacts.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.contacts.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.contacts.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.contacts.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.contacts.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.contacts.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.contacts.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.contacts.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.contacts.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.contacts.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_4() IS
'step 1: comments of the columns of tasks to contacts';

CREATE FUNCTION zcsync._step_1_words_5() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.companies.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.companies.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.companies.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.companies.name IS 'name';
	COMMENT ON COLUMN zcsync.companies.type IS 'type';
	COMMENT ON COLUMN zcsync.companies.parent_id IS 'remote id of what it is part of';
	COMMENT ON COLUMN zcsync.companies.domain IS 'domain of its addresses or web site';
	COMMENT ON COLUMN zcsync.companies.website IS 'web site';
	COMMENT ON COLUMN zcsync.companies.phone IS 'phone number';
	COMMENT ON COLUMN zcsync.companies.external_id IS 'the mark or the id of another system, as the vendor stores it';
	COMMENT ON COLUMN zcsync.companies.active IS 'false: not in use any more at the vendor';
	COMMENT ON COLUMN zcsync.companies.is_prospect IS 'not a customer yet';
	COMMENT ON COLUMN zcsync.companies.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.companies.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.companies.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.companies.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.companies.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.companies.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.companies.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.companies.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.companies.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.companies.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.companies.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.companies.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.companies.synced_at IS 'when the row last equalled the vendor''s';
	COMMENT ON COLUMN zcsync.comments.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.comments.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.comments.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.comments.parent_id IS 'remote id of what it is part of';
	COMMENT ON COLUMN zcsync.comments.parent_kind IS 'kind of what it is part of';
	COMMENT ON COLUMN zcsync.comments.author_id IS 'remote id of who wrote it';
	COMMENT ON COLUMN zcsync.comments.author_name IS 'who wrote it';
	COMMENT ON COLUMN zcsync.comments.body IS 'the text';
	COMMENT ON COLUMN zcsync.comments.is_private IS 'shown to agents only; empty: not known, which counts as private';
	COMMENT ON COLUMN zcsync.comments.outcome IS 'what came of it, where comments have outcomes at their vendor: its name';
	COMMENT ON COLUMN zcsync.comments.channel IS 'how it came in: email, web, phone, ...';
	COMMENT ON COLUMN zcsync.comments.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.comments.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.comments.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.comments.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.comments.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.comments.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.comments.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.comments.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.comments.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.comments.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.comments.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.comments.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.comments.synced_at IS 'when the row last equalled the vendor''s';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_5() IS
'step 1: comments of the columns of companies to comments';

CREATE FUNCTION zcsync._step_1_words_6() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.fields.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.fields.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.fields.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.fields.scope_id IS 'where it belongs: a list, or a kind of record';
	COMMENT ON COLUMN zcsync.fields.name IS 'name';
	COMMENT ON COLUMN zcsync.fields.type IS 'type';
	COMMENT ON COLUMN zcsync.fields.options IS 'what can be chosen: [{"id", "name"}]';
	COMMENT ON COLUMN zcsync.fields.required IS 'it must have a value';
	COMMENT ON COLUMN zcsync.fields.active IS 'false: not in use any more at the vendor';
	COMMENT ON COLUMN zcsync.fields.position IS 'place in the order';
	COMMENT ON COLUMN zcsync.fields.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.fields.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.fields.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.fields.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.fields.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.fields.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.fields.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.fields.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.fields.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.fields.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.fields.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.fields.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.fields.synced_at IS 'when the row last equalled the vendor''s';
	COMMENT ON COLUMN zcsync.statuses.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.statuses.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.statuses.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.statuses.scope_id IS 'where it belongs: a list, or a kind of record';
	COMMENT ON COLUMN zcsync.statuses.status_id IS 'remote id of the status';
	COMMENT ON COLUMN zcsync.statuses.name IS 'name';
	COMMENT ON COLUMN zcsync.statuses.category IS 'what the vendor counts it as: new, open, pending, hold, solved, closed, ...';
	COMMENT ON COLUMN zcsync.statuses.position IS 'place in the order';
	COMMENT ON COLUMN zcsync.statuses.color IS 'colour, as the vendor has it';
	COMMENT ON COLUMN zcsync.statuses.active IS 'false: not in use any more at the vendor';
	COMMENT ON COLUMN zcsync.statuses.is_default IS 'what new records get';
	COMMENT ON COLUMN zcsync.statuses.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.statuses.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.statuses.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.statuses.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.statuses.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.statuses.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.statuses.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.statuses.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.statuses.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.statuses.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.statuses.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.statuses.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.statuses.synced_at IS 'when the row last equalled the vendor''s';
	COMMENT ON COLUMN zcsync.search_indexes.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.search_indexes.language IS 'text search configuration, with its schema';
	COMMENT ON COLUMN zcsync.search_indexes.fields IS 'custom fields that are searched too';
	COMMENT ON COLUMN zcsync.search_indexes.typos IS 'there is an index of trigrams, too';
	COMMENT ON COLUMN zcsync.search_indexes.enabled_at IS 'when it was asked for';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_6() IS
'step 1: comments of the columns of fields to search_indexes';

CREATE FUNCTION zcsync._step_1_words_7() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.leads.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.leads.local_id IS 'number of the row, unique in all mirror tables; it never changes';
	COMMENT ON COLUMN zcsync.leads.remote_id IS 'the vendor''s id; empty until the record is created there';
	COMMENT ON COLUMN zcsync.leads.summary IS 'what it is about, in a line';
	COMMENT ON COLUMN zcsync.leads.description IS 'the text of the record; of a ticket its first comment, which may be internal';
	COMMENT ON COLUMN zcsync.leads.first_name IS 'first name';
	COMMENT ON COLUMN zcsync.leads.last_name IS 'last name';
	COMMENT ON COLUMN zcsync.leads.company IS 'name of the company';
	COMMENT ON COLUMN zcsync.leads.title IS 'title of the person';
	COMMENT ON COLUMN zcsync.leads.email IS 'e-mail address';
	COMMENT ON COLUMN zcsync.leads.email_status IS 'what a source says of the address: verified, guessed, ...';
	COMMENT ON COLUMN zcsync.leads.phone IS 'phone number';
	COMMENT ON COLUMN zcsync.leads.mobile IS 'mobile number';
	COMMENT ON COLUMN zcsync.leads.website IS 'web site';
	COMMENT ON COLUMN zcsync.leads.linkedin_url IS 'profile at LinkedIn';
	COMMENT ON COLUMN zcsync.leads.street IS 'street';
	COMMENT ON COLUMN zcsync.leads.city IS 'city';
	COMMENT ON COLUMN zcsync.leads.region IS 'region or state';
	COMMENT ON COLUMN zcsync.leads.postal_code IS 'postal code';
	COMMENT ON COLUMN zcsync.leads.country IS 'country, as ISO 3166 has it where it is known';
	COMMENT ON COLUMN zcsync.leads.industry IS 'industry of the company';
	COMMENT ON COLUMN zcsync.leads.employees IS 'how many people the company has';
	COMMENT ON COLUMN zcsync.leads.revenue IS 'what the company takes in a year';
	COMMENT ON COLUMN zcsync.leads.do_not_call IS 'the person does not want to be called';
	COMMENT ON COLUMN zcsync.leads.source IS 'the source that gave it';
	COMMENT ON COLUMN zcsync.leads.status_id IS 'remote id of the status';
	COMMENT ON COLUMN zcsync.leads.status IS 'status of the record as its vendor has it';
	COMMENT ON COLUMN zcsync.leads.type_id IS 'remote id of the type';
	COMMENT ON COLUMN zcsync.leads.company_id IS 'remote id of the company';
	COMMENT ON COLUMN zcsync.leads.site_id IS 'remote id of the site';
	COMMENT ON COLUMN zcsync.leads.contact_id IS 'remote id of the contact';
	COMMENT ON COLUMN zcsync.leads.owner_id IS 'remote id of who looks after it';
	COMMENT ON COLUMN zcsync.leads.team IS 'team, as it was then';
	COMMENT ON COLUMN zcsync.leads.value IS 'value';
	COMMENT ON COLUMN zcsync.leads.probability IS 'how likely it is to be won, in percent';
	COMMENT ON COLUMN zcsync.leads.stage_id IS 'remote id of the stage';
	COMMENT ON COLUMN zcsync.leads.closed_at IS 'when it was closed';
	COMMENT ON COLUMN zcsync.leads.external_id IS 'the mark or the id of another system, as the vendor stores it';
	COMMENT ON COLUMN zcsync.leads.url IS 'address in the vendor''s pages';
	COMMENT ON COLUMN zcsync.leads.custom_fields IS 'field id to value; unset ones are left out';
	COMMENT ON COLUMN zcsync.leads.created_at IS 'when the record was created at its vendor';
	COMMENT ON COLUMN zcsync.leads.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.leads.deleted_at IS 'when it was seen that the record is gone; the row stays';
	COMMENT ON COLUMN zcsync.leads.base IS 'values last agreed with the vendor';
	COMMENT ON COLUMN zcsync.leads.remote IS 'the vendor''s last document';
	COMMENT ON COLUMN zcsync.leads.remote_version IS 'what orders documents of a record';
	COMMENT ON COLUMN zcsync.leads.sync_key IS 'the mark that a create carries';
	COMMENT ON COLUMN zcsync.leads.sync_state IS 'synced, pending (to be sent), held (until a person releases or cancels it), conflict or failed (a dead letter)';
	COMMENT ON COLUMN zcsync.leads.sync_cause IS 'who wrote the row last: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.leads.sync_cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.leads.sync_xid IS 'the transaction that wrote the row';
	COMMENT ON COLUMN zcsync.leads.synced_at IS 'when the row last equalled the vendor''s';
	COMMENT ON COLUMN zcsync.leads.inserted_at IS 'when it was inserted here: it decides in which month the row is';
	COMMENT ON COLUMN zcsync.leads.fit IS 'score: how well the lead fits';
	COMMENT ON COLUMN zcsync.leads.engagement IS 'score: what the person did';
	COMMENT ON COLUMN zcsync.leads.quality IS 'score: fit and engagement together';
	COMMENT ON COLUMN zcsync.leads.stage IS 'lead, prospect or opportunity';
	COMMENT ON COLUMN zcsync.leads.provenance IS '{column: the source that its value is of}';
	COMMENT ON COLUMN zcsync.leads.merged_into IS 'local_id of the lead that this one is part of now';
	COMMENT ON COLUMN zcsync.lead_identities.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lead_identities.kind IS 'remote, email, or the name of a source';
	COMMENT ON COLUMN zcsync.lead_identities.value IS 'value';
	COMMENT ON COLUMN zcsync.lead_identities.local_id IS 'local_id of the lead';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_7() IS
'step 1: comments of the columns of leads to lead_identities';

CREATE FUNCTION zcsync._step_1_words_8() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.lead_sources.name IS 'name';
	COMMENT ON COLUMN zcsync.lead_sources.precedence IS 'whose values win: those of the lower number';
	COMMENT ON COLUMN zcsync.lead_sources.groups IS 'precedence of groups of fields that have a different one';
	COMMENT ON COLUMN zcsync.lead_sources.field_map IS '{column: [the fields that may have its value, the best first]}';
	COMMENT ON COLUMN zcsync.lead_sources.id_field IS 'the field with the source''s own id';
	COMMENT ON COLUMN zcsync.lead_sources.unwrap IS 'objects in a document that contain the lead itself';
	COMMENT ON COLUMN zcsync.lead_sources.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.intakes.intake_id IS 'number of the intake';
	COMMENT ON COLUMN zcsync.intakes.name IS 'name of its table in schema zcsync_intake';
	COMMENT ON COLUMN zcsync.intakes.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.intakes.source IS 'the source that gave it';
	COMMENT ON COLUMN zcsync.intakes.columns IS '[{"column", "header", "fields"}]';
	COMMENT ON COLUMN zcsync.intakes.delimiter IS 'between the columns of the file';
	COMMENT ON COLUMN zcsync.intakes.created_by IS 'the role that made it';
	COMMENT ON COLUMN zcsync.intakes.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.intakes.imported_at IS 'when it was last imported';
	COMMENT ON COLUMN zcsync.intakes.counts IS 'of the last import: {result: rows}';
	COMMENT ON COLUMN zcsync.lead_match_rules.name IS 'name';
	COMMENT ON COLUMN zcsync.lead_match_rules.value IS 'value';
	COMMENT ON COLUMN zcsync.lead_match_rules.meaning IS 'what it is';
	COMMENT ON COLUMN zcsync.lead_rows.row_id IS 'number of the row of a source';
	COMMENT ON COLUMN zcsync.lead_rows.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lead_rows.local_id IS 'the lead of which it is a part';
	COMMENT ON COLUMN zcsync.lead_rows.source IS 'the source that gave it';
	COMMENT ON COLUMN zcsync.lead_rows.row_key IS 'its id at the source and its e-mail address; without an id, its values';
	COMMENT ON COLUMN zcsync.lead_rows.hash IS 'hash of the values that came last';
	COMMENT ON COLUMN zcsync.lead_rows.email IS 'e-mail address, normalised; empty: none, or no valid one';
	COMMENT ON COLUMN zcsync.lead_rows.name IS 'name';
	COMMENT ON COLUMN zcsync.lead_rows.company IS 'name of the company';
	COMMENT ON COLUMN zcsync.lead_rows.domain IS 'domain of its addresses or web site';
	COMMENT ON COLUMN zcsync.lead_rows.phone IS 'phone number';
	COMMENT ON COLUMN zcsync.lead_rows.mobile IS 'mobile number';
	COMMENT ON COLUMN zcsync.lead_rows.title IS 'title of the person';
	COMMENT ON COLUMN zcsync.lead_rows.source_id IS 'its id at the source';
	COMMENT ON COLUMN zcsync.lead_rows.vals IS '{column of leads: value}';
	COMMENT ON COLUMN zcsync.lead_rows.at IS 'when its values were true, as the source says; otherwise taken_at';
	COMMENT ON COLUMN zcsync.lead_rows.taken_at IS 'when it was taken';
	COMMENT ON COLUMN zcsync.lead_rows.via IS 'how it came to its lead: new, email, source id, similar, by hand';
	COMMENT ON COLUMN zcsync.lead_rows.look_again IS 'others inserted leads at the same time that could not be seen';
	COMMENT ON COLUMN zcsync.lead_duplicates.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lead_duplicates.lead_a IS 'local_id of one of the two';
	COMMENT ON COLUMN zcsync.lead_duplicates.lead_b IS 'local_id of the other one';
	COMMENT ON COLUMN zcsync.lead_duplicates.score IS 'how alike they are; empty: they were not compared';
	COMMENT ON COLUMN zcsync.lead_duplicates.parts IS '{field: {similarity, weight, part}}; the parts add up to score';
	COMMENT ON COLUMN zcsync.lead_duplicates.reason IS 'why they were not merged';
	COMMENT ON COLUMN zcsync.lead_duplicates.state IS 'state';
	COMMENT ON COLUMN zcsync.lead_duplicates.found_at IS 'when it was found';
	COMMENT ON COLUMN zcsync.lead_duplicates.decided_at IS 'when a person decided';
	COMMENT ON COLUMN zcsync.lead_duplicates.decided_by IS 'who decided';
	COMMENT ON COLUMN zcsync.lead_merges.merge_id IS 'number of the merge';
	COMMENT ON COLUMN zcsync.lead_merges.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lead_merges.kept_id IS 'local_id of the lead that was kept';
	COMMENT ON COLUMN zcsync.lead_merges.merged_id IS 'local_id of the other; empty: it never was a separate lead';
	COMMENT ON COLUMN zcsync.lead_merges.row_ids IS 'the lead_rows that moved to the lead that was kept';
	COMMENT ON COLUMN zcsync.lead_merges.score IS 'how alike they were; empty: merged for another reason';
	COMMENT ON COLUMN zcsync.lead_merges.parts IS '{field: {similarity, weight, part}}';
	COMMENT ON COLUMN zcsync.lead_merges.reason IS 'why';
	COMMENT ON COLUMN zcsync.lead_merges.undo IS 'identities, links and pairs as they were';
	COMMENT ON COLUMN zcsync.lead_merges.role IS 'role of the database; of a contact, what it is to the vendor';
	COMMENT ON COLUMN zcsync.lead_merges.merged_at IS 'when they were merged';
	COMMENT ON COLUMN zcsync.lead_merges.undone_at IS 'when it was undone by zcsync.split_lead()';
	COMMENT ON COLUMN zcsync.lead_statuses.status_id IS 'remote id of the status';
	COMMENT ON COLUMN zcsync.lead_statuses.name IS 'name';
	COMMENT ON COLUMN zcsync.lead_statuses.closed IS 'such leads are not worked on; see zcsync.rebuild_active_index()';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_8() IS
'step 1: comments of the columns of lead_sources to lead_statuses';

CREATE FUNCTION zcsync._step_1_words_9() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.lead_score_rules.rule_id IS 'number of the rule';
	COMMENT ON COLUMN zcsync.lead_score_rules.score IS 'points';
	COMMENT ON COLUMN zcsync.lead_score_rules.field IS 'column of leads, or custom:NAME';
	COMMENT ON COLUMN zcsync.lead_score_rules.operator IS 'how the value is compared';
	COMMENT ON COLUMN zcsync.lead_score_rules.value IS 'what the column is compared with; of one_of and contains several values, with | between them';
	COMMENT ON COLUMN zcsync.lead_score_rules.points IS 'points: of a rule what it gives, of a task its estimate';
	COMMENT ON COLUMN zcsync.lead_stage_rules.rule_id IS 'number of the rule';
	COMMENT ON COLUMN zcsync.lead_stage_rules.stage IS 'lead, prospect or opportunity';
	COMMENT ON COLUMN zcsync.lead_stage_rules.min_fit IS 'fit of at least so much';
	COMMENT ON COLUMN zcsync.lead_stage_rules.min_engagement IS 'engagement of at least so much';
	COMMENT ON COLUMN zcsync.lead_stage_rules.min_quality IS 'quality of at least so much';
	COMMENT ON COLUMN zcsync.lead_stage_rules.status_ids IS 'only these statuses; empty: any that is not closed';
	COMMENT ON COLUMN zcsync.countries.country IS 'ISO 3166, two letters';
	COMMENT ON COLUMN zcsync.countries.calling_code IS 'how numbers of this country begin';
	COMMENT ON COLUMN zcsync.countries.trunk_prefix IS 'dialled before a number within the country; empty: there is none';
	COMMENT ON COLUMN zcsync.countries.decimal_comma IS 'numbers are written 1.234,5 and not 1,234.5';
	COMMENT ON COLUMN zcsync.country_names.name IS 'a name of the country, in lower case';
	COMMENT ON COLUMN zcsync.country_names.country IS 'country, as ISO 3166 has it where it is known';
	COMMENT ON COLUMN zcsync.company_forms.form IS 'the word, in lower case, without dots';
	COMMENT ON COLUMN zcsync.routes.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.routes.name IS 'name';
	COMMENT ON COLUMN zcsync.routes.source_stream_id IS 'stream that records come from';
	COMMENT ON COLUMN zcsync.routes.target_stream_id IS 'stream that records go to';
	COMMENT ON COLUMN zcsync.routes.direction IS 'forward, both or back';
	COMMENT ON COLUMN zcsync.routes.filter IS 'SQL condition over the source row; empty: all';
	COMMENT ON COLUMN zcsync.routes.create_in IS 'where records are created: list or ticket type by id, path or name, or an SQL expression';
	COMMENT ON COLUMN zcsync.routes.on_leave IS 'what becomes of the copy of a record that leaves the filter: keep, unlink or close';
	COMMENT ON COLUMN zcsync.routes.match_on IS 'SQL condition over source s and target t that finds existing records';
	COMMENT ON COLUMN zcsync.routes.default_assignee IS 'who gets a record whose own assignee has no counterpart';
	COMMENT ON COLUMN zcsync.routes.default_client IS 'company of the target for records whose own company has none there; NULL: such records wait';
	COMMENT ON COLUMN zcsync.routes.unknown_user IS 'what to do about a requester that the target does not know: none (leave empty), general (the client''s General User), create (create the person first)';
	COMMENT ON COLUMN zcsync.routes.unknown_organization IS 'none, or create: a requester who is made belongs to the organization of the source''s company, which is made if there is none';
	COMMENT ON COLUMN zcsync.routes.notify IS 'writes may have the vendor notify people';
	COMMENT ON COLUMN zcsync.routes.state IS 'state';
	COMMENT ON COLUMN zcsync.routes.paused_at IS 'since when it is paused; empty: it is not, or was never resumed';
	COMMENT ON COLUMN zcsync.routes.paused_by IS 'who paused it; empty: zcsync itself';
	COMMENT ON COLUMN zcsync.routes.starts_at IS 'when it was first resumed, by the clock of this server; NULL: never';
	COMMENT ON COLUMN zcsync.routes.old_before IS 'by the source''s clock: a record that changed before this was there before the route';
	COMMENT ON COLUMN zcsync.routes.new_from IS 'a record that changed at this time or later is new to the route';
	COMMENT ON COLUMN zcsync.routes.old_rows IS 'snapshot: rows of transactions that it sees were there before the route';
	COMMENT ON COLUMN zcsync.routes.defined_by IS 'role that owns the compiled functions';
	COMMENT ON COLUMN zcsync.routes.compiled_at IS 'when its SQL was last compiled';
	COMMENT ON COLUMN zcsync.routes.hour_started_at IS 'when the hour of the write brake began';
	COMMENT ON COLUMN zcsync.routes.hour_writes IS 'records that it wrote to within the hour, for the write brake';
	COMMENT ON COLUMN zcsync.routes.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.route_backfills.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.route_backfills.records IS 'number of its records';
	COMMENT ON COLUMN zcsync.route_backfills.began_at IS 'when it began';
	COMMENT ON COLUMN zcsync.route_backfills.follows IS 'it also takes records that the history of the source still brings';
	COMMENT ON COLUMN zcsync.route_attempts.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.route_attempts.attempts IS 'attempts to run its SQL since it last ran to its end';
	COMMENT ON COLUMN zcsync.route_fields.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.route_fields.direction IS 'forward, both or back';
	COMMENT ON COLUMN zcsync.route_fields.field IS 'column of the row that is written, or custom:<field id>';
	COMMENT ON COLUMN zcsync.route_fields.expression IS 'SQL over the row that is read, s';
	COMMENT ON COLUMN zcsync.route_fields.mapped IS 'its values are translated by route_values';
	COMMENT ON COLUMN zcsync.route_fields.position IS 'place in the order';
	COMMENT ON COLUMN zcsync.route_fields.unmapped IS 'values whose translation a person removed: none is suggested again';
	COMMENT ON COLUMN zcsync.route_values.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.route_values.direction IS 'forward, both or back';
	COMMENT ON COLUMN zcsync.route_values.field IS 'column, or custom_fields/key';
	COMMENT ON COLUMN zcsync.route_values.source_value IS 'the value as read';
	COMMENT ON COLUMN zcsync.route_values.target_value IS 'the value as written; empty on purpose, where NULL';
	COMMENT ON COLUMN zcsync.route_values.target_id IS 'remote id of the value (a status), which survives renaming';
	COMMENT ON COLUMN zcsync.route_values.suggested IS 'zcsync suggested it, and may change it; false: a person set it';
	COMMENT ON COLUMN zcsync.route_values.created_at IS 'when the row was made';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_9() IS
'step 1: comments of the columns of lead_score_rules to route_values';

CREATE FUNCTION zcsync._step_1_words_10() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.company_maps.source_account_id IS 'number of the account of the company';
	COMMENT ON COLUMN zcsync.company_maps.company IS 'id of a company, an e-mail address, or @ and a domain';
	COMMENT ON COLUMN zcsync.company_maps.target_account_id IS 'number of the account of the client';
	COMMENT ON COLUMN zcsync.company_maps.client_id IS 'remote id of the client';
	COMMENT ON COLUMN zcsync.company_maps.mapped_by IS 'the role that mapped it';
	COMMENT ON COLUMN zcsync.company_maps.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.mail_providers.domain IS 'domain of its addresses or web site';
	COMMENT ON COLUMN zcsync.links.link_id IS 'number of the pair';
	COMMENT ON COLUMN zcsync.links.key IS 'key of the pair, also outside of this database: the mark of a create';
	COMMENT ON COLUMN zcsync.links.route_id IS 'the route that drives the pair; empty: none';
	COMMENT ON COLUMN zcsync.links.source_id IS 'local_id of the record that is the source of that route';
	COMMENT ON COLUMN zcsync.links.target_id IS 'local_id of the other record';
	COMMENT ON COLUMN zcsync.links.source_account IS 'number of the account of the source';
	COMMENT ON COLUMN zcsync.links.source_kind IS 'kind of the source';
	COMMENT ON COLUMN zcsync.links.target_account IS 'number of the account of the target';
	COMMENT ON COLUMN zcsync.links.target_kind IS 'kind of the target';
	COMMENT ON COLUMN zcsync.links.copy_id IS 'the one of the two that a route made as a copy of the other; NULL: neither';
	COMMENT ON COLUMN zcsync.links.shared IS 'a person linked this source to a target that already has one';
	COMMENT ON COLUMN zcsync.links.agreed IS 'mapped value of each field when both sides last agreed';
	COMMENT ON COLUMN zcsync.links.moved_to IS 'the pair has ended, because its source was merged into the source of this pair';
	COMMENT ON COLUMN zcsync.links.made_from_told IS 'a comment of the target says from which ticket its source was made';
	COMMENT ON COLUMN zcsync.links.agreed_back IS 'mapped value of each field that comes back, when both sides last agreed';
	COMMENT ON COLUMN zcsync.links.dropped IS 'fields whose map changed: the time since which edits count; as an array: apply_route() writes the field';
	COMMENT ON COLUMN zcsync.links.state IS 'state';
	COMMENT ON COLUMN zcsync.links.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.links.changed_at IS 'when it was last changed';
	COMMENT ON COLUMN zcsync.route_errors.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.route_errors.source_id IS 'local_id of the record at the source';
	COMMENT ON COLUMN zcsync.route_errors.field IS 'field of the target; empty: the whole record; back: and a column of the source';
	COMMENT ON COLUMN zcsync.route_errors.code IS '''unmapped_value'', ''mapping_error'', ''no_target'', ...';
	COMMENT ON COLUMN zcsync.route_errors.value IS 'the value that could not be mapped';
	COMMENT ON COLUMN zcsync.route_errors.message IS 'what happened, for people';
	COMMENT ON COLUMN zcsync.route_errors.hint IS 'what to run, or to do';
	COMMENT ON COLUMN zcsync.route_errors.detail IS 'what is known about a company that is not mapped';
	COMMENT ON COLUMN zcsync.route_errors.backfill IS 'it happened in a backfill, so the record is wanted whatever its age';
	COMMENT ON COLUMN zcsync.route_errors.first_at IS 'when it happened first';
	COMMENT ON COLUMN zcsync.route_errors.last_at IS 'when it happened last';
	COMMENT ON COLUMN zcsync.route_errors.count IS 'how often it happened';
	COMMENT ON COLUMN zcsync.marks.key IS 'the mark';
	COMMENT ON COLUMN zcsync.marks.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.marks.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.marks.local_id IS 'local_id of the row that has it';
	COMMENT ON COLUMN zcsync.marks.copied IS 'a route made the row as a copy';
	COMMENT ON COLUMN zcsync.marks.made_at IS 'when the record was made';
	COMMENT ON COLUMN zcsync.queues.name IS 'name';
	COMMENT ON COLUMN zcsync.queues.concurrency IS 'how many jobs of one account may run at a time';
	COMMENT ON COLUMN zcsync.queues.max_attempts IS 'failures after which a job is a dead letter';
	COMMENT ON COLUMN zcsync.queues.backoff_base IS 'wait after the first failure; doubled with each further one';
	COMMENT ON COLUMN zcsync.queues.backoff_cap IS 'the longest wait between two attempts';
	COMMENT ON COLUMN zcsync.queues.max_age IS 'a job that has failed for longer fails for good at the next failure of the vendor or throttling';
	COMMENT ON COLUMN zcsync.queues.keep_completed IS 'how many records of jobs that ended well are kept, per account';
	COMMENT ON COLUMN zcsync.queues.keep_failed IS 'how many records of jobs that failed are kept, per account';
	COMMENT ON COLUMN zcsync.queues.state IS 'state';
	COMMENT ON COLUMN zcsync.queues.paused_at IS 'since when it is paused; empty: it is not, or was never resumed';
	COMMENT ON COLUMN zcsync.queues.paused_by IS 'who paused it; empty: zcsync itself';
	COMMENT ON COLUMN zcsync.queues.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.claimants.incarnation IS 'random number by which jobs name the process';
	COMMENT ON COLUMN zcsync.claimants.pid IS 'number of the process';
	COMMENT ON COLUMN zcsync.claimants.role IS 'worker, local or run';
	COMMENT ON COLUMN zcsync.claimants.started_at IS 'when the process began';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_10() IS
'step 1: comments of the columns of company_maps to claimants';

CREATE FUNCTION zcsync._step_1_words_11() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.sync_queue.job_id IS 'number of the job';
	COMMENT ON COLUMN zcsync.sync_queue.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.sync_queue.queue IS 'name of the queue';
	COMMENT ON COLUMN zcsync.sync_queue.operation IS 'what is done: pull, push, route, ...; the glossary in doc/architecture.md has all operations';
	COMMENT ON COLUMN zcsync.sync_queue.budget_class IS 'class of calls whose limit it counts for; empty: it sends nothing';
	COMMENT ON COLUMN zcsync.sync_queue.stream_id IS 'number of the stream';
	COMMENT ON COLUMN zcsync.sync_queue.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.sync_queue.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.sync_queue.local_id IS 'local_id of the mirror row, where there is one';
	COMMENT ON COLUMN zcsync.sync_queue.record_key IS 'only one running job may have it';
	COMMENT ON COLUMN zcsync.sync_queue.dedupe_key IS 'ready jobs with the same key are one';
	COMMENT ON COLUMN zcsync.sync_queue.payload IS 'what to do, in the form of its operation; for a route, "edited" means: not only for a backfill';
	COMMENT ON COLUMN zcsync.sync_queue.priority IS 'lower first; from 60 on it is history or a backfill';
	COMMENT ON COLUMN zcsync.sync_queue.state IS 'state';
	COMMENT ON COLUMN zcsync.sync_queue.run_at IS 'not before this time';
	COMMENT ON COLUMN zcsync.sync_queue.attempts IS 'attempts that were begun';
	COMMENT ON COLUMN zcsync.sync_queue.failures IS 'attempts that count towards max_attempts';
	COMMENT ON COLUMN zcsync.sync_queue.failing_for IS 'for how long it was to wait for its next attempts since it began to fail, which counts towards max_age; that it is due does not count';
	COMMENT ON COLUMN zcsync.sync_queue.claimed_by IS 'the process that runs it, see claimants.incarnation';
	COMMENT ON COLUMN zcsync.sync_queue.claimed_at IS 'when a process took it';
	COMMENT ON COLUMN zcsync.sync_queue.crashes IS 'how often its worker ended while it ran';
	COMMENT ON COLUMN zcsync.sync_queue.unclear_since IS 'when a create began whose effect is not known';
	COMMENT ON COLUMN zcsync.sync_queue.call_id IS 'while running: the job after which its call is named';
	COMMENT ON COLUMN zcsync.sync_queue.batch_max IS 'at most so many jobs travel in a call with this one; NULL: as many as the vendor takes';
	COMMENT ON COLUMN zcsync.sync_queue.joins IS 'how often an enqueue found this job waiting';
	COMMENT ON COLUMN zcsync.sync_queue.version IS 'version of a document that waits';
	COMMENT ON COLUMN zcsync.sync_queue.backfill IS 'of a route: it is wanted whatever the age of the record';
	COMMENT ON COLUMN zcsync.sync_queue.sent IS 'of a push: what it sent and the vendor may have carried out unseen';
	COMMENT ON COLUMN zcsync.sync_queue.lookup_page IS 'of an unclear create: the next page on which to look for it';
	COMMENT ON COLUMN zcsync.sync_queue.lookup_floor IS 'of an unclear create: the latest remote id known before it was sent';
	COMMENT ON COLUMN zcsync.sync_queue.refused_at IS 'of a push: when it was refused because a right seemed to be missing';
	COMMENT ON COLUMN zcsync.sync_queue.refused_alone IS 'no other job travelled with it when it was refused';
	COMMENT ON COLUMN zcsync.sync_queue.to_hold IS 'while running: it will be held when it goes back';
	COMMENT ON COLUMN zcsync.sync_queue.cancelled IS 'what it would send is no longer wanted: ''wanted'' means that the row''s values are to be taken back, ''kept'' that the row is new and keeps them';
	COMMENT ON COLUMN zcsync.sync_queue.cancelled_by IS 'the role that cancelled it';
	COMMENT ON COLUMN zcsync.sync_queue.stale IS 'of a pull: the read was given up, so its page is dropped';
	COMMENT ON COLUMN zcsync.sync_queue.last_class IS 'outcome of the last attempt';
	COMMENT ON COLUMN zcsync.sync_queue.last_status IS 'HTTP status of the last attempt';
	COMMENT ON COLUMN zcsync.sync_queue.last_error IS 'what the last failure said';
	COMMENT ON COLUMN zcsync.sync_queue.last_hint IS 'what can be done about it';
	COMMENT ON COLUMN zcsync.sync_queue.enqueued_by IS 'the role that queued it first';
	COMMENT ON COLUMN zcsync.sync_queue.enqueued_xid IS 'transaction of the last enqueue';
	COMMENT ON COLUMN zcsync.sync_queue.previous_xid IS 'transaction of the enqueue before that';
	COMMENT ON COLUMN zcsync.sync_queue.enqueued_at IS 'when it was last queued';
	COMMENT ON COLUMN zcsync.sync_queue.waits_since IS 'of a push: since when it has been put off until its record is read';
	COMMENT ON COLUMN zcsync.sync_queue.created_at IS 'when the row was made';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_11() IS
'step 1: comments of the columns of sync_queue';

CREATE FUNCTION zcsync._step_1_words_12() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.dead_letters.job_id IS 'number of the job';
	COMMENT ON COLUMN zcsync.dead_letters.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.dead_letters.queue IS 'name of the queue';
	COMMENT ON COLUMN zcsync.dead_letters.operation IS 'what is done: pull, push, route, ...; the glossary in doc/architecture.md has all operations';
	COMMENT ON COLUMN zcsync.dead_letters.budget_class IS 'class of calls whose limit it counts for';
	COMMENT ON COLUMN zcsync.dead_letters.stream_id IS 'number of the stream';
	COMMENT ON COLUMN zcsync.dead_letters.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.dead_letters.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.dead_letters.local_id IS 'local_id of the mirror row that it is about';
	COMMENT ON COLUMN zcsync.dead_letters.record_key IS 'jobs with the same key run one after the other';
	COMMENT ON COLUMN zcsync.dead_letters.dedupe_key IS 'ready jobs with the same key are one';
	COMMENT ON COLUMN zcsync.dead_letters.payload IS 'what to do, in the form of its operation';
	COMMENT ON COLUMN zcsync.dead_letters.version IS 'of a document that waits';
	COMMENT ON COLUMN zcsync.dead_letters.backfill IS 'it is wanted whatever the age of the record';
	COMMENT ON COLUMN zcsync.dead_letters.sent IS 'what a push sent and the vendor may have carried out unseen';
	COMMENT ON COLUMN zcsync.dead_letters.lookup_floor IS 'of an unclear create: the latest remote id known before it was sent';
	COMMENT ON COLUMN zcsync.dead_letters.priority IS 'lower first';
	COMMENT ON COLUMN zcsync.dead_letters.attempts IS 'attempts that were begun';
	COMMENT ON COLUMN zcsync.dead_letters.class IS 'class of the failure';
	COMMENT ON COLUMN zcsync.dead_letters.status IS 'HTTP status of the last reply';
	COMMENT ON COLUMN zcsync.dead_letters.message IS 'what happened, for people';
	COMMENT ON COLUMN zcsync.dead_letters.hint IS 'what to run, or to do';
	COMMENT ON COLUMN zcsync.dead_letters.reply IS 'first part of the last reply';
	COMMENT ON COLUMN zcsync.dead_letters.unclear_since IS 'when a create began whose effect is not known';
	COMMENT ON COLUMN zcsync.dead_letters.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.dead_letters.died_at IS 'when it failed for good';
	COMMENT ON COLUMN zcsync.sync_records.job_id IS 'number of the job';
	COMMENT ON COLUMN zcsync.sync_records.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.sync_records.queue IS 'name of the queue';
	COMMENT ON COLUMN zcsync.sync_records.operation IS 'what is done: pull, push, route, ...; the glossary in doc/architecture.md has all operations';
	COMMENT ON COLUMN zcsync.sync_records.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.sync_records.local_id IS 'local_id of the mirror row that it is about';
	COMMENT ON COLUMN zcsync.sync_records.route_id IS 'number of the route';
	COMMENT ON COLUMN zcsync.sync_records.status IS 'done, created, updated, found, merged, unchanged, cancelled, failed';
	COMMENT ON COLUMN zcsync.sync_records.class IS 'class of the failure, where it failed';
	COMMENT ON COLUMN zcsync.sync_records.http_status IS 'HTTP status of the last reply';
	COMMENT ON COLUMN zcsync.sync_records.attempts IS 'attempts that were begun';
	COMMENT ON COLUMN zcsync.sync_records.changed IS 'rows that a page changed';
	COMMENT ON COLUMN zcsync.sync_records.message IS 'what happened, for people';
	COMMENT ON COLUMN zcsync.sync_records.queued_at IS 'when it was queued';
	COMMENT ON COLUMN zcsync.sync_records.duration_us IS 'how long the last call took, in microseconds';
	COMMENT ON COLUMN zcsync.sync_records.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.changes.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.changes.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.changes.local_id IS 'local_id of the mirror row that it is about';
	COMMENT ON COLUMN zcsync.changes.action IS 'insert, update, delete; lost: old was overwritten by new, because both sides changed the column or because no read had seen old';
	COMMENT ON COLUMN zcsync.changes.old IS 'the old values, of changed columns only';
	COMMENT ON COLUMN zcsync.changes.new IS 'the new values';
	COMMENT ON COLUMN zcsync.changes.cause IS 'who wrote it: local, pull, push, route, ...';
	COMMENT ON COLUMN zcsync.changes.cause_id IS 'the job, the route, ...';
	COMMENT ON COLUMN zcsync.changes.xid IS 'the transaction that wrote it';
	COMMENT ON COLUMN zcsync.changes.role IS 'role of the database that wrote it';
	COMMENT ON COLUMN zcsync.changes.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.conflicts.conflict_id IS 'number of the conflict';
	COMMENT ON COLUMN zcsync.conflicts.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.conflicts.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.conflicts.local_id IS 'local_id of the mirror row that it is about';
	COMMENT ON COLUMN zcsync.conflicts.field IS 'column, or custom_fields/key';
	COMMENT ON COLUMN zcsync.conflicts.mine IS 'the row''s value when the vendor''s value was last seen';
	COMMENT ON COLUMN zcsync.conflicts.theirs IS 'the vendor''s value';
	COMMENT ON COLUMN zcsync.conflicts.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.conflicts.changed_at IS 'when it was last changed';
	COMMENT ON COLUMN zcsync.conflicts.resolved_at IS 'when it was decided; empty: open, and the column is not sent';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_12() IS
'step 1: comments of the columns of dead_letters to conflicts';

CREATE FUNCTION zcsync._step_1_words_13() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.webhooks.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.webhooks.path IS 'random: where the vendor sends to';
	COMMENT ON COLUMN zcsync.webhooks.replay_window IS 'a delivery is refused if its signed time is further than this from the time it arrived';
	COMMENT ON COLUMN zcsync.webhooks.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.webhooks.taken_at IS 'when records that waited to be fetched together were last taken';
	COMMENT ON COLUMN zcsync.webhooks.taken IS 'how many that were';
	COMMENT ON COLUMN zcsync.webhooks.url IS 'address of the door, where zcsync declares the webhook at the vendor; NULL: somebody does it by hand';
	COMMENT ON COLUMN zcsync.webhooks.events IS 'what it is to report, in the vendor''s words; NULL: all that zcsync can use';
	COMMENT ON COLUMN zcsync.webhooks.round IS 'ends its address; rises when another secret is wanted, which takes another webhook';
	COMMENT ON COLUMN zcsync.webhooks.keep IS 'for how long a replaced secret stays valid';
	COMMENT ON COLUMN zcsync.webhooks.is_removed IS 'it is to be removed at the vendor';
	COMMENT ON COLUMN zcsync.webhooks.ids IS 'the vendor''s ids of webhooks that were declared';
	COMMENT ON COLUMN zcsync.webhooks.health IS 'as the vendor last had it: active, failing, or what it calls one that does not send';
	COMMENT ON COLUMN zcsync.webhooks.failures IS 'deliveries that failed in a row, as the vendor counts them';
	COMMENT ON COLUMN zcsync.webhooks.repairs IS 'calls that changed something at the vendor';
	COMMENT ON COLUMN zcsync.webhooks.checked_at IS 'when the vendor last had it as wanted';
	COMMENT ON COLUMN zcsync.webhooks.next_check_at IS 'when the vendor is asked again';
	COMMENT ON COLUMN zcsync.webhooks.error IS 'why it cannot be declared';
	COMMENT ON COLUMN zcsync.webhooks.error_hint IS 'what to do about it';
	COMMENT ON COLUMN zcsync.webhooks.failing_since IS 'since when it cannot be declared';
	COMMENT ON COLUMN zcsync.webhooks.lost IS 'how the vendor had it when it was repaired last';
	COMMENT ON COLUMN zcsync.webhooks.lost_at IS 'when that was';
	COMMENT ON COLUMN zcsync.heard_streams.stream_id IS 'number of the stream';
	COMMENT ON COLUMN zcsync.heard_streams.heard_at IS 'when a webhook last reported a record of it, to ten seconds';
	COMMENT ON COLUMN zcsync.heard_streams.missed_at IS 'when a read last found changes of which nothing had been heard';
	COMMENT ON COLUMN zcsync.heard_streams.reads_saved IS 'reads that were left out because webhooks report what changes';
	COMMENT ON COLUMN zcsync.inbox.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.inbox.webhook IS 'the vendor''s id of the webhook';
	COMMENT ON COLUMN zcsync.inbox.event IS 'what happened, in the vendor''s words';
	COMMENT ON COLUMN zcsync.inbox.key IS 'the vendor''s id of the delivery, or of the entries of its history';
	COMMENT ON COLUMN zcsync.inbox.body_hash IS 'SHA-256 of the body';
	COMMENT ON COLUMN zcsync.inbox.kind IS 'kind of the record; NULL: nothing is read';
	COMMENT ON COLUMN zcsync.inbox.remote_id IS 'the vendor''s id of the record';
	COMMENT ON COLUMN zcsync.inbox.stream_id IS 'stream of the record''s kind, when it came';
	COMMENT ON COLUMN zcsync.inbox.received_at IS 'when it came';
	COMMENT ON COLUMN zcsync.inbox.waits IS 'to be fetched together with others';
	COMMENT ON COLUMN zcsync.refused_deliveries.minute IS 'the minute that begins then';
	COMMENT ON COLUMN zcsync.refused_deliveries.account_id IS 'number of the account; 0: no account has that path';
	COMMENT ON COLUMN zcsync.refused_deliveries.source IS 'the address that it came from';
	COMMENT ON COLUMN zcsync.refused_deliveries.reason IS 'why the last one was refused';
	COMMENT ON COLUMN zcsync.refused_deliveries.count IS 'how many were refused';
	COMMENT ON COLUMN zcsync.refused_deliveries.last_at IS 'when the last one came';
	COMMENT ON COLUMN zcsync.alert_targets.target_id IS 'number of the target';
	COMMENT ON COLUMN zcsync.alert_targets.name IS 'name';
	COMMENT ON COLUMN zcsync.alert_targets.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.alert_targets.settings IS 'settings, as its kind has them';
	COMMENT ON COLUMN zcsync.alert_targets.severity IS 'it is told of this and worse';
	COMMENT ON COLUMN zcsync.alert_targets.state IS 'state';
	COMMENT ON COLUMN zcsync.alert_targets.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.alert_secrets.target_id IS 'number of the target';
	COMMENT ON COLUMN zcsync.alert_secrets.name IS 'name';
	COMMENT ON COLUMN zcsync.alert_secrets.sealed IS 'the secret, sealed with AES-256-GCM';
	COMMENT ON COLUMN zcsync.alert_secrets.reference IS 'where the secret is: file:NAME or env:NAME';
	COMMENT ON COLUMN zcsync.alert_secrets.key_fingerprint IS 'fingerprint of the key that sealed it';
	COMMENT ON COLUMN zcsync.alert_secrets.updated_at IS 'when it was changed last; of a record: at its vendor';
	COMMENT ON COLUMN zcsync.alert_rules.name IS 'name';
	COMMENT ON COLUMN zcsync.alert_rules.measure IS 'what is watched; see zcsync.alert_measures()';
	COMMENT ON COLUMN zcsync.alert_rules.warning IS 'from this value on it is a warning; empty: there is no warning';
	COMMENT ON COLUMN zcsync.alert_rules.critical IS 'from this value on it is critical';
	COMMENT ON COLUMN zcsync.alert_rules.lasts IS 'how long the value must stay beyond the threshold before the alert is sent';
	COMMENT ON COLUMN zcsync.alert_rules.cool_down IS 'what begins again sooner after its end is not told again';
	COMMENT ON COLUMN zcsync.alert_rules.silence_from IS 'nothing is told from this time of day on';
	COMMENT ON COLUMN zcsync.alert_rules.silence_to IS 'end of the silence; alerts that are still open are sent then';
	COMMENT ON COLUMN zcsync.alert_rules.time_zone IS 'time zone of silence_from and silence_to';
	COMMENT ON COLUMN zcsync.alert_rules.accounts IS 'only these accounts; empty: all, and what is about none';
	COMMENT ON COLUMN zcsync.alert_rules.targets IS 'only these targets are told; empty: all';
	COMMENT ON COLUMN zcsync.alert_rules.escalate_after IS 'open and unacknowledged for so long: escalate_to is told, too';
	COMMENT ON COLUMN zcsync.alert_rules.escalate_to IS 'targets that are told when nobody acts';
	COMMENT ON COLUMN zcsync.alert_rules.state IS 'state';
	COMMENT ON COLUMN zcsync.alert_rules.created_at IS 'when the row was made';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_13() IS
'step 1: comments of the columns of webhooks to alert_rules';

CREATE FUNCTION zcsync._step_1_words_14() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.doors.door IS 'its name';
	COMMENT ON COLUMN zcsync.doors.heard_at IS 'when it last reported, which it does once a minute';
	COMMENT ON COLUMN zcsync.doors.spooled_since IS 'since when the first delivery in its file has waited; empty: none waits';
	COMMENT ON COLUMN zcsync.doors.spooled_bytes IS 'bytes of the deliveries that wait in its file';
	COMMENT ON COLUMN zcsync.alert_incidents.incident_id IS 'number of the incident';
	COMMENT ON COLUMN zcsync.alert_incidents.rule IS 'the rule that found it';
	COMMENT ON COLUMN zcsync.alert_incidents.object IS 'account, or what of the installation it is';
	COMMENT ON COLUMN zcsync.alert_incidents.accounts IS 'accounts that it is about; empty: none, or all';
	COMMENT ON COLUMN zcsync.alert_incidents.severity IS 'warning or critical, as it is now';
	COMMENT ON COLUMN zcsync.alert_incidents.value IS 'the measure, as it was last';
	COMMENT ON COLUMN zcsync.alert_incidents.summary IS 'what it is about, in a line';
	COMMENT ON COLUMN zcsync.alert_incidents.to_do IS 'what to run';
	COMMENT ON COLUMN zcsync.alert_incidents.began_at IS 'when it began';
	COMMENT ON COLUMN zcsync.alert_incidents.opened_at IS 'it has lasted as long as its rule says; NULL: not yet';
	COMMENT ON COLUMN zcsync.alert_incidents.told IS 'the worst severity that was told; NULL: none';
	COMMENT ON COLUMN zcsync.alert_incidents.told_at IS 'when it was told first';
	COMMENT ON COLUMN zcsync.alert_incidents.escalated_at IS 'when they were told';
	COMMENT ON COLUMN zcsync.alert_incidents.acknowledged_at IS 'when somebody said that they work on it';
	COMMENT ON COLUMN zcsync.alert_incidents.acknowledged_by IS 'the role that said so';
	COMMENT ON COLUMN zcsync.alert_incidents.resolved_at IS 'when it ended; empty: it is still so';
	COMMENT ON COLUMN zcsync.alert_incidents.all_clear_at IS 'when its end was told';
	COMMENT ON COLUMN zcsync.alert_deliveries.delivery_id IS 'number of the message';
	COMMENT ON COLUMN zcsync.alert_deliveries.incident_id IS 'number of the incident';
	COMMENT ON COLUMN zcsync.alert_deliveries.target_id IS 'number of the target';
	COMMENT ON COLUMN zcsync.alert_deliveries.event IS 'alert, worse (it was told as a warning before), escalation or all clear';
	COMMENT ON COLUMN zcsync.alert_deliveries.state IS 'state';
	COMMENT ON COLUMN zcsync.alert_deliveries.attempts IS 'attempts that were begun';
	COMMENT ON COLUMN zcsync.alert_deliveries.next_at IS 'it is tried again no sooner';
	COMMENT ON COLUMN zcsync.alert_deliveries.sent_at IS 'when it was sent';
	COMMENT ON COLUMN zcsync.alert_deliveries.last_error IS 'what the last failure said';
	COMMENT ON COLUMN zcsync.alert_deliveries.ticket_id IS 'local number of the ticket that it became';
	COMMENT ON COLUMN zcsync.alert_deliveries.created_at IS 'when the row was made';
	COMMENT ON COLUMN zcsync.outages.outage_id IS 'number of the outage';
	COMMENT ON COLUMN zcsync.outages.account_id IS 'number of the account; empty: all accounts';
	COMMENT ON COLUMN zcsync.outages.cause IS 'why: vendor, blocked, paused or worker';
	COMMENT ON COLUMN zcsync.outages.began_at IS 'when it began';
	COMMENT ON COLUMN zcsync.outages.ended_at IS 'when it ended; empty: it goes on';
	COMMENT ON COLUMN zcsync.outages.message IS 'what happened, for people';
	COMMENT ON COLUMN zcsync.hourly_numbers.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.hourly_numbers.hour IS 'the hour that begins then';
	COMMENT ON COLUMN zcsync.hourly_numbers.measure IS 'sent, read or job';
	COMMENT ON COLUMN zcsync.hourly_numbers.kind IS 'kind of the record; of a job its operation';
	COMMENT ON COLUMN zcsync.hourly_numbers.done IS 'how many ended well';
	COMMENT ON COLUMN zcsync.hourly_numbers.failed IS 'how many failed for good';
	COMMENT ON COLUMN zcsync.hourly_numbers.waits IS '{class of duration: how many}';
	COMMENT ON COLUMN zcsync.daily_numbers.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.daily_numbers.day IS 'the day, in UTC';
	COMMENT ON COLUMN zcsync.daily_numbers.measure IS 'what is counted';
	COMMENT ON COLUMN zcsync.daily_numbers.kind IS 'kind of the record, or of the thing';
	COMMENT ON COLUMN zcsync.daily_numbers.done IS 'how many ended well';
	COMMENT ON COLUMN zcsync.daily_numbers.failed IS 'how many failed for good';
	COMMENT ON COLUMN zcsync.daily_numbers.waits IS '{class of duration: how many}';
	COMMENT ON COLUMN zcsync.arrivals.arrival_id IS 'number of the row';
	COMMENT ON COLUMN zcsync.arrivals.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.arrivals.kind IS 'kind of the records';
	COMMENT ON COLUMN zcsync.arrivals.came_at IS 'when they came';
	COMMENT ON COLUMN zcsync.arrivals.created_at IS 'when the vendor made them, or changed them before they came; one for each record';
	COMMENT ON COLUMN zcsync.call_totals.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.call_totals.class IS 'class of calls';
	COMMENT ON COLUMN zcsync.call_totals.calls IS 'how many calls';
	COMMENT ON COLUMN zcsync.call_totals.throttled IS 'calls that the vendor refused for now';
	COMMENT ON COLUMN zcsync.slo_targets.goal IS 'name of the goal';
	COMMENT ON COLUMN zcsync.slo_targets.measure IS 'what is counted';
	COMMENT ON COLUMN zcsync.slo_targets.figure IS 'which number is compared';
	COMMENT ON COLUMN zcsync.slo_targets.at_most IS 'the goal: at most this';
	COMMENT ON COLUMN zcsync.slo_targets.at_least IS 'the goal: at least this';
	COMMENT ON COLUMN zcsync.slo_targets.meaning IS 'what it is';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_14() IS
'step 1: comments of the columns of alert_incidents to slo_targets';

CREATE FUNCTION zcsync._step_1_words_15() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	COMMENT ON COLUMN zcsync.service_levels.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.service_levels.days IS 'how many days the period has that ends now';
	COMMENT ON COLUMN zcsync.service_levels.measure IS 'sent, read, job; changes: the first two together; operation: jobs of the operation that fails most often';
	COMMENT ON COLUMN zcsync.service_levels.done IS 'how many ended well';
	COMMENT ON COLUMN zcsync.service_levels.failed IS 'how many failed for good';
	COMMENT ON COLUMN zcsync.service_levels.p50_ms IS 'half of them took no longer, in milliseconds';
	COMMENT ON COLUMN zcsync.service_levels.p95_ms IS '95 % of them took no longer';
	COMMENT ON COLUMN zcsync.service_levels.p99_ms IS '99 % of them took no longer';
	COMMENT ON COLUMN zcsync.service_levels.within_60_s IS 'percent of done and failed';
	COMMENT ON COLUMN zcsync.service_levels.taken_at IS 'when it was taken';
	COMMENT ON COLUMN zcsync.business_hours.weekday IS '1 is Monday, 7 Sunday';
	COMMENT ON COLUMN zcsync.business_hours.opens IS 'from when on people work';
	COMMENT ON COLUMN zcsync.business_hours.closes IS 'until when people work; 24:00 is possible';
	COMMENT ON COLUMN zcsync.business_hours.time_zone IS 'time zone';
	COMMENT ON COLUMN zcsync.holidays.day IS 'the day';
	COMMENT ON COLUMN zcsync.holidays.name IS 'name';
	COMMENT ON COLUMN zcsync.work_numbers.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.work_numbers.day IS 'the day, in UTC';
	COMMENT ON COLUMN zcsync.work_numbers.assignee IS 'id at the vendor; '''': nobody';
	COMMENT ON COLUMN zcsync.work_numbers.team IS 'team, as it was when that was counted';
	COMMENT ON COLUMN zcsync.work_numbers.opened IS 'tickets opened';
	COMMENT ON COLUMN zcsync.work_numbers.resolved IS 'tickets resolved';
	COMMENT ON COLUMN zcsync.work_numbers.resolutions IS 'business time from creation, {class: how many}';
	COMMENT ON COLUMN zcsync.work_numbers.replies IS 'business time from creation to the first public reply, {class: how many}';
	COMMENT ON COLUMN zcsync.lead_numbers.account_id IS 'number of the account';
	COMMENT ON COLUMN zcsync.lead_numbers.day IS 'the day of creation, in UTC';
	COMMENT ON COLUMN zcsync.lead_numbers.source IS 'the source that gave it';
	COMMENT ON COLUMN zcsync.lead_numbers.leads IS 'how many leads';
	COMMENT ON COLUMN zcsync.lead_numbers.prospects IS 'leads that became prospects, or more';
	COMMENT ON COLUMN zcsync.lead_numbers.opportunities IS 'leads that became opportunities';
	COMMENT ON COLUMN zcsync.lead_numbers.closed IS 'leads that were closed';
	COMMENT ON COLUMN zcsync.lead_numbers.value IS 'value of the opportunities';
	COMMENT ON COLUMN zcsync.lead_numbers.taken_at IS 'when it was taken';
	COMMENT ON COLUMN zcsync.table_sizes.day IS 'the day';
	COMMENT ON COLUMN zcsync.table_sizes.table_name IS 'the table; one by month as a whole';
	COMMENT ON COLUMN zcsync.table_sizes.row_count IS 'rows, as ANALYZE estimates them';
	COMMENT ON COLUMN zcsync.table_sizes.bytes IS 'size with indexes and TOAST';
	COMMENT ON COLUMN zcsync.role_grants.role IS 'role of the database; of a contact, what it is to the vendor';
	COMMENT ON COLUMN zcsync.role_grants.level IS 'reader, operator or admin';
	COMMENT ON COLUMN zcsync.role_grants.account_id IS 'account that it reads, of several a row each; empty: all';
	COMMENT ON COLUMN zcsync.role_grants.granted_at IS 'when it was granted';
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words_15() IS
'step 1: comments of the columns of service_levels to role_grants';
