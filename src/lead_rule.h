/*-------------------------------------------------------------------------
 *
 * lead_rule.h
 *		Does the condition of a score rule hold for a value?
 *
 * IDENTIFICATION
 *		src/lead_rule.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LEAD_RULE_H
#define ZCSYNC_LEAD_RULE_H

#include "utils/numeric.h"

typedef enum ZcsyncLeadOperator
{
	ZCSYNC_LEAD_IS_FILLED,
	ZCSYNC_LEAD_IS_EMPTY,
	ZCSYNC_LEAD_EQUALS,
	ZCSYNC_LEAD_NOT_EQUALS,
	ZCSYNC_LEAD_ONE_OF,
	ZCSYNC_LEAD_CONTAINS,
	ZCSYNC_LEAD_AT_LEAST,
	ZCSYNC_LEAD_AT_MOST,
	ZCSYNC_LEAD_NEWER_THAN,
	ZCSYNC_LEAD_NEVER			/* an operator or operand is missing */
} ZcsyncLeadOperator;

/* A condition, made ready to be tested with many values. */
typedef struct ZcsyncLeadCondition
{
	ZcsyncLeadOperator op;
	char	   *operand;		/* as it was given */
	int			nwords;			/* of equals, one_of and contains, in lower
								 * case */
	char	  **words;
	Numeric		number;			/* of at_least and at_most */
} ZcsyncLeadCondition;

extern void zcsync_lead_condition(ZcsyncLeadCondition *condition,
								  const char *op, const char *operand);
extern bool zcsync_lead_condition_holds(const ZcsyncLeadCondition *condition,
										const char *value);

#endif							/* ZCSYNC_LEAD_RULE_H */
