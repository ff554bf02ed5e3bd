/*-------------------------------------------------------------------------
 *
 * unit.h
 *		What the unit tests share: three ways to check, printed as TAP.
 *
 * IDENTIFICATION
 *		test/unit/unit.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_UNIT_H
#define ZCSYNC_UNIT_H

extern void ok(bool pass, const char *name);
extern void is_int(int64 got, int64 expected, const char *name);
extern void is_text(const char *got, const char *expected, const char *name);

extern void test_conceal(void);
extern void test_file_body(void);
extern void test_json(void);
extern void test_merge(void);
extern void test_merge_laws(void);
extern void test_retry(void);
extern void test_url(void);

#endif							/* ZCSYNC_UNIT_H */
