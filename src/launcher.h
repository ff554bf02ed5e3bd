/*-------------------------------------------------------------------------
 *
 * launcher.h
 *		Finds the databases that use zcsync and gives each a worker.
 *
 * IDENTIFICATION
 *		src/launcher.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_LAUNCHER_H
#define ZCSYNC_LAUNCHER_H

#include "fmgr.h"

extern void zcsync_launcher_register(void);
extern PGDLLEXPORT void zcsync_launcher_main(Datum arg);

#endif							/* ZCSYNC_LAUNCHER_H */
