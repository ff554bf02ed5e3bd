/*-------------------------------------------------------------------------
 *
 * http_transfer.c
 *		One HTTP transfer: what is sent, and what is kept of the reply.
 *
 * http.c makes the transfer and its memory context, gets an easy handle from
 * here that is ready to be started, and passes back the code with which
 * libcurl ended.
 *
 * libcurl's callbacks are plain C and must not throw.  So they use malloc,
 * note in the transfer what went wrong, and leave the reporting to
 * zcsync_transfer_conclude().
 *
 * An easy handle is made for each transfer: reusing them brought no
 * measurable gain, and a new one remembers nothing of another account.
 *
 * libcurl itself repeats a request if a kept connection turns out to be
 * closed before a reply came.  A write may have been applied by then, so only
 * GET and HEAD may be repeated: see before_request().
 *
 * A proxy named by environment variables is not used: nobody expects settings
 * in the postmaster's environment, and our credentials would go to that
 * proxy.  Redirects are not followed for the same reason.
 *
 * IDENTIFICATION
 *		src/http_transfer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <zlib.h>

#include "utils/memutils.h"

#include "file_transfer.h"
#include "http_transfer.h"
#include "private_address.h"
#include "settings.h"
#include "url.h"

/* for CURLOPT_QUICK_EXIT, without which a hung resolver blocks us */
StaticAssertDecl(LIBCURL_VERSION_NUM >= 0x075700,
				 "libcurl 7.87 or later is required");

#define MAX_HEADER_BYTES	(256 * 1024)	/* of one reply, all lines */
#define FIRST_BODY_BYTES	8192	/* the buffer doubles from here */
#define CONNECTION_LIFE_S	600 /* then a new one is made, since addresses
								 * change */
#define CODE_TOO_LARGE		100 /* CURLE_TOO_LARGE, new in 8.6 */

/* Set one option, or leave the calling function with the option's name. */
#define EASY_SET(easy, option, value) \
	do { \
		if (curl_easy_setopt((easy), option, value) != CURLE_OK) \
			return #option; \
	} while (0)

static const char *check_target(const ZcsyncHttpRequest *request);
static int64 connect_time(CURL *easy);
static bool copy_body(HttpTransfer *transfer,
					  const ZcsyncHttpRequest *request);
static const char *gzip_body(HttpTransfer *transfer, const char *body,
							 Size len);
static bool build_headers(HttpTransfer *transfer, List *headers, bool gzipped);
static const char *set_options(HttpTransfer *transfer,
							   const ZcsyncHttpRequest *request);
static const char *set_mail(HttpTransfer *transfer,
							const ZcsyncHttpRequest *request);
static const char *set_method(HttpTransfer *transfer, const char *method);
static const char *set_limits(CURL *easy);
static const char *set_security(CURL *easy,
								const ZcsyncHttpRequest *request);
static const char *set_files(HttpTransfer *transfer,
							 const ZcsyncHttpRequest *request);
static size_t read_file(char *data, size_t size, size_t count, void *userp);
static size_t read_mail(char *data, size_t size, size_t count, void *userp);
static CURLcode correct_code(HttpTransfer *transfer, CURLcode code);
static size_t append_body(char *data, size_t size, size_t count, void *userp);
static size_t count_header(char *data, size_t size, size_t count, void *userp);
static int	before_request(void *userp, char *remote_ip, char *local_ip,
						   int remote_port, int local_port);

/*
 * Check a request, copy it and make an easy handle of it.  The current memory
 * context is the transfer's.  Returns NULL, or a text (in that context) that
 * says why the request must not or cannot be sent.
 */
const char *
zcsync_transfer_prepare(HttpTransfer *transfer,
						const ZcsyncHttpRequest *request)
{
	const char *why = zcsync_transfer_refusal(request);
	const char *option;
	bool		gzipped;

	if (why != NULL)
		return why;

	transfer->is_content = request->is_content;
	transfer->download = request->download;
	transfer->upload = request->upload;
	if (transfer->download != NULL)
		zcsync_file_pin(transfer->download);
	if (transfer->upload != NULL)
		zcsync_file_pin(transfer->upload);
	gzipped = copy_body(transfer, request);
	if (!build_headers(transfer, request->headers, gzipped) ||
		(transfer->easy = curl_easy_init()) == NULL)
		return "could not allocate memory for an HTTP transfer";

	option = set_options(transfer, request);
	if (option != NULL)
		return psprintf("libcurl does not accept %s", option);
	return NULL;
}

/*
 * Fill in the result of a transfer that libcurl has ended with this code.
 */
void
zcsync_transfer_conclude(HttpTransfer *transfer, CURLcode code)
{
	ZcsyncHttpTransfer *pub = &transfer->pub;
	long		status = 0;
	curl_off_t	duration_us = 0;
	char	   *content_type = NULL;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &duration_us);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
	pub->status = (int) status;
	pub->duration_us = duration_us;
	pub->connect_us = connect_time(transfer->easy);
	pub->maybe_sent = transfer->sends > 0;
	if (transfer->body != NULL)
		pub->body = transfer->body;
	if (content_type != NULL)
		pub->content_type = content_type;

	code = correct_code(transfer, code);
	pub->curl_code = code;
	pub->result = code == CURLE_OK ? ZCSYNC_HTTP_OK : ZCSYNC_HTTP_FAILED;
	if (code == CURLE_OK)
		transfer->error[0] = '\0';
	else if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(code),
				sizeof(transfer->error));
}

/*
 * How long a new connection took, in microseconds: from sending the first
 * packet to the answer of the host, or of the proxy.  That is one way there
 * and back, so it tells how far the network is.  0: there was none.
 */
static int64
connect_time(CURL *easy)
{
	long		connections = 0;
	curl_off_t	resolved_us = 0;
	curl_off_t	connected_us = 0;

	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
	curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
	if (connections == 0 || connected_us == 0)
		return 0;
	return Max(connected_us - resolved_us, 1);
}

/*
 * Free what palloc does not know of.  Must not throw.
 */
void
zcsync_transfer_dispose(HttpTransfer *transfer)
{
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->mail_to);
	free(transfer->body);
	if (transfer->download != NULL)
		zcsync_file_unpin(transfer->download);
	if (transfer->upload != NULL)
		zcsync_file_unpin(transfer->upload);
}

/*
 * May this request be sent?  Returns NULL, or why not, in the current memory
 * context.  The reason names no header and no URL: both can hold secrets.
 */
const char *
zcsync_transfer_refusal(const ZcsyncHttpRequest *request)
{
	ListCell   *lc;

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

	return check_target(request);
}

/*
 * May a request go to this URL?
 */
static const char *
check_target(const ZcsyncHttpRequest *request)
{
	char	   *host = zcsync_url_host(request->url);
	char	   *scheme = zcsync_url_scheme(request->url);
	bool		is_mail = request->mail_from != NULL;
	const char *setting = request->is_alert ? "alert_hosts" :
		request->is_content ? "attachment_hosts" : "allowed_hosts";
	const char *hosts = request->is_alert ? zcsync_alert_hosts :
		request->is_content ? zcsync_attachment_hosts : zcsync_allowed_hosts;

	if (host == NULL || scheme == NULL)
		return "URL is not valid, or names a user";
	if (is_mail && strcmp(scheme, "smtps") != 0 && strcmp(scheme, "smtp") != 0)
		return "URL scheme is not \"smtps\" or \"smtp\"";
	if (!is_mail && strcmp(scheme, "https") != 0 &&
		!(strcmp(scheme, "http") == 0 && zcsync_allow_insecure_http &&
		  !request->is_alert))
		return "URL scheme is not \"https\"";
	if (!zcsync_url_host_allowed(host, hosts))
		return psprintf("host \"%s\" is not in \"zcsync.%s\"", host, setting);
	return NULL;
}

/*
 * Copy the request's body, compressed if that is allowed and makes it smaller.
 * Returns whether it is compressed.
 */
static bool
copy_body(HttpTransfer *transfer, const ZcsyncHttpRequest *request)
{
	char	   *copy;

	if (request->body == NULL)
		return false;

	if (request->gzip_allowed && zcsync_gzip_threshold >= 0 &&
		request->body_len > (Size) zcsync_gzip_threshold)
	{
		transfer->request_body = gzip_body(transfer, request->body,
										   request->body_len);
		if (transfer->request_body != NULL)
			return true;
	}

	copy = MemoryContextAllocHuge(transfer->context, request->body_len + 1);
	memcpy(copy, request->body, request->body_len);
	transfer->request_body = copy;
	transfer->request_body_len = request->body_len;
	return false;
}

/*
 * Compress a body in the format of gzip.  Returns NULL if zlib fails or the
 * result is not smaller; then the body is sent as it is.
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

	if (transfer->request_body != NULL || transfer->upload != NULL)
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
 * Set all options of a transfer.  Returns NULL, or the name of the option
 * that libcurl does not accept.
 */
static const char *
set_options(HttpTransfer *transfer, const ZcsyncHttpRequest *request)
{
	CURL	   *easy = transfer->easy;
	const char *failed;

	EASY_SET(easy, CURLOPT_URL, request->url);
	EASY_SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
	EASY_SET(easy, CURLOPT_USERAGENT, "zcsync (PostgreSQL " PG_VERSION ")");
	EASY_SET(easy, CURLOPT_ACCEPT_ENCODING, "");	/* all it knows */
	EASY_SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
	EASY_SET(easy, CURLOPT_PRIVATE, transfer);
	EASY_SET(easy, CURLOPT_WRITEFUNCTION, append_body);
	EASY_SET(easy, CURLOPT_WRITEDATA, transfer);
	EASY_SET(easy, CURLOPT_HEADERFUNCTION, count_header);
	EASY_SET(easy, CURLOPT_HEADERDATA, transfer);
	EASY_SET(easy, CURLOPT_PREREQFUNCTION, before_request);
	EASY_SET(easy, CURLOPT_PREREQDATA, transfer);

	/*
	 * Many requests share a connection if the server speaks HTTP/2.  They do
	 * not wait for a new connection to show whether it does
	 * (CURLOPT_PIPEWAIT): if that one hangs while it connects, all of them
	 * would hang, one after the other.
	 */
	EASY_SET(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);

	/*
	 * Alerts are rare: a kept connection would be dead by the next one, and a
	 * mail relay wants to be told that there is no more.
	 */
	EASY_SET(easy, CURLOPT_FRESH_CONNECT, request->is_alert ? 1L : 0L);
	EASY_SET(easy, CURLOPT_FORBID_REUSE, request->is_alert ? 1L : 0L);

	failed = request->mail_from != NULL ? set_mail(transfer, request) :
		set_method(transfer, request->method);
	if (failed == NULL)
		failed = set_limits(easy);
	if (failed == NULL)
		failed = set_files(transfer, request);
	if (failed == NULL)
		failed = set_security(easy, request);
	return failed;
}

/*
 * Set what makes a mail of it: sender, recipients, login, and the message,
 * which libcurl reads as it needs it.
 */
static const char *
set_mail(HttpTransfer *transfer, const ZcsyncHttpRequest *request)
{
	CURL	   *easy = transfer->easy;
	ListCell   *lc;

	transfer->is_write = true;
	foreach(lc, request->mail_to)
	{
		struct curl_slist *longer = curl_slist_append(transfer->mail_to,
													  lfirst(lc));

		if (longer == NULL)
			return "the list of recipients";
		transfer->mail_to = longer;
	}
	EASY_SET(easy, CURLOPT_MAIL_FROM, request->mail_from);
	EASY_SET(easy, CURLOPT_MAIL_RCPT, transfer->mail_to);
	if (request->user != NULL)
	{
		EASY_SET(easy, CURLOPT_USERNAME, request->user);
		EASY_SET(easy, CURLOPT_PASSWORD, request->password);
	}
	EASY_SET(easy, CURLOPT_UPLOAD, 1L);
	EASY_SET(easy, CURLOPT_READFUNCTION, read_mail);
	EASY_SET(easy, CURLOPT_READDATA, transfer);
	return NULL;
}

/*
 * Set what is different for a file.  Its content is taken as it comes: a
 * compressed file must not be unpacked.
 */
static const char *
set_files(HttpTransfer *transfer, const ZcsyncHttpRequest *request)
{
	CURL	   *easy = transfer->easy;

	if (transfer->download != NULL)
	{
		EASY_SET(easy, CURLOPT_ACCEPT_ENCODING, NULL);
		EASY_SET(easy, CURLOPT_MAXFILESIZE_LARGE,
				 (curl_off_t) zcsync_file_limit(transfer->download));
	}
	if (transfer->upload != NULL)
	{
		EASY_SET(easy, CURLOPT_POST, 1L);
		EASY_SET(easy, CURLOPT_POSTFIELDS, NULL);
		EASY_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t) zcsync_file_upload_size(transfer->upload));
		EASY_SET(easy, CURLOPT_READFUNCTION, read_file);
		EASY_SET(easy, CURLOPT_READDATA, transfer);
	}
	return NULL;
}

/*
 * Set the method and the body.
 */
static const char *
set_method(HttpTransfer *transfer, const char *method)
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
 * Set the limits of a transfer's size, and how long a connection lives.  The
 * limits of its time are in http_deadline.c, since libcurl would look at the
 * clock before it reads a reply that is already there.  libcurl itself has
 * only a time-out for connecting, half of which it gives to the first of
 * several addresses.
 */
static const char *
set_limits(CURL *easy)
{
	EASY_SET(easy, CURLOPT_NOSIGNAL, 1L);
	EASY_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) zcsync_connect_timeout);
	EASY_SET(easy, CURLOPT_MAXFILESIZE_LARGE,
			 (curl_off_t) zcsync_max_response_size * 1024);
	EASY_SET(easy, CURLOPT_MAXAGE_CONN, (long) zcsync_http_idle_timeout);
	EASY_SET(easy, CURLOPT_MAXLIFETIME_CONN, (long) CONNECTION_LIFE_S);
	EASY_SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);

	/* do not wait for a resolver thread that hangs */
	EASY_SET(easy, CURLOPT_QUICK_EXIT, 1L);
	return NULL;
}

/*
 * Set with whom we talk and which certificates we accept.
 */
static const char *
set_security(CURL *easy, const ZcsyncHttpRequest *request)
{
	EASY_SET(easy, CURLOPT_PROTOCOLS_STR,
			 request->mail_from != NULL ? "smtps,smtp" :
			 zcsync_allow_insecure_http && !request->is_alert ? "https,http" :
			 "https");

	/* smtp goes on only after STARTTLS */
	if (request->mail_from != NULL)
		EASY_SET(easy, CURLOPT_USE_SSL, (long) CURLUSESSL_ALL);
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
 * The code that says what really happened, and its text.  When one of our
 * callbacks stops a transfer, libcurl reports an error of the callback.
 */
static CURLcode
correct_code(HttpTransfer *transfer, CURLcode code)
{
	ZcsyncHttpTransfer *pub = &transfer->pub;
	bool		headers = transfer->header_bytes > MAX_HEADER_BYTES;

	if (code == CURLE_OK)
		return code;

	/*
	 * libcurl has a limit of its own for one header line; before 8.6 it
	 * reports an exceeded limit as out of memory.
	 */
	if (code == CODE_TOO_LARGE ||
		(code == CURLE_OUT_OF_MEMORY && pub->status != 0 &&
		 pub->body_len == 0 && !transfer->out_of_memory))
		headers = true;

	if (transfer->private_address)
	{
		strlcpy(transfer->error,
				"the host has a private address",
				sizeof(transfer->error));
		return CURLE_COULDNT_CONNECT;
	}
	if (transfer->file_failed)
	{
		strlcpy(transfer->error, "a temporary file cannot be written or read",
				sizeof(transfer->error));
		return CURLE_WRITE_ERROR;
	}
	if (headers || pub->too_large || code == CURLE_FILESIZE_EXCEEDED)
	{
		pub->too_large = true;
		if (transfer->download != NULL && !headers)
		{
			zcsync_file_note_too_large(transfer->download);
			snprintf(transfer->error, sizeof(transfer->error),
					 "the file is larger than " INT64_FORMAT " kB",
					 zcsync_file_limit(transfer->download) / 1024);
		}
		else if (headers)
			strlcpy(transfer->error, "headers of the reply are too large",
					sizeof(transfer->error));
		else
			snprintf(transfer->error, sizeof(transfer->error),
					 "reply is larger than %d kB", zcsync_max_response_size);
		return CURLE_FILESIZE_EXCEEDED;
	}
	if (transfer->repeat_refused)
	{
		strlcpy(transfer->error, "connection was closed before a reply came",
				sizeof(transfer->error));
		return CURLE_GOT_NOTHING;
	}
	if (transfer->out_of_memory)
		return CURLE_OUT_OF_MEMORY;
	return code;
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
	long		status = 0;

	if (transfer->download != NULL &&
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE,
						  &status) == CURLE_OK && status == 200)
	{
		if (zcsync_file_write(transfer->download, data, len))
			return len;
		if (zcsync_file_is_full(transfer->download, len))
			transfer->pub.too_large = true;
		else
			transfer->file_failed = true;
		return 0;
	}

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
 * libcurl's callback: the next piece of a mail.
 */
static size_t
read_mail(char *data, size_t size, size_t count, void *userp)
{
	HttpTransfer *transfer = userp;
	Size		left = transfer->request_body_len - transfer->body_read;
	Size		len = Min(left, size * count);

	memcpy(data, transfer->request_body + transfer->body_read, len);
	transfer->body_read += len;
	return len;
}

/*
 * libcurl's callback: the next piece of a body that has a file.
 */
static size_t
read_file(char *data, size_t size, size_t count, void *userp)
{
	HttpTransfer *transfer = userp;
	ssize_t		len = zcsync_file_read_body(transfer->upload,
											transfer->body_read, data,
											size * count);

	if (len < 0)
	{
		transfer->file_failed = true;
		return CURL_READFUNC_ABORT;
	}
	transfer->body_read += len;
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
 * libcurl's callback: the connection is made, and the request is about to be
 * sent.
 *
 * So a transfer that never came here has certainly sent nothing.  One that
 * comes here a second time is being repeated because a kept connection ended
 * before a reply came.  A write must not be repeated: it may have been
 * applied.
 */
static int
before_request(void *userp, char *remote_ip, char *local_ip,
			   int remote_port, int local_port)
{
	HttpTransfer *transfer = userp;

	if (transfer->is_content && !zcsync_allow_insecure_http &&
		!zcsync_address_is_public(remote_ip))
	{
		transfer->private_address = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (transfer->sends > 0 &&
		(transfer->is_write || (transfer->download != NULL &&
								zcsync_file_has_begun(transfer->download))))
	{
		transfer->repeat_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->sends++;
	return CURL_PREREQFUNC_OK;
}
