/* connectors of builds for tests; see src/connector_list.h */
ZCSYNC_CONNECTOR(desk)
