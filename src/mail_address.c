/*-------------------------------------------------------------------------
 *
 * mail_address.c
 *		One spelling for an e-mail address, however people wrote it.
 *
 * An address comes from files, documents and people: with a name beside it,
 * in quotation marks, as an HTML entity, with invisible characters copied
 * from a web page, composed or decomposed (NFC, NFD), its domain in letters
 * or in Punycode.  All of these are the same address.  A text that cannot be
 * read as an address as a whole is no address: a part of it might be the
 * address of somebody else.
 *
 * This works on text in UTF-8, the only encoding in which zcsync runs.  The
 * result identifies a lead, in a unique key, and must not depend on the
 * locale: so letters are folded with tables of our own, not the database's.
 *
 * IDENTIFICATION
 *		src/mail_address.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/unicode_norm.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"

#define LOCAL_MAX		64		/* code points before the @ */
#define ADDRESS_MAX		254		/* code points of an address */
#define TEXT_MAX		2000	/* only so many bytes are looked at */
#define LABEL_MAX		63

/* RFC 3492 */
#define PUNY_BASE		36
#define PUNY_TMIN		1
#define PUNY_TMAX		26
#define PUNY_SKEW		38
#define PUNY_DAMP		700
#define PUNY_BIAS		72
#define PUNY_FIRST		128

PG_FUNCTION_INFO_V1(zcsync_sql_mail_address);

static const struct
{
	const char *entity;
	char		character;
}			entities[] = {
	{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''},
	{"&commat;", '@'}, {"&period;", '.'}, {"&nbsp;", ' '}, {"&amp;", '&'}
};

static int	plain_text(const char *in, int len, pg_wchar *out);
static int	entity_at(const char *in, int len, pg_wchar *character);
static pg_wchar plain_character(pg_wchar c);
static int	find_address(pg_wchar *words, int len, int *start);
static bool only_more_addresses(const pg_wchar *words, int len);
static bool is_separator(pg_wchar c);
static int	normal_local(pg_wchar *local, int len);
static int	normal_domain(pg_wchar *domain, int len, pg_wchar *out);
static bool valid_label(const pg_wchar *label, int len, bool last);
static int	decode_label(const pg_wchar *label, int len, pg_wchar *out);
static int	puny_adapt(int delta, int count, bool first);
static int	compose(UnicodeNormalizationForm form, const pg_wchar *in, int len,
					pg_wchar *out, int max);
static pg_wchar fold(pg_wchar c);
static text *to_text(const pg_wchar *in, int len);

/*
 * zcsync._mail_address(text): the address in a text, in the one spelling that
 * zcsync keeps; NULL if none can be read.
 */
Datum
zcsync_sql_mail_address(PG_FUNCTION_ARGS)
{
	text	   *given = PG_GETARG_TEXT_PP(0);
	int			given_len = Min(VARSIZE_ANY_EXHDR(given), TEXT_MAX);
	pg_wchar   *plain = palloc((given_len + 1) * sizeof(pg_wchar));
	pg_wchar	address[ADDRESS_MAX * 2 + 2];
	pg_wchar   *text_start;
	int			start = 0;
	int			len;
	int			at = 0;
	int			domain_len;

	if (GetDatabaseEncoding() != PG_UTF8)
		PG_RETURN_NULL();
	given_len = pg_mbcliplen(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given),
							 given_len);
	len = plain_text(VARDATA_ANY(given), given_len, plain);
	len = find_address(plain, len, &start);
	text_start = plain + start;
	while (at < len && text_start[at] != '@')
		at++;
	if (at == len || len > ADDRESS_MAX)
		PG_RETURN_NULL();

	at = compose(UNICODE_NFC, text_start, at, address, ADDRESS_MAX);
	at = normal_local(address, at);
	if (at <= 0)
		PG_RETURN_NULL();
	address[at] = '@';
	while (*text_start != '@')
	{
		text_start++;
		len--;
	}
	domain_len = normal_domain(text_start + 1, len - 1, address + at + 1);
	if (domain_len <= 0 || at + 1 + domain_len > ADDRESS_MAX)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(to_text(address, at + 1 + domain_len));
}

/*
 * A text with entities and look-alikes replaced by plain characters, and
 * without invisible characters.  out has room for a code point per byte;
 * returns how many there are.
 */
static int
plain_text(const char *in, int len, pg_wchar *out)
{
	int			count = 0;
	int			i = 0;

	while (i < len)
	{
		pg_wchar	c;
		int			size = entity_at(in + i, len - i, &c);

		if (size == 0)
		{
			size = pg_utf_mblen((const unsigned char *) in + i);
			if (i + size > len)
				break;
			c = utf8_to_unicode((const unsigned char *) in + i);
		}
		c = plain_character(c);
		if (c != 0)
			out[count++] = c;
		i += size;
	}
	return count;
}

/*
 * The HTML entity with which a text begins, by its name or its number in
 * decimal or hexadecimal digits.  Returns its length; 0: it begins with none.
 */
static int
entity_at(const char *in, int len, pg_wchar *character)
{
	bool		hexadecimal = len > 2 && (in[2] == 'x' || in[2] == 'X');
	int			first = hexadecimal ? 3 : 2;
	pg_wchar	c = 0;

	if (in[0] != '&')
		return 0;
	for (int e = 0; e < lengthof(entities); e++)
	{
		int			size = strlen(entities[e].entity);

		if (size <= len && pg_strncasecmp(in, entities[e].entity, size) == 0)
		{
			*character = entities[e].character;
			return size;
		}
	}
	if (len < 2 || in[1] != '#')
		return 0;
	for (int i = first; i < len; i++)
	{
		int			digit = in[i] >= '0' && in[i] <= '9' ? in[i] - '0' :
			in[i] >= 'a' && in[i] <= 'f' ? in[i] - 'a' + 10 :
			in[i] >= 'A' && in[i] <= 'F' ? in[i] - 'A' + 10 : 16;

		if (in[i] == ';' && i > first && c > 0 && (c < 0xD800 || c > 0xDFFF))
		{
			*character = c;
			return i + 1;
		}
		if (digit >= (hexadecimal ? 16 : 10))
			return 0;
		c = c * (hexadecimal ? 16 : 10) + digit;
		if (c > 0x10FFFF)
			return 0;
	}
	return 0;
}

/* A character as the plain one that looks the same; 0: it is invisible. */
static pg_wchar
plain_character(pg_wchar c)
{
	if (c == 0x00A0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
		c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000 ||
		(c >= 0x09 && c <= 0x0D))
		return ' ';
	if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x00AD || c == 0x034F ||
		c == 0x061C || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
		(c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
		(c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF)
		return 0;
	if (c >= 0xFF01 && c <= 0xFF5E)
		return c - 0xFF01 + '!';	/* full width */
	switch (c)
	{
		case 0x2018:
		case 0x2019:
		case 0x201A:
		case 0x2039:
		case 0x203A:
			return '\'';
		case 0x201C:
		case 0x201D:
		case 0x201E:
		case 0x00AB:
		case 0x00BB:
			return '"';
		case 0x3002:
		case 0xFF61:
			return '.';
		case 0xFE6B:
			return '@';
		default:
			return c;
	}
}

/*
 * Where the only or first address of a text is: in angle brackets, otherwise
 * at the beginning.  Returns its length, or 0 if the text also has something
 * that is neither another address nor a remark in brackets.
 */
static int
find_address(pg_wchar *words, int len, int *start)
{
	static const char *const labels[] = {"mailto:", "e-mail:", "email:", "mail:"};
	static const char before[] = " \"'`<>()[]{},;:";
	static const char after[] = " \"'`<>()[]{},;:.";
	int			begin = 0;
	int			end = len;
	int			bracket = -1;

	/* one that is not closed may stand within an address */
	for (int i = 0; i < len; i++)
	{
		if (words[i] == '<')
			bracket = i;
		else if (words[i] == '>' && bracket >= 0)
		{
			begin = bracket + 1;
			end = len = i;
			break;
		}
	}
	while (begin < end && words[begin] < 128 && strchr(before, words[begin]))
		begin++;
	for (int i = 0; i < lengthof(labels); i++)
	{
		int			label_len = strlen(labels[i]);
		int			same = 0;

		while (same < label_len && begin + same < end &&
			   fold(words[begin + same]) == (unsigned char) labels[i][same])
			same++;
		if (same == label_len)
			begin += label_len;
	}
	while (begin < end && words[begin] < 128 && strchr(before, words[begin]))
		begin++;
	for (end = begin; end < len && !is_separator(words[end]); end++)
		;
	/* after the address, a mailto link may have a subject and other parts */
	if (end < len && words[end] != '?' &&
		!only_more_addresses(words + end, len - end))
		return 0;
	while (end > begin && words[end - 1] < 128 && strchr(after, words[end - 1]))
		end--;
	/* "ann"@example.com */
	for (int i = begin; i + 1 < end; i++)
		if ((words[i] == '"' || words[i] == '\'') && words[i + 1] == '@')
		{
			memmove(words + i, words + i + 1, (end - i - 1) * sizeof(pg_wchar));
			end--;
		}
	*start = begin;
	return end - begin;
}

/* Does each word of this text look like an address, or stand in brackets? */
static bool
only_more_addresses(const pg_wchar *words, int len)
{
	bool		in_word = false;
	bool		has_at = true;

	for (int i = 0; i < len; i++)
	{
		if (words[i] == '(')
			return !in_word || has_at;
		if (is_separator(words[i]) || strchr("\"'`>)]}.", words[i] < 128 ? words[i] : ' '))
		{
			if (in_word && !has_at)
				return false;
			if (is_separator(words[i]))
				in_word = false;
		}
		else
		{
			if (!in_word)
				has_at = false;
			in_word = true;
			if (words[i] == '@')
				has_at = true;
		}
	}
	return !in_word || has_at;
}

static bool
is_separator(pg_wchar c)
{
	return c == ' ' || c == ',' || c == ';' || c == '|' || c == '?';
}

/*
 * Fold the part before the @ in place.  Returns its length, or 0 if it is not
 * valid.
 */
static int
normal_local(pg_wchar *local, int len)
{
	if (len < 1 || len > LOCAL_MAX)
		return 0;
	for (int i = 0; i < len; i++)
	{
		if (local[i] < 128 && strchr(" <>()[],;:\"\\@", local[i]))
			return 0;
		local[i] = fold(local[i]);
	}
	return len;
}

/*
 * Write a domain in letters, label by label.  out has room for ADDRESS_MAX
 * code points.  Returns its length, or 0 if it is not valid.
 */
static int
normal_domain(pg_wchar *domain, int len, pg_wchar *out)
{
	pg_wchar	folded[ADDRESS_MAX];
	int			count = 0;
	int			labels = 0;
	int			begin = 0;

	len = compose(UNICODE_NFKC, domain, len, folded, ADDRESS_MAX);
	for (int i = 0; i < len; i++)
		folded[i] = fold(folded[i]);
	for (int i = 0; i <= len; i++)
	{
		pg_wchar	label[LABEL_MAX];
		int			label_len;

		if (i < len && folded[i] != '.')
			continue;
		label_len = decode_label(folded + begin, i - begin, label);
		if (label_len <= 0 || !valid_label(label, label_len, i == len) ||
			count + label_len + 1 > ADDRESS_MAX)
			return 0;
		memcpy(out + count, label, label_len * sizeof(pg_wchar));
		count += label_len;
		if (i < len)
			out[count++] = '.';
		labels++;
		begin = i + 1;
	}
	return labels > 1 ? count : 0;
}

/* The last label of a domain has at least two letters, and no digits. */
static bool
valid_label(const pg_wchar *label, int len, bool last)
{
	if (last && len < 2)
		return false;
	for (int i = 0; i < len; i++)
	{
		pg_wchar	c = label[i];

		if (c < 128 && !(c >= 'a' && c <= 'z') && c != '-' &&
			(last || !(c >= '0' && c <= '9')))
			return false;
		if (c == '-' && (last || i == 0 || i == len - 1))
			return false;
	}
	return true;
}

/*
 * A label of a domain, decoded if it is Punycode (RFC 3492).  out has room
 * for LABEL_MAX code points.  Returns its length, or 0 if it is not valid.
 */
static int
decode_label(const pg_wchar *label, int len, pg_wchar *out)
{
	int			count = 0;
	int			i = 4;
	int64		n = PUNY_FIRST;
	int64		at = 0;
	int			bias = PUNY_BIAS;

	if (len < 1 || len > LABEL_MAX)
		return 0;
	if (len < 5 || label[0] != 'x' || label[1] != 'n' || label[2] != '-' || label[3] != '-')
	{
		memcpy(out, label, len * sizeof(pg_wchar));
		return len;
	}
	/* plain letters come first, up to the last hyphen */
	for (int j = len - 1; j > 4; j--)
		if (label[j] == '-')
		{
			count = j - 4;
			memcpy(out, label + 4, count * sizeof(pg_wchar));
			i = j + 1;
			break;
		}
	while (i < len)
	{
		int64		before = at;
		int64		weight = 1;

		for (int k = PUNY_BASE;; k += PUNY_BASE)
		{
			int			threshold = k <= bias ? PUNY_TMIN : Min(k - bias, PUNY_TMAX);
			int			digit;

			if (i >= len)
				return 0;
			digit = label[i] >= '0' && label[i] <= '9' ? label[i] - '0' + 26 :
				label[i] >= 'a' && label[i] <= 'z' ? label[i] - 'a' : PUNY_BASE;
			i++;
			at += digit * weight;
			if (digit >= PUNY_BASE || at > PG_INT32_MAX)
				return 0;
			if (digit < threshold)
				break;
			weight *= PUNY_BASE - threshold;
			if (weight > PG_INT32_MAX)
				return 0;
		}
		count++;
		bias = puny_adapt(at - before, count, before == 0);
		n += at / count;
		at %= count;
		if (count > LABEL_MAX || n > 0x10FFFF || (n >= 0xD800 && n <= 0xDFFF))
			return 0;
		memmove(out + at + 1, out + at, (count - 1 - at) * sizeof(pg_wchar));
		out[at++] = n;
	}
	return count;
}

/* The bias of the next digits, by RFC 3492, section 6.1. */
static int
puny_adapt(int delta, int count, bool first)
{
	int			k = 0;

	delta = first ? delta / PUNY_DAMP : delta / 2;
	delta += delta / count;
	while (delta > (PUNY_BASE - PUNY_TMIN) * PUNY_TMAX / 2)
	{
		delta /= PUNY_BASE - PUNY_TMIN;
		k += PUNY_BASE;
	}
	return k + (PUNY_BASE - PUNY_TMIN + 1) * delta / (delta + PUNY_SKEW);
}

/* Unicode's normal form of a text.  Returns its length, 0 if that exceeds max. */
static int
compose(UnicodeNormalizationForm form, const pg_wchar *in, int len,
		pg_wchar *out, int max)
{
	bool		plain = true;
	pg_wchar   *given;
	pg_wchar   *normal;
	int			count = 0;

	for (int i = 0; i < len; i++)
		plain = plain && in[i] < 128;
	if (len <= 0 || len > max)
		return 0;
	if (plain)
	{
		memcpy(out, in, len * sizeof(pg_wchar));
		return len;
	}
	given = palloc((len + 1) * sizeof(pg_wchar));
	memcpy(given, in, len * sizeof(pg_wchar));
	given[len] = 0;
	normal = unicode_normalize(form, given);
	while (normal[count] != 0)
		count++;
	if (count > max)
		return 0;
	memcpy(out, normal, count * sizeof(pg_wchar));
	return count;
}

/* A letter in lower case: Latin, Greek and Cyrillic ones. */
static pg_wchar
fold(pg_wchar c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0x00C0 && c <= 0x00DE && c != 0x00D7) ||
		(c >= 0x0391 && c <= 0x03A9) || (c >= 0x0410 && c <= 0x042F))
		return c + 32;
	if ((c >= 0x0100 && c <= 0x0136 && c != 0x0130) || (c >= 0x014A && c <= 0x0176) ||
		(c >= 0x1E00 && c <= 0x1EFE && !(c >= 0x1E96 && c <= 0x1E9E)))
		return c % 2 == 0 ? c + 1 : c;
	if ((c >= 0x0139 && c <= 0x0147) || (c >= 0x0179 && c <= 0x017D))
		return c % 2 == 1 ? c + 1 : c;
	if (c >= 0x0400 && c <= 0x040F)
		return c + 80;
	return c == 0x0178 ? 0x00FF : c;
}

static text *
to_text(const pg_wchar *in, int len)
{
	char	   *out = palloc(len * 4 + 1);
	int			size = 0;

	for (int i = 0; i < len; i++)
	{
		unicode_to_utf8(in[i], (unsigned char *) out + size);
		size += pg_utf_mblen((unsigned char *) out + size);
	}
	return cstring_to_text_with_len(out, size);
}
