# Two processes for a database: the worker, which holds the sockets, and while
# there are routes to run a local worker.  A slow expression of a user keeps
# nobody waiting but its route; both processes end and come back as one.

use strict;
use warnings;

use IPC::Run;
use Test::More;
use Time::HiRes qw(time);
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 20, tasks => 5, conf => "zcsync.mapping_timeout = 10min\nzcsync.request_timeout = 5s\nmax_prepared_transactions = 1\nwal_level = replica\nmax_wal_senders = 1");
my ($node, $simulator) = ($flow->node, $flow->simulator);

my $quiet = $node->safe_psql('postgres', q{SELECT count(*) FROM zcsync.stat_workers WHERE role = 'local worker'});
is($quiet, 0, 'there is no local worker before there is something to do');
$flow->mirror;
$flow->route;
$flow->value(q{SELECT zcsync.alter_route('bugs', filter => $$tags @> '{bug}' AND (subject <> 'slow' OR (SELECT true FROM pg_sleep(30)))$$)});

# New bugs: a local worker makes tasks of them.
sub new_bug
{
	my ($subject) = @_;
	return $simulator->post('create', { account => 'acme', fields => { subject => $subject, comment => { body => 'It fails.' }, tags => ['bug'] } });
}
sub task_sql { return "SELECT EXISTS (SELECT FROM zcsync.tasks WHERE name = '$_[0]' AND sync_state = 'synced')" }

new_bug('first');
wait_until($node, 'postgres', task_sql('first'), 'a route is run');
my $local = local_pid($node, 'postgres');
isnt($local, '', 'by a local worker, which is still there');
is($flow->value("SELECT usename || ' ' || application_name FROM pg_stat_activity WHERE pid = $local"), 'zcsync_worker zcsync local worker', 'with the role of workers');
is($flow->value(q{SELECT string_agg(role || ' ' || state, ', ' ORDER BY role) FROM zcsync.stat_workers}),
	'launcher running, local worker running, worker running', 'stat_workers shows both');
is($flow->value(q{SELECT string_agg(item, ', ') FROM zcsync.selfcheck() WHERE item LIKE '%worker' AND ok}), 'worker, local worker', 'and selfcheck()');

# With nothing to do it sleeps.
$node->append_conf('postgresql.conf', 'zcsync.poll_interval = 30s');
$node->reload;
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE backend_type = 'zcsync local worker' AND clock_timestamp() - state_change > '4 s')}, 'a local worker with nothing to do sleeps');
$node->append_conf('postgresql.conf', 'zcsync.poll_interval = 500ms');
$node->reload;

# While a filter takes half a minute, replies come in and are recorded.
my $slow = q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'zcsync local worker' AND wait_event = 'PgSleep')};
sub be_slow
{
	my ($what) = @_;

	new_bug('slow');
	return wait_until($node, 'postgres', $slow, "$what: a filter takes long");
}

be_slow('replies');
my $seen = $flow->value('SELECT clock_timestamp()');
$flow->value(q{INSERT INTO zcsync.tasks (account_id, list_id, name) SELECT account_id, list_id, 'meanwhile ' || n FROM
	(SELECT account_id, list_id FROM zcsync.tasks WHERE name = 'first') AS t, generate_series(1, 20) AS n});
$flow->value(q{SELECT zcsync.refresh('acme/tickets')});
wait_until($node, 'postgres', q{SELECT count(*) = 20 FROM zcsync.tasks WHERE name LIKE 'meanwhile %' AND sync_state = 'synced'}, 'twenty tasks are created');
wait_until($node, 'postgres', "SELECT count(*) = 2 FROM zcsync.streams WHERE pull_interval = '1 second' AND last_pull_at > '$seen'", 'both streams are read');
is($flow->value($slow), 't', 'and the filter still runs');
is($flow->value('SELECT sum(breaker_failures) FROM zcsync.accounts'), 0, 'no breaker counts');

# Run something while a filter takes long, and see that it is quick.
sub quick
{
	my ($what, $code) = @_;
	my $start = time;

	$code->();
	return cmp_ok(time - $start, '<', 10, "$what: quick");
}
sub work_again
{
	my ($what) = @_;

	new_bug("after $what");
	return wait_until($node, 'postgres', task_sql("after $what"), "$what: then routes are run again");
}
# No slow ticket is left to be tried again.
sub forget_slow
{
	$flow->value(q{DELETE FROM zcsync.sync_queue WHERE operation = 'route'});
}

quick('reload', sub {
	$node->append_conf('postgresql.conf', 'zcsync.poll_interval = 400ms');
	$node->reload;
	$node->safe_psql('postgres', 'CREATE DATABASE other');
	$node->safe_psql('postgres', 'DROP DATABASE other');
});
is(local_pid($node, 'postgres'), $local, 'the local worker is still the same');
quick('stop()', sub {
	$flow->value('SELECT zcsync.stop()');
	wait_for_no_worker($node, 'postgres', 'both end');
});
forget_slow();
$flow->value('SELECT zcsync.start()');
wait_for_worker($node, 'postgres');
work_again('stop()');

be_slow('terminated local worker');
quick('pg_terminate_backend() of the local worker', sub {
	$local = local_pid($node, 'postgres');
	$flow->value("SELECT pg_terminate_backend($local)");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $local)", 'it ends');
});
forget_slow();
work_again('the local worker was terminated');

# Nor does it pause the route that somebody ends its process again and again.
be_slow('terminated three times');
foreach my $n (1 .. 3)
{
	wait_until($node, 'postgres', $slow, "the filter runs, time $n");
	my $pid = local_pid($node, 'postgres');
	$flow->value("SELECT pg_terminate_backend($pid)");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'it is ended');
	is($flow->value(q{SELECT state || ' ' || attempts FROM zcsync.routes JOIN zcsync.route_attempts USING (route_id)}), 'active 0', 'which is no attempt of the route');
}
forget_slow();
work_again('three times');

# A process that is ended waits for nothing more: neither for somebody who has locked the
# table of attempts, nor for a standby.
sub end_local
{
	my ($what) = @_;

	my $pid = local_pid($node, 'postgres');
	$flow->value("SELECT pg_terminate_backend($pid)");
	return wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", "$what: it ends");
}
be_slow('locked');
$flow->value(q{BEGIN; LOCK TABLE zcsync.route_attempts IN SHARE MODE; PREPARE TRANSACTION 'locked'});
end_local('the table of attempts is locked');
$flow->value(q{COMMIT PREPARED 'locked'});
forget_slow();
work_again('the table was locked');
be_slow('no standby');
$node->append_conf('postgresql.conf', q{synchronous_standby_names = 'nobody'});
$node->reload;
my $commit = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CREATE TABLE public.waits ()' ]);
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event = 'SyncRep')}, 'commits wait for a standby');
end_local('a standby is away');
is($flow->value(q{SELECT attempts FROM zcsync.route_attempts}), 0, 'and the attempt does not count');
$node->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$node->reload;
IPC::Run::finish($commit);
forget_slow();
work_again('the standby was away');

be_slow('terminated worker');
quick('pg_terminate_backend() of the worker', sub {
	my @pids = (worker_pid($node, 'postgres'), local_pid($node, 'postgres'));
	$flow->value("SELECT pg_terminate_backend($pids[0])");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ($pids[0], $pids[1]))", 'its local worker ends with it');
});
forget_slow();
wait_for_worker($node, 'postgres');
work_again('the worker was terminated');

be_slow('no launcher');
{
	my @pids = (worker_pid($node, 'postgres'), local_pid($node, 'postgres'));
	my $end = q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = '%s'};
	my $start = time;

	$flow->value(sprintf("$end; $end", 'zcsync launcher', 'zcsync worker'));
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ($pids[0], $pids[1]))", 'a worker ends while there is no launcher, and its local worker with it');
	cmp_ok(time - $start, '<', 25, 'before the filter does');
}
forget_slow();
wait_for_worker($node, 'postgres');
work_again('the launcher was away');

# Without a slot for it the worker does both, and says so.
$node->append_conf('postgresql.conf', "max_worker_processes = 3\nmax_parallel_workers = 0");
$node->restart;
wait_for_worker($node, 'postgres');
new_bug('in turn');
wait_until($node, 'postgres', task_sql('in turn'), 'with one process routes are run in turn');
is($flow->value(q{SELECT state || ': ' || reason FROM zcsync.stat_workers WHERE role = 'local worker'}),
	'waiting: no background worker slot is free; routes and requests take turns', 'stat_workers says why');
is($flow->value(q{SELECT message || ' ' || hint FROM zcsync.selfcheck() WHERE item = 'local worker' AND NOT ok}),
	'no background worker slot is free; routes and requests take turns ALTER SYSTEM SET max_worker_processes = 12; -- then restart the server',
	'selfcheck() knows the remedy');
is($flow->value(q{SELECT count(*) FROM zcsync.status WHERE state = 'no local worker'}), 1, 'status shows it');
is(log_lines($node, 'zcsync cannot start a local worker'), 1, 'and it is logged once');
$node->append_conf('postgresql.conf', 'max_worker_processes = 12');
$node->restart;
wait_for_worker($node, 'postgres');
work_again('a restart');
isnt(local_pid($node, 'postgres'), '', 'with a slot there are two again');

# What both leave a database for: DROP DATABASE and DROP EXTENSION.
new_bug('idle');
wait_until($node, 'postgres', task_sql('idle'), 'a local worker lingers');
quick('DROP EXTENSION', sub {
	$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION zcsync CASCADE');
	wait_for_no_worker($node, 'postgres', 'both end with the extension');
});
is(log_lines($node, 'PANIC|terminated by signal|TRAP'), 0, 'no process crashed');
$node->stop;
done_testing();
