/*-------------------------------------------------------------------------
 *
 * reference.c
 *		References to secrets outside of the database.
 *
 * A reference says where a secret is: file:NAME is a file of
 * zcsync.credentials_directory, which the administrator fills for the
 * operators of this server; file:/PATH is any file, and env:NAME a variable
 * of the environment in which the server was started.  The last two could
 * reveal whatever the server can read, so only superusers may set them.  A
 * secret is read each time it is needed, so that it can be changed at its
 * place.
 *
 * IDENTIFICATION
 *		src/reference.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "reference.h"
#include "seal.h"
#include "settings.h"

static char *reference_read_file(const char *file, Size *size, char **message,
								 char **hint);
static bool reference_is_plain_file(const char *reference);

/*
 * Is this value a reference, and not a secret itself?
 */
bool
zcsync_reference_is(const char *value)
{
	return strncmp(value, "file:", 5) == 0 || strncmp(value, "env:", 4) == 0;
}

/*
 * Throw unless the reference has a valid form and the caller may use it.  The
 * caller is the role that called the SECURITY DEFINER function which called
 * us; in a security-restricted operation (for example a function in an index,
 * during ANALYZE) that role is not known.
 */
void
zcsync_reference_check(const char *name, const char *reference)
{
	const char *target = strchr(reference, ':') + 1;
	bool		file = strncmp(reference, "file:", 5) == 0;

	if (strlen(reference) >= MAXPGPATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("reference for credential \"%s\" is longer than %d bytes",
						name, MAXPGPATH - 1)));
	if (target[0] == '\0' ||
		strcspn(reference, "\r\n") != strlen(reference) ||
		(!file && strchr(target, '=') != NULL) ||
		(file && !is_absolute_path(target) &&
		 !reference_is_plain_file(reference)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid reference for credential \"%s\"", name),
				 errdetail("\"%s\" is neither file:NAME, file:/PATH nor env:NAME.",
						   reference),
				 errhint("NAME in file:NAME is a file of zcsync.credentials_directory, without slashes and without a dot at its start.")));

	if (!reference_is_plain_file(reference) &&
		(!superuser_arg(GetOuterUserId()) || InSecurityRestrictedOperation()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for reference \"%s\"", reference),
				 errdetail("Only superusers may refer to files by path and to environment variables."),
				 errhint("Put the secret in a file of zcsync.credentials_directory and refer to it as file:NAME.")));
}

/*
 * Read the secret to which a reference points: palloc'ed in "context"; or
 * NULL, after saying why in *message and *hint (palloc'ed or constant).
 */
char *
zcsync_reference_read(const char *name, const char *reference,
					  MemoryContext context, char **message, char **hint)
{
	const char *found;
	char	   *buffer = NULL;
	char	   *value = NULL;
	Size		size = 0;
	const char *problem;

	if (strncmp(reference, "env:", 4) == 0)
	{
		found = getenv(reference + 4);
		if (found != NULL)
			size = strlen(found);
		else
		{
			*message = psprintf("environment variable \"%s\" is not set",
								reference + 4);
			*hint = "Set it in the environment that starts the server, and restart the server.";
		}
	}
	else
		found = buffer = reference_read_file(reference + 5, &size, message,
											 hint);

	if (found != NULL)
	{
		problem = zcsync_secret_problem(found, size);
		if (problem == NULL)
			value = MemoryContextStrdup(context, found);
		else
		{
			*message = psprintf("credential \"%s\" from \"%s\" %s",
								name, reference, problem);
			*hint = "A credential is one line of text.";
		}
	}
	if (buffer != NULL)
		explicit_bzero(buffer, size);
	return value;
}

/*
 * Read the file of a reference, without a line end at its end: palloc'ed, or
 * NULL after saying why in *message and *hint.
 */
static char *
reference_read_file(const char *file, Size *size, char **message, char **hint)
{
	const char *path = file;
	char	   *contents;
	int			error;

	if (!is_absolute_path(file))
	{
		if (zcsync_credentials_directory == NULL ||
			zcsync_credentials_directory[0] == '\0')
		{
			*message = psprintf("cannot read \"file:%s\": zcsync.credentials_directory is not set",
								file);
			*hint = "Set zcsync.credentials_directory to the directory that holds the files, and reload the configuration.";
			return NULL;
		}
		path = psprintf("%s/%s", zcsync_credentials_directory, file);
	}

	contents = zcsync_file_read_secret(path, ZCSYNC_SECRET_MAX_SIZE + 2, false,
								   size, &error, message);
	if (contents == NULL)
	{
		*hint = "Provide the file, readable by the user that runs the server, or run zcsync.set_credentials().";
		return NULL;
	}
	if (*size > 0 && contents[*size - 1] == '\n')
		contents[--*size] = '\0';
	if (*size > 0 && contents[*size - 1] == '\r')
		contents[--*size] = '\0';
	return contents;
}

/*
 * Is this a file of the credentials directory, which every operator may name?
 * No such name leads out of that directory, except through a link that its
 * owner made.
 */
static bool
reference_is_plain_file(const char *reference)
{
	const char *name = reference + 5;

	return strncmp(reference, "file:", 5) == 0 &&
		name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/*
 * What is wrong with a value, as the end of a sentence "credential ...", or
 * NULL.  A line break or zero byte would end a header early.
 */
const char *
zcsync_secret_problem(const char *value, Size size)
{
	if (size == 0)
		return "is empty";
	if (size > ZCSYNC_SECRET_MAX_SIZE)
		return "is longer than 65536 bytes";
	if (strlen(value) != size)
		return "contains a zero byte";
	if (strcspn(value, "\r\n") != size)
		return "contains a line break";
	if (!pg_verify_mbstr(PG_UTF8, value, size, true))
		return "is not valid UTF-8";
	return NULL;
}
