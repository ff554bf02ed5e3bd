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
if [ -f "$DIR/data/postmaster.pid" ]; then
	as_server "$(pg_config --bindir)/pg_ctl" -D "$DIR/data" -m fast -w stop >/dev/null || true
fi
if [ -f "$DIR/run/simulator.pid" ]; then
	pid=$(cat "$DIR/run/simulator.pid")
	# the number may belong to another process by now
	if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'simulator\.pl'; then
		kill "$pid"
	fi
fi
rm -rf "$DIR"
[ "${1:-}" = --quiet ] || echo "The demo is stopped; $DIR is gone."
