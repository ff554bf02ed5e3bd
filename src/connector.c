/*-------------------------------------------------------------------------
 *
 * connector.c
 *		The vendors that this build knows.
 *
 * IDENTIFICATION
 *		src/connector.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector.h"

static const ZcsyncConnector *const connectors[] = {
	&zcsync_connector_zendesk,
	&zcsync_connector_clickup,
	&zcsync_connector_halopsa,
};

/*
 * The connector of a vendor, as in accounts.vendor; NULL if it has none.
 */
const ZcsyncConnector *
zcsync_connector_find(const char *vendor)
{
	for (int i = 0; i < lengthof(connectors); i++)
	{
		if (strcmp(connectors[i]->vendor, vendor) == 0)
			return connectors[i];
	}
	return NULL;
}
