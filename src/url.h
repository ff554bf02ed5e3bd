/*-------------------------------------------------------------------------
 *
 * url.h
 *		Build URLs, and decide which hosts may be called.
 *
 * IDENTIFICATION
 *		src/url.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_URL_H
#define ZCSYNC_URL_H

#include "lib/stringinfo.h"

extern void zcsync_url_append_encoded(StringInfo out, const char *value);
extern void zcsync_url_query_param(StringInfo url, bool *first,
								   const char *name, const char *value);
extern char *zcsync_url_host(const char *url);
extern char *zcsync_url_scheme(const char *url);
extern bool zcsync_url_host_allowed(const char *host, const char *list);

#endif							/* ZCSYNC_URL_H */
