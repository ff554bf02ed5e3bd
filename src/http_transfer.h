/*-------------------------------------------------------------------------
 *
 * http_transfer.h
 *		One HTTP transfer, as http.c and http_transfer.c share it.
 *
 * IDENTIFICATION
 *		src/http_transfer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_HTTP_TRANSFER_H
#define ZCSYNC_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http.h"
#include "lib/ilist.h"

/* Where a transfer is. */
typedef enum HttpState
{
	HTTP_NEW,					/* in no list; then ACTIVE or DONE */
	HTTP_ACTIVE,				/* in the multi handle; then DONE */
	HTTP_DONE,					/* waits for zcsync_http_next_done() */
	HTTP_TAKEN					/* owned by the caller until released */
} HttpState;

typedef struct HttpTransfer
{
	ZcsyncHttpTransfer pub;		/* must be first */

	/* http.c's part */
	MemoryContext context;
	MemoryContextCallback on_delete;
	ZcsyncHttp *http;
	HttpState	state;
	dlist_node	node;			/* in the engine's active or done list */

	/* http_deadline.c's part: times of a monotonic clock, in microseconds */
	int64		started_us;
	int64		end_by_us;		/* the whole transfer is to be over */
	int64		connect_by_us;	/* the request is to be on its way */
	int64		speed_at_us;	/* when its speed is checked next */
	int64		speed_span_us;	/* the time between two checks */
	int64		speed_bytes;	/* bytes that had moved at the last check */
	int64		extend_to_us;	/* none of these times is moved beyond this */

	/* http_transfer.c's part */
	CURL	   *easy;			/* NULL: not prepared */
	struct curl_slist *headers;
	struct curl_slist *mail_to;
	Size		body_read;		/* of a mail or a file: sent so far */
	ZcsyncFile *download;		/* pinned; NULL: none */
	ZcsyncFile *upload;			/* likewise */
	bool		is_content;		/* as the request said */
	bool		file_failed;	/* a file could not be written or read */
	bool		private_address;	/* of a host that must have a public one */
	const char *request_body;	/* palloc'ed; libcurl does not copy it */
	Size		request_body_len;
	bool		is_write;		/* neither GET nor HEAD */
	int			sends;			/* how often libcurl began to send the
								 * request */
	bool		repeat_refused; /* libcurl wanted to send it once more */
	bool		out_of_memory;
	char	   *body;			/* malloc'ed by append_body() */
	Size		body_size;		/* of the allocation */
	Size		header_bytes;
	char		no_body[1];		/* the body when there is none: "" */
	char		error[CURL_ERROR_SIZE];
} HttpTransfer;

extern const char *zcsync_transfer_prepare(HttpTransfer *transfer,
										   const ZcsyncHttpRequest *request);
extern const char *zcsync_transfer_refusal(const ZcsyncHttpRequest *request);
extern void zcsync_transfer_conclude(HttpTransfer *transfer, CURLcode code);
extern void zcsync_transfer_dispose(HttpTransfer *transfer);

#endif							/* ZCSYNC_HTTP_TRANSFER_H */
