/*-------------------------------------------------------------------------
 *
 * call_conceal.h
 *		Remove an account's secrets from what the reply to a call quotes.
 *
 * IDENTIFICATION
 *		src/call_conceal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CALL_CONCEAL_H
#define ZCSYNC_CALL_CONCEAL_H

#include "call.h"

extern void zcsync_call_conceal(const ZcsyncCall *call, char *said);
extern void zcsync_call_conceal_body(ZcsyncCall *call);

#endif							/* ZCSYNC_CALL_CONCEAL_H */
