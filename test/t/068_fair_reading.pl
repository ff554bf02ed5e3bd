# Streams that are to be read more often than the vendor allows calls: their
# changes still come, and so does their history.

use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 100, '--zendesk-plan', 'none');
$simulator->post('holdback', { seconds => -1 });
my $node = new_node('main', conf => 'log_statement = none');
$node->start;
setup_zcsync($node, 'postgres');

# 30 exports a minute are allowed, and 240 asked for.
$node->safe_psql('postgres', sprintf(<<'SQL', $simulator->zendesk));
SELECT zcsync.add_account('acme', 'zendesk',
	settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise", "budgets": {"export": {"calls": 30, "concurrency": 1}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
UPDATE zcsync.account_budgets SET tokens = 0 WHERE class = 'export';
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 second');
SELECT zcsync.add_stream('acme', 'contacts', since => '2000-01-01', pull_interval => '1 second');
SQL
wait_until($node, 'postgres', q{SELECT count(*) FILTER (WHERE history_state = 'done') = 2 FROM zcsync.streams}, 'the history of both is read');
is($node->safe_psql('postgres', 'SELECT count(*) FROM zcsync.tickets'), 100, 'all of it');
is($node->safe_psql('postgres', 'SELECT bool_and(last_pull_at IS NOT NULL) FROM zcsync.streams'), 't', 'and changes were read before');
$simulator->post('edit', { account => 'acme', id => 7, fields => { subject => 'changed' } });
wait_until($node, 'postgres', q{SELECT subject = 'changed' FROM zcsync.tickets WHERE remote_id = '7'}, 'changes go on being read');

$node->stop;
done_testing();
