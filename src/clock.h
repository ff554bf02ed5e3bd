/*-------------------------------------------------------------------------
 *
 * clock.h
 *		The time by which zcsync goes.
 *
 * IDENTIFICATION
 *		src/clock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CLOCK_H
#define ZCSYNC_CLOCK_H

#include "datatype/timestamp.h"

extern TimestampTz zcsync_now(void);
extern TimestampTz zcsync_began_at(void);

#endif							/* ZCSYNC_CLOCK_H */
