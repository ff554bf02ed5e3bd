/*-------------------------------------------------------------------------
 *
 * rich_output.c
 *		Write the lines of a text as HTML, as blocks or as plain text.
 *
 * The HTML has p, br, strong, em, code, pre, ul, ol, li, blockquote, and a
 * with href.  Read again, it gives the lines that it was written from, except for
 * nesting that the order of its elements does not show.
 *
 * A list of blocks is a list of runs of characters; the run that ends a line
 * has what holds for the line:
 *
 *		{"text": "Look", "attributes": {"bold": true}}
 *		{"text": "\n", "attributes": {"list": {"list": "bullet"}}}
 *
 * IDENTIFICATION
 *		src/rich_output.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json.h"
#include "rich_text.h"

#define QUOTE			"\"blockquote\": true"

/* Which elements are open between the lines of HTML. */
typedef struct Open
{
	StringInfo	out;
	int			quote;
	int			lists;
	bool		ordered[ZCSYNC_RICH_MAX_INDENT + 1];
	const char *block;			/* "p" or "pre", or NULL */
	bool		list_closed;	/* a list within an item has just ended */
} Open;

/* A run of characters as it is written. */
typedef struct Piece
{
	const char *chars;
	int			len;
	int			marks;
	const char *link;
	bool		first;			/* of its line */
	const char *link_text;		/* where the chars of its link begins */
	bool		link_ends;		/* with this piece */
} Piece;

typedef void (*WritePiece) (StringInfo out, const Piece *piece);

static void open_line(Open *open, const ZcsyncRichLine *line);
static void close_block(Open *open);
static void close_lists(Open *open, int remaining);
static void write_line(const ZcsyncRich *rich, const ZcsyncRichLine *line,
					   WritePiece write, StringInfo out);
static bool same_link(const char *a, const char *b);
static void html_piece(StringInfo out, const Piece *piece);
static void html_text(StringInfo out, const char *chars, int len, bool first);
static void pre_piece(StringInfo out, const Piece *piece);
static void text_piece(StringInfo out, const Piece *piece);
static void block_piece(StringInfo out, const Piece *piece);
static const char *line_attributes(const ZcsyncRichLine *line);
static void append_block(StringInfo out, const char *chars, int len,
						 const char *attributes);
static bool is_list(const ZcsyncRichLine *line);
static bool says_link(const char *chars, int len, const char *link);

void
zcsync_rich_to_html(const ZcsyncRich *rich, StringInfo out)
{
	Open		open = {.out = out};

	for (int i = 0; i < rich->nlines; i++)
	{
		const ZcsyncRichLine *line = &rich->lines[i];

		CHECK_FOR_INTERRUPTS();
		open_line(&open, line);
		write_line(rich, line,
				   line->kind == ZCSYNC_RICH_PRE ? pre_piece : html_piece, out);
	}
	close_block(&open);
	close_lists(&open, 0);
	while (open.quote-- > 0)
		appendStringInfoString(out, "</blockquote>");
}

/* Close and open elements, so that the text of a line can follow. */
static void
open_line(Open *open, const ZcsyncRichLine *line)
{
	bool		list = is_list(line);
	int			depth = list ? line->indent + 1 : 0;
	bool		ordered = line->kind == ZCSYNC_RICH_ORDERED;
	const char *block = list ? NULL : line->kind == ZCSYNC_RICH_PRE ? "pre" : "p";

	if (line->quote != open->quote)
	{
		close_block(open);
		close_lists(open, 0);
		for (; open->quote < line->quote; open->quote++)
			appendStringInfoString(open->out, "<blockquote>");
		for (; open->quote > line->quote; open->quote--)
			appendStringInfoString(open->out, "</blockquote>");
	}

	/* The line goes on with what is open? */
	if (block != NULL && open->block == block && (block[1] == 'r' || !line->gap))
	{
		appendStringInfoString(open->out, block[1] == 'r' ? "\n" : "<br>");
		return;
	}
	close_block(open);
	if (!list)
	{
		close_lists(open, 0);
		appendStringInfo(open->out, "<%s>", block);
		open->block = block;
		return;
	}

	close_lists(open, depth);
	if (open->lists == depth && line->more)
	{
		if (!open->list_closed)
			appendStringInfoString(open->out, "<br>");
	}
	else
	{
		if (open->lists == depth && open->ordered[depth - 1] != ordered)
			close_lists(open, depth - 1);
		if (open->lists == depth)
			appendStringInfoString(open->out, "</li><li>");
		else
		{
			open->ordered[open->lists++] = ordered;
			appendStringInfoString(open->out, ordered ? "<ol><li>" : "<ul><li>");
		}
		if (line->kind == ZCSYNC_RICH_CHECKED)
			appendStringInfoString(open->out, "[x] ");
		else if (line->kind == ZCSYNC_RICH_UNCHECKED)
			appendStringInfoString(open->out, "[ ] ");
	}
	open->list_closed = false;
}

static void
close_block(Open *open)
{
	if (open->block != NULL)
		appendStringInfo(open->out, "</%s>", open->block);
	open->block = NULL;
}

static void
close_lists(Open *open, int remaining)
{
	for (; open->lists > remaining; open->lists--)
	{
		appendStringInfoString(open->out, open->ordered[open->lists - 1] ?
							   "</li></ol>" : "</li></ul>");
		open->list_closed = true;
	}
}

/*
 * Write what a line has, run by run; runs that look the same are one.
 */
static void
write_line(const ZcsyncRich *rich, const ZcsyncRichLine *line,
		   WritePiece write, StringInfo out)
{
	bool		pre = line->kind == ZCSYNC_RICH_PRE;
	int			end = line->start + line->len;
	Piece		piece = {0};

	for (int i = 0, next; i < line->runs; i = next)
	{
		const ZcsyncRichRun *run = &rich->runs[line->run + i];
		const ZcsyncRichRun *after = NULL;
		int			start;

		if (run->start >= end)
			break;
		for (next = i + 1; next < line->runs; next++)
		{
			after = &rich->runs[line->run + next];
			if (!pre &&
				(after->marks != run->marks || !same_link(after->link, run->link)))
				break;
		}
		if (next == line->runs || after->start >= end)
			after = NULL;
		start = Max(run->start, line->start);
		piece.chars = rich->text.data + start;
		piece.len = (after == NULL ? end : after->start) - start;
		if (piece.len <= 0)
			continue;
		if (!pre)
		{
			piece.marks = run->marks;
			if (piece.link_text == NULL || !same_link(piece.link, run->link))
				piece.link_text = piece.chars;
			piece.link = run->link;
			piece.link_ends = after == NULL || !same_link(after->link, run->link);
		}
		piece.first = start == line->start;
		write(out, &piece);
	}
}

static bool
same_link(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
html_piece(StringInfo out, const Piece *piece)
{
	if (piece->link != NULL && piece->link_text == piece->chars)
	{
		appendStringInfoString(out, "<a href=\"");
		html_text(out, piece->link, strlen(piece->link), false);
		appendStringInfoString(out, "\">");
	}
	if (piece->marks & ZCSYNC_RICH_BOLD)
		appendStringInfoString(out, "<strong>");
	if (piece->marks & ZCSYNC_RICH_ITALIC)
		appendStringInfoString(out, "<em>");
	if (piece->marks & ZCSYNC_RICH_CODE)
		appendStringInfoString(out, "<code>");
	html_text(out, piece->chars, piece->len, piece->first);
	if (piece->marks & ZCSYNC_RICH_CODE)
		appendStringInfoString(out, "</code>");
	if (piece->marks & ZCSYNC_RICH_ITALIC)
		appendStringInfoString(out, "</em>");
	if (piece->marks & ZCSYNC_RICH_BOLD)
		appendStringInfoString(out, "</strong>");
	if (piece->link != NULL && piece->link_ends)
		appendStringInfoString(out, "</a>");
}

/*
 * Text as HTML.  Of several blanks all but the last are such as must not be
 * broken, or HTML would show one; so is one at the beginning of a line, or
 * after one of another run.
 */
static void
html_text(StringInfo out, const char *chars, int len, bool first)
{
	for (int i = 0; i < len; i++)
	{
		switch (chars[i])
		{
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			case '"':
				appendStringInfoString(out, "&quot;");
				break;
			case ' ':
				if (first || (i + 1 < len && chars[i + 1] == ' ') ||
					(i == 0 && chars[-1] == ' '))
				{
					appendStringInfoString(out, "&nbsp;");
					break;
				}
				/* FALLTHROUGH */
			default:
				appendStringInfoChar(out, chars[i]);
		}
		first = first && chars[i] == ' ';
	}
}

/* A line of a block of code: its text only. */
static void
pre_piece(StringInfo out, const Piece *piece)
{
	for (int i = 0; i < piece->len; i++)
	{
		if (piece->chars[i] == ' ')
			appendStringInfoChar(out, ' ');
		else
			html_text(out, piece->chars + i, 1, false);
	}
}

void
zcsync_rich_to_text(const ZcsyncRich *rich, StringInfo out)
{
	int			number[ZCSYNC_RICH_MAX_INDENT + 1] = {0};

	for (int i = 0; i < rich->nlines; i++)
	{
		const ZcsyncRichLine *line = &rich->lines[i];
		bool		list = is_list(line);

		CHECK_FOR_INTERRUPTS();
		if (line->len == 0 && i > 0 && line[-1].len == 0)
			continue;
		if (i > 0)
			appendStringInfoString(out, line->gap ? "\n\n" : "\n");
		for (int n = 0; n < line->quote; n++)
			appendStringInfoString(out, "> ");
		if (list)
			appendStringInfoSpaces(out, 2 * line->indent);
		if (list && !line->more)
		{
			if (i == 0 || !is_list(line - 1))
				number[line->indent] = 0;
			if (line->kind != ZCSYNC_RICH_ORDERED)
				number[line->indent] = 0;
			if (line->indent < ZCSYNC_RICH_MAX_INDENT)
				number[line->indent + 1] = 0;
			if (line->kind == ZCSYNC_RICH_ORDERED)
				appendStringInfo(out, "%d. ", ++number[line->indent]);
			else
				appendStringInfoString(out, "- ");
			if (line->kind == ZCSYNC_RICH_CHECKED)
				appendStringInfoString(out, "[x] ");
			else if (line->kind == ZCSYNC_RICH_UNCHECKED)
				appendStringInfoString(out, "[ ] ");
		}
		else if (list)
			appendStringInfoString(out, "  ");
		write_line(rich, line, text_piece, out);
		while (out->len > 0 && out->data[out->len - 1] == ' ')
			out->data[--out->len] = '\0';
	}
}

static void
text_piece(StringInfo out, const Piece *piece)
{
	appendBinaryStringInfo(out, piece->chars, piece->len);
	if (piece->link != NULL && piece->link_ends &&
		!says_link(piece->link_text,
				   piece->chars + piece->len - piece->link_text, piece->link))
		appendStringInfo(out, " (%s)", piece->link);
}

void
zcsync_rich_to_blocks(const ZcsyncRich *rich, StringInfo out)
{
	appendStringInfoChar(out, '[');
	for (int i = 0; i < rich->nlines; i++)
	{
		const ZcsyncRichLine *line = &rich->lines[i];
		bool		goes_on = i + 1 < rich->nlines && line[1].more &&
			line[1].indent == line->indent;

		CHECK_FOR_INTERRUPTS();
		if (line->gap && line->kind == ZCSYNC_RICH_PLAIN && i > 0 &&
			line[-1].kind == ZCSYNC_RICH_PLAIN)
			append_block(out, "\n", 1,
						 Min(line->quote, line[-1].quote) > 0 ? QUOTE : "");
		write_line(rich, line, block_piece, out);

		/* An item has one line only. */
		if (goes_on)
			append_block(out, " ", 1, "");
		else
			append_block(out, "\n", 1, line_attributes(line));
	}
	appendStringInfoChar(out, ']');
}

/* What the run that ends a line says of the line. */
static const char *
line_attributes(const ZcsyncRichLine *line)
{
	static const char *const lists[] = {
		[ZCSYNC_RICH_BULLET] = "bullet",
		[ZCSYNC_RICH_ORDERED] = "ordered",
		[ZCSYNC_RICH_CHECKED] = "checked",
		[ZCSYNC_RICH_UNCHECKED] = "unchecked"
	};
	static char attributes[64];

	if (line->kind == ZCSYNC_RICH_PRE)
		return "\"code-block\": {\"code-block\": \"plain\"}";
	if (!is_list(line))
		return line->quote > 0 ? QUOTE : "";
	snprintf(attributes, sizeof(attributes),
			 line->indent > 0 ? "\"list\": {\"list\": \"%s\"}, \"indent\": %d" :
			 "\"list\": {\"list\": \"%s\"}", lists[line->kind], line->indent);
	return attributes;
}

static void
block_piece(StringInfo out, const Piece *piece)
{
	StringInfoData attributes;

	initStringInfo(&attributes);
	if (piece->marks & ZCSYNC_RICH_BOLD)
		appendStringInfoString(&attributes, "\"bold\": true,");
	if (piece->marks & ZCSYNC_RICH_ITALIC)
		appendStringInfoString(&attributes, "\"italic\": true,");
	if (piece->marks & ZCSYNC_RICH_CODE)
		appendStringInfoString(&attributes, "\"code\": true,");
	if (piece->link != NULL)
	{
		appendStringInfoString(&attributes, "\"link\": ");
		zcsync_json_append_string(&attributes, piece->link);
	}
	else if (attributes.len > 0)
		attributes.data[--attributes.len] = '\0';
	append_block(out, piece->chars, piece->len, attributes.data);
	pfree(attributes.data);
}

/*
 * Add a block, or add its text to the block before if they look the same.
 */
static void
append_block(StringInfo out, const char *chars, int len, const char *attributes)
{
	char	   *copy = pnstrdup(chars, len);
	char	   *end = psprintf("\", \"attributes\": {%s}}", attributes);
	int			endlen = strlen(end);

	if (*chars != '\n' && out->len > endlen + 2 &&
		strcmp(out->data + out->len - endlen, end) == 0 &&
		strncmp(out->data + out->len - endlen - 2, "\\n", 2) != 0)
	{
		int			quote;

		out->data[out->len -= endlen] = '\0';
		quote = out->len;
		zcsync_json_append_string(out, copy);

		/* without its first quotation mark */
		memmove(out->data + quote, out->data + quote + 1, out->len - quote);
		out->data[out->len -= 2] = '\0';
	}
	else
	{
		if (out->data[out->len - 1] == '}')
			appendStringInfoChar(out, ',');
		appendStringInfoString(out, "{\"text\": ");
		zcsync_json_append_string(out, copy);
		out->data[--out->len] = '\0';
	}
	appendStringInfoString(out, end);
	pfree(copy);
	pfree(end);
}

static bool
is_list(const ZcsyncRichLine *line)
{
	return line->kind != ZCSYNC_RICH_PLAIN && line->kind != ZCSYNC_RICH_PRE;
}

/*
 * Does the text of a link say where it leads?
 */
static bool
says_link(const char *chars, int len, const char *link)
{
	int			size = strlen(link);

	if (pg_strncasecmp(link, "mailto:", 7) == 0)
		link += 7, size -= 7;
	else if (size > len && pg_strncasecmp(link, "https://", 8) == 0 &&
			 pg_strncasecmp(chars, "http", Min(len, 4)) != 0)
		link += 8, size -= 8;
	if (size == len + 1 && link[len] == '/')
		size--;
	return size == len && memcmp(chars, link, len) == 0;
}
