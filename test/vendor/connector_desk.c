/*-------------------------------------------------------------------------
 *
 * connector_desk.c
 *		A vendor that exists in tests only: the connector.
 *
 * With desk.sql and Simulator/Desk.pm this is all there is of it.  It shows
 * what a vendor needs, and that nothing else must know of one.
 *
 * IDENTIFICATION
 *		test/vendor/connector_desk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/connector.h"
#include "../../src/connector_common.h"
#include "../../src/json.h"

static const ZcsyncOperation operations[] = {
	{"list", "GET", "/records", "after limit", false, "records"},
	{"get", "GET", "/records/{id}", NULL, false, "id"},
	{"find", "GET", "/records", "mark", false, "records"},
	{"create", "POST", "/records", NULL, true, "id"},
	{"update", "PUT", "/records/{id}", NULL, true, "id"},
	{NULL}
};

static bool desk_needs_token(const ZcsyncAccount *account);
static bool desk_token_reply(ZcsyncCall *call, char **access_token,
							 int *lifetime_s);
static bool desk_prepare(ZcsyncCall *call);
static void desk_interpret(ZcsyncCall *call);

const ZcsyncConnector zcsync_connector_desk = {
	"desk",
	desk_needs_token,
	desk_token_reply,
	desk_prepare,
	desk_interpret,
	NULL
};

/*
 * Keys do not expire, and are not fetched.
 */
static bool
desk_needs_token(const ZcsyncAccount *account)
{
	return false;
}

/*
 * Never called: there is no operation "token".
 */
static bool
desk_token_reply(ZcsyncCall *call, char **access_token, int *lifetime_s)
{
	return zcsync_call_refuse(call, "accounts fetch no tokens", NULL);
}

/*
 * Fill call->http from call->request.
 */
static bool
desk_prepare(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	const char *key = zcsync_account_credential(call->account, "key");
	char	   *url = zcsync_connector_base_url(call->account);

	if (operation == NULL)
		return zcsync_call_refuse(call,
								  psprintf("there is no operation \"%s\"",
										   call->op), NULL);
	if (key == NULL || url == NULL)
		return zcsync_call_refuse(call, "account has no key or no address",
								  "Set key with zcsync.set_credentials().");
	if (!zcsync_operation_prepare(call, url, operation))
		return false;
	zcsync_connector_add_header(call, "Accept", "application/json");
	if (operation->has_body)
		zcsync_connector_add_header(call, "Content-Type", "application/json");
	zcsync_connector_add_header(call, "X-Desk-Key", key);
	return true;
}

/*
 * Refine the outcome of a call.  Errors are {"problem": "text"}.
 */
static void
desk_interpret(ZcsyncCall *call)
{
	const ZcsyncOperation *operation = zcsync_operation_find(operations,
															 call->op);
	Jsonb	   *body;

	if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		if (operation != NULL)
			zcsync_operation_check_reply(call, operation);
		return;
	}
	body = zcsync_connector_error_body(call);
	if (call->outcome == ZCSYNC_OUTCOME_THROTTLED)
		zcsync_connector_throttle(call, 1);
	zcsync_connector_explain(call, zcsync_json_get_text(body, "problem"), NULL);
}
