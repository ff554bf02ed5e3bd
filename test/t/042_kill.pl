# kill -9 of the worker, of the local worker, of a backend, of the launcher or of the whole server,
# again and again while tickets flow: the same state in the end, nothing twice,
# nothing lost, nothing stuck.
#
# What is killed is drawn from a seed, and so is when: at the 7th request, write, link,
# ended job and so on after the agents' work.  The same seed kills at the same steps; what
# else has been done by then depends on the machine.
#
#	ZCSYNC_TEST_SEED=n			replay a run
#	ZCSYNC_TEST_KILLS=n			how often (20)
#	ZCSYNC_TEST_KILL_TICKETS=n	tickets (2000, with which it takes a minute)

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZcsyncFlow;
use ZcsyncTest;

my $seed = $ENV{ZCSYNC_TEST_SEED} // int rand 1_000_000;
my $kills = $ENV{ZCSYNC_TEST_KILLS} // 20;
srand $seed;
diag("replay with ZCSYNC_TEST_SEED=$seed");

# ClickUp takes its time, so that there is always something on its way.
my $tickets = $ENV{ZCSYNC_TEST_KILL_TICKETS} // 2000;
my $flow = ZcsyncFlow->start('main', tickets => $tickets,
	conf => "zcsync.request_timeout = 10s\nrestart_after_crash = on\nfsync = on\nzcsync.bulk_write_limit = 100000");
my ($node, $simulator) = ($flow->node, $flow->simulator);

# A query that is asked again while the server is down.
sub ask
{
	my ($query) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($out, $error);
		my $status = eval { $node->psql('postgres', $query, stdout => \$out, stderr => \$error) };
		return $out if defined $status && $status == 0;
		usleep 100_000;
	}
	BAIL_OUT('the server does not come back');
}

# Wait until a function returns true, or end the test.
sub soon
{
	my ($true, $what) = @_;

	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $true->();
		usleep 10_000;
	}
	die $what;
}

sub processes { return split /\n/, ask("SELECT pid FROM pg_stat_activity WHERE backend_type = '$_[0]' AND pid <> pg_backend_pid()"); }

# Process, parent and state of each process: Z is one that ended and was not waited for.
sub all_processes
{
	return map { (eval { slurp_file($_) } // '') =~ /^(\d+) \(.*\) (\S) (\d+) /s ? { pid => $1, state => $2, parent => $3 } : () } glob '/proc/[0-9]*/stat';
}

# For each kind, what finds one and returns how it is killed, so that nothing is
# left to do at the moment when it is to die.
my %find = (
	worker => sub { return process('zcsync worker') },
	local => sub { return process('zcsync local worker') },
	launcher => sub { return process('zcsync launcher') },
	backend => sub
	{
		my $backend = $node->background_psql('postgres', on_error_stop => 0);
		# one row, so that this transaction and a worker's cannot each wait for the other
		$backend->query_safe('BEGIN; UPDATE zcsync.tasks SET points = 99 WHERE local_id IN (SELECT target_id FROM zcsync.links LIMIT 1)');
		my $pid = $backend->query_safe('SELECT pg_backend_pid()');
		return sub {
			my $killed = kill 9, $pid;
			eval { $backend->{run}->kill_kill };
			return $killed;
		};
	},
	postmaster => sub
	{
		my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
		return sub {
			# stopped first, so that it starts no process that would be unknown here
			kill 'STOP', $pid;
			my %family = map { ($_->{pid} => 1) } grep { $_->{pid} == $pid || $_->{parent} == $pid } all_processes();
			kill 9, $pid;
			# its children notice; the next server waits for the last of them
			soon(sub { !grep { $family{ $_->{pid} } && $_->{state} ne 'Z' } all_processes() }, 'processes of the server that was killed do not end');
			$node->{_pid} = undef;
			# until somebody waits for the dead process, its lock files look as if it lived
			unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
			$node->start;
			return 1;
		};
	},);

# How to kill a process of a type; nothing if there is none now.
sub process
{
	my ($pid) = processes($_[0]) or return;
	return sub { return kill 9, $pid };
}

# 20 new bugs, and 20 edits of old ones.
sub agents_work
{
	my ($n) = @_;

	$simulator->post('create', { account => 'acme', fields => { subject => "New $n.$_", comment => { body => 'It is new.' }, priority => 'high', tags => ['bug'] } })
	  for 1 .. 20;
	$simulator->post('edits', [ map { { account => 'acme', id => 5 * (1 + int rand $tickets / 5), fields => { subject => "Edited $n.$_" } } } 1 .. 20 ]);
	return;
}

$simulator->post('faults', { vendor => 'clickup', method => 'POST', path => '/task$', fault => 'delay', delay_ms => 300, count => 0 });

# Everything is killed, from the first page on.
$flow->accounts;
$flow->value(q{SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 second', comments => 'none')});
$flow->value(q{SELECT zcsync.add_stream('dev', 'statuses'); SELECT zcsync.alter_stream('dev/tasks', writes => true)});
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.streams WHERE history_state IN ('none', 'done') AND last_pull_at IS NOT NULL}, 'ClickUp is read');
$flow->value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 second', comments => 'none')});

# What is killed, and at which step of what is counted: so many from the work of
# the agents on in each round.  Nothing is linked and written before there is a route.
my @plan = map { +{
	kind => (qw(worker worker local backend launcher postmaster))[ int rand 6 ],
	what => (qw(requests calls ended tickets links writes))[ int rand($_ == 1 ? 4 : 6) ],
	steps => 1 + int rand 10 } } 1 .. $kills;
my (%killed, @log);
my ($round, $bugs) = (0, 0);
$flow->count_steps;
for my $next (@plan)
{
	my ($kind, $what, $steps) = @$next{qw(kind what steps)};
	my $at = $flow->counted($what) + $steps;
	agents_work($round++);
	my ($checkpointer) = processes('checkpointer');
	my $kill = $find{$kind}->();
	my $seen = $flow->wait_for_steps($what, $at, 30);
	if ($kill && $kill->())
	{
		$killed{$kind}++;
		push @log, "$kind at $steps $what" . ($seen == $at ? '' : ' (' . ($seen - $at + $steps) . ')');
		# all other processes are restarted, which takes a moment to begin
		soon(sub { my ($now) = processes('checkpointer'); return defined $now && $now != $checkpointer }, 'the server has no new processes');
	}
	if ($round == 1)
	{
		# the route begins with what is there, and goes on with the rest
		wait_until($node, 'postgres', 'SELECT count(*) > 100 FROM zcsync.tickets', 'tickets come');
		$flow->route;
		cmp_ok($flow->backfill, '>', 0, 'a backfill goes on');
	}
	# what is not known of creates is looked up, and killed
	$flow->advance(41) if $round % 4 == 0;
}
diag('killed: ' . join ', ', @log);
cmp_ok(scalar keys %killed, '>', 1, 'killed ' . join(', ', map { "$killed{$_} x $_" } sort keys %killed));

# A route that ran at two kills in a row is paused, since its SQL may have ended the
# processes; then status tells a person to look, and what to call.
if ($flow->value(q{SELECT count(*) FROM zcsync.alerts WHERE code = 'route_fault' AND resolved_at IS NULL}))
{
	diag('the route ran at two kills in a row');
	$flow->value(q{SELECT zcsync.resume_route('bugs')});
}

# The rest of the backfill.
wait_until($node, 'postgres', q{SELECT history_state = 'done' FROM zcsync.streams WHERE kind = 'tickets'}, 'all tickets are read');
$flow->backfill;
my $left = q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments')};
for my $round (1 .. 40)
{
	nothing_due($node, 'postgres', q{q.operation NOT IN ('pull', 'comments')});
	last if $flow->value($left) == 0;
	# creates whose effect is not known wait for their look-up
	$flow->advance(41);
}
is($flow->value($left), 0, 'no job is left');
$flow->settle('nothing comes after it');
is($flow->writes->{create}, $flow->value(q{SELECT count(*) FROM zcsync.tickets WHERE tags @> '{bug}' AND deleted_at IS NULL}), 'one create for each bug');
$flow->agree('after all that');
is($flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE state IN ('running', 'held') AND operation NOT IN ('pull', 'comments')}), 0, 'nothing runs, nothing is held');
is($flow->value('SELECT count(*) FROM zcsync.tasks WHERE points = 99'), 0, 'what was not committed never was');

is($flow->value(q{SELECT count(*) FROM zcsync.claimants WHERE role = 'worker'}), 1, 'there is one worker');
cmp_ok($flow->value(q{SELECT count(*) FROM zcsync.claimants WHERE role = 'local'}), '<=', 1, 'and at most one local worker');
# a worker that waits for the row of an open transaction gives up after a second, says so and tries again
is(log_lines($node, 'PANIC|zcsync could not(?!.*lock timeout)|TRAP|Assert'), 0, 'no trouble in the log');
$node->stop;
done_testing();
