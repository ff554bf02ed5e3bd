# While webhooks are heard and well, streams are read more rarely; when they fall silent,
# as often as before.

use strict;
use warnings;
use Door;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use ZcsyncFlow;
use ZcsyncTest;

my $READS = 5;    # that are counted

Door::build();
my $flow = ZcsyncFlow->start('main', tickets => 30, tasks => 20);
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $flow->value("SET client_min_messages = error; $_[0]") }
my %read = (zendesk => 'incremental/tickets', clickup => '/team/\d+/task');
# Seconds from a read to the next, of the next reads but one.
sub gaps
{
	my $last = $simulator->get('stats')->{requests};

	return map { $_ => gap($_, $last) } keys %read;
}
sub gap
{
	my ($vendor, $last) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my @times;

	while (@times < $READS + 2)
	{
		die "$vendor is not read" if time > $deadline;
		sleep 0.2;
		@times = map { $_->{time} } @{ $simulator->get('requests', vendor => $vendor, path => $read{$vendor}, since => $last, limit => 100000)->{requests} };
	}
	return ($times[ $READS + 1 ] - $times[1]) / $READS;
}
my $turns = q{SELECT string_agg(a.name || ' ' || zcsync._turn_interval(s.stream_id, s.pull_interval), ', ' ORDER BY a.name)
	FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)};
my $n = 0;
sub change
{
	$n++;
	my @ids = map { value($_) } 'SELECT remote_id FROM zcsync.tickets WHERE deleted_at IS NULL ORDER BY local_id LIMIT 1', 'SELECT remote_id FROM zcsync.tasks ORDER BY local_id LIMIT 1';
	$simulator->post('edit', { account => 'acme', id => $ids[0], fields => { subject => "Changed $n" } });
	$simulator->post('edit', { workspace => 'dev', id => $ids[1], fields => { name => "Changed $n" } });
	return wait_until($node, 'postgres', "SELECT EXISTS (SELECT FROM zcsync.tickets WHERE subject = 'Changed $n') AND EXISTS (SELECT FROM zcsync.tasks WHERE name = 'Changed $n')",
		"change $n is here");
}

$flow->accounts;
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01', pull_interval => '1 second')});
value(q{SELECT FROM zcsync.add_stream('dev', 'tasks', since => '2020-01-01', pull_interval => '1 second')});
value(<<'SQL');
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SQL
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.streams WHERE history_state = 'done' AND last_pull_at IS NOT NULL}, 'all is read');
my %without = gaps();

# ---------------------------------------------------------------------
# Heard and well
# ---------------------------------------------------------------------
my $door = Door->start($node);
value(sprintf q{SELECT zcsync.ensure_webhooks(a, 'http://127.0.0.1:%s') FROM unnest('{acme,dev}'::text[]) AS a}, $door->port);
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.webhooks WHERE health = 'active'}, 'webhooks are declared');
is(value($turns), 'acme 00:00:01, dev 00:00:01', 'nothing was heard: as often as before');
change();
# a read may have found the change before its webhook was heard of
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.heard_streams}, 'both are heard');
for (1 .. 10)
{
	last if value($turns) eq 'acme 00:00:05, dev 00:00:05';
	$flow->advance(11);    # so long a delivery counts
	change();
}
is(value($turns), 'acme 00:00:05, dev 00:00:05', 'then more rarely');
my %with = gaps();
note('seconds between reads, without webhooks and with: ' . join(', ', map { sprintf '%s %.1f and %.1f', $_, $without{$_}, $with{$_} } sort keys %with));
cmp_ok($with{$_}, '>', 1.5 * $without{$_}, "$_ is called less") for sort keys %with;
is(value(q{SELECT bool_and(spared = 1 AND reads_saved >= 4) FROM zcsync.stat_webhooks}), 't', 'stat_webhooks counts what was saved');
is(value(q{SELECT count(*) FROM zcsync.status WHERE account LIKE '%webhook'}), 0, 'which is no trouble');
is(value(q{SELECT string_agg(DISTINCT progress, ' ') FROM zcsync.progress WHERE lane = 'live'}), 'in step', 'the streams are in step');

# ---------------------------------------------------------------------
# Silent
# ---------------------------------------------------------------------
$simulator->post('webhook_trouble', { lost => 1 });
$flow->advance(12);
change();
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.heard_streams WHERE missed_at IS NOT NULL}, 'reads found what nobody had reported');
is(value($turns), 'acme 00:00:01, dev 00:00:01', 'as often as before');
$simulator->post('webhook_trouble', { lost => 0 });
change();
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.heard_streams WHERE heard_at > missed_at}, 'they are heard again');

# The vendor says that deliveries fail.
value(q{UPDATE zcsync.heard_streams SET missed_at = NULL, heard_at = now()});
is(value($turns), 'acme 00:00:05, dev 00:00:05', 'more rarely again');
value(q{UPDATE zcsync.webhooks SET health = 'failing' WHERE account_id = zcsync.account('dev')});
is(value($turns), 'acme 00:00:05, dev 00:00:01', 'unless the vendor says that the webhook fails');

$door->stop;
$node->stop;
done_testing();
