/*-------------------------------------------------------------------------
 *
 * refusal.h
 *		Errors that zcsync's SQL raises are shown without a stack of
 *		functions.
 *
 * IDENTIFICATION
 *		src/refusal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_REFUSAL_H
#define ZCSYNC_REFUSAL_H

extern void zcsync_refusal_init(void);

#endif							/* ZCSYNC_REFUSAL_H */
