/*-------------------------------------------------------------------------
 *
 * http.h
 *		HTTP transfers that share one wait with the process latch.
 *
 * IDENTIFICATION
 *		src/http.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_HTTP_H
#define ZCSYNC_HTTP_H

#include "nodes/pg_list.h"

typedef struct ZcsyncHttp ZcsyncHttp;
typedef struct ZcsyncFile ZcsyncFile;

/* How a transfer ended.  All three are final. */
typedef enum ZcsyncHttpResult
{
	ZCSYNC_HTTP_OK,				/* a whole reply came; see status */
	ZCSYNC_HTTP_FAILED,			/* no whole reply; see curl_code and error */
	ZCSYNC_HTTP_REFUSED			/* nothing was sent; see error */
} ZcsyncHttpResult;

/* What to send.  zcsync_http_start() copies all of it. */
typedef struct ZcsyncHttpRequest
{
	const char *method;			/* "GET", "POST", "PUT", ... */
	const char *url;			/* absolute, already percent-encoded */
	List	   *headers;		/* of char *, "Name: value" */
	const char *body;			/* NULL: none */
	Size		body_len;
	bool		gzip_allowed;	/* may the body be sent compressed? */
	int			timeout_ms;		/* whole transfer; 0: zcsync.request_timeout */
	bool		is_alert;		/* hosts of zcsync.alert_hosts, TLS always */

	/* a file, see file_transfer.h; NULL: none */
	ZcsyncFile *download;		/* takes the body of a reply with status 200 */
	ZcsyncFile *upload;			/* makes the body of the request */
	bool		is_content;		/* hosts of zcsync.attachment_hosts, with
								 * public addresses */

	/* a mail by SMTP instead; "body" is the message with its headers */
	const char *mail_from;		/* NULL: it is HTTP */
	List	   *mail_to;		/* of char * */
	const char *user;			/* NULL: no login */
	const char *password;
} ZcsyncHttpRequest;

/*
 * A transfer as its owner sees it.  All fields but "owner" are set when
 * zcsync_http_next_done() returns it; all pointers live until
 * zcsync_http_release(), and none is NULL unless its comment says so.
 */
typedef struct ZcsyncHttpTransfer
{
	void	   *owner;			/* as given to zcsync_http_start() */
	ZcsyncHttpResult result;
	int			curl_code;		/* CURLcode; 0 if result is OK or REFUSED */
	const char *error;			/* text without secrets; "" if result is OK */
	int			status;			/* HTTP status, or the last reply of SMTP; 0 if
								 * none was received */
	char	   *body;			/* decompressed, NUL-terminated */
	Size		body_len;
	const char *content_type;	/* "" if the reply names none */
	int64		duration_us;	/* from start to end */
	int64		connect_us;		/* of that for a new connection, without TLS;
								 * 0: there was none */
	bool		maybe_sent;		/* false: certainly no byte of the request
								 * was sent */
	bool		too_large;		/* body or headers exceeded their cap */
	bool		is_alert;		/* as the request said */
} ZcsyncHttpTransfer;

extern ZcsyncHttp *zcsync_http_create(MemoryContext parent, int max_in_flight);
extern void zcsync_http_destroy(ZcsyncHttp *http);
extern void zcsync_http_set_limit(ZcsyncHttp *http, int max_in_flight);
extern int	zcsync_http_free_slots(ZcsyncHttp *http);
extern int	zcsync_http_in_flight(ZcsyncHttp *http);

extern const char *zcsync_http_refusal(const ZcsyncHttpRequest *request);
extern ZcsyncHttpTransfer *zcsync_http_start(ZcsyncHttp *http,
											 const ZcsyncHttpRequest *request,
											 void *owner);
extern ZcsyncHttpTransfer *zcsync_http_follow(ZcsyncHttp *http,
											  const ZcsyncHttpRequest *request,
											  void *owner);
extern void zcsync_http_wait(ZcsyncHttp *http, long timeout_ms,
							 uint32 wait_event_info);
extern ZcsyncHttpTransfer *zcsync_http_next_done(ZcsyncHttp *http);
extern void *zcsync_http_transfer_owner(ZcsyncHttpTransfer *transfer);
extern const char *zcsync_http_header(ZcsyncHttpTransfer *transfer,
									  const char *name);
extern void zcsync_http_release(ZcsyncHttpTransfer *transfer);
extern void zcsync_http_abort_all(ZcsyncHttp *http);

#endif							/* ZCSYNC_HTTP_H */
