/*-------------------------------------------------------------------------
 *
 * databases.c
 *		The databases of this server, as the launcher sees them.
 *
 * The launcher keeps a list of the databases that zcsync.databases names,
 * with the time when a worker is to visit each of them to look for the
 * extension; see launcher.c.  The list is in local memory, and is read from
 * the catalogs that all databases share.
 *
 * IDENTIFICATION
 *		src/databases.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "databases.h"
#include "settings.h"
#include "shared.h"

#define VISIT_FACTOR_MAX		10	/* of zcsync.discover_interval */

static HTAB *known_databases = NULL;

static void create_table(void);
static void note_database(Form_pg_database form, Oid worker_role);
static Oid	find_worker_role(void);
static void report_role(const char *wrong, const char *attribute);

/*
 * Read the list of databases and look up the role of the workers, in a
 * transaction of its own.
 */
Oid
zcsync_databases_refresh(void)
{
	MemoryContext caller = CurrentMemoryContext;
	HASH_SEQ_STATUS seq;
	ZcsyncDatabase *known;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	Oid			worker_role;

	if (known_databases == NULL)
		create_table();

	hash_seq_init(&seq, known_databases);
	while ((known = hash_seq_search(&seq)) != NULL)
		known->listed = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();

	worker_role = find_worker_role();

	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		note_database((Form_pg_database) GETSTRUCT(tuple), worker_role);
	table_endscan(scan);
	table_close(rel, AccessShareLock);

	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);

	/* removing the entry just returned is allowed */
	hash_seq_init(&seq, known_databases);
	while ((known = hash_seq_search(&seq)) != NULL)
	{
		if (!known->listed)
			hash_search(known_databases, &known->database, HASH_REMOVE, NULL);
	}
	return worker_role;
}

static void
create_table(void)
{
	HASHCTL		ctl;

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(ZcsyncDatabase);
	known_databases = hash_create("zcsync databases", 64, &ctl,
								  HASH_ELEM | HASH_BLOBS);
}

/*
 * Add one row of pg_database to the list.  Templates, databases that allow no
 * connection or are half dropped (connection limit -2), and those to which
 * the role may not connect, are left out.
 */
static void
note_database(Form_pg_database form, Oid worker_role)
{
	ZcsyncDatabase *known;
	bool		found;

	if (form->datistemplate || !form->datallowconn || form->datconnlimit == -2)
		return;
	if (!zcsync_settings_names_database(NameStr(form->datname)))
		return;
	if (OidIsValid(worker_role) && !zcsync_may_connect(form->oid, worker_role))
		return;

	known = hash_search(known_databases, &form->oid, HASH_ENTER, &found);
	if (!found)
	{
		known->misses = 0;
		known->visit_after = 0;
	}
	known->name = form->datname;
	known->listed = true;
}

/*
 * The role that workers run as, or InvalidOid if there is no suitable one.
 * Needs a transaction.
 *
 * This reads the catalog and not the system cache: the signal of setup()
 * arrives before the invalidation of a cache entry that says that the role
 * does not exist.
 */
static Oid
find_worker_role(void)
{
	Relation	rel = table_open(AuthIdRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	HeapTuple	tuple;
	Oid			role = InvalidOid;
	bool		found = false;

	while (!found &&
		   HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->rolname), zcsync_role) != 0)
			continue;
		found = true;
		if (form->rolsuper)
			report_role("is a superuser", "NOSUPERUSER");
		else if (!form->rolcanlogin)
			report_role("may not log in", "LOGIN");
		else
			role = form->oid;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);

	if (!found)
		report_role("does not exist", NULL);
	else if (OidIsValid(role))
		report_role(NULL, NULL);
	return role;
}

/*
 * Show what is wrong with the role, and log it when it changes; NULL: nothing
 * is wrong.  ALTER ROLE must give it this attribute; NULL: setup() makes the
 * role.
 */
static void
report_role(const char *wrong, const char *attribute)
{
	char		reason[ZCSYNC_TEXT_MAX] = "";
	char		hint[ZCSYNC_TEXT_MAX] = "";
	bool		news;

	if (wrong != NULL)
		snprintf(reason, sizeof(reason), "role \"%s\" %s", zcsync_role, wrong);
	if (attribute != NULL)
		snprintf(hint, sizeof(hint), "ALTER ROLE %s %s;",
				 quote_identifier(zcsync_role), attribute);
	else if (wrong != NULL)
		strlcpy(hint, "SELECT * FROM zcsync.setup();", sizeof(hint));

	LWLockAcquire(zcsync_shared->lock, LW_EXCLUSIVE);
	news = strcmp(zcsync_shared->launcher_reason, reason) != 0;
	strlcpy(zcsync_shared->launcher_reason, reason, ZCSYNC_TEXT_MAX);
	strlcpy(zcsync_shared->launcher_hint, hint, ZCSYNC_TEXT_MAX);
	LWLockRelease(zcsync_shared->lock);

	if (news && wrong != NULL)
		ereport(LOG,
				(errmsg("zcsync starts no workers: %s", reason),
				 errhint("%s", hint)));
}

/* A database of the list, or NULL. */
ZcsyncDatabase *
zcsync_database_find(Oid database)
{
	return hash_search(known_databases, &database, HASH_FIND, NULL);
}

/* The databases that are due for a visit, in the current memory context. */
List *
zcsync_databases_to_visit(TimestampTz now)
{
	HASH_SEQ_STATUS seq;
	ZcsyncDatabase *known;
	List	   *due = NIL;

	hash_seq_init(&seq, known_databases);
	while ((known = hash_seq_search(&seq)) != NULL)
	{
		if (known->visit_after <= now)
			due = lappend(due, known);
	}
	return due;
}

/* Visit a database as soon as possible; InvalidOid: all. */
void
zcsync_databases_visit_now(Oid database)
{
	HASH_SEQ_STATUS seq;
	ZcsyncDatabase *known;

	if (known_databases == NULL)
		return;

	hash_seq_init(&seq, known_databases);
	while ((known = hash_seq_search(&seq)) != NULL)
	{
		if (!OidIsValid(database) || known->database == database)
		{
			known->visit_after = 0;
			known->misses = 0;
		}
	}
}

/*
 * A visit found no extension.  The next visit comes after a longer time than
 * the last one, or at once if the database sent a signal during the visit.
 */
void
zcsync_database_note_miss(ZcsyncDatabase *known, bool signalled,
						  TimestampTz now)
{
	int			factor = Min(1 << Min(known->misses, 4), VISIT_FACTOR_MAX);

	if (signalled)
	{
		known->misses = 0;
		known->visit_after = 0;
		return;
	}
	known->misses++;
	known->visit_after =
		TimestampTzPlusMilliseconds(now, (int64) 1000 * factor *
									zcsync_discover_interval);
}
