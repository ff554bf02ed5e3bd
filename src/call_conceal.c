/*-------------------------------------------------------------------------
 *
 * call_conceal.c
 *		Remove an account's secrets from what the reply to a call quotes.
 *
 * Which secrets those are, this file knows; in which forms a text may quote
 * them, conceal.c does.  Nothing that a vendor, or a proxy on the way, said
 * about a failure becomes a message before zcsync_call_conceal(), and no body
 * of an error is stored before zcsync_call_conceal_body().
 *
 * IDENTIFICATION
 *		src/call_conceal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "call_conceal.h"
#include "conceal.h"
#include "json.h"

/* A longer error body is kept as a text, cut to so many bytes. */
#define REPLY_MAX		4000

static bool is_credential(const ZcsyncAccount *account, const char *value);

/*
 * Overwrite, in place, every secret of the account that the text quotes, and
 * whatever else the call sent to authorise itself.  Names, which are no
 * secrets by themselves, are overwritten only where the text has all of them;
 * a scope is not overwritten, since people must see which one was refused.
 */
void
zcsync_call_conceal(const ZcsyncCall *call, char *said)
{
	ListCell   *lc;

	foreach(lc, call->account->credentials)
	{
		ZcsyncCredential *credential = lfirst(lc);

		if (credential->value == NULL || strcmp(credential->name, "scope") == 0)
			continue;
		if (strcmp(credential->name, "email") == 0 ||
			strcmp(credential->name, "client_id") == 0)
			zcsync_conceal_whole(said, credential->value);
		else
			zcsync_conceal(said, credential->value);
	}
	foreach(lc, call->http.headers)
	{
		const char *header = lfirst(lc);
		const char *value;

		if (pg_strncasecmp(header, "Authorization:", 14) != 0)
			continue;
		value = strrchr(header, ' ');	/* after the scheme, if there is one */
		if (value != NULL && !is_credential(call->account, value + 1))
			zcsync_conceal(said, value + 1);
	}
}

/*
 * Is it the value of a credential of the account?
 */
static bool
is_credential(const ZcsyncAccount *account, const char *value)
{
	ListCell   *lc;

	foreach(lc, account->credentials)
	{
		ZcsyncCredential *credential = lfirst(lc);

		if (credential->value != NULL && strcmp(credential->value, value) == 0)
			return true;
	}
	return false;
}

/*
 * Remove the account's secrets from the body of an error, which is stored
 * with the record of the job.  Of a long body the beginning is stored, as a
 * text; a body that is no longer JSON without the secrets is not stored.
 */
void
zcsync_call_conceal_body(ZcsyncCall *call)
{
	const char *why;

	if (call->body == NULL)
		return;
	if (call->body_len > REPLY_MAX)
	{
		StringInfoData quoted;
		int			len = pg_encoding_mbcliplen(PG_UTF8, call->body,
												call->body_len, REPLY_MAX);

		call->body = pnstrdup(call->body, len);
		zcsync_call_conceal(call, call->body);
		initStringInfo(&quoted);
		zcsync_json_append_string(&quoted, call->body);
		call->body = quoted.data;
		call->body_len = quoted.len;
		return;
	}
	zcsync_call_conceal(call, call->body);
	if (zcsync_json_parse(call->body, call->body_len, &why) == NULL)
	{
		call->body = NULL;
		call->body_len = 0;
	}
}
