/*-------------------------------------------------------------------------
 *
 * zcsync.c
 *		Load the library: settings, shared memory, launcher.
 *
 * In shared_preload_libraries, this requests shared memory and registers the
 * launcher.  Loaded by a session, it defines only the settings: then all of
 * the SQL works, nothing runs in the background, and CALL zcsync.run() does
 * the work by hand.  PL/pgSQL is preloaded along, since nearly every call needs
 * it and a session takes some milliseconds to load it.
 *
 * IDENTIFICATION
 *		src/zcsync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "activity.h"
#include "cache_store.h"
#include "compat.h"
#include "launcher.h"
#include "metrics.h"
#include "refusal.h"
#include "settings.h"
#include "shared.h"
#include "verb.h"

ZCSYNC_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* What lives in shared memory, with the lock that it gets. */
static const struct
{
	const char *tranche;
	Size		(*size) (void);
	void		(*init) (void);
}			parts[] = {
	{"zcsync", zcsync_shared_size, zcsync_shared_init},
	{"zcsync_cache", zcsync_cache_shared_size, zcsync_cache_shared_init},
	{"zcsync_metrics", zcsync_metrics_shared_size, zcsync_metrics_shared_init},
	{"zcsync_activity", zcsync_activity_shared_size, zcsync_activity_shared_init},
	{"zcsync_verbs", zcsync_verb_shared_size, zcsync_verb_shared_init}
};

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static void request_shared_memory(void);
static void init_shared_memory(void);

/*
 * Called once when the library is loaded.  Outside of preloading it logs and
 * starts nothing, so that DDL, dumps and restores work on any server.
 */
void
_PG_init(void)
{
	zcsync_settings_define();
	zcsync_refusal_init();

	if (!process_shared_preload_libraries_in_progress)
		return;

	load_file("$libdir/plpgsql", false);

	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = init_shared_memory;

	/* A binary upgrade must not be disturbed by connections of ours. */
	if (!IsBinaryUpgrade)
		zcsync_launcher_register();
}

static void
request_shared_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	for (int i = 0; i < lengthof(parts); i++)
	{
		RequestAddinShmemSpace(parts[i].size());
		RequestNamedLWLockTranche(parts[i].tranche, 1);
	}
}

static void
init_shared_memory(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < lengthof(parts); i++)
		parts[i].init();
	LWLockRelease(AddinShmemInitLock);
}
