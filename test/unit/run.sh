#!/bin/sh
# Build and run the unit tests of the parts that need no server; prints TAP.
#
# They are linked with the server's own front-end library, which has palloc and
# StringInfo.  What json.c has for a backend only is dropped by the linker.
# CC, CFLAGS, PG_CONFIG and CURL_CONFIG may be set, for sanitizers and the like.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=$here/../../src
pg_config=${PG_CONFIG:-pg_config}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# shellcheck disable=SC2046,SC2086
${CC:-cc} -g -O1 -std=gnu99 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare -Wshadow -Wstrict-prototypes \
	-ffunction-sections -fdata-sections -Wl,--gc-sections ${CFLAGS:-} \
	-I"$("$pg_config" --includedir-server)" -I"$src" \
	$("${CURL_CONFIG:-curl-config}" --cflags) -o "$build/unit" \
	"$here"/*.c "$src/conceal.c" "$src/file_body.c" "$src/json.c" "$src/merge.c" "$src/retry.c" "$src/url.c" "$src/value.c" \
	-L"$("$pg_config" --pkglibdir)" -L"$("$pg_config" --libdir)" \
	-lpgcommon -lpgport $("${CURL_CONFIG:-curl-config}" --libs) -lm

"$build/unit"
