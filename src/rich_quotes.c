/*-------------------------------------------------------------------------
 *
 * rich_quotes.c
 *		Find what a comment that came as mail repeats: the history of the
 *		conversation, and signatures.
 *
 * Programs for mail put them into elements of HTML that can be told by their
 * names, or below lines that can be told by their words.  Where a person
 * answered between the quoted lines, these are part of what the person says
 * and stay.
 *
 * IDENTIFICATION
 *		src/rich_quotes.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "miscadmin.h"

#include "rich_text.h"

#define HEADER_LINES	6		/* of a quoted mail are looked at */
#define MAX_ATTRIBUTION 400		/* bytes */

/*
 * Ends of names of elements with quoted mail or a signature.  Programs put
 * something before the names of what they quote, as x_ or m_123.
 */
static const char *const quote_names[] = {
	"gmail_quote", "gmail_quote_container", "gmail_attr", "gmail_signature",
	"gmail_signature_prefix", "yahoo_quoted", "moz-cite-prefix",
	"moz-signature", "protonmail_quote", "protonmail_signature_block",
	"OutlookSignature", "mail-signature", "email-signature", NULL
};

/* Names of elements with which quoted mail begins; it goes on to the end. */
static const char *const history_names[] = {
	"divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container",
	"OLK_SRC_BODY_SECTION", "reply-intro", NULL
};

static const char *const original_words[] = {
	"Original Message", "Ursprüngliche Nachricht", "Original-Nachricht",
	"Originalnachricht", "Message d'origine", "Mensaje original",
	"Oorspronkelijk bericht", "Messaggio originale", NULL
};

static const char *const from_words[] = {
	"From:", "Von:", "De:", "De :", "Van:", "Da:", NULL
};
static const char *const sent_words[] = {
	"Sent:", "Date:", "Gesendet:", "Datum:", "Envoyé", "Date :", "Enviado",
	"Fecha:", "Verzonden:", "Inviato:", "Data:", NULL
};
static const char *const subject_words[] = {
	"Subject:", "Betreff:", "Objet", "Asunto:", "Onderwerp:", "Oggetto:",
	"Assunto:", NULL
};

static const char *const on_words[] = {
	"On ", "Am ", "Le ", "El ", "Op ", "Il ", "Den ", "Em ", NULL
};
static const char *const wrote_words[] = {
	"wrote", "schrieb", "a écrit", "escribió", "schreef", "ha scritto",
	"skrev", "escreveu", NULL
};

static bool drop_attributed(ZcsyncRich *rich, int i, int lines);
static void remove_lines(ZcsyncRich *rich, int i, int count);
static bool is_history(const ZcsyncRich *rich, int i);
static bool is_reply_marker(const char *chars);
static int	attribution(const ZcsyncRich *rich, int i);
static bool is_attribution(const char *chars, bool quote_follows);
static bool is_quoted(const ZcsyncRich *rich, int i);
static char *line_text(const ZcsyncRich *rich, int i);
static bool begins_with(const char *chars, const char *const *words);
static bool has_name(const char *name, int len, const char *const *names);

/*
 * What an element with this class or id has.
 */
ZcsyncRichQuote
zcsync_rich_quote_name(const char *name, int len)
{
	if (has_name(name, len, history_names))
		return ZCSYNC_RICH_HISTORY_BEGINS;
	if (has_name(name, len, quote_names) ||
		(len > 3 && memcmp(name, "zd_", 3) == 0))
		return ZCSYNC_RICH_QUOTE;
	while (len > 2 && memcmp(name, "x_", 2) == 0)
		name += 2, len -= 2;
	if (len == 9 && memcmp(name + 1, "ignature", 8) == 0 &&
		(*name == 'S' || *name == 's'))
		return ZCSYNC_RICH_QUOTE;
	return ZCSYNC_RICH_NO_QUOTE;
}

/*
 * Take out the lines that repeat older mail, and the signature.  Nothing may
 * remain.
 */
void
zcsync_rich_drop_quotes(ZcsyncRich *rich)
{
	for (int i = rich->body; i < rich->nlines; i++)
	{
		char	   *chars = line_text(rich, i);
		int			lines = attribution(rich, i);

		CHECK_FOR_INTERRUPTS();
		if (is_quoted(rich, i))
			 /* the rules are for what is not marked as quoted */ ;
		else if (strcmp(chars, "--") == 0 || is_history(rich, i) ||
				 (is_reply_marker(chars) && i > rich->body))
			rich->nlines = i;
		else if (is_reply_marker(chars))
		{
			int			n = 1;

			while (i + n < rich->nlines && !is_quoted(rich, i + n))
			{
				char	   *next = line_text(rich, i + n);
				bool		marks = is_reply_marker(next);

				pfree(next);
				if (!marks)
					break;
				n++;
			}
			remove_lines(rich, i--, n);
		}
		else if (lines > 0 && drop_attributed(rich, i, lines))
			i--;
		pfree(chars);
	}
	if (rich->nlines > rich->body)
		rich->lines[rich->body].gap = false;
}

/*
 * Take out the lines that say who wrote what is quoted below them, with what
 * is quoted; it goes on to the end where nothing marks it as quoted.  Answers
 * between quoted lines keep both.  True if lines were taken out.
 */
static bool
drop_attributed(ZcsyncRich *rich, int i, int lines)
{
	int			end = i + lines;

	while (end < rich->nlines && is_quoted(rich, end))
		end++;
	if (end == i + lines)
		end = rich->nlines;
	for (int n = end; n < rich->nlines; n++)
		if (is_quoted(rich, n))
			return false;
	remove_lines(rich, i, end - i);
	return true;
}

static void
remove_lines(ZcsyncRich *rich, int i, int count)
{
	memmove(rich->lines + i, rich->lines + i + count,
			(rich->nlines - i - count) * sizeof(*rich->lines));
	rich->nlines -= count;
}

/*
 * Does quoted mail begin here, which goes on to the end?
 */
static bool
is_history(const ZcsyncRich *rich, int i)
{
	char	   *chars = line_text(rich, i);
	bool		sent = false;
	bool		subject = false;

	if (strncmp(chars, "---", 3) == 0 &&
		begins_with(chars + strspn(chars, "- "), original_words))
		return true;
	if (!begins_with(chars + strspn(chars, "*"), from_words))
		return false;
	for (int n = 1; n < HEADER_LINES && i + n < rich->nlines; n++)
	{
		char	   *next = line_text(rich, i + n);

		sent = sent || begins_with(next + strspn(next, "*"), sent_words);
		subject = subject || begins_with(next + strspn(next, "*"), subject_words);
		pfree(next);
	}
	return sent && subject;
}

/* Is this the line above which mail asks to write? */
static bool
is_reply_marker(const char *chars)
{
	size_t		len = strlen(chars);

	return len >= 6 && strncmp(chars, "##-", 3) == 0 &&
		strcmp(chars + len - 3, "-##") == 0;
}

/*
 * How many lines from here on say who wrote what is quoted below them: 0, 1,
 * or 2 where a long one was broken.
 */
static int
attribution(const ZcsyncRich *rich, int i)
{
	char	   *chars = line_text(rich, i);
	char	   *both;

	if (!begins_with(chars, on_words) || strlen(chars) > MAX_ATTRIBUTION)
		return 0;
	if (is_attribution(chars, i + 1 < rich->nlines && is_quoted(rich, i + 1)))
		return 1;
	if (i + 1 >= rich->nlines || rich->lines[i + 1].gap)
		return 0;
	both = psprintf("%s %s", chars, line_text(rich, i + 1));
	if (strlen(both) <= MAX_ATTRIBUTION &&
		is_attribution(both, i + 2 < rich->nlines && is_quoted(rich, i + 2)))
		return 2;
	return 0;
}

/*
 * People write "on Monday she wrote:", too.  Programs give a time and often
 * an address.
 */
static bool
is_attribution(const char *chars, bool quote_follows)
{
	size_t		len = strlen(chars);
	int			digits = 0;
	bool		time = false;
	bool		wrote = false;

	if (len == 0 || chars[len - 1] != ':')
		return false;
	for (const char *c = chars; *c != '\0'; c++)
	{
		if (isdigit((unsigned char) *c))
			digits++;
		if (*c == ':' && c > chars && isdigit((unsigned char) c[-1]) &&
			isdigit((unsigned char) c[1]))
			time = true;
	}
	for (int n = 0; wrote_words[n] != NULL; n++)
		wrote = wrote || strstr(chars, wrote_words[n]) != NULL;
	return wrote && digits >= 4 &&
		(quote_follows || time || strchr(chars, '@') != NULL);
}

static bool
is_quoted(const ZcsyncRich *rich, int i)
{
	const ZcsyncRichLine *line = &rich->lines[i];

	return line->quote > 0 ||
		(line->len > 0 && rich->text.data[line->start] == '>');
}

/* A copy of a line without blanks around it. */
static char *
line_text(const ZcsyncRich *rich, int i)
{
	const ZcsyncRichLine *line = &rich->lines[i];
	const char *chars = rich->text.data + line->start;
	int			len = Min(line->len, 2 * MAX_ATTRIBUTION);

	while (len > 0 && *chars == ' ')
		chars++, len--;
	return pnstrdup(chars, len);
}

static bool
begins_with(const char *chars, const char *const *words)
{
	for (; *words != NULL; words++)
		if (pg_strncasecmp(chars, *words, strlen(*words)) == 0)
			return true;
	return false;
}

static bool
has_name(const char *name, int len, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		int			size = strlen(*names);

		if (len >= size && memcmp(name + len - size, *names, size) == 0)
			return true;
	}
	return false;
}
