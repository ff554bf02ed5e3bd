/*-------------------------------------------------------------------------
 *
 * account.c
 *		Accounts as the worker and the connectors see them, and what loads them.
 *
 * The engine keeps an account while its version stays the same; each call holds
 * a reference, so that an account which is altered meanwhile lives as long as
 * the last call that was made with it.
 *
 * IDENTIFICATION
 *		src/account.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/memutils.h"

#include "account.h"
#include "connector.h"
#include "json.h"
#include "secret.h"

static void account_wipe(void *arg);

/*
 * Read an account and open its secrets, in a context of its own under
 * "parent".  Returns NULL if there is no such account.
 */
ZcsyncAccount *
zcsync_account_load(MemoryContext parent, int64 account_id)
{
	static SPIPlanPtr plan = NULL;
	Datum		arg = Int64GetDatum(account_id);
	ZcsyncAccount *account;
	MemoryContext context;
	MemoryContext old;
	MemoryContextCallback *callback;
	bool		isnull;
	HeapTuple	row;
	TupleDesc	desc;

	if (plan == NULL)
	{
		Oid			types[] = {INT8OID};
		SPIPlanPtr	prepared;

		prepared = SPI_prepare("SELECT name, connector, settings, version, takes_gzip "
							   "FROM zcsync._account_context($1)", 1, types);
		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare the query of an account");
		plan = prepared;
	}
	if (SPI_execute_plan(plan, &arg, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read account " INT64_FORMAT, account_id);
	if (SPI_processed == 0)
		return NULL;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;

	/* until all is read, an error frees it with the transaction */
	context = AllocSetContextCreate(CurTransactionContext, "zcsync account",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	account = palloc0(sizeof(ZcsyncAccount));
	account->context = context;
	account->refs = 1;
	account->account_id = account_id;
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = account_wipe;
	callback->arg = account;
	MemoryContextRegisterResetCallback(context, callback);

	account->name = SPI_getvalue(row, desc, 1);
	account->settings = (Jsonb *)
		PG_DETOAST_DATUM_COPY(SPI_getbinval(row, desc, 3, &isnull));
	account->version = DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
	account->takes_gzip = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
	account->connector = zcsync_connector_find(SPI_getvalue(row, desc, 2));
	zcsync_secret_load(account);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, parent);
	return account;
}

/* Give up a reference; with the last one the account is wiped and freed. */
void
zcsync_account_release(ZcsyncAccount *account)
{
	Assert(account->refs > 0);
	if (--account->refs == 0)
		MemoryContextDelete(account->context);
}

/* Context callback: no secret stays behind in freed memory. */
static void
account_wipe(void *arg)
{
	ZcsyncAccount *account = arg;
	ListCell   *lc;

	foreach(lc, account->credentials)
	{
		ZcsyncCredential *credential = lfirst(lc);

		zcsync_secret_wipe(credential->value);
	}
}

/* The value of a credential in clear, or NULL. */
const char *
zcsync_account_credential(const ZcsyncAccount *account, const char *name)
{
	ListCell   *lc;

	foreach(lc, account->credentials)
	{
		ZcsyncCredential *credential = lfirst(lc);

		if (strcmp(credential->name, name) == 0)
			return credential->value;
	}
	return NULL;
}

/* A setting of the account as text, palloc'ed, or NULL. */
char *
zcsync_account_setting(const ZcsyncAccount *account, const char *name)
{
	return zcsync_json_get_text(account->settings, name);
}
