/*-------------------------------------------------------------------------
 *
 * cache.h
 *		The cache that all sessions of the server share.
 *
 * IDENTIFICATION
 *		src/cache.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CACHE_H
#define ZCSYNC_CACHE_H

/* throws if this transaction cannot be prepared */
extern void zcsync_cache_before_prepare(void);

/* called at the end of each transaction; does not throw or allocate */
extern void zcsync_cache_transaction_ended(bool committed);

#endif							/* ZCSYNC_CACHE_H */
