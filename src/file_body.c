/*-------------------------------------------------------------------------
 *
 * file_body.c
 *		The body of a request that has a file, piece by piece.
 *
 * The file may be larger than what should be in memory, so a body is never
 * made as a whole: any part of it can be asked for, wherever it begins.  The
 * content is sent as it is, or in base64 within a JSON document.
 *
 * Called by libcurl's callbacks: nothing here throws or allocates.
 *
 * IDENTIFICATION
 *		src/file_body.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "file_body.h"

#define GROUPS_MAX		1024	/* of three bytes, encoded at a time */

static int64 content_len(const ZcsyncFileBody *body);
static ssize_t read_base64(const ZcsyncFileBody *body, int64 position,
						   char *data, Size len, ZcsyncFileReader reader,
						   void *source);
static void encode_group(const unsigned char *in, int len, char *out);

/* How long the body is. */
int64
zcsync_file_body_size(const ZcsyncFileBody *body)
{
	return (int64) strlen(body->before) + content_len(body) +
		(int64) strlen(body->after);
}

/*
 * The next bytes of the body, at most "len"; 0: that was all; -1: the content
 * cannot be read.
 */
ssize_t
zcsync_file_body_read(const ZcsyncFileBody *body, int64 position, char *data,
					  Size len, ZcsyncFileReader reader, void *source)
{
	int64		before = strlen(body->before);
	int64		content = content_len(body);
	int64		all = zcsync_file_body_size(body);
	Size		part;

	if (position >= all || len == 0)
		return 0;
	if (position < before)
	{
		part = (Size) Min((int64) len, before - position);
		memcpy(data, body->before + position, part);
		return part;
	}
	if (position < before + content)
	{
		part = (Size) Min((int64) len, before + content - position);
		if (body->base64)
			return read_base64(body, position - before, data, part, reader,
							   source);
		return reader(source, position - before, data, part) ?
			(ssize_t) part : -1;
	}
	part = (Size) Min((int64) len, all - position);
	memcpy(data, body->after + (position - before - content), part);
	return part;
}

/* How long the content is in the body. */
static int64
content_len(const ZcsyncFileBody *body)
{
	return body->base64 ? (body->content_size + 2) / 3 * 4 :
		body->content_size;
}

/* A part of the encoded content, which may begin within a group. */
static ssize_t
read_base64(const ZcsyncFileBody *body, int64 position, char *data, Size len,
			ZcsyncFileReader reader, void *source)
{
	unsigned char raw[GROUPS_MAX * 3];
	char		encoded[GROUPS_MAX * 4];
	int64		first = position / 4;
	Size		skip = position % 4;
	int64		groups = Min(((int64) (skip + len) + 3) / 4, GROUPS_MAX);
	Size		wanted = (Size) Min(groups * 3,
									body->content_size - first * 3);

	if (!reader(source, first * 3, (char *) raw, wanted))
		return -1;
	for (Size i = 0; i * 3 < wanted; i++)
		encode_group(raw + i * 3, (int) Min(wanted - i * 3, 3),
					 encoded + i * 4);
	len = Min(len, (wanted + 2) / 3 * 4 - skip);
	memcpy(data, encoded + skip, len);
	return len;
}

/* One to three bytes as four characters. */
static void
encode_group(const unsigned char *in, int len, char *out)
{
	static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32		bits = (uint32) in[0] << 16;

	if (len > 1)
		bits |= (uint32) in[1] << 8;
	if (len > 2)
		bits |= in[2];
	out[0] = digits[bits >> 18];
	out[1] = digits[(bits >> 12) & 63];
	out[2] = len > 1 ? digits[(bits >> 6) & 63] : '=';
	out[3] = len > 2 ? digits[bits & 63] : '=';
}
