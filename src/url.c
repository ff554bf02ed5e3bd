/*-------------------------------------------------------------------------
 *
 * url.c
 *		Build URLs, and decide which hosts may be called.
 *
 * Addresses come from account settings; credentials are sent wherever they
 * point.  So the host is taken from a URL by the parser that will also send
 * the request (libcurl's), never by one of our own, and is compared with
 * zcsync.allowed_hosts label by label.
 *
 * IDENTIFICATION
 *		src/url.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "url.h"

static char *url_part(const char *url, CURLUPart part);
static Size host_length(const char *host, Size len);
static bool is_ip_literal(const char *host, Size len);
static bool host_matches(const char *host, Size host_len,
						 const char *entry, Size entry_len);

/*
 * Append a value percent-encoded: all but RFC 3986's unreserved characters,
 * so that whatever it contains, it stays a single part of a path or query.
 */
void
zcsync_url_append_encoded(StringInfo out, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *) value; *p; p++)
	{
		if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			(*p >= '0' && *p <= '9') ||
			*p == '-' || *p == '.' || *p == '_' || *p == '~')
			appendStringInfoCharMacro(out, *p);
		else
		{
			appendStringInfoCharMacro(out, '%');
			appendStringInfoCharMacro(out, hex[*p >> 4]);
			appendStringInfoCharMacro(out, hex[*p & 15]);
		}
	}
}

/*
 * Append one query parameter, with '?' before the first one and '&' before
 * the others.  A NULL value appends nothing.
 */
void
zcsync_url_query_param(StringInfo url, bool *first, const char *name,
					   const char *value)
{
	if (value == NULL)
		return;
	appendStringInfoChar(url, *first ? '?' : '&');
	*first = false;
	zcsync_url_append_encoded(url, name);
	appendStringInfoChar(url, '=');
	zcsync_url_append_encoded(url, value);
}

/*
 * The host of an absolute URL, palloc'ed, or NULL if the URL cannot be
 * parsed, has no scheme or host, or names a user: people would misread
 * "https://api.vendor.com@evil.com".
 */
char *
zcsync_url_host(const char *url)
{
	return url_part(url, CURLUPART_HOST);
}

/*
 * The scheme of a URL that zcsync_url_host() accepts, palloc'ed and in lower
 * case, else NULL.
 */
char *
zcsync_url_scheme(const char *url)
{
	return url_part(url, CURLUPART_SCHEME);
}

/*
 * Does a comma-separated list allow this host?  An entry is a host, or
 * "*.suffix" for any host below that suffix (not the suffix itself), in double
 * quotes or without.  Case, a trailing dot and a port do not matter.  An IP
 * address must be listed itself.  An empty list allows nothing.
 */
bool
zcsync_url_host_allowed(const char *host, const char *list)
{
	Size		host_len;

	if (host == NULL || list == NULL)
		return false;
	host_len = host_length(host, strlen(host));
	if (host_len == 0)
		return false;

	while (*list != '\0')
	{
		const char *end = list + strcspn(list, ",");
		const char *next = *end == ',' ? end + 1 : end;

		while (list < end && strchr(" \t\r\n\"", *list) != NULL)
			list++;
		while (end > list && strchr(" \t\r\n\"", end[-1]) != NULL)
			end--;
		if (end > list && host_matches(host, host_len, list, end - list))
			return true;
		list = next;
	}
	return false;
}

/*
 * One part of a URL by libcurl's parser, palloc'ed; NULL if this is no URL to
 * which we would send a request.
 */
static char *
url_part(const char *url, CURLUPart part)
{
	CURLU	   *parsed = curl_url();
	char	   *user = NULL;
	char	   *password = NULL;
	char	   *value = NULL;
	char	   *result = NULL;

	if (parsed == NULL)
		return NULL;

	/* no CURLU_DEFAULT_SCHEME: a URL without a scheme is an error */
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_PASSWORD, &password, 0) != CURLUE_OK &&
		curl_url_get(parsed, part, &value, 0) == CURLUE_OK)
	{
		/* an error here would leak libcurl's memory */
		result = palloc_extended(strlen(value) + 1, MCXT_ALLOC_NO_OOM);
		if (result != NULL)
			strcpy(result, value);
	}

	curl_free(user);
	curl_free(password);
	curl_free(value);
	curl_url_cleanup(parsed);
	return result;
}

/*
 * Length of the host at the start of "host" (of len bytes, not terminated)
 * without a port and without one trailing dot; 0 if it is not a host.
 */
static Size
host_length(const char *host, Size len)
{
	const char *end;

	if (len == 0)
		return 0;
	if (host[0] == '[')
	{
		end = memchr(host, ']', len);
		return end != NULL ? (Size) (end - host + 1) : 0;
	}

	end = memchr(host, ':', len);
	if (end != NULL)
		len = end - host;
	if (len > 0 && host[len - 1] == '.')
		len--;
	/* "", ".", "a..": an empty label matches nothing */
	if (len == 0 || host[0] == '.' || host[len - 1] == '.')
		return 0;
	return len;
}

/*
 * Is this an IP address?  Every form that a resolver may take for one counts,
 * such as 0x7f000001 and 127.1: no top-level domain starts with a digit.
 */
static bool
is_ip_literal(const char *host, Size len)
{
	Size		label = len;

	if (host[0] == '[')
		return true;
	while (label > 0 && host[label - 1] != '.')
		label--;
	return host[label] >= '0' && host[label] <= '9';
}

/*
 * Does one entry of the list allow this host?
 */
static bool
host_matches(const char *host, Size host_len,
			 const char *entry, Size entry_len)
{
	bool		suffix;

	suffix = entry_len > 2 && entry[0] == '*' && entry[1] == '.';
	if (suffix)
	{
		entry += 2;
		entry_len -= 2;
	}
	entry_len = host_length(entry, entry_len);
	if (entry_len == 0)
		return false;

	if (!suffix)
		return host_len == entry_len &&
			pg_strncasecmp(host, entry, host_len) == 0;

	/* the dot before the suffix makes it end at the boundary of a label */
	return host_len > entry_len + 1 &&
		host[host_len - entry_len - 1] == '.' &&
		!is_ip_literal(host, host_len) &&
		pg_strncasecmp(host + host_len - entry_len, entry, entry_len) == 0;
}
