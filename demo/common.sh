# Functions of demo.sh and stop.sh.  Read with "." from the project directory.

if [ "$(id -u)" = 0 ]; then
	# initdb refuses root
	SERVER_USER=postgres
	DIR=${ZCSYNC_DEMO_DIR:-/var/tmp/zcsync-demo}
else
	SERVER_USER=
	DIR=${ZCSYNC_DEMO_DIR:-/var/tmp/zcsync-demo-$(id -un)}
fi

step()
{
	printf '\n== %s\n' "$*"
}

# fail MESSAGE [LOG]: say why and show the end of a log.
fail()
{
	echo "demo: $1" >&2
	if [ -n "${2:-}" ] && [ -f "$DIR/logs/$2.log" ]; then
		echo "demo: the end of $DIR/logs/$2.log:" >&2
		tail -n 15 "$DIR/logs/$2.log" >&2
	fi
	exit 1
}

# as_server COMMAND...: as the user that the server runs as.
as_server()
{
	if [ -n "$SERVER_USER" ]; then
		(cd / && exec runuser -u "$SERVER_USER" -- "$@")
	else
		"$@"
	fi
}

# The directory of the demo: made anew, readable by its user only.  Another
# directory than one that this script made is left alone.
make_directory()
{
	if [ -e "$DIR" ] && [ ! -e "$DIR/.zcsync-demo" ]; then
		fail "$DIR exists and is not of the demo; set ZCSYNC_DEMO_DIR to another place"
	fi
	rm -rf "$DIR"
	mkdir -m 700 "$DIR"
	[ -z "$SERVER_USER" ] || chown "$SERVER_USER" "$DIR"
	as_server mkdir "$DIR/build" "$DIR/run" "$DIR/logs" "$DIR/state" "$DIR/spool"
	as_server touch "$DIR/.zcsync-demo"
}

# A copy, so that nothing is built in the source tree.
copy_sources()
{
	tar -cf - Makefile zcsync.control src sql test/simulator | as_server tar -C "$DIR/build" -xf -
}

# run_logged NAME COMMAND...: as the server's user, output to a log.
run_logged()
{
	local name=$1
	shift
	as_server "$@" >>"$DIR/logs/$name.log" 2>&1 || fail "\"$*\" failed" "$name"
}

# start_simulator TICKETS: sets VENDOR_URL.
start_simulator()
{
	local i

	as_server sh -c "
		cd '$DIR/build/test/simulator'
		setsid perl simulator.pl --port 0 --tickets $1 --zendesk-plan high_volume \
			--clickup-plan enterprise >'$DIR/logs/simulator.log' 2>&1 </dev/null &
		echo \$! >'$DIR/run/simulator.pid'"
	for ((i = 0; i < 300; i++)); do
		VENDOR_URL=$(sed -n 's/^listening on /http:\/\//p' "$DIR/logs/simulator.log")
		[ -z "$VENDOR_URL" ] || return 0
		kill -0 "$(cat "$DIR/run/simulator.pid")" 2>/dev/null || fail "the simulator ended" simulator
		sleep 0.1
	done
	fail "the simulator does not start" simulator
}

# start_door: zcsync-door, which takes what the vendors report; sets DOOR_URL.
start_door()
{
	local i port

	as_server sh -c "
		cd '$DIR'
		setsid '$DIR/build/src/door/zcsync-door' --listen=127.0.0.1:0 --name=demo --spool='$DIR/spool' \
			--database='host=$DIR/run dbname=demo user=zcsync_door' >'$DIR/logs/door.log' 2>&1 </dev/null &
		echo \$! >'$DIR/run/door.pid'"
	for ((i = 0; i < 300; i++)); do
		port=$(sed -n 's/^.*listening on port \([0-9]*\).*/\1/p' "$DIR/logs/door.log")
		DOOR_URL=http://127.0.0.1:$port
		[ -z "$port" ] || return 0
		kill -0 "$(cat "$DIR/run/door.pid")" 2>/dev/null || fail "the door ended" door
		sleep 0.1
	done
	fail "the door does not start" door
}

# end_process NAME COMMAND: what was started with its number in run/NAME.pid.
end_process()
{
	local pid

	[ -f "$DIR/run/$1.pid" ] || return 0
	pid=$(cat "$DIR/run/$1.pid")
	# the number may belong to another process by now
	if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "$2"; then
		kill "$pid"
	fi
}

# vendor METHOD PATH [BODY]: what the simulator's control interface answers.
vendor()
{
	perl -MHTTP::Tiny -e '
		my ($url, $method, $body) = @ARGV;
		my $r = HTTP::Tiny->new(timeout => 60)->request($method, $url,
			defined $body ? { content => $body, headers => { "Content-Type" => "application/json" } } : {});
		die "$method $url: $r->{status} $r->{content}\n" if !$r->{success};
		print $r->{content}' "$VENDOR_URL$2" "$1" ${3+"$3"}
}

# start_server [SETTING...]: it listens on a socket in its own directory only, so
# that nobody else of this machine gets in.
start_server()
{
	run_logged server "$PGBIN/initdb" -D "$DIR/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N
	as_server tee -a "$DIR/data/postgresql.conf" >/dev/null <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$DIR/run'
		$(PATH=$PGBIN:$PATH test/destdir-conf "$DIR/dest")
		shared_preload_libraries = 'zcsync, pg_cron'
		cron.database_name = 'demo'
		cron.use_background_workers = on
		zcsync.allow_insecure_http = on
		zcsync.allowed_hosts = '127.0.0.1'
		zcsync.credentials_directory = '$DIR/credentials'
		zcsync.discover_interval = 1s
		$(printf '%s\n' "$@")
	CONF
	run_logged server "$PGBIN/pg_ctl" -D "$DIR/data" -l "$DIR/logs/postgresql.log" -w start
}

sql()
{
	"$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$DIR/run" -U postgres -d demo "$@"
}

# fill_intake NAME FILE: with the command that create_intake() gave.
fill_intake()
{
	local columns

	columns=$(sql -At -c "SELECT string_agg(quote_ident(c ->> 'column'), ', ' ORDER BY n)
		FROM zcsync.intakes, jsonb_array_elements(columns) WITH ORDINALITY AS c (c, n) WHERE name = '$1'")
	sql -c "\\copy zcsync_intake.$1 ($columns) FROM '$DIR/leads/$2' (FORMAT csv, HEADER)"
}

# wait_for SECONDS LEFT SHOW: until the query LEFT gives 0; shows what the
# query SHOW gives whenever that changes.
wait_for()
{
	local end=$((SECONDS + $1)) begun=$SECONDS before= shown

	while :; do
		shown=$(sql -At -c "$3")
		if [ "$shown" != "$before" ]; then
			[ -z "$shown" ] || sed "s/^/$(printf '%4d s  ' $((SECONDS - begun)))/" <<<"$shown"
			before=$shown
		fi
		[ "$(sql -At -c "$2")" != 0 ] || return 0
		if [ "$SECONDS" -ge "$end" ]; then
			sql -c 'TABLE zcsync.status' -c 'SELECT * FROM zcsync.errors LIMIT 10'
			fail "this was to be over after $1 s"
		fi
		sleep 1
	done
}

# wait_seconds SECONDS BEGAN QUERY: until the query gives a row; prints how many seconds
# have passed since BEGAN, a time of "date +%s.%N".
wait_seconds()
{
	sql -At -c "SELECT seconds_until(\$q\$$3\$q\$, $2, $1)"
}
