# While a vendor does not answer: nothing else on the server waits for it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ZcsyncTest;

my $simulator = start_simulator('--tasks', 5);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $node = new_node('main', conf => 'zcsync.request_timeout = 10min');
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(app other);
setup_zcsync($node, 'app');
add_simulated_accounts($node, 'app', $simulator);

$simulator->post('faults', { fault => 'hang', vendor => 'clickup', count => 0 });
$node->safe_psql('app', qq(SELECT zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$bugs"]}')));
my $hanging = worker_sql("w.in_flight > 0");

# Run something while a request hangs, and see that it is quick: the request may take ten
# minutes.
sub quick
{
	my ($what, $code) = @_;
	my $start;

	wait_until($node, 'app', $hanging, "$what: a request hangs");
	$start = time;
	$code->();
	return cmp_ok(time - $start, '<', 20, "$what: quick");
}

quick('snapshot', sub {
	is($node->safe_psql('postgres', "SELECT backend_xmin IS NULL AND backend_xid IS NULL AND state = 'idle' FROM pg_stat_activity WHERE backend_type = 'zcsync worker' AND datname = 'app'"),
		't', 'the worker holds no snapshot');
	is($node->safe_psql('app', "SELECT count(*) FROM pg_locks WHERE pid = " . worker_pid($node, 'app') . " AND locktype = 'relation'"), '0', 'and locks no table');
});
quick('DROP DATABASE of another', sub { $node->safe_psql('postgres', 'DROP DATABASE other') });
quick('reload', sub {
	$node->append_conf('postgresql.conf', 'zcsync.poll_interval = 400ms');
	$node->reload;
});
quick('stop()', sub {
	$node->safe_psql('app', 'SELECT zcsync.stop()');
	wait_for_no_worker($node, 'app');
});
$node->safe_psql('app', 'SELECT zcsync.start()');
quick('pg_terminate_backend()', sub {
	my $pid = worker_pid($node, 'app');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'the worker ends');
});
quick('fast shutdown', sub { $node->stop('fast') });

# What was in flight is taken up again.
$simulator->no_faults;
$node->start;
wait_until($node, 'app', 'SELECT last_pull_at IS NOT NULL FROM zcsync.streams', 'the work that hung is done after a restart');

$simulator->post('faults', { fault => 'hang', vendor => 'clickup', count => 0 });
$node->safe_psql('app', "SELECT zcsync.refresh('dev/tasks')");
quick('DROP DATABASE WITH (FORCE)', sub { $node->safe_psql('postgres', 'DROP DATABASE app WITH (FORCE)') });

done_testing();
