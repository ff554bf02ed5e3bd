/*-------------------------------------------------------------------------
 *
 * token.h
 *		Access tokens of accounts whose authorisation is OAuth.
 *
 * IDENTIFICATION
 *		src/token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_TOKEN_H
#define ZCSYNC_TOKEN_H

#include "call.h"

extern void zcsync_token_store(ZcsyncAccount *account,
							   const char *access_token, int lifetime_s,
							   const char *scope);
extern bool zcsync_token_valid(const ZcsyncAccount *account, TimestampTz now);
extern void zcsync_token_reject(const ZcsyncAccount *account);

#endif							/* ZCSYNC_TOKEN_H */
