/*-------------------------------------------------------------------------
 *
 * file_transfer.c
 *		Files that pass through the worker from one vendor to another.
 *
 * A download writes what comes into a temporary file of the server's, piece
 * by piece, and an upload reads it from there: a file is never in memory as a
 * whole.  The two are calls of different accounts, each within the limits of
 * its own; between them the file waits here, under the name that both
 * requests give (member "file").  It is removed when the upload has begun and
 * ended, when it has waited too long, and with the process at the latest.  An
 * upload that does not find its file, because another process had it, says so
 * ({"zcsync_no_file": true}); then it is downloaded again.  Few files wait at
 * a time: a download that finds no room says that, too, and is put off.
 *
 * What a vendor says of one file for good, as that it is too large, is an
 * answer, {"zcsync_refused": {status, message}}, and no failure of the call.
 *
 * The content of a file may have another address than the vendor's API, or be
 * redirected there.  Requests to other hosts than the account's own carry no
 * credentials, and go only to hosts of zcsync.attachment_hosts with public
 * addresses (http_transfer.c).  What such a host answers says nothing about
 * the account.
 *
 * The functions for libcurl's callbacks do not throw.
 *
 * IDENTIFICATION
 *		src/file_transfer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "connector_common.h"
#include "file_body.h"
#include "file_transfer.h"
#include "json.h"
#include "settings.h"
#include "url.h"

#define FILES_MAX		16		/* at a time */
#define FILE_WAIT_MS	(10 * 60 * 1000)	/* for their uploads */
#define FILE_TIMEOUT_MS	(10 * 60 * 1000)	/* of a transfer */
#define HOPS_MAX		4
#define LINK_MAX		8192	/* bytes of a reply that names an address */

struct ZcsyncFile
{
	dlist_node	node;			/* in "files" */
	MemoryContext context;
	char	   *name;
	File		file;			/* 0: closed */
	off_t		size;
	int64		limit;			/* bytes */
	EVP_MD_CTX *hash;			/* SHA-256 of what came so far */
	bool		hash_failed;
	bool		too_large;
	bool		failed;			/* it could not be written or read */
	bool		is_page;		/* what came last was a web page */
	bool		is_json;
	int			pins;			/* transfers that use it */
	bool		dropped;		/* freed with its last pin */
	TimestampTz used_at;
	ZcsyncFileBody body;		/* of the upload */
};

static dlist_head files = DLIST_STATIC_INIT(files);

static ZcsyncFile *find_file(const char *name);
static ZcsyncFile *file_of(ZcsyncCall *call);
static bool answer(ZcsyncCall *call, const char *body);
static ZcsyncFile *open_file(const char *name, int64 limit);
static bool make_room(void);
static void drop_file(ZcsyncFile *file);
static void drop_old_files(void);
static void drop_unused(const char *name);
static void start_over(ZcsyncFile *file);
static char *hash_text(ZcsyncFile *file);
static void conclude_download(ZcsyncCall *call, ZcsyncFile *file);
static void refuse_file(ZcsyncCall *call);
static bool prepare_multipart(ZcsyncCall *call, ZcsyncFile *file);
static bool prepare_json(ZcsyncCall *call, ZcsyncFile *file);
static char *multipart_head(const char *boundary, const char *name,
							const char *type);
static const char *media_type(ZcsyncCall *call);
static bool read_content(void *source, int64 position, char *data, Size len);
static char *next_address(ZcsyncCall *call, ZcsyncHttpTransfer *transfer,
						  bool *named);
static char *named_address(ZcsyncFile *file);
static char *absolute_url(const char *base, const char *location);
static bool same_host(const char *one, const char *other);

/*
 * Fill call->http for the download from this address into the file of member
 * "file".  is_own_host: the content is at the account's own host, which wants
 * its credentials.
 */
bool
zcsync_file_prepare_download(ZcsyncCall *call, const char *url,
							 const char *base_url, bool *is_own_host)
{
	char	   *name = zcsync_json_get_text(call->request, "file");

	if (url == NULL || name == NULL)
		return zcsync_call_refuse(call, "the file has no address", NULL);
	drop_unused(name);
	if (!make_room())
		return answer(call, "{\"zcsync_no_room\": true}");
	call->http.method = "GET";
	call->http.url = url;
	call->http.timeout_ms = FILE_TIMEOUT_MS;
	*is_own_host = same_host(url, base_url);
	call->http.is_content = !*is_own_host;
	call->http.download = open_file(name,
									(int64) zcsync_attachment_max_size * 1024);
	if (call->http.download == NULL)
		return answer(call, "{\"zcsync_no_room\": true}");
	return true;
}

/*
 * Fill call->http, which has method and URL already, with the file of member
 * "file".  If it is not here, the call is over, and its reply says so.
 */
bool
zcsync_file_prepare_upload(ZcsyncCall *call, ZcsyncFileForm form)
{
	ZcsyncFile *file = file_of(call);

	if (file == NULL || file->pins > 0)
		return answer(call, "{\"zcsync_no_file\": true}");
	MemoryContextReset(file->context);
	file->body.before = file->body.after = "";
	file->body.content_size = file->size;
	file->body.base64 = form == ZCSYNC_FILE_JSON;
	file->used_at = GetCurrentTimestamp();
	call->http.upload = file;
	call->http.timeout_ms = FILE_TIMEOUT_MS;
	switch (form)
	{
		case ZCSYNC_FILE_PLAIN:
			zcsync_connector_add_header(call, "Content-Type",
										media_type(call));
			break;
		case ZCSYNC_FILE_MULTIPART:
			return prepare_multipart(call, file);
		case ZCSYNC_FILE_JSON:
			return prepare_json(call, file);
	}
	return true;
}

/* The file that the request names; NULL: it is not here. */
static ZcsyncFile *
file_of(ZcsyncCall *call)
{
	char	   *name = zcsync_json_get_text(call->request, "file");

	return name == NULL ? NULL : find_file(name);
}

/* The call is over before it begins: this is its reply.  Returns false. */
static bool
answer(ZcsyncCall *call, const char *body)
{
	call->outcome = ZCSYNC_OUTCOME_DONE;
	call->body = pstrdup(body);
	call->body_len = strlen(body);
	return false;
}

/*
 * As the part "attachment" of a form, with the name of member "name".
 */
static bool
prepare_multipart(ZcsyncCall *call, ZcsyncFile *file)
{
	char	   *name = zcsync_json_get_text(call->request, "name");
	uint8		random[16];
	char		boundary[sizeof(random) * 2 + 1];
	MemoryContext old;

	if (!pg_strong_random(random, sizeof(random)))
		return zcsync_call_refuse(call, "could not get random bytes", NULL);
	for (int i = 0; i < lengthof(random); i++)
		sprintf(boundary + 2 * i, "%02x", random[i]);
	old = MemoryContextSwitchTo(file->context);
	file->body.before = multipart_head(boundary, name, media_type(call));
	file->body.after = psprintf("\r\n--%s--\r\n", boundary);
	MemoryContextSwitchTo(old);
	zcsync_connector_add_header(call, "Content-Type",
								psprintf("multipart/form-data; boundary=%s",
										 boundary));
	return true;
}

/*
 * As the member "data_base64" of a document in a list, which has what member
 * "item" has.
 */
static bool
prepare_json(ZcsyncCall *call, ZcsyncFile *file)
{
	Jsonb	   *item = zcsync_json_get_object(call->request, "item");
	StringInfoData head;

	if (item == NULL || JB_ROOT_COUNT(item) == 0)
		return zcsync_call_refuse(call, "request has no item", NULL);
	initStringInfo(&head);
	appendStringInfoChar(&head, '[');
	zcsync_json_append_jsonb(&head, item);
	while (head.len > 0 && head.data[head.len - 1] != '}')
		head.data[--head.len] = '\0';
	head.data[--head.len] = '\0';
	appendStringInfoString(&head, ", \"data_base64\": \"");
	file->body.before = MemoryContextStrdup(file->context, head.data);
	file->body.after = "\"}]";
	zcsync_connector_add_header(call, "Content-Type", "application/json");
	return true;
}

/* The type of the content, as it may stand in a header. */
static const char *
media_type(ZcsyncCall *call)
{
	char	   *type = zcsync_json_get_text(call->request, "media_type");

	for (const char *p = type; p != NULL && *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7F)
			type = NULL;
	}
	return type != NULL && strchr(type, '/') != NULL ? type :
		"application/octet-stream";
}

/*
 * What stands before the content.  Names are quoted as browsers do.
 */
static char *
multipart_head(const char *boundary, const char *name, const char *type)
{
	StringInfoData head;

	initStringInfo(&head);
	appendStringInfo(&head,
					 "--%s\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"",
					 boundary);
	for (const char *p = name ? name : "file"; *p != '\0'; p++)
	{
		if (*p == '"' || (unsigned char) *p < ' ' || *p == 0x7F)
			appendStringInfo(&head, "%%%02X", (unsigned char) *p);
		else
			appendStringInfoChar(&head, *p);
	}
	appendStringInfo(&head, "\"\r\nContent-Type: %s\r\n\r\n", type);
	return head.data;
}

/*
 * A download has ended.  If the reply says that the content is elsewhere,
 * prepare the request for that address and return true; the transfer is
 * released then.
 */
bool
zcsync_file_follow(ZcsyncCall *call, ZcsyncHttpTransfer *transfer)
{
	ZcsyncFile *file = call->http.download;
	MemoryContext old;
	char	   *url;
	bool		named;

	if (file == NULL || file->dropped ||
		transfer->result != ZCSYNC_HTTP_OK)
		return false;
	file->is_page = strstr(transfer->content_type, "text/html") != NULL;
	file->is_json = strstr(transfer->content_type, "json") != NULL;
	if (call->hops >= HOPS_MAX)
		return false;
	old = MemoryContextSwitchTo(call->context);
	url = next_address(call, transfer, &named);
	if (url != NULL)
	{
		/* a document may be the file itself, so anybody may have written it */
		if (named || !same_host(url, call->http.url))
		{
			call->http.headers = NIL;
			call->http.is_content = true;
		}
		call->http.url = url;
		call->hops++;
		start_over(file);
		zcsync_http_release(transfer);
	}
	MemoryContextSwitchTo(old);
	return url != NULL;
}

/*
 * Where a reply says that the content is, palloc'ed; NULL: it says nothing.
 * A request with "may_link" may be answered by a document that names the
 * address instead of the content (*named).
 */
static char *
next_address(ZcsyncCall *call, ZcsyncHttpTransfer *transfer, bool *named)
{
	ZcsyncFile *file = call->http.download;
	const char *location = NULL;

	*named = false;
	if (transfer->status >= 300 && transfer->status <= 399)
		location = zcsync_http_header(transfer, "Location");
	else if (transfer->status == 200 && call->hops == 0 && file->is_json &&
			 file->size <= LINK_MAX &&
			 zcsync_json_get_text(call->request, "may_link") != NULL)
	{
		location = named_address(file);
		*named = true;
	}
	return location == NULL ? NULL : absolute_url(call->http.url, location);
}

/* The member "link" of the document that came, palloc'ed; NULL: there is none. */
static char *
named_address(ZcsyncFile *file)
{
	char	   *said = palloc(file->size + 1);
	const char *why;
	Jsonb	   *document;

	if (!read_content(file, 0, said, file->size))
		return NULL;
	document = zcsync_json_parse(said, file->size, &why);
	return document == NULL ? NULL : zcsync_json_get_text(document, "link");
}

/*
 * The outcome of a call that had a file.
 */
void
zcsync_file_conclude(ZcsyncCall *call)
{
	ZcsyncFile *named;
	ZcsyncFile *file = call->http.download != NULL ? call->http.download :
		call->http.upload;
	MemoryContext old;
	bool		ended;
	bool		waits;

	if (file == NULL)
		return;
	old = MemoryContextSwitchTo(call->context);
	named = file_of(call);
	if (call->http.download != NULL)
		conclude_download(call, named == file ? file : NULL);
	/* the disk is full, or "temp_file_limit" reached: not the vendor's fault */
	if (named == file && file->failed && call->outcome != ZCSYNC_OUTCOME_DONE)
		call->outcome = ZCSYNC_OUTCOME_BROKEN;
	if (call->outcome == ZCSYNC_OUTCOME_REJECTED ||
		call->outcome == ZCSYNC_OUTCOME_NOT_FOUND ||
		call->outcome == ZCSYNC_OUTCOME_CONFLICT ||
		call->outcome == ZCSYNC_OUTCOME_CONFIG)
		refuse_file(call);

	/* what came as a whole waits, also if it could not be sent yet */
	ended = call->outcome == ZCSYNC_OUTCOME_DONE;
	waits = call->http.upload != NULL ? !ended : ended && call->status == 200;
	if (named == file && !waits)
		drop_file(file);
	MemoryContextSwitchTo(old);
}

/*
 * The outcome of a download: how large the file is, and its checksum.  What a
 * host that is not the account's says must not count against the account.
 */
static void
conclude_download(ZcsyncCall *call, ZcsyncFile *file)
{
	if (call->http.is_content)
	{
		call->pause_ms = 0;
		call->limit = call->remaining = call->reset_s = -1;
		call->limits_class = NULL;
		call->other_limits.class = NULL;
		if (call->outcome != ZCSYNC_OUTCOME_DONE &&
			call->outcome != ZCSYNC_OUTCOME_CONFIG)
			call->outcome = call->status >= 400 && call->status < 500 &&
				call->status != 408 && call->status != 429 ?
				ZCSYNC_OUTCOME_REJECTED : ZCSYNC_OUTCOME_BROKEN;
	}
	if (file == NULL)
		call->outcome = ZCSYNC_OUTCOME_BROKEN;
	else if (file->too_large)
		call->outcome = ZCSYNC_OUTCOME_REJECTED;
	else if (call->outcome == ZCSYNC_OUTCOME_DONE && call->status != 200)
	{
		call->outcome = ZCSYNC_OUTCOME_REJECTED;
		call->message = psprintf("HTTP status %d", call->status);
	}
	else if (call->outcome == ZCSYNC_OUTCOME_DONE)
	{
		char	   *hash = hash_text(file);

		if (hash == NULL)
		{
			call->outcome = ZCSYNC_OUTCOME_BROKEN;
			call->message = pstrdup("could not compute a checksum");
			return;
		}
		call->body = psprintf("{\"zcsync_file\": {\"size\": " INT64_FORMAT
							  ", \"checksum\": \"%s\", \"page\": %s}}",
							  (int64) file->size, hash,
							  file->is_page ? "true" : "false");
		call->body_len = strlen(call->body);
		file->used_at = GetCurrentTimestamp();
	}
}

/* The vendor, or this server, does not want this file: that is an answer. */
static void
refuse_file(ZcsyncCall *call)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfo(&body, "{\"zcsync_refused\": {\"status\": %d, \"message\": ",
					 call->status);
	zcsync_json_append_string(&body, call->message != NULL ? call->message : "");
	appendStringInfoString(&body, "}}");
	call->outcome = ZCSYNC_OUTCOME_DONE;
	call->maybe_applied = false;
	call->body = body.data;
	call->body_len = body.len;
	call->message = NULL;
	call->hint = NULL;
	/* so that the file is dropped */
	if (call->http.download != NULL && call->status == 200)
		call->status = 0;
}

/* Add to a file.  Returns false if that is not possible, or it is too large. */
bool
zcsync_file_write(ZcsyncFile *file, const char *data, Size len)
{
	volatile bool ok = false;
	MemoryContext context = CurrentMemoryContext;

	if (zcsync_file_is_full(file, len))
	{
		file->too_large = true;
		return false;
	}

	/* it throws where "temp_file_limit" is exceeded */
	PG_TRY();
	{
		ok = FileWrite(file->file, (char *) data, len, file->size,
					   PG_WAIT_EXTENSION) == (ssize_t) len;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	if (!ok)
		file->failed = true;
	else
	{
		file->size += len;
		if (EVP_DigestUpdate(file->hash, data, len) != 1)
			file->hash_failed = true;
	}
	return ok;
}

/* Would so many more bytes make it too large? */
bool
zcsync_file_is_full(ZcsyncFile *file, Size more)
{
	return file->size + (int64) more > file->limit;
}

/*
 * The next bytes of the body that has this file; 0: that was all; -1: it
 * cannot be read.
 */
ssize_t
zcsync_file_read_body(ZcsyncFile *file, int64 position, char *data, Size len)
{
	return zcsync_file_body_read(&file->body, position, data, len,
								 read_content, file);
}

/* How long the body is that has this file. */
int64
zcsync_file_upload_size(ZcsyncFile *file)
{
	return zcsync_file_body_size(&file->body);
}

/* Read so many bytes of a file, all of them. */
static bool
read_content(void *source, int64 position, char *data, Size len)
{
	ZcsyncFile *file = source;

	while (len > 0)
	{
		ssize_t		got = FileRead(file->file, data, len, position,
								   PG_WAIT_EXTENSION);

		if (got <= 0)
		{
			file->failed = true;
			return false;
		}
		data += got;
		position += got;
		len -= got;
	}
	return true;
}

/* The file is larger than it may be. */
void
zcsync_file_note_too_large(ZcsyncFile *file)
{
	file->too_large = true;
}

/* Has something of it come? */
bool
zcsync_file_has_begun(ZcsyncFile *file)
{
	return file->size > 0;
}

/* How large it may be. */
int64
zcsync_file_limit(ZcsyncFile *file)
{
	return file->limit;
}

/* A transfer uses the file until it unpins it. */
void
zcsync_file_pin(ZcsyncFile *file)
{
	file->pins++;
}

/* Must not throw. */
void
zcsync_file_unpin(ZcsyncFile *file)
{
	if (--file->pins == 0 && file->dropped)
		drop_file(file);
}

static ZcsyncFile *
find_file(const char *name)
{
	dlist_iter	iter;

	drop_old_files();
	dlist_foreach(iter, &files)
	{
		ZcsyncFile *file = dlist_container(ZcsyncFile, node, iter.cur);

		if (!file->dropped && strcmp(file->name, name) == 0)
			return file;
	}
	return NULL;
}

/*
 * An empty file of this name, instead of an earlier one; NULL: there can be
 * none.
 */
static ZcsyncFile *
open_file(const char *name, int64 limit)
{
	MemoryContext context = CurrentMemoryContext;
	ZcsyncFile *file = find_file(name);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	volatile File opened = 0;

	if (file != NULL)
		drop_file(file);
	if (hash == NULL)
		return NULL;
	PG_TRY();
	{
		opened = OpenTemporaryFile(true);
		file = MemoryContextAllocZero(TopMemoryContext, sizeof(ZcsyncFile));
		file->name = MemoryContextStrdup(TopMemoryContext, name);
		file->context = AllocSetContextCreate(TopMemoryContext, "zcsync file",
											  ALLOCSET_SMALL_SIZES);
	}
	PG_CATCH();
	{
		/* the disk is full, or there are too many open files */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		if (opened > 0)
			FileClose(opened);
		opened = 0;
	}
	PG_END_TRY();
	if (opened <= 0)
	{
		EVP_MD_CTX_free(hash);
		return NULL;
	}
	file->file = opened;
	file->hash = hash;
	file->limit = limit;
	file->used_at = GetCurrentTimestamp();
	start_over(file);
	dlist_push_tail(&files, &file->node);
	return file;
}

/* What comes next is its first byte.  The file itself is only overwritten. */
static void
start_over(ZcsyncFile *file)
{
	file->size = 0;
	file->hash_failed = EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL) != 1;
}

/* The checksum of what came, palloc'ed; NULL: it cannot be computed. */
static char *
hash_text(ZcsyncFile *file)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char	   *digits;

	if (file->hash_failed ||
		EVP_DigestFinal_ex(file->hash, hash, &len) != 1)
		return NULL;
	digits = palloc(len * 2 + 1);
	for (unsigned int i = 0; i < len; i++)
		sprintf(digits + 2 * i, "%02x", hash[i]);
	return digits;
}

/* Close a file, which removes it, at once or after its last transfer. */
static void
drop_file(ZcsyncFile *file)
{
	file->dropped = true;
	if (file->pins > 0)
		return;
	dlist_delete(&file->node);
	FileClose(file->file);
	EVP_MD_CTX_free(file->hash);
	MemoryContextDelete(file->context);
	pfree(file->name);
	pfree(file);
}

/* Files that nobody came for. */
static void
drop_old_files(void)
{
	dlist_mutable_iter iter;
	TimestampTz now = GetCurrentTimestamp();

	dlist_foreach_modify(iter, &files)
	{
		ZcsyncFile *file = dlist_container(ZcsyncFile, node, iter.cur);

		if (file->pins == 0 &&
			TimestampDifferenceExceeds(file->used_at, now, FILE_WAIT_MS))
			drop_file(file);
	}
}

/* An earlier file of this name, unless a transfer has it. */
static void
drop_unused(const char *name)
{
	ZcsyncFile *file = find_file(name);

	if (file != NULL && file->pins == 0)
		drop_file(file);
}

/* May there be one more file? */
static bool
make_room(void)
{
	dlist_iter	iter;
	int			count = 0;

	drop_old_files();
	dlist_foreach(iter, &files)
		count++;
	return count < FILES_MAX;
}

/* A location as an address, palloc'ed; NULL if it is none. */
static char *
absolute_url(const char *base, const char *location)
{
	CURLU	   *url = curl_url();
	char	   *found = NULL;
	char	   *result = NULL;

	if (url != NULL && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
		curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_URL, &found, 0) == CURLUE_OK)
	{
		result = palloc_extended(strlen(found) + 1, MCXT_ALLOC_NO_OOM);
		if (result != NULL)
			strcpy(result, found);
	}
	curl_free(found);
	curl_url_cleanup(url);
	return result;
}

/* Have two addresses the same scheme, host and port? */
static bool
same_host(const char *one, const char *other)
{
	const char *a = strstr(one, "://");
	const char *b = other == NULL ? NULL : strstr(other, "://");
	Size		len;

	if (a == NULL || b == NULL)
		return false;
	len = (a + 3 - one) + strcspn(a + 3, "/?#");
	return len == (Size) ((b + 3 - other) + strcspn(b + 3, "/?#")) &&
		pg_strncasecmp(one, other, len) == 0;
}
