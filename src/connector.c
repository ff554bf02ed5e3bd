/*-------------------------------------------------------------------------
 *
 * connector.c
 *		Find a connector by its name.
 *
 * IDENTIFICATION
 *		src/connector.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector.h"

static const ZcsyncConnector *const connectors[] = {
#define ZCSYNC_CONNECTOR(name) &zcsync_connector_##name,
#include "connector_list.h"
#undef ZCSYNC_CONNECTOR
};

/*
 * The connector with the name that a vendor's descriptor gives; NULL if there
 * is none, or if the name is NULL.
 */
const ZcsyncConnector *
zcsync_connector_find(const char *name)
{
	if (name == NULL)
		return NULL;
	for (int i = 0; i < lengthof(connectors); i++)
	{
		if (strcmp(connectors[i]->name, name) == 0)
			return connectors[i];
	}
	return NULL;
}
