# A server that does not preload zcsync: SQL works, nothing runs by itself.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main', preload => 0, conf => "shared_preload_libraries = 'auto_explain'\nzcsync.workers_max = 7");
$node->start;

my $stderr;
$node->psql('postgres', 'CREATE EXTENSION zcsync; SELECT zcsync.setup(); SELECT zcsync._now();', stderr => \$stderr);
unlike($stderr, qr/WARNING|ERROR/, 'the extension is created without a warning');
is($node->safe_psql('postgres', 'SELECT zcsync._preloaded()'), 'f', 'it is not preloaded');
is($node->safe_psql('postgres', "SELECT ok, message FROM zcsync.selfcheck() WHERE item = 'preload'"),
	'f|zcsync is not preloaded: nothing runs in the background, only CALL zcsync.run() works', 'selfcheck() says so');

my $remedy = $node->safe_psql('postgres', "SELECT hint FROM zcsync.selfcheck() WHERE item = 'preload'");
like($remedy, qr/^ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'zcsync';/, 'and what to do, with what is preloaded already');
is($node->safe_psql('postgres', 'SELECT count(*) FROM zcsync._worker_slots()'), '0', 'there are no slots');
is($node->safe_psql('postgres', 'SELECT zcsync.stop(); SELECT zcsync.start(); SELECT zcsync._wake()'), "\n\n", 'signals go nowhere');
is($node->safe_psql('postgres', 'BEGIN; SET LOCAL zcsync.page_max = 5; COMMIT; SELECT count(*) FROM zcsync.tickets_page()'), '0',
	'pages after a setting that the session knew for one transaction');
is($node->safe_psql('postgres', q{SELECT zcsync.add_account('crm', 'local') > 0}), 't', 'an account for leads');
is($node->safe_psql('postgres', q{BEGIN; SET LOCAL zcsync.lead_batch_max = 5; COMMIT;
	SELECT result FROM zcsync.sync_leads('manual', '[{"last_name": "One", "email": "one@acme.example"}]')}), 'created', 'leads likewise');
run_worker($node, 'postgres', '5 s');
pass('CALL zcsync.run() works');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'zcsync%'"), '0', 'nothing runs');

# the remedy is what one needs
$node->safe_psql('postgres', $remedy);
$node->restart;
wait_for_worker($node, 'postgres', 'after the remedy and a restart a worker runs');
is($node->safe_psql('postgres', "SHOW zcsync.workers_max"), '7', 'the setting that needs preloading is used');

done_testing();
