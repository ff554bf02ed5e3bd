/*-------------------------------------------------------------------------
 *
 * connector_zendesk.c
 *		The Zendesk Support API.
 *
 * Authorisation is OAuth with the grant client_credentials: a token for half
 * an hour, fetched by operation "token".  API tokens with an e-mail address
 * work as long as Zendesk still accepts them.
 *
 * Zendesk has four kinds of error body, and plain text for some 429s:
 *
 *	  {"error": "RecordInvalid", "description": "...", "details": {...}}
 *	  {"error": {"title": "...", "message": "..."}}
 *	  {"errors": [{"code": "...", "title": "...", "detail": "..."}]}
 *	  {"details": {"base": [{"description": "..."}]}}
 *
 * IDENTIFICATION
 *		src/connector_zendesk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"

#include "compat.h"
#include "connector.h"
#include "connector_common.h"
#include "file_transfer.h"
#include "json.h"


/* Pause after a 429 that does not say how long to wait, in seconds. */
#define THROTTLE_S	30

/* The window of all limits except that of a single ticket, in seconds. */
#define WINDOW_S	60

static const ZcsyncOperation operations[] = {
	{"token", "POST", "/oauth/tokens", NULL, false, "access_token"},
	{"incremental", "GET", "/api/v2/incremental/{kind}/cursor",
	"start_time cursor per_page include", false, "{kind}"},
	{"organizations", "GET", "/api/v2/incremental/organizations",
	"start_time per_page", false, "organizations"},
	{"ticket_events", "GET", "/api/v2/incremental/ticket_events",
	"start_time include", false, "ticket_events"},
	{"ticket_comments", "GET", "/api/v2/tickets/{ticket_id}/comments",
	"include include_inline_images sort page[size] page[after]", false,
	"comments"},
	{"ticket_audits", "GET", "/api/v2/tickets/{ticket_id}/audits",
	"include page[size] page[after]", false, "audits"},
	{"deleted_tickets", "GET", "/api/v2/deleted_tickets",
	"sort_by sort_order page per_page", false, "deleted_tickets"},
	{"suspended_tickets", "GET", "/api/v2/suspended_tickets",
	"page[size] page[after]", false, "suspended_tickets"},
	{"show_many", "GET", "/api/v2/tickets/show_many", "ids include", false,
	"tickets"},
	{"count", "GET", "/api/v2/tickets/count", NULL, false, "count"},
	{"ticket_fields", "GET", "/api/v2/ticket_fields",
	"page[size] page[after]", false, "ticket_fields"},
	{"custom_statuses", "GET", "/api/v2/custom_statuses",
	"page[size] page[after]", false, "custom_statuses"},
	{"groups", "GET", "/api/v2/groups", "page[size] page[after]", false,
	"groups"},
	{"brands", "GET", "/api/v2/brands", "page[size] page[after]", false,
	"brands"},
	{"ticket_forms", "GET", "/api/v2/ticket_forms", "page[size] page[after]",
	false, "ticket_forms"},
	{"find_ticket", "GET", "/api/v2/tickets", "external_id", false, "tickets"},
	{"get_ticket", "GET", "/api/v2/tickets/{ticket_id}", NULL, false, "ticket"},
	{"create_ticket", "POST", "/api/v2/tickets", NULL, true, "ticket"},
	{"update_ticket", "PUT", "/api/v2/tickets/{ticket_id}", NULL, true,
	"ticket"},
	{"post_comment", "PUT", "/api/v2/tickets/{ticket_id}", NULL, true,
	"ticket"},
	{"make_private", "PUT",
		"/api/v2/tickets/{ticket_id}/comments/{comment_id}/make_private", NULL,
	false, NULL},
	{"find_user", "GET", "/api/v2/users/search", "query", false, "users"},
	{"create_user", "POST", "/api/v2/users/create_or_update", NULL, true,
	"user"},
	{"create_organization", "POST", "/api/v2/organizations/create_or_update",
	NULL, true, "organization"},
	{"attachment", "GET", "/api/v2/attachments/{attachment_id}", NULL, false,
	"attachment"},
	{"upload", "POST", "/api/v2/uploads", "filename", false, "upload"},
	{"users_me", "GET", "/api/v2/users/me", NULL, false, "user"},
	{"webhooks", "GET", "/api/v2/webhooks", "page[size] page[after]", false,
	"webhooks"},
	{"create_webhook", "POST", "/api/v2/webhooks", NULL, true, "webhook"},
	{"update_webhook", "PATCH", "/api/v2/webhooks/{webhook_id}", NULL, true,
	NULL},
	{"delete_webhook", "DELETE", "/api/v2/webhooks/{webhook_id}", NULL, false,
	NULL},
	{"webhook_secret", "GET", "/api/v2/webhooks/{webhook_id}/signing_secret",
	NULL, false, "signing_secret"},
	{NULL}
};

/*
 * What Zendesk says when an export that has reached its end is requested
 * again too soon.
 */
static const char *const empty_export =
"{\"%s\": [], \"end_of_stream\": true, \"after_cursor\": null}";
static const char *const empty_by_time =
"{\"%s\": [], \"end_of_stream\": true, \"end_time\": null}";

static bool zendesk_needs_token(const ZcsyncAccount *account);
static bool zendesk_prepare(ZcsyncCall *call);
static void zendesk_interpret(ZcsyncCall *call);
static char *base_url(const ZcsyncAccount *account);
static bool add_authorization(ZcsyncCall *call);
static bool prepare_token(ZcsyncCall *call);
static bool is_write(const ZcsyncCall *call);
static bool is_export(const ZcsyncCall *call);
static void read_limits(ZcsyncCall *call);
static void throttle(ZcsyncCall *call);
static bool read_limit(ZcsyncCall *call, const char *name,
					   ZcsyncLimits *limits);
static void set_limits(ZcsyncCall *call, const ZcsyncLimits *limits);
static bool list_number(const char *value, const char *key, int *number);
static bool too_recent(ZcsyncCall *call, const Jsonb *body);
static void judge_create(ZcsyncCall *call, const Jsonb *body);
static char *error_text(const Jsonb *body);
static void append_details(StringInfo said, const Jsonb *details);
static bool closed(const Jsonb *body);
static const char *error_hint(ZcsyncCall *call, const Jsonb *body);
static void check_user(ZcsyncCall *call);

const ZcsyncConnector zcsync_connector_zendesk = {
	"zendesk",
	zendesk_needs_token,
	zcsync_connector_token_reply,
	zendesk_prepare,
	zendesk_interpret,
	NULL
};

/*
 * Does this account use OAuth, and not an API token?
 */
static bool
zendesk_needs_token(const ZcsyncAccount *account)
{
	return zcsync_account_credential(account, "client_id") != NULL;
}

/*
 * Fill call->http from call->request.
 */
static bool
zendesk_prepare(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	char	   *url = base_url(call->account);

	if (strcmp(call->op, "download") == 0)
	{
		bool		is_own_host;

		return zcsync_file_prepare_download(call,
											zcsync_json_get_text(call->request, "url"),
											url, &is_own_host) &&
			(!is_own_host || add_authorization(call));
	}
	if (operation == NULL)
		return zcsync_call_refuse(call,
								  psprintf("Zendesk has no operation \"%s\"",
										   call->op), NULL);
	if (url == NULL)
		return zcsync_call_refuse(call,
								  "account has no valid subdomain",
								  "Set it with zcsync.alter_account(): settings => '{\"subdomain\": \"...\"}'.");
	if (!zcsync_operation_prepare(call, url, operation))
		return false;

	zcsync_connector_add_header(call, "Accept", "application/json");

	if (strcmp(operation->name, "token") == 0)
		return prepare_token(call);
	if (call->http.body != NULL)
		zcsync_connector_add_header(call, "Content-Type", "application/json");
	if (strcmp(operation->name, "upload") == 0 &&
		!zcsync_file_prepare_upload(call, ZCSYNC_FILE_PLAIN))
		return false;
	if (strcmp(operation->name, "create_ticket") == 0)
	{
		char	   *key = zcsync_json_get_text(call->request, "idempotency_key");

		if (key == NULL)
			return zcsync_call_refuse(call, "request has no idempotency key",
									  NULL);
		zcsync_connector_add_header(call, "Idempotency-Key", key);
	}
	return add_authorization(call);
}

/*
 * Refine the outcome of a call.
 */
static void
zendesk_interpret(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	Jsonb	   *body;

	read_limits(call);

	if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		if (operation != NULL)
			zcsync_operation_check_reply(call, operation);
		if (strcmp(call->op, "users_me") == 0)
			check_user(call);
		return;
	}

	body = zcsync_connector_error_body(call);
	if (too_recent(call, body))
		return;
	if (zcsync_connector_lacking(call) ||
		(call->outcome == ZCSYNC_OUTCOME_NOT_FOUND &&
		 zcsync_connector_missing(call)))
		return;
	if (call->outcome == ZCSYNC_OUTCOME_THROTTLED)
		throttle(call);
	judge_create(call, body);
	/* a request for a token is refused with 400 or 401 */
	if (strcmp(call->op, "token") == 0 &&
		call->outcome == ZCSYNC_OUTCOME_REJECTED)
		call->outcome = ZCSYNC_OUTCOME_AUTH;
	zcsync_connector_explain(call, error_text(body), error_hint(call, body));
}

/*
 * The address of the account's API, or NULL if the settings do not name it.
 */
static char *
base_url(const ZcsyncAccount *account)
{
	char	   *url = zcsync_connector_base_url(account);
	char	   *subdomain;

	if (url != NULL)
		return url;

	/* only letters, digits and hyphens: no other host may be named here */
	subdomain = zcsync_account_setting(account, "subdomain");
	if (subdomain == NULL || subdomain[0] == '\0' ||
		subdomain[strspn(subdomain, "abcdefghijklmnopqrstuvwxyz"
						 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")] != '\0')
		return NULL;
	return psprintf("https://%s.zendesk.com", subdomain);
}

/*
 * Add the header that says who we are.
 */
static bool
add_authorization(ZcsyncCall *call)
{
	const ZcsyncAccount *account = call->account;
	const char *email = zcsync_account_credential(account, "email");
	const char *api_token = zcsync_account_credential(account, "api_token");
	const char *access_token = zcsync_account_credential(account,
														 "access_token");
	char	   *pair;
	char	   *encoded;
	int			size;
	int			len;

	if (access_token != NULL)
	{
		zcsync_connector_add_header(call, "Authorization",
									psprintf("Bearer %s", access_token));
		return true;
	}
	if (email == NULL || api_token == NULL)
		return zcsync_call_refuse(call, "account has no usable credentials",
								  "Set client_id and client_secret with zcsync.set_credentials().");

	pair = psprintf("%s/token:%s", email, api_token);
	size = pg_b64_enc_len(strlen(pair));
	encoded = palloc(size + 1);
	len = zcsync_b64_encode(pair, strlen(pair), encoded, size);
	if (len < 0)
		elog(ERROR, "could not encode credentials");
	encoded[len] = '\0';
	zcsync_connector_add_header(call, "Authorization",
								psprintf("Basic %s", encoded));
	return true;
}

/*
 * The body of a request for an access token.  It asks for the scope "read"
 * unless the credentials name another one.
 */
static bool
prepare_token(ZcsyncCall *call)
{
	static const char *const names[] = {"client_id", "client_secret", "scope"};
	StringInfoData body;
	bool		first = false;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"grant_type\": \"client_credentials\"");
	for (int i = 0; i < lengthof(names); i++)
	{
		const char *value = zcsync_account_credential(call->account, names[i]);

		if (value == NULL && strcmp(names[i], "scope") == 0)
			value = "read";
		if (value == NULL)
			return zcsync_call_refuse(call,
									  psprintf("account has no credential \"%s\"",
											   names[i]),
									  "Set client_id and client_secret with zcsync.set_credentials().");
		zcsync_json_append_key(&body, &first, names[i]);
		zcsync_json_append_string(&body, value);
	}
	appendStringInfoChar(&body, '}');

	call->http.body = body.data;
	call->http.body_len = body.len;
	zcsync_connector_add_header(call, "Content-Type", "application/json");
	return true;
}

/*
 * Does the call change a ticket?  Such calls have a limit of their own.
 */
static bool
is_write(const ZcsyncCall *call)
{
	return strcmp(call->op, "create_ticket") == 0 ||
		strcmp(call->op, "update_ticket") == 0 ||
		strcmp(call->op, "post_comment") == 0 ||
		strcmp(call->op, "make_private") == 0;
}

/*
 * Is the call an export?  These have a limit of their own, too.
 */
static bool
is_export(const ZcsyncCall *call)
{
	return strcmp(call->op, "incremental") == 0 ||
		strcmp(call->op, "ticket_events") == 0 ||
		strcmp(call->op, "organizations") == 0;
}

/*
 * What the headers say about the limits: that of all calls in three headers,
 * those of exports and of changes of tickets in one each, as a list such as
 * "total=10; remaining=9; resets=2".  Exports count among all calls, too.
 */
static void
read_limits(ZcsyncCall *call)
{
	bool		export = is_export(call);
	ZcsyncLimits account = {export || is_write(call) ? "api" : NULL, -1, -1, -1};
	ZcsyncLimits own = {call->budget_class, -1, -1, -1};

	account.limit = (int) Min(zcsync_connector_header_number(call, "X-Rate-Limit"),
							  PG_INT32_MAX);
	account.remaining = (int) Min(zcsync_connector_header_number(call, "X-Rate-Limit-Remaining"),
								  PG_INT32_MAX);
	account.reset_s = (int) Min(zcsync_connector_header_number(call, "ratelimit-reset"),
								ZCSYNC_RETRY_AFTER_MAX);
	if (export)
	{
		if (!read_limit(call, "zendesk-ratelimit-incremental-exports-cursor", &own))
			(void) read_limit(call, "zendesk-ratelimit-incremental-exports", &own);
		set_limits(call, &own);
		if (account.limit >= 0 || account.remaining >= 0)
			call->other_limits = account;
		return;
	}
	set_limits(call, &account);
	if (is_write(call) && read_limit(call, "zendesk-ratelimit-tickets-update", &own))
		call->other_limits = own;
}

/*
 * A header with the limit of one kind of calls as a list.  Returns false, and
 * leaves the limits as they were, if the header is missing or is no such
 * list.
 */
static bool
read_limit(ZcsyncCall *call, const char *name, ZcsyncLimits *limits)
{
	const char *value = zcsync_http_header(call->transfer, name);
	int			remaining;
	int			reset_s;

	if (value == NULL || !list_number(value, "remaining", &remaining) ||
		!list_number(value, "resets", &reset_s))
		return false;
	limits->remaining = remaining;
	limits->reset_s = reset_s;
	(void) list_number(value, "total", &limits->limit);
	return true;
}

/*
 * Set the limits that the call's outcome reports.
 */
static void
set_limits(ZcsyncCall *call, const ZcsyncLimits *limits)
{
	call->limits_class = limits->class;
	call->limit = limits->limit;
	call->remaining = limits->remaining;
	call->reset_s = limits->reset_s;
}

/*
 * Too many calls.  If calls of other kinds are left, the limit of writes is
 * used up: either that of all writes, or that of a single ticket, which does
 * not keep others from being written.  It is the single ticket if writes are
 * left, or if the pause is longer than the window of writes.
 */
static void
throttle(ZcsyncCall *call)
{
	bool		writes_only = is_write(call) && call->remaining > 0;
	bool		writes_left = call->other_limits.class != NULL &&
		call->other_limits.remaining > 0;

	if (writes_only)
	{
		ZcsyncLimits account = {"api", call->limit, call->remaining, call->reset_s};
		ZcsyncLimits unknown = {call->budget_class, -1, -1, -1};

		set_limits(call, call->other_limits.class != NULL ?
				   &call->other_limits : &unknown);
		call->other_limits = account;
	}
	zcsync_connector_throttle(call, THROTTLE_S);
	if (writes_only &&
		(writes_left ||
		 zcsync_connector_header_number(call, "Retry-After") > WINDOW_S))
	{
		call->limit_of_record = true;
		call->pause_ms = 0;
	}
}

/*
 * One number of a list "key=value; key=value".
 */
static bool
list_number(const char *value, const char *key, int *number)
{
	Size		len = strlen(key);

	while (*value != '\0')
	{
		value += strspn(value, " \t;,");
		if (pg_strncasecmp(value, key, len) == 0 && value[len] == '=' &&
			value[len + 1] >= '0' && value[len + 1] <= '9')
		{
			*number = (int) Min(strtol(value + len + 1, NULL, 10),
								(long) ZCSYNC_RETRY_AFTER_MAX);
			return true;
		}
		value += strcspn(value, ";,");
	}
	return false;
}

/*
 * An export that starts less than some minutes ago has nothing new yet, which
 * Zendesk reports as an error.  This makes it the empty page that it is.
 */
static bool
too_recent(ZcsyncCall *call, const Jsonb *body)
{
	char	   *said;

	if (call->status != 422 || !is_export(call))
		return false;
	said = error_text(body);
	if (said == NULL || strstr(said, "Too recent start_time") == NULL)
		return false;

	call->outcome = ZCSYNC_OUTCOME_DONE;
	call->body = strcmp(call->op, "incremental") == 0 ?
		psprintf(empty_export, zcsync_json_get_text(call->request, "kind")) :
		psprintf(empty_by_time, call->op);
	call->body_len = strlen(call->body);
	call->message = NULL;
	return true;
}

/*
 * Zendesk refused a create because one with the same key was sent before:
 * that one may have made the ticket, so it is looked up.
 */
static void
judge_create(ZcsyncCall *call, const Jsonb *body)
{
	char	   *code = zcsync_json_get_text(body, "error");

	if (strcmp(call->op, "create_ticket") != 0)
		return;
	if (call->outcome == ZCSYNC_OUTCOME_CONFLICT ||
		(call->outcome == ZCSYNC_OUTCOME_REJECTED && code != NULL &&
		 strcmp(code, "IdempotentRequestError") == 0))
	{
		call->outcome = ZCSYNC_OUTCOME_CONFLICT;
		call->maybe_applied = true;
	}
}

/*
 * What an error body says, in one line; NULL if it is none of the known kinds.
 */
static char *
error_text(const Jsonb *body)
{
	Jsonb	   *errors = zcsync_json_get_array(body, "errors");
	StringInfoData said;
	char	   *code;
	char	   *description;

	if (errors != NULL && zcsync_json_array_length(errors) > 0)
		body = zcsync_json_array_element(errors, 0);

	code = zcsync_json_get_text(body, "error");
	if (code == NULL)
		code = zcsync_json_path_text(body, "error.title");
	if (code == NULL)
		code = zcsync_json_get_text(body, "code");
	description = zcsync_json_get_text(body, "description");
	if (description == NULL)
		description = zcsync_json_get_text(body, "error_description");
	if (description == NULL)
		description = zcsync_json_path_text(body, "error.message");
	if (description == NULL)
		description = zcsync_json_get_text(body, "detail");
	if (description == NULL)
		description = zcsync_json_get_text(body, "title");

	initStringInfo(&said);
	if (code != NULL)
		appendStringInfoString(&said, code);
	if (description != NULL)
		appendStringInfo(&said, "%s%s", code != NULL ? ": " : "", description);
	append_details(&said, zcsync_json_get_object(body, "details"));
	return said.len > 0 ? said.data : NULL;
}

/*
 * Append the descriptions of a map {field: [{description}]}.
 */
static void
append_details(StringInfo said, const Jsonb *details)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		wanted = false;
	bool		first = true;

	if (details == NULL)
		return;
	it = JsonbIteratorInit((JsonbContainer *) &details->root);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			wanted = value.val.string.len == strlen("description") &&
				memcmp(value.val.string.val, "description",
					   value.val.string.len) == 0;
		else if (token == WJB_VALUE && wanted && value.type == jbvString)
		{
			appendStringInfo(said, "%s%.*s", !first ? "; " : said->len > 0 ? " (" : "(",
							 value.val.string.len, value.val.string.val);
			first = false;
		}
	}
	if (!first)
		appendStringInfoChar(said, ')');
}

/*
 * Was a change refused because the ticket is closed?
 */
static bool
closed(const Jsonb *body)
{
	char	   *said = error_text(body);

	return said != NULL && strstr(said, "closed prevents ticket update") != NULL;
}

/*
 * What to do about an error, or NULL.
 */
static const char *
error_hint(ZcsyncCall *call, const Jsonb *body)
{
	const char *name = call->account->name;
	char	   *code = zcsync_json_get_text(body, "error");

	switch (call->outcome)
	{
		case ZCSYNC_OUTCOME_AUTH:
			return psprintf("Check the credentials at Zendesk and set them with SELECT zcsync.set_credentials('%s', ...).",
							name);
		case ZCSYNC_OUTCOME_CONFLICT:
			if (call->maybe_applied)
				return "The ticket may have been made before; it is looked up.";
			return "Somebody changed the ticket at the same time; it is read and merged, and then tried again.";
		case ZCSYNC_OUTCOME_NOT_FOUND:
			if (code == NULL || strcmp(code, "InvalidEndpoint") == 0)
				return psprintf("Check the setting \"subdomain\" of account \"%s\".",
								name);
			return "The record was deleted, or the user of the credentials cannot see it.";
		case ZCSYNC_OUTCOME_REJECTED:
			if (closed(body))
				return "A closed ticket cannot be changed; make a new one for what is left to do.";
			if (call->status == 422 &&
				strcmp(call->op, "create_organization") == 0)
				return psprintf("An organization of that name may have been made just now: SELECT * FROM zcsync.refresh('%s/companies'); and then have this job tried again with zcsync.retry().",
								name);
			if (call->status != 403)
				return NULL;
			if (is_write(call) || strcmp(call->op, "create_user") == 0 ||
				strcmp(call->op, "create_organization") == 0)
				return psprintf("Writing needs the OAuth scope \"read write\": give it with SELECT zcsync.set_credentials('%s', '{..., \"scope\": \"read write\"}'); or else the user of the credentials lacks a right.",
								name);
			if (is_export(call))
				return "Exports need a user with the role of an administrator, and the OAuth scope \"read\".";
			return "The user of the credentials lacks a right, the OAuth client a scope, or the plan this feature.";
		default:
			return NULL;
	}
}

/*
 * With wrong credentials, /users/me answers 200 and shows an anonymous user.
 */
static void
check_user(ZcsyncCall *call)
{
	const char *why;
	Jsonb	   *body;

	if (call->outcome != ZCSYNC_OUTCOME_DONE)
		return;
	body = zcsync_json_parse(call->body, call->body_len, &why);
	if (zcsync_json_path_text(body, "user.id") != NULL)
		return;
	call->outcome = ZCSYNC_OUTCOME_AUTH;
	zcsync_connector_explain(call, "Zendesk takes us for an anonymous user",
							 error_hint(call, NULL));
}
