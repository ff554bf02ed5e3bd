/*-------------------------------------------------------------------------
 *
 * sqlstate.h
 *		Which errors are not the fault of the row that met them.
 *
 * IDENTIFICATION
 *		src/sqlstate.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SQLSTATE_H
#define ZCSYNC_SQLSTATE_H

extern bool zcsync_is_servers_error(int sqlerrcode);

#endif							/* ZCSYNC_SQLSTATE_H */
