/*-------------------------------------------------------------------------
 *
 * retry.c
 *		What the end of an exchange means for its jobs, and when to try again.
 *
 * Pure functions: no clock, no I/O, no PostgreSQL memory, no state.  What
 * varies (time, chance) is passed in, so that every rule can be tested by
 * itself.
 *
 * Two questions are answered separately.  The class says who has to act:
 * nobody, time, the owner of the credentials, or the owner of the record.
 * "May it have been applied?" says whether a write can simply be repeated:
 * after a time-out or a 502 it may have worked, and repeating it could make a
 * second ticket.  In doubt the answer is yes, because a look-up costs one
 * request, and a duplicate costs a customer's patience.
 *
 * IDENTIFICATION
 *		src/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "retry.h"

/*
 * A pause that the vendor asked for is lengthened at random, by up to this
 * share.
 */
#define RETRY_AFTER_SPREAD	0.1

/* From here on, a number in place of a delay is a Unix time. */
#define EPOCH_THRESHOLD		INT64CONST(1000000000)

static ZcsyncOutcomeClass class_of_curl_code(int curl_code);
static ZcsyncOutcomeClass class_of_status(int status, bool retry_after);
static bool maybe_applied(const ZcsyncRetryInput *in,
						  ZcsyncOutcomeClass class);
static int64_t delay_of(const ZcsyncRetryInput *in, ZcsyncOutcomeClass class);

/*
 * Judge one exchange.  A hint overrides what the status says, but only if a
 * whole reply came: without one there was no body to take a hint from.
 */
ZcsyncOutcome
zcsync_retry_judge(const ZcsyncRetryInput *in)
{
	ZcsyncOutcome out;

	if (in->curl_code != CURLE_OK)
		out.class = class_of_curl_code(in->curl_code);
	else if (in->hint != ZCSYNC_OUTCOME_NONE)
		out.class = in->hint;
	else
		out.class = class_of_status(in->status, in->retry_after_s >= 0);

	out.maybe_applied = maybe_applied(in, out.class);
	out.delay_ms = delay_of(in, out.class);
	return out;
}

/*
 * The name of a class, as tables and views show it.
 */
const char *
zcsync_outcome_name(ZcsyncOutcomeClass class)
{
	static const char *const names[ZCSYNC_OUTCOME_COUNT] = {
		"done", "throttled", "vendor", "auth", "rejected", "conflict",
		"not_found", "broken", "config"
	};

	if ((int) class < 0 || (int) class >= ZCSYNC_OUTCOME_COUNT)
		return "none";
	return names[class];
}

/*
 * Delay before the next attempt: it doubles from base_ms with each attempt,
 * up to cap_ms.  The upper half of it is random, so that jobs that failed
 * together do not come back together.
 */
int64_t
zcsync_backoff_ms(int64_t base_ms, int64_t cap_ms, int attempt,
				  double random01)
{
	int64_t		delay = base_ms;

	if (base_ms <= 0 || cap_ms <= 0)
		return 0;

	for (int i = 1; i < attempt && delay < cap_ms; i++)
	{
		/* cannot overflow: stop before doubling would pass the cap */
		delay = delay > cap_ms / 2 ? cap_ms : delay * 2;
	}
	if (delay > cap_ms)
		delay = cap_ms;

	if (!(random01 >= 0.0 && random01 < 1.0))
		random01 = 0.5;
	return delay - (int64_t) ((double) (delay / 2) * random01);
}

/*
 * Read the value of Retry-After or a similar header: seconds (with a
 * fraction, which is rounded up), a Unix time, or an HTTP date.  Returns the
 * seconds to wait, from 0 to ZCSYNC_RETRY_AFTER_MAX, or -1 if there is no
 * value or it cannot be read.
 */
int64_t
zcsync_retry_after_parse(const char *value, int64_t now_epoch)
{
	const char *p = value;
	int64_t		seconds = 0;

	if (value == NULL)
		return -1;
	while (*p == ' ' || *p == '\t')
		p++;

	if (*p >= '0' && *p <= '9')
	{
		for (; *p >= '0' && *p <= '9'; p++)
		{
			if (seconds < INT64CONST(1000000000000))
				seconds = seconds * 10 + (*p - '0');
		}
		if (*p == '.')
		{
			bool		fraction = false;

			for (p++; *p >= '0' && *p <= '9'; p++)
				fraction |= (*p != '0');
			seconds += fraction;
		}
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p != '\0')
			return -1;
		if (seconds >= EPOCH_THRESHOLD)
			seconds -= now_epoch;
	}
	else
	{
		/* requires a letter: curl_getdate() also takes "-5" or ":" oddly */
		time_t		when;

		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
			return -1;
		when = curl_getdate(p, NULL);
		if (when == (time_t) -1)
			return -1;
		seconds = (int64_t) when - now_epoch;
	}

	if (seconds < 0)
		return 0;
	if (seconds > ZCSYNC_RETRY_AFTER_MAX)
		return ZCSYNC_RETRY_AFTER_MAX;
	return seconds;
}

/*
 * The class of a transfer without a complete reply.  Unless it is clearly our
 * own configuration or an unreadable reply, it counts as trouble on the way,
 * which ends by itself.
 */
static ZcsyncOutcomeClass
class_of_curl_code(int curl_code)
{
	switch (curl_code)
	{
		case ZCSYNC_CURL_REFUSED:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_URL_MALFORMAT:
		case CURLE_NOT_BUILT_IN:
		case CURLE_BAD_FUNCTION_ARGUMENT:
		case CURLE_UNKNOWN_OPTION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CIPHER:
			return ZCSYNC_OUTCOME_CONFIG;
		case CURLE_FILESIZE_EXCEEDED:
		case CURLE_BAD_CONTENT_ENCODING:
			return ZCSYNC_OUTCOME_BROKEN;
		default:
			return ZCSYNC_OUTCOME_VENDOR;
	}
}

/*
 * The class of a whole reply, by its status alone.
 *
 * Redirects are never followed.  One means that something stands between us
 * and the API: a maintenance page, a captive portal, a moved account.  That
 * counts as the vendor's fault, and is shown as such.  A 503 that says when
 * to come back counts as throttling and not as an outage.
 */
static ZcsyncOutcomeClass
class_of_status(int status, bool retry_after)
{
	if (status >= 200 && status <= 299)
		return ZCSYNC_OUTCOME_DONE;

	switch (status)
	{
		case 401:
			return ZCSYNC_OUTCOME_AUTH;
		case 404:
		case 410:
			return ZCSYNC_OUTCOME_NOT_FOUND;
		case 408:				/* request time-out */
		case 425:				/* too early */
			return ZCSYNC_OUTCOME_VENDOR;
		case 409:
		case 412:				/* precondition failed */
		case 423:				/* locked */
			return ZCSYNC_OUTCOME_CONFLICT;
		case 429:
			return ZCSYNC_OUTCOME_THROTTLED;
		case 503:
			return retry_after ? ZCSYNC_OUTCOME_THROTTLED
				: ZCSYNC_OUTCOME_VENDOR;
	}

	if (status >= 400 && status <= 499)
		return ZCSYNC_OUTCOME_REJECTED;
	return ZCSYNC_OUTCOME_VENDOR;
}

/*
 * Is this a write whose effect is not known?  A 4xx means that it was not
 * applied, and a readable 2xx that it was.
 */
static bool
maybe_applied(const ZcsyncRetryInput *in, ZcsyncOutcomeClass class)
{
	if (!in->is_write || in->curl_code == ZCSYNC_CURL_REFUSED)
		return false;
	if (in->curl_code != CURLE_OK)
		return in->maybe_sent;
	if (in->status >= 400 && in->status <= 499)
		return false;
	if (in->status >= 200 && in->status <= 299)
		return class == ZCSYNC_OUTCOME_VENDOR ||
			class == ZCSYNC_OUTCOME_BROKEN;
	return true;
}

/*
 * How long to wait: at least as long as the vendor asked for; chance only
 * adds to that.
 */
static int64_t
delay_of(const ZcsyncRetryInput *in, ZcsyncOutcomeClass class)
{
	int64_t		asked = in->retry_after_s;
	double		spread = in->random01;

	if (class == ZCSYNC_OUTCOME_DONE)
		return 0;
	if (in->curl_code != CURLE_OK || asked < 0)
		return zcsync_backoff_ms(in->base_ms, in->cap_ms, in->attempt,
								 in->random01);

	if (asked > ZCSYNC_RETRY_AFTER_MAX)
		asked = ZCSYNC_RETRY_AFTER_MAX;
	if (!(spread >= 0.0 && spread < 1.0))
		spread = 0.5;

	/*
	 * spread over at least a second, or all jobs would return at the same
	 * moment
	 */
	return asked * 1000 +
		(int64_t) (Max((double) asked * 1000.0 * RETRY_AFTER_SPREAD, 1000.0) *
				   spread);
}
