# The launcher: which databases get a worker, and when a worker ends.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ZcsyncTest;

# The interval is long: what happens at once, happens by signal.
my $node = new_node('main', conf => 'zcsync.discover_interval = 1h');
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(a b c);

# Without the role nothing is started, and that is said once.
$node->wait_for_log(qr/zcsync starts no workers: role "zcsync_worker" does not exist/);
$node->safe_psql('a', 'CREATE EXTENSION zcsync');
is($node->safe_psql('a', 'SELECT reason FROM zcsync._worker_slots() WHERE database IS NULL'),
	'role "zcsync_worker" does not exist', 'the reason is shown');
is(log_lines($node, 'zcsync starts no workers'), 1, 'and logged once');

# setup() is noticed at its commit.
my ($stdout, $stderr);
$node->safe_psql('a', 'BEGIN; SELECT zcsync.setup(); ROLLBACK');
is(slot($node, 'a'), '', 'setup() that is rolled back starts nothing');
$node->safe_psql('a', 'SELECT zcsync.setup()');
wait_for_worker($node, 'a');
is($node->safe_psql('postgres', "SELECT usename FROM pg_stat_activity WHERE backend_type = 'zcsync worker' AND datname = 'a'"),
	'zcsync_worker', 'it runs as the role zcsync_worker');
is($node->safe_psql('a', "SELECT string_agg(item, ',') FROM zcsync.selfcheck() WHERE NOT ok"), 'key place', 'selfcheck() finds nothing but where the key file will be');
$node->psql('b', 'CREATE EXTENSION zcsync', stderr => \$stderr);
like($stderr, qr/NOTICE:  zcsync is installed, but has no tables yet\nHINT:.*zcsync\.setup\(\)/, 'CREATE EXTENSION says what to do next');
wait_until($node, 'b', worker_sql("w.state = 'idle' AND w.reason = 'zcsync.setup() has not been run'"), 'no worker stays before setup()');
$node->safe_psql('b', 'SELECT zcsync.setup()');
wait_for_worker($node, 'b');
is(worker_pid($node, 'c'), '', 'no worker stays where there is no extension');
is(log_lines($node, qr/FATAL|PANIC/), 0, 'looking at databases leaves no errors in the log');

# What the server tells of us: wait events have names of their own from
# PostgreSQL 17 on, a library tells its version from 18 on.
for ([ 'launcher', 'ZcsyncLauncherMain' ], [ 'worker', 'ZcsyncMain' ])
{
	my ($type, $event) = @$_;

	$event = 'Extension' if $node->pg_version < 17;
	wait_until($node, 'postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'zcsync $type' AND wait_event = '$event'",
		"a $type waits as $event");
}
is($node->safe_psql('a', "SELECT count(*) FROM pg_extension e JOIN pg_get_loaded_modules() m ON m.module_name = e.extname AND m.version = e.extversion"),
	'1', 'the library has the version of the extension') if $node->pg_version >= 18;

# Nothing of ours holds on to other databases.
my $before = time;
$node->safe_psql('postgres', 'DROP DATABASE c');
cmp_ok(time - $before, '<', 20, 'DROP DATABASE of a database without zcsync does not wait');

# stop() and start() persist.
$before = time;
$node->safe_psql('a', 'SELECT zcsync.stop()');
wait_for_no_worker($node, 'a');
cmp_ok(time - $before, '<', 20, 'stop() ends the worker soon');
wait_until($node, 'a', worker_sql("w.state = 'idle' AND w.reason = 'zcsync.stop() was called'"), 'stop() is shown');
$node->restart;
wait_for_worker($node, 'b', 'workers start with the server');
wait_until($node, 'a', worker_sql("w.state = 'idle' AND w.reason = 'zcsync.stop() was called'"), 'stop() outlives a restart');
is(worker_pid($node, 'a'), '', 'and no worker runs');
$node->safe_psql('a', 'SELECT zcsync.start()');
wait_for_worker($node, 'a', 'start() starts the worker');

# A worker that is terminated comes back, and a crash is survived.
my $pid = worker_pid($node, 'a');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_until($node, 'a', worker_sql("w.state = 'running' AND w.pid <> $pid"), 'a worker that was terminated is replaced');
$pid = worker_pid($node, 'a');
my $launcher = $node->safe_psql('a', 'SELECT pid FROM zcsync._worker_slots() WHERE database IS NULL');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
$node->safe_psql('a', 'SELECT zcsync.stop()');
wait_until($node, 'a', "SELECT EXISTS (SELECT FROM zcsync._worker_slots() WHERE database IS NULL AND pid <> $launcher)", 'the launcher is replaced');
wait_for_no_worker($node, 'a', 'stop() works without a launcher');
$node->safe_psql('a', 'SELECT zcsync.start()');
wait_for_worker($node, 'a', 'the new launcher takes over');
wait_for_worker($node, 'b', 'and leaves the other worker alone');

# DROP EXTENSION ends the worker; CREATE EXTENSION and setup() bring it back.
$node->safe_psql('b', 'DROP EXTENSION zcsync CASCADE');
wait_for_no_worker($node, 'b', 'DROP EXTENSION ends the worker');
setup_zcsync($node, 'b');
wait_for_worker($node, 'b', 'it comes back with the extension');

# What goes wrong in one database is not shown in another one.
my $error_of_b = q{SELECT w.last_error IS NOT NULL AND w.last_error_at IS NOT NULL FROM zcsync._worker_slots() AS w JOIN pg_database AS d ON d.oid = w.database AND d.datname = 'b' AND w.role = 'worker'};
$node->safe_psql('b', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zcsync worker' AND datname = 'b'});
wait_until($node, 'b', $error_of_b, 'an error of a worker is shown in its database');
is($node->safe_psql('a', $error_of_b), 'f', 'and not in another one');

# A database that is in use: FORCE, or stop() first.
$node->safe_psql('postgres', 'CREATE DATABASE d');
setup_zcsync($node, 'd');
wait_for_worker($node, 'd');
my ($rc) = $node->psql('postgres', 'DROP DATABASE d');
isnt($rc, 0, 'DROP DATABASE of a database with a worker is refused');
$before = time;
$node->safe_psql('postgres', 'DROP DATABASE d WITH (FORCE)');
cmp_ok(time - $before, '<', 20, 'WITH (FORCE) does not wait');
$node->safe_psql('b', 'SELECT zcsync.stop()');
$before = time;
$node->safe_psql('postgres', 'DROP DATABASE b');
cmp_ok(time - $before, '<', 20, 'after stop() DROP DATABASE does not wait');

# Settings that a reload changes.
$node->append_conf('postgresql.conf', "zcsync.databases = 'other'");
$node->reload;
wait_for_no_worker($node, 'a', 'a database that is no longer listed loses its worker');
wait_until($node, 'a', 'SELECT count(*) = 1 FROM zcsync._worker_slots()', 'and its slot');
$node->append_conf('postgresql.conf', "zcsync.databases = 'other, a'");
$node->reload;
wait_for_worker($node, 'a', 'a database that is listed gets one');
$node->safe_psql('postgres', 'CREATE ROLE regress_worker LOGIN');
$node->append_conf('postgresql.conf', "zcsync.role = 'regress_worker'");
$node->reload;
wait_until($node, 'a', worker_sql("w.state = 'idle' AND w.reason = 'zcsync.setup() has not been run'"), 'another role needs grants');
$node->safe_psql('a', 'SELECT zcsync.setup()');
wait_for_worker($node, 'a');
is($node->safe_psql('postgres', "SELECT usename FROM pg_stat_activity WHERE backend_type = 'zcsync worker'"),
	'regress_worker', 'setup() grants them');
$node->safe_psql('postgres', 'ALTER ROLE regress_worker SUPERUSER');
$node->reload;
wait_until($node, 'a', "SELECT reason = 'role \"regress_worker\" is a superuser' FROM zcsync._worker_slots() WHERE database IS NULL", 'a superuser is refused');
$pid = worker_pid($node, 'a');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") if $pid ne '';
wait_for_no_worker($node, 'a', 'no worker runs as a superuser');

# Fast shutdown.
$node->safe_psql('postgres', 'ALTER ROLE regress_worker NOSUPERUSER');
$node->reload;
wait_for_worker($node, 'a');
$before = time;
$node->stop('fast');
cmp_ok(time - $before, '<', 20, 'fast shutdown is fast');
is(log_lines($node, 'PANIC|terminated by signal'), 0, 'no process crashed');

done_testing();
