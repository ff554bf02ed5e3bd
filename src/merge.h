/*-------------------------------------------------------------------------
 *
 * merge.h
 *		The value of a column after a document says something about it.
 *
 * IDENTIFICATION
 *		src/merge.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_MERGE_H
#define ZCSYNC_MERGE_H

#include "value.h"

/* Who wins a column that both sides changed since they last agreed. */
typedef enum ZcsyncPolicy
{
	ZCSYNC_POLICY_DEFAULT = 0,	/* theirs; but mine where nothing was ever
								 * agreed on, or where mine outranks theirs */
	ZCSYNC_POLICY_REMOTE,		/* theirs */
	ZCSYNC_POLICY_LOCAL,		/* mine */
	ZCSYNC_POLICY_NEWEST,		/* the later change; theirs if that is not
								 * known */
	ZCSYNC_POLICY_UNION,		/* for sets on which nothing was ever
								 * agreed: both; otherwise as by default */
	ZCSYNC_POLICY_MANUAL		/* mine stays, unsent, until a person decides */
} ZcsyncPolicy;

/* A value that this database sent to the vendor. */
typedef struct ZcsyncSent
{
	const ZcsyncValue *value;	/* NULL: this push did not send the column */
	const ZcsyncValue *base;	/* what was agreed on at that time; NULL:
								 * nothing */
	bool		answered;		/* the document is the reply to this push */
} ZcsyncSent;

typedef struct ZcsyncMergeInput
{
	const ZcsyncValue *mine;
	const ZcsyncValue *base;	/* NULL: nothing was ever agreed on */
	const ZcsyncValue *theirs;
	const ZcsyncSent *sent;		/* pushes that base may not contain yet, the
								 * oldest first */
	int			nsent;
	ZcsyncPolicy policy;
	bool		is_set;			/* merge lists element by element */
	bool		is_record;		/* merge objects key by key */
	bool		pushable;		/* can the column be written at the vendor? */
	bool		forms_count;	/* is the same value in another form another
								 * value? */
	bool		mine_is_newer;	/* for ZCSYNC_POLICY_NEWEST */

	/*
	 * Does mine win by default?  Asked only where that decides, and of a
	 * record for each key; NULL: it does not.
	 */
	bool		(*mine_outranks) (void *asker, const char *key, int keylen);
	void	   *asker;
	const char *key;			/* of a record; NULL: the whole column */
	int			keylen;
} ZcsyncMergeInput;

/* Which side's value a column, or a key of it, gets. */
typedef enum ZcsyncWinner
{
	ZCSYNC_MINE,
	ZCSYNC_THEIRS,
	ZCSYNC_MIXED				/* of a set or a record: parts of both */
} ZcsyncWinner;

/* What both sides changed to different values, and how it ended. */
typedef enum ZcsyncDisputeEnd
{
	ZCSYNC_LOST_MINE,
	ZCSYNC_LOST_THEIRS,
	ZCSYNC_UNDECIDED
} ZcsyncDisputeEnd;

typedef struct ZcsyncDispute
{
	const char *key;			/* of a record; NULL: the whole column */
	int			keylen;
	ZcsyncDisputeEnd end;
	const ZcsyncValue *mine;
	const ZcsyncValue *theirs;
} ZcsyncDispute;

typedef struct ZcsyncMergeResult
{
	ZcsyncWinner winner;
	ZcsyncValue value;			/* shares memory with the input */
	void	   *made;			/* elements or members of a mixed value */
	ZcsyncDispute *disputes;
	int			ndisputes;
} ZcsyncMergeResult;

extern bool zcsync_policy_parse(const char *name, int len,
								ZcsyncPolicy *policy);
extern void zcsync_merge(const ZcsyncMergeInput *input,
						 ZcsyncMergeResult *result);

#endif							/* ZCSYNC_MERGE_H */
