# While vendors do not answer, each in its own way: nothing waits for a worker
# or for CALL zcsync.run(), and what was on the wire is not done twice.

use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 20, '--tasks', 5, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $node = new_node('main', conf => "zcsync.request_timeout = 10min\nzcsync.connect_timeout = 5min");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(app other);

# One that takes connections and never says a word, and one whose queue of
# connections is full, so that connecting hangs.
my $mute = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die $!;
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my @callers = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 4;

sub account
{
	my ($name, $url) = @_;
	$node->safe_psql('app', qq(SELECT zcsync.add_account('$name', 'clickup',
		settings => '{"workspace_id": "9001001", "base_url": "$url"}', credentials => '{"token": "pk_1_NONE"}');
		SELECT zcsync.add_stream('$name', 'tasks', pull_interval => '1 s')));
}

# Everything, in database app.
sub set_up
{
	setup_zcsync($node, 'app');
	add_simulated_accounts($node, 'app', $simulator);
	$node->safe_psql('app', qq(
		SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 s');
		SELECT zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$bugs"]}', pull_interval => '1 s');
		SELECT zcsync.alter_stream('dev/tasks', writes => true);
		UPDATE zcsync.account_budgets SET calls = 100000, tokens = 10000;));
	account('mute', 'https://127.0.0.1:' . $mute->sockport);
	account('full', 'http://127.0.0.1:' . $full->sockport);
}

# From now on creates hang, and exports drip.
sub hang_on
{
	$simulator->no_faults;
	$simulator->post('faults', [
		{ fault => 'hang', vendor => 'clickup', method => 'POST', count => 0 },
		{ fault => 'drip', vendor => 'zendesk', path => 'incremental', bytes => 1, interval_ms => 300, count => 0 } ]);
}

# Requests are on the wire: a create, an export, a handshake, a connection.
my $hanging = q{SELECT count(*) = 4 FROM (
	SELECT DISTINCT a.name FROM zcsync.sync_queue q JOIN zcsync.accounts a USING (account_id)
	JOIN zcsync.claimants c ON c.incarnation = q.claimed_by AND c.role = '%s'
	WHERE q.state = 'running' AND zcsync._claimant_alive(c.incarnation)
		AND (a.name <> 'dev' OR q.operation = 'push')) AS x};
my $names = 0;

sub wait_for_hang
{
	my ($what, $role) = @_;

	$node->safe_psql('app', sprintf(q{INSERT INTO zcsync.tasks (account_id, list_id, name)
		VALUES (zcsync.account('dev'), '%s', 'hanging %s')}, $bugs, ++$names));
	wait_until($node, 'app', sprintf($hanging, $role), "$what: requests hang");
}

# Run something and see that it is quick.
sub quick
{
	my ($what, $code) = @_;
	my $start = time;

	$code->();
	cmp_ok(time - $start, '<', 20, "$what: quick");	# a request may take ten minutes
}

# What a process holds while it waits.  Returns what it has used so far.
sub holds_nothing
{
	my ($pid, $state, $what) = @_;

	wait_until($node, 'postgres', "SELECT wait_event_type = 'Extension' AND state = '$state' AND backend_xmin IS NULL AND backend_xid IS NULL
		FROM pg_stat_activity WHERE pid = $pid", "$what: no snapshot and no transaction id");
	wait_until($node, 'app', "SELECT count(*) = 0 FROM pg_locks WHERE pid = $pid AND locktype IN ('relation', 'tuple', 'transactionid')",
		"$what: no lock of a table or row");
	return [ $pid, time, cpu_seconds($pid) ];
}

# From then on it has slept, and not looked at its requests again and again.
sub slept
{
	my ($since, $what) = @_;
	my ($process, $time, $cpu) = @$since;

	wait_for_rounds($process, 3);
	cmp_ok(cpu_seconds($process) - $cpu, '<', 0.3 + (time - $time) / 3, "$what: hardly any processor time");
	return;
}

# One after the other: in one transaction that would be a deadlock now and then.
sub lock_tables
{
	$node->safe_psql('app', join '', map { "BEGIN; LOCK TABLE zcsync.$_; COMMIT;" } qw(sync_queue tasks tickets accounts streams));
}

# ---------------------------------------------------------------------
# The worker
# ---------------------------------------------------------------------

set_up();
wait_until($node, 'app', q{SELECT count(*) = 20 FROM zcsync.tickets}, 'the worker works');
hang_on();

wait_for_hang('worker', 'worker');
my $pid = worker_pid($node, 'app');
my $since = holds_nothing($pid, 'idle', 'worker');
is($node->safe_psql('postgres', "SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE backend_type = 'zcsync launcher'"), 't', 'nor the launcher');
quick('DROP DATABASE of another', sub { $node->safe_psql('postgres', 'DROP DATABASE other') });
quick('a lock of every table', \&lock_tables);
quick('VACUUM FULL', sub { $node->safe_psql('app', 'VACUUM FULL zcsync.sync_queue') });
quick('reload', sub {
	$node->append_conf('postgresql.conf', 'zcsync.poll_interval = 400ms');
	$node->reload;
	$node->safe_psql('app', 'SELECT zcsync.pause_queue(name) FROM zcsync.queues; SELECT zcsync.resume_queue(name) FROM zcsync.queues');
});
is(worker_pid($node, 'app'), $pid, 'none of these ends the worker');
slept($since, 'worker');
is($node->safe_psql('app', sprintf $hanging, 'worker'), 't', 'or what it does');

quick('stop()', sub {
	$node->safe_psql('app', 'SELECT zcsync.stop()');
	wait_for_no_worker($node, 'app');
});
$node->safe_psql('app', 'SELECT zcsync.start()');
wait_for_hang('terminate', 'worker');
quick('pg_terminate_backend()', sub {
	$pid = worker_pid($node, 'app');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'the worker ends');
});
wait_for_hang('revoked', 'worker');
quick('another list of databases', sub {
	$node->append_conf('postgresql.conf', "zcsync.databases = ''");
	$node->reload;
	wait_for_no_worker($node, 'app', 'the worker ends');
});

# ---------------------------------------------------------------------
# CALL zcsync.run()
# ---------------------------------------------------------------------

my $session;

sub call_run
{
	my ($what, $call, %options) = @_;

	$session = $node->background_psql('app', on_error_stop => 0, %options);
	$pid = $session->query('SELECT pg_backend_pid()');
	$session->query_until(qr/going/, "\\echo going\n$call;\n");
	wait_for_hang($what, "run");
}

# The session after its CALL ended.
sub ended
{
	my ($what, $message) = @_;

	is($session->query('SELECT 6 * 7'), 42, "$what: the session can be used");
	like($session->{stderr}, $message, "$what: with this error");
	is($session->query('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', "$what: no transaction is left open");
	is($session->query(q{SELECT current_user = session_user AND current_setting('search_path') = '"$user", public'}), 't', "$what: as the same role, with its path");
	is($session->query('SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = \'object\''), 0, "$what: no lock is left");
	is($session->query('BEGIN; SELECT 1; COMMIT'), 1, "$what: a transaction works");
	# "At once": whoever looks next has them.
	is($session->query('SELECT zcsync._recover_jobs(0) > 0'), 't', "$what: its jobs can be taken back");
	is($session->query(q{SELECT count(*) FROM zcsync.sync_queue WHERE state = 'running'}), 0, "$what: and none is left running");
	$session->{stderr} = '';
}

$node->safe_psql('postgres', 'CREATE DATABASE other');
call_run('run()', q{CALL zcsync.run('10 min')});
$since = holds_nothing($pid, 'active', 'run()');
quick('DROP DATABASE of another while run() hangs', sub { $node->safe_psql('postgres', 'DROP DATABASE other') });
quick('a lock of every table while run() hangs', \&lock_tables);
slept($since, 'run()');
quick('cancelling run()', sub {
	$node->safe_psql('app', "SELECT pg_cancel_backend($pid)");
	ended('cancelled', qr/canceling statement due to user request/);
});
for (1 .. 3)
{
	$session->query_until(qr/again/, "\\echo again\nCALL zcsync.run('10 min', until_idle => false);\n");
	wait_for_hang("in the same session again ($_)", 'run');
	quick('cancelling it', sub {
		$node->safe_psql('app', "SELECT pg_cancel_backend($pid)");
		ended('cancelled again', qr/canceling statement due to user request/);
	});
}
$session->query("SET statement_timeout = '2 s'");
$session->query(q{CALL zcsync.run('10 min')});
ended('statement_timeout', qr/canceling statement due to statement timeout/);
$session->query('RESET statement_timeout');

# Within what is about to be dropped.
call_run('DROP EXTENSION', q{CALL zcsync.run('10 min')});
quick('DROP EXTENSION while run() hangs', sub { $node->safe_psql('app', 'SET client_min_messages = error; DROP EXTENSION zcsync CASCADE') });
quick('run() without the extension', sub {
	is($session->query('SELECT 6 * 7'), 42, 'run() ends by itself');
	like($session->{stderr}, qr/ERROR:  (?:extension "zcsync" was dropped\n|canceling statement due to lock timeout)/, 'and says why');
	unlike($session->{stderr}, qr/does not exist/, 'and nothing else');
});
$session->quit;

# ---------------------------------------------------------------------
# What ends a worker for good
# ---------------------------------------------------------------------

$simulator->no_faults;
set_up();
$node->append_conf('postgresql.conf', "zcsync.databases = '*'");
$node->reload;
wait_until($node, 'app', q{SELECT count(*) = 20 FROM zcsync.tickets}, 'the worker works again');
hang_on();
wait_for_hang('DROP EXTENSION', 'worker');
quick('DROP EXTENSION', sub {
	$node->safe_psql('app', 'SET client_min_messages = error; DROP EXTENSION zcsync CASCADE');
	wait_for_no_worker($node, 'app');
});
$simulator->no_faults;
set_up();
wait_until($node, 'app', q{SELECT count(*) = 20 FROM zcsync.tickets}, 'the worker comes back with the extension');
hang_on();
wait_for_hang('fast shutdown', 'worker');
quick('fast shutdown', sub { $node->stop('fast') });

# What hung is done once: the vendor never applied it, and is asked first.
$simulator->no_faults;
$node->append_conf('postgresql.conf', 'zcsync.clock_offset = 700');
$node->start;
wait_until($node, 'app', "SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'hanging $names'", 'the create that hung is made after a restart');
is(scalar @{ $simulator->get('ledger', operation => 'create')->{writes} }, 1, 'once');

# run() beside a worker and another run(): each job is done by one of them.
$simulator->no_faults;
$simulator->post('faults', { fault => 'delay', vendor => 'clickup', method => $_, delay_ms => 200, count => 0 }) for qw(POST PUT);
my @sessions = map { $node->background_psql('app', on_error_stop => 0) } 1 .. 2;
$node->safe_psql('app', "SELECT zcsync.alter_queue('task-sync', concurrency => 20);
	INSERT INTO zcsync.tasks (account_id, list_id, name) SELECT zcsync.account('dev'), '$bugs', 'shared ' || n FROM generate_series(1, 60) AS n");
for my $session (@sessions)
{
	$session->query_until(qr/going/, "\\echo going\nCALL zcsync.run('5 min', until_idle => false);\n");
}
wait_until($node, 'app', q{SELECT count(*) = 60 FROM zcsync.tasks WHERE name LIKE 'shared %' AND sync_state = 'synced'}, 'a worker and two sessions make tasks');
$node->safe_psql('app', q{UPDATE zcsync.tasks SET priority = 1 WHERE name LIKE 'shared %'});
wait_until($node, 'app', q{SELECT count(*) = 60 FROM zcsync.tasks WHERE name LIKE 'shared %' AND sync_state = 'synced'}, 'and change them');
is($node->safe_psql('app', q{SELECT count(DISTINCT pid) FROM zcsync.claimants WHERE role <> 'local'}), 3, 'they are three');
is(scalar @{ $simulator->get('requests', method => 'PUT', limit => 10000)->{requests} }, 60, 'each change is one request');
is(scalar(grep { ($_->{body} // '') =~ /shared/ } @{ $simulator->get('requests', method => 'POST', limit => 10000)->{requests} }), 60, 'each task is one request');
is(scalar @{ $simulator->get('ledger', operation => 'create', limit => 10000)->{writes} }, 61, 'which was applied once');
$node->safe_psql('app', q{SELECT pg_cancel_backend(pid) FROM zcsync.claimants WHERE role = 'run'});
$_->quit for @sessions;

hang_on();
wait_for_hang('DROP DATABASE', 'worker');
quick('DROP DATABASE WITH (FORCE)', sub { $node->safe_psql('postgres', 'DROP DATABASE app WITH (FORCE)') });
is(log_lines($node, 'PANIC|terminated by signal|exited with exit code [^01]|TRAP'), 0, 'no process crashed');
$node->stop;
done_testing();
