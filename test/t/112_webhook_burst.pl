# A burst: a thousand deliveries of the simulated Zendesk, some twice, some late, some
# forged.  The state is right in the end, what was forged is refused, and few calls
# fetched it all.

use strict;
use warnings;
use Door;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use ZcsyncFlow;
use ZcsyncTest;

Door::build();
my $flow = ZcsyncFlow->start('main', tickets => 620, tasks => 1);
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $flow->value("SET client_min_messages = error; $_[0]") }
sub calls { return scalar @{ $simulator->get('requests', vendor => 'zendesk', path => 'show_many', limit => 100000)->{requests} } }

$flow->accounts;
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01', pull_interval => '1 day')});
value(<<'SQL');
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SQL
wait_until($node, 'postgres', q{SELECT history_state = 'done' AND last_pull_at IS NOT NULL FROM zcsync.streams}, 'all is read');
my $door = Door->start($node);
value(sprintf q{SELECT zcsync.ensure_webhooks('acme', 'http://127.0.0.1:%s')}, $door->port);
wait_until($node, 'postgres', q{SELECT health = 'active' FROM zcsync.webhooks}, 'the webhook is declared');
my @tickets = split /\n/, value(q{SELECT remote_id FROM zcsync.tickets WHERE deleted_at IS NULL AND status <> 'closed' ORDER BY local_id});
@tickets = @tickets[ 0 .. 399 ] if @tickets > 400;
cmp_ok(scalar @tickets, '>=', 350, 'tickets enough');

# ---------------------------------------------------------------------
# 650 changes: each ticket once, and the first ones again until there are so many
# ---------------------------------------------------------------------
my (@edits, %last);
for my $n (0 .. 649)
{
	my $id = $tickets[ $n % @tickets ];

	$last{$id} = "Burst $n";
	push @edits, { account => 'acme', id => $id, fields => { subject => $last{$id} } };
}
$simulator->post('webhook_trouble', { duplicates => 300 / 650, forged => 50 / 650, reorder => 0.5, reorder_ms => 1000, seed => 3 });
my $before = calls();
my $began = time;
$simulator->post('edits', \@edits);
my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
sleep 0.2 while $simulator->get('deliveries', limit => 1)->{pending} && time < $deadline;
my $took = time - $began;
my $right = join ' OR ', map { "t.remote_id = '$_' AND t.subject = '$last{$_}'" } sort keys %last;
wait_until($node, 'postgres', sprintf(q{SELECT count(*) = %d FROM zcsync.tickets AS t WHERE %s}, scalar @tickets, $right), 'the state is right');
my $calls = calls() - $before;

my @sent = @{ $simulator->get('deliveries', vendor => 'zendesk', limit => 100000)->{deliveries} };
my @forged = grep { $_->{forged} } @sent;
note(sprintf '%d deliveries, %d of them twice, %d forged, in %.1f s; %d calls', scalar @sent, scalar(grep { $_->{duplicate} } @sent), scalar @forged, $took, $calls);
cmp_ok(scalar @sent, '>', 900, 'a thousand deliveries, more or less');
cmp_ok(scalar(grep { $_->{duplicate} } @sent), '>', 200, 'three in ten twice');
cmp_ok(scalar @forged, '>', 20, 'one in twenty forged');
is(scalar(grep { $_->{status}[-1] != 403 } @forged), 0, 'what was forged was refused');
is(scalar(grep { !$_->{forged} && $_->{status}[-1] != 200 } @sent), 0, 'and nothing else');
is(value('SELECT sum(count) FROM zcsync.refused_deliveries'), scalar @forged, 'with a row that counts it');
# a read may have brought a record before what was asked for because of its event came
wait_until($node, 'postgres', 'SELECT count(*) = 0 FROM zcsync.inbox WHERE waits', 'nothing waits any more');
is(value('SELECT count(*) FROM zcsync.inbox'), 650, 'what came twice is there once');
# a burst that a slow machine drags out is none
cmp_ok($calls, '<=', 12 + ($took > 6 ? 2 * ($took - 6) : 0), 'at most twelve calls');
is(value('SELECT refused FROM zcsync.stat_webhooks'), scalar @forged, 'stat_webhooks shows what was refused');

$door->stop;
$node->stop;
done_testing();
