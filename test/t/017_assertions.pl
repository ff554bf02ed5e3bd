# Builds for tests have assertions, whatever the server was built with, and a
# violated one ends the server: no test passes over it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main', conf => "restart_after_crash = off\nzcsync.databases = ''");
$node->start;
$node->safe_psql('postgres', "CREATE FUNCTION test_idle() RETURNS void LANGUAGE c AS 'zcsync', 'zcsync_test_idle'");

# a session is in a transaction, which a worker must never be when it waits
my ($status) = $node->psql('postgres', 'SELECT test_idle()', stderr => \my $stderr);
isnt($status, 0, 'a process that would wait in a transaction ends');
like($stderr, qr/server closed the connection unexpectedly/, 'with its whole server');
ok(log_lines($node, qr/TRAP: .*IsTransactionState\(\)/), 'and the log says which assertion it was');
$node->stop('immediate', fail_ok => 1);

done_testing();
