# The main job: tickets of Zendesk become tasks of ClickUp, each once, with the
# same content; and whatever is set up anew finds what was made before.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => $ENV{ZCSYNC_TEST_TICKETS} // 1500, tasks => 40);

ok($flow->mirror, 'history and live');
$flow->route;
my $bugs = $flow->value(q{SELECT count(*) FROM zcsync.tickets WHERE tags @> '{bug}' AND deleted_at IS NULL});
cmp_ok($bugs, '>', 0, "there are bugs ($bugs)");
is($flow->backfill, $bugs, 'all bugs are queued');
$flow->settle('all tasks are made');
is($flow->writes->{create}, $bugs, 'one create for each bug');
is($flow->writes->{update}, 0, 'and no update');
$flow->agree('after the backfill');
is($flow->value(q{SELECT count(DISTINCT list_id) FROM zcsync.tasks AS t JOIN zcsync.links AS l ON l.target_id = t.local_id}), 2,
	'tasks are in two lists');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks AS t JOIN zcsync.links AS l ON l.target_id = t.local_id WHERE assignees = '{183}'}) > 0, 1,
	'some are assigned by e-mail');

# What is new at Zendesk follows without being asked for.
$flow->simulator->post('create', { account => 'acme', fields => {
	subject => "  New bug $_ ", comment => { body => "It does not work.\n\n$_" }, status => 'open', priority => 'urgent', tags => [ 'bug', 'vip' ] } })
  for 1 .. 5;
$flow->simulator->post('create', { account => 'acme', fields => { subject => "No bug $_", comment => { body => 'I have a question.' }, tags => ['vip'] } })
  for 1 .. 5;
$bugs += 5;
wait_until($flow->node, 'postgres', "SELECT count(*) = $bugs FROM zcsync.links", 'new bugs are linked');
$flow->settle('and made');
$flow->agree('after new tickets');
is($flow->writes->{create}, $bugs, 'one create for each');

# A second start: the route is made again.
my $last = $flow->last_write;
$flow->value(q{SELECT zcsync.remove_route('bugs')});
$flow->route;
is($flow->backfill, $bugs, 'a route that is made again goes through all bugs');
$flow->settle('and through');
is($flow->last_write, $last, 'but writes nothing');
is($flow->value('SELECT count(*) FROM zcsync.links'), $bugs, 'and links what is there');
$flow->agree('with a route made again');

# A third one: all that is here is lost.
$flow->value(q{SELECT zcsync.remove_account(a, force => true) FROM unnest('{acme,dev}'::text[]) AS a});
is($flow->value('SELECT (SELECT count(*) FROM zcsync.tickets) + (SELECT count(*) FROM zcsync.tasks)
	+ (SELECT count(*) FROM zcsync.links) + (SELECT count(*) FROM zcsync.sync_queue)'), 0, 'nothing is left here');
ok($flow->mirror, 'both sides are read anew');
$flow->route;
is($flow->backfill, $bugs, 'all bugs are new to the route');
$flow->settle('and gone through');
is($flow->last_write, $last, 'but nothing is written');
is($flow->value('SELECT count(*) FROM zcsync.links'), $bugs, 'and everything linked');
$flow->agree('set up anew');

# Removing an account with all that it has may make the worker wait too long
# for its locks; it says so and tries again.
is(log_lines($flow->node, 'FATAL|PANIC|ERROR|zcsync could not(?!.*(?:lock timeout|deadlock))'), 0, 'no error in the log');
$flow->node->stop;
done_testing();
