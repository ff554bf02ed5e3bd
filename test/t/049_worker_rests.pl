# What a worker leaves alone: it asks for streams that are due only when the next of them
# is, and not with each edit; and after a heavy round it gives its memory back, also while
# another vendor keeps it waiting.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use ZcsyncTest;

plan skip_all => 'there is no /proc to look into' if !-d "/proc/$$/fd";

my $TICKETS = 6000;
my $simulator = start_simulator('--tickets', $TICKETS, '--zendesk-plan', 'none');
my $node = new_node('main', conf => "log_statement = none\ntrack_functions = all\nzcsync.poll_interval = '1 min'\nzcsync.request_timeout = 10min\n");

$node->start;
setup_zcsync($node, 'postgres');
wait_for_worker($node, 'postgres');

sub value { return $node->safe_psql('postgres', $_[0]) }

my $pid = worker_pid($node, 'postgres');

# Private memory of the worker in kB.
sub memory { return (slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m)[0] }

# ---------------------------------------------------------------------
# Memory
# ---------------------------------------------------------------------

# a vendor that never replies
$simulator->post('faults', { fault => 'hang', vendor => 'clickup', count => 0 });
value(sprintf <<'SQL', $simulator->clickup);
SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "9001", "plan": "business", "base_url": "%s"}', credentials => '{"token": "pk_1_DEV"}');
SELECT zcsync.add_stream('dev', 'tasks', pull_interval => '30 days');
SQL
wait_until($node, 'postgres', q{SELECT in_flight = 1 FROM zcsync._worker_slots() WHERE role = 'worker'}, 'a request hangs');

my $before = memory();
my $wide = '{"calls": 1000000, "concurrency": 30}';

value(sprintf <<'SQL', $simulator->zendesk, $wide);
SELECT zcsync.add_account('acme', 'zendesk',
	settings => format('{"subdomain": "acme", "plan": "enterprise_plus", "high_volume": true, "base_url": "%s", "budgets": {"api": %2$s, "export": %2$s, "write": %2$s}}')::jsonb,
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '30 days');
SELECT zcsync.alter_stream('acme/tickets', writes => true);
SQL
my $peak = 0;
my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;

my $acme = q{account_id = zcsync.account('acme')};

while (value(qq{SELECT bool_and(history_state = 'done' AND last_pull_at IS NOT NULL) FROM zcsync.streams WHERE $acme}) ne 't')
{
	die 'the history was not read' if time > $deadline;
	foreach (1 .. 20)
	{
		my $now = memory();

		$peak = $now if $now > $peak;
		sleep 0.02;
	}
}
is(worker_pid($node, 'postgres'), $pid, 'it is the same worker');
cmp_ok(value('SELECT count(*) FROM zcsync.tickets'), '>=', $TICKETS, 'the history was read');
cmp_ok($peak - $before, '>', 20000, "reading took $peak kB, $before before");

my $after = memory();
while ($after - $before > 0.5 * ($peak - $before) && time < $deadline)
{
	sleep 0.1;
	$after = memory();
}
cmp_ok($after - $before, '<=', 0.5 * ($peak - $before), "of $peak kB at most, the worker keeps $after");
is(value(q{SELECT in_flight FROM zcsync._worker_slots() WHERE role = 'worker'}), 1, 'while the request hangs');

# ---------------------------------------------------------------------
# Streams that are due
# ---------------------------------------------------------------------

sub asked { return value(q{SELECT sum(calls) FROM pg_stat_user_functions WHERE funcname = '_enqueue_due_pulls'}) }

# The read that follows the history is over, and the next one is days away, when it is this
# stream's turn.
wait_until($node, 'postgres', qq{SELECT bool_and(next_pull_at > now() + interval '2 minutes') AND NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE $acme) FROM zcsync.streams WHERE $acme},
	'nothing is due');
my $asked = asked();
my $EDITS = 20;

foreach my $n (1 .. $EDITS)
{
	value("UPDATE zcsync.tickets SET subject = 'edit $n' WHERE local_id = (SELECT min(local_id) FROM zcsync.tickets)");
	wait_until($node, 'postgres', qq{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE $acme)}, "edit $n was sent");
}
is(value(q{SELECT count(*) FROM zcsync.sync_records WHERE operation = 'push'}), $EDITS, 'each edit was sent by itself');
cmp_ok(asked() - $asked, '<=', 4, 'with edits, the worker hardly ever asked for streams that are due');

# but as soon as one is due, it is read
value(q{SELECT zcsync.refresh('acme/tickets')});
wait_until($node, 'postgres', q{SELECT bool_and(last_pull_at > now() - interval '1 minute' AND next_pull_at > now() + interval '2 minutes') FROM zcsync.streams WHERE account_id = zcsync.account('acme')}, 'the stream was read');
$node->stop;
done_testing();
