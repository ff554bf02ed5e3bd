/*-------------------------------------------------------------------------
 *
 * timeline.c
 *		Did the timelines before this one end with a clean shutdown?
 *
 * A switchover that was planned stops the primary first and promotes the
 * standby then.  The last record of the old timeline is the checkpoint of that
 * shutdown, which the primary writes after all else, and sends to its standbys
 * before it ends.  After a crash it is any other record.
 *
 * The first record of a timeline says where the last one of the timeline
 * before it begins.  WAL of so long ago may be gone: that is an error, which
 * the caller takes for "not known".
 *
 * IDENTIFICATION
 *		src/timeline.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/timeline.h"
#include "access/xlog.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "catalog/pg_control.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(zcsync_sql_shut_down_cleanly);

static bool ends_with_shutdown(XLogRecPtr end);

/*
 * _shut_down_cleanly(timeline): is what this server has from that timeline on
 * until now divided by clean shutdowns only?  Throws if that cannot be told.
 */
Datum
zcsync_sql_shut_down_cleanly(PG_FUNCTION_ARGS)
{
	TimeLineID	since = (TimeLineID) PG_GETARG_INT32(0);
	List	   *history = readTimeLineHistory(GetWALInsertionTimeLine());
	bool		found = false;
	ListCell   *lc;

	foreach(lc, history)
	{
		TimeLineHistoryEntry *entry = lfirst(lc);

		if (entry->tli < since || XLogRecPtrIsInvalid(entry->end))
			continue;
		found = found || entry->tli == since;
		if (!ends_with_shutdown(entry->end))
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(found);
}

/*
 * Is the last record before this place, where a timeline ends, the checkpoint
 * of a shutdown?
 */
static bool
ends_with_shutdown(XLogRecPtr end)
{
	ReadLocalXLogPageNoWaitPrivate *private;
	XLogReaderState *reader;
	XLogRecPtr	next;
	char	   *why = NULL;
	bool		is_shutdown = false;

	private = palloc0(sizeof(ReadLocalXLogPageNoWaitPrivate));
	reader = XLogReaderAllocate(wal_segment_size, NULL,
								XL_ROUTINE(.page_read = &read_local_xlog_page_no_wait,
										   .segment_open = &wal_segment_open,
										   .segment_close = &wal_segment_close),
								private);
	if (reader == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));

	next = XLogFindNextRecord(reader, end);
	if (!XLogRecPtrIsInvalid(next))
	{
		XLogBeginRead(reader, next);
		if (XLogReadRecord(reader, &why) != NULL)
		{
			XLogBeginRead(reader, XLogRecGetPrev(reader));
			is_shutdown = XLogReadRecord(reader, &why) != NULL &&
				XLogRecGetRmid(reader) == RM_XLOG_ID &&
				(XLogRecGetInfo(reader) & ~XLR_INFO_MASK) == XLOG_CHECKPOINT_SHUTDOWN;
		}
	}
	XLogReaderFree(reader);
	return is_shutdown;
}
