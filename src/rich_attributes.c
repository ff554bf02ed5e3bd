/*-------------------------------------------------------------------------
 *
 * rich_attributes.c
 *		What attributes of an element of HTML say of it.
 *
 * Attributes are as the parser has them: names and values in turn, NULL at
 * the end, or NULL if there are none.
 *
 * IDENTIFICATION
 *		src/rich_attributes.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "rich_attributes.h"

#define MAX_STYLE		1000	/* bytes that are looked at */
#define MAX_TRACKER		3		/* pixels; smaller images only count readers */

static char *compact_style(const char **atts);

/* Is an image too small to be seen? */
bool
zcsync_rich_is_tracker(const char **atts)
{
	static const char *const sides[] = {"width", "height"};

	for (int i = 0; i < lengthof(sides); i++)
	{
		const char *size = zcsync_rich_attribute(atts, sides[i]);

		if (size != NULL && isdigit((unsigned char) *size) &&
			strchr(size, '%') == NULL && strtol(size, NULL, 10) < MAX_TRACKER)
			return true;
	}
	return false;
}

/* Does an element say that it is not to be seen? */
bool
zcsync_rich_is_hidden(const char **atts)
{
	char	   *style = compact_style(atts);
	const char *size;

	if (zcsync_rich_attribute(atts, "hidden") != NULL)
		return true;
	if (style == NULL)
		return false;
	if (strstr(style, "display:none") != NULL ||
		strstr(style, "visibility:hidden") != NULL ||
		strstr(style, "mso-hide:all") != NULL)
		return true;
	size = strstr(style, "font-size:0");
	if (size == NULL)
		size = strstr(style, "max-height:0");
	if (size == NULL)
		size = strstr(style, "opacity:0");
	if (size == NULL)
		return false;
	size = strchr(size, ':') + 1;
	return strpbrk(size, "123456789") == NULL ||
		strcspn(size, "123456789") > strcspn(size, ";");
}

/* Does an element name a person? */
bool
zcsync_rich_is_mention(const char **atts)
{
	const char *words = zcsync_rich_attribute(atts, "class");
	const char *id = zcsync_rich_attribute(atts, "id");
	int			len;

	while (words != NULL && (words = zcsync_rich_next_word(words, &len)) != NULL)
	{
		if (len >= 7 && pg_strncasecmp(words + len - 7, "mention", 7) == 0)
			return true;
		words += len;
	}
	return id != NULL && strstr(id, "OWAAM") != NULL;
}

/* Does a paragraph stand close to others, as each line of Outlook's does? */
bool
zcsync_rich_has_no_gap(const char **atts)
{
	const char *class = zcsync_rich_attribute(atts, "class");
	char	   *style = compact_style(atts);

	if (class != NULL && strstr(class, "Mso") != NULL)
		return true;
	return style != NULL &&
		(strstr(style, "margin:0") != NULL ||
		 strstr(style, "margin-top:0") != NULL);
}

/* The value of an attribute; "" if it has none, NULL if it is not there. */
const char *
zcsync_rich_attribute(const char **atts, const char *name)
{
	for (; atts != NULL && atts[0] != NULL; atts += 2)
		if (strcmp(atts[0], name) == 0)
			return atts[1] == NULL ? "" : atts[1];
	return NULL;
}

/* The next of some words, or NULL. */
const char *
zcsync_rich_next_word(const char *words, int *len)
{
	words += strspn(words, " \t\r\n\f");
	*len = strcspn(words, " \t\r\n\f");
	return *len == 0 ? NULL : words;
}

/* The style of an element in small letters and without blanks, or NULL. */
static char *
compact_style(const char **atts)
{
	const char *style = zcsync_rich_attribute(atts, "style");
	char	   *compact;
	int			len = 0;

	if (style == NULL)
		return NULL;
	compact = palloc(Min(strlen(style), MAX_STYLE) + 1);
	for (int i = 0; style[i] != '\0' && len < MAX_STYLE; i++)
		if (!isspace((unsigned char) style[i]))
			compact[len++] = pg_ascii_tolower((unsigned char) style[i]);
	compact[len] = '\0';
	return compact;
}
