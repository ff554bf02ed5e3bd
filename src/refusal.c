/*-------------------------------------------------------------------------
 *
 * refusal.c
 *		Errors that zcsync's SQL raises are shown without a stack of
 *		functions.
 *
 * When a function refuses something, its message, detail and hint say why,
 * and name the next statement to run.  PL/pgSQL adds a CONTEXT with each
 * function between the caller and the RAISE, a page of text that hides them.
 * It is left out if all these functions are ours; a caller's own functions
 * that call zcsync still appear.  Other errors keep all of their CONTEXT.
 *
 * IDENTIFICATION
 *		src/refusal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "refusal.h"

/* The beginnings of lines of a CONTEXT; the server's language may vary. */
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
 * emit_log_hook: what it removes appears neither in the log nor at the
 * client.
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
 * Did a function of ours raise this, and did only functions of ours call it?
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
