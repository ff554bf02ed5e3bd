/*-------------------------------------------------------------------------
 *
 * local_account.c
 *		Is an account one without a vendor?  Triggers ask for each row that they
 *		see, and the rows of a statement mostly have the same account.
 *
 * IDENTIFICATION
 *		src/local_account.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"

#include "local_account.h"

static bool ask_local(int64 account);

bool
zcsync_is_local_account(ZcsyncLocalAccount *last, int64 account)
{
	if (!last->known || last->account != account)
	{
		last->known = false;
		last->is_local = ask_local(account);
		last->account = account;
		last->known = true;
	}
	return last->is_local;
}

static bool
ask_local(int64 account)
{
	static SPIPlanPtr plan = NULL;
	Datum		args[] = {Int64GetDatum(account)};
	bool		found;

	SPI_connect();
	if (plan == NULL)
	{
		Oid			types[] = {INT8OID};
		SPIPlanPtr	prepared = SPI_prepare("SELECT FROM zcsync.accounts AS a "
										   "WHERE a.account_id = $1 AND a.vendor = 'local'",
										   1, types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare the query of accounts");
		SPI_keepplan(prepared);
		plan = prepared;
	}
	if (SPI_execute_plan(plan, args, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not ask for an account");
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}
