-- ---------------------------------------------------------------------
-- What the columns of views are, for \d+, where the makers of the views do not say it.
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._view_words() RETURNS TABLE (relation text, name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		(NULL::text, 'account', 'name of the account'),
		(NULL, 'agent', 'name of the agent'), (NULL, 'agent_id', 'remote id of the agent'),
		(NULL, 'breaker_until', 'no call before this time; then one probe'),
		(NULL, 'database', 'database that the process works in'),
		(NULL, 'dead', 'dead rows'), (NULL, 'dead_letters', 'jobs that failed for good and wait for a person'),
		(NULL, 'deleted', 'rows deleted'), (NULL, 'downtime', 'how long it was not available'),
		(NULL, 'due', 'jobs whose time has come'),
		(NULL, 'ended_1m', 'jobs that ended in the last minute'), (NULL, 'entries', 'values that are in it'),
		(NULL, 'failed_1m', 'of these, jobs that failed'), (NULL, 'first_reply_hours', 'median of the business hours until the first reply'),
		(NULL, 'held', 'jobs that wait for a decision'), (NULL, 'hits', 'how often a value was found'),
		(NULL, 'inserted', 'rows inserted'), (NULL, 'jobs', 'jobs that were counted'), (NULL, 'live', 'rows that are alive'),
		(NULL, 'max_bytes', 'how much memory it has'), (NULL, 'max_entries', 'how many values it may have'),
		(NULL, 'misses', 'how often no value was found'), (NULL, 'month', 'month of creation'),
		(NULL, 'next_run_at', 'when the first of them is due'), (NULL, 'outages', 'how often it was not available'),
		(NULL, 'paused_until', 'no call before this time: the vendor asked to wait'),
		(NULL, 'prospects', 'leads that became prospects, or more'), (NULL, 'query', 'text of the statement'),
		(NULL, 'reading_history', 'streams that read their history'), (NULL, 'ready', 'jobs that wait for their turn or time'),
		(NULL, 'relname', 'name of the table'), (NULL, 'remote_limit', 'the limit that the vendor last named'),
		(NULL, 'resolution_hours', 'median of the business hours until the tickets were resolved'),
		(NULL, 'retrying', 'jobs that failed before and are tried again'), (NULL, 'rows_per_call', 'mean of the rows of a call'),
		(NULL, 'running', 'jobs that run now'), (NULL, 'state_hint', 'what to run'), (NULL, 'state_reason', 'why it is not active'),
		(NULL, 'streams', 'how many streams it has'), (NULL, 'success_rate', 'done, in percent of all that ended'),
		(NULL, 'team_id', 'remote id of the team'), (NULL, 'total_ms', 'time of all calls, in milliseconds'),
		(NULL, 'updated', 'rows updated'),
		('record_changes', 'action', 'insert, update, delete; lost: old was overwritten by new, because both sides changed the field or because no read had seen old'),
		('record_changes', 'cause_id', 'the job, the route, ... that wrote it'), ('record_changes', 'field_name', 'the field that changed'),
		('record_changes', 'new', 'the new value'), ('record_changes', 'old', 'the old value'),
		('slo', 'days', 'length of the period that ends now'), ('slo', 'target', 'what is to be reached'), ('slo', 'unit', 'ms or %'),
		('slo', 'value', 'what was reached'), ('slo', 'goal', 'name of the goal'),
		('stat_accounts', 'last_error', 'what the vendor said when it was last out of order'),
		('stat_agents', 'opened', 'tickets that were opened'), ('stat_agents', 'resolved', 'tickets that were resolved'),
		('stat_queue', 'state', 'active or paused'), ('stat_workers', 'state', 'what the process does'),
		('unmapped_companies', 'name', 'name of the company'), ('unmapped_companies', 'target', 'account that has no client for it');
END;
COMMENT ON FUNCTION zcsync._view_words() IS
'words for columns of views: of one view, or of all that have a column of this name';

-- Of columns that tables have, too: what they are there.
CREATE FUNCTION zcsync._shared_words() RETURNS TABLE (name text, words text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
		('account_id', 'number of the account'), ('calls', 'how many calls'), ('calls_total', 'calls ever made'),
		('cause', 'why: vendor, blocked, paused or worker'), ('class', 'class of calls, or of the failure'), ('closed', 'leads that were closed'),
		('concurrency', 'how many at a time'), ('created_at', 'when the row was made; of a record: when it was created at its vendor'), ('day', 'the day'),
		('done', 'how many ended well'), ('failed', 'how many failed for good'), ('first_at', 'when it happened first'), ('goal', 'name of the goal'),
		('kind', 'kind of the record, or of the thing'), ('last_call_at', 'when the last call was made'), ('last_error_at', 'when that was'),
		('leads', 'how many leads'), ('local_id', 'number of the row, unique in all mirror tables; it never changes'),
		('max_attempts', 'failures after which a job is a dead letter'), ('meaning', 'what it is'), ('opportunities', 'leads that became opportunities'),
		('p50_ms', 'half of them took no longer, in milliseconds'), ('p95_ms', '95 % of them took no longer'), ('pause_reason', 'why it waits'),
		('pid', 'number of the process'), ('queue', 'name of the queue'), ('role', 'role of the database; of a contact, what it is to the vendor'),
		('source', 'the source that gave it'), ('started_at', 'when the process began'), ('state', 'state'),
		('throttled', 'calls that the vendor refused for now'), ('throttled_total', 'calls that the vendor ever refused for now'), ('value', 'value'),
		('vendor', 'name of the vendor');
END;
COMMENT ON FUNCTION zcsync._shared_words() IS
'words for columns that views and tables have, and that mean the same in both';

-- What a view or a table calls by the same name means the same, unless something else is
-- said here.
CREATE FUNCTION zcsync._describe_view_columns() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	FOR v IN
		SELECT c.oid::regclass AS relation, a.attname, coalesce(o.words, n.words, w.words) AS words
		FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN zcsync._view_words() AS o ON o.relation = c.relname AND o.name = a.attname
		LEFT JOIN zcsync._view_words() AS n ON n.relation IS NULL AND n.name = a.attname
		LEFT JOIN zcsync._shared_words() AS w ON w.name = a.attname
		WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL
	LOOP
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v.relation, v.attname, v.words);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._describe_view_columns() IS
'comments the columns of views that have no comment yet; part of zcsync._create_views()';
