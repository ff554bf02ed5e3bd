/*-------------------------------------------------------------------------
 *
 * file_body.h
 *		The body of a request that has a file, piece by piece.
 *
 * IDENTIFICATION
 *		src/file_body.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_FILE_BODY_H
#define ZCSYNC_FILE_BODY_H

/* What stands before the content, the content, and what stands after it. */
typedef struct ZcsyncFileBody
{
	const char *before;
	const char *after;
	int64		content_size;
	bool		base64;			/* the content is encoded */
} ZcsyncFileBody;

/* Reads so many bytes of the content, all of them; false: it cannot. */
typedef bool (*ZcsyncFileReader) (void *source, int64 position, char *data,
								  Size len);

extern int64 zcsync_file_body_size(const ZcsyncFileBody *body);
extern ssize_t zcsync_file_body_read(const ZcsyncFileBody *body,
									 int64 position, char *data, Size len,
									 ZcsyncFileReader reader, void *source);

#endif							/* ZCSYNC_FILE_BODY_H */
