/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings of zcsync.
 *
 * IDENTIFICATION
 *		src/settings.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SETTINGS_H
#define ZCSYNC_SETTINGS_H

/* what is done with months of leads that are past their retention */
typedef enum
{
	ZCSYNC_RETENTION_DETACH,
	ZCSYNC_RETENTION_DROP
} ZcsyncRetentionAction;

extern char *zcsync_alert_hosts;
extern bool zcsync_allow_insecure_http;
extern char *zcsync_allowed_hosts;		/* comma list: host or *.suffix */
extern char *zcsync_attachment_hosts;	/* likewise */
extern int	zcsync_attachment_max_size;	/* kB */
extern int	zcsync_bulk_write_limit;
extern char *zcsync_ca_file;			/* empty: the system's */
extern int	zcsync_cache_max_entries;
extern int	zcsync_cache_size;	/* kB */
extern int	zcsync_cache_ttl;	/* s */
extern int	zcsync_connect_timeout;		/* ms */
extern char *zcsync_credentials_directory;
extern char *zcsync_databases;			/* comma list of names, '*': all */
extern int	zcsync_discover_interval;	/* s */
extern int	zcsync_gzip_level;
extern int	zcsync_gzip_threshold;		/* bytes */
extern int	zcsync_history_retention_action;
extern int	zcsync_history_retention_months;	/* 0: for ever */
extern int	zcsync_http_idle_timeout;	/* s */
extern int	zcsync_http_max_connections;	/* requests in flight per worker */
extern char *zcsync_key_file;
extern int	zcsync_lead_batch_max;
extern int	zcsync_lead_retention_action;
extern int	zcsync_lead_retention_months;	/* 0: for ever */
extern int	zcsync_mapping_timeout;		/* ms */
extern int	zcsync_max_response_size;	/* kB */
extern int	zcsync_page_max;
extern int	zcsync_partition_ahead;		/* months */
extern int	zcsync_poll_interval;		/* ms */
extern int	zcsync_request_timeout;		/* ms */
extern char *zcsync_role;
extern int	zcsync_workers_max;
extern bool zcsync_writes;
#ifdef ZCSYNC_TESTING
extern double zcsync_clock_offset;	/* s */
#endif

/* is this database named by zcsync.databases? */
extern bool zcsync_settings_names_database(const char *name);

extern void zcsync_settings_define(void);

#endif							/* ZCSYNC_SETTINGS_H */
