/*-------------------------------------------------------------------------
 *
 * call.h
 *		What the worker makes of a job: one HTTP exchange and its outcome.
 *
 * IDENTIFICATION
 *		src/call.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CALL_H
#define ZCSYNC_CALL_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "account.h"
#include "http.h"
#include "retry.h"

/* What the headers of a reply say about a budget; -1: nothing. */
typedef struct ZcsyncLimits
{
	const char *class;			/* the budget; NULL: they named no other one */
	int			limit;
	int			remaining;
	int			reset_s;		/* seconds until the window ends */
} ZcsyncLimits;

/*
 * One exchange.  The engine makes it from a claimed job, the connector turns
 * "request" into "http", the engine sends it, and the connector reads
 * "response" and fills the outcome.  Everything is allocated in "context".
 *
 * Where a vendor takes many records in one exchange, the calls of several
 * jobs are the members of a carrier: a call without a job, which is sent for
 * all of them.  When it is over, each member has its own outcome, and the
 * carrier is freed.
 */
typedef struct ZcsyncCall
{
	MemoryContext context;
	ZcsyncAccount *account;
	int64		job_id;
	int32		attempts;		/* recording the outcome fails if the job
								 * was claimed again */
	int32		failures;		/* counted attempts before this one */
	char	   *budget_class;
	Jsonb	   *request;		/* made by the vendor's SQL: {"op": ..., ...} */
	char	   *op;				/* request->op */
	int64		call_id;		/* jobs with the same one share a call; 0: alone */
	List	   *members;		/* of a carrier: the calls that travel in it */

	/* filled by the connector's prepare() */
	ZcsyncHttpRequest http;

	/* filled by the engine when the exchange is over */
	ZcsyncHttpTransfer *transfer;	/* NULL once the outcome is complete */

	/* the outcome: defaults by the engine from retry.c, refined by interpret() */
	ZcsyncOutcomeClass outcome;
	bool		maybe_applied;	/* a write whose effect is not known */
	int			status;			/* HTTP status, 0: none */
	int64		delay_ms;		/* try again no sooner than this; -1: the queue's backoff */
	char	   *message;		/* for people; never holds a secret */
	char	   *hint;			/* what to do, or NULL */
	char	   *body;			/* clean JSON, or NULL when there is none */
	Size		body_len;
	int64		duration_us;
	int64		connect_us;		/* 0: no connection was made for it */

	/* kept by the engine */
	int			hops;			/* addresses to which a download was sent on */
	bool		is_token;		/* the reply is that to the fetch of an
								 * access token */
	char	   *token_scope;	/* what the token may do, as the reply says;
								 * NULL: it does not say */
	bool		is_probe;		/* finds out whether the account works */
	bool		halved;			/* refused together with others: try it
								 * again in a smaller set */
	int			leftover;		/* ZcsyncLeftover of queue.h */
	bool		finished;		/* the outcome is committed */
	int			activity;		/* its place in activity.c; 0: none */
	int			finish_wait_ms; /* between attempts to record it; 0: none yet */
	TimestampTz finish_at;		/* record it no sooner than this */

	/* what the vendor's headers say about the budget; -1: nothing */
	int			limit;
	int			limit_window_s; /* of that; 0: the window of the budget */
	int			remaining;
	int			reset_s;		/* seconds until the window ends */
	int64		pause_ms;		/* stop calling this class for so long; 0: no */
	bool		pause_guessed;	/* the vendor did not say how long */
	const char *limits_class;	/* the class that these limits are about;
								 * NULL: the call's */
	ZcsyncLimits other_limits;	/* those of a second budget that the reply
								 * names */
	bool		limit_of_record;	/* throttled: only this record must wait */
} ZcsyncCall;

/* the exchange */
extern ZcsyncCall *zcsync_call_create(MemoryContext parent,
									  ZcsyncAccount *account,
									  Jsonb *request);
extern bool zcsync_call_prepare(ZcsyncCall *call);
extern void zcsync_call_complete(ZcsyncCall *call,
								 ZcsyncHttpTransfer *transfer);
extern void zcsync_call_free(ZcsyncCall *call);

/* calls that travel together */
extern ZcsyncCall *zcsync_call_carry(MemoryContext parent, List *members);
extern void zcsync_call_split(ZcsyncCall *carrier);
extern void zcsync_call_leave(ZcsyncCall *member, const char *why);

/* errors in prepare(): sets outcome to 'config' and says why; returns false */
extern bool zcsync_call_refuse(ZcsyncCall *call, const char *message,
							   const char *hint);

#endif							/* ZCSYNC_CALL_H */
