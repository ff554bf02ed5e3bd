/*-------------------------------------------------------------------------
 *
 * connector_clickup.c
 *		The ClickUp API, version 2; tasks are moved with version 3.
 *
 * Authorisation is a personal token, sent as it is, or an OAuth token that
 * does not expire, sent as a bearer token.
 *
 * Every error is {"err": "text", "ECODE": "CODE"}, and the code says more
 * than the status: 401 may mean a wrong token, or a list that is not shared
 * with the token's user, and 500 may mean wrong input.  So the code is looked
 * at first.
 *
 * IDENTIFICATION
 *		src/connector_clickup.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock.h"
#include "connector.h"
#include "connector_common.h"
#include "file_transfer.h"
#include "json.h"

/* Pause after a 429 that does not say how long to wait, in seconds. */
#define THROTTLE_S	5

/* From here on, a Unix time is in milliseconds. */
#define MILLISECONDS_FROM	INT64CONST(1000000000000)

#define TASK_FILTER \
	"page archived include_closed subtasks include_timl order_by reverse " \
	"list_ids[] " \
	"date_created_gt date_updated_gt"

static const ZcsyncOperation operations[] = {
	{"team", "GET", "/api/v2/team", NULL, false, "teams"},
	{"user", "GET", "/api/v2/user", NULL, false, "user"},
	{"spaces", "GET", "/api/v2/team/{team_id}/space", "archived", false,
	"spaces"},
	{"folders", "GET", "/api/v2/space/{space_id}/folder", "archived", false,
	"folders"},
	{"space_lists", "GET", "/api/v2/space/{space_id}/list", "archived", false,
	"lists"},
	{"folder_lists", "GET", "/api/v2/folder/{folder_id}/list", "archived",
	false, "lists"},
	{"custom_items", "GET", "/api/v2/team/{team_id}/custom_item", NULL, false,
	"custom_items"},
	{"list", "GET", "/api/v2/list/{list_id}", NULL, false, "id"},
	{"list_fields", "GET", "/api/v2/list/{list_id}/field", NULL, false,
	"fields"},
	{"list_tasks", "GET", "/api/v2/list/{list_id}/task", TASK_FILTER, false,
	"tasks"},
	{"team_tasks", "GET", "/api/v2/team/{team_id}/task", TASK_FILTER, false,
	"tasks"},
	{"find_task", "GET", "/api/v2/list/{list_id}/task", TASK_FILTER, false,
	"tasks"},
	{"get_task", "GET", "/api/v2/task/{task_id}", "custom_task_ids team_id",
	false, "id"},
	{"create_task", "POST", "/api/v2/list/{list_id}/task", NULL, true, "id"},
	{"update_task", "PUT", "/api/v2/task/{task_id}", NULL, true, "id"},
	{"move_task", "PUT",
		"/api/v3/workspaces/{team_id}/tasks/{task_id}/home_list/{list_id}", NULL,
	true, "data"},
	{"task_comments", "GET", "/api/v2/task/{task_id}/comment",
	"start start_id", false, "comments"},
	{"task_time", "GET", "/api/v2/task/{task_id}/time", NULL, false, "data"},
	{"comment_replies", "GET", "/api/v2/comment/{comment_id}/reply", NULL,
	false, "comments"},
	{"post_comment", "POST", "/api/v2/task/{task_id}/comment", NULL, true,
	"id"},
	{"post_reply", "POST", "/api/v2/comment/{comment_id}/reply", NULL, true,
	NULL},
	{"update_comment", "PUT", "/api/v2/comment/{comment_id}", NULL, true, NULL},
	{"set_field", "POST", "/api/v2/task/{task_id}/field/{field_id}", NULL,
	true, NULL},
	{"clear_field", "DELETE", "/api/v2/task/{task_id}/field/{field_id}", NULL,
	false, NULL},
	{"add_tag", "POST", "/api/v2/task/{task_id}/tag/{tag}", NULL, false, NULL},
	{"remove_tag", "DELETE", "/api/v2/task/{task_id}/tag/{tag}", NULL, false,
	NULL},
	{"webhooks", "GET", "/api/v2/team/{team_id}/webhook", NULL, false,
	"webhooks"},
	{"create_webhook", "POST", "/api/v2/team/{team_id}/webhook", NULL, true,
	"webhook"},
	{"upload", "POST", "/api/v2/task/{task_id}/attachment", NULL, false, "id"},
	{"update_webhook", "PUT", "/api/v2/webhook/{webhook_id}", NULL, true, NULL},
	{"delete_webhook", "DELETE", "/api/v2/webhook/{webhook_id}", NULL, false,
	NULL},
	{NULL}
};

/* What a code means, and what to do. */
typedef struct ErrorRule
{
	const char *first;			/* code, or the first of a range */
	const char *last;			/* the last of a range; NULL: only "first" */
	ZcsyncOutcomeClass outcome;
	const char *hint;			/* or NULL */
} ErrorRule;

#define HINT_TOKEN \
	"Make a new token at ClickUp and set it with zcsync.set_credentials()."
#define HINT_SHARE \
	"Share the list (or its folder or space) with the user of the token."
#define HINT_STATUS \
	"The list has no such status; zcsync.statuses shows those it has."

/* The first rule that fits counts. */
static const ErrorRule error_rules[] = {
	{"APP_002", NULL, ZCSYNC_OUTCOME_THROTTLED, NULL},
	{"OAUTH_017", "OAUTH_022", ZCSYNC_OUTCOME_AUTH, HINT_TOKEN},
	{"OAUTH_025", NULL, ZCSYNC_OUTCOME_AUTH, HINT_TOKEN},
	{"OAUTH_077", NULL, ZCSYNC_OUTCOME_AUTH, HINT_TOKEN},
	{"OAUTH_023", "OAUTH_045", ZCSYNC_OUTCOME_REJECTED, HINT_SHARE},
	{"ITEM_013", NULL, ZCSYNC_OUTCOME_NOT_FOUND,
	"The task was deleted, or is not shared with the user of the token."},
	{"ITEM_015", NULL, ZCSYNC_OUTCOME_NOT_FOUND,
	"The list or space was deleted, or is not shared with the user of the token."},
	{"CRTSK_001", NULL, ZCSYNC_OUTCOME_REJECTED, HINT_STATUS},
	{"ITEM_114", NULL, ZCSYNC_OUTCOME_REJECTED, HINT_STATUS},
	{"ITEM_137", NULL, ZCSYNC_OUTCOME_REJECTED,
	"The parent of a task must be in the same list."},
	{"ITEM_246", NULL, ZCSYNC_OUTCOME_REJECTED,
	"The plan allows no more tasks of the list's default type; change it at ClickUp."},
	{"FIELD_011", NULL, ZCSYNC_OUTCOME_REJECTED,
	"The value is not an option of the field; zcsync.fields shows its options."},
	{"FIELD_033", NULL, ZCSYNC_OUTCOME_REJECTED,
	"The plan's uses of custom fields are spent: leave the field out, or change the plan."},
	{"FIELD_115", NULL, ZCSYNC_OUTCOME_REJECTED,
	"The list of the task does not have this custom field."},
	{"CRTSK_", "CRTSK_999", ZCSYNC_OUTCOME_REJECTED, NULL},
	{"FIELD_", "FIELD_999", ZCSYNC_OUTCOME_REJECTED, NULL},
	{"INPUT_", "INPUT_999", ZCSYNC_OUTCOME_REJECTED, NULL},
	{NULL}
};

static bool clickup_needs_token(const ZcsyncAccount *account);
static bool clickup_token_reply(ZcsyncCall *call, char **access_token,
								int *lifetime_s);
static bool clickup_prepare(ZcsyncCall *call);
static void clickup_interpret(ZcsyncCall *call);
static void read_limits(ZcsyncCall *call);
static const ErrorRule *find_rule(const char *code);
static bool missing(ZcsyncCall *call, const char *code);
static void judge_unknown(ZcsyncCall *call, const char *code,
						  const char **hint);

const ZcsyncConnector zcsync_connector_clickup = {
	"clickup",
	clickup_needs_token,
	clickup_token_reply,
	clickup_prepare,
	clickup_interpret,
	NULL
};

/*
 * Tokens of ClickUp do not expire, and are not fetched.
 */
static bool
clickup_needs_token(const ZcsyncAccount *account)
{
	return false;
}

/*
 * Never called: there is no operation "token".
 */
static bool
clickup_token_reply(ZcsyncCall *call, char **access_token, int *lifetime_s)
{
	return zcsync_call_refuse(call, "ClickUp accounts fetch no tokens", NULL);
}

/*
 * Fill call->http from call->request.
 */
static bool
clickup_prepare(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	const char *token = zcsync_account_credential(call->account, "token");
	const char *access_token = zcsync_account_credential(call->account,
														 "access_token");
	const char *url = zcsync_connector_base_url(call->account);

	if (url == NULL)
		url = "https://api.clickup.com";
	if (strcmp(call->op, "download") == 0)
	{
		bool		is_own_host;

		/* the address of a file opens without our credentials */
		return zcsync_file_prepare_download(call,
											zcsync_json_get_text(call->request, "url"),
											url, &is_own_host);
	}
	if (operation == NULL)
		return zcsync_call_refuse(call,
								  psprintf("ClickUp has no operation \"%s\"",
										   call->op), NULL);
	if (token == NULL && access_token == NULL)
		return zcsync_call_refuse(call, "account has no usable credentials",
								  "Set token with zcsync.set_credentials().");
	if (!zcsync_operation_prepare(call, url, operation))
		return false;

	zcsync_connector_add_header(call, "Accept", "application/json");
	if (strcmp(call->op, "upload") == 0)
	{
		if (!zcsync_file_prepare_upload(call, ZCSYNC_FILE_MULTIPART))
			return false;
	}
	else
	{
		/* ClickUp's own documentation requires it even without a body */
		zcsync_connector_add_header(call, "Content-Type", "application/json");
	}
	zcsync_connector_add_header(call, "Authorization",
								token != NULL ? token :
								psprintf("Bearer %s", access_token));
	return true;
}

/*
 * Refine the outcome of a call.
 */
static void
clickup_interpret(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	const ErrorRule *rule;
	const char *hint = NULL;
	Jsonb	   *body;
	char	   *said;
	char	   *code;

	read_limits(call);

	if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		if (operation != NULL)
			zcsync_operation_check_reply(call, operation);
		return;
	}

	body = zcsync_connector_error_body(call);
	said = zcsync_json_get_text(body, "err");
	if (said == NULL)			/* version 3 */
		said = zcsync_json_get_text(body, "message");
	code = zcsync_json_get_text(body, "ECODE");
	if (code != NULL && said != NULL)
		said = psprintf("%s (%s)", said, code);

	rule = code != NULL ? find_rule(code) : NULL;
	if (rule != NULL)
	{
		call->outcome = rule->outcome;
		hint = rule->hint;
		/* the vendor read the request and refused it */
		call->maybe_applied = false;
	}
	else
		judge_unknown(call, code, &hint);

	if (missing(call, code) || zcsync_connector_lacking(call))
		return;
	if (call->outcome == ZCSYNC_OUTCOME_THROTTLED)
		zcsync_connector_throttle(call, THROTTLE_S);
	zcsync_connector_explain(call, said, hint);
}

/*
 * What the headers say of the limits.  The end of the window is a Unix time.
 */
static void
read_limits(ZcsyncCall *call)
{
	int64		reset = zcsync_connector_header_number(call, "X-RateLimit-Reset");

	call->limit = (int) Min(zcsync_connector_header_number(call, "X-RateLimit-Limit"),
							PG_INT32_MAX);
	call->remaining = (int) Min(zcsync_connector_header_number(call, "X-RateLimit-Remaining"),
								PG_INT32_MAX);
	call->reset_s = -1;
	if (reset < 0)
		return;
	if (reset >= MILLISECONDS_FROM)
		reset /= 1000;
	reset -= timestamptz_to_time_t(zcsync_now());
	call->reset_s = (int) Max(0, Min(reset, ZCSYNC_RETRY_AFTER_MAX));
}

/*
 * The rule for a code, or NULL.  Codes of the same length sort like their
 * numbers.
 */
static const ErrorRule *
find_rule(const char *code)
{
	for (const ErrorRule *rule = error_rules; rule->first != NULL; rule++)
	{
		if (strcmp(code, rule->first) == 0)
			return rule;
		if (rule->last != NULL && strcmp(code, rule->first) > 0 &&
			strcmp(code, rule->last) <= 0)
			return rule;
	}
	return NULL;
}

/*
 * Is the record that was asked for not there, and may that be?  A task is
 * gone only if both the status and the code say so, since 401 may mean that
 * it is no longer shared.  For a list that is read on the way to others, the
 * reason why it has nothing does not matter.
 */
static bool
missing(ZcsyncCall *call, const char *code)
{
	bool		gone = call->status == 404 && code != NULL &&
		(strcmp(code, "ITEM_013") == 0 || strcmp(code, "ITEM_015") == 0);
	bool		unshared = call->status == 401 &&
		call->outcome == ZCSYNC_OUTCOME_REJECTED &&
		strcmp(call->op, "get_task") != 0;

	return (gone || unshared) && zcsync_connector_missing(call);
}

/*
 * An error whose code is missing or not known is judged by its status.
 */
static void
judge_unknown(ZcsyncCall *call, const char *code, const char **hint)
{
	bool		is_write = strcmp(call->http.method, "GET") != 0;

	switch (call->status)
	{
		case 401:
			*hint = HINT_TOKEN;
			break;
		case 403:
			*hint = "The user of the token lacks a right, or the plan this feature.";
			break;
		case 404:
			if (code == NULL)
				*hint = "Check the setting \"base_url\" of the account.";
			break;
		case 500:

			/*
			 * Not an outage: ClickUp answers like this to input that it
			 * cannot process.  Counts as an attempt, so that it comes to an
			 * end.
			 */
			if (is_write && code != NULL)
				call->outcome = ZCSYNC_OUTCOME_BROKEN;
			break;
		default:
			break;
	}
}
