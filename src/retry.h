/*-------------------------------------------------------------------------
 *
 * retry.h
 *		What the end of an exchange means for its jobs, and when to try again.
 *
 * IDENTIFICATION
 *		src/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_RETRY_H
#define ZCSYNC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Stands for a curl code when the request was refused before it was sent. */
#define ZCSYNC_CURL_REFUSED		(-1)

/* Longest pause that a vendor may ask for, in seconds. */
#define ZCSYNC_RETRY_AFTER_MAX	86400

/* The classes of outcome, in the order of the names in retry.c. */
typedef enum ZcsyncOutcomeClass
{
	ZCSYNC_OUTCOME_NONE = -1,	/* as a hint: use code and status */
	ZCSYNC_OUTCOME_DONE,		/* accepted */
	ZCSYNC_OUTCOME_THROTTLED,	/* too many requests: wait, no attempt spent */
	ZCSYNC_OUTCOME_VENDOR,		/* DNS, connect, TLS, time-out, 5xx, HTML */
	ZCSYNC_OUTCOME_AUTH,		/* credentials not accepted */
	ZCSYNC_OUTCOME_REJECTED,	/* this request is refused by the vendor */
	ZCSYNC_OUTCOME_CONFLICT,	/* the record changed meanwhile */
	ZCSYNC_OUTCOME_NOT_FOUND,	/* the record is not there */
	ZCSYNC_OUTCOME_BROKEN,		/* accepted, but the reply cannot be read */
	ZCSYNC_OUTCOME_CONFIG		/* refused here: host not allowed, ... */
} ZcsyncOutcomeClass;

#define ZCSYNC_OUTCOME_COUNT	(ZCSYNC_OUTCOME_CONFIG + 1)

/* Everything the judgement depends on. */
typedef struct ZcsyncRetryInput
{
	int			curl_code;		/* CURLcode, or ZCSYNC_CURL_REFUSED */
	bool		maybe_sent;		/* may any byte have reached the vendor? */
	int			status;			/* HTTP status; read only if curl_code is 0 */
	int64_t		retry_after_s;	/* what the vendor asked for; -1: nothing */
	int			attempt;		/* attempts so far, this one included: 1.. */
	bool		is_write;		/* would the request change a record? */
	ZcsyncOutcomeClass hint;	/* what the reply's body says; or NONE */
	int64_t		base_ms;		/* backoff after the first attempt */
	int64_t		cap_ms;			/* longest backoff */
	double		random01;		/* 0.0 <= random01 < 1.0 */
} ZcsyncRetryInput;

typedef struct ZcsyncOutcome
{
	ZcsyncOutcomeClass class;
	bool		maybe_applied;	/* a write whose effect is not known */
	int64_t		delay_ms;		/* until the next attempt; 0 if DONE */
} ZcsyncOutcome;

extern ZcsyncOutcome zcsync_retry_judge(const ZcsyncRetryInput *in);
extern const char *zcsync_outcome_name(ZcsyncOutcomeClass class);
extern int64_t zcsync_backoff_ms(int64_t base_ms, int64_t cap_ms, int attempt,
								 double random01);
extern int64_t zcsync_retry_after_parse(const char *value, int64_t now_epoch);

#endif							/* ZCSYNC_RETRY_H */
