/*-------------------------------------------------------------------------
 *
 * key_rotation.c
 *		Seal everything that is sealed under another key.
 *
 * Called by zcsync.rotate_key(), which has locked the rows of all accounts.
 * First everything is opened, and the new key file is put in place only if that
 * succeeds: so nothing is lost while one value cannot be opened.
 *
 * IDENTIFICATION
 *		src/key_rotation.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "secret.h"
#include "secret_open.h"
#include "secret_rows.h"

PG_FUNCTION_INFO_V1(zcsync_rotate_key);

/* What _rotate_key() returns. */
typedef struct Rotation
{
	int64		sealed;			/* values sealed under the new key; 0: there
								 * were none, and no key was made */
	char	   *fingerprint;	/* of the new key */
	char	   *path;			/* of the file that the former key has now */
	char	   *former;			/* fingerprint of the former key */
} Rotation;

static void rotate(Rotation *rotation, List *rows, MemoryContext result);
static bool value_open(const ZcsyncSecretRow *row, ZcsyncKeyHolder *holder,
					   char **value);
static void row_reseal(const ZcsyncSecretRow *row, ZcsyncKeyHolder *holder,
					   const ZcsyncKey *key);

/*
 * _rotate_key(): seal all that is sealed under another key.  Returns (sealed,
 * fingerprint, path, former), without a fingerprint where nothing is sealed.
 */
Datum
zcsync_rotate_key(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Rotation	rotation = {0};
	ZcsyncOwnerScope scope;
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	zcsync_secret_owner_begin(&scope);
	rotate(&rotation, zcsync_secret_rows_sealed(), caller);
	zcsync_secret_owner_end(&scope);

	values[0] = Int64GetDatum(rotation.sealed);
	if (rotation.sealed > 0)
	{
		values[1] = CStringGetTextDatum(rotation.fingerprint);
		values[2] = CStringGetTextDatum(rotation.path);
		values[3] = CStringGetTextDatum(rotation.former);
		nulls[1] = nulls[2] = nulls[3] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * Make a new key and seal the rows under it, if they hold anything that can
 * be opened.  The texts of *rotation are allocated in "result", since the
 * current context ends with the rights of the owner.
 */
static void
rotate(Rotation *rotation, List *rows, MemoryContext result)
{
	ZcsyncKeyHolder holder = {0};
	ZcsyncKey	key = {0};
	ListCell   *lc;

	PG_TRY();
	{
		/* throws before anything is changed if a value cannot be opened */
		foreach(lc, rows)
		{
			char	   *value;

			if (value_open(lfirst(lc), &holder, &value))
				rotation->sealed++;
			zcsync_secret_wipe(value);
		}
		if (rotation->sealed > 0)
		{
			MemoryContext old;

			zcsync_secret_key(&key);
			old = MemoryContextSwitchTo(result);
			rotation->former = zcsync_key_fingerprint_text(&key);
			rotation->path = zcsync_key_replace(&key);
			rotation->fingerprint = zcsync_key_fingerprint_text(&key);
			MemoryContextSwitchTo(old);
			foreach(lc, rows)
				row_reseal(lfirst(lc), &holder, &key);
		}
	}
	PG_FINALLY();
	{
		explicit_bzero(&holder.key, sizeof(holder.key));
		explicit_bzero(&key, sizeof(key));
	}
	PG_END_TRY();
}

/*
 * Open the value of a row.  False, with *value NULL, for an access token that
 * cannot be opened: it can be fetched again.  Throws for anything else.
 */
static bool
value_open(const ZcsyncSecretRow *row, ZcsyncKeyHolder *holder, char **value)
{
	ZcsyncOpenFailure why = {0};

	*value = zcsync_secret_open(row->account_id, row, holder,
								CurrentMemoryContext, &why);
	if (*value == NULL && row->expires_at == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 row->account_id < 0 ?
				 errmsg("cannot open secret \"%s\" of alert target " INT64_FORMAT ": %s",
						row->name, -row->account_id, why.message) :
				 errmsg("cannot open credential \"%s\" of account " INT64_FORMAT ": %s",
						row->name, row->account_id, why.message),
				 errdetail("Nothing was sealed anew, and no key was made."),
				 row->account_id < 0 ?
				 errhint("Give its secrets again with zcsync.alter_alert_target().") :
				 errhint("%s", why.hint)));
	return *value != NULL;
}

/*
 * Seal the value of a row under this key.  An access token that cannot be
 * opened is left as it is.
 */
static void
row_reseal(const ZcsyncSecretRow *row, ZcsyncKeyHolder *holder,
		   const ZcsyncKey *key)
{
	char	   *value;
	bytea	   *sealed;

	if (!value_open(row, holder, &value))
		return;
	sealed = zcsync_seal(key, row->account_id, row->name, value);
	zcsync_secret_wipe(value);
	zcsync_secret_row_reseal(row->account_id, row->name, sealed,
							 zcsync_key_fingerprint_text(key));
}
