/*-------------------------------------------------------------------------
 *
 * connector_halopsa.c
 *		The HaloPSA API (the same in HaloITSM and HaloCRM).
 *
 * An instance has two servers: the API below BASE/api, and the authorisation
 * server below BASE/auth or at the address in the setting auth_url.  The
 * authorisation server gives a token for an hour for client_credentials,
 * which are sent as a form.
 *
 * Records of all kinds are read and written alike: GET of an entity is a list,
 * GET of entity and id is a record, POST takes an array of elements, with an
 * id to be changed and without one to be created.  So there are few operations
 * here, and the entity is part of the request.
 *
 * Errors have many forms: {"resultCode", "errorMessage"}, {"ClassName",
 * "Message"}, {"Message"}, {"message"}, {"error", "error_description"}, plain
 * text and web pages.  A 429 says in plain text how many requests are allowed,
 * but seldom when to come back.
 *
 * IDENTIFICATION
 *		src/connector_halopsa.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector.h"
#include "connector_common.h"
#include "file_transfer.h"
#include "json.h"
#include "url.h"


/* Pause after the first 429 that does not say how long to wait, in seconds. */
#define THROTTLE_S	60

/* The window of a limit that names none, in minutes. */
#define WINDOW_MINUTES	5

#define LIST_QUERY \
	"pageinate page_no page_size count order orderdesc domain type " \
	"includeclosed includeactive includeinactive includeenabled " \
	"includedisabled includevalues ticketidonly idonly lastupdatefromdate " \
	"requesttype client_id ticket_id excludesys includehtmlnote showall " \
	"showhidden nocache"

/* newest records first, whatever their state */
#define FIND_QUERY \
	"pageinate=true&page_size=100&order=id&orderdesc=true&includeclosed=true" \
	"&nocache=true"

static const ZcsyncOperation operations[] = {
	{"token", "POST", "/token", NULL, false, NULL},
	{"list", "GET", "/{entity}", LIST_QUERY, false, NULL},
	{"get", "GET", "/{entity}/{id}", "includedetails nocache", false, "id"},
	{"find", "GET", "/{entity}?" FIND_QUERY "&page_no={page}", NULL, false,
	NULL},
	{"post", "POST", "/{entity}?returnall=true", NULL, false, NULL},
	{"download", "GET", "/Attachment/{id}", NULL, false, NULL},
	{"upload", "POST", "/Attachment", NULL, false, NULL},
	{NULL}
};

/* Records on a page of a look-up, where they are not counted. */
#define FIND_PAGE_SIZE		100

/* Length of a time to the second, YYYY-MM-DDTHH:MM:SS. */
#define TIME_LEN	19

/* A record of a reply. */
typedef struct Record
{
	Jsonb	   *json;
	int64		id;
	bool		has_id;
	char	   *summary;		/* or NULL */
	bool		shows_mark;		/* has the document a member
								 * third_party_id_string? */
	char	   *mark;			/* the value of that member, or NULL if it
								 * is no mark */
	char	   *created;		/* when it was made, or NULL */
} Record;

/* The reply to a POST or a look-up. */
typedef struct Reply
{
	int			count;
	Record	   *records;
	bool		is_list;
	bool		more_pages;		/* of a look-up */
	bool		descending;		/* the newest come first, as was asked */
} Reply;

static bool halopsa_needs_token(const ZcsyncAccount *account);
static bool halopsa_prepare(ZcsyncCall *call);
static void halopsa_interpret(ZcsyncCall *call);
static void halopsa_split(ZcsyncCall *carrier);
static char *instance_url(const ZcsyncAccount *account);
static char *api_url(const ZcsyncAccount *account);
static char *auth_url(const ZcsyncAccount *account);
static bool prepare_token(ZcsyncCall *call);
static void append_form(StringInfo form, const char *name, const char *value);
static bool prepare_items(ZcsyncCall *call);
static void check_list(ZcsyncCall *call);
static void read_reply(ZcsyncCall *call, Reply *reply);
static bool more_on_next_page(const ZcsyncCall *call, const Jsonb *body,
							  int count);
static void give_part(ZcsyncCall *call, const Reply *reply, int position);
static void give_found(ZcsyncCall *call, const Reply *reply);
static const Record *find_record(const ZcsyncCall *call, const Reply *reply);
static const Record *record_in_place(const ZcsyncCall *call,
									 const Reply *reply, int position);
static bool goes_back_far_enough(const ZcsyncCall *call, const Reply *reply);
static char *error_text(const Jsonb *body);
static const char *error_hint(ZcsyncCall *call);
static void read_limit(ZcsyncCall *call, const char *said);

const ZcsyncConnector zcsync_connector_halopsa = {
	"halopsa",
	halopsa_needs_token,
	zcsync_connector_token_reply,
	halopsa_prepare,
	halopsa_interpret,
	halopsa_split
};

/* All accounts have tokens that end. */
static bool
halopsa_needs_token(const ZcsyncAccount *account)
{
	return true;
}

/*
 * Fill call->http from call->request.
 */
static bool
halopsa_prepare(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	bool		is_token = strcmp(call->op, "token") == 0;
	char	   *url = is_token ? auth_url(call->account) : api_url(call->account);
	const char *token;
	bool		is_own_host;

	if (operation == NULL)
		return zcsync_call_refuse(call,
								  psprintf("HaloPSA has no operation \"%s\"",
										   call->op), NULL);
	if (url == NULL)
		return zcsync_call_refuse(call, "account has no valid host",
								  "Set it with zcsync.alter_account(): settings => '{\"host\": \"acme.halopsa.com\"}'.");
	if (!zcsync_operation_prepare(call, url, operation))
		return false;

	if (strcmp(call->op, "download") != 0)
		zcsync_connector_add_header(call, "Accept", "application/json");
	if (is_token)
		return prepare_token(call);
	if (strcmp(call->op, "upload") == 0 &&
		!zcsync_file_prepare_upload(call, ZCSYNC_FILE_JSON))
		return false;
	if (strcmp(call->op, "post") == 0 && !prepare_items(call))
		return false;

	token = zcsync_account_credential(call->account, "access_token");
	if (token == NULL)
		return zcsync_call_refuse(call, "account has no usable credentials",
								  "Set client_id and client_secret with zcsync.set_credentials().");
	zcsync_connector_add_header(call, "Authorization",
								psprintf("Bearer %s", token));
	if (strcmp(call->op, "download") == 0)
		return zcsync_file_prepare_download(call, call->http.url, url,
											&is_own_host);
	return true;
}

/*
 * Refine the outcome of a call.
 */
static void
halopsa_interpret(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	char	   *said;

	if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		if (strcmp(call->op, "list") == 0 || strcmp(call->op, "find") == 0)
			check_list(call);
		else if (operation != NULL)
			zcsync_operation_check_reply(call, operation);
		return;
	}

	if (zcsync_connector_lacking(call) ||
		(call->status == 404 && strcmp(call->op, "get") == 0 &&
		 zcsync_connector_missing(call)))
		return;
	said = error_text(zcsync_connector_error_body(call));
	if (call->outcome == ZCSYNC_OUTCOME_THROTTLED)
	{
		zcsync_connector_throttle(call, THROTTLE_S);
		read_limit(call, said != NULL ? said : call->message);
	}
	/* a request for a token is refused with 400, 401 or 403 */
	if (strcmp(call->op, "token") == 0 &&
		call->outcome == ZCSYNC_OUTCOME_REJECTED)
		call->outcome = ZCSYNC_OUTCOME_AUTH;
	zcsync_connector_explain(call, said, error_hint(call));
}

/*
 * The address of the instance, without a slash at the end; NULL if the
 * settings do not name it.
 */
static char *
instance_url(const ZcsyncAccount *account)
{
	char	   *url = zcsync_connector_base_url(account);
	char	   *host;

	if (url != NULL)
		return url;

	/* nothing that could name another host, or a path */
	host = zcsync_account_setting(account, "host");
	if (host == NULL || host[0] == '\0' ||
		host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")] != '\0')
		return NULL;
	return psprintf("https://%s", host);
}

/* The address of its API, which base_url may replace. */
static char *
api_url(const ZcsyncAccount *account)
{
	char	   *url = instance_url(account);
	Size		len = url != NULL ? strlen(url) : 0;

	if (url == NULL || (len > 4 && strcmp(url + len - 4, "/api") == 0))
		return url;
	return psprintf("%s/api", url);
}

/*
 * The address of its authorisation server, without "/token"; auth_url may
 * replace it.
 */
static char *
auth_url(const ZcsyncAccount *account)
{
	char	   *url = zcsync_account_setting(account, "auth_url");
	Size		len;

	if (url != NULL && url[0] != '\0')
	{
		len = strlen(url);
		while (len > 0 && url[len - 1] == '/')
			url[--len] = '\0';
		if (len > 6 && strcmp(url + len - 6, "/token") == 0)
			url[len - 6] = '\0';
		return url;
	}
	url = instance_url(account);
	if (url == NULL)
		return NULL;
	len = strlen(url);
	if (len > 4 && strcmp(url + len - 4, "/api") == 0)
		url[len - 4] = '\0';
	return psprintf("%s/auth", url);
}

/*
 * The form that asks for an access token.  Hosted instances share an
 * authorisation server, which wants to know the tenant: in the query, or in
 * the form.
 */
static bool
prepare_token(ZcsyncCall *call)
{
	static const char *const names[] = {"client_id", "client_secret", "scope"};
	char	   *tenant = zcsync_account_setting(call->account, "tenant");
	char	   *tenant_in = zcsync_account_setting(call->account, "tenant_in");
	StringInfoData form;

	initStringInfo(&form);
	append_form(&form, "grant_type", "client_credentials");
	for (int i = 0; i < lengthof(names); i++)
	{
		const char *value = zcsync_account_credential(call->account, names[i]);

		if (value == NULL && strcmp(names[i], "scope") == 0)
			value = "all";
		if (value == NULL)
			return zcsync_call_refuse(call,
									  psprintf("account has no credential \"%s\"",
											   names[i]),
									  "Set client_id and client_secret with zcsync.set_credentials().");
		append_form(&form, names[i], value);
	}
	if (tenant != NULL && tenant[0] != '\0')
	{
		if (tenant_in != NULL && strcmp(tenant_in, "body") == 0)
			append_form(&form, "tenant", tenant);
		else
		{
			StringInfoData url;

			initStringInfo(&url);
			appendStringInfo(&url, "%s?tenant=", call->http.url);
			zcsync_url_append_encoded(&url, tenant);
			call->http.url = url.data;
		}
	}
	call->http.body = form.data;
	call->http.body_len = form.len;
	zcsync_connector_add_header(call, "Content-Type",
								"application/x-www-form-urlencoded");
	return true;
}

/* Append one field of a form. */
static void
append_form(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "%s%s=", form->len > 0 ? "&" : "", name);
	zcsync_url_append_encoded(form, value);
}

/*
 * The body of a POST: an array with the element of each request that travels
 * in this call, or with the one of this call alone.
 */
static bool
prepare_items(ZcsyncCall *call)
{
	List	   *calls = call->members != NIL ? call->members : list_make1(call);
	StringInfoData body;
	ListCell   *lc;

	initStringInfo(&body);
	foreach(lc, calls)
	{
		const ZcsyncCall *member = lfirst(lc);
		Jsonb	   *item = zcsync_json_get_object(member->request, "item");

		if (item == NULL)
			return zcsync_call_refuse(call, "request has no element to write",
									  NULL);
		appendStringInfoChar(&body, body.len == 0 ? '[' : ',');
		zcsync_json_append_jsonb(&body, item);
	}
	appendStringInfoChar(&body, ']');
	call->http.body = body.data;
	call->http.body_len = body.len;
	zcsync_connector_add_header(call, "Content-Type",
								"application/json; charset=utf-8");
	return true;
}

/*
 * A list is an array, or an object that contains one.  Other replies with
 * status 200 are no lists.
 */
static void
check_list(ZcsyncCall *call)
{
	if (call->body != NULL && strchr(call->body, '[') != NULL)
		return;
	call->outcome = ZCSYNC_OUTCOME_BROKEN;
	zcsync_connector_explain(call, "reply has no list", NULL);
}

/*
 * The records that travelled together came back: each member gets its part.
 * A POST may answer with all records or with the last one only.  A change
 * that the reply leaves out was accepted; a create that it leaves out stays
 * unclear, and is looked up.
 */
static void
halopsa_split(ZcsyncCall *carrier)
{
	Reply		reply;
	ListCell   *lc;

	read_reply(carrier, &reply);
	foreach(lc, carrier->members)
	{
		ZcsyncCall *member = lfirst(lc);
		MemoryContext old = MemoryContextSwitchTo(member->context);

		if (strcmp(carrier->op, "find") == 0)
			give_found(member, &reply);
		else
			give_part(member, &reply,
					  list_length(carrier->members) == reply.count ?
					  foreach_current_index(lc) : -1);
		MemoryContextSwitchTo(old);
	}
}

/*
 * Read the records of a reply: an array, an array in an object, or a single
 * record.
 */
static void
read_reply(ZcsyncCall *call, Reply *reply)
{
	const char *why;
	Jsonb	   *body = NULL;
	Jsonb	   *list;

	memset(reply, 0, sizeof(Reply));
	if (call->body != NULL)
		body = zcsync_json_parse(call->body, call->body_len, &why);
	if (body == NULL)
		return;
	list = JB_ROOT_IS_ARRAY(body) ? body : zcsync_json_get_array(body, "tickets");
	reply->is_list = list != NULL;
	reply->descending = true;
	reply->count = list != NULL ? zcsync_json_array_length(list) : 1;
	reply->records = palloc0(sizeof(Record) * Max(reply->count, 1));
	for (int i = 0; i < reply->count; i++)
	{
		Record	   *record = &reply->records[i];
		Jsonb	   *json = list != NULL ? zcsync_json_array_element(list, i) : body;

		record->json = json;
		record->id = zcsync_json_get_int64(json, "id", &record->has_id);
		if (record->id <= 0 || record->id > PG_INT32_MAX)
			record->has_id = false;
		if (i > 0 && record->id > reply->records[i - 1].id)
			reply->descending = false;
		record->summary = zcsync_json_get_text(json, "summary");
		record->mark = zcsync_json_get_text(json, "third_party_id_string");
		record->shows_mark = record->mark != NULL;
		if (record->mark != NULL && record->mark[0] == '\0')
			record->mark = NULL;
		record->created = zcsync_json_get_text(json, "datecreated");
		if (record->created == NULL)
			record->created = zcsync_json_get_text(json, "dateoccurred");
	}
	reply->more_pages = more_on_next_page(call, body, reply->count);
}

/*
 * Are there records beyond this page of a look-up?  A server may give fewer
 * on a page than requested.  So if the reply counts the records, the size of
 * pages is taken from what they have; otherwise an empty page is the last.
 */
static bool
more_on_next_page(const ZcsyncCall *call, const Jsonb *body, int count)
{
	int64		page;
	int64		total;
	bool		found;

	if (strcmp(call->op, "find") != 0 || count == 0)
		return false;
	page = zcsync_json_get_int64(call->request, "page", &found);
	total = zcsync_json_get_int64(body, "record_count", &found);
	return found ? page * count < total : count >= FIND_PAGE_SIZE;
}

/*
 * Make call->body the part of the reply to a POST that is about the call's
 * record: its document, or an empty object for a change that is not shown.
 * "position" is the record's, -1 where the reply has another number of them.
 */
static void
give_part(ZcsyncCall *call, const Reply *reply, int position)
{
	const Record *record = find_record(call, reply);
	StringInfoData part;
	bool		create;

	initStringInfo(&part);
	if (record == NULL && position >= 0)
		record = record_in_place(call, reply, position);
	if (record != NULL)
		zcsync_json_append_jsonb(&part, record->json);
	else if (zcsync_json_get_bool(call->request, "create", &create))
	{
		zcsync_call_leave(call, "reply has no part for this record");
		return;
	}
	else
		appendStringInfoString(&part, "{}");
	call->body = part.data;
	call->body_len = part.len;
}

/*
 * The same for a look-up: {"tickets": [the record, if it is there], "more":
 * may it be on the next page?}.  A reply that may hide the record proves
 * nothing: taking the record for missing would make it a second time.
 */
static void
give_found(ZcsyncCall *call, const Reply *reply)
{
	const Record *record = find_record(call, reply);
	char	   *summary = zcsync_json_get_text(call->request, "summary");
	char	   *page = zcsync_json_get_text(call->request, "page");
	bool		known;
	StringInfoData part;

	known = zcsync_json_get_bool(call->request, "known", &known);
	if (!reply->is_list)
		return zcsync_call_leave(call, "reply has no list");
	if (reply->count == 0 && known && page != NULL && strcmp(page, "1") == 0)
		return zcsync_call_leave(call, "list is empty, though there are records: the API application may not see them");

	for (int i = 0; record == NULL && i < reply->count; i++)
	{
		const Record *other = &reply->records[i];

		if (other->has_id && !other->shows_mark && summary != NULL &&
			other->summary != NULL && strcmp(other->summary, summary) == 0)
			return zcsync_call_leave(call,
									 psprintf("record " INT64_FORMAT " may be this one, but does not show its third_party_id_string",
											  other->id));
	}

	initStringInfo(&part);
	appendStringInfoString(&part, "{\"tickets\":[");
	if (record != NULL)
		zcsync_json_append_jsonb(&part, record->json);
	appendStringInfo(&part, "],\"more\":%s}",
					 reply->more_pages && !goes_back_far_enough(call, reply) ?
					 "true" : "false");
	call->body = part.data;
	call->body_len = part.len;
}

/*
 * The record of a reply that belongs to a request, or NULL: found by its id,
 * or by its mark if it is to be created or looked up.
 */
static const Record *
find_record(const ZcsyncCall *call, const Reply *reply)
{
	Jsonb	   *match = zcsync_json_get_object(call->request, "match");
	char	   *mark = zcsync_json_get_text(match, "third_party_id_string");
	bool		by_id;
	int64		id = zcsync_json_get_int64(match, "id", &by_id);

	for (int i = 0; i < reply->count; i++)
	{
		const Record *record = &reply->records[i];

		if (record->has_id &&
			((by_id && record->id == id) ||
			 (mark != NULL && record->mark != NULL &&
			  strcmp(record->mark, mark) == 0)))
			return record;
	}
	return NULL;
}

/*
 * The new record at the call's position in a reply whose records do not show
 * their marks, or NULL.  If there are several, its summary must be the one
 * that was sent.
 */
static const Record *
record_in_place(const ZcsyncCall *call, const Reply *reply, int position)
{
	const Record *record = &reply->records[position];
	char	   *summary = zcsync_json_path_text(call->request, "item.summary");
	bool		create;

	if (!zcsync_json_get_bool(call->request, "create", &create) ||
		!record->has_id || record->mark != NULL)
		return NULL;
	if (reply->count > 1 &&
		(record->shows_mark || summary == NULL || record->summary == NULL ||
		 strcmp(record->summary, summary) != 0))
		return NULL;
	return record;
}

/*
 * Has a look-up reached records that are older than the one it looks for?
 * They are older if they are below an id that was known before that record
 * can have been made ("floor"), or else by their times, if all of them say
 * when they were made.
 */
static bool
goes_back_far_enough(const ZcsyncCall *call, const Reply *reply)
{
	char	   *since = zcsync_json_get_text(call->request, "since");
	bool		has_floor;
	int64		floor = zcsync_json_get_int64(call->request, "floor", &has_floor);

	if (!reply->descending)
		return false;
	for (int i = 0; i < reply->count; i++)
	{
		const Record *record = &reply->records[i];

		if (has_floor && record->has_id && record->id <= floor)
			return true;
		if (!has_floor &&
			(since == NULL || record->created == NULL ||
			 strncmp(record->created, "19", 2) <= 0 ||
			 strncmp(record->created, since, TIME_LEN) >= 0))
			return false;
	}
	return !has_floor;
}

/*
 * What an error body says, in one line; NULL if it is none of the known kinds.
 */
static char *
error_text(const Jsonb *body)
{
	static const char *const keys[] = {"errorMessage", "Message", "message",
	"error_description", "detail", "title"};
	char	   *code = zcsync_json_get_text(body, "error");

	for (int i = 0; i < lengthof(keys); i++)
	{
		char	   *said = zcsync_json_get_text(body, keys[i]);

		if (said != NULL && said[0] != '\0')
			return code != NULL ? psprintf("%s: %s", code, said) : said;
	}
	return code;
}

/*
 * What to do about an error, or NULL.
 */
static const char *
error_hint(ZcsyncCall *call)
{
	const char *name = call->account->name;

	switch (call->outcome)
	{
		case ZCSYNC_OUTCOME_AUTH:
			if (strcmp(call->op, "token") == 0)
				return psprintf("Check the application and its scope at HaloPSA (Configuration > Integrations > HaloPSA API) and set them with SELECT zcsync.set_credentials('%s', ...); on hosted instances also the setting \"tenant\".",
								name);
			return psprintf("Check the credentials at HaloPSA and set them with SELECT zcsync.set_credentials('%s', ...).",
							name);
		case ZCSYNC_OUTCOME_NOT_FOUND:
			if (strcmp(call->op, "token") == 0)
				return psprintf("Check the settings \"host\" and \"auth_url\" of account \"%s\".",
								name);
			if (strcmp(call->op, "get") == 0)
				return psprintf("The record was deleted, or the agent of the API application may not see it. If no record can be read, check the setting \"host\" of account \"%s\".",
								name);
			return psprintf("Check the setting \"host\" of account \"%s\".", name);
		case ZCSYNC_OUTCOME_REJECTED:
			if (call->status == 403)
				return "The agent of the API application at HaloPSA lacks a permission, or its scope leaves this out.";
			return NULL;
		default:
			return NULL;
	}
}

/*
 * The limit that the text of a 429 names, as in "300 Requests per rolling 5
 * minute window".
 */
static void
read_limit(ZcsyncCall *call, const char *said)
{
	const char *requests;
	const char *number;
	int64		limit;
	long		minutes = 0;

	if (said == NULL)
		return;
	for (requests = said; *requests != '\0'; requests++)
	{
		if (pg_strncasecmp(requests, "request", 7) == 0)
			break;
	}
	number = requests;
	while (number > said && number[-1] == ' ')
		number--;
	while (number > said && number[-1] >= '0' && number[-1] <= '9')
		number--;
	limit = strtoll(number, NULL, 10);
	if (*requests == '\0' || limit <= 0 || limit > PG_INT32_MAX)
		return;
	requests += strcspn(requests, "0123456789");
	if (*requests != '\0' && strstr(requests, "minute") != NULL)
		minutes = strtol(requests, NULL, 10);
	if (minutes <= 0 || minutes >= 24 * 60)
		minutes = WINDOW_MINUTES;
	call->limit = (int) limit;
	call->limit_window_s = (int) minutes * 60;
}
