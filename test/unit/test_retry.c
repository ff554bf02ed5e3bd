/*-------------------------------------------------------------------------
 *
 * test_retry.c
 *		The retry policy: classes, delays, and what may have been applied.
 *
 * IDENTIFICATION
 *		test/unit/test_retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "../../src/retry.h"
#include "unit.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 */
#define EXAMPLE_EPOCH	INT64CONST(784111777)

static ZcsyncRetryInput reply(int status);
static void status_is(int status, const char *class, bool maybe_applied);
static void failure_is(int curl_code, bool maybe_sent, const char *class,
					   bool maybe_applied);
static void hint_is(int status, ZcsyncOutcomeClass hint, const char *class,
					bool maybe_applied);
static void test_statuses(void);
static void test_failures(void);
static void test_hints(void);
static void test_backoff(void);
static void test_delays(void);
static void test_retry_after(void);

void
test_retry(void)
{
	test_statuses();
	test_failures();
	test_hints();
	test_backoff();
	test_delays();
	test_retry_after();
}

/*
 * A write that was answered with this status.
 */
static ZcsyncRetryInput
reply(int status)
{
	ZcsyncRetryInput in = {0};

	in.maybe_sent = true;
	in.status = status;
	in.retry_after_s = -1;
	in.attempt = 1;
	in.is_write = true;
	in.hint = ZCSYNC_OUTCOME_NONE;
	in.base_ms = 1000;
	in.cap_ms = 60000;
	in.random01 = 0.5;
	return in;
}

static void
status_is(int status, const char *class, bool maybe_applied)
{
	ZcsyncRetryInput in = reply(status);
	ZcsyncOutcome out = zcsync_retry_judge(&in);

	is_text(zcsync_outcome_name(out.class), class,
			psprintf("retry: class of status %d", status));
	is_int(out.maybe_applied, maybe_applied,
		   psprintf("retry: may status %d have been applied", status));

	in.is_write = false;
	out = zcsync_retry_judge(&in);
	ok(!out.maybe_applied,
	   psprintf("retry: a read with status %d changes nothing", status));
}

static void
failure_is(int curl_code, bool maybe_sent, const char *class,
		   bool maybe_applied)
{
	ZcsyncRetryInput in = reply(0);
	ZcsyncOutcome out;

	in.curl_code = curl_code;
	in.maybe_sent = maybe_sent;
	out = zcsync_retry_judge(&in);
	is_text(zcsync_outcome_name(out.class), class,
			psprintf("retry: class of curl code %d", curl_code));
	is_int(out.maybe_applied, maybe_applied,
		   psprintf("retry: may curl code %d, sent %d, have been applied",
					curl_code, maybe_sent));
}

static void
hint_is(int status, ZcsyncOutcomeClass hint, const char *class,
		bool maybe_applied)
{
	ZcsyncRetryInput in = reply(status);
	ZcsyncOutcome out;

	in.hint = hint;
	out = zcsync_retry_judge(&in);
	is_text(zcsync_outcome_name(out.class), class,
			psprintf("retry: hint %s with status %d",
					 zcsync_outcome_name(hint), status));
	is_int(out.maybe_applied, maybe_applied,
		   psprintf("retry: hint %s with status %d, maybe applied",
					zcsync_outcome_name(hint), status));
}

static void
test_statuses(void)
{
	status_is(200, "done", false);
	status_is(201, "done", false);
	status_is(204, "done", false);
	status_is(302, "vendor", true);
	status_is(400, "rejected", false);
	status_is(401, "auth", false);
	status_is(403, "rejected", false);
	status_is(404, "not_found", false);
	status_is(408, "vendor", false);
	status_is(409, "conflict", false);
	status_is(410, "not_found", false);
	status_is(412, "conflict", false);
	status_is(422, "rejected", false);
	status_is(423, "conflict", false);
	status_is(429, "throttled", false);
	status_is(500, "vendor", true);
	status_is(502, "vendor", true);
	status_is(503, "vendor", true);
	status_is(504, "vendor", true);
	status_is(0, "vendor", true);
	status_is(999, "vendor", true);
	is_text(zcsync_outcome_name(ZCSYNC_OUTCOME_NONE), "none",
			"retry: name of no class");
	is_text(zcsync_outcome_name(ZCSYNC_OUTCOME_CONFIG), "config",
			"retry: name of the last class");
}

static void
test_failures(void)
{
	failure_is(ZCSYNC_CURL_REFUSED, false, "config", false);
	failure_is(CURLE_COULDNT_RESOLVE_HOST, false, "vendor", false);
	failure_is(CURLE_COULDNT_CONNECT, false, "vendor", false);
	failure_is(CURLE_SSL_CONNECT_ERROR, false, "vendor", false);
	failure_is(CURLE_PEER_FAILED_VERIFICATION, false, "vendor", false);
	failure_is(CURLE_SSL_CACERT_BADFILE, false, "config", false);
	failure_is(CURLE_OPERATION_TIMEDOUT, false, "vendor", false);
	failure_is(CURLE_OPERATION_TIMEDOUT, true, "vendor", true);
	failure_is(CURLE_RECV_ERROR, true, "vendor", true);
	failure_is(CURLE_GOT_NOTHING, true, "vendor", true);
	failure_is(CURLE_PARTIAL_FILE, true, "vendor", true);
	failure_is(CURLE_FILESIZE_EXCEEDED, true, "broken", true);
	failure_is(CURLE_BAD_CONTENT_ENCODING, true, "broken", true);
}

static void
test_hints(void)
{
	hint_is(401, ZCSYNC_OUTCOME_NOT_FOUND, "not_found", false);
	hint_is(400, ZCSYNC_OUTCOME_THROTTLED, "throttled", false);
	hint_is(200, ZCSYNC_OUTCOME_BROKEN, "broken", true);
	hint_is(200, ZCSYNC_OUTCOME_VENDOR, "vendor", true);
	hint_is(200, ZCSYNC_OUTCOME_REJECTED, "rejected", false);
	hint_is(500, ZCSYNC_OUTCOME_CONFLICT, "conflict", true);
}

static void
test_backoff(void)
{
	is_int(zcsync_backoff_ms(1000, 60000, 1, 0.0), 1000, "backoff: first");
	is_int(zcsync_backoff_ms(1000, 60000, 2, 0.0), 2000, "backoff: second");
	is_int(zcsync_backoff_ms(1000, 60000, 6, 0.0), 32000, "backoff: sixth");
	is_int(zcsync_backoff_ms(1000, 60000, 7, 0.0), 60000, "backoff: cap");
	is_int(zcsync_backoff_ms(1000, 60000, 2, 0.5), 1500, "backoff: chance");
	ok(zcsync_backoff_ms(1000, 60000, 2, 0.999999) > 1000,
	   "backoff: chance takes at most half");
	is_int(zcsync_backoff_ms(1000, 60000, 0, 0.0), 1000, "backoff: attempt 0");
	is_int(zcsync_backoff_ms(1000, 60000, -5, 0.0), 1000,
		   "backoff: negative attempt");
	is_int(zcsync_backoff_ms(1000, 500, 1, 0.0), 500,
		   "backoff: cap below the base");
	is_int(zcsync_backoff_ms(0, 500, 1, 0.0), 0, "backoff: no base");
	is_int(zcsync_backoff_ms(1000, INT64_MAX, INT_MAX, 0.0), INT64_MAX,
		   "backoff: does not overflow");
	is_int(zcsync_backoff_ms(1000, 60000, 1, 7.0), 750,
		   "backoff: chance out of range");
}

static void
test_delays(void)
{
	ZcsyncRetryInput in = reply(429);
	ZcsyncOutcome out;

	in.retry_after_s = 17;
	in.random01 = 0.0;
	is_int(zcsync_retry_judge(&in).delay_ms, 17000,
		   "delay: what the vendor asked for");
	in.random01 = 0.5;
	is_int(zcsync_retry_judge(&in).delay_ms, 17850, "delay: spread by 10 %");
	in.retry_after_s = 0;
	is_int(zcsync_retry_judge(&in).delay_ms, 500,
		   "delay: spread by at least a second");
	in.retry_after_s = INT64_MAX;
	in.random01 = 0.0;
	is_int(zcsync_retry_judge(&in).delay_ms,
		   (int64) ZCSYNC_RETRY_AFTER_MAX * 1000, "delay: capped");

	in = reply(503);
	in.retry_after_s = 60;
	out = zcsync_retry_judge(&in);
	is_text(zcsync_outcome_name(out.class), "throttled",
			"delay: 503 with Retry-After is orderly");
	ok(out.maybe_applied, "delay: and a write may still have been applied");

	in = reply(500);
	in.attempt = 3;
	in.random01 = 0.0;
	is_int(zcsync_retry_judge(&in).delay_ms, 4000, "delay: backoff");
	in.curl_code = CURLE_COULDNT_CONNECT;
	in.retry_after_s = 600;
	is_int(zcsync_retry_judge(&in).delay_ms, 4000,
		   "delay: no reply, no Retry-After");
	in = reply(200);
	is_int(zcsync_retry_judge(&in).delay_ms, 0, "delay: none when done");
}

static void
test_retry_after(void)
{
	is_int(zcsync_retry_after_parse("120", 0), 120, "Retry-After: seconds");
	is_int(zcsync_retry_after_parse(" 5 ", 0), 5, "Retry-After: blanks");
	is_int(zcsync_retry_after_parse("0", 0), 0, "Retry-After: zero");
	is_int(zcsync_retry_after_parse("1.0", 0), 1, "Retry-After: no fraction");
	is_int(zcsync_retry_after_parse("1.2", 0), 2, "Retry-After: fraction");
	is_int(zcsync_retry_after_parse("999999", 0), ZCSYNC_RETRY_AFTER_MAX,
		   "Retry-After: cap");
	is_int(zcsync_retry_after_parse("99999999999999999999999999", 0),
		   ZCSYNC_RETRY_AFTER_MAX, "Retry-After: absurd");
	is_int(zcsync_retry_after_parse("1700000060", 1700000000), 60,
		   "Retry-After: Unix time");
	is_int(zcsync_retry_after_parse("1700000000", 1700000060), 0,
		   "Retry-After: past Unix time");
	is_int(zcsync_retry_after_parse("Sun, 06 Nov 1994 08:49:37 GMT",
									EXAMPLE_EPOCH - 30), 30,
		   "Retry-After: date");
	is_int(zcsync_retry_after_parse("Sunday, 06-Nov-94 08:49:37 GMT",
									EXAMPLE_EPOCH - 30), 30,
		   "Retry-After: date of RFC 850");
	is_int(zcsync_retry_after_parse("Sun Nov  6 08:49:37 1994",
									EXAMPLE_EPOCH - 30), 30,
		   "Retry-After: date of asctime()");
	is_int(zcsync_retry_after_parse("Sun, 06 Nov 1994 08:49:37 GMT",
									EXAMPLE_EPOCH + 30), 0,
		   "Retry-After: past date");
	is_int(zcsync_retry_after_parse("Sun, 06 Nov 2033 08:49:37 GMT",
									EXAMPLE_EPOCH), ZCSYNC_RETRY_AFTER_MAX,
		   "Retry-After: far date");
	is_int(zcsync_retry_after_parse(NULL, 0), -1, "Retry-After: none");
	is_int(zcsync_retry_after_parse("", 0), -1, "Retry-After: empty");
	is_int(zcsync_retry_after_parse("-5", 0), -1, "Retry-After: negative");
	is_int(zcsync_retry_after_parse("5s", 0), -1, "Retry-After: unit");
	is_int(zcsync_retry_after_parse("soon", 0), -1, "Retry-After: word");
}
