/*-------------------------------------------------------------------------
 *
 * alerts.c
 *		Messages to alert targets, and CALL zcsync.evaluate_alerts().
 *
 * SQL decides who is told what, and makes the messages
 * (sql/operate/alert_incidents.sql and alert_messages.sql).  This file puts the
 * secrets of a target into its message and sends it: in the worker beside its
 * other transfers (engine_alerts.c), or in a session by
 * CALL zcsync.evaluate_alerts(), when the worker does not.
 *
 * A message is marked as being sent, and that is committed, before it is sent;
 * while it is on the wire there is no transaction; its result is committed
 * afterwards.
 *
 * IDENTIFICATION
 *		src/alerts.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert_secret.h"
#include "alerts.h"
#include "compat.h"
#include "secret.h"
#include "xact.h"

#define ALERT_TIMEOUT_MS	8000	/* for one message */
#define EVALUATE_MS			9000	/* for all that evaluate_alerts() sends */
#define EVALUATE_AT_ONCE	10

/* columns of _take_deliveries() */
enum
{
	COLUMN_DELIVERY = 1, COLUMN_TARGET, COLUMN_REQUEST
};

/* arguments of _send_alert(): its target, and the columns from the URL on */
#define SEND_ARGS			7

/* One run of evaluate_alerts(). */
typedef struct Evaluation
{
	MemoryContext context;		/* lives as long as the CALL */
	ZcsyncHttp *http;
	int64		silent_for_ms;
	bool		decided;
	List	   *deliveries;
	TimestampTz deadline;
} Evaluation;

PG_FUNCTION_INFO_V1(zcsync_evaluate_alerts);
PG_FUNCTION_INFO_V1(zcsync_send_alert);
PG_FUNCTION_INFO_V1(zcsync_alert_host_allowed);

static ZcsyncDelivery *delivery_create(MemoryContext parent, int64 delivery_id,
									   int64 target_id);
static void delivery_fill(ZcsyncDelivery *delivery, const Datum *values,
						  const bool *nulls);
static void put_secrets(ZcsyncDelivery *delivery, List *secrets);
static char *around(const char *before, const char *secret, const char *after);
static List *texts(Datum array);
static void evaluate_check(FunctionCallInfo fcinfo);
static void evaluate_send(Evaluation *run);
static void evaluate_piece(Evaluation *run, void (*body) (Evaluation *));
static void piece_decide(Evaluation *run);
static void piece_take(Evaluation *run);
static void piece_record(Evaluation *run);
static void wait_for_all(ZcsyncHttp *http, TimestampTz deadline);

/*
 * See alerts.h.
 */
bool
zcsync_alerts_decide(int64 silent_for_ms)
{
	Oid			types[] = {FLOAT8OID};
	Datum		arg = Float8GetDatum(silent_for_ms / 1000.0);
	bool		isnull;

	if (SPI_execute_with_args("SELECT zcsync._decide_alerts(pg_catalog.make_interval(secs => $1))",
							  1, types, &arg, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "zcsync._decide_alerts() did not return one row");
	return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 1, &isnull));
}

/*
 * See alerts.h.
 */
List *
zcsync_alerts_take(MemoryContext parent, int max)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {INT4OID};
	Datum		arg = Int32GetDatum(max);
	SPITupleTable *rows;
	uint64		nrows;
	List	   *taken = NIL;

	if (SPI_execute_with_args("SELECT delivery_id, target_id, url, headers, "
							  "body, mail_from, mail_to, mail_user "
							  "FROM zcsync._take_deliveries($1)",
							  1, types, &arg, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not take messages to alert targets");
	rows = SPI_tuptable;
	nrows = SPI_processed;
	for (uint64 i = 0; i < nrows; i++)
	{
		Datum		values[COLUMN_REQUEST - 1 + SEND_ARGS - 1];
		bool		nulls[lengthof(values)];
		ZcsyncDelivery *delivery;

		heap_deform_tuple(rows->vals[i], rows->tupdesc, values, nulls);
		delivery = delivery_create(parent,
								   DatumGetInt64(values[COLUMN_DELIVERY - 1]),
								   DatumGetInt64(values[COLUMN_TARGET - 1]));
		delivery_fill(delivery, values + COLUMN_REQUEST - 1,
					  nulls + COLUMN_REQUEST - 1);
		MemoryContextSwitchTo(caller);
		taken = lappend(taken, delivery);
	}
	return taken;
}

/*
 * See alerts.h.
 */
void
zcsync_alerts_record(List *deliveries)
{
	Oid			types[] = {INT8OID, TEXTOID};
	ListCell   *lc;

	foreach(lc, deliveries)
	{
		ZcsyncDelivery *delivery = lfirst(lc);
		Datum		args[2];
		char		nulls[] = "  ";

		args[0] = Int64GetDatum(delivery->delivery_id);
		if (delivery->error != NULL)
			args[1] = CStringGetTextDatum(delivery->error);
		else
		{
			args[1] = (Datum) 0;
			nulls[1] = 'n';
		}
		if (SPI_execute_with_args("SELECT zcsync._record_delivery($1, $2)", 2,
								  types, args, nulls, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not record a message to an alert target");
	}
}

/*
 * See alerts.h.
 */
bool
zcsync_alerts_start(ZcsyncHttp *http, ZcsyncDelivery *delivery)
{
	if (delivery->error != NULL)
		return false;
	zcsync_http_start(http, &delivery->http, delivery);
	return true;
}

/*
 * See alerts.h.  What the other side wrote is not kept: it may be anything.
 */
void
zcsync_alerts_over(ZcsyncHttpTransfer *transfer)
{
	ZcsyncDelivery *delivery = zcsync_http_transfer_owner(transfer);
	MemoryContext old = MemoryContextSwitchTo(delivery->context);

	if (transfer->result != ZCSYNC_HTTP_OK)
		delivery->error = pstrdup(transfer->error);
	else if (transfer->status < 200 || transfer->status > 299)
		delivery->error = psprintf(transfer->status >= 300 && transfer->status < 400 &&
								   delivery->http.mail_from == NULL ?
								   "HTTP status %d, a redirect, which is not followed" :
								   "HTTP status %d", transfer->status);
	MemoryContextSwitchTo(old);
	zcsync_http_release(transfer);
}

/*
 * See alerts.h.
 */
void
zcsync_alerts_free(ZcsyncDelivery *delivery)
{
	ListCell   *lc;

	zcsync_secret_wipe(unconstify(char *, delivery->http.url));
	zcsync_secret_wipe(unconstify(char *, delivery->http.body));
	zcsync_secret_wipe(unconstify(char *, delivery->http.password));
	foreach(lc, delivery->http.headers)
		zcsync_secret_wipe(lfirst(lc));
	MemoryContextDelete(delivery->context);
}

static ZcsyncDelivery *
delivery_create(MemoryContext parent, int64 delivery_id, int64 target_id)
{
	MemoryContext context = AllocSetContextCreate(parent, "zcsync delivery",
												  ALLOCSET_SMALL_SIZES);
	ZcsyncDelivery *delivery = MemoryContextAllocZero(context,
													  sizeof(ZcsyncDelivery));

	delivery->context = context;
	delivery->delivery_id = delivery_id;
	delivery->target_id = target_id;
	return delivery;
}

/*
 * Make the request of what SQL says of it: url (NULL: it is a secret), headers,
 * body, mail_from, mail_to, mail_user.  Leaves the message's context as the
 * current one.
 */
static void
delivery_fill(ZcsyncDelivery *delivery, const Datum *values, const bool *nulls)
{
	ZcsyncHttpRequest *http = &delivery->http;
	char	   *hint;
	List	   *secrets;
	ListCell   *lc;

	secrets = zcsync_alert_secrets_open(delivery->context,
										delivery->target_id,
										&delivery->error, &hint);
	MemoryContextSwitchTo(delivery->context);
	http->is_alert = true;
	http->method = "POST";
	http->timeout_ms = ALERT_TIMEOUT_MS;
	http->url = nulls[0] ? NULL : TextDatumGetCString(values[0]);
	http->headers = nulls[1] ? NIL : texts(values[1]);
	http->body = TextDatumGetCString(values[2]);
	if (!nulls[3])
	{
		http->mail_from = TextDatumGetCString(values[3]);
		http->mail_to = texts(values[4]);
	}
	if (!nulls[5])
		http->user = TextDatumGetCString(values[5]);
	put_secrets(delivery, secrets);
	http->body_len = strlen(http->body);
	if (http->url == NULL && delivery->error == NULL)
		delivery->error = "the target has no address";
	foreach(lc, secrets)
		zcsync_secret_wipe(((ZcsyncCredential *) lfirst(lc))->value);
}

/*
 * Put each secret where one of its name belongs, and nowhere else: who may
 * write the text of a message, or names that it shows, may not read secrets.
 */
static void
put_secrets(ZcsyncDelivery *delivery, List *secrets)
{
	ZcsyncHttpRequest *http = &delivery->http;
	ListCell   *lc;

	foreach(lc, secrets)
	{
		ZcsyncCredential *secret = lfirst(lc);

		if (strcmp(secret->name, "url") == 0)
			http->url = around("", secret->value, "");
		else if (strcmp(secret->name, "token") == 0)
			http->headers = lappend(http->headers,
									around("Authorization: Bearer ",
										   secret->value, ""));
		else if (strcmp(secret->name, "password") == 0)
			http->password = around("", secret->value, "");
		else if (strcmp(secret->name, "routing_key") == 0)
		{
			/* the first member of the body, which is a JSON object */
			StringInfoData quoted;
			char	   *member;

			initStringInfo(&quoted);
			enlargeStringInfo(&quoted, 6 * strlen(secret->value) + 2);
			escape_json(&quoted, secret->value);
			member = around("{\"routing_key\": ", quoted.data, ", ");
			http->body = around("", member, http->body + 1);
			zcsync_secret_wipe(quoted.data);
			zcsync_secret_wipe(member);
		}
	}
}

/*
 * These three after one another, allocated once, so that no part of a secret
 * is left in memory that was freed.
 */
static char *
around(const char *before, const char *secret, const char *after)
{
	Size		size = strlen(before) + strlen(secret) + strlen(after) + 1;
	char	   *result = palloc(size);

	snprintf(result, size, "%s%s%s", before, secret, after);
	return result;
}

/* The elements of a text[], none of which is NULL, as a list of char *. */
static List *
texts(Datum array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *list = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			list = lappend(list, TextDatumGetCString(elements[i]));
	}
	return list;
}

/*
 * CALL zcsync.evaluate_alerts(silent_for): decide, commit, send, commit.
 */
Datum
zcsync_evaluate_alerts(PG_FUNCTION_ARGS)
{
	Evaluation	run = {0};
	Interval   *silent_for;

	evaluate_check(fcinfo);
	silent_for = PG_GETARG_INTERVAL_P(0);
	run.silent_for_ms = silent_for->time / 1000 +
		((int64) silent_for->day + 30 * (int64) silent_for->month) * 86400000;
	run.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											   EVALUATE_MS);

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	/* give up the snapshot that this call came with */
	SPI_commit();
	run.context = AllocSetContextCreate(PortalContext, "zcsync alerts",
										ALLOCSET_DEFAULT_SIZES);
	run.http = zcsync_http_create(run.context, EVALUATE_AT_ONCE);
	PG_TRY();
	{
		evaluate_piece(&run, piece_decide);
		if (run.decided)
			evaluate_send(&run);
	}
	PG_FINALLY();
	{
		zcsync_http_destroy(run.http);
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_NULL();
}

/* May it be called so, and here? */
static void
evaluate_check(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("zcsync.evaluate_alerts() cannot be called in a transaction block"),
				 errhint("Call it on its own: CALL zcsync.evaluate_alerts().")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("this server is a standby, where zcsync changes nothing"),
				 errhint("Run it on the primary.")));
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments of zcsync.evaluate_alerts() cannot be null")));
}

/* Send what is due, some at a time, until the time is over. */
static void
evaluate_send(Evaluation *run)
{
	for (;;)
	{
		ListCell   *lc;
		ZcsyncHttpTransfer *transfer;

		run->deliveries = NIL;
		evaluate_piece(run, piece_take);
		if (run->deliveries == NIL)
			return;
		foreach(lc, run->deliveries)
			(void) zcsync_alerts_start(run->http, lfirst(lc));
		zcsync_xact_assert_idle(ZCSYNC_XACT_OWNER);
		wait_for_all(run->http, run->deadline);
		foreach(lc, run->deliveries)
		{
			/* if its transfer is over, the loop below overwrites this */
			ZcsyncDelivery *delivery = lfirst(lc);

			if (delivery->error == NULL)
				delivery->error = "there was no answer in time";
		}
		while ((transfer = zcsync_http_next_done(run->http)) != NULL)
		{
			ZcsyncDelivery *delivery = zcsync_http_transfer_owner(transfer);

			delivery->error = NULL;
			zcsync_alerts_over(transfer);
		}
		zcsync_http_abort_all(run->http);
		evaluate_piece(run, piece_record);
		foreach(lc, run->deliveries)
			zcsync_alerts_free(lfirst(lc));
		if (GetCurrentTimestamp() >= run->deadline)
			return;
	}
}

/*
 * One piece of database work.  An error is thrown again after the piece is
 * closed: it must not leave its subtransaction open.
 */
static void
evaluate_piece(Evaluation *run, void (*body) (Evaluation *))
{
	zcsync_xact_begin(ZCSYNC_XACT_OWNER, "zcsync: evaluate alerts");
	PG_TRY();
	{
		body(run);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(run->context);
		error = CopyErrorData();
		FlushErrorState();
		zcsync_xact_abort(ZCSYNC_XACT_OWNER);
		ReThrowError(error);
	}
	PG_END_TRY();
	zcsync_xact_commit(ZCSYNC_XACT_OWNER);
}

static void
piece_decide(Evaluation *run)
{
	run->decided = zcsync_alerts_decide(run->silent_for_ms);
}

static void
piece_take(Evaluation *run)
{
	List	   *taken = zcsync_alerts_take(run->context, EVALUATE_AT_ONCE);
	MemoryContext old = MemoryContextSwitchTo(run->context);

	run->deliveries = list_copy(taken);
	MemoryContextSwitchTo(old);
}

static void
piece_record(Evaluation *run)
{
	zcsync_alerts_record(run->deliveries);
}

/* Wait until nothing is in flight, no longer than this. */
static void
wait_for_all(ZcsyncHttp *http, TimestampTz deadline)
{
	static uint32 wait_event = 0;

	while (zcsync_http_in_flight(http) > 0)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   deadline);

		if (left <= 0)
			break;
		zcsync_http_wait(http, left,
						 zcsync_wait_event(&wait_event, "ZcsyncAlerts"));
	}
}

/*
 * _send_alert(target, url, headers, body, mail_from, mail_to, mail_user): send
 * one message in this session.  Returns the error; NULL: it was taken.
 */
Datum
zcsync_send_alert(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	ZcsyncDelivery *delivery;
	Datum		values[SEND_ARGS - 1];
	bool		nulls[SEND_ARGS - 1];
	ZcsyncHttp *http;
	char	   *error;

	for (int i = 0; i < SEND_ARGS - 1; i++)
	{
		values[i] = PG_GETARG_DATUM(i + 1);
		nulls[i] = PG_ARGISNULL(i + 1);
	}
	delivery = delivery_create(caller, 0, PG_GETARG_INT64(0));
	delivery_fill(delivery, values, nulls);
	MemoryContextSwitchTo(caller);
	http = zcsync_http_create(caller, 1);
	PG_TRY();
	{
		if (zcsync_alerts_start(http, delivery))
		{
			wait_for_all(http, DT_NOEND);
			zcsync_alerts_over(zcsync_http_next_done(http));
		}
	}
	PG_FINALLY();
	{
		zcsync_http_destroy(http);
	}
	PG_END_TRY();
	error = delivery->error == NULL ? NULL : pstrdup(delivery->error);
	zcsync_alerts_free(delivery);
	if (error == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(error));
}

/*
 * _alert_host_allowed(url, mail): why nothing may be sent to this address, as
 * (message, hint); NULLs if it may.
 */
Datum
zcsync_alert_host_allowed(PG_FUNCTION_ARGS)
{
	ZcsyncHttpRequest request = {0};
	const char *why;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	request.method = "POST";
	request.url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	request.is_alert = true;
	request.mail_from = PG_GETARG_BOOL(1) ? "" : NULL;
	why = zcsync_http_refusal(&request);
	if (why != NULL)
	{
		values[0] = CStringGetTextDatum(psprintf("alerts cannot be sent there: %s",
												 why));
		values[1] = CStringGetTextDatum("Addresses begin with https://, those of mail relays with smtps:// or smtp:// (which then must offer STARTTLS); the host must be named in \"zcsync.alert_hosts\".");
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
