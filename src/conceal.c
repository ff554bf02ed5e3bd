/*-------------------------------------------------------------------------
 *
 * conceal.c
 *		Overwrite the secrets that a text quotes, whatever form they have
 *		there.
 *
 * Vendors, and proxies on the way to them, often quote the request that they
 * refuse.  Such a text becomes a message that many people may read.  So the
 * secrets of the account are overwritten with asterisks first, in every form
 * in which they were sent or may come back:
 *
 *	  as they are; percent-encoded, as in a form; escaped, as in JSON and HTML;
 *	  in base64 of either alphabet, also as a part of what was encoded, as in
 *	  the header of a user and a token; and base64 percent-encoded.
 *
 * A quotation may be cut, so a part of a secret is overwritten, too, if it has
 * PART_MIN characters.
 *
 * Escapes are decoded while the text is compared, character by character, so
 * that mixed forms are found as well.  The base64 form of a secret depends on
 * the bytes before it only by their number modulo three.  So three forms are
 * searched for, without the characters at both ends that other bytes
 * influence; what is found is then extended to the whole base64 text around
 * it.
 *
 * Access tokens may have thousands of characters, and errors come in storms.
 * So a place in the text is compared only if its first three characters occur
 * anywhere in the secret, which a set of bits tells by their hash.
 *
 * Needs nothing of the server but palloc.
 *
 * IDENTIFICATION
 *		src/conceal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "conceal.h"

/*
 * A shorter value is not overwritten at all: too much other text would match
 * it.
 */
#define VALUE_MIN	6

/* The shortest part of a secret that is overwritten. */
#define PART_MIN	8

/* Longest character that an escape stands for, in bytes. */
#define CHAR_MAX_BYTES	4

/* Is this byte of UTF-8 not the first one of its character? */
#define IS_CONTINUATION(byte)	(((unsigned char) (byte) & 0xC0) == 0x80)

/* What to look for. */
typedef struct Needle
{
	const char *data;
	Size		len;
	Size		enough;			/* a part of this length is found, too */
	bool		base64;
} Needle;

/* The triples of characters that occur in a needle, by their hash. */
#define TRIPLE_BITS		65536

typedef struct Triples
{
	uint8		bits[TRIPLE_BITS / 8];
} Triples;

static void note_triples(Triples *triples, const Needle *needle);
static bool may_begin(const char *said, const Triples *triples, bool decode);
static uint32 triple_hash(const char *triple);
static void conceal_needle(char *said, const Needle *needle);
static Size longest_match(const char *said, const Needle *needle);
static Size match_length(const char *said, const Needle *needle, Size from,
						 bool decode);
static bool same_char(char a, char b, bool base64);
static int	decode_char(const char *said, char *decoded, int *size);
static int	decode_backslash(const char *said, char *decoded, int *size);
static int	decode_entity(const char *said, char *decoded, int *size);
static int	hex_number(const char *said, int digits);
static Size encode_base64(const char *secret, Size len, int before, char *out);
static bool is_base64(char c);
static Size base64_start(const char *said, Size at);

/*
 * Overwrite, in place, all forms of a secret in a text, and parts of it.
 */
void
zcsync_conceal(char *said, const char *secret)
{
	Needle		needle = {secret, strlen(secret), 0, false};
	char	   *encoded;

	if (needle.len < VALUE_MIN)
		return;
	needle.enough = Min(needle.len, PART_MIN);
	conceal_needle(said, &needle);

	needle.base64 = true;
	needle.data = encoded = palloc(needle.len / 3 * 4 + 8);
	for (int before = 0; before < 3; before++)
	{
		needle.len = encode_base64(secret, strlen(secret), before, encoded);
		needle.enough = Min(needle.len, PART_MIN);
		conceal_needle(said, &needle);
	}
	explicit_bzero(encoded, strlen(secret) / 3 * 4 + 8);
	pfree(encoded);
}

/*
 * Overwrite, in place, a value that is no secret by itself, such as the name
 * that belongs to one: only where the text has all of it.
 */
void
zcsync_conceal_whole(char *said, const char *value)
{
	Needle		needle = {value, strlen(value), strlen(value), false};

	if (needle.len >= VALUE_MIN)
		conceal_needle(said, &needle);
}

/*
 * Overwrite what is found of one form.
 */
static void
conceal_needle(char *said, const Needle *needle)
{
	Triples		triples;
	Size		at = 0;

	note_triples(&triples, needle);
	while (said[at] != '\0')
	{
		Size		len = 0;
		Size		start = at;

		if (may_begin(said + at, &triples, false) ||
			may_begin(said + at, &triples, true))
			len = longest_match(said + at, needle);

		if (len == 0)
		{
			at++;
			continue;
		}
		if (needle->base64)
		{
			start = base64_start(said, at);
			while (is_base64(said[at + len]))
				len++;
		}

		/* a character of which a part is found goes whole: the text stays valid */
		while (start > 0 && IS_CONTINUATION(said[start]))
			start--;
		while (IS_CONTINUATION(said[at + len]))
			len++;
		memset(said + start, '*', at + len - start);
		at += len;
	}
}

/*
 * Note all triples of a needle, which has at least three characters.
 */
static void
note_triples(Triples *triples, const Needle *needle)
{
	memset(triples, 0, sizeof(Triples));
	for (Size i = 0; i + 3 <= needle->len; i++)
	{
		uint32		hash = triple_hash(needle->data + i);

		triples->bits[hash / 8] |= 1 << (hash % 8);
	}
}

/*
 * May a part of the needle begin here?
 */
static bool
may_begin(const char *said, const Triples *triples, bool decode)
{
	char		first[3 + CHAR_MAX_BYTES];
	Size		n = 0;
	uint32		hash;

	while (n < 3)
	{
		int			size = 0;
		int			len = decode ? decode_char(said, first + n, &size) : 0;

		if (*said == '\0')
			return false;
		if (len == 0)
		{
			first[n] = *said;
			len = size = 1;
		}
		said += len;
		n += size;
	}
	hash = triple_hash(first);
	return (triples->bits[hash / 8] & (1 << (hash % 8))) != 0;
}

/*
 * The hash of three characters; characters that count as the same have the
 * same hash.
 */
static uint32
triple_hash(const char *triple)
{
	uint32		hash = 0;

	for (int i = 0; i < 3; i++)
	{
		unsigned char c = (unsigned char) triple[i];

		if (c <= ' ' || c == '-')
			c = '+';
		else if (c == '_')
			c = '/';
		hash = hash * 401 + c;
	}
	return hash % TRIPLE_BITS;
}

/*
 * The length in bytes of the longest part of a needle, among those that are
 * long enough, with which the text begins; 0 if there is none.
 */
static Size
longest_match(const char *said, const Needle *needle)
{
	char		decoded[CHAR_MAX_BYTES];
	int			size = 0;
	bool		escaped = decode_char(said, decoded, &size) > 0;
	Size		longest = 0;

	for (Size from = 0; from + needle->enough <= needle->len; from++)
	{
		if (same_char(said[0], needle->data[from], needle->base64))
			longest = Max(longest, match_length(said, needle, from, false));
		if (same_char(said[0], needle->data[from], needle->base64) ||
			(escaped && same_char(decoded[0], needle->data[from], needle->base64)))
			longest = Max(longest, match_length(said, needle, from, true));
	}
	return longest;
}

/*
 * The length in bytes for which the text matches the needle from one of its
 * characters on; 0 if that part is not long enough.  With "decode", an escape
 * counts as the character that it stands for if that is what the needle has.
 */
static Size
match_length(const char *said, const Needle *needle, Size from, bool decode)
{
	const char *p = said;
	Size		at = from;

	while (at < needle->len && *p != '\0')
	{
		char		decoded[CHAR_MAX_BYTES];
		int			size = 0;
		int			len = decode ? decode_char(p, decoded, &size) : 0;

		if (len > 0 && at + size <= needle->len &&
			(size == 1 ? same_char(decoded[0], needle->data[at], needle->base64) :
			 memcmp(decoded, needle->data + at, size) == 0))
		{
			p += len;
			at += size;
		}
		else if (same_char(*p, needle->data[at], needle->base64))
		{
			p++;
			at++;
		}
		else
			break;
	}
	return at - from >= needle->enough ? p - said : 0;
}

/*
 * Are two characters the same?  Base64 has two alphabets; elsewhere white space
 * and control characters may have been replaced by one another.
 */
static bool
same_char(char a, char b, bool base64)
{
	if (a == b)
		return true;
	if (base64)
		return (a == '-' && b == '+') || (a == '_' && b == '/');
	return (unsigned char) a <= ' ' && (unsigned char) b <= ' ';
}

/*
 * Decode the escape at the beginning of a text.  Returns its length, and the
 * character that it stands for with its size; 0 if there is none.
 */
static int
decode_char(const char *said, char *decoded, int *size)
{
	int			number;

	switch (said[0])
	{
		case '+':
			decoded[0] = ' ';
			*size = 1;
			return 1;
		case '%':
			number = hex_number(said + 1, 2);
			if (number <= 0)
				return 0;
			decoded[0] = (char) number;
			*size = 1;
			return 3;
		case '\\':
			return decode_backslash(said, decoded, size);
		case '&':
			return decode_entity(said, decoded, size);
		default:
			return 0;
	}
}

/*
 * The same for an escape of JSON.
 */
static int
decode_backslash(const char *said, char *decoded, int *size)
{
	int			number;

	*size = 1;
	if (said[1] == '\0')
		return 0;
	if (said[1] != 'u')
	{
		decoded[0] = strchr("bfnrt", said[1]) != NULL ? ' ' : said[1];
		return 2;
	}
	number = hex_number(said + 2, 4);
	if (number <= 0 || is_utf16_surrogate_first(number) ||
		is_utf16_surrogate_second(number))
		return 0;
	unicode_to_utf8(number, (unsigned char *) decoded);
	*size = pg_utf_mblen((unsigned char *) decoded);
	return 6;
}

/*
 * The same for an entity of HTML.
 */
static int
decode_entity(const char *said, char *decoded, int *size)
{
	static const struct
	{
		const char *name;
		char		stands_for;
	}			entities[] = {
		{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'},
		{"&apos;", '\''}, {"&#39;", '\''}, {"&#x27;", '\''}, {"&#34;", '"'},
		{"&#43;", '+'}, {"&#x2B;", '+'}, {"&#x2F;", '/'}, {"&#61;", '='},
		{"&#x3D;", '='}
	};

	*size = 1;
	for (int i = 0; i < lengthof(entities); i++)
	{
		Size		len = strlen(entities[i].name);

		if (strncmp(said, entities[i].name, len) == 0)
		{
			decoded[0] = entities[i].stands_for;
			return (int) len;
		}
	}
	return 0;
}

/*
 * A number of so many hexadecimal digits, or -1.
 */
static int
hex_number(const char *said, int digits)
{
	int			number = 0;

	for (int i = 0; i < digits; i++)
	{
		char		c = said[i];
		int			digit = c >= '0' && c <= '9' ? c - '0' :
			c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		number = number * 16 + digit;
	}
	return number;
}

/*
 * The base64 form of a secret that has this number of bytes before it (modulo
 * 3): only the characters that depend on the secret alone.  Returns their
 * number.
 */
static Size
encode_base64(const char *secret, Size len, int before, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	Size		first = (before * 8 + 5) / 6;
	Size		end = (before + len) * 8 / 6;

	for (Size i = first; i < end; i++)
	{
		int			bits = 0;

		for (int b = 0; b < 6; b++)
		{
			Size		bit = i * 6 + b - before * 8;

			bits = bits << 1 | (((unsigned char) secret[bit / 8] >> (7 - bit % 8)) & 1);
		}
		out[i - first] = alphabet[bits];
	}
	return end - first;
}

/*
 * Is it a character of base64, in either alphabet?
 */
static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		(c >= '0' && c <= '9') ||
		(c != '\0' && strchr("+/-_=", c) != NULL);
}

/*
 * Where the base64 text begins that continues at this place.  An escape of
 * JSON before it is not part of it.
 */
static Size
base64_start(const char *said, Size at)
{
	Size		start = at;

	while (start > 0 && is_base64(said[start - 1]) && said[start - 1] != '=')
		start--;
	if (start > 0 && start < at && said[start - 1] == '\\')
		start = Min(at, start + (said[start] == 'u' ? 5 : 1));
	return start;
}
