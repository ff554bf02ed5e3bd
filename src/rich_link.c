/*-------------------------------------------------------------------------
 *
 * rich_link.c
 *		Links of texts: which are safe, and which files they name.
 *
 * IDENTIFICATION
 *		src/rich_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "rich_text.h"

#define MAX_LINK		2000	/* bytes of one URL; longer ones are dropped */

static bool starts_with(const char *chars, int len, const char *start);

/*
 * A URL that a reader may be led to, or NULL: http, https and mailto only.
 */
char *
zcsync_rich_safe_link(const char *url, int len)
{
	char	   *safe;
	char	   *end;
	int			scheme = 0;

	while (len > 0 && (unsigned char) *url <= ' ')
		url++, len--;
	while (len > 0 && (unsigned char) url[len - 1] <= ' ')
		len--;
	if (starts_with(url, len, "http://"))
		scheme = 7;
	else if (starts_with(url, len, "https://"))
		scheme = 8;
	else if (starts_with(url, len, "mailto:"))
		scheme = 7;
	if (scheme == 0 || len <= scheme || len > MAX_LINK)
		return NULL;

	/* no StringInfo, which would take a kilobyte for each link of a text */
	safe = end = palloc(3 * len + 1);
	for (int i = 0; i < len; i++)
	{
		if ((unsigned char) url[i] < ' ' || url[i] == 0x7f)
			return NULL;
		if (strchr(" \"<>\\^`{|}", url[i]) != NULL)
			end += sprintf(end, "%%%02X", (unsigned char) url[i]);
		else
			*end++ = url[i];
	}
	*end = '\0';
	return safe;
}

/*
 * The name of the file that a URL leads to: its parameter "name", or the last
 * part of its path.  NULL if it has none.
 */
char *
zcsync_rich_file_name(const char *url)
{
	StringInfoData name;
	const char *query = strchr(url, '?');
	const char *start = query == NULL ? NULL : strstr(query, "name=");
	int			len;

	if (start != NULL && (start[-1] == '?' || start[-1] == '&' ||
						  start[-1] == ';'))
	{
		start += strlen("name=");
		len = strcspn(start, "&#;");
	}
	else
	{
		len = strcspn(url, "?#");
		start = url + len;
		while (start > url && start[-1] != '/' && start[-1] != ':')
			start--;
		len -= start - url;
	}

	initStringInfo(&name);
	for (int i = 0; i < len; i++)
	{
		unsigned int byte;

		if (start[i] == '%' && i + 2 < len &&
			isxdigit((unsigned char) start[i + 1]) &&
			isxdigit((unsigned char) start[i + 2]) &&
			sscanf(start + i + 1, "%2x", &byte) == 1)
		{
			appendStringInfoChar(&name, (char) byte);
			i += 2;
		}
		else
			appendStringInfoChar(&name, start[i] == '+' ? ' ' : start[i]);
	}
	if (name.len == 0 || name.len > 255 ||
		pg_encoding_verifymbstr(PG_UTF8, name.data, name.len) != name.len)
		return NULL;
	return name.data;
}

/* Does a text begin with ASCII letters of either case? */
static bool
starts_with(const char *chars, int len, const char *start)
{
	int			size = strlen(start);

	return len >= size && pg_strncasecmp(chars, start, size) == 0;
}
