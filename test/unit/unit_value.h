/*-------------------------------------------------------------------------
 *
 * unit_value.h
 *		Values for tests, written and shown as JSON.
 *
 * IDENTIFICATION
 *		test/unit/unit_value.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_UNIT_VALUE_H
#define ZCSYNC_UNIT_VALUE_H

#include "../../src/value.h"

extern ZcsyncValue *value_read(const char *json);
extern char *value_show(const ZcsyncValue *value);

#endif							/* ZCSYNC_UNIT_VALUE_H */
