/*-------------------------------------------------------------------------
 *
 * engine_finish.h
 *		The end of a call: its outcome is recorded.
 *
 * IDENTIFICATION
 *		src/engine_finish.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ENGINE_FINISH_H
#define ZCSYNC_ENGINE_FINISH_H

#include "engine_state.h"

/* Keep a call that is over until its outcome is recorded. */
extern void zcsync_engine_done(ZcsyncEngine *engine, ZcsyncCall *call);

/* Record what is over, in transactions; was there anything? */
extern bool zcsync_engine_finish(ZcsyncEngine *engine);

/* When is the next outcome to be recorded?  DT_NOEND: there is none. */
extern TimestampTz zcsync_engine_next_finish(ZcsyncEngine *engine);

#endif							/* ZCSYNC_ENGINE_FINISH_H */
