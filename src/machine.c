/*-------------------------------------------------------------------------
 *
 * machine.c
 *		How much of this machine is in use, for alerts.
 *
 * PostgreSQL itself does not say.  What the system does not tell is NULL.
 *
 * IDENTIFICATION
 *		src/machine.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"

#define MACHINE_COLUMNS	4		/* of zcsync._machine_load() */
#define TABLESPACES_MAX	100

PG_FUNCTION_INFO_V1(zcsync_machine_load);

static bool cpu_percent(double *percent);
static bool memory_percent(double *percent);
static bool disk_percent(double *percent);
static bool file_system_percent(const char *path, double *percent);
static bool io_percent(double *percent);

/* _machine_load(): CPU, memory, disk and waiting for disks, in percent. */
Datum
zcsync_machine_load(PG_FUNCTION_ARGS)
{
	double		percent[MACHINE_COLUMNS] = {0};
	Datum		values[MACHINE_COLUMNS];
	bool		nulls[MACHINE_COLUMNS];
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = !cpu_percent(&percent[0]);
	nulls[1] = !memory_percent(&percent[1]);
	nulls[2] = !disk_percent(&percent[2]);
	nulls[3] = !io_percent(&percent[3]);
	for (int i = 0; i < MACHINE_COLUMNS; i++)
		values[i] = Float8GetDatum(percent[i]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * Processes that ran or waited for a processor in the last five minutes, in
 * percent of the processors; above 100 some had to wait.
 */
static bool
cpu_percent(double *percent)
{
	double		load[2];
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors <= 0 || getloadavg(load, 2) != 2)
		return false;
	*percent = 100 * load[1] / processors;
	return true;
}

/* Memory that programs hold, without what the kernel could free for others. */
static bool
memory_percent(double *percent)
{
	FILE	   *file = AllocateFile("/proc/meminfo", "r");
	char		line[256];
	double		total = 0;
	double		available = -1;

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		(void) sscanf(line, "MemTotal: %lf", &total);
		(void) sscanf(line, "MemAvailable: %lf", &available);
	}
	FreeFile(file);
	if (total <= 0 || available < 0)
		return false;
	*percent = 100 * (total - available) / total;
	return true;
}

/*
 * Of the fullest of the file systems of the data directory, its WAL and the
 * tablespaces.  A server has few of those; of many, the first are looked at.
 */
static bool
disk_percent(double *percent)
{
	DIR		   *dir;
	struct dirent *entry;
	bool		known = file_system_percent(DataDir, percent);
	int			left = TABLESPACES_MAX;

	if (file_system_percent("pg_wal", percent))
		known = true;
	dir = AllocateDir("pg_tblspc");
	while ((entry = ReadDirExtended(dir, "pg_tblspc", LOG)) != NULL &&
		   left-- > 0)
	{
		char		path[MAXPGPATH];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "pg_tblspc/%s", entry->d_name);
		if (file_system_percent(path, percent))
			known = true;
	}
	FreeDir(dir);
	return known;
}

/* As df counts; only if it is more than *percent. */
static bool
file_system_percent(const char *path, double *percent)
{
	struct statvfs fs;
	double		used;

	if (statvfs(path, &fs) != 0 || fs.f_blocks == 0)
		return false;
	used = (double) fs.f_blocks - fs.f_bfree;
	*percent = Max(*percent, 100 * used / (used + fs.f_bavail));
	return true;
}

/*
 * The share of the last five minutes in which a process waited for a disk.
 * Kernels before 4.20, and those that were built or started without "psi", do
 * not say.
 */
static bool
io_percent(double *percent)
{
	FILE	   *file = AllocateFile("/proc/pressure/io", "r");
	bool		known;

	if (file == NULL)
		return false;
	known = fscanf(file, "some avg10=%*f avg60=%*f avg300=%lf", percent) == 1;
	FreeFile(file);
	return known;
}
