/*-------------------------------------------------------------------------
 *
 * refusal.c
 *		Errors that zcsync's SQL raises are shown without a stack of
 *		functions, and a missing table of zcsync with what makes it.
 *
 * When a function refuses something, its message, detail and hint say why,
 * and name the next statement to run.  PL/pgSQL and SQL add a CONTEXT with each
 * function between the caller and the error, a page of text that hides them.
 * It is left out if all of it is of our functions.  A caller's own functions
 * that call zcsync, in whatever language, and the line of a file in COPY still
 * appear.  Other errors keep all of their CONTEXT.
 *
 * The line of a function in SQL has no schema.  That of the function which was
 * called first is ours if it has the name of a public one.  Functions within
 * ours are ours, and have a name with an underscore.
 *
 * CREATE EXTENSION makes functions and no tables, so before setup() most of
 * the functions fail because a table is missing.  Their error gets a hint.
 *
 * IDENTIFICATION
 *		src/refusal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "refusal.h"

/* How our lines of a CONTEXT begin; the server's language may vary. */
#define OUR_FRAME		"PL/pgSQL function zcsync."

#define SQL_FRAME		"SQL function \""

/* Public functions in SQL that are not inlined; test 063 compares them. */
static const char *const sql_functions[] = {
	"alert_measures", "analytics_sync", "business_time", "calculate_capacity",
	"check_credentials", "grant_admin", "grant_operator", "grant_reader",
	"reference", "revoke_admin", "revoke_operator", "revoke_reader",
	"schedule_alerts", "schedule_cache_warming", "schedule_maintenance",
	"search_leads", "search_tickets", "selfcheck", "sync_task", "sync_tasks",
	"sync_ticket", "sync_tickets", "tickets_report", "top_companies",
	"unschedule_alerts", "unschedule_cache_warming", "unschedule_maintenance",
	"warm_cache"
};

/* Files of ours in C that refuse what a user gave. */
static const char *const refusing_files[] = {
	"alert_secret.c", "reference.c", "seal.c", "secret.c", "secret_open.c"
};

/* And the lines that show a function's statement, which a quote ends. */
static const char *const statements[] = {
	"SQL statement \"", "SQL expression \"", "PL/pgSQL assignment \""
};

static emit_log_hook_type outer_log_hook = NULL;

static void edit_error(ErrorData *error);
static bool lacks_our_table(const ErrorData *error);
static bool is_refusal(const ErrorData *error);
static bool is_ours(const char *context);
static bool is_our_frame(const char *line, bool outermost);
static size_t statement_begins(const char *line);

/*
 * Called once when the library is loaded.
 */
void
zcsync_refusal_init(void)
{
	outer_log_hook = emit_log_hook;
	emit_log_hook = edit_error;
}

/*
 * emit_log_hook: what it removes appears neither in the log nor at the
 * client, and what it adds in both.
 */
static void
edit_error(ErrorData *error)
{
	if (error->elevel == ERROR && error->context != NULL && is_refusal(error) &&
		is_ours(error->context))
		error->context = NULL;	/* freed with the error */
	if (error->elevel == ERROR && error->hint == NULL && lacks_our_table(error))
	{
		if (error->context != NULL && is_ours(error->context))
		{
			error->context = NULL;
			error->internalquery = NULL;
			error->internalpos = 0;
		}
		error->hint = MemoryContextStrdup(error->assoc_context,
										  "If this database is new to zcsync, run SELECT * FROM zcsync.setup(); it makes the tables.");
	}
	if (outer_log_hook)
		outer_log_hook(error);
}

/*
 * Does it say that a table of ours, or a type made with one, does not exist?
 * The name is in the message, whatever its language.  Settings have such names,
 * too, and the same SQLSTATE as types.
 */
static bool
lacks_our_table(const ErrorData *error)
{
	return (error->sqlerrcode == ERRCODE_UNDEFINED_TABLE ||
			(error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT &&
			 error->funcname != NULL && strcmp(error->funcname, "typenameType") == 0)) &&
		error->message != NULL && strstr(error->message, "\"zcsync.") != NULL;
}

/*
 * Was it raised on purpose: by a RAISE, or by our code in C that checks what
 * users give?
 */
static bool
is_refusal(const ErrorData *error)
{
	if (error->funcname != NULL && strcmp(error->funcname, "exec_stmt_raise") == 0)
		return true;
	for (int i = 0; i < lengthof(refusing_files); i++)
		if (error->filename != NULL && strcmp(error->filename, refusing_files[i]) == 0)
			return error->sqlerrcode != ERRCODE_INTERNAL_ERROR;
	return false;
}

/*
 * Did only functions of ours call what raised this?  Then each line is a
 * function of ours or belongs to a statement of one, the last to a function.
 */
static bool
is_ours(const char *context)
{
	const char *line = context;
	bool		in_statement = false;
	bool		in_function = false;

	while (line != NULL)
	{
		const char *next = strchr(line, '\n');
		const char *end = next ? next : line + strlen(line);
		size_t		begins = in_statement ? 0 : statement_begins(line);

		in_function = !in_statement && begins == 0;
		if (in_function && !is_our_frame(line, next == NULL))
			return false;
		in_statement = (in_statement || begins > 0) &&
			!(end > line + begins && end[-1] == '"');
		line = next ? next + 1 : NULL;
	}
	return in_function;
}

/* Is this line of a CONTEXT a function of ours? */
static bool
is_our_frame(const char *line, bool outermost)
{
	const char *name;

	if (strncmp(line, SQL_FRAME, strlen(SQL_FRAME)) != 0)
		return strncmp(line, OUR_FRAME, strlen(OUR_FRAME)) == 0;
	name = line + strlen(SQL_FRAME);
	for (int i = 0; i < lengthof(sql_functions); i++)
	{
		size_t		len = strlen(sql_functions[i]);

		if (strncmp(name, sql_functions[i], len) == 0 && name[len] == '"')
			return true;
	}
	return name[0] == '_' && !outermost;
}

/*
 * Does a line begin to show a statement?  The length of what says so; 0: no.
 */
static size_t
statement_begins(const char *line)
{
	for (int i = 0; i < lengthof(statements); i++)
	{
		size_t		len = strlen(statements[i]);

		if (strncmp(line, statements[i], len) == 0)
			return len;
	}
	return 0;
}
