/*-------------------------------------------------------------------------
 *
 * rich_attributes.h
 *		What attributes of an element of HTML say of it.
 *
 * IDENTIFICATION
 *		src/rich_attributes.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_RICH_ATTRIBUTES_H
#define ZCSYNC_RICH_ATTRIBUTES_H

extern const char *zcsync_rich_attribute(const char **atts, const char *name);
extern const char *zcsync_rich_next_word(const char *words, int *len);
extern bool zcsync_rich_is_tracker(const char **atts);
extern bool zcsync_rich_is_hidden(const char **atts);
extern bool zcsync_rich_is_mention(const char **atts);
extern bool zcsync_rich_has_no_gap(const char **atts);

#endif							/* ZCSYNC_RICH_ATTRIBUTES_H */
