# Replies to creates get lost: one in twenty tasks is made and the connection
# reset before ClickUp can say so.  None is made twice.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 600, conf => "zcsync.request_timeout = 2s");

$flow->mirror;
$flow->route;
my $seed = $ENV{ZCSYNC_TEST_SEED} // int rand 1_000_000;
diag("replay with ZCSYNC_TEST_SEED=$seed");
$flow->simulator->post('faults', [
	# the first ten make sure of some, of each kind
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'reset_after', skip => 20, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'truncated_body', skip => 40, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'status', status => 500, after => \1, skip => 60, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'html_502', after => \1, skip => 80, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'hang', after => \1, skip => 100, count => 1 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'reset_before', skip => 120, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'truncated_json', skip => 140, count => 2 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'reset_after', probability => 0.05, seed => $seed, count => 0 } ]);
my $bugs = $flow->backfill;

# What is unclear waits for the request's time-out and 30 s before it is looked
# up: once all others are through, and again for what is lost then.
my $waiting = q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments')};
my $unclear = 0;
for my $round (1 .. 60)
{
	nothing_due($flow->node, 'postgres', q{q.operation NOT IN ('pull', 'comments')});
	my $now_unclear = $flow->value('SELECT count(*) FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL');
	$unclear = $now_unclear if $now_unclear > $unclear;
	last if $flow->value($waiting) == 0;
	$flow->advance(33);
}
is($flow->value($waiting), 0, 'all is done');
cmp_ok($unclear, '>', 5, "there were replies lost ($unclear at a time)");
cmp_ok((grep { $_->{status} == 0 } $flow->requests(vendor => 'clickup', method => 'POST', path => '/task')) , '>', 10, 'and connections reset');
$flow->settle('nothing is left to do');
my $reset = 0 + $flow->simulator->get('faults')->{faults}[-1]{applied};
cmp_ok($reset, '>', 0, "of them $reset at random");
is($flow->writes->{create}, $bugs, 'one create for each bug in the ledger');
$flow->simulator->no_faults;
$flow->agree('in the end');
is($flow->value(q{SELECT count(*) FROM zcsync.sync_records WHERE operation = 'push' AND status = 'found'}) > 10, 1,
	'those whose replies were lost were found');

is(log_lines($flow->node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$flow->node->stop;
done_testing();
