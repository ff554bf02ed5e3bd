/*-------------------------------------------------------------------------
 *
 * shown_secret.h
 *		Secrets that the reply to a call shows.
 *
 * IDENTIFICATION
 *		src/shown_secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SHOWN_SECRET_H
#define ZCSYNC_SHOWN_SECRET_H

#include "call.h"

extern char *zcsync_shown_secret_member(const ZcsyncCall *call);
extern void zcsync_shown_secret_take(ZcsyncCall *call, const char *member);

#endif							/* ZCSYNC_SHOWN_SECRET_H */
