/*-------------------------------------------------------------------------
 *
 * file_transfer.h
 *		Files that pass through the worker from one vendor to another.
 *
 * IDENTIFICATION
 *		src/file_transfer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_FILE_TRANSFER_H
#define ZCSYNC_FILE_TRANSFER_H

#include "call.h"

/* How the content of a file stands in the body of a request. */
typedef enum ZcsyncFileForm
{
	ZCSYNC_FILE_PLAIN,			/* it is the body */
	ZCSYNC_FILE_MULTIPART,		/* multipart/form-data, part "attachment" */
	ZCSYNC_FILE_JSON			/* [{..., "data_base64": ...}] */
} ZcsyncFileForm;

/* in a connector's prepare() */
extern bool zcsync_file_prepare_download(ZcsyncCall *call, const char *url,
										 const char *base_url,
										 bool *is_own_host);
extern bool zcsync_file_prepare_upload(ZcsyncCall *call, ZcsyncFileForm form);

/* when a transfer is over: does the content have another address? */
extern bool zcsync_file_follow(ZcsyncCall *call, ZcsyncHttpTransfer *transfer);

/* after zcsync_call_complete() */
extern void zcsync_file_conclude(ZcsyncCall *call);

/* for libcurl's callbacks: these do not throw */
extern bool zcsync_file_write(ZcsyncFile *file, const char *data, Size len);
extern bool zcsync_file_is_full(ZcsyncFile *file, Size more);
extern ssize_t zcsync_file_read_body(ZcsyncFile *file, int64 position,
									 char *data, Size len);
extern int64 zcsync_file_upload_size(ZcsyncFile *file);
extern void zcsync_file_note_too_large(ZcsyncFile *file);
extern bool zcsync_file_has_begun(ZcsyncFile *file);
extern int64 zcsync_file_limit(ZcsyncFile *file);
extern void zcsync_file_pin(ZcsyncFile *file);
extern void zcsync_file_unpin(ZcsyncFile *file);

#endif							/* ZCSYNC_FILE_TRANSFER_H */
