# Thousands of jobs through one worker: what it holds does not grow with them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

plan skip_all => 'there is no /proc to look into' if !-d "/proc/$$/fd";

my $flow = ZcsyncFlow->start('main', tickets => 200, tasks => 400, conf => 'zcsync.bulk_write_limit = 100000');
my ($node, $simulator) = ($flow->node, $flow->simulator);
ok($flow->mirror, 'both sides are read');
my $pid = worker_pid($node, 'postgres');

# Descriptors, private memory in kB, and the memory contexts in kB.  Files of tables and
# the log do not count: the server opens them when it first reads them, and closes them
# when it holds too many.
sub holds
{
	my $descriptors = grep { (readlink // '') !~ m{/(?:base|global|pg_\w+)/} } glob "/proc/$pid/fd/*";
	my ($memory) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	my $contexts;

	# the worker may be in the middle of a round: the least of five looks
	for (1 .. 5)
	{
		my $offset = -s $node->logfile;

		$node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid)");
		$node->wait_for_log(qr/Grand total: (\d+) bytes/, $offset);
		my ($now) = substr(slurp_file($node->logfile), $offset) =~ /Grand total: (\d+) bytes/;
		$contexts = $now if !defined $contexts || $now < $contexts;
		select undef, undef, undef, 0.3;
	}
	note("descriptors $descriptors, memory $memory kB, contexts " . int($contexts / 1024) . ' kB');
	return ($descriptors, $memory, $contexts / 1024);
}

# Edits of each task, each a job and a request; some of them refused, some with
# a reply that is none, some reset, so that every way out is taken.
my $round = 0;
my $tasks = $flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE remote_id IS NOT NULL});

sub work
{
	my ($times) = @_;

	for (1 .. $times)
	{
		$round++;
		$simulator->post('faults', [
			{ fault => 'truncated_json', vendor => 'clickup', method => 'PUT', count => 5, skip => 20 },
			{ fault => 'truncated_body', vendor => 'clickup', method => 'PUT', count => 1, skip => 60 },
			{ fault => 'status', status => 429, headers => { 'Retry-After' => '0' }, vendor => 'clickup', method => 'PUT', count => 3, skip => 100 },
			{ fault => 'reset_before', vendor => 'clickup', method => 'PUT', count => 1, skip => 140 } ]);
		$flow->value("UPDATE zcsync.tasks SET points = $round WHERE remote_id IS NOT NULL");
		$simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => "round $round of $_" } } } 1 .. 50 ]);
		$node->poll_query_until('postgres', "SELECT count(*) = $tasks FROM zcsync.tasks WHERE points = $round AND sync_state = 'synced'") or die 'tasks are not sent';
		$node->poll_query_until('postgres', "SELECT count(*) >= 45 FROM zcsync.tickets WHERE subject LIKE 'round $round of %'") or die 'tickets are not read';
		$simulator->no_faults;
	}
}

work(2);
my @before = holds();
work(6);
my @after = holds();
is(worker_pid($node, 'postgres'), $pid, 'it is the same worker');
cmp_ok($flow->value(q{SELECT sum(calls_total) FROM zcsync.account_budgets}), '>', 8 * $tasks, 'each edit was a call');
cmp_ok($after[0], '<=', $before[0] + 10, "$after[0] descriptors after, $before[0] before");
# the C library keeps what it had at its peak, which is more where many replies came at once
cmp_ok($after[1], '<', $before[1] + 20480, "$after[1] kB of memory after, $before[1] before");
cmp_ok($after[2], '<', $before[2] + 2048, sprintf('%d kB of memory contexts after, %d before', $after[2], $before[2]));

# The biggest reply leaves nothing behind either.
$simulator->post('faults', { fault => 'oversize', vendor => 'clickup', path => '/team/\d+/task', megabytes => 20, count => 2 });
$flow->polls(4);
my @big = holds();
cmp_ok($big[1], '<', $before[1] + 20480, "$big[1] kB of memory after replies of 20 MB");
cmp_ok($big[2], '<', $before[2] + 2048, sprintf('%d kB of memory contexts', $big[2]));

# CALL zcsync.run() as often as a timer calls it, in one session.
$flow->value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'postgres');
$node->append_conf('postgresql.conf', "zcsync.databases = ''");
$node->reload;
$flow->value('SELECT zcsync.start()');
my $session = $node->background_psql('postgres');
$pid = $session->query('SELECT pg_backend_pid()');
my $polled = () = $flow->requests(path => '/team/');
for my $calls (60, 140)
{
	@before = @after;
	for (1 .. $calls)
	{
		$session->query_safe(q{SELECT zcsync.refresh('dev/tasks')});
		$session->query_safe(q{CALL zcsync.run('10 s')});
	}
	@after = holds();
}
cmp_ok((() = $flow->requests(path => '/team/')) - $polled, '>=', 200, 'run(): each call made a request');
cmp_ok($after[0], '<=', $before[0] + 5, "run(): $after[0] descriptors after 140 calls, $before[0] before");
cmp_ok($after[1], '<', $before[1] + 4096, "run(): $after[1] kB of memory after, $before[1] before");
cmp_ok($after[2], '<', $before[2] + 1024, sprintf('run(): %d kB of memory contexts after, %d before', $after[2], $before[2]));
is($session->query('SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = \'object\''), 0, 'run(): no lock is left');
is($session->query('SELECT count(*) <= 1 FROM zcsync.claimants'), 't', 'run(): nor a trail of claimants');
$session->quit;

is(log_lines($node, 'PANIC|FATAL|terminated by signal'), 0, 'no process failed');
$node->stop;
done_testing();
