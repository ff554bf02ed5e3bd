/*-------------------------------------------------------------------------
 *
 * connector.h
 *		What a vendor provides in C.
 *
 * A connector turns the request documents that the vendor's SQL makes into
 * HTTP requests, and the vendor's replies into outcomes.  It knows the
 * vendor's addresses, authorisation, limits and error bodies; it does not
 * know tables, SPI or the columns of a record.  None of its functions throws
 * because of what a vendor sends: that is data, and goes into the call's
 * outcome.
 *
 * Requests with a member "batch" may travel together with others whose member
 * has the same value: prepare() then gets a carrier (see call.h), whose
 * request is that of its first member.
 *
 * A vendor is a descriptor in SQL, which names its connector; see
 * sql/vendor/contract.sql.  A connector is found by that name, and is
 * registered by one line of connector_list.h.  doc/new-vendor.md explains all
 * of it.
 *
 * IDENTIFICATION
 *		src/connector.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_CONNECTOR_H
#define ZCSYNC_CONNECTOR_H

#include "call.h"

typedef struct ZcsyncConnector
{
	const char *name;			/* as in the descriptor of the vendor */

	/*
	 * Does this account's form of authorisation need an access token that is
	 * fetched first?  Then there is an operation "token", whose reply
	 * token_reply() reads.
	 */
	bool		(*needs_token) (const ZcsyncAccount *account);

	/*
	 * Read the reply of a successful "token" call: the access token
	 * (palloc'ed in call->context) and its lifetime in seconds.  Returns
	 * false and refines the outcome if the reply is not as it should be.
	 */
	bool		(*token_reply) (ZcsyncCall *call, char **access_token,
								int *lifetime_s);

	/*
	 * Fill call->http from call->request, authorisation included.  Returns
	 * false after zcsync_call_refuse() when the request cannot be made.
	 */
	bool		(*prepare) (ZcsyncCall *call);

	/*
	 * Refine the outcome: call->status, the headers of call->transfer and
	 * call->body are set, and the class is the one that retry.c chose.  Sets
	 * message and hint from the vendor's error body and the limits from its
	 * headers, and corrects the class if the vendor's error code says more
	 * than the status.
	 */
	void		(*interpret) (ZcsyncCall *call);

	/*
	 * The vendor accepted a carrier: give each of carrier->members its part
	 * of carrier->body, as member->body (allocated in member->context) in the
	 * form that the vendor's SQL expects, or call zcsync_call_leave() if the
	 * reply has no such part.  NULL if the vendor's SQL never asks for calls
	 * to travel together (member "batch" of a request).
	 */
	void		(*split) (ZcsyncCall *carrier);
} ZcsyncConnector;

/* The connectors of this build, each defined in the file of its name. */
#define ZCSYNC_CONNECTOR(name) \
	extern const ZcsyncConnector zcsync_connector_##name;
#include "connector_list.h"
#undef ZCSYNC_CONNECTOR

/* the connector of that name, or NULL */
extern const ZcsyncConnector *zcsync_connector_find(const char *name);

#endif							/* ZCSYNC_CONNECTOR_H */
