/*-------------------------------------------------------------------------
 *
 * test_file_body.c
 *		The body of a request that has a file, read in pieces of all sizes.
 *
 * IDENTIFICATION
 *		test/unit/test_file_body.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/file_body.h"
#include "unit.h"

#define CONTENT_MAX		9000

static char content[CONTENT_MAX];

static bool read_content(void *source, int64 position, char *data, Size len);
static bool same_in_pieces(const ZcsyncFileBody *body, const char *expected,
						   Size piece);
static void encode_all(const char *in, int len, char *out);
static void test_known(void);
static void test_boundaries(void);
static void test_failure(void);

void
test_file_body(void)
{
	for (int i = 0; i < CONTENT_MAX; i++)
		content[i] = (char) ((i * 167 + i / 256) & 0xFF);
	test_known();
	test_boundaries();
	test_failure();
}

/* "source" is how much of the content there is. */
static bool
read_content(void *source, int64 position, char *data, Size len)
{
	if (position + (int64) len > *(int64 *) source)
		return false;
	memcpy(data, content + position, len);
	return true;
}

/* Is the body this, whatever the size of the pieces? */
static bool
same_in_pieces(const ZcsyncFileBody *body, const char *expected, Size piece)
{
	char		data[CONTENT_MAX * 2];
	int64		position = 0;
	int64		size = body->content_size;
	ssize_t		got;

	while ((got = zcsync_file_body_read(body, position, data, piece,
										read_content, &size)) > 0)
	{
		if ((Size) got > piece || memcmp(data, expected + position, got) != 0)
			return false;
		position += got;
	}
	return got == 0 && position == zcsync_file_body_size(body);
}

/* The plain way, for comparison. */
static void
encode_all(const char *in, int len, char *out)
{
	static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int			bits = 0;
	uint32		held = 0;

	for (int i = 0; i < len; i++)
	{
		held = (held << 8 | (unsigned char) in[i]) & 0xFFFF;
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = digits[(held >> (bits - 6)) & 63];
	}
	if (bits > 0)
		*out++ = digits[(held << (6 - bits)) & 63];
	for (; len % 3 != 0; len++)
		*out++ = '=';
	*out = '\0';
}

static void
test_known(void)
{
	char		data[64] = "";
	ZcsyncFileBody body = {"{\"a\": \"", "\"}", 4, true};
	int64		size = 4;

	memcpy(content, "foob", 4);
	is_int(zcsync_file_body_size(&body), 17, "file body: its size");
	for (ssize_t got, done = 0;
		 (got = zcsync_file_body_read(&body, done, data + done, 63 - done,
									  read_content, &size)) > 0; done += got)
		;
	is_text(data, "{\"a\": \"Zm9vYg==\"}", "file body: base64 in a document");
	body.base64 = false;
	is_int(zcsync_file_body_size(&body), 13, "file body: its size as it is");
	is_int(zcsync_file_body_read(&body, 13, data, 10, read_content, &size), 0,
		   "file body: its end");
}

static void
test_boundaries(void)
{
	static const int sizes[] = {0, 1, 2, 3, 4, 5, 3071, 3072, 3073, 6144, 8999};
	static const Size pieces[] = {1, 2, 3, 4, 5, 7, 4095, 4096, 4097, 17000};
	static char expected[CONTENT_MAX * 2];

	for (int i = 0; i < lengthof(sizes); i++)
	{
		bool		good = true;

		for (int j = 0; j < lengthof(pieces); j++)
		{
			ZcsyncFileBody body = {"before", "after it", sizes[i], true};

			strcpy(expected, body.before);
			encode_all(content, sizes[i], expected + 6);
			strcat(expected, body.after);
			good = good && same_in_pieces(&body, expected, pieces[j]);
			body.base64 = false;
			memcpy(expected + 6, content, sizes[i]);
			strcpy(expected + 6 + sizes[i], body.after);
			good = good && same_in_pieces(&body, expected, pieces[j]);
		}
		ok(good, psprintf("file body: %d bytes in pieces of all sizes",
						  sizes[i]));
	}
}

static void
test_failure(void)
{
	ZcsyncFileBody body = {"", "", 100, true};
	char		data[200];
	int64		size = 50;

	is_int(zcsync_file_body_read(&body, 0, data, 200, read_content, &size),
		   -1, "file body: content that cannot be read");
	body.base64 = false;
	is_int(zcsync_file_body_read(&body, 0, data, 200, read_content, &size),
		   -1, "file body: the same as it is");
}
