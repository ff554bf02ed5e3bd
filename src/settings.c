/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The settings of zcsync.
 *
 * All are defined when the library is loaded: at server start if it is in
 * shared_preload_libraries, else by the first function that a session calls.
 * Those that size shared memory exist only with preloading.
 *
 * Lists are checked when they are set and split again where they are used;
 * they are short and used rarely.
 *
 * IDENTIFICATION
 *		src/settings.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "settings.h"

PG_FUNCTION_INFO_V1(zcsync_sql_names_database);

char	   *zcsync_alert_hosts = NULL;
bool		zcsync_allow_insecure_http = false;
char	   *zcsync_allowed_hosts = NULL;
char	   *zcsync_attachment_hosts = NULL;
int			zcsync_attachment_max_size = 25 * 1024;
static char *zcsync_attachment_refused_types = NULL;	/* only SQL reads it */
int			zcsync_bulk_write_limit = 200;
char	   *zcsync_ca_file = NULL;
int			zcsync_cache_max_entries = 1000;
int			zcsync_cache_size = 8 * 1024;
int			zcsync_cache_ttl = 3600;
int			zcsync_connect_timeout = 10000;
char	   *zcsync_credentials_directory = NULL;
char	   *zcsync_databases = NULL;
int			zcsync_discover_interval = 60;
int			zcsync_gzip_level = 6;
int			zcsync_gzip_threshold = 1024;
int			zcsync_history_retention_action = ZCSYNC_RETENTION_DROP;
int			zcsync_history_retention_months = 13;
int			zcsync_http_idle_timeout = 60;
int			zcsync_http_max_connections = 300;
char	   *zcsync_key_file = NULL;
int			zcsync_lead_batch_max = 100;
int			zcsync_lead_retention_action = ZCSYNC_RETENTION_DETACH;
int			zcsync_lead_retention_months = 0;
int			zcsync_mapping_timeout = 5000;
int			zcsync_max_response_size = 64 * 1024;
int			zcsync_page_max = 100;
int			zcsync_partition_ahead = 2;
int			zcsync_poll_interval = 5000;
int			zcsync_request_timeout = 30000;
char	   *zcsync_role = NULL;
int			zcsync_workers_max = 4;
bool		zcsync_writes = true;
#ifdef ZCSYNC_TESTING
double		zcsync_clock_offset = 0;
#endif

static const struct config_enum_entry retention_actions[] = {
	{"detach", ZCSYNC_RETENTION_DETACH, false},
	{"drop", ZCSYNC_RETENTION_DROP, false},
	{NULL, 0, false}
};

static bool check_allowed_hosts(char **newval, void **extra, GucSource source);
static bool check_host_pattern(const char *pattern);
static bool check_databases(char **newval, void **extra, GucSource source);
static bool check_absolute_path(char **newval, void **extra, GucSource source);
static bool check_role(char **newval, void **extra, GucSource source);

/*
 * Define all settings, in the order of their names.  This is only a list,
 * which is why it is one function.  Called by _PG_init() only.
 */
void
zcsync_settings_define(void)
{
	DefineCustomStringVariable("zcsync.alert_hosts",
							   "Lists the hosts that alerts may be sent to.",
							   "Comma-separated host names; \"*.domain\" "
							   "stands for all hosts below that domain.",
							   &zcsync_alert_hosts,
							   "hooks.slack.com, events.pagerduty.com, "
							   "events.eu.pagerduty.com",
							   PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   check_allowed_hosts, NULL, NULL);

	DefineCustomBoolVariable("zcsync.allow_insecure_http",
							 "Allows requests over plain HTTP.",
							 "For tests against a simulator; credentials "
							 "cross the network in clear.",
							 &zcsync_allow_insecure_http,
							 false,
							 PGC_SUSET,
							 0,
							 NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.allowed_hosts",
							   "Lists the hosts that may be called.",
							   "Comma-separated host names; \"*.domain\" "
							   "stands for all hosts below that domain.",
							   &zcsync_allowed_hosts,
							   "api.clickup.com, *.zendesk.com, "
							   "*.halopsa.com, *.haloitsm.com",
							   PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   check_allowed_hosts, NULL, NULL);

	DefineCustomStringVariable("zcsync.attachment_hosts",
							   "Lists the hosts from which files may be "
							   "fetched, besides the vendor's own.",
							   "Comma-separated host names; \"*.domain\" "
							   "stands for all hosts below that domain.",
							   &zcsync_attachment_hosts,
							   "*.zendesk.com, *.zdusercontent.com, "
							   "*.clickup-attachments.com",
							   PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   check_allowed_hosts, NULL, NULL);

	DefineCustomIntVariable("zcsync.attachment_max_size",
							"Sets how large a file may be that a route copies.",
							"Larger ones are only named.",
							&zcsync_attachment_max_size,
							25 * 1024, 1, 1024 * 1024,
							PGC_SIGHUP,
							GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.attachment_refused_types",
							   "Lists the types of files that no route copies.",
							   "Comma-separated: what names of files end with, "
							   "or types as application/x-msdownload.",
							   &zcsync_attachment_refused_types,
							   "bat, cmd, com, cpl, exe, hta, jar, js, jse, lnk, "
							   "msi, msp, pif, ps1, reg, scr, vbe, vbs, wsf, wsh",
							   PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.bulk_write_limit",
							"Sets how many remote records one transaction, "
							"or one route in an hour, may write.",
							"Beyond it, the writes are held until "
							"zcsync.release_held() or zcsync.cancel_held().",
							&zcsync_bulk_write_limit,
							200, 0, INT_MAX,
							PGC_USERSET,
							0,
							NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.ca_file",
							   "Names a file of certificate authorities.",
							   "PEM, absolute path; empty means those of the "
							   "system.",
							   &zcsync_ca_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   check_absolute_path, NULL, NULL);

	if (process_shared_preload_libraries_in_progress)
	{
		DefineCustomIntVariable("zcsync.cache_max_entries",
								"Sets how many values the cache holds.",
								"For all databases together.",
								&zcsync_cache_max_entries,
								1000, 1, 1000000,
								PGC_POSTMASTER,
								0,
								NULL, NULL, NULL);

		DefineCustomIntVariable("zcsync.cache_size",
								"Sets how much shared memory the values of the "
								"cache take.",
								"One value takes a quarter of it at most; 0 "
								"turns the cache off.",
								&zcsync_cache_size,
								8 * 1024, 0, 64 * 1024 * 1024,
								PGC_POSTMASTER,
								GUC_UNIT_KB,
								NULL, NULL, NULL);
	}

	DefineCustomIntVariable("zcsync.cache_ttl",
							"Sets for how long a value stays in the cache.",
							"For values that are put without a time of their "
							"own.",
							&zcsync_cache_ttl,
							3600, 1, INT_MAX,
							PGC_USERSET,
							GUC_UNIT_S,
							NULL, NULL, NULL);

#ifdef ZCSYNC_TESTING
	DefineCustomRealVariable("zcsync.clock_offset",
							 "Moves the clock of zcsync, for its tests.",
							 "Seconds that are added to the time of day.",
							 &zcsync_clock_offset,
							 0, -1e9, 1e9,
							 PGC_SUSET,
							 GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
#endif

	DefineCustomIntVariable("zcsync.connect_timeout",
							"Sets how long connecting to a vendor may take.",
							"Name resolution and TLS handshake included.",
							&zcsync_connect_timeout,
							10000, 100, 300000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.credentials_directory",
							   "Names the directory of credentials that are "
							   "given as \"file:NAME\".",
							   "Absolute path; empty means that no such "
							   "credentials can be used.",
							   &zcsync_credentials_directory,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   check_absolute_path, NULL, NULL);

	DefineCustomStringVariable("zcsync.databases",
							   "Lists the databases that workers look at.",
							   "Comma-separated names; \"*\" stands for all "
							   "that allow connections and are no templates.",
							   &zcsync_databases,
							   "*",
							   PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   check_databases, NULL, NULL);

	DefineCustomIntVariable("zcsync.discover_interval",
							"Sets how often the launcher looks for databases "
							"that use zcsync.",
							NULL,
							&zcsync_discover_interval,
							60, 1, 86400,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.gzip_level",
							"Sets the compression level of request bodies.",
							NULL,
							&zcsync_gzip_level,
							6, 1, 9,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.gzip_threshold",
							"Sets the size from which request bodies are "
							"compressed.",
							"Only for vendors that accept it; -1 turns "
							"compression off.",
							&zcsync_gzip_threshold,
							1024, -1, INT_MAX,
							PGC_SIGHUP,
							GUC_UNIT_BYTE,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("zcsync.history_retention_action",
							 "Sets what becomes of months of changes and "
							 "sync_records that are past their retention.",
							 "A detached month is a table of its own, which "
							 "zcsync forgets.",
							 &zcsync_history_retention_action,
							 ZCSYNC_RETENTION_DROP,
							 retention_actions,
							 PGC_SUSET,
							 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.history_retention_months",
							"Sets for how many months changes and "
							"sync_records are kept; 0: for ever.",
							NULL,
							&zcsync_history_retention_months,
							13, 0, 1200,
							PGC_SUSET,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.http_idle_timeout",
							"Sets how long an unused connection to a vendor "
							"is kept open.",
							NULL,
							&zcsync_http_idle_timeout,
							60, 1, 3600,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.http_max_connections",
							"Sets how many requests one worker may have in "
							"flight.",
							NULL,
							&zcsync_http_max_connections,
							300, 1, 10000,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.key_file",
							   "Names the file of the key that seals "
							   "credentials.",
							   "A relative path starts in the data directory. "
							   "Empty: zcsync.key beside the configuration "
							   "file, else in the data directory.",
							   &zcsync_key_file,
							   "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.lead_batch_max",
							"Sets how many leads one call of "
							"zcsync.sync_leads() may bring.",
							"Files have no such limit.",
							&zcsync_lead_batch_max,
							100, 1, 1000,
							PGC_USERSET,
							0,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("zcsync.lead_retention_action",
							 "Sets what becomes of months of leads that are "
							 "past their retention.",
							 "A detached month is a table of its own, which "
							 "zcsync forgets.",
							 &zcsync_lead_retention_action,
							 ZCSYNC_RETENTION_DETACH,
							 retention_actions,
							 PGC_SUSET,
							 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.lead_retention_months",
							"Sets for how many months leads are kept; 0: for "
							"ever.",
							"Counted from when they were inserted here.",
							&zcsync_lead_retention_months,
							0, 0, 1200,
							PGC_SUSET,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.mapping_timeout",
							"Sets how long the mapping of a batch of a route "
							"may take.",
							NULL,
							&zcsync_mapping_timeout,
							5000, 10, 3600000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.max_response_size",
							"Sets how large a reply of a vendor may be.",
							"Counted after decompression.",
							&zcsync_max_response_size,
							64 * 1024, 64, 1024 * 1024 - 1,
							PGC_SIGHUP,
							GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.page_max",
							"Sets how many rows a page of tickets, tasks or "
							"leads may have.",
							"A larger page that is asked for is cut to it.",
							&zcsync_page_max,
							100, 1, 10000,
							PGC_USERSET,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.partition_ahead",
							"Sets for how many months ahead partitions are "
							"made.",
							NULL,
							&zcsync_partition_ahead,
							2, 1, 120,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.poll_interval",
							"Sets how long a worker may sleep before it looks "
							"for work.",
							"Work is also signalled at commit; this is the "
							"safety net.",
							&zcsync_poll_interval,
							5000, 10, 3600000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("zcsync.request_timeout",
							"Sets how long a request to a vendor may take.",
							NULL,
							&zcsync_request_timeout,
							30000, 100, 3600000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomStringVariable("zcsync.role",
							   "Names the role that workers run as.",
							   "It needs LOGIN and may not be a superuser; "
							   "zcsync.setup() makes it.",
							   &zcsync_role,
							   "zcsync_worker",
							   PGC_SIGHUP,
							   0,
							   check_role, NULL, NULL);

	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("zcsync.workers_max",
								"Sets how many databases can have a worker at "
								"the same time.",
								"Each takes up to two of max_worker_processes.",
								&zcsync_workers_max,
								4, 1, 1000,
								PGC_POSTMASTER,
								0,
								NULL, NULL, NULL);

	DefineCustomBoolVariable("zcsync.writes",
							 "Allows changes to be sent to vendors.",
							 "Off keeps a copy of a database silent: it reads "
							 "but does not write.",
							 &zcsync_writes,
							 true,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	/*
	 * Without preloading, the settings that need it may be in postgresql.conf
	 * as placeholders; reserving the prefix would remove them, with a warning
	 * in every session.
	 */
	if (process_shared_preload_libraries_in_progress)
		MarkGUCPrefixReserved("zcsync");
}

/*
 * Does zcsync.databases name this database?  Allocates in the current memory
 * context.
 */
bool
zcsync_settings_names_database(const char *name)
{
	char	   *raw = pstrdup(zcsync_databases);
	List	   *names;
	ListCell   *lc;
	bool		found = false;

	/* cannot fail: the check hook did the same */
	if (!SplitGUCList(raw, ',', &names))
		elog(ERROR, "could not split zcsync.databases");

	foreach(lc, names)
	{
		const char *entry = (const char *) lfirst(lc);

		if (strcmp(entry, "*") == 0 || strcmp(entry, name) == 0)
			found = true;
	}

	list_free(names);
	pfree(raw);
	return found;
}

/* zcsync._names_database(): does zcsync.databases name a database? */
Datum
zcsync_sql_names_database(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(zcsync_settings_names_database(NameStr(*PG_GETARG_NAME(0))));
}

/* The lists of hosts: host names and "*.domain". */
static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	char	   *raw = pstrdup(*newval);
	List	   *hosts;
	ListCell   *lc;

	if (!SplitGUCList(raw, ',', &hosts))
	{
		GUC_check_errdetail("List syntax is invalid.");
		pfree(raw);
		return false;
	}
	foreach(lc, hosts)
	{
		if (!check_host_pattern((const char *) lfirst(lc)))
			return false;
	}
	list_free(hosts);
	pfree(raw);
	return true;
}

/*
 * A host name, an IP address or "*.domain".  A star alone, or in another
 * place, would allow more hosts than its author meant.
 */
static bool
check_host_pattern(const char *pattern)
{
	const char *name = pattern;

	if (strncmp(name, "*.", 2) == 0)
		name += 2;

	if (name[0] == '\0' || name[0] == '.' ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]")] != '\0')
	{
		GUC_check_errdetail("\"%s\" is neither a host name nor \"*.domain\".",
							pattern);
		return false;
	}
	return true;
}

/* zcsync.databases: any names, but the list must have valid syntax. */
static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *raw = pstrdup(*newval);
	List	   *names;
	ListCell   *lc;
	bool		ok = SplitGUCList(raw, ',', &names);

	if (!ok)
		GUC_check_errdetail("List syntax is invalid.");
	else
	{
		foreach(lc, names)
		{
			const char *name = (const char *) lfirst(lc);

			if (strlen(name) >= NAMEDATALEN)
			{
				GUC_check_errdetail("Database name \"%s\" is too long.", name);
				ok = false;
			}
		}
	}
	list_free(names);
	pfree(raw);
	return ok;
}

/* Empty, or an absolute path. */
static bool
check_absolute_path(char **newval, void **extra, GucSource source)
{
	if ((*newval)[0] != '\0' && !is_absolute_path(*newval))
	{
		GUC_check_errdetail("The path must be absolute, or empty.");
		return false;
	}
	return true;
}

/* zcsync.role: what can be the name of a role; whether there is one, is
 * found out when a worker starts. */
static bool
check_role(char **newval, void **extra, GucSource source)
{
	if ((*newval)[0] == '\0' || strlen(*newval) >= NAMEDATALEN)
	{
		GUC_check_errdetail("The name must have 1 to %d bytes.",
							NAMEDATALEN - 1);
		return false;
	}
	return true;
}
