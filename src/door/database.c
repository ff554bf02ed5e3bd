/*-------------------------------------------------------------------------
 *
 * database.c
 *		The database side of zcsync-door, by libpq.
 *
 * One connection in pipeline mode.  Deliveries that arrive while a batch is on
 * its way make the next one.  A batch is one transaction: it is committed by
 * its end, so nobody is answered before that has come.  If it fails, its
 * deliveries are sent again one by one, so that one of them harms no other.
 *
 * When the connection is lost, or a batch takes too long, all that is not
 * answered goes to the spool.  What of it the database had stored already is
 * known there when it comes again.
 *
 * Once a minute, and when something of that changes, a report goes the same
 * way: how much waits in the spool, and for how long.  So the database knows
 * that this door is there, too.
 *
 * What the server says about an error may quote what was sent, so only the
 * SQLSTATE is logged.
 *
 * IDENTIFICATION
 *		src/door/database.c
 *
 *-------------------------------------------------------------------------
 */
#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define RETRY_MIN_MS	500
#define RETRY_MAX_MS	10000

/* OIDs of types are the same everywhere */
#define TEXT_OID		25
#define BYTEA_OID		17
#define TIMESTAMPTZ_OID	1184
#define JSONB_OID		3802

#define RECEIVE_SQL \
	"SELECT status FROM zcsync.receive_webhook($1, $2, $3, $4, $5)"

typedef enum DatabaseState
{
	DATABASE_DOWN,				/* until the timer */
	DATABASE_CONNECTING,
	DATABASE_PREPARING,			/* the statement is prepared */
	DATABASE_UP
} DatabaseState;

static struct event_base *events = NULL;
static const DoorOptions *options = NULL;
static DatabaseState state = DATABASE_DOWN;
static PGconn *conn = NULL;
static struct event *read_event = NULL;
static struct event *write_event = NULL;
static struct event *timer = NULL;	/* to connect again, or the end of
									 * patience */
static struct event *send_event = NULL; /* at the end of this round */
static struct event *report_timer = NULL;
static int	retry_ms = RETRY_MIN_MS;
static bool told_down = false;

static DeliveryList waiting;
static DeliveryList batch;		/* sent, and not committed yet */
static Delivery *expected;		/* of the batch: whose result comes next */
static bool batch_failed = false;
static char batch_sqlstate[6];

static void start_timer(int ms);
static void timer_fired(int fd, short what, void *arg);
static void begin_connecting(void);
static void go_on_connecting(void);
static void watch(bool for_reading, bool for_writing);
static void socket_ready(int fd, short what, void *arg);
static void prepare(void);
static void send_batch(int fd, short what, void *arg);
static bool send_delivery(Delivery *delivery);
static bool send_report(void);
static void report_due(int fd, short what, void *arg);
static void flush(void);
static void read_results(void);
static void take_result(PGresult *result);
static void batch_ended(void);
static void repeat_batch(void);
static void settle(Delivery *delivery);
static bool is_outage(const char *sqlstate);
static void give_up(const char *why);
static void ignore_notice(void *arg, const char *message);

void
database_open(struct event_base *base, const DoorOptions *given)
{
	const struct timeval between_reports = {DOOR_REPORT_S, 0};

	events = base;
	options = given;
	timer = event_new(base, -1, 0, timer_fired, NULL);
	send_event = event_new(base, -1, 0, send_batch, NULL);
	report_timer = event_new(base, -1, EV_PERSIST, report_due, NULL);
	if (timer == NULL || send_event == NULL || report_timer == NULL)
		door_die("out of memory");
	event_add(report_timer, &between_reports);
	begin_connecting();
}

bool
database_is_up(void)
{
	return state == DATABASE_UP;
}

/* Deliveries that were taken and have no result yet. */
int
database_waiting(void)
{
	return waiting.length + batch.length;
}

/* Have the database take a delivery; the connection is up. */
void
database_take(Delivery *delivery)
{
	list_append(&waiting, delivery);
	event_active(send_event, EV_TIMEOUT, 0);
}

/* Tell the database of the spool, if it is up. */
void
database_report(void)
{
	Delivery   *report;

	if (state != DATABASE_UP)
		return;
	report = delivery_make("", "", "", 0);
	report->is_report = true;
	database_take(report);
}

static void
report_due(int fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	database_report();
}

/* The program ends: what was not answered goes to the spool. */
void
database_close(void)
{
	if (state != DATABASE_DOWN)
		give_up(NULL);
	event_del(timer);
	event_del(report_timer);
}

static void
start_timer(int ms)
{
	struct timeval after;

	after.tv_sec = ms / 1000;
	after.tv_usec = (ms % 1000) * 1000;
	event_del(timer);
	event_add(timer, &after);
}

static void
timer_fired(int fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if (state == DATABASE_DOWN)
		begin_connecting();
	else
		give_up("it does not answer");
}

static void
begin_connecting(void)
{
	conn = PQconnectStart(options->conninfo);
	if (conn == NULL)
		door_die("out of memory");
	state = DATABASE_CONNECTING;
	if (PQstatus(conn) == CONNECTION_BAD)
	{
		give_up(PQerrorMessage(conn));
		return;
	}
	PQsetNoticeProcessor(conn, ignore_notice, NULL);
	start_timer(DOOR_TIMEOUT_S * 1000);
	watch(false, true);
}

static void
go_on_connecting(void)
{
	switch (PQconnectPoll(conn))
	{
		case PGRES_POLLING_READING:
			watch(true, false);
			break;
		case PGRES_POLLING_WRITING:
			watch(false, true);
			break;
		case PGRES_POLLING_OK:
			prepare();
			break;
		default:
			give_up(PQerrorMessage(conn));
			break;
	}
}

/* Wait for the connection's socket, which may be another one than before. */
static void
watch(bool for_reading, bool for_writing)
{
	if (read_event != NULL)
		event_free(read_event);
	if (write_event != NULL)
		event_free(write_event);
	read_event = event_new(events, PQsocket(conn), EV_READ | EV_PERSIST,
						   socket_ready, NULL);
	write_event = event_new(events, PQsocket(conn), EV_WRITE, socket_ready,
							NULL);
	if (read_event == NULL || write_event == NULL)
		door_die("out of memory");
	if (for_reading)
		event_add(read_event, NULL);
	if (for_writing)
		event_add(write_event, NULL);
}

static void
socket_ready(int fd, short what, void *arg)
{
	(void) fd;
	(void) arg;
	if (state == DATABASE_CONNECTING)
	{
		go_on_connecting();
		return;
	}
	if (what & EV_READ)
		read_results();
	if ((what & EV_WRITE) && state != DATABASE_DOWN)
		flush();
}

/* Connected: prepare the one statement. */
static void
prepare(void)
{
	static const Oid types[] = {TEXT_OID, JSONB_OID, BYTEA_OID, TIMESTAMPTZ_OID,
	JSONB_OID};

	state = DATABASE_PREPARING;
	batch_failed = false;
	watch(true, false);
	if (PQsetnonblocking(conn, 1) != 0 || PQenterPipelineMode(conn) != 1 ||
		PQsendPrepare(conn, "receive", RECEIVE_SQL, 5, types) != 1 ||
		PQpipelineSync(conn) != 1)
	{
		give_up(PQerrorMessage(conn));
		return;
	}
	flush();
}

/* Send what waits, unless a batch is on its way. */
static void
send_batch(int fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if (state != DATABASE_UP || batch.length > 0 || waiting.length == 0)
		return;
	do
	{
		Delivery   *delivery = list_take(&waiting);

		list_append(&batch, delivery);
		if (!send_delivery(delivery))
		{
			give_up(PQerrorMessage(conn));
			return;
		}
	} while (waiting.length > 0 && batch.length < DOOR_BATCH_MAX &&
			 !batch.last->alone && !waiting.first->alone);
	if (PQpipelineSync(conn) != 1)
	{
		give_up(PQerrorMessage(conn));
		return;
	}
	expected = batch.first;
	batch_failed = false;
	start_timer(DOOR_ANSWER_MS);
	flush();
}

static bool
send_delivery(Delivery *delivery)
{
	const char *values[5] = {0};
	int			lengths[5] = {0};
	int			formats[5] = {0, 0, 1, 0, 0};

	if (delivery->is_report)
		return send_report();
	values[0] = delivery->path;
	values[1] = delivery->headers;
	values[2] = delivery->body;
	values[3] = delivery->received_at;
	lengths[2] = (int) delivery->body_size;
	return PQsendQueryPrepared(conn, "receive", 5, values, lengths, formats,
							   0) == 1;
}

/* What the spool has now, which may be less than when the report was due. */
static bool
send_report(void)
{
	char		spool[200];
	const char *values[5] = {NULL, NULL, NULL, NULL, spool};
	double		age;
	off_t		waiting_bytes = spool_waiting(&age);
	char		age_text[40] = "null";

	if (waiting_bytes > 0)
		snprintf(age_text, sizeof(age_text), "%.0f", age);
	snprintf(spool, sizeof(spool), "{\"door\": \"%s\", \"bytes\": %lld, \"age\": %s}",
			 options->name, (long long) waiting_bytes, age_text);
	return PQsendQueryPrepared(conn, "receive", 5, values, NULL, NULL, 0) == 1;
}

static void
flush(void)
{
	int			left = PQflush(conn);

	if (left < 0)
		give_up(PQerrorMessage(conn));
	else if (left > 0)
		event_add(write_event, NULL);
}

static void
read_results(void)
{
	bool		was_end = false;

	if (PQconsumeInput(conn) != 1)
	{
		give_up(PQerrorMessage(conn));
		return;
	}
	while (state != DATABASE_DOWN && !PQisBusy(conn))
	{
		PGresult   *result = PQgetResult(conn);

		if (result != NULL)
			take_result(result);
		else if (was_end)
			break;				/* nothing is on its way any more */
		was_end = result == NULL;	/* of the results of a statement */
		PQclear(result);
	}
}

static void
take_result(PGresult *result)
{
	const char *sqlstate;

	switch (PQresultStatus(result))
	{
		case PGRES_PIPELINE_SYNC:
			batch_ended();
			return;
		case PGRES_COMMAND_OK:
			return;
		case PGRES_TUPLES_OK:
			if (expected != NULL && PQntuples(result) == 1)
				expected->status = atoi(PQgetvalue(result, 0, 0));
			break;
		case PGRES_PIPELINE_ABORTED:
			break;
		default:
			sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
			batch_failed = true;
			snprintf(batch_sqlstate, sizeof(batch_sqlstate), "%s",
					 sqlstate ? sqlstate : "08006");
			break;
	}
	if (expected != NULL)
		expected = expected->next;
}

/* The transaction is over, or the statement is prepared. */
static void
batch_ended(void)
{
	Delivery   *delivery;

	event_del(timer);
	if (state == DATABASE_PREPARING)
	{
		if (batch_failed)
		{
			give_up("it refuses the call of receive_webhook()");
			return;
		}
		state = DATABASE_UP;
		if (told_down)
			door_log("the database is back");
		told_down = false;
		database_report();
		spool_database_is_up();
		return;
	}
	if (batch_failed)
		repeat_batch();
	else
	{
		retry_ms = RETRY_MIN_MS;
		while ((delivery = list_take(&batch)) != NULL)
			settle(delivery);
	}
	event_active(send_event, EV_TIMEOUT, 0);
}

/* A batch failed, and nothing of it is stored. */
static void
repeat_batch(void)
{
	Delivery   *delivery = batch.first;

	if (is_outage(batch_sqlstate))
	{
		give_up("it cannot store anything");
		return;
	}
	if (batch.length == 1)
	{
		door_log("%s could not be stored: SQLSTATE %s",
				 delivery->is_report ? "a report" : "a delivery", batch_sqlstate);
		delivery = list_take(&batch);
		delivery->status = 500;
		settle(delivery);
		return;
	}
	for (; delivery != NULL; delivery = delivery->next)
		delivery->alone = true;
	list_concat(&batch, &waiting);
	waiting = batch;
	memset(&batch, 0, sizeof(batch));
}

/* The database has answered. */
static void
settle(Delivery *delivery)
{
	if (delivery->is_report)
	{
		delivery_free(delivery);
		return;
	}
	if (delivery->status == 0)
		delivery->status = 500;
	if (delivery->status == 200)
		spool_note_path(delivery->path);
	if (delivery->spooled_to != 0)
	{
		spool_done(delivery, delivery->status != 503);
		return;
	}
	intake_answer(delivery, delivery->status);
	delivery_free(delivery);
}

/*
 * Is it the server that cannot work now, and not this delivery that it cannot
 * take?  A lost connection, a server that became a standby, deadlocks, lack of
 * resources, operators who intervene, trouble of the system; locks that others
 * hold, and rights that this role does not have until somebody grants them.
 */
static bool
is_outage(const char *sqlstate)
{
	static const char *const outages[] = {
		"08", "25", "40", "53", "57", "58", "55P03", "42501"
	};

	for (size_t i = 0; i < sizeof(outages) / sizeof(outages[0]); i++)
	{
		if (strncmp(sqlstate, outages[i], strlen(outages[i])) == 0)
			return true;
	}
	return false;
}

/*
 * Close the connection, and connect again after a while.  What was not
 * answered goes to the spool.
 */
static void
give_up(const char *why)
{
	DeliveryList lost;
	Delivery   *delivery;

	if (why != NULL && !told_down)
		door_log("the database cannot be used: %.*s", (int) strcspn(why, "\n"),
				 why);
	told_down = told_down || why != NULL;
	state = DATABASE_DOWN;
	if (read_event != NULL)
		event_free(read_event);
	if (write_event != NULL)
		event_free(write_event);
	read_event = write_event = NULL;
	PQfinish(conn);
	conn = NULL;
	start_timer(retry_ms);
	retry_ms = 2 * retry_ms < RETRY_MAX_MS ? 2 * retry_ms : RETRY_MAX_MS;

	lost = batch;
	memset(&batch, 0, sizeof(batch));
	expected = NULL;
	list_concat(&lost, &waiting);
	while ((delivery = list_take(&lost)) != NULL)
	{
		if (delivery->is_report)
			delivery_free(delivery);
		else if (delivery->spooled_to != 0)
			spool_done(delivery, false);
		else
			spool_keep(delivery);
	}
}

static void
ignore_notice(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}
