# Reading HaloPSA: history and changes, lean lists and single records, people,
# companies, comments and catalogues, against the simulator.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 130, '--halopsa-leads', 20, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub run_once { return run_worker($node, 'postgres', '60 s'); }

value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa',
	'{"base_url": "%s", "tenant": "acme", "budgets": {"api": {"calls": 100000, "window_s": 1}, "token": {"calls": 1000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{UPDATE zcsync.queues SET concurrency = 10});
print value(q{SELECT * FROM zcsync.add_stream('psa', 'tickets', since => '2020-01-01', pull_interval => '1 second')}), "\n";
value(qq{SELECT count(*) FROM zcsync.add_stream('psa', '$_', since => '2020-01-01', pull_interval => '1 second')}) for qw(leads contacts companies comments);
value(qq{SELECT count(*) FROM zcsync.add_stream('psa', '$_')}) for qw(fields statuses);
run_once();
for (qw(tickets leads contacts companies comments fields statuses)) {
	print "$_: ", value("SELECT count(*) FROM zcsync.$_"), ' ', value("SELECT to_jsonb(t) - 'remote' - 'base' FROM zcsync.$_ t ORDER BY remote_id DESC LIMIT 1"), "\n";
}
print value('SELECT name, options FROM zcsync.fields'), "\n";
print value('SELECT a.kind, a.live_cursor, a.history_cursor, history_state, records_done, last_error FROM zcsync.streams a'), "\n";
print value('SELECT operation, kind, state, last_class, last_error, count(*) FROM zcsync.sync_queue GROUP BY 1,2,3,4,5'), "\n";
print value('SELECT operation, kind, class, message FROM zcsync.dead_letters LIMIT 10'), "\n";
print value('SELECT code, object, message FROM zcsync.alerts LIMIT 10'), "\n";
print scalar(@{$simulator->get('requests', vendor => 'halopsa', limit => 100000)->{requests}}), " requests\n";
ok(1);
$node->stop;
done_testing();
