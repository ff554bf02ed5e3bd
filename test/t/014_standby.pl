# A standby: nothing runs; promotion starts the worker, which notices it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $primary = new_node('primary', init => [ allows_streaming => 1 ]);
$primary->start;
setup_zcsync($primary, 'postgres');
wait_for_worker($primary, 'postgres');
$primary->safe_psql('postgres', <<'SQL');
SELECT zcsync.stop();
INSERT INTO zcsync.accounts (account_id, name, vendor, state) VALUES (1, 'dev', 'clickup', 'paused');
INSERT INTO zcsync.streams (account_id, kind, writes, next_pull_at) VALUES (1, 'tasks', true, '2100-01-01');
INSERT INTO zcsync.tasks (account_id, local_id, list_id, name) VALUES (1, 1, '1', 'to be created');
INSERT INTO zcsync.tasks (account_id, local_id, list_id, remote_id, name) VALUES (1, 2, '1', 'x', 'exists');
SELECT zcsync.start();
SQL
wait_for_worker($primary, 'postgres');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'zcsync%'"), '0', 'nothing runs on a standby');
is($standby->safe_psql('postgres', 'SELECT may_run, reason FROM zcsync._worker_guard()'), 'f|the server is a standby', 'which is said');
is($standby->safe_psql('postgres', "SELECT ok FROM zcsync.selfcheck() WHERE item = 'installation'"), 'f', 'selfcheck() works there');
my ($rc, $stdout, $stderr) = $standby->psql('postgres', "CALL zcsync.run('1 s')");
isnt($rc, 0, 'run() is refused');
like($stderr, qr/ERROR: /, 'with an error');

$primary->stop;
$standby->promote;
wait_for_worker($standby, 'postgres', 'promotion starts the worker');
wait_until($standby, 'postgres', "SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover' AND count = 1", 'which raises one alert');
is($standby->safe_psql('postgres', 'SELECT local_id, unclear_since IS NOT NULL, run_at > now() FROM zcsync.sync_queue WHERE operation = \'push\' ORDER BY 1'),
	"1|t|t\n2|f|f", 'what is to be created is looked up first');
is($standby->safe_psql('postgres', 'SELECT next_pull_at <= now() FROM zcsync.streams'), 't', 'streams are read first');
is($standby->safe_psql('postgres', 'SELECT zcsync._may_write()'), 't', 'it goes on by itself');

$standby->restart;
wait_for_worker($standby, 'postgres', 'it starts again');
is($standby->safe_psql('postgres', "SELECT count FROM zcsync.alerts WHERE code = 'failover'"), '1', 'without another alert');

done_testing();
