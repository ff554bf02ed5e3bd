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
  add_simulated_accounts wait_until wait_for_worker wait_for_no_worker
  worker_pid local_pid slot worker_sql run_worker log_lines);

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

# Like poll_query_until(), which asks ten times a second: the psql that each
# question starts takes more of a small machine than what is waited for.
sub becomes_true
{
	my ($node, $database, $query) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $pause = 0.1;
	my ($rc, $stdout, $stderr);

	while (1)
	{
		($rc, $stdout, $stderr) = $node->psql($database, $query);
		return 1 if $rc == 0 && $stdout eq 't' && $stderr eq '';
		last if time > $deadline;
		sleep($pause);
		$pause *= 1.3 if $pause < 0.6;
	}
	diag("timed out: $query\nlast answer: $stdout\n$stderr");
	return 0;
}

# What a failed wait leaves to find out: jobs, accounts, slots.
sub show_state
{
	my ($node, $database) = @_;

	for my $query (
		'SELECT job_id, operation, state, run_at - zcsync._now() AS due, attempts, failures, claimed_by, last_class, last_error FROM zcsync.sync_queue',
		'SELECT name, state, state_reason, breaker_failures, breaker_until - zcsync._now() AS breaker, last_error FROM zcsync.accounts',
		'SELECT * FROM zcsync._worker_slots()')
	{
		my ($rc, $stdout, $stderr) = $node->psql($database, $query, extra_params => ['-P', 'format=aligned', '-P', 'tuples_only=off']);
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

# How many lines of a server's log match, from an offset on.
sub log_lines
{
	my ($node, $pattern, $offset) = @_;
	my $log = substr(slurp_file($node->logfile), $offset // 0);

	return scalar grep { /$pattern/ } split /\n/, $log;
}

1;
