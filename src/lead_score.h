/*-------------------------------------------------------------------------
 *
 * lead_score.h
 *		Scores and stages of leads, by the rules in tables.
 *
 * IDENTIFICATION
 *		src/lead_score.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LEAD_SCORE_H
#define ZCSYNC_LEAD_SCORE_H

#include "utils/jsonb.h"

#include "lead_rule.h"

#define ZCSYNC_LEAD_SCORES	3

/* A row of lead_score_rules. */
typedef struct ZcsyncLeadRule
{
	int			score;			/* which of the scores */
	int			points;
	bool		custom;			/* of a custom field */
	char	   *field;			/* its name, or that of the column */
	ZcsyncLeadCondition condition;
} ZcsyncLeadRule;

/* A row of lead_stage_rules. */
typedef struct ZcsyncLeadStage
{
	char	   *stage;
	int			least[ZCSYNC_LEAD_SCORES];
	int			nstatuses;		/* -1: any status that is not closed */
	int		   *statuses;
} ZcsyncLeadStage;

/* All rules, as they are when a statement begins. */
typedef struct ZcsyncLeadScoring
{
	int			nrules;
	ZcsyncLeadRule *rules;
	int			nstages;
	ZcsyncLeadStage *stages;	/* the highest first */
	int			nclosed;
	int		   *closed;			/* statuses */
} ZcsyncLeadScoring;

typedef struct ZcsyncLeadScores
{
	int			score[ZCSYNC_LEAD_SCORES];
	const char *stage;
} ZcsyncLeadScores;

/* The value that a rule looks at, or NULL. */
typedef char *(*ZcsyncLeadField) (void *lead, int rule);

extern const char *const zcsync_lead_score_names[ZCSYNC_LEAD_SCORES];

extern ZcsyncLeadScoring *zcsync_lead_scoring(bool read_only);
extern void zcsync_lead_score(const ZcsyncLeadScoring *scoring,
							  ZcsyncLeadField field, void *lead,
							  bool has_status, int status,
							  ZcsyncLeadScores *scores);
extern char *zcsync_lead_member(Jsonb *object, const char *key);

#endif							/* ZCSYNC_LEAD_SCORE_H */
