/*-------------------------------------------------------------------------
 *
 * reference.h
 *		References to secrets outside of the database.
 *
 * IDENTIFICATION
 *		src/reference.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_REFERENCE_H
#define ZCSYNC_REFERENCE_H

extern bool zcsync_reference_is(const char *value);
extern void zcsync_reference_check(const char *name, const char *reference);
extern char *zcsync_reference_read(const char *name, const char *reference,
								   MemoryContext context, char **message,
								   char **hint);
extern const char *zcsync_secret_problem(const char *value, Size size);

#endif							/* ZCSYNC_REFERENCE_H */
