#!/bin/bash
#
# make demo: a server of its own, simulated vendors, linked accounts, leads, a
# conversation over webhooks.
#
# On a bare Debian 12, as root or as somebody who may use sudo.  Everything
# lives in one directory, ZCSYNC_DEMO_DIR; nothing else of the machine is
# touched but the packages that test/prepare installs.  Run again, it begins
# anew.  The server and the simulator stay up until demo/stop.sh.
#
set -euo pipefail
cd "$(dirname "$0")/.."
. demo/common.sh

TICKETS=${ZCSYNC_DEMO_TICKETS:-5000}
# among fewer there may be none that the route takes
[ "$TICKETS" -ge 20 ] || fail 'ZCSYNC_DEMO_TICKETS is to be 20 or more'

step 'Installing what is missing (make deps; takes a minute the first time)'
prepare_log=$(mktemp)
test/prepare >"$prepare_log" 2>&1 || {
	tail -n 15 "$prepare_log" >&2
	exit 1
}
rm "$prepare_log"
PGBIN=$(pg_config --bindir)
demo/stop.sh --quiet
make_directory

step 'Building zcsync'
copy_sources
run_logged build make -s -C "$DIR/build" clean
run_logged build make -s -j2 -C "$DIR/build"
run_logged build make -s -C "$DIR/build" install DESTDIR="$DIR/dest"
run_logged build make -s -C "$DIR/build" door

step "Starting simulated vendors ($TICKETS tickets) and a PostgreSQL server"
start_simulator "$TICKETS"
# Zendesk holds back what changed in the last minute; here two seconds.
vendor POST /_control/holdback '{"seconds": 2}' >/dev/null
as_server mkdir -m 700 "$DIR/credentials"
printf 'secret-acme' | as_server sh -c "umask 077; cat >'$DIR/credentials/zendesk_secret'"
printf 'pk_183_DEV' | as_server sh -c "umask 077; cat >'$DIR/credentials/clickup_token'"
printf 'secret-acme' | as_server sh -c "umask 077; cat >'$DIR/credentials/halopsa_secret'"
start_server
sql -d postgres -c 'CREATE DATABASE demo'
started=$SECONDS

step 'Two accounts and what is mirrored of them'
sql -v url="$VENDOR_URL" -f demo/1_accounts.sql
wait_for 300 "SELECT count(*) FROM zcsync.progress WHERE lane = 'history' AND progress NOT LIKE '%100 \%' OR progress = 'starting'" \
	"SELECT rpad(object, 14) || progress || '  ' || done || ' records' FROM zcsync.progress WHERE lane = 'history' ORDER BY object"

step 'A route: each ticket that has the tag "bug" is a task'
sql -f demo/2_route.sql

step 'The route runs: for what changes from now on, and for what was there before'
sql -f demo/3_backfill.sql
wait_for 300 "SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('route', 'push')" \
	"SELECT rpad(object, 16) || progress || '  ' || done || ' of ' || estimate FROM zcsync.progress WHERE lane = 'backfill'"

edits=$(sql -At -f demo/4_edits.sql)
edited=$(sql -At -v edits="$edits" <<<"SELECT jsonb_array_length(:'edits'::jsonb -> 'edits')")
step "Agents edit $edited tickets at Zendesk; somebody edits a task by SQL"
vendor POST /_control/edits "$edits" >/dev/null
sql -f demo/5_local_edit.sql
wait_for 180 "SELECT $edited - count(*) FROM zcsync.tasks WHERE name LIKE 'Edited: %' AND sync_state = 'synced'" \
	"SELECT count(*) || ' of $edited edits have arrived at ClickUp' FROM zcsync.tasks WHERE name LIKE 'Edited: %' AND sync_state = 'synced'"
wait_for 60 "SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('route', 'push')" "SELECT ''"
sql -f demo/6_history.sql

step 'Leads: 1,000 rows of exports from Apollo and ZoomInfo, one in five a duplicate'
as_server mkdir "$DIR/leads"
run_logged leads perl "$DIR/build/test/simulator/leads.pl" --rows 1000 --exact 0.15 --fuzzy 0.05 --out "$DIR/leads"
sql -v url="$VENDOR_URL" -v apollo="$(head -n 1 "$DIR/leads/apollo.csv")" -v zoominfo="$(head -n 1 "$DIR/leads/zoominfo.csv")" \
	-f demo/7_leads.sql
fill_intake apollo_1 apollo.csv
fill_intake zoominfo_2 zoominfo.csv
sql -f demo/8_import.sql

step 'Leads become opportunities of HaloPSA'
sql -f demo/9_lead_route.sql
wait_for 180 "SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('route', 'push')" \
	"SELECT rpad(object, 16) || progress || '  ' || done || ' of ' || estimate FROM zcsync.progress WHERE lane = 'backfill' AND object LIKE 'leads%'"

step 'The comments of all tickets that are tasks are read, behind all else'
wait_for 300 "SELECT count(*) FROM zcsync.conversations WHERE read_at IS NULL" \
	"SELECT rpad(object, 14) || progress FROM zcsync.progress WHERE lane = 'comments' ORDER BY object"

step 'Webhooks: from now on vendors say at once what changes'
start_door
sql -v door="$DOOR_URL" -f demo/10_webhooks.sql
wait_for 60 "SELECT count(*) FROM zcsync.webhooks WHERE health IS DISTINCT FROM 'active'" "SELECT ''"
sql -f demo/11_timing.sql

IFS='|' read -r link ticket task <<<"$(sql -At -c "SELECT l.link_id, t.remote_id, w.remote_id FROM zcsync.links AS l
	JOIN zcsync.tickets AS t ON t.local_id = l.source_id JOIN zcsync.tasks AS w ON w.local_id = l.target_id
	WHERE t.status = 'open' ORDER BY l.link_id LIMIT 1")"
step "A conversation: people write in ticket $ticket of Zendesk and in task $task of ClickUp"
began=$(date +%s.%N)
vendor POST /_control/touch '{"account": "acme", "id": '"$ticket"', "public": true, "text": "It fails since the update; see the log.",
	"files": [{"file_name": "app.log", "content_type": "text/plain", "size": 48213}]}' >/dev/null
here=$(wait_seconds 60 "$began" "SELECT FROM zcsync.comments WHERE body = 'It fails since the update; see the log.'")
there=$(wait_seconds 60 "$began" "SELECT FROM zcsync.comments WHERE body LIKE '%It fails since%' AND parent_kind = 'tasks' AND remote_id IS NOT NULL")
printf '%5.2f s after a comment with a file was written at Zendesk, it was a row here; after %.2f s, it was at ClickUp.\n' "$here" "$there"
began=$(date +%s.%N)
vendor POST /_control/touch '{"workspace": "dev", "id": "'"$task"'", "text": "Reproduced; fixed in the next build."}' >/dev/null
there=$(wait_seconds 60 "$began" "SELECT FROM zcsync.comments WHERE body LIKE '%Reproduced;%' AND parent_kind = 'tickets' AND remote_id IS NOT NULL")
printf '%5.2f s after an answer was written at ClickUp, it was at Zendesk, for agents only.\n' "$there"
began=$(date +%s.%N)
vendor POST /_control/touch '{"account": "acme", "id": '"$ticket"', "text": "The customer is about to leave us."}' >/dev/null
here=$(wait_seconds 60 "$began" "SELECT FROM zcsync.comments WHERE body LIKE 'The customer is%'")
printf '%5.2f s after an internal note was written at Zendesk, it was a row here. It stays.\n' "$here"
sql -v link="$link" -f demo/12_conversation.sql
wait_for 60 "SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments')" "SELECT ''"

step 'What the vendors have, compared with what is here'
vendor GET '/_control/state/halopsa/opportunities?limit=1000000' | as_server tee "$DIR/state/opportunities.json" >/dev/null
vendor GET '/_control/state/tickets?account=acme&comments=1&limit=1000000' | as_server tee "$DIR/state/tickets.json" >/dev/null
vendor GET '/_control/state/tasks?workspace=dev&comments=1&limit=1000000' | as_server tee "$DIR/state/tasks.json" >/dev/null
vendor GET '/_control/ledger?vendor=clickup&limit=1000000' | as_server tee "$DIR/state/ledger.json" >/dev/null
vendor GET '/_control/stats' | as_server tee "$DIR/state/stats.json" >/dev/null
sql -v dir="$DIR/state" -v seconds="$((SECONDS - started))" -f demo/13_checks.sql
sql -v dir="$DIR/state" -f demo/14_lead_checks.sql <"$DIR/leads/truth.csv"
failed=$(sql -At -c 'SELECT (SELECT count(*) FROM checks WHERE NOT ok) + (SELECT count(*) FROM lead_checks WHERE NOT ok)')

cat <<EOT

The server and the simulator go on. Look around:

    psql -h $DIR/run -U postgres demo

    SELECT * FROM zcsync.status;
    SELECT * FROM zcsync.history('acme/tickets/$(sql -At -c "SELECT min(remote_id::int) FROM zcsync.tickets")');
    SELECT zcsync.schedule_maintenance();

Stop both and remove $DIR:

    ${ZCSYNC_DEMO_DIR:+ZCSYNC_DEMO_DIR=$DIR }demo/stop.sh
EOT
if [ "$failed" != 0 ]; then
	fail "$failed of the checks failed"
fi
