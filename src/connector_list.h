/*
 * connector_list.h
 *		The connectors of this build: src/connector_NAME.c defines each as
 *		zcsync_connector_NAME.
 *
 * The Makefile reads these lines, too, and builds the files that they name.
 * Builds for tests have connectors of their own besides.  Included by
 * connector.h and connector.c, once for each meaning of ZCSYNC_CONNECTOR;
 * hence it has no guard.
 *
 * src/connector_list.h
 */
ZCSYNC_CONNECTOR(clickup)
ZCSYNC_CONNECTOR(halopsa)
ZCSYNC_CONNECTOR(zendesk)

#ifdef ZCSYNC_TESTING
#include "../test/vendor/connector_list.h"
#endif
