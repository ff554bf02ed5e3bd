/*-------------------------------------------------------------------------
 *
 * private_address.c
 *		Which addresses are of the public internet.
 *
 * A host that is allowed by its name may have any address.  Where the name
 * came from a vendor's document, an address within our own network would let
 * others call what only we can reach.
 *
 * IDENTIFICATION
 *		src/private_address.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "private_address.h"

static bool is_public_v4(const unsigned char *a);

/*
 * Is this an address of the public internet?  Called by libcurl's callback,
 * so it does not throw.
 */
bool
zcsync_address_is_public(const char *address)
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0};
	unsigned char a[16];

	if (inet_pton(AF_INET, address, a) == 1)
		return is_public_v4(a);
	if (inet_pton(AF_INET6, address, a) != 1)
		return false;
	if (memcmp(a, mapped, sizeof(mapped)) == 0 ||
		memcmp(a, nat64, sizeof(nat64)) == 0)
		return is_public_v4(a + 12);

	/* all that is routed, 2000::/3, but for 6to4 */
	return (a[0] & 0xE0) == 0x20 && !(a[0] == 0x20 && a[1] == 0x02);
}

static bool
is_public_v4(const unsigned char *a)
{
	return !(a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 ||
			 (a[0] == 100 && (a[1] & 0xC0) == 64) ||
			 (a[0] == 169 && a[1] == 254) ||
			 (a[0] == 172 && (a[1] & 0xF0) == 16) ||
			 (a[0] == 192 && a[1] == 168) ||
			 (a[0] == 192 && a[1] == 0 && a[2] == 0) ||
			 (a[0] == 198 && (a[1] & 0xFE) == 18));
}
