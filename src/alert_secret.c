/*-------------------------------------------------------------------------
 *
 * alert_secret.c
 *		The secrets of alert targets.
 *
 * They are kept like the credentials of accounts (secret.c), in a table of
 * their own.  They are sealed for the negative number of their target, which no
 * account has.
 *
 * IDENTIFICATION
 *		src/alert_secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "alert_secret.h"
#include "reference.h"
#include "seal.h"
#include "secret.h"
#include "secret_open.h"
#include "secret_rows.h"

#define ALERT_FILE_PREFIX	"alert_"

PG_FUNCTION_INFO_V1(zcsync_seal_alert_secret);
PG_FUNCTION_INFO_V1(zcsync_alert_secret_status);

static void check_file(const char *name, const char *reference);
static void value_store(int64 target_id, const char *name, const char *value);

/*
 * See alert_secret.h.
 */
List *
zcsync_alert_secrets_open(MemoryContext context, int64 target_id,
						  char **message, char **hint)
{
	ZcsyncAccount holder = {0};
	ZcsyncOpenFailure failure = {0};
	ZcsyncOwnerScope scope;
	List	   *rows;

	zcsync_secret_owner_begin(&scope);
	rows = zcsync_secret_rows_of_target(target_id);
	zcsync_secret_owner_end(&scope);

	holder.context = context;
	holder.account_id = -target_id;
	zcsync_secret_open_all(&holder, rows, &failure);
	*message = failure.alert == NULL ? NULL :
		MemoryContextStrdup(context, failure.message);
	*hint = failure.alert == NULL ? NULL :
		MemoryContextStrdup(context, failure.hint);
	return holder.credentials;
}

/*
 * _seal_alert_secret(target, name, value): store a secret of an alert target
 * sealed, or a reference as it is.  The target's row is locked, or new.
 */
Datum
zcsync_seal_alert_secret(PG_FUNCTION_ARGS)
{
	int64		target_id = PG_GETARG_INT64(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (zcsync_reference_is(value))
	{
		ZcsyncOwnerScope scope;

		zcsync_reference_check(name, value);
		check_file(name, value);
		zcsync_secret_owner_begin(&scope);
		zcsync_secret_row_store_target(target_id, name, NULL, value, NULL);
		zcsync_secret_owner_end(&scope);
	}
	else
	{
		value_store(target_id, name, value);
		zcsync_secret_wipe(value);
	}
	PG_RETURN_VOID();
}

/*
 * _alert_secret_status(target): why a secret of an alert target cannot be
 * opened, as (message, hint); NULLs if all can.  Never a value.
 */
Datum
zcsync_alert_secret_status(PG_FUNCTION_ARGS)
{
	char	   *message;
	char	   *hint;
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	foreach(lc, zcsync_alert_secrets_open(CurrentMemoryContext,
										  PG_GETARG_INT64(0), &message, &hint))
		zcsync_secret_wipe(((ZcsyncCredential *) lfirst(lc))->value);
	if (message != NULL)
	{
		values[0] = CStringGetTextDatum(message);
		values[1] = CStringGetTextDatum(hint);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * Throw if this is a file of the credentials directory that is not meant for
 * alerts.  Who may add a target chooses where its secrets are sent, among the
 * hosts of zcsync.alert_hosts, and some of those show what is sent to them.  So
 * the files of accounts are not for targets; the name tells them apart.
 */
static void
check_file(const char *name, const char *reference)
{
	if (strncmp(reference, "file:", 5) != 0 ||
		is_absolute_path(reference + 5) ||
		strncmp(reference + 5, ALERT_FILE_PREFIX,
				strlen(ALERT_FILE_PREFIX)) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("file \"%s\" cannot be secret \"%s\" of an alert target",
					reference + 5, name),
			 errdetail("Only files whose names begin with \"%s\" are for alert targets.",
					   ALERT_FILE_PREFIX),
			 errhint("Put the secret in a file \"%s%s\" of zcsync.credentials_directory.",
					 ALERT_FILE_PREFIX, reference + 5)));
}

/*
 * Check, seal and store one secret of an alert target.
 */
static void
value_store(int64 target_id, const char *name, const char *value)
{
	const char *problem = zcsync_secret_problem(value, strlen(value));
	ZcsyncOwnerScope scope;
	ZcsyncKey	key;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("secret \"%s\" %s", name, problem)));

	zcsync_secret_owner_begin(&scope);
	PG_TRY();
	{
		zcsync_secret_key(&key);
		zcsync_secret_row_store_target(target_id, name,
									   zcsync_seal(&key, -target_id, name,
												   value),
									   NULL,
									   zcsync_key_fingerprint_text(&key));
	}
	PG_FINALLY();
	{
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
	zcsync_secret_owner_end(&scope);
}
