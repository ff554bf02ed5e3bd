-- ---------------------------------------------------------------------
-- What the columns of the tables are, for \d+.  A word that means the same in all
-- tables is said once; a table that means something else by it says so.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._common_words_1() RETURNS TABLE (name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('account_id', 'number of the account'), ('acknowledged_at', 'when somebody said that he works on it'), ('acknowledged_by', 'the role that said so'),
		('active', 'false: not in use any more at the vendor'), ('alert_id', 'number of the alert'), ('archived', 'archived at the vendor: it is in no list of open tasks'),
		('assignee_id', 'remote id of who works on it; empty: unassigned'), ('assignees', 'remote ids of those who work on it'), ('at_least', 'the goal: at least this'),
		('attempts', 'attempts that were begun'), ('author_id', 'remote id of who wrote it'), ('author_name', 'who wrote it'),
		('backfill', 'it is wanted whatever the age of the record'), ('backoff_base', 'wait after the first failure; doubled with each further one'),
		('backoff_cap', 'the longest wait between two attempts'), ('began_at', 'when it began'), ('body', 'the text'), ('brand_id', 'remote id of the brand'),
		('breaker_opened_at', 'when the vendor was first found out of order'), ('budget_class', 'class of calls whose limit it counts for'),
		('bytes', 'size with indexes and TOAST'), ('calling_code', 'how numbers of this country begin'), ('calls', 'how many calls'), ('calls_done', 'calls of the history run'),
		('calls_total', 'calls ever made'), ('cancelled_by', 'the role that took it back'),
		('category', 'what the vendor counts it as: new, open, pending, hold, solved, closed, ...'), ('cause', 'why: vendor, blocked, paused or worker'),
		('changed_at', 'when it was last changed'), ('channel', 'how it came in: email, web, phone, ...'), ('city', 'city'), ('claimed_at', 'when a process took it'),
		('class', 'class of calls, or of the failure'), ('closed', 'leads that were closed'), ('closed_at', 'when it was closed'), ('color', 'colour, as the vendor has it'),
		('company', 'name of the company'), ('company_id', 'remote id of the company'), ('compiled_at', 'when its SQL was last compiled'), ('concurrency', 'how many at a time'),
		('conflict_id', 'number of the conflict'), ('contact_id', 'remote id of the contact'), ('count', 'how often it happened'),
		('country', 'country, as ISO 3166 has it where it is known'), ('created_at', 'when the row was made; of a record: when it was created at its vendor'),
		('created_by', 'the role that made it'), ('creator_id', 'remote id of who made it'), ('critical', 'from this value on it is critical'),
		('custom_fields', 'field id to value; unset ones are left out'), ('custom_id', 'id of its own that people gave it, as DEV-12'),
		('custom_status_id', 'remote id of a status of the vendor''s own'), ('database_oid', 'oid of this database'), ('day', 'the day'), ('decided_at', 'when a person decided'),
		('decided_by', 'who decided'), ('dedupe_key', 'ready jobs with the same key are one'), ('default_assignee', 'who gets a record whose own assignee has no counterpart'),
		('deleted_at', 'when it was seen that the record is gone; the row stays'), ('delivery_id', 'number of the message'),
		('description', 'the text of the record; of a ticket its first comment, which may be internal'), ('died_at', 'when it failed for good'),
		('direction', 'forward, both or back'), ('do_not_call', 'the person does not want to be called'), ('domain', 'domain of its addresses or web site'),
		('done', 'how many ended well'), ('due_at', 'until when it is to be done'), ('email', 'e-mail address'),
		('email_status', 'what a source says of the address: verified, guessed, ...'), ('employees', 'how many people the company has'), ('enabled_at', 'when it was asked for'),
		('engagement', 'score: what the person did'), ('enqueued_by', 'the role that queued it first'), ('escalate_to', 'targets that are told when nobody acts'),
		('escalated_at', 'when they were told'), ('external_id', 'the mark or the id of another system, as the vendor stores it'), ('failed', 'how many failed for good'),
		('failing_since', 'since when it cannot be read'), ('field', 'column, or custom_fields/key'), ('figure', 'which number is compared'),
		('first_at', 'when it happened first'), ('first_name', 'first name'), ('fit', 'score: how well the lead fits'), ('folder_id', 'remote id of the folder'),
		('form_id', 'remote id of the form'), ('found_at', 'when it was found'), ('goal', 'name of the goal'), ('granted_at', 'when it was granted'),
		('group_id', 'remote id of the group or team'), ('hint', 'what to run, or to do'), ('history_cursor', 'how far the history was read, as the vendor counts'),
		('history_done_at', 'when the history was read to its end'), ('history_started_at', 'when the reading of the history began'), ('history_state', 'none, running or done'),
		('hour', 'the hour that begins then'), ('hour_writes', 'records that it wrote to within the hour, for the write brake'), ('http_status', 'HTTP status of the last reply'),
		('imported_at', 'when it was last imported'), ('incarnation', 'random number by which jobs name the process'), ('incident_id', 'number of the incident'),
		('industry', 'industry of the company'), ('inserted_at', 'when it was inserted here: it decides in which month the row is'), ('intake_id', 'number of the intake'),
		('is_default', 'what new records get'), ('is_private', 'shown to agents only; empty: not known, which counts as private'), ('is_prospect', 'not a customer yet'),
		('job_id', 'number of the job'), ('keep_completed', 'how many records of jobs that ended well are kept, per account'),
		('keep_failed', 'how many records of jobs that failed are kept, per account'), ('key', 'the mark'), ('kind', 'kind of the record, or of the thing'),
		('last_at', 'when it happened last'), ('last_call_at', 'when the last call was made'), ('last_change_at', 'when a page last changed something'),
		('last_error', 'what the last failure said'), ('last_error_at', 'when that was'), ('last_error_lane', 'which lane it was: live, history or compare'),
		('last_hint', 'what can be done about it'), ('last_name', 'last name'), ('last_status', 'HTTP status of the last attempt'), ('lead_b', 'local_id of the other one'),
		('leads', 'how many leads'), ('level', 'reader, operator or admin'), ('link_id', 'number of the pair'), ('linkedin_url', 'profile at LinkedIn'),
		('list_id', 'remote id of the list'), ('local_id', 'number of the row, unique in all mirror tables; it never changes'),
		('lookup_floor', 'of an unclear create: the latest remote id known before it was sent'), ('made_at', 'when the record was made'), ('mapped_by', 'the role that mapped it');
END;
COMMENT ON FUNCTION zcsync._common_words_1() IS
'words for columns that mean the same in all tables: names from a to k';

CREATE FUNCTION zcsync._common_words_2() RETURNS TABLE (name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('max_attempts', 'failures after which a job is a dead letter'), ('meaning', 'what it is'), ('measure', 'what is counted'), ('merge_id', 'number of the merge'),
		('merged_at', 'when they were merged'), ('merged_into', 'local_id of the lead that this one is part of now'), ('message', 'what happened, for people'),
		('min_engagement', 'engagement of at least so much'), ('min_fit', 'fit of at least so much'), ('min_quality', 'quality of at least so much'), ('mobile', 'mobile number'),
		('name', 'name'), ('new', 'the new values'), ('newest_record_at', 'creation of the newest record mirrored'), ('next_pull_at', 'when it is read next'),
		('notify', 'writes may have the vendor notify people'), ('oldest_record_at', 'creation of the oldest record mirrored'),
		('on_leave', 'what becomes of the copy of a record that leaves the filter: keep, unlink or close'), ('opened', 'tickets opened'), ('opens', 'from when on people work'),
		('operation', 'what is done: pull, fetch, push, route, apply, token, ...'), ('operator', 'how the value is compared'),
		('opportunities', 'leads that became opportunities'), ('options', 'what can be chosen: [{"id", "name"}]'), ('organization_id', 'remote id of the company'),
		('outage_id', 'number of the outage'), ('outcome', 'what a call ended with'), ('owner_id', 'remote id of who looks after it'),
		('p50_ms', 'half of them took no longer, in milliseconds'), ('p95_ms', '95 % of them took no longer'), ('p99_ms', '99 % of them took no longer'),
		('parent_id', 'remote id of what it is part of'), ('parent_kind', 'kind of what it is part of'), ('parts', '{field: {similarity, weight, part}}'),
		('pause_reason', 'why it waits'), ('payload', 'what to do, in the form of its operation'), ('phone', 'phone number'), ('pid', 'number of the process'),
		('points', 'points: of a rule what it gives, of a task its estimate'), ('position', 'place in the order'), ('postal_code', 'postal code'),
		('priority', 'of a record how urgent it is; of a job: lower first'), ('probability', 'how likely it is to be won, in percent'),
		('provenance', '{column: the source that its value is of}'), ('pull_interval', 'how often it is read'), ('quality', 'score: fit and engagement together'),
		('queue', 'name of the queue'), ('queued_at', 'when it was queued'), ('reason', 'why'), ('record_key', 'jobs with the same key run one after the other'),
		('records_estimate', 'records expected'), ('refilled_at', 'when the bucket was last filled'), ('region', 'region or state'),
		('remote_id', 'the vendor''s id; empty until the record is created there'), ('remote_remaining', 'what the vendor last said was left'),
		('remote_reset_at', 'when the vendor counts anew'), ('remote_version', 'what orders documents of a record'), ('requester_id', 'remote id of who asked'),
		('required', 'it must have a value'), ('resolved', 'tickets resolved'), ('resolved_at', 'when it ended; empty: it is still so'),
		('revenue', 'what the company takes in a year'), ('role', 'role of the database; of a contact, what it is to the vendor'), ('route_id', 'number of the route'),
		('row_id', 'number of the row of a source'), ('rule', 'the rule that found it'), ('rule_id', 'number of the rule'), ('run_at', 'not before this time'),
		('scope', 'which part of the account is read'), ('scope_id', 'where it belongs: a list, or a kind of record'), ('score', 'points'), ('seen_at', 'when it was last seen'),
		('sent', 'what a push sent and the vendor may have carried out unseen'), ('sent_at', 'when it was sent'), ('settings', 'settings, as its kind has them'),
		('severity', 'warning or critical'), ('share', 'part of the vendor''s limit that is used'), ('singleton', 'there is one row'), ('site_id', 'remote id of the site'),
		('source', 'the source that gave it'), ('source_account', 'number of the account of the source'), ('source_account_id', 'number of the account of the company'),
		('source_id', 'local_id of the record at the source; of a row of a source, its id there'), ('source_kind', 'kind of the source'),
		('source_stream_id', 'stream that records come from'), ('space_id', 'remote id of the space'), ('stage', 'lead, prospect or opportunity'),
		('stage_id', 'remote id of the stage'), ('start_at', 'when work on it is to begin'), ('started_at', 'when the process began'), ('state', 'state'),
		('status', 'status of a record as its vendor has it; HTTP status of a failure'), ('status_id', 'remote id of the status'),
		('status_type', 'what the vendor counts the status as: open, custom, done, closed'), ('stopped', 'zcsync.stop() was called'), ('stream_id', 'number of the stream'),
		('street', 'street'), ('subject', 'subject'), ('submitter_id', 'remote id of who entered it'), ('summary', 'what it is about, in a line'),
		('sync_state', 'synced, pending (to be sent), held (by the write brake), conflict or failed (a dead letter)'), ('sync_xid', 'the transaction that wrote the row'),
		('synced_at', 'when the row last equalled the vendor''s'), ('system_identifier', 'identifier of this server'), ('tables_version', 'version of the tables'),
		('tags', 'tags'), ('taken_at', 'when it was taken'), ('target_account', 'number of the account of the target'),
		('target_account_id', 'number of the account of the client'), ('target_id', 'number of the target'), ('target_kind', 'kind of the target'),
		('target_stream_id', 'stream that records go to'), ('team', 'team, as it was then'), ('theirs', 'the vendor''s value'),
		('throttled', 'calls that the vendor refused for now'), ('throttled_total', 'calls that the vendor ever refused for now'),
		('time_estimate', 'how long it will take, in milliseconds'), ('time_zone', 'time zone'), ('timeline', 'timeline of the server'), ('title', 'title of the person'),
		('to_do', 'what to run'), ('tokens', 'calls that may be made at once'), ('type', 'type'), ('type_id', 'remote id of the type'),
		('unclear_since', 'when a create began whose effect is not known'), ('updated_at', 'when it was changed last; of a record: at its vendor'),
		('url', 'address in the vendor''s pages'), ('value', 'value'), ('vendor', 'name of the vendor'), ('version', 'of a document that waits'),
		('waits', '{class of duration: how many}'), ('website', 'web site'), ('window_s', 'length of the window in seconds'), ('writes', 'rows may be written here and are sent'),
		('xid', 'the transaction that wrote it');
END;
COMMENT ON FUNCTION zcsync._common_words_2() IS
'words for columns that mean the same in all tables: the other names';

CREATE FUNCTION zcsync._own_words_1() RETURNS TABLE (relations text[], name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('{installation}'::text[], 'control_file', 'inode of global/pg_control; empty: not known'),
		('{installation}'::text[], 'machine', 'made from the machine-id; empty: it has none'),
		('{installation}'::text[], 'adopted_at', 'when it took over from another database: by adopt_database(), or after a failover'),
		('{installation}'::text[], 'clock_at', 'the latest time that was seen, to the minute'),
		('{installation}'::text[], 'maintained_at', 'when zcsync.maintain() last ran to its end'), ('{installation}'::text[], 'alerts_at', 'when alerts were last evaluated'),
		('{installation}'::text[], 'numbers_at', 'when zcsync.maintain() last counted what was done'), ('{alerts}'::text[], 'code', 'what it is, as key_missing or write_brake'),
		('{alerts}'::text[], 'object', 'account or route; empty: the whole installation'), ('{report_archive}'::text[], 'report', 'the view: slow_queries or table_bloat'),
		('{report_archive}'::text[], 'place', 'the row''s place in the view'), ('{report_archive}'::text[], 'line', 'the row itself'),
		('{accounts}'::text[], 'state_reason', 'why it is not active, for people'), ('{accounts}'::text[], 'state_hint', 'what to run'),
		('{accounts}'::text[], 'blocked_by', 'while blocked: the code of the alert about it'), ('{accounts}'::text[], 'version', 'increased when settings or credentials change'),
		('{accounts}'::text[], 'token_scope', 'what the vendor lets its access token do; NULL: it has none, or no scope'),
		('{accounts}'::text[], 'credentials_end_at', 'when the credentials end; empty: not known'), ('{accounts}'::text[], 'breaker_failures', 'vendor failures in a row'),
		('{accounts}'::text[], 'breaker_until', 'no call before this time; then one probe'),
		('{credentials,alert_secrets}'::text[], 'sealed', 'the secret, sealed with AES-256-GCM'),
		('{credentials,alert_secrets}'::text[], 'reference', 'where the secret is: file:NAME or env:NAME'),
		('{credentials,alert_secrets}'::text[], 'key_fingerprint', 'fingerprint of the key that sealed it'), ('{credentials}'::text[], 'expires_at', 'when the token expires'),
		('{account_budgets}'::text[], 'class', 'class of calls: api, export, write, ...'), ('{account_budgets}'::text[], 'calls', 'calls allowed in one window'),
		('{account_budgets}'::text[], 'paused_until', 'no call before this time: the vendor asked to wait'),
		('{account_budgets}'::text[], 'guessed_pauses', 'pauses in a row whose length the vendor did not name'),
		('{account_budgets}'::text[], 'guessed_at', 'when the last of them began'),
		('{account_budgets}'::text[], 'remote_limit', 'the limit that the vendor last named, for one window'),
		('{account_budgets}'::text[], 'lowered_from', 'what calls was before it was lowered to a limit that the vendor named; NULL: it was not lowered'),
		('{account_budgets}'::text[], 'lowered_at', 'when calls were last refused after that'), ('{streams}'::text[], 'policies', '{column: which side wins if both changed it}'),
		('{streams}'::text[], 'since', 'from when on the history is read; empty: no history'),
		('{streams}'::text[], 'live_cursor', 'how far changes were read, as the vendor counts; empty: nothing yet'),
		('{streams}'::text[], 'compare_cursor', 'how far a comparison with the vendor is; empty: none is going on'),
		('{streams}'::text[], 'compared_at', 'when the last complete comparison began'), ('{streams}'::text[], 'last_pull_at', 'when the live cursor was last up to date'),
		('{streams}'::text[], 'read_began_at', 'when the live read that ended at last_pull_at began'),
		('{streams}'::text[], 'reading_since', 'when the live read began of which some pages have arrived, but not the last'),
		('{streams}'::text[], 'reads_awaited', 'complete live reads that are needed before routes may write there again'),
		('{streams}'::text[], 'jobs_awaited', 'after these reads, the jobs up to this number must end, too: they store what was read; NULL: none'),
		('{streams}'::text[], 'records_done', 'records that the history run has read'),
		('{streams}'::text[], 'last_error', 'why the last read of a lane failed; NULL: it did not, or the lane was read since'),
		('{streams}'::text[], 'last_error_class', 'vendor and throttled end by themselves, others need a person'),
		('{lists}'::text[], 'path', 'its path: Space/Folder/List or Space/List'), ('{lists}'::text[], 'detail', 'names of statuses and fields'),
		('{lists}'::text[], 'detailed_at', 'when detail was read; empty: not yet'), ('{alert_targets}'::text[], 'severity', 'it is told of this and worse'),
		('{alert_rules}'::text[], 'measure', 'what is watched; see zcsync.alert_measures()'),
		('{alert_rules}'::text[], 'warning', 'from this value on it is a warning; empty: it gives none'),
		('{alert_rules}'::text[], 'lasts', 'for so long it must be so before it is told'),
		('{alert_rules}'::text[], 'cool_down', 'what begins again sooner after its end is not told again'),
		('{alert_rules}'::text[], 'silence_from', 'nothing is told from this time of day on'),
		('{alert_rules}'::text[], 'silence_to', 'until this one; what still is so, is told then'),
		('{alert_rules}'::text[], 'time_zone', 'time zone of silence_from and silence_to'),
		('{alert_rules}'::text[], 'accounts', 'only these accounts; empty: all, and what is about none'),
		('{alert_rules}'::text[], 'targets', 'only these targets are told; empty: all'),
		('{alert_rules}'::text[], 'escalate_after', 'open and unacknowledged for so long: escalate_to is told, too'),
		('{alert_incidents}'::text[], 'object', 'account, or what of the installation it is'),
		('{alert_incidents}'::text[], 'account', 'account that it is about; empty: none, or all'), ('{alert_incidents}'::text[], 'severity', 'warning or critical, as it is now'),
		('{alert_incidents}'::text[], 'value', 'the measure, as it was last'), ('{alert_incidents}'::text[], 'opened_at', 'it has lasted as long as its rule says; NULL: not yet'),
		('{alert_incidents}'::text[], 'told', 'the worst severity that was told; NULL: none'), ('{alert_incidents}'::text[], 'told_at', 'when it was told first'),
		('{alert_incidents}'::text[], 'all_clear_at', 'when its end was told'),
		('{alert_deliveries}'::text[], 'event', 'alert, worse (it was told as a warning before), escalation or all clear'),
		('{alert_deliveries}'::text[], 'next_at', 'it is tried again no sooner'), ('{alert_deliveries}'::text[], 'ticket_id', 'local number of the ticket that it became'),
		('{leads,tickets,tasks,contacts,companies,comments,fields,statuses}'::text[], 'base', 'values last agreed with the vendor'),
		('{leads,tickets,tasks,contacts,companies,comments,fields,statuses}'::text[], 'remote', 'the vendor''s last document');
END;
COMMENT ON FUNCTION zcsync._own_words_1() IS
'words for columns of single tables';

CREATE FUNCTION zcsync._own_words_2() RETURNS TABLE (relations text[], name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('{leads,tickets,tasks,contacts,companies,comments,fields,statuses}'::text[], 'sync_key', 'the mark that a create carries'),
		('{leads,tickets,tasks,contacts,companies,comments,fields,statuses}'::text[], 'sync_cause', 'who wrote the row last: local, pull, push, route, ...'),
		('{leads,tickets,tasks,contacts,companies,comments,fields,statuses}'::text[], 'sync_cause_id', 'the job, the route, ...'),
		('{lead_identities}'::text[], 'kind', 'remote, email, or the name of a source'), ('{lead_identities}'::text[], 'local_id', 'local_id of the lead'),
		('{lead_sources}'::text[], 'precedence', 'whose values win: those of the lower number'),
		('{lead_sources}'::text[], 'groups', 'precedence of groups of fields that have a different one'),
		('{lead_sources}'::text[], 'field_map', '{column: [the fields that may have its value, the best first]}'),
		('{lead_sources}'::text[], 'id_field', 'the field with the source''s own id'), ('{lead_sources}'::text[], 'unwrap', 'objects in a document that contain the lead itself'),
		('{intakes}'::text[], 'name', 'name of its table in schema zcsync_intake'), ('{intakes}'::text[], 'columns', '[{"column", "header", "fields"}]'),
		('{intakes}'::text[], 'delimiter', 'between the columns of the file'), ('{intakes}'::text[], 'counts', 'of the last import: {result: rows}'),
		('{lead_rows}'::text[], 'local_id', 'the lead of which it is a part'),
		('{lead_rows}'::text[], 'row_key', 'its id at the source and its e-mail address; without an id, its values'),
		('{lead_rows}'::text[], 'hash', 'hash of the values that came last'), ('{lead_rows}'::text[], 'email', 'e-mail address, normalised; empty: none, or no valid one'),
		('{lead_rows}'::text[], 'vals', '{column of leads: value}'), ('{lead_rows}'::text[], 'at', 'when its values were true, as the source says; otherwise taken_at'),
		('{lead_rows}'::text[], 'via', 'how it came to its lead: new, email, source id, similar, by hand'),
		('{lead_rows}'::text[], 'look_again', 'others inserted leads at the same time that could not be seen'),
		('{lead_duplicates}'::text[], 'lead_a', 'local_id of one of the two'), ('{lead_duplicates}'::text[], 'score', 'how alike they are; empty: they were not compared'),
		('{lead_duplicates}'::text[], 'parts', '{field: {similarity, weight, part}}; the parts add up to score'),
		('{lead_duplicates}'::text[], 'reason', 'why they were not merged'), ('{lead_merges}'::text[], 'kept_id', 'local_id of the lead that was kept'),
		('{lead_merges}'::text[], 'merged_id', 'local_id of the other; empty: it never was a separate lead'),
		('{lead_merges}'::text[], 'row_ids', 'the lead_rows that moved to the lead that was kept'),
		('{lead_merges}'::text[], 'score', 'how alike they were; empty: merged for another reason'), ('{lead_merges}'::text[], 'undo', 'identities, links and pairs as they were'),
		('{lead_merges}'::text[], 'undone_at', 'when it was undone by zcsync.split_lead()'),
		('{lead_statuses}'::text[], 'closed', 'such leads are not worked on; see zcsync.rebuild_active_index()'),
		('{lead_score_rules}'::text[], 'field', 'column of leads, or custom:NAME'),
		('{lead_score_rules}'::text[], 'value', 'what the column is compared with; of one_of and contains several values, with | between them'),
		('{lead_stage_rules}'::text[], 'status_ids', 'only these statuses; empty: any that is not closed'), ('{countries}'::text[], 'country', 'ISO 3166, two letters'),
		('{countries}'::text[], 'trunk_prefix', 'dialled before a number within the country; empty: there is none'),
		('{countries}'::text[], 'decimal_comma', 'numbers are written 1.234,5 and not 1,234.5'), ('{country_names}'::text[], 'name', 'a name of the country, in lower case'),
		('{company_forms}'::text[], 'form', 'the word, in lower case, without dots'), ('{search_indexes}'::text[], 'language', 'text search configuration, with its schema'),
		('{search_indexes}'::text[], 'fields', 'custom fields that are searched too'), ('{search_indexes}'::text[], 'typos', 'there is an index of trigrams, too'),
		('{outages}'::text[], 'account_id', 'number of the account; empty: all accounts'), ('{outages}'::text[], 'ended_at', 'when it ended; empty: it goes on'),
		('{hourly_numbers}'::text[], 'measure', 'sent, read or job'), ('{hourly_numbers}'::text[], 'kind', 'kind of the record; of a job its operation'),
		('{daily_numbers,work_numbers}'::text[], 'day', 'the day, in UTC'), ('{slo_targets}'::text[], 'at_most', 'the goal: at most this'),
		('{service_levels}'::text[], 'days', 'how many days the period has that ends now'),
		('{service_levels}'::text[], 'measure', 'sent, read, job, or changes: the first two together'), ('{service_levels}'::text[], 'within_60_s', 'percent of done and failed'),
		('{business_hours}'::text[], 'weekday', '1 is Monday, 7 Sunday'), ('{business_hours}'::text[], 'closes', 'until when people work; 24:00 is possible'),
		('{work_numbers}'::text[], 'assignee', 'id at the vendor; '''': nobody'), ('{work_numbers}'::text[], 'resolutions', 'business time from creation, {class: how many}'),
		('{work_numbers}'::text[], 'replies', 'business time from creation to the first public reply, {class: how many}'),
		('{lead_numbers}'::text[], 'day', 'the day of creation, in UTC'), ('{lead_numbers}'::text[], 'prospects', 'leads that became prospects, or more'),
		('{lead_numbers}'::text[], 'value', 'value of the opportunities'), ('{table_sizes}'::text[], 'table_name', 'the table; one by month as a whole'),
		('{table_sizes}'::text[], 'row_count', 'rows, as ANALYZE estimates them'),
		('{role_grants}'::text[], 'account_id', 'account that it reads, of several a row each; empty: all'),
		('{queues}'::text[], 'concurrency', 'how many jobs of one account may run at a time'),
		('{queues}'::text[], 'max_age', 'a job that is older fails for good at the next failure of the vendor or throttling'),
		('{claimants}'::text[], 'role', 'worker, local or run'), ('{sync_queue}'::text[], 'budget_class', 'class of calls whose limit it counts for; empty: it sends nothing'),
		('{sync_queue}'::text[], 'local_id', 'local_id of the mirror row, where there is one'), ('{sync_queue}'::text[], 'record_key', 'only one running job may have it'),
		('{sync_queue}'::text[], 'payload', 'what to do, in the form of its operation; for a route, "edited" means: not only for a backfill'),
		('{sync_queue}'::text[], 'priority', 'lower first; from 60 on it is history or a backfill'),
		('{sync_queue}'::text[], 'failures', 'attempts that count towards max_attempts'),
		('{sync_queue}'::text[], 'claimed_by', 'the process that runs it, see claimants.incarnation'),
		('{sync_queue}'::text[], 'crashes', 'how often its worker ended while it ran'),
		('{sync_queue}'::text[], 'call_id', 'while running: the job after which its call is named'),
		('{sync_queue}'::text[], 'batch_max', 'at most so many jobs travel in a call with this one; NULL: as many as the vendor takes'),
		('{sync_queue}'::text[], 'joins', 'how often an enqueue found this job waiting'), ('{sync_queue}'::text[], 'version', 'version of a document that waits');
END;
COMMENT ON FUNCTION zcsync._own_words_2() IS
'words for columns of single tables';

CREATE FUNCTION zcsync._own_words_3() RETURNS TABLE (relations text[], name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('{sync_queue}'::text[], 'backfill', 'of a route: it is wanted whatever the age of the record'),
		('{sync_queue}'::text[], 'sent', 'of a push: what it sent and the vendor may have carried out unseen'),
		('{sync_queue}'::text[], 'lookup_page', 'of an unclear create: the next page on which to look for it'),
		('{sync_queue}'::text[], 'refused_at', 'of a push: when it was refused because a right seemed to be missing'),
		('{sync_queue}'::text[], 'refused_alone', 'no other job travelled with it when it was refused'),
		('{sync_queue}'::text[], 'to_hold', 'while running: it will be held when it goes back'),
		('{sync_queue}'::text[], 'cancelled', 'what it would send is no longer wanted: ''wanted'' means that the row''s values are to be taken back, ''kept'' that the row is new and keeps them'),
		('{sync_queue}'::text[], 'stale', 'of a pull: the read was given up, so its page is dropped'), ('{sync_queue}'::text[], 'last_class', 'outcome of the last attempt'),
		('{sync_queue}'::text[], 'enqueued_xid', 'transaction of the last enqueue'), ('{sync_queue}'::text[], 'previous_xid', 'transaction of the enqueue before that'),
		('{sync_queue}'::text[], 'enqueued_at', 'when it was last queued'),
		('{sync_queue}'::text[], 'waits_since', 'of a push: since when it has been put off until its record is read'),
		('{dead_letters}'::text[], 'reply', 'first part of the last reply'),
		('{sync_records}'::text[], 'status', 'done, created, updated, found, merged, unchanged, cancelled, failed'),
		('{sync_records}'::text[], 'class', 'class of the failure, where it failed'), ('{sync_records}'::text[], 'changed', 'rows that a page changed'),
		('{sync_records}'::text[], 'duration_us', 'how long the last call took, in microseconds'),
		('{changes}'::text[], 'action', 'insert, update, delete, or lost: both sides changed the column, and the value old lost to new'),
		('{changes}'::text[], 'old', 'the old values, of changed columns only'), ('{changes}'::text[], 'cause', 'who wrote it: local, pull, push, route, ...'),
		('{changes}'::text[], 'cause_id', 'the job, the route, ...'), ('{changes}'::text[], 'role', 'role of the database that wrote it'),
		('{conflicts}'::text[], 'mine', 'the row''s value when the vendor''s value was last seen'),
		('{conflicts}'::text[], 'resolved_at', 'when it was decided; empty: open, and the column is not sent'),
		('{routes}'::text[], 'filter', 'SQL condition over the source row; empty: all'),
		('{routes}'::text[], 'create_in', 'where records are created: list or ticket type by id, path or name, or an SQL expression'),
		('{routes}'::text[], 'match_on', 'SQL condition over source s and target t that finds existing records'),
		('{routes}'::text[], 'default_client', 'company of the target for records whose own company has none there; NULL: such records wait'),
		('{routes}'::text[], 'unknown_user', 'none, or general: who stands for a requester whom the client does not know'),
		('{routes}'::text[], 'starts_at', 'when it was first resumed, by the clock of this server; NULL: never'),
		('{routes}'::text[], 'old_before', 'by the source''s clock: a record that changed before this was there before the route'),
		('{routes}'::text[], 'new_from', 'a record that changed at this time or later is new to the route'),
		('{routes}'::text[], 'old_rows', 'snapshot: rows of transactions that it sees were there before the route'),
		('{routes}'::text[], 'backfill_records', 'number of records in the present backfill, or the last one'), ('{routes}'::text[], 'backfill_at', 'when the backfill began'),
		('{routes}'::text[], 'follows', 'a backfill also takes records that the history of the source still brings'),
		('{routes}'::text[], 'defined_by', 'role that owns the compiled functions'), ('{routes}'::text[], 'attempts', 'attempts to run its SQL since it last ran to its end'),
		('{routes}'::text[], 'hour_started_at', 'when the hour of the write brake began'),
		('{route_fields}'::text[], 'field', 'column of the row that is written, or custom:<field id>'),
		('{route_fields}'::text[], 'expression', 'SQL over the row that is read, s'), ('{route_fields}'::text[], 'mapped', 'its values are translated by route_values'),
		('{route_fields}'::text[], 'unmapped', 'values whose translation a person removed: none is suggested again'),
		('{route_values}'::text[], 'source_value', 'the value as read'), ('{route_values}'::text[], 'target_value', 'the value as written; empty on purpose, where NULL'),
		('{route_values}'::text[], 'target_id', 'remote id of the value (a status), which survives renaming'),
		('{route_values}'::text[], 'suggested', 'zcsync suggested it, and may change it; false: a person set it'),
		('{company_maps}'::text[], 'company', 'id of a company, an e-mail address, or @ and a domain'), ('{company_maps}'::text[], 'client_id', 'remote id of the client'),
		('{links}'::text[], 'key', 'key of the pair, also outside of this database: the mark of a create'),
		('{links}'::text[], 'route_id', 'the route that drives the pair; empty: none'),
		('{links}'::text[], 'source_id', 'local_id of the record that is the source of that route'), ('{links}'::text[], 'target_id', 'local_id of the other record'),
		('{links}'::text[], 'copy_id', 'the one of the two that a route made as a copy of the other; NULL: neither'),
		('{links}'::text[], 'shared', 'a person linked this source to a target that already has one'),
		('{links}'::text[], 'agreed', 'mapped value of each field when both sides last agreed'),
		('{links}'::text[], 'agreed_back', 'mapped value of each field that comes back, when both sides last agreed'),
		('{links}'::text[], 'dropped', 'fields whose map changed: the time since which edits count; as an array: apply_route() writes the field'),
		('{route_errors}'::text[], 'field', 'field of the target; empty: the whole record; back: and a column of the source'),
		('{route_errors}'::text[], 'code', '''unmapped_value'', ''mapping_error'', ''no_target'', ...'), ('{route_errors}'::text[], 'value', 'the value that could not be mapped'),
		('{route_errors}'::text[], 'detail', 'what is known about a company that is not mapped'),
		('{route_errors}'::text[], 'backfill', 'it happened in a backfill, so the record is wanted whatever its age'),
		('{marks}'::text[], 'local_id', 'local_id of the row that has it'), ('{marks}'::text[], 'copied', 'a route made the row as a copy');
END;
COMMENT ON FUNCTION zcsync._own_words_3() IS
'words for columns of single tables';

-- What vendors report by webhooks.
CREATE FUNCTION zcsync._own_words_4() RETURNS TABLE (relations text[], name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('{webhooks}'::text[], 'path', 'random: where the vendor sends to'), ('{webhooks}'::text[], 'replay_window', 'a delivery whose signed time is further away is refused'),
		('{webhooks}'::text[], 'taken_at', 'when records that waited to be fetched together were last taken'), ('{webhooks}'::text[], 'taken', 'how many that were'),
		('{inbox}'::text[], 'webhook', 'the vendor''s id of the webhook'), ('{inbox}'::text[], 'event', 'what happened, in the vendor''s words'),
		('{inbox}'::text[], 'key', 'the vendor''s id of the delivery, or of the entries of its history'), ('{inbox}'::text[], 'body_hash', 'SHA-256 of the body'),
		('{inbox}'::text[], 'kind', 'kind of the record; NULL: nothing is read'), ('{inbox}'::text[], 'remote_id', 'the vendor''s id of the record'),
		('{inbox}'::text[], 'stream_id', 'stream of the record''s kind, when it came'), ('{inbox}'::text[], 'received_at', 'when it came'),
		('{inbox}'::text[], 'waits', 'to be fetched together with others'), ('{refused_deliveries}'::text[], 'minute', 'the minute that begins then'),
		('{refused_deliveries}'::text[], 'account_id', 'number of the account; 0: no account has that path'), ('{refused_deliveries}'::text[], 'source', 'the address that it came from'),
		('{refused_deliveries}'::text[], 'reason', 'why the last one was refused'), ('{refused_deliveries}'::text[], 'count', 'how many were refused'),
		('{refused_deliveries}'::text[], 'last_at', 'when the last one came');
END;
COMMENT ON FUNCTION zcsync._own_words_4() IS
'words for columns of webhooks and of what they bring';

-- At the end of step 1, so that no column of a user is described.
CREATE FUNCTION zcsync._step_1_words() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	FOR v IN
		SELECT c.oid::regclass AS relation, a.attname, coalesce(o.words, w.words) AS words
		FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN (SELECT * FROM zcsync._own_words_1()
			UNION ALL SELECT * FROM zcsync._own_words_2()
			UNION ALL SELECT * FROM zcsync._own_words_3()
			UNION ALL SELECT * FROM zcsync._own_words_4()) AS o ON c.relname = ANY (o.relations) AND o.name = a.attname
		LEFT JOIN (SELECT * FROM zcsync._common_words_1() UNION ALL SELECT * FROM zcsync._common_words_2()) AS w ON w.name = a.attname
		WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	LOOP
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v.relation, v.attname, v.words);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._step_1_words() IS
'step 1: comments of all columns';
