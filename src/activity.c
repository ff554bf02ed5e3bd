/*-------------------------------------------------------------------------
 *
 * activity.c
 *		What each process that does work is doing now, in shared memory.
 *
 * Each process that has an engine takes a place here, if one is free: it
 * shows what the process does and since when, its calls in flight and its
 * last outcomes.  Only that process writes to its place, and it takes no lock
 * for that: it makes "changes" odd, writes, and makes it even again.  A
 * reader copies the place until the number is even, and the same before and
 * after.
 *
 * A place is taken and left under the LWLock of this file.
 *
 * IDENTIFICATION
 *		src/activity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "activity.h"
#include "retry.h"
#include "settings.h"
#include "shared.h"

#define EXTRA_PLACES		16	/* for sessions in run() */
#define CALLS_MAX			64	/* shown; there may be more in flight */
#define OUTCOMES_MAX		10
#define READ_ATTEMPTS		1000
#define ACTIVITY_COLUMNS	10
#define USAGE_COLUMNS		5
#define STEP_PREFIX			"zcsync: "

/* A call in flight, or the outcome of one, or of jobs that needed no call. */
typedef struct ActivityItem
{
	TimestampTz at;				/* begun, or ended; 0: none */
	int64		account_id;
	int64		job_id;			/* 0: several */
	int			jobs;
	int			status;			/* of HTTP; 0: none */
	int64		duration_us;	/* -1: not measured */
	char		what[40];
	char		outcome[24];	/* "": in flight */
} ActivityItem;

/* The process itself writes all but pid and database; see above. */
typedef struct ActivityPlace
{
	int			pid;			/* 0: free; both under the lock */
	Oid			database;
	pg_atomic_uint32 changes;	/* odd: just being written */
	char		role[16];
	char		step[40];
	TimestampTz step_since;
	int			in_flight;		/* calls, of which CALLS_MAX are shown */
	ActivityItem calls[CALLS_MAX];
	int			next_outcome;	/* where the next one goes */
	ActivityItem outcomes[OUTCOMES_MAX];
} ActivityPlace;

typedef struct Activity
{
	LWLock	   *lock;			/* set at start */
	int			nplaces;		/* set at start */
	ActivityPlace places[FLEXIBLE_ARRAY_MEMBER];
} Activity;

/* NULL when the library was not preloaded. */
static Activity *activity = NULL;

/* NULL: this process has no place. */
static ActivityPlace *mine = NULL;

PG_FUNCTION_INFO_V1(zcsync_sql_activity);
PG_FUNCTION_INFO_V1(zcsync_sql_process_usage);

static int	number_of_places(void);
static void leave_at_exit(int code, Datum arg);
static void begin_change(void);
static void end_change(void);
static void set_item(ActivityItem *item, const ZcsyncCall *call);
static void add_outcome(const ActivityItem *item);
static bool copy_place(int place, ActivityPlace *copy);
static void put_row(ReturnSetInfo *rsinfo, const ActivityPlace *place,
					const char *part, const ActivityItem *item);
static void put_usage(ReturnSetInfo *rsinfo, int pid, const char *role);
static bool read_memory(int pid, int64 *resident, int64 *own);
static bool read_cpu(int pid, double *seconds);
static int	read_proc(int pid, const char *name, char *line, int size);

static int
number_of_places(void)
{
	return 2 * zcsync_workers_max + EXTRA_PLACES;
}

Size
zcsync_activity_shared_size(void)
{
	return add_size(offsetof(Activity, places),
					mul_size(number_of_places(), sizeof(ActivityPlace)));
}

/* The caller holds AddinShmemInitLock. */
void
zcsync_activity_shared_init(void)
{
	bool		found;

	activity = ShmemInitStruct("zcsync activity",
							   zcsync_activity_shared_size(), &found);
	if (found)
		return;
	memset(activity, 0, zcsync_activity_shared_size());
	activity->lock = &GetNamedLWLockTranche("zcsync_activity")->lock;
	activity->nplaces = number_of_places();
	for (int i = 0; i < activity->nplaces; i++)
		pg_atomic_init_u32(&activity->places[i].changes, 0);
}

/*
 * Take a place.  If none is free, this process is not shown.  A process that
 * has a place keeps it.
 */
void
zcsync_activity_begin(const char *role)
{
	static bool registered = false;

	if (activity == NULL || mine != NULL)
		return;
	LWLockAcquire(activity->lock, LW_EXCLUSIVE);
	for (int i = 0; i < activity->nplaces && mine == NULL; i++)
	{
		ActivityPlace *place = &activity->places[i];

		if (place->pid != 0)
			continue;
		mine = place;
		begin_change();
		memset(place->calls, 0, sizeof(place->calls));
		memset(place->outcomes, 0, sizeof(place->outcomes));
		place->in_flight = place->next_outcome = 0;
		strlcpy(place->role, role, sizeof(place->role));
		strlcpy(place->step, "begin", sizeof(place->step));
		place->step_since = GetCurrentTimestamp();
		place->database = MyDatabaseId;
		place->pid = MyProcPid;
		end_change();
	}
	LWLockRelease(activity->lock);
	if (!registered)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	registered = true;
}

/* Leave the place. */
void
zcsync_activity_end(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(activity->lock, LW_EXCLUSIVE);
	mine->pid = 0;
	LWLockRelease(activity->lock);
	mine = NULL;
}

static void
leave_at_exit(int code, Datum arg)
{
	zcsync_activity_end();
}

static void
begin_change(void)
{
	pg_atomic_write_u32(&mine->changes,
						pg_atomic_read_u32(&mine->changes) | 1);
	pg_write_barrier();
}

static void
end_change(void)
{
	pg_write_barrier();
	pg_atomic_write_u32(&mine->changes,
						(pg_atomic_read_u32(&mine->changes) | 1) + 1);
}

/* Show what this process does now, by the name of its transaction. */
void
zcsync_activity_step(const char *what)
{
	if (mine == NULL)
		return;
	if (strncmp(what, STEP_PREFIX, strlen(STEP_PREFIX)) == 0)
		what += strlen(STEP_PREFIX);
	begin_change();
	strlcpy(mine->step, what, sizeof(mine->step));
	mine->step_since = GetCurrentTimestamp();
	end_change();
}

/* Show that it waits, for replies or for something to do. */
void
zcsync_activity_wait(int in_flight)
{
	const char *what = in_flight > 0 ? "wait for replies" : "wait for work";

	if (mine == NULL)
		return;
	begin_change();
	mine->in_flight = in_flight;
	if (strcmp(mine->step, what) != 0)
	{
		strlcpy(mine->step, what, sizeof(mine->step));
		mine->step_since = GetCurrentTimestamp();
	}
	end_change();
}

/* What a call in flight and an outcome have in common. */
static void
set_item(ActivityItem *item, const ZcsyncCall *call)
{
	memset(item, 0, sizeof(*item));
	item->at = GetCurrentTimestamp();
	item->account_id = call->account->account_id;
	item->jobs = Max(list_length(call->members), 1);
	item->job_id = item->jobs > 1 ? 0 : call->members == NIL ? call->job_id :
		((ZcsyncCall *) linitial(call->members))->job_id;
	item->status = call->status;
	item->duration_us = -1;
	strlcpy(item->what, call->op != NULL ? call->op : "", sizeof(item->what));
}

/* Show a call that is on its way, if there is room for one more. */
void
zcsync_activity_call_begins(ZcsyncCall *call)
{
	if (mine == NULL)
		return;
	for (int i = 0; i < CALLS_MAX; i++)
	{
		if (mine->calls[i].at != 0)
			continue;
		begin_change();
		set_item(&mine->calls[i], call);
		end_change();
		call->activity = i + 1;
		return;
	}
}

/* A call is over: it is the last of the outcomes. */
void
zcsync_activity_call_ends(ZcsyncCall *call)
{
	ActivityItem item;

	if (mine == NULL)
		return;
	set_item(&item, call);
	item.duration_us = call->duration_us;
	strlcpy(item.outcome, zcsync_outcome_name(call->outcome),
			sizeof(item.outcome));
	begin_change();
	if (call->activity > 0)
		mine->calls[call->activity - 1].at = 0;
	add_outcome(&item);
	end_change();
	call->activity = 0;
}

/* Within a change: replace the oldest outcome by this one. */
static void
add_outcome(const ActivityItem *item)
{
	mine->outcomes[mine->next_outcome] = *item;
	mine->next_outcome = (mine->next_outcome + 1) % OUTCOMES_MAX;
}

/* All calls were given up. */
void
zcsync_activity_no_calls(void)
{
	if (mine == NULL)
		return;
	begin_change();
	memset(mine->calls, 0, sizeof(mine->calls));
	mine->in_flight = 0;
	end_change();
}

/* Jobs that needed no call ended: that is an outcome, too. */
void
zcsync_activity_jobs_ended(int64 account_id, const char *operation,
						   const char *outcome, int jobs)
{
	ActivityItem item = {0};

	if (mine == NULL)
		return;
	item.at = GetCurrentTimestamp();
	item.account_id = account_id;
	item.jobs = jobs;
	item.duration_us = -1;
	strlcpy(item.what, operation, sizeof(item.what));
	strlcpy(item.outcome, outcome, sizeof(item.outcome));
	begin_change();
	add_outcome(&item);
	end_change();
}

/*
 * Copy the place of a process of this database; false if there is none.  If
 * the place is being written all the time, the copy may be inconsistent, but
 * no text is read beyond its end.
 */
static bool
copy_place(int place, ActivityPlace *copy)
{
	ActivityPlace *source = &activity->places[place];

	for (int i = 0; i < READ_ATTEMPTS; i++)
	{
		uint32		before = pg_atomic_read_u32(&source->changes);

		pg_read_barrier();
		memcpy(copy, source, sizeof(*copy));
		pg_read_barrier();
		if ((before & 1) == 0 &&
			before == pg_atomic_read_u32(&source->changes))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	copy->role[sizeof(copy->role) - 1] = '\0';
	copy->step[sizeof(copy->step) - 1] = '\0';
	return copy->pid != 0 && copy->database == MyDatabaseId;
}

/*
 * zcsync._activity(): what each process of this database does, its calls in
 * flight, and its last outcomes, the newest first.
 */
Datum
zcsync_sql_activity(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ActivityPlace *copy;

	InitMaterializedSRF(fcinfo, 0);
	if (activity == NULL)
		return (Datum) 0;
	copy = palloc(sizeof(ActivityPlace));
	for (int i = 0; i < activity->nplaces; i++)
	{
		ActivityItem now = {0};

		if (!copy_place(i, copy))
			continue;
		now.at = copy->step_since;
		now.jobs = copy->in_flight;
		now.duration_us = -1;
		strlcpy(now.what, copy->step, sizeof(now.what));
		put_row(rsinfo, copy, "now", &now);
		for (int j = 0; j < CALLS_MAX; j++)
		{
			if (copy->calls[j].at != 0)
				put_row(rsinfo, copy, "in flight", &copy->calls[j]);
		}
		for (int j = 1; j <= OUTCOMES_MAX; j++)
		{
			ActivityItem *item = &copy->outcomes[(copy->next_outcome - j +
												  OUTCOMES_MAX) % OUTCOMES_MAX];

			if (item->at != 0)
				put_row(rsinfo, copy, "ended", item);
		}
	}
	return (Datum) 0;
}

static void
put_row(ReturnSetInfo *rsinfo, const ActivityPlace *place, const char *part,
		const ActivityItem *item)
{
	Datum		values[ACTIVITY_COLUMNS];
	bool		nulls[ACTIVITY_COLUMNS] = {false};

	values[0] = Int32GetDatum(place->pid);
	values[1] = CStringGetTextDatum(place->role);
	values[2] = CStringGetTextDatum(part);
	values[3] = TimestampTzGetDatum(item->at);
	values[4] = zcsync_clipped_text(item->what, sizeof(item->what));
	values[5] = Int64GetDatum(item->account_id);
	nulls[5] = item->account_id == 0;
	values[6] = Int64GetDatum(item->job_id);
	nulls[6] = item->job_id == 0;
	values[7] = Int32GetDatum(item->jobs);
	values[8] = CStringGetTextDatum(item->status == 0 ?
									pnstrdup(item->outcome, sizeof(item->outcome)) :
									psprintf("%.*s %d", (int) sizeof(item->outcome),
											 item->outcome, item->status));
	nulls[8] = item->outcome[0] == '\0';
	values[9] = Float8GetDatum(item->duration_us / 1000000.0);
	nulls[9] = item->duration_us < 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * zcsync._process_usage(): memory and processor time of the launcher and of
 * the processes that work in this database, from Linux; on other systems
 * null.
 */
Datum
zcsync_sql_process_usage(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			launcher_pid;

	InitMaterializedSRF(fcinfo, 0);
	if (activity == NULL)
		return (Datum) 0;
	LWLockAcquire(zcsync_shared->lock, LW_SHARED);
	launcher_pid = zcsync_shared->launcher_pid;
	LWLockRelease(zcsync_shared->lock);
	if (launcher_pid != 0)
		put_usage(rsinfo, launcher_pid, "launcher");
	for (int i = 0; i < activity->nplaces; i++)
	{
		ActivityPlace *place = &activity->places[i];
		char		role[sizeof(place->role)];
		int			pid;
		bool		ours;

		LWLockAcquire(activity->lock, LW_SHARED);
		pid = place->pid;
		ours = pid != 0 && place->database == MyDatabaseId;
		strlcpy(role, place->role, sizeof(role));
		LWLockRelease(activity->lock);
		if (ours)
			put_usage(rsinfo, pid, role);
	}
	return (Datum) 0;
}

static void
put_usage(ReturnSetInfo *rsinfo, int pid, const char *role)
{
	Datum		values[USAGE_COLUMNS];
	bool		nulls[USAGE_COLUMNS] = {false};
	int64		resident = 0;
	int64		own = 0;
	double		seconds = 0;

	nulls[2] = nulls[3] = !read_memory(pid, &resident, &own);
	nulls[4] = !read_cpu(pid, &seconds);
	values[0] = Int32GetDatum(pid);
	values[1] = CStringGetTextDatum(role);
	values[2] = Int64GetDatum(resident);
	values[3] = Int64GetDatum(own);
	values[4] = Float8GetDatum(seconds);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * Resident memory of a process, and the part of it that it shares with no
 * other.
 */
static bool
read_memory(int pid, int64 *resident, int64 *own)
{
	char		line[256];
	unsigned long size;
	unsigned long pages;
	unsigned long shared;
	long		page = sysconf(_SC_PAGESIZE);

	if (read_proc(pid, "statm", line, sizeof(line)) <= 0 ||
		sscanf(line, "%lu %lu %lu", &size, &pages, &shared) != 3)
		return false;
	*resident = (int64) pages * page;
	*own = (int64) (pages - Min(shared, pages)) * page;
	return true;
}

/*
 * Processor time of a process, in seconds; its name, in parentheses, comes
 * first in the line.
 */
static bool
read_cpu(int pid, double *seconds)
{
	char		line[1024];
	char	   *rest;
	unsigned long user;
	unsigned long system;

	if (read_proc(pid, "stat", line, sizeof(line)) <= 0 ||
		(rest = strrchr(line, ')')) == NULL ||
		sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			   &user, &system) != 2)
		return false;
	*seconds = (double) (user + system) / sysconf(_SC_CLK_TCK);
	return true;
}

/* Read a file of the system about a process; returns its length, or -1. */
static int
read_proc(int pid, const char *name, char *line, int size)
{
	char		path[64];
	int			fd;
	int			len;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = OpenTransientFile(path, O_RDONLY);
	if (fd < 0)
		return -1;
	len = (int) read(fd, line, size - 1);
	line[Max(len, 0)] = '\0';
	CloseTransientFile(fd);
	return len;
}
