/*-------------------------------------------------------------------------
 *
 * timeline.c
 *		Did the timelines before this one end with a clean shutdown?
 *
 * In a planned switchover, the primary is stopped first and then the standby
 * is promoted.  The last record of the old timeline is then the checkpoint of
 * that shutdown, which the primary writes after everything else, and sends to
 * its standbys before it ends.  After a crash it is any other record.
 *
 * That checkpoint is also the last thing that a standby has of a primary that
 * was started again later, while the standby was away, and crashed then.  So
 * it counts only if the promotion followed soon.
 *
 * The first record of a timeline tells when it began, and where the last one of
 * the timeline before it is.  WAL of so long ago may be gone: that is an error,
 * which the caller takes for "not known".
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
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "catalog/pg_control.h"
#include "fmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(zcsync_sql_shut_down_cleanly);

static bool ends_with_shutdown(XLogRecPtr end, int within);
static bool is_shutdown(XLogReaderState *reader, TimestampTz *at);
static bool is_beginning(XLogReaderState *reader, TimestampTz *at);

/*
 * _shut_down_cleanly(timeline, seconds): is what this server has from that
 * timeline on until now divided by clean shutdowns only, each followed by the
 * promotion within so many seconds?  Throws if that cannot be told.
 */
Datum
zcsync_sql_shut_down_cleanly(PG_FUNCTION_ARGS)
{
	TimeLineID	since = (TimeLineID) PG_GETARG_INT32(0);
	int			within = PG_GETARG_INT32(1);
	List	   *history = readTimeLineHistory(GetWALInsertionTimeLine());
	bool		found = false;
	ListCell   *lc;

	foreach(lc, history)
	{
		TimeLineHistoryEntry *entry = lfirst(lc);

		if (entry->tli < since || XLogRecPtrIsInvalid(entry->end))
			continue;
		found = found || entry->tli == since;
		if (!ends_with_shutdown(entry->end, within))
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(found);
}

/*
 * Is the last record before this place, where a timeline ends, the checkpoint
 * of a shutdown, so many seconds before the next timeline began at most?
 */
static bool
ends_with_shutdown(XLogRecPtr end, int within)
{
	ReadLocalXLogPageNoWaitPrivate *private;
	XLogReaderState *reader;
	XLogRecPtr	next;
	char	   *why = NULL;
	TimestampTz shut_down = 0;
	TimestampTz began = 0;
	bool		found = false;

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
		if (XLogReadRecord(reader, &why) != NULL && is_beginning(reader, &began))
		{
			XLogBeginRead(reader, XLogRecGetPrev(reader));
			found = XLogReadRecord(reader, &why) != NULL && is_shutdown(reader, &shut_down);
		}
	}
	XLogReaderFree(reader);
	return found && !TimestampDifferenceExceeds(shut_down, began, within * 1000);
}

/*
 * Is the record just read the checkpoint of a shutdown, and of when?
 */
static bool
is_shutdown(XLogReaderState *reader, TimestampTz *at)
{
	CheckPoint	checkpoint;

	if (XLogRecGetRmid(reader) != RM_XLOG_ID ||
		(XLogRecGetInfo(reader) & ~XLR_INFO_MASK) != XLOG_CHECKPOINT_SHUTDOWN)
		return false;

	memcpy(&checkpoint, XLogRecGetData(reader), sizeof(checkpoint));
	*at = time_t_to_timestamptz(checkpoint.time);
	return true;
}

/*
 * Does the record just read tell when its timeline began?  It does after a
 * promotion.  A server that recovered from a backup begins with a checkpoint,
 * and one whose full_page_writes differ with another record: neither is what a
 * planned switchover looks like.
 */
static bool
is_beginning(XLogReaderState *reader, TimestampTz *at)
{
	xl_end_of_recovery record;

	if (XLogRecGetRmid(reader) != RM_XLOG_ID ||
		(XLogRecGetInfo(reader) & ~XLR_INFO_MASK) != XLOG_END_OF_RECOVERY)
		return false;

	memcpy(&record, XLogRecGetData(reader), sizeof(record));
	*at = record.end_time;
	return true;
}
