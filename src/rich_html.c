/*-------------------------------------------------------------------------
 *
 * rich_html.c
 *		Read HTML as lines of text.
 *
 * libxml2's parser for HTML calls us with each element and each text; there
 * is no tree, and nothing is looked up, loaded or expanded: the parser has no
 * entities but those of HTML, no network, and no file.
 *
 * An element holds for what it contains, so what holds outside is kept on a
 * stack, which is limited: two searches of the parser take time in proportion
 * to the depth and to the number of attributes of one element, and nobody
 * needs hundreds.  Input beyond these limits is read as plain text, without
 * whatever looks like a tag.
 *
 * libxml2 allocates with malloc() and keeps no error handler of ours: the
 * parser's own is set, which does nothing.  An error of PostgreSQL must not
 * jump over the parser's frames, which would leak what they hold: it is
 * caught in the callback, the parser is stopped, and then it is raised again.
 *
 * IDENTIFICATION
 *		src/rich_html.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "rich_attributes.h"
#include "rich_text.h"

#define MAX_DEPTH		400		/* elements within elements */
#define MAX_ATTRIBUTES	500		/* of an element */

#if LIBXML_VERSION >= 21200
typedef const xmlError *ErrorOfXml;
#else
typedef xmlErrorPtr ErrorOfXml;
#endif

/* What an element does to its text. */
typedef enum Effect
{
	NONE,
	LINE,						/* stands on lines of its own */
	PARAGRAPH,					/* with empty lines around it */
	HEADING,
	LIST,
	ORDERED_LIST,
	ITEM,
	QUOTE,
	PRE,
	ROW,
	CELL,
	BREAK,
	BOLD,
	ITALIC,
	CODE,
	LINK,
	IMAGE,
	REMOVED						/* with all that it contains */
} Effect;

static const struct
{
	const char *name;
	Effect		effect;
}			elements[] = {
	{"a", LINK}, {"address", LINE}, {"applet", REMOVED}, {"article", LINE},
	{"aside", LINE}, {"audio", REMOVED}, {"b", BOLD}, {"blockquote", QUOTE},
	{"body", LINE}, {"br", BREAK}, {"button", REMOVED}, {"canvas", REMOVED},
	{"caption", LINE}, {"center", LINE}, {"code", CODE}, {"dd", LINE},
	{"details", LINE}, {"dir", LIST}, {"div", LINE}, {"dl", PARAGRAPH},
	{"dt", LINE}, {"em", ITALIC}, {"embed", REMOVED}, {"fieldset", LINE},
	{"figcaption", LINE}, {"figure", LINE}, {"footer", LINE}, {"form", LINE},
	{"frameset", REMOVED}, {"h1", HEADING}, {"h2", HEADING}, {"h3", HEADING},
	{"h4", HEADING}, {"h5", HEADING}, {"h6", HEADING}, {"header", LINE},
	{"hr", PARAGRAPH}, {"i", ITALIC}, {"iframe", REMOVED}, {"img", IMAGE},
	{"input", REMOVED}, {"kbd", CODE}, {"li", ITEM}, {"main", LINE},
	{"menu", LIST}, {"nav", LINE}, {"noembed", REMOVED},
	{"noscript", REMOVED}, {"object", REMOVED}, {"ol", ORDERED_LIST},
	{"optgroup", REMOVED}, {"option", REMOVED}, {"p", PARAGRAPH},
	{"plaintext", PRE}, {"pre", PRE}, {"samp", CODE}, {"script", REMOVED},
	{"section", LINE}, {"select", REMOVED}, {"strong", BOLD},
	{"style", REMOVED}, {"summary", LINE}, {"svg", REMOVED}, {"table", LINE},
	{"td", CELL}, {"template", REMOVED}, {"textarea", REMOVED},
	{"th", CELL}, {"title", REMOVED}, {"tr", ROW}, {"tt", CODE},
	{"ul", LIST}, {"video", REMOVED}, {"xml", REMOVED}, {"xmp", PRE}
};

/* An element that is open, and what held outside. */
typedef struct Element
{
	char	   *name;
	Effect		effect;
	int			marks;
	const char *link;
	ZcsyncRichKind kind;
	int			indent;
	int			quote;
	int			lists;
	bool		ordered;
	bool		removed;
	bool		pre;
	bool		gap;			/* a paragraph that has gaps around it */
} Element;

/* The reading of one text. */
typedef struct Reader
{
	ZcsyncRich *rich;
	htmlParserCtxtPtr parser;
	MemoryContext context;
	bool		keep_quotes;
	bool		too_deep;
	ErrorData  *error;			/* raised in a callback, or NULL */
	Element    *stack;			/* MAX_DEPTH of them */
	int			depth;

	/* What holds now; the rest is in rich. */
	int			lists;			/* that are open */
	bool		ordered;		/* the innermost one */
	bool		removed;		/* what is read is left out */
	bool		history;		/* quoted mail has begun: to the end */
	bool		pre;
	bool		pre_begins;		/* an end of line here is not shown */
	bool		mention;		/* the name of a person comes next */
	bool		cells;			/* the row has had one */
} Reader;

static void read_html(ZcsyncRich *rich, const char *html, int len,
					  bool keep_quotes, bool *too_deep);
static void on_start(void *data, const xmlChar *name, const xmlChar **atts);
static void on_end(void *data, const xmlChar *name);
static void on_text(void *data, const xmlChar *chars, int len);
static void no_error(void *data, ErrorOfXml error);
static void keep_error(Reader *reader);
static void start_element(Reader *reader, const char *name, const char **atts);
static void end_element(Reader *reader, const char *name);
static void begin(Reader *reader, Element *element, const char **atts);
static void end(Reader *reader, const Element *element);
static void separate(Reader *reader, bool gap);
static void add_text(Reader *reader, const char *chars, int len);
static void add_image(Reader *reader, const char **atts);
static bool is_quote(Reader *reader, const char *name, const char **atts);
static Effect effect_of(const char *name);
static bool too_many_attributes(const char *html, int len);
static bool is_name_start(char c);
static const char *after_name(const char *c, const char *end);
static const char *after_space(const char *c, const char *end);
static const char *after_value(const char *c, const char *end);
static bool is_long_tag(const char *c, const char *end, int64 *steps);
static void add_without_tags(ZcsyncRich *rich, const char *html, int len);

/*
 * Add the text of HTML, with quoted mail and signatures or, where elements
 * have their names, without.
 */
void
zcsync_rich_from_html(ZcsyncRich *rich, const char *html, int len,
					  bool keep_quotes)
{
	ZcsyncRich	before = *rich;
	bool		too_deep = too_many_attributes(html, len);

	if (!too_deep)
		read_html(rich, html, len, keep_quotes, &too_deep);
	if (too_deep)
	{
		/* What was added stays in the buffers, unused. */
		before.text = rich->text;
		before.lines = rich->lines;
		before.maxlines = rich->maxlines;
		before.runs = rich->runs;
		before.nruns = rich->nruns;
		before.maxruns = rich->maxruns;
		*rich = before;
		add_without_tags(rich, html, len);
	}
}

static void
read_html(ZcsyncRich *rich, const char *html, int len, bool keep_quotes,
		  bool *too_deep)
{
	Reader		reader = {0};
	htmlSAXHandler handler = {0};
	StringInfoData wrapped;

	/* The parser would put text that is in no element into a paragraph. */
	initStringInfo(&wrapped);
	appendStringInfoString(&wrapped, "<div>");
	appendBinaryStringInfo(&wrapped, html, len);
	reader.rich = rich;
	reader.keep_quotes = keep_quotes;
	reader.context = CurrentMemoryContext;
	reader.stack = palloc(MAX_DEPTH * sizeof(Element));
	handler.startElement = on_start;
	handler.endElement = on_end;
	handler.characters = on_text;
	handler.ignorableWhitespace = on_text;
	handler.cdataBlock = on_text;
	handler.initialized = XML_SAX2_MAGIC;
	handler.serror = no_error;

	xmlInitParser();
	reader.parser = htmlNewParserCtxt();
	if (reader.parser == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Could not allocate a parser for HTML.")));
	PG_TRY();
	{
		memcpy(reader.parser->sax, &handler, sizeof(handler));
		reader.parser->userData = &reader;
		htmlCtxtReadMemory(reader.parser, wrapped.data, wrapped.len, NULL, "UTF-8",
						   HTML_PARSE_RECOVER | HTML_PARSE_NOERROR |
						   HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
						   HTML_PARSE_IGNORE_ENC);
		if (reader.error == NULL && reader.parser->errNo == XML_ERR_NO_MEMORY)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Could not read a text in HTML.")));
	}
	PG_FINALLY();
	{
		htmlFreeParserCtxt(reader.parser);
	}
	PG_END_TRY();

	if (reader.error != NULL)
		ReThrowError(reader.error);
	*too_deep = reader.too_deep;
	zcsync_rich_end_line(rich);
	rich->marks = 0;
	rich->link = NULL;
	rich->kind = ZCSYNC_RICH_PLAIN;
	rich->indent = rich->quote = 0;
}

/* Calls of the parser; none may raise an error. */
static void
on_start(void *data, const xmlChar *name, const xmlChar **atts)
{
	Reader	   *reader = data;

	if (reader->error != NULL || reader->too_deep)
		return;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
		start_element(reader, (const char *) name, (const char **) atts);
	}
	PG_CATCH();
	{
		keep_error(reader);
	}
	PG_END_TRY();
	if (reader->error != NULL || reader->too_deep)
		xmlStopParser(reader->parser);
}

static void
on_end(void *data, const xmlChar *name)
{
	Reader	   *reader = data;

	if (reader->error != NULL || reader->too_deep)
		return;
	PG_TRY();
	{
		end_element(reader, (const char *) name);
	}
	PG_CATCH();
	{
		keep_error(reader);
	}
	PG_END_TRY();
	if (reader->error != NULL)
		xmlStopParser(reader->parser);
}

static void
on_text(void *data, const xmlChar *chars, int len)
{
	Reader	   *reader = data;

	if (reader->error != NULL || reader->too_deep)
		return;
	PG_TRY();
	{
		add_text(reader, (const char *) chars, len);
	}
	PG_CATCH();
	{
		keep_error(reader);
	}
	PG_END_TRY();
	if (reader->error != NULL)
		xmlStopParser(reader->parser);
}

static void
no_error(void *data, ErrorOfXml error)
{
}

static void
keep_error(Reader *reader)
{
	MemoryContextSwitchTo(reader->context);
	reader->error = CopyErrorData();
	FlushErrorState();
}

static void
start_element(Reader *reader, const char *name, const char **atts)
{
	Element    *element;

	if (reader->depth == MAX_DEPTH)
	{
		reader->too_deep = true;
		return;
	}
	element = &reader->stack[reader->depth++];
	element->name = pstrdup(name);
	element->effect = effect_of(name);
	element->marks = reader->rich->marks;
	element->link = reader->rich->link;
	element->kind = reader->rich->kind;
	element->indent = reader->rich->indent;
	element->quote = reader->rich->quote;
	element->lists = reader->lists;
	element->ordered = reader->ordered;
	element->removed = reader->removed;
	element->pre = reader->pre;
	element->gap = false;

	if (element->effect == REMOVED || (atts != NULL && zcsync_rich_is_hidden(atts)) ||
		(!reader->keep_quotes && is_quote(reader, name, atts)))
		reader->removed = true;
	if (!reader->removed)
		begin(reader, element, atts);
}

/*
 * The innermost element of the name ends, with those within it that did not.
 */
static void
end_element(Reader *reader, const char *name)
{
	int			i = reader->depth - 1;

	reader->mention = false;
	while (i >= 0 && strcmp(reader->stack[i].name, name) != 0)
		i--;
	for (; i >= 0 && reader->depth > i; reader->depth--)
	{
		Element    *element = &reader->stack[reader->depth - 1];

		if (!reader->removed)
			end(reader, element);
		reader->rich->marks = element->marks;
		reader->rich->link = element->link;
		reader->rich->kind = element->kind;
		reader->rich->indent = element->indent;
		reader->rich->quote = element->quote;
		reader->lists = element->lists;
		reader->ordered = element->ordered;

		/* Nothing follows the beginning of quoted mail. */
		if (!reader->history)
			reader->removed = element->removed;
		reader->pre = element->pre;
		pfree(element->name);
	}
}

static void
begin(Reader *reader, Element *element, const char **atts)
{
	ZcsyncRich *rich = reader->rich;
	const char *url;

	if (atts != NULL && zcsync_rich_is_mention(atts))
	{
		reader->mention = true;
		return;
	}
	switch (element->effect)
	{
		case LINE:
			separate(reader, false);
			break;
		case PARAGRAPH:
			element->gap = !zcsync_rich_has_no_gap(atts);
			separate(reader, element->gap);
			break;
		case HEADING:
			separate(reader, true);
			rich->marks |= ZCSYNC_RICH_BOLD;
			break;
		case LIST:
		case ORDERED_LIST:
			separate(reader, reader->lists == 0);
			reader->lists++;
			reader->ordered = element->effect == ORDERED_LIST;
			break;
		case ITEM:
			separate(reader, false);
			rich->kind = reader->ordered ? ZCSYNC_RICH_ORDERED : ZCSYNC_RICH_BULLET;
			rich->indent = Min(Max(reader->lists - 1, 0), ZCSYNC_RICH_MAX_INDENT);
			rich->more = false;
			break;
		case QUOTE:
			separate(reader, true);
			rich->quote = Min(rich->quote + 1, ZCSYNC_RICH_MAX_QUOTE);
			break;
		case PRE:
			separate(reader, true);
			rich->kind = ZCSYNC_RICH_PRE;
			reader->pre = reader->pre_begins = true;
			break;
		case ROW:
			separate(reader, false);
			reader->cells = false;
			break;
		case CELL:
			if (reader->cells && rich->in_line)
				zcsync_rich_add_flowing(rich, " | ", 3);
			reader->cells = true;
			break;
		case BREAK:
			zcsync_rich_break(rich);
			break;
		case BOLD:
			rich->marks |= ZCSYNC_RICH_BOLD;
			break;
		case ITALIC:
			rich->marks |= ZCSYNC_RICH_ITALIC;
			break;
		case CODE:
			rich->marks |= ZCSYNC_RICH_CODE;
			break;
		case LINK:
			url = zcsync_rich_attribute(atts, "href");
			rich->link = url == NULL ? NULL :
				zcsync_rich_safe_link(url, strlen(url));
			break;
		case IMAGE:
			add_image(reader, atts);
			break;
		case NONE:
		case REMOVED:
			break;
	}
}

static void
end(Reader *reader, const Element *element)
{
	switch (element->effect)
	{
		case LINE:
		case ITEM:
		case ROW:
			separate(reader, false);
			break;
		case PARAGRAPH:
		case HEADING:
		case QUOTE:
		case PRE:
			separate(reader, element->effect != PARAGRAPH || element->gap);
			break;
		case LIST:
		case ORDERED_LIST:
			separate(reader, reader->lists == 1);
			break;
		default:
			break;
	}
}

/* What follows stands on a line of its own; within lists there are no gaps. */
static void
separate(Reader *reader, bool gap)
{
	zcsync_rich_end_line(reader->rich);
	if (gap && (reader->rich->kind == ZCSYNC_RICH_PLAIN ||
				reader->rich->kind == ZCSYNC_RICH_PRE))
		reader->rich->gap = true;
}

static void
add_text(Reader *reader, const char *chars, int len)
{
	if (reader->removed ||
		pg_encoding_verifymbstr(PG_UTF8, chars, len) != len)
		return;
	if (reader->mention)
	{
		while (len > 0 && isspace((unsigned char) *chars))
			chars++, len--;
		if (len > 0 && *chars != '@')
			zcsync_rich_add(reader->rich, "@", 1);
		reader->mention = len == 0;
	}
	if (!reader->pre)
		zcsync_rich_add_flowing(reader->rich, chars, len);
	else
	{
		if (reader->pre_begins && len > 0 && *chars == '\n')
			chars++, len--;
		while (len > 0)
		{
			const char *line_end = memchr(chars, '\n', len);
			int			size = line_end == NULL ? len : (int) (line_end - chars);

			zcsync_rich_add(reader->rich, chars, size);
			if (line_end == NULL)
				break;
			zcsync_rich_break(reader->rich);
			chars += size + 1;
			len -= size + 1;
		}
	}
	reader->pre_begins = false;
}

/*
 * An image becomes its description or the name of its file, since readers of
 * the copy may not load it, and loading a stranger's would tell that they
 * read it.  What the record itself carries is named as an image.
 */
static void
add_image(Reader *reader, const char **atts)
{
	const char *source = zcsync_rich_attribute(atts, "src");
	const char *name = zcsync_rich_attribute(atts, "alt");
	bool		attached = source != NULL &&
		(pg_strncasecmp(source, "cid:", 4) == 0 ||
		 pg_strncasecmp(source, "data:", 5) == 0 ||
		 strstr(source, "/attachment") != NULL);

	if (zcsync_rich_is_tracker(atts) || (name != NULL && *name == '\0' && !attached))
		return;
	if ((name == NULL || *name == '\0') && source != NULL &&
		pg_strncasecmp(source, "data:", 5) != 0)
		name = zcsync_rich_file_name(source);
	if (name == NULL || *name == '\0')
	{
		if (!attached)
			return;
		name = "?";
	}
	if (attached)
		zcsync_rich_add(reader->rich, "[image: ", 8);
	zcsync_rich_add(reader->rich, name, pg_mbcliplen(name, strlen(name), 255));
	if (attached)
		zcsync_rich_add(reader->rich, "]", 1);
}

/* Is this element quoted mail or a signature? */
static bool
is_quote(Reader *reader, const char *name, const char **atts)
{
	static const char *const naming[] = {"class", "id"};

	if (atts == NULL)
		return false;
	for (int i = 0; i < lengthof(naming); i++)
	{
		const char *words = zcsync_rich_attribute(atts, naming[i]);
		int			len;

		while (words != NULL && (words = zcsync_rich_next_word(words, &len)) != NULL)
		{
			ZcsyncRichQuote quote = zcsync_rich_quote_name(words, len);

			if (quote == ZCSYNC_RICH_HISTORY_BEGINS)
				reader->history = true;
			if (quote != ZCSYNC_RICH_NO_QUOTE)
				return true;
			words += len;
		}
	}
	if (strcmp(name, "blockquote") == 0)
	{
		const char *type = zcsync_rich_attribute(atts, "type");

		return type != NULL && pg_strcasecmp(type, "cite") == 0;
	}
	return false;
}

static Effect
effect_of(const char *name)
{
	int			low = 0;
	int			high = lengthof(elements) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(name, elements[middle].name);

		if (order == 0)
			return elements[middle].effect;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return NONE;
}

/*
 * Does a tag have so many attributes that comparing each with all before it
 * would take long?  Every "<" may begin one, also in a comment or a script; where
 * looking at them all would take long itself, the answer is yes.
 */
static bool
too_many_attributes(const char *html, int len)
{
	int64		steps = 16 * (int64) len + 10000;

	for (int i = 0; i + 1 < len; i++)
	{
		if (html[i] == '<' && is_name_start(html[i + 1]) &&
			is_long_tag(html + i + 1, html + len, &steps))
			return true;
	}
	return false;
}

/* May a name of the parser begin so? */
static bool
is_name_start(char c)
{
	return isalpha((unsigned char) c) || c == '_' || c == ':' || c == '.';
}

/* The end of a name that begins here, as the parser reads it. */
static const char *
after_name(const char *c, const char *end)
{
	while (c < end && (is_name_start(*c) || isdigit((unsigned char) *c) || *c == '-'))
		c++;
	return c;
}

static const char *
after_space(const char *c, const char *end)
{
	while (c < end && (*c == ' ' || *c == '\t' || *c == '\r' || *c == '\n'))
		c++;
	return c;
}

/*
 * Has the tag whose name begins here too many attributes?  As the parser reads
 * them: a value is quoted only after a name and "=".
 */
static bool
is_long_tag(const char *c, const char *end, int64 *steps)
{
	const char *begin = c;
	int			count = 0;

	c = after_space(after_name(c, end), end);
	while (c < end && *c != '>')
	{
		const char *name = c;

		if (++count > MAX_ATTRIBUTES || *steps < 0)
			return true;
		if (is_name_start(*c))
			c = after_name(c, end);
		count += (c - name) / 100;	/* the parser cuts names there */
		if (c > name)
		{
			c = after_space(c, end);
			if (c < end && *c == '=')
			{
				c = after_space(c + 1, end);
				if (c < end && (*c == '"' || *c == '\''))
				{
					c = memchr(c + 1, *c, end - c - 1);
					if (c == NULL)
						c = end - 1;	/* the value is the rest */
					c++;
				}
				else
					c = after_value(c, end);
			}
		}
		else
			c = after_value(c + 1, end);
		c = after_space(c, end);
		*steps -= c - begin;
		begin = c;
	}
	return *steps < 0;
}

/* The end of what is neither a name nor quoted. */
static const char *
after_value(const char *c, const char *end)
{
	while (c < end && *c != '>' && after_space(c, end) == c)
		c++;
	return c;
}

/*
 * Add what stands between tags, as plain text.
 */
static void
add_without_tags(ZcsyncRich *rich, const char *html, int len)
{
	StringInfoData plain;

	initStringInfo(&plain);
	for (int i = 0; i < len; i++)
	{
		if (html[i] == '<' && i + 1 < len &&
			(isalpha((unsigned char) html[i + 1]) ||
			 strchr("/!?", html[i + 1]) != NULL))
		{
			const char *tag_end = memchr(html + i, '>', len - i);

			if (tag_end == NULL)
				break;
			i = tag_end - html;
		}
		else
			appendStringInfoChar(&plain, html[i]);
	}
	zcsync_rich_add_lines(rich, plain.data, plain.len);
}
