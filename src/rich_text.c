/*-------------------------------------------------------------------------
 *
 * rich_text.c
 *		The text of comments, from the form of one vendor to that of another.
 *
 * One vendor has HTML, another a list of blocks, and people write plain text
 * or Markdown.  Each form is read into the same list of lines, and each form
 * is written from it:
 *
 *		html      |                               | html
 *		blocks    | -> lines, runs of characters -> blocks
 *		markdown  |                               | text
 *		text      |
 *
 * A line is plain, an item of a list or of a block of code; it knows how
 * deep it stands in quotes and lists.  A run of characters is bold, italic,
 * code or a link.  Nothing else exists between the forms, so nothing else
 * can pass: markup is not filtered, it is written anew.  Since there is no
 * tree, no nesting can exhaust the stack, and a text that is too long is cut
 * without breaking markup.
 *
 * Comments come from strangers, as mail does.  HTML is parsed by libxml2 and
 * Markdown by cmark; no input raises an error.  All memory of ours belongs to
 * a context of the call.
 *
 * IDENTIFICATION
 *		src/rich_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "json.h"
#include "rich_text.h"

/* Longer input is cut before it is read. */
#define MAX_READ		(1024 * 1024)

#define MAX_LINK_BYTES	(1024 * 1024)	/* of the URLs of all runs */
#define MAX_PREFIX		500		/* bytes */
#define MAX_SUFFIX		(16 * 1024)	/* bytes */
#define TAB				4		/* blanks */
#define MAX_WORD		100		/* bytes; a longer one may be cut */

static const char ending[] = "...";
static const char ending_link[] = "... (whole comment: ";
static const char suffix_link[] = "Open: ";

typedef struct Options
{
	int			max_length;		/* in characters; 0 is no limit */
	bool		keep_quotes;
	char	   *link;			/* to the whole chars, or NULL */
	char	   *prefix;			/* or NULL */
	char	   *suffix;			/* or NULL */
} Options;

PG_FUNCTION_INFO_V1(zcsync_sql_convert_comment);

static void read_options(Jsonb *json, Options *options);
static void read_content(ZcsyncRich *rich, const char *form, Jsonb *content,
						 bool keep_quotes);
static void read_body(ZcsyncRich *rich, const char *form, Jsonb *content,
					  const Options *options);
static char *content_text(Jsonb *content, int *len);
static void add_prefix(ZcsyncRich *rich, const char *prefix);
static void forget_body(ZcsyncRich *rich);
static void tidy(ZcsyncRich *rich);
static void cut(ZcsyncRich *rich, const Options *options);
static void add_suffix(ZcsyncRich *rich, const Options *options);
static void leave_body(ZcsyncRich *rich);
static void add_link(ZcsyncRich *rich, const char *link);
static int	line_length(const ZcsyncRich *rich, const ZcsyncRichLine *line);
static int	cut_line(const char *chars, int len, int room, bool first);
static Datum write_form(const ZcsyncRich *rich, const char *form);
static void add_character(ZcsyncRich *rich, const char *c, int len);
static int	same_utf8(const char *chars, int len);

/*
 * SQL: the text of a comment in another form.
 *
 *		_convert_comment(from text, content jsonb, to text, options jsonb)
 *
 * Raises an error for a form that does not exist, and for nothing else.
 */
Datum
zcsync_sql_convert_comment(PG_FUNCTION_ARGS)
{
	char	   *from = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *to = text_to_cstring(PG_GETARG_TEXT_PP(2));
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	ZcsyncRich	rich;
	Options		options;
	Jsonb	   *result;

	if (strcmp(from, "html") != 0 && strcmp(from, "blocks") != 0 &&
		strcmp(from, "markdown") != 0 && strcmp(from, "text") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no text has the form \"%s\"", from),
				 errdetail("The forms are html, blocks, markdown and text.")));
	if (strcmp(to, "html") != 0 && strcmp(to, "blocks") != 0 &&
		strcmp(to, "text") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no text can be given the form \"%s\"", to),
				 errdetail("The forms are html, blocks and text.")));

	context = AllocSetContextCreate(caller, "zcsync rich text",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	read_options(PG_GETARG_JSONB_P(3), &options);
	zcsync_rich_init(&rich);
	if (options.prefix != NULL)
		add_prefix(&rich, options.prefix);
	read_body(&rich, from, PG_GETARG_JSONB_P(1), &options);
	tidy(&rich);
	cut(&rich, &options);
	tidy(&rich);
	if (options.suffix != NULL)
		add_suffix(&rich, &options);
	result = DatumGetJsonbP(write_form(&rich, to));

	MemoryContextSwitchTo(caller);
	result = (Jsonb *) memcpy(palloc(VARSIZE(result)), result,
							  VARSIZE(result));
	MemoryContextDelete(context);
	PG_RETURN_JSONB_P(result);
}

/* Options of another type than theirs count as not given. */
static void
read_options(Jsonb *json, Options *options)
{
	bool		found = false;
	int64		length;
	char	   *chars;

	memset(options, 0, sizeof(*options));
	if (!JB_ROOT_IS_OBJECT(json))
		return;
	length = zcsync_json_get_int64(json, "max_length", &found);
	if (found && length > 0)
		options->max_length = (int) Min(length, INT_MAX / 2);
	options->keep_quotes = zcsync_json_get_bool(json, "keep_quotes", &found);
	if (!found)
		options->keep_quotes = false;
	chars = zcsync_json_get_text(json, "link");
	if (chars != NULL)
		options->link = zcsync_rich_safe_link(chars, strlen(chars));
	options->prefix = zcsync_json_get_text(json, "prefix");
	options->suffix = zcsync_json_get_text(json, "suffix");
}

/*
 * Read a text after the prefix.  Where nothing would remain without the
 * quoted history, all of it stays: a comment is never emptied.
 */
static void
read_body(ZcsyncRich *rich, const char *form, Jsonb *content,
		  const Options *options)
{
	read_content(rich, form, content, options->keep_quotes);
	if (!options->keep_quotes)
	{
		zcsync_rich_drop_quotes(rich);
		if (zcsync_rich_is_empty(rich))
		{
			forget_body(rich);
			read_content(rich, form, content, true);
		}
	}
}

static void
read_content(ZcsyncRich *rich, const char *form, Jsonb *content,
			 bool keep_quotes)
{
	char	   *chars;
	int			len;

	CHECK_FOR_INTERRUPTS();
	if (strcmp(form, "blocks") == 0 && JB_ROOT_IS_ARRAY(content) &&
		!JB_ROOT_IS_SCALAR(content))
		zcsync_rich_from_blocks(rich, &content->root);
	else
	{
		chars = content_text(content, &len);
		if (strcmp(form, "html") == 0)
			zcsync_rich_from_html(rich, chars, len, keep_quotes);
		else if (strcmp(form, "markdown") == 0)
			zcsync_rich_from_markdown(rich, chars, len, keep_quotes);
		else
			zcsync_rich_add_lines(rich, chars, len);
	}
	zcsync_rich_end_line(rich);
}

/*
 * The text of a JSON string, as much of it as is read; null is an empty text,
 * and anything else is the text that JSON has for it.
 */
static char *
content_text(Jsonb *content, int *len)
{
	JsonbValue	value;
	char	   *chars;

	if (JB_ROOT_IS_SCALAR(content) &&
		JsonbExtractScalar(&content->root, &value) &&
		(value.type == jbvString || value.type == jbvNull))
	{
		chars = value.type == jbvString ? value.val.string.val : "";
		*len = value.type == jbvString ? value.val.string.len : 0;
	}
	else
	{
		chars = JsonbToCString(NULL, &content->root, VARSIZE(content));
		*len = strlen(chars);
	}
	*len = pg_mbcliplen(chars, *len, MAX_READ);
	return chars;
}

/* The caller's own line: bold, above the text. */
static void
add_prefix(ZcsyncRich *rich, const char *prefix)
{
	rich->marks = ZCSYNC_RICH_BOLD;
	zcsync_rich_add_flowing(rich, prefix,
							pg_mbcliplen(prefix, strlen(prefix), MAX_PREFIX));
	zcsync_rich_end_line(rich);
	rich->marks = 0;
	rich->gap = false;
	rich->body = rich->nlines;
}

/* Back to where the text is to begin. */
static void
forget_body(ZcsyncRich *rich)
{
	rich->nlines = rich->body;
	rich->link_bytes = 0;
	rich->marks = 0;
	rich->link = NULL;
	rich->kind = ZCSYNC_RICH_PLAIN;
	rich->indent = rich->quote = 0;
	rich->gap = rich->in_line = rich->more = false;
}

/*
 * Take out empty lines around blocks of code and blanks before the text of
 * items, join blocks of code, and have each list begin with the first level
 * and go down one by one.
 */
static void
tidy(ZcsyncRich *rich)
{
	int			kept = rich->body;
	int			next = 0;		/* the first line after i that is not empty */

	for (int i = rich->body; i < rich->nlines; i++)
	{
		ZcsyncRichLine *line = &rich->lines[i];
		const ZcsyncRichLine *before = kept > 0 ? &rich->lines[kept - 1] : NULL;

		CHECK_FOR_INTERRUPTS();
		if (next <= i)
			next = i + 1;
		while (line->len == 0 && next < rich->nlines &&
			   rich->lines[next].len == 0)
			next++;
		if (line->len == 0 &&
			(before == NULL || before->kind != line->kind ||
			 before->quote != line->quote || next == rich->nlines ||
			 rich->lines[next].kind != line->kind ||
			 rich->lines[next].quote != line->quote))
		{
			i = next - 1;
			continue;
		}
		if (line->kind != ZCSYNC_RICH_PLAIN && line->kind != ZCSYNC_RICH_PRE)
			for (; rich->text.data[line->start] == ' '; line->start++)
				line->len--;
		if (before != NULL && before->quote == line->quote &&
			before->kind == ZCSYNC_RICH_PRE && line->kind == ZCSYNC_RICH_PRE)
			line->gap = false;
		if (before == NULL || before->quote != line->quote ||
			before->kind == ZCSYNC_RICH_PLAIN || before->kind == ZCSYNC_RICH_PRE)
		{
			line->indent = 0;
			line->more = false;
		}
		line->indent = Min(line->indent,
						   before == NULL ? 0 : before->indent + !line->more);
		rich->lines[kept++] = *line;
	}
	rich->nlines = kept;
}

/*
 * Keep to the limit, in characters of the text without its markup, at the end
 * of a word, and say so.
 */
static void
cut(ZcsyncRich *rich, const Options *options)
{
	int			room = options->max_length;
	int			total = 0;

	if (room == 0)
		return;
	for (int i = 0; i < rich->nlines; i++)
		total += line_length(rich, &rich->lines[i]);
	if (total - 1 <= room)
		return;

	room -= 1 + (options->link == NULL ? (int) strlen(ending) :
				 (int) strlen(ending_link) + 1 +
				 pg_mbstrlen_with_len(options->link, strlen(options->link)));
	for (int i = 0; i < rich->nlines; i++)
	{
		ZcsyncRichLine *line = &rich->lines[i];
		int			left = room - (line_length(rich, line) -
								   pg_mbstrlen_with_len(rich->text.data + line->start,
														line->len));

		room -= line_length(rich, line);
		if (room >= 0)
			continue;
		line->len = cut_line(rich->text.data + line->start, line->len, left,
							 i == 0);
		rich->nlines = line->len > 0 ? i + 1 : i;
		break;
	}

	leave_body(rich);
	if (options->link == NULL)
		zcsync_rich_add(rich, ending, strlen(ending));
	else
	{
		zcsync_rich_add(rich, ending_link, strlen(ending_link));
		add_link(rich, options->link);
		zcsync_rich_add(rich, ")", 1);
	}
	zcsync_rich_end_line(rich);
}

/*
 * The caller's lines below the text, whatever its length, and the link.
 */
static void
add_suffix(ZcsyncRich *rich, const Options *options)
{
	leave_body(rich);
	rich->gap = rich->nlines > 0;
	zcsync_rich_add_lines(rich, options->suffix,
						  pg_mbcliplen(options->suffix, strlen(options->suffix),
									   MAX_SUFFIX));
	zcsync_rich_end_line(rich);
	if (options->link == NULL)
		return;
	zcsync_rich_add(rich, suffix_link, strlen(suffix_link));
	add_link(rich, options->link);
	zcsync_rich_end_line(rich);
}

/* What is added from now on stands below the text. */
static void
leave_body(ZcsyncRich *rich)
{
	rich->kind = ZCSYNC_RICH_PLAIN;
	rich->indent = rich->quote = rich->marks = 0;
	rich->link = NULL;
	rich->more = rich->gap = false;
}

static void
add_link(ZcsyncRich *rich, const char *link)
{
	rich->link_bytes = 0;
	rich->link = link;
	zcsync_rich_add(rich, link, strlen(link));
	rich->link = NULL;
}

/* The characters of a line with its end, and with the empty line before it. */
static int
line_length(const ZcsyncRich *rich, const ZcsyncRichLine *line)
{
	return pg_mbstrlen_with_len(rich->text.data + line->start, line->len) + 1 +
		line->gap;
}

/*
 * How many bytes of a line stay, if it has room for so many characters: up to
 * the end of the last whole word.  A long word is cut.
 */
static int
cut_line(const char *chars, int len, int room, bool first)
{
	int			fits;
	int			end;

	if (room <= 0)
		return 0;
	fits = pg_mbcharcliplen(chars, len, room);
	end = fits;
	if (fits < len && chars[fits] != ' ')
		while (end > 0 && chars[end - 1] != ' ')
			end--;
	while (end > 0 && chars[end - 1] == ' ')
		end--;

	/* Some languages have no blanks. */
	return fits - end < MAX_WORD && (end > 0 || !first) ? end : fits;
}

static Datum
write_form(const ZcsyncRich *rich, const char *form)
{
	StringInfoData out;
	JsonbValue	value;
	const char *why;
	Jsonb	   *blocks;

	initStringInfo(&out);
	if (strcmp(form, "blocks") == 0)
	{
		zcsync_rich_to_blocks(rich, &out);
		blocks = zcsync_json_parse(out.data, out.len, &why);
		if (blocks == NULL)
			elog(ERROR, "could not write blocks: %s", why);
		return JsonbPGetDatum(blocks);
	}
	if (strcmp(form, "html") == 0)
		zcsync_rich_to_html(rich, &out);
	else
		zcsync_rich_to_text(rich, &out);
	value.type = jbvString;
	value.val.string.val = out.data;
	value.val.string.len = out.len;
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

void
zcsync_rich_init(ZcsyncRich *rich)
{
	memset(rich, 0, sizeof(*rich));
	initStringInfo(&rich->text);
	rich->maxlines = 16;
	rich->lines = palloc(rich->maxlines * sizeof(*rich->lines));
	rich->maxruns = 16;
	rich->runs = palloc(rich->maxruns * sizeof(*rich->runs));
}

/*
 * Is there no text, but for the caller's?
 */
bool
zcsync_rich_is_empty(const ZcsyncRich *rich)
{
	for (int i = rich->body; i < rich->nlines; i++)
		if (rich->lines[i].len > 0)
			return false;
	return true;
}

/*
 * Add characters, all of them: blanks are kept, a tab is some, and an end of
 * line is one more.
 */
void
zcsync_rich_add(ZcsyncRich *rich, const char *chars, int len)
{
	for (int i = 0, mb; i < len; i += mb)
	{
		mb = Min(pg_utf_mblen((const unsigned char *) chars + i), len - i);
		for (int n = chars[i] == '\t' ? TAB : 1; n > 0; n--)
			add_character(rich, chars + i, mb);
		rich->soft = false;
	}
}

/*
 * Add characters as HTML shows them: white space is one blank, and none at
 * the beginning of a line.  A blank that must not be broken is a blank.
 */
void
zcsync_rich_add_flowing(ZcsyncRich *rich, const char *chars, int len)
{
	for (int i = 0, mb; i < len; i += mb)
	{
		mb = Min(pg_utf_mblen((const unsigned char *) chars + i), len - i);
		if (strchr(" \t\r\n\f", chars[i]) == NULL || chars[i] == '\0')
		{
			add_character(rich, chars + i, mb);
			rich->soft = false;
		}
		else if (rich->in_line && !rich->soft)
		{
			add_character(rich, " ", 1);
			rich->soft = true;
		}
	}
}

/*
 * Add plain text, with its lines.
 */
void
zcsync_rich_add_lines(ZcsyncRich *rich, const char *chars, int len)
{
	while (len > 0)
	{
		const char *end = memchr(chars, '\n', len);
		int			size = end == NULL ? len : (int) (end - chars);

		CHECK_FOR_INTERRUPTS();
		zcsync_rich_add(rich, chars, size);
		if (end == NULL)
			break;
		zcsync_rich_break(rich);
		chars += size + 1;
		len -= size + 1;
	}
	zcsync_rich_end_line(rich);
}

/*
 * End the line, if one has begun.  A line of blanks only is an empty one: the
 * next has a gap before it.
 */
void
zcsync_rich_end_line(ZcsyncRich *rich)
{
	ZcsyncRichLine *line;

	if (!rich->in_line)
		return;
	line = &rich->lines[rich->nlines];
	line->len = rich->text.len - line->start;
	line->runs = rich->nruns - line->run;
	while (line->len > 0 && rich->text.data[line->start + line->len - 1] == ' ')
		line->len--;
	if (line->len > 0 || line->kind == ZCSYNC_RICH_PRE)
	{
		rich->nlines++;
		rich->gap = false;
		rich->more = line->kind != ZCSYNC_RICH_PRE;
	}
	else
		rich->gap = true;
	rich->in_line = false;
	rich->soft = false;
}

/*
 * Go to the next line.  If none has begun, that is an empty one.
 */
void
zcsync_rich_break(ZcsyncRich *rich)
{
	if (!rich->in_line && rich->kind == ZCSYNC_RICH_PRE)
		add_character(rich, "", 0);
	if (rich->in_line)
		zcsync_rich_end_line(rich);
	else
		rich->gap = true;
}

/*
 * Add one character, or none to begin a line.  Controls, and characters that
 * take no room or change the order of others, are left out.
 */
static void
add_character(ZcsyncRich *rich, const char *c, int len)
{
	ZcsyncRichRun *run;

	if (len == 1 && (unsigned char) *c >= 0x80)
		return;
	if (len == 1 && ((unsigned char) *c < ' ' || *c == 0x7f))
	{
		if (strchr("\t\n", *c) == NULL || *c == '\0')
			return;
		c = " ";
	}
	else if (len > 1)
	{
		int			same = same_utf8(c, len);

		if (same == 0)
			return;
		if (same == ' ')
		{
			c = " ";
			len = 1;
		}
	}

	if (!rich->in_line)
	{
		ZcsyncRichLine *line;

		if (rich->nlines == rich->maxlines)
			rich->lines = repalloc_huge(rich->lines, (rich->maxlines *= 2) *
										sizeof(*rich->lines));
		line = &rich->lines[rich->nlines];
		line->start = rich->text.len;
		line->run = rich->nruns;
		line->runs = line->len = 0;
		line->kind = rich->kind;
		line->indent = rich->kind == ZCSYNC_RICH_PRE ? 0 : rich->indent;
		line->quote = rich->quote;
		line->gap = rich->gap && rich->nlines > rich->body;
		line->more = rich->more && rich->kind != ZCSYNC_RICH_PLAIN &&
			rich->kind != ZCSYNC_RICH_PRE;
		rich->in_line = true;
		rich->soft = false;
	}
	run = rich->nruns > rich->lines[rich->nlines].run ?
		&rich->runs[rich->nruns - 1] : NULL;
	if (len > 0 && (run == NULL || run->marks != rich->marks ||
					run->link != rich->link))
	{
		if (rich->nruns == rich->maxruns)
			rich->runs = repalloc_huge(rich->runs, (rich->maxruns *= 2) *
									   sizeof(*rich->runs));
		run = &rich->runs[rich->nruns++];
		run->start = rich->text.len;
		run->marks = rich->marks;
		run->link = rich->link;

		/* One link with many runs must not make much out of little. */
		if (rich->link != NULL &&
			(rich->link_bytes += strlen(rich->link)) > MAX_LINK_BYTES)
			run->link = rich->link = NULL;
	}
	appendBinaryStringInfo(&rich->text, c, len);
}

/*
 * What a character of several bytes counts as: ' ' for a blank, 0 for what is
 * left out, 1 for itself.
 */
static int
same_utf8(const char *chars, int len)
{
	pg_wchar	c;

	if (len != pg_utf_mblen((const unsigned char *) chars))
		return 0;
	c = utf8_to_unicode((const unsigned char *) chars);
	if (c == 0x00a0 || c == 0x2028 || c == 0x2029)
		return ' ';
	if ((c >= 0x80 && c < 0xa0) || c == 0x00ad || c == 0x200b ||
		c == 0x061c || c == 0x200e || c == 0x200f ||
		(c >= 0x202a && c <= 0x202e) || c == 0x2060 ||
		(c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
		return 0;
	return 1;
}
