# A copy of a database sends nothing until it is adopted; then it looks up what
# it would create, so that nothing is created twice.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tasks', 5);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};

# Requests and applied writes since the simulator began.
sub requests { return scalar @{ $simulator->get('requests')->{requests} } }
sub creates { return scalar @{ $simulator->get('ledger', operation => 'create')->{writes} } }

my $node = new_node('main', init => [ allows_streaming => 1 ]);
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE original');
setup_zcsync($node, 'original');
add_simulated_accounts($node, 'original', $simulator);
$node->safe_psql('original', <<SQL);
SELECT zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$bugs"]}', pull_interval => '1 s');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL
wait_until($node, 'original', 'SELECT last_pull_at IS NOT NULL FROM zcsync.streams', 'the original works');

# A task that is to be created, in all three databases.
$node->safe_psql('original', 'SELECT zcsync.stop()');
wait_for_no_worker($node, 'original');
$node->safe_psql('original', "INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'made once')");

$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE original');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my $dump = $node->data_dir . '/../original.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, 'original' ], 'the original is dumped');
my ($rc, $stdout, $stderr) = (0, '', '');
IPC::Run::run([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], '>', \$stdout, '2>', \$stderr) or $rc = 1;
is($rc, 0, 'and restored in one transaction');
is($stderr, '', 'without a notice');

my $before = requests();
for my $copy (qw(copied restored))
{
	$node->safe_psql($copy, 'SELECT zcsync.start()');
	wait_until($node, $copy, worker_sql("w.state = 'idle' AND w.reason LIKE 'this database is a copy %'"), "$copy: nothing runs in it");
	is($node->safe_psql($copy, "SELECT hint FROM zcsync.selfcheck() WHERE item = 'installation'"), 'SELECT zcsync.adopt_database();', "$copy: selfcheck() knows the remedy");
	($rc, $stdout, $stderr) = $node->psql($copy, "CALL zcsync.run('1 s')");
	like($stderr, qr/ERROR:  zcsync cannot work in this database: this database is a copy/, "$copy: run() is refused, too");
	is($node->safe_psql($copy, 'SELECT zcsync._may_write()'), 'f', "$copy: it may not write");
}
is(requests(), $before, 'no request was sent');
is(creates(), 0, 'nothing was created');

# The original goes on.
$node->safe_psql('original', 'SELECT zcsync.start()');
wait_until($node, 'original', "SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'made once'", 'the original creates the task');
is(creates(), 1, 'once');
$node->safe_psql('original', 'SELECT zcsync.stop()');
wait_for_no_worker($node, 'original');

# One of the copies takes its place.
($rc, $stdout, $stderr) = $node->psql('restored', 'SELECT zcsync.adopt_database()');
like($stderr, qr/NOTICE:  zcsync now works from database "restored".*1 waiting creates are looked up/s, 'adopt_database() says what it does');
wait_for_worker($node, 'restored', 'a copy that is adopted works');
is($node->safe_psql('restored', "SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND unclear_since IS NOT NULL AND run_at > now()"), '1', 'its create waits for a look-up');
$node->safe_psql('restored', 'SELECT zcsync.adopt_database()');
$node->append_conf('postgresql.conf', 'zcsync.clock_offset = 90');
$node->reload;
wait_until($node, 'restored', "SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'made once'", 'which finds the task');
is(creates(), 1, 'that the original created');
is($node->safe_psql('copied', 'SELECT may_run FROM zcsync._worker_guard()'), 'f', 'the other copy is still silent');

# A copy of the whole server that is started: the same system identifier, oids and timeline.
$node->backup('base');
$node->stop;
my $clone = PostgreSQL::Test::Cluster->new('clone');
$clone->init_from_backup($node, 'base');
$before = requests();
$clone->start;
wait_until($clone, 'restored', worker_sql("w.state = 'idle' AND w.reason LIKE 'this server runs from a copy %'"), 'a copy of the server: nothing runs in it');
is($clone->safe_psql('restored', 'SELECT zcsync._may_write()'), 'f', 'it may not write');
is(requests(), $before, 'and sent nothing');
$clone->safe_psql('restored', 'SELECT zcsync.adopt_database()');
wait_for_worker($clone, 'restored', 'until it is adopted');
$clone->restart;
wait_for_worker($clone, 'restored', 'for good');

done_testing();
