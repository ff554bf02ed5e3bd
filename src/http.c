/*-------------------------------------------------------------------------
 *
 * http.c
 *		HTTP transfers that share one wait with the process latch.
 *
 * One engine drives any number of transfers through a libcurl multi handle.
 * libcurl tells us which sockets and which deadline it cares about; the
 * sockets live in an epoll descriptor of our own, and that descriptor is one
 * member of a WaitEventSet beside the latch and the postmaster.  So there is
 * a single place to wait, the set is made once, and a request costs no
 * rebuilding of it.
 *
 * Nothing here knows SQL or vendors, and nothing that a remote host does is
 * an ERROR: every transfer that zcsync_http_start() returned comes back from
 * zcsync_http_next_done() with a result, unless it is released or aborted.
 *
 * Memory: the engine has a context below the one given to zcsync_http_create()
 * and each transfer one below the engine's.  libcurl's handles, malloc'ed
 * buffers and descriptors hang on those by reset callbacks registered before
 * they are made, so deleting a context at any moment, also while an error is
 * handled, gives all of it back.
 *
 * libcurl's callbacks are plain C.  They must not throw, because libcurl would
 * be left in the middle of its work; so they use malloc, note in the transfer
 * what went wrong, and leave the reporting to finish_transfer().
 *
 * An easy handle is made for each transfer: reusing them gained nothing that
 * could be measured, and a new one surely remembers nothing of another account.
 *
 * libcurl repeats a request by itself when a kept connection turns out to be
 * closed before a reply came.  A write may have been applied by then, so only
 * GET and HEAD are left to repeat: see before_request().
 *
 * A proxy named by environment variables is not used: nobody looks for
 * settings in the postmaster's environment, and one would see where our
 * credentials go.  Redirects are not followed for the same reason.
 *
 * IDENTIFICATION
 *		src/http.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "http.h"
#include "settings.h"
#include "url.h"

/* for CURLOPT_QUICK_EXIT, without which a hung resolver blocks us */
StaticAssertDecl(LIBCURL_VERSION_NUM >= 0x075700,
				 "libcurl 7.87 or later is required");

#define MAX_HEADER_BYTES	(256 * 1024)	/* of one reply, all lines */
#define FIRST_BODY_BYTES	8192	/* the buffer doubles from here */
#define MAX_READY_SOCKETS	128 /* taken from epoll at a time */
#define CONNECTION_LIFE_S	600 /* then a new one, as addresses change */
#define LOW_SPEED_BYTES		10	/* per second: slower is stuck */
#define LOW_SPEED_MIN_S		30
#define CODE_TOO_LARGE		100 /* CURLE_TOO_LARGE, new in 8.6 */

/* Set one option, or leave the calling function with the option's name. */
#define EASY_SET(easy, option, value) \
	do { \
		if (curl_easy_setopt((easy), option, value) != CURLE_OK) \
			return #option; \
	} while (0)

#define MULTI_SET(multi, option, value) \
	do { \
		if (curl_multi_setopt((multi), option, value) != CURLM_OK) \
			return false; \
	} while (0)

/* Where a transfer is. */
typedef enum HttpState
{
	HTTP_NEW,					/* in no list; then ACTIVE or DONE */
	HTTP_ACTIVE,				/* in the multi handle; then DONE */
	HTTP_DONE,					/* waits for zcsync_http_next_done() */
	HTTP_TAKEN					/* owned by the caller until released */
} HttpState;

struct ZcsyncHttp
{
	MemoryContext context;		/* parent of the transfers' contexts */
	MemoryContextCallback on_delete;
	CURLM	   *multi;			/* NULL: to be made by the next start */
	int			epoll_fd;		/* libcurl's sockets; -1: none yet */
	WaitEventSet *wait_set;		/* latch, postmaster, epoll_fd */
	int			held_fds;		/* to be given back by ReleaseExternalFD() */
	int			max_in_flight;	/* transfers, hence connections */
	int			in_flight;		/* length of "active" */
	int64		deadline_us;	/* libcurl's timer, monotonic; -1: none */
	int64		idle_since_us;	/* when the last transfer ended; 0: in use, or
								 * no connection is kept */
	dlist_head	active;
	dlist_head	done;
};

typedef struct HttpTransfer
{
	ZcsyncHttpTransfer pub;		/* must be first */
	MemoryContext context;
	MemoryContextCallback on_delete;
	ZcsyncHttp *http;
	HttpState	state;
	dlist_node	node;			/* in http->active or http->done */
	CURL	   *easy;
	struct curl_slist *headers;
	const char *request_body;	/* palloc'ed; libcurl does not copy it */
	Size		request_body_len;
	bool		is_write;		/* neither GET nor HEAD */
	int			sends;			/* how often libcurl began to send it */
	bool		repeat_refused; /* and wanted to once more */
	bool		out_of_memory;
	char	   *body;			/* malloc'ed by append_body() */
	Size		body_size;		/* of the allocation */
	Size		header_bytes;
	char		no_body[1];		/* the body when there is none: "" */
	char		error[CURL_ERROR_SIZE];
} HttpTransfer;

static void engine_deleted(void *arg);
static void transfer_deleted(void *arg);
static bool open_multi(ZcsyncHttp *http);
static bool configure_multi(ZcsyncHttp *http);
static void close_multi(ZcsyncHttp *http);
static void close_idle_connections(ZcsyncHttp *http);
static const char *check_request(const ZcsyncHttpRequest *request);
static void copy_body(HttpTransfer *transfer, const ZcsyncHttpRequest *request,
					  bool *gzipped);
static const char *gzip_body(HttpTransfer *transfer, const char *body,
							 Size len);
static bool build_headers(HttpTransfer *transfer, List *headers, bool gzipped);
static const char *prepare_easy(HttpTransfer *transfer,
								const ZcsyncHttpRequest *request);
static const char *prepare_method(HttpTransfer *transfer, const char *method);
static const char *prepare_limits(CURL *easy, int timeout_ms);
static const char *prepare_security(CURL *easy);
static void refuse_transfer(HttpTransfer *transfer, const char *why);
static long wait_limit(ZcsyncHttp *http, long timeout_ms);
static void run_timer(ZcsyncHttp *http);
static void feed_sockets(ZcsyncHttp *http);
static void collect_finished(ZcsyncHttp *http);
static void finish_transfer(HttpTransfer *transfer, CURLcode code);
static void fail_all(ZcsyncHttp *http, CURLMcode code);
static int64 now_us(void);
static int	socket_changed(CURL *easy, curl_socket_t fd, int what, void *userp,
						   void *socketp);
static int	timer_changed(CURLM *multi, long timeout_ms, void *userp);
static size_t append_body(char *data, size_t size, size_t count, void *userp);
static size_t count_header(char *data, size_t size, size_t count, void *userp);
static int	before_request(void *userp, char *remote_ip, char *local_ip,
						   int remote_port, int local_port);

/*
 * Make an engine for at most max_in_flight transfers at a time, fewer if this
 * process may not open that many descriptors.  It lives until destroyed or
 * until the parent context is reset.  Throws when not a single descriptor can
 * be had.
 */
ZcsyncHttp *
zcsync_http_create(MemoryContext parent, int max_in_flight)
{
	static bool initialized = false;
	MemoryContext context;
	ZcsyncHttp *http;

	Assert(max_in_flight > 0);

	if (!initialized)
	{
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			ereport(ERROR,
					(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					 errmsg("could not initialize libcurl")));
		initialized = true;
	}

	context = AllocSetContextCreate(parent, "zcsync http",
									ALLOCSET_DEFAULT_SIZES);
	http = MemoryContextAllocZero(context, sizeof(ZcsyncHttp));
	http->context = context;
	http->epoll_fd = -1;
	http->deadline_us = -1;
	dlist_init(&http->active);
	dlist_init(&http->done);
	http->on_delete.func = engine_deleted;
	http->on_delete.arg = http;
	MemoryContextRegisterResetCallback(context, &http->on_delete);

	http->wait_set = zcsync_create_wait_event_set(context, 3);

	/* one for the epoll descriptor, the others for connections */
	while (http->held_fds < max_in_flight + 1 && AcquireExternalFD())
		http->held_fds++;
	http->max_in_flight = http->held_fds - 1;
	if (http->max_in_flight < 1)
	{
		zcsync_http_destroy(http);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not reserve file descriptors for HTTP connections"),
				 errhint("Raise \"max_files_per_process\", a third of which is available to extensions.")));
	}
	if (http->max_in_flight < max_in_flight)
		ereport(LOG,
				(errmsg("zcsync can keep only %d of %d requests in flight",
						http->max_in_flight, max_in_flight),
				 errhint("Raise \"max_files_per_process\", a third of which is available to extensions, or lower \"zcsync.http_max_connections\".")));

	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd < 0)
	{
		int			save_errno = errno;

		zcsync_http_destroy(http);
		errno = save_errno;
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not create epoll descriptor: %m")));
	}

	AddWaitEventToSet(http->wait_set, WL_LATCH_SET, PGINVALID_SOCKET,
					  MyLatch, NULL);
	AddWaitEventToSet(http->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
					  NULL, NULL);
	AddWaitEventToSet(http->wait_set, WL_SOCKET_READABLE, http->epoll_fd,
					  NULL, NULL);
	return http;
}

/*
 * Abort all transfers, close all connections and free the engine.
 */
void
zcsync_http_destroy(ZcsyncHttp *http)
{
	MemoryContextDelete(http->context);
}

/*
 * How many transfers may be started now.
 */
int
zcsync_http_free_slots(ZcsyncHttp *http)
{
	return http->max_in_flight - http->in_flight;
}

/*
 * How many transfers are on the wire.
 */
int
zcsync_http_in_flight(ZcsyncHttp *http)
{
	return http->in_flight;
}

/*
 * Start a transfer.  The caller has seen a free slot.
 *
 * The request is copied.  A request that must not or cannot be sent is not an
 * error: it becomes a transfer that is done at once, with the result REFUSED.
 * Nothing goes out before the next zcsync_http_wait().
 */
ZcsyncHttpTransfer *
zcsync_http_start(ZcsyncHttp *http, const ZcsyncHttpRequest *request,
				  void *owner)
{
	MemoryContext context;
	MemoryContext old_context;
	HttpTransfer *transfer;
	const char *why;
	const char *option;
	bool		gzipped;

	if (zcsync_http_free_slots(http) <= 0)
		elog(ERROR, "no free slot for an HTTP transfer");

	context = AllocSetContextCreate(http->context, "zcsync http transfer",
									ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(context);
	transfer = palloc0(sizeof(HttpTransfer));
	transfer->context = context;
	transfer->http = http;
	transfer->pub.owner = owner;
	transfer->pub.error = transfer->error;
	transfer->pub.body = transfer->no_body;
	transfer->pub.content_type = "";
	transfer->on_delete.func = transfer_deleted;
	transfer->on_delete.arg = transfer;
	MemoryContextRegisterResetCallback(context, &transfer->on_delete);

	why = check_request(request);
	if (why == NULL)
	{
		copy_body(transfer, request, &gzipped);
		if (!build_headers(transfer, request->headers, gzipped) ||
			(http->multi == NULL && !open_multi(http)) ||
			(transfer->easy = curl_easy_init()) == NULL)
			why = "could not allocate memory for an HTTP transfer";
		else if ((option = prepare_easy(transfer, request)) != NULL)
			why = psprintf("libcurl does not accept %s", option);
	}
	if (why == NULL &&
		curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
		why = "could not start an HTTP transfer";

	if (why != NULL)
		refuse_transfer(transfer, why);
	else
	{
		transfer->state = HTTP_ACTIVE;
		dlist_push_tail(&http->active, &transfer->node);
		http->in_flight++;
		http->idle_since_us = 0;
	}

	MemoryContextSwitchTo(old_context);
	return &transfer->pub;
}

/*
 * Wait for the latch, a socket or libcurl's timer, at most timeout_ms (-1: no
 * limit of our own), and let libcurl do what became possible.  Resets the
 * latch.  Returns at once when finished transfers wait to be taken.  Throws
 * only for interrupts.
 */
void
zcsync_http_wait(ZcsyncHttp *http, long timeout_ms, uint32 wait_event_info)
{
	WaitEvent	events[3];
	int			count;

	close_idle_connections(http);

	/* sends what was started since the last time */
	run_timer(http);
	collect_finished(http);

	count = WaitEventSetWait(http->wait_set, wait_limit(http, timeout_ms),
							 events, lengthof(events), wait_event_info);
	for (int i = 0; i < count; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}

	CHECK_FOR_INTERRUPTS();

	/* a set latch hides the sockets, so look for them after any event */
	if (count > 0)
		feed_sockets(http);
	run_timer(http);
	collect_finished(http);
}

/*
 * The next finished transfer, which the caller must release, or NULL.
 */
ZcsyncHttpTransfer *
zcsync_http_next_done(ZcsyncHttp *http)
{
	HttpTransfer *transfer;

	if (dlist_is_empty(&http->done))
		return NULL;
	transfer = dlist_container(HttpTransfer, node,
							   dlist_pop_head_node(&http->done));
	transfer->state = HTTP_TAKEN;
	return &transfer->pub;
}

/*
 * What the caller gave to zcsync_http_start().
 */
void *
zcsync_http_transfer_owner(ZcsyncHttpTransfer *transfer)
{
	return transfer->owner;
}

/*
 * The value of a header of the reply, by its name in any case; NULL if the
 * reply does not have it.  Lives until the transfer is released.
 */
const char *
zcsync_http_header(ZcsyncHttpTransfer *transfer, const char *name)
{
	CURL	   *easy = ((HttpTransfer *) transfer)->easy;
	struct curl_header *header;

	if (easy == NULL ||
		curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

/*
 * Free a transfer.  If it is still on the wire, it is aborted.
 */
void
zcsync_http_release(ZcsyncHttpTransfer *transfer)
{
	MemoryContextDelete(((HttpTransfer *) transfer)->context);
}

/*
 * Free all transfers, whatever their state.  The engine can be used again.
 */
void
zcsync_http_abort_all(ZcsyncHttp *http)
{
	MemoryContextDeleteChildren(http->context);
}

/*
 * Give back all that palloc does not know of.  The transfers, whose contexts
 * are below ours, are gone already.  Must not throw.
 */
static void
engine_deleted(void *arg)
{
	ZcsyncHttp *http = arg;

	close_multi(http);
	if (http->wait_set != NULL)
		FreeWaitEventSet(http->wait_set);
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
	while (http->held_fds > 0)
	{
		ReleaseExternalFD();
		http->held_fds--;
	}
}

/*
 * Give back what a transfer holds outside of palloc.  Must not throw.
 */
static void
transfer_deleted(void *arg)
{
	HttpTransfer *transfer = arg;
	ZcsyncHttp *http = transfer->http;

	if (transfer->state == HTTP_ACTIVE)
	{
		curl_multi_remove_handle(http->multi, transfer->easy);
		if (--http->in_flight == 0)
			http->idle_since_us = now_us();
	}
	if (transfer->state == HTTP_ACTIVE || transfer->state == HTTP_DONE)
		dlist_delete(&transfer->node);

	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	free(transfer->body);
}

/*
 * Make the multi handle.  Returns false when that fails.
 */
static bool
open_multi(ZcsyncHttp *http)
{
	http->multi = curl_multi_init();
	if (http->multi == NULL)
		return false;
	if (!configure_multi(http))
	{
		close_multi(http);
		return false;
	}
	return true;
}

/*
 * Set the options of a new multi handle.  Returns false when one is refused.
 */
static bool
configure_multi(ZcsyncHttp *http)
{
	CURLM	   *multi = http->multi;
	long		connections = http->max_in_flight;

	MULTI_SET(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	MULTI_SET(multi, CURLMOPT_SOCKETDATA, http);
	MULTI_SET(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	MULTI_SET(multi, CURLMOPT_TIMERDATA, http);
	MULTI_SET(multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);

	/*
	 * Kept connections count too: at the limit libcurl closes the one that is
	 * idle longest.  As no more transfers are started than there are
	 * connections, none ever waits inside libcurl, where its time-out runs.
	 */
	MULTI_SET(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	MULTI_SET(multi, CURLMOPT_MAXCONNECTS, connections);
	return true;
}

/*
 * Destroy the multi handle, and with it all connections.  No transfer may be
 * in it.
 */
static void
close_multi(ZcsyncHttp *http)
{
	if (http->multi != NULL)
		curl_multi_cleanup(http->multi);
	http->multi = NULL;
	http->deadline_us = -1;
	http->idle_since_us = 0;
}

/*
 * Close the kept connections once nothing has been sent for a while.  libcurl
 * would look at their age only when the next request is made, and a process
 * that has nothing to do should not sit on sockets.
 */
static void
close_idle_connections(ZcsyncHttp *http)
{
	if (http->in_flight == 0 && http->idle_since_us != 0 &&
		now_us() - http->idle_since_us >
		(int64) zcsync_http_idle_timeout * 1000000)
		close_multi(http);
}

/*
 * May this request be sent?  Returns NULL, or why not, in the current memory
 * context.  The reason names no header and no URL: both can hold secrets.
 */
static const char *
check_request(const ZcsyncHttpRequest *request)
{
	ListCell   *lc;
	char	   *host;
	char	   *scheme;

	for (const char *p = request->url; *p != '\0'; p++)
	{
		if ((unsigned char) *p <= ' ' || *p == 0x7F)
			return "URL contains a space or control character";
	}
	if (request->method[0] == '\0' ||
		strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
		strlen(request->method))
		return "method is not a word in upper case";

	foreach(lc, request->headers)
	{
		const char *header = lfirst(lc);

		if (strpbrk(header, "\r\n") != NULL)
			return "header contains a line break";
		if (header[0] == ':' || strchr(header, ':') == NULL)
			return "header has no name";
	}

	host = zcsync_url_host(request->url);
	scheme = zcsync_url_scheme(request->url);
	if (host == NULL || scheme == NULL)
		return "URL is not valid, or names a user";
	if (strcmp(scheme, "https") != 0 &&
		!(strcmp(scheme, "http") == 0 && zcsync_allow_insecure_http))
		return "URL scheme is not \"https\"";
	if (!zcsync_url_host_allowed(host, zcsync_allowed_hosts))
		return psprintf("host \"%s\" is not in \"zcsync.allowed_hosts\"",
						host);
	return NULL;
}

/*
 * Copy the request's body, compressed if that is allowed and makes it smaller.
 */
static void
copy_body(HttpTransfer *transfer, const ZcsyncHttpRequest *request,
		  bool *gzipped)
{
	char	   *copy;

	*gzipped = false;
	if (request->body == NULL)
		return;

	if (request->gzip_allowed && zcsync_gzip_level > 0 &&
		request->body_len > zcsync_gzip_threshold)
	{
		transfer->request_body = gzip_body(transfer, request->body,
										   request->body_len);
		*gzipped = transfer->request_body != NULL;
		if (*gzipped)
			return;
	}

	copy = MemoryContextAllocHuge(transfer->context, request->body_len + 1);
	memcpy(copy, request->body, request->body_len);
	transfer->request_body = copy;
	transfer->request_body_len = request->body_len;
}

/*
 * Compress a body in the format of gzip.  Returns NULL, as if it had not been
 * tried, when zlib fails or the result is not smaller.
 */
static const char *
gzip_body(HttpTransfer *transfer, const char *body, Size len)
{
	z_stream	stream;
	char	   *out;

	if (len > INT_MAX)
		return NULL;
	out = MemoryContextAllocHuge(transfer->context, len);

	memset(&stream, 0, sizeof(stream));
	/* 16 added to the window bits asks for gzip's header */
	if (deflateInit2(&stream, zcsync_gzip_level, Z_DEFLATED, MAX_WBITS + 16,
					 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
	{
		pfree(out);
		return NULL;
	}
	stream.next_in = (Bytef *) body;
	stream.avail_in = len;
	stream.next_out = (Bytef *) out;
	stream.avail_out = len;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
	{
		deflateEnd(&stream);
		pfree(out);
		return NULL;
	}
	transfer->request_body_len = stream.total_out;
	deflateEnd(&stream);
	return out;
}

/*
 * Make libcurl's list of headers.  Returns false when out of memory.
 */
static bool
build_headers(HttpTransfer *transfer, List *headers, bool gzipped)
{
	/* without this, libcurl waits a second before it sends a large body */
	static const char *const no_expect = "Expect:";
	List	   *all = list_copy(headers);
	ListCell   *lc;

	if (transfer->request_body != NULL)
		all = lappend(all, unconstify(char *, no_expect));
	if (gzipped)
		all = lappend(all, "Content-Encoding: gzip");

	foreach(lc, all)
	{
		struct curl_slist *longer = curl_slist_append(transfer->headers,
													  lfirst(lc));

		if (longer == NULL)
			return false;
		transfer->headers = longer;
	}
	return true;
}

/*
 * Set all options of a transfer.  Returns NULL, or the one that libcurl does
 * not take.
 */
static const char *
prepare_easy(HttpTransfer *transfer, const ZcsyncHttpRequest *request)
{
	CURL	   *easy = transfer->easy;
	const char *failed;

	EASY_SET(easy, CURLOPT_URL, request->url);
	EASY_SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
	EASY_SET(easy, CURLOPT_USERAGENT, "zcsync (PostgreSQL " PG_VERSION ")");
	EASY_SET(easy, CURLOPT_ACCEPT_ENCODING, "");	/* all that libcurl knows */
	EASY_SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
	EASY_SET(easy, CURLOPT_PRIVATE, transfer);
	EASY_SET(easy, CURLOPT_WRITEFUNCTION, append_body);
	EASY_SET(easy, CURLOPT_WRITEDATA, transfer);
	EASY_SET(easy, CURLOPT_HEADERFUNCTION, count_header);
	EASY_SET(easy, CURLOPT_HEADERDATA, transfer);
	EASY_SET(easy, CURLOPT_PREREQFUNCTION, before_request);
	EASY_SET(easy, CURLOPT_PREREQDATA, transfer);

	/*
	 * Many requests share a connection where the server speaks HTTP/2.  They
	 * do not wait for one to find out (CURLOPT_PIPEWAIT): if that one hangs
	 * while it connects, all of them would, one after the other.
	 */
	EASY_SET(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);

	failed = prepare_method(transfer, request->method);
	if (failed == NULL)
		failed = prepare_limits(easy, request->timeout_ms > 0 ?
							 request->timeout_ms : zcsync_request_timeout);
	if (failed == NULL)
		failed = prepare_security(easy);
	return failed;
}

/*
 * Set the method and the body.
 */
static const char *
prepare_method(HttpTransfer *transfer, const char *method)
{
	CURL	   *easy = transfer->easy;
	bool		get = strcmp(method, "GET") == 0;
	bool		head = strcmp(method, "HEAD") == 0;
	bool		post = strcmp(method, "POST") == 0;

	transfer->is_write = !get && !head;
	if (head)
		EASY_SET(easy, CURLOPT_NOBODY, 1L);
	else if (post || transfer->request_body != NULL)
	{
		/* a POST has a body, if only an empty one */
		EASY_SET(easy, CURLOPT_POST, 1L);
		EASY_SET(easy, CURLOPT_POSTFIELDS,
				 transfer->request_body != NULL ? transfer->request_body : "");
		EASY_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t) transfer->request_body_len);
	}
	if (!head && !post && !(get && transfer->request_body == NULL))
		EASY_SET(easy, CURLOPT_CUSTOMREQUEST, method);
	return NULL;
}

/*
 * Set what bounds a transfer in time and size.
 */
static const char *
prepare_limits(CURL *easy, int timeout_ms)
{
	long		low_speed_s = Max(LOW_SPEED_MIN_S, timeout_ms / 2000);

	EASY_SET(easy, CURLOPT_NOSIGNAL, 1L);
	EASY_SET(easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
	EASY_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) zcsync_connect_timeout);
	EASY_SET(easy, CURLOPT_LOW_SPEED_LIMIT, (long) LOW_SPEED_BYTES);
	EASY_SET(easy, CURLOPT_LOW_SPEED_TIME, low_speed_s);
	EASY_SET(easy, CURLOPT_MAXFILESIZE_LARGE,
			 (curl_off_t) zcsync_max_response_size * 1024);
	EASY_SET(easy, CURLOPT_MAXAGE_CONN, (long) zcsync_http_idle_timeout);
	EASY_SET(easy, CURLOPT_MAXLIFETIME_CONN, (long) CONNECTION_LIFE_S);
	EASY_SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);

	/* leave a resolver thread that hangs behind instead of waiting for it */
	EASY_SET(easy, CURLOPT_QUICK_EXIT, 1L);
	return NULL;
}

/*
 * Set whom we talk to and what we believe.
 */
static const char *
prepare_security(CURL *easy)
{
	EASY_SET(easy, CURLOPT_PROTOCOLS_STR,
			 zcsync_allow_insecure_http ? "https,http" : "https");
	EASY_SET(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	EASY_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	EASY_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (zcsync_ca_file != NULL && zcsync_ca_file[0] != '\0')
		EASY_SET(easy, CURLOPT_CAINFO, zcsync_ca_file);
	EASY_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	EASY_SET(easy, CURLOPT_PROXY, "");	/* not even from the environment */
	EASY_SET(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	EASY_SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	return NULL;
}

/*
 * End a transfer that was never started.
 */
static void
refuse_transfer(HttpTransfer *transfer, const char *why)
{
	transfer->pub.result = ZCSYNC_HTTP_REFUSED;
	strlcpy(transfer->error, why, sizeof(transfer->error));
	transfer->state = HTTP_DONE;
	dlist_push_tail(&transfer->http->done, &transfer->node);
}

/*
 * How long zcsync_http_wait() may sleep, in ms; -1: as long as it takes.
 */
static long
wait_limit(ZcsyncHttp *http, long timeout_ms)
{
	int64		left_ms;

	if (!dlist_is_empty(&http->done))
		return 0;
	if (http->deadline_us < 0)
		return timeout_ms;

	/* rounded up, or the last millisecond would be spent spinning */
	left_ms = (http->deadline_us - now_us() + 999) / 1000;
	left_ms = Max(left_ms, 0);
	return timeout_ms < 0 ? (long) left_ms : (long) Min(left_ms, timeout_ms);
}

/*
 * Let libcurl act on its timer if that is due.
 */
static void
run_timer(ZcsyncHttp *http)
{
	sigset_t	all;
	sigset_t	old;
	CURLMcode	code;
	int			running;

	if (http->deadline_us < 0 || http->multi == NULL ||
		http->deadline_us > now_us())
		return;
	http->deadline_us = -1;

	/*
	 * Threads inherit the mask.  This call starts the resolver's, and they
	 * must not run PostgreSQL's signal handlers.
	 */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
									&running);
	pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (code != CURLM_OK)
		fail_all(http, code);
}

/*
 * Tell libcurl of the sockets that are ready.
 */
static void
feed_sockets(ZcsyncHttp *http)
{
	struct epoll_event ready[MAX_READY_SOCKETS];
	sigset_t	all;
	sigset_t	old;
	CURLMcode	code = CURLM_OK;
	int			running;
	int			count;

	if (http->multi == NULL)
		return;
	count = epoll_wait(http->epoll_fd, ready, MAX_READY_SOCKETS, 0);
	if (count <= 0)
		return;

	/* for the same reason as in run_timer() */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < count && code == CURLM_OK; i++)
	{
		int			what = 0;

		if (ready[i].events & EPOLLIN)
			what |= CURL_CSELECT_IN;
		if (ready[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (ready[i].events & (EPOLLERR | EPOLLHUP))
			what |= CURL_CSELECT_ERR;
		code = curl_multi_socket_action(http->multi, ready[i].data.fd, what,
										&running);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (code != CURLM_OK)
		fail_all(http, code);
}

/*
 * Move the transfers that libcurl has finished to the list of done ones.
 */
static void
collect_finished(ZcsyncHttp *http)
{
	CURLMsg    *message;
	int			left;

	while (http->multi != NULL &&
		   (message = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		CURLcode	code = message->data.result;
		char	   *transfer = NULL;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
			continue;
		finish_transfer((HttpTransfer *) transfer, code);
	}
}

/*
 * Take a transfer out of libcurl and fill in its result.
 */
static void
finish_transfer(HttpTransfer *transfer, CURLcode code)
{
	ZcsyncHttp *http = transfer->http;
	ZcsyncHttpTransfer *pub = &transfer->pub;
	long		status = 0;
	curl_off_t	duration_us = 0;
	char	   *content_type = NULL;

	curl_multi_remove_handle(http->multi, transfer->easy);
	dlist_delete(&transfer->node);
	transfer->state = HTTP_DONE;
	dlist_push_tail(&http->done, &transfer->node);
	if (--http->in_flight == 0)
		http->idle_since_us = now_us();

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &duration_us);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
	pub->status = (int) status;
	pub->duration_us = duration_us;
	pub->maybe_sent = transfer->sends > 0;
	if (transfer->body != NULL)
		pub->body = transfer->body;
	if (content_type != NULL)
		pub->content_type = content_type;

	/*
	 * libcurl has a limit of its own for one header line, and calls it out of
	 * memory before 8.6.
	 */
	if (code == CODE_TOO_LARGE ||
		(code == CURLE_OUT_OF_MEMORY && status != 0 && pub->body_len == 0 &&
		 !transfer->out_of_memory))
	{
		pub->too_large = true;
		transfer->header_bytes = MAX_HEADER_BYTES + 1;
	}

	/* what our callbacks did looks to libcurl like an error of theirs */
	if (pub->too_large || code == CURLE_FILESIZE_EXCEEDED)
	{
		code = CURLE_FILESIZE_EXCEEDED;
		pub->too_large = true;
		if (transfer->header_bytes > MAX_HEADER_BYTES)
			snprintf(transfer->error, sizeof(transfer->error),
					 "headers of the reply are too large");
		else
			snprintf(transfer->error, sizeof(transfer->error),
					 "reply is larger than %d kB", zcsync_max_response_size);
	}
	else if (transfer->repeat_refused)
	{
		code = CURLE_GOT_NOTHING;
		strlcpy(transfer->error, "connection was closed before a reply came",
				sizeof(transfer->error));
	}
	else if (transfer->out_of_memory)
		code = CURLE_OUT_OF_MEMORY;

	pub->curl_code = code;
	pub->result = code == CURLE_OK ? ZCSYNC_HTTP_OK : ZCSYNC_HTTP_FAILED;
	if (code == CURLE_OK)
		transfer->error[0] = '\0';
	else if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(code),
				sizeof(transfer->error));
}

/*
 * The multi handle has failed, so the state of every transfer in it is
 * undefined.  Fail them all; the next start makes a new one.
 */
static void
fail_all(ZcsyncHttp *http, CURLMcode code)
{
	ereport(LOG,
			(errmsg("HTTP transfers failed: %s", curl_multi_strerror(code))));

	while (!dlist_is_empty(&http->active))
	{
		HttpTransfer *transfer = dlist_head_element(HttpTransfer, node,
													&http->active);

		strlcpy(transfer->error, curl_multi_strerror(code),
				sizeof(transfer->error));
		finish_transfer(transfer, CURLE_RECV_ERROR);
	}
	close_multi(http);
}

/*
 * A monotonic clock in microseconds.
 */
static int64
now_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/*
 * libcurl's callback: wait for other events on a socket.  socketp is not NULL
 * if the socket is in the epoll set.
 */
static int
socket_changed(CURL *easy, curl_socket_t fd, int what, void *userp,
			   void *socketp)
{
	ZcsyncHttp *http = userp;
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}

	event.data.fd = fd;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (socketp != NULL)
		return epoll_ctl(http->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	if (epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	curl_multi_assign(http->multi, fd, http);
	return 0;
}

/*
 * libcurl's callback: be called again after so many milliseconds.
 */
static int
timer_changed(CURLM *multi, long timeout_ms, void *userp)
{
	ZcsyncHttp *http = userp;

	http->deadline_us = timeout_ms < 0 ? -1 :
		now_us() + (int64) timeout_ms * 1000;
	return 0;
}

/*
 * libcurl's callback: a piece of the reply's body, decompressed.
 */
static size_t
append_body(char *data, size_t size, size_t count, void *userp)
{
	HttpTransfer *transfer = userp;
	Size		len = size * count;
	Size		limit = (Size) zcsync_max_response_size * 1024;
	Size		need;

	if (len > limit || transfer->pub.body_len > limit - len)
	{
		transfer->pub.too_large = true;
		return 0;
	}

	need = transfer->pub.body_len + len + 1;
	if (need > transfer->body_size)
	{
		Size		new_size = Max(transfer->body_size * 2, FIRST_BODY_BYTES);
		char	   *new_body;

		new_size = Max(new_size, need);
		new_body = realloc(transfer->body, new_size);
		if (new_body == NULL)
		{
			transfer->out_of_memory = true;
			return 0;
		}
		transfer->body = new_body;
		transfer->body_size = new_size;
	}
	memcpy(transfer->body + transfer->pub.body_len, data, len);
	transfer->pub.body_len += len;
	transfer->body[transfer->pub.body_len] = '\0';
	return len;
}

/*
 * libcurl's callback: a line of the reply's headers.
 */
static size_t
count_header(char *data, size_t size, size_t count, void *userp)
{
	HttpTransfer *transfer = userp;

	transfer->header_bytes += size * count;
	if (transfer->header_bytes > MAX_HEADER_BYTES)
	{
		transfer->pub.too_large = true;
		return 0;
	}
	return size * count;
}

/*
 * libcurl's callback: the connection stands, the request is about to be sent.
 *
 * So a transfer that never came here has surely sent nothing.  One that comes
 * here twice is being repeated because a kept connection died before a reply
 * came, and a write must not be: it may have been applied.
 */
static int
before_request(void *userp, char *remote_ip, char *local_ip,
			   int remote_port, int local_port)
{
	HttpTransfer *transfer = userp;

	if (transfer->sends > 0 && transfer->is_write)
	{
		transfer->repeat_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->sends++;
	return CURL_PREREQFUNC_OK;
}
