/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between PostgreSQL versions.
 *
 * The only file that may test PG_VERSION_NUM.
 *
 * IDENTIFICATION
 *		src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_COMPAT_H
#define ZCSYNC_COMPAT_H

#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "zcsync needs PostgreSQL 15 or newer"
#endif

/* From 18 on, pg_get_loaded_modules() tells our name and version. */
#if PG_VERSION_NUM >= 180000
#define ZCSYNC_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "zcsync", .version = ZCSYNC_VERSION)
#else
#define ZCSYNC_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/*
 * A wait event of our own, named from PostgreSQL 17 on.  Looking up the name
 * takes a lock, so the caller keeps the number for its later waits in a
 * static variable that is 0 at first.
 */
static inline uint32
zcsync_wait_event(uint32 *known, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*known == 0)
		*known = WaitEventExtensionNew(name);
#else
	*known = PG_WAIT_EXTENSION;
#endif
	return *known;
}

/*
 * A wait event set that belongs to no resource owner: before version 17 it
 * belongs to a memory context.
 */
#if PG_VERSION_NUM >= 170000
#define zcsync_create_wait_event_set(context, nevents) \
	CreateWaitEventSet(NULL, (nevents))
#else
#define zcsync_create_wait_event_set(context, nevents) \
	CreateWaitEventSet((context), (nevents))
#endif

#if PG_VERSION_NUM >= 160000
#define zcsync_may_connect(database, role) \
	(object_aclcheck(DatabaseRelationId, (database), (role), \
					 ACL_CONNECT) == ACLCHECK_OK)
#define zcsync_may_use_schema(schema, role) \
	(object_aclcheck(NamespaceRelationId, (schema), (role), \
					 ACL_USAGE) == ACLCHECK_OK)
#else
#define zcsync_may_connect(database, role) \
	(pg_database_aclcheck((database), (role), ACL_CONNECT) == ACLCHECK_OK)
#define zcsync_may_use_schema(schema, role) \
	(pg_namespace_aclcheck((schema), (role), ACL_USAGE) == ACLCHECK_OK)
#endif

/*
 * From 19 on, DROP DATABASE and similar commands may end a worker that allows
 * it.
 */
#ifdef BGWORKER_INTERRUPTIBLE
#define ZCSYNC_BGWORKER_INTERRUPTIBLE BGWORKER_INTERRUPTIBLE
#else
#define ZCSYNC_BGWORKER_INTERRUPTIBLE 0
#endif

/* Does this process hold the lock in exactly this mode? */
#if PG_VERSION_NUM >= 170000
#define zcsync_lock_held_by_me(tag, mode) LockHeldByMe((tag), (mode), false)
#else
#define zcsync_lock_held_by_me(tag, mode) LockHeldByMe((tag), (mode))
#endif

/*
 * The next lock after "after" among those that this process holds in a
 * partition of the shared lock table.  NULL as the argument asks for the
 * first one; NULL as the result means that there is no more.
 */
static inline PROCLOCK *
zcsync_next_own_lock(int partition, PROCLOCK *after)
{
#if PG_VERSION_NUM >= 160000
	dlist_head *locks = &MyProc->myProcLocks[partition];

	if (after == NULL ? dlist_is_empty(locks) :
		!dlist_has_next(locks, &after->procLink))
		return NULL;
	return dlist_container(PROCLOCK, procLink, after == NULL ?
						   dlist_head_node(locks) :
						   dlist_next_node(locks, &after->procLink));
#else
	SHM_QUEUE  *locks = &MyProc->myProcLocks[partition];

	return (PROCLOCK *) SHMQueueNext(locks, after == NULL ? locks :
									 &after->procLink,
									 offsetof(PROCLOCK, procLink));
#endif
}

/* Stands before the whole prototype from 18 on. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* Binary data is "uint8 *" from 18 on, "char *" before. */
#define zcsync_b64_encode(src, len, dst, dstlen) \
	pg_b64_encode((const void *) (src), (len), (dst), (dstlen))

#endif							/* ZCSYNC_COMPAT_H */
