/*-------------------------------------------------------------------------
 *
 * rich_markdown.c
 *		Read Markdown, by way of HTML, as lines of text.
 *
 * cmark ends the process where its own memory runs out, so it is given ours:
 * of the context of the call, which takes all back also where an error jumps
 * over cmark.  Some input takes it long, in proportion to the square of its
 * size, so there is less of it than of HTML.
 *
 * IDENTIFICATION
 *		src/rich_markdown.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#define CMARK_NO_SHORT_NAMES
#include <cmark.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "rich_text.h"

#define MAX_MARKDOWN	(64 * 1024)

static void *cmark_calloc(size_t count, size_t size);
static void *cmark_realloc(void *chunk, size_t size);
static void cmark_free(void *chunk);

/*
 * Add the text of Markdown.  HTML within it is treated as HTML.
 */
void
zcsync_rich_from_markdown(ZcsyncRich *rich, const char *markdown, int len,
						  bool keep_quotes)
{
	cmark_mem	memory = {cmark_calloc, cmark_realloc, cmark_free};
	cmark_parser *parser = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, &memory);
	char	   *html;

	cmark_parser_feed(parser, markdown, pg_mbcliplen(markdown, len, MAX_MARKDOWN));
	html = cmark_render_html(cmark_parser_finish(parser),
							 CMARK_OPT_UNSAFE | CMARK_OPT_HARDBREAKS);
	zcsync_rich_from_html(rich, html, strlen(html), keep_quotes);
}

/* Memory for cmark; it never returns without. */
static void *
cmark_calloc(size_t count, size_t size)
{
	CHECK_FOR_INTERRUPTS();
	return MemoryContextAllocExtended(CurrentMemoryContext,
									  Max(mul_size(count, size), 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void *
cmark_realloc(void *chunk, size_t size)
{
	CHECK_FOR_INTERRUPTS();
	return chunk == NULL ? palloc_extended(size, MCXT_ALLOC_HUGE) :
		repalloc_huge(chunk, size);
}

static void
cmark_free(void *chunk)
{
	if (chunk != NULL)
		pfree(chunk);
}
