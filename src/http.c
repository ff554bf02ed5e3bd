/*-------------------------------------------------------------------------
 *
 * http.c
 *		HTTP transfers that share one wait with the process latch.
 *
 * One engine drives any number of transfers through a libcurl multi handle.
 * libcurl tells us for which sockets and which deadline it waits.  The
 * sockets are members of an epoll descriptor of our own, and that descriptor
 * is one member of a WaitEventSet, beside the latch and the postmaster.  So
 * there is a single place to wait, the set is made once, and no request makes
 * us build it anew.
 *
 * Nothing here knows SQL or vendors, and nothing that a remote host does is
 * an ERROR: every transfer that zcsync_http_start() returned comes back from
 * zcsync_http_next_done() with a result, unless it is released or aborted
 * before.
 *
 * Memory: the engine has a context below the one given to
 * zcsync_http_create(), and each transfer has one below the engine's.
 * libcurl's handles, malloc'ed buffers and descriptors are freed by reset
 * callbacks of these contexts, which are registered before the resources are
 * made.  So deleting a context at any moment, even while an error is handled,
 * gives all of them back.
 *
 * libcurl's callbacks are plain C.  They must not throw, because libcurl would
 * be left in the middle of its work.  What a single transfer sends and keeps
 * of the reply is in http_transfer.c.
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

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "http.h"
#include "http_deadline.h"
#include "http_transfer.h"
#include "settings.h"

#define MAX_READY_SOCKETS	1024 /* taken from epoll at a time */
#define OWN_FDS				3	/* epoll_fd, libcurl's pair for wake-ups */
#define HELD_UP_US			1000000 /* away from the sockets for longer than
									 * this */
#define READS_MAX			64	/* reads before a time-out is decided */

/* Set one option, or leave the calling function with false. */
#define MULTI_SET(multi, option, value) \
	do { \
		if (curl_multi_setopt((multi), option, value) != CURLM_OK) \
			return false; \
	} while (0)

struct ZcsyncHttp
{
	MemoryContext context;		/* parent of the transfers' contexts */
	MemoryContextCallback on_delete;
	CURLM	   *multi;			/* NULL: to be made by the next start */
	int			epoll_fd;		/* libcurl's sockets; -1: none yet */
	WaitEventSet *wait_set;		/* latch, postmaster, epoll_fd */
	int			held_fds;		/* to be given back by ReleaseExternalFD() */
	int			wanted;			/* the limit that the caller asked for */
	int			max_in_flight;	/* transfers, hence connections */
	int			in_flight;		/* length of "active" */
	int64		deadline_us;	/* libcurl's timer, monotonic; -1: none */
	int64		overdue_us;		/* before this no transfer is overdue; -1:
								 * none */
	int64		left_us;		/* when zcsync_http_wait() last returned */
	int64		idle_since_us;	/* when the last transfer ended; 0: in use, or
								 * no connection is kept */
	dlist_head	active;
	dlist_head	done;
};

static ZcsyncHttpTransfer *begin_transfer(ZcsyncHttp *http,
										  const ZcsyncHttpRequest *request,
										  void *owner);
static void reserve_fds(ZcsyncHttp *http, int max_in_flight);
static void set_limit(ZcsyncHttp *http, int max_in_flight);
static void engine_deleted(void *arg);
static void transfer_deleted(void *arg);
static bool open_multi(ZcsyncHttp *http);
static bool configure_multi(ZcsyncHttp *http);
static bool limit_connections(ZcsyncHttp *http);
static void close_multi(ZcsyncHttp *http);
static void close_idle_connections(ZcsyncHttp *http);
static void refuse_transfer(HttpTransfer *transfer, const char *why);
static long wait_limit(ZcsyncHttp *http, long timeout_ms);
static void run_timer(ZcsyncHttp *http);
static bool feed_sockets(ZcsyncHttp *http);
static void collect_finished(ZcsyncHttp *http);
static bool connect_again(HttpTransfer *transfer);
static void note_held_up(ZcsyncHttp *http);
static void end_overdue(ZcsyncHttp *http);
static void finish_transfer(HttpTransfer *transfer, CURLcode code);
static void fail_all(ZcsyncHttp *http, CURLMcode code);
static int64 now_us(void);
static int	socket_changed(CURL *easy, curl_socket_t fd, int what, void *userp,
						   void *socketp);
static int	timer_changed(CURLM *multi, long timeout_ms, void *userp);

/*
 * Make an engine for at most max_in_flight transfers at a time, or fewer if
 * this process may not open that many descriptors.  It lives until it is
 * destroyed or the parent context is reset.  Throws if not a single
 * descriptor can be had.
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
	http->overdue_us = -1;
	dlist_init(&http->active);
	dlist_init(&http->done);
	http->on_delete.func = engine_deleted;
	http->on_delete.arg = http;
	MemoryContextRegisterResetCallback(context, &http->on_delete);

	reserve_fds(http, max_in_flight);
	http->wait_set = zcsync_create_wait_event_set(context, 3);
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
 * Change how many transfers there may be at a time.  Those on the wire go on;
 * descriptors that are no longer needed are kept.
 */
void
zcsync_http_set_limit(ZcsyncHttp *http, int max_in_flight)
{
	if (max_in_flight == http->wanted)
		return;
	while (http->held_fds < max_in_flight + OWN_FDS && AcquireExternalFD())
		http->held_fds++;
	set_limit(http, max_in_flight);
	if (http->multi != NULL)
		(void) limit_connections(http);
}

/*
 * How many transfers may be started now; negative after a limit was lowered.
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
	if (zcsync_http_free_slots(http) <= 0)
		elog(ERROR, "no free slot for an HTTP transfer");
	return begin_transfer(http, request, owner);
}

/*
 * Start a transfer that follows one which has just ended, as after a redirect.
 * It takes the place of that one, even where the limit was lowered meanwhile
 * and no slot is free.
 */
ZcsyncHttpTransfer *
zcsync_http_follow(ZcsyncHttp *http, const ZcsyncHttpRequest *request,
				   void *owner)
{
	return begin_transfer(http, request, owner);
}

/* Start a transfer, whether or not a slot is free. */
static ZcsyncHttpTransfer *
begin_transfer(ZcsyncHttp *http, const ZcsyncHttpRequest *request, void *owner)
{
	MemoryContext context;
	MemoryContext old_context;
	HttpTransfer *transfer;
	const char *why;

	context = AllocSetContextCreate(http->context, "zcsync http transfer",
									ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(context);
	transfer = palloc0(sizeof(HttpTransfer));
	transfer->context = context;
	transfer->http = http;
	transfer->pub.owner = owner;
	transfer->pub.is_alert = request->is_alert;
	transfer->pub.error = transfer->error;
	transfer->pub.body = transfer->no_body;
	transfer->pub.content_type = "";
	transfer->on_delete.func = transfer_deleted;
	transfer->on_delete.arg = transfer;
	MemoryContextRegisterResetCallback(context, &transfer->on_delete);

	why = zcsync_transfer_prepare(transfer, request);
	if (why == NULL && http->multi == NULL && !open_multi(http))
		why = "could not make a multi handle of libcurl";
	if (why == NULL &&
		curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
		why = "could not start an HTTP transfer";

	if (why != NULL)
		refuse_transfer(transfer, why);
	else
	{
		int64		overdue;

		zcsync_deadline_start(transfer, request->timeout_ms, now_us());
		overdue = zcsync_deadline_next(transfer);
		if (http->overdue_us < 0 || overdue < http->overdue_us)
			http->overdue_us = overdue;
		transfer->state = HTTP_ACTIVE;
		dlist_push_tail(&http->active, &transfer->node);
		http->in_flight++;
		http->idle_since_us = 0;
	}

	MemoryContextSwitchTo(old_context);
	return &transfer->pub;
}

/*
 * Why this request would not be sent, in the current memory context; NULL: it
 * would.
 */
const char *
zcsync_http_refusal(const ZcsyncHttpRequest *request)
{
	return zcsync_transfer_refusal(request);
}

/*
 * Wait for the latch, a socket or libcurl's timer, at most timeout_ms (-1: no
 * limit of our own), and let libcurl do what has become possible.  Resets the
 * latch.  Returns at once if finished transfers wait to be taken.  Throws
 * only for interrupts.
 */
void
zcsync_http_wait(ZcsyncHttp *http, long timeout_ms, uint32 wait_event_info)
{
	WaitEvent	events[3];
	int			count;

	close_idle_connections(http);
	note_held_up(http);

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
		(void) feed_sockets(http);
	run_timer(http);
	collect_finished(http);
	end_overdue(http);
	http->left_us = now_us();
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
		curl_easy_header(easy, name, 0, CURLH_HEADER, -1,
						 &header) != CURLHE_OK)
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
 * Reserve descriptors for as many connections as there may be transfers, or
 * for fewer.  The wait event set reserves one itself, with an unclear error
 * if there is none, so that one is tried here first.  Throws after destroying
 * the engine.
 */
static void
reserve_fds(ZcsyncHttp *http, int max_in_flight)
{
	while (http->held_fds < max_in_flight + OWN_FDS + 1 && AcquireExternalFD())
		http->held_fds++;
	if (http->held_fds < 1 + OWN_FDS + 1)
	{
		zcsync_http_destroy(http);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not reserve file descriptors for HTTP connections"),
				 errhint("Raise \"max_files_per_process\", a third of which is available to extensions.")));
	}
	ReleaseExternalFD();
	http->held_fds--;
	set_limit(http, max_in_flight);
}

/*
 * As many transfers as are wanted, or as there are descriptors for.
 */
static void
set_limit(ZcsyncHttp *http, int max_in_flight)
{
	http->wanted = max_in_flight;
	http->max_in_flight = Min(max_in_flight, http->held_fds - OWN_FDS);
	if (http->max_in_flight < max_in_flight)
		ereport(LOG,
				(errmsg("zcsync can keep only %d of %d requests in flight",
						http->max_in_flight, max_in_flight),
				 errhint("Raise \"max_files_per_process\", a third of which is available to extensions, or lower \"zcsync.http_max_connections\".")));
}

/*
 * Free all that palloc does not know of.  The transfers, whose contexts are
 * below ours, are gone already.  Must not throw.
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
 * Free what a transfer holds outside of palloc.  Must not throw.
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

	zcsync_transfer_dispose(transfer);
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

	MULTI_SET(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	MULTI_SET(multi, CURLMOPT_SOCKETDATA, http);
	MULTI_SET(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	MULTI_SET(multi, CURLMOPT_TIMERDATA, http);
	MULTI_SET(multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
	return limit_connections(http);
}

/*
 * Tell the multi handle how many connections there may be.  Returns false
 * when it refuses.
 */
static bool
limit_connections(ZcsyncHttp *http)
{
	long		connections = http->max_in_flight;

	/*
	 * Connections that are kept for later count too: at the limit, libcurl
	 * closes the one that has been idle longest.  As no more transfers are
	 * started than there are connections, none ever waits inside libcurl,
	 * where its time-out would already run.
	 */
	MULTI_SET(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	MULTI_SET(http->multi, CURLMOPT_MAXCONNECTS, connections);
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
 * would check their age only when the next request is made, and a process
 * that has nothing to do should not keep sockets open.
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
	int64		until_us = http->deadline_us;
	int64		left_ms;

	if (!dlist_is_empty(&http->done))
		return 0;
	if (http->in_flight > 0 && (until_us < 0 || http->overdue_us < until_us))
		until_us = http->overdue_us;
	if (until_us < 0)
		return timeout_ms;

	/* rounded up, or it would not sleep in the last millisecond */
	left_ms = (until_us - now_us() + 999) / 1000;
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
	 * Threads inherit the signal mask.  This call starts the resolver's
	 * thread, which must not run PostgreSQL's signal handlers.
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
 * Tell libcurl of the sockets that are ready.  Returns whether there were any.
 */
static bool
feed_sockets(ZcsyncHttp *http)
{
	struct epoll_event ready[MAX_READY_SOCKETS];
	sigset_t	all;
	sigset_t	old;
	CURLMcode	code = CURLM_OK;
	int			running;
	int			count;

	if (http->multi == NULL)
		return false;
	count = epoll_wait(http->epoll_fd, ready, MAX_READY_SOCKETS, 0);
	if (count <= 0)
		return false;

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
	return true;
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
		if (code == CURLE_OPERATION_TIMEDOUT &&
			connect_again((HttpTransfer *) transfer))
			continue;
		finish_transfer((HttpTransfer *) transfer, code);
	}
}

/*
 * libcurl gave up connecting.  If the reason is that this process was busy
 * for so long, start again while there is time: nothing was sent.  Returns
 * whether it started again.
 */
static bool
connect_again(HttpTransfer *transfer)
{
	CURLM	   *multi = transfer->http->multi;
	const char *why = zcsync_deadline_passed(transfer, now_us());

	if (why == NULL && transfer->sends == 0)
	{
		curl_multi_remove_handle(multi, transfer->easy);
		if (curl_multi_add_handle(multi, transfer->easy) == CURLM_OK)
			return true;
	}
	if (why != NULL)
		strlcpy(transfer->error, why, sizeof(transfer->error));
	return false;
}

/*
 * This process may have been busy with the database for so long that it did
 * not answer what arrived meanwhile: that is not the vendors' fault.
 */
static void
note_held_up(ZcsyncHttp *http)
{
	dlist_iter	iter;
	int64		now = now_us();

	if (http->in_flight == 0 || now - http->left_us < HELD_UP_US)
		return;
	dlist_foreach(iter, &http->active)
		zcsync_deadline_extend(dlist_container(HttpTransfer, node, iter.cur),
							   now);
}

/*
 * End the transfers that took too long.  First read everything that came in
 * time.  The number of reads is limited: the sockets' buffers hold only so
 * much, but a peer that goes on sending must not keep us here.
 */
static void
end_overdue(ZcsyncHttp *http)
{
	dlist_mutable_iter iter;
	int64		now = now_us();

	if (http->in_flight == 0 || now < http->overdue_us)
		return;
	for (int i = 0; i < READS_MAX && feed_sockets(http); i++)
	{
		run_timer(http);
		collect_finished(http);
	}

	http->overdue_us = -1;
	dlist_foreach_modify(iter, &http->active)
	{
		HttpTransfer *transfer = dlist_container(HttpTransfer, node, iter.cur);
		const char *why = zcsync_deadline_passed(transfer, now);
		int64		next;

		if (why != NULL)
		{
			strlcpy(transfer->error, why, sizeof(transfer->error));
			finish_transfer(transfer, CURLE_OPERATION_TIMEDOUT);
			continue;
		}
		next = zcsync_deadline_next(transfer);
		if (http->overdue_us < 0 || next < http->overdue_us)
			http->overdue_us = next;
	}
}

/*
 * Take a transfer out of libcurl and add it to the list of finished ones.
 */
static void
finish_transfer(HttpTransfer *transfer, CURLcode code)
{
	ZcsyncHttp *http = transfer->http;

	curl_multi_remove_handle(http->multi, transfer->easy);
	dlist_delete(&transfer->node);
	transfer->state = HTTP_DONE;
	dlist_push_tail(&http->done, &transfer->node);
	if (--http->in_flight == 0)
		http->idle_since_us = now_us();

	zcsync_transfer_conclude(transfer, code);
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
 * libcurl's callback: from now on, wait for these events on a socket.
 * socketp is not NULL if the socket is in the epoll set already.
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
 * libcurl's callback: it wants to be called again after so many milliseconds.
 */
static int
timer_changed(CURLM *multi, long timeout_ms, void *userp)
{
	ZcsyncHttp *http = userp;

	http->deadline_us = timeout_ms < 0 ? -1 :
		now_us() + (int64) timeout_ms * 1000;
	return 0;
}
