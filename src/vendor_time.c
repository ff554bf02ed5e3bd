/*-------------------------------------------------------------------------
 *
 * vendor_time.c
 *		Times and versions of records as vendors write them.
 *
 * A page of a thousand records has some ten thousand of them, nearly all in
 * one form.  Regular expressions took a tenth of the time of a page.
 *
 * Pure: depends neither on settings nor on the time zone.
 *
 * IDENTIFICATION
 *		src/vendor_time.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"

/* The most digits that a version may have; times in nanoseconds have 19. */
#define MAX_VERSION_DIGITS	30

PG_FUNCTION_INFO_V1(zcsync_is_older);
PG_FUNCTION_INFO_V1(zcsync_is_plain_utc);

static bool all_digits(const char *chars, int len);
static bool has_form(const char *chars, int len, const char *form);
static int	two_digits(const char *chars);
static int	days_of_month(int year, int month);

/*
 * SQL: is this version before that one?
 *
 *		_is_older(version text, than text)
 *
 * Versions are whole numbers, or times in ISO form that begin with
 * YYYY-MM-DDT.  False if one of them is not known, or if their forms differ.
 */
Datum
zcsync_is_older(PG_FUNCTION_ARGS)
{
	text	   *version;
	text	   *than;
	const char *a;
	const char *b;
	int			alen;
	int			blen;
	int			order;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	version = PG_GETARG_TEXT_PP(0);
	than = PG_GETARG_TEXT_PP(1);
	a = VARDATA_ANY(version);
	alen = VARSIZE_ANY_EXHDR(version);
	b = VARDATA_ANY(than);
	blen = VARSIZE_ANY_EXHDR(than);

	if (all_digits(a, alen) && all_digits(b, blen))
	{
		for (; alen > 1 && *a == '0'; alen--)
			a++;
		for (; blen > 1 && *b == '0'; blen--)
			b++;
		PG_RETURN_BOOL(alen != blen ? alen < blen : memcmp(a, b, alen) < 0);
	}
	if (!has_form(a, alen, "0000-00-00T") || !has_form(b, blen, "0000-00-00T"))
		PG_RETURN_BOOL(false);
	order = memcmp(a, b, Min(alen, blen));
	PG_RETURN_BOOL(order != 0 ? order < 0 : alen < blen);
}

/*
 * SQL: is this a time of the form YYYY-MM-DDTHH:MM:SSZ, from the year 1000 to
 * 2999, that exists?
 *
 *		_is_plain_utc(time text)
 */
Datum
zcsync_is_plain_utc(PG_FUNCTION_ARGS)
{
	text	   *time = PG_GETARG_TEXT_PP(0);
	const char *t = VARDATA_ANY(time);
	int			month;
	int			day;

	if (VARSIZE_ANY_EXHDR(time) != 20 ||
		!has_form(t, 20, "0000-00-00T00:00:00Z") ||
		(t[0] != '1' && t[0] != '2'))
		PG_RETURN_BOOL(false);
	month = two_digits(t + 5);
	day = two_digits(t + 8);
	PG_RETURN_BOOL(month >= 1 && month <= 12 && day >= 1 &&
				   day <= days_of_month(100 * two_digits(t) + two_digits(t + 2),
										month) &&
				   two_digits(t + 11) <= 23 && two_digits(t + 14) <= 59 &&
				   two_digits(t + 17) <= 59);
}

static bool
all_digits(const char *chars, int len)
{
	if (len < 1 || len > MAX_VERSION_DIGITS)
		return false;
	for (int i = 0; i < len; i++)
		if (chars[i] < '0' || chars[i] > '9')
			return false;
	return true;
}

/*
 * Do the characters begin with this form, in which 0 stands for any digit?
 */
static bool
has_form(const char *chars, int len, const char *form)
{
	for (int i = 0; form[i] != '\0'; i++)
		if (i >= len || (form[i] == '0' ? chars[i] < '0' || chars[i] > '9' :
						 chars[i] != form[i]))
			return false;
	return true;
}

static int
two_digits(const char *chars)
{
	return 10 * (chars[0] - '0') + chars[1] - '0';
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}
