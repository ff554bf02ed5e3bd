package ZcsyncTest;

# What the TAP tests share: servers with zcsync, and the simulated vendors.
#
#	my $node = new_node('main');
#	$node->start;
#	setup_zcsync($node, 'postgres');
#	my $simulator = start_simulator('--tickets', 50);
#	wait_for_worker($node, 'postgres');
#
# A server finds zcsync in ZCSYNC_DEST, the directory of an installation with
# DESTDIR; without it, where the server was installed.

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/../simulator/lib';
use Simulator::Process;

our @EXPORT = qw(new_node start_with_config zcsync_conf setup_zcsync start_simulator
  add_simulated_accounts wait_until wait_for wait_for_worker wait_for_no_worker
  nothing_due kill_process worker_pid local_pid slot worker_sql run_worker run_worker_in_session log_lines wait_for_rounds cpu_seconds);

# With ZCSYNC_TEST_TIMES=1 a test tells what it waits for: each assertion that
# came more than a second after the one before it.
if ($ENV{ZCSYNC_TEST_TIMES})
{
	my $ok = \&Test::Builder::ok;
	my $last = time;

	no warnings 'redefine';
	*Test::Builder::ok = sub
	{
		my ($builder, $test, $name) = @_;
		my $seconds = time - $last;

		$builder->diag(sprintf '%.1f s: %s', $seconds, $name // '') if $seconds > 1;
		$last = time;
		goto &$ok;
	};
}

# A server that is initialised and not started.  Options:
#	preload => 0		zcsync is not preloaded
#	cron => 1			pg_cron is preloaded, too
#	conf => '...'		more lines of postgresql.conf
#	init => [...]		more arguments of init()
sub new_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ], @{ $options{init} // [] });
	$node->append_conf('postgresql.conf', zcsync_conf(%options));
	return $node;
}

# Start a server whose configuration file is in a directory of its own, to which
# it is copied, and not in the data directory.
sub start_with_config
{
	my ($node, $directory) = @_;
	my $conf = "$directory/postgresql.conf";

	append_to_file($conf, slurp_file($node->data_dir . '/postgresql.conf'));
	local %ENV = $node->_get_env(PGAPPNAME => undef);
	system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile,
		'-o', '--cluster-name=' . $node->name . " -c config_file=$conf", 'start');
	$node->_update_pid(1);
	return;
}

# The lines of postgresql.conf that new_node() writes.
sub zcsync_conf
{
	my (%options) = @_;
	my @preload = grep { $_ } ($options{cron} && 'pg_cron', ($options{preload} // 1) && 'zcsync');
	my $conf = "log_line_prefix = '%m [%p] %b %d '\nmax_worker_processes = 12\n";

	if (my $dest = $ENV{ZCSYNC_DEST})
	{
		my $destdir_conf = dirname(__FILE__) . '/../destdir-conf';
		my $lines = `$destdir_conf '$dest'`;
		die "$destdir_conf failed\n" if $? != 0;
		$conf .= $lines;
	}
	$conf .= "shared_preload_libraries = '" . join(',', @preload) . "'\n" if @preload;
	$conf .= "cron.use_background_workers = on\n" if $options{cron};
	$conf .= "zcsync.allow_insecure_http = on\nzcsync.allowed_hosts = '127.0.0.1'\n";
	$conf .= "zcsync.discover_interval = 1s\nzcsync.poll_interval = 500ms\n";
	return $conf . ($options{conf} // '') . "\n";
}

# The extension and its tables in a database.
sub setup_zcsync
{
	my ($node, $database) = @_;

	return $node->safe_psql($database // 'postgres', 'CREATE EXTENSION zcsync; SELECT * FROM zcsync.setup();');
}

# The simulated vendors, see test/simulator/README.md; they end with the test.
sub start_simulator
{
	my (@options) = @_;

	return Simulator::Process->start(@options);
}

# Accounts "acme" (Zendesk) and "dev" (ClickUp) at the simulator.
sub add_simulated_accounts
{
	my ($node, $database, $simulator) = @_;

	$node->safe_psql($database, sprintf(<<'SQL', $simulator->zendesk, $simulator->clickup));
SET log_statement = none;
SELECT zcsync.add_account('acme', 'zendesk',
	settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise"}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_account('dev', 'clickup',
	settings => '{"workspace_id": "9001001", "base_url": "%s", "plan": "business"}',
	credentials => '{"token": "pk_183_DEV"}');
SQL
}

# Pass when the query returns true within the time-out.
sub wait_until
{
	my ($node, $database, $query, $what) = @_;

	return 1 if ok(becomes_true($node, $database, $query), $what // $query);
	show_state($node, $database);
	return 0;
}

# The same for a function.
sub wait_for
{
	my ($true, $what) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $is_true;    # in scalar context: how many a grep finds

	while (!($is_true = $true->()) && time < $deadline)
	{
		sleep 0.1;
	}
	return ok($is_true, $what);
}

# Like poll_query_until(), which starts a psql and a server process ten times a
# second: that takes more of a small machine than what is waited for.  What is not so
# at once is asked for in one session, which is cheap and can be done more often.
sub becomes_true
{
	my ($node, $database, $query) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $pause = 0.05;
	my $session;
	my ($rc, $stdout, $stderr) = $node->psql($database, $query);

	while ($rc != 0 || $stdout ne 't' || $stderr ne '')
	{
		last if time > $deadline;
		sleep($pause);
		$pause *= 1.3 if $pause < 0.3;
		$session //= eval { $node->background_psql($database, on_error_stop => 0) };
		($rc, $stdout, $stderr) = defined $session ? ask_session($session, $query) : $node->psql($database, $query);
		undef $session if $rc != 0;
	}
	eval { $session->quit } if defined $session;
	return 1 if $rc == 0 && $stdout eq 't' && $stderr eq '';
	diag("timed out: $query\nlast answer: $stdout\n$stderr");
	return 0;
}

# What psql() returns, from a session that goes on; the exit status is not 0 if
# the session has ended, as when the server does.
sub ask_session
{
	my ($session, $query) = @_;
	my $stdout = eval { $session->query($query) };
	my $error = $@;

	if (!defined $stdout)
	{
		eval { $session->{run}->kill_kill };
		return (2, '', $error);
	}
	my $stderr = $session->{stderr};
	$session->{stderr} = '';
	return (0, $stdout, $stderr);
}

# Wait until no job of some kind is due or runs: those that are left are held, or wait
# for their time.  The kind is a condition on a row q of zcsync.sync_queue.  With a
# second condition, also until that is true.
sub nothing_due
{
	my ($node, $database, $kind, $or) = @_;

	return if becomes_true($node, $database, sprintf <<'SQL', $or // 'false', $kind);
SELECT %s OR NOT EXISTS (
	SELECT FROM zcsync.sync_queue AS q JOIN zcsync.accounts AS a USING (account_id)
	WHERE (%s) AND q.state <> 'held' AND (q.state = 'running' OR greatest(q.run_at, a.breaker_until) <= zcsync._now()))
SQL
	show_state($node, $database);
	die 'jobs are due and do not end';
}

# kill -9 of a process of the server, which ends all its others then, and wait until
# it has new ones.
sub kill_process
{
	my ($node, $pid) = @_;
	my $checkpointer = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});

	kill('KILL', $pid) or die "no process $pid: $!";
	becomes_true($node, 'postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'checkpointer' AND pid <> $checkpointer)")
	  or die 'the server does not come back';
	return;
}

# What a failed wait leaves to find out: jobs, accounts, slots.
sub show_state
{
	my ($node, $database) = @_;

	for my $query (
		'SELECT job_id, operation, state, run_at - zcsync._now() AS due, attempts, failures, claimed_by, last_class, last_error FROM zcsync.sync_queue
			ORDER BY state <> \'running\', run_at LIMIT 50',
		'SELECT name, state, state_reason, breaker_failures, breaker_until - zcsync._now() AS breaker, last_error FROM zcsync.accounts',
		'SELECT * FROM zcsync._worker_slots()')
	{
		# what is waited for may be a lock that these need, too
		my ($rc, $stdout, $stderr) = $node->psql($database, "SET statement_timeout = '10s'; $query", extra_params => ['-P', 'format=aligned', '-P', 'tuples_only=off']);
		diag($query, "\n", $rc == 0 ? $stdout : $stderr);
	}
}

# A condition on the row of this database's worker in zcsync._worker_slots(),
# as SQL.
sub worker_sql
{
	my ($condition) = @_;

	return "SELECT EXISTS (SELECT FROM zcsync._worker_slots() w
		WHERE w.role = 'worker' AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND $condition)";
}

sub wait_for_worker
{
	my ($node, $database, $what) = @_;

	return wait_until($node, $database, worker_sql("w.state = 'running'"), $what // "a worker runs in $database");
}

sub wait_for_no_worker
{
	my ($node, $database, $what) = @_;

	# asked from another database, if it must
	return wait_until($node, 'postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type IN ('zcsync worker', 'zcsync local worker') AND datname = '$database')",
		$what // "no worker runs in $database");
}

# The process id of a database's worker; '' if there is none.
sub worker_pid
{
	my ($node, $database, $type) = @_;

	$type //= 'zcsync worker';
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' AND datname = '$database'");
}

# The same for its local worker.
sub local_pid
{
	my ($node, $database) = @_;

	return worker_pid($node, $database, 'zcsync local worker');
}

# "state: reason" of a database's slot, asked in that database.
sub slot
{
	my ($node, $database) = @_;

	return $node->safe_psql($database, "SELECT concat_ws(': ', state, reason) FROM zcsync._worker_slots()
		WHERE role = 'worker' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
}

# Do the work of the worker in a session, for at most so long.
sub run_worker
{
	my ($node, $database, $time) = @_;

	return $node->safe_psql($database, sprintf("CALL zcsync.run('%s')", $time // '30 s'));
}

# Wait until a process has gone to sleep so many times more: a worker does once a
# round, when there is nothing left to do in it.
sub wait_for_rounds
{
	my ($pid, $rounds) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $until = sleeps($pid) + $rounds;

	while (sleeps($pid) < $until)
	{
		die "process $pid has not gone to sleep $rounds times" if time > $deadline;
		sleep 0.05;
	}
	return;
}

# How often a process has gone to sleep so far.
sub sleeps
{
	my ($pid) = @_;

	return (slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m)[0];
}

# Seconds of processor time that a process has used.
sub cpu_seconds
{
	my ($pid) = @_;
	my @stat = split / /, slurp_file("/proc/$pid/stat") =~ s/^.*\) //r;

	return ($stat[11] + $stat[12]) / 100;
}

# The same in a session that goes on from call to call, one for each database: a
# new process has to read the catalog and to plan all its SQL, which takes more
# than most of what it finds to do.
my %session;

sub run_worker_in_session
{
	my ($node, $database, $time) = @_;
	my $key = $node->name . " $database";

	# the server may have been restarted since the last call
	for (1 .. 2)
	{
		if (!$session{$key})
		{
			$session{$key} = $node->background_psql($database, on_error_stop => 0);
			$session{$key}->set_query_timer_restart;
		}
		my ($rc, $stdout, $stderr) = ask_session($session{$key}, sprintf("CALL zcsync.run('%s')", $time // '30 s'));
		die "run(): $stderr" if $rc == 0 && $stderr =~ /^(?:psql:\S+ )?(?:ERROR|FATAL|PANIC):/m;
		return $stdout if $rc == 0;
		delete $session{$key};
	}
	die "no session for run() in $database";
}

# How many lines of a server's log match, from an offset on.
sub log_lines
{
	my ($node, $pattern, $offset) = @_;
	my $log = substr(slurp_file($node->logfile), $offset // 0);

	return scalar grep { /$pattern/ } split /\n/, $log;
}

1;
