/*-------------------------------------------------------------------------
 *
 * rich_blocks.c
 *		Read a list of blocks as lines of text.
 *
 * A block has a text and attributes of its characters.  The one whose text
 * ends a line has attributes of the line, as that it is an item of a list.
 * Blocks with a type stand for people, files, other records and tables; these
 * become what a person reads there.  Addresses of files are left out: files
 * may open without a login to whoever knows the address.
 *
 * IDENTIFICATION
 *		src/rich_blocks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "json.h"
#include "rich_text.h"

#define MAX_WORD		20		/* bytes */
#define MAX_TEXT		(1024 * 1024)	/* bytes; later blocks are not read */
#define MAX_ROWS		1000
#define MAX_COLUMNS		50
#define MAX_EMOJI		8		/* code points */

/* Members of a JSON object, as long as that is. */
typedef JsonbContainer *Object;

static void add_block(ZcsyncRich *rich, Object block, bool in_cell);
static void add_text(ZcsyncRich *rich, Object block, bool in_cell);
static bool add_special(ZcsyncRich *rich, Object block, const char *type);
static void add_person(ZcsyncRich *rich, Object block);
static void add_file(ZcsyncRich *rich, Object block, const char *type);
static void add_link(ZcsyncRich *rich, Object block, const char *type);
static bool add_emoji(ZcsyncRich *rich, Object block);
static void add_table(ZcsyncRich *rich, Object table);
static void add_cell(ZcsyncRich *rich, Object cell);
static void add_string(ZcsyncRich *rich, const char *chars);
static void line_of(ZcsyncRich *rich, Object attributes);
static bool is_true(Object object, const char *key);
static char *word_of(Object object, const char *key);
static char *text_of(Object object, const char *key);
static Object object_of(Object object, const char *key);
static JsonbValue *member(Object object, const char *key, JsonbValue *value);

/*
 * Add the text of a list of blocks.
 */
void
zcsync_rich_from_blocks(ZcsyncRich *rich, JsonbContainer *blocks)
{
	JsonbIterator *iterator = JsonbIteratorInit(blocks);
	JsonbIteratorToken token;
	JsonbValue	value;

	token = JsonbIteratorNext(&iterator, &value, false);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_ELEM &&
		   rich->text.len + rich->nlines < MAX_TEXT)
	{
		CHECK_FOR_INTERRUPTS();
		if (value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data))
			add_block(rich, value.val.binary.data, false);
		else if (value.type == jbvString)
			zcsync_rich_add(rich, value.val.string.val, value.val.string.len);
	}
	line_of(rich, NULL);
}

static void
add_block(ZcsyncRich *rich, Object block, bool in_cell)
{
	char	   *type = text_of(block, "type");
	Object		attributes = object_of(block, "attributes");
	char	   *link = attributes == NULL ? NULL : text_of(attributes, "link");

	rich->marks = 0;
	rich->link = NULL;
	if (attributes != NULL)
	{
		if (is_true(attributes, "bold"))
			rich->marks |= ZCSYNC_RICH_BOLD;
		if (is_true(attributes, "italic"))
			rich->marks |= ZCSYNC_RICH_ITALIC;
		if (is_true(attributes, "code"))
			rich->marks |= ZCSYNC_RICH_CODE;
		if (link == NULL && object_of(attributes, "link") != NULL)
			link = text_of(object_of(attributes, "link"), "url");
		if (link != NULL)
			rich->link = zcsync_rich_safe_link(link, strlen(link));
	}
	if (type == NULL || !add_special(rich, block, type))
		add_text(rich, block, in_cell);
	rich->marks = 0;
	rich->link = NULL;
}

/*
 * Add the text of a block.  Its ends of lines end lines of the kind that its
 * attributes say; in a cell of a table they are blanks.
 */
static void
add_text(ZcsyncRich *rich, Object block, bool in_cell)
{
	char	   *chars = text_of(block, "text");

	if (chars == NULL)
		chars = text_of(block, "insert");
	while (chars != NULL && *chars != '\0')
	{
		int			len = strcspn(chars, "\n");

		CHECK_FOR_INTERRUPTS();
		zcsync_rich_add(rich, chars, len);
		chars += len;
		if (*chars == '\n')
		{
			if (in_cell)
				zcsync_rich_add_flowing(rich, " ", 1);
			else
			{
				line_of(rich, object_of(block, "attributes"));
				zcsync_rich_break(rich);
				line_of(rich, NULL);
			}
			chars++;
		}
	}
}

/*
 * Add a block that is more than text.  False if its text says all.
 */
static bool
add_special(ZcsyncRich *rich, Object block, const char *type)
{
	Object		table;
	char	   *chars;

	if (object_of(block, "user") != NULL || strcmp(type, "tag") == 0 ||
		(strlen(type) > 4 && strcmp(type + strlen(type) - 4, "_tag") == 0))
		add_person(rich, block);
	else if (strcmp(type, "image") == 0 || strcmp(type, "attachment") == 0)
		add_file(rich, block, type);
	else if (strcmp(type, "frame") == 0 || strcmp(type, "bookmark") == 0 ||
			 strcmp(type, "link_mention") == 0)
		add_link(rich, block, type);
	else if (strcmp(type, "emoticon") == 0)
		return add_emoji(rich, block);
	else if (strcmp(type, "table-embed") == 0 &&
			 (table = object_of(block, "table-embed")) != NULL)
		add_table(rich, table);
	else if (strcmp(type, "task_mention") == 0 &&
			 ((chars = text_of(block, "text")) == NULL || *chars == '\0') &&
			 object_of(block, "task_mention") != NULL)
	{
		add_string(rich, "#");
		add_string(rich, text_of(object_of(block, "task_mention"), "task_id"));
	}
	else
		return false;
	return true;
}

/* A person is named, as is a group of people. */
static void
add_person(ZcsyncRich *rich, Object block)
{
	Object		user = object_of(block, "user");
	char	   *name = user == NULL ? NULL : text_of(user, "username");

	if (name == NULL || *name == '\0')
		name = text_of(block, "text");
	if (name == NULL || *name == '\0')
		name = user == NULL ? NULL : text_of(user, "email");
	if (name == NULL || *name == '\0')
		return;
	if (*name != '@')
		add_string(rich, "@");
	add_string(rich, name);
}

/* A file is named: "[image: a.png]". */
static void
add_file(ZcsyncRich *rich, Object block, const char *type)
{
	Object		file = object_of(block, type);
	char	   *kind = file == NULL ? NULL : text_of(file, "mimetype");
	char	   *name = file == NULL ? NULL : text_of(file, "title");
	char	   *url = file == NULL ? NULL : text_of(file, "url");

	if (file != NULL && (name == NULL || *name == '\0'))
		name = text_of(file, "name");
	if (name == NULL || *name == '\0')
		name = text_of(block, "text");
	if ((name == NULL || *name == '\0') && url != NULL)
		name = zcsync_rich_file_name(url);
	if (name == NULL || *name == '\0')
		name = "?";
	zcsync_rich_add_flowing(rich, " ", 1);
	add_string(rich, strcmp(type, "image") == 0 ||
			   (kind != NULL && strncmp(kind, "image/", 6) == 0) ?
			   "[image: " : "[file: ");
	add_string(rich, name);
	add_string(rich, "]");
}

/*
 * A page elsewhere, shown there with its name or within a frame, is a link.
 * A film in a frame may be a file of the record itself, and is named.
 */
static void
add_link(ZcsyncRich *rich, Object block, const char *type)
{
	Object		page = object_of(block, type);
	char	   *chars = text_of(block, "text");
	char	   *url = page == NULL ? NULL : text_of(page, "url");
	char	   *service = page == NULL ? NULL : text_of(page, "service");
	char	   *safe;

	if (page != NULL && url == NULL)
		url = text_of(page, strcmp(type, "frame") == 0 ? "src" : "id");
	if (strcmp(type, "frame") == 0 &&
		(service == NULL || strstr(service, "video") != NULL ||
		 (url != NULL && strstr(url, "attachment") != NULL)))
	{
		char	   *name = page == NULL ? NULL : text_of(page, "title");

		if (name == NULL && page != NULL)
			name = text_of(page, "name");
		if (name == NULL && url != NULL)
			name = zcsync_rich_file_name(url);
		add_string(rich, "[video: ");
		add_string(rich, name == NULL ? "?" : name);
		add_string(rich, "]");
		return;
	}
	safe = url == NULL ? NULL : zcsync_rich_safe_link(url, strlen(url));
	if (chars == NULL || *chars == '\0' || strcmp(chars, "\n") == 0)
		chars = safe;
	rich->link = safe;
	add_string(rich, chars);
}

/* An emoji is written by its code points: "1f468-200d-1f4bb". */
static bool
add_emoji(ZcsyncRich *rich, Object block)
{
	Object		emoji = object_of(block, "emoticon");
	char	   *code = emoji == NULL ? NULL : text_of(emoji, "code");
	char		out[MAX_EMOJI * 4];
	int			len = 0;

	for (int n = 0; code != NULL && *code != '\0'; n++)
	{
		char	   *rest;
		unsigned long c = strtoul(code, &rest, 16);

		if (n == MAX_EMOJI || rest == code || (*rest != '-' && *rest != '\0') ||
			c < 0x20 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
		unicode_to_utf8((pg_wchar) c, (unsigned char *) out + len);
		len += pg_utf_mblen((unsigned char *) out + len);
		code = *rest == '-' ? rest + 1 : rest;
	}
	zcsync_rich_add(rich, out, len);
	return len > 0;
}

/*
 * A table: a line for each row, with its cells beside one another.  Cells are
 * found by the numbers of their row and column, and have blocks themselves.
 */
static void
add_table(ZcsyncRich *rich, Object table)
{
	Object		cells = object_of(table, "cells");
	JsonbValue	list;
	int			rows = 0;
	int			columns = 0;

	if (member(table, "rows", &list) != NULL && list.type == jbvBinary)
		rows = Min(JsonContainerSize(list.val.binary.data), MAX_ROWS);
	if (member(table, "columns", &list) != NULL && list.type == jbvBinary)
		columns = Min(JsonContainerSize(list.val.binary.data), MAX_COLUMNS);
	zcsync_rich_end_line(rich);
	for (int row = 1; cells != NULL && row <= rows; row++)
	{
		for (int column = 1; column <= columns; column++)
		{
			char		key[32];

			CHECK_FOR_INTERRUPTS();
			if (column > 1)
				zcsync_rich_add_flowing(rich, " | ", 3);
			snprintf(key, sizeof(key), "%d:%d", row, column);
			add_cell(rich, object_of(cells, key));
		}
		zcsync_rich_end_line(rich);
	}
	rich->gap = true;
}

/* A cell may have anything but a table. */
static void
add_cell(ZcsyncRich *rich, Object cell)
{
	JsonbValue	content;
	JsonbContainer *blocks;

	if (cell == NULL || member(cell, "content", &content) == NULL ||
		content.type != jbvBinary ||
		!JsonContainerIsArray(content.val.binary.data))
		return;
	blocks = content.val.binary.data;
	for (int i = 0; i < JsonContainerSize(blocks); i++)
	{
		JsonbValue *block = getIthJsonbValueFromContainer(blocks, i);

		if (rich->text.len + rich->nlines < MAX_TEXT && block->type == jbvBinary &&
			JsonContainerIsObject(block->val.binary.data) &&
			object_of(block->val.binary.data, "table-embed") == NULL)
			add_block(rich, block->val.binary.data, true);
	}
}

static void
add_string(ZcsyncRich *rich, const char *chars)
{
	if (chars != NULL)
		zcsync_rich_add(rich, chars, strlen(chars));
}

/*
 * Set what a line is, by the attributes of the block that ends it: the kind
 * is known only when the line is complete.
 */
static void
line_of(ZcsyncRich *rich, Object attributes)
{
	char	   *list = attributes == NULL ? NULL : word_of(attributes, "list");
	JsonbValue	indent;
	JsonbValue	header;

	rich->kind = ZCSYNC_RICH_PLAIN;
	rich->indent = rich->quote = 0;
	rich->more = false;
	if (attributes != NULL && member(attributes, "code-block", &header) != NULL &&
		header.type != jbvNull)
		rich->kind = ZCSYNC_RICH_PRE;
	else if (list != NULL && strcmp(list, "none") != 0)
		rich->kind = strcmp(list, "ordered") == 0 ? ZCSYNC_RICH_ORDERED :
			strcmp(list, "checked") == 0 ? ZCSYNC_RICH_CHECKED :
			strcmp(list, "unchecked") == 0 ? ZCSYNC_RICH_UNCHECKED :
			ZCSYNC_RICH_BULLET;
	else if (attributes != NULL && is_true(attributes, "blockquote"))
		rich->quote = 1;
	if (rich->kind != ZCSYNC_RICH_PLAIN && rich->kind != ZCSYNC_RICH_PRE &&
		member(attributes, "indent", &indent) != NULL &&
		indent.type == jbvNumeric)
	{
		bool		error;
		int			level = numeric_int4_opt_error(indent.val.numeric, &error);

		rich->indent = error ? 0 :
			Min(Max(level, 0), ZCSYNC_RICH_MAX_INDENT);
	}
	if (!rich->in_line)
		return;

	rich->lines[rich->nlines].kind = rich->kind;
	rich->lines[rich->nlines].indent = rich->indent;
	rich->lines[rich->nlines].quote = rich->quote;
	rich->lines[rich->nlines].more = false;

	/* There are no headings elsewhere: they are bold. */
	if (attributes != NULL && member(attributes, "header", &header) != NULL &&
		header.type != jbvNull)
		for (int i = rich->lines[rich->nlines].run; i < rich->nruns; i++)
			rich->runs[i].marks |= ZCSYNC_RICH_BOLD;
}

/* Is a member there, and neither false nor null nor empty? */
static bool
is_true(Object object, const char *key)
{
	JsonbValue	value;

	if (member(object, key, &value) == NULL || value.type == jbvNull)
		return false;
	return value.type != jbvBool || value.val.boolean;
}

/*
 * A word that may stand in an object of the same name; it is asked for with each
 * line, so nothing long is copied.
 */
static char *
word_of(Object object, const char *key)
{
	Object		within = object_of(object, key);
	JsonbValue	value;

	if (member(within == NULL ? object : within, key, &value) == NULL ||
		value.type != jbvString || value.val.string.len > MAX_WORD)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* A member that is a text; NULL if it is none. */
static char *
text_of(Object object, const char *key)
{
	JsonbValue	value;

	if (member(object, key, &value) == NULL || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val,
					pg_mbcliplen(value.val.string.val, value.val.string.len,
								 MAX_TEXT));
}

static Object
object_of(Object object, const char *key)
{
	JsonbValue	value;

	if (member(object, key, &value) == NULL || value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

static JsonbValue *
member(Object object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value);
}
