-- ---------------------------------------------------------------------
-- The kinds of records.
-- ---------------------------------------------------------------------

-- The columns of a kind that hold a record's own values; vals and base have these and
-- no others.  It is a fixed list, and not made from the table, since the table also has
-- shared columns (tables/step_1_mirror.sql) and may have columns that users added.
CREATE FUNCTION zcsync._own_columns(p_kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind
		WHEN 'tickets' THEN '{subject,description,status,custom_status_id,priority,type,requester_id,submitter_id,
			assignee_id,group_id,organization_id,site_id,brand_id,form_id,problem_id,follower_ids,email_cc_ids,satisfaction,
			tags,due_at,external_id,channel,url,opens_privately,merged_into_id,made_from_id,parent_id}'::text[]
		WHEN 'tasks' THEN '{name,description,status,status_type,priority,type_id,assignees,watchers,tags,due_at,start_at,closed_at,
			list_id,folder_id,space_id,parent_id,creator_id,time_estimate,points,archived,custom_id,external_id,url}'::text[]
		WHEN 'leads' THEN '{summary,description,first_name,last_name,company,title,email,email_status,phone,mobile,
			website,linkedin_url,street,city,region,postal_code,country,industry,employees,revenue,
			do_not_call,source,status_id,status,type_id,company_id,site_id,contact_id,owner_id,team,
			value,probability,stage_id,closed_at,external_id,url}'
		WHEN 'contacts' THEN '{name,email,phone,role,organization_id,site_id,external_id,active,time_zone}'::text[]
		WHEN 'companies' THEN '{name,type,parent_id,domain,website,phone,external_id,active,is_prospect}'::text[]
		WHEN 'projects' THEN '{name,status,type_id,organization_id,site_id,requester_id,assignee_id,team,parent_id,
			start_at,due_at,closed_at,budget_hours,spent_hours,external_id,url}'::text[]
		WHEN 'comments' THEN '{parent_id,parent_kind,reply_to,author_id,author_name,body,rich_body,is_private,is_redacted,
			outcome,seconds,channel,edited_at}'::text[]
		WHEN 'attachments' THEN '{parent_id,parent_kind,comment_id,author_id,name,media_type,size,is_inline,scan_result}'::text[]
		WHEN 'time_entries' THEN '{parent_id,parent_kind,comment_id,author_id,author_name,started_at,seconds,nonbillable_seconds,is_billable}'::text[]
		WHEN 'fields' THEN '{scope_id,name,type,options,required,active,position}'::text[]
		WHEN 'statuses' THEN '{scope_id,status_id,name,category,position,color,active,is_default}'::text[]
	END || '{custom_fields,created_at,updated_at}'::text[];
END;
COMMENT ON FUNCTION zcsync._own_columns(text) IS
'the columns of a kind that hold values of the record itself, as vals and base do';

CREATE FUNCTION zcsync._kinds() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{tickets,tasks,leads,comments,attachments,time_entries,contacts,companies,projects,fields,statuses}'::text[];
END;
COMMENT ON FUNCTION zcsync._kinds() IS
'the kinds that have a mirror table';

CREATE FUNCTION zcsync._kind_queue(p_kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p_kind WHEN 'tickets' THEN 'ticket-sync' WHEN 'tasks' THEN 'task-sync'
		WHEN 'leads' THEN 'lead-sync' WHEN 'comments' THEN 'ticket-sync' WHEN 'attachments' THEN 'ticket-sync'
		WHEN 'time_entries' THEN 'ticket-sync' WHEN 'projects' THEN 'ticket-sync'
		WHEN 'contacts' THEN 'contact-sync' WHEN 'companies' THEN 'contact-sync' ELSE 'catalogue-sync' END;
END;
COMMENT ON FUNCTION zcsync._kind_queue(text) IS
'the queue of the jobs of a kind';

-- A document: the values that it gives for columns of the kind (see _own_columns()).  A
-- document says nothing about columns that it has no value for: they stay as they are.
CREATE TYPE zcsync.document AS (
	remote_id text,
	version text,			-- NULL: not known
	vals jsonb,
	doc jsonb,				-- as the vendor gave it; NULL: not known
	is_deleted boolean		-- NULL: not known
);
COMMENT ON TYPE zcsync.document IS
'what a vendor says of a record: its values by column, and the document they were read from';
