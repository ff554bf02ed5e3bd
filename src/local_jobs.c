/*-------------------------------------------------------------------------
 *
 * local_jobs.c
 *		Are there jobs that send nothing: routes, rows that had to wait?
 *
 * The rules are SQL (sql/queue/local.sql), called here with kept plans.  Such
 * jobs are run by queue.c.
 *
 * IDENTIFICATION
 *		src/local_jobs.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "local_jobs.h"

static int64 ask(SPIPlanPtr *plan, const char *sql);

/* Is there a local job that could be run now? */
bool
zcsync_local_jobs_due(void)
{
	static SPIPlanPtr plan = NULL;

	return ask(&plan, "SELECT zcsync._has_local_jobs()::int::int8") != 0;
}

/* Milliseconds until the next local job becomes due; -1: none is planned. */
long
zcsync_local_jobs_next_ms(void)
{
	static SPIPlanPtr plan = NULL;

	return (long) ask(&plan,
					  "SELECT coalesce((extract(epoch FROM zcsync._next_local_at() - zcsync._now()) * 1000)::int8, -1)");
}

/* Run a statement that returns one bigint, preparing it the first time. */
static int64
ask(SPIPlanPtr *plan, const char *sql)
{
	bool		isnull;

	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(sql, 0, NULL);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", sql,
				 SPI_result_code_string(SPI_result));
		*plan = prepared;
	}
	if (SPI_execute_plan(*plan, NULL, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "\"%s\" did not return one row", sql);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}
