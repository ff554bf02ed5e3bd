/*-------------------------------------------------------------------------
 *
 * door.h
 *		What the parts of zcsync-door share.
 *
 * IDENTIFICATION
 *		src/door/door.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_DOOR_H
#define ZCSYNC_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOR_BODY_MAX		(256 * 1024)	/* bytes */
#define DOOR_HEADERS_MAX	(16 * 1024)
#define DOOR_TIMEOUT_S		5	/* of a connection without progress */
#define DOOR_ANSWER_MS		4000	/* the database's time for a batch */
#define DOOR_BATCH_MAX		64	/* deliveries in a transaction */
#define DOOR_WAITING_MAX	2000	/* deliveries in memory */
#define DOOR_REPORT_S		60	/* between reports of the spool */
#define DOOR_NAME_MAX		64	/* characters */

struct event_base;
struct evhttp_request;

/*
 * What a vendor sent, from its arrival until it is answered; or a report of the
 * spool.
 */
typedef struct Delivery
{
	struct Delivery *next;		/* in a list */
	char	   *path;			/* after the first slash; may end in a secret */
	char	   *headers;		/* a JSON object */
	char	   *body;
	size_t		body_size;
	char		received_at[40];	/* ISO 8601, in UTC */
	struct evhttp_request *request; /* NULL: nobody waits for an answer */
	off_t		spooled_to;		/* where its record in the spool ends; 0: it is
								 * not from there */
	int			status;			/* that the database answered */
	bool		alone;			/* its batch failed: it goes by itself */
	bool		is_report;		/* of the spool: it has no content of its own */
} Delivery;

/* A list of deliveries in the order of their arrival. */
typedef struct DeliveryList
{
	Delivery   *first;
	Delivery   *last;
	int			length;
} DeliveryList;

typedef struct DoorOptions
{
	const char *address;		/* to listen on */
	int			port;			/* 0: any */
	const char *conninfo;		/* of libpq */
	const char *spool;			/* directory; NULL: no spool */
	off_t		spool_max;		/* bytes */
	char		name[DOOR_NAME_MAX + 1];	/* under which it reports */
} DoorOptions;

/* delivery.c */
extern Delivery *delivery_make(const char *path, const char *headers,
							   const void *body, size_t body_size);
extern void delivery_free(Delivery *delivery);
extern void list_append(DeliveryList *list, Delivery *delivery);
extern Delivery *list_take(DeliveryList *list);
extern void list_concat(DeliveryList *list, DeliveryList *after);

/* intake.c */
extern void intake_open(struct event_base *base, const DoorOptions *options);
extern void intake_close(void);
extern int	intake_open_requests(void);
extern void intake_answer(Delivery *delivery, int status);

/* database.c */
extern void database_open(struct event_base *base, const DoorOptions *options);
extern bool database_is_up(void);
extern int	database_waiting(void);
extern void database_take(Delivery *delivery);
extern void database_report(void);
extern void database_close(void);

/* spool.c */
extern void spool_open(struct event_base *base, const char *directory,
					   off_t max);
extern void spool_keep(Delivery *delivery);
extern void spool_database_is_up(void);
extern void spool_done(Delivery *delivery, bool stored);
extern void spool_note_path(const char *path);
extern void spool_sync(void);
extern off_t spool_waiting(double *age);

/* door.c */
extern void door_log(const char *format,...)
			__attribute__((format(printf, 1, 2)));
extern void door_die(const char *format,...)
			__attribute__((format(printf, 1, 2), noreturn));
extern void *door_alloc(size_t size);
extern char *door_strdup(const char *text);

#endif							/* ZCSYNC_DOOR_H */
