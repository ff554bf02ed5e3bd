# The budget of a HaloPSA account is one of calls, not of rows: a call that
# carries a hundred rows spends one.

use strict;
use warnings;

use Mojo::JSON qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 300, '--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.bulk_write_limit = 100000\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub requests { return @{ $simulator->get('requests', vendor => 'halopsa', limit => 1000000)->{requests} }; }
sub api { return grep { $_->{path} =~ m{/api/} } requests(); }
sub posts { return grep { $_->{method} eq 'POST' } api(); }
sub elements { my $n = 0; $n += @{ decode_json($_->{body}) } for @_; return $n; }
sub synced { return value(q{SELECT count(*) FROM zcsync.leads WHERE sync_state = 'synced' AND remote_id IS NOT NULL}); }
sub insert { return value(sprintf q{INSERT INTO zcsync.leads (account_id, summary, last_name, type_id) SELECT zcsync.account('halo'), 'Lead ' || i, 'L' || i, '40' FROM generate_series(1, %d) i}, $_[0]); }
# Move the time of zcsync and of the vendor on.
my $offset = 0;
sub advance
{
	$offset += $_[0];
	$simulator->post('clock', { offset_seconds => $offset });
	value("ALTER SYSTEM SET zcsync.clock_offset = $offset");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('zcsync.clock_offset') = '$offset'") or die 'the clock does not move';
}
# The most calls that wrote in any five minutes, by the vendor's clock.
sub most
{
	my ($from) = @_;
	my %time = map { $_->{request} => $_->{time} } reverse @{ $simulator->get('ledger', vendor => 'halopsa', limit => 1000000)->{writes} };
	my @times = (sort { $a <=> $b } values %time)[ $from .. keys(%time) - 1 ];
	my ($most, $first) = (0, 0);

	for my $last (0 .. $#times)
	{
		$first++ while $times[$last] - $times[$first] >= 300;
		$most = $last - $first + 1 if $last - $first + 1 > $most;
	}
	return $most;
}

value(sprintf q{SELECT zcsync.add_account('halo', 'halopsa', settings => '{"base_url": "%s"}', credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
is(value(q{SELECT calls, window_s FROM zcsync.account_budgets WHERE class = 'api'}), '250|300', 'by default 250 calls in five minutes');
# only what is written counts here
value(q{SELECT zcsync.add_stream('halo', 'leads', pull_interval => '1 day');
	SELECT zcsync.alter_stream('halo/leads', writes => true)});
run_worker_in_session($node, 'postgres', '20 s');

# More rows than the budget has calls, at once.
my $before = value(q{SELECT calls_total FROM zcsync.account_budgets WHERE class = 'api'});
insert(1000);
run_worker_in_session($node, 'postgres', '60 s');
is(synced(), 1000, '1,000 rows are through');
is(elements(posts()), 1000, 'each was sent once');
cmp_ok(scalar(posts()), '<=', 12, 'in at most 12 calls: ' . posts());
is(value(q{SELECT calls_total FROM zcsync.account_budgets WHERE class = 'api'}) - $before, scalar(posts()), 'which are what was spent');
value(q{UPDATE zcsync.leads SET phone = '1'});
run_worker_in_session($node, 'postgres', '60 s');
is(synced(), 1000, 'and 1,000 changes');
is(scalar(grep { $_->{status} == 429 } api()), 0, 'nothing was refused for its number');
cmp_ok(most(0), '<=', 250, 'no five minutes had more than 250 calls');

# A small budget: calls that are left are not exceeded, however many rows wait.
value(q{SELECT zcsync.alter_account('halo', settings => (SELECT settings || '{"budgets": {"api": {"calls": 20}}}' FROM zcsync.accounts WHERE name = 'halo'))});
is(value(q{SELECT calls, window_s FROM zcsync.account_budgets WHERE class = 'api'}), '20|300', 'another budget');
advance(1200);
my ($calls, $written) = (scalar(api()), scalar(posts()));
insert(2500);
run_worker_in_session($node, 'postgres', '5 s');
cmp_ok(api() - $calls, '<=', 20 * 0.9 / 5, 'a full bucket is spent: ' . (api() - $calls));
cmp_ok(synced(), '>=', 1200, 'on many rows');
cmp_ok(synced(), '<', 3500, 'the others wait');
for (1 .. 120)
{
	last if synced() == 3500;
	advance(30);
	run_worker_in_session($node, 'postgres', '1 s');
}
is(synced(), 3500, 'in the end all are through');
cmp_ok(api() - $calls, '<=', 40, 'with ' . (api() - $calls) . ' calls');
my $most = most($written);
cmp_ok($most, '>', 3, 'a window has more than a full bucket');
cmp_ok($most, '<=', 20, "and never more than 20 calls: $most");
is($simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0, 0, 'no duplicates');
is(log_lines($node, 'PANIC|FATAL|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
