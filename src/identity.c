/*-------------------------------------------------------------------------
 *
 * identity.c
 *		The numbers by which a database can be told from a copy of it.
 *
 * The system identifier is made by initdb and shared by physical copies, the
 * oid is made by CREATE DATABASE, and the timeline changes with a promotion
 * or a point-in-time recovery.  A physical copy that is started without a
 * promotion or such a recovery has all three in common with its original.
 * Two things differ.  The server overwrites the file with the control data
 * and never replaces it, so a copy of the data directory has another inode
 * for it.  And if a disk was cloned, the machine is another one.  Neither is
 * known everywhere; 0 means that it is not known.
 *
 * IDENTIFICATION
 *		src/identity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"

#define CONTROL_FILE		"global/pg_control"
#define MACHINE_ID_FILE		"/etc/machine-id"
#define MACHINE_ID_SEED		UINT64CONST(0x7a6373796e63)

PG_FUNCTION_INFO_V1(zcsync_sql_identity);

static int64 control_file_inode(void);
static int64 machine_number(void);

/*
 * zcsync._identity():
 * (system_identifier, database_oid, timeline, control_file, machine)
 */
Datum
zcsync_sql_identity(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	TimeLineID	timeline;
	Datum		values[5];
	bool		nulls[5] = {false, false, false, false, false};
	static int64 control_file = 0;
	static int64 machine = 0;
	static bool known = false;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	if (RecoveryInProgress())
		(void) GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	values[2] = Int32GetDatum((int32) timeline);

	/* these do not change while this process lives */
	if (!known)
	{
		control_file = control_file_inode();
		machine = machine_number();
		known = true;
	}
	values[3] = Int64GetDatum(control_file);
	nulls[3] = control_file == 0;
	values[4] = Int64GetDatum(machine);
	nulls[4] = machine == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/* The inode of the control file; 0: not known. */
static int64
control_file_inode(void)
{
	struct stat st;

	if (stat(CONTROL_FILE, &st) != 0)
		return 0;
	return (int64) st.st_ino;
}

/*
 * A number for the machine, made from its machine-id, which itself must not
 * be shown; 0: it has none, as in many containers.
 */
static int64
machine_number(void)
{
	char		id[32];
	int			fd = OpenTransientFile(MACHINE_ID_FILE, O_RDONLY | PG_BINARY);
	ssize_t		len;

	if (fd < 0)
		return 0;
	len = read(fd, id, sizeof(id));
	CloseTransientFile(fd);
	if (len != sizeof(id))
		return 0;
	return DatumGetInt64(hash_any_extended((unsigned char *) id, sizeof(id),
										   MACHINE_ID_SEED));
}
