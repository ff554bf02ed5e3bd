/*-------------------------------------------------------------------------
 *
 * conceal.h
 *		Overwrite secrets that a text quotes.
 *
 * IDENTIFICATION
 *		src/conceal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CONCEAL_H
#define ZCSYNC_CONCEAL_H

extern void zcsync_conceal(char *said, const char *secret);
extern void zcsync_conceal_whole(char *said, const char *value);

#endif							/* ZCSYNC_CONCEAL_H */
