/*-------------------------------------------------------------------------
 *
 * refusal.c
 *		Errors that zcsync's SQL raises are shown without a stack of
 *		functions, and a missing table of zcsync with what makes it.
 *
 * When a function refuses something, its message, detail and hint say why,
 * and name the next statement to run.  PL/pgSQL adds a CONTEXT with each
 * function between the caller and the RAISE, a page of text that hides them.
 * It is left out if all of it is of our functions.  A caller's own functions
 * that call zcsync, in whatever language, and the line of a file in COPY still
 * appear.  Other errors keep all of their CONTEXT.
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

/* And the lines that show a function's statement, which a quote ends. */
static const char *const statements[] = {
	"SQL statement \"", "SQL expression \"", "PL/pgSQL assignment \""
};

static emit_log_hook_type outer_log_hook = NULL;

static void edit_error(ErrorData *error);
static bool lacks_our_table(const ErrorData *error);
static bool is_ours(const char *context);
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
	if (error->elevel == ERROR && error->context != NULL &&
		error->funcname != NULL && strcmp(error->funcname, "exec_stmt_raise") == 0 &&
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
 * Did a function of ours raise this, and did only functions of ours call it?
 * Then each line is a function of ours or belongs to a statement of one.
 */
static bool
is_ours(const char *context)
{
	const char *line = context;
	bool		in_statement = false;

	if (strncmp(context, OUR_FRAME, strlen(OUR_FRAME)) != 0)
		return false;
	while (line != NULL)
	{
		const char *next = strchr(line, '\n');
		const char *end = next ? next : line + strlen(line);
		size_t		begins = in_statement ? 0 : statement_begins(line);

		if (!in_statement && begins == 0 &&
			strncmp(line, OUR_FRAME, strlen(OUR_FRAME)) != 0)
			return false;
		in_statement = (in_statement || begins > 0) &&
			!(end > line + begins && end[-1] == '"');
		line = next ? next + 1 : NULL;
	}
	return true;
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
