# Both vendors are down for six hours while agents go on: few calls are made,
# no job dies, and afterwards each record gets its last state, once.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 300, conf => "zcsync.bulk_write_limit = 10000\nzcsync.request_timeout = 5s");
my ($node, $simulator) = ($flow->node, $flow->simulator);

$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('all tasks are made');
my $bugs = $flow->value('SELECT count(*) FROM zcsync.links');
my @ids = split /\n/, $flow->value('SELECT t.remote_id FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id = l.source_id ORDER BY t.local_id');

# Agents and users of this database work on.
sub work
{
	my ($hour) = @_;

	$simulator->post('edits', [ map { { account => 'acme', id => 0 + $_, fields => { subject => "Hour $hour of $_" } } } @ids[ 0 .. 29 ] ]);
	$simulator->post('create', { account => 'acme', fields => { subject => "New in hour $hour", comment => { body => 'It is new.' }, tags => ['bug'] } });
	$flow->value("UPDATE zcsync.tasks SET points = $hour WHERE local_id IN (SELECT target_id FROM zcsync.links ORDER BY source_id LIMIT 20 OFFSET 40)");
	return;
}
sub calls { return scalar $flow->requests(since => $_[0]); }

# The last second in which all is well leaves creates on their way.
$simulator->post('faults', [ map { { vendor => $_, fault => 'unavailable', count => 0 } } qw(zendesk clickup) ]);
my $request = $simulator->get('stats')->{requests};
work(0);
wait_until($node, 'postgres', 'SELECT bool_and(breaker_failures >= 3 AND breaker_until > zcsync._now()) FROM zcsync.accounts', 'the breakers open');
like($flow->value('SELECT min(last_error) FROM zcsync.accounts'), qr/503|unavailable/i, 'and say why');
is($flow->value(q{SELECT count(*) FROM zcsync.status WHERE state = 'down'}), 2, 'status shows both as down');

# Six hours, in steps of 90 seconds at first and then of five minutes.
my $tries = calls($request);
cmp_ok($tries, '<=', 80, "by $tries calls");
my @steps = ((90) x 4, (300) x 72);
my $passed = 0;
for my $step (@steps)
{
	my $before = int $passed / 3600;

	$flow->advance($step);
	$passed += $step;
	work(1 + $before) if int $passed / 3600 > $before;
	# each breaker has let its probe through, and is open again
	$node->poll_query_until('postgres', 'SELECT bool_and(breaker_until > zcsync._now()) FROM zcsync.accounts WHERE breaker_failures > 0')
	  or die 'a breaker does not open again';
}
cmp_ok($passed, '>=', 6 * 3600, 'six hours pass');
my $probes = calls($request) - $tries;
cmp_ok($probes, '<=', 2 * @steps + 4, "with no more than a probe of each vendor in five minutes ($probes)");
cmp_ok($probes, '>=', @steps, 'but with probes');
is($flow->value('SELECT count(*) FROM zcsync.accounts WHERE breaker_failures >= 3'), 2, 'the breakers are still open');
is($flow->value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job died');
is($flow->value('SELECT count(*) FROM zcsync.sync_queue WHERE failures > 0'), 0, 'and none spent an attempt');
is($flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}) >= 20, 1, 'what users wrote waits');

# Both are back.
$simulator->no_faults;
my $last = $flow->last_write;
$flow->advance(301);
wait_until($node, 'postgres', 'SELECT count(*) = 0 FROM zcsync.accounts WHERE breaker_failures > 0', 'the breakers close');
$flow->advance(35);
wait_until($node, 'postgres', "SELECT count(*) = $bugs + 7 FROM zcsync.links", 'new tickets are seen');
$flow->settle('all is through');
$flow->advance(35);
$flow->settle('and through');
is_deeply($flow->writes($last), { create => 7, update => 50 }, 'each record was written once, with its last state');
is($flow->value("SELECT string_agg(DISTINCT points::text, ',') FROM zcsync.tasks WHERE local_id IN (SELECT target_id FROM zcsync.links ORDER BY source_id LIMIT 20 OFFSET 40)"), 6,
	'the last state is that of the last hour');
$flow->agree('afterwards');
is($flow->value(q{SELECT count(*) FROM vendor_tasks WHERE doc ->> 'name' LIKE 'Hour 6 of %'}), 30, 'what was last said is what ClickUp has');
is($flow->value('SELECT count(*) FROM zcsync.accounts WHERE breaker_opened_at IS NOT NULL'), 0, 'the breakers forgot it');
is($flow->value(q{SELECT count(*) FROM zcsync.sync_records WHERE status = 'failed'}), 0, 'no record of a failure');

is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
