#!/bin/bash
#
# Stop what demo.sh started, and remove its directory.
#
set -euo pipefail
cd "$(dirname "$0")/.."
. demo/common.sh

if [ ! -e "$DIR/.zcsync-demo" ]; then
	[ "${1:-}" = --quiet ] || echo "There is no demo in $DIR."
	exit 0
fi
end_process door zcsync-door
if [ -f "$DIR/data/postmaster.pid" ]; then
	as_server "$(pg_config --bindir)/pg_ctl" -D "$DIR/data" -m fast -w stop >/dev/null || true
fi
end_process simulator 'simulator\.pl'
rm -rf "$DIR"
[ "${1:-}" = --quiet ] || echo "The demo is stopped; $DIR is gone."
