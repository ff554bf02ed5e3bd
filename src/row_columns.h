/*-------------------------------------------------------------------------
 *
 * row_columns.h
 *		Columns of rows that SQL passes as records.
 *
 * IDENTIFICATION
 *		src/row_columns.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_ROW_COLUMNS_H
#define ZCSYNC_ROW_COLUMNS_H

#include "access/htup.h"
#include "access/tupdesc.h"

extern TupleDesc zcsync_record_deform(HeapTupleHeader header, Datum **values,
									  bool **nulls);
extern bool zcsync_column_same(Form_pg_attribute column, Datum a, bool a_null,
							   Datum b, bool b_null);

#endif							/* ZCSYNC_ROW_COLUMNS_H */
