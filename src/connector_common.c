/*-------------------------------------------------------------------------
 *
 * connector_common.c
 *		What connectors share: requests from a table, readable errors.
 *
 * A vendor's API is a table of operations; a request document that the
 * vendor's SQL makes names one of them and has its arguments.  Everything
 * here is allocated in the call's context, which is the current context while
 * a connector runs.
 *
 * No error body is shown before zcsync_connector_explain() has made it one
 * short line without markup and without the account's secrets, which some
 * servers quote (call_conceal.c).
 *
 * IDENTIFICATION
 *		src/connector_common.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "call_conceal.h"
#include "clock.h"
#include "connector_common.h"
#include "json.h"
#include "url.h"

/* Longest message kept of a vendor's error, in bytes. */
#define MESSAGE_MAX		500

/* An error body beyond this is not worth parsing. */
#define ERROR_BODY_MAX	(64 * 1024)

/* Lifetime of an access token whose reply names none, in seconds. */
#define TOKEN_LIFETIME_S	1800

static bool answer_missing(ZcsyncCall *call);
static bool expand_path(ZcsyncCall *call, StringInfo url, const char *path);
static void append_query(ZcsyncCall *call, StringInfo url, const char *query);
static void append_list(StringInfo url, bool *first, const char *key,
						const Jsonb *list, bool repeated);
static char *element_text(const Jsonb *element);
static char *request_text(const ZcsyncCall *call, const char *start, Size len);
static char *html_title(const char *said);
static void one_line(char *said);

/*
 * The operation of that name in a table that ends with a NULL name, or NULL.
 */
const ZcsyncOperation *
zcsync_operation_find(const ZcsyncOperation *operations, const char *name)
{
	for (; operations->name != NULL; operations++)
	{
		if (strcmp(operations->name, name) == 0)
			return operations;
	}
	return NULL;
}

/*
 * Fill method, URL and body of call->http from the operation and the request.
 * Returns false, with the call refused, if the request lacks an argument.
 */
bool
zcsync_operation_prepare(ZcsyncCall *call, const char *base_url,
						 const ZcsyncOperation *operation)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, base_url);
	if (!expand_path(call, &url, operation->path))
		return false;
	if (operation->query != NULL)
		append_query(call, &url, operation->query);

	call->http.method = operation->method;
	call->http.url = url.data;

	if (operation->has_body)
	{
		Jsonb	   *body = zcsync_json_get_object(call->request, "body");
		StringInfoData said;

		if (body == NULL)
			return zcsync_call_refuse(call, "request has no body", NULL);
		initStringInfo(&said);
		zcsync_json_append_jsonb(&said, body);
		call->http.body = said.data;
		call->http.body_len = said.len;
	}
	return true;
}

/*
 * A success must contain what was asked for.  This searches for the key in
 * the text, since parsing a page of records only for that would cost more
 * than the rest of the call.
 */
void
zcsync_operation_check_reply(ZcsyncCall *call,
							 const ZcsyncOperation *operation)
{
	const char *key = operation->reply_key;
	char	   *quoted;

	if (call->outcome != ZCSYNC_OUTCOME_DONE || key == NULL)
		return;
	if (key[0] == '{')
		key = request_text(call, key + 1, strlen(key) - 2);

	quoted = psprintf("\"%s\"", key);
	if (call->body != NULL && call->body[strspn(call->body, " \t\r\n")] == '{' &&
		strstr(call->body, quoted) != NULL)
		return;

	call->outcome = ZCSYNC_OUTCOME_BROKEN;
	call->maybe_applied = strcmp(operation->method, "GET") != 0;
	zcsync_connector_explain(call,
							 psprintf("reply has no \"%s\"", key),
							 NULL);
}

/*
 * Read the reply to a request for an access token, by RFC 6749, section 5.1.
 * The token is allocated in the call's context.
 */
bool
zcsync_connector_token_reply(ZcsyncCall *call, char **access_token,
							 int *lifetime_s)
{
	const char *why;
	Jsonb	   *body = NULL;
	int64		lifetime;
	bool		found;

	if (call->body != NULL)
		body = zcsync_json_parse(call->body, call->body_len, &why);
	*access_token = zcsync_json_get_text(body, "access_token");
	if (*access_token == NULL || (*access_token)[0] == '\0')
	{
		call->outcome = ZCSYNC_OUTCOME_BROKEN;
		call->message = pstrdup("reply to the request for a token has no token");
		return false;
	}
	lifetime = zcsync_json_get_int64(body, "expires_in", &found);
	if (!found || lifetime <= 0 || lifetime > PG_INT32_MAX)
		lifetime = TOKEN_LIFETIME_S;
	*lifetime_s = (int) lifetime;

	/* a reply without a scope grants what was asked for */
	call->token_scope = zcsync_json_get_text(body, "scope");
	if (call->token_scope == NULL || call->token_scope[0] == '\0')
	{
		const char *asked = zcsync_account_credential(call->account, "scope");

		call->token_scope = asked != NULL ? pstrdup(asked) : NULL;
	}
	return true;
}

/*
 * The account's setting base_url without a slash at its end, or NULL.
 */
char *
zcsync_connector_base_url(const ZcsyncAccount *account)
{
	char	   *url = zcsync_account_setting(account, "base_url");
	Size		len;

	if (url == NULL || url[0] == '\0')
		return NULL;
	len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
	return url;
}

/*
 * Add a header to the request.
 */
void
zcsync_connector_add_header(ZcsyncCall *call, const char *name,
							const char *value)
{
	call->http.headers = lappend(call->http.headers,
								 psprintf("%s: %s", name, value));
}

/*
 * The body of an error as a document, or NULL if it is none or too large to
 * be an error.
 */
Jsonb *
zcsync_connector_error_body(ZcsyncCall *call)
{
	const char *why;

	if (call->body == NULL || call->body_len > ERROR_BODY_MAX)
		return NULL;
	return zcsync_json_parse(call->body, call->body_len, &why);
}

/*
 * Set the message and the hint of the outcome.  If the message is NULL or
 * empty, it becomes the beginning of the reply.
 */
void
zcsync_connector_explain(ZcsyncCall *call, const char *message,
						 const char *hint)
{
	const char *source = message;
	char	   *said;
	int			len;

	if (source == NULL || source[0] == '\0')
		source = call->body;
	if (source == NULL || source[0] == '\0')
		source = call->message;
	if (source == NULL || source[0] == '\0')
		source = psprintf("HTTP status %d without a text", call->status);

	said = html_title(source);
	if (said == NULL)
		said = pnstrdup(source, strnlen(source, 4 * MESSAGE_MAX));
	zcsync_call_conceal(call, said);
	one_line(said);

	/* also remove a character that pnstrdup() may have cut in the middle */
	len = pg_encoding_verifymbstr(PG_UTF8, said, strlen(said));
	said[len] = '\0';
	if (len > MESSAGE_MAX)
		said[pg_encoding_mbcliplen(PG_UTF8, said, len, MESSAGE_MAX)] = '\0';

	call->message = said;
	if (hint != NULL)
		call->hint = pstrdup(hint);
}

/*
 * A header as a whole number, or -1.
 */
int64
zcsync_connector_header_number(ZcsyncCall *call, const char *name)
{
	const char *value = zcsync_http_header(call->transfer, name);
	char	   *end;
	int64		number;

	if (value == NULL || value[0] < '0' || value[0] > '9')
		return -1;
	errno = 0;
	number = strtoll(value, &end, 10);
	return errno == 0 && end != value ? number : -1;
}

/*
 * The vendor says that what was asked for is not there.  If the request
 * expects that (member "may_be_gone"), this is an answer: the reply becomes
 * one with "zcsync_missing", and true is returned.  A web page does not
 * count: it may come from a proxy on the way.
 */
bool
zcsync_connector_missing(ZcsyncCall *call)
{
	return zcsync_json_get_text(call->request, "may_be_gone") != NULL &&
		answer_missing(call);
}

/*
 * The vendor refuses what was asked for: not all plans and logins have it.
 * If the request expects that (member "may_be_refused"), this is an answer,
 * too, so that what is read after it does not wait for it.
 */
bool
zcsync_connector_lacking(ZcsyncCall *call)
{
	return zcsync_json_get_text(call->request, "may_be_refused") != NULL &&
		(call->outcome == ZCSYNC_OUTCOME_REJECTED ||
		 call->outcome == ZCSYNC_OUTCOME_NOT_FOUND) &&
		answer_missing(call);
}

/*
 * Make the reply one that says that there is nothing.
 */
static bool
answer_missing(ZcsyncCall *call)
{
	const char *type = zcsync_http_header(call->transfer, "Content-Type");

	if (type != NULL && strstr(type, "text/html") != NULL)
		return false;
	call->outcome = ZCSYNC_OUTCOME_DONE;
	call->maybe_applied = false;
	call->body = pstrdup("{\"zcsync_missing\": true}");
	call->body_len = strlen(call->body);
	call->message = NULL;
	call->hint = NULL;
	return true;
}

/*
 * The vendor says "too many requests": stop this class of calls until the
 * time that Retry-After or the end of the window names, otherwise for
 * default_s.
 */
void
zcsync_connector_throttle(ZcsyncCall *call, int default_s)
{
	int64		wait_s;

	call->outcome = ZCSYNC_OUTCOME_THROTTLED;
	call->maybe_applied = false;

	wait_s = zcsync_retry_after_parse(zcsync_http_header(call->transfer, "Retry-After"),
									  timestamptz_to_time_t(zcsync_now()));
	if (wait_s >= 0 && call->pause_ms > 0)
		return;					/* retry.c has set the delay already */
	if (wait_s < 0 && call->reset_s >= 0)
		wait_s = call->reset_s;
	call->pause_guessed = wait_s < 0;
	if (call->pause_guessed)
		wait_s = default_s;
	call->pause_ms = Max(wait_s, 1) * 1000;
	call->delay_ms = call->pause_ms;
}

/*
 * Append a path, with each {word} replaced by that member of the request.
 */
static bool
expand_path(ZcsyncCall *call, StringInfo url, const char *path)
{
	while (*path != '\0')
	{
		Size		plain = strcspn(path, "{");

		appendBinaryStringInfo(url, path, plain);
		path += plain;
		if (*path == '{')
		{
			Size		len = strcspn(path + 1, "}");
			char	   *value = request_text(call, path + 1, len);

			/* "." and ".." would climb out of the path */
			if (value == NULL || value[strspn(value, ".")] == '\0')
				return zcsync_call_refuse(call,
										  psprintf("request has no \"%s\"",
												   pnstrdup(path + 1, len)),
										  NULL);
			zcsync_url_append_encoded(url, value);
			path += len + 2;
		}
	}
	return true;
}

/*
 * Append the members of the request that the operation takes as parameters.
 */
static void
append_query(ZcsyncCall *call, StringInfo url, const char *query)
{
	bool		first = true;

	while (*query != '\0')
	{
		Size		len = strcspn(query, " ");
		char	   *key = pnstrdup(query, len);
		bool		repeated = len > 2 && strcmp(key + len - 2, "[]") == 0;
		char	   *member = repeated ? pnstrdup(key, len - 2) : key;
		Jsonb	   *list = zcsync_json_get_array(call->request, member);

		if (list != NULL)
			append_list(url, &first, key, list, repeated);
		else
			zcsync_url_query_param(url, &first, key,
								   zcsync_json_get_text(call->request, member));
		query += len + strspn(query + len, " ");
	}
}

/*
 * Append a list as one parameter for each element, or as one parameter for
 * all.
 */
static void
append_list(StringInfo url, bool *first, const char *key, const Jsonb *list,
			bool repeated)
{
	StringInfoData joined;

	initStringInfo(&joined);
	for (int i = 0; i < zcsync_json_array_length(list); i++)
	{
		char	   *value = element_text(zcsync_json_array_element(list, i));

		if (value == NULL)
			continue;
		if (repeated)
			zcsync_url_query_param(url, first, key, value);
		else
			appendStringInfo(&joined, "%s%s", joined.len > 0 ? "," : "", value);
	}
	if (joined.len > 0)
		zcsync_url_query_param(url, first, key, joined.data);
}

/*
 * A scalar document as text, or NULL.
 */
static char *
element_text(const Jsonb *element)
{
	JsonbValue	value;

	if (element == NULL ||
		!JsonbExtractScalar((JsonbContainer *) &element->root, &value))
		return NULL;
	if (value.type == jbvString)
		return pnstrdup(value.val.string.val, value.val.string.len);
	if (value.type == jbvNumeric)
		return numeric_normalize(value.val.numeric);
	return NULL;
}

/*
 * A member of the request as text; its name is the first len bytes at
 * "start".  NULL if it is missing or empty.
 */
static char *
request_text(const ZcsyncCall *call, const char *start, Size len)
{
	char	   *value = zcsync_json_get_text(call->request,
											 pnstrdup(start, len));

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/*
 * If the text is a web page: its title, or a general name if it has none.
 */
static char *
html_title(const char *said)
{
	const char *start;
	const char *end;

	said += strspn(said, " \t\r\n");
	if (pg_strncasecmp(said, "<!doctype", 9) != 0 &&
		pg_strncasecmp(said, "<html", 5) != 0 &&
		pg_strncasecmp(said, "<head", 5) != 0)
		return NULL;

	for (start = strchr(said, '<'); start != NULL; start = strchr(start + 1, '<'))
	{
		if (pg_strncasecmp(start, "<title", 6) == 0)
			break;
	}
	start = start != NULL ? strchr(start, '>') : NULL;
	end = start != NULL ? strchr(start, '<') : NULL;
	if (end == NULL || end == start + 1)
		return pstrdup("a web page");
	return psprintf("web page \"%s\"", pnstrdup(start + 1, end - start - 1));
}

/*
 * Turn every run of white space and control characters into one space, in
 * place, and drop those at the end.
 */
static void
one_line(char *said)
{
	char	   *out = said;

	for (const char *p = said; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c > ' ' && c != 0x7F)
			*out++ = *p;
		else if (out > said && out[-1] != ' ')
			*out++ = ' ';
	}
	while (out > said && out[-1] == ' ')
		out--;
	*out = '\0';
}
