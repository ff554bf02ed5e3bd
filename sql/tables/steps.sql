-- ---------------------------------------------------------------------
-- The steps of the tables.  The install script creates no table: setup() runs
-- the steps that are missing, one after the other, so that every table is a
-- plain table of the database, dumped and restored like any other.
--
-- A step is literal DDL, with all CHECKs and defaults.  It calls nothing of zcsync
-- except the immutable functions in indexes.  Neither a step nor such a function is
-- ever edited after a release: a new release adds a step.
-- ---------------------------------------------------------------------

-- The number of the last step that this version of the extension knows.
CREATE FUNCTION zcsync._tables_version() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1;
END;
COMMENT ON FUNCTION zcsync._tables_version() IS
'number of the last migration step that this version of the extension knows';

-- Run the steps after this one, in their order.
CREATE FUNCTION zcsync._run_steps(p_from integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF p_from < 1 THEN
		PERFORM zcsync._step_1_installation();
		PERFORM zcsync._step_1_accounts();
		PERFORM zcsync._step_1_streams();
		PERFORM zcsync._step_1_tickets();
		PERFORM zcsync._step_1_tasks();
		PERFORM zcsync._step_1_contacts();
		PERFORM zcsync._step_1_companies();
		PERFORM zcsync._step_1_projects();
		PERFORM zcsync._step_1_comments();
		PERFORM zcsync._step_1_attachments();
		PERFORM zcsync._step_1_time_entries();
		PERFORM zcsync._step_1_conversations();
		PERFORM zcsync._step_1_fields();
		PERFORM zcsync._step_1_statuses();
		PERFORM zcsync._step_1_search();
		PERFORM zcsync._step_1_leads();
		PERFORM zcsync._step_1_lead_sources();
		PERFORM zcsync._step_1_lead_rows();
		PERFORM zcsync._step_1_lead_merges();
		PERFORM zcsync._step_1_lead_scores();
		PERFORM zcsync._step_1_lead_rules();
		PERFORM zcsync._step_1_countries();
		PERFORM zcsync._step_1_lead_words();
		PERFORM zcsync._step_1_routes();
		PERFORM zcsync._step_1_route_maps();
		PERFORM zcsync._step_1_links();
		PERFORM zcsync._step_1_route_comments();
		PERFORM zcsync._step_1_comment_copies();
		PERFORM zcsync._step_1_attachment_copies();
		PERFORM zcsync._step_1_time_copies();
		PERFORM zcsync._step_1_marks();
		PERFORM zcsync._step_1_queues();
		PERFORM zcsync._step_1_sync_queue();
		PERFORM zcsync._step_1_sync_queue_indexes();
		PERFORM zcsync._step_1_dead_letters();
		PERFORM zcsync._step_1_records();
		PERFORM zcsync._step_1_webhooks();
		PERFORM zcsync._step_1_inbox();
		PERFORM zcsync._step_1_suspended();
		PERFORM zcsync._step_1_alert_targets();
		PERFORM zcsync._step_1_alert_rules();
		PERFORM zcsync._step_1_alert_incidents();
		PERFORM zcsync._step_1_numbers();
		PERFORM zcsync._step_1_service_levels();
		PERFORM zcsync._step_1_work_numbers();
		PERFORM zcsync._step_1_role_grants();
		PERFORM zcsync._step_1_words_1();
		PERFORM zcsync._step_1_words_2();
		PERFORM zcsync._step_1_words_3();
		PERFORM zcsync._step_1_words_4();
		PERFORM zcsync._step_1_words_5();
		PERFORM zcsync._step_1_words_6();
		PERFORM zcsync._step_1_words_7();
		PERFORM zcsync._step_1_words_8();
		PERFORM zcsync._step_1_words_9();
		PERFORM zcsync._step_1_words_10();
		PERFORM zcsync._step_1_words_11();
		PERFORM zcsync._step_1_words_12();
		PERFORM zcsync._step_1_words_13();
		PERFORM zcsync._step_1_words_14();
		PERFORM zcsync._step_1_words_15();
	END IF;
END
$$;
COMMENT ON FUNCTION zcsync._run_steps(integer) IS
'makes the tables that this version has and an earlier one did not have';
