/*-------------------------------------------------------------------------
 *
 * http_deadline.c
 *		When an HTTP transfer has taken too long.
 *
 * Time-outs are decided here and not by libcurl, because libcurl looks at the
 * clock before it looks at the socket.  If this process was busy with
 * something else for longer than the time-out, libcurl would give up replies
 * that had arrived in time, and the account's breaker would open.  http.c
 * reads all sockets first, and then asks here.
 *
 * There are three limits: for the time until the request is on its way
 * (zcsync.connect_timeout), for the whole transfer (zcsync.request_timeout),
 * and for the time in which hardly a byte moves.
 *
 * A process that was held up has left handshakes unanswered, too.  So when it
 * is back, transfers under way get a little more time.  That has a limit:
 * code that looks up whether a write was applied relies on the request being
 * over 30 seconds after its time-out (sql/queue/finish.sql).
 *
 * IDENTIFICATION
 *		src/http_deadline.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http_deadline.h"
#include "settings.h"

#define LOW_SPEED_BYTES		10	/* per second: slower is stuck */
#define LOW_SPEED_MIN_S		30
#define MOMENT_US			INT64CONST(2000000)
#define EXTEND_MAX_US		INT64CONST(20000000)

static bool is_stuck(HttpTransfer *transfer, int64 now_us);
static int64 bytes_moved(HttpTransfer *transfer);

/*
 * A transfer begins.  timeout_ms is for the whole of it; 0:
 * zcsync.request_timeout.
 */
void
zcsync_deadline_start(HttpTransfer *transfer, int timeout_ms, int64 now_us)
{
	int64		whole_us;

	if (timeout_ms <= 0)
		timeout_ms = zcsync_request_timeout;
	whole_us = (int64) timeout_ms * 1000;

	transfer->started_us = now_us;
	transfer->end_by_us = now_us + whole_us;
	transfer->connect_by_us = now_us + (int64) zcsync_connect_timeout * 1000;
	transfer->speed_span_us = Max((int64) LOW_SPEED_MIN_S * 1000000,
								  whole_us / 2);
	transfer->speed_at_us = now_us + transfer->speed_span_us;
	transfer->speed_bytes = 0;
	transfer->extend_to_us = transfer->end_by_us + EXTEND_MAX_US;
}

/* The process was held up until now: give the transfer a little more time. */
void
zcsync_deadline_extend(HttpTransfer *transfer, int64 now_us)
{
	int64		until_us = Min(now_us + MOMENT_US, transfer->extend_to_us);

	transfer->end_by_us = Max(transfer->end_by_us, until_us);
	transfer->connect_by_us = Max(transfer->connect_by_us, until_us);
	transfer->speed_at_us = Max(transfer->speed_at_us, until_us);
}

/* When to ask zcsync_deadline_passed() next. */
int64
zcsync_deadline_next(const HttpTransfer *transfer)
{
	int64		next = Min(transfer->end_by_us, transfer->speed_at_us);

	return transfer->sends > 0 ? next : Min(next, transfer->connect_by_us);
}

/*
 * Has the transfer taken too long?  NULL if not, else a text for people.  The
 * caller has read everything that arrived for it.
 */
const char *
zcsync_deadline_passed(HttpTransfer *transfer, int64 now_us)
{
	if (now_us >= transfer->end_by_us)
		return transfer->sends > 0 ? "no complete reply came in time" :
			"the request could not be sent in time";
	if (transfer->sends == 0 && now_us >= transfer->connect_by_us)
		return "no connection could be made in time";
	if (is_stuck(transfer, now_us))
		return "the transfer hardly moves";
	return NULL;
}

/* If it is time for a check: did hardly a byte move since the last one? */
static bool
is_stuck(HttpTransfer *transfer, int64 now_us)
{
	int64		bytes;
	int64		needed;

	if (now_us < transfer->speed_at_us)
		return false;
	bytes = bytes_moved(transfer);
	needed = LOW_SPEED_BYTES * (transfer->speed_span_us / 1000000);
	if (bytes - transfer->speed_bytes < needed)
		return true;
	transfer->speed_bytes = bytes;
	transfer->speed_at_us = now_us + transfer->speed_span_us;
	return false;
}

/* How much was sent and received. */
static int64
bytes_moved(HttpTransfer *transfer)
{
	curl_off_t	sent = 0;
	curl_off_t	received = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	return (int64) sent + (int64) received + (int64) transfer->header_bytes;
}
