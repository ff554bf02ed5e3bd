/*-------------------------------------------------------------------------
 *
 * zcsync.c
 *		Load the library: settings, shared memory, launcher.
 *
 * In shared_preload_libraries, this requests shared memory and registers the
 * launcher.  Loaded by a session, it defines only the settings: then all of
 * the SQL works, nothing runs in the background, and CALL zcsync.run() does
 * the work by hand.
 *
 * IDENTIFICATION
 *		src/zcsync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "launcher.h"
#include "refusal.h"
#include "settings.h"
#include "shared.h"

ZCSYNC_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

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

	zcsync_shared_request();

	/* A binary upgrade must not be disturbed by connections of ours. */
	if (!IsBinaryUpgrade)
		zcsync_launcher_register();
}
