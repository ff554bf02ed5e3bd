/*-------------------------------------------------------------------------
 *
 * intake.c
 *		The HTTP side of zcsync-door, by libevent.
 *
 * A request becomes a delivery, which waits for the answer of the database or
 * for its place in the spool; then intake_answer() sends the status.  Nothing
 * is decided here but what costs nothing: method, size, form of the path.
 *
 * A client may go away before it is answered.  Then its request is gone, and
 * the delivery goes on without one.
 *
 * Whoever is between the vendor and this program (nginx and the like) says in
 * X-Real-IP where a request came from.  That is believed from this machine
 * only; from elsewhere it is the address of the connection.
 *
 * IDENTIFICATION
 *		src/door/intake.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "door.h"

#define PATH_MAX_CHARS	300

static struct evhttp *http = NULL;
static struct evhttp_bound_socket *listener = NULL;
static int	open_requests = 0;

static void request_arrived(struct evhttp_request *request, void *arg);
static void client_gone(struct evhttp_connection *connection, void *arg);
static const char *path_of(struct evhttp_request *request);
static char *headers_of(struct evhttp_request *request);
static bool is_wanted(const char *name);
static void append_json(struct evbuffer *out, const char *text);
static void send_status(struct evhttp_request *request, int status);
static void tell_port(void);

void
intake_open(struct event_base *base, const DoorOptions *options)
{
	http = evhttp_new(base);
	if (http == NULL)
		door_die("could not make an HTTP server");
	evhttp_set_max_body_size(http, DOOR_BODY_MAX);
	evhttp_set_max_headers_size(http, DOOR_HEADERS_MAX);
	evhttp_set_timeout(http, DOOR_TIMEOUT_S);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_POST | EVHTTP_REQ_GET |
							   EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT);
	evhttp_set_default_content_type(http, "text/plain; charset=utf-8");
	evhttp_set_gencb(http, request_arrived, NULL);
	listener = evhttp_bind_socket_with_handle(http, options->address,
											  options->port);
	if (listener == NULL)
		door_die("could not listen on %s port %d", options->address,
				 options->port);
	tell_port();
}

/* Take nothing more; what is open is still answered. */
void
intake_close(void)
{
	if (listener != NULL)
		evhttp_del_accept_socket(http, listener);
	listener = NULL;
}

/* How many requests wait for an answer. */
int
intake_open_requests(void)
{
	return open_requests;
}

/* Answer a delivery, if somebody waits for that, and forget its request. */
void
intake_answer(Delivery *delivery, int status)
{
	struct evhttp_request *request = delivery->request;

	if (request == NULL)
		return;
	delivery->request = NULL;
	open_requests--;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request),
								  NULL, NULL);
	send_status(request, status);
}

static void
request_arrived(struct evhttp_request *request, void *arg)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t		size = evbuffer_get_length(input);
	const char *path = path_of(request);
	Delivery   *delivery;
	char	   *headers;

	(void) arg;
	if (evhttp_request_get_command(request) != EVHTTP_REQ_POST)
	{
		send_status(request, 405);
		return;
	}
	if (size > DOOR_BODY_MAX)
	{
		send_status(request, 413);
		return;
	}
	if (path == NULL)
	{
		send_status(request, 403);
		return;
	}
	if (database_waiting() >= DOOR_WAITING_MAX)
	{
		send_status(request, 503);
		return;
	}

	headers = headers_of(request);
	delivery = delivery_make(path, headers, evbuffer_pullup(input, -1), size);
	explicit_bzero(headers, strlen(headers));
	free(headers);
	delivery->request = request;
	open_requests++;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request),
								  client_gone, delivery);
	if (database_is_up())
		database_take(delivery);
	else
		spool_keep(delivery);
}

/* The client closed the connection, and its request is freed. */
static void
client_gone(struct evhttp_connection *connection, void *arg)
{
	Delivery   *delivery = arg;

	(void) connection;
	delivery->request = NULL;
	open_requests--;
}

/*
 * The path without its first slash, or NULL unless it may be that of an
 * account.
 */
static const char *
path_of(struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	size_t		length = path ? strlen(path) : 0;

	if (length < 2 || length > PATH_MAX_CHARS || path[0] != '/')
		return NULL;
	path++;
	if (strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789-._~/") != strlen(path))
		return NULL;
	return path;
}

/*
 * The headers as a JSON object, with their names in lower case.  The caller
 * frees it.
 */
static char *
headers_of(struct evhttp_request *request)
{
	struct evbuffer *out = evbuffer_new();
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	struct evkeyval *header;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	char	   *address = NULL;
	ev_uint16_t port;
	const char *source = evhttp_find_header(headers, "X-Real-IP");
	size_t		size;
	char	   *json;

	if (out == NULL)
		door_die("out of memory");
	evhttp_connection_get_peer(connection, &address, &port);
	if (address != NULL && (source == NULL ||
							(strcmp(address, "127.0.0.1") != 0 &&
							 strcmp(address, "::1") != 0)))
		source = address;
	evbuffer_add_printf(out, "{\"x-real-ip\":");
	append_json(out, source ? source : "");
	for (header = headers->tqh_first; header; header = header->next.tqe_next)
	{
		if (!is_wanted(header->key))
			continue;
		evbuffer_add_printf(out, ",");
		append_json(out, header->key);
		evbuffer_add_printf(out, ":");
		append_json(out, header->value);
	}
	evbuffer_add_printf(out, "}");

	size = evbuffer_get_length(out);
	json = door_alloc(size + 1);
	evbuffer_remove(out, json, size);
	evbuffer_free(out);
	return json;
}

/* Does the database need this header?  Not those of the connection. */
static bool
is_wanted(const char *name)
{
	return strncasecmp(name, "x-", 2) == 0
		? strcasecmp(name, "x-real-ip") != 0
		: strcasecmp(name, "authorization") == 0 ||
		strcasecmp(name, "content-type") == 0 ||
		strcasecmp(name, "user-agent") == 0;
}

/*
 * A text as a JSON string, in ASCII: each other byte becomes a question mark,
 * since headers have no encoding.
 */
static void
append_json(struct evbuffer *out, const char *text)
{
	evbuffer_add(out, "\"", 1);
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c == '"' || *c == '\\')
			evbuffer_add_printf(out, "\\%c", *c);
		else if (*c < 0x20 || *c > 0x7e)
			evbuffer_add(out, "?", 1);
		else
			evbuffer_add(out, c, 1);
	}
	evbuffer_add(out, "\"", 1);
}

static void
send_status(struct evhttp_request *request, int status)
{
	const char *reason = status == 200 ? "OK"
		: status == 403 ? "Forbidden"
		: status == 405 ? "Method Not Allowed"
		: status == 413 ? "Payload Too Large"
		: status == 503 ? "Service Unavailable"
		: status == 500 ? "Internal Server Error"
		: "Answered";

	evhttp_send_reply(request, status, reason, NULL);
}

/* Say where we listen, which a caller wants to know that left the port open. */
static void
tell_port(void)
{
	struct sockaddr_storage address;
	socklen_t	length = sizeof(address);
	int			port = 0;

	if (getsockname(evhttp_bound_socket_get_fd(listener),
					(struct sockaddr *) &address, &length) == 0)
		port = ntohs(address.ss_family == AF_INET6
					 ? ((struct sockaddr_in6 *) &address)->sin6_port
					 : ((struct sockaddr_in *) &address)->sin_port);
	printf("listening on port %d\n", port);
	fflush(stdout);
}
