/*-------------------------------------------------------------------------
 *
 * private_address.h
 *		Which addresses are of the public internet.
 *
 * IDENTIFICATION
 *		src/private_address.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_PRIVATE_ADDRESS_H
#define ZCSYNC_PRIVATE_ADDRESS_H

extern bool zcsync_address_is_public(const char *address);

#endif							/* ZCSYNC_PRIVATE_ADDRESS_H */
