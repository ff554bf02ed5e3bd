/*-------------------------------------------------------------------------
 *
 * databases.h
 *		The databases of this server, as the launcher sees them.
 *
 * IDENTIFICATION
 *		src/databases.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_DATABASES_H
#define ZCSYNC_DATABASES_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* A database that may use zcsync; lives until a refresh no longer finds it. */
typedef struct ZcsyncDatabase
{
	Oid			database;		/* hash key */
	NameData	name;
	bool		listed;			/* found by the refresh that is under way */
	int			misses;			/* visits in a row that found no extension */
	TimestampTz visit_after;
} ZcsyncDatabase;

/* read the catalogs; the role of workers, InvalidOid: none can be started */
extern Oid	zcsync_databases_refresh(void);

extern ZcsyncDatabase *zcsync_database_find(Oid database);
extern List *zcsync_databases_to_visit(TimestampTz now);
extern void zcsync_databases_visit_now(Oid database);
extern void zcsync_database_note_miss(ZcsyncDatabase *known, bool signalled,
									  TimestampTz now);

#endif							/* ZCSYNC_DATABASES_H */
