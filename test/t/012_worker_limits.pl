# Too few background workers, or too few for zcsync: said once, shown, and
# mended without help when one becomes free.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

# The launchers of zcsync and of logical replication take two.
my $node = new_node('main', conf => "max_worker_processes = 3\nmax_parallel_workers = 0");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(a b);

setup_zcsync($node, 'a');
wait_for_worker($node, 'a');
setup_zcsync($node, 'b');
wait_until($node, 'b', worker_sql("w.state = 'waiting' AND w.reason = 'no background worker slot is free'"), 'the other database waits');
is($node->safe_psql('b', "SELECT hint FROM zcsync.selfcheck() WHERE item = 'worker'"),
	'ALTER SYSTEM SET max_worker_processes = 12; -- then restart the server', 'selfcheck() knows the remedy');
$node->safe_psql('b', 'SELECT zcsync._wake_launcher()') for 1 .. 3;
wait_until($node, 'b', worker_sql("w.state = 'waiting'"), 'it still waits');
is(log_lines($node, 'zcsync cannot start a worker'), 1, 'that is logged once');
$node->safe_psql('a', 'SELECT zcsync.stop()');
wait_for_worker($node, 'b', 'it has its worker as soon as one is free');

# zcsync.workers_max
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nzcsync.workers_max = 1");
$node->safe_psql('a', 'SELECT zcsync.start()');
$node->safe_psql('b', 'SELECT zcsync.stop()');
$node->restart;
wait_for_worker($node, 'a');
$node->safe_psql('b', 'SELECT zcsync.start()');
wait_until($node, 'b', worker_sql("w.state = 'waiting' AND w.reason = 'all database workers of zcsync are in use'"), 'all workers are in use');
is($node->safe_psql('b', "SELECT hint FROM zcsync.selfcheck() WHERE item = 'worker'"),
	'ALTER SYSTEM SET zcsync.workers_max = 2; -- then restart the server', 'selfcheck() knows the remedy');
is(log_lines($node, 'zcsync has no worker for database "b"'), 1, 'that is logged once');
$node->safe_psql('postgres', 'CREATE DATABASE c');
setup_zcsync($node, 'c');
wait_until($node, 'c', worker_sql("w.state = 'waiting'"), 'a database that comes later is seen, too');
$node->safe_psql('a', 'SELECT zcsync.stop()');
wait_for_worker($node, 'b', 'one of those that wait has the worker that is free');
is(log_lines($node, 'PANIC|does not exist$'), 1, 'without errors in the log but that there was no role at first');

done_testing();
