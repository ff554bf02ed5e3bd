/*-------------------------------------------------------------------------
 *
 * lead_rule.c
 *		Does the condition of a score rule hold for a value?
 *
 * Each lead that is written is compared with each rule, so a condition is made
 * ready once (zcsync_lead_condition) and then tested with many values.  Values
 * are texts, as jsonb's operator ->> gives them; NULL is no value.  Upper and
 * lower case of texts count as the same.
 *
 * IDENTIFICATION
 *		src/lead_rule.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"

#include "lead_rule.h"

/* A value that is a number has at most so many digits on each side. */
#define MAX_DIGITS	30

PG_FUNCTION_INFO_V1(zcsync_sql_rule_holds);

static const char *const operators[] = {
	[ZCSYNC_LEAD_IS_FILLED] = "is_filled",
	[ZCSYNC_LEAD_IS_EMPTY] = "is_empty",
	[ZCSYNC_LEAD_EQUALS] = "equals",
	[ZCSYNC_LEAD_NOT_EQUALS] = "not_equals",
	[ZCSYNC_LEAD_ONE_OF] = "one_of",
	[ZCSYNC_LEAD_CONTAINS] = "contains",
	[ZCSYNC_LEAD_AT_LEAST] = "at_least",
	[ZCSYNC_LEAD_AT_MOST] = "at_most",
	[ZCSYNC_LEAD_NEWER_THAN] = "newer_than"
};

static char *folded(const char *chars);
static char *spaced_words(const char *chars);
static void split_words(ZcsyncLeadCondition *condition, char *operand);
static bool is_one_of(const ZcsyncLeadCondition *condition, const char *value);
static bool has_word(const ZcsyncLeadCondition *condition, const char *value);
static Numeric number_of(const char *chars);
static bool is_number(const char *chars);
static int	skip_digits(const char **chars);
static int	compare(const char *value, Numeric number);
static bool is_newer(const char *value, const char *operand);

/*
 * SQL: does the condition of a score rule hold for a value?
 *
 *		_rule_holds(value text, operator text, operand text)
 */
Datum
zcsync_sql_rule_holds(PG_FUNCTION_ARGS)
{
	char	   *value = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *op = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *operand = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	ZcsyncLeadCondition condition;

	zcsync_lead_condition(&condition, op, operand);
	PG_RETURN_BOOL(zcsync_lead_condition_holds(&condition, value));
}

/*
 * Make a condition ready, in the current memory context.
 */
void
zcsync_lead_condition(ZcsyncLeadCondition *condition, const char *op,
					  const char *operand)
{
	memset(condition, 0, sizeof(*condition));
	condition->op = ZCSYNC_LEAD_NEVER;
	for (int i = 0; op != NULL && i < lengthof(operators); i++)
		if (strcmp(op, operators[i]) == 0)
			condition->op = i;
	if (condition->op <= ZCSYNC_LEAD_IS_EMPTY)
		return;
	if (operand == NULL)
	{
		condition->op = ZCSYNC_LEAD_NEVER;
		return;
	}
	condition->operand = pstrdup(operand);
	switch (condition->op)
	{
		case ZCSYNC_LEAD_EQUALS:
		case ZCSYNC_LEAD_NOT_EQUALS:
			condition->nwords = 1;
			condition->words = palloc(sizeof(char *));
			condition->words[0] = folded(operand);
			break;
		case ZCSYNC_LEAD_ONE_OF:
		case ZCSYNC_LEAD_CONTAINS:
			split_words(condition, folded(operand));
			break;
		case ZCSYNC_LEAD_AT_LEAST:
		case ZCSYNC_LEAD_AT_MOST:
			condition->number = number_of(operand);
			break;
		default:
			break;
	}
}

bool
zcsync_lead_condition_holds(const ZcsyncLeadCondition *condition,
							const char *value)
{
	if (condition->op == ZCSYNC_LEAD_IS_EMPTY)
		return value == NULL || value[0] == '\0';
	if (value == NULL)
		return false;
	switch (condition->op)
	{
		case ZCSYNC_LEAD_IS_FILLED:
			return value[0] != '\0';
		case ZCSYNC_LEAD_EQUALS:
		case ZCSYNC_LEAD_ONE_OF:
			return is_one_of(condition, value);
		case ZCSYNC_LEAD_NOT_EQUALS:
			return !is_one_of(condition, value);
		case ZCSYNC_LEAD_CONTAINS:
			return has_word(condition, value);
		case ZCSYNC_LEAD_AT_LEAST:
			return is_number(value) && compare(value, condition->number) >= 0;
		case ZCSYNC_LEAD_AT_MOST:
			return is_number(value) && compare(value, condition->number) <= 0;
		case ZCSYNC_LEAD_NEWER_THAN:
			return is_newer(value, condition->operand);
		default:
			return false;
	}
}

/*
 * In lower case, as zcsync._fold() makes it: letters of ASCII always the same
 * way, others by the locale of the database.
 */
static char *
folded(const char *chars)
{
	size_t		len = strlen(chars);
	char	   *lower = str_tolower(chars, len, C_COLLATION_OID);

	for (size_t i = 0; i < len; i++)
		if (IS_HIGHBIT_SET(lower[i]))
			return str_tolower(lower, len, DEFAULT_COLLATION_OID);
	return lower;
}

/*
 * The words of an operand, with | between them.  A phrase that is to be
 * contained gets a space at both ends; one without any letter is contained in
 * nothing.
 */
static void
split_words(ZcsyncLeadCondition *condition, char *operand)
{
	int			most = 1;

	for (char *c = operand; *c != '\0'; c++)
		most += *c == '|';
	condition->words = palloc(most * sizeof(char *));
	for (char *word = operand; word != NULL;)
	{
		char	   *next = strchr(word, '|');

		if (next != NULL)
			*next++ = '\0';
		if (condition->op == ZCSYNC_LEAD_CONTAINS)
			word = spaced_words(word);
		if (condition->op != ZCSYNC_LEAD_CONTAINS || word[1] != '\0')
			condition->words[condition->nwords++] = word;
		word = next;
	}
}

/*
 * The words of a text with one space between them and at both ends.
 * Punctuation counts as a space: "co-founder" and "r&d" are two words each.
 */
static char *
spaced_words(const char *chars)
{
	char	   *words = palloc(strlen(chars) + 3);
	char	   *end = words;

	*end++ = ' ';
	for (; *chars != '\0'; chars++)
	{
		char		c = strchr(",.;:/()-&", *chars) != NULL ? ' ' : *chars;

		if (c != ' ' || end[-1] != ' ')
			*end++ = c;
	}
	if (end[-1] != ' ')
		*end++ = ' ';
	*end = '\0';
	return words;
}

static bool
is_one_of(const ZcsyncLeadCondition *condition, const char *value)
{
	const char *lower = folded(value);

	for (int i = 0; i < condition->nwords; i++)
		if (strcmp(lower, condition->words[i]) == 0)
			return true;
	return false;
}

/* Words, not parts of words: "vp" is not in "mvp". */
static bool
has_word(const ZcsyncLeadCondition *condition, const char *value)
{
	const char *words = spaced_words(folded(value));

	for (int i = 0; i < condition->nwords; i++)
		if (strstr(words, condition->words[i]) != NULL)
			return true;
	return false;
}

static Numeric
number_of(const char *chars)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(chars),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/* A custom field may hold any text. */
static bool
is_number(const char *chars)
{
	int			digits;

	if (*chars == '-')
		chars++;
	digits = skip_digits(&chars);
	if (digits < 1 || digits > MAX_DIGITS)
		return false;
	if (*chars == '.')
	{
		chars++;
		digits = skip_digits(&chars);
		if (digits < 1 || digits > MAX_DIGITS)
			return false;
	}
	return *chars == '\0';
}

/* How many digits there are; they are skipped. */
static int
skip_digits(const char **chars)
{
	const char *start = *chars;

	while (**chars >= '0' && **chars <= '9')
		(*chars)++;
	return *chars - start;
}

static int
compare(const char *value, Numeric number)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(number_of(value)),
											 NumericGetDatum(number)));
}

/*
 * Is a time in a text newer than so long ago?  Few rules ask that, so SQL
 * reads the text.
 */
static bool
is_newer(const char *value, const char *operand)
{
	static SPIPlanPtr plan = NULL;
	Datum		args[] = {CStringGetTextDatum(value), CStringGetTextDatum(operand)};
	bool		isnull;
	bool		newer;

	SPI_connect();
	if (plan == NULL)
	{
		Oid			types[] = {TEXTOID, TEXTOID};
		SPIPlanPtr	prepared = SPI_prepare("SELECT zcsync._is_newer($1, $2)",
										   2, types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare _is_newer()");
		SPI_keepplan(prepared);
		plan = prepared;
	}
	if (SPI_execute_plan(plan, args, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not ask _is_newer()");
	newer = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return newer && !isnull;
}
