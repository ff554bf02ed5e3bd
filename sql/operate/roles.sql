-- ---------------------------------------------------------------------
-- Ready-made roles: a reader looks, an operator keeps everything running, an
-- administrator sets it up.
--
-- Lists say what each may read and call.  Nothing is granted because of its name, or
-- because another function calls it: new views and functions must be added to a
-- list, and a test names those that are in none.  No list has zcsync.credentials, a
-- right to create triggers, or a function that returns a secret.
--
-- Months need no grant: they are read through the table that they are part of.
-- setup() grants what later versions add to all roles of zcsync.role_grants.
--
-- A reader of some accounts has policies of row security in each mirror table and
-- in accounts, which apply to that role alone.  Where row security was not enabled
-- before, a policy that lets everybody else pass is made with the first of them and
-- dropped with the last.
-- ---------------------------------------------------------------------

-- ---------------------------------------------------------------------
-- What each role may do
-- ---------------------------------------------------------------------

-- A reader gets neither what may be private text (the description of a ticket is
-- its first comment, which may be internal; comments and names of files) nor who worked
-- for how long, nor documents of vendors, which have all of it.
CREATE FUNCTION zcsync._reader_columns(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(c ORDER BY c)
	FROM unnest(zcsync._own_columns(p_kind) || '{account_id,local_id,remote_id,deleted_at,sync_state,synced_at}'::text[]
		|| CASE WHEN p_kind = 'leads' THEN '{inserted_at,fit,engagement,quality,stage,merged_into}'::text[] ELSE '{}' END) AS c
	WHERE p_kind NOT IN ('comments', 'attachments', 'time_entries') AND NOT (p_kind = 'tickets' AND c = 'description');
END;
COMMENT ON FUNCTION zcsync._reader_columns(text) IS
'the columns of a kind that a reader may read; NULL: none';

-- No settings of accounts and streams are granted, and to a reader of some accounts no
-- views that show all.
CREATE FUNCTION zcsync._reader_relations(p_limited boolean) RETURNS TABLE (name text, columns text[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT k, zcsync._reader_columns(k) FROM unnest(zcsync._kinds()) AS k WHERE zcsync._reader_columns(k) IS NOT NULL
	UNION ALL
	VALUES ('accounts', '{account_id,name,vendor,state}'::text[]), ('lead_statuses', NULL), ('record_changes', NULL)
	UNION ALL
	SELECT v, NULL
	FROM unnest('{status,progress,errors,stat_accounts,stat_backlog,stat_budgets,stat_cache,stat_queue,stat_workers,
		unmapped_companies,slow_queries,table_bloat,alerts,queues,availability,slo,outages,slo_targets,hourly_numbers,daily_numbers,service_levels,
		sync_daily,stat_agents,lead_funnel,comments_daily,activity,lag,stat_webhooks,refused_deliveries,doors,stat_calls,stat_connections,stat_metrics,stat_operations,work_numbers,lead_numbers,table_sizes,business_hours,holidays}'::text[]) AS v
	WHERE NOT p_limited
	UNION ALL
	SELECT 'streams', '{stream_id,account_id,kind,writes,state,pull_interval,history_state,last_pull_at,last_change_at,
		oldest_record_at,newest_record_at,records_done,records_estimate,last_error,last_error_at}'::text[]
	WHERE NOT p_limited;
END;
COMMENT ON FUNCTION zcsync._reader_relations(boolean) IS
'tables and views that a reader may read, and of tables which columns; limited: a reader of some accounts';

-- What zcsync.search() calls with the rights of its caller.  Private text needs
-- _may_search_private() as well, which is not here.
CREATE FUNCTION zcsync._search_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{search,account,_page_rows,_check_rows,_shorten,_encode_cursor,_decode_cursor,_list_text,_check_query,_check_search_kinds,_search_kinds,
		_default_search_kinds,_search_branches,_search_notices,_search_candidates,_search_indexed,_search_since,_search_newest,_private_texts,
		_search_ranked,_search_expression,_search_similar,_search_page,_trigram_schema,_matches,_index_search}'::text[];
END;
COMMENT ON FUNCTION zcsync._search_functions() IS
'what those may call who search, but not in private text';

CREATE FUNCTION zcsync._reader_functions(p_limited boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{account,tickets_page,tickets_page_json,tasks_page,leads_page,leads_page_json,active_tickets_by_user,recent_leads,
			top_companies,tickets_report,_page_query,_read_kept,_page_rows,_encode_cursor,_check_rows,_fold,history,record,_may_read_field,_now,_span,sparkline,search_leads}'::text[]
		|| zcsync._search_functions()
		|| CASE WHEN p_limited THEN '{}' ELSE '{selfcheck,maintenance_advice,reference,_record_id,_shorten,_allowances_now,_backlog,
			_account_numbers,_account_states,_progress_lines,_queue_numbers,_installation_trouble,_worker_slots,_cache_statistics,
			_company_candidates,_slow_queries,_downtime,_percentile,_add_waits,analytics_sync,_comments_carried,calculate_capacity,business_time,report_html,metrics,_activity,_lags,_levels,_last_hour,_calls_counted,_connections_counted,_samples,_operations_counted,
			_failing_jobs,_unmapped_companies,_webhook_states}'::text[] END;
END;
COMMENT ON FUNCTION zcsync._reader_functions(boolean) IS
'what a reader may call: directly, or because a view or function calls it with the rights of the reader';

CREATE FUNCTION zcsync._operator_relations() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{tickets,tasks,leads,comments,attachments,time_entries,conversations,contacts,companies,projects,fields,statuses,accounts,account_budgets,streams,lists,installation,alerts,
		queues,claimants,sync_queue,dead_letters,sync_records,changes,conflicts,routes,route_attempts,route_backfills,route_fields,route_values,route_comments,comment_copies,attachment_copies,time_copies,route_errors,links,marks,
		company_maps,intakes,lead_sources,lead_identities,lead_rows,lead_duplicates,lead_merges,lead_match_rules,lead_statuses,
		lead_score_rules,lead_stage_rules,role_grants,alert_rules,alert_incidents,alert_targets,alert_deliveries,
		webhooks,inbox,heard_streams,suspended_counts}'::text[];
END;
COMMENT ON FUNCTION zcsync._operator_relations() IS
'tables that an operator may read whole, besides what a reader may';

-- All that status, errors, alerts and selfcheck() tell people to run.  What these
-- verbs call with the rights of their caller is in the list, too; routes have a
-- list of their own, zcsync.allow_routes().
CREATE FUNCTION zcsync._operator_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{setup,start,adopt_database,create_partitions,create_lead_partitions,maintain,_maintain,_maintenance_steps,run,
		schedule_maintenance,unschedule_maintenance,_schedule_job,_unschedule_job,_maintenance_job,_job_name,_cron_database,_cron_is_here,
		add_account,alter_account,pause_account,resume_account,set_credentials,forget_credentials,check_credentials,check_account,discover,rotate_key,set_webhook,ensure_webhooks,remove_webhook,remove_door,
		add_stream,alter_stream,pause_stream,resume_stream,refresh,compare,sync_ticket,sync_tickets,sync_task,sync_tasks,remote_history,suspended_tickets,watch_suspended,
		enqueue,retry,retry_file,cancel,pause_queue,resume_queue,alter_queue,discard,take_remote,link_records,adopt_marks,
		sync_lead,sync_leads,sync_leads_json,merge_leads,keep_apart,split_lead,explain_lead,rescore_leads,rebuild_active_index,
		cache_clear,cache_delete,cache_invalidate,_refuse_standby,search_tickets,set_credentials_end,
		add_alert_target,alter_alert_target,remove_alert_target,pause_alert_target,resume_alert_target,test_alert,
		add_alert_rule,alter_alert_rule,remove_alert_rule,pause_alert_rule,resume_alert_rule,alert_measures,acknowledge_alert,close_alert,
		evaluate_alerts,schedule_alerts,unschedule_alerts,_alerts_job}'::text[];
END;
COMMENT ON FUNCTION zcsync._operator_functions() IS
'what an operator may call, besides what a reader and what the author of a route may';

-- Every verb, and what those for jobs of pg_cron call with the rights of their caller.
CREATE FUNCTION zcsync._admin_functions() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(DISTINCT p.proname::text) || '{_check_table_job,_table_job,_check_archived_month,_archived_columns,_index_links,_cached_document,_cached_documents,_caller,_make_document,
			_sees_all_rows,_verb_begins,_verb_did,_verb_ends,_warming_job,_may_search_private}'::text[]
	FROM pg_proc AS p
	WHERE p.pronamespace = 'zcsync'::regnamespace AND left(p.proname, 1) <> '_'
$$;
COMMENT ON FUNCTION zcsync._admin_functions() IS
'what an administrator may call, besides what an operator may';

-- ---------------------------------------------------------------------
-- Granting it
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._grant_select(p_role text, p_limited boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	FOR v IN SELECT r.name, r.columns FROM zcsync._reader_relations(p_limited) AS r LOOP
		EXECUTE format('GRANT SELECT %s ON zcsync.%I TO %I',
			'(' || (SELECT string_agg(quote_ident(c), ', ') FROM unnest(v.columns) AS c) || ')', v.name, p_role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._grant_select(text, boolean) IS
'grants a role what a reader may read';

CREATE FUNCTION zcsync._grant_execute(p_role text, p_functions text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE (
		SELECT format('GRANT EXECUTE ON ROUTINE %s TO %I', string_agg(p.oid::regprocedure::text, ', '), p_role)
		FROM pg_proc AS p
		WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname = ANY (p_functions));
END
$$;
COMMENT ON FUNCTION zcsync._grant_execute(text, text[]) IS
'grants a role functions of zcsync by their names';

-- Besides reading, an operator may resolve an alert and delete a dead letter and, where
-- pg_cron is in this database, make its jobs.
CREATE FUNCTION zcsync._grant_operation(p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE (SELECT format('GRANT SELECT ON %s TO %I', string_agg(format('zcsync.%I', t), ', '), p_role)
		FROM unnest(zcsync._operator_relations()) AS t);
	EXECUTE format('GRANT UPDATE (resolved_at) ON zcsync.alerts TO %I', p_role);
	EXECUTE format('GRANT DELETE ON zcsync.dead_letters TO %I', p_role);
	PERFORM zcsync._grant_execute(p_role, zcsync._operator_functions());
	PERFORM zcsync.allow_routes(p_role);
	IF EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		EXECUTE format('GRANT USAGE ON SCHEMA cron TO %I', p_role);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._grant_operation(text) IS
'grants a role what an operator may do, besides what a reader may';

-- An administrator may write records, and the rows that say how leads are read, matched
-- and scored.
CREATE FUNCTION zcsync._grant_administration(p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM zcsync._grant_execute(p_role, zcsync._admin_functions());
	EXECUTE (SELECT format('GRANT SELECT, INSERT, UPDATE ON %s TO %I', string_agg(format('zcsync.%I', k), ', '), p_role)
		FROM unnest(zcsync._kinds()) AS k);
	EXECUTE format('GRANT INSERT, UPDATE, DELETE ON zcsync.lead_sources, zcsync.lead_match_rules, zcsync.lead_statuses, '
		'zcsync.lead_score_rules, zcsync.lead_stage_rules, zcsync.countries, zcsync.country_names, zcsync.company_forms, zcsync.mail_providers, '
		'zcsync.slo_targets, zcsync.business_hours, zcsync.holidays TO %I', p_role);
	EXECUTE format('GRANT USAGE ON SEQUENCE zcsync.local_id_seq TO %I', p_role);
END
$$;
COMMENT ON FUNCTION zcsync._grant_administration(text) IS
'grants a role what an administrator may do, besides what an operator may';

CREATE FUNCTION zcsync._grant_level(p_role text, p_level text, p_limited boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA zcsync TO %I', p_role);
	PERFORM zcsync._grant_select(p_role, p_limited);
	PERFORM zcsync._grant_execute(p_role, zcsync._reader_functions(p_limited));
	IF p_limited THEN
		PERFORM zcsync._limit_reader(p_role);
	END IF;
	IF p_level IN ('operator', 'admin') THEN
		PERFORM zcsync._grant_operation(p_role);
	END IF;
	IF p_level = 'admin' THEN
		PERFORM zcsync._grant_administration(p_role);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._grant_level(text, text, boolean) IS
'grants a role all that readers, operators or administrators have; limited: a reader of some accounts';

-- A role that was dropped and created again is another role and gets nothing.  It is
-- recognised by its lack of grants.
CREATE FUNCTION zcsync._grant_roles() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
BEGIN
	DELETE FROM zcsync.role_grants AS g
	WHERE to_regrole(quote_ident(g.role)) IS NULL OR NOT has_schema_privilege(to_regrole(quote_ident(g.role)), 'zcsync', 'USAGE');
	FOR v IN SELECT g.role, min(g.level) AS level, bool_and(g.account_id IS NOT NULL) AS limited
		FROM zcsync.role_grants AS g GROUP BY g.role ORDER BY g.role
	LOOP
		PERFORM zcsync._grant_level(v.role, v.level, v.limited);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._grant_roles() IS
'grants readers, operators and administrators what this version brings; part of setup()';

-- ---------------------------------------------------------------------
-- Readers of some accounts
-- ---------------------------------------------------------------------

-- The tables that such a reader may read rows of.
CREATE FUNCTION zcsync._tables_by_account() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'accounts'::text || zcsync._kinds();
END;
COMMENT ON FUNCTION zcsync._tables_by_account() IS
'the tables that policies for readers of some accounts are made in';

-- The first policy shows the rows of these accounts; that is needed where row security
-- was enabled before, with policies that do not name this role.  The second hides all
-- other rows, whatever other policies say.  The account numbers are constants, so that
-- an index on account_id can be used.
CREATE FUNCTION zcsync._limit_reader(p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_table text;
	v_rows text := format('account_id = ANY (%L::bigint[])',
		(SELECT array_agg(g.account_id ORDER BY g.account_id) FROM zcsync.role_grants AS g WHERE g.role = p_role));
BEGIN
	PERFORM zcsync._unlimit_reader(p_role);
	FOREACH v_table IN ARRAY zcsync._tables_by_account() LOOP
		IF NOT (SELECT c.relrowsecurity FROM pg_class AS c WHERE c.oid = format('zcsync.%I', v_table)::regclass) THEN
			EXECUTE format('CREATE POLICY zcsync_others ON zcsync.%I USING (true) WITH CHECK (true)', v_table);
			EXECUTE format('COMMENT ON POLICY zcsync_others ON zcsync.%I IS %L', v_table,
				'lets all roles pass that no policy of zcsync.grant_reader() names; dropped with the last of these');
			EXECUTE format('ALTER TABLE zcsync.%I ENABLE ROW LEVEL SECURITY', v_table);
		END IF;
		EXECUTE format('CREATE POLICY %I ON zcsync.%I FOR SELECT TO %I USING (%s)', 'zcsync_shows_' || md5(p_role), v_table, p_role, v_rows);
		EXECUTE format('CREATE POLICY %I ON zcsync.%I AS RESTRICTIVE TO %I USING (%s)', 'zcsync_limits_' || md5(p_role), v_table, p_role, v_rows);
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._limit_reader(text) IS
'makes the policies by which a role sees the rows of its accounts alone';

CREATE FUNCTION zcsync._unlimit_reader(p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
	v_table text;
BEGIN
	FOREACH v_table IN ARRAY zcsync._tables_by_account() LOOP
		EXECUTE format('DROP POLICY IF EXISTS %I ON zcsync.%I', 'zcsync_shows_' || md5(p_role), v_table);
		EXECUTE format('DROP POLICY IF EXISTS %I ON zcsync.%I', 'zcsync_limits_' || md5(p_role), v_table);
		IF EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = format('zcsync.%I', v_table)::regclass AND p.polname = 'zcsync_others')
			AND NOT EXISTS (SELECT FROM pg_policy AS p
				WHERE p.polrelid = format('zcsync.%I', v_table)::regclass AND p.polname <> 'zcsync_others')
		THEN
			EXECUTE format('DROP POLICY zcsync_others ON zcsync.%I', v_table);
			EXECUTE format('ALTER TABLE zcsync.%I DISABLE ROW LEVEL SECURITY', v_table);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION zcsync._unlimit_reader(text) IS
'removes the policies of a reader of some accounts, and row security where nobody else needs it';

-- ---------------------------------------------------------------------
-- The verbs
-- ---------------------------------------------------------------------

CREATE FUNCTION zcsync._how_to_revoke(p_role text, p_level text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format(CASE p_level WHEN 'reader' THEN 'SELECT zcsync.revoke_reader(%L);' WHEN 'operator' THEN 'SELECT zcsync.revoke_operator(%L);'
		ELSE 'SELECT zcsync.revoke_admin(%L);' END, p_role);
END;
COMMENT ON FUNCTION zcsync._how_to_revoke(text, text) IS
'the statement that takes from a role what this level gave it';

-- An error unless this role may be given this level.
CREATE FUNCTION zcsync._check_grantee(p_role text, p_level text, p_account text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v record;
	v_now record;
BEGIN
	SELECT r.rolsuper OR r.rolbypassrls AS unlimited INTO v FROM pg_roles AS r WHERE r.rolname = p_role;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('role %s does not exist', coalesce('"' || p_role || '"', 'NULL')),
			HINT = format('CREATE ROLE %s LOGIN;', coalesce(quote_ident(p_role), '...'));
	ELSIF p_role = zcsync._worker_role() THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role "%s" is that of the workers', p_role),
			DETAIL = 'It gets what workers need, and nothing else.', HINT = 'Make a role for people: CREATE ROLE ... LOGIN;';
	ELSIF p_account IS NOT NULL AND v.unlimited THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role "%s" cannot be limited to an account', p_role),
			DETAIL = 'Row security does not apply to superusers and to roles with BYPASSRLS.',
			HINT = format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS;', p_role);
	END IF;
	SELECT g.level, g.account_id IS NOT NULL AS limited INTO v_now FROM zcsync.role_grants AS g WHERE g.role = p_role LIMIT 1;
	-- the three levels come in the order admin, operator, reader
	IF v_now.level < p_level OR p_account IS NOT NULL AND NOT v_now.limited THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role "%s" is %s of all accounts already', p_role, v_now.level),
			DETAIL = 'What you grant it now would be less.',
			HINT = zcsync._how_to_revoke(p_role, v_now.level);
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._check_grantee(text, text, text) IS
'raises an error unless a role may be made reader, operator or administrator';

-- lock_timeout limits for how long the locks of this function keep writers waiting.
CREATE FUNCTION zcsync._grant_role(p_role text, p_level text, p_account text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
	v_account bigint := CASE WHEN p_account IS NOT NULL THEN zcsync.account(p_account) END;
BEGIN
	PERFORM zcsync._refuse_standby();
	IF p_account IS NOT NULL AND p_level <> 'reader' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s of one account cannot be granted', CASE p_level WHEN 'admin' THEN 'administration' ELSE 'operation' END),
			DETAIL = 'The queue, the routes and the workers are of the whole database; only reading can be limited to accounts.',
			HINT = format('SELECT zcsync.grant_reader(%L, %L); or another database for the other accounts.', p_role, p_account);
	END IF;
	LOCK TABLE zcsync.role_grants IN SHARE ROW EXCLUSIVE MODE;
	PERFORM zcsync._check_grantee(p_role, p_level, p_account);
	IF p_account IS NULL THEN
		PERFORM zcsync._unlimit_reader(p_role);
		DELETE FROM zcsync.role_grants AS g WHERE g.role = p_role;
	END IF;
	INSERT INTO zcsync.role_grants (role, level, account_id, granted_at) VALUES (p_role, p_level, v_account, zcsync._now())
	ON CONFLICT DO NOTHING;
	PERFORM zcsync._grant_level(p_role, p_level, p_account IS NOT NULL);
	RETURN format('role "%s" is %s of %s', p_role, p_level, coalesce(
		(SELECT string_agg(a.name, ', ' ORDER BY a.name COLLATE "C")
		FROM zcsync.role_grants AS g JOIN zcsync.accounts AS a USING (account_id) WHERE g.role = p_role), 'all accounts'));
END
$$;
COMMENT ON FUNCTION zcsync._grant_role(text, text, text) IS
'makes a role reader, operator or administrator, and remembers it for setup()';

CREATE FUNCTION zcsync.grant_reader(role name, account text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._grant_role(grant_reader.role, 'reader', grant_reader.account)
$$;
COMMENT ON FUNCTION zcsync.grant_reader(name, text) IS
'lets a role read records without private text, pages, history, status and all views; with an account only its records, pages and history, so call it for each account';

CREATE FUNCTION zcsync.grant_operator(role name, account text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._grant_role(grant_operator.role, 'operator', grant_operator.account)
$$;
COMMENT ON FUNCTION zcsync.grant_operator(name, text) IS
'lets a role read everything but credentials, and run all that status, errors and alerts tell people to run';

CREATE FUNCTION zcsync.grant_admin(role name, account text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._grant_role(grant_admin.role, 'admin', grant_admin.account)
$$;
COMMENT ON FUNCTION zcsync.grant_admin(name, text) IS
'lets a role call every function of zcsync and write records; it can give others what it has';

-- Revoke all that the role has in zcsync, whoever granted it.
CREATE FUNCTION zcsync._revoke_role(p_role text, p_level text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
	v_schema text;
	v_level text;
	v_routes text;
BEGIN
	PERFORM zcsync._refuse_standby();
	LOCK TABLE zcsync.role_grants IN SHARE ROW EXCLUSIVE MODE;
	SELECT g.level INTO v_level FROM zcsync.role_grants AS g WHERE g.role = p_role LIMIT 1;
	IF v_level <> p_level THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role "%s" is %s and not %s', p_role, v_level, p_level),
			HINT = zcsync._how_to_revoke(p_role, v_level);
	ELSIF to_regrole(quote_ident(p_role)) IS NULL
		-- a reader of one account that was removed has no row any more, but policies
		OR v_level IS NULL AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'zcsync_limits_' || md5(p_role))
	THEN
		DELETE FROM zcsync.role_grants AS g WHERE g.role = p_role;
		RETURN format('role "%s" was not %s', p_role, p_level);
	END IF;
	PERFORM zcsync._unlimit_reader(p_role);
	DELETE FROM zcsync.role_grants AS g WHERE g.role = p_role;
	FOR v_schema IN SELECT n.nspname FROM pg_namespace AS n WHERE n.nspname IN ('zcsync', 'zcsync_routes') LOOP
		EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', v_schema, p_role);
		EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', v_schema, p_role);
		EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA %I FROM %I', v_schema, p_role);
		EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', v_schema, p_role);
	END LOOP;
	SELECT string_agg(r.name, ', ' ORDER BY r.name COLLATE "C") INTO v_routes FROM zcsync.routes AS r WHERE r.defined_by = p_role;
	IF v_routes IS NOT NULL THEN
		RAISE WARNING USING MESSAGE = format('routes that role "%s" defined go on with the rights that it still has: %s', p_role, v_routes),
			HINT = 'Have another role define them: it becomes their owner by zcsync.alter_route().';
	END IF;
	RETURN format('role "%s" may do nothing any more', p_role);
END
$$;
COMMENT ON FUNCTION zcsync._revoke_role(text, text) IS
'takes from a role all that it has in zcsync';

-- One of several accounts.
CREATE FUNCTION zcsync._revoke_account(p_role text, p_account text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
	v_account bigint := zcsync.account(p_account);
BEGIN
	PERFORM zcsync._refuse_standby();
	LOCK TABLE zcsync.role_grants IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM zcsync.role_grants AS g WHERE g.role = p_role AND g.account_id IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role "%s" is not limited to accounts', p_role),
			HINT = format('SELECT zcsync.revoke_reader(%L); SELECT zcsync.grant_reader(%1$L, ...); for each that it may read.', p_role);
	END IF;
	DELETE FROM zcsync.role_grants AS g WHERE g.role = p_role AND g.account_id = v_account;
	IF NOT FOUND THEN
		RETURN format('role "%s" was not reader of %s', p_role, p_account);
	END IF;
	IF NOT EXISTS (SELECT FROM zcsync.role_grants AS g WHERE g.role = p_role) THEN
		RETURN zcsync._revoke_role(p_role, 'reader');
	END IF;
	PERFORM zcsync._limit_reader(p_role);
	RETURN format('role "%s" is not reader of %s any more', p_role, p_account);
END
$$;
COMMENT ON FUNCTION zcsync._revoke_account(text, text) IS
'takes one account from a reader of several';

CREATE FUNCTION zcsync.revoke_reader(role name, account text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN revoke_reader.account IS NULL THEN zcsync._revoke_role(revoke_reader.role, 'reader')
		ELSE zcsync._revoke_account(revoke_reader.role, revoke_reader.account) END
$$;
COMMENT ON FUNCTION zcsync.revoke_reader(name, text) IS
'takes from a role all that it has in zcsync; with an account, what it has of that';

CREATE FUNCTION zcsync.revoke_operator(role name) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._revoke_role(revoke_operator.role, 'operator')
$$;
COMMENT ON FUNCTION zcsync.revoke_operator(name) IS
'takes from a role all that it has in zcsync';

CREATE FUNCTION zcsync.revoke_admin(role name) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT zcsync._revoke_role(revoke_admin.role, 'admin')
$$;
COMMENT ON FUNCTION zcsync.revoke_admin(name) IS
'takes from a role all that it has in zcsync';
