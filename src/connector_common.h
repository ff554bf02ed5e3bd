/*-------------------------------------------------------------------------
 *
 * connector_common.h
 *		What connectors share: requests from a table, readable errors.
 *
 * IDENTIFICATION
 *		src/connector_common.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CONNECTOR_COMMON_H
#define ZCSYNC_CONNECTOR_COMMON_H

#include "call.h"

/*
 * An operation of a vendor's API.  A word in braces in path and reply_key
 * stands for that member of the request.
 */
typedef struct ZcsyncOperation
{
	const char *name;			/* request->op */
	const char *method;
	const char *path;
	const char *query;			/* members that become parameters, separated by
								 * spaces; "ids" as "ids=1,2", "ids[]" as
								 * "ids[]=1&ids[]=2" */
	bool		has_body;		/* member "body" is sent as JSON */
	const char *reply_key;		/* what a success must contain; NULL: nothing */
} ZcsyncOperation;

extern const ZcsyncOperation *zcsync_operation_find(const ZcsyncOperation *operations,
													const char *name);
extern bool zcsync_operation_prepare(ZcsyncCall *call, const char *base_url,
									 const ZcsyncOperation *operation);
extern void zcsync_operation_check_reply(ZcsyncCall *call,
										 const ZcsyncOperation *operation);

extern bool zcsync_connector_token_reply(ZcsyncCall *call,
										 char **access_token,
										 int *lifetime_s);
extern char *zcsync_connector_base_url(const ZcsyncAccount *account);
extern void zcsync_connector_add_header(ZcsyncCall *call, const char *name,
										const char *value);

extern Jsonb *zcsync_connector_error_body(ZcsyncCall *call);
extern void zcsync_connector_explain(ZcsyncCall *call, const char *message,
									 const char *hint);
extern int64 zcsync_connector_header_number(ZcsyncCall *call,
											const char *name);
extern bool zcsync_connector_missing(ZcsyncCall *call);
extern bool zcsync_connector_lacking(ZcsyncCall *call);
extern void zcsync_connector_throttle(ZcsyncCall *call, int default_s);

#endif							/* ZCSYNC_CONNECTOR_COMMON_H */
