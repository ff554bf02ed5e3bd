/*-------------------------------------------------------------------------
 *
 * rich_text.h
 *		Text with formatting, as lines.
 *
 * IDENTIFICATION
 *		src/rich_text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_RICH_TEXT_H
#define ZCSYNC_RICH_TEXT_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#define ZCSYNC_RICH_MAX_QUOTE	5	/* quotes within quotes */
#define ZCSYNC_RICH_MAX_INDENT	8	/* lists within lists */

/* How a run of characters looks. */
#define ZCSYNC_RICH_BOLD	0x01
#define ZCSYNC_RICH_ITALIC	0x02
#define ZCSYNC_RICH_CODE	0x04

typedef enum ZcsyncRichKind
{
	ZCSYNC_RICH_PLAIN,
	ZCSYNC_RICH_BULLET,
	ZCSYNC_RICH_ORDERED,
	ZCSYNC_RICH_CHECKED,
	ZCSYNC_RICH_UNCHECKED,
	ZCSYNC_RICH_PRE				/* of a block of code */
} ZcsyncRichKind;

/* Characters that look the same; they end where the next run or the line does. */
typedef struct ZcsyncRichRun
{
	int			start;			/* in the text */
	int			marks;			/* ZCSYNC_RICH_BOLD and so on */
	const char *link;			/* NULL if it is none */
} ZcsyncRichRun;

/* What the name of an element says of it. */
typedef enum ZcsyncRichQuote
{
	ZCSYNC_RICH_NO_QUOTE,
	ZCSYNC_RICH_QUOTE,			/* it has quoted mail or a signature */
	ZCSYNC_RICH_HISTORY_BEGINS	/* quoted mail begins, and goes on to the end */
} ZcsyncRichQuote;

typedef struct ZcsyncRichLine
{
	int			start;			/* in the text */
	int			len;
	int			run;			/* its first run */
	int			runs;
	ZcsyncRichKind kind;
	int			indent;			/* 0 for a list that is in none */
	int			quote;			/* 0 if it is not quoted */
	bool		gap;			/* an empty line stands before it */
	bool		more;			/* goes on with the item of the line before */
} ZcsyncRichLine;

/*
 * A text, and what is being added to it.  All memory is of the context in
 * which it was made.
 */
typedef struct ZcsyncRich
{
	StringInfoData text;		/* of all lines, without ends of lines */
	ZcsyncRichLine *lines;
	int			nlines;
	int			maxlines;
	ZcsyncRichRun *runs;
	int			nruns;
	int			maxruns;
	int			body;			/* the first line that is not the caller's */

	/* The line that is being added, if in_line. */
	bool		in_line;
	bool		gap;			/* the next line has one before it */
	bool		soft;			/* it ends with a blank that may be left out */
	int			link_bytes;		/* of all runs */

	/* What holds for characters that are added now; whoever adds them sets it. */
	int			marks;
	const char *link;
	ZcsyncRichKind kind;
	int			indent;
	int			quote;
	bool		more;			/* the next line goes on with an item */
} ZcsyncRich;

/* rich_text.c: adding */
extern void zcsync_rich_init(ZcsyncRich *rich);
extern void zcsync_rich_add(ZcsyncRich *rich, const char *chars, int len);
extern void zcsync_rich_add_flowing(ZcsyncRich *rich, const char *chars,
									int len);
extern void zcsync_rich_end_line(ZcsyncRich *rich);
extern void zcsync_rich_break(ZcsyncRich *rich);
extern void zcsync_rich_add_lines(ZcsyncRich *rich, const char *chars, int len);
extern bool zcsync_rich_is_empty(const ZcsyncRich *rich);

/* rich_link.c */
extern char *zcsync_rich_safe_link(const char *url, int len);
extern char *zcsync_rich_file_name(const char *url);

/* rich_html.c, rich_markdown.c, rich_blocks.c */
extern void zcsync_rich_from_html(ZcsyncRich *rich, const char *html, int len,
								  bool keep_quotes);
extern void zcsync_rich_from_markdown(ZcsyncRich *rich, const char *markdown,
									  int len, bool keep_quotes);
extern void zcsync_rich_from_blocks(ZcsyncRich *rich, JsonbContainer *blocks);

/* rich_quotes.c */
extern void zcsync_rich_drop_quotes(ZcsyncRich *rich);
extern ZcsyncRichQuote zcsync_rich_quote_name(const char *name, int len);

/* rich_output.c */
extern void zcsync_rich_to_html(const ZcsyncRich *rich, StringInfo out);
extern void zcsync_rich_to_text(const ZcsyncRich *rich, StringInfo out);
extern void zcsync_rich_to_blocks(const ZcsyncRich *rich, StringInfo out);

#endif							/* ZCSYNC_RICH_TEXT_H */
