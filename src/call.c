/*-------------------------------------------------------------------------
 *
 * call.c
 *		Calls as the engine and the connectors share them.
 *
 * A call is one HTTP exchange.  The engine creates it from a claimed job, and
 * the vendor's connector turns its request into HTTP.  When the transfer is
 * over, zcsync_call_complete() judges it: first by the rules for all vendors
 * (retry.c), then the connector refines that by the vendor's headers and
 * error body.  Nothing that a vendor sends raises an error here; it becomes
 * data in the outcome.
 *
 * IDENTIFICATION
 *		src/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "call.h"
#include "call_conceal.h"
#include "clock.h"
#include "connector.h"
#include "json.h"
#include "shown_secret.h"

/* Backoff where no queue sets it: for pauses after a 429. */
#define CALL_BACKOFF_BASE_MS	5000
#define CALL_BACKOFF_CAP_MS		60000

/* How much of a reply that is not JSON goes into a message. */
#define CALL_TEXT_MAX	500

static void call_read_body(ZcsyncCall *call);
static bool call_is_write(const ZcsyncCall *call);
static char *call_excerpt(const char *body, Size len);
static const char *copy_class(ZcsyncCall *call, const char *class);

/*
 * Make a call in a context of its own under "parent".  "request" is copied.
 */
ZcsyncCall *
zcsync_call_create(MemoryContext parent, ZcsyncAccount *account,
				   Jsonb *request)
{
	MemoryContext context;
	MemoryContext old;
	ZcsyncCall *call;

	context = AllocSetContextCreate(parent, "zcsync call",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(ZcsyncCall));
	call->context = context;
	call->account = account;
	account->refs++;
	call->request = palloc(VARSIZE(request));
	memcpy(call->request, request, VARSIZE(request));
	call->op = zcsync_json_get_text(call->request, "op");
	call->outcome = ZCSYNC_OUTCOME_CONFIG;
	call->delay_ms = -1;
	call->limit = call->remaining = call->reset_s = -1;
	MemoryContextSwitchTo(old);
	return call;
}

/*
 * Let the connector make the HTTP request.  Returns false when it cannot be
 * made; the outcome then says why.  The vendor's SQL may have found that the
 * record cannot be sent: {"refuse": message, "hint": ...}.
 */
bool
zcsync_call_prepare(ZcsyncCall *call)
{
	MemoryContext old = MemoryContextSwitchTo(call->context);
	char	   *refused = zcsync_json_get_text(call->request, "refuse");
	bool		ok;

	if (refused != NULL)
	{
		ok = zcsync_call_refuse(call, refused,
								zcsync_json_get_text(call->request, "hint"));
		call->outcome = ZCSYNC_OUTCOME_REJECTED;
	}
	else if (call->op == NULL)
		ok = zcsync_call_refuse(call, "request names no operation", NULL);
	else
		ok = call->account->connector->prepare(call);
	call->http.gzip_allowed = call->account->takes_gzip;
	MemoryContextSwitchTo(old);
	return ok;
}

/* The request cannot be made: outcome 'config'.  Always returns false. */
bool
zcsync_call_refuse(ZcsyncCall *call, const char *message, const char *hint)
{
	call->outcome = ZCSYNC_OUTCOME_CONFIG;
	call->message = MemoryContextStrdup(call->context, message);
	call->hint = hint ? MemoryContextStrdup(call->context, hint) : NULL;
	return false;
}

/*
 * The transfer is over: judge it, and copy what is needed of it.  The
 * transfer is released.
 */
void
zcsync_call_complete(ZcsyncCall *call, ZcsyncHttpTransfer *transfer)
{
	MemoryContext old = MemoryContextSwitchTo(call->context);
	ZcsyncRetryInput in = {0};
	ZcsyncOutcome out;

	call->transfer = transfer;
	call->status = transfer->status;
	call->duration_us = transfer->duration_us;
	call->connect_us = transfer->connect_us;
	call->message = pstrdup(transfer->error);

	in.curl_code = transfer->result == ZCSYNC_HTTP_REFUSED ?
		ZCSYNC_CURL_REFUSED : transfer->curl_code;
	in.maybe_sent = transfer->maybe_sent;
	in.status = transfer->status;
	in.retry_after_s = zcsync_retry_after_parse(zcsync_http_header(transfer, "Retry-After"),
												timestamptz_to_time_t(zcsync_now()));
	in.attempt = Max(call->attempts, 1);
	in.is_write = call_is_write(call);
	in.hint = ZCSYNC_OUTCOME_NONE;
	in.base_ms = CALL_BACKOFF_BASE_MS;
	in.cap_ms = CALL_BACKOFF_CAP_MS;
	in.random01 = pg_prng_double(&pg_global_prng_state);
	out = zcsync_retry_judge(&in);
	call->outcome = out.class;
	call->maybe_applied = out.maybe_applied;

	/*
	 * The vendor says how long to wait, otherwise the queue does; a pause
	 * after throttling holds back the whole class of calls.
	 */
	call->delay_ms = -1;
	if (in.retry_after_s >= 0)
		call->delay_ms = in.retry_after_s * 1000;
	if (call->outcome == ZCSYNC_OUTCOME_THROTTLED)
		call->pause_ms = call->delay_ms = out.delay_ms;

	if (transfer->result == ZCSYNC_HTTP_OK)
	{
		call_read_body(call);
		call->account->connector->interpret(call);
		if (call->outcome == ZCSYNC_OUTCOME_THROTTLED && call->pause_ms <= 0 &&
			!call->limit_of_record)
			call->pause_ms = call->delay_ms > 0 ? call->delay_ms : CALL_BACKOFF_BASE_MS;
		if (call->outcome != ZCSYNC_OUTCOME_DONE)
			zcsync_call_conceal_body(call);
	}
	if (call->outcome == ZCSYNC_OUTCOME_CONFIG && call->hint == NULL)
		call->hint = pstrdup("Look at zcsync.allowed_hosts and at the settings of the account.");

	call->transfer = NULL;
	zcsync_http_release(transfer);
	MemoryContextSwitchTo(old);
}

/* Free a call and all that belongs to it. */
void
zcsync_call_free(ZcsyncCall *call)
{
	zcsync_account_release(call->account);
	MemoryContextDelete(call->context);
}

/*
 * Make a carrier for calls of one account, in a context of its own under
 * "parent".  The members stay in theirs; they are not freed with the carrier.
 */
ZcsyncCall *
zcsync_call_carry(MemoryContext parent, List *members)
{
	ZcsyncCall *first = linitial(members);
	ZcsyncCall *carrier = zcsync_call_create(parent, first->account,
											 first->request);
	MemoryContext old = MemoryContextSwitchTo(carrier->context);

	carrier->attempts = first->attempts;
	carrier->budget_class = pstrdup(first->budget_class);
	carrier->members = list_copy(members);
	MemoryContextSwitchTo(old);
	return carrier;
}

/*
 * A carrier is over: its outcome becomes that of its members.  If the vendor
 * refused a write, one of the members may be to blame, and the vendor may
 * have accepted those before it: so all are tried again in smaller calls.
 * Reads that travel together are one and the same request, so all get the
 * same reply.
 */
void
zcsync_call_split(ZcsyncCall *carrier)
{
	bool		refused = call_is_write(carrier) &&
		(carrier->outcome == ZCSYNC_OUTCOME_REJECTED ||
		 carrier->outcome == ZCSYNC_OUTCOME_CONFLICT ||
		 carrier->outcome == ZCSYNC_OUTCOME_NOT_FOUND);
	ZcsyncCall *first = linitial(carrier->members);
	ListCell   *lc;

	foreach(lc, carrier->members)
	{
		ZcsyncCall *member = lfirst(lc);
		MemoryContext old = MemoryContextSwitchTo(member->context);

		member->outcome = carrier->outcome;
		member->maybe_applied = carrier->maybe_applied;
		member->halved = refused && list_length(carrier->members) > 1;
		member->status = carrier->status;
		member->delay_ms = carrier->delay_ms;
		member->duration_us = carrier->duration_us;
		member->message = carrier->message ? pstrdup(carrier->message) : NULL;
		member->hint = carrier->hint ? pstrdup(carrier->hint) : NULL;
		MemoryContextSwitchTo(old);
	}

	/* the limits from the headers are recorded once */
	first->limit = carrier->limit;
	first->limit_window_s = carrier->limit_window_s;
	first->remaining = carrier->remaining;
	first->reset_s = carrier->reset_s;
	first->pause_ms = carrier->pause_ms;
	first->pause_guessed = carrier->pause_guessed;
	first->limits_class = copy_class(first, carrier->limits_class);
	first->other_limits = carrier->other_limits;
	first->other_limits.class = copy_class(first, carrier->other_limits.class);

	if (carrier->outcome == ZCSYNC_OUTCOME_DONE)
	{
		MemoryContext old = MemoryContextSwitchTo(carrier->context);

		carrier->account->connector->split(carrier);
		MemoryContextSwitchTo(old);
	}
}

/* The name of a class of calls in the context of a call; NULL stays NULL. */
static const char *
copy_class(ZcsyncCall *call, const char *class)
{
	return class != NULL ? MemoryContextStrdup(call->context, class) : NULL;
}

/*
 * The reply to a carrier does not show what became of this member.
 */
void
zcsync_call_leave(ZcsyncCall *member, const char *why)
{
	member->outcome = ZCSYNC_OUTCOME_BROKEN;
	member->maybe_applied = true;
	member->message = MemoryContextStrdup(member->context, why);
}

/*
 * Clean the body of a reply, and take out the secrets that it may show.  A
 * success whose body is not JSON gets class 'broken', or 'vendor' if it is a
 * web page; an error may have any body, which is quoted unless it may show a
 * secret.
 */
static void
call_read_body(ZcsyncCall *call)
{
	ZcsyncHttpTransfer *transfer = call->transfer;
	const char *shown = zcsync_shown_secret_member(call);
	const char *why = NULL;

	if (transfer->body_len == 0)
		return;
	call->body = zcsync_json_clean(transfer->body, transfer->body_len,
								   &call->body_len, &why);
	if (call->body != NULL && shown != NULL)
		zcsync_shown_secret_take(call, shown);
	if (shown != NULL)
		explicit_bzero(transfer->body, transfer->body_len);
	if (why == NULL)
		return;

	call->message = shown != NULL ? pstrdup("reply is not valid JSON") :
		call_excerpt(transfer->body, transfer->body_len);
	if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		bool		page = strstr(transfer->content_type, "text/html") != NULL;

		call->outcome = page ? ZCSYNC_OUTCOME_VENDOR : ZCSYNC_OUTCOME_BROKEN;
		call->maybe_applied = call_is_write(call);
		call->message = psprintf("reply is not valid JSON (%s)",
								 page ? "a web page came" : why);
	}
}

/* Would the request change something at the vendor? */
static bool
call_is_write(const ZcsyncCall *call)
{
	return call->http.method != NULL && strcmp(call->http.method, "GET") != 0 &&
		(call->op == NULL || strcmp(call->op, "token") != 0);
}

/*
 * The beginning of a text as valid UTF-8 in one line, palloc'ed.
 */
static char *
call_excerpt(const char *body, Size len)
{
	int			clipped = Min(len, CALL_TEXT_MAX);
	char	   *excerpt = palloc(clipped + 1);

	for (int i = 0; i < clipped; i++)
	{
		unsigned char c = body[i];

		excerpt[i] = (c < ' ' || c == 0x7f) ? ' ' : c;
	}
	excerpt[pg_encoding_verifymbstr(PG_UTF8, excerpt, clipped)] = '\0';
	return excerpt;
}
