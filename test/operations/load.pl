# A short form of the load tests (make load), so that their scripts and all that
# they call go on to work: each script makes requests, none of which fails, and
# one that fails is told.  How long anything takes is of no interest here.

use strict;
use warnings;
use File::Basename qw(basename dirname);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $load = dirname(__FILE__) . '/../bench/load';
my $node = new_node('main', conf => "max_connections = 100\nzcsync.key_file = 'zcsync.key'");
$node->start;
setup_zcsync($node);
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-v', 'tickets=3000', '-v', 'leads=1000', '-f', "$load/setup.sql", 'postgres' ],
	'the data of the load tests is made');
is($node->safe_psql('postgres', 'SELECT count(*) FROM load_cursors'), '1000', 'there is a cursor for each page that is asked for');

# Run some forms, or all: whether the program is content, and what it says.
sub drive
{
	my (@forms) = @_;
	my ($out, $err) = ('', '');

	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres');
	my $content = IPC::Run::run([ $^X, "$load/drive", '--requests', 6, '--clients', 4, @forms ], '<', \undef, '>', \$out, '2>', \$err,
		IPC::Run::timeout(4 * $PostgreSQL::Test::Utils::timeout_default));
	is($err, '', join ' ', 'drive', @forms, 'says nothing to standard error');
	return ($content, $out);
}

my ($content, $out) = drive();
ok($content, 'all load tests ran, and no goal of failures was missed') || diag($out);
for my $script (map { basename($_, '.pgbench') } glob "$load/*.pgbench")
{
	like($out, qr/^    $script +[1-9]\d* requests .* 0 failed$/m, "$script.pgbench was run, and nothing failed");
}
for my $form (split /^(?=\S)/m, $out)
{
	my ($name) = $form =~ /^(\S+):/;
	like($form, qr/^    (?:met|MISSED): p95 under \d+ ms$/m, "$name: there is a verdict on the time");
	like($form, qr/^    met: (?:none|fewer than [\d.]+ %) failed$/m, "$name: and one on failures");
}

# What a reader may not do fails, and is said.
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION zcsync.tickets_page FROM reader');
($content, $out) = drive('pool');
ok(!$content, 'requests that fail miss the goal');
like($out, qr/^    the first error: .*permission denied for function tickets_page/m, 'the error is shown');
like($out, qr/^    MISSED: none failed$/m, 'and the goal');

done_testing();
