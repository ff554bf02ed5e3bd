/*-------------------------------------------------------------------------
 *
 * refusal.c
 *		Errors that zcsync's SQL raises come without a stack of functions.
 *
 * What a function refuses, it says by message, detail and hint, which name the
 * next statement to run.  PL/pgSQL adds a CONTEXT with each function of ours
 * between the caller and the RAISE, a page of text that hides them.  So it is
 * left out, where all of it is ours: who calls zcsync from functions of his
 * own still sees where.  Errors of another origin keep all of theirs.
 *
 * IDENTIFICATION
 *		src/refusal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "refusal.h"

/* How lines of a CONTEXT begin; the server's language may be another one. */
#define PLPGSQL_FRAME	"PL/pgSQL function "
#define OUR_FRAME		PLPGSQL_FRAME "zcsync."
#define SQL_FRAME		"SQL function "

static emit_log_hook_type outer_log_hook = NULL;

static void drop_our_context(ErrorData *error);
static bool is_ours(const char *context);

/*
 * Called once when the library is loaded.
 */
void
zcsync_refusal_init(void)
{
	outer_log_hook = emit_log_hook;
	emit_log_hook = drop_our_context;
}

/*
 * emit_log_hook: the server's log and the client both get what it leaves.
 */
static void
drop_our_context(ErrorData *error)
{
	if (error->elevel == ERROR && error->context != NULL &&
		error->funcname != NULL && strcmp(error->funcname, "exec_stmt_raise") == 0 &&
		is_ours(error->context))
		error->context = NULL;	/* freed with the error */
	if (outer_log_hook)
		outer_log_hook(error);
}

/*
 * Was this raised by a function of ours, and called by functions of ours
 * alone?
 */
static bool
is_ours(const char *context)
{
	const char *line = context;

	if (strncmp(context, OUR_FRAME, strlen(OUR_FRAME)) != 0)
		return false;
	while ((line = strchr(line, '\n')) != NULL)
	{
		line++;
		if (strncmp(line, SQL_FRAME, strlen(SQL_FRAME)) == 0 ||
			(strncmp(line, PLPGSQL_FRAME, strlen(PLPGSQL_FRAME)) == 0 &&
			 strncmp(line, OUR_FRAME, strlen(OUR_FRAME)) != 0))
			return false;
	}
	return true;
}
