# What is held is taken back while calls are under way: one that is on the wire
# ends first, and creates of which nobody knows whether they arrived are looked up.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 30, conf => "zcsync.request_timeout = 30s");
my ($node, $simulator) = ($flow->node, $flow->simulator);

$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('all tasks are made');

my @tasks = split /\n/, $flow->value('SELECT remote_id FROM zcsync.tasks WHERE remote_id IS NOT NULL ORDER BY local_id LIMIT 3');
my $ids = join ', ', map { "'$_'" } @tasks;

sub waits { my ($query, $what) = @_; return wait_until($node, 'postgres', $query, $what); }
sub at_clickup { my ($id) = @_; $flow->load_vendors; return $flow->value("SELECT doc ->> 'name' FROM vendor_tasks WHERE id = '$id'"); }

# What it returns, and what it says.
sub cancel_held
{
	my ($stdout, $stderr);
	$node->psql('postgres', q{SET client_min_messages = notice; SELECT zcsync.cancel_held('dev')}, stdout => \$stdout, stderr => \$stderr, on_error_die => 1);
	return ($stdout, $stderr =~ s/^psql:<stdin>:\d+: //gmr);
}

# An edit is on the wire when a careless statement follows.
my $before = $flow->value("SELECT string_agg(name, ', ' ORDER BY local_id) FROM zcsync.tasks WHERE remote_id IN ($ids) AND remote_id <> '$tasks[0]'");
$simulator->post('faults', { vendor => 'clickup', method => 'PUT', path => "/task/$tasks[0]\$", fault => 'delay', delay_ms => 8000, count => 1 });
$flow->value("UPDATE zcsync.tasks SET name = 'on the wire' WHERE remote_id = '$tasks[0]'");
waits(q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'running')}, 'an edit is on the wire');
$flow->value("SET zcsync.bulk_write_limit = 2; UPDATE zcsync.tasks SET name = 'wrong' WHERE remote_id IN ($ids)");
is($flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'held'}), 3, 'three edits are held');
my ($count, $said) = cancel_held();
is($count, 3, 'they are cancelled');
like($said, qr/\ANOTICE:  1 of them have another call under way, or somebody is writing the row\nDETAIL:  What that call sends reaches the vendor\. They are taken back as soon as it has ended\.\Z/, 'and what is on the wire is said');
is($flow->value("SELECT string_agg(name, ', ' ORDER BY local_id) FROM zcsync.tasks WHERE remote_id IN ($ids) AND remote_id <> '$tasks[0]'"), $before, 'the others are as before');
waits("SELECT name = 'on the wire' AND sync_state = 'synced' FROM zcsync.tasks WHERE remote_id = '$tasks[0]'", 'that one is as the call left it');
$flow->settle('nothing else is left to do');
is(at_clickup($tasks[0]), 'on the wire', 'also at ClickUp');
is(scalar(grep { $_->{body} && $_->{body} =~ /wrong/ } $flow->requests(vendor => 'clickup', method => 'PUT')), 0, 'nothing wrong was sent');

# Creates whose replies are lost: one of them arrived.
$simulator->post('faults', [
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'reset_after', count => 1 },
	{ vendor => 'clickup', method => 'POST', path => '/task$', fault => 'reset_before', count => 0 } ]);
my $last = $flow->last_write;
$flow->value(q{INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT account_id, 'arrived', list_id FROM zcsync.tasks WHERE list_id IS NOT NULL LIMIT 1});
waits(q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL AND state = 'ready')}, 'a reply is lost');
$flow->value(q{INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT account_id, 'of a person', list_id FROM zcsync.tasks WHERE list_id IS NOT NULL LIMIT 1});
$simulator->post('create', { account => 'acme', fields => { subject => 'of a route', comment => { body => 'It is new.' }, tags => ['bug'] } });
waits(q{SELECT count(*) = 3 FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL AND state = 'ready'}, 'and others');
$simulator->no_faults;
$flow->value(q{SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => false)});
($count, $said) = cancel_held();
is($count, 3, 'these are cancelled, too');
like($said, qr/^NOTICE:  it is not known whether the vendor has created 3 of the new records\nDETAIL:  They are looked up first\./, 'what is not known is said');
is($flow->value('SELECT count(*) FROM zcsync.tasks WHERE remote_id IS NULL'), 3, 'the rows stay meanwhile');
for (1 .. 6)
{
	$flow->advance(65);
	nothing_due($node, 'postgres', q{q.operation = 'push'});
	last if $flow->value(q{SELECT count(*) FROM zcsync.sync_queue WHERE cancelled = 'wanted'}) == 0;
}
waits(q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE cancelled = 'wanted')}, 'all are looked up');
is($flow->value(q{SELECT string_agg(concat_ws(' ', name, sync_state, remote_id IS NOT NULL), '; ' ORDER BY name COLLATE "C") FROM zcsync.tasks WHERE name IN ('arrived', 'of a person', 'of a route')}),
	'arrived synced t; of a person held f', 'what was found stays, the row of a person too, that of a route is gone');
is($flow->value(q{SELECT state FROM zcsync.links WHERE source_id IN (SELECT local_id FROM zcsync.tickets WHERE subject = 'of a route')}), 'cancelled', 'and its pair is cancelled');
$flow->value(q{SELECT count(*) FROM zcsync.alter_stream('dev/tasks', writes => true)});
$flow->polls(2);
is($flow->writes($last)->{create}, 1, 'nothing else was created');
is($flow->duplicates, 0, 'and nothing twice');
is($flow->value(q{SELECT state || ' ' || cancelled FROM zcsync.sync_queue WHERE operation = 'push'}), 'held kept', 'the push of the row that stays is kept');
$flow->value(q{SELECT zcsync.discard(zcsync.reference('tasks', local_id)) FROM zcsync.tasks WHERE remote_id IS NULL});
is($flow->value(q{SELECT zcsync.release_held('bugs', cancelled => true)}), 1, 'somebody wants the copy after all');
waits(q{SELECT EXISTS (SELECT FROM zcsync.tasks WHERE name = 'of a route' AND remote_id IS NOT NULL AND sync_state = 'synced')}, 'it is made');
$flow->settle('nothing is left to do');
is($flow->writes($last)->{create}, 2, 'once');

is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
